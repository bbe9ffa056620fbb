/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC'11): ten rounds of
 *
 *   (c0, c1, c2, c3) <- (hi(M1 c2) ^ c1 ^ k0,  lo(M1 c2),  hi(M0 c0) ^ c3 ^ k1,  lo(M0 c0))
 *
 * with the key advanced by the Weyl constants W between rounds. It is a bijection of the counter
 * for every key, so a stream has no short cycles.
 *
 * How a stream is named: the 128-bit counter holds (block number, item), 64 bits each; the purpose
 * goes into the key by encrypting it once, key = Philox((purpose, 0, 0, 0), seed) words 0 and 1.
 * Numbers 4b..4b+3 of the stream are the four words of block b. */
#include "base/rng.h"
#include <math.h>

__extension__ typedef unsigned __int128 wide;

void base_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    const uint64_t M0 = 0xD2511F53u, M1 = 0xCD9E8D57u; /* multipliers of the paper, table 2 */
    const uint32_t W0 = 0x9E3779B9u, W1 = 0xBB67AE85u; /* golden ratio, sqrt(3) - 1 */
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = M0 * c0, p1 = M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += W0;
        k1 += W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

struct base_rng base_rng_make(uint64_t seed, uint32_t purpose, uint64_t item)
{
    const uint32_t seed_key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    const uint32_t purpose_counter[4] = { purpose, 0, 0, 0 };
    uint32_t mixed[4];
    base_philox(purpose_counter, seed_key, mixed);
    return (struct base_rng){
        .key = { mixed[0], mixed[1] },
        .counter = { 0, 0, (uint32_t)item, (uint32_t)(item >> 32) },
        .used = 4,
    };
}

/* Computes the block that counter names and moves counter to the next one. */
static void next_block(struct base_rng *r)
{
    base_philox(r->counter, r->key, r->block);
    r->counter[1] += ++r->counter[0] == 0;
    r->used = 0;
}

void base_rng_seek(struct base_rng *r, uint64_t index)
{
    uint64_t block = index / 4;
    r->counter[0] = (uint32_t)block;
    r->counter[1] = (uint32_t)(block >> 32);
    next_block(r);
    r->used = (unsigned)(index % 4);
}

uint32_t base_rng_u32(struct base_rng *r)
{
    if (r->used >= 4) {
        next_block(r);
    }
    return r->block[r->used++];
}

uint64_t base_rng_u64(struct base_rng *r)
{
    uint64_t low = base_rng_u32(r);
    return low | (uint64_t)base_rng_u32(r) << 32;
}

double base_rng_uniform(struct base_rng *r)
{
    return (double)(base_rng_u64(r) >> 11) * 0x1p-53;
}

uint64_t base_rng_below(struct base_rng *r, uint64_t n)
{
    /* x*n / 2^64 is uniform once the low halves below 2^64 mod n are thrown away (Lemire 2019). */
    wide product = (wide)base_rng_u64(r) * n;
    if ((uint64_t)product < n) {
        uint64_t bound = (0 - n) % n;
        while ((uint64_t)product < bound) {
            product = (wide)base_rng_u64(r) * n;
        }
    }
    return (uint64_t)(product >> 64);
}

double base_rng_normal(struct base_rng *r)
{
    /* Box-Muller: sqrt(-2 ln u) cos(2 pi v), u in (0, 1]. The sine half is not kept, so that the
     * state stays a pure function of how many numbers were drawn. */
    double u = 1.0 - base_rng_uniform(r);
    double v = base_rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}
