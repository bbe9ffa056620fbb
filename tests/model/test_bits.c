/* The promises about bits: a row's logits are the same for any batch, thread count, split into
 * cached and new tokens, fork, chunking, storage (packed or plain), hooks that change nothing.
 * Models are made here, of every family, wide enough to cross the kernels' tiles. */
#include "base/memory.h"
#include "model/gradient.h"
#include "model/hold.h"
#include "model/hooks.h"
#include <assay/model.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static const char *const configs[] = {
    "{\"model_type\":\"llama\",\"hidden_size\":48,\"intermediate_size\":80,\"num_hidden_layers\":3,"
    "\"num_attention_heads\":6,"
    "\"num_key_value_heads\":2,\"vocab_size\":77,\"max_position_embeddings\":1500}",
    "{\"model_type\":\"gpt2\",\"n_embd\":40,\"n_layer\":2,\"n_head\":4,\"n_positions\":1500,"
    "\"vocab_size\":50}",
    "{\"model_type\":\"mistral\",\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":"
    "2,\"num_attention_heads\":4,"
    "\"num_key_value_heads\":2,\"vocab_size\":64,\"max_position_embeddings\":1500,\"sliding_"
    "window\":37}",
    "{\"model_type\":\"gpt_neox\",\"hidden_size\":36,\"intermediate_size\":50,\"num_hidden_"
    "layers\":2,\"num_attention_heads\":3,"
    "\"vocab_size\":45,\"max_position_embeddings\":1500,\"rotary_pct\":0.5}",
    "{\"model_type\":\"opt\",\"hidden_size\":32,\"ffn_dim\":64,\"num_hidden_layers\":2,\"num_"
    "attention_heads\":2,\"vocab_size\":40,"
    "\"max_position_embeddings\":1500,\"word_embed_proj_dim\":16,\"do_layer_norm_before\":false}",
    "{\"model_type\":\"gemma2\",\"hidden_size\":32,\"intermediate_size\":48,\"num_hidden_layers\":"
    "2,\"num_attention_heads\":4,"
    "\"num_key_value_heads\":1,\"head_dim\":12,\"vocab_size\":40,\"max_position_embeddings\":1500,"
    "\"sliding_window\":20}",
    "{\"model_type\":\"bloom\",\"hidden_size\":36,\"n_layer\":2,\"n_head\":6,\"vocab_size\":40}",
    "{\"model_type\":\"gpt_neo\",\"hidden_size\":32,\"num_layers\":2,\"num_heads\":2,\"vocab_"
    "size\":40,\"max_position_embeddings\":1500,"
    "\"attention_types\":[[[\"global\",\"local\"],1]],\"window_size\":9}",
};
#define CONFIGS (sizeof configs / sizeof *configs)

static struct model *make(size_t i)
{
    json_t *config = json_loads(configs[i], 0, NULL);
    struct model *m;
    assert_non_null(config);
    if (model_create(&m, config, 5 + i))
        fail_msg("%s", base_error_message());
    /* weights of some size, so that attention is not uniform */
    for (size_t p = 0; p < model_parameter_count(m); p++) {
        struct model_parameter *q = model_parameter_at(m, p);
        for (size_t k = 0; q->rows > 1 && k < q->rows * q->columns; k++)
            q->value[k] *= 6;
    }
    json_decref(config);
    return m;
}

/* The same, saved, loaded and held as q8_0 (all widths of the config are multiples of 32). */
static struct model *make_q8(size_t i)
{
    struct model *plain = make(i), *m = NULL;
    const char *directory = test_temporary_path("-q8");
    if (model_save(plain, directory, "f32", NULL) || model_load(&m, directory, NULL) ||
        model_weights_hold(m, TENSOR_Q8_0))
        fail_msg("%s", base_error_message());
    model_free(plain);
    return m;
}

static void make_ids(int32_t *ids, size_t n, size_t vocabulary, unsigned salt)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)((i * 37 + i / 5 * 11 + salt * 13) % vocabulary);
}

