/* assay embed ...: the contract for scripts, and that threads and ranks change nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "support.h"

static json_t *run_json(struct test_run r)
{
    assert_int_equal(r.rc, 0);
    json_t *o = test_run_json(&r);
    assert_non_null(o);
    test_run_free(&r);
    return o;
}

static double number(json_t *o, const char *key)
{
    json_t *x = json_object_get(o, key);
    assert_true(json_is_number(x));
    return json_number_value(x);
}

static void test_train_and_ask(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".vec"), *binary = test_temporary_path(".bin");
    json_t *o = run_json(test_assay(NULL, "embed", "train", "builtin:stories", "-o", path, "--json",
                                    "--epochs", "20", NULL));
    assert_int_equal(number(o, "documents"), 450);
    assert_int_equal(number(o, "words"), 239);
    assert_true(json_is_false(json_object_get(o, "undertrained")));
    json_decref(o);
    o = run_json(test_assay(NULL, "embed", "similar", path, "boat", "--top", "5", "--json", NULL));
    json_t *list = json_object_get(o, "similar");
    assert_int_equal(json_array_size(list), 5);
    for (size_t i = 0; i + 1 < 5; i++)
        assert_true(number(json_array_get(list, i), "similarity") >=
                    number(json_array_get(list, i + 1), "similarity"));
    json_decref(o);
    o = run_json(test_assay(NULL, "embed", "similarity", path, "boat", "anchor", "boat", "oven",
                            "--json", NULL));
    list = json_object_get(o, "pairs");
    assert_int_equal(json_array_size(list), 2);
    assert_true(number(json_array_get(list, 0), "similarity") >
                number(json_array_get(list, 1), "similarity"));
    json_decref(o);
    o = run_json(
        test_assay(NULL, "embed", "analogy", path, "sailor", "boat", "cook", "--json", NULL));
    assert_int_equal(json_array_size(json_object_get(o, "similar")), 5);
    json_decref(o);
    /* text to binary and back are the same bytes */
    const char *again = test_temporary_path(".vec");
    json_decref(run_json(
        test_assay(NULL, "embed", "convert", path, "-o", binary, "--binary", "--json", NULL)));
    json_decref(
        run_json(test_assay(NULL, "embed", "convert", binary, "-o", again, "--json", NULL)));
    struct test_run a =
        test_spawn((char *[]){ "/usr/bin/cmp", (char *)path, (char *)again, NULL }, NULL);
    assert_int_equal(a.rc, 0);
    test_run_free(&a);
    /* and a cut file is refused in one line */
    struct stat size;
    assert_int_equal(stat(binary, &size), 0);
    assert_int_equal(truncate(binary, size.st_size - 7), 0);
    a = test_assay(NULL, "embed", "similar", binary, "boat", NULL);
    assert_int_equal(a.rc, 1);
    assert_non_null(strstr(a.err, "the file ends too early"));
    test_run_free(&a);
    a = test_assay(NULL, "embed", "similar", path, "boet", NULL);
    assert_int_equal(a.rc, 1);
    assert_non_null(strstr(a.err, "\"boet\" has no vector (near it: boat"));
    test_run_free(&a);
    unlink(path);
    unlink(binary);
    unlink(again);
}

static void test_under_training(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".vec");
    json_t *o =
        run_json(test_assay(NULL, "embed", "train", "builtin:stories", "-o", path, "--json", NULL));
    assert_true(number(o, "random_cosine") > 0.95); /* 5 epochs are too few for 450 documents */
    assert_true(json_is_true(json_object_get(o, "undertrained")));
    json_decref(o);
    struct test_run r = test_assay(NULL, "embed", "train", "builtin:stories", "-o", path, NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "UNDER-TRAINED"));
    test_run_free(&r);
    unlink(path);
}

#define STUDY                                                                                      \
    "embed", "stability", "builtin:stories", "--models", "7", "--size", "20", "--epochs", "10",    \
        "--pair", "boat,anchor", "--pair", "kitchens,zzz"
#define SMALL                                                                                      \
    "embed", "stability", "builtin:stories", "--models", "7", "--size", "20", "--epochs", "10",    \
        "--pair", "boat,anchors", "--word", "bell", "--common", "10", "--json"

