/* Measures of nodes: components, triangles, cores, distances. All linear in nodes and edges but the
 * triangles, which cost O(edges^1.5) at most. */
#include "base/memory.h"
#include <assay/graph.h>
#include <math.h>
#include <string.h>

int graph_undirected(struct graph **out, const struct graph *g)
{
    return graph_make(out, g->nodes, g->source, g->target, NULL, g->edges, false, NULL);
}

uint32_t graph_distances(const struct graph *g, uint32_t from, uint32_t *distance, uint32_t *queue)
{
    uint32_t head = 0, tail = 0;
    memset(distance, 0xff, g->nodes * sizeof *distance);
    distance[from] = 0;
    queue[tail++] = from;
    while (head < tail) {
        uint32_t v = queue[head++], d = distance[v] + 1;
        for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++) {
            uint32_t u = g->neighbor[k];
            if (distance[u] == UINT32_MAX) {
                distance[u] = d;
                queue[tail++] = u;
            }
        }
    }
    return tail;
}

/* Order of components: larger first, then by smallest node, which is the order they were found in:
 * a counting sort by size that is stable. */
static int order_by_size(const uint64_t *size, uint32_t n, uint32_t nodes, uint32_t *rank)
{
    uint64_t *count = base_alloc_zero((size_t)nodes + 2, sizeof *count);
    if (!count)
        return BASE_E_MEMORY;
    for (uint32_t i = 0; i < n; i++)
        count[nodes - size[i] + 1]++;
    for (uint32_t i = 0; i <= nodes; i++)
        count[i + 1] += count[i];
    for (uint32_t i = 0; i < n; i++)
        rank[i] = (uint32_t)count[nodes - size[i]]++;
    base_free(count);
    return 0;
}

int graph_components(const struct graph *g, uint32_t *component, uint64_t **size, uint32_t *n)
{
    const uint32_t nodes = g->nodes;
    uint32_t *of = base_alloc(nodes, sizeof *of), *queue = base_alloc(nodes, sizeof *queue);
    uint32_t *rank = base_alloc(nodes, sizeof *rank), found = 0;
    uint64_t *sizes = base_alloc(nodes, sizeof *sizes), *sorted = NULL;
    int rc = of && queue && rank && sizes ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    memset(of, 0xff, nodes * sizeof *of);
    for (uint32_t s = 0; s < nodes; s++) {
        uint32_t head = 0, tail = 0;
        if (of[s] != UINT32_MAX)
            continue;
        of[s] = found;
        queue[tail++] = s;
        while (head < tail) {
            uint32_t v = queue[head++];
            for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++)
                if (of[g->neighbor[k]] == UINT32_MAX) {
                    of[g->neighbor[k]] = found;
                    queue[tail++] = g->neighbor[k];
                }
        }
        sizes[found++] = tail;
    }
    if ((rc = order_by_size(sizes, found, nodes, rank)))
        goto out;
    if (!(sorted = base_alloc(found, sizeof *sorted))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (uint32_t i = 0; i < found; i++)
        sorted[rank[i]] = sizes[i];
    for (uint32_t v = 0; component && v < nodes; v++)
        component[v] = rank[of[v]];
    *size = sorted;
    *n = found;
out:
    base_free(of);
    base_free(queue);
    base_free(rank);
    base_free(sizes);
    return rc;
}

/* Each edge is turned towards its end of larger degree (ties: larger index), so that no node has
 * more than sqrt(2 edges) ways out; a triangle is then found once, at its smallest node: u -> v,
 * u -> w, v -> w. */
int graph_triangles(const struct graph *g, uint64_t *at_node, uint64_t *total)
{
    const uint32_t n = g->nodes;
    uint64_t *first = base_alloc_zero((size_t)n + 1, sizeof *first), sum = 0;
    uint32_t *way = base_alloc(g->edges, sizeof *way), *mark = base_alloc(n, sizeof *mark);
    if (!first || !way || !mark) {
        base_free(first);
        base_free(way);
        base_free(mark);
        return BASE_E_MEMORY;
    }
    uint64_t m = 0;
    for (uint32_t v = 0; v < n; v++) {
        uint64_t d = graph_degree(g, v);
        first[v] = m;
        mark[v] = UINT32_MAX;
        at_node[v] = 0;
        for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++) {
            uint32_t u = g->neighbor[k];
            uint64_t e = graph_degree(g, u);
            if (d < e || (d == e && v < u))
                way[m++] = u;
        }
    }
    first[n] = m;
    for (uint32_t u = 0; u < n; u++) {
        for (uint64_t k = first[u]; k < first[u + 1]; k++)
            mark[way[k]] = u;
        for (uint64_t k = first[u]; k < first[u + 1]; k++) {
            uint32_t v = way[k];
            for (uint64_t j = first[v]; j < first[v + 1]; j++)
                if (mark[way[j]] == u) {
                    at_node[u]++;
                    at_node[v]++;
                    at_node[way[j]]++;
                    sum++;
                }
        }
    }
    base_free(first);
    base_free(way);
    base_free(mark);
    *total = sum;
    return 0;
}

