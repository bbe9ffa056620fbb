/* Byte-pair encoding of one word (Sennrich et al. 2016): start from characters, always join the
 * pair with the best rank, the leftmost among equals, until none is left.
 *
 * A heap holds the candidate pairs, ordered by rank and then position; joining two symbols makes at
 * most two new candidates, and a candidate whose symbols have changed since is thrown away when it
 * comes up (its recorded width no longer fits). So a word of n symbols costs n log n.
 *
 * Three families share this: Hugging Face's (pairs of ids with ranks), GPT-2's byte level (the
 * same, over an alphabet that stands for bytes) and SentencePiece's (a pair is joined when its text
 * is in the vocabulary; the better score first). */
#include "model/tokenizer_private.h"

struct tokenizer_symbol {
    int32_t id;      /* -1: not in the vocabulary (SentencePiece mode only) */
    uint32_t begin;  /* byte in the (mapped) word */
    uint32_t length; /* bytes there; 0 once it was joined to the one before */
    uint32_t width;  /* bytes of the word as given */
    int32_t previous, next;
};
struct tokenizer_candidate {
    uint64_t order;  /* rank << 32 | index of the left symbol */
    int32_t id;      /* what the pair becomes */
    uint32_t length; /* of both together, to see whether it is still true */
};

static size_t merge_slot(const struct tokenizer_bpe *b, uint64_t key)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u;
    size_t at = (h ^ h >> 32) & (b->slots - 1);
    while (b->merges[at].key && b->merges[at].key != key)
        at = (at + 1) & (b->slots - 1);
    return at;
}

static uint64_t merge_key(int32_t left, int32_t right)
{
    return ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1;
}

int tokenizer_bpe_reserve(struct tokenizer_bpe *b, size_t merges)
{
    size_t slots = b->slots ? b->slots : 64;
    while (slots < merges * 2)
        slots *= 2;
    if (slots == b->slots)
        return 0;
    struct tokenizer_merge *fresh = base_alloc_zero(slots, sizeof *fresh);
    if (!fresh)
        return BASE_E_MEMORY;
    struct tokenizer_merge *old = b->merges;
    size_t old_slots = b->slots;
    b->merges = fresh;
    b->slots = slots;
    for (size_t i = 0; i < old_slots; i++)
        if (old[i].key)
            fresh[merge_slot(b, old[i].key)] = old[i];
    base_free(old);
    return 0;
}

int tokenizer_bpe_merge_put(struct tokenizer_bpe *b, int32_t left, int32_t right, uint32_t rank,
                            int32_t id)
{
    if (b->slots < (b->count + 1) * 2 && tokenizer_bpe_reserve(b, (b->count + 1) * 2))
        return BASE_E_MEMORY;
    uint64_t key = merge_key(left, right);
    size_t at = merge_slot(b, key);
    b->count += !b->merges[at].key;
    b->merges[at] = (struct tokenizer_merge){ key, rank, id };
    return 0;
}

void tokenizer_fallback_ids(const struct tokenizer_vocabulary *v, int32_t ids[256], bool *all)
{
    *all = true;
    for (unsigned i = 0; i < 256; i++) {
        static const char hex[] = "0123456789ABCDEF";
        char name[6] = { '<', '0', 'x', hex[i >> 4], hex[i & 15], '>' };
        ids[i] = tokenizer_vocabulary_find(v, name, sizeof name);
        *all = *all && ids[i] >= 0;
    }
}

void tokenizer_bpe_prepare(struct tokenizer_bpe *b, const struct tokenizer_vocabulary *v,
                           bool byte_fallback)
{
    for (uint32_t c = 0; c < 512; c++) {
        char bytes[4];
        b->code_id[c] = tokenizer_vocabulary_find(v, bytes, base_utf8_encode(c, bytes));
    }
    if (byte_fallback)
        tokenizer_fallback_ids(v, b->fallback, &b->has_fallback);
}

/* ---- heap ------------------------------------------------------------------------------------ */

static int heap_push(struct tokenizer_bpe_work *w, struct tokenizer_candidate c)
{
    if (w->heap_count == w->heap_room) {
        size_t room = w->heap_room ? w->heap_room * 2 : 64;
        struct tokenizer_candidate *heap = base_realloc(w->heap, room, sizeof *heap);
        if (!heap)
            return BASE_E_MEMORY;
        w->heap = heap;
        w->heap_room = room;
    }
    size_t i = w->heap_count++;
    while (i > 0 && w->heap[(i - 1) / 2].order > c.order) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = c;
    return 0;
}

