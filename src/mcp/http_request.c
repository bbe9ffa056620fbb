/* What libmicrohttpd calls: a request's fields are checked before its body is taken, and what is
 * wrong with them is answered when the body has come (a client that still sends would not hear),
 * or at once where the body is large. The order: path 404, repeated or contradicting fields 400,
 * Host and Origin 403, token 401, method 405, Content-Type 415, Accept 406, length 413. */
#include "base/memory.h"
#include "base/progress.h"
#include "mcp/http.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <time.h>

#define DRAINED_MOST 65536 /* of a refused request's body */
#define PARAMS_MOST  64

struct http_functions http_mhd;

/* ---- connections ---- */

/* When three quarters of the connections are taken, a new one takes the place of the one that has
 * waited longest without a whole request: there is always room for who says what he wants. Locked.
 */
static void make_room(struct http *h)
{
    struct http_link *oldest = NULL;
    if (h->n_links <= h->n_links_most / 4 * 3)
        return;
    for (struct http_link *l = h->links; l; l = l->next)
        if (!l->busy && !l->ended && (!oldest || l->since <= oldest->since))
            oldest = l;
    if (!oldest)
        return;
    oldest->ended = true;
    shutdown(oldest->fd, SHUT_RDWR);
}

void http_on_connection(void *context, struct MHD_Connection *connection, void **own,
                        enum MHD_ConnectionNotificationCode code)
{
    struct http *h = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct http_link *l = *own;
        if (!l)
            return;
        pthread_mutex_lock(&h->lock);
        *l->at = l->next;
        if (l->next)
            l->next->at = l->at;
        h->n_links--;
        pthread_mutex_unlock(&h->lock);
        base_free(l);
        *own = NULL;
        return;
    }
    struct http_link *l = base_alloc_zero(1, sizeof *l);
    const union MHD_ConnectionInfo *info =
        http_mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *own = l;
    if (!l || !info)
        return;
    l->fd = info->connect_fd;
    l->since = base_clock();
    /* what is sent to a machine that is no longer there fails after this long */
    int on = 1;
    unsigned lost = 30000;
    setsockopt(l->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(l->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost, sizeof lost);
    pthread_mutex_lock(&h->lock);
    make_room(h);
    l->next = h->links;
    l->at = &h->links;
    if (l->next)
        l->next->at = &l->next;
    h->links = l;
    h->n_links++;
    pthread_mutex_unlock(&h->lock);
}

/* ---- fields ---- */

struct fields {
    struct http_exchange *x;
    const char *host, *origin, *authorization, *content_type, *length, *encoding;
    char *accept; /* all that were given, as one list */
    bool crowded; /* more Mcp-Param-* than are looked at */
    int rc;
};

static void keep(struct fields *f, char **to, const char *value)
{
    if (*to)
        f->x->repeated = true;
    else if (!(*to = http_value_trim(value)))
        f->rc = BASE_E_MEMORY;
}

static void keep_param(struct fields *f, const char *name, const char *value)
{
    struct http_exchange *x = f->x;
    struct http_param *grown = NULL;
    if (x->n_params == PARAMS_MOST) {
        f->crowded = true;
        return;
    }
    if (!(grown = base_realloc(x->params, x->n_params + 1, sizeof *grown))) {
        f->rc = BASE_E_MEMORY;
        return;
    }
    x->params = grown;
    grown[x->n_params] =
        (struct http_param){ .name = base_strdup(name), .value = http_value_trim(value) };
    if (!grown[x->n_params].name || !grown[x->n_params].value)
        f->rc = BASE_E_MEMORY;
    x->n_params++;
}

static void keep_accept(struct fields *f, const char *value)
{
    char *all = f->accept ? base_format("%s, %s", f->accept, value) : base_strdup(value);
    if (!all)
        f->rc = BASE_E_MEMORY;
    base_free(f->accept);
    f->accept = all;
}

static enum MHD_Result on_field(void *context, enum MHD_ValueKind kind, const char *name,
                                const char *value)
{
    struct fields *f = context;
    struct http_exchange *x = f->x;
    const struct {
        const char *name;
        const char **seen;
        char **kept;
    } known[] = {
        { "Host", &f->host, NULL },
        { "Origin", &f->origin, NULL },
        { "Authorization", &f->authorization, NULL },
        { "Content-Type", &f->content_type, NULL },
        { "Content-Length", &f->length, NULL },
        { "Transfer-Encoding", &f->encoding, NULL },
        { "MCP-Protocol-Version", NULL, &x->version },
        { "Mcp-Session-Id", NULL, &x->session_id },
        { "Mcp-Method", NULL, &x->mcp_method },
        { "Mcp-Name", NULL, &x->mcp_name },
        { "Last-Event-ID", NULL, &x->last_event },
    };
    (void)kind;
    value = value ? value : "";
    if (strcasecmp(name, "Accept") == 0) {
        keep_accept(f, value);
        return MHD_YES;
    }
    if (strncasecmp(name, "Mcp-Param-", 10) == 0) {
        keep_param(f, name + 10, value);
        return MHD_YES;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(name, known[i].name) != 0)
            continue;
        if (known[i].kept)
            keep(f, known[i].kept, value);
        else if (*known[i].seen)
            x->repeated = true;
        else
            *known[i].seen = value;
    }
    return MHD_YES;
}