/* Collects logits of item i at out[i] + row * vocabulary. */
struct sink {
    real **out;
    size_t vocabulary, count;
};
static int collect(void *context, size_t item, size_t first, size_t rows, const real *logits)
{
    struct sink *s = context;
    memcpy(s->out[item] + first * s->vocabulary, logits, rows * s->vocabulary * sizeof *logits);
    s->count += rows;
    return 0;
}

static real *run_alone(struct model *m, const int32_t *ids, size_t n)
{
    struct model_sequence *s;
    size_t v = model_vocabulary(m);
    real *out = malloc(n * v * sizeof *out);
    struct sink sink = { &out, v, 0 };
    assert_int_equal(model_sequence_new(&s, m), 0);
    struct model_item item = { s, ids, n, 0 };
    if (model_forward(m, &item, 1, collect, &sink, NULL))
        fail_msg("%s", base_error_message());
    assert_int_equal(sink.count, n);
    assert_int_equal(model_sequence_length(s), n);
    model_sequence_free(s);
    return out;
}

static void batches_threads_and_caches(void **state)
{
    (void)state;
    static const size_t lengths[7] = { 45, 1, 33, 64, 7, 90, 32 };
    for (size_t c = 0; c < CONFIGS + 2; c++) {
        struct model *m = c < CONFIGS ? make(c) : make_q8(c == CONFIGS ? 2 : 7);
        size_t v = model_vocabulary(m);
        int32_t ids[7][90];
        real *alone[7];
        for (unsigned i = 0; i < 7; i++) {
            make_ids(ids[i], lengths[i], v, i);
            alone[i] = run_alone(m, ids[i], lengths[i]);
        }
        static const size_t batches[] = { 1, 2, 7 };
        for (int threads = 1; threads <= 2; threads++)
            for (size_t b = 0; b < 3; b++)
                for (size_t cached = 0; cached < 2; cached++) {
                    base_threads_set(threads);
                    size_t n = batches[b];
                    struct model_sequence *s[7];
                    struct model_item items[7];
                    real *out[7];
                    struct sink sink = { out, v, 0 };
                    for (size_t i = 0; i < n; i++) {
                        assert_int_equal(model_sequence_new(&s[i], m), 0);
                        out[i] = malloc(lengths[i] * v * sizeof **out);
                        size_t first = cached ? lengths[i] / 2 : 0;
                        if (first) { /* the first half before, alone */
                            struct model_item half = { s[i], ids[i], first, 0 };
                            real *at = out[i];
                            struct sink one = { &at, v, 0 };
                            assert_int_equal(model_forward(m, &half, 1, collect, &one, NULL), 0);
                        }
                        items[i] =
                            (struct model_item){ s[i], ids[i] + first, lengths[i] - first, 0 };
                        out[i] += first * v;
                    }
                    assert_int_equal(model_forward(m, items, n, collect, &sink, NULL), 0);
                    for (size_t i = 0; i < n; i++) {
                        out[i] -= (lengths[i] - items[i].n) * v;
                        if (memcmp(out[i], alone[i], lengths[i] * v * sizeof **out))
                            fail_msg("%s: batch %zu, item %zu, %d threads, cached %zu: bits differ",
                                     model_architecture(m), n, i, threads, cached);
                        free(out[i]);
                        model_sequence_free(s[i]);
                    }
                }
        base_threads_set(0);
        for (unsigned i = 0; i < 7; i++)
            free(alone[i]);
        model_free(m);
    }
}

