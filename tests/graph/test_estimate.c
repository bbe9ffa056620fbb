/* Estimates from samples of a graph: against their formulas worked by hand, and by simulation on a
 * graph whose truth is known (the coverages printed here are those of docs/graph-estimate.md). */
#include <assay/graph_estimate.h>
#include <assay/graph_sample.h>
#include "base/memory.h"
#include "base/rng.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-12 * (1 + fabs(want))))
        fprintf(stderr, "got %.17g, expected %.17g\n", got, want);
    assert_true(fabs(got - want) <= 1e-12 * (1 + fabs(want)));
}

static void test_mean_by_hand(void **state)
{
    (void)state;
    /* draws a a b c with weights 1, 1, 2, 4 and y 3, 3, 1, 0: sum w = 8, sum w y = 8 */
    char *name[] = { "a", "b", "c" };
    double visits[] = { 2, 1, 1 }, degree[] = { 4, 2, 1 }, weight[] = { 1, 2, 4 };
    double y[] = { 3, 1, 0 };
    const double *ys[] = { y, y };
    struct graph_walk w[2] = { { 3, name, visits, degree, weight },
                               { 3, name, visits, degree, weight } };
    struct graph_estimate e;
    assert_int_equal(graph_estimate_mean(w, 1, ys, .95, &e), 0);
    near(e.value, 1);
    near(e.plain, 7.0 / 4);
    /* z = 2, 2, 0, -4: sum of squares 24; variance 24 (4/3) / 64 */
    near(e.se, sqrt(24.0 * 4 / 3) / 8);
    near((e.high - e.low) / (2 * e.se), 3.1824463052842638); /* R: qt(.975, 3) */
    assert_int_equal(e.basis, GRAPH_BASIS_DRAWS);
    /* the same sample twice: nothing differs between samples */
    assert_int_equal(graph_estimate_mean(w, 2, ys, .95, &e), 0);
    near(e.value, 1);
    near(e.se, 0);
    /* another second sample: totals z of w (y - m): m = (8 + 2) / (8 + 2) = 1, z = 0 and 0 */
    double one[] = { 1 }, wo[] = { 2 }, yo[] = { 2 };
    w[1] = (struct graph_walk){ 1, name, one, one, wo };
    ys[1] = yo;
    assert_int_equal(graph_estimate_mean(w, 2, ys, .95, &e), 0);
    near(e.value, 12.0 / 10);
    /* z1 = 8 - 1.2 * 8 = -1.6, z2 = 4 - 1.2 * 2 = 1.6; variance 2 (2.56 + 2.56) / 100 */
    near(e.se, sqrt(2 * 5.12) / 10);
    assert_int_equal(e.basis, GRAPH_BASIS_SAMPLES);
    double none[] = { NAN, NAN, NAN };
    ys[0] = none;
    assert_int_equal(graph_estimate_mean(w, 1, ys, .95, &e), BASE_E_ARGUMENT);
}

static void test_size_by_hand(void **state)
{
    (void)state;
    char *ab[] = { "a", "b" }, *ac[] = { "a", "c" };
    double v1[] = { 2, 1 }, d[] = { 1, 1 }, w1[] = { 1, 2 }, v2[] = { 1, 2 }, w2[] = { 1, 4 };
    struct graph_walk w[2] = { { 2, ab, v1, d, w1 }, { 2, ac, v2, d, w2 } };
    struct graph_estimate e;
    /* one sample a a b: pairs aa (1), ab (w_b/w_a + w_a/w_b) / 2 = 1.25 twice; one collision */
    assert_int_equal(graph_estimate_size(w, 1, .95, &e), 0);
    near(e.value, 3.5);
    near(e.count, 1);
    near(e.low,
         3.5 / 5.5716433909388); /* Garwood's interval of a count of 1: .0253178, 5.5716434 */
    near(e.high / 3.5 * .025317807984289897, 1);
    /* two samples: sums of w 4 and 9, of 1/w 2.5 and 1.5: (4 * 1.5 + 2.5 * 9) / 2 over a: 2 * 1 */
    assert_int_equal(graph_estimate_size(w, 2, .95, &e), 0);
    near(e.value, (4 * 1.5 + 2.5 * 9) / 2 / 2);
    near(e.count, 2);
    /* nothing in common */
    char *ef[] = { "e", "f" };
    w[1].name = ef;
    assert_int_equal(graph_estimate_size(w, 2, .95, &e), 0);
    assert_true(isinf(e.value) && isinf(e.high) && e.low > 0 && e.count == 0);
}

