/* A client of servers that are programs; see include/assay/mcp.h.
 *
 * The server is the leader of a process group and dies with this program (PR_SET_PDEATHSIG on the
 * shell, the group on closing). Nothing waits without an end: every read has a deadline, and so has
 * every write, because a server that does not read can fill the pipe. What the server asks of us is
 * answered: `ping` with an empty result, all else with "method not found". */
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "mcp/protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_MOST  ((size_t)64 << 20)
#define PAGES_MOST 10000
#define META       "io.modelcontextprotocol/"

struct mcp_client {
    pid_t pid;
    int to, from;
    double timeout;
    json_int_t next_id;
    struct base_buffer text;
    json_t *server;
    const char *version; /* NULL before hello */
    bool modern, broken;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int broken(struct mcp_client *c, const char *what)
{
    c->broken = true;
    return base_error_set(BASE_E_IO, "the server %s", what);
}

static int send_message(struct mcp_client *c, const json_t *message, double until)
{
    char *text = json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text)
        return BASE_E_MEMORY;
    size_t n = strlen(text);
    text[n] = '\n';
    int rc = 0;
    for (size_t at = 0; at <= n && !rc;) {
        struct pollfd fd = { c->to, POLLOUT, 0 };
        double left = until - now();
        if (left <= 0 || base_interrupted()) {
            rc = broken(c, "does not read what it is sent");
            break;
        }
        if (poll(&fd, 1, left > 0.2 ? 200 : (int)(left * 1000) + 1) <= 0)
            continue;
        ssize_t written = write(c->to, text + at, n + 1 - at);
        if (written > 0)
            at += (size_t)written;
        else if (written < 0 && errno != EINTR && errno != EAGAIN)
            rc = broken(c, "has ended");
    }
    base_free(text);
    return rc;
}

/* The next line as JSON; lines that are none (a server that prints) are passed over. */
static int receive(struct mcp_client *c, double until, json_t **out)
{
    for (;;) {
        char *end = c->text.length ? memchr(c->text.data, '\n', c->text.length) : NULL;
        if (end) {
            size_t n = (size_t)(end - c->text.data);
            int rc = base_json_parse_wire(out, c->text.data, n, 0, "the server's message");
            memmove(c->text.data, end + 1, c->text.length - n - 1);
            c->text.length -= n + 1;
            if (rc == 0 || rc == BASE_E_MEMORY)
                return rc;
            continue;
        }
        if (c->text.length > LINE_MOST) {
            c->broken = true;
            return base_error_set(BASE_E_LIMIT, "the server sent a line of more than 64 MiB");
        }
        double left = until - now();
        if (left <= 0)
            return broken(c, "did not answer in time");
        if (base_interrupted()) {
            c->broken = true;
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        }
        struct pollfd fd = { c->from, POLLIN, 0 };
        if (poll(&fd, 1, left > 0.2 ? 200 : (int)(left * 1000) + 1) <= 0)
            continue;
        char block[65536];
        ssize_t n = read(c->from, block, sizeof block);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return broken(c, "has ended");
        int rc = base_buffer_append(&c->text, block, (size_t)n);
        if (rc)
            return rc;
    }
}

/* What the server asks: ping is answered, all else is not known here. */
static int answer_server(struct mcp_client *c, const json_t *message, double until)
{
    json_t *id = json_object_get(message, "id");
    const char *method = json_string_value(json_object_get(message, "method"));
    if (!id || !method)
        return 0;
    json_t *o = strcmp(method, "ping") == 0
                    ? json_pack("{s:s, s:O, s:{}}", "jsonrpc", "2.0", "id", id, "result")
                    : mcp_error_answer(id, MCP_METHOD_NOT_FOUND, "Method not found", NULL);
    int rc = o ? send_message(c, o, until) : BASE_E_MEMORY;
    json_decref(o);
    return rc;
}

