/* The Model Context Protocol: answers to the letter of each revision, results held against the
 * protocol's own schemas where those are at hand, and clients and servers that die or hang. */
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "mcp/protocol_private.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "support.h"

static int say(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool;
    *out = json_pack("{s:O}", "said", json_object_get(arguments, "x"));
    return *out ? 0 : BASE_E_MEMORY;
}
static int wait_long(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool, (void)arguments, (void)out;
    sleep(8);
    return base_error_set(BASE_E_IO, "slept");
}

struct ground {
    struct agent_tools *tools;
    struct agent_gate *gate;
    struct mcp_server *server;
    struct mcp_session *s;
};
static void begin(struct ground *g)
{
    *g = (struct ground){ 0 };
    assert_int_equal(agent_tools_make(&g->tools), 0);
    static const char *const names[] = { "a", "b", "c" };
    for (int i = 0; i < 3; i++) {
        struct agent_tool t = { .name = names[i],
                                .description = "d",
                                .input = "{\"type\": \"object\", \"required\": [\"x\"]}",
                                .run = say };
        if (i == 2)
            t.run = wait_long;
        assert_int_equal(agent_tools_add(g->tools, &t), 0);
    }
    assert_int_equal(agent_gate_make(&g->gate, g->tools, NULL), 0);
    const struct mcp_server_options o = { .gate = g->gate, .tools = g->tools, .page = 2 };
    assert_int_equal(mcp_server_make(&g->server, &o), 0);
    assert_int_equal(mcp_session_make(&g->s, g->server, "test", "test"), 0);
}
static void end(struct ground *g)
{
    mcp_session_free(g->s);
    mcp_server_free(g->server);
    agent_gate_free(g->gate);
    agent_tools_free(g->tools);
}

/* As a transport does: a new answer, or NULL. */
static json_t *answer_json(struct ground *g, const char *text)
{
    json_t *message = NULL, *a = NULL;
    assert_int_equal(mcp_message_parse(g->s, text, strlen(text), &message, &a), 0);
    if (message && mcp_session_take(g->s, message) == 0)
        assert_int_equal(mcp_answer(g->s, NULL, message, &a, NULL), 0);
    json_decref(message);
    return a;
}

/* The answer as text, "" for none; one static buffer. */
static const char *answer(struct ground *g, const char *text)
{
    static char shown[4096];
    json_t *a = answer_json(g, text);
    char *dumped = a ? json_dumps(a, JSON_COMPACT) : NULL;
    snprintf(shown, sizeof shown, "%s", dumped ? dumped : "");
    base_free(dumped);
    json_decref(a);
    return shown;
}

#define HELLO(version)                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"     \
    "\"" version "\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}"
