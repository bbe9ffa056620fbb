/* The gate's side of the sandbox: nests, and calls as they run; see sandbox.h. */
#include "agent/sandbox.h"
#include "agent/sandbox_cage.h"
#include "agent/sandbox_frame.h"
#include "agent/sandbox_nest.h"
#include "base/memory.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS      20
#define KILL_SECONDS 10  /* a worker that is told to end takes microseconds */
#define KEPT_MOST    16  /* workers waiting for their next call */
#define KEPT_CALLS   100 /* of one worker */
#define KEPT_SECONDS 5
#define ERROR_BYTES  400 /* of a program's standard error that are told */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- nests ---- */

/* A worker that waits for its next call. */
struct kept {
    const struct agent_tool *tool;
    char *key; /* of the calls that it may take */
    unsigned cpu_ms;
    size_t memory;
    int socket, answer, requests;
    pid_t pid;
    unsigned calls;
    double born, used; /* when; seconds of processor time so far */
};
struct agent_nest {
    int socket;
    pid_t pid, owner;
    _Atomic bool dead;
    pthread_mutex_t lock; /* of what follows */
    struct kept kept[KEPT_MOST];
    size_t n_kept;
};

/* Threads of this process; 0 = not known. */
static unsigned threads_now(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static int nest_make(struct agent_nest **out, struct nest_options *options)
{
    struct agent_nest *n = base_alloc_zero(1, sizeof *n);
    int pair[2];
    if (!n)
        return BASE_E_MEMORY;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        base_free(n);
        return base_error_set(BASE_E_IO, "cannot make the sandbox: %s", strerror(errno));
    }
    options->threads = threads_now() == 1;
    n->owner = getpid();
    n->pid = fork();
    if (n->pid == 0)
        agent_nest_live(pair[1], n->owner, options);
    int error = errno;
    close(pair[1]);
    if (n->pid < 0) {
        close(pair[0]);
        base_free(n);
        return base_error_set(BASE_E_IO, "cannot make the sandbox: %s", strerror(error));
    }
    n->socket = pair[0];
    pthread_mutex_init(&n->lock, NULL);
    *out = n;
    return 0;
}

/* The nest ends the worker when its socket closes. */
static void kept_end(struct kept *k)
{
    close(k->socket);
    close(k->answer);
    close(k->requests);
    base_free(k->key);
}

enum agent_nest_kind agent_nest_kind_of(const struct agent_capabilities *needs)
{
    return needs->network   ? AGENT_NEST_NETWORK
           : needs->connect ? AGENT_NEST_CONNECTING
                            : AGENT_NEST_ALONE;
}

int agent_nest_make(struct agent_nest **out, const struct agent_tools *tools,
                    enum agent_nest_kind kind)
{
    return nest_make(out, &(struct nest_options){ .tools = tools, .kind = kind });
}

