/* The MCP server over HTTP: statuses, fields and bodies of both eras, sessions, event streams that
 * are taken up again, and what a request must and must not survive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "support.h"
#include "http_ground.h"

/* One request: its status, and a text of its body or head. */
static void expect(const struct http_server *s, const char *method, const char *fields,
                   const char *body, int status, const char *text)
{
    struct http_reply r = http_once(s, method, fields, body);
    if (r.status != status ||
        (text && !strstr(r.body ? r.body : "", text) && !strcasestr(r.head, text)))
        fail_msg("%s %s%s: %d, expected %d and %s:\n%s%s", method, fields, body ? body : "",
                 r.status, status, text ? text : "nothing", r.head, r.body ? r.body : "");
    http_reply_free(&r);
}

#define LIST        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"
#define LIST_MODERN "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}"

static void refusals(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    expect(&s, "POST /other", JSON_FIELDS, LIST, 404, "/mcp");
    expect(&s, "POST /mcp/", JSON_FIELDS, LIST, 404, NULL);
    /* who asks, from where */
    expect(&s, "POST", JSON_FIELDS "Host: evil.example\r\n", LIST, 403, "Host");
    expect(&s, "POST", JSON_FIELDS "Host: 127.0.0.1.evil.example:80\r\n", LIST, 403, "Host");
    expect(&s, "POST", JSON_FIELDS "Host: localhost\r\nHost: localhost\r\n", LIST, 400, NULL);
    expect(&s, "POST", JSON_FIELDS "Origin: http://evil.example\r\n", LIST, 403, "Origin");
    expect(&s, "POST", JSON_FIELDS "Origin: null\r\n", LIST, 403, "Origin");
    expect(&s, "GET", "Accept: text/event-stream\r\nOrigin: http://evil.example\r\n", NULL, 403,
           "Origin");
    expect(&s, "OPTIONS", "Origin: http://localhost:5173\r\n", NULL, 405, "Allow");
    /* what is sent and taken */
    expect(&s, "PUT", JSON_FIELDS, LIST, 405, "Allow: POST, GET, DELETE");
    expect(&s, "POST", "Accept: */*\r\nContent-Type: text/plain\r\n", LIST, 415, "Content-Type");
    expect(&s, "POST", "Accept: */*\r\n", LIST, 415, "Content-Type");
    expect(&s, "POST", "Accept: application/json\r\nContent-Type: application/json\r\n", LIST, 406,
           "Accept");
    expect(&s, "GET", "Accept: application/json\r\n", NULL, 406, "Accept");
    expect(&s, "POST", JSON_FIELDS, "{\"jsonrpc\":", 400, "-32700");
    expect(&s, "POST", JSON_FIELDS, "", 400, "-32700");
    expect(&s, "POST", JSON_FIELDS, "7", 400, "-32600");
    expect(&s, "POST", JSON_FIELDS, "[" LIST "]", 400, "-32600");
    expect(&s, "POST", JSON_FIELDS, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}", 400,
           NULL);
    /* sessions */
    expect(&s, "POST", JSON_FIELDS, LIST, 400, "Mcp-Session-Id: it is missing");
    expect(&s, "POST", JSON_FIELDS "MCP-Protocol-Version: 2025-06-18\r\n", LIST, 400,
           "Mcp-Session-Id: it is missing");
    expect(&s, "GET", "Accept: text/event-stream\r\n", NULL, 400, "Mcp-Session-Id");
    expect(&s, "DELETE", "", NULL, 400, "Mcp-Session-Id");
    expect(&s, "POST", JSON_FIELDS "Mcp-Session-Id: 0123456789abcdef0123456789abcdef\r\n", LIST,
           404, "no such session");
    expect(&s, "POST", JSON_FIELDS "Mcp-Session-Id: \r\n", LIST, 404, NULL);
    expect(&s, "DELETE", "Mcp-Session-Id: x\r\n", NULL, 404, NULL);
    const char *fields = http_session(&s, "2025-11-25");
    char other[500];
    snprintf(other, sizeof other, JSON_FIELDS "MCP-Protocol-Version: 1999-01-01\r\n%s",
             strstr(fields, "Mcp-Session-Id"));
    expect(&s, "POST", other, LIST, 400, "MCP-Protocol-Version");
    snprintf(other, sizeof other, "%s%s", fields, strstr(fields, "Mcp-Session-Id"));
    expect(&s, "POST", other, LIST, 400, "given twice");
    char crowd[4096] = "";
    for (int i = 0; i < 65; i++)
        sprintf(crowd + strlen(crowd), "Mcp-Param-A%d: x\r\n", i);
    expect(&s, "POST", crowd, LIST, 400, "more than 64 fields");
    /* lengths */
    char announced[200];
    snprintf(announced, sizeof announced, "%sContent-Length: %d\r\n", JSON_FIELDS, 17 << 20);
    expect(&s, "POST", announced, NULL, 413, "16 MiB");
    http_server_stop(&s);
}

