/* The draws follow the laws they claim: the probability of every sample of a small population,
 * worked out here by enumeration in another way than the library draws, against the library's
 * inclusion probabilities and against the frequencies of 1e6 draws (chi-square over all samples,
 * beyond its 1e-6 quantile once in a million test runs; the seed is fixed). */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/sampling.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "law.h"
#include "support.h"

#ifdef __SANITIZE_ADDRESS__
#define DRAWS 50000
#else
#define DRAWS 1000000
#endif
static size_t set_of(const uint64_t *unit, size_t n)
{
    size_t s = 0;
    for (size_t k = 0; k < n; k++)
        s |= (size_t)1 << unit[k];
    return s;
}

static size_t set_of_taken(const unsigned char *taken, size_t N)
{
    size_t s = 0;
    for (size_t i = 0; i < N; i++)
        s |= (size_t)(taken[i] != 0) << i;
    return s;
}

static void uniform_law(size_t N, int n)
{
    double all = 0;
    law_begin(N);
    for (size_t s = 0; s < (size_t)1 << N; s++)
        all += __builtin_popcountll(s) == n;
    for (size_t s = 0; s < (size_t)1 << N; s++)
        law.p[s] = __builtin_popcountll(s) == n ? 1 / all : 0;
}

static void random_samples(void **state)
{
    (void)state;
    struct base_rng rng = base_rng_make(1, BASE_RNG_ROWS, 0);
    uint64_t out[64];
    uniform_law(7, 3);
    for (int d = 0; d < DRAWS; d++) {
        assert_int_equal(sampling_draw_random(&rng, 7, 3, out), 0);
        count[set_of(out, 3)]++;
    }
    law_check(DRAWS);
    /* Floyd's way, 2 of 33: 528 pairs */
    static uint32_t pairs[33][33];
    memset(pairs, 0, sizeof pairs);
    for (int d = 0; d < DRAWS; d++) {
        assert_int_equal(sampling_draw_random(&rng, 33, 2, out), 0);
        assert_true(out[0] < out[1]);
        pairs[out[0]][out[1]]++;
    }
    double chi = 0, e = DRAWS / 528.0;
    for (int i = 0; i < 33; i++)
        for (int j = i + 1; j < 33; j++)
            chi += (pairs[i][j] - e) * (pairs[i][j] - e) / e;
    assert_true(chi < 527 + 4.75 * sqrt(2 * 527.0) + 20);
    assert_int_equal(sampling_draw_random(&rng, 3, 4, out), BASE_E_ARGUMENT);
}

static void with_replacement(void **state)
{
    (void)state;
    struct base_rng rng = base_rng_make(2, BASE_RNG_ROWS, 0);
    double hits[5] = { 0 }, squares[5] = { 0 };
    uint64_t out[3];
    for (int d = 0; d < DRAWS; d++) {
        int times[5] = { 0 };
        assert_int_equal(sampling_draw_replacement(&rng, 5, 3, out), 0);
        for (int k = 0; k < 3; k++)
            times[out[k]]++;
        for (int i = 0; i < 5; i++) {
            hits[i] += times[i];
            squares[i] += times[i] * times[i];
        }
    }
    for (int i = 0; i < 5; i++) { /* Binomial(3, 1/5): mean .6, second moment .84 */
        assert_true(fabs(hits[i] / DRAWS - 0.6) < 5 * sqrt(0.48 / DRAWS));
        assert_true(fabs(squares[i] / DRAWS - 0.84) < 6 / sqrt(DRAWS));
    }
}

