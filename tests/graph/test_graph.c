/* Graphs in memory: reading edge lists and GraphML, writing, parts of a graph. */
#include <assay/graph.h>
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static const char *file(const char *suffix, const char *text)
{
    const char *path = test_temporary_path(suffix);
    test_write_file(path, text, strlen(text));
    return path;
}

static struct graph *read_text(const char *suffix, const char *text,
                               const struct graph_read_options *o)
{
    struct graph *g = NULL;
    int rc = graph_read(&g, file(suffix, text), o);
    if (rc)
        fprintf(stderr, "%s\n", base_error_message());
    assert_int_equal(rc, 0);
    return g;
}

static void refused(const char *suffix, const char *text, const struct graph_read_options *o,
                    int code, const char *words)
{
    struct graph *g = (void *)1;
    long live = base_alloc_live();
    assert_int_equal(graph_read(&g, file(suffix, text), o), code);
    assert_null(g);
    if (!strstr(base_error_message(), words))
        fprintf(stderr, "expected \"%s\" in: %s\n", words, base_error_message());
    assert_non_null(strstr(base_error_message(), words));
    assert_int_equal(base_alloc_live(), live);
}

/* Every row ascending, both ends agree, edges sorted and simple. */
static void check(const struct graph *g)
{
    for (uint64_t i = 0; i < g->edges; i++) {
        assert_true(g->source[i] < g->nodes && g->target[i] < g->nodes);
        assert_true(g->directed ? g->source[i] != g->target[i] : g->source[i] < g->target[i]);
        assert_true(i == 0 || g->source[i - 1] < g->source[i] ||
                    (g->source[i - 1] == g->source[i] && g->target[i - 1] < g->target[i]));
        assert_int_equal(graph_edge_find(g, g->source[i], g->target[i]), i);
        if (!g->directed)
            assert_int_equal(graph_edge_find(g, g->target[i], g->source[i]), i);
    }
    for (int in = 0; in < 1 + g->directed; in++) {
        const uint64_t *first = in ? g->in_first : g->first;
        const uint32_t *neighbor = in ? g->in_neighbor : g->neighbor;
        const uint32_t *edge = in ? g->in_edge : g->edge;
        assert_int_equal(first[0], 0);
        assert_int_equal(first[g->nodes], g->directed ? g->edges : 2 * g->edges);
        for (uint32_t v = 0; v < g->nodes; v++)
            for (uint64_t k = first[v]; k < first[v + 1]; k++) {
                assert_true(k == first[v] || neighbor[k - 1] < neighbor[k]);
                uint32_t s = g->source[edge[k]], t = g->target[edge[k]];
                if (in)
                    assert_true(s == neighbor[k] && t == v);
                else if (g->directed)
                    assert_true(s == v && t == neighbor[k]);
                else
                    assert_true((s == v && t == neighbor[k]) || (t == v && s == neighbor[k]));
            }
    }
}

static void test_numbers(void **state)
{
    (void)state;
    char name[24];
    /* headings, whole numbers in any order, a loop, a repetition, a repetition turned round */
    struct graph *g = read_text(".csv", "id_1,id_2\n30,10\n7,30\n10,30\n7,7\n7,30\n5,5\n", NULL);
    check(g);
    assert_true(g->header);
    assert_int_equal(g->nodes, 4);
    assert_int_equal(g->edges, 2);
    assert_int_equal(g->loops, 2);
    assert_int_equal(g->repeated, 2);
    assert_string_equal(graph_name(g, 0, name), "5");
    assert_string_equal(graph_name(g, 1, name), "7");
    assert_string_equal(graph_name(g, 3, name), "30");
    assert_int_equal(graph_node_find(g, "10"), 2);
    assert_int_equal(graph_node_find(g, "11"), UINT32_MAX);
    assert_int_equal(graph_degree(g, 3), 2);
    assert_int_equal(graph_degree(g, 0), 0);
    graph_free(g);
    /* dense from 0: no names are kept; no header */
    g = read_text(".csv", "2,0\n0,1\n", NULL);
    check(g);
    assert_false(g->header);
    assert_null(g->name);
    assert_string_equal(graph_name(g, 2, name), "2");
    graph_free(g);
    /* large and very large ids; all are numbers, so they are in order */
    g = read_text(".csv",
                  "4294967295,1\n123456789012345678901234567890,3000000000\n99999999999,1\n", NULL);
    check(g);
    assert_int_equal(g->nodes, 5);
    assert_string_equal(g->name[0], "1");
    assert_string_equal(g->name[1], "3000000000");
    assert_string_equal(g->name[2], "4294967295");
    assert_string_equal(g->name[3], "99999999999");
    assert_string_equal(g->name[4], "123456789012345678901234567890");
    graph_free(g);
    /* sparse small numbers */
    g = read_text(".csv", "4000000000,1\n17,4000000000\n", NULL);
    check(g);
    assert_string_equal(g->name[1], "17");
    assert_int_equal(g->nodes, 3);
    graph_free(g);
}

