/* The small parts of tokenizer.json (normalizer, pre_tokenizer, decoder, post_processor) from their
 * JSON values to the tokenizer's lists. Sequences become flat lists, so nothing nests at run time.
 * A type or setting that is not known is an error that names it: a tokenizer that is read half is
 * worse than none. */
#include "model/tokenizer_private.h"

#define MAX_DEPTH 16
#define MAX_PARTS 256

static const char *type_of(const json_t *value)
{
    const char *type = json_string_value(json_object_get(value, "type"));
    return type ? type : "";
}

static int too_deep(const char *name, const char *what)
{
    return base_error_set(BASE_E_LIMIT, "%s: %s: nested deeper than %d", name, what, MAX_DEPTH);
}

static int unknown_type(const char *name, const char *what, const json_t *value)
{
    return base_error_set(BASE_E_UNSUPPORTED, "%s: %s of type \"%s\" is not supported", name, what,
                          type_of(value));
}

/* A string member into *text, *n (borrowed). */
static int string_member(const json_t *object, const char *key, const char *name, const char **text,
                         size_t *n)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return base_error_set(BASE_E_FORMAT, "%s: %s: %s: expected a string", name, type_of(object),
                              key);
    *text = json_string_value(value);
    *n = json_string_length(value);
    return 0;
}

/* {"String": ".."} or {"Regex": ".."}. */
static int build_pattern(struct tokenizer_pattern *p, const json_t *object, const char *name)
{
    const json_t *pattern = json_object_get(object, "pattern");
    const json_t *literal = json_object_get(pattern, "String");
    const json_t *regex = json_object_get(pattern, "Regex");
    if (json_is_string(pattern))
        literal = pattern;
    if (json_is_string(literal))
        return tokenizer_pattern_literal(p, json_string_value(literal),
                                         json_string_length(literal));
    if (json_is_string(regex))
        return tokenizer_pattern_regex(p, json_string_value(regex), json_string_length(regex),
                                       name);
    return base_error_set(BASE_E_FORMAT,
                          "%s: %s: pattern: expected {\"String\": ..} or "
                          "{\"Regex\": ..}",
                          name, type_of(object));
}

/* ---- normalizer ------------------------------------------------------------------------------ */

static int normalizer_simple(struct tokenizer *t, enum tokenizer_normalizer_kind kind)
{
    struct tokenizer_normalizer *n;
    int rc = tokenizer_normalizer_add(t, &n);
    if (!rc)
        n->kind = kind;
    return rc;
}

static int normalizer_bert(struct tokenizer *t, const json_t *value, const char *name)
{
    bool clean = true, chinese = true, lower = true;
    int rc = base_json_get_bool(value, "clean_text", name, false, &clean);
    if (!rc)
        rc = base_json_get_bool(value, "handle_chinese_chars", name, false, &chinese);
    if (!rc)
        rc = base_json_get_bool(value, "lowercase", name, false, &lower);
    bool accents = lower; /* null means: with lower case */
    if (!rc)
        rc = base_json_get_bool(value, "strip_accents", name, false, &accents);
    if (!rc && clean)
        rc = normalizer_simple(t, NORMALIZE_BERT_CLEAN);
    if (!rc && chinese)
        rc = normalizer_simple(t, NORMALIZE_BERT_CHINESE);
    if (!rc && accents)
        rc = normalizer_simple(t, NORMALIZE_NFD);
    if (!rc && accents)
        rc = normalizer_simple(t, NORMALIZE_STRIP_MN);
    if (!rc && lower)
        rc = normalizer_simple(t, NORMALIZE_LOWERCASE);
    return rc;
}

