/* The bootstrap (Efron 1979): draw n of n units with replacement, compute the statistic, again and
 * again. Resample b uses the random stream (seed, BASE_RNG_BOOTSTRAP, b) and nothing else, so the
 * distribution is the same on any number of threads (how indices come of it: draw.c).
 *
 * A resample is handed on as counts per unit, not as a list: statistics of sums need one pass over
 * units in a fixed order, and clusters of any size cost the same. The mean alone has a path without
 * counts, which is some three times as fast.
 *
 * Intervals of a distribution t* of an estimate t, with Q its quantiles (Efron and Tibshirani
 * 1993):
 *
 *     percentile   Q(a/2) .. Q(1 - a/2)
 *     basic        2t - Q(1 - a/2) .. 2t - Q(a/2)
 *     BCa          Q(Phi(z0 + (z0 + z) / (1 - a^ (z0 + z)))) for z = -+ z_{a/2},
 *                  z0 = Phi^-1(share of t* below t), a^ from the jackknife */
#include "base/memory.h"
#include "stats/distribution.h"
#include "stats/draw.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

static int check_sizes(size_t n, size_t resamples)
{
    if (n == 0 || resamples == 0)
        return base_error_set(BASE_E_ARGUMENT, "a bootstrap needs at least one unit and resample");
    if (n >= UINT32_MAX)
        return base_error_set(BASE_E_LIMIT, "a bootstrap of %zu units; at most 2^32 - 2 go", n);
    return 0;
}

struct one_statistic {
    stats_statistic_fn *fn;
    const void *context;
};

static void call_one(const void *context, const uint32_t *pick, size_t n, double *out)
{
    const struct one_statistic *s = context;
    *out = s->fn(s->context, pick, n);
}

/* Fills out [outputs][resamples], unsorted. */
static int draw_all(stats_statistics_fn *fn, const void *context, size_t n, size_t outputs,
                    size_t resamples, uint64_t seed, double *out)
{
    int threads = base_threads();
    threads = (size_t)threads > resamples ? (int)resamples : threads;
    uint32_t *picks = base_alloc((size_t)threads, n * sizeof *picks);
    double *values = base_alloc((size_t)threads, outputs * sizeof *values);
    int rc = picks && values ? 0 : BASE_E_MEMORY;
    if (rc == 0) {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int t = 0; t < threads; t++) {
            uint32_t *pick = picks + (size_t)t * n;
            double *value = values + (size_t)t * outputs;
            struct stats_draw draw = stats_draw_make(seed, (uint32_t)n);
            for (size_t b = (size_t)t; b < resamples; b += (size_t)threads) {
                stats_draw_resample(&draw, b);
                stats_draw_counts(&draw, pick);
                fn(context, pick, n, value);
                for (size_t k = 0; k < outputs; k++)
                    out[k * resamples + b] = value[k];
            }
        }
    }
    base_free(picks);
    base_free(values);
    return rc;
}

int stats_bootstrap(stats_statistic_fn *statistic, const void *context, size_t n, size_t resamples,
                    uint64_t seed, double *out)
{
    struct one_statistic one = { statistic, context };
    int rc = check_sizes(n, resamples);
    if (rc || (rc = draw_all(call_one, &one, n, 1, resamples, seed, out)))
        return rc;
    for (size_t b = 0; b < resamples; b++)
        if (isnan(out[b]))
            return base_error_set(BASE_E_ARGUMENT,
                                  "the statistic is undefined on a resample of the %zu units", n);
    stats_sort_alone(out, resamples);
    return 0;
}

int stats_bootstrap_many(stats_statistics_fn *statistics, const void *context, size_t n,
                         size_t outputs, size_t resamples, uint64_t seed, double *out,
                         size_t *defined)
{
    int rc = check_sizes(n, resamples);
    if (rc || (rc = draw_all(statistics, context, n, outputs, resamples, seed, out)))
        return rc;
    for (size_t k = 0; k < outputs; k++) {
        double *row = out + k * resamples;
        size_t kept = 0;
        for (size_t b = 0; b < resamples; b++)
            if (!isnan(row[b]))
                row[kept++] = row[b];
        defined[k] = kept;
        stats_sort_alone(row, kept);
    }
    return 0;
}

int stats_bootstrap_percentile(const double *ascending, size_t resamples, double level,
                               struct stats_interval *out)
{
    if (!(level > 0 && level < 1))
        return base_error_set(BASE_E_ARGUMENT, "a confidence level is between 0 and 1, not %g",
                              level);
    out->low = stats_quantile_sorted(ascending, resamples, (1 - level) / 2);
    out->high = stats_quantile_sorted(ascending, resamples, (1 + level) / 2);
    return 0;
}

/* BCa's acceleration from leave-one-out values. */
static double acceleration_of(const double *jackknife, size_t n)
{
    double mean = stats_mean(jackknife, n), squares = 0, cubes = 0;
    for (size_t i = 0; i < n; i++) {
        double d = mean - jackknife[i];
        squares += d * d;
        cubes += d * d * d;
    }
    double a = cubes / (6 * pow(squares, 1.5));
    return isfinite(a) ? a : 0;
}

