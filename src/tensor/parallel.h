/* How the ops split work over threads: only when there is enough of it to pay for waking them
 * (about 5 us), and always so that the split cannot be seen in the result. */
#ifndef TENSOR_PARALLEL_H
#define TENSOR_PARALLEL_H
#include <assay/base.h>
#include <stddef.h>

/* Threads for work on n elements that cost about `cost` nanoseconds per 16 each. */
static inline int parallel_threads(size_t n, size_t cost)
{
    const int most = base_threads();
    const size_t enough = n / 16 * cost / 20000; /* 20 us for each */
    return enough < 2 ? 1 : enough < (size_t)most ? (int)enough : most;
}
/* Share t of T of n elements, on multiples of 16: [*from, *to). */
static inline void parallel_share(size_t n, int t, int T, size_t *from, size_t *to)
{
    const size_t blocks = (n + 15) / 16;
    *from = blocks * (size_t)t / (size_t)T * 16;
    *to = blocks * ((size_t)t + 1) / (size_t)T * 16;
    if (*to > n)
        *to = n;
    if (*from > *to)
        *from = *to;
}
#endif
