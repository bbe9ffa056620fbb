/* A server's tools among our own: through the gate, held against their pins, and none of what a
 * hostile server may do. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include "mcp/redteam.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"
#include "script_server.h"

#define TOOLS                                                                                      \
    "*tools/list*) answer '{\"tools\":[{\"name\":\"look.up/x\",\"description\":\"d\","             \
    "\"inputSchema\":{\"type\":\"object\",\"required\":[\"q\"],\"properties\":{\"q\":{\"type\":"   \
    "\"string\"}}}},{\"name\":\"sum\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":{"    \
    "\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"integer\"}}}},"    \
    "{\"name\":\"far\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"p\":{\"$ref\":"      \
    "\"https://example.org/s.json\"}}}},{\"name\":\"calculator\",\"inputSchema\":{\"type\":"       \
    "\"object\"}}]}';;\n"                                                                          \
    "*look.up/x*) answer '{\"content\":[{\"type\":\"text\",\"text\":\"found\"}]}';;\n"             \
    "*'\"name\":\"sum\"'*'\"good\"'*) answer "                                                     \
    "'{\"content\":[],\"structuredContent\":{\"n\":5}}';;\n"                                       \
    "*'\"name\":\"sum\"'*'\"bare\"'*) answer '{\"content\":[]}';;\n"                               \
    "*'\"name\":\"sum\"'*'\"fail\"'*) answer '{\"content\":[{\"type\":\"text\",\"text\":\"no "     \
    "way\"}],\"isError\":true}';;\n"                                                               \
    "*'\"name\":\"sum\"'*'\"slow\"'*) sleep 20;;\n"                                                \
    "*'\"name\":\"sum\"'*) answer '{\"content\":[],\"structuredContent\":{\"n\":\"five\"}}';;\n"

struct ground {
    struct mcp_client *c;
    struct agent_tools *tools;
    struct agent_policy *policy;
    struct agent_gate *gate;
};

static void begin(struct ground *g, const char *policy)
{
    const struct mcp_client_options o = { .command = SCRIPT_SERVER(TOOLS), .timeout = 10 };
    const struct agent_builtin_options none = { 0 };
    memset(g, 0, sizeof *g);
    if (mcp_client_open(&g->c, &o))
        fail_msg("%s", base_error_message());
    assert_int_equal(agent_tools_make(&g->tools), 0);
    assert_int_equal(agent_tools_add_builtin(g->tools, &none), 0);
    assert_int_equal(mcp_client_add_tools(g->c, g->tools, "script", NULL), 0);
    if (policy)
        assert_int_equal(agent_policy_parse(&g->policy, policy, strlen(policy), "p"), 0);
    const struct agent_gate_options options = { .policy = g->policy };
    assert_int_equal(agent_gate_make(&g->gate, g->tools, &options), 0);
}
static void end(struct ground *g)
{
    agent_gate_free(g->gate);
    agent_policy_free(g->policy);
    agent_tools_free(g->tools);
    mcp_client_close(g->c);
}

static enum agent_outcome run(struct ground *g, const char *tool, const char *arguments,
                              char shown[400])
{
    json_t *parsed = NULL;
    struct agent_result r;
    base_json_parse_wire(&parsed, arguments, strlen(arguments), 0, "a");
    const struct agent_call call = { .tool = tool, .arguments = parsed, .caller = "test" };
    assert_int_equal(agent_call_run(g->gate, &call, &r), 0);
    char *text = r.value ? json_dumps(r.value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    snprintf(shown, 400, "%s", text ? text : r.message ? r.message : "");
    base_free(text);
    json_decref(parsed);
    enum agent_outcome outcome = r.outcome;
    agent_result_free(&r);
    return outcome;
}

static void calls(void **state)
{
    (void)state;
    struct ground g;
    char shown[400];
    begin(&g, "default: allow\n");
    assert_non_null(agent_tools_find(g.tools, "look_up_x"));
    assert_non_null(agent_tools_find(g.tools, "script_calculator")); /* calculator was taken */
    assert_null(agent_tools_find(g.tools, "far")); /* nothing is fetched: it cannot be compiled */
    assert_true(agent_tools_find(g.tools, "sum")->needs.network);
    static const struct {
        const char *tool, *arguments, *shown;
        enum agent_outcome outcome;
    } cases[] = {
        { "look_up_x", "{\"q\":\"a\"}", "{\"content\":[{\"type\":\"text\",\"text\":\"found\"}]}",
          AGENT_OK },
        { "look_up_x", "{}", "\"q\" is missing", AGENT_INVALID },
        { "sum", "{\"how\":\"good\"}", "{\"n\":5}", AGENT_OK },
        { "sum", "{\"how\":\"bare\"}", "no structuredContent", AGENT_FAILED },
        { "sum", "{\"how\":\"fail\"}", "no way", AGENT_FAILED },
        { "sum", "{\"how\":\"lie\"}", "breaks the tool's own schema", AGENT_BAD_RESULT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum agent_outcome outcome = run(&g, cases[i].tool, cases[i].arguments, shown);
        if (outcome != cases[i].outcome || !strstr(shown, cases[i].shown))
            fail_msg("%s %s: %s %s", cases[i].tool, cases[i].arguments, agent_outcome_name(outcome),
                     shown);
    }
    end(&g);
    begin(&g, NULL); /* without a policy what reaches the network is asked for */
    assert_int_equal(run(&g, "sum", "{\"how\":\"good\"}", shown), AGENT_DENIED);
    assert_int_equal(run(&g, "calculator", "{\"expression\":\"1+1\"}", shown), AGENT_OK);
    end(&g);
}

