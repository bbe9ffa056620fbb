/* Tests of means: Student's t for one sample and for two, Welch's, and permutation tests.
 *
 *     one sample   t = (mean - mu) / (s / sqrt n), n - 1 df
 *     Student      t = (mean_x - mean_y) / (s_p sqrt(1/n + 1/m)), n + m - 2 df, s_p^2 pooled
 *     Welch        t = (mean_x - mean_y) / sqrt(v), v = s_x^2/n + s_y^2/m,
 *                  df = v^2 / ((s_x^2/n)^2/(n-1) + (s_y^2/m)^2/(m-1))
 *
 * Effects are Cohen's d, and Hedges' g = d J(df), J = Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2)).
 */
#include "base/memory.h"
#include "base/rng.h"
#include "stats/distribution.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

const char *const stats_alternative_names[3] = { "two-sided", "greater", "less" };

static double p_of_t(double t, double df, enum stats_alternative alternative)
{
    return alternative == STATS_TWO_SIDED ? stats_t_two_sided(t, df)
           : alternative == STATS_GREATER ? stats_t_tail(t, df)
                                          : stats_t_cdf(t, df);
}

/* What is common: from estimate, se, df, sd (for the effect) and the value under no difference. */
static int finish(struct stats_test *out, double null, double sd,
                  enum stats_alternative alternative, double level)
{
    double away = out->estimate - null;
    out->statistic = out->se > 0 ? away / out->se : away == 0 ? 0 : copysign(INFINITY, away);
    out->p = p_of_t(out->statistic, out->df, alternative);
    out->effect = sd > 0 ? away / sd : NAN;
    double half = out->df / 2;
    out->hedges =
        out->df > 1 ? out->effect * exp(lgamma(half) - lgamma(half - 0.5) - 0.5 * log(half)) : NAN;
    return stats_interval_t(out->estimate, out->se, out->df, level, &out->interval);
}

static int check_sample(const double *x, size_t n, const char *what)
{
    int rc = stats_check_finite(x, n, what);
    if (rc == 0 && n < 2)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: a t test needs at least 2 values, not %zu", what,
                            n);
    return rc;
}

/* Exactly 0 where all values are the same, which rounding of the mean would hide. */
static double variance_of(const double *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0])
            return stats_variance(x, n);
    return 0;
}

int stats_t_one(const double *x, size_t n, double mu, enum stats_alternative alternative,
                double level, struct stats_test *out)
{
    int rc = check_sample(x, n, "sample");
    if (rc)
        return rc;
    if (!isfinite(mu))
        return base_error_set(BASE_E_ARGUMENT, "the mean to test against is %g", mu);
    double variance = variance_of(x, n);
    *out = (struct stats_test){ .estimate = variance > 0 ? stats_mean(x, n) : x[0],
                                .se = sqrt(variance / (double)n),
                                .df = (double)(n - 1) };
    return finish(out, mu, sqrt(variance), alternative, level);
}

int stats_t_welch(const double *x, size_t n, const double *y, size_t m,
                  enum stats_alternative alternative, double level, struct stats_test *out)
{
    int rc;
    if ((rc = check_sample(x, n, "first sample")) || (rc = check_sample(y, m, "second sample")))
        return rc;
    double count_x = (double)n, count_y = (double)m;
    double vx = variance_of(x, n), vy = variance_of(y, m), ex = vx / count_x, ey = vy / count_y;
    double pooled = ((count_x - 1) * vx + (count_y - 1) * vy) / (count_x + count_y - 2);
    *out = (struct stats_test){ .estimate = stats_mean(x, n) - stats_mean(y, m),
                                .se = sqrt(ex + ey),
                                .df = count_x + count_y - 2 };
    if (ex + ey > 0) /* as shares of their sum, which cannot underflow */
        out->df =
            1 / (pow(ex / (ex + ey), 2) / (count_x - 1) + pow(ey / (ex + ey), 2) / (count_y - 1));
    return finish(out, 0, sqrt(pooled), alternative, level);
}

int stats_t_student(const double *x, size_t n, const double *y, size_t m,
                    enum stats_alternative alternative, double level, struct stats_test *out)
{
    int rc;
    if ((rc = check_sample(x, n, "first sample")) || (rc = check_sample(y, m, "second sample")))
        return rc;
    double count_x = (double)n, count_y = (double)m, df = count_x + count_y - 2;
    double pooled = ((count_x - 1) * variance_of(x, n) + (count_y - 1) * variance_of(y, m)) / df;
    *out = (struct stats_test){ .estimate = stats_mean(x, n) - stats_mean(y, m),
                                .se = sqrt(pooled * (1 / count_x + 1 / count_y)),
                                .df = df };
    return finish(out, 0, sqrt(pooled), alternative, level);
}

