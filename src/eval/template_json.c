/* tojson (Python's json.dumps), Python literals, dates, and Python's re.sub. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/template_private.h"
#include <math.h>
#include <pcre2.h>
#include <stdlib.h>
#include <time.h>

/* ---- json.dumps ---- */
struct dump {
    const struct template_dump *how;
    struct base_buffer b;
    const char *item, *key;
    size_t item_bytes, key_bytes;
};

static int put(struct run *r, struct dump *d, const char *s)
{
    return template_add(r, &d->b, s, strlen(s));
}

static int put_string(struct run *r, struct dump *d, const struct text *t)
{
    int rc = put(r, d, "\"");
    for (size_t i = 0, k; i < t->bytes && !rc; i += k) {
        uint32_t code = 0;
        char escape[16] = "";
        k = base_utf8_decode(t->data + i, t->bytes - i, &code);
        if (!k) {
            k = 1;
            code = 0xfffd;
        }
        static const char plain[] = "\"\\\n\r\t\f\b", names[] = "\"\\nrtfb";
        const char *known = code && code < 128 ? strchr(plain, (int)code) : NULL;
        if (known)
            snprintf(escape, sizeof escape, "\\%c", names[known - plain]);
        else if (code < 32 || (d->how->ascii && code > 126 && code < 0x10000) ||
                 (d->how->html && code < 128 && code && strchr("<>&'", (int)code)))
            snprintf(escape, sizeof escape, "\\u%04x", code);
        else if (d->how->ascii && code > 0xffff)
            snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                     0xdc00 + ((code - 0x10000) & 0x3ff));
        rc = *escape ? put(r, d, escape) : template_add(r, &d->b, t->data + i, k);
    }
    return rc ? rc : put(r, d, "\"");
}

static int new_line(struct run *r, struct dump *d, int depth)
{
    int rc = d->how->indent ? put(r, d, "\n") : 0;
    for (int i = 0; d->how->indent && i < depth && !rc; i++)
        rc = template_add(r, &d->b, d->how->indent->data, d->how->indent->bytes);
    return rc;
}

static int dump_value(struct run *r, struct dump *d, struct value v, int depth);

static int compare_keys(struct run *r, struct entry *at, struct entry *other, size_t n)
{
    int rc, order;
    if (n < 2)
        return 0;
    size_t half = n / 2, i = 0, j = half, k = 0;
    if ((rc = compare_keys(r, at, other, half)) ||
        (rc = compare_keys(r, at + half, other + half, n - half)))
        return rc;
    while (i < half && j < n) {
        if ((rc = template_order(r, at[j].key, at[i].key, 0, &order)))
            return rc;
        other[k++] = order < 0 ? at[j++] : at[i++];
    }
    while (i < half)
        other[k++] = at[i++];
    while (j < n)
        other[k++] = at[j++];
    memcpy(at, other, n * sizeof *at);
    return 0;
}

static int dump_dict(struct run *r, struct dump *d, const struct dict *from, int depth)
{
    struct entry *at = from->at;
    int rc;
    if (d->how->sort && from->n) {
        struct entry *other = template_alloc(&r->arena, from->n, sizeof *other);
        if (!other || !(at = template_alloc(&r->arena, from->n, sizeof *at)))
            return r->arena.failed;
        memcpy(at, from->at, from->n * sizeof *at);
        if ((rc = compare_keys(r, at, other, from->n)))
            return rc;
    }
    if ((rc = put(r, d, "{")))
        return rc;
    for (size_t i = 0; i < from->n; i++) {
        struct value key = at[i].key;
        if (i && (rc = template_add(r, &d->b, d->item, d->item_bytes)))
            return rc;
        if ((rc = new_line(r, d, depth + 1)))
            return rc;
        if (key.kind == TEXT) {
            rc = put_string(r, d, key.text);
        } else if (key.kind == LIST || key.kind == UNDEFINED) {
            rc = template_fail(r, BASE_E_ARGUMENT,
                               "keys must be str, int, float, bool or None, not %s",
                               template_type(key));
        } else if (!(rc = put(r, d, "\"")) && !(rc = dump_value(r, d, key, depth))) {
            rc = put(r, d, "\"");
        }
        if (rc || (rc = template_add(r, &d->b, d->key, d->key_bytes)) ||
            (rc = dump_value(r, d, at[i].value, depth + 1)))
            return rc;
    }
    if (from->n && (rc = new_line(r, d, depth)))
        return rc;
    return put(r, d, "}");
}

