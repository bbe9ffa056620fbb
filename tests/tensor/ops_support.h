/* What the tests of the ops share: reproducible inputs, the tables this CPU can run, comparisons.
 */
#ifndef TESTS_OPS_SUPPORT_H
#define TESTS_OPS_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rng.h"
#include "tensor/kernels_table.h"
#include <assay/base.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* n numbers ~ N(0, scale^2), stream `item`. malloc'ed with 4 reals of guard behind (see
 * guard_check). */
#define GUARD ((real)12345.5)
static inline real *test_alloc(size_t n)
{
    real *x = malloc((n + 4) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n + 4; i++)
        x[i] = GUARD;
    return x;
}
static inline void test_guard(const real *x, size_t n)
{
    for (size_t i = n; i < n + 4; i++)
        assert_true(x[i] == GUARD);
}
static inline real *test_normal(size_t n, double scale, uint64_t item)
{
    real *x = test_alloc(n);
    struct base_rng rng = base_rng_make(20240611, BASE_RNG_USER, item);
    for (size_t i = 0; i < n; i++)
        x[i] = (real)(scale * base_rng_normal(&rng));
    return x;
}
static inline real *test_copy(const real *x, size_t n)
{
    real *y = test_alloc(n);
    memcpy(y, x, n * sizeof *y);
    return y;
}
static inline void test_same_bits(const real *a, const real *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(a + i, b + i, sizeof *a) != 0) {
            print_error("element %zu of %zu: %.9g and %.9g\n", i, n, (double)a[i], (double)b[i]);
            fail();
        }
    }
}
/* |a - b| <= tolerance * max(1, |b|) for each element. */
static inline void test_close(const char *what, const real *a, const double *b, size_t n,
                              double tolerance)
{
    for (size_t i = 0; i < n; i++) {
        const double error = fabs((double)a[i] - b[i]) / fmax(1, fabs(b[i]));
        if (!(error <= tolerance)) {
            print_error("%s: element %zu of %zu is %.12g, expected %.12g (error %.3g > %.3g)\n",
                        what, i, n, (double)a[i], b[i], error, tolerance);
            fail();
        }
    }
}
/* The kernel tables this CPU runs: v1 always. */
static inline size_t test_tables(const struct tensor_kernels *tables[3])
{
    size_t n = 0;
    tables[n++] = &tensor_kernels_v1;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        tables[n++] = &tensor_kernels_v3;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni"))
        tables[n++] = &tensor_kernels_v4;
    return n;
}
/* Units in the last place of the float nearest to `expected`; denormals count as the smallest
 * normal. */
static inline double test_ulp(double actual, double expected)
{
    const double magnitude = fmax(fabs(expected), 1.17549435e-38);
    return fabs(actual - expected) / ldexp(1, ilogb(magnitude) - 23);
}
static const size_t TEST_WIDTHS[] = { 1, 2, 7, 15, 16, 17, 31, 32, 33, 64, 100, 129 };
#define TEST_N_WIDTHS (sizeof TEST_WIDTHS / sizeof *TEST_WIDTHS)
#endif
