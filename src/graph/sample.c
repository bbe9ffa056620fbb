/* Drawing a sample of a graph: the table of methods, checks of the options, and what all methods
 * stand on (src/graph/sample.h).
 *
 * Exhaustion. A walk that stays in the component of its start can take no more nodes than that has;
 * with a wish beyond that the tools people use today walk for ever. Components are therefore
 * computed first (one pass over the edges), the number of nodes of each that are not taken yet is
 * kept, and a method stops, or goes on elsewhere when asked to, in the very step in which it
 * reaches 0. */
#include "graph/sample.h"
#include "base/buffer.h"
#include "base/file.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    WALK = GRAPH_SAMPLE_WALKED | GRAPH_SAMPLE_STEPS | GRAPH_SAMPLE_START | GRAPH_SAMPLE_WEIGHTS,
    TREE = GRAPH_SAMPLE_WALKED | GRAPH_SAMPLE_TREE,
    EDGES = GRAPH_SAMPLE_WALKED | GRAPH_SAMPLE_EDGES | GRAPH_SAMPLE_WEIGHTS
};
static const struct {
    struct graph_sample_about about;
    int (*draw)(struct sampler *s);
} methods[GRAPH_METHODS] = {
    [GRAPH_RANDOM_NODE] = { { "random-node", "all nodes equally likely", GRAPH_SAMPLE_WEIGHTS },
                            sample_random_node },
    [GRAPH_DEGREE] = { { "degree", "nodes in proportion to degree", GRAPH_SAMPLE_WEIGHTS },
                       sample_by_degree },
    [GRAPH_PAGERANK] = { { "pagerank", "nodes in proportion to PageRank", GRAPH_SAMPLE_WEIGHTS },
                         sample_by_pagerank },
    [GRAPH_RANDOM_EDGE] = { { "random-edge", "all edges equally likely",
                              EDGES | GRAPH_SAMPLE_TREE },
                            sample_random_edge },
    [GRAPH_EDGE_INDUCTION] = { { "edge-induction", "random edges, then all between them", EDGES },
                               sample_random_edge },
    [GRAPH_EDGE_PARTIAL_INDUCTION] = { { "edge-partial-induction",
                                         "a stream of edges, kept or induced",
                                         TREE | GRAPH_SAMPLE_WEIGHTS },
                                       sample_edge_partial_induction },
    [GRAPH_NODE_EDGE] = { { "node-edge", "a node, then one of its edges",
                            EDGES | GRAPH_SAMPLE_TREE },
                          sample_node_edge },
    [GRAPH_HYBRID] = { { "hybrid", "node-edge or random-edge by chance",
                         EDGES | GRAPH_SAMPLE_TREE },
                       sample_node_edge },
    [GRAPH_RANDOM_WALK] = { { "random-walk", "a walk to uniform neighbours", WALK }, sample_walk },
    [GRAPH_RESTART] = { { "restart", "a walk sent back to its start", WALK }, sample_walk },
    [GRAPH_JUMP] = { { "jump", "a walk that jumps to any node", WALK }, sample_walk },
    [GRAPH_METROPOLIS_HASTINGS] = { { "metropolis-hastings", "a walk with uniform visits", WALK },
                                    sample_walk },
    [GRAPH_NON_BACKTRACKING] = { { "non-backtracking", "a walk that does not turn back", WALK },
                                 sample_walk },
    [GRAPH_CIRCULATED] = { { "circulated", "a walk that uses every way in turn", WALK },
                           sample_walk },
    [GRAPH_COMMON_NEIGHBOR] = { { "common-neighbor", "a walk that gets out of clusters", WALK },
                                sample_walk },
    [GRAPH_LOOP_ERASED] = { { "loop-erased", "a uniform spanning tree", TREE | GRAPH_SAMPLE_START },
                            sample_loop_erased },
    [GRAPH_FRONTIER] = { { "frontier", "several dependent walkers",
                           GRAPH_SAMPLE_WALKED | GRAPH_SAMPLE_TREE | GRAPH_SAMPLE_STEPS |
                               GRAPH_SAMPLE_WEIGHTS },
                         sample_frontier },
    [GRAPH_SNOWBALL] = { { "snowball", "at most k neighbours of each node",
                           GRAPH_SAMPLE_WALKED | GRAPH_SAMPLE_START },
                         sample_search },
    [GRAPH_FOREST_FIRE] = { { "forest-fire", "burns to random neighbours",
                              GRAPH_SAMPLE_WALKED | GRAPH_SAMPLE_START },
                            sample_forest_fire },
    [GRAPH_SPIKYBALL] = { { "spikyball", "layers of random edges outwards", GRAPH_SAMPLE_WALKED },
                          sample_spikyball },
    [GRAPH_DIFFUSION] = { { "diffusion", "spreads from nodes that are in",
                            GRAPH_SAMPLE_WALKED | GRAPH_SAMPLE_START },
                          sample_diffusion },
    [GRAPH_DIFFUSION_TREE] = { { "diffusion-tree", "diffusion, only its own edges",
                                 TREE | GRAPH_SAMPLE_START },
                               sample_diffusion },
    [GRAPH_COMMUNITY] = { { "community", "most new neighbours first", GRAPH_SAMPLE_START },
                          sample_community },
    [GRAPH_BFS] = { { "bfs", "breadth first in random order", TREE | GRAPH_SAMPLE_START },
                    sample_search },
    [GRAPH_DFS] = { { "dfs", "depth first in random order", TREE | GRAPH_SAMPLE_START },
                    sample_search },
    [GRAPH_SHORTEST_PATH] = { { "shortest-path", "shortest paths of random pairs",
                                GRAPH_SAMPLE_WALKED },
                              sample_shortest_path },
    [GRAPH_NODE_NEIGHBORS] = { { "node-neighbors", "random nodes with all neighbours",
                                 GRAPH_SAMPLE_WALKED | GRAPH_SAMPLE_SEEDS | GRAPH_SAMPLE_WEIGHTS },
                               sample_node_neighbors },
};

