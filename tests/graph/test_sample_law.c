/* The samplers' laws: what a method is said to draw it draws. Walks are started anew, burnt in and
 * looked at once, so that the counts are independent and a chi-square test is exact; small cases
 * are enumerated. Seeds are fixed, so a test that passes passes always; the bound on p-values only
 * says how likely a wrong implementation would slip through. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sample_support.h"

static const struct graph_sample_options defaults = GRAPH_SAMPLE_OPTIONS_DEFAULT;
#define LEAST_P 1e-3

/* A connected graph with triangles, a leaf, degrees 1 to 5. */
static struct graph *small(void)
{
    return GRAPH(8, { 0, 1 }, { 0, 2 }, { 0, 3 }, { 0, 4 }, { 0, 5 }, { 1, 2 }, { 2, 3 }, { 3, 4 },
                 { 4, 6 }, { 6, 7 }, { 5, 6 });
}

/* Where a walk stands after 60 steps, 20,000 times, against mass. */
static double endpoint_p(const struct graph *g, struct graph_sample_options o, const double *mass)
{
    enum { RUNS = 20000 };
    double count[16] = { 0 }, expected[16], sum = 0;
    for (uint32_t v = 0; v < g->nodes; v++)
        sum += mass[v];
    for (uint32_t v = 0; v < g->nodes; v++)
        expected[v] = RUNS * mass[v] / sum;
    o.steps = 1;
    o.burn_in = 60;
    o.weights = false;
    for (uint64_t run = 0; run < RUNS; run++) {
        o.seed = run;
        struct graph_sample *s = draw(g, &o);
        assert_int_equal(s->nodes, 1);
        count[s->node[0]]++;
        graph_sample_free(s);
    }
    return chi_square(count, expected, g->nodes);
}

/* mass * transition, until it no longer changes: the stationary law by definition. */
static void stationary(const struct graph *g, double t[16][16], double *mass)
{
    double next[16];
    for (uint32_t v = 0; v < g->nodes; v++)
        mass[v] = 1.0 / g->nodes;
    for (int i = 0; i < 20000; i++) {
        memset(next, 0, sizeof next);
        for (uint32_t u = 0; u < g->nodes; u++)
            for (uint32_t v = 0; v < g->nodes; v++)
                next[v] += mass[u] * t[u][v];
        memcpy(mass, next, g->nodes * sizeof *mass);
    }
}

static bool adjacent(const struct graph *g, uint32_t u, uint32_t v)
{
    return graph_edge_find(g, u, v) != UINT64_MAX;
}

static void walks_visit_in_proportion_to_degree(void **state)
{
    (void)state;
    struct graph *g = small();
    double degree[16];
    for (uint32_t v = 0; v < g->nodes; v++)
        degree[v] = (double)graph_degree(g, v);
    struct graph_sample_options o = defaults;
    o.method = GRAPH_RANDOM_WALK;
    assert_true(endpoint_p(g, o, degree) > LEAST_P);
    o.method = GRAPH_NON_BACKTRACKING;
    assert_true(endpoint_p(g, o, degree) > LEAST_P);
    /* circulated walks remember: it is the share of visits in a long walk that is balanced */
    for (int by = 0; by < 2; by++) {
        o.method = GRAPH_CIRCULATED;
        o.circulate = by ? GRAPH_CIRCULATE_NODE : GRAPH_CIRCULATE_EDGE;
        o.steps = 220000;
        struct graph_sample *s = draw(g, &o);
        assert_int_equal(s->nodes, 8);
        for (uint64_t i = 0; i < 8; i++)
            assert_true(fabs((double)s->visits[i] / 10000 / degree[s->node[i]] - 1) <
                        (by ? .001 : .02));
        graph_sample_free(s);
    }
    graph_free(g);
}

static struct graph *star(uint32_t leaves)
{
    uint32_t(*edges)[2] = calloc(leaves, sizeof *edges);
    for (uint32_t i = 0; i < leaves; i++)
        edges[i][1] = i + 1;
    struct graph *g = make_graph(leaves + 1, (const uint32_t(*)[2])edges, leaves, false);
    free(edges);
    return g;
}

/* A circle is gone round without a step back. On a star a circulated walk uses every leaf equally
 * often up to one round for each way in: a random walk would be hundreds of visits off. */
