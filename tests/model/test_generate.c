/* Generation: the same text whatever runs beside it, what is streamed, where it ends. */
#include "base/memory.h"
#include "base/text.h"
#include <assay/sampler.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "tiny_model.h"

enum { N = 7 };

static struct model *load(void)
{
    struct model *m = NULL;
    test_tiny_need(model_load(&m, test_tiny_model(), NULL), "load");
    return m;
}

static const int32_t prompt[5] = { 40, 261, 99, 270, 33 };

static struct generate_options plain(size_t max_tokens)
{
    struct generate_options o = GENERATE_OPTIONS_DEFAULT;
    o.max_tokens = max_tokens;
    o.ignore_eos = true;
    return o;
}

/* What one sample streamed, piece after piece. */
struct streamed {
    char text[N][4096];
    size_t bytes[N];
    size_t pieces;
    int stop_after;
};
static int collect(void *context, size_t sample, const char *text, size_t bytes)
{
    struct streamed *s = context;
    assert_true(bytes > 0 && sample < N);
    assert_int_equal(base_utf8_invalid(text, bytes), bytes);
    assert_true(s->bytes[sample] + bytes < sizeof s->text[0]);
    memcpy(s->text[sample] + s->bytes[sample], text, bytes);
    s->bytes[sample] += bytes;
    s->pieces++;
    return s->stop_after > 0 && (int)s->pieces >= s->stop_after ? -77 : 0;
}

static void same_sample_alone_and_in_a_batch(void **state)
{
    (void)state;
    struct model *m = load();
    for (int kind = 0; kind < 4; kind++) {
        struct generate_options o = plain(20);
        o.samples = N;
        o.sampling.seed = 5;
        if (kind == 1)
            o.sampling.top_p = 0.8;
        if (kind == 2)
            o.sampling.top_k = 5, o.sampling.repetition_penalty = 1.2;
        if (kind == 3)
            o.sampling.typical_p = 0.8, o.sampling.dry_multiplier = 0.8;
        struct generate_result batch[N], alone;
        static struct streamed s;
        memset(&s, 0, sizeof s);
        base_threads_set(2);
        assert_int_equal(generate(m, prompt, 5, &o, collect, &s, batch), 0);
        base_threads_set(1);
        size_t differ = 0;
        for (size_t i = 0; i < N; i++) {
            o.samples = 1;
            o.first_stream = i;
            assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, &alone), 0);
            assert_int_equal(alone.count, batch[i].count);
            assert_memory_equal(alone.ids, batch[i].ids, alone.count * sizeof *alone.ids);
            assert_memory_equal(alone.logprobs, batch[i].logprobs,
                                alone.count * sizeof *alone.logprobs);
            assert_int_equal(alone.text_bytes, batch[i].text_bytes);
            assert_memory_equal(alone.text, batch[i].text, alone.text_bytes);
            assert_string_equal(alone.finish, "length");
            assert_int_equal(s.bytes[i], alone.text_bytes);
            assert_memory_equal(s.text[i], alone.text, alone.text_bytes);
            differ += i > 0 && memcmp(batch[i].ids, batch[0].ids, 20 * sizeof(int32_t)) != 0;
            generate_result_free(&alone);
        }
        assert_int_equal(differ, N - 1);
        for (size_t i = 0; i < N; i++)
            generate_result_free(&batch[i]);
        base_threads_set(0);
    }
    model_free(m);
}

struct row {
    real logits[TEST_TINY_VOCABULARY];
};
static int keep(void *context, size_t item, size_t first, size_t rows, const real *logits)
{
    (void)item, (void)first;
    memcpy(context, logits + (rows - 1) * TEST_TINY_VOCABULARY, sizeof(struct row));
    return 0;
}

/* Greedy text equals the argmax of whole uncached forwards, and log-probabilities those of scoring.
 */
