/* Runs of the store as resources.
 *
 *   assay://runs                                  the runs, newest first
 *   assay://runs/ID                               one run's record: what was measured, with what
 *   assay://runs/ID/report                        its report, one HTML page
 *   assay://runs/ID/samples/TASK/FROM-TO          samples as they were judged
 *
 * The store is opened for each reading: it may be written meanwhile by any number of `assay eval`.
 * It is the user's own, made by Assay, and is read in this process. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "eval/report.h"
#include "eval/store.h"
#include "mcp/lab.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTED_RUNS    100 /* as resources of their own */
#define INDEXED_RUNS   1000
#define KEPT_SECONDS   3 /* the list of a store that is no file */
#define REPORT_SAMPLES 200

int mcp_lab_store_check(const struct mcp_lab *l)
{
    struct eval_store *s;
    int rc = eval_store_open(&s, l->store, EVAL_STORE_READ);
    if (!rc)
        eval_store_close(s);
    return rc;
}

/* Of the file and what was written ahead of it; 0 of a store that is none. */
static int file_stamp(const struct mcp_lab *l, uint64_t *stamp)
{
    static const char *const endings[] = { "", "-wal" };
    *stamp = 0;
    for (int i = 0; i < 2; i++) {
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

/* The store's list; a new reference. */
static int runs_of(struct mcp_lab *l, json_t **out)
{
    struct eval_store *s;
    uint64_t stamp;
    *out = NULL;
    int rc = l->store ? file_stamp(l, &stamp) : MCP_NOT_MINE;
    if (rc)
        return rc;
    pthread_mutex_lock(&l->runs_lock);
    bool fresh =
        l->runs && (stamp ? stamp == l->runs_stamp : base_clock() - l->runs_at < KEPT_SECONDS);
    if (!fresh && !(rc = eval_store_open(&s, l->store, EVAL_STORE_READ))) {
        json_t *runs = NULL;
        rc = eval_store_list(s, &runs);
        eval_store_close(s);
        if (!rc) {
            json_decref(l->runs);
            l->runs = runs;
            l->runs_stamp = stamp;
            l->runs_at = base_clock();
        }
    }
    if (!rc)
        *out = json_incref(l->runs);
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

/* Whether the run is there: 0, MCP_NOT_MINE or negative. */
static int run_check(struct mcp_lab *l, const char *id)
{
    json_t *runs;
    int rc = runs_of(l, &runs);
    if (!rc && !run_find(runs, id))
        rc = MCP_NOT_MINE;
    json_decref(runs);
    return rc;
}

/* Seconds since 1970 of "2026-11-22T04:41:34Z"; negative when it is none. */
static double time_of(const json_t *run)
{
    const char *text = json_string_value(json_object_get(run, "time"));
    struct tm t = { 0 };
    char stop;
    if (!text || sscanf(text, "%d-%d-%dT%d:%d:%d%c", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
                        &t.tm_min, &t.tm_sec, &stop) < 6)
        return -1;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    return (double)timegm(&t);
}

int mcp_lab_runs_list(struct mcp_lab *l, json_t *list)
{
    json_t *runs;
    int rc = runs_of(l, &runs);
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
            rc = title ? mcp_lab_list_add(list, mcp_lab_uri("assay://runs/{id}", id, NULL), id,
                                          NULL, what.data, "application/json", time_of(run), -1)
                       : BASE_E_MEMORY;
        if (!rc)
            rc = mcp_lab_list_add(list, mcp_lab_uri("assay://runs/{id}/report", id, NULL), title,
                                  NULL, what.data, "text/html", time_of(run), -1);
        base_free(title);
        base_buffer_free(&what);
    }
    json_decref(runs);
    return rc;
}

int mcp_lab_runs_index(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    (void)v;
    json_t *runs, *shown = json_array();
    int rc = shown ? runs_of(l, &runs) : BASE_E_MEMORY;
    if (rc) {
        json_decref(shown);
        return rc;
    }
    for (size_t i = 0; i < json_array_size(runs) && i < INDEXED_RUNS && !rc; i++)
        rc = json_array_append(shown, json_array_get(runs, i)) ? BASE_E_MEMORY : 0;
    if (!rc)
        rc = mcp_lab_put(&out->text, json_pack("{s:O, s:I}", "runs", shown, "in_all",
                                               (json_int_t)json_array_size(runs)));
    json_decref(shown);
    json_decref(runs);
    return rc;
}

int mcp_lab_run_read(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    const char *id = mcp_lab_value(v, "id");
    struct eval_store *s = NULL;
    json_t *record = NULL;
    int rc = run_check(l, id);
    if (!rc)
        rc = eval_store_open(&s, l->store, EVAL_STORE_READ);
    if (!rc) {
        rc = eval_store_load(s, id, &record);
        eval_store_close(s);
    }
    if (!rc)
        rc = mcp_lab_put(&out->text, record);
    if (!rc && out->text.length > LAB_READ_MOST)
        rc = base_error_set(BASE_E_LIMIT, "run %s: its record has more than %zu bytes", id,
                            LAB_READ_MOST);
    return rc;
}

/* ---- the report ---- */

static int report_make(const struct mcp_lab *l, const char *id, const char *path, size_t samples)
{
    const struct eval_report_options options = { .samples = samples };
    struct eval_run *run;
    int rc = eval_run_open(&run, id, l->store);
    if (rc)
        return rc;
    rc = eval_report_write((const struct eval_run *const *)&run, 1, path, &options, NULL);
    eval_run_close(run);
    return rc;
}

int mcp_lab_run_report(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    const char *id = mcp_lab_value(v, "id"), *folder = getenv("TMPDIR");
    char *path = base_format("%s/assay-report-XXXXXX", folder && *folder ? folder : "/tmp");
    char *text = NULL;
    size_t bytes = 0;
    int rc = path ? run_check(l, id) : BASE_E_MEMORY;
    int fd = rc ? -1 : mkostemp(path, O_CLOEXEC);
    if (!rc && fd < 0)
        rc = base_error_set(BASE_E_IO, "run %s: no place for its report in %s", id,
                            folder && *folder ? folder : "/tmp");
    /* without its samples where it is too long with them */
    for (int attempt = 0; !rc && attempt < 2; attempt++) {
        pthread_mutex_lock(&l->report_lock);
        rc = report_make(l, id, path, attempt ? 0 : REPORT_SAMPLES);
        pthread_mutex_unlock(&l->report_lock);
        if (!rc)
            rc = base_file_read(path, LAB_READ_MOST, &text, &bytes);
        if (rc != BASE_E_LIMIT)
            break;
        rc = attempt ? rc : 0;
    }
    if (!rc)
        rc = base_buffer_append(&out->text, text, bytes);
    if (fd >= 0) {
        unlink(path);
        close(fd);
    }
    base_free(text);
    base_free(path);
    return rc;
}

/* ---- samples ---- */

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

int mcp_lab_run_samples(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    const char *id = mcp_lab_value(v, "id"), *task = mcp_lab_value(v, "task");
    json_t *runs = NULL, *samples = json_array();
    struct eval_store *s = NULL;
    uint64_t from = 1, to = 1;
    bool more = false;
    int rc = samples ? runs_of(l, &runs) : BASE_E_MEMORY;
    if (!rc && !json_object_get(json_object_get(run_find(runs, id), "tasks"), task))
        rc = MCP_NOT_MINE;
    json_decref(runs);
    if (!rc)
        rc = mcp_lab_page(v, LAB_ROWS_MOST, &from, &to);
    if (!rc)
        rc = eval_store_open(&s, l->store, EVAL_STORE_READ);
    if (!rc) {
        rc = samples_take(s, id, task, from, to, samples, &more);
        eval_store_close(s);
    }
    if (!rc) {
        char *next = mcp_lab_next("assay://runs/{id}/samples/{task}/", id, task, more, from, to,
                                  json_array_size(samples));
        rc = more && !next
                 ? BASE_E_MEMORY
                 : mcp_lab_put_page(&out->text, json_pack("{s:s, s:s}", "run", id, "task", task),
                                    "samples", from, samples, next);
        base_free(next);
    }
    json_decref(samples);
    return rc;
}

/* Of the whole store: a run does not change, but may be deleted. */
int mcp_lab_run_stamp(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp)
{
    const char *id = mcp_lab_value(v, "id");
    json_t *runs;
    int rc = runs_of(l, &runs);
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
    int rc = runs_of(l, &runs);
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
    int rc = runs_of(l, &runs);
    json_object_foreach(json_object_get(run_find(runs, id), "tasks"), task, result)
    {
        if (!rc && json_array_append_new(names, json_string(task)))
            rc = BASE_E_MEMORY;
    }
    json_decref(runs);
    return rc == MCP_NOT_MINE ? 0 : rc;
}
