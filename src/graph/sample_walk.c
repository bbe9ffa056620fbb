/* Samples by one walker, and by several dependent ones (frontier).
 *
 * One step of each from v, with degree d:
 *   random-walk          a uniform neighbour.
 *   restart              with probability r the start, else a uniform neighbour (littleballoffur).
 *   jump                 with probability q any node, else a uniform neighbour; a node without
 *                        neighbours always jumps.
 *   metropolis-hastings  a uniform neighbour w is proposed and accepted with probability
 *                        min(1, (d_v / d_w)^alpha), else the walk stays, which is a visit again
 *                        (Huebler et al. 2008; alpha 1: Metropolis's uniform nodes).
 *   non-backtracking     a uniform neighbour other than the one come from, unless that is the only
 *                        one (Lee, Xu and Eun 2012).
 *   circulated           the ways on from v are used in random order, each once before any is used
 *                        again; the order is kept per edge come by (Zhou, Zhang and Das 2015) or
 *                        per node (littleballoffur).
 *   common-neighbor      neighbour w in proportion to q_vw = 1 - C_vw / min(d_v, d_w), C the common
 *                        neighbours (Li et al. 2019).
 *   frontier             of m walkers one is chosen in proportion to its degree and makes a step of
 *                        a random walk (Ribeiro and Towsley 2010).
 *
 * Stationary distribution pi within a component. A walk on a graph with symmetric weights has pi_v
 * in proportion to the sum of the weights at v: d_v for random-walk, sum_w q_vw for
 * common-neighbor. Metropolis-Hastings: d_v^(1-alpha), for then pi_v (1/d_v) min(1,
 * (d_v/d_w)^alpha) is symmetric. Non-backtracking: on arcs it is doubly stochastic (as many arcs
 * lead on from (u,v) as lead to (v,w), each with the same probability), so arcs are uniform and
 * pi_v ~ d_v. Circulated: every way on from v is used equally often in the long run, so pi_v ~ d_v.
 * Frontier: the edges walked are uniform, pi_v ~ d_v. Jump is PageRank with damping 1 - q, over the
 * whole graph.
 *
 * Weights: with T_c recorded visits in component c, v stands for pi's sum / (T_c pi_v) nodes per
 * visit (Hansen and Hurwitz 1943; for pi ~ d this is RDS-II, Volz and Heckathorn 2008). Those of
 * restart are right and of little use far from the start: what is hardly ever met there stands for
 * very many. */
#include "graph/sample.h"
#include <string.h>

/* ---- common neighbours ---- */

/* common[e] = number of common neighbours of the ends of edge e. Every triangle is met once, at
 * its node of lowest rank (by degree, then number): O(edges^1.5). */
static int count_common(const struct graph *g, uint32_t *common)
{
    int rc = BASE_E_MEMORY;
    uint64_t *first = base_alloc_zero((size_t)g->nodes + 1, sizeof *first);
    uint32_t *to = base_alloc((size_t)g->edges, sizeof *to);
    uint32_t *by = base_alloc((size_t)g->edges, sizeof *by);
    uint64_t *mark = base_alloc_zero(g->nodes, sizeof *mark);
    if (!first || !to || !by || !mark)
        goto out;
    uint64_t n = 0;
    for (uint32_t v = 0; v < g->nodes; v++) {
        uint64_t d = graph_degree(g, v);
        first[v] = n;
        for (uint64_t i = g->first[v]; i < g->first[v + 1]; i++) {
            uint32_t w = g->neighbor[i];
            uint64_t other = graph_degree(g, w);
            if (d < other || (d == other && v < w)) {
                to[n] = w;
                by[n++] = g->edge[i];
            }
        }
    }
    first[g->nodes] = n;
    memset(common, 0, (size_t)g->edges * sizeof *common);
    for (uint32_t u = 0; u < g->nodes; u++) {
        for (uint64_t i = first[u]; i < first[u + 1]; i++)
            mark[to[i]] = (uint64_t)by[i] + 1;
        for (uint64_t i = first[u]; i < first[u + 1]; i++)
            for (uint64_t j = first[to[i]]; j < first[to[i] + 1]; j++)
                if (mark[to[j]]) {
                    common[by[i]]++;
                    common[by[j]]++;
                    common[mark[to[j]] - 1]++;
                }
        for (uint64_t i = first[u]; i < first[u + 1]; i++)
            mark[to[i]] = 0;
    }
    rc = 0;
out:
    base_free(first);
    base_free(to);
    base_free(by);
    base_free(mark);
    return rc;
}

/* cumulative[i]: sum of q over v's slots up to and with i. q > 0 always: w and v themselves are no
 * common neighbours, so C is at most min(d) - 1. */
