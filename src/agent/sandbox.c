/* The worker of one call; see sandbox.h. */
#include "agent/sandbox.h"
#include "agent/sandbox_cage.h"
#include "agent/sandbox_frame.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS      20
#define THREADS_MOST 64
#define THREAD_BYTES ((rlim_t)8 << 20) /* of stack */
#define ERROR_BYTES  400               /* of a program's standard error that are told */

/* ---- the worker ---- */

/* What went wrong while the worker made its own cage: exit codes that no tool uses by chance; the
 * answer says more. */
enum { EXIT_CAGE = 119 };

struct cage {
    const struct agent_job *job;
    const struct agent_filter *filter;
    int abi;
    rlim_t memory;
    int answer, errors, input;
};

static void cage_fail(const struct cage *c, const char *what)
{
    char text[200];
    int n =
        snprintf(text, sizeof text, "the sandbox could not be made: %s: %s", what, strerror(errno));
    agent_frame_finish(c->answer, 'c', text, (size_t)n);
    _exit(EXIT_CAGE);
}

/* Never returns. */
static void worker(const struct cage *c)
{
    const struct agent_capabilities *needs = c->job->needs;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(c->input >= 0 ? c->input : null, 0) < 0 ||
        dup2(needs->exec ? c->answer : null, 1) < 0 || dup2(needs->exec ? c->errors : null, 2) < 0)
        cage_fail(c, "standard streams");
    /* the answer's end is 3; nothing else stays open: no log, no socket, no database */
    if (c->answer != 3 && dup2(c->answer, 3) < 0)
        cage_fail(c, "standard streams");
    struct cage inner = *c;
    inner.answer = 3;
    c = &inner;
    close_range(4, ~0u, 0);
    if (needs->exec)
        fcntl(3, F_SETFD, FD_CLOEXEC);
    unsigned cpu = needs->cpu_ms ? needs->cpu_ms : 2000;
    agent_cage_limit(RLIMIT_CPU, cpu / 1000 + 2); /* the parent's clock is finer */
    agent_cage_limit(RLIMIT_CORE, 0);
    agent_cage_limit(RLIMIT_NOFILE, 64);
    agent_cage_limit(RLIMIT_FSIZE, (rlim_t)1 << 30);
    agent_cage_limit(RLIMIT_AS, c->memory + (needs->threads ? THREADS_MOST * THREAD_BYTES : 0));
    if (needs->threads) {
        mallopt(M_ARENA_MAX, 1); /* an arena would take 64 MiB of address space for each thread */
        agent_cage_limit(RLIMIT_STACK, THREAD_BYTES);
        agent_cage_limit(RLIMIT_NPROC, 256);
    }
    if (needs->exec)
        agent_cage_limit(RLIMIT_NPROC, 64);
    /* Namespaces are a second wall; where they cannot be had seccomp and Landlock stand alone. */
    int spaces = CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS | (needs->network ? 0 : CLONE_NEWNET);
    if (unshare(spaces | (needs->exec ? CLONE_NEWPID : 0)) == 0 && needs->exec) {
        pid_t first = fork(); /* init of the new process namespace: all inside die with it */
        if (first < 0)
            cage_fail(c, "fork");
        if (first) {
            int status = 0;
            close(1);
            close(3);
            while (waitpid(first, &status, 0) < 0 && errno == EINTR) {
            }
            if (WIFSIGNALED(status)) {
                signal(WTERMSIG(status), SIG_DFL);
                agent_cage_limit(RLIMIT_CORE, 0);
                kill(getpid(), WTERMSIG(status));
            }
            _exit(WEXITSTATUS(status));
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    int ruleset = c->abi ? agent_cage_ruleset(needs, c->abi) : -1;
    if (c->abi && ruleset < 0)
        cage_fail(c, "Landlock");
    const char *wall = agent_cage_enter(ruleset, c->filter);
    if (wall)
        cage_fail(c, wall);
    if (needs->exec) {
        char *argv[] = { (char *)(uintptr_t)needs->exec, NULL };
        char *environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL };
        execve(needs->exec, argv, environment);
        dprintf(2, "cannot start %s: %s", needs->exec, strerror(errno));
        _exit(127);
    }
    int threads = base_threads();
    if (!needs->threads)
        base_threads_set(1);
    else if (threads > THREADS_MOST)
        base_threads_set(THREADS_MOST);
    agent_frame_listen(3);
    struct base_buffer out = { 0 };
    int rc = c->job->run(c->job->run_context, &out);
    if (rc)
        agent_frame_finish(3, 'e', base_error_message(), strlen(base_error_message()));
    else
        agent_frame_finish(3, 'r', out.data ? out.data : "", out.length);
    _exit(0);
}

