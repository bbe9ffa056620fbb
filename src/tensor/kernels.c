/* All kernels for one instruction set. The Makefile compiles this file three times, with
 * KERNELS_ISA = v1 (SSE2), v3 (AVX2, FMA) and v4 (AVX-512); every fragment is static, so only the
 * table is seen outside. Nothing here may run before kernels_dispatch.c has asked the CPU. */
#include "tensor/kernels_table.h"
#include "tensor/kernels_vector.h"
#include "tensor/kernels_math.h"
#include "tensor/kernels_row.h"
#include "tensor/kernels_gemm.h"
#include "tensor/kernels_q8.h"
#include "tensor/kernels_activation.h"
#include "tensor/kernels_attention.h"

#define KERNELS_JOIN_(a, b) a##b
#define KERNELS_JOIN(a, b)  KERNELS_JOIN_(a, b)
#define ACTIVATION_KERNELS(f)                                                                      \
    {                                                                                              \
        f##_row, f##_back, f##_gate, f##_gate_back                                                 \
    }
#define KERNELS_TEXT_(a) #a
#define KERNELS_TEXT(a)  KERNELS_TEXT_(a)

const struct tensor_kernels KERNELS_JOIN(tensor_kernels_, KERNELS_ISA) = {
    .isa = KERNELS_TEXT(KERNELS_ISA),
    .gemm_rows = KERNEL_ROWS,
    .gemm = gemm_tile,
    .gemm_packed = gemm_packed,
    .gemm_short = gemm_short,
    .gemm_transpose = gemm_transpose,
    .widen_bf16 = gemm_widen_bf16,
    .widen_f16 = gemm_widen_f16,
    .widen_pairs = gemm_widen_pairs,
    .dot_bf16 = gemm_dot_bf16,
    .dot_f16 = gemm_dot_f16,
#ifndef ASSAY_FLOAT64
    .q8_block = Q8_BLOCK,
    .q8_round = q8_round,
    .q8_tile = q8_tile,
#endif
    .attention_scores = attention_scores,
    .attention_softmax = attention_softmax,
    .attention_finish = attention_finish,
    .attention_gradient = attention_gradient,
    .add = row_add,
    .scale = row_scale,
    .embed = row_embed,
    .layer_norm = row_layer_norm,
    .rms_norm = row_rms_norm,
    .norm_backward = row_norm_backward,
    .column_sums = row_column_sums,
    .rotate = row_rotate,
    .max = row_max,
    .sum_exp = row_sum_exp,
    .softmax_gradient = row_softmax_gradient,
    .softcap = row_softcap,
    .softcap_backward = row_softcap_backward,
    .dropout = row_dropout,
    .activation = {
        [TENSOR_GELU] = ACTIVATION_KERNELS(act_gelu),
        [TENSOR_GELU_TANH] = ACTIVATION_KERNELS(act_gelu_tanh),
        [TENSOR_GELU_QUICK] = ACTIVATION_KERNELS(act_gelu_quick),
        [TENSOR_SILU] = ACTIVATION_KERNELS(act_silu),
        [TENSOR_RELU] = ACTIVATION_KERNELS(act_relu),
        [TENSOR_RELU_SQUARED] = ACTIVATION_KERNELS(act_relu_squared),
        [TENSOR_SIGMOID] = ACTIVATION_KERNELS(act_sigmoid),
        [TENSOR_TANH] = ACTIVATION_KERNELS(act_tanh),
        [TENSOR_IDENTITY] = ACTIVATION_KERNELS(act_identity),
    },
};
