/* Chooses the kernels for this CPU, once. */
#include "tensor/kernels_table.h"
#include <stdlib.h>
#include <string.h>

static int supports_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
/* The v4 build may also use VNNI (see the Makefile); a CPU with AVX-512 but without it runs v3. */
static int supports_v4(void)
{
    return supports_v3() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

/* An ISA asked for that the CPU lacks falls back to the best one it has. */
static const struct tensor_kernels *choose(void)
{
    const char *isa = getenv("ASSAY_ISA");
    int want = isa && !strcmp(isa, "v1") ? 1 : isa && !strcmp(isa, "v3") ? 3 : 4;
    __builtin_cpu_init();
    if (want >= 4 && supports_v4())
        return &tensor_kernels_v4;
    if (want >= 3 && supports_v3())
        return &tensor_kernels_v3;
    return &tensor_kernels_v1;
}

const struct tensor_kernels *tensor_kernels(void)
{
    /* Threads that race here compute the same pointer. */
    static const struct tensor_kernels *chosen;
    const struct tensor_kernels *k = __atomic_load_n(&chosen, __ATOMIC_ACQUIRE);
    if (!k) {
        k = choose();
        __atomic_store_n(&chosen, k, __ATOMIC_RELEASE);
    }
    return k;
}