/* The largest component of builtin:friends and who in it plays. */
static struct graph *giant(double **plays)
{
    struct graph *g = NULL, *h = NULL;
    struct graph_attribute a;
    uint32_t component[300], keep[300], n, k = 0;
    uint64_t *size;
    assert_int_equal(graph_read(&g, "builtin:friends", NULL), 0);
    assert_int_equal(graph_components(g, component, &size, &n), 0);
    for (uint32_t v = 0; v < g->nodes; v++)
        if (component[v] == 0)
            keep[k++] = v;
    base_free(size);
    assert_int_equal(graph_induced(&h, g, keep, k), 0);
    graph_free(g);
    assert_int_equal(graph_attribute_read(&a, "builtin:people", NULL, NULL, "plays",
                                          (const char *const *)h->name, h->nodes),
                     0);
    *plays = calloc(h->nodes, sizeof **plays);
    for (uint32_t v = 0; v < h->nodes; v++)
        (*plays)[v] = strcmp(a.level[a.code[v]], "yes") == 0;
    graph_attribute_free(&a);
    return h;
}

struct cover {
    const char *what;
    double truth;
    int in, below, above, n;
    double mean;
};
static void count(struct cover *c, const struct graph_estimate *e)
{
    c->n++;
    c->in += c->truth >= e->low && c->truth <= e->high;
    c->below += e->high < c->truth;
    c->above += e->low > c->truth;
    c->mean += e->value;
}
static double tell(const struct cover *c)
{
    printf("  %-44s true %8.4f, mean of estimates %8.4f, 95%% interval covers %5.1f%% (%d)\n",
           c->what, c->truth, c->mean / c->n, 100.0 * c->in / c->n, c->n);
    return (double)c->in / c->n;
}

static void simulate(const struct graph *g, const double *plays,
                     const struct graph_sample_options *how, size_t k, int repeats,
                     struct cover cover[3])
{
    for (int b = 0; b < repeats; b++) {
        struct graph_sample *s[16];
        struct graph_walk w[16];
        double *degree[16], *y[16];
        for (size_t j = 0; j < k; j++) {
            struct graph_sample_options o = *how;
            o.seed = (uint64_t)b * 1000 + j;
            assert_int_equal(graph_sample_draw(&s[j], g, &o), 0);
            size_t n = s[j]->nodes;
            w[j] = (struct graph_walk){ .n = n,
                                        .name = calloc(n, sizeof(char *)),
                                        .visits = calloc(n, sizeof(double)),
                                        .degree = calloc(n, sizeof(double)),
                                        .weight = s[j]->weight };
            degree[j] = w[j].degree;
            y[j] = calloc(n, sizeof(double));
            for (size_t i = 0; i < n; i++) {
                uint32_t v = s[j]->node[i];
                w[j].name[i] = g->name[v];
                w[j].visits[i] = (double)s[j]->visits[i];
                w[j].degree[i] = (double)graph_degree(g, v);
                y[j][i] = plays[v];
            }
        }
        struct graph_estimate e;
        assert_int_equal(graph_estimate_mean(w, k, (const double *const *)degree, .95, &e), 0);
        count(&cover[0], &e);
        assert_int_equal(graph_estimate_mean(w, k, (const double *const *)y, .95, &e), 0);
        count(&cover[1], &e);
        assert_int_equal(graph_estimate_size(w, k, .95, &e), 0);
        count(&cover[2], &e);
        for (size_t j = 0; j < k; j++) {
            free(w[j].name);
            free(w[j].visits);
            free(w[j].degree);
            free(y[j]);
            graph_sample_free(s[j]);
        }
    }
}

