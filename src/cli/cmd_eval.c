/* assay eval: tasks put to a model, with intervals; strategies compared; a run that can go on. */
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/eval_show.h"
#include "cli/input.h"
#include "dist/dist.h"
#include "eval/runner_pairs.h"
#include "eval/store.h"
#include <assay/chat.h>
#include <assay/results.h>
#include <assay/runner.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_eval = {
    .name = "eval",
    .synopsis = "-m MODEL -t TASK[,TASK...] [options] [-o DIR]",
    .summary = "Evaluate a model on tasks, every metric with an interval",
    .details =
        "A TASK is a built-in one (assay tasks lists them), one of --include DIR, the path of an "
        "lm-eval YAML file, or a group or tag. Data files are looked for in --data DIR first.\n\n"
        "With -o DIR the run is kept: lm-eval's results and samples files, run.json, and a journal "
        "of every answer. A run that was interrupted, or killed, goes on when the same command is "
        "given again, with the results of a run in one go. --cache shares answers between runs.\n\n"
        "--strategies asks the same items in several ways and tests the differences item by item: "
        "McNemar's mid-p for right and wrong, adjusted after Holm.\n\n"
        "MODEL may be an endpoint, https://host/v1#name, compatible with OpenAI's API or "
        "Anthropic's; the key is read from OPENAI_API_KEY or ANTHROPIC_API_KEY.\n\n"
        "Requests with a common beginning share its computation; batches, threads, ranks (mpirun "
        "-n 4 assay eval ...) never change a result.\n\n"
        "  assay eval -m builtin:tiny -t facts -o run\n"
        "  assay eval -m MODEL -t arc_easy,piqa --num-fewshot 5 --data sets -o run",
    .run = run,
};

struct arguments {
    const char *tasks, *samples, *rng, *strategies, *data, *include, *overlength, *bos, *system,
        *cache, *store, *output, *api, *join;
    int64_t limit, fewshot, fewshot_seed, batch_tokens, concurrency, retries;
    bool balanced, chat, single_turn;
    double level, rate, timeout;
};

/* Numbers of documents, ascending, each once. */
struct documents {
    size_t *at, n;
};
/* A task asked in one way. */
struct part {
    char *task;
    char *name; /* key of its results: "task", or "task@icl" when there are several strategies */
    struct documents samples; /* of --samples; none: all */
    struct eval_task *open;
    struct eval_scores scores;
    json_t *cloze; /* of its first items */
};
struct state {
    struct arguments a;
    enum eval_strategy_kind strategies[4];
    size_t n_strategies;
    struct model *model;
    struct eval_backend *backend;
    struct eval_chat *chat;   /* NULL: plain prompts, or an endpoint's own template */
    struct documents samples; /* --samples as a list: of every task */
    json_t *by_task;          /* --samples as lm-eval has it, {"task": [documents]}; else NULL */
    char **tasks;
    size_t n_tasks;
    struct part *parts;
    size_t n_parts;
    struct eval_run_writer *writer;
    struct eval_runner *runner;
    json_t *config, *results, *groups, *pairs, *notes, *counters;
    char *stored; /* the store's name */
    double seconds, cpu_seconds;
};

static const char *const strategy_names[] = { "task", "instruction", "cloze", "icl" };
enum { CLOZE_SHOWN = 8 };

/* ---- options ---- */

static int parse_strategies(struct state *s)
{
    const char *at = s->a.strategies;
    if (!at) {
        s->strategies[s->n_strategies++] = EVAL_STRATEGY_TASK;
        return 0;
    }
    while (true) {
        size_t n = strcspn(at, ","), k = 0;
        while (k < 4 && (strlen(strategy_names[k]) != n || strncmp(strategy_names[k], at, n) != 0))
            k++;
        if (k == 4)
            return cli_usage(&cli_command_eval,
                             "--strategies: \"%.*s\" is none of task, instruction, cloze, icl",
                             (int)n, at);
        for (size_t i = 0; i < s->n_strategies; i++)
            if (s->strategies[i] == (enum eval_strategy_kind)k)
                return cli_usage(&cli_command_eval, "--strategies: \"%s\" is there twice",
                                 strategy_names[k]);
        s->strategies[s->n_strategies++] = (enum eval_strategy_kind)k;
        if (!at[n])
            return 0;
        at += n + 1;
    }
}

