/* A graph in figures.
 *
 * Diameter: bounds of every node's eccentricity are narrowed by searches from well-chosen nodes
 * (Takes & Kosters 2011): with e the eccentricity of v and d the distance of w from it,
 * max(d, e - d) <= ecc(w) <= e + d. Small-world graphs need a few dozen searches; after
 * options->searches the bounds so far are given.
 *
 * Distances: from random nodes of the largest component (drawn without replacement) to all others:
 * the mean over the sources has the standard error of a simple random sample, with its finite
 * population correction. */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/graph.h>
#include <math.h>
#include <string.h>

void graph_description_free(struct graph_description *d)
{
    base_free(d->component_size);
    base_free(d->degree_count);
    memset(d, 0, sizeof *d);
}

/* From counts of the values 0 .. most. */
static struct graph_spread spread_of(const uint64_t *count, uint64_t most, uint64_t n)
{
    static const double share[GRAPH_QUANTILES] = { .25, .5, .75, .9, .99 };
    struct graph_spread s = { NAN, NAN, NAN, NAN, { NAN, NAN, NAN, NAN, NAN } };
    double sum = 0, square = 0, total = (double)n;
    uint64_t seen = 0;
    int q = 0;
    if (n == 0)
        return s;
    for (uint64_t v = 0; v <= most; v++)
        sum += (double)count[v] * (double)v;
    s.mean = sum / total;
    for (uint64_t v = 0; v <= most; v++) {
        double c = (double)count[v], away = (double)v - s.mean;
        square += c * away * away;
        if (count[v] && seen == 0)
            s.min = (double)v;
        if (count[v])
            s.max = (double)v;
        seen += count[v];
        while (q < GRAPH_QUANTILES && (double)seen >= share[q] * total - 1e-9)
            s.q[q++] = (double)v;
    }
    s.sd = n > 1 ? sqrt(square / (total - 1)) : NAN;
    return s;
}

static int spread_degrees(const uint64_t *first, uint32_t n, struct graph_spread *out,
                          uint64_t **keep)
{
    uint64_t most = 0;
    for (uint32_t v = 0; v < n; v++)
        most = first[v + 1] - first[v] > most ? first[v + 1] - first[v] : most;
    uint64_t *count = base_alloc_zero(most + 1, sizeof *count);
    if (!count)
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < n; v++)
        count[first[v + 1] - first[v]]++;
    *out = spread_of(count, most, n);
    if (keep)
        *keep = count;
    else
        base_free(count);
    return 0;
}

/* Pearson's correlation of (d_u, d_v) over both directions of every edge. */
static double assortativity(const struct graph *g)
{
    double sum = 0, square = 0, product = 0, m = 2 * (double)g->edges;
    for (uint32_t v = 0; v < g->nodes; v++) {
        double d = (double)graph_degree(g, v);
        sum += d * d;
    }
    double mean = sum / m;
    for (uint32_t v = 0; v < g->nodes; v++) {
        double d = (double)graph_degree(g, v);
        square += d * (d - mean) * (d - mean);
    }
    for (uint64_t i = 0; i < g->edges; i++)
        product += 2 * ((double)graph_degree(g, g->source[i]) - mean) *
                   ((double)graph_degree(g, g->target[i]) - mean);
    return square > 1e-12 * m * (1 + mean * mean) ? product / square : NAN;
}

static double reciprocity(const struct graph *g)
{
    uint64_t both = 0;
    for (uint64_t i = 0; i < g->edges; i++)
        both += graph_edge_find(g, g->target[i], g->source[i]) != UINT64_MAX;
    return g->edges ? (double)both / (double)g->edges : NAN;
}

struct search {
    uint32_t *member; /* nodes of the largest component */
    uint32_t n;
    uint32_t *distance, *queue, *low, *high;
};

