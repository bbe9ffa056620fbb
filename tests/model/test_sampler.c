/* The sampling steps against llama.cpp's own cases and transformers' LogitsProcessors; the
 * sampler's purity; the draws' distribution. */
#include "base/json.h"
#include "base/memory.h"
#include "base/rng.h"
#include <assay/sampler.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"
#include <gsl/gsl_cdf.h>

#define MOST 4096

static double number(const json_t *c, const char *key, double otherwise)
{
    const json_t *v = json_object_get(c, key);
    return v ? json_number_value(v) : otherwise;
}

static size_t read_ids(const json_t *array, int32_t *out)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        out[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return json_array_size(array);
}

static void run_dry(struct sampler_candidates *c, const json_t *k, const int32_t *history, size_t n)
{
    const json_t *list = json_object_get(k, "dry_breakers");
    int32_t ids[8][8];
    struct sampler_breaker breakers[8];
    size_t count = json_array_size(list), window = (size_t)number(k, "dry_penalty_last_n", 0);
    for (size_t i = 0; i < count; i++)
        breakers[i] = (struct sampler_breaker){ ids[i], read_ids(json_array_get(list, i), ids[i]) };
    if (n > window) {
        history += n - window;
        n = window;
    }
    assert_int_equal(sampler_dry(c, history, n, number(k, "dry_multiplier", 0),
                                 number(k, "dry_base", 0),
                                 (size_t)number(k, "dry_allowed_length", 0), breakers, count),
                     0);
}

/* llama.cpp's tests/test-sampling.cpp, all 40. */
static void llama_cpp_cases(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("eval/llama_cpp/sampling_golden.json");
    json_t *file = NULL;
    assert_int_equal(base_json_load(&file, test_shared_path("eval/llama_cpp/sampling_golden.json")),
                     0);
    const json_t *cases = json_object_get(file, "cases");
    assert_int_equal(json_array_size(cases), 40);
    for (size_t i = 0; i < 40; i++) {
        const json_t *k = json_array_get(cases, i), *probs = json_object_get(k, "probs"),
                     *want = json_object_get(k, "expected");
        const char *name = json_string_value(json_object_get(k, "sampler"));
        struct sampler_candidate at[16];
        struct sampler_candidates c = { .at = at, .count = json_array_size(probs) };
        for (size_t t = 0; t < c.count; t++)
            at[t] = (struct sampler_candidate){ .id = (int32_t)t,
                                                .logit = (real)logf((float)json_number_value(
                                                    json_array_get(probs, t))) };
        int32_t history[64];
        size_t n = read_ids(json_object_get(k, "last_tokens"), history);
        if (strcmp(name, "temp") == 0)
            sampler_temperature(&c, number(k, "temp", NAN));
        else if (strcmp(name, "temp_ext") == 0)
            sampler_temperature_dynamic(&c, number(k, "temp", NAN), number(k, "delta", NAN),
                                        number(k, "exponent", NAN));
        else if (strcmp(name, "top_k") == 0)
            sampler_top_k(&c, (int64_t)number(k, "k", NAN));
        else if (strcmp(name, "top_p") == 0)
            sampler_top_p(&c, number(k, "p", NAN), 1);
        else if (strcmp(name, "min_p") == 0)
            sampler_min_p(&c, number(k, "p", NAN), 1);
        else if (strcmp(name, "typical") == 0)
            sampler_typical(&c, number(k, "p", NAN), 1);
        else if (strcmp(name, "xtc") == 0)
            sampler_xtc(&c, number(k, "p", NAN), number(k, "t", NAN), 1, 0.5);
        else if (strcmp(name, "top_n_sigma") == 0)
            sampler_top_n_sigma(&c, number(k, "n", NAN));
        else if (strcmp(name, "penalties") == 0)
            assert_int_equal(sampler_penalties(&c, history, n, number(k, "repeat_penalty", NAN),
                                               number(k, "alpha_frequency", NAN),
                                               number(k, "alpha_presence", NAN)),
                             0);
        else if (strcmp(name, "dry") == 0)
            run_dry(&c, k, history, n);
        else
            fail_msg("case %zu: unknown sampler %s", i, name);
        sampler_sort(&c, c.count); /* as llama.cpp's final distribution does */
        sampler_softmax(&c);
        if (c.count != json_array_size(want))
            fail_msg("case %zu (%s): %zu candidates left, expected %zu", i, name, c.count,
                     json_array_size(want));
        /* XTC and typical cases list the survivors' p from before the cut: they add up to less than
         * 1 */
        double total = 0;
        for (size_t t = 0; t < c.count; t++)
            total += json_number_value(json_array_get(want, t));
        if (strcmp(name, "xtc") != 0 && strcmp(name, "typical") != 0)
            total = 1;
        for (size_t t = 0; t < c.count; t++) {
            double w = json_number_value(json_array_get(want, t)) / total;
            if (!(fabs(at[t].p - w) < 1e-5))
                fail_msg("case %zu (%s): place %zu: p %.7f, expected %.7f", i, name, t, at[t].p, w);
        }
    }
    json_decref(file);
}

