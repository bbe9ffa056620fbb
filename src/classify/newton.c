/* Newton's method for L2-penalised linear classifiers (Keerthi and DeCoste 2005 for the squared
 * hinge; Lin, Weng and Keerthi 2008 for the logistic loss). With o_i = w.x_i and c_i = C k_i
 * c(y_i),
 *
 *     f(w) = w.w/2 + sum_i c_i l_i(o_i)
 *     g    = w + sum_i c_i l_i'(o_i) x_i
 *     H    = I + sum_i c_i l_i''(o_i) x_i x_i^T
 *
 *     squared hinge  l = max(0, 1 - y o)^2       l' = -2 y max(0, 1 - y o)   l'' = 2 where 1 > y o
 *     logistic       l = ln(1 + exp(-y o))       l' = -y s(-y o)             l'' = s(o) s(-o)
 *
 * A step solves H d = -g by conjugate gradients, preconditioned by the diagonal of H, and goes to
 * the minimum of f along d, found by Newton's method on the line: f is convex there, a sum over
 * rows of functions of one number, so a trial costs no pass over the values. The squared hinge's f
 * is piecewise quadratic: once the set of rows inside the margin is right, one step is exact, and
 * the method ends.
 *
 * A pass over the rows is what costs. Only rows with l'' > 0 are visited by a product with H (for
 * the hinge: those inside the margin), copies of a row are one visit, and the first steps are made
 * on every 8th row of a class, where they are 8 times cheaper and nearly as good: the solution of
 * the sample is where the whole begins. Everything is summed in the order of the rows, by one
 * thread: the same bits always. */
#include "classify/newton.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

enum { SAMPLE = 8, SAMPLE_FROM = 4096, MOST_STEPS = 1000, MOST_LINE = 60 };

struct newton {
    const struct classify_matrix *x;
    bool hinge;
    double bias;
    size_t n, width; /* rows in use; columns + 1, the last of which is the bias feature */
    uint32_t *row;   /* [n] rows of x */
    float *sign;     /* [n] y */
    double *cost;    /* [n] c_i */
    double *out;     /* [n] o_i */
    double *along;   /* [n] d.x_i */
    double *weight;  /* [n] c_i l_i'' of the rows in `active` */
    /* rows with l'' > 0, packed for the products with H: see hessian() */
    size_t n_active;
    size_t *first;    /* [n_active + 1] into the two below */
    uint16_t *narrow; /* columns, where they fit; else NULL and */
    uint32_t *wide;
    float *value;
    double *g, *d, *r, *z, *q, *diagonal; /* [width] */
};

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += a[j] * b[j];
    return sum;
}

static inline double row_dot(const struct newton *t, size_t i, const double *v)
{
    const struct classify_matrix *x = t->x;
    size_t from = x->first[t->row[i]], to = x->first[t->row[i] + 1];
    const uint32_t *column = x->column;
    const double *value = x->value;
    /* four sums: one alone would wait for each addition */
    double a = v[t->width - 1] * t->bias, b = 0, c = 0, d = 0;
    size_t j = from;
    for (; j + 3 < to; j += 4) {
        a += v[column[j]] * value[j];
        b += v[column[j + 1]] * value[j + 1];
        c += v[column[j + 2]] * value[j + 2];
        d += v[column[j + 3]] * value[j + 3];
    }
    for (; j < to; j++)
        b += v[column[j]] * value[j];
    return (a + b) + (c + d);
}

static inline void row_add(const struct newton *t, size_t i, double scale, double *v)
{
    const struct classify_matrix *x = t->x;
    size_t from = x->first[t->row[i]], to = x->first[t->row[i] + 1];
    for (size_t j = from; j < to; j++)
        v[x->column[j]] += scale * x->value[j];
    v[t->width - 1] += scale * t->bias;
}

/* l' and l'' at o. */
static inline void loss_slopes(const struct newton *t, size_t i, double o, double *first,
                               double *second)
{
    double y = t->sign[i];
    if (t->hinge) {
        double short_of = 1 - y * o;
        *first = short_of > 0 ? -2 * y * short_of : 0;
        *second = short_of > 0 ? 2 : 0;
        return;
    }
    double e = exp(-fabs(o)), large = 1 / (1 + e), small = e / (1 + e);
    *first = -y * (y * o > 0 ? small : large);
    *second = large * small;
}

