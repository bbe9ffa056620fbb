/* Ordinary least squares with inference, by Householder's QR (never the normal equations, which
 * square the condition number).
 *
 * X [n][m], m = predictors + 1, the first column ones, kept column by column. Reflections turn X
 * into R [m][m] and y into Q'y: b = R^-1 (Q'y)[0..m), RSS = |(Q'y)[m..n)|^2, s^2 = RSS / (n - m)
 * and Var(b_j) = s^2 |row j of R^-1|^2. Columns are scaled to length 1 first, after the predictors
 * are centred (which changes only the intercept, put back at the end): so rank is judged on what a
 * predictor adds to a constant. */
#include "base/memory.h"
#include "stats/distribution.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

/* Turns column j of a [m columns of n] into R's; applies the reflection to later columns and to y.
 */
static void reflect(double *a, double *y, size_t n, size_t m, size_t j)
{
    double *v = a + j * n, norm = 0;
    for (size_t i = j; i < n; i++)
        norm += v[i] * v[i];
    norm = sqrt(norm);
    if (norm == 0)
        return;
    double alpha = v[j] > 0 ? -norm : norm, head = v[j] - alpha;
    double half = norm * (norm + fabs(v[j])); /* |v|^2 / 2 once v[j] is head */
    v[j] = head;
    for (size_t k = j + 1; k <= m; k++) {
        double *c = k < m ? a + k * n : y, dot = 0;
        for (size_t i = j; i < n; i++)
            dot += v[i] * c[i];
        dot /= half;
        for (size_t i = j; i < n; i++)
            c[i] -= dot * v[i];
    }
    v[j] = alpha;
}

/* inverse [m][m] (row-major, upper) of R, R_ij = a[j n + i]. */
static void invert(const double *a, size_t n, size_t m, double *inverse)
{
    memset(inverse, 0, m * m * sizeof *inverse);
    for (size_t c = 0; c < m; c++)
        for (size_t r = c + 1; r-- > 0;) {
            double sum = r == c ? 1 : 0;
            for (size_t k = r + 1; k <= c; k++)
                sum -= a[k * n + r] * inverse[k * m + c];
            inverse[r * m + c] = sum / a[r * n + r];
        }
}

void stats_regression_free(struct stats_regression *r)
{
    base_free(r->coefficient);
    r->coefficient = NULL;
}

static int check(const double *y, const double *const *x, const char *const *names, size_t n,
                 size_t p, double level)
{
    if (!(level > 0 && level < 1))
        return base_error_set(BASE_E_ARGUMENT, "a confidence level is between 0 and 1, not %g",
                              level);
    if (p == 0)
        return base_error_set(BASE_E_ARGUMENT, "a regression needs at least one predictor");
    if (n < p + 2)
        return base_error_set(BASE_E_ARGUMENT, "%zu coefficients need at least %zu rows, not %zu",
                              p + 1, p + 2, n);
    int rc = stats_check_finite(y, n, "response");
    for (size_t j = 0; j < p && rc == 0; j++)
        rc = stats_check_finite(x[j], n, names ? names[j] : "predictor");
    return rc;
}

struct work {
    double *a;       /* [m][n] */
    double *y;       /* [n] */
    double *mean;    /* [m] of the predictors; 0 for the intercept */
    double *scale;   /* [m] lengths */
    double *inverse; /* [m][m] */
};

static int fill_in(struct work *w, const double *const *x, const char *const *names, size_t n,
                   size_t m)
{
    for (size_t i = 0; i < n; i++)
        w->a[i] = 1 / sqrt((double)n);
    w->scale[0] = sqrt((double)n);
    for (size_t j = 1; j < m; j++) {
        double *c = w->a + j * n, squares = 0, size = 0;
        w->mean[j] = stats_mean(x[j - 1], n);
        for (size_t i = 0; i < n; i++) {
            c[i] = x[j - 1][i] - w->mean[j];
            squares += c[i] * c[i];
            size = fmax(size, fabs(x[j - 1][i]));
        }
        w->scale[j] = sqrt(squares);
        if (!(w->scale[j] > 1e-13 * size * sqrt((double)n)))
            return base_error_set(BASE_E_ARGUMENT,
                                  "predictor %s is constant: it cannot be told from the intercept",
                                  names ? names[j - 1] : "");
        for (size_t i = 0; i < n; i++)
            c[i] /= w->scale[j];
    }
    return 0;
}

