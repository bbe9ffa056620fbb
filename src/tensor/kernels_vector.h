/* Sixteen reals at a time: the one vector type of every kernel, built from the machine's own
 * registers (float: 1 zmm, 2 ymm or 4 xmm; double: twice as many).
 *
 * A `struct vreal` is an array of native parts rather than one 64-byte GCC vector, because gcc 12
 * keeps vectors that are wider than a register in memory. Lane i of the sixteen is element i of the
 * row in every instruction set, so lane sums and their tree are the same everywhere; vfma rounds
 * once where the machine has fused multiply-add (v3, v4) and twice where it has not (v1).
 *
 * This is a fragment: included by kernels.c only, compiled once per instruction set. */
#ifndef TENSOR_KERNELS_VECTOR_H
#define TENSOR_KERNELS_VECTOR_H
#include <assay/real.h>
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VLANES 16
#if defined(__AVX512F__)
#define VPART_BYTES 64
#elif defined(__AVX2__) && defined(__FMA__)
#define VPART_BYTES 32
#else
#define VPART_BYTES 16
#endif
#ifdef ASSAY_FLOAT64
#define VPART_LANES (VPART_BYTES / 8)
#else
#define VPART_LANES (VPART_BYTES / 4)
#endif
#define VPARTS (VLANES / VPART_LANES)

#ifdef ASSAY_FLOAT64
typedef int64_t vlane_int; /* the integers as wide as a real */
typedef uint64_t vlane_uint;
#else
typedef int32_t vlane_int;
typedef uint32_t vlane_uint;
#endif
/* A register of reals, and one of the integers as wide (masks of comparisons, bit patterns). */
typedef real vpart __attribute__((vector_size(VPART_BYTES)));
typedef vlane_int vpart_int __attribute__((vector_size(VPART_BYTES)));
typedef vlane_uint vpart_uint __attribute__((vector_size(VPART_BYTES)));
struct vreal {
    vpart p[VPARTS];
};

/* For every part k: the loop vanishes in the compiler. */
#ifdef __clang__
#define VUNROLL _Pragma("unroll")
#else
#define VUNROLL _Pragma("GCC unroll 8")
#endif
#define VEACH(k) VUNROLL for (int k = 0; k < VPARTS; k++)
#define VINLINE  static inline __attribute__((always_inline, unused))

/* ---- one part ------------------------------------------------------------------------------ */

VINLINE vpart vpart_set(real x)
{
    return x - (vpart){ 0 };
}
VINLINE vpart vpart_load(const real *x)
{
    vpart v;
    memcpy(&v, x, sizeof v);
    return v;
}
VINLINE void vpart_store(real *x, vpart v)
{
    memcpy(x, &v, sizeof v);
}
/* a*b + c, rounded once where the machine can. */
VINLINE vpart vpart_fma(vpart a, vpart b, vpart c)
{
#if VPART_BYTES == 64 && defined(ASSAY_FLOAT64)
    return (vpart)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif VPART_BYTES == 64
    return (vpart)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif VPART_BYTES == 32 && defined(ASSAY_FLOAT64)
    return (vpart)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif VPART_BYTES == 32
    return (vpart)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}
/* The larger one; b when either is NaN (so put the value that may be NaN second to keep it). */
VINLINE vpart vpart_max(vpart a, vpart b)
{
#if VPART_BYTES == 64 && defined(ASSAY_FLOAT64)
    return (vpart)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif VPART_BYTES == 64
    return (vpart)_mm512_max_ps((__m512)a, (__m512)b);
#elif VPART_BYTES == 32 && defined(ASSAY_FLOAT64)
    return (vpart)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif VPART_BYTES == 32
    return (vpart)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(ASSAY_FLOAT64)
    return (vpart)_mm_max_pd((__m128d)a, (__m128d)b);
#else
    return (vpart)_mm_max_ps((__m128)a, (__m128)b);
#endif
}
/* The smaller one; b when either is NaN. */
VINLINE vpart vpart_min(vpart a, vpart b)
{
#if VPART_BYTES == 64 && defined(ASSAY_FLOAT64)
    return (vpart)_mm512_min_pd((__m512d)a, (__m512d)b);
#elif VPART_BYTES == 64
    return (vpart)_mm512_min_ps((__m512)a, (__m512)b);
#elif VPART_BYTES == 32 && defined(ASSAY_FLOAT64)
    return (vpart)_mm256_min_pd((__m256d)a, (__m256d)b);
#elif VPART_BYTES == 32
    return (vpart)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(ASSAY_FLOAT64)
    return (vpart)_mm_min_pd((__m128d)a, (__m128d)b);
#else
    return (vpart)_mm_min_ps((__m128)a, (__m128)b);
#endif
}
/* mask ? a : b per lane; mask is all ones or all zeros, as comparisons give it. */
VINLINE vpart vpart_select(vpart_int mask, vpart a, vpart b)
{
    return (vpart)(((vpart_int)a & mask) | ((vpart_int)b & ~mask));
}

/* ---- sixteen lanes ------------------------------------------------------------------------- */

