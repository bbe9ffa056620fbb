/* Runs compared: matching, the statistics of a pair against values computed by hand or by SciPy,
 * corrections, more than two runs, and the command itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "eval/compare_runs.h"
#include "run_support.h"

#define NO_STORE "/nonexistent/store.sqlite"

static void close_to(double x, double expected, double relative)
{
    if (!(fabs(x - expected) <= relative * fmax(1e-300, fabs(expected))))
        fail_msg("%.17g is not %.17g", x, expected);
}

/* A samples file with the given scores (-1: the item is left out); the path. */
static const char *make_samples(const char *metric, const double *value, const double *weight,
                                size_t n)
{
    const char *path = test_temporary_path(".jsonl");
    FILE *f = fopen(path, "w");
    for (size_t i = 0; i < n; i++) {
        if (value[i] == -1)
            continue;
        fprintf(f, "{\"doc_id\": %zu, \"doc\": {\"q\": \"question %zu\"}, \"%s\": ", i, i, metric);
        if (weight)
            fprintf(f, "[%.17g, %g]}\n", value[i], weight[i]);
        else
            fprintf(f, "%.17g}\n", value[i]);
    }
    fclose(f);
    return path;
}

/* The task's name is the file's: give both files one, in directories of their own. */
static struct eval_run *open_as(const char *task, const char *path)
{
    char directory[300], file[400];
    struct eval_run *r;
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-samples"));
    base_file_make_directories(directory);
    snprintf(file, sizeof file, "%s/%s.jsonl", directory, task);
    assert_int_equal(rename(path, file), 0);
    if (eval_run_open(&r, file, NO_STORE))
        fail_msg("%s", base_error_message());
    return r; /* the test's directory goes with $TMPDIR */
}

static struct eval_runs_comparison compare2(struct eval_run *a, struct eval_run *b,
                                            const char *metric)
{
    struct eval_runs_options o = EVAL_RUNS_OPTIONS_DEFAULT;
    struct eval_runs_comparison c;
    const struct eval_run *runs[] = { a, b };
    o.metric = metric;
    if (eval_runs_compare(runs, 2, &o, &c))
        fail_msg("%s", base_error_message());
    return c;
}

/* Fagerland, Lydersen and Laake 2013, table 1 (airway hyper-responsiveness before and after stem
 * cell transplantation, Bentur et al. 2009): 1 both, 1 only before, 7 only after, 12 neither; mid-p
 * 0.039, exact 0.070. Newcombe's interval of the difference: -0.507 .. -0.026 in their table. */
