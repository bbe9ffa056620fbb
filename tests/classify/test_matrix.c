/* Sparse rows: what goes in comes out, and what cannot be is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/memory.h"
#include "classify/matrix.h"
#include <math.h>

static void test_rows(void **state)
{
    (void)state;
    struct classify_matrix m, t;
    assert_int_equal(classify_matrix_begin(&m, 5), 0);
    for (int i = 0; i < 100; i++) {
        uint32_t column[3] = { 0, 2, 4 };
        double value[3] = { i, 0, i + .5 };
        assert_int_equal(classify_matrix_add(&m, column, value, 3), 0);
    }
    assert_int_equal(classify_matrix_add(&m, NULL, NULL, 0), 0);
    assert_int_equal(m.rows, 101);
    assert_int_equal(m.first[1] - m.first[0], 1); /* 0 and 0 are left out */
    assert_int_equal(m.first[101] - m.first[100], 0);
    assert_int_equal(m.first[101], 199);
    uint32_t pick[4] = { 7, 100, 0, 7 };
    assert_int_equal(classify_matrix_begin(&t, 5), 0);
    assert_int_equal(classify_matrix_take(&t, &m, pick, 4), 0);
    assert_int_equal(t.rows, 4);
    assert_int_equal(t.first[4], 5);
    assert_int_equal(t.column[4], 4);
    assert_true(t.value[4] == 7.5);
    assert_true(t.value[2] == .5);
    pick[0] = 101;
    assert_int_equal(classify_matrix_take(&t, &m, pick, 4), BASE_E_ARGUMENT);
    assert_int_equal(t.rows, 4);
    classify_matrix_free(&t);
    classify_matrix_free(&m);
    classify_matrix_free(&m);
}

static void test_refused(void **state)
{
    (void)state;
    struct classify_matrix m;
    assert_int_equal(classify_matrix_begin(&m, UINT32_MAX), BASE_E_LIMIT);
    classify_matrix_free(&m);
    assert_int_equal(classify_matrix_begin(&m, 3), 0);
    assert_int_equal(classify_matrix_add(&m, (uint32_t[]){ 3 }, (double[]){ 1 }, 1),
                     BASE_E_ARGUMENT);
    assert_int_equal(classify_matrix_add(&m, (uint32_t[]){ 1, 1 }, (double[]){ 1, 1 }, 2),
                     BASE_E_ARGUMENT);
    assert_int_equal(classify_matrix_add(&m, (uint32_t[]){ 1 }, (double[]){ NAN }, 1),
                     BASE_E_NUMERIC);
    assert_int_equal(m.rows, 0);
    classify_matrix_free(&m);
}

static void test_dense(void **state)
{
    (void)state;
    struct classify_matrix m;
    const double x[6] = { 1, 0, 2, 0, 0, 3 };
    assert_int_equal(classify_matrix_dense(&m, x, 2, 3), 0);
    assert_int_equal(m.rows, 2);
    assert_int_equal(m.first[1], 2);
    assert_int_equal(m.first[2], 3);
    assert_int_equal(m.column[2], 2);
    assert_true(m.value[2] == 3);
    classify_matrix_free(&m);
    assert_int_equal(classify_matrix_dense(&m, (double[]){ INFINITY }, 1, 1), BASE_E_NUMERIC);
}

static void test_memory(void **state)
{
    (void)state;
    long live = base_alloc_live();
    for (long n = 1; n < 8; n++) {
        struct classify_matrix m, t;
        base_alloc_fail_after(n);
        int rc = classify_matrix_begin(&m, 5);
        if (!rc)
            rc = classify_matrix_add(&m, (uint32_t[]){ 1 }, (double[]){ 1 }, 1);
        if (!rc && !(rc = classify_matrix_begin(&t, 5))) {
            rc = classify_matrix_take(&t, &m, (uint32_t[]){ 0 }, 1);
            classify_matrix_free(&t);
        }
        base_alloc_fail_after(0);
        classify_matrix_free(&m);
        assert_int_equal(rc, BASE_E_MEMORY);
        assert_int_equal(base_alloc_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
