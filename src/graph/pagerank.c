/* PageRank (Page, Brin et al. 1999) with a bound on its error.
 *
 * With p the restart distribution, W the column-stochastic matrix of steps (zero columns for nodes
 * without a way out, whose mass restarts), PageRank is x = d W x + (d (mass without a way out) + 1
 * - d) p: a multiple of the solution of (I - d W) y = p. That is solved; x = y / sum(y).
 *
 * Error. e = (I - d W)^-1 r for the residual r = p - (I - d W) y, and the inverse is the series sum
 * (d W)^k, which has no negative entry. So
 *   |r_i| <= eps p_i for all i   implies   |e_i| <= eps y*_i for all i: eps bounds every value's
 *                                          relative error;
 *   sum |e| <= sum |r| / (1 - d)           in any case.
 * Dividing by the sum at most doubles both. The residual is evaluated in 64-bit mantissas with
 * compensated sums, and what that evaluation can itself be off by, (6 + terms 2^-64) 2^-64 of what
 * is added up, is counted into r.
 *
 * Method. Undirected graphs: with D the degrees, u = D^-1/2 y solves the symmetric positive
 * definite system (I - d D^-1/2 A D^-1/2) u = D^-1/2 p, by conjugate gradients (condition at most
 * (1 + d) / (1 - d): error halved by each pass or better). Directed graphs: Gauss-Seidel sweeps.
 * Both in double; then iterative refinement: residual in long double, correction by the same solver
 * in double, added in long double, until the bound is below the tolerance. */
#include "base/memory.h"
#include <assay/graph.h>
#include <float.h>
#include <math.h>
#include <string.h>

#define SWEEPS_MOST 200000
#define REFINEMENTS 12
#define UNIT        0x1p-64L /* unit roundoff of an 64-bit mantissa */

struct system {
    uint32_t n;
    double damping;
    const uint64_t *first; /* rows of predecessors */
    const uint32_t *neighbor;
    const uint32_t *edge;
    const double *weight;   /* of edges; NULL = 1 */
    double *out;            /* [n] sum of weights that leave; 0 = no way out */
    long double *exact_out; /* the same, for the residual: rounded, it would change the matrix */
    double *restart;        /* [n] sum 1 */
    double *z;              /* [n] value / out, what a successor gets per unit of weight */
    double *root, *work;    /* undirected: [n] out^-1/2, [3 n] */
    unsigned sweeps;
};

static int prepare(struct system *s, const struct graph *g, const struct graph_pagerank_options *o)
{
    const uint32_t n = g->nodes;
    s->n = n;
    s->damping = o->damping;
    s->first = g->directed ? g->in_first : g->first;
    s->neighbor = g->directed ? g->in_neighbor : g->neighbor;
    s->edge = g->directed ? g->in_edge : g->edge;
    s->weight = o->weighted ? g->weight : NULL;
    s->out = base_alloc(n, sizeof *s->out);
    s->exact_out = base_alloc_zero(n, sizeof *s->exact_out);
    s->restart = base_alloc(n, sizeof *s->restart);
    s->z = base_alloc_zero(n, sizeof *s->z);
    if (!g->directed) {
        s->root = base_alloc(n, sizeof *s->root);
        s->work = base_alloc(n, 3 * sizeof *s->work);
    }
    if (!s->out || !s->exact_out || !s->restart || !s->z ||
        (!g->directed && (!s->root || !s->work)))
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < n; v++)
        for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++)
            s->exact_out[v] += s->weight ? s->weight[g->edge[k]] : 1;
    long double sum = 0;
    for (uint32_t v = 0; v < n; v++) {
        double p = o->restart ? o->restart[v] : 1;
        if (!(p >= 0) || isinf(p))
            return base_error_set(BASE_E_ARGUMENT,
                                  "the restart of node %u is %g: expected 0 or more", v, p);
        s->out[v] = (double)s->exact_out[v];
        if (isinf(s->out[v]))
            return base_error_set(BASE_E_NUMERIC, "the weights at node %u sum to infinity", v);
        sum += p;
        if (s->root)
            s->root[v] = s->out[v] > 0 ? 1 / sqrt(s->out[v]) : 1;
    }
    if (!(sum > 0) || isinf(sum))
        return base_error_set(BASE_E_ARGUMENT, "the restart has no node with a finite weight");
    for (uint32_t v = 0; v < n; v++)
        s->restart[v] = (double)((o->restart ? o->restart[v] : 1) / sum);
    return 0;
}

