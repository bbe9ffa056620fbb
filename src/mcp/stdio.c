/* The server on standard input and output: one message a line.
 *
 * The main thread reads. What it can act on at once (answers to what was asked, cancellations,
 * pings) it does; the rest waits in a queue for the one worker, which answers in order. At the end
 * of input what has come is still answered, unless nobody reads the answers. */
#include "base/json.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "mcp/protocol.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LINE_MOST     ((size_t)16 << 20)
#define QUEUED_MOST   ((size_t)64 << 20) /* bytes of text that wait, */
#define MESSAGE_BYTES 1024               /* and what a short message takes besides */

struct queued {
    struct queued *next;
    json_t *message;
    size_t bytes;
};

struct stdio {
    int in, out;
    struct mcp_session *session;
    pthread_mutex_t writing; /* one whole line at a time */
    atomic_int rc;           /* why it ends */
    pthread_mutex_t lock;    /* of the queue */
    pthread_cond_t moved;
    struct queued *first, **last;
    size_t bytes; /* in the queue */
    bool ended;   /* nothing more will be queued */
};

static int send_line(struct stdio *s, const json_t *message)
{
    char *text = base_json_compact(message);
    if (!text)
        return BASE_E_MEMORY;
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of the NUL */
    int rc = 0;
    pthread_mutex_lock(&s->writing);
    for (size_t at = 0; at <= n && !rc;) {
        ssize_t written = write(s->out, text + at, n + 1 - at);
        if (written > 0)
            at += (size_t)written;
        else if (errno != EINTR)
            rc = BASE_E_IO;
    }
    pthread_mutex_unlock(&s->writing);
    base_free(text);
    return rc;
}

/* Keeps the first failure. */
static void fail(struct stdio *s, int rc)
{
    int none = 0;
    if (rc)
        atomic_compare_exchange_strong(&s->rc, &none, rc);
}

static bool peer_send(void *context, const json_t *message)
{
    struct stdio *s = context;
    int rc = send_line(s, message);
    fail(s, rc);
    return !rc;
}
static bool peer_gone(void *context)
{
    struct stdio *s = context;
    struct pollfd fd = { s->out, 0, 0 };
    return atomic_load(&s->rc) || (poll(&fd, 1, 0) > 0 && fd.revents & (POLLERR | POLLNVAL));
}
static void session_send(void *context, const json_t *message)
{
    peer_send(context, message);
}

static void *work(void *context)
{
    struct stdio *s = context;
    const struct mcp_peer peer = {
        .send = peer_send, .gone = peer_gone, .lasting = true, .context = s
    };
    for (;;) {
        pthread_mutex_lock(&s->lock);
        while (!s->first && !s->ended)
            pthread_cond_wait(&s->moved, &s->lock);
        struct queued *q = s->first;
        if (q) {
            s->first = q->next;
            s->bytes -= q->bytes;
            if (!s->first)
                s->last = &s->first;
        }
        pthread_mutex_unlock(&s->lock);
        if (!q)
            return NULL;
        json_t *answer = NULL;
        int rc = atomic_load(&s->rc);
        if (!rc)
            rc = mcp_answer(s->session, &peer, q->message, &answer, NULL);
        if (!rc && answer)
            rc = send_line(s, answer);
        fail(s, rc);
        json_decref(answer);
        json_decref(q->message);
        base_free(q);
    }
}

