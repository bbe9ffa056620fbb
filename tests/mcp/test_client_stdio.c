/* The client and servers that are programs: what they ask, what they print, how they hang and die,
 * and what they leave behind. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "support.h"
#include "script_server.h"

static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct mcp_client *start(const char *command, double timeout)
{
    struct mcp_client *c = NULL;
    const struct mcp_client_options o = { .command = command, .timeout = timeout };
    if (mcp_client_open(&c, &o))
        fail_msg("%s", base_error_message());
    return c;
}

static int call(struct mcp_client *c, const char *name, json_t **result)
{
    return mcp_client_request(c, "tools/call", json_pack("{s:s}", "name", name), result);
}

/* ---- what is said beside the answer ---- */

static int accept_all(void *context, const char *method, const json_t *params, json_t **result)
{
    (void)params, (void)context;
    if (strcmp(method, "roots/list") == 0)
        return base_error_set(BASE_E_ARGUMENT, "never");
    *result = json_pack("{s:s, s:{s:s}}", "action", "accept", "content", "who", "Ann");
    return 0;
}
static char heard[400];
static void hear(void *context, const char *method, const json_t *params)
{
    (void)context, (void)params;
    strcat(heard, method + strlen("notifications/"));
    strcat(heard, " ");
}
static void ahead(void *context, double done, double total, const char *message)
{
    assert_string_equal(message, "half");
    *(double *)context = done / total;
}

static void questions(void **state)
{
    (void)state;
    /* ping, a form, roots that are refused, what is unknown; the answers come back in the result */
    static const char command[] = SCRIPT_SERVER(
        "*tools/call*) "
        "echo 'not a message'; echo '{broken'; echo '[]'; echo '5'; echo;"
        "echo '{\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{\"late\":1}}';"
        "echo '{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}';"
        "echo '{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
        "{\"progressToken\":'$id',\"progress\":1,\"total\":2,\"message\":\"half\"}}';"
        "echo '{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}'; read -r a;"
        "echo '{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"elicitation/create\",\"params\":{"
        "\"message\":\"m\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"who\":{"
        "\"type\":\"string\"},\"age\":{\"type\":\"integer\",\"default\":30}}}}}'; read -r b;"
        "echo '{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"roots/list\"}'; read -r d;"
        "echo '{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"sampling/createMessage\"}'; read -r e;"
        "answer \"{\\\"answers\\\":[$a,$b,$d,$e]}\";;");
    struct mcp_client *c = NULL;
    json_t *result = NULL, *can = json_pack("{s:{}, s:{}}", "elicitation", "roots");
    const struct mcp_client_options o = {
        .command = command, .timeout = 10, .asked = accept_all, .told = hear, .capabilities = can
    };
    double part = 0;
    *heard = 0;
    if (mcp_client_open(&c, &o))
        fail_msg("%s", base_error_message());
    const struct mcp_watch watch = { .progress = ahead, .context = &part };
    if (mcp_client_request_watched(c, "tools/call", json_pack("{s:s}", "name", "t"), &watch, NULL,
                                   &result))
        fail_msg("%s", base_error_message());
    const json_t *answers = json_object_get(result, "answers");
    char *text[4];
    for (size_t i = 0; i < 4; i++)
        text[i] = json_dumps(json_array_get(answers, i), JSON_COMPACT);
    assert_string_equal(text[0], "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{}}");
    assert_string_equal(text[1], "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"action\":\"accept\","
                                 "\"content\":{\"who\":\"Ann\",\"age\":30}}}");
    assert_string_equal(text[2], "{\"jsonrpc\":\"2.0\",\"id\":8,\"error\":{\"code\":-1,"
                                 "\"message\":\"never\"}}");
    assert_non_null(strstr(text[3], "\"id\":9,\"error\":{\"code\":-32601,"));
    for (size_t i = 0; i < 4; i++)
        base_free(text[i]);
    assert_string_equal(heard, "message progress ");
    assert_true(part == 0.5);
    json_decref(result);
    mcp_client_close(c);
    json_decref(can);
}

