/* Logistic regression by Newton's method on centred, scaled predictors:
 *
 *     b <- b + (Z'WZ)^-1 Z'(y - p),  W = p (1-p),  Var(b) = (Z'WZ)^-1
 *
 * with Cholesky's factor; a step that lowers the likelihood is halved. Where a combination of the
 * predictors separates the outcomes the likelihood has no maximum: b grows by about one unit of
 * linear predictor per step for ever. That is told from a fit that converges, where the steps end
 * by squaring themselves away, by the number of steps and by the information matrix running out. */
#include "base/memory.h"
#include "stats/distribution.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

enum { STEPS = 60, HALVINGS = 30 };

struct fit {
    size_t n, m;                  /* rows, coefficients */
    double *z;                    /* [m][n] scaled columns, the first ones */
    double *mean, *scale;         /* [m] */
    double *b, *next, *gradient;  /* [m] */
    double *information, *factor; /* [m][m] row-major */
    double *p, *score;            /* [n] */
};

void stats_logistic_free(struct stats_logistic *r)
{
    base_free(r->coefficient);
    r->coefficient = NULL;
}

/* ln(1 + e^t) without overflow. */
static double softplus(double t)
{
    return t > 0 ? t + log1p(exp(-t)) : log1p(exp(t));
}

static double likelihood(const struct fit *f, const double *y, const double *b, double *eta)
{
    double sum = 0;
    for (size_t i = 0; i < f->n; i++) {
        eta[i] = 0;
        for (size_t j = 0; j < f->m; j++)
            eta[i] += b[j] * f->z[j * f->n + i];
        sum += y[i] * eta[i] - softplus(eta[i]);
    }
    return sum;
}

/* Lower Cholesky factor; false where a pivot is lost: *column is that one. */
static bool cholesky(const double *a, double *l, size_t m, double tolerance, size_t *column)
{
    memset(l, 0, m * m * sizeof *l);
    for (size_t j = 0; j < m; j++) {
        double d = a[j * m + j];
        for (size_t k = 0; k < j; k++)
            d -= l[j * m + k] * l[j * m + k];
        if (!(d > tolerance * a[j * m + j]) || !(d > 0)) {
            *column = j;
            return false;
        }
        l[j * m + j] = sqrt(d);
        for (size_t i = j + 1; i < m; i++) {
            double s = a[i * m + j];
            for (size_t k = 0; k < j; k++)
                s -= l[i * m + k] * l[j * m + k];
            l[i * m + j] = s / l[j * m + j];
        }
    }
    return true;
}

/* x <- (L L')^-1 x */
static void solve(const double *l, size_t m, double *x)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t k = 0; k < i; k++)
            x[i] -= l[i * m + k] * x[k];
        x[i] /= l[i * m + i];
    }
    for (size_t i = m; i-- > 0;) {
        for (size_t k = i + 1; k < m; k++)
            x[i] -= l[k * m + i] * x[k];
        x[i] /= l[i * m + i];
    }
}

/* Z'WZ, W = weight or 1. */
static void gram(const struct fit *f, const double *weight, double *out)
{
    for (size_t j = 0; j < f->m; j++)
        for (size_t k = 0; k <= j; k++) {
            double sum = 0;
            for (size_t i = 0; i < f->n; i++)
                sum += (weight ? weight[i] : 1) * f->z[j * f->n + i] * f->z[k * f->n + i];
            out[j * f->m + k] = out[k * f->m + j] = sum;
        }
}

static int fill_in(struct fit *f, const double *const *x, const char *const *names)
{
    size_t n = f->n, column;
    for (size_t i = 0; i < n; i++)
        f->z[i] = 1;
    f->scale[0] = 1;
    for (size_t j = 1; j < f->m; j++) {
        double *z = f->z + j * n, most = 0;
        f->mean[j] = stats_mean(x[j - 1], n);
        f->scale[j] = sqrt(stats_variance(x[j - 1], n));
        for (size_t i = 0; i < n; i++)
            most = fmax(most, fabs(x[j - 1][i]));
        if (!(f->scale[j] > 1e-13 * most))
            return base_error_set(BASE_E_ARGUMENT,
                                  "predictor %s is constant: it cannot be told from the intercept",
                                  names ? names[j - 1] : "");
        for (size_t i = 0; i < n; i++)
            z[i] = (x[j - 1][i] - f->mean[j]) / f->scale[j];
    }
    gram(f, NULL, f->information);
    if (!cholesky(f->information, f->factor, f->m, 1e-12, &column))
        return base_error_set(BASE_E_ARGUMENT,
                              "predictor %s is determined by the others: leave it out",
                              names ? names[column - 1] : "");
    return 0;
}

static int separated(const struct fit *f, const char *const *names)
{
    size_t worst = 1;
    for (size_t j = 2; j < f->m; j++)
        if (fabs(f->b[j]) > fabs(f->b[worst]))
            worst = j;
    return base_error_set(BASE_E_ARGUMENT,
                          "the predictors separate the two outcomes (%s most of all): the "
                          "coefficients have no finite estimate; leave it out, or join categories",
                          names ? names[worst - 1] : "x");
}

