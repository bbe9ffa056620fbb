/* Opening a run: finds out what `where` is, and brings it to one form (results.h). lm-eval's own
 * files are in results_lm_eval.c. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/results_run.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int eval_run_add_task(struct eval_run *r, const char *name, const char *samples, bool stored)
{
    struct run_task *tasks = base_realloc(r->tasks, r->n_tasks + 1, sizeof *tasks);
    if (tasks)
        r->tasks = tasks;
    const char **names = tasks ? base_realloc(r->names, r->n_tasks + 1, sizeof *names) : NULL;
    if (!names)
        return BASE_E_MEMORY;
    r->names = names;
    struct run_task t = { .name = base_strdup(name),
                          .samples = samples ? base_strdup(samples) : NULL,
                          .stored = stored };
    if (!t.name || (samples && !t.samples)) {
        base_free(t.name);
        base_free(t.samples);
        return BASE_E_MEMORY;
    }
    names[r->n_tasks] = t.name;
    tasks[r->n_tasks++] = t;
    return 0;
}

const struct run_task *eval_run_find_task(const struct eval_run *r, const char *name)
{
    for (size_t i = 0; i < r->n_tasks; i++)
        if (strcmp(r->tasks[i].name, name) == 0)
            return &r->tasks[i];
    return NULL;
}

const json_t *eval_run_results(const struct eval_run *r)
{
    return r->results;
}

const json_t *eval_run_config(const struct eval_run *r)
{
    return r->config;
}

const json_t *eval_run_record(const struct eval_run *r)
{
    return r->record;
}

const char *eval_run_id_of(const struct eval_run *r)
{
    const char *id = json_string_value(json_object_get(r->record, "id"));
    return id ? id : "";
}

const char *eval_run_name(const struct eval_run *r)
{
    const char *name = json_string_value(json_object_get(r->record, "model"));
    return name && *name ? name : r->where;
}

size_t eval_run_tasks(const struct eval_run *r, const char *const **names)
{
    *names = r->names;
    return r->n_tasks;
}

bool eval_run_has_samples(const struct eval_run *r, const char *task)
{
    const struct run_task *t = eval_run_find_task(r, task);
    return t && (t->samples || t->stored);
}

void eval_run_close(struct eval_run *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_tasks; i++) {
        base_free(r->tasks[i].name);
        base_free(r->tasks[i].samples);
    }
    base_free(r->tasks);
    base_free(r->names);
    base_free(r->where);
    base_free(r->directory);
    json_decref(r->record);
    json_decref(r->config);
    json_decref(r->results);
    eval_store_close(r->store);
    base_free(r);
}

/* ---- run.json ---- */

/* Takes "config" and "results" out of the record; checks their types. */
static int take_parts(struct eval_run *r, const char *where)
{
    const char *id = NULL;
    int rc = base_json_get_string(r->record, "id", where, true, &id);
    if (rc)
        return rc;
    r->config = json_incref(json_object_get(r->record, "config"));
    r->results = json_incref(json_object_get(r->record, "results"));
    if (!json_is_object(r->config) || !json_is_object(r->results))
        return base_error_set(BASE_E_FORMAT, "%s: no \"config\" or \"results\" object: not a run",
                              where);
    const char *task;
    json_t *metrics;
    json_object_foreach(
        r->results, task,
        metrics) if (!json_is_object(metrics)) return base_error_set(BASE_E_FORMAT,
                                                                     "%s: results: %s: expected an "
                                                                     "object of metrics",
                                                                     where, task);
    if (json_object_del(r->record, "config") || json_object_del(r->record, "results"))
        return base_error_set(BASE_E_FORMAT, "%s: not a run", where);
    return 0;
}

/* Whether a relative path has a part "..", or begins at the root. A part that merely begins with
 * two points is a name: lm-eval writes a model's path ../m as ..__m. */
static bool leads_out(const char *path)
{
    if (*path == '/')
        return true;
    for (const char *part = path; *part;) {
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return true;
        part += n + (part[n] == '/');
    }
    return false;
}

