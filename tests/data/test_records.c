/* Records: the formats as Python reads them, compressed files, and what is refused and how. */
#include "base/memory.h"
#include <assay/data.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

#define FOLDER "tests/data/data/"

/* All rows as compact JSON, a line each; on failure the message. New string (free). */
static char *rows_of(const char *path, const struct data_records_options *options, int *rc)
{
    struct data_records *r;
    char *all = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&all, &bytes);
    *rc = data_records_open(&r, path, options);
    if (*rc == 0) {
        json_t *row;
        while ((*rc = data_records_next(r, &row)) == 1) {
            assert_int_equal(json_dumpf(row, f, JSON_COMPACT), 0);
            fputc('\n', f);
            json_decref(row);
        }
        if (*rc) {
            int again = data_records_next(r, &row);
            assert_int_equal(again, *rc);
        }
        data_records_close(r);
    }
    if (*rc)
        fputs(base_error_message(), f);
    fclose(f);
    return all;
}

static void check(const char *suffix, const struct data_records_options *options, const char *text,
                  size_t bytes, const char *expected)
{
    const char *path = test_temporary_path(suffix);
    test_write_file(path, text, bytes);
    int rc;
    long live = base_alloc_live();
    char *got = rows_of(path, options, &rc);
    assert_int_equal(base_alloc_live(), live);
    unlink(path);
    if (rc) { /* the path is another each time */
        char *p = strstr(got, path);
        assert_non_null(p);
        memmove(p + 1, p + strlen(path), strlen(p + strlen(path)) + 1);
        *p = '@';
    }
    assert_string_equal(got, expected);
    free(got);
}
#define CHECK(suffix, options, text, expected)                                                     \
    check(suffix, options, text, sizeof(text) - 1, expected)

static void compressed_files_are_read(void **state)
{
    (void)state;
    static const char *const names[] = {
        "three.jsonl.gz",       "three.jsonl.bz2",       "three.jsonl.zst",
        "two-streams.jsonl.gz", "two-streams.jsonl.bz2", "two-streams.jsonl.zst",
    };
    for (size_t i = 0; i < 6; i++) {
        char path[256];
        int rc;
        snprintf(path, sizeof path, FOLDER "%s", names[i]);
        char *got = rows_of(path, NULL, &rc);
        assert_string_equal(got, "{\"text\":\"first\",\"n\":1}\n"
                                 "{\"text\":\"sec\xc3\xb6nd\",\"n\":2}\n"
                                 "{\"text\":\"third\",\"n\":[1,{\"a\":null}]}\n");
        free(got);
    }
}

static char *file_bytes(const char *name, size_t *n)
{
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    char *data = malloc(65536);
    *n = fread(data, 1, 65536, f);
    fclose(f);
    return data;
}

/* Every cut and every changed byte ends in rows or in an error, never in fewer rows silently. */
static void damaged_compressed_files(void **state)
{
    (void)state;
    static const char *const suffixes[] = { ".gz", ".bz2", ".zst" };
    for (int k = 0; k < 3; k++) {
        char name[256];
        snprintf(name, sizeof name, FOLDER "three.jsonl%s", suffixes[k]);
        size_t n;
        char *data = file_bytes(name, &n);
        snprintf(name, sizeof name, ".jsonl%s", suffixes[k]);
        const char *path = test_temporary_path(name);
        for (size_t cut = 0; cut < n; cut++) {
            int rc;
            test_write_file(path, data, cut);
            char *got = rows_of(path, NULL, &rc);
            assert_int_equal(rc, BASE_E_FORMAT);
            free(got);
        }
        for (size_t i = 0; i < n && k < 2; i++) { /* zstd's own program writes a checksum too */
            int rc;
            data[i] ^= 1;
            test_write_file(path, data, n);
            free(rows_of(path, NULL, &rc));
            data[i] ^= 1;
        }
        data[n] = 'x';
        test_write_file(path, data, n + 1);
        int rc;
        char *got = rows_of(path, NULL, &rc);
        assert_int_equal(rc, BASE_E_FORMAT);
        assert_non_null(strstr(got, "behind the compressed data"));
        free(got);
        data[n] = 0; /* padding */
        test_write_file(path, data, n + 1);
        free(rows_of(path, NULL, &rc));
        assert_int_equal(rc, 0);
        unlink(path);
        free(data);
    }
    CHECK(
        ".jsonl.gz", NULL, "{}",
        "@: is not gzip, though its name says so (its first bytes are others): rename it or get it "
        "again");
    CHECK(".jsonl.zst", NULL, "",
          "@: is not Zstandard, though its name says so (it is empty): rename it or get it again");
}

