/* Power and sample size: before a run, how many items; after one, what it could have seen.
 *
 * A two-sided test's power counts both tails (the wrong one is negligible but for tiny effects).
 * t tests: T is noncentral t with delta = d sqrt(n) (one sample or pairs), d sqrt(n1 n2/(n1+n2)).
 */
#include "stats/distribution.h"
#include <assay/stats.h>
#include <math.h>

static int check_alpha(double alpha)
{
    if (alpha > 0 && alpha < 1)
        return 0;
    return base_error_set(BASE_E_ARGUMENT, "alpha is between 0 and 1, not %g", alpha);
}

static int check_power(double alpha, double power)
{
    int rc = check_alpha(alpha);
    if (rc)
        return rc;
    if (!(power > 0 && power < 1))
        return base_error_set(BASE_E_ARGUMENT, "power is between 0 and 1, not %g", power);
    if (power <= alpha)
        return base_error_set(
            BASE_E_ARGUMENT,
            "power %g is not more than alpha %g, which a test has without any data", power, alpha);
    return 0;
}

static double t_power(double delta, double df, double alpha, enum stats_alternative a)
{
    double critical = stats_t_quantile(1 - (a == STATS_TWO_SIDED ? alpha / 2 : alpha), df);
    double power = 0;
    if (a != STATS_LESS)
        power += stats_t_noncentral_tail(critical, df, delta);
    if (a != STATS_GREATER)
        power += stats_t_noncentral_cdf(-critical, df, delta);
    return fmin(1, power);
}

int stats_power_t_one(double d, double n, double alpha, enum stats_alternative a, double *power)
{
    int rc = check_alpha(alpha);
    if (rc)
        return rc;
    if (!isfinite(d) || !(n > 1))
        return base_error_set(BASE_E_ARGUMENT,
                              "a t test needs more than one value and a finite effect, not n = %g, "
                              "d = %g",
                              n, d);
    *power = t_power(d * sqrt(n), n - 1, alpha, a);
    return 0;
}

int stats_power_t_two(double d, double n1, double n2, double alpha, enum stats_alternative a,
                      double *power)
{
    int rc = check_alpha(alpha);
    if (rc)
        return rc;
    if (!isfinite(d) || !(n1 > 0 && n2 > 0 && n1 + n2 > 2))
        return base_error_set(BASE_E_ARGUMENT,
                              "a two-sample t test needs more than two values and a finite effect, "
                              "not n = %g and %g, d = %g",
                              n1, n2, d);
    *power = t_power(d * sqrt(n1 / (n1 + n2) * n2), n1 + n2 - 2, alpha, a);
    return 0;
}

int stats_power_z(double shift, double alpha, enum stats_alternative a, double *power)
{
    int rc = check_alpha(alpha);
    if (rc)
        return rc;
    if (isnan(shift))
        return base_error_set(BASE_E_ARGUMENT, "the effect is no number");
    double z = -stats_normal_quantile(a == STATS_TWO_SIDED ? alpha / 2 : alpha);
    *power = 0;
    if (a != STATS_LESS)
        *power += stats_normal_tail(z - shift);
    if (a != STATS_GREATER)
        *power += stats_normal_cdf(-z - shift);
    *power = fmin(1, *power);
    return 0;
}

int stats_effect_proportions(double p1, double p2, double *h)
{
    if (!(p1 >= 0 && p1 <= 1 && p2 >= 0 && p2 <= 1))
        return base_error_set(BASE_E_ARGUMENT, "proportions are between 0 and 1, not %g and %g", p1,
                              p2);
    *h = 2 * asin(sqrt(p1)) - 2 * asin(sqrt(p2));
    return 0;
}

static int check_discordant(double p10, double p01)
{
    if (p10 >= 0 && p01 >= 0 && p10 + p01 <= 1 && p10 + p01 > 0)
        return 0;
    return base_error_set(BASE_E_ARGUMENT,
                          "the discordant shares must be positive with a sum of at most 1, not %g "
                          "and %g",
                          p10, p01);
}

/* The largest k below m/2 whose two-sided p is at most alpha, going up from the one of a smaller m;
 * -1 for none. p(k) = 2 cdf(k), less pmf(k) for mid-p. */
