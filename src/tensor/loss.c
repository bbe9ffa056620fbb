/* What is done with rows of logits: soft cap, log-probabilities, cross-entropy and its gradient. A
 * row never leaves its thread; the log-sum-exp is a double, good to 2e-8 of a nat. */
#include "tensor/kernels_table.h"
#include "tensor/parallel.h"
#include <math.h>

/* Maximum and sum of exponentials of a row: log sum e^x = *max + log(*sum). */
static void row_partition(const struct tensor_kernels *k, const real *x, size_t n, real *max,
                          double *sum)
{
    *max = k->max(x, n);
    /* All -inf: shifting by it would make NaN of -inf - -inf. */
    *sum = k->sum_exp(x, *max > -(real)INFINITY ? *max : 0, n);
}

double tensor_log_sum_exp(const real *x, size_t n)
{
    real max;
    double sum;
    row_partition(tensor_kernels(), x, n, &max, &sum);
    return max > -(real)INFINITY ? (double)max + log(sum) : log(sum);
}

size_t tensor_argmax(const real *x, size_t n)
{
    const real max = tensor_kernels()->max(x, n);
    for (size_t i = 0; i < n; i++)
        if (x[i] == max)
            return i;
    /* Only with NaN about, which hides the maximum from the kernel. */
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]) && (best == n || x[i] > x[best]))
            best = i;
    return best == n ? 0 : best;
}

void tensor_log_softmax(const real *logits, const int32_t *targets, size_t rows, size_t vocabulary,
                        size_t ld, double *logprob, bool *greedy)
{
    const int threads = parallel_threads(rows * vocabulary, 8);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        const real *x = logits + r * ld;
        if (logprob)
            logprob[r] = targets[r] < 0 ? (double)NAN
                                        : (double)x[targets[r]] - tensor_log_sum_exp(x, vocabulary);
        if (greedy)
            greedy[r] = targets[r] >= 0 && tensor_argmax(x, vocabulary) == (size_t)targets[r];
    }
}

void tensor_cross_entropy(real *logits, const int32_t *targets, size_t rows, size_t vocabulary,
                          size_t ld, double scale, double cap, double *loss, bool gradient)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(rows * vocabulary, 16);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        real *x = logits + r * ld;
        const int32_t target = targets[r];
        loss[r] = 0;
        if (cap > 0)
            k->softcap(x, x, (real)cap, vocabulary);
        if (target < 0) {
            for (size_t i = 0; gradient && i < vocabulary; i++)
                x[i] = 0;
            continue;
        }
        real max;
        double sum;
        row_partition(k, x, vocabulary, &max, &sum);
        const double z = (double)x[target];
        loss[r] = (double)max + log(sum) - z;
        if (!gradient)
            continue;
        k->softmax_gradient(x, max, (real)(scale / sum), cap > 0 ? (real)(1 / cap) : 0, vocabulary);
        /* p - 1 = expm1(-loss) without cancellation when p is near 1 */
        const double u = cap > 0 ? z / cap : 0;
        x[target] = (real)(scale * expm1(-loss[r]) * (1 - u * u));
    }
}

void tensor_softcap(real *y, const real *x, double cap, size_t n)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(n, 20);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int t = 0; t < threads; t++) {
        size_t from, to;
        parallel_share(n, t, threads, &from, &to);
        k->softcap(y + from, x + from, (real)cap, to - from);
    }
}

void tensor_softcap_backward(real *dx, const real *dy, const real *y, double cap, size_t n)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(n, 6);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int t = 0; t < threads; t++) {
        size_t from, to;
        parallel_share(n, t, threads, &from, &to);
        k->softcap_backward(dx + from, dy + from, y + from, (real)cap, to - from);
    }
}
