/* The client over HTTP against servers that answer as they please, and against our own. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"
#include "http_mock.h"

#define HELLO                                                                                      \
    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":"          \
    "{\"name\":\"mock\",\"version\":\"1\"}}"

static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What every server of the era of sessions does; false when it is for the test. */
static bool usual(const struct mock_request *r, int fd, const char *session)
{
    char head[200];
    snprintf(head, sizeof head, "Mcp-Session-Id: %s\r\n", session);
    if (strcmp(r->method, "initialize") == 0)
        mock_result(fd, head, r->id, HELLO);
    else if (strncmp(r->method, "notifications/", 14) == 0)
        mock_answer(fd, 202, "", "");
    else if (strcmp(r->verb, "DELETE") == 0)
        mock_answer(fd, 200, "", "");
    else
        return false;
    return true;
}

static struct mcp_client *connect_to(struct mock *m, const struct mcp_client_options *more)
{
    struct mcp_client_options o = more ? *more : (struct mcp_client_options){ 0 };
    struct mcp_client *c = NULL;
    o.url = m->url;
    if (!o.timeout)
        o.timeout = 5;
    if (mcp_client_open(&c, &o))
        fail_msg("%s", base_error_message());
    return c;
}

static int call(struct mcp_client *c, const char *name, json_t **result)
{
    return mcp_client_request(c, "tools/call", json_pack("{s:s, s:{}}", "name", name, "arguments"),
                              result);
}

/* ---- a session ---- */

static void plain(struct mock *m, const struct mock_request *r, int fd)
{
    (void)m;
    if (!usual(r, fd, "abc"))
        mock_result(fd, "", r->id, "{\"content\":[],\"n\":1}");
}

static void sessions(void **state)
{
    (void)state;
    struct mock m;
    json_t *result = NULL;
    mock_begin(&m, plain);
    struct mcp_client *c = connect_to(&m, &(struct mcp_client_options){ .token = "secret" });
    assert_string_equal(mcp_client_version(c), "2025-11-25");
    assert_non_null(json_object_get(mcp_client_offers(c), "tools"));
    assert_int_equal(call(c, "t", &result), 0);
    assert_int_equal(json_integer_value(json_object_get(result, "n")), 1);
    json_decref(result);
    mcp_client_close(c);
    mock_end(&m);
    assert_int_equal(m.n_seen, 4);
    assert_string_equal(mock_header(mock_seen(&m, 0), "Mcp-Session-Id"), "");
    assert_string_equal(mock_header(mock_seen(&m, 0), "MCP-Protocol-Version"), "");
    assert_string_equal(mock_header(mock_seen(&m, 0), "Accept"),
                        "application/json, text/event-stream");
    assert_non_null(strstr(mock_seen(&m, 1), "\nnotifications/initialized"));
    for (int i = 1; i < 4; i++) {
        assert_string_equal(mock_header(mock_seen(&m, i), "Mcp-Session-Id"), "abc");
        assert_string_equal(mock_header(mock_seen(&m, i), "MCP-Protocol-Version"), "2025-11-25");
        assert_string_equal(mock_header(mock_seen(&m, i), "Authorization"), "Bearer secret");
    }
    assert_int_equal(strncmp(mock_seen(&m, 3), "DELETE ", 7), 0);
}

/* A session that the server has forgotten is begun anew, once, and the request made again. */
static void forgetful(struct mock *m, const struct mock_request *r, int fd)
{
    const char *session = mock_header(r->headers, "Mcp-Session-Id");
    bool first = strcmp(session, "s1") == 0;
    if (strcmp(r->method, "tools/call") == 0 && (first || m->counts[1]))
        mock_answer(fd, 404, "", "");
    else if (strcmp(r->method, "initialize") == 0)
        usual(r, fd, m->counts[0]++ ? "s2" : "s1");
    else if (!usual(r, fd, "s1"))
        mock_result(fd, "", r->id, "{\"content\":[]}");
}

static void lost_sessions(void **state)
{
    (void)state;
    struct mock m;
    json_t *result = NULL;
    mock_begin(&m, forgetful);
    struct mcp_client *c = connect_to(&m, NULL);
    assert_int_equal(call(c, "t", &result), 0);
    json_decref(result);
    assert_int_equal(m.counts[0], 2);
    m.counts[1] = 1; /* every session is unknown from now on: no endless beginning */
    assert_int_equal(call(c, "t", &result), BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "knows the session no more"));
    assert_int_equal(m.counts[0], 3);
    mcp_client_close(c);
    mock_end(&m);
}