static void test_coverage(void **state)
{
    (void)state;
    double *plays, share = 0;
    struct graph *g = giant(&plays);
    const double mean = 2 * (double)g->edges / g->nodes;
    for (uint32_t v = 0; v < g->nodes; v++)
        share += plays[v] / g->nodes;
#define COVERS(name)                                                                               \
    {                                                                                              \
        { name ": mean degree", mean, 0, 0, 0, 0, 0 },                                             \
            { name ": share that plays", share, 0, 0, 0, 0, 0 },                                   \
        {                                                                                          \
            name ": nodes", g->nodes, 0, 0, 0, 0, 0                                                \
        }                                                                                          \
    }
    struct cover ten[3] = COVERS("10 random walks of 200 steps");
    struct cover one[3] = COVERS("1 random walk of 2,000 steps");
    struct cover mh[3] = COVERS("10 Metropolis-Hastings walks of 200");
    struct cover rn[3] = COVERS("10 samples of 30 random nodes");
    struct graph_sample_options o = GRAPH_SAMPLE_OPTIONS_DEFAULT;
    o.method = GRAPH_RANDOM_WALK;
    o.burn_in = 50;
    o.steps = 200;
    simulate(g, plays, &o, 10, 500, ten);
    o.steps = 2000;
    simulate(g, plays, &o, 1, 500, one);
    o.method = GRAPH_METROPOLIS_HASTINGS;
    o.steps = 200;
    simulate(g, plays, &o, 10, 500, mh);
    o = (struct graph_sample_options)GRAPH_SAMPLE_OPTIONS_DEFAULT;
    o.method = GRAPH_RANDOM_NODE;
    o.nodes = 30;
    simulate(g, plays, &o, 10, 500, rn);
    for (int i = 0; i < 3; i++) {
        double c = tell(&ten[i]), d = tell(&mh[i]), e = tell(&rn[i]);
        /* 500 repetitions: standard error of a coverage .01 */
        assert_true(c > .90 && d > .90 && e > .90);
        /* leaving one out is wider than need be for the number of nodes */
        assert_true(i == 2 || (c < .99 && d < .99 && e < .99));
        assert_true(fabs(ten[i].mean / ten[i].n - ten[i].truth) < .05 * ten[i].truth);
        assert_true(fabs(mh[i].mean / mh[i].n - mh[i].truth) < .05 * mh[i].truth);
        assert_true(fabs(rn[i].mean / rn[i].n - rn[i].truth) < .05 * rn[i].truth);
    }
    for (int i = 0; i < 3; i++)
        tell(&one[i]);
    /* what the labels say: too narrow; too few nodes, since steps in a row collide */
    assert_true(one[0].in < .93 * one[0].n && one[2].in < .5 * one[2].n);
    free(plays);
    graph_free(g);
}

/* ---- referral chains ---- */
static const char *file(const char *text)
{
    const char *path = test_temporary_path(".csv");
    test_write_file(path, text, strlen(text));
    return path;
}

