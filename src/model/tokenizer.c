/* The tokenizer object: making it from its parts, asking it, freeing it. Loading by path is in
 * tokenizer_load.c, encoding in tokenizer_encode.c, decoding in tokenizer_decode.c. */
#include "model/tokenizer_private.h"

int tokenizer_new(struct tokenizer **out)
{
    struct tokenizer *t = base_alloc_zero(1, sizeof *t);
    if (!t)
        return BASE_E_MEMORY;
    t->bos = t->eos = t->pad = t->unk = -1;
    t->bpe.unknown = t->unigram.unknown = t->wordpiece.unknown = -1;
    *out = t;
    return 0;
}

void tokenizer_free(struct tokenizer *t)
{
    if (!t)
        return;
    tokenizer_vocabulary_free(&t->vocabulary);
    tokenizer_bpe_free(&t->bpe);
    tokenizer_unigram_free(&t->unigram);
    base_free(t->wordpiece.prefix);
    base_free(t->special);
    base_free(t->entry);
    tokenizer_added_free(&t->listed);
    tokenizer_added_free(&t->raw);
    tokenizer_added_free(&t->normalized);
    for (size_t i = 0; i < t->normalizer_count; i++)
        tokenizer_normalizer_free(&t->normalizers[i]);
    base_free(t->normalizers);
    for (size_t i = 0; i < t->step_count; i++)
        tokenizer_pattern_free(&t->steps[i].pattern);
    base_free(t->steps);
    for (size_t i = 0; i < t->stage_count; i++)
        tokenizer_stage_free(&t->stages[i]);
    base_free(t->stages);
    base_free(t->before);
    base_free(t->after);
    base_free(t->unknown_surface);
    base_free(t->chat_template);
    base_free(t);
}

int tokenizer_normalizer_add(struct tokenizer *t, struct tokenizer_normalizer **out)
{
    struct tokenizer_normalizer *list =
        base_realloc(t->normalizers, t->normalizer_count + 1, sizeof *list);
    if (!list)
        return BASE_E_MEMORY;
    t->normalizers = list;
    *out = &list[t->normalizer_count++];
    **out = (struct tokenizer_normalizer){ 0 };
    return 0;
}

int tokenizer_step_add(struct tokenizer *t, struct tokenizer_step **out)
{
    struct tokenizer_step *list = base_realloc(t->steps, t->step_count + 1, sizeof *list);
    if (!list)
        return BASE_E_MEMORY;
    t->steps = list;
    *out = &list[t->step_count++];
    **out = (struct tokenizer_step){ 0 };
    return 0;
}

int tokenizer_stage_add(struct tokenizer *t, struct tokenizer_stage **out)
{
    struct tokenizer_stage *list = base_realloc(t->stages, t->stage_count + 1, sizeof *list);
    if (!list)
        return BASE_E_MEMORY;
    t->stages = list;
    *out = &list[t->stage_count++];
    **out = (struct tokenizer_stage){ 0 };
    return 0;
}

int tokenizer_added_list(struct tokenizer *t, struct tokenizer_added token, const char *content,
                         size_t n, size_t id, const char *where)
{
    int32_t known = tokenizer_vocabulary_find(&t->vocabulary, content, n);
    if (known < 0) {
        int rc = tokenizer_vocabulary_put(&t->vocabulary, id, content, n, where);
        if (rc)
            return rc;
        known = (int32_t)id;
    }
    if (n == 0)
        return 0; /* an empty string is nowhere to be found in a text */
    token.content = (char *)content;
    token.n = n;
    token.id = known;
    return tokenizer_added_put(&t->listed, &token);
}

int tokenizer_use_byte_level(struct tokenizer *t, const char *const *patterns, bool prefix_space)
{
    struct tokenizer_step *step;
    int rc = 0;
    if (prefix_space) {
        rc = tokenizer_step_add(t, &step);
        if (rc)
            return rc;
        step->kind = STEP_PREFIX;
        step->prefix = PREFIX_ALWAYS;
    }
    for (; patterns && *patterns && !rc; patterns++) {
        rc = tokenizer_step_add(t, &step);
        if (rc)
            return rc;
        step->kind = STEP_SPLIT;
        step->behavior = BEHAVIOR_ISOLATED;
        rc = tokenizer_pattern_regex(&step->pattern, *patterns, strlen(*patterns), "split pattern");
    }
    if (!rc)
        rc = tokenizer_step_add(t, &step);
    if (!rc)
        step->kind = STEP_BYTES;
    return rc;
}

/* Moves the listed tokens into the two searched sets; those that are looked for in the normalised
 * text are normalised themselves. */
