/* Filters on texts and numbers, as in jinja2.filters. Most make a string of what they get first
 * (soft_str). */
#include "base/memory.h"
#include "base/text.h"
#include "eval/space.h"
#include "eval/template_private.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define FILTER(name)                                                                               \
    static int name(struct run *r, struct value v, struct value *given, struct value *out)

static int case_of(struct run *r, struct value v, enum letter_case how, struct value *out)
{
    struct value text;
    int rc = template_str(r, v, &text);
    return rc ? rc : template_case(r, text.text, how, out);
}
FILTER(filter_upper)
{
    (void)given;
    return case_of(r, v, CASE_UPPER, out);
}
FILTER(filter_lower)
{
    (void)given;
    return case_of(r, v, CASE_LOWER, out);
}
FILTER(filter_capitalize)
{
    (void)given;
    return case_of(r, v, CASE_CAPITAL, out);
}

/* Not str.title: words are divided by blanks, -, (, {, [ and <, so "they're" stays one. */
FILTER(filter_title)
{
    (void)given;
    struct value text;
    struct base_buffer b = { 0 };
    int rc = template_str(r, v, &text);
    if (rc)
        return rc;
    const struct text *t = text.text;
    size_t word = 0;
    bool first = true;
    for (size_t i = 0, k; i < t->bytes && !rc; i += k) {
        uint32_t code = 0;
        k = base_utf8_decode(t->data + i, t->bytes - i, &code);
        k = k ? k : 1;
        if (eval_is_space(code) || (code < 128 && strchr("-({[<", (int)code) && code)) {
            rc = template_add(r, &b, t->data + i, k);
            first = true;
            continue;
        }
        if (first) {
            rc = template_case_add(r, &b, t->data + i, k, 0, CASE_UPPER);
            word = i + k;
            first = false;
            continue;
        }
        size_t end = i;
        while (end < t->bytes) {
            uint32_t next = 0;
            size_t n = base_utf8_decode(t->data + end, t->bytes - end, &next);
            if (eval_is_space(next) || (next < 128 && strchr("-({[<", (int)next) && next))
                break;
            end += n ? n : 1;
        }
        k = end - i;
        for (size_t j = i, m; j < end && !rc; j += m) {
            m = base_utf8_decode(t->data + j, end - j, &code);
            m = m ? m : 1;
            rc = template_case_add(r, &b, t->data + word, end - word, j - word, CASE_LOWER);
        }
    }
    return template_take(r, rc, &b, out);
}

FILTER(filter_trim)
{
    struct value text;
    const struct text *chars = NULL;
    int rc = template_str(r, v, &text);
    if (rc || (given[0].kind != NONE && (rc = template_want_text(r, "trim", given[0], &chars))))
        return rc;
    return template_strip(r, text.text, chars, 3, out);
}

FILTER(filter_replace)
{
    struct value text, from, to;
    int64_t most = -1;
    int rc;
    if ((rc = template_str(r, v, &text)) || (rc = template_str(r, given[0], &from)) ||
        (rc = template_str(r, given[1], &to)) ||
        (given[2].kind != NONE && (rc = template_want_int(r, "replace", given[2], &most))))
        return rc;
    return template_replace(r, text.text, from.text, to.text, most, out);
}

FILTER(filter_center)
{
    const struct text space = { " ", 1, 1, false };
    struct value text;
    int64_t width = 80;
    int rc;
    if ((rc = template_str(r, v, &text)) || (rc = template_want_int(r, "center", given[0], &width)))
        return rc;
    return template_pad(r, text.text, width, '^', &space, out);
}

FILTER(filter_string)
{
    (void)given;
    return template_str(r, v, out);
}

static int mark_safe(struct run *r, struct value v, struct value *out)
{
    struct value text;
    int rc = template_str(r, v, &text);
    if (rc)
        return rc;
    struct text *t = template_alloc(&r->arena, 1, sizeof *t);
    if (!t)
        return r->arena.failed;
    *t = *text.text;
    t->markup = true;
    *out = (struct value){ .kind = TEXT, .text = t };
    return 0;
}
FILTER(filter_safe)
{
    (void)given;
    return mark_safe(r, v, out);
}

