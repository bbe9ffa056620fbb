/* A run, or several, as one HTML file to read and keep, and every plot as a picture file. */
#ifndef EVAL_REPORT_H
#define EVAL_REPORT_H
#include <assay/results.h>

struct eval_report_options {
    const char *title; /* NULL = made from the models' and tasks' names */
    size_t samples;    /* most samples of a run's task in the browser; 0 = none */
    const char *plots; /* a directory for the plots as PNG and SVG, or NULL */
};
#define EVAL_REPORT_OPTIONS_DEFAULT                                                                \
    {                                                                                              \
        .samples = 500                                                                             \
    }
/* Writes the page at `path` atomically. Several runs are compared on the items they share
 * (compare_runs.h). runs [n_runs >= 1]; a run without samples has no browser.
 * *n_plots (may be NULL): picture files written. */
int eval_report_write(const struct eval_run *const *runs, size_t n_runs, const char *path,
                      const struct eval_report_options *options, size_t *n_plots);
#endif
