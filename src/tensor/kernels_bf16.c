/* The bf16 tile with the CPU's own unit, and whether this CPU has it. */
#include "tensor/kernels_table.h"
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#ifdef ASSAY_FLOAT64
tensor_gemm_bf16 *tensor_kernels_bf16(void)
{
    return NULL; /* double has no use for it */
}
#else
#define BF16_TARGET         __attribute__((target("avx512f,avx512bf16")))
#define BF16_DOT(acc, a, b) _mm512_dpbf16_ps(acc, (__m512bh)(a), (__m512bh)(b))
#include "tensor/kernels_bf16.h"

tensor_gemm_bf16 *tensor_kernels_bf16(void)
{
    const char *isa = getenv("ASSAY_ISA");
    __builtin_cpu_init();
    bool allowed = !isa || !strcmp(isa, "v4");
    return allowed && __builtin_cpu_supports("avx512bf16") ? bf16_tile : NULL;
}
#endif