static int common_weights(const struct graph *g, double *cumulative)
{
    uint32_t *common = base_alloc((size_t)g->edges, sizeof *common);
    int rc = common ? count_common(g, common) : BASE_E_MEMORY;
    for (uint32_t v = 0; rc == 0 && v < g->nodes; v++) {
        double sum = 0, d = (double)graph_degree(g, v);
        for (uint64_t i = g->first[v]; i < g->first[v + 1]; i++) {
            double other = (double)graph_degree(g, g->neighbor[i]);
            sum += 1 - common[g->edge[i]] / (d < other ? d : other);
            cumulative[i] = sum;
        }
    }
    base_free(common);
    return rc;
}

/* ---- circulated neighbours ---- */

/* The ways on of a cell (an edge come by, or a node) are a permutation of 0 .. d - 1 that a sparse
 * Fisher-Yates shuffle makes as it is used: places that still hold their own number are not stored.
 * Open addressing; key = (cell, place). */
struct circle {
    uint64_t *cell; /* UINT64_MAX = free */
    uint32_t *place, *value;
    size_t capacity, count;
    uint32_t *used; /* [cells] ways used in this round */
};

static size_t circle_find(const struct circle *c, uint64_t cell, uint32_t place)
{
    uint64_t h = (cell * 0x9E3779B97F4A7C15u) ^ ((uint64_t)place * 0xC2B2AE3D27D4EB4Fu);
    h ^= h >> 29;
    h *= 0xBF58476D1CE4E5B9u;
    size_t i = (size_t)(h >> 20) & (c->capacity - 1);
    while (c->cell[i] != UINT64_MAX && (c->cell[i] != cell || c->place[i] != place))
        i = (i + 1) & (c->capacity - 1);
    return i;
}
static uint32_t circle_get(const struct circle *c, uint64_t cell, uint32_t place)
{
    size_t i = circle_find(c, cell, place);
    return c->cell[i] == UINT64_MAX ? place : c->value[i];
}
static void circle_put(struct circle *c, uint64_t cell, uint32_t place, uint32_t value)
{
    size_t i = circle_find(c, cell, place);
    c->count += c->cell[i] == UINT64_MAX;
    c->cell[i] = cell;
    c->place[i] = place;
    c->value[i] = value;
}
static void circle_free(struct circle *c)
{
    base_free(c->cell);
    base_free(c->place);
    base_free(c->value);
    base_free(c->used);
}
static int circle_grow(struct circle *c)
{
    struct circle old = *c;
    c->capacity = old.capacity ? 2 * old.capacity : 1024;
    c->count = 0;
    c->cell = base_alloc(c->capacity, sizeof *c->cell);
    c->place = base_alloc(c->capacity, sizeof *c->place);
    c->value = base_alloc(c->capacity, sizeof *c->value);
    if (!c->cell || !c->place || !c->value) {
        base_free(c->cell);
        base_free(c->place);
        base_free(c->value);
        *c = old;
        return BASE_E_MEMORY;
    }
    memset(c->cell, 0xff, c->capacity * sizeof *c->cell);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.cell[i] != UINT64_MAX)
            circle_put(c, old.cell[i], old.place[i], old.value[i]);
    base_free(old.cell);
    base_free(old.place);
    base_free(old.value);
    return 0;
}
/* The next way on of a cell with d of them, in *way. */
static int circle_next(struct circle *c, uint64_t cell, uint32_t d, struct base_rng *rng,
                       uint32_t *way)
{
    if (2 * (c->count + 2) > c->capacity && circle_grow(c))
        return BASE_E_MEMORY;
    uint32_t k = c->used[cell], j = k + (uint32_t)base_rng_below(rng, d - k);
    *way = circle_get(c, cell, j);
    circle_put(c, cell, j, circle_get(c, cell, k));
    circle_put(c, cell, k, *way);
    c->used[cell] = k + 1 == d ? 0 : k + 1;
    return 0;
}

/* ---- weights ---- */

struct walk {
    struct sampler *s;
    uint32_t at, home;
    uint32_t before;    /* non-backtracking: where it came from, GRAPH_NO_NODE at a start */
    uint64_t slot;      /* by which slot it came here, kept while it stays; UINT64_MAX at a start */
    bool moved;         /* the last step went along an edge */
    double *cumulative; /* common-neighbor */
    struct circle circle;
    double *homes; /* restart: [nodes] 1 where a walk started; NULL when weights are not wanted */
};

