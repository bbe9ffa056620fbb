/* Matrix products: against sums in double, and bit for bit against every other way to the same
 * product: row by row, with other thread counts, in pieces over the inner index, from every
 * storage. */
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/kernels_table.h"
#include "tensor/matmul.h"
#include <assay/base.h>
#include <immintrin.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static float *random_floats(size_t n, uint64_t item)
{
    struct base_rng r = base_rng_make(42, BASE_RNG_USER, item);
    float *x = malloc((n ? n : 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)base_rng_normal(&r);
    return x;
}

/* W [n, k] stored as dtype, and what its numbers are as floats. */
static void *store(enum tensor_dtype dtype, float *w, size_t n, size_t k)
{
    size_t bytes;
    assert_int_equal(tensor_dtype_bytes(dtype, n * k, &bytes), 0);
    void *stored = malloc(bytes);
    assert_int_equal(tensor_from_f32(dtype, w, n * k, stored), 0);
    assert_int_equal(tensor_to_f32(dtype, stored, n * k, w), 0);
    return stored;
}

static void check_double(const float *y, const float *x, const float *w, const float *bias,
                         size_t m, size_t n, size_t k)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0, size = 0;
            for (size_t p = 0; p < k; p++) {
                double t = (double)x[i * k + p] * (double)w[j * k + p];
                sum += t;
                size += fabs(t);
            }
            sum += bias ? (double)bias[j] : 0;
            /* k roundings of a chain: |error| <= k eps sum|terms|, far less in practice */
            double bound =
                (4 + sqrt((double)k)) * 6e-8 * (size + (bias ? fabs((double)bias[j]) : 0)) + 1e-30;
            if (fabs(sum - (double)y[i * n + j]) > bound)
                fail_msg("m %zu n %zu k %zu at (%zu, %zu): %.9g, expected %.9g", m, n, k, i, j,
                         (double)y[i * n + j], sum);
        }
}

static const size_t shapes[][3] = { { 1, 1, 1 },      { 1, 33, 7 },    { 2, 32, 384 },
                                    { 3, 100, 385 },  { 14, 64, 64 },  { 15, 31, 800 },
                                    { 29, 130, 96 },  { 97, 257, 64 }, { 1000, 40, 32 },
                                    { 45, 290, 1555 } };

