/* Programs as tools: what the file may say, what a program gets and is told of it, and what it
 * cannot do. The compiled program is this one. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/tool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "support.h"

static char directory[200];

/* ---- the compiled program ---- */

static int tool_main(const char *what)
{
    char text[100000];
    size_t n = fread(text, 1, sizeof text - 1, stdin);
    text[n] = 0;
    if (strcmp(what, "add") == 0) {
        json_t *a = NULL;
        if (base_json_parse_wire(&a, text, n, 0, "stdin"))
            return 9;
        double sum =
            json_number_value(json_object_get(a, "a")) + json_number_value(json_object_get(a, "b"));
        printf("{\"sum\": %.17g}\n", sum);
        json_decref(a);
    } else if (strcmp(what, "many") == 0) {
        for (int i = 0; i < 1 << 20; i++)
            printf("[%d],", i);
    } else if (strcmp(what, "trap") == 0) {
        __builtin_trap();
    } else if (strcmp(what, "fork") == 0) {
        pid_t pid = fork();
        printf("\"%s\"\n", pid < 0 ? strerror(errno) : "forked");
    } else if (strcmp(what, "noise") == 0) {
        fprintf(stderr, "\x1b[31mbad\xff\nthing\n");
        return 3;
    }
    return 0;
}

/* ---- the gate ---- */

static bool yes(void *context, const struct agent_tool *tool, const json_t *arguments,
                const char *reason)
{
    (void)tool, (void)arguments, (void)reason;
    ++*(int *)context;
    return true;
}

static enum agent_outcome call(struct agent_gate *g, const char *tool, const char *arguments,
                               char said[600])
{
    json_t *a = NULL;
    assert_int_equal(base_json_parse_wire(&a, arguments, strlen(arguments), 0, "t"), 0);
    struct agent_result r;
    const struct agent_call c = { .tool = tool, .arguments = a, .caller = "test" };
    assert_int_equal(agent_call_run(g, &c, &r), 0);
    char *value = r.value ? base_json_dump(r.value, false) : NULL;
    snprintf(said, 600, "%s", value ? value : r.message ? r.message : "");
    base_free(value);
    enum agent_outcome o = r.outcome;
    agent_result_free(&r);
    json_decref(a);
    return o;
}

static void file_write(const char *name, const char *text)
{
    char *path = base_path_join(directory, name);
    test_write_file(path, text, strlen(text));
    base_free(path);
}

static const char text[] =
    "tools:\n"
    "  - {name: add, description: adds, command: [./self, tool, add], cpu_ms: 1000,\n"
    "     input: {type: object, properties: {a: {type: number}, b: {type: number}}},\n"
    "     output: {type: object, properties: {sum: {type: number, maximum: 100}}}}\n"
    "  - {name: many, description: x, command: [./self, tool, many], output_bytes: 5000}\n"
    "  - {name: trap, description: x, command: [./self, tool, trap]}\n"
    "  - {name: fork, description: x, command: [./self, tool, fork]}\n"
    "  - {name: noise, description: x, command: [./self, tool, noise]}\n"
    "  - {name: silent, description: x, command: [./self, tool, silent]}\n"
    "  - {name: count, description: x, command: [/bin/sh, count.sh, an argument], processes: "
    "true,\n"
    "     read: [count.sh]}\n"
    "  - {name: unread, description: x, command: [/bin/sh, count.sh]}\n"
    "  - {name: append, description: x, command: [/bin/sh, -c, 'cat >> out/log; echo 1 > other; "
    "echo true'],\n"
    "     write: [out], processes: true}\n"
    "  - {name: sleepy, description: x, command: [/bin/sh, -c, 'sleep 60 & sleep 60'],\n"
    "     processes: true, wall_ms: 300}\n"
    "  - {name: rest, description: x, command: [/bin/sh, -c, 'sleep 61 & echo 7'],\n"
    "     processes: true}\n";

