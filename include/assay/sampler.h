/* sampler: from a row of logits to the next token, and from a prompt to whole texts.
 *
 * A draw is a pure function of (logits, history, options, seed, sequence, step): nothing else
 * enters, so it can be repeated alone, in any batch and on any number of threads. */
#ifndef ASSAY_SAMPLER_H
#define ASSAY_SAMPLER_H
#include <assay/model.h>

struct sampler_candidate {
    int32_t id;
    real logit; /* -INFINITY: masked, never drawn */
    double p;   /* valid after sampler_softmax, until the next step that changes the set */
};
/* A working set of candidates that the steps shrink and reorder. The first `sorted` entries are the
 * `sorted` best ones, best first (larger logit, then lower id); what follows is in no order. The
 * caller owns `at`; steps never grow it. */
struct sampler_candidates {
    struct sampler_candidate *at;
    size_t count;
    size_t sorted;
};

/* Puts the best n candidates (or all, if fewer) in front, in order: partial selection, O(count + n
 * log n). */
void sampler_sort(struct sampler_candidates *c, size_t n);
/* p = softmax(logit) over the set, in double. */
void sampler_softmax(struct sampler_candidates *c);

/* The single steps, each defined as in llama.cpp (whose cases tests/model/test_sampler.c runs) and
 * in transformers' LogitsProcessors, where they have it. min_keep (0 counts as 1): at least so many
 * stay. */

/* logit / t. t <= 0: all but the largest logit (lowest id on ties) are masked. */
void sampler_temperature(struct sampler_candidates *c, double t);
/* Entropy-based temperature (Zhu et al. 2024; llama.cpp temp_ext): with H = entropy / ln(count),
 * t' = lo + (hi - lo) H^exponent, lo = max(0, t - range), hi = t + range. range <= 0: plain. */
void sampler_temperature_dynamic(struct sampler_candidates *c, double t, double range,
                                 double exponent);
/* The k largest (Fan et al. 2018). k <= 0: all. */
void sampler_top_k(struct sampler_candidates *c, int64_t k);
/* The smallest set of most probable tokens whose mass reaches p (Holtzman et al. 2020). p >= 1:
 * all. Reaching is judged to 1e-7, the accuracy of float logits. */
void sampler_top_p(struct sampler_candidates *c, double p, size_t min_keep);
/* Tokens at least p times as probable as the most probable one (Nguyen et al. 2024). p <= 0: all.
 */
void sampler_min_p(struct sampler_candidates *c, double p, size_t min_keep);
/* Tokens whose surprise -ln p is nearest to the entropy, until their mass exceeds p (Meister et al.
 * 2023). p >= 1: all. */
void sampler_typical(struct sampler_candidates *c, double p, size_t min_keep);
/* "Exclude top choices": if draw < probability, all tokens with p >= threshold but the least
 * probable of them go. threshold > 0.5 does nothing (no two tokens can reach it). draw is uniform
 * in [0, 1). */
void sampler_xtc(struct sampler_candidates *c, double probability, double threshold,
                 size_t min_keep, double draw);
/* Masks logits below max - n * sd(logits) (Tang et al. 2024; sd over the set with divisor count). n
 * < 0: nothing. */
void sampler_top_n_sigma(struct sampler_candidates *c, double n);
/* For every token of history[0..n): logit / repeat where it is positive, * repeat otherwise (Keskar
 * et al. 2019), then - frequency * occurrences - presence. */
int sampler_penalties(struct sampler_candidates *c, const int32_t *history, size_t n, double repeat,
                      double frequency, double presence);

/* A token sequence that ends repetitions for DRY. */
struct sampler_breaker {
    const int32_t *ids; /* borrowed */
    size_t count;       /* >= 1 */
};
/* DRY, "don't repeat yourself": if the history's end also stands earlier in it, and token t
 * followed there, t would lengthen a repetition of length L (the longest such): logit - multiplier
 * * base^(L - allowed_length) where L >= allowed_length. A repetition never reaches back over a
 * breaker, and a token that is a breaker by itself is never penalised. */
int sampler_dry(struct sampler_candidates *c, const int32_t *history, size_t n, double multiplier,
                double base, size_t allowed_length, const struct sampler_breaker *breakers,
                size_t n_breakers);
/* Breakers from strings: their encodings, and every token whose text holds one of them. *out
 * [*count] (sampler_breakers_free) owns its ids. */
int sampler_breakers_from_text(const struct tokenizer *t, const char *const *strings, size_t n,
                               struct sampler_breaker **out, size_t *count);
void sampler_breakers_free(struct sampler_breaker *breakers, size_t n);
/* Index into c->at of a draw by inverting the cumulative distribution at u in [0, 1), in the order
 * of the set. Computes p. */
