/* Resampling of imbalanced classes: which rows of a training set stay, and which are made. */
#ifndef CLASSIFY_RESAMPLE_H
#define CLASSIFY_RESAMPLE_H
#include "classify/matrix.h"

enum classify_resampler {
    CLASSIFY_RESAMPLE_NONE,
    CLASSIFY_RESAMPLE_UNDER,
    CLASSIFY_RESAMPLE_OVER,
    CLASSIFY_RESAMPLE_SMOTE,
    CLASSIFY_RESAMPLE_BORDERLINE1,
    CLASSIFY_RESAMPLE_BORDERLINE2,
    CLASSIFY_RESAMPLE_ADASYN,
    CLASSIFY_RESAMPLE_SMOTENC,
    CLASSIFY_RESAMPLE_NEARMISS1,
    CLASSIFY_RESAMPLE_NEARMISS2,
    CLASSIFY_RESAMPLE_NEARMISS3,
    CLASSIFY_RESAMPLE_TOMEK,
    CLASSIFY_RESAMPLE_ENN,
    CLASSIFY_RESAMPLE_RENN,
    CLASSIFY_RESAMPLE_ALLKNN,
    CLASSIFY_RESAMPLE_NCR,
    CLASSIFY_RESAMPLE_SMOTE_TOMEK,
    CLASSIFY_RESAMPLE_SMOTE_ENN,
    CLASSIFY_RESAMPLERS
};
struct classify_resample_options {
    enum classify_resampler method;
    uint64_t seed;
    size_t k;     /* neighbours; 0 = the method's own (5; 3 for the cleaning methods) */
    size_t m;     /* borderline: neighbours that decide danger; 0 = 10 */
    double ratio; /* size of each smaller class against the largest (under: of the others against
                     the smallest) after resampling; 0 = 1, balanced */
    const bool *nominal; /* [columns] SMOTENC: which columns are categories */
};
/* Rows of x with labels y (0 .. classes - 1) to *out and *labels (base_free). *origin (may be NULL;
 * base_free) says for each row of out which row of x it is, UINT32_MAX for a made one.
 * Deterministic in seed at any thread count. A class too small for its neighbours is
 * BASE_E_ARGUMENT with the class, what it has and what is needed. */
int classify_resample(const struct classify_matrix *x, const uint32_t *y, size_t classes,
                      const struct classify_resample_options *options, struct classify_matrix *out,
                      uint32_t **labels, uint32_t **origin);
const char *classify_resampler_name(enum classify_resampler r); /* "smote", "borderline-1" ... */
int classify_resampler_parse(const char *name, enum classify_resampler *out);
#endif
