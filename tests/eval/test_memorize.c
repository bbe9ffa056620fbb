/* Memorization: paired comparisons by hand, asking and judging on a small model, members against
 * others, the bag-of-words baseline, reading items, and what happens when memory runs out. Values
 * from NumPy, SciPy and scikit-learn are checked by tests/oracle/memorize.py. */
#include "base/memory.h"
#include <assay/memorize.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "tiny_model.h"

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12 * fmax(1, fabs(b))))
        fail_msg("%.17g, wanted %.17g", a, b);
}

/* ---- pairs ---- */

static void pairs_by_hand(void **state)
{
    (void)state;
    struct eval_paired r;
    /* d = 1, 2, 3: mean 2, SE 1/sqrt 3, t = 3.4641 with 2 degrees of freedom; of 8 sign patterns
     * two have |sum| >= 6 */
    const double a[] = { 2, 3, 4, NAN }, b[] = { 1, 1, 1, 1 };
    assert_int_equal(eval_paired_compare(a, b, NULL, 4, 0.95, 1, &r), 0);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.clusters, 3);
    near(r.mean_a, 3);
    near(r.mean_b, 1);
    near(r.difference, 2);
    near(r.se, 1 / sqrt(3));
    near(r.ci.low, 2 - 4.302652729749464 / sqrt(3));
    near(r.p_t, 0.07417990022744853);
    near(r.p_flip, 0.25);
}

static void clusters_count_once(void **state)
{
    (void)state;
    struct eval_paired r, once;
    /* every item twice, in a cluster with itself: as if it were there once */
    const double a[] = { 1, 2, 6 }, zero[6] = { 0 }, twice[] = { 1, 1, 2, 2, 6, 6 };
    const size_t cluster[] = { 7, 7, 3, 3, 9, 9 };
    assert_int_equal(eval_paired_compare(a, zero, NULL, 3, 0.95, 1, &once), 0);
    assert_int_equal(eval_paired_compare(twice, zero, cluster, 6, 0.95, 1, &r), 0);
    assert_int_equal(r.clusters, 3);
    near(r.difference, once.difference);
    near(r.se, once.se);
    near(r.p_t, once.p_t);
    near(r.p_flip, once.p_flip);
}

static void pairs_without_spread(void **state)
{
    (void)state;
    struct eval_paired r;
    const double a[] = { 1, 1, 1 }, b[] = { 0, 0, 0 };
    assert_int_equal(eval_paired_compare(a, b, NULL, 3, 0.95, 1, &r), 0);
    near(r.se, 0);
    near(r.ci.low, 1);
    assert_true(isnan(r.p_t));
    assert_int_equal(eval_paired_compare(a, b, NULL, 1, 0.95, 1, &r), 0);
    assert_true(isnan(r.se) && isnan(r.ci.low));
    near(r.p_flip, 1);
    assert_int_equal(eval_paired_compare(a, b, NULL, 0, 0.95, 1, &r), 0);
    assert_true(r.n == 0 && isnan(r.difference));
    assert_int_equal(eval_paired_compare(a, b, NULL, 3, 1, 1, &r), BASE_E_ARGUMENT);
}

static void many_flips_do_not_depend_on_threads(void **state)
{
    (void)state;
    struct eval_paired one, three;
    double a[40], b[40] = { 0 };
    for (int i = 0; i < 40; i++)
        a[i] = sin(i) + 0.3;
    base_threads_set(1);
    assert_int_equal(eval_paired_compare(a, b, NULL, 40, 0.95, 5, &one), 0);
    base_threads_set(3);
    assert_int_equal(eval_paired_compare(a, b, NULL, 40, 0.95, 5, &three), 0);
    base_threads_set(0);
    assert_true(one.p_flip == three.p_flip);
    assert_true(fabs(one.p_flip - one.p_t) < 0.01); /* the two tests ask the same */
}

/* ---- dose and response ---- */

