/* What the weights fuzzers do with an archive that was accepted: touch everything that its reader
 * promised to be there. */
#ifndef TESTS_ARCHIVE_WALK_H
#define TESTS_ARCHIVE_WALK_H
#include "model/archive.h"
#include <stdlib.h>
#include <string.h>

static inline void archive_walk(const struct model_archive *a)
{
    volatile uint8_t sum = 0;
    const struct model_array *v;
    for (size_t i = 0; i < model_archive_count(a); i++) {
        const struct model_tensor *t = model_archive_at(a, i);
        const uint8_t *p = t->data;
        size_t n = 1, bytes;
        for (int d = 0; d < t->rank; d++)
            n *= (size_t)t->shape[d];
        if (tensor_dtype_bytes(t->dtype, n, &bytes) || bytes != t->bytes)
            abort();
        for (size_t k = 0; k < t->bytes; k++)
            sum = (uint8_t)(sum + p[k]);
        if (model_archive_find(a, t->name) != t)
            abort();
    }
    for (size_t i = 0; model_archive_key(a, i, &v); i++)
        for (size_t k = 0; v && k < model_array_count(v); k++) {
            size_t n;
            const char *s = model_array_string(v, k, &n);
            for (size_t j = 0; s && j < n; j++)
                sum = (uint8_t)(sum + s[j]);
            if (!s)
                sum = (uint8_t)(sum + (uint64_t)model_array_int(v, k) +
                                (model_array_double(v, k) > 0));
        }
    char hex[65];
    model_archive_hash(a, hex);
}
#endif
