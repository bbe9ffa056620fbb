/* Header values: what is accepted, what is refused, and what they say. */
#include "base/memory.h"
#include "mcp/http_value.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void accept_fields(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool json, stream;
    } cases[] = {
        { NULL, true, true },
        { "", false, false },
        { "application/json, text/event-stream", true, true },
        { "application/json,text/event-stream;q=0.5", true, true },
        { "*/*", true, true },
        { "text/*", false, true },
        { "Application/JSON", true, false },
        { "*/*, text/event-stream;q=0", true, false },
        { "text/event-stream;q=0.000, text/*", false, false },
        { "*/*;q=0, application/json", true, false },
        { "text/event-stream;x=\"a,b\", application/json;v=1;q=0", false, true },
        { "application/jsonx, atext/event-stream", false, false },
        { ",;,\"", false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(http_accepts(cases[i].accept, "application", "json"), cases[i].json);
        assert_int_equal(http_accepts(cases[i].accept, "text", "event-stream"), cases[i].stream);
    }
    assert_true(http_is_json("application/json"));
    assert_true(http_is_json("Application/Json ; charset=\"UTF-8\""));
    assert_false(http_is_json("application/json; charset=latin1"));
    assert_false(http_is_json("text/plain"));
    assert_false(http_is_json("application/json-patch"));
    assert_false(http_is_json(NULL));
}

