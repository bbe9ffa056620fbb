/* sampling: what a table of any size holds, found in one pass and constant memory. For every
 * column its type, missing cells, different values, most frequent ones, numbers with their spread
 * and quantiles; and what looks wrong: impossible values, mixed types, spellings of one category,
 * rows that come twice.
 *
 * Exact while a column has at most 65,536 different values (and 16 MiB of them); beyond that
 * different values are counted to 0.81 % (standard error), quantiles have a rank error that is
 * stated and cannot be exceeded, and counts of frequent values may be too low by a stated number.
 * Counts, ranges, means and standard deviations are always exact. */
#ifndef ASSAY_DESCRIBE_H
#define ASSAY_DESCRIBE_H
#include <assay/data.h>

/* ---- findings: the rules (docs/describe.md has the reasons) ---- */
enum sampling_rule {
    SAMPLING_RULE_RANGE,    /* outside the range that the column's name stands for (age 0..130,
                               percent, pct 0..100, latitude, lat, longitude, lon, lng, probability,
                               month), or that was given */
    SAMPLING_RULE_SENTINEL, /* only nines (99, -999, 99999999999), and beyond 1.5 interquartile
                               ranges: a code for "missing" */
    SAMPLING_RULE_SIGN,     /* below 0, where at most 1 % of 30 or more values are */
    SAMPLING_RULE_FAR,      /* more than 10 interquartile ranges beyond the quartiles, and when all
                               quartiles are above 0 more than 5 of the logarithms too; at most 5 %
                               of the values */
    SAMPLING_RULE_DATE,     /* before 1900 or after 2100 */
    SAMPLING_RULE_ORDER,    /* days first in some dates, months first in others */
    SAMPLING_RULE_MIXED,    /* a few cells of another type than the rest */
    SAMPLING_RULE_SPREADSHEET, /* "25-Jun": a range that a spreadsheet took for a date */
    SAMPLING_RULE_VARIANTS,    /* one value in several cases, widths or with blanks around it */
    SAMPLING_RULE_SPELLING,    /* rare values one letter (two from eight letters on) away from one
                                  ten times as frequent */
    SAMPLING_RULE_BLANKS,      /* blanks around values */
    SAMPLING_RULE_ZEROS,       /* numbers with leading zeros: codes */
    SAMPLING_RULE_DUPLICATES,  /* rows that come again */
    SAMPLING_RULE_MISSING,     /* more than half of the cells missing */
    SAMPLING_RULES
};
extern const char *const sampling_rule_names[SAMPLING_RULES]; /* "range", "sentinel", ... */
enum sampling_severity { SAMPLING_IMPOSSIBLE, SAMPLING_SUSPECT, SAMPLING_NOTE };
extern const char *const sampling_severity_names[3];

struct sampling_example {
    char *text;
    uint64_t count, line; /* cells; line of the first, 0 = not known */
};
struct sampling_finding {
    enum sampling_rule rule;
    enum sampling_severity severity;
    char *column;  /* NULL: the table */
    char *message; /* without column and examples */
    uint64_t count;
    bool at_least; /* there may be more */
    struct sampling_example *example;
    size_t n;
};

enum sampling_kind {
    SAMPLING_KIND_EMPTY,
    SAMPLING_KIND_INTEGER,
    SAMPLING_KIND_NUMBER,
    SAMPLING_KIND_DATE,
    SAMPLING_KIND_YES_NO,
    SAMPLING_KIND_CATEGORY, /* at most 50 different values, or 5 % of the rows */
    SAMPLING_KIND_TEXT,
    SAMPLING_KIND_MIXED, /* numbers or dates, and more than a tenth of something else */
    SAMPLING_KINDS
};
extern const char *const sampling_kind_names[SAMPLING_KINDS];
enum { SAMPLING_DESCRIBE_QUANTILES = 7 };
extern const double
    sampling_describe_q[SAMPLING_DESCRIBE_QUANTILES]; /* .01 .05 .25 .5 .75 .95 .99 */
struct sampling_column_description {
    char *name;
    enum sampling_kind kind;
    uint64_t missing, empty; /* no value (empty, NA, NaN, null ...); of them empty cells */
    uint64_t integers, decimals, dates, texts; /* cells with a value, by type */
    double distinct;
    bool exact; /* distinct, quantiles and top are exact */
    /* Numbers, or seconds since 1970 of dates, of a column whose kind is INTEGER, NUMBER or DATE,
     * or of the numbers in a MIXED one; NaN else. */
    double min, max, mean, sd;
    double quantile[SAMPLING_DESCRIBE_QUANTILES]; /* linear interpolation when exact (type 7) */
    double quantile_error;                        /* of the rank, as a share; 0 = exact */
    /* the same without values found impossible or suspect; 0 where there are none or too many
     * different values to tell */
    uint64_t plausible;
    double plausible_mean, plausible_sd;
    uint64_t shortest, longest; /* bytes of cells with a value */
    double mean_length;
    struct sampling_example *top; /* most frequent first */
    size_t n_top;
    uint64_t top_error; /* counts of top are too low by this at the most */
};
struct sampling_description {
    char *name; /* of the file */
    uint64_t rows, padded, bytes;
    uint64_t outside;                    /* further rows, for which `where` does not hold */
    double duplicates, duplicates_error; /* rows equal to an earlier one; error 0 = exact */
    struct sampling_column_description *column;
    size_t columns;
    struct sampling_finding *finding; /* impossible ones first, then suspect, then notes */
    size_t findings;
};
struct sampling_range {
    const char *column;
    double low, high;
};
struct sampling_describe_options {
    size_t top;                         /* most frequent values to keep; 0 = 5 */
    const struct sampling_range *range; /* in place of the ranges that names stand for */
    size_t ranges;
    const char *const *columns; /* only these; none = all */
    size_t n_columns;
    const char *where; /* only rows for which this condition holds (see sampling.h); NULL = all */
    void (*on_progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};
/* table, options NULL = all zero. A table without rows is described as such. */
int sampling_describe(struct sampling_description *out, const char *path,
                      const struct data_table_options *table,
                      const struct sampling_describe_options *options);
void sampling_description_free(struct sampling_description *d);
/* As JSON; a new reference, NULL when memory is out. */
json_t *sampling_description_json(const struct sampling_description *d);
/* Seconds since 1970 as "2014-08-27" or "2014-08-27 11:29:31" (UTC); out [24]. */
void sampling_date_text(double seconds, char *out, size_t bytes);
#endif
