/* Nearest and farthest rows of dense data: a k-d tree with fat leaves (Friedman, Bentley and Finkel
 * 1977, "An algorithm for finding best matches in logarithmic expected time").
 *
 * The points are halved at the median of their widest column until at most LEAF remain; a leaf
 * holds them column by column, so that one instruction works on the same column of eight points. A
 * lane adds (a_c - b_c)^2 with c ascending and without fused multiply-add, which is the definition
 * of neighbors.h bit for bit. Each node has the box its points lie in; the distance of the query to
 * the box, less a margin for rounding, bounds them all. With many columns nothing is cut off and
 * the same loop is a blocked brute force.
 *
 * Shapes: leaf [columns][LEAF], the unused places repeat the last point; box [columns][2]. */
#include "base/memory.h"
#include "classify/neighbors_private.h"
#include <math.h>
#include <string.h>

enum { LEAF = 128, GROUP = 32 };

struct node {
    size_t from, to; /* points, in the tree's order */
    int32_t below;   /* first of two children, which are neighbours; -1 for a leaf */
    size_t leaf;     /* number of the leaf */
};
struct tree {
    size_t columns, nodes, leaves;
    struct node *node;
    double *box;     /* [nodes][columns][2] */
    double *values;  /* [leaves][columns][LEAF] */
    uint32_t *order; /* [points] rows of x */
    double *dense;   /* [points][columns] while building, in the order of `point` */
};

typedef double lanes __attribute__((vector_size(64), aligned(8), may_alias));

/* d2 of q [columns] to the LEAF points of a leaf. */
static inline __attribute__((always_inline)) void
leaf_distances(const double *leaf, const double *q, size_t columns, double *out)
{
    for (size_t g = 0; g < LEAF; g += GROUP) {
        lanes s0 = { 0 }, s1 = { 0 }, s2 = { 0 }, s3 = { 0 };
        for (size_t c = 0; c < columns; c++) {
            const double *at = leaf + c * LEAF + g;
            lanes d0 = q[c] - *(const lanes *)(at), d1 = q[c] - *(const lanes *)(at + 8);
            lanes d2 = q[c] - *(const lanes *)(at + 16), d3 = q[c] - *(const lanes *)(at + 24);
            s0 += d0 * d0;
            s1 += d1 * d1;
            s2 += d2 * d2;
            s3 += d3 * d3;
        }
        *(lanes *)(out + g) = s0;
        *(lanes *)(out + g + 8) = s1;
        *(lanes *)(out + g + 16) = s2;
        *(lanes *)(out + g + 24) = s3;
    }
}
typedef void leaf_fn(const double *leaf, const double *q, size_t columns, double *out);
static void leaf_portable(const double *leaf, const double *q, size_t columns, double *out)
{
    leaf_distances(leaf, q, columns, out);
}
#if defined __x86_64__
__attribute__((target("avx2"))) static void leaf_avx2(const double *leaf, const double *q,
                                                      size_t columns, double *out)
{
    leaf_distances(leaf, q, columns, out);
}
__attribute__((target("avx512f"))) static void leaf_avx512(const double *leaf, const double *q,
                                                           size_t columns, double *out)
{
    leaf_distances(leaf, q, columns, out);
}
#endif
static leaf_fn *leaf_best(void)
{
#if defined __x86_64__
    if (neighbor_isa() == 2)
        return leaf_avx512;
    if (neighbor_isa() == 1)
        return leaf_avx2;
#endif
    return leaf_portable;
}

static void row_scatter(const struct classify_matrix *x, uint32_t row, double *to)
{
    memset(to, 0, x->columns * sizeof *to);
    for (size_t i = x->first[row]; i < x->first[row + 1]; i++)
        to[x->column[i]] = x->value[i];
}

static void tree_free(struct tree *t)
{
    base_free(t->node);
    base_free(t->box);
    base_free(t->values);
    base_free(t->order);
    base_free(t->dense);
}