/* Newton's steps until they vanish. The information of the last one stays in factor. */
static int climb(struct fit *f, const double *y, const char *const *names,
                 struct stats_logistic *out)
{
    size_t column;
    double now = likelihood(f, y, f->b, f->score);
    for (unsigned step = 1; step <= STEPS; step++) {
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        memset(f->gradient, 0, f->m * sizeof *f->gradient);
        for (size_t i = 0; i < f->n; i++) {
            double p = 1 / (1 + exp(-f->score[i]));
            for (size_t j = 0; j < f->m; j++)
                f->gradient[j] += f->z[j * f->n + i] * (y[i] - p);
            f->p[i] = p * (1 - p);
        }
        gram(f, f->p, f->information);
        if (!cholesky(f->information, f->factor, f->m, 1e-14, &column))
            return separated(f, names);
        solve(f->factor, f->m, f->gradient);
        double largest = 0, scale = 1, then = -INFINITY;
        for (size_t j = 0; j < f->m; j++)
            largest = fmax(largest, fabs(f->gradient[j]) / (1 + fabs(f->b[j])));
        for (int half = 0; half < HALVINGS; half++, scale /= 2) {
            for (size_t j = 0; j < f->m; j++)
                f->next[j] = f->b[j] + scale * f->gradient[j];
            then = likelihood(f, y, f->next, f->score);
            if (then >= now - 1e-12 * fabs(now))
                break;
        }
        memcpy(f->b, f->next, f->m * sizeof *f->b);
        now = then;
        out->iterations = step;
        out->log_likelihood = now;
        if (largest < 1e-10)
            return 0;
    }
    return separated(f, names);
}

/* Back to the predictors' own scale: b_j = c_j / s_j, b_0 = c_0 - sum_j c_j mean_j / s_j. */
static int infer(struct fit *f, double level, struct stats_logistic *out)
{
    size_t m = f->m;
    for (size_t j = 0; j < m; j++) {
        struct stats_coefficient *c = &out->coefficient[j];
        double *row = f->next, variance = 0; /* the combination of the scaled coefficients */
        memset(row, 0, m * sizeof *row);
        row[j] = 1 / f->scale[j];
        for (size_t k = 1; j == 0 && k < m; k++)
            row[k] = -f->mean[k] / f->scale[k];
        for (size_t k = 0; k < m; k++)
            c->value += row[k] * f->b[k];
        for (size_t i = 0; i < m; i++) { /* |L^-1 row|^2 */
            for (size_t k = 0; k < i; k++)
                row[i] -= f->factor[i * m + k] * row[k];
            row[i] /= f->factor[i * m + i];
            variance += row[i] * row[i];
        }
        c->se = sqrt(variance);
        c->t = c->value / c->se;
        c->p = 2 * stats_normal_tail(fabs(c->t));
        int rc = stats_interval_normal(c->value, c->se, level, &c->interval);
        if (rc)
            return rc;
    }
    return 0;
}

static int check(const double *y, const double *const *x, const char *const *names, size_t n,
                 size_t predictors, struct stats_logistic *out)
{
    int rc = stats_check_finite(y, n, "outcome");
    if (predictors == 0)
        return base_error_set(BASE_E_ARGUMENT, "a regression needs at least one predictor");
    for (size_t j = 0; j < predictors && !rc; j++)
        rc = stats_check_finite(x[j], n, names ? names[j] : "predictor");
    if (rc)
        return rc;
    if (!stats_is_binary(y, n))
        return base_error_set(BASE_E_ARGUMENT, "the outcome of a logistic regression is 0 or 1");
    for (size_t i = 0; i < n; i++)
        out->ones += y[i] == 1;
    if (out->ones == 0 || out->ones == n)
        return base_error_set(BASE_E_ARGUMENT,
                              "all %zu outcomes are the same: there is nothing to explain", n);
    if (n < predictors + 2)
        return base_error_set(BASE_E_ARGUMENT, "%zu coefficients need at least %zu rows, not %zu",
                              predictors + 1, predictors + 2, n);
    return 0;
}

int stats_logistic(const double *y, const double *const *x, const char *const *names, size_t n,
                   size_t predictors, double level, struct stats_logistic *out)
{
    *out = (struct stats_logistic){ .n = n, .predictors = predictors };
    int rc = check(y, x, names, n, predictors, out);
    struct fit f = { .n = n, .m = predictors + 1 };
    size_t m = f.m, cells;
    if (rc)
        return rc;
    if (base_mul_size(n, m, &cells))
        return base_error_set(BASE_E_LIMIT, "a regression of %zu rows and %zu columns is too large",
                              n, m);
    double *rows = NULL, *small = NULL;
    f.z = base_alloc(cells, sizeof(double));
    rows = base_alloc(n, 2 * sizeof(double));
    small = base_alloc_zero(m, (5 + 2 * m) * sizeof(double));
    out->coefficient = base_alloc_zero(m, sizeof *out->coefficient);
    if (!f.z || !rows || !small || !out->coefficient) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    f.p = rows;
    f.score = rows + n;
    f.mean = small;
    f.scale = small + m;
    f.b = small + 2 * m;
    f.next = small + 3 * m;
    f.gradient = small + 4 * m;
    f.information = small + 5 * m;
    f.factor = f.information + m * m;
    double share = (double)out->ones / (double)n, se;
    if ((rc = fill_in(&f, x, names)))
        goto out;
    f.b[0] = log(share / (1 - share));
    if ((rc = climb(&f, y, names, out)) || (rc = infer(&f, level, out)) ||
        (rc = stats_auc(f.score, y, n, &out->auc, &se)))
        goto out;
    out->null_log_likelihood =
        (double)out->ones * log(share) + ((double)n - (double)out->ones) * log1p(-share);
    out->chi2 = fmax(0, 2 * (out->log_likelihood - out->null_log_likelihood));
    out->df = (double)predictors;
    out->p = stats_chi2_tail(out->chi2, out->df);
    out->mcfadden = 1 - out->log_likelihood / out->null_log_likelihood;
out:
    base_free(f.z);
    base_free(rows);
    base_free(small);
    if (rc)
        stats_logistic_free(out);
    return rc;
}
