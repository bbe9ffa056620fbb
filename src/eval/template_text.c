/* Text as Python makes it: str() and repr() of values, shortest floats, code points, case.
 *
 * A float is the shortest decimal that reads back as the same double, of those the nearest one;
 * with an exponent below 1e-4 and from 1e16 on (float.__repr__). */
#include "base/memory.h"
#include "base/text.h"
#include "eval/space.h"
#include "eval/template_private.h"
#include "eval/template_casing.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

int template_add(struct run *r, struct base_buffer *b, const void *data, size_t n)
{
    size_t most = r->arena.limit;
    if (b->length > most || n > most - b->length)
        return template_fail(r, BASE_E_LIMIT, "a text grows beyond %zu bytes", most);
    return base_buffer_append(b, data, n);
}

int template_take(struct run *r, int rc, struct base_buffer *b, struct value *out)
{
    if (!rc)
        rc = template_text(&r->arena, b->data ? b->data : "", b->length, out);
    base_buffer_free(b);
    return rc;
}

void template_real_repr(double x, char out[48])
{
    char digits[32], text[40];
    if (!isfinite(x)) {
        snprintf(out, 48, "%s", isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
        return;
    }
    for (int p = 0; p < 17; p++) {
        snprintf(text, sizeof text, "%.*e", p, x);
        if (strtod(text, NULL) == x)
            break;
    }
    const char *s = text;
    int n = 0, used = 0;
    if (*s == '-')
        out[used++] = *s++;
    for (; *s && *s != 'e'; s++)
        if (*s != '.')
            digits[n++] = *s;
    int exponent = atoi(s + 1);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = 0;
    if (exponent < -4 || exponent >= 16) {
        snprintf(out + used, (size_t)(48 - used), "%c%s%se%c%02d", digits[0], n > 1 ? "." : "",
                 digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (exponent < 0) {
        used += snprintf(out + used, (size_t)(48 - used), "0.");
        for (int i = -1; i > exponent; i--)
            out[used++] = '0';
        snprintf(out + used, (size_t)(48 - used), "%s", digits);
        return;
    }
    for (int i = 0; i < n || i <= exponent; i++) {
        out[used++] = i < n ? digits[i] : '0';
        if (i == exponent) {
            out[used++] = '.';
            if (i + 1 >= n)
                out[used++] = '0';
        }
    }
    out[used] = 0;
}

/* str.isprintable of one character. */
static bool printable(uint32_t code)
{
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    case UTF8PROC_CATEGORY_ZS:
        return code == ' ';
    default:
        return true;
    }
}

static int add_text_repr(struct run *r, struct base_buffer *b, const struct text *t)
{
    bool single = t->bytes && memchr(t->data, '\'', t->bytes);
    bool both = single && memchr(t->data, '"', t->bytes);
    char quote = single && !both ? '"' : '\'';
    int rc = t->markup ? template_add(r, b, "Markup(", 7) : 0;
    if (!rc)
        rc = template_add(r, b, &quote, 1);
    for (size_t i = 0; i < t->bytes && !rc;) {
        uint32_t code;
        size_t k = base_utf8_decode(t->data + i, t->bytes - i, &code);
        char escape[16];
        int n = 0;
        if (k == 0) {
            k = 1;
            code = 0xfffd;
        }
        if (code == (unsigned char)quote || code == '\\')
            n = snprintf(escape, sizeof escape, "\\%c", (char)code);
        else if (code == '\n' || code == '\r' || code == '\t')
            n = snprintf(escape, sizeof escape, "\\%c",
                         code == '\n'   ? 'n'
                         : code == '\r' ? 'r'
                                        : 't');
        else if (!printable(code))
            n = snprintf(escape, sizeof escape,
                         code < 256     ? "\\x%02x"
                         : code < 65536 ? "\\u%04x"
                                        : "\\U%08x",
                         code);
        rc = n ? template_add(r, b, escape, (size_t)n) : template_add(r, b, t->data + i, k);
        i += k;
    }
    if (!rc)
        rc = template_add(r, b, &quote, 1);
    return !rc && t->markup ? template_add(r, b, ")", 1) : rc;
}

static int add_list(struct run *r, struct base_buffer *b, const struct list *l, int depth)
{
    static const char *const open[] = { "[",           "(", "", "", "dict_keys([", "dict_values([",
                                        "dict_items([" };
    static const char *const close[] = { "]", ")", "", "", "])", "])", "])" };
    char text[96];
    if (l->flavour == FLAVOUR_RANGE) {
        int n = snprintf(text, sizeof text,
                         l->range[2] == 1 ? "range(%lld, %lld)" : "range(%lld, %lld, %lld)",
                         (long long)l->range[0], (long long)l->range[1], (long long)l->range[2]);
        return template_add(r, b, text, (size_t)n);
    }
    int rc = template_add(r, b, open[l->flavour], strlen(open[l->flavour]));
    for (size_t i = 0; i < l->n && !rc; i++) {
        if (i)
            rc = template_add(r, b, ", ", 2);
        if (!rc)
            rc = template_add_repr(r, b, l->at[i], depth + 1);
    }
    if (!rc && l->flavour == FLAVOUR_TUPLE && l->n == 1)
        rc = template_add(r, b, ",", 1);
    return rc ? rc : template_add(r, b, close[l->flavour], strlen(close[l->flavour]));
}

int template_add_repr(struct run *r, struct base_buffer *b, struct value v, int depth)
{
    char text[48];
    int n, rc;
    if (depth > TEMPLATE_DEPTH_VALUES)
        return template_fail(r, BASE_E_LIMIT, "values are nested more than %d deep",
                             TEMPLATE_DEPTH_VALUES);
    if (++r->steps > r->t->options.max_steps)
        return template_fail(r, BASE_E_LIMIT, "more than %zu steps", r->t->options.max_steps);
    switch (v.kind) {
    case NONE:
        return template_add(r, b, "None", 4);
    case BOOLEAN:
        return v.boolean ? template_add(r, b, "True", 4) : template_add(r, b, "False", 5);
    case INTEGER:
        n = snprintf(text, sizeof text, "%lld", (long long)v.integer);
        return template_add(r, b, text, (size_t)n);
    case REAL:
        template_real_repr(v.real, text);
        return template_add(r, b, text, strlen(text));
    case TEXT:
        return add_text_repr(r, b, v.text);
    case LIST:
        if (v.list->flavour == FLAVOUR_ITERATOR)
            break;
        return add_list(r, b, v.list, depth);
    case DICT:
        rc = template_add(r, b, "{", 1);
        for (size_t i = 0; i < v.dict->n && !rc; i++) {
            if (i)
                rc = template_add(r, b, ", ", 2);
            if (!rc && !(rc = template_add_repr(r, b, v.dict->at[i].key, depth + 1)) &&
                !(rc = template_add(r, b, ": ", 2)))
                rc = template_add_repr(r, b, v.dict->at[i].value, depth + 1);
        }
        return rc ? rc : template_add(r, b, "}", 1);
    case UNDEFINED:
        /* in a list: StrictUndefined does not forbid repr */
        return template_add(r, b, "Undefined", 9);
    default:
        break;
    }
    return template_fail(r, BASE_E_UNSUPPORTED,
                         "printing a %s is not supported: Python's text for it holds an address "
                         "(make a list of it, or call it)",
                         template_type(v));
}

int template_add_str(struct run *r, struct base_buffer *b, struct value v, int depth)
{
    if (v.kind == TEXT)
        return template_add(r, b, v.text->data, v.text->bytes);
    if (v.kind == UNDEFINED)
        return template_strict(r, v) ? template_fail_undefined(r, v) : 0;
    return template_add_repr(r, b, v, depth);
}

int template_str(struct run *r, struct value v, struct value *out)
{
    if (v.kind == TEXT) {
        *out = v;
        return 0;
    }
    struct base_buffer b = { 0 };
    int rc = template_add_str(r, &b, v, 0);
    return template_take(r, rc, &b, out);
}

size_t template_offset(const struct text *t, size_t point)
{
    if (t->points == t->bytes)
        return point < t->bytes ? point : t->bytes;
    size_t i = 0;
    for (; i < t->bytes && point; point--)
        for (i++; i < t->bytes && ((unsigned char)t->data[i] & 0xc0) == 0x80; i++)
            ;
    return i;
}

int template_slice_text(struct run *r, const struct text *t, size_t from, size_t to,
                        struct value *out)
{
    return template_text_view(&r->arena, t->data + from, to > from ? to - from : 0, out);
}

static bool is_cased(uint32_t code)
{
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
    return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT ||
           (code >= 0x2160 && code <= 0x217f) || (code >= 0x24b6 && code <= 0x24e9);
}

static bool is_case_ignorable(uint32_t code)
{
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return code == '\'' || code == '.' || code == ':' || code == 0xb7 || code == 0x2019 ||
               code == 0x2018 || code == 0x2024 || code == 0x2027;
    }
}

/* The sigma at `at` ends its word: a cased letter before, none behind. */
static bool final_sigma(const char *s, size_t n, size_t at)
{
    uint32_t code;
    bool before = false;
    for (size_t i = at; i > 0;) {
        do
            i--;
        while (i > 0 && ((unsigned char)s[i] & 0xc0) == 0x80);
        if (base_utf8_decode(s + i, n - i, &code) && !is_case_ignorable(code)) {
            before = is_cased(code);
            break;
        }
    }
    if (!before)
        return false;
    for (size_t i = at + 2, k; i < n; i += k) {
        k = base_utf8_decode(s + i, n - i, &code);
        if (!k)
            return true;
        if (!is_case_ignorable(code))
            return !is_cased(code);
    }
    return true;
}

/* The character at s[at] in the given case (LOWER, UPPER or TITLE). */
int template_case_add(struct run *r, struct base_buffer *b, const char *s, size_t n, size_t at,
                      enum letter_case how)
{
    uint32_t code;
    char bytes[4];
    size_t k = base_utf8_decode(s + at, n - at, &code);
    if (!k)
        return template_add(r, b, s + at, 1);
    if (how == CASE_LOWER) {
        if (code == 0x130)
            return template_add(r, b, "i\xcc\x87", 3);
        if (code == 0x3a3)
            return template_add(r, b, final_sigma(s, n, at) ? "\xcf\x82" : "\xcf\x83", 2);
        k = base_utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)code), bytes);
        return template_add(r, b, bytes, k);
    }
    if (code >= 0xdf)
        for (size_t i = 0; i < sizeof casing / sizeof *casing; i++)
            if (casing[i].code == code) {
                const uint32_t *to = how == CASE_UPPER ? casing[i].upper : casing[i].title;
                int rc = 0;
                for (int j = 0; j < 3 && to[j] && !rc; j++) {
                    k = base_utf8_encode(to[j], bytes);
                    rc = template_add(r, b, bytes, k);
                }
                return rc;
            }
    code = (uint32_t)(how == CASE_UPPER ? utf8proc_toupper((utf8proc_int32_t)code)
                                        : utf8proc_totitle((utf8proc_int32_t)code));
    k = base_utf8_encode(code, bytes);
    return template_add(r, b, bytes, k);
}

int template_case(struct run *r, const struct text *t, enum letter_case how, struct value *out)
{
    struct base_buffer b = { 0 };
    int rc = 0;
    bool inside = false; /* TITLE: behind a cased letter */
    for (size_t i = 0, k; i < t->bytes && !rc; i += k) {
        uint32_t code = 0;
        k = base_utf8_decode(t->data + i, t->bytes - i, &code);
        k = k ? k : 1;
        enum letter_case now = how;
        if (how == CASE_CAPITAL)
            now = i == 0 ? CASE_TITLE : CASE_LOWER;
        else if (how == CASE_TITLE)
            now = inside ? CASE_LOWER : CASE_TITLE;
        else if (how == CASE_SWAP)
            now = utf8proc_category((utf8proc_int32_t)code) == UTF8PROC_CATEGORY_LU ? CASE_LOWER
                                                                                    : CASE_UPPER;
        inside = is_cased(code);
        rc = template_case_add(r, &b, t->data, t->bytes, i, now);
    }
    return template_take(r, rc, &b, out);
}

bool template_is_word(uint32_t code)
{
    if (code == '_')
        return true;
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}
