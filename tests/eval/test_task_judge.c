/* From answers to records and from records to metrics: known values by hand, by lm-eval's own
 * results, by scikit-learn. */
#include "eval/task_private.h"
#include "task_support.h"

#define HEAD                                                                                       \
    "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: %s}}\ntest_split: test\n"

/* The records of one item, answered with the log-probabilities given. */
static json_t *judged(struct eval_task *t, const double *ll, const size_t *tokens,
                      const bool *greedy)
{
    struct eval_item item;
    struct eval_response r[16] = { 0 };
    json_t *samples = NULL;
    assert_int_equal(eval_task_next(t, &item), 1);
    assert_in_range(item.n_requests, 1, 16);
    for (size_t i = 0; i < item.n_requests; i++)
        r[i] = (struct eval_response){ .logprob = ll[i],
                                       .first_logprob = ll[i] / 2,
                                       .tokens = tokens ? tokens[i] : 1,
                                       .greedy = greedy && greedy[i] };
    if (eval_task_judge(t, &item, r, &samples))
        fail_msg("%s", base_error_message());
    eval_item_clear(&item);
    return samples;
}

static double number(const json_t *sample, const char *key)
{
    const json_t *v = json_object_get(sample, key);
    if (!json_is_number(v))
        fail_msg("no number %s", key);
    return json_number_value(v);
}

static void choices(void **state)
{
    (void)state;
    struct eval_task *t = task_of(
        HEAD "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: c\ndoc_to_target: a\n"
             "metric_list: [{metric: acc}, {metric: acc_norm}, {metric: acc_bytes}, {metric: "
             "acc_token}, {metric: acc_mutual_info}, {metric: exact_match}, {metric: brier_score},"
             " {metric: f1}, {metric: favoured}, {metric: favoured_first}, {metric: log_odds}]\n",
        "{\"q\":\"x\",\"c\":[\"ab\",\"\xc3\xa9\xc3\xa9\xc3\xa9\"],\"a\":1}\n", NULL);
    assert_non_null(t);
    /* by the sum 0 leads; by characters -1.05 < -0.8: 1; by bytes -0.4: 1; by tokens -2.1 < -0.6:
     * 1; less the unconditional: 0.4 > 0.1: 0 */
    const double ll[] = { -2.1, -2.4, -2.5, -2.5 };
    const size_t tokens[] = { 1, 4, 1, 1 };
    const bool greedy[] = { true, false, false, false };
    json_t *samples = judged(t, ll, tokens, greedy), *s = json_array_get(samples, 0);
    assert_int_equal(json_array_size(samples), 1);
    assert_true(number(s, "acc") == 0 && number(s, "acc_norm") == 1);
    assert_true(number(s, "acc_bytes") == 1 && number(s, "acc_token") == 1);
    assert_true(number(s, "acc_mutual_info") == 0 && number(s, "exact_match") == 0);
    assert_true(number(s, "favoured") == 0);
    assert_true(fabs(number(s, "log_odds") + 0.3) < 1e-12);
    const json_t *brier = json_object_get(s, "brier_score");
    assert_int_equal(json_integer_value(json_array_get(brier, 0)), 1);
    double p = json_number_value(json_array_get(json_array_get(brier, 1), 0));
    assert_true(fabs(p - 1 / (1 + exp(-0.3))) < 1e-12);
    const json_t *own = json_object_get(s, "assay");
    const json_t *cloze = json_object_get(own, "cloze");
    assert_true(fabs(number(cloze, "odds") - exp(-0.3)) < 1e-12);
    assert_true(json_is_false(json_object_get(cloze, "favoured_first")));
    /* the record as lm-eval's samples file has it */
    const json_t *one = json_object_get(json_object_get(s, "arguments"), "gen_args_1");
    assert_string_equal(json_string_value(json_object_get(one, "arg_1")),
                        " \xc3\xa9\xc3\xa9\xc3\xa9");
    const json_t *answer = json_array_get(json_array_get(json_object_get(s, "resps"), 0), 0);
    assert_string_equal(json_string_value(json_array_get(answer, 0)), "-2.1");
    assert_string_equal(json_string_value(json_array_get(answer, 1)), "True");
    assert_string_equal(json_string_value(json_object_get(s, "target")), "1");
    assert_string_equal(json_string_value(json_object_get(s, "filter")), "none");
    json_decref(samples);
    eval_task_free(t);
}