static void systematic(void **state)
{
    (void)state;
    struct base_rng rng = base_rng_make(3, BASE_RNG_ROWS, 0);
    uint64_t out[4];
    /* 3 of 8: the start u in [0, 8/3) gives floor(u), floor(u + 8/3), floor(u + 16/3); in
     * twenty-fourths of a unit all break points are whole */
    law_begin(8);
    for (int u = 0; u < 64; u++) {
        size_t s = 0;
        for (int k = 0; k < 3; k++)
            s |= (size_t)1 << (u + 64 * k) / 24;
        law.p[s] += 1 / 64.0;
    }
    double pi[MOST];
    law_inclusion(pi);
    for (int i = 0; i < 8; i++)
        assert_true(fabs(pi[i] - 3 / 8.0) < 1e-12);
    for (int d = 0; d < DRAWS; d++) {
        assert_int_equal(sampling_draw_systematic(&rng, 8, 3, out), 0);
        count[set_of(out, 3)]++;
    }
    law_check(DRAWS);
}

static void bernoulli(void **state)
{
    (void)state;
    struct base_rng rng = base_rng_make(4, BASE_RNG_ROWS, 0);
    const double p = 0.3;
    law_begin(7);
    for (size_t s = 0; s < 128; s++)
        law.p[s] = pow(p, __builtin_popcountll(s)) * pow(1 - p, 7 - __builtin_popcountll(s));
    for (int d = 0; d < DRAWS; d++) {
        size_t s = 0;
        for (uint64_t i = sampling_skip_bernoulli(&rng, p); i < 7;
             i += 1 + sampling_skip_bernoulli(&rng, p))
            s |= (size_t)1 << i;
        count[s]++;
    }
    law_check(DRAWS);
    assert_int_equal(sampling_skip_bernoulli(&rng, 1), 0);
}

static void reservoir(void **state)
{
    (void)state;
    struct base_rng rng = base_rng_make(5, BASE_RNG_ROWS, 0);
    uniform_law(9, 3);
    for (int d = 0; d < DRAWS; d++) {
        struct sampling_reservoir r;
        uint64_t slot[3];
        sampling_reservoir_begin(&r, 3);
        for (uint64_t i = 0; i < 9; i++) {
            uint64_t k = sampling_reservoir_next(&r, &rng);
            if (k != UINT64_MAX)
                slot[k] = i;
        }
        count[set_of(slot, 3)]++;
    }
    law_check(DRAWS);
}

/* Every order of successive draws. */
static void successive_law(const double *w, size_t N, int n, size_t drawn, double p)
{
    double left = 0;
    if (n == 0) {
        law.p[drawn] += p;
        return;
    }
    for (size_t i = 0; i < N; i++)
        left += drawn >> i & 1 ? 0 : w[i];
    for (size_t i = 0; i < N; i++)
        if (!(drawn >> i & 1) && w[i] > 0)
            successive_law(w, N, n - 1, drawn | (size_t)1 << i, p * w[i] / left);
}

static const double weights[7] = { 1, 2, 0.5, 8, 0, 3, 40 };

static void successive(void **state)
{
    (void)state;
    struct base_rng rng = base_rng_make(6, BASE_RNG_ROWS, 0);
    double pi[MOST], exact[MOST], sum;
    bool is_exact;
    for (int n = 1; n <= 6; n++) { /* inclusion probabilities of every size */
        law_begin(7);
        successive_law(weights, 7, n, 0, 1);
        law_inclusion(exact);
        assert_int_equal(sampling_inclusion_successive(weights, 7, (uint64_t)n, pi, &is_exact), 0);
        assert_true(is_exact);
        for (int i = 0; i < 7; i++)
            assert_true(fabs(pi[i] - exact[i]) < 1e-9);
    }
    law_begin(7);
    successive_law(weights, 7, 3, 0, 1);
    for (int d = 0; d < DRAWS; d++) {
        uint64_t out[3];
        assert_int_equal(sampling_draw_successive(&rng, weights, 7, 3, out), 0);
        count[set_of(out, 3)]++;
    }
    law_check(DRAWS);
    /* large: the probabilities add up to n, exact and Rosén's near each other */
    static double w[1001], many[1001], rosen[1001];
    for (int i = 0; i < 1001; i++)
        w[i] = exp(2 * sin(i));
    assert_int_equal(sampling_inclusion_successive(w, 1000, 300, many, &is_exact), 0);
    assert_true(is_exact);
    assert_int_equal(sampling_inclusion_successive(w, 1001, 300, rosen, &is_exact), 0);
    assert_false(is_exact);
    sum = 0;
    for (int i = 0; i < 1000; i++) {
        sum += many[i];
        assert_true(fabs(many[i] - rosen[i]) < 2e-3);
    }
    assert_true(fabs(sum - 300) < 1e-7);
    sum = 0;
    for (int i = 0; i < 1001; i++)
        sum += rosen[i];
    assert_true(fabs(sum - 300) < 1e-9);
    assert_int_equal(sampling_inclusion_successive(weights, 7, 7, pi, &is_exact), BASE_E_ARGUMENT);
}