static int normalizer_charsmap(struct tokenizer *t, const json_t *value, const char *name)
{
    const json_t *text = json_object_get(value, "precompiled_charsmap");
    if (json_is_null(text))
        return 0;
    const char *encoded;
    size_t n, bytes;
    int rc = string_member(value, "precompiled_charsmap", name, &encoded, &n);
    if (rc || n == 0)
        return rc;
    void *blob;
    rc = tokenizer_base64(encoded, n, &blob, &bytes, name);
    if (rc)
        return rc;
    struct tokenizer_normalizer *step;
    rc = tokenizer_normalizer_add(t, &step);
    if (!rc) {
        step->kind = NORMALIZE_CHARSMAP;
        step->graphemes = true;
        rc = tokenizer_charsmap_new(&step->map, blob, bytes, name);
    }
    base_free(blob);
    return rc;
}

int tokenizer_build_normalizer(struct tokenizer *t, const json_t *value, const char *name,
                               int depth)
{
    static const struct {
        const char *type;
        enum tokenizer_normalizer_kind kind;
    } simple[] = {
        { "NFC", NORMALIZE_NFC },
        { "NFD", NORMALIZE_NFD },
        { "NFKC", NORMALIZE_NFKC },
        { "NFKD", NORMALIZE_NFKD },
        { "Lowercase", NORMALIZE_LOWERCASE },
        { "StripAccents", NORMALIZE_STRIP_ACCENTS },
        { "Nmt", NORMALIZE_NMT },
        { "ByteLevel", NORMALIZE_BYTES },
    };
    if (!value || json_is_null(value))
        return 0;
    if (depth > MAX_DEPTH || t->normalizer_count > MAX_PARTS)
        return too_deep(name, "normalizer");
    const char *type = type_of(value);
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
        if (strcmp(type, simple[i].type) == 0)
            return normalizer_simple(t, simple[i].kind);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(value, "normalizers"), *item;
        size_t i;
        if (!json_is_array(list))
            return base_error_set(BASE_E_FORMAT, "%s: normalizers: expected an array", name);
        json_array_foreach(list, i, item)
        {
            int rc = tokenizer_build_normalizer(t, item, name, depth + 1);
            if (rc)
                return rc;
        }
        return 0;
    }
    if (strcmp(type, "BertNormalizer") == 0)
        return normalizer_bert(t, value, name);
    if (strcmp(type, "Precompiled") == 0)
        return normalizer_charsmap(t, value, name);

    struct tokenizer_normalizer *n;
    const char *content;
    bool prepend = strcmp(type, "Prepend") == 0;
    int rc;
    if (strcmp(type, "Strip") == 0) {
        rc = tokenizer_normalizer_add(t, &n);
        if (rc)
            return rc;
        n->kind = NORMALIZE_STRIP;
        n->left = n->right = true;
        rc = base_json_get_bool(value, "strip_left", name, false, &n->left);
        return rc ? rc : base_json_get_bool(value, "strip_right", name, false, &n->right);
    }
    if (!prepend && strcmp(type, "Replace") != 0)
        return unknown_type(name, "normalizer", value);
    rc = tokenizer_normalizer_add(t, &n);
    if (rc)
        return rc;
    n->kind = prepend ? NORMALIZE_PREPEND : NORMALIZE_REPLACE;
    rc = string_member(value, prepend ? "prepend" : "content", name, &content, &n->n);
    if (rc)
        return rc;
    n->content = base_strndup(content, n->n);
    if (!n->content)
        return BASE_E_MEMORY;
    return prepend ? 0 : build_pattern(&n->pattern, value, name);
}

/* ---- pre_tokenizer --------------------------------------------------------------------------- */

static int behavior_of(const json_t *value, const char *name, enum tokenizer_behavior *out)
{
    static const char *const names[] = { "Removed", "Isolated", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous" };
    const char *text = NULL;
    int rc = base_json_get_string(value, "behavior", name, false, &text);
    for (int i = 0; i < 5 && text; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum tokenizer_behavior)i;
            return rc;
        }
    if (!rc && text)
        rc = base_error_set(BASE_E_UNSUPPORTED, "%s: behavior \"%s\" is not known", name, text);
    return rc;
}