/* Labels that are not among the choices: never right, and no probability metric. */
static void odd_labels(void **state)
{
    (void)state;
    struct eval_task *t =
        task_of(HEAD "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [x, y]\n"
                     "doc_to_target: a\nmetric_list: [{metric: acc}, {metric: mcc}]\n",
                "{\"q\":\"1\",\"a\":5}\n{\"q\":\"2\",\"a\":-1}\n{\"q\":\"3\",\"a\":1}\n", NULL);
    assert_non_null(t);
    const double ll[] = { -2, -1 };
    for (int i = 0; i < 3; i++) {
        json_t *samples = judged(t, ll, NULL, NULL), *s = json_array_get(samples, 0);
        assert_true(number(s, "acc") == (i == 2));
        assert_int_equal(json_object_get(s, "mcc") != NULL, i == 2);
        json_decref(samples);
    }
    eval_task_free(t);
    /* several right answers */
    t = task_of(HEAD "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [x, y, z]\n"
                     "doc_to_target: a\n",
                "{\"q\":\"1\",\"a\":[0,2]}\n", NULL);
    assert_non_null(t);
    const double three[] = { -3, -2, -1 };
    json_t *samples = judged(t, three, NULL, NULL);
    assert_true(number(json_array_get(samples, 0), "acc") == 1);
    json_decref(samples);
    eval_task_free(t);
}

static json_t *generated(struct eval_task *t, const char *const *texts, size_t n)
{
    struct eval_item item;
    struct eval_response r = { .n_texts = n, .tokens = n };
    json_t *samples = NULL;
    assert_int_equal(eval_task_next(t, &item), 1);
    r.texts = base_alloc(n, sizeof *r.texts);
    for (size_t i = 0; i < n; i++)
        r.texts[i] = base_strdup(texts[i]);
    if (eval_task_judge(t, &item, &r, &samples))
        fail_msg("%s", base_error_message());
    eval_response_clear(&r);
    eval_item_clear(&item);
    return samples;
}

static void generation(void **state)
{
    (void)state;
    struct eval_task *t = task_of(
        HEAD "doc_to_text: q\ndoc_to_target: a\nrepeats: 4\n"
             "filter_list:\n"
             "  - name: last\n    filter:\n"
             "      - {function: regex, regex_pattern: \"(-?[0-9]+)\", group_select: -1}\n"
             "      - {function: take_first}\n"
             "  - name: vote\n    filter:\n"
             "      - {function: regex, regex_pattern: \"is (\\\\d+)|= (\\\\d+)\"}\n"
             "      - {function: majority_vote}\n      - {function: take_first}\n"
             "  - name: words\n    filter:\n      - {function: remove_whitespace}\n"
             "      - {function: lowercase}\n      - {function: take_first}\n"
             "metric_list: [{metric: exact_match, ignore_punctuation: true, regexes_to_ignore: "
             "[\"\\\\s+\"]}, {metric: f1}, {metric: pass@1}, {metric: pass@2}, {metric: pass^2}, "
             "{metric: maj@3}]\n",
        "{\"q\":\"x\",\"a\":\"12\"}\n{\"q\":\"y\",\"a\":\"The red fox!\"}\n", NULL);
    if (!t)
        fail_msg("%s", base_error_message());
    const char *const texts[] = { "3 and 9 is 12", "so it = 12", "it is 13.", "12" };
    json_t *samples = generated(t, texts, 4);
    assert_int_equal(json_array_size(samples), 3);
    const json_t *last = json_array_get(samples, 0), *vote = json_array_get(samples, 1);
    assert_true(number(last, "exact_match") == 1);
    /* 3 of 4 right: pass@1 3/4, pass@2 1 - C(1,2)/C(4,2) = 1, pass^2 C(3,2)/C(4,2) = 1/2 */
    assert_true(number(last, "pass@1") == 0.75 && number(last, "pass@2") == 1);
    assert_true(number(last, "pass^2") == 0.5 && number(last, "maj@3") == 1);
    /* the last response has no match of "is N": [invalid], so two of four are right */
    assert_true(number(vote, "exact_match") == 1 && number(vote, "pass@1") == 0.5);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(vote, "filtered_resps"), 0)), "12");
    json_decref(samples);
    const char *const foxes[] = { " a RED  fox\n", "x", "x", "x" };
    samples = generated(t, foxes, 4);
    const json_t *words = json_array_get(samples, 2);
    assert_true(number(words, "exact_match") == 0); /* "aredfox" is not "Theredfox" */
    assert_true(number(words, "f1") == 1);          /* SQuAD takes articles, case, points away */
    json_decref(samples);
    eval_task_free(t);
    assert_true(fabs(task_squad_f1("the big red dog", "a red fox") - 0.4) < 1e-12);
    assert_true(task_squad_f1("", "x") == 0 && task_squad_f1("the", "a") == 1);
}

