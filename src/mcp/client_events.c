/* The text/event-stream parser; see client.h. Bytes come in pieces of any size, and where they are
 * cut makes no difference. Fields: data (lines joined by LF), event, id, retry; all else is passed
 * over, comments too. */
#include "base/memory.h"
#include "mcp/client.h"
#include <string.h>

void mcp_events_free(struct mcp_events *e)
{
    base_buffer_free(&e->id);
    base_buffer_free(&e->line);
    base_buffer_free(&e->data);
    base_buffer_free(&e->type);
    base_buffer_free(&e->next_id);
}

void mcp_events_restart(struct mcp_events *e)
{
    base_buffer_clear(&e->line);
    base_buffer_clear(&e->data);
    base_buffer_clear(&e->type);
    base_buffer_clear(&e->next_id);
    e->any_data = e->id_given = e->after_return = e->begun = false;
}

static int replace(struct base_buffer *b, const char *text, size_t n)
{
    base_buffer_clear(b);
    return base_buffer_append(b, text, n);
}

static int dispatch(struct mcp_events *e)
{
    int rc = e->id_given
                 ? replace(&e->id, e->next_id.data ? e->next_id.data : "", e->next_id.length)
                 : 0;
    if (!rc && e->any_data && e->data.length)
        rc = e->event(e->context, e->type.length ? e->type.data : "message", e->data.data,
                      e->data.length);
    base_buffer_clear(&e->data);
    base_buffer_clear(&e->type);
    e->any_data = e->id_given = false;
    return rc;
}

static bool is_field(const char *line, size_t n, const char *name)
{
    return n == strlen(name) && memcmp(line, name, n) == 0;
}

static int take_line(struct mcp_events *e)
{
    const char *line = e->line.data ? e->line.data : "";
    size_t n = e->line.length;
    if (!e->begun && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3; /* a byte order mark, once */
        n -= 3;
    }
    e->begun = true;
    if (!n)
        return dispatch(e);
    const char *colon = memchr(line, ':', n), *value = colon ? colon + 1 : line + n;
    size_t name = colon ? (size_t)(colon - line) : n, bytes = (size_t)(line + n - value);
    if (bytes && *value == ' ') {
        value++;
        bytes--;
    }
    if (is_field(line, name, "data")) {
        int rc = e->any_data ? base_buffer_append(&e->data, "\n", 1) : 0;
        e->any_data = true;
        return rc ? rc : base_buffer_append(&e->data, value, bytes);
    }
    if (is_field(line, name, "event"))
        return memchr(value, 0, bytes) ? 0 : replace(&e->type, value, bytes);
    if (is_field(line, name, "id") && !memchr(value, 0, bytes)) {
        e->id_given = true;
        return replace(&e->next_id, value, bytes);
    }
    if (is_field(line, name, "retry") && bytes && bytes < 10) {
        double ms = 0;
        for (size_t i = 0; i < bytes; i++) {
            if (value[i] < '0' || value[i] > '9')
                return 0;
            ms = ms * 10 + (value[i] - '0');
        }
        e->retry = ms / 1000;
    }
    return 0;
}

int mcp_events_feed(struct mcp_events *e, const char *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        if (e->after_return) { /* the LF of a CR LF */
            e->after_return = false;
            if (bytes[at] == '\n') {
                at++;
                continue;
            }
        }
        const char *from = bytes + at, *lf = memchr(from, '\n', n - at);
        size_t length = lf ? (size_t)(lf - from) : n - at;
        const char *cr = memchr(from, '\r', length), *end = cr ? cr : lf;
        if (end)
            length = (size_t)(end - from);
        if (e->line.length + e->data.length + length > e->most)
            return base_error_set(BASE_E_LIMIT, "the server sent an event of more than %zu bytes",
                                  e->most);
        int rc = base_buffer_append(&e->line, from, length);
        at += length;
        if (rc)
            return rc;
        if (!end)
            break;
        at++;
        e->after_return = *end == '\r';
        rc = take_line(e);
        base_buffer_clear(&e->line);
        if (rc)
            return rc;
    }
    return 0;
}
