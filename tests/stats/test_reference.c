/* Everything against other programs: SciPy, statsmodels, 40-digit arithmetic, NIST's certified
 * values (tests/stats/data/stats.json, made by tests/oracle/stats.py), and R's values in
 * ../shared/data/eval. */
#include "stats/distribution.h"
#include "stats_support.h"

enum { MOST = 4096 };
static json_t *fixture;

static int load(void **state)
{
    (void)state;
    return base_json_load(&fixture, "tests/stats/data/stats.json");
}

static int unload(void **state)
{
    (void)state;
    json_decref(fixture);
    return 0;
}

static const json_t *part(const char *name)
{
    const json_t *v = json_object_get(fixture, name);
    assert_non_null(v);
    return v;
}

static void distributions(void **state)
{
    (void)state;
    const json_t *k;
    size_t i;
    json_array_foreach(part("distribution"), i, k)
    {
        const char *f = json_string_value(json_object_get(k, "f"));
        double a[3] = { 0 }, value = num(k, "value");
        numbers(json_object_get(k, "args"), a, 3);
        double got = strcmp(f, "binomial_cdf") == 0       ? stats_binomial_cdf(a[0], a[1], a[2])
                     : strcmp(f, "t_two_sided") == 0      ? stats_t_two_sided(a[0], a[1])
                     : strcmp(f, "t_quantile") == 0       ? stats_t_quantile(a[0], a[1])
                     : strcmp(f, "beta_quantile") == 0    ? stats_beta_quantile(a[0], a[1], a[2])
                     : strcmp(f, "t_noncentral_cdf") == 0 ? stats_t_noncentral_cdf(a[0], a[1], a[2])
                     : strcmp(f, "f_tail") == 0           ? stats_f_tail(a[0], a[1], a[2])
                     : strcmp(f, "chi2_tail") == 0        ? stats_chi2_tail(a[0], a[1])
                                                          : NAN;
        if (!(fabs(got - value) <= 1e-11 * fabs(value)))
            fail_msg("%s(%g, %g, %g) = %.17g, expected %.17g", f, a[0], a[1], a[2], got, value);
    }
    assert_true(i > 30);
    /* far tails keep their relative precision; there is no other reference than symmetry */
    CLOSE(stats_normal_tail(38), 2.885428360068784e-316, 1e-2);
    CLOSE(stats_binomial_pmf(5e8, 1e9, 0.5), 1 / sqrt(M_PI * 5e8), 1e-8);
    NEAR(stats_binomial_cdf(4999999, 9999999, 0.5), 0.5, 1e-12);
    assert_true(isnan(stats_beta_cdf(0.5, 0, 1)) && isnan(stats_t_quantile(2, 3)));
}

static void description(void **state)
{
    (void)state;
    static double x[MOST];
    const json_t *k = part("describe");
    size_t n = numbers(json_object_get(k, "x"), x, MOST);
    struct stats_description d;
    assert_int_equal(stats_describe(x, n, &d), 0);
    CLOSE(d.mean, num(k, "mean"), 1e-14);
    CLOSE(d.sd, num(k, "sd"), 1e-14);
    CLOSE(d.se, num(k, "se"), 1e-14);
    NEAR(d.min, num(k, "min"), 0);
    NEAR(d.max, num(k, "max"), 0);
    CLOSE(d.q1, num(k, "q1"), 1e-14);
    CLOSE(d.median, num(k, "median"), 1e-14);
    CLOSE(d.q3, num(k, "q3"), 1e-14);
    CLOSE(d.mad, num(k, "mad"), 1e-13);
    CLOSE(d.skewness, num(k, "skewness"), 1e-12);
    CLOSE(d.kurtosis, num(k, "kurtosis"), 1e-12);
}

