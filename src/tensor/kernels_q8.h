/* kernels_q8: products with q8_0 weights in whole numbers. A fragment of kernels.c; the packed
 * weights and the loops around are matmul_q8.c's.
 *
 * For one block of 32 inputs, with x the activations and w = d q the weights (q: int8):
 *   a = the power of two with max|x| / a in [2^21.98, 2^22.99)   (matmul_q8.h: TENSOR_Q8_SCALE)
 *   X = round(x / a), to nearest even: 24 bits; |x - a X| <= a/2, at most 2^-23 max|x|
 *   X = 2^16 h + m,  m = 2^8 l1 + l0;  h, l1, l0 in [-128, 127]
 *   t = float(sum h q) 2^16 + float(sum m q)    both sums exact in int32; one rounding each
 *   y = y + t (d a)                             d a exact; the product and the sum round
 * Blocks come in the order of the inputs, from y = 0. Nothing here depends on the instruction set,
 * not even on fused multiply-add, nor on the number of rows. A block with NaN or infinity in it
 * makes y NaN.
 *
 * Weights are held as u = q + 128 (what VPDPBUSD and the unpacking to 16 bits want):
 * sum h q = sum h u - 128 sum h; the last term is the activations' own.
 *
 * A panel holds 32 outputs, per block 32 f16 scales, then for each half (16 outputs) 8 vectors of
 * 64 bytes, [4 inputs' group][output][4]. */
#ifndef TENSOR_KERNELS_Q8_H
#define TENSOR_KERNELS_Q8_H
#ifndef ASSAY_FLOAT64
#include "tensor/matmul_q8.h"

VINLINE int32_t q8_word(const uint8_t *p)
{
    int32_t v;
    memcpy(&v, p, 4);
    return v;
}
VINLINE float q8_float(const uint8_t *p)
{
    float v;
    memcpy(&v, p, 4);
    return v;
}
VINLINE float q8_power(uint32_t exponent)
{
    uint32_t bits = exponent << 23;
    float v;
    memcpy(&v, &bits, 4);
    return v;
}
/* The biased exponent of a block's 2^23 a, from the bits of its largest magnitude: one more where
 * the highest limb could come to 128; not so small that a or 1/a leaves the normal numbers. */
VINLINE uint32_t q8_exponent(uint32_t top)
{
    uint32_t e = (top + 0x20000) >> 23;
    return e < 23 ? 23 : e;
}
/* sums of one block and 16 (or fewer) outputs, as the number t of the formula above */
VINLINE vpart q8_number(vpart_int high, vpart_int low)
{
    return vpart_fma(__builtin_convertvector(high, vpart), vpart_set(65536),
                     __builtin_convertvector(low, vpart));
}

#if defined(__AVX512VNNI__)
/* ---- AVX-512 VNNI: a rounded block is h[32], l1[32], l0[32], then -128 sum h, -128 sum m, a ----
 */
#define Q8_BLOCK 128

static void q8_round(size_t blocks, const float *x, uint8_t *dst, size_t stride)
{
    const __m512i c128 = _mm512_set1_epi32(128), magnitude = _mm512_set1_epi32(0x7fffffff);
    for (size_t b = 0; b < blocks; b++, x += 32, dst += stride) {
        __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16);
        uint32_t top = (uint32_t)_mm512_reduce_max_epi32(
            _mm512_max_epi32(_mm512_and_si512(_mm512_castps_si512(x0), magnitude),
                             _mm512_and_si512(_mm512_castps_si512(x1), magnitude)));
        float scale = q8_power(q8_exponent(top) - 22);
        __m512 up = _mm512_set1_ps(q8_power(276 - q8_exponent(top)));
        if (top >= 0x7f800000) {
            scale = __builtin_nanf("");
            x0 = x1 = _mm512_setzero_ps();
        }
        __m512i i0 = _mm512_cvtps_epi32(_mm512_mul_ps(x0, up));
        __m512i i1 = _mm512_cvtps_epi32(_mm512_mul_ps(x1, up));
        __m512i j0 = _mm512_srai_epi32(_mm512_add_epi32(i0, c128), 8);
        __m512i j1 = _mm512_srai_epi32(_mm512_add_epi32(i1, c128), 8);
        __m512i h0 = _mm512_srai_epi32(_mm512_add_epi32(j0, c128), 8);
        __m512i h1 = _mm512_srai_epi32(_mm512_add_epi32(j1, c128), 8);
        _mm_storeu_si128((void *)dst, _mm512_cvtepi32_epi8(h0));
        _mm_storeu_si128((void *)(dst + 16), _mm512_cvtepi32_epi8(h1));
        _mm_storeu_si128((void *)(dst + 32), _mm512_cvtepi32_epi8(j0));
        _mm_storeu_si128((void *)(dst + 48), _mm512_cvtepi32_epi8(j1));
        _mm_storeu_si128((void *)(dst + 64), _mm512_cvtepi32_epi8(i0));
        _mm_storeu_si128((void *)(dst + 80), _mm512_cvtepi32_epi8(i1));
        int32_t high = _mm512_reduce_add_epi32(_mm512_add_epi32(h0, h1));
        int32_t all = _mm512_reduce_add_epi32(_mm512_add_epi32(i0, i1));
        int32_t terms[2] = { -128 * high, -128 * (all - 65536 * high) };
        memcpy(dst + 96, terms, 8);
        memcpy(dst + 104, &scale, 4);
    }
}

