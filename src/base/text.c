/* UTF-8 by the well-formedness table of the Unicode Standard (chapter 3, table 3-7), and small
 * string helpers. */
#include "base/text.h"
#include "base/memory.h"
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* What stands at s[0..n), n >= 1: `length` bytes of a character that needs `need` bytes. A whole
 * character has length == need; a cut-off one (the text ends inside) 0 < length < need with cut
 * true; an ill-formed one has need 0 and length = its maximal subpart, the bytes that one U+FFFD
 * replaces. */
struct utf8_unit {
    size_t length, need;
    bool cut;
    uint32_t code;
};

static struct utf8_unit utf8_unit_at(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        return (struct utf8_unit){ .length = 1, .need = 1, .code = s[0] };
    }
    /* The second byte's range shuts out overlong forms (E0, F0), surrogates (ED), > U+10FFFF (F4).
     */
    size_t need;
    unsigned low = 0x80, high = 0xBF;
    uint32_t code;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        need = 2, code = s[0] & 0x1Fu;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        need = 3, code = s[0] & 0x0Fu;
        low = s[0] == 0xE0 ? 0xA0 : low;
        high = s[0] == 0xED ? 0x9F : high;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        need = 4, code = s[0] & 0x07u;
        low = s[0] == 0xF0 ? 0x90 : low;
        high = s[0] == 0xF4 ? 0x8F : high;
    } else {
        return (struct utf8_unit){ .length = 1 };
    }
    for (size_t i = 1; i < need; i++) {
        if (i == n) {
            return (struct utf8_unit){ .length = i, .need = need, .cut = true };
        }
        if (s[i] < low || s[i] > high) {
            return (struct utf8_unit){ .length = i };
        }
        code = code << 6 | (s[i] & 0x3Fu);
        low = 0x80, high = 0xBF;
    }
    return (struct utf8_unit){ .length = need, .need = need, .code = code };
}

size_t base_utf8_decode(const char *s, size_t n, uint32_t *code)
{
    if (n == 0) {
        return 0;
    }
    struct utf8_unit unit = utf8_unit_at(s, n);
    if (unit.length != unit.need) {
        return 0;
    }
    *code = unit.code;
    return unit.length;
}

size_t base_utf8_encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[5] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(lead[length] | code);
    return length;
}

size_t base_utf8_invalid(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint64_t eight;
        if (n - i >= sizeof eight) { /* ASCII, which most text is, eight at a time */
            memcpy(&eight, s + i, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                i += sizeof eight;
                continue;
            }
        }
        struct utf8_unit unit = utf8_unit_at(s + i, n - i);
        if (unit.length != unit.need) {
            return i;
        }
        i += unit.length;
    }
    return n;
}

size_t base_utf8_complete(const char *s, size_t n)
{
    /* A cut-off character has at most 3 bytes; the last lead byte within reach decides. */
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = (unsigned char)s[n - back];
        if ((c & 0xC0) != 0x80) {
            return utf8_unit_at(s + n - back, back).cut ? n - back : n;
        }
    }
    return n;
}

char *base_utf8_repair(const char *s, size_t n, size_t *length)
{
    size_t bytes = 1, used = 0;
    for (size_t i = 0; i < n;) {
        struct utf8_unit unit = utf8_unit_at(s + i, n - i);
        bytes += unit.length == unit.need ? unit.length : 3;
        i += unit.length;
    }
    char *out = base_alloc(bytes, 1);
    if (!out) {
        return NULL;
    }
    for (size_t i = 0; i < n;) {
        struct utf8_unit unit = utf8_unit_at(s + i, n - i);
        if (unit.length == unit.need) {
            memcpy(out + used, s + i, unit.length);
            used += unit.length;
        } else {
            memcpy(out + used, "\xEF\xBF\xBD", 3);
            used += 3;
        }
        i += unit.length;
    }
    out[used] = 0;
    if (length) {
        *length = used;
    }
    return out;
}

static locale_t width_locale;
static void width_locale_open(void)
{
    width_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

int base_utf8_columns(const char *s, size_t n)
{
    /* The C library's width table, in a UTF-8 locale whatever the user's is. */
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, width_locale_open);
    locale_t before = width_locale ? uselocale(width_locale) : (locale_t)0;
    int columns = 0;
    for (size_t i = 0; i < n;) {
        struct utf8_unit unit = utf8_unit_at(s + i, n - i);
        int width = 1; /* a terminal shows a replacement character for bad bytes */
        if (unit.length == unit.need && unit.code >= 0x80) {
            width = width_locale ? wcwidth((wchar_t)unit.code) : 1;
        } else if (unit.length == unit.need && (unit.code < 0x20 || unit.code == 0x7f)) {
            width = 0;
        }
        columns += width > 0 ? width : 0;
        i += unit.length;
    }
    if (before) {
        uselocale(before);
    }
    return columns;
}

bool base_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool base_ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

int base_parse_int(const char *s, const char *what, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(s, &end, 10);
    if (end == s || *end || isspace((unsigned char)s[0])) {
        return base_error_set(BASE_E_ARGUMENT, "%s: expected an integer, got \"%s\"", what, s);
    }
    if (errno == ERANGE || value < min || value > max) {
        return base_error_set(BASE_E_ARGUMENT, "%s: %s is not between %lld and %lld", what, s,
                              (long long)min, (long long)max);
    }
    *out = value;
    return 0;
}

int base_parse_double(const char *s, const char *what, double *out)
{
    char *end;
    double value = strtod(s, &end);
    if (end == s || *end || isspace((unsigned char)s[0]) || !isfinite(value)) {
        return base_error_set(BASE_E_ARGUMENT, "%s: expected a finite number, got \"%s\"", what, s);
    }
    *out = value;
    return 0;
}

void base_text_clean(char *s)
{
    for (size_t n = strlen(s); n;) {
        uint32_t code;
        size_t length = base_utf8_decode(s, n, &code);
        if (!length)
            *s = '?';
        else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
            memset(s, ' ', length);
        length = length ? length : 1;
        s += length;
        n -= length;
    }
}
