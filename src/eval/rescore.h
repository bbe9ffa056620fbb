/* Rescoring: saved samples judged again, with the task as it was or with other metrics and filters;
 * no model is asked. Works on Assay's runs and on lm-eval's samples files. */
#ifndef EVAL_RESCORE_H
#define EVAL_RESCORE_H
#include <assay/results.h>

struct eval_rescore_options {
    const char *task;        /* judge by this task (a name or a YAML file) instead of the run's own
                                configuration; NULL: that. A samples file by itself needs it */
    const char *include;     /* a further directory of task files, or NULL */
    const char *const *only; /* [n_only] names of the run's tasks; none: all with samples */
    size_t n_only;
    const char *const *metrics; /* [n_metrics] instead of the task's; none: the task's */
    size_t n_metrics;
    const char *const *filters; /* [n_filters] instead of the task's: each a mapping as in
                                   filter_list, "{name: x, filter: [{function: regex, ...}]}" */
    size_t n_filters;
    const json_t *command; /* for the record; may be NULL */
    double level;
    uint64_t seed; /* of bootstraps */
};
/* Writes a run to `directory` that names `parent` as its parent. *id: the new run's, new string
 * (base_free); *results: {task: what eval_tally_finish gives}, new reference. Tasks without samples
 * are left out; none left is BASE_E_ARGUMENT. A metric that needs what the samples do not hold
 * (tokens or first-token log-probabilities in lm-eval's files) is BASE_E_UNSUPPORTED. */
int eval_rescore(const struct eval_run *parent, const struct eval_rescore_options *options,
                 const char *directory, char **id, json_t **results);
#endif
