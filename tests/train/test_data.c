/* Documents and rows: what is tokenised, cached and packed, place by place. */
#include "base/file.h"
#include "base/memory.h"
#include "train/data.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static const char *const letters =
    "{\"added_tokens\":[{\"id\":7,\"content\":\"<|endoftext|>\",\"special\":true,\"single_word\":"
    "false,"
    "\"lstrip\":false,\"rstrip\":false,\"normalized\":false}],"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
    "\"use_regex\":true},\"decoder\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"d\":3,\"\\u0120\":4,\"ab\":5,"
    "\"\\u010a\":6,\"<|endoftext|>\":7},\"merges\":[\"a b\"]}}";

struct fixture {
    struct train_config *config;
    struct train_documents documents;
    char directory[512];
};
static void remove_all(const char *path)
{
    char *const argv[] = { "/bin/rm", "-rf", (char *)(uintptr_t)path, NULL };
    struct test_run r = test_spawn(argv, NULL);
    test_run_free(&r);
}
/* Writes `text` as the data file and opens it; extra is a further override or NULL. */
static int open_text(struct fixture *f, const char *text, const struct tokenizer *tokenizer,
                     const char *format, const char *extra)
{
    const char *set[4];
    char file[600], train[640], format_set[64];
    *f = (struct fixture){ 0 };
    snprintf(f->directory, sizeof f->directory, "%s", test_temporary_path("-data"));
    assert_int_equal(base_file_make_directories(f->directory), 0);
    snprintf(file, sizeof file, "%s/data", f->directory);
    test_write_file(file, text, strlen(text));
    snprintf(train, sizeof train, "data.train=%s", file);
    snprintf(format_set, sizeof format_set, "data.format=%s", format);
    set[0] = train;
    set[1] = format_set;
    set[2] = extra;
    const char *yaml = "model: {config: c.json}\ntokenizer: t\nsteps: 1\noutput: o\n";
    int rc = train_config_parse(&f->config, yaml, strlen(yaml), "t", set, extra ? 3 : 2);
    if (rc)
        fail_msg("%s", base_error_message());
    return train_documents_open(&f->documents, f->config, &f->config->train, tokenizer,
                                f->directory);
}
static void done(struct fixture *f)
{
    train_documents_close(&f->documents);
    train_config_free(f->config);
    remove_all(f->directory);
}
static void expect_document(const struct train_documents *d, size_t i, const char *ids)
{
    char text[256] = "";
    for (uint64_t k = d->from[i]; k < d->from[i + 1]; k++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", *text ? " " : "",
                 d->ids[k]);
    assert_string_equal(text, ids);
}
static void text_becomes_documents(void **state)
{
    (void)state;
    struct tokenizer *t;
    struct fixture f;
    assert_int_equal(tokenizer_load_json(&t, letters, strlen(letters), "letters"), 0);
    const char *text = "abc\n<|endoftext|>\ncd\n\n<|endoftext|>\n  \n<|endoftext|>a\n";
    assert_int_equal(open_text(&f, text, t, "text", NULL), 0);
    assert_int_equal(f.documents.count, 3);
    expect_document(&f.documents, 0, "5 2 7");
    expect_document(&f.documents, 1, "2 3 7");
    expect_document(&f.documents, 2, "0 7");
    assert_int_equal(f.documents.tokens, 8);
    assert_int_equal(f.documents.largest, 7);
    assert_false(f.documents.cached);
    /* a second time it is read from the cache, and another setting makes another cache */
    struct train_documents again;
    assert_int_equal(train_documents_open(&again, f.config, &f.config->train, t, f.directory), 0);
    assert_true(again.cached);
    assert_memory_equal(again.ids, f.documents.ids, 8 * 4);
    train_documents_close(&again);
    f.config->append_eos = false;
    assert_int_equal(train_documents_open(&again, f.config, &f.config->train, t, f.directory), 0);
    assert_false(again.cached);
    assert_int_equal(again.count, 2);
    assert_int_equal(again.dropped, 1); /* "a" alone has nothing to predict */
    expect_document(&again, 0, "5 2");
    train_documents_close(&again);
    /* a damaged cache is made again */
    f.config->append_eos = true;
    char path[700];
    snprintf(path, sizeof path, "%s/%.16s.tokens", f.directory, f.documents.key);
    test_write_file(path, "ASSAYTK1 cut", 12);
    assert_int_equal(train_documents_open(&again, f.config, &f.config->train, t, f.directory), 0);
    assert_false(again.cached);
    expect_document(&again, 2, "0 7");
    train_documents_close(&again);
    done(&f);

    assert_int_equal(open_text(&f, "ab\nc", t, "text", "data.separator=\"\""), 0);
    assert_int_equal(f.documents.count, 1);
    expect_document(&f.documents, 0, "5 6 2 7");
    done(&f);
    assert_int_equal(open_text(&f, "{\"text\":\"ab\"}\n\n{\"text\":\"cab\"}", t, "jsonl", NULL), 0);
    assert_int_equal(f.documents.count, 2);
    expect_document(&f.documents, 1, "2 5 7");
    done(&f);
    assert_int_equal(open_text(&f, "{\"text\":\"ab\"}\n{\"txt\":\"cab\"}", t, "jsonl", NULL),
                     BASE_E_FORMAT);
    assert_non_null(
        strstr(base_error_message(), "data:2: expected an object with a string \"text\""));
    done(&f);
    assert_int_equal(open_text(&f, "ab", t, "text", "data.eos=zz"), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "data.eos"));
    done(&f);
    assert_int_equal(open_text(&f, "\n", t, "text", NULL), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "no document"));
    done(&f);
    tokenizer_free(t);
}
static void ids_are_taken_as_they_are(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(open_text(&f, "[5,6,7]\n{\"text\":[8,9]}\n[3]\n", NULL, "ids", NULL), 0);
    assert_int_equal(f.documents.count, 2);
    assert_int_equal(f.documents.dropped, 1);
    expect_document(&f.documents, 0, "5 6 7");
    expect_document(&f.documents, 1, "8 9");
    done(&f);
    assert_int_equal(open_text(&f, "[1,2]\n[1,-2]\n", NULL, "ids", NULL), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "data:2: id 1"));
    done(&f);
    assert_int_equal(open_text(&f, "[1,2]\n[1,\n", NULL, "ids", NULL), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "line 2"));
    done(&f);
}

