/* Nearest and farthest rows of dense data: a k-d tree with fat leaves (Friedman, Bentley and Finkel
 * 1977, "An algorithm for finding best matches in logarithmic expected time"), whose leaves are
 * filtered in float32.
 *
 * The points are halved at the median of their widest column until at most LEAF remain. Queries go
 * through the tree in GROUPS groups of GROUP that lie near each other: a group enters a node while
 * the box around its points is no farther than what some query of it still looks for. In a leaf
 *
 *     d2 ~ |x|^2 + |y|^2 - 2 x.y
 *
 * is computed for all of the group and the leaf at once, in float32, of rows that are moved by the
 * points' mean (which changes no distance, but takes large common parts out of the sums) and scaled
 * to length 1 at most; only what may be within the query's worst distance, with a margin for all of
 * that rounding, is computed by the definition of neighbors.h. With many columns no box is cut off,
 * and the same loop is a blocked brute force at the speed of a matrix product.
 *
 * Margin, in units of the scaled d2: rounding a row to float32 moves it by 6e-8 at most, moving it
 * by the mean by 2^-52 times its largest value; a product's sum of p terms is within p 6e-8. */
#include "base/memory.h"
#include "classify/neighbors_private.h"
#include <math.h>
#include <string.h>

/* Groups go together so that a leaf is read from far memory once for all of them. */
enum { LEAF = NEIGHBOR_LEAF, GROUP = NEIGHBOR_GROUP, GROUPS = 4, BATCH = GROUP * GROUPS };

struct node {
    size_t from, to; /* points, in the tree's order */
    int32_t below;   /* first of two children, which are neighbours; -1 for a leaf */
    size_t leaf;     /* number of the leaf */
};
struct tree {
    size_t columns, nodes, leaves;
    struct node *node;
    double *box;     /* [nodes][columns][2] */
    double *dense;   /* [points][columns], in the order of `point` */
    uint32_t *order; /* [points] places in `point`, leaf after leaf */
    double *mean;    /* [columns] of the points */
    float *value;    /* [leaves][columns][LEAF] moved and scaled; the unused places are 0 */
    float *half;     /* [leaves][LEAF] |y|^2 / 2; minus that for the farthest */
    double scale, margin;
};
struct scratch {
    double *wide;     /* [GROUPS][columns][GROUP] queries as they are */
    double *query;    /* [BATCH][columns] the same */
    float *narrow;    /* [GROUPS][columns][GROUP] moved and scaled; minus that for the farthest */
    float *product;   /* [GROUP][LEAF] */
    float *best;      /* [k + 1] */
    uint32_t *pick;   /* [LEAF] */
    double x2[BATCH]; /* scaled */
};

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
    base_free(t->dense);
    base_free(t->order);
    base_free(t->mean);
    base_free(t->value);
    base_free(t->half);
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

/* The box of node v; the widest column. */
static size_t tree_box(const struct tree *t, size_t v)
{
    const struct node *node = &t->node[v];
    double *box = t->box + v * 2 * t->columns, width = -1;
    size_t widest = 0;
    for (size_t c = 0; c < t->columns; c++) {
        box[2 * c] = INFINITY;
        box[2 * c + 1] = -INFINITY;
    }
    for (size_t i = node->from; i < node->to; i++) {
        const double *row = t->dense + t->order[i] * t->columns;
        for (size_t c = 0; c < t->columns; c++) {
            box[2 * c] = row[c] < box[2 * c] ? row[c] : box[2 * c];
            box[2 * c + 1] = row[c] > box[2 * c + 1] ? row[c] : box[2 * c + 1];
        }
    }
    for (size_t c = 0; c < t->columns; c++)
        if (box[2 * c + 1] - box[2 * c] > width) {
            width = box[2 * c + 1] - box[2 * c];
            widest = c;
        }
    return widest;
}

/* |row - mean|^2; *largest grows to the largest value of the row. */
static double moved_square(const struct tree *t, const double *row, double *largest)
{
    double sum = 0;
    for (size_t c = 0; c < t->columns; c++) {
        double v = row[c] - t->mean[c];
        *largest = fabs(row[c]) > *largest ? fabs(row[c]) : *largest;
        sum += v * v;
    }
    return sum;
}