const struct graph_sample_about *graph_sample_about(enum graph_sample_method m)
{
    return &methods[m].about;
}

int graph_sample_method_find(const char *name, enum graph_sample_method *out)
{
    struct base_buffer list = { 0 };
    for (int m = 0; m < GRAPH_METHODS; m++) {
        if (strcmp(name, methods[m].about.name) == 0) {
            *out = (enum graph_sample_method)m;
            base_buffer_free(&list);
            return 0;
        }
        base_buffer_printf(&list, "%s%s", m ? ", " : "", methods[m].about.name);
    }
    int rc = base_error_set(BASE_E_ARGUMENT, "there is no sampling method \"%s\"; choose %s", name,
                            list.data ? list.data : "one of assay help graph sample");
    base_buffer_free(&list);
    return rc;
}

/* ---- what the methods stand on ---- */

int sampler_tick_slow(struct sampler *s)
{
    if (base_interrupted())
        return base_error_set(BASE_E_INTERRUPTED, "interrupted after %llu steps, %llu nodes",
                              (unsigned long long)s->steps, (unsigned long long)s->n);
    if (s->o->on_progress)
        s->o->on_progress(s->o->context, s->n, s->steps);
    if (s->steps < s->o->max_steps || sampler_full(s))
        return 0;
    s->status = GRAPH_SAMPLE_LIMIT;
    snprintf(s->reason, sizeof s->reason, "the limit of %llu steps was reached",
             (unsigned long long)s->o->max_steps);
    return 1;
}

int sampler_stop(struct sampler *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s->status = GRAPH_SAMPLE_EXHAUSTED;
    vsnprintf(s->reason, sizeof s->reason, format, args);
    va_end(args);
    return 0;
}

