/* The HTTP server: listening, worker threads, the watch over connections, and the end. See http.h
 * for who does what.
 *
 * Deadlines are for whole requests: the time until all of a request's head is there, and then until
 * all of its body is, not the time between two bytes.
 *
 * A client that has gone is told from one that has only ended its own half of the connection: both
 * look alike (POLLRDHUP) until something is sent, which the former's machine answers with a reset
 * (POLLERR, POLLHUP). What is sent is a comment on the event stream. */
#include "mcp/http.h"
#include "base/library.h"
#include "base/memory.h"
#include "base/progress.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MOST    1000
#define SESSIONS_MOST 1024
#define DEADLINE      30.0
#define IDLE          1800.0
#define STACK         ((size_t)2 << 20)
#define LINK_STACK    ((size_t)512 << 10)
#define WORKERS       8   /* without calls that last */
#define RESTING_MOST  8   /* threads that wait for work */
#define REST_SECONDS  5   /* before one more than that ends */
#define WATCH_MS      50  /* between looks while requests are open */
#define QUIET_MS      250 /* and while there are none */
#define PROBE_SECONDS 0.2 /* between comments to who has ended its half */

/* ---- worker threads ---- */

void http_exchange_leave(struct http_exchange *x)
{
    if (--x->users)
        return;
    struct http *h = x->h;
    struct http_session *s = x->session;
    h->body_bytes -= x->counted;
    for (size_t i = 0; i < x->n_params; i++) {
        base_free((char *)(uintptr_t)x->params[i].name);
        base_free((char *)(uintptr_t)x->params[i].value);
    }
    base_free(x->params);
    base_free(x->version);
    base_free(x->session_id);
    base_free(x->mcp_method);
    base_free(x->mcp_name);
    base_free(x->last_event);
    base_free(x->origin);
    base_buffer_free(&x->body);
    base_buffer_free(&x->text);
    pthread_cond_destroy(&x->news);
    base_free(x);
    if (s)
        http_session_leave(s);
}

/* Waits for work; false: there is enough rest, and no work. Locked. */
static bool rest(struct http *h)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += REST_SECONDS;
    h->resting++;
    int rc = 0;
    while (!h->waiting && !h->stopping && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&h->work, &h->lock, &until);
    h->resting--;
    return h->waiting || (!h->stopping && h->resting < RESTING_MOST);
}

static void *worker(void *context)
{
    struct http *h = context;
    pthread_mutex_lock(&h->lock);
    while (h->waiting || (!h->stopping && rest(h))) {
        struct http_exchange *x = h->waiting;
        if (!x)
            continue;
        h->waiting = x->queue;
        if (!h->waiting)
            h->last_waiting = &h->waiting;
        x->begun = true;
        h->taken = base_clock();
        pthread_mutex_unlock(&h->lock);
        http_answer(x);
        pthread_mutex_lock(&h->lock);
        http_exchange_leave(x);
    }
    h->threads--;
    pthread_cond_broadcast(&h->quiet);
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

static bool thread_start(struct http *h)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes))
        return false;
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool started = pthread_create(&thread, &attributes, worker, h) == 0;
    pthread_attr_destroy(&attributes);
    h->threads += started;
    return started;
}

bool http_work_add(struct http *h, struct http_exchange *x)
{
    if (h->stopping || (h->threads < WORKERS && !h->resting && !thread_start(h) && !h->threads))
        return false;
    x->users++;
    x->queue = NULL;
    *h->last_waiting = x;
    h->last_waiting = &x->queue;
    pthread_cond_signal(&h->work);
    return true;
}

void http_work_hurry(struct http *h, const struct http_exchange *x)
{
    double now = base_clock();
    if (x->begun || now - h->taken < HTTP_STALL_MS * 1e-3 || h->stopping)
        return;
    h->taken = now;
    thread_start(h);
}

/* ---- the watch ---- */

/* What a poll of its connection says of an exchange that is answered. Locked. */
static void look(struct http_exchange *x, int events, double now)
{
    bool streaming = x->state == HTTP_STREAMING, running = x->state == HTTP_RUNNING;
    if (events & (POLLERR | POLLHUP)) {
        x->gone = true;
        if (running && !x->modern)
            x->state = HTTP_DROPPED;
        http_wake(x);
    } else if (events & POLLRDHUP && running && x->modern) {
        x->state = HTTP_STREAMING;
        http_say(x, ":\n\n", 3);
    } else if (streaming && now - x->spoken > (events & POLLRDHUP ? PROBE_SECONDS : HTTP_BEAT)) {
        http_say(x, ":\n\n", 3);
    }
}

