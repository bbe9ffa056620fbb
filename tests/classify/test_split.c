/* Sizes of hold-outs and folds against scikit-learn 1.9 (tests/oracle/classify_small.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/memory.h"
#include "classify/split.h"

static uint32_t *labels(const size_t *sizes, size_t classes, size_t *n)
{
    *n = 0;
    for (size_t c = 0; c < classes; c++)
        *n += sizes[c];
    uint32_t *y = malloc(*n * sizeof *y);
    size_t at = 0;
    for (size_t c = 0; c < classes; c++)
        for (size_t i = 0; i < sizes[c]; i++)
            y[at++] = (uint32_t)c;
    return y;
}

static void check_fraction(const size_t *sizes, size_t classes, double fraction, const size_t *test,
                           bool stratify)
{
    size_t n, folds, total = 0, met[8] = { 0 };
    uint32_t *y = labels(sizes, classes, &n), *fold = malloc(n * sizeof *fold);
    struct classify_split_options o = {
        .kind = CLASSIFY_SPLIT_FRACTION, .fraction = fraction, .stratify = stratify, .seed = 7
    };
    assert_int_equal(classify_split(y, classes, n, &o, NULL, fold, &folds), 0);
    assert_int_equal(folds, 1);
    for (size_t i = 0; i < n; i++) {
        assert_true(fold[i] == 0 || fold[i] == UINT32_MAX);
        met[y[i]] += fold[i] == 0;
        total += fold[i] == 0;
    }
    size_t expected = 0;
    for (size_t c = 0; c < classes; c++) {
        expected += test[c];
        if (stratify)
            assert_int_equal(met[c], test[c]);
    }
    assert_int_equal(total, expected);
    free(y);
    free(fold);
}

static void test_fraction(void **state)
{
    (void)state;
    check_fraction((size_t[]){ 36771, 3003 }, 2, 0.25, (size_t[]){ 9193, 751 }, true);
    check_fraction((size_t[]){ 50, 30, 21 }, 3, 0.3, (size_t[]){ 15, 9, 7 }, true);
    check_fraction((size_t[]){ 50, 30, 21 }, 3, 0.3, (size_t[]){ 15, 9, 7 }, false);
    /* classes tie for the last training row: scikit-learn draws, the lower class gets it here */
    check_fraction((size_t[]){ 7, 5, 4 }, 3, 0.5, (size_t[]){ 3, 3, 2 }, true);
}

static void check_folds(const size_t *sizes, size_t classes, size_t k, const size_t *expected)
{
    size_t n, folds, met[8][8] = { { 0 } };
    uint32_t *y = labels(sizes, classes, &n), *fold = malloc(n * sizeof *fold);
    struct classify_split_options o = {
        .kind = CLASSIFY_SPLIT_FOLDS, .folds = k, .stratify = true, .seed = 7
    };
    assert_int_equal(classify_split(y, classes, n, &o, NULL, fold, &folds), 0);
    assert_int_equal(folds, k);
    for (size_t i = 0; i < n; i++)
        met[fold[i]][y[i]]++;
    for (size_t f = 0; f < k; f++)
        for (size_t c = 0; c < classes; c++)
            assert_int_equal(met[f][c], expected[f * classes + c]);
    free(y);
    free(fold);
}

static void test_folds(void **state)
{
    (void)state;
    check_folds((size_t[]){ 50, 30, 21 }, 3, 4,
                (size_t[]){ 13, 7, 6, 13, 7, 5, 12, 8, 5, 12, 8, 5 });
    check_folds((size_t[]){ 7, 8 }, 2, 5, (size_t[]){ 2, 1, 2, 1, 1, 2, 1, 2, 1, 2 });
}

/* Which rows are drawn changes with the seed, and is uniform: every row is tested about as often.
 */
static void test_chance(void **state)
{
    (void)state;
    enum { N = 40, DRAWS = 4000 };
    uint32_t y[N], fold[N], before[N];
    size_t folds, met[N] = { 0 }, same = 0;
    for (int i = 0; i < N; i++)
        y[i] = i % 4 == 0;
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        struct classify_split_options o = {
            .kind = CLASSIFY_SPLIT_FRACTION, .fraction = 0.25, .stratify = seed % 2, .seed = seed
        };
        assert_int_equal(classify_split(y, 2, N, &o, NULL, fold, &folds), 0);
        for (int i = 0; i < N; i++)
            met[i] += fold[i] == 0;
        same += seed && memcmp(fold, before, sizeof fold) == 0;
        memcpy(before, fold, sizeof fold);
    }
    assert_int_equal(same, 0);
    for (int i = 0; i < N; i++) /* 1000 +- 27; stratified 8 of 30 and 2 of 10 */
        assert_in_range(met[i], i % 4 ? 850 : 750, 1180);
}

static void test_every_and_refused(void **state)
{
    (void)state;
    uint32_t y[9] = { 0, 0, 0, 0, 1, 0, 0, 0, 0 }, fold[9];
    size_t folds;
    const char *const names[2] = { "common", "rare" };
    struct classify_split_options o = { .kind = CLASSIFY_SPLIT_EVERY, .every = 4 };
    assert_int_equal(classify_split(y, 2, 9, &o, names, fold, &folds), 0);
    for (uint32_t i = 0; i < 9; i++)
        assert_true(fold[i] == (i % 4 ? UINT32_MAX : 0));
    o.every = 1;
    assert_int_equal(classify_split(y, 2, 9, &o, names, fold, &folds), BASE_E_ARGUMENT);
    o = (struct classify_split_options){ .kind = CLASSIFY_SPLIT_FRACTION,
                                         .fraction = .25,
                                         .stratify = true };
    assert_int_equal(classify_split(y, 2, 9, &o, names, fold, &folds), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "class rare has 1 row:"));
    o.fraction = 1;
    assert_int_equal(classify_split(y, 2, 9, &o, names, fold, &folds), BASE_E_ARGUMENT);
    o.fraction = .95;
    o.stratify = false;
    assert_int_equal(classify_split(y, 2, 9, &o, names, fold, &folds), BASE_E_ARGUMENT);
    o.kind = CLASSIFY_SPLIT_FOLDS;
    o.folds = 10;
    assert_int_equal(classify_split(y, 2, 9, &o, names, fold, &folds), BASE_E_ARGUMENT);
    o.folds = 3;
    o.stratify = true;
    assert_int_equal(classify_split(y, 2, 9, &o, names, fold, &folds), BASE_E_ARGUMENT);
    assert_int_equal(classify_split(y, 2, 1, &o, names, fold, &folds), BASE_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fraction),
        cmocka_unit_test(test_folds),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_every_and_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
