/* All kernels for one instruction set. The Makefile compiles this file three times, with
 * KERNELS_ISA = v1 (SSE2), v3 (AVX2, FMA) and v4 (AVX-512); every fragment is static, so only the
 * table is seen outside. Nothing here may run before kernels_dispatch.c has asked the CPU. */
#include "tensor/kernels_table.h"
#include "tensor/kernels_vector.h"
#include "tensor/kernels_row.h"
#include "tensor/kernels_gemm.h"

#define KERNELS_JOIN_(a, b) a##b
#define KERNELS_JOIN(a, b)  KERNELS_JOIN_(a, b)
#define KERNELS_TEXT_(a)    #a
#define KERNELS_TEXT(a)     KERNELS_TEXT_(a)

const struct tensor_kernels KERNELS_JOIN(tensor_kernels_, KERNELS_ISA) = {
    .isa = KERNELS_TEXT(KERNELS_ISA),
    .gemm_rows = KERNEL_ROWS,
    .gemm = gemm_tile,
    .widen_bf16 = gemm_widen_bf16,
    .widen_f16 = gemm_widen_f16,
    .widen_q8 = gemm_widen_q8,
    .dot_bf16 = gemm_dot_bf16,
    .dot_f16 = gemm_dot_f16,
    .dot_q8 = gemm_dot_q8,
    .add = row_add,
};