static double critical_count(double k, double m, double alpha, bool mid)
{
    for (; k + 1 < m / 2; k++) {
        double p = 2 * stats_binomial_cdf(k + 1, m, 0.5);
        if (mid)
            p -= stats_binomial_pmf(k + 1, m, 0.5);
        if (p > alpha)
            break;
    }
    return k;
}

int stats_power_mcnemar(double p10, double p01, double n, double alpha,
                        struct stats_power_mcnemar *out)
{
    int rc;
    if ((rc = check_alpha(alpha)) || (rc = check_discordant(p10, p01)))
        return rc;
    if (!(n >= 1) || n != floor(n) || n > 1e7)
        return base_error_set(BASE_E_ARGUMENT,
                              "McNemar's power is for 1 to 10,000,000 pairs, not %g", n);
    double discordant = p10 + p01, d = p10 - p01, share = p10 / discordant;
    *out = (struct stats_power_mcnemar){ 0 };
    /* tables whose number of discordant pairs has no probability to speak of are left out */
    double spread = 10 * sqrt(n * discordant * (1 - discordant)) + 40;
    double first = fmax(0, floor(n * discordant - spread)), last = fmin(n, n * discordant + spread);
    double k[2] = { -1, -1 };
    for (int mid = 0; mid < 2 && first > 100;
         mid++) { /* start near the critical count of `first` */
        double guess = first / 2 + stats_normal_quantile(alpha / 2) * sqrt(first) / 2;
        k[mid] = fmax(-1, floor(guess - 5 * sqrt(sqrt(first)) - 10));
        if (k[mid] >= 0 && 2 * stats_binomial_cdf(k[mid], first, 0.5) > alpha)
            k[mid] = -1;
    }
    for (double m = first; m <= last; m++) {
        double weight = stats_binomial_pmf(m, n, discordant);
        for (int mid = 0; mid < 2; mid++) {
            k[mid] = critical_count(k[mid], m, alpha, mid);
            if (k[mid] < 0)
                continue;
            double reject = stats_binomial_cdf(k[mid], m, share) +
                            stats_binomial_tail(m - k[mid] - 1, m, share);
            *(mid ? &out->midp : &out->exact) += weight * reject;
        }
    }
    double z = -stats_normal_quantile(alpha / 2), rest = discordant - d * d;
    double above = fabs(d) * sqrt(n) - z * sqrt(discordant);
    out->normal = rest > 0 ? stats_normal_cdf(above / sqrt(rest)) : above > 0;
    out->exact = fmin(1, out->exact);
    out->midp = fmin(1, out->midp);
    return 0;
}

int stats_sample_mcnemar(double p10, double p01, double alpha, double power, double *n)
{
    int rc;
    if ((rc = check_power(alpha, power)) || (rc = check_discordant(p10, p01)))
        return rc;
    if (p10 == p01)
        return base_error_set(BASE_E_ARGUMENT,
                              "no number of pairs shows a difference of 0 (both shares are %g)",
                              p10);
    double discordant = p10 + p01, d = p10 - p01;
    double sum = -stats_normal_quantile(alpha / 2) * sqrt(discordant) +
                 stats_normal_quantile(power) * sqrt(fmax(0, discordant - d * d));
    *n = sum * sum / (d * d);
    return 0;
}

static int check_items(const struct stats_items *i, double *variance)
{
    if (!(i->w2 >= 0 && i->var_a >= 0 && i->var_b >= 0) || !(i->k_a >= 1 && i->k_b >= 1))
        return base_error_set(BASE_E_ARGUMENT,
                              "variances must not be negative and answers per item at least 1 "
                              "(w2 %g, var %g and %g, k %g and %g)",
                              i->w2, i->var_a, i->var_b, i->k_a, i->k_b);
    *variance = i->w2 + i->var_a / i->k_a + i->var_b / i->k_b;
    if (!(*variance > 0) || isinf(*variance))
        return base_error_set(BASE_E_ARGUMENT,
                              "without any variance one item decides: give w2 or the variances");
    return 0;
}