static void walks_remember_where_they_came_from(void **state)
{
    (void)state;
    uint32_t edges[50][2];
    for (uint32_t i = 0; i < 50; i++) {
        edges[i][0] = i;
        edges[i][1] = (i + 1) % 50;
    }
    struct graph *circle = make_graph(50, (const uint32_t(*)[2])edges, 50, false), *g = star(4);
    struct graph_sample_options o = defaults;
    o.method = GRAPH_NON_BACKTRACKING;
    o.nodes = 50;
    struct graph_sample *s = draw(circle, &o);
    assert_int_equal(s->steps, 49);
    graph_sample_free(s);
    o.nodes = 0;
    o.steps = 200000;
    o.method = GRAPH_CIRCULATED;
    for (int by = 0; by < 2; by++) {
        uint64_t least = UINT64_MAX, most = 0;
        o.circulate = (enum graph_sample_circulate)by;
        s = draw(g, &o);
        for (uint64_t i = 0; i < s->nodes; i++)
            if (s->node[i] != 0) {
                least = s->visits[i] < least ? s->visits[i] : least;
                most = s->visits[i] > most ? s->visits[i] : most;
            }
        assert_true(most - least <= (by == GRAPH_CIRCULATE_NODE ? 2 : 9));
        graph_sample_free(s);
    }
    graph_free(circle);
    graph_free(g);
}

static void metropolis_hastings_is_uniform(void **state)
{
    (void)state;
    struct graph *g = small();
    double mass[16];
    static const double alphas[] = { 1, .5, 2, 0 };
    for (int i = 0; i < 4; i++) {
        struct graph_sample_options o = defaults;
        o.method = GRAPH_METROPOLIS_HASTINGS;
        o.alpha = alphas[i];
        for (uint32_t v = 0; v < g->nodes; v++)
            mass[v] = pow((double)graph_degree(g, v), 1 - o.alpha);
        if (i == 0)
            assert_true(mass[0] == 1 && mass[7] == 1);
        assert_true(endpoint_p(g, o, mass) > LEAST_P);
    }
    graph_free(g);
}

static void jump_restart_and_common_neighbor_as_defined(void **state)
{
    (void)state;
    struct graph *g = small();
    double t[16][16], mass[16];
    struct graph_sample_options o = defaults;

    o.method = GRAPH_JUMP;
    o.jump_p = .3;
    for (uint32_t u = 0; u < 8; u++)
        for (uint32_t v = 0; v < 8; v++)
            t[u][v] = .3 / 8 + .7 * adjacent(g, u, v) / (double)graph_degree(g, u);
    stationary(g, t, mass);
    assert_true(endpoint_p(g, o, mass) > LEAST_P);

    o.method = GRAPH_RESTART;
    o.restart_p = .2;
    o.start = 4;
    for (uint32_t u = 0; u < 8; u++)
        for (uint32_t v = 0; v < 8; v++)
            t[u][v] = .2 * (v == 4) + .8 * adjacent(g, u, v) / (double)graph_degree(g, u);
    stationary(g, t, mass);
    assert_true(endpoint_p(g, o, mass) > LEAST_P);
    o.start = GRAPH_NO_NODE;

    o.method = GRAPH_COMMON_NEIGHBOR;
    double strength[16] = { 0 };
    for (uint32_t u = 0; u < 8; u++) {
        for (uint32_t v = 0; v < 8; v++) {
            double common = 0, du = (double)graph_degree(g, u), dv = (double)graph_degree(g, v);
            for (uint32_t w = 0; w < 8; w++)
                common += adjacent(g, u, w) && adjacent(g, v, w);
            t[u][v] = adjacent(g, u, v) ? 1 - common / (du < dv ? du : dv) : 0;
            strength[u] += t[u][v];
        }
        for (uint32_t v = 0; v < 8; v++)
            t[u][v] /= strength[u];
    }
    stationary(g, t, mass);
    for (uint32_t v = 0; v < 8; v++) /* the derivation in sample_walk.c */
        assert_true(fabs(mass[v] / mass[0] - strength[v] / strength[0]) < 1e-9);
    assert_true(endpoint_p(g, o, mass) > LEAST_P);
    graph_free(g);
}

/* Frontier sampling walks edges uniformly, and its nodes are in proportion to degree; on two
 * components too, each within itself. */
