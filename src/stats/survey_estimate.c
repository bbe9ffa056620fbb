/* Means, totals, ratios and shares of a survey: linearised values in, standard error and design
 * effect out.
 *
 * Design effect (Kish 1965): the variance over that of a simple random sample of the same n rows,
 * with S^2 = n/(n-1) sum w (u - mean u)^2 / sum w estimated from the sample itself:
 *     mean   S^2 (N - n) / (N n)      total  S^2 N (N - n) / n,   N = sum w
 * and without the factor (N - n) / N for `deff_replace`. For a ratio u = (y - R x) / sum w x and
 * the total's. In a domain n, N and S^2 are those of the domain, as in R's survey. */
#include "base/memory.h"
#include "stats/distribution.h"
#include "stats/survey.h"
#include <math.h>

const char *const stats_survey_interval_names[STATS_SURVEY_INTERVALS] = { "wald", "logit", "asin",
                                                                          "beta" };

static bool counts(const struct stats_survey *s, const uint8_t *in, size_t i)
{
    return s->weight[i] > 0 && (!in || in[i]);
}

void stats_survey_begin(const struct stats_survey *s, const uint8_t *in,
                        struct stats_survey_estimate *out)
{
    size_t units, strata;
    *out = (struct stats_survey_estimate){
        .estimate = NAN, .se = NAN, .interval = { NAN, NAN }, .deff = NAN, .deff_replace = NAN
    };
    for (size_t i = 0; i < s->n; i++)
        if (counts(s, in, i)) {
            out->n++;
            out->weight_sum += s->weight[i];
        }
    stats_survey_units(s, in, &units, &strata);
    out->df = (double)units - (double)strata;
}

static int check(const struct stats_survey *s, const double *y, const uint8_t *in, double level,
                 const char *what)
{
    if (!(level > 0 && level < 1))
        return base_error_set(BASE_E_ARGUMENT, "confidence %g: must be between 0 and 1", level);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!counts(s, in, i))
            continue;
        n++;
        if (!isfinite(y[i]))
            return base_error_set(BASE_E_NUMERIC, "row %zu: %s is %g", i + 1, what, y[i]);
    }
    if (n == 0)
        return base_error_set(BASE_E_ARGUMENT, "the domain has no row with a positive weight");
    return 0;
}

/* Weighted variance with n / (n - 1), of u over the domain. */
static double spread(const struct stats_survey *s, const double *u, const uint8_t *in, size_t n,
                     double weight_sum)
{
    double mean = 0, square = 0;
    for (size_t i = 0; i < s->n; i++)
        if (counts(s, in, i))
            mean += s->weight[i] * u[i];
    mean /= weight_sum;
    for (size_t i = 0; i < s->n; i++)
        if (counts(s, in, i))
            square += s->weight[i] * (u[i] - mean) * (u[i] - mean);
    return n > 1 ? square / weight_sum * (double)n / ((double)n - 1) : NAN;
}

static double quotient(double a, double b)
{
    return b > 0 && isfinite(b) ? a / b : NAN;
}

/* Standard error, interval and design effect from z (changed); s2 is the spread, `scale` the
 * square of N for totals and 1 for means. */
static int finish(const struct stats_survey *s, double *z, double s2, double scale, double level,
                  struct stats_survey_estimate *out)
{
    double v;
    int rc = stats_survey_covariance(s, z, 1, &v);
    if (rc)
        return rc;
    out->se = sqrt(v > 0 ? v : 0);
    if (v < 0 && s->joint != STATS_JOINT_NONE)
        out->se = NAN; /* Horvitz and Thompson's estimate may fall below 0: there is no figure */
    if (isfinite(out->se) && out->df >= 1) {
        rc = stats_interval_t(out->estimate, out->se, out->df, level, &out->interval);
        if (rc)
            return rc;
    }
    double n = (double)out->n, population = out->weight_sum;
    double srs = s2 * scale / n;
    if (!s->weighted || population < n)
        out->deff = NAN;
    else
        out->deff = quotient(v, srs * (population - n) / population);
    out->deff_replace = quotient(v, srs);
    return 0;
}

int stats_survey_mean(const struct stats_survey *s, const double *y, const uint8_t *in,
                      double level, struct stats_survey_estimate *out)
{
    int rc = check(s, y, in, level, "the value");
    if (rc)
        return rc;
    double *z = base_alloc(s->n, sizeof *z), sum = 0;
    if (!z)
        return BASE_E_MEMORY;
    stats_survey_begin(s, in, out);
    for (size_t i = 0; i < s->n; i++)
        if (counts(s, in, i))
            sum += s->weight[i] * y[i];
    out->estimate = sum / out->weight_sum;
    for (size_t i = 0; i < s->n; i++)
        z[i] = counts(s, in, i) ? s->weight[i] * (y[i] - out->estimate) / out->weight_sum : 0;
    rc = finish(s, z, spread(s, y, in, out->n, out->weight_sum), 1, level, out);
    base_free(z);
    return rc;
}