/* A Zstandard frame of run-length blocks: 128 KiB of output from 4 bytes each. */
static void bombs_are_refused(void **state)
{
    (void)state;
    enum { BLOCKS = 9000 };
    static unsigned char frame[6 + BLOCKS * 4] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38 };
    for (int i = 0; i < BLOCKS; i++) {
        unsigned header = (131072u << 3) | (1u << 1) | (i == BLOCKS - 1);
        memcpy(frame + 6 + 4 * i, &header, 3);
        frame[9 + 4 * i] = ' ';
    }
    const char *path = test_temporary_path(".zst");
    test_write_file(path, frame, sizeof frame);
    struct data_stream *s;
    assert_int_equal(data_stream_open(&s, path), 0);
    static char buffer[1 << 20];
    size_t n, all = 0;
    int rc;
    while ((rc = data_stream_read(s, buffer, sizeof buffer, &n)) == 0 && n)
        all += n;
    assert_int_equal(rc, BASE_E_LIMIT);
    assert_non_null(strstr(base_error_message(), "bomb"));
    assert_true(all >= 1u << 30 && all < (1u << 30) + (2u << 20));
    assert_int_equal(data_stream_read(s, buffer, 1, &n), BASE_E_LIMIT);
    data_stream_close(s);
    /* as one record it is stopped much earlier */
    const struct data_records_options lines = { .format = DATA_FORMAT_LINES };
    char *got = rows_of(path, &lines, &rc);
    assert_int_equal(rc, BASE_E_LIMIT);
    assert_non_null(strstr(got, "larger than 67108864 bytes"));
    free(got);
    unlink(path);
}

