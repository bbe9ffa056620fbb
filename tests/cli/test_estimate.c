/* assay estimate, describe and margins as scripts and people run them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static struct test_run run(char *const *arguments, const char *input)
{
    char *argv[40] = { NULL };
    const char *program = getenv("ASSAY_PROGRAM");
    int n = 0;
    argv[n++] = (char *)(program && *program ? program : "./assay");
    while (*arguments)
        argv[n++] = *arguments++;
    return test_spawn(argv, input);
}

static json_t *json_of(char *const *arguments, const char *input)
{
    struct test_run r = run(arguments, input);
    json_t *o = r.rc == 0 ? test_run_json(&r) : NULL;
    if (!o)
        fail_msg("exit %d: %.300s", r.rc, r.err);
    test_run_free(&r);
    return o;
}
#define JSON(input, ...) json_of((char *const[]){ __VA_ARGS__, "--json", NULL }, input)

/* The exit code, and what standard output (0) or standard error holds. */
static void says_(int rc, const char *text, char *const *arguments, const char *input)
{
    struct test_run r = run(arguments, input);
    const char *where = rc ? r.err : r.out;
    if (r.rc != rc || !strstr(where, text) || (rc && r.out_bytes))
        fail_msg("%s: exit %d (wanted %d), out: %.400s err: %.300s (wanted: %s)", arguments[0],
                 r.rc, rc, r.out, r.err, text);
    test_run_free(&r);
}
#define SAYS(rc, text, ...) says_(rc, text, (char *const[]){ __VA_ARGS__, NULL }, NULL)

static double number(const json_t *o, const char *key)
{
    const json_t *x = json_object_get(o, key);
    if (!json_is_number(x))
        fail_msg("%s is no number", key);
    return json_number_value(x);
}

/* y = 1..4, two strata of population 10: mean 2.5, V = (1 - .2) (1/8) (sum of S^2 / 2 ...). */
static const char sample[] = "y,h,N,g,w\n1,a,10,u,5\n2,a,10,v,5\n3,b,10,u,5\n4,b,10,v,5\n";

static void contract(void **state)
{
    (void)state;
    json_t *o = JSON(sample, "estimate", "mean", "-", "--var", "y", "--strata", "h", "--fpc", "N",
                     "--by", "g");
    assert_true(number(o, "estimate") == 2.5);
    /* each stratum: (1 - 2/10) S^2/2 with S^2 = 1/2; weights 1/2 squared */
    assert_true(fabs(number(o, "se") - sqrt(2 * 0.25 * 0.8 * 0.25)) < 1e-12);
    assert_true(number(o, "df") == 2 && number(o, "n") == 4);
    assert_int_equal(json_array_size(json_object_get(o, "ci")), 2);
    number(o, "deff");
    const json_t *list = json_object_get(o, "estimates");
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "domain")), "u");
    assert_true(number(json_array_get(list, 1), "estimate") == 2);
    json_decref(o);
    o = JSON(sample, "estimate", "total", "-", "--weights", "w");
    assert_true(number(o, "estimate") == 20);
    json_decref(o);
    o = JSON(sample, "estimate", "quantile", "-", "--var", "y", "-q", "0.25,0.75", "--weights",
             "w");
    assert_int_equal(json_array_size(json_object_get(o, "estimates")), 2);
    assert_true(number(o, "estimate") == 1);
    json_decref(o);
    o = JSON(sample, "estimate", "proportion", "-", "--var", "g", "--value", "v", "--where",
             "y > 1");
    assert_true(fabs(number(o, "estimate") - 2.0 / 3) < 1e-12);
    json_decref(o);
    o = JSON(sample, "estimate", "mean", "-", "--var", "y", "--weights", "w", "--size", "40");
    assert_true(number(o, "estimate") == 50.0 / 40);
    json_decref(o);
}

