/* The law of a design on a small population: the probability of every sample, a sample being a set
 * of bits, and how often each was drawn. */
#ifndef TESTS_SAMPLING_LAW_H
#define TESTS_SAMPLING_LAW_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define MOST 13 /* units */

struct law {
    size_t N;
    double p[1 << MOST]; /* of each sample, as a set of bits */
};
static struct law law;
static uint32_t count[1 << MOST];

static void law_begin(size_t N)
{
    law.N = N;
    memset(law.p, 0, sizeof law.p);
    memset(count, 0, sizeof count);
}

/* Inclusion probabilities of the law. */
static void law_inclusion(double *pi)
{
    for (size_t i = 0; i < law.N; i++) {
        pi[i] = 0;
        for (size_t s = 0; s < (size_t)1 << law.N; s++)
            pi[i] += s >> i & 1 ? law.p[s] : 0;
    }
}

/* After `draws` samples counted in count. */
static void law_check(double draws)
{
    double sum = 0, chi = 0, rest = 0, rest_count = 0;
    int cells = 0;
    for (size_t s = 0; s < (size_t)1 << law.N; s++) {
        double expected = law.p[s] * draws;
        sum += law.p[s];
        if (law.p[s] < 1e-12) {
            assert_int_equal(count[s], 0); /* impossible samples do not come */
        } else if (expected < 10) {
            rest += expected;
            rest_count += count[s];
        } else {
            chi += (count[s] - expected) * (count[s] - expected) / expected;
            cells++;
        }
    }
    if (rest > 10) {
        chi += (rest_count - rest) * (rest_count - rest) / rest;
        cells++;
    }
    assert_true(fabs(sum - 1) < 1e-9);
    /* Wilson and Hilferty's quantile of chi-square at 4.75 standard deviations */
    double df = cells - 1, z = 1 - 2 / (9 * df) + 4.75 * sqrt(2 / (9 * df));
    if (chi > df * z * z * z)
        fprintf(stderr, "chi-square %.1f, %g degrees of freedom\n", chi, df);
    assert_true(chi <= df * z * z * z);
}
#endif
