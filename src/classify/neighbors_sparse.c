/* Nearest rows of sparse data: an inverted index with bounds, then the definition.
 *
 * Split the columns of a query x into those read so far, P, and the rest, S. For a point y with
 * a = sum over P of x_c y_c the Cauchy-Schwarz inequality bounds what is still to come:
 *
 *     x.y <= a + |x_S| |y_S|,     |y_S|^2 <= |y|^2 - a^2 / |x_P|^2
 *
 * so y can be among the neighbours, whose k-th is at most at the squared distance T, only if
 *
 *     a + |x_S| |y_S| >= (|x|^2 + |y|^2 - T) / 2.                                    (1)
 *
 * Lists are read in the order of x_c^2 / (length of the list of c): what takes most of x for the
 * least reading, which in TF-IDF rows is the rare terms; the few terms that are in every other row,
 * most of the index, are mostly never read (the idea of prefix filtering: Bayardo, Ma and Srikant
 * 2007, "Scaling up all pairs similarity search"; Anastasiu and Karypis 2014, "L2AP"). T comes from
 * the k rows with the largest a so far, whose distances are computed at once: any k rows bound it.
 * Before a long list is read, the rows that (1) leaves over are counted; when computing them is
 * cheaper than the list, reading ends. What is left over is computed by the definition and ordered.
 *
 * The farthest rows are those with the largest -d2: sums and halves have the other sign, all lists
 * are read, and the same k rows bound the rest.
 *
 * Sums of the index are float32. Every comparison gives away a margin that covers their rounding,
 * so the result does not depend on it. All rows are scaled by one number so that no length
 * exceeds 1. */
#include "base/memory.h"
#include "classify/neighbors_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Points of a block; from which length on a list is also kept with a place for every point of the
 * block, so that it is read a vector at a time; what reading it so costs, and what computing a
 * distance costs, in entries of lists. */
enum { BLOCK = 4096, WIDE = 512, WIDE_COST = 192, DISTANCE_COST = 40 };

struct block {
    size_t points;
    const uint32_t *point; /* [points] rows of x */
    size_t *first;         /* [columns + 2] */
    uint32_t *entry;       /* places in the block */
    float *value;          /* scaled */
    uint32_t *wide;        /* [columns] which of the wide lists, UINT32_MAX for none */
    float *wide_value;     /* [wide lists][BLOCK] */
    float *length,
        *half;      /* [BLOCK + 16] |y| and |y|^2 / 2, scaled; half: minus that for the farthest */
    double *square; /* [BLOCK] |y|^2, not scaled */
    double longest; /* scaled */
    bool even;      /* all lengths are the same to float32's precision */
};
/* The queries' values in the order they are read. */
struct terms {
    size_t *first;    /* [queries + 1] */
    uint32_t *column; /* [first[queries]] */
    double *value;    /* scaled */
    double *square;   /* [queries] |x|^2, scaled */
};
struct scratch {
    float *sum;          /* [BLOCK + 16] a */
    uint32_t *pick;      /* [BLOCK + 16] */
    double *rest;        /* [longest query + 1] |x_S|^2 before each term */
    double *wide;        /* [columns] the query, zeros elsewhere; zero between queries */
    float *best;         /* [k] largest a */
    uint32_t *best_pick; /* [k] */
};
struct search {
    const struct neighbor_search *s;
    struct terms terms;
    struct block block;
    double scale;
    uint32_t *place; /* [x->rows] where each row is among the points */
    size_t longest;  /* terms of a query */
    struct scratch *scratch;
    int threads;
};

static double row_square(const struct classify_matrix *x, uint32_t row)
{
    double sum = 0;
    for (size_t i = x->first[row]; i < x->first[row + 1]; i++)
        sum += x->value[i] * x->value[i];
    return sum;
}

struct term {
    double worth, value; /* x_c^2 / length of the list; x_c */
    uint32_t column;
};
static int term_compare(const void *a, const void *b)
{
    const struct term *p = a, *q = b;
    if (p->worth != q->worth)
        return p->worth < q->worth ? 1 : -1;
    return p->column < q->column ? -1 : p->column > q->column;
}

