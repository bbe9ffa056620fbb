/* Prompts against lm-eval's own task code (tests/oracle/tasks.py --fixture wrote what it gives),
 * CPython's random numbers, and what strategies make of a task. */
#include "eval/python_random.h"
#include "eval/python_text.h"
#include "task_support.h"

static void prompts_as_lm_eval(void **state)
{
    (void)state;
    json_t *fixture = NULL, *reference, *want, *pair;
    const char *key;
    assert_int_equal(base_json_load(&fixture, "tests/eval/data/tasks/lm_eval.json"), 0);
    size_t tasks = 0;
    json_object_foreach(json_object_get(fixture, "tasks"), key, reference)
    {
        struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
        struct eval_task *t;
        struct eval_item item;
        char path[256];
        const char *blank = strchr(key, ' ');
        snprintf(path, sizeof path, "tests/eval/data/tasks/%.*s", (int)(blank - key), key);
        o.fewshot = atoi(blank);
        o.fewshot_python = true;
        if (eval_task_open(&t, path, &o))
            fail_msg("%s: %s", key, base_error_message());
        assert_int_equal(eval_task_count(t), json_array_size(reference));
        size_t i, j;
        json_array_foreach(reference, i, want)
        {
            assert_int_equal(eval_task_next(t, &item), 1);
            const json_t *requests = json_object_get(want, "requests");
            assert_int_equal(item.n_requests, json_array_size(requests));
            json_array_foreach(requests, j, pair)
            {
                const char *continuation = json_string_value(json_array_get(pair, 1));
                assert_string_equal(item.requests[j].context,
                                    json_string_value(json_array_get(pair, 0)));
                if (continuation)
                    assert_string_equal(item.requests[j].continuation, continuation);
                else
                    assert_null(item.requests[j].continuation);
            }
            assert_string_equal(item.doc_hash,
                                json_string_value(json_object_get(want, "doc_hash")));
            assert_string_equal(item.prompt_hash,
                                json_string_value(json_object_get(want, "prompt_hash")));
            assert_string_equal(item.target_hash,
                                json_string_value(json_object_get(want, "target_hash")));
            eval_item_clear(&item);
        }
        assert_int_equal(eval_task_next(t, &item), 0);
        eval_task_free(t);
        tasks++;
    }
    assert_int_equal(tasks, 14);
    json_decref(fixture);
}

static void random_as_cpython(void **state)
{
    (void)state;
    struct python_random r;
    python_random_seed(&r, 1234);
    const uint32_t first[] = { 4150886329u, 3342196574u, 1892932127u, 501869158u };
    for (int i = 0; i < 4; i++)
        assert_int_equal(python_random_u32(&r), first[i]);
    python_random_seed(&r, (1ull << 40) + 7);
    const uint32_t wide[] = { 2635837658u, 3209733218u, 3500038837u };
    for (int i = 0; i < 3; i++)
        assert_int_equal(python_random_u32(&r), wide[i]);
    /* sample() by its pool, by its set, and the whole population */
    const size_t a[] = { 27, 12, 24, 28 }, b[] = { 53, 5, 33, 65, 62, 51 },
                 c[] = { 4, 7, 5, 9, 1, 6, 8, 3, 0, 2 };
    size_t out[10];
    python_random_seed(&r, 0);
    assert_int_equal(python_random_sample(&r, 30, 4, out), 0);
    assert_memory_equal(out, a, sizeof a);
    assert_int_equal(python_random_sample(&r, 100, 6, out), 0);
    assert_memory_equal(out, b, sizeof b);
    assert_int_equal(python_random_sample(&r, 10, 10, out), 0);
    assert_memory_equal(out, c, sizeof c);
    assert_int_equal(python_random_sample(&r, 3, 4, out), BASE_E_ARGUMENT);
}

