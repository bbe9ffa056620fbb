/* GGUF's keys for a model that comes from a Hugging Face directory: what llama.cpp reads
 * ({arch}.context_length, ..., tokenizer.ggml.*), and what only the way back needs (assay.*,
 * tokenizer.huggingface.json). */
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/convert_private.h"
#include <assay/tokenizer.h>
#include <math.h>
#include <string.h>

static int no_memory(void)
{
    return base_error_set(BASE_E_MEMORY, "out of memory for the GGUF metadata");
}

/* {"type": type, "value": value}; takes the value's reference. */
static int add(json_t *out, const char *key, const char *type, json_t *value)
{
    json_t *item = json_pack("{s:s, s:o}", "type", type, "value", value);
    return item && !json_object_set_new(out, key, item) ? 0 : no_memory();
}

static int add_text(json_t *out, const char *key, const char *text, size_t n)
{
    return add(out, key, "string", base_json_text(text, n));
}

static int add_array(json_t *out, const char *key, const char *of, json_t *list)
{
    json_t *item = json_pack("{s:s, s:s, s:o}", "type", "array", "of", of, "value", list);
    return item && !json_object_set_new(out, key, item) ? 0 : no_memory();
}

const char *convert_gguf_name(const struct model_config *config)
{
    const struct model_architecture *a = config->architecture;
    if (a->gguf)
        return a->gguf;
    return a->gguf_permuted ? "llama" : NULL; /* Mistral: a Llama to llama.cpp */
}