void agent_nest_free(struct agent_nest *n)
{
    if (!n)
        return;
    close(n->socket);
    for (size_t i = 0; i < n->n_kept; i++)
        kept_end(&n->kept[i]);
    pthread_mutex_destroy(&n->lock);
    if (n->owner == getpid()) {
        kill(n->pid, SIGKILL);
        while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    base_free(n);
}

bool agent_nest_alive(const struct agent_nest *n)
{
    return !n->dead;
}

/* Its workers die with it. */
static int nest_lost(struct agent_nest *n)
{
    n->dead = true;
    if (n->owner == getpid())
        kill(n->pid, SIGKILL);
    return base_error_set(BASE_E_IO, "the process that runs tools has ended: the next call starts "
                                     "another");
}

/* ---- one call ---- */

static void killed(struct agent_ended *out, int signal, const struct agent_capabilities *needs)
{
    out->end = AGENT_END_KILLED;
    if (signal == SIGXCPU) {
        out->end = AGENT_END_TIMEOUT;
        snprintf(out->message, sizeof out->message, "stopped: more than %u ms of processor time",
                 needs->cpu_ms);
    } else if (signal == SIGSYS) {
        snprintf(out->message, sizeof out->message, "stopped: a system call that it may not make");
    } else if (signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGKILL) {
        snprintf(out->message, sizeof out->message, "died: %s (out of memory, or a fault)",
                 strsignal(signal));
    } else {
        snprintf(out->message, sizeof out->message, "died: %s", strsignal(signal));
    }
}

/* One call as the gate sees it. */
struct call {
    const struct agent_job *job;
    struct agent_ended *out;
    struct agent_frames frames;    /* of a worker */
    struct base_buffer error_text; /* of a program */
    double begin, told_at, wall;
    size_t most;
    bool ended; /* the nest said so */
    struct nest_ended how;
    bool keep;     /* the worker may stay when it has answered */
    pid_t pid;     /* of one that may; 0 = not known yet */
    double before; /* processor time that it had used when this call began */
    int rc;
};

/* ---- workers that are kept ---- */

static bool may_keep(const struct agent_job *job)
{
    const struct agent_tool *t = job->tool;
    const struct agent_capabilities *n = job->needs;
    return job->keep && t && t->pure && !t->open && !n->read && !n->write && !n->network &&
           !n->connect && !n->exec && !n->threads && job->input_bytes <= NEST_INLINE;
}

/* A worker for this job, taken out of those that wait (which are not a forked child's: two would
 * hear one answer); false when there is none. One that has said
 * a word since its last answer, or is gone, is ended here. */
static bool kept_take(struct agent_nest *n, const struct agent_job *job, struct kept *out)
{
    bool found = false;
    double oldest = now() - KEPT_SECONDS;
    pthread_mutex_lock(&n->lock);
    for (size_t i = n->n_kept; i-- > 0 && !found;) {
        struct kept *k = &n->kept[i];
        bool old = k->born < oldest;
        if (!old && (k->tool != job->tool || k->cpu_ms != job->needs->cpu_ms ||
                     k->memory != job->needs->memory || strcmp(k->key, job->keep) != 0))
            continue;
        *out = *k;
        *k = n->kept[--n->n_kept];
        struct pollfd fd[2] = { { out->socket, POLLIN, 0 }, { out->answer, POLLIN, 0 } };
        found = !old && poll(fd, 2, 0) == 0;
        if (!found)
            kept_end(out);
    }
    pthread_mutex_unlock(&n->lock);
    return found;
}

/* The worker waits for its next call, or ends. */
static void kept_put(struct agent_nest *n, struct kept *k)
{
    double most = (NEST_KEPT_TIMES - 1) * 1e-3 * k->cpu_ms, oldest = now() - KEPT_SECONDS;
    struct kept old = { 0 };
    bool stays = k->calls < KEPT_CALLS && k->born > oldest && k->used < most;
    pthread_mutex_lock(&n->lock);
    if (stays && n->n_kept == KEPT_MOST) { /* the one that has lived longest makes room */
        size_t first = 0;
        for (size_t i = 1; i < KEPT_MOST; i++)
            if (n->kept[i].born < n->kept[first].born)
                first = i;
        old = n->kept[first];
        n->kept[first] = n->kept[--n->n_kept];
    }
    if (stays)
        n->kept[n->n_kept++] = *k;
    pthread_mutex_unlock(&n->lock);
    if (old.key)
        kept_end(&old);
    if (!stays)
        kept_end(k);
}

void agent_sandbox_forget(struct agent_nest *n, const struct agent_job *job)
{
    pthread_mutex_lock(&n->lock);
    for (size_t i = n->n_kept; job->keep && i-- > 0;)
        if (n->kept[i].tool == job->tool && strcmp(n->kept[i].key, job->keep) == 0) {
            kept_end(&n->kept[i]);
            n->kept[i] = n->kept[--n->n_kept];
        }
    pthread_mutex_unlock(&n->lock);
}

/* Asks a worker that waited. false: it is gone. */
static bool kept_ask(const struct kept *k, const struct agent_job *job)
{
    size_t n = job->input_bytes;
    unsigned char head[4] = { (unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16),
                              (unsigned char)(n >> 24) };
    struct iovec parts[2] = { { head, sizeof head }, { (void *)(uintptr_t)job->input, n } };
    const struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };
    return sendmsg(k->requests, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)(sizeof head + n);
}

