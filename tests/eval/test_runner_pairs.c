/* Strategies compared in pairs: cells, difference, McNemar's mid-p and Holm by hand. */
#include "eval/runner_pairs.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void add(struct eval_scores *s, long doc, const char *metric, json_t *value)
{
    json_t *sample = json_pack("{s:i, s:[s, s], s:s, s:o}", "doc_id", (int)doc, "metrics", "words",
                               metric, "words", "not a number", metric, value);
    assert_non_null(sample);
    assert_int_equal(eval_scores_add(s, sample), 0);
    json_decref(sample);
}

static double get(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static void three_strategies(void **state)
{
    (void)state;
    struct eval_scores s[3] = { { .n = 0 } };
    /* b: 8 items only the second gets right, 1 only the first; the third is like the first */
    for (int i = 0; i < 30; i++) {
        bool first = i < 10 || i == 29;
        add(&s[0], i, "acc", json_real(first));
        if (i != 20) /* one item is missing */
            add(&s[1], i, "acc", json_boolean((first && i != 0) || (i >= 11 && i < 19)));
        add(&s[2], i, "acc", json_integer(first));
        add(&s[2], i, "acc", json_integer(!first)); /* a second filter: passed over */
    }
    static const char *const names[] = { "one", "two", "three" };
    json_t *pairs;
    assert_int_equal(eval_scores_compare(s, names, 3, 0.95, &pairs), 0);
    assert_int_equal(json_array_size(pairs), 3);
    const json_t *p = json_array_get(pairs, 0), *m = json_object_get(p, "mcnemar");
    assert_string_equal(json_string_value(json_object_get(p, "a")), "one");
    assert_string_equal(json_string_value(json_object_get(p, "b")), "two");
    assert_string_equal(json_string_value(json_object_get(p, "metric")), "acc");
    assert_true(get(p, "n") == 29);
    assert_true(fabs(get(p, "difference") - 7.0 / 29) < 1e-12);
    assert_true(get(m, "b") == 1 && get(m, "c") == 8);
    /* 2 (C(9,0) + C(9,1)) / 2^9 and less the point */
    assert_true(fabs(get(m, "exact") - 20.0 / 512) < 1e-12);
    assert_true(fabs(get(m, "midp") - 11.0 / 512) < 1e-12);
    assert_true(get(p, "p") == get(m, "midp"));
    const json_t *ci = json_object_get(p, "ci");
    assert_true(json_number_value(json_array_get(ci, 0)) > 0 &&
                json_number_value(json_array_get(ci, 1)) < 0.5);
    /* one and three agree on everything */
    p = json_array_get(pairs, 1);
    assert_true(get(p, "difference") == 0 && get(p, "p") == 1);
    /* Holm: 3, 2, 1 times, in order */
    assert_true(fabs(get(json_array_get(pairs, 0), "p_adjusted") - 3 * 11.0 / 512) < 1e-12);
    assert_true(fabs(get(json_array_get(pairs, 2), "p_adjusted") - 3 * 11.0 / 512) < 1e-12);
    assert_true(get(json_array_get(pairs, 1), "p_adjusted") == 1);
    json_decref(pairs);
    for (int i = 0; i < 3; i++)
        eval_scores_free(&s[i]);
}

static void scores_that_are_no_coin(void **state)
{
    (void)state;
    struct eval_scores s[3] = { { .n = 0 } };
    for (int i = 0; i < 12; i++) {
        add(&s[0], i, "f1", json_real(i / 12.0));
        add(&s[1], i, "f1", json_real(i / 12.0 + (i % 3) * 0.1));
        add(&s[2], i, "bleu", json_real(0.5));
    }
    static const char *const names[] = { "one", "two", "three" };
    json_t *pairs;
    assert_int_equal(eval_scores_compare(s, names, 3, 0.95, &pairs), 0);
    const json_t *p = json_array_get(pairs, 0);
    assert_string_equal(json_string_value(json_object_get(p, "test")), "paired t");
    assert_true(fabs(get(p, "difference") - 0.1) < 1e-12);
    assert_null(json_object_get(p, "mcnemar"));
    assert_true(get(p, "p") > 0 && get(p, "p") < 0.01);
    assert_true(get(p, "p_adjusted") == get(p, "p")); /* the only pair with a p-value */
    assert_non_null(json_object_get(json_array_get(pairs, 1), "reason"));
    json_decref(pairs);
    for (int i = 0; i < 3; i++)
        eval_scores_free(&s[i]);
    /* nothing to compare */
    assert_int_equal(eval_scores_compare(s, names, 2, 0.95, &pairs), 0);
    assert_non_null(json_object_get(json_array_get(pairs, 0), "reason"));
    json_decref(pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(three_strategies),
                                        cmocka_unit_test(scores_that_are_no_coin) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
