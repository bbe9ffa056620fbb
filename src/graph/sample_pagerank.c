/* PageRank by power iteration, until the room has its own. */
#include "graph/sample.h"
int sampler_pagerank(const struct graph *g, double damping, double *p)
{
    double *next = base_alloc(g->nodes, sizeof *next);
    if (!next)
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < g->nodes; v++)
        p[v] = 1.0 / g->nodes;
    for (double error = 1; error > 1e-13;) {
        double dangling = 0;
        error = 0;
        for (uint32_t v = 0; v < g->nodes; v++)
            next[v] = 0;
        for (uint32_t v = 0; v < g->nodes; v++) {
            double d = (double)graph_degree(g, v);
            if (d == 0)
                dangling += p[v];
            for (uint64_t i = g->first[v]; i < g->first[v + 1]; i++)
                next[g->neighbor[i]] += p[v] / d;
        }
        for (uint32_t v = 0; v < g->nodes; v++) {
            double x = (1 - damping + damping * dangling) / g->nodes + damping * next[v];
            error += fabs(x - p[v]);
            p[v] = x;
        }
    }
    base_free(next);
    return 0;
}
