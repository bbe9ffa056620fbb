/* Drawing with replacement, fast.
 *
 * A resample's random words are the stream (seed, BASE_RNG_BOOTSTRAP, resample) of base/rng.h,
 * taken 16 blocks of 4 words at a time. A 32-bit word w gives an index by Lemire's multiplication:
 * w n = i 2^32 + rest. For n up to 4,096 it gives two, w n^2 = (i n + j) 2^32 + rest, computed in
 * two steps (Brackett-Rozinsky and Lemire, "Batched ranged random integer generation", 2024). The
 * draws are exactly uniform once the words with rest < 2^32 mod n^k are left out (one in 4,400 for
 * n = 1000).
 *
 * Philox is ten rounds of two 32 x 32 -> 64 bit products: sixteen blocks sit in the 64-bit lanes
 * of two AVX-512 registers (whose latencies hide each other) or four of AVX2. All three versions
 * give the same draws in the same order: word 0 of the 16 blocks (first their i, then their j),
 * word 1, ... */
#include "stats/draw.h"
#include "base/memory.h"
#include "base/rng.h"
#include <stdlib.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

enum { LANES = 16, HALVES = LANES / 8 };
static int isa_limit = 2;

void stats_draw_limit(int level)
{
    isa_limit = level;
}

struct stats_draw stats_draw_make(uint64_t seed, uint32_t n)
{
    struct base_rng rng = base_rng_make(seed, BASE_RNG_BOOTSTRAP, 0);
    struct stats_draw d = { .key = { rng.key[0], rng.key[1] }, .n = n };
    d.per_word = n <= 4096 ? 2 : 1;
    uint32_t range = d.per_word == 2 ? n * n : n;
    d.reject = (0u - range) % range; /* 2^32 mod range */
    return d;
}

void stats_draw_resample(struct stats_draw *d, uint64_t resample)
{
    d->item[0] = (uint32_t)resample;
    d->item[1] = (uint32_t)(resample >> 32);
}

static const uint32_t M0 = 0xD2511F53u, M1 = 0xCD9E8D57u, W0 = 0x9E3779B9u, W1 = 0xBB67AE85u;

/* The group as it comes, before words are left out: unit[w][0] and [1] are i and j of word w's
 * lanes, reject[w] the lanes to leave out as bits. */
static void group_portable(const struct stats_draw *d, uint32_t group, uint64_t unit[4][2][LANES],
                           unsigned reject[4])
{
    memset(reject, 0, 4 * sizeof *reject);
    for (uint32_t lane = 0; lane < LANES; lane++) {
        uint32_t counter[4] = { group * LANES + lane, 0, d->item[0], d->item[1] }, word[4];
        base_philox(counter, d->key, word);
        for (int w = 0; w < 4; w++) {
            uint64_t p = (uint64_t)word[w] * d->n;
            unit[w][0][lane] = p >> 32;
            if (d->per_word == 2) {
                p = (uint64_t)(uint32_t)p * d->n;
                unit[w][1][lane] = p >> 32;
            }
            reject[w] |= (unsigned)((uint32_t)p < d->reject) << lane;
        }
    }
}

#if defined __x86_64__
__attribute__((target("avx512f"))) static void group_avx512(const struct stats_draw *d,
                                                            uint32_t group,
                                                            uint64_t unit[4][2][LANES],
                                                            unsigned reject[4])
{
    const __m512i m0 = _mm512_set1_epi64(M0), m1 = _mm512_set1_epi64(M1);
    const __m512i low = _mm512_set1_epi64(0xffffffff), n = _mm512_set1_epi64(d->n);
    const __m512i bound = _mm512_set1_epi64(d->reject);
    const __m512i steps = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    __m512i c[HALVES][4];
    for (unsigned h = 0; h < HALVES; h++) {
        c[h][0] = _mm512_add_epi64(_mm512_set1_epi64(group * LANES + 8 * h), steps);
        c[h][1] = _mm512_setzero_si512();
        c[h][2] = _mm512_set1_epi64(d->item[0]);
        c[h][3] = _mm512_set1_epi64(d->item[1]);
    }
    uint32_t k0 = d->key[0], k1 = d->key[1];
    for (int round = 0; round < 10; round++, k0 += W0, k1 += W1) {
        const __m512i key0 = _mm512_set1_epi64(k0), key1 = _mm512_set1_epi64(k1);
#pragma GCC unroll 2
        for (int h = 0; h < HALVES; h++) {
            __m512i p0 = _mm512_mul_epu32(c[h][0], m0), p1 = _mm512_mul_epu32(c[h][2], m1);
            /* 0x96: the exclusive or of three */
            c[h][0] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c[h][1], key0, 0x96);
            c[h][2] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c[h][3], key1, 0x96);
            c[h][1] = p1; /* products read the low halves only: the high ones may hold anything */
            c[h][3] = p0;
        }
    }
