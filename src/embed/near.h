/* Searching all words for the nearest ones, eight questions at a time. */
#ifndef EMBED_NEAR_H
#define EMBED_NEAR_H
#include <assay/embed.h>

/* The unit vector of positive less negative words; query [stride]. */
void embed_question(const struct embed_vectors *v, const uint32_t *positive, size_t n_positive,
                    const uint32_t *negative, size_t n_negative, real *query);
void embed_near_put(struct embed_near *out, size_t top, size_t *n, uint32_t word,
                    double similarity);
/* Called with every word's cosine to every query, words in ascending order within a query. */
typedef void embed_near_fn(void *context, size_t query, uint32_t word, double similarity);
/* queries [at most 8][stride] unit vectors, against the first `limit` words. */
int embed_near_rows(const struct embed_vectors *v, const real *query, size_t queries, size_t limit,
                    embed_near_fn *keep, void *context);
#endif
