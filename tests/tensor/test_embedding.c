/* Embeddings, residual sums, biases and dropout. Their arithmetic is one rounding per element, so
 * most comparisons are exact. f64_embedding.c: the same in doubles. */
#include "ops_support.h"

static void test_gather(void **state)
{
    (void)state;
    const size_t rows = 7, vocabulary = 5, d = 64;
    const int32_t ids[] = { 4, 0, 0, 3, 1, 4, 2 };
    float table[5 * 64];
    struct base_rng rng = base_rng_make(1, BASE_RNG_USER, 1);
    for (size_t i = 0; i < vocabulary * d; i++)
        table[i] = (float)base_rng_normal(&rng);
    static const enum tensor_dtype DTYPES[] = { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_Q8_0,
                                                TENSOR_F64 };
    for (size_t t = 0; t < sizeof DTYPES / sizeof *DTYPES; t++) {
        unsigned char stored[5 * 64 * 8];
        float back[5 * 64];
        assert_int_equal(tensor_from_f32(DTYPES[t], table, vocabulary * d, stored), 0);
        assert_int_equal(tensor_to_f32(DTYPES[t], stored, vocabulary * d, back), 0);
        for (int scaled = 0; scaled < 2; scaled++) {
            real *y = test_alloc(rows * d);
            tensor_embed(y, DTYPES[t], stored, ids, rows, d, scaled ? 8 : 1);
            for (size_t i = 0; i < rows * d; i++)
                assert_true(y[i] == (real)back[(size_t)ids[i / d] * d + i % d] * (scaled ? 8 : 1));
            test_guard(y, rows * d);
            free(y);
        }
    }
}

static void test_gather_real(void **state)
{
    (void)state;
    const int32_t ids[] = { 2, 2, 0, 1 };
    for (size_t w = 0; w < TEST_N_WIDTHS; w++) {
        const size_t d = TEST_WIDTHS[w];
        real *table = test_normal(3 * d, 1, 1), *y = test_alloc(4 * d);
        tensor_embed_real(y, table, ids, 4, d, 0.5, false);
        for (size_t i = 0; i < 4 * d; i++)
            assert_true(y[i] == table[(size_t)ids[i / d] * d + i % d] / 2);
        tensor_embed_real(y, table, ids, 4, d, 0.5, true);
        for (size_t i = 0; i < 4 * d; i++)
            assert_true(y[i] == table[(size_t)ids[i / d] * d + i % d]);
        test_guard(y, 4 * d);
        free(table), free(y);
    }
}

/* Every table row gets its rows of dy in order, one rounding each: a plain loop gives the same bits
 * when the scale is a power of two. */
static void test_scatter(void **state)
{
    (void)state;
    const size_t vocabulary = 11, rows = 400;
    int32_t ids[400];
    for (size_t r = 0; r < rows; r++)
        ids[r] = (int32_t)(r * r % vocabulary);
    const size_t widths[] = { 1, 7, 16, 33, 768 };
    for (size_t w = 0; w < 5; w++) {
        const size_t d = widths[w], n = vocabulary * d;
        real *start = test_normal(n, 1, 1), *dy = test_normal(rows * d, 1, 2);
        real *expected = test_copy(start, n);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < d; i++)
                expected[(size_t)ids[r] * d + i] += dy[r * d + i] / 2;
        for (int threads = 1; threads <= 3; threads++) {
            base_threads_set(threads);
            real *table = test_copy(start, n);
            tensor_embed_gradient(table, dy, ids, rows, d, 0.5);
            test_same_bits(table, expected, n);
            test_guard(table, n);
            memcpy(table, start, n * sizeof *table);
            for (size_t r = 0; r < rows; r += 67) /* in several calls */
                tensor_embed_gradient(table, dy + r * d, ids + r, rows - r < 67 ? rows - r : 67, d,
                                      0.5);
            test_same_bits(table, expected, n);
            free(table);
        }
        free(start), free(dy), free(expected);
    }
    base_threads_set(0);
}