static int step_class(struct tokenizer *t, enum tokenizer_class class,
                      enum tokenizer_behavior behavior, struct tokenizer_step **out)
{
    int rc = tokenizer_step_add(t, out);
    if (rc)
        return rc;
    (*out)->kind = STEP_CLASS;
    (*out)->class = class;
    (*out)->behavior = behavior;
    return 0;
}

static int prefix_scheme(const json_t *value, const char *name, int *out)
{
    const char *scheme = NULL;
    bool add = true;
    int rc = base_json_get_string(value, "prepend_scheme", name, false, &scheme);
    if (!rc)
        rc = base_json_get_bool(value, "add_prefix_space", name, false, &add);
    if (rc)
        return rc;
    *out = add ? PREFIX_ALWAYS : PREFIX_NEVER;
    if (!scheme)
        return 0;
    if (strcmp(scheme, "always") == 0)
        *out = PREFIX_ALWAYS;
    else if (strcmp(scheme, "first") == 0)
        *out = PREFIX_FIRST;
    else if (strcmp(scheme, "never") == 0)
        *out = PREFIX_NEVER;
    else
        return base_error_set(BASE_E_UNSUPPORTED, "%s: prepend_scheme \"%s\" is not known", name,
                              scheme);
    return 0;
}

/* The visible space of a Metaspace part, one character. */
static int replacement_of(const json_t *value, const char *name, const char **text, size_t *n,
                          uint32_t *code)
{
    *text = TOKENIZER_SPACE;
    *n = strlen(TOKENIZER_SPACE);
    if (json_object_get(value, "replacement")) {
        int rc = string_member(value, "replacement", name, text, n);
        if (rc)
            return rc;
    }
    if (*n == 0 || tokenizer_char(*text, *n, code) != *n)
        return base_error_set(BASE_E_FORMAT, "%s: Metaspace: replacement: expected one character",
                              name);
    return 0;
}

static int steps_metaspace(struct tokenizer *t, const json_t *value, const char *name)
{
    struct tokenizer_step *step;
    const char *mark;
    size_t n;
    uint32_t code;
    int scheme;
    bool split = true;
    int rc = replacement_of(value, name, &mark, &n, &code);
    if (!rc)
        rc = prefix_scheme(value, name, &scheme);
    if (!rc)
        rc = base_json_get_bool(value, "split", name, false, &split);
    if (!rc)
        rc = tokenizer_step_add(t, &step);
    if (rc)
        return rc;
    step->kind = STEP_METASPACE;
    step->code = code;
    step->prefix = scheme;
    if (!split)
        return 0;
    rc = tokenizer_step_add(t, &step);
    if (rc)
        return rc;
    step->kind = STEP_SPLIT;
    step->behavior = BEHAVIOR_MERGED_WITH_NEXT;
    return tokenizer_pattern_literal(&step->pattern, mark, n);
}

static int steps_split(struct tokenizer *t, const json_t *value, const char *name)
{
    struct tokenizer_step *step;
    int rc = tokenizer_step_add(t, &step);
    if (rc)
        return rc;
    step->kind = STEP_SPLIT;
    step->behavior = BEHAVIOR_ISOLATED;
    rc = behavior_of(value, name, &step->behavior);
    if (!rc)
        rc = base_json_get_bool(value, "invert", name, false, &step->invert);
    return rc ? rc : build_pattern(&step->pattern, value, name);
}

