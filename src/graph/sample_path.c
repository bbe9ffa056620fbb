/* Sample by shortest paths between uniform pairs of different nodes (Rezvanian and Meybodi 2015);
 * of the shortest paths of a pair one is drawn uniformly. The nodes of a path join from its
 * beginning on, until the size is reached.
 *
 * Pairs without a path are not drawn: a component is drawn in proportion to size (size - 1), then
 * two of its nodes. Nor are pairs of a component all of whose nodes are in, which add no node; so
 * the draw ends on every graph.
 *
 * The search goes from both ends, level by level, the cheaper side first. sigma counts the shortest
 * paths from a side's end to a node. When the levels a and b have just met, every shortest path
 * crosses exactly one node at distance a from the one end and b from the other; it is drawn in
 * proportion to sigma sigma', and from there the steps back on each side in proportion to sigma. So
 * all shortest paths are equally likely. Only ratios within a level matter: a level whose sigma
 * grows large is scaled down.
 *
 * The next level is the expensive one where there are hubs. So while both last levels are small,
 * edges between them are looked for by bisection first: if there are some, every shortest path
 * crosses exactly one, and it is drawn in the same way. */
#include "graph/sample.h"

#define FAR UINT32_MAX
struct reached {
    double sigma;
    uint32_t distance; /* or FAR */
};
struct side {
    struct reached *at; /* [nodes] */
    uint32_t *queue;    /* nodes seen in order of distance */
    size_t from, n;     /* the last level is queue[from .. n) */
    uint32_t level;
};
struct paths {
    struct sampler *s;
    struct side side[2];
    uint32_t *member; /* nodes by component */
    uint32_t *begin;  /* [components + 1] */
    struct sampler_tree chance;
    uint32_t *path; /* slots are looked up when the path is taken */
};

static void side_start(struct side *d, uint32_t v)
{
    d->queue[0] = v;
    d->from = 0;
    d->n = 1;
    d->level = 0;
    d->at[v].distance = 0;
    d->at[v].sigma = 1;
}
static void side_clear(struct side *d)
{
    for (size_t i = 0; i < d->n; i++)
        d->at[d->queue[i]].distance = FAR;
}

/* The edges that the next level of this side has to look at. */
static uint64_t side_cost(const struct graph *g, const struct side *d)
{
    uint64_t sum = 0;
    for (size_t i = d->from; i < d->n; i++)
        sum += graph_degree(g, d->queue[i]);
    return sum;
}

/* One level further; true when it meets the other side. */
static bool side_expand(const struct graph *g, struct side *d, const struct side *other)
{
    size_t to = d->n;
    double most = 0;
    bool met = false;
    d->level++;
    for (size_t i = d->from; i < to; i++) {
        uint32_t v = d->queue[i];
        for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++) {
            uint32_t w = g->neighbor[k];
            if (d->at[w].distance == FAR) {
                d->at[w].distance = d->level;
                d->at[w].sigma = 0;
                d->queue[d->n++] = w;
                met = met || other->at[w].distance != FAR;
            }
            if (d->at[w].distance == d->level) {
                d->at[w].sigma += d->at[v].sigma;
                most = d->at[w].sigma > most ? d->at[w].sigma : most;
            }
        }
    }
    d->from = to;
    if (most > 1e100)
        for (size_t i = d->from; i < d->n; i++)
            d->at[d->queue[i]].sigma /= most;
    return met;
}

/* Where distance `level` begins in the queue, which ascends by distance. */
static size_t side_level(const struct side *d, uint32_t level)
{
    size_t low = 0, high = d->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->at[d->queue[middle]].distance < level)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The node before v on a shortest path, in proportion to sigma: among v's neighbours, or, where v
 * is a hub, among the nodes of the level before. */
static uint32_t side_before(struct sampler *s, const struct side *d, uint32_t v)
{
    const struct graph *g = s->g;
    uint32_t level = d->at[v].distance - 1, next = GRAPH_NO_NODE;
    size_t from = side_level(d, level), to = side_level(d, level + 1);
    bool hub = (to - from) * 8 < graph_degree(g, v);
    double sum = 0;
    if (to - from == 1)
        return d->queue[from];
    for (int draw = 0; draw < 2; draw++) {
        double at = draw ? base_rng_uniform(&s->rng) * sum : 0;
        uint64_t k = hub ? from : g->first[v], end = hub ? to : g->first[v + 1];
        for (; k < end && at >= 0; k++) {
            uint32_t w = hub ? d->queue[k] : g->neighbor[k];
            if (hub ? graph_edge_find(g, w, v) == UINT64_MAX : d->at[w].distance != level)
                continue;
            if (draw) {
                next = w;
                at -= d->at[w].sigma;
            } else {
                sum += d->at[w].sigma;
            }
        }
    }
    return next;
}

/* From v back to the side's end, by a shortest path; the nodes after v go to out, v's neighbour
 * first. Returns how many. */
static size_t side_back(struct sampler *s, const struct side *d, uint32_t v, uint32_t *out)
{
    size_t n = 0;
    while (d->at[v].distance > 0) {
        v = side_before(s, d, v);
        out[n++] = v;
    }
    return n;
}

/* Draws one of the edges between the last levels in proportion to sigma sigma'. False when there is
 * none. */
