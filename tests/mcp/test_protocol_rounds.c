/* Questions in rounds, approval, subscriptions, cancellation: what outlives one message. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"
#include "protocol_ground.h"

#define CAN "{\"elicitation\":{},\"sampling\":{},\"roots\":{}}"

/* ---- rounds of 2026-07-28 ---- */

#define SAID(key, content) "\"" key "\":{\"action\":\"accept\",\"content\":" content "}"

/* A call with what was asked for; state "" = without. The answer, new. */
static json_t *retry(struct ground *g, const char *call, const char *said, const char *state,
                     int *status)
{
    char params[4096];
    snprintf(params, sizeof params, "%s,\"inputResponses\":{%s}%s%s%s", call, said,
             *state ? ",\"requestState\":\"" : "", state, *state ? "\"" : "");
    return ground_request(g, true, "tools/call", params, status);
}
static long long code_of(json_t *answer)
{
    long long code = (long long)json_integer_value(ground_at(answer, "error.code"));
    json_decref(answer);
    return code;
}
/* The state of a first round. */
static void state_of(struct ground *g, const char *call, char state[2000])
{
    json_t *result = ground_result(g, true, "tools/call", call);
    assert_string_equal(ground_text(result, "resultType"), "input_required");
    snprintf(state, 2000, "%s", ground_text(result, "requestState"));
    json_decref(result);
}

static void rounds(void **state)
{
    (void)state;
    struct ground g;
    char first[2000], second[2000];
    static const char call[] = "\"name\":\"test_input_required_result_multi_round\"";
    ground_begin(&g, NULL, true);
    state_of(&g, call, first);
    json_t *a = retry(&g, call, SAID("step1", "{\"name\":\"Bo\"}"), first, NULL);
    assert_non_null(ground_at(a, "result.inputRequests.step2"));
    assert_null(ground_at(a, "result.inputRequests.step1"));
    snprintf(second, sizeof second, "%s", ground_text(a, "result.requestState"));
    assert_string_not_equal(first, second);
    json_decref(a);
    /* the first answer travels in the state, and is not to be said again otherwise */
    a = retry(&g, call, SAID("step2", "{\"color\":\"red\"}") "," SAID("step1", "{\"name\":\"X\"}"),
              second, NULL);
    assert_string_equal(ground_text(a, "result.content.0.text"), "Hello, Bo! You like red.");
    json_decref(a);
    /* what is missing or does not do is asked for again, and what is unknown passed by */
    a = retry(&g, call, SAID("step1", "{\"name\":7}") "," SAID("other", "{}"), "", NULL);
    assert_non_null(ground_at(a, "result.inputRequests.step1"));
    json_decref(a);
    a = retry(&g, call, SAID("step1", "{\"name\":\"Cy\"}") "," SAID("other", "{}"), "", NULL);
    assert_non_null(ground_at(a, "result.inputRequests.step2"));
    json_decref(a);
    /* what is no answer at all is refused */
    assert_int_equal(code_of(retry(&g, call, "\"step1\":5", "", NULL)), -32602);
    assert_int_equal(
        code_of(ground_request(&g, true, "tools/call",
                               "\"name\":\"test_simple_text\",\"inputResponses\":null", NULL)),
        -32602);
    assert_int_equal(
        code_of(ground_request(&g, true, "tools/call",
                               "\"name\":\"test_simple_text\",\"requestState\":{}", NULL)),
        -32602);
    ground_end(&g);
}