/* ---- streams ---- */

static void breaking(struct mock *m, const struct mock_request *r, int fd)
{
    if (usual(r, fd, "s"))
        return;
    char text[300];
    mock_stream(fd);
    if (strcmp(r->verb, "GET") != 0) { /* the stream breaks off before the answer */
        m->counts[1] = (int)r->id;
        mock_put(fd, "id: e1\nretry: 300\ndata: \n\n");
        return;
    }
    m->counts[0]++;
    if (m->counts[0] == 1) {
        mock_put(fd, "id: e2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\n\n");
        return;
    }
    snprintf(text, sizeof text,
             "id: e3\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":%d,\"result\":"
             "{\"content\":[]}}\n\n",
             m->counts[1]);
    mock_put(fd, text);
}

static void streams_are_resumed(void **state)
{
    (void)state;
    struct mock m;
    json_t *result = NULL;
    mock_begin(&m, breaking);
    struct mcp_client *c = connect_to(&m, NULL);
    double begun = clock_now();
    if (call(c, "t", &result))
        fail_msg("%s", base_error_message());
    json_decref(result);
    double took = clock_now() - begun;
    assert_true(took > 0.55 && took < 4); /* twice the server's 0.3 s */
    mcp_client_close(c);
    mock_end(&m);
    assert_string_equal(mock_header(mock_seen(&m, 3), "Last-Event-ID"), "e1");
    assert_string_equal(mock_header(mock_seen(&m, 4), "Last-Event-ID"), "e2");
}

/* The server asks during a call, on the call's own stream, and waits for our POST. */
static void asking(struct mock *m, const struct mock_request *r, int fd)
{
    if (usual(r, fd, "s"))
        return;
    if (strcmp(r->verb, "GET") == 0) {
        mock_answer(fd, 405, "", "");
    } else if (!*r->method) { /* the answer to what was asked */
        const json_t *content = json_object_get(json_object_get(r->message, "result"), "content");
        const char *id = json_string_value(json_object_get(r->message, "id"));
        if (id && strcmp(id, "q1") == 0 &&
            json_integer_value(json_object_get(content, "age")) == 30)
            m->counts[0] = 1;
        if (id && strcmp(id, "q2") == 0)
            m->counts[1] = (int)json_integer_value(
                json_object_get(json_object_get(r->message, "error"), "code"));
        mock_answer(fd, 202, "", "");
    } else {
        char text[300];
        mock_stream(fd);
        mock_put(fd, "data: {\"jsonrpc\":\"2.0\",\"id\":\"q1\",\"method\":\"elicitation/create\","
                     "\"params\":{\"message\":\"m\",\"requestedSchema\":{\"type\":\"object\","
                     "\"properties\":{\"age\":{\"type\":\"integer\",\"default\":30}}}}}\n\n");
        mock_put(fd, "data: {\"jsonrpc\":\"2.0\",\"id\":\"q2\",\"method\":\"roots/list\"}\n\n");
        for (int i = 0; i < 300 && !(m->counts[0] && m->counts[1]); i++)
            usleep(10000);
        snprintf(text, sizeof text,
                 "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
                 "{\"progressToken\":%lld,\"progress\":1,\"total\":2}}\n\n"
                 "data: {\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"content\":[]}}\n\n",
                 r->id, r->id);
        mock_put(fd, text);
    }
}

static int accept_all(void *context, const char *method, const json_t *params, json_t **result)
{
    (void)params;
    ++*(int *)context;
    assert_string_equal(method, "elicitation/create");
    *result = json_pack("{s:s}", "action", "accept");
    return 0;
}
static int heard;
static void hear(void *context, const char *method, const json_t *params)
{
    (void)context;
    if (strcmp(method, "notifications/progress") == 0)
        heard += (int)json_integer_value(json_object_get(params, "progress"));
}

static void questions(void **state)
{
    (void)state;
    struct mock m;
    json_t *result = NULL, *can = json_pack("{s:{}}", "elicitation");
    int asked = 0;
    heard = 0;
    mock_begin(&m, asking);
    struct mcp_client *c = connect_to(
        &m, &(struct mcp_client_options){
                .asked = accept_all, .capabilities = can, .told = hear, .context = &asked });
    if (call(c, "t", &result))
        fail_msg("%s", base_error_message());
    json_decref(result);
    assert_int_equal(asked, 1);
    assert_int_equal(heard, 1);
    assert_int_equal(m.counts[0], 1);
    assert_int_equal(m.counts[1], -32601); /* not claimed */
    mcp_client_close(c);
    mock_end(&m);
    json_decref(can);
}

