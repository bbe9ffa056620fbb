/* Which files are tasks: refusals with line and reason, includes, groups, tags, built-in tasks. */
#include "task_support.h"

#define HEAD                                                                                       \
    "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: %s}}\ntest_split: test\n"
#define CHOICE                                                                                     \
    HEAD "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [b, c]\ndoc_to_target: a\n"

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *line, *reason;
    } cases[] = {
        { HEAD "process_docs: !function utils.process\n", ":5:", "!function names Python code" },
        { HEAD "process_docs: utils.process\n", ":5: process_docs", "is Python code" },
        { HEAD "doc_to_txet: q\n", ":5: doc_to_txet", "did you mean doc_to_text?" },
        { HEAD "output_type: multiple_choise\n", ":5: output_type", "multiple_choice?" },
        { HEAD "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: a\n",
          ":5: ", "needs doc_to_choice" },
        { CHOICE "metric_list:\n  - metric: rouge\n", ":10: metric", "rouge is not a metric" },
        { CHOICE "metric_list:\n  - metric: bleu\n", ":10: metric", "bleu is not defined for" },
        { CHOICE "metric_list:\n  - metric: perplexity\n", ":10: metric", "not defined for this" },
        { CHOICE "metric_list:\n  - metric: acc\n    aggregation: bleu\n", ":11: ", "bleu cannot" },
        { CHOICE "filter_list:\n  - name: x\n    filter:\n      - function: lowercase\n",
          ":12: ", "generate_until" },
        { CHOICE "repeats: 3\n", ":9: repeats", "the same each time" },
        { CHOICE "num_fewshot: many\n", ":9: num_fewshot", "whole number" },
        { CHOICE "fewshot_config: {sampler: best}\n", ":9: sampler", "best is none of" },
        { CHOICE "strategies: {clozed: {}}\n", ":9: clozed", "not supported in strategies" },
        { CHOICE "description: \"{{ q | frobnicate }}\"\n", "line 9", "frobnicate" },
        { HEAD "doc_to_text: q\ndoc_to_target: a\nfilter_list:\n  - name: x\n    filter:\n"
               "      - function: regex\n        regex_pattern: \"(\"\n",
          ":11: regex_pattern", "regular expression" },
        { HEAD "doc_to_text: q\ndoc_to_target: a\nmetric_list:\n  - metric: pass@3\n", "",
          "needs at least 3 responses" },
        { HEAD "doc_to_text: q\ndoc_to_target: a\ngeneration_kwargs: {num_beams: 4}\n",
          ":7: num_beams", "beam search" },
        { "task: t\ntest_split: test\ndoc_to_text: q # %s\ndoc_to_target: a\n", "",
          "data_files is missing" },
        { HEAD "doc_to_text: \"{{nothing}}\"\ndoc_to_target: a\ngroup: x\n", ":7: group",
          "is a group" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *message = refusal(cases[i].yaml);
        if (!strstr(message, cases[i].line) || !strstr(message, cases[i].reason))
            fail_msg("case %zu: %s", i, message);
    }
}

/* What is wrong with a document is said with its number. */
static void bad_documents(void **state)
{
    (void)state;
    struct eval_item item;
    struct eval_task *t = task_of(HEAD "output_type: multiple_choice\ndoc_to_text: q\n"
                                       "doc_to_choice: \"{{c}}\"\ndoc_to_target: 0\n",
                                  "{\"q\":\"a\",\"c\":[\"x\"]}\n{\"q\":\"b\",\"c\":[1]}\n", NULL);
    assert_non_null(t);
    assert_int_equal(eval_task_next(t, &item), 1);
    eval_item_clear(&item);
    assert_int_equal(eval_task_next(t, &item), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "document 1"));
    eval_task_free(t);
}

static char folder[512];
static void put(const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    test_write_file(path, text, strlen(text));
}

