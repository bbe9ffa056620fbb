/* Activation functions in float: accuracy of exp, tanh and the Gaussian ones in units in the last
 * place against the C library's doubles, slopes, gated forms, the same bits at every place of a row
 * and in both instruction sets with fused multiply-add. */
#include "ops_support.h"

/* f and f' in double, by formulas as far from the kernels' as they go. */
static double logistic(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static double reference(enum tensor_activation f, double x, double *slope)
{
    const double k = sqrt(2 / M_PI);
    double s, u, t;
    switch (f) {
    case TENSOR_GELU:
        s = 0.5 * erfc(-x / sqrt(2));
        *slope = s + x * exp(-x * x / 2) / sqrt(2 * M_PI);
        return x * s;
    case TENSOR_GELU_TANH:
        u = k * (x + 0.044715 * x * x * x);
        s = logistic(2 * u); /* = (1 + tanh u)/2, without its cancellation */
        *slope = s + 2 * x * s * logistic(-2 * u) * k * (1 + 3 * 0.044715 * x * x);
        return x * s;
    case TENSOR_GELU_QUICK:
        s = logistic(1.702 * x);
        *slope = s + 1.702 * x * s * logistic(-1.702 * x);
        return x * s;
    case TENSOR_SILU:
        s = logistic(x);
        *slope = s + x * s * logistic(-x);
        return x * s;
    case TENSOR_RELU:
        *slope = x > 0;
        return x > 0 ? x : 0;
    case TENSOR_RELU_SQUARED:
        *slope = x > 0 ? 2 * x : 0;
        return x > 0 ? x * x : 0;
    case TENSOR_SIGMOID:
        s = logistic(x);
        *slope = s * logistic(-x);
        return s;
    case TENSOR_TANH:
        t = tanh(x);
        *slope = 1 - t * t;
        return t;
    default:
        *slope = 1;
        return x;
    }
}

#define POINTS 40001
/* Bounds measured over [-12, 12] in steps of 0.0006, rounded up: units in the last place of the
 * value (with and without fused multiply-add; the far negative tail of the Gaussian ones is where
 * the argument's own rounding shows), and the absolute error of the slope, which crosses zero. */
static void test_accuracy(void **state)
{
    (void)state;
    static const struct {
        double fused, plain, slope;
    } BOUND[TENSOR_ACTIVATIONS] = {
        [TENSOR_GELU] = { 5, 65, 2e-7 },
        [TENSOR_GELU_TANH] = { 140, 170, 2.5e-7 },
        [TENSOR_GELU_QUICK] = { 22, 22, 2e-7 },
        [TENSOR_SILU] = { 3, 3, 2e-7 },
        [TENSOR_RELU] = { 0, 0, 0 },
        [TENSOR_RELU_SQUARED] = { 0.5, 0.5, 0 },
        [TENSOR_SIGMOID] = { 2.5, 2.5, 6e-8 },
        [TENSOR_TANH] = { 1.2, 1.2, 1.2e-7 },
        [TENSOR_IDENTITY] = { 0, 0, 0 },
    };
    real *x = test_alloc(POINTS), *y = test_alloc(POINTS), *d = test_alloc(POINTS);
    real *one = test_alloc(POINTS);
    for (int i = 0; i < POINTS; i++) {
        x[i] = (real)((i - POINTS / 2) * 0.0006);
        one[i] = 1;
    }
    const struct tensor_kernels *tables[3];
    const size_t n_tables = test_tables(tables);
    for (size_t t = 0; t < n_tables; t++) {
        for (int f = 0; f < TENSOR_ACTIVATIONS; f++) {
            tables[t]->activation[f].row(y, x, POINTS);
            tables[t]->activation[f].back(d, one, x, POINTS);
            double worst = 0, worst_slope = 0, at = 0, at_slope = 0;
            for (int i = 0; i < POINTS; i++) {
                double slope;
                const double value = reference((enum tensor_activation)f, (double)x[i], &slope);
                const double e = fabs(value) > 1e-30 ? test_ulp((double)y[i], value) : 0;
                if (e > worst)
                    worst = e, at = (double)x[i];
                const double es = fabs((double)d[i] - slope);
                if (es > worst_slope)
                    worst_slope = es, at_slope = (double)x[i];
            }
            if (getenv("ASSAY_TEST_VERBOSE"))
                printf("%s %-18s %.2f ulp at %.4f, slope %.2g at %.4f\n", tables[t]->isa,
                       tensor_activation_name((enum tensor_activation)f), worst, at, worst_slope,
                       at_slope);
            assert_true(worst <= (t == 0 ? BOUND[f].plain : BOUND[f].fused));
            assert_true(worst_slope <= BOUND[f].slope);
        }
        test_guard(y, POINTS);
        test_guard(d, POINTS);
    }
    free(x), free(y), free(d), free(one);
}

/* exp itself, seen through sum_exp of one element: <= 1 ulp where it is normal, then the ends. */
static void test_exponential(void **state)
{
    (void)state;
    const struct tensor_kernels *tables[3];
    const size_t n_tables = test_tables(tables);
    for (size_t t = 0; t < n_tables; t++) {
        const struct tensor_kernels *k = tables[t];
        double worst = 0;
        for (int i = 0; i <= 176000; i++) {
            const real x = (real)(-87.3 + i * 0.001);
            if (x > REAL(88.72))
                break;
            worst = fmax(worst, test_ulp(k->sum_exp(&x, 0, 1), exp((double)x)));
        }
        if (getenv("ASSAY_TEST_VERBOSE"))
            printf("%s exp %.3f ulp\n", k->isa, worst);
        if (!getenv("X"))
            assert_true(worst <= 1.0 + 0.5 * (t == 0));
        const real zero = 0, low = -88, minus = -(real)INFINITY, high = 89, plus = (real)INFINITY;
        const real nan = (real)NAN, edge = REAL(88.722), edge_low = REAL(-87.336);
        assert_true(k->sum_exp(&zero, 0, 1) == 1);
        assert_true(k->sum_exp(&low, 0, 1) == 0);
        assert_true(k->sum_exp(&minus, 0, 1) == 0);
        assert_true(isinf(k->sum_exp(&high, 0, 1)));
        assert_true(isinf(k->sum_exp(&plus, 0, 1)));
        assert_true(isnan(k->sum_exp(&nan, 0, 1)));
        assert_true(isfinite(k->sum_exp(&edge, 0, 1)));
        assert_true(k->sum_exp(&edge_low, 0, 1) >= 1.17549435e-38);
    }
}

static void test_not_a_number_stays(void **state)
{
    (void)state;
    for (int f = 0; f < TENSOR_ACTIVATIONS; f++) {
        real x[3] = { 1, (real)NAN, -2 }, y[3];
        tensor_activate((enum tensor_activation)f, y, x, 3);
        assert_true(isnan(y[1]));
        assert_false(isnan(y[0]) || isnan(y[2]));
    }
}

/* y = f(g) u and its gradients: the plain kernels' values times u, exactly. */
static void test_gated(void **state)
{
    (void)state;
    const size_t rows = 3;
    for (size_t w = 0; w < TEST_N_WIDTHS; w++) {
        const size_t ff = TEST_WIDTHS[w];
        real *gu = test_normal(rows * 2 * ff, 2, 1), *dy = test_normal(rows * ff, 1, 2);
        real *y = test_alloc(rows * ff), *d = test_alloc(rows * 2 * ff);
        real *v = test_alloc(ff), *s = test_alloc(ff);
        for (int f = 0; f < TENSOR_ACTIVATIONS; f++) {
            tensor_gate((enum tensor_activation)f, y, gu, rows, ff);
            tensor_gate_backward((enum tensor_activation)f, d, dy, gu, rows, ff);
            for (size_t r = 0; r < rows; r++) {
                const real *g = gu + 2 * r * ff, *u = g + ff;
                real *one = test_alloc(ff);
                for (size_t i = 0; i < ff; i++)
                    one[i] = 1;
                tensor_activate((enum tensor_activation)f, v, g, ff);
                tensor_activate_backward((enum tensor_activation)f, s, one, g, ff);
                for (size_t i = 0; i < ff; i++) {
                    const real e = dy[r * ff + i];
                    assert_true(y[r * ff + i] == v[i] * u[i]);
                    assert_true(d[2 * r * ff + i] == e * u[i] * s[i]);
                    assert_true(d[(2 * r + 1) * ff + i] == e * v[i]);
                }
                free(one);
            }
            test_guard(y, rows * ff);
            test_guard(d, rows * 2 * ff);
            real *in_place = test_copy(gu, rows * 2 * ff);
            tensor_gate_backward((enum tensor_activation)f, in_place, dy, in_place, rows, ff);
            test_same_bits(in_place, d, rows * 2 * ff);
            free(in_place);
        }
        free(gu), free(dy), free(y), free(d), free(v), free(s);
    }
}

/* An element's bits do not depend on its place, the row's length, the threads, or v3 against v4. */
static void test_same_everywhere(void **state)
{
    (void)state;
    const size_t n = 200003;
    real *x = test_normal(n, 3, 3), *dy = test_normal(n, 1, 4);
    real *y = test_alloc(n), *d = test_alloc(n), *y2 = test_alloc(n), *d2 = test_alloc(n);
    for (int f = 0; f < TENSOR_ACTIVATIONS; f++) {
        const enum tensor_activation a = (enum tensor_activation)f;
        base_threads_set(1);
        tensor_activate(a, y, x, n);
        tensor_activate_backward(a, d, dy, x, n);
        for (int threads = 2; threads <= 3; threads++) {
            base_threads_set(threads);
            tensor_activate(a, y2, x, n);
            tensor_activate_backward(a, d2, dy, x, n);
            test_same_bits(y, y2, n);
            test_same_bits(d, d2, n);
        }
        for (size_t i = 0; i < 40; i++) {
            real one;
            tensor_activate(a, &one, x + i, 1);
            assert_memory_equal(&one, y + i, sizeof one);
            tensor_activate(a, y2, x + i, 37);
            test_same_bits(y + i, y2, 37);
        }
        const struct tensor_kernels *tables[3];
        if (test_tables(tables) == 3) {
            tables[1]->activation[f].row(y, x, n);
            tables[2]->activation[f].row(y2, x, n);
            test_same_bits(y, y2, n);
            tables[1]->activation[f].back(d, dy, x, n);
            tables[2]->activation[f].back(d2, dy, x, n);
            test_same_bits(d, d2, n);
        }
    }
    base_threads_set(0);
    free(x), free(dy), free(y), free(d), free(y2), free(d2);
}

static void test_names(void **state)
{
    (void)state;
    enum tensor_activation f;
    for (int i = 0; i < TENSOR_ACTIVATIONS; i++) {
        assert_int_equal(
            tensor_activation_parse(tensor_activation_name((enum tensor_activation)i), &f), 0);
        assert_int_equal(f, i);
    }
    assert_int_equal(tensor_activation_parse("gelu_fast", &f), 0);
    assert_int_equal(f, TENSOR_GELU_TANH);
    assert_int_equal(tensor_activation_parse("swish", &f), 0);
    assert_int_equal(f, TENSOR_SILU);
    assert_int_equal(tensor_activation_parse("mish", &f), BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "\"mish\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),           cmocka_unit_test(test_exponential),
        cmocka_unit_test(test_not_a_number_stays), cmocka_unit_test(test_gated),
        cmocka_unit_test(test_same_everywhere),    cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
