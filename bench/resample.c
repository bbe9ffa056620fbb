/* Times the resamplers on the matrix that bench/peers/resample.py writes, for bench/RESULTS.md:
 *
 *     build/release/bench/resample MATRIX [METHOD ...] */
#include "base/memory.h"
#include "classify/resample.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *part(FILE *f, size_t n, size_t size)
{
    void *p = base_alloc(n, size);
    if (!p || fread(p, size, n, f) != n) {
        fprintf(stderr, "the matrix ends early\n");
        exit(1);
    }
    return p;
}

static int run(const struct classify_matrix *x, const uint32_t *y, const char *name)
{
    struct classify_resample_options o = { 0 };
    struct classify_matrix out;
    uint32_t *label, *origin;
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (classify_resampler_parse(name, &o.method) ||
        classify_resample(x, y, 2, &o, &out, &label, &origin)) {
        fprintf(stderr, "%s: %s\n", name, base_error_message());
        return 1;
    }
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    size_t rows[2] = { 0 };
    for (size_t i = 0; i < out.rows; i++)
        rows[label[i]]++;
    printf("%-13s wall %7.2f s, CPU %7.2f s, rows [%zu %zu]\n", name, wall, cpu, rows[0], rows[1]);
    classify_matrix_free(&out);
    base_free(label);
    base_free(origin);
    return 0;
}

int main(int argc, char **argv)
{
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!f) {
        fprintf(stderr, "usage: resample MATRIX [METHOD ...]\n");
        return 2;
    }
    uint64_t *shape = part(f, 3, sizeof *shape);
    struct classify_matrix x = { .rows = shape[0], .columns = shape[1] };
    x.first = part(f, x.rows + 1, sizeof *x.first);
    x.column = part(f, shape[2], sizeof *x.column);
    x.value = part(f, shape[2], sizeof *x.value);
    uint32_t *y = part(f, x.rows, sizeof *y);
    fclose(f);
    int rc = 0;
    for (int i = 2; i < argc; i++)
        rc |= run(&x, y, argv[i]);
    for (int m = 0; argc == 2 && m < CLASSIFY_RESAMPLERS; m++)
        if (m != CLASSIFY_RESAMPLE_SMOTENC)
            rc |= run(&x, y, classify_resampler_name((enum classify_resampler)m));
    classify_matrix_free(&x);
    base_free(y);
    base_free(shape);
    return rc;
}
