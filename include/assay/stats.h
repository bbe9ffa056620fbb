/* stats: numbers with intervals. Knows only base. Every function is pure; random ones take a seed
 * and give the same bits for any number of threads and on any processor.
 *
 * Intervals are two-sided with equal tails at confidence `level` in (0, 1), 0.95 by habit. A
 * function that cannot give an answer (too few data, no spread where it needs some, a value that is
 * NaN) returns a negative code with the reason as message: callers show it instead of a number.
 * Degenerate data that do have an answer (constant values) give it: an interval that is a point. */
#ifndef ASSAY_STATS_H
#define ASSAY_STATS_H
#include <assay/base.h>
#include <stdbool.h>

struct stats_interval {
    double low, high;
};
enum stats_alternative { STATS_TWO_SIDED, STATS_GREATER, STATS_LESS };
/* "two-sided", "greater", "less" */
extern const char *const stats_alternative_names[3];

/* ---- Description (descriptive.c) */

/* Sum with Neumaier's compensation: the error does not grow with n. */
double stats_sum(const double *x, size_t n);
/* Mean of n >= 1 values; NaN for n == 0. */
double stats_mean(const double *x, size_t n);
/* Unbiased variance, sum (x - mean)^2 / (n - 1), two passes; NaN for n < 2. */
double stats_variance(const double *x, size_t n);
/* Unbiased covariance of pairs; NaN for n < 2. */
double stats_covariance(const double *x, const double *y, size_t n);
/* The q-quantile (0 <= q <= 1) of ascending values by linear interpolation at (n-1) q (Hyndman and
 * Fan's type 7: the default of R and NumPy). n >= 1. */
double stats_quantile_sorted(const double *ascending, size_t n, double q);
/* Median of any order; allocates a copy. */
int stats_median(const double *x, size_t n, double *out);
/* BASE_E_NUMERIC with the first place ("scores: value 7 is nan") unless all are finite. */
int stats_check_finite(const double *x, size_t n, const char *what);
/* Whether all values are 0 or 1. */
bool stats_is_binary(const double *x, size_t n);

struct stats_description {
    size_t n;
    double mean, sd, se; /* sd with n - 1; se = sd / sqrt(n); NaN for n < 2 */
    double min, q1, median, q3, max;
    double mad;      /* median absolute deviation from the median, not scaled */
    double skewness; /* adjusted (G1 of Joanes and Gill 1998); NaN for n < 3 or no spread */
    double kurtosis; /* excess, adjusted (G2); NaN for n < 4 or no spread */
};
/* n >= 1 finite values. */
int stats_describe(const double *x, size_t n, struct stats_description *out);

/* ---- Intervals (interval.c) */

/* estimate -+ z se. */
int stats_interval_normal(double estimate, double se, double level, struct stats_interval *out);
/* estimate -+ t_df se, df > 0 (need not be whole). */
int stats_interval_t(double estimate, double se, double df, double level,
                     struct stats_interval *out);
/* Mean of n >= 2 values: t with n-1 degrees of freedom. */
int stats_interval_mean(const double *x, size_t n, double level, struct stats_interval *out);
/* A proportion, Wilson's score interval (Wilson 1927). n >= 1, 0 <= successes <= n. */
int stats_interval_wilson(double successes, double n, double level, struct stats_interval *out);

enum stats_proportion {
    STATS_WILSON,          /* score interval */
    STATS_CLOPPER_PEARSON, /* exact: never covers less than it says (Clopper and Pearson 1934) */
    STATS_AGRESTI_COULL,   /* Wilson's centre with Wald's width, cut to [0, 1] (1998) */
    STATS_JEFFREYS,        /* equal tails of Beta(x + 1/2, n - x + 1/2); 0 at x = 0, 1 at x = n
                              (Brown, Cai, DasGupta 2001) */
    STATS_JEFFREYS_HPD,    /* the shortest interval of the same density (R's binom.bayes) */
    STATS_WALD,            /* p -+ z sqrt(p (1-p) / n), cut to [0, 1]: for comparison only */
    STATS_PROPORTIONS
};
/* "wilson", "clopper_pearson", ... */
extern const char *const stats_proportion_names[STATS_PROPORTIONS];
int stats_interval_proportion(enum stats_proportion method, double successes, double n,
                              double level, struct stats_interval *out);