static void slope_of_a_line(void **state)
{
    (void)state;
    struct eval_memorize_item items[8];
    struct eval_memorize_record records[8];
    const double dose[] = { 0, 1, 3, 7, 0, 1, 3, 7 };
    for (int i = 0; i < 8; i++) {
        double odds = -4 + 2 * log2(1 + dose[i]), p = 1 / (1 + exp(-odds));
        items[i] = (struct eval_memorize_item){
            .exact = "x", .target = " y", .dose = dose[i], .cluster = (size_t)i
        };
        records[i].tokens = 1;
        records[i].of[EVAL_PROMPT_PARAPHRASE] =
            (struct eval_memorize_value){ NAN, NAN, NAN, NAN, NAN, NAN };
        records[i].of[EVAL_PROMPT_EXACT] =
            (struct eval_memorize_value){ p, log(p), odds, p > 0.5, NAN, NAN };
    }
    struct eval_memorize_options o = EVAL_MEMORIZE_OPTIONS_DEFAULT;
    struct eval_memorize_report r = { 0 };
    assert_int_equal(eval_memorize_judge(items, records, 8, &o, &r), 0);
    near(r.slope, 2);
    assert_true(r.slope_se < 1e-12);
    assert_int_equal(r.n_doses, 4);
    assert_true(r.doses[2].dose == 3 && r.doses[2].n == 2 && r.doses[2].extracted == 0);
    assert_int_equal(r.doses[3].extracted, 2);
    near(r.doses[0].p, 1 / (1 + exp(4)));
    assert_true(isnan(r.doses[0].other));
    assert_int_equal(r.paired, 0);
    assert_int_equal(r.count[EVAL_PROMPT_EXACT][EVAL_MEMORIZE_PREFERENCE], 0);
    /* 2 of 8: Wilson's interval */
    struct stats_interval wilson;
    stats_interval_wilson(2, 8, 0.95, &wilson);
    const struct stats_interval *got = &r.mean_ci[EVAL_PROMPT_EXACT][EVAL_MEMORIZE_EXTRACTED];
    assert_true(got->low > 0 && got->high < 1 && fabs(got->low - wilson.low) < 0.03);
    eval_memorize_report_free(&r);
    assert_int_equal(eval_memorize_judge(items, records, 0, &o, &r), BASE_E_ARGUMENT);
}

/* ---- asking ---- */

static struct model *load(void)
{
    struct model *m = NULL;
    if (model_load(&m, test_tiny_model(), NULL))
        fail_msg("%s", base_error_message());
    return m;
}

static void asking_is_scoring(void **state)
{
    (void)state;
    struct model *m = load();
    const struct eval_question questions[] = { { "The cat sat", " on the mat." },
                                               { "Once upon", " a time" },
                                               { "The cat sat", " on the mat." },
                                               { "", "The dog ran" },
                                               { "The cat sat", " on the hill;" } };
    struct eval_memorize_options o = EVAL_MEMORIZE_OPTIONS_DEFAULT;
    struct eval_answer together[5], alone[5];
    assert_int_equal(eval_questions_score(m, questions, 5, &o, together), 0);
    o.batch_tokens = 1;
    for (int i = 0; i < 5; i++)
        assert_int_equal(eval_questions_score(m, &questions[i], 1, &o, &alone[i]), 0);
    for (int i = 0; i < 5; i++) {
        assert_true(together[i].logprob == alone[i].logprob);
        assert_int_equal(together[i].tokens, alone[i].tokens);
        assert_int_equal(together[i].greedy, alone[i].greedy);
        assert_true(together[i].logprob < 0);
    }
    assert_true(together[0].logprob == together[2].logprob);
    /* by hand: the pair as eval_pair_encode cuts it */
    const struct tokenizer *t;
    struct eval_pair pair;
    assert_int_equal(model_tokenizer(m, &t), 0);
    assert_int_equal(eval_pair_encode(t, "Once upon", 9, " a time", 7, EVAL_BOS_AUTO, &pair), 0);
    struct model_sequence *s;
    assert_int_equal(model_sequence_new(&s, m), 0);
    double logprob[64], *lp = logprob, sum = 0;
    const int32_t *target = pair.ids.at + pair.context_count;
    struct model_item item = { s, pair.ids.at, pair.ids.count - 1, pair.context_count - 1 };
    assert_int_equal(model_score(m, &item, 1, &target, &lp, NULL, NULL), 0);
    for (size_t i = 0; i < pair.ids.count - pair.context_count; i++)
        sum += logprob[i];
    assert_true(together[1].logprob == sum);
    model_sequence_free(s);
    eval_pair_free(&pair);
    model_free(m);
}

