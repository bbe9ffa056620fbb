/* Where to put the nodes of a drawing, and communities: both by igraph, which is loaded when first
 * needed. igraph draws its random numbers from one generator per process: calls are serialised
 * here, and the generator is seeded before each. Starting places come from base/rng.h. */
#include "base/library.h"
#include "base/memory.h"
#include "base/rng.h"
#include <assay/graph.h>
#include <igraph/igraph.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS(X)                                                                               \
    X(community_multilevel)                                                                        \
    X(create)                                                                                      \
    X(destroy)                                                                                     \
    X(error_handler_ignore)                                                                        \
    X(layout_fruchterman_reingold)                                                                 \
    X(layout_kamada_kawai)                                                                         \
    X(matrix_destroy)                                                                              \
    X(matrix_init)                                                                                 \
    X(rng_default)                                                                                 \
    X(rng_seed)                                                                                    \
    X(set_error_handler)                                                                           \
    X(set_interruption_handler)                                                                    \
    X(strerror)                                                                                    \
    X(vector_destroy)                                                                              \
    X(vector_init)                                                                                 \
    X(vector_int_destroy)                                                                          \
    X(vector_int_init)
static struct {
#define X(name) __typeof__(igraph_##name) *name;
    FUNCTIONS(X)
#undef X
} lib;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static int load(void)
{
    static const char *const names[] = {
#define X(name) "igraph_" #name,
        FUNCTIONS(X)
#undef X
    };
    return base_library_load("libigraph.so.3", "libigraph3", names, &lib,
                             sizeof names / sizeof *names);
}

/* igraph_error_t to ours. Its own handler would end the process. */
static int failed(igraph_error_t e)
{
    if (e == IGRAPH_SUCCESS)
        return 0;
    if (e == IGRAPH_INTERRUPTED)
        return base_error_set(BASE_E_INTERRUPTED, "interrupted");
    if (e == IGRAPH_ENOMEM)
        return base_error_set(BASE_E_MEMORY, "igraph is out of memory");
    return base_error_set(BASE_E_NUMERIC, "igraph: %s", lib.strerror(e));
}

static igraph_error_t ask_interrupted(void *unused)
{
    (void)unused;
    return base_interrupted() ? IGRAPH_INTERRUPTED : IGRAPH_SUCCESS;
}

/* Begin and end of a use of igraph. */
static int enter(uint64_t seed)
{
    int rc = load();
    if (rc)
        return rc;
    pthread_mutex_lock(&turn);
    lib.set_error_handler(lib.error_handler_ignore);
    lib.set_interruption_handler(ask_interrupted);
    lib.rng_seed(lib.rng_default(), (igraph_uint_t)seed);
    return 0;
}
static void leave(void)
{
    lib.set_interruption_handler(NULL);
    pthread_mutex_unlock(&turn);
}

/* The m edges s-t among n nodes; destroy it after success. */
static igraph_error_t to_igraph(igraph_t *to, const uint32_t *s, const uint32_t *t, uint64_t m,
                                uint32_t n)
{
    igraph_vector_int_t ends;
    igraph_error_t e = lib.vector_int_init(&ends, (igraph_integer_t)(2 * m));
    if (e)
        return e;
    for (uint64_t i = 0; i < m; i++) {
        VECTOR(ends)[2 * i] = (igraph_integer_t)s[i];
        VECTOR(ends)[2 * i + 1] = (igraph_integer_t)t[i];
    }
    e = lib.create(to, &ends, (igraph_integer_t)n, IGRAPH_UNDIRECTED);
    lib.vector_int_destroy(&ends);
    return e;
}

