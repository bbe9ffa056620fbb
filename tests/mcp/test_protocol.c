/* The server's protocol in every revision: each method's values, held against the protocol's own
 * schemas where those are at hand, each error's code and status, and whatever a client may send. */
#include "base/buffer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"
#include "protocol_ground.h"

static const char *const revisions[] = { "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
                                         "2026-07-28" };
enum { REVISIONS = sizeof revisions / sizeof *revisions, MODERN = REVISIONS - 1 };
#define CAN "{\"elicitation\":{},\"sampling\":{},\"roots\":{}}"

static void answers_of_a_person(struct ground *g)
{
    ground_answer(g, "elicitation/create",
                  "{\"action\": \"accept\", \"content\": {\"name\": \"Alice\", \"ok\": true, "
                  "\"username\": \"a\", \"email\": \"a@b\", \"color\": \"blue\", \"context\": "
                  "\"c\", \"confirmed\": true}}");
    ground_answer(g, "sampling/createMessage",
                  "{\"role\": \"assistant\", \"content\": {\"type\": \"text\", \"text\": "
                  "\"Paris\"}, \"model\": \"m\"}");
    ground_answer(g, "roots/list", "{\"roots\": [{\"uri\": \"file:///x\"}]}");
}

/* What a method gives, and what must stand in it. */
static const struct {
    int from, to; /* indices of the revisions it is in */
    const char *method, *params, *type, *path, *text;
} cases[] = {
    { 0, 3, "ping", "", "EmptyResult", "", "(none)" },
    { 0, 3, "logging/setLevel", "\"level\":\"error\"", "EmptyResult", "", "(none)" },
    { 0, 4, "tools/list", "", "ListToolsResult", "tools.0.name", "json_schema_2020_12_tool" },
    { 0, 4, "tools/call", "\"name\":\"say\",\"arguments\":{\"x\":\"y\"}", "CallToolResult",
      "structuredContent.said", "y" },
    { 0, 4, "tools/call", "\"name\":\"test_simple_text\"", "CallToolResult", "content.0.text",
      "This is a simple text response for testing." },
    { 1, 4, "tools/call", "\"name\":\"test_audio_content\"", "CallToolResult", "content.0.mimeType",
      "audio/wav" },
    { 0, 4, "tools/call", "\"name\":\"test_multiple_content_types\"", "CallToolResult",
      "content.2.resource.text", "{\"test\":\"data\",\"value\":123}" },
    { 0, 4, "tools/call", "\"name\":\"test_error_handling\"", "CallToolResult", "content.0.text",
      "This tool intentionally returns an error for testing" },
    { 0, 4, "resources/list", "", "ListResourcesResult", "resources.3.uri", "mem://0" },
    { 0, 4, "resources/templates/list", "", "ListResourceTemplatesResult",
      "resourceTemplates.1.uriTemplate", "mem://{n}" },
    { 0, 4, "resources/read", "\"uri\":\"mem://abc\"", "ReadResourceResult", "contents.0.text",
      "abc" },
    { 0, 4, "resources/read", "\"uri\":\"test://static-binary\"", "ReadResourceResult",
      "contents.0.mimeType", "image/png" },
    { 0, 4, "resources/read", "\"uri\":\"test://template/123/data\"", "ReadResourceResult",
      "contents.0.text", "{\"id\":\"123\",\"templateTest\":true,\"data\":\"Data for ID: 123\"}" },
    { 0, 3, "resources/subscribe", "\"uri\":\"mem://abc\"", "EmptyResult", "", "(none)" },
    { 0, 3, "resources/unsubscribe", "\"uri\":\"mem://abc\"", "EmptyResult", "", "(none)" },
    { 0, 3, "resources/unsubscribe", "\"uri\":\"mem://never\"", "EmptyResult", "", "(none)" },
    { 0, 4, "prompts/list", "", "ListPromptsResult", "prompts.5.name", "cloze" },
    { 0, 4, "prompts/get", "\"name\":\"cloze\",\"arguments\":{\"text\":\"T\"}", "GetPromptResult",
      "messages.0.content.text", "T" },
    { 0, 4, "prompts/get",
      "\"name\":\"test_prompt_with_arguments\",\"arguments\":{\"arg1\":\"a\",\"arg2\":\"b\"}",
      "GetPromptResult", "messages.0.content.text", "Prompt with arguments: arg1='a', arg2='b'" },
    { 0, 4, "prompts/get", "\"name\":\"test_prompt_with_image\"", "GetPromptResult",
      "messages.0.content.mimeType", "image/png" },
    { 0, 4, "completion/complete",
      "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"cloze\"},\"argument\":{\"name\":\"text\","
      "\"value\":\"ab\"}",
      "CompleteResult", "completion.values.99", "v99" },
    { 2, 3, "tools/call", "\"name\":\"test_elicitation\",\"arguments\":{\"message\":\"m\"}",
      "CallToolResult", "content.0.type", "text" },
    { 0, 3, "tools/call", "\"name\":\"test_sampling\",\"arguments\":{\"prompt\":\"p\"}",
      "CallToolResult", "content.0.text", "LLM response: Paris" },
    { 0, 3, "tools/call", "\"name\":\"test_input_required_result_multiple_inputs\"",
      "CallToolResult", "content.0.text", "Paris, Alice! You have 1 roots." },
    { 4, 4, "server/discover", "", "DiscoverResult", "supportedVersions.0", "2026-07-28" },
    { 4, 4, "tools/call", "\"name\":\"test_input_required_result_elicitation\"",
      "InputRequiredResult", "inputRequests.user_name.params.message", "What is your name?" },
    { 4, 4, "prompts/get", "\"name\":\"test_input_required_result_prompt\"", "InputRequiredResult",
      "inputRequests.user_context.method", "elicitation/create" },
};

