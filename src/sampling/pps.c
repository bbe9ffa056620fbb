/* Unequal probabilities, without replacement, fixed size: the draws have exactly the inclusion
 * probabilities pi that they are given.
 *
 * Systematic: u uniform; the units in whose stretch of the cumulated pi the points u, u+1, ... lie.
 * Brewer: at step k of n, a of the pi being drawn already, unit i with probability in proportion to
 *   pi_i (n - a - pi_i) / (n - a - pi_i (n - k + 1)).
 * Sampford: P(s) in proportion to sum_{l in s} (1 - pi_l) prod_{k in s} pi_k/(1 - pi_k).
 * Pivotal: two units duel for each other's probability until one has 0 or 1; the other goes on.
 *
 * Sampford's joint probabilities: with f(z) = prod (q_k + pi_k z), q = 1 - pi, and
 *   M(z) = sum_l pi_l q_l z prod_{k != l} (q_k + pi_k z),
 * [z^m] f is the probability of m successes in independent trials and [z^m] M the same weighted
 * with the sum of q over the successes. So P(s) = prod.../[z^n] M, and
 *   pi_ij = pi_i pi_j ( (q_i + q_j) [z^(n-2)] f_-ij + [z^(n-2)] M_-ij ) / [z^n] M.
 * Units are taken out of f and M by division, from the end on which it is stable (pi below or above
 * one half). All terms are positive: nothing cancels. */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/sampling.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SURE            1e-9 /* pi this near to 0 or 1 is decided */
#define SAMPFORD_TRIES  2000
#define SAMPFORD_STATES 5e7

const char *const sampling_pps_names[SAMPLING_PPS_METHODS] = { "systematic", "brewer", "sampford",
                                                               "pivotal", "random-pivotal" };

int sampling_inclusion(const double *x, size_t N, uint64_t n, double *pi)
{
    size_t positive = 0;
    double total = 0;
    for (size_t i = 0; i < N; i++) {
        if (!(x[i] >= 0) || !isfinite(x[i]))
            return base_error_set(BASE_E_ARGUMENT,
                                  "size %g of unit %zu: sizes must be finite and not negative",
                                  x[i], i + 1);
        positive += x[i] > 0;
        total += x[i];
        pi[i] = -1; /* not certain */
    }
    if (!isfinite(total * (double)n)) /* below, sizes are multiplied with up to n */
        return base_error_set(BASE_E_ARGUMENT,
                              "the sizes add up to %g: divide them all by the same number", total);
    if (n > positive)
        return base_error_set(BASE_E_ARGUMENT,
                              "%llu units are asked for, but only %zu have a positive size",
                              (unsigned long long)n, positive);
    uint64_t left = n;
    for (;;) {
        double sum = 0;
        for (size_t i = 0; i < N; i++)
            sum += pi[i] < 0 ? x[i] : 0;
        bool more = false;
        uint64_t shared = left;
        for (size_t i = 0; i < N; i++)
            if (pi[i] < 0 && x[i] > 0 && (double)shared * x[i] >= sum * (1 - 1e-12)) {
                pi[i] = 1;
                left--;
                more = true;
            }
        if (more)
            continue;
        for (size_t i = 0; i < N; i++)
            if (pi[i] < 0)
                pi[i] = left && sum > 0 ? (double)left * x[i] / sum : 0;
        return 0;
    }
}

/* The units that are not decided by their pi alone, and how many of them are to be drawn. */
struct open_units {
    uint64_t *unit;
    double *pi;
    size_t N, n;
};

static int open_units(struct open_units *o, const double *pi, size_t N, unsigned char *taken)
{
    *o = (struct open_units){ 0 };
    double sum = 0;
    o->unit = base_alloc(N + 1, sizeof *o->unit);
    o->pi = base_alloc(N + 1, sizeof *o->pi);
    if (!o->unit || !o->pi)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < N; i++) {
        if (!(pi[i] >= 0 && pi[i] <= 1 + SURE))
            return base_error_set(BASE_E_ARGUMENT,
                                  "inclusion probability %g of unit %zu is not between 0 and 1",
                                  pi[i], i + 1);
        if (taken)
            taken[i] = pi[i] >= 1 - SURE;
        if (pi[i] <= SURE || pi[i] >= 1 - SURE)
            continue;
        o->unit[o->N] = i;
        o->pi[o->N++] = pi[i];
        sum += pi[i];
    }
    if (fabs(sum - round(sum)) > 1e-6)
        return base_error_set(BASE_E_ARGUMENT,
                              "the inclusion probabilities add up to %.9g, not to a whole number: "
                              "the size of the sample would not be fixed",
                              sum);
    o->n = (size_t)round(sum);
    return 0;
}