static int dump_value(struct run *r, struct dump *d, struct value v, int depth)
{
    char text[48];
    int rc;
    if (depth > TEMPLATE_DEPTH_VALUES)
        return template_fail(r, BASE_E_LIMIT, "values are nested more than %d deep",
                             TEMPLATE_DEPTH_VALUES);
    if (++r->steps > r->t->options.max_steps)
        return template_fail(r, BASE_E_LIMIT, "more than %zu steps", r->t->options.max_steps);
    switch (v.kind) {
    case NONE:
        return put(r, d, "null");
    case BOOLEAN:
        return put(r, d, v.boolean ? "true" : "false");
    case INTEGER:
        snprintf(text, sizeof text, "%lld", (long long)v.integer);
        return put(r, d, text);
    case REAL:
        if (isfinite(v.real))
            template_real_repr(v.real, text);
        else
            snprintf(text, sizeof text, "%s",
                     isnan(v.real) ? "NaN"
                     : v.real > 0  ? "Infinity"
                                   : "-Infinity");
        return put(r, d, text);
    case TEXT:
        return put_string(r, d, v.text);
    case DICT:
        return dump_dict(r, d, v.dict, depth);
    case LIST:
        if (v.list->flavour > FLAVOUR_TUPLE)
            break;
        if ((rc = put(r, d, "[")))
            return rc;
        for (size_t i = 0; i < v.list->n; i++)
            if ((i && (rc = template_add(r, &d->b, d->item, d->item_bytes))) ||
                (rc = new_line(r, d, depth + 1)) ||
                (rc = dump_value(r, d, v.list->at[i], depth + 1)))
                return rc;
        if (v.list->n && (rc = new_line(r, d, depth)))
            return rc;
        return put(r, d, "]");
    default:
        break;
    }
    return template_fail(r, BASE_E_ARGUMENT, "Object of type %s is not JSON serializable",
                         template_type(v));
}

int template_dump_json(struct run *r, struct value v, const struct template_dump *how,
                       struct value *out)
{
    struct dump d = { .how = how, .item = how->indent ? "," : ", ", .key = ": " };
    d.item_bytes = strlen(d.item);
    d.key_bytes = 2;
    if (how->item) {
        d.item = how->item->data;
        d.item_bytes = how->item->bytes;
        d.key = how->key->data;
        d.key_bytes = how->key->bytes;
    }
    int rc = dump_value(r, &d, v, 0);
    return template_take(r, rc, &d.b, out);
}

/* ---- ast.literal_eval ---- */
static bool is_literal(const struct node *n, const char **why)
{
    switch (n->kind) {
    case NODE_CONSTANT:
        return true;
    case NODE_LIST:
    case NODE_TUPLE:
    case NODE_DICT:
        for (size_t i = 0; i < n->n; i++)
            if (!is_literal(n->items[i], why))
                return false;
        return true;
    case NODE_NEGATIVE:
    case NODE_POSITIVE:
        *why = "a sign before what is not a number";
        return n->a->kind == NODE_CONSTANT &&
               (n->a->constant.kind == INTEGER || n->a->constant.kind == REAL);
    case NODE_NAME:
        *why = "a name: strings need quotes";
        return false;
    default:
        *why = "an operation";
        return false;
    }
}

int template_literal(json_t **value, const char *text, size_t bytes, const char *name)
{
    struct template t = { .name = (char *)(uintptr_t)name,
                          .options = { .max_steps = 10000000, .max_output = 1 << 20 } };
    struct token *tokens;
    struct value v;
    size_t n;
    const char *why = "";
    t.arena.limit = (size_t)64 << 20;
    struct run r = { .t = &t, .name = name, .line = 1 };
    r.arena.limit = t.arena.limit;
    *value = NULL;
    int rc = template_lex(&t, text, bytes, true, &tokens, &n);
    if (!rc)
        rc = template_parse_tokens(&t, tokens, true);
    if (!rc && !is_literal(t.body->a, &why))
        rc = base_error_set(BASE_E_FORMAT, "%s: not a Python literal: it holds %s", name, why);
    if (!rc && !(rc = template_eval(&r, t.body->a, &v)))
        rc = template_to_json(&r, v, 0, value);
    template_arena_free(&r.arena);
    template_arena_free(&t.arena);
    return rc;
}