static void greedy_is_the_argmax(void **state)
{
    (void)state;
    struct model *m = load();
    struct generate_options o = plain(24);
    o.sampling.temperature = 0;
    struct generate_result r;
    assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, &r), 0);
    assert_int_equal(r.count, 24);
    int32_t ids[5 + 24];
    memcpy(ids, prompt, sizeof prompt);
    memcpy(ids + 5, r.ids, 24 * sizeof *ids);
    for (size_t n = 5; n < 5 + 24; n++) {
        struct model_sequence *s = NULL;
        struct row row;
        assert_int_equal(model_sequence_new(&s, m), 0);
        struct model_item item = { s, ids, n, n - 1 };
        assert_int_equal(model_forward(m, &item, 1, keep, &row, NULL), 0);
        size_t best = 0;
        for (size_t v = 1; v < TEST_TINY_VOCABULARY; v++)
            best = row.logits[v] > row.logits[best] ? v : best;
        assert_int_equal(best, ids[n]);
        model_sequence_free(s);
    }
    struct model_sequence *s = NULL;
    double logprobs[24], *rows = logprobs;
    const int32_t *targets = ids + 5;
    assert_int_equal(model_sequence_new(&s, m), 0);
    struct model_item item = { s, ids, 5 + 23, 4 };
    assert_int_equal(model_score(m, &item, 1, &targets, &rows, NULL, NULL), 0);
    for (int i = 0; i < 24; i++)
        assert_true(fabs(logprobs[i] - r.logprobs[i]) < 1e-9);
    model_sequence_free(s);
    generate_result_free(&r);
    model_free(m);
}

/* For stop strings cut out of the text itself, at every place and length: the text ends before the
 * first occurrence, and nothing of a stop string was ever streamed. */
static void stop_strings_across_tokens(void **state)
{
    (void)state;
    struct model *m = load();
    struct generate_options o = plain(30);
    o.sampling.temperature = 0.6;
    struct generate_result full, r;
    assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, &full), 0);
    assert_true(full.text_bytes > 10);
    int cut = 0;
    for (size_t at = 0; at < full.text_bytes; at++) {
        char stop[16];
        size_t n = 1 + at % 9;
        if (at + n > full.text_bytes || memchr(full.text + at, 0, n))
            continue;
        memcpy(stop, full.text + at, n);
        stop[n] = 0;
        const char *const stops[] = { "never in it \x01", stop, NULL };
        o.stop = stops;
        static struct streamed s;
        memset(&s, 0, sizeof s);
        if (base_utf8_invalid(stop, n) < n)
            continue; /* half a character never comes */
        assert_int_equal(generate(m, prompt, 5, &o, collect, &s, &r), 0);
        const char *first = memmem(full.text, full.text_bytes, stop, n);
        assert_string_equal(r.finish, "stop");
        assert_int_equal(r.text_bytes, first - full.text);
        assert_memory_equal(r.text, full.text, r.text_bytes);
        assert_int_equal(s.bytes[0], r.text_bytes);
        assert_memory_equal(s.text[0], r.text, r.text_bytes);
        assert_true(r.count <= full.count);
        assert_memory_equal(r.ids, full.ids, r.count * sizeof *r.ids);
        generate_result_free(&r);
        cut++;
    }
    assert_true(cut > 10);
    /* a stop string that almost comes is given out in the end */
    char almost[64];
    size_t tail = full.text_bytes < 5 ? full.text_bytes : 5;
    while (base_utf8_invalid(full.text + full.text_bytes - tail, tail) < tail)
        tail--;
    memcpy(almost, full.text + full.text_bytes - tail, tail);
    strcpy(almost + tail, "\x01\x02");
    const char *const stops[] = { almost, NULL };
    o.stop = stops;
    static struct streamed s;
    memset(&s, 0, sizeof s);
    assert_int_equal(generate(m, prompt, 5, &o, collect, &s, &r), 0);
    assert_string_equal(r.finish, "length");
    assert_int_equal(s.bytes[0], full.text_bytes);
    assert_memory_equal(s.text[0], full.text, full.text_bytes);
    generate_result_free(&r);
    generate_result_free(&full);
    model_free(m);
}

static void ends(void **state)
{
    (void)state;
    struct model *m = load();
    struct generate_options o = plain(1000);
    struct generate_result r, short_one;
    /* the context is full: every position holds a token, and one more was drawn */
    assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, &r), 0);
    assert_string_equal(r.finish, "context");
    assert_int_equal(r.count, TEST_TINY_CONTEXT - 5 + 1);
    int32_t long_prompt[TEST_TINY_CONTEXT + 1];
    for (int i = 0; i <= TEST_TINY_CONTEXT; i++)
        long_prompt[i] = i;
    assert_int_equal(generate(m, long_prompt, TEST_TINY_CONTEXT, &o, NULL, NULL, &short_one), 0);
    assert_int_equal(short_one.count, 1);
    assert_string_equal(short_one.finish, "context");
    generate_result_free(&short_one);
    assert_int_equal(generate(m, long_prompt, TEST_TINY_CONTEXT + 1, &o, NULL, NULL, &short_one),
                     BASE_E_LIMIT);
    assert_non_null(strstr(base_error_message(), "49 tokens"));
    /* an end token is the last id and not in the text */
    size_t at = 3;
    while (at < 20 && (r.ids[at] == r.ids[0] || r.ids[at] == r.ids[1] || r.ids[at] == r.ids[2]))
        at++;
    o.stop_ids = &r.ids[at];
    o.n_stop_ids = 1;
    assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, &short_one), 0);
    assert_string_equal(short_one.finish, "eos");
    assert_true(short_one.count <= at + 1);
    assert_int_equal(short_one.ids[short_one.count - 1], r.ids[at]);
    assert_true(short_one.text_bytes <= r.text_bytes);
    generate_result_free(&short_one);
    o = plain(0);
    assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, &short_one), 0);
    assert_int_equal(short_one.count, 0);
    assert_int_equal(short_one.text_bytes, 0);
    assert_string_equal(short_one.finish, "length");
    generate_result_free(&short_one);
    generate_result_free(&r);
    model_free(m);
}

