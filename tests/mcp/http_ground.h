/* A server over HTTP in a process of its own, and clients that write bytes: for test_http*.c.
 * Header-only; include after support.h. */
#ifndef TESTS_HTTP_GROUND_H
#define TESTS_HTTP_GROUND_H
#include "base/memory.h"
#include <arpa/inet.h>
#include <assay/mcp.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

static inline double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
static inline void nap_ms(long ms)
{
    poll(NULL, 0, (int)ms);
}

/* ---- tools ---- */

static int tool_say(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool;
    *out = json_pack("{s:O?}", "said", json_object_get(arguments, "x"));
    return *out ? 0 : BASE_E_MEMORY;
}
/* Tells progress three times, 60 ms apart. */
static int tool_count(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool, (void)arguments;
    for (int i = 1; i <= 3; i++) {
        nap_ms(120);
        agent_tool_progress(i, 3, "counting");
    }
    *out = json_pack("{s:i}", "counted", 3);
    return *out ? 0 : BASE_E_MEMORY;
}
static int tool_wait(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool;
    double seconds = json_number_value(json_object_get(arguments, "seconds"));
    nap_ms((long)(seconds * 1000));
    *out = json_pack("{s:f}", "waited", seconds);
    return *out ? 0 : BASE_E_MEMORY;
}
static int tool_blow(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool;
    size_t n = (size_t)json_integer_value(json_object_get(arguments, "bytes"));
    char *text = malloc(n + 1);
    if (!text)
        return BASE_E_MEMORY;
    memset(text, 'x', n);
    text[n] = 0;
    *out = json_pack("{s:s}", "text", text);
    free(text);
    return *out ? 0 : BASE_E_MEMORY;
}

/* ---- the server ---- */

struct http_server {
    pid_t pid; /* leader of a group of its own */
    int port;
    char audit[512];
};

/* For two seconds every few allocations of the server one fails. */
static bool http_server_starves;
static pthread_t http_starving;
static inline void *http_starve(void *context)
{
    double until = clock_now() + 2;
    (void)context;
    for (unsigned i = 1; clock_now() < until; i = i * 1103515245 + 12345) {
        base_alloc_fail_after((long)(1 + i / 65536 % 60));
        nap_ms(1);
    }
    base_alloc_fail_after(0);
    return NULL;
}

static inline void on_listening(void *context, const char *url)
{
    const char *colon = strrchr(url, ':');
    int port = atoi(colon + 1);
    if (write(*(int *)context, &port, sizeof port) != (ssize_t)sizeof port)
        _exit(9);
    if (http_server_starves && pthread_create(&http_starving, NULL, http_starve, NULL))
        _exit(9);
}

/* What the child does; its exit code: 0, 3 when memory was left, 1 when it failed. */
static inline int http_server_run(struct mcp_http_options o, const char *audit_path, int to)
{
    static const char any[] = "{\"type\": \"object\"}";
    const struct agent_tool tools_of[] = {
        { .name = "say", .description = "d", .input = any, .run = tool_say },
        { .name = "count", .description = "d", .input = any, .run = tool_count },
        { .name = "wait", .description = "d", .input = any, .run = tool_wait },
        { .name = "blow",
          .description = "d",
          .input = any,
          .needs = { .output = (size_t)8 << 20 },
          .run = tool_blow },
        { .name = "region",
          .description = "d",
          .input = "{\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"string\","
                   " \"x-mcp-header\": \"Region\"}}}",
          .run = tool_say },
    };
    struct agent_tools *tools = NULL;
    struct agent_gate *gate = NULL;
    struct agent_audit *audit = NULL;
    struct rlimit files = { 8192, 8192 }; /* as the command does */
    setrlimit(RLIMIT_NOFILE, &files);
    base_interrupt_install();
    long live = base_alloc_live();
    int rc = agent_tools_make(&tools);
    for (size_t i = 0; i < sizeof tools_of / sizeof *tools_of && !rc; i++)
        rc = agent_tools_add(tools, &tools_of[i]);
    if (!rc)
        rc = agent_audit_open(&audit, audit_path);
    const struct agent_gate_options gate_options = { .audit = audit };
    if (!rc)
        rc = agent_gate_make(&gate, tools, &gate_options);
    const struct mcp_server_options server = { .gate = gate, .tools = tools, .fixtures = true };
    o.address = o.address ? o.address : "127.0.0.1:0";
    o.listening = on_listening;
    o.context = &to;
    if (!rc)
        rc = mcp_serve_http(&server, &o);
    if (!rc && http_server_starves)
        pthread_join(http_starving, NULL);
    agent_gate_free(gate);
    agent_audit_close(audit);
    agent_tools_free(tools);
    if (rc)
        fprintf(stderr, "server: %s\n", base_error_message());
    if (!rc && base_alloc_live() != live)
        fprintf(stderr, "server: %ld blocks are left\n", base_alloc_live() - live);
    return rc ? 1 : base_alloc_live() == live ? 0 : 3;
}

