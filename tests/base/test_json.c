/* JSON: what is accepted, what is refused and how it says so, numbers, text, look-ups, and the JSON
 * test suite (Seriot, "Parsing JSON is a minefield") where it is at hand. */
#include "base/json.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int parse(json_t **out, const char *text)
{
    return base_json_parse(out, text, strlen(text), "t.json");
}

static void values_survive(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{\"b\": 1, \"a\": [true, false, null, \"x\\ny\"]}",
        "9223372036854775807",
        "-9223372036854775808",
        "0.1",
        "6.7",
        "1.7976931348623157e308",
        "\"a\\u0000b\"",
        "\"\u00e9\U0001F600\"",
        "[]",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        json_t *v;
        assert_int_equal(parse(&v, same[i]), 0);
        char *text = base_json_dump(v, false);
        assert_string_equal(text, same[i]);
        base_free(text);
        json_decref(v);
    }
}

/* The double's text in JSON, which reads back to it and has no digit too many. */
static void check_double(double x)
{
    json_t *v = json_real(x), *again = NULL;
    char *text = base_json_dump(v, false), shorter[40];
    if (!text || parse(&again, text) || !json_is_real(again))
        fail_msg("%a: %s", x, text ? text : "NULL");
    double y = json_real_value(again);
    if (memcmp(&x, &y, sizeof x) != 0)
        fail_msg("%a became %s, which is %a", x, text, y);
    int digits = 0, zeros = 0;
    for (const char *s = text; *s && *s != 'e'; s++) {
        if (*s == '0' && digits)
            zeros++;
        else if (*s >= '1' && *s <= '9')
            digits += zeros + 1, zeros = 0;
    }
    if (digits > 1 && (x != floor(x) || fabs(x) >= 1e17)) { /* whole numbers show all of theirs */
        snprintf(shorter, sizeof shorter, "%.*e", digits - 2, x);
        if (strtod(shorter, NULL) == x)
            fail_msg("%s could be %s", text, shorter);
    }
    base_free(text);
    json_decref(v);
    json_decref(again);
}

static void doubles_are_short(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } known[] = {
        { 42, "42.0" },
        { -0.0, "-0.0" },
        { 0, "0.0" },
        { 0.1, "0.1" },
        { 6.7, "6.7" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 1.0 / 3, "0.3333333333333333" },
        { 2.0 / 3, "0.6666666666666666" },
        { 1e15, "1000000000000000.0" },
        { 9007199254740993.0, "9007199254740992.0" },
        { 1e17, "1e17" },
        { 1e22, "1e22" },
        { 1e23, "1e23" },
        { -1.5e300, "-1.5e300" },
        { 0.0001, "0.0001" },
        { 0.00001, "1e-5" },
        { 1e-21, "1e-21" },
        { 5e-324, "5e-324" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { 1.7976931348623157e308, "1.7976931348623157e308" },
        { 123456.789, "123456.789" },
        { 1234567890123456.5, "1234567890123456.5" },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        json_t *v = json_real(known[i].x);
        char *text = base_json_dump(v, false);
        assert_string_equal(text, known[i].text);
        base_free(text);
        json_decref(v);
        check_double(known[i].x);
    }
    for (int e = -1074; e < 1024; e++) { /* where the neighbours lie unevenly */
        check_double(ldexp(1, e));
        check_double(nextafter(ldexp(1, e), 0));
        check_double(-nextafter(ldexp(1, e), INFINITY));
    }
    uint64_t seed = 88172645463325252u; /* Marsaglia's xorshift: any bits are a double */
    for (int i = 0; i < 200000; i++) {
        double x;
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        memcpy(&x, &seed, sizeof x);
        if (isfinite(x))
            check_double(x);
        check_double((double)(seed % 1000000) / 1000); /* what people write */
    }
    char out[BASE_DOUBLE_TEXT];
    assert_string_equal(base_double_text(42, out), "42");
    assert_string_equal(base_double_text(1e22, out), "1e+22");
}

