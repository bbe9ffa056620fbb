/* What the kernel lets a worker do: rules of Landlock and filters of seccomp; see sandbox_cage.h.
 */
#include "agent/sandbox_cage.h"
#include "base/library.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- Landlock: the kernel's numbers, which older headers lack ---- */

#define FS_TRUNCATE  (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define FS_READ      (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_ALL       ((1ull << 13) - 1) /* ABI 1 */
struct ruleset {
    uint64_t fs, net, scoped;
};

int agent_cage_landlock(void)
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

int agent_cage_ruleset(const struct agent_capabilities *needs, int abi)
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
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* ---- seccomp ---- */

#define SECCOMP_FUNCTIONS(X)                                                                       \
    X(init)                                                                                        \
    X(release)                                                                                     \
    X(rule_add_array)                                                                              \
    X(attr_set)                                                                                    \
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
    "umask",
    "sched_getparam",
    "sched_getscheduler",
    "statfs",
    "fstatfs",
};
/* And writing files, where Landlock says which. It does not say whose mode, owner, times or
 * attributes may be set: none may, or a program could open any file of the user's to everybody. */
static const char *const calls_write[] = {
    "ftruncate", "truncate",        "fallocate", "rename",  "renameat",  "renameat2", "unlink",
    "unlinkat",  "mkdir",           "mkdirat",   "rmdir",   "fsync",     "fdatasync", "creat",
    "link",      "sync_file_range", "linkat",    "symlink", "symlinkat",
};
static const char *const calls_network[] = {
    "socket",      "connect",    "sendto",     "recvfrom",   "sendmsg",
    "recvmsg",     "sendmmsg",   "recvmmsg",   "shutdown",   "getsockname",
    "getpeername", "getsockopt", "setsockopt", "socketpair", "bind",
};
/* Starting threads, besides clone. */
static const char *const calls_threads[] = {
    "sched_setaffinity",
    "sched_get_priority_max",
    "sched_get_priority_min",
};
/* Starting others: they stay in the same sandbox and die with it. */
static const char *const calls_processes[] = {
    "clone", "fork", "vfork", "wait4", "waitid",
};
/* A program: the one that was declared is started after the filter holds, so that exec cannot be
 * forbidden; what it starts in its own place has no more rights than it. */
static const char *const calls_exec[] = {
    "execve",          "execveat",      "kill",
    "tgkill",          "setpgid",       "getpgid",
    "setsid",          "getsid",        "chdir",
    "fchdir",          "setrlimit",     "rt_sigsuspend",
    "rt_sigtimedwait", "rt_sigpending", "sched_setaffinity",
    "getresuid",       "getresgid",     "alarm",
    "setitimer",       "close_range",   "capget",
    "mlock",           "munlock",       "msync",
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

enum {
    CLASS_WRITE = 1,
    CLASS_NETWORK = 2,
    CLASS_EXEC = 4,
    CLASS_THREADS = 8,
    CLASS_CONNECTED = 16,
    CLASS_PROCESSES = 32,
    CLASSES = 64
};
static struct agent_filter filters[CLASSES];
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

#define IN_LIST(name, names) in_list(name, names, sizeof(names) / sizeof *(names))

/* One's own limits, not those of another process of the same user; and what is asked of terminals
 * ('T') and sockets (0x89), not of a file system, which sets a file's flags through a descriptor
 * that is for reading. */
static bool rules_narrow(scmp_filter_ctx c)
{
    struct scmp_arg_cmp own = SCMP_A0(SCMP_CMP_EQ, 0, 0),
                        terminal = SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 0x5400),
                        socket = SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 0x8900);
    int prlimit = seccomp_lib.syscall_resolve_name("prlimit64"),
        ioctl = seccomp_lib.syscall_resolve_name("ioctl");
    return seccomp_lib.rule_add_array(c, SCMP_ACT_ALLOW, prlimit, 1, &own) == 0 &&
           seccomp_lib.rule_add_array(c, SCMP_ACT_ALLOW, ioctl, 1, &terminal) == 0 &&
           seccomp_lib.rule_add_array(c, SCMP_ACT_ALLOW, ioctl, 1, &socket) == 0;
}