static int steps_small(struct tokenizer *t, const json_t *value, const char *name)
{
    const char *type = type_of(value);
    struct tokenizer_step *step;
    int rc;
    if (strcmp(type, "Digits") == 0) {
        bool individual = false;
        rc = base_json_get_bool(value, "individual_digits", name, false, &individual);
        return rc ? rc
                  : step_class(t, CLASS_NUMERIC,
                               individual ? BEHAVIOR_ISOLATED : BEHAVIOR_CONTIGUOUS, &step);
    }
    if (strcmp(type, "Punctuation") == 0) {
        enum tokenizer_behavior behavior = BEHAVIOR_ISOLATED;
        rc = behavior_of(value, name, &behavior);
        return rc ? rc : step_class(t, CLASS_PUNCTUATION, behavior, &step);
    }
    if (strcmp(type, "WhitespaceSplit") == 0)
        return step_class(t, CLASS_SPACE, BEHAVIOR_REMOVED, &step);
    if (strcmp(type, "BertPreTokenizer") == 0) {
        rc = step_class(t, CLASS_SPACE, BEHAVIOR_REMOVED, &step);
        return rc ? rc : step_class(t, CLASS_PUNCTUATION, BEHAVIOR_ISOLATED, &step);
    }
    if (strcmp(type, "Whitespace") == 0) {
        rc = tokenizer_step_add(t, &step);
        if (rc)
            return rc;
        step->kind = STEP_SPLIT;
        step->behavior = BEHAVIOR_REMOVED; /* of what lies between the matches */
        step->invert = true;
        static const char words[] = "\\w+|[^\\w\\s]+";
        return tokenizer_pattern_regex(&step->pattern, words, sizeof words - 1, name);
    }
    if (strcmp(type, "CharDelimiterSplit") == 0) {
        const char *text;
        size_t n;
        uint32_t code;
        rc = string_member(value, "delimiter", name, &text, &n);
        if (rc)
            return rc;
        if (n == 0 || tokenizer_char(text, n, &code) != n)
            return base_error_set(BASE_E_FORMAT, "%s: CharDelimiterSplit: expected one character",
                                  name);
        rc = step_class(t, CLASS_CHARACTER, BEHAVIOR_REMOVED, &step);
        if (!rc)
            step->code = code;
        return rc;
    }
    if (strcmp(type, "FixedLength") == 0) {
        int64_t length = 5;
        rc = base_json_get_int(value, "length", name, false, &length);
        if (!rc && (length < 1 || length > 1 << 20))
            rc = base_error_set(BASE_E_FORMAT, "%s: FixedLength: length %lld", name,
                                (long long)length);
        if (!rc)
            rc = tokenizer_step_add(t, &step);
        if (!rc) {
            step->kind = STEP_FIXED;
            step->length = (size_t)length;
        }
        return rc;
    }
    return unknown_type(name, "pre_tokenizer", value);
}

int tokenizer_build_steps(struct tokenizer *t, const json_t *value, const char *name, int depth)
{
    if (!value || json_is_null(value))
        return 0;
    if (depth > MAX_DEPTH || t->step_count > MAX_PARTS)
        return too_deep(name, "pre_tokenizer");
    const char *type = type_of(value);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(value, "pretokenizers"), *item;
        size_t i;
        if (!json_is_array(list))
            return base_error_set(BASE_E_FORMAT, "%s: pretokenizers: expected an array", name);
        json_array_foreach(list, i, item)
        {
            int rc = tokenizer_build_steps(t, item, name, depth + 1);
            if (rc)
                return rc;
        }
        return 0;
    }
    if (strcmp(type, "Metaspace") == 0)
        return steps_metaspace(t, value, name);
    if (strcmp(type, "Split") == 0)
        return steps_split(t, value, name);
    if (strcmp(type, "ByteLevel") == 0) {
        static const char *const gpt2[] = { tokenizer_pattern_gpt2, NULL };
        bool prefix = true, regex = true;
        int rc = base_json_get_bool(value, "add_prefix_space", name, false, &prefix);
        if (!rc)
            rc = base_json_get_bool(value, "use_regex", name, false, &regex);
        return rc ? rc : tokenizer_use_byte_level(t, regex ? gpt2 : NULL, prefix);
    }
    return steps_small(t, value, name);
}

/* ---- decoder --------------------------------------------------------------------------------- */

