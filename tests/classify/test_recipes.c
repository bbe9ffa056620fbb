/* The recipes of the lesson against scikit-learn 1.9.1 (tests/oracle/classify_recipes.py): terms,
 * coefficients at tight tolerance, confusion matrices at the default one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/memory.h"
#include "classify/compare.h"
#include <math.h>

static const struct classify_columns columns = { .label = "cuisine",
                                                 .positive = "indian",
                                                 .text = "ingredient_list" };
static const struct classify_text_options text_options = { 0 };
static struct classify_data data;

static bool recipes_read(void)
{
    const char *path = test_shared_path("sampling/recipes/recipes.csv.zst");
    if (access(path, R_OK) != 0)
        return false;
    if (!data.rows)
        assert_int_equal(classify_data_read(&data, path, NULL, &columns, &text_options, NULL), 0);
    return true;
}

#define NEEDS_RECIPES                                                                              \
    TEST_NEEDS_SHARED("sampling/recipes/recipes.csv.zst");                                         \
    assert_true(recipes_read())

static const char *const words[12] = { "basil", "cardamom", "chicken", "cumin",
                                       "garam", "masala",   "oil",     "paneer",
                                       "soy",   "turmeric", "vanilla", "yogurt" };
static const struct {
    bool balanced;
    double sum, squares, intercept, w[12];
} reference[2] = {
    { false,
      -66.35672365574533,
      403.4475811137819,
      -1.111202485552581,
      { -0.687386900115934, 2.627148983159851, -0.4019048515584468, 0.881418262856864,
        0.5541969119591135, 3.053715137647824, 1.1026348582322731, 1.9213533456938545,
        -1.0872641640774237, 1.2617447617516977, -0.6310341159211371, 2.7913332903952686 } },
    { true,
      -296.411592969691,
      854.0702696426216,
      -0.7654533688956566,
      { -1.2207266995527921, 3.557994885604641, -0.16116290852371293, 1.5526598111139016,
        1.0616478528148416, 3.3975736187045253, 1.7671865813950038, 2.838978831136724,
        -0.8510361780951764, 1.330953749558344, -0.5940106942620951, 3.1950846938719937 } },
};

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * fabs(b);
}

static void test_coefficients(void **state)
{
    (void)state;
    NEEDS_RECIPES;
    struct classify_features f;
    struct classify_matrix x;
    assert_int_equal(data.rows, 39774);
    assert_int_equal(
        classify_features_fit(&f, &data, &columns, &text_options, NULL, false, NULL, 0), 0);
    assert_int_equal(f.text.terms.n, 3010);
    uint32_t *row = malloc(data.rows * sizeof *row);
    bool *positive = malloc(data.rows * sizeof *positive);
    size_t n = 0, yes = 0;
    for (size_t i = 0; i < data.rows; i++)
        if (i % 4) {
            positive[n] = data.y[i];
            yes += data.y[i];
            row[n++] = (uint32_t)i;
        }
    assert_int_equal(classify_features_rows(&f, &data, row, n, false, &x), 0);
    double *w = malloc((x.columns + 1) * sizeof *w);
    for (int k = 0; k < 2; k++)
        for (int solver = 0; solver < CLASSIFY_SOLVER_LIBLINEAR_DUAL; solver++) {
            if (solver == CLASSIFY_SOLVER_DUAL && k == 1)
                continue; /* thousands of passes */
            struct classify_linear_problem p = { &x, positive, NULL, { 1, 1 } };
            struct classify_linear_options o = CLASSIFY_LINEAR_OPTIONS_DEFAULT;
            struct classify_linear_result r;
            o.solver = (enum classify_solver)solver;
            o.tolerance = solver == CLASSIFY_SOLVER_DUAL ? 1e-9 : 1e-11;
            o.max_iterations = 100000;
            if (reference[k].balanced) {
                p.weight[0] = (double)n / 2 / (double)(n - yes);
                p.weight[1] = (double)n / 2 / (double)yes;
            }
            assert_int_equal(classify_linear_train(&p, &o, w, &r), 0);
            assert_true(r.converged);
            double sum = 0, squares = 0;
            for (size_t j = 0; j < x.columns; j++) {
                sum += w[j];
                squares += w[j] * w[j];
            }
            assert_true(near(sum, reference[k].sum));
            assert_true(near(squares, reference[k].squares));
            assert_true(near(w[x.columns], reference[k].intercept));
            for (int i = 0; i < 12; i++) {
                uint32_t at = classify_words_find(&f.text.terms, words[i], strlen(words[i]));
                assert_true(at < x.columns);
                if (!near(w[at], reference[k].w[i]))
                    fail_msg("%s, solver %s: %.12g, expected %.12g", words[i],
                             classify_solver_names[solver], w[at], reference[k].w[i]);
            }
        }
    free(w);
    free(row);
    free(positive);
    classify_matrix_free(&x);
    classify_features_free(&f);
}

