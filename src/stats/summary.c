/* The bootstrap of ready-made summaries: mean, median, spread, quantile, trimmed mean; of single
 * values or of whole clusters.
 *
 * Order statistics are computed from counts: values are sorted once, and a resample's quantile is
 * found by walking the counts in that order, O(n) and no sorting per resample. */
#include "base/memory.h"
#include "stats/draw.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

const char *const stats_summary_names[STATS_SUMMARIES] = { "mean",     "median",   "sd",
                                                           "variance", "quantile", "trimmed" };

struct summary_data {
    enum stats_summary summary;
    double q;
    size_t n;
    const double *x;      /* ascending */
    const uint32_t *unit; /* [n] the unit each belongs to */
};

/* The value at 0-based place `at` of the resample's ascending values, and the one after it. */
static void value_at(const struct summary_data *d, const uint32_t *pick, double at, double *value,
                     double *next)
{
    double seen = 0;
    *value = *next = d->x[d->n - 1];
    for (size_t i = 0; i < d->n; i++) {
        double more = pick[d->unit[i]];
        if (more > 0 && seen + more > at + 1) {
            *next = d->x[i];
            if (seen <= at)
                *value = d->x[i];
            return;
        }
        if (more > 0 && seen <= at && seen + more > at)
            *value = d->x[i];
        seen += more;
    }
    *next = *value;
}

static double quantile_of(const struct summary_data *d, const uint32_t *pick, double total,
                          double q)
{
    double place = q * (total - 1), below = floor(place), low, high;
    value_at(d, pick, below, &low, &high);
    return low == high ? low : low + (place - below) * (high - low);
}

static double moments_of(const struct summary_data *d, const uint32_t *pick, double total)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < d->n; i++)
        mean += pick[d->unit[i]] * d->x[i];
    mean /= total;
    if (d->summary == STATS_MEAN)
        return mean;
    for (size_t i = 0; i < d->n; i++)
        squares += pick[d->unit[i]] * (d->x[i] - mean) * (d->x[i] - mean);
    double variance = total > 1 ? squares / (total - 1) : 0;
    return d->summary == STATS_SD ? sqrt(variance) : variance;
}

/* Mean of what is left after floor(q N) values at each end. */
static double trimmed_of(const struct summary_data *d, const uint32_t *pick, double total)
{
    double cut = floor(d->q * total), begin = cut, end = total - cut, seen = 0, sum = 0;
    for (size_t i = 0; i < d->n && seen < end; i++) {
        double more = pick[d->unit[i]];
        double from = fmax(seen, begin), to = fmin(seen + more, end);
        if (to > from)
            sum += (to - from) * d->x[i];
        seen += more;
    }
    return sum / (end - begin);
}

static double summary_of(const void *context, const uint32_t *pick, size_t n)
{
    (void)n;
    const struct summary_data *d = context;
    double total = 0;
    for (size_t i = 0; i < d->n; i++)
        total += pick[d->unit[i]];
    switch (d->summary) {
    case STATS_MEDIAN:
        return quantile_of(d, pick, total, 0.5);
    case STATS_QUANTILE:
        return quantile_of(d, pick, total, d->q);
    case STATS_TRIMMED:
        return trimmed_of(d, pick, total);
    default:
        return moments_of(d, pick, total);
    }
}

/* The mean of single values, without counts. The values are shifted by their mean, so that sums in
 * any order are exact to the spread rather than to the mean. */
