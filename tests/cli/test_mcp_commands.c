/* assay mcp list, call, read, prompt and the options that take a server's tools among our own:
 * what they print, and with which exit code they end; a form filled in at a terminal. */
#include "base/memory.h"
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static const char *server(const char *more)
{
    static char command[2][1200];
    static unsigned next;
    const char *program = getenv("ASSAY_PROGRAM");
    char *text = command[next++ % 2];
    snprintf(text, sizeof command[0], "%s mcp serve --stdio %s",
             program && *program ? program : "./assay", more);
    return text;
}

/* No line is wider than 80 columns. */
static void assert_narrow(const char *text)
{
    int columns = 0;
    for (; *text; text++) {
        columns = *text == '\n' ? 0 : columns + ((*text & 0xc0) != 0x80);
        assert_true(columns <= 80);
    }
}

static void assert_run(struct test_run r, int rc, const char *out, const char *err)
{
    if (r.rc != rc || !strstr(r.out, out) || !strstr(r.err, err))
        fail_msg("exit %d\n%.800s\n%.800s", r.rc, r.out, r.err);
    assert_narrow(r.out);
    test_run_free(&r);
}

#define FIXTURES server("--conformance-fixtures")

static void lists(void **state)
{
    (void)state;
    struct test_run r = test_assay(NULL, "mcp", "list", "--command", FIXTURES, NULL);
    assert_int_equal(r.rc, 0);
    assert_narrow(r.out);
    static const char *const parts[] = {
        "  server assay 0.", "protocol 2025-11-25",
        "\n  tool",          "  test_simple_text",
        "\n  resource",      "  test://static-text",
        "\n  template",      "  test://template/{id}/data",
        "\n  prompt",        "  test_prompt_with_arguments arg1 arg2"
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(r.out, parts[i]))
            fail_msg("%s is not in\n%s", parts[i], r.out);
    test_run_free(&r);
    r = test_assay(NULL, "mcp", "list", "--json", "--protocol", "2026-07-28", "--command", FIXTURES,
                   NULL);
    json_t *all = test_run_json(&r);
    assert_string_equal(json_string_value(json_object_get(all, "protocol")), "2026-07-28");
    static const char *const keys[] = { "tools", "resources", "resourceTemplates", "prompts" };
    for (size_t i = 0; i < 4; i++)
        assert_true(json_array_size(json_object_get(all, keys[i])) > 0);
    json_decref(all);
    test_run_free(&r);
}

static void calls(void **state)
{
    (void)state;
    assert_run(test_assay(NULL, "mcp", "call", "--command", server(""), "calculator", "--args",
                          "{\"expression\": \"1/3\"}", NULL),
               0, "  result    0.333333333333333333333333333333\n  exact     true\n", "");
    assert_run(
        test_assay(NULL, "mcp", "call", "--command", FIXTURES, "test_tool_with_progress", NULL), 0,
        "", "progress 50 of 100\n");
    assert_run(test_assay(NULL, "mcp", "call", "--command", FIXTURES, "test_error_handling", NULL),
               1, "intentionally", "the tool says that it failed");
    assert_run(test_assay(NULL, "mcp", "call", "--command", FIXTURES, "none", NULL), 1, "",
               "-32602");
    assert_run(test_assay(NULL, "mcp", "call", "--command", FIXTURES, "test_image_content", NULL),
               0, "  (image/png, ", "");
    assert_run(test_assay(NULL, "mcp", "call", "--command", FIXTURES, "x", "--args", "[]", NULL), 1,
               "", "expected a JSON object");
    assert_run(test_assay(NULL, "mcp", "call", "x", NULL), 2, "", "--command or --url");
    assert_run(test_assay(NULL, "mcp", "call", "--command", "x", "--url", "y", "x", NULL), 2, "",
               "--command or --url");
    assert_run(test_assay(NULL, "mcp", "call", "--url", "http://127.0.0.1:9/mcp", "--token-env",
                          "ASSAY_NO_SUCH_VARIABLE", "x", NULL),
               2, "", "no such variable");
    assert_run(test_assay(NULL, "mcp", "call", "--command", "x", "--answer", "maybe", "x", NULL), 2,
               "", "--answer");
}

static void forms(void **state)
{
    (void)state;
    static const char *const tool = "test_elicitation_sep1034_defaults";
    assert_run(test_assay(NULL, "mcp", "call", "--command", FIXTURES, tool, NULL), 0,
               "action=decline", "nobody is at the terminal");
    assert_run(
        test_assay(NULL, "mcp", "call", "--command", FIXTURES, tool, "--answer", "cancel", NULL), 0,
        "action=cancel", "");
    assert_run(test_assay(NULL, "mcp", "call", "--command", FIXTURES, tool, "--answer",
                          "{\"age\": 41, \"other\": 1}", NULL),
               0, "\"age\": 41, \"name\": \"John Doe\"", "");
    assert_run(test_assay(NULL, "mcp", "call", "--command", FIXTURES, "--protocol", "2026-07-28",
                          "test_input_required_result_elicitation", "--answer",
                          "{\"name\": \"Ann\"}", NULL),
               0, "Hello, Ann!", "");
}

