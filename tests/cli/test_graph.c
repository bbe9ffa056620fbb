/* assay graph describe, pagerank, compare, draw and estimate as scripts use them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"

static json_t *json_of(struct test_run r)
{
    if (r.rc)
        fprintf(stderr, "%s", r.err);
    assert_int_equal(r.rc, 0);
    json_t *o = test_run_json(&r);
    assert_non_null(o);
    test_run_free(&r);
    return o;
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static void fails(struct test_run r, int rc, const char *words)
{
    if (r.rc != rc || !strstr(r.err, words))
        fprintf(stderr, "exit %d, expected %d and \"%s\" in: %s\n", r.rc, rc, words, r.err);
    assert_int_equal(r.rc, rc);
    assert_non_null(strstr(r.err, words));
    assert_string_equal(r.out, "");
    test_run_free(&r);
}

static void test_pagerank(void **state)
{
    (void)state;
    json_t *o = json_of(
        test_assay("a,b\nb,c\nc,a\nd,a\n", "graph", "pagerank", "--directed", "--json", "-", NULL));
    json_t *p = json_object_get(o, "pagerank");
    /* d = .0375; a = .0375 + .85 (c + d); b = .0375 + .85 a; c = .0375 + .85 b */
    assert_true(fabs(number(p, "d") - .0375) < 1e-15);
    double a = number(p, "a"), b = number(p, "b"), c = number(p, "c");
    assert_true(fabs(a - (.0375 + .85 * (c + .0375))) < 1e-15);
    assert_true(fabs(b - (.0375 + .85 * a)) < 1e-15);
    assert_true(fabs(a + b + c + .0375 - 1) < 1e-15);
    assert_true(number(o, "relative_error_bound") <= 1e-12);
    json_decref(o);
    o = json_of(test_assay(NULL, "graph", "pagerank", "--restart", "Noza=2", "--json",
                           "builtin:friends", NULL));
    assert_true(json_is_null(json_object_get(o, "relative_error_bound")));
    assert_true(number(o, "total_error_bound") <= 1e-12);
    json_decref(o);
    struct test_run r = test_assay(NULL, "graph", "pagerank", "builtin:friends", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "of the exact"));
    test_run_free(&r);
    fails(test_assay(NULL, "graph", "pagerank", "--restart", "Nobody", "builtin:friends", NULL), 1,
          "no such node");
    fails(test_assay(NULL, "graph", "pagerank", "--damping", "1", "builtin:friends", NULL), 2,
          "--damping");
    fails(test_assay(NULL, "graph", "pagerank", NULL), 2, "EDGES");
}

static void test_describe(void **state)
{
    (void)state;
    json_t *o = json_of(
        test_assay("a,b\nb,c\nc,a\nc,d\nd,d\na,b\n", "graph", "describe", "--json", "-", NULL));
    assert_int_equal(number(o, "nodes"), 4);
    assert_int_equal(number(o, "edges"), 4);
    assert_int_equal(number(o, "loops_dropped"), 1);
    assert_int_equal(number(o, "repeated_dropped"), 1);
    assert_int_equal(number(o, "triangles"), 1);
    assert_true(fabs(number(o, "transitivity") - .6) < 1e-15);
    assert_int_equal(number(json_object_get(o, "diameter"), "high"), 2);
    assert_int_equal(number(json_object_get(o, "degree_counts"), "2"), 2);
    json_decref(o);
    fails(test_assay("", "graph", "describe", "-", NULL), 1, "standard input: is empty");
    fails(test_assay("1,2\n3\n", "graph", "describe", "-", NULL), 1, "standard input:2");
    fails(test_assay("1\n", "graph", "describe", "-", NULL), 1, "one column");
    fails(test_assay("1,2\n", "graph", "describe", "--weight", "w", "-", NULL), 1, "no column");
    fails(test_assay(NULL, "graph", "describe", "/nonexistent.csv", NULL), 1, "/nonexistent.csv");
    fails(test_assay("1,2\n", "graph", "describe", "--header", "perhaps", "-", NULL), 2,
          "--header");
}

/* One node alone has no density, distances or deviation: dashes, and no nan. */
static void test_describe_least(void **state)
{
    (void)state;
    static const char *const least[] = { "a,a\n", "a,b\n", "a,b\nc,d\n" };
    for (int k = 0; k < 3; k++)
        for (int directed = 0; directed < 2; directed++) {
            struct test_run r = test_assay(least[k], "graph", "describe", "-",
                                           directed ? "--directed" : NULL, NULL);
            assert_int_equal(r.rc, 0);
            assert_null(strstr(r.out, "nan"));
            test_run_free(&r);
        }
}

