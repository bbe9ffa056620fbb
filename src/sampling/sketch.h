/* What a stream's values are, in a fixed amount of memory: how many different ones (HyperLogLog),
 * which quantiles (compactors), which rows come again (a sample of their hashes). Each says how far
 * off it can be. Results are functions of the input alone. */
#ifndef SAMPLING_SKETCH_H
#define SAMPLING_SKETCH_H
#include <assay/base.h>
#include <stdbool.h>

/* ---- different values: HyperLogLog (Flajolet et al. 2007) with 2^14 registers, read by Ertl's
 * improved estimator (2017, arXiv:1702.01284, algorithm 6), which has no bias at any size. Standard
 * error 1.04 / sqrt(2^14) = 0.81 %. */
enum { SAMPLING_DISTINCT_BITS = 14 };
struct sampling_distinct {
    uint8_t rank[1 << SAMPLING_DISTINCT_BITS];
};
/* hash: 64 well-mixed bits. */
static inline void sampling_distinct_add(struct sampling_distinct *d, uint64_t hash)
{
    uint64_t rest = hash << SAMPLING_DISTINCT_BITS | (uint64_t)1 << (SAMPLING_DISTINCT_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *at = &d->rank[hash >> (64 - SAMPLING_DISTINCT_BITS)];
    if (rank > *at)
        *at = rank;
}
double sampling_distinct_count(const struct sampling_distinct *d);
#define SAMPLING_DISTINCT_ERROR 0.0081

/* ---- quantiles: levels of compactors (Karnin, Lang and Liberty 2016, with equal levels). Level h
 * holds values of weight 2^h; a full one is sorted, and every second value goes one level up, from
 * the first or the second on by a coin of (level, time). A compaction moves a rank by 2^h at the
 * most, so the sum of those made bounds the error of every rank for certain; coins make the usual
 * error some ten times smaller. */
enum { SAMPLING_QUANTILES_WIDTH = 4096, SAMPLING_QUANTILES_LEVELS = 52 };
struct sampling_quantiles {
    double *level[SAMPLING_QUANTILES_LEVELS]; /* [WIDTH], allocated when first used */
    uint32_t held[SAMPLING_QUANTILES_LEVELS];
    bool unsorted[SAMPLING_QUANTILES_LEVELS];
    uint64_t compactions[SAMPLING_QUANTILES_LEVELS];
    uint64_t n;
    int rc; /* first failure */
};
/* Adds x `count` times. Failures are kept in rc. */
void sampling_quantiles_add_many(struct sampling_quantiles *s, double x, uint64_t count);
/* Makes level h able to take a value. */
void sampling_quantiles_room(struct sampling_quantiles *s, int level);
static inline void sampling_quantiles_add(struct sampling_quantiles *s, double x)
{
    if (!s->level[0] || s->held[0] == SAMPLING_QUANTILES_WIDTH)
        sampling_quantiles_room(s, 0);
    if (s->rc)
        return;
    s->level[0][s->held[0]++] = x;
    s->n++;
}
/* The values at the shares q [k], ascending: out[i] is a value whose rank is within error n of
 * q[i] n. n >= 1. */
int sampling_quantiles_read(struct sampling_quantiles *s, const double *q, size_t k, double *out);
/* Largest error of a rank, as a share of n. */
double sampling_quantiles_error(const struct sampling_quantiles *s);
void sampling_quantiles_free(struct sampling_quantiles *s);

/* ---- rows that come again: rows whose hash is below 2^(64-level) are counted, every one at level
 * 0; when there are too many, the level rises and half are dropped (Gibbons 2001, distinct
 * sampling). A row's copies are all kept or all dropped, so counts times 2^level are unbiased. */
enum { SAMPLING_REPEATS_MOST = 1 << 20 };
struct sampling_repeat {
    uint64_t hash;  /* 0 = empty */
    uint32_t count; /* stops at its largest */
    uint32_t row;   /* number of the first, stops at its largest */
};
struct sampling_repeats {
    struct sampling_repeat *slot;
    size_t capacity, held;
    int level;
    uint64_t rows;
    struct {
        uint32_t first, again; /* row numbers */
    } example[3];
    size_t examples;
    /* rows on their way: the memory of each is asked for a few rows before it is needed */
    struct {
        uint64_t hash, row;
    } waiting[16];
};
int sampling_repeats_add(struct sampling_repeats *r, uint64_t hash);
/* After the last row. */
int sampling_repeats_end(struct sampling_repeats *r);
/* Rows that equal an earlier one, and the standard error of that number (0: exact). */
double sampling_repeats_count(const struct sampling_repeats *r, double *error);
void sampling_repeats_free(struct sampling_repeats *r);

/* 64 mixed bits of a cell or row (after wyhash's folded products): never 0. */
uint64_t sampling_hash(const char *bytes, size_t n);
#endif
