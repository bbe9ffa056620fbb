/* The client's parts that need no server: the event stream, headers, forms; what allocations that
 * fail do to them. */
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

/* ---- events ---- */

static int note(void *context, const char *type, const char *data, size_t bytes)
{
    return base_buffer_printf(context, "<%s:%.*s>", type, (int)bytes, data);
}

static void streams(void **state)
{
    (void)state;
    static const struct {
        const char *text, *events, *id;
        double retry;
    } cases[] = {
        { "data: a\n\n", "<message:a>", "", -1 },
        { "data:a\r\n\r\ndata: b\r\rdata:  c\n\n", "<message:a><message:b><message: c>", "", -1 },
        { "\xef\xbb\xbf"
          "data: a\n\n",
          "<message:a>", "", -1 },
        { "data: a\ndata: b\ndata:\n\n", "<message:a\nb\n>", "", -1 },
        { "event: x\ndata: a\n\ndata: b\n\n", "<x:a><message:b>", "", -1 },
        { ": hello\nnonsense\ndata: a\n\n", "<message:a>", "", -1 },
        { "id: 7\nretry: 500\ndata: \n\n", "", "7", 0.5 },
        { "id: 7\ndata: a\n\nid: 8\ndata: b\n", "<message:a>", "7", -1 }, /* 8 is not whole */
        { "id: 7\ndata: a\n\nid\ndata: b\n\n", "<message:a><message:b>", "", -1 },
        { "retry: 5x\nretry: 1500\n\n", "", "", 1.5 },
        { "retry: -1\nretry: 99999999999\n\n", "", "", -1 },
        { "data: a", "", "", -1 },
        { "\n\n\n", "", "", -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece < 9; piece++) { /* cut anywhere, the same events */
            struct base_buffer said = { 0 };
            struct mcp_events e = { .event = note, .context = &said, .most = 1000, .retry = -1 };
            size_t n = strlen(cases[i].text);
            for (size_t at = 0; at < n; at += piece)
                assert_int_equal(
                    mcp_events_feed(&e, cases[i].text + at, n - at < piece ? n - at : piece), 0);
            assert_string_equal(said.data ? said.data : "", cases[i].events);
            assert_string_equal(e.id.data ? e.id.data : "", cases[i].id);
            assert_true(e.retry == cases[i].retry);
            mcp_events_free(&e);
            base_buffer_free(&said);
        }
    struct base_buffer said = { 0 };
    struct mcp_events e = { .event = note, .context = &said, .most = 10 };
    assert_int_equal(mcp_events_feed(&e, "data: 1\ndata: 2\ndata: 3\ndata: 45678\n", 37),
                     BASE_E_LIMIT);
    mcp_events_free(&e);
}

/* ---- headers ---- */

static void values(void **state)
{
    (void)state;
    static const struct {
        const char *value, *header;
    } cases[] = {
        { "us-west1", "us-west1" },
        { "", "" },
        { "us west 1", "us west 1" },
        { " padded ", "=?base64?IHBhZGRlZCA=?=" },
        { "Hello, \xe4\xb8\x96\xe7\x95\x8c", "=?base64?SGVsbG8sIOS4lueVjA==?=" },
        { "line1\nline2", "=?base64?bGluZTEKbGluZTI=?=" },
        { "\tx", "=?base64?CXg=?=" },
        { "=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?=" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct base_buffer b = { 0 };
        assert_int_equal(mcp_header_append(&b, cases[i].value, strlen(cases[i].value)), 0);
        assert_string_equal(b.data ? b.data : "", cases[i].header);
        base_buffer_free(&b);
    }
}

static int add_line(void *context, const char *line)
{
    return base_buffer_printf(context, "%s|", line);
}

static void annotations(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *arguments, *headers; /* NULL: refused */
    } cases[] = {
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
          "\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"},"
          "\"b\":{\"type\":\"boolean\",\"x-mcp-header\":\"B\"},\"z\":{\"type\":\"string\"}}}",
          "{\"a\":\"x\",\"n\":42,\"b\":false,\"z\":\"q\"}",
          "Mcp-Param-Region: x|Mcp-Param-N: 42|Mcp-Param-B: false|" },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"}}}",
          "{\"a\":null}", "" },
        { "{\"properties\":{\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"}}}", "{\"n\":3.0}",
          "Mcp-Param-N: 3|" },
        { "{\"properties\":{\"o\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\","
          "\"x-mcp-header\":\"Deep\"}}}}}",
          "{\"o\":{\"a\":\"y\"}}", "Mcp-Param-Deep: y|" },
        { "{\"properties\":{\"x-mcp-header\":{\"type\":\"string\"}}}", "{}", "" },
        { "{\"default\":{\"x-mcp-header\":\"\"}}", "{}", "" },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}}}", "{}", NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":5}}}", "{}", NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a b\"}}}", "{}", NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a\\u0000b\"}}}", "{}",
          NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"R\\u00e9\"}}}", "{}",
          NULL },
        { "{\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"R\"}}}", "{}", NULL },
        { "{\"properties\":{\"a\":{\"type\":[\"string\"],\"x-mcp-header\":\"R\"}}}", "{}", NULL },
        { "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"R\"},"
          "\"b\":{\"type\":\"string\",\"x-mcp-header\":\"r\"}}}",
          "{}", NULL },
        { "{\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\","
          "\"x-mcp-header\":\"R\"}}}}",
          "{}", NULL },
        { "{\"$defs\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"R\"}}}", "{}", NULL },
        { "{\"type\":\"string\",\"x-mcp-header\":\"R\"}", "{}", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *schema = NULL, *arguments = NULL, *map = NULL;
        struct base_buffer b = { 0 };
        assert_int_equal(
            base_json_parse_wire(&schema, cases[i].schema, strlen(cases[i].schema), 0, "s"), 0);
        assert_int_equal(base_json_parse_wire(&arguments, cases[i].arguments,
                                              strlen(cases[i].arguments), 0, "a"),
                         0);
        int rc = mcp_header_map(schema, &map);
        if ((rc == 0) != (cases[i].headers != NULL))
            fail_msg("%s: %d", cases[i].schema, rc);
        if (!rc) {
            assert_int_equal(mcp_header_params(map, arguments, add_line, &b), 0);
            assert_string_equal(b.data ? b.data : "", cases[i].headers);
        } else {
            assert_int_equal(rc, BASE_E_FORMAT);
        }
        base_buffer_free(&b);
        json_decref(map);
        json_decref(schema);
        json_decref(arguments);
    }
    json_t *deep = json_object(); /* deeper than it is looked at */
    for (int i = 0; i < 300; i++)
        deep = json_pack("{s:o}", "items", deep);
    json_t *map = NULL;
    assert_int_equal(mcp_header_map(deep, &map), BASE_E_FORMAT);
    json_decref(deep);
}