static void weighted_reservoir(void **state)
{
    (void)state;
    struct base_rng rng = base_rng_make(7, BASE_RNG_ROWS, 0);
    const double y[7] = { 3, -1, 10, 2, 0, 5, 100 };
    double mean = 0, square = 0;
    law_begin(7);
    successive_law(weights, 7, 3, 0, 1);
    for (int d = 0; d < DRAWS; d++) {
        struct sampling_exponential x;
        uint64_t slot[4] = { 0 }, leave_out;
        assert_int_equal(sampling_exponential_begin(&x, 3), 0);
        for (uint64_t i = 0; i < 7; i++) {
            uint64_t k = sampling_exponential_next(&x, &rng, weights[i]);
            if (k != UINT64_MAX)
                slot[k] = i;
        }
        double t = sampling_exponential_threshold(&x, &leave_out), total = 0;
        size_t s = 0;
        for (uint64_t k = 0; k < 4; k++)
            if (k != leave_out) {
                s |= (size_t)1 << slot[k];
                total += y[slot[k]] / -expm1(-weights[slot[k]] * t);
            }
        sampling_exponential_free(&x);
        count[s]++;
        mean += total / DRAWS;
        square += total * total / DRAWS;
    }
    law_check(DRAWS);
    /* rank conditioning is unbiased: the total of y (unit 5 of weight 0 has y = 0) */
    assert_true(fabs(mean - 119) < 5 * sqrt((square - mean * mean) / DRAWS));
}

/* ---- unequal probabilities ---- */
static const double six[6] = { 0.2, 0.7, 0.8, 0.5, 0.4, 0.4 };

static void draw_many(enum sampling_pps how, const double *pi, size_t N, uint64_t seed)
{
    struct base_rng rng = base_rng_make(seed, BASE_RNG_ROWS, 0);
    unsigned char taken[MOST];
    for (int d = 0; d < DRAWS; d++) {
        assert_int_equal(sampling_draw_pps(&rng, how, pi, N, taken), 0);
        count[set_of_taken(taken, N)]++;
    }
    law_check(DRAWS);
}

static void check_inclusion(const double *pi)
{
    double exact[MOST];
    law_inclusion(exact);
    for (size_t i = 0; i < law.N; i++)
        assert_true(fabs(exact[i] - pi[i]) < 1e-12);
}

static void pps_systematic(void **state)
{
    (void)state;
    law_begin(6);
    for (int u = 0; u < 10; u++) { /* the cumulated pi are tenths */
        size_t s = 0;
        double sum = 0;
        for (int i = 0, k = 0; i < 6; i++) {
            sum += six[i];
            if ((u + 0.5) / 10 + k < sum) {
                s |= (size_t)1 << i;
                k++;
            }
        }
        law.p[s] += 0.1;
    }
    check_inclusion(six);
    draw_many(SAMPLING_PPS_SYSTEMATIC, six, 6, 11);
    /* joint probabilities of the law, of the formula, and of R's UPsystematicpi2 */
    const uint64_t all[6] = { 0, 1, 2, 3, 4, 5 };
    const double r[6] = { 0.2, 0.5, 0.8, 0.3, 0.4, 0.2 }; /* third row */
    double joint[36];
    assert_int_equal(sampling_joint(SAMPLING_PPS_SYSTEMATIC, six, 6, all, 6, joint), 0);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            double p = 0;
            for (size_t s = 0; s < 64; s++)
                p += (s >> i & s >> j & 1) ? law.p[s] : 0;
            assert_true(fabs(joint[i * 6 + j] - p) < 1e-12);
            assert_true(i != 2 || fabs(joint[i * 6 + j] - r[j]) < 1e-9);
        }
}