static void proportions(void **state)
{
    (void)state;
    const json_t *k;
    size_t i;
    json_array_foreach(part("proportion"), i, k)
    {
        for (int m = 0; m < STATS_PROPORTIONS; m++) {
            if (m == STATS_JEFFREYS_HPD)
                continue;
            struct stats_interval ci;
            const char *name = stats_proportion_names[m];
            assert_int_equal(
                stats_interval_proportion(m, num(k, "x"), num(k, "n"), num(k, "level"), &ci), 0);
            CLOSE(ci.low, num_at(k, name, 0), 1e-10);
            CLOSE(ci.high, num_at(k, name, 1), 1e-10);
        }
    }
}

/* R's binom.confint, which cuts nothing at 0 and 1 where we do. The file's Jeffreys intervals are
 * the shortest ones for n = 30 and those of equal tails elsewhere. */
static void proportions_as_r(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/statsmodels/proportion_ci_golden.json");
    json_t *file = load_fixture(test_shared_path("eval/statsmodels/proportion_ci_golden.json"));
    const json_t *k;
    size_t i, seen = 0;
    json_array_foreach(json_object_get(file, "cases"), i, k)
    {
        const char *name = json_string_value(json_object_get(k, "method"));
        bool shortest = strncmp(name, "jeffreys_hpd", 12) == 0;
        int m = shortest ? (num(k, "nobs") == 30 ? STATS_JEFFREYS_HPD : STATS_JEFFREYS)
                         : position(stats_proportion_names, STATS_PROPORTIONS, name);
        struct stats_interval ci;
        assert_int_equal(
            stats_interval_proportion(m, num(k, "count"), num(k, "nobs"), 1 - num(k, "alpha"), &ci),
            0);
        NEAR(ci.low, fmax(0, num(k, "low")), 1e-6);
        NEAR(ci.high, fmin(1, num(k, "upp")), 1e-6);
        seen++;
    }
    assert_true(seen > 30);
    json_decref(file);
}

static void one_test(const char *name, const struct stats_test *t)
{
    const json_t *k = json_object_get(part("tests"), name);
    CLOSE(t->statistic, num(k, "t"), 1e-12);
    CLOSE(t->df, num(k, "df"), 1e-12);
    CLOSE(t->p, num(k, "p"), 1e-11);
    CLOSE(t->interval.low, num_at(k, "ci", 0), 1e-11);
    CLOSE(t->interval.high, num_at(k, "ci", 1), 1e-11);
}

static void tests_of_means(void **state)
{
    (void)state;
    static double x[MOST], y[MOST], z[MOST], d[MOST];
    const json_t *k = part("tests");
    size_t n = numbers(json_object_get(k, "x"), x, MOST), m;
    numbers(json_object_get(k, "y"), y, MOST);
    m = numbers(json_object_get(k, "z"), z, MOST);
    struct stats_test t;
    assert_int_equal(stats_t_one(x, n, num(k, "mu"), STATS_TWO_SIDED, 0.95, &t), 0);
    one_test("one", &t);
    assert_int_equal(stats_t_welch(x, n, z, m, STATS_TWO_SIDED, 0.95, &t), 0);
    one_test("welch", &t);
    assert_int_equal(stats_t_student(x, n, z, m, STATS_TWO_SIDED, 0.95, &t), 0);
    one_test("student", &t);
    for (size_t i = 0; i < n; i++)
        d[i] = x[i] - y[i];
    assert_int_equal(stats_t_one(d, n, 0, STATS_TWO_SIDED, 0.95, &t), 0);
    one_test("paired", &t);
    struct stats_paired p;
    assert_int_equal(stats_paired(x, y, n, NULL, 0, 0.95, &p), 0);
    CLOSE(p.p, t.p, 1e-12);
    CLOSE(p.interval.low, t.interval.low, 1e-12);
    size_t pairs = numbers(json_object_get(k, "d"), d, MOST);
    for (int a = 0; a < 3; a++) {
        struct stats_permutation perm;
        const char *side = stats_alternative_names[a];
        assert_int_equal(stats_t_one(x, n, num(k, "mu"), a, 0.95, &t), 0);
        CLOSE(t.p, num(json_object_get(k, "one_p"), side), 1e-11);
        assert_int_equal(stats_t_welch(x, n, z, m, a, 0.95, &t), 0);
        CLOSE(t.p, num(json_object_get(k, "welch_p"), side), 1e-11);
        assert_int_equal(stats_permutation_paired(d, pairs, a, 0, 0, &perm), 0);
        assert_true(perm.exact && perm.patterns == 4096);
        CLOSE(perm.p, num(json_object_get(k, "permutation"), side), 1e-12);
    }
}

