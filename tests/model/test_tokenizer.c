/* Tokenizers: ids and text against Hugging Face's and SentencePiece's own libraries (the cases that
 * tests/oracle/tokenizer_parts.py wrote, and those of ../shared/data), offsets, streams, bad bytes,
 * broken files, memory running out, and training. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/tokenizer_private.h"
#include "support.h"

#define CASES "tests/model/data/tokenizer_cases.json"

static json_t *load(const char *path)
{
    json_t *value = NULL;
    if (base_json_load(&value, path))
        fail_msg("%s", base_error_message());
    return value;
}

/* Every special token stays: what decode and a stream must give alike. */
static void decodes_to(const struct tokenizer *t, const json_t *ids, bool skip, const char *want,
                       const char *name)
{
    size_t n = json_array_size(ids), bytes, length = 0;
    int32_t *list = base_alloc(n, sizeof *list);
    char *text;
    for (size_t i = 0; i < n; i++)
        list[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    if (tokenizer_decode(t, list, n, skip, &text, &bytes))
        fail_msg("%s: %s", name, base_error_message());
    if (strlen(want) != bytes || memcmp(text, want, bytes) != 0)
        fail_msg("%s: decoded \"%s\", wanted \"%s\"", name, text, want);
    struct tokenizer_stream *s;
    assert_int_equal(tokenizer_stream_new(&s, t, skip), 0);
    for (size_t i = 0; i <= n; i++) {
        const char *piece;
        size_t k;
        assert_int_equal(i < n ? tokenizer_stream_put(s, list[i], &piece, &k)
                               : tokenizer_stream_flush(s, &piece, &k),
                         0);
        assert_int_equal(base_utf8_invalid(piece, k), k); /* never half a character */
        assert_true(length + k <= bytes);
        assert_memory_equal(piece, text + length, k);
        length += k;
    }
    assert_int_equal(length, bytes);
    tokenizer_stream_free(s);
    base_free(text);
    base_free(list);
}

static void encodes_to(const struct tokenizer *t, const char *text, size_t bytes,
                       const struct tokenizer_options *options, const json_t *want,
                       const char *name)
{
    struct tokenizer_encoding e;
    if (tokenizer_encode(t, text, bytes, options, &e))
        fail_msg("%s: \"%s\": %s", name, text, base_error_message());
    bool same = e.count == json_array_size(want);
    for (size_t i = 0; i < e.count && same; i++)
        same = e.ids[i] == json_integer_value(json_array_get(want, i));
    if (!same) {
        char *list = base_json_dump(want, false);
        printf("%s: \"%s\": wanted %s, got", name, text, list);
        for (size_t i = 0; i < e.count; i++)
            printf(" %d", e.ids[i]);
        printf("\n");
        base_free(list);
        fail();
    }
    for (size_t i = 0; i < e.count; i++) {
        assert_true(e.begin[i] <= e.end[i] && e.end[i] <= bytes);
        if (i && e.begin[i] < e.begin[i - 1])
            fail_msg("%s: \"%s\": offsets go back at token %zu", name, text, i);
    }
    tokenizer_encoding_free(&e);
}

static size_t unbase64(const char *text, void **out)
{
    size_t bytes = 0;
    assert_int_equal(tokenizer_base64(text, strlen(text), out, &bytes, "test"), 0);
    return bytes;
}

static int load_case(struct tokenizer **t, const json_t *item, json_t *models)
{
    const char *sentencepiece = json_string_value(json_object_get(item, "sentencepiece"));
    int rc;
    if (sentencepiece) {
        void *data;
        size_t bytes = unbase64(sentencepiece, &data);
        rc = tokenizer_load_sentencepiece(t, data, bytes, "case.model");
        base_free(data);
        return rc;
    }
    json_t *spec = json_object_get(item, "tokenizer");
    json_object_set(
        spec, "model",
        json_array_get(models, (size_t)json_integer_value(json_object_get(item, "model"))));
    char *text = base_json_dump(spec, false);
    rc = tokenizer_load_json(t, text, strlen(text), "case.json");
    base_free(text);
    return rc;
}

/* Each normaliser, pre-tokeniser, model, decoder and post-processor, and SentencePiece models. */
static void test_parts(void **state)
{
    (void)state;
    json_t *root = load(CASES), *item, *row;
    size_t i, j, seen = 0;
    json_array_foreach(json_object_get(root, "cases"), i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        bool sentencepiece = json_object_get(item, "sentencepiece");
        struct tokenizer *t;
        if (load_case(&t, item, json_object_get(root, "models")))
            fail_msg("%s: %s", name, base_error_message());
        json_array_foreach(json_object_get(item, "encode"), j, row)
        {
            const json_t *text = json_array_get(row, 0), *ids = json_array_get(row, 1);
            encodes_to(t, json_string_value(text), json_string_length(text), NULL, ids, name);
            if (sentencepiece)
                decodes_to(t, ids, false, json_string_value(json_array_get(row, 2)), name);
            seen++;
        }
        json_array_foreach(json_object_get(item, "decode"), j, row)
        {
            decodes_to(t, json_array_get(row, 0), false, json_string_value(json_array_get(row, 1)),
                       name);
            seen++;
        }
        assert_int_equal(strlen(tokenizer_hash(t)), 64);
        tokenizer_free(t);
    }
    assert_true(seen > 1800);
    json_decref(root);
}

static void test_shared_cases(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("tokenizers/hf_tokenizer_cases.json");
    json_t *root = load(test_shared_path("tokenizers/hf_tokenizer_cases.json")), *item, *row;
    const char *name;
    size_t i;
    json_object_foreach(root, name, item)
    {
        char path[256];
        struct tokenizer *t;
        snprintf(path, sizeof path, "tokenizers/%s",
                 json_string_value(json_object_get(item, "tokenizer")));
        if (tokenizer_load(&t, test_shared_path(path)))
            fail_msg("%s: %s", name, base_error_message());
        json_array_foreach(json_object_get(item, "cases"), i, row)
        {
            const json_t *text = json_object_get(row, "text"), *ids = json_object_get(row, "ids");
            encodes_to(t, json_string_value(text), json_string_length(text), NULL, ids, name);
            decodes_to(t, ids, true, json_string_value(json_object_get(row, "decoded")), name);
        }
        tokenizer_free(t);
    }
    json_decref(root);
}

static void test_gpt2_sources_agree(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("tokenizers/gpt2/tokenizer.json");
    TEST_NEEDS_SHARED("tokenizers/llama.cpp-vocab/ggml-vocab-gpt-2.gguf");
    TEST_NEEDS_SHARED("tokenizers/ggml-prompts/gpt-2.txt");
    struct tokenizer *t[3];
    char *directory = (char *)test_temporary_path(".gpt2"), *data;
    size_t bytes;
    assert_int_equal(base_file_make_directories(directory), 0);
    static const char *const files[] = { "vocab.json", "merges.txt" };
    for (int i = 0; i < 2; i++) { /* a directory without tokenizer.json */
        char from[128], *to = base_path_join(directory, files[i]);
        snprintf(from, sizeof from, "tokenizers/gpt2/%s", files[i]);
        assert_int_equal(base_file_read(test_shared_path(from), 0, &data, &bytes), 0);
        assert_int_equal(base_file_write(to, data, bytes), 0);
        base_free(data);
        base_free(to);
    }
    assert_int_equal(tokenizer_load(&t[0], test_shared_path("tokenizers/gpt2")), 0);
    assert_int_equal(tokenizer_load(&t[1], directory), 0);
    assert_int_equal(
        tokenizer_load(&t[2], test_shared_path("tokenizers/llama.cpp-vocab/ggml-vocab-gpt-2.gguf")),
        0);
    assert_int_equal(tokenizer_eos(t[0]), 50256);
    assert_int_equal(tokenizer_eos(t[2]), 50256);
    assert_int_equal(
        base_file_read(test_shared_path("tokenizers/ggml-prompts/gpt-2.txt"), 0, &data, &bytes), 0);
    size_t lines = 0;
    for (char *line = strtok(data, "\n"); line; line = strtok(NULL, "\n")) {
        char *arrow = NULL;
        for (char *a = strstr(line, " => "); a; a = strstr(a + 1, " => "))
            arrow = a;
        if (!arrow)
            continue;
        json_t *want = json_array();
        for (char *p = arrow + 4; *p;) {
            json_array_append_new(want, json_integer(strtol(p, &p, 10)));
            p += *p == ',';
        }
        struct tokenizer_options plain = { 0 };
        for (int i = 0; i < 3; i++)
            encodes_to(t[i], line, (size_t)(arrow - line), &plain, want, "gpt-2");
        json_decref(want);
        lines++;
    }
    assert_true(lines >= 100);
    base_free(data);
    for (int i = 0; i < 3; i++)
        tokenizer_free(t[i]);
    for (int i = 0; i < 2; i++) {
        char *path = base_path_join(directory, files[i]);
        unlink(path);
        base_free(path);
    }
    rmdir(directory);
}

/* A real directory; its tokenizer_config.json has a model_max_length of 1e30 as an integer. */
static void test_model_directory(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("models/tinystories-656k/tokenizer.json");
    struct tokenizer *t;
    struct tokenizer_encoding e;
    if (tokenizer_load(&t, test_shared_path("models/tinystories-656k")))
        fail_msg("%s", base_error_message());
    assert_int_equal(tokenizer_bos(t), 1);
    assert_int_equal(tokenizer_eos(t), 2);
    assert_int_equal(tokenizer_encode(t, "Once upon a time", 16, NULL, &e), 0);
    const int32_t ids[] = { 1, 80, 147, 201, 282, 57 };
    assert_int_equal(e.count, 6);
    assert_memory_equal(e.ids, ids, sizeof ids);
    tokenizer_encoding_free(&e);
    tokenizer_free(t);
}

static const char small[] =
    "{\"added_tokens\":[{\"id\":12,\"content\":\"<e>\",\"special\":true,\"normalized\":false}],"
    "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_"
    "space\":"
    "false},\"decoder\":{\"type\":\"ByteLevel\"},\"post_processor\":{\"type\":"
    "\"TemplateProcessing\","
    "\"single\":[{\"SpecialToken\":{\"id\":\"<e>\"}},{\"Sequence\":{\"id\":\"A\"}}],"
    "\"special_tokens\":{\"<e>\":{\"ids\":[12]}}},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,"
    "\"b\":1,"
    "\"ab\":2,\"\\u0120\":3,\"\\u0120a\":4,\"\\u00c3\":5,\"\\u00a9\":6,\"\\u00ff\":7,\"\\u00e2\":8,"
    "\"\\u0124\":9,\"\\u00a4\":10,\"e\":11},\"merges\":[[\"a\",\"b\"],\"\\u0120 a\"]}}";

static struct tokenizer *small_new(void)
{
    struct tokenizer *t;
    if (tokenizer_load_json(&t, small, sizeof small - 1, "small"))
        fail_msg("%s", base_error_message());
    return t;
}

/* Offsets are bytes of the text as given, whatever normalisation did to it. */
static void test_offsets(void **state)
{
    (void)state;
    struct tokenizer *t = small_new();
    struct tokenizer_encoding e;
    const char text[] = "ab e\xcc\x81<e> a"; /* e + combining acute becomes one character, C3 A9 */
    assert_int_equal(tokenizer_encode(t, text, sizeof text - 1, NULL, &e), 0);
    const int32_t ids[] = { 12, 2, 3, 5, 6, 12, 4 };
    const uint32_t begin[] = { 0, 0, 2, 3, 3, 6, 9 }, end[] = { 0, 2, 3, 6, 6, 9, 11 };
    assert_int_equal(e.count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(e.ids[i], ids[i]);
        assert_int_equal(e.begin[i], begin[i]);
        assert_int_equal(e.end[i], end[i]);
    }
    tokenizer_encoding_free(&e);
    assert_string_equal(tokenizer_kind(t), "bpe");
    assert_int_equal(tokenizer_vocabulary(t), 13);
    assert_int_equal(tokenizer_find(t, "\xc4\xa0"
                                       "a"),
                     4);
    assert_null(tokenizer_piece(t, 13));
    assert_true(tokenizer_is_special(t, 12) && !tokenizer_is_special(t, 2));
    assert_int_equal(tokenizer_bos(t), 12); /* what the template puts in front */
    tokenizer_free(t);
}

/* A byte that is not UTF-8 reaches a vocabulary of bytes as it is; others see U+FFFD. */
static void test_bad_bytes(void **state)
{
    (void)state;
    struct tokenizer *t = small_new();
    struct tokenizer_encoding e;
    struct tokenizer_options plain = { 0 };
    assert_int_equal(tokenizer_encode(t, "a\xff\xc3 a", 5, &plain, &e), 0);
    const int32_t ids[] = { 0, 7, 5, 4 };
    assert_int_equal(e.count, 4);
    assert_memory_equal(e.ids, ids, sizeof ids);
    assert_int_equal(e.begin[1], 1);
    assert_int_equal(e.end[1], 2);
    char *text;
    size_t bytes;
    assert_int_equal(tokenizer_decode(t, e.ids, e.count, false, &text, &bytes), 0);
    assert_string_equal(text, "a\xef\xbf\xbd\xef\xbf\xbd a");
    base_free(text);
    tokenizer_encoding_free(&e);

    /* a stream holds the first bytes of a character back */
    struct tokenizer_stream *s;
    const char *piece;
    assert_int_equal(tokenizer_stream_new(&s, t, false), 0);
    const int32_t euro[] = { 8, 9, 10 }; /* E2 82 A4 */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tokenizer_stream_put(s, euro[i], &piece, &bytes), 0);
        assert_int_equal(bytes, i == 2 ? 3 : 0);
    }
    assert_string_equal(piece, "\xe2\x82\xa4");
    assert_int_equal(tokenizer_stream_put(s, 8, &piece, &bytes), 0);
    assert_int_equal(tokenizer_stream_flush(s, &piece, &bytes), 0);
    assert_string_equal(piece, "\xef\xbf\xbd");
    tokenizer_stream_free(s);
    const int32_t outside = 13;
    assert_int_equal(tokenizer_decode(t, &outside, 1, false, &text, &bytes), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "13"));
    tokenizer_free(t);

    static const char words[] =
        "{\"pre_tokenizer\":{\"type\":\"Whitespace\"},\"model\":{\"type\":"
        "\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"\\ufffd\":1}}}";
    assert_int_equal(tokenizer_load_json(&t, words, sizeof words - 1, "words"), 0);
    assert_int_equal(tokenizer_encode(t, "\xff x", 3, NULL, &e), 0);
    assert_int_equal(e.count, 2);
    assert_int_equal(e.ids[0], 1);
    assert_int_equal(e.end[0], 1);
    tokenizer_encoding_free(&e);
    tokenizer_free(t);
}