/* A body of more than 16 MiB whose length is not announced; and one that is large and fits. */
static void large_bodies(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    const char *fields = http_session(&s, "2025-11-25");
    int fd = http_connect(&s);
    http_send(fd, "POST", JSON_FIELDS "Transfer-Encoding: chunked\r\n", NULL);
    char *block = calloc(1, 1 << 20);
    memset(block, ' ', 1 << 20);
    for (int i = 0; i < 17; i++) {
        http_write(fd, "100000\r\n", 8);
        http_write(fd, block, 1 << 20);
        http_write(fd, "\r\n", 2);
    }
    http_write(fd, "0\r\n\r\n", 5);
    struct http_reply r = http_read(fd, NULL);
    assert_int_equal(r.status, 413);
    http_reply_free(&r);
    close(fd);
    size_t n = 9 << 20;
    char *body = malloc(n + 200);
    int head = sprintf(
        body, "{\"jsonrpc\":\"2.0\",\"id\":\"big\",\"method\":\"ping\",\"params\":{\"x\":\"");
    memset(body + head, 'y', n);
    strcpy(body + head + n, "\"}}");
    expect(&s, "POST", fields, body, 200, "{\"jsonrpc\":\"2.0\",\"id\":\"big\",\"result\":{}}");
    free(body);
    free(block);
    http_server_stop(&s);
}

static void sessions(void **state)
{
    (void)state;
    const struct mcp_http_options o = { .sessions = 2, .idle = 1 };
    struct http_server s = http_server_start(&o);
    const char *a = http_session(&s, "2025-11-25"), *b = http_session(&s, "2025-03-26");
    assert_string_not_equal(strstr(a, "Mcp-Session-Id"), strstr(b, "Mcp-Session-Id"));
    expect(&s, "POST", a, "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"method\":\"ping\"}", 200,
           "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"result\":{}}");
    expect(&s, "POST", a, CALL("\"i\"", "say", "{\"x\": 5}"), 200, "\"said\":5");
    expect(&s, "POST", a, CALL("1", "say", "{\"x\": 5}"), 200, "application/json");
    expect(&s, "POST", a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\"}", 200, "-32601");
    /* batches are of 2025-03-26 alone */
    expect(&s, "POST", a, "[" LIST "]", 400, "-32600");
    expect(&s, "POST", b, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", 200,
           "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]");
    /* no version means the session's; an answer that nobody waits for is taken */
    char bare[300];
    snprintf(bare, sizeof bare, JSON_FIELDS "%s", strstr(a, "Mcp-Session-Id"));
    expect(&s, "POST", bare, LIST, 200, "\"tools\"");
    expect(&s, "POST", a, "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}", 202, NULL);
    /* there are two */
    static const char hello[] =
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
        "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\","
        "\"version\":\"1\"}}}";
    expect(&s, "POST", JSON_FIELDS, hello, 503, "Retry-After");
    expect(&s, "DELETE", b, NULL, 204, NULL);
    expect(&s, "POST", b, LIST, 404, NULL);
    expect(&s, "DELETE", b, NULL, 404, NULL);
    expect(&s, "POST", JSON_FIELDS, hello, 200, "Mcp-Session-Id");
    /* an initialize that fails leaves none behind */
    expect(&s, "POST", JSON_FIELDS,
           "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{}}", 503, NULL);
    /* a stream keeps its session alive, and nothing else does */
    int fd = http_connect(&s);
    http_send(fd, "GET", a, NULL);
    struct http_reply r = http_read(fd, "retry:");
    assert_int_equal(r.status, 200);
    http_reply_free(&r);
    nap_ms(2500);
    expect(&s, "POST", a, LIST, 200, "\"tools\"");
    close(fd);
    for (int i = 0; i < 100; i++) {
        nap_ms(100);
        /* asking would keep it alive: look through the room that it gives */
        r = http_once(&s, "POST", JSON_FIELDS, hello);
        int status = r.status;
        http_reply_free(&r);
        if (status == 200 && i > 15)
            break;
    }
    expect(&s, "POST", a, LIST, 404, NULL);
    http_server_stop(&s);
}

/* The n-th event's id of a stream, in one of four static buffers. */
static const char *event_id(const char *text, int n)
{
    static char buffers[4][64];
    static unsigned next;
    char *id = buffers[next++ % 4];
    for (int i = 0; text && i <= n; i++) {
        text = strstr(text, "id: ");
        text = text ? text + 4 : NULL;
    }
    assert_non_null(text);
    snprintf(id, sizeof buffers[0], "%.*s", (int)strcspn(text, "\n"), text);
    return id;
}

/* Fails, with what came instead. */
static void has(const struct http_reply *r, int status, const char *text)
{
    if (r->status != status || (text && !strstr(r->body ? r->body : "", text)))
        fail_msg("expected %d and %s:\n%s%s", status, text ? text : "nothing", r->head,
                 r->body ? r->body : "");
}

static int count_of(const char *text, const char *what)
{
    int n = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        n++;
    return n;
}

#define COUNT_WITH_PROGRESS(id)                                                                    \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"count\"," \
    "\"arguments\":{\"n\":" id "},\"_meta\":{\"progressToken\":\"p\"}}}"

