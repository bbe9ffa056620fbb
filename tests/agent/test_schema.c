/* JSON Schema: the public test suite where it is at hand, and without it what a schema must do:
 * messages with places, references, dialects, patterns of ECMA-262, limits, failing allocations. */
#include "agent/pattern.h"
#include "agent/uri.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/schema.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static json_t *json(const char *text)
{
    json_t *value = NULL;
    assert_int_equal(base_json_parse_wire(&value, text, strlen(text), 0, "t"), 0);
    return value;
}

static int verdict(const char *schema, const char *instance, json_t **errors)
{
    json_t *s = json(schema), *x = json(instance);
    struct agent_schema *compiled = NULL;
    int rc = agent_schema_compile(&compiled, s, "t", NULL);
    if (!rc)
        rc = agent_schema_check(compiled, x, errors);
    agent_schema_free(compiled);
    json_decref(s);
    json_decref(x);
    return rc;
}

static void suite_passes(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("agent/json-schema-test-suite/tests/draft2020-12");
    struct agent_schema_suite suite;
    assert_int_equal(
        agent_schema_suite_run(test_shared_path("agent/json-schema-test-suite/tests/draft2020-12"),
                               NULL, &suite),
        0);
    assert_int_equal(suite.failed, 0);
    assert_int_equal(suite.passed, 1299);
    json_decref(suite.failures);
}

/* schema, instance, verdict: what no keyword alone decides, and draft-07. */
static void verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *instance;
        int valid;
    } cases[] = {
        { "true", "1", 1 },
        { "false", "1", 0 },
        { "{\"const\": 1}", "1.0", 1 },
        { "{\"const\": [true]}", "[1]", 0 },
        { "{\"type\": \"integer\"}", "1e2", 1 },
        { "{\"type\": \"integer\"}", "1.5", 0 },
        { "{\"multipleOf\": 0.01}", "19.99", 1 },
        { "{\"multipleOf\": 0.01}", "19.995", 0 },
        { "{\"multipleOf\": 3}", "9007199254740993", 1 },
        { "{\"multipleOf\": 3}", "9007199254740994", 0 },
        { "{\"maximum\": 9007199254740992}", "9007199254740993", 0 },
        { "{\"uniqueItems\": true}", "[{\"a\": 1, \"b\": 2}, {\"b\": 2.0, \"a\": 1}]", 0 },
        { "{\"uniqueItems\": true}", "[0, false, \"\", null, [], {}]", 1 },
        { "{\"maxLength\": 2}", "\"\\ud83d\\ude00\\ud83d\\ude00\"", 1 },
        { "{\"anyOf\": [{\"properties\": {\"a\": true}}, {\"properties\": {\"b\": true}}],"
          " \"unevaluatedProperties\": false}",
          "{\"a\": 1, \"b\": 2}", 1 },
        { "{\"anyOf\": [{\"properties\": {\"a\": {\"type\": \"string\"}}},"
          " {\"properties\": {\"b\": true}}], \"unevaluatedProperties\": false}",
          "{\"a\": 1, \"b\": 2}", 0 },
        { "{\"$ref\": \"#/$defs/a~1b%25\", \"$defs\": {\"a/b%\": {\"type\": \"null\"}}}", "null",
          1 },
        { "{\"$defs\": {\"n\": {\"$anchor\": \"n\", \"type\": \"object\", \"properties\":"
          " {\"next\": {\"$ref\": \"#n\"}}}}, \"$ref\": \"#n\"}",
          "{\"next\": {\"next\": {\"next\": 3}}}", 0 },
        /* draft-07: $ref alone counts; items as an array; dependencies; definitions */
        { "{\"$schema\": \"http://json-schema.org/draft-07/schema#\", \"definitions\":"
          " {\"s\": {\"type\": \"string\"}}, \"properties\": {\"a\": {\"$ref\":"
          " \"#/definitions/s\", \"maxLength\": 1}}}",
          "{\"a\": \"long\"}", 1 },
        { "{\"$schema\": \"http://json-schema.org/draft-07/schema#\", \"items\": [{\"type\":"
          " \"string\"}], \"additionalItems\": {\"type\": \"null\"}}",
          "[\"a\", null, 3]", 0 },
        { "{\"$schema\": \"http://json-schema.org/draft-07/schema#\", \"dependencies\": {\"a\":"
          " [\"b\"], \"c\": {\"required\": [\"d\"]}}}",
          "{\"a\": 1, \"b\": 1, \"c\": 1}", 0 },
        { "{\"items\": {\"type\": \"null\"}, \"prefixItems\": [{\"type\": \"string\"}]}",
          "[\"a\", null, null]", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int got = verdict(cases[i].schema, cases[i].instance, NULL);
        if (got != cases[i].valid)
            fail_msg("%s on %s: %d, %s", cases[i].schema, cases[i].instance, got,
                     base_error_message());
    }
}

