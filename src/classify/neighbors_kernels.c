/* The inner loops of the searches for neighbours, each once per instruction set. Nothing here
 * decides a result: the sums are bounds or estimates, and their users leave a margin for rounding.
 */
#include "classify/neighbors_kernels.h"
#if defined __x86_64__
#include <immintrin.h>
#endif

typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef double wide_lanes __attribute__((vector_size(64), aligned(8), may_alias));

static int isa_limit = 2;
void neighbor_isa_limit(int limit)
{
    isa_limit = limit;
}

static inline __attribute__((always_inline)) void add_lanes(float *sum, float v, const float *value,
                                                            size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        *(lanes *)(sum + i) += v * *(const lanes *)(value + i);
}

/* Tiles of `queries` x 16 `vectors` sums that stay in registers. The file is compiled without
 * contraction, so fused multiply-add is asked for by name. */
#define PRODUCT_TILES(queries, vectors, vector, zero, load, store, spread, multiply_add)           \
    for (size_t g = 0; g < NEIGHBOR_LEAF; g += (vectors) * sizeof(vector) / sizeof(float)) {       \
        for (size_t h = 0; h < NEIGHBOR_GROUP; h += (queries)) {                                   \
            vector s[queries][vectors];                                                            \
            _Pragma("GCC unroll 8") for (int j = 0; j < (queries); j++)                            \
                _Pragma("GCC unroll 4") for (int v = 0; v < (vectors); v++) s[j][v] = zero;        \
            for (size_t c = 0; c < columns; c++) {                                                 \
                const float *at = leaf + c * NEIGHBOR_LEAF + g, *by = q + c * NEIGHBOR_GROUP + h;  \
                vector y[vectors];                                                                 \
                _Pragma("GCC unroll 4") for (int v = 0; v < (vectors); v++) y[v] =                 \
                    load(at + (size_t)v * (sizeof(vector) / sizeof(float)));                       \
                _Pragma("GCC unroll 8") for (int j = 0; j < (queries); j++)                        \
                {                                                                                  \
                    vector x = spread(by[j]);                                                      \
                    _Pragma("GCC unroll 4") for (int v = 0; v < (vectors); v++) s[j][v] =          \
                        multiply_add(x, y[v], s[j][v]);                                            \
                }                                                                                  \
            }                                                                                      \
            _Pragma("GCC unroll 8") for (size_t j = 0; j < (queries); j++)                         \
                _Pragma("GCC unroll 4") for (size_t v = 0; v < (vectors); v++) store(              \
                    out + (h + j) * NEIGHBOR_LEAF + g + v * (sizeof(vector) / sizeof(float)),      \
                    s[j][v]);                                                                      \
        }                                                                                          \
    }

typedef long long mask_lanes __attribute__((vector_size(64)));
#define LANES_PICK(first, a, b)                                                                    \
    ((wide_lanes)(((first) & (mask_lanes)(a)) | (~(first) & (mask_lanes)(b))))
static inline __attribute__((always_inline)) void
box_lanes(const double *box, const double *q, size_t columns, bool farthest, double *out)
{
    wide_lanes sum = { 0 }, zero = { 0 };
    for (size_t c = 0; c < columns; c++) {
        wide_lanes at = *(const wide_lanes *)(q + c * NEIGHBOR_GROUP);
        wide_lanes low = box[2 * c] - at, high = at - box[2 * c + 1], d;
        /* The farther side is the more negative one, the nearer the more positive, 0 inside. */
        d = farthest ? LANES_PICK(low < high, low, high) : LANES_PICK(low > high, low, high);
        if (!farthest)
            d = LANES_PICK(d > zero, d, zero);
        sum += d * d;
    }
    *(wide_lanes *)out = sum;
}

