/* Mixes of categories: means and errors by formula, simulated and resampled spreads against their
 * known values, weights, reading, where two models change places, failing allocations. */
#include "base/memory.h"
#include <assay/base.h>
#include <assay/mix.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g, wanted %.17g", a, b);
}

static struct eval_mix_model stated(const char *const *texts)
{
    struct eval_mix_model m = { 0 };
    for (; *texts; texts++)
        if (eval_mix_state(&m, *texts))
            fail_msg("%s", base_error_message());
    assert_int_equal(eval_mix_finish(&m), 0);
    return m;
}
#define STATED(...) stated((const char *const[]){ __VA_ARGS__, NULL })

static void weights_are_read(void **state)
{
    (void)state;
    struct eval_mix_model m = STATED("easy=90%:500", "hard=0.4:100", "a=b=0.5:200");
    double w[3];
    assert_int_equal(eval_mix_parse(&m, "hard=1,easy=3", w), 0);
    near(w[0], 0.75, 0);
    near(w[1], 0.25, 0);
    near(w[2], 0, 0);
    assert_int_equal(eval_mix_parse(&m, "proportional", w), 0);
    near(w[1], 0.125, 1e-15);
    assert_int_equal(eval_mix_parse(&m, "uniform", w), 0);
    near(w[2], 1.0 / 3, 1e-15);
    assert_int_equal(eval_mix_parse(&m, "a=b=2", w), 0);
    near(w[2], 1, 0);
    static const char *const bad[] = { "",        "easy",          "easy=-1",       "easy=x",
                                       "other=1", "easy=1,easy=2", "easy=0,hard=0", "=1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(eval_mix_parse(&m, bad[i], w), BASE_E_ARGUMENT);
    eval_mix_model_free(&m);
    m = STATED("x=0.5");
    assert_int_equal(eval_mix_parse(&m, "proportional", w), BASE_E_ARGUMENT);
    assert_int_equal(eval_mix_state(&m, "x=0.6"), BASE_E_ARGUMENT); /* twice */
    static const char *const wrong[] = { "y",      "=0.5",    "y=",        "y=1.5",
                                         "y=101%", "y=0.5:x", "y=0.5:1.5", "y=0.5:-1" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (eval_mix_state(&m, wrong[i]) != BASE_E_ARGUMENT)
            fail_msg("\"%s\" was taken", wrong[i]);
    assert_int_equal(m.n, 1);
    eval_mix_model_free(&m);
}

static void errors_by_formula(void **state)
{
    (void)state;
    struct eval_mix_model m = STATED("easy=0.9:500", "hard=0.4:100");
    struct eval_mix_options o = EVAL_MIX_OPTIONS_DEFAULT;
    struct eval_mix_score s;
    const double w[] = { 0.8, 0.2 };
    o.draws = 40000;
    assert_int_equal(eval_mix_judge(&m, w, &o, true, &s), 0);
    near(s.mean, 0.8, 1e-15);
    double se = sqrt(0.64 * 0.09 / 499 + 0.04 * 0.24 / 99);
    near(s.se, se, 1e-15);
    near(s.ci.low, 0.8 - 1.959963984540054 * se, 1e-12);
    near(s.effective, 1 / (0.64 / 500 + 0.04 / 100), 1e-9);
    assert_int_equal(s.items, 600);
    /* an item of a simulated benchmark is right with 0.8, whatever its category */
    near(s.simulated_sd, sqrt(0.8 * 0.2 / 600), 2e-4);
    assert_true(isnan(s.resampled_sd));
    for (size_t i = 1; i < o.draws; i++)
        assert_true(s.draws[i - 1] <= s.draws[i]);
    base_free(s.draws);
    /* quantiles of Binomial(50, 0.3) and (200, 0.65), from SciPy */
    eval_mix_model_free(&m);
    m = STATED("one=0.3");
    const double all[] = { 1 };
    o.items = 50;
    assert_int_equal(eval_mix_judge(&m, all, &o, false, &s), 0);
    near(s.simulated.low, 9.0 / 50, 1e-12);
    near(s.simulated.high, 22.0 / 50, 1e-12);
    assert_true(isnan(s.se) && isnan(s.effective) && s.draws == NULL);
    eval_mix_model_free(&m);
    m = STATED("one=0.9", "two=0.4");
    const double half[] = { 0.5, 0.5 };
    o.items = 200;
    assert_int_equal(eval_mix_judge(&m, half, &o, false, &s), 0);
    near(s.simulated.low, 117.0 / 200, 1e-12);
    near(s.simulated.high, 143.0 / 200, 1e-12);
    o.level = 1;
    assert_int_equal(eval_mix_judge(&m, half, &o, false, &s), BASE_E_ARGUMENT);
    eval_mix_model_free(&m);
}

static void certain_categories(void **state)
{
    (void)state;
    struct eval_mix_model m = STATED("always=1:10", "never=0:10");
    struct eval_mix_options o = EVAL_MIX_OPTIONS_DEFAULT;
    struct eval_mix_score s;
    const double w[] = { 1, 0 };
    assert_int_equal(eval_mix_judge(&m, w, &o, false, &s), 0);
    near(s.mean, 1, 0);
    near(s.se, 0, 0);
    near(s.simulated.low, 1, 0);
    near(s.simulated_sd, 0, 0);
    eval_mix_model_free(&m);
}

static struct eval_mix_model measured(int shift)
{
    struct eval_mix_model m = { 0 };
    char id[16];
    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "%d", i);
        assert_int_equal(eval_mix_add(&m, i % 3 ? "b" : "a", (i + shift) % 5 < 2 ? 1 : 0, id), 0);
    }
    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof id, "c%d", i);
        assert_int_equal(eval_mix_add(&m, "c", 0.1 * ((i + shift) % 7), id), 0);
    }
    assert_int_equal(eval_mix_finish(&m), 0);
    return m;
}

