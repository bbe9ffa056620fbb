/* Figures of graphs and PageRank against networkx (tests/oracle/graph_measures.py), against
 * definitions, and against an exact solve. */
#include <assay/graph.h>
#include "base/memory.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

/* Zachary's (1977) karate club, 34 persons. */
static const uint8_t zachary[][2] = {
    { 0, 1 },   { 0, 2 },   { 0, 3 },   { 0, 4 },   { 0, 5 },   { 0, 6 },   { 0, 7 },   { 0, 8 },
    { 0, 10 },  { 0, 11 },  { 0, 12 },  { 0, 13 },  { 0, 17 },  { 0, 19 },  { 0, 21 },  { 0, 31 },
    { 1, 2 },   { 1, 3 },   { 1, 7 },   { 1, 13 },  { 1, 17 },  { 1, 19 },  { 1, 21 },  { 1, 30 },
    { 2, 3 },   { 2, 7 },   { 2, 8 },   { 2, 9 },   { 2, 13 },  { 2, 27 },  { 2, 28 },  { 2, 32 },
    { 3, 7 },   { 3, 12 },  { 3, 13 },  { 4, 6 },   { 4, 10 },  { 5, 6 },   { 5, 10 },  { 5, 16 },
    { 6, 16 },  { 8, 30 },  { 8, 32 },  { 8, 33 },  { 9, 33 },  { 13, 33 }, { 14, 32 }, { 14, 33 },
    { 15, 32 }, { 15, 33 }, { 18, 32 }, { 18, 33 }, { 19, 33 }, { 20, 32 }, { 20, 33 }, { 22, 32 },
    { 22, 33 }, { 23, 25 }, { 23, 27 }, { 23, 29 }, { 23, 32 }, { 23, 33 }, { 24, 25 }, { 24, 27 },
    { 24, 31 }, { 25, 31 }, { 26, 29 }, { 26, 33 }, { 27, 33 }, { 28, 31 }, { 28, 33 }, { 29, 32 },
    { 29, 33 }, { 30, 32 }, { 30, 33 }, { 31, 32 }, { 31, 33 }, { 32, 33 },
};

static struct graph *club(void)
{
    uint32_t s[78], t[78];
    struct graph *g = NULL;
    for (int i = 0; i < 78; i++) {
        s[i] = zachary[i][0];
        t[i] = zachary[i][1];
    }
    assert_int_equal(graph_make(&g, 34, s, t, NULL, 78, false, NULL), 0);
    return g;
}

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-13 * (1 + fabs(want))))
        fprintf(stderr, "got %.17g, expected %.17g\n", got, want);
    assert_true(fabs(got - want) <= 1e-13 * (1 + fabs(want)));
}

static void test_club(void **state)
{
    (void)state;
    struct graph *g = club();
    struct graph_description d;
    assert_int_equal(graph_describe(&d, g, NULL), 0);
    assert_int_equal(d.nodes, 34);
    assert_int_equal(d.edges, 78);
    near(d.density, 0.13903743315508021);
    assert_int_equal(d.triangles, 45);
    near(d.clustering, 0.57063847820768232);
    near(d.transitivity, 0.25568181818181818);
    near(d.assortativity, -0.47561309768461413);
    assert_int_equal(d.core, 4);
    assert_int_equal(d.core_nodes, 10);
    assert_int_equal(d.components, 1);
    assert_int_equal(d.diameter_low, 5);
    assert_int_equal(d.diameter_high, 5);
    near(d.distance, 2.4081996434937611);
    assert_true(d.distance_se == 0);
    assert_true(d.degree.max == 17 && d.degree.min == 1 && d.degree.q[GRAPH_Q50] == 3);
    near(d.degree.mean, 156.0 / 34);
    graph_description_free(&d);
    graph_free(g);
}