int stats_bootstrap_intervals(const double *ascending, double estimate, const double *jackknife,
                              size_t n, const struct stats_bootstrap_options *o,
                              struct stats_bootstrap_result *out)
{
    size_t b = o->resamples;
    *out = (struct stats_bootstrap_result){ .estimate = estimate };
    int rc = stats_bootstrap_percentile(ascending, b, o->level, &out->percentile);
    if (rc)
        return rc;
    double low = ascending[0], high = ascending[b - 1];
    /* what rounding alone can make of equal statistics */
    double same = 1e-13 * fmax(fabs(estimate), fmax(fabs(low), fabs(high)));
    if (high - low <= same && fabs(low - estimate) <= same) {
        out->percentile = out->basic = out->bca = (struct stats_interval){ estimate, estimate };
        return 0;
    }
    out->se = sqrt(stats_variance(ascending, b));
    out->bias = stats_mean(ascending, b) - estimate;
    out->basic.low = 2 * estimate - out->percentile.high;
    out->basic.high = 2 * estimate - out->percentile.low;
    size_t below = 0, equal = 0;
    for (size_t i = 0; i < b; i++) {
        below += ascending[i] < estimate - same;
        equal += fabs(ascending[i] - estimate) <= same;
    }
    double share = ((double)below + (o->strict_ties ? 0 : 0.5 * (double)equal)) / (double)b;
    /* at an end of the distribution z0 would be infinite: half a resample is as far as it can tell
     */
    share = fmin(fmax(share, 0.5 / (double)b), 1 - 0.5 / (double)b);
    out->z0 = stats_normal_quantile(share);
    out->acceleration = acceleration_of(jackknife, n);
    double z = stats_normal_quantile((1 + o->level) / 2),
           *end[2] = { &out->bca.low, &out->bca.high };
    for (int side = 0; side < 2; side++) {
        double w = out->z0 + (side ? z : -z), scale = 1 - out->acceleration * w;
        /* past the pole of 1 - a w the transformed quantile is that end itself */
        double q = scale > 0 ? stats_normal_cdf(out->z0 + w / scale) : side;
        *end[side] = stats_quantile_sorted(ascending, b, q);
    }
    return 0;
}

/* Leave-out values through the statistic itself; groups of neighbours when there are many units. */
static double *jackknife_of(stats_statistic_fn *fn, const void *context, size_t n, size_t *groups)
{
    *groups = n < 2000 ? n : 1000;
    double *values = base_alloc(*groups, sizeof *values);
    uint32_t *pick = base_alloc(n, sizeof *pick);
    if (!values || !pick) {
        base_free(values);
        base_free(pick);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        pick[i] = 1;
    for (size_t g = 0; g < *groups; g++) {
        size_t begin = g * n / *groups, end = (g + 1) * n / *groups;
        memset(pick + begin, 0, (end - begin) * sizeof *pick);
        values[g] = fn(context, pick, n);
        for (size_t i = begin; i < end; i++)
            pick[i] = 1;
    }
    /* a statistic that one unit makes undefined has no influence to tell of */
    for (size_t g = 0; g < *groups; g++)
        if (!isfinite(values[g])) {
            memset(values, 0, *groups * sizeof *values);
            break;
        }
    base_free(pick);
    return values;
}

int stats_bootstrap_statistic(stats_statistic_fn *statistic, const void *context, size_t n,
                              const struct stats_bootstrap_options *o,
                              struct stats_bootstrap_result *out)
{
    if (n < 2)
        return base_error_set(BASE_E_ARGUMENT, "a bootstrap needs at least 2 units, not %zu", n);
    size_t groups = 0;
    double *distribution = base_alloc(o->resamples, sizeof *distribution), *jackknife = NULL;
    uint32_t *once = base_alloc(n, sizeof *once);
    int rc = BASE_E_MEMORY;
    if (!distribution || !once || !(jackknife = jackknife_of(statistic, context, n, &groups)))
        goto out;
    if ((rc = stats_bootstrap(statistic, context, n, o->resamples, o->seed, distribution)))
        goto out;
    for (size_t i = 0; i < n; i++)
        once[i] = 1;
    double estimate = statistic(context, once, n);
    rc = stats_bootstrap_intervals(distribution, estimate, jackknife, groups, o, out);
out:
    base_free(distribution);
    base_free(jackknife);
    base_free(once);
    return rc;
}

struct ratio_data {
    const double *y, *x;
};

static double ratio_of(const void *context, const uint32_t *pick, size_t n)
{
    const struct ratio_data *d = context;
    double y = 0, x = 0;
    for (size_t i = 0; i < n; i++) {
        y += pick[i] * d->y[i];
        x += pick[i] * d->x[i];
    }
    return y / x;
}

int stats_bootstrap_ratio(const double *y, const double *x, size_t n, size_t resamples,
                          uint64_t seed, double level, struct stats_interval *out)
{
    if (n < 2)
        return base_error_set(BASE_E_ARGUMENT,
                              "a bootstrap over clusters needs at least 2 of them, not %zu", n);
    double *distribution = base_alloc(resamples, sizeof *distribution);
    if (!distribution)
        return BASE_E_MEMORY;
    struct ratio_data data = { y, x };
    int rc = stats_bootstrap(ratio_of, &data, n, resamples, seed, distribution);
    if (rc == 0)
        rc = stats_bootstrap_percentile(distribution, resamples, level, out);
    base_free(distribution);
    return rc;
}