static void items_are_resampled(void **state)
{
    (void)state;
    struct eval_mix_model m = measured(0);
    struct eval_mix_options o = EVAL_MIX_OPTIONS_DEFAULT;
    struct eval_mix_score s, again;
    const double w[] = { 0.5, 0.3, 0.2 };
    o.draws = 40000;
    assert_true(m.items && m.n == 3 && m.categories[0].n == 20 && m.categories[1].n == 40);
    near(m.categories[0].mean, 0.4, 1e-15);
    base_threads_set(1);
    assert_int_equal(eval_mix_judge(&m, w, &o, false, &s), 0);
    base_threads_set(3);
    assert_int_equal(eval_mix_judge(&m, w, &o, false, &again), 0);
    base_threads_set(0);
    assert_true(s.resampled.low == again.resampled.low && s.simulated_sd == again.simulated_sd);
    double plain = 0; /* the bootstrap's variance has n where the analytic one has n - 1 */
    for (int k = 0; k < 3; k++) {
        const struct eval_mix_category *c = &m.categories[k];
        plain += w[k] * w[k] * c->variance * (c->n - 1) / c->n / c->n;
    }
    near(s.resampled_sd, sqrt(plain), 0.02 * sqrt(plain));
    assert_true(s.resampled.low < s.mean && s.mean < s.resampled.high);
    eval_mix_model_free(&m);
}

static void order_turns(void **state)
{
    (void)state;
    struct eval_mix_model a = STATED("x=0.8:100", "y=0.5:400"),
                          b = STATED("y=0.6:400", "x=0.6:100");
    struct eval_mix_options o = EVAL_MIX_OPTIONS_DEFAULT;
    struct eval_mix_comparison c;
    const double w[] = { 0.5, 0.5 };
    o.draws = 100000;
    assert_int_equal(eval_mix_compare(&a, &b, w, &o, &c), 0);
    near(c.difference, 0.05, 1e-15);
    double se = sqrt(0.25 * (0.16 / 99 + 0.24 / 99) + 0.25 * (0.25 / 399 + 0.24 / 399));
    near(c.se, se, 1e-15);
    assert_int_equal(c.paired, 0);
    /* 0.2 x - 0.1 (1 - x) > 0 from x = 1/3 on */
    near(c.turns[0].low, 1.0 / 3, 1e-12);
    near(c.turns[0].high, 1, 0);
    near(c.turns[1].low, 0, 0);
    near(c.turns[1].high, 2.0 / 3, 1e-12);
    near(c.share, 2.0 / 3, 0.006);
    eval_mix_comparison_free(&c);
    const double only[] = { 1, 0 };
    assert_int_equal(eval_mix_compare(&a, &b, only, &o, &c), 0);
    near(c.difference, 0.2, 1e-15);
    near(c.turns[0].low, 1.0 / 3, 1e-12);
    eval_mix_comparison_free(&c);
    /* the same model: never ahead of itself */
    assert_int_equal(eval_mix_compare(&a, &a, w, &o, &c), 0);
    assert_true(c.share == 0 && c.turns[0].low > c.turns[0].high);
    eval_mix_comparison_free(&c);
    eval_mix_model_free(&b);
    b = STATED("x=0.5", "z=0.5");
    assert_int_equal(eval_mix_compare(&a, &b, w, &o, &c), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "no category \"y\""));
    eval_mix_model_free(&a);
    eval_mix_model_free(&b);
}

