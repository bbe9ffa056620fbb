/* The local backend: every answer against the model asked directly, one request at a time; the same
 * bits for any batch, cache, thread count and order; generation, windows, inputs that are too long.
 */
#include "base/memory.h"
#include "eval/trie.h"
#include <assay/backend.h>
#include <assay/sampler.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "tiny_model.h"

static struct model *load(void)
{
    struct model *m = NULL;
    test_tiny_need(model_load(&m, test_tiny_model(), NULL), "load");
    return m;
}

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static struct eval_request pair(const char *context, const char *continuation)
{
    return (struct eval_request){ .kind = EVAL_REQUEST_LOGLIKELIHOOD,
                                  .context = text(context),
                                  .continuation = text(continuation) };
}

static const char *const contexts[] = { "The cat sat on the", "The cat sat on the mat. The dog", "",
                                        "Once upon a time there was a little",
                                        "The cat sat on the mat, and the dog ran after the" };
static const char *const continuations[] = { " mat", " mat.", " house on the hill", " dog",
                                             " cat", "s",     " little time" };
enum { CONTEXTS = 5, CONTINUATIONS = 7, PAIRS = CONTEXTS * CONTINUATIONS };

static void make_pairs(struct eval_request *r, const struct eval_request **list)
{
    for (size_t i = 0; i < PAIRS; i++) {
        r[i] = pair(contexts[i / CONTINUATIONS], continuations[i % CONTINUATIONS]);
        list[i] = &r[i];
    }
}

/* By definition: the whole sequence through the model, alone. */
static void score_alone(struct model *m, const struct eval_pair *p, double *sum, bool *greedy,
                        double *first)
{
    struct model_sequence *s = NULL;
    size_t n = p->ids.count, scored = n - p->context_count;
    double logprobs[64], *row = logprobs;
    bool best[64], *flags = best;
    const int32_t *targets = p->ids.at + p->context_count;
    assert_int_equal(model_sequence_new(&s, m), 0);
    struct model_item item = { s, p->ids.at, n - 1, p->context_count - 1 };
    assert_int_equal(model_score(m, &item, 1, &targets, &row, &flags, NULL), 0);
    *sum = 0;
    *greedy = true;
    *first = logprobs[0];
    for (size_t i = 0; i < scored; i++) {
        *sum += logprobs[i];
        *greedy = *greedy && best[i];
    }
    model_sequence_free(s);
}

static void pairs_as_defined(void **state)
{
    (void)state;
    struct model *m = load();
    const struct tokenizer *t;
    struct eval_request requests[PAIRS];
    const struct eval_request *list[PAIRS];
    struct eval_response got[PAIRS] = { 0 };
    struct eval_backend *b;
    assert_int_equal(model_tokenizer(m, &t), 0);
    make_pairs(requests, list);
    assert_int_equal(eval_backend_local(&b, m, NULL), 0);
    assert_int_equal(eval_backend_ask(b, list, PAIRS, got, NULL, NULL), 0);
    for (size_t i = 0; i < PAIRS; i++) {
        struct eval_pair p;
        double sum, first;
        bool greedy;
        assert_int_equal(eval_pair_encode(t, requests[i].context, strlen(requests[i].context),
                                          requests[i].continuation,
                                          strlen(requests[i].continuation), EVAL_BOS_AUTO, &p),
                         0);
        score_alone(m, &p, &sum, &greedy, &first);
        assert_true(got[i].logprob == sum);
        assert_true(got[i].first_logprob == first);
        assert_int_equal(got[i].greedy, greedy);
        assert_int_equal(got[i].tokens, p.ids.count - p.context_count);
        assert_int_equal(got[i].n_ids, p.ids.count < 8 ? p.ids.count : 8);
        assert_memory_equal(got[i].ids, p.ids.at, got[i].n_ids * sizeof *got[i].ids);
        assert_int_equal(got[i].boundary_retokenized, p.boundary_retokenized);
        eval_pair_free(&p);
    }
    json_t *counters = eval_backend_counters(b);
    json_int_t ran = json_integer_value(json_object_get(counters, "forward_tokens")),
               shared = json_integer_value(json_object_get(counters, "shared_tokens"));
    assert_int_equal(json_integer_value(json_object_get(counters, "requests")), PAIRS);
    assert_true(ran > 0 && shared > 2 * ran); /* seven continuations of each context */
    json_decref(counters);
    json_t *d = eval_backend_describe(b);
    assert_string_equal(json_string_value(json_object_get(d, "identity")),
                        eval_backend_identity(b));
    assert_int_equal(strlen(eval_backend_identity(b)), 64);
    json_decref(d);
    eval_backend_free(b);
    model_free(m);
}

