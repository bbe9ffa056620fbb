/* Tools and the gate: definitions, what each step of a call refuses, the policy file, the audit
 * log, the calculator, and the attacks of the red-team suite. */
#include "agent/audit.h"
#include "agent/builtin.h"
#include "agent/redteam.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <assay/tool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "support.h"

static json_t *json(const char *text)
{
    json_t *value = NULL;
    if (base_json_parse_wire(&value, text, strlen(text), 0, "t"))
        fail_msg("%s", base_error_message());
    return value;
}

/* ---- the calculator ---- */

/* Values by Python's fractions and decimal modules; rounding to even as round() there. */
static void calculator_is_exact(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *result;
        bool exact;
    } cases[] = {
        { "1/3", "0.333333333333333333333333333333", true },
        { "0.1 + 0.2", "0.3", true },
        { "2^64 - 1", "18446744073709551615", true },
        { "(2^64 - 1) / 3", "6148914691236517205", true },
        { "-7 // 2", "-4", true },
        { "-7 % 3", "2", true },
        { "7 % -3", "-2", true },
        { "7.5 % 2", "1.5", true },
        { "-2^2", "-4", true },
        { "2^3^2", "512", true },
        { "2^-3", "0.125", true },
        { "2**10", "1024", true },
        { "sqrt(16/9)", "1.333333333333333333333333333333", true },
        { "sqrt(2)", "1.4142135623730951", false },
        { "25!", "15511210043330985984000000", true },
        { "round(2.5) + 10 * round(3.5) + 100 * round(-2.5)", "-158", true },
        { "round(2/3, 4)", "0.6667", true },
        { "round(123456, -3)", "123000", true },
        { "mean(1, 2, 3, 4)", "2.5", true },
        { "gcd(12, 18, 27) + lcm(4, 6)", "15", true },
        { "max(1, 2/3) - min(1, 2/3)", "0.333333333333333333333333333333", true },
        { "1e-5", "0.00001", true },
        { "1_000 * 3", "3000", true },
        { "0^0", "1", true },
        { "(-1)^99999999999999999999", "-1", true },
        { "floor(-1/2) + ceil(-1/2)", "-1", true },
        { "-1/3", "-0.333333333333333333333333333333", true },
        { "exp(1)", "2.718281828459045", false },
        { "log(8, 2)", "3", false },
        { "  ( ( 1 ) )  ", "1", true },
        { "123456789123456789 * 987654321987654321", "121932631356500531347203169112635269", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *o = NULL;
        if (agent_calculate(cases[i].expression, &o))
            fail_msg("%s: %s", cases[i].expression, base_error_message());
        assert_string_equal(json_string_value(json_object_get(o, "result")), cases[i].result);
        assert_int_equal(json_is_true(json_object_get(o, "exact")), cases[i].exact);
        json_decref(o);
    }
    json_t *o = NULL; /* the nearest double, not the one below */
    assert_int_equal(agent_calculate("0.1 + 0.2", &o), 0);
    assert_true(json_real_value(json_object_get(o, "number")) == 0.3);
    assert_string_equal(json_string_value(json_object_get(o, "fraction")), "3/10");
    json_decref(o);
}

static void calculator_refuses(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "", "at character 1 of the expression: the expression ends too early" },
        { "1 +", "at character 4 of the expression: the expression ends too early" },
        { "1 2", "at character 3 of the expression: expected an operator or the end" },
        { "(1", "at character 3 of the expression: expected ')'" },
        { "1 / 0", "at character 6 of the expression: division by zero" },
        { "5 % 0", "at character 6 of the expression: division by zero" },
        { "0^-1", "at character 5 of the expression: division by zero" },
        { "9^9^9", "at character 6 of the expression: the number would be too large" },
        { "1e99999", "at character 8 of the expression: the number would be too large" },
        { "(-1)^0.5", "at character 9 of the expression: the result is not a finite number" },
        { "system(1)", "at character 9 of the expression: there is no function system of 1" },
        { "x", "at character 1 of the expression: there is no name x" },
        { "12abc", "at character 3 of the expression: this does not belong to a number" },
        { "8001!", "at character 6 of the expression: a factorial needs" },
        { "(-1)!", "at character 6 of the expression: a factorial needs" },
        { "min()", "at character 6 of the expression: a function needs an argument" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *o = NULL;
        assert_int_equal(agent_calculate(bad[i][0], &o), BASE_E_ARGUMENT);
        if (strncmp(base_error_message(), bad[i][1], strlen(bad[i][1])) != 0)
            fail_msg("%s: %s", bad[i][0], base_error_message());
    }
    char deep[1000];
    memset(deep, '(', 500);
    deep[500] = 0;
    json_t *o = NULL;
    assert_int_equal(agent_calculate(deep, &o), BASE_E_ARGUMENT);
    memset(deep, '-', 500);
    assert_int_equal(agent_calculate(deep, &o), BASE_E_ARGUMENT);
}

