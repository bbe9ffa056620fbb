/* matmul_q8: products with q8_0 weights, exact in whole numbers within a block of 32 inputs (the
 * arithmetic: kernels_q8.h). matmul.c comes here for q8_0; the float64 build, which wants the
 * weights as they are in double, only packs and widens. */
#ifndef TENSOR_MATMUL_Q8_H
#define TENSOR_MATMUL_Q8_H
#include "tensor/matmul.h"
#include <stdint.h>

/* Bytes of one block of 32 inputs of a panel of 32 outputs: as many as 32 stored blocks. */
#define TENSOR_Q8_PANEL_BLOCK 1088

/* Packs the stored rows of n <= 32 outputs into a panel, dst [inputs / 32][TENSOR_Q8_PANEL_BLOCK],
 * which is zeroed. inputs is a multiple of 32. */
void tensor_q8_pack(uint8_t *dst, size_t inputs, const void *const *row, size_t n);
/* Weight (output c, input p) of a panel. */
real tensor_q8_weight(const uint8_t *panel, size_t c, size_t p);
/* Inputs [k0, k0 + kc) of a panel as reals [kc][32]. */
void tensor_q8_widen(const uint8_t *panel, size_t k0, size_t kc, real *dst);
#ifndef ASSAY_FLOAT64
/* tensor_matmul for a packed q8_0 matrix; m and w->outputs are not 0. */
int tensor_q8_multiply(struct tensor_workspace *ws, float *y, size_t ldy, const float *x,
                       size_t ldx, size_t m, const struct tensor_matrix *w, const float *bias);
#endif
#endif
