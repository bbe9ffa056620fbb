/* Metrics of a whole corpus of texts: BLEU, chrF, chrF++ and TER. An item gives counts (its
 * sufficient statistics); the score is a function of their sums, so that any set of items, a
 * bootstrap's resample too, has one. */
#ifndef EVAL_JUDGE_CORPUS_H
#define EVAL_JUDGE_CORPUS_H
#include <assay/base.h>
#include <jansson.h>

enum { EVAL_CORPUS_WIDEST = 24 };
/* Counts of an item: 10 (bleu), 18 (chrf), 24 (chrf++), 2 (ter); 0 for other names. */
size_t eval_corpus_width(const char *metric);
/* One response against its right answers, a text or a list of texts (one at least), into
 * out [width]. BASE_E_FORMAT when they are not that. */
int eval_corpus_counts(const char *metric, const char *response, const json_t *references,
                       double *out);
/* The score, 0 .. 100 (ter: from 0 up), of summed counts. */
double eval_corpus_score(const char *metric, const double *sums);
/* SacreBLEU's signature of the definition, without its version and the number of references. */
const char *eval_corpus_signature(const char *metric);
#endif