/* Takes message over. */
static int enqueue(struct stdio *s, json_t *message, size_t bytes)
{
    struct queued *q = base_alloc_zero(1, sizeof *q);
    if (!q) {
        json_decref(message);
        return BASE_E_MEMORY;
    }
    q->message = message;
    q->bytes = bytes;
    pthread_mutex_lock(&s->lock);
    *s->last = q;
    s->last = &q->next;
    s->bytes += bytes;
    pthread_cond_signal(&s->moved);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

/* One whole line, without its newline. */
static int line(struct stdio *s, const char *text, size_t n)
{
    while (n && (text[n - 1] == '\r' || text[n - 1] == ' '))
        n--;
    if (!n)
        return 0;
    json_t *message = NULL, *answer = NULL;
    int rc = mcp_message_parse(s->session, text, n, &message, &answer);
    pthread_mutex_lock(&s->lock);
    bool full = s->bytes + n > QUEUED_MOST;
    pthread_mutex_unlock(&s->lock);
    bool request = json_object_get(message, "method") && json_object_get(message, "id");
    if (!rc && full && (request || json_is_array(message))) {
        answer = mcp_error_answer(json_object_get(message, "id"), MCP_INTERNAL_ERROR,
                                  "more than 64 MiB of requests wait already", NULL);
        rc = answer ? 0 : BASE_E_MEMORY;
    } else if (!rc && message) {
        const char *method = json_string_value(json_object_get(message, "method"));
        rc = mcp_session_take(s->session, message);
        if (!rc && method && strcmp(method, "ping") == 0)
            rc = mcp_answer(s->session, NULL, message, &answer, NULL);
        else if (!rc && !full) /* a notification that has no room asks for no answer */
            rc = enqueue(s, json_incref(message), n + MESSAGE_BYTES);
    }
    if (rc >= 0 && answer)
        rc = send_line(s, answer);
    json_decref(answer);
    json_decref(message);
    return rc < 0 ? rc : 0;
}

/* Reads lines until input ends, waiting 500 ms at a time. */
static int read_lines(struct stdio *s)
{
    struct base_buffer text = { 0 };
    bool overlong = false; /* the present line is too long: it is dropped to its end */
    int rc = 0;
    while (!rc && !base_interrupted() && !atomic_load(&s->rc)) {
        struct pollfd fd = { s->in, POLLIN, 0 };
        if (poll(&fd, 1, 500) <= 0)
            continue;
        char block[65536];
        ssize_t n = read(s->in, block, sizeof block);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            break;
        for (ssize_t at = 0; at < n && !rc;) {
            const char *end = memchr(block + at, '\n', (size_t)(n - at));
            size_t part = end ? (size_t)(end - block - at) : (size_t)(n - at);
            if (!overlong && text.length + part > LINE_MOST) { /* answered once */
                overlong = true;
                json_t *answer =
                    mcp_error_answer(NULL, MCP_PARSE_ERROR, "a message of more than 16 MiB", NULL);
                rc = answer ? send_line(s, answer) : BASE_E_MEMORY;
                json_decref(answer);
            }
            if (!overlong && !rc)
                rc = base_buffer_append(&text, block + at, part);
            if (end && !overlong && !rc)
                rc = line(s, text.data, text.length);
            if (end) {
                base_buffer_clear(&text);
                overlong = false;
            }
            at += (ssize_t)part + (end != NULL);
        }
    }
    base_buffer_free(&text);
    return rc;
}

int mcp_serve_stdio(const struct mcp_server_options *o, int in, int out)
{
    struct stdio s = { .in = in, .out = out };
    struct mcp_server *server = NULL;
    pthread_t worker;
    bool working = false;
    s.last = &s.first;
    pthread_mutex_init(&s.writing, NULL);
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.moved, NULL);
    int rc = mcp_server_make(&server, o);
    if (!rc)
        rc = mcp_session_make(&s.session, server, "stdio", "stdio");
    if (!rc) {
        mcp_session_listen(s.session, session_send, &s);
        working = pthread_create(&worker, NULL, work, &s) == 0;
        rc = working ? read_lines(&s) : base_error_set(BASE_E_IO, "cannot start a thread");
        fail(&s, rc);
        mcp_session_end(s.session);
    }
    pthread_mutex_lock(&s.lock);
    s.ended = true;
    pthread_cond_signal(&s.moved);
    pthread_mutex_unlock(&s.lock);
    if (working)
        pthread_join(worker, NULL);
    mcp_session_free(s.session);
    mcp_server_free(server);
    pthread_cond_destroy(&s.moved);
    pthread_mutex_destroy(&s.lock);
    pthread_mutex_destroy(&s.writing);
    rc = atomic_load(&s.rc) ? atomic_load(&s.rc) : rc;
    if (rc == BASE_E_IO && working)
        base_error_set(rc, "cannot write an answer: the other side is gone");
    return rc;
}
