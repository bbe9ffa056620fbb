/* All 27 samplers: what they give exists, has the size asked for or says why not, ends on every
 * graph, and is a function of the seed; options are checked; no failed allocation leaks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/memory.h"
#include "sample_support.h"
#include "support.h"

static const struct graph_sample_options defaults = GRAPH_SAMPLE_OPTIONS_DEFAULT;

/* Nodes differ and exist, edges exist, lie between its nodes, differ; counts fit the status. */
static void check_sample(const struct graph *g, const struct graph_sample_options *o,
                         const struct graph_sample *s)
{
    const struct graph_sample_about *about = graph_sample_about(o->method);
    uint8_t *in = calloc(g->nodes, 1);
    for (uint64_t i = 0; i < s->nodes; i++) {
        assert_true(s->node[i] < g->nodes);
        assert_false(in[s->node[i]]);
        in[s->node[i]] = 1;
        assert_true(s->visits[i] >= 1);
    }
    if (o->nodes) {
        assert_true(s->nodes <= o->nodes);
        assert_true((s->status == GRAPH_SAMPLE_COMPLETE) == (s->nodes == o->nodes));
    }
    assert_true((s->status == GRAPH_SAMPLE_COMPLETE) == (s->reason[0] == '\0'));
    assert_true((s->weight != NULL) == (o->weights && (about->can & GRAPH_SAMPLE_WEIGHTS) != 0));
    for (uint64_t i = 0; s->weight && i < s->nodes; i++)
        assert_true(s->weight[i] > 0 && isfinite(s->weight[i]));
    if (o->induce != GRAPH_INDUCE_AUTO)
        assert_int_equal(s->walked, o->induce == GRAPH_INDUCE_WALKED);
    for (uint64_t i = 0; i < s->edges; i++) {
        assert_true(s->edge[i] < g->edges);
        assert_true(i == 0 || s->edge[i - 1] < s->edge[i]);
        assert_true(in[g->source[s->edge[i]]] && in[g->target[s->edge[i]]]);
    }
    free(in);
    struct graph *sub = NULL;
    assert_int_equal(graph_sample_graph(&sub, g, s), 0);
    assert_int_equal(sub->nodes, s->nodes);
    for (uint64_t e = 0; e < sub->edges; e++)
        assert_true(graph_edge_find(g, s->node[sub->source[e]], s->node[sub->target[e]]) !=
                    UINT64_MAX);
    graph_free(sub);
}

static void assert_same(const struct graph_sample *a, const struct graph_sample *b)
{
    assert_int_equal(a->nodes, b->nodes);
    assert_memory_equal(a->node, b->node, a->nodes * sizeof *a->node);
    assert_memory_equal(a->visits, b->visits, a->nodes * sizeof *a->visits);
    assert_int_equal(a->edges, b->edges);
    if (a->edges)
        assert_memory_equal(a->edge, b->edge, a->edges * sizeof *a->edge);
    if (a->weight)
        assert_memory_equal(a->weight, b->weight, a->nodes * sizeof *a->weight);
    assert_int_equal(a->steps, b->steps);
    assert_int_equal(a->restarts, b->restarts);
}

/* Every method, both ways of going on, both kinds of edges, several sizes. */
static void all_on(const struct graph *g)
{
    const uint64_t sizes[] = { 1, 2, g->nodes / 3, g->nodes / 2, g->nodes - 1, g->nodes };
    for (int m = 0; m < GRAPH_METHODS; m++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            for (int how = 0; how < 6; how++) {
                struct graph_sample_options o = defaults;
                o.method = (enum graph_sample_method)m;
                o.nodes = sizes[k];
                o.exhausted = (enum graph_sample_exhausted)(how & 1);
                o.induce = (enum graph_sample_induce)(how / 2);
                o.seed = 17 * k + (uint64_t)how;
                o.max_steps = 3000000;
                if (o.nodes == 0 || o.nodes > g->nodes ||
                    (o.induce == GRAPH_INDUCE_WALKED &&
                     !(graph_sample_about(o.method)->can & GRAPH_SAMPLE_WALKED)))
                    continue;
                struct graph_sample *s = draw(g, &o), *again = draw(g, &o);
                check_sample(g, &o, s);
                assert_same(s, again);
                assert_true(s->status != GRAPH_SAMPLE_LIMIT);
                graph_sample_free(s);
                graph_sample_free(again);
            }
    graph_free((struct graph *)g);
}

static void valid_on_random_graphs(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3; seed++) {
        all_on(random_graph(60, .1, seed, false));
        all_on(random_graph(80, .02, seed, false)); /* many components and isolated nodes */
    }
    all_on(random_graph(40, .05, 9, true));
}

