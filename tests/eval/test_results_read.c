/* Reading runs: Assay's and lm-eval's directories and files give the same, old forms of samples
 * too; what is broken is refused with file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "run_support.h"

#define NO_STORE "/nonexistent/store.sqlite"

static struct eval_run *open_run(const char *where)
{
    struct eval_run *r;
    if (eval_run_open(&r, where, NO_STORE))
        fail_msg("%s", base_error_message());
    return r;
}

static void expect_error(const char *where, int code, const char *part)
{
    struct eval_run *r;
    assert_int_equal(eval_run_open(&r, where, NO_STORE), code);
    if (!strstr(base_error_message(), part))
        fail_msg("\"%s\" does not say \"%s\"", base_error_message(), part);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const json_t *metric_of(const struct eval_run *r, const char *task, const char *metric)
{
    return json_object_get(json_object_get(eval_run_results(r), task), metric);
}

/* A run of run_make(directory, 1, 40), in whatever form. */
static void check_run(const char *where, const char *id)
{
    struct eval_run *r = open_run(where);
    const char *const *names;
    struct eval_samples *s;
    struct eval_column c;
    json_t *sample;
    size_t n = 0;
    assert_string_equal(text_of(eval_run_record(r), "id"), id);
    assert_string_equal(text_of(eval_run_record(r), "source"), "assay");
    assert_string_equal(eval_run_name(r), "model-1");
    assert_int_equal(eval_run_tasks(r, &names), 2);
    assert_string_equal(names[0], "sums");
    assert_true(eval_run_has_samples(r, "words"));
    assert_false(eval_run_has_samples(r, "other"));
    assert_string_equal(text_of(metric_of(r, "sums", "acc"), "method"), "wilson");
    assert_int_equal(eval_samples_open(&s, r, "sums"), 0);
    while (eval_samples_next(s, &sample) > 0) {
        assert_int_equal(json_integer_value(json_object_get(sample, "doc_id")), n++);
        json_decref(sample);
    }
    assert_int_equal(n, 40);
    eval_samples_close(s);
    assert_int_equal(eval_run_column(r, "sums", "acc", &c), 0);
    assert_int_equal(c.n, 40);
    assert_true(c.binary);
    assert_null(c.weight);
    for (size_t i = 0; i < c.n; i++) {
        assert_true(i == 0 || memcmp(c.hash[i - 1], c.hash[i], 16) < 0);
        assert_float_equal(c.value[i], run_right(1, c.doc[i]), 0);
    }
    eval_column_free(&c);
    assert_int_equal(eval_run_column(r, "sums", "score,none", &c), 0);
    assert_false(c.binary);
    for (size_t i = 0; i < c.n; i++)
        assert_float_equal(c.value[i], sin(c.doc[i] + 1.0), 1e-15);
    eval_column_free(&c);
    assert_int_equal(eval_run_column(r, "words", "word_perplexity", &c), 0);
    assert_int_equal(c.n, 20);
    for (size_t i = 0; i < c.n; i++) {
        assert_float_equal(c.value[i], (c.doc[i] % 5) + 0.25, 0);
        assert_float_equal(c.weight[i], (c.doc[i] % 7) + 1, 0);
    }
    eval_column_free(&c);
    assert_int_equal(eval_run_column(r, "sums", "f1", &c), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "acc,none score,none"));
    eval_run_close(r);
}

static void test_reads_back_every_form(void **state)
{
    (void)state;
    char directory[256], id[16];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-run"));
    run_make(directory, 1, 40, id);
    char *folder = base_path_join(directory, "model-1");
    char *results = run_find_file(folder, "results_");
    char *samples = run_find_file(folder, "samples_sums_");
    char *record = base_path_join(directory, "run.json");
    check_run(directory, id);
    check_run(record, id);
    check_run(folder, id);
    check_run(results, id);
    struct eval_run *r = open_run(samples);
    const char *const *names;
    double right = 0;
    for (size_t i = 0; i < 40; i++)
        right += run_right(1, i);
    assert_int_equal(eval_run_tasks(r, &names), 1);
    assert_string_equal(names[0], "sums");
    const json_t *acc = metric_of(r, "sums", "acc");
    assert_float_equal(number_of(acc, "value"), right / 40, 1e-15);
    assert_float_equal(number_of(acc, "stderr"), sqrt(right / 40 * (1 - right / 40) / 39), 1e-15);
    assert_string_equal(text_of(acc, "method"), "wilson");
    eval_run_close(r);
    base_free(folder);
    base_free(results);
    base_free(samples);
    base_free(record);
    run_remove(directory);
}