/* ---- what comes from a worker ---- */

static bool stop(struct call *c, enum agent_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool stop(struct call *c, enum agent_end end, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->out->message, sizeof c->out->message, format, args);
    va_end(args);
    c->out->end = end;
    return false;
}

/* What has come on a descriptor, which is -1 after its end. false: the worker must be ended. */
static bool take(struct call *c, struct pollfd *fd, bool errors)
{
    char block[65536];
    ssize_t n = read(fd->fd, block, sizeof block);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (n <= 0 || c->rc || c->out->end) { /* at its end, or nothing of it counts any more */
        if (n <= 0)
            fd->fd = -1;
        return true;
    }
    if (errors) { /* what is more is read and not kept */
        size_t room = ERROR_BYTES - c->error_text.length;
        c->rc = base_buffer_append(&c->error_text, block, (size_t)n < room ? (size_t)n : room);
        return !c->rc;
    }
    if (c->job->needs->exec) {
        if (c->out->answer.length + (size_t)n > c->most)
            return stop(c, AGENT_END_TOO_LARGE, "stopped: an answer of more than %zu bytes",
                        c->most);
        c->rc = base_buffer_append(&c->out->answer, block, (size_t)n);
        return !c->rc;
    }
    switch (agent_frames_take(&c->frames, block, (size_t)n)) {
    case AGENT_FRAME_LARGE:
        return stop(c, AGENT_END_TOO_LARGE, "stopped: an answer of more than %zu bytes", c->most);
    case AGENT_FRAME_BROKEN:
        return stop(c, AGENT_END_KILLED, "stopped: it said what no worker says");
    case AGENT_FRAME_MEMORY:
        c->rc = BASE_E_MEMORY;
        return false;
    default:
        return true;
    }
}

/* Passes progress on, not more than ten times a second; last: whatever is left. */
static void tell(struct call *c, bool last)
{
    struct agent_frames *f = &c->frames;
    double t = now();
    if (!f->news || !c->job->progress || (!last && t - c->told_at < FRAME_PROGRESS_EVERY))
        return;
    f->news = false;
    c->told_at = t;
    c->job->progress(c->job->context, f->done, f->total, *f->message ? f->message : NULL);
}

/* Waits for the worker's answer and its end, or for the end of its time. Returns false when it must
 * be ended, or (c->ended) the nest was lost. */
static bool watch(struct call *c, struct pollfd fd[3], double until)
{
    const struct agent_job *job = c->job;
    while (!c->ended && !(c->keep && c->frames.kind && c->pid)) {
        int ready = poll(fd, 3, TICK_MS);
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready > 0 && fd[2].revents) {
            ssize_t n = recv(fd[2].fd, &c->how, sizeof c->how, MSG_DONTWAIT);
            if (n < 0 && errno == ECONNRESET) /* our word was not read: its own lies behind that */
                n = recv(fd[2].fd, &c->how, sizeof c->how, MSG_DONTWAIT);
            if (n == (ssize_t)sizeof c->how && c->how.started)
                c->pid = c->how.started;
            else if (n == (ssize_t)sizeof c->how)
                c->ended = true;
            else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
                return false;
        }
        for (int i = 0; i < 2; i++) /* after its end there may be more than one piece left */
            while (fd[i].fd >= 0 && (c->ended || (ready > 0 && fd[i].revents))) {
                errno = 0;
                if (!take(c, &fd[i], i == 1))
                    return false;
                if (!c->ended || errno == EAGAIN)
                    break;
            }
        tell(c, false);
        if (c->ended)
            break;
        bool killed = c->rc || c->out->end;
        if (now() > until)
            return killed ? false
                          : stop(c, AGENT_END_TIMEOUT, "stopped: not done after %.3g seconds",
                                 c->wall);
        if (!killed && c->keep && c->pid &&
            agent_cage_used(c->pid) - c->before > job->needs->cpu_ms * 1e-3)
            return stop(c, AGENT_END_TIMEOUT, "stopped: more than %u ms of processor time",
                        job->needs->cpu_ms);
        if (!killed && (base_interrupted() || (job->cancelled && job->cancelled(job->context))))
            return stop(c, AGENT_END_CANCELLED, "cancelled");
    }
    return true;
}

