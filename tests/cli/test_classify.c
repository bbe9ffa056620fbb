/* assay classify and classify predict as a user meets them: the contract for scripts, the table,
 * what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include <math.h>

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static double cell(const json_t *matrix, size_t i, size_t j)
{
    return json_number_value(json_array_get(json_array_get(matrix, i), j));
}

static void test_contract(void **state)
{
    (void)state;
    struct test_run r =
        test_assay(NULL, "classify", "--text", "ingredients", "--label", "cuisine", "--positive",
                   "indian", "--test-every", "4", "--compare", "none,under,over,smote,weights",
                   "--resamples", "100", "--json", "builtin:recipes", NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.err, "");
    json_t *out = test_run_json(&r);
    assert_non_null(out);
    assert_true(number(out, "terms") == 124);
    assert_true(number(out, "test") == 500);
    const json_t *strategies = json_object_get(out, "strategies");
    assert_int_equal(json_object_size(strategies), 5);
    const char *name;
    json_t *s;
    json_object_foreach((json_t *)strategies, name, s)
    {
        const json_t *m = json_object_get(s, "confusion");
        double tn = cell(m, 0, 0), fp = cell(m, 0, 1), fn = cell(m, 1, 0), tp = cell(m, 1, 1);
        assert_true(tn + fp + fn + tp == 500);
        assert_true(fn + tp == 24);
        assert_true(fabs(number(s, "tpr") - tp / (fn + tp)) < 1e-12);
        assert_true(fabs(cell(json_object_get(s, "by_row"), 0, 0) - tn / (tn + fp)) < 1e-12);
    }
    assert_int_equal(json_array_size(json_object_get(out, "paired")), 4);
    json_decref(out);
    test_run_free(&r);
}

static void test_splits_and_seeds(void **state)
{
    (void)state;
    char *before = NULL;
    for (int k = 0; k < 3; k++) {
        struct test_run r =
            test_assay(NULL, "classify", "--text", "ingredients", "--label", "cuisine",
                       "--positive", "indian", "--test-fraction", ".25", "--stratify", "--compare",
                       "none,under", "--resamples", "100", "--seed", k == 2 ? "1" : "0",
                       "--threads", k == 1 ? "3" : "1", "--json", "builtin:recipes", NULL);
        assert_int_equal(r.rc, 0);
        if (k == 1)
            assert_string_equal(r.out, before);
        if (k == 2)
            assert_string_not_equal(r.out, before);
        if (k)
            free(before);
        before = strdup(r.out);
        test_run_free(&r);
    }
    free(before);
    struct test_run r = test_assay(
        NULL, "classify", "--columns", "minutes", "--categories", "course", "--label", "cuisine",
        "--folds", "4", "--repeats", "2", "--compare", "none,weights", "--standardise",
        "--resamples", "100", "--learner", "logistic", "--json", "builtin:recipes", NULL);
    assert_int_equal(r.rc, 0);
    json_t *out = test_run_json(&r);
    assert_true(json_is_null(json_object_get(out, "terms")));
    assert_true(number(out, "columns") == 5);
    assert_true(number(out, "test") == 2000);
    const json_t *s = json_object_get(json_object_get(out, "strategies"), "weights");
    assert_int_equal(json_array_size(json_object_get(s, "confusion")), 6);
    assert_non_null(json_object_get(json_object_get(s, "spread"), "mcc"));
    assert_non_null(json_object_get(json_object_get(s, "probabilities"), "corrected"));
    json_decref(out);
    test_run_free(&r);
}

static void test_table(void **state)
{
    (void)state;
    setenv("COLUMNS", "80", 1);
    struct test_run r =
        test_assay(NULL, "classify", "--text", "ingredients", "--label", "cuisine", "--positive",
                   "indian", "--repeats", "2", "--resamples", "100", "--learner", "logistic",
                   "--compare", "none,over,weights", "builtin:recipes", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "strategy     TNR     TPR"));
    assert_non_null(strstr(r.out, "Warning: weights and resampling"));
    for (const char *line = r.out; *line;) {
        size_t n = strcspn(line, "\n");
        size_t wide = 0;
        for (size_t i = 0; i < n; i++)
            wide += (line[i] & 0xc0) != 0x80;
        if (wide > 80)
            fail_msg("%zu columns: %.*s", wide, (int)n, line);
        line += n + (line[n] == '\n');
    }
    unsetenv("COLUMNS");
    test_run_free(&r);
}

/* No test row is positive: there is no share of them. */
static void test_nothing_positive(void **state)
{
    (void)state;
    struct test_run r =
        test_assay("x,y\n1,a\n2,b\n3,a\n4,a\n5,a\n6,b\n", "classify", "--columns", "x", "--label",
                   "y", "--test-every", "2", "--resamples", "100", "-", NULL);
    assert_int_equal(r.rc, 0);
    assert_null(strstr(r.out, "nan"));
    test_run_free(&r);
    /* nor is there a curve; the other pictures and the model are made all the same */
    const char *prefix = test_temporary_path(""), *model = test_temporary_path(".model");
    r = test_assay("x,y\n1,a\n2,b\n3,a\n4,a\n5,a\n6,b\n", "classify", "--columns", "x", "--label",
                   "y", "--test-every", "2", "--resamples", "100", "--plots", prefix,
                   "--plot-format", "svg", "--save", model, "-", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.err, "all test rows are of one class"));
    test_run_free(&r);
    static const char *const names[] = { "roc", "pr", "rates", "confusion-none" };
    for (size_t i = 0; i < 4; i++) {
        char path[600], text[65536];
        snprintf(path, sizeof path, "%s-%s.svg", prefix, names[i]);
        FILE *f = fopen(path, "r");
        assert_int_equal(f != NULL, i >= 2);
        if (!f)
            continue;
        text[fread(text, 1, sizeof text - 1, f)] = 0;
        assert_null(strstr(text, "nan"));
        fclose(f);
        unlink(path);
    }
    /* scores of a support vector machine are no probabilities */
    r = test_assay("x\n1\n", "classify", "predict", model, "-", "--threshold", "0.9", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "--threshold is for a logistic classifier"));
    test_run_free(&r);
    unlink(model);
}

