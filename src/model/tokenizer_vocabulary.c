/* Vocabulary (piece <-> id), text with its origin, and the growing lists of the tokenizer.
 *
 * Pieces lie one behind the other in one block; a piece is found through an open-addressing index
 * whose entries hold 32 bits of the hash, so that a look-up nearly always compares one string.
 * Invariants: slots is 0 or a power of two at least twice the entries; at[id] is TOKENIZER_HOLE
 * or the start of length[id] bytes and a NUL. */
#include "model/tokenizer_private.h"

/* Makes room for `need` items of `size` bytes in *p. */
static int list_reserve(void *p, size_t *room, size_t need, size_t size)
{
    if (need <= *room)
        return 0;
    size_t bigger = *room ? *room : 16;
    while (bigger < need) {
        if (bigger > SIZE_MAX / 2)
            return base_error_set(BASE_E_MEMORY, "tokenizer: list too large");
        bigger *= 2;
    }
    void *old, *grown;
    memcpy(&old, p, sizeof old);
    grown = base_realloc(old, bigger, size);
    if (!grown)
        return BASE_E_MEMORY;
    memcpy(p, &grown, sizeof grown);
    *room = bigger;
    return 0;
}

int tokenizer_vocabulary_reserve(struct tokenizer_vocabulary *v, size_t ids, size_t bytes)
{
    if (ids > v->id_room) {
        struct tokenizer_span *at = base_realloc(v->at, ids, sizeof *at);
        if (!at)
            return BASE_E_MEMORY;
        v->at = at;
        v->id_room = ids;
    }
    if (list_reserve(&v->text, &v->room, bytes, 1))
        return BASE_E_MEMORY;
    size_t slots = v->slots ? v->slots : 64;
    while (slots < ids * 2)
        slots *= 2;
    if (slots == v->slots)
        return 0;
    uint64_t *fresh = base_alloc_zero(slots, sizeof *fresh);
    if (!fresh)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < v->slots; i++) {
        if (!v->slot[i])
            continue;
        uint32_t id = (uint32_t)v->slot[i] - 1;
        size_t at =
            tokenizer_mix(v->text + v->at[id].begin, v->at[id].end - v->at[id].begin) & (slots - 1);
        while (fresh[at])
            at = (at + 1) & (slots - 1);
        fresh[at] = v->slot[i];
    }
    base_free(v->slot);
    v->slot = fresh;
    v->slots = slots;
    return 0;
}

/* The slot that holds the piece, or the empty one where it belongs. */
static size_t vocabulary_slot(const struct tokenizer_vocabulary *v, const char *piece, size_t n)
{
    uint64_t h = tokenizer_mix(piece, n);
    size_t at = h & (v->slots - 1);
    for (; v->slot[at]; at = (at + 1) & (v->slots - 1)) {
        if (v->slot[at] >> 32 != h >> 32)
            continue;
        uint32_t id = (uint32_t)v->slot[at] - 1;
        struct tokenizer_span p = v->at[id];
        if (p.end - p.begin == n && memcmp(v->text + p.begin, piece, n) == 0)
            break;
    }
    return at;
}

int tokenizer_vocabulary_put(struct tokenizer_vocabulary *v, size_t id, const char *piece, size_t n,
                             const char *where)
{
    if (id >= TOKENIZER_MAX_ID)
        return base_error_set(BASE_E_LIMIT, "%s: token id %zu is beyond the limit of %zu", where,
                              id, TOKENIZER_MAX_ID);
    if (v->used + n + 1 >= UINT32_MAX)
        return base_error_set(BASE_E_LIMIT, "%s: vocabulary larger than 4 GiB", where);
    if (id < v->count && v->at[id].begin != TOKENIZER_HOLE) {
        struct tokenizer_span p = v->at[id];
        if (p.end - p.begin == n && memcmp(v->text + p.begin, piece, n) == 0)
            return 0;
        return base_error_set(BASE_E_FORMAT, "%s: id %zu is given to both \"%.60s\" and \"%.*s\"",
                              where, id, v->text + v->at[id].begin, n > 60 ? 60 : (int)n, piece);
    }
    if (v->slots < (v->entries + 1) * 2 || id >= v->id_room) {
        size_t ids = v->id_room ? v->id_room : 64;
        while (ids <= id || ids <= v->entries)
            ids *= 2;
        if (tokenizer_vocabulary_reserve(v, ids, 0))
            return BASE_E_MEMORY;
    }
    size_t at = vocabulary_slot(v, piece, n);
    if (v->slot[at] && !v->last_wins)
        return base_error_set(BASE_E_FORMAT, "%s: token \"%.*s\" has both id %u and id %zu", where,
                              n > 60 ? 60 : (int)n, piece, (uint32_t)v->slot[at] - 1, id);
    if (list_reserve(&v->text, &v->room, v->used + n + 1, 1))
        return BASE_E_MEMORY;
    for (; v->count <= id; v->count++)
        v->at[v->count] = (struct tokenizer_span){ TOKENIZER_HOLE, TOKENIZER_HOLE };
    v->at[id] = (struct tokenizer_span){ (uint32_t)v->used, (uint32_t)(v->used + n) };
    if (n)
        memcpy(v->text + v->used, piece, n);
    v->text[v->used + n] = 0;
    v->used += n + 1;
    v->entries += !v->slot[at];
    v->slot[at] = (tokenizer_mix(piece, n) & 0xffffffff00000000u) | (id + 1);
    return 0;
}

