/* Adjusted p-values for many comparisons: reject where the adjusted value is at most alpha.
 *
 * With p_(1) <= ... <= p_(n):
 *     Bonferroni   n p                            Sidak        1 - (1 - p)^n
 *     Holm         max_{j<=i} (n-j+1) p_(j)       Holm-Sidak   max_{j<=i} 1 - (1-p_(j))^(n-j+1)
 *     Hochberg     min_{j>=i} (n-j+1) p_(j)
 *     BH           min_{j>=i} n/j p_(j)           BY           the same times 1 + 1/2 + ... + 1/n
 * all cut at 1. Bonferroni to Hochberg hold the chance of any false alarm (Hochberg for independent
 * or positively dependent tests), BH and BY the expected share of false ones among the alarms. */
#include "base/memory.h"
#include "stats/draw.h"
#include <assay/stats.h>
#include <math.h>

const char *const stats_adjust_names[STATS_ADJUST_METHODS] = { "none", "bonferroni", "sidak",
                                                               "holm", "holm-sidak", "hochberg",
                                                               "bh",   "by" };

/* The i-th smallest (from 0) p before the running maximum or minimum. */
static double raised(enum stats_adjust_method method, double p, size_t i, double n, double harmonic)
{
    double left = n - (double)i;
    switch (method) {
    case STATS_BONFERRONI:
        return n * p;
    case STATS_SIDAK:
        return -expm1(n * log1p(-p));
    case STATS_HOLM:
    case STATS_HOCHBERG:
        return left * p;
    case STATS_HOLM_SIDAK:
        return -expm1(left * log1p(-p));
    case STATS_BH:
        return n / (double)(i + 1) * p;
    case STATS_BY:
        return harmonic * n / (double)(i + 1) * p;
    default:
        return p;
    }
}

int stats_adjust(enum stats_adjust_method method, const double *p, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++)
        if (!(p[i] >= 0 && p[i] <= 1))
            return base_error_set(BASE_E_ARGUMENT,
                                  "p-value %zu is %g; p-values are between 0 and 1", i + 1, p[i]);
    size_t *order = base_alloc(n, sizeof *order);
    if (!order || stats_order(p, n, order)) {
        base_free(order);
        return BASE_E_MEMORY;
    }
    double harmonic = 0;
    for (size_t i = 1; i <= n; i++)
        harmonic += 1 / (double)i;
    bool up = method == STATS_HOCHBERG || method == STATS_BH || method == STATS_BY;
    bool single =
        method == STATS_ADJUST_NONE || method == STATS_BONFERRONI || method == STATS_SIDAK;
    double so_far = up ? 1 : 0;
    for (size_t step = 0; step < n; step++) {
        size_t i = up ? n - 1 - step : step;
        double value = fmin(1, raised(method, p[order[i]], i, (double)n, harmonic));
        if (!single)
            value = so_far = up ? fmin(so_far, value) : fmax(so_far, value);
        out[order[i]] = value;
    }
    base_free(order);
    return 0;
}
