/* Random walks over a graph as documents: DeepWalk (Perozzi, Al-Rfou & Skiena 2014) and node2vec
 * (Grover & Leskovec 2016).
 *
 * From v, having come from t, a walk goes on to neighbour x with probability in proportion to
 *     w(v, x) / p   for x = t,     w(v, x)   for x next to t,     w(v, x) / q   else;
 * p = q = 1 is the plain walk. Walk k from node i has the stream (seed, BASE_RNG_EMBED,
 * 5 << 60 | k * nodes + i). Walks stand in the order of rounds, then of nodes. */
#include "base/memory.h"
#include "base/rng.h"
#include "embed/words.h"
#include <assay/embed.h>
#include <assay/graph.h>
#include <string.h>

#define STREAM_WALK ((uint64_t)5 << 60)

static double weight_of(const struct graph *g, uint64_t i)
{
    return g->weight ? g->weight[g->edge[i]] : 1;
}

/* The neighbour (place in the adjacency) that a walk goes on to, UINT64_MAX when there is none. */
static uint64_t step(const struct graph *g, const struct embed_walk_options *o, uint32_t at,
                     uint32_t before, bool first, struct base_rng *r)
{
    const uint64_t from = g->first[at], n = g->first[at + 1] - from;
    if (n == 0)
        return UINT64_MAX;
    if (!g->weight && (first || (o->p == 1 && o->q == 1)))
        return from + base_rng_below(r, n);
    double sum = 0;
    for (int pass = 0;; pass++) {
        double left = pass ? base_rng_uniform(r) * sum : 0;
        for (uint64_t i = from; i < from + n; i++) {
            double w = weight_of(g, i);
            if (!first && g->neighbor[i] == before)
                w /= o->p;
            else if (!first && o->q != 1 &&
                     graph_edge_find(g, before, g->neighbor[i]) == UINT64_MAX)
                w /= o->q;
            if (pass == 0)
                sum += w;
            else if ((left -= w) < 0)
                return i;
        }
        if (pass)
            return from + n - 1; /* rounding */
        if (!(sum > 0))
            return UINT64_MAX;
    }
}

int embed_walks(struct embed_corpus **out, const struct graph *g,
                const struct embed_walk_options *o)
{
    struct embed_corpus *c = NULL;
    char buffer[24];
    uint64_t walks, tokens;
    *out = NULL;
    if (o->walks < 1 || o->length < 1 || !(o->p > 0) || !(o->q > 0))
        return base_error_set(BASE_E_ARGUMENT, "walks, length, p and q must be positive");
    if (g->nodes == 0)
        return base_error_set(BASE_E_ARGUMENT, "the graph has no node");
    if (__builtin_mul_overflow((uint64_t)o->walks, g->nodes, &walks) ||
        __builtin_mul_overflow(walks, o->length, &tokens) || tokens > SIZE_MAX / 8)
        return base_error_set(BASE_E_LIMIT, "%u walks of %u nodes from each of %u do not fit",
                              o->walks, o->length, g->nodes);
    int rc = embed_corpus_new(&c);
    if (rc)
        return rc;
    for (uint32_t v = 0; v < g->nodes && rc == 0; v++) {
        const char *name = graph_name(g, v, buffer);
        uint32_t number;
        bool is_new = true;
        if (name[strcspn(name, " \t\r\n")] || !*name)
            rc = base_error_set(BASE_E_ARGUMENT,
                                "node \"%s\": a name must have no white space in it", name);
        else
            rc = embed_words_add(c->words, name, strlen(name), &number, &is_new);
        if (rc == 0 && !is_new)
            rc = base_error_set(BASE_E_ARGUMENT, "two nodes have the name \"%s\"", name);
    }
    base_free(c->start);
    c->start = base_alloc(walks + 1, sizeof *c->start);
    c->token = base_alloc(tokens, sizeof *c->token);
    if (rc == 0 && (!c->start || !c->token))
        rc = BASE_E_MEMORY;
    if (rc) {
        embed_corpus_free(c);
        return rc;
    }
    c->capacity = tokens;
    c->document_capacity = walks;
    c->types = c->words->n;
    c->start[0] = 0;
    for (uint64_t k = 0; k < walks; k++) {
        struct base_rng r = base_rng_make(o->seed, BASE_RNG_EMBED, STREAM_WALK | k);
        uint32_t at = (uint32_t)(k % g->nodes), before = at;
        c->token[c->tokens++] = at;
        for (unsigned i = 1; i < o->length; i++) {
            const uint64_t next = step(g, o, at, before, i == 1, &r);
            if (next == UINT64_MAX)
                break;
            before = at;
            at = g->neighbor[next];
            c->token[c->tokens++] = at;
        }
        c->start[++c->documents] = c->tokens;
        if (k % 4096 == 0 && base_interrupted()) {
            embed_corpus_free(c);
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        }
    }
    *out = c;
    return 0;
}
