/* Streamable HTTP on libcurl: a request is a POST, answered by one JSON message or by a stream of
 * events (text/event-stream) with the answer among them.
 *
 * The era of sessions: the server names a session in Mcp-Session-Id, which every request repeats; a
 * stream that breaks off is taken up again by GET and Last-Event-ID, after the time that the server
 * gave with `retry`; a further GET, the standing stream, brings what belongs to no request; 404 is
 * the end of the session; DELETE says goodbye. 2026-07-28: no session, the headers say what the
 * body is, and to hang up is to cancel.
 *
 * All transfers of a client are in one curl multi handle, driven by whoever waits. What has come is
 * acted on outside of curl's callbacks, so that the server's question during a request is answered
 * by a POST of its own while the request's stream stays open.
 *
 * Redirects are not followed, and the token is not sent in the clear to another machine. */
#define CURL_DISABLE_TYPECHECK /* its macros cannot wrap a function pointer */
#include "base/json.h"
#include "base/library.h"
#include "base/memory.h"
#include "mcp/client.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_USUAL   1.0
#define RETRY_MOST    60.0
#define RESUMES_MOST  5 /* in a row that brought nothing */
#define STANDING_WAIT 0.3
#define ERROR_PAGE    65536
#define INBOX_MOST    1000 /* messages that wait: then the stream does, too */

/* The functions of libcurl that are used: the library is loaded with the first client. */
#define CURL_FUNCTIONS(X)                                                                          \
    X(global_init)                                                                                 \
    X(easy_init)                                                                                   \
    X(easy_setopt)                                                                                 \
    X(easy_getinfo)                                                                                \
    X(easy_strerror)                                                                               \
    X(easy_pause)                                                                                  \
    X(easy_cleanup)                                                                                \
    X(slist_append)                                                                                \
    X(slist_free_all)                                                                              \
    X(multi_init)                                                                                  \
    X(multi_add_handle)                                                                            \
    X(multi_remove_handle)                                                                         \
    X(multi_perform)                                                                               \
    X(multi_poll)                                                                                  \
    X(multi_info_read)                                                                             \
    X(multi_cleanup)
static struct {
#define X(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(X)
#undef X
} curl;

static void curl_start(void)
{
    curl.global_init(CURL_GLOBAL_DEFAULT);
}

static int curl_load(void)
{
    static const char *const names[] = {
#define X(name) "curl_" #name,
        CURL_FUNCTIONS(X)
#undef X
    };
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int rc =
        base_library_load("libcurl.so.4", "libcurl4", names, &curl, sizeof names / sizeof names[0]);
    if (!rc)
        pthread_once(&once, curl_start);
    return rc;
}

/* One transfer, and after it perhaps another that takes it up again. */
struct flow {
    CURL *easy; /* NULL: none is under way */
    struct curl_slist *headers;
    char *post;
    struct mcp_events events;
    json_t *inbox;           /* messages out of events */
    struct base_buffer body; /* of an answer that is no stream */
    long status;
    char session[256], type[64], location[200];
    bool headed, streaming, done, got, paused;
    CURLcode code;
    int error; /* of a callback's, with its message */
    char problem[256], curl_error[CURL_ERROR_SIZE];
};
struct web {
    CURLM *multi;
    char *url, *bearer, *session;
    bool near; /* on this machine: no proxy */
    struct flow standing;
    double standing_at; /* when to ask for it again; < 0: never */
    unsigned standing_fails;
};

/* ---- curl's callbacks ---- */

static void value_copy(char *to, size_t room, const char *from, size_t n)
{
    while (n && (*from == ' ' || *from == '\t')) {
        from++;
        n--;
    }
    while (n && (from[n - 1] == '\r' || from[n - 1] == '\n' || from[n - 1] == ' '))
        n--;
    snprintf(to, room, "%.*s", n < room ? (int)n : 0, from);
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct flow *f = context;
    size_t n = size * count;
    static const char *const names[] = { "Content-Type:", "Mcp-Session-Id:", "Location:" };
    char *const places[] = { f->type, f->session, f->location };
    const size_t rooms[] = { sizeof f->type, sizeof f->session, sizeof f->location };
    if (n >= 5 && memcmp(data, "HTTP/", 5) == 0) { /* also after a 100 */
        *f->type = *f->session = *f->location = 0;
        return n;
    }
    for (size_t i = 0; i < 3; i++)
        if (n > strlen(names[i]) && strncasecmp(data, names[i], strlen(names[i])) == 0)
            value_copy(places[i], rooms[i], data + strlen(names[i]), n - strlen(names[i]));
    if (n <= 2) {
        curl.easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &f->status);
        f->headed = f->status >= 200;
        f->streaming = f->status == 200 && strncasecmp(f->type, "text/event-stream", 17) == 0;
    }
    return n;
}

