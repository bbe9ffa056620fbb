/* Shared by the searches of neighbors.h. */
#ifndef CLASSIFY_NEIGHBORS_PRIVATE_H
#define CLASSIFY_NEIGHBORS_PRIVATE_H
#include "classify/neighbors.h"
#include "classify/neighbors_kernels.h"

/* The k best seen so far of one query: a heap with the worst on top, worst by (key, row). key is
 * d2, or -d2 for the farthest. */
struct neighbor_heap {
    double *key;   /* [k] */
    uint32_t *row; /* [k] */
    size_t n, k;
};
static inline bool neighbor_after(double key, uint32_t row, double key2, uint32_t row2)
{
    return key > key2 || (key == key2 && row > row2);
}
void neighbor_heap_push(struct neighbor_heap *h, double key, uint32_t row);
/* Best first; the heap is one no more. */
void neighbor_heap_sort(struct neighbor_heap *h);
/* The worst key that still matters; INFINITY while the heap is not full. */
static inline double neighbor_heap_worst(const struct neighbor_heap *h)
{
    return h->n < h->k ? __builtin_inf() : h->key[0];
}

/* d2 of row a to four rows; quicker than one by one. */
void neighbor_distances(const struct classify_matrix *x, uint32_t a, const uint32_t b[4],
                        double d2[4]);

/* One search, as neighbors.h has it. */
struct neighbor_search {
    const struct classify_matrix *x;
    const uint32_t *point, *query;
    size_t points, queries, k;
    bool farthest;
    uint32_t *neighbor; /* [queries][k] */
    double *d2;         /* [queries][k], never NULL here */
};
int neighbor_search_sparse(const struct neighbor_search *s);
int neighbor_search_dense(const struct neighbor_search *s);
#endif