static int compare_sizes(const void *x, const void *y)
{
    size_t a = *(const size_t *)x, b = *(const size_t *)y;
    return a < b ? -1 : a > b;
}

static int add_document(struct documents *d, int64_t doc)
{
    size_t *more = base_realloc(d->at, d->n + 1, sizeof *more);
    if (!more)
        return BASE_E_MEMORY;
    d->at = more;
    more[d->n++] = (size_t)doc;
    return 0;
}

static void order_documents(struct documents *d)
{
    size_t kept = 0;
    if (d->n)
        qsort(d->at, d->n, sizeof *d->at, compare_sizes);
    for (size_t i = 0; i < d->n; i++)
        if (i == 0 || d->at[i] != d->at[kept - 1])
            d->at[kept++] = d->at[i];
    d->n = kept;
}

/* "0,7,20-29" */
static int parse_list(struct state *s)
{
    char *copy = base_strdup(s->a.samples), *rest = copy;
    int rc = copy ? 0 : BASE_E_MEMORY;
    for (char *one; rc == 0 && (one = strsep(&rest, ","));) {
        char *dash = strchr(one, '-');
        int64_t from, to;
        if (dash)
            *dash++ = 0;
        rc = base_parse_int(one, "--samples", 0, INT32_MAX, &from);
        if (rc == 0)
            rc = base_parse_int(dash ? dash : one, "--samples", from, INT32_MAX, &to);
        for (int64_t doc = from; rc == 0 && doc <= to; doc++)
            rc = add_document(&s->samples, doc);
    }
    base_free(copy);
    order_documents(&s->samples);
    return rc;
}

/* A list, or what lm-eval's --samples takes: {"task": [0, 7]} or a file that holds that. */
static int parse_samples(struct state *s)
{
    const char *text = s->a.samples, *task;
    bool json = text[strspn(text, " \t\n")] == '{', file = !json && base_file_exists(text);
    json_t *documents, *doc;
    size_t i;
    if (!json && !file)
        return parse_list(s);
    int rc = json ? base_json_parse(&s->by_task, text, strlen(text), "--samples")
                  : base_json_load(&s->by_task, text);
    if (rc)
        return rc;
    if (!json_is_object(s->by_task))
        return base_error_set(BASE_E_FORMAT, "--samples: %s: expected {\"task\": [documents]}",
                              text);
    json_object_foreach(s->by_task, task, documents)
    {
        bool good = json_array_size(documents) > 0;
        json_array_foreach(documents, i, doc) good =
            good && json_is_integer(doc) && json_integer_value(doc) >= 0;
        if (!good)
            return base_error_set(BASE_E_FORMAT,
                                  "--samples: %s: expected a list of documents, by number from 0",
                                  task);
    }
    return 0;
}

/* The documents of a task into its part; every name of the object must be one of the tasks'. */
static int choose_samples(struct state *s, const char *task, const struct eval_task_options *o,
                          struct part *p)
{
    json_t *config = NULL, *doc;
    size_t i;
    if (!s->by_task)
        return 0;
    int rc = eval_task_check(task, o, &config); /* task may be a file: what is it called? */
    const char *name = json_string_value(json_object_get(config, "task"));
    json_t *documents = json_object_get(s->by_task, name ? name : task);
    json_array_foreach(documents, i, doc) rc =
        rc ? rc : add_document(&p->samples, json_integer_value(doc));
    order_documents(&p->samples);
    json_decref(config);
    return rc;
}

static int check_samples(const struct state *s)
{
    const char *name;
    json_t *documents;
    json_object_foreach(s->by_task, name, documents)
    {
        bool found = false;
        for (size_t i = 0; i < s->n_parts; i++)
            found = found || strcmp(s->parts[i].task, name) == 0;
        if (!found)
            return base_error_set(BASE_E_ARGUMENT, "--samples: %s is none of the tasks", name);
    }
    return 0;
}

