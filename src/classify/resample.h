/* Resampling of imbalanced classes: which rows of a training set stay, and which are made.
 *
 * What each method does, and its paper, is said where it is implemented: resample.c (none, random
 * under- and oversampling), resample_smote.c (everything that makes rows), resample_clean.c
 * (everything that leaves rows out), neighbors.h (what a neighbour is, and how ties are ordered).
 */
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
/* When a row's neighbours vote against it (ENN, RENN, AllKNN, SMOTE+ENN). */
enum classify_resample_vote {
    CLASSIFY_VOTE_ALL, /* it stays only if all of them are of its class */
    CLASSIFY_VOTE_MODE /* it stays if the commonest class among them is its own (of equally common
                          ones the lowest number counts) */
};
/* ratio: 0 < ratio <= 1, rows of a smaller class to rows of the largest (under, NearMiss: of the
 * smallest to any other) after resampling; 0 is 1, balanced. A class that is there already stays as
 * it is. The cleaning methods (Tomek, ENN, RENN, AllKNN, NCR) aim at no size and refuse a ratio. */
struct classify_resample_options {
    enum classify_resampler method;
    uint64_t seed;
    size_t k; /* neighbours; 0 = the method's own: 5 to make rows, 3 to leave rows out */
    size_t m; /* borderline: neighbours that decide danger; 0 = 10 */
    double ratio;
    const bool *nominal; /* [columns] SMOTENC: which columns are categories */
    enum classify_resample_vote vote;
    const char *const *class_name; /* [classes] or NULL: for messages */
};
/* Rows of x with labels y (0 .. classes - 1; classes without a row are passed by) to *out and
 * *labels (base_free). *origin (may be NULL; base_free) says for each row of out which row of x it
 * is, UINT32_MAX for a made one. First come the rows of x that stay, in their order; then what was
 * added, class by class. Neither x nor y is changed; on failure nothing is left.
 * Deterministic in seed at any thread count. Errors: BASE_E_ARGUMENT for fewer than two classes, a
 * label out of range, a ratio that no class is below, and a class too small for its neighbours
 * (with the class, what it has and what is needed); BASE_E_NUMERIC for values that are not finite;
 * BASE_E_INTERRUPTED. */
int classify_resample(const struct classify_matrix *x, const uint32_t *y, size_t classes,
                      const struct classify_resample_options *options, struct classify_matrix *out,
                      uint32_t **labels, uint32_t **origin);
const char *classify_resampler_name(enum classify_resampler r); /* "smote", "borderline-1" ... */
/* Also what the method's other names are taken for ("nearmiss-1", "random-under" ...). */
int classify_resampler_parse(const char *name, enum classify_resampler *out);
#endif