static void frontier_walks_edges_uniformly(void **state)
{
    (void)state;
    struct graph *g = small();
    double count[16] = { 0 }, expected[16];
    enum { RUNS = 20000 };
    struct graph_sample_options o = defaults;
    o.method = GRAPH_FRONTIER;
    o.walkers = 3;
    o.steps = 40000;
    struct graph_sample *s = draw(g, &o);
    /* one long run: visits within 5 % of T d / 2M, and the weights undo that */
    double stand = 0;
    for (uint64_t i = 0; i < s->nodes; i++) {
        double part =
            (double)s->visits[i] / (double)(o.steps + 3) * 22 / (double)graph_degree(g, s->node[i]);
        assert_true(fabs(part - 1) < .05);
        stand += (double)s->visits[i] * s->weight[i];
    }
    assert_true(fabs(stand - 8) < .1);
    graph_sample_free(s);
    /* the edge walked last, run after run */
    for (int e = 0; e < 11; e++)
        expected[e] = RUNS / 11.0;
    o.walkers = 2;
    for (uint64_t run = 0; run < RUNS; run++) {
        struct graph_sample *one;
        o.seed = run;
        o.steps = 40;
        s = draw(g, &o);
        o.steps = 41;
        one = draw(g, &o);
        for (uint32_t v = 0; v < 8; v++) { /* whose visits grew by the 41st step */
            uint64_t before = 0, after = 0;
            for (uint64_t i = 0; i < s->nodes; i++)
                before += s->node[i] == v ? s->visits[i] : 0;
            for (uint64_t i = 0; i < one->nodes; i++)
                after += one->node[i] == v ? one->visits[i] : 0;
            count[v] += (double)(after - before);
        }
        graph_sample_free(s);
        graph_sample_free(one);
    }
    for (uint32_t v = 0; v < 8; v++)
        expected[v] = RUNS * (double)graph_degree(g, v) / 22;
    assert_true(chi_square(count, expected, 8) > LEAST_P);
    graph_free(g);
}

/* The walker to move is chosen by degree: one on a pair of nodes and one on K4 move 1 : 3. */
static void frontier_moves_by_degree(void **state)
{
    (void)state;
    struct graph *g =
        GRAPH(6, { 0, 1 }, { 2, 3 }, { 2, 4 }, { 2, 5 }, { 3, 4 }, { 3, 5 }, { 4, 5 });
    struct graph_sample_options o = defaults;
    bool seen = false;
    o.method = GRAPH_FRONTIER;
    o.walkers = 2;
    o.steps = 40000;
    for (o.seed = 0; !seen; o.seed++) {
        double pair = 0, all = 0;
        struct graph_sample *s = draw(g, &o);
        for (uint64_t i = 0; i < s->nodes; i++) {
            pair += s->node[i] < 2 ? (double)s->visits[i] : 0;
            all += (double)s->visits[i];
        }
        seen = pair > 0 && pair < all; /* one walker in each */
        if (seen)
            assert_true(fabs(pair / all - .25) < .02);
        graph_sample_free(s);
    }
    graph_free(g);
}

/* The first edge of the edge methods, against its probability. */
static void edges_are_drawn_as_named(void **state)
{
    (void)state;
    struct graph *g = small();
    static const struct {
        enum graph_sample_method method;
        double by_node; /* with what probability a node is drawn first */
    } cases[] = { { GRAPH_RANDOM_EDGE, 0 }, { GRAPH_NODE_EDGE, 1 }, { GRAPH_HYBRID, .8 } };
    for (int k = 0; k < 3; k++) {
        double count[11] = { 0 }, expected[11];
        struct graph_sample_options o = defaults;
        o.method = cases[k].method;
        o.edges = 1;
        for (uint64_t run = 0; run < 20000; run++) {
            o.seed = run;
            struct graph_sample *s = draw(g, &o);
            count[s->edge[0]]++;
            graph_sample_free(s);
        }
        for (int e = 0; e < 11; e++)
            expected[e] = 20000 * (cases[k].by_node / 8 *
                                       (1 / (double)graph_degree(g, g->source[e]) +
                                        1 / (double)graph_degree(g, g->target[e])) +
                                   (1 - cases[k].by_node) / 11);
        assert_true(chi_square(count, expected, 11) > LEAST_P);
    }
    /* a seed brings all its neighbours */
    struct graph_sample_options o = defaults;
    o.method = GRAPH_NODE_NEIGHBORS;
    o.seeds = 1;
    for (o.seed = 0; o.seed < 50; o.seed++) {
        struct graph_sample *s = draw(g, &o);
        assert_int_equal(s->nodes, graph_degree(g, s->node[0]) + 1);
        graph_sample_free(s);
    }
    graph_free(g);
}

/* With p = 1 a stream keeps every edge that it sees; with a small p those between nodes that are in
 * still come: of a complete graph's first nodes. */
