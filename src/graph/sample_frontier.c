/* Frontier sampling (Ribeiro and Towsley 2010): m walkers start at different uniform nodes; in each
 * step one of them is chosen in proportion to the degree of where it stands and goes to a uniform
 * neighbour. This is a random walk on the m-fold Cartesian power of the graph, so the edges walked
 * are uniform in the long run, also while the walkers are spread over components.
 *
 * Exhausted: every component with a walker is taken. Going on elsewhere moves the walkers, one
 * after the other. */
#include "graph/sample.h"

struct frontier {
    struct sampler *s;
    uint32_t *at; /* [walkers] */
    uint32_t walkers;
    struct sampler_tree degrees; /* of where they stand */
    uint8_t *counted;            /* [components] one of them started there */
    uint64_t left;               /* nodes not taken in those components */
};

/* Walker i is at v, for which it came by no edge: v is taken. */
static void place(struct frontier *f, uint32_t i, uint32_t v)
{
    struct sampler *s = f->s;
    uint32_t c = s->component[v];
    bool more = sampler_take(s, v);
    if (!f->counted[c]) {
        f->counted[c] = 1;
        f->left += s->component_left[c];
    } else {
        f->left -= more;
    }
    f->at[i] = v;
    sampler_tree_set(&f->degrees, i, (double)graph_degree(s->g, v));
}

static int prepare(struct frontier *f)
{
    struct sampler *s = f->s;
    uint64_t m = s->o->walkers;
    m = m < s->g->nodes ? m : s->g->nodes;
    f->walkers = (uint32_t)(m < s->wanted ? m : s->wanted);
    int rc = sampler_components(s);
    if (rc)
        return rc;
    f->at = base_alloc(f->walkers, sizeof *f->at);
    f->counted = base_alloc_zero(s->components, 1);
    if (!f->at || !f->counted || sampler_tree_make(&f->degrees, f->walkers))
        return BASE_E_MEMORY;
    /* different starts, all sets equally likely */
    uint32_t *order = base_alloc(s->g->nodes, sizeof *order);
    if (!order)
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < s->g->nodes; v++)
        order[v] = v;
    for (uint32_t i = 0; i < f->walkers; i++) {
        uint64_t j = i + base_rng_below(&s->rng, s->g->nodes - i);
        uint32_t v = order[j];
        order[j] = order[i];
        place(f, i, v);
    }
    base_free(order);
    return 0;
}

static int run(struct frontier *f)
{
    struct sampler *s = f->s;
    const struct graph *g = s->g;
    uint64_t quiet = s->o->burn_in, recorded = 0;
    uint32_t next = 0; /* the walker that goes elsewhere next */
    int rc;
    while (s->o->steps ? recorded < s->o->steps : !sampler_full(s)) {
        uint32_t i = sampler_tree_draw(&f->degrees, &s->rng), other;
        if (i == f->walkers || (!s->o->steps && f->left == 0)) {
            char why[128];
            snprintf(why, sizeof why,
                     "all nodes of the components in which the %u walkers started are in",
                     f->walkers);
            if ((rc = sampler_exhausted(s, &other, why)) || other == GRAPH_NO_NODE)
                return rc;
            place(f, next, other);
            next = (next + 1) % f->walkers;
            continue;
        }
        if ((rc = sampler_tick(s)))
            return rc;
        uint32_t from = f->at[i];
        uint64_t slot = sampler_any_slot(s, from);
        uint32_t to = g->neighbor[slot];
        f->at[i] = to;
        sampler_tree_set(&f->degrees, i, (double)graph_degree(g, to));
        if (quiet) {
            quiet--;
            continue;
        }
        recorded++;
        f->left -= sampler_take(s, to);
        if (sampler_has(s, from))
            sampler_walk(s, g->edge[slot]);
    }
    return 0;
}

int sample_frontier(struct sampler *s)
{
    struct frontier f = { .s = s };
    const struct graph *g = s->g;
    double *mass = NULL;
    int rc = prepare(&f);
    if (rc == 0)
        rc = run(&f);
    if (rc >= 0 && s->o->weights) {
        int failed = BASE_E_MEMORY;
        if ((mass = base_alloc(g->nodes, sizeof *mass))) {
            for (uint32_t v = 0; v < g->nodes; v++)
                mass[v] = (double)graph_degree(g, v);
            failed = sampler_weigh(s, mass, false);
        }
        rc = failed ? failed : rc;
    }
    base_free(mass);
    base_free(f.at);
    base_free(f.counted);
    sampler_tree_free(&f.degrees);
    return rc;
}
