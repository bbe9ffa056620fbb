/* What one instruction set offers: filled by kernels.c, compiled once for each, and chosen by
 * kernels_dispatch.c. Rows are of `blocks` times sixteen reals, 64-byte aligned, their tails 0.
 * Those with fused multiply-add agree bit for bit. */
#ifndef EMBED_KERNELS_H
#define EMBED_KERNELS_H
#include <assay/real.h>
#include <stddef.h>
#include <stdint.h>

#define EMBED_MOST_TARGETS                                                                         \
    64 /* of an example: 1 + negative words, or the depth of Huffman's tree */

struct embed_kernels {
    const char *isa;
    /* One example of word2vec, see kernels.c. context: n input rows; target: m output rows, of
     * which the first `positive` have label 1, or labels [m] of 0 and 1 when it is not NULL. loss,
     * when not NULL, gets the example's loss in nats. scratch: 2 * 16 * blocks reals. */
    void (*step)(real *const *context, size_t n, real *const *target, const uint8_t *labels,
                 size_t m, size_t blocks, real alpha, real *scratch, double *loss);
    /* out[q * rows + r] = row r . query q for q < 8 queries, blocks*16 apart */
    void (*products)(const real *row, size_t rows, size_t blocks, const real *query, size_t queries,
                     real *out);
    /* y += x */
    void (*add)(real *y, const real *x, size_t blocks);
    /* out[64 g .. 64 g + 63] for groups first .. first + groups - 1 of the stream (key, item): the
     * same numbers as base/rng.h's, in the order word w of block b at w * 16 + b. */
    void (*random)(uint32_t *out, size_t groups, uint64_t first, const uint32_t key[2],
                   const uint32_t item[2]);
};
extern const struct embed_kernels embed_kernels_v1, embed_kernels_v3, embed_kernels_v4;
const struct embed_kernels *embed_kernels(void);
#endif
