/* The nest and its workers; see sandbox.h. Everything here runs in the nest's process or a
 * worker's, with one thread; nothing here is trusted to the worker. */
#include "agent/sandbox_nest.h"
#include "agent/sandbox_cage.h"
#include "agent/sandbox_frame.h"
#include "base/json.h"
#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ANSWER         3 /* a worker's descriptors */
#define REQUESTS       4
#define ARGUMENTS_MOST 64 /* of a program */
#define PROCESSES_MOST 64 /* of a program that may start others */
#define THREADS_MOST   64
#define NAMESPACES     (CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS)
#define THREAD_BYTES   ((rlim_t)8 << 20) /* of stack */

struct child {
    pid_t pid;
    int socket;   /* of its call; -1 = its gate is gone */
    double cpu;   /* seconds that it may use */
    bool over;    /* and has used */
    double until; /* when it is ended, whatever it does; 0 = the gate says */
    bool program, processes;
    bool many; /* processes: more than allowed */
};
struct nest {
    int socket, gate, self; /* gate, self: pidfds */
    pid_t pid;
    const struct nest_options *options;
    int abi;
    int ruleset; /* for tools that touch no file; -1 = not made */
    rlim_t space;
    const struct agent_tool *prepared; /* the last one */
    struct child *children;
    struct pollfd *fds; /* 2 + one of each child */
    size_t n, room;
    char *packet;
};

/* ---- the worker ---- */

struct worker {
    const struct nest *nest;
    const struct nest_request *request;
    const struct agent_tool *tool; /* NULL = the nest's job */
    struct agent_capabilities needs;
    const struct agent_filter *filter;
    int answer, errors, input, requests; /* -1 = none */
    bool own_processes;                  /* it is the first of a process namespace */
    const char *text;                    /* the arguments, unless they are in input */
};

static void cage_fail(const struct worker *w, const char *what)
{
    char text[200];
    int n =
        snprintf(text, sizeof text, "the sandbox could not be made: %s: %s", what, strerror(errno));
    if (w->needs.exec)
        dprintf(w->errors, "%s", text);
    else
        agent_frame_finish(w->answer, 'c', text, (size_t)n);
    _exit(127);
}

/* Besides those that the nest has set for all. */
static void limits(const struct worker *w)
{
    const struct agent_capabilities *needs = &w->needs;
    unsigned calls = w->requests >= 0 ? NEST_KEPT_TIMES : 1;
    agent_cage_limit(RLIMIT_CPU, needs->cpu_ms / 1000 * calls + 2); /* the nest's clock is finer */
    agent_cage_limit(RLIMIT_NOFILE, 64);
    rlim_t space = w->nest->space + needs->memory;
    if (needs->threads) {
        mallopt(M_ARENA_MAX, 1); /* an arena would take 64 MiB of address space for each thread */
        agent_cage_limit(RLIMIT_STACK, THREAD_BYTES);
        agent_cage_limit(RLIMIT_NPROC, 1024); /* of all workers */
        space += THREADS_MOST * THREAD_BYTES;
    }
    if (needs->exec) /* of all workers, and not held against root: watch() counts, too */
        agent_cage_limit(RLIMIT_NPROC, 1024);
    agent_cage_limit(RLIMIT_AS, space);
}

/* The kernel's own limit of processes (RLIMIT_NPROC is not held against root): numbers up to 300
 * are given once, those above again and again, so that there are never more than PROCESSES_MOST for
 * long. Only from Linux 6.14 on does each process namespace have its own; before, the same file is
 * the whole machine's. The nest counts, too, and gets the processor before those whom it counts. */
static void limit_processes(void)
{
    struct utsname kernel;
    unsigned major = 0, minor = 0;
    char most[16];
    int n = snprintf(most, sizeof most, "%d", 300 + PROCESSES_MOST), fd = -1;
    if (uname(&kernel) == 0 && sscanf(kernel.release, "%u.%u", &major, &minor) == 2 &&
        (major > 6 || (major == 6 && minor >= 14)))
        fd = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, most, (size_t)n) != n)
            errno = 0; /* the count has to do */
        close(fd);
    }
    setpriority(PRIO_PROCESS, 0, 10);
}

