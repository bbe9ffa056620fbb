/* Tables of counts: are two categories independent, does one follow given shares?
 *
 *     chi^2 = sum (O - E)^2 / E, E = row total x column total / n; df = (r-1)(c-1)
 *     G = 2 sum O ln(O / E); Cramer's V = sqrt(chi^2 / (n (min(r, c) - 1)))
 *
 * chi^2 estimates the noncentrality lambda plus df: the interval of V is that of lambda through the
 * same root. Fisher's exact test conditions on the margins: the first cell is then hypergeometric,
 * with odds ratio psi P(a) ~ C(m, a) C(k', k - a) psi^a; its estimate is where E(a) is the observed
 * a, its interval where the tails are (1 - level) / 2 (as R's fisher.test). */
#include "base/memory.h"
#include "stats/distribution.h"
#include <assay/stats.h>
#include <math.h>

static int check_counts(const double *count, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(count[i] >= 0 && count[i] == floor(count[i]) && count[i] < 9e15))
            return base_error_set(BASE_E_ARGUMENT, "count %zu is %g: expected a whole number",
                                  i + 1, count[i]);
    return 0;
}

static int check_level(double level)
{
    struct stats_interval unused;
    return stats_interval_normal(0, 1, level, &unused);
}

/* sqrt(lambda / scale) of both ends. */
static void root_interval(double chi2, double df, double scale, double level,
                          struct stats_interval *out)
{
    stats_noncentrality(chi2, df, 0, level, out);
    out->low = sqrt(out->low / scale);
    out->high = sqrt(out->high / scale);
}

static double term_g(double observed, double expected)
{
    return observed > 0 ? 2 * observed * log(observed / expected) : 0;
}

int stats_contingency(const double *count, size_t rows, size_t columns, double level,
                      double *expected, struct stats_contingency *out)
{
    *out = (struct stats_contingency){ .expected_least = INFINITY,
                                       .chi2_corrected = NAN,
                                       .p_corrected = NAN };
    int rc;
    if (rows < 2 || columns < 2)
        return base_error_set(BASE_E_ARGUMENT,
                              "a test of independence needs at least 2 rows and 2 columns, not %zu "
                              "and %zu",
                              rows, columns);
    if ((rc = check_counts(count, rows * columns)) || (rc = check_level(level)))
        return rc;
    double *row = base_alloc_zero(rows + columns, sizeof *row), *column = row + rows;
    if (!row)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            row[i] += count[i * columns + j];
            column[j] += count[i * columns + j];
            out->n += count[i * columns + j];
        }
    for (size_t i = 0; i < rows + columns && !rc; i++)
        if (row[i] == 0)
            rc = base_error_set(BASE_E_ARGUMENT, "%s %zu of the table is empty",
                                i < rows ? "row" : "column", i < rows ? i + 1 : i - rows + 1);
    double yates = 0.5;
    for (size_t i = 0; i < rows && !rc; i++)
        for (size_t j = 0; j < columns; j++) {
            double o = count[i * columns + j], e = row[i] / out->n * column[j];
            out->chi2 += (o - e) * (o - e) / e;
            out->g += term_g(o, e);
            out->expected_least = fmin(out->expected_least, e);
            out->expected_below_5 += e < 5;
            out->expected_below_1 += e < 1;
            yates = fmin(yates, fabs(o - e));
            if (expected)
                expected[i * columns + j] = e;
        }
    out->g = fmax(0, out->g);
    out->df = (double)(rows - 1) * (double)(columns - 1);
    if (!rc) {
        double scale = out->n * (double)((rows < columns ? rows : columns) - 1);
        out->p = stats_chi2_tail(out->chi2, out->df);
        out->g_p = stats_chi2_tail(out->g, out->df);
        out->v = fmin(1, sqrt(out->chi2 / scale));
        root_interval(out->chi2, out->df, scale, level, &out->v_interval);
        out->v_interval.high = fmin(1, out->v_interval.high);
    }
    if (!rc && rows == 2 && columns == 2) {
        out->chi2_corrected = 0;
        for (int k = 0; k < 4; k++) {
            double e = row[k / 2] / out->n * column[k % 2], away = fabs(count[k] - e) - yates;
            out->chi2_corrected += away * away / e;
        }
        out->p_corrected = stats_chi2_tail(out->chi2_corrected, 1);
    }
    base_free(row);
    return rc;
}