static void test_published_pairs(void **state)
{
    (void)state;
    double a[21], b[21];
    for (size_t i = 0; i < 21; i++) {
        a[i] = i < 2;
        b[i] = i == 0 || (i >= 2 && i < 9);
    }
    struct eval_run *x = open_as("airway", make_samples("acc", a, NULL, 21));
    struct eval_run *y = open_as("airway", make_samples("acc", b, NULL, 21));
    struct eval_runs_comparison c = compare2(x, y, NULL);
    assert_int_equal(c.n_tasks, 1);
    const struct eval_runs_task *t = &c.tasks[0];
    const struct eval_runs_pair *p = t->pairs;
    assert_string_equal(t->metric, "acc");
    assert_int_equal(t->scale, EVAL_RUNS_BINARY);
    assert_int_equal(p->n, 21);
    assert_true(p->both == 1 && p->only_a == 1 && p->only_b == 7 && p->neither == 12);
    close_to(p->mcnemar.exact, 18.0 / 256, 1e-14); /* 2 (1 + 8) / 2^8 */
    close_to(p->p, 10.0 / 256, 1e-14);             /* less 8 / 2^8 */
    close_to(p->difference, -6.0 / 21, 1e-14);
    close_to(p->se, sqrt((8.0 / 21 - 36.0 / 441) / 21), 1e-14);
    assert_string_equal(p->method, "newcombe");
    close_to(p->interval.low, -0.507, 2e-3);
    close_to(p->interval.high, -0.026, 2e-2);
    close_to(p->h, 2 * asin(sqrt(2.0 / 21)) - 2 * asin(sqrt(8.0 / 21)), 1e-12);
    close_to(p->mcnemar.odds_ratio, 1.0 / 7, 1e-14);
    close_to(p->holm, p->p, 0); /* one test */
    /* Connor's n = (z_a sqrt(p10 + p01) + z_b sqrt(p10 + p01 - d^2))^2 / d^2 */
    double s = 8.0 / 21, d = 6.0 / 21, za = 1.9599639845400545, zb = 0.8416212335729143;
    close_to(p->items, pow(za * sqrt(s) + zb * sqrt(s - d * d), 2) / (d * d), 1e-9);
    close_to(p->detectable, (za + zb) * sqrt((s - d * d) / 21), 1e-9);
    json_t *json = eval_runs_comparison_json(&c);
    const json_t *task = json_object_get(json_object_get(json, "tasks"), "airway");
    const json_t *m = json_object_get(task, "mcnemar");
    assert_int_equal(json_integer_value(json_object_get(task, "n")), 21);
    assert_int_equal(json_integer_value(json_object_get(m, "b")), 1);
    assert_int_equal(json_integer_value(json_object_get(m, "c")), 7);
    close_to(json_real_value(json_object_get(m, "midp")), 10.0 / 256, 1e-14);
    close_to(json_real_value(json_object_get(task, "p_adjusted")), 10.0 / 256, 1e-14);
    close_to(json_real_value(json_object_get(task, "a")), 2.0 / 21, 1e-14);
    assert_int_equal(json_array_size(json_object_get(task, "ci")), 2);
    assert_string_equal(json_string_value(json_object_get(task, "better")), "b");
    json_decref(json);
    eval_runs_comparison_free(&c);
    eval_run_close(x);
    eval_run_close(y);
}

/* scipy.stats.ttest_rel(a, b): values of tests/oracle/compare_runs.py. */
static void test_numbers(void **state)
{
    (void)state;
    static const double a[] = { 1.5, 2.25, 3.0, 4.75, 2.0, 6.5 };
    static const double b[] = { 2.0, 2.0, 3.5, 5.5, 2.25, 6.25 };
    struct eval_run *x = open_as("t", make_samples("score", a, NULL, 6));
    struct eval_run *y = open_as("t", make_samples("score", b, NULL, 6));
    struct eval_runs_comparison c = compare2(x, y, NULL);
    const struct eval_runs_pair *p = c.tasks[0].pairs;
    assert_int_equal(c.tasks[0].scale, EVAL_RUNS_NUMBER);
    close_to(p->value_a, 20.0 / 6, 1e-14);
    close_to(p->difference, -0.25, 1e-14);
    close_to(p->t, -1.4638501094227996, 1e-10);
    close_to(p->p, 0.2031106637200551, 1e-9);
    close_to(p->interval.low, -0.6890104251605895, 1e-9);
    close_to(p->interval.high, 0.18901042516058947, 1e-9);
    assert_true(p->has_bootstrap);
    assert_true(p->bootstrap.low < -0.25 && p->bootstrap.high > -0.25);
    eval_runs_comparison_free(&c);
    eval_run_close(x);
    eval_run_close(y);
}

