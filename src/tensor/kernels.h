/* Kernels: the inner loops, written once in portable C with GCC vector types (16 reals wide) in
 * kernels*.h fragments, compiled for three instruction sets (kernels.c) and chosen when the program
 * starts. Every result element is computed by the same sequence of operations in every variant that
 * has fused multiply-add, so results do not depend on the machine's vector width, the batch, or the
 * number of threads.
 *
 * Rules for a kernel: a row's result depends on that row alone; reductions over a row use 16 lane
 * sums combined in a fixed tree, tails padded with the neutral element; sums over rows (gradients)
 * run in row order. */
#ifndef TENSOR_KERNELS_H
#define TENSOR_KERNELS_H
#include <assay/real.h>
#include <stddef.h>
#include <stdint.h>

struct tensor_kernels; /* function table: kernels_table.h */
/* The table for this CPU. ASSAY_ISA=v1|v3|v4 in the environment overrides (tests compare them). */
const struct tensor_kernels *tensor_kernels(void);
#endif
