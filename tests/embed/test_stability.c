/* Order statistics, the shape of resamples, and that neither threads nor order change a result. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/memory.h"
#include <assay/embed.h>
#include <assay/graph.h>

static void test_order_statistics(void **state)
{
    (void)state;
    double x[40];
    struct embed_spread s = { 0 };
    for (int i = 0; i < 40; i++)
        x[i] = (i * 7) % 20 + 1 + (i >= 20 ? 20 : 0); /* 1 .. 20, then 21 .. 40, shuffled */
    assert_int_equal(embed_spread_make(x, 20, 0.90, &s), 0);
    assert_int_equal(s.rank, 2);
    assert_true(s.low == 2 && s.high == 19);
    assert_true(fabs(s.coverage - 17.0 / 21) < 1e-15); /* .8095 */
    assert_true(s.mean == 10.5);
    assert_int_equal(embed_spread_make(x, 40, 0.95, &s), 0);
    assert_true(s.low == 2 && s.high == 39);
    assert_true(fabs(s.coverage - 37.0 / 41) < 1e-15); /* .9024 */
    /* values that are missing are left out */
    x[3] = x[17] = NAN;
    assert_int_equal(embed_spread_make(x, 20, 0.90, &s), 0);
    assert_int_equal(s.models, 18);
    assert_int_equal(s.missing, 2);
    assert_int_equal(s.rank, 1); /* floor(0.9) + 1 */
    assert_true(fabs(s.coverage - 17.0 / 19) < 1e-15);
    for (int i = 0; i < 20; i++)
        x[i] = i == 5 ? 0.25 : NAN;
    assert_int_equal(embed_spread_make(x, 20, 0.90, &s), 0);
    assert_int_equal(s.rank, 0);
    assert_true(isnan(s.low) && s.mean == 0.25);
}

static const char *const pairs[] = { "boat", "anchor", "boat", "oven", "boat", "nowhere" };
static const char *const words[] = { "bell" };

static struct embed_stability *study(const struct embed_corpus *c, enum embed_resampling how,
                                     size_t models, uint64_t min_count)
{
    struct embed_stability *r = NULL;
    struct embed_stability_options o = { .resampling = how,
                                         .models = models,
                                         .near = 5,
                                         .pair = pairs,
                                         .n_pairs = 3,
                                         .word = words,
                                         .n_words = 1,
                                         .common = 10,
                                         .train = EMBED_TRAIN_OPTIONS_DEFAULT };
    o.train.size = 20;
    o.train.epochs = 10;
    o.train.alpha = 0.05;
    o.train.min_count = min_count;
    assert_int_equal(embed_stability_run(&r, c, &o), 0);
    return r;
}

static void test_threads(void **state)
{
    (void)state;
    struct embed_corpus *c = NULL;
    const struct embed_corpus_options how = { .tokens = EMBED_TOKENS_GENSIM };
    assert_int_equal(embed_corpus_new(&c), 0);
    assert_int_equal(embed_corpus_read(c, "builtin:stories", &how), 0);
    for (int k = 0; k < EMBED_RESAMPLINGS; k++) {
        base_threads_set(1);
        struct embed_stability *a = study(c, (enum embed_resampling)k, 6, 5);
        base_threads_set(3);
        struct embed_stability *b = study(c, (enum embed_resampling)k, 6, 5);
        base_threads_set(0);
        assert_memory_equal(a->pair[0].similarity.value, b->pair[0].similarity.value,
                            6 * sizeof(double));
        assert_true(a->common_overlap == b->common_overlap);
        assert_true(a->word[0].overlap == b->word[0].overlap);
        const struct embed_spread *s = &a->pair[0].similarity;
        assert_int_equal(s->models, 6);
        assert_true(s->low <= s->high && s->sd > 0);
        for (int i = 1; i < 6; i++)
            assert_true(s->value[i] !=
                        s->value[0]); /* every model has documents or a seed of its own */
        /* a word that does not occur is missing everywhere, and has no number */
        const struct embed_spread *none = &a->pair[2].similarity;
        assert_int_equal(none->missing, 6);
        assert_true(isnan(none->estimate) && isnan(none->low) && none->rank == 0);
        assert_int_equal(a->word[0].n_near, 5);
        assert_true(a->word[0].overlap >= 0 && a->word[0].overlap <= 1);
        if (k == EMBED_SUBSAMPLE) { /* Politis and Romano, from the values */
            double x[6], mean = 0;
            for (int i = 0; i < 6; i++)
                mean += s->value[i] / 6;
            for (int i = 0; i < 6; i++) {
                assert_true(a->tau[i] == 75);
                x[i] = sqrt(75.0) * (s->value[i] - mean);
            }
            double least = x[0], most = x[0];
            for (int i = 1; i < 6; i++) {
                least = fmin(least, x[i]);
                most = fmax(most, x[i]);
            }
            assert_int_equal(s->rank, 1);
            assert_true(fabs(s->low - (mean - most / sqrt(450))) < 1e-12);
            assert_true(fabs(s->high - (mean - least / sqrt(450))) < 1e-12);
        }
        embed_stability_free(a);
        embed_stability_free(b);
    }
    embed_corpus_free(c);
}