static void brewer_law(const double *pi, size_t N, int n, int k, size_t drawn, double a, double p)
{
    double c[MOST], sum = 0;
    if (k > n) {
        law.p[drawn] += p;
        return;
    }
    for (size_t i = 0; i < N; i++) {
        c[i] = drawn >> i & 1 ? 0 : pi[i] * (n - a - pi[i]) / (n - a - pi[i] * (n - k + 1));
        sum += c[i];
    }
    for (size_t i = 0; i < N; i++)
        if (c[i] > 0)
            brewer_law(pi, N, n, k + 1, drawn | (size_t)1 << i, a + pi[i], p * c[i] / sum);
}

static void pps_brewer(void **state)
{
    (void)state;
    law_begin(6);
    brewer_law(six, 6, 3, 1, 0, 0, 1);
    check_inclusion(six);
    draw_many(SAMPLING_PPS_BREWER, six, 6, 12);
    double joint[4];
    const uint64_t two[2] = { 0, 1 };
    assert_int_equal(sampling_joint(SAMPLING_PPS_BREWER, six, 6, two, 2, joint),
                     BASE_E_UNSUPPORTED);
}

static void sampford_law(const double *pi, size_t N, int n)
{
    double all = 0;
    law_begin(N);
    for (size_t s = 0; s < (size_t)1 << N; s++) {
        if (__builtin_popcountll(s) != n)
            continue;
        double product = 1, rest = n;
        for (size_t i = 0; i < N; i++)
            if (s >> i & 1) {
                product *= pi[i] / (1 - pi[i]);
                rest -= pi[i];
            }
        all += law.p[s] = product * rest;
    }
    for (size_t s = 0; s < (size_t)1 << N; s++)
        law.p[s] /= all;
}

static void check_sampford_joint(const double *pi, size_t N)
{
    uint64_t all[MOST] = { 0 };
    double joint[MOST * MOST];
    for (size_t i = 0; i < N; i++)
        all[i] = i;
    assert_int_equal(sampling_joint(SAMPLING_PPS_SAMPFORD, pi, N, all, N, joint), 0);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            double p = 0;
            for (size_t s = 0; s < (size_t)1 << N; s++)
                p += (s >> i & s >> j & 1) ? law.p[s] : 0;
            assert_true(fabs(joint[i * N + j] - p) < 1e-12);
        }
}

static void pps_sampford(void **state)
{
    (void)state;
    sampford_law(six, 6, 3);
    check_inclusion(six);
    check_sampford_joint(six, 6);
    draw_many(SAMPLING_PPS_SAMPFORD, six, 6, 13);
    /* large fractions, where rejection gives up and the exact distribution is used */
    double pi[12], x[12];
    for (int i = 0; i < 12; i++)
        x[i] = 10 + i;
    assert_int_equal(sampling_inclusion(x, 12, 8, pi), 0);
    sampford_law(pi, 12, 8);
    check_inclusion(pi);
    check_sampford_joint(pi, 12);
    /* R: UPsampfordpi2(inclusionprobabilities(1:12, 5))[12, ], tests/oracle/sampling.R */
    static const double r[12] = {
        0.0444344715625, 0.0894106379793, 0.134985868425, 0.181219927438,
        0.228171536159,  0.275892213344,  0.324416403354, 0.373748313753,
        0.423852122822,  0.474667410687,  0.5261241714,   0.769230769231
    };
    double joint[144];
    uint64_t all[12];
    for (int i = 0; i < 12; i++) {
        x[i] = i + 1;
        all[i] = (uint64_t)i;
    }
    assert_int_equal(sampling_inclusion(x, 12, 5, pi), 0);
    assert_int_equal(sampling_joint(SAMPLING_PPS_SAMPFORD, pi, 12, all, 12, joint), 0);
    for (int i = 0; i < 12; i++)
        assert_true(fabs(joint[11 * 12 + i] - r[i]) < 1e-11);
}

