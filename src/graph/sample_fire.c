/* Samples that spread by chance: forest fire and spikyball.
 *
 * forest-fire. A burning node lights some of its neighbours that are not burnt, drawn uniformly;
 * their number is geometric:
 *   leskovec         P(k) = (1 - p) p^k, k = 0, 1, ...: mean p / (1 - p) (Leskovec and Faloutsos
 *                    2006; their p is .7). A fire that dies starts again at a uniform node that is
 *                    not burnt.
 *   littleballoffur  P(k) = p (1 - p)^(k-1), k = 1, 2, ...: mean 1 / p, so a smaller p burns more.
 *                    A fire that dies goes on with the last 10 of the 100 nodes that it last saw
 *                    and did not burn, and only when there are none at a uniform node.
 * Lighting again belongs to the method: it happens whether or not one asked to go on elsewhere.
 *
 * spikyball (Ricaud, Aspert and Miz 2020). From a layer of nodes all E edges to nodes outside are
 * listed, max(1, round(p E)) of them drawn without replacement in proportion to
 *   edge 1,  hub s^a,  core t^a,  fire 1/s,  firecore t^a/s,
 * times the edge's weight; s is the (weighted) number of listed edges at the inner end, t at the
 * outer. Their outer ends are the next layer. Where a layer has no edge outwards the 10 nodes last
 * seen and not drawn make the next one, as in littleballoffur. */
#include "graph/sample.h"

enum { BACKLOG = 100, RESTART = 10 };
/* The slots last seen and not used, newest first out. */
struct backlog {
    uint64_t slot[BACKLOG];
    unsigned top, n;
};
static void backlog_push(struct backlog *b, uint64_t slot)
{
    b->slot[b->top] = slot;
    b->top = (b->top + 1) % BACKLOG;
    b->n += b->n < BACKLOG;
}
static uint64_t backlog_pop(struct backlog *b)
{
    b->top = (b->top + BACKLOG - 1) % BACKLOG;
    b->n--;
    return b->slot[b->top];
}

static int take_slot(struct sampler *s, struct sampler_queue *q, uint64_t slot)
{
    sampler_take(s, s->g->neighbor[slot]);
    sampler_walk(s, s->g->edge[slot]);
    return sampler_push(q, s->g->neighbor[slot]);
}

/* Up to RESTART nodes of the backlog that are not in yet join the sample and the queue. */
static int take_backlog(struct sampler *s, struct sampler_queue *q, struct backlog *b)
{
    int rc = 0;
    for (int taken = 0; rc == 0 && taken < RESTART && b->n && !sampler_full(s);) {
        uint64_t slot = backlog_pop(b);
        if (sampler_has(s, s->g->neighbor[slot]))
            continue;
        rc = take_slot(s, q, slot);
        taken++;
    }
    return rc;
}

/* How many neighbours a burning node lights. */
static double burn_count(struct sampler *s, double p)
{
    double u = 1 - base_rng_uniform(&s->rng); /* (0, 1] */
    if (s->o->burn == GRAPH_BURN_LESKOVEC)
        return floor(log(u) / log(p));
    return p == 1 ? 1 : 1 + floor(log(u) / log1p(-p));
}

static int burn(struct sampler *s, uint32_t v, double p, uint64_t *slot, struct sampler_queue *q,
                struct backlog *b)
{
    const struct graph *g = s->g;
    uint64_t n = 0;
    int rc = 0;
    for (uint64_t i = g->first[v]; i < g->first[v + 1]; i++)
        if (!sampler_has(s, g->neighbor[i]))
            slot[n++] = i;
    double count = burn_count(s, p);
    uint64_t light = count < (double)n ? (uint64_t)count : n, i;
    for (i = 0; i < light && !sampler_full(s) && rc == 0; i++) {
        uint64_t j = i + base_rng_below(&s->rng, n - i), keep = slot[j];
        slot[j] = slot[i];
        slot[i] = keep;
        rc = take_slot(s, q, keep);
    }
    if (s->o->burn == GRAPH_BURN_LITTLEBALLOFFUR)
        for (uint64_t last = n - i < BACKLOG ? n : i + BACKLOG; i < last; i++) {
            uint64_t j = i + base_rng_below(&s->rng, n - i), keep = slot[j];
            slot[j] = slot[i];
            backlog_push(b, keep);
        }
    return rc;
}