static struct eval_generation generation(bool sample, size_t repeats, size_t max_tokens)
{
    static char *until[] = { NULL };
    return (struct eval_generation){ .until = until,
                                     .max_tokens = max_tokens,
                                     .sample = sample,
                                     .temperature = sample ? 0.9 : 0,
                                     .top_p = 0.95,
                                     .repeats = repeats };
}

/* Pairs, texts to roll over and generations together, asked in several ways. */
static void same_bits(void **state)
{
    (void)state;
    struct model *m = load();
    struct eval_request requests[PAIRS + 6];
    const struct eval_request *list[PAIRS + 6], *shuffled[PAIRS + 6];
    struct eval_generation greedy = generation(false, 2, 9), sampled = generation(true, 3, 11);
    enum { N = PAIRS + 6 };
    static const char *const long_text =
        "Once upon a time there was a little house on a hill; the sun was warm. The cat sat on the "
        "mat. The dog ran to the house, and the cat ran after the dog. The cat ran to the hill and "
        "the dog sat on the mat, and the sun was little and the mat was warm and the time was up.";
    make_pairs(requests, list);
    requests[PAIRS] =
        (struct eval_request){ EVAL_REQUEST_ROLLING, text(""), text(long_text), NULL, 0 };
    requests[PAIRS + 1] =
        (struct eval_request){ EVAL_REQUEST_ROLLING, text(""), text("The dog sat."), NULL, 0 };
    for (size_t i = 0; i < 4; i++)
        requests[PAIRS + 2 + i] =
            (struct eval_request){ EVAL_REQUEST_GENERATE, text(contexts[i % 2]), NULL,
                                   i < 2 ? &greedy : &sampled, 17 + i };
    for (size_t i = 0; i < N; i++)
        list[i] = &requests[i];
    struct eval_response first[N] = { 0 };
    static const struct {
        size_t batch, cache;
        int threads;
        size_t step; /* order: i * step mod N */
    } ways[] = { { 0, 0, 1, 1 },   { 1, 1, 2, 1 },       { 7, 1, 1, 10 },
                 { 64, 0, 3, 13 }, { 100000, 0, 2, 40 }, { 20, 200000, 2, 3 } };
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        struct eval_backend_options o = { .batch_tokens = ways[w].batch,
                                          .cache_bytes = ways[w].cache };
        struct eval_response got[N] = { 0 };
        struct eval_backend *b;
        base_threads_set(ways[w].threads);
        for (size_t i = 0; i < N; i++)
            shuffled[i] = list[i * ways[w].step % N];
        assert_int_equal(eval_backend_local(&b, m, &o), 0);
        if (eval_backend_ask(b, shuffled, N, got, NULL, NULL))
            fail_msg("way %zu: %s", w, base_error_message());
        for (size_t i = 0; i < N; i++) {
            struct eval_response *g = &got[i], *f = &first[i * ways[w].step % N];
            if (w == 0) {
                *f = *g;
                continue;
            }
            assert_true(g->logprob == f->logprob && g->first_logprob == f->first_logprob);
            assert_int_equal(g->tokens, f->tokens);
            assert_int_equal(g->greedy, f->greedy);
            assert_int_equal(g->n_texts, f->n_texts);
            for (size_t k = 0; k < g->n_texts; k++)
                assert_string_equal(g->texts[k], f->texts[k]);
            eval_response_clear(g);
        }
        eval_backend_free(b);
    }
    base_threads_set(0);
    assert_int_equal(first[PAIRS + 2].n_texts, 2);
    assert_string_equal(first[PAIRS + 2].texts[0], first[PAIRS + 2].texts[1]);
    assert_int_equal(first[PAIRS + 4].n_texts, 3);
    assert_true(strcmp(first[PAIRS + 4].texts[0], first[PAIRS + 4].texts[1]) != 0);
    for (size_t i = 0; i < N; i++)
        eval_response_clear(&first[i]);
    model_free(m);
}