static void long_prompts_follow_the_policy(void **state)
{
    (void)state;
    struct model *m = load();
    char text[2000] = "";
    for (int i = 0; i < 40; i++)
        strcat(text, "The cat sat on the mat. ");
    const struct eval_question q[] = { { "a", " b" }, { text, " dog" } };
    struct eval_memorize_options o = EVAL_MEMORIZE_OPTIONS_DEFAULT;
    struct eval_answer a[2];
    assert_int_equal(eval_questions_score(m, q, 2, &o, a), BASE_E_LIMIT);
    assert_non_null(strstr(base_error_message(), "question 1"));
    o.overlength = EVAL_OVERLENGTH_LEFT;
    assert_int_equal(eval_questions_score(m, q, 2, &o, a), 0);
    assert_true(a[0].cut == 0 && a[1].cut > 0);
    model_free(m);
}

static void a_run_is_its_questions(void **state)
{
    (void)state;
    struct model *m = load();
    const char *const paraphrases[] = { "Once upon", "The dog ran to the" };
    const struct eval_memorize_item items[] = {
        { .exact = "The cat sat on the",
          .target = " mat",
          .counterfactual = " sun",
          .paraphrases = paraphrases,
          .n_paraphrases = 2,
          .dose = NAN,
          .cluster = 0 },
        { .exact = "The dog ran to the",
          .target = " house",
          .counterfactual = " cat",
          .paraphrases = paraphrases,
          .n_paraphrases = 1,
          .dose = NAN,
          .cluster = 1 },
    };
    const struct eval_question q[] = { { "The cat sat on the", " mat" },
                                       { "Once upon", " mat" },
                                       { "The dog ran to the", " mat" },
                                       { "The dog ran to the", " sun" } };
    struct eval_memorize_options o = EVAL_MEMORIZE_OPTIONS_DEFAULT;
    struct eval_memorize_record records[2];
    struct eval_memorize_report r;
    struct eval_answer a[4];
    assert_int_equal(eval_memorize_run(m, items, 2, &o, records, &r), 0);
    assert_int_equal(eval_questions_score(m, q, 4, &o, a), 0);
    assert_int_equal(r.questions, 6 + 4);
    assert_true(records[0].of[EVAL_PROMPT_EXACT].logp == a[0].logprob);
    near(records[0].of[EVAL_PROMPT_EXACT].p, exp(a[0].logprob));
    near(records[0].of[EVAL_PROMPT_EXACT].odds, a[0].logprob - log(1 - exp(a[0].logprob)));
    near(records[0].of[EVAL_PROMPT_PARAPHRASE].logp, (a[1].logprob + a[2].logprob) / 2);
    near(records[0].of[EVAL_PROMPT_PARAPHRASE].p, (exp(a[1].logprob) + exp(a[2].logprob)) / 2);
    assert_true(records[0].of[EVAL_PROMPT_EXACT].preference != 0);
    near(r.paired_of[EVAL_MEMORIZE_LOGP].difference,
         (records[0].of[0].logp - records[0].of[1].logp + records[1].of[0].logp -
          records[1].of[1].logp) /
             2);
    near(r.ratio, exp(r.paired_of[EVAL_MEMORIZE_LOGP].difference));
    assert_int_equal(r.paired, 2);
    assert_null(r.doses);
    eval_memorize_report_free(&r);
    model_free(m);
}

