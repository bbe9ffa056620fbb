/* The `assay stats` commands as scripts and people use them: the contract's objects, every
 * subcommand on one file, and what is said about input that cannot be used. */
#include "stats_support.h"

#define ITEMS "tests/stats/data/items.csv"

/* Standard output of a successful run as JSON; the test fails with what was said otherwise. */
__attribute__((sentinel)) static json_t *json_of(const char *input, ...)
{
    char *argv[32] = { (char *)"./assay", (char *)"stats" };
    const char *program = getenv("ASSAY_PROGRAM");
    int n = 2;
    va_list arguments;
    if (program && *program)
        argv[0] = (char *)(uintptr_t)program;
    va_start(arguments, input);
    for (char *a; n < 30 && (a = va_arg(arguments, char *)) != NULL;)
        argv[n++] = a;
    va_end(arguments);
    argv[n] = (char *)"--json";
    struct test_run r = test_spawn(argv, input);
    if (r.rc != 0)
        fail_msg("exit %d: %s", r.rc, r.err);
    json_t *value = test_run_json(&r);
    assert_non_null(value);
    test_run_free(&r);
    return value;
}

static double at(const json_t *o, const char *key, const char *inner)
{
    const json_t *v = json_object_get(o, key);
    return num(inner ? v : o, inner ? inner : key);
}

static void contract(void **state)
{
    (void)state;
    json_t *o = json_of(NULL, "mcnemar", "--b", "1", "--c", "7", NULL);
    NEAR(num(o, "exact"), 0.0703125, 1e-15);
    NEAR(num(o, "midp"), 0.0390625, 1e-15);
    NEAR(num(o, "chi2"), 0.0338948535, 1e-10);
    NEAR(num(o, "chi2_corrected"), 0.0770998717, 1e-10);
    json_decref(o);
    o = json_of(NULL, "ci", "--successes", "8", "--n", "10", NULL);
    NEAR(num_at(o, "wilson", 0), 0.4901624715, 1e-10);
    NEAR(num_at(o, "clopper_pearson", 1), 0.9747892737, 1e-9);
    NEAR(num_at(o, "agresti_coull", 0), 0.4793675906, 1e-9); /* statsmodels */
    NEAR(num_at(o, "jeffreys", 1), 0.9559405865, 1e-9);
    json_decref(o);
    o = json_of("27\n19\n30\n28\n23\n31\n41\n53\n33\n97\n44\n26\n25\n37\n35\n20\n", "bootstrap",
                "--stat", "mean", "--resamples", "10000", "-", NULL);
    NEAR(num(o, "estimate"), 35.5625, 1e-12);
    assert_true(num_at(o, "bca", 0) > num_at(o, "percentile", 0));
    NEAR(num_at(o, "basic", 0), 2 * 35.5625 - num_at(o, "percentile", 1), 1e-12);
    json_decref(o);
    o = json_of(NULL, "adjust", "--method", "holm", "0.01", "0.04", "0.03", NULL);
    NEAR(num_at(o, "adjusted", 0), 0.03, 1e-15);
    NEAR(num_at(o, "adjusted", 1), 0.06, 1e-15);
    NEAR(num_at(o, "adjusted", 2), 0.06, 1e-15);
    json_decref(o);
    o = json_of(NULL, "power", "--difference", "0.03", "--w2", "0.1111111111111111", NULL);
    NEAR(num(o, "n"), 969, 0);
    json_decref(o);
}