static void add_portable(float *sum, float v, const float *value, size_t n)
{
    add_lanes(sum, v, value, n);
}
static void products_portable(const float *leaf, const float *q, size_t columns, float *out)
{
    for (size_t j = 0; j < NEIGHBOR_GROUP; j++) {
        float *to = out + j * NEIGHBOR_LEAF;
        for (size_t i = 0; i < NEIGHBOR_LEAF; i++)
            to[i] = 0;
        for (size_t c = 0; c < columns; c++)
            add_lanes(to, q[c * NEIGHBOR_GROUP + j], leaf + c * NEIGHBOR_LEAF, NEIGHBOR_LEAF);
    }
}
static void box_portable(const double *box, const double *q, size_t columns, bool farthest,
                         double *out)
{
    for (int j = 0; j < NEIGHBOR_GROUP; j++)
        out[j] = 0;
    for (size_t c = 0; c < columns; c++)
        for (int j = 0; j < NEIGHBOR_GROUP; j++) {
            double at = q[c * NEIGHBOR_GROUP + (size_t)j];
            double low = box[2 * c] - at, high = at - box[2 * c + 1];
            double d = farthest ? (low < high ? low : high) : (low > high ? low : high);
            d = farthest || d > 0 ? d : 0;
            out[j] += d * d;
        }
}
static size_t select_portable(const float *sum, const float *length, const float *half, float s,
                              float least, size_t n, uint32_t base, size_t most, uint32_t *pick)
{
    size_t found = 0;
    for (size_t i = 0; i < n && found <= most; i++) {
        float v = length ? sum[i] + s * length[i] - half[i] : sum[i];
        pick[found] = base + (uint32_t)i;
        found += v >= least;
    }
    return found;
}

#if defined __x86_64__
#define AVX2   __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f")))
AVX2 static void add_avx2(float *sum, float v, const float *value, size_t n)
{
    add_lanes(sum, v, value, n);
}
AVX512 static void add_avx512(float *sum, float v, const float *value, size_t n)
{
    add_lanes(sum, v, value, n);
}
__attribute__((target("avx2,fma"))) static void products_avx2(const float *leaf, const float *q,
                                                              size_t columns, float *out){
    PRODUCT_TILES(4, 2, __m256, _mm256_setzero_ps(), _mm256_loadu_ps, _mm256_storeu_ps,
                  _mm256_set1_ps, _mm256_fmadd_ps)
} AVX512 static void products_avx512(const float *leaf, const float *q, size_t columns, float *out){
    PRODUCT_TILES(8, 2, __m512, _mm512_setzero_ps(), _mm512_loadu_ps, _mm512_storeu_ps,
                  _mm512_set1_ps, _mm512_fmadd_ps)
} AVX2 static void box_avx2(const double *box, const double *q, size_t columns, bool farthest,
                            double *out)
{
    box_lanes(box, q, columns, farthest, out);
}
AVX512 static void box_avx512(const double *box, const double *q, size_t columns, bool farthest,
                              double *out)
{
    box_lanes(box, q, columns, farthest, out);
}
AVX2 static size_t select_avx2(const float *sum, const float *length, const float *half, float s,
                               float least, size_t n, uint32_t base, size_t most, uint32_t *pick)
{
    size_t found = 0;
    __m256 bound = _mm256_set1_ps(least), factor = _mm256_set1_ps(s);
    for (size_t i = 0; i < n && found <= most; i += 8) {
        __m256 v = _mm256_loadu_ps(sum + i);
        if (length)
            v = _mm256_sub_ps(_mm256_add_ps(v, _mm256_mul_ps(factor, _mm256_loadu_ps(length + i))),
                              _mm256_loadu_ps(half + i));
        unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, bound, _CMP_GE_OQ));
        for (; mask; mask &= mask - 1)
            pick[found++] = base + (uint32_t)i + (uint32_t)__builtin_ctz(mask);
    }
    return found;
}
AVX512 static size_t select_avx512(const float *sum, const float *length, const float *half,
                                   float s, float least, size_t n, uint32_t base, size_t most,
                                   uint32_t *pick)
{
    size_t found = 0;
    __m512 bound = _mm512_set1_ps(least), factor = _mm512_set1_ps(s);
    for (size_t i = 0; i < n && found <= most; i += 16) {
        __m512 v = _mm512_loadu_ps(sum + i);
        if (length)
            v = _mm512_sub_ps(_mm512_add_ps(v, _mm512_mul_ps(factor, _mm512_loadu_ps(length + i))),
                              _mm512_loadu_ps(half + i));
        unsigned mask = _mm512_cmp_ps_mask(v, bound, _CMP_GE_OQ);
        for (; mask; mask &= mask - 1)
            pick[found++] = base + (uint32_t)i + (uint32_t)__builtin_ctz(mask);
    }
    return found;
}
#endif

struct neighbor_kernels neighbor_kernels_best(void)
{
#if defined __x86_64__
    if (isa_limit >= 2 && __builtin_cpu_supports("avx512f"))
        return (struct neighbor_kernels){ select_avx512, add_avx512, products_avx512, box_avx512 };
    if (isa_limit >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (struct neighbor_kernels){ select_avx2, add_avx2, products_avx2, box_avx2 };
#endif
    return (struct neighbor_kernels){ select_portable, add_portable, products_portable,
                                      box_portable };
}
