/* DRY's sequence breakers from text: each string as the tokenizer encodes it, and, because text
 * often hides a breaker inside a token (". \n", "said:"), every single token whose text holds it.
 */
#include "base/memory.h"
#include <assay/sampler.h>
#include <string.h>

struct list {
    struct sampler_breaker *at;
    size_t count, capacity;
};

static int append(struct list *l, const int32_t *ids, size_t n)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity * 2 + 32;
        struct sampler_breaker *more = base_realloc(l->at, capacity, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        l->at = more;
        l->capacity = capacity;
    }
    int32_t *copy = base_alloc(n, sizeof *copy);
    if (!copy)
        return BASE_E_MEMORY;
    memcpy(copy, ids, n * sizeof *ids);
    l->at[l->count++] = (struct sampler_breaker){ copy, n };
    return 0;
}

void sampler_breakers_free(struct sampler_breaker *breakers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        base_free((int32_t *)(uintptr_t)breakers[i].ids);
    base_free(breakers);
}

int sampler_breakers_from_text(const struct tokenizer *t, const char *const *strings, size_t n,
                               struct sampler_breaker **out, size_t *count)
{
    const struct tokenizer_options plain = { .add_special = false, .parse_special = false };
    struct list l = { 0 };
    int rc = 0;
    *out = NULL;
    *count = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct tokenizer_encoding e = { 0 };
        rc = tokenizer_encode(t, strings[i], strlen(strings[i]), &plain, &e);
        if (rc == 0 && e.count > 0)
            rc = append(&l, e.ids, e.count);
        tokenizer_encoding_free(&e);
    }
    for (int32_t id = 0; rc == 0 && (size_t)id < tokenizer_vocabulary(t); id++) {
        char *text = NULL;
        size_t bytes;
        if (!tokenizer_piece(t, id) || tokenizer_is_special(t, id))
            continue;
        if ((rc = tokenizer_decode(t, &id, 1, false, &text, &bytes)))
            break;
        bool found = false;
        for (size_t i = 0; i < n && !found; i++)
            found = *strings[i] && memmem(text, bytes, strings[i], strlen(strings[i]));
        base_free(text);
        if (found)
            rc = append(&l, &id, 1);
    }
    if (rc) {
        sampler_breakers_free(l.at, l.count);
        return rc;
    }
    *out = l.at;
    *count = l.count;
    return 0;
}