static void correlations(void **state)
{
    (void)state;
    static double x[MOST], y[MOST];
    const json_t *k;
    size_t i;
    json_array_foreach(part("correlation"), i, k)
    {
        size_t n = numbers(json_object_get(k, "x"), x, MOST);
        numbers(json_object_get(k, "y"), y, MOST);
        struct stats_correlation c;
        for (int kind = 0; kind < STATS_CORRELATIONS; kind++) {
            const char *name = stats_correlation_names[kind];
            assert_int_equal(stats_correlate(kind, x, y, n, 0.95, &c), 0);
            CLOSE(c.r, num_at(k, name, 0), 1e-12);
            CLOSE(c.p, num_at(k, name, 1), 1e-10);
            assert_true(c.interval.low <= c.r && c.r <= c.interval.high);
            if (kind == STATS_PEARSON) {
                CLOSE(c.interval.low, num_at(k, "pearson_ci", 0), 1e-11);
                CLOSE(c.interval.high, num_at(k, "pearson_ci", 1), 1e-11);
            }
        }
    }
}

static size_t columns(const json_t *k, double x[8][64], const double *at[8])
{
    const json_t *list = json_object_get(k, "x");
    size_t p = json_array_size(list);
    for (size_t j = 0; j < p; j++) {
        numbers(json_array_get(list, j), x[j], 64);
        at[j] = x[j];
    }
    return p;
}

static void regression(void **state)
{
    (void)state;
    static double x[8][64], y[64];
    const double *at[8];
    const json_t *k = part("regression");
    size_t n = numbers(json_object_get(k, "y"), y, 64), p = columns(k, x, at);
    struct stats_regression r;
    assert_int_equal(stats_regress(y, at, NULL, n, p, 0.95, &r), 0);
    for (size_t j = 0; j <= p; j++) {
        const json_t *ci = json_array_get(json_object_get(k, "ci"), j);
        CLOSE(r.coefficient[j].value, num_at(k, "coef", j), 1e-11);
        CLOSE(r.coefficient[j].se, num_at(k, "se", j), 1e-11);
        CLOSE(r.coefficient[j].t, num_at(k, "t", j), 1e-11);
        CLOSE(r.coefficient[j].p, num_at(k, "p", j), 1e-9);
        CLOSE(r.coefficient[j].interval.low, json_number_value(json_array_get(ci, 0)), 1e-10);
        CLOSE(r.coefficient[j].interval.high, json_number_value(json_array_get(ci, 1)), 1e-10);
    }
    CLOSE(r.r2, num(k, "r2"), 1e-12);
    CLOSE(r.r2_adjusted, num(k, "r2_adjusted"), 1e-12);
    CLOSE(r.f, num(k, "f"), 1e-10);
    CLOSE(r.f_p, num(k, "f_p"), 1e-8);
    CLOSE(r.sigma, num(k, "sigma"), 1e-12);
    stats_regression_free(&r);
}

/* The ill-conditioned data set of NIST's reference set: normal equations lose 8 of its 14 digits.
 */
static void regression_longley(void **state)
{
    (void)state;
    static double x[8][64], y[64];
    const double *at[8];
    const json_t *k = part("longley");
    size_t n = numbers(json_object_get(k, "y"), y, 64), p = columns(k, x, at);
    struct stats_regression r;
    assert_int_equal(stats_regress(y, at, NULL, n, p, 0.95, &r), 0);
    for (size_t j = 0; j <= p; j++) {
        CLOSE(r.coefficient[j].value, num_at(k, "coef", j), 1e-11);
        CLOSE(r.coefficient[j].se, num_at(k, "se", j), 1e-11);
    }
    stats_regression_free(&r);
}