/* Words that are too rare in a part are left out there and counted; a part without any word too. */
static void test_missing(void **state)
{
    (void)state;
    struct embed_corpus *c = NULL;
    assert_int_equal(embed_corpus_new(&c), 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(embed_corpus_add(c, i < 4 ? "boat anchor boat anchor" : "oven bell oven x",
                                          i < 4 ? 23 : 16),
                         0);
    struct embed_stability *r = study(c, EMBED_SUBSAMPLE, 12, 2);
    const struct embed_spread *s = &r->pair[0].similarity;
    assert_int_equal(s->models, 4);
    assert_int_equal(s->missing, 8);
    for (int i = 0, n = 0; i < 12; i++) {
        n += isnan(s->value[i]);
        if (i == 11)
            assert_int_equal(n, 8);
    }
    assert_int_equal(r->words_least, 1);
    embed_stability_free(r);
    embed_corpus_free(c);
}

static void test_refuses(void **state)
{
    (void)state;
    struct embed_corpus *c = NULL;
    struct embed_stability *r = NULL;
    struct embed_stability_options o = { .models = 1,
                                         .near = 5,
                                         .train = EMBED_TRAIN_OPTIONS_DEFAULT };
    assert_int_equal(embed_corpus_new(&c), 0);
    assert_int_equal(embed_corpus_add(c, "a a a a a", 9), 0);
    assert_int_equal(embed_stability_run(&r, c, &o), BASE_E_ARGUMENT);
    o.models = 20;
    o.resampling = EMBED_SUBSAMPLE;
    assert_int_equal(embed_stability_run(&r, c, &o), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "1 documents cannot be dealt out into 20 parts"));
    embed_corpus_free(c);
}

/* Two cliques joined by one edge: walks stay among neighbours, and vectors tell the cliques apart.
 */
static void test_walks(void **state)
{
    (void)state;
    uint32_t source[64], target[64];
    uint64_t edges = 0;
    for (uint32_t half = 0; half < 2; half++)
        for (uint32_t i = 0; i < 8; i++)
            for (uint32_t j = i + 1; j < 8; j++) {
                source[edges] = half * 8 + i;
                target[edges++] = half * 8 + j;
            }
    source[edges] = 7;
    target[edges++] = 8;
    struct graph *g = NULL;
    assert_int_equal(graph_make(&g, 17, source, target, NULL, edges, false, NULL),
                     0); /* node 16 is alone */
    for (int k = 0; k < 2; k++) {
        struct embed_corpus *c = NULL;
        const struct embed_walk_options o = {
            .walks = 20, .length = 15, .p = k ? 0.25 : 1, .q = k ? 4 : 1, .seed = 3
        };
        assert_int_equal(embed_walks(&c, g, &o), 0);
        assert_int_equal(c->documents, 17 * 20);
        assert_int_equal(c->types, 17);
        uint64_t back = 0, steps = 0;
        for (uint64_t d = 0; d < c->documents; d++) {
            const uint64_t n = c->start[d + 1] - c->start[d];
            assert_int_equal(c->token[c->start[d]], d % 17);
            assert_int_equal(n, d % 17 == 16 ? 1 : 15);
            for (uint64_t i = c->start[d] + 1; i < c->start[d + 1]; i++) {
                assert_true(graph_edge_find(g, c->token[i - 1], c->token[i]) != UINT64_MAX);
                if (i > c->start[d] + 1) {
                    steps++;
                    back += c->token[i] == c->token[i - 2];
                }
            }
        }
        /* plain walks turn back once in about 7 steps; with p = 1/4 about 4 times in 10 */
        const double share = (double)back / (double)steps;
        assert_true(k ? share > 0.3 && share < 0.5 : share > 0.11 && share < 0.18);
        struct embed_train_options t = EMBED_TRAIN_OPTIONS_DEFAULT;
        struct embed_vectors *v = NULL;
        t.method = EMBED_SKIPGRAM;
        t.size = 16;
        t.sample = 0;
        assert_int_equal(embed_train(&v, c, NULL, 0, &t, NULL), 0);
        size_t a, b, z;
        assert_int_equal(embed_vectors_need(v, "1", &a), 0);
        assert_int_equal(embed_vectors_need(v, "5", &b), 0);
        assert_int_equal(embed_vectors_need(v, "12", &z), 0);
        assert_true(embed_similarity(v, a, b) > embed_similarity(v, a, z) + 0.2);
        embed_vectors_free(v);
        embed_corpus_free(c);
    }
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_statistics),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
