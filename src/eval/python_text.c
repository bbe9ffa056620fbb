/* Python's text conventions; python_text.h says what for. */
#include "eval/python_text.h"
#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* CPython's float_repr_style "short": the shortest "%.{p}g" that reads back, with an exponent when
 * the decimal point would be more than 16 digits right or 4 left. */
void python_float(double x, char out[32])
{
    if (isnan(x) || isinf(x)) {
        strcpy(out, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        return;
    }
    char digits[32];
    int precision = 1;
    for (; precision < 18; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision - 1, x);
        if (strtod(digits, NULL) == x)
            break;
    }
    int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) {
        char *e = strchr(digits, 'e');
        *e = 0;
        snprintf(out, 32, "%.24se%c%02d", digits, exponent < 0 ? '-' : '+', abs(exponent) % 1000);
        return;
    }
    int decimals = precision - 1 - exponent;
    snprintf(out, 32, "%.*f", decimals > 0 ? decimals : 1, x);
}

static bool printable(uint32_t code)
{
    if (code < 0x7f)
        return code >= 0x20;
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
        return false;
    default:
        return true;
    }
}

static int repr_string(struct base_buffer *b, const char *s, size_t n)
{
    bool single = memchr(s, '\'', n) != NULL, twice = memchr(s, '"', n) != NULL;
    char quote = single && !twice ? '"' : '\'';
    int rc = base_buffer_append(b, &quote, 1);
    for (size_t i = 0; rc == 0 && i < n;) {
        uint32_t code;
        size_t length = base_utf8_decode(s + i, n - i, &code);
        if (length == 0)
            return base_error_set(BASE_E_FORMAT, "a string is not valid UTF-8");
        if (code == (uint32_t)quote || code == '\\')
            rc = base_buffer_printf(b, "\\%c", (int)code);
        else if (code == '\n' || code == '\r' || code == '\t')
            rc = base_buffer_puts(b, code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t");
        else if (printable(code))
            rc = base_buffer_append(b, s + i, length);
        else if (code < 0x100)
            rc = base_buffer_printf(b, "\\x%02x", code);
        else if (code < 0x10000)
            rc = base_buffer_printf(b, "\\u%04x", code);
        else
            rc = base_buffer_printf(b, "\\U%08x", code);
        i += length;
    }
    return rc ? rc : base_buffer_append(b, &quote, 1);
}

int python_repr(struct base_buffer *b, const json_t *value)
{
    char number[32];
    int rc = 0;
    switch (json_typeof(value)) {
    case JSON_NULL:
        return base_buffer_puts(b, "None");
    case JSON_TRUE:
        return base_buffer_puts(b, "True");
    case JSON_FALSE:
        return base_buffer_puts(b, "False");
    case JSON_INTEGER:
        return base_buffer_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:
        python_float(json_real_value(value), number);
        return base_buffer_puts(b, number);
    case JSON_STRING:
        return repr_string(b, json_string_value(value), json_string_length(value));
    case JSON_ARRAY:
        rc = base_buffer_puts(b, "[");
        for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
            rc = i ? base_buffer_puts(b, ", ") : 0;
            rc = rc ? rc : python_repr(b, json_array_get(value, i));
        }
        return rc ? rc : base_buffer_puts(b, "]");
    case JSON_OBJECT:
        break;
    }
    const char *key;
    json_t *member;
    bool first = true;
    rc = base_buffer_puts(b, "{");
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        rc = rc || first ? rc : base_buffer_puts(b, ", ");
        rc = rc ? rc : repr_string(b, key, strlen(key));
        rc = rc ? rc : base_buffer_puts(b, ": ");
        rc = rc ? rc : python_repr(b, member);
        first = false;
    }
    return rc ? rc : base_buffer_puts(b, "}");
}

int python_str(struct base_buffer *b, const json_t *value)
{
    if (json_is_string(value))
        return base_buffer_append(b, json_string_value(value), json_string_length(value));
    return python_repr(b, value);
}

/* ---- json.dumps(indent=2, ensure_ascii=False) ---- */

static int json_text(struct base_buffer *b, const char *s, size_t n)
{
    int rc = base_buffer_puts(b, "\"");
    size_t plain = 0; /* s[plain..i) waits to be appended as it is */
    for (size_t i = 0; rc == 0 && i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        rc = base_buffer_append(b, s + plain, i - plain);
        plain = i + 1;
        const char *short_form = c == '"'    ? "\\\""
                                 : c == '\\' ? "\\\\"
                                 : c == '\n' ? "\\n"
                                 : c == '\r' ? "\\r"
                                 : c == '\t' ? "\\t"
                                 : c == '\b' ? "\\b"
                                 : c == '\f' ? "\\f"
                                             : NULL;
        if (rc == 0)
            rc = short_form ? base_buffer_puts(b, short_form) : base_buffer_printf(b, "\\u%04x", c);
    }
    rc = rc ? rc : base_buffer_append(b, s + plain, n - plain);
    return rc ? rc : base_buffer_puts(b, "\"");
}

