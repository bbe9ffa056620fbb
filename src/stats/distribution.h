/* Distribution functions that hold their relative precision for every argument tests and intervals
 * can come with: binomials of 1e9 trials, tails of 1e-300, fractional degrees of freedom. Private
 * to the room stats (and usable by rooms above it); nothing here fails or allocates. Arguments
 * outside the domain give NaN. */
#ifndef STATS_DISTRIBUTION_H
#define STATS_DISTRIBUTION_H

/* Standard normal: P(Z <= x), P(Z > x), and the x with P(Z <= x) = p. */
double stats_normal_cdf(double x);
double stats_normal_tail(double x);
double stats_normal_quantile(double p);

/* Regularised incomplete beta I_x(a, b) and its complement 1 - I_x(a, b), a, b > 0. */
double stats_beta_cdf(double x, double a, double b);
double stats_beta_tail(double x, double a, double b);
/* The x with I_x(a, b) = p. */
double stats_beta_quantile(double p, double a, double b);
/* Density x^(a-1) (1-x)^(b-1) / B(a, b). */
double stats_beta_density(double x, double a, double b);

/* Binomial(n, p): P(X = k), P(X <= k), P(X > k); 0 <= k <= n (k < 0 and k >= n give the limits). */
double stats_binomial_pmf(double k, double n, double p);
double stats_binomial_cdf(double k, double n, double p);
double stats_binomial_tail(double k, double n, double p);

/* Student's t: P(T <= t), P(T > t), P(|T| > |t|); the t with P(T <= t) = p. df > 0, not whole. */
double stats_t_cdf(double t, double df);
double stats_t_tail(double t, double df);
double stats_t_two_sided(double t, double df);
double stats_t_quantile(double p, double df);
/* Noncentral t: P(T <= t) with noncentrality delta, and P(T > t). Absolute error below 1e-12. */
double stats_t_noncentral_cdf(double t, double df, double delta);
double stats_t_noncentral_tail(double t, double df, double delta);

/* Upper tails of chi-squared and F. */
double stats_chi2_tail(double x, double df);
double stats_f_tail(double x, double df1, double df2);
/* The same with noncentrality lambda >= 0: mixtures over Poisson(lambda / 2). */
double stats_chi2_noncentral_tail(double x, double df, double lambda);
double stats_f_noncentral_tail(double x, double df1, double df2, double lambda);
/* The interval of the noncentrality whose chi-squared (df2 = 0) or F was observed as x: the lambdas
 * for which P(X >= x) is (1 - level) / 2 and (1 + level) / 2; 0 where even 0 gives more. */
struct stats_interval;
void stats_noncentrality(double x, double df1, double df2, double level,
                         struct stats_interval *out);
#endif
