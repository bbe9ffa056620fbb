/* stats: estimates from a sample drawn by a design. Means, totals, ratios, proportions and
 * quantiles, for the whole population and for domains, with the standard error that the design
 * gives them: strata, clusters at several stages, finite populations, unequal probabilities,
 * post-stratification and raking.
 *
 * Taylor linearisation (Woodruff 1971; Binder 1983; Saerndal, Swensson and Wretman 1992): an
 * estimate that is a smooth function of totals varies like the total of its linearised values z.
 * With w the weights and d the domain's indicator
 *     total  sum w d y             z = w d y
 *     mean   sum w d y / sum w d   z = w d (y - mean) / sum w d            (Hajek)
 *     ratio  sum w d y / sum w d x z = w d (y - R x) / sum w d x
 * and the variance of sum z is found from the design. Rows outside a domain stay in with z = 0,
 * since how many fall into the domain is chance as well; so pass the whole sample always, and a
 * domain by its mask.
 *
 * The conventions are those of R's package survey (Lumley 2004), with which every number here was
 * compared (tests/oracle/survey.R), unless a comment says otherwise. */
#ifndef ASSAY_SURVEY_H
#define ASSAY_SURVEY_H
#include <assay/stats.h>

#define STATS_SURVEY_STAGES 4

/* What a stratum with a single sampled unit adds to the variance, unless all of its population is
 * in the sample (then nothing, and nobody need ask). */
enum stats_lonely {
    STATS_LONELY_FAIL,    /* an error that names the stage */
    STATS_LONELY_REMOVE,  /* nothing (R: "remove", "certainty") */
    STATS_LONELY_ADJUST,  /* its square about 0, the mean of z over the population: conservative */
    STATS_LONELY_AVERAGE, /* the mean of the other strata's */
    STATS_LONELIES
};
extern const char *const stats_lonely_names[STATS_LONELIES]; /* "fail", "remove", ... */

/* Joint inclusion probabilities of two units, for the variance of an unequal-probability sample
 * without replacement,  sum_ij (pi_ij - pi_i pi_j) / pi_ij  z_i z_j  (Horvitz and Thompson 1952).
 */
enum stats_joint {
    STATS_JOINT_NONE,        /* the recursion over stages is used */
    STATS_JOINT_MATRIX,      /* given */
    STATS_JOINT_HARTLEY_RAO, /* pi_i pi_j / pi_ij = (n - pi_i - pi_j + sum_s pi / n) / (n - 1)
                                (Hartley and Rao 1962, with sum_U pi^2 estimated by sum_s pi) */
    STATS_JOINT_OVERTON, /* pi_i pi_j / pi_ij = (n - (pi_i + pi_j)/2) / (n - 1) (Overton 1985) */
    STATS_JOINTS
};
extern const char *const stats_joint_names[STATS_JOINTS]; /* "none", "matrix", "hartley-rao", .. */

/* One stage of a design; arrays [n], borrowed, NULL where there is none. */
struct stats_survey_stage {
    const uint32_t *stratum; /* any numbers; NULL: one stratum (in each unit of the stage before) */
    /* Units of this stage; the same number in two strata or in two units of the stage before names
     * two units. NULL: every row is a unit of its own (last stage only). */
    const uint32_t *psu;
    /* Units in the population of the row's stratum (all >= 1; infinity: drawn with replacement), or
     * the unit's own inclusion probability (all <= 1): either the sampling fraction, or with
     * unequal probabilities Brewer's approximation of the variance (Brewer 2002; R's
     * pps = "brewer"),  n/(n-1) sum (1 - pi_i) (z_i - mean z)^2. NULL: with replacement. */
    const double *fpc;
};
struct stats_survey_design {
    size_t n; /* rows, >= 2 */
    /* [n] >= 0; NULL: from fpc of all stages (1 / product of the probabilities), or when there is
     * none 1 for every row (then totals and the factor N - n of deff mean nothing) */
    const double *weight;
    size_t stages; /* 1 .. STATS_SURVEY_STAGES */
    struct stats_survey_stage stage[STATS_SURVEY_STAGES];
    enum stats_lonely lonely;
    /* Instead of the recursion, one stage only; fpc must then be probabilities. */
    enum stats_joint joint;
    const double *joint_matrix; /* [n][n], pi_i on the diagonal; MATRIX, rows are the units */
    bool yates_grundy; /* -1/2 sum_ij (pi_ij - pi_i pi_j)/pi_ij (z_i - z_j)^2 for fixed sizes
                          (Yates and Grundy 1953; Sen 1953) in place of Horvitz and Thompson's */
};
struct stats_survey;
/* Checks the design and sorts its rows; the arrays given are copied. BASE_E_ARGUMENT names the row
 * (from 1), the stage and what is wrong: weights that are negative or not finite, population sizes
 * that differ within a stratum or are below the number sampled, probabilities outside (0, 1]. */
int stats_survey_new(struct stats_survey **out, const struct stats_survey_design *design);
void stats_survey_free(struct stats_survey *s); /* NULL is fine */
size_t stats_survey_rows(const struct stats_survey *s);
/* [n] as they are now, after post-stratification and raking. */
const double *stats_survey_weights(const struct stats_survey *s);
/* Whether weights or all population sizes were given. */
bool stats_survey_weighted(const struct stats_survey *s);
/* First-stage units and strata with a row of positive weight in the domain (in [n] of 0 and 1, NULL
 * = all); degrees of freedom are their difference. */
