/* Every architecture family against transformers' logits, through the public interface only: all
 * tokens at once, token by token from the cache, and as a trainable model. The models are tiny,
 * random, and made by tests/oracle/gradients.py; f64_architectures.c runs them in doubles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <assay/model.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* References are float64 with float32 inside the norms, softmax and rotary angles, and rounded to
 * five decimals. Some logits are as large as 50. */
#ifdef ASSAY_FLOAT64
#define TOLERANCE 2e-5
#else
#define TOLERANCE 3e-5
#endif

static const char *const FAMILIES[] = { "gpt2",          "gpt_neo",   "gpt_neox", "opt",
                                        "opt_post_norm", "galactica", "llama",    "mistral",
                                        "qwen2",         "qwen3",     "gemma2",   "olmo2",
                                        "phi",           "bloom",     "falcon" };
#define N_FAMILIES  (sizeof FAMILIES / sizeof *FAMILIES)
#define MOST_TOKENS 16

struct reference {
    json_t *json, *logits; /* logits: rows of numbers */
    int32_t ids[MOST_TOKENS];
    size_t n, vocabulary;
};
static struct reference reference(const char *family)
{
    struct reference r = { 0 };
    char path[256];
    snprintf(path, sizeof path, "tests/model/data/%s/reference.json", family);
    r.json = json_load_file(path, 0, NULL);
    assert_non_null(r.json);
    const json_t *ids = json_object_get(r.json, "ids");
    r.n = json_array_size(ids);
    assert_in_range(r.n, 1, MOST_TOKENS);
    for (size_t i = 0; i < r.n; i++)
        r.ids[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    r.logits = json_object_get(r.json, "logits");
    r.vocabulary = json_array_size(json_array_get(r.logits, 0));
    return r;
}
static struct model *load(const char *family, bool trainable)
{
    char path[256];
    struct model *m = NULL;
    struct model_options options = MODEL_OPTIONS_DEFAULT;
    options.trainable = trainable;
    snprintf(path, sizeof path, "tests/model/data/%s", family);
    if (model_load(&m, path, &options)) {
        print_error("%s: %s\n", family, base_error_message());
        fail();
    }
    return m;
}

struct collected {
    real *rows; /* [n][vocabulary] */
    size_t vocabulary, first;
};
static int collect(void *context, size_t item, size_t first_row, size_t rows, const real *logits)
{
    struct collected *c = context;
    assert_int_equal(item, 0);
    memcpy(c->rows + (c->first + first_row) * c->vocabulary, logits,
           rows * c->vocabulary * sizeof *logits);
    return 0;
}
/* Logits of all tokens, given to the model in steps of `step` tokens. */
static void run(struct model *m, const struct reference *r, size_t step, real *out)
{
    struct model_sequence *s;
    assert_int_equal(model_sequence_new(&s, m), 0);
    for (size_t i = 0; i < r->n; i += step) {
        struct collected c = { out, r->vocabulary, i };
        const struct model_item item = { .sequence = s,
                                         .ids = r->ids + i,
                                         .n = r->n - i < step ? r->n - i : step };
        if (model_forward(m, &item, 1, collect, &c, NULL)) {
            print_error("%s: %s\n", model_path(m), base_error_message());
            fail();
        }
    }
    model_sequence_free(s);
}

static void test_logits(void **state)
{
    (void)state;
    bool wrong = false;
    for (size_t f = 0; f < N_FAMILIES; f++) {
        struct reference r = reference(FAMILIES[f]);
        real *first = calloc(r.n * r.vocabulary, sizeof *first);
        for (int trainable = 0; trainable < 2; trainable++) {
            struct model *m = load(FAMILIES[f], trainable);
            assert_int_equal(model_vocabulary(m), r.vocabulary);
            real *out = calloc(r.n * r.vocabulary, sizeof *out);
            run(m, &r, r.n, out);
            double worst = 0;
            for (size_t i = 0; i < r.n * r.vocabulary; i++) {
                const json_t *row = json_array_get(r.logits, i / r.vocabulary);
                const double expected = json_number_value(json_array_get(row, i % r.vocabulary));
                const double error = fabs((double)out[i] - expected);
                if (!(error <= worst))
                    worst = error;
            }
            printf("%s%s: max abs difference %.2g\n", FAMILIES[f], trainable ? " (trainable)" : "",
                   worst);
            wrong |= !(worst <= TOLERANCE);
            if (!trainable) {
                memcpy(first, out, r.n * r.vocabulary * sizeof *out);
                for (size_t step = 1; step <= 5; step += 2) {
                    memset(out, 0, r.n * r.vocabulary * sizeof *out);
                    run(m, &r, step, out);
                    assert_memory_equal(out, first, r.n * r.vocabulary * sizeof *out);
                }
            }
            free(out);
            model_free(m);
        }
        free(first);
        json_decref(r.json);
    }
    assert_false(wrong);
}

/* Scores are the logits' log-softmax, in double. */
static void test_scores(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_FAMILIES; f++) {
        struct reference r = reference(FAMILIES[f]);
        struct model *m = load(FAMILIES[f], false);
        struct model_sequence *s;
        assert_int_equal(model_sequence_new(&s, m), 0);
        const struct model_item item = { .sequence = s, .ids = r.ids, .n = r.n };
        int32_t targets[MOST_TOKENS];
        double logprobs[MOST_TOKENS], sum = 0, expected;
        const json_t *labels = json_object_get(r.json, "targets");
        for (size_t i = 0; i < r.n; i++)
            targets[i] = (int32_t)json_integer_value(json_array_get(labels, i));
        const int32_t *t = targets;
        double *l = logprobs;
        assert_int_equal(model_score(m, &item, 1, &t, &l, NULL, NULL), 0);
        for (size_t i = 0; i < r.n; i++) {
            assert_int_equal(targets[i] < 0, isnan(logprobs[i]));
            sum -= targets[i] < 0 ? 0 : logprobs[i];
        }
        expected = json_number_value(json_object_get(r.json, "loss"));
        assert_true(fabs(sum - expected) <= TOLERANCE * 0.1 * expected);
        model_sequence_free(s);
        model_free(m);
        json_decref(r.json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logits),
        cmocka_unit_test(test_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