static void estimate_usage(void **state)
{
    (void)state;
    SAYS(2, "mean of what?", "estimate", "mean", "x.csv");
    SAYS(2, "median", "estimate", "median", "x.csv", "--var", "y");
    SAYS(2, "--over", "estimate", "ratio", "x.csv", "--var", "y");
    SAYS(2, "--over goes with ratio", "estimate", "mean", "x.csv", "--var", "y", "--over", "x");
    SAYS(2, "--q and --rule", "estimate", "mean", "x.csv", "--var", "y", "-q", "0.5");
    SAYS(2, "between 0 and 1", "estimate", "quantile", "x.csv", "--var", "y", "-q", "1.5");
    SAYS(2, "--joint", "estimate", "mean", "x.csv", "--var", "y", "--pps", "joint");
    SAYS(2, "--no-design", "estimate", "mean", "x.csv", "--var", "y", "--no-design", "--pi", "p");
    SAYS(2, "one FILE", "estimate", "mean", "--var", "y");
    SAYS(1, "no-such-file.csv", "estimate", "mean", "no-such-file.csv", "--var", "y");
    says_(1, "no column \"z\"", (char *const[]){ "estimate", "mean", "-", "--var", "z", NULL },
          sample);
    says_(1, "not a number", (char *const[]){ "estimate", "mean", "-", "--var", "g", NULL },
          sample);
}

/* What assay sample writes is a design, through a pipe. */
static void sampled(void **state)
{
    (void)state;
    struct test_run r = run((char *const[]){ "sample", "stratified", "--by", "region", "-n", "200",
                                             "--seed", "3", "builtin:survey", NULL },
                            NULL);
    assert_int_equal(r.rc, 0);
    json_t *o = JSON(r.out, "estimate", "total", "-");
    assert_true(fabs(number(o, "estimate") - 2000) < 1e-6);
    assert_true(number(o, "strata") == 4 && number(o, "se") < 1e-6);
    json_decref(o);
    o = JSON(r.out, "estimate", "mean", "-", "--var", "hours");
    assert_true(fabs(number(o, "estimate") - 39.6415) < 4 * number(o, "se"));
    json_decref(o);
    o = JSON(r.out, "margins", "-", "builtin:survey", "--by", "region,role");
    const json_t *m = json_object_get(o, "margins"), *test;
    assert_int_equal(json_array_size(m), 2);
    test = json_object_get(json_array_get(m, 0), "test");
    assert_true(json_is_null(json_object_get(test, "p"))); /* fixed by the design */
    test = json_object_get(json_array_get(m, 1), "test");
    assert_true(number(test, "p") >= 0 && number(test, "p") <= 1);
    json_decref(o);
    test_run_free(&r);
}

/* Samples without probabilities: their figures carry the word that says so. */
static void no_probabilities(void **state)
{
    (void)state;
    static char *const designs[][6] = {
        { "convenience", "-n", "40" },
        { "quota", "--by", "region", "-n", "10" },
        { "purposive", "--where", "age > 60" },
        { "random", "-n", "40" },
    };
    for (size_t k = 0; k < 4; k++) {
        char *argv[12] = { "sample" };
        for (int i = 0; designs[k][i]; i++)
            argv[1 + i] = designs[k][i];
        for (int i = 0; i < 12; i++)
            if (!argv[i]) {
                argv[i] = "builtin:survey";
                break;
            }
        struct test_run drawn = run(argv, NULL);
        assert_int_equal(drawn.rc, 0);
        struct test_run r =
            run((char *const[]){ "estimate", "mean", "--var", "hours", "--json", "-", NULL },
                drawn.out);
        assert_int_equal(r.rc, 0);
        assert_int_equal(strstr(r.out, "NO PROBABILITY SAMPLE") != NULL, k < 3);
        test_run_free(&r);
        test_run_free(&drawn);
    }
}