static void every_command(void **state)
{
    (void)state;
    json_t *o = json_of(NULL, "describe", ITEMS, "--column", "seconds", "--column", "3", NULL);
    NEAR(num(o, "n"), 120, 0);
    assert_non_null(json_object_get(json_object_get(o, "columns"), "length"));
    json_decref(o);
    o = json_of(NULL, "ci", ITEMS, "--column", "seconds", "--cluster", "passage", NULL);
    NEAR(num(o, "clusters"), 30, 0);
    NEAR(num(o, "df"), 29, 0);
    json_decref(o);
    o = json_of(NULL, "ci", ITEMS, "--column", "small", NULL);
    NEAR(num(o, "proportion"), num(o, "successes") / 120, 1e-15);
    json_decref(o);
    o = json_of(NULL, "paired", ITEMS, "--first", "small", "--second", "large", NULL);
    NEAR(num(o, "difference"), num(o, "a") - num(o, "b"), 1e-15);
    NEAR(num(o, "difference") * 120, at(o, "mcnemar", "b") - at(o, "mcnemar", "c"), 1e-12);
    json_decref(o);
    o = json_of(NULL, "mcnemar", ITEMS, "--scores", "small,large,chance", NULL);
    NEAR(num(o, "df"), 2, 0);
    json_decref(o);
    o = json_of(NULL, "test", ITEMS, "--column", "seconds", "--group", "kind", NULL);
    NEAR(num(o, "n") + num(o, "m"), 120, 0);
    json_decref(o);
    o = json_of(NULL, "test", ITEMS, "--first", "seconds", "--second", "seconds_b", "--test",
                "paired-permutation", "--resamples", "999", NULL);
    NEAR(num(o, "p"), 0.001, 1e-15);
    json_decref(o);
    o = json_of(NULL, "power", "--test", "t-one", "--effect", "0.2", "--power", "0.8", NULL);
    NEAR(num(o, "n"), 199, 0);
    json_decref(o);
    o = json_of(NULL, "power", "--test", "width", "--p", "0.7", "--width", "0.04", NULL);
    NEAR(num(o, "n"), 2014, 0);
    json_decref(o);
    o = json_of(NULL, "correlation", ITEMS, "--first", "seconds", "--second", "seconds_b", NULL);
    assert_true(at(o, "pearson", "r") > 0.8 && at(o, "kendall", "p") < 1e-20);
    json_decref(o);
    o = json_of(NULL, "regression", ITEMS, "--y", "seconds", "--x", "length", "--x", "seconds_b",
                NULL);
    NEAR(num(o, "df"), 117, 0);
    assert_int_equal(json_array_size(json_object_get(o, "coefficients")), 3);
    json_decref(o);
    o = json_of(NULL, "classification", ITEMS, "--truth", "gold", "--score", "confidence", NULL);
    assert_true(at(json_object_get(o, "metrics"), "roc_auc", "value") > 0.9);
    assert_int_equal(json_array_size(json_object_get(o, "bins")), 10);
    json_decref(o);
    o = json_of(NULL, "classification", ITEMS, "--truth", "gold", "--predicted", "answer",
                "--positive", "no", NULL);
    assert_true(at(json_object_get(o, "metrics"), "recall", "value") > 0.8);
    json_decref(o);
}

/* Every way numbers come gives the same mean. */
static void ways_in(void **state)
{
    (void)state;
    const char *const texts[] = { "1\n2\n6\n",
                                  "\n 1 \n2\n\n6",
                                  "[1, 2, 6]",
                                  "[{\"v\":1},{\"v\":2},{\"v\":6}]",
                                  "v\tw\n1\tx\n2\ty\n6\tz\n",
                                  "v,w\n1,x\n2,y\n6,\"z,z\"\n" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *o = i < 4 ? json_of(texts[i], "describe", "-", NULL)
                          : json_of(texts[i], "describe", "-", "--column", "v", NULL);
        NEAR(num(o, "mean"), 3, 1e-15);
        json_decref(o);
    }
    const char *path = test_temporary_path(".csv");
    test_write_file(path, "v,w\n1,a\n,a\nNaN,a\n2,a\n6,a\n", 25);
    json_t *o = json_of(NULL, "describe", path, "--column", "v", "--skip-missing", NULL);
    NEAR(num(o, "mean"), 3, 1e-15);
    NEAR(num(o, "skipped"), 2, 0);
    json_decref(o);
    unlink(path);
}

struct refused {
    const char *input, *said;
    int rc;
    const char *argv[8];
};

