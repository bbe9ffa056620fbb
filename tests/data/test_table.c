/* Tables: the quick reader gives what the record reader gives, at every place of a block's end, and
 * refuses what it must with the line; frames, cells, built-in files. */
#include "base/buffer.h"
#include "base/memory.h"
#include <assay/data.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

/* All rows: cells in [..] divided by |, a line each; on failure the message. New string (free). */
static char *rows_of(const char *path, const struct data_table_options *options, int *rc)
{
    struct data_table *t;
    char *all = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&all, &bytes);
    *rc = data_table_open(&t, path, options);
    if (*rc == 0) {
        const struct data_cell *cells;
        while ((*rc = data_table_next(t, &cells)) == 1) {
            fputc('[', f);
            for (size_t i = 0; i < data_table_columns(t); i++)
                fprintf(f, "%s%.*s", i ? "|" : "", (int)cells[i].length, cells[i].bytes);
            fputs("]\n", f);
        }
        if (*rc) {
            const struct data_cell *more;
            int again = data_table_next(t, &more);
            assert_int_equal(again, *rc);
        }
        data_table_close(t);
    }
    if (*rc)
        fputs(base_error_message(), f);
    fclose(f);
    return all;
}

static void check(const char *suffix, const struct data_table_options *options, const char *text,
                  size_t bytes, const char *expected)
{
    const char *path = test_temporary_path(suffix);
    test_write_file(path, text, bytes);
    int rc;
    long live = base_alloc_live();
    char *got = rows_of(path, options, &rc);
    assert_int_equal(base_alloc_live(), live);
    unlink(path);
    char *p = strstr(got, path);
    if (p) { /* the path is another each time */
        memmove(p + 1, p + strlen(path), strlen(p + strlen(path)) + 1);
        *p = '@';
    }
    assert_string_equal(got, expected);
    free(got);
}
#define OPTIONS(...) (&(struct data_table_options){ __VA_ARGS__ })
#define CHECK(suffix, options, text, expected)                                                     \
    check(suffix, options, text, sizeof(text) - 1, expected)

static void delimited(void **state)
{
    (void)state;
    CHECK(".csv", NULL, "a,b\n1,2\n3,4\n", "[1|2]\n[3|4]\n");
    CHECK(".csv", NULL, "a,b\n1,2\n3,4", "[1|2]\n[3|4]\n");
    CHECK(".csv", NULL,
          "\xef\xbb\xbf"
          "a,b\r\n1,2\r\n\r\n3,4\r",
          "[1|2]\n[3|4]\n");
    CHECK(".csv", NULL, "a,b\r1,2\r3,4\r", "[1|2]\n[3|4]\n");
    CHECK(".csv", NULL, "a,b\n\"x\"\"y\",\"1\n2\"\n\"\",\"a\"b\"c\nq\"q,\n",
          "[x\"y|1\n2]\n[|ab\"c]\n[q\"q|]\n");
    CHECK(".csv", NULL, "a,b\n1,\"2\"", "[1|2]\n");
    CHECK(".csv", NULL, "a,b\n1,\"2\"\"\"", "[1|2\"]\n");
    CHECK(".csv", NULL, "a,b\n1,", "[1|]\n");
    CHECK(".csv", NULL, "a,b\n", "");
    CHECK(".tsv", NULL, "a\tb\n\"1\t2\"\n", "[\"1|2\"]\n");
    CHECK(".csv", OPTIONS(.delimiter = ';'), "a;b\n1,5;2\n", "[1,5|2]\n");
    CHECK(".csv", OPTIONS(.comment = '#'), "#x\na,b\n# \"1,2\n3,4\n#", "[3|4]\n");
    CHECK(".csv", OPTIONS(.delimiter = ' ', .header = DATA_HEADER_NO), "1  2\n\n \t3\t4 \r\n5 6",
          "[1|2]\n[3|4]\n[5|6]\n");
    CHECK(".csv", OPTIONS(.header = DATA_HEADER_NO), "1,2\n3,4\n", "[1|2]\n[3|4]\n");
    CHECK(".csv", OPTIONS(.pad = true), "a,b,c\n1\n1,2\n1,2,3\n", "[1||]\n[1|2|]\n[1|2|3]\n");
    CHECK(".txt", NULL, "one\n\nthree, four\r\nfive", "[one]\n[]\n[three, four]\n[five]\n");
}