static void test_newest_run_of_a_directory(void **state)
{
    (void)state;
    char directory[256], first[16], second[16];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-run"));
    run_make(directory, 1, 4, first);
    run_make(directory, 1, 6, second);
    char *record = base_path_join(directory, "run.json");
    for (int k = 0; k < 2; k++) {
        struct eval_run *r = open_run(directory);
        struct eval_column c;
        assert_string_equal(text_of(eval_run_record(r), "id"), second);
        assert_int_equal(eval_run_column(r, "sums", "acc", &c), 0);
        assert_int_equal(c.n, 6);
        eval_column_free(&c);
        eval_run_close(r);
        unlink(record); /* then as lm-eval leaves it */
    }
    run_make(directory, 2, 4, first);
    unlink(record);
    expect_error(directory, BASE_E_ARGUMENT, "several models");
    base_free(record);
    run_remove(directory);
    expect_error(directory, BASE_E_ARGUMENT, "no such file or directory");
    base_file_make_directories(directory);
    expect_error(directory, BASE_E_FORMAT, "holds no run");
    run_remove(directory);
}

static void test_reads_real_lm_eval_results(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/lm_eval/results_gpt2_v0.4.8.json");
    struct eval_run *r = open_run(test_shared_path("eval/lm_eval/results_gpt2_v0.4.8.json"));
    const char *const *names;
    assert_int_equal(eval_run_tasks(r, &names), 9);
    assert_string_equal(eval_run_name(r), "gpt2");
    assert_string_equal(text_of(eval_run_record(r), "source"), "lm-eval");
    assert_string_equal(text_of(eval_run_record(r), "time"), "2025-05-30T15:39:12Z");
    const json_t *acc = metric_of(r, "wsc", "acc"), *ci = json_object_get(acc, "ci");
    assert_float_equal(number_of(acc, "value"), 0.4326923076923077, 0);
    assert_float_equal(number_of(acc, "stderr"), 0.04881803687006195, 0);
    assert_int_equal(json_integer_value(json_object_get(acc, "n")), 104);
    /* p = 45/104, (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) */
    assert_string_equal(text_of(acc, "method"), "wilson");
    assert_float_equal(json_real_value(json_array_get(ci, 0)), 0.34155001052392997, 1e-12);
    assert_float_equal(json_real_value(json_array_get(ci, 1)), 0.5286297871800539, 1e-12);
    /* MC2 is no proportion */
    assert_string_equal(text_of(metric_of(r, "truthfulqa_mc2", "acc"), "method"), "t");
    struct eval_samples *s;
    assert_int_equal(eval_samples_open(&s, r, "wsc"), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "--log_samples"));
    eval_run_close(r);
}

static void test_reads_real_lm_eval_samples(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/lm_eval/samples_truthfulqa_gen_v0.4.8_format_example.jsonl");
    struct eval_run *r = open_run(
        test_shared_path("eval/lm_eval/samples_truthfulqa_gen_v0.4.8_format_example.jsonl"));
    const char *const *names;
    struct eval_column c;
    assert_int_equal(eval_run_tasks(r, &names), 1);
    assert_int_equal(json_object_size(json_object_get(eval_run_results(r), names[0])), 12);
    assert_int_equal(eval_run_column(r, names[0], "bleu_acc", &c), 0);
    assert_int_equal(c.n, 20);
    assert_true(c.binary);
    eval_column_free(&c);
    assert_int_equal(eval_run_column(r, names[0], "bleu_max", &c), 0);
    assert_false(c.binary);
    eval_column_free(&c);
    eval_run_close(r);
}

/* Every old form holds the same two samples. */
static void test_reads_old_forms(void **state)
{
    (void)state;
    static const char a[] =
        "{\"doc_id\": 0, \"doc\": {\"q\": \"a\"}, \"target\": \"x\", \"arguments\": [[\"Q a\", \" "
        "x\"], "
        "[\"Q a\", \" y\"]], \"resps\": [[[\"-1.5\", \"False\"]], [[\"-2.5\", \"False\"]]], "
        "\"filtered_resps\": [[\"-1.5\", \"False\"]], \"acc\": 1.0}";
    static const char b[] = "{\"doc_id\": 1, \"doc\": {\"q\": \"b]}{\\\"\"}, \"target\": \"x\", "
                            "\"resps\": [[[NaN, false]], "
                            "[[-Infinity, true]]], \"acc\": false, \"acc_norm\": NaN}";
    char text[5][2048];
    snprintf(text[0], sizeof text[0], "%s\n%s\n", a, b);
    snprintf(text[1], sizeof text[1], "%s\n\n%s", a, b); /* no newline at the end */
    snprintf(text[2], sizeof text[2], "[\n  %s,\n  %s\n]\n", a, b);
    snprintf(text[3], sizeof text[3], "[%s,%s]", a, b);
    snprintf(text[4], sizeof text[4], "%s\r\n%s\r\n", a, b);
    for (size_t k = 0; k < 5; k++) {
        const char *path = test_temporary_path(".jsonl");
        test_write_file(path, text[k], strlen(text[k]));
        struct eval_run *r = open_run(path);
        const char *const *names;
        struct eval_column c;
        assert_int_equal(eval_run_tasks(r, &names), 1);
        assert_int_equal(eval_run_column(r, names[0], "acc", &c), 0);
        assert_int_equal(c.n, 2);
        assert_true(c.binary);
        assert_float_equal(c.value[0] + c.value[1], 1, 0);
        eval_column_free(&c);
        assert_int_equal(eval_run_column(r, names[0], "acc_norm", &c), BASE_E_NUMERIC);
        assert_non_null(strstr(base_error_message(), "doc_id 1"));
        eval_run_close(r);
        unlink(path);
    }
}

