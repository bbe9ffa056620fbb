/* Values of PostgreSQL, in the text form in which the server prints them, as JSON that loses
 * nothing. A number becomes a JSON number only where a double (or 64-bit integer) reads back to the
 * same decimal digits: 15 significant ones always do. */
#include "agent/postgres_private.h"
#include "base/json.h"
#include "base/memory.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOB_SHOWN   256
#define DIGITS_EXACT 15
#define DEPTH_MOST   6 /* of arrays, as PostgreSQL's MAXDIM */

enum agent_pg_kind agent_pg_kind_of(Oid type)
{
    switch (type) { /* pg_type.dat; fixed for ever */
    case 16:
        return AGENT_PG_BOOLEAN;
    case 17:
        return AGENT_PG_BYTES;
    case 20: /* int8, int2, int4, oid */
    case 21:
    case 23:
    case 26:
        return AGENT_PG_INTEGER;
    case 700: /* float4, float8 */
    case 701:
        return AGENT_PG_REAL;
    case 1700:
        return AGENT_PG_NUMERIC;
    case 114: /* json, jsonb */
    case 3802:
        return AGENT_PG_JSON;
    default:
        return AGENT_PG_TEXT;
    }
}

static json_t *real_json(const char *text)
{
    double x = strtod(text, NULL);
    return isfinite(x) ? json_real(x)
                       : json_pack("{s:s}", "real",
                                   isnan(x) ? "NaN"
                                   : x < 0  ? "-Inf"
                                            : "Inf");
}

/* Whether the number in text[0..n) (JSON's or numeric's grammar) is kept by a double. */
static bool double_keeps(const char *text, size_t n)
{
    size_t digits = 0, zeros = 0;
    bool begun = false;
    size_t i = 0;
    for (; i < n && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] < '0' || text[i] > '9')
            continue;
        begun |= text[i] != '0';
        if (!begun)
            continue;
        if (text[i] == '0') {
            zeros++;
        } else {
            digits += zeros + 1;
            zeros = 0;
        }
    }
    char copy[400];
    if (n >= sizeof copy)
        return false;
    memcpy(copy, text, n);
    copy[n] = 0;
    double x = strtod(copy, NULL);
    /* subnormal numbers have fewer digits */
    return digits <= DIGITS_EXACT && isfinite(x) && (!begun || fabs(x) >= 2.3e-308);
}

/* An integer of 64 bits in all of text[0..n). */
static bool integer_of(const char *text, size_t n, long long *out)
{
    char copy[24], *end;
    if (n == 0 || n >= sizeof copy)
        return false;
    memcpy(copy, text, n);
    copy[n] = 0;
    errno = 0;
    *out = strtoll(copy, &end, 10);
    return !*end && !errno && !(copy[0] == '-' && copy[1] == '0');
}

static json_t *numeric_json(const char *text, size_t n)
{
    long long integer;
    if (strcmp(text, "NaN") == 0 || strstr(text, "Infinity"))
        return real_json(text);
    if (integer_of(text, n, &integer))
        return json_integer(integer);
    return memchr(text, '.', n) && double_keeps(text, n) ? json_real(strtod(text, NULL))
                                                         : base_json_text(text, n);
}

static json_t *bytes_json(const char *text, size_t n)
{
    if (n < 2 || text[0] != '\\' || text[1] != 'x')
        return base_json_text(text, n);
    size_t shown = n - 2 < 2 * BLOB_SHOWN ? n - 2 : 2 * BLOB_SHOWN;
    return json_pack("{s:s%, s:I}", "blob", text + 2, shown, "bytes", (json_int_t)((n - 2) / 2));
}

/* Whether every number in a JSON text is one that json_t keeps. */
static bool numbers_kept(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (s[i] == '"') {
            for (i++; i < n && s[i] != '"'; i++)
                i += s[i] == '\\';
            i++;
        } else if (s[i] == '-' || (s[i] >= '0' && s[i] <= '9')) {
            size_t from = i;
            long long integer;
            while (i < n && s[i] && strchr("+-.eE0123456789", s[i]))
                i++;
            bool whole = true;
            for (size_t k = from; k < i; k++)
                whole &= s[k] != '.' && s[k] != 'e' && s[k] != 'E';
            if (whole ? !integer_of(s + from, i - from, &integer)
                      : !double_keeps(s + from, i - from))
                return false;
        } else {
            i++;
        }
    }
    return true;
}

