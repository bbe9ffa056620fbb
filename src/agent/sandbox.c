/* The worker of one call; see sandbox.h. */
#include "agent/sandbox.h"
#include "base/library.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
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

#define TICK_MS     20
#define ERROR_BYTES 400 /* of a program's standard error that are told */

/* ---- Landlock: the kernel's numbers, which older headers lack ---- */

#define FS_TRUNCATE  (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define FS_READ      (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_ALL       ((1ull << 13) - 1) /* ABI 1 */
struct ruleset {
    uint64_t fs, net, scoped;
};

static int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

static int allow_path(int ruleset, const char *path, uint64_t access, uint64_t handled)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1; /* what is not there needs no rule */
    struct stat st;
    const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                              LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        access &= of_files;
    struct landlock_path_beneath_attr rule = { .allowed_access = access & handled,
                                               .parent_fd = fd };
    int rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(fd);
    return rc;
}

/* In the worker. 0, or -1 with errno. */
static int landlock_enter(const struct agent_capabilities *needs, int abi)
{
    struct ruleset rules = { .fs = FS_ALL };
    if (abi >= 2)
        rules.fs |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        rules.fs |= FS_TRUNCATE;
    if (abi >= 5)
        rules.fs |= FS_IOCTL_DEV;
    if (abi >= 4 && !needs->network)
        rules.net = 3; /* bind, connect: no port is allowed */
    if (abi >= 6)
        rules.scoped = 3; /* abstract sockets and signals: only within the sandbox */
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return -1;
    const uint64_t libraries = FS_READ | LANDLOCK_ACCESS_FS_EXECUTE;
    static const char *const system[] = {
        "/lib",          "/lib64",           "/usr/lib",
        "/usr/lib64",    "/etc/ld.so.cache", "/usr/share/zoneinfo",
        "/etc/localtime"
    };
    static const char *const programs[] = { "/usr", "/bin", "/etc/alternatives" };
    static const char *const names[] = { "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf",
                                         "/etc/ssl" };
    int rc = 0;
    for (size_t i = 0; i < sizeof system / sizeof *system && !rc; i++)
        rc = allow_path(fd, system[i], libraries, rules.fs);
    if (!rc)
        rc = allow_path(fd, "/dev/null",
                        LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE, rules.fs);
    if (!rc)
        rc = allow_path(fd, "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE, rules.fs);
    if (needs->exec && !rc)
        rc = allow_path(fd, needs->exec, libraries, rules.fs);
    for (size_t i = 0; needs->exec && i < sizeof programs / sizeof *programs && !rc; i++)
        rc = allow_path(fd, programs[i], libraries, rules.fs);
    for (size_t i = 0; needs->network && i < sizeof names / sizeof *names && !rc; i++)
        rc = allow_path(fd, names[i], FS_READ, rules.fs);
    for (size_t i = 0; needs->read && needs->read[i] && !rc; i++)
        rc = allow_path(fd, needs->read[i], FS_READ, rules.fs);
    for (size_t i = 0; needs->write && needs->write[i] && !rc; i++)
        rc = allow_path(fd, needs->write[i],
                        rules.fs &
                            ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                        LANDLOCK_ACCESS_FS_MAKE_BLOCK | FS_IOCTL_DEV),
                        rules.fs);
    if (!rc)
        rc = (int)syscall(SYS_landlock_restrict_self, fd, 0);
    int error = errno;
    close(fd);
    errno = error;
    return rc;
}

/* ---- seccomp ---- */

#define SECCOMP_FUNCTIONS(X)                                                                       \
    X(init)                                                                                        \
    X(release)                                                                                     \
    X(rule_add_array)                                                                              \
    X(export_bpf)                                                                                  \
    X(syscall_resolve_name)
static struct {
#define X(name) __typeof__(seccomp_##name) *name;
    SECCOMP_FUNCTIONS(X)
#undef X
} seccomp_lib;