static void open_free(struct open_units *o)
{
    base_free(o->unit);
    base_free(o->pi);
}

static void draw_systematic(struct base_rng *rng, const struct open_units *o, unsigned char *taken)
{
    double u = base_rng_uniform(rng), sum = 0;
    size_t k = 0;
    for (size_t i = 0; i < o->N && k < o->n; i++) {
        sum += o->pi[i];
        /* rounding must not lose the last point */
        if (u + (double)k < sum || o->N - i == o->n - k) {
            taken[o->unit[i]] = 1;
            k++;
        }
    }
}

static int draw_brewer(struct base_rng *rng, const struct open_units *o, unsigned char *taken)
{
    double n = (double)o->n, a = 0;
    for (size_t k = 1; k <= o->n; k++) {
        double sum = 0, *pi = o->pi;
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted after %zu of %zu draws", k - 1,
                                  o->n);
        for (size_t i = 0; i < o->N; i++)
            if (!taken[o->unit[i]]) {
                double rest = n - a - pi[i] * (n - (double)k + 1);
                sum += pi[i] * (n - a - pi[i]) / rest;
            }
        double u = base_rng_uniform(rng) * sum;
        size_t last = 0;
        for (size_t i = 0; i < o->N; i++)
            if (!taken[o->unit[i]]) {
                double rest = n - a - pi[i] * (n - (double)k + 1);
                u -= pi[i] * (n - a - pi[i]) / rest;
                last = i;
                if (u < 0)
                    break;
            }
        taken[o->unit[last]] = 1;
        a += pi[last];
    }
    return 0;
}

/* order NULL: as they stand. */
static void draw_pivotal(struct base_rng *rng, const struct open_units *o, const uint64_t *order,
                         unsigned char *taken)
{
    if (o->N == 0)
        return;
#define UNIT(k) (order ? order[k] : (k))
    size_t champion = UNIT(0);
    double a = o->pi[champion];
    for (size_t k = 1; k < o->N; k++) {
        size_t other = UNIT(k);
        double b = o->pi[other], sum = a + b;
        double u = base_rng_uniform(rng);
        if (sum <= 1) {       /* one of them goes out; the other takes both */
            if (u * sum >= a) /* b stays with probability b/sum */
                champion = other;
            a = sum;
        } else { /* one of them is taken; the other goes on with what is left */
            /* a is taken with probability (1 - b)/(2 - sum) */
            if (u * (2 - sum) < 1 - b) {
                taken[o->unit[champion]] = 1;
                champion = other;
            } else {
                taken[o->unit[other]] = 1;
            }
            a = sum - 1;
        }
        if (a <= SURE || a >= 1 - SURE) { /* decided: the next unit begins anew */
            taken[o->unit[champion]] |= a >= 0.5;
            if (++k >= o->N)
                return;
            champion = UNIT(k);
            a = o->pi[champion];
        }
    }
    taken[o->unit[champion]] |= a >= 0.5;
#undef UNIT
}

