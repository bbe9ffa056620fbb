/* Resampling that only draws rows: sizes, ratios, uniformity of the draws, errors; and that a
 * failed allocation leaves nothing behind. The methods that look at neighbours are in
 * test_resample_smote.c and test_resample_clean.c. */
#include "base/memory.h"
#include "classify/resample.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* n rows of one column, row i = i + 1; labels as given. */
static void make(struct classify_matrix *x, size_t n)
{
    assert_int_equal(classify_matrix_begin(x, 1), 0);
    for (size_t i = 0; i < n; i++) {
        double v = (double)(i + 1);
        assert_int_equal(classify_matrix_add(x, &(uint32_t){ 0 }, &v, 1), 0);
    }
}

static struct classify_matrix out;
static uint32_t *label, *origin;
static int run(const struct classify_matrix *x, const uint32_t *y, size_t classes,
               struct classify_resample_options o)
{
    return classify_resample(x, y, classes, &o, &out, &label, &origin);
}
static void done(void)
{
    classify_matrix_free(&out);
    base_free(label);
    base_free(origin);
    label = origin = NULL;
}
static void check_rows(const struct classify_matrix *x, const uint32_t *y)
{
    for (size_t i = 0; i < out.rows; i++) {
        assert_true(origin[i] < x->rows);
        assert_int_equal(label[i], y[origin[i]]);
        assert_true(out.value[i] == (double)origin[i] + 1);
    }
}
static size_t count(uint32_t c)
{
    size_t n = 0;
    for (size_t i = 0; i < out.rows; i++)
        n += label[i] == c;
    return n;
}

static void test_sizes(void **state)
{
    (void)state;
    /* class 0: 10 rows, 1: 4, 2: none, 3: 7 */
    uint32_t y[21];
    for (size_t i = 0; i < 21; i++)
        y[i] = i % 2 == 0 && i < 20           ? 0
               : i < 14 && i % 3              ? 3
               : i == 20 || i >= 14 || i == 3 ? 1
                                              : 3;
    size_t n[4] = { 0 };
    for (size_t i = 0; i < 21; i++)
        n[y[i]]++;
    assert_int_equal(n[0], 10);
    struct classify_matrix x;
    make(&x, 21);
    assert_int_equal(run(&x, y, 4, (struct classify_resample_options){ 0 }), 0);
    assert_int_equal(out.rows, 21);
    for (size_t i = 0; i < 21; i++)
        assert_int_equal(origin[i], i);
    done();
    size_t least = n[1] < n[3] ? n[1] : n[3];
    assert_int_equal(run(&x, y, 4, (struct classify_resample_options){ .method = 1, .seed = 5 }),
                     0);
    assert_int_equal(out.rows, 3 * least);
    check_rows(&x, y);
    for (size_t i = 1; i < out.rows; i++)
        assert_true(origin[i] > origin[i - 1]);
    for (uint32_t c = 0; c < 4; c++)
        assert_int_equal(count(c), c == 2 ? 0 : least);
    done();
    assert_int_equal(run(&x, y, 4, (struct classify_resample_options){ .method = 1, .ratio = .7 }),
                     0);
    for (uint32_t c = 0; c < 4; c++) {
        size_t most = (size_t)((double)least / .7);
        assert_int_equal(count(c), n[c] < most ? n[c] : most);
    }
    done();
    assert_int_equal(run(&x, y, 4, (struct classify_resample_options){ .method = 2, .seed = 5 }),
                     0);
    assert_int_equal(out.rows, 30);
    check_rows(&x, y);
    for (size_t i = 0; i < 21; i++)
        assert_int_equal(origin[i], i);
    for (size_t i = 22; i < 30; i++)
        assert_true(label[i] >= label[i - 1]);
    done();
    assert_int_equal(run(&x, y, 4, (struct classify_resample_options){ .method = 2, .ratio = .85 }),
                     0);
    assert_int_equal(count(0), 10);
    assert_int_equal(count(1), n[1] > 8 ? n[1] : 8);
    assert_int_equal(count(3), n[3] > 8 ? n[3] : 8);
    done();
    classify_matrix_free(&x);
}