/* ---- members ---- */

static void power_by_hand(void **state)
{
    (void)state;
    struct eval_member_power p;
    struct eval_member_difference d;
    /* members 3 1 2, others 2 0: wins 1+1, 0+1, 1/2+1 of 6 */
    const double x[] = { 3, 1, 2, 2, 0, NAN }, y[] = { 1, 1, 1, 1, 1, 1 };
    const bool label[] = { true, true, true, false, false, true };
    assert_int_equal(eval_member_judge(x, label, 6, 0.01, 0.95, 200, 1, &p), 0);
    assert_true(p.members == 3 && p.others == 2);
    near(p.auc, 0.75);
    /* V10 = 1, .5, .75: variance 1/16; V01 = .5, 1: 1/8 */
    near(p.auc_se, sqrt(1.0 / 16 / 3 + 1.0 / 8 / 2));
    near(p.tpr, 1.0 / 3); /* only 3 is above every other */
    assert_int_equal(eval_member_judge(x, label, 6, 0.5, 0.95, 200, 1, &p), 0);
    near(p.tpr, 1); /* all of 3, 2, 1 are above 0; 2 is let through */
    assert_int_equal(eval_member_judge(y, label, 6, 0.01, 0.95, 200, 1, &p), 0);
    near(p.auc, 0.5);
    near(p.tpr, 0);
    assert_int_equal(eval_member_compare(x, y, label, 6, 0.95, &d), 0);
    near(d.difference, 0.25);
    near(d.se, sqrt(1.0 / 16 / 3 + 1.0 / 8 / 2));
    const bool all[] = { true, true, true, true, true, true };
    assert_int_equal(eval_member_judge(x, all, 6, 0.01, 0.95, 200, 1, &p), BASE_E_ARGUMENT);
    assert_int_equal(eval_member_judge(x, label, 6, 1.5, 0.95, 200, 1, &p), BASE_E_ARGUMENT);
}

static void perfect_scores(void **state)
{
    (void)state;
    struct eval_member_power p;
    const double x[] = { 3, 4, 1, 2 };
    const bool label[] = { true, true, false, false };
    assert_int_equal(eval_member_judge(x, label, 4, 0.01, 0.95, 200, 1, &p), 0);
    near(p.auc, 1);
    near(p.tpr, 1);
    near(p.auc_ci.low, 1);
}

static void zlib_and_lower_case_as_python(void **state)
{
    (void)state;
    char bytes[2048];
    size_t n;
    for (int i = 0; i < 2048; i++)
        bytes[i] = (char)i;
    assert_int_equal(eval_zlib_bytes("hello hello hello hello", 23, &n), 0);
    assert_int_equal(n, 16);
    assert_int_equal(eval_zlib_bytes("", 0, &n), 0);
    assert_int_equal(n, 8);
    assert_int_equal(eval_zlib_bytes(bytes, 2048, &n), 0);
    assert_int_equal(n, 296);
    char *lower;
    assert_int_equal(eval_text_lower("ÀÉ Ⱥx ΣΑ", strlen("ÀÉ Ⱥx ΣΑ"), &lower, &n), 0);
    assert_string_equal(lower, "àé ⱥx σα");
    assert_int_equal(n, strlen(lower));
    base_free(lower);
}