static int diameter(const struct graph *g, struct search *s, uint32_t most,
                    struct graph_description *out)
{
    uint32_t below = 0, above = UINT32_MAX, left = s->n, done = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        s->low[s->member[i]] = 0;
        s->high[s->member[i]] = UINT32_MAX;
    }
    /* candidates stand in member[0 .. left) */
    while (left > 0 && below < above && done < most) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < left; i++) {
            uint32_t v = s->member[i], b = s->member[best];
            bool better = done % 2 == 0 ? s->high[v] > s->high[b] : s->low[v] < s->low[b];
            bool same = done % 2 == 0 ? s->high[v] == s->high[b] : s->low[v] == s->low[b];
            if (better || (same && graph_degree(g, v) > graph_degree(g, b)))
                best = i;
        }
        uint32_t v = s->member[best];
        uint32_t reached = graph_distances(g, v, s->distance, s->queue);
        uint32_t e = s->distance[s->queue[reached - 1]], kept = 0, highest = 0;
        done++;
        below = e > below ? e : below;
        above = 2 * e < above ? 2 * e : above;
        s->low[v] = s->high[v] = e;
        for (uint32_t i = 0; i < left; i++) {
            uint32_t w = s->member[i], d = s->distance[w], far = d > e - d ? d : e - d;
            s->low[w] = s->low[w] > far ? s->low[w] : far;
            s->high[w] = s->high[w] < e + d ? s->high[w] : e + d;
            below = below > s->low[w] ? below : s->low[w];
        }
        for (uint32_t i = 0; i < left; i++) {
            uint32_t w = s->member[i];
            /* it cannot lie above what is known, nor (its own) be undecided */
            if (s->high[w] <= below || s->low[w] == s->high[w])
                continue;
            highest = s->high[w] > highest ? s->high[w] : highest;
            s->member[kept++] = w;
        }
        left = kept;
        highest = highest > below ? highest : below;
        above = highest < above ? highest : above;
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    out->diameter_low = below;
    out->diameter_high = left == 0 ? below : above;
    out->searches = done;
    return 0;
}

static int distances(const struct graph *g, struct search *s,
                     const struct graph_describe_options *o, struct graph_description *out)
{
    const uint32_t k = o->sources < s->n ? o->sources : s->n;
    struct base_rng rng = base_rng_make(o->seed, BASE_RNG_GRAPH, 0);
    uint64_t *count = base_alloc_zero((size_t)s->n + 1, sizeof *count);
    double mean = 0, square = 0;
    uint64_t pairs = 0, seen = 0;
    if (!count)
        return BASE_E_MEMORY;
    for (uint32_t i = 0; i < k; i++) {
        uint32_t j = i + (uint32_t)base_rng_below(&rng, s->n - i), v = s->member[j];
        s->member[j] = s->member[i];
        s->member[i] = v;
        graph_distances(g, v, s->distance, s->queue);
        double sum = 0;
        for (uint32_t w = 1; w < s->n; w++) { /* queue[0] is v */
            sum += s->distance[s->queue[w]];
            count[s->distance[s->queue[w]]]++;
        }
        sum /= s->n - 1;
        double away = sum - mean;
        mean += away / (i + 1);
        square += away * (sum - mean);
        pairs += s->n - 1;
        if (base_interrupted()) {
            base_free(count);
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        }
    }
    out->sources = k;
    out->distance = k ? mean : NAN;
    out->distance_se = k == s->n ? 0
                       : k > 1   ? sqrt(square / (k - 1) / k * (1 - (double)k / s->n))
                                 : NAN;
    /* linear between the shares at whole distances (Leskovec et al. 2005) */
    for (uint32_t d = 1; d < s->n && k; d++) {
        double before = (double)seen / (double)pairs;
        seen += count[d];
        double now = (double)seen / (double)pairs;
        if (now >= .9) {
            out->distance_90 = now > before ? d - 1 + (.9 - before) / (now - before) : d;
            break;
        }
    }
    base_free(count);
    return 0;
}