/* ---- forms ---- */

#define FORM                                                                                       \
    "{\"message\":\"m\",\"requestedSchema\":{\"type\":\"object\",\"required\":[\"name\"],"         \
    "\"properties\":{\"name\":{\"type\":\"string\",\"default\":\"Ann\"},\"age\":{\"type\":"        \
    "\"integer\",\"minimum\":18,\"default\":30},\"who\":{\"type\":\"string\",\"enum\":[\"a\","     \
    "\"b\"]}}}}"

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *params, *result, *filled; /* NULL: refused */
    } cases[] = {
        { FORM, "{\"action\":\"accept\"}",
          "{\"action\":\"accept\",\"content\":{\"age\":30,\"name\":\"Ann\"}}" },
        { FORM, "{\"action\":\"accept\",\"content\":{\"age\":20,\"who\":\"b\"}}",
          "{\"action\":\"accept\",\"content\":{\"age\":20,\"name\":\"Ann\",\"who\":\"b\"}}" },
        { FORM, "{\"action\":\"decline\"}", "{\"action\":\"decline\"}" },
        { FORM, "{\"action\":\"cancel\"}", "{\"action\":\"cancel\"}" },
        { FORM, "{\"action\":\"accept\",\"content\":{\"age\":7}}", NULL },
        { FORM, "{\"action\":\"accept\",\"content\":{\"who\":\"c\"}}", NULL },
        { FORM, "{\"action\":\"accept\",\"content\":[]}", NULL },
        { FORM, "{\"action\":\"yes\"}", NULL },
        { FORM, "{}", NULL },
        { "{\"message\":\"m\"}", "{\"action\":\"accept\"}", NULL },
        { "{\"mode\":\"url\",\"url\":\"x\"}", "{\"action\":\"accept\"}",
          "{\"action\":\"accept\"}" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *params = NULL, *result = NULL;
        base_json_parse_wire(&params, cases[i].params, strlen(cases[i].params), 0, "p");
        base_json_parse_wire(&result, cases[i].result, strlen(cases[i].result), 0, "r");
        int rc = mcp_form_complete(params, result);
        char *text = json_dumps(result, JSON_COMPACT | JSON_SORT_KEYS);
        if (cases[i].filled) {
            assert_int_equal(rc, 0);
            assert_string_equal(text, cases[i].filled);
        } else {
            assert_int_equal(rc, BASE_E_FORMAT);
        }
        base_free(text);
        json_decref(params);
        json_decref(result);
    }
}

/* ---- memory ---- */

