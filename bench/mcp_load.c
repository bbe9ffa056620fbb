/* Loads an MCP server over HTTP and says what came of it: every answer is checked against its own
 * request, so that a lost or mixed-up one is found. No library but the C one.
 *
 *     mcp_load --port 8808 [--clients 16] [--requests 20000] [--rate 1000] [--session]
 *              [--ping] [--half 0] [--abort 0] [--slow 0] [--pid PID] [--token TOKEN]
 *
 * Each of `clients` connections asks for the next request when its answer is there; with --rate a
 * request has a time at which it is due, and its latency counts from then, whether or not a
 * connection was free (so a server that stalls cannot hide it). Requests are calls of the
 * calculator, of 2026-07-28, or with --session of 2025-11-25 in a session for each connection; with
 * --ping pings in such sessions, which cost what the transport costs and nothing else.
 *
 *     --half N   N further clients that end their half of the connection behind the request,
 *                and still must get the answer
 *     --abort N  N further clients that break off in the middle of a request, again and again
 *     --slow N   N further clients that send one byte a second: the server must close them (they
 *                are left open until it does, 60 s at most)
 *     --pid PID  the server: its memory, threads and descriptors before and after, and its CPU time
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum kind { KEPT, HALF, BREAKER, SLOW };
enum step { CLOSED, HELLO, GREETING, IDLE, ASKED };
struct client {
    enum kind kind;
    enum step step;
    int fd;
    char session[64];
    uint64_t number; /* of the request that is asked */
    double due;      /* of that, or when something is next to be done */
    char text[16384];
    size_t length, sent, got;
    char out[2048];
};

static struct {
    int port, clients, half, breakers, slow;
    uint64_t requests;
    double rate;
    bool session, ping;
    long pid;
    const char *token;
} o = { .port = 8808, .clients = 16, .requests = 20000 };
static uint64_t asked, answered, wrong, lost, halves, broken_off, slow_closed;
static double *latencies, began;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void connect_to(struct client *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)o.port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to))
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->length = c->sent = c->got = 0;
}