static void test_directed(void **state)
{
    (void)state;
    struct graph *g = NULL;
    struct graph_read_options o = { .directed = true };
    struct graph_description d;
    struct graph_describe_options all = { .sources = 999, .searches = 500 };
    assert_int_equal(graph_read(&g, "tests/graph/data/directed.csv", &o), 0);
    assert_int_equal(graph_describe(&d, g, &all), 0);
    near(d.density, 0.03585771658060815);
    near(d.reciprocity, 0.024);
    assert_int_equal(d.strong, 15);
    assert_int_equal(d.strong_largest, 68);
    assert_int_equal(d.pairs, 247);
    assert_int_equal(d.edges, 250);
    assert_int_equal(d.triangles, 63);
    near(d.clustering, 0.13539295269590837);
    near(d.transitivity, 0.10564561207378424);
    near(d.assortativity, -0.08044784966227458);
    assert_int_equal(d.core, 4);
    assert_int_equal(d.core_nodes, 60);
    assert_int_equal(d.components, 2);
    assert_int_equal(d.component_size[0], 80);
    assert_int_equal(d.diameter_high, 5);
    near(d.distance, 2.5341772151898736);
    graph_description_free(&d);

    double value[84];
    struct graph_pagerank about;
    static const double plain[] = { 0.0771107333042035,  0.0221454014283698, 0.0298647371312541,
                                    0.00735184095778289, 0.0217590000945886, 0.0265431112185576 };
    static const double personal[] = {
        0.0908135587779442,  0.133760055631111,  0.0235364405424987,
        0.00194113779420072, 0.0122996273368713, 0.0132942636389671
    };
    assert_int_equal(graph_pagerank(g, NULL, value, &about), 0);
    for (int i = 0; i < 6; i++) /* the oracle's digits */
        assert_true(fabs(value[i] - plain[i]) < 5e-15);
    assert_true(about.relative <= 1e-12 && about.dangling > 0);
    double restart[84] = { 1, 3 };
    struct graph_pagerank_options p = GRAPH_PAGERANK_OPTIONS_DEFAULT;
    p.restart = restart;
    assert_int_equal(graph_pagerank(g, &p, value, &about), 0);
    for (int i = 0; i < 6; i++)
        assert_true(fabs(value[i] - personal[i]) < 5e-15);
    assert_true(isinf(about.relative) && about.total <= 1e-12);
    graph_free(g);
}

/* Exact by Gaussian elimination in quadruple precision. */
__extension__ typedef __float128 quad;

static void exact(const struct graph *g, double damping, bool weighted, quad *x)
{
    const uint32_t n = g->nodes;
    quad *a = calloc((size_t)n * (n + 1), sizeof *a), sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        a[i * (n + 1) + i] += 1;
        a[i * (n + 1) + n] = (quad)1 / n;
    }
    for (uint32_t v = 0; v < n; v++) {
        quad out = 0;
        for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++)
            out += weighted ? g->weight[g->edge[k]] : 1;
        for (uint64_t k = g->first[v]; k < g->first[v + 1] && out > 0; k++)
            a[g->neighbor[k] * (n + 1) + v] -=
                (quad)damping * (weighted ? g->weight[g->edge[k]] : 1) / out;
    }
    for (uint32_t c = 0; c < n; c++) /* diagonally dominant by columns: no pivots needed */
        for (uint32_t r = 0; r < n; r++) {
            quad f = r == c ? 0 : a[r * (n + 1) + c] / a[c * (n + 1) + c];
            for (uint32_t k = c; k <= n && f != 0; k++)
                a[r * (n + 1) + k] -= f * a[c * (n + 1) + k];
        }
    for (uint32_t i = 0; i < n; i++)
        sum += x[i] = a[i * (n + 1) + n] / a[i * (n + 1) + i];
    for (uint32_t i = 0; i < n; i++)
        x[i] /= sum;
    free(a);
}

static void against_exact(const struct graph *g, double damping, bool weighted)
{
    double *value = calloc(g->nodes, sizeof *value);
    quad *x = calloc(g->nodes, sizeof *x);
    long double total = 0;
    struct graph_pagerank about;
    struct graph_pagerank_options o = { .damping = damping,
                                        .tolerance = 1e-12,
                                        .weighted = weighted };
    assert_int_equal(graph_pagerank(g, &o, value, &about), 0);
    exact(g, damping, weighted, x);
    assert_true(about.relative <= 1e-12);
    for (uint32_t i = 0; i < g->nodes; i++) {
        if (fabsl((long double)(value[i] - x[i])) > about.relative * (long double)x[i])
            fprintf(stderr, "damping %g, node %u: off by %Lg of it, bound %g\n", damping, i,
                    fabsl((long double)(value[i] - x[i])) / (long double)x[i], about.relative);
        assert_true(fabsl((long double)(value[i] - x[i])) <= about.relative * (long double)x[i]);
        total += fabsl((long double)(value[i] - x[i]));
    }
    assert_true(total <= about.total);
    free(value);
    free(x);
}