static void streams(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    const char *fields = http_session(&s, "2025-11-25");
    /* JSON where nothing is said before, a stream where something is */
    expect(&s, "POST", fields, CALL("1", "count", "{}"), 200, "Content-Type: application/json");
    struct http_reply r = http_once(&s, "POST", fields, COUNT_WITH_PROGRESS("2"));
    assert_int_equal(r.status, 200);
    assert_non_null(strcasestr(r.head, "Content-Type: text/event-stream"));
    assert_true(r.whole);
    assert_int_equal(strncmp(r.body, "id: 1-0\nretry: 500\ndata: \n\n", 27), 0);
    assert_int_equal(count_of(r.body, "notifications/progress"), 3);
    assert_string_equal(event_id(r.body, 4), "1-4");
    assert_non_null(strstr(strstr(r.body, "id: 1-4"), "\"counted\":3"));
    http_reply_free(&r);
    /* an older client gets no empty event */
    const char *older = http_session(&s, "2025-06-18");
    r = http_once(&s, "POST", older, COUNT_WITH_PROGRESS("2"));
    assert_null(strstr(r.body, "retry"));
    assert_string_equal(event_id(r.body, 0), "1-1");
    http_reply_free(&r);

    /* what was said can be heard again, from any event on; not in another session */
    char again[600];
    snprintf(again, sizeof again, "%sLast-Event-ID: 1-2\r\n", fields);
    r = http_once(&s, "GET", again, NULL);
    assert_int_equal(r.status, 200);
    assert_true(r.whole);
    assert_int_equal(count_of(r.body, "data:"), 2);
    assert_string_equal(event_id(r.body, 0), "1-3");
    assert_non_null(strstr(r.body, "\"counted\":3"));
    http_reply_free(&r);
    static const char *const bad[] = { "1-5", "9-0", "1", "x-y", "-1-1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(again, sizeof again, "%sLast-Event-ID: %s\r\n", fields, bad[i]);
        expect(&s, "GET", again, NULL, 400, "Last-Event-ID");
    }

    /* broken off in the middle: the call goes on, and its rest is there for who comes back */
    int fd = http_connect(&s);
    http_send(fd, "POST", fields, COUNT_WITH_PROGRESS("3"));
    r = http_read(fd, "id: 2-1");
    assert_int_equal(r.status, 200);
    assert_null(strstr(r.body, "\"counted\""));
    close(fd);
    http_reply_free(&r);
    snprintf(again, sizeof again, "%sLast-Event-ID: 2-1\r\n", fields);
    r = http_once(&s, "GET", again, NULL);
    has(&r, 200, "\"counted\":3");
    assert_string_equal(event_id(r.body, 0), "2-2");
    assert_non_null(strstr(r.body, "\"id\":3"));
    assert_non_null(strstr(r.body, "\"counted\":3"));
    http_reply_free(&r);

    /* closed by the server in the middle of the call */
    r = http_once(&s, "POST", fields, CALL("4", "test_reconnection", "{}"));
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "id: 3-0\nretry: 500\ndata: \n\n");
    http_reply_free(&r);
    snprintf(again, sizeof again, "%sLast-Event-ID: 3-0\r\n", fields);
    r = http_once(&s, "GET", again, NULL);
    assert_non_null(strstr(r.body, "\"id\":4"));
    http_reply_free(&r);
    http_server_stop(&s);
}

/* What belongs to no request: on the stream of a GET, and only on one. */
static void listening(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    const char *fields = http_session(&s, "2025-11-25");
    int first = http_connect(&s), second = http_connect(&s);
    http_send(first, "GET", fields, NULL);
    struct http_reply r = http_read(first, "retry:");
    http_reply_free(&r);
    http_send(second, "GET", fields, NULL);
    r = http_read(second, "retry:");
    http_reply_free(&r);
    expect(&s, "POST", fields, CALL("1", "test_trigger_tool_change", "{}"), 200, "\"result\"");
    struct pollfd fds[] = { { first, POLLIN, 0 }, { second, POLLIN, 0 } };
    assert_true(poll(fds, 2, 5000) > 0);
    nap_ms(300);
    poll(fds, 2, 0);
    assert_int_equal((fds[0].revents & POLLIN) + (fds[1].revents & POLLIN), POLLIN);
    char text[4096] = "";
    int heard = fds[0].revents & POLLIN ? first : second;
    assert_true(recv(heard, text, sizeof text - 1, 0) > 0);
    assert_int_equal(count_of(text, "notifications/tools/list_changed"), 1);
    char id[64];
    snprintf(id, sizeof id, "%s", event_id(text, 0));

    /* what is said while nobody listens is there for who comes back */
    close(first);
    close(second);
    nap_ms(300);
    expect(&s, "POST", fields, CALL("2", "test_trigger_prompt_change", "{}"), 200, "\"result\"");
    char again[600];
    snprintf(again, sizeof again, "%sLast-Event-ID: %s\r\n", fields, id);
    int fd = http_connect(&s);
    http_send(fd, "GET", again, NULL);
    r = http_read(fd, "prompts/list_changed");
    assert_int_equal(r.status, 200);
    assert_int_equal(count_of(r.body, "data:"), 1);
    http_reply_free(&r);

    /* the end of the session ends its streams */
    expect(&s, "DELETE", fields, NULL, 204, NULL);
    char rest[64];
    ssize_t n = recv(fd, rest, sizeof rest, 0);
    assert_true(n > 0 && memcmp(rest + n - 5, "0\r\n\r\n", 5) == 0);
    close(fd);
    http_server_stop(&s);
}