static void json_lines(void **state)
{
    (void)state;
    CHECK(".jsonl", NULL,
          "{\"a\":1,\"b\":\"x\"}\n{\"b\":null,\"a\":0.1}\n{\"a\":[1,{\"c\":true}]}\n",
          "[1|x]\n[0.1|]\n[[1, {\"c\": true}]|]\n");
    CHECK(".json", NULL, "[{\"a\":true},{\"a\":-1e300}]", "[true]\n[-1e+300]\n");
    CHECK(".jsonl", NULL, "{\"a\":1}\n{\"a\":1,\"z\":2}\n",
          "[1]\n@:2: the key \"z\" is not one of the first record's 1: give every record the "
          "same "
          "keys (null where there is no value)");
    CHECK(".jsonl", NULL, "", "@: is empty, expected records");
    CHECK(".jsonl", NULL, "{}\n{}\n", "@:1: the first record has no keys: there are no columns");
}

static void refusals(void **state)
{
    (void)state;
    CHECK(".csv", NULL, "a,b\n1,2\n\"3\n\n\",4\n5\n",
          "[1|2]\n[3\n\n|4]\n@:6: expected 2 fields, got 1: is a value with the delimiter or a "
          "line "
          "end not in quotes? (short rows can be padded)");
    CHECK(".csv", OPTIONS(.pad = true), "a,b\r\n1,2\r\n3,4,5\r\n",
          "[1|2]\n@:3: expected 2 fields, got 3: is a value with the delimiter or a line end "
          "not in "
          "quotes?");
    CHECK(".csv", NULL, "a,b\n1,2\n3,\"4\n5,6\n",
          "[1|2]\n@:3: the quote that opens here is never closed");
    CHECK(".csv", NULL, "a,b,a\n", "@:1: columns 1 and 3 are both named \"a\": rename one");
    CHECK(".csv", NULL, "", "@: is empty, expected a header line");
    CHECK(".csv", NULL, "a,b\n1,\xff\n",
          "@:2: byte 3 of the row (0xff) is not valid UTF-8: convert the file first (iconv -f "
          "LATIN1 "
          "-t UTF-8)");
    CHECK(".csv", NULL,
          "\xff\xfe"
          "a",
          "@: is UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)");
    CHECK(".dat", NULL, "a",
          "@: cannot tell its format from its name: say which (csv, tsv, jsonl, json, lines)");
    CHECK(".csv", OPTIONS(.max_record = 300000), "a\n1\n", "[1]\n");
    CHECK(".csv.gz", NULL, "a,b\n",
          "@: is not gzip, though its name says so (its first bytes are "
          "others): rename it or get it again");
}

/* A long table with every oddity at every place of a block's end: both readers must agree. */
static void agrees_with_records(void **state)
{
    (void)state;
    static const char *const rows[] = { "1,plain,3\n", "\"q\",\"a\"\"b\",\"\"\r\n",
                                        "\"line\nend\",,x\n",
                                        "\"\xc3\xa4\"t,\xe2\x82\xac\"y\",\"\"\"\"\r",
                                        "\r\n\"a,b\",\"\r\n\",z\n" };
    for (unsigned shift = 0; shift < 70; shift++) {
        const char *path = test_temporary_path(".csv");
        FILE *f = fopen(path, "wb");
        fputs("a,b,c\n", f);
        for (unsigned i = 0; i < shift; i++)
            fputc('x', f);
        fputs(",,\n", f);
        uint32_t x = shift + 1;
        for (size_t bytes = 0; bytes < 280000;) {
            x = x * 1664525 + 1013904223;
            const char *row = rows[x >> 16 & 7 & (x >> 20 & 4 ? 4 : 3)];
            bytes += strlen(row);
            fputs(row, f);
        }
        fclose(f);
        struct data_table *t;
        struct data_records *r;
        const struct data_cell *cells;
        json_t *row;
        assert_int_equal(data_table_open(&t, path, NULL), 0);
        assert_int_equal(data_records_open(&r, path, NULL), 0);
        int rc;
        while ((rc = data_table_next(t, &cells)) == 1) {
            assert_int_equal(data_records_next(r, &row), 1);
            assert_string_equal(data_table_place(t), data_records_place(r));
            for (size_t i = 0; i < 3; i++) {
                json_t *v = json_object_get(row, data_table_column(t, i));
                assert_int_equal(json_string_length(v), cells[i].length);
                assert_memory_equal(json_string_value(v), cells[i].bytes, cells[i].length);
            }
            json_decref(row);
        }
        assert_int_equal(rc, 0);
        assert_int_equal(data_records_next(r, &row), 0);
        assert_true(data_table_count(t) > 20000);
        data_table_close(t);
        data_records_close(r);
        unlink(path);
    }
}

