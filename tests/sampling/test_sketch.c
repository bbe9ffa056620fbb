/* Sketches against the exact answers of the same streams, and their stated errors. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "sampling/sketch.h"

/* Within five standard errors at every size, exact to rounding where few registers are used. */
static void test_distinct(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 10, 1000, 20000, 60000, 1000000 };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct sampling_distinct *d = base_alloc_zero(1, sizeof *d);
        for (int again = 0; again < 2; again++)
            for (size_t i = 0; i < sizes[k]; i++) {
                char key[32];
                int n = snprintf(key, sizeof key, "%zu", i * 7919);
                sampling_distinct_add(d, sampling_hash(key, (size_t)n));
            }
        double count = sampling_distinct_count(d), n = (double)sizes[k];
        if (fabs(count - n) > fmax(0.5, 5 * SAMPLING_DISTINCT_ERROR * n))
            fail_msg("%zu different values are counted as %g", sizes[k], count);
        base_free(d);
    }
}

/* Root mean square error over independent sets agrees with the one stated. */
static void test_distinct_error(void **state)
{
    (void)state;
    double square = 0;
    for (int set = 0; set < 60; set++) {
        struct sampling_distinct *d = base_alloc_zero(1, sizeof *d);
        for (uint64_t i = 0; i < 50000; i++) {
            const uint64_t key[] = { (uint64_t)set, i };
            sampling_distinct_add(d, sampling_hash((const char *)key, sizeof key));
        }
        square += pow(sampling_distinct_count(d) / 50000 - 1, 2);
        base_free(d);
    }
    double rms = sqrt(square / 60);
    assert_true(rms > 0.5 * SAMPLING_DISTINCT_ERROR && rms < 1.4 * SAMPLING_DISTINCT_ERROR);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Ranks of what is read, in streams of several orders, are within the bound, and usually well. */
static void test_quantiles(void **state)
{
    (void)state;
    enum { N = 700001 };
    long live = base_alloc_live();
    double *x = base_alloc(N, sizeof *x);
    for (int order = 0; order < 4; order++) {
        struct base_rng rng = base_rng_make(5, BASE_RNG_USER, (uint64_t)order);
        for (int i = 0; i < N; i++)
            x[i] = order == 0   ? i
                   : order == 1 ? -i * 0.5
                   : order == 2 ? base_rng_normal(&rng) * 1e6
                                : (double)base_rng_below(&rng, 1000);
        struct sampling_quantiles s = { 0 };
        for (int i = 0; i < N; i++)
            sampling_quantiles_add(&s, x[i]);
        qsort(x, N, sizeof *x, compare);
        static const double q[] = { 0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1 };
        double got[9], bound = sampling_quantiles_error(&s), worst = 0;
        assert_int_equal(s.n, N);
        assert_int_equal(sampling_quantiles_read(&s, q, 9, got), 0);
        for (int i = 0; i < 9; i++) {
            size_t low = 0, high = 0; /* ranks that the value has */
            while (low < N && x[low] < got[i])
                low++;
            for (high = low; high < N && x[high] == got[i];)
                high++;
            double want = q[i] * N;
            double miss = want < (double)low    ? (double)low - want
                          : want > (double)high ? want - (double)high
                                                : 0;
            worst = fmax(worst, miss / N);
        }
        assert_true(bound > 0 && bound < 0.004);
        assert_true(worst <= bound);
        assert_true(worst < 0.0012);
        sampling_quantiles_free(&s);
    }
    base_free(x);
    assert_int_equal(base_alloc_live(), live);
}

/* Values added many times at once are as if added one by one, and exact while all fit. */
static void test_quantiles_many(void **state)
{
    (void)state;
    struct sampling_quantiles s = { 0 };
    for (int v = 1000; v > 0; v--)
        sampling_quantiles_add_many(&s, v, (uint64_t)v);
    static const double q[] = { 0.25, 0.5, 1 };
    double got[3];
    assert_int_equal(s.n, 500500);
    assert_int_equal(sampling_quantiles_read(&s, q, 3, got), 0);
    double bound = sampling_quantiles_error(&s);
    assert_true(bound == 0);
    assert_true(got[0] == 500 && got[1] == 707 && got[2] == 1000);
    for (int i = 0; i < 100000; i++)
        sampling_quantiles_add_many(&s, i % 1000 + 1, 13);
    bound = sampling_quantiles_error(&s);
    assert_int_equal(sampling_quantiles_read(&s, q, 3, got), 0);
    assert_true(bound < 0.01 && fabs(got[1] - 578.2) < 12);
    sampling_quantiles_free(&s);
}

static void test_repeats(void **state)
{
    (void)state;
    struct sampling_repeats r = { 0 };
    double error;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t row = i % 900;
        assert_int_equal(sampling_repeats_add(&r, sampling_hash((const char *)&row, 8)), 0);
    }
    assert_int_equal(sampling_repeats_end(&r), 0);
    assert_true(sampling_repeats_count(&r, &error) == 100 && error == 0);
    assert_int_equal(r.example[0].first, 1);
    assert_int_equal(r.example[0].again, 901);
    sampling_repeats_free(&r);
    /* 3 million rows, of which every tenth is there twice: too many to keep */
    for (uint64_t i = 0; i < 3000000; i++)
        for (int twice = 0; twice < (i % 10 == 0 ? 2 : 1); twice++)
            assert_int_equal(sampling_repeats_add(&r, sampling_hash((const char *)&i, 8)), 0);
    assert_int_equal(sampling_repeats_end(&r), 0);
    double count = sampling_repeats_count(&r, &error);
    assert_true(r.level > 0 && error > 0 && error < 3000);
    assert_true(fabs(count - 300000) < 5 * error);
    sampling_repeats_free(&r);
}

static void test_memory(void **state)
{
    (void)state;
    long live = base_alloc_live();
    for (long n = 1; n < 12; n++) {
        struct sampling_quantiles s = { 0 };
        struct sampling_repeats r = { 0 };
        base_alloc_fail_after(n);
        int rc = 0;
        for (int i = 0; i < 20000 && rc == 0 && s.rc == 0; i++) {
            sampling_quantiles_add(&s, i);
            rc = sampling_repeats_add(&r, sampling_hash((const char *)&i, sizeof i));
        }
        base_alloc_fail_after(0);
        assert_true((rc | s.rc) == BASE_E_MEMORY || n > 5);
        sampling_quantiles_free(&s);
        sampling_repeats_free(&r);
        assert_int_equal(base_alloc_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distinct),  cmocka_unit_test(test_distinct_error),
        cmocka_unit_test(test_quantiles), cmocka_unit_test(test_quantiles_many),
        cmocka_unit_test(test_repeats),   cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
