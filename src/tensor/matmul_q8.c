/* Products with q8_0 weights: packing, and the loops and threads around kernels_q8.h.
 *
 * Rows of activations are rounded once, ROWS at a time, to [block][row][rounded block], so that a
 * panel's block of weights, which stays in registers, meets them in order; their results stay in
 * the first-level cache until the panel is done. Threads share the panels. */
#include "tensor/matmul_q8.h"
#include "base/memory.h"
#include "tensor/kernels_table.h"
#include <assay/base.h>
#include <string.h>

#define PANEL 32
#define ROWS  64    /* results of a panel: 8 KB */
#define SMALL 65536 /* multiply-adds below which a second thread costs more than it brings */

void tensor_q8_pack(uint8_t *dst, size_t inputs, const void *const *row, size_t n)
{
    for (size_t b = 0; b < inputs / 32; b++, dst += TENSOR_Q8_PANEL_BLOCK)
        for (size_t r = 0; r < n; r++) {
            const uint8_t *block = (const uint8_t *)row[r] + b * 34;
            uint8_t *to = dst + 64 + r / 16 * 512 + r % 16 * 4;
            memcpy(dst + 2 * r, block, 2);
            for (size_t g = 0; g < 8; g++) {
                uint32_t four;
                memcpy(&four, block + 2 + 4 * g, 4);
                four ^= 0x80808080u; /* int8 q to q + 128 */
                memcpy(to + 64 * g, &four, 4);
            }
        }
}

real tensor_q8_weight(const uint8_t *panel, size_t c, size_t p)
{
    const uint8_t *block = panel + p / 32 * TENSOR_Q8_PANEL_BLOCK;
    uint16_t scale;
    memcpy(&scale, block + 2 * c, 2);
    int u = block[64 + c / 16 * 512 + p % 32 / 4 * 64 + c % 16 * 4 + p % 4];
    return (real)tensor_f16_to_f32(scale) * (real)(u - 128);
}

void tensor_q8_widen(const uint8_t *panel, size_t k0, size_t kc, real *dst)
{
    for (size_t p = 0; p < kc; p++)
        for (size_t c = 0; c < PANEL; c++)
            dst[p * PANEL + c] = tensor_q8_weight(panel, c, k0 + p);
}

#ifndef ASSAY_FLOAT64
/* Panel p for rows [0, n) whose rounded blocks lie at `rounded`. */
static void panel_multiply(float *y, size_t ldy, size_t n, const uint8_t *rounded,
                           const struct tensor_matrix *w, size_t p, const float *bias)
{
    const struct tensor_kernels *kernels = tensor_kernels();
    size_t blocks = w->inputs / 32;
    size_t columns = w->outputs - p * PANEL < PANEL ? w->outputs - p * PANEL : PANEL;
    float c[ROWS * PANEL] __attribute__((aligned(64)));
    kernels->q8_tile(n, blocks, rounded, n * kernels->q8_block,
                     (const uint8_t *)w->panels + p * blocks * TENSOR_Q8_PANEL_BLOCK, c);
    y += p * PANEL;
    for (size_t r = 0; r < n; r++, y += ldy)
        if (bias)
            kernels->add(y, c + r * PANEL, bias + p * PANEL, columns);
        else
            memcpy(y, c + r * PANEL, columns * sizeof *y);
}

int tensor_q8_multiply(struct tensor_workspace *ws, float *y, size_t ldy, const float *x,
                       size_t ldx, size_t m, const struct tensor_matrix *w, const float *bias)
{
    const struct tensor_kernels *kernels = tensor_kernels();
    size_t blocks = w->inputs / 32, panels = (w->outputs + PANEL - 1) / PANEL;
    size_t most = m < ROWS ? m : ROWS, bytes;
    uint8_t *rounded;
    if (base_mul_size(most * blocks, kernels->q8_block, &bytes) ||
        !(rounded = tensor_workspace_get(ws, bytes)))
        return BASE_E_MEMORY;
    int threads = (double)m * (double)w->outputs * (double)w->inputs < SMALL ? 1 : base_threads();
    for (size_t r0 = 0; r0 < m; r0 += most) {
        size_t n = m - r0 < most ? m - r0 : most;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && n > 1)
        for (size_t r = 0; r < n; r++)
            kernels->q8_round(blocks, x + (r0 + r) * ldx, rounded + r * kernels->q8_block,
                              n * kernels->q8_block);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
        for (size_t p = 0; p < panels; p++)
            panel_multiply(y + r0 * ldy, ldy, n, rounded, w, p, bias);
    }
    return 0;
}
#endif
