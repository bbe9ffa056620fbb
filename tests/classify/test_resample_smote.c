/* The methods that make rows, by their definitions: with imbalanced-learn's draws its rows come out
 * (constants from tests/oracle/resample.py); with our own every made row lies between a row of its
 * class and one of that row's neighbours, the number of each class is exact, and bases, neighbours
 * and lambda are uniform by chi-square. */
#include "resample_data.h"

#include "classify/neighbors.h"
#include "classify/resample_private.h"

#include "data/resample_draws.h"

enum { DRAWS = sizeof expected_smote_draw / sizeof *expected_smote_draw };

static void pairs_of(struct resample_job *job, const struct sample *s,
                     const struct classify_resample_options *o, struct resample_pairs *pairs)
{
    assert_int_equal(resample_job_begin(job, &s->x, s->y, s->classes, o), 0);
    if (resample_pairs_find(job, 1, pairs) != 0)
        fail_msg("%s", base_error_message());
}

static void replay(char name, enum classify_resampler method, const struct expected_draw *given,
                   size_t n, const double *expected, const bool *nominal)
{
    struct sample s;
    struct resample_job job;
    struct resample_pairs pairs;
    struct resample_draw draw[64];
    sample_make(&s, name);
    /* 24 rows more, as in the script; half a row guards against the product's rounding */
    size_t minority = name == 'E' ? 30 : 40, majority = s.x.rows - minority;
    struct classify_resample_options o = { .method = method,
                                           .ratio = ((double)minority + 24.5) / (double)majority,
                                           .nominal = nominal };
    pairs_of(&job, &s, &o, &pairs);
    if (pairs.add != n)
        fail_msg("%s: %zu rows, expected %zu", classify_resampler_name(method), pairs.add, n);
    assert_in_range(n, 20, 64);
    if (method == CLASSIFY_RESAMPLE_BORDERLINE1 || method == CLASSIFY_RESAMPLE_BORDERLINE2) {
        assert_int_equal(pairs.bases * sizeof(uint32_t), sizeof expected_danger);
        assert_memory_equal(pairs.base, expected_danger, sizeof expected_danger);
    }
    if (method == CLASSIFY_RESAMPLE_ADASYN)
        for (size_t i = 0; i < pairs.bases; i++)
            assert_int_equal(pairs.times[i], expected_adasyn_times[i]);
    for (size_t i = 0; i < n; i++)
        draw[i] = (struct resample_draw){ given[i].base, given[i].neighbor, given[i].lambda };
    assert_int_equal(resample_pairs_make(&job, &pairs, draw), 0);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < s.x.columns; c++) {
            double v = resample_value(&job.made, (uint32_t)i, (uint32_t)c);
            double e = expected[i * s.x.columns + c];
            if (nominal && nominal[c]) {
                /* of equally common categories either draws one: as common is enough, and the same
                 * where there is one */
                const uint32_t *near = pairs.neighbor + draw[i].base * pairs.k;
                size_t ours = 0, theirs = 0;
                for (size_t j = 0; j < pairs.k; j++) {
                    ours += resample_value(&s.x, near[j], (uint32_t)c) == v;
                    theirs += resample_value(&s.x, near[j], (uint32_t)c) == e;
                }
                assert_int_equal(ours, theirs);
            } else if (fabs(v - e) > 1e-12 * fabs(e)) {
                fail_msg("%s: row %zu, column %zu is %.17g, not %.17g",
                         classify_resampler_name(method), i, c, v, e);
            }
        }
    resample_pairs_free(&pairs);
    resample_job_free(&job);
    classify_matrix_free(&s.x);
}