/* The queries' terms, scaled, best first. */
static int terms_make(struct search *w)
{
    const struct neighbor_search *s = w->s;
    const struct classify_matrix *x = s->x;
    size_t values = 0;
    double longest = 0;
    for (size_t i = 0; i < s->queries; i++) {
        size_t n = x->first[s->query[i] + 1] - x->first[s->query[i]];
        double square = row_square(x, s->query[i]);
        longest = square > longest ? square : longest;
        w->longest = n > w->longest ? n : w->longest;
        values += n;
    }
    for (size_t i = 0; i < s->points; i++) {
        double square = row_square(x, s->point[i]);
        longest = square > longest ? square : longest;
    }
    w->scale = longest > 0 ? 1 / sqrt(longest) : 1;
    struct terms *t = &w->terms;
    t->first = base_alloc(s->queries + 1, sizeof *t->first);
    t->column = base_alloc(values, sizeof *t->column);
    t->value = base_alloc(values, sizeof *t->value);
    t->square = base_alloc(s->queries, sizeof *t->square);
    struct term *term = base_alloc(w->longest, sizeof *term);
    uint32_t *in = base_alloc_zero(x->columns, sizeof *in);
    int rc = t->first && t->column && t->value && t->square && term && in ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < s->points; i++)
        for (size_t j = x->first[s->point[i]]; j < x->first[s->point[i] + 1]; j++)
            in[x->column[j]]++;
    size_t at = 0;
    for (size_t i = 0; !rc && i < s->queries; i++) {
        size_t from = x->first[s->query[i]], n = x->first[s->query[i] + 1] - from;
        double square = 0;
        for (size_t j = 0; j < n; j++) {
            double v = x->value[from + j] * w->scale;
            term[j] = (struct term){ v * v / ((double)in[x->column[from + j]] + 1), v,
                                     x->column[from + j] };
            square += v * v;
        }
        qsort(term, n, sizeof *term, term_compare);
        t->first[i] = at;
        t->square[i] = square;
        for (size_t j = 0; j < n; j++, at++) {
            t->column[at] = term[j].column;
            t->value[at] = term[j].value;
        }
    }
    if (!rc)
        t->first[s->queries] = at;
    base_free(term);
    base_free(in);
    return rc;
}

/* The index of points from .. from + BLOCK. */
static void block_fill(struct search *w, size_t from)
{
    const struct neighbor_search *s = w->s;
    const struct classify_matrix *x = s->x;
    struct block *b = &w->block;
    b->points = s->points - from < BLOCK ? s->points - from : BLOCK;
    b->point = s->point + from;
    memset(b->first, 0, (x->columns + 2) * sizeof *b->first);
    for (size_t i = 0; i < b->points; i++)
        for (size_t j = x->first[b->point[i]]; j < x->first[b->point[i] + 1]; j++)
            b->first[x->column[j] + 2]++;
    for (size_t c = 2; c <= x->columns; c++)
        b->first[c] += b->first[c - 1];
    /* first[c + 1] is now where the list of c begins, and moves on to where it ends */
    double longest = 0, shortest = INFINITY;
    memset(b->length, 0, (BLOCK + 16) * sizeof *b->length);
    memset(b->half, 0, (BLOCK + 16) * sizeof *b->half);
    for (size_t i = 0; i < b->points; i++) {
        for (size_t j = x->first[b->point[i]]; j < x->first[b->point[i] + 1]; j++) {
            size_t at = b->first[x->column[j] + 1]++;
            b->entry[at] = (uint32_t)i;
            b->value[at] = (float)(x->value[j] * w->scale);
        }
        b->square[i] = row_square(x, b->point[i]);
        double square = b->square[i] * w->scale * w->scale, length = sqrt(square);
        b->length[i] = (float)length;
        b->half[i] = (float)(s->farthest ? -square / 2 : square / 2);
        longest = length > longest ? length : longest;
        shortest = length < shortest ? length : shortest;
    }
    memset(b->wide, 0xff, x->columns * sizeof *b->wide);
    uint32_t wide = 0;
    for (size_t c = 0; c < x->columns; c++) {
        if (b->first[c + 1] - b->first[c] < WIDE)
            continue;
        float *to = b->wide_value + (size_t)wide * BLOCK;
        memset(to, 0, BLOCK * sizeof *to);
        for (size_t i = b->first[c]; i < b->first[c + 1]; i++)
            to[b->entry[i]] = b->value[i];
        b->wide[c] = wide++;
    }
    b->longest = longest;
    b->even = longest - shortest < 1e-7;
}

