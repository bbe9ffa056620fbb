/* Values out of rows by name, path or pattern: see fields.h. */
#include "eval/fields.h"
#include "base/json.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include <assay/base.h>
#include <stdio.h>
#include <string.h>

const json_t *eval_field_find(const json_t *row, const char *name)
{
    const json_t *v = json_object_get(row, name);
    while (!v && json_is_object(row)) {
        const char *dot = strchr(name, '.');
        char head[256];
        if (!dot || (size_t)(dot - name) >= sizeof head)
            return NULL;
        memcpy(head, name, (size_t)(dot - name));
        head[dot - name] = 0;
        row = json_object_get(row, head);
        name = dot + 1;
        v = json_object_get(row, name);
    }
    return json_is_null(v) ? NULL : v;
}

static int absent(const json_t *row, const char *name, const char *where)
{
    struct base_buffer keys = { 0 };
    const char *key;
    json_t *value;
    int rc = base_buffer_puts(&keys, "");
    json_object_foreach((json_t *)row, key, value)
    {
        (void)value;
        if (rc == 0)
            rc = base_buffer_printf(&keys, "%s%s", keys.length ? ", " : "", key);
    }
    if (rc == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: no \"%s\" here; there is: %.400s", where, name,
                            keys.length ? keys.data : "nothing");
    base_buffer_free(&keys);
    return rc;
}

int eval_field_text(const json_t *row, const char *name, const char *where, char **text)
{
    const json_t *v = eval_field_find(row, name);
    *text = NULL;
    if (!v)
        return absent(row, name, where);
    if (json_is_string(v)) {
        if (strlen(json_string_value(v)) != json_string_length(v))
            return base_error_set(BASE_E_FORMAT, "%s: \"%s\" holds a NUL character", where, name);
        *text = base_strdup(json_string_value(v));
    } else if (json_is_integer(v)) {
        *text = base_format("%lld", (long long)json_integer_value(v));
    } else if (json_is_real(v)) {
        char digits[BASE_DOUBLE_TEXT];
        *text = base_strdup(base_double_text(json_real_value(v), digits));
    } else if (json_is_boolean(v)) {
        *text = base_strdup(json_is_true(v) ? "true" : "false");
    } else {
        return base_error_set(BASE_E_FORMAT, "%s: \"%s\" is %s, not text", where, name,
                              json_is_array(v) ? "a list" : "an object");
    }
    return *text ? 0 : BASE_E_MEMORY;
}

int eval_field_fill(const json_t *row, const char *pattern, const char *where, char **text)
{
    struct base_buffer b = { 0 };
    *text = NULL;
    if (!strchr(pattern, '{'))
        return eval_field_text(row, pattern, where, text);
    int rc = base_buffer_puts(&b, "");
    for (const char *p = pattern; rc == 0 && *p;) {
        size_t plain = strcspn(p, "{}");
        rc = base_buffer_append(&b, p, plain);
        p += plain;
        if (rc || !*p)
            break;
        if (p[0] == p[1]) {
            rc = base_buffer_append(&b, p, 1);
            p += 2;
            continue;
        }
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        char name[256], *value = NULL;
        if (!end || (size_t)(end - p) > sizeof name) {
            rc = base_error_set(BASE_E_ARGUMENT,
                                "the pattern \"%s\" has a lone brace: write {key}, or {{ for a "
                                "brace",
                                pattern);
            break;
        }
        snprintf(name, sizeof name, "%.*s", (int)(end - p - 1), p + 1);
        rc = eval_field_text(row, name, where, &value);
        if (rc == 0)
            rc = base_buffer_puts(&b, value);
        base_free(value);
        p = end + 1;
    }
    if (rc == 0)
        *text = base_buffer_take(&b);
    base_buffer_free(&b);
    return rc ? rc : *text ? 0 : BASE_E_MEMORY;
}

int eval_field_number(const json_t *row, const char *name, const char *where, double *out)
{
    const json_t *v = eval_field_find(row, name);
    if (!v)
        return absent(row, name, where);
    if (json_is_number(v)) {
        *out = json_number_value(v);
        return 0;
    }
    if (json_is_boolean(v)) {
        *out = json_is_true(v);
        return 0;
    }
    char what[512];
    snprintf(what, sizeof what, "%.300s: \"%.100s\"", where, name);
    if (json_is_string(v))
        return base_parse_double(json_string_value(v), what, out);
    return base_error_set(BASE_E_FORMAT, "%s is no number", what);
}

const char *eval_field_first(const json_t *row, const char *const *names)
{
    for (; *names; names++)
        if (eval_field_find(row, *names))
            return *names;
    return NULL;
}