static int stage_content(struct tokenizer_stage *s, const char *text, size_t n)
{
    s->content = base_strndup(text, n);
    s->n = n;
    return s->content ? 0 : BASE_E_MEMORY;
}

int tokenizer_build_stages(struct tokenizer *t, const json_t *value, const char *name, int depth)
{
    struct tokenizer_stage *s;
    const char *text;
    size_t n;
    int rc;
    if (depth > MAX_DEPTH || t->stage_count > MAX_PARTS)
        return too_deep(name, "decoder");
    if (!value || json_is_null(value)) {
        rc = tokenizer_stage_add(t, &s);
        if (!rc)
            s->kind = STAGE_JOIN;
        return rc;
    }
    const char *type = type_of(value);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(value, "decoders"), *item;
        size_t i;
        if (!json_is_array(list))
            return base_error_set(BASE_E_FORMAT, "%s: decoders: expected an array", name);
        json_array_foreach(list, i, item)
        {
            rc = json_is_object(item) ? tokenizer_build_stages(t, item, name, depth + 1)
                                      : unknown_type(name, "decoder", item);
            if (rc)
                return rc;
        }
        return 0;
    }
    rc = tokenizer_stage_add(t, &s);
    if (rc)
        return rc;
    if (strcmp(type, "ByteLevel") == 0) {
        s->kind = STAGE_BYTE_LEVEL;
    } else if (strcmp(type, "ByteFallback") == 0) {
        s->kind = STAGE_BYTE_FALLBACK;
    } else if (strcmp(type, "Fuse") == 0) {
        s->kind = STAGE_FUSE;
    } else if (strcmp(type, "Strip") == 0) {
        int64_t start = 0, stop = 0;
        s->kind = STAGE_STRIP;
        rc = string_member(value, "content", name, &text, &n);
        if (!rc)
            rc = base_json_get_int(value, "start", name, false, &start);
        if (!rc)
            rc = base_json_get_int(value, "stop", name, false, &stop);
        if (!rc && (start < 0 || stop < 0 || start > 1 << 20 || stop > 1 << 20))
            rc = base_error_set(BASE_E_FORMAT, "%s: decoder Strip: start %lld, stop %lld", name,
                                (long long)start, (long long)stop);
        if (rc)
            return rc;
        s->start = (size_t)start;
        s->stop = (size_t)stop;
        return stage_content(s, text, n);
    } else if (strcmp(type, "Replace") == 0) {
        s->kind = STAGE_REPLACE;
        rc = string_member(value, "content", name, &text, &n);
        if (!rc)
            rc = stage_content(s, text, n);
        return rc ? rc : build_pattern(&s->pattern, value, name);
    } else if (strcmp(type, "Metaspace") == 0) {
        uint32_t code;
        int scheme;
        s->kind = STAGE_METASPACE;
        rc = replacement_of(value, name, &text, &n, &code);
        if (!rc)
            rc = prefix_scheme(value, name, &scheme);
        if (rc)
            return rc;
        s->prefix = scheme != PREFIX_NEVER;
        return stage_content(s, text, n);
    } else if (strcmp(type, "WordPiece") == 0) {
        s->kind = STAGE_WORDPIECE;
        s->cleanup = true;
        rc = base_json_get_bool(value, "cleanup", name, false, &s->cleanup);
        text = "##", n = 2;
        if (!rc && json_object_get(value, "prefix"))
            rc = string_member(value, "prefix", name, &text, &n);
        return rc ? rc : stage_content(s, text, n);
    } else if (strcmp(type, "BPEDecoder") == 0) {
        s->kind = STAGE_SUFFIX;
        text = "</w>", n = 4;
        if (json_object_get(value, "suffix"))
            rc = string_member(value, "suffix", name, &text, &n);
        return rc ? rc : stage_content(s, text, n);
    } else {
        return unknown_type(name, "decoder", value);
    }
    return 0;
}

/* ---- post_processor -------------------------------------------------------------------------- */