/* Finds clients that have gone; the number of open exchanges. */
static size_t watch_clients(struct http *h, double now)
{
    size_t n = 0, polled = 0;
    pthread_mutex_lock(&h->lock);
    for (const struct http_exchange *x = h->open; x; x = x->next)
        n++;
    struct pollfd *fds = n ? base_alloc(n, sizeof *fds) : NULL;
    struct http_exchange **of = n ? base_alloc(n, sizeof(struct http_exchange *)) : NULL;
    if (fds && of) {
        for (struct http_exchange *x = h->open; x; x = x->next)
            if (x->waiting && x->link) {
                fds[polled] = (struct pollfd){ x->link->fd, POLLRDHUP, 0 };
                of[polled++] = x;
            }
        if (poll(fds, polled, 0) >= 0)
            for (size_t i = 0; i < polled; i++)
                look(of[i], fds[i].revents, now);
    }
    pthread_mutex_unlock(&h->lock);
    base_free(fds);
    base_free(of);
    return n;
}

/* Ends connections whose requests do not come, and those whose answers are not taken: what waits in
 * the system's buffer must become another number of bytes once in h->deadline seconds. */
static void watch_deadlines(struct http *h, double now)
{
    pthread_mutex_lock(&h->lock);
    for (struct http_link *l = h->links; l; l = l->next) {
        int unsent = 0;
        if (l->busy && (ioctl(l->fd, SIOCOUTQ, &unsent) || !unsent || unsent != l->unsent)) {
            l->unsent = unsent;
            l->since = now;
        }
        if (now - l->since > h->deadline) {
            shutdown(l->fd, SHUT_RDWR);
            l->since = now;
        }
    }
    pthread_mutex_unlock(&h->lock);
}

static void watch(struct http *h)
{
    double expired = 0;
    while (!base_interrupted()) {
        double now = base_clock();
        size_t n = watch_clients(h, now);
        watch_deadlines(h, now);
        if (now - expired > h->idle / 4 || now - expired > 10) {
            expired = now;
            pthread_mutex_lock(&h->lock);
            http_sessions_expire(h, now);
            pthread_mutex_unlock(&h->lock);
        }
        poll(NULL, 0, n ? WATCH_MS : QUIET_MS);
    }
}

/* ---- beginning and end ---- */

static int listen_on(struct http *h, const char *address, int *out, char url[])
{
    struct http_authority at;
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    *out = -1;
    if (!http_authority_parse(address, &at) || at.port < 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: expected an address with a port, as 127.0.0.1:8808", address);
    h->loopback = http_host_is_loopback(at.host);
    const char *host = strcmp(at.host, "localhost") == 0 ? "127.0.0.1" : at.host;
    bool six = inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
    if (!six && inet_pton(AF_INET, host, &v4.sin_addr) != 1)
        return base_error_set(BASE_E_ARGUMENT, "%s: expected an IP address or localhost", address);
    if (!h->loopback && !h->token[0])
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: other machines can reach that address: a token is needed",
                              address);
    v4.sin_port = v6.sin6_port = htons((uint16_t)at.port);
    struct sockaddr *to = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t bytes = six ? sizeof v6 : sizeof v4;
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(fd, to, bytes) ||
        listen(fd, SOMAXCONN) || getsockname(fd, to, &bytes)) {
        int rc = base_error_set(BASE_E_IO, "%s: cannot listen: %s", address, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    snprintf(url, HTTP_HOST_MOST + 32, six ? "http://[%s]:%u/mcp" : "http://%s:%u/mcp", host,
             (unsigned)ntohs(six ? v6.sin6_port : v4.sin_port));
    *out = fd;
    return 0;
}

static int load(void)
{
    static const char *const names[] = {
#define X(name) "MHD_" #name,
        HTTP_FUNCTIONS(X)
#undef X
    };
    return base_library_load("libmicrohttpd.so.12", "libmicrohttpd12", names, &http_mhd,
                             sizeof names / sizeof *names);
}

static int set_options(struct http *h)
{
    const struct mcp_http_options *o = h->o;
    strcpy(h->principal, "loopback");
    if (o->token) {
        if (!*o->token)
            return base_error_set(BASE_E_ARGUMENT, "the token is empty");
        int rc = base_sha256(o->token, strlen(o->token), h->token);
        if (rc)
            return rc;
        snprintf(h->principal, sizeof h->principal, "token:%.16s", h->token);
    }
    while (o->origins && o->origins[h->n_origins])
        h->n_origins++;
    h->origins = base_alloc(h->n_origins, sizeof *h->origins);
    if (!h->origins)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < h->n_origins; i++)
        if (!http_origin_parse(o->origins[i], &h->origins[i]))
            return base_error_set(BASE_E_ARGUMENT,
                                  "%s: expected an origin, as https://app.example.org",
                                  o->origins[i]);
    h->deadline = o->deadline > 0 ? o->deadline : DEADLINE;
    h->idle = o->idle > 0 ? o->idle : IDLE;
    h->n_sessions_most = o->sessions ? o->sessions : SESSIONS_MOST;
    /* a call needs some descriptors of its own */
    struct rlimit files;
    rlim_t quarter = getrlimit(RLIMIT_NOFILE, &files) ? 256 : files.rlim_cur / 4;
    h->n_links_most = quarter < LINKS_MOST ? (unsigned)quarter : LINKS_MOST;
    return 0;
}