int convert_rope_factors(const struct model_config *config, float **out, size_t *n)
{
    struct tensor_rope_options plain = config->rope, scaled = config->rope;
    struct tensor_rope *a = NULL, *b = NULL;
    *out = NULL;
    *n = 0;
    if (config->position != MODEL_POSITION_ROPE || config->rope.scaling != TENSOR_ROPE_LLAMA3)
        return 0;
    plain.scaling = TENSOR_ROPE_NONE;
    int rc = tensor_rope_new(&a, &plain);
    if (!rc)
        rc = tensor_rope_new(&b, &scaled);
    if (!rc && !(*out = base_alloc(config->rope.rotary / 2, sizeof **out)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; i < config->rope.rotary / 2 && !rc; i++)
        (*out)[i] = (float)(tensor_rope_frequency(a, i) / tensor_rope_frequency(b, i));
    *n = rc ? 0 : config->rope.rotary / 2;
    tensor_rope_free(a);
    tensor_rope_free(b);
    return rc;
}

/* ---- the architecture's keys ---- */

static int add_architecture(json_t *out, const struct model_config *c, const json_t *config_json)
{
    const char *arch = convert_gguf_name(c);
    char key[128];
    int rc = 0;
    json_int_t context = c->context == SIZE_MAX ? 2048 : (json_int_t)c->context;
    if (c->context == SIZE_MAX && json_is_integer(json_object_get(config_json, "seq_length")))
        context = json_integer_value(json_object_get(config_json, "seq_length"));
#define KEY(name, type, value)                                                                     \
    if (!rc && snprintf(key, sizeof key, "%s.%s", arch, name) > 0)                                 \
    rc = add(out, key, type, value)
#define NUMBER(name, value)   KEY(name, "u32", json_integer((json_int_t)(value)))
#define REAL_KEY(name, value) KEY(name, "f32", json_real(value))
    NUMBER("vocab_size", c->vocabulary);
    NUMBER("context_length", context);
    NUMBER("embedding_length", c->width);
    NUMBER("block_count", c->layers);
    NUMBER("feed_forward_length", c->ff);
    NUMBER("attention.head_count", c->heads);
    NUMBER("attention.head_count_kv", c->kv_heads);
    if (c->head_dim * c->heads != c->width || !strcmp(arch, "gemma2") || !strcmp(arch, "qwen3")) {
        NUMBER("attention.key_length", c->head_dim);
        NUMBER("attention.value_length", c->head_dim);
    }
    REAL_KEY(c->norm == MODEL_NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                       : "attention.layer_norm_epsilon",
             c->norm_epsilon);
    if (c->position == MODEL_POSITION_ROPE) {
        NUMBER("rope.dimension_count", c->rope.rotary);
        REAL_KEY("rope.freq_base", c->rope.base);
        if (c->rope.scaling == TENSOR_ROPE_LINEAR || c->rope.scaling == TENSOR_ROPE_YARN) {
            KEY("rope.scaling.type", "string",
                json_string(c->rope.scaling == TENSOR_ROPE_YARN ? "yarn" : "linear"));
            REAL_KEY("rope.scaling.factor", c->rope.factor);
            if (c->rope.scaling == TENSOR_ROPE_YARN && c->rope.original_context >= 1)
                NUMBER("rope.scaling.original_context_length", c->rope.original_context);
        }
    }
    if (!strcmp(arch, "gptneox"))
        KEY("use_parallel_residual", "bool", json_boolean(c->parallel));
    if (!strcmp(arch, "falcon"))
        KEY("tensor_data_layout", "string", json_string("jploski"));
    if (c->window)
        NUMBER("attention.sliding_window", c->window);
    if (c->attention_softcap > 0)
        REAL_KEY("attn_logit_softcapping", c->attention_softcap);
    if (c->final_softcap > 0)
        REAL_KEY("final_logit_softcapping", c->final_softcap);
    return rc;
}

/* ---- the tokenizer's keys ---- */

/* llama.cpp's name of a byte-level split, told by the patterns in tokenizer.json's pre_tokenizer.
 */
static const char *split_name(const char *pre)
{
    static const struct {
        const char *mark, *name;
    } marks[] = {
        { "\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]*[", "gpt-4o" },
        { "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}",
          "llama-bpe" },
        { "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}|",
          "qwen2" },
        { "[.,!?", "bloom" },
        { "\"Punctuation\"", "falcon" },
        { "\"Digits\"", "starcoder" },
    };
    for (size_t i = 0; pre && i < sizeof marks / sizeof *marks; i++)
        if (strstr(pre, marks[i].mark))
            return marks[i].name;
    return "gpt-2";
}

/* Pieces and their kinds; holes get llama.cpp's placeholder. */
static int add_pieces(json_t *out, const struct tokenizer *t, size_t vocabulary, bool sentencepiece)
{
    json_t *tokens = json_array(), *types = json_array();
    size_t n = tokenizer_vocabulary(t);
    n = n < vocabulary ? vocabulary : n;
    int failed = !tokens || !types;
    for (size_t i = 0; i < n && !failed; i++) {
        const char *piece = i < tokenizer_vocabulary(t) ? tokenizer_piece(t, (int32_t)i) : NULL;
        char pad[32];
        snprintf(pad, sizeof pad, "[PAD%zu]", i);
        int type = !piece                                                             ? 5
                   : (int32_t)i == tokenizer_unk(t) && sentencepiece                  ? 2
                   : tokenizer_is_special(t, (int32_t)i)                              ? 3
                   : sentencepiece && strlen(piece) == 6 && !strncmp(piece, "<0x", 3) ? 6
                                                                                      : 1;
        failed = json_array_append_new(
                     tokens, base_json_text(piece ? piece : pad, strlen(piece ? piece : pad))) ||
                 json_array_append_new(types, json_integer(type));
    }
    if (failed) {
        json_decref(tokens);
        json_decref(types);
        return no_memory();
    }
    int rc = add_array(out, "tokenizer.ggml.tokens", "string", tokens);
    if (rc)
        json_decref(types);
    return rc ? rc : add_array(out, "tokenizer.ggml.token_type", "i32", types);
}

/* Added tokens that are no special ones are "user defined" (4): split out of the text, but printed.
 */
static void mark_added(json_t *out, const json_t *root)
{
    json_t *types = json_object_get(json_object_get(out, "tokenizer.ggml.token_type"), "value");
    size_t i;
    json_t *token;
    json_array_foreach(json_object_get(root, "added_tokens"), i, token)
    {
        json_int_t id = json_integer_value(json_object_get(token, "id"));
        if (!json_is_true(json_object_get(token, "special")) && id >= 0 &&
            (size_t)id < json_array_size(types))
            json_array_set_new(types, (size_t)id, json_integer(4));
    }
}

/* A merge, "a b" or ["a", "b"], as its two halves in place. */
static bool halves(const json_t *merge, const char **a, size_t *n, const char **b)
{
    if (json_is_array(merge)) {
        *a = json_string_value(json_array_get(merge, 0));
        *b = json_string_value(json_array_get(merge, 1));
        *n = *a ? strlen(*a) : 0;
        return *a && *b;
    }
    const char *s = json_string_value(merge), *blank = s && *s ? strchr(s + 1, ' ') : NULL;
    *a = s;
    *n = blank ? (size_t)(blank - s) : 0;
    *b = blank ? blank + 1 : NULL;
    return blank != NULL;
}

static int add_merges(json_t *out, const json_t *merges)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < json_array_size(merges); i++) {
        const char *a, *b;
        size_t n;
        char *line = halves(json_array_get(merges, i), &a, &n, &b)
                         ? base_format("%.*s %s", (int)n, a, b)
                         : NULL;
        if (!line || json_array_append_new(list, json_string(line))) {
            json_decref(list);
            list = NULL;
        }
        base_free(line);
    }
    return list ? add_array(out, "tokenizer.ggml.merges", "string", list) : no_memory();
}