/* What reading, computing and answering need. */
static const char *const calls_compute[] = {
    "read",
    "readv",
    "pread64",
    "preadv",
    "write",
    "writev",
    "pwrite64",
    "close",
    "fstat",
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "lseek",
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "brk",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "open",
    "openat",
    "openat2",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "fcntl",
    "flock",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "eventfd2",
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "getpid",
    "gettid",
    "getppid",
    "getpgrp",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getgroups",
    "getrandom",
    "sched_yield",
    "sched_getaffinity",
    "sysinfo",
    "uname",
    "getrlimit",
    "getrusage",
    "times",
    "exit",
    "exit_group",
    "restart_syscall",
    "fadvise64",
    "membarrier",
    "getcpu",
    "arch_prctl",
    "prlimit64",
    "ioctl",
    "umask",
    "sched_getparam",
    "sched_getscheduler",
    "statfs",
    "fstatfs",
};
/* And writing files, where Landlock says which. */
static const char *const calls_write[] = {
    "ftruncate", "truncate",        "fallocate", "rename",   "renameat", "renameat2",
    "unlink",    "unlinkat",        "mkdir",     "mkdirat",  "rmdir",    "fsync",
    "fdatasync", "sync_file_range", "link",      "linkat",   "symlink",  "symlinkat",
    "utimensat", "chmod",           "fchmod",    "fchmodat", "creat",
};
static const char *const calls_network[] = {
    "socket",      "connect",    "sendto",     "recvfrom",   "sendmsg",
    "recvmsg",     "sendmmsg",   "recvmmsg",   "shutdown",   "getsockname",
    "getpeername", "getsockopt", "setsockopt", "socketpair", "bind",
};
/* Starting programs: its children stay in the same sandbox and die with it. */
static const char *const calls_exec[] = {
    "execve",
    "execveat",
    "clone",
    "fork",
    "vfork",
    "wait4",
    "waitid",
    "kill",
    "tgkill",
    "setpgid",
    "getpgid",
    "setsid",
    "getsid",
    "prctl",
    "chdir",
    "fchdir",
    "setrlimit",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_sigpending",
    "sched_setaffinity",
    "getresuid",
    "getresgid",
    "alarm",
    "setitimer",
    "close_range",
    "capget",
    "mlock",
    "munlock",
    "msync",
    "mincore",
};
/* Nothing here asks for these by accident. */
static const char *const calls_deadly[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "socket",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kill",
    "tkill",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "setns",
    "unshare",
    "bpf",
    "perf_event_open",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "open_by_handle_at",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "personality",
    "memfd_create",
    "process_madvise",
    "pidfd_getfd",
    "mknod",
    "mknodat",
    "syslog",
    "settimeofday",
    "clock_settime",
    "iopl",
    "ioperm",
};

enum { CLASS_WRITE = 1, CLASS_NETWORK = 2, CLASS_EXEC = 4, CLASSES = 8 };
struct filter {
    struct sock_filter *code;
    unsigned short n;
};
static struct filter filters[CLASSES];
static pthread_mutex_t filters_lock = PTHREAD_MUTEX_INITIALIZER;

static bool rule(scmp_filter_ctx c, uint32_t action, const char *name)
{
    int number = seccomp_lib.syscall_resolve_name(name);
    /* a call that this architecture has not needs no rule */
    return number < 0 || seccomp_lib.rule_add_array(c, action, number, 0, NULL) == 0;
}

static bool rules(scmp_filter_ctx c, uint32_t action, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!rule(c, action, names[i]))
            return false;
    return true;
}
#define RULES(c, action, names) rules(c, action, names, sizeof(names) / sizeof *(names))

