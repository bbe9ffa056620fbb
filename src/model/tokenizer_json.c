/* Reads tokenizer.json.
 *
 * A vocabulary of 50,000 entries and as many merges as a tree of JSON values takes 200 ms to build
 * and free; so the two big members of "model" are read here by a small scanner straight into the
 * tables, and only the rest goes through the JSON library. Members are first located (with a depth
 * limit), then read in the order they need: model, added_tokens, normalizer, pre_tokenizer,
 * decoder, post_processor. */
#include "model/tokenizer_private.h"
#include <stdlib.h>

#define JSON_DEPTH 64

struct scan {
    const char *text;
    size_t n, at;
    const char *name;
};
struct slice {
    const char *text; /* NULL: the member is absent */
    size_t n;
};

static int scan_error(const struct scan *s, const char *expected)
{
    size_t line = 1;
    for (size_t i = 0; i < s->at && i < s->n; i++)
        line += s->text[i] == '\n';
    return base_error_set(BASE_E_FORMAT, "%s:%zu: byte %zu: expected %s, got %s%.*s%s", s->name,
                          line, s->at, expected, s->at < s->n ? "'" : "the end of the text",
                          s->at < s->n ? 1 : 0, s->at < s->n ? s->text + s->at : "",
                          s->at < s->n ? "'" : "");
}