/* ---- definitions ---- */

static int echo(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool;
    *out = json_incref((json_t *)(uintptr_t)json_object_get(arguments, "x"));
    return *out ? 0 : base_error_set(BASE_E_ARGUMENT, "nothing to echo");
}

static void definitions(void **state)
{
    (void)state;
    struct agent_tools *t = NULL;
    long live = base_alloc_live();
    assert_int_equal(agent_tools_make(&t), 0);
    struct agent_tool tool = { .name = "b", .description = "second", .run = echo };
    assert_int_equal(agent_tools_add(t, &tool), 0);
    tool.name = "a";
    tool.input = "{\"type\": \"object\", \"x-kept\": [1, 2]}";
    tool.read_only = true;
    assert_int_equal(agent_tools_add(t, &tool), 0);
    assert_int_equal(agent_tools_add(t, &tool), BASE_E_ARGUMENT);
    tool.name = "no blanks";
    assert_int_equal(agent_tools_add(t, &tool), BASE_E_ARGUMENT);
    tool.name = "c";
    tool.input = "{\"type\": \"array\"}";
    assert_int_equal(agent_tools_add(t, &tool), BASE_E_ARGUMENT);
    tool.input = "{\"type\": \"objekt\"}";
    assert_int_equal(agent_tools_add(t, &tool), BASE_E_FORMAT);
    assert_int_equal(agent_tools_count(t), 2);
    assert_string_equal(agent_tools_at(t, 0)->name, "a");
    static const char *const expected[] = {
        "[{\"name\": \"a\", \"description\": \"second\", \"inputSchema\": {\"type\": \"object\","
        " \"x-kept\": [1, 2]}, \"annotations\": {\"readOnlyHint\": true, \"destructiveHint\":"
        " false, \"idempotentHint\": false, \"openWorldHint\": false}},"
        " {\"name\": \"b\", \"description\": \"second\", \"inputSchema\": {\"type\": \"object\"},"
        " \"annotations\": {\"readOnlyHint\": false, \"destructiveHint\": true,"
        " \"idempotentHint\": false, \"openWorldHint\": false}}]",
        "[{\"type\": \"function\", \"function\": {\"name\": \"a\", \"description\": \"second\","
        " \"parameters\": {\"type\": \"object\", \"x-kept\": [1, 2]}}}, {\"type\": \"function\","
        " \"function\": {\"name\": \"b\", \"description\": \"second\", \"parameters\": {\"type\":"
        " \"object\"}}}]",
        "[{\"name\": \"a\", \"description\": \"second\", \"input_schema\": {\"type\": \"object\","
        " \"x-kept\": [1, 2]}}, {\"name\": \"b\", \"description\": \"second\", \"input_schema\":"
        " {\"type\": \"object\"}}]",
    };
    for (int form = 0; form < 3; form++) {
        json_t *got = NULL, *want = json(expected[form]);
        assert_int_equal(agent_tools_export(t, (enum agent_form)form, &got), 0);
        assert_true(json_equal(got, want));
        json_decref(got);
        json_decref(want);
    }
    agent_tools_free(t);
    assert_int_equal(base_alloc_live(), live);
}

/* ---- the gate ---- */

