/* Writing runs: the layout is lm-eval's, and nothing is left half-written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/results_private.h"
#include "run_support.h"
#include <sys/resource.h>
#include <math.h>
#include <stdint.h>

static json_t *make_config(void)
{
    return run_json(
        "{\"command\": [\"assay\", \"eval\"], \"model\": {\"model\": \"models/tiny:q8\", "
        "\"parameters\": 42, \"hash\": \"abc\"}, \"tasks\": {\"sums\": {\"task\": \"sums\", "
        "\"num_fewshot\": 2, \"metadata\": {\"version\": 1.5}, \"metric_list\": "
        "[{\"metric\": \"acc\", \"higher_is_better\": true}]}}, \"options\": {\"limit\": "
        "null, \"seed\": 1}, \"environment\": {\"cpu\": \"x\"}}");
}

static json_t *make_sample(size_t i, int right)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"doc_id\": %zu, \"doc\": {\"question\": \"%zu + 1 =\"}, \"target\": \"%zu\", "
             "\"arguments\": {}, \"resps\": [], \"filtered_resps\": [], \"filter\": \"none\", "
             "\"metrics\": [\"acc\"], \"prompt_hash\": \"p%zu\", \"target_hash\": \"t%zu\", "
             "\"acc\": %d}",
             i, i, i + 1, i, i, right);
    json_t *s = run_json(text);
    char hex[65];
    assert_int_equal(eval_document_hash(json_object_get(s, "doc"), hex), 0);
    json_object_set_new(s, "doc_hash", json_string(hex));
    return s;
}

/* Writes a run of n <= 16 samples; the fail-th allocation of it fails (0: none). */
static int write_run(const char *directory, size_t n, char id[EVAL_RUN_ID + 1], long fail)
{
    struct eval_run_writer *w = NULL;
    json_t *config = make_config();
    json_t *results =
        run_json("{\"sums\": {\"acc\": {\"value\": 0.5, \"stderr\": 0.25, \"ci\": [0.1, "
                 "0.9], \"method\": \"wilson\", \"n\": 4, \"filter\": \"none\"}, "
                 "\"by_category\": {\"x\": {}}}}");
    json_t *groups =
        run_json("{\"all\": {\"acc\": {\"value\": 0.5, \"stderr\": 0.125, \"n\": 4, \"filter\": "
                 "\"none\"}, \"members\": [\"sums\"], \"alias\": \"All\", \"version\": 1.0}}");
    json_t *samples[16];
    for (size_t i = 0; i < n; i++)
        samples[i] = make_sample(i, i % 2 == 0);
    base_alloc_fail_after(fail);
    int rc = eval_run_create(&w, directory, config);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = eval_run_add(w, "sums", samples[i]);
    if (rc == 0)
        rc = eval_run_original(w, "sums", 10);
    if (rc == 0)
        rc = eval_run_grouped(w, groups);
    if (rc == 0)
        rc = eval_run_finish(w, results);
    if (rc == 0 && id)
        strcpy(id, eval_run_id(w));
    eval_run_writer_free(w);
    base_alloc_fail_after(0);
    for (size_t i = 0; i < n; i++)
        json_decref(samples[i]);
    json_decref(config);
    json_decref(results);
    json_decref(groups);
    return rc;
}

static void test_sanitizes_names(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "gpt2", "gpt2" },
        { "EleutherAI/pythia-70m", "EleutherAI__pythia-70m" },
        { "a<>b:\"/|\\?*[]c", "a__b__c" },
        { "/home/m", "__home__m" },
        { "..", ".._" },
        { "", "_" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *clean = eval_results_sanitize(cases[i][0]);
        assert_string_equal(clean, cases[i][1]);
        base_free(clean);
    }
}

/* Expected values: hashlib.sha256(json.dumps(doc, indent=2, ensure_ascii=False).encode()) of
 * CPython 3.11. */
static void test_hashes_documents_as_lm_eval(void **state)
{
    (void)state;
    static const char doc[] =
        "{\"q\": \"caf\\u00e9 \\\"x\\\" \\\\ \\n\\t\\u001f\\u007f\", \"n\": 12, \"x\": [0.1, 1e-5, "
        "1e16, "
        "123456.0, 1.5e300, -0.0, 2.5], \"e\": [], \"o\": {}, \"b\": [true, false, null], \"d\": "
        "{\"k\": {\"v\": 1}}}";
    json_t *value = run_json(doc);
    char hex[65];
    assert_int_equal(eval_document_hash(value, hex), 0);
    assert_string_equal(hex, "02fb9db7a8997a4ad0e7cdfe2165773a3177d1b595213761e198e2330b96ddce");
    json_decref(value);
}