static void test_strings(void **state)
{
    (void)state;
    /* order of first appearance; 07 is not 7 */
    struct graph *g = read_text(".csv", "7,8\nb,07\n8,b\n", NULL);
    check(g);
    assert_int_equal(g->nodes, 4);
    assert_string_equal(g->name[0], "7");
    assert_string_equal(g->name[2], "b");
    assert_string_equal(g->name[3], "07");
    graph_free(g);
    g = read_text(".csv", "\xef\xbb\xbfsource,target\r\n\"Ada, L.\",Bo\r\nBo,\"C\"\"x\"", NULL);
    check(g);
    assert_true(g->header);
    assert_int_equal(g->nodes, 3);
    assert_string_equal(g->name[0], "Ada, L.");
    assert_string_equal(g->name[2], "C\"x");
    graph_free(g);
    /* two names are no header when nothing says so */
    g = read_text(".csv", "Ada,Bo\nBo,Cy\n", NULL);
    assert_false(g->header);
    assert_int_equal(g->edges, 2);
    graph_free(g);
    struct graph_read_options o = { .table.header = DATA_HEADER_YES };
    g = read_text(".csv", "Ada,Bo\nBo,Cy\n", &o);
    assert_int_equal(g->edges, 1);
    graph_free(g);
    o.table.header = DATA_HEADER_NO;
    g = read_text(".csv", "source,target\nBo,Cy\n", &o);
    assert_int_equal(g->edges, 2);
    graph_free(g);
    /* one single row of numbers, of names */
    g = read_text(".csv", "1,2", NULL);
    assert_int_equal(g->edges, 1);
    graph_free(g);
    g = read_text(".csv", "x,y", NULL);
    assert_int_equal(g->edges, 1);
    graph_free(g);
}

static void test_dividers(void **state)
{
    (void)state;
    struct graph *g = read_text(".txt", "# Nodes: 3\n# FromNodeId\tToNodeId\n0\t1\n1\t2\n", NULL);
    assert_int_equal(g->edges, 2);
    graph_free(g);
    g = read_text(".edges", "% sym\n%\n1 2\n  2   3\n", NULL);
    assert_int_equal(g->edges, 2);
    assert_int_equal(g->nodes, 3);
    graph_free(g);
    g = read_text(".dat", "a;b\nb;c\n", NULL);
    assert_int_equal(g->edges, 2);
    graph_free(g);
    g = read_text(".dat", "1 2 0.5\n2 3 1.5\n", NULL);
    assert_int_equal(g->edges, 2);
    graph_free(g);
    g = read_text(".jsonl", "{\"a\":\"x\",\"b\":\"y\"}\n{\"b\":\"z\",\"a\":\"y\"}\n", NULL);
    assert_int_equal(g->edges, 2);
    assert_int_equal(g->nodes, 3);
    graph_free(g);
    struct graph_read_options o = { .table.delimiter = '|' };
    g = read_text(".x", "a|b\nb|c\n", &o);
    assert_int_equal(g->edges, 2);
    graph_free(g);
}

static void test_columns(void **state)
{
    (void)state;
    struct graph_read_options o = { .source = "to", .target = "from", .weight = "w" };
    o.directed = true;
    struct graph *g = read_text(".csv", "when,from,w,to\nmon,1,2.5,0\ntue,0,1,2\nwed,1,9,0\n", &o);
    check(g);
    assert_int_equal(g->nodes, 3);
    assert_int_equal(g->edges, 2);
    assert_int_equal(g->repeated, 1);
    assert_int_equal(graph_edge_find(g, 0, 1), 0);
    assert_true(g->weight[0] == 2.5); /* the first of the two */
    assert_int_equal(graph_edge_find(g, 1, 0), UINT64_MAX);
    assert_int_equal(graph_edge_find(g, 2, 0), 1);
    graph_free(g);
    o = (struct graph_read_options){ .source = "#4", .target = "#2" };
    g = read_text(".csv", "mon,1,2.5,0\ntue,0,1,2\n", &o);
    assert_int_equal(g->edges, 2);
    assert_int_equal(g->nodes, 3);
    graph_free(g);
}

