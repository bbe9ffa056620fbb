/* Graphs in memory: made from arrays of edges, cut down to some of their nodes or edges.
 *
 * Compressed rows. Edges are sorted by (source, target) in two counting sorts, by target and then,
 * stably, by source: O(nodes + edges), no comparison. A pass over the sorted edges then fills both
 * ends' rows in ascending order: an undirected node's smaller neighbours come by as sources before
 * its larger ones come by as targets, so each row is two runs whose lengths are known.
 *
 * An induced subgraph needs no sorting: its new nodes v are visited in ascending order, and v is
 * appended to the row of each smaller kept neighbour (a transposition), so that every row is
 * ascending as it grows. */
#include "base/buffer.h"
#include "base/memory.h"
#include "graph/reader.h"
#include <stdio.h>
#include <string.h>

#define NOT_KEPT UINT32_MAX

void graph_free(struct graph *g)
{
    if (!g)
        return;
    base_free(g->source);
    base_free(g->target);
    base_free(g->first);
    base_free(g->neighbor);
    base_free(g->edge);
    base_free(g->in_first);
    base_free(g->in_neighbor);
    base_free(g->in_edge);
    base_free(g->weight);
    base_free(g->name);
    base_free(g->name_bytes);
    base_free(g);
}

/* count[i] -> sum of those before it; count [n + 1]. */
static void prefix(uint64_t *count, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i <= n; i++) {
        uint64_t c = count[i];
        count[i] = sum;
        sum += c;
    }
}

/* Rows from edges that are sorted, simple and in place. */
static int fill_undirected(struct graph *g)
{
    const uint32_t n = g->nodes;
    const uint64_t m = g->edges;
    uint64_t *low = base_alloc_zero((size_t)n + 1, sizeof *low);
    uint64_t *high = base_alloc(n, sizeof *high);
    g->first = base_alloc_zero((size_t)n + 1, sizeof *g->first);
    g->neighbor = base_alloc(m, 2 * sizeof *g->neighbor);
    g->edge = base_alloc(m, 2 * sizeof *g->edge);
    int rc = low && high && g->first && g->neighbor && g->edge ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    for (uint64_t i = 0; i < m; i++) {
        low[g->target[i]]++;
        g->first[g->source[i]]++;
    }
    for (uint32_t v = 0; v < n; v++)
        g->first[v] += low[v];
    prefix(g->first, n);
    for (uint32_t v = 0; v < n; v++) {
        high[v] = g->first[v] + low[v];
        low[v] = g->first[v];
    }
    for (uint64_t i = 0; i < m; i++) {
        uint32_t s = g->source[i], t = g->target[i];
        uint64_t a = high[s]++, b = low[t]++;
        g->neighbor[a] = t;
        g->edge[a] = (uint32_t)i;
        g->neighbor[b] = s;
        g->edge[b] = (uint32_t)i;
    }
out:
    base_free(low);
    base_free(high);
    return rc;
}

static int fill_directed(struct graph *g)
{
    const uint32_t n = g->nodes;
    const uint64_t m = g->edges;
    uint64_t *at = base_alloc_zero((size_t)n + 1, sizeof *at);
    g->first = base_alloc_zero((size_t)n + 1, sizeof *g->first);
    g->in_first = base_alloc((size_t)n + 1, sizeof *g->in_first);
    g->neighbor = base_alloc(m, sizeof *g->neighbor);
    g->edge = base_alloc(m, sizeof *g->edge);
    g->in_neighbor = base_alloc(m, sizeof *g->in_neighbor);
    g->in_edge = base_alloc(m, sizeof *g->in_edge);
    int rc = at && g->first && g->in_first && g->neighbor && g->edge && g->in_neighbor && g->in_edge
                 ? 0
                 : BASE_E_MEMORY;
    if (rc)
        goto out;
    for (uint64_t i = 0; i < m; i++) {
        at[g->target[i]]++;
        g->first[g->source[i]]++;
        g->neighbor[i] = g->target[i];
        g->edge[i] = (uint32_t)i;
    }
    prefix(g->first, n);
    prefix(at, n);
    memcpy(g->in_first, at, ((size_t)n + 1) * sizeof *at);
    for (uint64_t i = 0; i < m; i++) {
        uint64_t b = at[g->target[i]]++;
        g->in_neighbor[b] = g->source[i];
        g->in_edge[b] = (uint32_t)i;
    }
out:
    base_free(at);
    return rc;
}