int stats_goodness(const double *count, const double *share, size_t k, double level,
                   double *expected, struct stats_goodness *out)
{
    *out = (struct stats_goodness){ .expected_least = INFINITY };
    int rc;
    double sum = 0;
    if (k < 2)
        return base_error_set(BASE_E_ARGUMENT, "a test of fit needs at least 2 categories");
    if ((rc = check_counts(count, k)) || (rc = check_level(level)))
        return rc;
    for (size_t i = 0; i < k; i++) {
        if (share && !(share[i] > 0 && share[i] <= 1))
            return base_error_set(BASE_E_ARGUMENT,
                                  "share %zu is %g: expected more than 0 and at most 1", i + 1,
                                  share[i]);
        sum += share ? share[i] : 0;
        out->n += count[i];
    }
    if (share && fabs(sum - 1) > 1e-6)
        return base_error_set(BASE_E_ARGUMENT, "the shares add up to %.9g, not 1", sum);
    if (out->n == 0)
        return base_error_set(BASE_E_ARGUMENT, "a test of fit needs counts: all are 0");
    for (size_t i = 0; i < k; i++) {
        double e = out->n * (share ? share[i] / sum : 1 / (double)k);
        out->chi2 += (count[i] - e) * (count[i] - e) / e;
        out->expected_least = fmin(out->expected_least, e);
        out->expected_below_5 += e < 5;
        if (expected)
            expected[i] = e;
    }
    out->df = (double)(k - 1);
    out->p = stats_chi2_tail(out->chi2, out->df);
    out->w = sqrt(out->chi2 / out->n);
    root_interval(out->chi2, out->df, out->n, level, &out->w_interval);
    return 0;
}

/* ---- Fisher ---- */

/* Cell a runs from low to high; weight[i] = C(m, low+i) C(k', k-low-i) scaled to a greatest of 1.
 */
struct hypergeometric {
    double low;
    size_t n, at; /* cells, place of the observed one */
    double *log_weight;
};

/* Sums under the odds ratio exp(log_psi): of all cells, up to `at`, from `at`, and of a itself. */
static void sums(const struct hypergeometric *h, double log_psi, double *lower, double *upper,
                 double *mean)
{
    double top = -INFINITY, all = 0, low = 0, high = 0, first = 0;
    for (size_t i = 0; i < h->n; i++)
        top = fmax(top, h->log_weight[i] + (double)i * log_psi);
    for (size_t i = 0; i < h->n; i++) {
        double w = exp(h->log_weight[i] + (double)i * log_psi - top);
        all += w;
        low += i <= h->at ? w : 0;
        high += i >= h->at ? w : 0;
        first += w * (double)i;
    }
    *lower = low / all;
    *upper = high / all;
    *mean = first / all;
}

enum sought { LOWER_TAIL, UPPER_TAIL, MEAN };

/* The log odds ratio at which a tail, or the mean, has the value; each is monotone in it. */
static double solve(const struct hypergeometric *h, enum sought what, double value)
{
    double low = -100, high = 100;
    for (int i = 0; i < 200 && high - low > 1e-14 * fmax(1, fabs(high)); i++) {
        double middle = (low + high) / 2, f[3];
        sums(h, middle, &f[LOWER_TAIL], &f[UPPER_TAIL], &f[MEAN]);
        if (what == LOWER_TAIL ? f[what] > value : f[what] < value)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

int stats_fisher(double a, double b, double c, double d, enum stats_alternative alternative,
                 double level, struct stats_fisher *out)
{
    const double cells[4] = { a, b, c, d };
    int rc = check_counts(cells, 4);
    if (!rc)
        rc = check_level(level);
    if (rc)
        return rc;
    double rows = a + b, column = a + c, others = c + d, n = rows + others;
    if (n > 1e6)
        return base_error_set(BASE_E_LIMIT,
                              "Fisher's exact test is made for at most 1,000,000 counts, not %.0f: "
                              "the chi-squared test is as good there",
                              n);
    if (rows == 0 || others == 0 || column == 0 || b + d == 0)
        return base_error_set(BASE_E_ARGUMENT, "a row or column of the table is empty");
    struct hypergeometric h = { .low = fmax(0, column - others) };
    h.n = (size_t)(fmin(rows, column) - h.low) + 1;
    h.at = (size_t)(a - h.low);
    if (!(h.log_weight = base_alloc(h.n, sizeof(double))))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < h.n; i++) {
        double x = h.low + (double)i;
        h.log_weight[i] = log_choose(rows, x) + log_choose(others, column - x);
    }
    double lower, upper, mean, all = 0, extreme = 0;
    sums(&h, 0, &lower, &upper, &mean);
    for (size_t i = 0; i < h.n; i++) {
        double w = exp(h.log_weight[i] - h.log_weight[h.at]);
        all += w;
        extreme += w <= 1 + 1e-7 ? w : 0; /* R's tolerance */
    }
    out->p = alternative == STATS_GREATER ? upper
             : alternative == STATS_LESS  ? lower
                                          : fmin(1, extreme / all);
    bool least = h.at == 0, most = h.at == h.n - 1;
    double tail = (1 - level) / 2;
    out->odds_ratio = least && most ? NAN
                      : least       ? 0
                      : most        ? INFINITY
                                    : exp(solve(&h, MEAN, (double)h.at));
    out->interval.low = least ? 0 : exp(solve(&h, UPPER_TAIL, tail));
    out->interval.high = most ? INFINITY : exp(solve(&h, LOWER_TAIL, tail));
    out->sample_odds_ratio = a * d / (b * c);
    base_free(h.log_weight);
    return 0;
}