/* The k places with the largest approximate closeness, by the sums so far, to best_pick; returns
 * how many. They only serve as k rows that are probably near. */
static size_t best_so_far(const struct block *b, struct scratch *t, size_t k, size_t self,
                          const struct neighbor_kernels *f)
{
    size_t n = 0, chunk = 256;
    float worst = -INFINITY;
    for (size_t from = 0; from < b->points; from += chunk) {
        size_t size = b->points - from < chunk ? b->points - from : chunk;
        size_t found =
            f->select(t->sum + from, b->even ? NULL : b->length + from, b->half + from, 0, worst,
                      (size + 15) / 16 * 16, (uint32_t)from, SIZE_MAX - 1, t->pick);
        for (size_t i = 0; i < found; i++) {
            size_t at = t->pick[i];
            if (at == self || at >= b->points)
                continue;
            float v = b->even ? t->sum[at] : t->sum[at] - b->half[at];
            size_t place;
            if (n < k)
                place = n++;
            else if (v > worst)
                place = n - 1;
            else
                continue;
            for (; place > 0 && t->best[place - 1] < v; place--) {
                t->best[place] = t->best[place - 1];
                t->best_pick[place] = t->best_pick[place - 1];
            }
            t->best[place] = v;
            t->best_pick[place] = (uint32_t)at;
            worst = n == k ? t->best[k - 1] : -INFINITY;
        }
    }
    return n;
}

/* The bound (1) solved for a where all points have the length y: the smallest a that may be. */
static double least_sum(double x2, double rest2, double y, double t2)
{
    double b = (x2 + y * y - t2) / 2, s = sqrt(rest2), p2 = x2 - rest2;
    double simple = b - s * y;
    if (simple <= 0 || p2 <= 0 || rest2 <= 0)
        return simple;
    /* a + s sqrt(y^2 - a^2 / p2) = b, the smaller root */
    double factor = x2 / p2, root = b * b - factor * (b * b - rest2 * y * y);
    double a = root >= 0 ? (b - sqrt(root)) / factor : simple;
    return a > simple ? a : simple;
}

/* Places of the block whose key (d2, or -d2) may be below `key` (scaled), when the sums hold the
 * terms before i; some number above `most` where there are more. */
static size_t select_left(const struct search *w, size_t query, struct scratch *t, size_t i,
                          size_t terms, double key, size_t most, const struct neighbor_kernels *f)
{
    const struct block *b = &w->block;
    double sign = w->s->farthest ? -1 : 1;
    double x2 = w->terms.square[query];
    size_t padded = (b->points + 15) / 16 * 16;
    /* float32 rounding of a, of the halves and of the products in (1), relative to at most 1 */
    double margin =
        (double)(terms + 16) * 1.2e-7 * (sqrt(x2) * b->longest + b->longest * b->longest) + 1e-30;
    key += fabs(key) * 1e-12 + 1e-14 * (x2 + b->longest * b->longest);
    if (b->even && !w->s->farthest) {
        double least = least_sum(x2, t->rest[i], b->longest, key) - margin;
        if (least <= 0 && i < terms)
            return SIZE_MAX; /* also rows of which nothing was read */
        return f->select(t->sum, NULL, NULL, 0, (float)(least - fabs(least) * 1.2e-7), padded, 0,
                         most, t->pick);
    }
    double least = (sign * x2 - key) / 2 - margin;
    return f->select(t->sum, b->length, b->half, (float)sqrt(t->rest[i]) * 1.000001F,
                     (float)(least - fabs(least) * 1.2e-7), padded, 0, most, t->pick);
}

/* The farthest of the places picked. Most rows that are left tie with the farthest to the last
 * bits, two rows without a common term above all, so there is nothing to gain from computing them
 * roughly first. */
static void compute_all(const struct search *w, size_t query, struct scratch *t, size_t found,
                        size_t self, struct neighbor_heap *heap)
{
    const struct block *b = &w->block;
    uint32_t some[4];
    size_t n = 0;
    for (size_t i = 0; i < found; i++) {
        size_t at = t->pick[i];
        if (at != self && at < b->points)
            some[n++] = b->point[at];
        if (n == 0 || (n < 4 && i + 1 < found))
            continue;
        double d2[4];
        for (size_t l = n; l < 4; l++)
            some[l] = some[0];
        neighbor_distances(w->s->x, w->s->query[query], some, d2);
        for (size_t l = 0; l < n; l++)
            neighbor_heap_push(heap, -d2[l], some[l]);
        n = 0;
    }
}

