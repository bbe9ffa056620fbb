/* Parts of `assay bench`: the limits of the machine, and configurations of well-known shapes. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H
#include "base/json.h"

/* Measured on all threads (base_threads), each the best of a few runs: a limit is what the machine
 * can do, so disturbances only ever lower it. */
struct bench_machine {
    const char *isa; /* what the arithmetic was done with: "AVX-512", "AVX2", "scalar" */
    int threads;
    double flops;       /* float operations per second, multiply and add counted as two */
    double bytes_huge;  /* bytes read per second, memory in huge pages */
    double bytes_small; /* the same in 4 KiB pages */
};
/* Takes about `seconds` and 1 GiB. */
int bench_machine_measure(struct bench_machine *out, double seconds);

/* HF-style configuration of a shape ("gpt2-124m"); NULL for an unknown name. New reference. */
json_t *bench_shape_config(const char *name);
/* "gpt2-124m, llama-160m, ...": for messages. */
const char *bench_shape_names(void);
#endif