static int new_line(struct base_buffer *b, int depth)
{
    return base_buffer_printf(b, "\n%*s", 2 * depth, "");
}

static int json_value(struct base_buffer *b, const json_t *value, int depth)
{
    int rc = 0;
    bool first = true;
    if (json_is_array(value)) {
        if (json_array_size(value) == 0)
            return base_buffer_puts(b, "[]");
        rc = base_buffer_puts(b, "[");
        for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
            rc = i ? base_buffer_puts(b, ",") : 0;
            rc = rc ? rc : new_line(b, depth + 1);
            rc = rc ? rc : json_value(b, json_array_get(value, i), depth + 1);
        }
        rc = rc ? rc : new_line(b, depth);
        return rc ? rc : base_buffer_puts(b, "]");
    }
    if (json_is_object(value)) {
        if (json_object_size(value) == 0)
            return base_buffer_puts(b, "{}");
        const char *key;
        json_t *member;
        rc = base_buffer_puts(b, "{");
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            rc = rc || first ? rc : base_buffer_puts(b, ",");
            rc = rc ? rc : new_line(b, depth + 1);
            rc = rc ? rc : json_text(b, key, strlen(key));
            rc = rc ? rc : base_buffer_puts(b, ": ");
            rc = rc ? rc : json_value(b, member, depth + 1);
            first = false;
        }
        rc = rc ? rc : new_line(b, depth);
        return rc ? rc : base_buffer_puts(b, "}");
    }
    if (json_is_string(value))
        return json_text(b, json_string_value(value), json_string_length(value));
    if (json_is_null(value))
        return base_buffer_puts(b, "null");
    if (json_is_boolean(value))
        return base_buffer_puts(b, json_is_true(value) ? "true" : "false");
    return python_repr(b, value);
}

int python_json(struct base_buffer *b, const json_t *value)
{
    return json_value(b, value, 0);
}

/* ---- white space, case, digits ---- */

bool python_isspace(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t python_length(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

bool python_begins_with_space(const char *s)
{
    uint32_t code;
    return base_utf8_decode(s, strlen(s), &code) > 0 && python_isspace(code);
}

/* Start of the character that ends at s + n (n > 0). */
static size_t last_character(const char *s, size_t n)
{
    size_t i = n - 1;
    while (i > 0 && ((unsigned char)s[i] & 0xc0) == 0x80)
        i--;
    return i;
}

bool python_ends_with_space(const char *s)
{
    size_t n = strlen(s);
    uint32_t code;
    if (n == 0)
        return false;
    size_t i = last_character(s, n);
    return base_utf8_decode(s + i, n - i, &code) > 0 && python_isspace(code);
}

const char *python_strip(const char *s, size_t *n)
{
    uint32_t code;
    size_t length, left = strlen(s);
    while ((length = base_utf8_decode(s, left, &code)) > 0 && python_isspace(code)) {
        s += length;
        left -= length;
    }
    while (left > 0) {
        size_t i = last_character(s, left);
        if (base_utf8_decode(s + i, left - i, &code) == 0 || !python_isspace(code))
            break;
        left = i;
    }
    *n = left;
    return s;
}

static char *map_case(const char *s, bool upper)
{
    struct base_buffer b = { 0 };
    size_t n = strlen(s);
    int rc = base_buffer_reserve(&b, n + 1);
    for (size_t i = 0; rc == 0 && i < n;) {
        uint32_t code;
        char text[4];
        size_t length = base_utf8_decode(s + i, n - i, &code);
        if (length == 0) {
            rc = base_buffer_append(&b, s + i++, 1);
            continue;
        }
        i += length;
        if (upper && code == 0xdf) {
            rc = base_buffer_puts(&b, "SS");
            continue;
        }
        code = (uint32_t)(upper ? utf8proc_toupper((utf8proc_int32_t)code)
                                : utf8proc_tolower((utf8proc_int32_t)code));
        rc = base_buffer_append(&b, text, base_utf8_encode(code, text));
    }
    if (rc == 0)
        return base_buffer_take(&b);
    base_buffer_free(&b);
    return NULL;
}

char *python_lower(const char *s)
{
    return map_case(s, false);
}
char *python_upper(const char *s)
{
    return map_case(s, true);
}

bool python_isdigit(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}