/* Windows of the model's context, each after one token, by the header's definition. */
static void rolling_as_defined(void **state)
{
    (void)state;
    struct model *m = load();
    const struct tokenizer *t;
    struct eval_backend *b;
    char long_text[2000] = "";
    for (int i = 0; i < 12; i++)
        strcat(long_text, "The cat ran to the hill and the dog sat on the mat. ");
    struct eval_request r = { EVAL_REQUEST_ROLLING, text(""), long_text, NULL, 0 };
    const struct eval_request *list[] = { &r };
    struct eval_response got = { 0 };
    assert_int_equal(model_tokenizer(m, &t), 0);
    assert_int_equal(eval_backend_local(&b, m, NULL), 0);
    assert_int_equal(eval_backend_ask(b, list, 1, &got, NULL, NULL), 0);
    struct eval_perplexity_options o = EVAL_PERPLEXITY_OPTIONS_DEFAULT;
    struct eval_perplexity *p;
    struct eval_perplexity_report report;
    assert_int_equal(eval_perplexity_new(&p, m, &o), 0);
    assert_int_equal(eval_perplexity_add(p, "text", long_text, strlen(long_text)), 0);
    assert_int_equal(eval_perplexity_finish(p, &report), 0);
    assert_int_equal(got.tokens, report.result[EVAL_ROLLING].tokens);
    assert_true(got.tokens > 3 * TEST_TINY_CONTEXT);
    assert_true(fabs(got.logprob + report.result[EVAL_ROLLING].nll) < 1e-9 * fabs(got.logprob));
    eval_perplexity_free(p);
    eval_backend_free(b);
    model_free(m);
}

/* The same texts as assay generate's, whose decoder is told the prompt. */
static void texts_as_generated(void **state)
{
    (void)state;
    struct model *m = load();
    const struct tokenizer *t;
    struct eval_backend *b;
    assert_int_equal(model_tokenizer(m, &t), 0);
    assert_int_equal(eval_backend_local(&b, m, NULL), 0);
    for (int sample = 0; sample < 2; sample++) {
        struct eval_generation g = generation(sample, 2, 12);
        struct eval_request r = { EVAL_REQUEST_GENERATE, text(contexts[1]), NULL, &g, 5 };
        const struct eval_request *list[] = { &r };
        struct eval_response got = { 0 };
        assert_int_equal(eval_backend_ask(b, list, 1, &got, NULL, NULL), 0);
        struct eval_ids ids;
        assert_int_equal(
            eval_encode(t, "prompt", contexts[1], strlen(contexts[1]), EVAL_BOS_AUTO, &ids), 0);
        struct generate_options o = GENERATE_OPTIONS_DEFAULT;
        struct generate_result results[2];
        o.samples = 2;
        o.max_tokens = 12;
        o.sampling.temperature = g.temperature;
        o.sampling.top_p = g.top_p;
        o.sampling.seed = 5;
        assert_int_equal(generate(m, ids.at, ids.count, &o, NULL, NULL, results), 0);
        size_t tokens = 0;
        for (size_t i = 0; i < 2; i++) {
            assert_string_equal(got.texts[i], results[i].text);
            tokens += results[i].count;
            generate_result_free(&results[i]);
        }
        assert_int_equal(got.tokens, sample ? tokens : tokens / 2);
        /* a stop string: the text before it */
        assert_true(strlen(got.texts[0]) > 6);
        char stop[3] = { got.texts[0][3], got.texts[0][4], 0 }, *stops[] = { stop };
        g.until = stops;
        g.n_until = 1;
        struct eval_response cut = { 0 };
        assert_int_equal(eval_backend_ask(b, list, 1, &cut, NULL, NULL), 0);
        size_t n = (size_t)(strstr(got.texts[0], stop) - got.texts[0]);
        assert_int_equal(strlen(cut.texts[0]), n);
        assert_memory_equal(cut.texts[0], got.texts[0], n);
        eval_response_clear(&got);
        eval_response_clear(&cut);
        eval_ids_free(&ids);
    }
    eval_backend_free(b);
    model_free(m);
}