/* Fork at every kind of place, write on both sides, cut and write again. */
static void forks(void **state)
{
    (void)state;
    struct model *m = make(0);
    size_t v = model_vocabulary(m), n = 80;
    int32_t a[80], b[80];
    make_ids(a, n, v, 1);
    make_ids(b, n, v, 2);
    static const size_t places[] = { 0, 1, 31, 32, 33, 63, 64, 79, 80 };
    struct model_sequence *trunk;
    assert_int_equal(model_sequence_new(&trunk, m), 0);
    struct model_item all = { trunk, a, n, n };
    assert_int_equal(model_forward(m, &all, 1, NULL, NULL, NULL), 0);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        size_t at = places[p];
        int32_t mixed[160];
        memcpy(mixed, a, at * sizeof *a);
        memcpy(mixed + at, b, n * sizeof *b);
        real *want = run_alone(m, mixed, at + n), *got = malloc((at + n) * v * sizeof *got);
        struct model_sequence *s;
        assert_int_equal(model_sequence_fork(&s, trunk, at), 0);
        real *tail = got + at * v;
        struct sink sink = { &tail, v, 0 };
        struct model_item item = { s, b, n, 0 };
        assert_int_equal(model_forward(m, &item, 1, collect, &sink, NULL), 0);
        assert_memory_equal(tail, want + at * v, n * v * sizeof *got);
        assert_memory_equal(model_sequence_ids(s), mixed, (at + n) * sizeof *mixed);
        /* cut the fork back and go on again */
        assert_int_equal(model_sequence_truncate(s, at), 0);
        assert_int_equal(model_forward(m, &item, 1, collect, &sink, NULL), 0);
        assert_memory_equal(tail, want + at * v, n * v * sizeof *got);
        model_sequence_free(s);
        free(want), free(got);
    }
    /* the trunk is as it was */
    real *want = run_alone(m, a, n), *got = malloc(n * v * sizeof *got);
    assert_int_equal(model_sequence_truncate(trunk, 40), 0);
    real *tail = got;
    struct sink sink = { &tail, v, 0 };
    struct model_item rest = { trunk, a + 40, 40, 0 };
    assert_int_equal(model_forward(m, &rest, 1, collect, &sink, NULL), 0);
    assert_memory_equal(got, want + 40 * v, 40 * v * sizeof *got);
    struct model_sequence *bad;
    assert_int_equal(model_sequence_fork(&bad, trunk, 81), BASE_E_ARGUMENT);
    assert_null(bad);
    model_sequence_free(trunk);
    free(want), free(got);
    model_free(m);
}

/* More rows than go through the layers at once; logits for the last rows only; and saved, loaded,
 * packed or left in the file: all the same bits. */
static void chunks_and_storage(void **state)
{
    (void)state;
    for (size_t c = 0; c < 3; c++) {
        struct model *m = make(c), *packed = NULL;
        size_t v = model_vocabulary(m), n = 1300;
        int32_t *ids = malloc(n * sizeof *ids);
        make_ids(ids, n, v, 3);
        real *whole = run_alone(m, ids, n), *rest = malloc(10 * v * sizeof *rest);
        real *prefix = run_alone(m, ids, 700);
        assert_memory_equal(whole, prefix, 700 * v * sizeof *whole);
        const char *directory = test_temporary_path("-model");
        if (model_save(m, directory, "f32", NULL) || model_load(&packed, directory, NULL))
            fail_msg("%s", base_error_message());
        real *again = run_alone(packed, ids, n);
        assert_memory_equal(whole, again, n * v * sizeof *whole);
        struct model_options in_place = { .in_place = true }; /* weights left in the file */
        struct model *lying = NULL;
        assert_int_equal(model_load(&lying, directory, &in_place), 0);
        free(again);
        again = run_alone(lying, ids, n);
        assert_memory_equal(whole, again, n * v * sizeof *whole);
        model_free(lying);
        struct model_sequence *s;
        assert_int_equal(model_sequence_new(&s, packed), 0);
        real *at = rest - (n - 10) * v;
        struct sink sink = { &at, v, 0 };
        struct model_item item = { s, ids, n, n - 10 };
        assert_int_equal(model_forward(packed, &item, 1, collect, &sink, NULL), 0);
        assert_int_equal(sink.count, 10);
        assert_memory_equal(rest, whole + (n - 10) * v, 10 * v * sizeof *rest);
        model_sequence_free(s);
        free(ids), free(whole), free(prefix), free(again), free(rest);
        model_free(packed);
        model_free(m);
    }
}

/* ---- hooks ---- */

struct tap {
    real *kept; /* [rows, width] */
    size_t width, calls;
    int write; /* 0 read, 1 write back what was kept, 2 zero */
};
static int tap_row(void *context, const struct model_point *p)
{
    struct tap *t = context;
    real *mine = t->kept + p->position * t->width;
    assert_true(p->width <= t->width);
    if (t->write == 0)
        memcpy(mine, p->row, p->width * sizeof *mine);
    else if (t->write == 1)
        memcpy(p->row, mine, p->width * sizeof *mine);
    else
        memset(p->row, 0, p->width * sizeof *mine);
    t->calls++;
    return 0;
}