/* With many units the sums must not lose digits: sum_j pi_ij = n pi_i, and pi_ij < pi_i pi_j. */
static void sampford_joint_is_stable(void **state)
{
    (void)state;
    enum { N = 300 };
    static double x[N], pi[N], joint[N * N];
    static uint64_t all[N];
    for (int n = 30; n <= 270; n += 120) {
        for (int i = 0; i < N; i++) {
            x[i] = exp(sin(i * 1.7)) + 0.05;
            all[i] = (uint64_t)i;
        }
        assert_int_equal(sampling_inclusion(x, N, (uint64_t)n, pi), 0);
        assert_int_equal(sampling_joint(SAMPLING_PPS_SAMPFORD, pi, N, all, N, joint), 0);
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int j = 0; j < N; j++) {
                sum += joint[i * N + j];
                assert_true(i == j || joint[i * N + j] <= pi[i] * pi[j] * (1 + 1e-9));
            }
            assert_true(fabs(sum - n * pi[i]) < 1e-9 * n);
        }
    }
}

/* Draws so many of so many that no rejection succeeds: only the exact distribution can. */
static void pps_sampford_exact(void **state)
{
    (void)state;
    double pi[13], x[13];
    for (int i = 0; i < 13; i++)
        x[i] = 20 + (i * 7) % 13;
    assert_int_equal(sampling_inclusion(x, 13, 11, pi), 0);
    size_t N = 0;
    double open[13], sum = 0;
    for (int i = 0; i < 13; i++)
        if (pi[i] < 1) {
            open[N++] = pi[i];
            sum += pi[i];
        }
    sampford_law(open, N, (int)lround(sum));
    check_inclusion(open);
    check_sampford_joint(open, N);
    static double big[400];
    unsigned char taken[400];
    struct base_rng rng = base_rng_make(99, BASE_RNG_ROWS, 0);
    static double hits[400];
    for (int i = 0; i < 400; i++)
        big[i] = i % 2 ? 0.7 : 0.8;
    for (int d = 0; d < 300; d++) {
        assert_int_equal(sampling_draw_pps(&rng, SAMPLING_PPS_SAMPFORD, big, 400, taken), 0);
        int n = 0;
        for (int i = 0; i < 400; i++) {
            n += taken[i];
            hits[i] += taken[i];
        }
        assert_int_equal(n, 300);
    }
    double odd = 0, even = 0;
    for (int i = 0; i < 400; i++)
        *(i % 2 ? &odd : &even) += hits[i] / 300 / 200;
    assert_true(fabs(odd - 0.7) < 0.01 && fabs(even - 0.8) < 0.01);
}

/* Every outcome of the duels, `a` being what the champion has. */
static void pivotal_law(const double *pi, const size_t *order, size_t N, size_t k, size_t champion,
                        double a, size_t drawn, double p)
{
    if (p == 0)
        return;
    if (k == N || a < 1e-9 || a > 1 - 1e-9) {
        size_t s = a > 0.5 ? drawn | (size_t)1 << champion : drawn;
        if (k == N)
            law.p[s] += p;
        else
            pivotal_law(pi, order, N, k + 1, order[k], pi[order[k]], s, p);
        return;
    }
    size_t other = order[k];
    double b = pi[other], sum = a + b;
    if (sum <= 1) {
        pivotal_law(pi, order, N, k + 1, champion, sum, drawn, p * a / sum);
        pivotal_law(pi, order, N, k + 1, other, sum, drawn, p * b / sum);
    } else {
        pivotal_law(pi, order, N, k + 1, other, sum - 1, drawn | (size_t)1 << champion,
                    p * (1 - b) / (2 - sum));
        pivotal_law(pi, order, N, k + 1, champion, sum - 1, drawn | (size_t)1 << other,
                    p * (1 - a) / (2 - sum));
    }
}