static void test_refused(void **state)
{
    (void)state;
    struct graph_read_options o = { .weight = "w" };
    struct graph *g;
    assert_int_equal(graph_read(&g, "/nonexistent/edges.csv", NULL), BASE_E_IO);
    refused(".csv", "", NULL, BASE_E_FORMAT, "is empty");
    refused(".csv", "source,target\n", NULL, BASE_E_FORMAT, "no edges");
    refused(".csv", "1\n2\n", NULL, BASE_E_FORMAT, "one column");
    refused(".csv", "1,2\n3\n", NULL, BASE_E_FORMAT, ":2: expected 2 fields, got 1");
    refused(".csv", "1,2\n3,4,5\n", NULL, BASE_E_FORMAT, ":2: expected 2 fields, got 3");
    refused(".csv", "1,2\n,3\n", NULL, BASE_E_FORMAT, ":2: the source of the edge is empty");
    refused(".csv", "1,2\n4,\n", NULL, BASE_E_FORMAT, ":2: the target of the edge is empty");
    refused(".csv", "source,target\n1,\xff\n", NULL, BASE_E_FORMAT, "not valid UTF-8");
    refused(".csv", "a,b,v\n1,2,3\n", &o, BASE_E_ARGUMENT, "there are: a, b, v");
    refused(".csv", "a,b,w\n1,2,x\n", &o, BASE_E_FORMAT, ":2: weight \"x\"");
    refused(".csv", "a,b,w\n1,2,-1\n", &o, BASE_E_FORMAT, "0 or more");
    refused(".csv", "a,b,w\n1,2,inf\n", &o, BASE_E_FORMAT, "0 or more");
    o = (struct graph_read_options){ .source = "#1", .target = "#1" };
    refused(".csv", "1,2\n", &o, BASE_E_ARGUMENT, "same column");
    o = (struct graph_read_options){ .source = "#9" };
    refused(".csv", "1,2\n", &o, BASE_E_ARGUMENT, "no column \"#9\"");
}