static void csv_as_python_reads_it(void **state)
{
    (void)state;
    CHECK(".csv", NULL,
          "\xef\xbb\xbf"
          "a,b\r\n1,\"x, \"\"y\"\"\r\nz\"\r\n\r\n,\n",
          "{\"a\":\"1\",\"b\":\"x, \\\"y\\\"\\r\\nz\"}\n{\"a\":\"\",\"b\":\"\"}\n");
    CHECK(".csv", NULL, "a,b\rx\"y,\"p\"q\rlast,\"\"",
          "{\"a\":\"x\\\"y\",\"b\":\"pq\"}\n"
          "{\"a\":\"last\",\"b\":\"\"}\n");
    CHECK(".csv", NULL, "a\n\"\"\"\"\n \"x\"\n", "{\"a\":\"\\\"\"}\n{\"a\":\" \\\"x\\\"\"}\n");
    CHECK(".csv", NULL, "a,b\n", "");
    CHECK(".csv", NULL, "a,b\n1,2\n3\n",
          "{\"a\":\"1\",\"b\":\"2\"}\n@:3: expected 2 fields, got 1: is a value with the delimiter "
          "or a line end not in quotes?");
    CHECK(".csv", NULL, "a,b\n1,\"2\n3\n", "@:2: the quote that opens here is never closed");
    CHECK(".csv", NULL, "a,b,a\n", "@:1: columns 1 and 3 are both named \"a\": rename one");
    CHECK(".csv", NULL, "a\n\"\n\"\n\xff\n",
          "{\"a\":\"\\n\"}\n@:4: a: byte 0 (0xff) is not valid UTF-8: convert the file first "
          "(iconv -f LATIN1 -t UTF-8)");
    CHECK(".csv", NULL, "", "@: is empty, expected a header line");
    CHECK(".csv", NULL,
          "\xff\xfe"
          "a\0",
          "@: is UTF-16: convert it first (iconv -f UTF-16 -t "
          "UTF-8)");
    struct data_records_options o = { .header = DATA_HEADER_NO };
    CHECK(".csv", &o, "1,2\n", "{\"0\":\"1\",\"1\":\"2\"}\n");
    const char *const columns[] = { "x", "y" };
    o = (struct data_records_options){ .columns = columns, .n_columns = 2, .delimiter = ';' };
    CHECK(".csv", &o, "1;2\n", "{\"x\":\"1\",\"y\":\"2\"}\n");
    o.header = DATA_HEADER_YES;
    CHECK(".csv", &o, "1;2\n3;4", "{\"x\":\"3\",\"y\":\"4\"}\n");
    CHECK(".csv", &o, "1;2;3\n", "@:1: the header has 3 columns, but 2 names are given");
    CHECK(".tsv", NULL, "a\tb\n\"x\ty\"\n", "{\"a\":\"\\\"x\",\"b\":\"y\\\"\"}\n");
    o = (struct data_records_options){ .quote = '"' };
    CHECK(".tsv", &o, "a\tb\n\"x\ty\"\t\n", "{\"a\":\"x\\ty\",\"b\":\"\"}\n");
    o = (struct data_records_options){ .delimiter = '"' };
    CHECK(".csv", &o, "a",
          "@: delimiter and quote must be two different ASCII characters, and not line ends");
}

static void json_is_streamed(void **state)
{
    (void)state;
    CHECK(".json", NULL, " [ {\"a\": \"]},\\\"\"} , {\"b\": [[], {}]}\n]\n",
          "{\"a\":\"]},\\\"\"}\n{\"b\":[[],{}]}\n");
    CHECK(".json", NULL, "[]", "");
    CHECK(".json", NULL, "{\"a\":\n1} {\"a\":2}", "{\"a\":1}\n{\"a\":2}\n");
    CHECK(".json", NULL, "",
          "@:1: the file ends where an array of objects, or an object is "
          "expected: it was cut off");
    CHECK(".json", NULL, "[{},]", "{}\n@:1: expected an object, got ']'");
    CHECK(".json", NULL, "[{} {}]", "{}\n@:1: expected ',' or ']', got '{'");
    CHECK(".json", NULL, "[{}\n",
          "{}\n@:2: the file ends where ',' or ']' is expected: it was cut "
          "off");
    CHECK(".json", NULL, "[{}]\n]", "{}\n@:2: expected the end of the file, got ']'");
    CHECK(".json", NULL, "[{\"a\":",
          "@:1: the file ends inside the value that begins here: it was "
          "cut off");
    CHECK(".json", NULL, "[\n{\"a\": 1,\n\"a\": 2}]",
          "@:3:3: not valid JSON: duplicate object key near '\"a\"'");
    CHECK(".json", NULL, "[1]", "@:1: expected an object (column: value), got another value");
    struct data_records_options o = { .field = "data" };
    CHECK(".json", &o, "{\"v\": [1, \"}\"], \"data\": [{\"a\": 1}, {\"a\": 2}], \"w\": {}}",
          "{\"a\":1}\n{\"a\":2}\n");
    CHECK(".json", &o, "{\"v\": 1}", "@: has no key \"data\"");
    CHECK(".json", &o, "{\"data\": {}}", "@:1: expected an array of records, got '{'");
    CHECK(".json", &o, "{\"data\": [], \"data\": []}", "@:1: the key \"data\" is there twice");
    CHECK(".json", &o, "{\"data\": [{}]",
          "{}\n@:1: the file ends where ',' or '}' is expected: it "
          "was cut off");
    CHECK(".jsonl", NULL, "{\"a\": 1}\n{\"a\": \n",
          "{\"a\":1}\n@:2:6: not valid JSON: unexpected "
          "token near end of file");
    CHECK(".jsonl", NULL, "{\"a\": \"\xff\"}\n",
          "@:1:7: not valid JSON: unable to decode byte 0xff near '\"'");
    o = (struct data_records_options){ .max_record = 10 };
    CHECK(".jsonl", &o, "{\"a\": 1}\n{\"a\": 12345}\n",
          "{\"a\":1}\n@:2: the record that begins here is larger than 10 bytes");
}

