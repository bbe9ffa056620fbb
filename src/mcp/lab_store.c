/* Runs of the store as resources.
 *
 *   assay://runs                                  the runs, newest first
 *   assay://runs/ID                               one run's record: what was measured, with what
 *   assay://runs/ID/report                        its report, one HTML page
 *   assay://runs/ID/samples/TASK/FROM-TO          samples as they were judged
 *
 * The store is opened for each reading: it may be written meanwhile by any number of `assay eval`.
 * That is done in a worker where it is a file: SQLite's locks do not outlive a fork of the server.
 */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "eval/report.h"
#include "eval/store.h"
#include "mcp/lab.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTED_RUNS    100  /* as resources of their own */
#define INDEXED_RUNS   1000 /* in the index */
#define KEPT_SECONDS   3    /* the list of a store that is no file */
#define REPORT_SAMPLES 200

int mcp_lab_store_open(struct mcp_lab *l, const char *where)
{
    struct eval_store *s;
    int rc = eval_store_open(&s, where, EVAL_STORE_READ);
    if (rc)
        return rc;
    eval_store_close(s);
    char *whole = realpath(where, NULL); /* none of a database's address */
    l->store = base_strdup(whole ? whole : where);
    if (whole && l->store)
        l->store_folder = base_strndup(whole, (size_t)(base_path_name(whole) - whole));
    const char *top = getenv("TMPDIR");
    top = top && *top ? top : "/tmp";
    l->report_folder = base_format("%s/assay-reports-XXXXXX", top);
    rc = l->store && l->report_folder && (!whole || l->store_folder) ? 0 : BASE_E_MEMORY;
    free(whole);
    if (!rc && !mkdtemp(l->report_folder)) {
        base_free(l->report_folder);
        l->report_folder = NULL;
        rc = base_error_set(BASE_E_IO, "%s: no place for reports: %s", top, strerror(errno));
    }
    return rc;
}

void mcp_lab_folder_remove(const char *folder)
{
    DIR *d = folder ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." are no files */
    if (d)
        closedir(d);
    if (folder)
        rmdir(folder);
}

/* ---- one reading ---- */

struct asking {
    const struct mcp_lab *l;
    const char *id, *task;
    uint64_t from, to;
    size_t samples;
};

static int run_list(void *context, struct base_buffer *out)
{
    const struct asking *a = context;
    struct eval_store *s;
    json_t *runs = NULL, *newest = json_array();
    int rc = newest ? eval_store_open(&s, a->l->store, EVAL_STORE_READ) : BASE_E_MEMORY;
    if (!rc) {
        rc = eval_store_list(s, &runs);
        eval_store_close(s);
    }
    for (size_t i = 0; i < json_array_size(runs) && i < INDEXED_RUNS && !rc; i++)
        rc = json_array_append(newest, json_array_get(runs, i)) ? BASE_E_MEMORY : 0;
    if (!rc)
        rc = mcp_lab_put(out, json_pack("{s:O, s:I}", "runs", newest, "in_all",
                                        (json_int_t)json_array_size(runs)));
    json_decref(newest);
    json_decref(runs);
    return rc;
}

/* Whether the store has a run of exactly this id: 1, 0 or negative. */
static int is_there(struct eval_store *s, const char *id)
{
    char *full = NULL;
    int rc = eval_store_find(s, id, &full);
    bool same = !rc && strcmp(full, id) == 0;
    base_free(full);
    return rc == BASE_E_ARGUMENT ? 0 : rc ? rc : same;
}

/* Opens the store when it has the run: 1, 0 when not (nothing is open then) or negative. */
static int open_with(const struct asking *a, struct eval_store **s)
{
    int rc = eval_store_open(s, a->l->store, EVAL_STORE_READ);
    if (rc)
        return rc;
    rc = is_there(*s, a->id);
    if (rc != 1)
        eval_store_close(*s);
    return rc;
}

static int run_record(void *context, struct base_buffer *out)
{
    const struct asking *a = context;
    struct eval_store *s;
    json_t *record = NULL;
    int rc = open_with(a, &s);
    if (rc != 1)
        return rc;
    rc = eval_store_load(s, a->id, &record);
    eval_store_close(s);
    return rc ? rc : mcp_lab_put(out, record);
}