/* An exit code that is not 0, with what was written to standard error on one line. */
static void failed_program(struct call *c, int code)
{
    const struct base_buffer *b = &c->error_text;
    size_t n = b->length;
    while (n && (b->data[n - 1] == '\n' || b->data[n - 1] == ' '))
        n--;
    char *words = base_utf8_repair(n ? b->data : "", n, &n);
    for (size_t i = 0; words && i < n; i++)
        if ((unsigned char)words[i] < ' ' || words[i] == 127)
            words[i] = ' ';
    stop(c, AGENT_END_FAILED, "the program ended with code %d%s%s", code, words && n ? ": " : "",
         words ? words : "");
    base_free(words);
}

/* What a worker's last frame says. */
static void answered(struct call *c)
{
    tell(c, true);
    struct base_buffer *text = &c->frames.bytes;
    if (c->frames.kind == 'r') {
        c->out->answer = *text;
        *text = (struct base_buffer){ 0 };
    } else if (c->frames.kind) {
        char *words = base_utf8_repair(text->data, text->length, NULL);
        stop(c, AGENT_END_FAILED, "%s", words ? words : "out of memory");
        base_free(words);
    } else {
        stop(c, AGENT_END_FAILED, "the worker ended without an answer");
    }
}

/* What the ended worker's status, answer and errors mean. */
static void judge(struct call *c)
{
    int status = c->how.status;
    if (c->how.cpu) {
        stop(c, AGENT_END_TIMEOUT, "stopped: more than %u ms of processor time",
             c->job->needs->cpu_ms);
        return;
    }
    if (c->how.many) {
        stop(c, AGENT_END_KILLED, "stopped: too many processes");
        return;
    }
    if (WIFSIGNALED(status)) {
        killed(c->out, WTERMSIG(status), c->job->needs);
        return;
    }
    int code = WEXITSTATUS(status);
    if (c->job->needs->exec) {
        if (code)
            failed_program(c, code);
        return;
    }
    answered(c);
}

