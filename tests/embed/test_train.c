/* Vocabulary against gensim's (tests/oracle/embed.py), draws, and training itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/memory.h"
#include "base/rng.h"
#include "embed/kernels.h"
#include "embed/vocabulary.h"
#include <assay/embed.h>

static struct embed_corpus *stories(void)
{
    struct embed_corpus *c = NULL;
    const struct embed_corpus_options how = { .tokens = EMBED_TOKENS_GENSIM };
    assert_int_equal(embed_corpus_new(&c), 0);
    assert_int_equal(embed_corpus_read(c, "builtin:stories", &how), 0);
    assert_int_equal(c->documents, 450);
    return c;
}

static void test_lee_vocabulary(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/gensim/lee_background.cor");
    struct embed_corpus *c = NULL;
    struct embed_vocabulary v;
    struct embed_train_options o = EMBED_TRAIN_OPTIONS_DEFAULT;
    const struct embed_corpus_options how = { .tokens = EMBED_TOKENS_GENSIM,
                                              .encoding = EMBED_LATIN1 };
    assert_int_equal(embed_corpus_new(&c), 0);
    assert_int_equal(
        embed_corpus_read(c, test_shared_path("sampling/gensim/lee_background.cor"), &how), 0);
    assert_int_equal(embed_vocabulary_make(&v, c, NULL, 0, &o), 0);
    static const char *const first[] = { "said", "sai", "new", "year", "australian" };
    static const uint64_t count[] = { 475, 461, 192, 182, 181 };
    assert_int_equal(v.n, 1436);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(embed_corpus_word(c, v.type[i]), first[i]);
        assert_int_equal(v.count[i], count[i]);
    }
    /* shares of a word in thinning, in units of 2^-32: gensim's sample_int */
    static const size_t at[] = { 0, 1, 10, 100 };
    static const uint32_t keep[] = { 1212073839u, 1233802217u, 2559875182u, 4294967295u };
    for (int i = 0; i < 4; i++)
        assert_int_equal(v.keep[at[i]], keep[i]);
    /* the alias tables give back the shares of gensim's table of noise words */
    static const size_t word[] = { 0, 1, 10, 1000 };
    static const double share[] = { 0.0090313, 0.0088309, 0.0036513, 0.0003820 };
    double got[4] = { 0 };
    for (size_t i = 0; i < v.n; i++)
        for (int k = 0; k < 4; k++) {
            const double own = (double)v.accept[i] / 4294967296.0;
            got[k] +=
                ((i == word[k] ? own : 0) + (v.alias[i] == word[k] ? 1 - own : 0)) / (double)v.n;
        }
    for (int k = 0; k < 4; k++)
        assert_true(fabs(got[k] - share[k]) < 1e-7);
    embed_vocabulary_free(&v);
    o.hierarchical = true;
    assert_int_equal(embed_vocabulary_make(&v, c, NULL, 0, &o), 0);
    uint64_t bits = 0;
    for (size_t i = 0; i < v.n; i++)
        bits += (v.path[i + 1] - v.path[i]) * v.count[i];
    assert_int_equal(bits, 246093); /* any Huffman code has this length */
    embed_vocabulary_free(&v);
    embed_corpus_free(c);
}

/* Codes are free of prefixes and paths begin at the root. */
static void test_tree(void **state)
{
    (void)state;
    struct embed_corpus *c = stories();
    struct embed_vocabulary v;
    struct embed_train_options o = EMBED_TRAIN_OPTIONS_DEFAULT;
    o.hierarchical = true;
    assert_int_equal(embed_vocabulary_make(&v, c, NULL, 0, &o), 0);
    double kraft = 0;
    for (size_t i = 0; i < v.n; i++) {
        const size_t depth = v.path[i + 1] - v.path[i];
        kraft += ldexp(1, -(int)depth);
        assert_true(depth >= 1 && depth <= v.depth);
        assert_int_equal(v.point[v.path[i]], v.n - 2);
        for (size_t j = 0; j < i; j++) {
            const size_t other = v.path[j + 1] - v.path[j], least = depth < other ? depth : other;
            assert_true(memcmp(v.code + v.path[i], v.code + v.path[j], least) != 0);
        }
    }
    assert_true(fabs(kraft - 1) < 1e-12);
    embed_vocabulary_free(&v);
    embed_corpus_free(c);
}

/* Every instruction set gives the stream of base/rng.h. */
static void test_random(void **state)
{
    (void)state;
    const struct embed_kernels *set[] = { &embed_kernels_v1, embed_kernels() };
    struct base_rng r = base_rng_make(7, BASE_RNG_EMBED, 0x123456789abcu);
    const uint32_t item[2] = { 0x56789abcu, 0x1234u };
    for (int k = 0; k < 2; k++) {
        uint32_t out[640];
        set[k]->random(out, 10, 3, r.key, item);
        for (uint64_t g = 0; g < 10; g++)
            for (uint64_t b = 0; b < 16; b++)
                for (uint64_t w = 0; w < 4; w++) {
                    base_rng_seek(&r, ((3 + g) * 16 + b) * 4 + w);
                    assert_int_equal(base_rng_u32(&r), out[g * 64 + w * 16 + b]);
                }
    }
}

static struct embed_vectors *train(const struct embed_corpus *c,
                                   const struct embed_train_options *o,
                                   struct embed_train_report *report)
{
    struct embed_vectors *v = NULL;
    assert_int_equal(embed_train(&v, c, NULL, 0, o, report), 0);
    return v;
}

