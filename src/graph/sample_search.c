/* Samples that grow from a start: breadth first, depth first and snowball, diffusion, loop-erased
 * walks.
 *
 * bfs             Nodes in the order of a queue; each node's neighbours join in random order.
 * snowball        The same, but a node names at most k of its neighbours, drawn uniformly, those
 *                 already in among them (Goodman 1961). It can die out.
 * dfs             Depth first; the tree edges are those by which nodes were reached, so all of them
 *                 exist (littleballoffur joins nodes that merely follow each other in the order).
 * diffusion,      A uniform node of the sample passes on to a uniform neighbour (littleballoffur,
 * diffusion-tree  Rozemberczki, Sarkar 2018). Nodes all of whose neighbours are in can do nothing
 *                 and are not drawn: that leaves the law of the sample as it is and ends.
 * loop-erased     Wilson's algorithm (1996): from a uniform node that is not in, walk at random to
 *                 the tree, erasing loops, and take the path. Once all nodes of a component are in
 *                 the tree is uniform among its spanning trees. When the wanted size falls into a
 *                 path its part next to the tree is taken.
 *
 * None has known inclusion probabilities: all prefer nodes near the start and of high degree. */
#include "graph/sample.h"
#include <stdio.h>

/* Goes on elsewhere, or leaves with why. v = GRAPH_NO_NODE: it is over (rc, or status). */
static int component_done(struct sampler *s, uint32_t *v)
{
    char why[128];
    snprintf(why, sizeof why, "all %llu nodes that can be reached from the start are in",
             (unsigned long long)s->n);
    return sampler_exhausted(s, v, why);
}

/* The first k of the d slots of v in random order into slot[]; returns how many. */
static uint64_t draw_slots(struct sampler *s, uint32_t v, uint64_t k, uint64_t *slot)
{
    uint64_t d = graph_degree(s->g, v);
    k = k < d ? k : d;
    for (uint64_t i = 0; i < d; i++)
        slot[i] = s->g->first[v] + i;
    for (uint64_t i = 0; i < k; i++) {
        uint64_t j = i + base_rng_below(&s->rng, d - i), keep = slot[i];
        slot[i] = slot[j];
        slot[j] = keep;
    }
    return k;
}

/* bfs and snowball; slot has room for the highest degree. */
static int breadth_first(struct sampler *s, uint64_t *slot)
{
    const struct graph *g = s->g;
    struct sampler_queue q = { 0 };
    bool ball = s->o->method == GRAPH_SNOWBALL;
    uint32_t v = sampler_begin(s);
    sampler_take(s, v);
    int rc = sampler_push(&q, v);
    while (rc == 0 && !sampler_full(s)) {
        if (q.head == q.tail) {
            char why[160];
            snprintf(why, sizeof why, "the snowball died out: no node named one that was not in");
            rc = ball ? sampler_exhausted(s, &v, why) : component_done(s, &v);
            if (rc || v == GRAPH_NO_NODE)
                break;
            sampler_take(s, v);
            rc = sampler_push(&q, v);
            continue;
        }
        if ((rc = sampler_tick(s)))
            break;
        v = q.at[q.head++];
        uint64_t n = draw_slots(s, v, ball ? s->o->k : UINT64_MAX, slot);
        for (uint64_t i = 0; i < n && !sampler_full(s) && rc == 0; i++) {
            uint32_t w = g->neighbor[slot[i]];
            if (sampler_has(s, w))
                continue;
            sampler_take(s, w);
            sampler_walk(s, g->edge[slot[i]]);
            rc = sampler_push(&q, w);
        }
    }
    base_free(q.at);
    return rc;
}

/* A stack of slots: a slot is the neighbour and the edge that leads to it. */
static int depth_first(struct sampler *s, uint64_t *slot)
{
    const struct graph *g = s->g;
    uint64_t *stack = NULL;
    size_t height = 0, capacity = 0;
    uint32_t v = sampler_begin(s);
    int rc = 0;
    for (;;) {
        sampler_take(s, v);
        if (sampler_full(s) || (rc = sampler_tick(s)))
            break;
        uint64_t d = draw_slots(s, v, UINT64_MAX, slot);
        if (height + d > capacity) {
            size_t room = 2 * (height + (size_t)d);
            uint64_t *grown = base_realloc(stack, room, sizeof *grown);
            if (!grown) {
                rc = BASE_E_MEMORY;
                break;
            }
            stack = grown;
            capacity = room;
        }
        for (uint64_t i = 0; i < d; i++)
            if (!sampler_has(s, g->neighbor[slot[i]]))
                stack[height++] = slot[i];
        while (height && sampler_has(s, g->neighbor[stack[height - 1]]))
            height--;
        if (height) {
            v = g->neighbor[stack[--height]];
            sampler_walk(s, g->edge[stack[height]]);
        } else if ((rc = component_done(s, &v)) || v == GRAPH_NO_NODE) {
            break;
        }
    }
    base_free(stack);
    return rc;
}