static void test_replay(void **state)
{
    (void)state;
    const bool nominal[] = { false, true, false, true, false };
    replay('A', CLASSIFY_RESAMPLE_SMOTE, expected_smote_draw, DRAWS, expected_smote_row[0], NULL);
    replay('A', CLASSIFY_RESAMPLE_BORDERLINE1, expected_borderline1_draw, DRAWS,
           expected_borderline1_row[0], NULL);
    replay('A', CLASSIFY_RESAMPLE_BORDERLINE2, expected_borderline2_draw, DRAWS,
           expected_borderline2_row[0], NULL);
    replay('A', CLASSIFY_RESAMPLE_ADASYN, expected_adasyn_draw,
           sizeof expected_adasyn_draw / sizeof *expected_adasyn_draw, expected_adasyn_row[0],
           NULL);
    replay('E', CLASSIFY_RESAMPLE_SMOTENC, expected_smotenc_draw, DRAWS, expected_smotenc_row[0],
           nominal);
}

/* How many rows ADASYN gives, whatever number is wanted. */
static void test_adasyn_rounding(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s, 'A');
    for (size_t want = 60; want < 200; want++) {
        struct classify_resample_options o = { .method = CLASSIFY_RESAMPLE_ADASYN,
                                               .ratio = ((double)want + 0.5) / 200 };
        struct resample_job job;
        struct resample_pairs pairs;
        pairs_of(&job, &s, &o, &pairs);
        assert_int_equal(40 + pairs.add, expected_adasyn_rows[want - 60]);
        resample_pairs_free(&pairs);
        resample_job_free(&job);
    }
    classify_matrix_free(&s.x);
}

static struct classify_matrix out;
static uint32_t *label, *origin;
static int run(const struct sample *s, struct classify_resample_options o)
{
    return classify_resample(&s->x, s->y, s->classes, &o, &out, &label, &origin);
}
static void done(void)
{
    classify_matrix_free(&out);
    base_free(label);
    base_free(origin);
    label = origin = NULL;
}

static size_t nearest(const struct sample *s, uint32_t row, size_t k, int of, uint32_t *near)
{
    /* the k nearest by comparing all, of class `of` or any (-1) */
    size_t n = 0;
    double d2[300];
    for (uint32_t i = 0; i < s->x.rows; i++) {
        if (i == row || (of >= 0 && s->y[i] != (uint32_t)of))
            continue;
        double d = classify_distance2(&s->x, row, i);
        size_t at = n < k ? n++ : d < d2[k - 1] ? k - 1 : k;
        if (at == k)
            continue;
        for (; at > 0 && d2[at - 1] > d; at--) {
            d2[at] = d2[at - 1];
            near[at] = near[at - 1];
        }
        d2[at] = d;
        near[at] = i;
    }
    return n;
}

/* Whether row m of out is between rows a and b of x; lambda then. */
static bool between(const struct sample *s, size_t m, uint32_t a, uint32_t b, double *lambda)
{
    double dot = 0, square = 0, rest = 0;
    for (uint32_t c = 0; c < s->x.columns; c++) {
        double va = resample_value(&s->x, a, c), d = resample_value(&s->x, b, c) - va;
        dot += (resample_value(&out, (uint32_t)m, c) - va) * d;
        square += d * d;
    }
    *lambda = square > 0 ? dot / square : 0;
    for (uint32_t c = 0; c < s->x.columns; c++) {
        double va = resample_value(&s->x, a, c), d = resample_value(&s->x, b, c) - va;
        double off = resample_value(&out, (uint32_t)m, c) - va - *lambda * d;
        rest += off * off;
    }
    return sqrt(rest) < 1e-12;
}

static double chi_square(const double *seen, size_t n, double total)
{
    double chi = 0;
    for (size_t i = 0; i < n; i++)
        chi += (seen[i] - total / (double)n) * (seen[i] - total / (double)n) / (total / (double)n);
    return chi;
}

/* 0.9999 quantile of chi-square by Wilson and Hilferty */
static double chi_limit(double df)
{
    double z = 3.719, h = 2 / (9 * df);
    return df * pow(1 - h + z * sqrt(h), 3);
}