static int check_arguments(struct state *s, int positionals, char **argv)
{
    const struct arguments *a = &s->a;
    if (positionals)
        return cli_usage(&cli_command_eval, "unexpected argument \"%s\": tasks are given with -t",
                         argv[1]);
    if (!a->tasks)
        return cli_usage(&cli_command_eval, "no task given: add -t TASK (assay tasks lists them)");
    if (a->limit && a->samples)
        return cli_usage(&cli_command_eval,
                         "--limit and --samples both say which documents: give one of them");
    if (a->limit < 0 || a->fewshot < -1 || a->batch_tokens < 0 || a->fewshot_seed < 0)
        return cli_usage(&cli_command_eval, "--%s must not be negative",
                         a->limit < 0          ? "limit"
                         : a->fewshot < -1     ? "num-fewshot"
                         : a->batch_tokens < 0 ? "batch-tokens"
                                               : "fewshot-seed");
    if (!(a->level > 0 && a->level < 1))
        return cli_usage(&cli_command_eval, "--level must lie between 0 and 1");
    if (strcmp(a->rng, "python") != 0 && strcmp(a->rng, "assay") != 0)
        return cli_usage(&cli_command_eval, "--fewshot-rng: \"%s\" is neither python nor assay",
                         a->rng);
    return parse_strategies(s);
}

static int parse_policies(const struct arguments *a, struct eval_backend_options *o)
{
    const char *policy = a->overlength ? a->overlength : "error";
    struct cli_input input = { .bos = a->bos };
    enum eval_overlength unused;
    int rc = cli_input_policies(&input, &o->bos, &unused);
    o->batch_tokens = (size_t)a->batch_tokens;
    o->lm_eval_join = strcmp(a->join, "lm-eval") == 0;
    if (!o->lm_eval_join && strcmp(a->join, "common") != 0)
        return base_error_set(BASE_E_ARGUMENT, "--join: \"%s\" is neither common nor lm-eval",
                              a->join);
    if (rc)
        return rc;
    if (strcmp(policy, "skip") == 0)
        o->overlength_skip = true;
    else if (strcmp(policy, "truncate") == 0)
        o->overlength = EVAL_OVERLENGTH_LEFT;
    else if (strcmp(policy, "error") != 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "--overlength: \"%s\" is none of error, skip, truncate", policy);
    return 0;
}

/* ---- opening ---- */

/* By the model's own template; an assistant's message at the end is to be gone on with. */
static int render_chat(void *context, const json_t *messages, char **text)
{
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    const char *role = json_string_value(json_object_get(last, "role"));
    bool goes_on = role && strcmp(role, "assistant") == 0;
    size_t bytes;
    struct eval_chat_request request = { .messages = messages,
                                         .add_generation_prompt = !goes_on,
                                         .continue_final = goes_on };
    return eval_chat_render(context, &request, text, &bytes);
}

/* For an endpoint, which has its own template: the messages themselves. */
static int pass_messages(void *context, const json_t *messages, char **text)
{
    (void)context;
    *text = base_json_dump(messages, false);
    return *text ? 0 : BASE_E_MEMORY;
}

static int open_part(struct state *s, const char *task, enum eval_strategy_kind strategy,
                     struct part *p)
{
    const struct arguments *a = &s->a;
    struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
    o.data = a->data;
    o.include = a->include;
    o.fewshot = a->fewshot;
    o.fewshot_python = strcmp(a->rng, "python") == 0;
    o.fewshot_seed = (uint64_t)a->fewshot_seed;
    o.fewshot_balanced = a->balanced;
    o.strategy = strategy;
    o.system = a->system;
    o.limit = (size_t)a->limit;
    o.seed = (uint64_t)cli_common.seed;
    if (a->chat) {
        o.chat = s->chat ? render_chat : pass_messages;
        o.chat_context = s->chat;
        o.chat_single_turn = a->single_turn;
    }
    int rc = choose_samples(s, task, &o, p);
    const struct documents *chosen = s->by_task ? &p->samples : &s->samples;
    o.samples = chosen->n ? chosen->at : NULL;
    o.n_samples = chosen->n;
    if (rc == 0)
        rc = eval_task_open(&p->open, task, &o);
    if (rc)
        return s->n_strategies > 1 ? base_error_prefix(rc, "%s", strategy_names[strategy]) : rc;
    const char *name = eval_task_name(p->open); /* task may be a file */
    p->task = base_strdup(name);
    p->name = s->n_strategies > 1 ? base_format("%s@%s", name, strategy_names[strategy])
                                  : base_strdup(name);
    p->cloze = json_array();
    if (!p->task || !p->name || !p->cloze)
        return BASE_E_MEMORY;
    for (const struct part *other = s->parts; other < p; other++)
        if (strcmp(other->name, p->name) == 0)
            return base_error_set(BASE_E_ARGUMENT,
                                  "two tasks are called \"%s\" (one of them is %s): give one "
                                  "another name in its file",
                                  p->name, task);
    return 0;
}

