/* matmul: every matrix product of the engine, on one driver.
 *
 * Each result element is one chain of fused multiply-adds over the inner index in ascending order,
 * so the bits do not depend on blocking, on how many rows are computed together, on threads, on how
 * the weights are stored in memory (as long as they hold the same numbers), or on splitting a sum
 * over rows into several accumulating calls.
 *
 * Products with q8_0 weights are the exception: whole numbers within blocks of 32 inputs, a chain
 * of floats over the blocks (kernels_q8.h). Their bits do not depend on rows, threads or
 * instruction set either, but are not those of the same weights stored as floats. */
#ifndef TENSOR_MATMUL_H
#define TENSOR_MATMUL_H
#include "tensor/dtype.h"
#include <assay/real.h>
#include <stdbool.h>
#include <stddef.h>

/* Scratch memory that grows to the largest need and is reused. One per caller at a time. */
struct tensor_workspace {
    void *data;
    size_t bytes;
};
/* At least bytes, 64-byte aligned, contents undefined; NULL when memory is out (message set). */
void *tensor_workspace_get(struct tensor_workspace *w, size_t bytes);
void tensor_workspace_free(struct tensor_workspace *w);

/* How the weights of a packed matrix are multiplied. */
enum tensor_compute {
    TENSOR_COMPUTE_REAL, /* in real */
    TENSOR_COMPUTE_BF16, /* plain weights and their activations rounded to bf16, sums in float, by
                            the CPU's bf16 units where it has them; block formats are multiplied as
                            with TENSOR_COMPUTE_REAL */
};

/* A weight matrix W [outputs, inputs] made ready for y = x W^T. It is held in panels of 32 outputs,
 * [panel][input][32], in its stored number format (f32, f16, bf16; q8_0: matmul_q8.h), so that 32
 * results advance together and memory is read once, in order. Other block formats stay as stored
 * rows that are widened when used. */
struct tensor_matrix {
    size_t outputs, inputs;
    enum tensor_dtype dtype; /* as held */
    enum tensor_compute compute;
    void *panels; /* packed bytes (base_alloc_streamed), or NULL */
    size_t bytes;
    const void *
        *rows; /* block formats: the stored rows, views into the caller's memory; else NULL */
    const real
        *plain; /* a view (tensor_matrix_view): W[o, p] = plain[p*plain_row + o*plain_step] */
    size_t plain_row, plain_step;
};
/* Where the rows of W come from: row r begins at row[r], its elements lie `step` elements apart (1
 * for [out, in] storage, the number of outputs for transposed [in, out] storage; 1 for block
 * formats). */
struct tensor_rows {
    const void *const *row; /* [outputs] */
    size_t step;
    enum tensor_dtype dtype;
};
/* Packs (copies; block formats other than q8_0 keep pointers to the source, which must then stay).
 * 0 or a base error. Free with tensor_matrix_free (safe on a zeroed struct). */
int tensor_matrix_pack(struct tensor_matrix *w, size_t outputs, size_t inputs,
                       struct tensor_rows source, enum tensor_compute compute);
/* Instead of packing: W multiplied from where it lies, for a matrix that is used once or twice (a
 * packed one is several times faster for one row, and the same bits). True when w was made: numbers
 * stored as real, aligned, rows evenly apart; false when it must be packed. The source must stay.
 */
bool tensor_matrix_view(struct tensor_matrix *w, size_t outputs, size_t inputs,
                        struct tensor_rows source, enum tensor_compute compute);
void tensor_matrix_free(struct tensor_matrix *w);
/* Row r of W as reals [inputs] (embedding look-up in a tied matrix, tests). */
void tensor_matrix_row(const struct tensor_matrix *w, size_t r, real *out);

/* y[m, outputs] = x[m, inputs] W^T + bias (bias may be NULL). ldy, ldx: elements from row to row.
 */
int tensor_matmul(struct tensor_workspace *ws, real *y, size_t ldy, const real *x, size_t ldx,
                  size_t m, const struct tensor_matrix *w, const real *bias);

/* c[m, n] (+)= A B over k, with A(i, p) = a[i*a_row + p*a_step] and B(p, j) = b[p*b_row +
 * j*b_step]; any transposition is a choice of strides. With `accumulate` the chains start from c,
 * else from 0. */
int tensor_gemm(struct tensor_workspace *ws, size_t m, size_t n, size_t k, const real *a,
                size_t a_row, size_t a_step, const real *b, size_t b_row, size_t b_step, real *c,
                size_t ldc, bool accumulate);
#endif
