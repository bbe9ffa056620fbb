/* Makes a store with large runs, for measuring `assay compare` (bench/RESULTS.md):
 *
 *   make build/release/bench/make_store && build/release/bench/make_store STORE ITEMS RUNS
 *
 * Writes RUNS run directories beside STORE, each of one task with ITEMS samples of lm-eval's form
 * (acc, acc_norm, a real-valued score), and imports them. Prints the runs' ids, one a line. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/rng.h"
#include "eval/store.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int add_sample(struct eval_run_writer *w, size_t run, size_t i, double *right)
{
    struct base_rng item = base_rng_make(1, BASE_RNG_USER, i);
    struct base_rng own = base_rng_make(2 + run, BASE_RNG_USER, i);
    /* an item is hard or easy for all; a run adds luck and a little skill */
    double ease = base_rng_normal(&item) + 0.01 * (double)run;
    int acc = ease + 0.7 * base_rng_normal(&own) > 0, norm = ease + base_rng_normal(&own) > 0;
    char hex[65], question[64];
    snprintf(question, sizeof question, "What is the answer to question %zu?", i);
    json_t *s = json_pack(
        "{s:I, s:{s:s, s:[s, s, s, s], s:I}, s:s, s:{s:{s:s, s:s}}, s:[[s, s], [s, s]], s:[s, s], "
        "s:s, s:[s, s, s], s:s, s:s, s:i, s:i, s:f}",
        "doc_id", (json_int_t)i, "doc", "question", question, "choices", "yes", "no", "perhaps",
        "it depends", "gold", (json_int_t)(i % 4), "target", "0", "arguments", "gen_args_0",
        "arg_0", question, "arg_1", " yes", "resps", "-1.5", "False", "-2.5", "False",
        "filtered_resps", "-1.5", "False", "filter", "none", "metrics", "acc", "acc_norm", "score",
        "prompt_hash", "p", "target_hash", "t", "acc", acc, "acc_norm", norm, "score",
        ease + base_rng_normal(&own));
    *right += acc;
    int rc = s ? eval_document_hash(json_object_get(s, "doc"), hex) : BASE_E_MEMORY;
    if (rc == 0 && json_object_set_new(s, "doc_hash", json_string(hex)))
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = eval_run_add(w, "million", s);
    json_decref(s);
    return rc;
}

static int make_run(const char *directory, size_t run, size_t n)
{
    struct eval_run_writer *w;
    double right = 0;
    char name[32];
    snprintf(name, sizeof name, "model-%zu", run);
    json_t *config = json_pack("{s:{s:s}, s:{s:{s:s}}, s:{}, s:{}}", "model", "model", name,
                               "tasks", "million", "task", "million", "options", "environment");
    int rc = eval_run_create(&w, directory, config);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_sample(w, run, i, &right);
    double p = right / (double)n, se = sqrt(p * (1 - p) / (double)(n - 1));
    json_t *results = json_pack("{s:{s:{s:f, s:f, s:I, s:s}}}", "million", "acc", "value", p,
                                "stderr", se, "n", (json_int_t)n, "filter", "none");
    if (rc == 0)
        rc = eval_run_finish(w, results);
    eval_run_writer_free(w);
    json_decref(config);
    json_decref(results);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: make_store STORE ITEMS RUNS\n");
        return 2;
    }
    size_t n = strtoull(argv[2], NULL, 10), runs = strtoull(argv[3], NULL, 10);
    for (size_t r = 0; r < runs; r++) {
        char *directory = base_format("%s-run-%zu", argv[1], r), *id = NULL;
        int rc = directory ? make_run(directory, r, n) : BASE_E_MEMORY;
        if (rc == 0)
            rc = eval_store_import(argv[1], directory, &id);
        if (rc < 0) {
            fprintf(stderr, "make_store: %s\n", base_error_message());
            return 1;
        }
        printf("%s\n", id);
        base_free(id);
        base_free(directory);
    }
    return 0;
}
