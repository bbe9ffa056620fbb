/* Community structure expansion (Maiya and Berger-Wolf 2010, "XSN"): the sample S grows by the node
 * v of its neighbourhood N(S) that brings most,
 *   new      |N(v) \ (N(S) u S)|  neighbours that S does not even know: the paper's;
 *   outside  |N(v) \ S|           neighbours that are not in S: littleballoffur's,
 * ties at random, all equally likely.
 *
 * Exact and in O(edges): scores are kept, not recomputed. A node counts for its neighbours until it
 * becomes known (new) or joins (outside), which happens once, so every edge lowers two scores at
 * most once. Nodes of N(S) lie in buckets by score; the highest bucket that is not empty is found
 * by going down from the highest score put in, and a score only falls while a node waits. */
#include "graph/sample.h"

struct bucket {
    uint32_t *node, n, capacity;
};
struct expansion {
    struct sampler *s;
    struct bucket *bucket; /* [highest degree + 1] */
    uint32_t *score;       /* [nodes] */
    uint32_t *where;       /* [nodes] place in its bucket, GRAPH_NO_NODE when in none */
    uint8_t *known;        /* [nodes] in S or N(S) */
    uint32_t top;          /* no bucket above it has a node */
    uint32_t buckets;
};

static int bucket_add(struct expansion *x, uint32_t v)
{
    struct bucket *b = &x->bucket[x->score[v]];
    if (b->n == b->capacity) {
        uint32_t room = b->capacity ? 2 * b->capacity : 4;
        uint32_t *node = base_realloc(b->node, room, sizeof *node);
        if (!node)
            return BASE_E_MEMORY;
        b->node = node;
        b->capacity = room;
    }
    x->where[v] = b->n;
    b->node[b->n++] = v;
    x->top = x->score[v] > x->top ? x->score[v] : x->top;
    return 0;
}

static void bucket_remove(struct expansion *x, uint32_t v)
{
    struct bucket *b = &x->bucket[x->score[v]];
    uint32_t last = b->node[--b->n];
    b->node[x->where[v]] = last;
    x->where[last] = x->where[v];
    x->where[v] = GRAPH_NO_NODE;
}

/* Node v no longer counts for its neighbours. */
static int lower_neighbors(struct expansion *x, uint32_t v)
{
    const struct graph *g = x->s->g;
    int rc = 0;
    for (uint64_t i = g->first[v]; i < g->first[v + 1] && rc == 0; i++) {
        uint32_t w = g->neighbor[i];
        if (x->where[w] == GRAPH_NO_NODE) {
            x->score[w]--;
            continue;
        }
        bucket_remove(x, w);
        x->score[w]--;
        rc = bucket_add(x, w);
    }
    return rc;
}

static int join(struct expansion *x, uint32_t v)
{
    struct sampler *s = x->s;
    const struct graph *g = s->g;
    bool new = s->o->expansion == GRAPH_EXPANSION_NEW;
    int rc = 0;
    if (x->where[v] != GRAPH_NO_NODE)
        bucket_remove(x, v);
    sampler_take(s, v);
    if (!new || !x->known[v]) {
        x->known[v] = 1;
        rc = lower_neighbors(x, v);
    }
    for (uint64_t i = g->first[v]; i < g->first[v + 1] && rc == 0; i++) {
        uint32_t w = g->neighbor[i];
        if (x->known[w])
            continue;
        x->known[w] = 1;
        if ((rc = bucket_add(x, w)) == 0 && new)
            rc = lower_neighbors(x, w);
    }
    return rc;
}

static int expand(struct expansion *x)
{
    struct sampler *s = x->s;
    int rc = join(x, sampler_begin(s));
    while (rc == 0 && !sampler_full(s)) {
        if ((rc = sampler_tick(s)))
            break;
        while (x->top && x->bucket[x->top].n == 0)
            x->top--;
        struct bucket *b = &x->bucket[x->top];
        uint32_t v;
        if (b->n) {
            v = b->node[base_rng_below(&s->rng, b->n)];
        } else {
            rc = sampler_exhausted(s, &v, "all nodes of the component of the start are in");
            if (rc || v == GRAPH_NO_NODE)
                break;
        }
        rc = join(x, v);
    }
    return rc;
}

int sample_community(struct sampler *s)
{
    const struct graph *g = s->g;
    struct expansion x = { .s = s };
    int rc = BASE_E_MEMORY;
    x.score = base_alloc(g->nodes, sizeof *x.score);
    x.where = base_alloc(g->nodes, sizeof *x.where);
    x.known = base_alloc_zero(g->nodes, 1);
    if (!x.score || !x.where || !x.known)
        goto out;
    for (uint32_t v = 0; v < g->nodes; v++) {
        x.score[v] = (uint32_t)graph_degree(g, v);
        x.where[v] = GRAPH_NO_NODE;
        x.buckets = x.score[v] >= x.buckets ? x.score[v] + 1 : x.buckets;
    }
    x.bucket = base_alloc_zero(x.buckets, sizeof *x.bucket);
    if (x.bucket)
        rc = expand(&x);
out:
    for (uint32_t i = 0; x.bucket && i < x.buckets; i++)
        base_free(x.bucket[i].node);
    base_free(x.bucket);
    base_free(x.score);
    base_free(x.where);
    base_free(x.known);
    return rc;
}
