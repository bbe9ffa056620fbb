/* Decoding strategies side by side on one prompt: what each writes, how varied it is, and whether
 * it is reproducible, found by running it again, not by assuming. */
#ifndef EVAL_COMPARE_H
#define EVAL_COMPARE_H
#include <assay/sampler.h>

struct eval_strategy {
    const char *name;                /* "top-p 0.9" */
    struct sampler_options sampling; /* without a seed */
};
/* The strategies that are compared when none are named. */
extern const struct eval_strategy eval_strategies[];
extern const size_t eval_strategy_count;

struct eval_comparison {
    struct generate_result *same;  /* [repeats] runs with the seed, each by itself */
    struct generate_result *other; /* [repeats] runs with seed + 1, + 2, ... */
    size_t repeats;
    bool reproducible;      /* all runs with the same seed gave the same ids */
    bool batch_independent; /* a run beside others gave what it gives alone */
    size_t distinct;        /* different texts among the first run and those with other seeds */
    double mean_logprob;    /* per token, over the first run and those with other seeds */
    double
        distinct_bigrams; /* different token pairs / pairs, within a text, mean (Li et al. 2016) */
    const char *why;      /* static: why it is reproducible or not, and what the seed does */
};
/* Runs a strategy: `repeats` times with seed, and once with each of repeats other seeds. base gives
 * prompt-independent options (max_tokens, stop strings, ...); its samples field is ignored. */
int eval_compare(struct model *m, const int32_t *prompt, size_t n_prompt,
                 const struct generate_options *base, const struct eval_strategy *strategy,
                 uint64_t seed, size_t repeats, struct eval_comparison *out);
void eval_comparison_free(struct eval_comparison *c);
#endif