int mcp_client_request(struct mcp_client *c, const char *method, json_t *params, json_t **result)
{
    *result = NULL;
    if (c->broken) {
        json_decref(params);
        return base_error_set(BASE_E_IO, "the server is gone");
    }
    double until = now() + c->timeout;
    json_int_t id = ++c->next_id;
    params = params ? params : json_object();
    if (params && c->modern) {
        json_t *meta = json_pack("{s:s, s:{s:s, s:s}, s:{}}", META "protocolVersion",
                                 MCP_VERSION_MODERN, META "clientInfo", "name", "assay", "version",
                                 ASSAY_VERSION, META "clientCapabilities");
        if (!meta || json_object_set_new(params, "_meta", meta)) {
            json_decref(params);
            return BASE_E_MEMORY;
        }
    }
    json_t *request = params ? json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", id,
                                         "method", method, "params", params)
                             : NULL;
    int rc = request ? send_message(c, request, until) : BASE_E_MEMORY;
    json_decref(request);
    while (!rc) {
        json_t *message = NULL;
        if ((rc = receive(c, until, &message)))
            break;
        const json_t *of = json_object_get(message, "id"),
                     *error = json_object_get(message, "error");
        json_t *value = json_object_get(message, "result");
        bool ours = json_is_integer(of) && json_integer_value(of) == id && (error || value);
        if (!ours) {
            rc = answer_server(c, message, until);
        } else if (error) {
            const char *text = json_string_value(json_object_get(error, "message"));
            rc = base_error_set(BASE_E_FORMAT, "%s: %lld: %s", method,
                                (long long)json_integer_value(json_object_get(error, "code")),
                                text ? text : "");
        } else {
            *result = json_incref(value);
        }
        json_decref(message);
        if (ours)
            break;
    }
    return rc;
}

static int notify(struct mcp_client *c, const char *method)
{
    json_t *o = json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", method);
    int rc = o ? send_message(c, o, now() + c->timeout) : BASE_E_MEMORY;
    json_decref(o);
    return rc;
}

static int hello_modern(struct mcp_client *c)
{
    json_t *result = NULL;
    c->modern = true;
    int rc = mcp_client_request(c, "server/discover", NULL, &result);
    if (rc)
        return rc;
    c->version = MCP_VERSION_MODERN;
    json_t *info = json_object_get(json_object_get(result, "_meta"), META "serverInfo");
    c->server = info ? json_incref(info) : json_object();
    json_decref(result);
    return c->server ? 0 : BASE_E_MEMORY;
}

static int hello(struct mcp_client *c, const char *version)
{
    static const char *const known[] = { "2024-11-05", "2025-03-26", "2025-06-18",
                                         MCP_VERSION_LEGACY };
    if (version && strcmp(version, MCP_VERSION_MODERN) == 0)
        return hello_modern(c);
    json_t *result = NULL;
    json_t *params = json_pack("{s:s, s:{}, s:{s:s, s:s, s:s}}", "protocolVersion",
                               version ? version : MCP_VERSION_LEGACY, "capabilities", "clientInfo",
                               "name", "assay", "title", "Assay", "version", ASSAY_VERSION);
    int rc = params ? mcp_client_request(c, "initialize", params, &result) : BASE_E_MEMORY;
    if (rc == BASE_E_FORMAT && !version && !c->broken)
        return hello_modern(c); /* a server of the modern era knows no initialize */
    if (rc)
        return rc;
    const char *theirs = json_string_value(json_object_get(result, "protocolVersion"));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (theirs && strcmp(theirs, known[i]) == 0)
            c->version = known[i];
    json_t *info = json_object_get(result, "serverInfo");
    c->server = info ? json_incref(info) : json_object();
    if (!c->version)
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "the server speaks revision \"%.40s\", not known here",
                            theirs ? theirs : "");
    json_decref(result);
    return rc ? rc : notify(c, "notifications/initialized");
}

