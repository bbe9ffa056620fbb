/* Requests to ids: BOS, the border of context and continuation, windows, and inputs that are too
 * long. Texts are encoded on all threads: a long prompt with four continuations is encoded eight
 * times, which a small model is otherwise kept waiting for. */
#include "base/memory.h"
#include "eval/backend_local.h"
#include <string.h>

/* lm-eval's window where the model has no limit of its own. */
#define UNBOUNDED_WINDOW 2048

void eval_encoded_free(struct eval_encoded *e)
{
    eval_ids_free(&e->ids);
    base_free(e->windows);
    *e = (struct eval_encoded){ 0 };
}

/* Applies the policy so that at most `limit` ids remain; the last `tail` stay. */
static int fit(const struct eval_local *b, struct eval_encoded *e, size_t tail, size_t limit)
{
    if (e->ids.count <= limit)
        return 0;
    if (b->options.overlength_skip) {
        e->skipped = true;
        return 0;
    }
    if (b->options.overlength == EVAL_OVERLENGTH_ERROR)
        return base_error_set(BASE_E_LIMIT,
                              "%zu tokens, but the model takes at most %zu here: --overlength "
                              "truncate drops tokens from the left as lm-eval does, --overlength "
                              "skip leaves such items out",
                              e->ids.count, limit);
    size_t fixed = b->options.overlength == EVAL_OVERLENGTH_LEFT ? 0 : e->ids.fixed;
    struct eval_cut cut;
    int rc = eval_overlength_apply(e->ids.at, &e->ids.count, fixed, tail, limit,
                                   b->options.overlength, &cut);
    e->cut = cut.count;
    return rc;
}

static int encode_pair(const struct eval_local *b, const struct eval_request *r,
                       struct eval_encoded *e)
{
    struct eval_pair pair;
    int rc = (b->options.lm_eval_join ? eval_pair_encode_lm_eval : eval_pair_encode)(
        b->tokenizer, r->context, strlen(r->context), r->continuation, strlen(r->continuation),
        b->options.bos, &pair);
    if (rc)
        return rc;
    e->ids = pair.ids;
    e->retokenized = pair.boundary_retokenized;
    /* the last id is only predicted: one more than the model holds */
    size_t tail = pair.ids.count - pair.context_count, limit = model_context(b->model);
    rc = fit(b, e, tail, limit < SIZE_MAX ? limit + 1 : limit);
    /* the whole context may have been cut: something must precede the first scored token */
    if (rc == 0 && !e->skipped && e->ids.count == tail)
        rc = base_error_set(BASE_E_LIMIT,
                            "the continuation alone has %zu tokens, as many as the model takes",
                            tail);
    e->context_count = e->ids.count - tail;
    return rc;
}

static int encode_rolling(const struct eval_local *b, const struct eval_request *r,
                          struct eval_encoded *e)
{
    int32_t prefix = eval_prefix_id(b->tokenizer);
    if (prefix < 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "rolling log-likelihoods need a token before the text, and the "
                              "tokenizer has neither BOS nor EOS");
    int rc = eval_encode(b->tokenizer, "the text", r->continuation, strlen(r->continuation),
                         EVAL_BOS_NO, &e->ids);
    if (rc)
        return rc;
    size_t n = e->ids.count;
    int32_t *ids = base_realloc(e->ids.at, n + 1, sizeof *ids);
    if (!ids)
        return BASE_E_MEMORY;
    memmove(ids + 1, ids, n * sizeof *ids);
    ids[0] = prefix;
    e->ids = (struct eval_ids){ ids, n + 1, 1 };
    size_t max = model_context(b->model);
    return eval_windows_rolling(n, max < SIZE_MAX ? max : UNBOUNDED_WINDOW, 1, &e->windows,
                                &e->n_windows);
}

static int encode_prompt(const struct eval_local *b, const struct eval_request *r,
                         struct eval_encoded *e)
{
    size_t limit = model_context(b->model), room = r->generation->max_tokens;
    int rc;
    if (*r->context) {
        rc = eval_encode(b->tokenizer, "the prompt", r->context, strlen(r->context), b->options.bos,
                         &e->ids);
    } else {
        int32_t prefix = eval_prefix_id(b->tokenizer);
        if (prefix < 0)
            return base_error_set(BASE_E_ARGUMENT, "the prompt is empty and the tokenizer has "
                                                   "neither BOS nor EOS to stand in for it");
        e->ids.at = base_alloc(1, sizeof *e->ids.at);
        if (!e->ids.at)
            return BASE_E_MEMORY;
        e->ids.at[0] = prefix;
        e->ids.count = e->ids.fixed = 1;
        rc = 0;
    }
    if (rc || limit == SIZE_MAX)
        return rc;
    if (room >= limit)
        return base_error_set(BASE_E_LIMIT,
                              "%zu tokens to write leave no room for a prompt in a context of %zu: "
                              "lower max_gen_toks",
                              room, limit);
    rc = fit(b, e, 1, limit - room);
    return rc ? base_error_prefix(rc, "%zu tokens of the context are kept for the answer", room)
              : 0;
}

static int encode(const struct eval_local *b, const struct eval_request *r, struct eval_encoded *e)
{
    switch (r->kind) {
    case EVAL_REQUEST_LOGLIKELIHOOD:
        return encode_pair(b, r, e);
    case EVAL_REQUEST_ROLLING:
        return encode_rolling(b, r, e);
    case EVAL_REQUEST_GENERATE:
        return encode_prompt(b, r, e);
    }
    return base_error_set(BASE_E_ARGUMENT, "a request of unknown kind");
}

int eval_local_encode(const struct eval_local *b, const struct eval_request *const *requests,
                      size_t n, struct eval_encoded *encodings)
{
    /* of all that fail the first one speaks, whatever thread meets it */
    size_t failed = n;
    int rc = 0;
    char message[512] = "";
    const int threads = n < 8 ? 1 : base_threads();
#pragma omp parallel for schedule(dynamic, 4) num_threads(threads) if (threads > 1)
    for (size_t i = 0; i < n; i++) {
        int own = encode(b, requests[i], &encodings[i]);
        if (own) {
#pragma omp critical(eval_local_encode)
            if (i < failed) {
                failed = i;
                rc = own;
                strncpy(message, base_error_message(), sizeof message - 1);
            }
        }
    }
    if (!rc)
        return 0;
    const char *context = requests[failed]->context;
    size_t length = strlen(context), from = length > 40 ? length - 40 : 0;
    while (from < length && ((unsigned char)context[from] & 0xc0) == 0x80)
        from++;
    return base_error_set(rc, "request %zu (\"%s%s\"): %s", failed, from ? "..." : "",
                          context + from, message);
}
