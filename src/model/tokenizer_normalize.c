/* Normalisers: each rewrites a text into another whose bytes know where they came from.
 *
 * Unicode normalisation works on stretches: a stretch starts with a character that neither is a
 * mark (combining class 0) nor composes with what stands before it. A character that maps alone
 * keeps its own origin; where several become something together, all of the result has the whole
 * stretch as its origin. ASCII is closed under all four forms, so pure ASCII texts are left alone.
 */
#include "model/tokenizer_private.h"
#include <utf8proc.h>

void tokenizer_normalizer_free(struct tokenizer_normalizer *n)
{
    base_free(n->content);
    tokenizer_pattern_free(&n->pattern);
    tokenizer_charsmap_free(n->map);
    *n = (struct tokenizer_normalizer){ 0 };
}

static int add_code(struct tokenizer_text *out, uint32_t code, uint32_t begin, uint32_t end)
{
    char bytes[4];
    return tokenizer_text_add(out, bytes, base_utf8_encode(code, bytes), begin, end);
}

static bool all_ascii(const struct tokenizer_text *t)
{
    for (size_t i = 0; i < t->n; i++)
        if ((unsigned char)t->data[i] >= 0x80)
            return false;
    return true;
}

/* ---- Unicode normalisation forms ------------------------------------------------------------- */

/* Whether a character can be the second part of a composition, or is a mark: then it belongs to the
 * stretch before it. Composing seconds of class 0 are the Hangul vowels and finals and a few Indic
 * vowel signs, which are all of category M. */
static bool joins_previous(uint32_t code)
{
    if (code < 0x300)
        return false;
    const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)code);
    if (p->combining_class)
        return true;
    if (code >= 0x1161 && code <= 0x11ff)
        return true;
    return p->category >= UTF8PROC_CATEGORY_MN && p->category <= UTF8PROC_CATEGORY_ME;
}

static int normalize_unicode(enum tokenizer_normalizer_kind kind, const struct tokenizer_text *t,
                             struct tokenizer_text *out)
{
    utf8proc_option_t options = UTF8PROC_STABLE;
    bool compose = kind == NORMALIZE_NFC || kind == NORMALIZE_NFKC;
    options |= compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
    if (kind == NORMALIZE_NFKC || kind == NORMALIZE_NFKD)
        options |= UTF8PROC_COMPAT;
    utf8proc_int32_t few[64], *codes = few;
    size_t room = 64;
    int rc = 0;
    for (size_t i = 0; i < t->n && !rc;) {
        uint32_t code;
        size_t k = base_utf8_decode(t->data + i, t->n - i, &code);
        if (k == 0) { /* not UTF-8: passes */
            rc = tokenizer_text_copy(out, t, i, i + 1);
            i++;
            continue;
        }
        size_t stop = i + k;
        size_t characters = 1;
        while (stop < t->n) {
            uint32_t next;
            size_t m = base_utf8_decode(t->data + stop, t->n - stop, &next);
            if (m == 0 || !joins_previous(next))
                break;
            stop += m;
            characters++;
        }
        if (characters == 1 && code < 0x80) {
            rc = tokenizer_text_copy(out, t, i, stop);
            i = stop;
            continue;
        }
        utf8proc_ssize_t got;
        while ((got = utf8proc_decompose(
                    (const utf8proc_uint8_t *)t->data + i, (utf8proc_ssize_t)(stop - i), codes,
                    (utf8proc_ssize_t)room, options)) > (utf8proc_ssize_t)room) {
            utf8proc_int32_t *bigger =
                base_realloc(codes == few ? NULL : codes, (size_t)got, sizeof *bigger);
            if (!bigger) {
                rc = BASE_E_MEMORY;
                goto out;
            }
            codes = bigger;
            room = (size_t)got;
        }
        if (got > 0)
            got = utf8proc_normalize_utf32(codes, got, options);
        if (got < 0) {
            rc =
                base_error_set(BASE_E_FORMAT, "tokenizer: normalisation: %s", utf8proc_errmsg(got));
            goto out;
        }
        uint32_t begin = tokenizer_text_begin(t, i), end = tokenizer_text_end(t, stop - 1);
        for (utf8proc_ssize_t j = 0; j < got && !rc; j++)
            rc = add_code(out, (uint32_t)codes[j], begin, end);
        i = stop;
    }
out:
    if (codes != few)
        base_free(codes);
    return rc;
}

/* ---- character by character ------------------------------------------------------------------ */

static bool is_control(uint32_t c) /* BERT's: category C, but for three white spaces */
{
    if (c == '\t' || c == '\n' || c == '\r')
        return false;
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_CN || k >= UTF8PROC_CATEGORY_CC;
}