/* Perplexities: by hand. y = {6, 8, 10}, w = {2, 4, 4} against y = {5, 8, 13}. */
static void test_perplexities(void **state)
{
    (void)state;
    static const double a[] = { -6, -8, -10 }, b[] = { -5, -8, -13 }, w[] = { 2, 4, 4 };
    struct eval_run *x = open_as("wiki", make_samples("word_perplexity", a, w, 3));
    struct eval_run *y = open_as("wiki", make_samples("word_perplexity", b, w, 3));
    struct eval_runs_comparison c = compare2(x, y, NULL);
    const struct eval_runs_task *t = &c.tasks[0];
    assert_int_equal(t->scale, EVAL_RUNS_LOG_RATIO);
    assert_false(t->higher_is_better);
    close_to(t->pairs->value_a, exp(2.4), 1e-14);
    close_to(t->pairs->value_b, exp(2.6), 1e-14);
    close_to(t->pairs->difference, -0.2, 1e-12);
    /* influences n ((y - R w)/W)_A - n (...)_B = 3 {1.2 + 0.2, -1.6 + 2.4, 0.4 - 2.6} / 10 */
    double z[3] = { 3 * 1.4 / 10, 3 * 0.8 / 10, 3 * -2.2 / 10 };
    double se = sqrt((z[0] * z[0] + z[1] * z[1] + z[2] * z[2]) / 2 / 3);
    close_to(t->pairs->se, se, 1e-12);
    close_to(t->pairs->t, -0.2 / se, 1e-12);
    eval_runs_comparison_free(&c);
    eval_run_close(x);
    eval_run_close(y);
    /* bits per byte stay linear */
    x = open_as("wiki", make_samples("bits_per_byte", a, w, 3));
    y = open_as("wiki", make_samples("bits_per_byte", b, w, 3));
    c = compare2(x, y, NULL);
    assert_int_equal(c.tasks[0].scale, EVAL_RUNS_RATIO);
    close_to(c.tasks[0].pairs->value_a, 2.4 / log(2), 1e-14);
    close_to(c.tasks[0].pairs->difference, -0.2 / log(2), 1e-12);
    close_to(c.tasks[0].pairs->se, se / log(2), 1e-12);
    eval_runs_comparison_free(&c);
    eval_run_close(x);
    eval_run_close(y);
}

/* Class metrics: both runs on the same resamples. Confusion by hand: A [[30 10] [5 15]], B the same
 * items with five more right; f1 of class 1, the macro mean and Matthews' coefficient. */
static void test_class_metrics(void **state)
{
    (void)state;
    static const char *const metrics[] = { "f1", "f1_macro", "mcc" };
    const double f1_a = 30.0 / 45, f1_b = 40.0 / 50, other_a = 60.0 / 75, other_b = 60.0 / 70;
    const double expected[3][2] = {
        { f1_a, f1_b },
        { (f1_a + other_a) / 2, (f1_b + other_b) / 2 },
        { (30.0 * 15 - 10 * 5) / sqrt(40.0 * 20 * 35 * 25),
          (30.0 * 20 - 10 * 0) / sqrt(40.0 * 20 * 30 * 30) },
    };
    for (int m = 0; m < 3; m++) {
        struct eval_run *runs[2];
        for (int r = 0; r < 2; r++) {
            const char *path = test_temporary_path(".jsonl");
            FILE *f = fopen(path, "w");
            for (int i = 0; i < 60; i++) {
                int truth = i >= 40, said = i < 40 ? i >= 30 : i < 45 ? r : 1;
                fprintf(f,
                        "{\"doc_id\": %d, \"doc\": {\"q\": \"question %d\"}, \"%s\": [%d, %d]}\n",
                        i, i, metrics[m], truth, said);
            }
            fclose(f);
            runs[r] = open_as("classes", path);
        }
        struct eval_runs_comparison c = compare2(runs[0], runs[1], metrics[m]);
        assert_int_equal(c.compared, 1);
        const struct eval_runs_pair *p = &c.tasks[0].pairs[0];
        assert_int_equal(c.tasks[0].scale, EVAL_RUNS_LABELS);
        close_to(p->value_a, expected[m][0], 1e-12);
        close_to(p->value_b, expected[m][1], 1e-12);
        close_to(p->difference, p->value_a - p->value_b, 1e-12);
        assert_string_equal(p->method, "bootstrap");
        /* only ever better on the same items: no resample is on the other side */
        assert_true(p->interval.high < 0 && p->interval.low < p->difference &&
                    p->difference < p->interval.high + 0.2);
        assert_true(p->p < 0.03 && p->p >= 2.0 / 2001);
        assert_true(p->interval_a.low < p->value_a && p->value_a < p->interval_a.high);
        assert_true(p->se > 0.01 && p->se < 0.2 && p->items > 5);
        json_t *json = eval_runs_comparison_json(&c);
        assert_string_equal(
            json_string_value(json_object_get(
                json_object_get(json_object_get(json, "tasks"), "classes"), "scale")),
            "labels");
        json_decref(json);
        eval_runs_comparison_free(&c);
        eval_run_close(runs[0]);
        eval_run_close(runs[1]);
    }
}