static void test_pagerank(void **state)
{
    (void)state;
    struct graph *g = club();
    against_exact(g, .85, false);
    against_exact(g, 0, false);
    against_exact(g, .999, false);
    graph_free(g);
    /* random graphs, both kinds, weights of very different size, isolated nodes */
    for (int directed = 0; directed < 2; directed++) {
        enum { N = 150, M = 500 };
        uint32_t s[M], t[M];
        double w[M];
        uint64_t x = 99;
        for (int i = 0; i < M; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            s[i] = (uint32_t)(x >> 33) % (N - 5);
            x = x * 6364136223846793005u + 1442695040888963407u;
            t[i] = (uint32_t)(x >> 33) % (N - 5);
            w[i] = exp((double)(x >> 40) / 1e6 - 8);
        }
        w[7] = 0;
        assert_int_equal(graph_make(&g, N, s, t, w, M, directed, NULL), 0);
        against_exact(g, .85, false);
        against_exact(g, .85, true);
        against_exact(g, .99, true);
        graph_free(g);
    }
    /* a star: the middle by formula, x = ((1-d)/n + d (1-d)(n-1)/n) / (1 - d^2) */
    enum { STAR = 200001 };
    uint32_t *zero = calloc(STAR, sizeof *zero), *leaf = calloc(STAR, sizeof *leaf);
    double *value = calloc(STAR, sizeof *value);
    struct graph_pagerank about;
    for (uint32_t i = 0; i + 1 < STAR; i++)
        leaf[i] = i + 1;
    assert_int_equal(graph_make(&g, STAR, zero, leaf, NULL, STAR - 1, false, NULL), 0);
    assert_int_equal(graph_pagerank(g, NULL, value, &about), 0);
    long double d = .85, n = STAR;
    long double middle = ((1 - d) / n + d * (1 - d) * (n - 1) / n) / (1 - d * d);
    assert_true(fabsl(value[0] - middle) <= about.relative * middle);
    graph_free(g);
    free(zero);
    free(leaf);
    free(value);
    /* refused */
    g = club();
    double v[34], bad[34] = { 0 };
    struct graph_pagerank_options o = { .damping = 1, .tolerance = 1e-12 };
    assert_int_equal(graph_pagerank(g, &o, v, NULL), BASE_E_ARGUMENT);
    o = (struct graph_pagerank_options){ .damping = .85, .tolerance = 1e-12, .restart = bad };
    assert_int_equal(graph_pagerank(g, &o, v, NULL), BASE_E_ARGUMENT);
    bad[0] = -1;
    assert_int_equal(graph_pagerank(g, &o, v, NULL), BASE_E_ARGUMENT);
    o = (struct graph_pagerank_options){ .damping = .85, .tolerance = 1e-12, .weighted = true };
    assert_int_equal(graph_pagerank(g, &o, v, NULL), BASE_E_ARGUMENT);
    o = (struct graph_pagerank_options){ .damping = .85, .tolerance = 1e-18 };
    assert_int_equal(graph_pagerank(g, &o, v, NULL), BASE_E_NUMERIC);
    graph_free(g);
}

/* Triangles, cores, components and distances by their definitions on random graphs. */
static void test_definitions(void **state)
{
    (void)state;
    enum { N = 40 };
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint64_t x = seed * 77777, edges = 20 + seed * 5;
        uint32_t s[400], t[400];
        for (uint64_t i = 0; i < edges; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            s[i] = (uint32_t)(x >> 33) % N;
            x = x * 6364136223846793005u + 1442695040888963407u;
            t[i] = (uint32_t)(x >> 33) % N;
        }
        struct graph *g = NULL;
        assert_int_equal(graph_make(&g, N, s, t, NULL, edges, false, NULL), 0);
        uint64_t at[N], total, *size = NULL, count = 0;
        uint32_t core[N], component[N], n, distance[N], queue[N];
        assert_int_equal(graph_triangles(g, at, &total), 0);
        for (uint32_t a = 0; a < N; a++) {
            uint64_t here = 0;
            for (uint32_t b = 0; b < N; b++)
                for (uint32_t c = b + 1; c < N; c++)
                    here += a != b && a != c && graph_edge_find(g, a, b) != UINT64_MAX &&
                            graph_edge_find(g, a, c) != UINT64_MAX &&
                            graph_edge_find(g, b, c) != UINT64_MAX;
            assert_int_equal(at[a], here);
            count += here;
        }
        assert_int_equal(total, count / 3);
        /* Floyd and Warshall */
        uint32_t far[N][N], longest = 0;
        for (uint32_t a = 0; a < N; a++)
            for (uint32_t b = 0; b < N; b++)
                far[a][b] = a == b ? 0 : graph_edge_find(g, a, b) != UINT64_MAX ? 1 : 1000;
        for (uint32_t c = 0; c < N; c++)
            for (uint32_t a = 0; a < N; a++)
                for (uint32_t b = 0; b < N; b++)
                    if (far[a][c] + far[c][b] < far[a][b])
                        far[a][b] = far[a][c] + far[c][b];
        assert_int_equal(graph_components(g, component, &size, &n), 0);
        for (uint32_t a = 0; a < N; a++) {
            uint64_t same = 0;
            uint32_t reached = graph_distances(g, a, distance, queue);
            for (uint32_t b = 0; b < N; b++) {
                assert_int_equal(distance[b], far[a][b] >= 1000 ? UINT32_MAX : far[a][b]);
                assert_true((component[a] == component[b]) == (far[a][b] < 1000));
                same += component[a] == component[b];
                if (component[a] == 0 && far[a][b] < 1000 && far[a][b] > longest)
                    longest = far[a][b];
            }
            assert_int_equal(size[component[a]], same);
            assert_int_equal(reached, same);
        }
        for (uint32_t i = 1; i < n; i++)
            assert_true(size[i - 1] >= size[i]);
        base_free(size);
        /* cores: peel by definition */
        assert_int_equal(graph_cores(g, core), 0);
        for (uint32_t k = 1; k < N; k++) {
            bool in[N], changed = true;
            memset(in, 1, sizeof in);
            while (changed) {
                changed = false;
                for (uint32_t v = 0; v < N; v++) {
                    uint32_t left = 0;
                    for (uint64_t i = g->first[v]; i < g->first[v + 1]; i++)
                        left += in[g->neighbor[i]];
                    if (in[v] && left < k) {
                        in[v] = false;
                        changed = true;
                    }
                }
            }
            for (uint32_t v = 0; v < N; v++)
                assert_true(in[v] == (core[v] >= k));
        }
        struct graph_description d;
        assert_int_equal(graph_describe(&d, g, NULL), 0);
        assert_int_equal(d.diameter_low, longest);
        assert_int_equal(d.diameter_high, longest);
        graph_description_free(&d);
        graph_free(g);
    }
}