static void test_rds_by_hand(void **state)
{
    (void)state;
    struct graph_referrals r;
    struct graph_estimate e;
    /* b and c come from a, d from c, before c in the file */
    const char *path = file("id,by,knows,ill\nd,c,2,1\na,,4,0\nb,a,1,1\nc,a,8,0\ne,0,2,1\n");
    assert_int_equal(graph_referrals_read(&r, path, NULL, NULL, "by", "knows"), 0);
    assert_int_equal(r.n, 5);
    assert_int_equal(r.seeds, 2);
    assert_int_equal(r.longest, 2);
    assert_int_equal(r.wave[0], 2);
    assert_int_equal(r.wave[1], 0);
    assert_int_equal(r.wave[3], 1);
    double ill[] = { 1, 0, 1, 0, 1 };
    assert_int_equal(graph_estimate_rds(&r, ill, 2000, 1, .95, &e), 0);
    near(e.value, (.5 + 1 + .5) / (.5 + .25 + 1 + .125 + .5)); /* sum ill/d over sum 1/d */
    near(e.plain, .6);
    assert_true(e.low >= 0 && e.high <= 1 && e.low < e.value && e.high > e.value);
    struct graph_estimate again;
    assert_int_equal(graph_estimate_rds(&r, ill, 2000, 1, .95, &again), 0);
    assert_true(e.se == again.se && e.low == again.low && e.high == again.high);
    graph_referrals_free(&r);
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "id,by,knows\na,b,1\nb,a,1\n", "circle" },
        { "id,by,knows\na,a,1\n", "circle" },
        { "id,by,knows\na,,1\na,,1\n", "a second person \"a\"" },
        { "id,by,knows\na,z,1\n", "\"z\" is not in the table" },
        { "id,by,knows\na,,0\n", "not positive" },
        { "id,by,knows\na,,NA\n", "missing" },
        { "id,by,knows\n,,1\n", "no id" },
        { "id,by,knows\n", "no persons" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        long live = base_alloc_live();
        assert_int_equal(graph_referrals_read(&r, file(bad[i].text), NULL, NULL, "by", "knows"),
                         BASE_E_FORMAT);
        if (!strstr(base_error_message(), bad[i].words))
            fprintf(stderr, "expected \"%s\" in: %s\n", bad[i].words, base_error_message());
        assert_non_null(strstr(base_error_message(), bad[i].words));
        assert_int_equal(base_alloc_live(), live);
    }
}

/* Seeds in proportion to degree; everybody passes on up to three coupons to friends not yet there.
 */
static void recruit(const struct graph *g, size_t want, uint64_t seed, struct graph_referrals *r,
                    uint32_t *node)
{
    struct base_rng rng = base_rng_make(seed, BASE_RNG_GRAPH, 7);
    uint8_t *in = calloc(g->nodes, 1);
    size_t at = 0;
    r->n = 0;
    while (r->n < want) {
        if (at >= r->n || r->n < 6) { /* a seed, an end of a random edge */
            uint64_t e = base_rng_below(&rng, 2 * g->edges);
            uint32_t v = g->neighbor[e];
            if (in[v])
                continue;
            in[v] = 1;
            r->recruiter[r->n] = UINT32_MAX;
            node[r->n++] = v;
            continue;
        }
        uint32_t v = node[at];
        uint32_t fresh[64], n = 0;
        for (uint64_t k = g->first[v]; k < g->first[v + 1]; k++)
            if (!in[g->neighbor[k]])
                fresh[n++] = g->neighbor[k];
        for (int c = 0; c < 3 && n && r->n < want; c++) {
            if (base_rng_uniform(&rng) < .3)
                continue; /* a coupon lost */
            uint32_t pick = (uint32_t)base_rng_below(&rng, n);
            in[fresh[pick]] = 1;
            r->recruiter[r->n] = (uint32_t)at;
            node[r->n++] = fresh[pick];
            fresh[pick] = fresh[--n];
        }
        at++;
    }
    for (size_t i = 0; i < r->n; i++)
        r->degree[i] = (double)graph_degree(g, node[i]);
    free(in);
}

static void test_rds_coverage(void **state)
{
    (void)state;
    double *plays, share = 0;
    struct graph *g = giant(&plays);
    for (uint32_t v = 0; v < g->nodes; v++)
        share += plays[v] / g->nodes;
    enum { WANT = 80 };
    uint32_t node[WANT], recruiter[WANT];
    double degree[WANT], y[WANT];
    struct cover c = { "referral chains of 80 persons: share", share, 0, 0, 0, 0, 0 };
    struct graph_referrals r = { .recruiter = recruiter, .degree = degree };
    for (uint64_t b = 0; b < 400; b++) {
        struct graph_estimate e;
        recruit(g, WANT, b, &r, node);
        for (size_t i = 0; i < r.n; i++)
            y[i] = plays[node[i]];
        assert_int_equal(graph_estimate_rds(&r, y, 300, b, .95, &e), 0);
        count(&c, &e);
    }
    double in = tell(&c);
    assert_true(in > .88);
    free(plays);
    graph_free(g);
}