static int arguments_read(const struct worker *w, json_t **out)
{
    size_t n = w->request->input_bytes;
    char *text = NULL;
    if (w->input >= 0) {
        if (!(text = base_alloc(n, 1)))
            return BASE_E_MEMORY;
        for (size_t at = 0; at < n;) {
            ssize_t got = pread(w->input, text + at, n - at, (off_t)at);
            if (got <= 0)
                return base_error_set(BASE_E_IO, "the arguments cannot be read");
            at += (size_t)got;
        }
    }
    int rc = base_json_parse_wire(out, text ? text : w->text, n, 0, "arguments");
    base_free(text);
    return rc;
}

/* Runs the function once and answers; takes the arguments. */
static void run_function(const struct worker *w, json_t *arguments, void *opened)
{
    int threads = w->needs.threads && w->nest->options->threads ? base_threads() : 1;
    base_threads_set(threads < THREADS_MOST ? threads : THREADS_MOST);
    agent_frame_listen(ANSWER);
    json_t *value = NULL;
    struct base_buffer out = { 0 };
    int rc;
    if (w->tool) {
        struct agent_tool tool = *w->tool;
        tool.opened = opened;
        rc = tool.run(&tool, arguments, &value);
        char *text = rc ? NULL : base_json_dump(value, false);
        if (text)
            out = (struct base_buffer){ text, strlen(text), strlen(text) };
        else if (!rc)
            rc = BASE_E_MEMORY;
    } else {
        const struct agent_job *job = w->nest->options->job;
        rc = job->run(job->run_context, &out);
    }
    if (rc)
        agent_frame_finish(ANSWER, 'e', base_error_message(), strlen(base_error_message()));
    else
        agent_frame_finish(ANSWER, 'r', out.data ? out.data : "", out.length);
    if (w->requests >= 0) { /* else the end of the process is cheaper */
        base_buffer_free(&out);
        json_decref(value);
        json_decref(arguments);
    }
}

static bool read_all(int fd, void *to, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, (char *)to + at, n - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

/* The next calls of a worker that is kept, until its gate lets go of it. */
static void run_more(const struct worker *w)
{
    unsigned char head[4];
    while (read_all(REQUESTS, head, sizeof head)) {
        size_t n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        char *text = n <= NEST_INLINE ? base_alloc(n + 1, 1) : NULL;
        json_t *arguments = NULL;
        if (!text || !read_all(REQUESTS, text, n) ||
            base_json_parse_wire(&arguments, text, n, 0, "arguments"))
            return;
        base_free(text);
        run_function(w, arguments, NULL);
    }
}

static void run_program(const struct worker *w)
{
    const char *program = w->needs.exec;
    const char *const *given = w->needs.exec_arguments;
    const char *argv[ARGUMENTS_MOST + 2] = { program };
    for (int i = 0; given && given[i] && i < ARGUMENTS_MOST; i++)
        argv[i + 1] = given[i];
    char *environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL };
    execve(program, (char **)(uintptr_t)argv, environment);
    dprintf(2, "cannot start %s: %s", program, strerror(errno));
    _exit(127);
}