static void mcnemar(void **state)
{
    (void)state;
    const json_t *k;
    size_t i;
    json_array_foreach(part("mcnemar"), i, k)
    {
        struct stats_mcnemar m;
        assert_int_equal(stats_mcnemar(num(k, "b"), num(k, "c"), 0.95, &m), 0);
        CLOSE(m.exact, num(k, "exact"), 1e-9);
        CLOSE(m.midp, num(k, "midp"), 1e-9);
        CLOSE(m.chi2, num(k, "chi2"), 1e-12);
        CLOSE(m.chi2_corrected, num(k, "chi2_corrected"), 1e-12);
    }
    static double x[MOST];
    k = part("cochran");
    const json_t *row;
    size_t n = json_array_size(json_object_get(k, "x"));
    json_array_foreach(json_object_get(k, "x"), i, row)
    {
        numbers(row, x + 4 * i, 4);
    }
    struct stats_cochran q;
    assert_int_equal(stats_cochran_q(x, n, 4, &q), 0);
    CLOSE(q.q, num(k, "q"), 1e-12);
    CLOSE(q.p, num(k, "p"), 1e-12);
}

static void mcnemar_goldens(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/statsmodels/mcnemar_golden.json");
    json_t *file = load_fixture(test_shared_path("eval/statsmodels/mcnemar_golden.json"));
    static const char *const lists[] = { "exact", "chi2_corrected", "chi2_uncorrected" };
    for (int l = 0; l < 3; l++) {
        const json_t *k;
        size_t i;
        json_array_foreach(json_object_get(file, lists[l]), i, k)
        {
            const json_t *table = json_object_get(k, "table");
            double b = json_number_value(json_array_get(json_array_get(table, 0), 1));
            double c = json_number_value(json_array_get(json_array_get(table, 1), 0));
            struct stats_mcnemar m;
            assert_int_equal(stats_mcnemar(b, c, 0.95, &m), 0);
            double p = l == 0 ? m.exact : l == 1 ? m.chi2_corrected : m.chi2;
            NEAR(p, num(k, "p"), l == 0 ? 1e-6 : 1e-6 * num(k, "p"));
            if (l && json_object_get(k, "statistic"))
                CLOSE(l == 1 ? m.chi2_corrected_statistic : m.chi2_statistic, num(k, "statistic"),
                      1e-6);
        }
        assert_true(i >= 4);
    }
    const json_t *k = json_object_get(file, "cochran_q"), *row;
    double x[64];
    size_t i;
    json_array_foreach(json_object_get(k, "x"), i, row)
    {
        numbers(row, x + 3 * i, 3);
    }
    struct stats_cochran q;
    assert_int_equal(stats_cochran_q(x, i, 3, &q), 0);
    NEAR(q.q, num(k, "q"), 1e-12);
    NEAR(q.p, num(k, "p"), 1e-6);
    json_decref(file);
    file = load_fixture(test_shared_path("eval/mcnemar_midp_golden.json"));
    json_array_foreach(json_object_get(file, "cases"), i, k)
    {
        struct stats_mcnemar m;
        assert_int_equal(stats_mcnemar(num(k, "b"), num(k, "c"), 0.95, &m), 0);
        NEAR(m.exact, num(k, "exact_p"), 1e-15);
        NEAR(m.midp, num(k, "midp"), 1e-15);
        NEAR(m.chi2, num(k, "asymptotic_p_3dp"), 5e-4);
    }
    json_decref(file);
}

struct sample_case {
    double d;
    bool two;
};
static double power_at(double n, const void *context)
{
    const struct sample_case *c = context;
    double power = 0;
    if (c->two)
        stats_power_t_two(c->d, n, n, 0.05, STATS_TWO_SIDED, &power);
    else
        stats_power_t_one(c->d, n, 0.05, STATS_TWO_SIDED, &power);
    return power;
}