static void valid_on_extreme_graphs(void **state)
{
    (void)state;
    all_on(make_graph(1, NULL, 0, false));
    all_on(make_graph(5, NULL, 0, false));
    all_on(GRAPH(2, { 0, 1 }));
    all_on(GRAPH(6, { 0, 1 }, { 2, 3 }, { 4, 5 }));
    all_on(GRAPH(7, { 0, 1 }, { 0, 2 }, { 0, 3 }, { 0, 4 }, { 0, 5 }, { 0, 6 }));
    all_on(GRAPH(9, { 0, 1 }, { 1, 2 }, { 2, 3 }, { 3, 4 }, { 4, 5 }, { 5, 6 }, { 6, 7 }));
    all_on(GRAPH(6, { 0, 1 }, { 1, 2 }, { 2, 3 }, { 3, 4 }, { 4, 5 }, { 5, 0 }));
    all_on(random_graph(12, 1, 0, false));
}

/* The bar: half of GitHub's 37,700 nodes by every method, every edge in the graph; and all of
 * LastFM Asia. */
static void valid_on_real_graphs(void **state)
{
    (void)state;
    static const char *const names[] = { "sampling/graphs/github_edges.csv.zst",
                                         "sampling/graphs/lastfm_edges.csv.zst" };
    TEST_NEEDS_SHARED(names[0]);
    for (int i = 0; i < 2; i++) {
        struct graph *g;
        assert_int_equal(graph_read(&g, test_shared_path(names[i]), NULL), 0);
        for (int m = 0; m < GRAPH_METHODS; m++) {
            struct graph_sample_options o = defaults;
            o.method = (enum graph_sample_method)m;
            if (o.method == GRAPH_EDGE_PARTIAL_INDUCTION)
                o.p = 1; /* less does not get to all nodes */
            if (o.method == GRAPH_SNOWBALL)
                o.k = 300; /* more than the highest degree of LastFM: it cannot die out */
            o.nodes = i ? g->nodes : g->nodes / 2;
            if (o.method == GRAPH_SPIKYBALL) /* it forgets edges, and may end before all are in */
                o.exhausted = GRAPH_EXHAUSTED_RESTART;
            struct graph_sample *s = draw(g, &o);
            check_sample(g, &o, s);
            if (s->status != GRAPH_SAMPLE_COMPLETE)
                fail_msg("%s: %s", graph_sample_about(o.method)->name, s->reason);
            graph_sample_free(s);
        }
        graph_free(g);
    }
}

static void seeds_differ(void **state)
{
    (void)state;
    struct graph *g = random_graph(200, .05, 4, false);
    for (int m = 0; m < GRAPH_METHODS; m++) {
        struct graph_sample_options o = defaults;
        o.method = (enum graph_sample_method)m;
        o.nodes = 50;
        struct graph_sample *a = draw(g, &o);
        o.seed = 1;
        struct graph_sample *b = draw(g, &o);
        assert_memory_not_equal(a->node, b->node, 50 * sizeof *a->node);
        graph_sample_free(a);
        graph_sample_free(b);
    }
    graph_free(g);
}

