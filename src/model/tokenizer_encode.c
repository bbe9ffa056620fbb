/* Encoding: raw text -> added tokens and stretches between them -> normalised -> words -> ids, with
 * the byte range of the original text behind every id.
 *
 * Words repeat (Zipf), so within one call each distinct word goes through the model once: a table
 * from the word's bytes to its tokens. It lives in the call, and so needs no lock and changes no
 * result. */
#include "model/tokenizer_private.h"

#define CACHE_WORD  256     /* longer words are not kept */
#define CACHE_LIMIT 1000000 /* tokens kept before the table starts afresh */

struct cache_slot {
    uint32_t hash;   /* never 0 */
    uint32_t length; /* of the word; 0 = empty */
    uint32_t word;   /* offset into words */
    uint32_t first, count;
};
struct encoder {
    const struct tokenizer *t;
    const struct tokenizer_options *options;
    struct tokenizer_encoding *out;
    size_t room;
    struct tokenizer_text text, scratch, part;
    struct tokenizer_split_work split;
    struct tokenizer_bpe_work bpe;
    struct tokenizer_unigram_work unigram;
    struct base_buffer buffer;
    struct tokenizer_tokens tokens; /* of cached words, one behind the other */
    struct base_buffer words;
    struct cache_slot *slot;
    size_t slots, used;
};

static int emit(struct encoder *e, int32_t id, uint32_t begin, uint32_t end)
{
    struct tokenizer_encoding *o = e->out;
    if (o->count == e->room) {
        size_t room = e->room ? e->room * 2 : 64;
        int32_t *ids = base_realloc(o->ids, room, sizeof *ids);
        if (!ids)
            return BASE_E_MEMORY;
        o->ids = ids;
        uint32_t *b = base_realloc(o->begin, room, sizeof *b);
        if (!b)
            return BASE_E_MEMORY;
        o->begin = b;
        b = base_realloc(o->end, room, sizeof *b);
        if (!b)
            return BASE_E_MEMORY;
        o->end = b;
        e->room = room;
    }
    o->ids[o->count] = id;
    o->begin[o->count] = begin;
    o->end[o->count++] = end;
    return 0;
}

static int model_word(struct encoder *e, const char *word, size_t n)
{
    const struct tokenizer *t = e->t;
    switch (t->kind) {
    case MODEL_BPE:
        return tokenizer_bpe_word(&t->bpe, &t->vocabulary, &e->bpe, word, n, &e->tokens);
    case MODEL_UNIGRAM:
        return tokenizer_unigram_word(&t->unigram, &e->unigram, word, n, &e->tokens);
    default:
        return tokenizer_wordpiece_word(&t->wordpiece, &t->vocabulary, &e->buffer, word, n,
                                        &e->tokens);
    }
}

static int cache_grow(struct encoder *e)
{
    size_t slots = e->slots ? e->slots * 2 : 256;
    struct cache_slot *slot = base_alloc_zero(slots, sizeof *slot);
    if (!slot)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < e->slots; i++) {
        if (!e->slot[i].length)
            continue;
        size_t at = e->slot[i].hash & (slots - 1);
        while (slot[at].length)
            at = (at + 1) & (slots - 1);
        slot[at] = e->slot[i];
    }
    base_free(e->slot);
    e->slot = slot;
    e->slots = slots;
    return 0;
}

/* The tokens of a word: *count of them from e->tokens.at[*first]. */
static int word_tokens(struct encoder *e, const char *word, size_t n, size_t *first, size_t *count)
{
    if (e->tokens.count > CACHE_LIMIT) {
        e->tokens.count = 0;
        base_buffer_clear(&e->words);
        memset(e->slot, 0, e->slots * sizeof *e->slot);
        e->used = 0;
    }
    struct cache_slot *slot = NULL;
    uint32_t hash = 0;
    if (n <= CACHE_WORD) {
        if (e->used * 2 >= e->slots && cache_grow(e))
            return BASE_E_MEMORY;
        uint64_t mixed = tokenizer_mix(word, n);
        hash = (uint32_t)(mixed >> 32 ^ mixed);
        size_t at = hash & (e->slots - 1);
        for (; e->slot[at].length; at = (at + 1) & (e->slots - 1)) {
            slot = &e->slot[at];
            if (slot->hash == hash && slot->length == n &&
                memcmp(e->words.data + slot->word, word, n) == 0) {
                *first = slot->first;
                *count = slot->count;
                return 0;
            }
        }
        slot = &e->slot[at];
    }
    *first = e->tokens.count;
    int rc = model_word(e, word, n);
    if (rc)
        return rc;
    *count = e->tokens.count - *first;
    if (slot) {
        size_t at = e->words.length;
        if (base_buffer_append(&e->words, word, n))
            return BASE_E_MEMORY;
        *slot = (struct cache_slot){ hash, (uint32_t)n, (uint32_t)at, (uint32_t)*first,
                                     (uint32_t)*count };
        e->used++;
    }
    return 0;
}