static int bootstrap_mean(const double *x, size_t n, const struct stats_bootstrap_options *o,
                          struct stats_bootstrap_result *out)
{
    size_t resamples = o->resamples;
    double mean = stats_mean(x, n);
    double *shifted = base_alloc(n, sizeof *shifted), *leave = base_alloc(n, sizeof *leave);
    double *distribution = base_alloc(resamples, sizeof *distribution);
    double *scratch = base_alloc(resamples, sizeof *scratch);
    int rc = BASE_E_MEMORY, threads = base_threads();
    if (!shifted || !leave || !distribution || !scratch)
        goto out;
    for (size_t i = 0; i < n; i++) {
        shifted[i] = x[i] - mean;
        leave[i] = -shifted[i] / (double)(n - 1); /* + mean: only differences count */
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++) {
        struct stats_draw draw = stats_draw_make(o->seed, (uint32_t)n);
        size_t begin = resamples * (size_t)t / (size_t)threads;
        size_t end = resamples * ((size_t)t + 1) / (size_t)threads;
        for (size_t b = begin; b < end; b++) {
            stats_draw_resample(&draw, b);
            distribution[b] = mean + stats_draw_sum(&draw, shifted) / (double)n;
        }
    }
    stats_sort(distribution, resamples, scratch);
    rc = stats_bootstrap_intervals(distribution, mean, leave, n, o, out);
out:
    base_free(shifted);
    base_free(leave);
    base_free(distribution);
    base_free(scratch);
    return rc;
}

static int check(enum stats_summary summary, double q, const double *x, size_t n,
                 const struct stats_bootstrap_options *o)
{
    int rc = stats_check_finite(x, n, "bootstrap");
    if (rc)
        return rc;
    if (n < 2)
        return base_error_set(BASE_E_ARGUMENT, "a bootstrap needs at least 2 values, not %zu", n);
    if (n >= UINT32_MAX || o->resamples == 0 || o->resamples > SIZE_MAX / 64)
        return base_error_set(BASE_E_LIMIT, "%zu resamples of %zu values is out of range",
                              o->resamples, n);
    if (!(o->level > 0 && o->level < 1))
        return base_error_set(BASE_E_ARGUMENT, "a confidence level is between 0 and 1, not %g",
                              o->level);
    if (summary == STATS_QUANTILE && !(q >= 0 && q <= 1))
        return base_error_set(BASE_E_ARGUMENT, "a quantile is between 0 and 1, not %g", q);
    if (summary == STATS_TRIMMED && !(q >= 0 && q < 0.5))
        return base_error_set(BASE_E_ARGUMENT, "a trimmed share is in [0, 0.5), not %g", q);
    return 0;
}

int stats_bootstrap_summary(enum stats_summary summary, double q, const double *x, size_t n,
                            const uint32_t *cluster, size_t clusters,
                            const struct stats_bootstrap_options *o,
                            struct stats_bootstrap_result *out)
{
    int rc = check(summary, q, x, n, o);
    if (rc)
        return rc;
    bool constant = true;
    for (size_t i = 1; i < n && constant; i++)
        constant = x[i] == x[0];
    if (constant) { /* every resample is the data */
        double value = summary == STATS_SD || summary == STATS_VARIANCE ? 0 : x[0];
        struct stats_interval point = { value, value };
        *out = (struct stats_bootstrap_result){
            .estimate = value, .percentile = point, .basic = point, .bca = point
        };
        return 0;
    }
    if (summary == STATS_MEAN && !cluster)
        return bootstrap_mean(x, n, o, out);
    size_t *order = base_alloc(n, sizeof *order), units = cluster ? 0 : n;
    double *sorted = base_alloc(n, sizeof *sorted);
    uint32_t *unit = base_alloc(n, sizeof *unit), *number = NULL;
    rc = BASE_E_MEMORY;
    if (!order || !sorted || !unit || stats_order(x, n, order))
        goto out;
    if (cluster) { /* numbers without gaps, in order of first appearance */
        if (!(number = base_alloc_zero(clusters, sizeof *number)))
            goto out;
        for (size_t i = 0; i < n; i++)
            if (number[cluster[i]] == 0)
                number[cluster[i]] = (uint32_t)++units;
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = x[order[i]];
        unit[i] = cluster ? number[cluster[order[i]]] - 1 : (uint32_t)order[i];
    }
    struct summary_data data = { summary, q, n, sorted, unit };
    if (units < 2)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "a bootstrap over clusters needs at least 2 of them, not %zu", units);
    else
        rc = stats_bootstrap_statistic(summary_of, &data, units, o, out);
out:
    base_free(order);
    base_free(sorted);
    base_free(unit);
    base_free(number);
    return rc;
}