static void definition(char name, enum classify_resampler method, uint64_t seeds)
{
    struct sample s;
    sample_make(&s, name);
    size_t count[3] = { 0 }, k = 5;
    uint32_t near[300][5];
    bool serves[300];
    double by_lambda[20] = { 0 }, by_half[20] = { 0 };
    double total = 0, halves = 0;
    for (size_t i = 0; i < s.x.rows; i++)
        count[s.y[i]]++;
    for (uint32_t i = 0; i < s.x.rows; i++) {
        bool any = method == CLASSIFY_RESAMPLE_BORDERLINE2;
        serves[i] = false;
        if (s.y[i] == 0)
            continue;
        if (any || method == CLASSIFY_RESAMPLE_BORDERLINE1) {
            uint32_t ten[10];
            size_t others = 0;
            assert_int_equal(nearest(&s, i, 10, -1, ten), 10);
            for (size_t j = 0; j < 10; j++)
                others += s.y[ten[j]] != s.y[i];
            if (others < 5 || others == 10)
                continue;
        }
        serves[i] = true;
        assert_int_equal(nearest(&s, i, k, any ? -1 : (int)s.y[i], near[i]), k);
    }
    for (uint64_t seed = 0; seed < seeds; seed++) {
        assert_int_equal(
            run(&s, (struct classify_resample_options){ .method = method, .seed = seed }), 0);
        if (method != CLASSIFY_RESAMPLE_ADASYN)
            assert_int_equal(out.rows, s.classes * count[0]);
        for (size_t i = 0; i < s.x.rows; i++)
            assert_int_equal(origin[i], i);
        for (size_t m = s.x.rows; m < out.rows; m++) {
            size_t found = 0;
            assert_int_equal(origin[m], UINT32_MAX);
            assert_true(m == s.x.rows || label[m] >= label[m - 1]);
            for (uint32_t a = 0; a < s.x.rows && !found; a++) {
                if (!serves[a] || s.y[a] != label[m])
                    continue;
                for (size_t j = 0; j < k && !found; j++) {
                    double lambda;
                    if (!between(&s, m, a, near[a][j], &lambda))
                        continue;
                    found++;
                    bool other = s.y[near[a][j]] != label[m];
                    assert_true(lambda > -1e-9 && lambda < (other ? 0.5 : 1) + 1e-9);
                    lambda = fmin(fmax(lambda, 0), (other ? 0.5 : 1) - 1e-12);
                    if (other) {
                        by_half[(int)(40 * lambda)]++;
                        halves++;
                    } else {
                        by_lambda[(int)(20 * lambda)]++;
                    }
                    total++;
                }
            }
            if (!found)
                fail_msg("%s, data %c: row %zu is between no row and neighbour",
                         classify_resampler_name(method), name, m);
        }
        done();
    }
    assert_true(chi_square(by_lambda, 20, total - halves) < chi_limit(19));
    if (method == CLASSIFY_RESAMPLE_BORDERLINE2) {
        assert_true(halves > 1000);
        assert_true(chi_square(by_half, 20, halves) < chi_limit(19));
    }
    classify_matrix_free(&s.x);
}

static void test_definition(void **state)
{
    (void)state;
    definition('A', CLASSIFY_RESAMPLE_SMOTE, 20);
    definition('B', CLASSIFY_RESAMPLE_SMOTE, 3);
    definition('C', CLASSIFY_RESAMPLE_SMOTE, 2);
    definition('A', CLASSIFY_RESAMPLE_BORDERLINE1, 10);
    definition('A', CLASSIFY_RESAMPLE_BORDERLINE2, 25);
    definition('A', CLASSIFY_RESAMPLE_ADASYN, 10);
    definition('B', CLASSIFY_RESAMPLE_ADASYN, 3);
}