static void hosts_and_origins(void **state)
{
    (void)state;
    struct http_authority a;
    static const struct {
        const char *text, *host;
        int port;
        bool loopback;
    } good[] = {
        { "localhost", "localhost", -1, true },
        { "LOCALHOST.:80", "localhost", 80, true },
        { "127.0.0.1:8808", "127.0.0.1", 8808, true },
        { "127.9.8.7", "127.9.8.7", -1, true },
        { "[::1]:1", "::1", 1, true },
        { "[::ffff:127.0.0.1]", "::ffff:127.0.0.1", -1, true },
        { "[2001:DB8::2]", "2001:db8::2", -1, false },
        { "localhost.evil.example", "localhost.evil.example", -1, false },
        { "127.0.0.1.evil.example", "127.0.0.1.evil.example", -1, false },
        { "10.0.0.1", "10.0.0.1", -1, false },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(http_authority_parse(good[i].text, &a));
        assert_string_equal(a.host, good[i].host);
        assert_int_equal(a.port, good[i].port);
        assert_int_equal(http_host_is_loopback(a.host), good[i].loopback);
    }
    static const char *const bad[] = {
        "",       ":80",         "a b",   "localhost:",       "localhost:65536", "localhost:8x",
        "[::1",   "[::1]x",      "[]",    "[localhost]",      "user@localhost",  "localhost/",
        "[:::1]", "local\thost", "a:1:2", "localhost:000080",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(http_authority_parse(bad[i], &a));
    char longest[600];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_false(http_authority_parse(longest, &a));

    struct http_origin o, p;
    assert_true(http_origin_parse("HTTPS://App.Example.org", &o));
    assert_true(http_origin_parse("https://app.example.org:443", &p));
    assert_true(http_origin_equal(&o, &p));
    assert_true(http_origin_parse("http://app.example.org:443", &p));
    assert_false(http_origin_equal(&o, &p));
    assert_true(http_origin_parse("http://[::1]:5173", &p));
    assert_int_equal(p.at.port, 5173);
    assert_false(http_origin_parse("null", &o));
    assert_false(http_origin_parse("file://x", &o));
    assert_false(http_origin_parse("http://a/b", &o));
    assert_false(http_origin_parse("http://", &o));
}

static void tokens(void **state)
{
    (void)state;
    assert_string_equal(http_bearer("Bearer abc"), "abc");
    assert_string_equal(http_bearer("bearer   abc"), "abc");
    assert_null(http_bearer("Bearer "));
    assert_null(http_bearer("Basic abc"));
    assert_null(http_bearer(NULL));
    assert_true(http_equal_constant_time("abcd", "abcx", 3));
    assert_false(http_equal_constant_time("abcd", "abcx", 4));
}

static void decoded_is(const char *value, const char *expected)
{
    char *out = NULL;
    size_t n = 0;
    int rc = http_value_decode(value, &out, &n);
    if (!expected) {
        assert_int_equal(rc, 1);
        assert_null(out);
        return;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(n, strlen(expected));
    assert_string_equal(out, expected);
    base_free(out);
}

static void sentinels(void **state)
{
    (void)state;
    decoded_is("calculator", "calculator");
    decoded_is("", "");
    decoded_is("=?base64?SGVsbG8=?=", "Hello");
    decoded_is("=?base64?"
               "?=",
               "");
    decoded_is("=?base64?w6TDtsO8?=", "\xc3\xa4\xc3\xb6\xc3\xbc");
    decoded_is("=?base64?SGVsbG8=", "=?base64?SGVsbG8="); /* not closed: itself */
    decoded_is("SGVsbG8=?=", "SGVsbG8=?=");
    decoded_is("=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?=");
    decoded_is("=?base64?SGVsbG8?=", NULL);     /* padding is missing */
    decoded_is("=?base64?SGVs!!!bG8=?=", NULL); /* not its letters */
    decoded_is("=?base64?SGVsbG9=?=", NULL);    /* bits behind the last byte */
    decoded_is("=?base64?=AAA?=", NULL);
    decoded_is("=?base64?AA=A?=", NULL);
    decoded_is("=?base64?AAAA====?=", NULL);
    decoded_is("=?base64?//8=?=", NULL); /* not UTF-8 */
    decoded_is("caf\xc3\xa9", NULL);
    decoded_is("a\x01", NULL);
    decoded_is("=?base64?=", "=?base64?="); /* too short to be both */
}

static void equals(const char *text, json_t *value, bool expected)
{
    assert_int_equal(http_value_equals(text, strlen(text), value), expected);
    json_decref(value);
}

static void values_of_the_body(void **state)
{
    (void)state;
    equals("a", json_string("a"), true);
    equals("a", json_string("A"), false);
    equals("ab", json_string("a"), false);
    equals("42", json_integer(42), true);
    equals("42.0", json_integer(42), true);
    equals("4.2e1", json_real(42), true);
    equals("042", json_integer(42), false);
    equals("42 ", json_integer(42), false);
    equals("9007199254740993", json_integer(9007199254740993), true);
    equals("9007199254740992", json_integer(9007199254740993), false);
    equals("true", json_true(), true);
    equals("True", json_true(), false);
    equals("false", json_false(), true);
    equals("null", json_null(), false);
    equals("\"a\"", json_integer(1), false);
    equals("[]", json_array(), false);
}

static void event_ids(void **state)
{
    (void)state;
    uint64_t stream = 9, event = 9;
    assert_true(http_event_id_parse("3-0", &stream, &event));
    assert_int_equal(stream, 3);
    assert_int_equal(event, 0);
    static const char *const bad[] = {
        "",    "3",    "-",    "3-",   "-3",    "3-1 ", " 3-1",
        "3-x", "+3-1", "03-1", "3-01", "3-1-1", "3--1", "1234567890123456789-1"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(http_event_id_parse(bad[i], &stream, &event));
}

static void params_are(const char *schema_text, const char *arguments_text,
                       const struct http_param *params, size_t n, const char *problem)
{
    char said[200] = "";
    json_t *schema = json_loads(schema_text, 0, NULL);
    json_t *arguments = json_loads(arguments_text, 0, NULL);
    assert_non_null(schema);
    assert_int_equal(http_params_check(schema, arguments, params, n, said), problem != NULL);
    if (problem)
        assert_non_null(strstr(said, problem));
    json_decref(schema);
    json_decref(arguments);
}

static void mirrored_arguments(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"properties\": {\"region\": {\"type\": \"string\", \"x-mcp-header\": \"Region\"},"
        " \"n\": {\"type\": \"integer\", \"x-mcp-header\": \"N\"},"
        " \"x\": {\"type\": \"number\", \"x-mcp-header\": \"X\"},"
        " \"in\": {\"type\": \"object\", \"properties\": {\"on\": {\"type\": \"boolean\","
        " \"x-mcp-header\": \"On\"}}},"
        " \"list\": {\"items\": {\"properties\": {\"a\": {\"type\": \"string\","
        " \"x-mcp-header\": \"A\"}}}}}}";
    const struct http_param region = { "region", "=?base64?dXM=?=" }, n = { "N", "7" },
                            on = { "On", "true" };
    params_are(schema, "{}", NULL, 0, NULL);
    params_are(schema, "{\"region\": \"us\"}", &region, 1, NULL);
    params_are(schema, "{\"region\": \"eu\"}", &region, 1, "Mcp-Param-Region: it differs");
    params_are(schema, "{\"region\": \"us\"}", NULL, 0, "Mcp-Param-Region: it is missing");
    params_are(schema, "{\"region\": null}", NULL, 0, NULL);
    params_are(schema, "{\"region\": null}", &region, 1, "no such argument");
    const struct http_param twice[] = { region, region };
    params_are(schema, "{\"region\": \"us\"}", twice, 2, "more than once");
    const struct http_param all[] = { on, n, region };
    params_are(schema, "{\"region\": \"us\", \"n\": 7, \"x\": 1.5, \"in\": {\"on\": true}}", all, 3,
               NULL);
    params_are(schema, "{\"region\": \"us\", \"n\": 7, \"in\": {\"on\": false}}", all, 3,
               "Mcp-Param-On: it differs");
    params_are(schema, "{\"list\": [{\"a\": \"b\"}]}", NULL, 0, NULL);
    const struct http_param broken = { "Region", "=?base64?dXM?=" };
    params_are(schema, "{\"region\": \"us\"}", &broken, 1, "no such value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_fields),
        cmocka_unit_test(hosts_and_origins),
        cmocka_unit_test(tokens),
        cmocka_unit_test(sentinels),
        cmocka_unit_test(values_of_the_body),
        cmocka_unit_test(event_ids),
        cmocka_unit_test(mirrored_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
