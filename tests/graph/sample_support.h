/* Small graphs and draws for the tests of the samplers. Include after cmocka.h. */
#ifndef TESTS_SAMPLE_SUPPORT_H
#define TESTS_SAMPLE_SUPPORT_H
#include "base/rng.h"
#include <assay/graph_sample.h>
#include <gsl/gsl_cdf.h>

static inline struct graph *make_graph(uint32_t nodes, const uint32_t (*edges)[2], size_t n,
                                       bool directed)
{
    uint32_t *u = calloc(n + 1, sizeof *u), *v = calloc(n + 1, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        u[i] = edges[i][0];
        v[i] = edges[i][1];
    }
    struct graph *g = NULL;
    assert_int_equal(graph_make(&g, nodes, u, v, NULL, n, directed, NULL), 0);
    free(u);
    free(v);
    return g;
}
#define GRAPH(nodes, ...)                                                                          \
    make_graph(nodes, (const uint32_t[][2]){ __VA_ARGS__ },                                        \
               sizeof((const uint32_t[][2]){ __VA_ARGS__ }) / sizeof(uint32_t[2]), false)

/* Every pair is an edge with probability p. */
static inline struct graph *random_graph(uint32_t nodes, double p, uint64_t seed, bool directed)
{
    struct base_rng rng = base_rng_make(seed, BASE_RNG_USER, 1);
    size_t n = 0;
    uint32_t(*edges)[2] = malloc((size_t)nodes * nodes * sizeof *edges);
    for (uint32_t u = 0; u < nodes; u++)
        for (uint32_t v = directed ? 0 : u + 1; v < nodes; v++)
            if (u != v && base_rng_uniform(&rng) < p) {
                edges[n][0] = u;
                edges[n++][1] = v;
            }
    struct graph *g = make_graph(nodes, (const uint32_t(*)[2])edges, n, directed);
    free(edges);
    return g;
}

static inline struct graph_sample *draw(const struct graph *g, const struct graph_sample_options *o)
{
    struct graph_sample *s = NULL;
    int rc = graph_sample_draw(&s, g, o);
    if (rc)
        printf("%s: %s\n", graph_sample_about(o->method)->name, base_error_message());
    assert_int_equal(rc, 0);
    return s;
}

/* p-value of counts [n] against expected values; cells of expectation 0 must be empty. */
static inline double chi_square(const double *count, const double *expected, size_t n)
{
    double sum = 0;
    size_t cells = 0;
    for (size_t i = 0; i < n; i++) {
        if (expected[i] <= 0) {
            assert_true(count[i] == 0);
            continue;
        }
        sum += (count[i] - expected[i]) * (count[i] - expected[i]) / expected[i];
        cells++;
    }
    return cells > 1 ? gsl_cdf_chisq_Q(sum, (double)cells - 1) : 1;
}
#endif
