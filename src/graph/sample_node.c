/* Samples of nodes drawn from the whole list: uniformly, in proportion to degree or PageRank, and
 * uniform nodes with all their neighbours.
 *
 * Weights (struct graph_sample):
 *   random-node     n of N without replacement: pi = n/N, weight N/n.
 *   degree,         Successive draws without replacement in proportion to p. With independent keys
 *   pagerank        E_v / p_v, E_v ~ Exp(1), the order of the keys has the law of successive draws
 *                   (the exponential race), so the sample is the n smallest. Given all other keys
 *                   v is in when its key is below T, the (n+1)-th smallest: with probability
 *                   1 - exp(-p_v T). The weight is its inverse; totals are unbiased (rank
 *                   conditioning: Cohen and Kaplan 2007, Duffield, Lund and Thorup 2007).
 *   node-neighbors  K seeds of N without replacement; v comes once for each seed among itself and
 *                   its d_v neighbours, K (d_v + 1) / N times on average: visits counts them, the
 *                   weight is N / (K (d_v + 1)) (multiplicity estimator, Birnbaum and Sirken 1965).
 *                   The last neighbourhood is cut when the wanted size falls into it, in random
 *                   order; the weights take it as whole. */
#include "graph/sample.h"
#include <stdlib.h>

struct keyed {
    double key;
    uint32_t item;
};

static bool below(const struct keyed *a, const struct keyed *b)
{
    return a->key < b->key || (a->key == b->key && a->item < b->item);
}
static int by_key(const void *x, const void *y)
{
    const struct keyed *a = x, *b = y;
    return below(a, b) ? -1 : below(b, a);
}

/* Brings the k smallest of a[n] to the front, in any order (Hoare's selection). */
static void select_smallest(struct keyed *a, size_t n, size_t k)
{
    size_t low = 0, high = n;
    while (high - low > 16) {
        struct keyed x = a[low], y = a[low + (high - low) / 2], z = a[high - 1], pivot;
        if (below(&y, &x)) {
            struct keyed t = x;
            x = y;
            y = t;
        }
        pivot = below(&z, &x) ? x : below(&z, &y) ? z : y;
        size_t i = low, j = high - 1;
        for (;;) {
            while (below(&a[i], &pivot))
                i++;
            while (below(&pivot, &a[j]))
                j--;
            if (i >= j)
                break;
            struct keyed t = a[i];
            a[i++] = a[j];
            a[j--] = t;
        }
        /* all before i are <= pivot, all from i on >= pivot; both parts are shorter than before */
        if (k < i)
            high = i;
        else if (k > i)
            low = i;
        else
            return;
    }
    qsort(a + low, high - low, sizeof *a, by_key);
}

int sampler_successive(struct base_rng *rng, const double *weight, size_t n, size_t k,
                       uint32_t *chosen, size_t *count, double *threshold)
{
    struct keyed *a = base_alloc(n, sizeof *a);
    if (!a)
        return BASE_E_MEMORY;
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (weight[i] > 0)
            a[m++] = (struct keyed){ -log1p(-base_rng_uniform(rng)) / weight[i], (uint32_t)i };
    size_t take = k < m ? k : m;
    if (take < m)
        select_smallest(a, m, take + 1);
    /* the largest of the first take + 1 is the threshold: sorting them all puts it last */
    qsort(a, take < m ? take + 1 : m, sizeof *a, by_key);
    *threshold = take < m ? a[take].key : INFINITY;
    for (size_t i = 0; i < take; i++)
        chosen[i] = a[i].item;
    *count = take;
    base_free(a);
    return 0;
}

