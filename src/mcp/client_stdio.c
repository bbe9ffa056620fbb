/* The server as a program: one message a line on its standard input and output.
 *
 * Between us and the program stands a keeper, a process of our own that does nothing but wait:
 *
 *     client --(pipe, closed when we end, however we end)--> keeper --> /bin/sh -c COMMAND
 *
 * It adopts whatever the program leaves behind (PR_SET_CHILD_SUBREAPER), also what has left the
 * process group. When the pipe closes it gives the program two seconds, since its input has ended
 * too, then sends SIGTERM, a second later SIGKILL, to the group and to all that it has adopted, and
 * ends when nothing is left. So nothing outlives a client that is killed with SIGKILL.
 *
 * Nothing waits without an end: every read and write has a deadline, and while a message is written
 * what the server says is read, because each could wait for the other. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE 2.0 /* seconds from the end of its input to SIGTERM */
#define FORCE 1.0 /* and from there to SIGKILL */

struct line {
    pid_t keeper;
    int to, from, held; /* held: the pipe whose end the keeper waits for */
    struct base_buffer text;
    size_t at, scanned; /* of text: taken, and looked through for a line's end */
};

/* ---- the keeper: after fork, system calls only ---- */

static void little(void)
{
    struct timespec t = { 0, 5000000 };
    nanosleep(&t, NULL);
}

/* Takes what has ended; whether `leader` is among it, or nothing is left at all. */
static bool reap(pid_t leader, bool *none)
{
    bool found = false;
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        found |= pid == leader;
    *none = pid < 0 && errno == ECHILD;
    return found;
}

/* Sends a signal to the group and to every child, own or adopted. */
static void signal_all(pid_t group, int number)
{
    char path[64] = "/proc/self/task/", text[4096], digits[16];
    pid_t self = getpid(), child = 0;
    size_t n = strlen(path), k = 0;
    kill(-group, number);
    for (pid_t p = self; p; p /= 10)
        digits[k++] = (char)('0' + p % 10);
    while (k)
        path[n++] = digits[--k];
    memcpy(path + n, "/children", 10);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t got; fd >= 0 && (got = read(fd, text, sizeof text)) > 0;)
        for (ssize_t i = 0; i < got; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                child = child * 10 + (text[i] - '0');
            } else {
                if (child)
                    kill(child, number);
                child = 0;
            }
        }
    if (child)
        kill(child, number);
    if (fd >= 0)
        close(fd);
}

/* Sends `number` until nothing is left or the time is over. */
static bool end_all(pid_t group, int number, double seconds)
{
    bool none = false;
    for (double until = mcp_now() + seconds; !none && mcp_now() < until; little()) {
        signal_all(group, number);
        reap(group, &none);
    }
    return none;
}

static _Noreturn void keep(int held, pid_t leader, pid_t client)
{
    bool gone = false, none = false;
    if (held > 0) /* no descriptor of the client's is held open by us */
        close_range(0, (unsigned)held - 1, 0);
    close_range((unsigned)held + 1, ~0u, 0);
    for (;;) { /* its end, or a byte: close */
        struct pollfd fd = { held, POLLIN, 0 };
        int ready = poll(&fd, 1, 500);
        gone |= reap(leader, &none);
        if ((ready > 0 && fd.revents) || getppid() != client)
            break;
    }
    for (double until = mcp_now() + GRACE; !gone && !none && mcp_now() < until; little())
        gone |= reap(leader, &none);
    if (none || end_all(leader, SIGTERM, gone ? 0.2 : FORCE))
        _exit(0);
    end_all(leader, SIGKILL, 5);
    _exit(0);
}

static _Noreturn void start(const char *command, int in, int out)
{
    struct sigaction usual = { .sa_handler = SIG_DFL };
    sigset_t nothing;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    sigaction(SIGPIPE, &usual, NULL);
    sigaction(SIGINT, &usual, NULL);
    sigaction(SIGTERM, &usual, NULL);
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    dup2(in, 0);
    dup2(out, 1);
    close_range(3, ~0u, 0);
    char *argv[] = { "/bin/sh", "-c", (char *)(uintptr_t)command, NULL };
    execv("/bin/sh", argv);
    _exit(127);
}