static void products_match_double(void **state)
{
    (void)state;
    struct tensor_workspace ws = { 0 };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        float *x = random_floats(m * k, 1), *w = random_floats(n * k, 2), *b = random_floats(n, 3);
        float *y = malloc(m * n * sizeof *y), *g = malloc(m * n * sizeof *g);
        const void **rows = malloc(n * sizeof *rows);
        for (size_t j = 0; j < n; j++)
            rows[j] = w + j * k;
        struct tensor_matrix mat;
        assert_int_equal(tensor_matrix_pack(&mat, n, k, (struct tensor_rows){ rows, 1, TENSOR_F32 },
                                            TENSOR_COMPUTE_REAL),
                         0);
        assert_int_equal(tensor_matmul(&ws, y, n, x, k, m, &mat, b), 0);
        check_double(y, x, w, b, m, n, k);
        for (size_t i = 0; i < m; i++) /* with a bias, the same bits row by row */
            assert_int_equal(tensor_matmul(&ws, g + i * n, n, x + i * k, k, 1, &mat, b), 0);
        assert_memory_equal(y, g, m * n * sizeof *y);
        /* unpacked operand: the same bits */
        assert_int_equal(tensor_matmul(&ws, y, n, x, k, m, &mat, NULL), 0);
        assert_int_equal(tensor_gemm(&ws, m, n, k, x, k, 1, w, 1, k, g, n, false), 0);
        assert_memory_equal(y, g, m * n * sizeof *y);
        /* both operands transposed in memory: the same bits */
        float *xt = malloc(m * k * sizeof *xt), *wt = malloc(n * k * sizeof *wt);
        for (size_t i = 0; i < m; i++)
            for (size_t p = 0; p < k; p++)
                xt[p * m + i] = x[i * k + p];
        for (size_t j = 0; j < n; j++)
            for (size_t p = 0; p < k; p++)
                wt[p * n + j] = w[j * k + p];
        assert_int_equal(tensor_gemm(&ws, m, n, k, xt, 1, m, wt, n, 1, g, n, false), 0);
        assert_memory_equal(y, g, m * n * sizeof *y);
        /* packed from [in, out] storage: the same bits */
        struct tensor_matrix transposed;
        for (size_t j = 0; j < n; j++)
            rows[j] = wt + j;
        assert_int_equal(tensor_matrix_pack(&transposed, n, k,
                                            (struct tensor_rows){ rows, n, TENSOR_F32 },
                                            TENSOR_COMPUTE_REAL),
                         0);
        assert_int_equal(tensor_matmul(&ws, g, n, x, k, m, &transposed, NULL), 0);
        assert_memory_equal(y, g, m * n * sizeof *y);
        /* not packed, from either storage: the same bits */
        struct tensor_matrix view;
        assert_true(tensor_matrix_view(&view, n, k, (struct tensor_rows){ rows, n, TENSOR_F32 },
                                       TENSOR_COMPUTE_REAL));
        assert_int_equal(tensor_matmul(&ws, g, n, x, k, m, &view, NULL), 0);
        assert_memory_equal(y, g, m * n * sizeof *y);
        tensor_matrix_free(&view);
        for (size_t j = 0; j < n; j++)
            rows[j] = w + j * k;
        assert_true(tensor_matrix_view(&view, n, k, (struct tensor_rows){ rows, 1, TENSOR_F32 },
                                       TENSOR_COMPUTE_REAL));
        assert_int_equal(tensor_matmul(&ws, g, n, x, k, m, &view, NULL), 0);
        assert_memory_equal(y, g, m * n * sizeof *y);
        for (size_t i = 0; i < m; i++)
            assert_int_equal(tensor_matmul(&ws, g + i * n, n, x + i * k, k, 1, &view, NULL), 0);
        assert_memory_equal(y, g, m * n * sizeof *y);
        float *row = malloc(k * sizeof *row);
        tensor_matrix_row(&view, n - 1, row);
        assert_memory_equal(row, w + (n - 1) * k, k * sizeof *row);
        if (n > 2) { /* rows that are not evenly apart cannot be viewed */
            rows[n - 1] = w;
            assert_false(tensor_matrix_view(
                &view, n, k, (struct tensor_rows){ rows, 1, TENSOR_F32 }, TENSOR_COMPUTE_REAL));
        }
        /* one row at a time, and in two pieces over the inner index: the same bits */
        for (size_t i = 0; i < m; i++)
            assert_int_equal(tensor_matmul(&ws, g + i * n, n, x + i * k, k, 1, &mat, NULL), 0);
        assert_memory_equal(y, g, m * n * sizeof *y);
        size_t half = k / 2;
        assert_int_equal(tensor_gemm(&ws, m, n, half, x, k, 1, w, 1, k, g, n, false), 0);
        assert_int_equal(
            tensor_gemm(&ws, m, n, k - half, x + half, k, 1, w + half, 1, k, g, n, true), 0);
        assert_memory_equal(y, g, m * n * sizeof *y);
        for (int t = 1; t <= 3; t++) {
            base_threads_set(t);
            assert_int_equal(tensor_matmul(&ws, g, n, x, k, m, &mat, NULL), 0);
            assert_memory_equal(y, g, m * n * sizeof *y);
        }
        base_threads_set(0);
        tensor_matrix_row(&mat, n - 1, row);
        assert_memory_equal(row, w + (n - 1) * k, k * sizeof *row);
        free(row);
        tensor_matrix_free(&mat);
        tensor_matrix_free(&transposed);
        free(x), free(w), free(b), free(y), free(g), free(xt), free(wt), free(rows);
    }
    tensor_workspace_free(&ws);
}

/* Stored formats give the bits of the same numbers stored as f32, for one row and for many (q8_0
 * has sums of its own: test_matmul_q8.c). */