/* A question to the client on the stream of a call, answered by another request. */
static void questions(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    struct http_reply r =
        http_once(&s, "POST", JSON_FIELDS,
                  "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                  "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"sampling\":{}},"
                  "\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}");
    char fields[400];
    snprintf(fields, sizeof fields, JSON_FIELDS "Mcp-Session-Id: %.32s\r\n",
             strcasestr(r.head, "Mcp-Session-Id: ") + 16);
    http_reply_free(&r);
    int fd = http_connect(&s);
    http_send(fd, "POST", fields, CALL("1", "test_sampling", "{\"prompt\": \"p\"}"));
    r = http_read(fd, "sampling/createMessage");
    const char *asked = strstr(r.body, "{\"jsonrpc\"");
    assert_non_null(asked);
    json_t *question = json_loads(asked, JSON_DISABLE_EOF_CHECK, NULL);
    char body[400];
    snprintf(body, sizeof body,
             "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"role\":\"assistant\",\"model\":\"m\","
             "\"content\":{\"type\":\"text\",\"text\":\"sampled here\"}}}",
             (long long)json_integer_value(json_object_get(question, "id")));
    json_decref(question);
    http_reply_free(&r);
    expect(&s, "POST", fields, body, 202, NULL);
    char rest[4096] = "";
    for (size_t n = 0; !strstr(rest, "0\r\n\r\n");) {
        ssize_t k = recv(fd, rest + n, sizeof rest - 1 - n, 0);
        assert_true(k > 0);
        n += (size_t)k;
    }
    assert_non_null(strstr(rest, "sampled here"));
    close(fd);
    http_server_stop(&s);
}

static void modern_fields(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    expect(&s, "POST", MODERN("tools/list"), LIST_MODERN, 200, "\"resultType\"");
    expect(&s, "POST", MODERN("tools/call") "mcp-name:   say  \r\n",
           CALL_MODERN("1", "say", "{\"x\": 1}"), 200, "\"said\":1");
    expect(&s, "POST", MODERN("tools/call") "Mcp-Name: =?base64?c2F5?=\r\n",
           CALL_MODERN("1", "say", "{}"), 200, "\"result\"");
    /* the order: _meta, fields, version, method, capability */
    expect(&s, "POST", MODERN("wrong"), LIST, 400, "-32602");
    expect(&s, "POST", MODERN("wrong"), LIST_MODERN, 400, "-32020");
    expect(&s, "POST", JSON_FIELDS "MCP-Protocol-Version: 2026-07-28\r\n", LIST_MODERN, 400,
           "-32020");
    expect(&s, "POST", JSON_FIELDS "Mcp-Method: tools/list\r\n", LIST_MODERN, 400, "-32020");
    expect(&s, "POST", JSON_FIELDS "MCP-Protocol-Version: 2025-11-25\r\nMcp-Method: tools/list\r\n",
           LIST_MODERN, 400, "-32020");
    expect(&s, "POST", MODERN("TOOLS/LIST"), LIST_MODERN, 400, "-32020");
    expect(&s, "POST", MODERN("tools/call"), CALL_MODERN("1", "say", "{}"), 400, "Mcp-Name");
    expect(&s, "POST", MODERN("tools/call") "Mcp-Name: other\r\n", CALL_MODERN("1", "say", "{}"),
           400, "-32020");
    expect(&s, "POST", MODERN("tools/call") "Mcp-Name: =?base64?c2F5=?=\r\n",
           CALL_MODERN("1", "say", "{}"), 400, "-32020");
    expect(&s, "POST", MODERN("tools/list") "Mcp-Method: tools/list\r\n", LIST_MODERN, 400, NULL);
    static const char later[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\",\"params\":{"
                                "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
                                "\"2030-01-01\","
                                "\"io.modelcontextprotocol/clientCapabilities\":{}}}}";
    expect(&s, "POST", JSON_FIELDS "MCP-Protocol-Version: 2030-01-01\r\nMcp-Method: nothing\r\n",
           later, 400, "-32022");
    expect(&s, "POST", MODERN("nothing"), later, 400, "-32020");
    expect(&s, "POST", MODERN("ping"),
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{" META "}}", 404,
           "-32601");
    expect(&s, "POST", MODERN("initialize"),
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{" META "}}", 404,
           "-32601");
    expect(&s, "POST", MODERN("tools/call") "Mcp-Name: test_missing_capability\r\n",
           CALL_MODERN("1", "test_missing_capability", "{}"), 400, "-32021");
    /* arguments that fields repeat */
    expect(&s, "POST", MODERN("tools/call") "Mcp-Name: region\r\nMCP-PARAM-REGION: us\r\n",
           CALL_MODERN("1", "region", "{\"x\": \"us\"}"), 200, "\"said\":\"us\"");
    expect(&s, "POST", MODERN("tools/call") "Mcp-Name: region\r\nMcp-Param-Region: eu\r\n",
           CALL_MODERN("1", "region", "{\"x\": \"us\"}"), 400, "-32020");
    expect(&s, "POST", MODERN("tools/call") "Mcp-Name: region\r\n",
           CALL_MODERN("1", "region", "{\"x\": \"us\"}"), 400, "Mcp-Param-Region");
    expect(&s, "POST", MODERN("tools/call") "Mcp-Name: region\r\n",
           CALL_MODERN("1", "region", "{}"), 200, "\"result\"");
    /* one method, no session, no batch; a notification is taken */
    expect(&s, "GET", "Accept: text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n", NULL,
           405, "Allow: POST\r\n");
    expect(&s, "DELETE", "MCP-Protocol-Version: 2026-07-28\r\n", NULL, 405, "Allow: POST\r\n");
    expect(&s, "POST", MODERN("tools/list"), "[" LIST_MODERN "]", 400, "-32600");
    expect(&s, "POST", MODERN("notifications/cancelled"),
           "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
           "\"requestId\":1}}",
           202, NULL);
    http_server_stop(&s);
}