/* Standard error of a 0/1 mean as lm-eval has it: sqrt(p (1-p) / (n-1)); NaN for n < 2. */
double stats_proportion_se(double successes, double n);

/* A ratio of sums over clusters, R = sum y / sum x, such as nats per token over documents: the unit
 * that was sampled is the cluster (document), so the cluster is what varies. */
struct stats_ratio {
    double ratio;
    double se; /* delta method: sqrt(n/(n-1) sum (y - R x)^2) / sum x (Cochran 1977, 6.3); NaN for n
                  < 2 */
    double df; /* n - 1 */
};
/* x, y [n], x >= 0 with a positive sum. */
int stats_ratio(const double *y, const double *x, size_t n, struct stats_ratio *out);

/* A mean of n values that come in clusters (questions about one passage). cluster [n]: numbers
 * below `clusters`; those without a value do not count. Miller 2024 (arXiv:2411.00640), Inspect's
 * form: se = sqrt(C/(C-1) sum_c (sum_{i in c} (x_i - mean))^2) / n, df = C - 1. At least 2
 * clusters. */
struct stats_clustered {
    double mean, se, df;
    size_t clusters;      /* C */
    double design_effect; /* se^2 over that of independent values; NaN where that is 0 */
};
int stats_mean_clustered(const double *x, const uint32_t *cluster, size_t n, size_t clusters,
                         struct stats_clustered *out);

/* ---- Bootstrap (bootstrap.c) */

/* A statistic of a resample: `pick` [n] holds how often each of the n units was drawn. */
typedef double stats_statistic_fn(const void *context, const uint32_t *pick, size_t n);
/* Several at once, to out[]. */
typedef void stats_statistics_fn(const void *context, const uint32_t *pick, size_t n, double *out);
/* Bootstrap distribution: draws n of n units with replacement `resamples` times (resample b by
 * stream (seed, BASE_RNG_BOOTSTRAP, b)) and writes the ascending statistics to out [resamples].
 * Runs on base_threads() threads: the statistic must be pure. n >= 1, resamples >= 1. */
int stats_bootstrap(stats_statistic_fn *statistic, const void *context, size_t n, size_t resamples,
                    uint64_t seed, double *out);
/* The same for `outputs` statistics: out [outputs][resamples], each ascending, with the resamples
 * where a statistic is NaN (a metric without positives, say) left out; defined [outputs] counts the
 * rest, which stand first. */
int stats_bootstrap_many(stats_statistics_fn *statistics, const void *context, size_t n,
                         size_t outputs, size_t resamples, uint64_t seed, double *out,
                         size_t *defined);
/* Percentile interval of an ascending bootstrap distribution (Efron and Tibshirani 1993, ch. 13).
 */
int stats_bootstrap_percentile(const double *ascending, size_t resamples, double level,
                               struct stats_interval *out);
/* Percentile interval of sum y / sum x by resampling clusters. n >= 2. */
int stats_bootstrap_ratio(const double *y, const double *x, size_t n, size_t resamples,
                          uint64_t seed, double level, struct stats_interval *out);

struct stats_bootstrap_options {
    size_t resamples; /* at least 1 */
    uint64_t seed;
    double level;
    /* How resamples equal to the estimate count for BCa's z0: half (as SciPy; what discrete scores
     * need) or not at all (#{t* < t} / B as Efron wrote it). They differ by ties alone. */
    bool strict_ties;
};
#define STATS_BOOTSTRAP_OPTIONS_DEFAULT                                                            \
    {                                                                                              \
        .resamples = 10000, .level = 0.95                                                          \
    }
