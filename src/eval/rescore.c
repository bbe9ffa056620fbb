/* Samples back into items and responses, then through the task's judge and tally.
 *
 * A record has all responses of its document, whatever its filter: the records of the first filter
 * are taken, and judging makes one for each filter of the task. Assay's records hold exact
 * log-probabilities under "assay"; lm-eval's hold them as text in resps, as [["-1.5", "False"]] per
 * request (old versions: numbers). */
#include "eval/rescore.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/results_run.h"
#include "eval/runner_pairs.h"
#include "eval/task_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *get(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static int out_of_memory(void)
{
    return base_error_set(BASE_E_MEMORY, "out of memory while rescoring");
}

/* ---- the task ---- */

/* metric_list and filter_list as the options have them. */
static int change_config(json_t *config, const struct eval_rescore_options *o)
{
    json_t *metrics = json_array(), *filters = json_array();
    int rc = metrics && filters ? 0 : out_of_memory();
    for (size_t i = 0; i < o->n_metrics && rc == 0; i++)
        if (json_array_append_new(metrics, json_pack("{s:s}", "metric", o->metrics[i])))
            rc = out_of_memory();
    for (size_t i = 0; i < o->n_filters && rc == 0; i++) {
        json_t *filter = NULL;
        rc = base_yaml_parse(&filter, o->filters[i], strlen(o->filters[i]), "--filter");
        if (rc == 0 && !json_is_object(filter))
            rc = base_error_set(BASE_E_ARGUMENT,
                                "--filter %s: expected a mapping as in a task's filter_list: "
                                "{name: NAME, filter: [{function: ...}]}",
                                o->filters[i]);
        if (rc == 0 && json_array_append(filters, filter))
            rc = out_of_memory();
        json_decref(filter);
    }
    if (rc == 0 && ((o->n_metrics && json_object_set(config, "metric_list", metrics)) ||
                    (o->n_filters && json_object_set(config, "filter_list", filters))))
        rc = out_of_memory();
    json_decref(metrics);
    json_decref(filters);
    return rc;
}

/* The configuration to judge by; a copy of its own. */
static int find_config(const struct eval_run *parent, const char *task,
                       const struct eval_rescore_options *o, json_t **out)
{
    struct eval_task_options options = EVAL_TASK_OPTIONS_DEFAULT;
    json_t *own = get(get(eval_run_config(parent), "tasks"), task);
    int rc = 0;
    options.include = o->include;
    *out = NULL;
    if (o->task || json_object_size(own) == 0) {
        rc = eval_task_check(o->task ? o->task : task, &options, out);
        return rc && !o->task
                   ? base_error_prefix(rc,
                                       "%s: the run does not say how it was judged; name the "
                                       "task with --task",
                                       task)
                   : rc;
    }
    if (!(*out = json_deep_copy(own)))
        return out_of_memory();
    return rc;
}

/* Members of a recorded configuration that are not keys of a task, or were used up already: the
 * samples' documents have been through process_docs, the strategy's block has been applied. */
static const char *strip(json_t *config)
{
    static const char *const used[] = { "assay",        "ignored",        "strategies",
                                        "process_docs", "dataset_kwargs", "fewshot_config",
                                        "task_alias",   "doc_to_image",   "doc_to_audio" };
    const char *strategy = json_string_value(get(get(config, "assay"), "strategy"));
    static const char *const names[] = { "task", "instruction", "cloze", "icl" };
    const char *found = "task";
    for (size_t i = 0; i < 4; i++)
        if (strategy && strcmp(strategy, names[i]) == 0)
            found = names[i];
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        json_object_del(config, used[i]);
    return found;
}

