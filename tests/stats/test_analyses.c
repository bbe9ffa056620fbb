/* Rank sums, analysis of variance, tables of counts, Fisher's test, logistic regression: R's values
 * (tests/stats/data/analyses.json, made by tests/oracle/analyses.R), and what has no answer. */
#include "stats/distribution.h"
#include "stats_support.h"

enum { MOST = 64 };
static json_t *fixture;

static int load(void **state)
{
    (void)state;
    return base_json_load(&fixture, "tests/stats/data/analyses.json");
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
    if (!v)
        fail_msg("the fixture has no %s", name);
    return v;
}

static size_t list(const json_t *o, const char *key, double *x)
{
    return numbers(json_object_get(o, key), x, MOST);
}

/* scipy.stats.ncx2.sf and ncf.sf agree with R's to all digits here. */
static void noncentral_tails(void **state)
{
    (void)state;
    const json_t *k = part("noncentral");
    CLOSE(stats_chi2_noncentral_tail(12.5, 4, 7.5), num(k, "chi2"), 1e-10);
    CLOSE(stats_f_noncentral_tail(3.2, 3, 40, 11), num(k, "f"), 1e-9);
    CLOSE(stats_chi2_noncentral_tail(5, 3, 0), stats_chi2_tail(5, 3), 1e-14);
    assert_true(isnan(stats_chi2_noncentral_tail(5, 3, -1)));
    /* scipy.stats.ncx2.sf and ncf.sf (SciPy 1.17.1), where lambda is large */
    NEAR(stats_chi2_noncentral_tail(998000, 5, 0.999999e6), 0.8418285664109566, 1e-6);
    NEAR(stats_chi2_noncentral_tail(1e6, 5, 0.999999e6), 0.5005984134787946, 1e-6);
    NEAR(stats_chi2_noncentral_tail(1.002e6, 5, 0.999999e6), 0.15913931624516764, 1e-6);
    NEAR(stats_f_noncentral_tail(333000, 3, 1e5, 0.999999e6), 0.5815095010205891, 1e-6);
    for (double x = 0.99e5; x < 1.01e5; x += 100) /* no step where the one form ends */
        NEAR(stats_chi2_noncentral_tail(x, 5, 99999.99),
             stats_chi2_noncentral_tail(x, 5, 100000.01), 2e-5);
    struct stats_interval i;
    stats_noncentrality(0.5, 4, 0, 0.95, &i); /* less than expected by chance */
    NEAR(i.low, 0, 0);
    stats_noncentrality(40000, 3, 1e6, 0.95, &i);
    NEAR(stats_f_noncentral_tail(40000, 3, 1e6, i.low), 0.025, 1e-8);
    NEAR(stats_f_noncentral_tail(40000, 3, 1e6, i.high), 0.975, 1e-8);
}

/* scipy.optimize.brentq on scipy.stats.nct.sf, SciPy 1.17.1. */
static void effects_have_intervals(void **state)
{
    (void)state;
    static const struct {
        double d, scale, df, low, high;
    } cases[] = {
        { 0.488, 3.4641016151377544, 48, -0.08857361933280719, 1.0596437799934375 },
        { -0.3, 3.4641016151377544, 11, -0.8727691761011775, 0.2856166605298691 },
        { 0, 2.23606797749979, 4, -0.8765225405765814, 0.8765225405765811 },
        { 2.5, 3, 7.5, 1.085031859884121, 3.8850890646315324 },
    };
    struct stats_interval i;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        assert_int_equal(stats_interval_effect(cases[k].d, cases[k].scale, cases[k].df, 0.95, &i),
                         0);
        NEAR(i.low, cases[k].low, 1e-9);
        NEAR(i.high, cases[k].high, 1e-9);
    }
    /* where the normal form takes over both say the same to a hundredth of the width */
    struct stats_interval other;
    assert_int_equal(stats_interval_effect(0.2999, 100, 39998, 0.95, &i), 0);
    assert_int_equal(stats_interval_effect(0.3001, 100, 39998, 0.95, &other), 0);
    NEAR(i.low, other.low - 0.0002, 4e-4);
    NEAR(i.high, other.high - 0.0002, 4e-4);
    assert_int_equal(stats_interval_effect(NAN, 3, 4, 0.95, &i), 0);
    assert_true(isnan(i.low));
    assert_int_equal(stats_interval_effect(1, 3, 4, 1.5, &i), BASE_E_ARGUMENT);
}

