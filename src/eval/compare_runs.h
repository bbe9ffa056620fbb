/* Runs against each other on the same items. Two runs, one task and one metric: items are matched
 * by document hash, then
 *
 *   0/1 scores     2x2 table of (right, wrong) pairs; McNemar's test (mid-p decides); difference of
 *                  the shares; Cohen's h, odds ratio b/c
 *   other scores   paired t of the differences, their bootstrap; Cohen's d_z
 *   perplexities   ln(PPL_A / PPL_B), or the difference in bits per byte: delta method over
 * documents and bootstrap over documents (tokens of a document are correlated)
 *   f1, mcc, ...   of true and said classes: both runs' metrics on the same resamples of items
 *
 * Over tasks (and pairs, for more than two runs) p-values are corrected by Holm's method and by
 * Benjamini and Hochberg's. An unpaired test is never made. */
#ifndef EVAL_COMPARE_RUNS_H
#define EVAL_COMPARE_RUNS_H
#include <assay/results.h>
#include <assay/stats.h>

struct eval_runs_options {
    const char *metric;       /* "acc" or "acc,filter"; NULL: the first that the runs share */
    const char *const *tasks; /* [n_tasks] only these; NULL: all that the runs share */
    size_t n_tasks;
    double level;     /* of intervals; alpha of "decided" is 1 - level */
    double power;     /* that the number of further items is for */
    size_t resamples; /* of bootstraps; 0: none */
    uint64_t seed;
};
#define EVAL_RUNS_OPTIONS_DEFAULT                                                                  \
    {                                                                                              \
        .level = 0.95, .power = 0.8, .resamples = 2000                                             \
    }
/* Bootstraps are made up to this many items times resamples: beyond it, t says the same. */
#define EVAL_RUNS_BOOTSTRAP_MOST ((size_t)50 * 1000 * 1000)
#define EVAL_RUNS_LISTED         1000 /* doc_ids of unmatched items that are kept */

enum eval_runs_scale {
    EVAL_RUNS_BINARY,
    EVAL_RUNS_NUMBER,
    EVAL_RUNS_RATIO,     /* sums over sums: bits per byte */
    EVAL_RUNS_LOG_RATIO, /* perplexities: the difference is that of their logarithms */
    EVAL_RUNS_LABELS,    /* class metrics (f1, mcc): of the table of all items' classes */
};

/* Items of a run that other runs do not have. */
struct eval_runs_unmatched {
    size_t count, listed;
    uint32_t *doc; /* [listed] doc_ids, ascending */
};

/* Runs a and b (indices) on a task. Values over the n matched items. */
struct eval_runs_pair {
    size_t a, b, n;
    double value_a, value_b;
    struct stats_interval interval_a, interval_b; /* each run's own */
    double difference; /* value_a - value_b; EVAL_RUNS_LOG_RATIO: ln(value_a / value_b) */
    double se;
    struct stats_interval interval; /* of the difference */
    const char *method; /* "t", "newcombe", "delta", "bootstrap": how the interval was made */
    bool has_bootstrap;
    struct stats_interval bootstrap; /* percentile */
    double p, holm, bh;              /* p: mid-p, or of t */
    bool overlap;                    /* of interval_a and interval_b */
    double unpaired_se;              /* had they been other items; NaN for ratios */
    double correlation;
    /* 0/1 scores */
    double both, only_a, only_b, neither;
    struct stats_mcnemar mcnemar;
    double h;
    /* others */
    double dz, t, df;
    /* items that come in clusters: the mean difference with clustered errors, t (0: none; see
     * stats_mean_clustered). The tests above take items for independent. */
    size_t clusters;
    double clustered_se, clustered_p;
    struct stats_interval clustered;
    /* what would decide it, at this difference and spread: items in all for the wished power
     * (infinite: no difference was seen), and the difference that n items show with it */
    double items, detectable;
};

struct eval_runs_task {
    char *name;
    char *metric; /* NULL when the task was left out */
    char *reason; /* why it was */
    enum eval_runs_scale scale;
    bool higher_is_better;
    size_t n;                              /* items that all runs have */
    struct eval_runs_unmatched *unmatched; /* [n_runs] */
    struct eval_runs_pair *pairs;          /* [n_pairs]: (0,1) (0,2) ... (1,2) ... */
    size_t n_pairs;
    bool has_cochran;
    struct stats_cochran cochran; /* three runs and more, 0/1 scores */
    double cochran_holm;
};

/* All tasks of two runs together (0/1 and number scores). */
struct eval_runs_overall {
    size_t tasks; /* that went in; 0 or 1: there is no overall */
    double macro_difference, macro_se, macro_p;
    struct stats_interval macro; /* mean of the tasks' differences */
    double micro_n, micro_difference;
    struct stats_interval micro; /* all items as one task */
    bool binary;                 /* all tasks are: */
    double micro_b, micro_c;
    struct stats_mcnemar micro_mcnemar;
};

struct eval_runs_comparison {
    struct eval_runs_options options;
    size_t n_runs;
    char **names, **ids; /* [n_runs] model and id, for tables */
    struct eval_runs_task *tasks;
    size_t n_tasks, compared; /* compared: those with a metric */
    size_t tests;             /* p-values that were corrected together */
    struct eval_runs_overall overall;
};
/* runs [n >= 2]. BASE_E_ARGUMENT when there is nothing to compare, with the first reason. */
int eval_runs_compare(const struct eval_run *const *runs, size_t n,
                      const struct eval_runs_options *options, struct eval_runs_comparison *out);
void eval_runs_comparison_free(struct eval_runs_comparison *c);

/* Two runs: {"runs", "tasks": {task: {"metric", "n", "a", "b", "difference", "ci", "mcnemar": {"b",
 * "c", "exact", "midp", ...}, "p", "p_adjusted", ...}}, "overall", "left_out"}; more: each task has
 * "pairs", a list of such objects with "run_a" and "run_b". New reference. */
json_t *eval_runs_comparison_json(const struct eval_runs_comparison *c);

/* Scores of one pair on matched items, for the two functions below. */
struct eval_runs_scores {
    const double *a, *b;               /* [n] */
    const double *weight_a, *weight_b; /* [n], ratios only */
    const uint32_t *cluster;           /* [n] numbers below clusters, or NULL */
    size_t clusters;
    size_t n;
    enum eval_runs_scale scale;
    const char *metric;
};
/* Whether values are codes of eval_run_label_column: f1, precision, recall, their averages, mcc
 * (with or without ",filter"). */
bool eval_runs_is_label_metric(const char *metric);
/* Fills all of `out` but a, b, holm and bh (compare_runs_pair.c). n >= 1. */
int eval_runs_pair_compare(const struct eval_runs_scores *s,
                           const struct eval_runs_options *options, struct eval_runs_pair *out);
#endif
