/* assay bench: its figures agree with each other, and holding weights in another format gives the
 * very numbers that a file of that format gives. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/gradient.h"
#include "model/hold.h"
#include <assay/assay.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"

static char root[64];
static const char config[] = "{\"architectures\":[\"GPT2LMHeadModel\"],\"model_type\":\"gpt2\","
                             "\"vocab_size\":300,\"n_positions\":64,"
                             "\"n_embd\":64,\"n_layer\":2,\"n_head\":4,\"activation_function\":"
                             "\"gelu_new\",\"layer_norm_epsilon\":1e-05}";

static const char *in_root(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static int make_models(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/assay-bench-XXXXXX");
    assert_non_null(mkdtemp(root));
    json_t *c = NULL;
    struct model *m = NULL;
    assert_int_equal(base_json_parse(&c, config, strlen(config), "config"), 0);
    assert_int_equal(model_create(&m, c, 7), 0);
    assert_int_equal(model_save(m, in_root("f32"), "f32", NULL), 0);
    assert_int_equal(model_save(m, in_root("bf16"), "bf16", NULL), 0);
    assert_int_equal(model_save(m, in_root("f16"), "f16", NULL), 0);
    json_decref(c);
    model_free(m);
    return 0;
}

static int remove_models(void **state)
{
    (void)state;
    char *argv[] = { "/bin/rm", "-rf", root, NULL };
    struct test_run r = test_spawn(argv, NULL);
    test_run_free(&r);
    return 0;
}

static double number(const json_t *v, const char *key)
{
    const json_t *x = json_object_get(v, key);
    assert_true(json_is_number(x));
    return json_number_value(x);
}

static void check_figures(const char *what, const char *dtype, int batch, int tokens)
{
    char b[16], t[16];
    snprintf(b, sizeof b, "%d", batch);
    snprintf(t, sizeof t, "%d", tokens);
    struct test_run r =
        test_assay(NULL, "bench", what, "-m", in_root("f32"), "--json", "--batch", b, "--tokens", t,
                   "--repeat", "3", dtype ? "--dtype" : NULL, dtype, NULL);
    assert_int_equal(r.rc, 0);
    json_t *v = test_run_json(&r);
    assert_non_null(v);
    assert_string_equal(json_string_value(json_object_get(v, "what")), what);
    assert_string_equal(json_string_value(json_object_get(v, "dtype")), dtype ? dtype : "stored");
    double rate = number(v, "tokens_per_s"), seconds = number(v, "seconds");
    assert_true(seconds > 0);
    assert_float_equal(rate * seconds, batch * tokens, 1e-6 * batch * tokens);
    assert_true(number(v, "seconds_min") <= seconds && seconds <= number(v, "seconds_max"));
    assert_true(number(v, "tokens_per_s_min") <= rate && rate <= number(v, "tokens_per_s_max"));
    assert_true(number(v, "peak_bytes") > 1e6);
    assert_int_equal(number(v, "parameters"),
                     300 * 64 + 64 * 64 + 2 * (12 * 64 * 64 + 13 * 64) + 2 * 64);
    assert_int_equal(number(v, "repeat"), 3);
    json_decref(v);
    test_run_free(&r);
}

static void figures_agree(void **state)
{
    (void)state;
    check_figures("forward", NULL, 3, 20);
    check_figures("forward", "q8_0", 1, 5);
    check_figures("decode", NULL, 1, 8);
    check_figures("decode", "bf16", 2, 4);
    check_figures("train", NULL, 2, 16);
}

static void wrong_use(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[6], *words;
        int rc;
    } cases[] = {
        { { "bench", NULL }, "expected one of forward, decode, train, machine", 2 },
        { { "bench", "sideways", NULL }, "expected one of forward", 2 },
        { { "bench", "forward", NULL }, "no model given", 2 },
        { { "bench", "--make", "gpt2-999b", "/tmp/x", NULL },
          "there are gpt2-124m, llama-160m",
          2 },
        { { "bench", "--make", "gpt2-124m", NULL }, "needs one directory", 2 },
        { { "bench", "decode", "-m", "/nonexistent", NULL }, "/nonexistent", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const *a = cases[i].arguments;
        struct test_run r =
            test_assay(NULL, a[0], a[1], a[1] ? a[2] : NULL, a[1] && a[2] ? a[3] : NULL, NULL);
        assert_int_equal(r.rc, cases[i].rc);
        assert_non_null(strstr(r.err, cases[i].words));
        test_run_free(&r);
    }
    struct test_run r =
        test_assay(NULL, "bench", "forward", "-m", in_root("f32"), "--tokens", "65", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "65 tokens asked for, its context holds 64"));
    test_run_free(&r);
    r = test_assay(NULL, "bench", "forward", "-m", in_root("f32"), "--dtype", "q4_0", "--tokens",
                   "4", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "cannot be held as q4_0"));
    test_run_free(&r);
}

struct kept {
    real logits[6 * 300];
};

static int keep(void *context, size_t item, size_t first, size_t rows, const real *logits)
{
    (void)item;
    memcpy(((struct kept *)context)->logits + first * 300, logits, rows * 300 * sizeof *logits);
    return 0;
}

static void logits_of(struct model *m, struct kept *out)
{
    static const int32_t ids[6] = { 1, 299, 17, 4, 4, 200 };
    struct model_sequence *s;
    assert_int_equal(model_sequence_new(&s, m), 0);
    struct model_item item = { s, ids, 6, 0 };
    assert_int_equal(model_forward(m, &item, 1, keep, out, NULL), 0);
    model_sequence_free(s);
}

/* The look-up tables stay as stored, so only a model whose file has them alike compares to the bit:
 * hold bf16 over the bf16 file is the identity, and f32 over it changes no number. */