/* What lm-eval's MultiChoiceRegexFilter gives for the same texts, choices and options. */
static void choices_in_text(void **state)
{
    (void)state;
    static const char *const texts[] = { "The answer is (B).", "I say Guilty of Romance, really",
                                         "new york ny it is",  "so: D",
                                         "nothing here",       "Answer: A or (C)",
                                         "DONT KNOW",          "",
                                         "It was guilty!" };
    static const char *const expected[3][9] = {
        { "B", "(B)", "[invalid]", "(D)", "[invalid]", "C", "[invalid]", "[invalid]", "[invalid]" },
        { "B", "(B)", "(C)", "(D)", "[invalid]", "C", "(D)", "[invalid]", "(A)" },
        { "(B)", "(B)", "?", "(D)", "?", "(C)", "?", "?", "(A)" },
    };
    struct eval_task *t = task_of(
        HEAD "doc_to_text: q\ndoc_to_target: a\nrepeats: 9\nfilter_list:\n"
             "  - name: plain\n    filter:\n"
             "      - {function: multi_choice_regex, regex_pattern: '\\(([A-D])\\)'}\n"
             "  - name: lax\n    filter:\n"
             "      - {function: multi_choice_regex, regex_pattern: '\\(([A-D])\\)', "
             "ignore_case: true, ignore_punctuation: true}\n"
             "  - name: last\n    filter:\n"
             "      - {function: multi_choice_regex, regex_pattern: '(\\([A-D]\\))', "
             "group_select: -1, ignore_case: true, regexes_to_ignore: ['New '], fallback: '?'}\n",
        "{\"q\":\"x\",\"a\":\"(B)\",\"choices\":[\"Guilty\",\"Guilty of Romance\",\"New York "
        "(NY)\","
        "\"don't know.\"]}\n",
        NULL);
    if (!t)
        fail_msg("%s", base_error_message());
    json_t *samples = generated(t, texts, 9);
    for (size_t f = 0; f < 3; f++)
        for (size_t i = 0; i < 9; i++)
            assert_string_equal(
                json_string_value(json_array_get(
                    json_array_get(json_object_get(json_array_get(samples, f), "filtered_resps"),
                                   0),
                    i)),
                expected[f][i]);
    json_decref(samples);
    eval_task_free(t);
}

static void rolling(void **state)
{
    (void)state;
    struct eval_task *t = task_of(HEAD "output_type: loglikelihood_rolling\ndoc_to_text: \"\"\n"
                                       "doc_to_target: \"{{q}}!\"\ndenominator: q\n",
                                  "{\"q\":\"one two  three\"}\n{\"q\":\" \xc3\xa9\"}\n", NULL);
    assert_non_null(t);
    struct eval_tally *y;
    assert_int_equal(eval_tally_new(&y, t, 0.95, 1), 0);
    const double ll[2][1] = { { -6 }, { -1.5 } };
    for (int i = 0; i < 2; i++) {
        json_t *samples = judged(t, ll[i], NULL, NULL);
        const json_t *words = json_object_get(json_array_get(samples, 0), "word_perplexity");
        /* re.split(r"\s+", " e'") has two parts */
        assert_int_equal(json_integer_value(json_array_get(words, 1)), i ? 2 : 3);
        assert_int_equal(eval_tally_add(y, json_array_get(samples, 0)), 0);
        json_decref(samples);
    }
    json_t *results = NULL;
    assert_int_equal(eval_tally_finish(y, &results), 0);
    assert_true(fabs(value_at(results, "word_perplexity", "value") - exp(7.5 / 5)) < 1e-12);
    assert_true(fabs(value_at(results, "byte_perplexity", "value") - exp(7.5 / 17)) < 1e-12);
    assert_true(fabs(value_at(results, "bits_per_byte", "value") - 7.5 / 17 / log(2)) < 1e-12);
    json_decref(results);
    eval_tally_free(y);
    eval_task_free(t);
}

