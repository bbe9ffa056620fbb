/* Finding a tokenizer: a directory in Hugging Face layout, one of its files, a GGUF, or a built-in
 * model; and the small configuration files beside it. */
#include "base/file.h"
#include "model/archive.h"
#include "model/builtin.h"
#include "model/tokenizer_private.h"
#include <ctype.h>

/* ---- tokenizer_config.json, special_tokens_map.json ------------------------------------------ */

/* "bos_token": "<s>" or {"content": "<s>", ...}; sets *id when the vocabulary has it. */
static void config_token(const struct tokenizer *t, const json_t *config, const char *key,
                         int32_t *id)
{
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value))
        value = json_object_get(value, "content");
    if (json_is_string(value)) {
        int32_t found = tokenizer_vocabulary_find(&t->vocabulary, json_string_value(value),
                                                  json_string_length(value));
        if (found >= 0)
            *id = found;
    }
}

/* "chat_template": text, or a list of named ones, of which "default" is taken. */
static int config_chat_template(struct tokenizer *t, const json_t *config)
{
    const json_t *value = json_object_get(config, "chat_template"), *item;
    size_t i;
    if (json_is_array(value)) {
        const json_t *list = value;
        value = NULL;
        json_array_foreach(list, i, item)
        {
            const char *name = json_string_value(json_object_get(item, "name"));
            if (!value || (name && strcmp(name, "default") == 0))
                value = json_object_get(item, "template");
        }
    }
    if (!json_is_string(value))
        return 0;
    char *text = base_strndup(json_string_value(value), json_string_length(value));
    if (!text)
        return BASE_E_MEMORY;
    base_free(t->chat_template);
    t->chat_template = text;
    return 0;
}

/* "added_tokens_decoder": {"50256": {"content": .., "special": true, ..}, ..} */
static int config_added(struct tokenizer *t, const json_t *config, const char *name)
{
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)json_object_get(config, "added_tokens_decoder"), key, item)
    {
        int64_t id;
        struct tokenizer_added token = { .normalized = true };
        const json_t *content = json_object_get(item, "content");
        int rc = base_parse_int(key, "added_tokens_decoder", 0, (int64_t)TOKENIZER_MAX_ID, &id);
        if (!rc && !json_is_string(content))
            rc = base_error_set(BASE_E_FORMAT, "added_tokens_decoder: %s: content is missing", key);
        if (!rc)
            rc = base_json_get_bool(item, "special", name, false, &token.special);
        if (!rc)
            rc = base_json_get_bool(item, "single_word", name, false, &token.single_word);
        if (!rc)
            rc = base_json_get_bool(item, "lstrip", name, false, &token.left_strip);
        if (!rc)
            rc = base_json_get_bool(item, "rstrip", name, false, &token.right_strip);
        if (!rc)
            rc = base_json_get_bool(item, "normalized", name, false, &token.normalized);
        if (!rc)
            rc = tokenizer_added_list(t, token, json_string_value(content),
                                      json_string_length(content), (size_t)id, name);
        if (rc)
            return base_error_prefix(rc, "%s", name);
    }
    return 0;
}

/* A special token that only bos_token and its kin name is searched in texts like the others. */
static int config_special(struct tokenizer *t, int32_t id, const char *name)
{
    size_t n;
    const char *piece = tokenizer_vocabulary_piece(&t->vocabulary, id, &n);
    if (!piece)
        return 0;
    for (size_t i = 0; i < t->listed.count; i++)
        if (t->listed.at[i].id == id)
            return 0;
    struct tokenizer_added token = { .special = true };
    char *copy = base_strndup(piece, n); /* the list may move the vocabulary */
    if (!copy)
        return BASE_E_MEMORY;
    int rc = tokenizer_added_list(t, token, copy, n, (size_t)id, name);
    base_free(copy);
    return rc;
}

int tokenizer_read_config(struct tokenizer *t, const char *text, size_t bytes, bool whole,
                          const char *name)
{
    static const char *const keys[] = { "bos_token",      "eos_token",     "pad_token",
                                        "unk_token",      "chat_template", "added_tokens_decoder",
                                        "add_bos_token",  "add_eos_token", "add_prefix_space",
                                        "tokenizer_class" };
    json_t *config;
    int rc = tokenizer_json_members(text, bytes, keys, sizeof keys / sizeof *keys, name, &config);
    if (rc)
        return rc;
    if (whole)
        rc = config_added(t, config, name);
    config_token(t, config, "bos_token", &t->bos);
    config_token(t, config, "eos_token", &t->eos);
    config_token(t, config, "pad_token", &t->pad);
    config_token(t, config, "unk_token", &t->unk);
    if (!rc)
        rc = config_chat_template(t, config);
    if (!rc && whole) {
        const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
        bool add_bos =
            class && (base_starts_with(class, "Llama") || base_starts_with(class, "CodeLlama"));
        bool add_eos = class && base_starts_with(class, "T5");
        bool prefix = false;
        rc = base_json_get_bool(config, "add_bos_token", name, false, &add_bos);
        if (!rc)
            rc = base_json_get_bool(config, "add_eos_token", name, false, &add_eos);
        if (!rc)
            rc = base_json_get_bool(config, "add_prefix_space", name, false, &prefix);
        if (!rc && add_bos && t->bos >= 0 && !t->before_count)
            rc = tokenizer_template_add(&t->before, &t->before_count, t->bos);
        if (!rc && add_eos && t->eos >= 0 && !t->after_count)
            rc = tokenizer_template_add(&t->after, &t->after_count, t->eos);
        if (!rc && prefix && t->step_count && t->steps[0].kind == STEP_PREFIX)
            t->steps[0].prefix = PREFIX_ALWAYS;
        const int32_t special[] = { t->bos, t->eos, t->pad, t->unk };
        for (int i = 0; i < 4 && !rc; i++)
            rc = config_special(t, special[i], name);
    }
    json_decref(config);
    return rc;
}

