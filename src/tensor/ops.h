/* The operations of a transformer apart from matrix products and attention, each forward and
 * backward side by side.
 *
 * Matrices are row-major [rows, width] and contiguous unless a leading dimension ld (reals from one
 * row to the next, ld >= width) is given. No function allocates or fails. Results may overwrite
 * arguments of the same shape (y may be x, dx may be dy) where not said otherwise.
 *
 * Bits: every row's (element's) result depends on that row alone, and sums over rows (gradients of
 * weights) run in row order, each column by one thread. So results are the same for any number of
 * threads and for any split of the rows into consecutive calls. */
#ifndef TENSOR_OPS_H
#define TENSOR_OPS_H
#include "base/rng.h"
#include "tensor/dtype.h"
#include <assay/real.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- norm.c: h = (x - mean) rstd, y = h w + b -------------------------------------------------
 */

/* LayerNorm (Ba, Kiros, Hinton 2016): mean and biased variance of the row, rstd = 1/sqrt(var +
 * eps). w [d] or NULL (ones), b [d] or NULL (zeros; needs w). mean, rstd [rows] are kept for the
 * backward, or NULL. */
void tensor_layer_norm(real *y, const real *x, const real *w, const real *b, size_t rows, size_t d,
                       double eps, real *mean, real *rstd);
/* With g = dy w:  dx = rstd (g - mean(g) - h mean(g h)). add: dx += (dx must not be dy then). */
void tensor_layer_norm_backward(real *dx, const real *dy, const real *x, const real *w,
                                const real *mean, const real *rstd, size_t rows, size_t d,
                                bool add);
/* dw += sum over rows of dy h,  db += sum of dy, in row order. dw or db may be NULL. */
void tensor_layer_norm_gradient(real *dw, real *db, const real *dy, const real *x, const real *mean,
                                const real *rstd, size_t rows, size_t d);

/* RMSNorm (Zhang and Sennrich 2019): rstd = 1/sqrt(mean(x^2) + eps), y = x rstd (w + offset);
 * offset is 1 for Gemma, else 0. w NULL = ones. With rows = tokens*heads and d = head_dim it norms
 * each head of a contiguous [tokens, heads*head_dim] matrix (Qwen3). */
void tensor_rms_norm(real *y, const real *x, const real *w, double offset, size_t rows, size_t d,
                     double eps, real *rstd);
/* With g = dy (w + offset), h = x rstd:  dx = rstd (g - h mean(g h)). */
void tensor_rms_norm_backward(real *dx, const real *dy, const real *x, const real *w, double offset,
                              const real *rstd, size_t rows, size_t d, bool add);
/* dw += sum over rows of dy h, in row order. */
void tensor_rms_norm_gradient(real *dw, const real *dy, const real *x, const real *rstd,
                              size_t rows, size_t d);

/* ---- activation.c -------------------------------------------------------------------------------
 */

enum tensor_activation {
    TENSOR_GELU,         /* x Phi(x), the exact form (Hendrycks and Gimpel 2016) */
    TENSOR_GELU_TANH,    /* x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))): gelu_new, gelu_fast,
                            gelu_pytorch_tanh */
    TENSOR_GELU_QUICK,   /* x s(1.702 x), s the logistic function */
    TENSOR_SILU,         /* x s(x), also called swish */
    TENSOR_RELU,         /* max(0, x) */
    TENSOR_RELU_SQUARED, /* max(0, x)^2 (So et al. 2021) */
    TENSOR_SIGMOID,      /* s(x) = 1/(1 + e^-x) */
    TENSOR_TANH,
    TENSOR_IDENTITY, /* "linear" */
    TENSOR_ACTIVATIONS
};
/* From the name in a Hugging Face config ("gelu_new", "silu", ...): 0 and *out, or
 * BASE_E_UNSUPPORTED with a message that lists the names. */
int tensor_activation_parse(const char *name, enum tensor_activation *out);
/* Its canonical Hugging Face name. */
const char *tensor_activation_name(enum tensor_activation f);
/* y = f(x), n elements. */
void tensor_activate(enum tensor_activation f, real *y, const real *x, size_t n);
/* dx = dy f'(x); relu'(0) = 0. */
void tensor_activate_backward(enum tensor_activation f, real *dx, const real *dy, const real *x,
                              size_t n);
/* Gated units (Shazeer 2020): gate_up is [rows, 2 ff], the gate's columns first; y [rows, ff] =
 * f(gate) up. y may not overlap gate_up. */
void tensor_gate(enum tensor_activation f, real *y, const real *gate_up, size_t rows, size_t ff);
/* d_gate = dy up f'(gate), d_up = dy f(gate), as [rows, 2 ff]; d_gate_up may be gate_up. */
void tensor_gate_backward(enum tensor_activation f, real *d_gate_up, const real *dy,
                          const real *gate_up, size_t rows, size_t ff);

/* ---- elementwise.c ------------------------------------------------------------------------------
 */

/* y = a + b, n elements: residual connections and their gradients. */
void tensor_add(real *y, const real *a, const real *b, size_t n);
/* y = s x */
void tensor_scale(real *y, const real *x, double s, size_t n);
/* y[r] += bias, bias [d]. */
void tensor_bias_add(real *y, const real *bias, size_t rows, size_t d, size_t ld);
/* db += sum over rows of dy[r], in row order. */
void tensor_bias_gradient(real *db, const real *dy, size_t rows, size_t d, size_t ld);

/* ---- dropout.c ----------------------------------------------------------------------------------
 */

/* Inverted dropout: y_i = x_i/(1-p) where the stream's number first + i is >= p 2^32, else 0. Its
 * backward is the same call on dy. 0 <= p < 1; p = 0 copies. first is the element's index in
 * whatever the caller numbers (row * d for a block of rows), so that a mask does not depend on
 * batch or threads. */