FILTER(filter_indent)
{
    struct value text = v, lines;
    struct base_buffer b = { 0 };
    int64_t width = 4;
    bool first = false, blank = false;
    const struct text *with = NULL;
    const struct text space = { " ", 1, 1, false };
    struct value made;
    int rc;
    if (v.kind != TEXT)
        return v.kind == UNDEFINED
                   ? template_fail_undefined(r, v)
                   : template_fail(r, BASE_E_ARGUMENT, "indent: expected a string, got %s",
                                   template_type(v));
    if (given[0].kind == TEXT)
        with = given[0].text;
    else if ((rc = template_want_int(r, "indent", given[0], &width)))
        return rc;
    else {
        const struct text empty = { "", 0, 0, false };
        if ((rc = template_pad(r, &empty, width, '<', &space, &made)))
            return rc;
        with = made.text;
    }
    if ((rc = template_want_bool(r, given[1], &first)) ||
        (rc = template_want_bool(r, given[2], &blank)) ||
        (rc = template_binary(
             r, OP_ADD, text,
             (struct value){ .kind = TEXT, .text = &(struct text){ "\n", 1, 1, false } }, &text)) ||
        (rc = template_split_lines(r, text.text, false, &lines)))
        return rc;
    for (size_t i = 0; i < lines.list->n && !rc; i++) {
        const struct text *line = lines.list->at[i].text;
        if (i)
            rc = template_add(r, &b, "\n", 1);
        if (!rc && (i == 0 ? first : blank || line->bytes))
            rc = template_add(r, &b, with->data, with->bytes);
        if (!rc)
            rc = template_add(r, &b, line->data, line->bytes);
    }
    return template_take(r, rc, &b, out);
}

FILTER(filter_truncate)
{
    struct value text, cut;
    const struct text ellipsis = { "...", 3, 3, false }, blank = { " ", 1, 1, false },
                      *end = &ellipsis;
    int64_t length = 255, leeway = 5;
    bool kill = false;
    struct base_buffer b = { 0 };
    int rc;
    if ((rc = template_str(r, v, &text)) ||
        (rc = template_want_int(r, "truncate", given[0], &length)) ||
        (rc = template_want_bool(r, given[1], &kill)) ||
        (rc = template_want_text(r, "truncate", given[2], &end)) ||
        (given[3].kind != NONE && (rc = template_want_int(r, "truncate", given[3], &leeway))))
        return rc;
    if (length < (int64_t)end->points || leeway < 0)
        return template_fail(r, BASE_E_ARGUMENT, "truncate: expected length >= %zu and leeway >= 0",
                             end->points);
    if ((int64_t)text.text->points <= length || (int64_t)text.text->points - length <= leeway) {
        *out = text;
        return 0;
    }
    size_t bytes = template_offset(text.text, (size_t)length - end->points);
    if ((rc = template_slice_text(r, text.text, 0, bytes, &cut)))
        return rc;
    for (size_t i = bytes; !kill && i > 0; i--)
        if (text.text->data[i - 1] == blank.data[0]) {
            bytes = i - 1;
            break;
        }
    if (!(rc = template_add(r, &b, text.text->data, bytes)))
        rc = template_add(r, &b, end->data, end->bytes);
    return template_take(r, rc, &b, out);
}

FILTER(filter_wordcount)
{
    (void)given;
    struct value text;
    int64_t n = 0;
    bool inside = false;
    int rc = template_str(r, v, &text);
    if (rc)
        return rc;
    for (size_t i = 0, k; i < text.text->bytes; i += k) {
        uint32_t code = 0;
        k = base_utf8_decode(text.text->data + i, text.text->bytes - i, &code);
        k = k ? k : 1;
        bool word = template_is_word(code);
        n += word && !inside;
        inside = word;
    }
    *out = template_integer(n);
    return 0;
}

static int filter_format(struct run *r, struct value v, const struct arguments *a,
                         struct value *out)
{
    struct value text, all;
    int rc;
    if (a->n && a->n_named)
        return template_fail(r, BASE_E_ARGUMENT,
                             "format: positional and named arguments at the same time");
    if ((rc = template_str(r, v, &text)))
        return rc;
    if (a->n_named) {
        if ((rc = template_dict(&r->arena, &all)))
            return rc;
        for (size_t i = 0; i < a->n_named; i++)
            if ((rc = template_dict_put(r, all.dict,
                                        (struct value){ .kind = TEXT, .text = a->named[i].name },
                                        a->named[i].value)))
                return rc;
    } else {
        if ((rc = template_list(&r->arena, FLAVOUR_TUPLE, a->n, &all)))
            return rc;
        for (size_t i = 0; i < a->n; i++)
            all.list->at[all.list->n++] = a->at[i];
    }
    return template_percent(r, text.text, all, out);
}

FILTER(filter_regex_replace)
{
    const struct text *text = NULL, *pattern = NULL, *replacement = NULL;
    int64_t count = 0;
    int rc;
    if ((rc = template_want_text(r, "regex_replace", v, &text)) ||
        (rc = template_want_text(r, "regex_replace", given[0], &pattern)) ||
        (rc = template_want_text(r, "regex_replace", given[1], &replacement)) ||
        (rc = template_want_int(r, "regex_replace", given[2], &count)))
        return rc;
    return template_regex_replace(r, text, pattern, replacement, count, out);
}