int graph_clustering(const struct graph *g, double *local, uint64_t *triangles)
{
    uint64_t *at = base_alloc(g->nodes, sizeof *at);
    int rc = at ? graph_triangles(g, at, triangles) : BASE_E_MEMORY;
    for (uint32_t v = 0; !rc && v < g->nodes; v++) {
        double d = (double)graph_degree(g, v);
        local[v] = d < 2 ? NAN : (double)at[v] / (d * (d - 1) / 2);
    }
    base_free(at);
    return rc;
}

/* Nodes stand in `order` sorted by what is left of their degree; the smallest is taken off and its
 * neighbours move one bin down, each by a swap with the first of its bin. */
int graph_cores(const struct graph *g, uint32_t *core)
{
    const uint32_t n = g->nodes;
    uint32_t most = 0;
    for (uint32_t v = 0; v < n; v++) {
        core[v] = (uint32_t)graph_degree(g, v);
        most = core[v] > most ? core[v] : most;
    }
    uint32_t *bin = base_alloc_zero((size_t)most + 2, sizeof *bin);
    uint32_t *order = base_alloc(n, sizeof *order), *place = base_alloc(n, sizeof *place);
    if (!bin || !order || !place) {
        base_free(bin);
        base_free(order);
        base_free(place);
        return BASE_E_MEMORY;
    }
    for (uint32_t v = 0; v < n; v++)
        bin[core[v] + 1]++;
    for (uint32_t d = 0; d <= most; d++)
        bin[d + 1] += bin[d];
    for (uint32_t v = 0; v < n; v++) {
        place[v] = bin[core[v]]++;
        order[place[v]] = v;
    }
    for (uint32_t d = most + 1; d > 0; d--) /* bins begin where the one before ended */
        bin[d] = bin[d - 1];
    bin[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = order[i];
        for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++) {
            uint32_t u = g->neighbor[k];
            if (core[u] <= core[v])
                continue;
            uint32_t at = bin[core[u]], w = order[at];
            order[place[u]] = w;
            place[w] = place[u];
            order[at] = u;
            place[u] = at;
            bin[core[u]]++;
            core[u]--;
        }
    }
    base_free(bin);
    base_free(order);
    base_free(place);
    return 0;
}

/* Tarjan's algorithm (1972) with its own stack. */
int graph_strong(const struct graph *g, uint32_t *n, uint64_t *largest)
{
    const uint32_t nodes = g->nodes;
    uint32_t *index = base_alloc(nodes, sizeof *index), *low = base_alloc(nodes, sizeof *low);
    uint32_t *stack = base_alloc(nodes, sizeof *stack), *call = base_alloc(nodes, sizeof *call);
    uint64_t *next = base_alloc(nodes, sizeof *next);
    uint8_t *on = base_alloc_zero(nodes, 1);
    uint32_t count = 0, found = 0, height = 0;
    uint64_t most = 0;
    int rc = index && low && stack && call && next && on ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    memset(index, 0xff, nodes * sizeof *index);
    for (uint32_t s = 0; s < nodes; s++) {
        uint32_t depth = 0;
        if (index[s] != UINT32_MAX)
            continue;
        call[depth++] = s;
        while (depth) {
            uint32_t v = call[depth - 1];
            if (index[v] == UINT32_MAX) {
                index[v] = low[v] = count++;
                next[v] = g->first[v];
                stack[height++] = v;
                on[v] = 1;
            }
            uint32_t child = UINT32_MAX;
            while (next[v] < g->first[v + 1] && child == UINT32_MAX) {
                uint32_t u = g->neighbor[next[v]];
                if (index[u] == UINT32_MAX) {
                    child = u;
                    break; /* comes by again once u is done */
                }
                if (on[u] && low[u] < low[v])
                    low[v] = low[u];
                next[v]++;
            }
            if (child != UINT32_MAX) {
                call[depth++] = child;
                continue;
            }
            depth--;
            if (low[v] != index[v])
                continue;
            uint64_t size = 0;
            uint32_t w;
            do {
                w = stack[--height];
                on[w] = 0;
                size++;
            } while (w != v);
            found++;
            most = size > most ? size : most;
        }
    }
    *n = found;
    *largest = most;
out:
    base_free(index);
    base_free(low);
    base_free(stack);
    base_free(call);
    base_free(next);
    base_free(on);
    return rc;
}
