/* A sample of a graph against the graph: how far apart the distributions of degrees, clustering and
 * component sizes are, by Kolmogorov and Smirnov's D.
 *
 * Two questions are kept apart. Who was chosen: the sample's nodes have degrees in the graph; drawn
 * at random, their distribution is that of the graph up to chance, and D has a p-value. What was
 * cut: degrees, clustering and components within the sample are smaller because edges to nodes
 * outside are gone; no random draw of values is behind them, so they have a D and no p. */
#include "base/memory.h"
#include "graph/reader.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const graph_compare_names[GRAPH_COMPARE_MEASURES] = { "choice", "degree", "clustering",
                                                                  "components" };

double graph_ks(const double *a, size_t n, const double *b, size_t m)
{
    size_t i = 0, j = 0;
    double most = n && m ? 0 : NAN;
    while (i < n && j < m) {
        double x = a[i] < b[j] ? a[i] : b[j];
        while (i < n && a[i] == x)
            i++;
        while (j < m && b[j] == x)
            j++;
        double away = fabs((double)i / (double)n - (double)j / (double)m);
        most = away > most ? away : most;
    }
    return most;
}

double graph_ks_p(double d, double n, double population)
{
    if (isnan(d))
        return NAN;
    if (d <= 0 || n >= population)
        return 1;
    double x = d * sqrt(n / (1 - n / population)), sum = 0;
    if (x < .2)
        return 1; /* 1 - 4e-13 and more */
    for (int k = 1; k < 100; k++)
        sum += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * x * x);
    return sum < 0 ? 0 : sum > 1 ? 1 : sum;
}

void graph_comparison_free(struct graph_comparison *c)
{
    for (int k = 0; k < GRAPH_COMPARE_MEASURES; k++) {
        base_free(c->measure[k].sample);
        base_free(c->measure[k].graph);
    }
    memset(c, 0, sizeof *c);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int degrees(const struct graph *g, double **out, size_t *n)
{
    double *x = base_alloc(g->nodes, sizeof *x);
    if (!x)
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < g->nodes; v++)
        x[v] = (double)graph_degree(g, v);
    *out = x;
    *n = g->nodes;
    return 0;
}

static int clustering(const struct graph *g, double **out, size_t *n)
{
    uint64_t triangles;
    double *x = base_alloc(g->nodes, sizeof *x);
    int rc = x ? graph_clustering(g, x, &triangles) : BASE_E_MEMORY;
    if (rc) {
        base_free(x);
        return rc;
    }
    *n = 0;
    for (uint32_t v = 0; v < g->nodes; v++)
        if (!isnan(x[v]))
            x[(*n)++] = x[v];
    *out = x;
    return 0;
}

/* All but the largest, whose share of the nodes stands for itself: a sample's giant is smaller than
 * the graph's in any case. */
static int components(const struct graph *g, double **out, size_t *n, double *largest)
{
    uint64_t *size;
    uint32_t count;
    int rc = graph_components(g, NULL, &size, &count);
    if (rc)
        return rc;
    double *x = base_alloc(count, sizeof *x);
    for (uint32_t i = 1; x && i < count; i++)
        x[i - 1] = (double)size[i];
    *largest = (double)size[0] / g->nodes;
    base_free(size);
    *out = x;
    *n = count - 1;
    return x ? 0 : BASE_E_MEMORY;
}

/* place[v] = the graph's node of the sample's node v's name. */
static int match(const struct graph *sample, const struct graph *g, uint32_t **place)
{
    struct graph_names names = { 0 };
    char buffer[24];
    uint32_t *to = base_alloc(sample->nodes, sizeof *to), index;
    int rc = to ? 0 : BASE_E_MEMORY;
    for (uint32_t v = 0; v < g->nodes && !rc; v++) {
        const char *name = graph_name(g, v, buffer);
        rc = graph_names_add(&names, name, strlen(name), &index);
    }
    for (uint32_t v = 0; v < sample->nodes && !rc; v++) {
        const char *name = graph_name(sample, v, buffer);
        to[v] = graph_names_find(&names, name, strlen(name));
        if (to[v] == UINT32_MAX)
            rc = base_error_set(BASE_E_ARGUMENT,
                                "the sample's node \"%.60s\" is not in the graph: is it a sample "
                                "of that graph?",
                                name);
    }
    graph_names_free(&names);
    if (rc)
        base_free(to);
    else
        *place = to;
    return rc;
}

