/* How well a score tells members from others.
 *
 * AUC = P(score of a member > score of another) + P(equal)/2. DeLong's variance: with V10(i) the
 * share of others that member i beats and V01(j) the share of members that beat other j,
 *
 *   Var(AUC) = S10 / m + S01 / n,   S10, S01 the sample variances of V10, V01,
 *
 * and of a difference of two AUCs on the same texts, the variance of the differences V10_a - V10_b,
 * V01_a - V01_b instead (DeLong, DeLong and Clarke-Pearson 1988). Both by midranks in O(n log n)
 * (Sun and Xu 2014): V10(i) = (R(i) - R_members(i)) / n. */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/memorize.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ranked {
    double value;
    size_t at;
};

static int by_value(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* Midranks (from 1) of v [n] into rank [n]; scratch [n]. */
static void midranks(const double *v, size_t n, double *rank, struct ranked *scratch)
{
    for (size_t i = 0; i < n; i++)
        scratch[i] = (struct ranked){ v[i], i };
    qsort(scratch, n, sizeof *scratch, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && scratch[end].value == scratch[i].value; end++)
            ;
        for (size_t k = i; k < end; k++)
            rank[scratch[k].at] = ((double)(i + end) + 1) / 2;
    }
}

/* scores: the members [m], then the others [n]. V: V10 [m], then V01 [n]. */
static int components(const double *scores, size_t m, size_t n, double *V)
{
    double *all = base_alloc(2 * (m + n), sizeof *all);
    struct ranked *scratch = base_alloc(m + n, sizeof *scratch);
    if (all && scratch) {
        double *own = all + m + n;
        midranks(scores, m + n, all, scratch);
        midranks(scores, m, own, scratch);
        midranks(scores + m, n, own + m, scratch);
        for (size_t i = 0; i < m; i++)
            V[i] = (all[i] - own[i]) / (double)n;
        for (size_t j = m; j < m + n; j++)
            V[j] = 1 - (all[j] - own[j]) / (double)m;
    }
    int rc = all && scratch ? 0 : BASE_E_MEMORY;
    base_free(all);
    base_free(scratch);
    return rc;
}

static double delong_se(const double *V, size_t m, size_t n)
{
    return sqrt(stats_variance(V, m) / (double)m + stats_variance(V + m, n) / (double)n);
}

/* Members first, others behind, without those whose score is NaN (in a or, if given, b). */
static int divide(const double *a, const double *b, const bool *label, size_t n, double *sa,
                  double *sb, size_t *members, size_t *others)
{
    *members = *others = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n; i++) {
            if (label[i] == (pass == 1) || isnan(a[i]) || (b && isnan(b[i])))
                continue;
            size_t at = *members + *others;
            sa[at] = a[i];
            if (b)
                sb[at] = b[i];
            ++*(pass ? others : members);
        }
    if (*members && *others)
        return 0;
    return base_error_set(BASE_E_ARGUMENT,
                          "%zu members and %zu others with a score: at least one of each is needed",
                          *members, *others);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

/* m members and n others, each in descending order. A threshold takes every score at or above it.
 */
static double tpr_at(const double *members, size_t m, const double *others, size_t n, double fpr,
                     double *reached)
{
    size_t allowed = (size_t)floor(fpr * (double)n + 1e-9), k = 0, false_positives = 0;
    double bound = allowed < n ? others[allowed] : -INFINITY; /* must stay above this */
    while (k < m && members[k] > bound)
        k++;
    if (reached) {
        while (k && false_positives < n && others[false_positives] >= members[k - 1])
            false_positives++;
        *reached = (double)false_positives / (double)n;
    }
    return (double)k / (double)m;
}

