/* One way of dealing with imbalance, from training rows to weights: resample (or weigh the classes,
 * or do nothing), then train, one classifier for two classes, one against the rest for more.
 *
 * `weights` is scikit-learn's class_weight="balanced": class c counts n / (k n_c). In one-against-
 * rest the class has its weight and the rest 1, as LIBLINEAR has it.
 *
 * What resampling and weights do to the probabilities of a logistic model is undone by Elkan's
 * (2001) theorem: a classifier trained where the class has the odds b' instead of b gives odds that
 * are b'/b times too high, whatever the row:
 *
 *     logit p = w.x + logit(prior) - logit(trained prior) */
#ifndef CLASSIFY_STRATEGY_H
#define CLASSIFY_STRATEGY_H
#include "classify/features.h"
#include "classify/linear.h"
#include "classify/resample.h"

struct classify_strategy {
    enum classify_resampler resampler;
    bool weights; /* with CLASSIFY_RESAMPLE_NONE */
};
/* "weights" or a resampler's name. */
const char *classify_strategy_name(struct classify_strategy s);
int classify_strategy_parse(const char *name, struct classify_strategy *out);

struct classify_fit_options {
    struct classify_linear_options linear;
    size_t k, m;                      /* of the resamplers; 0 = their own */
    double ratio;                     /* 0 = balanced; not for those that aim at no size */
    enum classify_resample_vote vote; /* of the neighbours in enn, renn, allknn, smote-enn */
    uint64_t seed;
};
struct classify_fitted {
    size_t classes, outputs, columns; /* outputs: 1 for two classes, else one per class */
    double *w;                        /* [outputs][columns + 1] */
    double *rows;                     /* [classes] training rows of each class after resampling */
    double *share;                    /* [classes] of the training rows before */
    double *trained_share;            /* [classes] after resampling and weighting, as the class's
                                         own classifier saw it */
    size_t made;                      /* rows that are no rows of the table */
    size_t iterations;                /* the most of any output */
    bool converged;                   /* all outputs */
};
/* x [n rows], y [n] below classes. coded: the same rows in the coded form, needed by SMOTENC
 * alone. class_name [classes] for messages. Free with classify_fitted_free, also after a failure.
 */
int classify_fit(struct classify_fitted *out, struct classify_strategy strategy,
                 const struct classify_fit_options *options,
                 const struct classify_features *features, const struct classify_matrix *x,
                 const struct classify_matrix *coded, const uint32_t *y, size_t classes,
                 const char *const *class_name);
void classify_fitted_free(struct classify_fitted *f); /* zeroed is fine */

/* score [rows][outputs]: w.x + intercept. */
int classify_scores(const struct classify_fitted *f, const struct classify_matrix *x,
                    double *score);
/* The class of a row: two classes: 1 where the score is positive; more: the highest (the first of
 * equal ones). */
uint32_t classify_decide(const double *score, size_t classes);
/* Probabilities [classes] of a logistic model from a row's scores, for a world where the classes
 * have the shares `prior` [classes]; NULL: as trained, uncorrected. For more than two classes each
 * class's own probability, scaled to sum to one. */
void classify_probabilities(const struct classify_fitted *f, const double *score,
                            const double *prior, double *probability);
/* Shares of classes in unlabelled rows by Saerens, Latinne and Decaestecker's (2002) EM: starting
 * from `prior` [classes], the shares for which the mean of the corrected probabilities gives
 * themselves. score [n][outputs]. Gives the iterations taken; BASE_E_NUMERIC when it does not
 * settle within 10,000. */
int classify_estimate_prior(const struct classify_fitted *f, const double *score, size_t n,
                            double *prior, size_t *iterations);
#endif