/* SentencePiece merges the pair whose piece has the highest score: the merge's rank, negated.
 * Pieces that no merge makes are below all of them. */
static int add_scores(json_t *out, const struct tokenizer *t, const json_t *model)
{
    const json_t *merges = json_object_get(model, "merges"),
                 *unigram = json_object_get(model, "vocab");
    size_t n =
        json_array_size(json_object_get(json_object_get(out, "tokenizer.ggml.tokens"), "value"));
    double *score = base_alloc(n, sizeof *score);
    json_t *list = json_array();
    int failed = !score || !list;
    for (size_t i = 0; i < n && !failed; i++)
        score[i] = json_is_array(merges) ? -1e6 : 0;
    for (size_t i = json_array_size(merges); i-- > 0 && !failed;) {
        const char *a, *b;
        size_t k;
        char *whole = halves(json_array_get(merges, i), &a, &k, &b)
                          ? base_format("%.*s%s", (int)k, a, b)
                          : NULL;
        int32_t id = whole ? tokenizer_find(t, whole) : -1;
        if (id >= 0 && (size_t)id < n)
            score[id] = -(double)i;
        failed = !whole;
        base_free(whole);
    }
    for (size_t i = 0; json_is_array(unigram) && i < json_array_size(unigram) && i < n && !failed;
         i++)
        score[i] = json_number_value(json_array_get(json_array_get(unigram, i), 1));
    for (size_t i = 0; i < n && !failed; i++)
        failed = json_array_append_new(list, json_real(score[i]));
    base_free(score);
    if (failed) {
        json_decref(list);
        return no_memory();
    }
    return add_array(out, "tokenizer.ggml.scores", "f32", list);
}

static int add_id(json_t *out, const char *key, int32_t id)
{
    return id < 0 ? 0 : add(out, key, "u32", json_integer(id));
}

/* Whether encoding adds BOS and EOS, and whether it puts a blank in front: asked of the tokenizer.
 */
static int add_switches(json_t *out, const struct tokenizer *t, bool sentencepiece)
{
    struct tokenizer_options special = { .add_special = true }, none = { 0 };
    struct tokenizer_encoding e = { 0 }, p = { 0 };
    int rc = tokenizer_encode(t, "a", 1, &special, &e);
    if (!rc)
        rc = tokenizer_encode(t, "a", 1, &none, &p);
    if (!rc)
        rc = add(out, "tokenizer.ggml.add_bos_token", "bool",
                 json_boolean(e.count && tokenizer_bos(t) >= 0 && e.ids[0] == tokenizer_bos(t)));
    if (!rc)
        rc = add(out, "tokenizer.ggml.add_eos_token", "bool",
                 json_boolean(e.count > 1 && tokenizer_eos(t) >= 0 &&
                              e.ids[e.count - 1] == tokenizer_eos(t)));
    if (!rc && sentencepiece) {
        const char *first = p.count ? tokenizer_piece(t, p.ids[0]) : NULL;
        rc = add(out, "tokenizer.ggml.add_space_prefix", "bool",
                 json_boolean(first && base_starts_with(first, "\xe2\x96\x81")));
    }
    tokenizer_encoding_free(&e);
    tokenizer_encoding_free(&p);
    return rc;
}

/* A whole file of the source into a key, byte for byte, when it is there and text. */
static int keep_file(const struct convert *c, json_t *out, const char *name, const char *key)
{
    char *text;
    size_t n;
    int rc = convert_read_file(c, name, &text, &n);
    if (!rc && text && base_utf8_invalid(text, n) == n)
        rc = add_text(out, key, text, n);
    base_free(text);
    return rc;
}