static int finish_added(struct tokenizer *t)
{
    struct tokenizer_text text = { 0 }, scratch = { 0 };
    struct tokenizer_matcher *matcher = NULL;
    int rc = 0;
    for (size_t i = 0; i < t->listed.count && !rc; i++) {
        struct tokenizer_added token = t->listed.at[i];
        if (!token.normalized || t->normalizer_count == 0) {
            rc = tokenizer_added_put(&t->raw, &token);
            continue;
        }
        if (token.as_is) {
            rc = tokenizer_added_put(&t->normalized, &token);
            continue;
        }
        tokenizer_text_clear(&text);
        rc = tokenizer_text_add(&text, token.content, token.n, 0, (uint32_t)token.n);
        if (!rc)
            rc = tokenizer_normalize(t->normalizers, t->normalizer_count, NULL, &text, &scratch,
                                     &matcher);
        if (rc || text.n == 0)
            continue;
        token.content = (char *)text.data;
        token.n = text.n;
        rc = tokenizer_added_put(&t->normalized, &token);
    }
    tokenizer_text_free(&text);
    tokenizer_text_free(&scratch);
    tokenizer_matcher_free(matcher);
    tokenizer_added_sort(&t->raw);
    tokenizer_added_sort(&t->normalized);
    return rc;
}

/* BPE without a split sees a whole text as one word. When no piece has a U+2581 behind another
 * character, no merge can reach across such a place, so cutting there changes nothing: and words
 * become short and repeat. */
static int finish_mark(struct tokenizer *t)
{
    const struct tokenizer_vocabulary *v = &t->vocabulary;
    size_t mark = strlen(TOKENIZER_SPACE);
    struct tokenizer_step *step;
    if (t->kind != MODEL_BPE || t->bpe.byte_level || t->bpe.ignore_merges || t->bpe.prefix ||
        t->bpe.suffix || tokenizer_vocabulary_find(v, TOKENIZER_SPACE, mark) < 0)
        return 0;
    for (size_t id = 0; id < v->count; id++) {
        size_t n;
        const char *piece = tokenizer_vocabulary_piece(v, (int32_t)id, &n);
        for (size_t i = 1; piece && i + mark <= n; i++)
            if (memcmp(piece + i, TOKENIZER_SPACE, mark) == 0 &&
                (i < mark || memcmp(piece + i - mark, TOKENIZER_SPACE, mark) != 0))
                return 0;
    }
    int rc = tokenizer_step_add(t, &step);
    if (!rc)
        step->kind = STEP_MARK;
    return rc;
}

int tokenizer_finish(struct tokenizer *t)
{
    /* Byte level as the last step before BPE is done by BPE itself, on the raw bytes of each word.
     */
    size_t byte_steps = 0;
    for (size_t i = 0; i < t->step_count; i++)
        byte_steps += t->steps[i].kind == STEP_BYTES;
    bool byte_normalizer =
        t->normalizer_count && t->normalizers[t->normalizer_count - 1].kind == NORMALIZE_BYTES;
    t->keeps_bytes =
        byte_steps || byte_normalizer || t->bpe.has_fallback || t->unigram.has_fallback;
    if (t->kind == MODEL_BPE && byte_steps == 1 && t->steps[t->step_count - 1].kind == STEP_BYTES) {
        t->step_count--;
        t->bpe.byte_level = true;
    }
    int rc = finish_mark(t);
    if (!rc)
        rc = finish_added(t);
    if (rc)
        return rc;
    t->special = base_alloc_zero(t->vocabulary.count + 1, 1);
    if (!t->special)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < t->listed.count; i++)
        if (t->listed.at[i].special)
            t->special[t->listed.at[i].id] = 1;
    if (t->entry)
        for (size_t i = 0; i < t->vocabulary.count; i++)
            if (t->entry[i] == ENTRY_CONTROL || t->entry[i] == ENTRY_UNKNOWN)
                t->special[i] = 1;
    if (t->unk < 0)
        t->unk = t->kind == MODEL_BPE       ? t->bpe.unknown
                 : t->kind == MODEL_UNIGRAM ? t->unigram.unknown
                                            : t->wordpiece.unknown;
    return 0;
}

size_t tokenizer_vocabulary(const struct tokenizer *t)
{
    return t->vocabulary.count;
}

const char *tokenizer_piece(const struct tokenizer *t, int32_t id)
{
    return tokenizer_vocabulary_piece(&t->vocabulary, id, NULL);
}

int32_t tokenizer_find(const struct tokenizer *t, const char *piece)
{
    return tokenizer_vocabulary_find(&t->vocabulary, piece, strlen(piece));
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->vocabulary.count && t->special[id];
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}
int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}
int32_t tokenizer_pad(const struct tokenizer *t)
{
    return t->pad;
}
int32_t tokenizer_unk(const struct tokenizer *t)
{
    return t->unk;
}

const char *tokenizer_kind(const struct tokenizer *t)
{
    switch (t->kind) {
    case MODEL_BPE:
        return "bpe";
    case MODEL_UNIGRAM:
        return "unigram";
    default:
        return t->wordpiece.whole ? "wordlevel" : "wordpiece";
    }
}

const char *tokenizer_hash(const struct tokenizer *t)
{
    return t->hash;
}

const char *tokenizer_chat_template(const struct tokenizer *t)
{
    return t->chat_template;
}