/* All but doubles is as jansson prints it. */
static void text_is_as_janssons(void **state)
{
    (void)state;
    char all[128];
    for (int i = 0; i < 127; i++)
        all[i] = (char)(i + 1);
    all[127] = 0;
    json_t *v =
        json_pack("{s:[], s:{}, s:[i, [I, {s:n}]], s:s, s:[b, b, n, {}], s:s}", "empty", "none",
                  "nested", 1, (json_int_t)INT64_MIN, "x", all, "\u00e9\t", "last", 1, 0, all, "");
    static const size_t flags[] = { JSON_ENCODE_ANY, JSON_ENCODE_ANY | JSON_INDENT(2),
                                    JSON_ENCODE_ANY | JSON_COMPACT };
    for (int i = 0; i < 3; i++) {
        char *expected = json_dumps(v, flags[i]);
        char *text = i == 2 ? base_json_compact(v) : base_json_dump(v, i == 1);
        assert_string_equal(text, expected);
        base_free(text);
        base_free(expected);
    }
    json_decref(v);
    v = json_stringn_nocheck("a\xff", 2);
    char *text = base_json_dump(v, false);
    assert_string_equal(text, "\"a\uFFFD\"");
    base_free(text);
    json_decref(v);
    assert_null(base_json_dump(NULL, false));
}

static void refusals_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        { "", "t.json:1:" },
        { "{\"a\": 1,\n \"a\": 2}", "t.json:2:" },
        { "{\"a\": 1} x", "t.json:1:" },
        { "\"\xFF\"", "0xff" },
        { "\"\\ud800\"", "t.json:1:" },
        { "[1e999]", "t.json:1:" },
        { "[NaN]", "t.json:1:" },
        { "{\"a\\u0000\": 1}", "NUL" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *v = NULL;
        int rc = parse(&v, bad[i].text);
        if (rc != BASE_E_FORMAT || !strstr(base_error_message(), bad[i].message)) {
            fail_msg("%s: %d %s", bad[i].text, rc, base_error_message());
        }
        assert_null(v);
    }
    assert_int_equal(base_json_parse(&(json_t *){ 0 }, NULL, 0, "empty"), BASE_E_FORMAT);
    assert_int_equal(base_json_parse(&(json_t *){ 0 }, "[1,\n2]\0", 7, "nul"), BASE_E_FORMAT);
    assert_string_equal(base_error_message(), "nul:2:3: not valid JSON: NUL byte");
    char deep[10000];
    memset(deep, '[', sizeof deep);
    assert_int_equal(base_json_parse(&(json_t *){ 0 }, deep, sizeof deep, "deep"), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "depth"));
}

static void numbers_and_text(void **state)
{
    (void)state;
    json_t *v = base_json_number(0.5);
    assert_true(json_is_real(v) && json_real_value(v) == 0.5);
    json_decref(v);
    assert_true(json_is_null(base_json_number(NAN)));
    assert_true(json_is_null(base_json_number(-INFINITY)));
    v = base_json_text("a\xFF"
                       "b\0c",
                       5);
    assert_int_equal(json_string_length(v), 7);
    assert_memory_equal(json_string_value(v),
                        "a\uFFFD"
                        "b\0c",
                        7);
    json_decref(v);
}

/* tokenizer_config.json of many models holds int(1e30). */
static void integers_beyond_64_bits_are_reals(void **state)
{
    (void)state;
    json_t *v;
    assert_int_equal(parse(&v, "{\"9223372036854775808\": 9223372036854775808, \"b\": "
                               "[-1000000000000000019884624838656,\n"
                               "1, \"\\\" 9999999999999999999\", 1e3]}"),
                     0);
    assert_true(json_is_real(json_object_get(v, "9223372036854775808")));
    assert_true(json_real_value(json_object_get(v, "9223372036854775808")) ==
                9223372036854775808.0);
    const json_t *b = json_object_get(v, "b");
    assert_true(json_real_value(json_array_get(b, 0)) == -1e30);
    assert_int_equal(json_integer_value(json_array_get(b, 1)), 1);
    assert_string_equal(json_string_value(json_array_get(b, 2)), "\" 9999999999999999999");
    json_decref(v);
    assert_int_equal(parse(&v, "[9223372036854775808,\n1e999]"), BASE_E_FORMAT);
}