/* In the keeper's process. */
static _Noreturn void keeper(const char *command, int in, int out, int held, pid_t client)
{
    sigset_t all;
    sigfillset(&all); /* Ctrl-C is for the client, and its end is heard */
    sigprocmask(SIG_SETMASK, &all, NULL);
    setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t leader = fork();
    if (leader == 0)
        start(command, in, out);
    if (leader < 0)
        _exit(1);
    setpgid(leader, leader);
    keep(held, leader, client);
}

/* ---- lines ---- */

static int broken(struct mcp_client *c, const char *what)
{
    c->broken = true;
    return base_error_set(BASE_E_IO, "the server %s", what);
}

/* Reads once; negative when the server is gone or sends a line without end. */
static int take_in(struct mcp_client *c, struct line *l)
{
    char block[65536];
    ssize_t n = read(l->from, block, sizeof block);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0)
        return broken(c, "has ended");
    if (l->at) { /* what has been taken makes room */
        memmove(l->text.data, l->text.data + l->at, l->text.length - l->at);
        l->text.length -= l->at;
        l->scanned -= l->at;
        l->at = 0;
    }
    if (l->text.length + (size_t)n > MCP_MESSAGE_MOST + sizeof block) {
        c->broken = true;
        return base_error_set(BASE_E_LIMIT, "the server sent more than 64 MiB without an end");
    }
    return base_buffer_append(&l->text, block, (size_t)n);
}

/* The next whole line that is JSON: 1 and *out, 0 when there is none yet. Lines that are none (a
 * server that prints) are passed over. */
static int next_line(struct line *l, json_t **out)
{
    while (l->scanned < l->text.length) {
        const char *from = l->text.data + l->scanned;
        const char *end = memchr(from, '\n', l->text.length - l->scanned);
        if (!end) {
            l->scanned = l->text.length;
            break;
        }
        const char *line = l->text.data + l->at;
        size_t n = (size_t)(end - line);
        l->at = l->scanned = (size_t)(end + 1 - l->text.data);
        while (n && (line[n - 1] == '\r' || line[n - 1] == ' '))
            n--;
        if (!n || (line[0] != '{' && line[0] != '[' && line[0] != ' ' && line[0] != '\t'))
            continue;
        int rc = base_json_parse_wire(out, line, n, 0, "the server's message");
        if (rc == BASE_E_MEMORY)
            return rc;
        if (!rc)
            return 1;
    }
    return 0;
}

/* x: whose wait it is, or NULL. */
static int send_text(struct mcp_client *c, struct line *l, const json_t *message, double until,
                     struct mcp_exchange *x)
{
    char *text = base_json_compact(message);
    if (!text)
        return BASE_E_MEMORY;
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of the NUL */
    int rc = 0;
    for (size_t at = 0; at <= n && !rc;) {
        struct pollfd fd[2] = { { l->to, POLLOUT, 0 }, { l->from, POLLIN, 0 } };
        double left = until - mcp_now();
        if (left <= 0) {
            c->timed_out = true;
            rc = broken(c, "does not read what it is sent");
            break;
        }
        if (x && at && (rc = mcp_exchange_over(c, x))) {
            c->broken = true; /* half a line is out */
            break;
        }
        if (poll(fd, 2, left > 0.2 ? 200 : (int)(left * 1000) + 1) <= 0)
            continue;
        ssize_t written = fd[0].revents ? write(l->to, text + at, n + 1 - at) : 0;
        if (written > 0)
            at += (size_t)written;
        else if (written < 0 && errno != EINTR && errno != EAGAIN)
            rc = broken(c, "has ended");
        if (!rc && at <= n && fd[1].revents)
            rc = take_in(c, l);
    }
    base_free(text);
    return rc;
}

static int stdio_send(struct mcp_client *c, const json_t *message, double until)
{
    return send_text(c, c->line, message, until, NULL);
}

/* Tells the server that nobody waits any more; that it may not hear is its own affair. */
static void call_off(struct mcp_client *c, struct line *l, const struct mcp_exchange *x)
{
    char *why = base_strdup(base_error_message());
    json_t *note = strcmp(x->method, "initialize") == 0
                       ? NULL
                       : mcp_client_note("notifications/cancelled",
                                         json_pack("{s:I, s:s}", "requestId", x->id, "reason",
                                                   c->timed_out ? "timeout" : "cancelled"));
    if (note && why && !c->broken)
        send_text(c, l, note, mcp_now() + 0.1, NULL);
    json_decref(note);
    if (why)
        base_error_set(BASE_E_IO, "%s", why);
    base_free(why);
}