static void bad_input(void **state)
{
    (void)state;
    struct model *m = load();
    struct generate_options o = plain(5);
    struct generate_result r;
    /* the model makes its tokenizer and work space on first use: before the count */
    assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, &r), 0);
    generate_result_free(&r);
    long live = base_alloc_live();
    assert_int_equal(generate(m, prompt, 0, &o, NULL, NULL, &r), BASE_E_ARGUMENT);
    const int32_t outside[2] = { 3, TEST_TINY_VOCABULARY };
    assert_int_equal(generate(m, outside, 2, &o, NULL, NULL, &r), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "id 300 at position 1"));
    const char *const stops[] = { "x", "", NULL };
    o.stop = stops;
    assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, &r), BASE_E_ARGUMENT);
    o.stop = NULL;
    o.sampling.top_p = -1;
    assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, &r), BASE_E_ARGUMENT);
    o = plain(30);
    static struct streamed s;
    s.stop_after = 3;
    assert_int_equal(generate(m, prompt, 5, &o, collect, &s, &r), -77);
    assert_int_equal(base_alloc_live(), live);
    model_free(m);
}

static void allocation_failures_leak_nothing(void **state)
{
    (void)state;
    struct model *m = load();
    struct generate_options o = plain(4);
    o.samples = 2;
    o.sampling.repetition_penalty = 1.1;
    const char *const stops[] = { "zzz", NULL };
    o.stop = stops;
    struct generate_result r[2];
    assert_int_equal(generate(m, prompt, 5, &o, NULL, NULL, r),
                     0); /* lazily made parts exist now */
    generate_result_free(&r[0]);
    generate_result_free(&r[1]);
    long live = base_alloc_live();
    int failures = 0;
    for (long n = 1; n < 3000; n++) {
        base_alloc_fail_after(n);
        int rc = generate(m, prompt, 5, &o, NULL, NULL, r);
        base_alloc_fail_after(0);
        if (rc == 0) {
            generate_result_free(&r[0]);
            generate_result_free(&r[1]);
        } else {
            assert_int_equal(rc, BASE_E_MEMORY);
            failures++;
        }
        assert_int_equal(base_alloc_live(), live);
        if (rc == 0)
            break;
    }
    assert_true(failures > 10);
    model_free(m);
}

/* A real model's greedy text against an independent float64 program (../shared). */
static void greedy_text_of_a_real_model(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("models/tinystories-656k/reference_float64.txt");
    FILE *f = fopen(test_shared_path("models/tinystories-656k/reference_float64.txt"), "r");
    assert_non_null(f);
    static char text[65536];
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    char *at = strstr(text, "greedy ids:");
    assert_non_null(at);
    int32_t want[512];
    size_t n = 0;
    at += strlen("greedy ids:");
    for (int used, id; sscanf(at, "%d%n", &id, &used) == 1 && n < 512; at += used)
        want[n++] = id;
    struct model *m = NULL;
    assert_int_equal(model_load(&m, test_shared_path("models/tinystories-656k"), NULL), 0);
    struct generate_options o = plain(n);
    o.sampling.temperature = 0;
    struct generate_result r;
    const int32_t start = 1;
    assert_int_equal(generate(m, &start, 1, &o, NULL, NULL, &r), 0);
    assert_int_equal(r.count, n);
    assert_memory_equal(r.ids, want, n * sizeof *want);
    generate_result_free(&r);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_sample_alone_and_in_a_batch),
        cmocka_unit_test(greedy_is_the_argmax),
        cmocka_unit_test(stop_strings_across_tokens),
        cmocka_unit_test(ends),
        cmocka_unit_test(bad_input),
        cmocka_unit_test(allocation_failures_leak_nothing),
        cmocka_unit_test(greedy_text_of_a_real_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