static void items_are_paired(void **state)
{
    (void)state;
    struct eval_mix_model a = measured(0), b = measured(1);
    struct eval_mix_options o = EVAL_MIX_OPTIONS_DEFAULT;
    struct eval_mix_comparison c;
    const double w[] = { 0.2, 0.3, 0.5 };
    assert_int_equal(eval_mix_compare(&a, &b, w, &o, &c), 0);
    assert_int_equal(c.paired, 90);
    double d[30], variance = 0;
    for (int i = 0; i < 30; i++)
        d[i] = 0.1 * (i % 7) - 0.1 * ((i + 1) % 7);
    variance = stats_variance(d, 30) / 30;
    near(c.turns[2].se, sqrt(variance), 1e-12);
    eval_mix_comparison_free(&c);
    base_free(b.categories[2].ids[0]);
    b.categories[2].ids[0] = base_strdup("another");
    assert_int_equal(eval_mix_compare(&a, &b, w, &o, &c), 0);
    assert_int_equal(c.paired, 60);
    near(c.turns[2].se, sqrt(a.categories[2].variance / 30 + b.categories[2].variance / 30), 1e-12);
    eval_mix_comparison_free(&c);
    eval_mix_model_free(&a);
    eval_mix_model_free(&b);
}

static void files_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *suffix, *text;
        struct eval_mix_keys keys;
        const char *message; /* NULL: two categories, a with mean 0.5 */
    } cases[] = {
        { ".csv", "category,p,n\na,0.5,100\nb,0.25,40\n", { 0 }, NULL },
        { ".csv", "category,score\na,1\nb,0\na,0\n", { 0 }, NULL },
        { ".jsonl",
          "{\"doc\":{\"category\":\"a\"},\"acc\":1,\"filter\":\"f\"}\n"
          "{\"doc\":{\"category\":\"a\"},\"acc\":1,\"filter\":\"g\"}\n"
          "{\"doc\":{\"category\":\"a\"},\"acc\":0.0,\"filter\":\"f\"}\n"
          "{\"doc\":{\"category\":\"b\"},\"acc\":0,\"filter\":\"f\"}\n",
          { 0 },
          NULL },
        { ".json",
          "{\"rows\":[{\"k\":\"a\",\"v\":0.5},{\"k\":\"b\",\"v\":1}]}",
          { .category = "k", .score = "v", .records = "rows" },
          NULL },
        { ".csv", "kind,score\na,1\n", { 0 }, "--category" },
        { ".csv", "category,mark\na,1\n", { 0 }, "--score" },
        { ".csv", "category,score\na,x\n", { 0 }, "score" },
        { ".csv", "category,p\na,0.5\na,0.6\n", { 0 }, "twice" },
        { ".csv", "category,p\na,5\n", { 0 }, "0 to 1" },
        { ".csv", "category,p\n", { 0 }, "no records" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eval_mix_model m = { 0 };
        const char *path = test_temporary_path(cases[i].suffix);
        test_write_file(path, cases[i].text, strlen(cases[i].text));
        int rc = eval_mix_read(&m, path, &cases[i].keys);
        if (cases[i].message) {
            if (rc == 0 || !strstr(base_error_message(), cases[i].message))
                fail_msg("case %zu: %d, %s", i, rc, base_error_message());
        } else {
            if (rc)
                fail_msg("case %zu: %s", i, base_error_message());
            assert_int_equal(eval_mix_finish(&m), 0);
            assert_int_equal(m.n, 2);
            assert_string_equal(m.categories[0].name, "a");
            near(m.categories[0].mean, 0.5, 0);
        }
        eval_mix_model_free(&m);
        unlink(path);
    }
}

static void memory_may_run_out(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".csv");
    const char *text = "category,score,id\na,1,x\nb,0,y\na,0.5,z\n";
    test_write_file(path, text, strlen(text));
    const struct eval_mix_keys keys = { 0 };
    struct eval_mix_options o = EVAL_MIX_OPTIONS_DEFAULT;
    o.draws = 100;
    base_threads_set(1);
    long live = base_alloc_live();
    int rc = -1;
    for (long n = 1; rc != 0 && n < 10000; n++) {
        struct eval_mix_model m = { 0 };
        struct eval_mix_score s;
        struct eval_mix_comparison c = { 0 };
        double w[2];
        base_alloc_fail_after(n);
        rc = eval_mix_read(&m, path, &keys);
        rc = rc ? rc : eval_mix_finish(&m);
        rc = rc ? rc : eval_mix_parse(&m, "uniform", w);
        rc = rc ? rc : eval_mix_judge(&m, w, &o, false, &s);
        rc = rc ? rc : eval_mix_compare(&m, &m, w, &o, &c);
        base_alloc_fail_after(0);
        eval_mix_comparison_free(&c);
        eval_mix_model_free(&m);
        assert_int_equal(base_alloc_live(), live);
    }
    base_threads_set(0);
    assert_int_equal(rc, 0);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_read),   cmocka_unit_test(errors_by_formula),
        cmocka_unit_test(certain_categories), cmocka_unit_test(items_are_resampled),
        cmocka_unit_test(order_turns),        cmocka_unit_test(items_are_paired),
        cmocka_unit_test(files_are_read),     cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