static void too_long(void **state)
{
    (void)state;
    struct model *m = load();
    const struct tokenizer *t;
    assert_int_equal(model_tokenizer(m, &t), 0);
    char context[3000] = "";
    for (int i = 0; i < 30; i++)
        strcat(context, "The dog ran after the cat to the house. ");
    struct eval_request r = pair(context, "The cat sat"), fine = pair("The", " cat");
    const struct eval_request *list[] = { &fine, &r };
    struct eval_response got[2] = { 0 };
    struct eval_backend *b;
    struct eval_backend_options o = EVAL_BACKEND_OPTIONS_DEFAULT;
    assert_int_equal(eval_backend_local(&b, m, &o), 0);
    assert_int_equal(eval_backend_ask(b, list, 2, got, NULL, NULL), BASE_E_LIMIT);
    assert_non_null(strstr(base_error_message(), "request 1"));
    eval_backend_free(b);

    o.overlength_skip = true;
    memset(got, 0, sizeof got);
    assert_int_equal(eval_backend_local(&b, m, &o), 0);
    assert_int_equal(eval_backend_ask(b, list, 2, got, NULL, NULL), 0);
    assert_true(got[1].skipped && !got[0].skipped && got[0].logprob < 0);
    json_t *counters = eval_backend_counters(b);
    assert_int_equal(json_integer_value(json_object_get(counters, "skipped")), 1);
    json_decref(counters);
    eval_backend_free(b);

    /* lm-eval: the last context + 1 ids, of which the last is only predicted */
    o.overlength_skip = false;
    o.overlength = EVAL_OVERLENGTH_LEFT;
    memset(got, 0, sizeof got);
    assert_int_equal(eval_backend_local(&b, m, &o), 0);
    assert_int_equal(eval_backend_ask(b, list, 2, got, NULL, NULL), 0);
    struct eval_pair p;
    assert_int_equal(eval_pair_encode(t, context, strlen(context), r.continuation,
                                      strlen(r.continuation), EVAL_BOS_AUTO, &p),
                     0);
    size_t drop = p.ids.count - (TEST_TINY_CONTEXT + 1);
    assert_int_equal(got[1].cut, drop);
    assert_int_equal(got[1].ids[0], p.ids.at[drop]);
    struct eval_pair rest = p;
    double sum, first;
    bool greedy;
    rest.ids.at += drop;
    rest.ids.count -= drop;
    rest.context_count -= drop;
    score_alone(m, &rest, &sum, &greedy, &first);
    assert_true(got[1].logprob == sum);
    eval_pair_free(&p);

    /* a prompt keeps room for its answer */
    struct eval_generation g = generation(false, 1, 10);
    struct eval_request write = { EVAL_REQUEST_GENERATE, context, NULL, &g, 0 };
    const struct eval_request *one[] = { &write };
    struct eval_response text = { 0 };
    assert_int_equal(eval_backend_ask(b, one, 1, &text, NULL, NULL), 0);
    struct eval_ids ids;
    assert_int_equal(eval_encode(t, "", context, strlen(context), EVAL_BOS_AUTO, &ids), 0);
    assert_int_equal(text.cut, ids.count - (TEST_TINY_CONTEXT - 10));
    eval_ids_free(&ids);
    eval_response_clear(&text);
    g.max_tokens = 0;
    assert_int_equal(eval_backend_ask(b, one, 1, &text, NULL, NULL), 0);
    assert_string_equal(text.texts[0], "");
    eval_response_clear(&text);
    g.max_tokens = TEST_TINY_CONTEXT;
    assert_int_equal(eval_backend_ask(b, one, 1, &text, NULL, NULL), BASE_E_LIMIT);
    eval_response_clear(&text);
    eval_backend_free(b);
    model_free(m);
}

