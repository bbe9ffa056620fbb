/* Perplexity: each convention recomputed window by window, a real model against transformers in
 * float64, the same bits for any batching, intervals over documents; context and continuation. */
#include "base/memory.h"
#include <assay/eval.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "tiny_model.h"

#define NEAR(a, b, tolerance)                                                                      \
    do {                                                                                           \
        double a_ = (a), b_ = (b);                                                                 \
        if (!(fabs(a_ - b_) <= (tolerance)))                                                       \
            fail_msg("%s = %.12g, expected %.12g", #a, a_, b_);                                    \
    } while (0)

static const char *const documents[] = {
    "The cat sat on the mat, and the dog ran after the warm sun.",
    "Once upon a time there was a hill.\n\nA house was on the hill; the cat ran to the house. The "
    "dog "
    "ran to the mat. The cat, the dog, the sun: once upon a time they sat.",
    "",
    "a",
    "The dog sat. The dog ran. The dog sat on the cat. The little cat ran to the hill and the "
    "house "
    "and the mat and the sun, and sat on the little hill a little time.",
};
enum { DOCUMENTS = 5 };

static struct model *load(void)
{
    struct model *m = NULL;
    test_tiny_need(model_load(&m, test_tiny_model(), NULL), "load");
    return m;
}

static struct eval_perplexity_report
measure(struct model *m, const struct eval_perplexity_options *o, int from, int to)
{
    struct eval_perplexity *p = NULL;
    struct eval_perplexity_report report;
    assert_int_equal(eval_perplexity_new(&p, m, o), 0);
    for (int i = from; i < to; i++)
        assert_int_equal(eval_perplexity_add(p, "test", documents[i], strlen(documents[i])), 0);
    assert_int_equal(eval_perplexity_finish(p, &report), 0);
    eval_perplexity_free(p);
    return report;
}

/* -ln p of ids[target] after ids[first .. target). */
static double nll(struct model *m, const int32_t *ids, size_t first, size_t target)
{
    struct model_sequence *s = NULL;
    double value, *row = &value;
    const int32_t *wanted = ids + target;
    assert_int_equal(model_sequence_new(&s, m), 0);
    struct model_item item = { s, ids + first, target - first, target - first - 1 };
    assert_int_equal(model_score(m, &item, 1, &wanted, &row, NULL, NULL), 0);
    model_sequence_free(s);
    return -value;
}

/* The three conventions token by token, as their definitions read. */
static void figures_by_definition(void **state)
{
    (void)state;
    struct model *m = load();
    const struct tokenizer *t;
    assert_int_equal(model_tokenizer(m, &t), 0);
    enum { W = 12, S = 5, C = 8 };
    for (int with_bos = 0; with_bos < 2; with_bos++) {
        struct eval_perplexity_options o = EVAL_PERPLEXITY_OPTIONS_DEFAULT;
        o.window = W;
        o.stride = S;
        o.chunk = C;
        o.bos = with_bos ? EVAL_BOS_YES : EVAL_BOS_NO;
        if (with_bos && tokenizer_bos(t) < 0)
            continue;
        double sum[3] = { 0 };
        size_t count[3] = { 0 };
        for (int d = 0; d < DOCUMENTS; d++) {
            if (!*documents[d])
                continue;
            struct eval_ids text;
            int32_t ids[256];
            assert_int_equal(
                eval_encode(t, "text", documents[d], strlen(documents[d]), EVAL_BOS_NO, &text), 0);
            size_t n = text.count; /* ids[0] prefix, ids[1..n] */
            assert_true(n < 255);
            ids[0] = eval_prefix_id(t);
            memcpy(ids + 1, text.at, n * sizeof *ids);
            eval_ids_free(&text);
            for (size_t k = 1; k <= n; k++) { /* rolling: blocks of W targets */
                size_t block = (k - 1) / W, end = (block + 1) * W < n ? (block + 1) * W : n;
                size_t first = block == 0 ? 0 : end - W;
                sum[0] += nll(m, ids, first, k);
                count[0]++;
            }
            size_t begin = with_bos ? 0 : 1, reached = begin;
            for (size_t first = begin; first <= n; first += S) {
                size_t end = first + W < n + 1 ? first + W : n + 1;
                for (size_t k = reached; k < end; k++)
                    if (k > first) {
                        sum[1] += nll(m, ids, first, k);
                        count[1]++;
                    }
                reached = end;
                if (end == n + 1)
                    break;
            }
            for (size_t first = begin; first + C <= n + 1; first += C) {
                int32_t chunk[C];
                memcpy(chunk, ids + first, sizeof chunk);
                if (with_bos)
                    chunk[0] = ids[0];
                for (size_t k = C / 2 + 1; k < C; k++) {
                    sum[2] += nll(m, chunk, 0, k);
                    count[2]++;
                }
            }
        }
        struct eval_perplexity_report r = measure(m, &o, 0, DOCUMENTS);
        assert_int_equal(r.documents, 4);
        assert_int_equal(r.empty, 1);
        for (int k = 0; k < 3; k++) {
            assert_null(r.result[k].missing);
            assert_int_equal(r.result[k].tokens, count[k]);
            NEAR(r.result[k].nll, sum[k], 1e-7 * sum[k]);
            NEAR(r.result[k].ppl, exp(sum[k] / (double)count[k]), 1e-6 * r.result[k].ppl);
        }
        assert_int_equal(r.result[0].tokens, r.tokens);
        assert_int_equal(r.result[0].bytes, r.bytes);
        NEAR(r.result[0].bits_per_byte, sum[0] / log(2) / (double)r.bytes, 1e-6);
        NEAR(r.result[0].word_ppl, exp(sum[0] / (double)r.words), 1e-5 * r.result[0].word_ppl);
        assert_true(r.result[2].bytes < r.bytes);
    }
    model_free(m);
}

static void same_bits_for_any_batching(void **state)
{
    (void)state;
    struct model *m = load();
    struct eval_perplexity_options o = EVAL_PERPLEXITY_OPTIONS_DEFAULT;
    o.window = 16;
    o.chunk = 8;
    struct eval_perplexity_report a = measure(m, &o, 0, DOCUMENTS);
    const size_t batches[] = { 1, 7, 40, 100000 };
    for (int i = 0; i < 4; i++) {
        o.batch_tokens = batches[i];
        base_threads_set(1 + i % 2);
        struct eval_perplexity_report b = measure(m, &o, 0, DOCUMENTS);
        assert_int_equal(b.forward_tokens, a.forward_tokens);
        for (int k = 0; k < 3; k++) {
            NEAR(b.result[k].nll, a.result[k].nll, 0);
            NEAR(b.result[k].bootstrap.low, a.result[k].bootstrap.low, 0);
            NEAR(b.result[k].delta.high, a.result[k].delta.high, 0);
        }
        NEAR(b.result[1].ppl_documented, a.result[1].ppl_documented, 0);
    }
    base_threads_set(0);
    model_free(m);
}

/* Without BOS, chunks of the strided window's size are every other strided window; of the eight
 * tokens the last is only predicted. */
static void shared_windows_run_once(void **state)
{
    (void)state;
    struct model *m = load();
    struct eval_perplexity_options o = EVAL_PERPLEXITY_OPTIONS_DEFAULT;
    o.window = o.chunk = 8;
    o.stride = 4;
    o.bos = EVAL_BOS_NO;
    struct eval_perplexity_report all = measure(m, &o, 0, DOCUMENTS);
    assert_int_equal(all.shared_tokens, 7 * all.result[EVAL_CHUNKED].windows);
    for (int k = 0; k < 3; k++) {
        struct eval_perplexity_options one = o;
        for (int j = 0; j < 3; j++)
            one.methods[j] = j == k;
        struct eval_perplexity_report alone = measure(m, &one, 0, DOCUMENTS);
        NEAR(alone.result[k].nll, all.result[k].nll, 0);
        assert_string_equal(alone.result[(k + 1) % 3].missing, "not asked for");
    }
    model_free(m);
}

static void intervals_are_over_documents(void **state)
{
    (void)state;
    struct model *m = load();
    struct eval_perplexity_options o = EVAL_PERPLEXITY_OPTIONS_DEFAULT;
    o.window = 16;
    o.seed = 3;
    double y[4], x[4];
    int n = 0;
    for (int d = 0; d < DOCUMENTS; d++) {
        if (!*documents[d])
            continue;
        struct eval_perplexity_report one = measure(m, &o, d, d + 1);
        y[n] = one.result[EVAL_ROLLING].nll;
        x[n++] = (double)one.result[EVAL_ROLLING].tokens;
        assert_string_equal(one.result[EVAL_ROLLING].unit, "window");
        assert_true(one.result[EVAL_ROLLING].has_interval == (one.result[EVAL_ROLLING].units >= 5));
        if (!one.result[EVAL_ROLLING].has_interval)
            assert_non_null(strstr(one.result[EVAL_ROLLING].interval_note, "fewer than 5 windows"));
    }
    struct eval_perplexity_report r = measure(m, &o, 0, DOCUMENTS);
    const struct eval_perplexity_result *k = &r.result[EVAL_ROLLING];
    assert_true(k->has_interval);
    assert_string_equal(k->unit, "document");
    assert_int_equal(k->units, 4);
    struct stats_interval ci;
    struct stats_ratio ratio;
    assert_int_equal(stats_bootstrap_ratio(y, x, 4, 2000, 3, 0.95, &ci), 0);
    NEAR(k->bootstrap.low, exp(ci.low), 1e-12 * exp(ci.low));
    NEAR(k->bootstrap.high, exp(ci.high), 1e-12 * exp(ci.high));
    assert_int_equal(stats_ratio(y, x, 4, &ratio), 0);
    assert_int_equal(stats_interval_t(ratio.ratio, ratio.se, 3, 0.95, &ci), 0);
    NEAR(k->delta.low, exp(ci.low), 1e-12 * exp(ci.low));
    /* one document of enough windows: over its windows, and said */
    o.window = 4;
    r = measure(m, &o, 4, 5);
    assert_true(r.result[EVAL_ROLLING].has_interval);
    assert_string_equal(r.result[EVAL_ROLLING].unit, "window");
    assert_non_null(strstr(r.result[EVAL_ROLLING].interval_note, "one document only"));
    /* too short for a chunk: no figure, with the reason */
    o.window = o.chunk = 48;
    r = measure(m, &o, 3, 4);
    assert_int_equal(r.result[EVAL_CHUNKED].tokens, 0);
    assert_non_null(strstr(r.result[EVAL_CHUNKED].missing, "as long as one chunk"));
    model_free(m);
}

/* tests/oracle/perplexity.py: transformers in float64 on the same ids. */
static void real_model_as_transformers(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("models/tinystories-656k/config.json");
    TEST_NEEDS_SHARED("corpora/tinystories_sample_tiny.txt");
    struct model *m = NULL;
    assert_int_equal(model_load(&m, test_shared_path("models/tinystories-656k"), NULL), 0);
    struct eval_perplexity_options o = EVAL_PERPLEXITY_OPTIONS_DEFAULT;
    o.window = 128;
    o.stride = 64;
    o.chunk = 96;
    const char *file = test_shared_path("corpora/tinystories_sample_tiny.txt");
    struct eval_documents_options how = { 0 };
    struct eval_documents *d = NULL;
    struct eval_perplexity *p = NULL;
    struct eval_perplexity_report r;
    const char *text, *name;
    size_t bytes;
    uint64_t done;
    assert_int_equal(eval_documents_open(&d, &file, 1, &how), 0);
    assert_int_equal(eval_perplexity_new(&p, m, &o), 0);
    while (eval_documents_next(d, &text, &bytes, &name, &done) > 0)
        assert_int_equal(eval_perplexity_add(p, name, text, bytes), 0);
    assert_int_equal(eval_perplexity_finish(p, &r), 0);
    assert_int_equal(r.result[EVAL_ROLLING].tokens, 890);
    assert_int_equal(r.result[EVAL_STRIDED].tokens, 890);
    assert_int_equal(r.result[EVAL_CHUNKED].tokens, 423);
    NEAR(r.result[EVAL_ROLLING].ppl, 55.329994135, 2e-5);
    NEAR(r.result[EVAL_STRIDED].ppl, 44.481533183, 2e-5);
    NEAR(r.result[EVAL_STRIDED].ppl_documented, 44.503272824, 2e-5);
    NEAR(r.result[EVAL_CHUNKED].ppl, 39.224391067, 2e-5);
    eval_perplexity_free(p);
    eval_documents_close(d);
    model_free(m);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    struct model *m = load();
    struct eval_perplexity *p = NULL;
    struct eval_perplexity_options o = EVAL_PERPLEXITY_OPTIONS_DEFAULT;
    o.window = TEST_TINY_CONTEXT + 1;
    assert_int_equal(eval_perplexity_new(&p, m, &o), BASE_E_LIMIT);
    assert_null(p);
    o.window = 16;
    o.stride = 17;
    assert_int_equal(eval_perplexity_new(&p, m, &o), BASE_E_ARGUMENT);
    model_free(m);
}

static void pairs_split_as_lm_eval(void **state)
{
    (void)state;
    struct model *m = load();
    const struct tokenizer *t;
    assert_int_equal(model_tokenizer(m, &t), 0);
    struct eval_pair a, b;
    struct eval_ids whole, stem;
    /* blanks at the context's end count as the continuation's */
    assert_int_equal(eval_pair_encode(t, "The cat ", 8, "sat", 3, EVAL_BOS_NO, &a), 0);
    assert_int_equal(eval_pair_encode(t, "The cat", 7, " sat", 4, EVAL_BOS_NO, &b), 0);
    assert_int_equal(eval_encode(t, "x", "The cat sat", 11, EVAL_BOS_NO, &whole), 0);
    assert_int_equal(eval_encode(t, "x", "The cat", 7, EVAL_BOS_NO, &stem), 0);
    assert_int_equal(a.ids.count, whole.count);
    assert_memory_equal(a.ids.at, whole.at, whole.count * sizeof *whole.at);
    assert_int_equal(a.context_count, stem.count);
    assert_false(a.boundary_retokenized);
    assert_int_equal(b.context_count, a.context_count);
    assert_memory_equal(a.ids.at, b.ids.at, whole.count * sizeof *whole.at);
    eval_ids_free(&whole);
    eval_ids_free(&stem);
    eval_pair_free(&a);
    eval_pair_free(&b);
    /* a token across the border: cut before it, and said */
    assert_int_equal(eval_pair_encode(t, "The hou", 7, "se", 2, EVAL_BOS_NO, &a), 0);
    assert_true(a.boundary_retokenized);
    assert_true(a.context_count >= 1 && a.context_count < a.ids.count);
    eval_pair_free(&a);
    /* nothing precedes: the prefix token does */
    assert_int_equal(eval_pair_encode(t, "", 0, "The cat", 7, EVAL_BOS_NO, &a), 0);
    assert_int_equal(a.context_count, 1);
    assert_int_equal(a.ids.at[0], eval_prefix_id(t));
    eval_pair_free(&a);
    assert_int_equal(eval_pair_encode(t, "The", 3, "", 0, EVAL_BOS_NO, &a), BASE_E_ARGUMENT);
    assert_int_equal(eval_pair_encode(t, "The", 3, "\xff", 1, EVAL_BOS_NO, &a), BASE_E_FORMAT);
    assert_int_equal(eval_encode(t, "the prompt", "", 0, EVAL_BOS_AUTO, &whole), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "the prompt is empty"));
    model_free(m);
}