static bool in_list(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The filter of a class as the kernel takes it, made once. */
static int filter_make(unsigned class, struct filter *out)
{
    static const char *const names[] = {
#define X(name) "seccomp_" #name,
        SECCOMP_FUNCTIONS(X)
#undef X
    };
    int rc = base_library_load("libseccomp.so.2", "libseccomp2", names, &seccomp_lib,
                               sizeof names / sizeof *names);
    if (rc)
        return rc;
    scmp_filter_ctx c = seccomp_lib.init(SCMP_ACT_ERRNO(EPERM));
    int fd = -1;
    bool ok = c && RULES(c, SCMP_ACT_ALLOW, calls_compute);
    ok = ok && (!(class & CLASS_WRITE) || RULES(c, SCMP_ACT_ALLOW, calls_write));
    ok = ok && (!(class & CLASS_NETWORK) || RULES(c, SCMP_ACT_ALLOW, calls_network));
    ok = ok && (!(class & CLASS_EXEC) || RULES(c, SCMP_ACT_ALLOW, calls_exec));
    for (size_t i = 0; ok && i < sizeof calls_deadly / sizeof *calls_deadly; i++) {
        const char *name = calls_deadly[i];
        bool allowed =
            (class & CLASS_NETWORK &&
             in_list(name, calls_network, sizeof calls_network / sizeof *calls_network)) ||
            (class & CLASS_EXEC &&
             in_list(name, calls_exec, sizeof calls_exec / sizeof *calls_exec));
        ok = allowed || rule(c, SCMP_ACT_KILL_PROCESS, name);
    }
    if (!(class & CLASS_EXEC)) { /* threads, but no processes; clone3 hides its flags */
        struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
        struct scmp_arg_cmp process = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
        int clone = seccomp_lib.syscall_resolve_name("clone");
        ok = ok && seccomp_lib.rule_add_array(c, SCMP_ACT_ALLOW, clone, 1, &thread) == 0 &&
             seccomp_lib.rule_add_array(c, SCMP_ACT_KILL_PROCESS, clone, 1, &process) == 0;
    }
    int clone3 = seccomp_lib.syscall_resolve_name("clone3");
    ok = ok && seccomp_lib.rule_add_array(c, SCMP_ACT_ERRNO(ENOSYS), clone3, 0, NULL) == 0;
    struct stat st;
    ok = ok && (fd = memfd_create("filter", MFD_CLOEXEC)) >= 0 &&
         seccomp_lib.export_bpf(c, fd) == 0 && fstat(fd, &st) == 0;
    size_t bytes = ok ? (size_t)st.st_size : 0;
    struct sock_filter *code = ok ? base_alloc(bytes, 1) : NULL;
    ok = ok && code && pread(fd, code, bytes, 0) == (ssize_t)bytes;
    if (fd >= 0)
        close(fd);
    if (c)
        seccomp_lib.release(c);
    if (!ok) {
        base_free(code);
        return base_error_set(BASE_E_UNSUPPORTED, "cannot make the filter of system calls: %s",
                              strerror(errno));
    }
    *out = (struct filter){ code, (unsigned short)(bytes / sizeof *code) };
    return 0;
}

static int filter_of(unsigned class, const struct filter **out)
{
    pthread_mutex_lock(&filters_lock);
    int rc = filters[class].code ? 0 : filter_make(class, &filters[class]);
    pthread_mutex_unlock(&filters_lock);
    *out = &filters[class];
    return rc;
}

__attribute__((destructor)) static void filters_free(void)
{
    for (int i = 0; i < CLASSES; i++)
        base_free(filters[i].code);
}

/* ---- the worker ---- */

/* What went wrong while the worker made its own cage: exit codes that no tool uses by chance; the
 * answer says more. */
enum { EXIT_CAGE = 119 };

struct cage {
    const struct agent_job *job;
    const struct filter *filter;
    int abi;
    rlim_t memory;
    int answer, errors, input;
};

static void say(int fd, char kind, const char *text, size_t n)
{
    struct base_buffer b = { 0 };
    if (base_buffer_append(&b, &kind, 1) || base_buffer_append(&b, text, n))
        return;
    for (size_t at = 0; at < b.length;) {
        ssize_t written = write(fd, b.data + at, b.length - at);
        if (written <= 0)
            break;
        at += (size_t)written;
    }
    base_buffer_free(&b);
}

static void cage_fail(const struct cage *c, const char *what)
{
    char text[200];
    int n =
        snprintf(text, sizeof text, "the sandbox could not be made: %s: %s", what, strerror(errno));
    say(c->answer, 'c', text, (size_t)n);
    _exit(EXIT_CAGE);
}

static void limit(int resource, rlim_t value)
{
    struct rlimit old, r = { value, value };
    if (getrlimit((__rlimit_resource_t)resource, &old) == 0 && old.rlim_max < value)
        r.rlim_cur = r.rlim_max = old.rlim_max;
    setrlimit((__rlimit_resource_t)resource, &r);
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
    limit(RLIMIT_CPU, cpu / 1000 + 2); /* the parent's clock is finer */
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 64);
    limit(RLIMIT_FSIZE, (rlim_t)1 << 30);
    limit(RLIMIT_AS, c->memory);
    if (needs->exec)
        limit(RLIMIT_NPROC, 64);
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
                limit(RLIMIT_CORE, 0);
                kill(getpid(), WTERMSIG(status));
            }
            _exit(WEXITSTATUS(status));
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        cage_fail(c, "no_new_privs");
    if (c->abi && landlock_enter(needs, c->abi))
        cage_fail(c, "Landlock");
    struct sock_fprog program = { c->filter->n, c->filter->code };
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        cage_fail(c, "seccomp");
    if (needs->exec) {
        char *argv[] = { (char *)(uintptr_t)needs->exec, NULL };
        char *environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL };
        execve(needs->exec, argv, environment);
        dprintf(2, "cannot start %s: %s", needs->exec, strerror(errno));
        _exit(127);
    }
    base_threads_set(1); /* the parent's pool of threads did not come along */
    struct base_buffer out = { 0 };
    int rc = c->job->run(c->job->context, &out);
    if (rc)
        say(3, 'e', base_error_message(), strlen(base_error_message()));
    else
        say(3, 'r', out.data ? out.data : "", out.length);
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