/* ---- communities ---- */
struct group {
    uint64_t size;
    uint32_t first, index;
};
static int larger_first(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Numbers groups by size; ties by their first node. */
static int order_groups(uint32_t *membership, uint32_t nodes, uint32_t *n)
{
    struct group *groups = base_alloc_zero(nodes, sizeof *groups);
    uint32_t *rank = base_alloc(nodes, sizeof *rank), count = 0;
    int rc = groups && rank ? 0 : BASE_E_MEMORY;
    for (uint32_t v = 0; !rc && v < nodes; v++) {
        struct group *a = &groups[membership[v]];
        if (a->size++ == 0)
            a->first = v;
        a->index = membership[v];
        count = membership[v] >= count ? membership[v] + 1 : count;
    }
    if (!rc) {
        qsort(groups, count, sizeof *groups, larger_first);
        for (uint32_t i = 0; i < count; i++)
            rank[groups[i].index] = i;
        for (uint32_t v = 0; v < nodes; v++)
            membership[v] = rank[membership[v]];
        *n = count;
    }
    base_free(groups);
    base_free(rank);
    return rc;
}

int graph_communities(const struct graph *g, uint64_t seed, uint32_t *membership, uint32_t *n,
                      double *modularity)
{
    igraph_t graph;
    igraph_vector_int_t member;
    igraph_vector_t weight, value;
    if (g->nodes == 0)
        return base_error_set(BASE_E_ARGUMENT, "the graph has no nodes");
    int rc = enter(seed);
    if (rc)
        return rc;
    igraph_error_t e = to_igraph(&graph, g->source, g->target, g->edges, g->nodes);
    if (e)
        goto left;
    if ((e = lib.vector_int_init(&member, 0)))
        goto no_member;
    if ((e = lib.vector_init(&value, 0)))
        goto no_value;
    if ((e = lib.vector_init(&weight, (igraph_integer_t)(g->weight ? g->edges : 0))))
        goto no_weight;
    for (uint64_t i = 0; g->weight && i < g->edges; i++)
        VECTOR(weight)[i] = g->weight[i];
    e = lib.community_multilevel(&graph, g->weight ? &weight : NULL, 1, &member, NULL, &value);
    for (uint32_t v = 0; !e && v < g->nodes; v++)
        membership[v] = (uint32_t)VECTOR(member)[v];
    if (!e) { /* the last level's; NaN for a graph without edges */
        igraph_integer_t levels = value.end - value.stor_begin;
        *modularity = levels ? VECTOR(value)[levels - 1] : NAN;
    }
    lib.vector_destroy(&weight);
no_weight:
    lib.vector_destroy(&value);
no_value:
    lib.vector_int_destroy(&member);
no_member:
    lib.destroy(&graph);
left:
    rc = failed(e);
    leave();
    return rc ? rc : order_groups(membership, g->nodes, n);
}

/* ---- places ---- */
/* A component as a graph of its own. */
struct part {
    uint32_t n;
    uint64_t m;
    uint32_t *node;       /* [n] in the whole graph */
    uint32_t *s, *t;      /* [m] */
    double width, height; /* of its box, after tidying */
};

static int place_part(const struct part *p, enum graph_layout method, struct base_rng *rng,
                      double *x, double *y)
{
    igraph_t graph;
    igraph_matrix_t at;
    if (p->n <= 2) {
        for (uint32_t i = 0; i < p->n; i++) {
            x[p->node[i]] = i;
            y[p->node[i]] = 0;
        }
        return 0;
    }
    igraph_error_t e = to_igraph(&graph, p->s, p->t, p->m, p->n);
    if (e)
        return failed(e);
    if ((e = lib.matrix_init(&at, (igraph_integer_t)p->n, 2)) == 0) {
        const double side = sqrt(p->n);
        for (uint32_t i = 0; i < p->n; i++)
            for (int k = 0; k < 2; k++)
                MATRIX(at, i, k) = side * (base_rng_uniform(rng) - .5);
        e = method == GRAPH_LAYOUT_SPRING
                ? lib.layout_kamada_kawai(&graph, &at, true, 50 * (igraph_integer_t)p->n, 0, p->n,
                                          NULL, NULL, NULL, NULL, NULL)
                : lib.layout_fruchterman_reingold(&graph, &at, true, 500, side,
                                                  IGRAPH_LAYOUT_AUTOGRID, NULL, NULL, NULL, NULL,
                                                  NULL);
        for (uint32_t i = 0; !e && i < p->n; i++) {
            x[p->node[i]] = MATRIX(at, i, 0);
            y[p->node[i]] = MATRIX(at, i, 1);
        }
        lib.matrix_destroy(&at);
    }
    lib.destroy(&graph);
    return failed(e);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Forces press the well-connected together in the middle and send the others far out. Distances r
 * from the middle become r^gamma, gamma <= 1 such that half of the nodes lie within half of the
 * radius. */
static int spread_part(const struct part *p, double *x, double *y)
{
    double mx = 0, my = 0, *r = base_alloc(p->n, sizeof *r);
    if (!r)
        return BASE_E_MEMORY;
    for (uint32_t i = 0; i < p->n; i++) {
        mx += x[p->node[i]] / p->n;
        my += y[p->node[i]] / p->n;
    }
    for (uint32_t i = 0; i < p->n; i++)
        r[i] = hypot(x[p->node[i]] - mx, y[p->node[i]] - my);
    qsort(r, p->n, sizeof *r, ascending);
    double most = r[p->n - 1], half = most > 0 ? r[p->n / 2] / most : 1;
    double gamma = half > 0 && half < .5 ? fmax(log(.5) / log(half), .6) : 1;
    for (uint32_t i = 0; i < p->n && gamma < 1; i++) {
        double a = x[p->node[i]] - mx, b = y[p->node[i]] - my, d = hypot(a, b) / most;
        double by = d > 0 ? pow(d, gamma - 1) : 1;
        x[p->node[i]] = mx + a * by;
        y[p->node[i]] = my + b * by;
    }
    base_free(r);
    return 0;
}

/* Turned so that its longest axis lies flat, scaled so that its nodes have an area of 1 each in its
 * box, the box's corner at the origin. */
static void tidy_part(struct part *p, double *x, double *y)
{
    double mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        mx += x[p->node[i]] / p->n;
        my += y[p->node[i]] / p->n;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        double a = x[p->node[i]] - mx, b = y[p->node[i]] - my;
        xx += a * a;
        xy += a * b;
        yy += b * b;
    }
    double turn = .5 * atan2(2 * xy, xx - yy), c = cos(turn), s = sin(turn);
    double left = INFINITY, right = -INFINITY, low = INFINITY, high = -INFINITY;
    for (uint32_t i = 0; i < p->n; i++) {
        double a = x[p->node[i]] - mx, b = y[p->node[i]] - my;
        double u = x[p->node[i]] = c * a + s * b, v = y[p->node[i]] = c * b - s * a;
        left = fmin(left, u);
        right = fmax(right, u);
        low = fmin(low, v);
        high = fmax(high, v);
    }
    /* paths have no height to speak of: length then counts */
    double area = fmax((right - left) * (high - low),
                       (p->n <= 4 ? .5 : .04) * (right - left) * (right - left));
    double scale = area > 0 ? sqrt(p->n / area) : 1;
    for (uint32_t i = 0; i < p->n; i++) {
        x[p->node[i]] = scale * (x[p->node[i]] - left);
        y[p->node[i]] = scale * (y[p->node[i]] - low);
    }
    p->width = scale * (right - left);
    p->height = scale * (high - low);
}

/* Boxes into rows below the largest, or (across) into columns beside it; to[i] is where the corner
 * of box i goes. Returns the size at which all of it fits into aspect x 1. */
static double pack(const struct part *parts, uint32_t n, double aspect, bool across,
                   double (*to)[2])
{
    double gap = .35 + .06 * sqrt(parts[0].n), right = 0, along = 0, level = 0, thick = 0;
    double limit = across ? parts[0].height : parts[0].width;
    for (uint32_t i = 0; i < n; i++) {
        double length = across ? parts[i].height : parts[i].width;
        double depth = across ? parts[i].width : parts[i].height;
        if (i == 1 || (along > 0 && along + length > limit * 1.0001)) {
            level += thick + gap;
            along = thick = 0;
        }
        to[i][across] = along;
        to[i][!across] = level;
        right = fmax(right, along + length);
        along += length + gap;
        thick = fmax(thick, depth);
    }
    double wide = across ? level + thick : right, tall = across ? right : level + thick;
    return fmin(aspect / fmax(wide, 1e-9), 1 / fmax(tall, 1e-9));
}

static int place_boxes(const struct part *parts, uint32_t n, double aspect, double *x, double *y)
{
    double(*to)[2] = base_alloc(n, sizeof *to);
    if (!to)
        return BASE_E_MEMORY;
    bool across = pack(parts, n, aspect, true, to) > pack(parts, n, aspect, false, to);
    pack(parts, n, aspect, across, to);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < parts[i].n; k++) {
            x[parts[i].node[k]] += to[i][0];
            y[parts[i].node[k]] += to[i][1];
        }
    base_free(to);
    return 0;
}