static void every_order(const double *pi, size_t *order, size_t N, size_t k, double p)
{
    if (k == N) {
        pivotal_law(pi, order, N, 1, order[0], pi[order[0]], 0, p);
        return;
    }
    for (size_t i = k; i < N; i++) {
        size_t t = order[k];
        order[k] = order[i];
        order[i] = t;
        every_order(pi, order, N, k + 1, p / (double)(N - k));
        order[i] = order[k];
        order[k] = t;
    }
}

static void pps_pivotal(void **state)
{
    (void)state;
    size_t order[6] = { 0, 1, 2, 3, 4, 5 };
    law_begin(6);
    pivotal_law(six, order, 6, 1, 0, six[0], 0, 1);
    check_inclusion(six);
    draw_many(SAMPLING_PPS_PIVOTAL, six, 6, 14);
    law_begin(6);
    every_order(six, order, 6, 0, 1);
    check_inclusion(six);
    draw_many(SAMPLING_PPS_RANDOM_PIVOTAL, six, 6, 15);
}

static void inclusion_probabilities(void **state)
{
    (void)state;
    /* R: inclusionprobabilities(c(1, 2, 3, 4, 5, 6, 40), 4) */
    const double x[7] = { 1, 2, 3, 4, 5, 6, 40 };
    double pi[7];
    unsigned char taken[7];
    struct base_rng rng = base_rng_make(8, BASE_RNG_ROWS, 0);
    assert_int_equal(sampling_inclusion(x, 7, 4, pi), 0);
    for (int i = 0; i < 6; i++)
        assert_true(fabs(pi[i] - 3 * x[i] / 21) < 1e-12);
    assert_true(pi[6] == 1);
    for (int m = 0; m < SAMPLING_PPS_METHODS; m++) { /* what is certain is always there */
        int n = 0;
        assert_int_equal(sampling_draw_pps(&rng, (enum sampling_pps)m, pi, 7, taken), 0);
        for (int i = 0; i < 7; i++)
            n += taken[i];
        assert_int_equal(n, 4);
        assert_int_equal(taken[6], 1);
    }
    const double bad[2] = { 0.5, 0.7 }, negative[2] = { 1, -1 }, few[3] = { 0, 0, 2 };
    assert_int_equal(sampling_draw_pps(&rng, SAMPLING_PPS_BREWER, bad, 2, taken), BASE_E_ARGUMENT);
    assert_int_equal(sampling_inclusion(negative, 2, 1, pi), BASE_E_ARGUMENT);
    assert_int_equal(sampling_inclusion(few, 3, 2, pi), BASE_E_ARGUMENT);
    assert_int_equal(sampling_inclusion(few, 3, 1, pi), 0);
    assert_true(pi[0] == 0 && pi[1] == 0 && pi[2] == 1);
}

/* Every way that a flight and landing balanced on pi and x can take, the units coming in `order`:
 * at most three are in hand, and the direction is the cross product of the two rows. */