/* The request is answered with a status and, unless message is NULL, an error that says why. */
static int refuse(struct http_exchange *x, unsigned status, const char *message)
{
    x->status = status;
    base_buffer_clear(&x->text);
    if (!message)
        return 0;
    json_t *error = mcp_error_answer(NULL, MCP_INVALID_REQUEST, message, NULL);
    char *text = error ? json_dumps(error, JSON_COMPACT) : NULL;
    int rc = text ? base_buffer_puts(&x->text, text) : BASE_E_MEMORY;
    base_free(text);
    json_decref(error);
    return rc;
}

static bool origin_is_named(const struct http *h, const struct http_origin *origin)
{
    for (size_t i = 0; i < h->n_origins; i++)
        if (http_origin_equal(&h->origins[i], origin))
            return true;
    return false;
}

/* Against pages in a browser that call this server by a name of their own (DNS rebinding): what
 * listens for this machine alone answers to no name but this machine's and the allowed origins';
 * and a page's origin must be this machine or allowed. What others can reach asks for the token. */
static int check_source(struct http_exchange *x, const struct fields *f)
{
    const struct http *h = x->h;
    struct http_authority host;
    struct http_origin origin;
    bool known = f->host && http_authority_parse(f->host, &host);
    if (known && h->loopback && !http_host_is_loopback(host.host)) {
        known = false;
        for (size_t i = 0; i < h->n_origins && !known; i++)
            known = strcmp(h->origins[i].at.host, host.host) == 0;
    }
    if (!known)
        return refuse(x, 403, "Host: this server does not go by that name");
    if (!f->origin)
        return 0;
    bool parsed = http_origin_parse(f->origin, &origin);
    bool named = parsed && origin_is_named(h, &origin);
    if (!parsed || !(named || http_host_is_loopback(origin.at.host)))
        return refuse(x, 403, "Origin: pages from there may not use this server");
    if (named && !(x->origin = base_strdup(f->origin)))
        return BASE_E_MEMORY;
    return 0;
}

static int check_token(struct http_exchange *x, const struct fields *f)
{
    if (!x->h->token[0])
        return 0;
    const char *token = http_bearer(f->authorization);
    char digest[BASE_SHA256_HEX] = "";
    if (token) {
        int rc = base_sha256(token, strlen(token), digest);
        if (rc)
            return rc;
    }
    return http_equal_constant_time(digest, x->h->token, BASE_SHA256_HEX - 1)
               ? 0
               : refuse(x, 401, "Authorization: a bearer token is needed");
}

static int check_post(struct http_exchange *x, const struct fields *f)
{
    if (!http_is_json(f->content_type))
        return refuse(x, 415, "Content-Type: expected application/json");
    if (!http_accepts(f->accept, "application", "json") ||
        !http_accepts(f->accept, "text", "event-stream"))
        return refuse(x, 406, "Accept: expected application/json and text/event-stream");
    if (f->length && strtoull(f->length, NULL, 10) > HTTP_BODY_MOST)
        return refuse(x, 413, "a body of more than 16 MiB");
    return 0;
}

/* Everything that can be said before the body is there; x->status is set when it is a refusal. */
static int check(struct http_exchange *x, const char *url, const char *method, struct fields *f)
{
    if (strcmp(url, "/mcp") != 0)
        return refuse(x, 404, "there is nothing here: the endpoint is /mcp");
    if (x->repeated || (f->length && f->encoding))
        return refuse(x, 400, "a header field is given twice, or two contradict each other");
    if (f->crowded)
        return refuse(x, 400, "more than 64 fields Mcp-Param-*");
    int rc = check_source(x, f);
    if (rc || x->status)
        return rc;
    if (strcmp(method, "OPTIONS") == 0 && x->origin)
        return refuse(x, 204, NULL);
    rc = check_token(x, f);
    if (rc || x->status)
        return rc;
    if (strcmp(method, "POST") == 0) {
        x->method = HTTP_POST;
        return check_post(x, f);
    }
    x->method = strcmp(method, "GET") == 0 ? HTTP_GET : HTTP_DELETE;
    bool modern = x->version && strcmp(x->version, MCP_VERSION_MODERN) == 0;
    x->modern = modern;
    if (modern || (x->method == HTTP_DELETE && strcmp(method, "DELETE") != 0))
        return refuse(x, 405,
                      modern ? "2026-07-28 knows POST alone" : "expected POST, GET or DELETE");
    if (x->method == HTTP_GET && !http_accepts(f->accept, "text", "event-stream"))
        return refuse(x, 406, "Accept: expected text/event-stream");
    return 0;
}

