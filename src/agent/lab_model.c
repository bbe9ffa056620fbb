/* perplexity and evaluate: a model on a text, and on tasks; and list_runs: what the store holds.
 *
 * A model is named, never located: a name is a path below the directory of models without "..",
 * opened with RESOLVE_BENEATH before anything is loaded, and what loads it runs in the worker, to
 * which nothing but that directory is visible. */
#include "agent/lab.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/store.h"
#include <assay/eval.h>
#include <assay/runner.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define RUNS_MOST 200

/* The tool's context is the directory of models, or NULL. */
static int load_model(const struct agent_tool *tool, const json_t *arguments, struct model **out)
{
    const char *name = lab_string(arguments, "model");
    if (!name || strcmp(name, "builtin:tiny") == 0)
        return model_load(out, "builtin:tiny", NULL);
    if (!tool->context)
        return base_error_set(BASE_E_ARGUMENT,
                              "%.200s: no directory of models was given to this server: only "
                              "builtin:tiny can be loaded",
                              name);
    int fd = base_open_beneath(tool->context, name, O_PATH);
    if (fd < 0)
        return fd;
    close(fd);
    char *path = base_path_join(tool->context, name);
    agent_tool_progress(0, 0, "loading the model");
    int rc = path ? model_load(out, path, NULL) : BASE_E_MEMORY;
    base_free(path);
    return rc;
}

/* ---- perplexity ---- */

static const char *const method_names[EVAL_PERPLEXITY_METHODS] = { "rolling", "strided", "chunk" };

static json_t *method_json(const struct eval_perplexity_report *report, int k)
{
    const struct eval_perplexity_result *r = &report->result[k];
    if (r->missing)
        return json_pack("{s:s, s:n, s:n, s:s}", "method", method_names[k], "perplexity",
                         "interval", "note", r->missing);
    struct stats_interval none = { NAN, NAN };
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:I, s:I, s:o}", "method",
                     method_names[k], "perplexity", base_json_number(r->ppl), "interval",
                     lab_interval(r->has_interval ? r->bootstrap : none), "delta_interval",
                     lab_interval(r->has_interval ? r->delta : none), "unit",
                     r->has_interval ? json_string(r->unit) : json_null(), "units",
                     (json_int_t)r->units, "nll", base_json_number(r->nll), "bits_per_byte",
                     base_json_number(r->bits_per_byte), "word_perplexity",
                     base_json_number(r->word_ppl), "tokens", (json_int_t)r->tokens, "windows",
                     (json_int_t)r->windows, "note",
                     r->interval_note ? json_string(r->interval_note) : json_null());
}

struct reading {
    double done, total;
};

static void on_bytes(void *context, uint64_t bytes)
{
    const struct reading *r = context;
    agent_tool_progress((double)bytes, r->total, "reading the text");
}

