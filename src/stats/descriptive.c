/* Sums, means, variances, quantiles, the description of a sample.
 *
 * Sums are compensated (Neumaier 1974): s + c holds the sum of all terms so far, c gathering what
 * each addition to s lost; the error is one rounding plus terms of second order, whatever n is. */
#include "base/memory.h"
#include "stats/draw.h"
#include <assay/stats.h>
#include <math.h>
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

int stats_median(const double *x, size_t n, double *out)
{
    if (n == 0)
        return base_error_set(BASE_E_ARGUMENT, "the median of no values is undefined");
    double *copy = base_alloc(n, sizeof *copy);
    if (!copy)
        return BASE_E_MEMORY;
    memcpy(copy, x, n * sizeof *x);
    stats_sort_alone(copy, n);
    *out = stats_quantile_sorted(copy, n, 0.5);
    base_free(copy);
    return 0;
}

double stats_covariance(const double *x, const double *y, size_t n)
{
    if (n < 2)
        return NAN;
    double mean_x = stats_mean(x, n), mean_y = stats_mean(y, n), products = 0, rest_x = 0,
           rest_y = 0;
    for (size_t i = 0; i < n; i++) {
        double dx = x[i] - mean_x, dy = y[i] - mean_y;
        products += dx * dy;
        rest_x += dx;
        rest_y += dy;
    }
    return (products - rest_x * rest_y / (double)n) / (double)(n - 1);
}

int stats_check_finite(const double *x, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return base_error_set(BASE_E_NUMERIC, "%s: value %zu is %g; every value must be finite",
                                  what, i + 1, x[i]);
    return 0;
}

bool stats_is_binary(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0 && x[i] != 1)
            return false;
    return true;
}

/* Third and fourth standardised moments, corrected for n (Joanes and Gill 1998, G1 and G2):
 *
 *     G1 = g1 sqrt(n (n-1)) / (n-2)          g1 = m3 / m2^1.5
 *     G2 = ((n+1) g2 + 6) (n-1) / ((n-2)(n-3))   g2 = m4 / m2^2 - 3 */
static void shape(const double *x, size_t n, struct stats_description *out)
{
    double m2 = 0, m3 = 0, m4 = 0, count = (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = x[i] - out->mean, square = d * d;
        m2 += square;
        m3 += square * d;
        m4 += square * square;
    }
    m2 /= count;
    m3 /= count;
    m4 /= count;
    bool flat = out->min == out->max;
    out->skewness =
        n < 3 || flat ? NAN : m3 / (m2 * sqrt(m2)) * sqrt(count * (count - 1)) / (count - 2);
    out->kurtosis = n < 4 || flat ? NAN
                                  : ((count + 1) * (m4 / (m2 * m2) - 3) + 6) * (count - 1) /
                                        ((count - 2) * (count - 3));
}

int stats_describe(const double *x, size_t n, struct stats_description *out)
{
    int rc = stats_check_finite(x, n, "describe");
    if (rc)
        return rc;
    if (n == 0)
        return base_error_set(BASE_E_ARGUMENT, "there are no values to describe");
    double *sorted = base_alloc(n, sizeof *sorted);
    if (!sorted)
        return BASE_E_MEMORY;
    memcpy(sorted, x, n * sizeof *x);
    stats_sort_alone(sorted, n);
    bool flat = sorted[0] == sorted[n - 1];
    *out = (struct stats_description){
        .n = n,
        .mean = flat ? sorted[0] : stats_mean(x, n),
        .sd = flat && n > 1 ? 0 : sqrt(stats_variance(x, n)),
        .min = sorted[0],
        .q1 = stats_quantile_sorted(sorted, n, 0.25),
        .median = stats_quantile_sorted(sorted, n, 0.5),
        .q3 = stats_quantile_sorted(sorted, n, 0.75),
        .max = sorted[n - 1],
    };
    out->se = out->sd / sqrt((double)n);
    shape(x, n, out);
    for (size_t i = 0; i < n; i++)
        sorted[i] = fabs(x[i] - out->median);
    stats_sort_alone(sorted, n);
    out->mad = stats_quantile_sorted(sorted, n, 0.5);
    base_free(sorted);
    return 0;
}
