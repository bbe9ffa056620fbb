/* The sampler proper: options checked once, then one draw per call by running the steps of
 * sampler_steps.c in their fixed order (sampler.h).
 *
 * Randomness: Philox stream (seed, BASE_RNG_SAMPLE, sequence); step t owns the four 32-bit outputs
 * 4t .. 4t+3: two for the draw (53 bits), two for XTC. So draw t of a sequence never depends on
 * what was drawn before it, nor on other sequences. */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/sampler.h>
#include <math.h>

struct sampler {
    struct sampler_options options;
    size_t vocabulary;
    struct sampler_candidate *scratch; /* [vocabulary] */
};

static int check_range(double value, const char *name, double low, double high, const char *rule)
{
    if (value >= low && value <= high)
        return 0;
    return base_error_set(BASE_E_ARGUMENT, "sampling: %s is %g, but must be %s", name, value, rule);
}

static int check_options(const struct sampler_options *o)
{
    const double huge = 1e30;
    int rc;
    if ((rc = check_range(o->temperature, "temperature", 0, huge, "0 (greedy) or more")) ||
        (rc = check_range(o->temperature_range, "temperature range", 0, huge, "0 or more")) ||
        (rc = check_range(o->temperature_exponent, "temperature exponent", 0, huge, "0 or more")) ||
        (rc = check_range((double)o->top_k, "top-k", 0, 9e18, "0 (off) or more")) ||
        (rc = check_range(o->top_p, "top-p", 0, 1, "within 0 and 1")) ||
        (rc = check_range(o->min_p, "min-p", 0, 1, "within 0 and 1")) ||
        (rc = check_range(o->typical_p, "typical-p", 0, 1, "within 0 and 1")) ||
        (rc = check_range(o->top_n_sigma, "top-n-sigma", 0, huge, "0 (off) or more")) ||
        (rc = check_range(o->xtc_probability, "XTC probability", 0, 1, "within 0 and 1")) ||
        (rc = check_range(o->xtc_threshold, "XTC threshold", 0, 1, "within 0 and 1")) ||
        (rc = check_range(o->repetition_penalty, "repetition penalty", 1e-6, huge,
                          "positive (1 = off)")) ||
        (rc = check_range(o->presence_penalty, "presence penalty", -huge, huge, "finite")) ||
        (rc = check_range(o->frequency_penalty, "frequency penalty", -huge, huge, "finite")) ||
        (rc = check_range(o->dry_multiplier, "DRY multiplier", 0, huge, "0 (off) or more")) ||
        (rc = check_range(o->dry_base, "DRY base", 1, huge, "1 or more")))
        return rc;
    return 0;
}

int sampler_new(struct sampler **out, const struct sampler_options *options, size_t vocabulary)
{
    *out = NULL;
    int rc = check_options(options);
    if (rc)
        return rc;
    if (vocabulary == 0)
        return base_error_set(BASE_E_ARGUMENT, "sampling: the vocabulary is empty");
    struct sampler *s = base_alloc_zero(1, sizeof *s);
    if (!s)
        return BASE_E_MEMORY;
    s->options = *options;
    s->vocabulary = vocabulary;
    s->scratch = base_alloc(vocabulary, sizeof *s->scratch);
    if (!s->scratch) {
        base_free(s);
        return BASE_E_MEMORY;
    }
    *out = s;
    return 0;
}

void sampler_reseed(struct sampler *s, uint64_t seed)
{
    s->options.seed = seed;
}

void sampler_free(struct sampler *s)
{
    if (!s)
        return;
    base_free(s->scratch);
    base_free(s);
}

/* Fills the scratch set, one candidate per token in order of id. */
static int load(struct sampler *s, const real *logits, struct sampler_candidates *c)
{
    bool any = false;
    for (size_t i = 0; i < s->vocabulary; i++) {
        real x = logits[i];
        if (!(x < (real)INFINITY)) /* NaN or +infinity */
            return base_error_set(BASE_E_NUMERIC,
                                  "the model's logit of token %zu is %s: nothing can be drawn", i,
                                  isnan(x) ? "not a number" : "infinite");
        any = any || x > -(real)INFINITY;
        s->scratch[i].id = (int32_t)i;
        s->scratch[i].logit = x;
    }
    if (!any)
        return base_error_set(BASE_E_NUMERIC,
                              "every logit of the model is -infinity: nothing can be drawn");
    *c = (struct sampler_candidates){ .at = s->scratch, .count = s->vocabulary };
    return 0;
}

int sampler_next(struct sampler *s, const real *logits, const int32_t *history, size_t n_history,
                 uint64_t sequence, uint64_t step, int32_t *id, double *logprob)
{
    const struct sampler_options *o = &s->options;
    struct sampler_candidates c;
    int rc = load(s, logits, &c);
    if (rc)
        return rc;
    if (o->penalty_window > 0 && n_history > o->penalty_window) {
        history += n_history - o->penalty_window;
        n_history = o->penalty_window;
    }
    rc = sampler_penalties(&c, history, n_history, o->repetition_penalty, o->frequency_penalty,
                           o->presence_penalty);
    if (rc)
        return rc;
    rc = sampler_dry(&c, history, n_history, o->dry_multiplier, o->dry_base, o->dry_allowed_length,
                     o->dry_breakers, o->dry_breaker_count);
    if (rc)
        return rc;
    if (o->temperature <= 0 && o->temperature_range <= 0) {
        sampler_temperature(&c, 0); /* the largest logit moves to the front */
        *id = c.at[0].id;
    } else {
        struct base_rng rng = base_rng_make(o->seed, BASE_RNG_SAMPLE, sequence);
        base_rng_seek(&rng, step * 4);
        double draw = base_rng_uniform(&rng), chance = base_rng_uniform(&rng);
        sampler_temperature_dynamic(&c, o->temperature, o->temperature_range,
                                    o->temperature_exponent);
        if (o->top_n_sigma > 0)
            sampler_top_n_sigma(&c, o->top_n_sigma);
        sampler_top_k(&c, o->top_k);
        sampler_typical(&c, o->typical_p, o->min_keep);
        sampler_top_p(&c, o->top_p, o->min_keep);
        sampler_min_p(&c, o->min_p, o->min_keep);
        sampler_xtc(&c, o->xtc_probability, o->xtc_threshold, o->min_keep, chance);
        *id = c.at[sampler_draw(&c, draw)].id;
    }
    if (logprob)
        *logprob = model_log_softmax_at(logits, s->vocabulary, *id);
    return 0;
}
