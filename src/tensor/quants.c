/* ggml's block formats. A row of a matrix is a whole number of blocks; within a block the weights
 * share a scale (and a minimum):
 *
 *   q8_0  34 bytes / 32    f16 d, int8 q[32]                        w = d q
 *   q4_0  18 bytes / 32    f16 d, nibbles                           w = d (q - 8)
 *   q4_k  144 bytes / 256  f16 d, f16 m, 6-bit scales and minima    w = (d s_b) q - (m n_b), 4-bit
 * q, 8 sub-blocks b of 32 q5_k  176 bytes / 256  as q4_k with a fifth bit plane q6_k  210 bytes /
 * 256  4+2 bit planes, int8 s[16], f16 d        w = d s_b (q - 32), 16 sub-blocks of 16
 *
 * Every product is exact in float (an 11-bit significand times at most 8 + 6 bits); the one
 * subtraction or addition that some formats have rounds once. So the values do not depend on how
 * the expressions are contracted. */
#include "tensor/quants.h"
#include "tensor/dtype.h"
#include <math.h>

static float half_at(const uint8_t *p)
{
    return tensor_f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

void tensor_q8_0_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 34, dst += 32) {
        float d = half_at(src);
        const int8_t *q = (const int8_t *)(src + 2);
        for (int i = 0; i < 32; i++)
            dst[i] = d * (float)q[i];
    }
}

void tensor_q4_0_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 18, dst += 32) {
        float d = half_at(src);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)((src[2 + i] & 15) - 8);
            dst[i + 16] = d * (float)((src[2 + i] >> 4) - 8);
        }
    }
}

void tensor_q4_1_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 20, dst += 32) {
        float d = half_at(src), m = half_at(src + 2);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)(src[4 + i] & 15) + m;
            dst[i + 16] = d * (float)(src[4 + i] >> 4) + m;
        }
    }
}

/* Bit i of the four bytes at high is weight i's fifth bit. */
static int fifth_bit(const uint8_t *high, int i)
{
    return (high[i / 8] >> (i % 8) & 1) << 4;
}

void tensor_q5_0_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 22, dst += 32) {
        float d = half_at(src);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)(((src[6 + i] & 15) | fifth_bit(src + 2, i)) - 16);
            dst[i + 16] = d * (float)((src[6 + i] >> 4 | fifth_bit(src + 2, i + 16)) - 16);
        }
    }
}

void tensor_q5_1_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 24, dst += 32) {
        float d = half_at(src), m = half_at(src + 2);
        for (int i = 0; i < 16; i++) {
            dst[i] = d * (float)((src[8 + i] & 15) | fifth_bit(src + 4, i)) + m;
            dst[i + 16] = d * (float)(src[8 + i] >> 4 | fifth_bit(src + 4, i + 16)) + m;
        }
    }
}

void tensor_q2_k_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 84) {
        float d = half_at(src + 80), m = half_at(src + 82);
        /* 32 bytes hold four runs of 32 weights, two bits each; a sub-block is half a run */
        for (int run = 0; run < 8; run++, dst += 32) {
            const uint8_t *from = src + 16 + 32 * (run / 4);
            int shift = 2 * (run % 4);
            for (int i = 0; i < 32; i++) {
                int scale = src[2 * run + i / 16];
                dst[i] = d * (float)(scale & 15) * (float)(from[i] >> shift & 3) -
                         m * (float)(scale >> 4);
            }
        }
    }
}

void tensor_q3_k_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 110) {
        const uint8_t *high = src, *packed = src + 96;
        float d = half_at(src + 108);
        for (int run = 0; run < 8; run++, dst += 32) {
            const uint8_t *from = src + 32 + 32 * (run / 4);
            int shift = 2 * (run % 4);
            for (int i = 0; i < 32; i++) {
                int j = 2 * run + i / 16;
                /* low nibbles of scales 0-7, then of 8-15, in bytes 0-7; the high bit pairs in
                 * bytes 8-11 */
                int low = j < 8 ? packed[j] & 15 : packed[j - 8] >> 4;
                int scale = (low | (packed[8 + j % 4] >> (2 * (j / 4)) & 3) << 4) - 32;
                int q = (from[i] >> shift & 3) | (high[i] >> run & 1) << 2;
                dst[i] = d * (float)scale * (float)(q - 4);
            }
        }
    }
}

