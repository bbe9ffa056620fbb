/* The tokenizer in a GGUF's metadata: tokenizer.ggml.model gpt2 (byte-level BPE with merges), llama
 * (SentencePiece BPE by scores) or t5 (unigram); tokenizer.ggml.pre names the split pattern. */
#include "model/archive.h"
#include "model/tokenizer_private.h"

static int string_at(const struct model_array *v, size_t i, const char *what, const char *name,
                     const char **s, size_t *n)
{
    *s = model_array_string(v, i, n);
    if (!*s)
        return base_error_set(BASE_E_FORMAT, "%s: %s[%zu]: expected a string", name, what, i);
    return 0;
}

/* Ids and switches that the metadata may name. -1 and untouched when absent. */
static int special_id(const struct tokenizer *t, const json_t *meta, const char *key,
                      const char *name, int32_t *out)
{
    int64_t id = -1;
    int rc = base_json_get_int(meta, key, name, false, &id);
    if (rc || id < 0 || id == UINT32_MAX)
        return rc;
    if (id >= (int64_t)t->vocabulary.count)
        return base_error_set(BASE_E_FORMAT, "%s: %s: %lld, but %zu tokens", name, key,
                              (long long)id, t->vocabulary.count);
    *out = (int32_t)id;
    return 0;
}

static int entry_at(const struct model_array *types, size_t i)
{
    return types && i < model_array_count(types) ? (int)model_array_int(types, i) : ENTRY_NORMAL;
}

static int read_byte_level(struct tokenizer *t, const json_t *meta,
                           const struct model_array *tokens, const struct model_array *types,
                           const struct model_array *merges, const char *name)
{
    const char *pre = "default";
    struct base_buffer joined = { 0 };
    struct tokenizer_stage *stage;
    if (!merges)
        return base_error_set(BASE_E_FORMAT, "%s: tokenizer.ggml.merges is missing", name);
    int rc = base_json_get_string(meta, "tokenizer.ggml.pre", name, false, &pre);
    if (rc)
        return rc;
    const char *const *patterns = tokenizer_pattern_gguf(pre, &t->bpe.ignore_merges);
    if (!patterns)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: tokenizer.ggml.pre \"%s\": this split pattern is not known",
                              name, pre);
    t->kind = MODEL_BPE;
    size_t count = model_array_count(merges);
    rc = tokenizer_bpe_reserve(&t->bpe, count);
    for (size_t i = 0; i < count && !rc; i++) {
        const char *line;
        size_t n;
        rc = string_at(merges, i, "tokenizer.ggml.merges", name, &line, &n);
        if (!rc)
            rc = tokenizer_merge_line(t, line, n, i, &joined, name);
    }
    base_buffer_free(&joined);
    for (size_t i = 0; i < model_array_count(tokens) && !rc; i++) {
        int entry = entry_at(types, i);
        const char *piece;
        size_t n;
        if (entry != ENTRY_CONTROL && entry != ENTRY_USER)
            continue;
        rc = string_at(tokens, i, "tokenizer.ggml.tokens", name, &piece, &n);
        struct tokenizer_added token = { .special = entry == ENTRY_CONTROL, .id = (int32_t)i };
        token.content = (char *)piece;
        token.n = n;
        if (!rc && n)
            rc = tokenizer_added_put(&t->listed, &token);
    }
    bool prefix = false;
    if (!rc)
        rc = base_json_get_bool(meta, "tokenizer.ggml.add_space_prefix", name, false, &prefix);
    if (!rc)
        rc = tokenizer_use_byte_level(t, patterns, prefix);
    if (!rc)
        rc = tokenizer_stage_add(t, &stage);
    if (!rc) {
        stage->kind = STAGE_BYTE_LEVEL;
        tokenizer_bpe_prepare(&t->bpe, &t->vocabulary, false);
    }
    return rc;
}

static int hash_metadata(struct tokenizer *t, const struct model_array *const arrays[4],
                         const json_t *meta)
{
    struct base_sha256 *h;
    int rc = base_sha256_begin(&h);
    if (rc)
        return rc;
    for (int a = 0; a < 4; a++) {
        size_t count = arrays[a] ? model_array_count(arrays[a]) : 0;
        for (size_t i = 0; i < count; i++) {
            size_t n;
            const char *s = model_array_string(arrays[a], i, &n);
            double x = s ? (double)n : model_array_double(arrays[a], i);
            base_sha256_add(h, &x, sizeof x);
            if (s)
                base_sha256_add(h, s, n);
        }
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)meta, key, value)
    {
        if (!base_starts_with(key, "tokenizer."))
            continue;
        char *text = base_json_dump(value, false);
        if (!text)
            rc = BASE_E_MEMORY;
        base_sha256_add(h, key, strlen(key) + 1);
        if (text)
            base_sha256_add(h, text, strlen(text) + 1);
        base_free(text);
    }
    base_sha256_end(h, t->hash);
    return rc;
}

