/* What test programs share: finding ../shared/data, and running the program without a shell.
 * Header-only; include after cmocka.h. Tests run in the repository's root. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ASSAY_SHARED or ../shared, plus "/data/" and the name. One of eight static buffers in turn. */
static inline const char *test_shared_path(const char *name)
{
    static char buffers[8][1024];
    static unsigned next;
    char *path = buffers[next++ % 8];
    const char *root = getenv("ASSAY_SHARED");
    snprintf(path, sizeof buffers[0], "%s/data/%s", root && *root ? root : "../shared", name);
    return path;
}

/* Skips the running test, with the line that the runner shows, when the shared file is absent. */
#define TEST_NEEDS_SHARED(name)                                                                    \
    do {                                                                                           \
        if (access(test_shared_path(name), R_OK) != 0) {                                           \
            printf("skip: %s needs ../shared/data/%s\n", __func__, name);                          \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* A fresh path in $TMPDIR (the file does not exist). Static buffers as above. */
static inline const char *test_temporary_path(const char *suffix)
{
    static char buffers[8][512];
    static unsigned next;
    char *path = buffers[next % 8];
    const char *root = getenv("TMPDIR");
    snprintf(path, sizeof buffers[0], "%s/assay-test-%ld-%u%s", root && *root ? root : "/tmp",
             (long)getpid(), next, suffix);
    next++;
    unlink(path);
    return path;
}

static inline void test_write_file(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f) != 0) {
        fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
        abort();
    }
}

struct test_run {
    int rc;    /* exit status; 128 + signal when it was killed */
    char *out; /* NUL-terminated; test_run_free */
    char *err;
    size_t out_bytes, err_bytes;
};
static inline void test_run_free(struct test_run *r)
{
    free(r->out);
    free(r->err);
    *r = (struct test_run){ 0 };
}

/* Runs argv[0] (searched in no PATH) with `input` (may be NULL) on its standard input and collects
 * both outputs. Aborts the test program when the system cannot do that. */
static inline struct test_run test_spawn(char *const argv[], const char *input)
{
    struct test_run r = { 0 };
    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
        perror("pipe");
        abort();
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    pid_t pid;
    int failed = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        fprintf(stderr, "%s: %s (the program must be built first)\n", argv[0], strerror(failed));
        abort();
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    signal(SIGPIPE, SIG_IGN);
    size_t left = input ? strlen(input) : 0;
    struct pollfd fd[3] = { { in[1], POLLOUT, 0 }, { out[0], POLLIN, 0 }, { err[0], POLLIN, 0 } };
    char **text[3] = { NULL, &r.out, &r.err };
    size_t *bytes[3] = { NULL, &r.out_bytes, &r.err_bytes };
    r.out = calloc(1, 1);
    r.err = calloc(1, 1);
    if (left == 0) {
        close(in[1]);
        fd[0].fd = -1;
    }
    while (fd[1].fd >= 0 || fd[2].fd >= 0) {
        if (poll(fd, 3, -1) < 0 && errno != EINTR)
            abort();
        if (fd[0].fd >= 0 && fd[0].revents) {
            ssize_t n = write(in[1], input, left);
            if (n > 0) {
                input += n;
                left -= (size_t)n;
            }
            if (n < 0 || left == 0) {
                close(in[1]);
                fd[0].fd = -1;
            }
        }
        for (int i = 1; i < 3; i++) {
            if (fd[i].fd < 0 || !fd[i].revents)
                continue;
            char block[65536];
            ssize_t n = read(fd[i].fd, block, sizeof block);
            if (n <= 0) {
                close(fd[i].fd);
                fd[i].fd = -1;
                continue;
            }
            *text[i] = realloc(*text[i], *bytes[i] + (size_t)n + 1);
            memcpy(*text[i] + *bytes[i], block, (size_t)n);
            *bytes[i] += (size_t)n;
            (*text[i])[*bytes[i]] = 0;
        }
    }
    if (fd[0].fd >= 0)
        close(in[1]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    r.rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return r;
}

/* ./assay (or $ASSAY_PROGRAM) with the given arguments: test_assay(NULL, "info", path, NULL). */
__attribute__((sentinel)) static inline struct test_run test_assay(const char *input, ...)
{
    const char *program = getenv("ASSAY_PROGRAM");
    char *argv[64] = { (char *)(program && *program ? program : "./assay") };
    int n = 1;
    va_list arguments;
    va_start(arguments, input);
    for (char *a; n < 63 && (a = va_arg(arguments, char *)) != NULL;)
        argv[n++] = a;
    va_end(arguments);
    return test_spawn(argv, input);
}

/* Standard output as one JSON object (json_decref), or NULL after showing what was there instead.
 */
static inline json_t *test_run_json(const struct test_run *r)
{
    json_error_t error;
    json_t *value =
        json_loadb(r->out, r->out_bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!json_is_object(value)) {
        fprintf(stderr, "exit %d, standard output is not one JSON object (%s): %.300s\n%.300s\n",
                r->rc, error.text, r->out, r->err);
        json_decref(value);
        return NULL;
    }
    return value;
}
#endif