uint32_t sampler_begin(struct sampler *s)
{
    s->start = s->o->start == GRAPH_NO_NODE ? sampler_any_node(s) : s->o->start;
    return s->start;
}

int sampler_elsewhere(struct sampler *s, uint32_t *out)
{
    /* `rest` holds at least all nodes not taken: filled once, then thinned as draws meet nodes that
     * have been taken since, so that all draws together cost one pass. */
    if (!s->rest) {
        s->rest = base_alloc(s->g->nodes, sizeof *s->rest);
        if (!s->rest)
            return BASE_E_MEMORY;
        for (uint32_t v = 0; v < s->g->nodes; v++)
            if (!sampler_has(s, v))
                s->rest[s->n_rest++] = v;
    }
    *out = GRAPH_NO_NODE;
    while (s->n_rest) {
        uint64_t i = base_rng_below(&s->rng, s->n_rest);
        uint32_t v = s->rest[i];
        if (!sampler_has(s, v)) {
            s->restarts++;
            *out = v;
            break;
        }
        s->rest[i] = s->rest[--s->n_rest];
    }
    return 0;
}

int sampler_exhausted(struct sampler *s, uint32_t *out, const char *why)
{
    *out = GRAPH_NO_NODE;
    if (s->o->exhausted == GRAPH_EXHAUSTED_STOP)
        return sampler_stop(s, "%s", why);
    int rc = sampler_elsewhere(s, out);
    if (rc == 0 && *out == GRAPH_NO_NODE)
        sampler_stop(s, "all nodes of the graph are in");
    return rc;
}

int sampler_components(struct sampler *s)
{
    const struct graph *g = s->g;
    s->component = base_alloc(g->nodes, sizeof *s->component);
    s->component_left = base_alloc_zero(g->nodes, sizeof *s->component_left);
    uint32_t *queue = base_alloc(g->nodes, sizeof *queue);
    if (!s->component || !s->component_left || !queue) {
        base_free(queue);
        return BASE_E_MEMORY;
    }
    memset(s->component, 0xff, g->nodes * sizeof *s->component);
    for (uint32_t from = 0; from < g->nodes; from++) {
        if (s->component[from] != GRAPH_NO_NODE)
            continue;
        uint32_t head = 0, tail = 0, c = s->components++;
        queue[tail++] = from;
        s->component[from] = c;
        while (head < tail) {
            uint32_t v = queue[head++];
            for (uint64_t i = g->first[v]; i < g->first[v + 1]; i++)
                if (s->component[g->neighbor[i]] == GRAPH_NO_NODE) {
                    s->component[g->neighbor[i]] = c;
                    queue[tail++] = g->neighbor[i];
                }
        }
        s->component_left[c] = tail;
    }
    base_free(queue);
    return 0;
}

void sampler_shuffle(struct sampler *s, uint64_t *a, uint64_t n)
{
    for (uint64_t i = n; i > 1; i--) {
        uint64_t j = base_rng_below(&s->rng, i), keep = a[i - 1];
        a[i - 1] = a[j];
        a[j] = keep;
    }
}

int sampler_push(struct sampler_queue *q, uint32_t v)
{
    if (q->tail == q->capacity) {
        if (q->head > q->capacity / 2) { /* room at the front: move down */
            memmove(q->at, q->at + q->head, (q->tail - q->head) * sizeof *q->at);
            q->tail -= q->head;
            q->head = 0;
        } else {
            size_t capacity = q->capacity ? 2 * q->capacity : 256;
            uint32_t *at = base_realloc(q->at, capacity, sizeof *at);
            if (!at)
                return BASE_E_MEMORY;
            q->at = at;
            q->capacity = capacity;
        }
    }
    q->at[q->tail++] = v;
    return 0;
}

int sampler_weights(struct sampler *s)
{
    s->weight = base_alloc((size_t)s->n, sizeof *s->weight);
    return s->weight ? 0 : BASE_E_MEMORY;
}