static void every_method_in_every_revision(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("agent/mcp/2026-07-28/schema.json");
    for (int v = 0; v < REVISIONS; v++) {
        struct ground g;
        ground_begin(&g, NULL, true);
        answers_of_a_person(&g);
        if (v != MODERN)
            ground_hello(&g, revisions[v], CAN);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            if (v < cases[i].from || v > cases[i].to)
                continue;
            json_t *result = ground_result(&g, v == MODERN, cases[i].method, cases[i].params);
            if (strcmp(cases[i].type, "EmptyResult") == 0)
                assert_int_equal(json_object_size(result), 0);
            else
                assert_string_equal(ground_text(result, cases[i].path), cases[i].text);
            ground_fits(revisions[v], cases[i].type, result);
            const json_t *server =
                json_object_get(json_object_get(result, "_meta"), MCP_META "serverInfo");
            assert_string_equal(ground_text(server, "name"), v == MODERN ? "assay" : "(none)");
            json_decref(result);
        }
        ground_end(&g);
    }
}

/* What the server says and asks on its own has the revision's form, too. */
static void what_is_told_fits_the_schemas(void **state)
{
    (void)state;
    static const struct {
        const char *method, *type;
    } told[] = {
        { "notifications/progress", "ProgressNotification" },
        { "notifications/message", "LoggingMessageNotification" },
        { "notifications/tools/list_changed", "ToolListChangedNotification" },
        { "notifications/prompts/list_changed", "PromptListChangedNotification" },
        { "elicitation/create", "ElicitRequest" },
        { "sampling/createMessage", "CreateMessageRequest" },
        { "roots/list", "ListRootsRequest" },
    };
    static const char *const calls[] = {
        "\"name\":\"test_tool_with_progress\",\"_meta\":{\"progressToken\":\"t\"}",
        "\"name\":\"test_tool_with_logging\"",
        "\"name\":\"test_trigger_tool_change\"",
        "\"name\":\"test_trigger_prompt_change\"",
        "\"name\":\"test_elicitation\",\"arguments\":{\"message\":\"m\"}",
        "\"name\":\"test_elicitation_sep1034_defaults\"",
        "\"name\":\"test_elicitation_sep1330_enums\"",
        "\"name\":\"test_input_required_result_sampling\"",
        "\"name\":\"test_input_required_result_list_roots\"",
    };
    TEST_NEEDS_SHARED("agent/mcp/2026-07-28/schema.json");
    for (int v = 0; v < MODERN; v++) {
        struct ground g;
        ground_begin(&g, NULL, true);
        answers_of_a_person(&g);
        mcp_session_listen(g.session, ground_hear, &g);
        ground_hello(&g, revisions[v], CAN);
        json_decref(ground_result(&g, false, "logging/setLevel", "\"level\":\"info\""));
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
            json_decref(ground_result(&g, false, "tools/call", calls[i]));
        for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
            /* forms came with 2025-06-18, their choices with titles with 2025-11-25 */
            bool form = strcmp(told[i].method, "elicitation/create") == 0;
            size_t most = form ? (v < 2 ? 0 : v < 3 ? 2 : 3) : 100, k = 0;
            const json_t *message;
            for (; k < most && (message = ground_heard(&g, told[i].method, k)); k++)
                ground_fits(revisions[v], told[i].type, message);
            assert_true(k > 0 || most == 0);
        }
        ground_end(&g);
    }
}

