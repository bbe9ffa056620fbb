/* Rotary positions: frequencies of every scaling against independently computed values, rotation
 * against the complex product, backward as transpose, errors, bits. f64_rope.c: the same in
 * doubles. */
#include "ops_support.h"
#include <complex.h>

#ifdef ASSAY_FLOAT64
#define TOLERANCE 1e-14
#else
#define TOLERANCE 4e-7
#endif

static struct tensor_rope *rope(const struct tensor_rope_options *o)
{
    struct tensor_rope *r;
    assert_int_equal(tensor_rope_new(&r, o), 0);
    return r;
}

static void test_rotation(void **state)
{
    (void)state;
    static const size_t ROTARY[] = { 2, 6, 16, 32, 40, 80 };
    const size_t rows = 6, heads = 3;
    for (size_t c = 0; c < 12; c++) {
        const bool interleaved = c % 2;
        const size_t rotary = ROTARY[c / 2], head_dim = rotary + 5, ld = heads * head_dim + 3;
        struct tensor_rope *r = rope(&(struct tensor_rope_options){ .rotary = rotary,
                                                                    .base = 10000,
                                                                    .interleaved = interleaved,
                                                                    .attention_factor = 1.25 });
        const int32_t positions[] = { 0, 1, 2, 77, 4095, 131071 };
        real *angles = test_alloc(rows * rotary);
        tensor_rope_angles(r, angles, positions, rows);
        test_guard(angles, rows * rotary);
        real *x = test_normal(rows * ld, 1, 1), *y = test_copy(x, rows * ld);
        tensor_rope_apply(r, y, angles, rows, ld, heads, head_dim);
        test_guard(y, rows * ld);
        for (size_t row = 0; row < rows; row++) {
            for (size_t i = 0; i < ld; i++) {
                const size_t h = i / head_dim, j = i % head_dim, at = row * ld + i;
                if (h >= heads || j >= rotary) {
                    assert_true(x[at] == y[at]); /* not turned */
                    continue;
                }
                const size_t half = rotary / 2, pair = interleaved ? j / 2 : j % half;
                const bool second = interleaved ? j % 2 : j >= half;
                const size_t base = row * ld + h * head_dim;
                const size_t a = base + (interleaved ? 2 * pair : pair);
                const size_t b = base + (interleaved ? 2 * pair + 1 : pair + half);
                const double angle =
                    positions[row] * pow(10000, -2.0 * (double)pair / (double)rotary);
                const double complex z = 1.25 * ((double)x[a] + I * (double)x[b]) * cexp(I * angle);
                const double expected = second ? cimag(z) : creal(z);
                /* at position 131071 an angle's own rounding in double is 1.5e-11 */
                test_close("rotated", y + at, &expected, 1, TOLERANCE + 2e-16 * positions[row]);
            }
        }
        /* <apply(x), g> = <x, backward(g)> */
        real *g = test_normal(rows * ld, 1, 2), *back = test_copy(g, rows * ld);
        tensor_rope_backward(r, back, angles, rows, ld, heads, head_dim);
        double left = 0, right = 0, size = 0;
        for (size_t i = 0; i < rows * ld; i++) {
            left += (double)y[i] * (double)g[i];
            right += (double)x[i] * (double)back[i];
            size += fabs((double)x[i] * (double)back[i]);
        }
        assert_true(fabs(left - right) <= TOLERANCE * size);
        free(x), free(y), free(g), free(back), free(angles);
        tensor_rope_free(r);
    }
}

static void check_frequencies(const struct tensor_rope_options *o, const double *expected,
                              double attention)
{
    struct tensor_rope *r = rope(o);
    const int32_t zero = 0;
    real *angles = test_alloc(o->rotary);
    tensor_rope_angles(r, angles, &zero, 1);
    for (size_t i = 0; i < o->rotary / 2; i++) {
        const double f = tensor_rope_frequency(r, i);
        if (!(fabs(f / expected[i] - 1) < 1e-6)) {
            print_error("pair %zu: %.12g, expected %.12g\n", i, f, expected[i]);
            fail();
        }
        assert_true(fabs((double)angles[i] - attention) < 1e-6);
        assert_true(angles[o->rotary / 2 + i] == 0);
    }
    free(angles);
    tensor_rope_free(r);
}