static void cube_law(const double *x, const size_t *order, size_t N, size_t next,
                     const size_t *group, size_t held, const double *at, double p)
{
    size_t g[3];
    double y[6], u[3] = { 1, 0, 0 };
    memcpy(g, group, held * sizeof *g);
    for (; held < 3 && next < N; next++)
        g[held++] = order[next];
    if (held == 0) {
        size_t s = 0;
        for (size_t i = 0; i < N; i++)
            s |= (size_t)(at[i] > 0.5) << i;
        law.p[s] += p;
        return;
    }
    if (held == 3) {
        const double b[3] = { x[g[0]] / six[g[0]], x[g[1]] / six[g[1]], x[g[2]] / six[g[2]] };
        u[0] = b[2] - b[1];
        u[1] = b[0] - b[2];
        u[2] = b[1] - b[0];
    } else if (held == 2) { /* landing: balanced on pi alone, then on nothing */
        u[1] = -1;
    }
    double along = INFINITY, against = INFINITY;
    for (size_t c = 0; c < held; c++) {
        if (u[c] == 0)
            continue;
        double up = (1 - at[g[c]]) / fabs(u[c]), down = at[g[c]] / fabs(u[c]);
        along = fmin(along, u[c] > 0 ? up : down);
        against = fmin(against, u[c] > 0 ? down : up);
    }
    for (int way = 0; way < 2; way++) {
        double q = (way ? along : against) / (along + against);
        size_t kept = 0, left[3];
        memcpy(y, at, N * sizeof *y);
        for (size_t c = 0; c < held; c++) {
            double v = y[g[c]] + (way ? -against : along) * u[c];
            y[g[c]] = v < 1e-9 ? 0 : v > 1 - 1e-9 ? 1 : v;
            if (y[g[c]] > 0 && y[g[c]] < 1)
                left[kept++] = g[c];
        }
        if (q > 0)
            cube_law(x, order, N, next, left, kept, y, p * q);
    }
}

static void cube_every_order(const double *x, size_t *order, size_t N, size_t k, double p)
{
    if (k == N) {
        cube_law(x, order, N, 0, order, 0, six, p);
        return;
    }
    for (size_t i = k; i < N; i++) {
        size_t t = order[k];
        order[k] = order[i];
        order[i] = t;
        cube_every_order(x, order, N, k + 1, p / (double)(N - k));
        order[i] = order[k];
        order[k] = t;
    }
}

static void cube(void **state)
{
    (void)state;
    struct base_rng rng = base_rng_make(9, BASE_RNG_ROWS, 0);
    /* pi of six, balanced on pi and one variable */
    const double x[12] = { 0.2, 0.7, 0.8, 0.5, 0.4, 0.4, 1, 5, 2, 8, 3, 4.5 };
    size_t order[6] = { 0, 1, 2, 3, 4, 5 };
    unsigned char taken[1000];
    law_begin(6);
    cube_every_order(x + 6, order, 6, 0, 1);
    check_inclusion(six);
    for (size_t s = 0; s < 64; s++) /* pi add up to 3: a fixed size */
        assert_true(law.p[s] == 0 || __builtin_popcountll(s) == 3);
    for (int d = 0; d < DRAWS; d++) {
        assert_int_equal(sampling_draw_cube(&rng, six, x + 6, 6, 1, taken), 0);
        count[set_of_taken(taken, 6)]++;
    }
    law_check(DRAWS);
    /* a thousand units, three variables: the estimated totals are nearly the true ones */
    static double pi[1000], big[3000];
    double error[3] = { 0 }, total[3] = { 0 };
    for (int i = 0; i < 1000; i++) {
        pi[i] = 0.1;
        big[i] = 50 + 30 * sin(i);
        big[1000 + i] = i;
        big[2000 + i] = i % 4 == 0;
        for (int v = 0; v < 3; v++)
            total[v] += big[v * 1000 + i];
    }
    for (int d = 0; d < 200; d++) {
        double sum[3] = { 0 };
        assert_int_equal(sampling_draw_cube(&rng, pi, big, 1000, 3, taken), 0);
        for (int i = 0; i < 1000; i++)
            for (int v = 0; v < 3 && taken[i]; v++)
                sum[v] += big[v * 1000 + i] / pi[i];
        for (int v = 0; v < 3; v++)
            error[v] += (sum[v] - total[v]) * (sum[v] - total[v]) / 200;
    }
    /* simple random samples of 100 have 3.9 %, 5.5 %, 16 % */
    assert_true(sqrt(error[0]) / total[0] < 0.01);
    assert_true(sqrt(error[1]) / total[1] < 0.01);
    assert_true(sqrt(error[2]) / total[2] < 0.05);
}

