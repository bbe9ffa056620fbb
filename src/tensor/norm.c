/* LayerNorm and RMSNorm, forward and backward. Rows go to threads forward and for dx; the weights'
 * gradients are sums over rows, so there columns go to threads and each runs its rows in order. */
#include "tensor/kernels_table.h"
#include "tensor/parallel.h"

void tensor_layer_norm(real *y, const real *x, const real *w, const real *b, size_t rows, size_t d,
                       double eps, real *mean, real *rstd)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(rows * d, 8);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        real m, s;
        k->layer_norm(y + r * d, x + r * d, w, b, d, eps, &m, &s);
        if (mean)
            mean[r] = m;
        if (rstd)
            rstd[r] = s;
    }
}

void tensor_rms_norm(real *y, const real *x, const real *w, double offset, size_t rows, size_t d,
                     double eps, real *rstd)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(rows * d, 6);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        real s;
        k->rms_norm(y + r * d, x + r * d, w, (real)offset, d, eps, &s);
        if (rstd)
            rstd[r] = s;
    }
}

/* mean NULL: the RMS norm. */
static void norm_backward(real *dx, const real *dy, const real *x, const real *w, double offset,
                          const real *mean, const real *rstd, size_t rows, size_t d, bool add)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(rows * d, 12);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++)
        k->norm_backward(dx + r * d, dy + r * d, x + r * d, w, (real)offset, mean ? mean[r] : 0,
                         rstd[r], mean != NULL, add, d);
}

void tensor_layer_norm_backward(real *dx, const real *dy, const real *x, const real *w,
                                const real *mean, const real *rstd, size_t rows, size_t d, bool add)
{
    norm_backward(dx, dy, x, w, 0, mean, rstd, rows, d, add);
}

void tensor_rms_norm_backward(real *dx, const real *dy, const real *x, const real *w, double offset,
                              const real *rstd, size_t rows, size_t d, bool add)
{
    norm_backward(dx, dy, x, w, offset, NULL, rstd, rows, d, add);
}

/* dw += sum_r dy[r] (x[r] - mean[r]) rstd[r], db += sum_r dy[r], columns shared out. */
static void column_sums(real *dw, real *db, const real *dy, const real *x, const real *mean,
                        const real *rstd, size_t rows, size_t d, size_t ld)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(rows * d, 8);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int t = 0; t < threads; t++) {
        size_t from, to;
        parallel_share(d, t, threads, &from, &to);
        k->column_sums(dw ? dw + from : NULL, db ? db + from : NULL, dy + from, x ? x + from : NULL,
                       mean, rstd, rows, to - from, ld);
    }
}

void tensor_layer_norm_gradient(real *dw, real *db, const real *dy, const real *x, const real *mean,
                                const real *rstd, size_t rows, size_t d)
{
    column_sums(dw, db, dy, x, mean, rstd, rows, d, d);
}

void tensor_rms_norm_gradient(real *dw, const real *dy, const real *x, const real *rstd,
                              size_t rows, size_t d)
{
    column_sums(dw, NULL, dy, x, NULL, rstd, rows, d, d);
}

void tensor_bias_gradient(real *db, const real *dy, size_t rows, size_t d, size_t ld)
{
    column_sums(NULL, db, dy, NULL, NULL, NULL, rows, d, ld);
}
