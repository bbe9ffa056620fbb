/* Products with q8_0 weights: bit for bit the sums that kernels_q8.h promises, spelled out here in
 * plain integers, from every instruction set, for any number of rows and threads; and no further
 * from the sums in double than a chain of float multiply-adds is. */
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/kernels_table.h"
#include "tensor/matmul_q8.h"
#include <assay/base.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- the definition ---- */

/* a: the power of two of the block */
static float unit_of(const float *x)
{
    uint32_t top = 0;
    for (int i = 0; i < 32; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        bits &= 0x7fffffff;
        top = bits > top ? bits : top;
    }
    if (top >= 0x7f800000)
        return NAN;
    int e = (int)((top + 0x20000) >> 23); /* from a mantissa of 1.984 on: one more */
    return ldexpf(1, (e < 23 ? 23 : e) - 127 - 22);
}

/* One output: stored blocks w, activations x. */
static float expected(size_t blocks, const float *x, const uint8_t *w, float bias)
{
    float y = 0;
    for (size_t b = 0; b < blocks; b++, x += 32, w += 34) {
        uint16_t half;
        memcpy(&half, w, 2);
        float a = unit_of(x), d = tensor_f16_to_f32(half);
        int32_t high = 0, low = 0;
        for (int i = 0; i < 32 && !isnan(a); i++) {
            int32_t whole = (int32_t)nearbyint((double)x[i] / (double)a);
            int32_t l0 = (int8_t)(whole & 255), l1 = (int8_t)(((whole - l0) / 256) & 255);
            int32_t h = (whole - l0 - 256 * l1) / 65536;
            assert_true(h >= -128 && h <= 127 && whole == 65536 * h + 256 * l1 + l0);
            high += h * (int8_t)w[2 + i];
            low += (256 * l1 + l0) * (int8_t)w[2 + i];
        }
        float t = (float)high * 65536.f + (float)low;
        y = y + t * (d * a);
    }
    return y + bias;
}

/* ---- weights and activations of several kinds ---- */

struct problem {
    size_t m, n, k;
    float *x, *w, *bias; /* w: what the stored weights are, [n, k] */
    uint8_t *stored;
    struct tensor_matrix matrix;
};

enum kind { NORMAL, OUTLIERS, WIDE, LIMITS, KINDS };

static void problem_make(struct problem *q, size_t m, size_t n, size_t k, enum kind kind)
{
    struct base_rng r = base_rng_make(7, BASE_RNG_USER, m * 1000 + n * 10 + k + (size_t)kind);
    size_t bytes;
    *q = (struct problem){ .m = m, .n = n, .k = k };
    assert_int_equal(tensor_dtype_bytes(TENSOR_Q8_0, n * k, &bytes), 0);
    q->x = malloc(m * k * sizeof(float));
    q->w = malloc(n * k * sizeof(float));
    q->bias = malloc(n * sizeof(float));
    q->stored = malloc(bytes);
    for (size_t i = 0; i < m * k; i++) {
        q->x[i] = (float)base_rng_normal(&r);
        if (kind == OUTLIERS && i % 97 == 5)
            q->x[i] *= 300;
        if (kind == WIDE) /* from numbers below the normal ones to large ones; whole blocks of 0 */
            q->x[i] = i / 32 % 5 == 4 ? 0 : ldexpf(q->x[i], (int)(i / 32 % 8) * 28 - 140);
        if (kind == LIMITS) /* the largest magnitudes of an exponent, where limbs are full */
            q->x[i] = (i % 3 ? 1.f : -1.f) * (i % 2 ? 0x1.fffffep3f : 0x1.fbfefep3f);
    }
    for (size_t i = 0; i < n * k; i++)
        q->w[i] = (float)base_rng_normal(&r) * 0.05f;
    for (size_t j = 0; j < n; j++)
        q->bias[j] = (float)base_rng_normal(&r);
    assert_int_equal(tensor_from_f32(TENSOR_Q8_0, q->w, n * k, q->stored), 0);
    if (kind == LIMITS) /* what no encoder of ours writes: -128 */
        for (size_t b = 0; b < n * k / 32; b++)
            memset(q->stored + b * 34 + 2, b % 2 ? 0x80 : 0x7f, 32);
    assert_int_equal(tensor_to_f32(TENSOR_Q8_0, q->stored, n * k, q->w), 0);
    const void **rows = malloc(n * sizeof *rows);
    for (size_t j = 0; j < n; j++)
        rows[j] = q->stored + j * (k / 32 * 34);
    assert_int_equal(tensor_matrix_pack(&q->matrix, n, k,
                                        (struct tensor_rows){ rows, 1, TENSOR_Q8_0 },
                                        TENSOR_COMPUTE_REAL),
                     0);
    free(rows);
}