/* The draws themselves: base, neighbour and lambda are uniform and independent. */
static void test_draws(void **state)
{
    (void)state;
    struct sample s;
    struct resample_job job;
    struct resample_pairs pairs;
    struct resample_draw draw[160];
    double by_pair[200] = { 0 }, by_lambda[50] = { 0 }, by_both[100] = { 0 }, total = 0;
    sample_make(&s, 'A');
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct classify_resample_options o = { .method = CLASSIFY_RESAMPLE_SMOTE, .seed = seed };
        pairs_of(&job, &s, &o, &pairs);
        assert_int_equal(pairs.add, 160);
        resample_pairs_draw(&job, &pairs, draw);
        for (size_t i = 0; i < 160; i++, total++) {
            assert_true(draw[i].base < 40 && draw[i].neighbor < 5);
            assert_true(draw[i].lambda >= 0 && draw[i].lambda < 1);
            by_pair[draw[i].base * 5 + draw[i].neighbor]++;
            by_lambda[(int)(50 * draw[i].lambda)]++;
            by_both[10 * (draw[i].base / 4) + (size_t)(10 * draw[i].lambda)]++;
        }
        resample_pairs_free(&pairs);
        resample_job_free(&job);
    }
    assert_true(chi_square(by_pair, 200, total) < chi_limit(199));
    assert_true(chi_square(by_lambda, 50, total) < chi_limit(49));
    assert_true(chi_square(by_both, 100, total) < chi_limit(99));
    classify_matrix_free(&s.x);
}

/* SMOTE-NC's neighbours by its formula, and categories that are among the commonest. */
static void test_nominal(void **state)
{
    (void)state;
    struct sample s;
    const bool nominal[] = { false, true, false, true, false };
    sample_make(&s, 'E');
    struct resample_job job;
    struct resample_pairs pairs;
    struct classify_resample_options o = { .method = CLASSIFY_RESAMPLE_SMOTENC,
                                           .nominal = nominal };
    pairs_of(&job, &s, &o, &pairs);
    assert_int_equal(pairs.bases, 30);
    for (size_t i = 0; i < 30; i++) {
        double d2[300], farthest = 0;
        bool is_near[300] = { 0 };
        for (uint32_t b = 0; b < s.x.rows; b++) {
            d2[b] = 0;
            for (uint32_t c = 0; c < 5; c++) {
                double d = resample_value(&s.x, pairs.base[i], c) - resample_value(&s.x, b, c);
                d2[b] += !nominal[c] ? d * d
                         : d != 0    ? expected_smotenc_median * expected_smotenc_median
                                     : 0;
            }
        }
        for (size_t j = 0; j < 5; j++) {
            uint32_t b = pairs.neighbor[i * 5 + j];
            is_near[b] = true;
            assert_true(b != pairs.base[i] && s.y[b] == 1);
            farthest = fmax(farthest, d2[b]);
        }
        for (uint32_t b = 0; b < s.x.rows; b++)
            if (s.y[b] == 1 && b != pairs.base[i] && !is_near[b])
                assert_true(d2[b] >= farthest - 1e-12);
    }
    resample_pairs_free(&pairs);
    resample_job_free(&job);
    assert_int_equal(run(&s, o), 0);
    assert_int_equal(out.rows, 240);
    for (uint32_t i = 150; i < 240; i++) {
        double v = resample_value(&out, i, 1);
        assert_true(v == 0 || v == 1 || v == 2 || v == 3);
    }
    done();
    /* a tie of two categories: either, equally often */
    struct sample t = { .classes = 2 };
    double rows[17][2] = { { 0 } };
    for (size_t i = 0; i < 17; i++) {
        t.y[i] = i < 12 ? 0 : 1;
        rows[i][0] = i < 12 ? 50 + (double)i : (double)i;
        rows[i][1] = i % 2 ? 3 : 0;
    }
    rows[16][1] = 8;
    assert_int_equal(classify_matrix_dense(&t.x, rows[0], 17, 2), 0);
    const bool second[] = { false, true };
    double seen[3] = { 0 };
    for (uint64_t seed = 0; seed < 2000; seed++) {
        assert_int_equal(
            run(&t, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_SMOTENC,
                                                        .k = 4,
                                                        .seed = seed,
                                                        .ratio = 0.5,
                                                        .nominal = second }),
            0);
        assert_int_equal(out.rows, 18);
        double v = resample_value(&out, 17, 1);
        assert_true(v == 0 || v == 3 || v == 8);
        seen[v == 0 ? 0 : v == 3 ? 1 : 2]++;
        done();
    }
    /* row 16 sees 0 0 3 3 (either); 12 and 14 see 0 3 3 8; 13 and 15 see 0 0 3 8 */
    assert_true(seen[2] == 0);
    double expected = 1000;
    assert_true(fabs(seen[0] - expected) < 4 * sqrt(500));
    classify_matrix_free(&t.x);
    classify_matrix_free(&s.x);
}