int sampler_weigh(struct sampler *s, const double *mass, bool whole)
{
    const struct graph *g = s->g;
    uint32_t parts = whole ? 1 : s->components;
    int rc = BASE_E_MEMORY;
    double *sum = base_alloc_zero(parts, sizeof *sum),
           *visits = base_alloc_zero(parts, sizeof *sum);
    if (!sum || !visits || sampler_weights(s))
        goto out;
    for (uint32_t v = 0; v < g->nodes; v++)
        sum[whole ? 0 : s->component[v]] += mass[v];
    for (uint64_t i = 0; i < s->n; i++)
        visits[whole ? 0 : s->component[s->node[i]]] += (double)s->visits[i];
    for (uint64_t i = 0; i < s->n; i++) {
        uint32_t v = s->node[i], c = whole ? 0 : s->component[v];
        s->weight[i] = mass[v] > 0 ? sum[c] / (visits[c] * mass[v]) : 1 / visits[c];
    }
    rc = 0;
out:
    base_free(sum);
    base_free(visits);
    return rc;
}

/* The stationary mass of every node, up to a factor within a component. */
static int walk_mass(const struct walk *w, double *mass)
{
    const struct graph *g = w->s->g;
    const struct graph_sample_options *o = w->s->o;
    struct graph_pagerank_options how = GRAPH_PAGERANK_OPTIONS_DEFAULT;
    for (uint32_t v = 0; v < g->nodes; v++) {
        double d = (double)graph_degree(g, v);
        if (o->method == GRAPH_METROPOLIS_HASTINGS)
            d = d > 0 ? pow(d, 1 - o->alpha) : 0;
        else if (o->method == GRAPH_COMMON_NEIGHBOR)
            d = d > 0 ? w->cumulative[g->first[v + 1] - 1] : 0;
        mass[v] = d;
    }
    if (o->method != GRAPH_JUMP && o->method != GRAPH_RESTART)
        return 0;
    how.damping = 1 - (o->method == GRAPH_JUMP ? o->jump_p : o->restart_p);
    how.restart = w->homes;
    how.tolerance = w->homes ? 1e-12 : 1e-7; /* of the sum, or of each */
    return graph_pagerank(g, &how, mass, NULL);
}

static int weigh_walk(const struct walk *w)
{
    double *mass = base_alloc(w->s->g->nodes, sizeof *mass);
    int rc = mass ? walk_mass(w, mass) : BASE_E_MEMORY;
    if (rc == 0)
        rc = sampler_weigh(w->s, mass, w->s->o->method == GRAPH_JUMP);
    base_free(mass);
    return rc;
}

/* ---- one walker ---- */

