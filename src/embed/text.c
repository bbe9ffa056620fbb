/* Text to tokens, as gensim 4 makes them; see embed.h.
 *
 * gensim's filters in their order: str.lower(); "<([^>]+)>" -> ""; ASCII punctuation -> " "; runs
 * of white space -> " "; [0-9]+ -> "" (which joins what stands around: "g00d" -> "gd"); stop words
 * out; words under 3 characters out; Porter. Characters are Unicode's; white space is Python's. */
#include "embed/text.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include <string.h>
#include <utf8proc.h>

const char *const embed_tokens_names[EMBED_TOKENS_KINDS] = { "gensim", "simple", "plain" };

struct embed_text {
    enum embed_tokens kind;
    struct embed_stemmer *stemmer;
    struct base_buffer lower, word;
};

int embed_text_new(struct embed_text **out, enum embed_tokens kind)
{
    struct embed_text *t = base_alloc_zero(1, sizeof *t);
    *out = NULL;
    if (!t)
        return BASE_E_MEMORY;
    t->kind = kind;
    int rc = kind == EMBED_TOKENS_GENSIM ? embed_stemmer_new(&t->stemmer) : 0;
    if (rc) {
        base_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void embed_text_free(struct embed_text *t)
{
    if (!t)
        return;
    embed_stemmer_free(t->stemmer);
    base_buffer_free(&t->lower);
    base_buffer_free(&t->word);
    base_free(t);
}

/* Python's str.isspace, and NUL, which must not be part of a word. */
static bool is_space(uint32_t c)
{
    if (c < 0x80)
        return c == 0 || (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool is_letter(uint32_t c)
{
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

/* Python's str.lower: simple mappings, I with a dot above as two characters, and the other small
 * sigma at the end of a word. */
static int lower_of(struct base_buffer *out, const char *s, size_t n)
{
    base_buffer_clear(out);
    int rc = base_buffer_reserve(out, n + n / 2 + 1);
    uint32_t before = 0;
    for (size_t i = 0; rc == 0 && i < n;) {
        const unsigned char c = (unsigned char)s[i];
        if (c < 0x80) {
            const char small = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
            rc = base_buffer_append(out, &small, 1);
            before = c;
            i++;
            continue;
        }
        uint32_t code, after = 0;
        i += base_utf8_decode(s + i, n - i, &code);
        char text[4];
        if (code == 0x130) {
            rc = base_buffer_append(out, "i\xcc\x87", 3);
        } else {
            uint32_t small = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
            if (code == 0x3a3) {
                base_utf8_decode(s + i, n - i, &after);
                small = is_letter(before) && !(i < n && is_letter(after)) ? 0x3c2 : 0x3c3;
            }
            rc = base_buffer_append(out, text, base_utf8_encode(small, text));
        }
        before = code;
    }
    return rc;
}

static int put(struct base_buffer *out, const char *word, size_t bytes, size_t *n)
{
    int rc = out->length && out->data[out->length - 1] != ' ' ? base_buffer_append(out, " ", 1) : 0;
    if (rc || (rc = base_buffer_append(out, word, bytes)))
        return rc;
    ++*n;
    return 0;
}

static size_t characters(const char *s, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += ((unsigned char)s[i] & 0xc0) != 0x80;
    return k;
}

static int put_stem(struct embed_text *t, struct base_buffer *out, size_t *n)
{
    const char *word = t->word.data, *stem = NULL;
    size_t bytes = t->word.length, length = 0;
    if (bytes == 0 || characters(word, bytes) < 3 || embed_is_stop_word(word, bytes))
        return 0;
    int rc = embed_stemmer_stem(t->stemmer, word, bytes, &stem, &length);
    return rc || length == 0 ? rc : put(out, stem, length, n);
}

static int split_gensim(struct embed_text *t, const char *text, size_t bytes,
                        struct base_buffer *out, size_t *n)
{
    int rc = lower_of(&t->lower, text, bytes);
    const char *s = t->lower.data;
    const size_t end = t->lower.length;
    const char *close = NULL; /* the next '>', looked for once: a text of '<' alone is no square */
    bool closes = true;
    base_buffer_clear(&t->word);
    for (size_t i = 0; rc == 0 && i < end;) {
        const unsigned char c = (unsigned char)s[i];
        size_t length = 1;
        uint32_t code = c;
        if (c >= 0x80)
            length = base_utf8_decode(s + i, end - i, &code);
        if (c == '<') {
            if (closes && (!close || close < s + i))
                closes = (close = memchr(s + i, '>', end - i)) != NULL;
            if (closes && close > s + i + 1) { /* at least one character between: a tag, gone */
                i = (size_t)(close - s) + 1;
                continue;
            }
        }
        const bool punctuation = (c >= 0x21 && c <= 0x2f) || (c >= 0x3a && c <= 0x40) ||
                                 (c >= 0x5b && c <= 0x60) || (c >= 0x7b && c <= 0x7e);
        if (punctuation || is_space(code)) {
            rc = put_stem(t, out, n);
            base_buffer_clear(&t->word);
        } else if (c < '0' || c > '9') {
            rc = base_buffer_append(&t->word, s + i, length);
        }
        i += length;
    }
    return rc ? rc : put_stem(t, out, n);
}

/* (((?![\d])\w)+) of Python's re: letters, numbers that are not decimal digits, and "_". */
static bool is_word_character(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) || k == UTF8PROC_CATEGORY_NL ||
           k == UTF8PROC_CATEGORY_NO;
}

static int split_simple(struct embed_text *t, const char *text, size_t bytes,
                        struct base_buffer *out, size_t *n)
{
    int rc = lower_of(&t->lower, text, bytes);
    const char *s = t->lower.data;
    const size_t end = t->lower.length;
    for (size_t i = 0; rc == 0 && i < end;) {
        const size_t from = i;
        size_t length = 0, k = 0;
        uint32_t code;
        while (i < end && (length = base_utf8_decode(s + i, end - i, &code)) > 0 &&
               is_word_character(code)) {
            i += length;
            k++;
        }
        if (k >= 2 && k <= 15 && s[from] != '_')
            rc = put(out, s + from, i - from, n);
        if (i < end)
            i += length ? length : 1;
    }
    return rc;
}

static int split_plain(const char *s, size_t end, struct base_buffer *out, size_t *n)
{
    int rc = 0;
    for (size_t i = 0, from = 0; rc == 0 && i <= end;) {
        uint32_t code = ' ';
        const size_t length = i < end ? base_utf8_decode(s + i, end - i, &code) : 1;
        if (is_space(code)) {
            if (i > from)
                rc = put(out, s + from, i - from, n);
            from = i + length;
        }
        i += length;
    }
    return rc;
}

int embed_text_split(struct embed_text *t, const char *text, size_t bytes, struct base_buffer *out,
                     size_t *n)
{
    const size_t bad = base_utf8_invalid(text, bytes);
    if (bad < bytes)
        return base_error_set(BASE_E_FORMAT, "byte %zu (0x%02x) is not UTF-8", bad + 1,
                              (unsigned char)text[bad]);
    switch (t->kind) {
    case EMBED_TOKENS_GENSIM:
        return split_gensim(t, text, bytes, out, n);
    case EMBED_TOKENS_SIMPLE:
        return split_simple(t, text, bytes, out, n);
    default:
        return split_plain(text, bytes, out, n);
    }
}
