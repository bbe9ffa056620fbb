/* What the headers of a request say of its body, in the era without sessions (2026-07-28,
 * SEP-2243): a tool's schema may name arguments ("x-mcp-header": "Region") whose values are
 * repeated as Mcp-Param-Region, so that what stands between client and server can route by them. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define KEY        "x-mcp-header"
#define DEPTH_MOST 128

int mcp_header_append(struct base_buffer *b, const char *value, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bool plain = !n || (value[0] != ' ' && value[n - 1] != ' ');
    for (size_t i = 0; i < n && plain; i++)
        plain = value[i] >= 0x20 && value[i] <= 0x7e;
    if (plain && n >= 11 && memcmp(value, "=?base64?", 9) == 0 &&
        memcmp(value + n - 2, "?=", 2) == 0)
        plain = false; /* it would be taken for what it looks like */
    if (plain)
        return base_buffer_append(b, value, n);
    int rc = base_buffer_puts(b, "=?base64?");
    for (size_t i = 0; i < n && !rc; i += 3) {
        size_t k = n - i < 3 ? n - i : 3;
        unsigned v = (unsigned)(unsigned char)value[i] << 16;
        if (k > 1)
            v |= (unsigned)(unsigned char)value[i + 1] << 8;
        if (k > 2)
            v |= (unsigned char)value[i + 2];
        const char four[4] = { digits[v >> 18], digits[v >> 12 & 63],
                               k > 1 ? digits[v >> 6 & 63] : '=', k > 2 ? digits[v & 63] : '=' };
        rc = base_buffer_append(b, four, 4);
    }
    return rc ? rc : base_buffer_puts(b, "?=");
}

/* ---- the annotations of a schema ---- */

static bool is_token(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("!#$%&'*+-.^_`|~", s[i]))
            return false;
        else if ((unsigned char)s[i] >= 0x80 || !s[i])
            return false;
    return n > 0;
}

static int annotation(const json_t *schema, const json_t *name, const json_t *path, json_t *map)
{
    const char *text = json_string_value(name), *type;
    if (!text || !is_token(text, json_string_length(name)))
        return base_error_set(BASE_E_FORMAT,
                              "\"" KEY "\": expected the name of a header, got \"%.60s\"",
                              text ? text : "(no string)");
    type = json_string_value(json_object_get(schema, "type"));
    if (!path || !json_array_size(path))
        return base_error_set(BASE_E_FORMAT, "\"" KEY "\" %.60s: not on a plain property", text);
    if (!type || (strcmp(type, "string") != 0 && strcmp(type, "integer") != 0 &&
                  strcmp(type, "boolean") != 0))
        return base_error_set(BASE_E_FORMAT,
                              "\"" KEY "\" %.60s: on a property of type %.40s, expected string, "
                              "integer or boolean",
                              text, type ? type : "?");
    const char *other;
    json_t *value;
    json_object_foreach(map, other, value) if (strcasecmp(other, text) == 0) return base_error_set(
        BASE_E_FORMAT, "\"" KEY "\" %.60s: there twice", text);
    return json_object_set_new(map, text, json_deep_copy(path)) ? BASE_E_MEMORY : 0;
}

/* Every place of a schema that is a schema. path: the chain of "properties" keys from the top; NULL
 * once another keyword has been crossed. References are not followed. */
static int walk(const json_t *schema, json_t *path, json_t *map, unsigned depth)
{
    static const char *const single[] = {
        "items",
        "contains",
        "unevaluatedItems",
        "additionalProperties",
        "propertyNames",
        "unevaluatedProperties",
        "not",
        "if",
        "then",
        "else",
        "contentSchema",
    };
    static const char *const list[] = { "allOf", "anyOf", "oneOf", "prefixItems" };
    static const char *const table[] = { "patternProperties", "dependentSchemas", "$defs",
                                         "definitions" };
    if (!json_is_object(schema))
        return 0;
    if (!depth)
        return base_error_set(BASE_E_FORMAT, "a schema nested deeper than %d", DEPTH_MOST);
    const json_t *name = json_object_get(schema, KEY);
    int rc = name ? annotation(schema, name, path, map) : 0;
    const char *key;
    json_t *part;
    size_t i;
    json_object_foreach(json_object_get(schema, "properties"), key, part)
    {
        if (rc)
            return rc;
        if (path && json_array_append_new(path, json_string(key)))
            return BASE_E_MEMORY;
        rc = walk(part, path, map, depth - 1);
        if (path)
            json_array_remove(path, json_array_size(path) - 1);
    }
    for (size_t k = 0; k < sizeof single / sizeof *single && !rc; k++)
        rc = walk(json_object_get(schema, single[k]), NULL, map, depth - 1);
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        json_array_foreach(json_object_get(schema, list[k]), i, part) if (!rc) rc =
            walk(part, NULL, map, depth - 1);
    for (size_t k = 0; k < sizeof table / sizeof *table; k++)
        json_object_foreach(json_object_get(schema, table[k]), key, part) if (!rc) rc =
            walk(part, NULL, map, depth - 1);
    return rc;
}

int mcp_header_map(const json_t *schema, json_t **map)
{
    json_t *path = json_array();
    *map = json_object();
    int rc = path && *map ? walk(schema, path, *map, DEPTH_MOST) : BASE_E_MEMORY;
    json_decref(path);
    if (rc) {
        json_decref(*map);
        *map = NULL;
    }
    return rc;
}

/* ---- the headers of a call ---- */

int mcp_header_params(const json_t *map, const json_t *arguments,
                      int (*add)(void *context, const char *line), void *context)
{
    const char *name;
    json_t *path;
    int rc = 0;
    json_object_foreach((json_t *)(uintptr_t)map, name, path)
    {
        const json_t *value = arguments;
        char number[40];
        for (size_t i = 0; i < json_array_size(path); i++)
            value = json_object_get(value, json_string_value(json_array_get(path, i)));
        const char *text = number;
        size_t n;
        if (json_is_string(value)) {
            text = json_string_value(value);
            n = json_string_length(value);
        } else if (json_is_integer(value)) {
            n = (size_t)snprintf(number, sizeof number, "%lld",
                                 (long long)json_integer_value(value));
        } else if (json_is_boolean(value)) {
            n = (size_t)snprintf(number, sizeof number, "%s",
                                 json_is_true(value) ? "true" : "false");
        } else if (json_is_real(value) && fabs(json_real_value(value)) < 1e15 &&
                   json_real_value(value) == floor(json_real_value(value))) {
            n = (size_t)snprintf(number, sizeof number, "%.0f", json_real_value(value));
        } else {
            continue; /* none, or null: no header */
        }
        struct base_buffer line = { 0 };
        rc = base_buffer_printf(&line, "Mcp-Param-%s: ", name);
        if (!rc)
            rc = mcp_header_append(&line, text, n);
        if (!rc)
            rc = add(context, line.data);
        base_buffer_free(&line);
        if (rc)
            return rc;
    }
    return 0;
}