static void test_matching(void **state)
{
    (void)state;
    /* item 1 only in a, items 4 and 5 only in b */
    static const double a[] = { 1, 0, 1, 0, -1, -1, 1 }, b[] = { 1, -1, 0, 0, 1, 0, 1 };
    struct eval_run *x = open_as("m", make_samples("acc", a, NULL, 7));
    struct eval_run *y = open_as("m", make_samples("acc", b, NULL, 7));
    struct eval_runs_comparison c = compare2(x, y, NULL);
    const struct eval_runs_task *t = &c.tasks[0];
    assert_int_equal(t->n, 4);
    assert_int_equal(t->unmatched[0].count, 1);
    assert_int_equal(t->unmatched[0].doc[0], 1);
    assert_int_equal(t->unmatched[1].count, 2);
    assert_int_equal(t->unmatched[1].doc[0], 4);
    assert_int_equal(t->unmatched[1].doc[1], 5);
    assert_true(t->pairs->both == 2 && t->pairs->only_a == 1 && t->pairs->neither == 1);
    eval_runs_comparison_free(&c);
    /* nothing in common, an unknown metric: said, not computed */
    const struct eval_run *runs[] = { x, y };
    struct eval_runs_options o = EVAL_RUNS_OPTIONS_DEFAULT;
    o.metric = "f1";
    assert_int_equal(eval_runs_compare(runs, 2, &o, &c), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "no metric f1"));
    o.metric = NULL;
    static const char *const tasks[] = { "other" };
    o.tasks = tasks;
    o.n_tasks = 1;
    assert_int_equal(eval_runs_compare(runs, 2, &o, &c), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "has no task"));
    o.n_tasks = 0;
    assert_int_equal(eval_runs_compare(runs, 1, &o, &c), BASE_E_ARGUMENT);
    eval_run_close(y);
    static const double other[] = { -1, -1, -1, -1, -1, -1, -1, 1, 0 };
    y = open_as("m", make_samples("acc", other, NULL, 9));
    runs[1] = y;
    assert_int_equal(eval_runs_compare(runs, 2, &o, &c), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "no document in common"));
    eval_run_close(x);
    eval_run_close(y);
}

/* Equal documents are items of their own: the first is matched with the first. */
static void test_repeated_documents(void **state)
{
    (void)state;
    struct eval_run *r[2];
    for (int k = 0; k < 2; k++) {
        const char *path = test_temporary_path(".jsonl");
        FILE *f = fopen(path, "w");
        for (int i = 0; i < 6; i++)
            fprintf(f, "{\"doc_id\": %d, \"doc\": \"same\", \"acc\": %d}\n", i,
                    k ? i % 2 : i % 2 || i == 4);
        fclose(f);
        r[k] = open_as("same", path);
    }
    struct eval_runs_comparison c = compare2(r[0], r[1], NULL);
    assert_int_equal(c.tasks[0].n, 6);
    assert_true(c.tasks[0].pairs->only_a == 1 && c.tasks[0].pairs->only_b == 0);
    eval_runs_comparison_free(&c);
    eval_run_close(r[0]);
    eval_run_close(r[1]);
}