static void stored_formats_match_f32(void **state)
{
    (void)state;
    static const enum tensor_dtype types[] = { TENSOR_F16, TENSOR_BF16 };
    struct tensor_workspace ws = { 0 };
    for (size_t t = 0; t < 2; t++)
        for (size_t m = 1; m <= 20; m += 19) {
            size_t n = 70, k = 832;
            float *x = random_floats(m * k, 4), *w = random_floats(n * k, 5), y[20 * 70],
                  g[20 * 70], row[832];
            void *stored = store(types[t], w, n, k);
            size_t bytes;
            tensor_dtype_bytes(types[t], k, &bytes);
            const void *rows[70], *plain[70];
            for (size_t j = 0; j < n; j++) {
                rows[j] = (char *)stored + j * bytes;
                plain[j] = w + j * k;
            }
            struct tensor_matrix a, b;
            assert_int_equal(tensor_matrix_pack(&a, n, k, (struct tensor_rows){ rows, 1, types[t] },
                                                TENSOR_COMPUTE_REAL),
                             0);
            assert_int_equal(tensor_matrix_pack(&b, n, k,
                                                (struct tensor_rows){ plain, 1, TENSOR_F32 },
                                                TENSOR_COMPUTE_REAL),
                             0);
            assert_true(a.bytes < b.bytes);
            assert_int_equal(tensor_matmul(&ws, y, n, x, k, m, &a, NULL), 0);
            assert_int_equal(tensor_matmul(&ws, g, n, x, k, m, &b, NULL), 0);
            assert_memory_equal(y, g, m * n * sizeof *y);
            tensor_matrix_row(&a, 33, row);
            assert_memory_equal(row, w + 33 * k, k * sizeof *row);
            tensor_matrix_free(&a);
            tensor_matrix_free(&b);
            free(x), free(w), free(stored);
        }
    tensor_workspace_free(&ws);
}

/* bf16 products: exact for operands that are bf16 numbers already, rounded ones else. */
static void bf16_products(void **state)
{
    (void)state;
    struct tensor_workspace ws = { 0 };
    size_t m = 17, n = 45, k = 801; /* odd: the last pair is half empty */
    float *x = random_floats(m * k, 6), *w = random_floats(n * k, 7), y[17 * 45], g[17 * 45],
          row[801];
    const void *rows[45];
    for (size_t j = 0; j < n; j++)
        rows[j] = w + j * k;
    struct tensor_matrix a;
    assert_int_equal(tensor_matrix_pack(&a, n, k, (struct tensor_rows){ rows, 1, TENSOR_F32 },
                                        TENSOR_COMPUTE_BF16),
                     0);
    assert_int_equal(tensor_matmul(&ws, y, n, x, k, m, &a, NULL), 0);
    for (size_t i = 0; i < m; i++) /* each row alone: the same bits */
        assert_int_equal(tensor_matmul(&ws, g + i * n, n, x + i * k, k, 1, &a, NULL), 0);
    assert_memory_equal(y, g, sizeof y);
    for (size_t i = 0; i < m * k; i++)
        x[i] = tensor_bf16_to_f32(tensor_bf16_from_f32(x[i]));
    for (size_t i = 0; i < n * k; i++)
        w[i] = tensor_bf16_to_f32(tensor_bf16_from_f32(w[i]));
    check_double(y, x, w, NULL, m, n, k);
    tensor_matrix_row(&a, 40, row);
    assert_memory_equal(row, w + 40 * k, k * sizeof *row);
    tensor_matrix_free(&a);
    tensor_workspace_free(&ws);
    free(x), free(w);
}

/* The tile for bf16 units, with the unit's sums spelled out in multiply-adds: the same bits as the
 * products by way of float. */
#define BF16_TARGET __attribute__((target("avx512f")))
BF16_TARGET static inline __attribute__((always_inline)) __m512 dot_pairs(__m512 acc, __m512i a,
                                                                          __m512i b)
{
    __m512i mask = _mm512_set1_epi32((int)0xffff0000u);
    acc = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(a, mask)),
                          _mm512_castsi512_ps(_mm512_and_si512(b, mask)), acc);
    return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(a, 16)),
                           _mm512_castsi512_ps(_mm512_slli_epi32(b, 16)), acc);
}
#define BF16_DOT(acc, a, b) dot_pairs(acc, a, b)
#include "tensor/kernels_bf16.h"

static uint32_t pair(float even, float odd)
{
    return (uint32_t)tensor_bf16_from_f32(even) | (uint32_t)tensor_bf16_from_f32(odd) << 16;
}

