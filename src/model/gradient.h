/* Training's view of a model: its parameters as mutable arrays, and one call that runs forward and
 * backward over packed token rows. Models are loaded with options.trainable or made by
 * model_create. */
#ifndef MODEL_GRADIENT_H
#define MODEL_GRADIENT_H
#include "base/json.h"
#include <assay/model.h>

struct model_parameter {
    const char *name; /* canonical: "embed", "blocks.3.attn.qkv", "blocks.3.attn.qkv.bias",
                         "ln_final", ... */
    real *value;      /* [rows, columns] row-major; vectors have rows == 1 */
    real *gradient;   /* same shape; NULL until model_gradients_allocate; accumulated (+=) by
                         model_backward */
    size_t rows, columns;
    bool decay;  /* weight decay applies: matrices and embeddings, not biases and norms */
    bool frozen; /* no gradient is computed */
};
size_t model_parameter_count(const struct model *m);
struct model_parameter *
model_parameter_at(struct model *m,
                   size_t i); /* fixed order: the order of initialisation and checkpoints */
int model_gradients_allocate(struct model *m);
void model_gradients_zero(struct model *m);

/* A new model with random weights from an HF-style config object ({"model_type":"llama", ...}).
 * Initialisation: N(0, initializer_range = 0.02), residual projections divided by sqrt(2 layers)
 * (GPT-2, Radford et al. 2019), norms 1, biases 0; stream BASE_RNG_INIT per parameter. */
int model_create(struct model **out, const json_t *config, uint64_t seed);
/* Writes config.json and model.safetensors in HF layout (HF tensor names) atomically into a
 * directory. tokenizer_source (may be NULL) is a tokenizer.json copied along. */
int model_save(struct model *m, const char *directory, const char *dtype /* "f32" "bf16" "f16" */,
               const char *tokenizer_source);

/* One packed row of tokens: documents laid end to end. Attention and positions restart where
 * document_start is true (index 0 counts as a start). */
struct model_row {
    const int32_t *ids;         /* [n] */
    const int32_t *targets;     /* [n]: the id to predict at this place, or -1 for none */
    const bool *document_start; /* [n], or NULL for one document */
    size_t n;
};
struct model_pass {
    double scale; /* gradients are of scale * sum of token losses: give 1 / all label tokens of the
                     step */
    double dropout;      /* residual, embedding and attention dropout probability; 0 = none */
    uint64_t seed, step; /* dropout's random stream; item = step */
    uint64_t row_offset; /* index of rows[0] within the step, so that micro-batches draw as one
                            batch would */
    bool
        recompute; /* gradient checkpointing: keep only each block's input, recompute in backward */
    bool forward_only; /* loss without gradients (evaluation) */
};
/* Adds to *loss_sum (nats, double, summed in row then token order) and *labels, and accumulates
 * gradients. Bit-identical for any split of the same rows, in the same order, into calls (when
 * scale is the same). Between model_gradients_zero and the last model_backward before a step the
 * gradients are read only: a tied embedding's is put together from two parts after each call. */
int model_backward(struct model *m, const struct model_row *rows, size_t n_rows,
                   const struct model_pass *pass, double *loss_sum, size_t *labels);
/* Peak bytes model_backward needs for such rows beyond parameters and gradients. */
size_t model_backward_bytes(const struct model *m, size_t n_rows, size_t row_length,
                            const struct model_pass *pass);
#endif