/* Partly sorts pick [n] (places in dense) so that the first `half` are the lowest in column c,
 * equal values by place; quickselect with the middle one as pivot. */
static void tree_halve(const struct tree *t, uint32_t *pick, size_t n, size_t half, size_t c)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, want = (ptrdiff_t)half;
    while (low < high) {
        uint32_t middle = pick[(low + high) / 2];
        double pivot = t->dense[middle * t->columns + c];
        ptrdiff_t i = low, j = high;
        while (i <= j) {
            for (;; i++) {
                double v = t->dense[pick[i] * t->columns + c];
                if (!(v < pivot || (v == pivot && pick[i] < middle)))
                    break;
            }
            for (;; j--) {
                double v = t->dense[pick[j] * t->columns + c];
                if (!(v > pivot || (v == pivot && pick[j] > middle)))
                    break;
            }
            if (i <= j) {
                uint32_t swap = pick[i];
                pick[i++] = pick[j];
                pick[j--] = swap;
            }
        }
        if (want <= j)
            high = j;
        else if (want >= i)
            low = i;
        else
            return;
    }
}

static int tree_build(struct tree *t, const struct neighbor_search *s)
{
    size_t n = s->points, columns = s->x->columns, nodes = 1, cells, bytes;
    /* halving gives leaves of LEAF / 2 to LEAF points, so fewer than 2 points / LEAF + 1 of them */
    size_t most = 4 * (n / LEAF) + 3;
    *t = (struct tree){ .columns = columns };
    if (base_mul_size(n + LEAF, columns ? columns : 1, &cells) ||
        base_mul_size(cells, 4 * sizeof(double), &bytes))
        return base_error_set(BASE_E_LIMIT, "%zu rows of %zu columns are too many at once", n,
                              columns);
    t->node = base_alloc(most, sizeof *t->node);
    t->box = base_alloc(most, 2 * columns * sizeof *t->box);
    t->order = base_alloc(n, sizeof *t->order);
    t->dense = base_alloc(n, columns * sizeof *t->dense);
    if (!t->node || !t->box || !t->order || !t->dense)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        row_scatter(s->x, s->point[i], t->dense + i * columns);
        t->order[i] = (uint32_t)i;
    }
    t->node[0] = (struct node){ 0, n, -1, 0 };
    for (size_t v = 0; v < nodes; v++) {
        struct node *node = &t->node[v];
        double *box = t->box + v * 2 * columns;
        size_t widest = 0;
        double width = -1;
        for (size_t c = 0; c < columns; c++) {
            double least = INFINITY, most_c = -INFINITY;
            for (size_t i = node->from; i < node->to; i++) {
                double value = t->dense[t->order[i] * columns + c];
                least = value < least ? value : least;
                most_c = value > most_c ? value : most_c;
            }
            box[2 * c] = least;
            box[2 * c + 1] = most_c;
            if (most_c - least > width) {
                width = most_c - least;
                widest = c;
            }
        }
        if (node->to - node->from <= LEAF) {
            node->leaf = t->leaves++;
            continue;
        }
        size_t half = (node->to - node->from) / 2;
        if (columns)
            tree_halve(t, t->order + node->from, node->to - node->from, half, widest);
        node->below = (int32_t)nodes;
        t->node[nodes++] = (struct node){ node->from, node->from + half, -1, 0 };
        t->node[nodes++] = (struct node){ node->from + half, node->to, -1, 0 };
    }
    t->nodes = nodes;
    if (!(t->values = base_alloc(t->leaves * LEAF, columns * sizeof *t->values)))
        return BASE_E_MEMORY;
    for (size_t v = 0; v < nodes; v++) {
        const struct node *node = &t->node[v];
        if (node->below >= 0)
            continue;
        double *leaf = t->values + node->leaf * LEAF * columns;
        for (size_t i = 0; i < LEAF; i++) {
            size_t at = node->from + i < node->to ? node->from + i : node->to - 1;
            for (size_t c = 0; c < columns; c++)
                leaf[c * LEAF + i] = t->dense[t->order[at] * columns + c];
        }
    }
    for (size_t i = 0; i < n; i++)
        t->order[i] = s->point[t->order[i]];
    base_free(t->dense);
    t->dense = NULL;
    return 0;
}

