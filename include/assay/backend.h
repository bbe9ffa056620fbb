/* backend: whoever answers requests: a model in this process, or an endpoint over HTTP.
 *
 * The answer to a request depends on nothing but the request and the model: not on what it is asked
 * together with, on threads, ranks, or on whether it comes from the cache. */
#ifndef ASSAY_BACKEND_H
#define ASSAY_BACKEND_H
#include <assay/eval.h>
#include <assay/task.h>

struct eval_backend_options {
    enum eval_bos bos;
    /* Inputs longer than the model takes. ERROR by default. LEFT is lm-eval's truncation: the last
     * context + 1 ids stay, a BOS goes first. What is scored is never cut. A generation counts with
     * the tokens it may write, so that it can reach max_tokens. */
    enum eval_overlength overlength;
    bool lm_eval_join;    /* split pairs as lm-eval does where a token spans the border */
    bool overlength_skip; /* leave such requests out instead, counted and reported */
    size_t batch_tokens;  /* tokens per forward; 0 = 2016; never changes a result */
    size_t cache_bytes;   /* of keys and values held at a time; 0 = 512 MiB, at least 96 pages;
                             never changes a result */
};
#define EVAL_BACKEND_OPTIONS_DEFAULT                                                               \
    {                                                                                              \
        .bos = EVAL_BOS_AUTO                                                                       \
    }
struct eval_backend;
/* The model must have a tokenizer; it is borrowed. Requests are grouped by shared prefix (a trie
 * over ids); every prefix is computed once, and only the logit rows that are scored. */
int eval_backend_local(struct eval_backend **out, struct model *m,
                       const struct eval_backend_options *options);

enum eval_remote_api {
    EVAL_REMOTE_AUTO,   /* by the address: .../messages or a host of Anthropic's, else OpenAI's */
    EVAL_REMOTE_OPENAI, /* /completions for log-likelihoods, /chat/completions for texts */
    EVAL_REMOTE_ANTHROPIC, /* /messages: texts only */
};
struct eval_remote_options {
    enum eval_remote_api api;
    size_t concurrency;   /* requests under way at a time; 0 = 4 */
    double rate;          /* requests begun per minute at most; 0 = no limit */
    int retries;          /* of a request after the first try; -1 = 5 */
    double retry_seconds; /* before the first retry, doubled each time; 0 = 1. Retry-After wins */
    double timeout;       /* seconds without a byte; 0 = 300 */
    bool messages;        /* contexts are JSON arrays of {"role", "content"}, for chat endpoints */
};
#define EVAL_REMOTE_OPTIONS_DEFAULT                                                                \
    {                                                                                              \
        .retries = -1                                                                              \
    }
/* A model behind an address: https://host/v1, with the model's name as a fragment (#name); without
 * one the endpoint's only model. An address that ends in /completions, /chat/completions or
 * /messages uses that endpoint alone. The key comes from OPENAI_API_KEY or ANTHROPIC_API_KEY, is
 * sent over https or to this machine only, and is neither logged nor stored. What an endpoint
 * cannot do (log-likelihoods over chat, rolling windows without the model's tokenizer) is
 * BASE_E_UNSUPPORTED. */
int eval_backend_remote(struct eval_backend **out, const char *address,
                        const struct eval_remote_options *options);

/* Called once per request as soon as its response is complete, in any order, on the calling thread.
 * Non-zero stops. */
typedef int eval_answered_fn(void *context, size_t request, const struct eval_response *response);
/* Answers requests[0..n) into responses[0..n) (zeroed by the caller, who clears them, also after a
 * failure). on_answered may be NULL. */
int eval_backend_ask(struct eval_backend *b, const struct eval_request *const *requests, size_t n,
                     struct eval_response *responses, eval_answered_fn *on_answered, void *context);
/* Identifies what answers: hash of weights, tokenizer, arithmetic, policies. Part of every cache
 * key. */
const char *eval_backend_identity(const struct eval_backend *b);
/* {"model", "architecture", "parameters", "hash", "tokenizer_hash", "bos", "compute", ...}. New
 * ref. */
json_t *eval_backend_describe(const struct eval_backend *b);
/* {"requests", "forward_tokens", "shared_tokens", "logit_rows", "cut", "skipped",
 * "boundary_retokenized", ...}: sums over all asks so far. New ref. */
json_t *eval_backend_counters(const struct eval_backend *b);
void eval_backend_free(struct eval_backend *b);
#endif