static bool approve(void *context, const struct agent_tool *tool, const json_t *arguments,
                    const char *reason)
{
    (void)tool, (void)reason;
    ++*(int *)context;
    return json_integer_value(json_object_get(arguments, "x")) == 1;
}

static enum agent_outcome run(struct agent_gate *g, const char *tool, const char *arguments,
                              char said[400], json_t **value)
{
    json_t *a = json(arguments);
    struct agent_result r;
    const struct agent_call c = { .tool = tool, .arguments = a, .caller = "test" };
    assert_int_equal(agent_call_run(g, &c, &r), 0);
    snprintf(said, 400, "%s", r.message ? r.message : "");
    if (value)
        *value = json_incref(r.value);
    enum agent_outcome o = r.outcome;
    agent_result_free(&r);
    json_decref(a);
    return o;
}

static void calls(void **state)
{
    (void)state;
    struct agent_tools *t = NULL;
    struct agent_policy *p = NULL;
    struct agent_gate *g = NULL;
    int asked = 0;
    char said[400];
    assert_int_equal(agent_tools_make(&t), 0);
    struct agent_tool tool = { .name = "echo",
                               .input = "{\"type\": \"object\", \"properties\": {\"x\": {\"type\":"
                                        " \"integer\"}}, \"required\": [\"x\"]}",
                               .output = "{\"type\": \"integer\", \"maximum\": 9}",
                               .run = echo };
    assert_int_equal(agent_tools_add(t, &tool), 0);
    tool.name = "asked";
    assert_int_equal(agent_tools_add(t, &tool), 0);
    tool.name = "denied";
    assert_int_equal(agent_tools_add(t, &tool), 0);
    static const char policy[] = "rules: [{tool: asked, action: ask}, {tool: denied, action: deny,"
                                 " reason: closed}]\n";
    assert_int_equal(agent_policy_parse(&p, policy, strlen(policy), "p"), 0);
    const struct agent_gate_options options = { .policy = p,
                                                .approve = approve,
                                                .approve_context = &asked };
    assert_int_equal(agent_gate_make(&g, t, &options), 0);
    json_t *value = NULL;
    assert_int_equal(run(g, "echo", "{\"x\": 7}", said, &value), AGENT_OK);
    assert_int_equal(json_integer_value(value), 7);
    json_decref(value);
    assert_int_equal(run(g, "echo", "{\"x\": 12}", said, NULL), AGENT_BAD_RESULT);
    assert_string_equal(said, "the result breaks the tool's own schema: : expected at most 9, got "
                              "12");
    assert_int_equal(run(g, "echo", "{\"x\": \"7\"}", said, NULL), AGENT_INVALID);
    assert_string_equal(said, "arguments/x: expected integer, got string \"7\"");
    assert_int_equal(run(g, "echo", "[]", said, NULL), AGENT_INVALID);
    assert_int_equal(run(g, "none", "{}", said, NULL), AGENT_UNKNOWN);
    /* a name that is cut in the middle of a letter is still text */
    char name[82] = "x";
    for (int i = 1; i < 81; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    assert_int_equal(run(g, name, "{}", said, NULL), AGENT_UNKNOWN);
    assert_int_equal(base_utf8_invalid(said, strlen(said)), strlen(said));
    assert_int_equal(run(g, "denied", "{\"x\": 1}", said, NULL), AGENT_DENIED);
    assert_string_equal(said, "the policy denies denied: closed");
    /* an approval is good for the same arguments, and for no others */
    assert_int_equal(run(g, "asked", "{\"x\": 1}", said, NULL), AGENT_OK);
    assert_int_equal(run(g, "asked", "{\"x\": 1}", said, NULL), AGENT_OK);
    assert_int_equal(asked, 1);
    assert_int_equal(run(g, "asked", "{\"x\": 2}", said, NULL), AGENT_DENIED);
    assert_int_equal(asked, 2);
    agent_gate_free(g);
    agent_policy_free(p);
    agent_tools_free(t);
}

static void policies(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "- a\n", "p: expected a mapping" },
        { "defualt: deny\n", "p: \"defualt\" is not a key of a policy" },
        { "default: maybe\n", "p: expected allow, ask or deny, got \"maybe\"" },
        { "rules: [{tool: x}]\n", "p: rules[0]: action: missing" },
        { "rules: [{tool: x, action: deny, per_minute: 0}]\n",
          "p: rules[0]: per_minute: expected a number from 1 on" },
        { "rules: [{tool: x, action: deny, hosts: [a]}]\n",
          "p: rules[0]: \"hosts\" is not a key of a policy" },
        { "loops: {warn: x}\n", "p: warn: expected an integer, got a string" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct agent_policy *p = NULL;
        long live = base_alloc_live();
        assert_int_equal(agent_policy_parse(&p, bad[i][0], strlen(bad[i][0]), "p"), BASE_E_FORMAT);
        if (strncmp(base_error_message(), bad[i][1], strlen(bad[i][1])) != 0)
            fail_msg("%s: %s", bad[i][0], base_error_message());
        assert_int_equal(base_alloc_live(), live);
    }
}

