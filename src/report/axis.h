/* A chart's axis: its range, the places of its ticks, and how a number is written beside them.
 *
 * Linear ticks are multiples of 1, 2, 2.5 or 5 times a power of ten (Heckbert 1990, "Nice numbers
 * for graph labels"), the smallest step that leaves at most `want` of them. Logarithmic ticks are
 * powers of ten, thinned evenly when there are many, with 2 and 5 between them when there are few;
 * a log range under a factor of five has linear ticks. */
#ifndef REPORT_AXIS_H
#define REPORT_AXIS_H
#include "report/chart.h"

#define REPORT_TICKS 64
struct report_scale {
    bool log;
    double min, max;           /* min < max */
    double tick[REPORT_TICKS]; /* ascending, inside [min, max] */
    size_t n_ticks;
    int decimals;   /* digits after the point for linear labels, before `suffix` */
    double divisor; /* labels show tick / divisor followed by suffix: 1 "", 1e3 "k", 1e6 "M", 1e9
                       "G" */
    const char *suffix;
    bool scientific; /* labels as 1e-05: too small or large for the above */
};
/* The range of `axis` for data in [low, high] (low > high = no data) with about `want` ticks.
 * `zero` makes a linear range hold 0 (bars). */
void report_scale_make(struct report_scale *s, const struct report_axis *axis, double low,
                       double high, int want, bool zero);
/* Where v lies: 0 at min, 1 at max. v must be drawable on this scale. */
double report_scale_at(const struct report_scale *s, double v);
/* Finite, and positive on a log scale. */
bool report_drawable(const struct report_axis *axis, double v);
/* The label of tick i. */
void report_scale_label(const struct report_scale *s, size_t i, char out[32]);
/* A value for people: about four significant digits, 12,345 as 12.3k. */
void report_number(double v, char out[32]);
#endif