/* Ten documents; token k of document d is 100 d + k. */
static const char *corpus(void)
{
    static char text[4096];
    static const int lengths[] = { 5, 2, 9, 30, 3, 8, 8, 12, 2, 6 };
    text[0] = 0;
    for (int d = 0; d < 10; d++)
        for (int k = 0; k < lengths[d]; k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d%s", k ? "," : "[",
                     100 * d + k, k + 1 == lengths[d] ? "]\n" : "");
    return text;
}
enum { L = 8 };
struct row {
    int32_t ids[L], targets[L];
    bool start[L];
    size_t n;
};
static size_t all_rows(struct train_rows *r, uint64_t epoch, struct row *rows)
{
    assert_int_equal(train_rows_plan(r, epoch), 0);
    for (size_t i = 0; i < r->count; i++)
        rows[i].n = train_rows_fill(r, i, rows[i].ids, rows[i].targets, rows[i].start);
    return r->count;
}
/* With masks: every place of every document once; its label is the next token; a start exactly at
 * row starts and where a document begins. */
static void check_masked(const struct row *rows, size_t n)
{
    static const int lengths[] = { 5, 2, 9, 30, 3, 8, 8, 12, 2, 6 };
    int seen[10][30] = { 0 }, total = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(rows[i].n >= 1 && rows[i].n <= L);
        for (size_t k = 0; k < rows[i].n; k++) {
            int d = rows[i].ids[k] / 100, t = rows[i].ids[k] % 100;
            assert_int_equal(rows[i].targets[k], rows[i].ids[k] + 1);
            assert_true(t + 1 < lengths[d]);
            assert_int_equal(rows[i].start[k], k == 0 || t == 0);
            seen[d][t]++;
            total++;
        }
    }
    assert_int_equal(total, 85 - 10);
    for (int d = 0; d < 10; d++)
        for (int t = 0; t + 1 < lengths[d]; t++)
            assert_int_equal(seen[d][t], 1);
}
static void rows_hold_every_place_once(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(open_text(&f, corpus(), NULL, "ids", NULL), 0);
    for (int packing = 0; packing < 3; packing++)
        for (int shuffle = 0; shuffle < 2; shuffle++) {
            struct train_rows *r;
            struct row rows[64];
            assert_int_equal(
                train_rows_new(&r, &f.documents, L, (enum train_packing)packing, true, shuffle, 5),
                0);
            for (uint64_t epoch = 0; epoch < 3; epoch++) {
                size_t n = all_rows(r, epoch, rows);
                check_masked(rows, n);
                if (packing == TRAIN_PACK_SPLIT)
                    assert_int_equal(n, (75 + L - 1) / L);
                size_t cut = 0; /* rows that begin within a document */
                for (size_t i = 0; i < n; i++) {
                    cut += rows[i].ids[0] % 100 != 0;
                    if (packing == TRAIN_PACK_NONE)
                        assert_int_equal(rows[i].ids[0] / 100, rows[i].ids[rows[i].n - 1] / 100);
                }
                /* whole and none cut only the documents of 30, 12 and (8 places fit) none other */
                if (packing != TRAIN_PACK_SPLIT)
                    assert_int_equal(cut, 3 + 1);
            }
            train_rows_free(r);
        }
    done(&f);
}
static void order_is_a_function_of_seed_and_epoch(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(open_text(&f, corpus(), NULL, "ids", NULL), 0);
    struct train_rows *a, *b;
    struct row first[64], second[64];
    assert_int_equal(train_rows_new(&a, &f.documents, L, TRAIN_PACK_SPLIT, true, true, 5), 0);
    assert_int_equal(train_rows_new(&b, &f.documents, L, TRAIN_PACK_SPLIT, true, true, 5), 0);
    memset(first, 0, sizeof first);
    memset(second, 0, sizeof second);
    all_rows(a, 0, first);
    all_rows(a, 1, first);
    size_t n = all_rows(b, 1, second); /* straight to epoch 1, as a resumed run does */
    assert_memory_equal(first[0].ids, second[0].ids, second[0].n * 4);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(first[i].targets, second[i].targets, second[i].n * 4);
    all_rows(b, 2, second);
    assert_memory_not_equal(first[0].ids, second[0].ids, sizeof first[0].ids);
    train_rows_free(a);
    train_rows_free(b);
    /* unshuffled: the documents' own order */
    assert_int_equal(train_rows_new(&a, &f.documents, L, TRAIN_PACK_SPLIT, true, false, 5), 0);
    all_rows(a, 4, first);
    static const int32_t expected[] = { 0, 1, 2, 3, 100, 200, 201, 202 };
    assert_memory_equal(first[0].ids, expected, sizeof expected);
    train_rows_free(a);
    done(&f);
}
static void without_masks_text_runs_on(void **state)
{
    (void)state;
    struct fixture f;
    struct train_rows *r;
    struct row rows[64];
    assert_int_equal(open_text(&f, corpus(), NULL, "ids", NULL), 0);
    assert_int_equal(train_rows_new(&r, &f.documents, L, TRAIN_PACK_SPLIT, false, false, 0), 0);
    size_t n = all_rows(r, 0, rows);
    assert_int_equal(n, (84 + L - 1) / L);
    static const int32_t ids[] = { 0, 1, 2, 3, 4, 100, 101, 200 },
                         targets[] = { 1, 2, 3, 4, 100, 101, 200, 201 };
    assert_memory_equal(rows[0].ids, ids, sizeof ids);
    assert_memory_equal(rows[0].targets, targets, sizeof targets);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < rows[i].n; k++)
            assert_int_equal(rows[i].start[k], k == 0);
    assert_int_equal(rows[n - 1].targets[rows[n - 1].n - 1], 905);
    train_rows_free(r);
    done(&f);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_documents),
        cmocka_unit_test(ids_are_taken_as_they_are),
        cmocka_unit_test(rows_hold_every_place_once),
        cmocka_unit_test(order_is_a_function_of_seed_and_epoch),
        cmocka_unit_test(without_masks_text_runs_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