#define META                                                                                       \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static void messages(void **state)
{
    (void)state;
    struct ground g;
    static const struct {
        const char *version, *message, *answer;
    } cases[] = {
        { "2025-11-25", "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"method\":\"ping\"}",
          "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"result\":{}}" },
        { "2025-11-25", "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"nope\"}",
          "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"error\":{\"code\":-32601,\"message\":\"Method not "
          "found: nope\"}}" },
        { "2025-11-25", "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"not a JSON-RPC 2.0 "
          "request\"}}" },
        { "2025-11-25", "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}",
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"not a JSON-RPC 2.0 "
          "request\"}}" },
        { "2025-11-25", "{\"id\":1,\"method\":\"ping\"}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":\"not a JSON-RPC "
          "2.0 request\"}}" },
        { "2025-11-25", "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/whatever\"}", "" },
        { "2025-11-25", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", "" },
        { "2025-11-25", "{oops",
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"message:1:2: not valid "
          "JSON: expected a key in double quotes\"}}" },
        { "2025-06-18", "{oops",
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"message:1:2: not valid "
          "JSON: expected a key in double quotes\"},\"id\":null}" },
        { "2025-03-26",
          "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":"
          "\"n\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}]",
          "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":"
          "{}}]" },
        { "2025-03-26", "[{\"jsonrpc\":\"2.0\",\"method\":\"n\"}]", "" },
        { "2025-06-18", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"batches are not in this "
          "revision of the protocol\"}}" },
        { "2025-11-25",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\","
          "\"arguments\":{\"x\":5}}}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":"
          "\"{\\\"said\\\": 5}\"}],\"isError\":false,\"structuredContent\":{\"said\":5}}}" },
        { "2025-11-25",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"none\"}}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Unknown tool: "
          "none\"}}" },
        /* invalid arguments: the model's to see from 2025-11-25 on */
        { "2025-11-25",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":"
          "\"invalid-arguments: arguments: the property \\\"x\\\" is missing\"}],\"isError\":"
          "true}}" },
        { "2025-06-18",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"arguments: the "
          "property \\\"x\\\" is missing\"}}" },
        { "2025-11-25",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"cursor\":\"1\"}}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"the cursor is "
          "not one that was given\"}}" },
        /* 2026-07-28: no session; what a request must say of itself, in order */
        { NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"params._meta: "
          "\\\"io.modelcontextprotocol/protocolVersion\\\" is missing (or begin with "
          "initialize)\"}}" },
        { NULL,
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{"
          "\"io.modelcontextprotocol/protocolVersion\":\"2030-01-01\","
          "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"Unsupported "
          "protocol version\",\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":"
          "\"2030-01-01\"}}}" },
        { NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{" META "}}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"Method not "
          "found: ping\"}}" },
        { NULL,
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{" META
          ",\"name\":\"a\",\"arguments\":{\"x\":[]}}}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":"
          "\"{\\\"said\\\": []}\"}],\"isError\":false,\"structuredContent\":{\"said\":[]},"
          "\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{"
          "\"name\":\"assay\",\"version\":\"0.1.0\",\"title\":\"Assay\"}}}}" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(&g);
        if (cases[i].version) {
            char hello[400];
            snprintf(hello, sizeof hello, HELLO("%s"), cases[i].version);
            assert_non_null(strstr(answer(&g, hello), cases[i].version));
        }
        const char *got = answer(&g, cases[i].message);
        if (strcmp(got, cases[i].answer) != 0)
            fail_msg("%s\n%s\n%s", cases[i].message, got, cases[i].answer);
        end(&g);
    }
}

/* The answers of a batch are one message: there is an end to how many it may ask for. */
static void long_batches(void **state)
{
    (void)state;
    struct ground g;
    begin(&g);
    assert_non_null(strstr(answer(&g, HELLO("2025-03-26")), "2025-03-26"));
    for (int n = 99; n <= 101; n++) {
        char *text = base_strdup("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
        for (int i = 1; i < n; i++) {
            char *more = base_format("%s,{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", text);
            base_free(text);
            text = more;
        }
        char *whole = base_format("%s]", text);
        json_t *a = answer_json(&g, whole);
        if (n <= 100)
            assert_int_equal(json_array_size(a), n);
        else
            assert_string_equal(
                json_string_value(json_object_get(json_object_get(a, "error"), "message")),
                "a batch of more than 100 messages");
        json_decref(a);
        base_free(whole);
        base_free(text);
    }
    assert_string_equal(answer(&g, "[]"), "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,"
                                          "\"message\":\"a batch without messages\"}}");
    end(&g);
}

static void hello_and_pages(void **state)
{
    (void)state;
    struct ground g;
    begin(&g);
    /* an unknown revision is answered with the newest one */
    assert_non_null(strstr(answer(&g, HELLO("2031-05-05")), "\"protocolVersion\":\"2025-11-25\""));
    const char *page = answer(&g, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
    assert_non_null(strstr(page, "\"nextCursor\":\"2\""));
    assert_null(strstr(page, "\"name\":\"c\""));
    page = answer(&g, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":"
                      "{\"cursor\":\"2\"}}");
    assert_null(strstr(page, "nextCursor"));
    assert_non_null(strstr(page, "\"name\":\"c\""));
    end(&g);
}

/* Every result validates against the revision's own schema. */
static void results_fit_the_schemas(void **state)
{
    (void)state;
    static const struct {
        const char *file, *version, *defs, *method, *params, *type;
    } cases[] = {
        { "agent/mcp/2024-11-05/schema.json", "2024-11-05", "definitions", "tools/list", "{}",
          "ListToolsResult" },
        { "agent/mcp/2025-03-26/schema.json", "2025-03-26", "definitions", "tools/list", "{}",
          "ListToolsResult" },
        { "agent/mcp/2025-06-18/schema.json", "2025-06-18", "definitions", "tools/call",
          "{\"name\":\"a\",\"arguments\":{\"x\":1}}", "CallToolResult" },
        { "agent/mcp/2025-06-18/schema.json", "2025-06-18", "definitions", "initialize",
          "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\","
          "\"version\":\"1\"}}",
          "InitializeResult" },
        { "agent/mcp/2025-11-25/schema.json", "2025-11-25", "$defs", "tools/list", "{}",
          "ListToolsResult" },
        { "agent/mcp/2025-11-25/schema.json", "2025-11-25", "$defs", "tools/call",
          "{\"name\":\"a\",\"arguments\":{\"x\":1}}", "CallToolResult" },
        { "agent/mcp/2026-07-28/schema.json", NULL, "$defs", "server/discover", "{" META "}",
          "DiscoverResult" },
        { "agent/mcp/2026-07-28/schema.json", NULL, "$defs", "tools/list", "{" META "}",
          "ListToolsResult" },
        { "agent/mcp/2026-07-28/schema.json", NULL, "$defs", "tools/call",
          "{\"name\":\"a\",\"arguments\":{\"x\":1}," META "}", "CallToolResult" },
    };
    TEST_NEEDS_SHARED("agent/mcp/2026-07-28/schema.json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ground g;
        begin(&g);
        if (cases[i].version) {
            char hello[400];
            snprintf(hello, sizeof hello, HELLO("%s"), cases[i].version);
            answer(&g, hello);
        }
        char request[600], reference[100];
        snprintf(request, sizeof request,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", cases[i].method,
                 cases[i].params);
        json_t *message = answer_json(&g, request), *schema = NULL, *errors = NULL;
        struct agent_schema *compiled = NULL;
        assert_int_equal(base_json_load(&schema, test_shared_path(cases[i].file)), 0);
        snprintf(reference, sizeof reference, "#/%s/%s", cases[i].defs, cases[i].type);
        json_object_del(schema, "anyOf");
        json_object_set_new(schema, "$ref", json_string(reference));
        if (agent_schema_compile(&compiled, schema, cases[i].file, NULL))
            fail_msg("%s", base_error_message());
        int rc = agent_schema_check(compiled, json_object_get(message, "result"), &errors);
        if (rc != 1)
            fail_msg("%s %s: %s", cases[i].file, cases[i].type,
                     json_string_value(json_object_get(json_array_get(errors, 0), "message")));
        agent_schema_free(compiled);
        json_decref(schema);
        json_decref(message);
        end(&g);
    }
}

static void *cancel_soon(void *context)
{
    struct ground *g = context;
    const struct timespec t = { 0, 50000000 };
    for (bool come = false; !come;) { /* not before the request */
        nanosleep(&t, NULL);
        pthread_mutex_lock(&g->s->lock);
        come = g->s->running;
        pthread_mutex_unlock(&g->s->lock);
    }
    json_t *message = json_pack("{s:s, s:s, s:{s:i}}", "jsonrpc", "2.0", "method",
                                "notifications/cancelled", "params", "requestId", 5);
    int taken = mcp_session_take(g->s, message);
    json_decref(message);
    return taken == 1 ? g : NULL;
}

/* A cancelled call ends, and is not answered; nor is one cancelled before its turn. */
static void calls_are_cancelled(void **state)
{
    (void)state;
    struct ground g;
    struct timespec from, to;
    begin(&g);
    answer(&g, HELLO("2025-11-25"));
    pthread_t thread;
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &g), 0);
    assert_string_equal(answer(&g,
                               "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":"
                               "{\"name\":\"c\",\"arguments\":{\"x\":1}}}"),
                        "");
    clock_gettime(CLOCK_MONOTONIC, &to);
    void *taken = NULL;
    pthread_join(thread, &taken);
    assert_non_null(taken);
    assert_true(to.tv_sec - from.tv_sec < 7); /* the tool sleeps eight seconds */
    json_t *waiting = json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", 5, "method", "ping");
    json_t *a = NULL;
    int status = 0;
    assert_int_equal(mcp_session_take(g.s, waiting), 0);
    assert_ptr_equal(cancel_soon(&g), &g);
    assert_int_equal(mcp_answer(g.s, NULL, waiting, &a, &status), 0);
    assert_null(a);
    assert_int_equal(status, 202);
    assert_int_equal(mcp_answer(g.s, NULL, waiting, &a, &status), 0);
    assert_non_null(a); /* the same id again is another request */
    assert_int_equal(status, 200);
    json_decref(a);
    json_decref(waiting);
    end(&g);
}

/* ---- the programs ---- */

static const char *server(void)
{
    static char command[1200];
    const char *program = getenv("ASSAY_PROGRAM");
    snprintf(command, sizeof command, "%s mcp serve --stdio",
             program && *program ? program : "./assay");
    return command;
}

static void client_and_server(void **state)
{
    (void)state;
    static const char *const versions[] = { NULL,         "2024-11-05", "2025-03-26",
                                            "2025-06-18", "2025-11-25", "2026-07-28" };
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct mcp_client *c = NULL;
        const struct mcp_client_options o = { .command = server(), .version = versions[i] };
        if (mcp_client_open(&c, &o))
            fail_msg("%s", base_error_message());
        assert_string_equal(mcp_client_version(c), versions[i] ? versions[i] : "2025-11-25");
        assert_string_equal(json_string_value(json_object_get(mcp_client_server(c), "name")),
                            "assay");
        json_t *tools = NULL, *result = NULL;
        assert_int_equal(mcp_client_list(c, "tools", &tools), 0);
        assert_true(json_array_size(tools) > 1);
        json_decref(tools);
        assert_int_equal(mcp_client_request(c, "tools/call",
                                            json_pack("{s:s, s:{s:s}}", "name", "calculator",
                                                      "arguments", "expression", "2^70"),
                                            &result),
                         0);
        assert_string_equal(json_string_value(json_object_get(
                                json_object_get(result, "structuredContent"), "result")),
                            "1180591620717411303424");
        json_decref(result);
        assert_int_equal(mcp_client_request(c, "no/such", NULL, &result), BASE_E_FORMAT);
        assert_non_null(strstr(base_error_message(), "-32601"));
        mcp_client_close(c);
    }
}

/* Servers that die, hang, print, or leave a child behind. */
static void bad_servers(void **state)
{
    (void)state;
    static const struct {
        const char *command, *message;
    } cases[] = {
        { "exit 3", "the server has ended" },
        { "cat >/dev/null", "the server did not answer in time" },
        { "sleep 60", "the server did not answer in time" },
        { "yes '' | head -c 100000; sleep 60", "the server did not answer in time" },
        { "echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"1999-01-01\"}}'; "
          "cat >/dev/null",
          "the server speaks revision \"1999-01-01\", not known here" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mcp_client *c = NULL;
        const struct mcp_client_options o = { .command = cases[i].command, .timeout = 0.5 };
        int rc = mcp_client_open(&c, &o);
        assert_true(rc < 0);
        if (!strstr(base_error_message(), cases[i].message))
            fail_msg("%s: %s", cases[i].command, base_error_message());
    }
    /* a child in the background ends with the group */
    const char *mark = test_temporary_path(".pid");
    char command[4096];
    snprintf(command, sizeof command, "sleep 300 & echo $! > %s; exec %s", mark, server());
    struct mcp_client *c = NULL;
    const struct mcp_client_options o = { .command = command };
    assert_int_equal(mcp_client_open(&c, &o), 0);
    mcp_client_close(c);
    FILE *f = fopen(mark, "r");
    int pid = 0;
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    struct timespec t = { 0, 20000000 };
    bool alive = true;
    for (int i = 0; i < 100 && alive; i++) {
        char path[64], what = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *p = fopen(path, "r");
        alive = p && fscanf(p, "%*d (%*[^)]) %c", &what) == 1 && what != 'Z';
        if (p)
            fclose(p);
        nanosleep(&t, NULL);
    }
    assert_false(alive);
    unlink(mark);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(long_batches),
        cmocka_unit_test(hello_and_pages),
        cmocka_unit_test(results_fit_the_schemas),
        cmocka_unit_test(calls_are_cancelled),
        cmocka_unit_test(client_and_server),
        cmocka_unit_test(bad_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