static void a_row_longer_than_the_block(void **state)
{
    (void)state;
    size_t n = 3000000;
    char *text = malloc(n + 100);
    size_t at = (size_t)sprintf(text, "a,b\n\"");
    memset(text + at, 'y', n);
    at += n;
    at += (size_t)sprintf(text + at, "\",2\n3,4\n");
    const char *path = test_temporary_path(".csv");
    test_write_file(path, text, at);
    struct data_table *t;
    const struct data_cell *cells;
    assert_int_equal(data_table_open(&t, path, NULL), 0);
    assert_int_equal(data_table_next(t, &cells), 1);
    assert_int_equal(cells[0].length, n);
    assert_int_equal(data_table_raw(t).length, n + 4);
    assert_int_equal(data_table_next(t, &cells), 1);
    assert_memory_equal(data_table_raw(t).bytes, "3,4", 3);
    assert_int_equal(data_table_next(t, &cells), 0);
    data_table_close(t);
    assert_int_equal(data_table_open(&t, path, OPTIONS(.max_record = 1000)), 0);
    assert_int_equal(data_table_next(t, &cells), BASE_E_LIMIT);
    data_table_close(t);
    unlink(path);
    free(text);
}

static void columns_by_name_and_number(void **state)
{
    (void)state;
    struct data_table *t;
    size_t i = 99;
    assert_int_equal(data_table_open(&t, "builtin:survey", NULL), 0);
    assert_int_equal(data_table_columns(t), 15);
    assert_int_equal(data_table_find(t, "income", &i), 0);
    assert_int_equal(i, 10);
    assert_int_equal(data_table_find(t, "#3", &i), 0);
    assert_string_equal(data_table_column(t, i), "region");
    assert_int_equal(data_table_find(t, "incone", &i), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(),
                        "builtin:survey: no column \"incone\"; the nearest: income");
    assert_int_equal(data_table_find(t, "#16", &i), BASE_E_ARGUMENT);
    data_table_close(t);
    assert_int_equal(data_table_open(&t, "builtin:nothing", NULL), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "survey"));
}

static struct data_cell cell(const char *s)
{
    return (struct data_cell){ s, strlen(s) };
}

