/* In the float64 build q8_0 weights are multiplied as the numbers they are: the bits of the same
 * weights stored as floats, for one row and for many. */
#include "base/rng.h"
#include "tensor/matmul.h"
#include <assay/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void weights_as_they_are(void **state)
{
    (void)state;
    enum { N = 70, K = 832 };
    struct base_rng r = base_rng_make(3, BASE_RNG_USER, 0);
    float *w = malloc(N * K * sizeof *w);
    uint8_t *stored = malloc(N * K / 32 * 34);
    for (size_t i = 0; i < N * K; i++)
        w[i] = (float)base_rng_normal(&r);
    assert_int_equal(tensor_from_f32(TENSOR_Q8_0, w, N * K, stored), 0);
    assert_int_equal(tensor_to_f32(TENSOR_Q8_0, stored, N * K, w), 0);
    const void *rows[N], *plain[N];
    for (size_t j = 0; j < N; j++) {
        rows[j] = stored + j * (K / 32 * 34);
        plain[j] = w + j * K;
    }
    struct tensor_matrix a, b;
    assert_int_equal(tensor_matrix_pack(&a, N, K, (struct tensor_rows){ rows, 1, TENSOR_Q8_0 },
                                        TENSOR_COMPUTE_REAL),
                     0);
    assert_int_equal(tensor_matrix_pack(&b, N, K, (struct tensor_rows){ plain, 1, TENSOR_F32 },
                                        TENSOR_COMPUTE_REAL),
                     0);
    struct tensor_workspace ws = { 0 };
    for (size_t m = 1; m <= 20; m += 19) {
        real *x = malloc(m * K * sizeof *x), *y = malloc(m * N * sizeof *y),
             *g = malloc(m * N * sizeof *g), row[K];
        for (size_t i = 0; i < m * K; i++)
            x[i] = base_rng_normal(&r);
        assert_int_equal(tensor_matmul(&ws, y, N, x, K, m, &a, NULL), 0);
        assert_int_equal(tensor_matmul(&ws, g, N, x, K, m, &b, NULL), 0);
        assert_memory_equal(y, g, m * N * sizeof *y);
        tensor_matrix_row(&a, 33, row);
        for (size_t p = 0; p < K; p++)
            assert_true(row[p] == (real)w[33 * K + p]);
        free(x), free(y), free(g);
    }
    tensor_workspace_free(&ws);
    tensor_matrix_free(&a);
    tensor_matrix_free(&b);
    free(w), free(stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(weights_as_they_are) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
