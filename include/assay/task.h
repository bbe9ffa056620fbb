/* task: from a task's description to requests, and from responses to metrics.
 *
 * A task is lm-eval's YAML (or a built-in one of tasks/). Its documents become items; an item holds
 * the requests to put to a model; a backend (backend.h) answers them; the task judges the answers
 * into a sample record, and a tally turns the records into metrics with intervals.
 *
 *   documents -> eval_item -> requests -> eval_backend -> responses -> sample -> tally -> results
 */
#ifndef ASSAY_TASK_H
#define ASSAY_TASK_H
#include <assay/base.h>
#include <jansson.h>
#include <stdbool.h>

enum eval_output {
    EVAL_OUTPUT_LOGLIKELIHOOD,
    EVAL_OUTPUT_MULTIPLE_CHOICE,
    EVAL_OUTPUT_ROLLING,        /* loglikelihood_rolling */
    EVAL_OUTPUT_GENERATE,       /* generate_until */
    EVAL_OUTPUT_CLASSIFICATION, /* constrained labels: multiple_choice with a confusion matrix */
};

/* How an item is put to the model. */
enum eval_strategy_kind {
    EVAL_STRATEGY_TASK,        /* as the task's file says */
    EVAL_STRATEGY_INSTRUCTION, /* the instruction before the item, no examples */
    EVAL_STRATEGY_CLOZE,       /* a text to be continued by the answer itself */
    EVAL_STRATEGY_ICL,         /* k solved examples before the item */
};

struct eval_generation {
    char **until; /* [n_until] stop strings */
    size_t n_until;
    size_t max_tokens;
    bool sample; /* false: greedy */
    double temperature, top_p;
    int64_t top_k;
    size_t repeats; /* responses per request */
};

enum eval_request_kind { EVAL_REQUEST_LOGLIKELIHOOD, EVAL_REQUEST_ROLLING, EVAL_REQUEST_GENERATE };
/* One question to a model. Texts are NUL-terminated UTF-8, owned by the item. */
struct eval_request {
    enum eval_request_kind kind;
    char *context;      /* "" for rolling */
    char *continuation; /* loglikelihood: scored; rolling: the text; generate: NULL */
    const struct eval_generation *generation; /* generate: the task's; else NULL */
    uint64_t seed;                            /* generate with sampling: of this request alone */
};
/* The answer. Zeroed, then filled by a backend; eval_response_clear frees what it holds. */
struct eval_response {
    double logprob;            /* natural log, summed over the continuation's tokens */
    bool greedy;               /* every token was the most probable one */
    size_t tokens;             /* scored (or generated) */
    double first_logprob;      /* of the continuation's first token */
    bool boundary_retokenized; /* a token spans the border between context and continuation */
    size_t cut;                /* tokens that --overlength dropped */
    bool skipped;              /* --overlength skip: not asked */
    int32_t ids[8];            /* the first ids the model saw (shows the BOS policy) */
    size_t n_ids;
    char **texts; /* generate: [repeats] */
    size_t n_texts;
};
void eval_response_clear(struct eval_response *r);

/* One document, ready to be asked. */
struct eval_item {
    size_t doc_id; /* index in the evaluated split */
    json_t *doc;
    json_t *target;  /* what doc_to_target gave: a string, an index, or a list */
    json_t *choices; /* multiple choice: list of strings; else NULL */
    int64_t gold;    /* index of the right choice; -1: none, several, or not known */
    struct eval_request *requests;
    size_t n_requests;
    size_t n_shots; /* solved examples in the context */
    /* As lm-eval computes them. SHA-256 of json.dumps(doc, indent=2, ensure_ascii=False): what
     * `assay compare` matches on; of the first request's context (rolling: of the text); of
     * str(target). */
    char doc_hash[65];
    char prompt_hash[65];
    char target_hash[65];
    char *cluster;  /* for clustered errors (e.g. a passage), or NULL */
    char *category; /* for tables by category, or NULL */
};
void eval_item_clear(struct eval_item *item);

struct eval_task_options {
    const char *data;    /* --data: where data files are looked for first; NULL = beside the YAML */
    const char *include; /* a further directory of task files, or NULL */
    int64_t fewshot;     /* examples; -1 = as the task says */
    bool fewshot_python; /* draw as lm-eval does: CPython's random.Random(seed).sample */
    uint64_t fewshot_seed; /* 1234 is lm-eval's */
    bool fewshot_balanced; /* the same number of examples of each label, as near as k allows */
    enum eval_strategy_kind strategy;
    const char *system; /* --system: before the description; NULL = none */
    /* Turns messages ([{"role", "content"}]) into the prompt text of an instruct model; NULL =
     * none. New string (base_free). When the last message is the assistant's it is to be continued,
     * else the generation prompt is added. */
    int (*chat)(void *context, const json_t *messages, char **text);
    void *chat_context;
    bool chat_single_turn; /* the examples in one user message, not one turn each */
    size_t limit;          /* at most so many documents; 0 = all */
    const size_t *samples; /* only these doc_ids [n_samples], ascending; NULL = all */
    size_t n_samples;
    uint64_t seed; /* of sampling in generation */
};
#define EVAL_TASK_OPTIONS_DEFAULT                                                                  \
    {                                                                                              \
        .fewshot = -1, .fewshot_seed = 1234                                                        \
    }

