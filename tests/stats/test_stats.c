/* Values by hand, from R (binom.confint, boot) in ../shared/data/eval, and from definitions. */
#include "base/json.h"
#include "base/memory.h"
#include <assay/stats.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

#define NEAR(a, b, tolerance)                                                                      \
    do {                                                                                           \
        double a_ = (a), b_ = (b);                                                                 \
        if (!(fabs(a_ - b_) <= (tolerance)))                                                       \
            fail_msg("%s = %.12g, expected %.12g", #a, a_, b_);                                    \
    } while (0)

static void sums_do_not_drown(void **state)
{
    (void)state;
    const double x[4] = { 1, 1e100, 1, -1e100 };
    NEAR(stats_sum(x, 4), 2, 0);
    const double y[5] = { 1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16, 1e9 + 10 };
    NEAR(stats_mean(y, 5), 1e9 + 10, 0);
    NEAR(stats_variance(y, 5), 22.5, 1e-9);
    assert_true(isnan(stats_variance(y, 1)));
    assert_true(isnan(stats_mean(y, 0)));
    const double infinite[2] = { INFINITY, 1 };
    assert_true(isinf(stats_sum(infinite, 2)));
}

static void quantiles_are_type_7(void **state)
{
    (void)state;
    const double x[4] = { 1, 2, 4, 8 };
    NEAR(stats_quantile_sorted(x, 4, 0), 1, 0);
    NEAR(stats_quantile_sorted(x, 4, 0.25), 1.75, 1e-15);
    NEAR(stats_quantile_sorted(x, 4, 0.5), 3, 1e-15);
    NEAR(stats_quantile_sorted(x, 4, 0.9), 6.8, 1e-14);
    NEAR(stats_quantile_sorted(x, 4, 1), 8, 0);
    NEAR(stats_quantile_sorted(x, 1, 0.3), 1, 0);
    double median;
    const double mixed[5] = { 9, 1, 5, 3, 7 };
    assert_int_equal(stats_median(mixed, 5, &median), 0);
    NEAR(median, 5, 0);
    assert_int_equal(stats_median(mixed, 0, &median), BASE_E_ARGUMENT);
}

/* Student's sleep data, drug 2 minus drug 1: R's t.test gives 0.7001142 .. 2.4598858. */
static void mean_intervals(void **state)
{
    (void)state;
    const double d[10] = { 1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4 };
    struct stats_interval ci;
    assert_int_equal(stats_interval_mean(d, 10, 0.95, &ci), 0);
    NEAR(ci.low, 0.7001142, 5e-8);
    NEAR(ci.high, 2.4598858, 5e-8);
    assert_int_equal(stats_interval_normal(10, 2, 0.95, &ci), 0);
    NEAR(ci.low, 10 - 2 * 1.959963984540054, 1e-12);
    assert_int_equal(stats_interval_mean(d, 1, 0.95, &ci), BASE_E_ARGUMENT);
    assert_int_equal(stats_interval_normal(1, 1, 1.0, &ci), BASE_E_ARGUMENT);
    assert_int_equal(stats_interval_normal(NAN, 1, 0.9, &ci), BASE_E_ARGUMENT);
    assert_int_equal(stats_interval_t(1, 1, 0, 0.9, &ci), BASE_E_ARGUMENT);
}

static void wilson_by_hand(void **state)
{
    (void)state;
    struct stats_interval ci;
    assert_int_equal(stats_interval_wilson(8, 10, 0.95, &ci), 0);
    NEAR(ci.low, 0.4901624715, 1e-9);
    NEAR(ci.high, 0.9433178485, 1e-9);
    assert_int_equal(stats_interval_wilson(0, 10, 0.95, &ci), 0);
    NEAR(ci.low, 0, 0);
    assert_int_equal(stats_interval_wilson(10, 10, 0.95, &ci), 0);
    NEAR(ci.high, 1, 0);
    assert_int_equal(stats_interval_wilson(11, 10, 0.95, &ci), BASE_E_ARGUMENT);
    assert_int_equal(stats_interval_wilson(0, 0, 0.95, &ci), BASE_E_ARGUMENT);
}

static void wilson_as_r(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/statsmodels/proportion_ci_golden.json");
    json_t *file = NULL;
    const json_t *k;
    size_t i, seen = 0;
    assert_int_equal(
        base_json_load(&file, test_shared_path("eval/statsmodels/proportion_ci_golden.json")), 0);
    json_array_foreach(json_object_get(file, "cases"), i, k)
    {
        if (strcmp(json_string_value(json_object_get(k, "method")), "wilson") != 0)
            continue;
        struct stats_interval ci;
        assert_int_equal(stats_interval_wilson(json_number_value(json_object_get(k, "count")),
                                               json_number_value(json_object_get(k, "nobs")),
                                               1 - json_number_value(json_object_get(k, "alpha")),
                                               &ci),
                         0);
        NEAR(ci.low, json_number_value(json_object_get(k, "low")), 1e-6);
        NEAR(ci.high, json_number_value(json_object_get(k, "upp")), 1e-6);
        seen++;
    }
    assert_true(seen >= 3);
    json_decref(file);
}

static const double boot[16] = { 10, 12, 12.5, 12.5, 13.9, 15,  21,  22,
                                 23, 34, 50,   81,   89,   121, 134, 213 };
static double mean_of(const void *context, const uint32_t *pick, size_t n)
{
    const double *x = context;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pick[i] * x[i];
    return sum / (double)n;
}

/* R's boot.ci with 1e6 resamples: percentile 28.86 .. 84.21 (scipy_bootstrap_golden.json). */
static void bootstrap_as_r(void **state)
{
    (void)state;
    enum { B = 40000 };
    static double distribution[B];
    struct stats_interval ci;
    assert_int_equal(stats_bootstrap(mean_of, boot, 16, B, 1, distribution), 0);
    assert_int_equal(stats_bootstrap_percentile(distribution, B, 0.95, &ci), 0);
    NEAR(ci.low, 28.86, 28.86 * 0.01);
    NEAR(ci.high, 84.21, 84.21 * 0.01);
    /* the standard error of the mean, as the theory of the plug-in distribution has it */
    double mean = stats_mean(boot, 16), se = sqrt(stats_variance(boot, 16) * 15 / 16 / 16);
    NEAR(stats_mean(distribution, B), mean, 5 * se / sqrt(B));
    NEAR(sqrt(stats_variance(distribution, B)), se, 0.02 * se);
}

static void bootstrap_same_on_any_threads(void **state)
{
    (void)state;
    static double one[501], three[501], other[501];
    base_threads_set(1);
    assert_int_equal(stats_bootstrap(mean_of, boot, 16, 501, 7, one), 0);
    base_threads_set(3);
    assert_int_equal(stats_bootstrap(mean_of, boot, 16, 501, 7, three), 0);
    assert_int_equal(stats_bootstrap(mean_of, boot, 16, 501, 8, other), 0);
    base_threads_set(0);
    assert_memory_equal(one, three, sizeof one);
    assert_memory_not_equal(one, other, sizeof one);
}

static void ratio_of_sums(void **state)
{
    (void)state;
    const double x[4] = { 10, 20, 30, 40 }, y[4] = { 12, 18, 33, 37 };
    struct stats_ratio r;
    assert_int_equal(stats_ratio(y, x, 4, &r), 0);
    NEAR(r.ratio, 1, 1e-15);
    NEAR(r.se, sqrt(4.0 / 3 * (4 + 4 + 9 + 9)) / 100, 1e-15);
    NEAR(r.df, 3, 0);
    /* equal clusters: the ratio is a mean, and so is its standard error */
    const double ones[10] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    const double d[10] = { 1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4 };
    assert_int_equal(stats_ratio(d, ones, 10, &r), 0);
    NEAR(r.se, sqrt(stats_variance(d, 10) / 10), 1e-15);
    struct stats_interval ci;
    assert_int_equal(stats_bootstrap_ratio(y, x, 4, 2000, 3, 0.95, &ci), 0);
    assert_true(ci.low < 1 && ci.high > 1 && ci.low > 0.85 && ci.high < 1.2);
    assert_int_equal(stats_bootstrap_ratio(y, x, 1, 2000, 3, 0.95, &ci), BASE_E_ARGUMENT);
    /* no spread: the point */
    assert_int_equal(stats_bootstrap_ratio(x, x, 4, 200, 3, 0.95, &ci), 0);
    NEAR(ci.low, 1, 0);
    NEAR(ci.high, 1, 0);
    const double zero[2] = { 0, 0 };
    assert_int_equal(stats_ratio(y, zero, 2, &r), BASE_E_ARGUMENT);
}

/* 95 % intervals of a ratio over clusters of unequal size cover the truth about 95 % of the time.
 */
static void ratio_intervals_cover(void **state)
{
    (void)state;
    enum { TRIALS = 400, N = 40 };
    int delta = 0, bootstrap = 0;
    uint64_t noise = 12345;
    for (int t = 0; t < TRIALS; t++) {
        double x[N], y[N];
        for (int i = 0; i < N; i++) {
            double u[3];
            for (int j = 0; j < 3; j++) {
                noise = noise * 6364136223846793005u + 1442695040888963407u;
                u[j] = (double)(noise >> 11) / 9007199254740992.0;
            }
            x[i] = 20 + 80 * u[0];
            y[i] = x[i] * (2 + u[1] + u[2]); /* truth: 3 per unit of x */
        }
        struct stats_ratio r;
        struct stats_interval ci;
        assert_int_equal(stats_ratio(y, x, N, &r), 0);
        assert_int_equal(stats_interval_t(r.ratio, r.se, r.df, 0.95, &ci), 0);
        delta += ci.low <= 3 && ci.high >= 3;
        assert_int_equal(stats_bootstrap_ratio(y, x, N, 400, (uint64_t)t, 0.95, &ci), 0);
        bootstrap += ci.low <= 3 && ci.high >= 3;
    }
    /* 0.95 * 400 = 380, sd 4.4 */
    assert_in_range(delta, 362, 396);
    assert_in_range(bootstrap, 355, 396);
}

static void allocation_failures_leak_nothing(void **state)
{
    (void)state;
    long live = base_alloc_live();
    struct stats_interval ci;
    for (long n = 1; n < 3; n++) {
        base_alloc_fail_after(n);
        assert_int_equal(stats_bootstrap_ratio(boot, boot, 16, 10, 0, 0.95, &ci), BASE_E_MEMORY);
        base_alloc_fail_after(0);
        assert_int_equal(base_alloc_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_do_not_drown),
        cmocka_unit_test(quantiles_are_type_7),
        cmocka_unit_test(mean_intervals),
        cmocka_unit_test(wilson_by_hand),
        cmocka_unit_test(wilson_as_r),
        cmocka_unit_test(bootstrap_as_r),
        cmocka_unit_test(bootstrap_same_on_any_threads),
        cmocka_unit_test(ratio_of_sums),
        cmocka_unit_test(ratio_intervals_cover),
        cmocka_unit_test(allocation_failures_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