/* sum[i] covers the weights i - lowbit(i) .. i - 1. Every partial sum is recomputed from its
 * children rather than adjusted by a difference, so rounding does not build up and a sum of zeros
 * is 0. */
int sampler_tree_make(struct sampler_tree *t, uint32_t n)
{
    t->n = n;
    for (t->top = 1; t->top <= n / 2; t->top *= 2)
        ;
    t->sum = base_alloc_zero((size_t)n + 1, sizeof *t->sum);
    t->weight = base_alloc_zero(n, sizeof *t->weight);
    return t->sum && t->weight ? 0 : BASE_E_MEMORY;
}

void sampler_tree_set(struct sampler_tree *t, uint32_t i, double weight)
{
    t->weight[i] = weight;
    for (uint64_t at = (uint64_t)i + 1; at <= t->n; at += at & -at) {
        double sum = t->weight[at - 1];
        for (uint64_t child = 1; child < (at & -at); child *= 2)
            sum += t->sum[at - child];
        t->sum[at] = sum;
    }
}

uint32_t sampler_tree_draw(const struct sampler_tree *t, struct base_rng *rng)
{
    double total = 0;
    for (uint64_t at = t->n; at; at &= at - 1)
        total += t->sum[at];
    if (!(total > 0))
        return t->n;
    for (;;) {
        double u = base_rng_uniform(rng) * total;
        uint64_t at = 0;
        for (uint64_t step = t->top; step; step /= 2)
            if (at + step <= t->n && t->sum[at + step] <= u) {
                at += step;
                u -= t->sum[at];
            }
        if (at < t->n && t->weight[at] > 0) /* rounding may lead beside the last one */
            return (uint32_t)at;
    }
}

void sampler_tree_free(struct sampler_tree *t)
{
    base_free(t->sum);
    base_free(t->weight);
}

/* ---- the draw ---- */

static int check_size(const struct graph *g, const struct graph_sample_options *o,
                      const struct graph_sample_about *about)
{
    int given = (o->nodes != 0) + (o->edges != 0) + (o->steps != 0) + (o->seeds != 0);
    if (given != 1)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: give one size: a number of nodes%s%s%s, at least 1", about->name,
                              about->can & GRAPH_SAMPLE_EDGES ? ", or of edges" : "",
                              about->can & GRAPH_SAMPLE_STEPS ? ", or of steps" : "",
                              about->can & GRAPH_SAMPLE_SEEDS ? ", or of seeds" : "");
    static const char *const what[] = { "edges", "steps", "seeds" };
    static const unsigned can[] = { GRAPH_SAMPLE_EDGES, GRAPH_SAMPLE_STEPS, GRAPH_SAMPLE_SEEDS };
    const uint64_t asked[] = { o->edges, o->steps, o->seeds };
    for (int i = 0; i < 3; i++)
        if (asked[i] && !(about->can & can[i]))
            return base_error_set(BASE_E_ARGUMENT, "%s: its size is a number of nodes, not of %s",
                                  about->name, what[i]);
    if (o->nodes > g->nodes || o->seeds > g->nodes)
        return base_error_set(BASE_E_ARGUMENT, "%llu nodes were asked for, but the graph has %u",
                              (unsigned long long)(o->nodes ? o->nodes : o->seeds), g->nodes);
    if (o->edges > g->edges)
        return base_error_set(BASE_E_ARGUMENT, "%llu edges were asked for, but the graph has %llu",
                              (unsigned long long)o->edges, (unsigned long long)g->edges);
    return 0;
}

static int check_share(const char *method, const char *what, double p, bool one)
{
    if (p > 0 && (p < 1 || (one && p == 1)))
        return 0;
    return base_error_set(BASE_E_ARGUMENT, "%s: %s is above 0 and %s 1, not %g", method, what,
                          one ? "at most" : "below", p);
}

