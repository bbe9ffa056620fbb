/* Exact nearest neighbours among rows of float64, Euclidean.
 *
 * The definition, which every path computes to the last bit whatever the density, the instruction
 * set or the number of threads:
 *
 *     d2(a, b) = sum over columns c, ascending, of (a_c - b_c)^2      each step rounded to float64
 *
 * The neighbours of a row are the other rows (never itself, even where others are identical to it),
 * nearest first by (d2, row number): of equally distant rows the one with the lower number comes
 * first. d2 is symmetric and 0 only between identical rows, so ties between identical rows, and on
 * data of few distinct values, are real ties and go by row number.
 *
 * (scikit-learn's brute force computes |a|^2 - 2ab + |b|^2, in which equal distances differ by
 * rounding, takes the row itself for a neighbour and leaves out whichever came first, and breaks
 * ties by the state of a heap: on rows with exact duplicates its answer is arbitrary.)
 *
 * Time: sparse rows are searched through an inverted index in float32 with a bound, and only what
 * the bound cannot exclude is computed by the definition (neighbors_sparse.c); dense ones in blocks
 * of a k-d tree (neighbors_dense.c). Memory: a copy of the points and one float per point and
 * thread. */
#ifndef CLASSIFY_NEIGHBORS_H
#define CLASSIFY_NEIGHBORS_H
#include "classify/matrix.h"

/* d2 of rows a and b of x. */
double classify_distance2(const struct classify_matrix *x, uint32_t a, uint32_t b);

/* The k nearest of the rows `point` [points] for each of the rows `query` [queries] (rows of x;
 * points distinct) to neighbor [queries][k] (row numbers of x) and, unless NULL, d2 [queries][k].
 * Where a query has fewer than k points beside itself the rest is UINT32_MAX and INFINITY.
 * BASE_E_NUMERIC when a squared length overflows, BASE_E_MEMORY, BASE_E_INTERRUPTED. */
int classify_neighbors_nearest(const struct classify_matrix *x, const uint32_t *point,
                               size_t points, const uint32_t *query, size_t queries, size_t k,
                               uint32_t *neighbor, double *d2);
/* The same for the k farthest, farthest first; of equally distant rows the lower number first. */
int classify_neighbors_farthest(const struct classify_matrix *x, const uint32_t *point,
                                size_t points, const uint32_t *query, size_t queries, size_t k,
                                uint32_t *neighbor, double *d2);
#endif