/* lm-eval's split where a token spans the border: the context as encoded by itself, then what is
 * left of the whole behind as many tokens. */
static void join_as_lm_eval(void **state)
{
    (void)state;
    struct model *m = load();
    const struct tokenizer *t;
    struct eval_backend_options o = { .lm_eval_join = true };
    struct eval_backend *common, *theirs;
    static const char *const border[][2] = { { "The ca", "t sat on the mat" },
                                             { "The little hou", "se was warm" },
                                             { "The dog", " ran" } };
    size_t spanning = 0;
    assert_int_equal(model_tokenizer(m, &t), 0);
    assert_int_equal(eval_backend_local(&common, m, NULL), 0);
    assert_int_equal(eval_backend_local(&theirs, m, &o), 0);
    assert_string_not_equal(eval_backend_identity(common), eval_backend_identity(theirs));
    for (size_t i = 0; i < 3; i++) {
        char whole[100];
        struct eval_ids before, all;
        struct eval_request r = pair(border[i][0], border[i][1]);
        const struct eval_request *list[] = { &r };
        struct eval_response a = { 0 }, b = { 0 };
        snprintf(whole, sizeof whole, "%s%s", border[i][0], border[i][1]);
        assert_int_equal(eval_backend_ask(common, list, 1, &a, NULL, NULL), 0);
        assert_int_equal(eval_backend_ask(theirs, list, 1, &b, NULL, NULL), 0);
        assert_int_equal(
            eval_encode(t, "", border[i][0], strlen(border[i][0]), EVAL_BOS_AUTO, &before), 0);
        assert_int_equal(eval_encode(t, "", whole, strlen(whole), EVAL_BOS_AUTO, &all), 0);
        assert_true(a.boundary_retokenized == b.boundary_retokenized);
        spanning += a.boundary_retokenized;
        assert_int_equal(b.tokens, all.count - before.count);
        memcpy(all.at, before.at, before.count * sizeof *all.at);
        struct eval_pair p = { .ids = all, .context_count = before.count };
        double sum, first;
        bool greedy;
        score_alone(m, &p, &sum, &greedy, &first);
        assert_true(b.logprob == sum && b.first_logprob == first);
        assert_true((a.logprob == b.logprob) == !a.boundary_retokenized);
        eval_ids_free(&before);
        eval_ids_free(&all);
    }
    assert_true(spanning > 0 && spanning < 3);
    eval_backend_free(common);
    eval_backend_free(theirs);
    model_free(m);
}

struct seen {
    size_t calls[PAIRS];
    size_t stop_after, total;
};

static int on_answered(void *context, size_t request, const struct eval_response *response)
{
    struct seen *s = context;
    assert_true(response->tokens > 0);
    s->calls[request]++;
    return ++s->total == s->stop_after ? base_error_set(BASE_E_IO, "enough") : 0;
}

static void tells_each_once(void **state)
{
    (void)state;
    struct model *m = load();
    struct eval_request requests[PAIRS];
    const struct eval_request *list[PAIRS];
    struct eval_backend *b;
    make_pairs(requests, list);
    assert_int_equal(eval_backend_local(&b, m, NULL), 0);
    for (size_t stop = 0; stop < PAIRS; stop += 9) {
        struct seen seen = { .stop_after = stop };
        struct eval_response got[PAIRS] = { 0 };
        assert_int_equal(eval_backend_ask(b, list, PAIRS, got, on_answered, &seen),
                         stop ? BASE_E_IO : 0);
        for (size_t i = 0; i < PAIRS; i++)
            assert_true(stop ? seen.calls[i] <= 1 : seen.calls[i] == 1);
        assert_int_equal(seen.total, stop ? stop : PAIRS);
    }
    eval_backend_free(b);
    model_free(m);
}

