/* Layout, communities, attributes and drawings. */
#include <assay/graph.h>
#include "base/file.h"
#include "base/memory.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

/* Two cliques of five with one edge between, a pair, and a node alone. */
static struct graph *two_cliques(bool directed)
{
    uint32_t s[32], t[32], n = 0;
    struct graph *g = NULL;
    for (uint32_t c = 0; c < 2; c++)
        for (uint32_t i = 0; i < 5; i++)
            for (uint32_t j = i + 1; j < 5; j++) {
                s[n] = 5 * c + i;
                t[n++] = 5 * c + j;
            }
    s[n] = 4, t[n++] = 5;
    s[n] = 10, t[n++] = 11;
    assert_int_equal(graph_make(&g, 13, s, t, NULL, n, directed, NULL), 0);
    return g;
}

static void test_communities(void **state)
{
    (void)state;
    for (int directed = 0; directed < 2; directed++) {
        struct graph *g = two_cliques(directed);
        uint32_t of[13], n;
        double q;
        assert_int_equal(graph_communities(g, 7, of, &n, &q), 0);
        assert_int_equal(n, 4);
        for (uint32_t v = 0; v < 10; v++)
            assert_int_equal(of[v], v / 5); /* of equal size: by first node */
        assert_true(of[10] == 2 && of[11] == 2 && of[12] == 3);
        /* sum over groups of e_in / m - (d / 2m)^2, m = 22: two of (10, 21), one of (1, 2) */
        double want = 2 * (10.0 / 22 - 21.0 * 21 / (44.0 * 44)) + 1.0 / 22 - 4.0 / (44 * 44);
        assert_true(fabs(q - want) < 1e-12);
        graph_free(g);
    }
}

static void test_layout(void **state)
{
    (void)state;
    for (int method = 0; method < 2; method++) {
        struct graph *g = two_cliques(false);
        double x[13], y[13], u[13], v[13], within = 0, between = 0;
        assert_int_equal(graph_layout_make(g, (enum graph_layout)method, 1, 1.5, x, y), 0);
        assert_int_equal(graph_layout_make(g, (enum graph_layout)method, 1, 1.5, u, v), 0);
        for (int i = 0; i < 13; i++) {
            assert_true(isfinite(x[i]) && isfinite(y[i]));
            assert_true(x[i] == u[i] && y[i] == v[i]); /* the same seed, the same places */
        }
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 5; j++) {
                within += hypot(x[i] - x[j], y[i] - y[j]) / 20;
                between += hypot(x[i] - x[5 + j], y[i] - y[5 + j]) / 25;
            }
        assert_true(between > 1.3 * within);
        for (int i = 10; i < 13; i++) /* components do not overlap */
            for (int j = 0; j < 10; j++)
                assert_true(hypot(x[i] - x[j], y[i] - y[j]) > .3);
        assert_int_equal(graph_layout_make(g, (enum graph_layout)method, 2, 1.5, u, v), 0);
        assert_true(memcmp(x, u, sizeof x) != 0);
        graph_free(g);
    }
    struct graph *g = NULL;
    double *x = base_alloc(GRAPH_DRAW_MOST + 1, sizeof *x);
    assert_int_equal(graph_make(&g, GRAPH_DRAW_MOST + 1, NULL, NULL, NULL, 0, false, NULL), 0);
    assert_int_equal(graph_layout_make(g, GRAPH_LAYOUT_FORCE, 1, 1, x, x), BASE_E_LIMIT);
    graph_free(g);
    base_free(x);
}

static void test_attribute(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".csv");
    const char *text = "who,club,age\nBo,chess,12\nAda,drama,11\nCy,drama,\nEve,choir,9\n";
    const char *names[] = { "Ada", "Bo", "Cy", "Dan" };
    struct graph_attribute a;
    test_write_file(path, text, strlen(text));
    assert_int_equal(graph_attribute_read(&a, path, NULL, NULL, "club", names, 4), 0);
    assert_int_equal(a.levels, 2); /* choir is nobody's */
    assert_string_equal(a.level[0], "drama");
    assert_string_equal(a.level[1], "chess");
    assert_true(a.count[0] == 2 && a.count[1] == 1 && a.missing == 1);
    assert_true(a.code[0] == 0 && a.code[1] == 1 && a.code[2] == 0 && a.code[3] == UINT32_MAX);
    assert_null(a.number);
    graph_attribute_free(&a);
    assert_int_equal(graph_attribute_read(&a, path, NULL, "who", "age", names, 4), 0);
    assert_true(a.number[0] == 11 && a.number[1] == 12 && isnan(a.number[2]) && a.missing == 2);
    graph_attribute_free(&a);
    assert_int_equal(graph_attribute_read(&a, path, NULL, "who", "size", names, 4),
                     BASE_E_ARGUMENT);
    text = "who,club\nBo,chess\nBo,drama\n";
    test_write_file(path, text, strlen(text));
    assert_int_equal(graph_attribute_read(&a, path, NULL, "who", "club", names, 4), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "\"Bo\" stands there twice"));
}

static void test_picture(void **state)
{
    (void)state;
    static const char *const endings[] = { ".svg", ".png", ".pdf" };
    const char *const names[] = { "one", "two" };
    for (int directed = 0; directed < 2; directed++)
        for (int k = 0; k < 3; k++) {
            struct graph *g = two_cliques(directed);
            double x[13], y[13];
            uint32_t color[13];
            char *bytes[2];
            size_t n[2];
            for (int i = 0; i < 13; i++)
                color[i] = i < 10 ? (uint32_t)i / 5 : UINT32_MAX;
            assert_int_equal(graph_layout_make(g, GRAPH_LAYOUT_FORCE, 1, 1.5, x, y), 0);
            struct graph_picture p = { .title = "A <title>",
                                       .subtitle = "13 nodes",
                                       .x = x,
                                       .y = y,
                                       .color = color,
                                       .names = names,
                                       .n_names = 2,
                                       .color_title = "group",
                                       .labels = 13,
                                       .dark = k == 1 };
            for (int i = 0; i < 2; i++) {
                const char *path = test_temporary_path(endings[k]);
                assert_int_equal(graph_picture_write(g, &p, path), 0);
                assert_int_equal(base_file_read(path, 0, &bytes[i], &n[i]), 0);
                unlink(path);
            }
            assert_int_equal(n[0], n[1]);
            assert_memory_equal(bytes[0], bytes[1], n[0]);
            if (k == 0) {
                assert_non_null(strstr(bytes[0], "<svg"));
                assert_null(strstr(bytes[0], "nan"));
            }
            base_free(bytes[0]);
            base_free(bytes[1]);
            p.width = 10;
            assert_int_equal(graph_picture_write(g, &p, test_temporary_path(".svg")),
                             BASE_E_ARGUMENT);
            p.width = 0;
            assert_int_equal(graph_picture_write(g, &p, "x.jpg"), BASE_E_ARGUMENT);
            graph_free(g);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_communities),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_attribute),
        cmocka_unit_test(test_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