/* Runs a call at a terminal, typing each line when its question is there. */
static void at_terminal(const char *tool, const char *const *questions, const char *const *lines,
                        const char *result)
{
    const char *program = getenv("ASSAY_PROGRAM");
    char text[16384] = "";
    size_t n = 0, seen = 0, next = 0;
    int fd, status = 0;
    const struct winsize size = { .ws_row = 40, .ws_col = 80 };
    pid_t pid = forkpty(&fd, NULL, NULL, &size);
    if (pid < 0 && (errno == ENOENT || errno == ENODEV)) { /* no /dev/pts: a bare chroot */
        printf("skip: assay's forms need a pseudo-terminal (/dev/ptmx)\n");
        skip();
    }
    assert_true(pid >= 0);
    if (pid == 0) {
        program = program && *program ? program : "./assay";
        execl(program, program, "mcp", "call", "--command", FIXTURES, tool, (char *)NULL);
        _exit(127);
    }
    for (ssize_t k; n < sizeof text - 1 && (k = read(fd, text + n, sizeof text - 1 - n)) > 0;) {
        n += (size_t)k;
        text[n] = 0;
        const char *at = questions[next] ? strstr(text + seen, questions[next]) : NULL;
        if (at) {
            seen = (size_t)(at - text) + strlen(questions[next]);
            usleep(50000);
            assert_int_equal(write(fd, lines[next], strlen(lines[next])), strlen(lines[next]));
            next++;
        }
    }
    waitpid(pid, &status, 0);
    close(fd);
    if (questions[next] || !WIFEXITED(status) || WEXITSTATUS(status) != 0 || !strstr(text, result))
        fail_msg("question %zu, status %x\n%s", next, status, text);
}

static void terminal(void **state)
{
    (void)state;
    static const char *const questions[] = { "[c]ancel > ", "[John Doe] > ", "[30] > ",
                                             "[30] > ",     "[95.5] > ",     "[active] > ",
                                             "[active] > ", "[true] > ",     NULL };
    /* a name, an age that is none, an age, nothing, a choice that is none, the second, no */
    static const char *const lines[] = {
        "y\n", "Ann\n", "old\n", "41\n", "\n", "9\n", "2\n", "n\n"
    };
    at_terminal("test_elicitation_sep1034_defaults", questions, lines, "\"age\": 41");
    static const char *const first[] = { "[c]ancel > ", NULL };
    at_terminal("test_elicitation_sep1034_defaults", first, (const char *const[]){ "n\n" },
                "action=decline");
    at_terminal("test_elicitation_sep1034_defaults", first, (const char *const[]){ "\n" },
                "action=cancel");
}

static void reads(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".png");
    assert_run(test_assay(NULL, "mcp", "read", "--command", FIXTURES, "test://static-text", NULL),
               0, "This is the content of the static text resource.\n", "");
    assert_run(test_assay(NULL, "mcp", "read", "--command", FIXTURES, "test://static-binary", NULL),
               0, "(image/png, ", "");
    assert_run(test_assay(NULL, "mcp", "read", "--command", FIXTURES, "test://static-binary", "-o",
                          path, NULL),
               0, "", "");
    FILE *f = fopen(path, "rb");
    char head[8] = "";
    assert_non_null(f);
    assert_int_equal(fread(head, 1, 8, f), 8);
    assert_memory_equal(head, "\x89PNG\r\n\x1a\n", 8);
    fclose(f);
    unlink(path);
    assert_run(test_assay(NULL, "mcp", "read", "--command", FIXTURES, "test://none", NULL), 1, "",
               "-32002");
    assert_run(test_assay(NULL, "mcp", "prompt", "--command", FIXTURES,
                          "test_prompt_with_arguments", "--args",
                          "{\"arg1\": \"x\", \"arg2\": \"y\"}", NULL),
               0, "  user\n    Prompt with arguments: arg1='x', arg2='y'\n", "");
    assert_run(test_assay(NULL, "mcp", "prompt", "--command", FIXTURES, "none", NULL), 1, "",
               "-32602");
}

