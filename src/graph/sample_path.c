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
/* Until the sides meet a node is reached by one of them only, so one place per node does: whose it
 * is and how far from that end, 2 distance + side. */
struct reached {
    double sigma;
    uint32_t mark; /* or FAR */
};
struct side {
    uint32_t *queue; /* nodes reached, in order of distance */
    size_t from, n;  /* the last level is queue[from .. n) */
    uint32_t level;
    uint32_t which; /* 0 or 1 */
    double most;    /* no sigma of the last level is above */
};
struct paths {
    struct sampler *s;
    struct reached *at; /* [nodes] */
    struct side side[2];
    uint32_t
        *meet; /* nodes of the other side's last level that the next level of this side holds */
    size_t n_meet;
    double *cross;    /* [nodes] their sigma from this side; else 0 */
    double degree;    /* the highest */
    uint32_t *member; /* nodes by component */
    uint32_t *begin;  /* [components + 1] */
    struct sampler_tree chance;
    uint32_t *path;
};

static void side_start(struct paths *p, struct side *d, uint32_t which, uint32_t v)
{
    *d = (struct side){ .queue = d->queue, .n = 1, .which = which, .most = 1 };
    d->queue[0] = v;
    p->at[v] = (struct reached){ 1, which };
}

/* The edges that the next level of this side has to look at. */
static uint64_t side_cost(const struct graph *g, const struct side *d)
{
    uint64_t sum = 0;
    for (size_t i = d->from; i < d->n; i++)
        sum += graph_degree(g, d->queue[i]);
    return sum;
}

/* One level further. Nodes that the other side has reached go to meet: they are of its last level,
 * for else the sides would have met before. */
static void side_expand(struct paths *p, struct side *d)
{
    const struct graph *g = p->s->g;
    struct reached *at = p->at;
    size_t to = d->n, n = d->n;
    uint32_t mark = 2 * ++d->level + d->which;
    for (size_t i = d->from; i < to; i++) {
        uint32_t v = d->queue[i];
        double sigma = at[v].sigma;
        for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++) {
            uint32_t w = g->neighbor[k], old = at[w].mark;
            if (old == FAR) {
                at[w] = (struct reached){ sigma, mark };
                d->queue[n++] = w;
            } else if (old == mark) {
                at[w].sigma += sigma;
            } else if ((old ^ mark) & 1) {
                if (p->cross[w] == 0)
                    p->meet[p->n_meet++] = w;
                p->cross[w] += sigma;
            }
        }
    }
    d->from = to;
    d->n = n;
    d->most *= p->degree;
    if (d->most > 1e100) {
        double most = 0;
        for (size_t i = to; i < n; i++)
            most = at[d->queue[i]].sigma > most ? at[d->queue[i]].sigma : most;
        for (size_t i = to; i < n; i++)
            at[d->queue[i]].sigma /= most;
        d->most = 1;
    }
}

/* Where distance `level` begins in the queue, which ascends by distance. */
static size_t side_level(const struct paths *p, const struct side *d, uint32_t level)
{
    size_t low = 0, high = d->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->at[d->queue[middle]].mark / 2 < level)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A neighbour of v at distance `level` from the side's end, in proportion to sigma: among v's
 * neighbours, or, where v is a hub, among the nodes of that level. */
static uint32_t side_before(struct paths *p, const struct side *d, uint32_t v, uint32_t level)
{
    const struct graph *g = p->s->g;
    size_t from = side_level(p, d, level), to = side_level(p, d, level + 1);
    uint32_t next = GRAPH_NO_NODE, mark = 2 * level + d->which;
    bool hub = (to - from) * 8 < graph_degree(g, v);
    double sum = 0;
    if (to - from == 1)
        return d->queue[from];
    for (int draw = 0; draw < 2; draw++) {
        double left = draw ? base_rng_uniform(&p->s->rng) * sum : 0;
        uint64_t k = hub ? from : g->first[v], end = hub ? to : g->first[v + 1];
        for (; k < end && left >= 0; k++) {
            uint32_t w = hub ? d->queue[k] : g->neighbor[k];
            if (hub ? graph_edge_find(g, w, v) == UINT64_MAX : p->at[w].mark != mark)
                continue;
            if (draw) {
                next = w;
                left -= p->at[w].sigma;
            } else {
                sum += p->at[w].sigma;
            }
        }
    }
    return next;
}

/* From v, at distance `level` from the side's end, back there by a shortest path; the nodes after v
 * go to out. Returns how many. */
