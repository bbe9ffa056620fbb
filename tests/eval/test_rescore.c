/* Rescoring: a run judged again by its own configuration is the same run, for every kind of task;
 * changed metrics and filters change what they should; lm-eval's samples can be judged. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "eval/rescore.h"
#include "run_support.h"
#include <assay/task.h>

#define NO_STORE "/nonexistent/store.sqlite"

static void must(int rc)
{
    if (rc)
        fail_msg("%s", base_error_message());
}

/* Made-up answers of a model, the same every time. */
static void answer(const struct eval_item *item, struct eval_response *responses)
{
    for (size_t i = 0; i < item->n_requests; i++) {
        struct eval_response *r = &responses[i];
        size_t h = (item->doc_id * 31 + i * 7) % 13;
        if (item->requests[i].kind == EVAL_REQUEST_GENERATE) {
            size_t n = item->requests[i].generation->repeats;
            r->texts = base_alloc_zero(n, sizeof *r->texts);
            for (size_t k = 0; k < n; k++) {
                const char *target = json_string_value(item->target);
                r->texts[k] = base_format(" %s\n", h % 2 && target ? target : "wrong 12");
                r->n_texts++;
            }
            r->tokens = 3;
            continue;
        }
        r->logprob = -0.1 - 1.0 / 3 * (double)h;
        r->first_logprob = r->logprob / 2;
        r->greedy = h % 3 == 0;
        r->tokens = 2 + h % 3;
        r->ids[0] = 7;
        r->n_ids = 1;
    }
}

static void add_task(struct eval_run_writer *w, const char *name, json_t *configs, json_t *results)
{
    struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
    struct eval_task *t;
    struct eval_tally *tally;
    struct eval_item item;
    json_t *records, *record, *result;
    size_t i;
    o.limit = 12;
    must(eval_task_open(&t, name, &o));
    must(eval_tally_new(&tally, t, 0.95, 0));
    while (eval_task_next(t, &item) > 0) {
        struct eval_response *r = base_alloc_zero(item.n_requests, sizeof *r);
        answer(&item, r);
        must(eval_task_judge(t, &item, r, &records));
        json_array_foreach(records, i, record)
        {
            must(eval_run_add(w, eval_task_name(t), record));
            must(eval_tally_add(tally, record));
        }
        json_decref(records);
        for (size_t k = 0; k < item.n_requests; k++)
            eval_response_clear(&r[k]);
        base_free(r);
        eval_item_clear(&item);
    }
    must(eval_tally_finish(tally, &result));
    json_object_set_new(results, eval_task_name(t), result);
    json_object_set_new(configs, eval_task_name(t), eval_task_config(t));
    eval_tally_free(tally);
    eval_task_free(t);
}

/* A run of some of the built-in tasks, and of two files for the output types that those do not
 * have: last words and rolled texts. */
static const char *const names[] = { "facts", "sentiment", "sums", "translation" };
#define COUNT (sizeof names / sizeof *names + 2)

static const char last_word[] =
    "task: last_word\noutput_type: loglikelihood\ntest_split: test\ndataset_path: json\n"
    "dataset_kwargs:\n  data_files:\n    test: %s\ndoc_to_text: \"{{a}}\"\n"
    "doc_to_target: \" {{b}}\"\ntarget_delimiter: \"\"\n";
static const char pages[] =
    "task: pages\noutput_type: loglikelihood_rolling\ntest_split: test\ndataset_path: json\n"
    "dataset_kwargs:\n  data_files:\n    test: %s\ndoc_to_text: \"\"\n"
    "doc_to_target: \"{{a}} {{b}}\"\n";
static const char rows[] = "{\"a\": \"one two\", \"b\": \"three\"}\n"
                           "{\"a\": \"a \\u00e9t\\u00e9\\n\", \"b\": \"four\"}\n"
                           "{\"a\": \"\", \"b\": \"five\"}\n";