static void problem_free(struct problem *q)
{
    tensor_matrix_free(&q->matrix);
    free(q->x), free(q->w), free(q->bias), free(q->stored);
}

static void check_equal(const char *what, const float *y, size_t ldy, const struct problem *q,
                        const float *bias)
{
    for (size_t i = 0; i < q->m; i++)
        for (size_t j = 0; j < q->n; j++) {
            float e = expected(q->k / 32, q->x + i * q->k, q->stored + j * (q->k / 32 * 34),
                               bias ? bias[j] : 0);
            if (memcmp(&e, y + i * ldy + j, sizeof e) && !(bias == NULL && e == 0))
                fail_msg("%s, m %zu n %zu k %zu at (%zu, %zu): %.9g, expected %.9g", what, q->m,
                         q->n, q->k, i, j, (double)y[i * ldy + j], (double)e);
        }
}

/* ---- tests ---- */

static void instruction_sets_agree(void **state)
{
    (void)state;
    const struct tensor_kernels *sets[] = { &tensor_kernels_v1, &tensor_kernels_v3,
                                            &tensor_kernels_v4 };
    __builtin_cpu_init();
    bool has[] = { true, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
                   __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni") };
    for (size_t s = 0; s < 3; s++) {
        if (!has[s]) {
            printf("skip: q8_0 products of %s need another CPU\n", sets[s]->isa);
            continue;
        }
        for (enum kind kind = 0; kind < KINDS; kind++)
            for (size_t m = 1; m <= 9; m += m == 1 ? 1 : 7) {
                struct problem q;
                problem_make(&q, m, 32, 160, kind);
                size_t each = sets[s]->q8_block;
                uint8_t *rounded = base_alloc_large(m * 5 * each);
                float y[9 * 32];
                for (size_t i = 0; i < m; i++)
                    sets[s]->q8_round(5, q.x + i * q.k, rounded + i * each, m * each);
                sets[s]->q8_tile(m, 5, rounded, m * each, q.matrix.panels, y);
                check_equal(sets[s]->isa, y, 32, &q, NULL);
                base_free_large(rounded, m * 5 * each);
                problem_free(&q);
            }
    }
}

static void rows_and_threads(void **state)
{
    (void)state;
    static const size_t shapes[][3] = { { 1, 1, 32 },     { 1, 70, 832 },  { 2, 33, 64 },
                                        { 7, 100, 96 },   { 64, 40, 32 },  { 65, 31, 64 },
                                        { 131, 257, 64 }, { 20, 64, 3072 } };
    struct tensor_workspace ws = { 0 };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        struct problem q;
        problem_make(&q, shapes[s][0], shapes[s][1], shapes[s][2], NORMAL);
        size_t ld = q.n + 3, bytes = q.m * ld * sizeof(float);
        float *y = malloc(bytes), *g = malloc(bytes), *row = malloc(q.k * sizeof *row);
        memset(y, 0, bytes), memset(g, 0, bytes);
        assert_int_equal(tensor_matmul(&ws, y, ld, q.x, q.k, q.m, &q.matrix, q.bias), 0);
        check_equal("product", y, ld, &q, q.bias);
        for (size_t i = 0; i < q.m; i++)
            assert_int_equal(
                tensor_matmul(&ws, g + i * ld, ld, q.x + i * q.k, q.k, 1, &q.matrix, q.bias), 0);
        assert_memory_equal(y, g, bytes);
        for (int t = 1; t <= 3; t++) {
            base_threads_set(t);
            assert_int_equal(tensor_matmul(&ws, g, ld, q.x, q.k, q.m, &q.matrix, q.bias), 0);
            assert_memory_equal(y, g, bytes);
        }
        base_threads_set(0);
        assert_int_equal(tensor_matmul(&ws, g, ld, q.x, q.k, q.m, &q.matrix, NULL), 0);
        check_equal("product without bias", g, ld, &q, NULL);
        for (size_t j = 0; j < q.n; j++) { /* the weights themselves */
            tensor_matrix_row(&q.matrix, j, row);
            assert_memory_equal(row, q.w + j * q.k, q.k * sizeof *row);
        }
        free(y), free(g), free(row);
        problem_free(&q);
    }
    tensor_workspace_free(&ws);
}

