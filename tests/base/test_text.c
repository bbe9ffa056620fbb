/* UTF-8: every code point round trip, every kind of ill-formed sequence, stream boundaries. */
#include "base/text.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void every_scalar_value_round_trips(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        if (code >= 0xD800 && code <= 0xDFFF) {
            continue;
        }
        char s[4];
        size_t n = base_utf8_encode(code, s);
        assert_int_equal(n, code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4);
        uint32_t back = 0xFFFFFFFF;
        assert_int_equal(base_utf8_decode(s, n, &back), n);
        assert_int_equal(back, code);
        if (n > 1) { /* a cut-off one is not a character, but a stream must wait for the rest */
            assert_int_equal(base_utf8_decode(s, n - 1, &back), 0);
            assert_int_equal(base_utf8_complete(s, n - 1), 0);
        }
        assert_int_equal(base_utf8_complete(s, n), n);
    }
}

static const struct {
    const char *bytes;
    size_t valid;      /* base_utf8_invalid */
    const char *fixed; /* with U+FFFD per maximal subpart, as the Unicode Standard recommends */
} ill_formed[] = {
    { "\xC0\x80", 0, "\uFFFD\uFFFD" },                           /* overlong NUL */
    { "\xC1\xBF", 0, "\uFFFD\uFFFD" },                           /* overlong */
    { "a\xE0\x80\x80z", 1, "a\uFFFD\uFFFD\uFFFDz" },             /* overlong, 3 bytes */
    { "\xED\xA0\x80", 0, "\uFFFD\uFFFD\uFFFD" },                 /* surrogate */
    { "\xF0\x80\x80\x80", 0, "\uFFFD\uFFFD\uFFFD\uFFFD" },       /* overlong, 4 bytes */
    { "\xF4\x90\x80\x80", 0, "\uFFFD\uFFFD\uFFFD\uFFFD" },       /* beyond U+10FFFF */
    { "\xF5", 0, "\uFFFD" },                                     /* no lead byte */
    { "\x80", 0, "\uFFFD" },                                     /* lone continuation */
    { "x\xE2\x82", 1, "x\uFFFD" },                               /* cut off */
    { "\xE2\x82\xE2\x82\xAC", 0, "\uFFFD\u20AC" },               /* cut off by another */
    { "\xF0\x9F\x98!", 0, "\uFFFD!" },                           /* cut off by ASCII */
    { "a\xF1\x80\x80\xE1\x80\xC2z", 1, "a\uFFFD\uFFFD\uFFFDz" }, /* the standard's table 3-8 */
};

static void ill_formed_sequences(void **state)
{
    (void)state;
    long live = base_alloc_live();
    for (size_t i = 0; i < sizeof ill_formed / sizeof *ill_formed; i++) {
        const char *s = ill_formed[i].bytes;
        assert_int_equal(base_utf8_invalid(s, strlen(s)), ill_formed[i].valid);
        size_t n;
        char *fixed = base_utf8_repair(s, strlen(s), &n);
        assert_string_equal(fixed, ill_formed[i].fixed);
        assert_int_equal(n, strlen(fixed));
        assert_int_equal(base_utf8_invalid(fixed, n), n);
        base_free(fixed);
    }
    size_t n;
    char *same = base_utf8_repair("a\0\u00e9", 4, &n);
    assert_int_equal(n, 4);
    assert_memory_equal(same, "a\0\u00e9", 5);
    base_free(same);
    assert_int_equal(base_alloc_live(), live);
}

static void complete_waits_only_for_what_can_come(void **state)
{
    (void)state;
    assert_int_equal(base_utf8_complete("", 0), 0);
    assert_int_equal(base_utf8_complete("ab\xE2", 3), 2);
    assert_int_equal(base_utf8_complete("ab\xE2\x82", 4), 2);
    assert_int_equal(base_utf8_complete("ab\xF0\x9F\x98", 5), 2);
    assert_int_equal(base_utf8_complete("ab\xED\xA0", 4),
                     4); /* a surrogate can never be completed */
    assert_int_equal(base_utf8_complete("ab\xC0", 3), 3);
    assert_int_equal(base_utf8_complete("\x80\x80\x80", 3), 3);
    assert_int_equal(base_utf8_complete("\xF0\x9F\x98\x80\x80\x80\x80", 7), 7);
    assert_int_equal(base_utf8_complete("\u20AC", 3), 3);
}

static void columns(void **state)
{
    (void)state;
    assert_int_equal(base_utf8_columns("abc", 3), 3);
    assert_int_equal(base_utf8_columns("\u00e9\u4e16\u754c", 8), 5);
    assert_int_equal(base_utf8_columns("e\u0301", 3), 1);
    assert_int_equal(base_utf8_columns("\U0001F600", 4), 2);
    assert_int_equal(base_utf8_columns("a\xFFz", 3), 3);
}

static void prefixes_and_suffixes(void **state)
{
    (void)state;
    assert_true(base_starts_with("model.bin", "model"));
    assert_false(base_starts_with("mod", "model"));
    assert_true(base_ends_with("model.bin", ".bin"));
    assert_false(base_ends_with("bin", ".bin"));
    assert_true(base_starts_with("x", "") && base_ends_with("x", ""));
}

static void numbers(void **state)
{
    (void)state;
    int64_t i = 77;
    double d = 77;
    assert_int_equal(base_parse_int("-12", "--n", -20, 20, &i), 0);
    assert_int_equal(i, -12);
    assert_int_equal(base_parse_int("9223372036854775807", "--n", INT64_MIN, INT64_MAX, &i), 0);
    assert_true(i == INT64_MAX);
    static const char *const bad[] = { "",  " 1",  "1 ",   "1x",
                                       "x", "1.5", "0x10", "9223372036854775808",
                                       "21" };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        i = 5;
        assert_int_equal(base_parse_int(bad[k], "--n", -20, 20, &i), BASE_E_ARGUMENT);
        assert_int_equal(i, 5);
        assert_non_null(strstr(base_error_message(), "--n"));
    }
    assert_int_equal(base_parse_double("2.5e-3", "--x", &d), 0);
    assert_true(d == 2.5e-3);
    static const char *const bad_doubles[] = { "", "nan", "inf", "1e999", "1,5", " 1", "one" };
    for (size_t k = 0; k < sizeof bad_doubles / sizeof *bad_doubles; k++) {
        assert_int_equal(base_parse_double(bad_doubles[k], "--x", &d), BASE_E_ARGUMENT);
        assert_true(d == 2.5e-3);
    }
}

static void cleaned(void **state)
{
    (void)state;
    char text[] = "a\x1b[31m\nb\x7f \xc2\x9b\x33 \xff\xc3\xa9\xe2\x82";
    base_text_clean(text);
    assert_string_equal(text, "a [31m b    3 ?\xc3\xa9??");
    char empty[] = "";
    base_text_clean(empty);
    assert_string_equal(empty, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleaned),
        cmocka_unit_test(every_scalar_value_round_trips),
        cmocka_unit_test(ill_formed_sequences),
        cmocka_unit_test(complete_waits_only_for_what_can_come),
        cmocka_unit_test(columns),
        cmocka_unit_test(prefixes_and_suffixes),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