static void partial_induction_keeps_edges_between(void **state)
{
    (void)state;
    struct graph *g = random_graph(30, 1, 0, false);
    struct graph_sample_options o = defaults;
    double kept = 0, seen = 0;
    o.method = GRAPH_EDGE_PARTIAL_INDUCTION;
    o.nodes = 30;
    o.p = .1;
    for (o.seed = 0; o.seed < 200; o.seed++) {
        struct graph_sample *s = draw(g, &o);
        kept += (double)s->edges;
        seen += (double)s->steps;
        /* at most 29 coins can win, each bringing one node or two: the rest is induced */
        assert_true(s->status != GRAPH_SAMPLE_COMPLETE || s->edges >= 15);
        graph_sample_free(s);
    }
    assert_true(kept / seen > .3); /* without induction it would be .1 */
    graph_free(g);
}

/* Probability of drawing `chosen` (bits) of 5 by successive draws in proportion to p. */
static double successive(const double *p, unsigned chosen, unsigned done)
{
    double sum = 0, left = 0;
    if (chosen == done)
        return 1;
    for (unsigned i = 0; i < 5; i++)
        left += done >> i & 1 ? 0 : p[i];
    for (unsigned i = 0; i < 5; i++)
        if ((chosen & ~done) >> i & 1)
            sum += p[i] / left * successive(p, chosen, done | 1u << i);
    return sum;
}

static unsigned bits_of(const struct graph_sample *s)
{
    unsigned bits = 0;
    for (uint64_t i = 0; i < s->nodes; i++)
        bits |= 1u << s->node[i];
    return bits;
}

static void nodes_are_drawn_successively(void **state)
{
    (void)state;
    /* degrees 4 2 2 1 1 */
    struct graph *g = GRAPH(5, { 0, 1 }, { 0, 2 }, { 0, 3 }, { 0, 4 }, { 1, 2 });
    enum { RUNS = 40000 };
    for (int method = 0; method < 3; method++) {
        double p[5], t[16][16], count[32] = { 0 }, expected[32] = { 0 };
        for (uint32_t u = 0; u < 5; u++) {
            p[u] = method == 0 ? 1 : (double)graph_degree(g, u);
            for (uint32_t v = 0; v < 5; v++)
                t[u][v] = .03 + .85 * adjacent(g, u, v) / (double)graph_degree(g, u);
        }
        if (method == 2)
            stationary(g, t, p);
        for (unsigned set = 0; set < 32; set++)
            if (__builtin_popcount(set) == 3)
                expected[set] = RUNS * successive(p, set, 0);
        struct graph_sample_options o = defaults;
        o.method = method == 0 ? GRAPH_RANDOM_NODE : method == 1 ? GRAPH_DEGREE : GRAPH_PAGERANK;
        o.nodes = 3;
        for (uint64_t run = 0; run < RUNS; run++) {
            o.seed = run;
            struct graph_sample *s = draw(g, &o);
            count[bits_of(s)]++;
            graph_sample_free(s);
        }
        assert_true(chi_square(count, expected, 32) > LEAST_P);
    }
    graph_free(g);
}

/* E[visits weight] is 1 for every node: the mean over many samples within 4 standard errors. */
static void weights_are_unbiased(void **state)
{
    (void)state;
    struct graph *g = small();
    enum { RUNS = 40000 };
    static const struct {
        enum graph_sample_method method;
        int size; /* 0 nodes, 1 edges, 2 seeds, 3 a whole stream */
        uint64_t n;
    } cases[] = { { GRAPH_RANDOM_NODE, 0, 3 },
                  { GRAPH_DEGREE, 0, 3 },
                  { GRAPH_PAGERANK, 0, 4 },
                  { GRAPH_NODE_NEIGHBORS, 2, 2 },
                  { GRAPH_RANDOM_EDGE, 1, 3 },
                  { GRAPH_EDGE_INDUCTION, 1, 4 },
                  { GRAPH_EDGE_PARTIAL_INDUCTION, 3, 8 } };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        double sum[8] = { 0 }, square[8] = { 0 };
        struct graph_sample_options o = defaults;
        o.method = cases[k].method;
        o.nodes = cases[k].size == 0 || cases[k].size == 3 ? cases[k].n : 0;
        o.edges = cases[k].size == 1 ? cases[k].n : 0;
        o.seeds = cases[k].size == 2 ? cases[k].n : 0;
        if (cases[k].size == 3)
            o.p = .3;
        for (uint64_t run = 0; run < RUNS; run++) {
            o.seed = run;
            struct graph_sample *s = draw(g, &o);
            for (uint64_t i = 0; i < s->nodes; i++) {
                double x = (double)s->visits[i] * s->weight[i];
                sum[s->node[i]] += x;
                square[s->node[i]] += x * x;
            }
            graph_sample_free(s);
        }
        for (uint32_t v = 0; v < 8; v++) {
            double mean = sum[v] / RUNS, var = square[v] / RUNS - mean * mean;
            double se = sqrt(var / RUNS);
            if (!(fabs(mean - 1) <= 4 * se + 1e-12))
                fail_msg("%s: node %u stands for %.4f +- %.4f nodes",
                         graph_sample_about(o.method)->name, v, mean, se);
        }
    }
    graph_free(g);
}