/* SMOTE+Tomek and SMOTE+ENN are SMOTE and then the cleaning of all classes, by comparing all rows.
 */
static void test_combined(void **state)
{
    (void)state;
    static uint32_t close[600][3];
    struct sample s;
    sample_make(&s, 'A');
    for (int tomek = 0; tomek <= 1; tomek++) {
        struct sample made = { .classes = 2 };
        uint32_t y[400];
        assert_int_equal(
            run(&s,
                (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_SMOTE, .seed = 3 }),
            0);
        assert_int_equal(out.rows, 400);
        made.x = out;
        memcpy(y, label, sizeof y);
        out = (struct classify_matrix){ 0 };
        done();
        for (uint32_t i = 0; i < 400; i++) {
            double d2[3] = { INFINITY, INFINITY, INFINITY };
            for (uint32_t j = 0; j < 400; j++) {
                double d = i == j ? INFINITY : classify_distance2(&made.x, i, j);
                for (size_t at = 0; at < 3; at++)
                    if (d < d2[at]) {
                        for (size_t to = 2; to > at; to--) {
                            d2[to] = d2[to - 1];
                            close[i][to] = close[i][to - 1];
                        }
                        d2[at] = d;
                        close[i][at] = j;
                        break;
                    }
            }
        }
        assert_int_equal(
            run(&s,
                (struct classify_resample_options){ .method = tomek ? CLASSIFY_RESAMPLE_SMOTE_TOMEK
                                                                    : CLASSIFY_RESAMPLE_SMOTE_ENN,
                                                    .seed = 3 }),
            0);
        size_t at = 0;
        for (uint32_t i = 0; i < 400; i++) {
            bool link = y[close[i][0]] != y[i] && close[close[i][0]][0] == i;
            bool voted = y[close[i][0]] != y[i] || y[close[i][1]] != y[i] || y[close[i][2]] != y[i];
            if (tomek ? link : voted)
                continue;
            assert_true(at < out.rows);
            assert_int_equal(label[at], y[i]);
            assert_int_equal(origin[at], i < 240 ? i : UINT32_MAX);
            size_t n = out.first[at + 1] - out.first[at];
            assert_int_equal(n, made.x.first[i + 1] - made.x.first[i]);
            assert_memory_equal(out.value + out.first[at], made.x.value + made.x.first[i],
                                n * sizeof(double));
            at++;
        }
        assert_int_equal(at, out.rows);
        assert_true(at < 400);
        done();
        classify_matrix_free(&made.x);
    }
    classify_matrix_free(&s.x);
}