/* Gradient, the rows that H has a part of, and H's diagonal, at w with outputs t->out. */
static void expand(struct newton *t, const double *w)
{
    memcpy(t->g, w, t->width * sizeof *t->g);
    for (size_t j = 0; j < t->width; j++)
        t->diagonal[j] = 1;
    t->n_active = 0;
    t->first[0] = 0;
    for (size_t i = 0; i < t->n; i++) {
        double first, second;
        loss_slopes(t, i, t->out[i], &first, &second);
        if (first != 0)
            row_add(t, i, t->cost[i] * first, t->g);
        if (second <= 0)
            continue;
        double c = t->cost[i] * second;
        const struct classify_matrix *x = t->x;
        size_t at = t->first[t->n_active];
        for (size_t j = x->first[t->row[i]]; j < x->first[t->row[i] + 1]; j++, at++) {
            t->diagonal[x->column[j]] += c * x->value[j] * x->value[j];
            t->value[at] = (float)x->value[j];
            if (t->narrow)
                t->narrow[at] = (uint16_t)x->column[j];
            else
                t->wide[at] = x->column[j];
        }
        t->weight[t->n_active++] = c;
        t->first[t->n_active] = at;
        t->diagonal[t->width - 1] += c * t->bias * t->bias;
    }
}

/* q = H v. This is where the time goes, and it goes into waiting for memory: the rows are packed
 * one after the other, with columns of 16 bits and values of 32 (x's 24 bits are plenty for a
 * direction; gradients, line and objective keep all 53). */
#define HESSIAN(name, columns)                                                                     \
    static void name(const struct newton *t, const double *v, double *q)                           \
    {                                                                                              \
        size_t last = t->width - 1;                                                                \
        double constant = 0;                                                                       \
        for (size_t k = 0; k < t->n_active; k++) {                                                 \
            size_t from = t->first[k], to = t->first[k + 1], j = from;                             \
            double a = v[last] * t->bias, b = 0, c = 0, d = 0;                                     \
            for (; j + 3 < to; j += 4) {                                                           \
                a += v[t->columns[j]] * (double)t->value[j];                                       \
                b += v[t->columns[j + 1]] * (double)t->value[j + 1];                               \
                c += v[t->columns[j + 2]] * (double)t->value[j + 2];                               \
                d += v[t->columns[j + 3]] * (double)t->value[j + 3];                               \
            }                                                                                      \
            for (; j < to; j++)                                                                    \
                b += v[t->columns[j]] * (double)t->value[j];                                       \
            double scale = t->weight[k] * ((a + b) + (c + d));                                     \
            for (j = from; j < to; j++)                                                            \
                q[t->columns[j]] += scale * (double)t->value[j];                                   \
            constant += scale;                                                                     \
        }                                                                                          \
        q[last] += constant * t->bias;                                                             \
    }
HESSIAN(hessian_narrow, narrow)
HESSIAN(hessian_wide, wide)

static void hessian(const struct newton *t, const double *v, double *q)
{
    memcpy(q, v, t->width * sizeof *q);
    if (t->narrow)
        hessian_narrow(t, v, q);
    else
        hessian_wide(t, v, q);
}

/* d: H d = -g until the residual is the share `forcing` of g. */
static void direction(struct newton *t, double g_norm, double forcing)
{
    size_t n = t->width;
    double *p = t->z; /* search direction */
    double rz = 0;
    for (size_t j = 0; j < n; j++) {
        t->d[j] = 0;
        t->r[j] = -t->g[j];
        p[j] = t->r[j] / t->diagonal[j];
        rz += t->r[j] * p[j];
    }
    for (size_t k = 0; k < 10 * n + 100; k++) {
        hessian(t, p, t->q);
        double alpha = rz / dot(p, t->q, n), norm = 0, next = 0;
        for (size_t j = 0; j < n; j++) {
            t->d[j] += alpha * p[j];
            t->r[j] -= alpha * t->q[j];
            norm += t->r[j] * t->r[j];
            next += t->r[j] * t->r[j] / t->diagonal[j];
        }
        if (!(sqrt(norm) > forcing * g_norm))
            return;
        double beta = next / rz;
        rz = next;
        for (size_t j = 0; j < n; j++)
            p[j] = t->r[j] / t->diagonal[j] + beta * p[j];
    }
}