static void lists(void **state)
{
    (void)state;
    struct mcp_client *c =
        start(SCRIPT_SERVER("*'\"cursor\":\"p2\"'*) answer '{\"tools\":[{\"name\":\"b\"}]}';;\n"
                            "*tools/list*) answer '{\"tools\":[{\"name\":\"a\"}],\"nextCursor\":"
                            "\"p2\"}';;\n"
                            "*resources/templates/list*) answer '{\"resourceTemplates\":[1,2]}';;\n"
                            "*prompts/list*) answer '{\"prompts\":[1],\"nextCursor\":\"same\"}';;\n"
                            "*resources/list*) answer '{\"things\":[]}';;"),
              10);
    json_t *all = NULL;
    assert_int_equal(mcp_client_list(c, "tools", &all), 0);
    assert_int_equal(json_array_size(all), 2);
    json_decref(all);
    assert_int_equal(mcp_client_list(c, "resourceTemplates", &all), 0);
    assert_int_equal(json_array_size(all), 2);
    json_decref(all);
    assert_int_equal(mcp_client_list(c, "prompts", &all), BASE_E_FORMAT); /* the same page again */
    assert_int_equal(mcp_client_list(c, "resources", &all), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "no list"));
    mcp_client_close(c);
}

/* ---- servers that hang, flood, die ---- */

static void late_answers(void **state)
{
    (void)state;
    struct mcp_client *c =
        start(SCRIPT_SERVER(
                  "*slow*) sleep 0.6; answer '{\"slow\":1}';;\n*quick*) answer '{\"quick\":1}';;"),
              10);
    json_t *result = NULL;
    const struct mcp_watch watch = { .timeout = 0.2 };
    bool timed_out = false;
    assert_int_equal(mcp_client_request_watched(c, "tools/call", json_pack("{s:s}", "name", "slow"),
                                                &watch, &timed_out, &result),
                     BASE_E_IO);
    assert_true(timed_out);
    /* the answer that comes too late is not taken for the next one's */
    if (call(c, "quick", &result))
        fail_msg("%s", base_error_message());
    assert_non_null(json_object_get(result, "quick"));
    json_decref(result);
    mcp_client_close(c);
}

static bool at_once(void *context)
{
    return clock_now() > *(double *)context;
}

static void hard_servers(void **state)
{
    (void)state;
    static const struct {
        const char *command, *message;
    } cases[] = {
        { SCRIPT_SERVER("*tools/call*) exit 3;;"), "has ended" },
        { SCRIPT_SERVER("*tools/call*) kill -9 $$;;"), "has ended" },
        { SCRIPT_SERVER("*tools/call*) sleep 30;;"), "in time" },
        { SCRIPT_SERVER("*tools/call*) trap '' TERM HUP; while :; do sleep 30; done;;"),
          "in time" },
        { SCRIPT_SERVER(
              "*tools/call*) yes '{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}';;"),
          "in time" },
        { SCRIPT_SERVER("*tools/call*) yes;;"), "in time" },
        { SCRIPT_SERVER("*tools/call*) cat /dev/zero;;"), "" }, /* one line without an end */
        { SCRIPT_SERVER("*tools/call*) cat /dev/urandom;;"), "" },
        { SCRIPT_SERVER("*tools/call*) answer 5;;"), "not an object" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mcp_client *c = start(cases[i].command, 0.7);
        json_t *result = NULL;
        double begun = clock_now();
        int rc = call(c, "t", &result);
        if (rc >= 0 || !strstr(base_error_message(), cases[i].message))
            fail_msg("%s: %d %s", cases[i].command, rc, base_error_message());
        assert_true(clock_now() - begun < 6);
        mcp_client_close(c);
    }
}

/* A server that never reads: a message larger than the pipe cannot be sent, and that has an end. */
static void deaf_server(void **state)
{
    (void)state;
    struct mcp_client *c =
        start("read -r line; printf '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":"
              "\"2025-11-25\",\"capabilities\":{}}}\\n'; exec sleep 30",
              0.7);
    char *big = base_alloc(1, 1 << 20);
    json_t *result = NULL;
    memset(big, 'x', (1 << 20) - 1);
    big[(1 << 20) - 1] = 0;
    double begun = clock_now();
    assert_int_equal(mcp_client_request(c, "tools/call", json_pack("{s:s}", "name", big), &result),
                     BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "does not read"));
    assert_true(clock_now() - begun < 3);
    assert_int_equal(call(c, "t", &result), BASE_E_IO); /* half a line is out: it is over */
    assert_non_null(strstr(base_error_message(), "gone"));
    base_free(big);
    mcp_client_close(c);
}

/* Both talk at once: neither waits for the other for ever. */
static void both_talk(void **state)
{
    (void)state;
    struct mcp_client *c = start(
        SCRIPT_SERVER("*tools/call*) head -c 1000000 /dev/zero | tr '\\0' '\\n'; answer '{}';;"),
        20);
    char *big = base_alloc(1, 1 << 20);
    json_t *result = NULL;
    memset(big, 'x', (1 << 20) - 1);
    big[(1 << 20) - 1] = 0;
    for (int i = 0; i < 2; i++) {
        if (mcp_client_request(c, "tools/call", json_pack("{s:s}", "name", big), &result))
            fail_msg("%s", base_error_message());
        json_decref(result);
    }
    base_free(big);
    double when = clock_now() + 0.1;
    const struct mcp_watch watch = { .cancelled = at_once, .context = &when };
    assert_int_equal(mcp_client_request_watched(c, "none", NULL, &watch, NULL, &result),
                     BASE_E_INTERRUPTED);
    assert_int_equal(call(c, "t", &result), 0); /* and it goes on */
    json_decref(result);
    mcp_client_close(c);
}

