/* What the laboratory's tools share: arguments, tables read below the data directory, and results.
 *
 * Everything in the arguments is hostile: paths go to the kernel with RESOLVE_BENEATH, names of
 * columns are looked up and never spelled into anything, conditions are parsed by the sampling
 * room's own parser, texts of the data come back cut to 200 bytes as JSON strings. */
#ifndef AGENT_LAB_H
#define AGENT_LAB_H
#include "sampling/columns.h"
#include <assay/sampling.h>
#include <assay/stats.h>
#include <assay/tool.h>

#define LAB_CATEGORIES_MOST 100 /* of one column in an analysis */

agent_tool_fn lab_describe_table, lab_sample_table, lab_summarize_dataset, lab_run_analysis,
    lab_statistics, lab_perplexity, lab_evaluate, lab_list_runs;
agent_open_fn lab_open_store; /* a store on a server */

/* ---- arguments (valid by the tool's schema) ---- */

/* BASE_E_ARGUMENT when a string holds a NUL, which C would end it at. The first thing a tool calls:
 * it clears the message that lab_give looks at. */
int lab_check(const json_t *arguments);
/* Whether all of names [n] that `required` has a bit for are there, and none that neither it nor
 * `allowed` has: what is not used is refused by name. */
int lab_uses(const char *what, const json_t *arguments, const char *const *names, int n,
             unsigned required, unsigned allowed);
const char *lab_string(const json_t *arguments, const char *key); /* NULL where it is not */
double lab_number(const json_t *arguments, const char *key, double otherwise);
int64_t lab_integer(const json_t *arguments, const char *key, int64_t otherwise);
bool lab_flag(const json_t *arguments, const char *key, bool otherwise);
/* A list of strings, borrowed, as a new array (base_free); without one NULL and 0. */
int lab_strings(const json_t *arguments, const char *key, const char ***out, size_t *n);
/* A list of numbers as a new array (base_free); without one NULL and 0. */
int lab_numbers(const json_t *arguments, const char *key, double **out, size_t *n);
/* "alternative"; two-sided without. */
enum stats_alternative lab_alternative(const json_t *arguments);
/* "file", "format", "delimiter", "header", "pad", below the tool's directory (its context). */
int lab_table(const struct agent_tool *tool, const json_t *arguments, const char **path,
              struct data_table_options *out);

/* ---- results ---- */

json_t *lab_text(const char *s); /* at most 200 bytes; null for NULL */
json_t *lab_count(double n);
/* {"low", "high"}, each null where it is NaN or infinite; null when both are NaN. */
json_t *lab_interval(struct stats_interval i);
/* Appends to the array `key` of o, which is made; takes item. */
void lab_add(json_t *o, const char *key, json_t *item);
void lab_say(json_t *o, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* *out = value, or BASE_E_MEMORY: when it is NULL, or memory ran out while it was made. */
int lab_give(json_t *value, json_t **out);
/* For on_progress of the sampling room. */
void lab_progress(void *context, uint64_t done, uint64_t total);

/* ---- columns of a table in memory ---- */

struct lab_frame {
    struct sampling_columns columns;
    struct sampling_condition *condition;
    const char *path, *where;
    size_t rows;            /* of the file */
    size_t outside;         /* of them the condition does not hold */
    size_t n;               /* rows left for use; the columns' arrays have so many */
    size_t missing;         /* rows left out for a missing value in a column that is used */
    size_t *column_missing; /* [columns.n] of the rows for which the condition holds */
    uint64_t seen;
};
int lab_frame_open(struct lab_frame *f, const struct agent_tool *tool, const json_t *arguments);
int lab_frame_want(struct lab_frame *f, const char *column, bool category, size_t *index);
/* Reads the rows for which the condition holds. complete: rows with a missing value in any column
 * are left out, too. */
int lab_frame_read(struct lab_frame *f, bool complete);
void lab_frame_close(struct lab_frame *f);
const double *lab_frame_number(const struct lab_frame *f, size_t index);
/* {"rows", "n", "missing": {"rows", "columns": [{"column", "missing"}]}, ...} into o. */
void lab_frame_report(const struct lab_frame *f, json_t *o);

/* A category's values as they occur in the n rows, in order: numbers by size, else by bytes. */
struct lab_category {
    const char *column;
    size_t n;
    char **name;     /* [n] borrowed from the frame */
    uint32_t *code;  /* [rows] below n; UINT32_MAX where missing */
    double *count;   /* [n] */
    bool numbers;    /* every value is one */
    const char *odd; /* the first value that is not */
};
/* most 0: no limit; else more values are BASE_E_LIMIT. */
int lab_category_make(struct lab_category *c, const struct lab_frame *f, size_t index, size_t most);
void lab_category_free(struct lab_category *c);
/* Index of a value; BASE_E_ARGUMENT names those there are. */
int lab_category_find(const struct lab_category *c, const char *name, size_t *index);
/* The values of x in category k, as a new array (base_free). */
int lab_category_part(const struct lab_category *c, size_t rows, size_t k, const double *x,
                      double **out, size_t *n);

/* ---- analyses: each fills in its part of the result ---- */

struct lab_analysis {
    const json_t *arguments;
    struct lab_frame frame;
    double level;
    json_t *out;
};
/* The column "cluster", when it is asked for: want before the frame is read, make after. Without
 * one c->n is 0. */
int lab_cluster_want(struct lab_analysis *a, size_t *index);
int lab_cluster_make(struct lab_analysis *a, size_t index, struct lab_category *c);
int lab_mean(struct lab_analysis *a);
int lab_proportion(struct lab_analysis *a);
int lab_welch(struct lab_analysis *a);
int lab_paired(struct lab_analysis *a);
int lab_ranksum(struct lab_analysis *a);
int lab_anova(struct lab_analysis *a);
int lab_correlation(struct lab_analysis *a);
int lab_linear(struct lab_analysis *a);
int lab_logistic(struct lab_analysis *a);
int lab_independence(struct lab_analysis *a);
int lab_fisher(struct lab_analysis *a);
int lab_goodness(struct lab_analysis *a);
/* {"name", "value", "se", "interval"} to the list `key`; se NaN: null. */
void lab_estimate(json_t *out, const char *key, const char *name, double value, double se,
                  struct stats_interval interval);
/* "test": {"statistic": name, "value", "df", "p", "alternative"}; df [n_df]. */
void lab_test(json_t *out, const char *statistic, double value, const double *df, size_t n_df,
              double p, enum stats_alternative alternative);
/* n, mean, sd and interval of a group's values into "groups". */
int lab_group(json_t *out, const char *name, const double *x, size_t n, double level);
void lab_summary(json_t *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "p = 0.0123", "p < 1e-15" */
const char *lab_p(double p, char text[32]);
#endif