/* Where no configuration names them: the usual names, among the special tokens. */
static void guess_special(struct tokenizer *t)
{
    static const char *const bos[] = { "<s>",   "<|begin_of_text|>",
                                       "<bos>", "<|endoftext|>",
                                       "[CLS]", NULL };
    static const char *const eos[] = { "</s>",          "<|end_of_text|>", "<eos>",
                                       "<|endoftext|>", "[SEP]",           NULL };
    static const char *const pad[] = { "<pad>", "[PAD]", "<|pad|>", NULL };
    const struct {
        int32_t *id;
        const char *const *names;
    } all[] = { { &t->bos, bos }, { &t->eos, eos }, { &t->pad, pad } };
    if (t->bos < 0 && t->before_count)
        t->bos = t->before[0];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const char *const *name = all[i].names; *name && *all[i].id < 0; name++) {
            int32_t id = tokenizer_find(t, *name);
            if (tokenizer_is_special(t, id))
                *all[i].id = id;
        }
}

/* ---- files ----------------------------------------------------------------------------------- */

/* The whole of a file of the directory; *data stays NULL when it is absent and not required. */
static int read_beside(const char *directory, const char *file, bool required, char **data,
                       size_t *bytes)
{
    *data = NULL;
    char *path = base_path_join(directory, file);
    if (!path)
        return BASE_E_MEMORY;
    int rc = 0;
    if (required || base_file_exists(path))
        rc = base_file_read(path, TOKENIZER_MAX_FILE, data, bytes);
    base_free(path);
    return rc;
}

static int hash_add(struct tokenizer *t, const void *a, size_t n, const void *b, size_t m)
{
    struct base_sha256 *h;
    int rc = base_sha256_begin(&h);
    if (rc)
        return rc;
    base_sha256_add(h, a, n);
    if (m)
        base_sha256_add(h, b, m);
    base_sha256_end(h, t->hash);
    return 0;
}

/* tokenizer_config.json, special_tokens_map.json and chat_template.jinja, as far as they exist. */
static int read_configs(struct tokenizer *t, const char *directory, bool whole)
{
    static const char *const names[] = { "special_tokens_map.json", "tokenizer_config.json" };
    char *text;
    size_t bytes;
    int rc = 0;
    for (int i = 0; i < 2 && !rc; i++) {
        rc = read_beside(directory, names[i], false, &text, &bytes);
        if (rc || !text)
            continue;
        char *name = base_path_join(directory, names[i]);
        rc = name ? tokenizer_read_config(t, text, bytes, whole && i == 1, name) : BASE_E_MEMORY;
        base_free(name);
        base_free(text);
    }
    if (rc)
        return rc;
    rc = read_beside(directory, "chat_template.jinja", false, &text, &bytes);
    if (text) {
        base_free(t->chat_template);
        t->chat_template = text;
    }
    return rc;
}

static int load_gpt2_files(struct tokenizer *t, const char *directory)
{
    static const char *const gpt2[] = { tokenizer_pattern_gpt2, NULL };
    char *vocab = NULL, *merges = NULL;
    size_t n, m;
    struct tokenizer_stage *stage;
    int rc = read_beside(directory, "vocab.json", true, &vocab, &n);
    if (!rc)
        rc = read_beside(directory, "merges.txt", true, &merges, &m);
    if (!rc)
        rc = tokenizer_read_files(t, vocab, n, merges, m, directory);
    if (!rc)
        rc = hash_add(t, vocab, n, merges, m);
    base_free(vocab);
    base_free(merges);
    if (!rc)
        rc = tokenizer_use_byte_level(t, gpt2, true);
    if (!rc) {
        t->steps[0].prefix = PREFIX_NEVER; /* unless tokenizer_config.json says add_prefix_space */
        rc = tokenizer_stage_add(t, &stage);
    }
    if (!rc)
        stage->kind = STAGE_BYTE_LEVEL;
    return rc;
}