/* scale, margin and the leaves' float32 values. */
static int tree_narrow(struct tree *t, const struct neighbor_search *s, double *row)
{
    size_t columns = t->columns;
    double longest = 0, largest = 0;
    for (size_t i = 0; i < s->points; i++)
        for (size_t c = 0; c < columns; c++)
            t->mean[c] += t->dense[i * columns + c] / (double)s->points;
    for (size_t i = 0; i < s->points + s->queries; i++) {
        if (i >= s->points)
            row_scatter(s->x, s->query[i - s->points], row);
        double square = moved_square(t, i < s->points ? t->dense + i * columns : row, &largest);
        longest = square > longest ? square : longest;
    }
    t->scale = longest > 0 ? 1 / sqrt(longest) : 1;
    t->margin =
        (double)(columns + 16) * 2.4e-7 + 16 * t->scale * 2.3e-16 * largest * sqrt((double)columns);
    t->value = base_alloc_zero(t->leaves * LEAF, columns * sizeof *t->value);
    t->half = base_alloc_zero(t->leaves * LEAF, sizeof *t->half);
    if (!t->value || !t->half)
        return BASE_E_MEMORY;
    for (size_t v = 0; v < t->nodes; v++) {
        const struct node *node = &t->node[v];
        for (size_t i = node->from; node->below < 0 && i < node->to; i++) {
            const double *from = t->dense + t->order[i] * columns;
            float *to = t->value + node->leaf * LEAF * columns + (i - node->from);
            for (size_t c = 0; c < columns; c++)
                to[c * LEAF] = (float)((from[c] - t->mean[c]) * t->scale);
            double half = moved_square(t, from, &largest) * t->scale * t->scale / 2;
            t->half[node->leaf * LEAF + i - node->from] = (float)(s->farthest ? -half : half);
        }
    }
    return 0;
}

static int tree_build(struct tree *t, const struct neighbor_search *s)
{
    size_t n = s->points, columns = s->x->columns, bytes;
    /* halving gives leaves of more than LEAF / 2 points, so at most 2 n / LEAF + 1 of them */
    size_t most = 4 * (n / LEAF) + 3;
    *t = (struct tree){ .columns = columns };
    if (base_mul_size(n + LEAF, 4 * sizeof(double), &bytes) ||
        base_mul_size(bytes, columns + 1, &bytes))
        return base_error_set(BASE_E_LIMIT, "%zu rows of %zu columns are too many at once", n,
                              columns);
    t->node = base_alloc(most, sizeof *t->node);
    t->box = base_alloc(most, 2 * columns * sizeof *t->box);
    t->order = base_alloc(n, sizeof *t->order);
    t->dense = base_alloc(n, columns * sizeof *t->dense);
    t->mean = base_alloc_zero(columns, sizeof *t->mean);
    double *row = base_alloc(columns, sizeof *row);
    int rc = t->node && t->box && t->order && t->dense && t->mean && row ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < n; i++) {
        row_scatter(s->x, s->point[i], t->dense + i * columns);
        t->order[i] = (uint32_t)i;
    }
    if (!rc)
        t->node[t->nodes++] = (struct node){ 0, n, -1, 0 };
    for (size_t v = 0; v < t->nodes; v++) {
        struct node *node = &t->node[v];
        size_t widest = tree_box(t, v), size = node->to - node->from;
        if (size <= LEAF) {
            node->leaf = t->leaves++;
            continue;
        }
        if (columns)
            tree_halve(t, t->order + node->from, size, size / 2, widest);
        node->below = (int32_t)t->nodes;
        t->node[t->nodes++] = (struct node){ node->from, node->from + size / 2, -1, 0 };
        t->node[t->nodes++] = (struct node){ node->from + size / 2, node->to, -1, 0 };
    }
    if (!rc)
        rc = tree_narrow(t, s, row);
    base_free(row);
    return rc;
}

/* The leaf that lies nearest to q, by the boxes on the way. */
static size_t tree_leaf(const struct tree *t, const double *q)
{
    size_t v = 0;
    while (t->node[v].below >= 0) {
        size_t child = (size_t)t->node[v].below;
        double sum[2] = { 0, 0 };
        for (size_t b = 0; b < 2; b++)
            for (size_t c = 0; c < t->columns; c++) {
                const double *box = t->box + ((child + b) * t->columns + c) * 2;
                double d = q[c] - (box[0] + box[1]) / 2;
                sum[b] += d * d;
            }
        v = child + (sum[1] < sum[0]);
    }
    return t->node[v].leaf;
}

struct visit {
    const struct neighbor_search *s;
    const struct tree *tree;
    const struct neighbor_kernels *f;
    struct scratch *t;
    size_t n; /* queries in the batch */
    uint32_t self[BATCH];
    struct neighbor_heap heap[BATCH];
};

/* The (k + 1)-th largest of sum - half in a leaf of n > k + 1 points: one of them may be the query.
 */