static void rank_sums(void **state)
{
    (void)state;
    static const char *const names[] = { "ranksum_exact", "ranksum_ties" };
    for (int c = 0; c < 2; c++) {
        const json_t *k = part(names[c]);
        double x[MOST], y[MOST];
        size_t n = list(k, "x", x), m = list(k, "y", y);
        for (int a = 0; a < 3; a++) {
            struct stats_ranksum r;
            assert_int_equal(stats_ranksum(x, n, y, m, (enum stats_alternative)a, 0.95, &r), 0);
            CLOSE(r.p, num_at(k, "p", (size_t)a), 1e-12);
            NEAR(r.u, num(k, "u"), 0);
            CLOSE(r.interval.low, num_at(k, "auc", 0), 1e-12);
            CLOSE(r.interval.high, num_at(k, "auc", 1), 1e-12);
            CLOSE(r.superiority, r.u / (double)(n * m), 1e-14);
            assert_int_equal(r.exact, c == 0);
        }
    }
    struct stats_ranksum r;
    const double one[] = { 3 }, same[] = { 2, 2, 2 }, bad[] = { 1, NAN };
    assert_int_equal(stats_ranksum(one, 1, same, 3, STATS_TWO_SIDED, 0.95, &r), 0);
    NEAR(r.superiority, 1, 0);
    assert_true(isnan(r.interval.low));
    assert_int_equal(stats_ranksum(same, 3, same, 3, STATS_TWO_SIDED, 0.95, &r), 0);
    NEAR(r.p, 1, 0);
    NEAR(r.superiority, 0.5, 0);
    assert_int_equal(stats_ranksum(one, 1, one, 1, STATS_TWO_SIDED, 0.95, &r), 0);
    assert_int_equal(stats_ranksum(one, 1, one, 0, STATS_TWO_SIDED, 0.95, &r), BASE_E_ARGUMENT);
    assert_int_equal(stats_ranksum(bad, 2, one, 1, STATS_TWO_SIDED, 0.95, &r), BASE_E_NUMERIC);
    /* 49 and 49, the largest exact one: symmetric, and 2 P(U <= 0) = 2 / C(98, 49) */
    double low[49], high[49];
    for (int i = 0; i < 49; i++) {
        low[i] = i;
        high[i] = i + 100;
    }
    assert_int_equal(stats_ranksum(low, 49, high, 49, STATS_TWO_SIDED, 0.95, &r), 0);
    assert_true(r.exact);
    CLOSE(r.p, 2 / exp(lgamma(99) - 2 * lgamma(50)), 1e-10);
}

static void variance_is_analysed(void **state)
{
    (void)state;
    const json_t *k = part("anova");
    double x[MOST], g[MOST];
    uint32_t group[MOST];
    size_t n = list(k, "value", x);
    list(k, "group", g);
    for (size_t i = 0; i < n; i++)
        group[i] = (uint32_t)g[i];
    struct stats_anova a;
    assert_int_equal(stats_anova(x, group, n, 3, 0.95, &a), 0);
    CLOSE(a.between, num_at(k, "ss", 0), 1e-12);
    CLOSE(a.within, num_at(k, "ss", 1), 1e-12);
    NEAR(a.df1, num_at(k, "df", 0), 0);
    NEAR(a.df2, num_at(k, "df", 1), 0);
    CLOSE(a.f, num(k, "f"), 1e-12);
    CLOSE(a.p, num(k, "p"), 1e-11);
    CLOSE(a.eta2, num(k, "eta2"), 1e-12);
    CLOSE(a.omega2, num(k, "omega2"), 1e-11);
    NEAR(a.eta2_interval.low, num_at(k, "eta2_interval", 0), 1e-8);
    CLOSE(a.eta2_interval.high, num_at(k, "eta2_interval", 1), 1e-7);
    CLOSE(a.welch_f, num(k, "welch_f"), 1e-11);
    CLOSE(a.welch_df2, num(k, "welch_df2"), 1e-11);
    CLOSE(a.welch_p, num(k, "welch_p"), 1e-10);
    CLOSE(a.levene_f, num(k, "levene_f"), 1e-10);
    CLOSE(a.levene_p, num(k, "levene_p"), 1e-10);

    static const double flat[] = { 1, 1, 2, 2 }, same[] = { 3, 3, 3, 3 };
    static const uint32_t pairs[] = { 0, 0, 1, 1 }, lonely[] = { 0, 0, 0, 1 };
    assert_int_equal(stats_anova(flat, pairs, 4, 2, 0.95, &a), 0);
    assert_true(isinf(a.f));
    NEAR(a.p, 0, 0);
    NEAR(a.eta2, 1, 0);
    assert_true(isnan(a.welch_p) && isnan(a.levene_p));
    assert_int_equal(stats_anova(same, pairs, 4, 2, 0.95, &a), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(),
                        "all 4 values are the same: there is no variance to analyse");
    assert_int_equal(stats_anova(flat, lonely, 4, 2, 0.95, &a), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(), "group 2 has 1 value: a group needs at least 2");
    assert_int_equal(stats_anova(flat, pairs, 4, 1, 0.95, &a), BASE_E_ARGUMENT);
}