static int load_directory(struct tokenizer *t, const char *directory)
{
    static const char *const sentencepiece[] = { "tokenizer.model", "spiece.model" };
    char *text;
    size_t bytes;
    bool whole = false;
    int rc = read_beside(directory, "tokenizer.json", false, &text, &bytes);
    if (rc)
        return rc;
    char *name = base_path_join(directory, "tokenizer.json");
    if (!name) {
        base_free(text);
        return BASE_E_MEMORY;
    }
    if (text) {
        rc = tokenizer_read_json(t, text, bytes, name);
        if (!rc)
            rc = hash_add(t, text, bytes, NULL, 0);
        base_free(text);
    } else {
        whole = true;
        for (int i = 0; i < 2 && !rc && !text; i++) {
            rc = read_beside(directory, sentencepiece[i], false, &text, &bytes);
            if (!text)
                continue;
            rc = tokenizer_read_sentencepiece(t, text, bytes, sentencepiece[i]);
            if (!rc)
                rc = hash_add(t, text, bytes, NULL, 0);
            base_free(text);
            text = (char *)""; /* found */
        }
        if (!rc && !text) {
            char *vocab = base_path_join(directory, "vocab.json");
            rc = !vocab ? BASE_E_MEMORY
                 : base_file_exists(vocab)
                     ? load_gpt2_files(t, directory)
                     : base_error_set(BASE_E_IO,
                                      "%s: no tokenizer here: expected tokenizer.json, "
                                      "tokenizer.model, or vocab.json with merges.txt",
                                      directory);
            base_free(vocab);
        }
    }
    base_free(name);
    return rc ? rc : read_configs(t, directory, whole);
}

/* A file, by its first bytes: GGUF, JSON, or SentencePiece's protobuf. */
static int load_file(struct tokenizer *t, const char *path)
{
    struct base_map map;
    int rc = base_map_open(&map, path);
    if (rc)
        return rc;
    const char *data = (const char *)map.data;
    size_t start = 0;
    while (start < map.bytes && isspace((unsigned char)data[start]))
        start++;
    bool json = map.bytes > start && (data[start] == '{' || data[start] == '\xef');
    if (map.bytes >= 4 && memcmp(data, "GGUF", 4) == 0) {
        struct model_archive *archive;
        rc = model_archive_open(&archive, path);
        if (!rc) {
            rc = tokenizer_read_gguf(t, archive);
            model_archive_close(archive);
        }
    } else if (map.bytes > TOKENIZER_MAX_FILE)
        rc = base_error_set(BASE_E_LIMIT, "%s: %zu bytes is too large for a tokenizer", path,
                            map.bytes);
    else if (json)
        rc = tokenizer_read_json(t, data, map.bytes, path);
    else
        rc = tokenizer_read_sentencepiece(t, data, map.bytes, path);
    if (!rc && !t->hash[0])
        rc = hash_add(t, map.data, map.bytes, NULL, 0);
    base_map_close(&map);
    if (!rc && json && strcmp(base_path_name(path), "tokenizer.json") == 0) {
        char *directory = base_strndup(path, (size_t)(base_path_name(path) - path));
        if (!directory)
            return BASE_E_MEMORY;
        rc = read_configs(t, *directory ? directory : ".", false);
        base_free(directory);
    }
    return rc;
}

static int done(struct tokenizer *t, int rc, struct tokenizer **out)
{
    if (!rc)
        rc = tokenizer_finish(t);
    if (rc) {
        tokenizer_free(t);
        return rc;
    }
    guess_special(t);
    *out = t;
    return 0;
}

int tokenizer_load(struct tokenizer **out, const char *path)
{
    struct tokenizer *t;
    int rc = tokenizer_new(&t);
    if (rc)
        return rc;
    if (base_starts_with(path, "builtin:")) {
        const void *data;
        size_t bytes;
        rc = model_builtin(path, "tokenizer.json", &data, &bytes);
        if (!rc)
            rc = tokenizer_read_json(t, data, bytes, path);
        if (!rc)
            rc = hash_add(t, data, bytes, NULL, 0);
    } else {
        rc = base_file_is_directory(path) ? load_directory(t, path) : load_file(t, path);
    }
    return done(t, rc, out);
}

int tokenizer_load_json(struct tokenizer **out, const char *text, size_t bytes, const char *name)
{
    struct tokenizer *t;
    int rc = tokenizer_new(&t);
    if (rc)
        return rc;
    rc = tokenizer_read_json(t, text, bytes, name);
    if (!rc)
        rc = hash_add(t, text, bytes, NULL, 0);
    return done(t, rc, out);
}

int tokenizer_load_sentencepiece(struct tokenizer **out, const void *data, size_t bytes,
                                 const char *name)
{
    struct tokenizer *t;
    int rc = tokenizer_new(&t);
    if (rc)
        return rc;
    rc = tokenizer_read_sentencepiece(t, data, bytes, name);
    if (!rc)
        rc = hash_add(t, data, bytes, NULL, 0);
    return done(t, rc, out);
}