static void lines_and_formats(void **state)
{
    (void)state;
    CHECK(".txt", NULL, "a\r\n\nb", "{\"text\":\"a\"}\n{\"text\":\"\"}\n{\"text\":\"b\"}\n");
    const char *const columns[] = { "q", "a" };
    const struct data_records_options two = { .columns = columns, .n_columns = 2 };
    CHECK(".txt", &two, "1\n2\n3\n4\n", "{\"q\":\"1\",\"a\":\"2\"}\n{\"q\":\"3\",\"a\":\"4\"}\n");
    CHECK(".txt", &two, "1\n2\n3\n",
          "{\"q\":\"1\",\"a\":\"2\"}\n@:3: the file ends after 1 of this "
          "record's 2 lines (a)");
    CHECK(".dat", NULL, "x",
          "@: cannot tell its format from its name: say which (json, jsonl, csv, "
          "tsv, lines)");
    CHECK(".json", &two, "x", "@: column names are given, but JSON has its own");
    const struct data_records_options field = { .field = "a" };
    CHECK(".csv", &field, "x",
          "@: records are asked for in the key \"a\", but the format is csv, "
          "not json");
    const struct data_records_options header = { .header = DATA_HEADER_YES };
    CHECK(".jsonl", &header, "x",
          "@: header, delimiter and quote are for csv and tsv, but the "
          "format is jsonl");
    enum data_format f;
    assert_int_equal(data_format_parse("text", &f), 0);
    assert_int_equal(f, DATA_FORMAT_LINES);
    assert_int_equal(data_format_parse("tsv", &f), 0);
    assert_int_equal(f, DATA_FORMAT_TSV);
    assert_int_equal(data_format_parse("xml", &f), BASE_E_ARGUMENT);
    int rc;
    char *got = rows_of("tests/data/none.csv", NULL, &rc);
    assert_string_equal(got, "tests/data/none.csv: cannot open: No such file or directory");
    free(got);
    got = rows_of("tests/data", NULL, &rc);
    assert_string_equal(got, "tests/data: is a directory, expected a file");
    free(got);
}

/* Values that lie across blocks of input, and places. */
static void blocks_do_not_show(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".csv");
    FILE *f = fopen(path, "w");
    fputs("id,text\n", f);
    for (int i = 0; i < 40000; i++)
        fprintf(f, i % 2 ? "%d,plain %d\r\n" : "%d,\"quo\"\"ted\n%d\"\n", i, i);
    fclose(f);
    struct data_records *r;
    assert_int_equal(data_records_open(&r, path, NULL), 0);
    for (int i = 0; i < 40000; i++) {
        json_t *row;
        char want[64], place[600];
        assert_int_equal(data_records_next(r, &row), 1);
        snprintf(want, sizeof want, i % 2 ? "plain %d" : "quo\"ted\n%d", i);
        assert_string_equal(json_string_value(json_object_get(row, "text")), want);
        snprintf(place, sizeof place, "%s:%d", path, 2 + i / 2 * 3 + (i % 2) * 2);
        assert_string_equal(data_records_place(r), place);
        json_decref(row);
    }
    uint64_t done, total;
    data_records_progress(r, &done, &total);
    assert_true(done == total && total > 500000);
    assert_int_equal(data_records_count(r), 40000);
    data_records_close(r);
    json_t *rows;
    assert_int_equal(data_rows_read(&rows, path, NULL, 7), 0);
    assert_int_equal(json_array_size(rows), 7);
    json_decref(rows);
    unlink(path);
}