static void text_as_python(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } floats[] = { { 1, "1.0" },
                   { 0.1, "0.1" },
                   { 1e16, "1e+16" },
                   { 1e15, "1000000000000000.0" },
                   { 1e-5, "1e-05" },
                   { 1e-4, "0.0001" },
                   { 5e-324, "5e-324" },
                   { -2.5, "-2.5" },
                   { 1.0 / 3, "0.3333333333333333" } };
    char out[32];
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        python_float(floats[i].x, out);
        assert_string_equal(out, floats[i].text);
    }
    json_t *v = json_pack("[s, s, s, b, n, f, {s:i}]", "it's", "\"'", "a\n\xc2\xa0\xc3\xa9", 1, 0.5,
                          "k", 3);
    struct base_buffer b = { 0 };
    assert_int_equal(python_repr(&b, v), 0);
    assert_string_equal(b.data,
                        "[\"it's\", '\"\\'', 'a\\n\\xa0\xc3\xa9', True, None, 0.5, {'k': 3}]");
    base_buffer_clear(&b);
    json_decref(v);
    v = json_pack("{s:[s, []], s:{}, s:n}", "a", "\x01\t\xc3\xa9\"", "b", "c");
    assert_int_equal(python_json(&b, v), 0);
    assert_string_equal(b.data, "{\n  \"a\": [\n    \"\\u0001\\t\xc3\xa9\\\"\",\n    []\n  ],\n"
                                "  \"b\": {},\n  \"c\": null\n}");
    base_buffer_free(&b);
    json_decref(v);
    size_t n;
    const char *inner = python_strip(" \xe2\x80\x83x y\n\xc2\xa0", &n);
    assert_int_equal(n, 3);
    assert_memory_equal(inner, "x y", 3);
    assert_true(python_ends_with_space("a\xe3\x80\x80") && !python_ends_with_space(""));
    char *upper = python_upper("stra\xc3\x9f\x65 \xc3\xa9");
    assert_string_equal(upper, "STRASSE \xc3\x89");
    base_free(upper);
}

static const char sentiment[] = "task: t\ndataset_path: json\n"
                                "dataset_kwargs: {data_files: {test: %s}}\n"
                                "output_type: classification\ntest_split: test\n"
                                "fewshot_split: test\ndoc_to_text: \"Say: {{q}}\\nIt is\"\n"
                                "doc_to_choice: [bad, good]\ndoc_to_target: a\n"
                                "strategies:\n  cloze: {doc_to_text: \"{{q}} is\"}\n"
                                "  icl: {num_fewshot: 2}\n";
static const char sentiment_rows[] =
    "{\"q\":\"rain\",\"a\":\"bad\"}\n{\"q\":\"sun\",\"a\":\"good\"}\n{\"q\":\"hail\",\"a\":\"bad\"}"
    "\n{\"q\":\"snow\",\"a\":\"good\"}\n{\"q\":\"wind\",\"a\":\"bad\"}\n";

static void first_item(enum eval_strategy_kind strategy, bool balanced, struct eval_item *item)
{
    struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
    o.strategy = strategy;
    o.fewshot_balanced = balanced;
    struct eval_task *t = task_of(sentiment, sentiment_rows, &o);
    assert_non_null(t);
    assert_int_equal(eval_task_next(t, item), 1);
    eval_task_free(t);
}

static void strategies(void **state)
{
    (void)state;
    struct eval_item item;
    first_item(EVAL_STRATEGY_TASK, false, &item);
    assert_string_equal(item.requests[0].context, "Say: rain\nIt is");
    assert_string_equal(item.requests[1].continuation, " good");
    eval_item_clear(&item);
    first_item(EVAL_STRATEGY_INSTRUCTION, false, &item);
    assert_string_equal(item.requests[0].context,
                        "Answer with one of: bad, good.\n\nSay: rain\nIt is");
    eval_item_clear(&item);
    first_item(EVAL_STRATEGY_CLOZE, false, &item);
    assert_string_equal(item.requests[0].context, "rain is");
    eval_item_clear(&item);
    for (int balanced = 0; balanced < 2; balanced++) {
        first_item(EVAL_STRATEGY_ICL, balanced, &item);
        assert_int_equal(item.n_shots, 2);
        const char *context = item.requests[0].context;
        assert_null(strstr(context, "Say: rain\nIt is bad"));
        assert_true(!balanced || (strstr(context, " bad\n\n") && strstr(context, " good\n\n")));
        eval_item_clear(&item);
    }
}