/* Results of records made by hand: {"filter", "acc", ..., "assay": {...}}. */
static json_t *tallied(const char *yaml_tail, json_t *samples)
{
    char yaml[2048];
    json_t *results = NULL, *sample;
    size_t i;
    snprintf(yaml, sizeof yaml,
             HEAD "output_type: multiple_choice\ndoc_to_text: q\n"
                  "doc_to_choice: [x, y, z]\ndoc_to_target: a\n%s",
             "%s", yaml_tail);
    struct eval_task *t = task_of(yaml, "{\"q\":\"1\",\"a\":0}\n", NULL);
    if (!t)
        fail_msg("%s", base_error_message());
    struct eval_tally *y;
    assert_int_equal(eval_tally_new(&y, t, 0.95, 1), 0);
    json_array_foreach(samples, i, sample) assert_int_equal(eval_tally_add(y, sample), 0);
    assert_int_equal(eval_tally_finish(y, &results), 0);
    eval_tally_free(y);
    eval_task_free(t);
    json_decref(samples);
    return results;
}

static void intervals(void **state)
{
    (void)state;
    /* 8 of 10: Wilson [0.4902, 0.9433]; lm-eval's stderr sqrt(.16/9) */
    json_t *samples = json_array();
    for (int i = 0; i < 10; i++)
        json_array_append_new(samples, json_pack("{s:s, s:f, s:{s:s}}", "filter", "none", "acc",
                                                 (double)(i < 8), "assay", "category",
                                                 i % 2 ? "odd" : "even"));
    json_t *results = tallied("metric_list: [{metric: acc}]\n", samples);
    assert_true(fabs(value_at(results, "acc", "value") - 0.8) < 1e-12);
    assert_true(fabs(value_at(results, "acc", "stderr") - sqrt(0.16 / 9)) < 1e-12);
    const json_t *ci = json_object_get(json_object_get(results, "acc"), "ci");
    assert_true(fabs(json_number_value(json_array_get(ci, 0)) - 0.4901625) < 1e-6);
    assert_true(fabs(json_number_value(json_array_get(ci, 1)) - 0.9433178) < 1e-6);
    const json_t *odd = json_object_get(json_object_get(results, "by_category"), "odd");
    assert_true(fabs(value_at(odd, "acc", "value") - 0.8) < 1e-12);
    assert_true(value_at(odd, "acc", "n") == 5);
    json_decref(results);
    /* Clusters: three of sizes 2, 2, 1 with sums of deviations 0.8, -0.2, -0.6; C/(C-1) = 1.5 */
    static const double acc[] = { 1, 1, 1, 0, 0 };
    static const char *const cluster[] = { "a", "a", "b", "b", "c" };
    samples = json_array();
    for (int i = 0; i < 5; i++)
        json_array_append_new(samples, json_pack("{s:s, s:f, s:{s:s}}", "filter", "none", "acc",
                                                 acc[i], "assay", "cluster", cluster[i]));
    results = tallied("metric_list: [{metric: acc}]\ncluster: q\n", samples);
    double se = sqrt(1.5 * (0.64 + 0.04 + 0.36)) / 5;
    assert_true(fabs(value_at(results, "acc", "stderr_clustered") - se) < 1e-12);
    assert_true(fabs(value_at(results, "acc", "stderr") - sqrt(0.24 / 4)) < 1e-12);
    assert_true(value_at(results, "acc", "clusters") == 3);
    json_decref(results);
}

