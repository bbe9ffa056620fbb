/* Writing a run: samples files as records come, then lm-eval's results file, then run.json. Each is
 * written beside its place and renamed; run.json is the last, so a directory without it (or with an
 * older one) shows that a run was not finished.
 *
 * lm-eval's results file: "results" {task: {"alias", "acc,none", "acc_stderr,none"}},
 * "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "config",
 * "git_hash", "date", ..., "task_hashes" (SHA-256 over all doc, prompt and target hashes of a task
 * in order). Ours: the member "assay", which holds the run's id and full results. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "eval/results_private.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define OPEN_MOST 32 /* samples files that are open at a time: groups have hundreds of tasks */

struct writer_task {
    char *name;
    char *path; /* of the samples file */
    struct base_writer file;
    bool begun;               /* file is open, or parked */
    struct base_sha256 *hash; /* of the hashes of its records */
    size_t records;
    size_t documents; /* records of the filter that came first */
    char *filter;     /* that filter */
    size_t original;
};
struct eval_run_writer {
    char *directory; /* DIR */
    char *model;     /* the model's name as given */
    char *sanitized;
    char *folder; /* DIR/<model> */
    char id[EVAL_RUN_ID + 1];
    char stamp[48]; /* of file names */
    char time[48];  /* ISO, of run.json */
    double date;    /* seconds since 1970 */
    double clock;
    json_t *config;
    json_t *strategies; /* NULL: none were compared */
    struct writer_task **tasks;
    size_t n_tasks, capacity;
    size_t next_to_park;
    bool finished;
};

/* The time, and an id that no other run has: a hash of the time to the nanosecond, the process and
 * random bytes. */
static int name_run(struct eval_run_writer *w)
{
    struct timespec now;
    struct tm utc;
    static atomic_uint serial;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    w->date = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    w->clock = base_clock();
    char second[24];
    strftime(second, sizeof second, "%Y-%m-%dT%H-%M-%S", &utc);
    snprintf(w->stamp, sizeof w->stamp, "%s.%06ld", second, now.tv_nsec / 1000);
    strftime(w->time, sizeof w->time, "%Y-%m-%dT%H:%M:%SZ", &utc);
    struct {
        struct timespec time;
        long process;
        unsigned serial;
        unsigned char random[16];
    } seed;
    memset(&seed, 0, sizeof seed);
    seed.time = now;
    seed.process = (long)getpid();
    seed.serial = atomic_fetch_add(&serial, 1);
    if (getrandom(seed.random, sizeof seed.random, GRND_NONBLOCK) < 0)
        memset(seed.random, 0, sizeof seed.random); /* time, process and serial are left */
    char hex[BASE_SHA256_HEX];
    int rc = base_sha256(&seed, sizeof seed, hex);
    snprintf(w->id, sizeof w->id, "%.*s", EVAL_RUN_ID, hex);
    return rc;
}

static const char *model_name(const json_t *config)
{
    const json_t *model = json_object_get(config, "model");
    const char *name = json_string_value(model);
    if (!name)
        name = json_string_value(json_object_get(model, "model"));
    return name && *name ? name : "model";
}

