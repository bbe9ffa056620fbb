/* kernels_bf16: the register tile on pairs of bf16, for CPUs that multiply them (AVX512_BF16).
 *
 *   c[i, j] (+)= sum over pairs p of  a[i, 2p+1] b[2p+1, j],  then  a[i, 2p] b[2p, j]
 *
 * in float: the order in which VDPBF16PS adds (Intel SDM). A product of two bf16 numbers is exact
 * in float, so a chain of fused multiply-adds in that order gives the same bits where there is no
 * such unit (numbers below 2^-126 aside, which the unit takes as zero): matmul.c does that.
 *
 * a: pairs as 32-bit words (even index in the low half), a[i*a_row + p*a_step]; b: [pairs][32]
 * words. BF16_DOT(acc, a, b) is the unit; a test defines it in plain arithmetic. */
#ifndef BF16_ROWS
#define BF16_ROWS 14
#endif
#define BF16_TILE(M)                                                                               \
    BF16_TARGET static void bf16_tile_##M(size_t pairs, const uint32_t *a, size_t a_row,           \
                                          size_t a_step, const uint32_t *b, float *c, size_t ldc,  \
                                          int first)                                               \
    {                                                                                              \
        __m512 acc[M][2];                                                                          \
        _Pragma("GCC unroll 16") for (int i = 0; i < M; i++)                                       \
            _Pragma("GCC unroll 2") for (int v = 0; v < 2; v++) acc[i][v] =                        \
                first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + 16 * v);               \
        for (size_t p = 0; p < pairs; p++) {                                                       \
            __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + 16);                   \
            _Pragma("GCC unroll 16") for (int i = 0; i < M; i++)                                   \
            {                                                                                      \
                __m512i av = _mm512_set1_epi32((int)a[i * a_row]);                                 \
                acc[i][0] = BF16_DOT(acc[i][0], av, b0);                                           \
                acc[i][1] = BF16_DOT(acc[i][1], av, b1);                                           \
            }                                                                                      \
            a += a_step;                                                                           \
            b += 32;                                                                               \
        }                                                                                          \
        _Pragma("GCC unroll 16") for (int i = 0; i < M; i++)                                       \
            _Pragma("GCC unroll 2") for (int v = 0; v < 2; v++)                                    \
                _mm512_storeu_ps(c + i * ldc + 16 * v, acc[i][v]);                                 \
    }
#define BF16_EACH(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
BF16_EACH(BF16_TILE)

BF16_TARGET static void bf16_tile(size_t m, size_t pairs, const uint32_t *a, size_t a_row,
                                  size_t a_step, const uint32_t *b, float *c, size_t ldc, int first)
{
    switch (m) {
#define BF16_CASE(M)                                                                               \
    case M:                                                                                        \
        bf16_tile_##M(pairs, a, a_row, a_step, b, c, ldc, first);                                  \
        break;
        BF16_EACH(BF16_CASE)
#undef BF16_CASE
    default:
        break;
    }
}