/* Fixture by tests/oracle/make_sampler_cases.py. */
static void transformers_cases(void **state)
{
    (void)state;
    json_t *file = NULL;
    assert_int_equal(base_json_load(&file, "tests/model/data/sampler_cases.json"), 0);
    const json_t *cases = json_object_get(file, "cases"), *k;
    size_t i;
    static struct sampler_candidate at[MOST];
    assert_true(json_array_size(cases) >= 60);
    json_array_foreach(cases, i, k)
    {
        const char *name = json_string_value(json_object_get(k, "step"));
        const json_t *logits = json_object_get(k, "logits"), *keep = json_object_get(k, "keep"),
                     *logp = json_object_get(k, "logp");
        struct sampler_candidates c = { .at = at, .count = json_array_size(logits) };
        for (size_t t = 0; t < c.count; t++)
            at[t] = (struct sampler_candidate){
                .id = (int32_t)t, .logit = (real)json_number_value(json_array_get(logits, t))
            };
        int32_t history[64];
        size_t n = read_ids(json_object_get(k, "history"), history);
        size_t min_keep = (size_t)number(k, "min_keep", 1);
        if (strcmp(name, "temperature") == 0)
            sampler_temperature(&c, number(k, "t", NAN));
        else if (strcmp(name, "top_k") == 0)
            sampler_top_k(&c, (int64_t)number(k, "k", NAN));
        else if (strcmp(name, "top_p") == 0)
            sampler_top_p(&c, number(k, "p", NAN), min_keep);
        else if (strcmp(name, "min_p") == 0)
            sampler_min_p(&c, number(k, "p", NAN), min_keep);
        else if (strcmp(name, "typical") == 0)
            sampler_typical(&c, number(k, "p", NAN), min_keep);
        else if (strcmp(name, "repetition") == 0)
            assert_int_equal(sampler_penalties(&c, history, n, number(k, "penalty", NAN), 0, 0), 0);
        else
            fail_msg("unknown step %s", name);
        sampler_softmax(&c);
        if (c.count != json_array_size(keep))
            fail_msg("case %zu (%s): %zu candidates left, expected %zu", i, name, c.count,
                     json_array_size(keep));
        for (size_t t = 0; t < json_array_size(keep); t++) {
            int32_t id = (int32_t)json_integer_value(json_array_get(keep, t));
            size_t j = 0;
            while (j < c.count && at[j].id != id)
                j++;
            if (j == c.count)
                fail_msg("case %zu (%s): token %d did not survive", i, name, id);
            double want = json_number_value(json_array_get(logp, t));
            if (!(fabs(log(at[j].p) - want) < 2e-6))
                fail_msg("case %zu (%s): token %d: ln p %.8f, expected %.8f", i, name, id,
                         log(at[j].p), want);
        }
    }
    json_decref(file);
}