static void errors_name_the_place(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"type\": \"object\", \"required\": [\"city\"], \"additionalProperties\": false,"
        " \"properties\": {\"city\": {\"type\": \"string\"}, \"days\": {\"type\": \"array\","
        " \"items\": {\"type\": \"integer\", \"minimum\": 1}}, \"a/b\": {\"anyOf\": [{\"type\":"
        " \"null\"}, {\"properties\": {\"x\": {\"const\": 1}}}]}}}";
    static const struct {
        const char *instance, *at, *rule, *message;
    } cases[] = {
        { "{}", "", "#/required", "the property \"city\" is missing" },
        { "{\"city\": 3}", "/city", "#/properties/city/type", "expected string, got integer 3" },
        { "{\"city\": \"a\", \"days\": [1, 0]}", "/days/1", "#/properties/days/items/minimum",
          "expected at least 1, got 0" },
        { "{\"city\": \"a\", \"town\": \"b\"}", "/town", "#/additionalProperties",
          "the property \"town\" is not allowed" },
        { "{\"city\": \"a\", \"a/b\": {\"x\": 2}}", "/a~1b", "#/properties/a~1b/anyOf",
          "matches none of the 2 schemas; nearest, at /a~1b/x: expected 1, got 2" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *errors = NULL;
        assert_int_equal(verdict(schema, cases[i].instance, &errors), 0);
        const json_t *e = json_array_get(errors, 0);
        assert_int_equal(json_array_size(errors), 1);
        assert_string_equal(json_string_value(json_object_get(e, "instance")), cases[i].at);
        assert_string_equal(json_string_value(json_object_get(e, "schema")), cases[i].rule);
        assert_string_equal(json_string_value(json_object_get(e, "message")), cases[i].message);
        json_decref(errors);
    }
}

static void unusable_schemas_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *message;
        int code;
    } cases[] = {
        { "3", "t: a schema is an object or a boolean, not a number", BASE_E_FORMAT },
        { "{\"type\": \"strin\"}", "t: schema#/type: not a valid schema: ", BASE_E_FORMAT },
        { "{\"properties\": {\"a\": 3}}", "t: schema#/properties: expected an object of schemas",
          BASE_E_FORMAT },
        { "{\"$ref\": \"#/$defs/none\"}", "t: schema#/$ref: \"#/$defs/none\" leads nowhere",
          BASE_E_FORMAT },
        { "{\"items\": {\"$ref\": \"https://example.org/x.json\"}}",
          "t: schema#/items/$ref: no document https://example.org/x.json is here, and nothing is "
          "fetched",
          BASE_E_UNSUPPORTED },
        { "{\"$schema\": \"http://json-schema.org/draft-04/schema#\"}",
          "t: schema#/$schema: a dialect that is not known", BASE_E_UNSUPPORTED },
        { "{\"pattern\": \"(\"}", "t: schema#/pattern: the pattern \"(\" is not a regular",
          BASE_E_FORMAT },
        { "{\"$defs\": {\"a\": {\"$anchor\": \"x\"}, \"b\": {\"$anchor\": \"x\"}}}",
          "t: schema#/$defs/b/$anchor: this anchor stands in two places", BASE_E_FORMAT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *s = json(cases[i].schema);
        struct agent_schema *compiled = NULL;
        assert_int_equal(agent_schema_compile(&compiled, s, "t", NULL), cases[i].code);
        if (strncmp(base_error_message(), cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: %s", cases[i].schema, base_error_message());
        json_decref(s);
    }
}

/* A reference to itself at the same place of the instance has no end; exponential alternatives and
 * patterns end too. */
static void limits_hold(void **state)
{
    (void)state;
    assert_int_equal(verdict("{\"$ref\": \"#\"}", "1", NULL), BASE_E_LIMIT);
    assert_int_equal(
        verdict("{\"anyOf\": [{\"$ref\": \"#/$defs/a\"}], \"$defs\": {\"a\": {\"$ref\":"
                " \"#\"}}}",
                "1", NULL),
        BASE_E_LIMIT);
    assert_int_equal(verdict("{\"pattern\": \"^(a+)+$\"}",
                             "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"",
                             NULL),
                     BASE_E_LIMIT);
    /* 2^40 paths through doubled references */
    struct base_buffer b = { 0 };
    base_buffer_puts(&b, "{\"$defs\": {\"d0\": {\"type\": \"null\"}");
    for (int i = 1; i <= 40; i++)
        base_buffer_printf(&b,
                           ", \"d%d\": {\"oneOf\": [{\"$ref\": \"#/$defs/d%d\"}, {\"$ref\": "
                           "\"#/$defs/d%d\"}]}",
                           i, i - 1, i - 1);
    base_buffer_puts(&b, "}, \"$ref\": \"#/$defs/d40\"}");
    assert_int_equal(verdict(b.data, "1", NULL), BASE_E_LIMIT);
    base_buffer_free(&b);
}

static void patterns_are_ecma(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        int found;
    } cases[] = {
        { "^\\d+$", "\u0967", 0 },
        { "^\\w$", "\u00e9", 0 },
        { "^\\s$", "\ufeff", 1 },
        { "^[\\s]$", "\u2003", 1 },
        { "^[^\\S]$", "\u2003", 1 },
        { "^\\S$", "\u2003", 0 },
        { "a$", "a\n", 0 },
        { "^.$", "\u2028", 0 },
        { "^.$", "\U0001F600", 1 },
        { "^\\uD83D\\uDE00$", "\U0001F600", 1 },
        { "^\\u{1F600}$", "\U0001F600", 1 },
        { "^\\cJ$", "\n", 1 },
        { "^[\\b]$", "\b", 1 },
        { "^\\p{Letter}+$", "\u00e9a", 1 },
        { "^\\p{Script=Greek}+$", "\u03b1", 1 },
        { "^\\P{Lu}$", "A", 0 },
        { "^[[a]$", "[", 1 },
        { "^a\\/b\\-c$", "a/b-c", 1 },
        { "[]", "a", 0 },
        { "^[^]$", "\n", 1 },
        { "^(?<n>a)\\k<n>$", "aa", 1 },
        { "(?<!x)y", "xy", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent_pattern *p = NULL;
        if (agent_pattern_compile(&p, cases[i].pattern))
            fail_msg("%s: %s", cases[i].pattern, base_error_message());
        int found = agent_pattern_find(p, cases[i].text, strlen(cases[i].text));
        if (found != cases[i].found)
            fail_msg("%s on %s: %d", cases[i].pattern, cases[i].text, found);
        agent_pattern_free(p);
    }
    static const char *const bad[] = { "(",     "[a",     "a**", "a++",     "\\",
                                       "\\u12", "\\pL",   "\\y", "(?i)a",   "(*LIMIT_MATCH=1)a",
                                       "\\cé",  "(?#x)a", "*a",  "\\ud83dx" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct agent_pattern *p = NULL;
        if (agent_pattern_compile(&p, bad[i]) != BASE_E_FORMAT)
            fail_msg("%s was taken", bad[i]);
    }
}

/* RFC 3986, section 5.4. */
static void uris_resolve(void **state)
{
    (void)state;
    static const char base[] = "http://a/b/c/d;p?q";
    static const char *const cases[][2] = {
        { "g:h", "g:h" },
        { "g", "http://a/b/c/g" },
        { "./g", "http://a/b/c/g" },
        { "g/", "http://a/b/c/g/" },
        { "/g", "http://a/g" },
        { "//g", "http://g" },
        { "?y", "http://a/b/c/d;p?y" },
        { "g?y", "http://a/b/c/g?y" },
        { "#s", "http://a/b/c/d;p?q" },
        { ";x", "http://a/b/c/;x" },
        { "", "http://a/b/c/d;p?q" },
        { ".", "http://a/b/c/" },
        { "./", "http://a/b/c/" },
        { "..", "http://a/b/" },
        { "../", "http://a/b/" },
        { "../g", "http://a/b/g" },
        { "../..", "http://a/" },
        { "../../g", "http://a/g" },
        { "../../../g", "http://a/g" },
        { "/./g", "http://a/g" },
        { "/../g", "http://a/g" },
        { "g.", "http://a/b/c/g." },
        { ".g", "http://a/b/c/.g" },
        { "..g", "http://a/b/c/..g" },
        { "./../g", "http://a/b/g" },
        { "./g/.", "http://a/b/c/g/" },
        { "g/./h", "http://a/b/c/g/h" },
        { "g/../h", "http://a/b/c/h" },
        { "g;x=1/../y", "http://a/b/c/y" },
        { "g?y/../x", "http://a/b/c/g?y/../x" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = agent_uri_resolve(base, cases[i][0]);
        assert_string_equal(got, cases[i][1]);
        base_free(got);
    }
    char *f = agent_uri_fragment("x#/a%25b%7e%zz");
    assert_string_equal(f, "/a%b~%zz");
    base_free(f);
}

static void failing_allocations(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"$id\": \"http://x/y\", \"properties\": {\"a\": {\"$ref\": \"#d\"}},"
        " \"patternProperties\": {\"^b\": {\"type\": \"null\"}}, \"$defs\": {\"d\": {\"$anchor\":"
        " \"d\", \"anyOf\": [{\"const\": 1}, {\"enum\": [2, 3]}]}}, \"unevaluatedProperties\":"
        " false}";
    json_t *s = json(schema), *x = json("{\"a\": 4, \"b\": null, \"c\": 0}");
    int verdicts = 0;
    for (long n = 1; n < 5000 && !verdicts; n++) {
        long live = base_alloc_live();
        struct agent_schema *compiled = NULL;
        json_t *errors = NULL;
        base_alloc_fail_after(n);
        int rc = agent_schema_compile(&compiled, s, "t", NULL);
        if (!rc)
            rc = agent_schema_check(compiled, x, &errors);
        base_alloc_fail_after(0);
        assert_true(rc == BASE_E_MEMORY || rc == 0 || rc == BASE_E_UNSUPPORTED);
        verdicts = rc == 0 && json_array_size(errors) == 2;
        json_decref(errors);
        agent_schema_free(compiled);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_true(verdicts);
    json_decref(s);
    json_decref(x);
}

static void commands(void **state)
{
    (void)state;
    const char *schema = test_temporary_path(".json"), *good = test_temporary_path(".json"),
               *bad = test_temporary_path(".json"), *none = test_temporary_path(".json");
    test_write_file(schema, "{\"required\": [\"a\"]}", 19);
    test_write_file(good, "{\"a\": 1}", 8);
    test_write_file(bad, "{}", 2);
    test_write_file(none, "{\"type\": 3}", 11);
    struct test_run r = test_assay(NULL, "schema", "validate", schema, good, NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    r = test_assay(NULL, "schema", "validate", "--json", schema, good, bad, NULL);
    assert_int_equal(r.rc, 1);
    json_t *o = test_run_json(&r);
    assert_true(json_is_false(json_object_get(o, "valid")));
    const json_t *second = json_array_get(json_object_get(o, "instances"), 1);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(second, "errors"), 0), "message")),
                        "the property \"a\" is missing");
    json_decref(o);
    test_run_free(&r);
    r = test_assay(NULL, "schema", "validate", none, good, NULL);
    assert_int_equal(r.rc, 2);
    assert_non_null(strstr(r.err, "schema#/type: not a valid schema"));
    test_run_free(&r);
    unlink(schema);
    unlink(good);
    unlink(bad);
    unlink(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite_passes),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(unusable_schemas_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(patterns_are_ecma),
        cmocka_unit_test(uris_resolve),
        cmocka_unit_test(failing_allocations),
        cmocka_unit_test(commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
