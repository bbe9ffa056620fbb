/* One text of every record of JSON Lines, without building the record: what a scan over gigabytes
 * needs. A line is checked against JSON's whole grammar (RFC 8259) in one pass that remembers where
 * the wanted key's string is. Whatever is unusual (escaped keys, surrogates, numbers beyond 15
 * digits, wide or deep objects, the key absent or no string) and whatever is wrong goes to
 * base_json_parse, which reads or refuses it as data_records_next does: so the quick pass need not
 * know everything, but accepts nothing that base_json_parse would not. */
#include "base/text.h"
#include "data/records.h"
#include <string.h>

enum { KEYS_MOST = 32, DEPTH_MOST = 16, DIGITS_MOST = 15 };

struct scan {
    const char *s;
    size_t at, n;
    const char *key;
    size_t key_bytes;
    size_t from, to;     /* the wanted string, between its quotes */
    bool found, escaped; /* escaped: it has escapes */
};

static void blanks(struct scan *x)
{
    while (x->at < x->n && (x->s[x->at] == ' ' || x->s[x->at] == '\t' || x->s[x->at] == '\r' ||
                            x->s[x->at] == '\n'))
        x->at++;
}

static bool take(struct scan *x, char c)
{
    if (x->at >= x->n || x->s[x->at] != c)
        return false;
    x->at++;
    return true;
}

/* Bytes until a quote, a backslash or a control character, eight at a time: in each byte the high
 * bit of (v - 0x01..) & ~v says that v is 0 (v: the word against the character), that of
 * (w - 0x20..) & ~w that it is below 0x20. */
static size_t plain_bytes(const char *s, size_t n)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w, q, b;
        memcpy(&w, s + i, 8);
        q = w ^ (ones * '"');
        b = w ^ (ones * '\\');
        if (((q - ones) & ~q & high) | ((b - ones) & ~b & high) | ((w - ones * 0x20) & ~w & high))
            break;
    }
    while (i < n && s[i] != '"' && s[i] != '\\' && (unsigned char)s[i] >= 0x20)
        i++;
    return i;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The code unit of four hexadecimal digits, or -1. */
static int code_unit(const char *s, size_t n)
{
    int code = 0;
    for (size_t i = 0; i < 4; i++) {
        int d = i < n ? hex_digit(s[i]) : -1;
        if (d < 0)
            return -1;
        code = code * 16 + d;
    }
    return code;
}

/* Behind the opening quote; *to: where the closing one is, *escaped: there are escapes. */
static bool string(struct scan *x, size_t *to, bool *escaped)
{
    *escaped = false;
    for (;;) {
        x->at += plain_bytes(x->s + x->at, x->n - x->at);
        if (x->at >= x->n)
            return false;
        if (x->s[x->at] == '"') {
            *to = x->at++;
            return true;
        }
        if (x->s[x->at] != '\\' || x->at + 1 >= x->n)
            return false;
        *escaped = true;
        char c = x->s[x->at + 1];
        if (c == 'u') {
            int code = code_unit(x->s + x->at + 2, x->n - x->at - 2);
            if (code <= 0 || (code >= 0xd800 && code < 0xe000))
                return false;
            x->at += 6;
        } else if (c && strchr("\"\\/bfnrt", c)) {
            x->at += 2;
        } else {
            return false;
        }
    }
}

static bool digits(struct scan *x)
{
    size_t from = x->at;
    while (x->at < x->n && x->s[x->at] >= '0' && x->s[x->at] <= '9')
        x->at++;
    return x->at > from && x->at - from <= DIGITS_MOST;
}

static bool number(struct scan *x)
{
    take(x, '-');
    if (take(x, '0')) {
        if (x->at < x->n && x->s[x->at] >= '0' && x->s[x->at] <= '9')
            return false;
    } else if (!digits(x)) {
        return false;
    }
    if (take(x, '.') && !digits(x))
        return false;
    return x->at >= x->n || (x->s[x->at] != 'e' && x->s[x->at] != 'E');
}

static bool word(struct scan *x, const char *w)
{
    size_t n = strlen(w);
    if (x->n - x->at < n || memcmp(x->s + x->at, w, n) != 0)
        return false;
    x->at += n;
    return true;
}