/* The 8 scales and 8 minima of 6 bits that q4_k and q5_k pack into 12 bytes: the first four of each
 * lie in the low 6 bits of bytes 0-3 and 4-7; the last four have their low nibbles in bytes 8-11
 * and their high 2 bits on top of bytes 0-7. */
static void scale_and_minimum(const uint8_t *packed, int j, float *scale, float *minimum)
{
    if (j < 4) {
        *scale = (float)(packed[j] & 63);
        *minimum = (float)(packed[j + 4] & 63);
    } else {
        *scale = (float)((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4);
        *minimum = (float)((packed[j + 4] >> 4) | (packed[j] >> 6) << 4);
    }
}

void tensor_q4_k_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 144) {
        float d = half_at(src), m = half_at(src + 2);
        const uint8_t *packed = src + 4, *q = src + 16;
        /* 32 bytes hold two sub-blocks: low nibbles, then high nibbles */
        for (int j = 0; j < 8; j++, dst += 32) {
            float scale, minimum;
            scale_and_minimum(packed, j, &scale, &minimum);
            float ds = d * scale, mn = m * minimum;
            const uint8_t *from = q + 32 * (j / 2);
            int shift = 4 * (j & 1);
            for (int i = 0; i < 32; i++)
                dst[i] = ds * (float)(from[i] >> shift & 15) - mn;
        }
    }
}

void tensor_q5_k_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 176) {
        float d = half_at(src), m = half_at(src + 2);
        const uint8_t *packed = src + 4, *high = src + 16, *q = src + 48;
        for (int j = 0; j < 8; j++, dst += 32) {
            float scale, minimum;
            scale_and_minimum(packed, j, &scale, &minimum);
            float ds = d * scale, mn = m * minimum;
            const uint8_t *from = q + 32 * (j / 2);
            int shift = 4 * (j & 1);
            /* bit j of high[i] is the fifth bit of weight i of sub-block j */
            for (int i = 0; i < 32; i++)
                dst[i] = ds * (float)((from[i] >> shift & 15) | (high[i] >> j & 1) << 4) - mn;
        }
    }
}

void tensor_q6_k_decode(const uint8_t *src, size_t blocks, float *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 210) {
        const int8_t *scale = (const int8_t *)(src + 192);
        float d = half_at(src + 208);
        /* two halves of 128 weights; each has 64 bytes of nibbles and 32 bytes of bit pairs, which
         * give four runs of 32 */
        for (int h = 0; h < 2; h++) {
            const uint8_t *low = src + 64 * h, *high = src + 128 + 32 * h;
            for (int run = 0; run < 4; run++, dst += 32) {
                const uint8_t *from = low + 32 * (run & 1);
                int shift = 4 * (run >> 1);
                for (int i = 0; i < 32; i++) {
                    int q = (from[i] >> shift & 15) | (high[i] >> (2 * run) & 3) << 4;
                    dst[i] = d * (float)scale[8 * h + 2 * run + i / 16] * (float)(q - 32);
                }
            }
        }
    }
}

int tensor_q8_0_encode(const float *src, size_t blocks, uint8_t *dst)
{
    for (size_t b = 0; b < blocks; b++, src += 32, dst += 34) {
        float largest = 0;
        int finite = 1;
        for (int i = 0; i < 32; i++) {
            float a = fabsf(src[i]);
            finite &= a <= 3.402823466e38f;
            largest = a > largest ? a : largest;
        }
        float d = largest / 127.0f;
        float inverse = d > 0 ? 1.0f / d : 0.0f;
        uint16_t h = tensor_f16_from_f32(d);
        if (!finite || (h & 0x7c00) == 0x7c00)
            return -1;
        dst[0] = (uint8_t)h;
        dst[1] = (uint8_t)(h >> 8);
        for (int i = 0; i < 32; i++) {
            /* 1/d overflows for d below 2^-128; such a block's d is 0 in f16 anyway */
            float q = roundf(src[i] * inverse);
            dst[2 + i] = (uint8_t)(int8_t)(q > 127 ? 127 : q < -127 ? -127 : q == q ? q : 0);
        }
    }
    return 0;
}