static void work(struct worker *w) __attribute__((noreturn));
static void work(struct worker *w)
{
    const struct agent_capabilities *needs = &w->needs;
    const bool program = needs->exec != NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct pollfd nest = { w->nest->self, POLLIN, 0 };
    if (program ? poll(&nest, 1, 0) : getppid() != w->nest->pid)
        _exit(1); /* it died before that was said */
    if (program)
        setpgid(0, 0);
    const struct sigaction usual = { .sa_handler = SIG_DFL };
    sigaction(SIGCHLD, &usual, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    json_t *arguments = NULL;
    if (!program && w->tool && arguments_read(w, &arguments))
        cage_fail(w, base_error_message());
    void *opened = NULL;
    int socket = -1;
    if (w->nest->options->kind == AGENT_NEST_CONNECTING) {
        if (w->tool && w->tool->open && w->tool->open(w->tool, &opened, &socket)) {
            agent_frame_finish(w->answer, 'e', base_error_message(), strlen(base_error_message()));
            _exit(0);
        }
        unshare(NAMESPACES | CLONE_NEWNET); /* the socket stays where it was made */
    }
    if (program && w->own_processes && needs->processes)
        limit_processes();
    int ruleset = -1;
    if (w->nest->abi) {
        bool files = needs->read || needs->write || needs->exec;
        ruleset = files ? agent_cage_ruleset(needs, w->nest->abi) : w->nest->ruleset;
        if (ruleset < 0)
            cage_fail(w, "Landlock");
    }
    if (program && chdir(needs->exec_directory ? needs->exec_directory : "/"))
        cage_fail(w, needs->exec_directory);
    const char *wall = agent_cage_files(ruleset);
    if (wall)
        cage_fail(w, wall);
    /* Standard streams are /dev/null's since the nest was made. A program has all three, a tool's
     * function its answer as 3; nothing else stays open: no pidfd, no ruleset, no socket but
     * the one that the tool has opened. */
    int answer = program ? 1 : ANSWER;
    if (program && (dup2(w->input, 0) < 0 || dup2(w->errors, 2) < 0))
        cage_fail(w, "standard streams");
    if (w->answer != answer && dup2(w->answer, answer) < 0)
        cage_fail(w, "standard streams");
    if (w->requests >= 0 && w->requests != REQUESTS && dup2(w->requests, REQUESTS) < 0)
        cage_fail(w, "standard streams");
    w->answer = answer;
    w->errors = 2;
    if (socket > 3) {
        if (socket > 4)
            close_range(4, (unsigned)socket - 1, 0);
        close_range((unsigned)socket + 1, ~0u, 0);
    } else {
        close_range(w->requests >= 0 ? REQUESTS + 1 : program ? 3 : ANSWER + 1, ~0u, 0);
    }
    limits(w);
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct no_rights[2] = { { 0 } };
    syscall(SYS_capset, &head, no_rights);
    if ((wall = agent_cage_calls(w->filter)))
        cage_fail(w, wall);
    if (program)
        run_program(w);
    else
        run_function(w, arguments, opened);
    if (w->requests >= 0)
        run_more(w);
    _exit(0);
}

/* ---- the nest ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Bytes of address space that the nest has: a worker's limit counts from there. */
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%lu", &pages) != 1)
            pages = 0;
        fclose(f);
    }
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void say_ended(int socket, const struct nest_ended *ended)
{
    send(socket, ended, sizeof *ended, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(socket);
}

static bool grow(struct nest *n)
{
    if (n->n < n->room)
        return true;
    size_t room = n->room ? 2 * n->room : 16;
    struct child *children = base_realloc(n->children, room, sizeof *children);
    if (children)
        n->children = children;
    struct pollfd *fds = base_realloc(n->fds, room + 2, sizeof *fds);
    if (fds)
        n->fds = fds;
    if (!children || !fds)
        return false;
    n->room = room;
    return true;
}

/* A third of a worker's time goes into pages: each that it is the first to write to is copied for
 * it. What was freed here and there is therefore taken for good, so that a worker's memory comes
 * from one piece. */
static void tidy(void)
{
    const char *top = sbrk(0), *volatile p;
    for (size_t size = (size_t)64 << 10; size >= 24; size = size > 1032 ? size / 2 : size - 16)
        for (int i = 0; i < 1000; i++)
            if (!(p = malloc(size)) || p > top)
                break;
    p = malloc((size_t)64 << 10);
    free((void *)(uintptr_t)p);
}

/* And each function of a library that it is the first to call is looked up in all of them: what
 * every worker calls is called here once. */
static void warm(void)
{
    static const char text[] = "{\"a\": [1, 2.5, 6.1489146912365169e18, \"b\\n\", true, null]}";
    json_t *value = NULL;
    base_threads_set(base_threads());
    if (base_json_parse_wire(&value, text, sizeof text - 1, 0, "warm") == 0) {
        char *again = base_json_dump(value, false);
        if (again)
            agent_frame_write(1, 'r', "", 0, again, strlen(again)); /* to /dev/null */
        base_free(again);
    }
    json_decref(value);
}

/* A program is the first process of a process namespace of its own, with which all others inside
 * die; where there is none, the process group has to do. */
static pid_t fork_worker(bool program, bool *own)
{
    *own = program; /* as the child sees it */
    long pid = program ? syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL) : -1;
    if (pid >= 0)
        return (pid_t)pid;
    *own = false;
    return fork();
}

