/* sampler: from a row of logits to the next token. Pure functions of (logits, history, settings,
 * seed, sequence, step): nothing else enters, so a draw can be repeated alone. */
#ifndef ASSAY_SAMPLER_H
#define ASSAY_SAMPLER_H
#include <assay/model.h>

struct sampler_candidate {
    int32_t id;
    float logit;
    double p;
};
/* A working set of candidates that the filters shrink and reorder (descending by logit once sorted, lower id first on ties). */
struct sampler_candidates {
    struct sampler_candidate *at;
    size_t count;
    bool sorted;
};
/* The single steps, each as llama.cpp / the papers define them; each leaves at least min_keep (>= 1)
 * candidates and p normalised where it uses p. */
void sampler_softmax(struct sampler_candidates *c);
void sampler_temperature(struct sampler_candidates *c, double t);                       /* t <= 0: only the largest logit stays */
void sampler_temperature_dynamic(struct sampler_candidates *c, double t, double range, double exponent);
void sampler_top_k(struct sampler_candidates *c, int64_t k);                           /* k <= 0: all */
void sampler_top_p(struct sampler_candidates *c, double p, size_t min_keep);           /* Holtzman et al. 2020 */
void sampler_min_p(struct sampler_candidates *c, double p, size_t min_keep);
void sampler_typical(struct sampler_candidates *c, double p, size_t min_keep);         /* Meister et al. 2023 */
void sampler_xtc(struct sampler_candidates *c, double probability, double threshold, size_t min_keep, double draw);
void sampler_top_n_sigma(struct sampler_candidates *c, double n);
void sampler_penalties(struct sampler_candidates *c, const int32_t *history, size_t n, double repeat, double frequency, double presence);
/* DRY ("don't repeat yourself"): penalises tokens that would lengthen a repetition. breakers may be NULL. */
void sampler_dry(struct sampler_candidates *c, const int32_t *history, size_t n, double multiplier, double base, size_t allowed_length, const int32_t *const *breakers, const size_t *breaker_lengths, size_t n_breakers);

struct sampler_options {
    double temperature;        /* 0 = greedy */
    int64_t top_k;             /* 0 = off */
    double top_p;              /* 1 = off */
    double min_p;              /* 0 = off */
    double typical_p;          /* 1 = off */
    double repetition_penalty; /* 1 = off (Keskar et al. 2019) */
    double presence_penalty;   /* 0 = off */
    double frequency_penalty;  /* 0 = off */
    size_t penalty_window;     /* last tokens looked at; 0 = all */
    uint64_t seed;
};
#define SAMPLER_OPTIONS_DEFAULT { .temperature = 1, .top_p = 1, .typical_p = 1, .repetition_penalty = 1 }

struct sampler;
int sampler_new(struct sampler **out, const struct sampler_options *options, size_t vocabulary);
/* Draws a token: order of steps: penalties, temperature, top-k, typical, top-p, min-p, draw. `sequence` and
 * `step` name the random number used. *p gets the probability of the token under the model's own softmax (temperature 1, no filter). */
int sampler_next(struct sampler *s, const real *logits, const int32_t *history, size_t n_history, uint64_t sequence, uint64_t step, int32_t *id, double *p);
void sampler_free(struct sampler *s);

/* A whole generation: n samples of one prompt, together in a batch, prompt computed once. */
struct generate_options {
    struct sampler_options sampling;
    size_t max_tokens;
    size_t samples;               /* sequences; sample i uses random stream first_stream + i */
    uint64_t first_stream;
    const char *const *stop;      /* NULL-terminated strings; text is cut before the first one */
    bool ignore_eos;
};
#define GENERATE_OPTIONS_DEFAULT { .sampling = SAMPLER_OPTIONS_DEFAULT, .max_tokens = 64, .samples = 1 }
struct generate_result {
    int32_t *ids; /* generated ids, without the prompt; with eos when it ended so */
    double *logprobs;
    size_t count;
    char *text; /* decoded, cut at stop strings */
    const char *finish; /* "stop", "length", "eos", "context" */
};
/* on_text (may be NULL) gets pieces of sample i as they come. results: [samples], free each with
 * generate_result_free. */
int generate(struct model *m, const int32_t *prompt, size_t n_prompt, const struct generate_options *options, int (*on_text)(void *context, size_t sample, const char *text, size_t bytes), void *context, struct generate_result *results);
void generate_result_free(struct generate_result *r);
#endif