static int run_report(void *context, struct base_buffer *out)
{
    const struct asking *a = context;
    const struct eval_report_options options = { .samples = a->samples };
    struct eval_store *s;
    struct eval_run *run;
    char *path = NULL, *text = NULL;
    size_t bytes = 0;
    int rc = open_with(a, &s);
    if (rc != 1)
        return rc;
    eval_store_close(s);
    if ((rc = eval_run_open(&run, a->id, a->l->store)))
        return rc;
    rc = (path = base_format("%s/%ld-%lx.html", a->l->report_folder, (long)getpid(),
                             (unsigned long)(uintptr_t)&run))
             ? eval_report_write((const struct eval_run *const *)&run, 1, path, &options, NULL)
             : BASE_E_MEMORY;
    if (!rc)
        rc = base_file_read(path, LAB_READ_MOST, &text, &bytes);
    if (!rc)
        rc = base_buffer_append(out, text, bytes);
    if (path)
        unlink(path);
    eval_run_close(run);
    base_free(path);
    base_free(text);
    return rc;
}

/* Lines `from` to `to` of a task's samples, which the store has in parts. */
static int samples_take(struct eval_store *s, const char *id, const char *task, uint64_t from,
                        uint64_t to, json_t *samples, bool *more)
{
    uint64_t line = 0;
    size_t used = 0;
    char *text;
    size_t bytes;
    int rc;
    *more = false;
    for (size_t part = 0; (rc = eval_store_part(s, id, task, part, &text, &bytes)) == 1; part++) {
        const char *end = text + bytes;
        for (const char *at = text; at < end && rc == 1;) {
            const char *stop = memchr(at, '\n', (size_t)(end - at));
            stop = stop ? stop : end;
            json_t *one = NULL;
            if (++line > to) {
                *more = true;
                rc = 0;
            } else if (line >= from && stop > at) {
                rc = base_json_parse_wire(&one, at, (size_t)(stop - at), 0, task);
                rc = rc ? rc : mcp_lab_row_add(samples, one, false, &used);
                *more = rc == 0;
            }
            at = stop + 1;
        }
        base_free(text);
        if (rc != 1)
            break;
    }
    return rc < 0 ? rc : 0;
}

static int run_samples(void *context, struct base_buffer *out)
{
    const struct asking *a = context;
    struct eval_store *s;
    json_t *samples = json_array();
    bool more = false;
    int rc = samples ? open_with(a, &s) : BASE_E_MEMORY;
    if (rc != 1) {
        json_decref(samples);
        return rc;
    }
    json_t *record = NULL;
    rc = eval_store_load(s, a->id, &record);
    bool known = json_object_get(json_object_get(record, "results"), a->task);
    json_decref(record);
    if (!rc && known)
        rc = samples_take(s, a->id, a->task, a->from, a->to, samples, &more);
    eval_store_close(s);
    if (!rc && known) {
        char *next = mcp_lab_next("assay://runs/{id}/samples/{task}/", a->id, a->task, more,
                                  a->from, a->to, json_array_size(samples));
        rc = more && !next
                 ? BASE_E_MEMORY
                 : mcp_lab_put_page(out, json_pack("{s:s, s:s}", "run", a->id, "task", a->task),
                                    "samples", a->from, samples, next);
        base_free(next);
    }
    json_decref(samples);
    return rc;
}

static const struct lab_op ops[] = { { "list", run_list },
                                     { "record", run_record },
                                     { "report", run_report },
                                     { "samples", run_samples } };
#define OPS (sizeof ops / sizeof *ops)

int mcp_lab_store_tool(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    struct asking a = {
        .l = tool->context,
        .id = json_string_value(json_object_get(arguments, "id")),
        .task = json_string_value(json_object_get(arguments, "task")),
        .from = (uint64_t)json_integer_value(json_object_get(arguments, "from")),
        .to = (uint64_t)json_integer_value(json_object_get(arguments, "to")),
        .samples = (size_t)json_integer_value(json_object_get(arguments, "samples")),
    };
    return mcp_lab_answer(ops, OPS, arguments, &a, out);
}