/* Writes the two task files and their data beside the run; path: of the one wanted. */
static void write_task(const char *directory, const char *yaml, char path[400])
{
    char data[400], text[2000];
    base_file_make_directories(directory);
    snprintf(data, sizeof data, "%s/rows.jsonl", directory);
    snprintf(path, 400, "%s/%s.yaml", directory, yaml == pages ? "pages" : "last_word");
    test_write_file(data, rows, sizeof rows - 1);
    int n = snprintf(text, sizeof text, yaml, data);
    test_write_file(path, text, (size_t)n);
}

static void make_run(const char *directory)
{
    struct eval_run_writer *w;
    json_t *config = run_json("{\"model\": {\"model\": \"m\"}, \"tasks\": {}}");
    json_t *results = json_object();
    must(eval_run_create(&w, directory, config));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add_task(w, names[i], json_object_get(config, "tasks"), results);
    char file[400];
    write_task(directory, last_word, file);
    add_task(w, file, json_object_get(config, "tasks"), results);
    write_task(directory, pages, file);
    add_task(w, file, json_object_get(config, "tasks"), results);
    must(eval_run_finish(w, results));
    eval_run_writer_free(w);
    json_decref(config);
    json_decref(results);
}

static void check_same_samples(const struct eval_run *a, const struct eval_run *b, const char *task)
{
    struct eval_samples *x, *y;
    json_t *p, *q;
    must(eval_samples_open(&x, a, task));
    must(eval_samples_open(&y, b, task));
    while (eval_samples_next(x, &p) > 0) {
        assert_int_equal(eval_samples_next(y, &q), 1);
        if (!json_equal(p, q)) {
            char *one = base_json_dump(p, false), *two = base_json_dump(q, false);
            fail_msg("%s\n%s", one, two);
        }
        json_decref(p);
        json_decref(q);
    }
    assert_int_equal(eval_samples_next(y, &q), 0);
    eval_samples_close(x);
    eval_samples_close(y);
}

static void test_same_task_same_run(void **state)
{
    (void)state;
    char directory[256], again[300];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-rescore"));
    snprintf(again, sizeof again, "%s/again", directory);
    make_run(directory);
    struct eval_run *a, *b;
    struct eval_rescore_options o = { .level = 0.95 };
    char *id;
    json_t *results;
    must(eval_run_open(&a, directory, NO_STORE));
    must(eval_rescore(a, &o, again, &id, &results));
    must(eval_run_open(&b, again, NO_STORE));
    assert_true(json_equal(eval_run_results(a), eval_run_results(b)));
    assert_true(json_equal(eval_run_results(b), results));
    assert_string_equal(json_string_value(json_object_get(eval_run_record(b), "id")), id);
    assert_string_equal(json_string_value(json_object_get(eval_run_record(b), "parent")),
                        json_string_value(json_object_get(eval_run_record(a), "id")));
    const char *const *tasks;
    size_t n = eval_run_tasks(a, &tasks);
    assert_int_equal(n, COUNT);
    for (size_t i = 0; i < n; i++)
        check_same_samples(a, b, tasks[i]);
    json_decref(results);
    base_free(id);
    /* the rolled texts' counts came back from the samples: 3 + 3 + 2 words by re.split */
    const json_t *rolled = json_object_get(eval_run_results(b), "pages");
    double words = json_number_value(
               json_object_get(json_object_get(rolled, "word_perplexity"), "value")),
           bytes = json_number_value(
               json_object_get(json_object_get(rolled, "byte_perplexity"), "value"));
    assert_float_equal(log(words) * 8 / (log(bytes) * (13 + 13 + 5)), 1, 1e-12);
    assert_int_equal(
        json_integer_value(json_object_get(
            json_object_get(json_object_get(eval_run_results(b), "last_word"), "perplexity"), "n")),
        3);
    /* other metrics */
    static const char *const metrics[] = { "acc", "acc_token", "acc_bytes" };
    o.metrics = metrics;
    o.n_metrics = 3;
    o.only = (const char *const[]){ "facts" };
    o.n_only = 1;
    must(eval_rescore(a, &o, again, &id, &results));
    assert_int_equal(json_object_size(results), 1);
    json_t *task = json_object_get(results, "facts");
    for (size_t i = 0; i < 3; i++)
        assert_true(json_is_number(json_object_get(json_object_get(task, metrics[i]), "value")));
    json_decref(results);
    base_free(id);
    eval_run_close(a);
    eval_run_close(b);
    run_remove(directory);
}