static int on_event(void *context, const char *type, const char *data, size_t bytes)
{
    struct flow *f = context;
    json_t *message = NULL;
    f->got = true;
    if (strcmp(type, "message") != 0)
        return 0;
    int rc = base_json_parse_wire(&message, data, bytes, 0, "the server's event");
    if (rc == BASE_E_MEMORY)
        return rc;
    if (rc)
        return 0; /* not a message: passed over, as a line that is none */
    return json_array_append_new(f->inbox, message) ? BASE_E_MEMORY : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct flow *f = context;
    size_t n = size * count;
    if (f->streaming && json_array_size(f->inbox) >= INBOX_MOST) {
        f->paused = true; /* curl keeps the bytes until drain */
        return CURL_WRITEFUNC_PAUSE;
    }
    if (f->streaming) {
        f->error = mcp_events_feed(&f->events, data, n);
    } else if (f->status >= 400 && f->body.length + n > ERROR_PAGE) {
        return n; /* more of an error page than anybody reads */
    } else if (f->body.length + n > MCP_MESSAGE_MOST) {
        f->error = base_error_set(BASE_E_LIMIT, "the server's answer is longer than 64 MiB");
    } else {
        f->error = base_buffer_append(&f->body, data, n);
    }
    if (!f->error)
        return n;
    snprintf(f->problem, sizeof f->problem, "%s", base_error_message());
    return 0;
}

/* ---- transfers ---- */

static int header_add(void *context, const char *line)
{
    struct flow *f = context;
    char *empty = NULL;
    size_t n = strlen(line);
    if (n > 2 && strcmp(line + n - 2, ": ") == 0) { /* a header without a value, as curl has it */
        if (!(empty = base_strdup(line)))
            return BASE_E_MEMORY;
        strcpy(empty + n - 2, ";");
        line = empty;
    }
    struct curl_slist *more = curl.slist_append(f->headers, line);
    base_free(empty);
    if (!more)
        return base_error_set(BASE_E_MEMORY, "out of memory: request headers");
    f->headers = more;
    return 0;
}

static int header_put(struct flow *f, const char *name, const char *value, bool encoded)
{
    struct base_buffer b = { 0 };
    int rc = base_buffer_printf(&b, "%s: ", name);
    if (!rc)
        rc = encoded ? mcp_header_append(&b, value, strlen(value)) : base_buffer_puts(&b, value);
    if (!rc)
        rc = header_add(f, b.data);
    base_buffer_free(&b);
    return rc;
}

/* What the headers of a message of the era without sessions say of it. */
static int headers_of(struct mcp_client *c, struct flow *f, const json_t *message)
{
    const char *method = json_string_value(json_object_get(message, "method"));
    const json_t *params = json_object_get(message, "params");
    if (!method)
        return 0;
    int rc = header_put(f, "Mcp-Method", method, true);
    bool call = strcmp(method, "tools/call") == 0;
    const char *key = call || strcmp(method, "prompts/get") == 0 ? "name"
                      : strcmp(method, "resources/read") == 0    ? "uri"
                                                                 : NULL;
    const char *name = key ? json_string_value(json_object_get(params, key)) : NULL;
    if (!rc && name)
        rc = header_put(f, "Mcp-Name", name, true);
    if (!rc && call && name)
        rc = mcp_header_params(json_object_get(c->headers, name),
                               json_object_get(params, "arguments"), header_add, f);
    return rc;
}

