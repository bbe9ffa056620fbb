/* Drawing units with replacement for the bootstrap, 64 random words at a time, and ordering
 * numbers. Private to the room stats. */
#ifndef STATS_DRAW_H
#define STATS_DRAW_H
#include <stddef.h>
#include <stdint.h>

enum { STATS_DRAW_GROUP = 128 }; /* most draws a group of 64 words gives */

/* One resample's draws from n units: a pure function of (seed, resample). */
struct stats_draw {
    uint32_t key[2];  /* Philox key of (seed, BASE_RNG_BOOTSTRAP) */
    uint32_t item[2]; /* the resample */
    uint32_t n;       /* units, 1 to 2^32 - 1 */
    uint32_t reject;  /* a word whose rest is below this is thrown away */
    int per_word;     /* draws a word gives: 1 or 2 */
};
struct stats_draw stats_draw_make(uint64_t seed, uint32_t n);
void stats_draw_resample(struct stats_draw *d, uint64_t resample);
/* The draws of group g (0, 1, ...) to unit[STATS_DRAW_GROUP]; returns how many. */
size_t stats_draw_group(const struct stats_draw *d, uint32_t group,
                        uint64_t unit[STATS_DRAW_GROUP]);
/* How often each of the n units is among the first n draws. */
void stats_draw_counts(const struct stats_draw *d, uint32_t *pick);
/* Sum of x[unit] over the first n draws: eight running sums in turn, added pairwise. */
double stats_draw_sum(const struct stats_draw *d, const double *x);
/* For tests: 0 = the portable code, 1 = at most AVX2, 2 = AVX-512 where there is one (default). */
void stats_draw_limit(int level);

/* Sorts n numbers without NaN into ascending order (-0 before 0); scratch [n]. */
void stats_sort(double *x, size_t n, double *scratch);
/* The same with own scratch, falling back on qsort when memory is out. */
void stats_sort_alone(double *x, size_t n);
/* order[i] = place of the i-th smallest of x [n]; equal values keep their order. BASE_E_MEMORY. */
int stats_order(const double *x, size_t n, size_t *order);
#endif