int sample_forest_fire(struct sampler *s)
{
    struct sampler_queue q = { 0 };
    struct backlog backlog = { .n = 0 };
    double p = isnan(s->o->p) ? .4 : s->o->p;
    uint64_t most = 0;
    for (uint32_t v = 0; v < s->g->nodes; v++)
        most = graph_degree(s->g, v) > most ? graph_degree(s->g, v) : most;
    uint64_t *slot = base_alloc((size_t)most, sizeof *slot);
    uint32_t v = sampler_begin(s);
    sampler_take(s, v);
    int rc = slot ? sampler_push(&q, v) : BASE_E_MEMORY;
    while (rc == 0 && !sampler_full(s)) {
        if (q.head < q.tail) {
            if ((rc = sampler_tick(s)) == 0)
                rc = burn(s, q.at[q.head++], p, slot, &q, &backlog);
        } else if (backlog.n) {
            rc = take_backlog(s, &q, &backlog);
        } else if ((rc = sampler_elsewhere(s, &v)) == 0) {
            sampler_take(s, v); /* there is one: the sample is not full */
            rc = sampler_push(&q, v);
        }
    }
    base_free(slot);
    base_free(q.at);
    return rc;
}

/* ---- spikyball ---- */

struct spiky {
    struct sampler *s;
    struct sampler_queue layer;
    uint64_t *slot;  /* the listed edges */
    double *weight;  /* their weights, then their chances */
    double *inner;   /* s of their inner ends */
    uint32_t *drawn; /* places in slot */
    size_t n, capacity;
    double *outer; /* [nodes] t, 0 between layers */
    struct backlog backlog;
};

static int spiky_room(struct spiky *k, size_t more)
{
    if (k->n + more <= k->capacity)
        return 0;
    size_t room = 2 * (k->n + more);
    void *at;
#define GROW(array)                                                                                \
    if (!(at = base_realloc(k->array, room, sizeof *k->array)))                                    \
        return BASE_E_MEMORY;                                                                      \
    k->array = at
    GROW(slot);
    GROW(weight);
    GROW(inner);
    GROW(drawn);
#undef GROW
    k->capacity = room;
    return 0;
}

/* Lists the edges from the layer to nodes that are not in. */
static int spiky_list(struct spiky *k)
{
    struct sampler *s = k->s;
    const struct graph *g = s->g;
    k->n = 0;
    for (size_t l = k->layer.head; l < k->layer.tail; l++) {
        uint32_t v = k->layer.at[l];
        size_t from = k->n;
        double sum = 0;
        int rc = spiky_room(k, (size_t)graph_degree(g, v));
        if (rc || (rc = sampler_tick(s)))
            return rc;
        for (uint64_t i = g->first[v]; i < g->first[v + 1]; i++) {
            if (sampler_has(s, g->neighbor[i]))
                continue;
            double weight = g->weight ? g->weight[g->edge[i]] : 1;
            k->slot[k->n] = i;
            k->weight[k->n++] = weight;
            k->outer[g->neighbor[i]] += weight;
            sum += weight;
        }
        for (size_t i = from; i < k->n; i++)
            k->inner[i] = sum;
    }
    k->layer.head = k->layer.tail = 0;
    return 0;
}

static void spiky_chances(struct spiky *k)
{
    const struct graph_sample_options *o = k->s->o;
    const struct graph *g = k->s->g;
    for (size_t i = 0; i < k->n; i++) {
        double inner = k->inner[i], outer = k->outer[g->neighbor[k->slot[i]]], factor = 1;
        if (o->ball == GRAPH_BALL_HUB)
            factor = pow(inner, o->power);
        else if (o->ball == GRAPH_BALL_FIRE || o->ball == GRAPH_BALL_FIRECORE)
            factor = 1 / inner;
        if (o->ball == GRAPH_BALL_CORE || o->ball == GRAPH_BALL_FIRECORE)
            factor *= pow(outer, o->power);
        k->weight[i] *= k->weight[i] > 0 ? factor : 0;
    }
    for (size_t i = 0; i < k->n; i++)
        k->outer[g->neighbor[k->slot[i]]] = 0;
}