/* One query against the block; its heap is in the results. */
static void search_block(const struct search *w, size_t query, struct scratch *t,
                         const struct neighbor_kernels *f)
{
    const struct neighbor_search *s = w->s;
    const struct classify_matrix *x = s->x;
    const struct block *b = &w->block;
    uint32_t row = s->query[query];
    struct neighbor_heap heap = { s->d2 + query * s->k, s->neighbor + query * s->k, s->k, s->k };
    size_t first = w->terms.first[query], terms = w->terms.first[query + 1] - first, found = 0;
    const uint32_t *column = w->terms.column + first;
    const double *value = w->terms.value + first;
    size_t self =
        w->place[row] == UINT32_MAX ? SIZE_MAX : w->place[row] - (size_t)(b->point - s->point);
    double back = w->scale * w->scale, worst = heap.key[0], sign = s->farthest ? -1 : 1;
    t->rest[terms] = 0;
    for (size_t i = terms; i > 0; i--)
        t->rest[i - 1] = t->rest[i] + value[i - 1] * value[i - 1];
    size_t padded = (b->points + 15) / 16 * 16;
    memset(t->sum, 0, padded * sizeof *t->sum);
    for (size_t i = 0; i < terms; i++) {
        size_t from = b->first[column[i]], to = b->first[column[i] + 1];
        uint32_t wide = b->wide[column[i]];
        size_t cost = wide == UINT32_MAX ? to - from : WIDE_COST;
        if (cost >= DISTANCE_COST && i > 0 && isfinite(worst) && sign > 0) {
            found = select_left(w, query, t, i, terms, worst * back, cost / DISTANCE_COST, f);
            if (found <= cost / DISTANCE_COST)
                goto compute;
        }
        float v = (float)(sign * value[i]);
        if (wide != UINT32_MAX) {
            f->add(t->sum, v, b->wide_value + (size_t)wide * BLOCK, padded);
            continue;
        }
        for (size_t j = from; j < to; j++)
            t->sum[b->entry[j]] += v * b->value[j];
    }
    if (!isfinite(worst)) {
        size_t n = best_so_far(b, t, s->k, self, f);
        double far = n < s->k ? INFINITY : -INFINITY;
        for (size_t j = 0; j < n; j++) {
            double key = sign * classify_distance2(x, row, b->point[t->best_pick[j]]);
            far = key > far ? key : far;
        }
        worst = far;
    }
    if (isfinite(worst)) {
        found = select_left(w, query, t, terms, terms, worst * back, SIZE_MAX - 1, f);
    } else {
        for (found = 0; found < b->points; found++)
            t->pick[found] = (uint32_t)found;
    }
compute:
    if (found == 0)
        return;
    if (s->farthest) {
        compute_all(w, query, t, found, self, &heap);
        return;
    }
    for (size_t j = x->first[row]; j < x->first[row + 1]; j++)
        t->wide[x->column[j]] = x->value[j];
    double x2 = w->terms.square[query] / back;
    for (size_t i = 0; i < found; i++) {
        size_t at = t->pick[i];
        if (at == self || at >= b->points)
            continue;
        uint32_t point = b->point[at];
        double dot = 0;
        for (size_t j = x->first[point]; j < x->first[point + 1]; j++)
            dot += t->wide[x->column[j]] * x->value[j];
        /* each sum of n products is within n roundings of its terms' absolute sum */
        double sum = x2 + b->square[at];
        double margin =
            (double)(terms + x->first[point + 1] - x->first[point] + 16) * 4.5e-16 * sum;
        if (sum - 2 * dot <= worst + margin) {
            neighbor_heap_push(&heap, classify_distance2(x, row, point), point);
            worst = heap.key[0] < worst ? heap.key[0] : worst;
        }
    }
    for (size_t j = x->first[row]; j < x->first[row + 1]; j++)
        t->wide[x->column[j]] = 0;
}