/* A bound of the key (d2; -d2 for the farthest) of all points of a node: none is below it. */
static double box_bound(const struct tree *t, size_t v, const double *q, bool farthest)
{
    const double *box = t->box + v * 2 * t->columns;
    double sum = 0;
    for (size_t c = 0; c < t->columns; c++) {
        double low = box[2 * c] - q[c], high = q[c] - box[2 * c + 1];
        double d = farthest ? (low < high ? low : high) : (low > high ? low : high);
        d = farthest || d > 0 ? d : 0;
        sum += d * d;
    }
    /* each of the two sums is within columns + 2 roundings of the true value */
    double margin = 4e-16 * (double)(t->columns + 4);
    return farthest ? -sum * (1 + margin) : sum * (1 - margin);
}

struct visit {
    const struct tree *tree;
    struct neighbor_heap heap;
    const double *q;
    uint32_t self;
    bool farthest;
    leaf_fn *leaf;
};

static void visit_node(struct visit *w, size_t v)
{
    const struct tree *t = w->tree;
    const struct node *node = &t->node[v];
    if (node->below >= 0) {
        size_t first = (size_t)node->below, second = first + 1;
        double a = box_bound(t, first, w->q, w->farthest);
        double b = box_bound(t, second, w->q, w->farthest);
        if (b < a) {
            size_t swap = first;
            double bound = a;
            first = second, second = swap;
            a = b, b = bound;
        }
        if (a <= neighbor_heap_worst(&w->heap))
            visit_node(w, first);
        if (b <= neighbor_heap_worst(&w->heap))
            visit_node(w, second);
        return;
    }
    double d2[LEAF] __attribute__((aligned(64)));
    w->leaf(t->values + node->leaf * LEAF * t->columns, w->q, t->columns, d2);
    size_t n = node->to - node->from;
    double worst = neighbor_heap_worst(&w->heap);
    for (size_t i = 0; i < n; i++) {
        double key = w->farthest ? -d2[i] : d2[i];
        if (key <= worst && t->order[node->from + i] != w->self) {
            neighbor_heap_push(&w->heap, key, t->order[node->from + i]);
            worst = neighbor_heap_worst(&w->heap);
        }
    }
}

int neighbor_search_dense(const struct neighbor_search *s)
{
    struct tree tree;
    int threads = base_threads(), stop = 0;
    threads = (size_t)threads > s->queries ? (int)s->queries : threads;
    double *scratch = base_alloc((size_t)threads, s->x->columns * sizeof *scratch);
    int rc = tree_build(&tree, s);
    if (!rc && !scratch)
        rc = BASE_E_MEMORY;
    if (rc)
        goto out;
    leaf_fn *leaf = leaf_best();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int thread = 0; thread < threads; thread++) {
        double *q = scratch + (size_t)thread * s->x->columns;
        for (size_t i = (size_t)thread; i < s->queries; i += (size_t)threads) {
            int stopped;
#pragma omp atomic read
            stopped = stop;
            if (stopped)
                break;
            if (base_interrupted()) {
#pragma omp atomic write
                stop = 1;
            }
            row_scatter(s->x, s->query[i], q);
            struct visit w = { &tree,       { s->d2 + i * s->k, s->neighbor + i * s->k, 0, s->k },
                               q,           s->query[i],
                               s->farthest, leaf };
            visit_node(&w, 0);
            neighbor_heap_sort(&w.heap);
            for (size_t j = w.heap.n; j < s->k; j++) {
                w.heap.key[j] = INFINITY;
                w.heap.row[j] = UINT32_MAX;
            }
            for (size_t j = 0; s->farthest && j < w.heap.n; j++)
                w.heap.key[j] = -w.heap.key[j];
        }
    }
    if (stop)
        rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
out:
    tree_free(&tree);
    base_free(scratch);
    return rc;
}