/* A stream of 2026-07-28 has no ids: it is not taken up again. */
static void modern_stream(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    struct http_reply r = http_once(
        &s, "POST", MODERN("tools/call") "Mcp-Name: count\r\n",
        "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"count\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientCapabilities\":{},\"progressToken\":7}}}");
    assert_int_equal(r.status, 200);
    assert_non_null(strcasestr(r.head, "text/event-stream"));
    assert_int_equal(count_of(r.body, "notifications/progress"), 3);
    assert_non_null(strstr(r.body, "\"id\":\"c\",\"result\""));
    assert_null(strstr(r.body, "id: "));
    assert_true(r.whole);
    http_reply_free(&r);
    http_server_stop(&s);
}

/* Who goes away has cancelled in 2026-07-28, and has not before. Who has only nothing more to send
 * waits for the answer in both. */
static void disconnections(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    const char *fields = http_session(&s, "2025-11-25");
    /* half closed at once, while another has broken off in the middle of its head */
    int broken = http_connect(&s);
    http_write(broken, "POST /mcp HTTP/1.1\r\nHost: loc", 30);
    close(broken);
    for (int i = 0; i < 20; i++) {
        int fd = http_connect(&s);
        http_send(fd, "POST", MODERN("tools/call") "Mcp-Name: say\r\n",
                  CALL_MODERN("1", "say", "{\"x\": \"heard\"}"));
        shutdown(fd, SHUT_WR);
        struct http_reply r = http_read(fd, NULL);
        has(&r, 200, "\"said\":\"heard\"");
        http_reply_free(&r);
        close(fd);
    }
    int legacy = http_connect(&s), gone = http_connect(&s), cut = http_connect(&s),
        half = http_connect(&s), half_legacy = http_connect(&s);
    http_send(legacy, "POST", fields, CALL("1", "wait", "{\"seconds\": 1.5}"));
    http_send(gone, "POST", MODERN("tools/call") "Mcp-Name: wait\r\n",
              CALL_MODERN("2", "wait", "{\"seconds\": 9}"));
    http_send(cut, "POST", MODERN("tools/call") "Mcp-Name: wait\r\n",
              CALL_MODERN("3", "wait", "{\"seconds\": 9.5}"));
    http_send(half, "POST", MODERN("tools/call") "Mcp-Name: wait\r\n",
              CALL_MODERN("4", "wait", "{\"seconds\": 1.6}"));
    http_send(half_legacy, "POST", fields, CALL("5", "wait", "{\"seconds\": 1.7}"));
    nap_ms(200);
    const struct linger hard = { 1, 0 };
    setsockopt(cut, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(legacy); /* orderly */
    close(gone);
    close(cut); /* by a reset */
    shutdown(half, SHUT_WR);
    shutdown(half_legacy, SHUT_WR);
    struct http_reply r = http_read(half, NULL);
    has(&r, 200, "\"waited\":1.6");
    http_reply_free(&r);
    r = http_read(half_legacy, NULL);
    has(&r, 200, "\"waited\":1.7");
    http_reply_free(&r);
    close(half);
    close(half_legacy);
    http_server_audited(&s, "\"outcome\":\"cancelled\"", 2);
    http_server_audited(&s, "\"outcome\":\"ok\"", 23);
    http_server_stop(&s);
}

static void pipelined(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    int fd = http_connect(&s);
    http_send(fd, "POST", MODERN("tools/call") "Mcp-Name: wait\r\n",
              CALL_MODERN("1", "wait", "{\"seconds\": 0.2}"));
    http_send(fd, "POST", MODERN("tools/list"), LIST);
    http_send(fd, "POST", MODERN("tools/call") "Mcp-Name: say\r\n",
              CALL_MODERN("3", "say", "{\"x\": \"third\"}"));
    static const char *const expected[] = { "\"waited\":0.2", "-32602", "\"said\":\"third\"" };
    for (int i = 0; i < 3; i++) {
        struct http_reply r = http_read(fd, NULL);
        assert_int_equal(r.status, i == 1 ? 400 : 200);
        assert_non_null(strstr(r.body, expected[i]));
        http_reply_free(&r);
    }
    close(fd);
    http_server_stop(&s);
}

/* Requests that come a byte at a time, or not at all, end; a stream that is only slow does not. */
static void trickles(void **state)
{
    (void)state;
    const struct mcp_http_options o = { .deadline = 1 };
    struct http_server s = http_server_start(&o);
    const char *fields = http_session(&s, "2025-11-25");
    int stream = http_connect(&s), head = http_connect(&s), body = http_connect(&s),
        silent = http_connect(&s), call = http_connect(&s);
    http_send(stream, "GET", fields, NULL);
    http_send(call, "POST", fields, CALL("1", "wait", "{\"seconds\": 3}"));
    http_send(body, "POST", JSON_FIELDS "Content-Length: 1000\r\n", NULL);
    int open[] = { head, body, silent };
    static const char line[] = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Long: ";
    bool ended[3] = { false };
    size_t at = 0;
    double began = clock_now();
    while (!(ended[0] && ended[1] && ended[2]) && clock_now() - began < 10) {
        char c;
        send(head, at < sizeof line - 1 ? line + at : "x", 1, MSG_NOSIGNAL);
        send(body, " ", 1, MSG_NOSIGNAL);
        at++;
        nap_ms(50);
        for (int i = 0; i < 3; i++) {
            ssize_t n = recv(open[i], &c, 1, MSG_DONTWAIT);
            ended[i] = ended[i] || n == 0 || (n < 0 && errno != EAGAIN);
        }
    }
    assert_true(ended[0] && ended[1] && ended[2]);
    struct http_reply r = http_read(call, NULL);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "\"waited\":3.0"));
    http_reply_free(&r);
    r = http_read(stream, "retry:"); /* still open */
    assert_int_equal(r.status, 200);
    assert_false(r.closed);
    http_reply_free(&r);
    for (int i = 0; i < 3; i++)
        close(open[i]);
    close(stream);
    close(call);
    http_server_stop(&s);
}

