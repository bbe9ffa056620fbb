/* JSON as text. jansson prints doubles with a fixed number of digits, so that 6.7 comes out as
 * 6.7000000000000002; here a double is printed with as few digits as read back to it: 15, 16 or 17
 * significant ones (15 are always kept by a double, 17 always tell it: Steele and White 1990), and
 * from 1 on where it is subnormal, with fewer bits. In all else the text is as jansson's, byte for
 * byte, and a failed allocation is never overlooked (jansson 2.14 leaves a hole in a key). */
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MOST 5000

char *base_double_text(double x, char out[BASE_DOUBLE_TEXT])
{
    if (x == floor(x) && fabs(x) < 1e17) {
        snprintf(out, BASE_DOUBLE_TEXT, "%.0f", x);
        return out;
    }
    for (int digits = fabs(x) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(out, BASE_DOUBLE_TEXT, "%.*g", digits, x);
        if (strtod(out, NULL) == x)
            break;
    }
    return out;
}

struct writer {
    struct base_buffer b;
    bool indented, compact;
};

/* A double as a JSON number that is no integer: with a point or an exponent without + and zeros. */
static int put_real(struct writer *w, double x)
{
    char text[BASE_DOUBLE_TEXT];
    char *e = strchr(base_double_text(x, text), 'e');
    if (!e)
        return base_buffer_printf(&w->b, strchr(text, '.') ? "%s" : "%s.0", text);
    int exponent = atoi(e + 1);
    *e = 0;
    return base_buffer_printf(&w->b, "%se%d", text, exponent);
}

/* A byte that a JSON string cannot hold as it is. */
static bool is_escaped(unsigned char c)
{
    return c < ' ' || c == '"' || c == '\\';
}

static int put_valid(struct writer *w, const char *s, size_t n)
{
    static const char *const names[] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n",  ['\r'] = "\\r",
        ['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\",
    };
    int rc = base_buffer_append(&w->b, "\"", 1);
    for (size_t i = 0, from = 0; i <= n && !rc; i++) {
        if (i < n && !is_escaped((unsigned char)s[i]))
            continue;
        rc = base_buffer_append(&w->b, s + from, i - from);
        from = i + 1;
        if (rc || i == n)
            continue;
        const char *name = names[(unsigned char)s[i]];
        rc = name ? base_buffer_puts(&w->b, name)
                  : base_buffer_printf(&w->b, "\\u%04X", (unsigned)(unsigned char)s[i]);
    }
    return rc ? rc : base_buffer_append(&w->b, "\"", 1);
}

static int put_string(struct writer *w, const char *s, size_t n)
{
    size_t length;
    if (base_utf8_invalid(s, n) == n)
        return put_valid(w, s, n);
    char *repaired = base_utf8_repair(s, n, &length);
    int rc = repaired ? put_valid(w, repaired, length) : BASE_E_MEMORY;
    base_free(repaired);
    return rc;
}

/* A new line where they are wanted, else the blank behind a comma. */
static int put_break(struct writer *w, unsigned depth, bool blank)
{
    if (!w->indented)
        return blank && !w->compact ? base_buffer_puts(&w->b, " ") : 0;
    int rc = base_buffer_puts(&w->b, "\n");
    for (unsigned i = 0; i < depth && !rc; i++)
        rc = base_buffer_puts(&w->b, "  ");
    return rc;
}

static int put(struct writer *w, const json_t *v, unsigned depth);

static int put_object(struct writer *w, const json_t *v, unsigned depth)
{
    json_t *object = (json_t *)(uintptr_t)v;
    int rc = base_buffer_puts(&w->b, "{");
    bool first = true;
    for (void *i = json_object_iter(object); i && !rc; i = json_object_iter_next(object, i)) {
        if (!first)
            rc = base_buffer_puts(&w->b, ",");
        if (!rc)
            rc = put_break(w, depth + 1, !first);
        first = false;
        if (!rc)
            rc = put_string(w, json_object_iter_key(i), json_object_iter_key_len(i));
        if (!rc)
            rc = base_buffer_puts(&w->b, w->compact ? ":" : ": ");
        if (!rc)
            rc = put(w, json_object_iter_value(i), depth + 1);
    }
    if (!rc && !first)
        rc = put_break(w, depth, false);
    return rc ? rc : base_buffer_puts(&w->b, "}");
}

static int put_array(struct writer *w, const json_t *v, unsigned depth)
{
    size_t n = json_array_size(v);
    int rc = base_buffer_puts(&w->b, "[");
    for (size_t i = 0; i < n && !rc; i++) {
        if (i)
            rc = base_buffer_puts(&w->b, ",");
        if (!rc)
            rc = put_break(w, depth + 1, i > 0);
        if (!rc)
            rc = put(w, json_array_get(v, i), depth + 1);
    }
    if (!rc && n)
        rc = put_break(w, depth, false);
    return rc ? rc : base_buffer_puts(&w->b, "]");
}

static int put(struct writer *w, const json_t *v, unsigned depth)
{
    if (depth > DEPTH_MOST)
        return base_error_set(BASE_E_LIMIT, "JSON nested more than %d deep", DEPTH_MOST);
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT:
        return put_object(w, v, depth);
    case JSON_ARRAY:
        return put_array(w, v, depth);
    case JSON_STRING:
        return put_string(w, json_string_value(v), json_string_length(v));
    case JSON_INTEGER:
        return base_buffer_printf(&w->b, "%lld", (long long)json_integer_value(v));
    case JSON_REAL:
        return put_real(w, json_real_value(v));
    case JSON_TRUE:
        return base_buffer_puts(&w->b, "true");
    case JSON_FALSE:
        return base_buffer_puts(&w->b, "false");
    default:
        return base_buffer_puts(&w->b, "null");
    }
}

static char *text_of(const json_t *value, struct writer w)
{
    /* NULL is what jansson gives for a value that it could not make */
    if (!value || put(&w, value, 0)) {
        base_buffer_free(&w.b);
        if (!value)
            base_error_set(BASE_E_MEMORY, "out of memory while writing JSON");
        return NULL;
    }
    return base_buffer_take(&w.b);
}

char *base_json_dump(const json_t *value, bool indented)
{
    return text_of(value, (struct writer){ .indented = indented });
}

char *base_json_compact(const json_t *value)
{
    return text_of(value, (struct writer){ .compact = true });
}