/* Long walks and many draws: every node's visits times weight is near 1. */
static void weights_tend_to_one(void **state)
{
    (void)state;
    struct graph *g = random_graph(30, .15, 3, false);
    static const enum graph_sample_method walks[] = {
        GRAPH_RANDOM_WALK,      GRAPH_JUMP,       GRAPH_METROPOLIS_HASTINGS,
        GRAPH_NON_BACKTRACKING, GRAPH_CIRCULATED, GRAPH_COMMON_NEIGHBOR
    };
    for (size_t k = 0; k < sizeof walks / sizeof *walks; k++) {
        struct graph_sample_options o = defaults;
        double mean = 0, total = 0, degree = 0;
        o.method = walks[k];
        o.steps = 300000;
        o.start = 0;
        struct graph_sample *s = draw(g, &o);
        for (uint64_t i = 0; i < s->nodes; i++) {
            double x = (double)s->visits[i] * s->weight[i];
            if (fabs(x - 1) > .07)
                fail_msg("%s: node %u stands for %.4f nodes", graph_sample_about(o.method)->name,
                         s->node[i], x);
            total += x;
            mean += x * (double)graph_degree(g, s->node[i]);
        }
        degree = 2.0 * (double)g->edges / g->nodes;
        assert_true(fabs(mean / total - degree) < .05);
        graph_sample_free(s);
    }
    /* two-draw methods: the mean over runs of a fixed number of draws cannot be had through nodes
     * or edges, so many draws of edges at once: all edges of a graph with few */
    struct graph *h = random_graph(400, .02, 8, false);
    for (int k = 0; k < 2; k++) {
        struct graph_sample_options o = defaults;
        double total = 0, degrees = 0;
        o.method = k ? GRAPH_HYBRID : GRAPH_NODE_EDGE;
        o.edges = h->edges / 2;
        struct graph_sample *s = draw(h, &o);
        for (uint64_t i = 0; i < s->nodes; i++) {
            double x = (double)s->visits[i] * s->weight[i];
            total += x;
            degrees += x * (double)graph_degree(h, s->node[i]);
        }
        assert_true(fabs(total - 400) < 12);
        assert_true(fabs(degrees - 2.0 * (double)h->edges) < 100);
        graph_sample_free(s);
    }
    graph_free(g);
    graph_free(h);
}

/* Wilson's trees: all spanning trees equally likely, as many as the matrix-tree theorem says. */
static void loop_erased_walks_give_uniform_trees(void **state)
{
    (void)state;
    /* K4 without an edge, and a pendant node: 8 spanning trees */
    struct graph *g = GRAPH(5, { 0, 1 }, { 0, 2 }, { 0, 3 }, { 1, 2 }, { 2, 3 }, { 3, 4 });
    double l[4][4] = { { 0 } }, det = 1;
    for (uint32_t u = 0; u < 4; u++) /* the Laplacian without the last row and column */
        for (uint32_t v = 0; v < 4; v++)
            l[u][v] = u == v ? (double)graph_degree(g, u) : -(double)adjacent(g, u, v);
    for (int i = 0; i < 4; i++) {
        det *= l[i][i];
        for (int j = i + 1; j < 4; j++)
            for (int k = 3; k >= i; k--)
                l[j][k] -= l[j][i] / l[i][i] * l[i][k];
    }
    assert_true(fabs(det - 8) < 1e-9);
    enum { RUNS = 40000 };
    double count[64] = { 0 }, expected[64] = { 0 };
    int trees = 0;
    struct graph_sample_options o = defaults;
    o.method = GRAPH_LOOP_ERASED;
    o.nodes = 5;
    for (uint64_t run = 0; run < RUNS; run++) {
        o.seed = run;
        struct graph_sample *s = draw(g, &o);
        unsigned bits = 0;
        assert_int_equal(s->edges, 4);
        for (int i = 0; i < 4; i++)
            bits |= 1u << s->edge[i];
        count[bits]++;
        graph_sample_free(s);
    }
    for (int i = 0; i < 64; i++) {
        trees += count[i] > 0;
        expected[i] = count[i] > 0 ? RUNS / det : 0;
    }
    assert_int_equal(trees, 8);
    assert_true(chi_square(count, expected, 64) > LEAST_P);
    graph_free(g);
}