/* More connections that say nothing than the server may have: who says something is answered. */
static void silence(void **state)
{
    (void)state;
    enum { N = 1100 };
    static int fds[N];
    const struct rlimit files = { 2048, 8192 };
    setrlimit(RLIMIT_NOFILE, &files);
    struct http_server s = http_server_start(NULL);
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)s.port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int i = 0; i < N; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fds[i] >= 0);
        connect(fds[i], (struct sockaddr *)&to, sizeof to);
    }
    for (int i = 0; i < 5; i++)
        expect(&s, "POST", MODERN("tools/list"), LIST_MODERN, 200, "\"tools\"");
    for (int i = 0; i < N; i++)
        close(fds[i]);
    http_server_stop(&s);
}

static void token(void **state)
{
    (void)state;
    const struct mcp_http_options o = { .token = "s3cret", .address = "0.0.0.0:0" };
    struct http_server s = http_server_start(&o);
    expect(&s, "POST", MODERN("tools/list"), LIST_MODERN, 401, "WWW-Authenticate: Bearer");
    expect(&s, "POST", MODERN("tools/list") "Authorization: Bearer s3creT\r\n", LIST_MODERN, 401,
           NULL);
    expect(&s, "POST", MODERN("tools/list") "Authorization: Basic s3cret\r\n", LIST_MODERN, 401,
           NULL);
    expect(&s, "GET", "Accept: text/event-stream\r\n", NULL, 401, NULL);
    expect(&s, "POST", MODERN("tools/list") "Authorization: Bearer s3cret\r\n", LIST_MODERN, 200,
           "\"tools\"");
    /* other machines call it by any name; pages still may not use it */
    expect(&s, "POST",
           MODERN("tools/list") "Host: lab.example:1\r\nAuthorization: bearer s3cret\r\n",
           LIST_MODERN, 200, "\"tools\"");
    expect(&s, "POST",
           MODERN("tools/list") "Origin: http://lab.example\r\nAuthorization: Bearer s3cret\r\n",
           LIST_MODERN, 403, "Origin");
    http_server_stop(&s);
}

static void origins(void **state)
{
    (void)state;
    static const char *const list[] = { "https://app.example", NULL };
    const struct mcp_http_options o = { .origins = list };
    struct http_server s = http_server_start(&o);
    expect(&s, "OPTIONS", "Origin: https://app.example\r\n", NULL, 204,
           "Access-Control-Allow-Origin: https://app.example");
    expect(&s, "POST", MODERN("tools/list") "Origin: https://app.example:443\r\n", LIST_MODERN, 200,
           "Access-Control-Allow-Origin: https://app.example:443");
    expect(&s, "POST", MODERN("tools/list") "Host: app.example\r\n", LIST_MODERN, 200, NULL);
    expect(&s, "POST", MODERN("tools/list") "Origin: http://app.example\r\n", LIST_MODERN, 403,
           NULL);
    expect(&s, "POST", MODERN("tools/list") "Origin: http://127.0.0.1:3000\r\n", LIST_MODERN, 200,
           NULL);
    http_server_stop(&s);
}