/* Node ids in random order, the first k of them drawn uniformly without replacement. */
static uint32_t *draw_order(struct sampler *s, uint64_t k)
{
    uint32_t *order = base_alloc(s->g->nodes, sizeof *order);
    if (!order)
        return NULL;
    for (uint32_t v = 0; v < s->g->nodes; v++)
        order[v] = v;
    for (uint64_t i = 0; i < k; i++) {
        uint64_t j = i + base_rng_below(&s->rng, s->g->nodes - i);
        uint32_t keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    return order;
}

int sample_random_node(struct sampler *s)
{
    uint32_t *order = draw_order(s, s->wanted);
    if (!order)
        return BASE_E_MEMORY;
    for (uint64_t i = 0; i < s->wanted; i++)
        sampler_take(s, order[i]);
    base_free(order);
    s->steps = s->n;
    if (!s->o->weights)
        return 0;
    if (sampler_weights(s))
        return BASE_E_MEMORY;
    for (uint64_t i = 0; i < s->n; i++)
        s->weight[i] = (double)s->g->nodes / (double)s->n;
    return 0;
}

/* `wanted` nodes in proportion to p [nodes]. */
static int draw_by(struct sampler *s, const double *p)
{
    double threshold;
    size_t n;
    uint32_t *chosen = base_alloc((size_t)s->wanted, sizeof *chosen);
    if (!chosen)
        return BASE_E_MEMORY;
    int rc = sampler_successive(&s->rng, p, s->g->nodes, (size_t)s->wanted, chosen, &n, &threshold);
    if (rc)
        goto out;
    for (size_t i = 0; i < n; i++)
        sampler_take(s, chosen[i]);
    s->steps = n;
    if (s->o->weights) {
        if ((rc = sampler_weights(s)))
            goto out;
        for (uint64_t i = 0; i < s->n; i++)
            s->weight[i] = -1 / expm1(-p[s->node[i]] * threshold);
    }
out:
    base_free(chosen);
    return rc;
}

int sample_by_degree(struct sampler *s)
{
    double *p = base_alloc(s->g->nodes, sizeof *p);
    if (!p)
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < s->g->nodes; v++)
        p[v] = (double)graph_degree(s->g, v);
    int rc = draw_by(s, p);
    base_free(p);
    if (rc == 0 && !sampler_full(s))
        sampler_stop(s, "only %llu nodes have an edge, the others have probability 0",
                     (unsigned long long)s->n);
    return rc;
}

int sample_by_pagerank(struct sampler *s)
{
    struct graph_pagerank_options how = GRAPH_PAGERANK_OPTIONS_DEFAULT;
    double *p = base_alloc(s->g->nodes, sizeof *p);
    if (!p)
        return BASE_E_MEMORY;
    how.damping = s->o->damping;
    how.tolerance = 1e-7; /* no draw can tell; the same p stand in draw and weights */
    int rc = graph_pagerank(s->given, &how, p, NULL);
    if (rc == 0)
        rc = draw_by(s, p);
    base_free(p);
    return rc;
}

int sample_node_neighbors(struct sampler *s)
{
    const struct graph *g = s->g;
    uint64_t most = s->o->seeds ? s->o->seeds : g->nodes, seeds = 0, slots = 0;
    int rc = 0;
    for (uint32_t v = 0; v < g->nodes; v++)
        slots = graph_degree(g, v) > slots ? graph_degree(g, v) : slots;
    uint32_t *order = draw_order(s, most);
    uint64_t *slot = base_alloc((size_t)slots, sizeof *slot);
    if (!order || !slot) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    while (seeds < most && !sampler_full(s)) {
        uint32_t v = order[seeds++];
        if ((rc = sampler_tick(s)))
            break;
        sampler_take(s, v);
        uint64_t d = graph_degree(g, v);
        for (uint64_t i = 0; i < d; i++)
            slot[i] = g->first[v] + i;
        if (s->n + d > s->wanted)
            sampler_shuffle(s, slot, d);
        for (uint64_t i = 0; i < d; i++) {
            uint32_t w = g->neighbor[slot[i]];
            if (sampler_has(s, w) || !sampler_full(s)) {
                sampler_take(s, w);
                sampler_walk(s, g->edge[slot[i]]);
            }
        }
    }
    rc = rc > 0 ? 0 : rc;
    if (rc == 0 && s->o->weights && (rc = sampler_weights(s)) == 0)
        for (uint64_t i = 0; i < s->n; i++)
            s->weight[i] =
                (double)g->nodes / ((double)seeds * ((double)graph_degree(g, s->node[i]) + 1));
out:
    base_free(order);
    base_free(slot);
    return rc;
}
