/* Quantiles of a survey, with Woodruff's interval.
 *
 * The estimate q^ inverts the weighted distribution function F. Its interval carries that of a
 * share back through F: with [a, b] the interval of the share of rows not above q^, the ends are
 * the a- and b-quantiles (Woodruff 1952; Francisco and Fuller 1991 on when that holds). The share's
 * interval is centred at the share found, as R's survey does, and not at q: with few or tied values
 * the two differ. The standard error is read off the interval's width. */
#include "base/memory.h"
#include "stats/distribution.h"
#include "stats/survey.h"
#include <math.h>
#include <stdlib.h>

const char *const stats_quantile_rule_names[STATS_QUANTILE_RULES] = { "inverse", "middle",
                                                                      "linear" };

struct point {
    double y, w; /* value; weight, then the sum of the weights up to here */
};

static int compare_points(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    return (p->y > q->y) - (p->y < q->y);
}

/* q in [0, 1] of m >= 1 points with cumulated weights. */
static double read_off(const struct point *p, size_t m, double q, enum stats_quantile_rule rule)
{
    const double all = p[m - 1].w;
    if (rule == STATS_QUANTILE_LINEAR) {
        /* knot k stands at (weight before k) / (weight before the last) */
        if (m == 1)
            return p[0].y;
        double at = q * p[m - 2].w;
        size_t low = 0, high = m - 1; /* knot of low <= at, of high >= at */
        if (at >= p[m - 2].w)
            return p[m - 1].y;
        while (high - low > 1) {
            size_t mid = low + (high - low) / 2;
            if (p[mid - 1].w <= at)
                low = mid;
            else
                high = mid;
        }
        double before = low ? p[low - 1].w : 0, after = p[high - 1].w;
        double share = after > before ? (at - before) / (after - before) : 0;
        return p[low].y + share * (p[high].y - p[low].y);
    }
    /* The first point whose cumulated weight reaches q; a miss by rounding counts as equal. */
    const double slack = 1e-12 * all;
    size_t low = 0, high = m - 1;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (p[mid].w >= q * all - slack)
            high = mid;
        else
            low = mid + 1;
    }
    if (rule == STATS_QUANTILE_MIDDLE && low + 1 < m && fabs(p[low].w - q * all) <= slack)
        return (p[low].y + p[low + 1].y) / 2;
    return p[low].y;
}

int stats_survey_quantile(const struct stats_survey *s, const double *y, const uint8_t *in,
                          double q, enum stats_quantile_rule rule, enum stats_survey_interval kind,
                          double level, struct stats_survey_estimate *out)
{
    if (!(q > 0 && q < 1))
        return base_error_set(BASE_E_ARGUMENT, "quantile %g: must be between 0 and 1", q);
    struct point *p = base_alloc(s->n, sizeof *p);
    uint8_t *hit = base_alloc(s->n, 1);
    int rc = p && hit ? 0 : BASE_E_MEMORY;
    size_t m = 0;
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        if (!(s->weight[i] > 0) || (in && !in[i]))
            continue;
        if (!isfinite(y[i]))
            rc = base_error_set(BASE_E_NUMERIC, "row %zu: the value is %g", i + 1, y[i]);
        p[m++] = (struct point){ y[i], s->weight[i] };
    }
    if (rc == 0 && m == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "the domain has no row with a positive weight");
    if (rc)
        goto out;
    qsort(p, m, sizeof *p, compare_points);
    long double sum = 0;
    for (size_t i = 0; i < m; i++) {
        sum += p[i].w;
        p[i].w = (double)sum;
    }
    const double value = read_off(p, m, q, rule);
    for (size_t i = 0; i < s->n; i++)
        hit[i] = y[i] <= value;
    rc = stats_survey_proportion(s, hit, in, kind, level, out);
    if (rc)
        goto out;
    struct stats_interval share = out->interval;
    out->estimate = value;
    out->interval.low = share.low >= 0 ? read_off(p, m, share.low, rule) : NAN;
    out->interval.high = share.high <= 1 ? read_off(p, m, share.high, rule) : NAN;
    out->se = NAN;
    if (out->df >= 1)
        out->se = (out->interval.high - out->interval.low) /
                  (2 * stats_t_quantile(0.5 + level / 2, out->df));
out:
    base_free(p);
    base_free(hit);
    return rc;
}
