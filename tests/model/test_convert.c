/* Converting: every family that GGUF knows goes to GGUF and back with the same bytes and gives the
 * same logits bits on the way; number formats; what cannot be is refused. Models are made here, at
 * random. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/memory.h"
#include "model/architecture.h"
#include "model/convert.h"
#include "model/gradient.h"
#include "support.h"
#include <assay/model.h>
#include <assay/tokenizer.h>
#include <dirent.h>
#include <math.h>

static char root[600];

static const char *in_root(const char *name)
{
    static char buffers[8][800];
    static unsigned next;
    char *p = buffers[next++ % 8];
    snprintf(p, sizeof buffers[0], "%s/%s", root, name);
    return p;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char inside[1200];
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(inside, sizeof inside, "%s/%s", path, e->d_name);
        if (unlink(inside))
            remove_tree(inside);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "%s", test_temporary_path(".convert"));
    return base_file_make_directories(root);
}

static int tear_down(void **state)
{
    (void)state;
    remove_tree(root);
    return 0;
}

/* One small config per family, with what sets the family apart switched on. */
static const char *const CONFIGS[] = {
    "{\"model_type\":\"gpt2\",\"n_embd\":32,\"n_layer\":2,\"n_head\":4,\"n_positions\":16,\"vocab_"
    "size\":37,"
    "\"activation_function\":\"gelu_new\"}",
    "{\"model_type\":\"gpt_neox\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_"
    "heads\":4,"
    "\"intermediate_size\":64,\"max_position_embeddings\":16,\"vocab_size\":37,\"rotary_pct\":0.5,"
    "\"hidden_act\":\"gelu\"}",
    "{\"model_type\":\"llama\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":"
    "4,"
    "\"num_key_value_heads\":2,\"intermediate_size\":64,\"max_position_embeddings\":16,\"vocab_"
    "size\":37,"
    "\"rms_norm_eps\":1e-5,\"rope_theta\":50000,\"rope_scaling\":{\"rope_type\":\"llama3\","
    "\"factor\":8,"
    "\"low_freq_factor\":1,\"high_freq_factor\":4,\"original_max_position_embeddings\":8}}",
    "{\"model_type\":\"mistral\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_"
    "heads\":4,"
    "\"num_key_value_heads\":2,\"intermediate_size\":64,\"max_position_embeddings\":32,\"vocab_"
    "size\":37,"
    "\"sliding_window\":4}",
    "{\"model_type\":\"qwen2\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":"
    "4,"
    "\"num_key_value_heads\":2,\"intermediate_size\":64,\"max_position_embeddings\":16,\"vocab_"
    "size\":37,"
    "\"tie_word_embeddings\":true}",
    "{\"model_type\":\"qwen3\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":"
    "4,\"head_dim\":16,"
    "\"num_key_value_heads\":2,\"intermediate_size\":64,\"max_position_embeddings\":16,\"vocab_"
    "size\":37}",
    "{\"model_type\":\"gemma2\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":"
    "4,\"head_dim\":16,"
    "\"num_key_value_heads\":2,\"intermediate_size\":64,\"max_position_embeddings\":16,\"vocab_"
    "size\":37,"
    "\"sliding_window\":4,\"query_pre_attn_scalar\":24}",
    "{\"model_type\":\"olmo2\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":"
    "4,"
    "\"num_key_value_heads\":2,\"intermediate_size\":64,\"max_position_embeddings\":16,\"vocab_"
    "size\":37}",
    "{\"model_type\":\"phi\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
    "\"intermediate_size\":64,\"max_position_embeddings\":16,\"vocab_size\":37,\"partial_rotary_"
    "factor\":0.5}",
    "{\"model_type\":\"falcon\",\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":"
    "4,"
    "\"new_decoder_architecture\":true,\"num_kv_heads\":2,\"max_position_embeddings\":16,\"vocab_"
    "size\":37}",
    "{\"model_type\":\"bloom\",\"hidden_size\":32,\"n_layer\":2,\"n_head\":4,\"vocab_size\":37}",
};

/* A model of that config with weights of every size, saved as HF; norms are off 1 so that 1 + w
 * rounds. */