static real *run_hooked(struct model *m, const int32_t *ids, size_t n, struct model_hooks *h)
{
    struct model_sequence *s;
    size_t v = model_vocabulary(m);
    real *out = malloc(n * v * sizeof *out);
    struct sink sink = { &out, v, 0 };
    assert_int_equal(model_sequence_new(&s, m), 0);
    struct model_item item = { s, ids, n, 0 };
    if (model_forward(m, &item, 1, collect, &sink, h))
        fail_msg("%s", base_error_message());
    model_sequence_free(s);
    return out;
}

static void hooks_keep_bits(void **state)
{
    (void)state;
    static const char *const sites[] = { "hook_embed",
                                         "blocks.1.hook_resid_pre",
                                         "blocks.1.attn.hook_q",
                                         "blocks.1.attn.hook_k",
                                         "blocks.1.attn.hook_v",
                                         "blocks.1.attn.hook_attn_scores",
                                         "blocks.1.attn.hook_pattern",
                                         "blocks.1.attn.hook_z",
                                         "blocks.1.attn.hook_result",
                                         "blocks.1.hook_attn_out",
                                         "blocks.1.hook_resid_mid",
                                         "blocks.1.mlp.hook_pre",
                                         "blocks.1.mlp.hook_post",
                                         "blocks.1.hook_mlp_out",
                                         "blocks.1.hook_resid_post",
                                         "ln_final.hook_normalized" };
    for (size_t c = 0; c < 4; c++) {
        struct model *m = make(c);
        size_t v = model_vocabulary(m), n = 41;
        int32_t ids[41];
        make_ids(ids, n, v, 4);
        real *clean = run_alone(m, ids, n);
        for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
            struct model_hooks *h;
            struct tap t = { .width = 2048 };
            size_t index,
                head = strstr(sites[i], "scores") || strstr(sites[i], "pattern") ? 1 : MODEL_ANY;
            t.kept = calloc(n * t.width, sizeof *t.kept);
            assert_int_equal(model_hooks_new(&h, m), 0);
            int rc = model_hooks_add(h, sites[i], MODEL_ANY, MODEL_ANY, head, tap_row, &t, &index);
            if (!strcmp(model_architecture(m), "gpt_neox") && strstr(sites[i], "resid_mid")) {
                assert_int_equal(rc, BASE_E_ARGUMENT); /* parallel blocks have no middle */
            } else {
                assert_int_equal(rc, 0);
                for (t.write = 0; t.write < 2; t.write++) {
                    real *out = run_hooked(m, ids, n, h);
                    if (memcmp(out, clean, n * v * sizeof *out))
                        fail_msg("%s: %s: %s changed the bits", model_architecture(m), sites[i],
                                 t.write ? "writing back" : "reading");
                    free(out);
                }
                assert_int_equal(model_hooks_fired(h, index), 2 * n);
                assert_int_equal(model_hooks_check(h), 0);
                t.write = 2;
                real *out = run_hooked(m, ids, n, h);
                if (!memcmp(out, clean, n * v * sizeof *out))
                    fail_msg("%s: zeroing %s changed nothing", model_architecture(m), sites[i]);
                free(out);
            }
            model_hooks_free(h);
            free(t.kept);
        }
        free(clean);
        model_free(m);
    }
}