/* ---- the audit log ---- */

static void write_lines(const char *path, int n, const char *who)
{
    struct agent_audit *a = NULL;
    assert_int_equal(agent_audit_open(&a, path), 0);
    for (int i = 0; i < n; i++) {
        json_t *entry = json_pack("{s:s, s:i}", "who", who, "i", i);
        assert_int_equal(agent_audit_append(a, entry), 0);
        json_decref(entry);
    }
    agent_audit_close(a);
}

static void verify(const char *path, const char *head, uint64_t lines, uint64_t first_bad)
{
    struct agent_audit_report r;
    assert_int_equal(agent_audit_verify(path, head, &r), 0);
    if (r.first_bad != first_bad || (!first_bad && r.lines != lines))
        fail_msg("%s: %llu lines, line %llu: %s", path, (unsigned long long)r.lines,
                 (unsigned long long)r.first_bad, r.problem ? r.problem : "whole");
    base_free(r.problem);
}

/* The file with its k-th line (from 1) taken out (change 0), doubled (1), or a letter changed (2).
 */
static void tamper(const char *from, const char *to, int line, int change)
{
    char *text;
    size_t bytes;
    assert_int_equal(base_file_read(from, 0, &text, &bytes), 0);
    FILE *f = fopen(to, "w");
    char *save = NULL;
    int k = 0;
    for (char *p = strtok_r(text, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
        bool it = ++k == line;
        if (it && change == 2)
            memcpy(strstr(p, "\"one\""), "\"two\"", 5);
        for (int i = 0; i < (it && change == 0 ? 0 : it && change == 1 ? 2 : 1); i++)
            fprintf(f, "%s\n", p);
    }
    fclose(f);
    base_free(text);
}

static void audit(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".jsonl"), *other = test_temporary_path(".jsonl");
    write_lines(path, 5, "one");
    write_lines(path, 5, "one"); /* goes on where the first writer stopped */
    verify(path, NULL, 10, 0);
    tamper(path, other, 4, 2);
    verify(other, NULL, 10, 4);
    tamper(path, other, 4, 0);
    verify(other, NULL, 9, 4);
    tamper(path, other, 4, 1);
    verify(other, NULL, 11, 5);
    tamper(path, other, 1, 0);
    verify(other, NULL, 9, 1);
    /* an end cut off is whole in itself; the hash kept elsewhere tells */
    struct agent_audit_report r;
    assert_int_equal(agent_audit_verify(path, NULL, &r), 0);
    tamper(path, other, 10, 0);
    verify(other, NULL, 9, 0);
    verify(other, r.head, 9, 10);
    verify(path, r.head, 10, 0);
    /* half a line at the end, as a dying machine leaves it: taken out, and told */
    char *text;
    size_t bytes;
    assert_int_equal(base_file_read(path, 0, &text, &bytes), 0);
    test_write_file(other, text, bytes - 20);
    base_free(text);
    verify(other, NULL, 10, 10);
    write_lines(other, 1, "one");
    verify(other, NULL, 11, 0);
    assert_int_equal(base_file_read(other, 0, &text, &bytes), 0);
    assert_non_null(strstr(text, "a half-written line was taken out"));
    base_free(text);
    /* a file that is no log is left alone */
    test_write_file(other, "precious\n", 9);
    struct agent_audit *a = NULL;
    json_t *entry = json_object();
    assert_int_equal(agent_audit_open(&a, other), 0);
    assert_int_equal(agent_audit_append(a, entry), BASE_E_FORMAT);
    agent_audit_close(a);
    json_decref(entry);
    assert_int_equal(base_file_read(other, 0, &text, &bytes), 0);
    assert_string_equal(text, "precious\n");
    base_free(text);
    /* also where it has no newline, behind lines of a log, too */
    static const char *const precious[] = { "precious", "{\"seq\":1,\"time\":\"x\"}\nprecious",
                                            "{\"seen\": 1}" };
    for (size_t i = 0; i < sizeof precious / sizeof *precious; i++) {
        test_write_file(other, precious[i], strlen(precious[i]));
        entry = json_object();
        assert_int_equal(agent_audit_open(&a, other), 0);
        assert_int_equal(agent_audit_append(a, entry), BASE_E_FORMAT);
        assert_non_null(strstr(base_error_message(), "give another file"));
        agent_audit_close(a);
        json_decref(entry);
        assert_int_equal(base_file_read(other, 0, &text, &bytes), 0);
        assert_string_equal(text, precious[i]);
        base_free(text);
    }
    /* a log that is taken away, or put elsewhere: nothing goes unheard */
    unlink(other);
    write_lines(other, 1, "one");
    assert_int_equal(agent_audit_open(&a, other), 0);
    entry = json_object();
    assert_int_equal(agent_audit_append(a, entry), 0);
    unlink(other);
    assert_int_equal(agent_audit_append(a, entry), BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "was removed"));
    agent_audit_close(a);
    json_decref(entry);
    unlink(path);
    unlink(other);
}

