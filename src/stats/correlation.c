/* Correlation: Pearson's r, Spearman's rho (r of ranks), Kendall's tau-b.
 *
 * tau-b = (C - D) / sqrt((T - tx)(T - ty)) over T = n(n-1)/2 pairs, C concordant, D discordant, tx
 * and ty tied in x and in y. D is the number of exchanges a merge sort by y needs after sorting by
 * (x, y) (Knight 1966): n log n. */
#include "base/memory.h"
#include "stats/distribution.h"
#include "stats/draw.h"
#include <assay/stats.h>
#include <math.h>
#include <stdlib.h>

const char *const stats_correlation_names[STATS_CORRELATIONS] = { "pearson", "spearman",
                                                                  "kendall" };

int stats_ranks(const double *x, size_t n, double *rank)
{
    size_t *order = base_alloc(n, sizeof *order);
    if (!order || stats_order(x, n, order)) {
        base_free(order);
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && x[order[end]] == x[order[i]])
            end++;
        double mean = 0.5 * (double)(i + 1 + end); /* of i + 1 .. end */
        for (; i < end; i++)
            rank[order[i]] = mean;
    }
    base_free(order);
    return 0;
}

/* r by deviations; clipped, for rounding can leave 1 + 1e-16. */
static double pearson(const double *x, const double *y, size_t n)
{
    double r = stats_covariance(x, y, n) / sqrt(stats_variance(x, n)) / sqrt(stats_variance(y, n));
    return fmax(-1, fmin(1, r));
}

struct pair {
    double x, y;
};

static int by_x_then_y(const void *a, const void *b)
{
    const struct pair *p = a, *q = b;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return p->y < q->y ? -1 : p->y > q->y;
}

/* Sorts y into ascending order and returns the exchanges: pairs i < j with y_i > y_j. */
static double count_inversions(double *y, double *scratch, size_t n)
{
    double inversions = 0;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t low = 0; low < n; low += 2 * width) {
            size_t middle = low + width < n ? low + width : n;
            size_t high = middle + width < n ? middle + width : n;
            size_t i = low, j = middle;
            for (size_t k = low; k < high; k++) {
                if (j >= high || (i < middle && y[i] <= y[j])) {
                    scratch[k] = y[i++];
                } else {
                    inversions += (double)(middle - i);
                    scratch[k] = y[j++];
                }
            }
        }
        for (size_t k = 0; k < n; k++)
            y[k] = scratch[k];
    }
    return inversions;
}

/* Sums over the groups of t equal values of an ascending list: t(t-1)/2, t(t-1)(t-2),
 * t(t-1)(2t+5). */
struct ties {
    double pairs, third, fifth;
};
static void add_tie(struct ties *t, double size)
{
    t->pairs += size * (size - 1) / 2;
    t->third += size * (size - 1) * (size - 2);
    t->fifth += size * (size - 1) * (2 * size + 5);
}

static struct ties ties_of(const double *ascending, size_t n)
{
    struct ties t = { 0 };
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && ascending[end] == ascending[i])
            end++;
        add_tie(&t, (double)(end - i));
        i = end;
    }
    return t;
}

/* Two-sided P under independence without ties: the number of permutations of n with at most
 * min(D, T - D) inversions over n!, twice (Kendall 1970, ch. 5). n <= 33. */
static double kendall_exact(double discordant, size_t n)
{
    enum { MOST = 33 * 32 / 2 + 1 };
    double share[MOST] = { 1 }, before[MOST];
    size_t pairs = 0;
    for (size_t m = 2; m <= n; m++) { /* the m-th value adds 0 .. m - 1 inversions */
        size_t new_pairs = pairs + m - 1;
        for (size_t i = 0; i <= new_pairs; i++)
            before[i] = i <= pairs ? share[i] : 0;
        double window = 0;
        for (size_t i = 0; i <= new_pairs; i++) {
            window += before[i] - (i >= m ? before[i - m] : 0);
            share[i] = window / (double)m;
        }
        pairs = new_pairs;
    }
    size_t limit = (size_t)fmin(discordant, (double)pairs - discordant);
    if (2 * limit == pairs)
        return 1;
    double sum = 0;
    for (size_t i = 0; i <= limit; i++)
        sum += share[i];
    return fmin(1, 2 * sum);
}