static void groups_and_tags(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", test_temporary_path(""));
    assert_int_equal(mkdir(folder, 0700), 0);
    put("base_yaml", "dataset_path: json\ndata_files: {test: d.jsonl}\ntest_split: test\n"
                     "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [b, c]\n"
                     "doc_to_target: a\ntag: mine\n");
    put("one.yaml", "include: base_yaml\ntask: one\n");
    put("two.yaml", "include: base_yaml\ntask: two\ndescription: \"Two. \"\n");
    put("circle.yaml", "include: circle.yaml\ntask: circle\n");
    put("all.yaml", "group: all\ntask:\n  - two\n  - task: one\n    description: \"Other. \"\n"
                    "aggregate_metric_list:\n  - metric: acc\n  - metric: acc_norm\n"
                    "    weight_by_size: false\n");
    put("d.jsonl", "{\"q\":\"x\",\"a\":\"b\"}\n{\"q\":\"y\",\"a\":\"c\"}\n");
    struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
    o.include = folder;
    char **names;
    size_t n;
    assert_int_equal(eval_tasks_expand("mine", &o, &names, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "one");
    eval_names_free(names, n);
    assert_int_equal(eval_tasks_expand("all, sums", &o, &names, &n), 0);
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "two");
    assert_string_equal(names[1], "all::one");
    assert_string_equal(names[2], "sums");
    struct eval_task *t;
    struct eval_item item;
    assert_int_equal(eval_task_open(&t, names[1], &o), 0);
    assert_string_equal(eval_task_name(t), "all::one");
    assert_int_equal(eval_task_next(t, &item), 1);
    assert_string_equal(item.requests[0].context, "Other. x");
    eval_item_clear(&item);
    eval_task_free(t);
    eval_names_free(names, n);
    assert_int_equal(eval_tasks_expand("moin", &o, &names, &n), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "did you mean mine?"));
    assert_true(eval_task_open(&t, "circle", &o) < 0);
    assert_non_null(strstr(base_error_message(), "includes itself"));
    /* micro: pooled; macro: the mean of tasks */
    json_t *results = json_pack(
        "{s:{s:{s:f, s:f, s:i, s:s, s:s}, s:{s:f, s:f, s:i, s:s, s:s}},"
        " s:{s:{s:f, s:f, s:i, s:s, s:s}, s:{s:f, s:f, s:i, s:s, s:s}}}",
        "two", "acc", "value", 0.5, "stderr", 0.1, "n", 30, "method", "t", "filter", "none",
        "acc_norm", "value", 0.5, "stderr", 0.1, "n", 30, "method", "wilson", "filter", "none",
        "all::one", "acc", "value", 0.8, "stderr", 0.2, "n", 10, "method", "t", "filter", "none",
        "acc_norm", "value", 0.8, "stderr", 0.2, "n", 10, "method", "wilson", "filter", "none");
    json_t *figures = NULL;
    assert_int_equal(eval_groups_aggregate("all", &o, results, 0.95, &figures), 0);
    const json_t *all = json_object_get(figures, "all");
    assert_true(fabs(value_at(all, "acc", "value") - 0.575) < 1e-12);
    double pooled = sqrt((29 * 0.01 * 30 + 9 * 0.04 * 10) / 38 / 40);
    assert_true(fabs(value_at(all, "acc", "stderr") - pooled) < 1e-12);
    assert_true(fabs(value_at(all, "acc_norm", "value") - 0.65) < 1e-12);
    assert_true(fabs(value_at(all, "acc_norm", "stderr") - sqrt(0.05) / 2) < 1e-12);
    json_decref(results);
    json_decref(figures);
}

/* Every built-in task is a valid description; those with data build all their items, in every
 * strategy. */
static void builtin_tasks(void **state)
{
    (void)state;
    struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
    json_t *list = NULL, *entry;
    size_t i, ready = 0, tasks = 0;
    assert_int_equal(eval_tasks_list(&o, false, &list), 0);
    json_array_foreach(list, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (strcmp(json_string_value(json_object_get(entry, "kind")), "task") != 0)
            continue;
        tasks++;
        for (int s = EVAL_STRATEGY_TASK; s <= EVAL_STRATEGY_ICL; s++) {
            struct eval_task *t;
            struct eval_item item;
            int more;
            o.strategy = (enum eval_strategy_kind)s;
            if (s == EVAL_STRATEGY_ICL && !strcmp(name, "wikitext"))
                continue;
            if (eval_task_check(name, &o, NULL))
                fail_msg("%s, strategy %d: %s", name, s, base_error_message());
            if (json_is_string(json_object_get(entry, "missing")))
                continue;
            if (eval_task_open(&t, name, &o))
                fail_msg("%s: %s", name, base_error_message());
            ready += s == EVAL_STRATEGY_TASK;
            while ((more = eval_task_next(t, &item)) > 0)
                eval_item_clear(&item);
            if (more < 0)
                fail_msg("%s: %s", name, base_error_message());
            eval_task_free(t);
        }
    }
    assert_int_equal(ready, 6);
    assert_int_equal(tasks, 21);
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(bad_documents),
        cmocka_unit_test(groups_and_tags),
        cmocka_unit_test(builtin_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