struct stats_bootstrap_result {
    double estimate;
    double se;           /* sd of the resampled statistics */
    double bias;         /* their mean less the estimate */
    double z0;           /* BCa's bias correction */
    double acceleration; /* BCa's a */
    struct stats_interval percentile, basic, bca;
};
/* The three intervals of an ascending distribution. `jackknife` [n]: the statistic without each
 * unit in turn, for BCa's acceleration sum d^3 / (6 (sum d^2)^1.5), d = mean - value. */
int stats_bootstrap_intervals(const double *ascending, double estimate, const double *jackknife,
                              size_t n, const struct stats_bootstrap_options *options,
                              struct stats_bootstrap_result *out);
/* All of it for a statistic of n >= 2 units. From 2,000 units on the jackknife leaves out groups of
 * neighbours, 1,000 of them. */
int stats_bootstrap_statistic(stats_statistic_fn *statistic, const void *context, size_t n,
                              const struct stats_bootstrap_options *options,
                              struct stats_bootstrap_result *out);

enum stats_summary {
    STATS_MEAN,
    STATS_MEDIAN,
    STATS_SD,
    STATS_VARIANCE,
    STATS_QUANTILE,
    STATS_TRIMMED, /* mean without the share `q` of each end */
    STATS_SUMMARIES
};
extern const char *const stats_summary_names[STATS_SUMMARIES];
/* A summary of n >= 2 values; q for STATS_QUANTILE and STATS_TRIMMED. With cluster (see
 * stats_mean_clustered; else NULL) whole clusters are drawn. */
int stats_bootstrap_summary(enum stats_summary summary, double q, const double *x, size_t n,
                            const uint32_t *cluster, size_t clusters,
                            const struct stats_bootstrap_options *options,
                            struct stats_bootstrap_result *out);

/* ---- Two models on the same items (paired.c) */

/* McNemar's test from the items only one of two is right on: b (first only), c (second only). */
struct stats_mcnemar {
    double exact;                /* min(1, 2 BinCDF(min(b,c); b+c, 1/2)) */
    double midp;                 /* exact - pmf(min(b,c)); for b = c 1 - pmf/2 (Fagerland 2013) */
    double chi2, chi2_statistic; /* (b-c)^2 / (b+c), p with 1 df; p = 1 when b + c = 0 */
    double chi2_corrected, chi2_corrected_statistic; /* max(0, |b-c| - 1)^2 / (b+c) */
    double odds_ratio;                               /* b / c; infinite or NaN (0/0) as it comes */
    struct stats_interval odds_ratio_interval;       /* from Clopper-Pearson of b / (b+c) */
};
/* b, c whole and >= 0, up to 2^53. */
int stats_mcnemar(double b, double c, double level, struct stats_mcnemar *out);

/* Cochran's Q for k >= 2 models on n items: x [n][k] of 0 and 1. Q has about k - 1 degrees of
 * freedom; when no item separates the models Q = 0, p = 1. */
struct stats_cochran {
    double q, df, p;
};
int stats_cochran_q(const double *x, size_t n, size_t k, struct stats_cochran *out);

/* Mean of d = a - b over the same n >= 2 items. */
struct stats_paired {
    size_t n;
    double mean_a, mean_b, difference;
    /* sqrt(Var(d)/n): Var with n - 1; for 0/1 scores (b+c)/n - ((b-c)/n)^2; with clusters as
     * stats_mean_clustered of d */
    double se, df;                  /* n - 1, or clusters - 1 */
    struct stats_interval interval; /* t */
    double t, p;                    /* two-sided; p = 1 where nothing differs */
    double correlation;             /* of a and b; NaN where one is constant */
    double effect;                  /* mean / sd of d (Cohen's d_z); NaN where d is constant */
    double se_unpaired;             /* what two independent samples would have had */
    bool binary;                    /* scores are 0/1: */
    double both, b, c, neither;     /* right in both, only in a, only in b, in none */
    struct stats_interval newcombe; /* his method 10 (1998): score intervals of the two
                                       proportions joined by their correlation */
};
/* cluster NULL: none. */
int stats_paired(const double *a, const double *b, size_t n, const uint32_t *cluster,
                 size_t clusters, double level, struct stats_paired *out);
