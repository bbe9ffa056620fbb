/* From a GGUF vocabulary to Hugging Face's tokenizer.json and tokenizer_config.json.
 *
 * Byte-level BPE ("gpt2"): the merges are in the file; the split pattern's name stands for regular
 * expressions, each a Split step. SentencePiece BPE ("llama"): the file has scores instead of
 * merges. The merge (l, r) exists for every piece l r whose halves are pieces; its rank follows the
 * score of l r, highest first, longer left halves first on ties: SentencePiece merges the
 * best-scored pair first. */
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/convert_private.h"
#include "model/tokenizer_private.h"
#include <stdlib.h>
#include <string.h>

#define BLANK "\xe2\x96\x81" /* U+2581, SentencePiece's blank */

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER = 4, UNUSED = 5 };

struct vocabulary {
    const struct model_archive *archive;
    const struct model_array *tokens, *types, *scores, *merges;
    const char *model;
    int64_t bos, eos, pad, unk; /* -1 = none */
    bool add_bos, add_eos, prefix;
};

static int no_memory(void)
{
    return base_error_set(BASE_E_MEMORY, "out of memory for tokenizer.json");
}

static int64_t id_of(const struct vocabulary *v, const char *key)
{
    const json_t *id = json_object_get(model_archive_metadata(v->archive), key);
    int64_t value = json_is_integer(id) ? json_integer_value(id) : -1;
    return value >= 0 && (size_t)value < model_array_count(v->tokens) ? value : -1;
}

static bool flag(const struct vocabulary *v, const char *key, bool otherwise)
{
    const json_t *f = json_object_get(model_archive_metadata(v->archive), key);
    return json_is_boolean(f) ? json_is_true(f) : otherwise;
}

/* The piece of an id as a JSON string, null for -1. New reference. */
static json_t *piece_json(const struct vocabulary *v, int64_t id)
{
    size_t n;
    const char *s = id < 0 ? NULL : model_array_string(v->tokens, (size_t)id, &n);
    return s ? base_json_text(s, n) : json_null();
}

static int64_t type_of(const struct vocabulary *v, size_t i)
{
    return v->types && i < model_array_count(v->types) ? model_array_int(v->types, i) : NORMAL;
}

/* {piece: id} and the list of added tokens. */
static int pieces(const struct vocabulary *v, json_t *vocab, json_t *added)
{
    for (size_t i = 0; i < model_array_count(v->tokens); i++) {
        int64_t type = type_of(v, i);
        size_t n;
        const char *s = model_array_string(v->tokens, i, &n);
        if (!s || type == UNUSED)
            continue;
        json_t *name = base_json_text(s, n);
        int failed = !name || json_object_setn_new_nocheck(vocab, json_string_value(name),
                                                           json_string_length(name),
                                                           json_integer((json_int_t)i));
        if (!failed && (type == CONTROL || type == USER || type == UNKNOWN))
            failed = json_array_append_new(
                added, json_pack("{s:i, s:O, s:b, s:b, s:b, s:b, s:b}", "id", (int)i, "content",
                                 name, "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0,
                                 "special", type != USER));
        json_decref(name);
        if (failed)
            return no_memory();
    }
    return 0;
}

struct merge {
    const char *piece;
    size_t left, bytes; /* the left half's bytes, the whole's */
    double score;
};