int32_t tokenizer_vocabulary_find(const struct tokenizer_vocabulary *v, const char *piece, size_t n)
{
    if (!v->slots)
        return -1;
    return (int32_t)(uint32_t)v->slot[vocabulary_slot(v, piece, n)] - 1;
}

const char *tokenizer_vocabulary_piece(const struct tokenizer_vocabulary *v, int32_t id, size_t *n)
{
    if (id < 0 || (size_t)id >= v->count || v->at[id].begin == TOKENIZER_HOLE)
        return NULL;
    if (n)
        *n = v->at[id].end - v->at[id].begin;
    return v->text + v->at[id].begin;
}

void tokenizer_vocabulary_free(struct tokenizer_vocabulary *v)
{
    base_free(v->text);
    base_free(v->at);
    base_free(v->slot);
    *v = (struct tokenizer_vocabulary){ 0 };
}

void tokenizer_text_clear(struct tokenizer_text *t)
{
    t->data = t->own;
    t->n = 0;
    t->identity = false;
}

void tokenizer_text_free(struct tokenizer_text *t)
{
    base_free(t->own);
    base_free(t->begin);
    base_free(t->end);
    *t = (struct tokenizer_text){ 0 };
}

static int text_reserve(struct tokenizer_text *t, size_t need)
{
    if (need <= t->room)
        return 0;
    if (need > TOKENIZER_MAX_TEXT)
        return base_error_set(BASE_E_LIMIT, "tokenizer: normalised text longer than %zu bytes",
                              TOKENIZER_MAX_TEXT);
    size_t room = t->room ? t->room : 256;
    while (room < need)
        room *= 2;
    char *own = base_realloc(t->own, room, 1);
    if (!own)
        return BASE_E_MEMORY;
    t->own = own;
    t->data = own;
    uint32_t *begin = base_realloc(t->begin, room, sizeof *begin);
    if (!begin)
        return BASE_E_MEMORY;
    t->begin = begin;
    uint32_t *end = base_realloc(t->end, room, sizeof *end);
    if (!end)
        return BASE_E_MEMORY;
    t->end = end;
    t->room = room;
    return 0;
}

int tokenizer_text_add(struct tokenizer_text *t, const char *bytes, size_t n, uint32_t begin,
                       uint32_t end)
{
    int rc = t->n + n > t->room ? text_reserve(t, t->n + n) : 0;
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        t->own[t->n + i] = bytes[i];
        t->begin[t->n + i] = begin;
        t->end[t->n + i] = end;
    }
    t->n += n;
    return 0;
}

int tokenizer_text_copy(struct tokenizer_text *t, const struct tokenizer_text *other, size_t from,
                        size_t to)
{
    size_t n = to - from;
    int rc = t->n + n > t->room ? text_reserve(t, t->n + n) : 0;
    if (rc)
        return rc;
    if (n == 0)
        return 0;
    memcpy(t->own + t->n, other->data + from, n);
    if (other->identity) {
        for (size_t i = 0; i < n; i++) {
            t->begin[t->n + i] = other->base + (uint32_t)(from + i);
            t->end[t->n + i] = other->base + (uint32_t)(from + i) + 1;
        }
    } else {
        memcpy(t->begin + t->n, other->begin + from, n * sizeof *t->begin);
        memcpy(t->end + t->n, other->end + from, n * sizeof *t->end);
    }
    t->n += n;
    return 0;
}

int tokenizer_spans_add(struct tokenizer_spans *s, size_t begin, size_t end)
{
    if (s->count == s->room && list_reserve(&s->at, &s->room, s->count + 1, sizeof *s->at))
        return BASE_E_MEMORY;
    s->at[s->count++] = (struct tokenizer_span){ (uint32_t)begin, (uint32_t)end };
    return 0;
}

int tokenizer_tokens_add(struct tokenizer_tokens *t, int32_t id, size_t width)
{
    if (t->count == t->room && list_reserve(&t->at, &t->room, t->count + 1, sizeof *t->at))
        return BASE_E_MEMORY;
    t->at[t->count++] = (struct tokenizer_token){ id, (uint32_t)width };
    return 0;
}

int tokenizer_template_add(int32_t **ids, size_t *count, int32_t id)
{
    int32_t *grown = base_realloc(*ids, *count + 1, sizeof **ids);
    if (!grown)
        return BASE_E_MEMORY;
    *ids = grown;
    grown[(*count)++] = id;
    return 0;
}