/* Zeroed options are not the defaults: use EVAL_TASK_OPTIONS_DEFAULT. Strings are borrowed for the
 * task's life. */
struct eval_task;
/* name: a built-in task, one found in options->include, or the path of a YAML file. A group or tag
 * is opened with eval_tasks_expand first. Refuses what it does not know by file, line, key, reason.
 */
int eval_task_open(struct eval_task **out, const char *name,
                   const struct eval_task_options *options);
void eval_task_free(struct eval_task *t);
const char *eval_task_name(const struct eval_task *t);
enum eval_output eval_task_output(const struct eval_task *t);
/* The task as it is used (all keys, after include and options), for the run's record. New ref. */
json_t *eval_task_config(const struct eval_task *t);
size_t eval_task_count(const struct eval_task *t); /* items that will be asked */
/* Documents of the evaluated split, whatever limit or samples leave out. */
size_t eval_task_documents(const struct eval_task *t);
/* 1 and the next item, 0 at the end, negative on failure. Items come in the order of doc_id. */
int eval_task_next(struct eval_task *t, struct eval_item *item);
int eval_task_rewind(struct eval_task *t);

/* Without data: reads NAME (as eval_task_open) with its includes, checks every key and compiles
 * every template. *config (may be NULL): as eval_task_config. */
int eval_task_check(const char *name, const struct eval_task_options *options, json_t **config);
/* [{"name", "kind": "task"|"group"|"tag", "type", "description", "source": "built-in"|file, "data":
 * file or null, "missing": reason or null, "items": n or null, "members": [..]}], sorted by name:
 * built-in tasks, then those of options->include. count: read the data to count the items. */
int eval_tasks_list(const struct eval_task_options *options, bool count, json_t **list);

/* Names of tasks behind a name: a task itself, a group's or tag's members, "a,b,c". New array of
 * new strings (eval_names_free). */
int eval_tasks_expand(const char *names, const struct eval_task_options *options, char ***out,
                      size_t *n);
void eval_names_free(char **names, size_t n);
/* For every group among `names` ("a,b,c"), and groups within groups: its aggregate_metric_list over
 * results ({task: what eval_tally_finish gave}). micro (weight_by_size, the default): all items as
 * one set, lm-eval's pooled stderr; macro: every task counts once, sqrt(sum se^2)/K. *groups:
 * {group: {metric: {"value", "stderr", "ci", "method", "n", "tasks", "weight_by_size", "filter"},
 * "members": names in the group's list, "alias", "version"}} */
int eval_groups_aggregate(const char *names, const struct eval_task_options *options,
                          const json_t *results, double level, json_t **groups);

/* lm-eval's sample record as its samples file holds it (doc_id, doc, target as text, arguments
 * {"gen_args_0": {"arg_0": context, "arg_1": continuation}}, resps and filtered_resps as text,
 * filter, metrics, doc_hash, prompt_hash, target_hash, and each metric by its name) and ours beside
 * it under "assay": {"strategy", "shots", "gold", "prediction", "logprobs", "first_logprobs",
 * "tokens", "greedy", "cluster", "category", "cloze", "cut", "skipped", "boundary_retokenized",
 * "ids"}. One record per filter: *samples is a list. responses [item->n_requests]. An item with a
 * skipped response has no metrics. */
int eval_task_judge(const struct eval_task *t, const struct eval_item *item,
                    const struct eval_response *responses, json_t **samples);

/* Metrics from sample records, as they come or from a file of an earlier run. */
struct eval_tally;
int eval_tally_new(struct eval_tally **out, const struct eval_task *t, double level, uint64_t seed);
int eval_tally_add(struct eval_tally *y, const json_t *sample);
/* {"acc": {"value", "stderr", "ci": [lo, hi], "method": "wilson", "n", "filter",
 * "higher_is_better"}, ..., "n", "skipped", "by_category": {category: {metric: {..}}},
 * "confusion": {"labels", "matrix" (rows: true)}, "calibration": [{"low", "high", "n",
 * "confidence", "accuracy"}] where they apply}. With several filters the second and later ones'
 * metrics are named "metric,filter". A metric that cannot be computed has value null and a
 * "reason". */
int eval_tally_finish(struct eval_tally *y, json_t **results);
void eval_tally_free(struct eval_tally *y);
#endif