static int headers_make(struct mcp_client *c, struct web *w, struct flow *f, const json_t *message)
{
    const char *version = c->modern ? MCP_VERSION_MODERN : c->version;
    int rc = header_add(f, message ? "Accept: application/json, text/event-stream"
                                   : "Accept: text/event-stream");
    if (!rc && message && !(rc = header_add(f, "Content-Type: application/json")))
        rc = header_add(f, "Expect:"); /* no waiting for a 100 before a long body */
    if (!rc && w->bearer)
        rc = header_add(f, w->bearer);
    if (!rc && version)
        rc = header_put(f, "MCP-Protocol-Version", version, false);
    if (!rc && !c->modern && w->session)
        rc = header_put(f, "Mcp-Session-Id", w->session, false);
    if (!rc && !message && f->events.id.length)
        rc = header_put(f, "Last-Event-ID", f->events.id.data, false);
    return rc || !message || !c->modern ? rc : headers_of(c, f, message);
}

/* Ends a transfer, whatever its state; events and inbox stay. */
static void flow_stop(struct web *w, struct flow *f)
{
    if (f->easy) {
        curl.multi_remove_handle(w->multi, f->easy);
        curl.easy_cleanup(f->easy);
    }
    if (f->headers)
        curl.slist_free_all(f->headers);
    base_free(f->post);
    f->easy = NULL;
    f->headers = NULL;
    f->post = NULL;
}

static void flow_free(struct web *w, struct flow *f)
{
    flow_stop(w, f);
    mcp_events_free(&f->events);
    json_decref(f->inbox);
    base_buffer_free(&f->body);
    *f = (struct flow){ 0 };
}

/* Begins a POST of message, or, without one, a GET (or DELETE). */
static int flow_start(struct mcp_client *c, struct web *w, struct flow *f, const char *verb,
                      const json_t *message)
{
    const char *ca = getenv("CURL_CA_BUNDLE") ? getenv("CURL_CA_BUNDLE") : getenv("SSL_CERT_FILE");
    flow_stop(w, f);
    if (!f->inbox) {
        f->inbox = json_array();
        f->events.retry = -1;
    }
    f->events.event = on_event;
    f->events.context = f;
    f->events.most = MCP_MESSAGE_MOST;
    mcp_events_restart(&f->events);
    base_buffer_clear(&f->body);
    f->status = 0;
    f->headed = f->streaming = f->done = f->got = f->paused = false;
    f->error = 0;
    *f->type = *f->session = *f->location = *f->curl_error = 0;
    f->post = message ? base_json_compact(message) : NULL;
    int rc = !f->inbox || (message && !f->post) ? BASE_E_MEMORY : headers_make(c, w, f, message);
    CURL *e = rc ? NULL : curl.easy_init();
    if (!rc && !e)
        rc = base_error_set(BASE_E_MEMORY, "libcurl cannot begin a transfer");
    if (rc) {
        flow_stop(w, f);
        return rc;
    }
    f->easy = e;
    curl.easy_setopt(e, CURLOPT_PRIVATE, f);
    curl.easy_setopt(e, CURLOPT_URL, w->url);
    curl.easy_setopt(e, CURLOPT_ERRORBUFFER, f->curl_error);
    curl.easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl.easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.easy_setopt(e, CURLOPT_USERAGENT, "assay/" ASSAY_VERSION);
    curl.easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
    curl.easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl.easy_setopt(e, CURLOPT_HEADERDATA, f);
    curl.easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(e, CURLOPT_WRITEDATA, f);
    if (w->near)
        curl.easy_setopt(e, CURLOPT_PROXY, "");
    if (ca && *ca)
        curl.easy_setopt(e, CURLOPT_CAINFO, ca);
    if (message) {
        curl.easy_setopt(e, CURLOPT_POST, 1L);
        curl.easy_setopt(e, CURLOPT_POSTFIELDS, f->post);
        curl.easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(f->post));
    } else if (strcmp(verb, "GET") != 0) {
        curl.easy_setopt(e, CURLOPT_CUSTOMREQUEST, verb);
    }
    if (curl.multi_add_handle(w->multi, e) != CURLM_OK) {
        flow_stop(w, f);
        return base_error_set(BASE_E_MEMORY, "libcurl cannot begin a transfer");
    }
    return 0;
}

/* Moves all transfers on by what is there. */
static void turn(struct web *w)
{
    int running, left;
    curl.multi_perform(w->multi, &running);
    for (CURLMsg *m; (m = curl.multi_info_read(w->multi, &left));) {
        struct flow *f = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
        f->done = true;
        f->code = m->data.result;
        curl.easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &f->status);
    }
}