/* merges.txt's lines as the JSON list of a tokenizer.json. */
static int read_merges(const struct convert *c, json_t **out)
{
    char *text;
    size_t n;
    int rc = convert_read_file(c, "merges.txt", &text, &n);
    json_t *list = rc ? NULL : json_array();
    for (char *line = text, *end; list && line && *line; line = end) {
        end = line + strcspn(line, "\n");
        size_t length = (size_t)(end - line);
        end += *end == '\n';
        length -= length && line[length - 1] == '\r';
        if (length && strncmp(line, "#version", 8) &&
            json_array_append_new(list, base_json_text(line, length)))
            rc = no_memory();
    }
    base_free(text);
    *out = list;
    return rc || list ? rc : no_memory();
}

static int add_tokenizer(struct convert *c, json_t *out)
{
    struct tokenizer *t = NULL;
    json_t *root = NULL, *model, *listed = NULL;
    char *text = NULL, *pre = NULL, *other = NULL;
    size_t bytes, unused;
    bool pair = false, binary = false;
    int rc = convert_read_file(c, "tokenizer.json", &text, &bytes);
    bool json = !rc && text;
    if (!rc && !json && !(rc = convert_read_file(c, "vocab.json", &other, &unused))) {
        pair = other != NULL;
        base_free(other);
        if (!(rc = convert_read_file(c, "tokenizer.model", &other, &unused)))
            binary = other != NULL;
        base_free(other);
    }
    if (rc)
        goto out;
    if (!json && !pair && !binary) {
        if (!(rc = add(out, "tokenizer.ggml.model", "string", json_string("none"))))
            rc = convert_remark(c, "the directory has no tokenizer: the GGUF takes ids only");
        if (!rc && json_object_set_new(c->report, "tokenizer", json_string("none")))
            rc = no_memory();
        goto out;
    }
    if ((rc = tokenizer_load(&t, c->src)) ||
        (json && (rc = base_json_parse(&root, text, bytes, "tokenizer.json"))))
        goto out;
    model = json_object_get(root, "model");
    const char *kind = tokenizer_kind(t);
    bool unigram = !strcmp(kind, "unigram");
    if ((!unigram && strcmp(kind, "bpe")) || (!json && !pair)) {
        rc = convert_remark(
            c, "a %s tokenizer%s has no form in GGUF that Assay writes: the GGUF takes ids only",
            kind, json ? "" : " in tokenizer.model alone");
        if (!rc)
            rc = add(out, "tokenizer.ggml.model", "string", json_string("none"));
        goto out;
    }
    pre = root ? base_json_dump(json_object_get(root, "pre_tokenizer"), false) : NULL;
    bool byte_level = !unigram && (!root || (pre && strstr(pre, "\"ByteLevel\"")));
    if (!rc && (rc = add(out, "tokenizer.ggml.model", "string",
                         json_string(unigram      ? "t5"
                                     : byte_level ? "gpt2"
                                                  : "llama"))))
        goto out;
    if (byte_level && (rc = add(out, "tokenizer.ggml.pre", "string", json_string(split_name(pre)))))
        goto out;
    if ((rc = add_pieces(out, t, c->config.vocabulary, !byte_level)))
        goto out;
    mark_added(out, root);
    if (byte_level) {
        if (!root && (rc = read_merges(c, &listed)))
            goto out;
        rc = add_merges(out, root ? json_object_get(model, "merges") : listed);
    } else {
        rc = add_scores(out, t, model);
    }
    if (rc || (rc = add_id(out, "tokenizer.ggml.bos_token_id", tokenizer_bos(t))) ||
        (rc = add_id(out, "tokenizer.ggml.eos_token_id", tokenizer_eos(t))) ||
        (rc = add_id(out, "tokenizer.ggml.unknown_token_id", tokenizer_unk(t))) ||
        (rc = add_id(out, "tokenizer.ggml.padding_token_id", tokenizer_pad(t))) ||
        (rc = add_switches(out, t, !byte_level)))
        goto out;
    const char *chat = tokenizer_chat_template(t);
    if (chat && (rc = add_text(out, "tokenizer.chat_template", chat, strlen(chat))))
        goto out;
    rc = keep_file(c, out, "tokenizer.json", "tokenizer.huggingface.json");
    if (!rc && json_object_set_new(c->report, "tokenizer", json_string("written")))
        rc = no_memory();
out:
    tokenizer_free(t);
    json_decref(root);
    json_decref(listed);
    base_free(text);
    base_free(pre);
    return rc;
}

/* ---- what the way back needs ---- */

/* A stored head that a tied model does not use and that is no repetition of another tensor: it is
 * lost. */
