/* Stored number formats and their exact conversion to and from `float`.
 *
 * Block formats (ggml's layouts, little-endian, a row of a matrix is a whole number of blocks):
 *   q8_0   32 weights: f16 scale d, 32 int8;          w = d*q
 *   q4_0   32 weights: f16 scale d, 16 bytes;         w = d*(q-8), low nibbles are weights 0-15,
 * high 16-31 q4_k, q5_k, q6_k   256 weights (super-blocks with 6-bit / 8-bit sub-scales)
 */
#ifndef TENSOR_DTYPE_H
#define TENSOR_DTYPE_H
#include <stddef.h>
#include <stdint.h>

enum tensor_dtype {
    TENSOR_F32,
    TENSOR_F16,
    TENSOR_BF16,
    TENSOR_F64,
    TENSOR_Q8_0,
    TENSOR_Q4_0,
    TENSOR_Q4_K,
    TENSOR_Q5_K,
    TENSOR_Q6_K,
    TENSOR_I8,
    TENSOR_U8,
    TENSOR_I16,
    TENSOR_U16,
    TENSOR_I32,
    TENSOR_U32,
    TENSOR_I64,
    TENSOR_U64,
    TENSOR_BOOL,
    TENSOR_F8_E4M3,
    TENSOR_F8_E5M2,
    TENSOR_Q4_1,
    TENSOR_Q5_0,
    TENSOR_Q5_1,
    TENSOR_Q2_K,
    TENSOR_Q3_K,
    TENSOR_DTYPES
};
struct tensor_dtype_info {
    const char *name;     /* "f32", "q8_0", ... as users write it */
    unsigned block;       /* weights per block; 1 for plain types */
    unsigned block_bytes; /* bytes per block */
    int readable;         /* tensor_to_f32 works */
    int writable;         /* tensor_from_f32 works: f32 f16 bf16 f64 q8_0 */
};
const struct tensor_dtype_info *tensor_dtype_describe(enum tensor_dtype dtype);
/* 0 and *out, or BASE_E_ARGUMENT naming the choices. */
int tensor_dtype_parse(const char *name, enum tensor_dtype *out);
/* Bytes of n weights: 0 and *bytes, or -1 when n is no multiple of the block or it overflows. */
int tensor_dtype_bytes(enum tensor_dtype dtype, size_t n, size_t *bytes);
/* n weights (a multiple of the block), src need not be aligned. Exact (every format's value is
 * representable in float, f64 excepted: rounded to nearest even). -1 when not readable (integers).
 */
int tensor_to_f32(enum tensor_dtype dtype, const void *src, size_t n, float *dst);
/* Rounds to nearest even; q8_0 as ggml (d = max|w|/127, q = round half away from zero). -1 when not
 * writable, or when a q8_0 block holds NaN or infinity, or weights too large for an f16 scale. */
int tensor_from_f32(enum tensor_dtype dtype, const float *src, size_t n, void *dst);
float tensor_f16_to_f32(uint16_t h);
uint16_t tensor_f16_from_f32(float f);
float tensor_bf16_to_f32(uint16_t h);
uint16_t tensor_bf16_from_f32(float f); /* nearest even, NaN stays NaN */
#endif