static uint64_t step_common(struct walk *w)
{
    const struct graph *g = w->s->g;
    uint64_t low = g->first[w->at], high = g->first[w->at + 1] - 1;
    double u = base_rng_uniform(&w->s->rng) * w->cumulative[high];
    while (low < high) { /* the first slot whose sum is above u */
        uint64_t middle = low + (high - low) / 2;
        if (w->cumulative[middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static uint64_t step_forward(struct walk *w)
{
    const struct graph *g = w->s->g;
    uint64_t first = g->first[w->at], d = graph_degree(g, w->at);
    if (d == 1 || w->before == GRAPH_NO_NODE)
        return sampler_any_slot(w->s, w->at);
    uint64_t low = 0, high = d - 1; /* where `before` stands among the neighbours */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (g->neighbor[first + middle] < w->before)
            low = middle + 1;
        else
            high = middle;
    }
    uint64_t k = base_rng_below(&w->s->rng, d - 1);
    return first + k + (k >= low);
}

static int step_circulated(struct walk *w, uint64_t *slot)
{
    const struct graph *g = w->s->g;
    uint64_t cell = w->s->o->circulate == GRAPH_CIRCULATE_NODE ? w->at : w->slot;
    uint32_t way;
    if (cell == UINT64_MAX) {
        *slot = sampler_any_slot(w->s, w->at);
        return 0;
    }
    int rc = circle_next(&w->circle, cell, (uint32_t)graph_degree(g, w->at), &w->s->rng, &way);
    *slot = g->first[w->at] + way;
    return rc;
}

/* One step of the method from w->at, which has neighbours unless the method jumps. */
static int step(struct walk *w)
{
    struct sampler *s = w->s;
    const struct graph *g = s->g;
    const struct graph_sample_options *o = s->o;
    uint64_t slot;
    int rc = 0;
    w->moved = false;
    switch (o->method) {
    case GRAPH_RESTART:
        if (base_rng_uniform(&s->rng) < o->restart_p) {
            w->at = w->home;
            s->restarts++;
            return 0;
        }
        slot = sampler_any_slot(s, w->at);
        break;
    case GRAPH_JUMP:
        if (graph_degree(g, w->at) == 0 || base_rng_uniform(&s->rng) < o->jump_p) {
            w->at = sampler_any_node(s);
            s->restarts++;
            return 0;
        }
        slot = sampler_any_slot(s, w->at);
        break;
    case GRAPH_METROPOLIS_HASTINGS: {
        slot = sampler_any_slot(s, w->at);
        double u = base_rng_uniform(&s->rng), now = (double)graph_degree(g, w->at),
               next = (double)graph_degree(g, g->neighbor[slot]);
        if (now < next && !(o->alpha == 1 ? u * next < now : u < pow(now / next, o->alpha)))
            return 0;
        break;
    }
    case GRAPH_NON_BACKTRACKING:
        slot = step_forward(w);
        break;
    case GRAPH_CIRCULATED:
        rc = step_circulated(w, &slot);
        break;
    case GRAPH_COMMON_NEIGHBOR:
        slot = step_common(w);
        break;
    default:
        slot = sampler_any_slot(s, w->at);
        break;
    }
    if (rc)
        return rc;
    w->moved = true;
    w->before = w->at;
    w->slot = slot;
    w->at = g->neighbor[slot];
    return 0;
}

static int prepare(struct walk *w)
{
    struct sampler *s = w->s;
    size_t slots = (size_t)s->g->first[s->g->nodes];
    if (s->o->method == GRAPH_RESTART && s->o->weights) {
        w->homes = base_alloc_zero(s->g->nodes, sizeof *w->homes);
        return w->homes ? 0 : BASE_E_MEMORY;
    }
    if (s->o->method == GRAPH_COMMON_NEIGHBOR) {
        w->cumulative = base_alloc(slots, sizeof *w->cumulative);
        return w->cumulative ? common_weights(s->g, w->cumulative) : BASE_E_MEMORY;
    }
    if (s->o->method == GRAPH_CIRCULATED) {
        size_t cells = s->o->circulate == GRAPH_CIRCULATE_NODE ? s->g->nodes : slots;
        w->circle.used = base_alloc_zero(cells, sizeof *w->circle.used);
        return w->circle.used ? circle_grow(&w->circle) : BASE_E_MEMORY;
    }
    return 0;
}

/* Begins at v: the walk's first visit, unless it is to be burnt in. */
static void begin(struct walk *w, uint32_t v, uint64_t *quiet)
{
    w->at = w->home = v;
    if (w->homes)
        w->homes[v] = 1;
    w->before = GRAPH_NO_NODE;
    w->slot = UINT64_MAX;
    bool fixed = graph_degree(w->s->g, v) == 0 && w->s->o->method != GRAPH_JUMP;
    *quiet = fixed ? 0 : w->s->o->burn_in;
    if (*quiet == 0)
        sampler_take(w->s, v);
}

/* Whether nothing more can be met from where the walk is. */
static bool stuck(const struct walk *w)
{
    const struct sampler *s = w->s;
    if (s->o->method == GRAPH_JUMP)
        return false;
    return s->o->steps ? graph_degree(s->g, w->at) == 0
                       : s->component_left[s->component[w->at]] == 0;
}

static int stuck_why(struct walk *w, uint32_t *other)
{
    char why[128];
    uint32_t size = 0, c = w->s->component[w->at];
    for (uint32_t v = 0; v < w->s->g->nodes; v++)
        size += w->s->component[v] == c;
    snprintf(why, sizeof why, "all %u nodes of the component of the start are in", size);
    return sampler_exhausted(w->s, other, why);
}

static int walk_on(struct walk *w)
{
    struct sampler *s = w->s;
    uint64_t quiet, recorded = 0;
    int rc;
    begin(w, sampler_begin(s), &quiet);
    while (s->o->steps ? recorded < s->o->steps : !sampler_full(s)) {
        if (stuck(w)) {
            uint32_t other;
            if ((rc = stuck_why(w, &other)) || other == GRAPH_NO_NODE)
                return rc;
            begin(w, other, &quiet);
            continue;
        }
        if ((rc = sampler_tick(s)))
            return rc;
        uint32_t from = w->at;
        if ((rc = step(w)))
            return rc;
        if (quiet) {
            quiet--;
            continue;
        }
        recorded++;
        if (w->moved && sampler_has(s, from))
            sampler_walk(s, s->g->edge[w->slot]);
        sampler_take(s, w->at);
    }
    return 0;
}

int sample_walk(struct sampler *s)
{
    struct walk w = { .s = s };
    int rc = sampler_components(s);
    if (rc == 0 && (rc = prepare(&w)) == 0)
        rc = walk_on(&w);
    if (rc >= 0 && s->o->weights)
        rc = weigh_walk(&w);
    base_free(w.cumulative);
    base_free(w.homes);
    circle_free(&w.circle);
    return rc;
}
