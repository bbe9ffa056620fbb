/* Decoding strategies side by side: see compare.h. Every claim is the outcome of runs: the seed's
 * run is repeated from scratch, and run once more as the first of a batch, whose results must be
 * the same. */
#include "eval/compare.h"
#include "base/memory.h"
#include <string.h>

#define SAMPLING(...)                                                                              \
    {                                                                                              \
        .temperature = 1, .temperature_exponent = 1, .top_p = 1, .typical_p = 1,                   \
        .xtc_threshold = 0.1, .repetition_penalty = 1, .dry_base = 1.75, .dry_allowed_length = 2,  \
        __VA_ARGS__                                                                                \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
const struct eval_strategy eval_strategies[] = {
    { "greedy", SAMPLING(.temperature = 0) },
    { "greedy, penalty 1.3", SAMPLING(.temperature = 0, .repetition_penalty = 1.3) },
    { "temperature 0.7", SAMPLING(.temperature = 0.7) },
    { "temperature 1", SAMPLING(.temperature = 1) },
    { "top-k 40", SAMPLING(.top_k = 40) },
    { "top-p 0.9", SAMPLING(.top_p = 0.9) },
    { "min-p 0.05", SAMPLING(.min_p = 0.05) },
    { "typical 0.9", SAMPLING(.typical_p = 0.9) },
};
#pragma GCC diagnostic pop
const size_t eval_strategy_count = sizeof eval_strategies / sizeof *eval_strategies;

static bool same_ids(const struct generate_result *a, const struct generate_result *b)
{
    return a->count == b->count && memcmp(a->ids, b->ids, a->count * sizeof *a->ids) == 0;
}

static double bigram_share(const struct generate_result *r)
{
    if (r->count < 2)
        return 1;
    size_t different = 0;
    for (size_t i = 0; i + 1 < r->count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = r->ids[j] == r->ids[i] && r->ids[j + 1] == r->ids[i + 1];
        different += !seen;
    }
    return (double)different / (double)(r->count - 1);
}

static const char *explain(const struct eval_comparison *c, const struct sampler_options *sampling)
{
    bool drawn = sampling->temperature > 0 || sampling->temperature_range > 0;
    if (!c->reproducible || !c->batch_independent)
        return "not reproducible: the model's logits differ between runs";
    if (!drawn)
        return "no random number is used, and the logits are the same bits in every run";
    if (c->distinct == 1)
        return "draws follow from seed and step, but so sharp a distribution leaves them no choice";
    return "draws follow from seed, sequence and step alone; another seed draws another text";
}

static void summarise(struct eval_comparison *c, const struct sampler_options *sampling)
{
    const struct generate_result *first = &c->same[0];
    double sum = 0, share = 0;
    size_t tokens = 0;
    c->reproducible = true;
    for (size_t i = 1; i < c->repeats; i++)
        c->reproducible = c->reproducible && same_ids(first, &c->same[i]);
    for (size_t i = 0; i <= c->repeats; i++) {
        const struct generate_result *r = i == 0 ? first : &c->other[i - 1];
        bool seen = i > 0 && same_ids(r, first);
        for (size_t j = 1; j < i && !seen; j++)
            seen = same_ids(r, &c->other[j - 1]);
        c->distinct += !seen;
        for (size_t t = 0; t < r->count; t++)
            sum += r->logprobs[t];
        tokens += r->count;
        share += bigram_share(r);
    }
    c->mean_logprob = tokens ? sum / (double)tokens : 0;
    c->distinct_bigrams = share / (double)(c->repeats + 1);
    c->why = explain(c, sampling);
}

int eval_compare(struct model *m, const int32_t *prompt, size_t n_prompt,
                 const struct generate_options *base, const struct eval_strategy *strategy,
                 uint64_t seed, size_t repeats, struct eval_comparison *out)
{
    *out = (struct eval_comparison){ .repeats = repeats };
    struct generate_options o = *base;
    uint64_t window = o.sampling.penalty_window;
    o.sampling = strategy->sampling;
    o.sampling.penalty_window = window;
    if (repeats == 0)
        return base_error_set(BASE_E_ARGUMENT, "a comparison needs at least one run");
    struct generate_result batch[2] = { 0 };
    int rc = BASE_E_MEMORY;
    out->same = base_alloc_zero(repeats, sizeof *out->same);
    out->other = base_alloc_zero(repeats, sizeof *out->other);
    if (!out->same || !out->other)
        goto out;
    for (size_t i = 0; i < repeats; i++) {
        o.samples = 1;
        o.sampling.seed = seed;
        if ((rc = generate(m, prompt, n_prompt, &o, NULL, NULL, &out->same[i])))
            goto out;
        o.sampling.seed = seed + 1 + i;
        if ((rc = generate(m, prompt, n_prompt, &o, NULL, NULL, &out->other[i])))
            goto out;
        if (base_interrupted()) {
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
            goto out;
        }
    }
    o.samples = 2;
    o.sampling.seed = seed;
    if ((rc = generate(m, prompt, n_prompt, &o, NULL, NULL, batch)))
        goto out;
    out->batch_independent = same_ids(&batch[0], &out->same[0]);
    generate_result_free(&batch[0]);
    generate_result_free(&batch[1]);
    summarise(out, &strategy->sampling);
out:
    if (rc)
        eval_comparison_free(out);
    return rc;
}

void eval_comparison_free(struct eval_comparison *c)
{
    for (size_t i = 0; i < c->repeats; i++) {
        if (c->same)
            generate_result_free(&c->same[i]);
        if (c->other)
            generate_result_free(&c->other[i]);
    }
    base_free(c->same);
    base_free(c->other);
    *c = (struct eval_comparison){ 0 };
}