static int daemon_start(struct http *h, int fd)
{
    h->daemon = http_mhd.start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC, 0, NULL, NULL,
        http_on_request, h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_CONNECTION,
        http_on_connection, h, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, h,
        MHD_OPTION_CONNECTION_LIMIT, h->n_links_most, MHD_OPTION_THREAD_STACK_SIZE, LINK_STACK,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    return h->daemon
               ? 0
               : base_error_set(BASE_E_IO, "cannot start the HTTP server: %s", strerror(errno));
}

/* Whoever listens hears that nothing more will come. Locked. */
static void end_streams(struct http *h, bool all)
{
    for (struct http_exchange *x = h->open; x; x = x->next)
        if (all || (x->state == HTTP_STREAMING && x->users == 1)) {
            x->ended = true;
            x->gone = x->gone || all;
            if (all && x->state == HTTP_RUNNING)
                x->state = HTTP_DROPPED;
            http_wake(x);
        }
}

static void stop(struct http *h)
{
    int fd = http_mhd.quiesce_daemon(h->daemon); /* no new connections */
    if (fd >= 0)
        close(fd);
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_cond_broadcast(&h->work);
    end_streams(h, false);
    while (h->threads)
        pthread_cond_wait(&h->quiet, &h->lock);
    for (int i = 0; h->open && i < 100; i++) { /* a second for what is still to be sent */
        pthread_mutex_unlock(&h->lock);
        poll(NULL, 0, 10);
        pthread_mutex_lock(&h->lock);
    }
    end_streams(h, true);
    pthread_mutex_unlock(&h->lock);
    http_mhd.stop_daemon(h->daemon);
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < HTTP_BUCKETS; i++)
        while (h->sessions[i])
            http_session_end(h->sessions[i]);
    pthread_mutex_unlock(&h->lock);
}

int mcp_serve_http(const struct mcp_server_options *options, const struct mcp_http_options *http)
{
    struct http h = { .server = options, .o = http, .last_waiting = &h.waiting };
    char url[HTTP_HOST_MOST + 32];
    int fd = -1, rc = set_options(&h);
    pthread_mutex_init(&h.lock, NULL);
    pthread_cond_init(&h.quiet, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&h.work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (!rc)
        rc = load();
    if (!rc)
        rc = mcp_server_make(&h.mcp, options);
    if (!rc)
        rc = listen_on(&h, http->address, &fd, url);
    if (!rc && (rc = daemon_start(&h, fd)) != 0)
        close(fd);
    if (!rc) {
        if (http->listening)
            http->listening(http->context, url);
        watch(&h);
        stop(&h);
    }
    mcp_server_free(h.mcp);
    base_free(h.origins);
    pthread_cond_destroy(&h.work);
    pthread_cond_destroy(&h.quiet);
    pthread_mutex_destroy(&h.lock);
    return rc;
}
