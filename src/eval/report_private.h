/* What the parts of a run's report share. */
#ifndef EVAL_REPORT_PRIVATE_H
#define EVAL_REPORT_PRIVATE_H
#include "eval/report.h"
#include "report/page.h"

struct eval_report {
    const struct eval_run *const *runs;
    size_t n_runs;
    const struct eval_report_options *options;
    struct report_page page;
    size_t plots; /* picture files written */
};
/* How run i is called in tables and legends: its model, and its id when models repeat. One of eight
 * static-per-thread buffers in turn. */
const char *eval_report_run_name(const struct eval_report *r, size_t i);
/* Whether a member of a task's results is a metric (an object with a "value"). */
bool eval_report_is_metric(const json_t *entry);
/* Number at key, or NaN. */
double eval_report_number(const json_t *object, const char *key);
/* Low and high of "ci", or NaN. */
void eval_report_interval(const json_t *metric, double *low, double *high);
/* A cell of a table with a number, or `missing` when it is not finite. */
void eval_report_number_cell(struct report_page *p, double v, const char *missing);
/* Bars (or points) on the page, and as files NAME.png and NAME.svg where plots are asked for. */
void eval_report_bars(struct eval_report *r, const struct report_bars *bars, const char *name);
/* The section with the paired tests between strategies (report_strategies.c). */
void eval_report_strategies(struct eval_report *r);
/* The section with the browser, and its data (report_samples.c). */
int eval_report_samples(struct eval_report *r);
#endif