/* Four processes at once, killed at any moment: every line that is there is whole. */
static void audit_survives_kills(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".jsonl");
    for (int round = 0; round < 12; round++) {
        pid_t pids[4];
        for (int i = 0; i < 4; i++)
            if ((pids[i] = fork()) == 0) {
                write_lines(path, 100000, "one");
                _exit(0);
            }
        struct timespec t = { 0, 10000000 + round * 3000000 };
        nanosleep(&t, NULL);
        for (int i = 0; i < 4; i++)
            kill(pids[i], SIGKILL);
        for (int i = 0; i < 4; i++)
            waitpid(pids[i], NULL, 0);
    }
    write_lines(path, 1, "one");
    struct agent_audit_report r;
    assert_int_equal(agent_audit_verify(path, NULL, &r), 0);
    if (r.problem)
        fail_msg("line %llu: %s", (unsigned long long)r.first_bad, r.problem);
    assert_true(r.lines > 1);
    unlink(path);
}

/* ---- attacks ---- */

static void attacks_are_stopped(void **state)
{
    (void)state;
    const char *log = test_temporary_path(".jsonl");
    struct agent_audit *a = NULL;
    struct agent_redteam r;
    assert_int_equal(agent_audit_open(&a, log), 0);
    if (agent_redteam_run(a, &r))
        fail_msg("%s", base_error_message());
    size_t i;
    const json_t *one;
    json_array_foreach(r.attacks, i, one)
    {
        if (!json_is_true(json_object_get(one, "stopped")))
            fail_msg("%s: %s", json_string_value(json_object_get(one, "attack")),
                     json_string_value(json_object_get(one, "how")));
    }
    assert_true(r.tried >= 79);
    json_decref(r.attacks);
    agent_audit_close(a);
    struct agent_audit_report report;
    assert_int_equal(agent_audit_verify(log, NULL, &report), 0);
    assert_null(report.problem);
    assert_true(report.lines > 250);
    unlink(log);
}