static void test_many_runs(void **state)
{
    (void)state;
    char directory[4][256];
    struct eval_run *runs[4];
    for (unsigned k = 0; k < 4; k++) {
        snprintf(directory[k], sizeof directory[k], "%s", test_temporary_path("-run"));
        run_make(directory[k], k, 400, NULL);
        if (eval_run_open(&runs[k], directory[k], NO_STORE))
            fail_msg("%s", base_error_message());
    }
    struct eval_runs_options o = EVAL_RUNS_OPTIONS_DEFAULT;
    struct eval_runs_comparison c;
    assert_int_equal(eval_runs_compare((const struct eval_run *const *)runs, 4, &o, &c), 0);
    assert_int_equal(c.n_tasks, 2);
    assert_int_equal(c.tests, 12);
    const struct eval_runs_task *t = &c.tasks[0];
    assert_int_equal(t->n, 400);
    assert_int_equal(t->n_pairs, 6);
    assert_true(t->has_cochran);
    /* Q = (k-1) (k sum G_j^2 - T^2) / (k T - sum L_i^2) */
    double g[4] = { 0 }, total = 0, squares = 0, columns = 0;
    for (size_t i = 0; i < 400; i++) {
        double row = 0;
        for (unsigned k = 0; k < 4; k++) {
            g[k] += run_right(k, i);
            row += run_right(k, i);
        }
        squares += row * row;
        total += row;
    }
    for (unsigned k = 0; k < 4; k++)
        columns += g[k] * g[k];
    close_to(t->cochran.q, 3 * (4 * columns - total * total) / (4 * total - squares), 1e-12);
    close_to(t->cochran.df, 3, 0);
    /* corrected over all 12: no p falls, none grows more than twelvefold */
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 6; k++) {
            const struct eval_runs_pair *p = &c.tasks[i].pairs[k];
            assert_true(p->bh >= p->p * (1 - 1e-12) && p->holm >= p->bh * (1 - 1e-12));
            assert_true(p->holm <= fmin(1, 12 * p->p) * (1 + 1e-12));
        }
    json_t *json = eval_runs_comparison_json(&c);
    const json_t *task = json_object_get(json_object_get(json, "tasks"), "sums");
    assert_int_equal(json_array_size(json_object_get(task, "pairs")), 6);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(task, "pairs"), 5), "run_b")),
                        "D");
    json_decref(json);
    eval_runs_comparison_free(&c);
    /* two of them: all tasks together */
    c = compare2(runs[0], runs[1], NULL);
    assert_int_equal(c.overall.tasks, 2);
    const struct eval_runs_pair *s = c.tasks[0].pairs, *w = c.tasks[1].pairs;
    close_to(c.overall.macro_difference, (s->difference + w->difference) / 2, 1e-12);
    close_to(c.overall.macro_se, sqrt(s->se * s->se + w->se * w->se) / 2, 1e-12);
    close_to(c.overall.micro_difference, (s->only_a + w->only_a - s->only_b - w->only_b) / 600,
             1e-12);
    close_to(c.overall.micro_b, s->only_a + w->only_a, 0);
    /* "words": clusters of three; se = sqrt(C/(C-1) sum_c (sum_i (d_i - mean))^2) / n */
    double squares_of_sums = 0;
    assert_int_equal(s->clusters, 0);
    assert_int_equal(w->clusters, 67);
    for (size_t k = 0; k < 200; k += 3) {
        double sum = 0;
        for (size_t i = k; i < k + 3 && i < 200; i++)
            sum += run_right(0, i + 1000) - run_right(1, i + 1000) - w->difference;
        squares_of_sums += sum * sum;
    }
    close_to(w->clustered_se, sqrt(67.0 / 66 * squares_of_sums) / 200, 1e-12);
    eval_runs_comparison_free(&c);
    for (unsigned k = 0; k < 4; k++) {
        eval_run_close(runs[k]);
        run_remove(directory[k]);
    }
}

static void test_survives_failed_allocations(void **state)
{
    (void)state;
    struct eval_run *runs[3];
    char directory[3][256];
    for (unsigned k = 0; k < 3; k++) {
        snprintf(directory[k], sizeof directory[k], "%s", test_temporary_path("-run"));
        run_make(directory[k], k, 8, NULL);
        assert_int_equal(eval_run_open(&runs[k], directory[k], NO_STORE), 0);
    }
    for (size_t n_runs = 2; n_runs <= 3; n_runs++) {
        struct eval_runs_options o = EVAL_RUNS_OPTIONS_DEFAULT;
        struct eval_runs_comparison c;
        long live = base_alloc_live();
        int rc = BASE_E_MEMORY;
        for (long n = 1; rc && n < 20000; n++) {
            base_alloc_fail_after(n);
            rc = eval_runs_compare((const struct eval_run *const *)runs, n_runs, &o, &c);
            if (rc == 0)
                eval_runs_comparison_free(&c);
            base_alloc_fail_after(0);
            assert_int_equal(base_alloc_live(), live);
            if (rc)
                assert_int_equal(rc, BASE_E_MEMORY);
        }
        assert_int_equal(rc, 0);
    }
    for (unsigned k = 0; k < 3; k++) {
        eval_run_close(runs[k]);
        run_remove(directory[k]);
    }
}