/* scikit-learn's values for the same labels. */
static void class_metrics(void **state)
{
    (void)state;
    static const int gold[] = { 0, 1, 2, 1, 0, 2, 1, 1, 0, 2 };
    static const int predicted[] = { 0, 2, 2, 1, 0, 1, 1, 0, 0, 2 };
    static const struct {
        const char *name;
        double value;
    } want[] = { { "f1_macro", 0.6984126984126983 },
                 { "f1_weighted", 0.6857142857142857 },
                 { "precision_macro", 0.6944444444444443 },
                 { "recall_macro", 0.7222222222222222 },
                 { "mcc", 0.5606060606060606 },
                 { "f1_micro", 0.7 } };
    json_t *samples = json_array();
    for (int i = 0; i < 10; i++)
        json_array_append_new(
            samples, json_pack("{s:s, s:[i, i]}", "filter", "none", "mcc", gold[i], predicted[i]));
    json_t *results = tallied("metric_list: [{metric: mcc}, {metric: f1}, {metric: f1_macro}, "
                              "{metric: f1_weighted}, {metric: precision_macro}, {metric: "
                              "recall_macro}, {metric: f1_micro}]\n",
                              samples);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_true(fabs(value_at(results, want[i].name, "value") - want[i].value) < 1e-12);
        const json_t *ci = json_object_get(json_object_get(results, want[i].name), "ci");
        assert_true(json_number_value(json_array_get(ci, 0)) < want[i].value);
        assert_true(json_number_value(json_array_get(ci, 1)) > want[i].value);
    }
    assert_true(json_is_null(json_object_get(json_object_get(results, "f1"), "value")));
    json_decref(results);
    static const int binary[] = { 0, 1, 1, 0, 1, 0, 1, 1 };
    static const double score[] = { .1, .4, .35, .8, .9, .35, .6, .4 };
    samples = json_array();
    double brier = 0;
    for (int i = 0; i < 8; i++) {
        json_array_append_new(samples, json_pack("{s:s, s:[i, [f, f]]}", "filter", "none",
                                                 "brier_score", binary[i], 1 - score[i], score[i]));
        brier += 2 * (score[i] - binary[i]) * (score[i] - binary[i]) / 8;
    }
    results = tallied("metric_list: [{metric: brier_score}, {metric: roc_auc}, {metric: pr_auc}, "
                      "{metric: f1}, {metric: mcc}, {metric: ece}]\n",
                      samples);
    assert_true(fabs(value_at(results, "brier_score", "value") - brier) < 1e-12);
    assert_true(fabs(value_at(results, "roc_auc", "value") - 0.7) < 1e-12);
    assert_true(fabs(value_at(results, "pr_auc", "value") - 0.7961904761904761) < 1e-12);
    assert_true(fabs(value_at(results, "f1", "value") - 0.5) < 1e-12);
    assert_true(fabs(value_at(results, "mcc", "value") - 0.06666666666666667) < 1e-12);
    /* bins: [.6,.7) four items of .6 .65 .6 .65 -> wait for the sum below */
    assert_true(value_at(results, "ece", "value") > 0);
    assert_int_equal(json_array_size(json_object_get(results, "calibration")), 10);
    json_decref(results);
}

static void skipped_items(void **state)
{
    (void)state;
    json_t *samples =
        json_pack("[{s:s, s:f, s:{s:b}}, {s:s, s:{s:b}}]", "filter", "none", "acc", 1.0, "assay",
                  "skipped", 0, "filter", "none", "assay", "skipped", 1);
    json_t *results = tallied("metric_list: [{metric: acc}]\n", samples);
    assert_int_equal(json_integer_value(json_object_get(results, "n")), 2);
    assert_int_equal(json_integer_value(json_object_get(results, "skipped")), 1);
    assert_true(value_at(results, "acc", "n") == 1);
    assert_true(json_is_null(json_object_get(json_object_get(results, "acc"), "stderr")));
    json_decref(results);
}

static bool near(const json_t *a, const json_t *b)
{
    if (json_is_array(a)) {
        bool same = json_array_size(a) == json_array_size(b);
        for (size_t i = 0; same && i < json_array_size(a); i++)
            same = near(json_array_get(a, i), json_array_get(b, i));
        return same;
    }
    return json_is_number(a) && json_is_number(b) &&
           fabs(json_number_value(a) - json_number_value(b)) < 1e-12;
}