static void counts_are_tested(void **state)
{
    (void)state;
    static const char *const names[] = { "table_3x4", "table_2x2", "table_2x2_near" };
    for (int c = 0; c < 3; c++) {
        const json_t *k = part(names[c]);
        double count[MOST], wanted[MOST], expected[MOST];
        size_t cells = list(k, "count", count);
        list(k, "expected", wanted);
        struct stats_contingency t;
        assert_int_equal(stats_contingency(count, (size_t)num(k, "rows"), (size_t)num(k, "columns"),
                                           0.95, expected, &t),
                         0);
        for (size_t i = 0; i < cells; i++)
            CLOSE(expected[i], wanted[i], 1e-13);
        CLOSE(t.chi2, num(k, "chi2"), 1e-12);
        NEAR(t.df, num(k, "df"), 0);
        CLOSE(t.p, num(k, "p"), 1e-11);
        CLOSE(t.g, num(k, "g"), 1e-10);
        CLOSE(t.g_p, num(k, "g_p"), 1e-10);
        CLOSE(t.v, num(k, "v"), 1e-12);
        NEAR(t.v_interval.low, num_at(k, "v_interval", 0), 1e-7);
        CLOSE(t.v_interval.high, num_at(k, "v_interval", 1), 1e-7);
        if (c == 0) {
            assert_true(isnan(t.p_corrected));
        } else {
            CLOSE(t.chi2_corrected, num(k, "chi2_corrected"), 1e-11);
            CLOSE(t.p_corrected, num(k, "p_corrected"), 1e-11);
        }
    }
    struct stats_contingency t;
    static const double hole[] = { 1, 0, 2, 0 }, half[] = { 1, 2.5, 2, 3 }, few[] = { 1, 2, 3, 4 };
    assert_int_equal(stats_contingency(hole, 2, 2, 0.95, NULL, &t), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(), "column 2 of the table is empty");
    assert_int_equal(stats_contingency(half, 2, 2, 0.95, NULL, &t), BASE_E_ARGUMENT);
    assert_int_equal(stats_contingency(few, 1, 4, 0.95, NULL, &t), BASE_E_ARGUMENT);
    assert_int_equal(stats_contingency(few, 2, 2, 0.95, NULL, &t), 0);
    assert_int_equal(t.expected_below_5, 4);
    NEAR(t.expected_least, 1.2, 1e-15);

    const json_t *k = part("goodness");
    double count[MOST], share[MOST], wanted[MOST], expected[MOST];
    size_t n = list(k, "count", count);
    list(k, "share", share);
    list(k, "expected", wanted);
    struct stats_goodness g;
    assert_int_equal(stats_goodness(count, share, n, 0.95, expected, &g), 0);
    for (size_t i = 0; i < n; i++)
        CLOSE(expected[i], wanted[i], 1e-13);
    CLOSE(g.chi2, num(k, "chi2"), 1e-12);
    CLOSE(g.p, num(k, "p"), 1e-11);
    CLOSE(g.w, num(k, "w"), 1e-12);
    CLOSE(g.w_interval.low, num_at(k, "w_interval", 0), 1e-7);
    CLOSE(g.w_interval.high, num_at(k, "w_interval", 1), 1e-7);
    share[0] = 0.5;
    assert_int_equal(stats_goodness(count, share, n, 0.95, NULL, &g), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(), "the shares add up to 1.1, not 1");
    assert_int_equal(stats_goodness(count, NULL, 1, 0.95, NULL, &g), BASE_E_ARGUMENT);
}

