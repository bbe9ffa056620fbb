/* A model in this process as a backend: what its files share. backend_encode.c turns requests into
 * paths of token ids, backend_local.c walks the trie of all paths, backend_decode.c writes what is
 * generated. */
#ifndef EVAL_BACKEND_LOCAL_H
#define EVAL_BACKEND_LOCAL_H
#include "base/buffer.h"
#include "eval/backend.h"
#include <assay/sampler.h>

/* Token ids to run. Inputs are ids[0 .. count). Scoring: the row of input p predicts ids[p + 1] for
 * from <= p < count (so there are count + 1 ids). Generating: from = count - 1, whose row draws the
 * first token. */
struct eval_path {
    size_t request;
    const int32_t *ids; /* a view into its request's ids */
    size_t count, from;
    double sum, first; /* of the scored tokens so far, in their order */
    size_t scored;
    bool greedy;
};

/* A request as ids. */
struct eval_encoded {
    struct eval_ids ids;
    size_t context_count; /* of a pair */
    bool retokenized, skipped;
    size_t cut;
    struct eval_window *windows; /* rolling: [n_windows] */
    size_t n_windows;
};
struct eval_local {
    struct eval_backend base;
    struct model *model;
    const struct tokenizer *tokenizer;
    struct eval_backend_options options;
    struct sampler *sampler; /* of the last generation that sampled */
    struct sampler_options sampling;
    /* counters; input_tokens: of all paths, path_tokens: those of them that ran */
    uint64_t requests, forward_tokens, input_tokens, path_tokens, logit_rows, forwards, cut,
        skipped, retokenized, generated;
};

/* encodings [n] of the requests by the backend's policies; on failure the message names the
 * request. Freed with eval_encoded_free. Runs on all threads. */
int eval_local_encode(const struct eval_local *b, const struct eval_request *const *requests,
                      size_t n, struct eval_encoded *encodings);
void eval_encoded_free(struct eval_encoded *e);

/* One text in the making. */
struct eval_draft {
    const struct eval_request *request;
    size_t path, repeat;
    struct tokenizer_stream *stream;
    struct base_buffer text;
    int32_t next; /* drawn, and not yet run */
    size_t drawn;
    double logprob; /* of all drawn tokens, under the model's own softmax */
    bool finished;
    struct model_sequence *sequence;
    size_t pages; /* of keys and values that it may take */
};
int eval_draft_begin(struct eval_draft *d, const struct eval_local *b,
                     const struct eval_request *request, size_t path, size_t repeat);
/* Draws the next token from a row of logits and takes it in. */
int eval_draft_draw(struct eval_draft *d, struct eval_local *b, const real *logits);
void eval_draft_end(struct eval_draft *d);
#endif