static double z_sum(double alpha, double power)
{
    return -stats_normal_quantile(alpha / 2) + stats_normal_quantile(power);
}

int stats_sample_items(const struct stats_items *items, double difference, double alpha,
                       double power, double *n)
{
    double variance, z;
    int rc;
    if ((rc = check_power(alpha, power)) || (rc = check_items(items, &variance)))
        return rc;
    if (difference == 0 || !isfinite(difference))
        return base_error_set(BASE_E_ARGUMENT, "no number of items shows a difference of %g",
                              difference);
    z = z_sum(alpha, power);
    *n = z * z * variance / (difference * difference);
    return 0;
}

int stats_detectable_items(const struct stats_items *items, double n, double alpha, double power,
                           double *difference)
{
    double variance;
    int rc;
    if ((rc = check_power(alpha, power)) || (rc = check_items(items, &variance)))
        return rc;
    if (!(n > 0))
        return base_error_set(BASE_E_ARGUMENT, "the number of items must be positive, not %g", n);
    *difference = z_sum(alpha, power) * sqrt(variance / n);
    return 0;
}

int stats_power_items(const struct stats_items *items, double n, double difference, double alpha,
                      double *power)
{
    double variance;
    int rc = check_items(items, &variance);
    if (rc)
        return rc;
    if (!(n > 0))
        return base_error_set(BASE_E_ARGUMENT, "the number of items must be positive, not %g", n);
    return stats_power_z(difference * sqrt(n / variance), alpha, STATS_TWO_SIDED, power);
}

/* Smallest whole n >= least at which width(n) <= wanted; width falls with n. */
struct width {
    enum stats_proportion method;
    double sd, p, level;
};
static double width_mean(const struct width *w, double n)
{
    return 2 * stats_t_quantile((1 + w->level) / 2, n - 1) * w->sd / sqrt(n);
}

static double width_proportion(const struct width *w, double n)
{
    struct stats_interval i;
    return stats_interval_proportion(w->method, w->p * n, n, w->level, &i) ? INFINITY
                                                                           : i.high - i.low;
}

static int smallest(double (*width)(const struct width *, double), const struct width *w,
                    double least, double wanted, double *n)
{
    if (!(wanted > 0) || isinf(wanted))
        return base_error_set(BASE_E_ARGUMENT, "an interval's width must be positive, not %g",
                              wanted);
    if (!(w->level > 0 && w->level < 1))
        return base_error_set(BASE_E_ARGUMENT, "a confidence level is between 0 and 1, not %g",
                              w->level);
    double high = least, low = least;
    while (width(w, high) > wanted) {
        low = high;
        high *= 2;
        if (high > 1e13)
            return base_error_set(BASE_E_LIMIT, "a width of %g would take more than 10^13 items",
                                  wanted);
    }
    while (high - low > 1) {
        double middle = floor(0.5 * (low + high));
        if (width(w, middle) > wanted)
            low = middle;
        else
            high = middle;
    }
    *n = high;
    return 0;
}

int stats_sample_width_mean(double sd, double width, double level, double *n)
{
    if (!(sd > 0) || isinf(sd))
        return base_error_set(BASE_E_ARGUMENT, "a standard deviation must be positive, not %g", sd);
    struct width w = { .sd = sd, .level = level };
    return smallest(width_mean, &w, 2, width, n);
}

int stats_sample_width_proportion(enum stats_proportion method, double p, double width,
                                  double level, double *n)
{
    if (!(p >= 0 && p <= 1))
        return base_error_set(BASE_E_ARGUMENT, "a proportion is between 0 and 1, not %g", p);
    struct width w = { .method = method, .p = p, .level = level };
    return smallest(width_proportion, &w, 1, width, n);
}

double stats_solve(double (*f)(double x, const void *context), const void *context, double target,
                   double low, double high)
{
    if (!(f(high, context) >= target))
        return INFINITY;
    if (f(low, context) >= target)
        return low;
    for (int i = 0; i < 200 && high - low > 1e-13 * fabs(high); i++) {
        double middle = 0.5 * (low + high);
        if (f(middle, context) >= target)
            high = middle;
        else
            low = middle;
    }
    return high;
}