/* Slope and curvature of the hinge's losses along d, without a branch, in four lanes. */
static void line_hinge(const struct newton *t, double step, double *slope, double *curve)
{
    double s[4] = { 0, 0, 0, 0 }, k[4] = { 0, 0, 0, 0 };
    size_t i = 0;
    for (; i + 3 < t->n; i += 4)
        for (size_t lane = 0; lane < 4; lane++) {
            double y = t->sign[i + lane], a = y * t->along[i + lane];
            double short_of = 1 - y * t->out[i + lane] - step * a;
            double c = short_of > 0 ? 2 * t->cost[i + lane] * a : 0;
            s[lane] -= c * short_of;
            k[lane] += c * a;
        }
    for (; i < t->n; i++) {
        double y = t->sign[i], a = y * t->along[i], short_of = 1 - y * t->out[i] - step * a;
        double c = short_of > 0 ? 2 * t->cost[i] * a : 0;
        s[0] -= c * short_of;
        k[0] += c * a;
    }
    *slope += (s[0] + s[1]) + (s[2] + s[3]);
    *curve += (k[0] + k[1]) + (k[2] + k[3]);
}

/* The t > 0 where f(w + t d) is least, by Newton's method kept inside a bracket. */
static double line_search(struct newton *t, const double *w)
{
    double wd = dot(w, t->d, t->width), dd = dot(t->d, t->d, t->width);
    double low = 0, high = INFINITY, step = 1, slope0 = 0;
    for (int k = 0; k < MOST_LINE; k++) {
        double slope = wd + step * dd, curve = dd;
        if (t->hinge)
            line_hinge(t, step, &slope, &curve);
        else
            for (size_t i = 0; i < t->n; i++) {
                double first, second, a = t->along[i];
                loss_slopes(t, i, t->out[i] + step * a, &first, &second);
                slope += t->cost[i] * first * a;
                curve += t->cost[i] * second * a * a;
            }
        if (k == 0)
            slope0 = fabs(dot(t->g, t->d, t->width));
        if (fabs(slope) <= 1e-4 * slope0 || !(curve > 0))
            return step;
        if (slope > 0)
            high = step;
        else
            low = step;
        double next = step - slope / curve;
        if (!(next > low && next < high))
            next = isfinite(high) ? (low + high) / 2 : 2 * step;
        if (next == step)
            return step;
        step = next;
    }
    return step;
}

/* Rows in use: every `every`-th copy-holding row of each class, costs scaled to stand for all. */
static void rows_choose(struct newton *t, const struct classify_linear_problem *p,
                        const struct classify_linear_options *o, size_t every)
{
    size_t met[2] = { 0, 0 };
    t->n = 0;
    for (size_t i = 0; i < p->x->rows; i++) {
        uint32_t count = p->count ? p->count[i] : 1;
        if (!count || met[p->positive[i]]++ % every)
            continue;
        t->row[t->n] = (uint32_t)i;
        t->sign[t->n] = p->positive[i] ? 1 : -1;
        t->cost[t->n++] = o->c * count * p->weight[p->positive[i]] * (double)every;
    }
}