static void make_model(const char *config_text, const char *directory, const char *dtype)
{
    json_t *config;
    struct model *m;
    assert_int_equal(base_json_parse(&config, config_text, strlen(config_text), "test"), 0);
    if (model_create(&m, config, 5))
        fail_msg("%s", base_error_message());
    for (size_t i = 0; i < model_parameter_count(m); i++) {
        struct model_parameter *p = model_parameter_at(m, i);
        for (size_t k = 0; k < p->rows * p->columns; k++)
            p->value[k] += (real)(0.1 * sin((double)(k * 7 + i)));
    }
    if (model_save(m, directory, dtype, NULL))
        fail_msg("%s", base_error_message());
    model_free(m);
    json_decref(config);
}

struct rows {
    real *at;
    size_t n;
};
static int keep_rows(void *context, size_t item, size_t first, size_t rows, const real *logits)
{
    (void)item;
    (void)first;
    struct rows *r = context;
    memcpy(r->at + r->n, logits, rows * 37 * sizeof *logits);
    r->n += rows * 37;
    return 0;
}

static void logits_of(const char *path, real out[6 * 37])
{
    static const int32_t ids[] = { 3, 1, 4, 1, 5, 9 };
    struct model *m;
    struct model_sequence *s;
    struct rows r = { .at = out };
    if (model_load(&m, path, NULL))
        fail_msg("%s", base_error_message());
    assert_int_equal(model_sequence_new(&s, m), 0);
    struct model_item item = { .sequence = s, .ids = ids, .n = 6 };
    assert_int_equal(model_forward(m, &item, 1, keep_rows, &r, NULL), 0);
    assert_int_equal(r.n, 6 * 37);
    model_sequence_free(s);
    model_free(m);
}

static void same_file(const char *a, const char *b)
{
    char *x, *y;
    size_t n, k;
    assert_int_equal(base_file_read(a, 0, &x, &n), 0);
    if (base_file_read(b, 0, &y, &k))
        fail_msg("%s", base_error_message());
    if (n != k || memcmp(x, y, n))
        fail_msg("%s and %s differ", a, b);
    base_free(x);
    base_free(y);
}

static void there_and_back(const char *dtype)
{
    static real before[6 * 37], after[6 * 37];
    for (size_t i = 0; i < sizeof CONFIGS / sizeof *CONFIGS; i++) {
        char hf[700], gguf[710], back[710], a[800], b[800];
        snprintf(hf, sizeof hf, "%s/%s-%zu", root, dtype, i);
        snprintf(gguf, sizeof gguf, "%s.gguf", hf);
        snprintf(back, sizeof back, "%s-back", hf);
        make_model(CONFIGS[i], hf, dtype);
        if (model_convert(hf, gguf, NULL, NULL) || model_convert(gguf, back, NULL, NULL))
            fail_msg("%s: %s", CONFIGS[i], base_error_message());
        snprintf(a, sizeof a, "%s/model.safetensors", hf);
        snprintf(b, sizeof b, "%s/model.safetensors", back);
        same_file(a, b);
        snprintf(a, sizeof a, "%s/config.json", hf);
        snprintf(b, sizeof b, "%s/config.json", back);
        same_file(a, b);
        logits_of(hf, before);
        logits_of(gguf, after);
        if (memcmp(before, after, sizeof before))
            fail_msg("%s: the GGUF's logits differ", CONFIGS[i]);
    }
}

static void f32_there_and_back(void **state)
{
    (void)state;
    there_and_back("f32");
}
static void bf16_there_and_back(void **state)
{
    (void)state;
    there_and_back("bf16");
}

/* The GGUF without the keys that only Assay writes, as another program would have made it. */
static void strip(const char *from, const char *to)
{
    struct model_archive *a;
    struct model_archive_writer *w;
    struct model_tensor_plan plan[64];
    assert_int_equal(model_archive_open(&a, from), 0);
    size_t n = model_archive_count(a);
    assert_true(n <= 64);
    json_t *drop = json_object();
    const char *key;
    for (size_t i = 0; (key = model_archive_key(a, i, NULL)); i++)
        if (!strncmp(key, "assay.", 6) || !strcmp(key, "tokenizer.huggingface.json"))
            json_object_set_new(drop, key, json_null());
    for (size_t k = 0; k < n; k++) {
        const struct model_tensor *t = model_archive_at(a, k);
        plan[k] = (struct model_tensor_plan){ .name = t->name, .dtype = t->dtype, .rank = t->rank };
        memcpy(plan[k].shape, t->shape, sizeof t->shape);
    }
    assert_int_equal(model_gguf_create(&w, to, plan, n, drop, a), 0);
    for (size_t k = 0; k < n; k++)
        assert_int_equal(
            model_archive_write(w, k, model_archive_at(a, k)->data, model_archive_at(a, k)->bytes),
            0);
    assert_int_equal(model_archive_commit(w), 0);
    model_archive_writer_close(w);
    model_archive_close(a);
    json_decref(drop);
}