static void test_refuses_broken_samples(void **state)
{
    (void)state;
#define SAMPLE(id) "{\"doc_id\": " id ", \"doc\": 1, \"acc\": 1}"
    static const struct {
        const char *text, *says;
    } cases[] = {
        { SAMPLE("0") "\n{\"doc_id\": 1, \"do", ":2: torn record" },
        { SAMPLE("0") "\n{\"doc_id\": 1, \"do\n{}\n", ":2:" },
        { SAMPLE("3") "\n\n" SAMPLE("3") "\n", ":3: doc_id 3 comes a second time for filter none" },
        { "[" SAMPLE("0") ",\n", ":2: torn record" },
        { "[" SAMPLE("0") "\n, {\"doc_id\": 1, \"x\": [", ":2: torn record" },
        { "{\"doc\": 1, \"acc\": 1}\n", ":1: doc_id: expected an integer" },
        { "{\"doc_id\": -1}\n", ":1: doc_id: expected an integer" },
        { "{\"doc_id\": 1, \"acc\": 1}\n", "doc_hash: expected 64" },
        { "{\"doc_id\": 1, \"doc_hash\": \"xyz\", \"acc\": 1}\n", "got \"xyz\"" },
        { "[1]\n", "expected a record" },
        { "7\n", "expected a sample" },
        { "", "holds no samples" },
        { "[]", "holds no samples" },
        { "[] x", "after the end" },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const char *path = test_temporary_path(".jsonl");
        test_write_file(path, cases[k].text, strlen(cases[k].text));
        expect_error(path, BASE_E_FORMAT, cases[k].says);
        unlink(path);
    }
}

/* Two filters, as GSM8K has: a metric without a filter is that of the first. */
static void test_filters_have_columns_of_their_own(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".jsonl");
    FILE *f = fopen(path, "w");
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < 5; i++) {
            json_t *s = run_sample("x", i, k ? "flexible" : "strict", k ? 1 : i % 2 == 0, 0, 0);
            char *line = base_json_dump(s, false);
            fprintf(f, "%s\n", line);
            base_free(line);
            json_decref(s);
        }
    fclose(f);
    struct eval_run *r = open_run(path);
    const char *const *names;
    struct eval_column c;
    eval_run_tasks(r, &names);
    static const struct {
        const char *metric;
        double sum;
    } cases[] = { { "acc", 3 }, { "acc,strict", 3 }, { "acc,flexible", 5 } };
    for (size_t k = 0; k < 3; k++) {
        double sum = 0;
        assert_int_equal(eval_run_column(r, names[0], cases[k].metric, &c), 0);
        for (size_t i = 0; i < c.n; i++)
            sum += c.value[i];
        assert_float_equal(sum, cases[k].sum, 0);
        eval_column_free(&c);
    }
    assert_non_null(metric_of(r, names[0], "acc,flexible"));
    assert_int_equal(eval_run_column(r, names[0], "acc,loose", &c), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "acc,flexible"));
    eval_run_close(r);
    unlink(path);
}

static int read_all(const char *where)
{
    struct eval_run *r;
    struct eval_column c = { 0 };
    const char *const *names;
    int rc = eval_run_open(&r, where, NO_STORE);
    if (rc)
        return rc;
    eval_run_tasks(r, &names);
    rc = eval_run_column(r, names[0], "acc", &c);
    eval_column_free(&c);
    eval_run_close(r);
    return rc;
}

static void test_reader_survives_failed_allocations(void **state)
{
    (void)state;
    char directory[256];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-run"));
    run_make(directory, 1, 6, NULL);
    char *folder = base_path_join(directory, "model-1");
    char *samples = run_find_file(folder, "samples_sums_");
    const char *const forms[] = { directory, folder, samples };
    for (size_t k = 0; k < 3; k++) {
        long live = base_alloc_live();
        int rc = BASE_E_MEMORY;
        for (long n = 1; rc && n < 5000; n++) {
            base_alloc_fail_after(n);
            rc = read_all(forms[k]);
            base_alloc_fail_after(0);
            assert_int_equal(base_alloc_live(), live);
            if (rc)
                assert_int_equal(rc, BASE_E_MEMORY);
        }
        assert_int_equal(rc, 0);
    }
    base_free(folder);
    base_free(samples);
    run_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_back_every_form),
        cmocka_unit_test(test_newest_run_of_a_directory),
        cmocka_unit_test(test_reads_real_lm_eval_results),
        cmocka_unit_test(test_reads_real_lm_eval_samples),
        cmocka_unit_test(test_reads_old_forms),
        cmocka_unit_test(test_refuses_broken_samples),
        cmocka_unit_test(test_filters_have_columns_of_their_own),
        cmocka_unit_test(test_reader_survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