/* ---- in the server ---- */

static int work(struct mcp_lab *l, struct asking *a,
                int (*run)(void *context, struct base_buffer *out), struct base_buffer *out)
{
    char *name = a->id ? base_format("run %s", a->id) : base_strdup("the store");
    int rc = BASE_E_MEMORY;
    if (name && !l->store_folder)
        rc = run(a, out);
    else if (name)
        rc = mcp_lab_work(l, "store", name,
                          json_pack("{s:s, s:s?, s:s?, s:I, s:I, s:I}", "op",
                                    mcp_lab_op_name(ops, OPS, run), "id", a->id, "task", a->task,
                                    "from", (json_int_t)a->from, "to", (json_int_t)a->to, "samples",
                                    (json_int_t)a->samples),
                          out);
    base_free(name);
    return rc ? rc : out->length ? 0 : MCP_NOT_MINE;
}

/* Of the file and what was written ahead of it; 0 of a store that is none. */
static int file_stamp(const struct mcp_lab *l, uint64_t *stamp)
{
    static const char *const endings[] = { "", "-wal" };
    *stamp = 0;
    for (int i = 0; i < 2 && l->store_folder; i++) {
        char *path = base_format("%s%s", l->store, endings[i]);
        struct stat st;
        if (!path)
            return BASE_E_MEMORY;
        if (stat(path, &st) == 0 && st.st_size)
            *stamp = mcp_lab_stamp(&st, *stamp);
        base_free(path);
    }
    return 0;
}

/* The store's newest runs; a new reference. */
static int runs_of(struct mcp_lab *l, json_t **out, uint64_t *in_all)
{
    uint64_t stamp;
    *out = NULL;
    int rc = l->store ? file_stamp(l, &stamp) : MCP_NOT_MINE;
    if (rc)
        return rc;
    pthread_mutex_lock(&l->runs_lock);
    bool fresh =
        l->runs && (stamp ? stamp == l->runs_stamp : base_clock() - l->runs_at < KEPT_SECONDS);
    if (!fresh) {
        struct asking a = { .l = l };
        struct base_buffer text = { 0 };
        json_t *answer = NULL;
        rc = mcp_lab_failure_again(&l->runs_failure);
        if (!rc) {
            rc = work(l, &a, run_list, &text);
            mcp_lab_failure_keep(&l->runs_failure, stamp ? 0 : rc);
        }
        if (!rc)
            rc = base_json_parse_wire(&answer, text.data, text.length, 0, "the store");
        base_buffer_free(&text);
        if (!rc) {
            json_decref(l->runs);
            l->runs = json_incref(json_object_get(answer, "runs"));
            l->runs_in_all = (uint64_t)json_integer_value(json_object_get(answer, "in_all"));
            l->runs_stamp = stamp;
            l->runs_at = base_clock();
        }
        json_decref(answer);
    }
    if (!rc) {
        *out = json_incref(l->runs);
        if (in_all)
            *in_all = l->runs_in_all;
    }
    pthread_mutex_unlock(&l->runs_lock);
    return rc;
}

/* The run that `id` names in full, borrowed from runs; NULL when there is none. */
static const json_t *run_find(const json_t *runs, const char *id)
{
    size_t i;
    const json_t *run;
    json_array_foreach(runs, i, run) if (strcmp(json_string_value(json_object_get(run, "id")),
                                                id) == 0) return run;
    return NULL;
}

