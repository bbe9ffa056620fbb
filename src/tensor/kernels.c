/* All kernels for one instruction set. The Makefile compiles this file three times, with
 * KERNELS_ISA = v1 (SSE2), v3 (AVX2, FMA) and v4 (AVX-512); every fragment is static, so only the
 * table is seen outside. Nothing here may run before kernels_dispatch.c has asked the CPU. */
#include "tensor/kernels_table.h"
#include "tensor/kernels_vector.h"
#include "tensor/kernels_row.h"

#define KERNELS_JOIN_(a, b) a##b
#define KERNELS_JOIN(a, b)  KERNELS_JOIN_(a, b)
#define KERNELS_TEXT_(a)    #a
#define KERNELS_TEXT(a)     KERNELS_TEXT_(a)

const struct tensor_kernels KERNELS_JOIN(tensor_kernels_, KERNELS_ISA) = {
    .isa = KERNELS_TEXT(KERNELS_ISA),
    .add = row_add,
};