static void power(void **state)
{
    (void)state;
    const json_t *k;
    size_t i;
    double got;
    json_array_foreach(part("power"), i, k)
    {
        double d = num(k, "d"), n = num(k, "n"), alpha = num(k, "alpha");
        int a = position(stats_alternative_names, 3,
                         json_string_value(json_object_get(k, "alternative")));
        assert_int_equal(stats_power_t_one(d, n, alpha, a, &got), 0);
        NEAR(got, num(k, "one"), 1e-10);
        assert_int_equal(stats_power_t_two(d, n, 1.5 * n, alpha, a, &got), 0);
        NEAR(got, num(k, "two"), 1e-10);
        assert_int_equal(stats_power_z(d * sqrt(n * 1.5 / 2.5), alpha, a, &got), 0);
        NEAR(got, num(k, "z"), 1e-12);
    }
    json_array_foreach(part("power_n"), i, k)
    {
        struct sample_case c = { num(k, "d"), false };
        CLOSE(stats_solve(power_at, &c, num(k, "power"), 1.5, 1e6), num(k, "one"), 1e-8);
        c.two = true;
        CLOSE(stats_solve(power_at, &c, num(k, "power"), 1.5, 1e6), num(k, "two"), 1e-8);
    }
    json_array_foreach(part("power_mcnemar"), i, k)
    {
        struct stats_power_mcnemar m;
        assert_int_equal(stats_power_mcnemar(num(k, "p10"), num(k, "p01"), num(k, "n"), 0.05, &m),
                         0);
        NEAR(m.exact, num(k, "exact"), 1e-12);
        NEAR(m.midp, num(k, "midp"), 1e-12);
        assert_true(fabs(m.normal - m.midp) < 0.05);
    }
}

static void power_as_r(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/statsmodels/power_golden.json");
    json_t *file = load_fixture(test_shared_path("eval/statsmodels/power_golden.json"));
    const json_t *k;
    size_t i;
    double got = NAN, h;
    json_array_foreach(json_object_get(file, "cases"), i, k)
    {
        const char *test = json_string_value(json_object_get(k, "test"));
        bool grouped = json_object_get(k, "n_per_group") != NULL;
        double d = num(k, json_object_get(k, "h") ? "h" : "d"), alpha = num(k, "alpha");
        double n1 = grouped ? num(k, "n_per_group") : num(k, json_object_get(k, "n") ? "n" : "n1");
        double n2 = json_object_get(k, "n2") ? num(k, "n2") : n1;
        int a = position(stats_alternative_names, 3, json_string_value(json_object_get(k, "alt")));
        if (strcmp(test, "two-sample t") == 0)
            assert_int_equal(stats_power_t_two(d, n1, n2, alpha, a, &got), 0);
        else if (strcmp(test, "normal two-sample") == 0)
            assert_int_equal(stats_power_z(d * sqrt(n1 * n2 / (n1 + n2)), alpha, a, &got), 0);
        else
            assert_int_equal(stats_power_t_one(d, n1, alpha, a, &got), 0);
        NEAR(got, num(k, "power"), 1e-7);
    }
    assert_true(i >= 13);
    assert_int_equal(stats_effect_proportions(0.5, 0.4, &h), 0);
    NEAR(h, num(file, "proportion_effectsize(0.5,0.4)"), 1e-15);
    json_decref(file);
}

static void multiplicity(void **state)
{
    (void)state;
    double p[64], expected[64], got[64];
    const json_t *k = part("adjust");
    size_t n = numbers(json_object_get(k, "p"), p, 64);
    for (int m = STATS_BONFERRONI; m < STATS_ADJUST_METHODS; m++) {
        numbers(json_object_get(k, stats_adjust_names[m]), expected, 64);
        assert_int_equal(stats_adjust(m, p, n, got), 0);
        for (size_t i = 0; i < n; i++)
            CLOSE(got[i], expected[i], 1e-13);
    }
}