/* Same seed, same rows at any number of threads; another seed, others. */
static void test_seeds(void **state)
{
    (void)state;
    struct sample s;
    for (const char *name = "BC"; *name; name++) {
        sample_make(&s, *name);
        for (int method = CLASSIFY_RESAMPLE_SMOTE; method <= CLASSIFY_RESAMPLE_ADASYN; method++) {
            if (*name == 'C' && method != CLASSIFY_RESAMPLE_SMOTE)
                continue;
            struct classify_resample_options o = { .method = (enum classify_resampler)method,
                                                   .seed = 9 };
            base_threads_set(1);
            assert_int_equal(run(&s, o), 0);
            struct classify_matrix first = out;
            out = (struct classify_matrix){ 0 };
            done();
            base_threads_set(3);
            assert_int_equal(run(&s, o), 0);
            assert_int_equal(out.rows, first.rows);
            assert_memory_equal(out.first, first.first, (out.rows + 1) * sizeof *out.first);
            assert_memory_equal(out.value, first.value, out.first[out.rows] * sizeof *out.value);
            done();
            o.seed = 10;
            assert_int_equal(run(&s, o), 0);
            assert_true(out.first[out.rows] != first.first[first.rows] ||
                        memcmp(out.value, first.value, out.first[out.rows] * sizeof *out.value));
            done();
            base_threads_set(0);
            classify_matrix_free(&first);
        }
        classify_matrix_free(&s.x);
    }
}

static void refused(const struct sample *s, struct classify_resample_options o, const char *says)
{
    assert_int_equal(run(s, o), BASE_E_ARGUMENT);
    if (!strstr(base_error_message(), says))
        fail_msg("'%s' does not say '%s'", base_error_message(), says);
    assert_null(out.first);
}

static void test_errors(void **state)
{
    (void)state;
    struct sample s = { .classes = 2 };
    double at[20];
    for (size_t i = 0; i < 20; i++) {
        at[i] = (double)(i < 14 ? i : i + 100);
        s.y[i] = i >= 14;
    }
    assert_int_equal(classify_matrix_dense(&s.x, at, 20, 1), 0);
    const bool nominal[] = { true };
    refused(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_SMOTE, .k = 6 },
            "smote: class 1 has 6 rows; k = 6 (--neighbours) needs 7");
    refused(&s,
            (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_BORDERLINE1, .m = 4 },
            "borderline-1: no row of class 1 is in danger");
    refused(&s,
            (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_BORDERLINE1, .m = 20 },
            "borderline-1: 20 rows in all; m = 20 (--danger) needs 21");
    refused(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_ADASYN },
            "adasyn: none of the 5 nearest rows of any row of class 1 is of another class");
    refused(&s, (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_SMOTENC },
            "smotenc: 0 of 1 columns are categories");
    refused(&s,
            (struct classify_resample_options){ .method = CLASSIFY_RESAMPLE_SMOTENC,
                                                .nominal = nominal },
            "smotenc: 1 of 1 columns are categories");
    classify_matrix_free(&s.x);
}

static void test_allocation(void **state)
{
    (void)state;
    struct sample s;
    const bool nominal[] = { false, true, false, true, false };
    for (const char *name = "BE"; *name; name++) {
        sample_make(&s, *name);
        long live = base_alloc_live();
        for (int method = CLASSIFY_RESAMPLE_SMOTE; method <= CLASSIFY_RESAMPLE_SMOTENC; method++) {
            if ((*name == 'E') != (method == CLASSIFY_RESAMPLE_SMOTENC))
                continue;
            for (long nth = 1;; nth++) {
                base_alloc_fail_after(nth);
                int rc =
                    run(&s, (struct classify_resample_options){
                                .method = (enum classify_resampler)method, .nominal = nominal });
                base_alloc_fail_after(0);
                if (rc == 0) {
                    done();
                    break;
                }
                assert_int_equal(rc, BASE_E_MEMORY);
                assert_int_equal(base_alloc_live(), live);
            }
        }
        assert_int_equal(base_alloc_live(), live);
        classify_matrix_free(&s.x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay),     cmocka_unit_test(test_adasyn_rounding),
        cmocka_unit_test(test_draws),      cmocka_unit_test(test_definition),
        cmocka_unit_test(test_nominal),    cmocka_unit_test(test_combined),
        cmocka_unit_test(test_seeds),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
