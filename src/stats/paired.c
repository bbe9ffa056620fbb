/* Two (or more) models on the same items: McNemar, Cochran, the paired difference.
 *
 * Cells of two 0/1 scores a, b over n items: `both`, b (only the first), c (only the second),
 * `neither`. Under no difference b ~ Binomial(b + c, 1/2); the concordant items say nothing about
 * the test, but they do about the size of the difference. */
#include "base/memory.h"
#include "stats/distribution.h"
#include <assay/stats.h>
#include <math.h>

int stats_mcnemar(double b, double c, double level, struct stats_mcnemar *out)
{
    if (!(b >= 0 && c >= 0) || b != floor(b) || c != floor(c) || b + c > 0x1p53)
        return base_error_set(BASE_E_ARGUMENT,
                              "McNemar's b and c are counts: whole and not negative, not %g and %g",
                              b, c);
    if (!(level > 0 && level < 1))
        return base_error_set(BASE_E_ARGUMENT, "a confidence level is between 0 and 1, not %g",
                              level);
    double n = b + c, small = fmin(b, c), apart = fabs(b - c);
    double mass = stats_binomial_pmf(small, n, 0.5);
    *out = (struct stats_mcnemar){ .exact = 1, .midp = 1, .chi2 = 1, .chi2_corrected = 1 };
    out->odds_ratio = b / c;
    out->odds_ratio_interval = (struct stats_interval){ 0, INFINITY };
    if (n == 0)
        return 0;
    out->exact = fmin(1, 2 * stats_binomial_cdf(small, n, 0.5));
    out->midp = b == c ? 1 - mass / 2 : fmax(0, out->exact - mass);
    out->chi2_statistic = apart * apart / n;
    out->chi2 = stats_chi2_tail(out->chi2_statistic, 1);
    double corrected = fmax(0, apart - 1);
    out->chi2_corrected_statistic = corrected * corrected / n;
    out->chi2_corrected = stats_chi2_tail(out->chi2_corrected_statistic, 1);
    struct stats_interval share;
    int rc = stats_interval_proportion(STATS_CLOPPER_PEARSON, b, n, level, &share);
    if (rc)
        return rc;
    out->odds_ratio_interval.low = share.low / (1 - share.low);
    out->odds_ratio_interval.high = share.high < 1 ? share.high / (1 - share.high) : INFINITY;
    return 0;
}

/* With G_j the columns' sums and L_i the rows': Q = (k-1) (k sum G^2 - (sum G)^2) / (k sum L -
 * sum L^2) (Cochran 1950). */
int stats_cochran_q(const double *x, size_t n, size_t k, struct stats_cochran *out)
{
    if (n == 0 || k < 2)
        return base_error_set(BASE_E_ARGUMENT,
                              "Cochran's Q needs at least one item and 2 models, not %zu and %zu",
                              n, k);
    double *column = base_alloc_zero(k, sizeof *column);
    if (!column)
        return BASE_E_MEMORY;
    double rows = 0, row_squares = 0, column_squares = 0, models = (double)k;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        double row = 0;
        for (size_t j = 0; j < k; j++) {
            double v = x[i * k + j];
            if (v != 0 && v != 1) {
                rc = base_error_set(BASE_E_ARGUMENT,
                                    "Cochran's Q is for scores of 0 and 1; item %zu of model %zu "
                                    "has %g",
                                    i + 1, j + 1, v);
                break;
            }
            row += v;
            column[j] += v;
        }
        rows += row;
        row_squares += row * row;
    }
    for (size_t j = 0; j < k; j++)
        column_squares += column[j] * column[j];
    double below = models * rows - row_squares;
    *out = (struct stats_cochran){ .df = models - 1, .p = 1 };
    if (below > 0) {
        out->q = (models - 1) * (models * column_squares - rows * rows) / below;
        out->p = stats_chi2_tail(out->q, out->df);
    }
    base_free(column);
    return rc;
}

/* Newcombe 1998 ("Improved confidence intervals for the difference between binomial proportions
 * based on paired data"), method 10: with Wilson's intervals l1..u1 of p1, l2..u2 of p2 and phi the
 * correlation of the cells (its numerator reduced by n/2 when positive, as continuity correction),
 *
 *     d - sqrt((p1-l1)^2 - 2 phi (p1-l1)(u2-p2) + (u2-p2)^2) ..
 *     d + sqrt((u1-p1)^2 - 2 phi (u1-p1)(p2-l2) + (p2-l2)^2) */
