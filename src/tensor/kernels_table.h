/* The table of kernels that one instruction set offers: filled by kernels.c, one instance per
 * instruction set, and handed out by tensor_kernels(). Its callers are the ops of this room. */
#ifndef TENSOR_KERNELS_TABLE_H
#define TENSOR_KERNELS_TABLE_H
#include "tensor/kernels.h"
#include "tensor/ops.h"
#include <stdbool.h>

struct tensor_kernels {
    const char *isa; /* "v1", "v3" or "v4" */
    /* kernels_gemm.h: products. gemm: m <= gemm_rows rows against 32 columns of b; see the
     * fragment. */
    size_t gemm_rows;
    void (*gemm)(size_t m, size_t k, const real *a, size_t a_row, size_t a_step, const real *b,
                 size_t ldb, real *c, size_t ldc, int first);
    /* gemm_rows packed rows [k][gemm_rows] against a panel [k][32], + bias[32] when not NULL;
     * touch, far: addresses whose lines are fetched meanwhile, see the fragment. */
    void (*gemm_packed)(size_t k, const real *a, const real *b, real *c, size_t ldc, int first,
                        const real *bias, const real *touch, const void *far);
    /* c[gemm_rows, columns] += a b, a[i*32 + p], b [32][ldb], columns a multiple of 32 */
    void (*gemm_short)(size_t columns, const real *a, const real *b, size_t ldb, real *c,
                       size_t ldc);
    /* dst[p*ldd + i] = a[i*ld + p], i < lanes <= 16, p < k; zeros for i >= rows */
    void (*gemm_transpose)(size_t rows, size_t k, const real *a, size_t ld, real *dst, size_t ldd,
                           size_t lanes);
    /* stored panels [k][32] to real */
    void (*widen_bf16)(size_t k, const uint16_t *src, real *dst);
    void (*widen_f16)(size_t k, const uint16_t *src, real *dst);
    void (*widen_pairs)(size_t pairs, const uint32_t *src,
                        real *dst); /* [2 pairs][32]: odd, even */
    /* c[32] = x[k] . panel */
    void (*dot_bf16)(size_t k, const real *x, const uint16_t *w, real *c);
    void (*dot_f16)(size_t k, const real *x, const uint16_t *w, real *c);
#ifndef ASSAY_FLOAT64
    /* kernels_q8.h: a row of 32 * blocks activations to rounded blocks of q8_block bytes, `stride`
     * bytes apart; m rows of them ([block][row], a_block bytes from block to block) against a
     * panel, c[m][32] = . */
    size_t q8_block;
    void (*q8_round)(size_t blocks, const float *x, uint8_t *dst, size_t stride);
    void (*q8_tile)(size_t m, size_t blocks, const uint8_t *a, size_t a_block, const uint8_t *w,
                    float *c);
#endif
    /* kernels_row.h: one row of n (or a block of rows), results may overwrite arguments */
    void (*add)(real *y, const real *a, const real *b, size_t n);
    void (*scale)(real *y, const real *x, real s, size_t n);
    void (*embed)(real *y, const real *x, real s, int add, size_t n);
    void (*layer_norm)(real *y, const real *x, const real *w, const real *b, size_t n, double eps,
                       real *mean, real *rstd);
    void (*rms_norm)(real *y, const real *x, const real *w, real offset, size_t n, double eps,
                     real *rstd);
    void (*norm_backward)(real *dx, const real *dy, const real *x, const real *w, real offset,
                          real mean, real rstd, int centered, int add, size_t n);
    void (*column_sums)(real *dw, real *db, const real *dy, const real *x, const real *mean,
                        const real *rstd, size_t rows, size_t n, size_t ld);
    void (*rotate)(real *x, const real *cosine, const real *sine, real direction, size_t half,
                   int interleaved);
    real (*max)(const real *x, size_t n);
    double (*sum_exp)(const real *x, real shift, size_t n);
    void (*softmax_gradient)(real *x, real shift, real scale, real inverse_cap, size_t n);
    void (*softcap)(real *y, const real *x, real cap, size_t n);
    void (*softcap_backward)(real *dx, const real *dy, const real *y, real cap, size_t n);
    void (*dropout)(real *y, const real *x, size_t n, const uint32_t key[2], const uint32_t item[2],
                    uint64_t first, uint32_t threshold, real scale);
    /* kernels_activation.h */
    struct tensor_activation_kernels {
        void (*row)(real *y, const real *x, size_t n);
        void (*back)(real *dx, const real *dy, const real *x, size_t n);
        void (*gate)(real *y, const real *g, const real *u, size_t n);
        void (*gate_back)(real *dg, real *du, const real *dy, const real *g, const real *u,
                          size_t n);
    } activation[TENSOR_ACTIVATIONS];
    /* kernels_attention.h */
    void (*attention_scores)(size_t rows, real *s, const int *low, const int *high, real scale,
                             real softcap, real slope, const real *offset);
    void (*attention_softmax)(size_t rows, real *s, const int *low, const int *high, real *m,
                              real *l, real *o, size_t ldo, size_t width);
    void (*attention_finish)(size_t rows, const real *m, const real *l, real *o, size_t ldo,
                             size_t width, real *lse, size_t ldlse);
    void (*attention_gradient)(size_t rows, real *s, real *dp, const int *low, const int *high,
                               const real *lse, size_t ldlse, const real *d, size_t ldd, real scale,
                               real softcap, real slope, const real *offset, const real *keep);
};
/* kernels_bf16.c: m <= 14 rows of bf16 pairs against 32 columns; NULL where the CPU has no bf16
 * unit. */
typedef void tensor_gemm_bf16(size_t m, size_t pairs, const uint32_t *a, size_t a_row,
                              size_t a_step, const uint32_t *b, float *c, size_t ldc, int first);
tensor_gemm_bf16 *tensor_kernels_bf16(void);

extern const struct tensor_kernels tensor_kernels_v1, tensor_kernels_v3, tensor_kernels_v4;
#endif