static void small_tables_are_exact(void **state)
{
    (void)state;
    static const char *const names[] = { "fisher_tea", "fisher_twins", "fisher_zero",
                                         "fisher_large" };
    /* scipy.stats.contingency.odds_ratio(kind='conditional') 1.17.1: estimate and interval */
    static const double odds[4][3] = {
        { 6.408319658199662, 0.21173559544657966, 626.2435305888141 },
        { 0.04693663904968004, 0.003317163950657366, 0.36318960235667996 },
        { 0, 0, 1.4390818870597686 },
        { 1.2156587536451429, 1.0995787450054084, 1.344266508766032 },
    };
    for (int c = 0; c < 4; c++) {
        const json_t *k = part(names[c]);
        double n[4];
        list(k, "count", n);
        for (int a = 0; a < 3; a++) {
            struct stats_fisher f;
            assert_int_equal(
                stats_fisher(n[0], n[1], n[2], n[3], (enum stats_alternative)a, 0.95, &f), 0);
            CLOSE(f.p, num_at(k, "p", (size_t)a), 1e-8); /* R's sums differ by 1e-9 */
            CLOSE(f.odds_ratio, odds[c][0], 1e-9);
            CLOSE(f.interval.low, odds[c][1], 1e-8);
            CLOSE(f.interval.high, odds[c][2], 1e-8);
            NEAR(f.odds_ratio, num(k, "odds"), 1e-4 * (1 + f.odds_ratio)); /* R solves to 1e-4 */
        }
    }
    struct stats_fisher f;
    assert_int_equal(stats_fisher(3, 0, 2, 0, STATS_TWO_SIDED, 0.95, &f), BASE_E_ARGUMENT);
    assert_int_equal(stats_fisher(1, 2, 3, -1, STATS_TWO_SIDED, 0.95, &f), BASE_E_ARGUMENT);
    assert_int_equal(stats_fisher(1e6, 2, 3, 1, STATS_TWO_SIDED, 0.95, &f), BASE_E_LIMIT);
    assert_int_equal(stats_fisher(5, 0, 0, 5, STATS_TWO_SIDED, 0.95, &f), 0);
    assert_true(isinf(f.odds_ratio) && isinf(f.interval.high));
    CLOSE(f.p, 2.0 / 252, 1e-12); /* C(10, 5) */
}

static void odds_are_fitted(void **state)
{
    (void)state;
    const json_t *k = part("logistic");
    double y[MOST], a[MOST], b[MOST];
    size_t n = list(k, "y", y);
    list(k, "a", a);
    list(k, "b", b);
    const double *x[] = { a, b };
    static const char *const names[] = { "a", "b" };
    struct stats_logistic r;
    assert_int_equal(stats_logistic(y, x, names, n, 2, 0.95, &r), 0);
    for (size_t j = 0; j < 3; j++) {
        CLOSE(r.coefficient[j].value, num_at(k, "value", j), 1e-9);
        CLOSE(r.coefficient[j].se, num_at(k, "se", j), 1e-9);
        CLOSE(r.coefficient[j].t, num_at(k, "z", j), 1e-9);
        CLOSE(r.coefficient[j].p, num_at(k, "p", j), 1e-8);
        CLOSE(r.coefficient[j].interval.high,
              r.coefficient[j].value + 1.959963984540054 * r.coefficient[j].se, 1e-12);
    }
    CLOSE(r.log_likelihood, num(k, "loglik"), 1e-12);
    CLOSE(r.null_log_likelihood, num(k, "null"), 1e-12);
    CLOSE(r.chi2, num(k, "chi2"), 1e-11);
    CLOSE(r.p, num(k, "chi2_p"), 1e-10);
    CLOSE(r.mcfadden, num(k, "mcfadden"), 1e-11);
    stats_logistic_free(&r);

    for (size_t i = 0; i < n; i++) /* perfect separation */
        y[i] = i >= 7;
    assert_int_equal(stats_logistic(y, x, names, n, 2, 0.95, &r), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "separate the two outcomes (a most of all)"));
    for (size_t i = 0; i < n; i++) { /* of one side only */
        b[i] = i < 5;
        y[i] = i < 5 ? 0 : i % 2;
    }
    assert_int_equal(stats_logistic(y, x, names, n, 2, 0.95, &r), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "separate the two outcomes (b most of all)"));
    for (size_t i = 0; i < n; i++)
        b[i] = 3 * a[i] - 1;
    assert_int_equal(stats_logistic(y, x, names, n, 2, 0.95, &r), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(),
                        "predictor b is determined by the others: leave it out");
    for (size_t i = 0; i < n; i++)
        b[i] = 4;
    assert_int_equal(stats_logistic(y, x, names, n, 2, 0.95, &r), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(),
                        "predictor b is constant: it cannot be told from the intercept");
    for (size_t i = 0; i < n; i++)
        y[i] = 1;
    assert_int_equal(stats_logistic(y, x, names, n, 1, 0.95, &r), BASE_E_ARGUMENT);
    y[0] = 2;
    assert_int_equal(stats_logistic(y, x, names, n, 1, 0.95, &r), BASE_E_ARGUMENT);
    assert_int_equal(stats_logistic(y, x, names, 0, 1, 0.95, &r), BASE_E_ARGUMENT);
}