/* Random answers as lm-eval's filters and process_results judge them (tests/oracle/tasks.py). */
static void judged_as_lm_eval(void **state)
{
    (void)state;
    json_t *fixture = NULL, *items, *want;
    const char *file;
    size_t i, compared = 0;
    assert_int_equal(base_json_load(&fixture, "tests/eval/data/tasks/lm_eval.json"), 0);
    json_object_foreach(json_object_get(fixture, "judged"), file, items)
    {
        struct eval_task_options o = EVAL_TASK_OPTIONS_DEFAULT;
        struct eval_task *t;
        char path[256];
        snprintf(path, sizeof path, "tests/eval/data/judge/%s", file);
        if (eval_task_open(&t, path, &o))
            fail_msg("%s", base_error_message());
        json_array_foreach(items, i, want)
        {
            struct eval_item item;
            struct eval_response r[16] = { 0 };
            json_t *samples = NULL, *sample, *value;
            assert_int_equal(eval_task_next(t, &item), 1);
            const json_t *responses = json_object_get(want, "responses");
            assert_int_equal(json_array_size(responses), item.n_requests);
            for (size_t k = 0; k < item.n_requests; k++) {
                const json_t *given = json_array_get(responses, k), *one = json_array_get(given, 0);
                r[k].tokens = 1;
                if (json_is_array(one)) {
                    r[k].logprob = json_number_value(json_array_get(one, 0));
                    r[k].greedy = json_is_true(json_array_get(one, 1));
                } else if (json_is_real(one)) {
                    r[k].logprob = json_number_value(one);
                } else {
                    r[k].n_texts = json_array_size(given);
                    r[k].texts = base_alloc(r[k].n_texts, sizeof *r[k].texts);
                    for (size_t j = 0; j < r[k].n_texts; j++)
                        r[k].texts[j] = base_strdup(json_string_value(json_array_get(given, j)));
                }
            }
            if (eval_task_judge(t, &item, r, &samples))
                fail_msg("%s: %s", file, base_error_message());
            size_t f;
            json_array_foreach(samples, f, sample)
            {
                const char *filter = json_string_value(json_object_get(sample, "filter")), *name;
                const json_t *left = json_object_get(json_object_get(want, "filtered"), filter);
                const json_t *ours = json_array_get(json_object_get(sample, "filtered_resps"), 0);
                if (json_is_string(left))
                    assert_string_equal(json_string_value(ours), json_string_value(left));
                json_object_foreach(json_object_get(json_object_get(want, "metrics"), filter), name,
                                    value)
                {
                    if (!near(value, json_object_get(sample, name)))
                        fail_msg("%s, item %zu, filter %s: %s differs", file, i, filter, name);
                    compared++;
                }
            }
            for (size_t k = 0; k < item.n_requests; k++)
                eval_response_clear(&r[k]);
            json_decref(samples);
            eval_item_clear(&item);
        }
        eval_task_free(t);
    }
    assert_int_equal(compared, 6 * (8 + 5 + 3 + 5));
    json_decref(fixture);
}

/* Whatever allocation fails: an error and no leak, or the very same record and figures. */
static void allocation_failures(void **state)
{
    (void)state;
    struct eval_task *t = task_of(
        HEAD "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [x, y]\n"
             "doc_to_target: a\ncategory: q\nmetric_list: [{metric: acc}, {metric: mcc}, {metric: "
             "brier_score}, {metric: log_odds}]\n",
        "{\"q\":\"1\",\"a\":0}\n", NULL);
    assert_non_null(t);
    struct eval_item item;
    struct eval_response r[2] = { { .logprob = -1, .tokens = 1 }, { .logprob = -2, .tokens = 2 } };
    assert_int_equal(eval_task_next(t, &item), 1);
    json_t *record = NULL, *figures = NULL;
    size_t failed = 0;
    for (long n = 0; n < 600; n++) {
        json_t *samples = NULL, *results = NULL;
        struct eval_tally *y = NULL;
        long live = base_alloc_live();
        base_alloc_fail_after(n);
        int rc = eval_task_judge(t, &item, r, &samples);
        rc = rc ? rc : eval_tally_new(&y, t, 0.95, 1);
        rc = rc ? rc : eval_tally_add(y, json_array_get(samples, 0));
        rc = rc ? rc : eval_tally_finish(y, &results);
        base_alloc_fail_after(0);
        if (n == 0) {
            record = json_deep_copy(samples);
            figures = json_deep_copy(results);
        }
        if (rc == 0) {
            if (!json_equal(samples, record) || !json_equal(results, figures))
                fail_msg("allocation %ld: another result", n);
        } else {
            assert_true(*base_error_message());
            failed++;
        }
        json_decref(samples);
        json_decref(results);
        eval_tally_free(y);
        if (n > 0)
            assert_int_equal(base_alloc_live(), live);
    }
    assert_true(failed > 50);
    json_decref(record);
    json_decref(figures);
    eval_item_clear(&item);
    eval_task_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices),           cmocka_unit_test(odd_labels),
        cmocka_unit_test(generation),        cmocka_unit_test(choices_in_text),
        cmocka_unit_test(rolling),           cmocka_unit_test(intervals),
        cmocka_unit_test(class_metrics),     cmocka_unit_test(skipped_items),
        cmocka_unit_test(judged_as_lm_eval), cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