static void test_hash_is_that_of_real_samples(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/lm_eval/samples_truthfulqa_gen_v0.4.8_format_example.jsonl");
    FILE *f = fopen(
        test_shared_path("eval/lm_eval/samples_truthfulqa_gen_v0.4.8_format_example.jsonl"), "r");
    char *line = NULL, hex[65];
    size_t capacity = 0, n = 0;
    for (ssize_t bytes; (bytes = getline(&line, &capacity, f)) > 0; n++) {
        json_t *s = NULL;
        assert_int_equal(base_json_parse(&s, line, (size_t)bytes, "samples"), 0);
        assert_int_equal(eval_document_hash(json_object_get(s, "doc"), hex), 0);
        assert_string_equal(hex, json_string_value(json_object_get(s, "doc_hash")));
        json_decref(s);
    }
    assert_int_equal(n, 20);
    free(line);
    fclose(f);
}

static void test_writes_lm_eval_layout(void **state)
{
    (void)state;
    char directory[256], id[EVAL_RUN_ID + 1];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-run"));
    if (write_run(directory, 4, id, 0))
        fail_msg("%s", base_error_message());
    char *folder = base_path_join(directory, "models__tiny__q8");
    char *results = run_find_file(folder, "results_"),
         *samples = run_find_file(folder, "samples_sums_");
    assert_non_null(results);
    assert_non_null(samples);
    json_t *file = NULL, *run = NULL;
    assert_int_equal(base_json_load(&file, results), 0);
    json_t *line = json_object_get(json_object_get(file, "results"), "sums");
    assert_string_equal(json_string_value(json_object_get(line, "alias")), "sums");
    assert_float_equal(json_real_value(json_object_get(line, "acc,none")), 0.5, 0);
    assert_float_equal(json_real_value(json_object_get(line, "acc_stderr,none")), 0.25, 0);
    assert_string_equal(json_string_value(json_object_get(line, "name")), "sums");
    assert_int_equal(json_integer_value(json_object_get(line, "sample_len")), 4);
    assert_int_equal(json_object_size(line), 5); /* by_category is no metric */
    /* a group as lm-eval 0.4.13 has it: among the results, under "groups", and its members */
    line = json_object_get(json_object_get(file, "groups"), "all");
    assert_true(json_equal(line, json_object_get(json_object_get(file, "results"), "all")));
    assert_string_equal(json_string_value(json_object_get(line, "alias")), "All");
    assert_int_equal(json_integer_value(json_object_get(line, "sample_len")), 4);
    assert_float_equal(json_real_value(json_object_get(line, "acc_stderr,none")), 0.125, 0);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(line, "sample_count"), "acc,none")), 4);
    assert_string_equal(json_string_value(json_array_get(
                            json_object_get(json_object_get(file, "group_subtasks"), "all"), 0)),
                        "sums");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(file, "versions"), "all")), "1.0");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(file, "n-shot"), "all")),
                     2);
    assert_true(json_is_true(
        json_object_get(json_object_get(json_object_get(file, "higher_is_better"), "all"), "acc")));
    /* a task's configuration has every key lm-eval's has, by its defaults */
    line = json_object_get(json_object_get(file, "configs"), "sums");
    assert_string_equal(json_string_value(json_object_get(line, "target_delimiter")), " ");
    assert_string_equal(json_string_value(json_object_get(line, "fewshot_delimiter")), "\n\n");
    assert_int_equal(json_integer_value(json_object_get(line, "repeats")), 1);
    assert_string_equal(json_string_value(json_object_get(json_object_get(line, "fewshot_config"),
                                                          "fewshot_delimiter")),
                        "\n\n");
    assert_true(json_is_object(json_object_get(json_object_get(file, "config"), "model_args")));
    json_t *count = json_object_get(json_object_get(file, "n-samples"), "sums");
    assert_int_equal(json_integer_value(json_object_get(count, "original")), 10);
    assert_int_equal(json_integer_value(json_object_get(count, "effective")), 4);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(file, "n-shot"), "sums")),
                     2);
    assert_float_equal(json_real_value(json_object_get(json_object_get(file, "versions"), "sums")),
                       1.5, 0);
    assert_true(json_is_null(json_object_get(file, "git_hash")));
    assert_string_equal(json_string_value(json_object_get(file, "model_name")), "models/tiny:q8");
    assert_string_equal(json_string_value(json_object_get(file, "model_name_sanitized")),
                        "models__tiny__q8");
    assert_true(json_is_true(json_object_get(
        json_object_get(json_object_get(file, "higher_is_better"), "sums"), "acc")));
    /* every key of a results file of lm-eval 0.4.8 is there */
    static const char *const keys[] = { "results",
                                        "group_subtasks",
                                        "configs",
                                        "versions",
                                        "n-shot",
                                        "higher_is_better",
                                        "n-samples",
                                        "config",
                                        "git_hash",
                                        "date",
                                        "pretty_env_info",
                                        "transformers_version",
                                        "lm_eval_version",
                                        "upper_git_hash",
                                        "tokenizer_pad_token",
                                        "tokenizer_eos_token",
                                        "tokenizer_bos_token",
                                        "eot_token_id",
                                        "max_length",
                                        "task_hashes",
                                        "model_source",
                                        "model_name",
                                        "model_name_sanitized",
                                        "system_instruction",
                                        "system_instruction_sha",
                                        "fewshot_as_multiturn",
                                        "chat_template",
                                        "chat_template_sha",
                                        "start_time",
                                        "end_time",
                                        "total_evaluation_time_seconds" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!json_object_get(file, keys[i]))
            fail_msg("no key %s", keys[i]);
    /* the hash of a task: over doc, prompt and target hashes in order */
    char text[4096] = "", hex[BASE_SHA256_HEX];
    for (size_t i = 0; i < 4; i++) {
        json_t *s = make_sample(i, 1);
        sprintf(text + strlen(text), "%sp%zut%zu",
                json_string_value(json_object_get(s, "doc_hash")), i, i);
        json_decref(s);
    }
    assert_int_equal(base_sha256(text, strlen(text), hex), 0);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(file, "task_hashes"), "sums")), hex);
    char *path = base_path_join(directory, "run.json");
    assert_int_equal(base_json_load(&run, path), 0);
    assert_string_equal(json_string_value(json_object_get(run, "id")), id);
    assert_string_equal(json_string_value(json_object_get(run, "state")), "complete");
    json_t *files = json_object_get(json_object_get(run, "files"), "samples");
    char *named = base_path_join(directory, json_string_value(json_object_get(files, "sums")));
    assert_true(base_file_exists(named));
    base_free(named);
    base_free(path);
    base_free(folder);
    base_free(results);
    base_free(samples);
    json_decref(file);
    json_decref(run);
    run_remove(directory);
}

