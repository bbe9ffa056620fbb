/* model: load a language model and run it.
 *
 * A model is immutable once loaded and may be shared by threads; a sequence belongs to one caller
 * at a time. Results (logits) are bit-identical for any batch composition, thread count, and split
 * of a sequence into cached and new tokens. */
#ifndef ASSAY_MODEL_H
#define ASSAY_MODEL_H
#include <assay/base.h>
#include <assay/tokenizer.h>
#include <stdbool.h>
#include <stdint.h>

#include <assay/real.h>

struct model;

enum model_compute {
    MODEL_COMPUTE_F32,  /* products and sums in float */
    MODEL_COMPUTE_BF16, /* products of bfloat16, sums in float; by the CPU's bf16 units where it has
                           them */
};
struct model_options {
    enum model_compute compute;
    bool trainable; /* parameters as mutable f32 arrays instead of packed matrices */
    bool in_place; /* for a pass or two: matrices stay in the file where they can be multiplied from
                      there, which starts faster and runs slower (the same bits) */
};
#define MODEL_OPTIONS_DEFAULT                                                                      \
    {                                                                                              \
        .compute = MODEL_COMPUTE_F32                                                               \
    }

/* path: a directory in HF layout, a .gguf file, or "builtin:tiny". Fails with one line that names
 * file, tensor, expected and actual. options NULL = default. */
int model_load(struct model **out, const char *path, const struct model_options *options);
void model_free(struct model *m);
/* The model's tokenizer, loaded on first use; fails when the model has none. Borrowed. */
int model_tokenizer(struct model *m, const struct tokenizer **out);

size_t model_vocabulary(const struct model *m); /* logits per row */
size_t model_context(
    const struct model *m); /* most positions a sequence may have; SIZE_MAX when unbounded */
size_t model_layers(const struct model *m);
size_t model_width(const struct model *m);      /* d_model */
size_t model_parameters(const struct model *m); /* tied weights counted once */
size_t model_stored_bytes(const struct model *m);
enum model_compute model_compute_type(const struct model *m);
const char *model_architecture(const struct model *m); /* "gpt2", "llama", ... */
const char *model_path(const struct model *m);
/* SHA-256 (hex) over the tensors' names, shapes and bytes; computed on first use. */
const char *model_hash(struct model *m);

/* A token sequence with its cached keys and values, kept in pages of 32 positions that forks share.
 */
struct model_sequence;
int model_sequence_new(struct model_sequence **out, struct model *m);
/* A new sequence whose first n tokens (n <= length) are src's; copies nothing: pages are shared,
 * and a partly shared page is copied only when one side writes to it. */
int model_sequence_fork(struct model_sequence **out, const struct model_sequence *src, size_t n);
int model_sequence_truncate(struct model_sequence *s, size_t n);
void model_sequence_free(struct model_sequence *s);
size_t model_sequence_length(const struct model_sequence *s);
const int32_t *model_sequence_ids(const struct model_sequence *s);
/* Bytes that a page of keys and values takes: what 32 positions of one sequence cost. */
size_t model_page_bytes(const struct model *m);

/* New tokens for one sequence in a batch. */
struct model_item {
    struct model_sequence *sequence; /* each at most once in a batch; grows by n tokens */
    const int32_t *ids;              /* [n], each in [0, vocabulary) */
    size_t n;                        /* >= 1 */
    size_t logits_from;              /* rows logits_from .. n-1 get logits; n = none */
};
/* Called with blocks of logit rows, in order of item and row, on the calling thread.
 * logits is [rows, vocabulary], valid during the call. A non-zero return stops the forward with it.
 */
typedef int model_logits_fn(void *context, size_t item, size_t first_row, size_t rows,
                            const real *logits);

struct model_hooks; /* hooks.h */
/* Runs the new tokens of every item. On failure the sequences are as before. hooks may be NULL. */
int model_forward(struct model *m, const struct model_item *items, size_t n_items,
                  model_logits_fn *on_logits, void *context, const struct model_hooks *hooks);

/* Log-probabilities without ever holding tokens x vocabulary: for each item, row r (logits_from <=
 * r < n) is scored against targets[item][r - logits_from] (an id, or -1 for none: NaN is written).
 * Natural logs, log-sum-exp in double. greedy (may be NULL) gets whether the target is the argmax
 * (lowest id on ties). */
int model_score(struct model *m, const struct model_item *items, size_t n_items,
                const int32_t *const *targets, double *const *logprobs, bool *const *greedy,
                const struct model_hooks *hooks);

/* log softmax of one row of logits at id, and the row's log-sum-exp, in double. */
double model_log_softmax_at(const real *logits, size_t vocabulary, int32_t id);
double model_log_sum_exp(const real *logits, size_t vocabulary);
#endif
