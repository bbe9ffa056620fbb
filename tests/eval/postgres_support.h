/* A PostgreSQL server of one's own, for a test: made by initdb in a directory of /tmp, without
 * network, on a Unix socket in that directory. It runs as an unprivileged user when the test runs
 * as root (it refuses root), and ends with the test program whatever happens to that. */
#ifndef TESTS_POSTGRES_SUPPORT_H
#define TESTS_POSTGRES_SUPPORT_H
#include "support.h"
#include <grp.h>
#include <glob.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <time.h>

struct postgres_server {
    char directory[64];
    char url[160]; /* what --store takes */
    pid_t pid;
};

/* Becomes the unprivileged user; for a child process. */
static inline void postgres_drop(const struct passwd *user)
{
    if (user && (setgroups(0, NULL) || setgid(user->pw_gid) || setuid(user->pw_uid)))
        _exit(126);
}

/* Starts argv[0], as the user, quietly. */
static inline pid_t postgres_spawn(const struct passwd *user, const char *directory,
                                   char *const argv[])
{
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    char log[96];
    postgres_drop(user);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent || chdir(directory))
        _exit(126);
    snprintf(log, sizeof log, "%s/log", directory);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    setenv("LC_ALL", "C", 1);
    execv(argv[0], argv);
    _exit(127);
}

static inline void postgres_stop(struct postgres_server *s)
{
    int status;
    if (s->pid > 0) {
        kill(s->pid, SIGINT); /* "fast": ends sessions, then itself */
        waitpid(s->pid, &status, 0);
    }
    s->pid = 0;
    char *argv[] = { (char *)"/bin/rm", (char *)"-rf", s->directory, NULL };
    struct test_run r = test_spawn(argv, NULL);
    test_run_free(&r);
}

/* False, after a line "skip: ...", when PostgreSQL is not installed. */
static inline bool postgres_start(struct postgres_server *s)
{
    *s = (struct postgres_server){ 0 };
    glob_t found;
    char initdb[256], postgres[256];
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found)) {
        printf("skip: test_postgres needs Debian's package postgresql\n");
        return false;
    }
    snprintf(initdb, sizeof initdb, "%s", found.gl_pathv[found.gl_pathc - 1]);
    snprintf(postgres, sizeof postgres, "%.*s/postgres", (int)(strrchr(initdb, '/') - initdb),
             initdb);
    globfree(&found);
    const struct passwd *user = NULL;
    if (geteuid() == 0 && !(user = getpwnam("postgres")) && !(user = getpwnam("nobody"))) {
        printf("skip: test_postgres runs as root and finds no unprivileged user\n");
        return false;
    }
    strcpy(s->directory, "/tmp/assay-postgres-XXXXXX");
    if (!mkdtemp(s->directory) || (user && chown(s->directory, user->pw_uid, user->pw_gid))) {
        printf("skip: test_postgres cannot make a directory in /tmp\n");
        return false;
    }
    char data[96];
    snprintf(data, sizeof data, "%s/data", s->directory);
    char *make[] = {
        initdb,       (char *)"-D",    data,         (char *)"-U",   (char *)"assay",
        (char *)"-A", (char *)"trust", (char *)"-E", (char *)"UTF8", (char *)"--no-sync",
        NULL
    };
    int status = -1;
    waitpid(postgres_spawn(user, s->directory, make), &status, 0);
    if (status != 0) {
        printf("skip: test_postgres: initdb failed (see below)\n");
        char *show[] = { (char *)"/bin/cat", data, NULL };
        snprintf(data, sizeof data, "%s/log", s->directory);
        struct test_run r = test_spawn(show, NULL);
        printf("%s", r.out);
        test_run_free(&r);
        postgres_stop(s);
        return false;
    }
    char *serve[] = { postgres,     (char *)"-D", data,         (char *)"-k", s->directory,
                      (char *)"-h", (char *)"",   (char *)"-F", NULL };
    s->pid = postgres_spawn(user, s->directory, serve);
    snprintf(s->url, sizeof s->url, "postgresql:///postgres?host=%s&user=assay", s->directory);
    char socket[96];
    snprintf(socket, sizeof socket, "%s/.s.PGSQL.5432", s->directory);
    for (int i = 0; i < 600 && access(socket, F_OK); i++)
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    return true;
}
#endif