/* What must go on working inside: files below the directory, late-loaded libraries. */
static void work_goes_on(void **state)
{
    (void)state;
    json_t *machine = agent_sandbox_describe();
    bool landlock = json_integer_value(json_object_get(machine, "landlock")) > 0;
    json_decref(machine);
    if (!landlock) {
        printf("skip: work_goes_on needs a kernel with Landlock\n");
        skip();
    }
    struct test_run r =
        test_assay(NULL, "tools", "call", "read_file", "--files", "examples", "--args",
                   "{\"path\": \"weather.csv\", \"bytes\": 12}", "--json", NULL);
    assert_int_equal(r.rc, 0);
    json_t *o = test_run_json(&r);
    const json_t *result = json_object_get(o, "result");
    assert_string_equal(json_string_value(json_object_get(result, "text")), "place,date,t");
    assert_int_equal(json_integer_value(json_object_get(result, "next")), 12);
    json_decref(o);
    test_run_free(&r);
    /* 6.0 is a whole number, too */
    r = test_assay(NULL, "tools", "call", "read_file", "--files", "examples", "--args",
                   "{\"path\": \"weather.csv\", \"offset\": 6.0, \"bytes\": 6.0}", "--json", NULL);
    assert_int_equal(r.rc, 0);
    o = test_run_json(&r);
    result = json_object_get(o, "result");
    assert_string_equal(json_string_value(json_object_get(result, "text")), "date,t");
    json_decref(o);
    test_run_free(&r);
    r = test_assay(NULL, "tools", "call", "read_file", "--files", "examples", "--args",
                   "{\"path\": \"weather.csv\", \"offset\": 1e300}", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "invalid-arguments"));
    test_run_free(&r);
    r = test_assay(NULL, "tools", "call", "list_files", "--files", "examples", "--json", NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    r = test_assay(NULL, "tools", "call", "weather", "--weather", "examples/weather.csv", "--args",
                   "{\"place\": \"tindal\", \"date\": \"2026-03-02\"}", "--json", NULL);
    assert_int_equal(r.rc, 0);
    o = test_run_json(&r);
    const json_t *day = json_array_get(json_object_get(json_object_get(o, "result"), "records"), 0);
    assert_true(json_number_value(json_object_get(day, "rain_mm")) == 6.7);
    json_decref(o);
    test_run_free(&r);
    r = test_assay(NULL, "tools", "call", "weather", "--weather", "builtin:weather", "--args",
                   "{\"place\": \"Nowhere\"}", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "the table has no weather of Nowhere"));
    test_run_free(&r);
}

static void commands(void **state)
{
    (void)state;
    const char *log = test_temporary_path(".jsonl");
    struct test_run r = test_assay(NULL, "tools", "call", "calculator", "--args",
                                   "{\"expression\": \"6*7\"}", "--audit", log, "--json", NULL);
    assert_int_equal(r.rc, 0);
    json_t *o = test_run_json(&r);
    assert_string_equal(json_string_value(json_object_get(o, "outcome")), "ok");
    assert_string_equal(json_string_value(json_object_get(json_object_get(o, "result"), "result")),
                        "42");
    json_decref(o);
    test_run_free(&r);
    r = test_assay(NULL, "tools", "call", "calculator", "--args", "{\"x\": 1}", "--audit", log,
                   NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "invalid-arguments: arguments: the property \"expression\" is "
                                  "missing"));
    test_run_free(&r);
    r = test_assay(NULL, "audit", "verify", log, "--json", NULL);
    assert_int_equal(r.rc, 0);
    o = test_run_json(&r);
    assert_true(json_is_true(json_object_get(o, "whole")));
    assert_int_equal(json_integer_value(json_object_get(o, "lines")), 2);
    json_decref(o);
    test_run_free(&r);
    r = test_assay(NULL, "tools", "describe", "nothing", NULL);
    assert_int_equal(r.rc, 1);
    test_run_free(&r);
    unlink(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calculator_is_exact),
        cmocka_unit_test(calculator_refuses),
        cmocka_unit_test(definitions),
        cmocka_unit_test(calls),
        cmocka_unit_test(policies),
        cmocka_unit_test(audit),
        cmocka_unit_test(audit_survives_kills),
        cmocka_unit_test(attacks_are_stopped),
        cmocka_unit_test(work_goes_on),
        cmocka_unit_test(commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