/* Reads what is there; false at the end. */
static bool take(int fd, struct base_buffer *b, int *rc)
{
    char block[65536];
    ssize_t n = read(fd, block, sizeof block);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return false;
    if ((*rc = base_buffer_append(b, block, (size_t)n)))
        return false;
    return true;
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

/* Waits for the worker, its answer or the end of its time. Returns false when it must be killed. */
static bool watch(const struct agent_job *job, pid_t pid, int answer, int errors, double begin,
                  struct agent_ended *out, struct base_buffer *error_text, int *rc)
{
    const struct agent_capabilities *needs = job->needs;
    double wall = (needs->wall_ms ? needs->wall_ms : 10000) * 1e-3;
    double cpu = (needs->cpu_ms ? needs->cpu_ms : 2000) * 1e-3;
    size_t most = needs->output ? needs->output : (size_t)1 << 20;
    struct pollfd fd[2] = { { answer, POLLIN, 0 }, { errors, POLLIN, 0 } };
    while (fd[0].fd >= 0 || fd[1].fd >= 0) {
        int ready = poll(fd, 2, TICK_MS);
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready > 0 && fd[0].revents && !take(fd[0].fd, &out->answer, rc))
            fd[0].fd = -1;
        if (ready > 0 && fd[1].revents && !take(fd[1].fd, error_text, rc))
            fd[1].fd = -1;
        if (error_text->length > ERROR_BYTES) /* the rest is read and not kept */
            error_text->length = ERROR_BYTES;
        if (*rc)
            return false;
        if (out->answer.length > most + 1) {
            out->end = AGENT_END_TOO_LARGE;
            snprintf(out->message, sizeof out->message, "stopped: an answer of more than %zu bytes",
                     most);
            return false;
        }
        if (now() - begin > wall) {
            out->end = AGENT_END_TIMEOUT;
            snprintf(out->message, sizeof out->message, "stopped: not done after %.3g seconds",
                     wall);
            return false;
        }
        if (cpu_of(pid) > cpu) {
            out->end = AGENT_END_TIMEOUT;
            snprintf(out->message, sizeof out->message,
                     "stopped: more than %.0f ms of processor time", cpu * 1e3);
            return false;
        }
        if (base_interrupted() || (job->cancelled && job->cancelled(job->cancelled_context))) {
            out->end = AGENT_END_CANCELLED;
            snprintf(out->message, sizeof out->message, "cancelled");
            return false;
        }
    }
    return true;
}

/* What the ended worker's status, answer and errors mean. */
static void judge(const struct agent_job *job, int status, const struct base_buffer *error_text,
                  struct agent_ended *out)
{
    if (WIFSIGNALED(status)) {
        killed(out, WTERMSIG(status), job->needs);
        return;
    }
    int code = WEXITSTATUS(status);
    if (job->needs->exec) {
        if (code == EXIT_CAGE || code) {
            out->end = AGENT_END_FAILED;
            int n = (int)error_text->length;
            snprintf(out->message, sizeof out->message, "the program ended with code %d%s%.*s",
                     code, n ? ": " : "", n, n ? error_text->data : "");
        }
        return;
    }
    char kind = out->answer.length ? out->answer.data[0] : 0;
    if (kind == 'r') {
        memmove(out->answer.data, out->answer.data + 1, out->answer.length--);
    } else {
        out->end = AGENT_END_FAILED;
        snprintf(out->message, sizeof out->message, "%s",
                 kind ? out->answer.data + 1 : "the worker ended without an answer");
    }
}