/* Draws from the listed edges; the outer ends are the next layer. */
static int spiky_draw(struct spiky *k, double p)
{
    struct sampler *s = k->s;
    double threshold, want = round(p * (double)k->n);
    size_t m;
    int rc = sampler_successive(&s->rng, k->weight, k->n, want < 1 ? 1 : (size_t)want, k->drawn, &m,
                                &threshold);
    for (size_t i = 0; i < m && rc == 0 && !sampler_full(s); i++)
        if (!sampler_has(s, s->g->neighbor[k->slot[k->drawn[i]]]))
            rc = take_slot(s, &k->layer, k->slot[k->drawn[i]]);
    /* a uniform few of the others may be gone back to */
    size_t rest = 0;
    for (size_t i = 0; i < k->n; i++)
        if (!sampler_has(s, s->g->neighbor[k->slot[i]]))
            k->slot[rest++] = k->slot[i];
    for (size_t i = 0; i < rest && i < BACKLOG; i++) {
        size_t j = i + (size_t)base_rng_below(&s->rng, rest - i);
        uint64_t keep = k->slot[j];
        k->slot[j] = k->slot[i];
        backlog_push(&k->backlog, keep);
    }
    return rc;
}

static int spiky_start(struct spiky *k)
{
    struct sampler *s = k->s;
    double initial = floor(s->o->initial * (double)s->wanted);
    uint64_t n = initial < 1 ? 1 : (uint64_t)initial;
    uint32_t *order = base_alloc(s->g->nodes, sizeof *order);
    int rc = order ? 0 : BASE_E_MEMORY;
    for (uint32_t v = 0; rc == 0 && v < s->g->nodes; v++)
        order[v] = v;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        uint64_t j = i + base_rng_below(&s->rng, s->g->nodes - i);
        uint32_t v = order[j];
        order[j] = order[i];
        sampler_take(s, v);
        rc = sampler_push(&k->layer, v);
    }
    base_free(order);
    return rc;
}

static int spiky_run(struct spiky *k, double p)
{
    struct sampler *s = k->s;
    int rc = spiky_start(k);
    while (rc == 0 && !sampler_full(s)) {
        if ((rc = spiky_list(k)))
            break;
        spiky_chances(k);
        double any = 0;
        for (size_t i = 0; i < k->n; i++)
            any += k->weight[i];
        if (any > 0) {
            rc = spiky_draw(k, p);
        } else if (k->backlog.n) {
            rc = take_backlog(s, &k->layer, &k->backlog);
        } else {
            uint32_t v;
            rc = sampler_exhausted(s, &v, "no edge leads from the last layers to a node not in");
            if (rc || v == GRAPH_NO_NODE)
                break;
            sampler_take(s, v);
            rc = sampler_push(&k->layer, v);
        }
    }
    return rc;
}

int sample_spikyball(struct sampler *s)
{
    const struct graph *g = s->g;
    struct spiky k = { .s = s };
    for (uint64_t e = 0; g->weight && e < g->edges; e++)
        if (!(g->weight[e] >= 0 && isfinite(g->weight[e])))
            return base_error_set(BASE_E_ARGUMENT,
                                  "spikyball draws by weight: edge %llu has weight %g",
                                  (unsigned long long)e + 1, g->weight[e]);
    k.outer = base_alloc_zero(g->nodes, sizeof *k.outer);
    int rc = k.outer ? spiky_run(&k, isnan(s->o->p) ? .2 : s->o->p) : BASE_E_MEMORY;
    base_free(k.layer.at);
    base_free(k.slot);
    base_free(k.weight);
    base_free(k.inner);
    base_free(k.drawn);
    base_free(k.outer);
    return rc;
}