static struct tokenizer_candidate heap_pop(struct tokenizer_bpe_work *w)
{
    struct tokenizer_candidate top = w->heap[0], last = w->heap[--w->heap_count];
    size_t i = 0, n = w->heap_count;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && w->heap[child + 1].order < w->heap[child].order)
            child++;
        if (w->heap[child].order >= last.order)
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    if (n)
        w->heap[i] = last;
    return top;
}

/* ---- one word -------------------------------------------------------------------------------- */

/* Puts the pair (left, its next) into the heap if it can be joined. */
static int consider(const struct tokenizer_bpe *b, const struct tokenizer_vocabulary *v,
                    struct tokenizer_bpe_work *w, const char *word, int32_t left)
{
    const struct tokenizer_symbol *l = &w->symbols[left];
    if (l->next < 0)
        return 0;
    const struct tokenizer_symbol *r = &w->symbols[l->next];
    uint32_t rank;
    int32_t id;
    if (b->rank) {
        id = tokenizer_vocabulary_find(v, word + l->begin, l->length + r->length);
        if (id < 0 || b->rank[id] == UINT32_MAX)
            return 0;
        rank = b->rank[id];
    } else {
        if (!b->slots || l->id < 0 || r->id < 0)
            return 0;
        const struct tokenizer_merge *m = &b->merges[merge_slot(b, merge_key(l->id, r->id))];
        if (!m->key)
            return 0;
        rank = m->rank;
        id = m->id;
    }
    return heap_push(w, (struct tokenizer_candidate){ (uint64_t)rank << 32 | (uint32_t)left, id,
                                                      l->length + r->length });
}

static int symbol_add(struct tokenizer_bpe_work *w, size_t *count, int32_t id, size_t begin,
                      size_t length, size_t width)
{
    if (*count == w->symbol_room) {
        size_t room = w->symbol_room ? w->symbol_room * 2 : 64;
        struct tokenizer_symbol *s = base_realloc(w->symbols, room, sizeof *s);
        if (!s)
            return BASE_E_MEMORY;
        w->symbols = s;
        w->symbol_room = room;
    }
    w->symbols[*count] = (struct tokenizer_symbol){
        .id = id, .begin = (uint32_t)begin, .length = (uint32_t)length, .width = (uint32_t)width
    };
    ++*count;
    return 0;
}

/* The id of one character with the prefix or suffix its place asks for. */
static int32_t decorated(const struct tokenizer_bpe *b, const struct tokenizer_vocabulary *v,
                         const char *s, size_t k, bool first, bool last)
{
    char text[1024];
    size_t n = 0, prefix = !first && b->prefix ? strlen(b->prefix) : 0;
    size_t suffix = last && b->suffix ? strlen(b->suffix) : 0;
    if (prefix + k + suffix > sizeof text)
        return -1;
    if (prefix)
        memcpy(text, b->prefix, prefix);
    n = prefix;
    memcpy(text + n, s, k);
    n += k;
    if (suffix)
        memcpy(text + n, b->suffix, suffix);
    return tokenizer_vocabulary_find(v, text, n + suffix);
}

/* Fills w->symbols with the characters of the word. Characters that the vocabulary lacks become
 * bytes, the unknown token (neighbours joined with fuse_unknown), or nothing. */
static int word_symbols(const struct tokenizer_bpe *b, const struct tokenizer_vocabulary *v,
                        struct tokenizer_bpe_work *w, const char *word, size_t n, size_t *count)
{
    bool decorate = b->prefix || b->suffix, after_unknown = false;
    size_t dropped = 0; /* bytes without a symbol: they count to the next one */
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t k = tokenizer_char(word + i, n - i, &code);
        bool valid = code != 0xfffd || k > 1;
        size_t width = b->byte_level ? 1 : k;
        int32_t id;
        if (decorate)
            id = decorated(b, v, word + i, k, i == 0, i + k == n);
        else if (code < 512)
            id = b->code_id[code];
        else
            id = valid ? tokenizer_vocabulary_find(v, word + i, k) : -1;
        int rc = 0;
        if (id >= 0 || b->rank) {
            rc = symbol_add(w, count, id, i, k, width + dropped);
            dropped = 0;
            after_unknown = false;
        } else if (b->has_fallback) {
            for (size_t j = 0; j < k && !rc; j++)
                rc = symbol_add(w, count, b->fallback[(uint8_t)word[i + j]], i + j, 1,
                                j == 0 ? 1 + dropped : 1);
            dropped = 0;
            after_unknown = false;
        } else if (b->unknown >= 0) {
            if (after_unknown && b->fuse_unknown) {
                w->symbols[*count - 1].length += (uint32_t)k;
                w->symbols[*count - 1].width += (uint32_t)width;
            } else {
                rc = symbol_add(w, count, b->unknown, i, k, width + dropped);
                dropped = 0;
            }
            after_unknown = true;
        } else {
            dropped += width;
        }
        if (rc)
            return rc;
        i += k;
    }
    if (dropped && *count)
        w->symbols[*count - 1].width += (uint32_t)dropped;
    for (size_t i = 0; i < *count; i++) {
        w->symbols[i].previous = (int32_t)i - 1;
        w->symbols[i].next = i + 1 < *count ? (int32_t)i + 1 : -1;
    }
    return 0;
}