int sample_search(struct sampler *s)
{
    uint64_t most = 0;
    for (uint32_t v = 0; v < s->g->nodes; v++)
        most = graph_degree(s->g, v) > most ? graph_degree(s->g, v) : most;
    uint64_t *slot = base_alloc((size_t)most, sizeof *slot);
    if (!slot)
        return BASE_E_MEMORY;
    int rc = s->o->method == GRAPH_DFS ? depth_first(s, slot) : breadth_first(s, slot);
    base_free(slot);
    return rc;
}

/* ---- diffusion ---- */

struct diffusion {
    struct sampler *s;
    uint32_t *left;   /* [nodes] of a node that is in: its neighbours that are not */
    uint32_t *active; /* nodes that are in and have left > 0 */
    uint32_t *where;  /* [nodes] place in active */
    uint64_t n;
};

static void diffusion_add(struct diffusion *d, uint32_t v)
{
    struct sampler *s = d->s;
    const struct graph *g = s->g;
    sampler_take(s, v);
    d->left[v] = 0;
    for (uint64_t i = g->first[v]; i < g->first[v + 1]; i++) {
        uint32_t w = g->neighbor[i];
        if (!sampler_has(s, w)) {
            d->left[v]++;
        } else if (--d->left[w] == 0) {
            uint32_t last = d->active[--d->n];
            d->active[d->where[w]] = last;
            d->where[last] = d->where[w];
        }
    }
    if (d->left[v]) {
        d->where[v] = (uint32_t)d->n;
        d->active[d->n++] = v;
    }
}

int sample_diffusion(struct sampler *s)
{
    const struct graph *g = s->g;
    struct diffusion d = { .s = s };
    int rc = BASE_E_MEMORY;
    d.left = base_alloc(g->nodes, sizeof *d.left);
    d.active = base_alloc(g->nodes, sizeof *d.active);
    d.where = base_alloc(g->nodes, sizeof *d.where);
    if (!d.left || !d.active || !d.where)
        goto out;
    rc = 0;
    diffusion_add(&d, sampler_begin(s));
    while (!sampler_full(s)) {
        if (d.n == 0) {
            uint32_t v;
            if ((rc = component_done(s, &v)) || v == GRAPH_NO_NODE)
                break;
            diffusion_add(&d, v);
            continue;
        }
        if ((rc = sampler_tick(s)))
            break;
        uint64_t slot = sampler_any_slot(s, d.active[base_rng_below(&s->rng, d.n)]);
        if (sampler_has(s, g->neighbor[slot]))
            continue;
        sampler_walk(s, g->edge[slot]);
        diffusion_add(&d, g->neighbor[slot]);
    }
out:
    base_free(d.left);
    base_free(d.active);
    base_free(d.where);
    return rc;
}

/* ---- loop-erased ---- */

struct wilson {
    struct sampler *s;
    uint64_t *next;  /* [nodes] slot by which the walk last left a node */
    uint32_t *waits; /* nodes of the component, those not in among them */
    uint64_t n_waits;
    uint32_t *path;
};

/* All nodes of root's component wait for their turn. */
static void wilson_root(struct wilson *w, uint32_t root)
{
    const struct sampler *s = w->s;
    w->n_waits = 0;
    for (uint32_t v = 0; v < s->g->nodes; v++)
        if (s->component[v] == s->component[root] && v != root)
            w->waits[w->n_waits++] = v;
}

/* Walks from v to the tree and takes what is left of the walk without its loops. */
static int wilson_branch(struct wilson *w, uint32_t v)
{
    struct sampler *s = w->s;
    const struct graph *g = s->g;
    uint64_t n = 0;
    int rc;
    for (uint32_t at = v; !sampler_has(s, at); at = g->neighbor[w->next[at]]) {
        if ((rc = sampler_tick(s)))
            return rc;
        w->next[at] = sampler_any_slot(s, at); /* the last way out is the one without loops */
    }
    for (uint32_t at = v; !sampler_has(s, at); at = g->neighbor[w->next[at]])
        w->path[n++] = at;
    while (n && !sampler_full(s)) {
        sampler_take(s, w->path[--n]);
        sampler_walk(s, g->edge[w->next[w->path[n]]]);
    }
    return 0;
}

int sample_loop_erased(struct sampler *s)
{
    struct wilson w = { .s = s };
    uint32_t nodes = s->g->nodes, v;
    int rc = sampler_components(s);
    if (rc)
        return rc;
    w.next = base_alloc(nodes, sizeof *w.next);
    w.waits = base_alloc(nodes, sizeof *w.waits);
    w.path = base_alloc(nodes, sizeof *w.path);
    if (!w.next || !w.waits || !w.path) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    v = sampler_begin(s);
    sampler_take(s, v);
    wilson_root(&w, v);
    while (rc == 0 && !sampler_full(s)) {
        if (s->component_left[s->component[v]] == 0) {
            if ((rc = component_done(s, &v)) || v == GRAPH_NO_NODE)
                break;
            sampler_take(s, v);
            wilson_root(&w, v);
            continue;
        }
        uint64_t i = base_rng_below(&s->rng, w.n_waits);
        uint32_t from = w.waits[i];
        w.waits[i] = w.waits[--w.n_waits];
        if (!sampler_has(s, from))
            rc = wilson_branch(&w, from);
    }
out:
    base_free(w.next);
    base_free(w.waits);
    base_free(w.path);
    return rc;
}
