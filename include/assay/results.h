/* results: what stays of an evaluation: a run directory in lm-eval's layout, and a row in the
 * store.
 *
 * DIR/run.json             Assay's own record: command, config, environment, hashes, results, state
 * DIR/<model>/results_<time>.json              lm-eval's results file (with our keys beside theirs)
 * DIR/<model>/samples_<task>_<time>.jsonl      lm-eval's samples, one record a line
 * Everything is written through a temporary file and a rename. */
#ifndef ASSAY_RESULTS_H
#define ASSAY_RESULTS_H
#include <assay/base.h>
#include <jansson.h>
#include <stdbool.h>

/* ---- writing ---- */
struct eval_run_writer;
/* config: {"command", "model": eval_backend_describe, "tasks": {name: eval_task_config}, "options",
 * "environment"}; borrowed. Makes DIR. */
int eval_run_create(struct eval_run_writer **out, const char *directory, const json_t *config);
int eval_run_add(struct eval_run_writer *w, const char *task, const json_t *sample);
/* results: {task: what eval_tally_finish gave}. Closes all files; the run is complete. */
int eval_run_finish(struct eval_run_writer *w, const json_t *results);
const char *eval_run_id(const struct eval_run_writer *w);
void eval_run_writer_free(struct eval_run_writer *w); /* unfinished: leaves nothing half-written */

/* ---- reading ---- */
/* A run: a directory of Assay's or of lm-eval's, a results file, or an id in the store. */
struct eval_run;
int eval_run_open(struct eval_run **out, const char *where, const char *store /* NULL = default */);
const json_t *eval_run_results(const struct eval_run *r); /* {task: {metric: {...}}} */
const json_t *eval_run_config(const struct eval_run *r);
size_t eval_run_tasks(const struct eval_run *r, const char *const **names);
/* Samples of a task, streamed in the order of doc_id: 1 and a new reference, 0, negative. */
struct eval_samples;
int eval_samples_open(struct eval_samples **out, const struct eval_run *r, const char *task);
int eval_samples_next(struct eval_samples *s, json_t **sample);
void eval_samples_close(struct eval_samples *s);
/* One metric of every item, compactly, for comparisons over millions: items ordered by hash. */
struct eval_column {
    size_t n;
    uint8_t (*hash)[16]; /* first 128 bits of doc_hash */
    double *value;
};
int eval_run_column(const struct eval_run *r, const char *task, const char *metric,
                    struct eval_column *out);
void eval_column_free(struct eval_column *c);
void eval_run_close(struct eval_run *r);
#endif
