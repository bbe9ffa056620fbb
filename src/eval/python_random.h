/* CPython's random.Random for drawing examples as lm-eval does: the Mersenne Twister MT19937
 * (Matsumoto and Nishimura 1998), seeded by init_by_array from the absolute value of an integer
 * seed, and Random.sample as CPython 3.11 and later compute it. */
#ifndef EVAL_PYTHON_RANDOM_H
#define EVAL_PYTHON_RANDOM_H
#include <stddef.h>
#include <stdint.h>

struct python_random {
    uint32_t state[624];
    unsigned used; /* 624: a new block is due */
};
void python_random_seed(struct python_random *r, uint64_t seed);
uint32_t python_random_u32(struct python_random *r);
/* Random._randbelow(n), 1 <= n < 2^32: getrandbits(n.bit_length()) until it is below n. */
uint32_t python_random_below(struct python_random *r, uint32_t n);
/* Random.sample(range(n), k): k <= n distinct indices into out [k], in the order drawn. 0 or
 * BASE_E_MEMORY, BASE_E_ARGUMENT when k > n. */
int python_random_sample(struct python_random *r, size_t n, size_t k, size_t *out);
#endif
