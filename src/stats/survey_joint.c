/* Variance of a total from the probabilities that two units are both drawn.
 *
 *     Horvitz-Thompson  sum_ij D_ij z_i z_j,          D_ij = (pi_ij - pi_i pi_j) / pi_ij
 *     Yates-Grundy     -1/2 sum_ij D_ij (z_i - z_j)^2 (i != j)
 * with z the weighted values; D_ii = 1 - pi_i. Both are unbiased when all pi_ij > 0, the second for
 * fixed sizes only, where it is the steadier one. The approximations take D_ij from pi_i and pi_j
 * alone. Units drawn with certainty vary with nobody (D = 0) and are left out of n, which R's
 * approximations do not do.
 *
 * Units are first-stage units: with psu given, z is summed over each unit's rows first. */
#include "base/memory.h"
#include "stats/survey.h"
#include <math.h>

struct units {
    size_t n;
    double *z, *pi;         /* [n][p], [n] */
    uint32_t *stratum;      /* [n] */
    double *size, *pi_mean; /* [strata]: units below certainty, and the mean of their pi */
    size_t *row;            /* [n] the first row of each, in the caller's order */
};

static double d_of(const struct stats_survey *s, const struct units *u, size_t i, size_t j)
{
    if (s->joint == STATS_JOINT_MATRIX) {
        size_t a = u->row[i], b = u->row[j];
        const double *m = s->joint_matrix;
        double pa = m[a * s->n + a], pb = m[b * s->n + b];
        return i == j ? 1 - pa : 1 - pa * pb / m[a * s->n + b];
    }
    if (i == j)
        return 1 - u->pi[i];
    if (u->stratum[i] != u->stratum[j] || u->pi[i] >= 1 || u->pi[j] >= 1)
        return 0;
    double n = u->size[u->stratum[i]], sum = u->pi[i] + u->pi[j];
    if (s->joint == STATS_JOINT_OVERTON)
        return 1 - (n - sum / 2) / (n - 1);
    return 1 - (n - sum + u->pi_mean[u->stratum[i]]) / (n - 1);
}

static int gather(const struct stats_survey *s, const double *z, size_t p, struct units *u)
{
    const size_t n = s->n;
    u->z = base_alloc_zero(n * p, sizeof(double));
    u->pi = base_alloc(n, sizeof(double));
    u->stratum = base_alloc(n, sizeof(uint32_t));
    u->size = base_alloc_zero(n, sizeof(double));
    u->pi_mean = base_alloc_zero(n, sizeof(double));
    u->row = base_alloc(n, sizeof(size_t));
    if (!u->z || !u->pi || !u->stratum || !u->size || !u->pi_mean || !u->row)
        return BASE_E_MEMORY;
    size_t strata = 0;
    for (size_t k = 0; k < n; k++) {
        strata += k == 0 || s->begins[k] == 0;
        if (k == 0 || s->begins[k] <= 1) {
            u->row[u->n] = s->order[k];
            u->stratum[u->n] = (uint32_t)(strata - 1);
            double pi = s->joint == STATS_JOINT_MATRIX ? s->joint_matrix[s->order[k] * (n + 1)]
                                                       : s->stage[0].fpc[k];
            u->pi[u->n++] = pi;
            if (pi < 1) {
                u->size[strata - 1]++;
                u->pi_mean[strata - 1] += pi;
            }
        }
        for (size_t a = 0; a < p; a++)
            u->z[(u->n - 1) * p + a] += z[s->order[k] * p + a];
    }
    for (size_t h = 0; h < strata; h++)
        if (u->size[h] > 0)
            u->pi_mean[h] /= u->size[h];
    if (s->joint != STATS_JOINT_MATRIX)
        for (size_t i = 0; i < u->n; i++)
            if (u->pi[i] < 1 && u->size[u->stratum[i]] < 2)
                return base_error_set(BASE_E_ARGUMENT,
                                      "the stratum of row %zu has one unit, which has no joint "
                                      "probability with another",
                                      u->row[i] + 1);
    return 0;
}

int stats_survey_joint_covariance(const struct stats_survey *s, const double *z, size_t p,
                                  double *v)
{
    struct units u = { 0 };
    int rc = gather(s, z, p, &u);
    for (size_t i = 0; rc == 0 && i < u.n; i++)
        for (size_t j = 0; j < u.n; j++) {
            double d = d_of(s, &u, i, j);
            const double *zi = u.z + i * p, *zj = u.z + j * p;
            for (size_t a = 0; a < p && d != 0; a++)
                for (size_t b = 0; b <= a; b++)
                    if (!s->yates_grundy)
                        v[a * p + b] += d * zi[a] * zj[b];
                    else if (i != j)
                        v[a * p + b] -= 0.5 * d * (zi[a] - zj[a]) * (zi[b] - zj[b]);
        }
    base_free(u.z);
    base_free(u.pi);
    base_free(u.stratum);
    base_free(u.size);
    base_free(u.pi_mean);
    base_free(u.row);
    return rc;
}
