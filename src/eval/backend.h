/* The inside of a backend: what the kinds have in common. */
#ifndef EVAL_BACKEND_H
#define EVAL_BACKEND_H
#include "base/hash.h"
#include <assay/backend.h>

struct eval_backend_class {
    int (*ask)(struct eval_backend *b, const struct eval_request *const *requests, size_t n,
               struct eval_response *responses, eval_answered_fn *on_answered, void *context);
    json_t *(*describe)(const struct eval_backend *b);
    json_t *(*counters)(const struct eval_backend *b);
    void (*free)(struct eval_backend *b);
};
/* First member of every kind. */
struct eval_backend {
    const struct eval_backend_class *class;
    char identity[BASE_SHA256_HEX];
};
#endif