static int read_record(struct eval_run *r, const char *path)
{
    int64_t format = 0;
    int rc = base_json_load(&r->record, path);
    if (rc || (rc = base_json_get_int(r->record, "assay_run", path, true, &format)))
        return rc;
    if (format > EVAL_RUN_FORMAT)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: format %lld of a newer Assay (this one reads up to %d): use it",
                              path, (long long)format, EVAL_RUN_FORMAT);
    if ((rc = take_parts(r, path)))
        return rc;
    size_t n = (size_t)(base_path_name(path) - path);
    if (!(r->directory = n ? base_strndup(path, n) : base_strdup(".")) ||
        json_object_set_new(r->record, "directory", json_string(r->directory)))
        return BASE_E_MEMORY;
    const json_t *files = json_object_get(json_object_get(r->record, "files"), "samples");
    const char *task;
    json_t *metrics;
    json_object_foreach(r->results, task, metrics)
    {
        const char *name = json_string_value(json_object_get(files, task));
        /* names lead into the run's directory, wherever that was moved */
        if (name && leads_out(name))
            return base_error_set(BASE_E_FORMAT, "%s: files: %s: %s leads out of the directory",
                                  path, task, name);
        char *full = name ? base_path_join(r->directory, name) : NULL;
        if (name && !full)
            return BASE_E_MEMORY;
        if (full && !base_file_exists(full))
            rc =
                base_error_set(BASE_E_IO, "%s: the samples of %s should be in %s, which is missing",
                               path, task, full);
        else
            rc = eval_run_add_task(r, task, full, false);
        base_free(full);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- directories ---- */

static bool is_results_name(const char *name)
{
    return base_ends_with(name, ".json") &&
           (base_starts_with(name, "results_") || strcmp(name, "results.json") == 0);
}

/* The newest results file in a directory (new string), or NULL: names hold their time. */
static int newest_results(const char *directory, char **out)
{
    DIR *d = opendir(directory);
    *out = NULL;
    if (!d)
        return base_error_set(BASE_E_IO, "%s: cannot open: %s", directory, strerror(errno));
    int rc = 0;
    char *best = NULL;
    for (struct dirent *e; rc == 0 && (e = readdir(d));) {
        if (!is_results_name(e->d_name) || (best && strcmp(e->d_name, best) <= 0))
            continue;
        base_free(best);
        if (!(best = base_strdup(e->d_name)))
            rc = BASE_E_MEMORY;
    }
    closedir(d);
    if (best && !(*out = base_path_join(directory, best)))
        rc = BASE_E_MEMORY;
    base_free(best);
    return rc;
}

/* lm-eval's -o DIR: results files lie in DIR/<model>/ (or in DIR, when that is given). */
static int find_results(const char *directory, char **out)
{
    int rc = newest_results(directory, out);
    if (rc || *out)
        return rc;
    DIR *d = opendir(directory);
    if (!d)
        return base_error_set(BASE_E_IO, "%s: cannot open: %s", directory, strerror(errno));
    for (struct dirent *e; rc == 0 && (e = readdir(d));) {
        char *below = e->d_name[0] == '.' ? NULL : base_path_join(directory, e->d_name);
        char *found = NULL;
        if (below && base_file_is_directory(below))
            rc = newest_results(below, &found);
        if (rc == 0 && found && *out)
            rc = base_error_set(BASE_E_ARGUMENT,
                                "%s: holds runs of several models (%s and %s): name one of them",
                                directory, *out, found);
        base_free(below);
        if (rc || *out)
            base_free(found);
        else
            *out = found;
    }
    closedir(d);
    if (rc == 0 && !*out)
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: holds no run (neither run.json nor lm-eval's results_*.json; was "
                            "the evaluation finished?)",
                            directory);
    if (rc) {
        base_free(*out);
        *out = NULL;
    }
    return rc;
}

static int read_directory(struct eval_run *r, const char *directory)
{
    char *record = base_path_join(directory, "run.json"), *results = NULL;
    int rc = record ? 0 : BASE_E_MEMORY;
    if (rc == 0 && base_file_exists(record))
        rc = read_record(r, record);
    else if (rc == 0 && (rc = find_results(directory, &results)) == 0)
        rc = eval_run_read_results(r, results);
    base_free(record);
    base_free(results);
    return rc;
}

static int read_file(struct eval_run *r, const char *path)
{
    const char *name = base_path_name(path);
    if (strcmp(name, "run.json") == 0)
        return read_record(r, path);
    if (base_ends_with(name, ".jsonl"))
        return eval_run_read_samples(r, path);
    if (base_ends_with(name, ".json"))
        return eval_run_read_results(r, path);
    return base_error_set(BASE_E_ARGUMENT,
                          "%s: not a run: expected a directory, a results_*.json, run.json or "
                          "samples_*.jsonl file, or an id of `assay runs`",
                          path);
}

/* ---- the store ---- */

static int read_stored(struct eval_run *r, const char *where, const char *store)
{
    char *id = NULL;
    size_t digits = strspn(where, "0123456789abcdef");
    if (digits < 2 || where[digits])
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: no such file or directory, and no run's id (`assay runs` lists "
                              "those)",
                              where);
    int rc = eval_store_open(&r->store, store, EVAL_STORE_READ);
    if (rc || (rc = eval_store_find(r->store, where, &id)) ||
        (rc = eval_store_load(r->store, id, &r->record)) || (rc = take_parts(r, where)))
        goto out;
    size_t i;
    const json_t *task, *tasks = json_object_get(r->record, "tasks");
    json_array_foreach(tasks, i, task)
    {
        const char *name = NULL;
        bool samples = false;
        if ((rc = base_json_get_string(task, "name", where, true, &name)) ||
            (rc = base_json_get_bool(task, "samples", where, true, &samples)) ||
            (rc = eval_run_add_task(r, name, NULL, samples)))
            goto out;
    }
out:
    base_free(id);
    return rc;
}

int eval_run_open(struct eval_run **out, const char *where, const char *store)
{
    *out = NULL;
    struct eval_run *r = base_alloc_zero(1, sizeof *r);
    if (!r)
        return BASE_E_MEMORY;
    int rc = (r->where = base_strdup(where)) ? 0 : BASE_E_MEMORY;
    if (rc == 0)
        rc = base_file_is_directory(where) ? read_directory(r, where)
             : base_file_exists(where)     ? read_file(r, where)
                                           : read_stored(r, where, store);
    if (rc) {
        eval_run_close(r);
        return rc;
    }
    *out = r;
    return 0;
}