static void sizes_other_than_nodes(void **state)
{
    (void)state;
    struct graph *g = random_graph(100, .05, 5, false);
    for (int m = 0; m < GRAPH_METHODS; m++) {
        struct graph_sample_options o = defaults;
        unsigned can = graph_sample_about((enum graph_sample_method)m)->can;
        o.method = (enum graph_sample_method)m;
        if (can & GRAPH_SAMPLE_EDGES) {
            o.edges = 40;
            o.induce = GRAPH_INDUCE_WALKED;
            struct graph_sample *s = draw(g, &o);
            check_sample(g, &o, s);
            assert_int_equal(s->edges, 40);
            graph_sample_free(s);
            o.edges = 0;
        }
        if (can & GRAPH_SAMPLE_STEPS) {
            uint64_t visits = 0;
            o.steps = 1000;
            o.burn_in = 30;
            o.induce = GRAPH_INDUCE_WALKED;
            struct graph_sample *s = draw(g, &o);
            check_sample(g, &o, s);
            assert_int_equal(s->steps, 1030);
            for (uint64_t i = 0; i < s->nodes; i++)
                visits += s->visits[i];
            assert_int_equal(visits, 1000 + (m == GRAPH_FRONTIER ? 10 : 0));
            graph_sample_free(s);
        }
    }
    struct graph_sample_options o = defaults;
    o.method = GRAPH_NODE_NEIGHBORS;
    o.seeds = 5;
    struct graph_sample *s = draw(g, &o);
    check_sample(g, &o, s);
    assert_true(s->nodes > 5);
    graph_sample_free(s);
    graph_free(g);
}

/* Two triangles, a pair and an isolated node. */
static struct graph *pieces(void)
{
    return GRAPH(9, { 0, 1 }, { 1, 2 }, { 2, 0 }, { 3, 4 }, { 4, 5 }, { 5, 3 }, { 6, 7 });
}

static void exhaustion_is_told(void **state)
{
    (void)state;
    struct graph *g = pieces();
    static const enum graph_sample_method stay[] = {
        GRAPH_RANDOM_WALK, GRAPH_RESTART,     GRAPH_METROPOLIS_HASTINGS, GRAPH_NON_BACKTRACKING,
        GRAPH_CIRCULATED,  GRAPH_LOOP_ERASED, GRAPH_COMMON_NEIGHBOR,     GRAPH_BFS,
        GRAPH_DFS,         GRAPH_SNOWBALL,    GRAPH_DIFFUSION,           GRAPH_DIFFUSION_TREE,
        GRAPH_COMMUNITY
    };
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) {
        struct graph_sample_options o = defaults;
        o.method = stay[i];
        o.nodes = 9;
        o.start = 4;
        struct graph_sample *s = draw(g, &o);
        assert_int_equal(s->status, GRAPH_SAMPLE_EXHAUSTED);
        assert_int_equal(s->nodes, 3);
        assert_true(strlen(s->reason) > 10);
        graph_sample_free(s);
        o.start = 8; /* alone */
        s = draw(g, &o);
        assert_int_equal(s->status, GRAPH_SAMPLE_EXHAUSTED);
        assert_int_equal(s->nodes, 1);
        graph_sample_free(s);
        o.exhausted = GRAPH_EXHAUSTED_RESTART;
        s = draw(g, &o);
        assert_int_equal(s->status, GRAPH_SAMPLE_COMPLETE);
        assert_int_equal(s->nodes, 9);
        if (o.method != GRAPH_RESTART)
            assert_int_equal(s->restarts, 3);
        graph_sample_free(s);
    }
    /* what has no way to an isolated node says so; jumps and fires reach every node */
    static const struct {
        enum graph_sample_method method;
        uint64_t nodes;
    } reach[] = { { GRAPH_DEGREE, 8 },        { GRAPH_RANDOM_EDGE, 8 }, { GRAPH_NODE_EDGE, 8 },
                  { GRAPH_HYBRID, 8 },        { GRAPH_JUMP, 9 },        { GRAPH_FOREST_FIRE, 9 },
                  { GRAPH_SHORTEST_PATH, 8 }, { GRAPH_FRONTIER, 9 },    { GRAPH_NODE_NEIGHBORS, 9 },
                  { GRAPH_RANDOM_NODE, 9 } };
    for (size_t i = 0; i < sizeof reach / sizeof *reach; i++) {
        struct graph_sample_options o = defaults;
        o.method = reach[i].method;
        o.nodes = 9;
        struct graph_sample *s = draw(g, &o);
        assert_int_equal(s->nodes, reach[i].nodes);
        check_sample(g, &o, s);
        graph_sample_free(s);
    }
    graph_free(g);
}