static bool is_stray_head(const struct model_archive *a, const struct model_tensor *t)
{
    if (strcmp(t->name, "lm_head.weight") && strcmp(t->name, "embed_out.weight"))
        return false;
    size_t others = 0;
    for (size_t i = 0; i < model_archive_count(a); i++) {
        const struct model_tensor *o = model_archive_at(a, i);
        if (o == t || o->dtype != t->dtype || o->bytes != t->bytes)
            continue;
        others++;
        if (!memcmp(o->data, t->data, t->bytes))
            return false;
    }
    return others > 0; /* alone it is the embedding, by an alias */
}

static int add_way_back(struct convert *c, json_t *out)
{
    static const char *const kept[] = { "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "generation_config.json",
                                        "added_tokens.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "chat_template.jinja" };
    struct base_buffer b = { 0 };
    int rc = keep_file(c, out, "config.json", "assay.config");
    for (size_t i = 0; i < model_archive_count(c->archive) && !rc; i++) {
        const struct model_tensor *t = model_archive_at(c->archive, i);
        if (c->config.tied && is_stray_head(c->archive, t))
            continue;
        rc = base_buffer_printf(&b, "%s %s\n", t->name, tensor_dtype_describe(t->dtype)->name);
    }
    if (!rc)
        rc = add_text(out, "assay.hf.tensors", b.data ? b.data : "", b.length);
    if (!rc && model_archive_format(c->archive) == MODEL_SAFETENSORS) {
        char *text = base_json_dump(model_archive_metadata(c->archive), false);
        rc = text ? add_text(out, "assay.hf.metadata", text, strlen(text)) : no_memory();
        base_free(text);
    }
    for (size_t i = 0; i < sizeof kept / sizeof *kept && !rc; i++) {
        char key[64];
        snprintf(key, sizeof key, "assay.file.%s", kept[i]);
        rc = keep_file(c, out, kept[i], key);
    }
    base_buffer_free(&b);
    return rc;
}

int convert_gguf_metadata(struct convert *c, enum tensor_dtype file_type, json_t **out)
{
    json_t *m = json_object();
    const char *name = base_path_name(c->src);
    int type = file_type == TENSOR_F16    ? 1
               : file_type == TENSOR_BF16 ? 32
               : file_type == TENSOR_Q8_0 ? 7
                                          : 0;
    int rc = m ? 0 : no_memory();
    if (!rc &&
        !(rc = add(m, "general.architecture", "string",
                   json_string(convert_gguf_name(&c->config)))) &&
        !(rc = add_text(m, "general.name", name, strlen(name))) &&
        !(rc = add(m, "general.type", "string", json_string("model"))) &&
        !(rc = add(m, "general.file_type", "u32", json_integer(type))) &&
        !(file_type == TENSOR_Q8_0 &&
          (rc = add(m, "general.quantization_version", "u32", json_integer(2)))) &&
        !(rc = add_architecture(m, &c->config, c->config_json)) && !(rc = add_tokenizer(c, m)))
        rc = add_way_back(c, m);
    if (rc)
        json_decref(m);
    else
        *out = m;
    return rc;
}

int convert_check_tokenizer(struct convert *c)
{
    static const char sample[] =
        "Hello, world! It's 12345 o'clock; they'll pay $3.50 (50%).\n\n\tA  b   c\r\n"
        "na\xc3\xafve caf\xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd "
        "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 "
        "\xf0\x9f\x98\x80 def f(x):\n    return x**2  # HTTPServer_v2";
    struct tokenizer *a = NULL, *b = NULL;
    struct tokenizer_encoding x = { 0 }, y = { 0 };
    int rc = 0;
    const char *made = json_string_value(json_object_get(c->report, "tokenizer"));
    if (!made || strcmp(made, "written"))
        return 0;
    if (tokenizer_load(&a, c->src) || tokenizer_load(&b, c->dst) ||
        tokenizer_encode(a, sample, sizeof sample - 1, NULL, &x) ||
        tokenizer_encode(b, sample, sizeof sample - 1, NULL, &y))
        rc = convert_remark(c, "the vocabulary cannot be read back: %s", base_error_message());
    else if (x.count != y.count || memcmp(x.ids, y.ids, x.count * sizeof *x.ids))
        rc = convert_remark(c, "the two tokenizers split some text differently");
    tokenizer_encoding_free(&x);
    tokenizer_encoding_free(&y);
    tokenizer_free(a);
    tokenizer_free(b);
    return rc;
}