/* The commands: compare by directory and by id give the same; runs lists, shows, deletes. */
static void test_commands(void **state)
{
    (void)state;
    char directory[300], a[320], b[320], store[320], id[2][16];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-compare"));
    snprintf(a, sizeof a, "%s/a", directory);
    snprintf(b, sizeof b, "%s/b", directory);
    snprintf(store, sizeof store, "%s/store.sqlite", directory);
    run_make(a, 1, 500, id[0]);
    run_make(b, 3, 500, id[1]);
    struct test_run r = test_assay(NULL, "runs", "--json", "--store", store, NULL);
    json_t *none = test_run_json(&r); /* a store that is not there has no runs */
    assert_int_equal(r.rc, 0);
    assert_int_equal(json_array_size(json_object_get(none, "runs")), 0);
    json_decref(none);
    test_run_free(&r);
    r = test_assay(NULL, "compare", "--json", a, b, NULL);
    json_t *by_directory = test_run_json(&r), *by_id, *runs;
    assert_int_equal(r.rc, 0);
    assert_non_null(by_directory);
    test_run_free(&r);
    r = test_assay(NULL, "runs", "import", "--store", store, a, b, NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    r = test_assay(NULL, "compare", "--json", "--store", store, id[0], id[1], NULL);
    by_id = test_run_json(&r);
    assert_non_null(by_id);
    assert_true(json_equal(by_directory, by_id));
    test_run_free(&r);
    const json_t *task = json_object_get(json_object_get(by_id, "tasks"), "sums");
    const json_t *m = json_object_get(task, "mcnemar");
    json_int_t only_a = 0, only_b = 0;
    for (size_t i = 0; i < 500; i++) {
        only_a += run_right(1, i) && !run_right(3, i);
        only_b += !run_right(1, i) && run_right(3, i);
    }
    assert_int_equal(json_integer_value(json_object_get(m, "b")), only_a);
    assert_int_equal(json_integer_value(json_object_get(m, "c")), only_b);
    json_decref(by_directory);
    json_decref(by_id);
    /* for people: every line fits 80 columns */
    static const char *const says[] = { "A  run", "p (Holm)", "ahead by", "All 2 tasks",
                                        "B right" };
    r = test_assay(NULL, "compare", a, b, NULL);
    assert_int_equal(r.rc, 0);
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        if (!strstr(r.out, says[i]))
            fail_msg("no \"%s\" in:\n%s", says[i], r.out);
    for (char *line = r.out, *end; (end = strchr(line, '\n')); line = end + 1)
        if (end - line > 80)
            fail_msg("more than 80 columns: %.*s", (int)(end - line), line);
    test_run_free(&r);
    r = test_assay(NULL, "compare", a, b, a, "--details", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "Cochran's Q"));
    test_run_free(&r);
    r = test_assay(NULL, "runs", "--json", "--store", store, NULL);
    runs = test_run_json(&r);
    assert_int_equal(json_array_size(json_object_get(runs, "runs")), 2);
    json_decref(runs);
    test_run_free(&r);
    r = test_assay(NULL, "runs", "show", id[0], "--store", store, NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "model-1"));
    assert_non_null(strstr(r.out, "wilson"));
    test_run_free(&r);
    r = test_assay(NULL, "runs", "delete", id[0], "--store", store, NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    r = test_assay(NULL, "runs", "show", id[0], "--store", store, NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "no run of that id"));
    test_run_free(&r);
    r = test_assay(NULL, "runs", "frobnicate", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    r = test_assay(NULL, "compare", a, NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    r = test_assay(NULL, "compare", a, "/nonexistent", NULL);
    assert_int_equal(r.rc, 1);
    test_run_free(&r);
    run_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_pairs), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_perplexities),    cmocka_unit_test(test_class_metrics),
        cmocka_unit_test(test_matching),        cmocka_unit_test(test_repeated_documents),
        cmocka_unit_test(test_many_runs),       cmocka_unit_test(test_survives_failed_allocations),
        cmocka_unit_test(test_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