/* Words of one subject are nearer to one another than to those of another, in every mode. */
static void test_learns(void **state)
{
    (void)state;
    static const char *const same[][2] = { { "boat", "anchor" },
                                           { "bread", "oven" },
                                           { "train", "platform" } };
    static const char *const other[][2] = { { "boat", "oven" },
                                            { "bread", "platform" },
                                            { "train", "anchor" } };
    struct embed_corpus *c = stories();
    for (int mode = 0; mode < 5; mode++) {
        struct embed_train_options o = EMBED_TRAIN_OPTIONS_DEFAULT;
        struct embed_train_report first, last;
        o.method = mode % 2 ? EMBED_SKIPGRAM : EMBED_CBOW;
        o.hierarchical = mode / 2 == 1;
        o.hogwild = mode == 4;
        o.threads = 2;
        o.size = 50;
        o.epochs = 1;
        embed_vectors_free(train(c, &o, &first));
        o.epochs = o.method == EMBED_CBOW ? 40 : 15;
        struct embed_vectors *v = train(c, &o, &last);
        assert_int_equal(v->n, 239);
        assert_true(last.loss < 0.75 * first.loss);
        assert_true(last.trained > first.trained * 10);
        for (int i = 0; i < 3; i++) {
            size_t a, b, x, y;
            assert_int_equal(embed_vectors_need(v, same[i][0], &a), 0);
            assert_int_equal(embed_vectors_need(v, same[i][1], &b), 0);
            assert_int_equal(embed_vectors_need(v, other[i][0], &x), 0);
            assert_int_equal(embed_vectors_need(v, other[i][1], &y), 0);
            assert_true(embed_similarity(v, a, b) > embed_similarity(v, x, y) + 0.2);
        }
        assert_true(embed_random_cosine(v, 1000, 1) < EMBED_UNDERTRAINED);
        embed_vectors_free(v);
    }
    embed_corpus_free(c);
}

/* The bits depend on the seed, not on threads. */
static void test_same_bits(void **state)
{
    (void)state;
    struct embed_corpus *c = stories();
    struct embed_train_options o = EMBED_TRAIN_OPTIONS_DEFAULT;
    o.epochs = 2;
    o.threads = 1;
    struct embed_vectors *a = train(c, &o, NULL);
    o.threads = 5;
    struct embed_vectors *b = train(c, &o, NULL);
    o.seed = 2;
    struct embed_vectors *other = train(c, &o, NULL);
    const size_t bytes = a->n * a->stride * sizeof *a->vector;
    assert_memory_equal(a->vector, b->vector, bytes);
    assert_true(memcmp(a->vector, other->vector, bytes) != 0);
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = a->size; k < a->stride; k++)
            assert_true(a->vector[i * a->stride + k] == 0);
    embed_vectors_free(a);
    embed_vectors_free(b);
    embed_vectors_free(other);
    embed_corpus_free(c);
}

static void test_refuses(void **state)
{
    (void)state;
    struct embed_corpus *c = stories();
    struct embed_vectors *v = NULL;
    struct embed_train_options o = EMBED_TRAIN_OPTIONS_DEFAULT;
    o.min_count = 1000000;
    assert_int_equal(embed_train(&v, c, NULL, 0, &o, NULL), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "no word occurs 1000000 times"));
    o = (struct embed_train_options)EMBED_TRAIN_OPTIONS_DEFAULT;
    o.window = 0;
    assert_int_equal(embed_train(&v, c, NULL, 0, &o, NULL), BASE_E_ARGUMENT);
    o.window = 5;
    o.negative = 0;
    assert_int_equal(embed_train(&v, c, NULL, 0, &o, NULL), BASE_E_ARGUMENT);
    o.negative = 5;
    for (int sign = -1; sign <= 1; sign += 2) { /* once: uniform noise, without a word */
        o.exponent = sign * 1000;
        assert_int_equal(embed_train(&v, c, NULL, 0, &o, NULL), BASE_E_ARGUMENT);
        assert_non_null(strstr(base_error_message(), "exponent nearer to 0"));
    }
    assert_null(v);
    embed_corpus_free(c);
    /* one word alone: nothing can be predicted, nothing fails */
    assert_int_equal(embed_corpus_new(&c), 0);
    assert_int_equal(embed_corpus_add(c, "a a a a a a", 11), 0);
    for (int hierarchical = 0; hierarchical < 2; hierarchical++) {
        o = (struct embed_train_options)EMBED_TRAIN_OPTIONS_DEFAULT;
        o.hierarchical = hierarchical;
        assert_int_equal(embed_train(&v, c, NULL, 0, &o, NULL), 0);
        assert_int_equal(v->n, 1);
        embed_vectors_free(v);
    }
    embed_corpus_free(c);
}

static void test_allocation(void **state)
{
    (void)state;
    struct embed_corpus *c = stories();
    struct embed_train_options o = EMBED_TRAIN_OPTIONS_DEFAULT;
    const long live = base_alloc_live();
    o.epochs = 1;
    o.threads = 1;
    for (int mode = 0; mode < 3; mode++) {
        int rc = -1;
        o.hierarchical = mode == 1;
        o.hogwild = mode == 2;
        for (long n = 1; rc != 0; n++) {
            struct embed_vectors *v = NULL;
            base_alloc_fail_after(n);
            rc = embed_train(&v, c, NULL, 0, &o, NULL);
            base_alloc_fail_after(0);
            assert_true(rc == 0 || rc == BASE_E_MEMORY);
            embed_vectors_free(v);
            assert_true(n < 1000);
        }
    }
    assert_int_equal(base_alloc_live(), live);
    embed_corpus_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lee_vocabulary), cmocka_unit_test(test_tree),
        cmocka_unit_test(test_random),         cmocka_unit_test(test_learns),
        cmocka_unit_test(test_same_bits),      cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