/* ---- errors ---- */

static void errors_have_their_codes(void **state)
{
    (void)state;
    static const struct {
        const char *method, *params;
        int legacy, modern, status; /* of 2026-07-28 */
    } wrong[] = {
        { "no/such", "", -32601, -32601, 404 },
        { "initialize", "", -32602, -32601, 404 },
        { "server/discover", "", -32602, 0, 400 }, /* says nothing of itself */
        { "tools/call", "", -32602, -32602, 200 },
        { "tools/call", "\"name\":7", -32602, -32602, 200 },
        { "tools/call", "\"name\":\"none\"", -32602, -32602, 200 },
        { "tools/call", "\"name\":\"say\",\"arguments\":[]", -32602, -32602, 200 },
        { "tools/list", "\"cursor\":\"x\"", -32602, -32602, 200 },
        { "tools/list", "\"cursor\":\"50\"", -32602, -32602, 200 },
        { "tools/list", "\"cursor\":5", -32602, -32602, 200 },
        { "resources/list", "\"cursor\":\"-1\"", -32602, -32602, 200 },
        { "resources/read", "", -32602, -32602, 200 },
        { "resources/read", "\"uri\":\"none://x\"", -32002, -32602, 200 },
        { "resources/read", "\"uri\":\"mem://broken\"", -32603, -32603, 200 },
        { "resources/subscribe", "\"uri\":\"none://x\"", -32002, -32601, 404 },
        { "resources/subscribe", "\"uri\":3", -32602, -32601, 404 },
        { "prompts/get", "\"name\":\"none\"", -32602, -32602, 200 },
        { "prompts/get", "\"name\":\"cloze\"", -32602, -32602, 200 },
        { "prompts/get", "\"name\":\"cloze\",\"arguments\":{\"text\":5}", -32602, -32602, 200 },
        { "completion/complete", "", -32602, -32602, 200 },
        { "completion/complete", "\"ref\":{\"type\":\"ref/x\",\"name\":\"cloze\"}", -32602, -32602,
          200 },
        { "completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"cloze\"}", -32602,
          -32602, 200 },
        { "completion/complete",
          "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"none\"},\"argument\":{\"name\":\"a\","
          "\"value\":\"\"}",
          -32602, -32602, 200 },
        { "logging/setLevel", "\"level\":\"loud\"", -32602, -32601, 404 },
        { "subscriptions/listen", "", -32601, -32602, 200 },
        { "subscriptions/listen", "\"notifications\":[]", -32601, -32602, 200 },
    };
    struct ground legacy, modern;
    ground_begin(&legacy, NULL, false);
    ground_hello(&legacy, "2025-11-25", "{}");
    ground_begin(&modern, NULL, false);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int status = 0;
        int code = ground_error(&legacy, false, wrong[i].method, wrong[i].params, &status);
        if (code != wrong[i].legacy)
            fail_msg("%s {%s}: %d", wrong[i].method, wrong[i].params, code);
        assert_int_equal(status, strcmp(wrong[i].method, "server/discover") == 0 ? 400 : 200);
        if (!wrong[i].modern)
            continue;
        code = ground_error(&modern, true, wrong[i].method, wrong[i].params, &status);
        if (code != wrong[i].modern || status != wrong[i].status)
            fail_msg("%s {%s}: %d, status %d", wrong[i].method, wrong[i].params, code, status);
    }
    json_t *a = ground_request(&modern, true, "resources/read", "\"uri\":\"none://x\"", NULL);
    assert_string_equal(ground_text(a, "error.data.uri"), "none://x");
    json_decref(a);
    ground_end(&legacy);
    ground_end(&modern);
}