static void test_compare(void **state)
{
    (void)state;
    const char *sample = test_temporary_path(".graphml");
    struct test_run r = test_assay(NULL, "graph", "sample", "random-walk", "-n", "100", "--seed",
                                   "1", "builtin:friends", "-o", sample, NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    json_t *o =
        json_of(test_assay(NULL, "graph", "compare", sample, "builtin:friends", "--json", NULL));
    assert_int_equal(number(o, "edges_not_in_graph"), 0);
    const json_t *choice = json_object_get(json_object_get(o, "measures"), "choice");
    assert_true(number(choice, "p") < 1e-6);
    json_decref(o);
    /* turned round: most of the graph is not in the sample */
    fails(test_assay(NULL, "graph", "compare", "builtin:friends", sample, NULL), 1,
          "is not in the graph");
    fails(test_assay(NULL, "graph", "compare", sample, "builtin:friends", "--plot", "x.bmp", NULL),
          1, ".png, .svg or .pdf");
    unlink(sample);
}

static void test_draw(void **state)
{
    (void)state;
    const char *file = test_temporary_path(".svg");
    json_t *o = json_of(
        test_assay("a,b\nb,c\nc,a\nd,e\n", "graph", "draw", "-", "-o", file, "--json", NULL));
    assert_int_equal(json_object_size(json_object_get(o, "places")), 5);
    assert_int_equal(access(file, R_OK), 0);
    unlink(file);
    json_decref(o);
    fails(test_assay(NULL, "graph", "draw", "builtin:friends", NULL), 2, "-o FILE.svg");
    fails(test_assay(NULL, "graph", "draw", "builtin:friends", "-o", "x.gif", NULL), 1, ".png");
    fails(
        test_assay(NULL, "graph", "draw", "builtin:friends", "-o", "x.svg", "--width", "20", NULL),
        2, "160 to 4096");
    fails(test_assay(NULL, "graph", "draw", "builtin:friends", "-o", "x.svg", "--color", "club",
                     NULL),
          2, "go together");
    fails(test_assay(NULL, "graph", "draw", "builtin:friends", "-o", "x.svg", "--color", "shoes",
                     "--attributes", "builtin:people", NULL),
          1, "shoes");
    assert_int_not_equal(access("x.svg", F_OK), 0);
}

static void test_estimate(void **state)
{
    (void)state;
    static char nodes[3][600];
    for (int i = 0; i < 3; i++) {
        char seed[16];
        snprintf(nodes[i], sizeof nodes[i], "%s", test_temporary_path(".csv"));
        snprintf(seed, sizeof seed, "%d", i + 1);
        struct test_run r =
            test_assay(NULL, "graph", "sample", "random-walk", "--steps", "400", "--seed", seed,
                       "builtin:friends", "--nodes", nodes[i], "--json", NULL);
        assert_int_equal(r.rc, 0);
        test_run_free(&r);
    }
    json_t *o =
        json_of(test_assay(NULL, "graph", "estimate", nodes[0], nodes[1], nodes[2], "--attributes",
                           "builtin:people", "--column", "plays", "--json", NULL));
    assert_int_equal(number(o, "samples"), 3);
    double degree = number(json_object_get(o, "mean_degree"), "estimate");
    assert_true(degree > 6 && degree < 9); /* 7.55; the visits' is 11.4 */
    double n = number(json_object_get(o, "nodes"), "estimate");
    assert_true(n > 230 && n < 360); /* 288 */
    const json_t *yes = json_object_get(json_object_get(o, "shares"), "yes");
    assert_true(number(yes, "estimate") > .3 && number(yes, "estimate") < .5); /* .41 */
    assert_true(number(yes, "unweighted") > .48);
    json_decref(o);
    for (int i = 0; i < 3; i++)
        unlink(nodes[i]);
    o = json_of(test_assay(NULL, "graph", "estimate", "--referral",
                           "tests/graph/data/referrals.csv", "--recruiter", "by", "--degree",
                           "knows", "--column", "plays", "--seed", "1", "--json", NULL));
    assert_int_equal(number(o, "persons"), 80);
    json_decref(o);
    o = json_of(test_assay(NULL, "graph", "estimate", "--scale-up", "tests/graph/data/known.csv",
                           "--population", "1000000", "--known", "nurses=8000", "--known",
                           "twins=5000", "--hidden", "homeless", "--json", NULL));
    double size = number(json_object_get(o, "size"), "estimate");
    assert_true(size > 1800 && size < 3300); /* 2,500 */
    json_decref(o);
    fails(test_assay(NULL, "graph", "estimate", NULL), 2, "give files of nodes");
    fails(test_assay(NULL, "graph", "estimate", "builtin:friends", NULL), 1, "node");
    fails(test_assay(NULL, "graph", "estimate", "--scale-up", "x.csv", NULL), 2, "--population");
    fails(test_assay(NULL, "graph", "estimate", "--scale-up", "tests/graph/data/known.csv",
                     "--population", "1000000", "--known", "nurses", "--hidden", "homeless", NULL),
          1, "COLUMN=SIZE");
    /* a group that counted twice would halve the size without a word */
    fails(test_assay(NULL, "graph", "estimate", "--scale-up", "tests/graph/data/known.csv",
                     "--population", "1000000", "--known", "nurses=8000", "--known", "nurses=8000",
                     "--hidden", "homeless", NULL),
          1, "twice");
    fails(test_assay(NULL, "graph", "estimate", "--scale-up", "tests/graph/data/known.csv",
                     "--population", "1000000", "--known", "nurses=8000", "--known",
                     "homeless=8000", "--hidden", "homeless", NULL),
          1, "wanted, not known");
    fails(test_assay("a b\nb c\n", "graph", "describe", "-", NULL), 1, "--delimiter space");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pagerank),       cmocka_unit_test(test_describe),
        cmocka_unit_test(test_describe_least), cmocka_unit_test(test_compare),
        cmocka_unit_test(test_draw),           cmocka_unit_test(test_estimate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
