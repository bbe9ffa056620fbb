/* The same items under two conditions: mean difference, its interval, and two tests. The unit is
 * the cluster: items of one cluster (phrasings of one fact) are not independent.
 *
 *   SE = sqrt(C/(C-1) sum_c D_c^2) / n,  D_c = sum_{i in c} (d_i - mean d)      (arXiv:2411.00640)
 *
 * The sign-flip test flips whole clusters: under the null "a and b could be exchanged" every
 * assignment of signs to the cluster sums is as likely as the one seen. */
#include "base/memory.h"
#include <assay/memorize.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

enum { RANDOM_FLIPS = 20000 };

struct member {
    size_t cluster;
    double d;
};

static int by_cluster(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->cluster != y->cluster)
        return x->cluster < y->cluster ? -1 : 1;
    return x->d < y->d ? -1 : x->d > y->d; /* so that the sums do not depend on the order */
}

static void test_and_interval(struct eval_paired *o, double squares, double level)
{
    double c = (double)o->clusters;
    o->se = sqrt(c / (c - 1) * squares) / (double)o->n;
    if (stats_interval_t(o->difference, o->se, c - 1, level, &o->ci))
        o->ci = (struct stats_interval){ NAN, NAN };
    if (o->se > 0)
        o->p_t = 2 * gsl_cdf_tdist_Q(fabs(o->difference) / o->se, c - 1);
}

int eval_paired_compare(const double *a, const double *b, const size_t *cluster, size_t n,
                        double level, uint64_t seed, struct eval_paired *out)
{
    *out = (struct eval_paired){ .mean_a = NAN,
                                 .mean_b = NAN,
                                 .difference = NAN,
                                 .se = NAN,
                                 .ci = { NAN, NAN },
                                 .p_t = NAN,
                                 .p_flip = NAN };
    if (!(level > 0 && level < 1))
        return base_error_set(BASE_E_ARGUMENT, "a confidence level is between 0 and 1, not %g",
                              level);
    struct member *m = base_alloc(n, sizeof *m);
    double *sums = base_alloc(n, sizeof *sums), *kept = base_alloc(2 * n, sizeof *kept);
    int rc = m && sums && kept ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (isnan(a[i]) || isnan(b[i]))
            continue;
        kept[out->n] = a[i];
        kept[n + out->n] = b[i];
        m[out->n++] = (struct member){ cluster ? cluster[i] : i, a[i] - b[i] };
    }
    if (rc || out->n == 0)
        goto out;
    out->mean_a = stats_mean(kept, out->n);
    out->mean_b = stats_mean(kept + n, out->n);
    qsort(m, out->n, sizeof *m, by_cluster);
    for (size_t i = 0; i < out->n; i++)
        kept[i] = m[i].d;
    out->difference = stats_mean(kept, out->n);
    double squares = 0;
    for (size_t i = 0; i < out->n;) {
        double sum = 0, centred = 0;
        size_t from = i;
        for (; i < out->n && m[i].cluster == m[from].cluster; i++) {
            sum += m[i].d;
            centred += m[i].d - out->difference;
        }
        squares += centred * centred;
        sums[out->clusters++] = sum;
    }
    if (out->clusters >= 2)
        test_and_interval(out, squares, level);
    struct stats_permutation flips;
    rc = stats_permutation_paired(sums, out->clusters, STATS_TWO_SIDED, RANDOM_FLIPS, seed, &flips);
    out->p_flip = rc ? NAN : flips.p;
out:
    base_free(m);
    base_free(sums);
    base_free(kept);
    return rc;
}
