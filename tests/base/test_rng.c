/* Philox against the published vectors (Random123's kat_vectors), streams against their definition,
 * and the distributions against their moments. */
#include "base/rng.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        base_philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void stream_is_the_documented_function(void **state)
{
    (void)state;
    const uint32_t seed_key[2] = { 0x89abcdef, 0x01234567 }, purpose[4] = { BASE_RNG_SAMPLE };
    uint32_t mixed[4], block[4];
    base_philox(purpose, seed_key, mixed);
    struct base_rng r = base_rng_make(0x0123456789abcdefu, BASE_RNG_SAMPLE, 0x500000007u);
    for (uint32_t b = 0; b < 3; b++) {
        base_philox((const uint32_t[]){ b, 0, 7, 5 }, mixed, block);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(base_rng_u32(&r), block[i]);
        }
    }
}

static void seek_equals_drawing(void **state)
{
    (void)state;
    uint32_t drawn[41];
    struct base_rng r = base_rng_make(7, BASE_RNG_USER, 3);
    for (int i = 0; i < 41; i++) {
        drawn[i] = base_rng_u32(&r);
    }
    for (int i = 40; i >= 0; i--) {
        base_rng_seek(&r, (uint64_t)i);
        assert_int_equal(base_rng_u32(&r), drawn[i]);
    }
    /* beyond 2^32 blocks the counter's second word moves */
    base_rng_seek(&r, ((uint64_t)1 << 34) - 1);
    base_rng_u32(&r);
    uint32_t next = base_rng_u32(&r);
    base_rng_seek(&r, (uint64_t)1 << 34);
    assert_int_equal(base_rng_u32(&r), next);
    assert_int_equal(r.counter[1], 1);
}

static void streams_differ(void **state)
{
    (void)state;
    struct base_rng a = base_rng_make(1, BASE_RNG_INIT, 0), b = base_rng_make(1, BASE_RNG_INIT, 1),
                    c = base_rng_make(1, BASE_RNG_SHUFFLE, 0),
                    d = base_rng_make(2, BASE_RNG_INIT, 0);
    uint64_t x[4] = { base_rng_u64(&a), base_rng_u64(&b), base_rng_u64(&c), base_rng_u64(&d) };
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++) {
            assert_true(x[i] != x[j]);
        }
    }
}

static void u64_is_low_word_first(void **state)
{
    (void)state;
    struct base_rng a = base_rng_make(9, BASE_RNG_USER, 0), b = a;
    uint64_t low = base_rng_u32(&a), high = base_rng_u32(&a);
    assert_true(base_rng_u64(&b) == (low | high << 32));
}

static void below_is_uniform(void **state)
{
    (void)state;
    struct base_rng r = base_rng_make(11, BASE_RNG_USER, 0);
    enum { N = 7, DRAWS = 70000 };
    int count[N] = { 0 };
    for (int i = 0; i < DRAWS; i++) {
        uint64_t k = base_rng_below(&r, N);
        assert_true(k < N);
        count[k]++;
    }
    double chi2 = 0;
    for (int i = 0; i < N; i++) {
        double e = (double)DRAWS / N;
        chi2 += (count[i] - e) * (count[i] - e) / e;
    }
    assert_true(chi2 < 22.46); /* the 0.999 quantile of chi-squared with 6 degrees of freedom */
    for (int i = 0; i < 100; i++) {
        assert_int_equal(base_rng_below(&r, 1), 0);
        /* half of all draws are rejected when n is just over 2^63 */
        assert_true(base_rng_below(&r, ((uint64_t)1 << 63) + 1) <= (uint64_t)1 << 63);
    }
}

static void uniform_and_normal_moments(void **state)
{
    (void)state;
    struct base_rng r = base_rng_make(12, BASE_RNG_USER, 0);
    enum { N = 200000 };
    double sum = 0, squares = 0, fourth = 0, total = 0;
    for (int i = 0; i < N; i++) {
        double u = base_rng_uniform(&r), z = base_rng_normal(&r);
        assert_true(u >= 0 && u < 1);
        total += u;
        sum += z;
        squares += z * z;
        fourth += z * z * z * z;
    }
    /* four standard errors: 1/sqrt(12), 1, sqrt(2), sqrt(96) over sqrt(N) */
    double root = sqrt((double)N);
    assert_true(fabs(total / N - 0.5) < 4 * 0.2887 / root);
    assert_true(fabs(sum / N) < 4 / root);
    assert_true(fabs(squares / N - 1) < 4 * sqrt(2.0) / root);
    assert_true(fabs(fourth / N - 3) < 4 * sqrt(96.0) / root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(stream_is_the_documented_function),
        cmocka_unit_test(seek_equals_drawing),
        cmocka_unit_test(streams_differ),
        cmocka_unit_test(u64_is_low_word_first),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(uniform_and_normal_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