/* The number of neighbours that burn, seen on a star lit at its hub. */
static void fires_burn_by_both_laws(void **state)
{
    (void)state;
    enum { RUNS = 20000 };
    struct graph *g = star(60);
    struct graph_sample_options o = defaults;
    o.method = GRAPH_FOREST_FIRE;
    o.start = 0;
    o.nodes = 61;
    o.burn = GRAPH_BURN_LESKOVEC;
    o.induce = GRAPH_INDUCE_WALKED;
    double count[12] = { 0 }, expected[12], sum = 0;
    for (uint64_t run = 0; run < RUNS; run++) {
        o.seed = run;
        struct graph_sample *s = draw(g, &o); /* other leaves are lit anew, without an edge */
        count[s->edges < 11 ? s->edges : 11]++;
        sum += (double)s->edges;
        graph_sample_free(s);
    }
    for (int k = 0; k < 12; k++)
        expected[k] = RUNS * pow(.4, k) * (k < 11 ? .6 : 1);
    assert_true(chi_square(count, expected, 12) > LEAST_P);
    assert_true(fabs(sum / RUNS - .4 / .6) < .03);
    /* 1, 2, ... with mean 1/p: the first node worked off fills a sample of k + 1 when at least k
     * neighbours burn */
    o.burn = GRAPH_BURN_LITTLEBALLOFFUR;
    for (uint64_t k = 1; k <= 5; k++) {
        double once = 0;
        o.nodes = k + 1;
        for (uint64_t run = 0; run < RUNS; run++) {
            o.seed = run;
            struct graph_sample *s = draw(g, &o);
            once += s->steps == 1;
            graph_sample_free(s);
        }
        double p = pow(.6, (double)k - 1);
        assert_true(fabs(once / RUNS - p) <= 4 * sqrt(p * (1 - p) / RUNS));
    }
    graph_free(g);
}

static void snowball_names_at_most_k(void **state)
{
    (void)state;
    struct graph *g = star(60);
    struct graph_sample_options o = defaults;
    o.method = GRAPH_SNOWBALL;
    o.start = 0;
    o.nodes = 61;
    o.k = 7;
    struct graph_sample *s = draw(g, &o);
    assert_int_equal(s->status, GRAPH_SAMPLE_EXHAUSTED);
    assert_int_equal(s->nodes, 8);
    assert_non_null(strstr(s->reason, "died out"));
    graph_sample_free(s);
    graph_free(g);
}

/* Depth first: in the tree of a whole component every edge joins a node and its ancestor. Breadth
 * first: distances from the start never fall. */
static void searches_search(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct graph *g = random_graph(60, .1, seed, false);
        uint32_t parent[60], place[60], distance[60];
        struct graph_sample_options o = defaults;
        o.nodes = 60;
        o.seed = seed;
        o.method = GRAPH_DFS;
        struct graph_sample *s = draw(g, &o);
        memset(parent, 0xff, sizeof parent);
        memset(place, 0xff, sizeof place);
        for (uint64_t i = 0; i < s->nodes; i++)
            place[s->node[i]] = (uint32_t)i;
        assert_int_equal(s->edges, s->nodes - 1);
        for (uint64_t i = 0; i < s->edges; i++) {
            uint32_t u = g->source[s->edge[i]], v = g->target[s->edge[i]];
            if (place[u] < place[v])
                parent[v] = u;
            else
                parent[u] = v;
        }
        for (uint64_t e = 0; e < g->edges; e++) {
            uint32_t u = g->source[e], v = g->target[e];
            if (place[u] == UINT32_MAX)
                continue;
            uint32_t low = place[u] < place[v] ? u : v, at = low == u ? v : u;
            while (at != low && at != UINT32_MAX)
                at = parent[at];
            assert_int_equal(at, low);
        }
        graph_sample_free(s);
        o.method = GRAPH_BFS;
        s = draw(g, &o);
        memset(distance, 0xff, sizeof distance);
        distance[s->node[0]] = 0;
        for (uint64_t i = 0; i < s->nodes; i++) {
            uint32_t v = s->node[i];
            if (i)
                assert_true(distance[v] != UINT32_MAX && distance[v] >= distance[s->node[i - 1]]);
            for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++)
                if (distance[g->neighbor[k]] == UINT32_MAX)
                    distance[g->neighbor[k]] = distance[v] + 1;
        }
        graph_sample_free(s);
        graph_free(g);
    }
}