static void clusters_are_minded(void **state)
{
    (void)state;
    const json_t *k = part("clustered");
    double y[MOST], a[MOST], b[MOST], c[MOST];
    uint32_t cluster[MOST];
    size_t n = list(k, "y", y);
    list(k, "a", a);
    list(k, "b", b);
    list(k, "cluster", c);
    for (size_t i = 0; i < n; i++)
        cluster[i] = (uint32_t)c[i] + (c[i] > 2); /* number 3 has no row */
    const double *x[] = { a, b };
    struct stats_regression r;
    assert_int_equal(stats_regress_clustered(y, x, NULL, n, 2, cluster, 7, 0.95, &r), 0);
    NEAR((double)r.clusters, num(k, "clusters"), 0);
    for (size_t j = 0; j < 3; j++) {
        CLOSE(r.coefficient[j].value, num_at(k, "value", j), 1e-10);
        CLOSE(r.coefficient[j].se, num_at(k, "se", j), 1e-10);
        CLOSE(r.coefficient[j].t, num_at(k, "t", j), 1e-9);
        CLOSE(r.coefficient[j].p, num_at(k, "p", j), 1e-9);
        NEAR(r.coefficient[j].interval.low, num_at(k, "low", j), 1e-9);
    }
    CLOSE(r.f, num(k, "f"), 1e-9);
    CLOSE(r.f_p, num(k, "f_p"), 1e-9);
    NEAR(r.f_df2, 5, 0);
    stats_regression_free(&r);
    memset(cluster, 0, sizeof cluster);
    assert_int_equal(stats_regress_clustered(y, x, NULL, n, 2, cluster, 1, 0.95, &r),
                     BASE_E_ARGUMENT);
    cluster[0] = 1; /* two clusters, two predictors: no F */
    assert_int_equal(stats_regress_clustered(y, x, NULL, n, 2, cluster, 2, 0.95, &r), 0);
    assert_true(isnan(r.f));
    stats_regression_free(&r);
}

static void failing_allocations(void **state)
{
    (void)state;
    const double x[] = { 1, 2, 3, 4, 5, 6, 7, 8 }, y[] = { 0, 1, 0, 1, 1, 0, 1, 1 };
    const uint32_t group[] = { 0, 1, 0, 1, 0, 1, 0, 1 };
    const double *const predictors[] = { x };
    size_t live = base_alloc_live();
    int ended = 0;
    for (long n = 1; n < 60 && ended < 4; n++) {
        struct stats_ranksum r;
        struct stats_anova a;
        struct stats_contingency c;
        struct stats_logistic l = { 0 };
        ended = 0;
        for (int what = 0; what < 4; what++) {
            base_alloc_fail_after(n);
            int rc = what == 0   ? stats_ranksum(x, 8, y, 8, STATS_TWO_SIDED, 0.95, &r)
                     : what == 1 ? stats_anova(x, group, 8, 2, 0.95, &a)
                     : what == 2 ? stats_contingency(x, 2, 4, 0.95, NULL, &c)
                                 : stats_logistic(y, predictors, NULL, 8, 1, 0.95, &l);
            base_alloc_fail_after(0);
            stats_logistic_free(&l);
            assert_true(rc == 0 || rc == BASE_E_MEMORY);
            ended += rc == 0;
            assert_int_equal(base_alloc_live(), live);
        }
    }
    assert_int_equal(ended, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noncentral_tails),    cmocka_unit_test(effects_have_intervals),
        cmocka_unit_test(rank_sums),           cmocka_unit_test(variance_is_analysed),
        cmocka_unit_test(counts_are_tested),   cmocka_unit_test(small_tables_are_exact),
        cmocka_unit_test(odds_are_fitted),     cmocka_unit_test(clusters_are_minded),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