static void steps_are_limited(void **state)
{
    (void)state;
    struct graph *g = random_graph(50, .2, 1, false);
    struct graph_sample_options o = defaults;
    o.method = GRAPH_RANDOM_WALK;
    o.nodes = 50;
    o.max_steps = 20;
    struct graph_sample *s = draw(g, &o);
    assert_int_equal(s->status, GRAPH_SAMPLE_LIMIT);
    assert_int_equal(s->steps, 20);
    assert_string_equal(s->reason, "the limit of 20 steps was reached");
    assert_true(s->nodes > 1 && s->nodes <= 21);
    graph_sample_free(s);
    graph_free(g);
}

static void refused(struct graph *g, struct graph_sample_options o, const char *message)
{
    struct graph_sample *s;
    assert_int_equal(graph_sample_draw(&s, g, &o), BASE_E_ARGUMENT);
    assert_null(s);
    if (!strstr(base_error_message(), message))
        fail_msg("\"%s\" lacks \"%s\"", base_error_message(), message);
}

static void options_are_checked(void **state)
{
    (void)state;
    struct graph *g = pieces();
#define REFUSED(message, ...)                                                                      \
    do {                                                                                           \
        struct graph_sample_options o = defaults;                                                  \
        __VA_ARGS__;                                                                               \
        refused(g, o, message);                                                                    \
    } while (0)
    REFUSED("give one size", o.method = GRAPH_BFS);
    REFUSED("10 nodes were asked for, but the graph has 9", o.nodes = 10);
    REFUSED("8 edges were asked for, but the graph has 7", o.method = GRAPH_RANDOM_EDGE,
            o.edges = 8);
    REFUSED("give one size", o.method = GRAPH_RANDOM_EDGE, o.edges = 8, o.nodes = 1);
    REFUSED("not of steps", o.method = GRAPH_BFS, o.steps = 8);
    REFUSED("not of edges", o.method = GRAPH_BFS, o.edges = 3);
    REFUSED("not of seeds", o.method = GRAPH_BFS, o.seeds = 3);
    REFUSED("does not begin at one node", o.nodes = 2, o.start = 3);
    REFUSED("the graph has nodes 0 to 8", o.method = GRAPH_DFS, o.nodes = 2, o.start = 9);
    REFUSED("walks no edges", o.nodes = 2, o.induce = GRAPH_INDUCE_WALKED);
    REFUSED("no burn-in", o.method = GRAPH_DFS, o.nodes = 2, o.burn_in = 5);
    REFUSED("damping", o.method = GRAPH_PAGERANK, o.nodes = 2, o.damping = 1);
    REFUSED("restart probability", o.method = GRAPH_RESTART, o.nodes = 2, o.restart_p = 1);
    REFUSED("jump probability", o.method = GRAPH_JUMP, o.nodes = 2, o.jump_p = 0);
    REFUSED("alpha", o.method = GRAPH_METROPOLIS_HASTINGS, o.nodes = 2, o.alpha = -1);
    REFUSED("walker", o.method = GRAPH_FRONTIER, o.nodes = 2, o.walkers = 0);
    REFUSED("k is at least 1", o.method = GRAPH_SNOWBALL, o.nodes = 2, o.k = 0);
    REFUSED("p is above 0", o.method = GRAPH_FOREST_FIRE, o.nodes = 2, o.p = 0);
    REFUSED("below 1", o.method = GRAPH_FOREST_FIRE, o.nodes = 2, o.p = 1,
            o.burn = GRAPH_BURN_LESKOVEC);
    REFUSED("initial", o.method = GRAPH_SPIKYBALL, o.nodes = 2, o.initial = 2);
    REFUSED("0 to 1", o.method = GRAPH_HYBRID, o.nodes = 2, o.p = 1.5);
    REFUSED("at most 1", o.method = GRAPH_EDGE_PARTIAL_INDUCTION, o.nodes = 2, o.p = 1.5);
    REFUSED("no sampling method 27", o.method = GRAPH_METHODS, o.nodes = 2);
    REFUSED("at least 1", o.method = GRAPH_DFS, o.nodes = 2, o.max_steps = 0);
    graph_free(g);
    enum graph_sample_method m;
    for (int i = 0; i < GRAPH_METHODS; i++) {
        const char *name = graph_sample_about((enum graph_sample_method)i)->name;
        assert_int_equal(graph_sample_method_find(name, &m), 0);
        assert_int_equal((int)m, i);
    }
    assert_int_equal(graph_sample_method_find("walk", &m), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "random-walk, restart, jump"));
}