/* A state is good for this server, this principal, this request, for a while, and as it is. */
static void states_are_guarded(void **state)
{
    (void)state;
    struct ground g, other;
    char good[2000], bad[2100];
    static const char call[] = "\"name\":\"test_input_required_result_tampered_state\"";
    static const char said[] = SAID("confirm", "{\"ok\":true}");
    ground_begin(&g, NULL, true);
    state_of(&g, call, good);
    json_t *a = retry(&g, call, said, good, NULL);
    assert_string_equal(ground_text(a, "result.content.0.text"), "state-ok");
    json_decref(a);
    /* without the state the answer is nobody's */
    a = retry(&g, call, said, "", NULL);
    assert_string_equal(ground_text(a, "result.resultType"), "input_required");
    json_decref(a);
    size_t n = strlen(good);
    for (size_t i = 0; i <= n; i++) { /* every character changed, and one more */
        snprintf(bad, sizeof bad, "%s%s", good, i == n ? "0" : "");
        if (i < n)
            bad[i] = bad[i] == 'A' ? 'B' : 'A';
        assert_int_equal(code_of(retry(&g, call, said, bad, NULL)), -32602);
        if (i && i < n) { /* and cut */
            bad[i] = 0;
            assert_int_equal(code_of(retry(&g, call, said, bad, NULL)), -32602);
        }
    }
    static const char *const none[] = { ".", "..", "A.", "=.0", "e30.", "\\u0000" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(code_of(retry(&g, call, said, none[i], NULL)), -32602);
    /* of another request */
    static const char *const others[] = {
        "\"name\":\"test_input_required_result_request_state\"",
        "\"name\":\"test_input_required_result_tampered_state\",\"arguments\":{\"x\":1}"
    };
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(code_of(retry(&g, others[i], said, good, NULL)), -32602);
    /* of another principal, another server, another time */
    struct mcp_session *mine = g.session;
    assert_int_equal(mcp_session_make(&g.session, g.server, "test", "you"), 0);
    assert_int_equal(code_of(retry(&g, call, said, good, NULL)), -32602);
    mcp_session_free(g.session);
    g.session = mine;
    ground_begin(&other, NULL, true);
    assert_int_equal(code_of(retry(&other, call, said, good, NULL)), -32602);
    ground_end(&other);
    g.server->state_seconds = -1;
    state_of(&g, call, good);
    a = retry(&g, call, said, good, NULL);
    assert_string_equal(ground_text(a, "error.message"), "params.requestState has expired");
    json_decref(a);
    ground_end(&g);
}

/* ---- approval ---- */

#define ASK  "rules:\n  - tool: say\n    action: ask\n"
#define CALL "\"name\":\"say\",\"arguments\":{\"x\":1}"

static void approval_in_a_session(void **state)
{
    (void)state;
    static const struct {
        const char *capabilities, *answer;
        bool asked, yes;
    } cases[] = {
        { CAN, "{\"action\": \"accept\", \"content\": {\"approve\": true}}", true, true },
        { CAN, "{\"action\": \"accept\", \"content\": {\"approve\": false}}", true, false },
        { CAN, "{\"action\": \"accept\", \"content\": {}}", true, false },
        { CAN, "{\"action\": \"decline\"}", true, false },
        { CAN, "{\"action\": \"cancel\", \"content\": {\"approve\": true}}", true, false },
        { CAN, "{\"error\": {\"code\": -1, \"message\": \"no\"}}", true, false },
        { "{}", "{\"action\": \"accept\", \"content\": {\"approve\": true}}", false, false },
        { "{\"elicitation\":{\"url\":{}}}",
          "{\"action\": \"accept\", \"content\": {\"approve\": true}}", false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ground g;
        ground_begin(&g, ASK, false);
        ground_hello(&g, "2025-11-25", cases[i].capabilities);
        ground_answer(&g, "elicitation/create", cases[i].answer);
        json_t *result = ground_result(&g, false, "tools/call", CALL);
        assert_int_equal(json_is_true(json_object_get(result, "isError")), !cases[i].yes);
        if (!cases[i].yes)
            assert_memory_equal(ground_text(result, "content.0.text"), "denied: ", 8);
        const json_t *asked = ground_heard(&g, "elicitation/create", 0);
        assert_int_equal(asked != NULL, cases[i].asked);
        if (asked) { /* the question names the tool, the arguments and their digest */
            const char *text = ground_text(asked, "params.message");
            assert_non_null(strstr(text, "say"));
            assert_non_null(strstr(text, "{\"x\":1}"));
            assert_non_null(
                strstr(text, "5041bf1f713df204784353e82f6a4a535931cb64f1f4b4a5aeaffcb720918b22"));
        }
        json_decref(result);
        ground_end(&g);
    }
}

static void approval_in_rounds(void **state)
{
    (void)state;
    struct ground g;
    char good[2000];
    static const char yes[] = SAID("approval", "{\"approve\":true}");
    ground_begin(&g, ASK, false);
    /* an answer that was not asked for does not count: it is asked */
    json_t *a = retry(&g, CALL, yes, "", NULL);
    assert_string_equal(ground_text(a, "result.inputRequests.approval.method"),
                        "elicitation/create");
    json_decref(a);
    state_of(&g, CALL, good);
    /* nor does one for other arguments, another tool */
    assert_int_equal(
        code_of(retry(&g, "\"name\":\"say\",\"arguments\":{\"x\":2}", yes, good, NULL)), -32602);
    a = retry(&g, CALL, SAID("approval", "{\"approve\":false}"), good, NULL);
    assert_true(json_is_true(ground_at(a, "result.isError")));
    json_decref(a);
    a = retry(&g, CALL, "\"approval\":{\"action\":\"decline\"}", good, NULL);
    assert_true(json_is_true(ground_at(a, "result.isError")));
    json_decref(a);
    a = retry(&g, CALL, yes, good, NULL);
    assert_int_equal(json_integer_value(ground_at(a, "result.structuredContent.said")), 1);
    json_decref(a);
    ground_end(&g);
    /* a client that cannot be asked is denied */
    ground_begin(&g, ASK, false);
    json_t *result =
        ground_result(&g, true, "tools/call",
                      CALL ",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                           "\"io.modelcontextprotocol/clientCapabilities\":{}}");
    assert_true(json_is_true(json_object_get(result, "isError")));
    json_decref(result);
    ground_end(&g);
}

/* ---- subscriptions ---- */

static void resources_are_watched(void **state)
{
    (void)state;
    struct ground g;
    ground_begin(&g, NULL, false);
    atomic_store(&ground_stamp, 1);
    mcp_session_listen(g.session, ground_hear, &g);
    ground_hello(&g, "2025-11-25", "{}");
    json_decref(ground_result(&g, false, "resources/subscribe", "\"uri\":\"mem://7\""));
    json_decref(ground_result(&g, false, "resources/subscribe", "\"uri\":\"mem://8\""));
    json_decref(ground_result(&g, false, "resources/unsubscribe", "\"uri\":\"mem://8\""));
    atomic_store(&ground_stamp, 2);
    const json_t *told = ground_wait(&g, "notifications/resources/updated", 0);
    assert_string_equal(ground_text(told, "params.uri"), "mem://7");
    /* a new resource changes the list */
    atomic_store(&ground_resources, 6);
    assert_non_null(ground_wait(&g, "notifications/resources/list_changed", 0));
    atomic_store(&ground_resources, 5);
    assert_null(ground_heard(&g, "notifications/resources/updated", 1));
    ground_end(&g);
}

#define TAG "io.modelcontextprotocol/subscriptionId"
static json_int_t tag_of(const json_t *message)
{
    const json_t *meta = json_object_get(json_object_get(message, "params"), "_meta");
    return json_integer_value(json_object_get(meta, TAG));
}

/* On standard output a subscription stays while other requests are answered. */
static void subscriptions_that_last(void **state)
{
    (void)state;
    struct ground g;
    ground_begin(&g, NULL, true);
    atomic_store(&ground_stamp, 1);
    assert_null(ground_request(&g, true, "subscriptions/listen",
                               "\"notifications\":{\"toolsListChanged\":true,"
                               "\"promptsListChanged\":false,\"resourceSubscriptions\":["
                               "\"mem://1\",\"none://1\"]}",
                               NULL));
    const json_t *first = ground_heard(&g, "notifications/subscriptions/acknowledged", 0);
    assert_int_equal(tag_of(first), 7);
    assert_true(json_is_true(ground_at(first, "params.notifications.toolsListChanged")));
    assert_null(ground_at(first, "params.notifications.promptsListChanged"));
    assert_int_equal(
        json_array_size(ground_at(first, "params.notifications.resourceSubscriptions")), 1);
    json_decref(ground_result(&g, true, "tools/call", "\"name\":\"test_trigger_tool_change\""));
    json_decref(ground_result(&g, true, "tools/call", "\"name\":\"test_trigger_prompt_change\""));
    assert_int_equal(tag_of(ground_heard(&g, "notifications/tools/list_changed", 0)), 7);
    assert_null(ground_heard(&g, "notifications/prompts/list_changed", 0));
    atomic_store(&ground_stamp, 2);
    const json_t *told = ground_wait(&g, "notifications/resources/updated", 0);
    assert_string_equal(ground_text(told, "params.uri"), "mem://1");
    assert_int_equal(tag_of(told), 7);
    if (access(test_shared_path("agent/mcp/2026-07-28/schema.json"), R_OK) == 0) {
        ground_fits("2026-07-28", "SubscriptionsAcknowledgedNotification", first);
        ground_fits("2026-07-28", "ResourceUpdatedNotification", told);
        ground_fits("2026-07-28", "ToolListChangedNotification",
                    ground_heard(&g, "notifications/tools/list_changed", 0));
    }
    /* cancelled, it is silent; the session's end is told to the others */
    assert_null(ground_request(&g, true, "subscriptions/listen",
                               "\"notifications\":{\"promptsListChanged\":true},\"_meta\":{"
                               "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                               "\"io.modelcontextprotocol/clientCapabilities\":{}}",
                               NULL));
    assert_null(ground_post(&g,
                            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                            "\"params\":{\"requestId\":7}}",
                            NULL));
    size_t heard = json_array_size(g.heard);
    json_decref(ground_result(&g, true, "tools/call", "\"name\":\"test_trigger_tool_change\""));
    assert_int_equal(json_array_size(g.heard), heard);
    for (int i = 0; i < 100; i++)
        assert_null(ground_request(&g, true, "subscriptions/listen",
                                   "\"notifications\":{\"toolsListChanged\":true}", NULL));
    assert_int_equal(ground_error(&g, true, "subscriptions/listen",
                                  "\"notifications\":{\"toolsListChanged\":true}", NULL),
                     -32600);
    mcp_session_free(g.session);
    g.session = NULL;
    json_t *end = json_array_get(g.heard, json_array_size(g.heard) - 1);
    assert_int_equal(json_integer_value(json_object_get(end, "id")), 7);
    assert_string_equal(ground_text(end, "result.resultType"), "complete");
    ground_end(&g);
}

static void *listen_here(void *context)
{
    return ground_request(context, true, "subscriptions/listen",
                          "\"notifications\":{\"toolsListChanged\":true}", NULL);
}

/* Over HTTP the request stays, and ends with its reader, or with the session. */
static void subscriptions_that_hold_their_stream(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct ground g;
        pthread_t thread;
        struct mcp_session *other = NULL;
        ground_begin(&g, NULL, true);
        g.peer.lasting = false;
        assert_int_equal(pthread_create(&thread, NULL, listen_here, &g), 0);
        assert_non_null(ground_wait(&g, "notifications/subscriptions/acknowledged", 0));
        /* changed by somebody else */
        assert_int_equal(mcp_session_make(&other, g.server, NULL, "you"), 0);
        mcp_changed(g.server, MCP_TOOLS_CHANGED);
        mcp_changed(g.server, MCP_PROMPTS_CHANGED);
        assert_int_equal(tag_of(ground_wait(&g, "notifications/tools/list_changed", 0)), 7);
        assert_null(ground_heard(&g, "notifications/prompts/list_changed", 0));
        mcp_session_free(other);
        void *answer = NULL;
        if (how == 0)
            atomic_store(&g.gone, true);
        else
            mcp_session_free(g.session);
        pthread_join(thread, &answer);
        assert_int_equal(answer != NULL, how == 1);
        if (how == 1)
            g.session = NULL;
        json_decref(answer);
        ground_end(&g);
    }
}

/* ---- cancellation ---- */

static void *ask_here(void *context)
{
    return ground_request(context, false, "tools/call",
                          "\"name\":\"test_input_required_result_elicitation\"", NULL);
}

/* A question that nobody answers ends with its request. */
static void cancelled_while_asked(void **state)
{
    (void)state;
    static const char cancel[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                                 "\"params\":{\"requestId\":7,\"reason\":\"enough\"}}";
    for (int how = 0; how < 3; how++) {
        struct ground g;
        pthread_t thread;
        ground_begin(&g, NULL, true);
        ground_hello(&g, "2025-11-25", CAN);
        assert_int_equal(pthread_create(&thread, NULL, ask_here, &g), 0);
        assert_non_null(ground_wait(&g, "elicitation/create", 0));
        if (how == 0)
            assert_null(ground_post(&g, cancel, NULL));
        else if (how == 1)
            atomic_store(&g.gone, true);
        else
            mcp_session_free(g.session); /* waits for the thread's request */
        void *answer = NULL;
        pthread_join(thread, &answer);
        assert_null(answer);
        if (how == 2)
            g.session = NULL;
        ground_end(&g);
    }
    /* of what does not run, or is no request: silence */
    struct ground g;
    ground_begin(&g, NULL, true);
    assert_null(ground_post(&g, cancel, NULL));
    assert_null(ground_post(
        &g, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":[]}", NULL));
    assert_null(
        ground_post(&g, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}", NULL));
    ground_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds),
        cmocka_unit_test(states_are_guarded),
        cmocka_unit_test(approval_in_a_session),
        cmocka_unit_test(approval_in_rounds),
        cmocka_unit_test(resources_are_watched),
        cmocka_unit_test(subscriptions_that_last),
        cmocka_unit_test(subscriptions_that_hold_their_stream),
        cmocka_unit_test(cancelled_while_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