/* n log n, not n squared: a word of a megabyte is a matter of a second. */
static void test_long_word(void **state)
{
    (void)state;
    struct tokenizer *t = small_new();
    struct tokenizer_encoding e;
    size_t n = 1 << 20;
    char *text = base_alloc(n, 1);
    for (size_t i = 0; i < n; i++)
        text[i] = i & 1 ? 'b' : 'a';
    assert_int_equal(tokenizer_encode(t, text, n, NULL, &e), 0);
    assert_int_equal(e.count, n / 2 + 1);
    tokenizer_encoding_free(&e);
    memset(text, ' ', n); /* the split pattern backtracks over all of them */
    assert_int_equal(tokenizer_encode(t, text, n, NULL, &e), 0);
    assert_int_equal(e.count, n + 1);
    tokenizer_encoding_free(&e);
    base_free(text);
    tokenizer_free(t);
}

#define MODEL(parts)                                                                               \
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[]}," parts "}"
static void test_broken_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "expected '{'" },
        { "[]", "expected '{'" },
        { "{}", "\"model\" is missing" },
        { "{\"model\":{\"type\":\"BPE\"}}", "BPE needs vocab and merges" },
        { "{\"model\":{\"type\":\"Magic\"}}", "\"Magic\" is not supported" },
        { "{\"model\":{},\"model\":{}}", "given twice" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}",
          "both id 0 and id 1" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
          "given to both" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "0 or more" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999},\"merges\":[]}}", "limit" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a x\"]}}",
          "\"x\" is not in" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", "two pieces" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}}",
          "dropout" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]", "byte" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0},\"merges\":[]}}", "surrogate" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\xff\":0},\"merges\":[]}}", "UTF-8" },
        { "{\"model\":{\"type\":\"Unigram\",\"unk_id\":7,\"vocab\":[[\"a\",0]]}}", "unk_id 7" },
        { "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"x\"]]}}", "number" },
        { MODEL("\"normalizer\":{\"type\":\"Magic\"}"), "normalizer of type \"Magic\"" },
        { MODEL("\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}"),
          "charsmap" },
        { MODEL("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":"
                "\"Isolated\"}"),
          "pattern \"(\"" },
        { MODEL("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&b]\"}}"),
          "not supported" },
        { MODEL("\"decoder\":{\"type\":\"CTC\"}"), "decoder of type \"CTC\"" },
        { MODEL("\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"a\",9],\"cls\":[\"a\","
                "0]}"),
          "id 9" },
        { MODEL("\"added_tokens\":[{\"content\":\"x\",\"id\":1}]"), "given to both" },
        { MODEL("\"added_tokens\":[{\"id\":1}]"), "content is missing" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer *t;
        long live = base_alloc_live();
        if (!tokenizer_load_json(&t, cases[i].text, strlen(cases[i].text), "broken.json"))
            fail_msg("accepted: %s", cases[i].text);
        if (!strstr(base_error_message(), cases[i].message) ||
            !strstr(base_error_message(), "broken.json") || strchr(base_error_message(), '\n'))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, base_error_message(),
                     cases[i].message);
        assert_int_equal(base_alloc_live(), live);
    }
    char deep[4096];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"x\":", 5);
    struct tokenizer *t;
    assert_int_equal(tokenizer_load_json(&t, deep, sizeof deep, "deep"), BASE_E_LIMIT);
    assert_true(tokenizer_load(&t, "/nowhere/at/all") < 0);
    assert_true(tokenizer_load_sentencepiece(&t, "\x0a\x7f", 2, "cut.model") == BASE_E_FORMAT);
}

