/* What tallies compute of a set of items (tally_metric.c); tally.c collects them. */
#ifndef EVAL_TALLY_H
#define EVAL_TALLY_H
#include "eval/task_private.h"

/* Numbers per item: one (a) or two whose sums' ratio counts (a / b). */
struct tally_numbers {
    double *a, *b;    /* [n]; b is 1 where a metric has one number */
    size_t *unit;     /* [n] cluster, or the item's own number */
    size_t *category; /* [n] */
    size_t n, room;
    double *counts; /* [n][width] of corpus metrics (judge_corpus.h); a and b are 0 */
    size_t width;
};
/* Right and predicted class per item, with probabilities where they are known. */
struct tally_labels {
    size_t *gold, *predicted; /* [n] */
    size_t *first, *classes;  /* [n] probabilities[first .. first + classes) */
    size_t *unit, *category;  /* [n] */
    size_t n, room;
    double *probabilities;
    size_t n_probabilities, room_probabilities;
};
struct tally_rules {
    double level;
    uint64_t seed;
    bool clustered; /* units hold several items */
};
/* One metric over the items of `category` (SIZE_MAX: all): a new object as eval_tally_finish
 * describes. */
int tally_numbers_metric(const struct task_metric *m, const struct tally_numbers *s,
                         size_t category, const struct tally_rules *rules, json_t **out);
int tally_labels_metric(const struct task_metric *m, const struct tally_labels *s, size_t category,
                        const struct tally_rules *rules, json_t **out);
/* Rows: true class; labels may be NULL (then "0", "1", ...). New object. */
json_t *tally_confusion(const struct tally_labels *s, const json_t *labels);
/* Ten bins of the predicted class's probability. New list. */
json_t *tally_calibration(const struct tally_labels *s);
#endif