static void compose(struct client *c, const char *fields, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void compose(struct client *c, const char *fields, const char *format, ...)
{
    char body[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(body, sizeof body, format, args);
    va_end(args);
    c->length = (size_t)snprintf(
        c->out, sizeof c->out,
        "POST /mcp HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\n%s%s%s%sContent-Length: %d\r\n\r\n%s",
        o.port, o.token ? "Authorization: Bearer " : "", o.token ? o.token : "",
        o.token ? "\r\n" : "", fields, n, body);
    c->sent = c->got = 0;
}

static void compose_call(struct client *c)
{
    char fields[256];
    if (o.session && c->kind == KEPT) {
        snprintf(fields, sizeof fields,
                 "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: %s\r\n", c->session);
        if (o.ping)
            compose(c, fields, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"ping\"}",
                    (unsigned long long)c->number);
        else
            compose(
                c, fields,
                "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\",\"params\":{\"name\":"
                "\"calculator\",\"arguments\":{\"expression\":\"%llu*3+1\"}}}",
                (unsigned long long)c->number, (unsigned long long)c->number);
    } else {
        compose(c,
                "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
                "Mcp-Name: calculator\r\n",
                "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\",\"params\":{\"name\":"
                "\"calculator\",\"arguments\":{\"expression\":\"%llu*3+1\"},\"_meta\":{"
                "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
                (unsigned long long)c->number, (unsigned long long)c->number);
    }
}

/* Whether all of an answer is there: its status, or 0. */
static int whole(struct client *c, const char **body)
{
    c->text[c->got] = 0;
    char *end = strstr(c->text, "\r\n\r\n");
    if (!end)
        return 0;
    const char *length = strcasestr(c->text, "\r\nContent-Length:");
    bool chunked = strcasestr(c->text, "\r\nTransfer-Encoding: chunked") != NULL;
    *body = end + 4;
    if (chunked && !strstr(*body, "\r\n0\r\n\r\n"))
        return 0;
    if (!chunked && length && length < end &&
        c->got - (size_t)(*body - c->text) < (size_t)atol(length + 17))
        return 0;
    return atoi(c->text + 9);
}

static void check_answer(struct client *c, int status, const char *body)
{
    char id[64], result[64];
    snprintf(id, sizeof id, "\"id\":%llu,", (unsigned long long)c->number);
    snprintf(result, sizeof result, "\"result\":\"%llu\"", (unsigned long long)(c->number * 3 + 1));
    if (o.ping && c->kind == KEPT)
        strcpy(result, "\"result\":{}");
    if (status != 200 || !strstr(body, id) || !strstr(body, result)) {
        if (wrong++ < 3)
            fprintf(stderr, "request %llu: %.600s\n", (unsigned long long)c->number, c->text);
    }
}

/* The next request for this client, or false when there are none left. */
static bool next_request(struct client *c)
{
    if (asked >= o.requests)
        return false;
    c->due = o.rate > 0 ? began + (double)asked / o.rate : now();
    c->number = ++asked;
    return true;
}

static void drop(struct client *c)
{
    close(c->fd);
    c->fd = -1;
    c->step = CLOSED;
}

static void begin(struct client *c)
{
    connect_to(c);
    if (c->kind == KEPT && o.session) {
        compose(c, "",
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{"
                "\"name\":\"mcp_load\",\"version\":\"1\"}}}");
        c->step = HELLO;
    } else {
        c->step = IDLE;
    }
}

static void on_answer(struct client *c, int status, const char *body)
{
    if (c->step == HELLO) {
        const char *id = strcasestr(c->text, "\r\nMcp-Session-Id: ");
        if (status != 200 || !id) {
            fprintf(stderr, "no session: %.300s\n", c->text);
            exit(1);
        }
        snprintf(c->session, sizeof c->session, "%.*s", (int)strcspn(id + 18, "\r"), id + 18);
        char fields[160];
        snprintf(fields, sizeof fields, "Mcp-Session-Id: %s\r\n", c->session);
        compose(c, fields, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
        c->step = GREETING;
        return;
    }
    if (c->step == GREETING) {
        c->step = IDLE;
        return;
    }
    check_answer(c, status, body);
    if (c->kind == HALF) {
        halves++;
        drop(c);
        return;
    }
    latencies[answered++] = now() - c->due;
    c->step = IDLE;
}

static void on_readable(struct client *c)
{
    ssize_t n = read(c->fd, c->text + c->got, sizeof c->text - 1 - c->got);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        const char *body;
        c->got += (size_t)n;
        int status = whole(c, &body);
        if (status && c->kind != SLOW)
            on_answer(c, status, body);
        return;
    }
    if (c->kind == SLOW)
        slow_closed++;
    else if (c->step == ASKED || c->step == HELLO || c->step == GREETING)
        lost++;
    drop(c);
    if (c->kind == SLOW)
        c->due = 1e18;
}

static void send_some(struct client *c, size_t most)
{
    size_t left = c->length - c->sent;
    ssize_t n = send(c->fd, c->out + c->sent, left < most ? left : most, MSG_NOSIGNAL);
    if (n > 0)
        c->sent += (size_t)n;
}

static uint64_t extra; /* numbers of the requests that are not counted */

/* What a client does of itself, at a time. */
static void act(struct client *c, double t, bool over)
{
    if (c->kind == KEPT && c->step == CLOSED && asked < o.requests)
        begin(c);
    if (c->kind == KEPT && c->step == IDLE && next_request(c)) {
        compose_call(c);
        c->step = ASKED;
    }
    if (c->kind == HALF && c->step == CLOSED && !over) {
        begin(c);
        c->number = 1000000000 + ++extra;
        compose_call(c);
        c->step = ASKED;
        send_some(c, c->length);
        shutdown(c->fd, SHUT_WR);
    }
    if (c->kind == BREAKER && c->step == CLOSED && !over && t >= c->due) {
        struct linger hard = { 1, 0 };
        begin(c);
        c->number = 2000000000 + ++extra;
        compose_call(c);
        /* in the head, in the body, behind the request; by reset and by an orderly end */
        send_some(c, extra % 3 == 0 ? 40 : extra % 3 == 1 ? c->length - 20 : c->length);
        if (extra % 2)
            setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        drop(c);
        broken_off++;
        c->due = t + 0.02;
    }
    if (c->kind == SLOW && c->step == CLOSED && t >= c->due) {
        begin(c);
        compose_call(c);
        c->step = ASKED;
        /* half of them are slow in the head, half in the body */
        if ((c->number = ++extra) % 2)
            send_some(c, c->length - 60);
        c->due = t + 1;
    } else if (c->kind == SLOW && c->step == ASKED && t >= c->due) {
        send_some(c, 1);
        c->due = t + 1;
    }
    if (c->kind == KEPT && c->step != CLOSED && c->step != IDLE && c->sent < c->length &&
        (c->step != ASKED || t >= c->due))
        send_some(c, c->length);
}

static void tell_server(const char *when)
{
    char path[64], line[256];
    long rss = 0, threads = 0, descriptors = 0;
    unsigned long user = 0, system = 0;
    if (!o.pid)
        return;
    snprintf(path, sizeof path, "/proc/%ld/status", o.pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        sscanf(line, "VmRSS: %ld", &rss);
        sscanf(line, "Threads: %ld", &threads);
    }
    if (f)
        fclose(f);
    snprintf(path, sizeof path, "/proc/%ld/stat", o.pid);
    if ((f = fopen(path, "r")) && fgets(line, sizeof line, f)) {
        const char *rest = strrchr(line, ')');
        if (rest)
            sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    }
    if (f)
        fclose(f);
    snprintf(path, sizeof path, "ls /proc/%ld/fd | wc -l", o.pid);
    if ((f = popen(path, "r")) && fscanf(f, "%ld", &descriptors) != 1)
        descriptors = -1;
    if (f)
        pclose(f);
    printf("server %s: %ld KiB resident, %ld threads, %ld descriptors, CPU %.2f s\n", when, rss,
           threads, descriptors, (double)(user + system) / (double)sysconf(_SC_CLK_TCK));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void parse(int argc, char **argv)
{
    static const struct option options[] = {
        { "port", 1, 0, 'p' }, { "clients", 1, 0, 'c' }, { "requests", 1, 0, 'n' },
        { "rate", 1, 0, 'r' }, { "session", 0, 0, 's' }, { "ping", 0, 0, 'g' },
        { "half", 1, 0, 'h' }, { "abort", 1, 0, 'a' },   { "slow", 1, 0, 'l' },
        { "pid", 1, 0, 'i' },  { "token", 1, 0, 't' },   { 0, 0, 0, 0 },
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        long value = optarg ? atol(optarg) : 0;
        switch (c) {
        case 'p':
            o.port = (int)value;
            break;
        case 'c':
            o.clients = (int)value;
            break;
        case 'n':
            o.requests = (uint64_t)value;
            break;
        case 'r':
            o.rate = (double)value;
            break;
        case 'g':
            o.ping = true; /* fall through */
        case 's':
            o.session = true;
            break;
        case 'h':
            o.half = (int)value;
            break;
        case 'a':
            o.breakers = (int)value;
            break;
        case 'l':
            o.slow = (int)value;
            break;
        case 'i':
            o.pid = value;
            break;
        case 't':
            o.token = optarg;
            break;
        default:
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    int n = o.clients + o.half + o.breakers + o.slow;
    struct client *clients = calloc((size_t)n, sizeof *clients);
    struct pollfd *fds = calloc((size_t)n, sizeof *fds);
    latencies = calloc(o.requests + 1, sizeof *latencies);
    if (!clients || !fds || !latencies)
        die("memory");
    for (int i = 0; i < n; i++) {
        clients[i].fd = -1;
        clients[i].kind = i < o.clients                         ? KEPT
                          : i < o.clients + o.half              ? HALF
                          : i < o.clients + o.half + o.breakers ? BREAKER
                                                                : SLOW;
    }
    tell_server("before");
    began = now();
    double ended = 0;
    for (;;) {
        double t = now();
        bool over = answered + lost >= o.requests, busy = false;
        if (over && !ended)
            ended = t;
        double next = t + 0.1;
        for (int i = 0; i < n; i++) {
            struct client *c = &clients[i];
            if (c->kind != SLOW || !over || c->step != CLOSED)
                act(c, t, over);
            busy = busy || (c->step == ASKED && (c->kind != SLOW || t - began < 60));
            if (c->kind == KEPT && c->step == ASKED && c->sent == 0 && c->due < next)
                next = c->due;
            fds[i] = (struct pollfd){ c->fd, POLLIN, 0 };
            if (c->kind == KEPT && c->step != IDLE && c->step != CLOSED && c->sent < c->length &&
                (c->step != ASKED || t >= c->due))
                fds[i].events |= POLLOUT;
        }
        if (over && !busy)
            break;
        double wait = next - now();
        struct timespec ts = { 0, wait > 0 ? (long)(wait * 1e9) : 0 };
        if (ppoll(fds, (nfds_t)n, &ts, NULL) < 0 && errno != EINTR)
            die("poll");
        for (int i = 0; i < n; i++)
            if (fds[i].revents & (POLLIN | POLLHUP | POLLERR) && clients[i].fd >= 0)
                on_readable(&clients[i]);
    }
    double seconds = ended - began;
    for (int i = 0; i < n; i++)
        if (clients[i].fd >= 0)
            close(clients[i].fd);
    qsort(latencies, answered, sizeof *latencies, compare);
    printf("%llu answers in %.2f s: %.0f/s; latency ms p50 %.2f  p90 %.2f  p99 %.2f  p99.9 %.2f  "
           "max %.2f\n",
           (unsigned long long)answered, seconds, (double)answered / seconds,
           1e3 * latencies[answered / 2], 1e3 * latencies[answered * 9 / 10],
           1e3 * latencies[answered * 99 / 100], 1e3 * latencies[answered * 999 / 1000],
           answered ? 1e3 * latencies[answered - 1] : 0);
    printf("lost %llu, wrong %llu; half-closed and answered %llu, broken off %llu, slow and closed "
           "%llu of %d\n",
           (unsigned long long)lost, (unsigned long long)wrong, (unsigned long long)halves,
           (unsigned long long)broken_off, (unsigned long long)slow_closed, o.slow);
    tell_server("after");
    return lost || wrong || slow_closed != (uint64_t)o.slow;
}