static bool bridge(struct sampler *s, const struct side *a, const struct side *b, uint32_t *u,
                   uint32_t *v)
{
    const struct graph *g = s->g;
    double sum = 0;
    for (int draw = 0; draw < 2; draw++) {
        double at = draw ? base_rng_uniform(&s->rng) * sum : 0;
        for (size_t i = a->from; i < a->n && at >= 0; i++)
            for (size_t k = b->from; k < b->n && at >= 0; k++) {
                uint32_t x = a->queue[i], y = b->queue[k];
                bool fewer = graph_degree(g, x) <= graph_degree(g, y);
                if (graph_edge_find(g, fewer ? x : y, fewer ? y : x) == UINT64_MAX)
                    continue;
                double paths = a->at[x].sigma * b->at[y].sigma;
                if (draw) {
                    *u = x;
                    *v = y;
                    at -= paths;
                } else {
                    sum += paths;
                }
            }
        if (!draw && !(sum > 0))
            return false;
    }
    return true;
}

/* Draws one of the nodes of `last`'s last level that both sides have reached. */
static uint32_t meeting(struct sampler *s, const struct side *last, const struct side *other)
{
    uint32_t middle = GRAPH_NO_NODE;
    double sum = 0;
    for (int draw = 0; draw < 2; draw++) {
        double at = draw ? base_rng_uniform(&s->rng) * sum : 0;
        for (size_t i = last->from; i < last->n && at >= 0; i++) {
            uint32_t w = last->queue[i];
            if (other->at[w].distance == FAR)
                continue;
            if (draw) {
                middle = w;
                at -= last->at[w].sigma * other->at[w].sigma;
            } else {
                sum += last->at[w].sigma * other->at[w].sigma;
            }
        }
    }
    return middle;
}

/* A shortest path from u to v, both in one component, into p->path; returns its nodes. */
static size_t connect(struct paths *p, uint32_t u, uint32_t v)
{
    struct sampler *s = p->s;
    struct side *a = &p->side[0], *b = &p->side[1];
    side_start(a, u);
    side_start(b, v);
    for (bool met = false; !met;) {
        uint64_t cost_a = side_cost(s->g, a), cost_b = side_cost(s->g, b);
        bool first = cost_a <= cost_b;
        if ((a->n - a->from) * (b->n - b->from) <= (first ? cost_a : cost_b) / 8 &&
            bridge(s, a, b, &u, &v))
            break;
        met = side_expand(s->g, first ? a : b, first ? b : a);
        if (met)
            u = v = meeting(s, first ? a : b, first ? b : a);
    }
    size_t n = side_back(s, a, u, p->path);
    for (size_t i = 0; i < n / 2; i++) {
        uint32_t keep = p->path[i];
        p->path[i] = p->path[n - 1 - i];
        p->path[n - 1 - i] = keep;
    }
    p->path[n++] = u;
    if (v != u)
        p->path[n++] = v;
    n += side_back(s, b, v, p->path + n);
    side_clear(a);
    side_clear(b);
    return n;
}

static int prepare(struct paths *p)
{
    struct sampler *s = p->s;
    uint32_t nodes = s->g->nodes;
    int rc = sampler_components(s);
    if (rc)
        return rc;
    for (int i = 0; i < 2; i++) {
        p->side[i].at = base_alloc(nodes, sizeof *p->side[i].at);
        p->side[i].queue = base_alloc(nodes, sizeof *p->side[i].queue);
        if (!p->side[i].at || !p->side[i].queue)
            return BASE_E_MEMORY;
        for (uint32_t v = 0; v < nodes; v++)
            p->side[i].at[v].distance = FAR;
    }
    p->member = base_alloc(nodes, sizeof *p->member);
    p->begin = base_alloc_zero((size_t)s->components + 1, sizeof *p->begin);
    p->path = base_alloc((size_t)nodes + 1, sizeof *p->path);
    if (!p->member || !p->begin || !p->path || sampler_tree_make(&p->chance, s->components))
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < nodes; v++)
        p->begin[s->component[v] + 1]++;
    for (uint32_t c = 0; c < s->components; c++) {
        double size = p->begin[c + 1];
        sampler_tree_set(&p->chance, c, size * (size - 1));
        p->begin[c + 1] += p->begin[c];
    }
    for (uint32_t v = nodes; v-- > 0;) /* begin[c + 1] moves down to where c begins */
        p->member[--p->begin[s->component[v] + 1]] = v;
    /* now begin[c + 1] is the beginning of c: shift */
    for (uint32_t c = 0; c < s->components; c++)
        p->begin[c] = p->begin[c + 1];
    p->begin[s->components] = nodes;
    return 0;
}

static int run(struct paths *p)
{
    struct sampler *s = p->s;
    int rc;
    while (!sampler_full(s)) {
        uint32_t c = sampler_tree_draw(&p->chance, &s->rng);
        if (c == s->components)
            return sampler_stop(s, "all %llu nodes that have an edge are in",
                                (unsigned long long)s->n);
        if ((rc = sampler_tick(s)))
            return rc;
        uint32_t size = p->begin[c + 1] - p->begin[c];
        uint32_t i = (uint32_t)base_rng_below(&s->rng, size);
        uint32_t j = (uint32_t)base_rng_below(&s->rng, size - 1);
        j += j >= i;
        size_t n = connect(p, p->member[p->begin[c] + i], p->member[p->begin[c] + j]);
        for (size_t k = 0; k < n && !sampler_full(s); k++) {
            sampler_take(s, p->path[k]);
            if (k)
                sampler_walk(s, (uint32_t)graph_edge_find(s->g, p->path[k - 1], p->path[k]));
        }
        if (s->component_left[c] == 0)
            sampler_tree_set(&p->chance, c, 0);
    }
    return 0;
}

int sample_shortest_path(struct sampler *s)
{
    struct paths p = { .s = s };
    int rc = prepare(&p);
    if (rc == 0)
        rc = run(&p);
    for (int i = 0; i < 2; i++) {
        base_free(p.side[i].at);
        base_free(p.side[i].queue);
    }
    base_free(p.member);
    base_free(p.begin);
    base_free(p.path);
    sampler_tree_free(&p.chance);
    return rc;
}