/* Weights are asked for this far ahead: the CPU's own prefetching stops at 4 KiB. */
#define Q8_AHEAD (4 * TENSOR_Q8_PANEL_BLOCK)

/* One block of `rows` rows (known to the compiler) against 32 outputs: c [rows][32] += . Six chains
 * a row, so that from two rows on the units are busy. */
VINLINE void q8_block(const int rows, const bool first, const uint8_t *a, const uint8_t *w,
                      float *c)
{
    if (first)
        _mm_prefetch((const char *)w + Q8_AHEAD, _MM_HINT_T0);
    __m512i high[4][2], middle[4][2], low[4][2];
    VUNROLL for (int i = 0; i < rows; i++) VUNROLL for (int v = 0; v < 2; v++)
    {
        high[i][v] = _mm512_set1_epi32(q8_word(a + i * Q8_BLOCK + 96));
        middle[i][v] = _mm512_setzero_si512();
        low[i][v] = _mm512_set1_epi32(q8_word(a + i * Q8_BLOCK + 100));
    }
    VUNROLL for (int g = 0; g < 8; g++)
    {
        if (first) {
            _mm_prefetch((const char *)w + Q8_AHEAD + 64 + 128 * g, _MM_HINT_T0);
            _mm_prefetch((const char *)w + Q8_AHEAD + 128 + 128 * g, _MM_HINT_T0);
        }
        const __m512i u[2] = { _mm512_load_si512(w + 64 + 64 * g),
                               _mm512_load_si512(w + 576 + 64 * g) };
        VUNROLL for (int i = 0; i < rows; i++)
        {
            const uint8_t *x = a + i * Q8_BLOCK + 4 * g;
            const __m512i xh = _mm512_set1_epi32(q8_word(x)),
                          xm = _mm512_set1_epi32(q8_word(x + 32)),
                          xl = _mm512_set1_epi32(q8_word(x + 64));
            VUNROLL for (int v = 0; v < 2; v++)
            {
                high[i][v] = _mm512_dpbusd_epi32(high[i][v], u[v], xh);
                middle[i][v] = _mm512_dpbusd_epi32(middle[i][v], u[v], xm);
                low[i][v] = _mm512_dpbusd_epi32(low[i][v], u[v], xl);
            }
        }
    }
    VUNROLL for (int v = 0; v < 2; v++)
    {
        const vpart d = widen_f16((const uint16_t *)(const void *)w + 16 * v).p[0];
        VUNROLL for (int i = 0; i < rows; i++)
        {
            const vpart t = q8_number(
                (vpart_int)high[i][v],
                (vpart_int)_mm512_add_epi32(low[i][v], _mm512_slli_epi32(middle[i][v], 8)));
            float *to = c + 32 * i + 16 * v;
            vpart_store(to, vpart_load(to) + t * (d * vpart_set(q8_float(a + i * Q8_BLOCK + 104))));
        }
    }
}

static void q8_tile(size_t m, size_t blocks, const uint8_t *a, size_t a_block, const uint8_t *w,
                    float *c)
{
    memset(c, 0, m * 32 * sizeof *c);
    for (size_t b = 0; b < blocks; b++, a += a_block, w += TENSOR_Q8_PANEL_BLOCK) {
        size_t i = m < 4 ? 1 : 4;
        if (m < 4)
            q8_block(1, true, a, w, c);
        else
            q8_block(4, true, a, w, c);
        for (; i + 4 <= m; i += 4)
            q8_block(4, false, a + i * Q8_BLOCK, w, c + i * 32);
        for (; i < m; i++)
            q8_block(1, false, a + i * Q8_BLOCK, w, c + i * 32);
    }
}

#else
/* ---- without VNNI: 16-bit multiply-adds of pairs ------------------------------------------------
 * The bytes (u0 u1 u2 u3) of a group's word give the pairs (u0, u2) by a mask and (u1, u3) by a
 * shift. m + 128 fits 16 bits, where m would not: sum m q = sum (m + 128) u - 128 (sum u + sum m).
 * A rounded block is, per group of 4 inputs, the pairs (0, 2) and (1, 3) of h, then of m + 128;
 * then -128 sum h, -128 sum m, a. */