static int choice(const struct graph *sample, const struct graph *g, const uint32_t *place,
                  struct graph_comparison *out)
{
    struct graph_compared *m = &out->measure[GRAPH_COMPARE_CHOICE];
    uint8_t *in = base_alloc_zero(g->nodes, 1);
    int rc = in ? degrees(g, &m->graph, &m->n_graph) : BASE_E_MEMORY;
    if (!rc && !(m->sample = base_alloc(sample->nodes, sizeof *m->sample)))
        rc = BASE_E_MEMORY;
    if (rc) {
        base_free(in);
        return rc;
    }
    m->n_sample = sample->nodes;
    for (uint32_t v = 0; v < sample->nodes; v++) {
        m->sample[v] = (double)graph_degree(g, place[v]);
        in[place[v]] = 1;
    }
    out->edges = sample->edges;
    for (uint64_t i = 0; i < sample->edges; i++)
        out->edges_false +=
            graph_edge_find(g, place[sample->source[i]], place[sample->target[i]]) == UINT64_MAX;
    for (uint64_t i = 0; i < g->edges; i++)
        out->edges_between += in[g->source[i]] && in[g->target[i]];
    base_free(in);
    return 0;
}

static double mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / (double)n : NAN;
}

static int compare(struct graph_comparison *out, const struct graph *sample, const struct graph *g)
{
    uint32_t *place = NULL;
    struct graph_compared *m = out->measure;
    int rc = match(sample, g, &place);
    if (rc == 0)
        rc = choice(sample, g, place, out);
    base_free(place);
    for (int side = 0; side < 2 && !rc; side++) {
        const struct graph *of = side ? g : sample;
#define TO(k) side ? &m[k].graph : &m[k].sample, side ? &m[k].n_graph : &m[k].n_sample
        if ((rc = degrees(of, TO(GRAPH_COMPARE_DEGREE))) == 0 &&
            (rc = clustering(of, TO(GRAPH_COMPARE_CLUSTERING))) == 0)
            rc = components(of, TO(GRAPH_COMPARE_COMPONENTS),
                            side ? &out->largest_graph : &out->largest_sample);
#undef TO
    }
    for (int k = 0; k < GRAPH_COMPARE_MEASURES && !rc; k++) {
        qsort(m[k].sample, m[k].n_sample, sizeof(double), ascending);
        qsort(m[k].graph, m[k].n_graph, sizeof(double), ascending);
        m[k].mean_sample = mean(m[k].sample, m[k].n_sample);
        m[k].mean_graph = mean(m[k].graph, m[k].n_graph);
        m[k].d = graph_ks(m[k].sample, m[k].n_sample, m[k].graph, m[k].n_graph);
        m[k].p = k == GRAPH_COMPARE_CHOICE ? graph_ks_p(m[k].d, sample->nodes, g->nodes) : NAN;
    }
    return rc;
}

int graph_compare(struct graph_comparison *out, const struct graph *sample, const struct graph *g)
{
    struct graph *a = NULL, *b = NULL;
    char **names = sample->name, **others = g->name;
    memset(out, 0, sizeof *out);
    if (sample->nodes == 0 || g->nodes == 0)
        return base_error_set(BASE_E_ARGUMENT, "a graph without nodes cannot be compared");
    int rc = sample->directed ? graph_undirected(&a, sample) : 0;
    if (rc == 0 && g->directed)
        rc = graph_undirected(&b, g);
    if (a)
        a->name = names; /* lent */
    if (b)
        b->name = others;
    if (rc == 0)
        rc = compare(out, a ? a : sample, b ? b : g);
    if (a)
        a->name = NULL;
    if (b)
        b->name = NULL;
    graph_free(a);
    graph_free(b);
    if (rc)
        graph_comparison_free(out);
    return rc;
}
