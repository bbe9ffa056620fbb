/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
 * easy as 1, 2, 3"). A stream is (seed, purpose, item); the k-th number of a stream is a pure
 * function of the four, so results never depend on batch, thread or rank. */
#ifndef BASE_RNG_H
#define BASE_RNG_H
#include <stdint.h>

enum base_rng_purpose {
    BASE_RNG_INIT = 1,  /* parameter initialisation; item = parameter index */
    BASE_RNG_DROPOUT,   /* item = step and site */
    BASE_RNG_SHUFFLE,   /* data order; item = epoch */
    BASE_RNG_SAMPLE,    /* token sampling; item = sequence; counter = step */
    BASE_RNG_BOOTSTRAP, /* item = resample */
    BASE_RNG_CORPUS,    /* corpus generation; item = document */
    BASE_RNG_USER,      /* first free; up to 63 */
    BASE_RNG_ROWS = 64, /* rows of a table; item = stratum, stage or pass */
    BASE_RNG_GRAPH,     /* walks and draws on a graph; item = walker or step */
    BASE_RNG_FOLD,      /* splits and folds; item = repetition */
    BASE_RNG_RESAMPLE,  /* over- and undersampling; item = class */
    BASE_RNG_EMBED,     /* word vectors; item = epoch and place, or word */
};
struct base_rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4]; /* the current four outputs */
    unsigned used;     /* how many of block are used; 4 = none left */
};
/* The raw bijection: out = Philox4x32-10(counter, key). */
void base_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
struct base_rng base_rng_make(uint64_t seed, uint32_t purpose, uint64_t item);
/* Jump: the next number will be the index-th 32-bit output of the stream. */
void base_rng_seek(struct base_rng *r, uint64_t index);
uint32_t base_rng_u32(struct base_rng *r);
uint64_t base_rng_u64(struct base_rng *r);
double base_rng_uniform(struct base_rng *r); /* [0,1), 53 bits */
/* Unbiased integer in [0, n), n >= 1 (Lemire 2019 with rejection). */
uint64_t base_rng_below(struct base_rng *r, uint64_t n);
double base_rng_normal(struct base_rng *r); /* N(0,1), Box-Muller, no hidden state */
#endif
