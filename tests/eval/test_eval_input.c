/* Windows against lm-eval's own cases and Python's arithmetic; documents out of files; words;
 * cutting what is too long. */
#include "base/json.h"
#include "base/memory.h"
#include "eval/space.h"
#include <assay/eval.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static void rolling_windows_as_lm_eval(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/lm_eval/rolling_windows_golden.json");
    json_t *file = NULL;
    const json_t *k, *pair;
    size_t i, j;
    assert_int_equal(
        base_json_load(&file, test_shared_path("eval/lm_eval/rolling_windows_golden.json")), 0);
    json_array_foreach(json_object_get(file, "cases"), i, k)
    {
        size_t length = (size_t)json_integer_value(json_object_get(k, "n_tokens"));
        size_t max = (size_t)json_integer_value(json_object_get(k, "max_seq_len"));
        size_t context = (size_t)json_integer_value(json_object_get(k, "context_len"));
        const json_t *want = json_object_get(k, "windows");
        struct eval_window *w = NULL;
        size_t n = 0;
        assert_int_equal(eval_windows_rolling(length, max, context, &w, &n), 0);
        assert_int_equal(n, json_array_size(want));
        json_array_foreach(want, j, pair)
        {
            /* token t of theirs stands at t + 1 of ours, their prefix -100 at 0 */
            const json_t *input = json_object_get(pair, "input"),
                         *pred = json_object_get(pair, "pred");
            assert_int_equal(w[j].count, json_array_size(input));
            assert_int_equal(w[j].to - w[j].from, json_array_size(pred));
            assert_int_equal(w[j].to, w[j].count);
            for (size_t t = 0; t < w[j].count; t++) {
                json_int_t token = json_integer_value(json_array_get(input, t));
                assert_int_equal(w[j].first + t, token == -100 ? 0 : token + 1);
            }
            for (size_t t = w[j].from; t < w[j].to; t++)
                assert_int_equal(w[j].first + t + 1,
                                 json_integer_value(json_array_get(pred, t - w[j].from)) + 1);
        }
        base_free(w);
    }
    assert_true(i >= 6);
    json_decref(file);
}

/* Every convention scores each target at most once; rolling all of them; none outside its window.
 */
static void windows_cover(void **state)
{
    (void)state;
    for (size_t length = 0; length < 40; length++)
        for (size_t max = 4; max <= 12; max++)
            for (size_t stride = 1; stride <= max; stride++)
                for (int k = 0; k < 3; k++)
                    for (size_t begin = 0; begin < 2; begin++) {
                        struct eval_window *w = NULL;
                        size_t n = 0, scored[64] = { 0 }, total = 0;
                        int rc = k == 0   ? eval_windows_rolling(length, max, stride, &w, &n)
                                 : k == 1 ? eval_windows_strided(length, begin, max, stride, &w, &n)
                                          : eval_windows_chunked(length, begin, max, &w, &n);
                        assert_int_equal(rc, 0);
                        for (size_t i = 0; i < n; i++) {
                            assert_true(w[i].from < w[i].to && w[i].to <= w[i].count);
                            assert_true(w[i].count <= max);
                            assert_true(w[i].first + w[i].to <= length);
                            for (size_t r = w[i].from; r < w[i].to; r++)
                                assert_int_equal(++scored[w[i].first + r + 1], 1);
                            total += w[i].to - w[i].from;
                        }
                        size_t seen = length + 1 - begin; /* tokens of the strided sequence */
                        if (k == 0)
                            assert_int_equal(total, length);
                        else if (k == 1 && stride < max)
                            assert_int_equal(total, seen > 0 ? seen - 1 : 0);
                        else if (k == 2)
                            assert_int_equal(total, seen / max * (max - 1 - max / 2));
                        base_free(w);
                    }
}