/* Two hundred at once, with others that break off; then nothing is left but what was there. */
static void crowd(void **state)
{
    (void)state;
    enum { N = 200 };
    struct http_server s = http_server_start(NULL);
    static int fds[N];
    expect(&s, "POST", MODERN("tools/list"), LIST_MODERN, 200, NULL);
    int before = http_server_count(&s, "fd");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            char body[400];
            fds[i] = http_connect(&s);
            snprintf(body, sizeof body, CALL_MODERN("%d", "say", "{\"x\": %d}"), i, i * 7);
            if (i % 10 == 9) { /* breaks off: in the head, the body, or behind the request */
                const struct linger hard = { 1, 0 };
                body[i % 20 == 9 ? 50 : strlen(body)] = 0;
                http_send(fds[i], "POST",
                          i % 30 == 9 ? "Content-Length: 9"
                                      : MODERN("tools/call") "Mcp-Name: say\r\n",
                          body);
                if (i % 20 == 9)
                    setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
                close(fds[i]);
                fds[i] = -1;
            } else {
                http_send(fds[i], "POST", MODERN("tools/call") "Mcp-Name: say\r\n", body);
            }
        }
        for (int i = 0; i < N; i++) {
            char expected[64];
            if (fds[i] < 0)
                continue;
            struct http_reply r = http_read(fds[i], NULL);
            snprintf(expected, sizeof expected, "\"said\":%d}", i * 7);
            if (r.status != 200 || !strstr(r.body, expected))
                fail_msg("client %d: %s%s", i, r.head, r.body ? r.body : "");
            http_reply_free(&r);
            close(fds[i]);
        }
    }
    int after = 0;
    for (int i = 0; i < 300 && (after = http_server_count(&s, "fd")) > before; i++)
        nap_ms(20);
    assert_true(after <= before);
    int threads = 0; /* the main one, libmicrohttpd's, the protocol's and gate's own, sixteen */
    for (int i = 0; i < 600 && (threads = http_server_count(&s, "task")) > 22; i++)
        nap_ms(20);
    assert_true(threads <= 22);
    http_server_stop(&s);
}

/* A reader that does not read: what it is sent does not pile up for ever, and others go on. */
static void unread(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = http_connect(&s);
        http_send(fds[i], "POST", MODERN("tools/call") "Mcp-Name: blow\r\n",
                  CALL_MODERN("1", "blow", "{\"bytes\": 4000000}"));
    }
    for (int i = 0; i < 5; i++)
        expect(&s, "POST", MODERN("tools/list"), LIST_MODERN, 200, NULL);
    struct http_reply r = http_read(fds[0], NULL);
    assert_int_equal(r.status, 200);
    assert_true(r.whole);
    assert_true(r.bytes > 8000000); /* as text and as structured content */
    http_reply_free(&r);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    http_server_stop(&s);
}

/* Memory that fails here and there: requests may, the server does not, and it leaks nothing. */
static void starving(void **state)
{
    (void)state;
    http_server_starves = true;
    struct http_server s = http_server_start(NULL);
    http_server_starves = false;
    static const char hello[] =
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
        "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\","
        "\"version\":\"1\"}}}";
    int answered = 0;
    double until = clock_now() + 2.5;
    while (clock_now() < until) {
        struct http_reply r = http_once(&s, "POST", JSON_FIELDS, hello);
        const char *id = strcasestr(r.head, "\r\nMcp-Session-Id: ");
        if (r.status == 200 && id) {
            char fields[400];
            snprintf(fields, sizeof fields, JSON_FIELDS "Mcp-Session-Id: %.32s\r\n", id + 18);
            int stream = http_connect(&s);
            http_send(stream, "GET", fields, NULL);
            struct http_reply other = http_once(&s, "POST", fields, CALL("1", "say", "{\"x\": 1}"));
            answered += other.status == 200;
            http_reply_free(&other);
            other = http_once(&s, "POST", fields, CALL("2", "test_tool_with_logging", "{}"));
            http_reply_free(&other);
            other = http_once(&s, "DELETE", fields, NULL);
            http_reply_free(&other);
            close(stream);
        }
        http_reply_free(&r);
        r = http_once(&s, "POST",
                      MODERN("tools/call") "Mcp-Name: region\r\nMcp-Param-Region: a\r\n",
                      CALL_MODERN("1", "region", "{\"x\": \"a\"}"));
        answered += r.status == 200;
        http_reply_free(&r);
    }
    assert_true(answered > 0);
    expect(&s, "POST", MODERN("tools/call") "Mcp-Name: say\r\n",
           CALL_MODERN("1", "say", "{\"x\": \"after\"}"), 200, "after");
    http_server_stop(&s);
}

