/* Prompting strategies side by side: the same items, asked in several ways, compared in pairs. */
#ifndef EVAL_RUNNER_PAIRS_H
#define EVAL_RUNNER_PAIRS_H
#include <assay/base.h>
#include <jansson.h>

/* The score of every item of a run: the sample's first metric that is a number. */
struct eval_scores {
    char metric[64]; /* "" as long as there is none */
    uint64_t *doc;   /* [n] doc_id, ascending */
    double *value;   /* [n] */
    size_t n, capacity;
};
/* Adds a sample record (of its first filter; those of others, and those without a score, are passed
 * over). */
int eval_scores_add(struct eval_scores *s, const json_t *sample);
void eval_scores_free(struct eval_scores *s);

/* All pairs of k runs over the items that both have: [{"a", "b", "metric", "n", "mean_a", "mean_b",
 * "difference" (b - a), "ci", "level", "p" (McNemar's mid-p for 0/1 scores, else the paired t
 * test's), "test", "p_adjusted" (Holm, over the pairs), "mcnemar": {"b" (only a right), "c" (only b
 * right), "exact", "midp"}}]. A pair that cannot be tested has "reason" instead of numbers. */
int eval_scores_compare(const struct eval_scores *scores, const char *const *names, size_t k,
                        double level, json_t **out);
#endif
