/* The table of kernels that one instruction set offers: filled by kernels.c, one instance per
 * instruction set, and handed out by tensor_kernels(). Its callers are the ops of this room. */
#ifndef TENSOR_KERNELS_TABLE_H
#define TENSOR_KERNELS_TABLE_H
#include "tensor/kernels.h"

struct tensor_kernels {
    const char *isa; /* "v1", "v3" or "v4" */
    /* kernels_gemm.h: products. gemm: m <= gemm_rows rows against 32 columns of b; see the fragment. */
    size_t gemm_rows;
    void (*gemm)(size_t m, size_t k, const real *a, size_t a_row, size_t a_step, const real *b,
                 size_t ldb, real *c, size_t ldc, int first);
    /* stored panels [k][32] to real */
    void (*widen_bf16)(size_t k, const uint16_t *src, real *dst);
    void (*widen_f16)(size_t k, const uint16_t *src, real *dst);
    void (*widen_q8)(size_t k, const uint8_t *src, real *dst);
    /* c[32] = x[k] . panel */
    void (*dot_bf16)(size_t k, const real *x, const uint16_t *w, real *c);
    void (*dot_f16)(size_t k, const real *x, const uint16_t *w, real *c);
    void (*dot_q8)(size_t k, const real *x, const uint8_t *w, real *c);
    /* kernels_row.h: elementwise, any n, y may be x */
    void (*add)(real *y, const real *a, const real *b, size_t n); /* y = a + b */
};
extern const struct tensor_kernels tensor_kernels_v1, tensor_kernels_v3, tensor_kernels_v4;
#endif