static void parts_free(struct part *parts, uint32_t n)
{
    for (uint32_t i = 0; parts && i < n; i++) {
        base_free(parts[i].node);
        base_free(parts[i].s);
        base_free(parts[i].t);
    }
    base_free(parts);
}

static int parts_make(const struct graph *g, struct part **out, uint32_t *n)
{
    uint32_t *component = base_alloc(g->nodes, sizeof *component);
    uint32_t *inside = base_alloc(g->nodes, sizeof *inside);
    uint64_t *size = NULL;
    struct part *parts = NULL;
    struct graph *plain = NULL; /* an arc and its opposite pull once */
    *n = 0;
    int rc = component && inside ? 0 : BASE_E_MEMORY;
    if (!rc && g->directed)
        rc = graph_undirected(&plain, g);
    const struct graph *of = plain ? plain : g;
    if (rc || (rc = graph_components(of, component, &size, n)))
        goto out;
    if (!(parts = base_alloc_zero(*n, sizeof *parts))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (uint64_t i = 0; i < of->edges; i++)
        parts[component[of->source[i]]].m++;
    for (uint32_t i = 0; i < *n; i++) {
        parts[i].node = base_alloc(size[i], sizeof *parts[i].node);
        parts[i].s = base_alloc(parts[i].m, sizeof *parts[i].s);
        parts[i].t = base_alloc(parts[i].m, sizeof *parts[i].t);
        parts[i].m = 0;
        if (!parts[i].node || !parts[i].s || !parts[i].t) {
            rc = BASE_E_MEMORY;
            goto out;
        }
    }
    for (uint32_t v = 0; v < g->nodes; v++) {
        struct part *p = &parts[component[v]];
        inside[v] = p->n;
        p->node[p->n++] = v;
    }
    for (uint64_t i = 0; i < of->edges; i++) {
        struct part *p = &parts[component[of->source[i]]];
        p->s[p->m] = inside[of->source[i]];
        p->t[p->m++] = inside[of->target[i]];
    }
    *out = parts;
    parts = NULL;
out:
    parts_free(parts, *n);
    base_free(component);
    base_free(inside);
    base_free(size);
    graph_free(plain);
    return rc;
}

int graph_layout_make(const struct graph *g, enum graph_layout method, uint64_t seed, double aspect,
                      double *x, double *y)
{
    struct part *parts = NULL;
    uint32_t n = 0;
    if (g->nodes == 0)
        return base_error_set(BASE_E_ARGUMENT, "the graph has no nodes");
    if (g->nodes > GRAPH_DRAW_MOST)
        return base_error_set(BASE_E_LIMIT,
                              "a drawing of %u nodes shows nothing (at most %d): draw a sample "
                              "(assay graph sample)",
                              g->nodes, GRAPH_DRAW_MOST);
    int rc = parts_make(g, &parts, &n);
    if (rc || (rc = enter(seed)))
        goto out;
    for (uint32_t i = 0; i < n && !rc; i++) {
        struct base_rng rng = base_rng_make(seed, BASE_RNG_GRAPH, i);
        rc = place_part(&parts[i], method, &rng, x, y);
    }
    leave();
    for (uint32_t i = 0; i < n && !rc; i++) {
        if (parts[i].n > 20 && (rc = spread_part(&parts[i], x, y)))
            break;
        tidy_part(&parts[i], x, y);
    }
    if (!rc)
        rc = place_boxes(parts, n, aspect, x, y);
out:
    parts_free(parts, n);
    return rc;
}