/* Which rows stay, and which are copied, is uniform: chi-square over 4,000 seeds. */
static void test_uniform(void **state)
{
    (void)state;
    struct classify_matrix x;
    make(&x, 30);
    uint32_t y[30] = { 0 };
    for (size_t i = 20; i < 30; i++)
        y[i] = 1;
    for (int method = 1; method <= 2; method++) {
        double seen[30] = { 0 };
        for (uint64_t seed = 0; seed < 4000; seed++) {
            assert_int_equal(run(&x, y, 2,
                                 (struct classify_resample_options){
                                     .method = (enum classify_resampler)method, .seed = seed }),
                             0);
            for (size_t i = method == 2 ? 30 : 0; i < out.rows; i++)
                seen[origin[i]]++;
            done();
        }
        size_t from = method == 1 ? 0 : 20, to = method == 1 ? 20 : 30;
        double expected = 40000. / (double)(to - from), chi = 0;
        for (size_t i = from; i < to; i++)
            chi += (seen[i] - expected) * (seen[i] - expected) / expected;
        /* without replacement each count has half the variance of a multinomial one */
        if (method == 1)
            chi *= 2 * 19. / 20;
        assert_true(chi < (method == 1 ? 43.8 : 27.9)); /* 0.999 of chi-square, 19 and 9 df */
        if (method == 1)
            for (size_t i = 20; i < 30; i++)
                assert_true(seen[i] == 4000);
    }
    classify_matrix_free(&x);
}

static void refused(const struct classify_matrix *x, const uint32_t *y, size_t classes,
                    struct classify_resample_options o, int code, const char *says)
{
    assert_int_equal(run(x, y, classes, o), code);
    if (!strstr(base_error_message(), says))
        fail_msg("'%s' does not say '%s'", base_error_message(), says);
    assert_null(out.first);
    assert_null(label);
    assert_null(origin);
}

static void test_errors(void **state)
{
    (void)state;
    struct classify_matrix x, none;
    make(&x, 6);
    make(&none, 0);
    uint32_t y[6] = { 0, 0, 0, 0, 1, 1 }, one[6] = { 0 };
    refused(&x, one, 2, (struct classify_resample_options){ .method = 1 }, BASE_E_ARGUMENT,
            "under: 6 rows of one class; resampling needs two classes");
    refused(&none, one, 2, (struct classify_resample_options){ .method = 2 }, BASE_E_ARGUMENT,
            "over: 0 rows of no class");
    refused(&x, y, 1, (struct classify_resample_options){ .method = 1 }, BASE_E_ARGUMENT,
            "row 4: label 1 of 1 classes");
    refused(&x, y, 2, (struct classify_resample_options){ .method = 1, .ratio = 1.5 },
            BASE_E_ARGUMENT, "ratio 1.5 is not within (0, 1]");
    refused(&x, y, 2, (struct classify_resample_options){ .method = 2, .ratio = .4 },
            BASE_E_ARGUMENT,
            "ratio 0.4 changes nothing: the smallest class has 2 rows, the largest 4");
    refused(&x, y, 2,
            (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_TOMEK, .ratio = .9 },
            BASE_E_ARGUMENT, "tomek aims at no size");
    refused(&x, y, 2, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLERS },
            BASE_E_ARGUMENT, "no resampling has number");
    x.value[2] = NAN;
    refused(&x, y, 2, (struct classify_resample_options){ .method = 1 }, BASE_E_NUMERIC,
            "row 2, column 0 is nan");
    assert_int_equal(run(&none, one, 2, (struct classify_resample_options){ 0 }), 0);
    assert_int_equal(out.rows, 0);
    done();
    classify_matrix_free(&x);
    classify_matrix_free(&none);
    enum classify_resampler r;
    for (int i = 0; i < CLASSIFY_RESAMPLERS; i++) {
        assert_int_equal(
            classify_resampler_parse(classify_resampler_name((enum classify_resampler)i), &r), 0);
        assert_int_equal(r, i);
    }
    assert_int_equal(classify_resampler_parse("random-over", &r), 0);
    assert_int_equal(r, CLASSIFY_RESAMPLE_OVER);
    assert_int_equal(classify_resampler_parse("smite", &r), BASE_E_ARGUMENT);
}

static void test_allocation(void **state)
{
    (void)state;
    struct classify_matrix x;
    make(&x, 12);
    uint32_t y[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1 };
    long live = base_alloc_live();
    for (int method = 0; method <= 2; method++)
        for (long nth = 1;; nth++) {
            base_alloc_fail_after(nth);
            int rc = run(
                &x, y, 2,
                (struct classify_resample_options){ .method = (enum classify_resampler)method });
            base_alloc_fail_after(0);
            if (rc == 0) {
                done();
                break;
            }
            assert_int_equal(rc, BASE_E_MEMORY);
            assert_int_equal(base_alloc_live(), live);
        }
    assert_int_equal(base_alloc_live(), live);
    classify_matrix_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
