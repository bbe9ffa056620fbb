/* Clusters for tables that have none: k-means++ (Arthur & Vassilvitskii 2007) and Lloyd's rounds,
 * on columns standardised to mean 0 and variance 1. Every cluster keeps at least one row; ties go
 * to the lower number; the sums run over rows in order, so the result is one for a seed. */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/sampling.h>
#include <math.h>
#include <string.h>

static double distance2(const double *x, size_t N, size_t p, size_t i, const double *centre)
{
    double sum = 0;
    for (size_t v = 0; v < p; v++) {
        double d = x[v * N + i] - centre[v];
        sum += d * d;
    }
    return sum;
}

/* x standardised in place. */
static void standardise(double *x, size_t N, size_t p)
{
    for (size_t v = 0; v < p; v++) {
        double mean = 0, square = 0, *column = x + v * N;
        for (size_t i = 0; i < N; i++)
            mean += column[i] / (double)N;
        for (size_t i = 0; i < N; i++)
            square += (column[i] - mean) * (column[i] - mean) / (double)N;
        for (size_t i = 0; i < N; i++)
            column[i] = square > 0 ? (column[i] - mean) / sqrt(square) : 0;
    }
}

int sampling_kmeans(struct base_rng *rng, const double *x, size_t N, size_t p, size_t k,
                    uint32_t *label)
{
    if (k == 0 || k > N)
        return base_error_set(BASE_E_ARGUMENT, "%zu clusters of %zu rows: choose 1 to %zu", k, N,
                              N);
    double *z = base_alloc(N * p + 1, sizeof *z), *near = base_alloc(N, sizeof *near);
    double *centre = base_alloc(k * p + 1, sizeof *centre);
    uint64_t *count = base_alloc(k, sizeof *count);
    int rc = z && near && centre && count ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    memcpy(z, x, N * p * sizeof *z);
    standardise(z, N, p);
    /* k-means++ (Arthur & Vassilvitskii 2007): the next centre in proportion to the squared
     * distance from the nearest one */
    for (size_t i = 0; i < N; i++)
        near[i] = INFINITY;
    for (size_t c = 0; c < k; c++) {
        double sum = 0;
        size_t chosen = 0;
        if (base_interrupted()) {
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
            goto out;
        }
        for (size_t i = 0; i < N; i++)
            sum += c ? near[i] : 1;
        double u = base_rng_uniform(rng) * sum;
        if (sum > 0)
            for (size_t i = 0; i < N; i++) {
                double share = c ? near[i] : 1;
                chosen = share > 0 ? i : chosen;
                if ((u -= share) < 0)
                    break;
            }
        for (size_t v = 0; v < p; v++)
            centre[c * p + v] = z[v * N + chosen];
        for (size_t i = 0; i < N; i++)
            near[i] = fmin(near[i], distance2(z, N, p, i, centre + c * p));
    }
    for (int round = 0; round < 100; round++) {
        bool changed = round == 0;
        if (base_interrupted()) {
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
            goto out;
        }
        int moved = 0;
        memset(count, 0, k * sizeof *count);
#pragma omp parallel for num_threads(base_threads()) schedule(static) reduction(| : moved)
        for (size_t i = 0; i < N; i++) {
            uint32_t best = 0;
            double least = INFINITY;
            for (size_t c = 0; c < k; c++) {
                double d = distance2(z, N, p, i, centre + c * p);
                if (d < least) {
                    least = d;
                    best = (uint32_t)c;
                }
            }
            moved |= round > 0 && label[i] != best;
            label[i] = best;
            near[i] = least;
        }
        changed |= moved;
        for (size_t i = 0; i < N; i++)
            count[label[i]]++;
        for (size_t c = 0; c < k; c++) /* an empty one gets the row farthest from its centre */
            if (count[c] == 0) {
                size_t far = N;
                for (size_t i = 0; i < N; i++)
                    if (count[label[i]] > 1 && (far == N || near[i] > near[far]))
                        far = i;
                count[label[far]]--;
                label[far] = (uint32_t)c;
                near[far] = 0;
                count[c] = 1;
                changed = true;
            }
        if (!changed)
            break;
        memset(centre, 0, k * p * sizeof *centre);
        for (size_t i = 0; i < N; i++)
            for (size_t v = 0; v < p; v++)
                centre[label[i] * p + v] += z[v * N + i] / (double)count[label[i]];
    }
out:
    base_free(z);
    base_free(near);
    base_free(centre);
    base_free(count);
    return rc;
}