int agent_sandbox_run(const struct agent_job *job, struct agent_ended *out)
{
    const struct agent_capabilities *needs = job->needs;
    *out = (struct agent_ended){ 0 };
    int answer[2] = { -1, -1 }, errors[2] = { -1, -1 }, input = -1, rc, abi = landlock_abi();
    struct base_buffer error_text = { 0 };
    unsigned class = (needs->write ? CLASS_WRITE : 0) | (needs->network ? CLASS_NETWORK : 0) |
                     (needs->exec ? CLASS_EXEC | CLASS_WRITE : 0);
    const struct filter *filter;
    if ((rc = filter_of(class, &filter)))
        return rc;
    if (!abi && (needs->read || needs->write || needs->exec))
        return base_error_set(BASE_E_UNSUPPORTED,
                              "this kernel has no Landlock: tools that touch files are refused");
    if (pipe2(answer, O_CLOEXEC) || pipe2(errors, O_CLOEXEC)) {
        rc = base_error_set(BASE_E_IO, "cannot make a pipe: %s", strerror(errno));
        goto out;
    }
    if (needs->exec) { /* a file in memory: nothing to feed, nothing to wait for */
        input = memfd_create("input", MFD_CLOEXEC);
        for (size_t at = 0; input >= 0 && at < job->input_bytes;) {
            ssize_t n = write(input, job->input + at, job->input_bytes - at);
            if (n <= 0) {
                rc = base_error_set(BASE_E_IO, "cannot keep a call's input: %s", strerror(errno));
                goto out;
            }
            at += (size_t)n;
        }
        if (input < 0 || lseek(input, 0, SEEK_SET)) {
            rc = base_error_set(BASE_E_IO, "cannot keep a call's input: %s", strerror(errno));
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
    double begin = now();
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        worker(&cage);
    }
    if (pid < 0) {
        rc = base_error_set(BASE_E_IO, "cannot start a worker: %s", strerror(errno));
        goto out;
    }
    setpgid(pid, pid); /* in both, so that neither has to wait for the other */
    close(answer[1]);
    close(errors[1]);
    answer[1] = errors[1] = -1;
    if (!watch(job, pid, answer[0], errors[0], begin, out, &error_text, &rc) &&
        kill(-pid, SIGKILL) < 0)
        kill(pid, SIGKILL);
    struct rusage usage;
    int status = 0;
    bool ended = false;
    /* The answer's end may be closed before the worker is gone: it has the rest of its time. */
    double wall = (needs->wall_ms ? needs->wall_ms : 10000) * 1e-3;
    while (!ended) {
        pid_t w = wait4(pid, &status, out->end || rc ? 0 : WNOHANG, &usage);
        if (w == pid || (w < 0 && errno != EINTR))
            ended = true;
        else if (w == 0 && now() - begin > wall) {
            out->end = AGENT_END_TIMEOUT;
            snprintf(out->message, sizeof out->message, "stopped: not done after %.3g seconds",
                     wall);
            kill(-pid, SIGKILL);
        } else if (w == 0) {
            struct timespec little = { 0, 50000 };
            nanosleep(&little, NULL);
        }
    }
    kill(-pid, SIGKILL); /* whoever is left of its group */
    out->seconds = now() - begin;
    out->cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    if (!rc && out->end == AGENT_END_OK)
        judge(job, status, &error_text, out);
out:
    for (int i = 0; i < 2; i++) {
        if (answer[i] >= 0)
            close(answer[i]);
        if (errors[i] >= 0)
            close(errors[i]);
    }
    if (input >= 0)
        close(input);
    base_buffer_free(&error_text);
    if (rc)
        base_buffer_free(&out->answer);
    return rc;
}

json_t *agent_sandbox_describe(void)
{
    int abi = landlock_abi();
    const struct filter *filter;
    bool seccomp = filter_of(0, &filter) == 0;
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