static void test_unfinished_run_leaves_no_files(void **state)
{
    (void)state;
    char directory[256];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-run"));
    struct eval_run_writer *w;
    json_t *config = make_config();
    assert_int_equal(eval_run_create(&w, directory, config), 0);
    for (size_t i = 0; i < 40; i++) { /* more tasks than files stay open */
        char task[32];
        snprintf(task, sizeof task, "task%zu", i % 37);
        json_t *s = make_sample(i, 1);
        assert_int_equal(eval_run_add(w, task, s), 0);
        json_decref(s);
    }
    json_t *bad = run_json("{\"doc\": 1}");
    assert_int_equal(eval_run_add(w, "x", bad), BASE_E_ARGUMENT);
    json_decref(bad);
    eval_run_writer_free(w);
    char *folder = base_path_join(directory, "models__tiny__q8");
    assert_null(run_find_file(folder, "s"));
    assert_null(run_find_file(folder, ".assay"));
    base_free(folder);
    json_decref(config);
    run_remove(directory);
}

static void test_writer_survives_failed_allocations(void **state)
{
    (void)state;
    char directory[256];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-run"));
    long live = base_alloc_live();
    int rc = BASE_E_MEMORY;
    for (long n = 1; rc && n < 5000; n++) {
        rc = write_run(directory, 3, NULL, n);
        assert_int_equal(base_alloc_live(), live);
        if (rc)
            assert_int_equal(rc, BASE_E_MEMORY);
    }
    assert_int_equal(rc, 0);
    run_remove(directory);
}

/* A full disk: nothing half-written is left, and the message says so. */
static void test_full_disk(void **state)
{
    (void)state;
    struct eval_run_writer *w;
    json_t *config = make_config(), *results = run_json("{\"sums\": {}}");
    char directory[256];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-run"));
    struct rlimit before, small = { 20000, 20000 };
    assert_int_equal(eval_run_create(&w, directory, config), 0);
    signal(SIGXFSZ, SIG_IGN); /* then write() fails, as on a full disk */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = 0;
    for (size_t i = 0; i < 200 && rc == 0; i++) {
        json_t *s = make_sample(i, 1);
        rc = eval_run_add(w, "sums", s);
        json_decref(s);
    }
    if (rc == 0)
        rc = eval_run_finish(w, results);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "samples_sums_"));
    eval_run_writer_free(w);
    char *folder = base_path_join(directory, "models__tiny__q8");
    assert_null(run_find_file(folder, "s"));
    assert_null(run_find_file(folder, "r"));
    assert_null(run_find_file(folder, ".assay"));
    base_free(folder);
    json_decref(config);
    json_decref(results);
    run_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sanitizes_names),
        cmocka_unit_test(test_hashes_documents_as_lm_eval),
        cmocka_unit_test(test_hash_is_that_of_real_samples),
        cmocka_unit_test(test_writes_lm_eval_layout),
        cmocka_unit_test(test_unfinished_run_leaves_no_files),
        cmocka_unit_test(test_writer_survives_failed_allocations),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