/* ---- servers that misbehave ---- */

static const struct bad {
    const char *text; /* the whole response; NULL: none, the connection stays */
    int rc;
    const char *message;
    bool open; /* keep the connection after the text */
} bad[] = {
    { NULL, BASE_E_IO, "did not answer in time", true },
    { "", BASE_E_IO, "", false },
    { "HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", BASE_E_IO, "wants a token", false },
    { "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n", BASE_E_IO, "another token", false },
    { "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", BASE_E_IO,
      "redirects are not followed", false },
    { "HTTP/1.1 500 X\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<h1>\n", BASE_E_IO,
      "HTTP 500: <h1>", false },
    { "HTTP/1.1 200 X\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<h1>\n", BASE_E_FORMAT,
      "no answer to the request", false },
    { "HTTP/1.1 202 X\r\nContent-Length: 0\r\n\r\n", BASE_E_FORMAT, "no answer", false },
    { "HTTP/1.1 400 X\r\nContent-Type: application/json\r\nContent-Length: 70\r\n\r\n"
      "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"really\"}} ",
      BASE_E_FORMAT, "-32600: really", false },
    { "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n"
      "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}",
      BASE_E_FORMAT, "no answer to the request", false },
    { "HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\ndata: {\n\ndata: 5\n\n", BASE_E_IO,
      "ended before it had answered", false },
    { "HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\n: still here\n\n", BASE_E_IO,
      "did not answer in time", true },
    { "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", BASE_E_IO,
      "did not answer in time", true },
    { "nonsense\r\n\r\n", BASE_E_IO, "", false },
};

static void misbehave(struct mock *m, const struct mock_request *r, int fd)
{
    if (usual(r, fd, "s"))
        return;
    const struct bad *b = &bad[m->counts[0]];
    if (b->text)
        mock_put(fd, b->text);
    for (int i = 0; i < 200 && b->open && !m->stop && !m->counts[1]; i++)
        usleep(10000);
}

static void bad_answers(void **state)
{
    (void)state;
    struct mock m;
    mock_begin(&m, misbehave);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *result = NULL;
        m.counts[0] = (int)i;
        m.counts[1] = 0;
        struct mcp_client *c = connect_to(&m, &(struct mcp_client_options){ .timeout = 0.4 });
        double begun = clock_now();
        int rc = call(c, "t", &result);
        if (rc != bad[i].rc || !strstr(base_error_message(), bad[i].message))
            fail_msg("%zu: %d %s", i, rc, base_error_message());
        assert_null(result);
        assert_true(clock_now() - begun < 3);
        m.counts[1] = 1;
        mcp_client_close(c);
    }
    mock_end(&m);
}

/* Talks for ever: events, and the standing stream's as well. */
static void flood(struct mock *m, const struct mock_request *r, int fd)
{
    if (usual(r, fd, "s"))
        return;
    mock_stream(fd);
    static const char event[] =
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":1}}"
        "\n\n";
    while (!m->stop && send(fd, event, sizeof event - 1, MSG_NOSIGNAL) > 0) {
    }
}

static bool at_once(void *context)
{
    return clock_now() > *(double *)context;
}

static void floods_and_cancelling(void **state)
{
    (void)state;
    struct mock m;
    json_t *result = NULL;
    mock_begin(&m, flood);
    struct mcp_client *c =
        connect_to(&m, &(struct mcp_client_options){ .timeout = 0.5, .told = hear });
    double begun = clock_now();
    assert_int_equal(call(c, "t", &result), BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "in time"));
    assert_true(clock_now() - begun < 3);
    double when = clock_now() + 0.1;
    bool timed_out = true;
    const struct mcp_watch watch = { .cancelled = at_once, .context = &when, .timeout = 20 };
    assert_int_equal(mcp_client_request_watched(c, "tools/call", json_pack("{s:s}", "name", "t"),
                                                &watch, &timed_out, &result),
                     BASE_E_INTERRUPTED);
    assert_false(timed_out);
    assert_true(clock_now() - when < 2);
    mcp_client_close(c);
    mock_end(&m);
}

/* ---- the era without sessions ---- */