static void members_do_not_depend_on_batches(void **state)
{
    (void)state;
    struct model *m = load();
    char text[3000] = "";
    for (int i = 0; i < 30; i++)
        strcat(text, i % 3 ? "The cat sat on the mat. " : "A house on a Hill! ");
    const char *const texts[] = { "The cat sat on the mat.", text, "Sun", "The dog ran." };
    size_t bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = strlen(texts[i]);
    const int k[] = { 1, 20, 100 };
    struct eval_member_options o = { .ask = EVAL_MEMORIZE_OPTIONS_DEFAULT, .k = k, .n_k = 3 };
    struct eval_member_record a[4], b[4];
    o.reference = m;
    assert_int_equal(eval_members_score(m, texts, bytes, 4, &o, a), 0);
    o.ask.batch_tokens = 8;
    base_threads_set(3);
    assert_int_equal(eval_members_score(m, texts, bytes, 4, &o, b), 0);
    base_threads_set(0);
    for (int i = 0; i < 4; i++) {
        if (a[i].tokens == 0)
            continue;
        assert_true(a[i].lnppl == b[i].lnppl && a[i].min_kpp[1] == b[i].min_kpp[1]);
        assert_true(a[i].lnppl_lower == b[i].lnppl_lower);
        near(a[i].min_k[2], -a[i].lnppl); /* all tokens: the mean */
        assert_true(a[i].min_k[0] <= a[i].min_k[1] && a[i].min_k[1] <= a[i].min_k[2]);
        near(a[i].score[EVAL_MEMBER_REFERENCE], 1);
        near(a[i].score[EVAL_MEMBER_LOSS], -a[i].lnppl);
        near(a[i].score[EVAL_MEMBER_ZLIB], (double)a[i].zlib / a[i].lnppl);
        near(a[i].score[EVAL_MEMBER_LOWER], a[i].lnppl_lower / a[i].lnppl);
    }
    assert_true(a[1].tokens > TEST_TINY_CONTEXT);
    const int bad[] = { 101 };
    o.k = bad;
    o.n_k = 1;
    assert_int_equal(eval_members_score(m, texts, bytes, 4, &o, a), BASE_E_ARGUMENT);
    model_free(m);
}

static void one_token_has_no_score(void **state)
{
    (void)state;
    struct model *m = load();
    const char *const texts[] = { "a", "The cat" };
    const size_t bytes[] = { 1, 7 };
    struct eval_member_options o = { .ask = EVAL_MEMORIZE_OPTIONS_DEFAULT };
    struct eval_member_record r[2];
    o.ask.bos = EVAL_BOS_NO;
    assert_int_equal(eval_members_score(m, texts, bytes, 2, &o, r), 0);
    assert_int_equal(r[0].tokens, 0);
    assert_true(isnan(r[0].score[EVAL_MEMBER_LOSS]) && isnan(r[0].score[EVAL_MEMBER_ZLIB]));
    assert_true(r[1].tokens > 0 && r[1].lnppl > 0);
    model_free(m);
}

static void baseline_by_hand(void **state)
{
    (void)state;
    /* two folds of one text a class; each is scored by the other fold's two texts */
    const char *const texts[] = { "Red red, blue!", "red GREEN", "blue blue green", "blue x" };
    const bool label[] = { true, true, false, false };
    size_t bytes[4], fold[4];
    double score[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = strlen(texts[i]);
    assert_int_equal(eval_baseline_score(texts, bytes, label, 4, 2, 9, score, fold), 0);
    assert_true(fold[0] != fold[1] && fold[2] != fold[3]);
    /* text 0 by text 1 (red green) and the one of texts 2 and 3 in its fold */
    size_t other = fold[2] == fold[1] ? 2 : 3;
    /* with 2: N1 = 2, N0 = 3, V = 3 (red green blue); with 3: N0 = 2, V = 4 (.. x) */
    double v = other == 2 ? 3 : 4, n1 = 2, n0 = other == 2 ? 3 : 2;
    double red = log(2 / (n1 + v)) - log(1 / (n0 + v));
    double blue = log(1 / (n1 + v)) - log((other == 2 ? 3 : 2) / (n0 + v));
    near(score[0], 2 * red + blue);
    assert_int_equal(eval_baseline_score(texts, bytes, label, 4, 3, 9, score, fold),
                     BASE_E_ARGUMENT);
    /* equal texts are in one fold */
    const char *const same[] = { "a b", "a b", "a b", "c d", "e f", "c d" };
    const bool two[] = { true, true, true, false, false, false };
    const size_t three[] = { 3, 3, 3, 3, 3, 3 };
    assert_int_equal(eval_baseline_score(same, three, two, 6, 2, 9, score, fold), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "1 members"));
}