/* A uniform pair of a sampled node and one of its neighbours outside, given that there is one: on
 * a path with the start in the middle the two ends take turns with probability one half. */
static void diffusion_grows_by_the_definition(void **state)
{
    (void)state;
    /* a triangle 0 1 2 with leaves 3 at 0: from {0, 1} the next is
       2 by (0: 1/3) or (1: 1/2), 3 by (0: 1/3), among draws that add a node */
    struct graph *g = GRAPH(4, { 0, 1 }, { 0, 2 }, { 1, 2 }, { 0, 3 });
    enum { RUNS = 40000 };
    double count[2] = { 0 }, total = 0;
    struct graph_sample_options o = defaults;
    o.method = GRAPH_DIFFUSION_TREE;
    o.nodes = 3;
    o.start = 0;
    for (uint64_t run = 0; run < RUNS; run++) {
        o.seed = run;
        struct graph_sample *s = draw(g, &o);
        if (s->node[1] == 1) {
            count[s->node[2] == 3]++;
            total++;
        }
        assert_int_equal(s->edges, 2);
        graph_sample_free(s);
    }
    double expected[2] = { total * (1. / 3 + 1. / 2) / (1. / 3 + 1. / 2 + 1. / 3),
                           total * (1. / 3) / (1. / 3 + 1. / 2 + 1. / 3) };
    assert_true(chi_square(count, expected, 2) > LEAST_P);
    graph_free(g);
}

/* The score of v given the sample node[0 .. n). */
static int expansion_of(const struct graph *g, const uint32_t *node, uint64_t n, uint32_t v,
                        bool new)
{
    int score = 0;
    for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++) {
        bool known = false;
        for (uint64_t i = 0; i < n; i++)
            known =
                known || node[i] == g->neighbor[k] || (new &&adjacent(g, node[i], g->neighbor[k]));
        score += !known;
    }
    return score;
}

static void expansion_always_takes_the_best(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct graph *g = random_graph(50, .06 + .01 * (double)(seed % 8), seed, false);
        struct graph_sample_options o = defaults;
        o.method = GRAPH_COMMUNITY;
        o.nodes = 50;
        o.seed = seed;
        o.expansion = (enum graph_sample_expansion)(seed % 2);
        struct graph_sample *s = draw(g, &o);
        for (uint64_t i = 1; i < s->nodes; i++) {
            int best = -1;
            for (uint32_t v = 0; v < 50; v++) {
                bool in = false, near = false;
                for (uint64_t j = 0; j < i; j++) {
                    in = in || s->node[j] == v;
                    near = near || adjacent(g, s->node[j], v);
                }
                int score = in || !near ? -1 : expansion_of(g, s->node, i, v, seed % 2 == 0);
                best = score > best ? score : best;
            }
            assert_true(best >= 0);
            assert_int_equal(expansion_of(g, s->node, i, s->node[i], seed % 2 == 0), best);
        }
        graph_sample_free(s);
        graph_free(g);
    }
    /* ties: from the hub of a star every leaf is equally likely to be next */
    struct graph *g = star(5);
    double count[5] = { 0 }, expected[5] = { 2000, 2000, 2000, 2000, 2000 };
    struct graph_sample_options o = defaults;
    o.method = GRAPH_COMMUNITY;
    o.nodes = 3;
    o.start = 0;
    for (uint64_t run = 0; run < 10000; run++) {
        o.seed = run;
        struct graph_sample *s = draw(g, &o);
        count[s->node[2] - 1]++;
        graph_sample_free(s);
    }
    assert_true(chi_square(count, expected, 5) > LEAST_P);
    graph_free(g);
}

/* Three shortest paths from 0 to 6, two of them through 1: each is drawn a third of the time. With
 * many shared neighbours of 1 and 2, and of 3, 4 and 5, the search looks for edges between levels
 * instead of opening the next. */