/* ["[SEP]", 102]: the id of BERT's and RoBERTa's processors. */
static int pair_id(struct tokenizer *t, const json_t *value, const char *key, const char *name,
                   int32_t *out)
{
    json_int_t id = json_integer_value(json_array_get(json_object_get(value, key), 1));
    if (id < 0 ||
        !tokenizer_vocabulary_piece(&t->vocabulary,
                                    id < (json_int_t)t->vocabulary.count ? (int32_t)id : -1, NULL))
        return base_error_set(BASE_E_FORMAT,
                              "%s: post_processor: %s: id %lld is not in the vocabulary", name, key,
                              (long long)id);
    *out = (int32_t)id;
    return 0;
}

static int template_single(struct tokenizer *t, const json_t *value, const char *name)
{
    const json_t *single = json_object_get(value, "single"), *item;
    const json_t *special = json_object_get(value, "special_tokens");
    bool behind = false;
    size_t i;
    if (!json_is_array(single))
        return base_error_set(BASE_E_FORMAT, "%s: TemplateProcessing: single: expected an array",
                              name);
    json_array_foreach(single, i, item)
    {
        if (json_object_get(item, "Sequence")) {
            if (behind)
                return base_error_set(BASE_E_UNSUPPORTED,
                                      "%s: TemplateProcessing: the text stands twice", name);
            behind = true;
            continue;
        }
        const char *token =
            json_string_value(json_object_get(json_object_get(item, "SpecialToken"), "id"));
        const json_t *ids = token ? json_object_get(json_object_get(special, token), "ids") : NULL,
                     *id;
        size_t j;
        if (!json_is_array(ids))
            return base_error_set(BASE_E_FORMAT,
                                  "%s: TemplateProcessing: item %zu has no entry in special_tokens",
                                  name, i);
        json_array_foreach(ids, j, id)
        {
            json_int_t n = json_integer_value(id);
            if (!json_is_integer(id) || n < 0 || n > INT32_MAX ||
                !tokenizer_vocabulary_piece(&t->vocabulary, (int32_t)n, NULL))
                return base_error_set(BASE_E_FORMAT,
                                      "%s: TemplateProcessing: \"%s\": id not in the vocabulary",
                                      name, token);
            int rc = behind ? tokenizer_template_add(&t->after, &t->after_count, (int32_t)n)
                            : tokenizer_template_add(&t->before, &t->before_count, (int32_t)n);
            if (rc)
                return rc;
        }
    }
    return 0;
}

int tokenizer_build_template(struct tokenizer *t, const json_t *value, const char *name, int depth)
{
    if (!value || json_is_null(value))
        return 0;
    if (depth > MAX_DEPTH || t->before_count + t->after_count > MAX_PARTS)
        return too_deep(name, "post_processor");
    const char *type = type_of(value);
    if (strcmp(type, "ByteLevel") == 0)
        return 0; /* trims offsets in Hugging Face's library; ours always cover the whole source */
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(value, "processors"), *item;
        size_t i;
        if (!json_is_array(list))
            return base_error_set(BASE_E_FORMAT, "%s: processors: expected an array", name);
        json_array_foreach(list, i, item)
        {
            int rc = tokenizer_build_template(t, item, name, depth + 1);
            if (rc)
                return rc;
        }
        return 0;
    }
    if (strcmp(type, "TemplateProcessing") == 0)
        return template_single(t, value, name);
    if (strcmp(type, "BertProcessing") != 0 && strcmp(type, "RobertaProcessing") != 0)
        return unknown_type(name, "post_processor", value);
    int32_t cls, sep;
    int rc = pair_id(t, value, "cls", name, &cls);
    if (!rc)
        rc = pair_id(t, value, "sep", name, &sep);
    if (!rc)
        rc = tokenizer_template_add(&t->before, &t->before_count, cls);
    return rc ? rc : tokenizer_template_add(&t->after, &t->after_count, sep);
}
