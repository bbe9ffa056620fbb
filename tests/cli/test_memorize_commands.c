/* assay memorize, memorize texts, contamination and mix as their users run them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "cli_support.h"

/* A number at a path of keys ("difference.log_odds.ci.0"). */
static double at(const json_t *o, const char *path)
{
    char key[64];
    for (const char *p = path; *p && o;) {
        size_t n = strcspn(p, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, p);
        o = json_is_array(o) ? json_array_get(o, (size_t)atoi(key)) : json_object_get(o, key);
        p += n + (p[n] == '.');
    }
    if (!json_is_number(o))
        fail_msg("%s is no number", path);
    return json_number_value(o);
}

static void exact_beats_paraphrase(void **state)
{
    (void)state;
    json_t *o = RUN("memorize", "-m", "builtin:tiny", "models/heldout/facts.jsonl", "--json");
    assert_true(at(o, "items") == 435 && at(o, "clusters") == 287 && at(o, "paired") == 435);
    assert_true(at(o, "difference.log_odds.ci.0") > 0.4);
    assert_true(at(o, "ratio.ci.0") > 1.1 && at(o, "ratio.value") < 1.5);
    assert_true(fabs(at(o, "exact.extracted.mean") - 433.0 / 435) < 1e-12);
    assert_true(fabs(at(o, "paraphrase.extracted.mean") - 413.0 / 435) < 1e-12);
    assert_true(at(o, "difference.log_odds.p_flip") < 0.001);
    assert_true(at(o, "exact.favoured.mean") >= at(o, "paraphrase.favoured.mean"));
    json_t *records = json_object_get(o, "records");
    assert_int_equal(json_array_size(records), 435);
    double p = at(records, "7.exact.p");
    assert_true(fabs(log(p) - at(records, "7.exact.logp")) < 1e-9);
    json_decref(o);
}

static void what_is_told_more_is_kept_better(void **state)
{
    (void)state;
    json_t *o = RUN("memorize", "-m", "builtin:tiny", "models/heldout/lockers.jsonl", "--json");
    json_t *doses = json_object_get(o, "doses");
    assert_int_equal(json_array_size(doses), 6);
    assert_true(at(doses, "0.extracted") == 0 && at(doses, "5.extracted") == 8);
    assert_true(at(doses, "5.p") > 0.6 && at(doses, "0.p") < 1e-3);
    assert_true(at(o, "slope.ci.0") > 2);
    assert_int_equal(json_object_size(json_object_get(o, "paraphrase")), 0);
    json_decref(o);
}

static void baseline_warns(void **state)
{
    (void)state;
    json_t *o =
        RUN("memorize", "texts", "-m", "builtin:tiny", "--members", "models/heldout/facts.jsonl",
            "--text", "{seen_prompt} {answer}.", "--others", "models/heldout/sentiment.jsonl",
            "--others-text", "text", "--k", "20", "--limit", "160", "--json");
    assert_true(json_is_true(json_object_get(o, "baseline_does_as_well")));
    assert_non_null(strstr(json_string_value(json_object_get(o, "warning")), "no evidence"));
    assert_true(at(o, "baseline.auc") > 0.99);
    json_decref(o);
    o = RUN("memorize", "texts", "-m", "builtin:tiny", "--members", "models/heldout/facts.jsonl",
            "--text", "{seen_prompt} {answer}.", "--others", "models/heldout/facts.jsonl",
            "--others-text", "{prompt} {answer}.", "--k", "20", "--reference", "builtin:tiny-early",
            "--limit", "160", "--json");
    assert_true(json_is_false(json_object_get(o, "baseline_does_as_well")));
    const json_t *scores = json_object_get(o, "scores");
    assert_int_equal(json_object_size(scores), 6);
    const json_t *pp = json_object_get(scores, "Min-20%++");
    assert_true(at(pp, "auc") > 0.9 && at(pp, "lead.ci.0") > 0.1);
    assert_true(at(pp, "auc") - at(o, "baseline.auc") - at(pp, "lead.difference") < 1e-12);
    json_decref(o);
}

