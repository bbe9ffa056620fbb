/* Commands as scripts run them: their JSON, and how they refuse. Include after cmocka.h. */
#ifndef CLI_SUPPORT_H
#define CLI_SUPPORT_H
#include <stdint.h>
#include "support.h"

/* argv of ./assay (or $ASSAY_PROGRAM) with these arguments (NULL-terminated, 62 at most). */
static inline void test_arguments(char *argv[64], char *const *arguments)
{
    const char *program = getenv("ASSAY_PROGRAM");
    int n = 0;
    argv[n++] = (char *)(uintptr_t)(program && *program ? program : "./assay");
    while (*arguments && n < 63)
        argv[n++] = *arguments++;
    argv[n] = NULL;
}

/* What a command prints as JSON (json_decref); the test fails when it does not succeed. */
static inline json_t *test_json(const char *input, char *const *arguments)
{
    char *argv[64];
    test_arguments(argv, arguments);
    struct test_run r = test_spawn(argv, input);
    json_t *o = r.rc == 0 ? test_run_json(&r) : NULL;
    if (!o)
        fail_msg("exit %d: %.300s", r.rc, r.err);
    test_run_free(&r);
    return o;
}
#define RUN_INPUT(input, ...) test_json(input, (char *const[]){ __VA_ARGS__, NULL })
#define RUN(...)              RUN_INPUT(NULL, __VA_ARGS__)

/* Exit code, nothing on standard output, and on standard error (one line, unless it is usage) what
 * holds `message`. */
static inline void test_refused(int rc, const char *message, char *const *arguments)
{
    char *argv[64];
    test_arguments(argv, arguments);
    struct test_run r = test_spawn(argv, NULL);
    if (r.rc != rc || r.out_bytes || !strstr(r.err, message))
        fail_msg("%s: exit %d (wanted %d), stdout %zu bytes, stderr: %.300s (wanted: %s)", argv[1],
                 r.rc, rc, r.out_bytes, r.err, message);
    if (rc == 1 && strchr(r.err, '\n') != r.err + r.err_bytes - 1)
        fail_msg("%s: not one line: %.300s", argv[1], r.err);
    test_run_free(&r);
}
#define REFUSED(rc, message, ...) test_refused(rc, message, (char *const[]){ __VA_ARGS__, NULL })
#endif