static void memory_runs_out(void **state)
{
    (void)state;
    struct model *m = load();
    struct eval_generation g = generation(true, 2, 4);
    struct eval_request requests[5] = { pair("The cat", " sat"), pair("The cat", " sat on"),
                                        pair("The dog", " ran") };
    requests[3] = (struct eval_request){ EVAL_REQUEST_GENERATE, text("The cat"), NULL, &g, 1 };
    requests[4] =
        (struct eval_request){ EVAL_REQUEST_ROLLING, text(""), text("The sun."), NULL, 0 };
    const struct eval_request *list[5];
    for (size_t i = 0; i < 5; i++)
        list[i] = &requests[i];
    base_threads_set(1);
    int rc = -1;
    for (long n = 1; rc; n++) {
        struct eval_backend *b = NULL;
        struct eval_response got[5] = { 0 };
        long live = base_alloc_live();
        base_alloc_fail_after(n);
        rc = eval_backend_local(&b, m, NULL);
        if (rc == 0)
            rc = eval_backend_ask(b, list, 5, got, NULL, NULL);
        base_alloc_fail_after(0);
        if (rc)
            assert_int_equal(rc, BASE_E_MEMORY);
        for (size_t i = 0; i < 5; i++)
            eval_response_clear(&got[i]);
        eval_backend_free(b);
        /* the model keeps pages and scratch for the next call */
        if (n > 400)
            assert_true(base_alloc_live() - live < 64);
        assert_true(n < 5000);
    }
    base_threads_set(0);
    model_free(m);
}

static void trie_shares_prefixes(void **state)
{
    (void)state;
    static const int32_t a[] = { 1, 2, 3, 4 }, b[] = { 1, 2, 5 }, c[] = { 1, 2 }, d[] = { 7 },
                         e[] = { 1, 2, 3, 4 }, f[] = { 1, 2, 3, 9, 9 };
    const struct eval_trie_key keys[] = {
        { a, 4 }, { b, 3 }, { c, 2 }, { d, 1 }, { e, 4 }, { f, 5 }
    };
    struct eval_trie t;
    assert_int_equal(eval_trie_build(&t, keys, 6), 0);
    static const size_t order[] = { 2, 0, 4, 5, 1, 3 };
    assert_memory_equal(t.order, order, sizeof order);
    assert_int_equal(t.count, 6);
    const struct eval_trie_node *n = &t.nodes[t.first_root];
    assert_true(n->begin == 0 && n->end == 2 && n->lo == 0 && n->hi == 5);
    assert_true(t.nodes[n->next].begin == 0 && t.nodes[n->next].end == 1 &&
                t.nodes[n->next].next == EVAL_TRIE_NONE);
    n = &t.nodes[n->first_child]; /* 3 */
    assert_true(n->begin == 2 && n->end == 3 && n->lo == 1 && n->hi == 4);
    assert_true(t.nodes[n->next].begin == 2 && t.nodes[n->next].end == 3 &&
                t.nodes[n->next].lo == 4 && t.nodes[n->next].hi == 5);
    n = &t.nodes[n->first_child]; /* 4, twice */
    assert_true(n->begin == 3 && n->end == 4 && n->lo == 1 && n->hi == 3 &&
                n->first_child == EVAL_TRIE_NONE);
    n = &t.nodes[n->next]; /* 9 9 */
    assert_true(n->begin == 3 && n->end == 5 && n->lo == 3 && n->hi == 4);
    eval_trie_free(&t);
    assert_int_equal(eval_trie_build(&t, keys, 0), 0);
    assert_int_equal(t.count, 0);
    eval_trie_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trie_shares_prefixes),
        cmocka_unit_test(pairs_as_defined),
        cmocka_unit_test(same_bits),
        cmocka_unit_test(rolling_as_defined),
        cmocka_unit_test(texts_as_generated),
        cmocka_unit_test(too_long),
        cmocka_unit_test(join_as_lm_eval),
        cmocka_unit_test(tells_each_once),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