/* ---- scale-up ---- */
static void test_scale_up(void **state)
{
    (void)state;
    double a[] = { 2, 0, 1, 1 }, b[] = { 3, 1, 0, 2 }, hidden[] = { 1, 0, 0, 1 };
    const double *m[] = { a, b };
    double size[] = { 400, 600 };
    struct graph_scale_up s;
    assert_int_equal(graph_estimate_scale_up(m, size, 2, hidden, 4, 1e5, .95, &s), 0);
    /* Killworth: degrees c = 1e5 (5, 1, 1, 3) / 1000 = 500, 100, 100, 300; size = 1e5 * 2 / 1000 */
    near(s.size.value, 200);
    near(s.degree, 250);
    near(s.se_model, sqrt(1e5 * 200 / 1000));
    /* residuals u - .2 k = 0, -.2, -.2, .4: 1000 sqrt(.24 * 4/3) / 10 */
    near(s.size.se, 1000 * sqrt(.24 * 4 / 3) / 10);
    near(s.back[0], 600 * 4.0 / 6);
    near(s.back[1], 400 * 6.0 / 4);
    graph_scale_up_free(&s);
    hidden[2] = NAN; /* left out */
    assert_int_equal(graph_estimate_scale_up(m, size, 2, hidden, 4, 1e5, .95, &s), 0);
    near(s.size.value, 1000 * 2.0 / 9);
    near(s.size.count, 3);
    graph_scale_up_free(&s);
    hidden[2] = -1;
    assert_int_equal(graph_estimate_scale_up(m, size, 2, hidden, 4, 1e5, .95, &s), BASE_E_FORMAT);
    hidden[2] = 0;
    assert_int_equal(graph_estimate_scale_up(m, size, 2, hidden, 4, 500, .95, &s), BASE_E_ARGUMENT);
    double zero[] = { 0, 0, 0, 0 };
    const double *nobody[] = { zero, zero };
    assert_int_equal(graph_estimate_scale_up(nobody, size, 2, hidden, 4, 1e5, .95, &s),
                     BASE_E_ARGUMENT);

    /* coverage: networks differ in size, groups are known in proportion */
    enum { N = 200, K = 4 };
    static double known[K][N], out[N];
    const double *km[K];
    const double sizes[K] = { 3000, 5000, 8000, 1500 }, population = 1e6, truth = 2500;
    struct cover c = { "scale-up, 200 respondents: size", truth, 0, 0, 0, 0, 0 };
    for (int k = 0; k < K; k++)
        km[k] = known[k];
    for (uint64_t r = 0; r < 500; r++) {
        struct base_rng rng = base_rng_make(r, BASE_RNG_GRAPH, 11);
        for (int i = 0; i < N; i++) {
            double degree = 300 * exp(.6 * base_rng_normal(&rng));
            for (int k = 0; k <= K; k++) { /* Poisson by waiting times */
                double mean = degree * (k < K ? sizes[k] : truth) / population, t = 0;
                int n = -1;
                do {
                    t -= log(1 - base_rng_uniform(&rng));
                    n++;
                } while (t < mean);
                *(k < K ? &known[k][i] : &out[i]) = n;
            }
        }
        assert_int_equal(graph_estimate_scale_up(km, sizes, K, out, N, population, .95, &s), 0);
        count(&c, &s.size);
        graph_scale_up_free(&s);
    }
    double in = tell(&c);
    assert_true(in > .92 && in < .98);
}