VINLINE struct vreal vset(real x)
{
    struct vreal v;
    VEACH(k) v.p[k] = vpart_set(x);
    return v;
}
VINLINE struct vreal vzero(void)
{
    return vset(0);
}
/* Sixteen reals from any address. */
VINLINE struct vreal vload(const real *x)
{
    struct vreal v;
    VEACH(k) v.p[k] = vpart_load(x + k * VPART_LANES);
    return v;
}
VINLINE void vstore(real *x, struct vreal v)
{
    VEACH(k) vpart_store(x + k * VPART_LANES, v.p[k]);
}
/* The first n lanes (n < 16) from x, the others `fill`: a row's tail padded with the neutral
 * element. */
VINLINE struct vreal vload_tail(const real *x, size_t n, real fill)
{
    real t[VLANES];
    for (size_t i = 0; i < VLANES; i++)
        t[i] = i < n ? x[i] : fill;
    return vload(t);
}
VINLINE void vstore_tail(real *x, struct vreal v, size_t n)
{
    real t[VLANES];
    vstore(t, v);
    for (size_t i = 0; i < n && i < VLANES; i++)
        x[i] = t[i];
}
/* A row's next n reals, n >= 16 meaning a whole vector. */
VINLINE struct vreal vload_n(const real *x, size_t n, real fill)
{
    return n >= VLANES ? vload(x) : vload_tail(x, n, fill);
}
VINLINE void vstore_n(real *x, struct vreal v, size_t n)
{
    if (n >= VLANES)
        vstore(x, v);
    else
        vstore_tail(x, v, n);
}
VINLINE struct vreal vadd(struct vreal a, struct vreal b)
{
    VEACH(k) a.p[k] += b.p[k];
    return a;
}
VINLINE struct vreal vsub(struct vreal a, struct vreal b)
{
    VEACH(k) a.p[k] -= b.p[k];
    return a;
}
VINLINE struct vreal vmul(struct vreal a, struct vreal b)
{
    VEACH(k) a.p[k] *= b.p[k];
    return a;
}
VINLINE struct vreal vdiv(struct vreal a, struct vreal b)
{
    VEACH(k) a.p[k] /= b.p[k];
    return a;
}
/* a*b + c */
VINLINE struct vreal vfma(struct vreal a, struct vreal b, struct vreal c)
{
    VEACH(k) a.p[k] = vpart_fma(a.p[k], b.p[k], c.p[k]);
    return a;
}
VINLINE struct vreal vmax(struct vreal a, struct vreal b)
{
    VEACH(k) a.p[k] = vpart_max(a.p[k], b.p[k]);
    return a;
}
VINLINE struct vreal vmin(struct vreal a, struct vreal b)
{
    VEACH(k) a.p[k] = vpart_min(a.p[k], b.p[k]);
    return a;
}

/* ---- reductions over the lanes: lane i with i+8, then i+4, i+2, i+1 -------------------------- */

/* The register tree for one part; OP is the part-wide operation, applied to a part and a copy of
 * it moved down by half. */
#define VREDUCE(NAME, OP)                                                                          \
    VINLINE real NAME(struct vreal v)                                                              \
    {                                                                                              \
        VUNROLL for (int half = VPARTS / 2; half >= 1; half /= 2)                                  \
        {                                                                                          \
            VUNROLL for (int k = 0; k < half; k++) v.p[k] = OP(v.p[k], v.p[k + half]);             \
        }                                                                                          \
        vpart a = v.p[0];                                                                          \
        VREDUCE_STEPS(OP)                                                                          \
        return a[0];                                                                               \
    }
#ifdef __clang__
#define VSHUFFLE(a, ...) __builtin_shufflevector(a, a, __VA_ARGS__)
#else
#define VSHUFFLE(a, ...) __builtin_shuffle(a, (vpart_int){ __VA_ARGS__ })
#endif
#if VPART_LANES == 16
#define VREDUCE_STEPS(OP)                                                                          \
    a = OP(a, VSHUFFLE(a, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));                  \
    a = OP(a, VSHUFFLE(a, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));                  \
    a = OP(a, VSHUFFLE(a, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));                  \
    a = OP(a, VSHUFFLE(a, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
#elif VPART_LANES == 8
#define VREDUCE_STEPS(OP)                                                                          \
    a = OP(a, VSHUFFLE(a, 4, 5, 6, 7, 0, 1, 2, 3));                                                \
    a = OP(a, VSHUFFLE(a, 2, 3, 0, 1, 6, 7, 4, 5));                                                \
    a = OP(a, VSHUFFLE(a, 1, 0, 3, 2, 5, 4, 7, 6));
#elif VPART_LANES == 4
#define VREDUCE_STEPS(OP)                                                                          \
    a = OP(a, VSHUFFLE(a, 2, 3, 0, 1));                                                            \
    a = OP(a, VSHUFFLE(a, 1, 0, 3, 2));
#else
#define VREDUCE_STEPS(OP) a = OP(a, VSHUFFLE(a, 1, 0));
#endif
VINLINE vpart vpart_add(vpart a, vpart b)
{
    return a + b;
}
VREDUCE(vsum, vpart_add)
VREDUCE(vmax_lane, vpart_max)
#endif
