/* Reading, features, strategies, comparison, probabilities and models on made-up tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "classify/compare.h"
#include "classify/model.h"
#include <math.h>

static char table_path[512];

/* 600 rows: two numbers, a category that tells something, a text, and a rare class. */
static int setup(void **state)
{
    (void)state;
    snprintf(table_path, sizeof table_path, "%s", test_temporary_path(".csv"));
    FILE *f = fopen(table_path, "w");
    struct base_rng rng = base_rng_make(5, BASE_RNG_USER, 0);
    fprintf(f, "id,x,y,colour,note,class\n");
    for (int i = 0; i < 600; i++) {
        bool rare = i % 10 == 3;
        double x = base_rng_normal(&rng) + rare * 1.5, y = 1000 + 50 * base_rng_normal(&rng);
        bool mixed = base_rng_below(&rng, 4) == 0;
        const char *colour = base_rng_below(&rng, 3) == 0 ? "red"
                             : rare != mixed              ? "blue"
                                                          : "green";
        fprintf(f, "%d,%.4f,%.3f,%s,\"%s and %s\",%s\n", i, x, y, colour,
                base_rng_below(&rng, 4) == 0 ? "plain"
                : rare                       ? "spicy"
                                             : "mild",
                base_rng_below(&rng, 2) ? "warm" : "cold", rare ? "rare" : "common");
    }
    return fclose(f);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(table_path);
}

static const char *const numbers[] = { "x", "y" }, *const categories[] = { "colour" };
static const struct classify_columns columns = { .label = "class",
                                                 .positive = "rare",
                                                 .text = "note",
                                                 .number = numbers,
                                                 .numbers = 2,
                                                 .category = categories,
                                                 .categories = 1 };
static const struct classify_text_options text_options = { 0 };

static void read_table(struct classify_data *d)
{
    assert_int_equal(classify_data_read(d, table_path, NULL, &columns, &text_options, NULL), 0);
}

static void test_data(void **state)
{
    (void)state;
    struct classify_data d;
    read_table(&d);
    assert_int_equal(d.rows, 600);
    assert_int_equal(d.classes, 2);
    assert_string_equal(d.label[0], "common"); /* the only other one keeps its name */
    assert_string_equal(d.label[1], "rare");
    size_t rare = 0;
    for (size_t i = 0; i < d.rows; i++)
        rare += d.y[i];
    assert_int_equal(rare, 60);
    assert_int_equal(d.texts.terms.n, 6); /* and cold mild plain spicy warm */
    struct classify_features f;
    assert_int_equal(classify_features_fit(&f, &d, &columns, &text_options, NULL, true, NULL, 0),
                     0);
    assert_int_equal(classify_features_columns(&f), 6 + 2 + 3);
    assert_int_equal(classify_features_coded(&f), 6 + 2 + 1);
    char *name = classify_features_name(&f, 10);
    assert_true(strncmp(name, "colour=", 7) == 0);
    base_free(name);
    name = classify_features_name(&f, 6);
    assert_string_equal(name, "x");
    base_free(name);
    struct classify_matrix x, coded, spread;
    assert_int_equal(classify_features_rows(&f, &d, NULL, 0, false, &x), 0);
    assert_int_equal(classify_features_rows(&f, &d, NULL, 0, true, &coded), 0);
    assert_int_equal(classify_features_spread(&f, &coded, &spread), 0);
    assert_int_equal(x.first[600], spread.first[600]);
    assert_memory_equal(x.column, spread.column, x.first[600] * sizeof *x.column);
    assert_memory_equal(x.value, spread.value, x.first[600] * sizeof *x.value);
    /* standardised: mean 0, variance 1 with n below */
    double mean = 0, square = 0;
    for (size_t i = 0; i < 600; i++)
        for (size_t j = x.first[i]; j < x.first[i + 1]; j++)
            if (x.column[j] == 7) {
                mean += x.value[j] / 600;
                square += x.value[j] * x.value[j] / 600;
            }
    assert_true(fabs(mean) < 1e-12);
    assert_true(fabs(square - 1) < 1e-12);
    classify_matrix_free(&x);
    classify_matrix_free(&coded);
    classify_matrix_free(&spread);
    classify_features_free(&f);
    classify_data_free(&d);
}