/* Takes over sorted simple arrays. */
static int finish(struct graph **out, uint32_t nodes, uint32_t *source, uint32_t *target,
                  double *weight, uint64_t edges, bool directed)
{
    struct graph *g = base_alloc_zero(1, sizeof *g);
    if (!g) {
        base_free(source);
        base_free(target);
        base_free(weight);
        return BASE_E_MEMORY;
    }
    g->nodes = nodes;
    g->edges = edges;
    g->directed = directed;
    g->source = source;
    g->target = target;
    g->weight = weight;
    int rc = directed ? fill_directed(g) : fill_undirected(g);
    if (rc) {
        graph_free(g);
        return rc;
    }
    *out = g;
    return 0;
}

/* One stable counting sort of (source, target, order) by `key`, one of the two. order is where an
 * edge stood at first; NULL when nobody asks. */
struct edges {
    uint32_t *source, *target, *order;
};
static void sort_by(const uint32_t *key, uint64_t *count, uint32_t n, uint64_t m,
                    const struct edges *from, const struct edges *to)
{
    memset(count, 0, ((size_t)n + 1) * sizeof *count);
    for (uint64_t i = 0; i < m; i++)
        count[key[i]]++;
    prefix(count, n);
    for (uint64_t i = 0; i < m; i++) {
        uint64_t at = count[key[i]]++;
        to->source[at] = from->source[i];
        to->target[at] = from->target[i];
        if (from->order)
            to->order[at] = from->order[i];
    }
}

int graph_build(struct graph **out, uint32_t nodes, uint32_t *source, uint32_t *target,
                double *weight, uint64_t edges, bool directed)
{
    struct edges a = { source, target, NULL }, b = { 0 };
    uint64_t *count = NULL, loops = 0, repeated = 0, m = 0;
    double *kept = NULL;
    int rc = BASE_E_MEMORY;
    *out = NULL;
    if (edges > UINT32_MAX - 1) {
        rc = base_error_set(BASE_E_LIMIT, "a graph of %llu edges is larger than 2^32 - 2",
                            (unsigned long long)edges);
        goto out;
    }
    b.source = base_alloc(edges, sizeof *b.source);
    b.target = base_alloc(edges, sizeof *b.target);
    count = base_alloc((size_t)nodes + 1, sizeof *count);
    if (weight) {
        a.order = base_alloc(edges, sizeof *a.order);
        b.order = base_alloc(edges, sizeof *b.order);
        kept = base_alloc(edges, sizeof *kept);
    }
    if (!b.source || !b.target || !count || (weight && (!a.order || !b.order || !kept)))
        goto out;
    for (uint64_t i = 0; i < edges; i++) {
        uint32_t s = source[i], t = target[i];
        if (s == t) {
            loops++;
            continue;
        }
        bool turn = !directed && s > t;
        a.source[m] = turn ? t : s;
        a.target[m] = turn ? s : t;
        if (weight)
            a.order[m] = (uint32_t)i;
        m++;
    }
    sort_by(a.target, count, nodes, m, &a, &b);
    sort_by(b.source, count, nodes, m, &b, &a);
    uint64_t n = 0;
    for (uint64_t i = 0; i < m; i++) {
        if (n && a.source[i] == a.source[n - 1] && a.target[i] == a.target[n - 1]) {
            repeated++;
            continue;
        }
        a.source[n] = a.source[i];
        a.target[n] = a.target[i];
        if (weight)
            kept[n] = weight[a.order[i]];
        n++;
    }
    rc = finish(out, nodes, a.source, a.target, kept, n, directed);
    a.source = a.target = NULL;
    kept = NULL;
    if (!rc) {
        (*out)->loops = loops;
        (*out)->repeated = repeated;
    }
out:
    base_free(a.source);
    base_free(a.target);
    base_free(a.order);
    base_free(b.source);
    base_free(b.target);
    base_free(b.order);
    base_free(count);
    base_free(weight);
    base_free(kept);
    return rc;
}