static void held_formats(void **state)
{
    (void)state;
    static const char *const names[] = { "bf16", "f16" };
    static const enum tensor_dtype types[] = { TENSOR_BF16, TENSOR_F16 };
    static struct kept stored, held;
    for (int i = 0; i < 2; i++) {
        struct model *m;
        assert_int_equal(model_load(&m, in_root(names[i]), NULL), 0);
        logits_of(m, &stored);
        assert_int_equal(model_weights_hold(m, TENSOR_F32), 0);
        logits_of(m, &held);
        assert_memory_equal(&stored, &held, sizeof held);
        assert_int_equal(model_weights_hold(m, types[i]), 0);
        logits_of(m, &held);
        assert_memory_equal(&stored, &held, sizeof held);
        assert_int_equal(model_weights_hold(m, TENSOR_Q4_0), BASE_E_ARGUMENT);
        model_free(m);
    }
    /* q8_0 moves logits a little, not much */
    struct model *m;
    assert_int_equal(model_load(&m, in_root("f32"), NULL), 0);
    logits_of(m, &stored);
    assert_int_equal(model_weights_hold(m, TENSOR_Q8_0), 0);
    logits_of(m, &held);
    double worst = 0, largest = 0;
    for (size_t i = 0; i < 6 * 300; i++) {
        double d = stored.logits[i] - held.logits[i], v = stored.logits[i];
        worst = d > worst ? d : -d > worst ? -d : worst;
        largest = v > largest ? v : -v > largest ? -v : largest;
    }
    assert_true(worst > 0 && worst < 0.03 * largest);
    long live = base_alloc_live();
    for (long n = 1; n < 40; n++) {
        base_alloc_fail_after(n);
        int rc = model_weights_hold(m, n % 2 ? TENSOR_F32 : TENSOR_F16);
        base_alloc_fail_after(0);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        assert_int_equal(base_alloc_live(), live);
    }
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_agree),
        cmocka_unit_test(wrong_use),
        cmocka_unit_test(held_formats),
    };
    return cmocka_run_group_tests(tests, make_models, remove_models);
}
