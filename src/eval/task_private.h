/* What the task files share: the description as read (task_file), what it means (task_config), its
 * documents (task_data), a field's value (task_field), examples (task_fewshot), the prompt
 * (task_prompt), filters (task_filter), judging (judge) and tallies (tally).
 *
 * A description is one JSON object with lm-eval's keys, after includes, overrides and the chosen
 * strategy. Everything in struct eval_task that is `const json_t *` is borrowed from it. */
#ifndef EVAL_TASK_PRIVATE_H
#define EVAL_TASK_PRIVATE_H
#include "base/buffer.h"
#include "eval/python_random.h"
#include <assay/task.h>
#include <assay/template.h>

/* ---- files (task_file.c, task_builtin.c) ---- */

/* Where a description comes from, for messages with line numbers. */
struct task_source {
    char *path;   /* as shown: a path, or "builtin:tasks/NAME.yaml" */
    char *folder; /* of the file; "builtin:tasks" for built-in ones */
    char *text;   /* the file's own text (not of its includes) */
};
void task_source_clear(struct task_source *s);
/* First line on which KEY stands before a colon; 0 = not in this text. */
size_t task_source_line(const struct task_source *s, const char *key);
/* "FILE:LINE: KEY: " and the message (format may be without a key: NULL). Returns code. */
int task_refuse(const struct task_source *s, int code, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Files that are part of the program, by their path in the repository ("tasks/sums.yaml",
 * "models/heldout/sums.jsonl"); false when there is none. */
bool task_builtin(const char *path, const char **data, size_t *bytes);
/* The i-th built-in path, NULL at the end. */
const char *task_builtin_path(size_t i);
/* Reads a file that may be "builtin:...": new NUL-terminated text. */
int task_file_read(const char *path, char **text, size_t *bytes);
bool task_file_exists(const char *path);
/* folder + "/" + name with "." and ".." resolved for built-in folders; name when it is absolute. */
char *task_path_join(const char *folder, const char *name);

/* One YAML file with its includes merged (own keys win); keys are not looked at. */
int task_yaml_load(const char *path, json_t **config, struct task_source *source);
/* The description behind a name (see eval_task_open). "GROUP::TASK": a group's member with the
 * group's overrides. */
int task_find(const char *name, const struct eval_task_options *options, json_t **config,
              struct task_source *source);
/* Refuses keys that are not known or not supported, each with its line and reason. Moves the
 * members of metadata.assay up. */
int task_keys_check(json_t *config, const struct task_source *source);
/* Levenshtein-nearest known key, or NULL. */
const char *task_nearest(const char *word, const char *const *words, size_t n);

/* ---- fields: doc_to_text and the like (task_field.c) ---- */
struct task_field {
    const json_t *given;       /* NULL or null: not given */
    struct template *template; /* of a string */
    bool column;               /* the string is the name of a column */
};
int task_field_init(struct task_field *f, const json_t *given, const char *key,
                    const struct task_source *source);
void task_field_clear(struct task_field *f);
static inline bool task_field_set(const struct task_field *f)
{
    return f->given && !json_is_null(f->given);
}
/* The column, the rendered text, or the constant itself. New reference. */
int task_field_value(const struct task_field *f, const json_t *doc, json_t **out);
/* As text: str() of the value; NULL in *out when the field is not given. New string. */
int task_field_text(const struct task_field *f, const json_t *doc, char **out);

struct task_form { /* how a document is written: as the item, or as a solved example */
    struct task_field text, target, choice, gen_prefix;
    const char *target_delimiter, *fewshot_delimiter;
};
/* doc_to_text: a string, or an integer (the right one of several contexts). */
int task_doc_text(const struct eval_task *t, const struct task_form *f, const json_t *doc,
                  json_t **out);
/* doc_to_target: string, integer, list, or whatever the column holds. */
int task_doc_target(const struct eval_task *t, const struct task_form *f, const json_t *doc,
                    json_t **out);
/* doc_to_choice: a list of strings; *out NULL when the task has none. */
int task_doc_choices(const struct eval_task *t, const struct task_form *f, const json_t *doc,
                     json_t **out);

/* The index of the right choice from what doc_to_target (or doc_to_text) gives: an integer, a
 * boolean, or a text looked up among the choices; -100 beyond them, as lm-eval counts it. */
json_int_t task_gold_index(const json_t *gold, const json_t *choices);

/* ---- metrics and filters ---- */
enum task_metric_kind {
    TASK_METRIC_MEAN,          /* a number per item */
    TASK_METRIC_EXP_MEAN,      /* exp(-mean): perplexity */
    TASK_METRIC_RATIO,         /* exp(-sum a / sum b): word_perplexity, byte_perplexity */
    TASK_METRIC_BITS,          /* -sum a / sum b / ln 2 */
    TASK_METRIC_LABELS,        /* of pairs (true, predicted): f1, mcc, ... */
    TASK_METRIC_PROBABILITIES, /* of (true, probabilities): brier_score, ece, roc_auc, pr_auc */
    TASK_METRIC_MEDIAN,
    TASK_METRIC_CORPUS, /* of (references, response): bleu, chrf, chrf++, ter (judge_corpus.h) */
};
struct task_metric {
    const char *name; /* as reported */
    const char *base; /* what is computed: "pass@k" for "pass@5" */
    enum task_metric_kind kind;
    bool higher_is_better;
    bool proportion; /* values are 0 or 1 */
    size_t k;        /* of pass@k and its like */
    bool ignore_case, ignore_punctuation, ignore_numbers;
    const json_t *regexes_to_ignore; /* list of strings or NULL */
};
struct task_filter_step;
struct task_filter {
    const char *name;
    struct task_filter_step *steps; /* [n_steps] */
    size_t n_steps;
};
int task_filters_init(struct task_filter **out, size_t *n, const json_t *list,
                      const struct task_source *source, enum eval_output output);
void task_filters_free(struct task_filter *filters, size_t n);
/* responses: list of strings; doc: the item's document (multi_choice_regex reads its choices).
 * *out: what is left of them: a string, null or a list (lm-eval's
 * filtered_resps of one instance). *all: the list before responses were chosen among. */
int task_filter_apply(const struct task_filter *f, const json_t *responses, const json_t *doc,
                      json_t **out, json_t **all);
/* re.sub(pattern, "", s): new string. */
int task_regex_remove(const char *pattern, const char *s, char **out);

/* ---- examples ---- */
struct task_message {
    const char *role; /* static */
    char *content;
    const char *delimiter; /* after it, in plain text; borrowed */
};
struct task_shot { /* an example as messages: question and answer; n 0: not rendered yet */
    struct task_message at[2];
    size_t n;
};
enum task_sampler { TASK_SAMPLER_DEFAULT, TASK_SAMPLER_FIRST_N, TASK_SAMPLER_BALANCED };

struct eval_task {
    char *name;
    struct task_source source;
    json_t *config;                   /* all keys, strategy applied */
    struct eval_task_options options; /* strings borrowed */
    enum eval_output output;
    struct task_form form, shot_form;
    struct task_field description, cluster, category, denominator;
    struct task_metric *metrics;
    size_t n_metrics;
    struct task_filter *filters;
    size_t n_filters;
    struct eval_generation generation;
    json_t *generation_config; /* lm-eval's generation_kwargs, with defaults */
    size_t shots;
    enum task_sampler sampler;
    json_t *labels; /* classification: the label texts; else NULL */

    json_t *docs;                  /* list: the evaluated split */
    json_t *shot_docs;             /* list: examples are drawn from it; NULL without examples */
    struct task_shot *shots_ready; /* [shot_docs], or NULL before the first draw */
    json_t *columns;               /* object: the columns' names */
    char *data_path;               /* file of the evaluated split */
    bool multiple_input, multiple_target;
    bool shot_excludes_item; /* lm-eval's rule: the same split by name */
    size_t *picked;          /* [n_items] doc_ids */
    size_t n_items, next;
    struct python_random random;
    json_t *shot_labels; /* balanced draw: list, the label of each of shot_docs as a number */
    size_t n_shot_labels;
};

/* Reads config into t (t->name, source, config, options set). */
int task_config_read(struct eval_task *t);
/* Applies options.strategy to config, before it is read. */
int task_strategy_apply(json_t *config, const struct eval_task_options *options,
                        const struct task_source *source);

/* ---- data ---- */
/* Reads the evaluated split and, when t->shots > 0, the examples' split. */
int task_data_load(struct eval_task *t);
/* The rest of loading, from t->docs and t->columns: which fields name a column, and what kind of
 * task the first document shows. */
int task_data_bind(struct eval_task *t);
/* The file of the evaluated split: new string, or NULL and *missing what is not there (new
 * string). */
int task_data_locate(const struct eval_task *t, char **path, char **missing);

/* k examples for a document, lm-eval's draw or ours: indices into shot_docs. */
int task_fewshot_draw(struct eval_task *t, const json_t *doc, size_t doc_id, size_t *out);
/* Fills the item's requests and hashes. */
int task_prompt_build(struct eval_task *t, struct eval_item *item);

/* ---- scores of generated text (judge_text.c) ---- */
/* 1 or 0: exact_match of two texts under the metric's options; negative on failure. */
int task_exact_match(const struct task_metric *m, const char *prediction, const char *reference);
/* SQuAD's token F1 in [0, 1]; negative on failure. */
double task_squad_f1(const char *prediction, const char *reference);
#endif
