/* Generated texts: token after token, until a stop string, the end of sequence, or max_tokens.
 *
 * As in lm-eval the text is what the generated tokens decode to by themselves, special tokens left
 * out, cut before the first stop string. A draw depends on (logits, seed of the request, number of
 * the repeat, step) alone. */
#include "base/memory.h"
#include "eval/backend_local.h"
#include "tensor/ops.h"
#include <math.h>
#include <string.h>

int eval_draft_begin(struct eval_draft *d, const struct eval_local *b,
                     const struct eval_request *request, size_t path, size_t repeat)
{
    *d = (struct eval_draft){ .request = request, .path = path, .repeat = repeat };
    for (size_t i = 0; i < request->generation->n_until; i++)
        if (!*request->generation->until[i])
            return base_error_set(BASE_E_ARGUMENT, "a stop string (until) is empty");
    int rc = tokenizer_stream_new(&d->stream, b->tokenizer, true);
    return rc ? rc : base_buffer_reserve(&d->text, 1);
}

void eval_draft_end(struct eval_draft *d)
{
    model_sequence_free(d->sequence);
    tokenizer_stream_free(d->stream);
    base_buffer_free(&d->text);
    *d = (struct eval_draft){ .finished = true };
}

/* Adds a piece of text; a stop string that it completes cuts the text and finishes it. */
static int add_text(struct eval_draft *d, const char *piece, size_t bytes)
{
    const struct eval_generation *g = d->request->generation;
    size_t before = d->text.length, first = SIZE_MAX;
    int rc = base_buffer_append(&d->text, piece, bytes);
    for (size_t i = 0; rc == 0 && i < g->n_until; i++) {
        size_t n = strlen(g->until[i]), from = before > n - 1 ? before - (n - 1) : 0;
        const char *at = memmem(d->text.data + from, d->text.length - from, g->until[i], n);
        if (at && (size_t)(at - d->text.data) < first)
            first = (size_t)(at - d->text.data);
    }
    if (first != SIZE_MAX) {
        d->text.length = first;
        d->text.data[first] = 0;
        d->finished = true;
    }
    return rc;
}

/* The sampler of a generation; one is kept, for all requests of a task sample alike. */
static int prepare_sampler(struct eval_local *b, const struct eval_request *r)
{
    struct sampler_options o = SAMPLER_OPTIONS_DEFAULT;
    const struct eval_generation *g = r->generation;
    o.temperature = g->temperature;
    o.top_p = g->top_p;
    o.top_k = g->top_k;
    if (!b->sampler || b->sampling.temperature != o.temperature || b->sampling.top_p != o.top_p ||
        b->sampling.top_k != o.top_k) {
        sampler_free(b->sampler);
        b->sampler = NULL;
        int rc = sampler_new(&b->sampler, &o, model_vocabulary(b->model));
        if (rc)
            return rc;
        b->sampling = o;
    }
    sampler_reseed(b->sampler, r->seed);
    return 0;
}

static int draw(struct eval_draft *d, struct eval_local *b, const real *logits, double *logprob)
{
    const struct eval_generation *g = d->request->generation;
    size_t vocabulary = model_vocabulary(b->model);
    if (g->sample && g->temperature > 0) {
        int rc = prepare_sampler(b, d->request);
        return rc ? rc
                  : sampler_next(b->sampler, logits, NULL, 0, d->repeat, d->drawn, &d->next,
                                 logprob);
    }
    d->next = (int32_t)tensor_argmax(logits, vocabulary);
    *logprob = model_log_softmax_at(logits, vocabulary, d->next);
    return isfinite(*logprob) ? 0
                              : base_error_set(BASE_E_NUMERIC, "the model's log-probability of a "
                                                               "generated token is no number");
}

int eval_draft_draw(struct eval_draft *d, struct eval_local *b, const real *logits)
{
    double logprob = 0;
    int rc = draw(d, b, logits, &logprob);
    const char *piece = "";
    size_t bytes = 0;
    if (rc)
        return rc;
    d->logprob += logprob;
    d->drawn++;
    bool end = d->next == tokenizer_eos(b->tokenizer);
    /* matrices are often padded beyond the vocabulary: such ids are no text */
    if (!end && (size_t)d->next < tokenizer_vocabulary(b->tokenizer) &&
        tokenizer_piece(b->tokenizer, d->next) &&
        ((rc = tokenizer_stream_put(d->stream, d->next, &piece, &bytes)) ||
         (rc = add_text(d, piece, bytes))))
        return rc;
    if (d->finished || !(end || d->drawn >= d->request->generation->max_tokens))
        return 0;
    rc = tokenizer_stream_flush(d->stream, &piece, &bytes);
    if (rc == 0)
        rc = add_text(d, piece, bytes);
    d->finished = true;
    return rc;
}