#define Q8_BLOCK 160

static void q8_round(size_t blocks, const float *x, uint8_t *dst, size_t stride)
{
    for (size_t b = 0; b < blocks; b++, x += 32, dst += stride) {
        uint32_t top = 0;
        for (int i = 0; i < 32; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, 4);
            bits &= 0x7fffffff;
            top = bits > top ? bits : top;
        }
        bool finite = top < 0x7f800000;
        float scale = finite ? q8_power(q8_exponent(top) - 22) : __builtin_nanf("");
        __m128 up = _mm_set1_ps(q8_power(276 - q8_exponent(top)));
        int32_t whole[32], high = 0, low = 0;
        for (int i = 0; i < 32; i += 4)
            _mm_storeu_si128((void *)(whole + i),
                             finite ? _mm_cvtps_epi32(_mm_mul_ps(_mm_loadu_ps(x + i), up))
                                    : _mm_setzero_si128());
        int16_t pairs[8][2][2][2]; /* [group][h, m][even, odd][2] */
        for (int i = 0; i < 32; i++) {
            int32_t h = (((whole[i] + 128) >> 8) + 128) >> 8, m = whole[i] - h * 65536;
            pairs[i / 4][0][i % 2][i / 2 % 2] = (int16_t)h;
            pairs[i / 4][1][i % 2][i / 2 % 2] = (int16_t)(m + 128);
            high += h;
            low += m;
        }
        int32_t terms[2] = { -128 * high, -128 * low };
        memcpy(dst, pairs, sizeof pairs);
        memcpy(dst + 128, terms, 8);
        memcpy(dst + 136, &scale, 4);
    }
}

/* a.even b.even + a.odd b.odd of each pair of 16-bit numbers */
VINLINE vpart_int q8_pairs(vpart_int a, vpart_int b)
{
#if VPART_BYTES == 64
    return (vpart_int)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif VPART_BYTES == 32
    return (vpart_int)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
    return (vpart_int)_mm_madd_epi16((__m128i)a, (__m128i)b);
#endif
}
VINLINE vpart_int q8_spread(int32_t word)
{
    return word - (vpart_int){ 0 };
}

static void q8_tile(size_t m, size_t blocks, const uint8_t *a, size_t a_block, const uint8_t *w,
                    float *c)
{
    const vpart_int even = q8_spread(0x00ff00ff), ones = q8_spread(0x00010001);
    memset(c, 0, m * 32 * sizeof *c);
    for (size_t b = 0; b < blocks; b++, a += a_block, w += TENSOR_Q8_PANEL_BLOCK)
        for (size_t half = 0; half < 2; half++) {
            const struct vreal d = widen_f16((const uint16_t *)(const void *)w + 16 * half);
            /* the words of 16 outputs as pairs of 16-bit numbers, and -128 sum u */
            vpart_int v[8][2][VPARTS], weights[VPARTS];
            VEACH(k)
            {
                weights[k] = q8_spread(0);
                for (size_t g = 0; g < 8; g++) {
                    vpart_uint u;
                    memcpy(&u, w + 64 + 512 * half + 64 * g + (size_t)k * VPART_BYTES, sizeof u);
                    v[g][0][k] = (vpart_int)u & even;
                    v[g][1][k] = (vpart_int)(u >> 8) & even;
                    weights[k] += q8_pairs(v[g][0][k] + v[g][1][k], ones);
                }
                weights[k] *= -128;
            }
            const uint8_t *ai = a;
            float *ci = c + 16 * half;
            for (size_t i = 0; i < m; i++, ai += Q8_BLOCK, ci += 32) {
                vpart_int high[VPARTS], low[VPARTS];
                VEACH(k)
                {
                    high[k] = q8_spread(q8_word(ai + 128));
                    low[k] = weights[k] + q8_spread(q8_word(ai + 132));
                }
                for (size_t g = 0; g < 8; g++) {
                    const uint8_t *pair = ai + 16 * g;
                    VUNROLL for (int odd = 0; odd < 2; odd++)
                    {
                        const vpart_int h = q8_spread(q8_word(pair + 4 * odd)),
                                        l = q8_spread(q8_word(pair + 8 + 4 * odd));
                        VEACH(k)
                        {
                            high[k] += q8_pairs(v[g][odd][k], h);
                            low[k] += q8_pairs(v[g][odd][k], l);
                        }
                    }
                }
                const vpart scale = vpart_set(q8_float(ai + 136));
                VEACH(k)
                {
                    vpart t = q8_number(high[k], low[k]) * (d.p[k] * scale);
                    vpart_store(ci + k * VPART_LANES, vpart_load(ci + k * VPART_LANES) + t);
                }
            }
        }
}
#endif
#endif
#endif
