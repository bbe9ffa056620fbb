/* The corpus of the built-in model: a small world in plain English, made from a seed.
 *
 * Everything a model is later asked on held-out items is kept apart by construction, not by luck:
 *   facts    phrasing p of fact f is held out when (p + hash(f)) mod FACT_FOLDS == 0, so every fact
 * is seen in most phrasings and every phrasing with most facts; reviews  a pair (thing, opinion
 * word) is held out by its hash; test reviews hold only such pairs; lists    a word list is held
 * out by the hash of its words in order; sums     a pair of summands is held out by its hash.
 * Document i is a pure function of (seed, i): its numbers come from one counter-based stream. */
#ifndef MODELS_CORPUS_H
#define MODELS_CORPUS_H
#include "base/buffer.h"
#include "base/rng.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CORPUS_SEPARATOR    "<|endoftext|>"
#define CORPUS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One generator of documents or test items; what it writes goes to `out`. */
struct corpus {
    struct base_rng rng;
    struct base_buffer *out;
    int error; /* first failure of an append; later appends do nothing */
};

/* corpus.c: small tools of all parts. */
void corpus_put(struct corpus *c, const char *text);
void corpus_printf(struct corpus *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Uniform in [0, n). */
size_t corpus_below(struct corpus *c, size_t n);
/* True with probability percent/100. */
bool corpus_chance(struct corpus *c, size_t percent);
/* The first n entries of order become a uniform random sample without repetition of 0..total-1;
 * order has room for total. */
void corpus_sample(struct corpus *c, size_t *order, size_t total, size_t n);
/* Hash of two strings, the same on every machine; `salt` separates its uses. */
uint64_t corpus_hash(const char *a, const char *b, uint64_t salt);
#define CORPUS_PICK(c, array) ((array)[corpus_below((c), CORPUS_COUNT(array))])

/* Documents: each appends the text of one document, which ends in a newline. */
void corpus_facts_document(struct corpus *c);
void corpus_reviews_document(struct corpus *c);
void corpus_lists_document(struct corpus *c);
void corpus_sums_document(struct corpus *c);
void corpus_story_document(struct corpus *c);
/* Names with locker numbers, each sentence exactly `repeats` times in the whole corpus: what has
 * been read how often is known, for studies of memorization. Sentence `index` of the list of all
 * repetitions in a fixed order; false when index is beyond the last. */
bool corpus_locker_sentence(size_t index, char *text, size_t bytes);

/* Held-out items: each returns a new array of objects, NULL when memory is out. */
json_t *corpus_facts_heldout(uint64_t seed);
json_t *corpus_reviews_heldout(uint64_t seed);
json_t *corpus_lists_heldout(uint64_t seed);
json_t *corpus_list_pairs_heldout(uint64_t seed);
json_t *corpus_sums_heldout(uint64_t seed);
json_t *corpus_lockers_heldout(void);

/* One whole document (any kind), a pure function of seed and index. */
int corpus_document(uint64_t seed, uint64_t index, struct base_buffer *out);
#endif
