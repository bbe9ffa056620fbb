/* The methods that leave rows out select the rows imbalanced-learn 0.14.2 selects (constants from
 * tests/oracle/resample.py), at any number of threads; links, edits and means on cases made by
 * hand; and they take no row twice, fail cleanly and free everything. */
#include "resample_data.h"

#include "data/resample_rows.h"

static bool kept[300];
static size_t run(const struct sample *s, struct classify_resample_options o)
{
    struct classify_matrix out;
    uint32_t *label, *origin;
    if (classify_resample(&s->x, s->y, s->classes, &o, &out, &label, &origin) != 0)
        fail_msg("%s", base_error_message());
    memset(kept, 0, sizeof kept);
    for (size_t i = 0; i < out.rows; i++) {
        assert_true(origin[i] < s->x.rows);
        assert_true(i == 0 || origin[i] > origin[i - 1]);
        assert_int_equal(label[i], s->y[origin[i]]);
        size_t n = out.first[i + 1] - out.first[i], from = s->x.first[origin[i]];
        assert_int_equal(n, s->x.first[origin[i] + 1] - from);
        assert_memory_equal(out.value + out.first[i], s->x.value + from, n * sizeof(double));
        kept[origin[i]] = true;
    }
    size_t rows = out.rows;
    classify_matrix_free(&out);
    base_free(label);
    base_free(origin);
    return rows;
}

static void test_expected(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof expected_rows / sizeof *expected_rows; t++) {
        struct sample s;
        sample_make(&s, expected_rows[t].data);
        for (int threads = 1; threads <= 3; threads += 2) {
            base_threads_set(threads);
            run(&s, (struct classify_resample_options){
                        .method = expected_rows[t].method,
                        .vote = expected_rows[t].mode ? CLASSIFY_VOTE_MODE : CLASSIFY_VOTE_ALL });
            for (size_t i = 0; i < s.x.rows; i++) {
                char digit = expected_rows[t].rows[i / 4];
                int bits = digit <= '9' ? digit - '0' : digit - 'a' + 10;
                if (kept[i] != (bits >> (3 - i % 4) & 1))
                    fail_msg("data %c, %s, %s%s: row %zu %s", expected_rows[t].data,
                             expected_rows[t].search,
                             classify_resampler_name(expected_rows[t].method),
                             expected_rows[t].mode ? " (mode)" : "", i,
                             kept[i] ? "stays" : "is left out");
            }
        }
        base_threads_set(0);
        classify_matrix_free(&s.x);
    }
}

/* Rows on a line, so that everything can be seen: places and labels. */
static void line(struct sample *s, size_t n, const double *at, const uint32_t *y, size_t classes)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(classify_matrix_dense(&s->x, at, n, 1), 0);
    memcpy(s->y, y, n * sizeof *y);
    s->classes = classes;
}

static void test_by_hand(void **state)
{
    (void)state;
    struct sample s;
    /* 0 and 0.1 are a link; 5 and 5 (identical, of both classes) too; 9 is nearest to 8.5, which is
     * nearest to 8.4 */
    const double at[] = { 0, 0.1, 1, 5, 5, 8.4, 8.5, 9, 10, 11 };
    const uint32_t y[] = { 0, 1, 0, 0, 1, 0, 0, 1, 0, 0 };
    line(&s, 10, at, y, 2);
    assert_int_equal(
        run(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_TOMEK }), 8);
    assert_false(kept[0] || kept[3]);
    /* ENN with k 1: 0 (nearest 0.1) and 1 (0.1), 5 and 10 (9 and 11 tie: the lower row) go */
    assert_int_equal(
        run(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_ENN, .k = 1 }), 6);
    assert_false(kept[0] || kept[2] || kept[3] || kept[8]);
    /* NearMiss-1, k 1: 5 at distance 0, 0 at 0.1, 8.5 at 0.5; 2: the least farthest: 5 (4.9), 8.4,
     * 1 */
    assert_int_equal(
        run(&s,
            (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_NEARMISS1, .k = 1 }),
        6);
    assert_true(kept[3] && kept[0] && kept[6]);
    assert_int_equal(
        run(&s,
            (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_NEARMISS2, .k = 1 }),
        6);
    assert_true(kept[3] && kept[2] && kept[5]);
    classify_matrix_free(&s.x);
}

static void test_ratio(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s, 'A'); /* 200 and 40 */
    assert_int_equal(
        run(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_NEARMISS1,
                                                    .ratio = .3 }),
        40 + 133);
    classify_matrix_free(&s.x);
}

static void refused(const struct sample *s, struct classify_resample_options o, const char *says)
{
    struct classify_matrix out;
    uint32_t *label, *origin;
    assert_int_equal(classify_resample(&s->x, s->y, s->classes, &o, &out, &label, &origin),
                     BASE_E_ARGUMENT);
    if (!strstr(base_error_message(), says))
        fail_msg("'%s' does not say '%s'", base_error_message(), says);
}

static void test_errors(void **state)
{
    (void)state;
    struct sample s;
    const double at[] = { 0, 1, 2, 3, 4, 5 };
    const uint32_t y[] = { 0, 0, 0, 0, 1, 1 };
    const char *names[] = { "other", "indian" };
    line(&s, 6, at, y, 2);
    refused(&s,
            (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_NEARMISS1,
                                                .class_name = names },
            "nearmiss-1: class indian has 2 rows; k = 3 (--neighbours) needs 3");
    refused(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_ENN, .k = 6 },
            "enn: 6 rows in all; k = 6 (--neighbours) needs 7");
    refused(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_NCR, .k = 7 },
            "ncr: 6 rows in all; k = 7 (--neighbours) needs 8");
    classify_matrix_free(&s.x);
}

/* Rows that are all the same are all at distance 0, and go by their number. */
static void test_identical(void **state)
{
    (void)state;
    struct sample s;
    double at[12];
    uint32_t y[12];
    for (size_t i = 0; i < 12; i++) {
        at[i] = 2;
        y[i] = i >= 8;
    }
    line(&s, 12, at, y, 2);
    /* row 0 has row 1 and the others row 0 for the nearest: one link, within a class */
    assert_int_equal(
        run(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_TOMEK }), 12);
    assert_int_equal(
        run(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_RENN }), 12);
    assert_int_equal(
        run(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_NEARMISS2 }), 8);
    assert_true(kept[0] && kept[1] && kept[2] && kept[3] && !kept[4]);
    classify_matrix_free(&s.x);
}

static void test_allocation(void **state)
{
    (void)state;
    struct sample s;
    struct classify_matrix out;
    uint32_t *label, *origin;
    for (const char *name = "DC"; *name; name++) {
        sample_make(&s, *name);
        long live = base_alloc_live();
        for (int method = CLASSIFY_RESAMPLE_NEARMISS1; method <= CLASSIFY_RESAMPLE_SMOTE_ENN;
             method++)
            for (long nth = 1;; nth++) {
                struct classify_resample_options o = { .method = (enum classify_resampler)method };
                base_alloc_fail_after(nth);
                int rc = classify_resample(&s.x, s.y, s.classes, &o, &out, &label, &origin);
                base_alloc_fail_after(0);
                if (rc == 0) {
                    classify_matrix_free(&out);
                    base_free(label);
                    base_free(origin);
                    break;
                }
                assert_int_equal(rc, BASE_E_MEMORY);
                assert_int_equal(base_alloc_live(), live);
            }
        assert_int_equal(base_alloc_live(), live);
        classify_matrix_free(&s.x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expected),  cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_ratio),     cmocka_unit_test(test_errors),
        cmocka_unit_test(test_identical), cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
