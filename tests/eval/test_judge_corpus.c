/* BLEU, chrF, chrF++ and TER as SacreBLEU 2.6.0 gives them (tests/oracle/corpus_metrics.py --table
 * printed the cases; the script compares thousands more), and through a task with intervals. */
#include "eval/judge_corpus.h"
#include "eval/task_private.h"
#include "task_support.h"

static const char *const metrics[4] = { "bleu", "chrf", "chrf++", "ter" };

static const struct {
    const char *response, *reference;
    double score[4];
} cases[] = {
    { "", "nothing", { 0.0, 0.0, 0.0, 100.0 } },
    { "something", "", { 0.0, 0.0, 0.0, 100.0 } },
    { "", "", { 0.0, 0.0, 0.0, 0.0 } },
    { "a", "a", { 0.0, 100.0, 100.0, 0.0 } },
    { "1,000.50 - 20-30, e.g. (this) \"one\"...",
      "1,000.5 20-30, e.g. this 'one'.",
      { 38.76199053423408, 56.37372423601976, 54.78944208977882, 80.0 } },
    { "&quot;Tom &amp; Jerry&quot; &amp;lt; x<skipped>",
      "\"Tom & Jerry\" < x",
      { 100.00000000000004, 25.306030629459713, 20.953191870310043, 100.0 } },
    { "line-\nbreak and\nmore ",
      "linebreak and more",
      { 0.0, 79.86920753210524, 72.97171476859252, 66.66666666666666 } },
    { "Zoë’s naïve café – “quoted” 東京 は 大きい。",
      "Zoë's naive café - \"quoted\" 東京は大きい。",
      { 5.522397783539471, 47.63839885104253, 37.469657047698604, 116.66666666666667 } },
    { "the the the the the",
      "the cat the",
      { 12.703318703865365, 22.75715626738148, 24.422095434632894, 100.0 } },
    { "b c d e f a",
      "a b c d e f",
      { 79.52707287670508, 61.944444444444436, 68.95833333333333, 16.666666666666664 } },
    { "(hi) !x x! !",
      "hi ! x",
      { 12.22307556087252, 32.55208333333333, 36.48989898989898, 133.33333333333331 } },
    { "A B C D E F G H", "e f g h a b c d", { 0.0, 0.0, 0.0, 12.5 } },
    { " nbsp em\tspace", "nbsp em space", { 0.0, 100.0, 100.0, 0.0 } },
    { "the a cat dog sat on mat, ran. quickly (and) then: 3.14 1,000 Haus größer mat, naïve (and) "
      "; ' \" end - x/y",
      "the a ran. cat dog sat on mat, ran. ran. quickly (and) then: 3.14 1,000 e-mail Haus größer "
      "naïve ; ' \" end then: - x/y",
      { 58.77717748746201, 67.94790382799245, 68.95437990962556, 23.076923076923077 } },
    { "the a cat dog sat on mat, ran. ' quickly (and) then: 3.14 1,000 e-mail Haus größer naïve ; "
      "\" end - x/y",
      "the a cat dog sat on mat, ran. quickly (and) then: 3.14 1,000 e-mail Haus größer ran. naïve "
      "; ' \" end - x/y",
      { 75.80101802005478, 85.56123506146122, 85.93666188683119, 8.333333333333332 } },
    { "the a cat dog sat on mat, ran. quickly (and) then: 3.14 1,000 e-mail Haus größer naïve ; ' "
      "\" end - x/y",
      "the on mat, ran. quickly (and) then: 3.14 1,000 e-mail Haus a cat sat größer naïve ; ' \" "
      "end - x/y",
      { 80.6093226403703, 87.27189139991239, 88.27517021678717, 13.636363636363635 } },
    { "the a cat dog sat on mat, ran. quickly (and) then: 3.14 1,000 e-mail Haus größer naïve ; "
      "3.14 ' \" end - x/y",
      "the sat on x/y a cat dog mat, ran. quickly (and) then: 3.14 1,000 Haus größer naïve e-mail "
      "; ' \" end -",
      { 59.4768839951652, 76.52600993680973, 78.39082506453389, 17.391304347826086 } },
};

static void one_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < 4; k++) {
            double counts[EVAL_CORPUS_WIDEST];
            json_t *reference = json_string(cases[i].reference);
            assert_non_null(reference);
            assert_int_equal(eval_corpus_counts(metrics[k], cases[i].response, reference, counts),
                             0);
            double score = eval_corpus_score(metrics[k], counts);
            if (fabs(score - cases[i].score[k]) > 1e-12 * fmax(1, cases[i].score[k]))
                fail_msg("case %zu: %s is %.17g, not %.17g", i, metrics[k], score,
                         cases[i].score[k]);
            json_decref(reference);
        }
    double counts[EVAL_CORPUS_WIDEST];
    json_t *wrong[] = { json_array(), json_integer(1), json_pack("[s, i]", "a", 1) };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(eval_corpus_counts("bleu", "a", wrong[i], counts), BASE_E_FORMAT);
        json_decref(wrong[i]);
    }
    assert_int_equal(eval_corpus_width("rouge"), 0);
}