/* The filter of a class as the kernel takes it, made once. */
static int filter_make(unsigned class, struct agent_filter *out)
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
    /* A tree of comparisons in place of a chain: the kernel walks the filter once for every system
     * call there is when it is loaded, which is most of what loading costs. */
    bool ok = c && seccomp_lib.attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
              RULES(c, SCMP_ACT_ALLOW, calls_compute) && rules_narrow(c);
    ok = ok && (!(class & CLASS_WRITE) || RULES(c, SCMP_ACT_ALLOW, calls_write));
    ok = ok && (!(class & CLASS_NETWORK) || RULES(c, SCMP_ACT_ALLOW, calls_network));
    ok = ok && (!(class & CLASS_EXEC) || RULES(c, SCMP_ACT_ALLOW, calls_exec));
    ok = ok && (!(class & CLASS_PROCESSES) || RULES(c, SCMP_ACT_ALLOW, calls_processes));
    if (class & CLASS_CONNECTED && !(class & CLASS_NETWORK)) { /* through a socket to its end */
        struct scmp_arg_cmp nowhere_else = SCMP_A4(SCMP_CMP_EQ, 0, 0);
        int sendto = seccomp_lib.syscall_resolve_name("sendto");
        ok = ok && seccomp_lib.rule_add_array(c, SCMP_ACT_ALLOW, sendto, 1, &nowhere_else) == 0 &&
             rule(c, SCMP_ACT_ALLOW, "recvfrom");
    }
    for (size_t i = 0; ok && i < sizeof calls_deadly / sizeof *calls_deadly; i++) {
        const char *name = calls_deadly[i];
        /* A program may ask for a socket (the C library does, to find a user's name) or for a child
         * and go on without: it gets an error. A function that asks has been led astray. */
        bool allowed =
            (class & CLASS_NETWORK && IN_LIST(name, calls_network)) ||
            (class & CLASS_EXEC && (IN_LIST(name, calls_exec) || IN_LIST(name, calls_network) ||
                                    IN_LIST(name, calls_processes)));
        ok = allowed || rule(c, SCMP_ACT_KILL_PROCESS, name);
    }
    if (!(class & CLASS_PROCESSES)) { /* threads at most; clone3 would hide its flags */
        const scmp_datum_t all = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
        struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, all, all);
        struct scmp_arg_cmp process = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
        int clone = seccomp_lib.syscall_resolve_name("clone");
        if (class & CLASS_THREADS)
            ok = ok && RULES(c, SCMP_ACT_ALLOW, calls_threads) &&
                 seccomp_lib.rule_add_array(c, SCMP_ACT_ALLOW, clone, 1, &thread) == 0 &&
                 (class & CLASS_EXEC ||
                  seccomp_lib.rule_add_array(c, SCMP_ACT_KILL_PROCESS, clone, 1, &process) == 0);
        else if (!(class & CLASS_EXEC))
            ok = ok && rule(c, SCMP_ACT_KILL_PROCESS, "clone");
    }
    if (class & CLASS_EXEC) { /* to die with the nest is not a program's to choose */
        struct scmp_arg_cmp other = SCMP_A0(SCMP_CMP_NE, PR_SET_PDEATHSIG, 0);
        int number = seccomp_lib.syscall_resolve_name("prctl");
        ok = ok && seccomp_lib.rule_add_array(c, SCMP_ACT_ALLOW, number, 1, &other) == 0;
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
    *out = (struct agent_filter){ code, (unsigned short)(bytes / sizeof *code) };
    return 0;
}

int agent_cage_filter(const struct agent_capabilities *needs, const struct agent_filter **out)
{
    unsigned class = (needs->write ? CLASS_WRITE : 0) | (needs->network ? CLASS_NETWORK : 0) |
                     (needs->exec ? CLASS_EXEC | CLASS_WRITE : 0) |
                     (needs->threads ? CLASS_THREADS : 0) | (needs->connect ? CLASS_CONNECTED : 0) |
                     (needs->exec && needs->processes ? CLASS_PROCESSES : 0);
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

/* ---- entering ---- */

void agent_cage_limit(int resource, rlim_t value)
{
    struct rlimit old, r = { value, value };
    if (getrlimit((__rlimit_resource_t)resource, &old) == 0 && old.rlim_max < value)
        r.rlim_cur = r.rlim_max = old.rlim_max;
    setrlimit((__rlimit_resource_t)resource, &r);
}

double agent_cage_used(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
        return 0;
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

const char *agent_cage_files(int ruleset)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return "no_new_privs";
    return ruleset >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) ? "Landlock" : NULL;
}

const char *agent_cage_calls(const struct agent_filter *filter)
{
    struct sock_fprog program = { filter->n, filter->code };
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? "seccomp" : NULL;
}