/* Crossed categories whose names are alike are not counted as one. */
static void names_alike(void **state)
{
    (void)state;
    char *const argv[] = { "estimate", "mean", "--var", "v", "--by", "g*h", "--json", "-", NULL };
    struct test_run r = run(argv, "g,h,v\nx / y,z,1\nx / y,z,2\nx,z / y,3\nx,z / y,5\n");
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    r = run(argv, "g,h,v\nx / y,z,1\nx / y,z,2\nx,y / z,3\nx,y / z,5\n");
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, ":4: column g*h: two sets of values have the name"));
    test_run_free(&r);
}

static void describe(void **state)
{
    (void)state;
    json_t *o = JSON(NULL, "describe", "builtin:survey");
    assert_true(number(o, "rows") == 2000);
    bool ages = false;
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(o, "findings"), i, f)
    {
        const char *rule = json_string_value(json_object_get(f, "rule"));
        const char *column = json_string_value(json_object_get(f, "column"));
        ages |= strcmp(rule, "range") == 0 && column && strcmp(column, "age") == 0 &&
                number(f, "count") == 4;
    }
    assert_true(ages);
    json_decref(o);
    SAYS(0, "IMPOSSIBLE", "describe", "builtin:survey");
    SAYS(0, "values outside 20 .. 60", "describe", "--range", "age=20..60", "--columns", "age,role",
         "builtin:survey");
    SAYS(2, "COL=LO..HI", "describe", "--range", "age:20", "builtin:survey");
    SAYS(2, "one FILE", "describe");
    SAYS(2, "--top", "describe", "--top", "0", "builtin:survey");
    says_(1, "standard input:3", (char *const[]){ "describe", "-", NULL }, "a,b\n1,2\n3\n");
    says_(0, "a", (char *const[]){ "describe", "--pad", "-", NULL }, "a,b\n1,2\n3\n");
    says_(0, "2 rows, 2 columns", (char *const[]){ "describe", "--no-header", "-", NULL },
          "5,6\n1,2\n");
    says_(0, "2 rows, 2 columns", (char *const[]){ "describe", "--delimiter", ";", "-", NULL },
          "a;b\n1;2\n3;4\n");
}

/* The same answer from one thread and several, in the sketches too. */
static void describe_threads(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".csv");
    FILE *f = fopen(path, "w");
    fprintf(f, "x,y,s\n");
    for (unsigned i = 0; i < 150000; i++)
        fprintf(f, "%u,%u.5,name %u\n", i * 2654435761u, i % 1000, i % 97);
    fclose(f);
    struct test_run a = run(
        (char *const[]){ "describe", "--json", "--threads", "1", (char *)(uintptr_t)path, NULL },
        NULL);
    struct test_run b = run(
        (char *const[]){ "describe", "--json", "--threads", "4", (char *)(uintptr_t)path, NULL },
        NULL);
    assert_int_equal(a.rc, 0);
    assert_string_equal(a.out, b.out);
    test_run_free(&a);
    test_run_free(&b);
    unlink(path);
}

static void margins(void **state)
{
    (void)state;
    const char *plot = test_temporary_path(".svg");
    SAYS(0, "No test: the design fixes", "margins", "builtin:survey", "builtin:survey", "--by",
         "region", "--finite", "--plot", (char *)(uintptr_t)plot);
    assert_int_equal(access(plot, R_OK), 0);
    unlink(plot);
    SAYS(2, "Give --by", "margins", "builtin:survey", "builtin:survey");
    SAYS(2, "only one", "margins", "-", "-", "--by", "x");
    SAYS(1, "no column \"x\"", "margins", "builtin:survey", "builtin:survey", "--by", "x");
    SAYS(1, "must end in", "margins", "builtin:survey", "builtin:survey", "--by", "region",
         "--plot", "x.bmp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract),         cmocka_unit_test(estimate_usage),
        cmocka_unit_test(sampled),          cmocka_unit_test(no_probabilities),
        cmocka_unit_test(names_alike),      cmocka_unit_test(describe),
        cmocka_unit_test(describe_threads), cmocka_unit_test(margins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