FILTER(filter_tojson)
{
    struct template_dump how = { .ascii = true, .sort = true, .html = true };
    struct value separator[2];
    const bool chat = r->t->options.chat;
    int64_t width;
    int rc;
    size_t at = 0;
    if (chat) { /* ensure_ascii, indent, separators, sort_keys */
        how = (struct template_dump){ 0 };
        if ((rc = template_want_bool(r, given[0], &how.ascii)) ||
            (rc = template_want_bool(r, given[3], &how.sort)))
            return rc;
        if (given[2].kind != MISSING && given[2].kind != NONE) {
            struct value *pair;
            size_t n;
            if ((rc = template_iterate(r, given[2], &pair, &n)))
                return rc;
            if (n != 2)
                return template_fail(r, BASE_E_ARGUMENT, "tojson: separators must be two strings");
            for (int i = 0; i < 2; i++) {
                separator[i] = pair[i];
                const struct text *unused;
                if ((rc = template_want_text(r, "tojson", separator[i], &unused)))
                    return rc;
            }
            how.item = separator[0].text;
            how.key = separator[1].text;
        }
        at = 1;
    } else {
        for (int i = 1; i < 4; i++)
            if (given[i].kind != MISSING)
                return template_fail(r, BASE_E_ARGUMENT, "tojson takes one argument, indent");
    }
    struct value indent = given[at];
    if (indent.kind == TEXT) {
        how.indent = indent.text;
    } else if (indent.kind != MISSING && indent.kind != NONE) {
        const struct text space = { " ", 1, 1, false }, empty = { "", 0, 0, false };
        if (!template_index(indent, &width))
            return template_fail(r, BASE_E_ARGUMENT, "tojson: indent is a %s, expected an integer",
                                 template_type(indent));
        if ((rc = template_pad(r, &empty, width, '<', &space, &indent)))
            return rc;
        how.indent = indent.text;
    }
    if ((rc = template_dump_json(r, v, &how, out)))
        return rc;
    return chat ? 0 : mark_safe(r, *out, out);
}

/* ---- numbers ---- */
FILTER(filter_abs)
{
    (void)given;
    int64_t i;
    if (v.kind == REAL) {
        *out = template_real(fabs(v.real));
        return 0;
    }
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    if (!template_index(v, &i))
        return template_fail(r, BASE_E_ARGUMENT, "bad operand type for abs(): '%s'",
                             template_type(v));
    if (i == INT64_MIN)
        return template_fail(r, BASE_E_LIMIT, "an integer beyond 64 bits");
    *out = template_integer(i < 0 ? -i : i);
    return 0;
}

/* float(text) of Python; false when it is none. */
static bool read_real(struct run *r, const struct text *t, double *out)
{
    char b[512];
    struct value bare;
    size_t n = 0;
    if (template_strip(r, t, NULL, 3, &bare) || bare.text->bytes >= sizeof b)
        return false;
    const char *s = bare.text->data;
    size_t bytes = bare.text->bytes;
    for (size_t i = 0; i < bytes; i++) {
        if (s[i] == '_') { /* single ones between digits */
            if (i == 0 || i + 1 == bytes || s[i - 1] < '0' || s[i - 1] > '9' || s[i + 1] < '0' ||
                s[i + 1] > '9')
                return false;
            continue;
        }
        if (!s[i] || s[i] == 'x' || s[i] == 'X' || s[i] == '(')
            return false; /* strtod's hexadecimal and nan(...) */
        b[n++] = s[i];
    }
    b[n] = 0;
    char *end;
    *out = strtod(b, &end);
    return n && !*end;
}

FILTER(filter_float)
{
    double x;
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    if (template_number(v, &x) || (v.kind == TEXT && read_real(r, v.text, &x)))
        *out = template_real(x);
    else
        *out = given[0].kind == MISSING ? template_real(0) : given[0];
    return 0;
}

/* int(text, base): 1, or 0 when it is none, or an error beyond 64 bits. */
static int read_integer(struct run *r, const struct text *t, int64_t base, int64_t *out)
{
    char b[128];
    struct value bare;
    size_t n = 0, from = 0;
    int rc = template_strip(r, t, NULL, 3, &bare);
    if (rc)
        return rc;
    const char *s = bare.text->data;
    size_t bytes = bare.text->bytes;
    if (bytes && (s[0] == '+' || s[0] == '-'))
        b[n++] = s[from++];
    if (bytes - from > 2 && s[from] == '0') {
        char p = s[from + 1] | 32;
        int64_t prefix = p == 'x' ? 16 : p == 'o' ? 8 : p == 'b' ? 2 : 0;
        if (prefix && (base == prefix || base == 0)) {
            base = prefix;
            from += 2;
            from += s[from] == '_';
        }
    }
    bool leading = base == 0 && bytes - from > 1 && s[from] == '0';
    if (base == 0)
        base = 10;
    size_t first = n;
    for (size_t i = from; i < bytes; i++) {
        char c = s[i];
        if (c == '_' && i > from && s[i - 1] != '_' && i + 1 < bytes)
            continue;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'z' ? c - 'a' + 10
                    : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                           : 99;
        if (digit >= base || (leading && digit))
            return 0;
        if (n == first + 1 && b[first] == '0')
            n = first; /* leading zeros take no room */
        if (n + 1 >= sizeof b)
            return template_fail(r, BASE_E_LIMIT, "an integer beyond 64 bits");
        b[n++] = c;
    }
    b[n] = 0;
    if (n == first)
        return 0;
    errno = 0;
    *out = strtoll(b, NULL, (int)base);
    return errno ? template_fail(r, BASE_E_LIMIT, "an integer beyond 64 bits: %s", b) : 1;
}