static int open_tasks(struct state *s)
{
    struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
    o.data = s->a.data;
    o.include = s->a.include;
    int rc = eval_tasks_expand(s->a.tasks, &o, &s->tasks, &s->n_tasks);
    if (rc)
        return rc;
    s->parts = base_alloc_zero(s->n_tasks * s->n_strategies, sizeof *s->parts);
    if (!s->parts)
        return BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < s->n_tasks; i++)
        for (size_t k = 0; rc == 0 && k < s->n_strategies; k++)
            rc = open_part(s, s->tasks[i], s->strategies[k], &s->parts[s->n_parts++]);
    return rc ? rc : check_samples(s);
}

/* ---- the record of the run ---- */

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

/* A word as a shell would need it. */
static int add_word(struct base_buffer *b, const char *word)
{
    int rc = b->length ? base_buffer_puts(b, " ") : 0;
    if (*word && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "_-+=:,./@%")] == 0)
        return rc ? rc : base_buffer_puts(b, word);
    rc = rc ? rc : base_buffer_puts(b, "'");
    for (; rc == 0 && *word; word++)
        rc = *word == '\'' ? base_buffer_puts(b, "'\\''") : base_buffer_append(b, word, 1);
    return rc ? rc : base_buffer_puts(b, "'");
}

static char *command_line(int argc, char *const *argv)
{
    struct base_buffer b = { 0 };
    int rc = base_buffer_puts(&b, "assay");
    for (int i = 0; rc == 0 && i < argc; i++)
        rc = add_word(&b, argv[i]);
    char *text = rc ? NULL : base_buffer_take(&b);
    base_buffer_free(&b);
    return text;
}

static json_t *describe_options(const struct state *s)
{
    const struct arguments *a = &s->a;
    json_t *strategies = json_array();
    for (size_t i = 0; i < s->n_strategies; i++)
        json_array_append_new(strategies, json_string(strategy_names[s->strategies[i]]));
    return json_pack("{s:o, s:o, s:o, s:s, s:I, s:b, s:o, s:o, s:o, s:o, s:b, s:o, s:b, s:I, s:f}",
                     "limit", a->limit ? json_integer(a->limit) : json_null(), "samples",
                     text_or_null(a->samples), "num_fewshot",
                     a->fewshot >= 0 ? json_integer(a->fewshot) : json_null(), "fewshot_rng",
                     a->rng, "fewshot_seed", (json_int_t)a->fewshot_seed, "fewshot_balanced",
                     a->balanced, "strategies", strategies, "data", text_or_null(a->data),
                     "include", text_or_null(a->include), "overlength",
                     json_string(a->overlength ? a->overlength : "error"), "chat", a->chat,
                     "system", text_or_null(a->system), "chat_single_turn", a->single_turn, "seed",
                     (json_int_t)cli_common.seed, "level", a->level);
}

static int describe_run(struct state *s, const char *command)
{
    json_t *tasks = json_object(),
           *environment = json_pack("{s:s, s:i, s:i}", "assay", ASSAY_VERSION, "threads",
                                    base_threads(), "ranks", dist_size());
    for (size_t i = 0; tasks && i < s->n_parts; i++)
        json_object_set_new(tasks, s->parts[i].name, eval_task_config(s->parts[i].open));
    s->config = json_pack("{s:s, s:o, s:o, s:o, s:o}", "command", command, "model",
                          eval_backend_describe(s->backend), "tasks", tasks, "options",
                          describe_options(s), "environment", environment);
    if (s->config && s->chat)
        json_object_set_new(s->config, "chat_template", json_string(eval_chat_source(s->chat)));
    return s->config ? 0 : base_error_set(BASE_E_MEMORY, "out of memory: the run's record");
}

/* ---- running ---- */

static void note(struct state *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct state *s, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_array_append_new(s->notes, json_string(text));
}

struct receiver {
    struct state *s;
    struct part *part;
};

static const char *argument(const json_t *sample, size_t request, const char *which)
{
    char name[40];
    snprintf(name, sizeof name, "gen_args_%zu", request);
    const json_t *a = json_object_get(json_object_get(sample, "arguments"), name);
    const char *text = json_string_value(json_object_get(a, which));
    return text ? text : "";
}

