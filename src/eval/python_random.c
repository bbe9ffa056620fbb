/* random.Random in C; python_random.h says what for. Checked against CPython's numbers in
 * tests/eval/test_task_random.c. */
#include "eval/python_random.h"
#include "base/memory.h"
#include <assay/base.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { N = 624, M = 397 };

static void seed_word(struct python_random *r, uint32_t s)
{
    r->state[0] = s;
    for (uint32_t i = 1; i < N; i++)
        r->state[i] = 1812433253u * (r->state[i - 1] ^ (r->state[i - 1] >> 30)) + i;
    r->used = N;
}

/* init_by_array with the seed's 32-bit words, least significant first; no leading zero words. */
void python_random_seed(struct python_random *r, uint64_t seed)
{
    uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) }, *s = r->state;
    uint32_t length = key[1] ? 2 : 1, i = 1, j = 0;
    seed_word(r, 19650218u);
    for (uint32_t k = N; k > 0; k--) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1664525u)) + key[j] + j;
        if (++i >= N) {
            s[0] = s[N - 1];
            i = 1;
        }
        if (++j >= length)
            j = 0;
    }
    for (uint32_t k = N - 1; k > 0; k--) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1566083941u)) - i;
        if (++i >= N) {
            s[0] = s[N - 1];
            i = 1;
        }
    }
    s[0] = 0x80000000u;
    r->used = N;
}

uint32_t python_random_u32(struct python_random *r)
{
    uint32_t *s = r->state;
    if (r->used >= N) {
        for (unsigned k = 0; k < N; k++) {
            uint32_t y = (s[k] & 0x80000000u) | (s[(k + 1) % N] & 0x7fffffffu);
            s[k] = s[(k + M) % N] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
        }
        r->used = 0;
    }
    uint32_t y = s[r->used++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

uint32_t python_random_below(struct python_random *r, uint32_t n)
{
    unsigned bits = 0;
    while (n >> bits)
        bits++;
    uint32_t x;
    do
        x = python_random_u32(r) >> (32 - bits);
    while (x >= n);
    return x;
}

/* A pool that shrinks when the population is small beside k, else a set of those drawn; which of
 * the two decides what is drawn, so the limit is CPython's: 21, plus 4^ceil(log4(3k)) when k > 5.
 */
int python_random_sample(struct python_random *r, size_t n, size_t k, size_t *out)
{
    if (k > n || n > UINT32_MAX)
        return base_error_set(BASE_E_ARGUMENT, "cannot draw %zu of %zu", k, n);
    double limit = 21 + (k > 5 ? pow(4, ceil(log((double)k * 3) / log(4))) : 0);
    if ((double)n <= limit) {
        size_t *pool = base_alloc(n, sizeof *pool);
        if (!pool)
            return BASE_E_MEMORY;
        for (size_t i = 0; i < n; i++)
            pool[i] = i;
        for (size_t i = 0; i < k; i++) {
            size_t j = python_random_below(r, (uint32_t)(n - i));
            out[i] = pool[j];
            pool[j] = pool[n - i - 1];
        }
        base_free(pool);
        return 0;
    }
    for (size_t i = 0; i < k; i++) {
        bool again;
        do {
            out[i] = python_random_below(r, (uint32_t)n);
            again = false;
            for (size_t j = 0; j < i && !again; j++)
                again = out[j] == out[i];
        } while (again);
    }
    return 0;
}