static void directed_edges_keep_their_direction(void **state)
{
    (void)state;
    const uint32_t arcs[][2] = { { 0, 1 }, { 1, 0 }, { 2, 1 }, { 3, 2 } };
    struct graph *g = make_graph(4, arcs, 4, true);
    struct graph_sample_options o = defaults;
    o.method = GRAPH_BFS;
    o.nodes = 4;
    o.start = 0;
    struct graph_sample *s = draw(g, &o); /* against all arrows but one */
    assert_int_equal(s->nodes, 4);
    assert_int_equal(s->edges, 4);
    struct graph *sub;
    assert_int_equal(graph_sample_graph(&sub, g, s), 0);
    assert_true(sub->directed);
    assert_int_equal(sub->edges, 4);
    graph_free(sub);
    const char *path = test_temporary_path(".csv");
    assert_int_equal(graph_sample_write_nodes(g, s, path), 0);
    char *text;
    size_t bytes;
    FILE *f = fopen(path, "r");
    text = calloc(1, 4096);
    bytes = fread(text, 1, 4095, f);
    fclose(f);
    unlink(path);
    assert_true(bytes > 0);
    assert_string_equal(text, "node,visits,degree,weight\n0,1,1,\n1,1,2,\n2,1,2,\n3,1,1,\n");
    free(text);
    graph_sample_free(s);
    graph_free(g);
}

static void node_file(void **state)
{
    (void)state;
    static const char *const names[] = { "a", "b, \"c\"", "d" };
    const uint32_t u[] = { 0, 1 }, v[] = { 1, 2 };
    struct graph *g;
    assert_int_equal(graph_make(&g, 3, u, v, NULL, 2, false, names), 0);
    struct graph_sample_options o = defaults;
    o.nodes = 3;
    struct graph_sample *s = draw(g, &o);
    const char *path = test_temporary_path(".csv");
    assert_int_equal(graph_sample_write_nodes(g, s, path), 0);
    char text[512] = "";
    FILE *f = fopen(path, "r");
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    unlink(path);
    assert_non_null(strstr(text, "\na,1,1,1\n"));
    assert_non_null(strstr(text, "\n\"b, \"\"c\"\"\",1,2,1\n"));
    assert_int_equal(graph_sample_write_nodes(g, s, "/nonexistent/x.csv"), BASE_E_IO);
    graph_sample_free(s);
    graph_free(g);
}

static void failed_allocations_leak_nothing(void **state)
{
    (void)state;
    struct graph *graphs[] = { random_graph(40, .1, 2, false), random_graph(30, .1, 2, true) };
    for (int i = 0; i < 2; i++)
        for (int m = 0; m < GRAPH_METHODS; m++) {
            struct graph_sample_options o = defaults;
            o.method = (enum graph_sample_method)m;
            o.nodes = 25;
            o.exhausted = GRAPH_EXHAUSTED_RESTART;
            long live = base_alloc_live();
            int rc = -1;
            for (long n = 1; rc && n < 400; n++) {
                struct graph_sample *s;
                base_alloc_fail_after(n);
                rc = graph_sample_draw(&s, graphs[i], &o);
                base_alloc_fail_after(0);
                assert_true(rc == 0 || rc == BASE_E_MEMORY);
                graph_sample_free(s);
                assert_int_equal(base_alloc_live(), live);
            }
            assert_int_equal(rc, 0);
        }
    graph_free(graphs[0]);
    graph_free(graphs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_on_random_graphs),
        cmocka_unit_test(valid_on_extreme_graphs),
        cmocka_unit_test(valid_on_real_graphs),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(sizes_other_than_nodes),
        cmocka_unit_test(exhaustion_is_told),
        cmocka_unit_test(steps_are_limited),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(directed_edges_keep_their_direction),
        cmocka_unit_test(node_file),
        cmocka_unit_test(failed_allocations_leak_nothing),
    };
    return cmocka_run_group_tests_name("graph_sample", tests, NULL, NULL);
}