static void test_stability(void **state)
{
    (void)state;
    struct test_run one = test_assay(NULL, SMALL, "--threads", "1", NULL);
    struct test_run three = test_assay(NULL, SMALL, "--threads", "3", NULL);
    assert_int_equal(one.rc, 0);
    assert_string_equal(one.out, three.out);
    if (access("/usr/bin/mpirun", X_OK) == 0) { /* two ranks: the same text */
        struct test_run two =
            test_spawn((char *[]){ "/usr/bin/mpirun", "--allow-run-as-root", "--oversubscribe",
                                   "-n", "2", "./assay", SMALL, "--threads", "1", NULL },
                       NULL);
        if (two.rc == 0)
            assert_string_equal(one.out, two.out);
        else
            printf("mpirun did not run here: %.200s\n", two.err);
        test_run_free(&two);
    }
    json_t *o = test_run_json(&one), *pair = json_array_get(json_object_get(o, "pairs"), 0);
    assert_string_equal(json_string_value(json_object_get(pair, "b")), "anchor"); /* made a token */
    assert_int_equal(number(pair, "models"), 7);
    assert_int_equal(json_array_size(json_object_get(pair, "values")), 7);
    assert_true(fabs(number(pair, "coverage_new_draw") - 6.0 / 8) < 1e-12);
    json_t *word = json_array_get(json_object_get(o, "neighbours"), 0);
    assert_int_equal(json_array_size(json_object_get(word, "near")), 10);
    json_decref(o);
    test_run_free(&one);
    test_run_free(&three);
    one = test_assay(NULL, STUDY, NULL);
    assert_int_equal(one.rc, 1);
    assert_non_null(strstr(one.err, "\"zzz\" (as a token: \"zzz\") does not occur"));
    test_run_free(&one);
}

/* A word alone has nothing to predict: that is said, and no nan is shown. */
static void test_nothing_learnt(void **state)
{
    (void)state;
    char path[] = "/tmp/assay-test-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct test_run r =
        test_assay("one one one one one\n", "embed", "train", "-", "--tokens", "plain", "--sample",
                   "1", "--window", "1", "--epochs", "1", "-o", path, NULL);
    assert_int_equal(r.rc, 0);
    assert_null(strstr(r.out, "nan"));
    test_run_free(&r);
    r = test_assay("one\none\none\none\none\n", "embed", "train", "-", "--tokens", "plain", "-o",
                   path, NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "NOTHING WAS LEARNT"));
    assert_null(strstr(r.out, "nan"));
    test_run_free(&r);
    unlink(path);
}

static void test_usage(void **state)
{
    (void)state;
    static const struct {
        const char *argument[4];
        const char *message;
    } bad[] = {
        { { "train", "builtin:stories" }, "-o VECTORS" },
        { { "train", "-o", "/dev/null" }, "at least one FILE" },
        { { "train", "builtin:stories", "-o/dev/null", "--method=glove" },
          "choose cbow or skipgram" },
        { { "train", "builtin:stories", "-o/dev/null", "--walks=3" }, "are for --graph" },
        { { "train", "builtin:stories", "-o/dev/null", "--in-out=1" }, "are for --graph" },
        { { "train", "--graph=builtin:friends", "-o/dev/null", "--tokens=plain" },
          "are for texts" },
        { { "stability", "builtin:stories", "--pair", "boat" }, "two words with a comma" },
        { { "stability", "builtin:stories", "--models", "1" }, "--models must be" },
        { { "evaluate", "x.vec" }, "at least one of --pairs and --analogies" },
        { { "analogy", "x.vec", "a", "b" }, "three words" },
        { { "sentences", "x.txt" }, "no model given" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const *a = bad[i].argument;
        struct test_run r = test_assay(NULL, "embed", a[0], a[1], a[2], a[3], NULL);
        assert_int_equal(r.rc, 2);
        assert_non_null(strstr(r.err, bad[i].message));
        test_run_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_and_ask), cmocka_unit_test(test_under_training),
        cmocka_unit_test(test_stability),     cmocka_unit_test(test_nothing_learnt),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
