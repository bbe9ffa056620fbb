/* Rows of logits: log-sum-exp, log-probabilities, argmax, cross-entropy with its gradient in place,
 * soft cap; against long double references, at the ends of the number range, and bit for bit over
 * threads, row blocks and instruction sets. f64_loss.c: the same in doubles. */
#include "ops_support.h"

#ifdef ASSAY_FLOAT64
#define TOLERANCE 3e-14
#else
#define TOLERANCE 6e-7
#endif

static long double reference_lse(const real *x, size_t n)
{
    long double m = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        m = x[i] > m ? x[i] : m;
    for (size_t i = 0; i < n; i++)
        sum += expl(x[i] - m);
    return m + logl(sum);
}

static void test_log_sum_exp(void **state)
{
    (void)state;
    for (size_t w = 0; w < TEST_N_WIDTHS; w++) {
        for (int scale = 0; scale < 4; scale++) {
            const size_t n = TEST_WIDTHS[w] * (scale == 3 ? 131 : 1);
            real *x = test_normal(n, pow(10, scale - 1), w);
            const double expected = (double)reference_lse(x, n);
            /* the sum is good to 2e-8 whatever the size of the logits */
            assert_true(fabs(tensor_log_sum_exp(x, n) - expected) <=
                        (sizeof(real) == 4 ? 3e-8 : 1e-13 * fmax(1, fabs(expected))));
            free(x);
        }
    }
    const real low = -(real)INFINITY;
    real x[20];
    for (int i = 0; i < 20; i++)
        x[i] = low;
    assert_true(tensor_log_sum_exp(x, 20) == -(double)INFINITY);
    x[17] = 3;
    assert_true(tensor_log_sum_exp(x, 20) == 3);
    x[3] = 1000, x[17] = -1000;
    assert_true(tensor_log_sum_exp(x, 20) == 1000);
    x[4] = (real)NAN;
    assert_true(isnan(tensor_log_sum_exp(x, 20)));
}

static void test_argmax(void **state)
{
    (void)state;
    for (size_t w = 0; w < TEST_N_WIDTHS; w++) {
        const size_t n = TEST_WIDTHS[w];
        real *x = test_normal(n, 1, w);
        for (size_t at = 0; at < n; at++) {
            const real keep = x[at];
            x[at] = 100;
            assert_int_equal(tensor_argmax(x, n), at);
            x[n - 1] = 100; /* a tie: the lower index */
            assert_int_equal(tensor_argmax(x, n), at);
            x[n - 1] = -1;
            x[at] = keep;
        }
        free(x);
    }
    real x[5] = { 1, (real)NAN, 3, 2, 3 };
    assert_int_equal(tensor_argmax(x, 5), 2);
    for (int i = 0; i < 5; i++)
        x[i] = (real)NAN;
    assert_int_equal(tensor_argmax(x, 5), 0);
    for (int i = 0; i < 5; i++)
        x[i] = -(real)INFINITY;
    assert_int_equal(tensor_argmax(x, 5), 0);
}

static void test_log_softmax(void **state)
{
    (void)state;
    const size_t rows = 4, n = 117, ld = 120;
    real *x = test_normal(rows * ld, 3, 5);
    const int32_t targets[] = { 0, 116, -1, 60 };
    x[3 * ld + 60] = 50;
    x[3 * ld + 70] = 50; /* tie, but 60 is lower: greedy */
    double logprob[4];
    bool greedy[4];
    tensor_log_softmax(x, targets, rows, n, ld, logprob, greedy);
    for (size_t r = 0; r < rows; r++) {
        if (targets[r] < 0) {
            assert_true(isnan(logprob[r]));
            assert_false(greedy[r]);
            continue;
        }
        const real *row = x + r * ld;
        const double expected = (double)((long double)row[targets[r]] - reference_lse(row, n));
        assert_true(fabs(logprob[r] - expected) < 3e-8);
    }
    assert_true(greedy[3]);
    free(x);
}

