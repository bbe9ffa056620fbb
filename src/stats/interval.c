/* Intervals: of estimates with a standard error (normal, Student's t), of proportions, of ratios
 * and of means over clusters.
 *
 * For x successes in n trials, p = x/n, z the normal quantile:
 *
 *     Wilson            (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
 *     Clopper-Pearson   Beta quantiles B(a/2; x, n-x+1) .. B(1-a/2; x+1, n-x)
 *     Agresti-Coull     p~ -+ z sqrt(p~(1-p~)/n~),  n~ = n + z^2,  p~ = (x + z^2/2)/n~
 *     Jeffreys          B(a/2; x+1/2, n-x+1/2) .. B(1-a/2; x+1/2, n-x+1/2) */
#include "base/memory.h"
#include "stats/distribution.h"
#include <assay/stats.h>
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
    double z = stats_normal_quantile((1 + level) / 2);
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
    double t = stats_t_quantile((1 + level) / 2, df);
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

const char *const stats_proportion_names[STATS_PROPORTIONS] = { "wilson",        "clopper_pearson",
                                                                "agresti_coull", "jeffreys",
                                                                "jeffreys_hpd",  "wald" };

int stats_interval_wilson(double successes, double n, double level, struct stats_interval *out)
{
    return stats_interval_proportion(STATS_WILSON, successes, n, level, out);
}

/* The shortest interval of Beta(a, b) that holds `level`: over the lower tail's share t in
 * [0, 1 - level], the width is least; found by golden section (the density has one mode). */
static void shortest_beta(double a, double b, double level, struct stats_interval *out)
{
    const double golden = 0.6180339887498949;
    if (a < 1 || b < 1) { /* the mode is at an end */
        out->low = a < b ? 0 : stats_beta_quantile(1 - level, a, b);
        out->high = a < b ? stats_beta_quantile(level, a, b) : 1;
        return;
    }
    double begin = 0, end = 1 - level;
    for (int i = 0; i < 100 && end - begin > 1e-12 * (1 - level); i++) {
        double t[2] = { end - golden * (end - begin), begin + golden * (end - begin) }, width[2];
        for (int k = 0; k < 2; k++)
            width[k] = stats_beta_quantile(t[k] + level, a, b) - stats_beta_quantile(t[k], a, b);
        if (width[0] < width[1])
            end = t[1];
        else
            begin = t[0];
    }
    double t = 0.5 * (begin + end);
    out->low = stats_beta_quantile(t, a, b);
    out->high = stats_beta_quantile(t + level, a, b);
}

int stats_interval_proportion(enum stats_proportion method, double x, double n, double level,
                              struct stats_interval *out)
{
    int rc = check_level(level);
    if (rc)
        return rc;
    if (!(n > 0) || !(x >= 0) || !(x <= n) || isinf(n))
        return base_error_set(BASE_E_ARGUMENT, "%g successes of %g trials is no proportion", x, n);
    double tail = (1 - level) / 2, z = stats_normal_quantile(1 - tail), p = x / n;
    double centre = p, half = 0;
    switch (method) {
    case STATS_WILSON:
        centre = (p + z * z / (2 * n)) / (1 + z * z / n);
        half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
        break;
    case STATS_AGRESTI_COULL:
        centre = (x + z * z / 2) / (n + z * z);
        half = z * sqrt(centre * (1 - centre) / (n + z * z));
        break;
    case STATS_CLOPPER_PEARSON:
        out->low = x == 0 ? 0 : stats_beta_quantile(tail, x, n - x + 1);
        out->high = x == n ? 1 : stats_beta_quantile(1 - tail, x + 1, n - x);
        return 0;
    case STATS_JEFFREYS:
        out->low = x == 0 ? 0 : stats_beta_quantile(tail, x + 0.5, n - x + 0.5);
        out->high = x == n ? 1 : stats_beta_quantile(1 - tail, x + 0.5, n - x + 0.5);
        return 0;
    case STATS_JEFFREYS_HPD:
        shortest_beta(x + 0.5, n - x + 0.5, level, out);
        return 0;
    default:
        half = z * sqrt(p * (1 - p) / n);
    }
    /* Wilson's ends are exactly 0 and 1 where nothing or everything succeeds */
    out->low = x == 0 && method == STATS_WILSON ? 0 : fmax(0, centre - half);
    out->high = x == n && method == STATS_WILSON ? 1 : fmin(1, centre + half);
    return 0;
}

double stats_proportion_se(double successes, double n)
{
    double p = successes / n;
    return n < 2 ? NAN : sqrt(p * (1 - p) / (n - 1));
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

int stats_mean_clustered(const double *x, const uint32_t *cluster, size_t n, size_t clusters,
                         struct stats_clustered *out)
{
    int rc = stats_check_finite(x, n, "clustered mean");
    if (rc)
        return rc;
    double *sum = base_alloc_zero(clusters, sizeof *sum);
    bool *seen = base_alloc_zero(clusters, sizeof *seen);
    if (!sum || !seen) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    double mean = stats_mean(x, n), squares = 0;
    size_t c = 0;
    for (size_t i = 0; i < n; i++) {
        c += !seen[cluster[i]];
        seen[cluster[i]] = true;
        sum[cluster[i]] += x[i] - mean;
    }
    if (c < 2) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "a clustered standard error needs at least 2 clusters, not %zu", c);
        goto out;
    }
    for (size_t k = 0; k < clusters; k++)
        squares += sum[k] * sum[k];
    *out = (struct stats_clustered){
        .mean = mean,
        .se = sqrt((double)c / (double)(c - 1) * squares) / (double)n,
        .df = (double)c - 1,
        .clusters = c,
    };
    double independent = stats_variance(x, n) / (double)n;
    out->design_effect = independent > 0 ? out->se * out->se / independent : NAN;
out:
    base_free(sum);
    base_free(seen);
    return rc;
}
