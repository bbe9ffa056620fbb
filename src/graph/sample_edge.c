/* Samples of edges: uniform edges (with the induced ones added or not), a stream of edges with
 * partial induction (Ahmed, Neville and Kompella 2014), and edges of uniform nodes alone or mixed
 * with uniform edges (Krishnamurthy et al. 2005).
 *
 * An edge brings up to two nodes. When only one more is wanted, edges that would bring two are
 * passed over, so that the size is exactly what was asked for; where no edge brings just one, the
 * sample ends one node short and says so.
 *
 * Weights, M edges in the graph:
 *   random-edge,      m edges drawn without replacement: v is at m d_v / M of them on average;
 *   edge-induction    visits counts those, weight M / (m d_v) (Hansen and Hurwitz 1943).
 *   partial           v is in as soon as one of its edges wins its toss; after t of M edges of a
 *                     stream in random order that has probability 1 - (1 - p t/M)^d_v (exact for
 *                     the whole stream); weight its inverse, visits 1.
 *   node-edge,        t draws with replacement: v is at a node-edge draw with probability
 *   hybrid            a_v = (1 + sum over its neighbours u of 1/d_u) / N, at a uniform edge with
 *                     d_v / M; weight 1 / (t (p a_v + (1 - p) d_v / M)), p = 1 for node-edge. */
#include "graph/sample.h"

/* How many nodes edge e would bring. */
static unsigned brings(const struct sampler *s, uint64_t e)
{
    return !sampler_has(s, s->g->source[e]) + !sampler_has(s, s->g->target[e]);
}

static void take_edge(struct sampler *s, uint64_t e)
{
    sampler_take(s, s->g->source[e]);
    sampler_take(s, s->g->target[e]);
    sampler_walk(s, (uint32_t)e);
}

static bool finished(const struct sampler *s)
{
    return s->o->edges ? s->edges_taken >= s->o->edges : sampler_full(s);
}

/* All edges are used up, or none fits. */
static int stop_short(struct sampler *s)
{
    uint64_t with = 0;
    for (uint32_t v = 0; v < s->g->nodes; v++)
        with += graph_degree(s->g, v) > 0;
    if (s->n == with)
        return sampler_stop(s, "all %llu nodes that have an edge are in", (unsigned long long)with);
    return sampler_stop(s, "no edge brings just the one node that is missing");
}

/* Edge ids in random order, made as they are asked for. */
struct stream {
    uint32_t *order;
    uint64_t next, n;
};
static int stream_open(struct stream *t, const struct graph *g)
{
    t->next = 0;
    t->n = g->edges;
    t->order = base_alloc((size_t)g->edges, sizeof *t->order);
    if (!t->order)
        return BASE_E_MEMORY;
    for (uint64_t e = 0; e < g->edges; e++)
        t->order[e] = (uint32_t)e;
    return 0;
}
static uint32_t stream_next(struct stream *t, struct base_rng *rng)
{
    uint64_t j = t->next + base_rng_below(rng, t->n - t->next);
    uint32_t e = t->order[j];
    t->order[j] = t->order[t->next];
    t->order[t->next++] = e;
    return e;
}

int sample_random_edge(struct sampler *s)
{
    struct stream stream;
    int rc = stream_open(&stream, s->g);
    while (rc == 0 && !finished(s) && stream.next < stream.n) {
        uint32_t e = stream_next(&stream, &s->rng);
        if (s->n + brings(s, e) <= s->wanted)
            take_edge(s, e);
        rc = sampler_tick(s);
    }
    base_free(stream.order);
    if (rc < 0)
        return rc;
    if (rc == 0 && !finished(s))
        stop_short(s);
    if (!s->o->weights)
        return 0;
    if (sampler_weights(s))
        return BASE_E_MEMORY;
    for (uint64_t i = 0; i < s->n; i++)
        s->weight[i] =
            (double)s->g->edges / ((double)s->edges_taken * (double)graph_degree(s->g, s->node[i]));
    return 0;
}

int sample_edge_partial_induction(struct sampler *s)
{
    const struct graph *g = s->g;
    double p = isnan(s->o->p) ? .5 : s->o->p;
    struct stream stream;
    int rc = stream_open(&stream, g);
    while (rc == 0 && !sampler_full(s) && stream.next < stream.n) {
        uint32_t e = stream_next(&stream, &s->rng);
        unsigned more = brings(s, e);
        if (more == 0)
            sampler_walk(s, e);
        else if (base_rng_uniform(&s->rng) < p && s->n + more <= s->wanted) {
            if (!sampler_has(s, g->source[e]))
                sampler_take(s, g->source[e]);
            if (!sampler_has(s, g->target[e]))
                sampler_take(s, g->target[e]);
            sampler_walk(s, e);
        }
        rc = sampler_tick(s);
    }
    double seen = (double)stream.next / (double)(g->edges ? g->edges : 1);
    base_free(stream.order);
    if (rc < 0)
        return rc;
    if (rc == 0 && !sampler_full(s))
        sampler_stop(s, "the stream of %llu edges ended; a larger p than %g keeps more",
                     (unsigned long long)g->edges, p);
    if (!s->o->weights)
        return 0;
    if (sampler_weights(s))
        return BASE_E_MEMORY;
    for (uint64_t i = 0; i < s->n; i++)
        s->weight[i] = -1 / expm1((double)graph_degree(g, s->node[i]) * log1p(-p * seen));
    return 0;
}

/* Whether an edge has exactly one end in the sample. */
static bool any_fits(const struct sampler *s)
{
    for (uint64_t e = 0; e < s->g->edges; e++)
        if (brings(s, e) == 1)
            return true;
    return false;
}

int sample_node_edge(struct sampler *s)
{
    const struct graph *g = s->g;
    double p = s->o->method == GRAPH_NODE_EDGE ? 1 : isnan(s->o->p) ? .8 : s->o->p;
    uint64_t with = 0, draws = 0;
    bool last_checked = false;
    int rc = 0;
    for (uint32_t v = 0; v < g->nodes; v++)
        with += graph_degree(g, v) > 0;
    while (!finished(s)) {
        if (s->n == with && !s->o->edges) {
            stop_short(s);
            break;
        }
        if (s->n + 1 == s->wanted && !last_checked) {
            last_checked = true;
            if (!any_fits(s)) {
                stop_short(s);
                break;
            }
        }
        if ((rc = sampler_tick(s)))
            break;
        uint64_t e;
        draws++;
        if (p == 1 || base_rng_uniform(&s->rng) < p) {
            uint32_t v = sampler_any_node(s);
            if (graph_degree(g, v) == 0)
                continue;
            e = g->edge[sampler_any_slot(s, v)];
        } else {
            e = base_rng_below(&s->rng, g->edges);
        }
        if (s->n + brings(s, e) <= s->wanted)
            take_edge(s, e);
        else
            draws--;
    }
    if (rc < 0)
        return rc;
    if (!s->o->weights)
        return 0;
    if (sampler_weights(s))
        return BASE_E_MEMORY;
    for (uint64_t i = 0; i < s->n; i++) {
        uint32_t v = s->node[i];
        double a = 1;
        for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++)
            a += 1 / (double)graph_degree(g, g->neighbor[k]);
        double rate = p * a / g->nodes + (1 - p) * (double)graph_degree(g, v) / (double)g->edges;
        s->weight[i] = 1 / ((double)draws * rate);
    }
    return 0;
}
