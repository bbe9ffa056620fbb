/* What every backend does: see assay/backend.h. */
#include "eval/backend.h"
#include "base/memory.h"

int eval_backend_ask(struct eval_backend *b, const struct eval_request *const *requests, size_t n,
                     struct eval_response *responses, eval_answered_fn *on_answered, void *context)
{
    return n ? b->class->ask(b, requests, n, responses, on_answered, context) : 0;
}

const char *eval_backend_identity(const struct eval_backend *b)
{
    return b->identity;
}

json_t *eval_backend_describe(const struct eval_backend *b)
{
    return b->class->describe(b);
}

json_t *eval_backend_counters(const struct eval_backend *b)
{
    return b->class->counters(b);
}

void eval_backend_free(struct eval_backend *b)
{
    if (b)
        b->class->free(b);
}

void eval_response_clear(struct eval_response *r)
{
    for (size_t i = 0; i < r->n_texts; i++)
        base_free(r->texts[i]);
    base_free(r->texts);
    *r = (struct eval_response){ 0 };
}