/* Partial selection equals the front of a full sort, on random, constant, sorted and masked inputs.
 */
static void partial_sort_is_sort(void **state)
{
    (void)state;
    static struct sampler_candidate a[MOST], b[MOST];
    struct base_rng rng = base_rng_make(3, BASE_RNG_USER, 0);
    for (int kind = 0; kind < 5; kind++)
        for (size_t n = 1; n <= MOST; n = n * 3 + 1)
            for (size_t want = 1; want <= n; want = want * 5 + 2) {
                for (size_t i = 0; i < n; i++) {
                    real x = (real)base_rng_normal(&rng);
                    if (kind == 1)
                        x = 1;
                    else if (kind == 2)
                        x = (real)i;
                    else if (kind == 3)
                        x = (real)(n - i);
                    else if (kind == 4)
                        x = base_rng_below(&rng, 4) ? -(real)INFINITY
                                                    : (real)base_rng_below(&rng, 5);
                    a[i] = b[i] = (struct sampler_candidate){ .id = (int32_t)i, .logit = x };
                }
                struct sampler_candidates part = { .at = a, .count = n },
                                          full = { .at = b, .count = n };
                sampler_sort(&part, want / 2);
                sampler_sort(&part, want);
                sampler_sort(&full, n);
                assert_true(part.sorted >= want);
                for (size_t i = 0; i < want; i++)
                    assert_int_equal(a[i].id, b[i].id);
                for (size_t i = 1; i < n; i++)
                    assert_true(b[i - 1].logit > b[i].logit ||
                                (b[i - 1].logit == b[i].logit && b[i - 1].id < b[i].id));
            }
}

static void fill(real *logits, size_t n, uint64_t seed)
{
    struct base_rng rng = base_rng_make(seed, BASE_RNG_USER, 1);
    for (size_t i = 0; i < n; i++)
        logits[i] = (real)(2 * base_rng_normal(&rng));
}

/* Draws of one distribution over many steps and over many sequences follow it: chi-square. */
static void draws_follow_the_distribution(void **state)
{
    (void)state;
    enum { V = 24, DRAWS = 60000 };
    real logits[V];
    fill(logits, V, 5);
    for (int kind = 0; kind < 4; kind++) {
        struct sampler_options o = SAMPLER_OPTIONS_DEFAULT;
        o.seed = 42 + (uint64_t)kind;
        if (kind == 1)
            o.temperature = 0.7;
        if (kind == 2)
            o.top_p = 0.8, o.top_k = 15;
        if (kind == 3)
            o.typical_p = 0.7, o.min_p = 0.02;
        /* what must come out, by the steps themselves */
        struct sampler_candidate at[V];
        struct sampler_candidates c = { .at = at, .count = V };
        for (size_t i = 0; i < V; i++)
            at[i] = (struct sampler_candidate){ .id = (int32_t)i, .logit = logits[i] };
        sampler_temperature(&c, o.temperature);
        sampler_top_k(&c, o.top_k);
        sampler_typical(&c, o.typical_p, 1);
        sampler_top_p(&c, o.top_p, 1);
        sampler_min_p(&c, o.min_p, 1);
        sampler_softmax(&c);
        double expected[V] = { 0 };
        for (size_t i = 0; i < c.count; i++)
            expected[at[i].id] = at[i].p;
        struct sampler *s = NULL;
        assert_int_equal(sampler_new(&s, &o, V), 0);
        for (int across = 0; across < 2; across++) {
            long counts[V] = { 0 };
            for (uint64_t d = 0; d < DRAWS; d++) {
                int32_t id = -1;
                assert_int_equal(
                    sampler_next(s, logits, NULL, 0, across ? d : 0, across ? 0 : d, &id, NULL), 0);
                counts[id]++;
            }
            double chi = 0, pooled_expected = 0;
            long pooled = 0;
            int cells = 0;
            for (int i = 0; i < V; i++) {
                if (expected[i] == 0)
                    assert_int_equal(counts[i], 0);
                double e = expected[i] * DRAWS;
                if (e < 10) {
                    pooled_expected += e;
                    pooled += counts[i];
                    continue;
                }
                chi += (counts[i] - e) * (counts[i] - e) / e;
                cells++;
            }
            if (pooled_expected > 5) {
                chi += (pooled - pooled_expected) * (pooled - pooled_expected) / pooled_expected;
                cells++;
            }
            double p = gsl_cdf_chisq_Q(chi, cells - 1);
            if (p < 1e-3)
                fail_msg("kind %d, across %d: chi-square %.1f on %d cells, p = %.2g", kind, across,
                         chi, cells, p);
        }
        sampler_free(s);
    }
}

