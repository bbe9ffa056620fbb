/* assay sample and assay split: the contract of columns for every method, input from a pipe, other
 * formats, the summary, determinism, and what is refused with which exit code. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

#define SURVEY_COLUMNS                                                                             \
    "id,joined,region,company,company_size,sector,role,age,remote,hours,income,stress,treatment,"  \
    "referred_by,comment"
#define DESIGN_COLUMNS ",_pi,_weight,_stratum,_psu,_fpc"

static void every_method_writes_the_columns(void **state)
{
    (void)state;
    static char *const methods[][8] = {
        { "random", "-n", "20" },
        { "random", "--frac", "0.01" },
        { "systematic", "-n", "20" },
        { "stratified", "--by", "region", "-n", "20" },
        { "weighted", "--weights", "company_size", "-n", "20" },
        { "pps", "--size", "company_size", "-n", "20" },
        { "cluster", "--cluster", "company", "-n", "1" },
        { "reservoir", "-n", "20" },
        { "balanced", "--on", "hours,company_size", "-n", "20" },
        { "bernoulli", "--frac", "0.01" },
        { "convenience", "-n", "20" },
        { "quota", "--by", "region", "-n", "5" },
        { "purposive", "--where", "age > 60" },
    };
    for (size_t k = 0; k < sizeof methods / sizeof *methods; k++) {
        char *argv[16] = { "./assay", "sample" };
        int n = 2;
        for (int i = 0; i < 8 && methods[k][i]; i++)
            argv[n++] = methods[k][i];
        argv[n] = "builtin:survey";
        struct test_run r = test_spawn(argv, NULL), again = test_spawn(argv, NULL);
        assert_int_equal(r.rc, 0);
        char *end = strchr(r.out, '\n');
        *end = 0;
        assert_string_equal(r.out, SURVEY_COLUMNS DESIGN_COLUMNS);
        assert_true(strlen(end + 1) > 100);
        *end = '\n';
        assert_string_equal(r.out, again.out); /* the same seed */
        assert_int_equal(strncmp(r.err, methods[k][0], strlen(methods[k][0])), 0);
        test_run_free(&r);
        test_run_free(&again);
    }
    struct test_run r = test_assay(NULL, "sample", "cluster", "--cluster", "company", "-n", "2",
                                   "--second", "3", "builtin:survey", NULL);
    assert_non_null(strstr(r.out, SURVEY_COLUMNS DESIGN_COLUMNS ",_fpc2\n"));
    test_run_free(&r);
    r = test_assay(NULL, "sample", "snowball", "--id", "id", "--referrer", "referred_by", "-n", "2",
                   "builtin:survey", NULL);
    assert_non_null(strstr(r.out, SURVEY_COLUMNS DESIGN_COLUMNS ",_wave\n"));
    test_run_free(&r);
}

static void pipes_and_formats(void **state)
{
    (void)state;
    /* a design that reads twice, from a pipe; quoted line ends stay as they were */
    struct test_run r = test_assay("a,b\r\n1,\"x\r\ny\"\r\n2,z", "sample", "stratified", "--by",
                                   "a", "--singletons", "-n", "2", "-", NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out, "a,b" DESIGN_COLUMNS "\n1,\"x\r\ny\",1,1,1,1,1\n2,z,1,1,2,2,1\n");
    test_run_free(&r);
    r = test_assay("a\tb\n\"q\t2\n", "sample", "random", "-n", "1", "--format", "tsv", "-", NULL);
    assert_string_equal(r.out, "a,b" DESIGN_COLUMNS "\n\"\"\"q\",2,1,1,,1,1\n");
    test_run_free(&r);
    static const char *const names[] = { "three.jsonl.gz", "three.jsonl.bz2", "three.jsonl.zst" };
    for (int k = 0; k < 3; k++) {
        char path[64];
        snprintf(path, sizeof path, "tests/data/data/%s", names[k]);
        r = test_assay(NULL, "sample", "random", "--frac", "1", "--to", "tsv", path, NULL);
        assert_int_equal(r.rc, 0);
        assert_non_null(strstr(r.out, "text\tn\t_pi\t_weight\t_stratum\t_psu\t_fpc\n"
                                      "first\t1\t1\t1\t\t1\t3\n"));
        test_run_free(&r);
    }
    r = test_assay("1 2\n3   4\n", "sample", "convenience", "-n", "2", "--delimiter", "space",
                   "--no-header", "--plain", "--to", "jsonl", "-", NULL);
    assert_string_equal(r.out, "{\"0\": 1, \"1\": 2}\n{\"0\": 3, \"1\": 4}\n");
    test_run_free(&r);
}