static void equal_paths(uint32_t more, uint32_t runs)
{
    uint32_t edges[256][2] = { { 0, 1 }, { 0, 2 }, { 1, 3 }, { 1, 4 },
                               { 2, 5 }, { 3, 6 }, { 4, 6 }, { 5, 6 } };
    size_t n = 8;
    for (uint32_t i = 0; i < more; i++) {
        for (uint32_t k = 1; k <= 5; k++) {
            edges[n][0] = k;
            edges[n++][1] = 7 + i + (k > 2 ? more : 0);
        }
    }
    uint32_t nodes = 7 + 2 * more;
    struct graph *g = make_graph(nodes, (const uint32_t(*)[2])edges, n, false);
    double count[3] = { 0 }, total = 0;
    struct graph_sample_options o = defaults;
    o.method = GRAPH_SHORTEST_PATH;
    o.nodes = 4;
    for (uint64_t run = 0; run < runs; run++) {
        o.seed = run;
        struct graph_sample *s = draw(g, &o);
        uint32_t a = s->node[0], b = s->node[3];
        if (s->steps == 1 && ((a == 0 && b == 6) || (a == 6 && b == 0))) {
            uint32_t near6 = a == 0 ? s->node[2] : s->node[1];
            count[near6 - 3]++;
            total++;
        }
        graph_sample_free(s);
    }
    double expected[3] = { total / 3, total / 3, total / 3 }, pairs = nodes * (nodes - 1.0);
    /* uniform pairs */
    assert_true(fabs(total - 2 * runs / pairs) < 4 * sqrt(2 * runs / pairs));
    assert_true(chi_square(count, expected, 3) > LEAST_P);
    graph_free(g);
}

static void shortest_paths_are_equally_likely(void **state)
{
    (void)state;
    equal_paths(0, 40000);
    equal_paths(24, 200000);
}

/* One layer of one edge from a layer of two nodes: the chances of the five balls. */
static void balls_weigh_edges_as_named(void **state)
{
    (void)state;
    enum { RUNS = 40000 };
    /* 0 has outer neighbours 2 3 4, 1 has 4 5; 4 is reached twice */
    struct graph *g = GRAPH(6, { 0, 2 }, { 0, 3 }, { 0, 4 }, { 1, 4 }, { 1, 5 });
    static const double chances[5][4] = {
        /* of 2, 3, 4, 5 */
        { 1, 1, 2, 1 },                                   /* edge */
        { 3, 3, 5, 2 },                                   /* hub */
        { 1, 1, 4, 1 },                                   /* core */
        { 1. / 3, 1. / 3, 1. / 3 + 1. / 2, 1. / 2 },      /* fire */
        { 1. / 3, 1. / 3, 2 * (1. / 3 + 1. / 2), 1. / 2 } /* firecore */
    };
    for (int ball = 0; ball < 5; ball++) {
        double count[4] = { 0 }, expected[4], sum = 0, total = 0;
        struct graph_sample_options o = defaults;
        o.method = GRAPH_SPIKYBALL;
        o.ball = (enum graph_sample_ball)ball;
        o.nodes = 3;
        o.initial = .7; /* two nodes */
        for (uint64_t run = 0; run < 5 * RUNS; run++) {
            o.seed = run;
            struct graph_sample *s = draw(g, &o);
            if ((s->node[0] | s->node[1]) == 1) {
                count[s->node[2] - 2]++;
                total++;
            }
            graph_sample_free(s);
        }
        for (int i = 0; i < 4; i++)
            sum += chances[ball][i];
        for (int i = 0; i < 4; i++)
            expected[i] = total * chances[ball][i] / sum;
        assert_true(total > RUNS / 6);
        assert_true(chi_square(count, expected, 4) > LEAST_P);
    }
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_visit_in_proportion_to_degree),
        cmocka_unit_test(walks_remember_where_they_came_from),
        cmocka_unit_test(metropolis_hastings_is_uniform),
        cmocka_unit_test(jump_restart_and_common_neighbor_as_defined),
        cmocka_unit_test(frontier_walks_edges_uniformly),
        cmocka_unit_test(frontier_moves_by_degree),
        cmocka_unit_test(edges_are_drawn_as_named),
        cmocka_unit_test(partial_induction_keeps_edges_between),
        cmocka_unit_test(nodes_are_drawn_successively),
        cmocka_unit_test(weights_are_unbiased),
        cmocka_unit_test(weights_tend_to_one),
        cmocka_unit_test(loop_erased_walks_give_uniform_trees),
        cmocka_unit_test(fires_burn_by_both_laws),
        cmocka_unit_test(snowball_names_at_most_k),
        cmocka_unit_test(searches_search),
        cmocka_unit_test(diffusion_grows_by_the_definition),
        cmocka_unit_test(expansion_always_takes_the_best),
        cmocka_unit_test(shortest_paths_are_equally_likely),
        cmocka_unit_test(balls_weigh_edges_as_named),
    };
    return cmocka_run_group_tests_name("graph_sample_law", tests, NULL, NULL);
}
