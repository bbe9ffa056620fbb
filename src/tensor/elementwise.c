/* Sums of activations: residual connections, biases, scaling. */
#include "tensor/kernels_table.h"
#include "tensor/parallel.h"

void tensor_add(real *y, const real *a, const real *b, size_t n)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(n, 5);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int t = 0; t < threads; t++) {
        size_t from, to;
        parallel_share(n, t, threads, &from, &to);
        k->add(y + from, a + from, b + from, to - from);
    }
}

void tensor_scale(real *y, const real *x, double s, size_t n)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(n, 4);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int t = 0; t < threads; t++) {
        size_t from, to;
        parallel_share(n, t, threads, &from, &to);
        k->scale(y + from, x + from, (real)s, to - from);
    }
}

void tensor_bias_add(real *y, const real *bias, size_t rows, size_t d, size_t ld)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(rows * d, 4);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++)
        k->add(y + r * ld, y + r * ld, bias, d);
}