int lab_perplexity(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    struct eval_perplexity_options o = EVAL_PERPLEXITY_OPTIONS_DEFAULT;
    struct eval_perplexity_report report;
    struct eval_perplexity *p = NULL;
    struct model *m = NULL;
    struct reading reading = { 0 };
    const json_t *texts = json_object_get(arguments, "texts"), *text;
    const char *method = lab_string(arguments, "method");
    json_t *results = json_array();
    size_t i;
    int rc = results ? lab_check(arguments) : BASE_E_MEMORY;
    for (int k = 0; k < EVAL_PERPLEXITY_METHODS && method; k++)
        o.methods[k] = strcmp(method, method_names[k]) == 0;
    o.level = lab_number(arguments, "level", 0.95);
    o.window = (size_t)lab_integer(arguments, "window", 0);
    o.stride = (size_t)lab_integer(arguments, "stride", 0);
    o.seed = (uint64_t)lab_integer(arguments, "seed", 0);
    o.on_progress = on_bytes;
    o.context = &reading;
    json_array_foreach((json_t *)(uintptr_t)texts, i, text) reading.total +=
        (double)json_string_length(text);
    if (!rc)
        rc = load_model(tool, arguments, &m);
    if (!rc)
        rc = eval_perplexity_new(&p, m, &o);
    json_array_foreach((json_t *)(uintptr_t)texts, i, text) if (!rc)
    {
        char name[40];
        snprintf(name, sizeof name, "text %zu", i + 1);
        rc = eval_perplexity_add(p, name, json_string_value(text), json_string_length(text));
        reading.done += (double)json_string_length(text);
    }
    if (!rc)
        rc = eval_perplexity_finish(p, &report);
    if (!rc && report.documents == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "there is no text to measure: all are empty");
    for (int k = 0; k < EVAL_PERPLEXITY_METHODS && !rc; k++)
        if (o.methods[k])
            json_array_append_new(results, method_json(&report, k));
    if (!rc)
        rc = lab_give(json_pack("{s:s, s:f, s:I, s:I, s:I, s:I, s:O}", "model",
                                lab_string(arguments, "model") ? lab_string(arguments, "model")
                                                               : "builtin:tiny",
                                "level", o.level, "documents", (json_int_t)report.documents,
                                "tokens", (json_int_t)report.tokens, "bytes",
                                (json_int_t)report.bytes, "words", (json_int_t)report.words,
                                "results", results),
                      out);
    json_decref(results);
    eval_perplexity_free(p);
    model_free(m);
    return rc;
}

/* ---- evaluate ---- */

struct evaluation {
    double done, total;
    const char *task;
};

static int on_sample(void *context, const json_t *sample)
{
    struct evaluation *e = context;
    (void)sample;
    e->done++;
    agent_tool_progress(e->done < e->total ? e->done : e->total, e->total, e->task);
    return 0;
}

/* The metrics of a task as a list: they are keys of its results beside counts and tables. */
static json_t *metrics_json(const json_t *results)
{
    json_t *list = json_array(), *v;
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)results, name, v)
    {
        const json_t *value = json_object_get(v, "value"), *ci = json_object_get(v, "ci");
        const json_t *se = json_object_get(v, "stderr"), *n = json_object_get(v, "n");
        const json_t *reason = json_object_get(v, "reason");
        if (!value)
            continue;
        json_t *interval = json_array_size(ci) == 2
                               ? json_pack("{s:O, s:O}", "low", json_array_get(ci, 0), "high",
                                           json_array_get(ci, 1))
                               : json_null();
        json_array_append_new(
            list,
            json_pack("{s:s, s:O, s:o, s:o, s:o, s:o}", "name", name, "value", value, "se",
                      json_is_number(se) ? json_incref((json_t *)(uintptr_t)se) : json_null(),
                      "interval", interval, "n",
                      json_is_number(n) ? json_incref((json_t *)(uintptr_t)n) : json_null(), "note",
                      json_is_string(reason) ? json_incref((json_t *)(uintptr_t)reason)
                                             : json_null()));
    }
    return list;
}

static int open_tasks(const struct agent_tool *tool, const json_t *arguments,
                      struct eval_task **tasks, size_t n, double *total)
{
    static const char *const strategies[] = { "task", "instruction", "cloze", "icl" };
    const char *strategy = lab_string(arguments, "strategy");
    const char *const *below = tool->needs.read;
    struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
    o.data = below ? below[tool->context != NULL] : NULL; /* after the models: lab.c */
    o.fewshot = lab_integer(arguments, "fewshot", -1);
    o.fewshot_python = true;
    o.limit = (size_t)lab_integer(arguments, "limit", 100);
    for (int i = 0; i < 4; i++)
        if (strategy && strcmp(strategies[i], strategy) == 0)
            o.strategy = (enum eval_strategy_kind)i;
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        const char *name =
            json_string_value(json_array_get(json_object_get(arguments, "tasks"), i));
        for (size_t k = 0; k < i && !rc; k++)
            if (strcmp(eval_task_name(tasks[k]), name) == 0)
                rc = base_error_set(BASE_E_ARGUMENT, "task %s is there twice", name);
        if (!rc && !(rc = eval_task_open(&tasks[i], name, &o)))
            *total += (double)eval_task_count(tasks[i]);
    }
    return rc;
}