static void summary(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".csv");
    struct test_run r = test_assay(NULL, "sample", "stratified", "--by", "region", "-n", "100",
                                   "--json", "-o", path, "builtin:survey", NULL);
    assert_int_equal(r.rc, 0);
    json_t *j = test_run_json(&r), *strata = json_object_get(j, "strata");
    assert_int_equal(json_integer_value(json_object_get(j, "n")), 100);
    assert_int_equal(json_array_size(strata), 4);
    assert_true(fabs(json_real_value(json_object_get(j, "sum_of_weights")) - 2000) < 1e-9);
    json_int_t n = 0;
    for (size_t h = 0; h < 4; h++)
        n += json_integer_value(json_object_get(json_array_get(strata, h), "n"));
    assert_int_equal(n, 100);
    json_decref(j);
    test_run_free(&r);
    FILE *f = fopen(path, "r"); /* -o has the rows */
    char line[512];
    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line, SURVEY_COLUMNS DESIGN_COLUMNS "\n");
    fclose(f);
    unlink(path);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        char *argv[8];
        const char *input;
        int rc;
        const char *message;
    } bad[] = {
        { { "sample" }, NULL, 2, "give a METHOD and a FILE" },
        { { "sample", "some", "builtin:survey" }, NULL, 2, "choose random, bernoulli" },
        { { "sample", "random", "builtin:survey" }, NULL, 1, "random needs -n or --frac" },
        { { "sample", "random", "-n", "-1", "builtin:survey" }, NULL, 2, "must be positive" },
        { { "sample", "random", "-n", "2001", "builtin:survey" }, NULL, 1, "only 2000" },
        { { "sample", "random", "-n", "1", "builtin:nothing" }, NULL, 1, "there are: survey" },
        { { "sample", "random", "-n", "1", "/nonexistent.csv" }, NULL, 1, "cannot open" },
        { { "sample", "random", "-n", "1", "-" }, "", 1, "is empty" },
        { { "sample", "random", "-n", "1", "-" }, "a,a\n", 1, "both named \"a\"" },
        { { "sample", "random", "-n", "1", "-" },
          "a,b\n1,2\n3\n",
          1,
          "standard input:3: expected" },
        { { "sample", "random", "--frac", "1", "-" }, "a,b\n1,2\n3\n", 1, "standard input:3:" },
        { { "sample", "random", "-n", "1", "-" }, "a,b\n1,\"2\n", 1, "never closed" },
        { { "sample", "random", "-n", "1", "-" }, "{\"a\":1}\n", 1, "looks like JSON Lines" },
        { { "sample", "pps", "--size", "x", "--using", "z", "-n", "1" }, "x\n1\n", 2, "METHOD" },
        { { "sample", "random", "-n", "1", "-o", "/tmp/s.csv.gz", "builtin:survey" },
          NULL,
          2,
          "written uncompressed" },
        { { "split", "builtin:survey" }, NULL, 2, "say how large" },
        { { "split", "--test", "1.5", "builtin:survey" }, NULL, 2, "a share below 1" },
        { { "split", "--test", "2000", "builtin:survey" }, NULL, 1, "nothing is left for train" },
        { { "split", "--test", "0.5", "--time", "age", "builtin:survey" },
          NULL,
          1,
          "column age has no value" },
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        char *argv[10] = { "./assay" };
        for (int i = 0; i < 8 && bad[k].argv[i]; i++)
            argv[i + 1] = bad[k].argv[i];
        struct test_run r = test_spawn(argv, bad[k].input);
        if (r.rc != bad[k].rc || !strstr(r.err, bad[k].message))
            fail_msg("%zu: exit %d: %s", k, r.rc, r.err);
        assert_string_equal(r.out, "");
        test_run_free(&r);
    }
}

static void splits(void **state)
{
    (void)state;
    struct test_run r = test_assay("v\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "split", "--in-order",
                                   "--test", "0.25", "--validation", "2", "-", NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out, "v,_part\n1,train\n2,train\n3,train\n4,train\n5,train\n"
                               "6,validation\n7,validation\n8,test\n9,test\n10,test\n");
    test_run_free(&r);
    r = test_assay("v,t\n1,9\n2,10\n3,8\n4,8\n", "split", "--time", "t", "--test", "1", "--train",
                   "2", "--column", "p", "-", NULL);
    assert_string_equal(r.out, "v,t,p\n1,9,train\n2,10,test\n4,8,train\n");
    test_run_free(&r);
    char prefix[256], path[300], line[64];
    snprintf(prefix, sizeof prefix, "%s", test_temporary_path(""));
    r = test_assay("v\n1\n2\n3\n4\n5\n", "split", "--in-order", "--folds", "2", "--files", prefix,
                   "--json", "-", NULL);
    json_t *j = test_run_json(&r);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "folds"), "1")), 3);
    json_decref(j);
    test_run_free(&r);
    snprintf(path, sizeof path, "%s.fold2.csv", prefix);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fread(line, 1, sizeof line, f), 6);
    assert_memory_equal(line, "v\n4\n5\n", 6);
    fclose(f);
    unlink(path);
    snprintf(path, sizeof path, "%s.fold1.csv", prefix);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_writes_the_columns),
        cmocka_unit_test(pipes_and_formats),
        cmocka_unit_test(summary),
        cmocka_unit_test(refusals),
        cmocka_unit_test(splits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
