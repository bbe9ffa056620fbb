/* Samples and results files: a file of any bytes is read to its end, compared with itself, or
 * refused with a message. The first byte says which kind it is. */
#include "base/file.h"
#include "base/memory.h"
#include "eval/compare_runs.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void read_samples(const struct eval_run *r, const char *task)
{
    struct eval_samples *s;
    json_t *sample;
    if (eval_samples_open(&s, r, task))
        return;
    while (eval_samples_next(s, &sample) > 0)
        json_decref(sample);
    eval_samples_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const endings[] = { "samples.jsonl", "results_x.json", "run.json" };
    static char directory[64];
    char path[128];
    if (size == 0)
        return 0;
    if (!*directory) {
        snprintf(directory, sizeof directory, "/tmp/assay-fuzz-results-%ld", (long)getpid());
        if (base_file_make_directories(directory))
            abort();
    }
    snprintf(path, sizeof path, "%s/%s", directory, endings[data[0] % 3]);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data + 1, 1, size - 1, f) != size - 1 || fclose(f))
        abort();
    struct eval_run *r;
    if (eval_run_open(&r, path, "/nonexistent/store.sqlite") == 0) {
        const struct eval_run *runs[] = { r, r };
        const struct eval_runs_options options = { .level = 0.95, .power = 0.8, .resamples = 10 };
        struct eval_runs_comparison c;
        const char *const *names;
        size_t n = eval_run_tasks(r, &names);
        for (size_t i = 0; i < n; i++)
            read_samples(r, names[i]);
        if (eval_runs_compare(runs, 2, &options, &c) == 0) {
            for (size_t i = 0; i < c.n_tasks; i++)
                if (c.tasks[i].n_pairs && c.tasks[i].pairs[0].difference != 0)
                    abort(); /* a run differs from itself */
            json_decref(eval_runs_comparison_json(&c));
            eval_runs_comparison_free(&c);
        }
        eval_run_close(r);
    }
    unlink(path);
    return 0;
}