static void *copy(const void *from, size_t n, size_t size)
{
    void *to = base_alloc(n, size);
    if (to && n)
        memcpy(to, from, n * size);
    return to;
}

/* ---- names ---- */
static bool is_number(const char *name, uint32_t v)
{
    char text[16];
    snprintf(text, sizeof text, "%u", v);
    return strcmp(text, name) == 0;
}

void graph_names_set(struct graph *g, char **name, char *bytes)
{
    uint32_t v = 0;
    while (v < g->nodes && is_number(name[v], v))
        v++;
    if (v == g->nodes) {
        base_free(name);
        base_free(bytes);
        return;
    }
    g->name = name;
    g->name_bytes = bytes;
}

const char *graph_name(const struct graph *g, uint32_t v, char buffer[24])
{
    if (g->name)
        return g->name[v];
    snprintf(buffer, 24, "%u", v);
    return buffer;
}

uint32_t graph_node_find(const struct graph *g, const char *name)
{
    char buffer[24];
    for (uint32_t v = 0; v < g->nodes; v++)
        if (strcmp(graph_name(g, v, buffer), name) == 0)
            return v;
    return UINT32_MAX;
}

/* Names in one block; of node i: names[i], or that of g's node keep[i]. */
static int copy_names(struct graph *to, const char *const *names, const struct graph *g,
                      const uint32_t *keep)
{
    const size_t n = to->nodes;
    char buffer[24];
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        bytes += 1 + (names ? strlen(names[i]) : g->name ? strlen(g->name[keep[i]]) : 10);
    char *block = base_alloc(bytes, 1), **name = base_alloc(n, sizeof *name);
    if (!block || !name) {
        base_free(block);
        base_free(name);
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        const char *text = names ? names[i] : graph_name(g, keep[i], buffer);
        size_t length = strlen(text) + 1;
        name[i] = memcpy(block + at, text, length);
        at += length;
    }
    graph_names_set(to, name, block);
    return 0;
}

int graph_make(struct graph **out, uint32_t nodes, const uint32_t *source, const uint32_t *target,
               const double *weight, uint64_t edges, bool directed, const char *const *names)
{
    *out = NULL;
    for (uint64_t i = 0; i < edges; i++)
        if (source[i] >= nodes || target[i] >= nodes)
            return base_error_set(BASE_E_ARGUMENT, "edge %llu is %u-%u, but there are %u nodes",
                                  (unsigned long long)i, source[i], target[i], nodes);
    uint32_t *s = copy(source, edges, sizeof *s), *t = copy(target, edges, sizeof *t);
    double *w = weight ? copy(weight, edges, sizeof *w) : NULL;
    if (!s || !t || (weight && !w)) {
        base_free(s);
        base_free(t);
        base_free(w);
        return BASE_E_MEMORY;
    }
    struct graph *g;
    int rc = graph_build(&g, nodes, s, t, w, edges, directed);
    if (rc == 0 && names && (rc = copy_names(g, names, NULL, NULL)))
        graph_free(g);
    if (rc == 0)
        *out = g;
    return rc;
}

uint64_t graph_edge_find(const struct graph *g, uint32_t u, uint32_t v)
{
    if (!g->directed && graph_degree(g, u) > graph_degree(g, v)) {
        uint32_t other = u;
        u = v;
        v = other;
    }
    uint64_t low = g->first[u], high = g->first[u + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (g->neighbor[middle] < v)
            low = middle + 1;
        else
            high = middle;
    }
    return low < g->first[u + 1] && g->neighbor[low] == v ? g->edge[low] : UINT64_MAX;
}

/* ---- parts of a graph ---- */
/* fresh[old] = new number or NOT_KEPT. */
static int number_kept(uint32_t **fresh, const struct graph *g, const uint32_t *keep, size_t n)
{
    uint32_t *map = base_alloc(g->nodes, sizeof *map);
    if (!map)
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < g->nodes; v++)
        map[v] = NOT_KEPT;
    for (size_t i = 0; i < n; i++) {
        int rc = keep[i] >= g->nodes
                     ? base_error_set(BASE_E_ARGUMENT, "node %u of a graph of %u nodes", keep[i],
                                      g->nodes)
                 : map[keep[i]] != NOT_KEPT
                     ? base_error_set(BASE_E_ARGUMENT, "node %u is to be kept twice", keep[i])
                     : 0;
        if (rc) {
            base_free(map);
            return rc;
        }
        map[keep[i]] = (uint32_t)i;
    }
    *fresh = map;
    return 0;
}