static void test_predict(void **state)
{
    (void)state;
    const char *model = test_temporary_path(".model"), *out = test_temporary_path(".csv");
    struct test_run r = test_assay(NULL, "classify", "--text", "ingredients", "--label", "cuisine",
                                   "--positive", "indian", "--learner", "logistic", "--compare",
                                   "none,weights", "--use", "weights", "--save", model,
                                   "--resamples", "100", "--quiet", "builtin:recipes", NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    r = test_assay(NULL, "classify", "predict", model, "builtin:recipes", "--label", "cuisine",
                   "--json", NULL);
    assert_int_equal(r.rc, 0);
    json_t *json = test_run_json(&r);
    assert_int_equal(json_array_size(json_object_get(json, "predictions")), 2000);
    const json_t *m = json_object_get(json, "confusion");
    assert_true(cell(m, 1, 0) + cell(m, 1, 1) == 100);
    assert_true(number(json_object_get(json, "measures"), "mcc") > 0.6);
    json_decref(json);
    test_run_free(&r);
    /* a table with other columns in another order, quotes kept, from standard input to a file */
    r = test_assay("ingredients,note\n\"garam masala, turmeric, ghee\",\"a \"\"b\"\"\"\n"
                   "\"basil, parmesan cheese\",\n",
                   "classify", "predict", model, "-", "-o", out, "--prior", "0.5", NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    char text[2048] = "";
    FILE *f = fopen(out, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    const char *head = "ingredients,note,_predicted,_score,_probability\n"
                       "\"garam masala, turmeric, ghee\",\"a \"\"b\"\"\",indian,";
    assert_memory_equal(text, head, strlen(head));
    assert_non_null(strstr(text, "\n\"basil, parmesan cheese\",,other,-"));
    r = test_assay("ingredients\nghee\n", "classify", "predict", model, "-", "--prior", "0.5,0.5",
                   "--json", NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    r = test_assay("ingredients\nghee\n", "classify", "predict", model, "-", "--prior", "0.5,0.6",
                   NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "add up to 1.1"));
    test_run_free(&r);
    r = test_assay("note\nx\n", "classify", "predict", model, "-", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "ingredients"));
    test_run_free(&r);
    r = test_assay("x", "classify", "predict", out, "-", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "not a classifier"));
    test_run_free(&r);
    unlink(model);
    unlink(out);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[10], *says;
        int rc;
    } cases[] = {
        { { "--label", "cuisine" }, "--text, --columns or --categories", 2 },
        { { "--text", "ingredients" }, "--label", 2 },
        { { "--text", "ingredients", "--label", "cuisine", "--compare", "none,smoot" },
          "no resampling is called 'smoot'",
          2 },
        { { "--text", "ingredients", "--label", "cuisine", "--compare", "over,random-over" },
          "are the same",
          2 },
        { { "--text", "ingredients", "--label", "cuisine", "--test-every", "4", "--folds", "3" },
          "exclude each other",
          2 },
        { { "--text", "ingredients", "--label", "cuisine", "--positive", "norse" }, "norse", 1 },
        { { "--text", "ingredience", "--label", "cuisine" }, "ingredients", 1 },
        { { "--columns", "cuisine", "--label", "course" }, "is not a number", 1 },
        { { "--categories", "cuisine", "--label", "cuisine" }, "cannot be learnt from", 2 },
        { { "--text", "ingredients", "--label", "cuisine", "--min-df", "3000" },
          "no term can be kept",
          1 },
        { { "--text", "ingredients", "--label", "cuisine", "--solver", "dual", "--learner",
            "logistic" },
          "liblinear",
          1 },
        { { "--text", "ingredients", "--label", "id", "--positive", "7", "--folds", "2" },
          "class 7 has 1 row",
          1 },
        { { "--text", "ingredients", "--label", "cuisine", "--compare", "smotenc" },
          "--categories",
          1 },
        /* a failure says once which strategy it was, and of which file */
        { { "--text", "ingredients", "--label", "cuisine", "--compare", "smote", "--neighbours",
            "5000" },
          "assay classify: builtin:recipes: smote: class",
          1 },
        /* options that this run would not look at */
        { { "--columns", "minutes", "--label", "cuisine", "--ngrams", "2" }, "--text", 2 },
        { { "--columns", "minutes", "--label", "cuisine", "--norm", "l1" }, "--text", 2 },
        { { "--columns", "minutes", "--label", "cuisine", "--no-idf" }, "--text", 2 },
        { { "--text", "ingredients", "--label", "cuisine", "--standardise" }, "--columns", 2 },
        { { "--text", "ingredients", "--label", "cuisine", "--plot-format", "svg" }, "--plots", 2 },
        { { "--text", "ingredients", "--label", "cuisine", "--neighbours", "3" },
          "--neighbours is for",
          2 },
        { { "--text", "ingredients", "--label", "cuisine", "--compare", "smote", "--vote", "all" },
          "--vote is for",
          2 },
        { { "--text", "ingredients", "--label", "cuisine", "--compare", "smote", "--danger", "5" },
          "--danger is for",
          2 },
        { { "--text", "ingredients", "--label", "cuisine", "--compare", "weights", "--ratio",
            ".5" },
          "--ratio is for",
          2 },
        /* 0 is no number of neighbours, terms or rows */
        { { "--text", "ingredients", "--label", "cuisine", "--compare", "smote", "--neighbours",
            "0" },
          "--neighbours is at least 1",
          2 },
        { { "--text", "ingredients", "--label", "cuisine", "--max-terms", "0" },
          "--max-terms is at least 1",
          2 },
        { { "--text", "ingredients", "--label", "cuisine", "--max-df", "0" }, "--max-df 0", 2 },
        { { "--text", "ingredients", "--label", "cuisine", "--compare", "over", "--ratio", "0" },
          "--ratio is above 0",
          2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *argv[16] = { (char *)"./assay", (char *)"classify" };
        int n = 2;
        for (size_t k = 0; k < 10 && cases[i].arguments[k]; k++)
            argv[n++] = (char *)cases[i].arguments[k];
        argv[n++] = (char *)"builtin:recipes";
        struct test_run r = test_spawn(argv, NULL);
        if (r.rc != cases[i].rc || !strstr(r.err, cases[i].says))
            fail_msg("case %zu: exit %d, %s", i, r.rc, r.err);
        assert_string_equal(r.out, "");
        test_run_free(&r);
    }
}

static void test_files(void **state)
{
    (void)state;
    const char *prefix = test_temporary_path("");
    const char *csv = test_temporary_path(".csv");
    struct test_run r =
        test_assay(NULL, "classify", "--text", "ingredients", "--label", "cuisine", "--positive",
                   "indian", "--compare", "none,weights", "--plots", prefix, "--plot-format", "svg",
                   "--predictions", csv, "--resamples", "100", "--quiet", "builtin:recipes", NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    static const char *const names[] = { "roc", "pr", "rates", "confusion-none",
                                         "confusion-weights" };
    for (size_t i = 0; i < 5; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s-%s.svg", prefix, names[i]);
        struct stat info;
        assert_int_equal(stat(path, &info), 0);
        assert_true(info.st_size > 500);
        unlink(path);
    }
    char line[256];
    FILE *f = fopen(csv, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line, "row,truth,none,none_score,weights,weights_score\n");
    size_t lines = 0;
    while (fgets(line, sizeof line, f))
        lines++;
    fclose(f);
    assert_int_equal(lines, 500);
    unlink(csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_splits_and_seeds),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_predict),
        cmocka_unit_test(test_nothing_positive),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