/* A cloze item for people: the prompt, the right continuation and the best wrong one. */
static json_t *cloze_row(const json_t *sample)
{
    const json_t *own = json_object_get(sample, "assay"), *cloze = json_object_get(own, "cloze"),
                 *logprobs = json_object_get(own, "logprobs"), *gold = json_object_get(own, "gold");
    size_t right = (size_t)json_integer_value(gold), wrong = SIZE_MAX;
    if (!json_is_object(cloze) || !json_is_integer(gold) || right >= json_array_size(logprobs))
        return NULL;
    for (size_t i = 0; i < json_array_size(logprobs); i++)
        if (i != right &&
            (wrong == SIZE_MAX || json_real_value(json_array_get(logprobs, i)) >
                                      json_real_value(json_array_get(logprobs, wrong))))
            wrong = i;
    json_t *row = json_pack("{s:s, s:s, s:O}", "prompt", argument(sample, right, "arg_0"),
                            "correct", argument(sample, right, "arg_1"), "logprob_correct",
                            json_array_get(logprobs, right));
    if (row && wrong != SIZE_MAX) {
        json_object_set_new(row, "incorrect", json_string(argument(sample, wrong, "arg_1")));
        json_object_set(row, "logprob_incorrect", json_array_get(logprobs, wrong));
    }
    if (row)
        json_object_update(row, (json_t *)(uintptr_t)cloze);
    return row;
}

static int on_sample(void *context, const json_t *sample)
{
    struct receiver *r = context;
    int rc = r->s->writer ? eval_run_add(r->s->writer, r->part->name, sample) : 0;
    if (rc == 0 && r->s->n_strategies > 1)
        rc = eval_scores_add(&r->part->scores, sample);
    json_t *row = json_array_size(r->part->cloze) < CLOZE_SHOWN ? cloze_row(sample) : NULL;
    if (row)
        json_array_append_new(r->part->cloze, row);
    return rc;
}

static int run_parts(struct state *s)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->n_parts; i++) {
        struct part *p = &s->parts[i];
        struct receiver r = { s, p };
        json_t *results = NULL;
        rc = eval_runner_run(s->runner, p->open, p->name, on_sample, &r, &results);
        if (rc)
            return rc == BASE_E_INTERRUPTED ? rc : base_error_prefix(rc, "%s", p->name);
        if (results)
            json_object_set_new(s->results, p->name, results);
    }
    return rc;
}

/* Every pair of strategies, task by task. */
static int compare_strategies(struct state *s)
{
    int rc = 0;
    const char *names[4];
    struct eval_scores scores[4];
    for (size_t i = 0; rc == 0 && s->n_strategies > 1 && i < s->n_tasks; i++) {
        json_t *pairs = NULL;
        for (size_t k = 0; k < s->n_strategies; k++) {
            names[k] = strategy_names[s->strategies[k]];
            scores[k] = s->parts[i * s->n_strategies + k].scores;
        }
        rc = eval_scores_compare(scores, names, s->n_strategies, s->a.level, &pairs);
        if (rc == 0)
            json_object_set_new(s->pairs, s->tasks[i], pairs);
    }
    return rc;
}

/* Into the store. A store that cannot be had is an error when it was named, else a note. */
static int add_to_store(struct state *s)
{
    struct eval_run *run = NULL;
    struct eval_store *store = NULL;
    int rc = eval_run_open(&run, s->a.output, s->a.store);
    if (rc == 0)
        rc = eval_store_open(&store, s->a.store, EVAL_STORE_WRITE);
    if (rc == 0)
        rc = eval_store_add(store, run);
    if (rc >= 0)
        s->stored = base_strdup(eval_store_name(store));
    else if (!s->a.store)
        note(s, "Not in the store: %s", base_error_message());
    eval_store_close(store);
    eval_run_close(run);
    return rc < 0 && s->a.store ? rc : 0;
}

static int finish_run(struct state *s)
{
    int rc = 0;
    for (size_t i = 0; s->writer && rc == 0 && i < s->n_parts; i++)
        rc = eval_run_original(s->writer, s->parts[i].name, eval_task_documents(s->parts[i].open));
    if (rc == 0 && s->writer && s->groups)
        rc = eval_run_grouped(s->writer, s->groups);
    if (rc == 0 && s->writer && s->n_strategies > 1)
        rc = eval_run_compared(s->writer, s->pairs);
    if (rc == 0 && s->writer)
        rc = eval_run_finish(s->writer, s->results);
    if (rc || !s->writer || (s->a.store && strcmp(s->a.store, "none") == 0))
        return rc;
    return add_to_store(s);
}