int graph_induced(struct graph **out, const struct graph *g, const uint32_t *keep, size_t n)
{
    /* rows that lead back to smaller sources: predecessors, or the same rows */
    const uint64_t *first = g->directed ? g->in_first : g->first;
    const uint32_t *neighbor = g->directed ? g->in_neighbor : g->neighbor;
    const uint32_t *edge = g->directed ? g->in_edge : g->edge;
    uint32_t *fresh = NULL, *source = NULL, *target = NULL;
    double *weight = NULL;
    uint64_t *at = NULL, m = 0;
    *out = NULL;
    int rc = number_kept(&fresh, g, keep, n);
    if (rc)
        return rc;
    if (!(at = base_alloc_zero(n + 1, sizeof *at))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (size_t v = 0; v < n; v++)
        for (uint64_t i = first[keep[v]]; i < first[keep[v] + 1]; i++) {
            uint32_t u = fresh[neighbor[i]];
            if (u != NOT_KEPT && (g->directed || u < v)) {
                at[u]++;
                m++;
            }
        }
    prefix(at, (uint32_t)n);
    source = base_alloc(m, sizeof *source);
    target = base_alloc(m, sizeof *target);
    weight = g->weight ? base_alloc(m, sizeof *weight) : NULL;
    if (!source || !target || (g->weight && !weight)) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (size_t v = 0; v < n; v++)
        for (uint64_t i = first[keep[v]]; i < first[keep[v] + 1]; i++) {
            uint32_t u = fresh[neighbor[i]];
            if (u == NOT_KEPT || (!g->directed && u > v))
                continue;
            uint64_t k = at[u]++;
            source[k] = u;
            target[k] = (uint32_t)v;
            if (weight)
                weight[k] = g->weight[edge[i]];
        }
    rc = finish(out, (uint32_t)n, source, target, weight, m, g->directed);
    source = target = NULL;
    weight = NULL;
    if (!rc && (rc = copy_names(*out, NULL, g, keep))) {
        graph_free(*out);
        *out = NULL;
    }
out:
    base_free(fresh);
    base_free(at);
    base_free(source);
    base_free(target);
    base_free(weight);
    return rc;
}

int graph_of_edges(struct graph **out, const struct graph *g, const uint32_t *keep, size_t n,
                   const uint64_t *edges, size_t n_edges)
{
    uint32_t *fresh = NULL, *source = NULL, *target = NULL;
    double *weight = NULL;
    *out = NULL;
    int rc = number_kept(&fresh, g, keep, n);
    if (rc)
        return rc;
    source = base_alloc(n_edges, sizeof *source);
    target = base_alloc(n_edges, sizeof *target);
    weight = g->weight ? base_alloc(n_edges, sizeof *weight) : NULL;
    if (!source || !target || (g->weight && !weight)) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (size_t i = 0; i < n_edges; i++) {
        uint64_t e = edges[i];
        if (e >= g->edges || fresh[g->source[e]] == NOT_KEPT || fresh[g->target[e]] == NOT_KEPT) {
            rc = base_error_set(BASE_E_ARGUMENT, "edge %llu does not lie between kept nodes",
                                (unsigned long long)e);
            goto out;
        }
        source[i] = fresh[g->source[e]];
        target[i] = fresh[g->target[e]];
        if (weight)
            weight[i] = g->weight[e];
    }
    rc = graph_build(out, (uint32_t)n, source, target, weight, n_edges, g->directed);
    source = target = NULL;
    weight = NULL;
    if (!rc) {
        (*out)->repeated = 0; /* asked twice is no property of the graph */
        if ((rc = copy_names(*out, NULL, g, keep))) {
            graph_free(*out);
            *out = NULL;
        }
    }
out:
    base_free(fresh);
    base_free(source);
    base_free(target);
    base_free(weight);
    return rc;
}