static size_t side_back(struct paths *p, const struct side *d, uint32_t v, uint32_t level,
                        uint32_t *out)
{
    size_t n = 0;
    while (level-- > 0) {
        v = side_before(p, d, v, level);
        out[n++] = v;
    }
    return n;
}

/* Draws one of the edges between the last levels in proportion to sigma sigma'. False when there is
 * none. */
static bool bridge(struct paths *p, uint32_t *u, uint32_t *v)
{
    const struct graph *g = p->s->g;
    const struct side *a = &p->side[0], *b = &p->side[1];
    double sum = 0;
    for (int draw = 0; draw < 2; draw++) {
        double left = draw ? base_rng_uniform(&p->s->rng) * sum : 0;
        for (size_t i = a->from; i < a->n && left >= 0; i++)
            for (size_t k = b->from; k < b->n && left >= 0; k++) {
                uint32_t x = a->queue[i], y = b->queue[k];
                bool fewer = graph_degree(g, x) <= graph_degree(g, y);
                if (graph_edge_find(g, fewer ? x : y, fewer ? y : x) == UINT64_MAX)
                    continue;
                double paths = p->at[x].sigma * p->at[y].sigma;
                if (draw) {
                    *u = x;
                    *v = y;
                    left -= paths;
                } else {
                    sum += paths;
                }
            }
        if (!draw && !(sum > 0))
            return false;
    }
    return true;
}

/* Draws one of the nodes in which the sides have met. */
static uint32_t meeting(struct paths *p)
{
    uint32_t middle = GRAPH_NO_NODE;
    double sum = 0, left;
    for (size_t i = 0; i < p->n_meet; i++)
        sum += p->cross[p->meet[i]] * p->at[p->meet[i]].sigma;
    left = base_rng_uniform(&p->s->rng) * sum;
    for (size_t i = 0; i < p->n_meet && left >= 0; i++) {
        middle = p->meet[i];
        left -= p->cross[middle] * p->at[middle].sigma;
    }
    return middle;
}

/* A shortest path from u to v, both in one component, into p->path; returns its nodes. */
static size_t connect(struct paths *p, uint32_t u, uint32_t v)
{
    struct side *a = &p->side[0], *b = &p->side[1];
    side_start(p, a, 0, u);
    side_start(p, b, 1, v);
    for (;;) {
        uint64_t cost_a = side_cost(p->s->g, a), cost_b = side_cost(p->s->g, b);
        bool first = cost_a <= cost_b;
        if ((a->n - a->from) * (b->n - b->from) <= (first ? cost_a : cost_b) / 8 &&
            bridge(p, &u, &v))
            break;
        side_expand(p, first ? a : b);
        if (p->n_meet) {
            u = v = meeting(p);
            break;
        }
    }
    size_t n = side_back(p, a, u, a->level, p->path);
    for (size_t i = 0; i < n / 2; i++) {
        uint32_t keep = p->path[i];
        p->path[i] = p->path[n - 1 - i];
        p->path[n - 1 - i] = keep;
    }
    p->path[n++] = u;
    if (v != u)
        p->path[n++] = v;
    n += side_back(p, b, v, b->level, p->path + n);
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < p->side[i].n; k++)
            p->at[p->side[i].queue[k]].mark = FAR;
    while (p->n_meet)
        p->cross[p->meet[--p->n_meet]] = 0;
    return n;
}

static int prepare(struct paths *p)
{
    struct sampler *s = p->s;
    uint32_t nodes = s->g->nodes;
    int rc = sampler_components(s);
    if (rc)
        return rc;
    p->side[0].queue = base_alloc(nodes, sizeof(uint32_t));
    p->side[1].queue = base_alloc(nodes, sizeof(uint32_t));
    p->at = base_alloc(nodes, sizeof *p->at);
    p->meet = base_alloc(nodes, sizeof *p->meet);
    p->cross = base_alloc_zero(nodes, sizeof *p->cross);
    if (!p->side[0].queue || !p->side[1].queue || !p->at || !p->meet || !p->cross)
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < nodes; v++) {
        double degree = (double)graph_degree(s->g, v);
        p->at[v].mark = FAR;
        p->degree = degree > p->degree ? degree : p->degree;
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
        /* a search is long: asks more often whether to go on than sampler_tick does */
        if ((rc = sampler_tick(s)) || (s->steps % 256 == 0 && (rc = sampler_tick_slow(s))))
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
    base_free(p.side[0].queue);
    base_free(p.side[1].queue);
    base_free(p.at);
    base_free(p.meet);
    base_free(p.cross);
    base_free(p.member);
    base_free(p.begin);
    base_free(p.path);
    sampler_tree_free(&p.chance);
    return rc;
}
