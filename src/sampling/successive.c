/* Successive draws: one unit after another, each in proportion to the weights of those that are
 * left. What pandas' sample(weights=) and numpy's choice(replace=False, p=) do; its inclusion
 * probabilities are not in proportion to the weights.
 *
 * Give unit i an arrival time T_i exponential of rate w_i: the order of arrivals is the order of
 * successive draws. So the sample is the n earliest, and
 *
 *   pi_i = integral of w_i exp(-w_i t) P(fewer than n of the others came before t) dt.
 *
 * The number of others before t is Poisson-binomial with p_j = 1 - exp(-w_j t): its distribution is
 * a product of N factors, made once per t and divided by factor i for every i. Before some t0 fewer
 * than n have come almost surely, which gives 1 - exp(-w_i t0) at once; after some t1 more than n
 * have; between them the integral is taken over ln t, in panels, by Gauss and Legendre's rule.
 * Rosén's approximation replaces the distribution by its mean. */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/sampling.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_MOST 1000  /* units; the work grows with their square */
#define NEGLIGIBLE 1e-13 /* probability outside the range of the integral */

struct arrival {
    double time;
    uint64_t unit;
};

static int by_time(const void *a, const void *b)
{
    const struct arrival *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int check(const double *weight, size_t N, uint64_t n, size_t *positive)
{
    double total = 0;
    *positive = 0;
    for (size_t i = 0; i < N; i++) {
        if (!(weight[i] >= 0) || !isfinite(weight[i]))
            return base_error_set(BASE_E_ARGUMENT,
                                  "weight %g of unit %zu: weights must be finite and not negative",
                                  weight[i], i + 1);
        *positive += weight[i] > 0;
        total += weight[i];
    }
    if (!isfinite(total))
        return base_error_set(
            BASE_E_ARGUMENT, "the weights add up to %g: divide them all by the same number", total);
    if (n > *positive)
        return base_error_set(BASE_E_ARGUMENT,
                              "%llu units are asked for, but only %zu have a positive weight",
                              (unsigned long long)n, *positive);
    return 0;
}

int sampling_draw_successive(struct base_rng *rng, const double *weight, size_t N, uint64_t n,
                             uint64_t *out)
{
    size_t positive, k = 0;
    int rc = check(weight, N, n, &positive);
    if (rc)
        return rc;
    struct arrival *a = base_alloc(positive + 1, sizeof *a);
    if (!a)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < N; i++)
        if (weight[i] > 0)
            a[k++] = (struct arrival){ -log(1 - base_rng_uniform(rng)) / weight[i], i };
    qsort(a, positive, sizeof *a, by_time);
    for (uint64_t i = 0; i < n; i++)
        out[i] = a[i].unit;
    base_free(a);
    qsort(out, n, sizeof *out, ascending);
    return 0;
}

/* The t at which the expected number of arrivals, sum (1 - exp(-w t)), is n. The sum is concave, so
 * Newton's steps from n / sum w, which is too early, come up to t without passing it. */
static double time_of(const double *weight, size_t N, double n)
{
    double total = 0;
    for (size_t i = 0; i < N; i++)
        total += weight[i];
    double t = n / total;
    for (int k = 0; k < 500; k++) {
        double sum = 0, slope = 0;
        for (size_t i = 0; i < N; i++) {
            double come = -expm1(-weight[i] * t);
            sum += come;
            slope += weight[i] * (1 - come);
        }
        double step = (n - sum) / slope;
        if (!(step > t * 1e-15))
            break;
        t += step;
    }
    return t;
}

/* f[m] = P(m of all N units came before t), m = 0..N. */
static void arrivals(const double *weight, size_t N, double t, double *f)
{
    memset(f, 0, (N + 1) * sizeof *f);
    f[0] = 1;
    for (size_t i = 0; i < N; i++) {
        double p = -expm1(-weight[i] * t), q = exp(-weight[i] * t);
        for (size_t m = i + 1; m > 0; m--)
            f[m] = q * f[m] + p * f[m - 1];
        f[0] *= q;
    }
}

/* P(fewer than n of the others than i came before t), f being divided by i's factor q + p z, from
 * the end on which that is stable. */