/* ---- files of nodes ---- */
static void test_files(void **state)
{
    (void)state;
    struct graph_walk w;
    assert_int_equal(
        graph_walk_read(&w, file("node,visits,degree,weight\na,2,3,1.5\n\"b,c\",1,0,2\n"), NULL),
        0);
    assert_int_equal(w.n, 2);
    assert_string_equal(w.name[1], "b,c");
    assert_true(w.weight[0] == 1.5 && w.visits[0] == 2);
    assert_int_equal(graph_walk_weigh(&w, GRAPH_WEIGHTS_DEGREE, "f"), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "degree 0"));
    assert_int_equal(graph_walk_weigh(&w, GRAPH_WEIGHTS_NONE, "f"), 0);
    assert_true(w.weight[0] == 1);
    graph_walk_free(&w);
    /* no weights */
    static const char *const without[] = { "node,visits,degree\na,1,3\n",
                                           "node,visits,degree,weight\na,1,3,\n" };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(graph_walk_read(&w, file(without[i]), NULL), 0);
        assert_null(w.weight);
        assert_int_equal(graph_walk_weigh(&w, GRAPH_WEIGHTS_FILE, "f"), BASE_E_ARGUMENT);
        assert_int_equal(graph_walk_weigh(&w, GRAPH_WEIGHTS_DEGREE, "f"), 0);
        near(w.weight[0], 1.0 / 3);
        graph_walk_free(&w);
    }
    static const struct {
        const char *text, *words;
        int code;
    } bad[] = {
        { "node,visits,degree\na,0,3\n", "visits is 0", BASE_E_FORMAT },
        { "node,visits,degree\na,1.5,3\n", "visits is 1.5", BASE_E_FORMAT },
        { "node,visits,degree\na,1,-3\n", "degree is -3", BASE_E_FORMAT },
        { "node,visits,degree\na,1,3\na,1,3\n", "a second row of node \"a\"", BASE_E_FORMAT },
        { "node,visits,degree\n,1,3\n", "node is missing", BASE_E_FORMAT },
        { "node,visits,degree,weight\na,1,3,2\nb,1,3,\n", "weight is missing", BASE_E_FORMAT },
        { "node,visits,degree,weight\na,1,3,-2\n", "not positive", BASE_E_FORMAT },
        { "node,visits\na,1\n", "degree", BASE_E_ARGUMENT },
        { "node,visits,degree\n", "no nodes", BASE_E_FORMAT },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        long live = base_alloc_live();
        int rc = graph_walk_read(&w, file(bad[i].text), NULL);
        if (rc != bad[i].code || !strstr(base_error_message(), bad[i].words))
            fprintf(stderr, "%d, expected \"%s\" in: %s\n", rc, bad[i].words, base_error_message());
        assert_int_equal(rc, bad[i].code);
        assert_non_null(strstr(base_error_message(), bad[i].words));
        assert_int_equal(base_alloc_live(), live);
    }
}

static void test_allocation_failures(void **state)
{
    (void)state;
    const char *nodes = file("node,visits,degree,weight\na,2,3,1.5\nb,1,2,2\n");
    const char *persons = file("id,by,knows\na,,3\nb,a,1\nc,b,2\n");
    long live = base_alloc_live();
    for (long n = 1;; n++) {
        struct graph_walk w[2] = { 0 };
        struct graph_referrals r = { 0 };
        struct graph_estimate e;
        struct graph_scale_up s = { 0 };
        double y[] = { 1, 0, 1 }, m[] = { 1, 2, 3 }, size[] = { 10 };
        const double *ms[] = { m };
        base_alloc_fail_after(n);
        int rc = graph_walk_read(&w[0], nodes, NULL);
        rc = rc ? rc : graph_walk_read(&w[1], nodes, NULL);
        rc = rc ? rc : graph_estimate_size(w, 2, .95, &e);
        rc = rc ? rc : graph_referrals_read(&r, persons, NULL, NULL, "by", "knows");
        rc = rc ? rc : graph_estimate_rds(&r, y, 100, 1, .95, &e);
        rc = rc ? rc : graph_estimate_scale_up(ms, size, 1, y, 3, 100, .95, &s);
        base_alloc_fail_after(0);
        graph_walk_free(&w[0]);
        graph_walk_free(&w[1]);
        graph_referrals_free(&r);
        graph_scale_up_free(&s);
        assert_int_equal(base_alloc_live(), live);
        if (!rc)
            break;
        assert_int_equal(rc, BASE_E_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean_by_hand), cmocka_unit_test(test_size_by_hand),
        cmocka_unit_test(test_coverage),     cmocka_unit_test(test_rds_by_hand),
        cmocka_unit_test(test_rds_coverage), cmocka_unit_test(test_scale_up),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