/* ---- reading ---- */

static const char *file_of(const char *suffix, const char *text)
{
    const char *path = test_temporary_path(suffix);
    test_write_file(path, text, strlen(text));
    return path;
}

static void items_are_read(void **state)
{
    (void)state;
    struct eval_memorize_set s;
    struct eval_memorize_keys keys = { 0 };
    const char *path =
        file_of(".jsonl", "{\"seen_prompt\":\"A is\",\"prompt\":\"What is A?\","
                          "\"answer\":\"B\",\"counterfactual\":\"C\",\"repeats\":4}\n"
                          "{\"seen_prompt\":\"A is\",\"prompt\":\"A?\","
                          "\"answer\":\"B\",\"counterfactual\":\"D\",\"repeats\":\"0.5\"}\n"
                          "{\"seen_prompt\":\"X is\",\"prompt\":\"X?\","
                          "\"answer\":7,\"counterfactual\":\"D\",\"repeats\":0}\n");
    assert_int_equal(eval_memorize_read(&s, path, &keys, 0), 0);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.clusters, 2);
    assert_string_equal(s.items[0].exact, "A is");
    assert_string_equal(s.items[1].paraphrases[0], "A?");
    assert_string_equal(s.items[2].target, " 7");
    assert_string_equal(s.items[0].counterfactual, " C");
    assert_true(s.items[1].dose == 0.5);
    assert_true(s.items[0].cluster == s.items[1].cluster && s.items[2].cluster == 1);
    assert_string_equal(s.ids[2], "2");
    eval_memorize_set_free(&s);
    assert_int_equal(eval_memorize_read(&s, path, &keys, 2), 0);
    assert_int_equal(s.n, 2);
    eval_memorize_set_free(&s);
    keys = (struct eval_memorize_keys){
        .exact = "Q: {prompt}", .target = "answer", .delimiter = "\n", .cluster = "counterfactual"
    };
    assert_int_equal(eval_memorize_read(&s, path, &keys, 0), 0);
    assert_string_equal(s.items[0].exact, "Q: What is A?");
    assert_string_equal(s.items[0].target, "\nB");
    assert_int_equal(s.items[0].n_paraphrases, 0);
    assert_true(s.items[1].cluster == s.items[2].cluster);
    eval_memorize_set_free(&s);
    unlink(path);
}

static void bad_items_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "{\"prompt\":\"a\",\"answer\":\"b\"}\n{\"prompt\":\"a\"}\n", ":2: no \"answer\" here" },
        { "{\"ask\":\"a\",\"answer\":\"b\"}\n", "no exact prompt" },
        { "{\"prompt\":\"a\",\"say\":\"b\"}\n", "no target" },
        { "{\"prompt\":\"a\",\"answer\":\"\"}\n", "is empty: nothing to predict" },
        { "{\"prompt\":\"a\",\"answer\":\"b\",\"repeats\":-1}\n", "expected 0 or more" },
        { "{\"prompt\":\"a\",\"answer\":\"b\",\"repeats\":\"x\"}\n", "repeats" },
        { "{\"prompt\":\"a\",\"answer\":\"b\",\"counterfactual\":\"b\"}\n", "the same text" },
        { "{\"prompt\":\"a\",\"answer\":[\"b\"]}\n", "is a list, not text" },
        { "{\"prompt\":\"a\",\"answer\":\"b\",\"paraphrases\":[\"c\",1]}\n", "entry 1" },
        { "\n", "no records" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eval_memorize_set s;
        struct eval_memorize_keys keys = { 0 };
        const char *path = file_of(".jsonl", cases[i].text);
        assert_true(eval_memorize_read(&s, path, &keys, 0) < 0);
        if (!strstr(base_error_message(), cases[i].message))
            fail_msg("%s (wanted: %s)", base_error_message(), cases[i].message);
        unlink(path);
    }
}