/* lm-eval's samples of both, judged again: exp(-mean) of the log-likelihoods, the share of greedy
 * ones, and exp(-sum / words or bytes). */
static void test_loglikelihoods_of_lm_eval(void **state)
{
    (void)state;
    static const char *const forms[2] = {
        "{\"doc_id\": %d, \"doc\": {\"a\": \"one two\", \"b\": \"three\"}, \"target\": \" three\", "
        "\"arguments\": {\"gen_args_0\": {\"arg_0\": \"one two\", \"arg_1\": \" three\"}}, "
        "\"resps\": [[[\"%s\", \"%s\"]]], \"filtered_resps\": [[\"%s\", \"%s\"]]}\n",
        "{\"doc_id\": %d, \"doc\": {\"a\": \"one two\", \"b\": \"three\"}, \"target\": \"one two "
        "three\", \"arguments\": {\"gen_args_0\": {\"arg_0\": \"one two three\"}}, "
        "\"resps\": [[\"%s\"]], \"filtered_resps\": [\"%s\"]}\n"
    };
    static const char *const ll[3] = { "-1.5", "-2.25", "-0.75" };
    static const char *const greedy[3] = { "False", "False", "True" };
    char directory[256], file[340], task[400], out[300], lines[3000];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-rescore"));
    snprintf(out, sizeof out, "%s/out", directory);
    for (int form = 0; form < 2; form++) {
        int n = 0;
        write_task(directory, form ? pages : last_word, task);
        snprintf(file, sizeof file, "%s/samples_%s_2025-01-01T00-00-00.0.jsonl", directory,
                 form ? "pages" : "last_word");
        for (int i = 0; i < 3; i++)
            n += form ? snprintf(lines + n, sizeof lines - (size_t)n, forms[1], i, ll[i], ll[i])
                      : snprintf(lines + n, sizeof lines - (size_t)n, forms[0], i, ll[i], greedy[i],
                                 ll[i], greedy[i]);
        test_write_file(file, lines, (size_t)n);
        struct eval_run *r;
        struct eval_rescore_options o = { .level = 0.95, .task = task };
        char *id;
        json_t *results;
        must(eval_run_open(&r, file, NO_STORE));
        must(eval_rescore(r, &o, out, &id, &results));
        const json_t *m = json_object_get(results, form ? "pages" : "last_word");
#define VALUE(name) json_number_value(json_object_get(json_object_get(m, name), "value"))
        if (form) {
            assert_float_equal(VALUE("word_perplexity"), exp(4.5 / 9), 1e-12);
            assert_float_equal(VALUE("byte_perplexity"), exp(4.5 / 39), 1e-12);
            assert_float_equal(VALUE("bits_per_byte"), 4.5 / 39 / M_LN2, 1e-12);
        } else {
            assert_float_equal(VALUE("perplexity"), exp(1.5), 1e-12);
            assert_float_equal(VALUE("acc"), 1.0 / 3, 1e-12);
        }
        json_decref(results);
        base_free(id);
        eval_run_close(r);
    }
    run_remove(directory);
}