/* ---- the report ---- */

static long long counted(const json_t *counters, const char *key)
{
    return (long long)json_integer_value(json_object_get(counters, key));
}

/* What somebody who reads the figures has to know. */
static void write_notes(struct state *s, const json_t *runner, const json_t *backend)
{
    long long n = counted(runner, "requests"), kept;
    if ((kept = counted(runner, "cut")))
        note(s,
             "%lld of %lld requests were longer than the model takes and were cut from the left "
             "(--overlength truncate).",
             kept, n);
    if ((kept = counted(runner, "skipped")))
        note(s,
             "%lld of %lld requests were longer than the model takes and were left out "
             "(--overlength skip): their items have no score.",
             kept, n);
    if ((kept = counted(runner, "boundary_retokenized")))
        note(s,
             "%lld of %lld continuations join their context within a token: scored from that "
             "token on (--join lm-eval: as lm-eval).",
             kept, n);
    if ((kept = counted(runner, "from_journal")))
        note(s, "%lld of %lld answers were there already in %s.", kept, n, s->a.output);
    if ((kept = counted(runner, "from_cache")))
        note(s, "%lld of %lld answers came from the cache %s.", kept, n, s->a.cache);
    if (counted(backend, "forward_tokens"))
        note(s, "%lld tokens ran through the model; %lld more were shared.",
             counted(backend, "forward_tokens"), counted(backend, "shared_tokens"));
    if (s->writer)
        note(s, "Run %s is in %s%s%s.", eval_run_id(s->writer), s->a.output,
             s->stored ? " and in the store " : "", s->stored ? s->stored : "");
}

static json_t *make_report(struct state *s)
{
    json_t *runner = eval_runner_counters(s->runner), *backend = json_incref(s->counters),
           *cloze = json_object();
    write_notes(s, runner, backend);
    for (size_t i = 0; cloze && i < s->n_parts; i++)
        if (json_array_size(s->parts[i].cloze))
            json_object_set(cloze, s->parts[i].name, s->parts[i].cloze);
    return json_pack("{s:o, s:o, s:O, s:O, s:o, s:O, s:o, s:o, s:o, s:O, s:f, s:f, s:f, s:o}",
                     "run", s->writer ? json_string(eval_run_id(s->writer)) : json_null(),
                     "directory", text_or_null(s->a.output), "model",
                     json_object_get(s->config, "model"), "results", s->results, "groups",
                     s->groups ? json_incref(s->groups) : json_object(), "strategies", s->pairs,
                     "cloze", cloze, "runner", runner, "backend", backend, "notes", s->notes,
                     "level", s->a.level, "seconds", s->seconds, "cpu_seconds", s->cpu_seconds,
                     "store", text_or_null(s->stored));
}

static bool is_remote(void)
{
    const char *model = cli_common.model;
    return model && (base_starts_with(model, "http://") || base_starts_with(model, "https://"));
}

static int open_remote(struct state *s)
{
    const struct arguments *a = &s->a;
    struct eval_remote_options o = EVAL_REMOTE_OPTIONS_DEFAULT;
    if (strcmp(a->api, "openai") == 0)
        o.api = EVAL_REMOTE_OPENAI;
    else if (strcmp(a->api, "anthropic") == 0)
        o.api = EVAL_REMOTE_ANTHROPIC;
    else if (strcmp(a->api, "auto") != 0)
        return cli_usage(&cli_command_eval, "--api: \"%s\" is none of auto, openai, anthropic",
                         a->api);
    if (a->concurrency < 0 || a->retries < -1 || a->rate < 0 || a->timeout < 0)
        return cli_usage(&cli_command_eval,
                         "--concurrency, --retries, --rate and --timeout must not be negative");
    if (a->bos || a->overlength)
        return cli_usage(&cli_command_eval,
                         "--%s is for models in this process: an endpoint has its own rules",
                         a->bos ? "bos" : "overlength");
    o.concurrency = (size_t)a->concurrency;
    o.rate = a->rate;
    o.retries = (int)a->retries;
    o.timeout = a->timeout;
    o.messages = a->chat;
    return eval_backend_remote(&s->backend, cli_common.model, &o) ? cli_fail(&cli_command_eval) : 0;
}