/* Newcombe's interval for the difference of paired proportions from the four cells. */
int stats_interval_newcombe(double both, double b, double c, double neither, double level,
                            struct stats_interval *out);

/* ---- Tests (test.c) */

struct stats_test {
    double estimate; /* mean, or difference of means */
    double se;
    double statistic, df, p;
    struct stats_interval interval; /* of the estimate, two-sided */
    double effect;                  /* Cohen's d: estimate / sd (pooled for two samples) */
    double hedges;                  /* d times the small-sample factor */
};
/* Against the mean mu; n >= 2. Constant values: p = 1 at mu, else 0, t infinite. */
int stats_t_one(const double *x, size_t n, double mu, enum stats_alternative alternative,
                double level, struct stats_test *out);
/* x - y; both at least 2 values. Welch: own variances, Satterthwaite's df; Student: pooled. */
int stats_t_welch(const double *x, size_t n, const double *y, size_t m,
                  enum stats_alternative alternative, double level, struct stats_test *out);
int stats_t_student(const double *x, size_t n, const double *y, size_t m,
                    enum stats_alternative alternative, double level, struct stats_test *out);

/* Interval of a standardised effect d = t / scale whose t has df degrees of freedom, by the
 * noncentral t (Steiger and Fouladi 1997): scale is sqrt(n) for one sample and pairs, sqrt(n m / (n
 * + m)) for two samples with a pooled sd, which takes variances for equal. Where |t| is beyond 30
 * and the distribution function is of no use, d -+ z sqrt(1/scale^2 + d^2 / (2 df)) (Hedges and
 * Olkin 1985). */
int stats_interval_effect(double d, double scale, double df, double level,
                          struct stats_interval *out);

/* Permutation test of paired scores: under no difference the sign of every d is a coin's. All 2^n
 * sign patterns for n <= 20 (exact), else `resamples` random ones, p = (1 + #) / (1 + resamples).
 * statistic is the mean of d. */
struct stats_permutation {
    double statistic, p;
    bool exact;
    size_t patterns;
};
int stats_permutation_paired(const double *d, size_t n, enum stats_alternative alternative,
                             size_t resamples, uint64_t seed, struct stats_permutation *out);
/* The same for the difference of the means of two independent samples: which value belongs to which
 * is shuffled, `resamples` times. */
int stats_permutation_two(const double *x, size_t n, const double *y, size_t m,
                          enum stats_alternative alternative, size_t resamples, uint64_t seed,
                          struct stats_permutation *out);

/* ---- Ranks of two samples (ranksum.c) */

struct stats_ranksum {
    double u; /* pairs with x > y, ties half: R's W, SciPy's statistic */
    double z; /* (u - nm/2) / sd with the variance of ties; without correction */
    double p; /* exact as long as both samples are below 50 and nothing is tied (as R); else normal
                 with continuity correction; 1 where all values are the same */
    bool exact, ties;
    double superiority;             /* u / (nm): P(x > y) + P(x = y) / 2 */
    struct stats_interval interval; /* of it: DeLong's on the logit scale; where it is 0 or 1, or
                                       has no variance, NaN */
    double rank_biserial;           /* 2 superiority - 1 */
};
/* Mann and Whitney's (Wilcoxon's rank sum) test. Both samples at least 1 value. STATS_GREATER: x
 * tends to be larger. */
int stats_ranksum(const double *x, size_t n, const double *y, size_t m,
                  enum stats_alternative alternative, double level, struct stats_ranksum *out);

/* ---- Means of several groups (anova.c) */