/* Our draw depends on the document alone, lm-eval's on those before it. */
static void draws_are_independent(void **state)
{
    (void)state;
    size_t only[] = { 3 };
    struct eval_task_options all = EVAL_TASK_OPTIONS_DEFAULT, one = EVAL_TASK_OPTIONS_DEFAULT;
    all.fewshot = one.fewshot = 2;
    one.samples = only;
    one.n_samples = 1;
    struct eval_task *a = task_of(sentiment, sentiment_rows, &all);
    struct eval_task *b = task_of(sentiment, sentiment_rows, &one);
    struct eval_item x = { 0 }, y = { 0 };
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(eval_task_count(b), 1);
    for (int i = 0; i < 4; i++) {
        eval_item_clear(&x);
        assert_int_equal(eval_task_next(a, &x), 1);
    }
    assert_int_equal(eval_task_next(b, &y), 1);
    assert_int_equal(y.doc_id, 3);
    assert_string_equal(x.requests[0].context, y.requests[0].context);
    eval_item_clear(&x);
    eval_item_clear(&y);
    eval_task_free(a);
    eval_task_free(b);
}

static int chat(void *context, const json_t *messages, char **text)
{
    (void)context;
    *text = base_json_dump(messages, false);
    return *text ? 0 : BASE_E_MEMORY;
}

static void chat_messages(void **state)
{
    (void)state;
    struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
    struct eval_item item;
    o.chat = chat;
    o.system = "Be brief.";
    struct eval_task *t = task_of(sentiment, sentiment_rows, &o);
    assert_non_null(t);
    assert_int_equal(eval_task_next(t, &item), 1);
    assert_string_equal(item.requests[0].context,
                        "[{\"role\": \"system\", \"content\": \"Be brief.\"}, "
                        "{\"role\": \"user\", \"content\": \"Say: rain\\nIt is\"}]");
    assert_string_equal(item.requests[0].continuation, "bad"); /* no delimiter after a template */
    eval_item_clear(&item);
    eval_task_free(t);
    o.fewshot = 1;
    o.chat_single_turn = true;
    t = task_of(sentiment, sentiment_rows, &o);
    assert_non_null(t);
    assert_int_equal(eval_task_next(t, &item), 1);
    json_t *messages = NULL;
    assert_int_equal(base_json_parse(&messages, item.requests[0].context,
                                     strlen(item.requests[0].context), "messages"),
                     0);
    assert_int_equal(json_array_size(messages), 2);
    const char *user = json_string_value(json_object_get(json_array_get(messages, 1), "content"));
    assert_non_null(strstr(user, "\n\nSay: rain\nIt is"));
    json_decref(messages);
    eval_item_clear(&item);
    eval_task_free(t);
}

/* CSV as the datasets library reads it: types by column; examples from another file. */
static void csv_types(void **state)
{
    (void)state;
    struct eval_task *t =
        task_of("task: t\ndataset_path: csv\ndataset_kwargs: {data_files: {test: %s}, delimiter: "
                "\"|\", column_names: [a, b, c, d]}\noutput_type: loglikelihood\ntest_split: test\n"
                "doc_to_text: \"{{a}}\"\ndoc_to_target: \" {{[b, c, d]}}\"\n",
                "x|1|1.5|NA\ny|2|3|True\n", NULL);
    struct eval_item item;
    if (!t)
        fail_msg("%s", base_error_message());
    assert_int_equal(eval_task_next(t, &item), 1);
    assert_string_equal(item.requests[0].continuation, " [1, 1.5, None]");
    eval_item_clear(&item);
    assert_int_equal(eval_task_next(t, &item), 1);
    assert_string_equal(item.requests[0].continuation, " [2, 3.0, True]");
    eval_item_clear(&item);
    eval_task_free(t);
}