/* Starts the worker of one request, whose descriptors are the nest's to close. */
static void start(struct nest *n, const struct nest_request *request, const char *text,
                  const int fds[NEST_DESCRIPTORS])
{
    struct worker w = { .nest = n,
                        .request = request,
                        .tool = n->options->tools
                                    ? agent_tools_find(n->options->tools, request->tool)
                                    : NULL,
                        .answer = fds[1],
                        .errors = request->program ? fds[2] : -1,
                        .input = request->file ? fds[2 + request->program] : -1,
                        .requests = request->keep ? fds[2 + request->program + request->file] : -1,
                        .text = text };
    struct nest_ended ended = { .status = -1 };
    pid_t pid = -1;
    const struct agent_job *job = n->options->job;
    int rc = 0;
    if (!w.tool && (!job || *request->tool)) {
        rc = base_error_set(BASE_E_ARGUMENT, "no tool %s", request->tool);
    } else {
        w.needs = w.tool ? w.tool->needs : *job->needs;
        w.needs.cpu_ms = request->cpu_ms;
        w.needs.memory = request->memory;
        rc = grow(n) ? agent_cage_filter(&w.needs, &w.filter) : BASE_E_MEMORY;
        if (!rc && n->prepared != w.tool) {
            if (w.tool && w.tool->prepare)
                w.tool->prepare();
            tidy();
            n->prepared = w.tool;
        }
    }
    if (!rc && !n->abi && (w.needs.read || w.needs.write || w.needs.exec))
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "this kernel has no Landlock: tools that touch files are refused");
    if (!rc && (pid = fork_worker(request->program, &w.own_processes)) == 0)
        work(&w);
    if (!rc && pid < 0)
        rc = base_error_set(BASE_E_IO, "cannot start a worker: %s", strerror(errno));
    if (rc)
        snprintf(ended.error, sizeof ended.error, "%s", base_error_message());
    for (int i = 1; i < NEST_DESCRIPTORS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (pid < 0) {
        say_ended(fds[0], &ended);
        return;
    }
    if (request->keep) {
        ended = (struct nest_ended){ .started = pid };
        send(fds[0], &ended, sizeof ended, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (request->program)
        setpgid(pid, pid); /* in both, so that neither has to wait for the other */
    n->children[n->n++] =
        (struct child){ .pid = pid,
                        .socket = fds[0],
                        .cpu = request->cpu_ms * 1e-3 * (request->keep ? NEST_KEPT_TIMES : 1),
                        .until = request->keep ? now() + request->life : 0,
                        .program = request->program,
                        .processes = request->program && w.needs.processes };
}

/* Takes a request; false when the gate is gone. */
static bool take(struct nest *n)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(NEST_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec part = { n->packet, sizeof(struct nest_request) + NEST_INLINE };
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t got = recvmsg(n->socket, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR || errno == EMFILE || errno == ENFILE;
    if (got == 0)
        return false;
    int fds[NEST_DESCRIPTORS] = { -1, -1, -1, -1, -1 };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int given = 0;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        given = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(c), (size_t)given * sizeof(int));
    }
    struct nest_request r;
    bool whole = (size_t)got >= sizeof r && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    if (whole) {
        memcpy(&r, n->packet, sizeof r);
        whole = given == 2 + r.program + r.file + r.keep && memchr(r.tool, 0, sizeof r.tool) &&
                (r.file || (size_t)got == sizeof r + r.input_bytes);
    }
    if (whole)
        start(n, &r, n->packet + sizeof r, fds);
    else /* descriptors were short: closing the call's socket says so */
        for (int i = 0; i < NEST_DESCRIPTORS; i++)
            if (fds[i] >= 0)
                close(fds[i]);
    return true;
}

static void end(const struct child *c)
{
    if (kill(-c->pid, SIGKILL) < 0)
        kill(c->pid, SIGKILL);
}

/* Tells of the workers that have ended. */
static void reap(struct nest *n)
{
    for (;;) {
        siginfo_t info = { 0 };
        struct rusage used;
        int status = 0;
        /* first looked at: until it is waited for, its number and its group's are not given again
         */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
            return;
        pid_t pid = info.si_pid;
        size_t i = 0;
        while (i < n->n && n->children[i].pid != pid)
            i++;
        if (i < n->n && n->children[i].program)
            kill(-pid, SIGKILL); /* whoever is left of its group */
        if (wait4(pid, &status, 0, &used) != pid || i == n->n)
            continue;
        const struct child *c = &n->children[i];
        const struct nest_ended ended = {
            .status = status,
            .cpu = c->over,
            .many = c->many,
            .cpu_seconds = (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec +
                           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6
        };
        if (c->socket >= 0)
            say_ended(c->socket, &ended);
        n->children[i] = n->children[--n->n];
    }
}

/* Processes of the process namespace whose first is pid, as far as `most`. */
static unsigned processes_of(pid_t pid, unsigned most)
{
    char path[64], mine[64], other[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
    ssize_t n = readlink(path, mine, sizeof mine), m;
    unsigned count = 0;
    DIR *d = n > 0 ? opendir("/proc") : NULL;
    for (struct dirent *e; d && count <= most && (e = readdir(d));) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
            snprintf(path, sizeof path, "/proc/%.12s/ns/pid", e->d_name) < 0)
            continue;
        m = readlink(path, other, sizeof other);
        count += m == n && memcmp(mine, other, (size_t)n) == 0;
    }
    if (d)
        closedir(d);
    return count;
}

static void watch(struct nest *n)
{
    for (size_t i = 0; i < n->n; i++) {
        struct child *c = &n->children[i];
        if (!c->over && agent_cage_used(c->pid) > c->cpu) {
            c->over = true;
            end(c);
        } else if (c->until > 0 && now() > c->until) {
            end(c);
        } else if (c->processes && processes_of(c->pid, PROCESSES_MOST) > PROCESSES_MOST) {
            c->many = true;
            end(c);
        }
    }
}

static void woken(int signal)
{
    (void)signal;
}

/* Signals as a program finds them, and no descriptor but ours as 3 and 4. */
static bool settle(struct nest *n, pid_t gate)
{
    struct sigaction usual = { .sa_handler = SIG_DFL };
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &usual, NULL);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_SETMASK, &child, NULL);
    usual.sa_handler = woken;
    sigaction(SIGCHLD, &usual, NULL);
    setpgid(0, 0); /* Ctrl-C is for the gate, which ends its calls */
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NAME, "assay-nest");
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return false;
    for (int fd = 0; fd < 3; fd++) /* neither input nor output is kept open by us */
        if (fd != n->socket)
            dup2(null, fd);
    if (n->socket != 3 && dup2(n->socket, 3) < 0)
        return false;
    n->socket = 3;
    fcntl(3, F_SETFD, FD_CLOEXEC);
    close_range(4, ~0u, 0);
    n->pid = getpid();
    n->gate = (int)syscall(SYS_pidfd_open, gate, 0);
    n->self = (int)syscall(SYS_pidfd_open, n->pid, 0);
    return n->gate >= 0 && n->self >= 0 && getppid() == gate;
}