/* Waits until a transfer that asks for nothing in return has ended. */
static int finish(struct web *w, struct flow *f, double until)
{
    for (;;) {
        turn(w);
        if (f->done)
            return 0;
        double left = until - mcp_now();
        if (base_interrupted() && left > 0.5)
            until = mcp_now() + 0.5;
        if (left <= 0)
            return base_error_set(BASE_E_IO, "the server did not answer in time");
        curl.multi_poll(w->multi, NULL, 0, left > 0.2 ? 200 : (int)(left * 1000) + 1, NULL);
    }
}

static int lost(const struct flow *f)
{
    if (f->error)
        return base_error_set(f->error, "%s", f->problem);
    return base_error_set(BASE_E_IO, "%s",
                          *f->curl_error ? f->curl_error : curl.easy_strerror(f->code));
}

/* ---- what has come ---- */

/* Acts on the messages out of events. More may come while one is acted on. */
static int drain(struct mcp_client *c, struct mcp_exchange *x, struct flow *f)
{
    int rc = 0;
    for (size_t i = 0; i < json_array_size(f->inbox) && !rc; i++) {
        json_t *message = json_incref(json_array_get(f->inbox, i));
        if (json_is_object(message) || json_is_array(message))
            rc = mcp_client_take(c, x, message);
        json_decref(message);
        if (!rc && x && !x->answer && mcp_now() > x->looked + 0.02)
            rc = mcp_exchange_over(c, x);
    }
    if (f->inbox)
        json_array_clear(f->inbox);
    if (f->paused && f->easy && !rc) {
        f->paused = false;
        curl.easy_pause(f->easy, CURLPAUSE_CONT);
    }
    return rc;
}

/* The session that the server gave with its answer to initialize. */
static int session_keep(struct web *w, const struct flow *f)
{
    for (const char *s = f->session; *s; s++)
        if (*s < 0x21 || *s > 0x7e)
            return base_error_set(BASE_E_FORMAT,
                                  "the server's Mcp-Session-Id is not visible ASCII");
    if (!*f->session)
        return 0;
    base_free(w->session);
    return (w->session = base_strdup(f->session)) ? 0 : BASE_E_MEMORY;
}

static int status_error(struct mcp_client *c, const struct flow *f)
{
    c->refused = f->status < 500 && f->status != 401 && f->status != 403 && f->status != 429;
    if (f->status == 401 || f->status == 403)
        return base_error_set(BASE_E_IO, "the server refuses (HTTP %ld): it wants a%s token",
                              f->status, f->status == 401 ? "" : "nother");
    if (f->status >= 300 && f->status < 400)
        return base_error_set(BASE_E_IO,
                              "the server is elsewhere (HTTP %ld, %.150s): redirects are not "
                              "followed",
                              f->status, f->location);
    return base_error_set(BASE_E_IO, "HTTP %ld: %.200s", f->status,
                          f->body.length ? f->body.data : "without a reason");
}

/* A transfer that has ended before the answer came. *again: seconds until it is taken up by GET, or
 * < 0: there is an answer, or an error. */
static int ended(struct mcp_client *c, struct web *w, struct mcp_exchange *x, struct flow *f,
                 bool resumed, unsigned *fails, double *again)
{
    bool can_resume = !c->modern && f->events.id.length;
    *again = -1;
    if (f->error)
        return lost(f);
    if (f->streaming || (resumed && (f->code || f->status >= 500))) {
        *fails = f->got ? 0 : *fails + 1;
        if (!can_resume || *fails > RESUMES_MOST)
            return f->code ? lost(f)
                           : base_error_set(BASE_E_IO, "the server ended before it had answered");
        *again = f->events.retry >= 0 ? f->events.retry : RETRY_USUAL;
        if (*again > RETRY_MOST)
            *again = RETRY_MOST;
        return 0;
    }
    if (f->code)
        return lost(f);
    json_t *message = NULL;
    if (f->body.length && base_json_parse_wire(&message, f->body.data, f->body.length, 0,
                                               "the server's answer") == BASE_E_MEMORY)
        return BASE_E_MEMORY;
    const json_t *id = json_object_get(message, "id");
    bool ours = json_is_integer(id) && json_integer_value(id) == x->id;
    if (f->status == 404 && !c->modern && w->session && !ours) {
        json_decref(message);
        c->session_lost = true;
        return base_error_set(BASE_E_IO, "the server knows the session no more");
    }
    int rc = json_is_object(message) || json_is_array(message) ? mcp_client_take(c, x, message) : 0;
    json_decref(message);
    if (rc || x->answer)
        return rc;
    if (f->status < 200 || f->status >= 300)
        return status_error(c, f);
    return base_error_set(BASE_E_FORMAT, "HTTP %ld, %.60s: no answer to the request in it",
                          f->status, *f->type ? f->type : "without a content type");
}

