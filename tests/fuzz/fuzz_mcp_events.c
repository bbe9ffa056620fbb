/* The text/event-stream parser: the same events wherever the bytes are cut, and none beyond the
 * limit. The first byte is the length of the pieces. */
#include "mcp/client.h"
#include <stdlib.h>
#include <string.h>

#define MOST 4096

static int note(void *context, const char *type, const char *data, size_t bytes)
{
    if (bytes > MOST || !*type)
        abort();
    struct base_buffer *said = context;
    if (said->length > 1 << 20)
        return 0;
    int rc = base_buffer_printf(said, "<%s:", type);
    return rc ? rc : base_buffer_append(said, data, bytes);
}

static int feed(struct base_buffer *said, struct mcp_events *e, const uint8_t *data, size_t size,
                size_t piece)
{
    *e = (struct mcp_events){ .event = note, .context = said, .most = MOST, .retry = -1 };
    int rc = 0;
    for (size_t at = 0; at < size && !rc; at += piece)
        rc = mcp_events_feed(e, (const char *)data + at, size - at < piece ? size - at : piece);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct base_buffer a = { 0 }, b = { 0 };
    struct mcp_events one, other;
    if (size < 2)
        return 0;
    int whole = feed(&a, &one, data + 1, size - 1, size),
        cut = feed(&b, &other, data + 1, size - 1, (size_t)data[0] + 1);
    if (!whole != !cut)
        abort();
    if (!whole && (a.length != b.length || (a.length && memcmp(a.data, b.data, a.length)) ||
                   one.id.length != other.id.length || one.retry != other.retry ||
                   (one.id.length && memcmp(one.id.data, other.id.data, one.id.length))))
        abort();
    if (one.id.length &&
        (memchr(one.id.data, 0, one.id.length) || memchr(one.id.data, '\n', one.id.length)))
        abort(); /* it goes into a header */
    mcp_events_restart(&one);
    mcp_events_free(&one);
    mcp_events_free(&other);
    base_buffer_free(&a);
    base_buffer_free(&b);
    return 0;
}