/* Successive draws of a sequence are independent: pairs against the product distribution. */
static void successive_draws_are_independent(void **state)
{
    (void)state;
    enum { V = 5, PAIRS = 40000 };
    real logits[V] = { 0, 0, 0, 0, 0 };
    struct sampler_options o = SAMPLER_OPTIONS_DEFAULT;
    struct sampler *s = NULL;
    assert_int_equal(sampler_new(&s, &o, V), 0);
    long counts[V][V] = { { 0 } };
    for (uint64_t d = 0; d < PAIRS; d++) {
        int32_t a, b;
        assert_int_equal(sampler_next(s, logits, NULL, 0, d / 100, 2 * (d % 100), &a, NULL), 0);
        assert_int_equal(sampler_next(s, logits, NULL, 0, d / 100, 2 * (d % 100) + 1, &b, NULL), 0);
        counts[a][b]++;
    }
    double chi = 0, e = PAIRS / 25.0;
    for (int a = 0; a < V; a++)
        for (int b = 0; b < V; b++)
            chi += (counts[a][b] - e) * (counts[a][b] - e) / e;
    assert_true(gsl_cdf_chisq_Q(chi, 24) > 1e-3);
    sampler_free(s);
}

static void draws_are_pure(void **state)
{
    (void)state;
    enum { V = 500 };
    real logits[V];
    fill(logits, V, 9);
    struct sampler_options o = SAMPLER_OPTIONS_DEFAULT;
    o.top_p = 0.95;
    o.repetition_penalty = 1.1;
    struct sampler *s = NULL, *other = NULL;
    assert_int_equal(sampler_new(&s, &o, V), 0);
    assert_int_equal(sampler_new(&other, &o, V), 0);
    int32_t history[40], forward[50], backward[50];
    for (int i = 0; i < 40; i++)
        history[i] = i * 7 % 50;
    for (int i = 0; i < 50; i++)
        assert_int_equal(sampler_next(s, logits, history, 40, 3, (uint64_t)i, &forward[i], NULL),
                         0);
    for (int i = 49; i >= 0; i--)
        assert_int_equal(
            sampler_next(other, logits, history, 40, 3, (uint64_t)i, &backward[i], NULL), 0);
    assert_memory_equal(forward, backward, sizeof forward);
    int same = 0;
    for (int i = 0; i < 50; i++) {
        int32_t id;
        assert_int_equal(sampler_next(s, logits, history, 40, 4, (uint64_t)i, &id, NULL), 0);
        same += id == forward[i];
    }
    assert_true(same < 25); /* another sequence draws other tokens */
    sampler_free(s);
    sampler_free(other);
}

