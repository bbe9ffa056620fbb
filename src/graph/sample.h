/* What the samplers share: the state of a draw, the set of nodes and edges taken so far, random
 * picks, and who is reachable. A method is one function; the driver (sample.c) checks options,
 * makes the state, calls it, and turns the state into a struct graph_sample.
 *
 * Rules for a method. It takes nodes by sampler_take and edges by sampler_walk only, so that
 * counts, the wanted size and validity are kept in one place. A loop asks sampler_tick once a
 * turn. It ends by returning 0 (whatever it got; `reason` set by sampler_stop when that is less
 * than wanted) or a negative code. */
#ifndef GRAPH_SAMPLE_H
#define GRAPH_SAMPLE_H
#include "base/memory.h"
#include "base/rng.h"
#include <assay/graph_sample.h>

struct sampler {
    const struct graph *given; /* the graph of the caller */
    const struct graph *g;     /* the same, undirected */
    struct graph *made;        /* owned: g, when given is directed */
    const struct graph_sample_options *o;
    struct base_rng rng;
    uint64_t wanted; /* distinct nodes; UINT64_MAX when the size is given otherwise */
    uint64_t n;      /* taken so far */
    uint32_t *node;  /* [g->nodes] in order */
    uint32_t *place; /* [g->nodes] its index in node, or GRAPH_NO_NODE */
    uint64_t *visits;
    uint64_t *edge_taken; /* bits, [g->edges] */
    uint64_t edges_taken;
    uint64_t steps, restarts;
    uint32_t start;
    enum graph_sample_status status;
    char reason[192];
    double *weight; /* [n] when the method knows them; set at the end */
    /* Components, for methods that cannot leave one: made by sampler_components. */
    uint32_t *component;      /* [g->nodes] */
    uint32_t *component_left; /* [components] nodes not taken yet */
    uint32_t components;
    /* Nodes not taken, for going on elsewhere; filled when first needed. */
    uint32_t *rest;
    uint64_t n_rest;
};

static inline bool sampler_has(const struct sampler *s, uint32_t v)
{
    return s->place[v] != GRAPH_NO_NODE;
}
static inline bool sampler_full(const struct sampler *s)
{
    return s->n >= s->wanted;
}
/* Meets node v: takes it when new, counts the visit. True when it was new. */
static inline bool sampler_take(struct sampler *s, uint32_t v)
{
    uint32_t i = s->place[v];
    if (i != GRAPH_NO_NODE) {
        s->visits[i]++;
        return false;
    }
    s->place[v] = (uint32_t)s->n;
    s->node[s->n] = v;
    s->visits[s->n++] = 1;
    if (s->component_left)
        s->component_left[s->component[v]]--;
    return true;
}
/* Takes edge e (an index of s->g) into the walked edges. True when it was new. */
static inline bool sampler_walk(struct sampler *s, uint32_t e)
{
    uint64_t bit = 1ull << (e % 64);
    if (s->edge_taken[e / 64] & bit)
        return false;
    s->edge_taken[e / 64] |= bit;
    s->edges_taken++;
    return true;
}
/* One step done. 0, BASE_E_INTERRUPTED, or 1 when max_steps is reached (status and reason set). */
int sampler_tick_slow(struct sampler *s);
static inline int sampler_tick(struct sampler *s)
{
    s->steps++;
    return (s->steps & 0xffff) == 0 || s->steps >= s->o->max_steps ? sampler_tick_slow(s) : 0;
}
/* Ends with fewer than wanted: status exhausted and why. Always 0. */
int sampler_stop(struct sampler *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline uint32_t sampler_any_node(struct sampler *s)
{
    return (uint32_t)base_rng_below(&s->rng, s->g->nodes);
}
/* A slot of the adjacency of v (whose degree is not 0), uniformly: index into neighbor and edge. */
static inline uint64_t sampler_any_slot(struct sampler *s, uint32_t v)
{
    return s->g->first[v] + base_rng_below(&s->rng, graph_degree(s->g, v));
}
/* The start: the one asked for, or any node. */
uint32_t sampler_begin(struct sampler *s);
/* A node drawn uniformly among those not taken; GRAPH_NO_NODE when all are. Counts a restart. */
int sampler_elsewhere(struct sampler *s, uint32_t *out);
/* When nothing more can be reached: with GRAPH_EXHAUSTED_RESTART another start in *out (or
 * GRAPH_NO_NODE when all nodes are taken), else GRAPH_NO_NODE and the reason
 * ("the component of the start has %u nodes ..."). */
int sampler_exhausted(struct sampler *s, uint32_t *out, const char *why);
/* Fills component and component_left. */
int sampler_components(struct sampler *s);
/* A uniform random order of a[n]. */
void sampler_shuffle(struct sampler *s, uint64_t *a, uint64_t n);

/* Growable queue of nodes. Zeroed = empty; base_free(at). */
struct sampler_queue {
    uint32_t *at;
    size_t head, tail, capacity;
};
int sampler_push(struct sampler_queue *q, uint32_t v);

/* Sums of non-negative weights with a draw in proportion (Fenwick 1994). */
struct sampler_tree {
    double *sum; /* [n + 1] */
    double *weight;
    uint32_t n, top;
};
int sampler_tree_make(struct sampler_tree *t, uint32_t n);
void sampler_tree_set(struct sampler_tree *t, uint32_t i, double weight);
/* An i with positive weight, in proportion to it; n when all weights are 0. */
uint32_t sampler_tree_draw(const struct sampler_tree *t, struct base_rng *rng);
void sampler_tree_free(struct sampler_tree *t);

/* The k items of the smallest Exp(1)/weight: successive draws without replacement in proportion to
 * weight (Efraimidis and Spirakis 2006). Items of weight 0 are never drawn. chosen [k] in the
 * order of the draws; *count <= k is how many there are; *threshold is the (k+1)-th smallest key,
 * infinite when there is none. */
int sampler_successive(struct base_rng *rng, const double *weight, size_t n, size_t k,
                       uint32_t *chosen, size_t *count, double *threshold);

/* Makes room for s->weight, when all nodes are taken. */
int sampler_weights(struct sampler *s);
/* s->weight from the stationary mass of every node [nodes], known up to a factor, and the visits:
 * component by component, or all as one when `whole`. A node without mass is its whole component.
 */
int sampler_weigh(struct sampler *s, const double *mass, bool whole);

/* The methods. Each returns 0, 1 when max_steps was reached, or a negative code. */
int sample_random_node(struct sampler *s);
int sample_by_degree(struct sampler *s);
int sample_by_pagerank(struct sampler *s);
int sample_node_neighbors(struct sampler *s);
int sample_random_edge(struct sampler *s); /* and edge-induction */
int sample_edge_partial_induction(struct sampler *s);
int sample_node_edge(struct sampler *s); /* and hybrid */
int sample_walk(struct sampler *s);      /* all with one walker */
int sample_frontier(struct sampler *s);
int sample_loop_erased(struct sampler *s);
int sample_search(struct sampler *s); /* bfs, dfs, snowball */
int sample_diffusion(struct sampler *s);
int sample_forest_fire(struct sampler *s);
int sample_spikyball(struct sampler *s);
int sample_community(struct sampler *s);
int sample_shortest_path(struct sampler *s);
#endif