/* fewshot_indices: the pool is those documents of the split, in that order; the draws from it are
 * those of lm-eval's ContextSampler(pool, rnd=1234, fewshot_indices=[4, 17, 2, -1, 9, 4]). */
static void chosen_examples(void **state)
{
    (void)state;
    static const int drawn[6][2] = { { 29, 4 }, { 4, 4 }, { 9, 4 }, { 4, 4 }, { 4, 2 }, { 17, 4 } };
    static const int first[2] = { 4, 17 };
    static const char *const forms[3] = { "sampler: default, fewshot_indices: [4, 17, 2, -1, 9, 4]",
                                          "sampler: first_n, fewshot_indices: [4, 17, 2, -1]",
                                          "fewshot_indices: [4, 30]" };
    const char *file = test_temporary_path(".yaml");
    char yaml[2000], here[1000];
    assert_non_null(getcwd(here, sizeof here));
    for (int form = 0; form < 3; form++) {
        struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
        struct eval_task *t = NULL;
        o.fewshot = 2;
        o.fewshot_python = true;
        int n = snprintf(yaml, sizeof yaml,
                         "task: chosen\ndataset_path: json\ndataset_kwargs: {data_files: {test: "
                         "%s/tests/eval/data/tasks/questions.jsonl, train: "
                         "%s/tests/eval/data/tasks/pool.jsonl}}\ntest_split: test\n"
                         "training_split: train\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{n}}'\n"
                         "fewshot_config: {%s}\n",
                         here, here, forms[form]);
        test_write_file(file, yaml, (size_t)n);
        int rc = eval_task_open(&t, file, &o);
        if (form == 2) {
            assert_int_equal(rc, BASE_E_FORMAT);
            assert_non_null(strstr(base_error_message(), "no document 30"));
            break;
        }
        if (rc)
            fail_msg("%s", base_error_message());
        for (int i = 0; i < 6; i++) {
            struct eval_item item;
            char expected[200];
            const int *want = form ? first : drawn[i];
            assert_int_equal(eval_task_next(t, &item), 1);
            snprintf(expected, sizeof expected, "Example %d %.1f\n\nExample %d %.1f\n\n", want[0],
                     want[0] / 2.0, want[1], want[1] / 2.0);
            if (strncmp(item.requests[0].context, expected, strlen(expected)) != 0)
                fail_msg("%s\nis not\n%s", item.requests[0].context, expected);
            eval_item_clear(&item);
        }
        eval_task_free(t);
    }
    unlink(file);
}

static void allocation_failures(void **state)
{
    (void)state;
    struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
    o.fewshot = 2;
    bool done = false;
    for (long n = 1; !done; n++) {
        long live = base_alloc_live();
        struct eval_task *t = NULL;
        struct eval_item item;
        base_alloc_fail_after(n);
        int rc = eval_task_open(&t, "tests/eval/data/tasks/mc_template.yaml", &o);
        if (rc == 0) {
            int more = eval_task_next(t, &item);
            if (more > 0)
                eval_item_clear(&item);
            rc = more < 0 ? more : 0;
        }
        eval_task_free(t);
        done = rc == 0 && n > 100;
        base_alloc_fail_after(0);
        if (rc != 0)
            assert_true(*base_error_message());
        assert_int_equal(base_alloc_live(), live);
        n += n > 400 ? 17 : 0; /* every allocation of the opening, then some of the reading */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_as_lm_eval),  cmocka_unit_test(random_as_cpython),
        cmocka_unit_test(text_as_python),      cmocka_unit_test(chosen_examples),
        cmocka_unit_test(strategies),          cmocka_unit_test(draws_are_independent),
        cmocka_unit_test(chat_messages),       cmocka_unit_test(csv_types),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
