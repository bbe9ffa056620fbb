/* Dropout whose mask is a pure function of (stream, element index): never stored, drawn again for
 * the backward pass, the same for any batch, thread or rank. */
#include "tensor/kernels_table.h"
#include "tensor/parallel.h"
#include <string.h>

void tensor_dropout(real *y, const real *x, size_t n, const struct base_rng *stream, uint64_t first,
                    double p)
{
    const struct tensor_kernels *k = tensor_kernels();
    if (p <= 0) {
        if (y != x)
            memcpy(y, x, n * sizeof *y);
        return;
    }
    const uint32_t threshold = (uint32_t)(p * 4294967296.0);
    const uint32_t item[2] = { stream->counter[2], stream->counter[3] };
    const int threads = parallel_threads(n, 60);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int t = 0; t < threads; t++) {
        size_t from, to;
        parallel_share(n, t, threads, &from, &to);
        k->dropout(y + from, x + from, to - from, stream->key, item, first + from, threshold,
                   (real)(1 / (1 - p)));
    }
}