/* What is left over in SentencePiece mode and has no id: bytes, or the unknown token. */
static int emit_unknown(const struct tokenizer_bpe *b, const char *word,
                        const struct tokenizer_symbol *s, bool *after_unknown,
                        struct tokenizer_tokens *out)
{
    if (b->has_fallback) {
        for (uint32_t j = 0; j < s->length; j++)
            if (tokenizer_tokens_add(out, b->fallback[(uint8_t)word[s->begin + j]], 1))
                return BASE_E_MEMORY;
        return 0;
    }
    if (b->unknown < 0)
        return 0;
    if (*after_unknown && b->fuse_unknown) {
        out->at[out->count - 1].width += s->width;
        return 0;
    }
    *after_unknown = true;
    return tokenizer_tokens_add(out, b->unknown, s->width);
}

int tokenizer_bpe_word(const struct tokenizer_bpe *b, const struct tokenizer_vocabulary *v,
                       struct tokenizer_bpe_work *w, const char *word, size_t n,
                       struct tokenizer_tokens *out)
{
    size_t width = n;
    if (b->byte_level) {
        base_buffer_clear(&w->mapped);
        if (base_buffer_reserve(&w->mapped, 2 * n))
            return BASE_E_MEMORY;
        for (size_t i = 0; i < n; i++) {
            char code[4];
            size_t k = base_utf8_encode(tokenizer_byte_to_code((uint8_t)word[i]), code);
            if (base_buffer_append(&w->mapped, code, k))
                return BASE_E_MEMORY;
        }
        word = w->mapped.data;
        n = w->mapped.length;
    }
    if (b->ignore_merges) {
        int32_t id = tokenizer_vocabulary_find(v, word, n);
        if (id >= 0)
            return tokenizer_tokens_add(out, id, width);
    }
    size_t count = 0;
    int rc = word_symbols(b, v, w, word, n, &count);
    w->heap_count = 0;
    for (size_t i = 0; i + 1 < count && !rc; i++)
        rc = consider(b, v, w, word, (int32_t)i);
    while (w->heap_count && !rc) {
        struct tokenizer_candidate c = heap_pop(w);
        int32_t left = (int32_t)(uint32_t)c.order;
        struct tokenizer_symbol *l = &w->symbols[left];
        if (!l->length || l->next < 0 || l->length + w->symbols[l->next].length != c.length)
            continue;
        struct tokenizer_symbol *r = &w->symbols[l->next];
        l->id = c.id;
        l->length = c.length;
        l->width += r->width;
        l->next = r->next;
        r->length = 0;
        if (l->next >= 0)
            w->symbols[l->next].previous = left;
        rc = consider(b, v, w, word, left);
        if (!rc && l->previous >= 0)
            rc = consider(b, v, w, word, l->previous);
    }
    bool after_unknown = false;
    for (int32_t i = count ? 0 : -1; i >= 0 && !rc; i = w->symbols[i].next) {
        const struct tokenizer_symbol *s = &w->symbols[i];
        if (s->id < 0) {
            rc = emit_unknown(b, word, s, &after_unknown, out);
            continue;
        }
        after_unknown = false;
        rc = tokenizer_tokens_add(out, s->id, s->width);
    }
    return rc;
}

void tokenizer_bpe_free(struct tokenizer_bpe *b)
{
    base_free(b->merges);
    base_free(b->rank);
    base_free(b->prefix);
    base_free(b->suffix);
    *b = (struct tokenizer_bpe){ 0 };
}

void tokenizer_bpe_work_free(struct tokenizer_bpe_work *w)
{
    base_free(w->symbols);
    base_free(w->heap);
    base_buffer_free(&w->mapped);
    *w = (struct tokenizer_bpe_work){ 0 };
}
