/* JSON for people; see mcp_connect.h. What is shown came from another program: control characters
 * are made visible, depth is bounded, and no line is wider than the terminal. */
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/display.h"
#include "cli/mcp_connect.h"
#include <string.h>

#define DEPTH_MOST   16
#define KEY_MOST     28
#define COLUMNS_MOST 8

int cli_append_text(struct base_buffer *b, int indent, const char *text, size_t bytes)
{
    int rc = 0;
    for (size_t at = 0; at < bytes && !rc;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t n = end ? (size_t)(end - text) - at : bytes - at, lead = 0;
        const char *line = text + at;
        at += n + (end != NULL);
        while (n && (line[n - 1] == '\r' || line[n - 1] == ' '))
            n--;
        while (lead < n && line[lead] == ' ' && lead < 40)
            lead++;
        struct base_buffer shown = { 0 };
        rc = cli_append_visible(&shown, line + lead, n - lead, 0);
        if (!rc && shown.length)
            rc = cli_append_wrapped(b, indent + (int)lead, shown.data);
        else if (!rc)
            rc = base_buffer_puts(b, "\n");
        base_buffer_free(&shown);
    }
    return rc;
}

static bool is_plain(const json_t *v)
{
    return !json_is_object(v) && !json_is_array(v);
}

/* A value in one line: strings without quotes. */
static int append_plain(struct base_buffer *b, const json_t *v, int columns)
{
    if (json_is_string(v))
        return cli_append_visible(b, json_string_value(v), json_string_length(v), columns);
    char *text =
        json_is_real(v) ? base_format("%.15g", json_real_value(v)) : base_json_dump(v, false);
    int rc = text ? cli_append_visible(b, text, strlen(text), columns) : BASE_E_MEMORY;
    base_free(text);
    return rc;
}

/* Whether a list is a table: objects of plain values, few and the same keys. */
static bool is_table(const json_t *list)
{
    const json_t *first = json_array_get(list, 0), *row, *value;
    size_t n = json_object_size(first), i;
    const char *key;
    if (!json_is_object(first) || !n || n > COLUMNS_MOST)
        return false;
    json_array_foreach((json_t *)(uintptr_t)list, i, row)
    {
        if (!json_is_object(row) || json_object_size(row) != n)
            return false;
        json_object_foreach((json_t *)(uintptr_t)row, key,
                            value) if (!is_plain(value) ||
                                       !json_object_get(first, key)) return false;
    }
    return true;
}

static int append_table(struct base_buffer *b, const json_t *list)
{
    struct cli_column columns[COLUMNS_MOST] = { 0 };
    const json_t *first = json_array_get(list, 0), *row, *value;
    size_t n = 0, widest = 0, flexible = 0, i;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)first, key, value)
    {
        size_t width = 0; /* the widest column of text is the one that is cut */
        json_array_foreach((json_t *)(uintptr_t)list, i, row)
        {
            size_t w = json_string_length(json_object_get(row, key));
            width = w > width ? w : width;
        }
        if (width > widest) {
            widest = width;
            flexible = n;
        }
        columns[n].title = key;
        columns[n++].right = json_is_number(value);
    }
    if (widest)
        columns[flexible].flexible = true;
    struct cli_table t = { .columns = columns, .n_columns = n };
    json_array_foreach((json_t *)(uintptr_t)list, i, row)
    {
        json_object_foreach((json_t *)(uintptr_t)first, key, value)
        {
            struct base_buffer cell = { 0 };
            if (append_plain(&cell, json_object_get(row, key), 0))
                t.rc = BASE_E_MEMORY;
            cli_table_add(&t, "%s", cell.data ? cell.data : "");
            base_buffer_free(&cell);
        }
    }
    return cli_table_append(b, &t);
}

static int append(struct base_buffer *b, const json_t *v, int indent, int depth);

static int append_list(struct base_buffer *b, const json_t *v, int indent, int depth)
{
    bool plain = true;
    const json_t *one;
    size_t i;
    int rc = 0;
    json_array_foreach((json_t *)(uintptr_t)v, i, one) plain &= is_plain(one);
    if (plain) {
        struct base_buffer line = { 0 };
        json_array_foreach((json_t *)(uintptr_t)v, i, one)
        {
            rc = rc ? rc : base_buffer_puts(&line, i ? ", " : "");
            rc = rc ? rc : append_plain(&line, one, 0);
        }
        if (!rc && !line.length)
            rc = base_buffer_puts(&line, "(none)");
        rc = rc ? rc : cli_append_wrapped(b, indent, line.data);
        base_buffer_free(&line);
        return rc;
    }
    if (indent <= 4 && is_table(v))
        return append_table(b, v);
    json_array_foreach((json_t *)(uintptr_t)v, i, one)
    {
        rc = rc ? rc : base_buffer_printf(b, "%*s- %zu\n", indent, "", i + 1);
        rc = rc ? rc : append(b, one, indent + 2, depth - 1);
    }
    return rc;
}

static int append_object(struct base_buffer *b, const json_t *v, int indent, int depth)
{
    const char *key;
    json_t *one;
    int width = 0, rc = 0;
    json_object_foreach((json_t *)(uintptr_t)v, key, one)
    {
        int w = base_utf8_columns(key, strlen(key));
        if (is_plain(one) && w > width && w <= KEY_MOST)
            width = w;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, one)
    {
        struct base_buffer name = { 0 }, line = { 0 };
        if (rc)
            return rc;
        rc = cli_append_visible(&name, key, strlen(key), KEY_MOST);
        if (!rc && is_plain(one)) {
            rc = append_plain(&line, one, 0);
            int w = base_utf8_columns(name.data ? name.data : "", name.length);
            int room = cli_columns() - indent - width - 2;
            bool fits = line.length && base_utf8_columns(line.data, line.length) <= room;
            if (!rc)
                rc = base_buffer_printf(b, "%*s%s%*s", indent, "", name.data ? name.data : "",
                                        fits && width > w ? width - w : 0, "");
            if (!rc && (fits || !line.length))
                rc = base_buffer_printf(b, "  %s\n", line.data ? line.data : "");
            else if (!rc && !(rc = base_buffer_puts(b, "\n")))
                rc = json_is_string(one) ? cli_append_text(b, indent + 2, json_string_value(one),
                                                           json_string_length(one))
                                         : cli_append_wrapped(b, indent + 2, line.data);
        } else if (!rc) {
            rc = base_buffer_printf(b, "%*s%s\n", indent, "", name.data ? name.data : "");
            if (!rc)
                rc = append(b, one, indent + 2, depth - 1);
        }
        base_buffer_free(&name);
        base_buffer_free(&line);
    }
    return rc;
}

static int append(struct base_buffer *b, const json_t *v, int indent, int depth)
{
    if (!depth)
        return base_buffer_printf(b, "%*s...\n", indent, "");
    if (json_is_object(v) && json_object_size(v))
        return append_object(b, v, indent, depth);
    if (json_is_array(v))
        return append_list(b, v, indent, depth);
    if (json_is_string(v))
        return cli_append_text(b, indent, json_string_value(v), json_string_length(v));
    struct base_buffer line = { 0 };
    int rc = json_is_object(v) ? base_buffer_puts(&line, "(none)") : append_plain(&line, v, 0);
    rc = rc ? rc : cli_append_wrapped(b, indent, line.data);
    base_buffer_free(&line);
    return rc;
}

int cli_append_value(struct base_buffer *b, const json_t *value, int indent)
{
    return append(b, value, indent, DEPTH_MOST);
}
