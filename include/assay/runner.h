/* runner: a task's items through a backend: requests, kept answers, judging, metrics.
 *
 *   items -> requests -> journal and cache -> backend -> journal -> judge -> samples, tally
 *
 * Every answer goes to a journal in the run's directory as it comes. A run that was killed and is
 * started again takes what is there and asks for the rest; as an answer depends on its request and
 * the model alone, the results are those of a run in one go. Under mpirun the ranks share the items
 * of each group and rank 0 judges: the same again. */
#ifndef ASSAY_RUNNER_H
#define ASSAY_RUNNER_H
#include <assay/backend.h>
#include <assay/task.h>

struct eval_runner_options {
    const char *directory; /* of the run; the journal is DIR/answers.RANK.journal. NULL: none */
    const char *cache;     /* a file, or a directory (answers-IDENTITY.cache); NULL: none */
    size_t group;          /* requests gathered before the backend is asked, per rank; 0 = 8192 */
    double level;          /* of intervals; 0 = 0.95 */
    uint64_t seed;         /* of bootstraps */
};
struct eval_runner;
/* The backend is borrowed. */
int eval_runner_new(struct eval_runner **out, struct eval_backend *b,
                    const struct eval_runner_options *options);
/* Called on rank 0 for every sample record, in the order of items. Non-zero stops. */
typedef int eval_sample_fn(void *context, const json_t *sample);
/* Runs a task. *results (rank 0; others get NULL): what eval_tally_finish gives, new reference.
 * label names it on the progress line. Collective under mpirun. After BASE_E_INTERRUPTED (Ctrl-C)
 * the journal holds what was answered. */
int eval_runner_run(struct eval_runner *r, struct eval_task *t, const char *label,
                    eval_sample_fn *on_sample, void *context, json_t **results);
/* {"items", "requests", "asked", "from_journal", "from_cache", "cut", "skipped",
 * "boundary_retokenized"} of all ranks, over all runs so far. New reference. */
json_t *eval_runner_counters(const struct eval_runner *r);
/* The backend's counters (eval_backend_counters) summed over the ranks: a new reference on rank 0,
 * NULL on others. Collective under mpirun. */
int eval_runner_backend_counters(const struct eval_runner *r, json_t **out);
/* NULL is fine. */
void eval_runner_free(struct eval_runner *r);
#endif