static int paths(const struct graph *g, const uint32_t *component,
                 const struct graph_describe_options *o, struct graph_description *out)
{
    struct search s = { .n = (uint32_t)out->component_size[0] };
    out->distance = out->distance_se = out->distance_90 = NAN;
    s.member = base_alloc(s.n, sizeof *s.member);
    s.distance = base_alloc(g->nodes, sizeof *s.distance);
    s.queue = base_alloc(g->nodes, sizeof *s.queue);
    s.low = base_alloc(g->nodes, sizeof *s.low);
    s.high = base_alloc(g->nodes, sizeof *s.high);
    int rc = s.member && s.distance && s.queue && s.low && s.high ? 0 : BASE_E_MEMORY;
    for (int part = 0; part < 2 && !rc && s.n > 1; part++) {
        uint32_t n = 0;
        for (uint32_t v = 0; v < g->nodes; v++)
            if (component[v] == 0)
                s.member[n++] = v;
        rc = part ? distances(g, &s, o, out) : diameter(g, &s, o->searches, out);
    }
    base_free(s.member);
    base_free(s.distance);
    base_free(s.queue);
    base_free(s.low);
    base_free(s.high);
    return rc;
}

static int describe(struct graph_description *out, const struct graph *g,
                    const struct graph_describe_options *o)
{
    const uint32_t n = g->nodes;
    uint32_t *component = base_alloc(n, sizeof *component), *core = base_alloc(n, sizeof *core);
    double *local = base_alloc(n, sizeof *local), sum = 0, ways = 0, two = 0;
    int rc = component && core && local ? 0 : BASE_E_MEMORY;
    if (rc || (rc = spread_degrees(g->first, n, &out->degree, &out->degree_count)) ||
        (rc = graph_components(g, component, &out->component_size, &out->components)) ||
        (rc = graph_clustering(g, local, &out->triangles)) || (rc = graph_cores(g, core)))
        goto out;
    out->pairs = g->edges;
    out->isolated = out->degree_count[0];
    for (uint32_t v = 0; v < n; v++) {
        double d = (double)graph_degree(g, v);
        ways += d * (d - 1) / 2;
        if (d >= 2) {
            sum += local[v];
            two++;
        }
        if (core[v] > out->core) {
            out->core = core[v];
            out->core_nodes = 0;
        }
        out->core_nodes += core[v] == out->core;
    }
    out->clustering = sum / n;
    out->clustering_two = two > 0 ? sum / two : NAN;
    out->transitivity = ways > 0 ? 3 * (double)out->triangles / ways : NAN;
    out->assortativity = g->edges ? assortativity(g) : NAN;
    rc = paths(g, component, o, out);
out:
    base_free(component);
    base_free(core);
    base_free(local);
    return rc;
}

int graph_describe(struct graph_description *out, const struct graph *g,
                   const struct graph_describe_options *options)
{
    static const struct graph_describe_options usual = GRAPH_DESCRIBE_OPTIONS_DEFAULT;
    const struct graph_describe_options *o = options ? options : &usual;
    struct graph *plain = NULL;
    memset(out, 0, sizeof *out);
    if (g->nodes == 0)
        return base_error_set(BASE_E_ARGUMENT, "the graph has no nodes");
    int rc = g->directed ? graph_undirected(&plain, g) : 0;
    if (rc == 0)
        rc = describe(out, plain ? plain : g, o);
    const double n = g->nodes;
    out->nodes = g->nodes;
    out->edges = g->edges;
    out->density = n > 1 ? (double)g->edges / (n * (n - 1) / (g->directed ? 1 : 2)) : NAN;
    out->reciprocity = NAN;
    if (rc == 0 && g->directed) {
        out->reciprocity = reciprocity(g);
        if ((rc = spread_degrees(g->first, g->nodes, &out->out, NULL)) == 0 &&
            (rc = spread_degrees(g->in_first, g->nodes, &out->in, NULL)) == 0)
            rc = graph_strong(g, &out->strong, &out->strong_largest);
    }
    graph_free(plain);
    if (rc)
        graph_description_free(out);
    return rc;
}
