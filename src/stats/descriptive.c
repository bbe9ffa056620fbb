/* Sums, means, variances, quantiles.
 *
 * Sums are compensated (Neumaier 1974): s + c holds the sum of all terms so far, c gathering what
 * each addition to s lost; the error is one rounding plus terms of second order, whatever n is. */
#include "base/memory.h"
#include <assay/stats.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double stats_sum(const double *x, size_t n)
{
    double s = 0, c = 0;
    for (size_t i = 0; i < n; i++) {
        double t = s + x[i];
        if (isfinite(t))
            c += fabs(s) >= fabs(x[i]) ? (s - t) + x[i] : (x[i] - t) + s;
        s = t;
    }
    return s + c;
}

double stats_mean(const double *x, size_t n)
{
    return n ? stats_sum(x, n) / (double)n : NAN;
}

double stats_variance(const double *x, size_t n)
{
    if (n < 2)
        return NAN;
    double mean = stats_mean(x, n), squares = 0, rest = 0;
    for (size_t i = 0; i < n; i++) {
        double d = x[i] - mean;
        squares += d * d;
        rest += d; /* what rounding of the mean left over (Chan et al. 1983) */
    }
    return (squares - rest * rest / (double)n) / (double)(n - 1);
}

double stats_quantile_sorted(const double *ascending, size_t n, double q)
{
    double place = q * (double)(n - 1);
    size_t below = (size_t)floor(place);
    if (below >= n - 1)
        return ascending[n - 1];
    double low = ascending[below], high = ascending[below + 1];
    return low == high ? low : low + (place - (double)below) * (high - low);
}

static int ascending_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int stats_median(const double *x, size_t n, double *out)
{
    if (n == 0)
        return base_error_set(BASE_E_ARGUMENT, "the median of no values is undefined");
    double *copy = base_alloc(n, sizeof *copy);
    if (!copy)
        return BASE_E_MEMORY;
    memcpy(copy, x, n * sizeof *x);
    qsort(copy, n, sizeof *copy, ascending_order);
    *out = stats_quantile_sorted(copy, n, 0.5);
    base_free(copy);
    return 0;
}