void tensor_dropout(real *y, const real *x, size_t n, const struct base_rng *stream, uint64_t first,
                    double p);

/* ---- embedding.c --------------------------------------------------------------------------------
 */

/* y[r] = scale * table[ids[r]], table [vocabulary, d] stored as dtype (any readable one, d a
 * multiple of its block). Ids are in range (the caller checked). */
void tensor_embed(real *y, enum tensor_dtype dtype, const void *table, const int32_t *ids,
                  size_t rows, size_t d, double scale);
/* The same from a table of reals (a trainable model's). add: y += (position embeddings). */
void tensor_embed_real(real *y, const real *table, const int32_t *ids, size_t rows, size_t d,
                       double scale, bool add);
/* d_table[ids[r]] += scale * dy[r], rows in order for every table row. */
void tensor_embed_gradient(real *d_table, const real *dy, const int32_t *ids, size_t rows, size_t d,
                           double scale);

/* ---- rope.c: rotary positions (Su et al. 2021)
 * --------------------------------------------------- */

enum tensor_rope_scaling {
    TENSOR_ROPE_NONE,
    TENSOR_ROPE_LINEAR,   /* all frequencies / factor (Chen et al. 2023) */
    TENSOR_ROPE_LLAMA3,   /* low frequencies / factor, high ones kept, a ramp between (Llama 3.1) */
    TENSOR_ROPE_YARN,     /* a ramp by rotations over the original context (Peng et al. 2023) */
    TENSOR_ROPE_LONGROPE, /* given divisors per frequency (Ding et al. 2024) */
};
struct tensor_rope_options {
    size_t rotary;    /* dims of a head that turn, even; the rest pass */
    double base;      /* theta, 10000 */
    bool interleaved; /* pairs (2i, 2i+1) as in GPT-J; else (i, i + rotary/2) */
    enum tensor_rope_scaling scaling;
    double factor; /* linear, llama3, yarn; longrope: context / original_context */
    double
        original_context; /* llama3, yarn, longrope: positions the model was trained with first */
    double low_frequency_factor, high_frequency_factor; /* llama3: 1, 4 */
    double beta_fast, beta_slow;                        /* yarn: 32, 1 */
    bool no_truncate; /* yarn: ramp ends not rounded to whole dims */
    /* Factor on cosines and sines; 0 = by rule: yarn 0.1 ln(factor) + 1, longrope sqrt(1 +
     * ln(factor)/ln(original)), else 1. */
    double attention_factor;
    double mscale, mscale_all_dim; /* yarn as DeepSeek writes it: m(mscale)/m(mscale_all_dim), m(s)
                                      = 0.1 s ln(factor) + 1; 0 = not given */
    const double *divisors; /* longrope: [rotary/2], borrowed until tensor_rope_new returns */
};
struct tensor_rope; /* frequencies in double */
/* BASE_E_ARGUMENT names the bad option. Free with tensor_rope_free. */
int tensor_rope_new(struct tensor_rope **out, const struct tensor_rope_options *options);
void tensor_rope_free(struct tensor_rope *rope);
/* Radians per position of pair i < rotary/2, after scaling. */
double tensor_rope_frequency(const struct tensor_rope *rope, size_t i);
/* For each row's position: angles[r] = cosines [rotary/2] then sines [rotary/2], times the
 * attention factor; computed in double, rounded once. angles is [rows, rotary]. */
void tensor_rope_angles(const struct tensor_rope *rope, real *angles, const int32_t *positions,
                        size_t rows);
/* Turns the first `rotary` dims of each of `heads` heads (head_dim apart) in each row, in place:
 *   a' = a cos - b sin,  b' = b cos + a sin.   ld: reals between rows. */
void tensor_rope_apply(const struct tensor_rope *rope, real *x, const real *angles, size_t rows,
                       size_t ld, size_t heads, size_t head_dim);
/* Its transpose: turns back (and multiplies by the attention factor once more). */
void tensor_rope_backward(const struct tensor_rope *rope, real *dx, const real *angles, size_t rows,
                          size_t ld, size_t heads, size_t head_dim);

/* ---- loss.c: rows of logits
 * ---------------------------------------------------------------------- */

/* Softmax cross-entropy in place: with z = softcap(x) = cap tanh(x/cap) (cap 0: z = x),
 *   loss[r] = log sum exp(z) - z[target],   x <- scale (softmax(z) - onehot(target)) dz/dx.
 * targets[r] in [0, vocabulary) or -1: loss 0 and gradient 0. loss [rows] in double. gradient
 * false: the row holds z afterwards. */
void tensor_cross_entropy(real *logits, const int32_t *targets, size_t rows, size_t vocabulary,
                          size_t ld, double scale, double cap, double *loss, bool gradient);
/* logprob[r] = z[target] - log sum exp z (NaN where target is -1); greedy[r]: is the target the
 * argmax, lowest id on ties. logprob, greedy may be NULL. */
void tensor_log_softmax(const real *logits, const int32_t *targets, size_t rows, size_t vocabulary,
                        size_t ld, double *logprob, bool *greedy);
/* log sum e^x in double: exact maximum, exponentials in real, their sum in double.
 */
double tensor_log_sum_exp(const real *x, size_t n);
/* Index of the largest, the lowest on ties; NaN is never it (0 if all are NaN). n >= 1. */
size_t tensor_argmax(const real *x, size_t n);
/* Gemma-2's soft cap y = cap tanh(x/cap), and dx = dy (1 - (y/cap)^2). */
void tensor_softcap(real *y, const real *x, double cap, size_t n);
void tensor_softcap_backward(real *dx, const real *dy, const real *y, double cap, size_t n);
#endif