static void texts_and_labels_are_read(void **state)
{
    (void)state;
    struct eval_member_set s = { 0 };
    const char *path = file_of(".csv", "text,label,n\nseen text,Member,4\nnew text,heldout,0\n");
    assert_int_equal(eval_members_read(&s, path, NULL, NULL, NULL, 0), 0);
    assert_true(s.n == 2 && s.label[0] && !s.label[1]);
    assert_string_equal(s.texts[1], "new text");
    assert_int_equal(s.bytes[0], 9);
    assert_int_equal(eval_members_read(&s, path, "{label}: {text}", "n", NULL, 0), 0);
    assert_true(s.n == 4 && s.label[2] && !s.label[3]);
    assert_string_equal(s.texts[2], "Member: seen text");
    const bool no = false;
    assert_int_equal(eval_members_read(&s, path, "text", NULL, &no, 1), 0);
    assert_true(s.n == 5 && !s.label[4]);
    assert_true(eval_members_read(&s, path, "text", "text", NULL, 0) < 0);
    assert_non_null(strstr(base_error_message(), "expected member or non-member"));
    assert_true(eval_members_read(&s, path, "{text", NULL, &no, 0) < 0);
    assert_non_null(strstr(base_error_message(), "lone brace"));
    eval_member_set_free(&s);
    unlink(path);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    const char *path = file_of(".jsonl", "{\"prompt\":\"a\",\"answer\":\"b\",\"id\":1,"
                                         "\"paraphrases\":[\"c\",\"d\"]}\n"
                                         "{\"prompt\":\"e\",\"answer\":\"f\",\"id\":2,"
                                         "\"paraphrases\":\"g\"}\n");
    const struct eval_memorize_keys keys = { 0 };
    long live = base_alloc_live();
    int rc = -1;
    for (long n = 1; rc != 0 && n < 10000; n++) {
        struct eval_memorize_set s;
        base_alloc_fail_after(n);
        rc = eval_memorize_read(&s, path, &keys, 0);
        base_alloc_fail_after(0);
        if (rc == 0)
            eval_memorize_set_free(&s);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(rc, 0);
    const char *const texts[] = { "Red red, blue!", "red GREEN", "blue blue green", "blue x" };
    const size_t bytes[] = { 14, 9, 15, 6 };
    const bool label[] = { true, true, false, false };
    rc = -1;
    for (long n = 1; rc != 0 && n < 10000; n++) {
        double score[4];
        struct eval_member_power p;
        base_alloc_fail_after(n);
        rc = eval_baseline_score(texts, bytes, label, 4, 2, 1, score, NULL);
        rc = rc ? rc : eval_member_judge(score, label, 4, 0.1, 0.95, 100, 1, &p);
        base_alloc_fail_after(0);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(rc, 0);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_by_hand),
        cmocka_unit_test(clusters_count_once),
        cmocka_unit_test(pairs_without_spread),
        cmocka_unit_test(many_flips_do_not_depend_on_threads),
        cmocka_unit_test(slope_of_a_line),
        cmocka_unit_test(asking_is_scoring),
        cmocka_unit_test(long_prompts_follow_the_policy),
        cmocka_unit_test(a_run_is_its_questions),
        cmocka_unit_test(power_by_hand),
        cmocka_unit_test(perfect_scores),
        cmocka_unit_test(zlib_and_lower_case_as_python),
        cmocka_unit_test(members_do_not_depend_on_batches),
        cmocka_unit_test(one_token_has_no_score),
        cmocka_unit_test(baseline_by_hand),
        cmocka_unit_test(items_are_read),
        cmocka_unit_test(bad_items_are_refused),
        cmocka_unit_test(texts_and_labels_are_read),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