static int search_begin(struct search *w)
{
    const struct neighbor_search *s = w->s;
    size_t columns = s->x->columns, most = 0;
    for (size_t from = 0; from < s->points; from += BLOCK) {
        size_t values = 0;
        for (size_t i = from; i < s->points && i < from + BLOCK; i++)
            values += s->x->first[s->point[i] + 1] - s->x->first[s->point[i]];
        most = values > most ? values : most;
    }
    struct block *b = &w->block;
    int rc = terms_make(w);
    if (rc)
        return rc;
    b->first = base_alloc(columns + 2, sizeof *b->first);
    b->entry = base_alloc(most, sizeof *b->entry);
    b->value = base_alloc(most, sizeof *b->value);
    b->wide = base_alloc(columns, sizeof *b->wide);
    b->wide_value = base_alloc(most / WIDE * BLOCK, sizeof *b->wide_value);
    b->length = base_alloc(BLOCK + 16, sizeof *b->length);
    b->half = base_alloc(BLOCK + 16, sizeof *b->half);
    b->square = base_alloc(BLOCK, sizeof *b->square);
    w->place = base_alloc(s->x->rows, sizeof *w->place);
    w->scratch = base_alloc_zero((size_t)w->threads, sizeof *w->scratch);
    if (!b->first || !b->entry || !b->value || !b->wide || !b->wide_value || !b->length ||
        !b->half || !b->square || !w->place || !w->scratch)
        return BASE_E_MEMORY;
    for (int i = 0; i < w->threads; i++) {
        struct scratch *t = &w->scratch[i];
        t->sum = base_alloc(BLOCK + 16, sizeof *t->sum);
        t->pick = base_alloc(BLOCK + 16, sizeof *t->pick);
        t->rest = base_alloc(w->longest + 1, sizeof *t->rest);
        t->wide = base_alloc_zero(columns, sizeof *t->wide);
        t->best = base_alloc(s->k, sizeof *t->best);
        t->best_pick = base_alloc(s->k, sizeof *t->best_pick);
        if (!t->sum || !t->pick || !t->rest || !t->wide || !t->best || !t->best_pick)
            return BASE_E_MEMORY;
    }
    memset(w->place, 0xff, s->x->rows * sizeof *w->place);
    for (size_t i = 0; i < s->points; i++)
        w->place[s->point[i]] = (uint32_t)i;
    return 0;
}

static void search_free(struct search *w)
{
    for (int i = 0; w->scratch && i < w->threads; i++) {
        struct scratch *t = &w->scratch[i];
        base_free(t->sum);
        base_free(t->pick);
        base_free(t->rest);
        base_free(t->wide);
        base_free(t->best);
        base_free(t->best_pick);
    }
    base_free(w->scratch);
    base_free(w->place);
    base_free(w->terms.first);
    base_free(w->terms.column);
    base_free(w->terms.value);
    base_free(w->terms.square);
    base_free(w->block.first);
    base_free(w->block.entry);
    base_free(w->block.value);
    base_free(w->block.wide);
    base_free(w->block.wide_value);
    base_free(w->block.length);
    base_free(w->block.half);
    base_free(w->block.square);
}

int neighbor_search_sparse(const struct neighbor_search *s)
{
    struct search w = { .s = s, .threads = base_threads() };
    w.threads = (size_t)w.threads > s->queries ? (int)s->queries : w.threads;
    int rc = search_begin(&w);
    for (size_t i = 0; !rc && i < s->queries * s->k; i++) {
        s->d2[i] = INFINITY;
        s->neighbor[i] = UINT32_MAX;
    }
    const struct neighbor_kernels kernels = neighbor_kernels_best();
    for (size_t from = 0; !rc && from < s->points; from += BLOCK) {
        block_fill(&w, from);
        int stop = 0;
#pragma omp parallel for num_threads(w.threads) schedule(static, 1)
        for (int thread = 0; thread < w.threads; thread++) {
            for (size_t i = (size_t)thread; i < s->queries; i += (size_t)w.threads) {
                int stopped;
#pragma omp atomic read
                stopped = stop;
                if (stopped)
                    break;
                if (base_interrupted()) {
#pragma omp atomic write
                    stop = 1;
                }
                search_block(&w, i, &w.scratch[thread], &kernels);
            }
        }
        if (stop)
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    for (size_t i = 0; !rc && i < s->queries; i++)
        neighbor_heap_sort(
            &(struct neighbor_heap){ s->d2 + i * s->k, s->neighbor + i * s->k, s->k, s->k });
    for (size_t i = 0; !rc && s->farthest && i < s->queries * s->k; i++)
        s->d2[i] = isfinite(s->d2[i]) ? -s->d2[i] : INFINITY;
    search_free(&w);
    return rc;
}