static const char graphml[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- made -->\n"
    "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n"
    " <key id=\"v_name\" for=\"node\" attr.name=\"name\" attr.type=\"string\"/>\n"
    " <key id=\"w\" for=\"edge\" attr.name=\"weight\" "
    "attr.type=\"double\"><default>4</default></key>\n"
    " <graph id=\"G\" edgedefault=\"undirected\">\n"
    "  <node id=\"n0\"><data key=\"v_name\">A &amp; B</data></node>\n"
    "  <node id='n1'><data key=\"v_name\"><![CDATA[<C>]]></data><data "
    "key=\"z\"><x/></data></node>\n"
    "  <node id=\"n2\"><data key=\"v_name\">&#x41;&#66;</data></node>\n"
    "  <node id=\"n3\"><data key=\"v_name\">alone</data></node>\n"
    "  <edge source=\"n0\" target=\"n1\"><data key=\"w\"> 2.5 </data></edge>\n"
    "  <edge id=\"e\" source=\"n2\" target=\"n1\"/>\n"
    " </graph>\n</graphml>\n";

static void test_graphml(void **state)
{
    (void)state;
    struct graph_read_options o = { .weight = "weight" };
    struct graph *g = read_text(".graphml", graphml, &o), *h = NULL;
    check(g);
    assert_int_equal(g->nodes, 4);
    assert_int_equal(g->edges, 2);
    assert_string_equal(g->name[0], "A & B");
    assert_string_equal(g->name[1], "<C>");
    assert_string_equal(g->name[2], "AB");
    assert_true(g->weight[0] == 2.5 && g->weight[1] == 4);
    /* out and in again, isolated node and all */
    const char *path = test_temporary_path(".graphml");
    assert_int_equal(graph_write(g, path), 0);
    assert_int_equal(graph_read(&h, path, &o), 0);
    assert_int_equal(h->nodes, 4);
    assert_string_equal(h->name[0], "A & B");
    assert_true(h->weight[0] == 2.5 && h->weight[1] == 4);
    graph_free(h);
    path = test_temporary_path(".csv");
    assert_int_equal(graph_write(g, path), 0);
    assert_int_equal(graph_read(&h, path, &o), 0);
    assert_int_equal(h->nodes, 3);
    assert_int_equal(h->edges, 2);
    graph_free(h);
    graph_free(g);
    /* found by its first byte */
    g = read_text(".xml", graphml, NULL);
    assert_int_equal(g->edges, 2);
    graph_free(g);
}

static void test_graphml_refused(void **state)
{
    (void)state;
#define G "<graphml><graph edgedefault=\"undirected\">"
#define E "</graph></graphml>"
    struct graph_read_options o = { .weight = "weight" };
    refused(".graphml", "", NULL, BASE_E_FORMAT, "no element");
    refused(".graphml", "1,2\n", NULL, BASE_E_FORMAT, "is this GraphML?");
    refused(".graphml", "<svg></svg>", NULL, BASE_E_FORMAT, "expected <graphml>");
    refused(".graphml", "<graphml></graphml>", NULL, BASE_E_FORMAT, "no <graph>");
    /* options that would be passed over */
    const struct graph_read_options directed = { .directed = true }, column = { .target = "#2" };
    refused(".graphml", G "<node id='a'/>" E, &directed, BASE_E_ARGUMENT, "no direction");
    refused(".graphml", G "<node id='a'/>" E, &column, BASE_E_ARGUMENT, "of edge lists");
    refused(".graphml", G E, NULL, BASE_E_FORMAT, "no nodes");
    refused(".graphml", G "<node id='a'/>", NULL, BASE_E_FORMAT, "ends inside <graph>");
    refused(".graphml", G "<node id='a'/><node id='a'/>" E, NULL, BASE_E_FORMAT,
            "a second node \"a\"");
    refused(".graphml", G "<node id='a'/><edge source='a' target='b'/>" E, NULL, BASE_E_FORMAT,
            "\"b\", which is not in the file");
    refused(".graphml", G "\n<node id='a'></edge>" E, NULL, BASE_E_FORMAT,
            ":2: </edge> where </node> was expected");
    refused(".graphml", "<!DOCTYPE graphml [<!ENTITY a \"b\">]>" G E, NULL, BASE_E_UNSUPPORTED,
            "document types");
    refused(".graphml", G "<node id='&lol;'/>" E, NULL, BASE_E_FORMAT, "not a reference");
    refused(".graphml", G "<node id='&#0;'/>" E, NULL, BASE_E_FORMAT, "not a reference");
    refused(".graphml", G "<node/>" E, NULL, BASE_E_FORMAT, "without an id");
    refused(".graphml", G "<node id='a'><graph edgedefault='directed'/></node>" E, NULL,
            BASE_E_UNSUPPORTED, "nested");
    refused(".graphml", G "<hyperedge/>" E, NULL, BASE_E_UNSUPPORTED, "hyperedges");
    refused(".graphml", G "<node id='a'/><edge source='a' target='a' directed='true'/>" E, NULL,
            BASE_E_UNSUPPORTED, "direction");
    refused(".graphml", G "<node id='a'/>" E, &o, BASE_E_ARGUMENT, "no key of edges");
    refused(".graphml", "<?xml version='1.0' encoding='latin1'?>" G E, NULL, BASE_E_UNSUPPORTED,
            "not UTF-8");
    refused(".graphml", "<graphml><graph edgedefault='undirected' edgedefault", NULL, BASE_E_FORMAT,
            "ends in the middle of a tag");
    char deep[4096] = "";
    for (int i = 0; i < 100; i++)
        strcat(deep, "<graphml>");
    refused(".graphml", deep, NULL, BASE_E_LIMIT, "nested deeper");
}

static void test_parts(void **state)
{
    (void)state;
    for (int directed = 0; directed < 2; directed++) {
        enum { N = 60, M = 400 };
        uint32_t s[M], t[M], keep[N / 2];
        double w[M];
        uint64_t x = 12345;
        for (int i = 0; i < M; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            s[i] = (uint32_t)(x >> 33) % N;
            x = x * 6364136223846793005u + 1442695040888963407u;
            t[i] = (uint32_t)(x >> 33) % N;
            w[i] = i + 1;
        }
        struct graph *g = NULL, *h = NULL;
        assert_int_equal(graph_make(&g, N, s, t, w, M, directed, NULL), 0);
        check(g);
        for (uint32_t i = 0; i < N / 2; i++)
            keep[i] = (i * 37 + 11) % N; /* distinct, in no order */
        assert_int_equal(graph_induced(&h, g, keep, N / 2), 0);
        check(h);
        uint64_t expected = 0;
        for (uint32_t i = 0; i < N / 2; i++)
            for (uint32_t j = 0; j < N / 2; j++) {
                if (i == j || (!directed && i > j))
                    continue;
                uint64_t e = graph_edge_find(g, keep[i], keep[j]), f = graph_edge_find(h, i, j);
                assert_true((e == UINT64_MAX) == (f == UINT64_MAX));
                if (e != UINT64_MAX) {
                    assert_true(g->weight[e] == h->weight[f]);
                    expected++;
                }
            }
        assert_int_equal(h->edges, expected);
        char name[24];
        snprintf(name, sizeof name, "%u", keep[7]);
        assert_string_equal(h->name[7], name);
        graph_free(h);
        /* only listed edges, one of them twice */
        uint64_t edges[4] = { 10, 3, 10, 50 };
        uint32_t all[N];
        for (uint32_t i = 0; i < N; i++)
            all[i] = N - 1 - i;
        assert_int_equal(graph_of_edges(&h, g, all, N, edges, 4), 0);
        check(h);
        assert_int_equal(h->edges, 3);
        assert_int_not_equal(graph_edge_find(h, N - 1 - g->source[10], N - 1 - g->target[10]),
                             UINT64_MAX);
        graph_free(h);
        h = NULL;
        keep[3] = keep[4];
        assert_int_equal(graph_induced(&h, g, keep, N / 2), BASE_E_ARGUMENT);
        keep[3] = N;
        assert_int_equal(graph_induced(&h, g, keep, N / 2), BASE_E_ARGUMENT);
        assert_int_equal(graph_of_edges(&h, g, all, 1, edges, 1), BASE_E_ARGUMENT);
        assert_null(h);
        /* nothing kept */
        assert_int_equal(graph_induced(&h, g, keep, 0), 0);
        assert_int_equal(h->nodes, 0);
        assert_int_equal(h->edges, 0);
        graph_free(h);
        graph_free(g);
    }
    uint32_t bad[1] = { 5 };
    struct graph *g = NULL;
    assert_int_equal(graph_make(&g, 5, bad, bad, NULL, 1, false, NULL), BASE_E_ARGUMENT);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    struct graph_read_options weighted = { .weight = "weight" };
    const char *paths[] = {
        file(".csv", "source,target,weight\n1,2,3\n2,3,4\n4,x,1\nx,1,1\n"),
        file(".csv", "source,target,weight\n1,2,3\n2,3,4\n4000000000,1,1\n"),
        file(".graphml", graphml),
    };
    long live = base_alloc_live();
    for (int f = 0; f < 3; f++)
        for (long n = 1;; n++) {
            struct graph *g = NULL, *h = NULL;
            base_alloc_fail_after(n);
            int rc = graph_read(&g, paths[f], &weighted);
            uint32_t keep[2] = { 1, 0 };
            uint64_t edges[1] = { 0 };
            if (!rc) {
                uint32_t ends[2] = { g->source[0], g->target[0] };
                rc = graph_induced(&h, g, keep, 2);
                graph_free(h);
                h = NULL;
                if (!rc)
                    rc = graph_of_edges(&h, g, ends, 2, edges, 1);
            }
            base_alloc_fail_after(0);
            graph_free(g);
            graph_free(h);
            assert_int_equal(base_alloc_live(), live);
            if (!rc)
                break;
            assert_int_equal(rc, BASE_E_MEMORY);
        }
}

static void test_github(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/graphs/github_edges.csv.zst");
    struct graph *g = NULL;
    assert_int_equal(graph_read(&g, test_shared_path("sampling/graphs/github_edges.csv.zst"), NULL),
                     0);
    assert_int_equal(g->nodes, 37700);
    assert_int_equal(g->edges, 289003);
    assert_int_equal(g->loops + g->repeated, 0);
    assert_null(g->name);
    check(g);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_dividers),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_graphml),
        cmocka_unit_test(test_graphml_refused),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_github),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