/* What a request of 2026-07-28 says of itself, in the order of its checks. */
static void modern_requests_stand_alone(void **state)
{
    (void)state;
    static const struct {
        const char *meta, *method;
        int code, status;
    } wrong[] = {
        { "\"_meta\":{}", "no/such", -32602, 400 },
        { "\"_meta\":{\"io.modelcontextprotocol/clientCapabilities\":{}}", "tools/list", -32602,
          400 },
        { "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}", "tools/list",
          -32602, 400 },
        { "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":7,"
          "\"io.modelcontextprotocol/clientCapabilities\":{}}",
          "tools/list", -32602, 400 },
        { "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
          "\"io.modelcontextprotocol/clientCapabilities\":[]}",
          "tools/list", -32602, 400 },
        { "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2025-11-25\","
          "\"io.modelcontextprotocol/clientCapabilities\":{}}",
          "no/such", -32022, 400 },
        { "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
          "\"io.modelcontextprotocol/clientCapabilities\":{},"
          "\"io.modelcontextprotocol/logLevel\":\"loud\"}",
          "tools/list", -32602, 200 },
        { "\"name\":\"test_missing_capability\",\"_meta\":{"
          "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
          "\"io.modelcontextprotocol/clientCapabilities\":{}}",
          "tools/call", -32021, 400 },
    };
    struct ground g;
    ground_begin(&g, NULL, true);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int status = 0;
        json_t *a = ground_request(&g, true, wrong[i].method, wrong[i].meta, &status);
        if (json_integer_value(ground_at(a, "error.code")) != wrong[i].code ||
            status != wrong[i].status)
            fail_msg("%s %s: %lld, status %d", wrong[i].method, wrong[i].meta,
                     (long long)json_integer_value(ground_at(a, "error.code")), status);
        if (wrong[i].code == -32022) {
            assert_string_equal(ground_text(a, "error.data.supported.0"), "2026-07-28");
            assert_string_equal(ground_text(a, "error.data.requested"), "2025-11-25");
        }
        if (wrong[i].code == -32021)
            assert_true(json_is_object(ground_at(a, "error.data.requiredCapabilities.sampling")));
        json_decref(a);
    }
    /* a transport's first check */
    json_t *message = json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", 3, "method", "x"), *a;
    assert_int_equal(mcp_message_check(message, &a), 0);
    assert_int_equal(json_integer_value(ground_at(a, "error.code")), -32602);
    assert_int_equal(json_integer_value(ground_at(a, "id")), 3);
    assert_false(mcp_message_modern(message));
    json_decref(a);
    json_decref(message);
    ground_end(&g);
}

static void pages(void **state)
{
    (void)state;
    struct ground g;
    ground_begin(&g, NULL, false);
    ground_hello(&g, "2025-06-18", "{}");
    json_t *first = ground_result(&g, false, "resources/list", "");
    assert_int_equal(json_array_size(ground_at(first, "resources")), 3);
    assert_string_equal(ground_text(first, "nextCursor"), "3");
    json_t *second = ground_result(&g, false, "resources/list", "\"cursor\":\"3\"");
    assert_int_equal(json_array_size(ground_at(second, "resources")), 2);
    assert_string_equal(ground_text(second, "resources.0.uri"), "mem://3");
    assert_null(json_object_get(second, "nextCursor"));
    json_decref(first);
    json_decref(second);
    /* a hundred values at most, and how many there are */
    json_t *values = ground_result(&g, false, "completion/complete",
                                   "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"cloze\"},"
                                   "\"argument\":{\"name\":\"text\",\"value\":\"ab\"}");
    assert_int_equal(json_array_size(ground_at(values, "completion.values")), 100);
    assert_int_equal(json_integer_value(ground_at(values, "completion.total")), 120);
    assert_true(json_is_true(ground_at(values, "completion.hasMore")));
    json_decref(values);
    ground_end(&g);
}