static void bf16_unit_sums_like_float(void **state)
{
    (void)state;
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512f")) {
        printf("skip: bf16_unit_sums_like_float needs AVX-512\n");
        skip();
    }
    struct tensor_workspace ws = { 0 };
    size_t m = 14, n = 32, k = 200;
    float *x = random_floats(m * k, 10), *w = random_floats(n * k, 11), y[14 * 32], c[14 * 32];
    uint32_t *a = malloc(k / 2 * m * 4), *b = malloc(k / 2 * n * 4);
    const void *rows[32];
    for (size_t j = 0; j < n; j++)
        rows[j] = w + j * k;
    for (size_t p = 0; p < k; p += 2) {
        for (size_t i = 0; i < m; i++)
            a[p / 2 * m + i] = pair(x[i * k + p], x[i * k + p + 1]);
        for (size_t j = 0; j < n; j++)
            b[p / 2 * n + j] = pair(w[j * k + p], w[j * k + p + 1]);
    }
    struct tensor_matrix mat;
    assert_int_equal(tensor_matrix_pack(&mat, n, k, (struct tensor_rows){ rows, 1, TENSOR_F32 },
                                        TENSOR_COMPUTE_BF16),
                     0);
    for (size_t rows_now = 1; rows_now <= m; rows_now++) {
        assert_int_equal(tensor_matmul(&ws, y, n, x, k, rows_now, &mat, NULL), 0);
        bf16_tile(rows_now, k / 4, a, 1, m, b, c, n, 1);
        bf16_tile(rows_now, k / 2 - k / 4, a + k / 4 * m, 1, m, b + k / 4 * n, c, n, 0);
        assert_memory_equal(y, c, rows_now * n * sizeof *y);
        if (tensor_kernels_bf16()) {
            tensor_kernels_bf16()(rows_now, k / 2, a, 1, m, b, c, n, 1);
            assert_memory_equal(y, c, rows_now * n * sizeof *y);
        }
    }
    tensor_matrix_free(&mat);
    tensor_workspace_free(&ws);
    free(x), free(w), free(a), free(b);
}

/* AVX2 and AVX-512 tiles: the same bits. */
static void instruction_sets_agree(void **state)
{
    (void)state;
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vnni")) {
        printf("skip: instruction_sets_agree needs AVX-512\n");
        skip();
    }
    size_t k = 123;
    float *a = random_floats(6 * k, 8), *b = random_floats(k * 32, 9), c3[6 * 32], c4[6 * 32];
    tensor_kernels_v3.gemm(6, k, a, k, 1, b, 32, c3, 32, 1);
    tensor_kernels_v4.gemm(6, k, a, k, 1, b, 32, c4, 32, 1);
    assert_memory_equal(c3, c4, sizeof c3);
    uint16_t *h = malloc(k * 32 * 2);
    float *w3 = malloc(k * 32 * 4), *w4 = malloc(k * 32 * 4);
    for (size_t i = 0; i < k * 32; i++)
        h[i] = tensor_f16_from_f32(b[i] * (i % 7 ? 1.f : 1e-6f));
    tensor_kernels_v1.widen_f16(k, h, w3);
    tensor_kernels_v4.widen_f16(k, h, w4);
    assert_memory_equal(w3, w4, k * 32 * 4);
    free(a), free(b), free(h), free(w3), free(w4);
}

static void empty_and_overflow(void **state)
{
    (void)state;
    struct tensor_workspace ws = { 0 };
    float c[4] = { 1, 2, 3, 4 }, one = 1;
    assert_int_equal(tensor_gemm(&ws, 0, 4, 4, &one, 4, 1, &one, 1, 4, c, 4, false), 0);
    assert_int_equal(tensor_gemm(&ws, 2, 2, 0, &one, 0, 1, &one, 1, 0, c, 2, true), 0);
    assert_true(c[3] == 4);
    assert_int_equal(tensor_gemm(&ws, 2, 2, 0, &one, 0, 1, &one, 1, 0, c, 2, false), 0);
    assert_true(c[3] == 0);
    struct tensor_matrix m;
    const void *rows[1] = { &one };
    assert_int_equal(tensor_matrix_pack(&m, SIZE_MAX / 8, 8,
                                        (struct tensor_rows){ rows, 1, TENSOR_F32 },
                                        TENSOR_COMPUTE_REAL),
                     BASE_E_MEMORY);
    tensor_workspace_free(&ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_match_double),  cmocka_unit_test(stored_formats_match_f32),
        cmocka_unit_test(bf16_products),          cmocka_unit_test(bf16_unit_sums_like_float),
        cmocka_unit_test(instruction_sets_agree), cmocka_unit_test(empty_and_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