static int check(const struct graph *g, const struct graph_sample_options *o)
{
    if ((unsigned)o->method >= GRAPH_METHODS)
        return base_error_set(BASE_E_ARGUMENT, "there is no sampling method %d", (int)o->method);
    const struct graph_sample_about *about = &methods[o->method].about;
    int rc = check_size(g, o, about);
    if (rc)
        return rc;
    if (o->start != GRAPH_NO_NODE && !(about->can & GRAPH_SAMPLE_START))
        return base_error_set(BASE_E_ARGUMENT, "%s does not begin at one node", about->name);
    if (o->start != GRAPH_NO_NODE && o->start >= g->nodes)
        return base_error_set(BASE_E_ARGUMENT, "start %u: the graph has nodes 0 to %u", o->start,
                              g->nodes - 1);
    if (o->induce == GRAPH_INDUCE_WALKED && !(about->can & GRAPH_SAMPLE_WALKED))
        return base_error_set(BASE_E_ARGUMENT,
                              "%s walks no edges: only all edges between its nodes can be given",
                              about->name);
    if (o->burn_in && !(about->can & GRAPH_SAMPLE_STEPS))
        return base_error_set(BASE_E_ARGUMENT, "%s is no walk: it has no burn-in", about->name);
    if (o->max_steps == 0)
        return base_error_set(BASE_E_ARGUMENT, "the limit of steps is at least 1");
    switch (o->method) {
    case GRAPH_PAGERANK:
        return check_share(about->name, "damping", o->damping, false);
    case GRAPH_RESTART:
        return check_share(about->name, "the restart probability", o->restart_p, 0);
    case GRAPH_JUMP:
        return check_share(about->name, "the jump probability", o->jump_p, true);
    case GRAPH_METROPOLIS_HASTINGS:
        if (!(o->alpha >= 0 && isfinite(o->alpha)))
            return base_error_set(BASE_E_ARGUMENT, "%s: alpha is at least 0, not %g", about->name,
                                  o->alpha);
        return 0;
    case GRAPH_FRONTIER:
        if (o->walkers == 0)
            return base_error_set(BASE_E_ARGUMENT, "%s: at least one walker", about->name);
        return 0;
    case GRAPH_SNOWBALL:
        if (o->k == 0)
            return base_error_set(BASE_E_ARGUMENT, "%s: k is at least 1", about->name);
        return 0;
    case GRAPH_SPIKYBALL:
        if ((rc = check_share(about->name, "the initial part", o->initial, true)))
            return rc;
        if (!isfinite(o->power))
            return base_error_set(BASE_E_ARGUMENT, "%s: the power must be a number", about->name);
        return isnan(o->p) ? 0 : check_share(about->name, "p", o->p, true);
    case GRAPH_FOREST_FIRE:
        return isnan(o->p)
                   ? 0
                   : check_share(about->name, "p", o->p, o->burn == GRAPH_BURN_LITTLEBALLOFFUR);
    case GRAPH_HYBRID:
        if (!isnan(o->p) && !(o->p >= 0 && o->p <= 1))
            return base_error_set(BASE_E_ARGUMENT, "%s: p is 0 to 1, not %g", about->name, o->p);
        return 0;
    case GRAPH_EDGE_PARTIAL_INDUCTION:
        return isnan(o->p) ? 0 : check_share(about->name, "p", o->p, true);
    default:
        return 0;
    }
}

static void release(struct sampler *s)
{
    graph_free(s->made);
    base_free(s->node);
    base_free(s->place);
    base_free(s->visits);
    base_free(s->edge_taken);
    base_free(s->weight);
    base_free(s->component);
    base_free(s->component_left);
    base_free(s->rest);
}

