/* ggml's block formats: one function per format that expands whole blocks to float, and q8_0's
 * encoder. Private to the tensor room; callers use dtype.h. */
#ifndef TENSOR_QUANTS_H
#define TENSOR_QUANTS_H
#include <stddef.h>
#include <stdint.h>

/* blocks: number of blocks; dst gets blocks * (32 or 256) floats; src need not be aligned. */
void tensor_q8_0_decode(const uint8_t *src, size_t blocks, float *dst);
void tensor_q4_0_decode(const uint8_t *src, size_t blocks, float *dst);
void tensor_q4_k_decode(const uint8_t *src, size_t blocks, float *dst);
void tensor_q5_k_decode(const uint8_t *src, size_t blocks, float *dst);
void tensor_q6_k_decode(const uint8_t *src, size_t blocks, float *dst);
void tensor_q4_1_decode(const uint8_t *src, size_t blocks, float *dst);
void tensor_q5_0_decode(const uint8_t *src, size_t blocks, float *dst);
void tensor_q5_1_decode(const uint8_t *src, size_t blocks, float *dst);
void tensor_q2_k_decode(const uint8_t *src, size_t blocks, float *dst);
void tensor_q3_k_decode(const uint8_t *src, size_t blocks, float *dst);
/* -1 when a block holds NaN or infinity, or its scale max|w|/127 is beyond the largest f16. */
int tensor_q8_0_encode(const float *src, size_t blocks, uint8_t *dst);
#endif