/* A file in memory: nothing to feed, nothing to wait for. -1 with errno. */
static int memory_file(const char *data, size_t n)
{
    int fd = memfd_create("arguments", MFD_CLOEXEC);
    for (size_t at = 0; fd >= 0 && at < n;) {
        ssize_t written = write(fd, data + at, n - at);
        if (written <= 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        at += (size_t)written;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

/* Hands the job to the nest; fds: the call's socket, the pipes' ends, the file and the socket for
 * further calls, -1 = none. */
static int hand_over(struct agent_nest *n, const struct agent_job *job,
                     const int fds[NEST_DESCRIPTORS])
{
    struct nest_request r = { .program = job->needs->exec != NULL,
                              .file = fds[3] >= 0,
                              .keep = fds[4] >= 0,
                              .life = KEPT_SECONDS + job->needs->wall_ms * 1e-3 + 1,
                              .cpu_ms = job->needs->cpu_ms,
                              .memory = job->needs->memory,
                              .input_bytes = job->input_bytes };
    snprintf(r.tool, sizeof r.tool, "%s", job->tool ? job->tool->name : "");
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(NEST_DESCRIPTORS * sizeof(int))];
    } control = { 0 };
    int given[NEST_DESCRIPTORS], count = 0;
    for (int i = 0; i < NEST_DESCRIPTORS; i++)
        if (fds[i] >= 0)
            given[count++] = fds[i];
    struct iovec parts[2] = { { &r, sizeof r },
                              { (void *)(uintptr_t)job->input, job->input_bytes } };
    struct msghdr m = { .msg_iov = parts,
                        .msg_iovlen = r.file ? 1 : 2,
                        .msg_control = &control,
                        .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(c), given, (size_t)count * sizeof(int));
    ssize_t sent;
    while ((sent = sendmsg(n->socket, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
    }
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED))
        return nest_lost(n);
    return sent < 0 ? base_error_set(BASE_E_IO, "cannot start a worker: %s", strerror(errno)) : 0;
}

/* Waits for the end of a call that has begun, and judges it. */
static void finish(struct agent_nest *n, struct call *c, int answer, int errors, int socket)
{
    struct agent_ended *out = c->out;
    struct pollfd fd[3] = { { answer, POLLIN, 0 }, { errors, POLLIN, 0 }, { socket, POLLIN, 0 } };
    if (!watch(c, fd, c->begin + c->wall) && !c->ended) {
        c->keep = false;
        send(socket, "", 1, MSG_NOSIGNAL);
        if (!watch(c, fd, now() + KILL_SECONDS) && !c->ended)
            c->rc = nest_lost(n);
    }
    if (c->ended)
        c->keep = false;
    if (!c->rc && c->how.status < 0)
        c->rc = base_error_set(BASE_E_IO, "%s", c->how.error);
    out->seconds = now() - c->begin;
    double used = c->keep && c->pid ? agent_cage_used(c->pid) : c->how.cpu_seconds;
    out->cpu_seconds = used > c->before ? used - c->before : 0;
    if (!c->rc && out->end == AGENT_END_OK) {
        if (c->keep)
            answered(c);
        else
            judge(c);
    }
}

/* By a worker that waited for it; false when there is none. */
static bool run_kept(struct agent_nest *n, struct call *c)
{
    struct kept k;
    do {
        if (!kept_take(n, c->job, &k))
            return false;
        if (kept_ask(&k, c->job))
            break;
        kept_end(&k);
    } while (true);
    c->pid = k.pid;
    c->before = k.used;
    finish(n, c, k.answer, -1, k.socket);
    k.calls++;
    k.used += c->out->cpu_seconds;
    if (c->keep && !c->rc)
        kept_put(n, &k);
    else
        kept_end(&k);
    return true;
}

static int run(struct agent_nest *n, const struct agent_job *job, struct agent_ended *out)
{
    const struct agent_capabilities *needs = job->needs;
    const bool program = needs->exec != NULL;
    *out = (struct agent_ended){ 0 };
    struct call c = { .job = job,
                      .out = out,
                      .begin = now(),
                      .wall = needs->wall_ms * 1e-3,
                      .most = needs->output,
                      .keep = may_keep(job) && n->owner == getpid() };
    c.frames.most = c.most;
    int socket[2] = { -1, -1 }, answer[2] = { -1, -1 }, errors[2] = { -1, -1 }, input = -1,
        requests[2] = { -1, -1 };
    char *key = NULL;
    if (c.keep && run_kept(n, &c))
        goto out;
    if (c.keep && !(key = base_strdup(job->keep))) {
        c.rc = BASE_E_MEMORY;
        goto out;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socket) || pipe2(answer, O_CLOEXEC) ||
        (program && pipe2(errors, O_CLOEXEC)) ||
        (c.keep && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, requests)) ||
        ((program || job->input_bytes > NEST_INLINE) &&
         (input = memory_file(job->input, job->input_bytes)) < 0)) {
        c.rc = base_error_set(BASE_E_IO, "cannot start a worker: %s", strerror(errno));
        goto out;
    }
    fcntl(answer[0], F_SETFL, O_NONBLOCK);
    if (program)
        fcntl(errors[0], F_SETFL, O_NONBLOCK);
    const int given[NEST_DESCRIPTORS] = { socket[1], answer[1], errors[1], input, requests[1] };
    if ((c.rc = hand_over(n, job, given)))
        goto out;
    /* Only the nest and the worker hold these ends now: their closing is seen here. */
    int *theirs[] = { &socket[1], &answer[1], &errors[1], &input, &requests[1] };
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
        if (*theirs[i] >= 0) {
            close(*theirs[i]);
            *theirs[i] = -1;
        }
    finish(n, &c, answer[0], errors[0], socket[0]);
    if (c.keep && !c.rc && c.pid) {
        struct kept k = { .tool = job->tool,
                          .key = key,
                          .cpu_ms = needs->cpu_ms,
                          .memory = needs->memory,
                          .socket = socket[0],
                          .answer = answer[0],
                          .requests = requests[0],
                          .pid = c.pid,
                          .calls = 1,
                          .born = c.begin,
                          .used = out->cpu_seconds };
        kept_put(n, &k);
        socket[0] = answer[0] = requests[0] = -1;
        key = NULL;
    }