int stats_survey_total(const struct stats_survey *s, const double *y, const uint8_t *in,
                       double level, struct stats_survey_estimate *out)
{
    int rc = check(s, y, in, level, "the value");
    if (rc)
        return rc;
    double *z = base_alloc(s->n, sizeof *z), sum = 0;
    if (!z)
        return BASE_E_MEMORY;
    stats_survey_begin(s, in, out);
    for (size_t i = 0; i < s->n; i++) {
        z[i] = counts(s, in, i) ? s->weight[i] * y[i] : 0;
        sum += z[i];
    }
    out->estimate = sum;
    rc = finish(s, z, spread(s, y, in, out->n, out->weight_sum), out->weight_sum * out->weight_sum,
                level, out);
    base_free(z);
    return rc;
}

int stats_survey_ratio(const struct stats_survey *s, const double *y, const double *x,
                       const uint8_t *in, double level, struct stats_survey_estimate *out)
{
    int rc = check(s, y, in, level, "the numerator");
    if (rc == 0)
        rc = check(s, x, in, level, "the denominator");
    if (rc)
        return rc;
    double *z = base_alloc(s->n, sizeof *z), *u = base_alloc(s->n, sizeof *u), top = 0, bottom = 0;
    rc = z && u ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    stats_survey_begin(s, in, out);
    for (size_t i = 0; i < s->n; i++)
        if (counts(s, in, i)) {
            top += s->weight[i] * y[i];
            bottom += s->weight[i] * x[i];
        }
    if (bottom == 0) {
        rc = base_error_set(BASE_E_NUMERIC, "the denominator's total is 0: there is no ratio");
        goto out;
    }
    out->estimate = top / bottom;
    for (size_t i = 0; i < s->n; i++) {
        u[i] = counts(s, in, i) ? (y[i] - out->estimate * x[i]) / bottom : 0;
        z[i] = counts(s, in, i) ? s->weight[i] * u[i] : 0;
    }
    rc = finish(s, z, spread(s, u, in, out->n, out->weight_sum), out->weight_sum * out->weight_sum,
                level, out);
out:
    base_free(z);
    base_free(u);
    return rc;
}

int stats_survey_share_interval(enum stats_survey_interval kind, double p, double se, double df,
                                double n, double level, struct stats_interval *out)
{
    *out = (struct stats_interval){ NAN, NAN };
    if (!(df >= 1) || !isfinite(se))
        return 0;
    if (kind == STATS_SURVEY_WALD || kind >= STATS_SURVEY_INTERVALS)
        return stats_interval_t(p, se, df, level, out);
    /* no spread, as far as can be told: the rows alone bound it */
    if (p <= 0 || p >= 1 || se == 0)
        return p <= 0 || p >= 1
                   ? stats_interval_proportion(STATS_CLOPPER_PEARSON, p <= 0 ? 0 : n, n, level, out)
                   : stats_interval_t(p, se, df, level, out);
    double t = stats_t_quantile(0.5 + level / 2, df);
    if (kind == STATS_SURVEY_LOGIT) {
        double half = t * se / (p * (1 - p)), x = log(p / (1 - p));
        *out = (struct stats_interval){ 1 / (1 + exp(half - x)), 1 / (1 + exp(-half - x)) };
    } else if (kind == STATS_SURVEY_ASIN) {
        double half = t * se / (2 * sqrt(p * (1 - p))), x = asin(sqrt(p));
        double low = fmax(x - half, 0), high = fmin(x + half, M_PI / 2);
        *out = (struct stats_interval){ sin(low) * sin(low), sin(high) * sin(high) };
    } else {
        double adjust = n > 1 ? stats_t_quantile(0.5 + level / 2, n - 1) / t : 1;
        double effective = p * (1 - p) / (se * se) * adjust * adjust;
        double tail = (1 - level) / 2, hit = effective * p, miss = effective * (1 - p);
        *out = (struct stats_interval){ stats_beta_quantile(tail, hit, miss + 1),
                                        stats_beta_quantile(1 - tail, hit + 1, miss) };
    }
    return 0;
}

int stats_survey_proportion(const struct stats_survey *s, const uint8_t *hit, const uint8_t *in,
                            enum stats_survey_interval kind, double level,
                            struct stats_survey_estimate *out)
{
    double *y = base_alloc(s->n, sizeof *y);
    if (!y)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < s->n; i++)
        y[i] = hit[i] != 0;
    int rc = stats_survey_mean(s, y, in, level, out);
    if (rc == 0) {
        /* sums of equal weights may miss 0 or 1 by a rounding */
        bool some = false, others = false;
        for (size_t i = 0; i < s->n; i++)
            if (counts(s, in, i)) {
                some |= hit[i] != 0;
                others |= hit[i] == 0;
            }
        if (!some || !others) {
            out->estimate = some ? 1 : 0;
            out->se = 0;
        }
        rc = stats_survey_share_interval(kind, out->estimate, out->se, out->df, (double)out->n,
                                         level, &out->interval);
    }
    base_free(y);
    return rc;
}