#pragma GCC unroll 4
    for (int w = 0; w < 4; w++) {
        reject[w] = 0;
#pragma GCC unroll 2
        for (int h = 0; h < HALVES; h++) {
            __m512i p = _mm512_mul_epu32(c[h][w], n);
            _mm512_storeu_si512(&unit[w][0][8 * h], _mm512_srli_epi64(p, 32));
            if (d->per_word == 2) {
                p = _mm512_mul_epu32(p, n);
                _mm512_storeu_si512(&unit[w][1][8 * h], _mm512_srli_epi64(p, 32));
            }
            reject[w] |= (unsigned)_mm512_cmplt_epu64_mask(_mm512_and_si512(p, low), bound)
                         << 8 * h;
        }
    }
}

__attribute__((target("avx2"))) static void group_avx2(const struct stats_draw *d, uint32_t group,
                                                       uint64_t unit[4][2][LANES],
                                                       unsigned reject[4])
{
    const __m256i m0 = _mm256_set1_epi64x(M0), m1 = _mm256_set1_epi64x(M1);
    const __m256i low = _mm256_set1_epi64x(0xffffffff), n = _mm256_set1_epi64x(d->n);
    const __m256i bound = _mm256_set1_epi64x(d->reject);
    const __m256i steps = _mm256_set_epi64x(3, 2, 1, 0);
    memset(reject, 0, 4 * sizeof *reject);
    for (int quarter = 0; quarter < LANES / 4; quarter++) {
        __m256i c[4] = {
            _mm256_add_epi64(_mm256_set1_epi64x(group * LANES + 4u * (unsigned)quarter), steps),
            _mm256_setzero_si256(), _mm256_set1_epi64x(d->item[0]), _mm256_set1_epi64x(d->item[1])
        };
        uint32_t k0 = d->key[0], k1 = d->key[1];
        for (int round = 0; round < 10; round++, k0 += W0, k1 += W1) {
            __m256i p0 = _mm256_mul_epu32(c[0], m0), p1 = _mm256_mul_epu32(c[2], m1);
            c[0] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c[1]),
                                    _mm256_set1_epi64x(k0));
            c[2] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c[3]),
                                    _mm256_set1_epi64x(k1));
            c[1] = p1;
            c[3] = p0;
        }
        for (int w = 0; w < 4; w++) {
            __m256i p = _mm256_mul_epu32(c[w], n);
            _mm256_storeu_si256((__m256i *)(void *)&unit[w][0][4 * quarter],
                                _mm256_srli_epi64(p, 32));
            if (d->per_word == 2) {
                p = _mm256_mul_epu32(p, n);
                _mm256_storeu_si256((__m256i *)(void *)&unit[w][1][4 * quarter],
                                    _mm256_srli_epi64(p, 32));
            }
            __m256i below = _mm256_cmpgt_epi64(bound, _mm256_and_si256(p, low));
            reject[w] |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(below)) << (4 * quarter);
        }
    }
}
#endif

size_t stats_draw_group(const struct stats_draw *d, uint32_t group, uint64_t unit[STATS_DRAW_GROUP])
{
    uint64_t raw[4][2][LANES];
    /* with two draws a word and none left out, the order is the memory's: write in place */
    uint64_t(*to)[2][LANES] = d->per_word == 2 ? (uint64_t(*)[2][LANES])unit : raw;
    unsigned reject[4];
#if defined __x86_64__
    if (isa_limit >= 2 && __builtin_cpu_supports("avx512f"))
        group_avx512(d, group, to, reject);
    else if (isa_limit >= 1 && __builtin_cpu_supports("avx2"))
        group_avx2(d, group, to, reject);
    else
#endif
        group_portable(d, group, to, reject);
    if (d->per_word == 2 && !(reject[0] | reject[1] | reject[2] | reject[3]))
        return STATS_DRAW_GROUP;
    size_t count = 0;
    for (int w = 0; w < 4; w++)
        for (int k = 0; k < d->per_word; k++)
            for (int lane = 0; lane < LANES; lane++)
                if (!(reject[w] >> lane & 1))
                    unit[count++] = to[w][k][lane];
    return count;
}