static bool value(struct scan *x, int depth);

/* Behind '{'. Keys that come twice are refused, as they are there. */
static bool object(struct scan *x, int depth)
{
    struct {
        size_t from, bytes;
    } keys[KEYS_MOST];
    size_t n = 0;
    blanks(x);
    if (take(x, '}'))
        return true;
    for (;;) {
        size_t from, to, bytes;
        bool escaped;
        blanks(x);
        if (n == KEYS_MOST || !take(x, '"'))
            return false;
        from = x->at;
        if (!string(x, &to, &escaped) || escaped)
            return false;
        bytes = to - from;
        for (size_t i = 0; i < n; i++)
            if (keys[i].bytes == bytes && memcmp(x->s + keys[i].from, x->s + from, bytes) == 0)
                return false;
        keys[n].from = from;
        keys[n++].bytes = bytes;
        blanks(x);
        if (!take(x, ':'))
            return false;
        blanks(x);
        if (depth == 0 && bytes == x->key_bytes && memcmp(x->s + from, x->key, bytes) == 0) {
            if (!take(x, '"'))
                return false;
            x->from = x->at;
            if (!string(x, &x->to, &x->escaped))
                return false;
            x->found = true;
        } else if (!value(x, depth + 1)) {
            return false;
        }
        blanks(x);
        if (take(x, '}'))
            return true;
        if (!take(x, ','))
            return false;
    }
}

static bool array(struct scan *x, int depth)
{
    blanks(x);
    if (take(x, ']'))
        return true;
    for (;;) {
        blanks(x);
        if (!value(x, depth + 1))
            return false;
        blanks(x);
        if (take(x, ']'))
            return true;
        if (!take(x, ','))
            return false;
    }
}

static bool value(struct scan *x, int depth)
{
    size_t to;
    bool escaped;
    if (depth > DEPTH_MOST || x->at >= x->n)
        return false;
    switch (x->s[x->at]) {
    case '{':
        x->at++;
        return object(x, depth);
    case '[':
        x->at++;
        return array(x, depth);
    case '"':
        x->at++;
        return string(x, &to, &escaped);
    case 't':
        return word(x, "true");
    case 'f':
        return word(x, "false");
    case 'n':
        return word(x, "null");
    default:
        return number(x);
    }
}

/* The string's escapes undone, in place: what they stand for is never longer. New length. */
static size_t unescape(char *s, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n;) {
        if (s[i] != '\\') {
            s[to++] = s[i++];
            continue;
        }
        static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
        const char *name = strchr(names, s[i + 1]);
        if (name) {
            s[to++] = meant[name - names];
            i += 2;
        } else {
            char bytes[4];
            size_t count = base_utf8_encode((uint32_t)code_unit(s + i + 2, n - i - 2), bytes);
            memcpy(s + to, bytes, count);
            to += count;
            i += 6;
        }
    }
    return to;
}

int data_records_text_of(struct data_records *r, const char *key, const char **text, size_t *bytes,
                         json_t **row)
{
    *text = NULL;
    *row = NULL;
    if (r->format != DATA_FORMAT_JSONL || r->failed)
        return data_records_next(r, row);
    for (;;) {
        base_buffer_clear(&r->record);
        r->record_line = r->line + 1;
        int rc = data_records_line(r);
        if (rc < 0)
            return data_records_fail(r, rc);
        if (rc == 0)
            return 0;
        char *line = r->record.data;
        size_t n = r->record.length;
        struct scan x = { .s = line, .n = n, .key = key, .key_bytes = strlen(key) };
        blanks(&x);
        if (x.at == n)
            continue;
        bool simple = take(&x, '{') && object(&x, 0) && x.found;
        blanks(&x);
        if (simple && x.at == n && base_utf8_invalid(line, n) == n) {
            *text = line + x.from;
            *bytes = x.escaped ? unescape(line + x.from, x.to - x.from) : x.to - x.from;
            r->count++;
            return 1;
        }
        rc = data_records_parse(r, row);
        if (rc < 0)
            return data_records_fail(r, rc);
        r->count++;
        return 1;
    }
}