/* The same over HTTP, with a token, in both eras. */
static void over_http(void **state)
{
    (void)state;
    const char *program = getenv("ASSAY_PROGRAM");
    char text[600] = "", url[200] = "";
    size_t n = 0;
    int from[2], status = 0;
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    setenv("ASSAY_TEST_TOKEN", "a secret", 1);
    pid_t pid = fork();
    if (pid == 0) {
        program = program && *program ? program : "./assay";
        dup2(from[1], 2);
        execl(program, program, "mcp", "serve", "--http", "127.0.0.1:0", "--token-env",
              "ASSAY_TEST_TOKEN", "--conformance-fixtures", (char *)NULL);
        _exit(127);
    }
    close(from[1]);
    for (ssize_t k; n < sizeof text - 1 && !strchr(text, '\n') &&
                    (k = read(from[0], text + n, sizeof text - 1 - n)) > 0;)
        text[n += (size_t)k] = 0;
    const char *at = strstr(text, "http://");
    assert_non_null(at);
    snprintf(url, sizeof url, "%.*s", (int)strcspn(at, "; \n"), at);
    static const char *const versions[] = { "2025-06-18", "2025-11-25", "2026-07-28" };
#define HTTP(command)                                                                              \
    "mcp", command, "--url", url, "--token-env", "ASSAY_TEST_TOKEN", "--protocol", versions[i]
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        assert_run(test_assay(NULL, HTTP("list"), NULL), 0, versions[i], "");
        assert_run(test_assay(NULL, HTTP("call"), "test_tool_with_progress", NULL), 0, "",
                   "progress 50 of 100\n");
        assert_run(test_assay(NULL, HTTP("call"), "test_header_parameter", "--args",
                              "{\"region\": \" \u4e16 \"}", NULL),
                   0, "", "");
        assert_run(test_assay(NULL, HTTP("read"), "test://static-text", NULL), 0,
                   "This is the content", "");
        assert_run(test_assay(NULL, HTTP("prompt"), "test_simple_prompt", NULL), 0,
                   "This is a simple prompt for testing.", "");
    }
#undef HTTP
    assert_run(test_assay(NULL, "mcp", "call", "--url", url, "--token-env", "ASSAY_TEST_TOKEN",
                          "test_elicitation", "--args", "{\"message\": \"m\"}", "--answer",
                          "{\"username\": \"u\", \"email\": \"u@example.org\"}", NULL),
               0, "action=accept", "");
    assert_run(test_assay(NULL, "mcp", "call", "--url", url, "--token-env", "ASSAY_TEST_TOKEN",
                          "test_reconnection", NULL),
               0, "this came to who returned", "");
    assert_run(test_assay(NULL, "mcp", "list", "--url", url, NULL), 1, "", "bearer token");
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    close(from[0]);
}

static void tools_of_a_server(void **state)
{
    (void)state;
    const char *pins = test_temporary_path(".pins");
    assert_run(
        test_assay(NULL, "tools", "list", "--mcp", server("--files docs"), "--pins", pins, NULL), 0,
        "  read_file                the network  ", "");
    assert_run(test_assay(NULL, "tools", "call", "--mcp", server("--files docs"), "--pins", pins,
                          "read_file", "--args", "{\"path\": \"README.md\"}", NULL),
               1, "", "denied: approval of read_file was not given");
    struct test_run r =
        test_assay(NULL, "tools", "call", "--mcp", server("--files docs"), "--pins", pins, "-y",
                   "--json", "read_file", "--args", "{\"path\": \"README.md\"}", NULL);
    json_t *result = test_run_json(&r);
    assert_string_equal(json_string_value(json_object_get(result, "outcome")), "ok");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(result, "result"), "path")), "README.md");
    json_decref(result);
    test_run_free(&r);
    /* one digit of a pin is another */
    char *text = NULL;
    size_t n = 0;
    FILE *f = fopen(pins, "r+");
    assert_non_null(f);
    assert_true(getdelim(&text, &n, EOF, f) > 0);
    char *hash = strstr(text, "\"sha256\": \"");
    assert_non_null(hash);
    hash[11] = hash[11] == '0' ? '1' : '0';
    rewind(f);
    fputs(text, f);
    fclose(f);
    free(text);
    assert_run(
        test_assay(NULL, "tools", "list", "--mcp", server("--files docs"), "--pins", pins, NULL), 1,
        "", "is not what it was");
    unlink(pins);
    assert_run(test_assay(NULL, "tools", "list", "--pins", "x", NULL), 1, "", "of which --mcp");
    assert_run(test_assay(NULL, "mcp", "serve", "--stdio", "--token-env", "X", NULL), 2, "",
               "--token-env is for --http");
    assert_run(test_assay(NULL, "mcp", "serve", "--stdio", "--origin", "http://x", NULL), 2, "",
               "--origin is for --http");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),     cmocka_unit_test(calls), cmocka_unit_test(forms),
        cmocka_unit_test(terminal),  cmocka_unit_test(reads), cmocka_unit_test(tools_of_a_server),
        cmocka_unit_test(over_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