int mcp_lab_runs_list(struct mcp_lab *l, json_t *list)
{
    json_t *runs;
    int rc = runs_of(l, &runs, NULL);
    for (size_t i = 0; !rc && i < json_array_size(runs) && i < LISTED_RUNS; i++) {
        const json_t *run = json_array_get(runs, i), *result;
        const char *id = json_string_value(json_object_get(run, "id")), *task;
        const char *model = json_string_value(json_object_get(run, "model"));
        struct base_buffer what = { 0 };
        rc = base_buffer_printf(&what, "%s", model ? model : "?");
        json_object_foreach(json_object_get(run, "tasks"), task, result)
        {
            if (rc || what.length > 300)
                continue;
            const json_t *value = json_object_get(result, "value");
            const char *metric = json_string_value(json_object_get(result, "metric"));
            rc = base_buffer_printf(&what, ", %s", task);
            if (!rc && metric && json_is_number(value))
                rc = base_buffer_printf(&what, ": %s %.4g", metric, json_number_value(value));
        }
        char *title = rc ? NULL : base_format("Report of run %s", id);
        if (!rc)
            rc = title
                     ? mcp_lab_list_add(
                           list, mcp_lab_uri("assay://runs/{id}", id, NULL), id, NULL, what.data,
                           "application/json",
                           mcp_lab_time_parse(json_string_value(json_object_get(run, "time"))), -1)
                     : BASE_E_MEMORY;
        if (!rc)
            rc = mcp_lab_list_add(
                list, mcp_lab_uri("assay://runs/{id}/report", id, NULL), title, NULL, what.data,
                "text/html", mcp_lab_time_parse(json_string_value(json_object_get(run, "time"))),
                -1);
        base_free(title);
        base_buffer_free(&what);
    }
    json_decref(runs);
    return rc;
}

int mcp_lab_runs_index(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    (void)v;
    json_t *runs;
    uint64_t in_all = 0;
    int rc = runs_of(l, &runs, &in_all);
    if (!rc)
        rc = mcp_lab_put(&out->text,
                         json_pack("{s:O, s:I}", "runs", runs, "in_all", (json_int_t)in_all));
    json_decref(runs);
    return rc;
}

int mcp_lab_run_read(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct asking a = { .l = l, .id = mcp_lab_value(v, "id") };
    return work(l, &a, run_record, &out->text);
}

int mcp_lab_run_report(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct asking a = { .l = l, .id = mcp_lab_value(v, "id"), .samples = REPORT_SAMPLES };
    int rc = work(l, &a, run_report, &out->text);
    if (rc == BASE_E_LIMIT) { /* without its samples where it is too long with them */
        a.samples = 0;
        base_buffer_clear(&out->text);
        rc = work(l, &a, run_report, &out->text);
    }
    return rc;
}

int mcp_lab_run_samples(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct asking a = { .l = l, .id = mcp_lab_value(v, "id"), .task = mcp_lab_value(v, "task") };
    int rc = mcp_lab_page(v, LAB_ROWS_MOST, &a.from, &a.to);
    return rc ? rc : work(l, &a, run_samples, &out->text);
}

/* Of the whole store: a run does not change, but may be deleted. */
int mcp_lab_run_stamp(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp)
{
    const char *id = mcp_lab_value(v, "id");
    json_t *runs;
    int rc = runs_of(l, &runs, NULL);
    const json_t *of = rc ? NULL : id ? run_find(runs, id) : runs;
    char *text = of ? base_json_dump(of, false) : NULL;
    if (!rc)
        rc = !of ? MCP_NOT_MINE : text ? 0 : BASE_E_MEMORY;
    *stamp = text ? base_hash64(text, strlen(text), 1) : 0;
    base_free(text);
    json_decref(runs);
    return rc;
}

int mcp_lab_run_ids(struct mcp_lab *l, json_t *names)
{
    json_t *runs;
    int rc = runs_of(l, &runs, NULL);
    for (size_t i = 0; i < json_array_size(runs) && !rc; i++)
        if (json_array_append(names, json_object_get(json_array_get(runs, i), "id")))
            rc = BASE_E_MEMORY;
    json_decref(runs);
    return rc == MCP_NOT_MINE ? 0 : rc;
}

int mcp_lab_run_tasks(struct mcp_lab *l, const char *id, json_t *names)
{
    json_t *runs, *result;
    const char *task;
    int rc = runs_of(l, &runs, NULL);
    json_object_foreach(json_object_get(run_find(runs, id), "tasks"), task, result)
    {
        if (!rc && json_array_append_new(names, json_string(task)))
            rc = BASE_E_MEMORY;
    }
    json_decref(runs);
    return rc == MCP_NOT_MINE ? 0 : rc;
}