int lab_evaluate(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    size_t n = json_array_size(json_object_get(arguments, "tasks"));
    struct eval_task **tasks = base_alloc_zero(n + 1, sizeof(struct eval_task *));
    struct eval_backend_options b = EVAL_BACKEND_OPTIONS_DEFAULT;
    struct eval_backend *backend = NULL;
    struct eval_runner *runner = NULL;
    /* small groups, so that it is seen how far the evaluation is */
    struct eval_runner_options o = { .level = lab_number(arguments, "level", 0.95), .group = 64 };
    struct evaluation e = { 0 };
    struct model *m = NULL;
    json_t *list = json_array();
    int rc = tasks && list ? lab_check(arguments) : BASE_E_MEMORY;
    if (!rc)
        rc = open_tasks(tool, arguments, tasks, n, &e.total);
    if (!rc)
        rc = load_model(tool, arguments, &m);
    b.overlength_skip = true;
    if (!rc)
        rc = eval_backend_local(&backend, m, &b);
    if (!rc)
        rc = eval_runner_new(&runner, backend, &o);
    for (size_t i = 0; i < n && !rc; i++) {
        json_t *results = NULL;
        e.task = eval_task_name(tasks[i]);
        rc = eval_runner_run(runner, tasks[i], e.task, on_sample, &e, &results);
        if (!rc)
            json_array_append_new(
                list, json_pack("{s:s, s:I, s:I, s:o, s:o}", "task", e.task, "items",
                                (json_int_t)eval_task_count(tasks[i]), "documents",
                                (json_int_t)eval_task_documents(tasks[i]), "skipped",
                                lab_count(json_number_value(json_object_get(results, "skipped"))),
                                "metrics", metrics_json(results)));
        json_decref(results);
    }
    if (!rc)
        rc = lab_give(json_pack("{s:s, s:s, s:f, s:O}", "model",
                                lab_string(arguments, "model") ? lab_string(arguments, "model")
                                                               : "builtin:tiny",
                                "model_hash", model_hash(m), "level", o.level, "tasks", list),
                      out);
    for (size_t i = 0; tasks && i < n; i++)
        eval_task_free(tasks[i]);
    base_free(tasks);
    json_decref(list);
    eval_runner_free(runner);
    eval_backend_free(backend);
    model_free(m);
    return rc;
}

/* ---- list_runs ---- */

/* The tool's context is the store; on a server it is opened before the worker's walls stand. */
int lab_list_runs(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    struct eval_store *opened = tool->opened, *own = NULL, *s = opened;
    json_t *runs = NULL, *shown = json_array(), *run;
    const char *model = lab_string(arguments, "model"), *task = lab_string(arguments, "task");
    size_t i, most = (size_t)lab_integer(arguments, "limit", 20), found = 0;
    int rc = shown ? lab_check(arguments) : BASE_E_MEMORY;
    if (!rc && !s && !(rc = eval_store_open(&own, tool->context, EVAL_STORE_READ)))
        s = own;
    if (!rc)
        rc = eval_store_list(s, &runs);
    json_array_foreach(runs, i, run)
    {
        const char *its = json_string_value(json_object_get(run, "model"));
        if ((model && (!its || !strstr(its, model))) ||
            (task && !json_object_get(json_object_get(run, "tasks"), task)))
            continue;
        if (found++ < most && found <= RUNS_MOST)
            json_array_append(shown, run);
    }
    if (!rc)
        rc = lab_give(json_pack("{s:I, s:O}", "found", (json_int_t)found, "runs", shown), out);
    json_decref(runs);
    json_decref(shown);
    eval_store_close(own);
    return rc;
}

int lab_open_store(const struct agent_tool *tool, void **opened, int *socket)
{
    struct eval_store *s = NULL;
    int rc = eval_store_open(&s, tool->context, EVAL_STORE_READ);
    if (!rc) {
        *opened = s;
        *socket = eval_store_socket(s);
    }
    return rc;
}