static void test_data_refused(void **state)
{
    (void)state;
    struct classify_data d;
    struct classify_columns c = columns;
    c.positive = "none";
    assert_int_equal(classify_data_read(&d, table_path, NULL, &c, &text_options, NULL),
                     BASE_E_ARGUMENT);
    c = columns;
    c.label = "klass";
    assert_int_equal(classify_data_read(&d, table_path, NULL, &c, &text_options, NULL),
                     BASE_E_ARGUMENT);
    c = columns;
    c.number = categories;
    c.numbers = 1;
    assert_int_equal(classify_data_read(&d, table_path, NULL, &c, &text_options, NULL),
                     BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), ".csv:2: column colour"));
    const char *path = test_temporary_path(".csv"), *rows = "x,class\n1,a\n,b\n2,b\n3,\n";
    test_write_file(path, rows, strlen(rows));
    c = (struct classify_columns){ .label = "class", .number = numbers, .numbers = 1 };
    assert_int_equal(classify_data_read(&d, path, NULL, &c, &text_options, NULL), 0);
    assert_int_equal(d.rows, 2);
    assert_int_equal(d.skipped, 2);
    classify_data_free(&d);
    rows = "x,class\n1,a\n2,a\n";
    test_write_file(path, rows, strlen(rows));
    assert_int_equal(classify_data_read(&d, path, NULL, &c, &text_options, NULL), BASE_E_ARGUMENT);
    unlink(path);
}

static const struct classify_strategy strategies[] = {
    { CLASSIFY_RESAMPLE_NONE, false },  { CLASSIFY_RESAMPLE_UNDER, false },
    { CLASSIFY_RESAMPLE_OVER, false },  { CLASSIFY_RESAMPLE_SMOTENC, false },
    { CLASSIFY_RESAMPLE_SMOTE, false }, { CLASSIFY_RESAMPLE_NONE, true },
};
enum { STRATEGIES = sizeof strategies / sizeof *strategies };

static struct classify_compare_options compare_options(void)
{
    return (struct classify_compare_options){
        .strategy = strategies,
        .strategies = STRATEGIES,
        .fit = { .linear = CLASSIFY_LINEAR_OPTIONS_DEFAULT },
        .split = { .kind = CLASSIFY_SPLIT_FOLDS, .folds = 3, .stratify = true },
        .repeats = 2,
        .columns = columns,
        .standardise = true,
        .terms_from_train = true,
        .bootstrap = { .resamples = 200, .level = 0.95 },
    };
}