/* data_records_text_of gives and refuses what data_records_next does, line by line; quick: whether
 * the record was not built for it. */
static void texts_of_json_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool quick;
    } lines[] = {
        { "{\"text\": \"plain\"}", true },
        { " { \"a\" : [1, -2.5, {\"text\": 3}, [] ] , \"text\"\t: \"\" } ", true },
        { "{\"text\": \"a \\\"b\\\" \\\\ \\/ \\b\\f\\n\\r\\t \\u00e9 \\u4eac \\u0041.\", \"n\": 0}",
          true },
        { "{\"n\": {\"x\": null, \"y\": true, \"z\": false}, \"text\": \"\u00e9t\u00e9 \u4eac\"}",
          true },
        { "{\"text\": \"twelve bytes and a few more \\n\"}", true },
        { "{\"text\": \"\\ud83d\\ude00\"}", false }, /* a pair of surrogates */
        { "{\"te\\u0078t\": \"escaped key\"}", false },
        { "{\"other\": \"x\"}", false },
        { "{\"text\": 5}", false },
        { "{\"text\": null}", false },
        { "{\"text\": \"x\", \"n\": 1e3}", false },
        { "{\"text\": \"x\", \"n\": 12345678901234567}", false },
        { "{}", false },
        /* refused, each with its own message */
        { "{\"text\": \"x\", \"text\": \"y\"}", false },
        { "{\"a\": 1, \"a\": 2, \"text\": \"x\"}", false },
        { "{\"text\": \"x\", \"b\": {\"a\": 1, \"a\": 2}}", false },
        { "{\"text\": \"x\"} {", false },
        { "{\"text\": \"x\",}", false },
        { "{\"text\": \"x\", \"n\": 01}", false },
        { "{\"text\": \"x\", \"n\": .5}", false },
        { "{\"text\": \"x\", \"n\": 1.}", false },
        { "{\"text\": \"x\", \"n\": -}", false },
        { "{\"text\": \"x\", \"n\": [1 2]}", false },
        { "{\"text\": \"x\", \"n\": nul}", false },
        { "{\"text\": \"x", false },
        { "{\"text\": \"tab\there\"}", false },
        { "{\"text\": \"\\x\"}", false },
        { "{\"text\": \"\\u12g4\"}", false },
        { "{\"text\": \"\\ud800\"}", false },
        { "{\"text\": \"\\u0000\"}", false },
        { "{\"text\": \"\xff\"}", false },
        { "{\"text\": \"eight bytes and \xc3\x28 more\"}", false },
        { "[\"text\"]", false },
        { "{\"text\" \"x\"}", false },
        { "{text: \"x\"}", false },
    };
    const char *path = test_temporary_path(".jsonl");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char file[600];
        int n = snprintf(file, sizeof file, "{\"text\": \"first\"}\n\n%s\n", lines[i].line);
        test_write_file(path, file, (size_t)n);
        struct data_records *a, *b;
        json_t *row, *other;
        const char *text;
        size_t bytes;
        assert_int_equal(data_records_open(&a, path, NULL), 0);
        assert_int_equal(data_records_open(&b, path, NULL), 0);
        assert_int_equal(data_records_next(a, &row), 1);
        json_decref(row);
        assert_int_equal(data_records_text_of(b, "text", &text, &bytes, &other), 1);
        assert_true(bytes == 5 && memcmp(text, "first", 5) == 0 && !other);
        int rc = data_records_next(a, &row);
        char message[600];
        snprintf(message, sizeof message, "%s", rc < 0 ? base_error_message() : "");
        if (data_records_text_of(b, "text", &text, &bytes, &other) != rc)
            fail_msg("%s: not what data_records_next says (%d)", lines[i].line, rc);
        if (rc < 0) {
            assert_string_equal(base_error_message(), message);
        } else if (text) {
            const json_t *v = json_object_get(row, "text");
            assert_true(json_string_length(v) == bytes &&
                        memcmp(json_string_value(v), text, bytes) == 0);
        } else {
            assert_true(json_equal(row, other));
        }
        if ((rc == 1 && text) != lines[i].quick)
            fail_msg("%s: %s", lines[i].line, text ? "taken" : "not taken");
        json_decref(other);
        if (rc == 1) {
            assert_int_equal(data_records_line_of(b), 3);
            assert_int_equal(data_records_text_of(b, "text", &text, &bytes, &other), 0);
            assert_int_equal(data_records_count(b), 2);
        }
        json_decref(row);
        data_records_close(a);
        data_records_close(b);
    }
    unlink(path);
}