static inline struct http_server http_server_start(const struct mcp_http_options *options)
{
    struct http_server s = { 0 };
    const struct mcp_http_options none = { 0 };
    int pipes[2];
    snprintf(s.audit, sizeof s.audit, "%s", test_temporary_path(".jsonl"));
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    fflush(NULL);
    s.pid = fork();
    assert_true(s.pid >= 0);
    if (!s.pid) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that failed leaves no server */
        close(pipes[0]);
        _exit(http_server_run(options ? *options : none, s.audit, pipes[1]));
    }
    setpgid(s.pid, s.pid);
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &s.port, sizeof s.port), sizeof s.port);
    close(pipes[0]);
    return s;
}

/* Whoever the server leaves behind becomes a child of this program (PR_SET_CHILD_SUBREAPER): all of
 * them must end. */
static inline void http_no_orphans(void)
{
    pid_t left = 0;
    for (int i = 0; i < 300 && left >= 0; i++)
        if ((left = waitpid(-1, NULL, WNOHANG)) == 0)
            nap_ms(20);
    assert_int_equal(left, -1);
    assert_int_equal(errno, ECHILD);
}

/* The server must end by itself, without an error, a block of memory or a process left. */
static inline void http_server_wait(struct http_server *s)
{
    int status = -1;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    http_no_orphans();
    unlink(s->audit);
}

static inline void http_server_stop(struct http_server *s)
{
    kill(s->pid, SIGTERM);
    http_server_wait(s);
}

/* Descriptors and threads of the server. */
static inline int http_server_count(const struct http_server *s, const char *what)
{
    char command[128];
    int n = -1;
    snprintf(command, sizeof command, "ls /proc/%ld/%s | wc -l", (long)s->pid, what);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

/* Waits until the audit log has `n` lines with this text. */
static inline void http_server_audited(const struct http_server *s, const char *text, int n)
{
    static char log[1 << 20];
    int seen = 0;
    for (int i = 0; i < 500; i++) {
        FILE *f = fopen(s->audit, "r");
        size_t bytes = f ? fread(log, 1, sizeof log - 1, f) : 0;
        if (f)
            fclose(f);
        log[bytes] = 0;
        seen = 0;
        for (const char *p = log; (p = strstr(p, text)) != NULL; p++)
            seen++;
        if (seen >= n)
            break;
        nap_ms(20);
    }
    assert_int_equal(seen, n);
}

/* ---- clients ---- */

static inline int http_connect(const struct http_server *s)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)s->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static inline void http_write(int fd, const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t w = send(fd, text + at, n - at, MSG_NOSIGNAL);
        if (w <= 0)
            return; /* the server has closed: what it said is still to be read */
        at += (size_t)w;
    }
}

/* Sends METHOD /mcp with fields ("Name: value\r\n"...) and, unless NULL, a body. A "Host" among the
 * fields takes the place of the usual one. */
static inline void http_send(int fd, const char *method, const char *fields, const char *body)
{
    size_t n = strlen(fields) + (body ? strlen(body) : 0) + 400;
    char *text = malloc(n), length[64] = "";
    assert_non_null(text);
    if (body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    int head = snprintf(
        text, n, "%s%s HTTP/1.1\r\n%s%s%s\r\n%s", method, strchr(method, '/') ? "" : " /mcp",
        strstr(fields, "Host:") ? "" : "Host: localhost\r\n", fields, length, body ? body : "");
    http_write(fd, text, (size_t)head);
    free(text);
}

struct http_reply {
    int status; /* 0: closed without an answer */
    char head[4096];
    char *body; /* without the marks of chunks; free */
    size_t bytes;
    bool closed; /* by the server, behind or in the middle of it */
    bool whole;  /* the body has come to its own end */
};
static inline void http_reply_free(struct http_reply *r)
{
    free(r->body);
    *r = (struct http_reply){ 0 };
}

/* More bytes behind the n in *text; false at the end, or when `until` has passed. */
static inline bool http_more(int fd, char **text, size_t *n, double until, bool *closed)
{
    struct pollfd p = { fd, POLLIN, 0 };
    double left = until - clock_now();
    if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) <= 0)
        return false;
    *text = realloc(*text, *n + 65537);
    assert_non_null(*text);
    ssize_t got = recv(fd, *text + *n, 65536, 0);
    if (got <= 0) {
        *closed = true;
        return false;
    }
    *n += (size_t)got;
    (*text)[*n] = 0;
    return true;
}

