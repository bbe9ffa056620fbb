/* The server on standard input and output: one message a line. While a tool runs, input is still
 * read, for the notification that cancels the call; other messages wait their turn. */
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "mcp/protocol.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LINE_MOST ((size_t)16 << 20)

struct stdio {
    int in;
    bool ended;              /* input is at its end */
    struct base_buffer text; /* what has come and is not yet answered */
    size_t scanned;          /* of it, looked through for cancellations */
    bool overlong;           /* the present line is too long: it is dropped to its end */
    int rc;
};

/* Reads what is there, waiting up to ms (-1: as long as it takes). */
static void take(struct stdio *s, int ms)
{
    struct pollfd fd = { s->in, POLLIN, 0 };
    int ready = s->ended || s->rc ? 0 : poll(&fd, 1, ms);
    if (ready <= 0)
        return;
    char block[65536];
    ssize_t n = read(s->in, block, sizeof block);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        s->ended = true;
        return;
    }
    s->rc = base_buffer_append(&s->text, block, (size_t)n);
}

static bool cancelled(void *context, const json_t *id)
{
    struct stdio *s = context;
    take(s, 0);
    bool found = false;
    while (!found && s->scanned < s->text.length) {
        const char *from = s->text.data + s->scanned;
        const char *end = memchr(from, '\n', s->text.length - s->scanned);
        if (!end)
            break;
        s->scanned = (size_t)(end + 1 - s->text.data);
        json_t *message = NULL;
        if (memmem(from, (size_t)(end - from), "cancelled", 9) &&
            base_json_parse_wire(&message, from, (size_t)(end - from), 200, "message") == 0) {
            const json_t *asked = mcp_cancelled_id(message);
            found = asked && json_equal(asked, id);
        }
        json_decref(message);
    }
    return found;
}

static int send_line(int out, const json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text)
        return BASE_E_MEMORY;
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of the NUL: one write a line */
    int rc = 0;
    for (size_t at = 0; at <= n && !rc;) {
        ssize_t written = write(out, text + at, n + 1 - at);
        if (written > 0)
            at += (size_t)written;
        else if (errno != EINTR)
            rc = base_error_set(BASE_E_IO, "cannot write an answer: %s", strerror(errno));
    }
    base_free(text);
    return rc;
}

/* One whole line, without its newline. */
static int line(const struct mcp_server_options *o, struct mcp_session *session, const char *text,
                size_t n, int out)
{
    while (n && (text[n - 1] == '\r' || text[n - 1] == ' '))
        n--;
    if (!n)
        return 0;
    json_t *answer = NULL;
    int rc = mcp_answer(o, session, text, n, &answer);
    if (!rc && answer)
        rc = send_line(out, answer);
    json_decref(answer);
    return rc;
}

int mcp_serve_stdio(const struct mcp_server_options *o, int in, int out)
{
    struct stdio s = { .in = in };
    struct mcp_session session = {
        .caller = "mcp:?", .name = "stdio", .cancelled = cancelled, .context = &s
    };
    while (!s.rc && !base_interrupted()) {
        char *end = s.text.length ? memchr(s.text.data, '\n', s.text.length) : NULL;
        if (!end && s.ended)
            break;
        if (!end && s.text.length > LINE_MOST) { /* answered once, and dropped as it comes */
            json_t *answer = s.overlong ? NULL
                                        : mcp_error_answer(NULL, MCP_PARSE_ERROR,
                                                           "a message of more than 16 MiB", NULL);
            if (answer)
                s.rc = send_line(out, answer);
            json_decref(answer);
            s.overlong = true;
            base_buffer_clear(&s.text);
            s.scanned = 0;
        }
        if (!end) {
            take(&s, 500);
            continue;
        }
        /* a copy: reading on while a call runs moves the buffer */
        size_t n = (size_t)(end - s.text.data);
        char *copy = base_alloc(n + 1, 1);
        if (!copy) {
            s.rc = BASE_E_MEMORY;
            break;
        }
        memcpy(copy, s.text.data, n);
        memmove(s.text.data, s.text.data + n + 1, s.text.length - n - 1);
        s.text.length -= n + 1;
        s.scanned = s.scanned > n ? s.scanned - n - 1 : 0;
        if (s.overlong)
            s.overlong = false;
        else
            s.rc = line(o, &session, copy, n, out);
        base_free(copy);
    }
    base_buffer_free(&s.text);
    return s.rc;
}