static int newton_run(struct newton *t, double *w, double tolerance, size_t most, size_t *steps,
                      bool *converged)
{
    *converged = false;
    /* gradient at 0, the measure of all others */
    memset(t->q, 0, t->width * sizeof *t->q);
    for (size_t i = 0; i < t->n; i++) {
        double first, second;
        loss_slopes(t, i, 0, &first, &second);
        row_add(t, i, t->cost[i] * first, t->q);
    }
    double g0 = sqrt(dot(t->q, t->q, t->width)), before = INFINITY;
    for (size_t i = 0; i < t->n; i++)
        t->out[i] = row_dot(t, i, w);
    for (size_t stalled = 0; *steps < most; ++*steps) {
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted while training");
        expand(t, w);
        double norm = sqrt(dot(t->g, t->g, t->width));
        /* the end, or all that doubles can tell: gradients that no longer shrink */
        stalled = norm < before / 2 ? 0 : stalled + 1;
        before = fmin(norm, before);
        if (!(norm > tolerance * g0) || (stalled > 20 && norm <= 1e-10 * g0)) {
            *converged = true;
            return 0;
        }
        direction(t, norm, fmin(0.1, sqrt(norm / g0)));
        for (size_t i = 0; i < t->n; i++)
            t->along[i] = row_dot(t, i, t->d);
        double step = line_search(t, w);
        for (size_t j = 0; j < t->width; j++)
            w[j] += step * t->d[j];
        for (size_t i = 0; i < t->n; i++)
            t->out[i] += step * t->along[i];
    }
    return 0;
}

int classify_newton_train(const struct classify_linear_problem *p,
                          const struct classify_linear_options *o, double *w,
                          struct classify_linear_result *result)
{
    size_t rows = p->x->rows, width = p->x->columns + 1, all[2] = { 0, 0 }, vectors;
    struct newton t = {
        .x = p->x, .hinge = o->learner == CLASSIFY_SVM, .bias = o->bias, .width = width
    };
    double *block = NULL;
    if (base_mul_size(width, 6, &vectors))
        return base_error_set(BASE_E_LIMIT, "%zu columns", width);
    t.row = base_alloc(rows, sizeof *t.row);
    t.sign = base_alloc(rows, sizeof *t.sign);
    t.cost = base_alloc(rows, sizeof *t.cost);
    t.out = base_alloc(rows, sizeof *t.out);
    t.along = base_alloc(rows, sizeof *t.along);
    t.weight = base_alloc(rows, sizeof *t.weight);
    t.first = base_alloc(rows + 1, sizeof *t.first);
    t.value = base_alloc(p->x->first[rows], sizeof *t.value);
    bool narrow = width <= UINT16_MAX;
    if (narrow)
        t.narrow = base_alloc(p->x->first[rows], sizeof *t.narrow);
    else
        t.wide = base_alloc(p->x->first[rows], sizeof *t.wide);
    block = base_alloc(vectors, sizeof *block);
    int rc = t.row && t.sign && t.cost && t.out && t.along && t.weight && t.first && t.value &&
                     (narrow ? (void *)t.narrow : (void *)t.wide) && block
                 ? 0
                 : BASE_E_MEMORY;
    if (rc)
        goto out;
    double **part[] = { &t.g, &t.d, &t.r, &t.z, &t.q, &t.diagonal };
    for (size_t k = 0; k < 6; k++)
        *part[k] = block + k * width;
    memset(w, 0, width * sizeof *w);
    size_t used = 0, steps = 0;
    for (size_t i = 0; i < rows; i++) {
        size_t count = p->count ? p->count[i] : 1;
        all[p->positive[i]] += count;
        used += count > 0;
    }
    double least = fmax(1, (double)(all[0] < all[1] ? all[0] : all[1]));
    double tolerance = o->tolerance * least / (double)(all[0] + all[1]);
    bool converged = false;
    if (used >= SAMPLE_FROM) {
        rows_choose(&t, p, o, SAMPLE);
        size_t sample_steps = 0;
        if ((rc = newton_run(&t, w, 1e-3, 20, &sample_steps, &converged)))
            goto out;
    }
    rows_choose(&t, p, o, 1);
    rc = newton_run(&t, w, tolerance, o->max_iterations, &steps, &converged);
    w[width - 1] *= o->bias;
    *result = (struct classify_linear_result){ steps, converged };
out:
    base_free(t.row);
    base_free(t.sign);
    base_free(t.cost);
    base_free(t.out);
    base_free(t.along);
    base_free(t.weight);
    base_free(t.first);
    base_free(t.narrow);
    base_free(t.wide);
    base_free(t.value);
    base_free(block);
    return rc;
}