#define HEAD                                                                                       \
    "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: %s}}\ntest_split: test\n"    \
    "doc_to_text: q\ndoc_to_target: a\n"                                                           \
    "metric_list: [{metric: bleu}, {metric: chrf}, {metric: chrf++}, {metric: ter}]\n"

/* Answers the task's items with these texts; what the tally makes of them. */
static json_t *answered(struct eval_task *t, const char *const *texts, size_t n)
{
    struct eval_tally *y;
    json_t *results = NULL;
    assert_int_equal(eval_tally_new(&y, t, 0.95, 1), 0);
    for (size_t i = 0; i < n; i++) {
        struct eval_item item;
        struct eval_response r = { .n_texts = 1, .tokens = 1 };
        json_t *samples = NULL;
        assert_int_equal(eval_task_next(t, &item), 1);
        assert_non_null(r.texts = base_alloc(1, sizeof *r.texts));
        assert_non_null(r.texts[0] = base_strdup(texts[i]));
        if (eval_task_judge(t, &item, &r, &samples))
            fail_msg("%s", base_error_message());
        const json_t *pair = json_object_get(json_array_get(samples, 0), "bleu");
        assert_string_equal(json_string_value(json_array_get(pair, 1)), texts[i]);
        assert_int_equal(eval_tally_add(y, json_array_get(samples, 0)), 0);
        json_decref(samples);
        eval_response_clear(&r);
        eval_item_clear(&item);
    }
    assert_int_equal(eval_tally_finish(y, &results), 0);
    eval_tally_free(y);
    return results;
}

/* Three items with two references each: sacrebleu.corpus_*; percentile intervals over the items. */
static void task_with_two_references(void **state)
{
    (void)state;
    static const double expected[4] = { 49.00941039306948, 65.85954503956077, 68.1307949573285,
                                        16.216216216216218 };
    static const char *const texts[] = { "the cat is on the mat", "He said yes , 3.5 times",
                                         "c d e f a b g" };
    struct eval_task *t =
        task_of(HEAD,
                "{\"q\":\"x\",\"a\":[\"the cat sat on the mat\",\"there is a cat on a mat\"]}\n"
                "{\"q\":\"y\",\"a\":[\"He said: yes, 3.5 times.\",\"he said yes 3.5 times\"]}\n"
                "{\"q\":\"z\",\"a\":[\"a b c d e f g\",\"g f e d c b a\"]}\n",
                NULL);
    if (!t)
        fail_msg("%s", base_error_message());
    json_t *results = answered(t, texts, 3);
    for (int k = 0; k < 4; k++) {
        const json_t *m = json_object_get(results, metrics[k]), *ci = json_object_get(m, "ci");
        double value = value_at(results, metrics[k], "value");
        if (fabs(value - expected[k]) > 1e-12 * expected[k])
            fail_msg("%s is %.17g, not %.17g", metrics[k], value, expected[k]);
        assert_string_equal(json_string_value(json_object_get(m, "method")), "bootstrap");
        double low = json_number_value(json_array_get(ci, 0)),
               high = json_number_value(json_array_get(ci, 1));
        assert_true(low < value && value < high && low >= 0);
        assert_true(value_at(results, metrics[k], "stderr") > 0);
        assert_true(json_is_true(json_object_get(m, "higher_is_better")) == (k < 3));
    }
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(results, "bleu"), "signature")),
        "case:mixed|eff:no|tok:13a|smooth:exp");
    json_decref(results);
    eval_task_free(t);
}

static void allocation_failures(void **state)
{
    (void)state;
    json_t *references = json_pack("[s, s]", "the cat, he sat on 3.5 mats", "a b c");
    assert_non_null(references);
    for (int k = 0; k < 4; k++) {
        int rc = -1;
        for (long n = 1; rc != 0; n++) {
            double counts[EVAL_CORPUS_WIDEST];
            long live = base_alloc_live();
            assert_true(n < 10000);
            base_alloc_fail_after(n);
            rc =
                eval_corpus_counts(metrics[k], "he (the cat) sat on: 3.5 mats", references, counts);
            base_alloc_fail_after(0);
            assert_true(rc == 0 || rc == BASE_E_MEMORY);
            assert_int_equal(base_alloc_live(), live);
        }
    }
    json_decref(references);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_reference),
        cmocka_unit_test(task_with_two_references),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
