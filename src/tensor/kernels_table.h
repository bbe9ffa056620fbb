/* The table of kernels that one instruction set offers: filled by kernels.c, one instance per
 * instruction set, and handed out by tensor_kernels(). Its callers are the ops of this room. */
#ifndef TENSOR_KERNELS_TABLE_H
#define TENSOR_KERNELS_TABLE_H
#include "tensor/kernels.h"

struct tensor_kernels {
    const char *isa; /* "v1", "v3" or "v4" */
    /* kernels_row.h: elementwise, any n, y may be x */
    void (*add)(real *y, const real *a, const real *b, size_t n); /* y = a + b */
};
extern const struct tensor_kernels tensor_kernels_v1, tensor_kernels_v3, tensor_kernels_v4;
#endif
