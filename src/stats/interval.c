/* Intervals from distributions: normal, Student's t, Wilson's score, and the ratio estimator's
 * standard error. Quantiles are GSL's. */
#include <assay/stats.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

static int check_level(double level)
{
    if (level > 0 && level < 1)
        return 0;
    return base_error_set(BASE_E_ARGUMENT, "a confidence level is between 0 and 1, not %g", level);
}

static int check_numbers(double estimate, double se)
{
    if (isfinite(estimate) && isfinite(se) && se >= 0)
        return 0;
    return base_error_set(BASE_E_ARGUMENT,
                          "no interval: the estimate (%g) or its standard error (%g) is no number",
                          estimate, se);
}

int stats_interval_normal(double estimate, double se, double level, struct stats_interval *out)
{
    int rc;
    if ((rc = check_level(level)) || (rc = check_numbers(estimate, se)))
        return rc;
    double z = gsl_cdf_ugaussian_Qinv((1 - level) / 2);
    *out = (struct stats_interval){ estimate - z * se, estimate + z * se };
    return 0;
}

int stats_interval_t(double estimate, double se, double df, double level,
                     struct stats_interval *out)
{
    int rc;
    if ((rc = check_level(level)) || (rc = check_numbers(estimate, se)))
        return rc;
    if (!(df > 0))
        return base_error_set(BASE_E_ARGUMENT, "a t interval needs at least 2 observations");
    double t = gsl_cdf_tdist_Qinv((1 - level) / 2, df);
    *out = (struct stats_interval){ estimate - t * se, estimate + t * se };
    return 0;
}

int stats_interval_mean(const double *x, size_t n, double level, struct stats_interval *out)
{
    if (n < 2)
        return base_error_set(BASE_E_ARGUMENT,
                              "a t interval needs at least 2 observations, not %zu", n);
    return stats_interval_t(stats_mean(x, n), sqrt(stats_variance(x, n) / (double)n),
                            (double)(n - 1), level, out);
}

/* (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). */
int stats_interval_wilson(double successes, double n, double level, struct stats_interval *out)
{
    int rc = check_level(level);
    if (rc)
        return rc;
    if (!(n > 0) || !(successes >= 0) || !(successes <= n))
        return base_error_set(BASE_E_ARGUMENT, "%g successes of %g trials is no proportion",
                              successes, n);
    double z = gsl_cdf_ugaussian_Qinv((1 - level) / 2), p = successes / n;
    double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    out->low = successes == 0 ? 0 : fmax(0, centre - half);
    out->high = successes == n ? 1 : fmin(1, centre + half);
    return 0;
}

int stats_ratio(const double *y, const double *x, size_t n, struct stats_ratio *out)
{
    double sum_x = stats_sum(x, n), squares = 0;
    if (!(sum_x > 0))
        return base_error_set(BASE_E_ARGUMENT, "a ratio needs a positive denominator, not %g",
                              sum_x);
    out->ratio = stats_sum(y, n) / sum_x;
    for (size_t i = 0; i < n; i++) {
        double d = y[i] - out->ratio * x[i];
        squares += d * d;
    }
    out->df = (double)n - 1;
    out->se = n < 2 ? NAN : sqrt((double)n / (double)(n - 1) * squares) / sum_x;
    return 0;
}