static void test_compare(void **state)
{
    (void)state;
    struct classify_data d;
    struct classify_comparison c, again;
    read_table(&d);
    struct classify_compare_options o = compare_options();
    o.fit.linear.learner = CLASSIFY_LOGISTIC;
    base_threads_set(1);
    assert_int_equal(classify_compare(&c, &d, &o), 0);
    base_threads_set(3);
    assert_int_equal(classify_compare(&again, &d, &o), 0);
    base_threads_set(0);
    assert_int_equal(c.items, 600);
    for (size_t s = 0; s < STRATEGIES; s++) {
        const struct classify_outcome *a = &c.outcome[s], *b = &again.outcome[s];
        double roc, ap, value[CLASSIFY_MEASURES];
        /* the same at any number of threads */
        assert_memory_equal(a->score, b->score, c.items * sizeof *a->score);
        assert_memory_equal(a->repeated, b->repeated, 2 * CLASSIFY_MEASURES * sizeof(double));
        /* the measures are those of the predictions */
        assert_int_equal(classify_areas(a->score, c.truth, c.items, &roc, &ap), 0);
        classify_measures(a->confusion, 2, roc, ap, value);
        for (int k = 0; k < CLASSIFY_MEASURES; k++) {
            assert_true(fabs(value[k] - a->measure[k].value) < 1e-12);
            assert_true(fabs(value[k] - a->repeated[k]) < 1e-12);
            assert_true(a->measure[k].interval.low <= value[k] &&
                        value[k] <= a->measure[k].interval.high);
        }
        assert_true(fabs(value[CLASSIFY_TPR] - a->confusion[3] / 60) < 1e-12);
        assert_true(fabs(value[CLASSIFY_BALANCED_ACCURACY] -
                         (value[CLASSIFY_TPR] + value[CLASSIFY_TNR]) / 2) < 1e-12);
        if (s) {
            const struct classify_pair *p = &c.pair[s - 1];
            assert_true(fabs(p->difference[CLASSIFY_MCC].value -
                             (a->measure[CLASSIFY_MCC].value -
                              c.outcome[0].measure[CLASSIFY_MCC].value)) < 1e-12);
            assert_true(p->p_adjusted >= p->mcnemar.midp);
            /* every strategy finds more of the rare class, at the price of more false alarms */
            assert_true(value[CLASSIFY_TPR] > c.outcome[0].measure[CLASSIFY_TPR].value);
            assert_true(value[CLASSIFY_TNR] < c.outcome[0].measure[CLASSIFY_TNR].value);
            /* as trained, the rare class is too likely; corrected, about right */
            assert_true(a->raw.mean > a->raw.share + 0.02);
            assert_true(fabs(a->corrected.mean - 0.1) < fabs(a->raw.mean - 0.1));
            assert_true(fabs(a->corrected.mean - 0.1) < 0.03);
        }
    }
    /* rows trained on: 400 of 600, 40 rare */
    const double expected[STRATEGIES][2] = { { 360, 40 },  { 40, 40 },   { 360, 360 },
                                             { 360, 360 }, { 360, 360 }, { 360, 40 } };
    const size_t made[STRATEGIES] = { 0, 0, 0, 320, 320, 0 };
    for (size_t s = 0; s < STRATEGIES; s++) {
        assert_true(c.outcome[s].rows[0] == expected[s][0]);
        assert_true(c.outcome[s].rows[1] == expected[s][1]);
        assert_int_equal(c.outcome[s].made, made[s]);
    }
    classify_comparison_free(&c);
    classify_comparison_free(&again);
    classify_data_free(&d);
}

/* Resampling must not see the held-out rows: the same training rows give the same classifier,
 * whatever the others are. */
static void test_inside_folds(void **state)
{
    (void)state;
    struct classify_data d;
    struct classify_comparison c[2];
    read_table(&d);
    struct classify_compare_options o = compare_options();
    o.split = (struct classify_split_options){ .kind = CLASSIFY_SPLIT_EVERY, .every = 3 };
    o.repeats = 1;
    assert_int_equal(classify_compare(&c[0], &d, &o), 0);
    for (size_t i = 3; i < d.rows; i += 3) { /* test rows but the first get other values */
        d.number[0][i] = 1e3 + (double)i;
        d.number[1][i] = -5;
    }
    assert_int_equal(classify_compare(&c[1], &d, &o), 0);
    for (size_t s = 0; s < STRATEGIES; s++)
        assert_true(c[0].outcome[s].score[0] == c[1].outcome[s].score[0]);
    classify_comparison_free(&c[0]);
    classify_comparison_free(&c[1]);
    classify_data_free(&d);
}

static void test_curves(void **state)
{
    (void)state;
    /* scikit-learn: roc_auc_score 0.75, average_precision_score 0.8333333333333333 */
    const double score[4] = { 0.1, 0.4, 0.35, 0.8 };
    const uint32_t truth[4] = { 0, 0, 1, 1 };
    double roc, ap;
    struct classify_curve curve;
    assert_int_equal(classify_areas(score, truth, 4, &roc, &ap), 0);
    assert_true(fabs(roc - 0.75) < 1e-15);
    assert_true(fabs(ap - 5. / 6) < 1e-15);
    const double tied[6] = { 1, 1, 1, 0, 0, 0 };
    const uint32_t half[6] = { 1, 0, 0, 1, 0, 0 };
    assert_int_equal(classify_areas(tied, half, 6, &roc, &ap), 0);
    assert_true(fabs(roc - 0.5) < 1e-15);
    assert_true(fabs(ap - 1. / 3) < 1e-15);
    assert_int_equal(classify_curve(&curve, CLASSIFY_ROC, score, truth, 4, 0), 0);
    assert_int_equal(curve.n, 5);
    assert_true(curve.x[2] == .5 && curve.y[2] == .5 && curve.x[4] == 1 && curve.y[4] == 1);
    classify_curve_free(&curve);
    assert_int_equal(classify_curve(&curve, CLASSIFY_PR, score, truth, 4, 0), 0);
    assert_true(curve.x[0] == .5 && curve.y[0] == 1 && curve.y[1] == .5);
    classify_curve_free(&curve);
    assert_int_equal(classify_curve(&curve, CLASSIFY_PR, score, (uint32_t[4]){ 1, 1, 1, 1 }, 4, 0),
                     BASE_E_ARGUMENT);
}