static void draw_sorted(struct base_rng *rng, const double *from, size_t n, uint32_t *count,
                        double *to)
{
    size_t at = 0;
    memset(count, 0, n * sizeof *count);
    for (size_t i = 0; i < n; i++)
        count[base_rng_below(rng, n)]++;
    for (size_t i = 0; i < n; i++)
        for (uint32_t c = 0; c < count[i]; c++)
            to[at++] = from[i];
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* s: members [m] and others [n], each descending: resamples stay so when drawn as counts. */
static int tpr_interval(const double *s, size_t m, size_t n, double fpr, double level,
                        size_t resamples, uint64_t seed, struct stats_interval *out)
{
    int threads = base_threads();
    size_t each = m + n;
    double *values = base_alloc(resamples, sizeof *values);
    double *room = base_alloc((size_t)threads, each * sizeof *room);
    uint32_t *counts = base_alloc((size_t)threads, each * sizeof *counts);
    int rc = values && room && counts ? 0 : BASE_E_MEMORY;
    if (rc == 0) {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int t = 0; t < threads; t++) {
            double *draw = room + (size_t)t * each;
            uint32_t *count = counts + (size_t)t * each;
            for (size_t b = (size_t)t; b < resamples; b += (size_t)threads) {
                struct base_rng rng = base_rng_make(seed, BASE_RNG_BOOTSTRAP, b);
                draw_sorted(&rng, s, m, count, draw);
                draw_sorted(&rng, s + m, n, count, draw + m);
                values[b] = tpr_at(draw, m, draw + m, n, fpr, NULL);
            }
        }
        qsort(values, resamples, sizeof *values, ascending);
        rc = stats_bootstrap_percentile(values, resamples, level, out);
    }
    base_free(values);
    base_free(room);
    base_free(counts);
    return rc;
}

/* Normal on the logit scale, carried back: it cannot leave (0, 1). NaN at AUC 0 or 1, where the
 * standard error is 0 too and says nothing. */
static int auc_interval(double auc, double se, double level, struct stats_interval *out)
{
    *out = (struct stats_interval){ NAN, NAN };
    if (!(auc > 0 && auc < 1) || !isfinite(se))
        return 0;
    int rc = stats_interval_normal(log(auc / (1 - auc)), se / (auc * (1 - auc)), level, out);
    if (rc == 0)
        *out = (struct stats_interval){ 1 / (1 + exp(-out->low)), 1 / (1 + exp(-out->high)) };
    return rc;
}

int eval_member_judge(const double *scores, const bool *label, size_t n, double fpr, double level,
                      size_t resamples, uint64_t seed, struct eval_member_power *out)
{
    *out = (struct eval_member_power){ 0 };
    if (!(fpr >= 0 && fpr < 1) || resamples == 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "a false positive rate is at least 0 and below 1, not %g", fpr);
    double *s = base_alloc(2 * n, sizeof *s);
    if (!s)
        return BASE_E_MEMORY;
    double *V = s + n;
    int rc = divide(scores, NULL, label, n, s, NULL, &out->members, &out->others);
    if (rc == 0)
        rc = components(s, out->members, out->others, V);
    if (rc == 0) {
        out->auc = stats_mean(V, out->members);
        out->auc_se = delong_se(V, out->members, out->others);
        rc = auc_interval(out->auc, out->auc_se, level, &out->auc_ci);
    }
    if (rc == 0) {
        qsort(s, out->members, sizeof *s, descending);
        qsort(s + out->members, out->others, sizeof *s, descending);
        out->tpr = tpr_at(s, out->members, s + out->members, out->others, fpr, &out->fpr_reached);
        rc = tpr_interval(s, out->members, out->others, fpr, level, resamples, seed, &out->tpr_ci);
    }
    base_free(s);
    return rc;
}

int eval_member_compare(const double *a, const double *b, const bool *label, size_t n, double level,
                        struct eval_member_difference *out)
{
    *out = (struct eval_member_difference){ NAN, NAN, NAN, { NAN, NAN } };
    size_t members, others;
    double *sa = base_alloc(4 * n, sizeof *sa);
    if (!sa)
        return BASE_E_MEMORY;
    double *sb = sa + n, *va = sb + n, *vb = va + n;
    int rc = divide(a, b, label, n, sa, sb, &members, &others);
    if (rc == 0)
        rc = components(sa, members, others, va);
    if (rc == 0)
        rc = components(sb, members, others, vb);
    if (rc == 0) {
        for (size_t i = 0; i < members + others; i++)
            va[i] -= vb[i];
        out->difference = stats_mean(va, members);
        out->se = delong_se(va, members, others);
        if (members > 1 && others > 1) {
            rc = stats_interval_normal(out->difference, out->se, level, &out->ci);
            out->p = out->se > 0 ? 2 * gsl_cdf_ugaussian_Q(fabs(out->difference) / out->se)
                     : out->difference == 0 ? 1
                                            : 0;
        }
    }
    base_free(sa);
    return rc;
}