static char scan_peek(struct scan *s)
{
    const char *text = s->text;
    size_t at = s->at, n = s->n;
    while (at < n && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r'))
        at++;
    s->at = at;
    return at < n ? text[at] : 0;
}

static int scan_expect(struct scan *s, char c, const char *what)
{
    if (scan_peek(s) != c || s->at >= s->n)
        return scan_error(s, what);
    s->at++;
    return 0;
}

/* The raw inside of a string (escapes untouched); at stands behind the closing quote. */
static int scan_raw_string(struct scan *s, struct slice *out, bool *escaped)
{
    int rc = scan_expect(s, '"', "a string");
    if (rc)
        return rc;
    const char *text = s->text;
    size_t start = s->at, at = start, n = s->n;
    *escaped = false;
    while (at < n && text[at] != '"') {
        if ((unsigned char)text[at] < 0x20) {
            s->at = at;
            return scan_error(s, "no control character in a string");
        }
        if (text[at] == '\\') {
            *escaped = true;
            at++;
        }
        at++;
    }
    s->at = at < n ? at : n;
    if (at >= n)
        return scan_error(s, "the string's closing '\"'");
    *out = (struct slice){ s->text + start, s->at - start };
    s->at++;
    return 0;
}

static int hex4(const char *s, size_t n, uint32_t *out)
{
    *out = 0;
    if (n < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                            : 16;
        if (d == 16)
            return -1;
        *out = *out * 16 + d;
    }
    return 0;
}

static int unescape(struct scan *s, struct slice raw, struct base_buffer *b)
{
    for (size_t i = 0; i < raw.n;) {
        if (raw.text[i] != '\\') {
            size_t run = i;
            while (run < raw.n && raw.text[run] != '\\')
                run++;
            if (base_buffer_append(b, raw.text + i, run - i))
                return BASE_E_MEMORY;
            i = run;
            continue;
        }
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        char c = i + 1 < raw.n ? raw.text[i + 1] : 0;
        const char *hit = c ? strchr(from, c) : NULL;
        if (hit) {
            if (base_buffer_append(b, &to[hit - from], 1))
                return BASE_E_MEMORY;
            i += 2;
            continue;
        }
        uint32_t code, low;
        if (c != 'u' || hex4(raw.text + i + 2, raw.n - i - 2, &code))
            return scan_error(s, "a valid escape in the string before");
        i += 6;
        if (code >= 0xd800 && code < 0xdc00 && i + 6 <= raw.n && raw.text[i] == '\\' &&
            raw.text[i + 1] == 'u' && hex4(raw.text + i + 2, raw.n - i - 2, &low) == 0 &&
            low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            i += 6;
        }
        if (code >= 0xd800 && code < 0xe000)
            return scan_error(s, "no lone surrogate in the string before");
        char bytes[4];
        if (base_buffer_append(b, bytes, base_utf8_encode(code, bytes)))
            return BASE_E_MEMORY;
    }
    return 0;
}

/* A string; *out points into the text, or into b when it had escapes. */
static int scan_string(struct scan *s, struct base_buffer *b, struct slice *out)
{
    bool escaped;
    int rc = scan_raw_string(s, out, &escaped);
    if (rc)
        return rc;
    for (size_t i = 0; i < out->n; i++)
        if ((unsigned char)out->text[i] >= 0x80) {
            if (base_utf8_invalid(out->text + i, out->n - i) != out->n - i)
                return scan_error(s, "valid UTF-8 in the string before");
            break;
        }
    if (!escaped)
        return 0;
    base_buffer_clear(b);
    rc = unescape(s, *out, b);
    *out = (struct slice){ b->data ? b->data : "", b->length };
    return rc;
}

/* Passes one value. Only strings and brackets are looked at: whoever reads the value checks the
 * rest. */
static int scan_skip(struct scan *s, struct slice *out)
{
    char stack[JSON_DEPTH];
    int depth = 0;
    bool escaped;
    char c = scan_peek(s);
    const char *text = s->text;
    size_t start = s->at, at = start, n = s->n;
    if (c == '"') {
        int rc = scan_raw_string(s, out, &escaped);
        *out = (struct slice){ text + start, s->at - start };
        return rc;
    }
    if (c != '{' && c != '[') { /* number or word */
        while (at < n && text[at] && !strchr(" \t\r\n,:[]{}\"", text[at]))
            at++;
        if (at == start)
            return scan_error(s, "a value");
        *out = (struct slice){ text + start, at - start };
        s->at = at;
        return 0;
    }
    static const bool stop[256] = { ['"'] = 1, ['{'] = 1, ['['] = 1, ['}'] = 1, [']'] = 1 };
    for (; at < n; at++) {
        while (at < n && !stop[(unsigned char)text[at]])
            at++;
        if (at >= n)
            break;
        c = text[at];
        if (c == '"') {
            for (at++; at < n && text[at] != '"'; at++)
                at += text[at] == '\\';
        } else if (c == '{' || c == '[') {
            if (depth == JSON_DEPTH)
                return base_error_set(BASE_E_LIMIT, "%s: byte %zu: nested deeper than %d", s->name,
                                      at, JSON_DEPTH);
            stack[depth++] = c;
        } else if (c == '}' || c == ']') {
            if (stack[depth - 1] != (c == '}' ? '{' : '[')) {
                s->at = at;
                return scan_error(s, "a matching bracket");
            }
            if (--depth == 0)
                break;
        }
    }
    s->at = at < n ? at : n;
    if (at >= n)
        return scan_error(s, "the end of the value");
    s->at = at + 1;
    *out = (struct slice){ text + start, s->at - start };
    return 0;
}

/* The members of an object, those named; the others are only passed. With inner, the first key's
 * value is an object whose members are found in the same go (a long one is then not scanned twice).
 */
struct members {
    const char *const *keys;
    struct slice *values;
    size_t count;
    const struct members *inner;
};
static int scan_members(struct scan *s, const struct members *m)
{
    const char *const *keys = m->keys;
    struct slice *values = m->values;
    size_t count = m->count;
    struct base_buffer b = { 0 };
    int rc = scan_expect(s, '{', "'{'");
    for (size_t i = 0; i < count; i++)
        values[i] = (struct slice){ 0 };
    if (!rc && scan_peek(s) == '}')
        s->at++;
    else
        while (!rc) {
            struct slice key, value;
            rc = scan_string(s, &b, &key);
            size_t which = count;
            for (size_t i = 0; i < count && !rc; i++)
                if (strlen(keys[i]) == key.n && memcmp(keys[i], key.text, key.n) == 0)
                    which = i;
            if (!rc)
                rc = scan_expect(s, ':', "':'");
            if (!rc && which == 0 && m->inner && !values[0].text) {
                scan_peek(s);
                size_t start = s->at;
                rc = scan_members(s, m->inner);
                value = (struct slice){ s->text + start, s->at - start };
            } else if (!rc) {
                rc = scan_skip(s, &value);
            }
            if (rc)
                break;
            if (which < count && values[which].text) {
                rc = base_error_set(BASE_E_FORMAT, "%s: \"%s\" is given twice", s->name,
                                    keys[which]);
                break;
            }
            if (which < count)
                values[which] = value;
            if (scan_peek(s) == '}') {
                s->at++;
                break;
            }
            rc = scan_expect(s, ',', "',' or '}'");
        }
    base_buffer_free(&b);
    return rc;
}

static struct scan scan_inside(const struct scan *whole, struct slice part)
{
    /* positions stay those of the whole text, so messages name the right line */
    struct scan s = *whole;
    s.at = (size_t)(part.text - whole->text);
    s.n = s.at + part.n;
    return s;
}

static int scan_integer(struct scan *s, int64_t *out)
{
    bool negative = scan_peek(s) == '-';
    s->at += negative;
    size_t start = s->at;
    int64_t value = 0;
    while (s->at < s->n && s->text[s->at] >= '0' && s->text[s->at] <= '9' && s->at - start < 18)
        value = value * 10 + (s->text[s->at++] - '0');
    if (s->at == start)
        return scan_error(s, "an integer");
    *out = negative ? -value : value;
    return 0;
}

/* {"piece": id, ...} */
static int read_vocab_object(struct tokenizer *t, struct scan s)
{
    struct base_buffer b = { 0 };
    size_t n = s.n - s.at;
    int rc = tokenizer_vocabulary_reserve(&t->vocabulary, n / 24 + 16, n / 2);
    if (!rc)
        rc = scan_expect(&s, '{', "'{'");
    if (!rc && scan_peek(&s) != '}')
        while (!rc) {
            struct slice piece;
            int64_t id = -1;
            rc = scan_string(&s, &b, &piece);
            if (!rc)
                rc = scan_expect(&s, ':', "':'");
            if (!rc)
                rc = scan_integer(&s, &id);
            if (!rc && id < 0)
                rc = scan_error(&s, "an id of 0 or more");
            if (!rc)
                rc = tokenizer_vocabulary_put(&t->vocabulary, (size_t)id, piece.text, piece.n,
                                              s.name);
            if (rc || scan_peek(&s) == '}')
                break;
            rc = scan_expect(&s, ',', "',' or '}'");
        }
    base_buffer_free(&b);
    return rc;
}

/* [["piece", score], ...] */
static int read_vocab_scores(struct tokenizer *t, struct scan s)
{
    struct base_buffer b = { 0 };
    size_t room = 0, id = 0;
    int rc = scan_expect(&s, '[', "'['");
    if (!rc && scan_peek(&s) != ']')
        while (!rc) {
            struct slice piece, number;
            rc = scan_expect(&s, '[', "'['");
            if (!rc)
                rc = scan_string(&s, &b, &piece);
            if (!rc)
                rc = scan_expect(&s, ',', "','");
            if (!rc)
                rc = tokenizer_vocabulary_put(&t->vocabulary, id, piece.text, piece.n, s.name);
            if (!rc)
                rc = scan_skip(&s, &number);
            if (!rc)
                rc = scan_expect(&s, ']', "']'");
            if (!rc && id >= room) {
                room = room ? room * 2 : 1024;
                double *score = base_realloc(t->unigram.score, room, sizeof *score);
                if (!score)
                    rc = BASE_E_MEMORY;
                else
                    t->unigram.score = score;
            }
            if (rc)
                break;
            char digits[64], *end;
            size_t n = number.n < sizeof digits - 1 ? number.n : sizeof digits - 1;
            memcpy(digits, number.text, n);
            digits[n] = 0;
            t->unigram.score[id++] = strtod(digits, &end);
            if (end == digits || *end)
                rc = scan_error(&s, "a number as the score");
            if (rc || scan_peek(&s) == ']')
                break;
            rc = scan_expect(&s, ',', "',' or ']'");
        }
    base_buffer_free(&b);
    return rc;
}

/* One merge into the table: left and right as texts. */
static int put_merge(struct tokenizer *t, struct slice left, struct slice right, size_t rank,
                     struct base_buffer *joined, const char *name)
{
    const struct tokenizer_vocabulary *v = &t->vocabulary;
    size_t prefix = t->bpe.prefix ? strlen(t->bpe.prefix) : 0;
    int32_t a = tokenizer_vocabulary_find(v, left.text, left.n);
    int32_t b = tokenizer_vocabulary_find(v, right.text, right.n);
    if (right.n < prefix || memcmp(right.text, t->bpe.prefix ? t->bpe.prefix : "", prefix) != 0)
        prefix = 0;
    base_buffer_clear(joined);
    if (base_buffer_append(joined, left.text, left.n) ||
        base_buffer_append(joined, right.text + prefix, right.n - prefix))
        return BASE_E_MEMORY;
    /* merges mostly stand in the order of the pieces that they make: try the next one first */
    size_t n;
    int32_t id = t->bpe.last_merge + 1;
    const char *next = tokenizer_vocabulary_piece(v, id, &n);
    if (!next || n != joined->length || memcmp(next, joined->data, n) != 0)
        id = tokenizer_vocabulary_find(v, joined->data, joined->length);
    t->bpe.last_merge = id;
    if (a < 0 || b < 0 || id < 0) {
        struct slice missing = a < 0   ? left
                               : b < 0 ? right
                                       : (struct slice){ joined->data, joined->length };
        return base_error_set(BASE_E_FORMAT, "%s: merge %zu: \"%.*s\" is not in the vocabulary",
                              name, rank, missing.n > 60 ? 60 : (int)missing.n, missing.text);
    }
    return tokenizer_bpe_merge_put(&t->bpe, a, b, (uint32_t)rank, id);
}

int tokenizer_merge_line(struct tokenizer *t, const char *text, size_t bytes, size_t rank,
                         struct base_buffer *joined, const char *name)
{
    struct slice line = { text, bytes };
    const char *blank = line.n ? memchr(line.text, ' ', line.n) : NULL;
    if (!blank || blank == line.text || blank + 1 == line.text + line.n ||
        memchr(blank + 1, ' ', line.n - (size_t)(blank + 1 - line.text)))
        return base_error_set(BASE_E_FORMAT,
                              "%s: merge %zu: \"%.*s\": expected two pieces and a "
                              "blank between them",
                              name, rank, line.n > 60 ? 60 : (int)line.n, line.text);
    size_t n = (size_t)(blank - line.text);
    return put_merge(t, (struct slice){ line.text, n }, (struct slice){ blank + 1, line.n - n - 1 },
                     rank, joined, name);
}

/* ["a b", ...] or [["a","b"], ...] */
static int read_merges(struct tokenizer *t, struct scan s)
{
    struct base_buffer a = { 0 }, b = { 0 }, joined = { 0 };
    size_t rank = 0;
    int rc = tokenizer_bpe_reserve(&t->bpe, (s.n - s.at) / 16);
    if (!rc)
        rc = scan_expect(&s, '[', "'['");
    if (!rc && scan_peek(&s) != ']')
        while (!rc) {
            struct slice left, right;
            if (scan_peek(&s) == '"') {
                rc = scan_string(&s, &a, &left);
                if (!rc)
                    rc = tokenizer_merge_line(t, left.text, left.n, rank, &joined, s.name);
            } else {
                rc = scan_expect(&s, '[', "'[' or a string");
                if (!rc)
                    rc = scan_string(&s, &a, &left);
                if (!rc)
                    rc = scan_expect(&s, ',', "','");
                if (!rc)
                    rc = scan_string(&s, &b, &right);
                if (!rc)
                    rc = scan_expect(&s, ']', "']'");
                if (!rc)
                    rc = put_merge(t, left, right, rank, &joined, s.name);
            }
            rank++;
            if (rc || scan_peek(&s) == ']')
                break;
            rc = scan_expect(&s, ',', "',' or ']'");
        }
    base_buffer_free(&a);
    base_buffer_free(&b);
    base_buffer_free(&joined);
    return rc;
}

/* The value of a member by the JSON library; absent gives *out NULL. */
static int parse(const struct scan *s, struct slice part, const char *key, json_t **out)
{
    *out = NULL;
    if (!part.text)
        return 0;
    int rc = base_json_parse(out, part.text, part.n, key);
    return rc ? base_error_prefix(rc, "%s", s->name) : 0;
}

/* An object of the members that are there. */
static int members_object(const struct scan *s, const char *const *keys, const struct slice *part,
                          size_t count, json_t **out)
{
    *out = json_object();
    if (!*out)
        return base_error_set(BASE_E_MEMORY, "out of memory");
    for (size_t k = 0; k < count; k++) {
        json_t *value;
        if (!part[k].text)
            continue;
        int rc = parse(s, part[k], keys[k], &value);
        if (rc)
            return rc;
        if (json_object_set_new(*out, keys[k], value))
            return base_error_set(BASE_E_MEMORY, "out of memory");
    }
    return 0;
}

int tokenizer_json_members(const char *text, size_t bytes, const char *const *keys, size_t count,
                           const char *name, json_t **out)
{
    struct scan s = { .text = text ? text : "", .n = bytes, .name = name };
    struct slice part[16];
    *out = NULL;
    if (count > sizeof part / sizeof *part)
        return base_error_set(BASE_E_ARGUMENT, "%s: too many keys", name);
    int rc = scan_members(&s, &(struct members){ keys, part, count, NULL });
    if (!rc)
        rc = members_object(&s, keys, part, count, out);
    if (rc) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

/* ---- model ----------------------------------------------------------------------------------- */

enum {
    M_TYPE,
    M_VOCAB,
    M_MERGES,
    M_UNK,
    M_UNK_ID,
    M_FALLBACK,
    M_FUSE,
    M_IGNORE,
    M_PREFIX,
    M_SUFFIX,
    M_DROPOUT,
    M_MAX,
    M_COUNT
};
static const char *const model_keys[M_COUNT] = {
    "type",
    "vocab",
    "merges",
    "unk_token",
    "unk_id",
    "byte_fallback",
    "fuse_unk",
    "ignore_merges",
    "continuing_subword_prefix",
    "end_of_word_suffix",
    "dropout",
    "max_input_chars_per_word",
};

/* The small members as one object. */
static int model_settings(const struct scan *s, const struct slice *part, json_t **out)
{
    struct slice small[M_COUNT];
    memcpy(small, part, sizeof small);
    small[M_VOCAB].text = small[M_MERGES].text = NULL;
    return members_object(s, model_keys, small, M_COUNT, out);
}

/* unk_token's id, -1 when there is none. */
static int unknown_id(const struct tokenizer *t, const json_t *settings, const char *name,
                      int32_t *out)
{
    const char *token = NULL;
    int rc = base_json_get_string(settings, "unk_token", name, false, &token);
    *out = token ? tokenizer_find(t, token) : -1;
    return rc;
}

static int copy_string(const json_t *settings, const char *key, const char *name, char **out)
{
    const char *text = NULL;
    int rc = base_json_get_string(settings, key, name, false, &text);
    if (rc || !text || !*text)
        return rc;
    *out = base_strdup(text);
    return *out ? 0 : BASE_E_MEMORY;
}

static int read_bpe(struct tokenizer *t, const struct scan *s, const struct slice *part,
                    const json_t *settings)
{
    struct tokenizer_bpe *b = &t->bpe;
    double dropout = 0;
    bool fallback = false;
    t->kind = MODEL_BPE;
    if (!part[M_VOCAB].text || !part[M_MERGES].text)
        return base_error_set(BASE_E_FORMAT, "%s: model: BPE needs vocab and merges", s->name);
    int rc = base_json_get_double(settings, "dropout", s->name, false, &dropout);
    if (!rc && dropout > 0)
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "%s: model: dropout %g would make the ids random; set it to null",
                            s->name, dropout);
    if (!rc)
        rc = copy_string(settings, "continuing_subword_prefix", s->name, &b->prefix);
    if (!rc)
        rc = copy_string(settings, "end_of_word_suffix", s->name, &b->suffix);
    if (!rc)
        rc = base_json_get_bool(settings, "byte_fallback", s->name, false, &fallback);
    if (!rc)
        rc = base_json_get_bool(settings, "fuse_unk", s->name, false, &b->fuse_unknown);
    if (!rc)
        rc = base_json_get_bool(settings, "ignore_merges", s->name, false, &b->ignore_merges);
    if (!rc)
        rc = read_vocab_object(t, scan_inside(s, part[M_VOCAB]));
    if (!rc)
        rc = read_merges(t, scan_inside(s, part[M_MERGES]));
    if (!rc)
        rc = unknown_id(t, settings, s->name, &b->unknown);
    if (!rc)
        tokenizer_bpe_prepare(b, &t->vocabulary, fallback);
    return rc;
}

static int read_unigram(struct tokenizer *t, const struct scan *s, const struct slice *part,
                        const json_t *settings)
{
    int64_t unknown = -1;
    bool fallback = false;
    t->kind = MODEL_UNIGRAM;
    if (!part[M_VOCAB].text)
        return base_error_set(BASE_E_FORMAT, "%s: model: Unigram needs vocab", s->name);
    int rc = read_vocab_scores(t, scan_inside(s, part[M_VOCAB]));
    if (!rc)
        rc = base_json_get_int(settings, "unk_id", s->name, false, &unknown);
    if (!rc)
        rc = base_json_get_bool(settings, "byte_fallback", s->name, false, &fallback);
    if (rc)
        return rc;
    size_t count = t->vocabulary.count;
    if (unknown >= (int64_t)count)
        return base_error_set(BASE_E_FORMAT, "%s: model: unk_id %lld, but %zu pieces", s->name,
                              (long long)unknown, count);
    t->unigram.unknown = unknown < 0 ? -1 : (int32_t)unknown;
    t->unigram.usable = base_alloc(count, 1);
    if (!t->unigram.usable)
        return BASE_E_MEMORY;
    memset(t->unigram.usable, 1, count);
    if (fallback)
        tokenizer_fallback_ids(&t->vocabulary, t->unigram.fallback, &t->unigram.has_fallback);
    return tokenizer_unigram_prepare(&t->unigram, &t->vocabulary, count);
}

static int read_wordpiece(struct tokenizer *t, const struct scan *s, const struct slice *part,
                          const json_t *settings, bool whole)
{
    int64_t most = 100;
    t->kind = MODEL_WORDPIECE;
    t->wordpiece.whole = whole;
    if (!part[M_VOCAB].text)
        return base_error_set(BASE_E_FORMAT, "%s: model: vocab is missing", s->name);
    int rc = read_vocab_object(t, scan_inside(s, part[M_VOCAB]));
    if (!rc)
        rc = unknown_id(t, settings, s->name, &t->wordpiece.unknown);
    if (!rc)
        rc = copy_string(settings, "continuing_subword_prefix", s->name, &t->wordpiece.prefix);
    if (!rc)
        rc = base_json_get_int(settings, "max_input_chars_per_word", s->name, false, &most);
    if (!rc && (most < 0 || most > 1 << 16))
        rc = base_error_set(BASE_E_FORMAT, "%s: model: max_input_chars_per_word %lld", s->name,
                            (long long)most);
    t->wordpiece.max_characters = (size_t)most;
    return rc;
}

static int read_model(struct tokenizer *t, const struct scan *s, const struct slice *part)
{
    json_t *settings = NULL;
    const char *type = NULL;
    int rc = model_settings(s, part, &settings);
    if (!rc)
        rc = base_json_get_string(settings, "type", s->name, false, &type);
    if (!rc && !type) /* old files leave it out */
        type = part[M_MERGES].text   ? "BPE"
               : part[M_MAX].text    ? "WordPiece"
               : part[M_UNK_ID].text ? "Unigram"
                                     : "WordLevel";
    if (rc)
        ;
    else if (strcmp(type, "BPE") == 0)
        rc = read_bpe(t, s, part, settings);
    else if (strcmp(type, "Unigram") == 0)
        rc = read_unigram(t, s, part, settings);
    else if (strcmp(type, "WordPiece") == 0 || strcmp(type, "WordLevel") == 0)
        rc = read_wordpiece(t, s, part, settings, type[4] == 'L');
    else
        rc = base_error_set(BASE_E_UNSUPPORTED, "%s: model of type \"%s\" is not supported",
                            s->name, type);
    json_decref(settings);
    return rc;
}

static int read_added(struct tokenizer *t, const json_t *list, const char *name)
{
    const json_t *item;
    size_t i;
    if (list && !json_is_null(list) && !json_is_array(list))
        return base_error_set(BASE_E_FORMAT, "%s: added_tokens: expected an array", name);
    json_array_foreach(list, i, item)
    {
        struct tokenizer_added token = { 0 };
        int64_t id = -1;
        const json_t *content = json_object_get(item, "content");
        if (!json_is_string(content))
            return base_error_set(BASE_E_FORMAT, "%s: added_tokens[%zu]: content is missing", name,
                                  i);
        token.normalized = true;
        int rc = base_json_get_int(item, "id", name, true, &id);
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
        if (!rc && id < 0)
            rc = base_error_set(BASE_E_FORMAT, "%s: added_tokens[%zu]: id %lld", name, i,
                                (long long)id);
        if (!rc)
            rc = tokenizer_added_list(t, token, json_string_value(content),
                                      json_string_length(content), (size_t)id, name);
        if (rc)
            return rc;
    }
    return 0;
}

int tokenizer_read_json(struct tokenizer *t, const char *text, size_t bytes, const char *name)
{
    enum { MODEL, ADDED, NORMALIZER, STEPS, DECODER, POST, COUNT };
    static const char *const keys[COUNT] = { "model",         "added_tokens", "normalizer",
                                             "pre_tokenizer", "decoder",      "post_processor" };
    struct scan s = { .text = text ? text : "", .n = bytes, .name = name };
    struct slice part[COUNT], model[M_COUNT];
    const struct members inner = { model_keys, model, M_COUNT, NULL };
    const struct members outer = { keys, part, COUNT, &inner };
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        s.at = 3;
    int rc = scan_members(&s, &outer);
    if (!rc && (scan_peek(&s), s.at < s.n))
        rc = scan_error(&s, "nothing behind the object");
    if (!rc && !part[MODEL].text)
        rc = base_error_set(BASE_E_FORMAT, "%s: not a tokenizer.json: \"model\" is missing", name);
    if (!rc)
        rc = read_model(t, &s, model);
    for (int k = ADDED; k < COUNT && !rc; k++) {
        json_t *value;
        rc = parse(&s, part[k], keys[k], &value);
        if (rc)
            break;
        rc = k == ADDED        ? read_added(t, value, name)
             : k == NORMALIZER ? tokenizer_build_normalizer(t, value, name, 0)
             : k == STEPS      ? tokenizer_build_steps(t, value, name, 0)
             : k == DECODER    ? tokenizer_build_stages(t, value, name, 0)
                               : tokenizer_build_template(t, value, name, 0);
        json_decref(value);
    }
    return rc;
}

int tokenizer_read_files(struct tokenizer *t, const char *vocab, size_t vocab_bytes,
                         const char *merges, size_t merges_bytes, const char *name)
{
    struct scan s = { .text = vocab ? vocab : "", .n = vocab_bytes, .name = name };
    struct base_buffer joined = { 0 };
    t->kind = MODEL_BPE;
    int rc = read_vocab_object(t, s);
    for (size_t at = 0, rank = 0; at < merges_bytes && !rc;) {
        const char *line = merges + at, *end = memchr(line, '\n', merges_bytes - at);
        size_t n = end ? (size_t)(end - line) : merges_bytes - at;
        at += n + 1;
        if (n && line[n - 1] == '\r')
            n--;
        if (n == 0 || (line == merges && n >= 8 && memcmp(line, "#version", 8) == 0))
            continue;
        rc = tokenizer_merge_line(t, line, n, rank++, &joined, name);
    }
    base_buffer_free(&joined);
    if (!rc)
        tokenizer_bpe_prepare(&t->bpe, &t->vocabulary, false);
    return rc;
}