/* A server without a provider has no such methods, and claims none. */
static void what_is_not_offered_is_not_there(void **state)
{
    (void)state;
    struct ground g;
    ground_begin(&g, NULL, false);
    g.server->o.provider = NULL;
    static const char *const gone[] = {
        "resources/list", "resources/read",      "resources/templates/list", "prompts/list",
        "prompts/get",    "completion/complete", "subscriptions/listen"
    };
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_int_equal(ground_error(&g, true, gone[i], "", NULL), -32601);
    json_t *hello = ground_result(&g, true, "server/discover", "");
    assert_null(ground_at(hello, "capabilities.resources"));
    assert_null(ground_at(hello, "capabilities.prompts"));
    assert_null(ground_at(hello, "capabilities.completions"));
    assert_true(json_is_false(ground_at(hello, "capabilities.tools.listChanged")));
    json_decref(hello);
    /* nor are the fixtures */
    json_t *tools = ground_result(&g, true, "tools/list", "");
    assert_int_equal(json_array_size(ground_at(tools, "tools")), 1);
    json_decref(tools);
    assert_int_equal(ground_error(&g, true, "tools/call", "\"name\":\"test_simple_text\"", NULL),
                     -32602);
    ground_end(&g);
}

/* ---- while a call runs ---- */

static void progress_and_log_messages(void **state)
{
    (void)state;
    struct ground g;
    ground_begin(&g, NULL, true);
    ground_hello(&g, "2025-11-25", "{}");
    /* a tool in its sandbox tells how far it is */
    json_decref(ground_result(&g, false, "tools/call",
                              "\"name\":\"say\",\"arguments\":{\"x\":1},\"_meta\":{"
                              "\"progressToken\":12}"));
    const json_t *last = NULL, *one;
    double before = -1;
    size_t n = 0;
    while ((one = ground_heard(&g, "notifications/progress", n))) {
        assert_int_equal(json_integer_value(ground_at(one, "params.progressToken")), 12);
        assert_true(json_number_value(ground_at(one, "params.progress")) > before);
        before = json_number_value(ground_at(one, "params.progress"));
        last = one;
        n++;
    }
    assert_true(n >= 1);
    assert_true(json_number_value(ground_at(last, "params.progress")) == 2);
    assert_true(json_number_value(ground_at(last, "params.total")) == 2);
    assert_string_equal(ground_text(last, "params.message"), "whole");
    /* without a token nothing is told, and below the level nothing is said */
    json_array_clear(g.heard);
    json_decref(ground_result(&g, false, "tools/call", "\"name\":\"test_tool_with_progress\""));
    json_decref(ground_result(&g, false, "tools/call", "\"name\":\"test_tool_with_logging\""));
    assert_int_equal(json_array_size(g.heard), 0);
    json_decref(ground_result(&g, false, "logging/setLevel", "\"level\":\"info\""));
    json_decref(ground_result(&g, false, "tools/call", "\"name\":\"test_tool_with_logging\""));
    assert_string_equal(ground_text(ground_heard(&g, "notifications/message", 2), "params.data"),
                        "Tool execution completed");
    assert_null(ground_heard(&g, "notifications/message", 3));
    ground_end(&g);
    /* 2026-07-28: request by request */
    ground_begin(&g, NULL, true);
    json_decref(ground_result(&g, true, "tools/call", "\"name\":\"test_logging_tool\""));
    assert_int_equal(json_array_size(g.heard), 0);
    json_decref(ground_result(&g, true, "tools/call",
                              "\"name\":\"test_logging_tool\",\"_meta\":{"
                              "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                              "\"io.modelcontextprotocol/clientCapabilities\":{},"
                              "\"io.modelcontextprotocol/logLevel\":\"debug\"}"));
    assert_int_equal(json_array_size(g.heard), 3);
    ground_end(&g);
}