static void test_degenerate(void **state)
{
    (void)state;
    struct graph *g = NULL;
    struct graph_description d;
    uint32_t s[3] = { 0, 1, 2 }, t[3] = { 1, 2, 0 };
    assert_int_equal(graph_make(&g, 1, s, t, NULL, 0, false, NULL), 0); /* one node */
    assert_int_equal(graph_describe(&d, g, NULL), 0);
    assert_int_equal(d.diameter_high, 0);
    assert_true(isnan(d.density) && isnan(d.assortativity) && isnan(d.transitivity));
    assert_true(isnan(d.distance) && d.degree.max == 0 && d.isolated == 1);
    graph_description_free(&d);
    graph_free(g);
    assert_int_equal(graph_make(&g, 3, s, t, NULL, 3, false, NULL), 0); /* all degrees alike */
    assert_int_equal(graph_describe(&d, g, NULL), 0);
    assert_true(isnan(d.assortativity) && d.transitivity == 1 && d.clustering == 1);
    assert_true(d.diameter_high == 1 && d.distance == 1);
    graph_description_free(&d);
    graph_free(g);
    assert_int_equal(graph_make(&g, 0, NULL, NULL, NULL, 0, false, NULL), 0);
    assert_int_equal(graph_describe(&d, g, NULL), BASE_E_ARGUMENT);
    graph_free(g);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    struct graph *g = NULL;
    struct graph_read_options o = { .directed = true };
    double value[84];
    assert_int_equal(graph_read(&g, "tests/graph/data/directed.csv", &o), 0);
    long live = base_alloc_live();
    for (long n = 1;; n++) {
        struct graph_description d;
        base_alloc_fail_after(n);
        int rc = graph_describe(&d, g, NULL);
        if (!rc) {
            graph_description_free(&d);
            rc = graph_pagerank(g, NULL, value, NULL);
        }
        base_alloc_fail_after(0);
        assert_int_equal(base_alloc_live(), live);
        if (!rc)
            break;
        assert_int_equal(rc, BASE_E_MEMORY);
    }
    graph_free(g);
}

static void test_lastfm(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/graphs/lastfm_edges.csv.zst");
    struct graph *g = NULL;
    struct graph_description d;
    assert_int_equal(graph_read(&g, test_shared_path("sampling/graphs/lastfm_edges.csv.zst"), NULL),
                     0);
    assert_int_equal(graph_describe(&d, g, NULL), 0);
    assert_int_equal(d.nodes, 7624);
    assert_int_equal(d.edges, 27806);
    near(d.density, 0.0009568849118596328);
    assert_int_equal(d.triangles, 40433);
    near(d.clustering, 0.2194184243270858);
    near(d.transitivity, 0.17862254815338399);
    near(d.assortativity, 0.017073172560631417);
    assert_int_equal(d.core, 20);
    assert_int_equal(d.core_nodes, 47);
    assert_int_equal(d.components, 1);
    assert_int_equal(d.diameter_low, 15);
    assert_int_equal(d.diameter_high, 15);
    /* 5.2322 by a search from every node */
    assert_true(fabs(d.distance - 5.2322) < 4 * d.distance_se);
    graph_description_free(&d);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_club),       cmocka_unit_test(test_directed),
        cmocka_unit_test(test_pagerank),   cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_degenerate), cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_lastfm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
