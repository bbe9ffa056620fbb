/* Sentence vectors of the built-in model against its hidden states, gathered by a hook here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/memory.h"
#include "model/hooks.h"
#include <assay/embed.h>

static const char *const texts[] = { "The capital of France is Paris.",
                                     "A young dog is called a puppy.",
                                     "The capital of France is Paris.", "I love the music." };

static int on_row(void *context, const struct model_point *point)
{
    double *sum = context;
    for (size_t k = 0; k < point->width; k++)
        sum[k] += (double)point->row[k];
    return 0;
}

/* The mean of all rows at a site, one sentence alone. */
static size_t by_hand(struct model *m, const char *site, const char *text, double *mean)
{
    const struct tokenizer *t = NULL;
    struct tokenizer_encoding ids = { 0 };
    struct model_hooks *hooks = NULL;
    struct model_item item = { 0 };
    memset(mean, 0, model_width(m) * sizeof *mean);
    assert_int_equal(model_tokenizer(m, &t), 0);
    assert_int_equal(tokenizer_encode(t, text, strlen(text), NULL, &ids), 0);
    assert_int_equal(model_hooks_new(&hooks, m), 0);
    assert_int_equal(model_hooks_add(hooks, site, MODEL_ANY, MODEL_ANY, 0, on_row, mean, NULL), 0);
    assert_int_equal(model_sequence_new(&item.sequence, m), 0);
    item.ids = ids.ids;
    item.n = item.logits_from = ids.count;
    assert_int_equal(model_forward(m, &item, 1, NULL, NULL, hooks), 0);
    const size_t n = ids.count;
    for (size_t k = 0; k < model_width(m); k++)
        mean[k] /= (double)n;
    model_sequence_free(item.sequence);
    model_hooks_free(hooks);
    tokenizer_encoding_free(&ids);
    return n;
}

static void test_means(void **state)
{
    (void)state;
    struct model *m = NULL;
    assert_int_equal(model_load(&m, "builtin:tiny", NULL), 0);
    double *mean = base_alloc(model_width(m), sizeof *mean);
    static const char *const sites[] = { "hook_embed", "blocks.1.hook_resid_post",
                                         "blocks.3.hook_resid_post" };
    static const int64_t layers[] = { 0, 2, -1 };
    for (int i = 0; i < 3; i++) {
        static const size_t pair[] = { 0, 2, 0, 1 };
        const struct embed_sentences_options o = {
            .layer = layers[i], .resamples = 20, .level = 0.9, .seed = 5, .pair = pair, .n_pairs = 2
        };
        struct embed_sentences *s = NULL;
        assert_int_equal(embed_sentences_run(&s, m, texts, 4, &o), 0);
        assert_int_equal(s->layer, layers[i] < 0 ? model_layers(m) : (size_t)layers[i]);
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(by_hand(m, sites[i], texts[j], mean), s->tokens[j]);
            for (size_t k = 0; k < s->size; k++)
                assert_true(fabs((double)s->vectors->vector[j * s->vectors->stride + k] - mean[k]) <
                            1e-5 * (1 + fabs(mean[k])));
        }
        /* the same sentence twice: cosine 1, but resamples of its tokens differ */
        assert_true(fabs(s->pair[0].estimate - 1) < 1e-6);
        assert_true(s->pair[0].low < 1 && s->pair[0].sd > 0);
        assert_true(s->pair[1].estimate < 0.99 && s->pair[1].low < s->pair[1].high);
        assert_true(fabs(s->pair[1].coverage - 17.0 / 21) < 1e-12);
        assert_int_equal(s->pair[1].models, 20);
        embed_sentences_free(s);
    }
    base_free(mean);
    model_free(m);
}

static void test_center_and_refusals(void **state)
{
    (void)state;
    struct model *m = NULL;
    struct embed_sentences *s = NULL;
    struct embed_sentences_options o = {
        .layer = -1, .resamples = 3, .level = 0.9, .center = true
    };
    assert_int_equal(model_load(&m, "builtin:tiny", NULL), 0);
    assert_int_equal(embed_sentences_run(&s, m, texts, 4, &o), 0);
    for (size_t k = 0; k < s->size; k++) {
        double sum = 0;
        for (size_t i = 0; i < 4; i++)
            sum += (double)s->vectors->vector[i * s->vectors->stride + k];
        assert_true(fabs(sum) < 1e-4);
    }
    embed_sentences_free(s);
    o.layer = 99;
    assert_int_equal(embed_sentences_run(&s, m, texts, 4, &o), BASE_E_ARGUMENT);
    assert_null(s);
    o.layer = 0;
    const char *const empty[] = { "" };
    assert_int_equal(embed_sentences_run(&s, m, empty, 1, &o), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "sentence 1 has no token"));
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_means),
                                        cmocka_unit_test(test_center_and_refusals) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