/* Bytes [begin, end) of *t, which hold no added token. */
static int encode_stretch(struct encoder *e, struct tokenizer_text *t, size_t begin, size_t end)
{
    int rc = tokenizer_split(e->t->steps, e->t->step_count, t, begin, end, &e->split);
    for (size_t i = 0; i < e->split.words.count && !rc; i++) {
        size_t at = e->split.words.at[i].begin, stop = e->split.words.at[i].end, first, count;
        if (at == stop)
            continue;
        rc = word_tokens(e, t->data + at, stop - at, &first, &count);
        for (size_t j = 0; j < count && !rc; j++) {
            struct tokenizer_token token = e->tokens.at[first + j];
            rc = emit(e, token.id, tokenizer_text_begin(t, at),
                      token.width ? tokenizer_text_end(t, at + token.width - 1)
                                  : tokenizer_text_begin(t, at));
            at += token.width;
        }
        if (stop - e->split.words.at[i].begin > CACHE_WORD) /* not kept: give the room back */
            e->tokens.count = rc ? e->tokens.count : first;
    }
    return rc;
}

/* Text in which bytes that are not UTF-8 have become U+FFFD. */
static int repair(struct tokenizer_text *out, const char *text, size_t begin, size_t end)
{
    int rc = 0;
    tokenizer_text_clear(out);
    for (size_t i = begin; i < end && !rc;) {
        uint32_t code;
        size_t k = base_utf8_decode(text + i, end - i, &code);
        if (k == 0) {
            k = 1;
            rc = tokenizer_text_add(out, "\xef\xbf\xbd", 3, (uint32_t)i, (uint32_t)i + 1);
        } else {
            for (size_t j = 0; j < k && !rc; j++)
                rc = tokenizer_text_add(out, text + i + j, 1, (uint32_t)(i + j),
                                        (uint32_t)(i + j) + 1);
        }
        i += k;
    }
    return rc;
}

/* Raw bytes [begin, end), which hold no added token that is searched in the raw text. */
static int encode_section(struct encoder *e, const char *text, size_t begin, size_t end)
{
    const struct tokenizer *t = e->t;
    int rc = 0;
    if (begin == end)
        return 0;
    if (!t->keeps_bytes && base_utf8_invalid(text + begin, end - begin) != end - begin) {
        rc = repair(&e->text, text, begin, end);
        if (rc)
            return rc;
    } else {
        e->text.data = text + begin;
        e->text.n = end - begin;
        e->text.identity = true;
        e->text.base = (uint32_t)begin;
    }
    rc = tokenizer_normalize(t->normalizers, t->normalizer_count, &t->normalized, &e->text,
                             &e->scratch, &e->split.matcher);
    if (rc)
        return rc;
    if (!t->normalized.count)
        return encode_stretch(e, &e->text, 0, e->text.n);
    size_t at = 0, last = 0, from, to;
    const struct tokenizer_added *token;
    do {
        token = tokenizer_added_next(&t->normalized, e->text.data, e->text.n, &at, last,
                                     !e->options || e->options->parse_special, &from, &to);
        size_t stop = token ? from : e->text.n;
        if (stop > last) {
            tokenizer_text_clear(&e->part); /* the steps may rewrite it */
            rc = tokenizer_text_copy(&e->part, &e->text, last, stop);
            if (!rc)
                rc = encode_stretch(e, &e->part, 0, e->part.n);
        }
        if (token && !rc) {
            uint32_t b = from < e->text.n ? tokenizer_text_begin(&e->text, from) : (uint32_t)end;
            rc = emit(e, token->id, b, to > from ? tokenizer_text_end(&e->text, to - 1) : b);
            last = to;
        }
    } while (token && !rc);
    return rc;
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t bytes,
                     const struct tokenizer_options *options, struct tokenizer_encoding *out)
{
    struct encoder e = { .t = t, .options = options, .out = out };
    *out = (struct tokenizer_encoding){ 0 };
    if (bytes > TOKENIZER_MAX_TEXT - 1)
        return base_error_set(BASE_E_LIMIT,
                              "tokenizer: text of %zu bytes; one call takes less than %zu", bytes,
                              TOKENIZER_MAX_TEXT);
    if (!text)
        text = ""; /* what an empty file map gives */
    bool add_special = !options || options->add_special;
    bool parse_special = !options || options->parse_special;
    int rc = 0;
    for (size_t i = 0; i < t->before_count && add_special && !rc; i++)
        rc = emit(&e, t->before[i], 0, 0);
    size_t at = 0, last = 0, from, to;
    const struct tokenizer_added *token = NULL;
    do {
        if (rc)
            break;
        token = tokenizer_added_next(&t->raw, text, bytes, &at, last, parse_special, &from, &to);
        rc = encode_section(&e, text, last, token ? from : bytes);
        if (token && !rc) {
            rc = emit(&e, token->id, (uint32_t)from, (uint32_t)to);
            last = to;
        }
    } while (token);
    for (size_t i = 0; i < t->after_count && add_special && !rc; i++)
        rc = emit(&e, t->after[i], (uint32_t)bytes, (uint32_t)bytes);

    tokenizer_text_free(&e.text);
    tokenizer_text_free(&e.scratch);
    tokenizer_text_free(&e.part);
    tokenizer_text_free(&e.split.scratch);
    base_free(e.split.words.at);
    base_free(e.split.more.at);
    base_free(e.split.matches.at);
    tokenizer_matcher_free(e.split.matcher);
    tokenizer_bpe_work_free(&e.bpe);
    base_free(e.unigram.best);
    base_buffer_free(&e.buffer);
    base_buffer_free(&e.words);
    base_free(e.tokens.at);
    base_free(e.slot);
    if (rc)
        tokenizer_encoding_free(out);
    return rc;
}

void tokenizer_encoding_free(struct tokenizer_encoding *e)
{
    base_free(e->ids);
    base_free(e->begin);
    base_free(e->end);
    *e = (struct tokenizer_encoding){ 0 };
}
