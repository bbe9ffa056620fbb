/* mix: a benchmark's score is a weighted mean over categories, and the weights are a choice. What
 * the score would be under other mixes, how far it varies, and which of two models is ahead under
 * which mix. */
#ifndef ASSAY_MIX_H
#define ASSAY_MIX_H
#include <assay/stats.h>
#include <jansson.h>
#include <stdbool.h>

/* One model's results in one category: items, or only how many and how good. */
struct eval_mix_category {
    char *name;
    double mean;     /* of the items */
    double n;        /* items; 0 = not known (a performance that was only stated) */
    double variance; /* of one item, unbiased; mean (1 - mean) n/(n-1) of a stated performance */
    double *scores;  /* [n], or NULL */
    char **ids;      /* [n] with scores: what items of two models are matched by; NULL = none */
};
struct eval_mix_model {
    char *name;
    struct eval_mix_category *categories; /* in order of first appearance */
    size_t n, room;
    bool items; /* every category has scores */
};
void eval_mix_model_free(struct eval_mix_model *m);
/* "NAME=P" or "NAME=P:N": P in [0, 1] or with %, N items. Appends a category. */
int eval_mix_state(struct eval_mix_model *m, const char *text);
/* One item's score; the category is made when it is new. id may be NULL. */
int eval_mix_add(struct eval_mix_model *m, const char *category, double score, const char *id);
/* A record file: either items (category, score, id), or a row per category (category, p, n). Keys
 * NULL = usual names: category; score, acc, exact_match, correct; p, mean, accuracy; n, items; id,
 * doc_hash, doc_id. category may be a pattern. */
struct eval_mix_keys {
    const char *category, *score, *id;
    const char *records; /* of a JSON file that is one object: the key of its list of records */
};
/* One record of these; keys are found in the first one and kept. where names it in messages. */
int eval_mix_read_row(struct eval_mix_model *m, const json_t *row, const char *where,
                      struct eval_mix_keys *keys);
int eval_mix_read(struct eval_mix_model *m, const char *path, const struct eval_mix_keys *keys);
/* Means and variances of what was added; the library's other functions need it done. */
int eval_mix_finish(struct eval_mix_model *m);

/* Weights over a model's categories, summing to 1. text: "a=0.5,b=0.3,c=0.2" (any positive numbers;
 * categories not named get 0), "uniform", "proportional" (to the items). w [m->n]. */
int eval_mix_parse(const struct eval_mix_model *m, const char *text, double *w);

/* ---- one mix ---- */
enum eval_mix_method {
    EVAL_MIX_ANALYTIC,  /* SE = sqrt(sum w^2 s^2 / n), normal interval; t where scores are given */
    EVAL_MIX_SIMULATED, /* benchmarks of `items` items drawn by the mix, each right with p */
    EVAL_MIX_RESAMPLED, /* stratified bootstrap of the items themselves */
};
struct eval_mix_options {
    size_t draws; /* of the simulation and the bootstrap */
    size_t items; /* per simulated benchmark; 0 = as many as the model has, else 1000 */
    double level;
    uint64_t seed;
};
#define EVAL_MIX_OPTIONS_DEFAULT                                                                   \
    {                                                                                              \
        .draws = 10000, .level = 0.95                                                              \
    }
struct eval_mix_score {
    double mean;              /* sum w_k p_k: the true average under the mix, were p_k the truth */
    double se;                /* analytic; NaN where a weighted category has no n */
    struct stats_interval ci; /* analytic, normal */
    /* Simulated: a benchmark of `items` items whose categories are drawn by the mix (multinomial)
     * and whose answers by p_k: what one such benchmark would have said. */
    double simulated_sd;
    struct stats_interval simulated;
    size_t items;
    /* Resampled within categories: how sure the weighted mean itself is. NaN without items. */
    double resampled_sd;
    struct stats_interval resampled;
    /* Kish's effective sample size of the design: (sum w_i)^2 / sum w_i^2 over items, each weighing
     * w_k / n_k; NaN where a weighted category has no n. */
    double effective;
    double *draws; /* [options->draws] ascending simulated scores; freed by the caller, or NULL when
                      keep is false */
};
int eval_mix_judge(const struct eval_mix_model *m, const double *w,
                   const struct eval_mix_options *options, bool keep, struct eval_mix_score *out);

/* ---- two models ---- */
struct eval_mix_turn {
    double difference; /* A - B in the category */
    double se;         /* NaN where not known */
    /* The category's weight is moved from 0 to 1, the others keep their proportions: A is ahead
     * where low < weight < high. Empty: low > high. */
    double low, high;
};
struct eval_mix_comparison {
    size_t paired;            /* items matched by id; 0 = compared as independent */
    double difference, se;    /* A - B under the mix */
    struct stats_interval ci; /* normal */
    double p;
    double share; /* of all mixes (uniform on the simplex) in which A is ahead, by simulation */
    struct eval_mix_turn *turns; /* [n] in A's order of categories */
    size_t n;
};
/* Both models must have the same categories (in any order). w is over A's. */
int eval_mix_compare(const struct eval_mix_model *a, const struct eval_mix_model *b,
                     const double *w, const struct eval_mix_options *options,
                     struct eval_mix_comparison *out);
void eval_mix_comparison_free(struct eval_mix_comparison *c);
#endif
