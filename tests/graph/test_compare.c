/* Kolmogorov and Smirnov's D, and samples against their graphs. */
#include <assay/graph.h>
#include "base/memory.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static void test_ks(void **state)
{
    (void)state;
    /* scipy.stats.ks_2samp([1,2,2,5,9], [2,3,4,4,4,10,11]).statistic */
    const double a[] = { 1, 2, 2, 5, 9 }, b[] = { 2, 3, 4, 4, 4, 10, 11 };
    assert_true(fabs(graph_ks(a, 5, b, 7) - 0.45714285714285713) < 1e-15);
    assert_true(graph_ks(a, 5, a, 5) == 0);
    assert_true(isnan(graph_ks(a, 0, a, 5)));
    const double far[] = { 100 };
    assert_true(graph_ks(a, 5, far, 1) == 1);
    /* scipy.special.kolmogorov(1) and (.5) for an infinite population */
    assert_true(fabs(graph_ks_p(.1, 100, 1e300) - 0.26999967167735456) < 1e-13);
    assert_true(fabs(graph_ks_p(.05, 100, 1e300) - 0.9639452436648751) < 1e-13);
    assert_true(graph_ks_p(.1, 50, 100) < graph_ks_p(.1, 50, 1000)); /* a half says more */
    assert_true(graph_ks_p(0, 10, 100) == 1 && graph_ks_p(.3, 100, 100) == 1);
}

static void test_compare(void **state)
{
    (void)state;
    /* a triangle 0 1 2, a tail 2-3, a pair 4-5; the sample: 2, 3, 1 with two edges, and 5 */
    const uint32_t s[] = { 0, 0, 1, 2, 4 }, t[] = { 1, 2, 2, 3, 5 };
    const char *names[] = { "a", "b", "c", "d", "e", "f" };
    struct graph *g = NULL, *h = NULL;
    struct graph_comparison c;
    for (int directed = 0; directed < 2; directed++) {
        assert_int_equal(graph_make(&g, 6, s, t, NULL, 5, directed, names), 0);
        const uint32_t keep[] = { 2, 3, 1, 5 };
        assert_int_equal(graph_induced(&h, g, keep, 4), 0);
        assert_int_equal(graph_compare(&c, h, g), 0);
        assert_int_equal(c.edges, 2);
        assert_int_equal(c.edges_false, 0);
        assert_int_equal(c.edges_between, 2);
        const struct graph_compared *m = c.measure;
        /* degrees in the graph 2 2 3 1 1 1; of the sample's 3 1 2 1; in the sample 2 1 1 0 */
        assert_true(m[GRAPH_COMPARE_CHOICE].mean_sample == 7.0 / 4);
        assert_true(m[GRAPH_COMPARE_CHOICE].mean_graph == 10.0 / 6);
        assert_true(fabs(m[GRAPH_COMPARE_CHOICE].d - (5.0 / 6 - 3.0 / 4)) < 1e-15);
        assert_true(m[GRAPH_COMPARE_CHOICE].p > .99);
        assert_true(m[GRAPH_COMPARE_DEGREE].mean_sample == 1);
        assert_true(fabs(m[GRAPH_COMPARE_DEGREE].d - .25) < 1e-15);
        assert_true(isnan(m[GRAPH_COMPARE_DEGREE].p));
        /* clustering: a and b 1, c 1/3; in the sample c 0 */
        assert_int_equal(m[GRAPH_COMPARE_CLUSTERING].n_graph, 3);
        assert_true(fabs(m[GRAPH_COMPARE_CLUSTERING].mean_graph - 7.0 / 9) < 1e-15);
        assert_true(m[GRAPH_COMPARE_CLUSTERING].d == 1);
        /* other components: 2; in the sample 1 */
        assert_int_equal(m[GRAPH_COMPARE_COMPONENTS].n_sample, 1);
        assert_true(m[GRAPH_COMPARE_COMPONENTS].d == 1);
        assert_true(c.largest_sample == .75 && c.largest_graph == 4.0 / 6);
        graph_comparison_free(&c);
        graph_free(h);
        /* an edge that is not there */
        const uint32_t u[] = { 0, 0 }, v[] = { 1, 3 };
        assert_int_equal(graph_make(&h, 6, u, v, NULL, 2, directed, names), 0);
        assert_int_equal(graph_compare(&c, h, g), 0);
        assert_int_equal(c.edges_false, 1);
        graph_comparison_free(&c);
        graph_free(h);
        /* a node that is not there */
        names[0] = "z";
        assert_int_equal(graph_make(&h, 6, u, v, NULL, 2, directed, names), 0);
        assert_int_equal(graph_compare(&c, h, g), BASE_E_ARGUMENT);
        assert_non_null(strstr(base_error_message(), "\"z\""));
        names[0] = "a";
        graph_free(h);
        graph_free(g);
    }
}

static void test_plots(void **state)
{
    (void)state;
    struct graph *g = NULL, *h = NULL;
    struct graph_comparison c;
    assert_int_equal(graph_read(&g, "builtin:friends", NULL), 0);
    uint32_t keep[100];
    for (uint32_t i = 0; i < 100; i++)
        keep[i] = 3 * i;
    assert_int_equal(graph_induced(&h, g, keep, 100), 0);
    assert_int_equal(graph_compare(&c, h, g), 0);
    char path[600], file[640];
    snprintf(path, sizeof path, "%s", test_temporary_path(".svg"));
    assert_int_equal(graph_comparison_plot(&c, path, true), 0);
    static const char *const parts[] = { "degree", "clustering", "components" };
    for (int i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%.*s-%s.svg", (int)strlen(path) - 4, path, parts[i]);
        assert_int_equal(unlink(file), 0);
    }
    long live = base_alloc_live();
    for (long n = 1;; n++) {
        struct graph_comparison d;
        base_alloc_fail_after(n);
        int rc = graph_compare(&d, h, g);
        base_alloc_fail_after(0);
        if (!rc)
            graph_comparison_free(&d);
        assert_int_equal(base_alloc_live(), live);
        if (!rc)
            break;
        assert_int_equal(rc, BASE_E_MEMORY);
    }
    graph_comparison_free(&c);
    graph_free(g);
    graph_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ks),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_plots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