static void look_ups(void **state)
{
    (void)state;
    json_t *o;
    assert_int_equal(parse(&o, "{\"i\":3,\"r\":2.5,\"b\":true,\"s\":\"x\",\"n\":null}"), 0);
    int64_t i = 9;
    double d = 9;
    bool b = false;
    const char *s = "d";
    assert_int_equal(base_json_get_int(o, "i", "f", true, &i), 0);
    assert_int_equal(i, 3);
    assert_int_equal(base_json_get_double(o, "r", "f", true, &d), 0);
    assert_true(d == 2.5);
    assert_int_equal(base_json_get_double(o, "i", "f", true, &d), 0);
    assert_true(d == 3);
    assert_int_equal(base_json_get_bool(o, "b", "f", true, &b), 0);
    assert_true(b);
    assert_int_equal(base_json_get_string(o, "s", "f", true, &s), 0);
    assert_string_equal(s, "x");
    i = 9;
    assert_int_equal(base_json_get_int(o, "missing", "f", false, &i), 0);
    assert_int_equal(base_json_get_int(o, "n", "f", false, &i), 0);
    assert_int_equal(i, 9);
    assert_int_equal(base_json_get_int(o, "n", "f", true, &i), BASE_E_FORMAT);
    assert_string_equal(base_error_message(), "f: n: missing");
    assert_int_equal(base_json_get_int(o, "s", "f.json", false, &i), BASE_E_FORMAT);
    assert_string_equal(base_error_message(), "f.json: s: expected an integer, got a string");
    assert_int_equal(base_json_get_int(o, "r", "f", false, &i), BASE_E_FORMAT);
    assert_int_equal(base_json_get_bool(o, "i", "f", false, &b), BASE_E_FORMAT);
    assert_int_equal(base_json_get_string(o, "b", "f", false, &s), BASE_E_FORMAT);
    assert_int_equal(base_json_get_double(o, "s", "f", false, &d), BASE_E_FORMAT);
    json_t *array = json_array();
    assert_int_equal(base_json_get_int(array, "i", "f", false, &i), BASE_E_FORMAT);
    json_decref(array);
    json_decref(o);
}