/* Four sums, because one would wait for each addition before the next. */
static inline double gather(const struct system *s, uint32_t v)
{
    const uint64_t from = s->first[v], to = s->first[v + 1];
    const uint32_t *restrict at = s->neighbor;
    const double *restrict z = s->z;
    double sum[4] = { 0 };
    uint64_t k = from;
    if (s->weight) {
        for (; k < to; k++)
            sum[0] += s->weight[s->edge[k]] * z[at[k]];
        return sum[0];
    }
    for (; k + 4 <= to; k += 4) {
        sum[0] += z[at[k]];
        sum[1] += z[at[k + 1]];
        sum[2] += z[at[k + 2]];
        sum[3] += z[at[k + 3]];
    }
    for (; k < to; k++)
        sum[0] += z[at[k]];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static int interrupted(const struct system *s)
{
    return s->sweeps % 16 == 0 && base_interrupted()
               ? base_error_set(BASE_E_INTERRUPTED, "PageRank interrupted")
               : 0;
}

/* Both solve (I - d W) y = b from y = 0, in their own norm to the part `small` of b, or as far as
 * SWEEPS_MOST passes lead. */
static int solve_sweeps(struct system *s, const double *b, double *y, double small)
{
    int rc = 0;
    memset(y, 0, s->n * sizeof *y);
    memset(s->z, 0, s->n * sizeof *s->z);
    for (unsigned k = 0; k < SWEEPS_MOST && !rc; k++) {
        double change = 0, all = 0;
        for (uint32_t v = 0; v < s->n; v++) {
            double next = b[v] + s->damping * gather(s, v);
            change += fabs(next - y[v]);
            all += fabs(next);
            y[v] = next;
            s->z[v] = s->out[v] > 0 ? next / s->out[v] : 0;
        }
        s->sweeps++;
        if (change <= small * (1 - s->damping) * all)
            break;
        rc = interrupted(s);
    }
    return rc;
}

static int solve_gradients(struct system *s, const double *b, double *y, double small)
{
    double *r = s->work, *p = s->work + s->n, *q = s->work + 2 * (size_t)s->n;
    const double *h = s->root; /* out^-1/2, 1 where there is no way out */
    double rr = 0;
    int rc = 0;
    for (uint32_t v = 0; v < s->n; v++) {
        y[v] = 0;
        r[v] = p[v] = h[v] * b[v];
        s->z[v] = h[v] * p[v];
        rr += r[v] * r[v];
    }
    const double enough = small * small * rr;
    for (unsigned k = 0; k < SWEEPS_MOST && rr > enough && !rc; k++) {
        double pq = 0, next = 0;
        for (uint32_t v = 0; v < s->n; v++) {
            q[v] = p[v] - s->damping * h[v] * gather(s, v);
            pq += p[v] * q[v];
        }
        const double step = rr / pq;
        for (uint32_t v = 0; v < s->n; v++) {
            y[v] += step * p[v];
            r[v] -= step * q[v];
            next += r[v] * r[v];
        }
        const double turn = next / rr;
        for (uint32_t v = 0; v < s->n; v++) {
            p[v] = r[v] + turn * p[v];
            s->z[v] = h[v] * p[v];
        }
        rr = next;
        s->sweeps++;
        rc = interrupted(s);
    }
    for (uint32_t v = 0; v < s->n; v++)
        y[v] /= h[v];
    return rc;
}

/* r = p - (I - d W) y rounded to double; the bounds relative to p and in total. z as scratch. */
static void residual(const struct system *s, const long double *y, long double *z, double *r,
                     long double *relative, long double *total)
{
    const long double d = s->damping;
    long double worst = 0, all = 0;
    for (uint32_t v = 0; v < s->n; v++)
        z[v] = s->out[v] > 0 ? y[v] / s->exact_out[v] : 0;
    for (uint32_t v = 0; v < s->n; v++) {
        long double sum = 0, lost = 0;
        uint64_t terms = s->first[v + 1] - s->first[v];
        for (uint64_t k = s->first[v]; k < s->first[v + 1]; k++) {
            long double x = z[s->neighbor[k]];
            if (s->weight)
                x *= s->weight[s->edge[k]];
            long double t = sum + x; /* y >= 0 at the end, so Fast2Sum's order needs a test */
            lost += fabsl(sum) >= fabsl(x) ? (sum - t) + x : (x - t) + sum;
            sum = t;
        }
        long double in = d * (sum + lost), q = (s->restart[v] - y[v]) + in;
        long double scale = fabsl(in) + fabsl(y[v]) + s->restart[v];
        long double bound = fabsl(q) + (6 + (long double)terms * UNIT) * UNIT * scale;
        r[v] = (double)q;
        all += bound;
        if (s->restart[v] > 0)
            worst = fmaxl(worst, bound / s->restart[v]);
        else if (bound > 0)
            worst = INFINITY;
    }
    *relative = worst;
    *total = all / (1 - d);
}

int graph_pagerank(const struct graph *g, const struct graph_pagerank_options *options,
                   double *value, struct graph_pagerank *about)
{
    static const struct graph_pagerank_options usual = GRAPH_PAGERANK_OPTIONS_DEFAULT;
    const struct graph_pagerank_options *o = options ? options : &usual;
    const uint32_t n = g->nodes;
    struct system s = { 0 };
    double *r = NULL, *e = NULL;
    long double *y = NULL, *z = NULL, relative = INFINITY, total = INFINITY, sum = 0;
    if (!(o->damping >= 0 && o->damping < 1))
        return base_error_set(BASE_E_ARGUMENT, "damping %g: expected 0 <= d < 1", o->damping);
    if (!(o->tolerance > 0))
        return base_error_set(BASE_E_ARGUMENT, "tolerance %g: expected more than 0", o->tolerance);
    if (o->weighted && !g->weight)
        return base_error_set(BASE_E_ARGUMENT, "the graph has no weights");
    if (n == 0)
        return base_error_set(BASE_E_ARGUMENT, "the graph has no nodes");
    int rc = prepare(&s, g, o);
    if (rc)
        goto out;
    r = base_alloc(n, sizeof *r);
    e = base_alloc(n, sizeof *e);
    y = base_alloc_zero(n, sizeof *y);
    z = base_alloc(n, sizeof *z);
    if (!r || !e || !y || !z) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    memcpy(r, s.restart, n * sizeof *r);
    for (int round = 0; round < REFINEMENTS; round++) {
        /* not to the end of double: three digits more cost a pass of the residual */
        double small = round ? 1e-3 : fmax(1e-11, o->tolerance / 100);
        if ((rc = g->directed ? solve_sweeps(&s, r, e, small) : solve_gradients(&s, r, e, small)))
            goto out;
        sum = 0;
        for (uint32_t v = 0; v < n; v++) {
            y[v] += e[v];
            sum += y[v];
        }
        residual(&s, y, z, r, &relative, &total);
        total /= sum;
        /* dividing by the sum doubles the bound; then rounding to double */
        relative = 2 * relative / (1 - fminl(relative, .5L)) + 2 * DBL_EPSILON;
        total = 2 * total + 2 * DBL_EPSILON;
        if ((isinf(relative) ? total : relative) <= o->tolerance)
            break;
    }
    if (!((isinf(relative) ? total : relative) <= o->tolerance)) {
        rc =
            base_error_set(BASE_E_NUMERIC,
                           "PageRank's error is bounded by %.2Lg only, not by %g: ask for a larger "
                           "tolerance",
                           isinf(relative) ? total : relative, o->tolerance);
        goto out;
    }
    uint64_t dangling = 0;
    for (uint32_t v = 0; v < n; v++) {
        value[v] = (double)(y[v] / sum);
        dangling += s.out[v] == 0;
    }
    if (about)
        *about = (struct graph_pagerank){ (double)relative, (double)total, s.sweeps, dangling };
out:
    base_free(s.out);
    base_free(s.exact_out);
    base_free(s.restart);
    base_free(s.z);
    base_free(s.root);
    base_free(s.work);
    base_free(r);
    base_free(e);
    base_free(y);
    base_free(z);
    return rc;
}