static void multiplicity_as_r(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/statsmodels/multipletests_golden.json");
    static const struct {
        const char *theirs;
        enum stats_adjust_method ours;
    } columns[] = { { "Bonferroni", STATS_BONFERRONI },
                    { "Holm", STATS_HOLM },
                    { "Hochberg", STATS_HOCHBERG },
                    { "SidakSS", STATS_SIDAK },
                    { "SidakSD", STATS_HOLM_SIDAK },
                    { "BH", STATS_BH },
                    { "BY", STATS_BY } };
    json_t *file = load_fixture(test_shared_path("eval/statsmodels/multipletests_golden.json"));
    const json_t *k;
    size_t i;
    double p[64], expected[64], got[64];
    json_array_foreach(json_object_get(file, "tables"), i, k)
    {
        size_t n = numbers(json_object_get(k, "rawp"), p, 64);
        for (size_t c = 0; c < 7; c++) {
            numbers(json_object_get(k, columns[c].theirs), expected, 64);
            assert_int_equal(stats_adjust(columns[c].ours, p, n, got), 0);
            for (size_t j = 0; j < n; j++) /* R's Sidak takes 1 - (1-p)^n, good to 15 decimals */
                NEAR(got[j], expected[j], 2e-15);
        }
    }
    assert_true(i >= 3);
    json_decref(file);
}

static void repeated_answers(void **state)
{
    (void)state;
    const json_t *k;
    size_t i;
    double got;
    json_array_foreach(part("maj"), i, k)
    {
        double count[16];
        size_t whole[16], n = numbers(json_object_get(k, "counts"), count, 16);
        for (size_t j = 0; j < n; j++)
            whole[j] = (size_t)count[j];
        assert_int_equal(
            stats_maj_at_k(whole, n, (size_t)num(k, "correct"), (size_t)num(k, "k"), &got), 0);
        CLOSE(got, num(k, "value"), 1e-12);
    }
    json_array_foreach(part("pass"), i, k)
    {
        assert_int_equal(stats_pass_at_k(num(k, "n"), num(k, "c"), num(k, "k"), &got), 0);
        NEAR(got, num(k, "any"), 1e-13);
        assert_int_equal(stats_pass_hat_k(num(k, "n"), num(k, "c"), num(k, "k"), &got), 0);
        NEAR(got, num(k, "all"), 1e-13);
    }
}

static void groups_of_tasks(void **state)
{
    (void)state;
    const json_t *k = part("group"), *row;
    struct stats_group_item items[8];
    size_t i;
    json_array_foreach(json_object_get(k, "tasks"), i, row)
    {
        double v[3];
        numbers(row, v, 3);
        items[i] = (struct stats_group_item){ v[0], v[1], v[2] };
    }
    double mean, se;
    assert_int_equal(stats_group_micro(items, i, &mean, &se), 0);
    CLOSE(mean, num_at(k, "micro", 0), 1e-13);
    CLOSE(se, num_at(k, "micro", 1), 1e-13);
    assert_int_equal(stats_group_macro(items, i, &mean, &se), 0);
    CLOSE(mean, num_at(k, "macro", 0), 1e-13);
    CLOSE(se, num_at(k, "macro", 1), 1e-13);
    static double x[MOST], c[MOST];
    uint32_t cluster[64];
    k = part("clustered");
    size_t n = numbers(json_object_get(k, "x"), x, 64);
    numbers(json_object_get(k, "cluster"), c, 64);
    for (i = 0; i < n; i++)
        cluster[i] = (uint32_t)c[i];
    struct stats_clustered m;
    assert_int_equal(stats_mean_clustered(x, cluster, n, 10, &m), 0);
    CLOSE(m.mean, num(k, "mean"), 1e-13);
    CLOSE(m.se, num(k, "se"), 1e-12);
    NEAR(m.df, 9, 0);
}