static int stdio_exchange(struct mcp_client *c, struct mcp_exchange *x)
{
    struct line *l = c->line;
    int rc = send_text(c, l, x->message, x->until, x);
    while (!rc && !x->answer) {
        json_t *message = NULL;
        rc = next_line(l, &message);
        if (rc > 0) {
            rc = mcp_client_take(c, x, message);
            json_decref(message);
            /* a server that never stops talking has its deadline, too */
            if (!rc && !x->answer && mcp_now() > x->looked + 0.02)
                rc = mcp_exchange_over(c, x);
        } else if (!rc && !(rc = mcp_exchange_over(c, x))) {
            struct pollfd fd = { l->from, POLLIN, 0 };
            if (poll(&fd, 1, mcp_exchange_wait(x)) > 0)
                rc = take_in(c, l);
        }
        if (rc == BASE_E_INTERRUPTED || (rc && c->timed_out))
            call_off(c, l, x);
    }
    return rc;
}

static int stdio_hear(struct mcp_client *c)
{
    struct line *l = c->line;
    struct pollfd fd = { l->from, POLLIN, 0 };
    int rc = 0;
    for (double until = mcp_now() + 0.05; rc >= 0 && mcp_now() < until;) {
        json_t *message = NULL;
        if ((rc = next_line(l, &message)) > 0)
            rc = mcp_client_take(c, NULL, message);
        else if (!rc && (poll(&fd, 1, 0) <= 0 || take_in(c, l)))
            break; /* that it has ended the next request says */
        json_decref(message);
    }
    return rc < 0 ? rc : 0;
}

/* ---- open, close ---- */

static void stdio_close(struct mcp_client *c)
{
    struct line *l = c->line;
    if (l->to >= 0)
        close(l->to);
    if (l->from >= 0)
        close(l->from);
    if (l->held >= 0)
        close(l->held);
    if (l->keeper > 0) { /* it is sure to end */
        double until = mcp_now() + GRACE + FORCE + 6;
        pid_t w;
        while ((w = waitpid(l->keeper, NULL, WNOHANG)) == 0 && mcp_now() < until) {
            struct timespec t = { 0, 1000000 };
            nanosleep(&t, NULL);
        }
        if (w == 0) {
            kill(l->keeper, SIGKILL);
            while (waitpid(l->keeper, NULL, 0) < 0 && errno == EINTR) {
            }
        }
    }
    base_buffer_free(&l->text);
    base_free(l);
    c->line = NULL;
}

static const struct mcp_transport stdio_transport = {
    .exchange = stdio_exchange, .send = stdio_send, .hear = stdio_hear, .close = stdio_close
};

int mcp_client_stdio_open(struct mcp_client *c, const char *command)
{
    struct line *l = base_alloc_zero(1, sizeof *l);
    if (!l)
        return BASE_E_MEMORY;
    l->to = l->from = l->held = -1;
    c->line = l;
    c->transport = &stdio_transport;
    int to[2] = { -1, -1 }, from[2] = { -1, -1 }, held[2] = { -1, -1 }, rc = 0;
    signal(SIGPIPE, SIG_IGN);
    pid_t self = getpid();
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) || pipe2(held, O_CLOEXEC)) {
        rc = base_error_set(BASE_E_IO, "cannot make a pipe: %s", strerror(errno));
    } else if ((l->keeper = fork()) == 0) {
        keeper(command, to[0], from[1], held[0], self);
    } else if (l->keeper < 0) {
        rc = base_error_set(BASE_E_IO, "cannot start the server: %s", strerror(errno));
    } else {
        l->to = to[1];
        l->from = from[0];
        l->held = held[1];
        to[1] = from[0] = held[1] = -1;
        fcntl(l->to, F_SETFL, O_NONBLOCK);
    }
    int *const pipes[] = { to, from, held };
    for (int i = 0; i < 6; i++)
        if (pipes[i / 2][i % 2] >= 0)
            close(pipes[i / 2][i % 2]);
    return rc;
}