/* A server that dies in a call is started anew for the next one, and looked at again. */
static void deaths(void **state)
{
    (void)state;
    const char *mark = test_temporary_path(".mark");
    char command[3000], shown[400];
    snprintf(
        command, sizeof command, "M=%s\n%s", mark,
        SCRIPT_SERVER("*tools/list*) d=d; [ -e $M.changed ] && d=changed; answer '{\"tools\":[{"
                      "\"name\":\"t\",\"description\":\"'$d'\",\"inputSchema\":{\"type\":"
                      "\"object\"}}]}';;\n"
                      "*tools/call*) [ -e $M ] || { echo > $M; kill -9 $$; }; "
                      "answer '{\"content\":[]}';;"));
    struct ground g = { 0 };
    const struct mcp_client_options o = { .command = command, .timeout = 10 };
    assert_int_equal(mcp_client_open(&g.c, &o), 0);
    assert_int_equal(agent_tools_make(&g.tools), 0);
    assert_int_equal(mcp_client_add_tools(g.c, g.tools, "x", NULL), 0);
    assert_int_equal(agent_policy_parse(&g.policy, "default: allow\n", 15, "p"), 0);
    const struct agent_gate_options options = { .policy = g.policy };
    assert_int_equal(agent_gate_make(&g.gate, g.tools, &options), 0);
    assert_int_equal(run(&g, "t", "{}", shown), AGENT_FAILED);
    assert_non_null(strstr(shown, "has ended"));
    assert_int_equal(run(&g, "t", "{}", shown), AGENT_OK);
    assert_int_equal(run(&g, "t", "{}", shown), AGENT_OK);
    unlink(mark); /* it dies once more, and comes back with other words */
    char changed[600];
    snprintf(changed, sizeof changed, "%s.changed", mark);
    test_write_file(changed, "", 0);
    assert_int_equal(run(&g, "t", "{}", shown), AGENT_FAILED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run(&g, "t", "{}", shown), AGENT_FAILED);
        assert_non_null(strstr(shown, "was changed"));
    }
    unlink(changed);
    unlink(mark);
    end(&g);
}

static bool at_once(void *context)
{
    return ++*(int *)context > 3;
}

static void ends(void **state)
{
    (void)state;
    struct ground g;
    char shown[400];
    begin(&g, "default: allow\nrules:\n  - {tool: sum, action: allow, wall_ms: 300}\n");
    assert_int_equal(run(&g, "sum", "{\"how\":\"slow\"}", shown), AGENT_TIMED_OUT);
    end(&g);
    begin(&g, "default: allow\n");
    int asked = 0;
    json_t *arguments = json_pack("{s:s}", "how", "slow");
    struct agent_result r;
    const struct agent_call call = {
        .tool = "sum", .arguments = arguments, .cancelled = at_once, .context = &asked
    };
    assert_int_equal(agent_call_run(g.gate, &call, &r), 0);
    assert_int_equal(r.outcome, AGENT_CANCELLED);
    agent_result_free(&r);
    json_decref(arguments);
    end(&g);
}

static void pins_file(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".pins");
    char *first = NULL, *again = NULL;
    size_t n = 0;
    for (int i = 0; i < 2; i++) { /* what is known is not written again */
        struct mcp_client *c = NULL;
        struct agent_tools *tools = NULL;
        const struct mcp_client_options o = { .command = SCRIPT_SERVER(TOOLS), .timeout = 10 };
        assert_int_equal(mcp_client_open(&c, &o), 0);
        assert_int_equal(agent_tools_make(&tools), 0);
        assert_int_equal(mcp_client_add_tools(c, tools, "x", path), 0);
        assert_int_equal(base_file_read(path, 0, i ? &again : &first, &n), 0);
        agent_tools_free(tools);
        mcp_client_close(c);
    }
    assert_string_equal(first, again);
    int lines = 0;
    for (const char *s = first; *s; s++)
        lines += *s == '\n';
    assert_int_equal(lines, 4);
    static const struct {
        const char *text;
        int rc;
    } broken[] = {
        { "{\"server\":\"s\"}\n", BASE_E_FORMAT },
        { "nonsense\n", BASE_E_FORMAT },
        { "{\"server\":\"s\",\"tool\":\"t\",\"sha256\":\"short\"}\n", BASE_E_FORMAT },
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct mcp_client *c = NULL;
        struct agent_tools *tools = NULL;
        const struct mcp_client_options o = { .command = SCRIPT_SERVER(TOOLS), .timeout = 10 };
        test_write_file(path, broken[i].text, strlen(broken[i].text));
        assert_int_equal(mcp_client_open(&c, &o), 0);
        assert_int_equal(agent_tools_make(&tools), 0);
        assert_int_equal(mcp_client_add_tools(c, tools, "x", path), broken[i].rc);
        assert_int_equal(agent_tools_count(tools), 0);
        agent_tools_free(tools);
        mcp_client_close(c);
    }
    base_free(first);
    base_free(again);
    unlink(path);
}

/* Every try of the red team is stopped. */
static void attacks(void **state)
{
    (void)state;
    struct agent_redteam r = { .attacks = json_array() };
    if (mcp_redteam_run(NULL, &r))
        fail_msg("%s", base_error_message());
    assert_true(r.tried >= 8);
    for (size_t i = 0; i < json_array_size(r.attacks); i++) {
        const json_t *a = json_array_get(r.attacks, i);
        if (!json_is_true(json_object_get(a, "stopped")))
            fail_msg("%s: %s", json_string_value(json_object_get(a, "attack")),
                     json_string_value(json_object_get(a, "how")));
    }
    assert_int_equal(r.stopped, r.tried);
    json_decref(r.attacks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls),     cmocka_unit_test(ends),    cmocka_unit_test(deaths),
        cmocka_unit_test(pins_file), cmocka_unit_test(attacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