static bool is_chinese(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
           (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/* 0 = drop, else what becomes of it (SentencePiece's rules for translation corpora). */
static uint32_t nmt(uint32_t c)
{
    if ((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f ||
        c == 0x9f)
        return 0;
    if (c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
        c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd)
        return ' ';
    return c;
}

static int normalize_character(enum tokenizer_normalizer_kind kind, uint32_t c,
                               const struct tokenizer_text *t, size_t i, size_t k,
                               struct tokenizer_text *out)
{
    uint32_t begin = tokenizer_text_begin(t, i), end = tokenizer_text_end(t, i + k - 1);
    utf8proc_category_t category;
    int rc = 0;
    switch (kind) {
    case NORMALIZE_LOWERCASE:
        if (c == 0x130) /* the one character whose lower case is two */
            return tokenizer_text_add(out, "i\xcc\x87", 3, begin, end);
        return add_code(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c), begin, end);
    case NORMALIZE_STRIP_ACCENTS:
    case NORMALIZE_STRIP_MN:
        category = c < 0x300 ? UTF8PROC_CATEGORY_LL : utf8proc_category((utf8proc_int32_t)c);
        if (category == UTF8PROC_CATEGORY_MN ||
            (kind == NORMALIZE_STRIP_ACCENTS &&
             (category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME)))
            return 0;
        break;
    case NORMALIZE_BERT_CLEAN:
        if (c == 0 || c == 0xfffd || is_control(c))
            return 0;
        if (tokenizer_class_has(CLASS_SPACE, c, 0))
            return tokenizer_text_add(out, " ", 1, begin, end);
        break;
    case NORMALIZE_BERT_CHINESE:
        if (!is_chinese(c))
            break;
        rc = tokenizer_text_add(out, " ", 1, begin, begin);
        if (!rc)
            rc = tokenizer_text_copy(out, t, i, i + k);
        return rc ? rc : tokenizer_text_add(out, " ", 1, end, end);
    case NORMALIZE_NMT:
        if (nmt(c) == 0)
            return 0;
        if (nmt(c) != c)
            return add_code(out, nmt(c), begin, end);
        break;
    default:
        break;
    }
    return tokenizer_text_copy(out, t, i, i + k);
}

static int normalize_characters(enum tokenizer_normalizer_kind kind, const struct tokenizer_text *t,
                                struct tokenizer_text *out)
{
    int rc = 0;
    for (size_t i = 0; i < t->n && !rc;) {
        if (kind == NORMALIZE_BYTES) {
            rc = add_code(out, tokenizer_byte_to_code((uint8_t)t->data[i]),
                          tokenizer_text_begin(t, i), tokenizer_text_end(t, i));
            i++;
            continue;
        }
        uint32_t code;
        size_t k = base_utf8_decode(t->data + i, t->n - i, &code);
        if (k == 0) {
            rc = tokenizer_text_copy(out, t, i, i + 1);
            i++;
            continue;
        }
        rc = normalize_character(kind, code, t, i, k, out);
        i += k;
    }
    return rc;
}

/* ---- strings --------------------------------------------------------------------------------- */

static int normalize_strip(const struct tokenizer_normalizer *n, const struct tokenizer_text *t,
                           struct tokenizer_text *out)
{
    size_t begin = t->n, end = 0;
    bool seen = false;
    for (size_t i = 0; i < t->n;) {
        uint32_t code;
        size_t k = tokenizer_char(t->data + i, t->n - i, &code);
        if (!tokenizer_class_has(CLASS_SPACE, code, 0)) {
            if (!seen)
                begin = i;
            seen = true;
            end = i + k;
        }
        i += k;
    }
    if (!seen)
        begin = end = t->n;
    if (!n->left)
        begin = 0;
    if (!n->right)
        end = t->n;
    if (!seen && (n->left || n->right))
        begin = end = 0;
    return tokenizer_text_copy(out, t, begin, end);
}

static int normalize_replace(const struct tokenizer_normalizer *n, const struct tokenizer_text *t,
                             struct tokenizer_text *out, struct tokenizer_matcher **m)
{
    size_t at = 0, last = 0;
    tokenizer_matcher_reset(*m);
    while (at <= t->n) {
        size_t from, to;
        int rc = tokenizer_pattern_find(&n->pattern, m, t->data, t->n, at, &from, &to);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
        rc = tokenizer_text_copy(out, t, last, from);
        if (rc)
            return rc;
        uint32_t begin = from < t->n ? tokenizer_text_begin(t, from)
                         : t->n      ? tokenizer_text_end(t, t->n - 1)
                                     : t->base;
        uint32_t end = to > from ? tokenizer_text_end(t, to - 1) : begin;
        rc = tokenizer_text_add(out, n->content, n->n, begin, end);
        if (rc)
            return rc;
        last = to;
        at = to;
        if (to == from) { /* empty match: one character on */
            uint32_t code;
            if (from >= t->n)
                break;
            at = from + tokenizer_char(t->data + from, t->n - from, &code);
        }
    }
    return tokenizer_text_copy(out, t, last, t->n);
}

/* ---- SentencePiece --------------------------------------------------------------------------- */

static int normalize_charsmap(const struct tokenizer_normalizer *n,
                              const struct tokenizer_added_set *verbatim,
                              const struct tokenizer_text *t, struct tokenizer_text *out)
{
    for (size_t i = 0; i < t->n;) {
        uint32_t code;
        size_t used = 0, k = tokenizer_char(t->data + i, t->n - i, &code);
        const char *replacement = NULL;
        const struct tokenizer_added *keep =
            verbatim ? tokenizer_added_longest(verbatim, t->data + i, t->n - i) : NULL;
        int rc;
        if (keep) {
            rc = tokenizer_text_copy(out, t, i, i + keep->n);
            i += keep->n;
            if (rc)
                return rc;
            continue;
        }
        if (n->graphemes) {
            /* a whole grapheme cluster of less than 6 bytes is looked up first; the shortest key
             * that starts it replaces all of it */
            utf8proc_int32_t state = 0;
            size_t stop = i + k;
            uint32_t before = code;
            while (stop < t->n && stop - i < 6) {
                uint32_t next;
                size_t m = tokenizer_char(t->data + stop, t->n - stop, &next);
                if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before,
                                                     (utf8proc_int32_t)next, &state))
                    break;
                stop += m;
                before = next;
            }
            if (stop - i < 6 && stop > i + k) {
                replacement = tokenizer_charsmap_find(n->map, t->data + i, stop - i, true, &used);
                used = stop - i;
            }
            if (!replacement) {
                replacement = tokenizer_charsmap_find(n->map, t->data + i, k, true, &used);
                used = k;
            }
        } else {
            replacement = tokenizer_charsmap_find(n->map, t->data + i, t->n - i, false, &used);
        }
        if (replacement) {
            rc =
                tokenizer_text_add(out, replacement, strlen(replacement),
                                   tokenizer_text_begin(t, i), tokenizer_text_end(t, i + used - 1));
            i += used;
        } else {
            rc = tokenizer_text_copy(out, t, i, i + k);
            i += k;
        }
        if (rc)
            return rc;
    }
    return 0;
}