struct stats_anova {
    size_t groups, n;
    double between, within; /* sums of squares */
    double df1, df2, f, p;
    double eta2, omega2; /* shares of variance; omega2 less biased (Hays 1963), not below 0 */
    struct stats_interval eta2_interval; /* by the noncentral F (Steiger 2004) */
    double welch_f, welch_df2, welch_p;  /* Welch 1951: variances may differ; df1 is the same. NaN
                                            where a group has no spread */
    double levene_f, levene_p;           /* Brown and Forsythe 1974: equal variances? */
};
/* group [n]: numbers below `groups`, each of which occurs at least twice. Without any spread within
 * the groups F is infinite (p = 0) or, when all values are the same, an error. */
int stats_anova(const double *x, const uint32_t *group, size_t n, size_t groups, double level,
                struct stats_anova *out);

/* ---- Tables of counts (contingency.c) */

struct stats_contingency {
    double n;
    double chi2, df, p;                 /* Pearson's */
    double chi2_corrected, p_corrected; /* Yates's for 2 x 2 (as R and SciPy: the correction is at
                                           most |observed - expected|); else NaN */
    double g, g_p;                      /* likelihood ratio */
    double v;                           /* Cramer's V; of 2 x 2 |phi| */
    struct stats_interval v_interval;   /* by the noncentral chi-squared */
    double expected_least;
    size_t expected_below_5, expected_below_1; /* cells */
};
/* count [rows][columns], whole, every row and column with at least one. expected [rows][columns],
 * or NULL. */
int stats_contingency(const double *count, size_t rows, size_t columns, double level,
                      double *expected, struct stats_contingency *out);

struct stats_fisher {
    double p; /* two-sided: all tables at most as probable as this one */
    double
        odds_ratio; /* conditional maximum likelihood, as R's fisher.test; may be 0 or infinite */
    struct stats_interval interval; /* of it, exact */
    double sample_odds_ratio;       /* ad / (bc) */
};
/* The table (a b / c d), whole counts up to 1e6 in all. */
int stats_fisher(double a, double b, double c, double d, enum stats_alternative alternative,
                 double level, struct stats_fisher *out);

struct stats_goodness {
    double n, chi2, df, p;
    double w; /* Cohen's: sqrt(chi2 / n) */
    struct stats_interval w_interval;
    double expected_least;
    size_t expected_below_5;
};
/* Counts [k] against shares that are positive and sum to 1 (NULL: equal). expected [k] or NULL. */
int stats_goodness(const double *count, const double *share, size_t k, double level,
                   double *expected, struct stats_goodness *out);

/* ---- Correlation (correlation.c) */

enum stats_correlation_kind { STATS_PEARSON, STATS_SPEARMAN, STATS_KENDALL, STATS_CORRELATIONS };
extern const char *const stats_correlation_names[STATS_CORRELATIONS];
struct stats_correlation {
    double r; /* tau-b for Kendall */
    double p; /* two-sided: t with n - 2 (Pearson, Spearman); Kendall exact for n <= 33 without
                 ties, else normal with the variance of ties */
    struct stats_interval interval; /* Fisher's z; se 1/sqrt(n-3), sqrt((1 + r^2/2)/(n-3)) (Bonett
                                       and Wright 2000), sqrt(0.437/(n-4)) (Fieller 1957) */
    size_t n;
};
/* n >= 4 (Kendall 5) pairs, neither constant. */
int stats_correlate(enum stats_correlation_kind kind, const double *x, const double *y, size_t n,
                    double level, struct stats_correlation *out);
/* Ranks 1..n, ties their mean. */
int stats_ranks(const double *x, size_t n, double *rank);

/* ---- Linear regression (regression.c) */