/* A task without its data: the sample's document shows which names are columns. */
static int open_task(struct eval_task **out, const struct eval_run *parent, const char *name,
                     const struct eval_rescore_options *o, const json_t *doc)
{
    static const char *const names[] = { "task", "instruction", "cloze", "icl" };
    struct eval_task *t = base_alloc_zero(1, sizeof *t);
    int rc = t ? find_config(parent, name, o, &t->config) : BASE_E_MEMORY;
    if (rc)
        goto out;
    t->options = (struct eval_task_options)EVAL_TASK_OPTIONS_DEFAULT;
    const char *strategy = strip(t->config);
    for (size_t i = 0; i < 4; i++)
        if (strcmp(strategy, names[i]) == 0)
            t->options.strategy = (enum eval_strategy_kind)i;
    if ((rc = change_config(t->config, o)))
        goto out;
    if (!(t->name = base_strdup(name)) || !(t->source.path = base_strdup(parent->where)) ||
        !(t->source.folder = base_strdup(".")) || !(t->source.text = base_strdup("")) ||
        !(t->docs = json_pack("[O]", doc)) || !(t->columns = json_copy((json_t *)(uintptr_t)doc))) {
        rc = out_of_memory();
        goto out;
    }
    rc = task_keys_check(t->config, &t->source);
    rc = rc ? rc : task_config_read(t);
    rc = rc ? rc : task_data_bind(t);
out:
    if (rc) {
        eval_task_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

/* ---- samples back into items ---- */

struct rebuilt {
    struct eval_item item;
    struct eval_response *responses; /* [item.n_requests] */
    bool has_tokens, has_firsts;
};

static void rebuilt_clear(struct rebuilt *r)
{
    for (size_t i = 0; i < r->item.n_requests && r->responses; i++)
        eval_response_clear(&r->responses[i]);
    base_free(r->responses);
    eval_item_clear(&r->item);
    *r = (struct rebuilt){ 0 };
}

/* The i-th request's context and continuation: {"gen_args_0": {"arg_0", "arg_1"}} or [[.., ..]]. */
static const json_t *argument(const json_t *arguments, size_t i, size_t k)
{
    char name[40];
    if (json_is_array(arguments))
        return json_array_get(json_array_get(arguments, i), k);
    snprintf(name, sizeof name, "gen_args_%zu", i);
    const json_t *one = get(arguments, name);
    return get(one, k ? "arg_1" : "arg_0");
}

static char *copy_text(const json_t *text)
{
    return base_strdup(json_is_string(text) ? json_string_value(text) : "");
}

static int rebuild_requests(const struct eval_task *t, const json_t *sample, struct eval_item *item,
                            size_t n)
{
    const json_t *arguments = get(sample, "arguments");
    if (!(item->requests = base_alloc_zero(n, sizeof *item->requests)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        struct eval_request *q = &item->requests[item->n_requests++];
        const json_t *first = argument(arguments, i, 0), *second = argument(arguments, i, 1);
        q->kind = t->output == EVAL_OUTPUT_GENERATE  ? EVAL_REQUEST_GENERATE
                  : t->output == EVAL_OUTPUT_ROLLING ? EVAL_REQUEST_ROLLING
                                                     : EVAL_REQUEST_LOGLIKELIHOOD;
        bool rolling = q->kind == EVAL_REQUEST_ROLLING;
        q->context = rolling ? base_strdup("") : copy_text(first);
        q->continuation =
            q->kind == EVAL_REQUEST_GENERATE ? NULL : copy_text(rolling ? first : second);
        q->generation = q->kind == EVAL_REQUEST_GENERATE ? &t->generation : NULL;
        if (!q->context || (!q->continuation && q->kind != EVAL_REQUEST_GENERATE))
            return BASE_E_MEMORY;
    }
    return 0;
}

static bool number_of(const json_t *v, double *out)
{
    if (json_is_number(v)) {
        *out = json_number_value(v);
        return true;
    }
    const char *text = json_string_value(v);
    char *end;
    if (!text || !*text)
        return false;
    *out = strtod(text, &end);
    return *end == 0;
}

/* One request's answer from resps[i]: [["-1.5", "False"]], ["-1.5"], or texts. */
static int rebuild_response(const struct eval_request *q, const json_t *answers, const char *place,
                            struct eval_response *r)
{
    const json_t *one = json_array_get(answers, 0);
    if (q->kind == EVAL_REQUEST_GENERATE) {
        size_t n = json_array_size(answers);
        if (!(r->texts = base_alloc_zero(n, sizeof *r->texts)))
            return BASE_E_MEMORY;
        for (size_t i = 0; i < n; i++) {
            const json_t *text = json_array_get(answers, i);
            if (!json_is_string(text))
                return base_error_set(BASE_E_FORMAT, "%s: resps: expected a text", place);
            if (!(r->texts[r->n_texts++] = base_strdup(json_string_value(text))))
                return BASE_E_MEMORY;
        }
        return 0;
    }
    const json_t *ll = json_is_array(one) ? json_array_get(one, 0) : one;
    const json_t *greedy = json_is_array(one) ? json_array_get(one, 1) : NULL;
    if (!number_of(ll, &r->logprob))
        return base_error_set(BASE_E_FORMAT, "%s: resps: expected a log-probability", place);
    const char *said = json_string_value(greedy);
    r->greedy = json_is_true(greedy) || (said && strcmp(said, "True") == 0);
    return 0;
}

/* What Assay's records have beside lm-eval's, exactly. */
static void rebuild_own(const json_t *own, size_t i, struct eval_response *r, struct rebuilt *out)
{
    const json_t *ll = json_array_get(get(own, "logprobs"), i);
    const json_t *first = json_array_get(get(own, "first_logprobs"), i);
    const json_t *tokens = json_array_get(get(own, "tokens"), i);
    const json_t *greedy = json_array_get(get(own, "greedy"), i);
    if (json_is_boolean(greedy)) /* a rolled text's stands nowhere else */
        r->greedy = json_is_true(greedy);
    if (json_is_number(ll))
        r->logprob = json_number_value(ll);
    if (json_is_number(first))
        r->first_logprob = json_number_value(first);
    if (json_is_integer(tokens))
        r->tokens = (size_t)json_integer_value(tokens);
    out->has_firsts &= first != NULL;
    out->has_tokens &= json_is_integer(tokens);
    if (i == 0) {
        r->skipped = json_is_true(get(own, "skipped"));
        r->boundary_retokenized = json_is_true(get(own, "boundary_retokenized"));
        r->cut = (size_t)json_integer_value(get(own, "cut"));
        const json_t *ids = get(own, "ids");
        for (size_t k = 0; k < json_array_size(ids) && k < 8; k++)
            r->ids[r->n_ids++] = (int32_t)json_integer_value(json_array_get(ids, k));
    }
}

static void copy_hash(const json_t *sample, const char *key, char out[65])
{
    const char *hash = json_string_value(get(sample, key));
    snprintf(out, 65, "%.64s", hash ? hash : "");
}

static int rebuild(const struct eval_task *t, const json_t *sample, const char *place,
                   struct rebuilt *out)
{
    struct eval_item *item = &out->item;
    const json_t *own = get(sample, "assay"), *resps = get(sample, "resps");
    size_t n = json_array_size(resps);
    *out = (struct rebuilt){ .has_tokens = true, .has_firsts = true };
    if (!json_is_object(get(sample, "doc")))
        return base_error_set(BASE_E_FORMAT, "%s: doc: expected an object", place);
    if (n == 0)
        return base_error_set(BASE_E_FORMAT, "%s: resps: expected a list of responses", place);
    item->doc_id = (size_t)json_integer_value(get(sample, "doc_id"));
    item->doc = json_incref(get(sample, "doc"));
    item->n_shots = (size_t)json_integer_value(get(own, "shots"));
    copy_hash(sample, "doc_hash", item->doc_hash);
    copy_hash(sample, "prompt_hash", item->prompt_hash);
    copy_hash(sample, "target_hash", item->target_hash);
    int rc = task_doc_target(t, &t->form, item->doc, &item->target);
    rc = rc ? rc : task_doc_choices(t, &t->form, item->doc, &item->choices);
    rc = rc ? rc : task_field_text(&t->cluster, item->doc, &item->cluster);
    rc = rc ? rc : task_field_text(&t->category, item->doc, &item->category);
    rc = rc ? rc : rebuild_requests(t, sample, item, n);
    if (rc == 0 && !(out->responses = base_alloc_zero(n, sizeof *out->responses)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = rebuild_response(&item->requests[i], json_array_get(resps, i), place,
                              &out->responses[i]);
        if (rc == 0)
            rebuild_own(own, i, &out->responses[i], out);
    }
    return rc;
}

/* A metric must not be made of what is not there. */
static int check_metrics(const struct eval_task *t, const struct rebuilt *r, const char *place)
{
    size_t choices = json_array_size(r->item.choices);
    if ((t->output == EVAL_OUTPUT_MULTIPLE_CHOICE || t->output == EVAL_OUTPUT_CLASSIFICATION) &&
        r->item.n_requests < choices)
        return base_error_set(BASE_E_FORMAT, "%s: %zu responses for %zu choices", place,
                              r->item.n_requests, choices);
    for (size_t i = 0; i < t->n_metrics; i++) {
        const char *base = t->metrics[i].base, *missing = NULL;
        if (strcmp(base, "acc_token") == 0 && !r->has_tokens)
            missing = "the number of tokens";
        else if (base_ends_with(base, "_first") && !r->has_firsts)
            missing = "first-token log-probabilities";
        else if (strcmp(base, "acc_mutual_info") == 0 && r->item.n_requests < 2 * choices)
            missing = "log-probabilities without context";
        if (missing)
            return base_error_set(BASE_E_UNSUPPORTED,
                                  "%s: %s needs %s, which the samples do not hold: run the "
                                  "evaluation with that metric",
                                  place, t->metrics[i].name, missing);
    }
    return 0;
}

/* ---- one task ---- */

/* The scores of a task asked by one strategy: "task@icl". */
struct asked {
    const char *name; /* of the parent's task */
    struct eval_scores scores;
};
struct rescoring {
    const struct eval_run *parent;
    const struct eval_rescore_options *options;
    struct eval_run_writer *writer;
    json_t *config, *results;
    struct asked *asked; /* [tasks of the parent] */
    size_t n_asked;
};

static int judge_one(struct rescoring *x, const char *name, const struct eval_task *t,
                     struct eval_tally *tally, const json_t *sample, const char *place)
{
    struct eval_scores *scores = &x->asked[x->n_asked - 1].scores;
    struct rebuilt r;
    json_t *records = NULL, *record;
    size_t i;
    int rc = rebuild(t, sample, place, &r);
    rc = rc ? rc : check_metrics(t, &r, place);
    if (rc == 0)
        rc = eval_task_judge(t, &r.item, r.responses, &records);
    json_array_foreach(records, i, record)
    {
        rc = rc ? rc : eval_run_add(x->writer, name, record);
        rc = rc ? rc : eval_tally_add(tally, record);
        rc = rc ? rc : eval_scores_add(scores, record);
    }
    json_decref(records);
    rebuilt_clear(&r);
    return rc;
}

static int rescore_task(struct rescoring *x, const char *name)
{
    struct eval_samples *s;
    struct eval_task *t = NULL;
    struct eval_tally *tally = NULL;
    json_t *sample = NULL, *result = NULL;
    char *filter = NULL;
    x->asked[x->n_asked++].name = name;
    int rc = eval_samples_open(&s, x->parent, name);
    while (rc == 0 && (rc = eval_samples_next(s, &sample)) > 0) {
        const char *of = json_string_value(get(sample, "filter"));
        rc = 0;
        of = of ? of : "none";
        if (!t) {
            rc = json_is_object(get(sample, "doc"))
                     ? open_task(&t, x->parent, name, x->options, get(sample, "doc"))
                     : base_error_set(BASE_E_FORMAT, "%s: doc: expected an object",
                                      eval_samples_place(s));
            rc = rc ? rc : eval_tally_new(&tally, t, x->options->level, x->options->seed);
            if (rc == 0 && !(filter = base_strdup(of)))
                rc = BASE_E_MEMORY;
        }
        if (rc == 0 && strcmp(of, filter) == 0)
            rc = judge_one(x, name, t, tally, sample, eval_samples_place(s));
        json_decref(sample);
        if (rc == 0 && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted: nothing was written");
    }
    if (rc == 0 && !t)
        rc = base_error_set(BASE_E_FORMAT, "%s: %s: no samples", x->parent->where, name);
    if (rc == 0 && (rc = eval_tally_finish(tally, &result)) == 0 &&
        (json_object_set(x->results, name, result) ||
         json_object_set_new(get(x->config, "tasks"), name, eval_task_config(t))))
        rc = out_of_memory();
    json_decref(result);
    base_free(filter);
    eval_tally_free(tally);
    eval_task_free(t);
    eval_samples_close(s);
    return rc;
}

static bool wanted(const struct eval_rescore_options *o, const char *task)
{
    for (size_t i = 0; i < o->n_only; i++)
        if (strcmp(o->only[i], task) == 0)
            return true;
    return o->n_only == 0;
}

/* Bytes of the task's name before "@strategy", or 0 when it was not asked by several. */
static size_t base_length(const char *name)
{
    const char *at = strrchr(name, '@');
    return at ? (size_t)(at - name) : 0;
}

/* The pairs of strategies again, by the new scores: as `assay eval --strategies` has them. */
static int compare_strategies(struct rescoring *x)
{
    enum { MOST = 4 };
    json_t *all = json_object();
    int rc = all ? 0 : out_of_memory();
    for (size_t i = 0, end; i < x->n_asked && rc == 0; i = end) {
        size_t n = base_length(x->asked[i].name), k = 0;
        struct eval_scores scores[MOST];
        const char *names[MOST];
        for (end = i; end < x->n_asked && k < MOST && (end == i || n) &&
                      base_length(x->asked[end].name) == n &&
                      strncmp(x->asked[end].name, x->asked[i].name, n) == 0;
             end++, k++) {
            scores[k] = x->asked[end].scores;
            names[k] = x->asked[end].name + n + 1;
        }
        if (k < 2 || n == 0)
            continue;
        json_t *pairs = NULL;
        char *task = base_strndup(x->asked[i].name, n);
        rc =
            task ? eval_scores_compare(scores, names, k, x->options->level, &pairs) : BASE_E_MEMORY;
        if (rc == 0 && json_object_set_new(all, task, pairs))
            rc = out_of_memory();
        base_free(task);
    }
    if (rc == 0 && json_object_size(all))
        rc = eval_run_compared(x->writer, all);
    json_decref(all);
    return rc;
}

int eval_rescore(const struct eval_run *parent, const struct eval_rescore_options *options,
                 const char *directory, char **id, json_t **results)
{
    struct rescoring x = { .parent = parent, .options = options, .results = json_object() };
    const char *const *names;
    size_t n = eval_run_tasks(parent, &names), done = 0;
    *id = NULL;
    *results = NULL;
    x.config = json_copy((json_t *)(uintptr_t)eval_run_config(parent));
    x.asked = base_alloc_zero(n, sizeof *x.asked);
    json_t *command =
        options->command ? json_incref((json_t *)(uintptr_t)options->command) : json_null();
    int rc =
        x.results && x.config && x.asked &&
                json_object_set_new(x.config, "tasks", json_object()) == 0 &&
                json_object_set_new(x.config, "command", command) == 0 &&
                json_object_set_new(x.config, "parent", json_string(eval_run_id_of(parent))) == 0
            ? eval_run_create(&x.writer, directory, x.config)
            : out_of_memory();
    for (size_t i = 0; i < n && rc == 0; i++)
        if (wanted(options, names[i]) && eval_run_has_samples(parent, names[i])) {
            rc = rescore_task(&x, names[i]);
            done++;
        }
    if (rc == 0 && done == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: has no samples%s to rescore", parent->where,
                            options->n_only ? " of those tasks" : "");
    rc = rc ? rc : compare_strategies(&x);
    if (rc == 0)
        rc = eval_run_finish(x.writer, x.results);
    if (rc == 0 && !(*id = base_strdup(eval_run_id(x.writer))))
        rc = BASE_E_MEMORY;
    if (rc == 0)
        *results = json_incref(x.results);
    for (size_t i = 0; i < x.n_asked; i++)
        eval_scores_free(&x.asked[i].scores);
    base_free(x.asked);
    eval_run_writer_free(x.writer);
    json_decref(x.config);
    json_decref(x.results);
    return rc;
}