void stats_survey_units(const struct stats_survey *s, const uint8_t *in, size_t *units,
                        size_t *strata);

/* Weights that make the cells' totals those known of the population (Holt and Smith 1979).
 * cell [n] below cells; total [cells] > 0 where the sample has rows, names [cells] for messages or
 * NULL. A cell of the population without any row in the sample is an error. Standard errors from
 * here on are those of the residuals from the cells' means. Not after raking. */
int stats_survey_poststratify(struct stats_survey *s, const uint32_t *cell, size_t cells,
                              const double *total, const char *const *names);
struct stats_survey_margin {
    const uint32_t *cell; /* [n] */
    size_t cells;
    const double *total; /* [cells] */
    const char *const *names;
};
/* Iterative proportional fitting to several margins (Deming and Stephan 1940) until no cell is off
 * by more than 1e-10 of the population; all margins must have the same sum to 1e-6 of it. Standard
 * errors are those of z after ten rounds of removing each margin's means, as R does it. */
int stats_survey_rake(struct stats_survey *s, const struct stats_survey_margin *margin,
                      size_t margins);

/* Covariance of the p totals sum_i z[i][.], z [n][p] linearised values (weights included), to v
 * [p][p]. z is changed when the design is calibrated. */
int stats_survey_covariance(const struct stats_survey *s, double *z, size_t p, double *v);

struct stats_survey_estimate {
    double estimate, se;
    double df;                      /* units - strata in the domain */
    struct stats_interval interval; /* NaN when df < 1 */
    /* Variance over that of a simple random sample of as many rows without (deff) and with
     * replacement: survey's deff = TRUE and deff = "replace". NaN where that is 0 or unknown. */
    double deff, deff_replace;
    size_t n;          /* rows in the domain with a positive weight */
    double weight_sum; /* of these: the estimated size of the domain */
};
/* y, x [n] finite inside the domain (what stands outside is not looked at). */
int stats_survey_mean(const struct stats_survey *s, const double *y, const uint8_t *in,
                      double level, struct stats_survey_estimate *out);
int stats_survey_total(const struct stats_survey *s, const double *y, const uint8_t *in,
                       double level, struct stats_survey_estimate *out);
int stats_survey_ratio(const struct stats_survey *s, const double *y, const double *x,
                       const uint8_t *in, double level, struct stats_survey_estimate *out);

/* Intervals of a proportion p. */
enum stats_survey_interval {
    STATS_SURVEY_WALD,  /* p -+ t se (R: "mean"); may leave [0, 1] */
    STATS_SURVEY_LOGIT, /* on log(p/(1-p)) (R: "logit", "xlogit") */
    STATS_SURVEY_ASIN,  /* on asin(sqrt(p)) */
    STATS_SURVEY_BETA,  /* Clopper-Pearson of the effective sample size (Korn and Graubard 1998) */
    STATS_SURVEY_INTERVALS
};
extern const char *const stats_survey_interval_names[STATS_SURVEY_INTERVALS];
/* Share of the rows with hit [n] != 0. A share of 0 or 1, which has no standard error, gets
 * Clopper-Pearson's interval of the rows. */
int stats_survey_proportion(const struct stats_survey *s, const uint8_t *hit, const uint8_t *in,
                            enum stats_survey_interval kind, double level,
                            struct stats_survey_estimate *out);

/* How a quantile is read off the weighted distribution function F. */
enum stats_quantile_rule {
    STATS_QUANTILE_INVERSE, /* the least y with F(y) >= q (R: "math", Hyndman and Fan's type 1) */
    STATS_QUANTILE_MIDDLE,  /* the mean of y and the next where F(y) = q exactly ("school", type 2)
                             */
    STATS_QUANTILE_LINEAR,  /* linear between (F at the value before) / F at the last but one
                               ("hf7", type 7: what unweighted quantiles usually are) */
    STATS_QUANTILE_RULES
};
extern const char *const stats_quantile_rule_names[STATS_QUANTILE_RULES];
/* The q-quantile, 0 < q < 1, with Woodruff's interval (1952): the interval of the share of rows
 * not above the estimate, carried back through the distribution function; as R's svyquantile with
 * interval.type mean, xlogit, asin or beta. se is the interval's width over 2 t. An end that falls
 * outside the data is NaN, and then se too. deff is that of the share. */
int stats_survey_quantile(const struct stats_survey *s, const double *y, const uint8_t *in,
                          double q, enum stats_quantile_rule rule, enum stats_survey_interval kind,
                          double level, struct stats_survey_estimate *out);

/* Do shares of categories agree with known ones? Pearson's X^2 = n sum (p - p0)^2 / p0 and G =
 * 2 n sum p ln(p/p0) with the correction of Rao and Scott (1981, 1984) for the design: with D the
 * matrix n diag(p0)^-1 Cov(p), X^2 / tr D is compared with F on tr(D)^2 / tr(D^2) and that times df
 * degrees of freedom. */
struct stats_survey_fit {
    size_t categories, n;
    double chi2, chi2_p; /* of independent rows: chi-squared with categories - 1 */
    double g, g_p;
    double f, df1, df2, p; /* X^2 corrected; NaN when the design fixes the shares */
    double g_f, g_corrected_p;
    double deff; /* tr D / (categories - 1): mean generalised design effect */
};
/* category [n] below categories; share [categories] > 0 with sum 1. */
int stats_survey_fit(const struct stats_survey *s, const uint32_t *category, size_t categories,
                     const double *share, const uint8_t *in, struct stats_survey_fit *out);
#endif
