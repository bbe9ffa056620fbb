/* Classification, ranking and calibration against scikit-learn
 * (tests/stats/data/classification.json, made by tests/oracle/classification.py). */
#include "stats_support.h"

enum { MOST = 512 };
static json_t *fixture;
static const struct stats_bootstrap_options options = { .resamples = 400, .level = 0.95 };

static int load(void **state)
{
    (void)state;
    return base_json_load(&fixture, "tests/stats/data/classification.json");
}

static int unload(void **state)
{
    (void)state;
    json_decref(fixture);
    return 0;
}

static size_t ids(const json_t *array, uint32_t *out)
{
    double x[MOST];
    size_t n = numbers(array, x, MOST);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint32_t)x[i];
    return n;
}

static void labels(void **state)
{
    (void)state;
    const json_t *c;
    size_t at;
    static const struct {
        const char *key;
        double value;
    } zeros[] = { { "zero_0", 0 }, { "zero_1", 1 }, { "zero_nan", NAN } };
    json_array_foreach(json_object_get(fixture, "labels"), at, c)
    {
        uint32_t truth[MOST], predicted[MOST];
        double matrix[64], got[STATS_METRICS];
        size_t k = (size_t)num(c, "k"), n = ids(json_object_get(c, "truth"), truth);
        ids(json_object_get(c, "predicted"), predicted);
        assert_int_equal(stats_confusion(truth, predicted, n, k, matrix), 0);
        for (size_t i = 0; i < k * k; i++)
            NEAR(matrix[i],
                 json_number_value(
                     json_array_get(json_array_get(json_object_get(c, "confusion"), i / k), i % k)),
                 0);
        for (int z = 0; z < 3; z++) {
            const char *name;
            json_t *expected;
            stats_label_averages(matrix, k, k == 2 ? 1 : k, zeros[z].value, got);
            json_object_foreach(json_object_get((json_t *)(uintptr_t)c, zeros[z].key), name,
                                expected)
            {
                double v = got[position(stats_metric_names, STATS_METRICS, name)];
                if (json_is_null(expected))
                    assert_true(isnan(v));
                else
                    NEAR(v, json_number_value(expected), 1e-13);
            }
        }
        NEAR(got[STATS_ACCURACY], num(c, "accuracy"), 1e-14);
        NEAR(got[STATS_BALANCED_ACCURACY], num(c, "balanced_accuracy"), 1e-14);
        NEAR(got[STATS_MCC], num(c, "mcc"), 1e-14);
        NEAR(got[STATS_KAPPA], num(c, "kappa"), 1e-14);
        struct stats_metric m[STATS_METRICS];
        assert_int_equal(stats_classify(truth, predicted, n, k, k == 2 ? 1 : k, 0, &options, m), 0);
        for (int j = 0; j < STATS_F1; j++) {
            if (isnan(m[j].value))
                continue;
            assert_true(m[j].interval.low <= m[j].value && m[j].value <= m[j].interval.high);
            /* with a label that is never predicted some do not vary */
            assert_true(at > 2 || m[j].interval.low < m[j].interval.high);
        }
        struct stats_interval wilson;
        assert_int_equal(
            stats_interval_wilson(round(num(c, "accuracy") * (double)n), (double)n, 0.95, &wilson),
            0);
        NEAR(m[STATS_ACCURACY].interval.low, wilson.low, 1e-12);
    }
    assert_true(at >= 5);
}

static void scores(void **state)
{
    (void)state;
    const json_t *c;
    size_t at;
    json_array_foreach(json_object_get(fixture, "scores"), at, c)
    {
        double truth[MOST], score[MOST];
        size_t n = numbers(json_object_get(c, "truth"), truth, MOST);
        numbers(json_object_get(c, "score"), score, MOST);
        struct stats_metric m[STATS_RANKS];
        const json_t *pair;
        size_t i;
        json_array_foreach(json_object_get(c, "tpr"), i, pair)
        {
            double v[2];
            numbers(pair, v, 2);
            assert_int_equal(stats_rank(score, truth, n, v[0], &options, m), 0);
            NEAR(m[STATS_TPR_AT_FPR].value, v[1], 1e-14);
        }
        NEAR(m[STATS_ROC_AUC].value, num(c, "roc_auc"), 1e-13);
        CLOSE(m[STATS_ROC_AUC].se, num(c, "se"), 1e-11);
        NEAR(m[STATS_AVERAGE_PRECISION].value, num(c, "average_precision"), 1e-13);
        NEAR(m[STATS_PR_AUC].value, num(c, "pr_auc"), 1e-13);
        for (int j = 0; j < STATS_RANKS; j++)
            assert_true(m[j].interval.low <= m[j].value && m[j].value <= m[j].interval.high);
    }
    const double one[4] = { 1, 1, 1, 1 }, any[4] = { 1, 2, 3, 4 }, half[4] = { 0, 0.5, 1, 1 };
    struct stats_metric m[STATS_RANKS];
    assert_int_equal(stats_rank(any, one, 4, 0.1, &options, m), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "one class"));
    assert_int_equal(stats_rank(any, half, 4, 0.1, &options, m), BASE_E_ARGUMENT);
    /* perfect ranking: the bootstrap's point, no NaN */
    const double sorted[4] = { 0, 0, 1, 1 };
    assert_int_equal(stats_rank(any, sorted, 4, 0.1, &options, m), 0);
    NEAR(m[STATS_ROC_AUC].value, 1, 0);
    NEAR(m[STATS_ROC_AUC].interval.low, 1, 0);
    assert_true(m[STATS_ROC_AUC].defined < options.resamples);
}