static void programs(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    /* the compiled program is this one, and the sanitizer's shadow is 20 TB of address space */
    printf("skip: %s needs a program that fits into its memory limit\n", __func__);
    skip();
#endif
    struct agent_tools *t = NULL;
    struct agent_gate *g = NULL;
    char said[600];
    int asked = 0;
    file_write("count.sh", "n=$(wc -c)\nprintf '[\"%s\", %d, \"%s\"]' \"$1\" \"$n\" \"$PWD\"\n");
    file_write("tools.yaml", text);
    char *path = base_path_join(directory, "out");
    assert_int_equal(mkdir(path, 0700), 0);
    base_free(path);
    path = base_path_join(directory, "self");
    assert_int_equal(symlink("/proc/self/exe", path), 0);
    base_free(path);
    path = base_path_join(directory, "tools.yaml");
    assert_int_equal(agent_tools_make(&t), 0);
    if (agent_tools_add_programs(t, path))
        fail_msg("%s", base_error_message());
    base_free(path);
    /* asked for by default */
    assert_int_equal(agent_gate_make(&g, t, NULL), 0);
    assert_int_equal(call(g, "add", "{}", said), AGENT_DENIED);
    agent_gate_free(g);
    const struct agent_gate_options options = { .approve = yes, .approve_context = &asked };
    assert_int_equal(agent_gate_make(&g, t, &options), 0);
    assert_int_equal(call(g, "add", "{\"a\": 1.5, \"b\": 2}", said), AGENT_OK);
    assert_string_equal(said, "{\"sum\": 3.5}");
    assert_int_equal(asked, 1);
    assert_int_equal(call(g, "add", "{\"a\": 1, \"b\": \"2\"}", said), AGENT_INVALID);
    assert_int_equal(call(g, "add", "{\"a\": 99, \"b\": 2}", said), AGENT_BAD_RESULT);
    assert_int_equal(call(g, "many", "{}", said), AGENT_BAD_RESULT);
    assert_string_equal(said, "stopped: an answer of more than 5000 bytes");
    assert_int_equal(call(g, "trap", "{}", said), AGENT_CRASHED);
    assert_int_equal(call(g, "fork", "{}", said), AGENT_OK);
    assert_string_equal(said, "\"Operation not permitted\"");
    assert_int_equal(call(g, "noise", "{}", said), AGENT_FAILED);
    assert_string_equal(said, "the program ended with code 3:  [31mbad\xef\xbf\xbd thing");
    assert_int_equal(call(g, "silent", "{}", said), AGENT_BAD_RESULT);
    char expected[600];
    snprintf(expected, sizeof expected, "[\"an argument\", 9, \"%s\"]", directory);
    assert_int_equal(call(g, "count", "{\"x\": \"y\"}", said), AGENT_OK);
    assert_string_equal(said, expected);
    assert_int_equal(call(g, "unread", "{}", said), AGENT_FAILED);
    assert_non_null(strstr(said, "Permission denied"));
    assert_int_equal(call(g, "append", "{\"x\": 1}", said), AGENT_OK);
    path = base_path_join(directory, "out/log");
    char *log = NULL;
    size_t bytes = 0;
    assert_int_equal(base_file_read(path, 0, &log, &bytes), 0);
    assert_string_equal(log, "{\"x\":1}");
    base_free(log);
    base_free(path);
    path = base_path_join(directory, "other");
    assert_false(base_file_exists(path));
    base_free(path);
    /* neither outlives its call */
    assert_int_equal(call(g, "sleepy", "{}", said), AGENT_TIMED_OUT);
    assert_int_equal(call(g, "rest", "{}", said), AGENT_OK);
    assert_int_equal(system("pgrep -f '^sleep 6[01]$' > /dev/null") == 0, 0);
    agent_gate_free(g);
    agent_tools_free(t);
}

static void files_are_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "[]", "p: expected a mapping whose \"tools\" are a list" },
        { "tools: {}", "p: expected a mapping whose \"tools\" are a list" },
        { "tools: [1]", "p: tools[0]: expected a mapping" },
        { "tools: []\nrules: []", "p: \"rules\" is not a key of a file of programs" },
        { "tools: [{name: a, description: b, command: [/bin/sh], shell: true}]",
          "p: tools[0]: \"shell\" is not a key of a program" },
        { "tools: [{description: b, command: [/bin/sh]}]", "p: tools[0]: name: missing" },
        { "tools: [{name: a, description: b}]", "p: tools[0]: command: expected a list" },
        { "tools: [{name: a, description: b, command: /bin/sh -c x}]",
          "p: tools[0]: command: expected a list" },
        { "tools: [{name: a, description: b, command: [sh]}]",
          "p: tools[0]: command: \"sh\" is looked for nowhere" },
        { "tools: [{name: a, description: b, command: [/bin/sh, 1]}]",
          "p: tools[0]: [1]: expected a text" },
        { "tools: [{name: a, description: b, command: [/bin]}]",
          "p: tools[0]: /usr/bin is not a program" },
        { "tools: [{name: a, description: b, command: [/bin/none]}]",
          "p: tools[0]: /bin/none: No such file" },
        { "tools: [{name: a, description: b, command: [/bin/sh], read: [none]}]",
          "p: tools[0]: /none: No such file" },
        { "tools: [{name: a, description: b, command: [/bin/sh], cpu_ms: 0}]",
          "p: tools[0]: cpu_ms: expected a number from 1 on" },
        { "tools: [{name: a, description: b, command: [/bin/sh], input: [1]}]",
          "p: tools[0]: input: expected a JSON Schema" },
        { "tools: [{name: a, description: b, command: [/bin/sh], input: {type: array}}]",
          "p: tools[0]: tool a: the arguments' schema must say \"type\": \"object\"" },
        { "tools: [{name: a b, description: b, command: [/bin/sh]}]",
          "p: tools[0]: tool name \"a b\": expected" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct agent_tools *t = NULL;
        long live = base_alloc_live();
        assert_int_equal(agent_tools_make(&t), 0);
        int rc = agent_tools_parse_programs(t, bad[i][0], strlen(bad[i][0]), "/", "p");
        if (rc >= 0 || strncmp(base_error_message(), bad[i][1], strlen(bad[i][1])) != 0)
            fail_msg("%s: %d: %s", bad[i][0], rc, base_error_message());
        agent_tools_free(t);
        assert_int_equal(base_alloc_live(), live);
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    static const char one[] = "tools: [{name: a, description: b, command: [/bin/sh, x], read: "
                              "[tmp], write: [tmp], input: {type: object}, output: {}}]";
    for (long n = 1;; n++) {
        struct agent_tools *t = NULL;
        long live = base_alloc_live();
        assert_int_equal(agent_tools_make(&t), 0);
        base_alloc_fail_after(n);
        int rc = agent_tools_parse_programs(t, one, sizeof one - 1, "/", "p");
        base_alloc_fail_after(0);
        if (rc)
            assert_true(agent_tools_count(t) == 0);
        agent_tools_free(t);
        assert_int_equal(base_alloc_live(), live);
        if (!rc)
            break;
    }
}

static int clean(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "tool") == 0)
        return tool_main(argv[2]);
    const char *root = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/assay-programs-XXXXXX",
             root && *root ? root : "/tmp");
    char *real = mkdtemp(directory) ? realpath(directory, NULL) : NULL;
    if (!real)
        return 1;
    snprintf(directory, sizeof directory, "%s", real);
    free(real);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs),
        cmocka_unit_test(files_are_refused),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests_name("agent/programs", tests, NULL, clean);
}
