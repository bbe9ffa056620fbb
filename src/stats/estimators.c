/* Means over groups of tasks, and what k repeated answers are worth. */
#include "base/memory.h"
#include <assay/stats.h>
#include <math.h>

static int check_group(const struct stats_group_item *items, size_t k)
{
    if (k == 0)
        return base_error_set(BASE_E_ARGUMENT, "a group mean needs at least one task");
    for (size_t i = 0; i < k; i++)
        if (!(items[i].n >= 1) || !isfinite(items[i].mean))
            return base_error_set(BASE_E_ARGUMENT,
                                  "task %zu of the group: mean %g of %g items is no score", i + 1,
                                  items[i].mean, items[i].n);
    return 0;
}

int stats_group_macro(const struct stats_group_item *items, size_t k, double *mean, double *se)
{
    int rc = check_group(items, k);
    if (rc)
        return rc;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < k; i++) {
        sum += items[i].mean;
        squares += items[i].se * items[i].se;
    }
    *mean = sum / (double)k;
    *se = sqrt(squares) / (double)k;
    return 0;
}

/* Squares about the common mean are those within tasks, (n_k - 1) n_k se_k^2, and those between,
 * n_k (mean_k - mean)^2. */
int stats_group_micro(const struct stats_group_item *items, size_t k, double *mean, double *se)
{
    int rc = check_group(items, k);
    if (rc)
        return rc;
    double n = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < k; i++) {
        n += items[i].n;
        sum += items[i].n * items[i].mean;
    }
    *mean = sum / n;
    for (size_t i = 0; i < k; i++) {
        double d = items[i].mean - *mean;
        squares += items[i].n * d * d;
        if (items[i].n > 1) /* a single item has no spread of its own */
            squares += (items[i].n - 1) * items[i].n * items[i].se * items[i].se;
    }
    *se = n > 1 ? sqrt(squares / (n - 1) / n) : NAN;
    return 0;
}

static int check_answers(double n, double c, double k)
{
    bool whole = n == floor(n) && c == floor(c) && k == floor(k);
    if (whole && n >= 1 && c >= 0 && c <= n && k >= 1 && k <= n && n <= 1e9)
        return 0;
    return base_error_set(BASE_E_ARGUMENT,
                          "%g right of %g answers, %g at a time: needs whole numbers with "
                          "0 <= right <= answers and 1 <= k <= answers",
                          c, n, k);
}

/* 1 - prod_{i = n-c+1}^{n} (1 - k/i): no binomial coefficient is ever formed. */
int stats_pass_at_k(double n, double c, double k, double *out)
{
    int rc = check_answers(n, c, k);
    if (rc)
        return rc;
    double none = n - c < k ? 0 : 1;
    for (double i = n - c + 1; i <= n && none > 0; i++)
        none *= 1 - k / i;
    *out = 1 - none;
    return 0;
}

int stats_pass_hat_k(double n, double c, double k, double *out)
{
    int rc = check_answers(n, c, k);
    if (rc)
        return rc;
    double all = c < k ? 0 : 1;
    for (double i = 0; i < k && all > 0; i++)
        all *= (c - i) / (n - i);
    *out = all;
    return 0;
}

static double choose(double n, double k)
{
    double value = 1;
    k = fmin(k, n - k);
    for (double i = 0; i < k; i++)
        value *= (n - i) / (k - i);
    return value;
}

/* P = sum_j sum_t C(c, j) W_j(k - j, t) / ((t + 1) C(n, k)): the right answer is drawn j times, no
 * other more often, t others as often. W_j(s, t) counts the ways the others give s answers with t
 * of them exactly j times; a table [s][t] grows answer by answer. */
int stats_maj_at_k(const size_t *count, size_t answers, size_t correct, size_t k, double *out)
{
    size_t n = 0;
    for (size_t a = 0; a < answers; a++)
        n += count[a];
    if (k < 1 || k > n)
        return base_error_set(BASE_E_ARGUMENT, "maj@k needs 1 <= k <= %zu answers, not k = %zu", n,
                              k);
    if (n > 1000)
        return base_error_set(BASE_E_LIMIT, "maj@k is computed for up to 1000 answers, not %zu", n);
    *out = 0;
    if (correct >= answers || count[correct] == 0)
        return 0;
    size_t side = k + 1;
    double *ways = base_alloc(side, side * sizeof *ways);
    double *next = base_alloc(side, side * sizeof *next);
    if (!ways || !next) {
        base_free(ways);
        base_free(next);
        return BASE_E_MEMORY;
    }
    double all = choose((double)n, (double)k);
    for (size_t j = 1; j <= count[correct] && j <= k; j++) {
        size_t rest = k - j, ties = rest / j;
        for (size_t i = 0; i < side * side; i++)
            ways[i] = i == 0;
        for (size_t a = 0; a < answers; a++) {
            if (a == correct)
                continue;
            for (size_t i = 0; i < side * side; i++)
                next[i] = 0;
            for (size_t x = 0; x <= j && x <= count[a]; x++) {
                double c = choose((double)count[a], (double)x);
                size_t tie = x == j;
                for (size_t s = 0; s + x <= rest; s++)
                    for (size_t t = 0; t + tie <= ties; t++)
                        next[(s + x) * side + t + tie] += c * ways[s * side + t];
            }
            double *swap = ways;
            ways = next;
            next = swap;
        }
        double right = choose((double)count[correct], (double)j) / all;
        for (size_t t = 0; t <= ties; t++)
            *out += right * ways[rest * side + t] / (double)(t + 1);
    }
    *out = fmin(1, *out);
    base_free(ways);
    base_free(next);
    return 0;
}
