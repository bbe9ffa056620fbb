/* Two hundred kills in the middle of calls, of clients and of servers, over both transports: no
 * process is left behind, and every line of the audit log that they share is whole. */
#include "base/memory.h"
#include <assay/mcp.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "support.h"

static void pause_us(unsigned us)
{
    const struct timespec t = { us / 1000000, us % 1000000 * 1000L };
    nanosleep(&t, NULL);
}

/* How many processes have `text` on their command line (servers, their nests and workers), or run
 * this test's own program: what stands between a client and its server. */
static int processes_with(const char *text)
{
    DIR *d = opendir("/proc");
    int found = 0;
    char self[512] = "", exe[512];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[300], line[4096];
        snprintf(path, sizeof path, "/proc/%s/exe", e->d_name);
        if (strtol(e->d_name, NULL, 10) > 0 && strtol(e->d_name, NULL, 10) != getpid() &&
            length > 0 && readlink(path, exe, sizeof exe) == length &&
            memcmp(exe, self, (size_t)length) == 0)
            found++;
        snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        FILE *f = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (!f)
            continue;
        size_t n = fread(line, 1, sizeof line, f);
        found += memmem(line, n, text, strlen(text)) != NULL;
        fclose(f);
    }
    closedir(d);
    return found;
}
static int left_after(const char *text, int seconds)
{
    int left = processes_with(text);
    for (int i = 0; left && i < seconds * 20; i++) {
        pause_us(50000);
        left = processes_with(text);
    }
    return left;
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

/* In a process of its own: calls until the server is gone, or it is killed itself. Returns when
 * the first call is about to be made. */
static pid_t caller(const struct mcp_client_options *o)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid) {
        char ready = 0;
        close(ends[1]);
        assert_int_equal(read(ends[0], &ready, 1), 1);
        close(ends[0]);
        return pid;
    }
    struct mcp_client *c = NULL;
    if (mcp_client_open(&c, o) || write(ends[1], "r", 1) != 1)
        _exit(1);
    for (unsigned k = 0;; k++) {
        json_t *result = NULL;
        if (mcp_client_request(c, "tools/call",
                               json_pack("{s:s, s:{s:o}}", "name", "calculator", "arguments",
                                         "expression", json_sprintf("%u + 1", k)),
                               &result))
            _exit(2);
        json_decref(result);
    }
}

static long number_in(const char *path)
{
    long n = 0;
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%ld", &n) != 1)
        n = 0;
    if (f)
        fclose(f);
    return n;
}
static long wait_number(const char *path)
{
    long n = 0;
    for (int i = 0; i < 6000 && !(n = number_in(path)); i++)
        pause_us(5000);
    return n;
}

static const char *program(void)
{
    const char *p = getenv("ASSAY_PROGRAM");
    return p && *p ? p : "./assay";
}

/* After the last kill: nobody is left, and the log is whole. */
static void check(const char *log, uint64_t least)
{
    assert_int_equal(left_after(log, 60), 0);
    struct agent_audit_report report = { 0 };
    assert_int_equal(agent_audit_verify(log, NULL, &report), 0);
    if (report.problem)
        fail_msg("line %llu: %s", (unsigned long long)report.first_bad, report.problem);
    printf("%llu calls in the log\n", (unsigned long long)report.lines);
    assert_true(report.lines >= least);
    unlink(log);
}

static void over_pipes(void **state)
{
    (void)state;
    const char *log = test_temporary_path(".jsonl"), *mark = test_temporary_path(".pid");
    char command[3000];
    unsigned seed = 1;
    /* the shell gives way to the server, which keeps its number */
    snprintf(command, sizeof command, "echo $$ >%s; exec %s mcp serve --stdio --audit %s", mark,
             program(), log);
    const struct mcp_client_options o = { .command = command };
    for (int i = 0; i < 150; i++) {
        unlink(mark);
        pid_t client = caller(&o);
        long server = wait_number(mark);
        assert_true(server > 0);
        pause_us(next_random(&seed) % 20000);
        if (i % 2)
            kill((pid_t)server, SIGKILL);
        else
            kill(client, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(client, &status, 0), client);
        /* whose server is killed hears of it */
        assert_true(i % 2 ? WIFEXITED(status) : WIFSIGNALED(status));
    }
    unlink(mark);
    check(log, 40);
}

static void over_http(void **state)
{
    (void)state;
    const char *log = test_temporary_path(".jsonl"), *said = test_temporary_path(".txt");
    char command[3000], url[100] = "", line[300];
    unsigned seed = 2;
    pid_t shell = -1;
    snprintf(command, sizeof command, "exec %s mcp serve --http 127.0.0.1:0 --audit %s 2>%s",
             program(), log, said);
    for (int i = 0; i < 50; i++) {
        if (shell < 0) { /* the first, and after one that was killed */
            unlink(said);
            shell = fork();
            if (shell == 0) {
                execl("/bin/sh", "sh", "-c", command, (char *)NULL);
                _exit(127);
            }
            *url = 0;
            for (int k = 0; k < 6000 && !*url; k++) {
                FILE *f = fopen(said, "r");
                const char *at = f && fgets(line, sizeof line, f) ? strstr(line, "http://") : NULL;
                if (at)
                    snprintf(url, sizeof url, "%.*s", (int)strcspn(at, "; \n"), at);
                if (f)
                    fclose(f);
                pause_us(5000);
            }
            assert_true(*url);
        }
        const struct mcp_client_options o = { .url = url };
        pid_t client = caller(&o);
        pause_us(next_random(&seed) % 20000);
        bool server = i % 2;
        kill(server ? shell : client, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(client, &status, 0), client);
        assert_true(server ? WIFEXITED(status) : WIFSIGNALED(status));
        if (server) {
            waitpid(shell, NULL, 0);
            shell = -1;
        }
    }
    if (shell > 0) {
        kill(shell, SIGTERM);
        waitpid(shell, NULL, 0);
    }
    unlink(said);
    check(log, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_pipes),
        cmocka_unit_test(over_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
