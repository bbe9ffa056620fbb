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
    json_t *groups;     /* NULL: there are none */
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

int eval_run_grouped(struct eval_run_writer *w, const json_t *groups)
{
    if (!json_is_object(groups))
        return base_error_set(BASE_E_ARGUMENT, "groups must be an object");
    json_decref(w->groups);
    w->groups = json_incref((json_t *)(uintptr_t)groups);
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

/* One task's (or group's) line of results: {"name", "alias", "sample_len", "acc,none",
 * "acc_stderr,none", ...}. */
static json_t *lm_eval_results(const char *task, const char *alias, json_int_t items,
                               const json_t *metrics)
{
    json_t *o = json_pack("{s:s, s:s, s:I}", "name", task, "alias", alias ? alias : task,
                          "sample_len", items),
           *m;
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

/* The most items that a metric has. */
static json_int_t most_items(const json_t *metrics)
{
    json_int_t most = 0;
    const char *key;
    json_t *m;
    json_object_foreach((json_t *)(uintptr_t)metrics, key, m)
    {
        json_int_t n = json_integer_value(json_object_get(m, "n"));
        most = n > most ? n : most;
    }
    return most;
}

/* Documents that were evaluated: records, or where none were kept what the metrics say. */
static json_int_t documents_of(const struct writer_task *t, const json_t *metrics)
{
    return t && t->begun ? (json_int_t)t->documents : most_items(metrics);
}

static json_t *count_of(const struct writer_task *t, const json_t *metrics)
{
    json_int_t documents = documents_of(t, metrics);
    return json_pack("{s:I, s:I}", "original",
                     t && t->original ? (json_int_t)t->original : documents, "effective",
                     documents);
}

/* A task's configuration as lm-eval records it: every key it knows, with its default where the
 * task says nothing. The recorded one stays as it is (run.json): rescoring reads that. */
static json_t *lm_eval_task_config(const json_t *config)
{
    json_t *o = config ? json_copy((json_t *)(uintptr_t)config) : json_object();
    const json_t *ours = json_object_get(config, "assay");
    static const char *const shared[] = { "doc_to_text", "doc_to_choice",     "doc_to_target",
                                          "gen_prefix",  "fewshot_delimiter", "target_delimiter" };
    json_t *defaults = json_pack("{s:b, s:s, s:s, s:s, s:i, s:b}", "unsafe_code", 0, "description",
                                 "", "target_delimiter", " ", "fewshot_delimiter", "\n\n",
                                 "repeats", 1, "should_decontaminate", 0);
    json_t *given = json_object_get(config, "fewshot_config"),
           *file = json_object_get(ours, "file");
    json_t *shots = json_is_object(given) ? json_copy(given) : json_object();
    json_t *metadata = json_object_get(config, "metadata");
    metadata = json_is_object(metadata) ? json_copy(metadata) : json_object();
    bool failed = !o || !defaults || !shots || !metadata || json_object_update_missing(o, defaults);
    json_t *more = failed ? NULL
                          : json_pack("{s:O*, s:o, s:n, s:n, s:n}", "sampler",
                                      json_object_get(ours, "sampler"), "split",
                                      member(config, "fewshot_split"), "process_docs",
                                      "fewshot_indices", "samples");
    failed |= !more || json_object_update_missing(shots, more);
    for (size_t i = 0; i < sizeof shared / sizeof *shared && !failed; i++)
        if (!json_object_get(shots, shared[i]))
            failed |= json_object_set_new(shots, shared[i], member(o, shared[i]));
    if (file && !json_object_get(metadata, "config_source"))
        failed |= json_object_set(metadata, "config_source", file);
    failed |=
        json_object_set(o, "fewshot_config", shots) || json_object_set(o, "metadata", metadata);
    json_decref(defaults);
    json_decref(more);
    json_decref(shots);
    json_decref(metadata);
    if (failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* A group's place in every table: its figures among the tasks' and under "groups", its members, its
 * version; examples where all members have the same number, and which way its metrics go. */
static int add_group(const char *name, json_t *group, json_t *file)
{
    json_t *members = json_object_get(group, "members"), *m, *counts = json_object(), *one;
    json_t *version = json_object_get(group, "version"), *shot = NULL, *better = json_object();
    json_t *line = lm_eval_results(name, json_string_value(json_object_get(group, "alias")),
                                   most_items(group), group);
    char *number = json_is_number(version)   ? base_json_dump(version, false)
                   : json_is_string(version) ? base_strdup(json_string_value(version))
                                             : NULL; /* lm-eval has a group's version as text */
    const char *key;
    size_t i;
    bool same = true, failed = !line || !counts || !better;
    json_object_foreach(group, key, m)
    {
        const char *filter = json_string_value(json_object_get(m, "filter"));
        char *full =
            filter && !strchr(key, ',') ? base_format("%s,%s", key, filter) : base_strdup(key);
        failed |= !full || (json_object_get(m, "value") &&
                            json_object_set(counts, full, json_object_get(m, "n")));
        base_free(full);
    }
    json_array_foreach(members, i, one)
    {
        const char *task = json_string_value(one);
        json_t *n = json_object_get(json_object_get(file, "n-shot"), task ? task : "");
        json_t *b = json_object_get(json_object_get(file, "higher_is_better"), task ? task : "");
        same = same && n && (!shot || json_equal(shot, n));
        shot = n ? n : shot;
        failed |= b && json_object_update_missing(better, b);
    }
    failed = failed || json_object_set(line, "sample_count", counts) ||
             json_object_set(json_object_get(file, "results"), name, line) ||
             json_object_set(json_object_get(file, "groups"), name, line) ||
             json_object_set(json_object_get(file, "group_subtasks"), name, members) ||
             json_object_set_new(json_object_get(file, "versions"), name,
                                 number ? json_string(number) : json_null()) ||
             (same && shot && json_object_set(json_object_get(file, "n-shot"), name, shot)) ||
             (json_object_size(better) &&
              json_object_set(json_object_get(file, "higher_is_better"), name, better));
    base_free(number);
    json_decref(line);
    json_decref(counts);
    json_decref(better);
    return failed ? base_error_set(BASE_E_MEMORY, "out of memory for the groups") : 0;
}

static int add_groups(const struct eval_run_writer *w, json_t *file)
{
    const char *name;
    json_t *group;
    int rc = 0;
    if (json_object_size(w->groups) && json_object_set_new(file, "groups", json_object()))
        rc = BASE_E_MEMORY;
    json_object_foreach(w->groups, name, group)
    {
        rc = rc ? rc : add_group(name, group, file);
    }
    return rc;
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
        const char *alias = json_string_value(json_object_get(config, "task_alias"));
        failed |=
            json_object_set_new(t_results, task,
                                lm_eval_results(task, alias, documents_of(t, metrics), metrics)) ||
            json_object_set_new(t_configs, task, lm_eval_task_config(config)) ||
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
    json_t *arguments = json_pack("{s:s}", "pretrained", w->model);
    json_t *generation = json_object_get(options, "gen_kwargs");
    json_t *o =
        arguments
            ? json_pack("{s:s, s:O, s:o, s:o, s:s, s:o, s:o, s:[], s:o, s:o, s:o, s:o, s:o, s:o, "
                        "s:o, s:o, s:o}",
                        "model", "assay", "model_args", arguments, "model_num_parameters",
                        FIRST_OF(model, "parameters", "model_num_parameters"), "model_dtype",
                        FIRST_OF(model, "compute", "dtype"), "model_revision", "", "model_sha",
                        FIRST_OF(model, "hash"), "batch_size",
                        FIRST_OF(options, "batch_size", "batch_tokens"), "batch_sizes", "device",
                        json_string("cpu"), "use_cache", FIRST_OF(options, "cache", "use_cache"),
                        "limit", member(options, "limit"), "bootstrap_iters",
                        FIRST_OF(options, "resamples", "bootstrap_iters"), "gen_kwargs",
                        generation ? json_incref(generation) : json_object(), "random_seed",
                        member(options, "seed"), "numpy_seed", member(options, "seed"),
                        "torch_seed", member(options, "seed"), "fewshot_seed",
                        member(options, "fewshot_seed"))
            : NULL;
    json_decref(arguments);
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

/* SHA-256 of a text as lm-eval has it beside the text; null without one. */
static json_t *text_hash(const json_t *text)
{
    char hex[BASE_SHA256_HEX];
    const char *s = json_string_value(text);
    if (!s || base_sha256(s, strlen(s), hex))
        return json_null();
    return json_string(hex);
}

static json_t *results_file(struct eval_run_writer *w, const json_t *results)
{
    const json_t *model = json_object_get(w->config, "model");
    const json_t *options = json_object_get(w->config, "options");
    json_t *file = json_object(), *turns = json_object_get(options, "chat_single_turn");
    char seconds[40];
    double end = base_clock();
    snprintf(seconds, sizeof seconds, "%.6f", end - w->clock);
    if (!file || add_tasks(w, results, file) || add_groups(w, file))
        goto fail;
    json_t *system = FIRST_OF(options, "system", "system_instruction");
    json_t *template = FIRST_OF(w->config, "chat_template");
    json_t *rest = json_pack(
        "{s:o, s:n, s:f, s:o, s:n, s:n, s:n, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:O, s:o, "
        "s:o, s:O, s:o, s:f, s:f, s:s, s:{s:s, s:s, s:s, s:O, s:O*}}",
        "config", lm_eval_config(w), "git_hash", "date", w->date, "pretty_env_info",
        environment_text(json_object_get(w->config, "environment")), "transformers_version",
        "lm_eval_version", "upper_git_hash", "tokenizer_pad_token",
        FIRST_OF(model, "pad_token", "tokenizer_pad_token"), "tokenizer_eos_token",
        FIRST_OF(model, "eos_token", "tokenizer_eos_token"), "tokenizer_bos_token",
        FIRST_OF(model, "bos_token", "tokenizer_bos_token"), "eot_token_id",
        FIRST_OF(model, "eot_token_id", "eos_id"), "max_length",
        FIRST_OF(model, "context", "max_length"), "model_source", "assay", "model_name", w->model,
        "model_name_sanitized", w->sanitized, "system_instruction", system,
        "system_instruction_sha", text_hash(system), "fewshot_as_multiturn",
        json_is_true(json_object_get(options, "chat")) ? json_boolean(!json_is_true(turns))
                                                       : json_null(),
        "chat_template", template, "chat_template_sha", text_hash(template), "start_time", w->clock,
        "end_time", end, "total_evaluation_time_seconds", seconds, "assay", "run", w->id, "version",
        ASSAY_VERSION, "time", w->time, "results", results, "strategies", w->strategies);
    json_decref(system);
    json_decref(template);
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
    json_decref(w->groups);
    json_decref(w->config);
    base_free(w->directory);
    base_free(w->model);
    base_free(w->sanitized);
    base_free(w->folder);
    base_free(w);
}