static void calibration(void **state)
{
    (void)state;
    const json_t *c = json_array_get(json_object_get(fixture, "calibration"), 0);
    double confidence[MOST], right[MOST], square[MOST], count = 0;
    size_t n = numbers(json_object_get(c, "confidence"), confidence, MOST);
    numbers(json_object_get(c, "right"), right, MOST);
    numbers(json_object_get(c, "square"), square, MOST);
    struct stats_metric m[STATS_CALIBRATIONS];
    struct stats_bin bin[10];
    assert_int_equal(stats_calibrate(confidence, right, square, n, 10, &options, m, bin), 0);
    NEAR(m[STATS_ECE].value, num(c, "ece"), 1e-13);
    NEAR(m[STATS_MCE].value, num(c, "mce"), 1e-13);
    NEAR(m[STATS_BRIER].value, num(c, "brier"), 1e-13);
    for (int b = 0; b < 10; b++) {
        count += bin[b].count;
        if (bin[b].count)
            assert_true(bin[b].confidence > bin[b].low && bin[b].confidence <= bin[b].high + 1e-12);
    }
    NEAR(count, (double)n, 0);
    confidence[3] = 1.5;
    assert_int_equal(stats_calibrate(confidence, right, NULL, n, 10, &options, m, bin),
                     BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "item 4: confidence 1.5"));
}

static void same_bits_on_any_threads(void **state)
{
    (void)state;
    uint32_t truth[MOST], predicted[MOST];
    const json_t *c = json_array_get(json_object_get(fixture, "labels"), 1);
    size_t n = ids(json_object_get(c, "truth"), truth);
    ids(json_object_get(c, "predicted"), predicted);
    struct stats_metric one[STATS_METRICS], three[STATS_METRICS];
    memset(one, 0, sizeof one);
    memset(three, 0, sizeof three);
    base_threads_set(1);
    assert_int_equal(stats_classify(truth, predicted, n, 3, 3, 0, &options, one), 0);
    base_threads_set(3);
    assert_int_equal(stats_classify(truth, predicted, n, 3, 3, 0, &options, three), 0);
    base_threads_set(0);
    assert_memory_equal(one, three, sizeof one);
}

static void allocation_failures(void **state)
{
    (void)state;
    long live = base_alloc_live();
    const uint32_t truth[6] = { 0, 1, 2, 0, 1, 2 }, predicted[6] = { 0, 1, 1, 0, 2, 2 };
    const double score[6] = { 1, 2, 3, 4, 5, 6 }, yes[6] = { 0, 1, 0, 1, 1, 1 };
    const double sure[6] = { 0.1, 0.5, 0.6, 0.7, 0.8, 1 };
    for (int what = 0; what < 3; what++) {
        int rc = BASE_E_MEMORY;
        for (long n = 1; rc; n++) {
            struct stats_metric m[STATS_METRICS];
            struct stats_bin bin[10];
            base_alloc_fail_after(n);
            rc = what == 0   ? stats_classify(truth, predicted, 6, 3, 3, 0, &options, m)
                 : what == 1 ? stats_rank(score, yes, 6, 0.1, &options, m)
                             : stats_calibrate(sure, yes, NULL, 6, 10, &options, m, bin);
            base_alloc_fail_after(0);
            assert_true(rc == 0 || rc == BASE_E_MEMORY);
            assert_int_equal(base_alloc_live(), live);
            assert_true(n < 40);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels),
        cmocka_unit_test(scores),
        cmocka_unit_test(calibration),
        cmocka_unit_test(same_bits_on_any_threads),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
