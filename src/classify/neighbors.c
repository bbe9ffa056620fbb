/* The definition, the heap of the best, and the choice between the searches; see neighbors.h. */
#include "classify/neighbors.h"
#include "base/memory.h"
#include "classify/neighbors_private.h"
#include <math.h>
#include <string.h>

/* v or 0, without a branch: which of two columns comes first is anybody's guess. */
static inline double value_if(double v, bool yes)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits &= -(uint64_t)yes;
    memcpy(&v, &bits, sizeof bits);
    return v;
}

/* Adds what is left of rows a and b from places i and j on, columns ascending. */
static double distance_rest(const struct classify_matrix *x, uint32_t a, uint32_t b, size_t i,
                            size_t j, double sum)
{
    size_t i_end = x->first[a + 1], j_end = x->first[b + 1];
    while (i < i_end && j < j_end) {
        uint32_t ci = x->column[i], cj = x->column[j];
        double d = value_if(x->value[i], ci <= cj) - value_if(x->value[j], cj <= ci);
        sum += d * d;
        i += ci <= cj;
        j += cj <= ci;
    }
    for (; i < i_end; i++)
        sum += x->value[i] * x->value[i];
    for (; j < j_end; j++)
        sum += x->value[j] * x->value[j];
    return sum;
}

double classify_distance2(const struct classify_matrix *x, uint32_t a, uint32_t b)
{
    return distance_rest(x, a, b, x->first[a], x->first[b], 0);
}

void neighbor_distances(const struct classify_matrix *x, uint32_t a, const uint32_t b[4],
                        double d2[4])
{
    /* A step of the merge waits for the one before it; merges side by side wait together. The end
     * of the shortest ends the loop. */
    const uint32_t *column = x->column;
    const double *value = x->value;
    for (size_t l = 0; l < 4; l += 2) {
        size_t i0 = x->first[a], i1 = i0, i_end = x->first[a + 1];
        size_t j0 = x->first[b[l]], j0_end = x->first[b[l] + 1];
        size_t j1 = x->first[b[l + 1]], j1_end = x->first[b[l + 1] + 1];
        double sum0 = 0, sum1 = 0;
        while (i0 < i_end && i1 < i_end && j0 < j0_end && j1 < j1_end) {
            uint32_t ci = column[i0], cj = column[j0], ck = column[i1], cl = column[j1];
            double d = value_if(value[i0], ci <= cj) - value_if(value[j0], cj <= ci);
            double e = value_if(value[i1], ck <= cl) - value_if(value[j1], cl <= ck);
            sum0 += d * d;
            sum1 += e * e;
            i0 += ci <= cj;
            j0 += cj <= ci;
            i1 += ck <= cl;
            j1 += cl <= ck;
        }
        d2[l] = distance_rest(x, a, b[l], i0, j0, sum0);
        d2[l + 1] = distance_rest(x, a, b[l + 1], i1, j1, sum1);
    }
}

static void heap_down(struct neighbor_heap *h, size_t at, size_t n, double key, uint32_t row)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n &&
            neighbor_after(h->key[child + 1], h->row[child + 1], h->key[child], h->row[child]))
            child++;
        if (!neighbor_after(h->key[child], h->row[child], key, row))
            break;
        h->key[at] = h->key[child];
        h->row[at] = h->row[child];
    }
    h->key[at] = key;
    h->row[at] = row;
}

void neighbor_heap_push(struct neighbor_heap *h, double key, uint32_t row)
{
    if (h->n == h->k) {
        if (h->k && neighbor_after(h->key[0], h->row[0], key, row))
            heap_down(h, 0, h->n, key, row);
        return;
    }
    size_t at = h->n++;
    for (size_t up; at > 0; at = up) {
        up = (at - 1) / 2;
        if (!neighbor_after(key, row, h->key[up], h->row[up]))
            break;
        h->key[at] = h->key[up];
        h->row[at] = h->row[up];
    }
    h->key[at] = key;
    h->row[at] = row;
}

void neighbor_heap_sort(struct neighbor_heap *h)
{
    for (size_t n = h->n; n > 1; n--) {
        double key = h->key[n - 1];
        uint32_t row = h->row[n - 1];
        h->key[n - 1] = h->key[0];
        h->row[n - 1] = h->row[0];
        heap_down(h, 0, n - 1, key, row);
    }
}

/* Dense is what is no smaller as an inverted index: from a fifth of the places filled, or few
 * columns. */
static bool search_is_dense(const struct neighbor_search *s)
{
    const struct classify_matrix *x = s->x;
    double filled = 0;
    for (size_t i = 0; i < s->points; i++)
        filled += (double)(x->first[s->point[i] + 1] - x->first[s->point[i]]);
    return x->columns <= 16 || filled * 5 >= (double)s->points * (double)x->columns;
}

static int search(struct neighbor_search s)
{
    for (size_t q = 0; q < s.queries * s.k; q++) {
        s.neighbor[q] = UINT32_MAX;
        if (s.d2)
            s.d2[q] = INFINITY;
    }
    if (s.queries == 0 || s.points == 0 || s.k == 0)
        return 0;
    double *own = NULL;
    if (!s.d2) {
        size_t n;
        if (base_mul_size(s.queries, s.k, &n))
            return base_error_set(BASE_E_LIMIT, "%zu neighbours of %zu rows", s.k, s.queries);
        if (!(s.d2 = own = base_alloc(n, sizeof *own)))
            return BASE_E_MEMORY;
    }
    int rc = 0;
    for (size_t i = 0; !rc && i < s.points + s.queries; i++) {
        uint32_t row = i < s.points ? s.point[i] : s.query[i - s.points];
        double sum = 0;
        for (size_t j = s.x->first[row]; j < s.x->first[row + 1]; j++)
            sum += s.x->value[j] * s.x->value[j];
        if (!(sum < 1e300))
            rc = base_error_set(BASE_E_NUMERIC,
                                "row %u: squared length %g; distances need values below 1e150", row,
                                sum);
    }
    if (!rc)
        rc = search_is_dense(&s) ? neighbor_search_dense(&s) : neighbor_search_sparse(&s);
    base_free(own);
    return rc;
}

int classify_neighbors_nearest(const struct classify_matrix *x, const uint32_t *point,
                               size_t points, const uint32_t *query, size_t queries, size_t k,
                               uint32_t *neighbor, double *d2)
{
    return search(
        (struct neighbor_search){ x, point, query, points, queries, k, false, neighbor, d2 });
}

int classify_neighbors_farthest(const struct classify_matrix *x, const uint32_t *point,
                                size_t points, const uint32_t *query, size_t queries, size_t k,
                                uint32_t *neighbor, double *d2)
{
    return search(
        (struct neighbor_search){ x, point, query, points, queries, k, true, neighbor, d2 });
}