void agent_nest_live(int socket, pid_t gate, const struct nest_options *options)
{
    struct nest n = { .socket = socket,
                      .options = options,
                      .ruleset = -1,
                      .packet = base_alloc(1, sizeof(struct nest_request) + NEST_INLINE) };
    if (!n.packet || !settle(&n, gate) || !grow(&n))
        _exit(1);
    /* Namespaces are a second wall; where they cannot be had seccomp and Landlock stand alone. */
    if (options->kind != AGENT_NEST_CONNECTING)
        unshare(NAMESPACES | (options->kind == AGENT_NEST_NETWORK ? 0 : CLONE_NEWNET));
    agent_cage_limit(RLIMIT_CORE, 0);
    agent_cage_limit(RLIMIT_FSIZE, (rlim_t)1 << 30);
    warm();
    n.abi = agent_cage_landlock();
    if (n.abi)
        n.ruleset = agent_cage_ruleset(
            &(struct agent_capabilities){ .network = options->kind == AGENT_NEST_NETWORK }, n.abi);
    n.space = address_space();
    double watched = now();
    sigset_t none;
    sigemptyset(&none);
    for (;;) {
        n.fds[0] = (struct pollfd){ n.socket, POLLIN, 0 };
        n.fds[1] = (struct pollfd){ n.gate, POLLIN, 0 };
        size_t waiting = n.n;
        for (size_t i = 0; i < waiting; i++)
            n.fds[2 + i] = (struct pollfd){ n.children[i].socket, POLLIN, 0 };
        const struct timespec tick = { 0, NEST_TICK_MS * 1000000 };
        int ready = ppoll(n.fds, 2 + (nfds_t)waiting, waiting ? &tick : NULL, &none);
        if (ready < 0 && errno != EINTR)
            _exit(1);
        if (ready > 0 && n.fds[1].revents)
            _exit(0); /* its workers die with it */
        for (size_t i = 0; i < waiting && ready > 0; i++)
            if (n.fds[2 + i].revents && n.children[i].socket >= 0) {
                end(&n.children[i]);
                char byte;
                if (recv(n.children[i].socket, &byte, 1, MSG_DONTWAIT) <= 0) {
                    close(n.children[i].socket);
                    n.children[i].socket = -1;
                }
            }
        if (ready > 0 && n.fds[0].revents && !take(&n))
            _exit(0);
        if (n.n)
            reap(&n);
        if (n.n && now() - watched >= NEST_TICK_MS * 1e-3) {
            watch(&n);
            watched = now();
        }
    }
}
