/* Mann and Whitney's test: does one sample tend to be larger than another?
 *
 * U counts the pairs (x_i, y_j) with x_i > y_j, ties half; U = R_x - n(n+1)/2 from the ranks of all
 * values together. Under no difference every choice of n ranks is equally likely, so
 *
 *     P(u; n, m) = n/(n+m) P(u - m; n-1, m) + m/(n+m) P(u; n, m-1)
 *
 * (the largest value is an x, which beats all m, or a y), all terms positive. Beyond that, and with
 * ties, normal: mean nm/2, variance nm/12 (N + 1 - sum (t^3 - t) / (N (N-1))). */
#include "base/memory.h"
#include "stats/distribution.h"
#include "stats/draw.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

enum { EXACT_BELOW = 50 };

/* P(U <= u) for n, m < EXACT_BELOW, into *low; P(U >= u) into *high. */
static int exact_tails(double u, size_t n, size_t m, double *low, double *high)
{
    size_t size = n * m + 1, row = (m + 1) * size;
    double *p = base_alloc_zero(2, row * sizeof *p), *now, *before;
    if (!p)
        return BASE_E_MEMORY;
    for (size_t j = 0; j <= m; j++) /* no x: U is 0 */
        p[j * size] = 1;
    for (size_t i = 1; i <= n; i++) {
        now = p + (i % 2) * row;
        before = p + ((i + 1) % 2) * row;
        memset(now, 0, row * sizeof *now);
        now[0] = 1; /* no y */
        for (size_t j = 1; j <= m; j++) {
            double share = (double)i / (double)(i + j);
            for (size_t k = 0; k <= i * j; k++)
                now[j * size + k] = (k >= j ? share * before[j * size + k - j] : 0) +
                                    (k <= i * (j - 1) ? (1 - share) * now[(j - 1) * size + k] : 0);
        }
    }
    now = p + (n % 2) * row + m * size;
    *low = *high = 0;
    for (size_t k = 0; k < size; k++) {
        *low += (double)k <= u ? now[k] : 0;
        *high += (double)k >= u ? now[k] : 0;
    }
    base_free(p);
    return 0;
}

/* z with continuity correction towards 0. */
static double corrected(double away, double sd, enum stats_alternative alternative)
{
    double step = alternative == STATS_GREATER ? 0.5
                  : alternative == STATS_LESS  ? -0.5
                                               : (away > 0) * 0.5 - (away < 0) * 0.5;
    return (away - step) / sd;
}

int stats_ranksum(const double *x, size_t n, const double *y, size_t m,
                  enum stats_alternative alternative, double level, struct stats_ranksum *out)
{
    int rc;
    struct stats_interval z;
    if ((rc = stats_check_finite(x, n, "first sample")) ||
        (rc = stats_check_finite(y, m, "second sample")) ||
        (rc = stats_interval_normal(0, 1, level, &z)))
        return rc;
    if (n < 1 || m < 1)
        return base_error_set(BASE_E_ARGUMENT, "a rank-sum test needs two samples");
    size_t all = n + m;
    double *value = base_alloc(all, sizeof *value), *truth = base_alloc_zero(all, sizeof *truth);
    double auc = NAN, se = NAN, ties = 0, count = (double)n * (double)m, N = (double)all;
    rc = value && truth ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    memcpy(value, x, n * sizeof *x);
    memcpy(value + n, y, m * sizeof *y);
    for (size_t i = 0; i < n; i++)
        truth[i] = 1;
    if ((rc = stats_auc(value, truth, all, &auc, &se)))
        goto out;
    *out = (struct stats_ranksum){
        .u = auc * count, .superiority = auc, .rank_biserial = 2 * auc - 1, .interval = { NAN, NAN }
    };
    out->u = round(2 * out->u) / 2;
    stats_sort_alone(value, all);
    for (size_t i = 0; i < all;) {
        size_t end = i + 1;
        while (end < all && value[end] == value[i])
            end++;
        double t = (double)(end - i);
        ties += t * t * t - t;
        i = end;
    }
    out->ties = ties > 0;
    double sd = sqrt(count / 12 * (N + 1 - ties / (N * (N - 1)))), away = out->u - count / 2;
    out->exact = !out->ties && n < EXACT_BELOW && m < EXACT_BELOW;
    out->z = sd > 0 ? away / sd : 0;
    if (out->exact) {
        double low, high;
        if ((rc = exact_tails(out->u, n, m, &low, &high)))
            goto out;
        out->p = alternative == STATS_GREATER ? high
                 : alternative == STATS_LESS  ? low
                                              : fmin(1, 2 * fmin(low, high));
    } else if (sd > 0) {
        double c = corrected(away, sd, alternative);
        out->p = alternative == STATS_GREATER ? stats_normal_tail(c)
                 : alternative == STATS_LESS  ? stats_normal_cdf(c)
                                              : fmin(1, 2 * stats_normal_tail(fabs(c)));
    } else {
        out->p = 1;
    }
    if (se > 0 && auc > 0 && auc < 1) {
        double logit = log(auc / (1 - auc)), width = z.high * se / (auc * (1 - auc));
        out->interval.low = 1 / (1 + exp(-(logit - width)));
        out->interval.high = 1 / (1 + exp(-(logit + width)));
    }
out:
    base_free(value);
    base_free(truth);
    return rc;
}