static void cells(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = { { "0", 0 },
                 { "-1.5", -1.5 },
                 { " 3 ", 3 },
                 { "+.5", .5 },
                 { "5.", 5 },
                 { "0.1", 0.1 },
                 { "1e3", 1000 },
                 { "1.7976931348623157e308", 1.7976931348623157e308 },
                 { "123456789012345678901234567890", 123456789012345678901234567890.0 },
                 { "0.30000000000000004", 0.30000000000000004 },
                 { "-0.0000001", -1e-7 },
                 { "9007199254740993", 9007199254740992.0 } };
    double x;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(data_cell_number(cell(good[i].text), &x));
        assert_true(x == good[i].value);
    }
    static const char *const bad[] = { "",    " ",   ".",    "-",   "1e",  "1e999",
                                       "inf", "nan", "0x10", "1 2", "1,5", "--1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(data_cell_number(cell(bad[i]), &x));
    for (uint32_t i = 0, s = 1; i < 20000; i++) { /* as strtod, whatever the digits */
        char text[40];
        s = s * 1664525 + 1013904223;
        snprintf(text, sizeof text, "%.*g", (int)(1 + s % 17),
                 ldexp((double)s, (int)(s >> 8) % 60 - 40));
        assert_true(data_cell_number(cell(text), &x));
        assert_true(x == strtod(text, NULL));
    }
    assert_true(data_cell_missing(cell("")) && data_cell_missing(cell("nA")) &&
                data_cell_missing(cell("N/A")) && data_cell_missing(cell("None")) &&
                data_cell_missing(cell("NULL")));
    assert_false(data_cell_missing(cell("0")) || data_cell_missing(cell("nano")));
    struct base_buffer b = { 0 };
    assert_int_equal(data_cell_write(&b, cell("a\"b"), ',', '"'), 0);
    assert_int_equal(data_cell_write(&b, cell("plain"), ',', '"'), 0);
    assert_int_equal(data_cell_write(&b, cell("a,b\n"), ',', '"'), 0);
    assert_string_equal(b.data, "\"a\"\"b\"plain\"a,b\n\"");
    assert_int_equal(data_cell_write(&b, cell("a\tb"), '\t', -1), BASE_E_FORMAT);
    base_buffer_free(&b);
}

static void frames(void **state)
{
    (void)state;
    static const struct data_column_want want[] = { { "income", DATA_NUMBER },
                                                    { "region", DATA_CATEGORY },
                                                    { "comment", DATA_TEXT },
                                                    { "stress", DATA_NUMBER } };
    struct data_frame f;
    long live = base_alloc_live();
    assert_int_equal(data_frame_read(&f, "builtin:survey", NULL, want, 4), 0);
    assert_int_equal(f.rows, 2000);
    assert_true(f.column[0].number[0] == 31290 && isnan(f.column[0].number[1]));
    assert_int_equal(f.column[1].n_levels, 4);
    assert_string_equal(f.column[1].levels[0], "North");
    assert_string_equal(f.column[1].levels[f.column[1].code[1999]], "West");
    size_t texts = 0, missing = 0;
    for (size_t i = 0; i < f.rows; i++) {
        texts += f.column[2].text[i] != NULL;
        missing += isnan(f.column[3].number[i]) != 0;
    }
    assert_int_equal(texts, f.rows - f.column[2].missing);
    assert_int_equal(missing, f.column[3].missing);
    data_frame_free(&f);
    assert_int_equal(base_alloc_live(), live);
    static const struct data_column_want wrong[] = { { "role", DATA_NUMBER } };
    assert_int_equal(data_frame_read(&f, "builtin:survey", NULL, wrong, 1), BASE_E_FORMAT);
    assert_string_equal(base_error_message(),
                        "builtin:survey:2: column role: expected a number, got \"assistant\"");
    assert_int_equal(base_alloc_live(), live);
    int rc = -1;
    for (long n = 1; rc; n++) { /* every allocation fails once */
        base_alloc_fail_after(n);
        rc = data_frame_read(&f, "builtin:survey", NULL, want, 4);
        base_alloc_fail_after(0);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        if (rc)
            assert_int_equal(base_alloc_live(), live);
    }
    data_frame_free(&f);
}

static void allocation_failures(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".csv");
    test_write_file(path, "a,b\n\"x\"\"\",2\n3,4\n", 16);
    int rc = -1;
    for (long n = 1; rc; n++) {
        long live = base_alloc_live();
        base_alloc_fail_after(n);
        char *got = rows_of(path, NULL, &rc);
        base_alloc_fail_after(0);
        assert_int_equal(base_alloc_live(), live);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        if (rc == 0)
            assert_string_equal(got, "[x\"|2]\n[3|4]\n");
        free(got);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delimited),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(refusals),
        cmocka_unit_test(agrees_with_records),
        cmocka_unit_test(a_row_longer_than_the_block),
        cmocka_unit_test(columns_by_name_and_number),
        cmocka_unit_test(cells),
        cmocka_unit_test(frames),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
