/* The question at the terminal, through a pseudo-terminal: what is asked, what counts as yes, and
 * that it runs out. */
#include "base/file.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <cmocka.h>
#include "support.h"

/* Runs argv with a terminal of its own as all three streams; writes `early` before it starts and
 * `answer` once the question stands there. */
static int run(char *const argv[], const char *early, const char *answer, char said[20000])
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0 && (errno == ENOENT || errno == ENODEV)) { /* no /dev/pts: a bare chroot */
        printf("skip: assay's questions need a pseudo-terminal (/dev/ptmx)\n");
        skip();
    }
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    const char *name = ptsname(terminal);
    int kept = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC); /* so that `early` has somewhere to be */
    if (early)
        assert_true(write(terminal, early, strlen(early)) > 0);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        int fd = open(name, O_RDWR);
        ioctl(fd, TIOCSCTTY, 0);
        for (int i = 0; i < 3; i++)
            dup2(fd, i);
        execv(argv[0], argv);
        _exit(127);
    }
    close(kept);
    size_t n = 0;
    bool answered = false;
    for (;;) {
        struct pollfd fd = { terminal, POLLIN, 0 };
        if (poll(&fd, 1, 20000) <= 0)
            break;
        ssize_t got = read(terminal, said + n, 20000 - 1 - n);
        if (got <= 0)
            break; /* EIO: the other side is gone */
        n += (size_t)got;
        said[n] = 0;
        if (answer && !answered && strstr(said, "[y/N] ")) {
            answered = true;
            assert_true(write(terminal, answer, strlen(answer)) > 0);
        }
    }
    said[n] = 0;
    int status = 0;
    waitpid(pid, &status, 0);
    close(terminal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void asks(void **state)
{
    (void)state;
    const char *program = getenv("ASSAY_PROGRAM");
    const char *policy = test_temporary_path(".yaml"), *log = test_temporary_path(".jsonl");
    static const char text[] = "default: ask\napproval_seconds: 1\n";
    test_write_file(policy, text, sizeof text - 1);
    char *argv[] = { (char *)(program && *program ? program : "./assay"),
                     "tools",
                     "call",
                     "calculator",
                     "--args",
                     "{\"expression\": \"6 * 7\"}",
                     "--policy",
                     (char *)policy,
                     "--audit",
                     (char *)log,
                     NULL };
    char said[20000];
    static const struct {
        const char *answer;
        bool yes;
    } cases[] = { { "y\n", true },   { "YES\n", true },   { "n\n", false }, { "\n", false },
                  { "yy\n", false }, { "no y\n", false }, { "\x04", false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc = run(argv, NULL, cases[i].answer, said);
        if ((rc == 0) != cases[i].yes ||
            (strstr(said, "\"result\": \"42\"") != NULL) != cases[i].yes)
            fail_msg("%s: exit %d: %s", cases[i].answer, rc, said);
        if (!cases[i].yes)
            assert_non_null(strstr(said, "denied: approval of calculator was not given"));
    }
    /* what is asked: tool, why, arguments, their hash as the log has it */
    assert_non_null(strstr(said, "calculator wants to run: no rule fits, and this is the policy's "
                                 "default"));
    assert_non_null(strstr(said, "\"expression\": \"6 * 7\""));
    assert_non_null(strstr(said, "Allow this call, within 1 seconds? [y/N] "));
    char *line = NULL, digest[65] = "";
    size_t bytes = 0;
    assert_int_equal(base_file_read(log, 0, &line, &bytes), 0);
    const char *at = strstr(line, "\"arguments_sha256\":\"");
    assert_non_null(at);
    memcpy(digest, at + strlen("\"arguments_sha256\":\""), 64);
    assert_non_null(strstr(said, digest));
    assert_non_null(strstr(line, "\"approval_asked\":true,\"approved\":true"));
    assert_non_null(strstr(line, "\"approval_asked\":true,\"approved\":false"));
    base_free(line);
    /* no answer is a no; so is a y that came before the question */
    assert_int_not_equal(run(argv, NULL, NULL, said), 0);
    assert_non_null(strstr(said, "No answer in 1 seconds: it is not made."));
    assert_int_not_equal(run(argv, "y\n", NULL, said), 0);
    assert_non_null(strstr(said, "No answer in 1 seconds"));
    /* control characters of the arguments do not reach the terminal */
    argv[5] = "{\"expression\": \"1 \\u001b[2J\\u009b2J\"}";
    run(argv, NULL, "n\n", said);
    assert_non_null(strstr(said, "wants to run"));
    assert_null(strstr(said, "\x1b[2J"));
    assert_null(strstr(said, "\xc2\x9b"));
    unlink(policy);
    unlink(log);
}

static void says_what_a_program_touches(void **state)
{
    (void)state;
    const char *program = getenv("ASSAY_PROGRAM"), *file = test_temporary_path(".yaml");
    static const char text[] = "tools: [{name: p, description: x, command: [/bin/echo, \"[1]\"], "
                               "read: [/usr/share], network: true}]";
    test_write_file(file, text, sizeof text - 1);
    char *argv[] = { (char *)(program && *program ? program : "./assay"),
                     "tools",
                     "call",
                     "p",
                     "--programs",
                     (char *)file,
                     NULL };
    char said[20000];
    assert_int_equal(run(argv, NULL, "y\n", said), 0);
    assert_non_null(strstr(said, "p wants to run: it writes, runs a program or uses the network"));
    assert_non_null(strstr(said, "  program   /usr/bin/echo [1]"));
    assert_non_null(strstr(said, "  reads     /usr/share"));
    assert_non_null(strstr(said, "  network   yes"));
    unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks),
        cmocka_unit_test(says_what_a_program_touches),
    };
    return cmocka_run_group_tests_name("cli/approve", tests, NULL, NULL);
}