/* Values of transformers 5's rope_utils (float32 there), printed by tests/oracle/rope.py. */
static void test_scalings(void **state)
{
    (void)state;
#include "data/rope_frequencies.h"
}

static void test_errors(void **state)
{
    (void)state;
    const struct tensor_rope_options good = { .rotary = 8,
                                              .base = 10000,
                                              .factor = 4,
                                              .original_context = 64,
                                              .low_frequency_factor = 1,
                                              .high_frequency_factor = 4,
                                              .beta_fast = 32,
                                              .beta_slow = 1 };
    struct tensor_rope_options o;
    struct tensor_rope *r = (struct tensor_rope *)1;
#define REFUSED(change, word)                                                                      \
    do {                                                                                           \
        o = good;                                                                                  \
        change;                                                                                    \
        assert_int_equal(tensor_rope_new(&r, &o), BASE_E_ARGUMENT);                                \
        assert_null(r);                                                                            \
        assert_non_null(strstr(base_error_message(), word));                                       \
    } while (0)
    REFUSED(o.rotary = 0, "rotary");
    REFUSED(o.rotary = 7, "7");
    REFUSED(o.base = 1, "theta");
    REFUSED(o.base = NAN, "theta");
    REFUSED(o.scaling = TENSOR_ROPE_LINEAR; o.factor = 0, "factor");
    REFUSED(o.scaling = TENSOR_ROPE_LLAMA3; o.original_context = 0, "original context");
    REFUSED(o.scaling = TENSOR_ROPE_LLAMA3; o.high_frequency_factor = 1, "llama3");
    REFUSED(o.scaling = TENSOR_ROPE_YARN; o.beta_slow = 0, "yarn");
    REFUSED(o.scaling = TENSOR_ROPE_LONGROPE, "longrope");
    REFUSED(o.scaling = (enum tensor_rope_scaling)9, "9");
}

static void test_bits(void **state)
{
    (void)state;
    const size_t rows = 400, heads = 8, head_dim = 40, ld = heads * head_dim;
    struct tensor_rope *r = rope(&(struct tensor_rope_options){ .rotary = 36, .base = 10000 });
    int32_t positions[400];
    for (size_t i = 0; i < rows; i++)
        positions[i] = (int32_t)(i * 7);
    real *a[2], *x[2];
    for (int threads = 1; threads <= 3; threads++) {
        const int j = threads > 1;
        base_threads_set(threads);
        a[j] = test_alloc(rows * 36);
        x[j] = test_normal(rows * ld, 1, 5);
        tensor_rope_angles(r, a[j], positions, rows);
        tensor_rope_apply(r, x[j], a[j], rows, ld, heads, head_dim);
        if (j) {
            test_same_bits(a[0], a[1], rows * 36);
            test_same_bits(x[0], x[1], rows * ld);
            free(a[1]), free(x[1]);
        }
    }
    base_threads_set(0);
    const struct tensor_kernels *tables[3];
    if (test_tables(tables) == 3) {
        for (int interleaved = 0; interleaved < 2; interleaved++) {
            real *u = test_normal(36, 1, 6), *v = test_copy(u, 36);
            tables[1]->rotate(u, a[0] + 36, a[0] + 54, 1, 18, interleaved);
            tables[2]->rotate(v, a[0] + 36, a[0] + 54, 1, 18, interleaved);
            test_same_bits(u, v, 36);
            free(u), free(v);
        }
    }
    free(a[0]), free(x[0]);
    tensor_rope_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_scalings),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