int stats_interval_newcombe(double both, double b, double c, double neither, double level,
                            struct stats_interval *out)
{
    double n = both + b + c + neither;
    if (!(both >= 0 && b >= 0 && c >= 0 && neither >= 0 && n > 0))
        return base_error_set(BASE_E_ARGUMENT, "the four cells must be counts, not all 0");
    double p1 = (both + b) / n, p2 = (both + c) / n;
    struct stats_interval i1, i2;
    int rc = stats_interval_wilson(both + b, n, level, &i1);
    if (rc || (rc = stats_interval_wilson(both + c, n, level, &i2)))
        return rc;
    double margins = (both + b) * (c + neither) * (both + c) * (b + neither), phi = 0;
    if (margins > 0) {
        double cross = both * neither - b * c;
        phi = (cross > n / 2 ? cross - n / 2 : cross >= 0 ? 0 : cross) / sqrt(margins);
    }
    double dl = p1 - i1.low, du = i2.high - p2, el = i1.high - p1, eu = p2 - i2.low;
    out->low = p1 - p2 - sqrt(fmax(0, dl * dl - 2 * phi * dl * du + du * du));
    out->high = p1 - p2 + sqrt(fmax(0, el * el - 2 * phi * el * eu + eu * eu));
    return 0;
}

static void count_cells(const double *a, const double *b, size_t n, struct stats_paired *out)
{
    for (size_t i = 0; i < n; i++) {
        out->both += a[i] == 1 && b[i] == 1;
        out->b += a[i] == 1 && b[i] == 0;
        out->c += a[i] == 0 && b[i] == 1;
        out->neither += a[i] == 0 && b[i] == 0;
    }
}

int stats_paired(const double *a, const double *b, size_t n, const uint32_t *cluster,
                 size_t clusters, double level, struct stats_paired *out)
{
    int rc;
    if ((rc = stats_check_finite(a, n, "first scores")) ||
        (rc = stats_check_finite(b, n, "second scores")))
        return rc;
    if (n < 2)
        return base_error_set(BASE_E_ARGUMENT,
                              "a paired difference needs at least 2 items, not %zu", n);
    double *d = base_alloc(n, sizeof *d);
    if (!d)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        d[i] = a[i] - b[i];
    double count = (double)n, var_a = stats_variance(a, n), var_b = stats_variance(b, n);
    double var_d = stats_variance(d, n);
    *out = (struct stats_paired){
        .n = n,
        .mean_a = stats_mean(a, n),
        .mean_b = stats_mean(b, n),
        .difference = stats_mean(d, n),
        .df = count - 1,
        .se_unpaired = sqrt((var_a + var_b) / count),
        .binary = stats_is_binary(a, n) && stats_is_binary(b, n),
    };
    if (out->binary) {
        count_cells(a, b, n, out);
        double shift = (out->b - out->c) / count;
        out->se = sqrt(fmax(0, (out->b + out->c) / count - shift * shift) / count);
        rc =
            stats_interval_newcombe(out->both, out->b, out->c, out->neither, level, &out->newcombe);
    } else {
        out->se = sqrt(var_d / count);
    }
    if (rc == 0 && cluster) {
        struct stats_clustered by_cluster;
        rc = stats_mean_clustered(d, cluster, n, clusters, &by_cluster);
        if (rc == 0) {
            out->se = by_cluster.se;
            out->df = by_cluster.df;
        }
    }
    if (rc == 0)
        rc = stats_interval_t(out->difference, out->se, out->df, level, &out->interval);
    if (rc == 0) {
        out->t = out->se > 0            ? out->difference / out->se
                 : out->difference == 0 ? 0
                                        : copysign(INFINITY, out->difference);
        out->p = stats_t_two_sided(out->t, out->df);
        out->effect = var_d > 0 ? out->difference / sqrt(var_d) : NAN;
        out->correlation =
            var_a > 0 && var_b > 0 ? stats_covariance(a, b, n) / sqrt(var_a * var_b) : NAN;
    }
    base_free(d);
    return rc;
}