/* A row with a number that is none gives such rows, and leaves the others alone. */
static void not_a_number(void **state)
{
    (void)state;
    struct tensor_workspace ws = { 0 };
    struct problem q;
    problem_make(&q, 3, 40, 96, NORMAL);
    q.x[40] = NAN;
    q.x[2 * 96 + 95] = -INFINITY;
    float y[3 * 40];
    assert_int_equal(tensor_matmul(&ws, y, 40, q.x, 96, 3, &q.matrix, NULL), 0);
    for (size_t j = 0; j < 40; j++) {
        assert_true(isnan(y[j]) && isnan(y[80 + j]));
        assert_true(y[40 + j] == expected(3, q.x + 96, q.stored + j * 102, 0));
    }
    problem_free(&q);
    tensor_workspace_free(&ws);
}

/* Distances from the sums in double, of these products and of chains of float multiply-adds. */
static void as_near_as_float(void **state)
{
    (void)state;
    static const size_t inputs[] = { 64, 256, 768, 3072 };
    struct tensor_workspace ws = { 0 };
    for (size_t s = 0; s < 4; s++)
        for (enum kind kind = NORMAL; kind <= OUTLIERS; kind++) {
            struct problem q;
            size_t n = 96, m = 40, k = inputs[s];
            problem_make(&q, m, n, k, kind);
            float *y = malloc(m * n * sizeof *y), *f = malloc(m * n * sizeof *f);
            assert_int_equal(tensor_matmul(&ws, y, n, q.x, k, m, &q.matrix, NULL), 0);
            assert_int_equal(tensor_gemm(&ws, m, n, k, q.x, k, 1, q.w, 1, k, f, n, false), 0);
            double square[2] = { 0 }, worst[2] = { 0 };
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < n; j++) {
                    double sum = 0;
                    for (size_t p = 0; p < k; p++)
                        sum += (double)q.x[i * k + p] * (double)q.w[j * k + p];
                    double e[2] = { fabs((double)y[i * n + j] - sum),
                                    fabs((double)f[i * n + j] - sum) };
                    for (int v = 0; v < 2; v++) {
                        square[v] += e[v] * e[v];
                        worst[v] = fmax(worst[v], e[v]);
                    }
                }
            /* The error of a rounded block grows with the root of k, a chain's with k; an outlier
             * costs the others of its block what it costs a chain from there on. */
            double slack = k > 256 ? 1 : kind == OUTLIERS ? 2 : 1.1;
            if (square[0] > slack * slack * square[1] || worst[0] > slack * worst[1])
                fail_msg("k %zu, kind %d: rms %.3g (float %.3g), worst %.3g (%.3g)", k, (int)kind,
                         sqrt(square[0] / (double)(m * n)), sqrt(square[1] / (double)(m * n)),
                         worst[0], worst[1]);
            free(y), free(f);
            problem_free(&q);
        }
    tensor_workspace_free(&ws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instruction_sets_agree),
        cmocka_unit_test(rows_and_threads),
        cmocka_unit_test(not_a_number),
        cmocka_unit_test(as_near_as_float),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