FILTER(filter_int)
{
    int64_t base = 10, i;
    double x;
    int rc;
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    if ((rc = template_want_int(r, "int", given[1], &base)))
        return rc;
    if (base != 0 && (base < 2 || base > 36))
        return template_fail(r, BASE_E_ARGUMENT, "int: the base must be 0 or 2 to 36");
    bool there = template_index(v, &i);
    if (v.kind == TEXT && (rc = read_integer(r, v.text, base, &i)) != 0) {
        if (rc < 0)
            return rc;
        there = true;
    }
    if (!there && (v.kind == REAL || (v.kind == TEXT && read_real(r, v.text, &x)))) {
        x = v.kind == REAL ? v.real : x;
        if (isinf(x))
            return template_fail(r, BASE_E_ARGUMENT, "cannot convert float infinity to integer");
        if (fabs(x) >= 0x1p63)
            return template_fail(r, BASE_E_LIMIT, "an integer beyond 64 bits");
        if (!isnan(x)) {
            i = (int64_t)x;
            there = true;
        }
    }
    *out = there ? template_integer(i) : given[0].kind == MISSING ? template_integer(0) : given[0];
    return 0;
}

FILTER(filter_round)
{
    static const struct text common = { "common", 6, 6, false };
    const struct text *method = &common;
    int64_t digits = 0, i;
    double x;
    int rc;
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    if ((rc = template_want_int(r, "round", given[0], &digits)) ||
        (rc = template_want_text(r, "round", given[1], &method)))
        return rc;
    if (!template_number(v, &x))
        return template_fail(r, BASE_E_ARGUMENT, "type %s cannot be rounded", template_type(v));
    if (!template_is(method, "common") && !template_is(method, "ceil") &&
        !template_is(method, "floor"))
        return template_fail(r, BASE_E_ARGUMENT, "round: method must be common, ceil or floor");
    if (digits < 0 || digits > 300)
        return template_fail(r, BASE_E_UNSUPPORTED, "round: a precision of %lld is not supported",
                             (long long)digits);
    if (template_is(method, "common")) {
        if (template_index(v, &i)) {
            *out = template_integer(i);
            return 0;
        }
        /* the decimal nearest to the exact value, halves to even, as float.__round__ */
        char text[700];
        snprintf(text, sizeof text, "%.*f", (int)digits, x);
        *out = template_real(isfinite(x) ? strtod(text, NULL) : x);
        return 0;
    }
    double scale = pow(10, (double)digits), scaled = x * scale;
    if (!isfinite(scaled) || fabs(scaled) >= 0x1p63)
        return template_fail(r, BASE_E_LIMIT, "round: the number is too large");
    *out = template_real((template_is(method, "ceil") ? ceil(scaled) : floor(scaled)) / scale);
    return 0;
}

const struct filter template_filters_text[] = {
    { "abs", "", 0, filter_abs, NULL },
    { "capitalize", "", 0, filter_capitalize, NULL },
    { "center", "width", 0, filter_center, NULL },
    { "float", "default", 0, filter_float, NULL },
    { "format", NULL, 0, NULL, filter_format },
    { "indent", "width first blank", 0, filter_indent, NULL },
    { "int", "default base", 0, filter_int, NULL },
    { "lower", "", 0, filter_lower, NULL },
    { "regex_replace", "pattern repl count", 2, filter_regex_replace, NULL },
    { "replace", "old new count", 2, filter_replace, NULL },
    { "round", "precision method", 0, filter_round, NULL },
    { "safe", "", 0, filter_safe, NULL },
    { "string", "", 0, filter_string, NULL },
    { "title", "", 0, filter_title, NULL },
    { "tojson", "ensure_ascii indent separators sort_keys", 0, filter_tojson, NULL },
    { "trim", "chars", 0, filter_trim, NULL },
    { "truncate", "length killwords end leeway", 0, filter_truncate, NULL },
    { "upper", "", 0, filter_upper, NULL },
    { "wordcount", "", 0, filter_wordcount, NULL },
    { 0 },
};