int eval_run_create(struct eval_run_writer **out, const char *directory, const json_t *config)
{
    *out = NULL;
    struct eval_run_writer *w = base_alloc_zero(1, sizeof *w);
    if (!w)
        return BASE_E_MEMORY;
    int rc = name_run(w);
    if (rc)
        goto out;
    rc = BASE_E_MEMORY;
    w->config = json_incref((json_t *)(uintptr_t)config);
    if (!(w->directory = base_strdup(directory)) || !(w->model = base_strdup(model_name(config))) ||
        !(w->sanitized = eval_results_sanitize(w->model)) ||
        !(w->folder = base_path_join(directory, w->sanitized)))
        goto out;
    rc = base_file_make_directories(w->folder);
out:
    if (rc) {
        eval_run_writer_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

const char *eval_run_id(const struct eval_run_writer *w)
{
    return w->id;
}

static int find_task(struct eval_run_writer *w, const char *name, struct writer_task **out)
{
    /* records come task by task: the last one is almost always it */
    for (size_t i = w->n_tasks; i-- > 0;)
        if (strcmp(w->tasks[i]->name, name) == 0) {
            *out = w->tasks[i];
            return 0;
        }
    if (w->n_tasks == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 16;
        struct writer_task **grown = base_realloc(w->tasks, capacity, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        w->tasks = grown;
        w->capacity = capacity;
    }
    struct writer_task *t = base_alloc_zero(1, sizeof *t);
    char *clean = eval_results_sanitize(name), *file = NULL;
    if (t && clean && (t->name = base_strdup(name)) &&
        (file = base_format("samples_%s_%s.jsonl", clean, w->stamp)))
        t->path = base_path_join(w->folder, file);
    base_free(file);
    base_free(clean);
    if (!t || !t->path) {
        if (t)
            base_free(t->name);
        base_free(t);
        return BASE_E_MEMORY;
    }
    w->tasks[w->n_tasks++] = *out = t;
    return 0;
}

/* Closes the streams of all but a few tasks; their temporary files stay. */
static int park(struct eval_run_writer *w)
{
    size_t open = 0;
    for (size_t i = 0; i < w->n_tasks; i++)
        open += w->tasks[i]->file.stream != NULL;
    while (open >= OPEN_MOST) {
        struct writer_task *t = w->tasks[w->next_to_park++ % w->n_tasks];
        if (!t->file.stream)
            continue;
        int failed = fclose(t->file.stream);
        t->file.stream = NULL;
        if (failed)
            return base_error_set(BASE_E_IO, "%s: cannot write: %s", t->path, strerror(errno));
        open--;
    }
    return 0;
}

static int ready(struct eval_run_writer *w, struct writer_task *t)
{
    if (t->file.stream)
        return 0;
    int rc = park(w);
    if (rc)
        return rc;
    if (!t->begun) {
        if ((rc = base_writer_open(&t->file, t->path)) == 0) {
            t->begun = true;
            rc = base_sha256_begin(&t->hash);
        }
        return rc;
    }
    t->file.stream = fopen(t->file.temporary ? t->file.temporary : t->file.path, "ab");
    return t->file.stream
               ? 0
               : base_error_set(BASE_E_IO, "%s: cannot write: %s", t->path, strerror(errno));
}

int eval_run_add(struct eval_run_writer *w, const char *task, const json_t *sample)
{
    struct writer_task *t;
    if (!json_is_integer(json_object_get(sample, "doc_id")))
        return base_error_set(BASE_E_ARGUMENT, "%s: a sample without an integer doc_id", task);
    int rc = find_task(w, task, &t);
    if (rc || (rc = ready(w, t)))
        return rc;
    char *text = base_json_dump(sample, false);
    if (!text)
        return BASE_E_MEMORY;
    if ((rc = base_writer_write(&t->file, text, strlen(text))) == 0)
        rc = base_writer_write(&t->file, "\n", 1);
    base_free(text);
    const char *filter = json_string_value(json_object_get(sample, "filter"));
    filter = filter ? filter : "none";
    if (rc == 0 && !t->filter && !(t->filter = base_strdup(filter)))
        rc = BASE_E_MEMORY;
    if (rc)
        return rc;
    static const char *const hashes[] = { "doc_hash", "prompt_hash", "target_hash" };
    for (size_t i = 0; i < 3; i++) {
        const char *hash = json_string_value(json_object_get(sample, hashes[i]));
        base_sha256_add(t->hash, hash ? hash : "", hash ? strlen(hash) : 0);
    }
    t->records++;
    t->documents += strcmp(filter, t->filter) == 0;
    return 0;
}

int eval_run_original(struct eval_run_writer *w, const char *task, size_t documents)
{
    struct writer_task *t;
    int rc = find_task(w, task, &t);
    if (rc == 0)
        t->original = documents;
    return rc;
}

int eval_run_compared(struct eval_run_writer *w, const json_t *strategies)
{
    if (!json_is_object(strategies))
        return base_error_set(BASE_E_ARGUMENT, "compared strategies must be an object of tasks");
    json_decref(w->strategies);
    w->strategies = json_incref((json_t *)(uintptr_t)strategies);
    return 0;
}

/* ---- the results file ---- */

/* value, or null when the key is missing: what lm-eval has for things that do not apply. */
static json_t *member(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return value ? json_incref(value) : json_null();
}

static json_t *first_of(const json_t *object, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *value = json_object_get(object, keys[i]);
        if (value)
            return json_incref(value);
    }
    return json_null();
}
#define FIRST_OF(object, ...)                                                                      \
    first_of(object, (const char *const[]){ __VA_ARGS__ },                                         \
             sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* One task's line of results: {"alias", "acc,none", "acc_stderr,none", ...}. */
static json_t *lm_eval_results(const char *task, const json_t *task_config, const json_t *metrics)
{
    const char *alias = json_string_value(json_object_get(task_config, "task_alias"));
    json_t *o = json_pack("{s:s}", "alias", alias ? alias : task), *m;
    const char *key;
    bool failed = !o;
    json_object_foreach((json_t *)(uintptr_t)metrics, key, m)
    {
        if (!json_object_get(m, "value"))
            continue; /* tables: by_category, confusion, calibration */
        const char *filter = json_string_value(json_object_get(m, "filter")), *after;
        size_t n = eval_results_split_key(key, &after);
        if (after)
            filter = after;
        else
            n = strlen(key);
        char *name = base_format("%.*s,%s", (int)n, key, filter ? filter : "none");
        char *error = base_format("%.*s_stderr,%s", (int)n, key, filter ? filter : "none");
        json_t *stderr_ = json_object_get(m, "stderr");
        failed |=
            !name || !error || json_object_set(o, name, json_object_get(m, "value")) ||
            json_object_set_new(
                o, error, json_is_number(stderr_) ? json_incref(stderr_) : json_string("N/A"));
        base_free(name);
        base_free(error);
    }
    if (failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *higher_is_better(const json_t *task_config, const json_t *metrics)
{
    json_t *o = json_object(), *m;
    const char *key;
    bool failed = !o;
    json_object_foreach((json_t *)(uintptr_t)metrics, key, m)
    {
        if (!json_object_get(m, "value"))
            continue;
        const char *filter;
        size_t n = eval_results_split_key(key, &filter);
        char *name = base_strndup(key, filter ? n : strlen(key));
        const json_t *said = json_object_get(m, "higher_is_better");
        failed |=
            !name || json_object_set_new(
                         o, name,
                         json_boolean(json_is_boolean(said)
                                          ? json_is_true(said)
                                          : eval_results_higher_is_better(task_config, name)));
        base_free(name);
    }
    if (failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static const struct writer_task *task_named(const struct eval_run_writer *w, const char *name)
{
    for (size_t i = 0; i < w->n_tasks; i++)
        if (strcmp(w->tasks[i]->name, name) == 0)
            return w->tasks[i];
    return NULL;
}

static json_t *count_of(const struct writer_task *t, const json_t *metrics)
{
    json_int_t documents = t ? (json_int_t)t->documents : 0;
    const char *key;
    json_t *m;
    if (!t || !t->begun) /* no samples were kept: what the metrics say */
        json_object_foreach((json_t *)(uintptr_t)metrics, key, m)
        {
            json_int_t n = json_integer_value(json_object_get(m, "n"));
            documents = n > documents ? n : documents;
        }
    return json_pack("{s:I, s:I}", "original",
                     t && t->original ? (json_int_t)t->original : documents, "effective",
                     documents);
}

/* The per-task tables of a results file. */
static int add_tasks(struct eval_run_writer *w, const json_t *results, json_t *file)
{
    const json_t *configs = json_object_get(w->config, "tasks");
    json_t *metrics, *t_results = json_object(), *groups = json_object(),
                     *t_configs = json_object(), *versions = json_object(), *shots = json_object(),
                     *better = json_object(), *counts = json_object(), *hashes = json_object();
    const char *task;
    bool failed = false;
    json_object_foreach((json_t *)(uintptr_t)results, task, metrics)
    {
        json_t *config = json_object_get(configs, task);
        json_t *version = json_object_get(json_object_get(config, "metadata"), "version");
        json_t *shot = json_object_get(config, "num_fewshot");
        struct writer_task *t = (struct writer_task *)(uintptr_t)task_named(w, task);
        failed |=
            json_object_set_new(t_results, task, lm_eval_results(task, config, metrics)) ||
            json_object_set_new(groups, task, json_array()) ||
            json_object_set_new(t_configs, task, config ? json_incref(config) : json_object()) ||
            json_object_set_new(versions, task,
                                version ? json_incref(version) : json_string("Yaml")) ||
            json_object_set_new(shots, task,
                                json_is_integer(shot) ? json_incref(shot) : json_integer(0)) ||
            json_object_set_new(better, task, higher_is_better(config, metrics)) ||
            json_object_set_new(counts, task, count_of(t, metrics));
        if (t && t->hash) {
            char hex[BASE_SHA256_HEX];
            base_sha256_end(t->hash, hex);
            t->hash = NULL;
            failed |= json_object_set_new(hashes, task, json_string(hex));
        }
    }
    failed |= json_object_set_new(file, "results", t_results) ||
              json_object_set_new(file, "group_subtasks", groups) ||
              json_object_set_new(file, "configs", t_configs) ||
              json_object_set_new(file, "versions", versions) ||
              json_object_set_new(file, "n-shot", shots) ||
              json_object_set_new(file, "higher_is_better", better) ||
              json_object_set_new(file, "n-samples", counts) ||
              json_object_set_new(file, "task_hashes", hashes);
    return failed ? base_error_set(BASE_E_MEMORY, "out of memory for the results") : 0;
}

static json_t *lm_eval_config(const struct eval_run_writer *w)
{
    const json_t *model = json_object_get(w->config, "model");
    const json_t *options = json_object_get(w->config, "options");
    char *arguments = base_format("pretrained=%s", w->model);
    json_t *o =
        arguments
            ? json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:[], s:o, s:o, s:o, s:o, s:o, s:o, "
                        "s:o, s:o, s:o}",
                        "model", "assay", "model_args", arguments, "model_num_parameters",
                        FIRST_OF(model, "parameters", "model_num_parameters"), "model_dtype",
                        FIRST_OF(model, "compute", "dtype"), "model_revision", "", "model_sha",
                        FIRST_OF(model, "hash"), "batch_size",
                        FIRST_OF(options, "batch_size", "batch_tokens"), "batch_sizes", "device",
                        json_string("cpu"), "use_cache", FIRST_OF(options, "cache", "use_cache"),
                        "limit", member(options, "limit"), "bootstrap_iters",
                        FIRST_OF(options, "resamples", "bootstrap_iters"), "gen_kwargs",
                        member(options, "gen_kwargs"), "random_seed", member(options, "seed"),
                        "numpy_seed", member(options, "seed"), "torch_seed",
                        member(options, "seed"), "fewshot_seed", member(options, "fewshot_seed"))
            : NULL;
    base_free(arguments);
    return o;
}

/* Text for people who read "pretty_env_info": one line per member of the environment. */
static json_t *environment_text(const json_t *environment)
{
    if (!json_is_object(environment))
        return json_null();
    char *text = base_json_dump(environment, true);
    json_t *value = text ? json_string(text) : NULL;
    base_free(text);
    return value;
}

static json_t *results_file(struct eval_run_writer *w, const json_t *results)
{
    const json_t *model = json_object_get(w->config, "model");
    json_t *file = json_object();
    char seconds[40];
    double end = base_clock();
    snprintf(seconds, sizeof seconds, "%.6f", end - w->clock);
    if (!file || add_tasks(w, results, file))
        goto fail;
    json_t *rest = json_pack(
        "{s:o, s:n, s:f, s:o, s:n, s:n, s:n, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:n, "
        "s:b, s:o, s:o, s:f, s:f, s:s, s:{s:s, s:s, s:s, s:O, s:O*}}",
        "config", lm_eval_config(w), "git_hash", "date", w->date, "pretty_env_info",
        environment_text(json_object_get(w->config, "environment")), "transformers_version",
        "lm_eval_version", "upper_git_hash", "tokenizer_pad_token",
        FIRST_OF(model, "pad_token", "tokenizer_pad_token"), "tokenizer_eos_token",
        FIRST_OF(model, "eos_token", "tokenizer_eos_token"), "tokenizer_bos_token",
        FIRST_OF(model, "bos_token", "tokenizer_bos_token"), "eot_token_id",
        FIRST_OF(model, "eot_token_id", "eos_id"), "max_length",
        FIRST_OF(model, "context", "max_length"), "model_source", "assay", "model_name", w->model,
        "model_name_sanitized", w->sanitized, "system_instruction",
        member(json_object_get(w->config, "options"), "system_instruction"),
        "system_instruction_sha", "fewshot_as_multiturn", 0, "chat_template",
        FIRST_OF(json_object_get(w->config, "options"), "chat_template"), "chat_template_sha",
        FIRST_OF(json_object_get(w->config, "options"), "chat_template_sha"), "start_time",
        w->clock, "end_time", end, "total_evaluation_time_seconds", seconds, "assay", "run", w->id,
        "version", ASSAY_VERSION, "time", w->time, "results", results, "strategies", w->strategies);
    if (!rest || json_object_update_missing(file, rest)) {
        json_decref(rest);
        goto fail;
    }
    json_decref(rest);
    return file;
fail:
    json_decref(file);
    return NULL;
}

/* ---- run.json ---- */

static json_t *run_file(const struct eval_run_writer *w, const json_t *results,
                        const char *results_name, const json_t *counts)
{
    json_t *samples = json_object();
    bool failed = !samples;
    for (size_t i = 0; i < w->n_tasks && !failed; i++) {
        const struct writer_task *t = w->tasks[i];
        char *path = t->begun ? base_path_join(w->sanitized, base_path_name(t->path)) : NULL;
        failed = t->begun && (!path || json_object_set_new(samples, t->name, json_string(path)));
        base_free(path);
    }
    json_t *parent = json_object_get(w->config, "parent");
    json_t *o =
        failed ? NULL
               : json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:O?, s:f, s:O, s:O, s:O, "
                           "s:O*, s:{s:s, s:o}}",
                           "assay_run", EVAL_RUN_FORMAT, "id", w->id, "state", "complete", "source",
                           "assay", "version", ASSAY_VERSION, "time", w->time, "model", w->model,
                           "parent", parent, "seconds", base_clock() - w->clock, "n", counts,
                           "config", w->config, "results", results, "strategies", w->strategies,
                           "files", "results", results_name, "samples", samples);
    if (!o && failed)
        json_decref(samples);
    return o;
}

static int write_json(const char *path, const json_t *value)
{
    struct base_writer file;
    char *text = value ? base_json_dump(value, true) : NULL;
    if (!text)
        return base_error_set(BASE_E_MEMORY, "%s: out of memory while writing", path);
    int rc = base_writer_open(&file, path);
    if (rc == 0) {
        if ((rc = base_writer_write(&file, text, strlen(text))) ||
            (rc = base_writer_write(&file, "\n", 1)))
            base_writer_abort(&file);
        else
            rc = base_writer_commit(&file);
    }
    base_free(text);
    return rc;
}

int eval_run_finish(struct eval_run_writer *w, const json_t *results)
{
    char *name = base_format("%s/results_%s.json", w->sanitized, w->stamp), *path = NULL;
    char *record = base_path_join(w->directory, "run.json");
    json_t *file = NULL, *run = NULL;
    int rc = BASE_E_MEMORY;
    if (!name || !record || !(path = base_path_join(w->directory, name)))
        goto out;
    if (!json_is_object(results)) {
        rc = base_error_set(BASE_E_ARGUMENT, "results must be an object of tasks");
        goto out;
    }
    for (size_t i = 0; i < w->n_tasks; i++) {
        struct writer_task *t = w->tasks[i];
        if (t->begun && ((rc = ready(w, t)) || (rc = base_writer_commit(&t->file))))
            goto out;
    }
    file = results_file(w, results);
    run = file ? run_file(w, results, name, json_object_get(file, "n-samples")) : NULL;
    if ((rc = write_json(path, file)) == 0 && (rc = write_json(record, run)))
        unlink(path);
    w->finished = rc == 0;
out:
    json_decref(file);
    json_decref(run);
    base_free(name);
    base_free(path);
    base_free(record);
    return rc;
}

void eval_run_writer_free(struct eval_run_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_tasks; i++) {
        struct writer_task *t = w->tasks[i];
        char hex[BASE_SHA256_HEX];
        if (t->begun && !w->finished) {
            base_writer_abort(&t->file);
            unlink(t->path); /* committed by a finish that failed later */
        }
        if (t->hash)
            base_sha256_end(t->hash, hex);
        base_free(t->filter);
        base_free(t->name);
        base_free(t->path);
        base_free(t);
    }
    base_free(w->tasks);
    json_decref(w->strategies);
    json_decref(w->config);
    base_free(w->directory);
    base_free(w->model);
    base_free(w->sanitized);
    base_free(w->folder);
    base_free(w);
}