static void allocation(void **state)
{
    (void)state;
    const double share[4] = { 355, 502, 617, 526 };
    const uint64_t most[4] = { 355, 502, 617, 526 };
    uint64_t n[4];
    assert_int_equal(sampling_allocate(4, share, most, 10, n), 0);
    assert_true(n[0] == 2 && n[1] == 2 && n[2] == 3 && n[3] == 3); /* .775 .51 .085 .63 */
    const double equal[4] = { 1, 1, 1, 1 };
    const uint64_t few[4] = { 2, 100, 100, 100 };
    assert_int_equal(sampling_allocate(4, equal, few, 41, n), 0);
    assert_true(n[0] == 2 && n[1] == 13 && n[2] == 13 && n[3] == 13);
    assert_int_equal(sampling_allocate(4, equal, few, 40, n), 0); /* ties: the earlier */
    assert_true(n[0] == 2 && n[1] == 13 && n[2] == 13 && n[3] == 12);
    assert_int_equal(sampling_allocate(4, equal, few, 302, n), 0);
    assert_true(n[0] == 2 && n[1] == 100 && n[3] == 100);
    assert_int_equal(sampling_allocate(4, equal, few, 303, n), BASE_E_ARGUMENT);
    const double quarter[2] = { 2, 6 };
    const uint64_t lots[2] = { 1000, 1000 };
    assert_int_equal(sampling_allocate(2, quarter, lots, 40, n), 0);
    assert_true(n[0] == 10 && n[1] == 30);
}

static void kmeans(void **state)
{
    (void)state;
    struct base_rng rng = base_rng_make(10, BASE_RNG_ROWS, 0);
    double x[600];
    uint32_t label[300];
    for (int i = 0; i < 300; i++) { /* three clouds */
        x[i] = (i % 3) * 100 + base_rng_normal(&rng);
        x[300 + i] = (i % 3 == 1) * 5000 + 10 * base_rng_normal(&rng);
    }
    assert_int_equal(sampling_kmeans(&rng, x, 300, 2, 3, label), 0);
    for (int i = 3; i < 300; i++)
        assert_int_equal(label[i], label[i % 3]);
    assert_true(label[0] != label[1] && label[1] != label[2] && label[0] != label[2]);
    for (int i = 0; i < 600; i++)
        x[i] = 7; /* all rows alike: every cluster still has one */
    int seen[5] = { 0 };
    assert_int_equal(sampling_kmeans(&rng, x, 300, 2, 5, label), 0);
    for (int i = 0; i < 300; i++)
        seen[label[i]]++;
    for (int c = 0; c < 5; c++)
        assert_true(seen[c] > 0);
    assert_int_equal(sampling_kmeans(&rng, x, 3, 2, 4, label), BASE_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_samples),
        cmocka_unit_test(with_replacement),
        cmocka_unit_test(systematic),
        cmocka_unit_test(bernoulli),
        cmocka_unit_test(reservoir),
        cmocka_unit_test(successive),
        cmocka_unit_test(weighted_reservoir),
        cmocka_unit_test(inclusion_probabilities),
        cmocka_unit_test(pps_systematic),
        cmocka_unit_test(pps_brewer),
        cmocka_unit_test(pps_sampford),
        cmocka_unit_test(pps_sampford_exact),
        cmocka_unit_test(sampford_joint_is_stable),
        cmocka_unit_test(pps_pivotal),
        cmocka_unit_test(cube),
        cmocka_unit_test(allocation),
        cmocka_unit_test(kmeans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