struct stats_coefficient {
    double value, se, t, p;
    struct stats_interval interval;
};
struct stats_regression {
    size_t n, predictors;                  /* without the intercept */
    struct stats_coefficient *coefficient; /* [predictors + 1], the intercept first */
    double r2, r2_adjusted;
    double sigma;      /* residual standard deviation, df = n - predictors - 1 */
    double df, f, f_p; /* F of all predictors together */
    double f_df2;      /* its second degrees of freedom: df, or clusters - 1 */
    size_t clusters;   /* 0: independent rows */
};
/* Least squares y = b0 + sum_j b_j x_j by Householder QR; x [predictors] columns of n values.
 * n > predictors + 1. names (NULL: x1, x2, ...) are for messages: a predictor that the others
 * determine is an error that names it. Free with stats_regression_free. */
int stats_regress(const double *y, const double *const *x, const char *const *names, size_t n,
                  size_t predictors, double level, struct stats_regression *out);
/* The same coefficients with errors that hold where rows of one cluster go together (Liang and
 * Zeger 1986): the sandwich B (sum_c s_c s_c') B, B = (X'X)^-1, s_c = X_c' e_c, times G/(G-1)
 * (n-1)/(n-m) (Stata's and statsmodels' CR1); t and F with G - 1 degrees of freedom. F is NaN when
 * there are not more clusters than predictors. cluster [n]: numbers below `clusters`; those without
 * a row do not count. */
int stats_regress_clustered(const double *y, const double *const *x, const char *const *names,
                            size_t n, size_t predictors, const uint32_t *cluster, size_t clusters,
                            double level, struct stats_regression *out);
void stats_regression_free(struct stats_regression *r);

/* ---- Logistic regression (logistic.c) */

struct stats_logistic {
    size_t n, ones, predictors;
    struct stats_coefficient
        *coefficient; /* as in stats_regression, on the log odds; t is Wald's z */
    double log_likelihood, null_log_likelihood;
    double chi2, df, p; /* likelihood ratio against the intercept alone */
    double mcfadden;    /* 1 - log_likelihood / null_log_likelihood */
    double auc;         /* of the fitted probabilities */
    unsigned iterations;
};
/* Maximum likelihood of ln(p / (1-p)) = b0 + sum_j b_j x_j by Newton's method; y [n] of 0 and 1,
 * both there. Errors name a predictor that is constant, that the others determine, or that (with
 * others) separates the outcomes: then there is no finite estimate (Albert and Anderson 1984). Free
 * with stats_logistic_free. */
int stats_logistic(const double *y, const double *const *x, const char *const *names, size_t n,
                   size_t predictors, double level, struct stats_logistic *out);
void stats_logistic_free(struct stats_logistic *r);

/* ---- Power and sample size (power.c) */

/* Power of t tests at standardised effect d = difference / sd: one sample or pairs (sd of the
 * differences), two samples of n1 and n2. Exact by the noncentral t; n need not be whole. */
int stats_power_t_one(double d, double n, double alpha, enum stats_alternative a, double *power);
int stats_power_t_two(double d, double n1, double n2, double alpha, enum stats_alternative a,
                      double *power);
/* Of a z test whose statistic has mean `shift` and variance 1: shift = d sqrt(n) for one sample,
 * d sqrt(n1 n2 / (n1 + n2)) for two. */
int stats_power_z(double shift, double alpha, enum stats_alternative a, double *power);
/* Cohen's h = 2 asin sqrt(p1) - 2 asin sqrt(p2). */
int stats_effect_proportions(double p1, double p2, double *h);
/* McNemar's test with n pairs of which shares p10 and p01 are discordant: exact power of the exact
 * (conditional) or mid-p test by summing over all tables, and Connor's (1987) formula. */
struct stats_power_mcnemar {
    double exact, midp, normal;
};
int stats_power_mcnemar(double p10, double p01, double n, double alpha,
                        struct stats_power_mcnemar *out);
/* Pairs for a wished power by Connor's formula,
 * n = (z_{a/2} sqrt(p10 + p01) + z_b sqrt(p10 + p01 - d^2))^2 / d^2, d = p10 - p01; not rounded. */