static json_t *json_json(const char *text, size_t n)
{
    json_t *value = NULL;
    if (numbers_kept(text, n) && base_json_parse_wire(&value, text, n, 64, "json") == 0)
        return value;
    return base_json_text(text, n);
}

static json_t *scalar_json(enum agent_pg_kind kind, const char *text, size_t n)
{
    long long integer;
    switch (kind) {
    case AGENT_PG_INTEGER:
        return integer_of(text, n, &integer) ? json_integer(integer) : base_json_text(text, n);
    case AGENT_PG_BOOLEAN:
        return json_boolean(text[0] == 't');
    case AGENT_PG_REAL:
        return real_json(text);
    case AGENT_PG_NUMERIC:
        return numeric_json(text, n);
    case AGENT_PG_BYTES:
        return bytes_json(text, n);
    case AGENT_PG_JSON:
        return json_json(text, n);
    default:
        return base_json_text(text, n);
    }
}

/* ---- arrays: {1,NULL,"a \"b\""}, {{1,2},{3,4}}, [0:1]={5,6} ---- */

struct array {
    const struct agent_pg_type *type;
    const char *s, *end;
    bool bad, memory;
};

static json_t *array_read(struct array *a, unsigned depth);

/* A quoted element's or a bare one's text without its marks. */
static json_t *element_read(struct array *a)
{
    struct base_buffer b = { 0 };
    bool quoted = a->s < a->end && *a->s == '"';
    const char *from = a->s;
    a->s += quoted;
    while (a->s < a->end && (quoted ? *a->s != '"' : *a->s != a->type->delimiter && *a->s != '}')) {
        a->s += *a->s == '\\' && a->s + 1 < a->end;
        a->memory |= base_buffer_append(&b, a->s++, 1) != 0;
    }
    if (quoted)
        a->bad |= a->s++ >= a->end;
    bool null = !quoted && a->s - from == 4 && memcmp(from, "NULL", 4) == 0;
    json_t *value = a->memory ? NULL
                    : null    ? json_null()
                              : scalar_json(a->type->element, b.data ? b.data : "", b.length);
    base_buffer_free(&b);
    return value;
}

static json_t *array_read(struct array *a, unsigned depth)
{
    json_t *all = json_array();
    a->memory |= !all;
    if (depth == DEPTH_MOST || a->s >= a->end || *a->s != '{') {
        a->bad = true;
        return all;
    }
    a->s++;
    while (!a->bad && !a->memory && a->s < a->end && *a->s != '}') {
        json_t *one = *a->s == '{' ? array_read(a, depth + 1) : element_read(a);
        a->memory |= json_array_append_new(all, one) != 0;
        if (a->s < a->end && *a->s == a->type->delimiter)
            a->s++;
        else
            a->bad |= a->s >= a->end || *a->s != '}';
    }
    a->bad |= a->s++ >= a->end;
    return all;
}

static json_t *array_json(const struct agent_pg_type *type, const char *text, size_t n)
{
    struct array a = { .type = type, .s = text, .end = text + n };
    if (n && text[0] == '[') { /* bounds that do not begin at 1 */
        const char *equals = memchr(text, '=', n);
        a.s = equals ? equals + 1 : a.end;
    }
    json_t *value = array_read(&a, 0);
    if (!a.memory && !a.bad && a.s == a.end)
        return value;
    json_decref(value);
    return a.memory ? NULL : base_json_text(text, n);
}

json_t *agent_pg_value(const struct agent_pg_type *type, const char *text, size_t bytes)
{
    return type->kind == AGENT_PG_ARRAY ? array_json(type, text, bytes)
                                        : scalar_json(type->kind, text, bytes);
}