/* A hook at one position changes nothing before it; one that cannot fire is an error. */
static void hooks_are_causal_and_checked(void **state)
{
    (void)state;
    struct model *m = make(0);
    size_t v = model_vocabulary(m), n = 30;
    int32_t ids[30];
    make_ids(ids, n, v, 5);
    real *clean = run_alone(m, ids, n);
    struct model_hooks *h;
    struct tap t = { .width = 2048, .write = 2 };
    t.kept = calloc(n * t.width, sizeof *t.kept);
    assert_int_equal(model_hooks_new(&h, m), 0);
    assert_int_equal(
        model_hooks_add(h, "blocks.*.hook_resid_post", 0, 17, MODEL_ANY, tap_row, &t, NULL), 0);
    real *out = run_hooked(m, ids, n, h);
    assert_int_equal(t.calls, model_layers(m));
    assert_memory_equal(out, clean, 17 * v * sizeof *out);
    assert_memory_not_equal(out + 17 * v, clean + 17 * v, v * sizeof *out);
    size_t never;
    assert_int_equal(model_hooks_add(h, "hook_embed", 0, 99, MODEL_ANY, tap_row, &t, &never), 0);
    free(out);
    out = run_hooked(m, ids, n, h);
    assert_int_equal(model_hooks_fired(h, never), 0);
    assert_int_equal(model_hooks_check(h), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "never fired"));
    assert_int_equal(model_hooks_add(h, "blocks.3.hook_resid_post", 0, 0, 0, tap_row, &t, NULL),
                     BASE_E_ARGUMENT);
    assert_int_equal(model_hooks_add(h, "blocks.0.nothing", 0, 0, 0, tap_row, &t, NULL),
                     BASE_E_ARGUMENT);
    model_hooks_free(h);
    free(t.kept), free(out), free(clean);
    model_free(m);
}

/* ---- bad input and memory ---- */

static void bad_batches(void **state)
{
    (void)state;
    struct model *m = make(1);
    struct model_sequence *s;
    int32_t ids[1501] = { 1, 2, 50 };
    assert_int_equal(model_sequence_new(&s, m), 0);
    struct model_item item = { s, ids, 3, 3 };
    assert_int_equal(model_forward(m, &item, 1, NULL, NULL, NULL), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "token id 50 (number 2) is out of range"));
    item.n = 0;
    assert_int_equal(model_forward(m, &item, 1, NULL, NULL, NULL), BASE_E_ARGUMENT);
    ids[2] = 3;
    item.n = 1501;
    assert_int_equal(model_forward(m, &item, 1, NULL, NULL, NULL), BASE_E_LIMIT);
    struct model_item twice[2] = { { s, ids, 2, 2 }, { s, ids, 2, 2 } };
    assert_int_equal(model_forward(m, twice, 2, NULL, NULL, NULL), BASE_E_ARGUMENT);
    assert_int_equal(model_sequence_length(s), 0);
    model_sequence_free(s);
    model_free(m);
}

/* Every allocation of create, save, load and run fails once: an error, no leak, no half-written
 * model. */
static void memory_runs_out(void **state)
{
    (void)state;
    const char *directory = test_temporary_path("-oom");
    struct model *m = make(3);
    assert_int_equal(model_save(m, directory, "bf16", NULL), 0);
    model_free(m);
    int32_t ids[40];
    long before = base_alloc_live(), n = 0;
    for (int done = 0; !done; n++) {
        struct model_sequence *s = NULL, *fork = NULL;
        base_alloc_fail_after(n + 1);
        int rc = model_load(&m, directory, NULL);
        if (!rc) {
            make_ids(ids, 40, model_vocabulary(m), 6);
            rc = model_sequence_new(&s, m);
            struct model_item item = { s, ids, 40, 39 };
            if (!rc)
                rc = model_forward(m, &item, 1, NULL, NULL, NULL);
            if (!rc)
                rc = model_sequence_fork(&fork, s, 20);
            item.sequence = fork;
            if (!rc)
                rc = model_forward(m, &item, 1, NULL, NULL, NULL);
            model_sequence_free(s);
            model_sequence_free(fork);
        }
        done = rc == 0;
        base_alloc_fail_after(0);
        if (rc && rc != BASE_E_MEMORY)
            fail_msg("allocation %ld: error %d: %s", n, rc, base_error_message());
        model_free(m);
        if (base_alloc_live() != before)
            fail_msg("allocation %ld leaked", n);
    }
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_threads_and_caches),
        cmocka_unit_test(forks),
        cmocka_unit_test(chunks_and_storage),
        cmocka_unit_test(hooks_keep_bits),
        cmocka_unit_test(hooks_are_causal_and_checked),
        cmocka_unit_test(bad_batches),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
