/* Charts: what a training run or a benchmark shows as a picture. Drawn with Cairo; the file's
 * extension chooses PNG, SVG or PDF. The same chart gives the same bytes every time (no dates, no
 * process-wide counters in the file), on a machine with the same fonts.
 *
 * Values that cannot be drawn (NaN, infinite, not positive on a log axis) leave a gap, never a
 * wrong line, and are counted in a note below the plot. A chart without any drawable value says "no
 * data". */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H
#include <stdbool.h>
#include <stddef.h>

struct report_axis {
    const char *label; /* "loss"; NULL = none */
    const char *unit;  /* "nats/token", written in brackets after the label; NULL = none */
    bool log;          /* logarithmic, base 10 */
    bool fixed;        /* show exactly min .. max; otherwise the range comes from the data */
    double min, max;   /* with fixed: min < max, min > 0 when log */
};

enum report_style {
    REPORT_LINE,   /* a line; a point with nothing to join is drawn as a dot */
    REPORT_FAINT,  /* a thin pale line: the raw values behind a smoothed line */
    REPORT_DASHED, /* a reference or a second kind of the same thing */
    REPORT_POINTS, /* dots only */
};
enum report_interval {
    REPORT_BAND,     /* a shaded area between low and high */
    REPORT_WHISKERS, /* a bar with caps at each point */
};

/* One curve. All arrays are borrowed. */
struct report_series {
    const char *name;         /* in the legend; NULL leaves it out */
    const double *x;          /* [n], drawn in this order */
    const double *y;          /* [n] */
    const double *low, *high; /* [n] each: an interval around y; both NULL for none */
    size_t n;
    enum report_style style;
    enum report_interval interval;
    int color; /* 1.. = that colour of the palette (8, then again from the first); 0 = the next
                  unused */
};

struct report_chart {
    const char *title;    /* NULL = none */
    const char *subtitle; /* smaller, below the title; NULL = none */
    struct report_axis x, y;
    const struct report_series *series;
    size_t n_series;
    int width, height; /* points (1/72 inch in PDF, pixels in SVG), 160 .. 4096; 0 = 800 x 480 */
    int scale;         /* PNG pixels per point, 1 .. 4; 0 = 2 */
    bool dark;
};
/* Writes a line chart, atomically. BASE_E_ARGUMENT for an unknown extension, a size or an axis that
 * cannot be; BASE_E_IO when the file cannot be written. */
int report_chart_write(const struct report_chart *chart, const char *path);

/* Horizontal bars, a row per category, in each row a bar per group. */
struct report_bars {
    const char *title, *subtitle;
    struct report_axis value;      /* log is refused: a bar's length means its value from 0 */
    const char *const *categories; /* [n] */
    size_t n;
    const char *const *groups; /* [n_groups] legend names; may be NULL when n_groups is 1 */
    size_t n_groups;
    const double *values;       /* [n, n_groups] row-major; not finite = an empty place */
    const double *low, *high;   /* [n, n_groups] interval ends, both NULL for none */
    const double *reference;    /* a vertical dashed line here (a limit, chance level), or NULL */
    const char *reference_name; /* its name in the legend, or NULL */
    bool points;                /* a dot at the value, not a bar from 0: for differences */
    int width, height;          /* height 0 = as many rows need */
    int scale;
    bool dark;
};
int report_bars_write(const struct report_bars *bars, const char *path);

/* A matrix of counts, rows what is true, columns what was said: each cell shaded by its share of
 * its row. */
struct report_heat {
    const char *title, *subtitle;
    const char *row_label, *column_label; /* "true", "predicted" */
    const char *const *labels;            /* [n], of rows and columns */
    size_t n;
    const double *counts; /* [n, n] row-major, >= 0 */
    int width, scale;     /* width 0 = as wide as the labels and cells need */
    bool dark;
};
int report_heat_write(const struct report_heat *heat, const char *path);

/* Answers grouped by stated confidence (Niculescu-Mizil & Caruana 2005): how often they are right,
 * against how sure they are. */
struct report_calibration {
    const char *title, *subtitle;
    const double *confidence; /* [n] mean of each bin, 0 .. 1 */
    const double *accuracy;   /* [n] share that is right */
    const double *low, *high; /* [n] interval of it; both NULL for none */
    const double *weight;     /* [n] answers in the bin; empty bins (0) are left out */
    size_t n;
    int scale;
    bool dark;
};
int report_calibration_write(const struct report_calibration *c, const char *path);

/* Exponential moving average for loss curves: out[i] = sum_j w^(i-j) y[j] / sum_j w^(i-j) over the
 * finite y[j], j <= i, with w = 2^(-1/half_life): the divisor removes the pull towards the first
 * values (Adam's bias correction, Kingma & Ba 2015). NaN before the first finite value. out may be
 * y. */
void report_smooth(const double *y, size_t n, double half_life, double *out);
#endif