/* The noncentrality at which P(T >= t) = p; it rises with the noncentrality. */
static double noncentrality_of(double t, double df, double p)
{
    double low = t - 10 - fabs(t), high = t + 10 + fabs(t);
    for (int i = 0; i < 60 && high - low > 1e-11 * (1 + fabs(t)); i++) {
        double middle = (low + high) / 2;
        if (stats_t_noncentral_tail(t, df, middle) < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

int stats_interval_effect(double d, double scale, double df, double level,
                          struct stats_interval *out)
{
    int rc = stats_interval_normal(0, 1, level, out);
    if (rc)
        return rc;
    if (!(scale > 0 && df > 0) || isnan(d)) {
        *out = (struct stats_interval){ NAN, NAN };
        return 0;
    }
    double t = d * scale;
    if (fabs(t) > 30) {
        double z = out->high, se = sqrt(1 / (scale * scale) + d * d / (2 * df));
        *out = (struct stats_interval){ d - z * se, d + z * se };
        return 0;
    }
    out->low = noncentrality_of(t, df, (1 - level) / 2) / scale;
    out->high = noncentrality_of(t, df, (1 + level) / 2) / scale;
    return 0;
}

/* Whether a permuted sum is as extreme as the one seen; sums that differ by rounding are equal. */
static bool as_extreme(double sum, double seen, double slack, enum stats_alternative alternative)
{
    return alternative == STATS_TWO_SIDED ? fabs(sum) >= fabs(seen) - slack
           : alternative == STATS_GREATER ? sum >= seen - slack
                                          : sum <= seen + slack;
}

/* Streams of permutations: items of the bootstrap's purpose that no resample has. */
static struct base_rng permutation_stream(uint64_t seed, uint64_t item)
{
    return base_rng_make(seed, BASE_RNG_BOOTSTRAP, item | (uint64_t)1 << 63);
}

/* Sum of d with the signs of 32 values a word. */
static double signed_sum(const double *d, size_t n, struct base_rng *rng)
{
    double sum = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        if (i % 32 == 0)
            bits = base_rng_u32(rng);
        sum += bits & 1 ? -d[i] : d[i];
        bits >>= 1;
    }
    return sum;
}

static int check_permutation(size_t resamples, bool needed)
{
    if (needed && (resamples < 1 || resamples > (size_t)1 << 40))
        return base_error_set(BASE_E_ARGUMENT,
                              "a permutation test needs at least 1 random permutation, not %zu",
                              resamples);
    return 0;
}

int stats_permutation_paired(const double *d, size_t n, enum stats_alternative alternative,
                             size_t resamples, uint64_t seed, struct stats_permutation *out)
{
    int rc = stats_check_finite(d, n, "differences");
    bool exact = n <= 20;
    if (rc || (rc = check_permutation(resamples, !exact)))
        return rc;
    if (n < 1)
        return base_error_set(BASE_E_ARGUMENT, "a permutation test needs at least one pair");
    double seen = stats_sum(d, n), size = 0;
    for (size_t i = 0; i < n; i++)
        size += fabs(d[i]);
    double slack = 1e-13 * size;
    size_t patterns = exact ? (size_t)1 << n : resamples, hits = 0;
#pragma omp parallel for num_threads(base_threads()) schedule(static) reduction(+ : hits)
    for (size_t k = 0; k < patterns; k++) {
        double sum = 0;
        if (exact) {
            for (size_t i = 0; i < n; i++)
                sum += k >> i & 1 ? -d[i] : d[i];
        } else {
            struct base_rng rng = permutation_stream(seed, k);
            sum = signed_sum(d, n, &rng);
        }
        hits += as_extreme(sum, seen, slack, alternative);
    }
    *out = (struct stats_permutation){ .statistic = seen / (double)n,
                                       .exact = exact,
                                       .patterns = patterns };
    out->p = exact ? (double)hits / (double)patterns : (1 + (double)hits) / (1 + (double)patterns);
    return 0;
}

int stats_permutation_two(const double *x, size_t n, const double *y, size_t m,
                          enum stats_alternative alternative, size_t resamples, uint64_t seed,
                          struct stats_permutation *out)
{
    int rc;
    if ((rc = stats_check_finite(x, n, "first sample")) ||
        (rc = stats_check_finite(y, m, "second sample")) ||
        (rc = check_permutation(resamples, true)))
        return rc;
    if (n < 1 || m < 1)
        return base_error_set(BASE_E_ARGUMENT, "a permutation test needs two samples");
    size_t all = n + m, hits = 0;
    int threads = base_threads();
    double *values = base_alloc(all, sizeof *values);
    double *scratch = base_alloc((size_t)threads, all * sizeof *scratch);
    if (!values || !scratch) {
        base_free(values);
        base_free(scratch);
        return BASE_E_MEMORY;
    }
    memcpy(values, x, n * sizeof *x);
    memcpy(values + n, y, m * sizeof *y);
    double centre = stats_mean(values, all), size = 0, seen = 0;
    for (size_t i = 0; i < all; i++) {
        values[i] -= centre; /* then mean_x - mean_y is the sum over x times (1/n + 1/m) */
        size += fabs(values[i]);
        seen += i < n ? values[i] : 0;
    }
    double slack = 1e-13 * size;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : hits)
    for (int t = 0; t < threads; t++) {
        double *v = scratch + (size_t)t * all;
        for (size_t k = (size_t)t; k < resamples; k += (size_t)threads) {
            struct base_rng rng = permutation_stream(seed, k);
            double sum = 0;
            memcpy(v, values, all * sizeof *v);
            for (size_t i = 0; i < n; i++) { /* Fisher and Yates, as far as x goes */
                size_t j = i + base_rng_below(&rng, all - i);
                double drawn = v[j];
                v[j] = v[i];
                v[i] = drawn;
                sum += drawn;
            }
            hits += as_extreme(sum, seen, slack, alternative);
        }
    }
    base_free(values);
    base_free(scratch);
    *out = (struct stats_permutation){
        .statistic = stats_mean(x, n) - stats_mean(y, m),
        .p = (1 + (double)hits) / (1 + (double)resamples),
        .patterns = resamples,
    };
    return 0;
}