size_t sampler_draw(struct sampler_candidates *c, double u);

struct sampler_options {
    double temperature;          /* 0 = greedy: no random number is used */
    double temperature_range;    /* 0 = off: fixed temperature */
    double temperature_exponent; /* of the normalised entropy */
    int64_t top_k;               /* 0 = off */
    double top_p;                /* 1 = off */
    double min_p;                /* 0 = off */
    double typical_p;            /* 1 = off */
    double top_n_sigma;          /* 0 = off */
    double xtc_probability;      /* 0 = off */
    double xtc_threshold;
    double repetition_penalty; /* 1 = off */
    double presence_penalty;   /* 0 = off */
    double frequency_penalty;  /* 0 = off */
    double dry_multiplier;     /* 0 = off */
    double dry_base;
    size_t dry_allowed_length;
    const struct sampler_breaker
        *dry_breakers; /* [dry_breaker_count], borrowed while the sampler lives */
    size_t dry_breaker_count;
    size_t penalty_window; /* last tokens the penalties and DRY look at, prompt included; 0 = all */
    size_t min_keep;       /* least number of tokens that filters leave; 0 = 1 */
    uint64_t seed;
};
#define SAMPLER_OPTIONS_DEFAULT                                                                    \
    {                                                                                              \
        .temperature = 1, .temperature_exponent = 1, .top_p = 1, .typical_p = 1,                   \
        .xtc_threshold = 0.1, .repetition_penalty = 1, .dry_base = 1.75, .dry_allowed_length = 2   \
    }

struct sampler;
/* Fails with BASE_E_ARGUMENT naming the option when a value makes no sense (p outside [0,1], NaN,
 * ...). */
int sampler_new(struct sampler **out, const struct sampler_options *options, size_t vocabulary);
/* Draws a token from logits [vocabulary]. Order of steps: penalties, DRY, temperature, top-n-sigma,
 * top-k, typical, top-p, min-p, XTC, draw. The random numbers are the outputs 4 step .. 4 step + 3
 * of the stream (seed, BASE_RNG_SAMPLE, sequence). *logprob (may be NULL) gets the natural log of
 * the token's probability under the model's own softmax (temperature 1, no step applied).
 * BASE_E_NUMERIC when a logit is NaN or +infinity, or all are -infinity. */
int sampler_next(struct sampler *s, const real *logits, const int32_t *history, size_t n_history,
                 uint64_t sequence, uint64_t step, int32_t *id, double *logprob);
/* The seed of the draws that follow. */
void sampler_reseed(struct sampler *s, uint64_t seed);
void sampler_free(struct sampler *s);

/* A whole generation: n samples of one prompt, together in a batch, the prompt computed once. */
struct generate_options {
    struct sampler_options sampling;
    size_t max_tokens;
    size_t samples;        /* sequences; sample i uses random stream first_stream + i */
    uint64_t first_stream; /* so sample i of a batch == a run of one with first_stream + i */
    const char *const
        *stop; /* NULL-terminated strings (NULL: none); text is cut before the first one */
    const int32_t *stop_ids; /* [n_stop_ids] further ids that end a text as EOS does */
    size_t n_stop_ids;
    bool ignore_eos;   /* EOS is a token like any other (stop_ids still end) */
    bool keep_special; /* special tokens are written into the text */
};
#define GENERATE_OPTIONS_DEFAULT                                                                   \
    {                                                                                              \
        .sampling = SAMPLER_OPTIONS_DEFAULT, .max_tokens = 64, .samples = 1                        \
    }
struct generate_result {
    int32_t *ids; /* [count] generated ids, without the prompt; the end token is the last when it
                     ended so */
    double *logprobs; /* [count] natural logs under the model's own softmax */
    size_t count;
    char *text;         /* decoded, cut at the stop string; NULL when the model has no tokenizer */
    size_t text_bytes;  /* it may hold NULs */
    const char *finish; /* "eos", "stop" (string), "length" (max_tokens), "context" (model full),
                           "interrupted" */
};
/* Called with pieces of sample i as they become certain: never half a UTF-8 character, never text
 * that may turn out to belong to a stop string. The pieces of a sample add up to result.text. */
typedef int generate_text_fn(void *context, size_t sample, const char *text, size_t bytes);
/* results: [samples], filled on success; free each with generate_result_free. The prompt must hold
 * 1 .. context ids. Without a tokenizer ids are generated, stop strings are an error. Ctrl-C ends
 * all samples where they are (finish "interrupted"); that is success. A non-zero return of on_text
 * ends the run with that code. */
int generate(struct model *m, const int32_t *prompt, size_t n_prompt,
             const struct generate_options *options, generate_text_fn *on_text, void *context,
             struct generate_result *results);
void generate_result_free(struct generate_result *r);
#endif