static void modern(struct mock *m, const struct mock_request *r, int fd)
{
    const json_t *params = json_object_get(r->message, "params");
    const json_t *meta = json_object_get(params, "_meta");
    char body[600];
    if (m->counts[0]++ == 0) {
        snprintf(body, sizeof body,
                 "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":{\"code\":-32022,\"message\":\"no\","
                 "\"data\":{\"supported\":[\"2030-01-01\",\"2026-07-28\"],\"requested\":\"?\"}}}",
                 r->id);
        mock_answer(fd, 400, "Content-Type: application/json\r\n", body);
    } else if (strcmp(r->method, "server/discover") == 0) {
        mock_result(
            fd, "", r->id,
            "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
            "\"capabilities\":{\"tools\":{}},\"_meta\":{"
            "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"mock\",\"version\":\"1\"}}}");
    } else if (strcmp(r->method, "tools/list") == 0) {
        mock_result(fd, "", r->id,
                    m->counts[1]++ ? "{\"resultType\":\"complete\",\"tools\":[{\"name\":\"t\","
                                     "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"b\":{"
                                     "\"type\":\"string\",\"x-mcp-header\":\"New\"}}}}]}"
                                   : "{\"resultType\":\"complete\",\"tools\":[{\"name\":\"t\","
                                     "\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"wrong\","
                                     "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"b\":{"
                                     "\"type\":\"number\",\"x-mcp-header\":\"N\"}}}}]}");
    } else if (strcmp(r->method, "tools/call") == 0 &&
               strcmp(mock_header(r->headers, "Mcp-Param-New"), "v") != 0) {
        snprintf(body, sizeof body, /* its header has changed since it was listed */
                 "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":{\"code\":-32020,\"message\":\"h\"}}",
                 r->id);
        mock_answer(fd, 400, "Content-Type: application/json\r\n", body);
    } else if (strcmp(r->method, "tools/call") == 0) {
        int round = m->counts[2]++;
        const json_t *state = json_object_get(params, "requestState");
        if (round == 0)
            mock_result(fd, "", r->id,
                        "{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":"
                        "\"elicitation/create\",\"params\":{\"message\":\"m\",\"requestedSchema\":{"
                        "\"type\":\"object\",\"properties\":{\"age\":{\"type\":\"integer\","
                        "\"default\":30}}}}}},\"requestState\":\"a \\u00e9\"}");
        else if (round == 1 && json_is_string(state) &&
                 strcmp(json_string_value(state), "a \xc3\xa9") == 0 &&
                 json_integer_value(json_object_get(
                     json_object_get(
                         json_object_get(json_object_get(params, "inputResponses"), "k"),
                         "content"),
                     "age")) == 30)
            mock_result(fd, "", r->id,
                        "{\"resultType\":\"input_required\",\"requestState\":\"b\"}");
        else if (round == 2 && strcmp(json_string_value(state), "b") == 0 &&
                 !json_object_get(params, "inputResponses"))
            mock_result(fd, "", r->id, "{\"content\":[]}"); /* no type: complete */
        else
            mock_result(fd, "", r->id,
                        "{\"resultType\":\"input_required\",\"requestState\":\"x\"}");
    } else {
        bool whole = json_object_get(meta, "io.modelcontextprotocol/protocolVersion") &&
                     json_object_get(meta, "io.modelcontextprotocol/clientCapabilities");
        mock_result(fd, "", r->id, whole ? "{\"resultType\":\"task\"}" : "{}");
    }
}

static void without_sessions(void **state)
{
    (void)state;
    struct mock m;
    json_t *result = NULL, *tools = NULL, *can = json_pack("{s:{}}", "elicitation");
    int asked = 0;
    mock_begin(&m, modern);
    struct mcp_client *c = connect_to(&m, &(struct mcp_client_options){ .version = "2026-07-28",
                                                                        .asked = accept_all,
                                                                        .capabilities = can,
                                                                        .context = &asked });
    assert_string_equal(mcp_client_version(c), "2026-07-28");
    assert_int_equal(mcp_client_list(c, "tools", &tools), 0);
    assert_int_equal(json_array_size(tools), 1); /* the wrong one is left out */
    json_decref(tools);
    json_t *params = json_pack("{s:s, s:{s:s}}", "name", "t", "arguments", "b", "v");
    if (mcp_client_request(c, "tools/call", params, &result))
        fail_msg("%s", base_error_message());
    json_decref(result);
    assert_int_equal(asked, 1);
    assert_int_equal(m.counts[1], 2); /* the list was asked for again after -32020 */
    assert_int_equal(m.counts[2], 3);
    params = json_pack("{s:s, s:{s:s}}", "name", "t", "arguments", "b", "v");
    assert_int_equal(mcp_client_request(c, "tools/call", params, &result), BASE_E_LIMIT);
    assert_int_equal(m.counts[2], 3 + 11); /* ten rounds, and no more */
    assert_int_equal(
        mcp_client_request(c, "prompts/get", json_pack("{s:s}", "name", "p q\xc3\xa9"), &result),
        BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "\"task\""));
    mcp_client_close(c);
    mock_end(&m);
    for (int i = 0; i < m.n_seen; i++) {
        assert_string_equal(mock_header(mock_seen(&m, i), "MCP-Protocol-Version"), "2026-07-28");
        assert_string_equal(mock_header(mock_seen(&m, i), "Mcp-Method"),
                            strrchr(mock_seen(&m, i), '\n') + 1);
    }
    json_decref(can);
}

static void only_prompts(struct mock *m, const struct mock_request *r, int fd)
{
    (void)m;
    if (strcmp(r->method, "server/discover") == 0)
        mock_result(fd, "", r->id,
                    "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
                    "\"capabilities\":{}}");
    else if (strcmp(r->method, "prompts/get") == 0)
        mock_result(fd, "", r->id, "{\"resultType\":\"complete\",\"messages\":[]}");
    else
        mock_answer(fd, 404, "", "");
}

/* Without a revision asked for, initialize is tried, and its refusal leads to the other era. */
static void eras(void **state)
{
    (void)state;
    struct mock m;
    json_t *result = NULL;
    mock_begin(&m, only_prompts);
    struct mcp_client *c = connect_to(&m, NULL);
    assert_string_equal(mcp_client_version(c), "2026-07-28");
    assert_int_equal(
        mcp_client_request(c, "prompts/get", json_pack("{s:s}", "name", "p\xc3\xa9"), &result), 0);
    json_decref(result);
    mcp_client_close(c);
    mock_end(&m);
    assert_string_equal(mock_header(mock_seen(&m, 2), "Mcp-Name"), "=?base64?cMOp?=");
}

/* ---- addresses ---- */

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *url, *token, *message;
    } cases[] = {
        { "ftp://x/", NULL, "expected an address" },
        { "http://", NULL, "expected an address" },
        { "http://a@127.0.0.1/", NULL, "expected an address" },
        { "http://127.0.0.1:80@example.org/", "t", "expected an address" },
        { "http://example.org/mcp", "t", "not sent in the clear" },
        { "http://127.0.0.1.example.org/mcp", "t", "not sent in the clear" },
        { "http://127.0.0.1:1/mcp", "a\nb", "line break" },
        { "http://127.0.0.1:1/mcp", "t", "http://127.0.0.1:1/mcp: " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mcp_client *c = NULL;
        const struct mcp_client_options o = { .url = cases[i].url,
                                              .token = cases[i].token,
                                              .timeout = 1 };
        assert_true(mcp_client_open(&c, &o) < 0);
        if (!strstr(base_error_message(), cases[i].message))
            fail_msg("%s: %s", cases[i].url, base_error_message());
    }
}

/* ---- memory ---- */

static void allocations(void **state)
{
    (void)state;
    struct mock m;
    mock_begin(&m, plain);
    json_t *result = NULL;
    struct mcp_client *c = connect_to(&m, NULL); /* loads the library */
    mcp_client_close(c);
    c = NULL;
    for (long n = 1, failed = 1; failed && n < 400; n++) {
        const struct mcp_client_options o = { .url = m.url, .timeout = 5 };
        base_alloc_fail_after(n); /* of any thread: the server's own failures are failures, too */
        int rc = mcp_client_open(&c, &o);
        if (!rc)
            rc = call(c, "t", &result);
        base_alloc_fail_after(0);
        failed = rc != 0;
        json_decref(result);
        result = NULL;
        mcp_client_close(c);
        c = NULL;
    }
    mock_end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions),
        cmocka_unit_test(lost_sessions),
        cmocka_unit_test(streams_are_resumed),
        cmocka_unit_test(questions),
        cmocka_unit_test(bad_answers),
        cmocka_unit_test(floods_and_cancelling),
        cmocka_unit_test(without_sessions),
        cmocka_unit_test(eras),
        cmocka_unit_test(addresses),
        cmocka_unit_test(allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