/* ---- answers ---- */

void http_wake(struct http_exchange *x)
{
    pthread_cond_signal(&x->news);
}

int http_say(struct http_exchange *x, const char *text, size_t bytes)
{
    if (x->sent && x->sent >= x->text.length / 2) {
        memmove(x->text.data, x->text.data + x->sent, x->text.length - x->sent);
        x->text.length -= x->sent;
        x->sent = 0;
    }
    int rc = base_buffer_append(&x->text, text, bytes);
    x->spoken = base_clock();
    http_wake(x);
    return rc;
}

/* The connection's thread waits for something new. Locked. */
static void await(struct http_exchange *x)
{
    x->waiting = true;
    if (x->begun || x->state != HTTP_RUNNING) {
        pthread_cond_wait(&x->news, &x->h->lock);
    } else {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += HTTP_STALL_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_cond_timedwait(&x->news, &x->h->lock, &until) == ETIMEDOUT)
            http_work_hurry(x->h, x);
    }
    x->waiting = false;
}

static ssize_t read_stream(void *context, uint64_t position, char *to, size_t most)
{
    struct http_exchange *x = context;
    ssize_t n = MHD_CONTENT_READER_END_OF_STREAM;
    (void)position;
    pthread_mutex_lock(&x->h->lock);
    while (!x->gone && !x->ended && x->text.length == x->sent)
        await(x);
    size_t left = x->text.length - x->sent;
    if (x->gone) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (left) {
        n = (ssize_t)(left < most ? left : most);
        memcpy(to, x->text.data + x->sent, (size_t)n);
        x->sent += (size_t)n;
        if (x->sent == x->text.length) {
            x->sent = 0;
            if (x->text.capacity > 65536)
                base_buffer_free(&x->text);
            else
                base_buffer_clear(&x->text);
        }
    }
    pthread_mutex_unlock(&x->h->lock);
    return n;
}

static bool add_fields(const struct http_exchange *x, struct MHD_Response *r)
{
    bool stream = x->state == HTTP_STREAMING, ok = true;
#define ADD(name, value) ok = ok && http_mhd.add_response_header(r, name, value) == MHD_YES
    if (stream || x->text.length)
        ADD("Content-Type", stream ? "text/event-stream" : "application/json");
    ADD("Cache-Control", stream ? "no-cache, no-transform" : "no-store");
    if (stream)
        ADD("X-Accel-Buffering", "no"); /* a proxy must pass on what comes at once */
    if (x->new_session[0])
        ADD("Mcp-Session-Id", x->new_session);
    if (x->status == 401)
        ADD("WWW-Authenticate", "Bearer");
    if (x->status == 405)
        ADD("Allow", x->modern ? "POST" : "POST, GET, DELETE");
    if (x->status == 503)
        ADD("Retry-After", "5");
    if (x->origin) {
        ADD("Access-Control-Allow-Origin", x->origin);
        ADD("Vary", "Origin");
        ADD("Access-Control-Expose-Headers", "Mcp-Session-Id, MCP-Protocol-Version");
    }
    if (x->origin && x->status == 204) {
        ADD("Access-Control-Allow-Methods", "POST, GET, DELETE");
        ADD("Access-Control-Allow-Headers",
            "Authorization, Content-Type, Accept, Last-Event-ID, MCP-Protocol-Version, "
            "Mcp-Session-Id, Mcp-Method, Mcp-Name");
        ADD("Access-Control-Max-Age", "600");
    }
#undef ADD
    return ok;
}

/* Hands the answer to libmicrohttpd, which nobody else touches any more. Not locked: libmicrohttpd
 * holds a lock of its own while it reads a stream. */
static enum MHD_Result queue(struct http_exchange *x)
{
    struct MHD_Response *r;
    bool stream = x->state == HTTP_STREAMING;
    unsigned status = stream ? 200 : x->status;
    if (stream) {
        r = http_mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, read_stream, x, NULL);
        if (r && !add_fields(x, r)) {
            http_mhd.destroy_response(r);
            r = NULL;
        }
    } else {
        size_t n = x->text.length;
        char *text = base_buffer_take(&x->text);
        r = text ? http_mhd.create_response_from_buffer_with_free_callback(n, text, base_free)
                 : NULL;
        if (!r)
            base_free(text);
        x->text.length = n; /* only to say whether there is a text */
        if (r && !add_fields(x, r)) {
            http_mhd.destroy_response(r);
            r = NULL;
        }
        x->text.length = 0;
    }
    enum MHD_Result result =
        r ? http_mhd.queue_response(x->connection, status, r) : MHD_NO; /* NO: closes it */
    if (r)
        http_mhd.destroy_response(r);
    return result;
}

