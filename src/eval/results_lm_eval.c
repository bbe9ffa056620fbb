/* lm-eval's files as a run: results_<time>.json of versions 0.4.x with the samples files beside it,
 * or a samples file by itself. Their metrics are keys "acc,none" and "acc_stderr,none" with numbers
 * or "N/A"; an interval is what they lack.
 *
 * Versions before 0.4.2 wrote results.json and <anything>_<task>.jsonl without a time. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/results_run.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* ---- results ---- */

/* True when a task has values under more than one filter. */
static bool several_filters(const json_t *metrics)
{
    const char *key, *first = NULL, *filter;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metrics, key, value)
    {
        if (!eval_results_split_key(key, &filter))
            continue;
        if (first && strcmp(first, filter) != 0)
            return true;
        first = filter;
    }
    return false;
}

/* One task: {"acc,none": v, "acc_stderr,none": s} to {"acc": {"value", "stderr", ...}}. n: items,
 * or 0. New reference, NULL when memory is out. */
static json_t *normal_metrics(const json_t *metrics, int64_t n)
{
    bool several = several_filters(metrics), failed = false;
    json_t *o = json_object(), *value;
    const char *key, *filter;
    json_object_foreach((json_t *)(uintptr_t)metrics, key, value)
    {
        size_t length = eval_results_split_key(key, &filter);
        if (!length || eval_results_is_stderr(key, length) || !json_is_number(value))
            continue;
        char *name = base_strndup(key, length);
        char *stderr_key = base_format("%.*s_stderr,%s", (int)length, key, filter);
        json_t *m = json_pack("{s:O}", "value", value);
        if (!name || !stderr_key || !m) {
            failed = true;
        } else {
            json_t *se = json_object_get(metrics, stderr_key);
            failed |= json_object_set_new(m, "stderr",
                                          json_is_number(se) ? json_incref(se) : json_null()) ||
                      (n > 0 && json_object_set_new(m, "n", json_integer(n))) ||
                      json_object_set_new(m, "filter", json_string(filter)) ||
                      (json_is_number(se) && results_interval_add(m, json_number_value(value),
                                                                  json_number_value(se), n)) ||
                      json_object_set(o, several ? key : name, m);
        }
        json_decref(m);
        base_free(name);
        base_free(stderr_key);
    }
    if (failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* ---- which samples file belongs to a task ---- */

/* The file of `task` among the names in `directory` (new string), or NULL. stamp: "2025-..." or ""
 * for a results file without a time. */
static int find_samples(const char *directory, const char *task, const char *stamp, char **out)
{
    char *clean = eval_results_sanitize(task);
    char *exact[2] = {
        clean ? base_format("samples_%s_%s.jsonl", task, stamp) : NULL,
        clean ? base_format("samples_%s_%s.jsonl", clean, stamp) : NULL,
    };
    char *ending = clean ? base_format("_%s.jsonl", clean) : NULL;
    int rc = exact[0] && exact[1] && ending ? 0 : BASE_E_MEMORY;
    *out = NULL;
    for (size_t i = 0; i < 2 && *stamp && rc == 0 && !*out; i++) {
        char *path = strchr(exact[i], '/') ? NULL : base_path_join(directory, exact[i]);
        if (path && base_file_exists(path))
            *out = path;
        else
            base_free(path);
    }
    DIR *d = rc == 0 && !*stamp ? opendir(directory) : NULL;
    for (struct dirent *e; d && rc == 0 && !*out && (e = readdir(d));)
        if (base_ends_with(e->d_name, ending) && !(*out = base_path_join(directory, e->d_name)))
            rc = BASE_E_MEMORY;
    if (d)
        closedir(d);
    base_free(clean);
    base_free(exact[0]);
    base_free(exact[1]);
    base_free(ending);
    return rc;
}

/* ---- a results file ---- */

static const char *model_of(const json_t *file)
{
    static const char *const keys[] = { "model_name", "model_name_or_path" };
    for (size_t i = 0; i < 2; i++) {
        const char *name = json_string_value(json_object_get(file, keys[i]));
        if (name && *name)
            return name;
    }
    const json_t *config = json_object_get(file, "config");
    const char *arguments = json_string_value(json_object_get(config, "model_args"));
    const char *kind = json_string_value(json_object_get(config, "model"));
    return arguments && *arguments ? arguments : kind && *kind ? kind : "unknown model";
}

static json_t *time_of(const json_t *file)
{
    const json_t *date = json_object_get(file, "date");
    double seconds = json_number_value(date);
    if (!json_is_number(date) || !(seconds >= 0 && seconds < 253402300800.0))
        return json_null();
    time_t whole = (time_t)seconds;
    struct tm utc;
    char text[48];
    gmtime_r(&whole, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

/* What the results file says beyond the tables that have a place of their own. */
static json_t *rest_of(const json_t *file)
{
    static const char *const placed[] = { "results", "configs", "n-samples", "assay" };
    json_t *rest = json_copy((json_t *)(uintptr_t)file);
    for (size_t i = 0; rest && i < sizeof placed / sizeof *placed; i++)
        json_object_del(rest, placed[i]);
    return rest;
}

static int fill(struct eval_run *r, const char *path, const json_t *file, const char *id)
{
    const json_t *results = json_object_get(file, "results"),
                 *ours = json_object_get(file, "assay");
    const json_t *counts = json_object_get(file, "n-samples"),
                 *full = json_object_get(ours, "results");
    const char *own_id = json_string_value(json_object_get(ours, "run")), *task;
    const char *name = base_path_name(path), *at = strchr(name, '_');
    json_t *metrics, *configs = json_object_get(file, "configs");
    char *stamp = at ? base_strndup(at + 1, strlen(at + 1) - strlen(".json")) : base_strdup("");
    int rc = stamp ? 0 : BASE_E_MEMORY;
    if (!json_is_object(results)) {
        rc = base_error_set(BASE_E_FORMAT, "%s: results: expected an object: not lm-eval's results",
                            path);
        goto out;
    }
    r->results = json_object();
    r->record = json_pack("{s:s, s:s, s:o, s:s, s:n, s:s, s:o}", "id", own_id ? own_id : id,
                          "source", own_id ? "assay" : "lm-eval", "time", time_of(file), "model",
                          model_of(file), "parent", "directory", r->directory, "n",
                          json_is_object(counts) ? json_incref((json_t *)(uintptr_t)counts)
                                                 : json_object());
    r->config = json_pack(
        "{s:o, s:o, s:o}", "model",
        json_pack("{s:s, s:O*}", "model", model_of(file), "parameters",
                  json_object_get(json_object_get(file, "config"), "model_num_parameters")),
        "tasks", json_is_object(configs) ? json_incref(configs) : json_object(), "lm_eval",
        rest_of(file));
    if (!r->results || !r->record || !r->config)
        rc = BASE_E_MEMORY;
    json_object_foreach((json_t *)(uintptr_t)results, task, metrics)
    {
        if (rc)
            break;
        if (!json_is_object(metrics)) {
            rc = base_error_set(BASE_E_FORMAT, "%s: results: %s: expected an object", path, task);
            break;
        }
        const json_t *count = json_object_get(json_object_get(counts, task), "effective");
        json_t *own = json_object_get(full, task);
        char *samples = NULL;
        rc = find_samples(r->directory, task, stamp, &samples);
        if (rc == 0 &&
            json_object_set_new(r->results, task,
                                json_is_object(own)
                                    ? json_incref(own)
                                    : normal_metrics(metrics, json_integer_value(count))))
            rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", path);
        if (rc == 0)
            rc = eval_run_add_task(r, task, samples, false);
        base_free(samples);
    }
out:
    base_free(stamp);
    return rc;
}

int eval_run_read_results(struct eval_run *r, const char *path)
{
    char *text = NULL, hex[BASE_SHA256_HEX];
    size_t bytes, n = (size_t)(base_path_name(path) - path);
    json_t *file = NULL;
    int rc = base_file_read(path, 0, &text, &bytes);
    if (rc || (rc = eval_results_parse(&file, text, bytes, path)) ||
        (rc = base_sha256(text, bytes, hex)))
        goto out;
    hex[EVAL_RUN_ID] = 0;
    if (!(r->directory = n ? base_strndup(path, n) : base_strdup(".")))
        rc = BASE_E_MEMORY;
    else
        rc = fill(r, path, file, hex);
out:
    json_decref(file);
    base_free(text);
    return rc;
}

/* ---- a samples file ---- */

/* "arc" of "samples_arc_2025-01-01T00-00-00.5.jsonl", else the name without its ending. */
static char *task_of(const char *path)
{
    const char *name = base_path_name(path);
    size_t n = strlen(name) - strlen(".jsonl");
    if (base_starts_with(name, "samples_")) {
        name += strlen("samples_");
        n -= strlen("samples_");
        for (size_t i = n; i-- > 0;)
            if (name[i] == '_') {
                if (i + 5 < n && strspn(name + i + 1, "0123456789") == 4)
                    n = i;
                break;
            }
    }
    return n ? base_strndup(name, n) : base_strdup("samples");
}

static int summarise(struct eval_run *r, const char *task)
{
    struct results_columns c = { 0 };
    struct eval_samples *s;
    struct eval_column column;
    json_t *sample, *metrics = json_object();
    size_t most = 0;
    int rc = eval_samples_open(&s, r, task);
    while (rc == 0 && (rc = eval_samples_next(s, &sample)) > 0) {
        rc = results_columns_add(&c, sample, eval_samples_place(s));
        json_decref(sample);
    }
    for (size_t k = 0; k < c.n_filters && rc == 0; k++) {
        const struct results_filter *f = &c.filters[k];
        most = f->n > most ? f->n : most;
        for (size_t i = 0; i < f->n_metrics && rc == 0; i++) {
            if (f->metrics[i].other || f->metrics[i].count == 0)
                continue;
            char *key = c.n_filters > 1 ? base_format("%s,%s", f->metrics[i].name, f->name)
                                        : base_strdup(f->metrics[i].name);
            rc = key ? results_column_take(f, &f->metrics[i], r->where, &column) : BASE_E_MEMORY;
            json_t *m = NULL;
            if (rc == BASE_E_NUMERIC) { /* a NaN among them: so is the mean */
                m = json_pack("{s:n, s:I, s:s}", "value", "n", (json_int_t)f->metrics[i].count,
                              "filter", f->name);
                rc = 0;
            } else if (rc == 0) {
                m = results_column_summary(&column, f->metrics[i].name, f->name);
                eval_column_free(&column);
            }
            if (rc == 0 && json_object_set_new(metrics, key, m))
                rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", r->where);
            base_free(key);
        }
    }
    if (rc == 0 && most == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: holds no samples", r->where);
    if (rc == 0 && (json_object_set(r->results, task, metrics) ||
                    json_object_set_new(json_object_get(r->record, "n"), task,
                                        json_pack("{s:I, s:I}", "original", (json_int_t)most,
                                                  "effective", (json_int_t)most))))
        rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", r->where);
    json_decref(metrics);
    results_columns_free(&c);
    eval_samples_close(s);
    return rc;
}

int eval_run_read_samples(struct eval_run *r, const char *path)
{
    char hex[BASE_SHA256_HEX], *task = task_of(path);
    size_t n = (size_t)(base_path_name(path) - path);
    int rc = task ? base_sha256_file(path, hex) : BASE_E_MEMORY;
    if (rc)
        goto out;
    hex[EVAL_RUN_ID] = 0;
    r->directory = n ? base_strndup(path, n) : base_strdup(".");
    r->results = json_object();
    r->config = json_pack("{s:{s:s}, s:{}}", "model", "model", path, "tasks");
    r->record = json_pack("{s:s, s:s, s:n, s:s, s:n, s:s, s:{}}", "id", hex, "source", "samples",
                          "time", "model", base_path_name(path), "parent", "directory",
                          r->directory ? r->directory : "", "n");
    if (!r->directory || !r->results || !r->config || !r->record)
        rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", path);
    if (rc == 0 && (rc = eval_run_add_task(r, task, path, false)) == 0)
        rc = summarise(r, task);
out:
    base_free(task);
    return rc;
}
