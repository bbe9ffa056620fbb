/* Distribution functions. GSL's are used where they hold; the incomplete beta function is our own,
 * for GSL's stops after 512 steps of the continued fraction (NaN from about 1e5 trials on) and
 * takes differences of log-gammas, which leaves 1e-9 of relative precision at a million trials.
 *
 * Binomial mass by Loader's saddle point ("Fast and accurate computation of binomial
 * probabilities", 2000): with D(k, m) = k ln(k/m) + m - k and s(n) = ln n! - ln(sqrt(2 pi n)
 * (n/e)^n),
 *
 *     P(k) = sqrt(n / (2 pi k (n-k))) exp(s(n) - s(k) - s(n-k) - D(k, np) - D(n-k, nq))
 *
 * no term of which cancels against another. It holds for real k and n, so x^a (1-x)^b / B(a, b) =
 * P(a; a+b, x) a b / (a+b), which is the factor before the continued fraction (DLMF 8.17.22). */
#include "stats/distribution.h"
#include <assay/stats.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

static const double pi = 3.14159265358979323846;

double stats_normal_cdf(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

double stats_normal_tail(double x)
{
    return 0.5 * erfc(x * M_SQRT1_2);
}

double stats_normal_quantile(double p)
{
    if (!(p >= 0 && p <= 1))
        return NAN;
    if (p == 0 || p == 1)
        return p == 0 ? -INFINITY : INFINITY;
    return gsl_cdf_ugaussian_Pinv(p); /* Wichura's AS 241: 1e-16 */
}

/* s(n): Stirling's series from 16 on; below it by s(n) = s(n+1) + (n + 1/2) ln(1 + 1/n) - 1. */
static double stirling_error(double n)
{
    double more = 0;
    while (n < 16) {
        more += (n + 0.5) * log1p(1 / n) - 1;
        n += 1;
    }
    double r = 1 / (n * n);
    return more +
           (1.0 / 12 -
            r * (1.0 / 360 -
                 r * (1.0 / 1260 - r * (1.0 / 1680 - r * (1.0 / 1188 - r * 691.0 / 360360))))) /
               n;
}

/* D(k, m) without cancellation near k = m: with v = (k-m)/(k+m), k ln(k/m) = 2 k atanh(v). */
static double deviance(double k, double m)
{
    if (fabs(k - m) < 0.1 * (k + m)) {
        double v = (k - m) / (k + m), sum = (k - m) * v, power = 2 * k * v, last;
        int j = 1;
        do {
            last = sum;
            power *= v * v;
            sum += power / (2 * j++ + 1);
        } while (sum != last);
        return sum;
    }
    return k * log(k / m) + m - k;
}

/* P(k; n = k + l, p), real k and l. l and q = 1 - p are given apart: k + l - k may have lost them.
 */
static double binomial_mass(double k, double l, double p, double q)
{
    double n = k + l;
    if (p == 0 || q == 0)
        return (p == 0 ? k == 0 : l == 0) ? 1 : 0;
    if (k == 0)
        return l == 0 ? 1 : exp(l * (p < 0.5 ? log1p(-p) : log(q)));
    if (l == 0)
        return exp(k * (q < 0.5 ? log1p(-q) : log(p)));
    double e = stirling_error(n) - stirling_error(k) - stirling_error(l) - deviance(k, n * p) -
               deviance(l, n * q);
    return sqrt(n / (2 * pi * k * l)) * exp(e);
}

/* I_x(a, b) = x^a y^b / B(a, b) / (b0 + a1 / (b1 + a2 / (b2 + ...))), y = 1 - x: the even part of
 * the continued fraction (Didonato and Morris 1992, BFRAC), which takes y and not 1 - x where x is
 * near 1. For x <= (a + 1) / (a + b + 2) it needs some sqrt(a + b) steps (modified Lentz). */
static double beta_fraction(double x, double y, double a, double b)
{
    if (x == 0)
        return 0;
    const double tiny = 1e-300;
    double front = binomial_mass(a, b, x, y) * a / (a + b) * b;
    double f = tiny, c = tiny, d = 0;
    for (double m = 0; m < 1e7; m++) {
        double below = a + 2 * m - 1;
        double an =
            m == 0 ? 1 : (a + m - 1) / below * (a + b + m - 1) / below * m * (b - m) * x * x;
        double bn = m + (m == 0 ? 0 : m * (b - m) * x / below) +
                    (a + m) * (a * y - b * x + 1 + m * (2 - x)) / (a + 2 * m + 1);
        d = bn + an * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = bn + an / c;
        c = fabs(c) < tiny ? tiny : c;
        double step = c * d;
        f *= step;
        if (fabs(step - 1) < 2e-16)
            break;
    }
    double value = front * f;
    return value > 1 ? 1 : value;
}

static double beta_both(double x, double y, double a, double b, int upper)
{
    if (!(a > 0 && b > 0) || isnan(x))
        return NAN;
    if (x <= 0 || y <= 0)
        return (x <= 0) == (upper != 0) ? 1 : 0;
    if (x <= (a + 1) / (a + b + 2)) {
        double low = beta_fraction(x, y, a, b);
        return upper ? 1 - low : low;
    }
    double high = beta_fraction(y, x, b, a);
    return upper ? high : 1 - high;
}

double stats_beta_cdf(double x, double a, double b)
{
    return beta_both(x, 1 - x, a, b, 0);
}

double stats_beta_tail(double x, double a, double b)
{
    return beta_both(x, 1 - x, a, b, 1);
}

double stats_beta_density(double x, double a, double b)
{
    if (!(a > 0 && b > 0) || !(x > 0 && x < 1))
        return NAN;
    return binomial_mass(a, b, x, 1 - x) * a * b / (a + b) / (x * (1 - x));
}

/* Newton's steps kept inside a bracket that every evaluation narrows; halving where a step would
 * leave it or the density is useless. */
double stats_beta_quantile(double p, double a, double b)
{
    if (!(p >= 0 && p <= 1) || !(a > 0 && b > 0))
        return NAN;
    if (p == 0 || p == 1)
        return p;
    double low = 0, high = 1, x = a / (a + b);
    for (int i = 0; i < 200; i++) {
        double f = p <= 0.5 ? stats_beta_cdf(x, a, b) - p : (1 - p) - stats_beta_tail(x, a, b);
        if (f < 0)
            low = x;
        else
            high = x;
        double next = x - f / stats_beta_density(x, a, b);
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        if (fabs(next - x) <= 1e-16 * x || high - low <= 1e-16 * high) {
            x = next;
            break;
        }
        x = next;
    }
    return x;
}

double stats_binomial_pmf(double k, double n, double p)
{
    if (!(n >= 0) || !(p >= 0 && p <= 1))
        return NAN;
    return k < 0 || k > n ? 0 : binomial_mass(k, n - k, p, 1 - p);
}

/* P(X <= k) = I_{1-p}(n - k, k + 1) */
double stats_binomial_cdf(double k, double n, double p)
{
    if (!(n >= 0) || !(p >= 0 && p <= 1))
        return NAN;
    return k < 0 ? 0 : k >= n ? 1 : beta_both(p, 1 - p, k + 1, n - k, 1);
}

double stats_binomial_tail(double k, double n, double p)
{
    if (!(n >= 0) || !(p >= 0 && p <= 1))
        return NAN;
    return k < 0 ? 1 : k >= n ? 0 : beta_both(p, 1 - p, k + 1, n - k, 0);
}

/* P(|T| > t) = I_{df/(df+t^2)}(df/2, 1/2) */
double stats_t_two_sided(double t, double df)
{
    if (!(df > 0) || isnan(t))
        return NAN;
    if (isinf(t))
        return 0;
    if (isinf(df) || df > 1e15)
        return 2 * stats_normal_tail(fabs(t));
    double r = t / df * t; /* t^2 / df */
    return beta_both(1 / (1 + r), r / (1 + r), df / 2, 0.5, 0);
}

double stats_t_tail(double t, double df)
{
    double two = stats_t_two_sided(t, df);
    return t >= 0 ? two / 2 : 1 - two / 2;
}

double stats_t_cdf(double t, double df)
{
    return stats_t_tail(-t, df);
}

double stats_t_quantile(double p, double df)
{
    if (!(p >= 0 && p <= 1) || !(df > 0))
        return NAN;
    if (p == 0 || p == 1)
        return p == 0 ? -INFINITY : INFINITY;
    if (p == 0.5)
        return 0;
    double q = p < 0.5 ? p : 1 - p; /* P(T > t) = q for t > 0 */
    double low = 0, high = fmax(1, -stats_normal_quantile(q));
    while (stats_t_tail(high, df) > q && high < 1e300)
        high *= 2;
    double log_scale = lgamma((df + 1) / 2) - lgamma(df / 2) - 0.5 * log(df * pi);
    double t = -stats_normal_quantile(q);
    t = t > low && t < high ? t : 0.5 * (low + high);
    for (int i = 0; i < 400; i++) {
        double f = stats_t_tail(t, df) - q;
        if (f > 0)
            low = t;
        else
            high = t;
        double next = t + f / exp(log_scale - (df + 1) / 2 * log1p(t / df * t));
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        if (fabs(next - t) <= 1e-15 * t || high - low <= 1e-15 * high) {
            t = next;
            break;
        }
        t = next;
    }
    return p < 0.5 ? -t : t;
}

/* T = (Z + delta) / S with S = sqrt(chi2_df / df), so P(T <= t) = E Phi(t S - delta), and S has the
 * density c s^(df-1) exp(-df s^2 / 2), ln c = ln 2 + df/2 ln(df/2) - lgamma(df/2). Integrated by
 * Gauss-Legendre with 10 nodes on 128 panels over all of S that matters (1 -+ 12 sd); s = v^8 makes
 * s^(df-1) smooth at 0 where df is small. The mass of the panels themselves normalises, so that
 * rounding of c cancels. */
static double t_noncentral(double t, double df, double delta, int upper)
{
    static const double node[5] = { 0.1488743389816312, 0.4333953941292472, 0.6794095682990244,
                                    0.8650633666889845, 0.9739065285171717 };
    static const double weight[5] = { 0.2955242247147529, 0.2692667193099963, 0.2190863625159821,
                                      0.1494513491505806, 0.0666713443086881 };
    if (!(df > 0) || isnan(t) || isnan(delta))
        return NAN;
    if (df > 1e12)
        return upper ? stats_normal_tail(t - delta) : stats_normal_cdf(t - delta);
    enum { PANELS = 128 };
    double sd = 1 / sqrt(2 * df), root = df < 100 ? 8 : 1;
    double begin = pow(fmax(0, 1 - 12 * sd), 1 / root), end = pow(1 + 12 * sd, 1 / root);
    double width = (end - begin) / PANELS, mass = 0, sum = 0;
    for (int i = 0; i < PANELS; i++)
        for (int j = 0; j < 10; j++) {
            double x = j < 5 ? -node[j] : node[j - 5];
            double v = begin + width * (i + 0.5 + 0.5 * x), s = root == 1 ? v : pow(v, root);
            double f = weight[j % 5] * exp((df * root - 1) * log(v) - df / 2 * (s * s - 1));
            mass += f;
            sum += f * (upper ? stats_normal_tail(t * s - delta) : stats_normal_cdf(t * s - delta));
        }
    return sum / mass;
}

double stats_t_noncentral_cdf(double t, double df, double delta)
{
    return t_noncentral(t, df, delta, 0);
}

double stats_t_noncentral_tail(double t, double df, double delta)
{
    return t_noncentral(t, df, delta, 1);
}

double stats_chi2_tail(double x, double df)
{
    if (!(df > 0) || isnan(x))
        return NAN;
    return x <= 0 ? 1 : df == 1 ? erfc(sqrt(x / 2)) : gsl_cdf_chisq_Q(x, df);
}

double stats_f_tail(double x, double df1, double df2)
{
    if (!(df1 > 0 && df2 > 0) || isnan(x))
        return NAN;
    if (x <= 0 || isinf(x))
        return x <= 0 ? 1 : 0;
    double r = df1 / df2 * x;
    return beta_both(1 / (1 + r), r / (1 + r), df2 / 2, df1 / 2, 0);
}

/* For large lambda X = (Z + sqrt(lambda))^2 + chi^2_{df1 - 1} is the square of a normal variable
 * with mean sqrt(lambda) + (df1 - 1) / (2 sqrt(lambda)), up to 1 / lambda; and F is then the square
 * of a noncentral t. */
static double far_tail(double x, double df1, double df2, double lambda)
{
    double delta = sqrt(lambda) + (df1 - 1) / (2 * sqrt(lambda));
    return df2 > 0 ? stats_t_noncentral_tail(sqrt(x * df1), df2, delta)
                   : stats_normal_tail(sqrt(x) - delta);
}

/* sum_j Poisson(j; lambda / 2) tail(j), over the j that hold all but 1e-17 of the mass. */
static double mixture(double x, double df1, double df2, double lambda)
{
    if (lambda > 1e5)
        return far_tail(x, df1, df2, lambda);
    double half = lambda / 2, reach = 9 * sqrt(half) + 30, sum = 0, mass = 0;
    double first = fmax(0, floor(half - reach)), last = ceil(half + reach);
    double weight = exp(first * log(half) - half - lgamma(first + 1));
    for (double j = first; j <= last; j++) {
        double y = df1 + 2 * j; /* an F of df1 + 2j degrees, taken at x df1 / (df1 + 2j) */
        sum += weight * (df2 > 0 ? stats_f_tail(x * df1 / y, y, df2) : stats_chi2_tail(x, y));
        mass += weight;
        weight *= half / (j + 1);
    }
    return sum / mass;
}

double stats_chi2_noncentral_tail(double x, double df, double lambda)
{
    if (!(df > 0 && lambda >= 0) || isnan(x))
        return NAN;
    return x <= 0 ? 1 : lambda == 0 ? stats_chi2_tail(x, df) : mixture(x, df, 0, lambda);
}

double stats_f_noncentral_tail(double x, double df1, double df2, double lambda)
{
    if (!(df1 > 0 && df2 > 0 && lambda >= 0) || isnan(x))
        return NAN;
    return x <= 0 ? 1 : lambda == 0 ? stats_f_tail(x, df1, df2) : mixture(x, df1, df2, lambda);
}

static double noncentral_tail(double x, double df1, double df2, double lambda)
{
    return df2 > 0 ? stats_f_noncentral_tail(x, df1, df2, lambda)
                   : stats_chi2_noncentral_tail(x, df1, lambda);
}

/* The lambda with P(X >= x) = p, which rises with lambda: false position (Illinois). */
static double noncentrality_at(double x, double df1, double df2, double p)
{
    double low = 0, high = fmax(1, df2 > 0 ? x * df1 : x);
    double f_low = noncentral_tail(x, df1, df2, 0) - p, f_high;
    if (f_low >= 0)
        return 0;
    while ((f_high = noncentral_tail(x, df1, df2, high) - p) < 0 && high < 1e12) {
        low = high;
        f_low = f_high;
        high *= 2;
    }
    int side = 0;
    for (int i = 0; i < 200 && high - low > 1e-12 * high; i++) {
        double middle = (low * f_high - high * f_low) / (f_high - f_low);
        if (!(middle > low && middle < high))
            middle = (low + high) / 2;
        double f = noncentral_tail(x, df1, df2, middle) - p;
        if (f == 0)
            return middle;
        if (f < 0) {
            low = middle;
            f_low = f;
            f_high *= side == -1 ? 0.5 : 1;
            side = -1;
        } else {
            high = middle;
            f_high = f;
            f_low *= side == 1 ? 0.5 : 1;
            side = 1;
        }
    }
    return (low + high) / 2;
}

void stats_noncentrality(double x, double df1, double df2, double level, struct stats_interval *out)
{
    out->low = noncentrality_at(x, df1, df2, (1 - level) / 2);
    out->high = noncentrality_at(x, df1, df2, (1 + level) / 2);
}