static float leaf_best(struct scratch *t, size_t k, const float *sum, const float *half, size_t n)
{
    size_t filled = 0;
    for (size_t i = 0; i < n; i++) {
        float v = sum[i] - half[i];
        if (filled == k + 1 && v <= t->best[k])
            continue;
        size_t at = filled <= k ? filled++ : k;
        for (; at > 0 && t->best[at - 1] < v; at--)
            t->best[at] = t->best[at - 1];
        t->best[at] = v;
    }
    return t->best[k];
}

static void visit_leaf(struct visit *w, const struct node *node, size_t group)
{
    const struct tree *tree = w->tree;
    struct scratch *t = w->t;
    size_t columns = tree->columns, size = node->to - node->from, k = w->s->k;
    double sign = w->s->farthest ? -1 : 1, back = tree->scale * tree->scale;
    const float *half = tree->half + node->leaf * LEAF;
    w->f->products(tree->value + node->leaf * LEAF * columns, t->narrow + group * columns * GROUP,
                   columns, t->product);
    for (size_t j = group * GROUP; j < (group + 1) * GROUP && j < w->n; j++) {
        struct neighbor_heap *heap = &w->heap[j];
        const float *sum = t->product + j % GROUP * LEAF;
        double worst = neighbor_heap_worst(heap), least = -INFINITY;
        /* x.y - |y|^2 / 2 >= (|x|^2 - d2) / 2, both sides with the key's sign */
        if (isfinite(worst))
            least = (sign * t->x2[j] - worst * back - tree->margin) / 2;
        else if (heap->n == 0 && size > k + 1)
            least = (double)leaf_best(t, k, sum, half, size) - tree->margin;
        size_t found = w->f->select(sum, half, half, 0, (float)(least - fabs(least) * 1.2e-7),
                                    (size + 15) / 16 * 16, 0, LEAF, t->pick);
        const double *q = t->query + j * columns;
        for (size_t i = 0; i < found && t->pick[i] < size; i++) {
            uint32_t place = tree->order[node->from + t->pick[i]], row = w->s->point[place];
            if (row == w->self[j])
                continue;
            const double *y = tree->dense + place * columns;
            double d2 = 0;
            for (size_t c = 0; c < columns; c++)
                d2 += (q[c] - y[c]) * (q[c] - y[c]);
            neighbor_heap_push(heap, sign * d2, row);
        }
    }
}

/* `wants` has a bit for each group that enters. */
static void visit_node(struct visit *w, size_t v, unsigned wants)
{
    const struct tree *t = w->tree;
    const struct node *node = &t->node[v];
    if (node->below < 0) {
        for (size_t g = 0; g < GROUPS; g++)
            if (wants >> g & 1)
                visit_leaf(w, node, g);
        return;
    }
    double bound[2][BATCH], sum[2] = { 0, 0 };
    /* each side of a comparison is within columns + 2 roundings of the true value */
    double margin = 4e-16 * (double)(t->columns + 4);
    for (size_t b = 0; b < 2; b++)
        for (size_t g = 0; g < GROUPS; g++) {
            if (!(wants >> g & 1))
                continue;
            double *of = bound[b] + g * GROUP;
            w->f->box(t->box + ((size_t)node->below + b) * 2 * t->columns,
                      w->t->wide + g * t->columns * GROUP, t->columns, w->s->farthest, of);
            for (size_t j = 0; j < GROUP; j++) {
                of[j] = w->s->farthest ? -of[j] * (1 + margin) : of[j] * (1 - margin);
                sum[b] += of[j];
            }
        }
    for (size_t b = 0; b < 2; b++) {
        size_t side = b ^ (sum[1] < sum[0]);
        unsigned now = 0;
        for (size_t j = 0; j < w->n; j++)
            if (wants >> j / GROUP & 1 && bound[side][j] <= neighbor_heap_worst(&w->heap[j]))
                now |= 1U << j / GROUP;
        if (now)
            visit_node(w, (size_t)node->below + side, now);
    }
}