/* Loss and gradient for all widths, with and without cap, with ignored rows. */
static void test_cross_entropy(void **state)
{
    (void)state;
    const size_t rows = 5;
    for (size_t w = 0; w < TEST_N_WIDTHS; w++) {
        for (int capped = 0; capped < 2; capped++) {
            const size_t n = TEST_WIDTHS[w], ld = n + 2;
            const double cap = capped ? 5 : 0, scale = 0.25;
            real *x = test_normal(rows * ld, 4, w), *g = test_copy(x, rows * ld);
            real *forward = test_copy(x, rows * ld);
            int32_t targets[5];
            for (size_t r = 0; r < rows; r++)
                targets[r] = r == 2 ? -1 : (int32_t)((r * 37 + n - 1) % n);
            double loss[5], loss_only[5];
            tensor_cross_entropy(g, targets, rows, n, ld, scale, cap, loss, true);
            tensor_cross_entropy(forward, targets, rows, n, ld, scale, cap, loss_only, false);
            for (size_t r = 0; r < rows; r++) {
                const real *row = x + r * ld;
                long double sum = 0;
                assert_true(loss[r] == loss_only[r]);
                assert_true(g[r * ld + n] == row[n] && g[r * ld + n + 1] == row[n + 1]);
                if (targets[r] < 0) {
                    assert_true(loss[r] == 0);
                    for (size_t i = 0; i < n; i++)
                        assert_true(g[r * ld + i] == 0);
                    continue;
                }
                for (size_t i = 0; i < n; i++)
                    sum += expl(capped ? cap * tanhl(row[i] / (long double)cap) : row[i]);
                for (size_t i = 0; i < n; i++) {
                    const long double z = capped ? cap * tanhl(row[i] / (long double)cap) : row[i];
                    const long double slope = capped ? 1 - z * z / (cap * cap) : 1;
                    const bool hit = i == (size_t)targets[r];
                    const double e = (double)(scale * (expl(z) / sum - hit) * slope);
                    test_close("gradient", g + r * ld + i, &e, 1, TOLERANCE);
                    const double ez = (double)z;
                    test_close("capped", forward + r * ld + i, &ez, 1, TOLERANCE);
                    if (hit)
                        assert_true(fabs(loss[r] - (double)(logl(sum) - z)) <= 4 * TOLERANCE);
                }
            }
            free(x), free(g), free(forward);
        }
    }
}

/* A certain prediction: loss and gradient keep their relative accuracy as p -> 1. */
static void test_certain(void **state)
{
    (void)state;
    real x[2] = { 12, 0 };
    const int32_t target = 0;
    double loss;
    tensor_cross_entropy(x, &target, 1, 2, 2, 1, 0, &loss, true);
    const double p = exp(-12) / (1 + exp(-12));
    assert_true(fabs(loss / log1p(exp(-12)) - 1) < 1e-7);
    assert_true(fabs((double)x[0] / -p - 1) < 1e-6);
    assert_true(fabs((double)x[1] / p - 1) < 1e-6);
}

static void test_softcap(void **state)
{
    (void)state;
    const size_t n = 1003;
    real *x = test_normal(n, 40, 8), *dy = test_normal(n, 1, 9);
    real *y = test_alloc(n), *dx = test_alloc(n);
    tensor_softcap(y, x, 30, n);
    tensor_softcap_backward(dx, dy, y, 30, n);
    for (size_t i = 0; i < n; i++) {
        const double t = tanh((double)x[i] / 30), ey = 30 * t;
        test_close("softcap", y + i, &ey, 1, TOLERANCE);
        const double ed = (double)dy[i] * (1 - t * t);
        test_close("softcap backward", dx + i, &ed, 1, TOLERANCE);
    }
    test_guard(y, n), test_guard(dx, n);
    free(x), free(dy), free(y), free(dx);
}

static void test_bits(void **state)
{
    (void)state;
    const size_t rows = 37, n = 5003;
    real *x = test_normal(rows * n, 3, 11), *g[2];
    int32_t targets[37];
    double loss[2][37], logprob[2][37];
    for (size_t r = 0; r < rows; r++)
        targets[r] = (int32_t)(r * 131 % n);
    for (int run = 0; run < 6; run++) {
        const int j = run > 0;
        const size_t step = run < 3 ? rows : run == 3 ? 1 : run == 4 ? 2 : 7;
        base_threads_set(run < 3 ? run + 1 : 2);
        g[j] = test_copy(x, rows * n);
        for (size_t r = 0; r < rows; r += step) {
            const size_t m = rows - r < step ? rows - r : step;
            tensor_log_softmax(x + r * n, targets + r, m, n, n, logprob[j] + r, NULL);
            tensor_cross_entropy(g[j] + r * n, targets + r, m, n, n, 0.125, 30, loss[j] + r, true);
        }
        if (j) {
            test_same_bits(g[0], g[1], rows * n);
            assert_memory_equal(loss[0], loss[1], sizeof loss[0]);
            assert_memory_equal(logprob[0], logprob[1], sizeof logprob[0]);
            free(g[1]);
        }
    }
    base_threads_set(0);
    const struct tensor_kernels *tables[3];
    if (test_tables(tables) == 3) {
        real *u = test_copy(x, n), *v = test_copy(x, n);
        const real m = tables[1]->max(x, n);
        assert_true(m == tables[2]->max(x, n) && m == tables[0]->max(x, n));
        assert_true(tables[1]->sum_exp(x, m, n) == tables[2]->sum_exp(x, m, n));
        tables[1]->softcap(u, u, 30, n);
        tables[2]->softcap(v, v, 30, n);
        test_same_bits(u, v, n);
        tables[1]->softmax_gradient(u, 3, REAL(0.1), REAL(0.03), n);
        tables[2]->softmax_gradient(v, 3, REAL(0.1), REAL(0.03), n);
        test_same_bits(u, v, n);
        free(u), free(v);
    }
    free(x), free(g[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_sum_exp), cmocka_unit_test(test_argmax),
        cmocka_unit_test(test_log_softmax), cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_certain),     cmocka_unit_test(test_softcap),
        cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