/* Every allocation fails once: a clean error each time, nothing left behind. */
static void test_memory_runs_out(void **state)
{
    (void)state;
    json_t *root = load(CASES), *item;
    size_t i;
    json_array_foreach(json_object_get(root, "cases"), i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        if (strcmp(name, "template") != 0 && strcmp(name, "byte fallback") != 0 &&
            strcmp(name, "Replace by regex") != 0 && strcmp(name, "unigram") != 0 &&
            strcmp(name, "sentencepiece small rules") != 0)
            continue;
        void *data = NULL;
        size_t bytes;
        const char *model = json_string_value(json_object_get(item, "sentencepiece"));
        if (model) {
            bytes = unbase64(model, &data);
        } else {
            json_t *spec = json_object_get(item, "tokenizer");
            json_object_set(
                spec, "model",
                json_array_get(json_object_get(root, "models"),
                               (size_t)json_integer_value(json_object_get(item, "model"))));
            data = base_json_dump(spec, false);
            bytes = strlen(data);
        }
        long live = base_alloc_live();
        int rc = -1;
        for (long n = 1; rc; n++) {
            struct tokenizer *t = NULL;
            struct tokenizer_encoding e = { 0 };
            char *text = NULL;
            size_t length;
            base_alloc_fail_after(n);
            rc = model ? tokenizer_load_sentencepiece(&t, data, bytes, "x")
                       : tokenizer_load_json(&t, data, bytes, "x");
            if (!rc)
                rc = tokenizer_encode(t, "the cat, caf\xc3\xa9 <s> 12", 20, NULL, &e);
            if (!rc)
                rc = tokenizer_decode(t, e.ids, e.count, false, &text, &length);
            base_alloc_fail_after(0);
            base_free(text);
            tokenizer_encoding_free(&e);
            if (t)
                tokenizer_free(t);
            if (base_alloc_live() != live)
                fail_msg("%s: allocation %ld: %ld blocks left", name, n, base_alloc_live() - live);
            assert_true(n < 100000);
        }
        base_free(data);
    }
    json_decref(root);
}