static void greedy_takes_the_lowest_of_equals(void **state)
{
    (void)state;
    real logits[6] = { 1, 3, -2, 3, 0, 3 };
    struct sampler_options o = SAMPLER_OPTIONS_DEFAULT;
    o.temperature = 0;
    struct sampler *s = NULL;
    assert_int_equal(sampler_new(&s, &o, 6), 0);
    int32_t id = -1;
    double logprob = 0;
    assert_int_equal(sampler_next(s, logits, NULL, 0, 0, 0, &id, &logprob), 0);
    assert_int_equal(id, 1);
    double z = 3 * exp(3) + exp(1) + exp(-2) + 1;
    assert_true(fabs(logprob - (3 - log(z))) < 1e-6);
    sampler_free(s);
    /* penalties come first, and the log-probability is still the model's own */
    o.presence_penalty = 1;
    o.penalty_window = 1;
    int32_t history[2] = { 3, 1 };
    assert_int_equal(sampler_new(&s, &o, 6), 0);
    assert_int_equal(sampler_next(s, logits, history, 2, 0, 0, &id, &logprob), 0);
    assert_int_equal(id, 3); /* only the last token, 1, is penalised */
    assert_true(fabs(logprob - (3 - log(z))) < 1e-6);
    sampler_free(s);
}

static void xtc_follows_its_chance(void **state)
{
    (void)state;
    real logits[4] = { 2, 1.9, 1.8, -3 };
    struct sampler_options o = SAMPLER_OPTIONS_DEFAULT;
    o.xtc_probability = 0.25;
    o.xtc_threshold = 0.1;
    struct sampler *s = NULL;
    assert_int_equal(sampler_new(&s, &o, 4), 0);
    int counts[4] = { 0 }, draws = 20000;
    for (int d = 0; d < draws; d++) {
        int32_t id;
        assert_int_equal(sampler_next(s, logits, NULL, 0, 1, (uint64_t)d, &id, NULL), 0);
        counts[id]++;
    }
    double z = exp(2) + exp(1.9) + exp(1.8) + exp(-3);
    double p0 = 0.75 * exp(2) / z; /* token 0 only where XTC did not strike */
    assert_true(fabs(counts[0] - p0 * draws) < 4 * sqrt(draws * p0 * (1 - p0)));
    sampler_free(s);
    struct sampler_candidate at[2] = { { 0, 1, 0 }, { 1, 1, 0 } };
    struct sampler_candidates c = { .at = at, .count = 2 };
    sampler_xtc(&c, 1, 0.6, 1, 0);
    assert_int_equal(c.count, 2); /* a threshold above one half excludes nothing */
    sampler_xtc(&c, 1, 0.4, 2, 0);
    assert_int_equal(c.count, 2); /* nor does it go below min_keep */
    sampler_xtc(&c, 1, 0.4, 1, 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(at[0].id, 1);
}

static void dynamic_temperature_between_its_ends(void **state)
{
    (void)state;
    struct sampler_candidate at[3] = { { 0, 2, 0 }, { 1, 1, 0 }, { 2, 0, 0 } };
    struct sampler_candidates c = { .at = at, .count = 3 };
    double z = exp(2) + exp(1) + 1, entropy = 0;
    for (int i = 0; i < 3; i++)
        entropy -= exp(i) / z * log(exp(i) / z);
    double t = 0.5 + 1.0 * pow(entropy / log(3), 2);
    sampler_temperature_dynamic(&c, 1, 0.5, 2);
    for (int i = 0; i < 3; i++)
        assert_true(fabs((double)at[i].logit - (2 - at[i].id) / t) < 1e-6);
}

/* DRY over repetitions inside repetitions, against a search from the definition. */
static void dry_equals_its_definition(void **state)
{
    (void)state;
    enum { V = 4, N = 40 };
    struct base_rng rng = base_rng_make(8, BASE_RNG_USER, 0);
    for (int trial = 0; trial < 200; trial++) {
        int32_t history[N];
        size_t n = 2 + base_rng_below(&rng, N - 2), allowed = 1 + base_rng_below(&rng, 3);
        for (size_t i = 0; i < n; i++)
            history[i] = (int32_t)base_rng_below(&rng, V - 1);
        struct sampler_candidate at[V];
        for (int i = 0; i < V; i++)
            at[i] = (struct sampler_candidate){ .id = i, .logit = 0 };
        struct sampler_candidates c = { .at = at, .count = V };
        assert_int_equal(sampler_dry(&c, history, n, 0.5, 1.5, allowed, NULL, 0), 0);
        for (int32_t token = 0; token < V; token++) {
            size_t longest = 0;
            for (size_t place = 1; place < n; place++) {
                if (history[place] != token)
                    continue;
                size_t length = 0;
                while (length < place && history[place - 1 - length] == history[n - 1 - length])
                    length++;
                longest = length > longest ? length : longest;
            }
            double want = longest >= allowed ? -0.5 * pow(1.5, (double)(longest - allowed)) : 0;
            assert_true(fabs((double)at[token].logit - want) <= 1e-5 * fabs(want));
        }
    }
}

static void bad_options_and_logits(void **state)
{
    (void)state;
    struct sampler *s = NULL;
    struct sampler_options o = SAMPLER_OPTIONS_DEFAULT;
    o.top_p = 1.5;
    assert_int_equal(sampler_new(&s, &o, 10), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "top-p is 1.5"));
    o.top_p = NAN;
    assert_int_equal(sampler_new(&s, &o, 10), BASE_E_ARGUMENT);
    o.top_p = 1;
    o.temperature = -1;
    assert_int_equal(sampler_new(&s, &o, 10), BASE_E_ARGUMENT);
    o.temperature = 1;
    assert_int_equal(sampler_new(&s, &o, 0), BASE_E_ARGUMENT);
    assert_int_equal(sampler_new(&s, &o, 3), 0);
    real logits[3] = { 0, NAN, 0 };
    int32_t id;
    assert_int_equal(sampler_next(s, logits, NULL, 0, 0, 0, &id, NULL), BASE_E_NUMERIC);
    assert_non_null(strstr(base_error_message(), "token 1 is not a number"));
    logits[0] = logits[1] = logits[2] = -(real)INFINITY;
    assert_int_equal(sampler_next(s, logits, NULL, 0, 0, 0, &id, NULL), BASE_E_NUMERIC);
    logits[2] = 0; /* the only possible token */
    assert_int_equal(sampler_next(s, logits, NULL, 0, 0, 0, &id, NULL), 0);
    assert_int_equal(id, 2);
    sampler_free(s);
}