int stats_sample_mcnemar(double p10, double p01, double alpha, double power, double *n);

/* Two models on the same questions, each question answered k times (Miller 2024, eq. 9):
 * n = (z_{a/2} + z_b)^2 (w2 + sA2/kA + sB2/kB) / d^2 with w2 the variance of the difference of the
 * questions' expected scores and s2 the variance of an answer's score at one question. */
struct stats_items {
    double w2;           /* Var(xA) + Var(xB) - 2 Cov */
    double var_a, var_b; /* sA2, sB2; 0 for deterministic answers */
    double k_a, k_b;     /* >= 1 */
};
int stats_sample_items(const struct stats_items *items, double difference, double alpha,
                       double power, double *n);
int stats_detectable_items(const struct stats_items *items, double n, double alpha, double power,
                           double *difference);
int stats_power_items(const struct stats_items *items, double n, double difference, double alpha,
                      double *power);

/* Smallest whole n for which the interval is not wider than `width` (high - low): a mean with
 * standard deviation sd by t; a proportion near p by `method`. */
int stats_sample_width_mean(double sd, double width, double level, double *n);
int stats_sample_width_proportion(enum stats_proportion method, double p, double width,
                                  double level, double *n);
/* The x in [low, high] where the rising function f reaches `target`, by bisection; infinity when
 * f(high) is still below. For solving power functions. */
double stats_solve(double (*f)(double x, const void *context), const void *context, double target,
                   double low, double high);

/* ---- Many comparisons (multiplicity.c) */

enum stats_adjust_method {
    STATS_ADJUST_NONE,
    STATS_BONFERRONI,
    STATS_SIDAK,
    STATS_HOLM,
    STATS_HOLM_SIDAK,
    STATS_HOCHBERG,
    STATS_BH, /* Benjamini-Hochberg: false discovery rate */
    STATS_BY, /* Benjamini-Yekutieli: the same under any dependence */
    STATS_ADJUST_METHODS
};
extern const char *const stats_adjust_names[STATS_ADJUST_METHODS];
/* Adjusted p-values in the given order; all p in [0, 1]. out may be p. */
int stats_adjust(enum stats_adjust_method method, const double *p, size_t n, double *out);

/* ---- Groups of tasks, repeated answers (estimators.c) */

/* One task of a group: mean and standard error of n items. */
struct stats_group_item {
    double mean, se;
    double n;
};
/* Macro: mean of the means, se = sqrt(sum se^2) / K. Micro: all items in one, se exactly that of
 * the concatenation (sd with N - 1): within- and between-task squares. se NaN where one is. */
int stats_group_macro(const struct stats_group_item *items, size_t k, double *mean, double *se);
int stats_group_micro(const struct stats_group_item *items, size_t k, double *mean, double *se);
/* n answers, c right: chance that k of them hold a right one, 1 - C(n-c,k)/C(n,k) (Chen et al.
 * 2021); that all k are right, C(c,k)/C(n,k). 0 <= c <= n, 1 <= k <= n. */
int stats_pass_at_k(double n, double c, double k, double *out);
int stats_pass_hat_k(double n, double c, double k, double *out);
/* n answers fall into `answers` different ones, count[i] times each: chance that the most frequent
 * answer among k of them is answer `correct` (answers = none is), ties shared evenly. Exact. */
int stats_maj_at_k(const size_t *count, size_t answers, size_t correct, size_t k, double *out);

/* ---- Classification (classification.c): scikit-learn's conventions ---- */

/* matrix [labels][labels] of counts, row = truth, column = predicted; ids below `labels`. */
int stats_confusion(const uint32_t *truth, const uint32_t *predicted, size_t n, size_t labels,
                    double *matrix);
struct stats_label_metrics {
    double precision, recall, f1;
    double support, predicted, hits; /* true items, items predicted so, both */
};
/* zero_division (0, 1 or NaN) is what 0/0 gives. */
void stats_label_metrics(const double *matrix, size_t labels, size_t label, double zero_division,
                         struct stats_label_metrics *out);
