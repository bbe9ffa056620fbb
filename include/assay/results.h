/* results: what stays of an evaluation: a run directory in lm-eval's layout, and rows in the store
 * (src/eval/store.h).
 *
 * DIR/run.json             Assay's own record: command, config, environment, hashes, results, files
 * DIR/<model>/results_<time>.json              lm-eval's results file, ours beside it under "assay"
 * DIR/<model>/samples_<task>_<time>.jsonl      lm-eval's samples, one record a line
 *
 * <model> and <task> are sanitized as lm-eval does it: each run of "<>:/|\?*[] becomes "__"; <time>
 * is UTC, 2026-11-22T03-15-00.123456. Every file is written through a temporary one and a rename,
 * run.json last: where it is, the run is whole. */
#ifndef ASSAY_RESULTS_H
#define ASSAY_RESULTS_H
#include <assay/base.h>
#include <jansson.h>
#include <stdbool.h>

/* ---- writing ---- */
struct eval_run_writer;
/* config: {"command", "model": eval_backend_describe, "tasks": {name: eval_task_config}, "options",
 * "environment"}, and "parent": the id of the run that was rescored; kept (a reference). model is
 * an object with a "model" (its name), or that name itself. Makes DIR and DIR/<model>. */
int eval_run_create(struct eval_run_writer **out, const char *directory, const json_t *config);
/* One record, as it will be a line of the task's samples file. Records of a task come in the order
 * of doc_id (the reader does not ask for it, people do). A task without samples has no file. */
int eval_run_add(struct eval_run_writer *w, const char *task, const json_t *sample);
/* How many documents the task's split has, when --limit or --samples left some out: "original" of
 * lm-eval's "n-samples". By default what was added. */
int eval_run_original(struct eval_run_writer *w, const char *task, size_t documents);
/* The paired tests between prompting strategies, {task: [what eval_scores_compare gave]}; kept (a
 * reference). In run.json and the store it is the record's "strategies". */
int eval_run_compared(struct eval_run_writer *w, const json_t *strategies);
/* Figures of groups of tasks, what eval_groups_aggregate gave; kept (a reference). In lm-eval's
 * file they stand under "groups", "results" and "group_subtasks", as there. */
int eval_run_grouped(struct eval_run_writer *w, const json_t *groups);
/* results: {task: what eval_tally_finish gave}. Closes all files; the run is complete. */
int eval_run_finish(struct eval_run_writer *w, const json_t *results);
/* Twelve hexadecimal digits; valid from eval_run_create on. */
const char *eval_run_id(const struct eval_run_writer *w);
void eval_run_writer_free(struct eval_run_writer *w); /* unfinished: leaves nothing half-written */

/* ---- reading ---- */
/* A run: a directory of Assay's or of lm-eval's, a results_*.json, run.json or samples_*.jsonl file
 * by itself, or the id (or the beginning of one) of a run in the store. A directory that holds
 * several runs of one model gives the newest; several models are refused by name. store: NULL is
 * the default one (eval_store_open); it is only opened for ids. */
struct eval_run;
int eval_run_open(struct eval_run **out, const char *where, const char *store);
void eval_run_close(struct eval_run *r);
/* {task: {metric: {"value", "stderr", "ci": [lo, hi], "method", "n", "filter", ...}}}. A task with
 * several filters has its metrics under "metric,filter". For lm-eval's files the interval is made
 * here: Wilson's where value and stderr are those of n zeros and ones, else Student's t; without a
 * stderr there is none. A samples file by itself has the means of its samples. */
const json_t *eval_run_results(const struct eval_run *r);
/* What eval_run_create was given; of lm-eval's files {"model": {...}, "tasks": configs, "lm_eval":
 * everything else that the results file says}. */
const json_t *eval_run_config(const struct eval_run *r);
/* {"id", "time", "source": "assay", "lm-eval" or "samples", "model", "parent", "directory", "n":
 * {task: {"original", "effective"}}, "strategies": {task: pairs}, ...}. */
const json_t *eval_run_record(const struct eval_run *r);
const char *eval_run_name(const struct eval_run *r); /* the model's, for tables */
size_t eval_run_tasks(const struct eval_run *r, const char *const **names);
/* Whether the task's samples are there: without them runs cannot be compared. */
bool eval_run_has_samples(const struct eval_run *r, const char *task);

/* Samples of a task, streamed as the file or store has them (by doc_id; lm-eval with several
 * filters: filter by filter): 1 and a new reference, 0 at the end, negative. Reads lm-eval's old
 * forms too: an array instead of lines, arguments as lists, no hashes (then doc_hash is computed
 * with lm-eval's recipe), NaN and Infinity (they become strings). A torn line, or a doc_id that
 * comes twice for a filter, is BASE_E_FORMAT with file and line. Memory: the longest record, and a
 * bit per document and filter. */
struct eval_samples;
int eval_samples_open(struct eval_samples **out, const struct eval_run *r, const char *task);
int eval_samples_next(struct eval_samples *s, json_t **sample);
/* "file:line" (or "run ID, task: record N") of the last record, for messages. */
const char *eval_samples_place(const struct eval_samples *s);
void eval_samples_close(struct eval_samples *s);

/* One metric of every item, compactly, for comparisons over millions: items in the order of
 * (hash, doc_id). An item is a document; one that occurs twice in a task is two items. */
struct eval_column {
    size_t n;
    uint8_t (*hash)[16]; /* [n] first 128 bits of doc_hash */
    uint32_t *doc;       /* [n] doc_id */
    uint32_t *cluster;   /* [n] numbers of clusters (a passage's questions); NULL: there are none */
    double *value;       /* [n]; with weights: minus the log-likelihood, in nats */
    double *weight;      /* [n] words or bytes, for perplexities; NULL for everything else */
    bool binary;         /* all values are 0 or 1, and there are no weights */
};
/* metric: "acc", or "acc,filter"; without a filter the first one the task has. BASE_E_ARGUMENT,
 * naming what there is, when it is not there; BASE_E_UNSUPPORTED when its samples are not numbers
 * (F1 and MCC of lm-eval: pairs of labels). A NaN value is BASE_E_NUMERIC with its place. */
int eval_run_column(const struct eval_run *r, const char *task, const char *metric,
                    struct eval_column *out);
/* The same for a class metric (f1, mcc, ...), whose samples are pairs [true class, said class]:
 * value = 65536 true + said. BASE_E_UNSUPPORTED where a sample holds anything else. */
int eval_run_label_column(const struct eval_run *r, const char *task, const char *metric,
                          struct eval_column *out);
void eval_column_free(struct eval_column *c);

/* DOC as Python's json.dumps(doc, indent=2, ensure_ascii=False) writes it, hashed with SHA-256: the
 * doc_hash of lm-eval. hex [65]. */
int eval_document_hash(const json_t *doc, char hex[65]);
#endif