static int open_model(struct state *s)
{
    struct eval_backend_options o = EVAL_BACKEND_OPTIONS_DEFAULT;
    if (is_remote())
        return open_remote(s);
    int rc = parse_policies(&s->a, &o);
    if (rc)
        return cli_usage(&cli_command_eval, "%s", base_error_message());
    if ((rc = cli_load_model(&cli_command_eval, &s->model)))
        return rc;
    rc = eval_backend_local(&s->backend, s->model, &o);
    if (rc == 0 && s->a.chat)
        rc = eval_chat_open(&s->chat, cli_common.model, NULL);
    return rc ? cli_fail(&cli_command_eval) : 0;
}

/* Seconds that all threads of this process have run. */
static double cpu_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Everything after the options; errors have their message. */
static int evaluate(struct state *s, const char *command)
{
    double start = base_clock(), cpu_start = cpu_clock();
    int rc = s->a.samples ? parse_samples(s) : 0;
    if (rc == 0)
        rc = open_tasks(s);
    if (rc == 0)
        rc = describe_run(s, command);
    if (rc == 0 && s->a.output && dist_rank() == 0)
        rc = eval_run_create(&s->writer, s->a.output, s->config);
    if ((rc = dist_agree(rc)))
        return rc;
    struct eval_runner_options o = { .directory = s->a.output,
                                     .cache = s->a.cache,
                                     .level = s->a.level,
                                     .seed = (uint64_t)cli_common.seed };
    if ((rc = eval_runner_new(&s->runner, s->backend, &o)) || (rc = run_parts(s)))
        return rc;
    if ((rc = eval_runner_backend_counters(s->runner, &s->counters)))
        return rc;
    s->seconds = base_clock() - start;
    s->cpu_seconds = cpu_clock() - cpu_start;
    if (dist_rank() == 0) {
        struct eval_task_options t = EVAL_TASK_OPTIONS_DEFAULT;
        t.data = s->a.data;
        t.include = s->a.include;
        if (s->n_strategies == 1)
            rc = eval_groups_aggregate(s->a.tasks, &t, s->results, s->a.level, &s->groups);
        if (rc == 0)
            rc = compare_strategies(s);
        if (rc == 0)
            rc = finish_run(s);
    }
    return dist_agree(rc);
}

static int fail(struct state *s, int rc)
{
    if (dist_rank() != 0)
        return 1;
    if (rc == BASE_E_INTERRUPTED && s->a.output)
        base_error_set(rc,
                       "interrupted; the answers so far are in %s: the same command goes on "
                       "from there",
                       s->a.output);
    return cli_fail(&cli_command_eval);
}

static void state_free(struct state *s)
{
    for (size_t i = 0; i < s->n_parts; i++) {
        base_free(s->parts[i].task);
        base_free(s->parts[i].name);
        eval_task_free(s->parts[i].open);
        eval_scores_free(&s->parts[i].scores);
        base_free(s->parts[i].samples.at);
        json_decref(s->parts[i].cloze);
    }
    base_free(s->parts);
    eval_names_free(s->tasks, s->n_tasks);
    base_free(s->samples.at);
    json_decref(s->by_task);
    base_free(s->stored);
    eval_run_writer_free(s->writer);
    eval_runner_free(s->runner);
    eval_chat_close(s->chat);
    eval_backend_free(s->backend);
    model_free(s->model);
    json_decref(s->config);
    json_decref(s->results);
    json_decref(s->groups);
    json_decref(s->pairs);
    json_decref(s->notes);
    json_decref(s->counters);
}