/* SIGTERM while calls run and streams are open. */
static void the_end(void **state)
{
    (void)state;
    struct http_server s = http_server_start(NULL);
    const char *fields = http_session(&s, "2025-11-25");
    int stream = http_connect(&s), call = http_connect(&s), modern = http_connect(&s);
    http_send(stream, "GET", fields, NULL);
    http_send(call, "POST", fields, CALL("1", "wait", "{\"seconds\": 60}"));
    http_send(modern, "POST", MODERN("tools/call") "Mcp-Name: wait\r\n",
              CALL_MODERN("2", "wait", "{\"seconds\": 61}"));
    struct http_reply r = http_read(stream, "retry:");
    http_reply_free(&r);
    nap_ms(300);
    double began = clock_now();
    char audit[512];
    snprintf(audit, sizeof audit, "%s", s.audit);
    kill(s.pid, SIGTERM);
    char rest[64];
    ssize_t n = recv(stream, rest, sizeof rest, 0);
    assert_true(n >= 5 && memcmp(rest + n - 5, "0\r\n\r\n", 5) == 0);
    r = http_read(call, NULL);
    assert_null(r.body ? strstr(r.body, "\"result\"") : NULL); /* a log message at most */
    http_reply_free(&r);
    r = http_read(modern, NULL);
    has(&r, 0, NULL);
    http_server_audited(&s, "\"outcome\":\"cancelled\"", 2);
    http_server_wait(&s);
    assert_true(clock_now() - began < 30);
    close(stream);
    close(call);
    close(modern);
}

/* Servers killed at any moment of four calls whose clients may have been killed before: nobody is
 * left, and every line of the audit log is whole. */
static void killed(void **state)
{
    (void)state;
    enum { SERVERS = 40, CLIENTS = 4 };
    unsigned random = 12345;
    for (int round = 0; round < SERVERS; round++) {
        struct http_server s = http_server_start(NULL);
        const char *fields = http_session(&s, "2025-11-25");
        int fds[CLIENTS];
        for (int i = 0; i < CLIENTS; i++) {
            fds[i] = http_connect(&s);
            if (i % 2)
                http_send(fds[i], "POST", fields, CALL("1", "count", "{}"));
            else
                http_send(fds[i], "POST", MODERN("tools/call") "Mcp-Name: say\r\n",
                          CALL_MODERN("1", "say", "{\"x\": 1}"));
        }
        for (int i = 0; i < CLIENTS; i++) {
            const struct linger hard = { i > 1, 0 };
            random = random * 1103515245 + 12345;
            nap_ms(random / 65536 % 12);
            setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
            close(fds[i]);
        }
        random = random * 1103515245 + 12345;
        nap_ms(random / 65536 % 60);
        kill(s.pid, SIGKILL);
        assert_int_equal(waitpid(s.pid, NULL, 0), s.pid);
        http_no_orphans();
        struct agent_audit_report report = { 0 };
        assert_int_equal(agent_audit_verify(s.audit, NULL, &report), 0);
        assert_null(report.problem);
        unlink(s.audit);
    }
}

static void mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *address, *token, *origin, *said;
    } cases[] = {
        { "127.0.0.1", NULL, NULL, "with a port" },
        { "lab.example:80", NULL, NULL, "IP address" },
        { "0.0.0.0:0", NULL, NULL, "a token is needed" },
        { "[::]:0", NULL, NULL, "a token is needed" },
        { "0.0.0.0:0", "", NULL, "token is empty" },
        { "127.0.0.1:0", NULL, "app.example", "expected an origin" },
        { "203.0.113.7:80", "t", NULL, "cannot listen" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const origins[] = { cases[i].origin, NULL };
        const struct mcp_http_options o = { .address = cases[i].address,
                                            .token = cases[i].token,
                                            .origins = origins };
        const struct mcp_server_options server = { 0 };
        assert_int_not_equal(mcp_serve_http(&server, &o), 0);
        assert_non_null(strstr(base_error_message(), cases[i].said));
    }
    struct test_run r = test_assay(NULL, "mcp", "serve", "--http", "0.0.0.0:0", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "a token is needed"));
    test_run_free(&r);
    r = test_assay(NULL, "mcp", "serve", "--http", "127.0.0.1:0", "--token-env",
                   "ASSAY_NO_SUCH_VARIABLE", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "ASSAY_NO_SUCH_VARIABLE"));
    test_run_free(&r);
    r = test_assay(NULL, "mcp", "serve", "--http", "127.0.0.1:0", "--stdio", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),       cmocka_unit_test(large_bodies),
        cmocka_unit_test(sessions),       cmocka_unit_test(streams),
        cmocka_unit_test(listening),      cmocka_unit_test(questions),
        cmocka_unit_test(modern_fields),  cmocka_unit_test(modern_stream),
        cmocka_unit_test(disconnections), cmocka_unit_test(pipelined),
        cmocka_unit_test(trickles),       cmocka_unit_test(silence),
        cmocka_unit_test(token),          cmocka_unit_test(origins),
        cmocka_unit_test(crowd),          cmocka_unit_test(unread),
        cmocka_unit_test(starving),       cmocka_unit_test(the_end),
        cmocka_unit_test(killed),         cmocka_unit_test(mistakes),
    };
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