static int compare_merges(const void *a, const void *b)
{
    const struct merge *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->left != y->left)
        return x->left > y->left ? -1 : 1;
    size_t n = x->bytes < y->bytes ? x->bytes : y->bytes;
    int order = memcmp(x->piece, y->piece, n);
    return order ? order : x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int merges_of_scores(const struct vocabulary *v, json_t *out)
{
    struct base_table *known = NULL;
    struct merge *list = NULL;
    size_t n = 0, room = 0, count = model_array_count(v->tokens), bytes;
    int rc = base_table_new(&known, count);
    for (size_t i = 0; i < count && !rc; i++) {
        const char *s = model_array_string(v->tokens, i, &bytes);
        if (type_of(v, i) == NORMAL && bytes)
            rc = base_table_put(known, s, bytes, (int64_t)i);
    }
    for (size_t i = 0; i < count && !rc; i++) {
        const char *s = model_array_string(v->tokens, i, &bytes);
        if (type_of(v, i) != NORMAL || bytes > 1024)
            continue;
        for (size_t k = 1; k < bytes; k++) {
            if (((unsigned char)s[k] & 0xc0) == 0x80 || !base_table_get(known, s, k) ||
                !base_table_get(known, s + k, bytes - k))
                continue;
            if (n == room) {
                room = room ? 2 * room : 1024;
                struct merge *grown = base_realloc(list, room, sizeof *grown);
                if (!grown) {
                    rc = BASE_E_MEMORY;
                    break;
                }
                list = grown;
            }
            double score = v->scores && i < model_array_count(v->scores)
                               ? model_array_double(v->scores, i)
                               : 0;
            list[n++] = (struct merge){ s, k, bytes, score };
        }
    }
    if (n)
        qsort(list, n, sizeof *list, compare_merges);
    for (size_t i = 0; i < n && !rc; i++) {
        json_t *pair = json_array();
        if (json_array_append_new(out, pair) ||
            json_array_append_new(pair, base_json_text(list[i].piece, list[i].left)) ||
            json_array_append_new(
                pair, base_json_text(list[i].piece + list[i].left, list[i].bytes - list[i].left)))
            rc = no_memory();
    }
    base_free(list);
    base_table_free(known);
    return rc;
}

static int merges_as_stored(const struct vocabulary *v, json_t *out)
{
    for (size_t i = 0; v->merges && i < model_array_count(v->merges); i++) {
        size_t n;
        const char *s = model_array_string(v->merges, i, &n);
        if (!s || json_array_append_new(out, base_json_text(s, n)))
            return no_memory();
    }
    return 0;
}

/* Normaliser, splits, decoder and options of the two kinds of BPE, into root and model. */
static int byte_level(const struct vocabulary *v, json_t *root, json_t *model,
                      const char **unknown_split)
{
    const char *pre = json_string_value(
        json_object_get(model_archive_metadata(v->archive), "tokenizer.ggml.pre"));
    bool ignore_merges = false;
    pre = pre ? pre : "default";
    const char *const *patterns = tokenizer_pattern_gguf(pre, &ignore_merges);
    if (!patterns) {
        *unknown_split = pre;
        return 0;
    }
    json_t *steps = json_array();
    int failed = !steps;
    for (size_t i = 0; patterns[i] && !failed; i++)
        failed = json_array_append_new(steps, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split",
                                                        "pattern", "Regex", patterns[i], "behavior",
                                                        "Isolated", "invert", 0));
    failed = failed || json_array_append_new(steps, json_pack("{s:s, s:b, s:b, s:b}", "type",
                                                              "ByteLevel", "add_prefix_space", 0,
                                                              "trim_offsets", 1, "use_regex", 0));
    if (failed)
        json_decref(steps);
    failed =
        failed ||
        json_object_set_new(root, "pre_tokenizer",
                            json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", steps)) ||
        json_object_set_new(root, "decoder",
                            json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel",
                                      "add_prefix_space", 1, "trim_offsets", 1, "use_regex", 1)) ||
        json_object_set_new(root, "normalizer",
                            strcmp(pre, "qwen2") ? json_null()
                                                 : json_pack("{s:s}", "type", "NFC")) ||
        json_object_set_new(model, "unk_token", json_null()) ||
        json_object_set_new(model, "fuse_unk", json_false()) ||
        json_object_set_new(model, "byte_fallback", json_false()) ||
        json_object_set_new(model, "ignore_merges", json_boolean(ignore_merges));
    return failed ? no_memory() : 0;
}

