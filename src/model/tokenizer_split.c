/* Cutting a text into words (pre-tokenisation): a list of steps, each of which cuts the words that
 * the step before left, or rewrites them. A rewriting step makes a new text that holds only the
 * words; every byte keeps its origin. */
#include "model/tokenizer_private.h"
#include <utf8proc.h>

uint32_t tokenizer_byte_to_code(uint8_t byte)
{
    /* printable Latin-1 stands for itself, the other 68 bytes are U+0100, U+0101, ... in order */
    if ((byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae)
        return byte;
    if (byte < '!')
        return 256u + byte;
    if (byte < 0xa1)
        return 256u + 33 + (byte - 127u);
    return 256u + 67; /* 0xad */
}

int tokenizer_code_to_byte(uint32_t code)
{
    if (code < 256)
        return tokenizer_byte_to_code((uint8_t)code) == code ? (int)code : -1;
    uint32_t k = code - 256;
    if (k < 33)
        return (int)k;
    if (k < 67)
        return (int)(k - 33 + 127);
    return k == 67 ? 0xad : -1;
}

bool tokenizer_class_has(enum tokenizer_class class, uint32_t code, uint32_t which)
{
    switch (class) {
    case CLASS_CHARACTER:
        return code == which;
    case CLASS_SPACE:
        if (code < 128)
            return code == ' ' || (code >= 9 && code <= 13);
        if (code == 0x85)
            return true;
        break;
    case CLASS_PUNCTUATION:
        if (code < 128)
            return (code >= '!' && code <= '/') || (code >= ':' && code <= '@') ||
                   (code >= '[' && code <= '`') || (code >= '{' && code <= '~');
        break;
    case CLASS_NUMERIC:
        if (code < 128)
            return code >= '0' && code <= '9';
        break;
    }
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
    if (class == CLASS_SPACE)
        return c >= UTF8PROC_CATEGORY_ZS && c <= UTF8PROC_CATEGORY_ZP;
    if (class == CLASS_PUNCTUATION)
        return c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO;
    return c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO;
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* All stretches of [begin, end) in order, matches and what lies between, into w->matches: a match
 * has its flag in w->flags (bit 31 of .end; texts are shorter than 2^31). */
#define IS_MATCH 0x80000000u

static int piece_add(struct tokenizer_split_work *w, size_t begin, size_t end, bool match)
{
    return begin == end ? 0 : tokenizer_spans_add(&w->matches, begin, end | (match ? IS_MATCH : 0));
}

static int pieces_by_pattern(const struct tokenizer_step *s, const char *data, size_t begin,
                             size_t end, struct tokenizer_split_work *w)
{
    size_t at = 0, n = end - begin, last = 0;
    tokenizer_matcher_reset(w->matcher);
    while (at <= n) {
        size_t from, to;
        int rc = tokenizer_pattern_find(&s->pattern, &w->matcher, data + begin, n, at, &from, &to);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
        if (to == from) { /* an empty match cuts nothing: go on behind the next character */
            uint32_t code;
            if (from >= n)
                break;
            at = from + tokenizer_char(data + begin + from, n - from, &code);
            continue;
        }
        rc = piece_add(w, begin + last, begin + from, s->invert);
        if (!rc)
            rc = piece_add(w, begin + from, begin + to, !s->invert);
        if (rc)
            return rc;
        at = last = to;
    }
    return piece_add(w, begin + last, end, s->invert);
}

static int pieces_by_class(const struct tokenizer_step *s, const char *data, size_t begin,
                           size_t end, struct tokenizer_split_work *w)
{
    size_t last = begin;
    for (size_t i = begin; i < end;) {
        uint32_t code;
        size_t k = tokenizer_char(data + i, end - i, &code);
        if (tokenizer_class_has(s->class, code, s->code)) {
            int rc = piece_add(w, last, i, false);
            if (!rc)
                rc = piece_add(w, i, i + k, true);
            if (rc)
                return rc;
            last = i + k;
        }
        i += k;
    }
    return piece_add(w, last, end, false);
}

/* Joins or drops the pieces as the behaviour says; the result is appended to w->more. */
static int pieces_join(enum tokenizer_behavior behavior, struct tokenizer_split_work *w)
{
    const struct tokenizer_span *p = w->matches.at;
    size_t count = w->matches.count;
    size_t start = w->more.count;
    bool last_match = false;
    for (size_t i = 0; i < count; i++) {
        bool match = p[i].end & IS_MATCH;
        size_t begin = p[i].begin, end = p[i].end & ~IS_MATCH;
        bool join = false;
        switch (behavior) {
        case BEHAVIOR_REMOVED:
            if (match)
                continue;
            break;
        case BEHAVIOR_ISOLATED:
            break;
        case BEHAVIOR_CONTIGUOUS:
            join = i > 0 && match == last_match;
            break;
        case BEHAVIOR_MERGED_WITH_PREVIOUS:
            join = match && !last_match && i > 0;
            break;
        case BEHAVIOR_MERGED_WITH_NEXT: /* a match takes what follows it, unless that is a match */
            join = !match && last_match;
            break;
        }
        last_match = match;
        if (join && w->more.count > start)
            w->more.at[w->more.count - 1].end = (uint32_t)end;
        else if (tokenizer_spans_add(&w->more, begin, end))
            return BASE_E_MEMORY;
    }
    return 0;
}

static int step_fixed(size_t length, const char *data, size_t begin, size_t end,
                      struct tokenizer_split_work *w)
{
    size_t last = begin, characters = 0;
    for (size_t i = begin; i < end;) {
        uint32_t code;
        i += tokenizer_char(data + i, end - i, &code);
        if (++characters == length || i >= end) {
            if (tokenizer_spans_add(&w->more, last, i))
                return BASE_E_MEMORY;
            last = i, characters = 0;
        }
    }
    return 0;
}

static int step_mark(const char *data, size_t begin, size_t end, struct tokenizer_split_work *w)
{
    size_t last = begin, mark = strlen(TOKENIZER_SPACE);
    bool after_mark = true;
    for (size_t i = begin; i < end;) {
        bool is_mark = end - i >= mark && memcmp(data + i, TOKENIZER_SPACE, mark) == 0;
        if (is_mark && !after_mark) {
            if (tokenizer_spans_add(&w->more, last, i))
                return BASE_E_MEMORY;
            last = i;
        }
        after_mark = is_mark;
        i += is_mark ? mark : 1;
    }
    return last == end ? 0 : tokenizer_spans_add(&w->more, last, end);
}

static int step_cut(const struct tokenizer_step *s, const struct tokenizer_text *t,
                    struct tokenizer_split_work *w)
{
    w->more.count = 0;
    for (size_t i = 0; i < w->words.count; i++) {
        size_t begin = w->words.at[i].begin, end = w->words.at[i].end;
        int rc;
        if (s->kind == STEP_FIXED) {
            rc = step_fixed(s->length, t->data, begin, end, w);
        } else if (s->kind == STEP_MARK) {
            rc = step_mark(t->data, begin, end, w);
        } else {
            w->matches.count = 0;
            rc = s->kind == STEP_SPLIT ? pieces_by_pattern(s, t->data, begin, end, w)
                                       : pieces_by_class(s, t->data, begin, end, w);
            if (!rc)
                rc = pieces_join(s->behavior, w);
        }
        if (rc)
            return rc;
    }
    struct tokenizer_spans swap = w->words;
    w->words = w->more;
    w->more = swap;
    return 0;
}

/* ---- rewriting ------------------------------------------------------------------------------- */

/* One word of a rewriting step, appended to out. */
static int rewrite_word(const struct tokenizer_step *s, const struct tokenizer_text *t,
                        size_t begin, size_t end, struct tokenizer_text *out)
{
    char mark[4] = " ";
    size_t mark_bytes = s->kind == STEP_METASPACE ? base_utf8_encode(s->code, mark) : 1;
    uint32_t from = tokenizer_text_begin(t, begin);
    int rc = 0;
    if (s->kind == STEP_PREFIX || s->kind == STEP_METASPACE) {
        bool has =
            (size_t)(end - begin) >= mark_bytes && memcmp(t->data + begin, mark, mark_bytes) == 0;
        if (s->kind == STEP_METASPACE && t->data[begin] == ' ')
            has = true; /* it becomes the mark */
        if (!has && (s->prefix == PREFIX_ALWAYS || (s->prefix == PREFIX_FIRST && from == 0)))
            rc = tokenizer_text_add(out, mark, mark_bytes, from, from);
        if (s->kind == STEP_PREFIX)
            return rc ? rc : tokenizer_text_copy(out, t, begin, end);
    }
    for (size_t i = begin; i < end && !rc; i++) {
        uint32_t a = tokenizer_text_begin(t, i), b = tokenizer_text_end(t, i);
        if (s->kind == STEP_BYTES) {
            char code[4];
            size_t k = base_utf8_encode(tokenizer_byte_to_code((uint8_t)t->data[i]), code);
            rc = tokenizer_text_add(out, code, k, a, b);
        } else if (t->data[i] == ' ') {
            rc = tokenizer_text_add(out, mark, mark_bytes, a, b);
        } else {
            rc = tokenizer_text_add(out, t->data + i, 1, a, b);
        }
    }
    return rc;
}

static int step_rewrite(const struct tokenizer_step *s, struct tokenizer_text *t,
                        struct tokenizer_split_work *w)
{
    tokenizer_text_clear(&w->scratch);
    w->more.count = 0;
    for (size_t i = 0; i < w->words.count; i++) {
        size_t start = w->scratch.n;
        int rc = rewrite_word(s, t, w->words.at[i].begin, w->words.at[i].end, &w->scratch);
        if (!rc)
            rc = tokenizer_spans_add(&w->more, start, w->scratch.n);
        if (rc)
            return rc;
    }
    struct tokenizer_text text = *t;
    *t = w->scratch;
    w->scratch = text;
    struct tokenizer_spans swap = w->words;
    w->words = w->more;
    w->more = swap;
    return 0;
}

int tokenizer_split(const struct tokenizer_step *steps, size_t count, struct tokenizer_text *t,
                    size_t begin, size_t end, struct tokenizer_split_work *w)
{
    w->words.count = 0;
    if (begin == end)
        return 0;
    int rc = tokenizer_spans_add(&w->words, begin, end);
    for (size_t i = 0; i < count && !rc; i++) {
        rc = steps[i].kind == STEP_SPLIT || steps[i].kind == STEP_CLASS ||
                     steps[i].kind == STEP_FIXED || steps[i].kind == STEP_MARK
                 ? step_cut(&steps[i], t, w)
                 : step_rewrite(&steps[i], t, w);
    }
    return rc;
}