/* ---- requests ---- */

static struct http_exchange *exchange_make(struct http *h, struct MHD_Connection *connection)
{
    struct http_exchange *x = base_alloc_zero(1, sizeof *x);
    if (!x)
        return NULL;
    const union MHD_ConnectionInfo *info =
        http_mhd.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&x->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    x->h = h;
    x->connection = connection;
    x->users = 1;
    x->link = info ? info->socket_context : NULL;
    pthread_mutex_lock(&h->lock);
    x->next = h->open;
    x->at = &h->open;
    if (x->next)
        x->next->at = &x->next;
    h->open = x;
    if (x->link)
        x->link->since = base_clock();
    pthread_mutex_unlock(&h->lock);
    return x;
}

/* The first call: nothing but the fields is there. */
static enum MHD_Result begin(struct http *h, struct MHD_Connection *connection, const char *url,
                             const char *method, void **context)
{
    struct http_exchange *x = exchange_make(h, connection);
    if (!x)
        return MHD_NO;
    *context = x;
    struct fields f = { .x = x };
    http_mhd.get_connection_values(connection, MHD_HEADER_KIND, on_field, &f);
    int rc = f.rc ? f.rc : check(x, url, method, &f);
    size_t length = f.length ? (size_t)strtoull(f.length, NULL, 10) : 0;
    base_free(f.accept);
    if (rc)
        return MHD_NO;
    if (!x->status || length <= DRAINED_MOST)
        return MHD_YES;
    pthread_mutex_lock(&h->lock);
    x->state = HTTP_ANSWERED;
    if (x->link)
        x->link->busy = true;
    pthread_mutex_unlock(&h->lock);
    return queue(x);
}

/* Some of the body. A refusal cannot be sent before the last of it has come. */
static enum MHD_Result take(struct http_exchange *x, const char *upload, size_t bytes)
{
    struct http *h = x->h;
    int rc = 0;
    if (!x->status && x->body.length + bytes > HTTP_BODY_MOST)
        rc = refuse(x, 413, "a body of more than 16 MiB");
    pthread_mutex_lock(&h->lock);
    bool room = h->body_bytes + bytes <= HTTP_BODIES_MOST;
    if (!x->status && room) {
        h->body_bytes += bytes;
        x->counted += bytes;
    }
    pthread_mutex_unlock(&h->lock);
    if (!rc && !x->status && !room)
        rc = refuse(x, 503, "too much is being sent to this server at once");
    if (!rc && !x->status)
        rc = base_buffer_append(&x->body, upload, bytes);
    if (x->status)
        x->excess += bytes;
    return rc || x->excess > HTTP_BODY_MOST ? MHD_NO : MHD_YES;
}

/* The request is there as a whole: waits for its answer, or for a stream to begin. false: there is
 * none. Locked. */
static bool go_on(struct http_exchange *x)
{
    if (x->link)
        x->link->busy = true;
    if (x->state == HTTP_READING && x->status)
        x->state = HTTP_ANSWERED;
    if (x->state == HTTP_READING) {
        x->state = HTTP_RUNNING;
        if (!http_work_add(x->h, x)) {
            x->state = HTTP_ANSWERED;
            if (refuse(x, 503, "no thread can be started for this request"))
                return false;
        }
    }
    while (x->state == HTTP_RUNNING)
        await(x);
    return x->state != HTTP_DROPPED;
}

enum MHD_Result http_on_request(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_bytes, void **own)
{
    struct http *h = context;
    struct http_exchange *x = *own;
    (void)version;
    if (!x)
        return begin(h, connection, url, method, own);
    if (*upload_bytes) {
        size_t n = *upload_bytes;
        *upload_bytes = 0;
        return take(x, upload, n);
    }
    pthread_mutex_lock(&h->lock);
    bool answered = go_on(x);
    pthread_mutex_unlock(&h->lock);
    return answered ? queue(x) : MHD_NO;
}

void http_on_completed(void *context, struct MHD_Connection *connection, void **own,
                       enum MHD_RequestTerminationCode code)
{
    struct http *h = context;
    struct http_exchange *x = *own;
    (void)connection;
    if (!x)
        return;
    *own = NULL;
    pthread_mutex_lock(&h->lock);
    *x->at = x->next;
    if (x->next)
        x->next->at = x->at;
    x->connection = NULL;
    x->gone = x->gone || code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (x->record) {
        x->record->reader = NULL;
        x->record = NULL;
    }
    if (x->link) {
        x->link->busy = false;
        x->link->unsent = 0;
        x->link->since = base_clock();
        x->link = NULL;
    }
    http_exchange_leave(x);
    pthread_mutex_unlock(&h->lock);
}