/* ---- the parent ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
        return 0;
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Bytes of address space that the program has now: the limit counts from there. */
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f) {
        if (fscanf(f, "%lu", &pages) != 1)
            pages = 0;
        fclose(f);
    }
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void killed(struct agent_ended *out, int signal, const struct agent_capabilities *needs)
{
    out->end = AGENT_END_KILLED;
    if (signal == SIGXCPU) {
        out->end = AGENT_END_TIMEOUT;
        snprintf(out->message, sizeof out->message, "stopped: more than %u ms of processor time",
                 needs->cpu_ms ? needs->cpu_ms : 2000);
    } else if (signal == SIGSYS) {
        snprintf(out->message, sizeof out->message, "stopped: a system call that it may not make");
    } else if (signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGKILL) {
        snprintf(out->message, sizeof out->message, "died: %s (out of memory, or a fault)",
                 strsignal(signal));
    } else {
        snprintf(out->message, sizeof out->message, "died: %s", strsignal(signal));
    }
}

/* One call as the parent sees it. */
struct call {
    const struct agent_job *job;
    struct agent_ended *out;
    struct agent_frames frames;    /* of a worker */
    struct base_buffer error_text; /* of a program */
    double begin, told_at, wall, cpu;
    size_t most;
    int rc;
};

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
    if (n <= 0) {
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

/* Waits for the worker, its answer or the end of its time. Returns false when it must be killed. */
static bool watch(struct call *c, pid_t pid, int answer, int errors)
{
    const struct agent_job *job = c->job;
    struct pollfd fd[2] = { { answer, POLLIN, 0 }, { errors, POLLIN, 0 } };
    while (fd[0].fd >= 0 || fd[1].fd >= 0) {
        int ready = poll(fd, 2, TICK_MS);
        if (ready < 0 && errno != EINTR)
            return false;
        for (int i = 0; i < 2; i++)
            if (ready > 0 && fd[i].fd >= 0 && fd[i].revents && !take(c, &fd[i], i == 1))
                return false;
        tell(c, false);
        if (now() - c->begin > c->wall)
            return stop(c, AGENT_END_TIMEOUT, "stopped: not done after %.3g seconds", c->wall);
        if (cpu_of(pid) > c->cpu)
            return stop(c, AGENT_END_TIMEOUT, "stopped: more than %.0f ms of processor time",
                        c->cpu * 1e3);
        if (base_interrupted() || (job->cancelled && job->cancelled(job->context)))
            return stop(c, AGENT_END_CANCELLED, "cancelled");
    }
    return true;
}

/* What the ended worker's status, answer and errors mean. */
static void judge(struct call *c, int status)
{
    if (WIFSIGNALED(status)) {
        killed(c->out, WTERMSIG(status), c->job->needs);
        return;
    }
    int code = WEXITSTATUS(status);
    if (c->job->needs->exec) {
        int n = (int)c->error_text.length;
        if (code)
            stop(c, AGENT_END_FAILED, "the program ended with code %d%s%.*s", code, n ? ": " : "",
                 n, n ? c->error_text.data : "");
        return;
    }
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

int agent_sandbox_run(const struct agent_job *job, struct agent_ended *out)
{
    const struct agent_capabilities *needs = job->needs;
    *out = (struct agent_ended){ 0 };
    int answer[2] = { -1, -1 }, errors[2] = { -1, -1 }, input = -1, abi = agent_cage_landlock();
    struct call c = { .job = job,
                      .out = out,
                      .wall = (needs->wall_ms ? needs->wall_ms : 10000) * 1e-3,
                      .cpu = (needs->cpu_ms ? needs->cpu_ms : 2000) * 1e-3,
                      .most = needs->output ? needs->output : (size_t)1 << 20 };
    c.frames.most = c.most;
    const struct agent_filter *filter;
    if ((c.rc = agent_cage_filter(needs, &filter)))
        return c.rc;
    if (!abi && (needs->read || needs->write || needs->exec))
        return base_error_set(BASE_E_UNSUPPORTED,
                              "this kernel has no Landlock: tools that touch files are refused");
    if (pipe2(answer, O_CLOEXEC) || pipe2(errors, O_CLOEXEC)) {
        c.rc = base_error_set(BASE_E_IO, "cannot make a pipe: %s", strerror(errno));
        goto out;
    }
    if (needs->exec) { /* a file in memory: nothing to feed, nothing to wait for */
        input = memfd_create("input", MFD_CLOEXEC);
        for (size_t at = 0; input >= 0 && at < job->input_bytes;) {
            ssize_t n = write(input, job->input + at, job->input_bytes - at);
            if (n <= 0) {
                c.rc = base_error_set(BASE_E_IO, "cannot keep a call's input: %s", strerror(errno));
                goto out;
            }
            at += (size_t)n;
        }
        if (input < 0 || lseek(input, 0, SEEK_SET)) {
            c.rc = base_error_set(BASE_E_IO, "cannot keep a call's input: %s", strerror(errno));
            goto out;
        }
    }
    struct cage cage = { .job = job,
                         .filter = filter,
                         .abi = abi,
                         .memory = address_space() + (needs->memory ? needs->memory : 256u << 20),
                         .answer = answer[1],
                         .errors = errors[1],
                         .input = input };
    c.begin = now();
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        worker(&cage);
    }
    if (pid < 0) {
        c.rc = base_error_set(BASE_E_IO, "cannot start a worker: %s", strerror(errno));
        goto out;
    }
    setpgid(pid, pid); /* in both, so that neither has to wait for the other */
    close(answer[1]);
    close(errors[1]);
    answer[1] = errors[1] = -1;
    if (!watch(&c, pid, answer[0], errors[0]) && kill(-pid, SIGKILL) < 0)
        kill(pid, SIGKILL);
    struct rusage usage;
    int status = 0;
    bool ended = false;
    /* The answer's end may be closed before the worker is gone: it has the rest of its time. */
    while (!ended) {
        pid_t w = wait4(pid, &status, out->end || c.rc ? 0 : WNOHANG, &usage);
        if (w == pid || (w < 0 && errno != EINTR))
            ended = true;
        else if (w == 0 && now() - c.begin > c.wall) {
            stop(&c, AGENT_END_TIMEOUT, "stopped: not done after %.3g seconds", c.wall);
            kill(-pid, SIGKILL);
        } else if (w == 0) {
            struct timespec little = { 0, 50000 };
            nanosleep(&little, NULL);
        }
    }
    kill(-pid, SIGKILL); /* whoever is left of its group */
    out->seconds = now() - c.begin;
    out->cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    if (!c.rc && out->end == AGENT_END_OK)
        judge(&c, status);
out:
    for (int i = 0; i < 2; i++) {
        if (answer[i] >= 0)
            close(answer[i]);
        if (errors[i] >= 0)
            close(errors[i]);
    }
    if (input >= 0)
        close(input);
    base_buffer_free(&c.error_text);
    agent_frames_free(&c.frames);
    if (c.rc)
        base_buffer_free(&out->answer);
    return c.rc;
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