/* GSM8K in little: the number at the end against the whole text; then with a filter. */
static void test_filters_and_lm_eval(void **state)
{
    (void)state;
    char directory[256], file[300], yaml[300], out[300];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-rescore"));
    snprintf(file, sizeof file, "%s/samples_add_2025-01-01T00-00-00.0.jsonl", directory);
    snprintf(yaml, sizeof yaml, "%s/add.yaml", directory);
    snprintf(out, sizeof out, "%s/out", directory);
    base_file_make_directories(directory);
    static const char samples[] =
        "{\"doc_id\": 0, \"doc\": {\"q\": \"1 + 1\", \"a\": \"2\"}, \"target\": \"2\", "
        "\"arguments\": "
        "[[\"1 + 1\", {\"until\": []}]], \"resps\": [[\"it is 2\"]], \"filtered_resps\": [\"it is "
        "2\"], \"exact_match\": 0.0}\n"
        "{\"doc_id\": 1, \"doc\": {\"q\": \"2 + 1\", \"a\": \"3\"}, \"target\": \"3\", "
        "\"arguments\": "
        "[[\"2 + 1\", {\"until\": []}]], \"resps\": [[\"5\"]], \"filtered_resps\": [\"5\"], "
        "\"exact_match\": 0.0}\n";
    static const char task[] = "task: add\noutput_type: generate_until\ntest_split: test\n"
                               "dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: "
                               "none.jsonl\ndoc_to_text: \"{{q}}\"\ndoc_to_target: \"{{a}}\"\n"
                               "metric_list:\n  - metric: exact_match\n";
    test_write_file(file, samples, strlen(samples));
    test_write_file(yaml, task, strlen(task));
    struct eval_run *r;
    struct eval_rescore_options o = { .level = 0.95 };
    char *id;
    json_t *results;
    must(eval_run_open(&r, file, NO_STORE));
    assert_int_equal(eval_rescore(r, &o, out, &id, &results) < 0, 1);
    assert_non_null(strstr(base_error_message(), "--task"));
    o.task = yaml;
    must(eval_rescore(r, &o, out, &id, &results));
    json_t *metric = json_object_get(json_object_get(results, "add"), "exact_match");
    assert_float_equal(json_number_value(json_object_get(metric, "value")), 0, 0);
    json_decref(results);
    base_free(id);
    static const char *const filters[] = { "{name: number, filter: [{function: regex, "
                                           "regex_pattern: '(\\d+)'}, {function: take_first}]}" };
    o.filters = filters;
    o.n_filters = 1;
    must(eval_rescore(r, &o, out, &id, &results));
    metric = json_object_get(json_object_get(results, "add"), "exact_match");
    assert_float_equal(json_number_value(json_object_get(metric, "value")), 0.5, 0);
    assert_string_equal(json_string_value(json_object_get(metric, "filter")), "number");
    json_decref(results);
    base_free(id);
    static const char *const bad[] = { "[1]" };
    o.filters = bad;
    assert_int_equal(eval_rescore(r, &o, out, &id, &results), BASE_E_ARGUMENT);
    eval_run_close(r);
    /* the command */
    struct test_run run = test_assay(NULL, "rescore", file, "--task", yaml, "--filter", filters[0],
                                     "-o", out, "--no-store", "--json", NULL);
    json_t *object = test_run_json(&run);
    assert_int_equal(run.rc, 0);
    assert_non_null(object);
    metric =
        json_object_get(json_object_get(json_object_get(object, "results"), "add"), "exact_match");
    assert_float_equal(json_number_value(json_object_get(metric, "value")), 0.5, 0);
    json_decref(object);
    test_run_free(&run);
    run_remove(directory);
}

static void test_survives_failed_allocations(void **state)
{
    (void)state;
    char directory[256], again[300];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-rescore"));
    snprintf(again, sizeof again, "%s/again", directory);
    make_run(directory);
    struct eval_run *a;
    struct eval_rescore_options o = { .level = 0.95 };
    o.only = (const char *const[]){ "facts" };
    o.n_only = 1;
    must(eval_run_open(&a, directory, NO_STORE));
    long live = base_alloc_live();
    int rc = BASE_E_MEMORY;
    for (long n = 1; rc && n < 100000; n += 1 + n / 50) {
        char *id = NULL;
        json_t *results = NULL;
        base_alloc_fail_after(n);
        rc = eval_rescore(a, &o, again, &id, &results);
        base_alloc_fail_after(0);
        if (rc)
            assert_int_equal(rc, BASE_E_MEMORY);
        json_decref(results);
        base_free(id);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(rc, 0);
    eval_run_close(a);
    run_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_task_same_run),
        cmocka_unit_test(test_filters_and_lm_eval),
        cmocka_unit_test(test_loglikelihoods_of_lm_eval),
        cmocka_unit_test(test_survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
