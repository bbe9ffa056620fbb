/* Words and their numbers: open addressing with linear probing; the words stand one after another
 * in one block. */
#include "embed/words.h"
#include "base/memory.h"
#include <string.h>

/* FNV-1a's step over eight bytes at a time, then a finaliser that mixes the high bits down. Only
 * speed depends on it. */
static uint64_t hash_of(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u ^ n;
    while (n >= 8) {
        uint64_t x;
        memcpy(&x, s, 8);
        h = (h ^ x) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
        s += 8;
        n -= 8;
    }
    uint64_t x = 0;
    memcpy(&x, s, n);
    h = (h ^ x) * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

int embed_words_new(struct embed_words **out)
{
    struct embed_words *w = base_alloc_zero(1, sizeof *w);
    *out = NULL;
    if (!w)
        return BASE_E_MEMORY;
    w->slots = 1024;
    w->slot = base_alloc_zero(w->slots, sizeof *w->slot);
    w->mark = base_alloc_zero(w->slots, sizeof *w->mark);
    if (!w->slot || !w->mark) {
        embed_words_free(w);
        return BASE_E_MEMORY;
    }
    *out = w;
    return 0;
}

void embed_words_free(struct embed_words *w)
{
    if (!w)
        return;
    base_free(w->text);
    base_free(w->at);
    base_free(w->slot);
    base_free(w->mark);
    base_free(w);
}

/* The slot of a word, or the empty one where it belongs. */
static size_t find(const struct embed_words *w, const char *word, size_t bytes, uint64_t h)
{
    const uint32_t mark = (uint32_t)(h >> 32);
    for (size_t i = h & (w->slots - 1);; i = (i + 1) & (w->slots - 1)) {
        if (!w->slot[i])
            return i;
        if (w->mark[i] != mark)
            continue;
        const char *other = embed_words_text(w, w->slot[i] - 1);
        if (strncmp(other, word, bytes) == 0 && other[bytes] == 0)
            return i;
    }
}

static int grow_slots(struct embed_words *w)
{
    struct embed_words wide = *w;
    wide.slots = w->slots * 2;
    wide.slot = base_alloc_zero(wide.slots, sizeof *wide.slot);
    wide.mark = base_alloc_zero(wide.slots, sizeof *wide.mark);
    if (!wide.slot || !wide.mark) {
        base_free(wide.slot);
        base_free(wide.mark);
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < w->n; i++) {
        const char *word = embed_words_text(w, i);
        const uint64_t h = hash_of(word, strlen(word));
        size_t at = h & (wide.slots - 1);
        while (wide.slot[at])
            at = (at + 1) & (wide.slots - 1);
        wide.slot[at] = (uint32_t)i + 1;
        wide.mark[at] = (uint32_t)(h >> 32);
    }
    base_free(w->slot);
    base_free(w->mark);
    *w = wide;
    return 0;
}

int embed_words_add(struct embed_words *w, const char *word, size_t bytes, uint32_t *number,
                    bool *is_new)
{
    const uint64_t h = hash_of(word, bytes);
    size_t i = find(w, word, bytes, h);
    if (is_new)
        *is_new = !w->slot[i];
    if (w->slot[i]) {
        *number = w->slot[i] - 1;
        return 0;
    }
    if (w->n >= UINT32_MAX - 1)
        return base_error_set(BASE_E_LIMIT, "more than %u different words", UINT32_MAX - 1);
    if ((w->n + 1) * 4 > w->slots * 3) {
        if (grow_slots(w))
            return BASE_E_MEMORY;
        i = find(w, word, bytes, h);
    }
    if (w->n == w->capacity) {
        const size_t room = w->capacity ? w->capacity * 2 : 256;
        size_t *at = base_realloc(w->at, room, sizeof *at);
        if (!at)
            return BASE_E_MEMORY;
        w->at = at;
        w->capacity = room;
    }
    if (w->room - w->used < bytes + 1) {
        size_t room = w->room ? w->room : 4096;
        while (room - w->used < bytes + 1)
            room *= 2;
        char *text = base_realloc(w->text, room, 1);
        if (!text)
            return BASE_E_MEMORY;
        w->text = text;
        w->room = room;
    }
    memcpy(w->text + w->used, word, bytes);
    w->text[w->used + bytes] = 0;
    w->at[w->n] = w->used;
    w->used += bytes + 1;
    w->slot[i] = (uint32_t)++w->n;
    w->mark[i] = (uint32_t)(h >> 32);
    *number = w->slot[i] - 1;
    return 0;
}

int64_t embed_words_find(const struct embed_words *w, const char *word, size_t bytes)
{
    const size_t i = find(w, word, bytes, hash_of(word, bytes));
    return (int64_t)w->slot[i] - 1;
}
