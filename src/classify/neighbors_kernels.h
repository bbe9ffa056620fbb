/* The inner loops of the searches for neighbours; see neighbors_kernels.c. */
#ifndef CLASSIFY_NEIGHBORS_KERNELS_H
#define CLASSIFY_NEIGHBORS_KERNELS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Points of a leaf of the k-d tree; queries that go through it together. */
enum { NEIGHBOR_LEAF = 128, NEIGHBOR_GROUP = 8 };

struct neighbor_kernels {
    /* Places i, ascending, with sum[i] >= least (length NULL) or sum[i] + s length[i] - half[i] >=
     * least; returns how many, or any number above `most` where there are more than that. n is a
     * multiple of 16; pick has room for n. */
    size_t (*select)(const float *sum, const float *length, const float *half, float s, float least,
                     size_t n, uint32_t base, size_t most, uint32_t *pick);
    /* sum += v value, n a multiple of 16 */
    void (*add)(float *sum, float v, const float *value, size_t n);
    /* out [GROUP][LEAF] = q [columns][GROUP] transposed, times leaf [columns][LEAF] */
    void (*products)(const float *leaf, const float *q, size_t columns, float *out);
    /* The squared distance of each of q [columns][GROUP] to the nearest point of box [columns][2],
     * or to the farthest; out [GROUP]. */
    void (*box)(const double *box, const double *q, size_t columns, bool farthest, double *out);
};
struct neighbor_kernels neighbor_kernels_best(void);
/* For tests: the widest instructions that may be used: 0 plain C, 1 AVX2, 2 AVX-512 (the default).
 */
void neighbor_isa_limit(int limit);
#endif