static void allocations(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"}}}";
    json_t *tool = NULL, *arguments = json_pack("{s:s}", "a", " x ");
    base_json_parse_wire(&tool, schema, sizeof schema - 1, 0, "s");
    json_t *params = NULL;
    base_json_parse_wire(&params, FORM, sizeof FORM - 1, 0, "p");
    long live = base_alloc_live();
    for (long n = 1, failed = 1; failed; n++) {
        struct base_buffer said = { 0 };
        struct mcp_events e = { .event = note, .context = &said, .most = 1000 };
        json_t *map = NULL, *result = NULL;
        base_alloc_fail_after(n);
        int rc = mcp_events_feed(&e, "id: 7\nevent: x\ndata: a\ndata: b\n\n", 32);
        if (!rc)
            rc = mcp_header_map(tool, &map);
        if (!rc)
            rc = mcp_header_params(map, arguments, add_line, &said);
        result = rc ? NULL : json_pack("{s:s}", "action", "accept");
        if (!rc)
            rc = result ? mcp_form_complete(params, result) : BASE_E_MEMORY;
        base_alloc_fail_after(0);
        failed = rc != 0;
        if (rc && rc != BASE_E_MEMORY)
            fail_msg("allocation %ld: %d %s", n, rc, base_error_message());
        json_decref(map);
        json_decref(result);
        mcp_events_free(&e);
        base_buffer_free(&said);
        assert_int_equal(base_alloc_live(), live);
        assert_true(n < 10000);
    }
    json_decref(tool);
    json_decref(arguments);
    json_decref(params);
}

/* A server in memory: the n-th request gets the n-th answer. */
struct canned {
    const char *const *answers;
    int next;
};
static int canned_exchange(struct mcp_client *c, struct mcp_exchange *x)
{
    struct canned *k = c->line;
    json_t *message = NULL;
    char text[2000];
    if (!k->answers[k->next])
        return base_error_set(BASE_E_IO, "no more");
    snprintf(text, sizeof text, "{\"id\":%d,%s}", (int)x->id, k->answers[k->next++]);
    int rc = base_json_parse_wire(&message, text, strlen(text), 0, "m");
    if (!rc)
        rc = mcp_client_take(c, x, message);
    json_decref(message);
    return rc;
}
static int canned_send(struct mcp_client *c, const json_t *message, double until)
{
    (void)c, (void)message, (void)until;
    return 0;
}
static void canned_close(struct mcp_client *c)
{
    c->line = NULL;
}
static int canned_asked(void *context, const char *method, const json_t *params, json_t **result)
{
    (void)context, (void)method, (void)params;
    *result = json_pack("{s:s}", "action", "accept");
    return *result ? 0 : BASE_E_MEMORY;
}

/* Rounds of input, lists, tools with pins: every allocation of it fails once. */
static void sessions_in_memory(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "\"result\":{\"tools\":[{\"name\":\"t\",\"description\":\"d\",\"inputSchema\":{\"type\":"
        "\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}},"
        "{\"name\":\"bad\",\"inputSchema\":{\"type\":\"object\",\"x-mcp-header\":\"A\"}}],"
        "\"nextCursor\":\"c\"}",
        "\"result\":{\"tools\":[{\"name\":\"far\",\"inputSchema\":{\"type\":\"object\",\"$ref\":"
        "\"http://x/y\"}}]}",
        "\"result\":{\"resultType\":\"input_required\",\"requestState\":\"s\",\"inputRequests\":{"
        "\"k\":{\"method\":\"elicitation/create\",\"params\":{\"requestedSchema\":{\"type\":"
        "\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"default\":3}}}}}}}",
        "\"result\":{\"resultType\":\"complete\",\"content\":[]}",
        NULL,
    };
    static const struct mcp_transport transport = { .exchange = canned_exchange,
                                                    .send = canned_send,
                                                    .close = canned_close };
    const char *pins = test_temporary_path(".pins");
    long live = base_alloc_live();
    for (long n = 1, failed = 1; failed; n++) {
        struct canned k = { answers, 0 };
        struct mcp_client *c = base_alloc_zero(1, sizeof *c);
        struct agent_tools *tools = NULL;
        json_t *result = NULL;
        pthread_mutex_init(&c->lock, NULL);
        c->transport = &transport;
        c->line = &k;
        c->name = base_strdup("canned");
        c->can = json_pack("{s:{}}", "elicitation");
        c->offers = json_pack("{s:{}}", "tools");
        c->o.timeout = 5;
        c->o.asked = canned_asked;
        c->http = c->modern = true;
        assert_int_equal(agent_tools_make(&tools), 0);
        unlink(pins);
        base_alloc_fail_after(n);
        int rc = mcp_client_add_tools(c, tools, "p", pins);
        if (!rc)
            rc = mcp_client_request(c, "tools/call", json_pack("{s:s}", "name", "t"), &result);
        base_alloc_fail_after(0);
        failed = rc != 0;
        if (rc && rc != BASE_E_MEMORY)
            fail_msg("allocation %ld: %d %s", n, rc, base_error_message());
        if (!rc) {
            assert_int_equal(agent_tools_count(tools), 1);
            assert_int_equal(json_array_size(mcp_client_left_out(c)), 2);
        }
        json_decref(result);
        agent_tools_free(tools);
        mcp_client_close(c);
        assert_int_equal(base_alloc_live(), live);
        assert_true(n < 20000);
    }
    unlink(pins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams),     cmocka_unit_test(values),
        cmocka_unit_test(annotations), cmocka_unit_test(forms),
        cmocka_unit_test(allocations), cmocka_unit_test(sessions_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