static int prepare(struct sampler *s)
{
    const struct graph *g = s->given;
    int rc;
    s->g = g;
    if (g->directed) {
        rc = graph_make(&s->made, g->nodes, g->source, g->target, g->weight, g->edges, false, NULL);
        if (rc)
            return rc;
        s->g = s->made;
    }
    s->node = base_alloc(g->nodes, sizeof *s->node);
    s->place = base_alloc(g->nodes, sizeof *s->place);
    s->visits = base_alloc(g->nodes, sizeof *s->visits);
    s->edge_taken = base_alloc_zero((size_t)(s->g->edges / 64 + 1), sizeof *s->edge_taken);
    if (!s->node || !s->place || !s->visits || !s->edge_taken)
        return BASE_E_MEMORY;
    memset(s->place, 0xff, g->nodes * sizeof *s->place);
    return 0;
}

/* The walked edges as ascending indices of the given graph's edges; of a directed graph's arc and
 * opposite both. */
static int collect_edges(const struct sampler *s, struct graph_sample *out)
{
    size_t room = (size_t)s->edges_taken * (s->given->directed ? 2 : 1);
    out->edge = base_alloc(room, sizeof *out->edge);
    if (!out->edge)
        return BASE_E_MEMORY;
    uint64_t n = 0;
    if (!s->given->directed) {
        for (uint64_t word = 0; word <= s->g->edges / 64; word++)
            for (uint64_t bits = s->edge_taken[word]; bits; bits &= bits - 1)
                out->edge[n++] = word * 64 + (uint64_t)__builtin_ctzll(bits);
    } else {
        for (uint64_t e = 0; e < s->given->edges; e++) {
            uint64_t u = graph_edge_find(s->g, s->given->source[e], s->given->target[e]);
            if (s->edge_taken[u / 64] >> (u % 64) & 1)
                out->edge[n++] = e;
        }
    }
    out->edges = n;
    out->walked = true;
    return 0;
}

/* Moves what was taken into a struct graph_sample. */
static int finish(struct sampler *s, struct graph_sample **out)
{
    struct graph_sample *r = base_alloc_zero(1, sizeof *r);
    if (!r)
        return BASE_E_MEMORY;
    unsigned can = methods[s->o->method].about.can;
    bool walked = s->o->induce == GRAPH_INDUCE_WALKED ||
                  (s->o->induce == GRAPH_INDUCE_AUTO && (can & GRAPH_SAMPLE_TREE));
    int rc = walked ? collect_edges(s, r) : 0;
    if (rc) {
        base_free(r);
        return rc;
    }
    r->status = s->status;
    memcpy(r->reason, s->reason, sizeof r->reason);
    r->nodes = s->n;
    r->steps = s->steps;
    r->restarts = s->restarts;
    r->start = s->start;
    r->node = s->node;
    r->visits = s->visits;
    r->weight = s->weight;
    s->node = NULL;
    s->visits = NULL;
    s->weight = NULL;
    *out = r;
    return 0;
}

int graph_sample_draw(struct graph_sample **out, const struct graph *g,
                      const struct graph_sample_options *options)
{
    *out = NULL;
    struct sampler s = { .given = g, .o = options, .start = GRAPH_NO_NODE };
    int rc;
    if (g->nodes == 0)
        return base_error_set(BASE_E_ARGUMENT, "the graph has no nodes to draw from");
    if ((rc = check(g, options)) || (rc = prepare(&s)))
        goto out;
    s.wanted = options->nodes ? options->nodes : UINT64_MAX;
    s.rng = base_rng_make(options->seed, BASE_RNG_GRAPH, (uint64_t)options->method);
    if ((rc = methods[options->method].draw(&s)) >= 0)
        rc = finish(&s, out);
out:
    release(&s);
    return rc;
}

void graph_sample_free(struct graph_sample *s)
{
    if (!s)
        return;
    base_free(s->node);
    base_free(s->visits);
    base_free(s->weight);
    base_free(s->edge);
    base_free(s);
}

int graph_sample_graph(struct graph **out, const struct graph *g, const struct graph_sample *s)
{
    if (s->walked)
        return graph_of_edges(out, g, s->node, (size_t)s->nodes, s->edge, (size_t)s->edges);
    return graph_induced(out, g, s->node, (size_t)s->nodes);
}