static void allocation_failures_leak_nothing(void **state)
{
    (void)state;
    long before = base_alloc_live();
    struct model *m = load();
    struct eval_perplexity_options o = EVAL_PERPLEXITY_OPTIONS_DEFAULT;
    o.window = 16;
    o.resamples = 10;
    measure(m, &o, 0, DOCUMENTS);
    long live = base_alloc_live();
    for (long n = 1; n < 3000; n++) {
        struct eval_perplexity *p = NULL;
        struct eval_perplexity_report r;
        base_alloc_fail_after(n);
        int rc = eval_perplexity_new(&p, m, &o);
        for (int i = 0; rc == 0 && i < 3; i++)
            rc = eval_perplexity_add(p, "test", documents[i], strlen(documents[i]));
        if (rc == 0)
            rc = eval_perplexity_finish(p, &r);
        base_alloc_fail_after(0);
        eval_perplexity_free(p);
        assert_int_equal(base_alloc_live(), live);
        if (rc == 0)
            break;
        assert_int_equal(rc, BASE_E_MEMORY);
    }
    model_free(m);
    assert_int_equal(base_alloc_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_by_definition),
        cmocka_unit_test(same_bits_for_any_batching),
        cmocka_unit_test(shared_windows_run_once),
        cmocka_unit_test(intervals_are_over_documents),
        cmocka_unit_test(real_model_as_transformers),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(pairs_split_as_lm_eval),
        cmocka_unit_test(allocation_failures_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
