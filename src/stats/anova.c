/* One-way analysis of variance: are the means of several groups equal?
 *
 *     F = (SS_between / (k-1)) / (SS_within / (N-k))
 *     Welch 1951: w_g = n_g / s_g^2, m = sum w_g m_g / sum w, L = sum (1 - w_g / sum w)^2 /
 * (n_g-1), F = [sum w_g (m_g - m)^2 / (k-1)] / [1 + 2 (k-2) L / (k^2-1)], df2 = (k^2-1) / (3 L)
 *     Brown and Forsythe 1974: the first on |x - median of its group|
 *
 * eta^2 = SS_between / SS_total estimates lambda / (lambda + N), lambda the noncentrality of F: its
 * interval is that of lambda (Steiger 2004). */
#include "base/memory.h"
#include "stats/distribution.h"
#include "stats/draw.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

/* The values of each group together, ascending: of group g sorted[first[g] .. first[g + 1]). */
struct parts {
    double *sorted, *mean, *variance;
    size_t *first;
    size_t n, k;
};

static int divide(struct parts *p, const double *x, const uint32_t *group, size_t n, size_t k)
{
    *p = (struct parts){ .sorted = base_alloc(n, sizeof *p->sorted),
                         .mean = base_alloc(k, sizeof *p->mean),
                         .variance = base_alloc(k, sizeof *p->variance),
                         .first = base_alloc_zero(k + 2, sizeof *p->first),
                         .n = n,
                         .k = k };
    if (!p->sorted || !p->mean || !p->variance || !p->first)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        if (group[i] >= k)
            return base_error_set(BASE_E_ARGUMENT, "value %zu is in group %u of %zu", i + 1,
                                  group[i], k);
        p->first[group[i] + 2]++;
    }
    for (size_t g = 2; g < k + 2; g++)
        p->first[g] += p->first[g - 1];
    for (size_t i = 0; i < n; i++)
        p->sorted[p->first[group[i] + 1]++] = x[i];
    for (size_t g = 0; g < k; g++) {
        double *v = p->sorted + p->first[g];
        size_t m = p->first[g + 1] - p->first[g];
        if (m < 2)
            return base_error_set(BASE_E_ARGUMENT,
                                  "group %zu has %zu value%s: a group needs at least 2", g + 1, m,
                                  m == 1 ? "" : "s");
        stats_sort_alone(v, m);
        p->mean[g] = v[0] == v[m - 1] ? v[0] : stats_mean(v, m);
        p->variance[g] = v[0] == v[m - 1] ? 0 : stats_variance(v, m);
    }
    return 0;
}

static void parts_free(struct parts *p)
{
    base_free(p->sorted);
    base_free(p->mean);
    base_free(p->variance);
    base_free(p->first);
}

static double size_of(const struct parts *p, size_t g)
{
    return (double)(p->first[g + 1] - p->first[g]);
}

static void sums_of_squares(const struct parts *p, double *between, double *within)
{
    double mean = stats_mean(p->sorted, p->n);
    *between = *within = 0;
    for (size_t g = 0; g < p->k; g++) {
        double away = p->mean[g] - mean;
        *between += size_of(p, g) * away * away;
        *within += (size_of(p, g) - 1) * p->variance[g];
    }
}

/* F and p; infinite where nothing varies within, NaN where nothing varies at all. */
static void ratio(double between, double within, double df1, double df2, double *f, double *p)
{
    *f = within > 0 ? between / df1 / (within / df2) : between > 0 ? INFINITY : NAN;
    *p = stats_f_tail(*f, df1, df2);
}

static void welch(const struct parts *p, struct stats_anova *out)
{
    double sum = 0, mean = 0, between = 0, l = 0, k = (double)p->k;
    out->welch_f = out->welch_df2 = out->welch_p = NAN;
    for (size_t g = 0; g < p->k; g++) {
        if (!(p->variance[g] > 0))
            return;
        sum += size_of(p, g) / p->variance[g];
    }
    for (size_t g = 0; g < p->k; g++)
        mean += size_of(p, g) / p->variance[g] / sum * p->mean[g];
    for (size_t g = 0; g < p->k; g++) {
        double w = size_of(p, g) / p->variance[g], away = p->mean[g] - mean;
        between += w * away * away;
        l += (1 - w / sum) * (1 - w / sum) / (size_of(p, g) - 1);
    }
    out->welch_f = between / (k - 1) / (1 + 2 * (k - 2) * l / (k * k - 1));
    out->welch_df2 = (k * k - 1) / (3 * l);
    out->welch_p = stats_f_tail(out->welch_f, k - 1, out->welch_df2);
}

static int levene(const struct parts *p, struct stats_anova *out)
{
    double *away = base_alloc(p->n, sizeof *away), between, within;
    uint32_t *group = base_alloc(p->n, sizeof *group);
    struct parts q = { 0 };
    int rc = away && group ? 0 : BASE_E_MEMORY;
    for (size_t g = 0; g < p->k && !rc; g++) {
        const double *v = p->sorted + p->first[g];
        double median = stats_quantile_sorted(v, p->first[g + 1] - p->first[g], 0.5);
        for (size_t i = p->first[g]; i < p->first[g + 1]; i++) {
            away[i] = fabs(p->sorted[i] - median);
            group[i] = (uint32_t)g;
        }
    }
    if (!rc && !(rc = divide(&q, away, group, p->n, p->k))) {
        sums_of_squares(&q, &between, &within);
        ratio(between, within, out->df1, out->df2, &out->levene_f, &out->levene_p);
    }
    parts_free(&q);
    base_free(away);
    base_free(group);
    return rc;
}

int stats_anova(const double *x, const uint32_t *group, size_t n, size_t groups, double level,
                struct stats_anova *out)
{
    *out = (struct stats_anova){ .groups = groups, .n = n };
    struct stats_interval unused;
    int rc = stats_check_finite(x, n, "values");
    if (!rc)
        rc = stats_interval_normal(0, 1, level, &unused);
    if (rc)
        return rc;
    if (groups < 2)
        return base_error_set(BASE_E_ARGUMENT, "an analysis of variance needs at least 2 groups");
    struct parts p = { 0 };
    if ((rc = divide(&p, x, group, n, groups)))
        goto out;
    double N = (double)n;
    out->df1 = (double)groups - 1;
    out->df2 = N - (double)groups;
    sums_of_squares(&p, &out->between, &out->within);
    double total = out->between + out->within;
    if (!(total > 0)) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "all %zu values are the same: there is no variance to analyse", n);
        goto out;
    }
    ratio(out->between, out->within, out->df1, out->df2, &out->f, &out->p);
    double ms = out->within / out->df2;
    out->eta2 = out->between / total;
    out->omega2 = fmax(0, (out->between - out->df1 * ms) / (total + ms));
    out->eta2_interval = (struct stats_interval){ 1, 1 };
    if (isfinite(out->f)) {
        stats_noncentrality(out->f, out->df1, out->df2, level, &out->eta2_interval);
        out->eta2_interval.low /= out->eta2_interval.low + N;
        out->eta2_interval.high /= out->eta2_interval.high + N;
    }
    welch(&p, out);
    rc = levene(&p, out);
out:
    parts_free(&p);
    return rc;
}
