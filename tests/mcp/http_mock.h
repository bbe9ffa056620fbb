/* A server of HTTP on a free port of this machine, a thread for each connection, that answers as a
 * test says. Header-only; include after cmocka.h and support.h. */
#ifndef TESTS_MCP_HTTP_MOCK_H
#define TESTS_MCP_HTTP_MOCK_H
#include "base/json.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

struct mock_request {
    char verb[8], headers[8192];
    json_t *message;    /* NULL without a body */
    const char *method; /* "" */
    long long id;
};
struct mock {
    int listener;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    void (*handle)(struct mock *m, const struct mock_request *r, int fd);
    volatile bool stop;
    volatile int open;      /* connections */
    volatile int counts[8]; /* the test's own */
    char seen[16][4096];    /* headers of the first requests, in order */
    int n_seen;
};

/* Value of a header, "" when it is not there; one static buffer for each thread. */
static inline const char *mock_header(const char *headers, const char *name)
{
    static _Thread_local char value[1024];
    char key[80];
    snprintf(key, sizeof key, "\n%s:", name);
    const char *at = strcasestr(headers, key);
    *value = 0;
    if (at) {
        at += strlen(key);
        at += strspn(at, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r\n"), at);
    }
    return value;
}

static inline void mock_put(int fd, const char *text)
{
    for (size_t n = strlen(text), at = 0; at < n;) {
        ssize_t k = send(fd, text + at, n - at, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        at += (size_t)k;
    }
}

static inline void mock_answer(int fd, int status, const char *headers, const char *body)
{
    char head[1024];
    snprintf(head, sizeof head,
             "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status,
             strlen(body), headers);
    mock_put(fd, head);
    mock_put(fd, body);
}

/* {"jsonrpc", "id", "result"} as JSON. */
static inline void mock_result(int fd, const char *headers, long long id, const char *result)
{
    char *body = NULL, head[512];
    if (asprintf(&body, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":%s}", id, result) < 0)
        abort();
    snprintf(head, sizeof head, "Content-Type: application/json\r\n%s", headers);
    mock_answer(fd, 200, head, body);
    free(body);
}

static inline void mock_stream(int fd)
{
    mock_put(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
}

struct mock_connection {
    struct mock *m;
    int fd;
};
static inline void *mock_serve(void *context)
{
    struct mock_connection c = *(struct mock_connection *)context;
    struct mock_request r = { 0 };
    size_t room = 1 << 20, n = 0, body = 0;
    char *text = malloc(room + 1), *end = NULL;
    free(context);
    while (n < room) {
        ssize_t k = recv(c.fd, text + n, room - n, 0);
        if (k <= 0)
            break;
        n += (size_t)k;
        text[n] = 0;
        if (!end && (end = strstr(text, "\r\n\r\n"))) {
            const char *length = strcasestr(text, "content-length:");
            body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
        }
        if (end && n >= (size_t)(end + 4 - text) + body)
            break;
    }
    if (end) {
        sscanf(text, "%7s", r.verb);
        snprintf(r.headers, sizeof r.headers, "%.*s", (int)(end + 2 - text), text);
        if (body)
            base_json_parse_wire(&r.message, end + 4, body, 0, "body");
        const char *method = json_string_value(json_object_get(r.message, "method"));
        r.method = method ? method : "";
        r.id = json_integer_value(json_object_get(r.message, "id"));
        pthread_mutex_lock(&c.m->lock);
        if (c.m->n_seen < 16)
            snprintf(c.m->seen[c.m->n_seen++], sizeof c.m->seen[0], "%.3000s\n%s", r.headers,
                     r.method);
        pthread_mutex_unlock(&c.m->lock);
        c.m->handle(c.m, &r, c.fd);
    }
    json_decref(r.message);
    free(text);
    shutdown(c.fd, SHUT_RDWR);
    close(c.fd);
    __atomic_sub_fetch(&c.m->open, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static inline void *mock_accept(void *context)
{
    struct mock *m = context;
    while (!m->stop) {
        struct pollfd p = { m->listener, POLLIN, 0 };
        if (poll(&p, 1, 20) <= 0)
            continue;
        struct mock_connection *c = malloc(sizeof *c);
        *c = (struct mock_connection){ m, accept4(m->listener, NULL, NULL, SOCK_CLOEXEC) };
        pthread_t t;
        if (c->fd < 0) {
            free(c);
            continue;
        }
        __atomic_add_fetch(&m->open, 1, __ATOMIC_SEQ_CST);
        if (pthread_create(&t, NULL, mock_serve, c))
            abort();
        pthread_detach(t);
    }
    return NULL;
}

static inline void mock_begin(struct mock *m,
                              void (*handle)(struct mock *m, const struct mock_request *r, int fd))
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    memset(m, 0, sizeof *m);
    m->handle = handle;
    pthread_mutex_init(&m->lock, NULL);
    m->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (m->listener < 0 || bind(m->listener, (struct sockaddr *)&at, sizeof at) ||
        listen(m->listener, 64) || getsockname(m->listener, (struct sockaddr *)&at, &n))
        abort();
    snprintf(m->url, sizeof m->url, "http://127.0.0.1:%d/mcp", ntohs(at.sin_port));
    if (pthread_create(&m->thread, NULL, mock_accept, m))
        abort();
}

static inline void mock_end(struct mock *m)
{
    m->stop = true;
    pthread_join(m->thread, NULL);
    for (int i = 0; i < 1000 && __atomic_load_n(&m->open, __ATOMIC_SEQ_CST); i++)
        usleep(5000);
    close(m->listener);
    pthread_mutex_destroy(&m->lock);
}

/* The headers of the i-th request, its method in the last line; "" when it never came. */
static inline const char *mock_seen(struct mock *m, int i)
{
    return i < m->n_seen ? m->seen[i] : "";
}
#endif
