/* LayerNorm and RMSNorm against a naive long double reference, forward, backward and weight
 * gradients; the same bits for any threads, split of rows, and v3 against v4. f64_norm.c is the
 * same in doubles. */
#include "ops_support.h"

#ifdef ASSAY_FLOAT64
#define TOLERANCE 2e-13
#else
#define TOLERANCE 4e-6
#endif
#define EPS  1e-5
#define ROWS 5

/* All results of one norm, in long double arithmetic. offset < 0 means LayerNorm. */
struct expected {
    double *y, *dx, *dw, *db;
};
static struct expected reference(const real *x, const real *w, const real *b, const real *dy,
                                 size_t rows, size_t d, double offset)
{
    const bool layer = offset < 0;
    struct expected e = { calloc(rows * d, sizeof(double)), calloc(rows * d, sizeof(double)),
                          calloc(d, sizeof(double)), calloc(d, sizeof(double)) };
    for (size_t r = 0; r < rows; r++) {
        const real *row = x + r * d, *g = dy + r * d;
        long double mean = 0, square = 0, mean_g = 0, mean_gh = 0;
        for (size_t i = 0; i < d; i++)
            mean += row[i] / (long double)d;
        if (!layer)
            mean = 0;
        for (size_t i = 0; i < d; i++)
            square += (row[i] - mean) * (row[i] - mean) / (long double)d;
        const long double rstd = 1 / sqrtl(square + EPS);
        for (size_t i = 0; i < d; i++) {
            const long double weight = w ? w[i] + (layer ? 0 : (long double)offset) : 1;
            const long double h = (row[i] - mean) * rstd;
            e.y[r * d + i] = (double)(h * weight + (b ? b[i] : 0));
            e.dw[i] += (double)(g[i] * h);
            e.db[i] += (double)g[i];
            mean_g += layer ? g[i] * weight / (long double)d : 0;
            mean_gh += g[i] * weight * h / (long double)d;
        }
        for (size_t i = 0; i < d; i++) {
            const long double weight = w ? w[i] + (layer ? 0 : (long double)offset) : 1;
            const long double h = (row[i] - mean) * rstd;
            e.dx[r * d + i] = (double)(rstd * (g[i] * weight - mean_g - h * mean_gh));
        }
    }
    return e;
}

static void check(size_t d, bool weights, bool bias, double offset)
{
    const size_t n = ROWS * d;
    real *x = test_normal(n, 2, 10), *dy = test_normal(n, 1, 11);
    real *w = weights ? test_normal(d, 1, 12) : NULL, *b = bias ? test_normal(d, 1, 13) : NULL;
    for (size_t i = 0; i < n; i++)
        x[i] += REAL(3.0); /* a mean that is not 0 */
    struct expected e = reference(x, w, b, dy, ROWS, d, offset);
    real *y = test_alloc(n), *dx = test_alloc(n), *mean = test_alloc(ROWS),
         *rstd = test_alloc(ROWS);
    real *dw = test_alloc(d), *db = test_alloc(d);
    memset(dw, 0, d * sizeof *dw);
    memset(db, 0, d * sizeof *db);
    if (offset < 0) {
        tensor_layer_norm(y, x, w, b, ROWS, d, EPS, mean, rstd);
        tensor_layer_norm_backward(dx, dy, x, w, mean, rstd, ROWS, d, false);
        tensor_layer_norm_gradient(dw, db, dy, x, mean, rstd, ROWS, d);
    } else {
        tensor_rms_norm(y, x, w, offset, ROWS, d, EPS, rstd);
        tensor_rms_norm_backward(dx, dy, x, w, offset, rstd, ROWS, d, false);
        tensor_rms_norm_gradient(dw, dy, x, rstd, ROWS, d);
    }
    test_close("y", y, e.y, n, TOLERANCE);
    test_close("dw", dw, e.dw, d, TOLERANCE * ROWS);
    if (offset < 0)
        test_close("db", db, e.db, d, TOLERANCE);
    /* dx of a row that is nearly constant is a small difference of numbers of the size of rstd */
    for (size_t r = 0; r < ROWS; r++)
        test_close("dx", dx + r * d, e.dx + r * d, d, TOLERANCE * (1 + (double)rstd[r]));
    test_guard(y, n), test_guard(dx, n), test_guard(dw, d), test_guard(db, d);
    test_guard(mean, offset < 0 ? ROWS : 0), test_guard(rstd, ROWS);

    /* add: dx on top of what is there; in place of dy */
    real *sum = test_copy(y, n), *in_place = test_copy(dy, n);
    if (offset < 0) {
        tensor_layer_norm_backward(sum, dy, x, w, mean, rstd, ROWS, d, true);
        tensor_layer_norm_backward(in_place, in_place, x, w, mean, rstd, ROWS, d, false);
    } else {
        tensor_rms_norm_backward(sum, dy, x, w, offset, rstd, ROWS, d, true);
        tensor_rms_norm_backward(in_place, in_place, x, w, offset, rstd, ROWS, d, false);
    }
    for (size_t i = 0; i < n; i++)
        assert_true(sum[i] == y[i] + dx[i]);
    test_same_bits(in_place, dx, n);
    free(sum), free(in_place), free(x), free(dy), free(w), free(b), free(y), free(dx);
    free(mean), free(rstd), free(dw), free(db), free(e.y), free(e.dx), free(e.dw), free(e.db);
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEST_N_WIDTHS; i++) {
        check(TEST_WIDTHS[i], true, true, -1);
        check(TEST_WIDTHS[i], true, false, -1);
        check(TEST_WIDTHS[i], false, false, -1);
        check(TEST_WIDTHS[i], true, false, 0);
        check(TEST_WIDTHS[i], true, false, 1);
        check(TEST_WIDTHS[i], false, false, 0);
    }
    check(768, true, true, -1);
    check(3072, true, false, 1);
}