/* Takes the chunks that are there out of text: the length of their contents; *end at the last. */
static inline size_t http_unchunk(const char *text, size_t n, char *out, bool *end, size_t *used)
{
    size_t at = 0, length = 0;
    *end = false;
    while (at < n) {
        char *mark;
        const char *line = memchr(text + at, '\n', n - at);
        if (!line)
            break;
        size_t chunk = strtoull(text + at, &mark, 16), from = (size_t)(line + 1 - text);
        if (from + chunk + 2 > n)
            break;
        memcpy(out + length, text + from, chunk);
        length += chunk;
        at = from + chunk + 2;
        if (chunk == 0) {
            *end = true;
            break;
        }
    }
    *used = at;
    return length;
}

/* Reads one answer: to its end, or until its body has `until_text` (NULL: to the end), or for ten
 * seconds. Bytes behind it (pipelined answers) stay in the socket. */
static inline struct http_reply http_read(int fd, const char *until_text)
{
    struct http_reply r = { 0 };
    double until = clock_now() + 10;
    char *text = calloc(1, 1), *end = NULL;
    size_t n = 0;
    /* the head byte by byte, so that nothing behind the answer is taken */
    while (!end && n < sizeof r.head - 1) {
        struct pollfd p = { fd, POLLIN, 0 };
        char c;
        if (poll(&p, 1, (int)((until - clock_now()) * 1000) + 1) <= 0)
            break;
        ssize_t got = recv(fd, &c, 1, 0);
        if (got <= 0) {
            r.closed = true;
            break;
        }
        r.head[n++] = c;
        if (n >= 4 && memcmp(r.head + n - 4, "\r\n\r\n", 4) == 0)
            end = r.head;
    }
    if (!end) {
        free(text);
        return r;
    }
    r.status = atoi(r.head + 9);
    const char *length = strcasestr(r.head, "\r\nContent-Length: ");
    bool chunked = strcasestr(r.head, "\r\nTransfer-Encoding: chunked") != NULL;
    if (length || r.status == 204) {
        size_t want = length ? (size_t)atol(length + 18) : 0, got = 0;
        r.body = calloc(want + 1, 1);
        while (got < want) {
            ssize_t k = recv(fd, r.body + got, want - got, 0);
            if (k <= 0)
                break;
            got += (size_t)k;
        }
        r.bytes = got;
        r.whole = got == want;
        free(text);
        return r;
    }
    n = 0;
    for (;;) {
        size_t used;
        free(r.body);
        r.body = calloc(n + 1, 1);
        if (chunked) {
            r.bytes = http_unchunk(text, n, r.body, &r.whole, &used);
        } else {
            memcpy(r.body, text, n);
            r.bytes = n;
        }
        if (r.whole || (until_text && strstr(r.body, until_text)) ||
            !http_more(fd, &text, &n, until, &r.closed))
            break;
    }
    free(text);
    return r;
}

#define JSON_FIELDS                                                                                \
    "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
#define META                                                                                       \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define MODERN(method) JSON_FIELDS "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: " method "\r\n"
#define CALL(id, tool, arguments)                                                                  \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool    \
    "\",\"arguments\":" arguments "}}"
#define CALL_MODERN(id, tool, arguments)                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool    \
    "\",\"arguments\":" arguments "," META "}}"

/* One request on a connection of its own. */
static inline struct http_reply http_once(const struct http_server *s, const char *method,
                                          const char *fields, const char *body)
{
    int fd = http_connect(s);
    http_send(fd, method, fields, body);
    struct http_reply r = http_read(fd, NULL);
    close(fd);
    return r;
}

/* A session: fields of its requests, in one of four static buffers. */
static inline const char *http_session(const struct http_server *s, const char *version)
{
    static char buffers[4][400];
    static unsigned next;
    char *fields = buffers[next++ % 4], body[300];
    snprintf(body, sizeof body,
             "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
             "\"protocolVersion\":\"%s\",\"capabilities\":{},\"clientInfo\":{\"name\":\"test\","
             "\"version\":\"1\"}}}",
             version);
    struct http_reply r = http_once(s, "POST", JSON_FIELDS, body);
    const char *id = strcasestr(r.head, "\r\nMcp-Session-Id: ");
    assert_int_equal(r.status, 200);
    assert_non_null(id);
    assert_int_equal(strcspn(id + 18, "\r"), 32);
    snprintf(fields, sizeof buffers[0],
             JSON_FIELDS "MCP-Protocol-Version: %s\r\nMcp-Session-Id: %.32s\r\n", version, id + 18);
    http_reply_free(&r);
    r = http_once(s, "POST", fields,
                  "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    assert_int_equal(r.status, 202);
    assert_int_equal(r.bytes, 0);
    http_reply_free(&r);
    return fields;
}
#endif