static void groups_as_lm_eval(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/lm_eval/aggregation_golden.json");
    json_t *file = load_fixture(test_shared_path("eval/lm_eval/aggregation_golden.json"));
    const json_t *k;
    size_t i;
    double mean, se;
    json_array_foreach(json_object_get(file, "group_mean"), i, k)
    {
        struct stats_group_item items[8];
        size_t n = json_array_size(json_object_get(k, "metrics"));
        for (size_t j = 0; j < n; j++)
            items[j] =
                (struct stats_group_item){ num_at(k, "metrics", j), 0, num_at(k, "sizes", j) };
        bool micro = json_is_true(json_object_get(k, "weight_by_size"));
        assert_int_equal((micro ? stats_group_micro : stats_group_macro)(items, n, &mean, &se), 0);
        NEAR(mean, num(k, "expected"), 1e-12);
    }
    json_decref(file);
    file = load_fixture(test_shared_path("eval/lm_eval/acc_stderr_identity.json"));
    json_array_foreach(json_object_get(file, "rows"), i, k)
    {
        double n = num(k, "n");
        NEAR(stats_proportion_se(round(num(k, "acc") * n), n), num(k, "acc_stderr"), 1e-12);
    }
    assert_true(i > 10);
    json_decref(file);
}

/* SciPy's 200,000 resamples and our 100,000: an end's own noise is below half a percent here. */
static void bootstrap_as_scipy(void **state)
{
    (void)state;
    static double x[MOST];
    const json_t *k;
    size_t i;
    json_array_foreach(part("bootstrap"), i, k)
    {
        int s = position(stats_summary_names, STATS_SUMMARIES,
                         json_string_value(json_object_get(k, "stat")));
        size_t n = numbers(json_object_get(k, "x"), x, MOST);
        struct stats_bootstrap_options o = STATS_BOOTSTRAP_OPTIONS_DEFAULT;
        struct stats_bootstrap_result r;
        o.resamples = 100000;
        assert_int_equal(stats_bootstrap_summary(s, 0, x, n, NULL, 0, &o, &r), 0);
        CLOSE(r.percentile.low, num_at(k, "percentile", 0), 5e-3);
        CLOSE(r.percentile.high, num_at(k, "percentile", 1), 5e-3);
        CLOSE(r.basic.low, num_at(k, "basic", 0), 8e-3);
        CLOSE(r.basic.high, num_at(k, "basic", 1), 8e-3);
        CLOSE(r.bca.low, num_at(k, "bca", 0), 8e-3);
        CLOSE(r.bca.high, num_at(k, "bca", 1), 8e-3);
    }
}

static void bootstrap_golden(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/scipy_bootstrap_golden.json");
    static double x[MOST];
    json_t *k = load_fixture(test_shared_path("eval/scipy_bootstrap_golden.json"));
    size_t n = numbers(json_object_get(k, "x"), x, MOST);
    struct stats_bootstrap_options o = STATS_BOOTSTRAP_OPTIONS_DEFAULT;
    struct stats_bootstrap_result r;
    o.resamples = 400000;
    for (uint64_t seed = 0; seed < 3; seed++) {
        o.seed = seed;
        assert_int_equal(stats_bootstrap_summary(STATS_MEAN, 0, x, n, NULL, 0, &o, &r), 0);
        CLOSE(r.percentile.low, num_at(k, "percentile", 0), 0.005);
        CLOSE(r.percentile.high, num_at(k, "percentile", 1), 0.005);
        CLOSE(r.basic.low, num_at(k, "basic", 0), 0.005);
        CLOSE(r.basic.high, num_at(k, "basic", 1), 0.005);
        CLOSE(r.bca.low, num_at(k, "BCa", 0), 0.005);
        CLOSE(r.bca.high, num_at(k, "BCa", 1), 0.005);
    }
    json_decref(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions),
        cmocka_unit_test(description),
        cmocka_unit_test(proportions),
        cmocka_unit_test(proportions_as_r),
        cmocka_unit_test(tests_of_means),
        cmocka_unit_test(correlations),
        cmocka_unit_test(regression),
        cmocka_unit_test(regression_longley),
        cmocka_unit_test(mcnemar),
        cmocka_unit_test(mcnemar_goldens),
        cmocka_unit_test(power),
        cmocka_unit_test(power_as_r),
        cmocka_unit_test(multiplicity),
        cmocka_unit_test(multiplicity_as_r),
        cmocka_unit_test(repeated_answers),
        cmocka_unit_test(groups_of_tasks),
        cmocka_unit_test(groups_as_lm_eval),
        cmocka_unit_test(bootstrap_as_scipy),
        cmocka_unit_test(bootstrap_golden),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