static int run(int argc, char **argv)
{
    struct state s = { .a = { .rng = "python",
                              .api = "auto",
                              .join = "common",
                              .retries = -1,
                              .fewshot = -1,
                              .fewshot_seed = 1234,
                              .level = 0.95 } };
    struct arguments *a = &s.a;
    int n;
    const struct cli_option options[] = {
        { "tasks", 't', CLI_STRING, &a->tasks, "TASKS",
          "Tasks, groups, tags or YAML files, divided by commas." },
        { "output", 'o', CLI_STRING, &a->output, "DIR",
          "Keep the run here; an unfinished one of the same command goes on." },
        { "limit", 0, CLI_INT, &a->limit, "N", "Only the first N documents of each task." },
        { "samples", 0, CLI_STRING, &a->samples, "LIST",
          "Only these documents, by number from 0: 0,7,20-29; or of each task, as lm-eval: "
          "{\"TASK\": [0, 7]}, or a file of that." },
        { "num-fewshot", 0, CLI_INT, &a->fewshot, "K",
          "Solved examples before each item (default: as the task says)." },
        { "fewshot-rng", 0, CLI_STRING, &a->rng, "RNG",
          "Examples drawn as lm-eval does (python; default), or item by item (assay)." },
        { "fewshot-seed", 0, CLI_INT, &a->fewshot_seed, "N",
          "Seed of the examples (default 1234, as lm-eval's)." },
        { "fewshot-balanced", 0, CLI_FLAG, &a->balanced, NULL,
          "The same number of examples of each label, as near as K allows." },
        { "strategies", 0, CLI_STRING, &a->strategies, "LIST",
          "Ask each item as task, instruction, cloze, icl, and compare." },
        { "data", 0, CLI_STRING, &a->data, "DIR", "Where data files are looked for first." },
        { "include", 0, CLI_STRING, &a->include, "DIR", "A directory of further task files." },
        { "overlength", 0, CLI_STRING, &a->overlength, "POLICY",
          "Inputs longer than the model takes: error (default), skip, or truncate (as lm-eval)." },
        { "join", 0, CLI_STRING, &a->join, "HOW",
          "Where a token spans context and continuation: common (default) scores from it on; "
          "lm-eval splits as that does." },
        { "bos", 0, CLI_STRING, &a->bos, "WHEN",
          "Whether text begins with BOS: auto (as the tokenizer says; default), yes, no." },
        { "chat", 0, CLI_FLAG, &a->chat, NULL, "Put items through the model's chat template." },
        { "chat-single-turn", 0, CLI_FLAG, &a->single_turn, NULL,
          "With --chat: the examples in one message, not a turn each." },
        { "system", 0, CLI_STRING, &a->system, "TEXT", "System message (or text in front)." },
        { "cache", 0, CLI_STRING, &a->cache, "PATH",
          "Share answers with other runs in this file or directory." },
        { "store", 0, CLI_STRING, &a->store, "WHERE",
          "Store for finished runs: a file, postgresql://..., or none." },
        { "level", 0, CLI_DOUBLE, &a->level, "P", "Confidence of the intervals (default 0.95)." },
        { "api", 0, CLI_STRING, &a->api, "API",
          "Of an endpoint: openai, anthropic, or auto (by its address; default)." },
        { "concurrency", 0, CLI_INT, &a->concurrency, "N",
          "Requests to an endpoint under way at a time (default 4)." },
        { "rate", 0, CLI_DOUBLE, &a->rate, "N",
          "Requests to an endpoint per minute at most (default: no limit)." },
        { "retries", 0, CLI_INT, &a->retries, "N",
          "Tries after a failed request to an endpoint (default 5)." },
        { "timeout", 0, CLI_DOUBLE, &a->timeout, "S",
          "Seconds an endpoint may be silent (default 300)." },
        { "batch-tokens", 0, CLI_INT, &a->batch_tokens, "N",
          "Tokens run at a time (default 2016); never changes a result." },
        { 0 }
    };
    char *command = command_line(argc, argv);
    int rc = cli_parse(&cli_command_eval, options, true, argc, argv, &n);
    if (rc || (rc = check_arguments(&s, n, argv))) {
        base_free(command);
        return rc < 0 ? 0 : rc;
    }
    base_interrupt_install();
    if (dist_start()) {
        base_free(command);
        return cli_fail(&cli_command_eval);
    }
    if (dist_rank() != 0)
        base_progress_quiet(true);
    s.results = json_object();
    s.pairs = json_object();
    s.notes = json_array();
    rc = open_model(&s);
    if (rc == 0) {
        rc = evaluate(&s, command ? command : "assay eval");
        if (rc) {
            rc = fail(&s, rc);
        } else if (dist_rank() == 0) {
            json_t *report = make_report(&s);
            if (cli_common.json) {
                rc = cli_print_json(&cli_command_eval, report);
            } else {
                struct base_buffer b = { 0 };
                rc = report ? cli_eval_lay_out(&b, report)
                            : base_error_set(BASE_E_MEMORY, "out of memory: the report");
                rc = cli_print_text(&cli_command_eval, &b, rc);
                json_decref(report);
            }
        }
        dist_stop();
    }
    base_free(command);
    state_free(&s);
    return rc;
}
