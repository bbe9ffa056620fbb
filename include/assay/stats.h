/* stats: numbers with intervals. Knows only base. Every function is pure; random ones take a seed
 * and give the same bits for any number of threads.
 *
 * Intervals are two-sided with equal tails at confidence `level` in (0, 1), 0.95 by habit. A
 * function that cannot give an interval (too few data, no spread where it needs some) returns
 * BASE_E_ARGUMENT with the reason as message: callers show it instead of a number. */
#ifndef ASSAY_STATS_H
#define ASSAY_STATS_H
#include <assay/base.h>

struct stats_interval {
    double low, high;
};

/* Sum with Neumaier's compensation: the error does not grow with n. */
double stats_sum(const double *x, size_t n);
/* Mean of n >= 1 values; NaN for n == 0. */
double stats_mean(const double *x, size_t n);
/* Unbiased variance, sum (x - mean)^2 / (n - 1), two passes; NaN for n < 2. */
double stats_variance(const double *x, size_t n);
/* The q-quantile (0 <= q <= 1) of ascending values by linear interpolation at (n-1) q (Hyndman and
 * Fan's type 7: the default of R and NumPy). n >= 1. */
double stats_quantile_sorted(const double *ascending, size_t n, double q);
/* Median of any order; allocates a copy. */
int stats_median(const double *x, size_t n, double *out);

/* estimate -+ z se. */
int stats_interval_normal(double estimate, double se, double level, struct stats_interval *out);
/* estimate -+ t_df se, df > 0 (need not be whole). */
int stats_interval_t(double estimate, double se, double df, double level,
                     struct stats_interval *out);
/* Mean of n >= 2 values: t with n-1 degrees of freedom. */
int stats_interval_mean(const double *x, size_t n, double level, struct stats_interval *out);
/* A proportion, Wilson's score interval (Wilson 1927). n >= 1, 0 <= successes <= n. */
int stats_interval_wilson(double successes, double n, double level, struct stats_interval *out);

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

/* A statistic of a resample: `pick` [n] holds how often each of the n units was drawn. */
typedef double stats_statistic_fn(const void *context, const uint32_t *pick, size_t n);
/* Bootstrap distribution: draws n of n units with replacement `resamples` times (resample b by
 * stream (seed, BASE_RNG_BOOTSTRAP, b)) and writes the ascending statistics to out [resamples].
 * Runs on base_threads() threads: the statistic must be pure. n >= 1, resamples >= 1. */
int stats_bootstrap(stats_statistic_fn *statistic, const void *context, size_t n, size_t resamples,
                    uint64_t seed, double *out);
/* Percentile interval of an ascending bootstrap distribution (Efron and Tibshirani 1993, ch. 13).
 */
int stats_bootstrap_percentile(const double *ascending, size_t resamples, double level,
                               struct stats_interval *out);
/* Percentile interval of sum y / sum x by resampling clusters. n >= 2. */
int stats_bootstrap_ratio(const double *y, const double *x, size_t n, size_t resamples,
                          uint64_t seed, double level, struct stats_interval *out);
#endif
