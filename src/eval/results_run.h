/* A run that is open for reading, as the files of results and of the store see it. */
#ifndef EVAL_RESULTS_RUN_H
#define EVAL_RESULTS_RUN_H
#include "eval/results_private.h"
#include "eval/store.h"

struct run_task {
    char *name;
    char *samples; /* path of the samples file; NULL when there is none, or they are in the store */
    bool stored;   /* samples are in the store */
};
struct eval_run {
    char *where;     /* as it was asked for, for messages */
    char *directory; /* that file names are relative to; NULL for a run in the store */
    json_t *record, *config, *results;
    struct run_task *tasks;
    size_t n_tasks;
    const char **names; /* [n_tasks], views */
    struct eval_store *store;
};
/* Adds a task; the strings are copied. */
int eval_run_add_task(struct eval_run *r, const char *name, const char *samples, bool stored);
const struct run_task *eval_run_find_task(const struct eval_run *r, const char *name);
const char *eval_run_id_of(const struct eval_run *r);
/* Fills r from lm-eval's results file (or Assay's own in that form) at path. */
int eval_run_read_results(struct eval_run *r, const char *path);
/* Fills r from a samples file by itself. */
int eval_run_read_samples(struct eval_run *r, const char *path);

/* Columns of a task, gathered in one pass over its samples. */
struct results_metric {
    char *name;
    double *value;  /* [n of the filter]; results_missing where a sample has none */
    double *weight; /* [n], or NULL */
    size_t count;   /* values that are there */
    bool other;     /* some sample has something that is no number: see eval_run_column */
};
struct results_filter {
    char *name;
    size_t n, capacity;
    uint8_t (*hash)[16];
    uint32_t *doc;
    uint32_t *cluster; /* [n], a hash of the cluster's name; of the item when it has none */
    bool clustered;    /* some item has one */
    struct results_metric *metrics;
    size_t n_metrics;
};
struct results_columns {
    const char *metric, *filter; /* only these; NULL: all */
    struct results_filter *filters;
    size_t n_filters;
};
/* place: of the sample, for messages. */
int results_columns_add(struct results_columns *c, const json_t *sample, const char *place);
int results_columns_sort(struct results_columns *c); /* by (hash, doc) */
void results_columns_free(struct results_columns *c);
/* The mark of an absent value: a NaN of its own. */
double results_missing(void);
bool results_is_missing(double value);
/* Metric m of filter f as a column of those items that have it. */
int results_column_take(const struct results_filter *f, const struct results_metric *m,
                        const char *place, struct eval_column *out);
/* {"value", "stderr", "ci", "method", "n", "filter"} of a column: the mean (for weights exp of the
 * ratio, or bits per byte). New reference. */
json_t *results_column_summary(const struct eval_column *c, const char *metric, const char *filter);
/* An interval for lm-eval's value and stderr; sets "ci" and "method" in o, or neither. n 0: not
 * known. */
int results_interval_add(json_t *o, double value, double se, int64_t n);
#endif