int tokenizer_read_gguf(struct tokenizer *t, const struct model_archive *archive)
{
    const char *name = model_archive_path(archive);
    const json_t *meta = model_archive_metadata(archive);
    const struct model_array *tokens = model_archive_array(archive, "tokenizer.ggml.tokens");
    const struct model_array *types = model_archive_array(archive, "tokenizer.ggml.token_type");
    const struct model_array *scores = model_archive_array(archive, "tokenizer.ggml.scores");
    const struct model_array *merges = model_archive_array(archive, "tokenizer.ggml.merges");
    const char *model = NULL, *template = NULL;
    int rc = base_json_get_string(meta, "tokenizer.ggml.model", name, false, &model);
    if (rc)
        return rc;
    if (!model || !tokens)
        return base_error_set(BASE_E_FORMAT,
                              "%s: no tokenizer in this GGUF (tokenizer.ggml.model "
                              "and tokenizer.ggml.tokens are missing)",
                              name);
    if ((types && !model_array_is_number(types)) || (scores && !model_array_is_number(scores)))
        return base_error_set(BASE_E_FORMAT, "%s: token_type and scores must be numbers", name);
    size_t count = model_array_count(tokens);
    if (count >= TOKENIZER_MAX_ID)
        return base_error_set(BASE_E_LIMIT, "%s: %zu tokens", name, count);
    bool byte_level = strcmp(model, "gpt2") == 0, unigram = strcmp(model, "t5") == 0;
    bool add_bos = strcmp(model, "llama") == 0, add_eos = unigram;
    if (!byte_level && !unigram && !add_bos)
        return base_error_set(
            BASE_E_UNSUPPORTED,
            "%s: tokenizer.ggml.model \"%s\" is not supported (gpt2, llama, t5 are)", name, model);
    t->vocabulary.last_wins = true;
    if (byte_level) {
        rc = tokenizer_vocabulary_reserve(&t->vocabulary, count + 1, count * 8);
        for (size_t i = 0; i < count && !rc; i++) {
            const char *piece;
            size_t n;
            rc = string_at(tokens, i, "tokenizer.ggml.tokens", name, &piece, &n);
            if (!rc)
                rc = tokenizer_vocabulary_put(&t->vocabulary, i, piece, n, name);
        }
        if (!rc)
            rc = read_byte_level(t, meta, tokens, types, merges, name);
    } else {
        rc = tokenizer_read_scored(t, archive, unigram);
    }
    if (!rc)
        rc = special_id(t, meta, "tokenizer.ggml.bos_token_id", name, &t->bos);
    if (!rc)
        rc = special_id(t, meta, "tokenizer.ggml.eos_token_id", name, &t->eos);
    if (!rc)
        rc = special_id(t, meta, "tokenizer.ggml.padding_token_id", name, &t->pad);
    if (!rc)
        rc = special_id(t, meta, "tokenizer.ggml.unknown_token_id", name, &t->unk);
    if (!rc)
        rc = base_json_get_bool(meta, "tokenizer.ggml.add_bos_token", name, false, &add_bos);
    if (!rc)
        rc = base_json_get_bool(meta, "tokenizer.ggml.add_eos_token", name, false, &add_eos);
    if (!rc && add_bos && t->bos >= 0)
        rc = tokenizer_template_add(&t->before, &t->before_count, t->bos);
    if (!rc && add_eos && t->eos >= 0)
        rc = tokenizer_template_add(&t->after, &t->after_count, t->eos);
    if (!rc)
        rc = base_json_get_string(meta, "tokenizer.chat_template", name, false, &template);
    if (!rc && template) {
        t->chat_template = base_strdup(template);
        rc = t->chat_template ? 0 : BASE_E_MEMORY;
    }
    const struct model_array *const arrays[4] = { tokens, types, scores, merges };
    return rc ? rc : hash_metadata(t, arrays, meta);
}
