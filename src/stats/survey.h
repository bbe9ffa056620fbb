/* What a prepared survey design holds; private to the files survey*.c. */
#ifndef STATS_SURVEY_H
#define STATS_SURVEY_H
#include <assay/survey.h>

/* Post-stratification, or one margin of raking: cells, and the weights before and after it. */
struct survey_cells {
    uint32_t *cell; /* [n] */
    size_t cells;
    double *before, *after; /* [n]; before is NULL for a margin of raking */
};
struct survey_stage {
    bool present;  /* of fpc */
    bool by_count; /* fpc holds population sizes, not probabilities */
    double *fpc;   /* [n] in sorted order, or NULL */
};
struct stats_survey {
    size_t n, stages;
    double *weight; /* [n] in the caller's order */
    bool weighted;
    /* Rows sorted by stratum and unit of every stage: order[k] is the caller's row. begins[k] is
     * the outermost thing that begins with sorted row k: 2 t a stratum of stage t, 2 t + 1 a unit
     * of stage t; 0 for the first row. */
    size_t *order;
    uint8_t *begins;
    struct survey_stage stage[STATS_SURVEY_STAGES];
    enum stats_lonely lonely;
    enum stats_joint joint;
    bool yates_grundy;
    double *joint_matrix;      /* [n][n] in the caller's order, or NULL */
    struct survey_cells *post; /* applied in turn */
    size_t posts;
    struct survey_cells *rake; /* margins, applied in turn ten times; NULL: not raked */
    size_t margins;
};

/* Variance by joint probabilities (survey_joint.c): z [n][p] in the caller's order, added to v. */
int stats_survey_joint_covariance(const struct stats_survey *s, const double *z, size_t p,
                                  double *v);
/* z [n][p] becomes its residuals (survey_calibrate.c). */
int stats_survey_residuals(const struct stats_survey *s, double *z, size_t p);
/* Degrees of freedom, counts, sum of weights, and the t interval (survey_estimate.c). */
void stats_survey_begin(const struct stats_survey *s, const uint8_t *in,
                        struct stats_survey_estimate *out);
/* Interval of a share with a known standard error. */
int stats_survey_share_interval(enum stats_survey_interval kind, double p, double se, double df,
                                double n, double level, struct stats_interval *out);
#endif