/* Several threads share a client: their requests take turns, and each gets its own answer. */
static void *ask_often(void *context)
{
    struct mcp_client *c = context;
    for (int i = 0; i < 50; i++) {
        json_t *result = NULL;
        char mark[40];
        snprintf(mark, sizeof mark, "m%lx-%d", (unsigned long)pthread_self(), i);
        if (call(c, mark, &result) ||
            strcmp(json_string_value(json_object_get(result, "was")), mark) != 0)
            return context;
        json_decref(result);
    }
    return NULL;
}
static void threads(void **state)
{
    (void)state;
    struct mcp_client *c = start(
        SCRIPT_SERVER("*tools/call*) n=${line#*'\"name\":\"'}; answer \"{\\\"was\\\":\\\"${n%%"
                      "\\\"*}\\\"}\";;"),
        10);
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, ask_often, c), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(t[i], &failed);
        assert_null(failed);
    }
    mcp_client_close(c);
}

/* ---- what is left behind ---- */

static bool alive(pid_t pid)
{
    char path[64], what = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    bool found = f && fscanf(f, "%*d (%*[^)]) %c", &what) == 1 && what != 'Z';
    if (f)
        fclose(f);
    return found;
}

/* Children in the background, in a session of their own, deaf to SIGTERM: none outlives the client,
 * whether it closes or is killed. */
static void nothing_is_left(void **state)
{
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        const char *marks = test_temporary_path(".pids");
        char command[3000];
        snprintf(command, sizeof command,
                 "P=%s\n"
                 "sleep 300 & echo $! >> $P\n"
                 "setsid sh -c 'echo $$ >> '$P'; exec sleep 300' &\n"
                 "setsid sh -c 'trap \"\" TERM; echo $$ >> '$P'; while :; do sleep 1; done' &\n"
                 "(setsid sh -c 'echo $$ >> '$P'; exec sleep 300' &) &\n"
                 "echo $$ >> $P\n%s",
                 marks, SCRIPT_SERVER(""));
        pid_t child = fork();
        if (child == 0) {
            struct mcp_client *c = NULL;
            const struct mcp_client_options o = { .command = command, .timeout = 10 };
            if (mcp_client_open(&c, &o))
                _exit(1);
            usleep(300000); /* until all have begun */
            if (killed)
                kill(getpid(), SIGKILL);
            mcp_client_close(c);
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        assert_true(killed ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
        int pids[16], n = 0;
        FILE *f = fopen(marks, "r");
        assert_non_null(f);
        while (n < 16 && fscanf(f, "%d", &pids[n]) == 1)
            n++;
        fclose(f);
        unlink(marks);
        assert_int_equal(n, 5);
        bool left = true;
        for (double until = clock_now() + 8; left && clock_now() < until; usleep(20000)) {
            left = false;
            for (int i = 0; i < n; i++)
                left |= alive(pids[i]);
        }
        assert_false(left);
    }
}

static void allocations(void **state)
{
    (void)state;
    long live = base_alloc_live();
    for (long n = 1, failed = 1; failed; n++) {
        struct mcp_client *c = NULL;
        json_t *all = NULL;
        const struct mcp_client_options o = {
            .command = SCRIPT_SERVER("*tools/list*) answer '{\"tools\":[{\"name\":\"a\"}]}';;"),
            .timeout = 10
        };
        base_alloc_fail_after(n);
        int rc = mcp_client_open(&c, &o);
        if (!rc)
            rc = mcp_client_list(c, "tools", &all);
        base_alloc_fail_after(0);
        failed = rc != 0;
        if (rc && rc != BASE_E_MEMORY)
            fail_msg("allocation %ld: %d %s", n, rc, base_error_message());
        json_decref(all);
        mcp_client_close(c);
        assert_int_equal(base_alloc_live(), live);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions),       cmocka_unit_test(lists),
        cmocka_unit_test(late_answers),    cmocka_unit_test(hard_servers),
        cmocka_unit_test(deaf_server),     cmocka_unit_test(both_talk),
        cmocka_unit_test(nothing_is_left), cmocka_unit_test(threads),
        cmocka_unit_test(allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
