/* Shares of categories against known ones, corrected for the design (Rao and Scott 1981, 1984).
 *
 * Under the null hypothesis X^2 = n sum (p - p0)^2 / p0 is distributed as sum delta_k chi2_1, where
 * the delta are the eigenvalues of D = n diag(p0)^-1 V, V the design's covariance of the shares p:
 * all 1 for independent rows. The second-order correction compares X^2 / sum delta with F on
 * (sum delta)^2 / sum delta^2 and df times that degrees of freedom (Thomas and Rao 1987). Only
 * traces are needed: tr D = n sum V_kk / p0_k, tr D^2 = n^2 sum_kl V_kl^2 / (p0_k p0_l). */
#include "base/memory.h"
#include "stats/distribution.h"
#include "stats/survey.h"
#include <math.h>

static int check_share(const double *share, size_t k)
{
    double sum = 0;
    for (size_t c = 0; c < k; c++) {
        if (!(share[c] > 0))
            return base_error_set(BASE_E_ARGUMENT,
                                  "category %zu has a share of %g in the "
                                  "population: it must be above 0",
                                  c + 1, share[c]);
        sum += share[c];
    }
    if (k < 2 || fabs(sum - 1) > 1e-9)
        return base_error_set(BASE_E_ARGUMENT,
                              "%zu shares with sum %.12g: a comparison needs at least two that sum "
                              "to 1",
                              k, sum);
    return 0;
}

int stats_survey_fit(const struct stats_survey *s, const uint32_t *category, size_t k,
                     const double *share, const uint8_t *in, struct stats_survey_fit *out)
{
    struct stats_survey_estimate e;
    *out = (struct stats_survey_fit){ .categories = k };
    int rc = check_share(share, k);
    if (rc)
        return rc;
    double *p = base_alloc_zero(k, sizeof *p), *v = base_alloc(k * k, sizeof *v);
    double *z = base_alloc_zero(s->n * k, sizeof *z);
    rc = p && v && z ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    stats_survey_begin(s, in, &e);
    out->n = e.n;
    if (e.n < 2 || e.df < 1) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%zu rows with %g degrees of freedom: too few for a "
                            "test",
                            e.n, e.df);
        goto out;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (!(s->weight[i] > 0) || (in && !in[i]))
            continue;
        if (category[i] >= k) {
            rc = base_error_set(BASE_E_ARGUMENT, "row %zu is in none of the %zu categories", i + 1,
                                k);
            goto out;
        }
        p[category[i]] += s->weight[i] / e.weight_sum;
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->weight[i] > 0 && (!in || in[i]))
            for (size_t c = 0; c < k; c++)
                z[i * k + c] = s->weight[i] / e.weight_sum * ((category[i] == c) - p[c]);
    if ((rc = stats_survey_covariance(s, z, k, v)))
        goto out;
    double trace = 0, square = 0, n = (double)e.n;
    for (size_t a = 0; a < k; a++) {
        double d = p[a] - share[a];
        out->chi2 += n * d * d / share[a];
        if (p[a] > 0)
            out->g += 2 * n * p[a] * log(p[a] / share[a]);
        trace += n * v[a * k + a] / share[a];
        for (size_t b = 0; b < k; b++)
            square += n * n * v[a * k + b] * v[a * k + b] / (share[a] * share[b]);
    }
    out->g = fmax(out->g, 0);
    const double df = (double)k - 1;
    out->chi2_p = stats_chi2_tail(out->chi2, df);
    out->g_p = stats_chi2_tail(out->g, df);
    out->deff = trace / df;
    out->f = out->g_f = out->p = out->g_corrected_p = NAN;
    if (trace > 1e-12 * df && square > 0) { /* below is rounding: the design fixes the shares */
        out->df1 = trace * trace / square;
        out->df2 = out->df1 * e.df;
        out->f = out->chi2 / trace;
        out->g_f = out->g / trace;
        out->p = stats_f_tail(out->f, out->df1, out->df2);
        out->g_corrected_p = stats_f_tail(out->g_f, out->df1, out->df2);
    }
out:
    base_free(p);
    base_free(v);
    base_free(z);
    return rc;
}