static char *train(const char *path, const struct tokenizer_train_options *o, size_t *bytes)
{
    const char *out = test_temporary_path(".json");
    char *text;
    if (tokenizer_train(&path, 1, o, out))
        fail_msg("%s", base_error_message());
    assert_int_equal(base_file_read(out, 0, &text, bytes), 0);
    unlink(out);
    return text;
}

/* Worked by hand: "ab" stands 6 times, then " ab" 4 times, then "abc" and " abc". Ties go to
 * smaller ids. */
static void test_training(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".txt");
    static const char text[] = "ab ab ab<e>abc abc abc";
    test_write_file(path, text, sizeof text - 1);
    static const char *const special[] = { "<e>", NULL };
    struct tokenizer_train_options o = TOKENIZER_TRAIN_OPTIONS_DEFAULT;
    o.vocabulary = 260;
    o.special = special;
    size_t n, m;
    char *first = train(path, &o, &n), *second = train(path, &o, &m);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    struct tokenizer *t;
    assert_int_equal(tokenizer_load_json(&t, first, n, "trained"), 0);
    assert_int_equal(tokenizer_vocabulary(t), 260);
    assert_string_equal(tokenizer_piece(t, 0), "<e>");
    assert_string_equal(tokenizer_piece(t, 1), "!");
    assert_string_equal(tokenizer_piece(t, 257), "ab");
    assert_string_equal(tokenizer_piece(t, 258), "\xc4\xa0"
                                                 "ab");
    assert_string_equal(tokenizer_piece(t, 259), "\xc4\xa0"
                                                 "abc");
    struct tokenizer_encoding e;
    assert_int_equal(tokenizer_encode(t, text, sizeof text - 1, NULL, &e), 0);
    const int32_t ids[] = { 257, 258, 258, 0, 257, 67, 259, 259 };
    assert_int_equal(e.count, 8);
    assert_memory_equal(e.ids, ids, sizeof ids);
    tokenizer_encoding_free(&e);
    tokenizer_free(t);
    base_free(first);
    base_free(second);

    static const char *const splits[] = { "gpt2", "llama3", "qwen2", "digits" };
    for (int i = 0; i < 4; i++) { /* every file loads, whatever the split */
        o.split = splits[i];
        first = train(path, &o, &n);
        assert_int_equal(tokenizer_load_json(&t, first, n, splits[i]), 0);
        tokenizer_free(t);
        base_free(first);
    }
    const char *list[] = { path };
    o.split = "magic";
    assert_int_equal(tokenizer_train(list, 1, &o, "/nowhere/x"), BASE_E_ARGUMENT);
    o.split = "gpt2";
    o.vocabulary = 100;
    assert_int_equal(tokenizer_train(list, 1, &o, "/nowhere/x"), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "257"));
    o.vocabulary = 259;
    long live = base_alloc_live();
    int rc = -1;
    const char *out = test_temporary_path(".json");
    for (long k = 1; rc; k++) {
        base_alloc_fail_after(k);
        rc = tokenizer_train(list, 1, &o, out);
        base_alloc_fail_after(0);
        assert_int_equal(base_alloc_live(), live);
    }
    unlink(out);
    unlink(path);
}