static void failed_allocations(void **state)
{
    (void)state;
    const char *csv = test_temporary_path(".csv"), *json = test_temporary_path(".json");
    test_write_file(csv, "a,b\n1,\"2\n\"\n", 11);
    test_write_file(json, "{\"x\":[], \"d\": [{\"a\": 1}]}", 25);
    const struct data_records_options field = { .field = "d" };
    const struct {
        const char *path;
        const struct data_records_options *options;
    } cases[] = { { csv, NULL },
                  { json, &field },
                  { FOLDER "three.jsonl.gz", NULL },
                  { FOLDER "two-streams.jsonl.bz2", NULL },
                  { FOLDER "three.jsonl.zst", NULL } };
    for (size_t i = 0; i < 5; i++) {
        long live = base_alloc_live();
        int rc = BASE_E_MEMORY;
        for (long n = 1; rc && n < 1000; n++) {
            json_t *rows = NULL;
            base_alloc_fail_after(n);
            rc = data_rows_read(&rows, cases[i].path, cases[i].options, 0);
            base_alloc_fail_after(0);
            assert_true(rc == 0 || rc == BASE_E_MEMORY);
            json_decref(rows);
            assert_int_equal(base_alloc_live(), live);
        }
        assert_int_equal(rc, 0);
    }
    unlink(csv);
    unlink(json);
}

static void shared_sets(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/sets/piqa.jsonl.zst");
    const struct {
        const char *name;
        size_t rows, columns;
    } sets[] = {
        { "piqa.jsonl.zst", 1838, 3 },
        { "lambada_openai.jsonl.zst", 5153, 0 },
        { "sst2_dev.tsv", 872, 2 },
        { "hellaswag_val_full.txt.bz2", 10042, 6 },
    };
    const char *const hellaswag[] = { "ctx", "label", "a", "b", "c", "d" };
    const char *const sst2[] = { "sentence", "label" };
    for (size_t i = 0; i < 4; i++) {
        struct data_records_options o = { 0 };
        if (sets[i].columns == 6)
            o = (struct data_records_options){ .columns = hellaswag, .n_columns = 6 };
        if (sets[i].columns == 2)
            o = (struct data_records_options){ .columns = sst2, .n_columns = 2 };
        char name[256];
        snprintf(name, sizeof name, "eval/sets/%s", sets[i].name);
        json_t *rows;
        if (data_rows_read(&rows, test_shared_path(name), &o, 0))
            fail_msg("%s", base_error_message());
        assert_int_equal(json_array_size(rows), sets[i].rows);
        if (sets[i].columns)
            assert_int_equal(json_object_size(json_array_get(rows, 0)), sets[i].columns);
        json_decref(rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_files_are_read), cmocka_unit_test(damaged_compressed_files),
        cmocka_unit_test(bombs_are_refused),         cmocka_unit_test(csv_as_python_reads_it),
        cmocka_unit_test(json_is_streamed),          cmocka_unit_test(lines_and_formats),
        cmocka_unit_test(blocks_do_not_show),        cmocka_unit_test(texts_of_json_lines),
        cmocka_unit_test(failed_allocations),        cmocka_unit_test(shared_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