/* Coefficients, errors and tests from R, Q'y and R^-1. */
static int infer(const struct work *w, double y_mean, double level, struct stats_regression *out)
{
    size_t m = out->predictors + 1;
    double intercept_row[2] = { 0, 0 }; /* variance factor of the centred intercept, of the rest */
    out->coefficient[0].value = y_mean;
    intercept_row[0] = 1 / (double)out->n;
    for (size_t j = 1; j < m; j++) {
        double value = 0, squares = 0;
        for (size_t k = j; k < m; k++) {
            value += w->inverse[j * m + k] * w->y[k];
            squares += w->inverse[j * m + k] * w->inverse[j * m + k];
        }
        out->coefficient[j].value = value / w->scale[j];
        out->coefficient[j].se = out->sigma * sqrt(squares) / w->scale[j];
        out->coefficient[0].value -= out->coefficient[j].value * w->mean[j];
    }
    /* b0 = mean y - sum_j b_j mean_j: Var = s^2 (1/n + |sum_j mean_j row_j|^2) */
    for (size_t k = 1; k < m; k++) {
        double sum = 0;
        for (size_t j = 1; j <= k; j++)
            sum += w->mean[j] / w->scale[j] * w->inverse[j * m + k];
        intercept_row[1] += sum * sum;
    }
    out->coefficient[0].se = out->sigma * sqrt(intercept_row[0] + intercept_row[1]);
    for (size_t j = 0; j < m; j++) {
        struct stats_coefficient *c = &out->coefficient[j];
        c->t = c->se > 0 ? c->value / c->se : c->value == 0 ? 0 : copysign(INFINITY, c->value);
        c->p = stats_t_two_sided(c->t, out->df);
        int rc = stats_interval_t(c->value, c->se, out->df, level, &c->interval);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- rows in clusters ---- */

/* sum of u_c u_c' over the clusters, u_c = R^-T Z_c' e_c, times CR1's factor, to meat [m][m];
 * *count: clusters that have a row. Z's columns are the centred and scaled ones. */
static int cluster_meat(const struct work *w, const double *y, const double *const *x,
                        const uint32_t *cluster, size_t clusters, const struct stats_regression *r,
                        double *meat, size_t *count)
{
    size_t n = r->n, m = r->predictors + 1, cells;
    double *score = base_mul_size(clusters, m, &cells) ? NULL : base_alloc_zero(cells + 1, 8);
    bool *seen = base_alloc_zero(clusters + 1, sizeof *seen);
    *count = 0;
    for (size_t i = 0; i < n && score && seen; i++) {
        double *s = score + cluster[i] * m, e = y[i] - r->coefficient[0].value;
        for (size_t j = 1; j < m; j++)
            e -= r->coefficient[j].value * x[j - 1][i];
        *count += !seen[cluster[i]];
        seen[cluster[i]] = true;
        s[0] += e / w->scale[0];
        for (size_t j = 1; j < m; j++)
            s[j] += e * (x[j - 1][i] - w->mean[j]) / w->scale[j];
    }
    memset(meat, 0, m * m * sizeof *meat);
    for (size_t c = 0; c < clusters && score && seen; c++) {
        double *s = score + c * m;
        for (size_t k = m; k-- > 0;) { /* (R^-T s)_k = sum_{i <= k} R^-1_ik s_i, from the last */
            double sum = 0;
            for (size_t i = 0; i <= k; i++)
                sum += w->inverse[i * m + k] * s[i];
            s[k] = sum;
        }
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < m; j++)
                meat[i * m + j] += s[i] * s[j];
    }
    int rc = score && seen ? 0 : BASE_E_MEMORY;
    base_free(score);
    base_free(seen);
    if (!rc && *count < 2)
        return base_error_set(BASE_E_ARGUMENT, "clustered errors need at least 2 clusters, not %zu",
                              *count);
    double g = (double)*count, factor = g / (g - 1) * (double)(n - 1) / (double)(n - m);
    for (size_t i = 0; i < m * m && !rc; i++)
        meat[i] *= factor;
    return rc;
}

/* b' V^-1 b / p of the p slopes by Gauss's elimination with pivots; NaN where V is singular. */
static double wald(double *v, double *b, size_t p)
{
    double sum = 0, largest = 0;
    for (size_t i = 0; i < p * p; i++)
        largest = fmax(largest, fabs(v[i]));
    for (size_t k = 0; k < p; k++) { /* V is symmetric, and stays so: V = L D L' */
        double d = v[k * p + k];
        if (!(d > 1e-13 * largest))
            return NAN;
        sum += b[k] * b[k] / d;
        for (size_t i = k + 1; i < p; i++) {
            double factor = v[i * p + k] / d;
            b[i] -= factor * b[k];
            for (size_t j = k + 1; j < p; j++)
                v[i * p + j] -= factor * v[k * p + j];
        }
    }
    return sum / (double)p;
}

static int cluster_errors(const struct work *w, const double *y, const double *const *x,
                          const uint32_t *cluster, size_t clusters, double level,
                          struct stats_regression *r)
{
    size_t m = r->predictors + 1, p = r->predictors;
    double *meat = base_alloc(m, m * sizeof *meat), *rows = base_alloc(m, m * sizeof *rows);
    double *v = base_alloc(p, (p + 1) * sizeof *v);
    int rc = meat && rows && v ? cluster_meat(w, y, x, cluster, clusters, r, meat, &r->clusters)
                               : BASE_E_MEMORY;
    for (size_t j = 0; j < m && !rc; j++) /* rows: coefficient j as a combination of R^-1's rows */
        for (size_t k = 0; k < m; k++) {
            double sum = j ? w->inverse[j * m + k] / w->scale[j] : w->inverse[k] / w->scale[0];
            for (size_t l = 1; l < m && j == 0; l++)
                sum -= w->mean[l] / w->scale[l] * w->inverse[l * m + k];
            rows[j * m + k] = sum;
        }
    double df = (double)r->clusters - 1;
    for (size_t j = 0; j < m && !rc; j++) {
        struct stats_coefficient *c = &r->coefficient[j];
        for (size_t k = j ? 1 : 0; k < (j ? m : 1); k++) {
            double sum = 0;
            for (size_t a = 0; a < m; a++)
                for (size_t b = 0; b < m; b++)
                    sum += rows[j * m + a] * meat[a * m + b] * rows[k * m + b];
            if (j == k)
                c->se = sqrt(fmax(0, sum));
            if (j) /* scaled, so that the slopes are of one size */
                v[(j - 1) * p + k - 1] = sum * w->scale[j] * w->scale[k];
        }
        c->t = c->se > 0 ? c->value / c->se : c->value == 0 ? 0 : copysign(INFINITY, c->value);
        c->p = stats_t_two_sided(c->t, df);
        rc = stats_interval_t(c->value, c->se, df, level, &c->interval);
    }
    if (!rc) {
        for (size_t j = 0; j < p; j++)
            v[p * p + j] = r->coefficient[j + 1].value * w->scale[j + 1];
        r->f_df2 = df;
        r->f = r->clusters > p ? wald(v, v + p * p, p) : NAN;
        r->f_p = stats_f_tail(r->f, (double)p, df);
    }
    base_free(meat);
    base_free(rows);
    base_free(v);
    return rc;
}

int stats_regress(const double *y, const double *const *x, const char *const *names, size_t n,
                  size_t predictors, double level, struct stats_regression *out)
{
    return stats_regress_clustered(y, x, names, n, predictors, NULL, 0, level, out);
}

int stats_regress_clustered(const double *y, const double *const *x, const char *const *names,
                            size_t n, size_t predictors, const uint32_t *cluster, size_t clusters,
                            double level, struct stats_regression *out)
{
    *out = (struct stats_regression){ .n = n, .predictors = predictors };
    int rc = check(y, x, names, n, predictors, level);
    if (rc)
        return rc;
    size_t m = predictors + 1, cells;
    if (base_mul_size(n, m, &cells))
        return base_error_set(BASE_E_LIMIT, "a regression of %zu rows and %zu columns is too large",
                              n, m);
    struct work w = { .a = base_alloc(cells, sizeof(double)),
                      .y = base_alloc(n, sizeof(double)),
                      .mean = base_alloc_zero(m, sizeof(double)),
                      .scale = base_alloc_zero(m, sizeof(double)),
                      .inverse = base_alloc(m, m * sizeof(double)) };
    out->coefficient = base_alloc_zero(m, sizeof *out->coefficient);
    if (!w.a || !w.y || !w.mean || !w.scale || !w.inverse || !out->coefficient) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    if ((rc = fill_in(&w, x, names, n, m)))
        goto out;
    double y_mean = stats_mean(y, n), tss = 0, rss = 0;
    for (size_t i = 0; i < n; i++) {
        w.y[i] = y[i] - y_mean;
        tss += w.y[i] * w.y[i];
    }
    for (size_t j = 0; j < m; j++) {
        reflect(w.a, w.y, n, m, j);
        if (fabs(w.a[j * n + j]) < 1e-10) { /* columns have length 1 */
            rc = base_error_set(BASE_E_ARGUMENT,
                                "predictor %s is a linear combination of the others: leave it out",
                                names && j ? names[j - 1] : "");
            goto out;
        }
    }
    for (size_t i = m; i < n; i++)
        rss += w.y[i] * w.y[i];
    invert(w.a, n, m, w.inverse);
    out->df = (double)(n - m);
    out->sigma = sqrt(rss / out->df);
    out->r2 = tss > 0 ? 1 - rss / tss : NAN;
    out->r2_adjusted = 1 - (1 - out->r2) * (double)(n - 1) / out->df;
    out->f = (tss - rss) / (double)predictors / (rss / out->df);
    out->f_p = stats_f_tail(out->f, (double)predictors, out->df);
    out->f_df2 = out->df;
    rc = infer(&w, y_mean, level, out);
    if (!rc && cluster)
        rc = cluster_errors(&w, y, x, cluster, clusters, level, out);
out:
    base_free(w.a);
    base_free(w.y);
    base_free(w.mean);
    base_free(w.scale);
    base_free(w.inverse);
    if (rc)
        stats_regression_free(out);
    return rc;
}