/* Elkan's correction and Saerens' EM on scores whose truth is known: class-conditional scores
 * N(-+1, 1), so that the log odds with equal shares are 2 s. */
static void test_prior(void **state)
{
    (void)state;
    enum { N = 200000 };
    double share[2] = { 0.5, 0.5 }, prior[2] = { 0.5, 0.5 }, p[2],
           *score = malloc(N * sizeof *score);
    struct classify_fitted f = {
        .classes = 2, .outputs = 1, .share = share, .trained_share = share
    };
    struct base_rng rng = base_rng_make(11, BASE_RNG_USER, 0);
    size_t iterations;
    double z = log(0.9 / 0.1);
    classify_probabilities(&f, &z, NULL, p);
    assert_true(fabs(p[1] - 0.9) < 1e-15 && fabs(p[0] - 0.1) < 1e-15);
    classify_probabilities(&f, &z, (double[]){ 0.9, 0.1 }, p); /* odds 9 * (1/9) */
    assert_true(fabs(p[1] - 0.5) < 1e-15);
    for (int i = 0; i < N; i++)
        score[i] = 2 * (base_rng_normal(&rng) + (base_rng_uniform(&rng) < 0.08 ? 1 : -1));
    assert_int_equal(classify_estimate_prior(&f, score, N, prior, &iterations), 0);
    assert_true(fabs(prior[1] - 0.08) < 0.004);
    assert_true(fabs(prior[0] + prior[1] - 1) < 1e-9);
    free(score);
}

static struct classify_model trained(struct classify_data *d, enum classify_learner learner)
{
    struct classify_model m;
    struct classify_fit_options o = { .linear = CLASSIFY_LINEAR_OPTIONS_DEFAULT, .seed = 3 };
    o.linear.learner = learner;
    struct classify_words stop = { 0 };
    uint32_t number;
    classify_words_add(&stop, "and", 3, &number);
    assert_int_equal(classify_data_read(d, table_path, NULL, &columns, &text_options, &stop), 0);
    assert_int_equal(
        classify_model_train(&m, d, &columns, &text_options, &stop, true, strategies[3], &o), 0);
    classify_words_free(&stop);
    return m;
}

static void test_model(void **state)
{
    (void)state;
    struct classify_data d;
    struct classify_model m = trained(&d, CLASSIFY_LOGISTIC), loaded;
    const char *path = test_temporary_path(".model");
    struct classify_matrix x;
    double score[600], own[600];
    assert_int_equal(classify_model_save(&m, path), 0);
    assert_int_equal(classify_model_load(&loaded, path), 0);
    assert_string_equal(loaded.strategy, "smotenc");
    assert_string_equal(loaded.label[1], "rare");
    assert_int_equal(loaded.rows, 600);
    assert_int_equal(loaded.linear.learner, CLASSIFY_LOGISTIC);
    assert_true(loaded.fitted.trained_share[1] == 0.5);
    assert_int_equal(classify_features_rows(&m.features, &d, NULL, 0, false, &x), 0);
    assert_int_equal(classify_scores(&m.fitted, &x, own), 0);
    assert_int_equal(classify_scores(&loaded.fitted, &x, score), 0);
    assert_memory_equal(own, score, sizeof own);
    classify_matrix_free(&x);
    /* a row on its own, by the loaded model */
    assert_int_equal(classify_matrix_begin(&x, loaded.fitted.columns), 0);
    struct data_table *t;
    const struct data_cell *cell;
    size_t i = 0;
    assert_int_equal(data_table_open(&t, table_path, NULL), 0);
    for (; data_table_next(t, &cell) == 1; i++) {
        double value[2];
        assert_true(data_cell_number(cell[1], &value[0]) && data_cell_number(cell[2], &value[1]));
        assert_int_equal(classify_features_apply(&loaded.features, cell[4], value, &cell[3], &x),
                         0);
    }
    data_table_close(t);
    assert_int_equal(classify_scores(&loaded.fitted, &x, score), 0);
    assert_memory_equal(own, score, sizeof own);
    classify_matrix_free(&x);
    classify_model_free(&m);
    classify_model_free(&loaded);
    classify_data_free(&d);
    unlink(path);
}

