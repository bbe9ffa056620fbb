/* Stored number formats: names, sizes, and conversion to and from float.
 *
 * f16 is IEEE binary16, bf16 the upper half of a float. Conversions work on bits, so that every one
 * of the 65,536 patterns of either (NaN payloads and signalling NaNs too) survives to_f32 and back.
 * The loops are written without branches so that the compiler can vectorise them. */
#include "tensor/dtype.h"
#include "assay/base.h"
#include "base/memory.h"
#include "tensor/quants.h"
#include <string.h>

static const struct tensor_dtype_info INFO[TENSOR_DTYPES] = {
    [TENSOR_F32] = { "f32", 1, 4, 1, 1 },         [TENSOR_F16] = { "f16", 1, 2, 1, 1 },
    [TENSOR_BF16] = { "bf16", 1, 2, 1, 1 },       [TENSOR_F64] = { "f64", 1, 8, 1, 1 },
    [TENSOR_Q8_0] = { "q8_0", 32, 34, 1, 1 },     [TENSOR_Q4_0] = { "q4_0", 32, 18, 1, 0 },
    [TENSOR_Q4_K] = { "q4_k", 256, 144, 1, 0 },   [TENSOR_Q5_K] = { "q5_k", 256, 176, 1, 0 },
    [TENSOR_Q6_K] = { "q6_k", 256, 210, 1, 0 },   [TENSOR_I8] = { "i8", 1, 1, 0, 0 },
    [TENSOR_U8] = { "u8", 1, 1, 0, 0 },           [TENSOR_I16] = { "i16", 1, 2, 0, 0 },
    [TENSOR_U16] = { "u16", 1, 2, 0, 0 },         [TENSOR_I32] = { "i32", 1, 4, 0, 0 },
    [TENSOR_U32] = { "u32", 1, 4, 0, 0 },         [TENSOR_I64] = { "i64", 1, 8, 0, 0 },
    [TENSOR_U64] = { "u64", 1, 8, 0, 0 },         [TENSOR_BOOL] = { "bool", 1, 1, 0, 0 },
    [TENSOR_F8_E4M3] = { "f8_e4m3", 1, 1, 1, 0 }, [TENSOR_F8_E5M2] = { "f8_e5m2", 1, 1, 1, 0 },
    [TENSOR_Q4_1] = { "q4_1", 32, 20, 1, 0 },     [TENSOR_Q5_0] = { "q5_0", 32, 22, 1, 0 },
    [TENSOR_Q5_1] = { "q5_1", 32, 24, 1, 0 },     [TENSOR_Q2_K] = { "q2_k", 256, 84, 1, 0 },
    [TENSOR_Q3_K] = { "q3_k", 256, 110, 1, 0 },
};

const struct tensor_dtype_info *tensor_dtype_describe(enum tensor_dtype dtype)
{
    return &INFO[dtype];
}

int tensor_dtype_parse(const char *name, enum tensor_dtype *out)
{
    for (int i = 0; i < TENSOR_DTYPES; i++)
        if (!strcmp(name, INFO[i].name)) {
            *out = (enum tensor_dtype)i;
            return 0;
        }
    return base_error_set(
        BASE_E_ARGUMENT,
        "unknown dtype '%s': choose f32, f16, bf16, f64 or q8_0 to write; the other "
        "ggml formats (q4_0 ... q6_k), f8_e4m3 and f8_e5m2 can be read",
        name);
}

int tensor_dtype_bytes(enum tensor_dtype dtype, size_t n, size_t *bytes)
{
    const struct tensor_dtype_info *info = &INFO[dtype];
    if (n % info->block)
        return -1;
    return base_mul_size(n / info->block, info->block_bytes, bytes);
}

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Bits of the float with the value of h. Normal: rebias the exponent by 127 - 15. Exponent 31
 * (infinity, NaN): to 255. Subnormal m * 2^-24: put m below the leading one of 2^-14 and subtract
 * it. */
static inline uint32_t half_bits(uint32_t h)
{
    uint32_t sign = (h & 0x8000) << 16, magnitude = (h & 0x7fff) << 13;
    uint32_t normal = magnitude + (112u << 23);
    uint32_t special = magnitude + (224u << 23);
    uint32_t small = bits_of(float_of(magnitude + (113u << 23)) - float_of(113u << 23));
    uint32_t u = magnitude >= (31u << 23) ? special : magnitude < (1u << 23) ? small : normal;
    return sign | u;
}

/* Round to nearest even. From 2^-14 on: drop 13 bits after adding half an ulp less one, plus the
 * bit that stays (a carry runs into the exponent, and from 65520 into infinity). Below: adding 0.5
 * leaves the value in units of 2^-24 in the low bits, rounded by the adder. */
static inline uint16_t half_from_bits(uint32_t u)
{
    uint32_t sign = u >> 16 & 0x8000;
    u &= 0x7fffffff;
    uint32_t normal = (u - (112u << 23) + 0xfff + (u >> 13 & 1)) >> 13;
    uint32_t small = bits_of(float_of(u < 0x38800000 ? u : 0) + 0.5f) - (126u << 23);
    uint32_t payload = u >> 13 & 0x3ff;
    uint32_t nan = 0x7c00 | (payload ? payload : 0x200);
    uint32_t h = u > 0x7f800000 ? nan : u >= 0x47800000 ? 0x7c00 : u < 0x38800000 ? small : normal;
    return (uint16_t)(sign | h);
}