/* Chunks are cut where words end: the counts of a long file are those of its whole text. */
static void test_training_streams(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".txt");
    struct base_buffer b = { 0 };
    unsigned x = 1;
    while (b.length < 3000000) {
        static const char *const words[] = {
            "the", " cat", "\n\n", " 12",           "'s", " \xd0\xbc\xd0\xb8\xd1\x80",
            "  ",  ".\n",  " sat", " \xe4\xbd\xa0", "\t", "!?"
        };
        x = x * 1103515245u + 12345u;
        base_buffer_puts(&b, words[(x >> 16) % 12]);
    }
    test_write_file(path, b.data, b.length);
    struct tokenizer_train_options o = TOKENIZER_TRAIN_OPTIONS_DEFAULT;
    o.vocabulary = 400;
    static const char *const splits[] = { "gpt2", "llama3" };
    for (int i = 0; i < 2; i++) {
        size_t n;
        struct tokenizer *t;
        struct tokenizer_encoding all;
        o.split = splits[i];
        char *json = train(path, &o, &n);
        assert_int_equal(tokenizer_load_json(&t, json, n, "trained"), 0);
        /* a tokenizer that saw its own text in the same words encodes it back */
        assert_int_equal(tokenizer_encode(t, b.data, b.length, NULL, &all), 0);
        char *text;
        size_t bytes;
        assert_int_equal(tokenizer_decode(t, all.ids, all.count, false, &text, &bytes), 0);
        assert_int_equal(bytes, b.length);
        assert_memory_equal(text, b.data, bytes);
        base_free(text);
        tokenizer_encoding_free(&all);
        tokenizer_free(t);
        base_free(json);
    }
    unlink(path);
    base_buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_shared_cases),
        cmocka_unit_test(test_gpt2_sources_agree),
        cmocka_unit_test(test_model_directory),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_bad_bytes),
        cmocka_unit_test(test_long_word),
        cmocka_unit_test(test_broken_json),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_training_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