static void allocation_failures_leak_nothing(void **state)
{
    (void)state;
    long live = base_alloc_live();
    real logits[8] = { 0 };
    int32_t history[6] = { 1, 2, 3, 1, 2, 3 };
    struct sampler_options o = SAMPLER_OPTIONS_DEFAULT;
    o.repetition_penalty = 1.2;
    o.dry_multiplier = 1;
    for (long n = 1;; n++) {
        struct sampler *s = NULL;
        int32_t id;
        base_alloc_fail_after(n);
        int rc = sampler_new(&s, &o, 8);
        if (rc == 0)
            rc = sampler_next(s, logits, history, 6, 0, 0, &id, NULL);
        base_alloc_fail_after(0);
        sampler_free(s);
        assert_int_equal(base_alloc_live(), live);
        if (rc == 0)
            break;
        assert_int_equal(rc, BASE_E_MEMORY);
        assert_true(n < 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama_cpp_cases),
        cmocka_unit_test(transformers_cases),
        cmocka_unit_test(partial_sort_is_sort),
        cmocka_unit_test(draws_follow_the_distribution),
        cmocka_unit_test(successive_draws_are_independent),
        cmocka_unit_test(draws_are_pure),
        cmocka_unit_test(greedy_takes_the_lowest_of_equals),
        cmocka_unit_test(xtc_follows_its_chance),
        cmocka_unit_test(dynamic_temperature_between_its_ends),
        cmocka_unit_test(dry_equals_its_definition),
        cmocka_unit_test(bad_options_and_logits),
        cmocka_unit_test(allocation_failures_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