static void contamination_finds_its_own(void **state)
{
    (void)state;
    char clean[512], dirty[512];
    snprintf(clean, sizeof clean, "%s", test_temporary_path(".clean"));
    snprintf(dirty, sizeof dirty, "%s", test_temporary_path(".dirty"));
    json_t *o = RUN("contamination", "--ngram", "6", "--field", "{prompt} {answer}", "--clean-out",
                    clean, "--exclude-out", dirty, "models/heldout/facts.jsonl",
                    "models/heldout/facts.jsonl", "--corpus-field", "{prompt} {answer}", "--json");
    assert_true(at(o, "dirty") == at(o, "judged") && at(o, "judged") + at(o, "too_short") == 435);
    assert_true(at(o, "ci.1") == 1 && at(o, "runs") == at(o, "runs_hit"));
    json_decref(o);
    struct stat st;
    assert_true(stat(clean, &st) == 0 && stat(dirty, &st) == 0 && st.st_size > 0);
    unlink(clean);
    unlink(dirty);
    o = RUN("contamination", "--field", "words", "models/heldout/counting.jsonl",
            "models/heldout/facts.jsonl", "--corpus-field", "prompt", "--json");
    assert_true(at(o, "dirty") == 0);
    json_decref(o);
    REFUSED(2, "at least one CORPUS", "contamination", "models/heldout/facts.jsonl");
    REFUSED(2, "--ngram", "contamination", "--ngram", "0", "a", "b");
    REFUSED(1, "no/such", "contamination", "models/heldout/facts.jsonl", "no/such");
    REFUSED(1, "no \"nix\" here", "contamination", "--field", "nix", "models/heldout/facts.jsonl",
            "README.md");
}

static void mixes_change_the_score(void **state)
{
    (void)state;
    char plot[512];
    snprintf(plot, sizeof plot, "%s", test_temporary_path(".svg"));
    json_t *o = RUN("mix", "--mix", "easy=0.8,hard=0.2", "--mix", "uniform", "--target", "hard=1",
                    "easy=90%:500", "hard=40%:100", "--plot", plot, "--json");
    assert_true(fabs(at(o, "mixes.0.scores.0.mean") - 0.8) < 1e-12);
    assert_true(fabs(at(o, "mixes.1.scores.0.mean") - 0.65) < 1e-12);
    assert_true(at(o, "models.0.true_average") == 0.4);
    assert_true(at(o, "mixes.0.scores.0.simulated.items") == 600);
    assert_true(at(o, "models.0.categories.hard.item_weight") == 6);
    json_decref(o);
    struct stat st;
    assert_true(stat(plot, &st) == 0 && st.st_size > 1000);
    unlink(plot);
    static const char first[] = "category,p,n\nx,0.8,100\ny,0.5,400\n";
    static const char second[] = "category,p,n\ny,0.6,400\nx,0.6,100\n";
    char a[512], b[512];
    snprintf(a, sizeof a, "%s", test_temporary_path(".csv"));
    snprintf(b, sizeof b, "%s", test_temporary_path(".csv"));
    test_write_file(a, first, strlen(first));
    test_write_file(b, second, strlen(second));
    o = RUN("mix", "--mix", "uniform", a, b, "--json");
    assert_true(fabs(at(o, "mixes.0.comparison.difference") - 0.05) < 1e-12);
    assert_true(fabs(at(o, "mixes.0.comparison.categories.x.a_ahead_for_weight.0") - 1.0 / 3) <
                1e-12);
    assert_true(fabs(at(o, "mixes.0.scores.1.mean") - 0.6) < 1e-12);
    json_decref(o);
    REFUSED(2, "NAME=P for every category", "mix");
    REFUSED(2, "one or two results", "mix", a, b, a);
    REFUSED(1, "no category \"z\"", "mix", "--mix", "z=1", "x=0.5");
    REFUSED(1, "a performance is 0 to 1", "mix", "x=7");
    REFUSED(1, "no/such", "mix", "no/such.csv");
    unlink(a);
    unlink(b);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    const char *facts = "models/heldout/facts.jsonl";
    REFUSED(2, "one FILE", "memorize", "-m", "builtin:tiny");
    REFUSED(2, "no model given", "memorize", (char *)facts);
    REFUSED(1, "no \"nothing\" here", "memorize", "-m", "builtin:tiny", "--target", "nothing",
            (char *)facts);
    REFUSED(2, "--level", "memorize", "-m", "builtin:tiny", "--level", "2", (char *)facts);
    REFUSED(1, "no/such.jsonl", "memorize", "-m", "builtin:tiny", "no/such.jsonl");
    REFUSED(2, "labelled FILE", "memorize", "texts", "-m", "builtin:tiny");
    REFUSED(2, "labelled FILE", "memorize", "texts", "-m", "builtin:tiny", "--members",
            (char *)facts);
    REFUSED(2, "--k 0", "memorize", "texts", "-m", "builtin:tiny", "--k", "0", (char *)facts);
    REFUSED(1, "no text: say which key", "memorize", "texts", "-m", "builtin:tiny", (char *)facts);
    REFUSED(1, "both are needed", "memorize", "texts", "-m", "builtin:tiny", "--text", "prompt",
            "--label", "repeats", "--limit", "1", "models/heldout/lockers.jsonl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_beats_paraphrase),
        cmocka_unit_test(what_is_told_more_is_kept_better),
        cmocka_unit_test(baseline_warns),
        cmocka_unit_test(contamination_finds_its_own),
        cmocka_unit_test(mixes_change_the_score),
        cmocka_unit_test(misuse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
