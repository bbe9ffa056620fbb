/* Ranges, ticks and labels of chart axes; see axis.h for the rules. Everything here is arithmetic
 * on doubles without state, so charts are reproducible. */
#include "report/axis.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

bool report_drawable(const struct report_axis *axis, double v)
{
    return isfinite(v) && (!axis->log || v > 0);
}

double report_scale_at(const struct report_scale *s, double v)
{
    if (s->log)
        return (log10(v) - log10(s->min)) / (log10(s->max) - log10(s->min));
    return (v - s->min) / (s->max - s->min);
}

/* The smallest nice step with span / step <= want. */
static double nice_step(double span, int want)
{
    static const double nice[] = { 1, 2, 2.5, 5, 10 };
    double raw = span / want;
    double power = pow(10, floor(log10(raw)));
    for (size_t i = 0; i < sizeof nice / sizeof nice[0]; i++)
        if (nice[i] * power >= raw * (1 - 1e-9))
            return nice[i] * power;
    return 10 * power;
}

/* How the labels of ticks that are multiples of step are written: a common divisor and number of
 * decimals, so that they line up. */
static void label_style(struct report_scale *s, double step)
{
    double largest = fmax(fabs(s->min), fabs(s->max));
    s->divisor = 1;
    s->suffix = "";
    if (largest >= 1e13 || largest < 1e-4) {
        s->scientific = true;
        return;
    }
    if (largest >= 1e10)
        s->divisor = 1e9, s->suffix = "G";
    else if (largest >= 1e7)
        s->divisor = 1e6, s->suffix = "M";
    else if (largest >= 1e4)
        s->divisor = 1e3, s->suffix = "k";
    double shown = step / s->divisor;
    for (s->decimals = 0; s->decimals < 9; s->decimals++) {
        double scaled = shown * pow(10, s->decimals);
        if (fabs(scaled - round(scaled)) < 1e-6 * scaled)
            break;
    }
}

static void ticks_linear(struct report_scale *s, double step)
{
    double first = ceil(s->min / step - 1e-9);
    for (double k = first; s->n_ticks < REPORT_TICKS; k++) {
        double v = k * step;
        if (v > s->max + 1e-9 * step)
            break;
        s->tick[s->n_ticks++] = fabs(v) < 1e-9 * step ? 0 : v;
    }
    label_style(s, step);
}

static void ticks_log(struct report_scale *s, int want)
{
    int first = (int)ceil(log10(s->min) - 1e-9), last = (int)floor(log10(s->max) + 1e-9);
    int powers = last - first + 1;
    int stride = powers > want ? (powers + want - 1) / want : 1;
    static const double inside[] = { 1, 2, 5 };
    size_t per = powers * 3 <= want + 2 ? 3 : 1;
    for (int e = per > 1 ? first - 1 : first; e <= last && s->n_ticks < REPORT_TICKS; e += stride)
        for (size_t i = 0; i < per && s->n_ticks < REPORT_TICKS; i++) {
            double v = inside[i] * pow(10, e);
            if (v >= s->min * (1 - 1e-9) && v <= s->max * (1 + 1e-9))
                s->tick[s->n_ticks++] = v;
        }
}

void report_scale_make(struct report_scale *s, const struct report_axis *axis, double low,
                       double high, int want, bool zero)
{
    memset(s, 0, sizeof *s);
    s->log = axis->log;
    s->divisor = 1;
    s->suffix = "";
    if (want < 2)
        want = 2;
    if (axis->fixed) {
        s->min = axis->min;
        s->max = axis->max;
    } else if (low > high) {
        s->min = axis->log ? 1 : 0;
        s->max = axis->log ? 10 : 1;
    } else {
        if (zero) {
            low = fmin(low, 0);
            high = fmax(high, 0);
        }
        /* one value, or values equal up to rounding: open the range around it */
        if (high - low <= 1e-12 * fmax(fabs(low), fabs(high)) || high - low < DBL_MIN) {
            double by = axis->log ? 0 : low == 0 ? 1 : fabs(low) * 0.1;
            low = axis->log ? fmax(low / 2, DBL_MIN) : low - by;
            high = axis->log ? fmin(high * 2, DBL_MAX) : high + by;
        }
        /* sums of huge values would overflow below; such a range is drawn, only less nicely */
        low = fmax(low, -DBL_MAX / 4);
        high = fmin(high, DBL_MAX / 4);
        s->min = low;
        s->max = high;
        if (axis->log) {
            double margin = pow(10, 0.04 * (log10(high) - log10(low)));
            s->min = fmax(low / margin, DBL_MIN);
            s->max = fmin(high * margin, DBL_MAX);
        } else {
            double margin = (high - low) * 0.04;
            s->min = zero && low == 0 ? 0 : low - margin;
            s->max = zero && high == 0 ? 0 : high + margin;
        }
    }
    if (s->log && s->max / s->min >= 5)
        ticks_log(s, want);
    else
        ticks_linear(s, nice_step(s->max - s->min, want));
}

void report_number(double v, char out[32])
{
    double a = fabs(v);
    if (v == 0)
        snprintf(out, 32, "0");
    else if (a >= 1e13 || a < 1e-4)
        snprintf(out, 32, "%.3g", v);
    else if (a >= 1e10)
        snprintf(out, 32, "%.4gG", v / 1e9);
    else if (a >= 1e7)
        snprintf(out, 32, "%.4gM", v / 1e6);
    else if (a >= 1e4)
        snprintf(out, 32, "%.4gk", v / 1e3);
    else
        snprintf(out, 32, "%.4g", v);
}

void report_scale_label(const struct report_scale *s, size_t i, char out[32])
{
    double v = s->tick[i];
    if (s->log && s->max / s->min >= 5) {
        double e = round(log10(v));
        if (v >= 1e-4 * (1 - 1e-9) && v < 1e15) {
            if (v < 1e3)
                snprintf(out, 32, "%g", v);
            else
                snprintf(out, 32, "%g%s",
                         v / (v < 1e6    ? 1e3
                              : v < 1e9  ? 1e6
                              : v < 1e12 ? 1e9
                                         : 1e12),
                         v < 1e6    ? "k"
                         : v < 1e9  ? "M"
                         : v < 1e12 ? "G"
                                    : "T");
        } else if (fabs(log10(v) - e) < 1e-9)
            snprintf(out, 32, "1e%d", (int)e);
        else
            snprintf(out, 32, "%.0e", v);
    } else if (s->scientific)
        snprintf(out, 32, "%.3g", v);
    else if (v == 0)
        snprintf(out, 32, "0");
    else
        snprintf(out, 32, "%.*f%s", s->decimals, v / s->divisor, s->suffix);
}