/* A question that is answered with an error, with nonsense, or not at all. */
static void questions_that_go_wrong(void **state)
{
    (void)state;
    struct ground g;
    int status = 0;
    static const char ask[] = "\"name\":\"test_input_required_result_elicitation\"";
    ground_begin(&g, NULL, true);
    ground_hello(&g, "2025-11-25", "{\"elicitation\":{\"url\":{}}}");
    assert_int_equal(ground_error(&g, false, "tools/call", ask, &status), -32600); /* no forms */
    assert_int_equal(json_array_size(g.heard), 0);
    ground_hello(&g, "2025-11-25", CAN);
    ground_answer(&g, "elicitation/create", "{\"error\": {\"code\": -1, \"message\": \"no\"}}");
    assert_int_equal(ground_error(&g, false, "tools/call", ask, &status), -32603);
    static const char *const nonsense[] = { "[]",
                                            "{}",
                                            "{\"action\": \"maybe\"}",
                                            "{\"action\": \"accept\"}",
                                            "{\"action\": \"accept\", \"content\": {\"name\": 5}}",
                                            "{\"action\": \"accept\", \"content\": {}}" };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        ground_answer(&g, "elicitation/create", nonsense[i]);
        assert_int_equal(ground_error(&g, false, "tools/call", ask, &status), -32603);
    }
    ground_answer(&g, "elicitation/create", "{\"action\": \"decline\"}");
    json_t *result = ground_result(&g, false, "tools/call", ask);
    assert_string_equal(ground_text(result, "content.0.text"), "Hello, !");
    json_decref(result);
    /* the client goes while it is asked */
    json_object_del(g.answers, "elicitation/create");
    mcp_session_end(g.session);
    assert_int_equal(ground_error(&g, false, "tools/call", ask, &status), -32603);
    /* an answer that nobody waits for */
    json_t *late = json_pack("{s:s, s:i, s:{}}", "jsonrpc", "2.0", "id", 1, "result");
    assert_int_equal(mcp_session_take(g.session, late), 1);
    json_decref(late);
    ground_end(&g);
}

/* ---- hostile input ---- */

/* Every method with parameters of every wrong kind: an answer of the one form or the other. */
static void parameters_of_every_kind(void **state)
{
    (void)state;
    static const char *const methods[] = { "initialize",          "ping",
                                           "server/discover",     "logging/setLevel",
                                           "tools/list",          "tools/call",
                                           "resources/list",      "resources/templates/list",
                                           "resources/read",      "prompts/list",
                                           "resources/subscribe", "resources/unsubscribe",
                                           "prompts/get",         "completion/complete",
                                           "subscriptions/listen" };
    static const char *const keys[] = { "name",           "uri",          "arguments",
                                        "cursor",         "level",        "ref",
                                        "argument",       "context",      "notifications",
                                        "inputResponses", "requestState", "protocolVersion",
                                        "clientInfo",     "capabilities", "_meta" };
    static const char *const values[] = {
        "null",
        "true",
        "-1e300",
        "9223372036854775807",
        "\"\"",
        "\"say\"",
        "\"a\\u0000b\"",
        "\"\\ud83d\\ude00\"",
        "[]",
        "[[[[[[{}]]]]]]",
        "{}",
        "{\"type\":\"ref/prompt\",\"name\":\"cloze\",\"uri\":[]}",
        "{\"name\":\"text\",\"value\":\"v\",\"arguments\":{\"a\":1}}",
        "{\"resourceSubscriptions\":[1,\"\",\"mem://1\",null]}",
        "{\"progressToken\":{}}"
    };
    for (int era = 0; era < 2; era++) {
        struct ground g;
        ground_begin(&g, "default: deny\n", true);
        if (!era)
            ground_hello(&g, "2025-11-25", "{}");
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
            for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
                for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                    char params[400];
                    snprintf(params, sizeof params, "\"%s\":%s", keys[k], values[v]);
                    int status = 0;
                    json_t *a = ground_request(&g, era, methods[m], params, &status);
                    bool one = !json_object_get(a, "result") != !json_object_get(a, "error");
                    if (a ? !one : status != 202)
                        fail_msg("%s {%s}", methods[m], params);
                    json_decref(a);
                }
        ground_end(&g);
    }
}

