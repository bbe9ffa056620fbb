/* The analyses of the stats room on any numbers: whatever is in them, an answer or a refusal, with
 * p-values between 0 and 1 and intervals the right way round. The first byte chooses the analysis,
 * the second how the others become numbers. */
#include <assay/stats.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };

static void check_p(double p)
{
    if (!(isnan(p) || (p >= 0 && p <= 1 + 1e-12)))
        abort();
}

static void check_interval(struct stats_interval i)
{
    if (!(isnan(i.low) || isnan(i.high) || i.low <= i.high))
        abort();
}

/* Small whole numbers (ties, constant columns), or doubles as they come. */
static size_t numbers(const uint8_t *data, size_t size, int how, double *x)
{
    size_t n = 0;
    if (how == 0) {
        for (; n < size && n < MOST; n++)
            x[n] = (int8_t)data[n] / 8;
    } else if (how == 1) {
        for (; n < size && n < MOST; n++)
            x[n] = data[n];
    } else {
        for (; (n + 1) * sizeof *x <= size && n < MOST; n++)
            memcpy(&x[n], data + n * sizeof *x, sizeof *x);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double x[MOST], expected[MOST], y[MOST];
    uint32_t group[MOST];
    if (size < 3)
        return 0;
    size_t n = numbers(data + 2, size - 2, data[1] % 3, x), half = n / 2;
    size_t groups = 1 + data[1] / 3 % 6;
    for (size_t i = 0; i < n; i++) {
        group[i] = (uint32_t)((i * 7 + data[1]) % groups);
        y[i] = fmod(fabs(x[i]), 2) >= 1;
    }
    enum stats_alternative alternative = (enum stats_alternative)(data[0] / 16 % 3);
    const double *two[] = { x, y };
    struct stats_ranksum r;
    struct stats_anova a;
    struct stats_contingency c;
    struct stats_goodness g;
    struct stats_fisher f;
    struct stats_logistic l;
    struct stats_regression m;
    struct stats_interval i;
    switch (data[0] % 8) {
    case 0:
        if (stats_ranksum(x, half, x + half, n - half, alternative, 0.95, &r) == 0) {
            check_p(r.p);
            check_interval(r.interval);
        }
        break;
    case 1:
        if (stats_anova(x, group, n, groups, 0.9, &a) == 0) {
            check_p(a.p);
            check_p(a.welch_p);
            check_p(a.levene_p);
            check_interval(a.eta2_interval);
        }
        break;
    case 2:
        if (groups && stats_contingency(x, groups, n / groups, 0.95, expected, &c) == 0) {
            check_p(c.p);
            check_p(c.g_p);
            check_p(c.p_corrected);
            check_interval(c.v_interval);
        }
        break;
    case 3:
        if (stats_goodness(x, NULL, n, 0.95, expected, &g) == 0) {
            check_p(g.p);
            check_interval(g.w_interval);
        }
        break;
    case 4:
        if (n >= 4 && x[0] + x[1] + x[2] + x[3] < 5000 &&
            stats_fisher(x[0], x[1], x[2], x[3], alternative, 0.95, &f) == 0) {
            check_p(f.p);
            check_interval(f.interval);
        }
        break;
    case 5:
        if (stats_logistic(y, two, NULL, n, 1, 0.95, &l) == 0) {
            check_p(l.p);
            check_p(l.coefficient[1].p);
            check_interval(l.coefficient[1].interval);
            stats_logistic_free(&l);
        }
        break;
    case 6:
        if (stats_regress_clustered(x, two + 1, NULL, n, 1, group, groups, 0.95, &m) == 0) {
            check_p(m.f_p);
            check_p(m.coefficient[1].p);
            check_interval(m.coefficient[0].interval);
            stats_regression_free(&m);
        }
        break;
    default:
        if (n >= 3 && stats_interval_effect(x[0], fabs(x[1]), fabs(x[2]), 0.95, &i) == 0)
            check_interval(i);
        break;
    }
    return 0;
}