/* Round to nearest even; a NaN keeps its upper payload and stays a NaN. */
static inline uint16_t brain_from_bits(uint32_t u)
{
    uint32_t rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    uint32_t payload = u >> 16 & 0x7f;
    uint32_t nan = u >> 16 | (payload ? 0 : 0x40);
    return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

float tensor_f16_to_f32(uint16_t h)
{
    return float_of(half_bits(h));
}

uint16_t tensor_f16_from_f32(float f)
{
    return half_from_bits(bits_of(f));
}

float tensor_bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t tensor_bf16_from_f32(float f)
{
    return brain_from_bits(bits_of(f));
}

/* OCP 8-bit floats. e5m2 is the upper half of an f16. e4m3 ("fn": no infinities, 0x7f and 0xff are
 * NaN): exponent bias 7, so its normals are those of f16 with the exponent moved by 8. */
static float e4m3_to_f32(uint8_t b)
{
    uint32_t sign = (uint32_t)(b & 0x80) << 24, exponent = b >> 3 & 15, mantissa = b & 7;
    if ((b & 0x7f) == 0x7f)
        return float_of(sign | 0x7fc00000);
    if (exponent == 0)
        return float_of(sign | bits_of((float)mantissa * 0x1p-9f));
    return float_of(sign | (exponent + 120) << 23 | mantissa << 20);
}

int tensor_to_f32(enum tensor_dtype dtype, const void *src, size_t n, float *dst)
{
    const uint8_t *p = src;
    size_t blocks = n / INFO[dtype].block;
    if (n % INFO[dtype].block)
        return -1;
    if (n == 0)
        return INFO[dtype].readable ? 0 : -1;
    switch (dtype) {
    case TENSOR_F32:
        memcpy(dst, p, n * 4);
        return 0;
    case TENSOR_F16:
        for (size_t i = 0; i < n; i++) {
            uint16_t h;
            memcpy(&h, p + 2 * i, 2);
            uint32_t u = half_bits(h);
            memcpy(dst + i, &u, 4);
        }
        return 0;
    case TENSOR_BF16:
        for (size_t i = 0; i < n; i++) {
            uint16_t h;
            memcpy(&h, p + 2 * i, 2);
            uint32_t u = (uint32_t)h << 16;
            memcpy(dst + i, &u, 4);
        }
        return 0;
    case TENSOR_F64:
        for (size_t i = 0; i < n; i++) {
            double d;
            memcpy(&d, p + 8 * i, 8);
            dst[i] = (float)d;
        }
        return 0;
    case TENSOR_Q8_0:
        tensor_q8_0_decode(p, blocks, dst);
        return 0;
    case TENSOR_Q4_0:
        tensor_q4_0_decode(p, blocks, dst);
        return 0;
    case TENSOR_Q4_K:
        tensor_q4_k_decode(p, blocks, dst);
        return 0;
    case TENSOR_Q5_K:
        tensor_q5_k_decode(p, blocks, dst);
        return 0;
    case TENSOR_Q6_K:
        tensor_q6_k_decode(p, blocks, dst);
        return 0;
    case TENSOR_Q4_1:
        tensor_q4_1_decode(p, blocks, dst);
        return 0;
    case TENSOR_Q5_0:
        tensor_q5_0_decode(p, blocks, dst);
        return 0;
    case TENSOR_Q5_1:
        tensor_q5_1_decode(p, blocks, dst);
        return 0;
    case TENSOR_Q2_K:
        tensor_q2_k_decode(p, blocks, dst);
        return 0;
    case TENSOR_Q3_K:
        tensor_q3_k_decode(p, blocks, dst);
        return 0;
    case TENSOR_F8_E4M3:
        for (size_t i = 0; i < n; i++)
            dst[i] = e4m3_to_f32(p[i]);
        return 0;
    case TENSOR_F8_E5M2:
        for (size_t i = 0; i < n; i++)
            dst[i] = tensor_f16_to_f32((uint16_t)(p[i] << 8));
        return 0;
    default:
        return -1;
    }
}

int tensor_from_f32(enum tensor_dtype dtype, const float *src, size_t n, void *dst)
{
    uint8_t *p = dst;
    if (n % INFO[dtype].block)
        return -1;
    if (n == 0)
        return INFO[dtype].writable ? 0 : -1;
    switch (dtype) {
    case TENSOR_F32:
        memcpy(p, src, n * 4);
        return 0;
    case TENSOR_F16:
        for (size_t i = 0; i < n; i++) {
            uint32_t u;
            memcpy(&u, src + i, 4);
            uint16_t h = half_from_bits(u);
            memcpy(p + 2 * i, &h, 2);
        }
        return 0;
    case TENSOR_BF16:
        for (size_t i = 0; i < n; i++) {
            uint32_t u;
            memcpy(&u, src + i, 4);
            uint16_t h = brain_from_bits(u);
            memcpy(p + 2 * i, &h, 2);
        }
        return 0;
    case TENSOR_F64:
        for (size_t i = 0; i < n; i++) {
            double d = src[i];
            memcpy(p + 8 * i, &d, 8);
        }
        return 0;
    case TENSOR_Q8_0:
        return tensor_q8_0_encode(src, n / 32, p);
    default:
        return -1;
    }
}