static void failed_allocations(void **state)
{
    (void)state;
    const char *text =
        "{\"a\": [1, 2.5, \"x\", {\"b\": null}], \"c\": \"long enough to be copied\"}";
    long live = base_alloc_live();
    int rc = BASE_E_MEMORY;
    for (long n = 1; rc && n < 1000; n++) {
        json_t *v = NULL;
        base_alloc_fail_after(n);
        rc = parse(&v, text);
        base_alloc_fail_after(0);
        assert_true(rc == 0 || rc == BASE_E_MEMORY || rc == BASE_E_FORMAT);
        json_decref(v);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(rc, 0);
}

/* Duplicate keys are RFC-valid and refused on purpose; a NUL in a key is jansson's limit. */
static bool refused_on_purpose(const char *name)
{
    return strncmp(name, "y_object_duplicated_key", 23) == 0 ||
           strcmp(name, "y_object_escaped_null_in_key.json") == 0;
}

/* All that the grammar accepts, to the letter; the rest never. */
static void wire(void **state)
{
    (void)state;
    static const struct {
        const char *text, *dumped;
    } good[] = {
        { " [1 , -0.5e1,\t\"a\\u0000\\uD83D\\ude00\"\r\n] ", "[1, -5.0, \"a\\u0000\U0001F600\"]" },
        { "{\"a\": 1, \"a\": {\"a\": 2}}", "{\"a\": {\"a\": 2}}" },
        { "9007199254740993", "9007199254740993" },
        { "12345678901234567890", "12345678901234567000.0" },
        { "{}", "{}" },
        { "[]", "[]" },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        json_t *v = NULL;
        if (base_json_parse_wire(&v, good[i].text, strlen(good[i].text), 0, "w"))
            fail_msg("%s: %s", good[i].text, base_error_message());
        char *text = base_json_dump(v, false);
        json_t *a = NULL, *b = NULL; /* numbers may print otherwise and be the same */
        assert_int_equal(base_json_parse_wire(&a, text, strlen(text), 0, "w"), 0);
        assert_int_equal(base_json_parse_wire(&b, good[i].dumped, strlen(good[i].dumped), 0, "w"),
                         0);
        assert_true(json_equal(a, b));
        base_free(text);
        json_decref(a);
        json_decref(b);
        json_decref(v);
    }
    json_t *v = NULL;
    const char *text = "{\"a\\u0000b\": 1}";
    assert_int_equal(base_json_parse_wire(&v, text, strlen(text), 0, "w"), 0);
    assert_int_equal(json_integer_value(json_object_getn(v, "a\0b", 3)), 1);
    json_decref(v);
    /* the place of what is wrong */
    text = "{\"a\": 1,\n \"b\": 01}";
    assert_int_equal(base_json_parse_wire(&v, text, strlen(text), 0, "w"), BASE_E_FORMAT);
    assert_string_equal(base_error_message(), "w:2:7: not valid JSON: a number that begins with 0");
    /* 512 deep, and not one more; siblings do not add up */
    char deep[1200];
    memset(deep, '[', 512);
    memset(deep + 512, ']', 512);
    assert_int_equal(base_json_parse_wire(&v, deep, 1024, 0, "w"), 0);
    json_decref(v);
    memset(deep, '[', 513);
    memset(deep + 513, ']', 513);
    assert_int_equal(base_json_parse_wire(&v, deep, 1026, 0, "w"), BASE_E_LIMIT);
    text = "[[],[],[[]],{},{\"a\":[]}]";
    assert_int_equal(base_json_parse_wire(&v, text, strlen(text), 3, "w"), 0);
    json_decref(v);
    /* nothing leaks when memory runs out */
    text = "{\"a\": [1, 2.5, \"x\", {\"b\": null}], \"c\": 123456789012345678901234567890123456789"
           "01234567890123456789012345678901234567890}";
    long live = base_alloc_live();
    int rc = BASE_E_MEMORY;
    for (long n = 1; rc && n < 1000; n++) {
        base_alloc_fail_after(n);
        rc = base_json_parse_wire(&v, text, strlen(text), 0, "w");
        base_alloc_fail_after(0);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        if (rc == 0)
            json_decref(v);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(rc, 0);
}

static void wire_suite(void **state)
{
    (void)state;
    const char *shared = getenv("ASSAY_SHARED");
    char *folder =
        base_path_join(shared ? shared : "../shared", "data/agent/json-test-suite/test_parsing");
    DIR *d = opendir(folder);
    if (!d) {
        printf("skip: wire_suite needs %s\n", folder);
        base_free(folder);
        skip();
    }
    int accepted = 0, refused = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (!base_ends_with(e->d_name, ".json"))
            continue;
        char *path = base_path_join(folder, e->d_name), *text;
        size_t bytes;
        json_t *v = NULL;
        assert_int_equal(base_file_read(path, 0, &text, &bytes), 0);
        bool ok = base_json_parse_wire(&v, text, bytes, 0, path) == 0;
        if (e->d_name[0] == (ok ? 'n' : 'y'))
            fail_msg("%s: %s", e->d_name, ok ? "accepted" : base_error_message());
        if (ok)
            json_decref(v);
        accepted += e->d_name[0] == 'y';
        refused += e->d_name[0] == 'n';
        base_free(text);
        base_free(path);
    }
    closedir(d);
    base_free(folder);
    assert_int_equal(accepted, 95);
    assert_int_equal(refused, 188);
}

static void test_suite(void **state)
{
    (void)state;
    const char *shared = getenv("ASSAY_SHARED");
    char *folder =
        base_path_join(shared ? shared : "../shared", "data/agent/json-test-suite/test_parsing");
    DIR *d = opendir(folder);
    if (!d) {
        printf("skip: test_suite needs %s\n", folder);
        base_free(folder);
        skip();
    }
    int accepted = 0, refused = 0, wrong = 0;
    long live = base_alloc_live();
    for (struct dirent *e; (e = readdir(d));) {
        if (!base_ends_with(e->d_name, ".json")) {
            continue;
        }
        char *path = base_path_join(folder, e->d_name);
        json_t *v = NULL;
        bool ok = base_json_load(&v, path) == 0;
        json_decref(v);
        base_free(path);
        bool expected = e->d_name[0] == 'y' && !refused_on_purpose(e->d_name);
        if (e->d_name[0] != 'i' && ok != expected) {
            printf("%s: %s\n", e->d_name, ok ? "accepted" : base_error_message());
            wrong++;
        }
        accepted += e->d_name[0] == 'y' && ok;
        refused += e->d_name[0] == 'n' && !ok;
    }
    closedir(d);
    assert_int_equal(wrong, 0);
    assert_int_equal(base_alloc_live(), live);
    assert_true(accepted > 80 && refused > 150);
    base_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_survive),
        cmocka_unit_test(doubles_are_short),
        cmocka_unit_test(text_is_as_janssons),
        cmocka_unit_test(refusals_say_where),
        cmocka_unit_test(numbers_and_text),
        cmocka_unit_test(look_ups),
        cmocka_unit_test(integers_beyond_64_bits_are_reals),
        cmocka_unit_test(failed_allocations),
        cmocka_unit_test(test_suite),
        cmocka_unit_test(wire),
        cmocka_unit_test(wire_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