/* Blanks: outer ones dropped and runs joined (collapse), one in front or behind (left; right says
 * behind), then made visible (escape). A text with nothing left stays empty. */
static int normalize_sentencepiece(const struct tokenizer_normalizer *n,
                                   const struct tokenizer_text *t, struct tokenizer_text *out)
{
    const char *blank = n->escape ? TOKENIZER_SPACE : " ";
    size_t blank_bytes = strlen(blank), begin = 0, end = t->n;
    if (n->collapse) {
        while (begin < end && t->data[begin] == ' ')
            begin++;
        while (end > begin && t->data[end - 1] == ' ')
            end--;
    }
    if (begin == end)
        return 0;
    int rc = 0;
    if (n->left && !n->right)
        rc = tokenizer_text_add(out, blank, blank_bytes, tokenizer_text_begin(t, begin),
                                tokenizer_text_begin(t, begin));
    for (size_t i = begin; i < end && !rc; i++) {
        if (t->data[i] != ' ') {
            rc = tokenizer_text_copy(out, t, i, i + 1);
            continue;
        }
        size_t stop = i + 1;
        while (n->collapse && stop < end && t->data[stop] == ' ')
            stop++;
        rc = tokenizer_text_add(out, blank, blank_bytes, tokenizer_text_begin(t, i),
                                tokenizer_text_end(t, stop - 1));
        i = stop - 1;
    }
    if (!rc && n->left && n->right)
        rc = tokenizer_text_add(out, blank, blank_bytes, tokenizer_text_end(t, end - 1),
                                tokenizer_text_end(t, end - 1));
    return rc;
}

int tokenizer_normalize(const struct tokenizer_normalizer *list, size_t count,
                        const struct tokenizer_added_set *verbatim, struct tokenizer_text *t,
                        struct tokenizer_text *scratch, struct tokenizer_matcher **m)
{
    for (size_t i = 0; i < count; i++) {
        const struct tokenizer_normalizer *n = &list[i];
        int rc = 0;
        if (n->kind <= NORMALIZE_NFKD && all_ascii(t))
            continue;
        if (n->kind == NORMALIZE_PREPEND && t->n == 0)
            continue;
        tokenizer_text_clear(scratch);
        switch (n->kind) {
        case NORMALIZE_NFC:
        case NORMALIZE_NFD:
        case NORMALIZE_NFKC:
        case NORMALIZE_NFKD:
            rc = normalize_unicode(n->kind, t, scratch);
            break;
        case NORMALIZE_STRIP:
            rc = normalize_strip(n, t, scratch);
            break;
        case NORMALIZE_PREPEND:
            rc = tokenizer_text_add(scratch, n->content, n->n, tokenizer_text_begin(t, 0),
                                    tokenizer_text_begin(t, 0));
            if (!rc)
                rc = tokenizer_text_copy(scratch, t, 0, t->n);
            break;
        case NORMALIZE_REPLACE:
            rc = normalize_replace(n, t, scratch, m);
            break;
        case NORMALIZE_CHARSMAP:
            rc = normalize_charsmap(n, verbatim, t, scratch);
            break;
        case NORMALIZE_SENTENCEPIECE:
            rc = normalize_sentencepiece(n, t, scratch);
            break;
        default:
            rc = normalize_characters(n->kind, t, scratch);
        }
        if (rc)
            return rc;
        struct tokenizer_text swap = *t;
        *t = *scratch;
        *scratch = swap;
    }
    return 0;
}