static void test_table(void **state)
{
    (void)state;
    NEEDS_RECIPES;
    static const struct classify_strategy strategies[] = {
        { CLASSIFY_RESAMPLE_NONE, false },  { CLASSIFY_RESAMPLE_NONE, true },
        { CLASSIFY_RESAMPLE_UNDER, false }, { CLASSIFY_RESAMPLE_OVER, false },
        { CLASSIFY_RESAMPLE_SMOTE, false },
    };
    struct classify_compare_options o = {
        .strategy = strategies,
        .strategies = 5,
        .fit = { .linear = CLASSIFY_LINEAR_OPTIONS_DEFAULT },
        .split = { .kind = CLASSIFY_SPLIT_EVERY, .every = 4 },
        .repeats = 1,
        .columns = columns,
        .bootstrap = { .resamples = 100, .level = .95 },
    };
    struct classify_comparison c;
    assert_int_equal(classify_compare(&c, &data, &o), 0);
    /* scikit-learn's predictions, row by row the same where no chance is in them */
    const double none[4] = { 9098, 77, 144, 625 }, weights[4] = { 8922, 253, 46, 723 };
    assert_memory_equal(c.outcome[0].confusion, none, sizeof none);
    assert_memory_equal(c.outcome[1].confusion, weights, sizeof weights);
    assert_true(fabs(c.outcome[0].measure[CLASSIFY_ROC_AUC].value - 0.98829) < 2e-5);
    assert_true(fabs(c.outcome[0].measure[CLASSIFY_AVERAGE_PRECISION].value - 0.90243) < 2e-5);
    /* where there is, within what ten seeds of imbalanced-learn 0.14.2 spread (four deviations) */
    const double expected[3][4] = { { 0.9612, 0.0015, 0.9511, 0.0034 },
                                    { 0.9725, 0.0006, 0.9342, 0.0021 },
                                    { 0.9776, 0.0004, 0.9234, 0.0016 } };
    for (int s = 0; s < 3; s++) {
        const struct stats_metric *m = c.outcome[2 + s].measure;
        assert_true(fabs(m[CLASSIFY_TNR].value - expected[s][0]) < 4 * expected[s][1] + 0.001);
        assert_true(fabs(m[CLASSIFY_TPR].value - expected[s][2]) < 4 * expected[s][3] + 0.001);
    }
    classify_comparison_free(&c);
}

/* Logistic regression (LogisticRegression(solver="liblinear")), and all twenty cuisines. */
static void test_others(void **state)
{
    (void)state;
    NEEDS_RECIPES;
    static const struct classify_strategy strategies[] = { { CLASSIFY_RESAMPLE_NONE, false },
                                                           { CLASSIFY_RESAMPLE_NONE, true } };
    struct classify_compare_options o = {
        .strategy = strategies,
        .strategies = 1,
        .fit = { .linear = CLASSIFY_LINEAR_OPTIONS_DEFAULT },
        .split = { .kind = CLASSIFY_SPLIT_EVERY, .every = 4 },
        .repeats = 1,
        .columns = columns,
        .bootstrap = { .resamples = 100, .level = .95 },
    };
    struct classify_comparison c;
    o.fit.linear.learner = CLASSIFY_LOGISTIC;
    assert_int_equal(classify_compare(&c, &data, &o), 0);
    const double logistic[4] = { 9111, 64, 189, 580 };
    assert_memory_equal(c.outcome[0].confusion, logistic, sizeof logistic);
    assert_true(fabs(c.outcome[0].raw.measure[STATS_BRIER].value - 0.01869156446934183) < 2e-6);
    assert_true(fabs(c.outcome[0].raw.mean - 0.07611244802566294) < 2e-6);
    classify_comparison_free(&c);
    struct classify_data all;
    o.fit.linear.learner = CLASSIFY_SVM;
    o.strategies = 2;
    o.columns.positive = NULL;
    assert_int_equal(classify_data_read(&all, test_shared_path("sampling/recipes/recipes.csv.zst"),
                                        NULL, &o.columns, &text_options, NULL),
                     0);
    assert_int_equal(all.classes, 20);
    assert_int_equal(classify_compare(&c, &all, &o), 0);
    const struct stats_metric *none = c.outcome[0].measure, *weights = c.outcome[1].measure;
    assert_true(fabs(none[CLASSIFY_ACCURACY].value - 0.7892196299275945) < 1.5e-4);
    assert_true(fabs(none[CLASSIFY_BALANCED_ACCURACY].value - 0.6823139570042895) < 5e-4);
    assert_true(fabs(none[CLASSIFY_F1_MACRO].value - 0.7091807974117861) < 5e-4);
    assert_true(fabs(none[CLASSIFY_MCC].value - 0.7647511705245794) < 1.5e-4);
    assert_true(fabs(weights[CLASSIFY_ACCURACY].value - 0.7727272727272727) < 3e-4);
    assert_true(fabs(weights[CLASSIFY_MCC].value - 0.7492377213198042) < 3e-4);
    classify_comparison_free(&c);
    classify_data_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coefficients),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_others),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    classify_data_free(&data);
    return rc;
}