/* What GGUF's own keys say must be enough for models that another program wrote: without
 * assay.config the logits are the same where the keys can say everything. */
static void own_keys_are_enough(void **state)
{
    (void)state;
    static const size_t plain[] = { 0, 1, 4, 5, 7, 8, 10 };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        static real before[6 * 37], after[6 * 37];
        char hf[700], gguf[710], bare[720];
        snprintf(hf, sizeof hf, "%s/keys-%zu", root, i);
        snprintf(gguf, sizeof gguf, "%s.gguf", hf);
        snprintf(bare, sizeof bare, "%s-bare.gguf", hf);
        make_model(CONFIGS[plain[i]], hf, "f32");
        assert_int_equal(model_convert(hf, gguf, NULL, NULL), 0);
        strip(gguf, bare);
        logits_of(hf, before);
        logits_of(bare, after);
        if (memcmp(before, after, sizeof before))
            fail_msg("%s: logits differ without assay.config", CONFIGS[plain[i]]);
    }
}

static void number_formats(void **state)
{
    (void)state;
    static real exact[6 * 37], got[6 * 37];
    static const struct {
        const char *dtype;
        double bound;
    } cases[] = { { "f32", 0 }, { "f16", 2e-2 }, { "bf16", 2e-1 }, { "q8_0", 2e-1 } };
    make_model(CONFIGS[2], in_root("formats"), "f32");
    logits_of(in_root("formats"), exact);
    for (size_t i = 0; i < 4; i++) {
        char gguf[700];
        json_t *report;
        snprintf(gguf, sizeof gguf, "%s/formats-%s.gguf", root, cases[i].dtype);
        if (model_convert(in_root("formats"), gguf, cases[i].dtype, &report))
            fail_msg("%s", base_error_message());
        assert_non_null(json_object_get(json_object_get(report, "dtypes"), cases[i].dtype));
        json_decref(report);
        logits_of(gguf, got);
        double worst = 0;
        for (size_t k = 0; k < 6 * 37; k++)
            worst = fmax(worst, fabs((double)got[k] - (double)exact[k]));
        if (worst > cases[i].bound)
            fail_msg("%s: logits off by %g", cases[i].dtype, worst);
    }
    /* GGUF to GGUF, and down from q8_0; a directory in f16 */
    assert_int_equal(
        model_convert(in_root("formats-q8_0.gguf"), in_root("formats-again.gguf"), "f32", NULL), 0);
    logits_of(in_root("formats-q8_0.gguf"), got);
    logits_of(in_root("formats-again.gguf"), exact);
    double worst = 0;
    for (size_t k = 0; k < 6 * 37; k++)
        worst = fmax(worst, fabs((double)got[k] - (double)exact[k]));
    assert_true(worst < 1e-4); /* the same weights, in another order of summation */
    assert_int_equal(model_convert(in_root("formats"), in_root("formats-f16"), "f16", NULL), 0);
    json_t *config;
    assert_int_equal(base_json_load(&config, in_root("formats-f16/config.json")), 0);
    assert_string_equal(json_string_value(json_object_get(config, "torch_dtype")), "float16");
    json_decref(config);
}