/* Every n-th allocation fails: the message is answered, or memory is out, and nothing leaks. */
static void allocations_fail(void **state)
{
    (void)state;
    static const struct {
        const char *method, *params;
    } calls[] = {
        { "server/discover", "" },
        { "tools/list", "" },
        { "tools/call", "\"name\":\"test_multiple_content_types\"" },
        { "tools/call", "\"name\":\"test_missing_capability\"" },
        { "tools/call", "\"name\":\"test_input_required_result_multiple_inputs\"" },
        { "tools/call", "\"name\":\"none\"" },
        { "resources/list", "" },
        { "resources/read", "\"uri\":\"test://template/1/data\"" },
        { "resources/read", "\"uri\":\"none://\"" },
        { "prompts/get",
          "\"name\":\"test_prompt_with_arguments\",\"arguments\":{\"arg1\":\"a\",\"arg2\":\"b\"}" },
        { "prompts/get", "\"name\":\"test_input_required_result_prompt\"" },
        { "completion/complete",
          "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"cloze\"},\"argument\":{\"name\":\"text\","
          "\"value\":\"ab\"}" },
    };
    struct ground g;
    ground_begin(&g, NULL, true);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        json_t *message =
            json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", 1, "method", calls[i].method);
        char text[1000];
        snprintf(text, sizeof text, "{%s%s" GROUND_META "}", calls[i].params,
                 *calls[i].params ? "," : "");
        json_t *params = NULL;
        assert_int_equal(base_json_parse(&params, text, strlen(text), "params"), 0);
        json_object_set_new(message, "params", params);
        json_t *whole = NULL;
        assert_int_equal(mcp_answer(g.session, &g.peer, message, &whole, NULL), 0);
        bool signs = ground_at(whole, "result.requestState"); /* with the time in it */
        long before = base_alloc_live();
        int good = 0;
        for (int n = 1; good < 20 && n < 5000; n++) {
            json_t *a = NULL;
            base_alloc_fail_after(n);
            int rc = mcp_session_take(g.session, message);
            if (rc == 0)
                rc = mcp_answer(g.session, &g.peer, message, &a, NULL);
            base_alloc_fail_after(0);
            good = rc ? 0 : good + 1;
            if (rc != (a ? 0 : BASE_E_MEMORY) || (a && !signs && !json_equal(a, whole))) {
                char *got = a ? json_dumps(a, 0) : NULL;
                fail_msg("%s {%s}: allocation %d: %d, %s", calls[i].method, calls[i].params, n, rc,
                         got ? got : "no answer");
            }
            json_decref(a);
            while (g.session->running) { /* noted, and not answered for want of memory */
                assert_int_equal(mcp_answer(g.session, &g.peer, message, &a, NULL), 0);
                json_decref(a);
            }
            if (base_alloc_live() != before)
                fail_msg("%s {%s}: allocation %d: %ld blocks left", calls[i].method,
                         calls[i].params, n, base_alloc_live() - before);
        }
        assert_int_equal(good, 20);
        json_decref(whole);
        json_decref(message);
    }
    ground_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_in_every_revision),
        cmocka_unit_test(what_is_told_fits_the_schemas),
        cmocka_unit_test(errors_have_their_codes),
        cmocka_unit_test(modern_requests_stand_alone),
        cmocka_unit_test(pages),
        cmocka_unit_test(what_is_not_offered_is_not_there),
        cmocka_unit_test(progress_and_log_messages),
        cmocka_unit_test(questions_that_go_wrong),
        cmocka_unit_test(parameters_of_every_kind),
        cmocka_unit_test(allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