static int kendall(const double *x, const double *y, size_t n, struct stats_correlation *out)
{
    struct pair *pairs = base_alloc(n, sizeof *pairs);
    double *list = base_alloc(n, sizeof *list), *scratch = base_alloc(n, sizeof *scratch);
    int rc = BASE_E_MEMORY;
    if (!pairs || !list || !scratch)
        goto out;
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct pair){ x[i], y[i] };
    qsort(pairs, n, sizeof *pairs, by_x_then_y);
    double joint = 0;
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && pairs[end].x == pairs[i].x && pairs[end].y == pairs[i].y)
            end++;
        joint += (double)(end - i) * (double)(end - i - 1) / 2;
        i = end;
    }
    for (size_t i = 0; i < n; i++)
        list[i] = pairs[i].x;
    struct ties tx = ties_of(list, n);
    for (size_t i = 0; i < n; i++)
        list[i] = pairs[i].y;
    double discordant = count_inversions(list, scratch, n); /* list ascends now */
    struct ties ty = ties_of(list, n);
    double m = (double)n, total = m * (m - 1) / 2;
    double balance = total - tx.pairs - ty.pairs + joint - 2 * discordant; /* C - D */
    out->r = balance / sqrt(total - tx.pairs) / sqrt(total - ty.pairs);
    out->r = fmax(-1, fmin(1, out->r));
    if (n <= 33 && tx.pairs == 0 && ty.pairs == 0) {
        out->p = kendall_exact(discordant, n);
    } else {
        double variance = (m * (m - 1) * (2 * m + 5) - tx.fifth - ty.fifth) / 18 +
                          2 * tx.pairs * ty.pairs / (m * (m - 1)) +
                          tx.third * ty.third / (9 * m * (m - 1) * (m - 2));
        out->p = 2 * stats_normal_tail(fabs(balance) / sqrt(variance));
    }
    rc = 0;
out:
    base_free(pairs);
    base_free(list);
    base_free(scratch);
    return rc;
}

static bool is_constant(const double *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0])
            return false;
    return true;
}

/* tanh(atanh r -+ z se); |r| = 1 is a point. */
static int fisher(double r, double se, double level, struct stats_interval *out)
{
    if (fabs(r) >= 1) {
        *out = (struct stats_interval){ r, r };
        return 0;
    }
    int rc = stats_interval_normal(atanh(r), se, level, out);
    out->low = tanh(out->low);
    out->high = tanh(out->high);
    return rc;
}

int stats_correlate(enum stats_correlation_kind kind, const double *x, const double *y, size_t n,
                    double level, struct stats_correlation *out)
{
    int rc;
    size_t least = kind == STATS_KENDALL ? 5 : 4;
    if ((rc = stats_check_finite(x, n, "first column")) ||
        (rc = stats_check_finite(y, n, "second column")))
        return rc;
    if (n < least)
        return base_error_set(BASE_E_ARGUMENT,
                              "a %s correlation with an interval needs at least %zu pairs, not %zu",
                              stats_correlation_names[kind], least, n);
    if (is_constant(x, n) || is_constant(y, n))
        return base_error_set(BASE_E_ARGUMENT,
                              "the %s column is constant: a correlation with it is undefined",
                              is_constant(x, n) ? "first" : "second");
    *out = (struct stats_correlation){ .n = n };
    if (kind == STATS_KENDALL) {
        rc = kendall(x, y, n, out);
    } else if (kind == STATS_PEARSON) {
        out->r = pearson(x, y, n);
    } else {
        double *rx = base_alloc(n, sizeof *rx), *ry = base_alloc(n, sizeof *ry);
        rc = !rx || !ry ? BASE_E_MEMORY : stats_ranks(x, n, rx);
        rc = rc ? rc : stats_ranks(y, n, ry);
        if (rc == 0)
            out->r = pearson(rx, ry, n);
        base_free(rx);
        base_free(ry);
    }
    if (rc)
        return rc;
    double m = (double)n, r = out->r;
    if (kind != STATS_KENDALL)
        out->p = stats_t_two_sided(r * sqrt((m - 2) / ((1 - r) * (1 + r))), m - 2);
    double se = kind == STATS_PEARSON    ? 1 / sqrt(m - 3)
                : kind == STATS_SPEARMAN ? sqrt((1 + r * r / 2) / (m - 3))
                                         : sqrt(0.437 / (m - 4));
    return fisher(r, se, level, &out->interval);
}