void stats_draw_counts(const struct stats_draw *d, uint32_t *pick)
{
    uint64_t unit[STATS_DRAW_GROUP];
    memset(pick, 0, d->n * sizeof *pick);
    size_t left = d->n;
    for (uint32_t group = 0; left; group++) {
        size_t count = stats_draw_group(d, group, unit);
        count = count < left ? count : left;
        for (size_t i = 0; i < count; i++)
            pick[unit[i]]++;
        left -= count;
    }
}

double stats_draw_sum(const struct stats_draw *d, const double *x)
{
    uint64_t u[STATS_DRAW_GROUP];
    double a = 0, b = 0, c = 0, e = 0, f = 0, g = 0, h = 0, k = 0; /* eight sums in registers */
    size_t left = d->n;
    uint32_t group = 0;
    for (; left;) {
        size_t count = stats_draw_group(d, group++, u);
        count = count < left ? count : left;
        left -= count;
        size_t i = 0;
        for (; i + 8 <= count; i += 8) {
            a += x[u[i]];
            b += x[u[i + 1]];
            c += x[u[i + 2]];
            e += x[u[i + 3]];
            f += x[u[i + 4]];
            g += x[u[i + 5]];
            h += x[u[i + 6]];
            k += x[u[i + 7]];
        }
        for (; i < count; i++)
            a += x[u[i]];
    }
    return ((a + b) + (c + e)) + ((f + g) + (h + k));
}

/* A double's bits, reordered so that they compare as unsigned integers. */
static uint64_t to_key(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static double from_key(uint64_t key)
{
    uint64_t bits = key >> 63 ? key ^ (uint64_t)1 << 63 : ~key;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Radix sort by six digits of 11 bits; a digit that is the same everywhere costs one look. */
void stats_sort(double *x, size_t n, double *scratch)
{
    enum { DIGITS = 6, BITS = 11, RADIX = 1 << BITS };
    if (n < 256) {
        qsort(x, n, sizeof *x, ascending);
        return;
    }
    double *from = x, *to = scratch;
    for (int digit = 0; digit < DIGITS; digit++) {
        size_t start[RADIX] = { 0 }, sum = 0;
        int shift = digit * BITS;
        for (size_t i = 0; i < n; i++)
            start[to_key(from[i]) >> shift & (RADIX - 1)]++;
        if (start[to_key(from[0]) >> shift & (RADIX - 1)] == n)
            continue;
        for (size_t r = 0; r < RADIX; r++) {
            size_t count = start[r];
            start[r] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++) {
            uint64_t key = to_key(from[i]);
            to[start[key >> shift & (RADIX - 1)]++] = from_key(key);
        }
        double *swap = from;
        from = to;
        to = swap;
    }
    if (from != x)
        memcpy(x, from, n * sizeof *x);
}

void stats_sort_alone(double *x, size_t n)
{
    double *scratch = n < 256 ? NULL : base_alloc(n, sizeof *scratch);
    if (scratch)
        stats_sort(x, n, scratch);
    else
        qsort(x, n, sizeof *x, ascending);
    base_free(scratch);
}

struct placed {
    double value;
    size_t place;
};

static int by_value(const void *a, const void *b)
{
    const struct placed *p = a, *q = b;
    if (p->value != q->value)
        return p->value < q->value ? -1 : 1;
    return p->place < q->place ? -1 : p->place > q->place;
}

int stats_order(const double *x, size_t n, size_t *order)
{
    struct placed *list = base_alloc(n, sizeof *list);
    if (!list)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        list[i] = (struct placed){ x[i], i };
    qsort(list, n, sizeof *list, by_value);
    for (size_t i = 0; i < n; i++)
        order[i] = list[i].place;
    base_free(list);
    return 0;
}