static double others_below(const double *f, size_t N, size_t n, double p, double q)
{
    double sum = 0, g = 0;
    if (p <= 0.5) {
        for (size_t m = 0; m < n; m++) {
            g = (f[m] - p * g) / q;
            sum += g;
        }
    } else {
        for (size_t m = N; m-- > 0;) {
            g = (f[m + 1] - q * g) / p;
            if (m < n)
                sum += g;
        }
    }
    return sum;
}

/* The ln t nearest to that of `centre`, in direction `sign`, at which fewer than n (below) or at
 * least n units (above) have come with probability under NEGLIGIBLE. */
static double bound(const double *weight, size_t N, size_t n, double centre, bool above, double *f)
{
    double near = log(centre), step = 0.25, far = near;
    for (int k = 0; k < 200; k++) {
        far = near + (above ? step : -step);
        arrivals(weight, N, exp(far), f);
        double sum = 0;
        for (size_t m = above ? 0 : n; above ? m <= n : m <= N; m++)
            sum += f[m];
        if (sum < NEGLIGIBLE || fabs(far) > 600)
            break;
        near = far;
        step *= 1.5;
    }
    return far;
}

static int exact(const double *weight, size_t N, size_t n, double *pi)
{
    /* nodes and weights of Gauss and Legendre's rule on [-1, 1], positive half */
    static const double node[8] = { 0.0950125098376374402, 0.2816035507792589132,
                                    0.4580167776572273863, 0.6178762444026437484,
                                    0.7554044083550030339, 0.8656312023878317439,
                                    0.9445750230732325761, 0.9894009349916499326 };
    static const double share[8] = { 0.1894506104550684963, 0.1826034150449235888,
                                     0.1691565193950025382, 0.1495959888165767321,
                                     0.1246289712555338720, 0.0951585116824927848,
                                     0.0622535239386478929, 0.0271524594117540949 };
    double *f = base_alloc(N + 2, sizeof *f);
    if (!f)
        return BASE_E_MEMORY;
    double centre = time_of(weight, N, (double)n);
    double low = bound(weight, N, n, centre, false, f);
    double high = bound(weight, N, n, centre, true, f);
    size_t panels = (size_t)ceil((high - low) * sqrt((double)n + 1) / 4);
    panels = panels < 6 ? 6 : panels > 128 ? 128 : panels;
    /* before exp(low) everyone who comes is taken */
    for (size_t i = 0; i < N; i++)
        pi[i] = -expm1(-weight[i] * exp(low));
    double half = (high - low) / (double)panels / 2;
    for (size_t panel = 0; panel < panels; panel++)
        for (int k = 0; k < 16; k++) {
            double x = k < 8 ? node[k] : -node[k - 8];
            double t = exp(low + half * (2 * (double)panel + 1 + x));
            arrivals(weight, N, t, f);
            for (size_t i = 0; i < N; i++) {
                double q = exp(-weight[i] * t);
                if (q > 1e-30)
                    pi[i] += half * share[k & 7] * t * weight[i] * q *
                             others_below(f, N, n, -expm1(-weight[i] * t), q);
            }
        }
    base_free(f);
    return 0;
}

int sampling_inclusion_successive(const double *weight, size_t N, uint64_t n, double *pi,
                                  bool *is_exact)
{
    size_t positive;
    int rc = check(weight, N, n, &positive);
    if (rc)
        return rc;
    *is_exact = true;
    if (n == 0 || n == positive) {
        for (size_t i = 0; i < N; i++)
            pi[i] = n > 0 && weight[i] > 0;
        return 0;
    }
    if (positive > EXACT_MOST) {
        *is_exact = false;
        double t = time_of(weight, N, (double)n);
        for (size_t i = 0; i < N; i++)
            pi[i] = -expm1(-weight[i] * t);
        return 0;
    }
    /* only units with weight, and rates near 1 */
    double *w = base_alloc(2 * positive, sizeof *w), total = 0;
    if (!w)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < N; i++)
        total += weight[i];
    size_t k = 0;
    for (size_t i = 0; i < N; i++)
        if (weight[i] > 0)
            w[k++] = weight[i] / total * (double)positive;
    rc = exact(w, positive, (size_t)n, w + positive);
    k = 0;
    for (size_t i = 0; i < N && !rc; i++)
        pi[i] = weight[i] > 0 ? fmin(1, w[positive + k++]) : 0;
    base_free(w);
    return rc;
}