static void refused(void **state)
{
    (void)state;
    static const char neo[] =
        "{\"model_type\":\"gpt_neo\",\"hidden_size\":32,\"num_layers\":2,\"num_heads\":4,"
        "\"max_position_embeddings\":16,\"vocab_size\":37,\"attention_types\":[[[\"global\","
        "\"local\"],1]]}";
    make_model(neo, in_root("neo"), "f32");
    make_model(CONFIGS[2], in_root("plain"), "f32");
    static const struct {
        const char *src, *dst, *dtype, *complaint;
    } cases[] = {
        { "neo", "neo.gguf", NULL, "no form of gpt_neo" },
        { "plain", "plain-q8", "q8_0", "only in a .gguf" },
        { "plain", "x.gguf", "q4_k", "choose" },
        { "plain", "x.gguf", "f99", "unknown dtype" },
        { "plain", "x.bin", NULL, "read, not written" },
        { "plain", "plain", NULL, "the same" },
        { "plain/model.safetensors", "x.gguf", NULL, "not a model" },
        { "missing", "x.gguf", NULL, "missing" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_not_equal(
            model_convert(in_root(cases[i].src), in_root(cases[i].dst), cases[i].dtype, NULL), 0);
        if (!strstr(base_error_message(), cases[i].complaint))
            fail_msg("'%s' does not say '%s'", base_error_message(), cases[i].complaint);
        assert_null(strchr(base_error_message(), '\n'));
    }
    assert_false(base_file_exists(in_root("x.gguf")));
    /* a weight that is not a number cannot be q8_0; nothing is left behind */
    struct model_archive *a;
    assert_int_equal(model_archive_open(&a, in_root("plain")), 0);
    const struct model_tensor *t = model_archive_find(a, "model.layers.1.mlp.down_proj.weight");
    assert_non_null(t);
    char *file;
    size_t bytes;
    assert_int_equal(base_file_read(in_root("plain/model.safetensors"), 0, &file, &bytes), 0);
    char *map = memmem(file, bytes, t->data, 64);
    assert_non_null(map);
    float nan = NAN;
    memcpy(map, &nan, 4);
    model_archive_close(a);
    assert_int_equal(base_file_write(in_root("plain/model.safetensors"), file, bytes), 0);
    base_free(file);
    assert_int_equal(model_convert(in_root("plain"), in_root("x.gguf"), "q8_0", NULL),
                     BASE_E_NUMERIC);
    assert_non_null(strstr(base_error_message(), "down_proj"));
    assert_false(base_file_exists(in_root("x.gguf")));
    assert_int_equal(model_convert(in_root("plain"), in_root("nan.gguf"), NULL, NULL), 0);
}

static void bare_weights(void **state)
{
    (void)state;
    assert_int_equal(
        model_convert("tests/model/data/peer.bin", in_root("peer.safetensors"), NULL, NULL), 0);
    struct model_archive *a, *b;
    assert_int_equal(model_archive_open(&a, "tests/model/data/peer.bin"), 0);
    assert_int_equal(model_archive_open(&b, in_root("peer.safetensors")), 0);
    for (size_t i = 0; i < model_archive_count(a); i++) {
        const struct model_tensor *t = model_archive_at(a, i), *u = model_archive_find(b, t->name);
        assert_non_null(u);
        assert_int_equal(u->dtype, t->dtype);
        assert_int_equal(u->bytes, t->bytes);
        if (t->bytes)
            assert_memory_equal(u->data, t->data, t->bytes);
    }
    model_archive_close(a);
    model_archive_close(b);
}

static void out_of_memory(void **state)
{
    (void)state;
    make_model(CONFIGS[6], in_root("memory"), "f32");
    assert_int_equal(model_convert(in_root("memory"), in_root("memory.gguf"), NULL, NULL), 0);
    const char *const pairs[][2] = { { "memory", "memory-2.gguf" },
                                     { "memory.gguf", "memory-back" } };
    for (size_t p = 0; p < 2; p++) {
        long live = base_alloc_live();
        for (long n = 1;; n += n < 300 ? 1 : 37) {
            base_alloc_fail_after(n);
            int rc = model_convert(in_root(pairs[p][0]), in_root(pairs[p][1]), NULL, NULL);
            base_alloc_fail_after(0);
            if (base_alloc_live() != live)
                fail_msg("%s: allocation %ld: %ld blocks leaked", pairs[p][0], n,
                         base_alloc_live() - live);
            if (!rc)
                break;
        }
    }
}

static void same_ids(const char *one, const char *two)
{
    static const char text[] =
        "It's 2 o'clock; <|end|> they'll  pay $3.50\n\n\tna\xc3\xafve \xe4\xbd\xa0 "
        "\xf0\x9f\x98\x80 x**2, convert a directory to GGUF and back";
    struct tokenizer *a = NULL, *b = NULL;
    struct tokenizer_encoding x, y;
    if (tokenizer_load(&a, one) || tokenizer_load(&b, two))
        fail_msg("%s", base_error_message());
    assert_int_equal(tokenizer_encode(a, text, sizeof text - 1, NULL, &x), 0);
    assert_int_equal(tokenizer_encode(b, text, sizeof text - 1, NULL, &y), 0);
    assert_int_equal(x.count, y.count);
    assert_memory_equal(x.ids, y.ids, x.count * sizeof *x.ids);
    assert_int_equal(tokenizer_bos(a), tokenizer_bos(b));
    assert_int_equal(tokenizer_eos(a), tokenizer_eos(b));
    tokenizer_encoding_free(&x);
    tokenizer_encoding_free(&y);
    tokenizer_free(a);
    tokenizer_free(b);
}

/* A vocabulary trained here goes to GGUF, and back from a GGUF that has nothing but llama.cpp's
 * keys. */
static void tokenizer_there_and_back(void **state)
{
    (void)state;
    static const char *const special[] = { "<|end|>", NULL };
    static const char *const splits[] = { "gpt2", "llama3", "qwen2", "digits" };
    const char *file = "docs/convert.md";
    for (size_t i = 0; i < 4; i++) {
        struct tokenizer_train_options o = TOKENIZER_TRAIN_OPTIONS_DEFAULT;
        char config[256], hf[700], gguf[710], bare[720], back[720], path[720];
        o.vocabulary = 300;
        o.special = special;
        o.split = splits[i];
        snprintf(
            config, sizeof config,
            "{\"model_type\":\"gpt2\",\"n_embd\":32,\"n_layer\":1,\"n_head\":4,\"n_positions\":16,"
            "\"vocab_size\":300}");
        snprintf(hf, sizeof hf, "%s/words-%s", root, splits[i]);
        snprintf(gguf, sizeof gguf, "%s.gguf", hf);
        snprintf(bare, sizeof bare, "%s-bare.gguf", hf);
        snprintf(back, sizeof back, "%s-back", hf);
        make_model(config, hf, "f32");
        snprintf(path, sizeof path, "%s/tokenizer.json", hf);
        if (tokenizer_train(&file, 1, &o, path))
            fail_msg("%s", base_error_message());
        json_t *report;
        if (model_convert(hf, gguf, NULL, &report))
            fail_msg("%s", base_error_message());
        assert_string_equal(json_string_value(json_object_get(report, "tokenizer")), "written");
        if (json_array_size(json_object_get(report, "remarks")))
            fail_msg("%s",
                     json_string_value(json_array_get(json_object_get(report, "remarks"), 0)));
        json_decref(report);
        same_ids(hf, gguf);
        strip(gguf, bare);
        if (model_convert(bare, back, NULL, &report))
            fail_msg("%s", base_error_message());
        assert_string_equal(json_string_value(json_object_get(report, "tokenizer")), "written");
        assert_int_equal(json_array_size(json_object_get(report, "remarks")), 0);
        json_decref(report);
        same_ids(hf, back);
    }
}

static void shared_real_model(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("models/tinystories-656k/model.safetensors");
    char from[1100];
    snprintf(from, sizeof from, "%s", test_shared_path("models/tinystories-656k"));
    json_t *report;
    assert_int_equal(model_convert(from, in_root("ts.gguf"), NULL, &report), 0);
    assert_int_equal(json_array_size(json_object_get(report, "remarks")),
                     0); /* the tokenizer agrees, too */
    assert_string_equal(json_string_value(json_object_get(report, "tokenizer")), "written");
    json_decref(report);
    assert_int_equal(model_convert(in_root("ts.gguf"), in_root("ts"), NULL, NULL), 0);
    static const char *const files[] = { "model.safetensors", "config.json", "tokenizer.json",
                                         "tokenizer_config.json" };
    for (size_t i = 0; i < 4; i++) {
        char a[1300], b[800];
        snprintf(a, sizeof a, "%s/%s", from, files[i]);
        snprintf(b, sizeof b, "%s/ts/%s", root, files[i]);
        same_file(a, b);
    }
    /* SentencePiece: merges from scores */
    strip(in_root("ts.gguf"), in_root("ts-bare.gguf"));
    assert_int_equal(model_convert(in_root("ts-bare.gguf"), in_root("ts-bare"), NULL, NULL), 0);
    same_ids(from, in_root("ts-bare"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_there_and_back),
        cmocka_unit_test(bf16_there_and_back),
        cmocka_unit_test(own_keys_are_enough),
        cmocka_unit_test(number_formats),
        cmocka_unit_test(refused),
        cmocka_unit_test(bare_weights),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(tokenizer_there_and_back),
        cmocka_unit_test(shared_real_model),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