static int sentencepiece(const struct vocabulary *v, json_t *root, json_t *model)
{
    json_t *normalizers = json_array();
    int failed = !normalizers;
    if (v->prefix)
        failed =
            failed || json_array_append_new(normalizers, json_pack("{s:s, s:s}", "type", "Prepend",
                                                                   "prepend", BLANK));
    failed = failed || json_array_append_new(normalizers,
                                             json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace",
                                                       "pattern", "String", " ", "content", BLANK));
    if (failed)
        json_decref(normalizers);
    json_t *decoders =
        failed ? NULL
               : json_pack("[{s:s, s:{s:s}, s:s}, {s:s}, {s:s}]", "type", "Replace", "pattern",
                           "String", BLANK, "content", " ", "type", "ByteFallback", "type", "Fuse");
    failed = failed ||
             (v->prefix &&
              json_array_append_new(decoders, json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip",
                                                        "content", " ", "start", 1, "stop", 0)));
    failed = json_object_set_new(root, "normalizer",
                                 failed ? NULL
                                        : json_pack("{s:s, s:o}", "type", "Sequence", "normalizers",
                                                    normalizers)) ||
             failed;
    failed =
        json_object_set_new(
            root, "decoder",
            decoders ? json_pack("{s:s, s:o}", "type", "Sequence", "decoders", decoders) : NULL) ||
        failed || json_object_set_new(root, "pre_tokenizer", json_null()) ||
        json_object_set_new(model, "unk_token", piece_json(v, v->unk)) ||
        json_object_set_new(model, "fuse_unk", json_true()) ||
        json_object_set_new(model, "byte_fallback", json_true()) ||
        json_object_set_new(model, "ignore_merges", json_false());
    return failed ? no_memory() : 0;
}

/* TemplateProcessing that puts BOS before and EOS after, as the file asks. */
static json_t *post_processor(const struct vocabulary *v)
{
    bool bos = v->add_bos && v->bos >= 0, eos = v->add_eos && v->eos >= 0;
    if (!bos && !eos)
        return strcmp(v->model, "gpt2")
                   ? json_null()
                   : json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 1,
                               "trim_offsets", 0, "use_regex", 1);
    json_t *specials = json_object(), *forms[2] = { json_array(), json_array() };
    int failed = !specials || !forms[0] || !forms[1];
    for (int which = 0; which < 2 && !failed; which++) {
        int64_t id = which ? v->eos : v->bos;
        if (!(which ? eos : bos))
            continue;
        json_t *name = piece_json(v, id);
        failed = !name || json_object_set_new(specials, json_string_value(name),
                                              json_pack("{s:O, s:[i], s:[O]}", "id", name, "ids",
                                                        (int)id, "tokens", name));
        json_decref(name);
    }
    for (int form = 0; form < 2 && !failed; form++)
        for (int part = 0; part <= form && !failed; part++) {
            if (bos)
                failed = json_array_append_new(forms[form],
                                               json_pack("{s:{s:o, s:i}}", "SpecialToken", "id",
                                                         piece_json(v, v->bos), "type_id", part));
            failed = failed || json_array_append_new(forms[form],
                                                     json_pack("{s:{s:s, s:i}}", "Sequence", "id",
                                                               part ? "B" : "A", "type_id", part));
            if (eos)
                failed = failed ||
                         json_array_append_new(forms[form],
                                               json_pack("{s:{s:o, s:i}}", "SpecialToken", "id",
                                                         piece_json(v, v->eos), "type_id", part));
        }
    json_t *out = failed ? NULL
                         : json_pack("{s:s, s:O, s:O, s:O}", "type", "TemplateProcessing", "single",
                                     forms[0], "pair", forms[1], "special_tokens", specials);
    json_decref(specials);
    json_decref(forms[0]);
    json_decref(forms[1]);
    return out;
}

static int write_json(const char *directory, const char *name, const json_t *value)
{
    char *path = base_path_join(directory, name), *text = base_json_dump(value, true);
    int rc = path && text ? base_file_write(path, text, strlen(text)) : BASE_E_MEMORY;
    base_free(path);
    base_free(text);
    return rc;
}