/* The loop of Hugging Face's documentation for 25 tokens, window 10, stride 4, by hand. */
static void strided_windows_as_documented(void **state)
{
    (void)state;
    struct eval_window *w = NULL;
    size_t n = 0;
    assert_int_equal(eval_windows_strided(24, 0, 10, 4, &w, &n), 0);
    const size_t want[5][4] = {
        { 0, 10, 0, 9 }, { 4, 10, 5, 9 }, { 8, 10, 5, 9 }, { 12, 10, 5, 9 }, { 16, 9, 5, 8 }
    };
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(w[i].first, want[i][0]);
        assert_int_equal(w[i].count, want[i][1]);
        assert_int_equal(w[i].from, want[i][2]);
        assert_int_equal(w[i].to, want[i][3]);
    }
    base_free(w);
    assert_int_equal(eval_windows_strided(24, 0, 10, 11, &w, &n), BASE_E_ARGUMENT);
    assert_int_equal(eval_windows_rolling(24, 10, 0, &w, &n), BASE_E_ARGUMENT);
    assert_int_equal(eval_windows_chunked(24, 0, 3, &w, &n), BASE_E_ARGUMENT);
}

static void words_as_python_splits(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t words;
    } cases[] = { { "", 1 },
                  { "a", 1 },
                  { "a b", 2 },
                  { " a b ", 4 },
                  { "a \n\t b", 2 },
                  { "a\xc2\xa0"
                    "b",
                    2 },
                  { "\n", 2 },
                  { "a\xe2\x80\x83"
                    "b\xe3\x80\x80",
                    3 },
                  { "a\xe2\x80\x8b"
                    "b",
                    1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(eval_word_count(cases[i].text, strlen(cases[i].text)), cases[i].words);
    assert_int_equal(eval_space_trim_end("ab \xc2\xa0\n", 6), 2);
    assert_int_equal(eval_space_trim_end("\xc3\xa4", 2), 2);
    assert_true(eval_space_only(" \t", 2));
}

static void overlength_policies(void **state)
{
    (void)state;
    const int32_t all[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    const struct {
        enum eval_overlength policy;
        size_t fixed, tail, limit;
        int32_t left[8];
        size_t first;
    } cases[] = {
        { EVAL_OVERLENGTH_LEFT, 0, 0, 5, { 3, 4, 5, 6, 7 }, 0 },
        { EVAL_OVERLENGTH_LEFT, 1, 0, 5, { 0, 4, 5, 6, 7 }, 1 },
        { EVAL_OVERLENGTH_RIGHT, 1, 0, 5, { 0, 1, 2, 3, 4 }, 5 },
        { EVAL_OVERLENGTH_RIGHT, 1, 2, 5, { 0, 1, 2, 6, 7 }, 3 },
        { EVAL_OVERLENGTH_MIDDLE, 0, 0, 5, { 0, 1, 2, 6, 7 }, 3 },
        { EVAL_OVERLENGTH_MIDDLE, 1, 0, 5, { 0, 1, 2, 6, 7 }, 3 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t ids[8];
        size_t n = 8;
        struct eval_cut cut;
        memcpy(ids, all, sizeof all);
        assert_int_equal(eval_overlength_apply(ids, &n, cases[i].fixed, cases[i].tail,
                                               cases[i].limit, cases[i].policy, &cut),
                         0);
        assert_int_equal(n, cases[i].limit);
        assert_memory_equal(ids, cases[i].left, n * sizeof *ids);
        assert_int_equal(cut.first, cases[i].first);
        assert_int_equal(cut.count, 3);
    }
    int32_t ids[8];
    size_t n = 8;
    memcpy(ids, all, sizeof all);
    assert_int_equal(eval_overlength_apply(ids, &n, 0, 0, 7, EVAL_OVERLENGTH_ERROR, NULL),
                     BASE_E_LIMIT);
    assert_non_null(strstr(base_error_message(), "8 tokens"));
    assert_non_null(strstr(base_error_message(), "at most 7"));
    assert_int_equal(eval_overlength_apply(ids, &n, 1, 6, 5, EVAL_OVERLENGTH_LEFT, NULL),
                     BASE_E_LIMIT);
    assert_int_equal(n, 8);
    assert_int_equal(eval_overlength_apply(ids, &n, 1, 6, 8, EVAL_OVERLENGTH_ERROR, NULL), 0);
    enum eval_overlength policy;
    assert_int_equal(eval_overlength_parse("middle", &policy), 0);
    assert_int_equal(policy, EVAL_OVERLENGTH_MIDDLE);
    assert_int_equal(eval_overlength_parse("centre", &policy), BASE_E_ARGUMENT);
}

static void documents_are(const char *suffix, const char *content, enum eval_split split,
                          const char *const *want, int rc_at_end)
{
    const char *path = test_temporary_path(suffix);
    test_write_file(path, content, strlen(content));
    struct eval_documents_options o = { .split = split };
    struct eval_documents *d = NULL;
    assert_int_equal(eval_documents_open(&d, &path, 1, &o), 0);
    assert_int_equal(eval_documents_bytes(d), strlen(content));
    const char *text, *name;
    size_t bytes;
    uint64_t done = 0, earlier = 0;
    int rc;
    while ((rc = eval_documents_next(d, &text, &bytes, &name, &done)) > 0) {
        assert_non_null(*want);
        assert_int_equal(bytes, strlen(*want));
        assert_memory_equal(text, *want, bytes);
        assert_true(done >= earlier && done <= strlen(content));
        earlier = done;
        want++;
    }
    assert_int_equal(rc, rc_at_end);
    assert_null(*want);
    eval_documents_close(d);
    unlink(path);
}

static void documents_in_files(void **state)
{
    (void)state;
    long live = base_alloc_live();
    const char *const whole[] = { "one\n\ntwo\n", NULL }, *const nothing[] = { NULL };
    documents_are(".txt", "one\n\ntwo\n", EVAL_SPLIT_NONE, whole, 0);
    const char *const empty[] = { "", NULL };
    documents_are(".txt", "", EVAL_SPLIT_NONE, empty, 0);
    documents_are(".txt", "", EVAL_SPLIT_LINE, nothing, 0);
    const char *const lines[] = { "one", "two  ", "three", NULL };
    documents_are(".txt", "one\r\n\n  \ntwo  \nthree", EVAL_SPLIT_LINE, lines, 0);
    const char *const blocks[] = { "one\n two", "three", NULL };
    documents_are(".txt", "\n\none\n two\n \n\nthree\n\n", EVAL_SPLIT_BLANK, blocks, 0);
    const char *const marked[] = { "a b", "c\n", NULL };
    documents_are(".txt", "a b<|endoftext|>c\n<|endoftext|>", EVAL_SPLIT_END, marked, 0);
    const char *const records[] = { "x\ny", "z", NULL };
    documents_are(".jsonl", "{\"text\":\"x\\ny\"}\n\n{\"a\":1,\"text\":\"z\"}\n", EVAL_SPLIT_NONE,
                  records, 0);
    documents_are(".jsonl", "{\"text\":\"z\"}\n{\"txt\":1}\n", EVAL_SPLIT_NONE, records + 1,
                  BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), ":2: no text under \"text\""));
    documents_are(".txt", "ok\n\xff\n", EVAL_SPLIT_LINE, (const char *const[]){ "ok", NULL },
                  BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), ":2: byte 0 (0xff) is not valid UTF-8"));
    const char *const missing[] = { "/nowhere/at/all.txt" };
    struct eval_documents_options o = { 0 };
    struct eval_documents *d = NULL;
    assert_int_equal(eval_documents_open(&d, missing, 1, &o), BASE_E_IO);
    assert_int_equal(base_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rolling_windows_as_lm_eval),    cmocka_unit_test(windows_cover),
        cmocka_unit_test(strided_windows_as_documented), cmocka_unit_test(words_as_python_splits),
        cmocka_unit_test(overlength_policies),           cmocka_unit_test(documents_in_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
