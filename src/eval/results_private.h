/* What the files of results share: names, keys, and how a metric is read from a sample. */
#ifndef EVAL_RESULTS_PRIVATE_H
#define EVAL_RESULTS_PRIVATE_H
#include <assay/results.h>

#define EVAL_RUN_FORMAT 1 /* of run.json: "assay_run" */
#define EVAL_RUN_ID     12

/* name with each run of "<>:/|\?*[] as "__": re.sub(r"[\"<>:/\|\\?\*\[\]]+", "__", name). New
 * string. */
char *eval_results_sanitize(const char *name);
/* "acc,none" -> "acc" and "none" (points into key); 0 when there is no comma. */
size_t eval_results_split_key(const char *key, const char **filter);
/* True for "acc_stderr" of "acc_stderr,none": length of the metric's name without it. */
bool eval_results_is_stderr(const char *metric, size_t n);

/* base_json_parse, which also takes what Python writes for numbers that JSON has not: NaN, Infinity
 * and -Infinity become strings. */
int eval_results_parse(json_t **out, const char *text, size_t n, const char *name);

/* A metric's value in a sample. */
enum eval_value_kind {
    EVAL_VALUE_MISSING, /* the sample does not have it */
    EVAL_VALUE_NUMBER,
    EVAL_VALUE_RATIO, /* [log-likelihood, words or bytes]: *value is minus the first */
    EVAL_VALUE_OTHER, /* labels, lists: not a number per item */
};
enum eval_value_kind eval_results_value(const json_t *sample, const char *metric, double *value,
                                        double *weight);
/* True for names of perplexities, whose [a, b] is a ratio and not a pair of labels. */
bool eval_results_is_perplexity(const char *metric);
/* True for the members of a sample record that are not metrics ("doc_id", "resps", ...). */
bool eval_results_is_member(const char *key);
/* Lower is better for perplexities, losses and calibration errors; metric_list of the task's
 * configuration (may be NULL) says otherwise. */
bool eval_results_higher_is_better(const json_t *task_config, const char *metric);
#endif
