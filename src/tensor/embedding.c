/* Token and position embeddings: rows gathered from a table, gradients added back to it. */
#include "tensor/kernels_table.h"
#include "tensor/parallel.h"
#include <string.h>

void tensor_embed(real *y, enum tensor_dtype dtype, const void *table, const int32_t *ids,
                  size_t rows, size_t d, double scale)
{
    const struct tensor_kernels *k = tensor_kernels();
    const struct tensor_dtype_info *info = tensor_dtype_describe(dtype);
    const size_t row_bytes = d / info->block * info->block_bytes;
    const int threads = parallel_threads(rows * d, 10);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        const char *row = (const char *)table + (size_t)ids[r] * row_bytes;
        real *out = y + r * d;
#ifdef ASSAY_FLOAT64
        if (dtype == TENSOR_F64) {
            memcpy(out, row, d * sizeof *out);
        } else {
            /* Floats into the upper half of the row, widened from its start: never overtaken. */
            float *half = (float *)out + d;
            tensor_to_f32(dtype, row, d, half);
            for (size_t i = 0; i < d; i++) {
                float v;
                memcpy(&v, half + i, sizeof v);
                out[i] = v;
            }
        }
#else
        tensor_to_f32(dtype, row, d, out);
#endif
        if (scale != 1)
            k->scale(out, out, (real)scale, d);
    }
}

void tensor_embed_real(real *y, const real *table, const int32_t *ids, size_t rows, size_t d,
                       double scale, bool add)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(rows * d, 6);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        const real *row = table + (size_t)ids[r] * d;
        k->embed(y + r * d, row, (real)scale, add, d);
    }
}

void tensor_embed_gradient(real *d_table, const real *dy, const int32_t *ids, size_t rows, size_t d,
                           double scale)
{
    const struct tensor_kernels *k = tensor_kernels();
    const int threads = parallel_threads(rows * d, 8);
    /* Columns go to threads: each table row then sums its rows of dy in order whatever the number
     * of threads, and two threads never write the same place. */
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int t = 0; t < threads; t++) {
        size_t from, to;
        parallel_share(d, t, threads, &from, &to);
        for (size_t r = 0; r < rows && from < to; r++)
            k->embed(d_table + (size_t)ids[r] * d + from, dy + r * d + from, (real)scale, 1,
                     to - from);
    }
}