static int write_config(const struct vocabulary *v, const char *directory)
{
    json_t *o = json_pack("{s:s}", "tokenizer_class", "PreTrainedTokenizerFast");
    const json_t *chat =
        json_object_get(model_archive_metadata(v->archive), "tokenizer.chat_template");
    int failed = !o || json_object_set_new(o, "bos_token", piece_json(v, v->bos)) ||
                 json_object_set_new(o, "eos_token", piece_json(v, v->eos)) ||
                 json_object_set_new(o, "unk_token", piece_json(v, v->unk)) ||
                 json_object_set_new(o, "pad_token", piece_json(v, v->pad)) ||
                 json_object_set_new(o, "add_bos_token", json_boolean(v->add_bos)) ||
                 json_object_set_new(o, "add_eos_token", json_boolean(v->add_eos)) ||
                 (json_is_string(chat) && json_object_set(o, "chat_template", (json_t *)chat));
    int rc = failed ? no_memory() : write_json(directory, "tokenizer_config.json", o);
    json_decref(o);
    return rc;
}

int convert_write_tokenizer(struct convert *c, bool *written)
{
    const json_t *metadata = model_archive_metadata(c->archive);
    struct vocabulary v = { .archive = c->archive,
                            .tokens = model_archive_array(c->archive, "tokenizer.ggml.tokens"),
                            .types = model_archive_array(c->archive, "tokenizer.ggml.token_type"),
                            .scores = model_archive_array(c->archive, "tokenizer.ggml.scores"),
                            .merges = model_archive_array(c->archive, "tokenizer.ggml.merges"),
                            .model = json_string_value(
                                json_object_get(metadata, "tokenizer.ggml.model")) };
    const char *unknown_split = NULL;
    *written = false;
    if (!v.model || !v.tokens || model_array_is_number(v.tokens))
        return 0;
    bool spm = !strcmp(v.model, "llama");
    if ((!spm && strcmp(v.model, "gpt2")) || (spm && !v.scores))
        return convert_remark(
            c,
            "the GGUF's %s vocabulary has no form in tokenizer.json that Assay writes: the "
            "directory works where ids are given",
            spm ? "llama (without scores)" : v.model);
    v.bos = id_of(&v, "tokenizer.ggml.bos_token_id");
    v.eos = id_of(&v, "tokenizer.ggml.eos_token_id");
    v.pad = id_of(&v, "tokenizer.ggml.padding_token_id");
    v.unk = id_of(&v, "tokenizer.ggml.unknown_token_id");
    v.add_bos = flag(&v, "tokenizer.ggml.add_bos_token", spm);
    v.add_eos = flag(&v, "tokenizer.ggml.add_eos_token", false);
    v.prefix = flag(&v, "tokenizer.ggml.add_space_prefix", true);

    json_t *root = json_pack("{s:s, s:n, s:n, s:[], s:n, s:n, s:n, s:n}", "version", "1.0",
                             "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                             "post_processor", "decoder");
    json_t *model =
        json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:{}, s:[]}", "type", "BPE", "dropout",
                  "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
                  "byte_fallback", 0, "ignore_merges", 0, "vocab", "merges");
    int rc = root && model ? 0 : no_memory();
    if (!rc)
        rc = spm ? sentencepiece(&v, root, model) : byte_level(&v, root, model, &unknown_split);
    if (!rc && unknown_split) {
        rc = convert_remark(
            c, "the GGUF's split pattern \"%s\" is not known: no tokenizer.json was written",
            unknown_split);
        goto out;
    }
    if (!rc)
        rc = pieces(&v, json_object_get(model, "vocab"), json_object_get(root, "added_tokens"));
    if (!rc)
        rc = spm ? merges_of_scores(&v, json_object_get(model, "merges"))
                 : merges_as_stored(&v, json_object_get(model, "merges"));
    if (!rc && (json_object_set_new(root, "post_processor", post_processor(&v)) ||
                json_object_set(root, "model", model)))
        rc = no_memory();
    if (!rc)
        rc = write_json(c->dst, "tokenizer.json", root);
    if (!rc)
        rc = write_config(&v, c->dst);
    *written = !rc;
out:
    json_decref(root);
    json_decref(model);
    return rc;
}