static void refusals(void **state)
{
    (void)state;
    const struct refused cases[] = {
        { NULL, "11 successes of 10", 1, { "ci", "--successes", "11", "--n", "10" } },
        { NULL, "whole numbers", 2, { "ci", "--successes", "1.5", "--n", "10" } },
        { NULL,
          "--level is between 0 and 1",
          2,
          { "ci", "--successes", "1", "--n", "10", "--level", "95" } },
        { "1\nx\n",
          "standard input:2: column 1: \"x\" is no finite number",
          1,
          { "describe", "-" } },
        { "1\nnan\n", "--skip-missing", 1, { "describe", "-" } },
        { "", "no values", 1, { "describe", "-" } },
        { "[]", "standard input has no values", 1, { "describe", "-" } },
        { "[null]", "no values but missing", 1, { "describe", "-", "--skip-missing" } },
        { "1 2\n3 4\n", "columns 1, 2: say which with --column", 1, { "bootstrap", "-" } },
        { "1\n2\n", "no column \"z\"; it has 1", 1, { "describe", "-", "--column", "z" } },
        { "1\n", "at least 2 values", 1, { "bootstrap", "-" } },
        { "1\n2\n", "choose mean, median", 2, { "bootstrap", "-", "--stat", "mode" } },
        { "1\n2\n", "--resamples is 1 to", 2, { "bootstrap", "-", "--resamples", "0" } },
        { NULL, "--b and --c", 2, { "mcnemar", "--b", "3" } },
        { NULL, "whole and not negative", 1, { "mcnemar", "--b", "-3", "--c", "1" } },
        { "0 1\n1 2\n", "value 2 is 2", 1, { "mcnemar", "-" } },
        { NULL, "p-value 2 is 1.5", 1, { "adjust", "0.5", "1.5" } },
        { NULL,
          "give two of --n, --effect and --power",
          2,
          { "power", "--test", "t-one", "--n", "5" } },
        { NULL,
          "no number of values",
          1,
          { "power", "--test", "t-one", "--effect", "0", "--power", "0.8" } },
        { NULL, "does not go with --test items", 2, { "power", "--p10", "0.1" } },
        { "1 1\n2 1\n3 1\n4 1\n5 1\n", "second column is constant", 1, { "correlation", "-" } },
        { "1 2\n2 4\n", "at least 3 rows", 1, { "regression", "-", "--y", "1", "--x", "2" } },
        { "1 1\n1 0\n",
          "of one class",
          1,
          { "classification", "-", "--truth", "1", "--score", "2", "--positive", "1" } },
    };
    const char *program = getenv("ASSAY_PROGRAM");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *argv[16] = { (char *)(uintptr_t)(program && *program ? program : "./assay"),
                           (char *)"stats" };
        for (int k = 0; k < 8 && cases[i].argv[k]; k++)
            argv[k + 2] = (char *)(uintptr_t)cases[i].argv[k];
        struct test_run r = test_spawn(argv, cases[i].input);
        if (r.rc != cases[i].rc || !strstr(r.err, cases[i].said) || r.out_bytes)
            fail_msg("case %zu (%s): exit %d, \"%s\", expected exit %d and \"%s\"", i,
                     cases[i].argv[0], r.rc, r.err, cases[i].rc, cases[i].said);
        if (r.rc == 1)
            assert_int_equal(strcspn(r.err, "\n") + 1, strlen(r.err)); /* one line */
        test_run_free(&r);
    }
}

static void same_bytes_with_any_threads(void **state)
{
    (void)state;
    struct test_run one = test_assay(NULL, "stats", "bootstrap", ITEMS, "--column", "seconds",
                                     "--json", "--threads", "1", NULL);
    struct test_run three = test_assay(NULL, "stats", "bootstrap", ITEMS, "--column", "seconds",
                                       "--json", "--threads", "3", NULL);
    assert_int_equal(one.rc, 0);
    assert_string_equal(one.out, three.out);
    test_run_free(&one);
    test_run_free(&three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract),
        cmocka_unit_test(every_command),
        cmocka_unit_test(ways_in),
        cmocka_unit_test(refusals),
        cmocka_unit_test(same_bytes_with_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