/* A row far from zero keeps its variance: the two-pass form. */
static void test_large_mean(void **state)
{
    (void)state;
    real x[64], y[64], ones[64];
    for (int i = 0; i < 64; i++) {
        x[i] = (real)(4096 + i % 2);
        ones[i] = 1;
    }
    tensor_layer_norm(y, x, ones, NULL, 1, 64, 0, NULL, NULL);
    for (int i = 0; i < 64; i++)
        assert_true(y[i] == (i % 2 ? 1 : -1));
}

/* Threads 1-3, rows in one call or several: the same bits of everything. */
static void test_bits(void **state)
{
    (void)state;
    const size_t rows = 300, d = 777, n = rows * d;
    real *x = test_normal(n, 1, 20), *dy = test_normal(n, 1, 21), *w = test_normal(d, 1, 22);
    real *b = test_normal(d, 1, 23);
    real *out[6][2];
    const size_t size[6] = { n, n, rows, rows, d, d }; /* y dx mean rstd dw db */
    for (int kind = 0; kind < 2; kind++) {             /* LayerNorm, RMSNorm */
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 2; j++)
                out[i][j] = test_alloc(size[i]);
        for (int run = 0; run < 6; run++) {
            const int j = run > 0;
            const size_t step = run < 3 ? rows : run == 3 ? 1 : run == 4 ? 7 : 64;
            base_threads_set(run < 3 ? run + 1 : 2);
            memset(out[4][j], 0, d * sizeof(real));
            memset(out[5][j], 0, d * sizeof(real));
            for (size_t r = 0; r < rows; r += step) {
                const size_t m = rows - r < step ? rows - r : step, o = r * d;
                real *mean = out[2][j] + r, *rstd = out[3][j] + r;
                if (kind == 0) {
                    tensor_layer_norm(out[0][j] + o, x + o, w, b, m, d, EPS, mean, rstd);
                    tensor_layer_norm_backward(out[1][j] + o, dy + o, x + o, w, mean, rstd, m, d,
                                               false);
                    tensor_layer_norm_gradient(out[4][j], out[5][j], dy + o, x + o, mean, rstd, m,
                                               d);
                } else {
                    tensor_rms_norm(out[0][j] + o, x + o, w, 1, m, d, EPS, rstd);
                    tensor_rms_norm_backward(out[1][j] + o, dy + o, x + o, w, 1, rstd, m, d, false);
                    tensor_rms_norm_gradient(out[4][j], dy + o, x + o, rstd, m, d);
                    tensor_bias_gradient(out[5][j], dy + o, m, d, d);
                }
            }
            for (int i = 0; j && i < 6; i++)
                test_same_bits(out[i][0], out[i][1], size[i]);
        }
        for (int i = 0; i < 6; i++)
            free(out[i][0]), free(out[i][1]);
    }
    base_threads_set(0);
    free(x), free(dy), free(w), free(b);
}

static void test_instruction_sets(void **state)
{
    (void)state;
    const struct tensor_kernels *tables[3];
    if (test_tables(tables) < 3) {
        printf("skip: %s needs AVX-512\n", __func__);
        skip();
    }
    for (size_t i = 0; i < TEST_N_WIDTHS; i++) {
        const size_t d = TEST_WIDTHS[i], rows = 19;
        real *x = test_normal(rows * d, 1, 30), *dy = test_normal(rows * d, 1, 31);
        real *w = test_normal(d, 1, 32), *b = test_normal(d, 1, 33);
        real *y[2], *dx[2], *dw[2], *db[2], *mean[2], *rstd[2];
        for (int t = 0; t < 2; t++) {
            const struct tensor_kernels *k = tables[t + 1];
            y[t] = test_alloc(rows * d), dx[t] = test_alloc(rows * d);
            mean[t] = test_alloc(rows), rstd[t] = test_alloc(rows);
            dw[t] = test_copy(w, d), db[t] = test_copy(b, d);
            for (size_t r = 0; r < rows; r++) {
                k->layer_norm(y[t] + r * d, x + r * d, w, b, d, EPS, mean[t] + r, rstd[t] + r);
                k->norm_backward(dx[t] + r * d, dy + r * d, x + r * d, w, 0, mean[t][r], rstd[t][r],
                                 1, 0, d);
            }
            k->column_sums(dw[t], db[t], dy, x, mean[t], rstd[t], rows, d, d);
        }
        test_same_bits(y[0], y[1], rows * d);
        test_same_bits(dx[0], dx[1], rows * d);
        test_same_bits(dw[0], dw[1], d);
        test_same_bits(db[0], db[1], d);
        for (int t = 0; t < 2; t++)
            free(y[t]), free(dx[t]), free(dw[t]), free(db[t]), free(mean[t]), free(rstd[t]);
        free(x), free(dy), free(w), free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_large_mean),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_instruction_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