/* A damaged file is an error that says so, and nothing worse. */
static void test_model_damaged(void **state)
{
    (void)state;
    struct classify_data d;
    struct classify_model m = trained(&d, CLASSIFY_SVM), loaded;
    const char *path = test_temporary_path(".model");
    char *bytes;
    size_t n;
    assert_int_equal(classify_model_save(&m, path), 0);
    assert_int_equal(base_file_read(path, 0, &bytes, &n), 0);
    long live = base_alloc_live();
    for (size_t i = 0; i < n; i++) {
        bytes[i] ^= 0x21;
        int rc = classify_model_parse(&loaded, bytes, n, "damaged");
        assert_true(rc == BASE_E_FORMAT || rc == BASE_E_UNSUPPORTED);
        bytes[i] ^= 0x21;
        assert_int_equal(classify_model_parse(&loaded, bytes, i, "short"), BASE_E_FORMAT);
        assert_int_equal(base_alloc_live(), live);
    }
    bool done = false;
    for (long k = 1; k < 2000 && !done; k++) {
        base_alloc_fail_after(k);
        int rc = classify_model_parse(&loaded, bytes, n, "memory");
        base_alloc_fail_after(0);
        done = rc == 0;
        if (done)
            classify_model_free(&loaded);
        assert_true(done || rc == BASE_E_MEMORY);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_true(done);
    base_free(bytes);
    classify_model_free(&m);
    classify_data_free(&d);
    unlink(path);
}

/* Every allocation of a whole comparison fails once: a clean error each time. */
static void test_memory(void **state)
{
    (void)state;
    struct classify_compare_options o = compare_options();
    const char *path = test_temporary_path(".csv");
    struct base_buffer b = { 0 };
    base_buffer_puts(&b, "x,y,colour,note,class\n");
    for (int i = 0; i < 24; i++)
        base_buffer_printf(&b, "%d,%d,%s,%s %d,%s\n", i, i * i % 7, i % 2 ? "red" : "blue", "word",
                           i % 5, i % 3 ? "common" : "rare");
    test_write_file(path, b.data, b.length);
    base_buffer_free(&b);
    o.strategies = 3;
    o.split = (struct classify_split_options){ .kind = CLASSIFY_SPLIT_EVERY, .every = 4 };
    o.repeats = 1;
    o.bootstrap.resamples = 3;
    base_threads_set(1);
    long live = base_alloc_live();
    bool done = false;
    for (long k = 1; k < 3000 && !done; k++) {
        struct classify_data d = { 0 };
        struct classify_comparison c = { 0 };
        base_alloc_fail_after(k);
        int rc = classify_data_read(&d, path, NULL, &columns, &text_options, NULL);
        if (!rc)
            rc = classify_compare(&c, &d, &o);
        base_alloc_fail_after(0);
        classify_comparison_free(&c);
        classify_data_free(&d);
        done = rc == 0;
        assert_true(done || rc == BASE_E_MEMORY);
        assert_int_equal(base_alloc_live(), live);
    }
    base_threads_set(0);
    assert_true(done);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),    cmocka_unit_test(test_data_refused),
        cmocka_unit_test(test_compare), cmocka_unit_test(test_inside_folds),
        cmocka_unit_test(test_curves),  cmocka_unit_test(test_prior),
        cmocka_unit_test(test_model),   cmocka_unit_test(test_model_damaged),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