/* The standing stream: what it brought, and asking for it again when it has ended. */
static int standing_tend(struct mcp_client *c, struct web *w, struct mcp_exchange *x)
{
    struct flow *f = &w->standing;
    int rc = drain(c, x, f);
    if (rc || (x && x->answer))
        return rc;
    if (f->easy && f->done) {
        bool fine = f->streaming && !f->error;
        w->standing_fails = f->got ? 0 : w->standing_fails + 1;
        double wait = f->events.retry >= 0 ? f->events.retry : RETRY_USUAL;
        w->standing_at = fine && w->standing_fails <= RESUMES_MOST
                             ? mcp_now() + (wait > RETRY_MOST ? RETRY_MOST : wait)
                             : -1;
        flow_stop(w, f);
    }
    if (!f->easy && w->standing_at >= 0 && mcp_now() >= w->standing_at) {
        w->standing_at = -1;
        rc = flow_start(c, w, f, "GET", NULL);
    }
    return rc;
}

/* ---- the transport ---- */

static int http_send(struct mcp_client *c, const json_t *message, double until)
{
    struct web *w = c->line;
    struct flow f = { 0 };
    int rc = flow_start(c, w, &f, "POST", message);
    if (!rc)
        rc = finish(w, &f, until);
    if (!rc && (f.code || f.error))
        rc = lost(&f);
    if (!rc && f.status == 404 && !c->modern && w->session) {
        c->session_lost = true;
        rc = base_error_set(BASE_E_IO, "the server knows the session no more");
    } else if (!rc && (f.status < 200 || f.status >= 300)) {
        rc = status_error(c, &f);
    }
    flow_free(w, &f);
    return rc;
}

/* The era of sessions is told that nobody waits; the other one hears it when the line is cut. */
static void call_off(struct mcp_client *c, const struct mcp_exchange *x)
{
    char *why = base_strdup(base_error_message());
    json_t *note = c->modern || strcmp(x->method, "initialize") == 0
                       ? NULL
                       : mcp_client_note("notifications/cancelled",
                                         json_pack("{s:I, s:s}", "requestId", x->id, "reason",
                                                   c->timed_out ? "timeout" : "cancelled"));
    if (note && why)
        http_send(c, note, mcp_now() + 0.3);
    json_decref(note);
    if (why)
        base_error_set(BASE_E_IO, "%s", why);
    base_free(why);
}

static int http_exchange(struct mcp_client *c, struct mcp_exchange *x)
{
    struct web *w = c->line;
    struct flow f = { 0 };
    bool first = strcmp(x->method, "initialize") == 0, resumed = false;
    unsigned fails = 0;
    double resume_at = 0;
    if (first) { /* a session begins: what was there of another is no more */
        base_free(w->session);
        w->session = NULL;
        flow_free(w, &w->standing);
        w->standing_at = -1;
    }
    int rc = flow_start(c, w, &f, "POST", x->message);
    while (!rc && !x->answer) {
        double again = -1;
        turn(w);
        rc = drain(c, x, &f);
        if (!rc && !x->answer)
            rc = standing_tend(c, w, x);
        if (rc || x->answer)
            break;
        if (f.easy && f.done) {
            rc = ended(c, w, x, &f, resumed, &fails, &again);
            if (again >= 0) {
                flow_stop(w, &f);
                resume_at = mcp_now() + again;
            }
        }
        if (rc || x->answer || (rc = mcp_exchange_over(c, x)))
            break;
        int wait = mcp_exchange_wait(x);
        if (!f.easy && mcp_now() >= resume_at) {
            resumed = true;
            rc = flow_start(c, w, &f, "GET", NULL);
            continue;
        }
        if (!f.easy && wait > (int)((resume_at - mcp_now()) * 1000) + 1)
            wait = (int)((resume_at - mcp_now()) * 1000) + 1;
        curl.multi_poll(w->multi, NULL, 0, wait, NULL);
    }
    if (rc == BASE_E_INTERRUPTED || (rc && c->timed_out)) {
        flow_stop(w, &f);
        call_off(c, x);
    }
    if (!rc && first)
        rc = session_keep(w, &f);
    flow_free(w, &f);
    return rc;
}

