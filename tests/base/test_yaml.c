/* YAML to JSON: core schema scalars, structures, anchors, merges, and every refusal. */
#include "base/json.h"
#include "base/memory.h"
#include "base/buffer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int parse(json_t **out, const char *text)
{
    return base_yaml_parse(out, text, strlen(text), "t.yaml");
}

static void documents(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        { "", "null" },
        { "# only a remark\n", "null" },
        { "a: 1\nb: [x, y]\n", "{\"a\": 1, \"b\": [\"x\", \"y\"]}" },
        { "- ~\n- null\n- Null\n-\n- 'null'\n", "[null, null, null, null, \"null\"]" },
        { "[true, False, TRUE, yes, no, on, off]",
          "[true, false, true, \"yes\", \"no\", \"on\", \"off\"]" },
        { "[0, -12, +7, 0o17, 0xff, 012, 9223372036854775807]",
          "[0, -12, 7, 15, 255, 12, 9223372036854775807]" },
        { "[1_000, 0b1, 1:30, 0x, 0o8, -0x1, '7']",
          "[\"1_000\", \"0b1\", \"1:30\", \"0x\", \"0o8\", \"-0x1\", \"7\"]" },
        { "[3e-4, 1., .5, -2.5E+3, 6.02e23, 1e5]",
          "[0.0003, 1.0, 0.5, -2500.0, 6.02e23, 100000.0]" },
        { "[., e5, 1e, 1.5.2, -, +.e1, 1 2]",
          "[\".\", \"e5\", \"1e\", \"1.5.2\", \"-\", \"+.e1\", \"1 2\"]" },
        { "a: |\n  two\n  lines\nb: >-\n  one\n  line\n",
          "{\"a\": \"two\\nlines\\n\", \"b\": \"one line\"}" },
        { "\"\\x41\\u00e9\\0\"", "\"A\u00e9\\u0000\"" },
        { "x: &a {k: [1]}\ny: *a\n", "{\"x\": {\"k\": [1]}, \"y\": {\"k\": [1]}}" },
        { "base: &b {lr: 1, n: 2}\nrun:\n  <<: *b\n  lr: 3\n",
          "{\"base\": {\"lr\": 1, \"n\": 2}, \"run\": {\"lr\": 3, \"n\": 2}}" },
        { "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n",
          "{\"a\": {\"x\": 1}, \"b\": {\"x\": 2, \"y\": 2}, \"c\": {\"x\": 1, \"y\": 2}}" },
        { "\"<<\": 1\n", "{\"<<\": 1}" },
        { "!!str 12", "\"12\"" },
        { "!!int '12'", "12" },
        { "!!float 3", "3.0" },
        { "! 12", "\"12\"" },
        { "!!map {a: !!seq [1]}", "{\"a\": [1]}" },
        { "1: a\ntrue: b\n", "{\"1\": \"a\", \"true\": \"b\"}" },
        { "---\na: 1\n...\n", "{\"a\": 1}" },
    };
    long live = base_alloc_live();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *v = NULL;
        if (parse(&v, cases[i].yaml)) {
            fail_msg("%s: %s", cases[i].yaml, base_error_message());
        }
        char *text = base_json_dump(v, false);
        assert_string_equal(text, cases[i].json);
        base_free(text);
        json_decref(v);
    }
    assert_int_equal(base_alloc_live(), live);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int code;
        const char *message;
    } cases[] = {
        { "a: 1\nb: 2\na: 3\n", BASE_E_FORMAT, "t.yaml:3:1: key \"a\" is given twice" },
        { "{<<: {a: 1}, <<: {b: 2}}", BASE_E_FORMAT, "twice" },
        { "a: [1, 2\nb: 3\n", BASE_E_FORMAT, "t.yaml:2:" },
        { "a:\n\t- 1\n", BASE_E_FORMAT, "t.yaml:2:" },
        { "a: *nope\n", BASE_E_FORMAT, "t.yaml:1:4: alias *nope" },
        { "&a [*a]", BASE_E_FORMAT, "alias *a" },
        { "x: 1\ny: !mine 2\n", BASE_E_UNSUPPORTED, "t.yaml:2:4: tag !mine" },
        { "!!set {a: ~}", BASE_E_UNSUPPORTED, "set" },
        { "!!int x", BASE_E_FORMAT, "does not fit" },
        { "!!bool 1", BASE_E_FORMAT, "does not fit" },
        { ".inf", BASE_E_FORMAT, "infinity" },
        { "-.INF", BASE_E_FORMAT, "infinity" },
        { ".nan", BASE_E_FORMAT, "infinity" },
        { "1e999", BASE_E_FORMAT, "range" },
        { "9223372036854775808", BASE_E_FORMAT, "64 bits" },
        { "0x10000000000000000", BASE_E_FORMAT, "64 bits" },
        { "? [a]\n: 1\n", BASE_E_UNSUPPORTED, "key" },
        { "\"a\\0\": 1", BASE_E_FORMAT, "NUL" },
        { "--- 1\n--- 2\n", BASE_E_FORMAT, "one document" },
        { "<<: 3\n", BASE_E_FORMAT, "<<" },
        { "<<: [3]\n", BASE_E_FORMAT, "<<" },
        { "a: \xFF\n", BASE_E_FORMAT, "t.yaml:" },
        { "\"\\ud800\"", BASE_E_FORMAT, "t.yaml:1" },
    };
    long live = base_alloc_live();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *v = NULL;
        int rc = parse(&v, cases[i].yaml);
        if (rc != cases[i].code || !strstr(base_error_message(), cases[i].message)) {
            fail_msg("%s: %d %s", cases[i].yaml, rc, base_error_message());
        }
        assert_null(v);
        assert_int_equal(base_alloc_live(), live);
    }
}

static void limits(void **state)
{
    (void)state;
    long live = base_alloc_live();
    /* each line doubles tenfold: 10^8 values if it were believed */
    struct base_buffer b = { 0 };
    base_buffer_puts(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 8; i++) {
        base_buffer_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) {
            base_buffer_printf(&b, "%s*a%d", k ? ", " : "", i - 1);
        }
        base_buffer_puts(&b, "]\n");
    }
    json_t *v = NULL;
    assert_int_equal(base_yaml_parse(&v, b.data, b.length, "bomb"), BASE_E_LIMIT);
    base_buffer_clear(&b);
    for (int i = 0; i < 400; i++) {
        base_buffer_puts(&b, "[");
    }
    assert_int_equal(base_yaml_parse(&v, b.data, b.length, "deep"), BASE_E_LIMIT);
    base_buffer_free(&b);
    assert_int_equal(base_alloc_live(), live);
}

static void failed_allocations(void **state)
{
    (void)state;
    const char *text = "a: &a {k: [1, 2.5, text]}\nb: {<<: *a, c: 3}\n";
    long live = base_alloc_live();
    int rc = BASE_E_MEMORY;
    for (long n = 1; rc && n < 1000; n++) {
        json_t *v = NULL;
        base_alloc_fail_after(n);
        rc = parse(&v, text);
        base_alloc_fail_after(0);
        json_decref(v);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents),
        cmocka_unit_test(refusals),
        cmocka_unit_test(limits),
        cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