out:
    for (int i = 0; i < 2; i++) {
        const int all[] = { socket[i], answer[i], errors[i], requests[i] };
        for (int j = 0; j < 4; j++)
            if (all[j] >= 0)
                close(all[j]);
    }
    if (input >= 0)
        close(input);
    base_free(key);
    base_buffer_free(&c.error_text);
    agent_frames_free(&c.frames);
    if (c.rc)
        base_buffer_free(&out->answer);
    return c.rc;
}

int agent_sandbox_run(struct agent_nest *n, const struct agent_job *job, struct agent_ended *out)
{
    struct agent_capabilities needs = *job->needs;
    if (!needs.cpu_ms)
        needs.cpu_ms = 2000;
    if (!needs.wall_ms)
        needs.wall_ms = 10000;
    if (!needs.memory)
        needs.memory = (size_t)256 << 20;
    if (!needs.output)
        needs.output = (size_t)1 << 20;
    struct agent_job all = *job;
    all.needs = &needs;
    if (job->tool)
        return run(n, &all, out);
    struct nest_options options = { .job = &all, .kind = agent_nest_kind_of(&needs) };
    *out = (struct agent_ended){ 0 };
    int rc = nest_make(&n, &options);
    if (!rc) {
        rc = run(n, &all, out);
        agent_nest_free(n);
    }
    return rc;
}

json_t *agent_sandbox_describe(void)
{
    int abi = agent_cage_landlock();
    const struct agent_filter *filter;
    bool seccomp = agent_cage_filter(&(struct agent_capabilities){ 0 }, &filter) == 0;
    json_t *missing = json_array();
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) ? 1 : unshare(CLONE_NEWNET | CLONE_NEWPID) ? 2 : 0);
    int status = 0;
    bool waited = pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
    bool user = waited && WEXITSTATUS(status) != 1, net = waited && WEXITSTATUS(status) == 0;
    if (!seccomp)
        json_array_append_new(missing, json_string("seccomp: no tool is run"));
    if (!abi)
        json_array_append_new(missing, json_string("Landlock: tools that touch files are refused"));
    else if (abi < 6)
        json_array_append_new(missing,
                              json_string("Landlock's scopes (ABI 6): signals are held back by "
                                          "seccomp and namespaces alone"));
    if (!user || !net)
        json_array_append_new(missing, json_string("user and network namespaces: seccomp and "
                                                   "Landlock stand alone"));
    return json_pack("{s:i, s:b, s:b, s:b, s:o}", "landlock", abi, "seccomp", seccomp,
                     "user_namespaces", user, "network_namespaces", net, "missing", missing);
}
