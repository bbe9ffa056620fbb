/* How well a score tells members from others, and whether one does better than another.
 *
 * A score's AUC and true positive rate are those of stats_rank. The difference of two AUCs on the
 * same texts has DeLong's variance: with V10(i) the share of others that member i beats and V01(j)
 * the share of members that beat other j,
 *
 *   Var(AUC_a - AUC_b) = S10 / m + S01 / n,
 *
 * S10, S01 the sample variances of V10_a - V10_b and V01_a - V01_b (DeLong, DeLong and
 * Clarke-Pearson 1988), by midranks in O(n log n) (Sun and Xu 2014): V10(i) = (R(i) -
 * R_members(i)) / n. */
#include "base/memory.h"
#include <assay/memorize.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

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

int eval_member_judge(const double *scores, const bool *label, size_t n, double fpr, double level,
                      size_t resamples, uint64_t seed, struct eval_member_power *out)
{
    *out = (struct eval_member_power){ 0 };
    double *s = base_alloc(2 * n, sizeof *s);
    if (!s)
        return BASE_E_MEMORY;
    double *truth = s + n;
    struct stats_metric rank[STATS_RANKS];
    struct stats_bootstrap_options o = { .resamples = resamples, .seed = seed, .level = level };
    int rc = divide(scores, NULL, label, n, s, NULL, &out->members, &out->others);
    for (size_t i = 0; rc == 0 && i < out->members + out->others; i++)
        truth[i] = i < out->members;
    if (rc == 0)
        rc = stats_rank(s, truth, out->members + out->others, fpr, &o, rank);
    if (rc == 0) {
        out->auc = rank[STATS_ROC_AUC].value;
        out->auc_se = rank[STATS_ROC_AUC].se;
        out->auc_ci = rank[STATS_ROC_AUC].interval;
        out->tpr = rank[STATS_TPR_AT_FPR].value;
        out->tpr_ci = rank[STATS_TPR_AT_FPR].interval;
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