int mcp_client_open(struct mcp_client **out, const struct mcp_client_options *options)
{
    struct mcp_client *c = base_alloc_zero(1, sizeof *c);
    int to[2] = { -1, -1 }, from[2] = { -1, -1 }, rc = 0;
    if (!c)
        return BASE_E_MEMORY;
    c->to = c->from = -1;
    c->pid = -1;
    c->timeout = options->timeout > 0 ? options->timeout : 30;
    signal(SIGPIPE, SIG_IGN);
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC)) {
        rc = base_error_set(BASE_E_IO, "cannot make a pipe: %s", strerror(errno));
    } else if ((c->pid = fork()) == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_DFL);
        dup2(to[0], 0);
        dup2(from[1], 1);
        close_range(3, ~0u, 0);
        char *argv[] = { "/bin/sh", "-c", (char *)(uintptr_t)options->command, NULL };
        execv("/bin/sh", argv);
        _exit(127);
    } else if (c->pid < 0) {
        rc = base_error_set(BASE_E_IO, "cannot start the server: %s", strerror(errno));
    } else {
        setpgid(c->pid, c->pid);
        c->to = to[1];
        c->from = from[0];
        to[1] = from[0] = -1;
        fcntl(c->to, F_SETFL, O_NONBLOCK);
    }
    for (int i = 0; i < 2; i++) {
        if (to[i] >= 0)
            close(to[i]);
        if (from[i] >= 0)
            close(from[i]);
    }
    if (!rc && (rc = hello(c, options->version)))
        rc = base_error_prefix(rc, "%.200s", options->command);
    if (rc)
        mcp_client_close(c);
    else
        *out = c;
    return rc;
}

/* Waits up to `seconds` for the leader to end. */
static bool ended(pid_t pid, double seconds)
{
    for (double until = now() + seconds;;) {
        pid_t w = waitpid(pid, NULL, WNOHANG);
        if (w == pid || (w < 0 && errno == ECHILD))
            return true;
        if (now() >= until)
            return false;
        struct timespec little = { 0, 2000000 };
        nanosleep(&little, NULL);
    }
}

void mcp_client_close(struct mcp_client *c)
{
    if (!c)
        return;
    if (c->to >= 0)
        close(c->to);
    if (c->from >= 0)
        close(c->from);
    if (c->pid > 0) {
        bool gone = ended(c->pid, 2);
        kill(-c->pid, SIGTERM); /* the group: children that the server left, too */
        if (!gone && !ended(c->pid, 1)) {
            kill(-c->pid, SIGKILL);
            ended(c->pid, 5);
        }
        kill(-c->pid, SIGKILL);
    }
    json_decref(c->server);
    base_buffer_free(&c->text);
    base_free(c);
}

const json_t *mcp_client_server(const struct mcp_client *c)
{
    return c->server;
}

const char *mcp_client_version(const struct mcp_client *c)
{
    return c->version;
}

int mcp_client_list(struct mcp_client *c, const char *key, json_t **out)
{
    json_t *all = json_array();
    char *method = base_format("%s/list", key), *cursor = NULL;
    int rc = all && method ? 0 : BASE_E_MEMORY;
    for (int page = 0; !rc; page++) {
        json_t *result = NULL, *params = cursor ? json_pack("{s:s}", "cursor", cursor) : NULL;
        if (page == PAGES_MOST)
            rc = base_error_set(BASE_E_LIMIT, "%s: more than %d pages", method, PAGES_MOST);
        else
            rc = mcp_client_request(c, method, params, &result);
        json_t *part = json_object_get(result, key);
        if (!rc && !json_is_array(part))
            rc = base_error_set(BASE_E_FORMAT, "%s: the answer has no list \"%s\"", method, key);
        if (!rc && json_array_extend(all, part))
            rc = BASE_E_MEMORY;
        const char *next = json_string_value(json_object_get(result, "nextCursor"));
        base_free(cursor);
        cursor = next && !rc ? base_strdup(next) : NULL;
        json_decref(result);
        if (!cursor)
            break;
    }
    base_free(method);
    base_free(cursor);
    if (rc)
        json_decref(all);
    else
        *out = all;
    return rc;
}