static void test_sums(void **state)
{
    (void)state;
    for (size_t w = 0; w < TEST_N_WIDTHS; w++) {
        const size_t d = TEST_WIDTHS[w], ld = d + 3, rows = 37, n = rows * ld;
        real *a = test_normal(n, 1, 1), *b = test_normal(n, 1, 2), *y = test_alloc(n);
        tensor_add(y, a, b, n);
        for (size_t i = 0; i < n; i++)
            assert_true(y[i] == a[i] + b[i]);
        tensor_scale(y, y, 0.1, n);
        for (size_t i = 0; i < n; i++)
            assert_true(y[i] == (a[i] + b[i]) * (real)0.1);
        test_guard(y, n);
        memcpy(y, a, n * sizeof *y);
        tensor_bias_add(y, b, rows, d, ld);
        for (size_t i = 0; i < n; i++)
            assert_true(y[i] == (i % ld < d ? a[i] + b[i % ld] : a[i]));
        real *sum = test_copy(b, d), *expected = test_copy(b, d);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < d; i++)
                expected[i] += a[r * ld + i];
        tensor_bias_gradient(sum, a, rows, d, ld);
        test_same_bits(sum, expected, d);
        test_guard(sum, d);
        free(a), free(b), free(y), free(sum), free(expected);
    }
}

/* The mask is number first+i of the stream against p 2^32, in whatever pieces it is asked for. */
static void test_dropout(void **state)
{
    (void)state;
    const size_t n = 50021;
    const double p = 0.3;
    real *x = test_normal(n, 1, 1), *y = test_alloc(n), *pieces = test_alloc(n);
    struct base_rng stream = base_rng_make(99, BASE_RNG_DROPOUT, 0x1234567890ull), numbers = stream;
    const uint64_t first =
        4294967293u * 4ull + 3; /* the block number's low word overflows on the way */
    tensor_dropout(y, x, n, &stream, first, p);
    base_rng_seek(&numbers, first);
    size_t dropped = 0;
    for (size_t i = 0; i < n; i++) {
        const bool keep = base_rng_u32(&numbers) >= (uint32_t)(p * 4294967296.0);
        dropped += !keep;
        assert_true(y[i] == (keep ? x[i] * (real)(1 / (1 - p)) : 0));
    }
    /* binomial: sd 102 */
    assert_true(fabs((double)dropped - p * (double)n) < 5 * 103);
    test_guard(y, n);
    for (int threads = 1; threads <= 3; threads++) {
        base_threads_set(threads);
        static const size_t STEPS[] = { 50021, 1, 63, 64, 65, 777 };
        for (size_t s = threads > 1 ? 5 : 0; s < 6; s++) {
            for (size_t i = 0; i < n; i += STEPS[s])
                tensor_dropout(pieces + i, x + i, n - i < STEPS[s] ? n - i : STEPS[s], &stream,
                               first + i, p);
            test_same_bits(y, pieces, n);
        }
        tensor_dropout(pieces, x, n, &stream, first, p);
        test_same_bits(y, pieces, n);
    }
    base_threads_set(0);
    tensor_dropout(pieces, x, n, &stream, 0, 0);
    test_same_bits(pieces, x, n);
    const struct tensor_kernels *tables[3];
    const size_t n_tables = test_tables(tables);
    for (size_t t = 0; t < n_tables; t++) {
        const uint32_t item[2] = { stream.counter[2], stream.counter[3] };
        tables[t]->dropout(pieces, x, n, stream.key, item, first, (uint32_t)(p * 4294967296.0),
                           (real)(1 / (1 - p)));
        test_same_bits(y, pieces, n);
    }
    free(x), free(y), free(pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather),  cmocka_unit_test(test_gather_real),
        cmocka_unit_test(test_scatter), cmocka_unit_test(test_sums),
        cmocka_unit_test(test_dropout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
