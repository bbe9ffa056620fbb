/* The bootstrap (Efron 1979): draw n of n units with replacement, compute the statistic, again and
 * again. Resample b uses the random stream (seed, BASE_RNG_BOOTSTRAP, b) and nothing else, so the
 * distribution is the same on any number of threads.
 *
 * A resample is handed on as counts per unit, not as a list: statistics of sums need one pass over
 * units in a fixed order, and clusters of any size cost the same. */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/stats.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int stats_bootstrap(stats_statistic_fn *statistic, const void *context, size_t n, size_t resamples,
                    uint64_t seed, double *out)
{
    if (n == 0 || resamples == 0)
        return base_error_set(BASE_E_ARGUMENT, "a bootstrap needs at least one unit and resample");
    int threads = base_threads();
    uint32_t *picks = base_alloc((size_t)threads, n * sizeof *picks);
    if (!picks)
        return BASE_E_MEMORY;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++) {
        uint32_t *pick = picks + (size_t)t * n;
        for (size_t b = (size_t)t; b < resamples; b += (size_t)threads) {
            struct base_rng rng = base_rng_make(seed, BASE_RNG_BOOTSTRAP, b);
            memset(pick, 0, n * sizeof *pick);
            for (size_t i = 0; i < n; i++)
                pick[base_rng_below(&rng, n)]++;
            out[b] = statistic(context, pick, n);
        }
    }
    base_free(picks);
    for (size_t b = 0; b < resamples; b++)
        if (isnan(out[b]))
            return base_error_set(BASE_E_ARGUMENT,
                                  "the statistic is undefined on a resample of the %zu units", n);
    qsort(out, resamples, sizeof *out, ascending_order);
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