/* The batch's queries: `pick` [n] of the search's. */
static void visit_batch(struct visit *w, const uint32_t *pick, size_t n)
{
    const struct neighbor_search *s = w->s;
    const struct tree *tree = w->tree;
    struct scratch *t = w->t;
    size_t columns = tree->columns;
    double unused = 0, sign = s->farthest ? -tree->scale : tree->scale;
    unsigned wants = 0;
    w->n = n;
    for (size_t j = 0; j < (n + GROUP - 1) / GROUP * GROUP; j++) {
        /* the places of a group that is not full repeat its last query */
        size_t i = pick[j < n ? j : n - 1], at = j / GROUP * columns * GROUP + j % GROUP;
        double *q = t->query + j * columns;
        row_scatter(s->x, s->query[i], q);
        for (size_t c = 0; c < columns; c++) {
            t->wide[at + c * GROUP] = q[c];
            t->narrow[at + c * GROUP] = (float)(sign * (q[c] - tree->mean[c]));
        }
        t->x2[j] = moved_square(tree, q, &unused) * tree->scale * tree->scale;
        w->self[j] = s->query[i];
        w->heap[j] = (struct neighbor_heap){ s->d2 + i * s->k, s->neighbor + i * s->k, 0, s->k };
        wants |= 1U << j / GROUP;
    }
    visit_node(w, 0, wants);
    for (size_t j = 0; j < n; j++) {
        struct neighbor_heap *heap = &w->heap[j];
        neighbor_heap_sort(heap);
        for (size_t i = heap->n; i < s->k; i++) {
            heap->key[i] = INFINITY;
            heap->row[i] = UINT32_MAX;
        }
        for (size_t i = 0; s->farthest && i < heap->n; i++)
            heap->key[i] = -heap->key[i];
    }
}

/* Queries ordered by the leaf that lies nearest. */
static int order_queries(const struct tree *t, const struct neighbor_search *s, uint32_t *order)
{
    size_t *first = base_alloc_zero(t->leaves + 1, sizeof *first);
    uint32_t *leaf = base_alloc(s->queries, sizeof *leaf);
    double *q = base_alloc(t->columns, sizeof *q);
    int rc = first && leaf && q ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < s->queries; i++) {
        row_scatter(s->x, s->query[i], q);
        leaf[i] = (uint32_t)tree_leaf(t, q);
        first[leaf[i] + 1]++;
    }
    for (size_t i = 0; !rc && i < t->leaves; i++)
        first[i + 1] += first[i];
    for (size_t i = 0; !rc && i < s->queries; i++)
        order[first[leaf[i]]++] = (uint32_t)i;
    base_free(first);
    base_free(leaf);
    base_free(q);
    return rc;
}

static void scratch_free(struct scratch *t)
{
    base_free(t->wide);
    base_free(t->query);
    base_free(t->narrow);
    base_free(t->product);
    base_free(t->best);
    base_free(t->pick);
}

int neighbor_search_dense(const struct neighbor_search *s)
{
    struct tree tree;
    size_t columns = s->x->columns, batches = (s->queries + BATCH - 1) / BATCH;
    int threads = base_threads(), stop = 0;
    threads = (size_t)threads > batches ? (int)batches : threads;
    struct scratch *scratch = base_alloc_zero((size_t)threads, sizeof *scratch);
    uint32_t *order = base_alloc(s->queries, sizeof *order);
    int rc = tree_build(&tree, s);
    if (!rc && !(scratch && order))
        rc = BASE_E_MEMORY;
    for (int i = 0; !rc && i < threads; i++) {
        struct scratch *t = &scratch[i];
        t->wide = base_alloc(columns, BATCH * sizeof *t->wide);
        t->query = base_alloc(columns, BATCH * sizeof *t->query);
        t->narrow = base_alloc(columns, BATCH * sizeof *t->narrow);
        t->product = base_alloc(GROUP * LEAF, sizeof *t->product);
        t->best = base_alloc(s->k + 1, sizeof *t->best);
        t->pick = base_alloc(LEAF, sizeof *t->pick);
        if (!t->wide || !t->query || !t->narrow || !t->product || !t->best || !t->pick)
            rc = BASE_E_MEMORY;
    }
    if (!rc)
        rc = order_queries(&tree, s, order);
    if (rc)
        goto out;
    const struct neighbor_kernels kernels = neighbor_kernels_best();
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int thread = 0; thread < threads; thread++) {
        struct visit w = { .s = s, .tree = &tree, .f = &kernels, .t = &scratch[thread] };
        for (size_t g = (size_t)thread; g < batches; g += (size_t)threads) {
            int stopped;
#pragma omp atomic read
            stopped = stop;
            if (stopped)
                break;
            if (base_interrupted()) {
#pragma omp atomic write
                stop = 1;
            }
            size_t n = s->queries - g * BATCH;
            visit_batch(&w, order + g * BATCH, n < BATCH ? n : BATCH);
        }
    }
    if (stop)
        rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
out:
    for (int i = 0; scratch && i < threads; i++)
        scratch_free(&scratch[i]);
    base_free(scratch);
    base_free(order);
    tree_free(&tree);
    return rc;
}