static int http_listen(struct mcp_client *c)
{
    struct web *w = c->line;
    struct flow *f = &w->standing;
    flow_free(w, f);
    w->standing_at = -1;
    w->standing_fails = 0;
    int rc = flow_start(c, w, f, "GET", NULL);
    /* what the server asks before it is there could be lost */
    for (double until = mcp_now() + STANDING_WAIT; !rc && mcp_now() < until;) {
        turn(w);
        if (f->headed || f->done)
            break;
        curl.multi_poll(w->multi, NULL, 0, 20, NULL);
    }
    return rc;
}

static int http_hear(struct mcp_client *c)
{
    struct web *w = c->line;
    turn(w);
    return standing_tend(c, w, NULL);
}

static void http_close(struct mcp_client *c)
{
    struct web *w = c->line;
    if (w->session && !c->modern) {
        struct flow f = { 0 };
        if (flow_start(c, w, &f, "DELETE", NULL) == 0)
            finish(w, &f, mcp_now() + 2);
        flow_free(w, &f);
    }
    if (w->multi) {
        flow_free(w, &w->standing);
        curl.multi_cleanup(w->multi);
    }
    base_free(w->url);
    base_free(w->bearer);
    base_free(w->session);
    base_free(w);
    c->line = NULL;
}

static const struct mcp_transport http_transport = { .exchange = http_exchange,
                                                     .send = http_send,
                                                     .listen = http_listen,
                                                     .hear = http_hear,
                                                     .close = http_close };

/* The host of an address, its length in *n; NULL when it is none that is taken here. */
static const char *host_of(const char *url, size_t *n, bool *secure)
{
    *secure = strncasecmp(url, "https://", 8) == 0;
    if (!*secure && strncasecmp(url, "http://", 7) != 0)
        return NULL;
    const char *host = url + (*secure ? 8 : 7);
    size_t all = strcspn(host, "/?#");
    if (memchr(host, '@', all) || strpbrk(url, " \t\r\n\\"))
        return NULL; /* no names and passwords in it */
    *n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    return *n && *n <= all ? host : NULL;
}

static bool is_near(const char *host, size_t n)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    for (size_t i = 0; i < 3; i++)
        if (n == strlen(names[i]) && strncasecmp(host, names[i], n) == 0)
            return true;
    return false;
}

int mcp_client_http_open(struct mcp_client *c, const char *url, const char *token)
{
    size_t n = 0;
    bool secure;
    const char *host = host_of(url, &n, &secure);
    if (!host)
        return base_error_set(BASE_E_ARGUMENT,
                              "expected an address like http://127.0.0.1:8808/mcp or https://...");
    if (token && *token && strpbrk(token, "\r\n"))
        return base_error_set(BASE_E_ARGUMENT, "the token holds a line break");
    if (token && *token && !secure && !is_near(host, n))
        return base_error_set(BASE_E_ARGUMENT,
                              "the token is not sent in the clear to another machine: use https");
    int rc = curl_load();
    if (rc)
        return rc;
    struct web *w = base_alloc_zero(1, sizeof *w);
    if (!w)
        return BASE_E_MEMORY;
    c->line = w;
    c->transport = &http_transport;
    w->near = is_near(host, n);
    w->standing_at = -1;
    w->url = base_strndup(url, strcspn(url, "#"));
    if (token && *token)
        w->bearer = base_format("Authorization: Bearer %s", token);
    if (!w->url || (token && *token && !w->bearer))
        return BASE_E_MEMORY;
    w->multi = curl.multi_init();
    return w->multi ? 0 : base_error_set(BASE_E_MEMORY, "libcurl cannot start");
}
