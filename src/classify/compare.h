/* Strategies against each other: the same rows are held out for all of them, each is trained on the
 * rest (what it resamples, it resamples there), and what they say of the held-out rows is measured,
 * with intervals, and compared in pairs.
 *
 * A repetition r (0 ..) splits and resamples with seed + r. The first one is the result; the
 * others tell how far chance in splitting and resampling moves the measures. With folds every row
 * is an item that some fold held out, and the folds' items are pooled.
 *
 * Results are the same at any number of threads: a task (repetition, fold, strategy) depends on
 * nothing but its numbers. */
#ifndef CLASSIFY_COMPARE_H
#define CLASSIFY_COMPARE_H
#include "classify/split.h"
#include "classify/strategy.h"
#include <assay/stats.h>

enum classify_measure {
    CLASSIFY_TNR, /* true negative rate, specificity (two classes) */
    CLASSIFY_TPR, /* true positive rate, recall (two classes) */
    CLASSIFY_PRECISION,
    CLASSIFY_F1,
    CLASSIFY_MCC,
    CLASSIFY_BALANCED_ACCURACY,
    CLASSIFY_ACCURACY,
    CLASSIFY_ROC_AUC,           /* two classes */
    CLASSIFY_AVERAGE_PRECISION, /* two classes; the area below the precision-recall curve */
    CLASSIFY_F1_MACRO,
    CLASSIFY_F1_WEIGHTED,
    CLASSIFY_KAPPA,
    CLASSIFY_MEASURES
};
extern const char *const classify_measure_names[CLASSIFY_MEASURES]; /* "tnr", "tpr", ... */

struct classify_compare_options {
    const struct classify_strategy *strategy; /* [strategies]; the first is the baseline */
    size_t strategies;
    struct classify_fit_options fit;
    struct classify_split_options split;
    size_t repeats; /* at least 1 */
    struct classify_columns columns;
    struct classify_text_options text;
    const struct classify_words *stop; /* may be NULL */
    bool standardise;
    bool terms_from_train; /* terms and frequencies from the training rows alone, not from all */
    struct stats_bootstrap_options bootstrap;
};
/* How probabilities of a logistic model fit what happened. Two classes: of the positive one. */
struct classify_calibrated {
    double mean, share; /* mean probability of, and true share of, the positive class; NaN with more
                           than two classes */
    struct stats_metric measure[STATS_CALIBRATIONS];
    struct stats_bin bin[10];
};
struct classify_outcome {
    struct classify_strategy strategy;
    double *rows; /* [classes] training rows after resampling (of the first fold) */
    size_t made;  /* of them not in the table (first fold) */
    size_t iterations;
    bool converged;                                 /* in all tasks */
    uint32_t *predicted;                            /* [items] first repetition */
    double *score;                                  /* [items][outputs] */
    double *confusion;                              /* [classes][classes] row = truth */
    struct stats_metric measure[CLASSIFY_MEASURES]; /* NaN where it does not apply */
    double *repeated;                               /* [repeats][CLASSIFY_MEASURES] */
    /* logistic: as trained, and corrected for what the strategy did to the shares */
    struct classify_calibrated raw, corrected;
};
/* A strategy against the first. */
struct classify_pair {
    size_t strategy;
    struct stats_mcnemar mcnemar; /* b: only the baseline right, c: only this one */
    double p_adjusted;            /* mid-p, Holm over the pairs */
    struct stats_metric difference[CLASSIFY_MEASURES]; /* this one less the baseline */
};
struct classify_comparison {
    size_t classes, outputs, items, strategies, repeats, folds;
    size_t columns; /* of the first task's rows */
    size_t train;   /* training rows of the first fold */
    bool probabilities;
    uint32_t *row;                    /* [items] row of the data */
    uint32_t *truth;                  /* [items] */
    struct classify_outcome *outcome; /* [strategies] */
    struct classify_pair *pair;       /* [strategies - 1] */
};
/* Free with classify_comparison_free, also after a failure. */
int classify_compare(struct classify_comparison *out, const struct classify_data *data,
                     const struct classify_compare_options *options);
void classify_comparison_free(struct classify_comparison *c);

/* Measures of one set of predictions (evaluate.c): confusion [k][k], the two areas or NaN. */
void classify_measures(const double *confusion, size_t k, double roc_auc, double average_precision,
                       double out[CLASSIFY_MEASURES]);
/* Areas below the ROC and precision-recall curves of scores, class 1 positive; NaN when one class
 * is missing. Ties count half (ROC) and stand together (PR). */
int classify_areas(const double *score, const uint32_t *truth, size_t n, double *roc_auc,
                   double *average_precision);
/* Intervals, pairs and calibration of a comparison whose predictions and scores are there. */
int classify_evaluate(struct classify_comparison *c,
                      const struct stats_bootstrap_options *bootstrap);
/* Reliability of probabilities [items][classes] in 10 bins. */
int classify_calibrate(const struct classify_comparison *c, const double *probability,
                       const struct stats_bootstrap_options *bootstrap,
                       struct classify_calibrated *out);

/* Points of a curve, from the highest threshold to the lowest; x [n], y [n]. */
struct classify_curve {
    double *x, *y;
    size_t n;
};
enum classify_curve_kind {
    CLASSIFY_ROC, /* x false, y true positive rate; from (0, 0) to (1, 1) */
    CLASSIFY_PR   /* x recall, y precision; from the first threshold that finds a positive */
};
/* At most `most` points (0 = all): thinned evenly along x where there are more. */
int classify_curve(struct classify_curve *out, enum classify_curve_kind kind, const double *score,
                   const uint32_t *truth, size_t n, size_t most);
void classify_curve_free(struct classify_curve *c);
#endif