/* ---- dates ---- */
int template_strftime(struct run *r, const struct text *format, struct value *out)
{
    const char *now = r->t->options.now;
    struct tm tm = { 0 };
    struct base_buffer b = { 0 };
    int used = 0, rc = 0;
    if (!now)
        return template_fail(r, BASE_E_ARGUMENT,
                             "the template asks for the date (strftime_now): give one, so that the "
                             "result does not depend on the clock");
    if (sscanf(now, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3 ||
        (now[used] &&
         (sscanf(now + used, "%*1[T ]%2d:%2d:%2d", &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 3)) ||
        tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 59 || tm.tm_year < 1)
        return template_fail(r, BASE_E_ARGUMENT,
                             "the date \"%s\": expected YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS", now);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int day = tm.tm_mday;
    timegm(&tm); /* the day of the week and of the year */
    if (tm.tm_mday != day)
        return template_fail(r, BASE_E_ARGUMENT, "the date \"%s\" does not exist", now);
    for (size_t i = 0; i < format->bytes && !rc; i++) {
        char c = format->data[i], one[8] = { '%' }, made[128];
        if (c != '%') {
            rc = template_add(r, &b, &c, 1);
            continue;
        }
        size_t k = 1;
        c = ++i < format->bytes ? format->data[i] : 0;
        if (c == '-' && i + 1 < format->bytes) {
            one[k++] = c;
            c = format->data[++i];
        }
        if (c == 'Z' || c == 'z') /* a date without a time zone has none */
            continue;
        if (c == 'f') {
            rc = template_add(r, &b, "000000", 6);
            continue;
        }
        if (!c || !strchr("aAbBcdDeFgGhHIjklmMnprRStTuUVwWxXyY%", c)) {
            rc = template_fail(r, BASE_E_UNSUPPORTED, "strftime_now: %%%c is not supported",
                               c > 32 ? c : '?');
            break;
        }
        one[k] = c;
        size_t n = strftime(made, sizeof made, one, &tm);
        rc = template_add(r, &b, made, n);
    }
    return template_take(r, rc, &b, out);
}

/* ---- re.sub ---- */
static int add_group(struct run *r, struct base_buffer *b, const struct text *t,
                     const size_t *ovector, uint32_t groups, uint32_t group)
{
    if (group >= groups)
        return template_fail(r, BASE_E_ARGUMENT, "regex_replace: invalid group reference %u",
                             group);
    size_t from = ovector[2 * group], to = ovector[2 * group + 1];
    return from == PCRE2_UNSET || to < from ? 0 : template_add(r, b, t->data + from, to - from);
}

/* \1, \g<1>, \g<name>, \n and the like; an unknown letter's escape is an error, as in Python. */
static int add_replacement(struct run *r, struct base_buffer *b, const struct text *t,
                           const struct text *with, const pcre2_code *code, const size_t *ovector,
                           uint32_t groups)
{
    int rc = 0;
    for (size_t i = 0; i < with->bytes && !rc; i++) {
        const char *s = with->data + i, *end = with->data + with->bytes;
        if (*s != '\\' || i + 1 == with->bytes) {
            rc = template_add(r, b, s, 1);
            continue;
        }
        static const char from[] = "\\abfnrtv", into[] = "\\\a\b\f\n\r\t\v";
        char c = s[1];
        i++;
        if (c == 'g') {
            const char *close = memchr(s, '>', (size_t)(end - s));
            char name[64];
            if (end - s < 4 || s[2] != '<' || !close || close - s - 3 >= (long)sizeof name ||
                close == s + 3)
                return template_fail(r, BASE_E_ARGUMENT,
                                     "regex_replace: bad group name behind \\g");
            memcpy(name, s + 3, (size_t)(close - s - 3));
            name[close - s - 3] = 0;
            char *stop;
            long number = strtol(name, &stop, 10);
            if (*stop)
                number = pcre2_substring_number_from_name(code, (PCRE2_SPTR)name);
            if (number < 0)
                return template_fail(r, BASE_E_ARGUMENT, "regex_replace: unknown group name");
            rc = add_group(r, b, t, ovector, groups, (uint32_t)number);
            i = (size_t)(close - with->data);
        } else if (c >= '1' && c <= '9') {
            uint32_t number = (uint32_t)(c - '0');
            if (i + 1 < with->bytes && s[2] >= '0' && s[2] <= '9') {
                number = number * 10 + (uint32_t)(s[2] - '0');
                i++;
            }
            rc = add_group(r, b, t, ovector, groups, number);
        } else if (c && strchr(from, c)) {
            rc = template_add(r, b, &into[strchr(from, c) - from], 1);
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '0') {
            return template_fail(r, BASE_E_ARGUMENT, "regex_replace: bad escape \\%c", c);
        } else {
            rc = template_add(r, b, s, 2);
        }
    }
    return rc;
}

/* Python's \Z is PCRE2's \z. */
static int translate(struct run *r, const struct text *pattern, struct value *out)
{
    struct base_buffer b = { 0 };
    int rc = 0;
    for (size_t i = 0; i < pattern->bytes && !rc; i++) {
        const char *s = pattern->data + i;
        bool escape = *s == '\\' && i + 1 < pattern->bytes;
        i += escape;
        rc = escape && s[1] == 'Z' ? template_add(r, &b, "\\z", 2)
                                   : template_add(r, &b, s, 1 + (size_t)escape);
    }
    return template_take(r, rc, &b, out);
}

int template_regex_replace(struct run *r, const struct text *t, const struct text *pattern,
                           const struct text *replacement, int64_t count, struct value *out)
{
    struct value translated;
    struct base_buffer b = { 0 };
    int error, rc;
    size_t where;
    if ((rc = translate(r, pattern, &translated)))
        return rc;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)translated.text->data, translated.text->bytes,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &where, NULL);
    if (!code) {
        char message[200] = "";
        pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        return template_fail(r, BASE_E_ARGUMENT, "regex_replace: %s at offset %zu of the pattern",
                             message, where);
    }
    pcre2_match_data *m = pcre2_match_data_create_from_pattern(code, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    if (!m || !context) {
        rc = base_error_set(BASE_E_MEMORY, "out of memory for a regular expression");
        goto out;
    }
    pcre2_set_match_limit(context, 1000000);
    size_t at = 0, copied = 0;
    for (int64_t n = 0; at <= t->bytes && (count <= 0 || n < count);) {
        int groups = pcre2_match(code, (PCRE2_SPTR)t->data, t->bytes, at, 0, m, context);
        if (groups == PCRE2_ERROR_NOMATCH)
            break;
        if (groups < 0) {
            char message[200] = "";
            pcre2_get_error_message(groups, (PCRE2_UCHAR *)message, sizeof message);
            rc = template_fail(r, BASE_E_LIMIT, "regex_replace: %s", message);
            goto out;
        }
        const size_t *o = pcre2_get_ovector_pointer(m);
        size_t from = o[0], to = o[1];
        if (to < from) {
            rc = template_fail(r, BASE_E_UNSUPPORTED, "regex_replace: \\K is not supported");
            goto out;
        }
        if ((rc = template_add(r, &b, t->data + copied, from - copied)) ||
            (rc = add_replacement(r, &b, t, replacement, code, o, pcre2_get_ovector_count(m))))
            goto out;
        n++;
        copied = to;
        at = to;
        if (to == from) { /* empty: go on behind the next character, which stays */
            at++;
            while (at < t->bytes && ((unsigned char)t->data[at] & 0xc0) == 0x80)
                at++;
        }
    }
    rc = template_add(r, &b, t->data + copied, t->bytes - copied);
out:
    pcre2_match_context_free(context);
    pcre2_match_data_free(m);
    pcre2_code_free(code);
    return template_take(r, rc, &b, out);
}