enum {
    STATS_ACCURACY,
    STATS_BALANCED_ACCURACY,
    STATS_PRECISION_MICRO,
    STATS_RECALL_MICRO,
    STATS_F1_MICRO,
    STATS_PRECISION_MACRO,
    STATS_RECALL_MACRO,
    STATS_F1_MACRO,
    STATS_PRECISION_WEIGHTED,
    STATS_RECALL_WEIGHTED,
    STATS_F1_WEIGHTED,
    STATS_MCC,
    STATS_KAPPA,
    STATS_PRECISION, /* of the positive label; NaN without one */
    STATS_RECALL,
    STATS_F1,
    STATS_METRICS
};
extern const char *const stats_metric_names[STATS_METRICS];
/* All of them from a matrix, to out [STATS_METRICS]. Labels without any item, true or predicted, do
 * not count. positive >= labels: none. */
void stats_label_averages(const double *matrix, size_t labels, size_t positive,
                          double zero_division, double *out);

/* A metric with its interval. */
struct stats_metric {
    double value, se; /* se: sd of the resamples (of roc_auc: DeLong's) */
    struct stats_interval interval;
    size_t defined; /* resamples in which it exists */
};
/* The area under the ROC curve alone: P(score of a 1 > that of a 0), ties half, and its standard
 * error by DeLong (1988), NaN where a class has but one item. Both classes must occur. */
int stats_auc(const double *score, const double *truth, size_t n, double *auc, double *se);
/* The one way every metric gets its interval: bootstrap over items, percentile. fn computes
 * `metrics` values from counts per item; a value that is NaN gets no interval. */
int stats_metrics_bootstrap(stats_statistics_fn *fn, const void *context, size_t n, size_t metrics,
                            const struct stats_bootstrap_options *options,
                            struct stats_metric *out);
/* All metrics of labels; accuracy, the micro averages, and the positive label's precision and
 * recall are shares and have Wilson's interval instead. */
int stats_classify(const uint32_t *truth, const uint32_t *predicted, size_t n, size_t labels,
                   size_t positive, double zero_division,
                   const struct stats_bootstrap_options *options,
                   struct stats_metric out[STATS_METRICS]);

/* ---- Scores against 0/1 truth (ranking.c) ---- */

enum { STATS_ROC_AUC, STATS_AVERAGE_PRECISION, STATS_PR_AUC, STATS_TPR_AT_FPR, STATS_RANKS };
extern const char *const stats_rank_names[STATS_RANKS];
/* A higher score means positive; ties count half in the AUC. tpr_at_fpr is the highest true
 * positive rate at a threshold whose false positive rate is at most `fpr`. The AUC's interval is
 * DeLong's on the logit scale (bootstrap where its variance is 0). Both classes must occur. */
int stats_rank(const double *score, const double *truth, size_t n, double fpr,
               const struct stats_bootstrap_options *options, struct stats_metric out[STATS_RANKS]);

enum { STATS_ECE, STATS_MCE, STATS_BRIER, STATS_CALIBRATIONS };
extern const char *const stats_calibration_names[STATS_CALIBRATIONS];
struct stats_bin {
    double low, high; /* (low, high]; the first holds 0 too */
    double count;
    double confidence;              /* mean; NaN for an empty bin */
    double right;                   /* share right */
    struct stats_interval interval; /* Wilson's, of `right` */
};
/* confidence [n] in [0, 1] of the predicted answer, right [n] whether it was (0/1). square [n], or
 * NULL: each item's Brier term ((p - y)^2; for several classes the sum over them), else Brier is
 * NaN. table [bins], 10 by habit. */
int stats_calibrate(const double *confidence, const double *right, const double *square, size_t n,
                    size_t bins, const struct stats_bootstrap_options *options,
                    struct stats_metric out[STATS_CALIBRATIONS], struct stats_bin *table);
#endif