/* One of N by cumulated weights. */
static size_t pick(struct base_rng *rng, const double *cumulated, size_t N)
{
    double u = base_rng_uniform(rng) * cumulated[N - 1];
    size_t low = 0, high = N - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (u < cumulated[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Sampford's own procedure: one unit in proportion to pi, n - 1 in proportion to pi/(1 - pi), with
 * replacement, until all differ. 1 = drawn, 0 = not in so many tries. */
static int sampford_reject(struct base_rng *rng, const struct open_units *o, unsigned char *taken)
{
    double *first = base_alloc(o->N, sizeof *first), *more = base_alloc(o->N, sizeof *more);
    size_t *drawn = base_alloc(o->n, sizeof *drawn);
    int rc = first && more && drawn ? 0 : BASE_E_MEMORY;
    double p = 0, l = 0;
    for (size_t i = 0; i < o->N && !rc; i++) {
        first[i] = p += o->pi[i];
        more[i] = l += o->pi[i] / (1 - o->pi[i]);
    }
    for (int t = 0; t < SAMPFORD_TRIES && !rc; t++) {
        size_t k = 0;
        for (; k < o->n; k++) {
            drawn[k] = pick(rng, k ? more : first, o->N);
            if (taken[o->unit[drawn[k]]])
                break;
            taken[o->unit[drawn[k]]] = 1;
        }
        if (k == o->n) {
            rc = 1;
            break;
        }
        while (k > 0)
            taken[o->unit[drawn[--k]]] = 0;
    }
    base_free(first);
    base_free(more);
    base_free(drawn);
    return rc;
}

/* The exact distribution, unit by unit: f[i][m] and M[i][m] of the units from i on tell how likely
 * it is that i belongs to a sample of which m are still to come, its mark (the factor of the sum)
 * being given out or not. */
static int sampford_exact(struct base_rng *rng, const struct open_units *o, unsigned char *taken)
{
    size_t N = o->N, n = o->n, width = n + 1;
    if ((double)(N + 1) * (double)width > SAMPFORD_STATES)
        return base_error_set(BASE_E_LIMIT,
                              "Sampford's design on %zu units and a sample of %zu takes too long: "
                              "use pivotal or brewer",
                              N, n);
    double *f = base_alloc_zero((N + 1) * width, 2 * sizeof *f);
    if (!f)
        return BASE_E_MEMORY;
    double *M = f + (N + 1) * width;
    f[N * width] = 1;
    for (size_t i = N; i-- > 0;)
        for (size_t m = 0; m <= n; m++) {
            double p = o->pi[i], q = 1 - p;
            const double *f1 = f + (i + 1) * width, *M1 = M + (i + 1) * width;
            f[i * width + m] = q * f1[m] + (m ? p * f1[m - 1] : 0);
            M[i * width + m] = q * M1[m] + (m ? p * (M1[m - 1] + q * f1[m - 1]) : 0);
        }
    bool marked = false;
    for (size_t i = 0, m = n; i < N && m > 0; i++) {
        double p = o->pi[i], q = 1 - p;
        const double *f1 = f + (i + 1) * width, *M1 = M + (i + 1) * width;
        double out = q * (marked ? f1[m] : M1[m]);
        double in = p * (marked ? f1[m - 1] : M1[m - 1]);
        double mark = marked ? 0 : p * q * f1[m - 1];
        double u = base_rng_uniform(rng) * (out + in + mark);
        if (u < out)
            continue;
        taken[o->unit[i]] = 1;
        marked |= u >= out + in;
        m--;
    }
    base_free(f);
    return 0;
}

int sampling_draw_pps(struct base_rng *rng, enum sampling_pps how, const double *pi, size_t N,
                      unsigned char *taken)
{
    struct open_units o;
    uint64_t *order = NULL;
    int rc = open_units(&o, pi, N, taken);
    if (rc || o.N == 0)
        goto out;
    switch (how) {
    case SAMPLING_PPS_SYSTEMATIC:
        draw_systematic(rng, &o, taken);
        break;
    case SAMPLING_PPS_BREWER:
        rc = draw_brewer(rng, &o, taken);
        break;
    case SAMPLING_PPS_SAMPFORD:
        rc = sampford_reject(rng, &o, taken);
        rc = rc == 0 ? sampford_exact(rng, &o, taken) : rc == 1 ? 0 : rc;
        break;
    case SAMPLING_PPS_RANDOM_PIVOTAL:
        if (!(order = base_alloc(o.N, sizeof *order))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        sampling_permute(rng, o.N, order);
        draw_pivotal(rng, &o, order, taken);
        break;
    default:
        draw_pivotal(rng, &o, NULL, taken);
    }
out:
    base_free(order);
    open_free(&o);
    return rc;
}

/* ---- joint probabilities ---- */
/* Out of g = (q + p z) h, h by division: coefficients 0..top, in place. Stable from below when
 * p <= 1/2; from above it needs every coefficient of g (top = degree of h). */
static void divide(const double *g, double *h, size_t top, double p)
{
    double q = 1 - p;
    if (p <= 0.5) {
        h[0] = g[0] / q;
        for (size_t m = 1; m <= top; m++)
            h[m] = (g[m] - p * h[m - 1]) / q;
    } else {
        h[top] = g[top + 1] / p;
        for (size_t m = top; m-- > 0;)
            h[m] = (g[m + 1] - q * h[m + 1]) / p;
    }
}

/* f and M (see above) of degree `degree` without unit of probability p, of degree - 1. */
static void remove_unit(const double *f, const double *M, size_t degree, double p, double *f1,
                        double *M1, double *scratch)
{
    divide(f, f1, degree - 1, p);
    for (size_t m = 0; m <= degree; m++)
        scratch[m] = M[m] - (m ? p * (1 - p) * f1[m - 1] : 0);
    divide(scratch, M1, degree - 1, p);
}

static int joint_sampford(const struct open_units *o, const size_t *at, const double *pi,
                          const uint64_t *unit, size_t m, double *out)
{
    /* at[k] = place of sample unit k among the open ones, or SIZE_MAX */
    size_t N = o->N, n = o->n;
    if ((double)m * (double)m * (double)N > 4e9)
        return base_error_set(BASE_E_LIMIT,
                              "joint probabilities of %zu units out of %zu take too long", m, N);
    double *memory = base_alloc_zero(7 * (N + 2), sizeof *memory);
    if (!memory)
        return BASE_E_MEMORY;
    double *f = memory, *M = f + N + 2, *f1 = M + N + 2, *M1 = f1 + N + 2, *f2 = M1 + N + 2,
           *M2 = f2 + N + 2, *scratch = M2 + N + 2;
    f[0] = 1;
    for (size_t i = 0; i < N; i++) {
        double p = o->pi[i], q = 1 - p;
        for (size_t k = i + 2; k-- > 0;) {
            M[k] = q * M[k] + (k ? p * (M[k - 1] + q * f[k - 1]) : 0);
            f[k] = q * f[k] + (k ? p * f[k - 1] : 0);
        }
    }
    for (size_t i = 0; i < m; i++) {
        out[i * m + i] = pi[unit[i]];
        if (at[i] != SIZE_MAX && n >= 2)
            remove_unit(f, M, N, o->pi[at[i]], f1, M1, scratch);
        for (size_t j = i + 1; j < m; j++) {
            double joint;
            if (at[i] == SIZE_MAX || at[j] == SIZE_MAX) {
                joint = pi[unit[i]] * pi[unit[j]]; /* one of them is certain, or impossible */
            } else if (n < 2) {
                joint = 0;
            } else {
                double p = o->pi[at[i]], r = o->pi[at[j]];
                remove_unit(f1, M1, N - 1, r, f2, M2, scratch);
                joint = p * r * ((2 - p - r) * f2[n - 2] + M2[n - 2]) / M[n];
            }
            out[i * m + j] = out[j * m + i] = joint;
        }
    }
    base_free(memory);
    return 0;
}

/* Length of the overlap of the arcs [a, a+p) and [b, b+r) on a circle of length 1. */
static double overlap(double a, double p, double b, double r)
{
    double d = b - a - floor(b - a), sum = 0; /* b's arc begins at d when a's begins at 0 */
    for (int turn = 0; turn < 2; turn++, d -= 1) {
        double low = d > 0 ? d : 0, high = d + r < p ? d + r : p;
        sum += high > low ? high - low : 0;
    }
    return sum;
}

int sampling_joint(enum sampling_pps how, const double *pi, size_t N, const uint64_t *unit,
                   size_t m, double *out)
{
    if (how != SAMPLING_PPS_SYSTEMATIC && how != SAMPLING_PPS_SAMPFORD)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "joint inclusion probabilities have a closed form for systematic and "
                              "sampford only");
    struct open_units o;
    size_t *at = base_alloc(m + 1, sizeof *at);
    double *from = base_alloc(m + 1, sizeof *from);
    int rc = open_units(&o, pi, N, NULL);
    if (!at || !from)
        rc = BASE_E_MEMORY;
    double sum = 0;
    for (size_t k = 0, i = 0; k < m && !rc; k++) {
        at[k] = SIZE_MAX;
        for (; i < o.N && o.unit[i] < unit[k]; i++)
            sum += o.pi[i];
        from[k] = sum;
        if (i < o.N && o.unit[i] == unit[k])
            at[k] = i;
    }
    if (!rc && how == SAMPLING_PPS_SAMPFORD)
        rc = joint_sampford(&o, at, pi, unit, m, out);
    else
        for (size_t i = 0; i < m && !rc; i++)
            for (size_t j = 0; j < m; j++)
                out[i * m + j] = i == j ? pi[unit[i]]
                                 : at[i] == SIZE_MAX || at[j] == SIZE_MAX
                                     ? pi[unit[i]] * pi[unit[j]]
                                     : overlap(from[i], pi[unit[i]], from[j], pi[unit[j]]);
    base_free(at);
    base_free(from);
    open_free(&o);
    return rc;
}
