/* JSON from the wire: RFC 8259 to the letter, into jansson's values; see json.h.
 *
 * jansson's own parser refuses what the grammar allows (NUL in an object's key) and accepts what it
 * does not say (a NUL byte after a number), and base_json_parse refuses duplicate keys, as a file
 * that a person wrote should be. A protocol has no such choice: all that the grammar accepts is
 * read, and nothing else. The last of several equal keys counts, as in ECMAScript. */
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct wire {
    const char *text, *end, *at, *name;
    unsigned depth, depth_most;
    struct base_buffer string; /* the last string, unescaped */
};

static int bad(const struct wire *w, const char *what)
{
    size_t line = 1, column = 1;
    for (const char *p = w->text; p < w->at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return base_error_set(BASE_E_FORMAT, "%s:%zu:%zu: not valid JSON: %s", w->name, line, column,
                          what);
}

static void blanks(struct wire *w)
{
    while (w->at < w->end && (*w->at == ' ' || *w->at == '\n' || *w->at == '\t' || *w->at == '\r'))
        w->at++;
}

static bool is_digit(const struct wire *w, const char *p)
{
    return p < w->end && *p >= '0' && *p <= '9';
}

/* The decimal point is '.' whatever locale the program has. */
static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static void c_locale_open(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static int number(struct wire *w, json_t **out)
{
    const char *from = w->at, *p = from;
    bool whole = true;
    p += *p == '-';
    if (!is_digit(w, p))
        return bad(w, "a minus sign without digits");
    if (*p == '0' && is_digit(w, p + 1))
        return bad(w, "a number that begins with 0");
    while (is_digit(w, p))
        p++;
    if (p < w->end && *p == '.') {
        whole = false;
        if (!is_digit(w, ++p))
            return bad(w, "a decimal point without digits behind it");
        while (is_digit(w, p))
            p++;
    }
    if (p < w->end && (*p == 'e' || *p == 'E')) {
        whole = false;
        p++;
        p += p < w->end && (*p == '+' || *p == '-');
        if (!is_digit(w, p))
            return bad(w, "an exponent without digits");
        while (is_digit(w, p))
            p++;
    }
    /* a copy that ends: the text need not */
    char few[64], *copy = few;
    size_t n = (size_t)(p - from);
    if (n >= sizeof few && !(copy = base_alloc(n + 1, 1)))
        return BASE_E_MEMORY;
    memcpy(copy, from, n);
    copy[n] = 0;
    int rc = 0;
    json_t *value = NULL;
    if (whole) {
        errno = 0;
        long long v = strtoll(copy, NULL, 10);
        if (errno == 0)
            value = json_integer(v);
        whole = errno == 0;
    }
    if (!whole) { /* also integers beyond 64 bits */
        pthread_once(&c_locale_once, c_locale_open);
        double v = c_locale ? strtod_l(copy, NULL, c_locale) : strtod(copy, NULL);
        if (isinf(v))
            rc = bad(w, "a number beyond the range of a double");
        else
            value = json_real(v);
    }
    if (copy != few)
        base_free(copy);
    if (!rc && !value)
        return BASE_E_MEMORY;
    w->at = rc ? w->at : p;
    *out = value;
    return rc;
}

static int hex4(struct wire *w, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, w->at++) {
        char c = w->at < w->end ? *w->at : 0;
        int v = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (v < 0)
            return bad(w, "\\u needs four hexadecimal digits");
        *out = *out * 16 + (uint32_t)v;
    }
    return 0;
}

/* w->at is behind the opening quote; the string, unescaped, into w->string. */
static int string(struct wire *w)
{
    base_buffer_clear(&w->string);
    int rc = base_buffer_puts(&w->string, "");
    while (!rc) {
        const char *from = w->at;
        while (w->at < w->end && *w->at != '"' && *w->at != '\\' && (unsigned char)*w->at >= 0x20)
            w->at++;
        size_t n = (size_t)(w->at - from), invalid = base_utf8_invalid(from, n);
        if (invalid < n) {
            w->at = from + invalid;
            return bad(w, "bytes that are not UTF-8");
        }
        if ((rc = base_buffer_append(&w->string, from, n)))
            return rc;
        if (w->at == w->end)
            return bad(w, "the text ends inside a string");
        char c = *w->at++;
        if (c == '"')
            return 0;
        if (c != '\\') {
            w->at--;
            return bad(w, "a control character inside a string");
        }
        c = w->at < w->end ? *w->at++ : 0;
        static const char from_escape[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *simple = c ? strchr(from_escape, c) : NULL;
        if (simple) {
            rc = base_buffer_append(&w->string, to + (simple - from_escape), 1);
        } else if (c == 'u') {
            uint32_t code, low;
            char bytes[4];
            if ((rc = hex4(w, &code)))
                return rc;
            if (code >= 0xd800 && code < 0xdc00 && w->end - w->at >= 6 && w->at[0] == '\\' &&
                w->at[1] == 'u') {
                w->at += 2;
                if ((rc = hex4(w, &low)))
                    return rc;
                if (low < 0xdc00 || low >= 0xe000)
                    return bad(w, "half a surrogate pair");
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
            if (code >= 0xd800 && code < 0xe000)
                return bad(w, "half a surrogate pair");
            rc = base_buffer_append(&w->string, bytes, base_utf8_encode(code, bytes));
        } else {
            return bad(w, "an escape that JSON has not");
        }
    }
    return rc;
}

static int value(struct wire *w, json_t **out);

/* Elements or members up to `close`; w->at is behind the opening bracket. */
static int container(struct wire *w, char close, json_t **out)
{
    json_t *all = close == ']' ? json_array() : json_object();
    int rc = all ? 0 : BASE_E_MEMORY;
    w->depth++;
    if (!rc && w->depth > w->depth_most)
        rc = base_error_set(BASE_E_LIMIT, "%s: JSON nested more than %u deep", w->name,
                            w->depth_most);
    blanks(w);
    if (!rc && w->at < w->end && *w->at == close) {
        w->at++;
        goto out;
    }
    while (!rc) {
        json_t *one = NULL;
        char *key = NULL;
        size_t n = 0;
        blanks(w);
        if (close == '}') {
            if (w->at == w->end || *w->at != '"') {
                rc = bad(w, "expected a key in double quotes");
                break;
            }
            w->at++;
            if ((rc = string(w)))
                break;
            n = w->string.length;
            if (!(key = base_buffer_take(&w->string))) {
                rc = BASE_E_MEMORY;
                break;
            }
            blanks(w);
            if (w->at == w->end || *w->at != ':')
                rc = bad(w, "expected ':' behind a key");
            else
                w->at++;
        }
        if (!rc)
            rc = value(w, &one);
        if (!rc && (close == ']' ? json_array_append_new(all, one)
                                 : json_object_setn_new_nocheck(all, key, n, one)))
            rc = BASE_E_MEMORY;
        base_free(key);
        if (rc)
            break;
        blanks(w);
        char c = w->at < w->end ? *w->at : 0;
        if (c != ',' && c != close)
            rc = bad(w, close == ']' ? "expected ',' or ']'" : "expected ',' or '}'");
        else
            w->at++;
        if (c == close)
            break;
    }
out:
    w->depth--;
    if (rc)
        json_decref(all);
    else
        *out = all;
    return rc;
}

static int word(struct wire *w, const char *text, json_t *of, json_t **out)
{
    size_t n = strlen(text);
    if ((size_t)(w->end - w->at) < n || memcmp(w->at, text, n) != 0)
        return bad(w, "expected a value");
    w->at += n;
    *out = of;
    return 0;
}

static int value(struct wire *w, json_t **out)
{
    blanks(w);
    if (w->at == w->end)
        return bad(w, "the text ends where a value is expected");
    int rc;
    switch (*w->at) {
    case '{':
        w->at++;
        return container(w, '}', out);
    case '[':
        w->at++;
        return container(w, ']', out);
    case '"':
        w->at++;
        if ((rc = string(w)))
            return rc;
        *out = json_stringn_nocheck(w->string.data, w->string.length);
        return *out ? 0 : BASE_E_MEMORY;
    case 't':
        return word(w, "true", json_true(), out);
    case 'f':
        return word(w, "false", json_false(), out);
    case 'n':
        return word(w, "null", json_null(), out);
    default:
        if (*w->at == '-' || is_digit(w, w->at))
            return number(w, out);
        return bad(w, "expected a value");
    }
}

int base_json_parse_wire(json_t **out, const char *text, size_t bytes, unsigned depth,
                         const char *name)
{
    struct wire w = { .text = text ? text : "", .name = name, .depth_most = depth ? depth : 512 };
    w.at = w.text;
    w.end = w.text + bytes;
    json_t *all = NULL;
    int rc = value(&w, &all);
    if (!rc) {
        blanks(&w);
        if (w.at < w.end) {
            json_decref(all);
            rc = bad(&w, "something follows the value");
        }
    }
    base_buffer_free(&w.string);
    if (!rc)
        *out = all;
    return rc;
}
