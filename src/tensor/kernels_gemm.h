/* kernels_gemm: the register tile of every matrix product, compiled per instruction set.
 *
 *   c[i, j] (+)= sum_p a[i, p] * b[p, j],   i < m <= KERNEL_ROWS, j < 32
 *
 * Each c element is ONE chain of fused multiply-adds in the order of p, started from 0 (first) or
 * from the c already there. So blocking over p, the number of rows, the row's place in a tile,
 * threads and vector width leave no trace in the bits.
 *
 * a is addressed as a[i*a_row + p*a_step]: row-major activations (a_row = ld, a_step = 1) or a
 * packed tile (a_row = 1, a_step = KERNEL_ROWS). b is [k][ldb], 32 columns used. A fragment of
 * kernels.c. */
#ifndef TENSOR_KERNELS_GEMM_H
#define TENSOR_KERNELS_GEMM_H

#if defined(__AVX512F__) && !defined(ASSAY_FLOAT64)
#define KERNEL_ROWS    14
#define KERNEL_VECTORS 2 /* 28 accumulators + 2 of b + 1 broadcast = 31 of 32 registers */
#elif defined(__AVX512F__)
#define KERNEL_ROWS    12
#define KERNEL_VECTORS 1
#else
#define KERNEL_ROWS    6
#define KERNEL_VECTORS 1 /* 6 x 2 accumulators of 8 floats */
#endif

/* Decoding multiplies one row: the weights come from memory, each once, and are asked for so many
 * bytes ahead. The CPU's own prefetching stops at 4 KiB. */
#define DOT_AHEAD 4096

/* One tile with the number of rows known to the compiler; column passes of KERNEL_VECTORS vectors.
 */
#define GEMM_TILE(M)                                                                               \
    static void gemm_tile_##M(size_t k, const real *a, size_t a_row, size_t a_step, const real *b, \
                              size_t ldb, real *c, size_t ldc, int first)                          \
    {                                                                                              \
        for (int j = 0; j < 32; j += 16 * KERNEL_VECTORS) {                                        \
            struct vreal acc[M][KERNEL_VECTORS];                                                   \
            _Pragma("GCC unroll 16") for (int i = 0; i < M; i++)                                   \
                _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++) acc[i][v] =       \
                    first ? vzero() : vload(c + i * ldc + j + 16 * v);                             \
            const real *ap = a, *bp = b + j;                                                       \
            for (size_t p = 0; p < k; p++) {                                                       \
                struct vreal bv[KERNEL_VECTORS];                                                   \
                _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++)                   \
                {                                                                                  \
                    bv[v] = vload(bp + 16 * v);                                                    \
                    if (M == 1)                                                                    \
                        __builtin_prefetch((const char *)(bp + 16 * v) + DOT_AHEAD);               \
                }                                                                                  \
                _Pragma("GCC unroll 16") for (int i = 0; i < M; i++)                               \
                {                                                                                  \
                    struct vreal av = vset(ap[i * a_row]);                                         \
                    _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++) acc[i][v] =   \
                        vfma(av, bv[v], acc[i][v]);                                                \
                }                                                                                  \
                ap += a_step;                                                                      \
                bp += ldb;                                                                         \
            }                                                                                      \
            _Pragma("GCC unroll 16") for (int i = 0; i < M; i++)                                   \
                _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++)                   \
                    vstore(c + i * ldc + j + 16 * v, acc[i][v]);                                   \
        }                                                                                          \
    }
GEMM_TILE(1)
GEMM_TILE(2)
GEMM_TILE(3)
GEMM_TILE(4)
GEMM_TILE(5)
GEMM_TILE(6)
#if KERNEL_ROWS > 6
GEMM_TILE(7)
GEMM_TILE(8)
GEMM_TILE(9)
GEMM_TILE(10)
GEMM_TILE(11)
GEMM_TILE(12)
#endif
#if KERNEL_ROWS > 12
GEMM_TILE(13)
GEMM_TILE(14)
#endif

static void gemm_tile(size_t m, size_t k, const real *a, size_t a_row, size_t a_step, const real *b,
                      size_t ldb, real *c, size_t ldc, int first)
{
    switch (m) {
#define GEMM_CASE(M)                                                                               \
    case M:                                                                                        \
        gemm_tile_##M(k, a, a_row, a_step, b, ldb, c, ldc, first);                                 \
        break;
        GEMM_CASE(1)
        GEMM_CASE(2)
        GEMM_CASE(3)
        GEMM_CASE(4)
        GEMM_CASE(5)
        GEMM_CASE(6)
#if KERNEL_ROWS > 6
        GEMM_CASE(7)
        GEMM_CASE(8)
        GEMM_CASE(9)
        GEMM_CASE(10)
        GEMM_CASE(11)
        GEMM_CASE(12)
#endif
#if KERNEL_ROWS > 12
        GEMM_CASE(13)
        GEMM_CASE(14)
#endif
#undef GEMM_CASE
    default:
        break;
    }
}

/* A whole tile from packed operands: a [k][KERNEL_ROWS], b [k][32], both streamed from the second-
 * level cache. Constant strides leave the loop two loads, KERNEL_ROWS broadcasts and the multiply-
 * adds, which the front end can only just deliver; with strides in variables (gemm_tile: addresses
 * kept in memory) the same sums run at three quarters of the speed. What the sums need next is
 * asked for while they run:
 *   a, b   AHEAD_A, AHEAD_B steps of 14 cycles ahead: the latency of the second-level cache
 *   touch  the lines of the next result tile that will be read (or of c, when `first`: it is only
 *          written)
 *   far    k/8 lines that are in memory still, for the second-level cache */
#define AHEAD_A 16
#define AHEAD_B 8
VINLINE void gemm_step(struct vreal acc[KERNEL_ROWS][KERNEL_VECTORS], const real *a, const real *b)
{
    struct vreal bv[KERNEL_VECTORS];
    _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++)
    {
        bv[v] = vload(b + 16 * v);
        __builtin_prefetch(b + 16 * v + 32 * AHEAD_B);
    }
    __builtin_prefetch(a + KERNEL_ROWS * AHEAD_A);
    _Pragma("GCC unroll 16") for (int i = 0; i < KERNEL_ROWS; i++)
    {
        struct vreal av = vset(a[i]);
        _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++) acc[i][v] =
            vfma(av, bv[v], acc[i][v]);
    }
}
static void gemm_packed(size_t k, const real *a, const real *b, real *c, size_t ldc, int first,
                        const real *bias, const real *touch, const void *far)
{
    for (size_t i = 0; i < KERNEL_ROWS; i++)
        for (size_t j = 0; j < 32; j += 64 / sizeof *c)
            __builtin_prefetch(touch + i * ldc + j, 1);
    for (int j = 0; j < 32; j += 16 * KERNEL_VECTORS) {
        struct vreal acc[KERNEL_ROWS][KERNEL_VECTORS];
        _Pragma("GCC unroll 16") for (size_t i = 0; i < KERNEL_ROWS; i++)
            _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++) acc[i][v] =
                first ? vzero() : vload(c + i * ldc + j + 16 * v);
        const real *ap = a, *bp = b + j;
        const char *fp = far;
        size_t p = k;
        for (; p >= 8; p -= 8, fp += 64) {
            __builtin_prefetch(fp, 0, 2);
            _Pragma("GCC unroll 1") for (int u = 0; u < 8; u++, ap += KERNEL_ROWS, bp += 32)
                gemm_step(acc, ap, bp);
        }
        _Pragma("GCC unroll 1") for (; p; p--, ap += KERNEL_ROWS, bp += 32) gemm_step(acc, ap, bp);
        if (bias)
            _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++)
            {
                struct vreal add = vload(bias + j + 16 * v);
                _Pragma("GCC unroll 16") for (int i = 0; i < KERNEL_ROWS; i++) acc[i][v] =
                    vadd(acc[i][v], add);
            }
        _Pragma("GCC unroll 16") for (size_t i = 0; i < KERNEL_ROWS; i++)
            _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++)
                vstore(c + i * ldc + j + 16 * v, acc[i][v]);
    }
}

/* c[KERNEL_ROWS, columns] += a b for the short inner index of attention: a[i*32 + p], b [32][ldb],
 * columns a multiple of 32. */
static void gemm_short(size_t columns, const real *a, const real *b, size_t ldb, real *c,
                       size_t ldc)
{
    for (size_t j = 0; j < columns; j += 16 * KERNEL_VECTORS) {
        struct vreal acc[KERNEL_ROWS][KERNEL_VECTORS];
        _Pragma("GCC unroll 16") for (size_t i = 0; i < KERNEL_ROWS; i++)
            _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++) acc[i][v] =
                vload(c + i * ldc + j + 16 * v);
        const real *bp = b + j;
        _Pragma("GCC unroll 1") for (int p = 0; p < 32; p++, bp += ldb)
        {
            struct vreal bv[KERNEL_VECTORS];
            _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++) bv[v] =
                vload(bp + 16 * v);
            _Pragma("GCC unroll 16") for (int i = 0; i < KERNEL_ROWS; i++)
            {
                struct vreal av = vset(a[i * 32 + p]);
                _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++) acc[i][v] =
                    vfma(av, bv[v], acc[i][v]);
            }
        }
        _Pragma("GCC unroll 16") for (size_t i = 0; i < KERNEL_ROWS; i++)
            _Pragma("GCC unroll 2") for (int v = 0; v < KERNEL_VECTORS; v++)
                vstore(c + i * ldc + j + 16 * v, acc[i][v]);
    }
}

/* dst[p*ldd + i] = a[i*ld + p] for i < lanes <= 16, p < k; zero for i >= rows. */
static void gemm_transpose(size_t rows, size_t k, const real *a, size_t ld, real *dst, size_t ldd,
                           size_t lanes)
{
#if defined(__AVX512F__) && !defined(ASSAY_FLOAT64)
    const __mmask16 tile = (__mmask16)((1u << lanes) - 1);
    /* Squares of 16 x 16, transposed in registers: pairs of rows, pairs of pairs, and so on. */
    for (size_t p = 0; p < k; p += 16) {
        const __mmask16 some = k - p >= 16 ? 0xffff : (__mmask16)((1u << (k - p)) - 1);
        __m512 r[16], t[16];
        _Pragma("GCC unroll 16") for (size_t i = 0; i < 16; i++) r[i] =
            _mm512_maskz_loadu_ps(i < rows ? some : 0, a + (i < rows ? i * ld : 0) + p);
        _Pragma("GCC unroll 8") for (int i = 0; i < 16; i += 2)
        {
            t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
            t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
        }
        _Pragma("GCC unroll 4") for (int i = 0; i < 16; i += 4)
            _Pragma("GCC unroll 2") for (int j = 0; j < 2; j++)
        {
            __m512d x = _mm512_castps_pd(t[i + j]), y = _mm512_castps_pd(t[i + j + 2]);
            r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
            r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
        }
        /* r[i + j] holds columns j, 4+j, 8+j, 12+j of rows i..i+3 in its four quarters */
        _Pragma("GCC unroll 4") for (int j = 0; j < 4; j++)
        {
            __m512 x0 = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88);
            __m512 x1 = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd);
            __m512 y0 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
            __m512 y1 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
            t[j] = _mm512_shuffle_f32x4(x0, y0, 0x88);
            t[8 + j] = _mm512_shuffle_f32x4(x0, y0, 0xdd);
            t[4 + j] = _mm512_shuffle_f32x4(x1, y1, 0x88);
            t[12 + j] = _mm512_shuffle_f32x4(x1, y1, 0xdd);
        }
        _Pragma("GCC unroll 16") for (size_t i = 0; i < 16; i++)
            _mm512_mask_storeu_ps(dst + (p + i) * ldd, p + i < k ? tile : 0, t[i]);
    }
#else
    for (size_t p0 = 0; p0 < k; p0 += 32) { /* in pieces that stay in the first-level cache */
        size_t p1 = p0 + 32 < k ? p0 + 32 : k;
        for (size_t i = 0; i < lanes; i++)
            for (size_t p = p0; p < p1; p++)
                dst[p * ldd + i] = i < rows ? a[i * ld + p] : 0;
    }
#endif
}

/* ---- panels of stored weights widened to real: dst[p][32], exact ---- */

#if defined(__AVX512F__) && !defined(ASSAY_FLOAT64)
VINLINE struct vreal widen_bf16(const uint16_t *s)
{
    __m512i w = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)s));
    return (struct vreal){ { (vpart)_mm512_castsi512_ps(_mm512_slli_epi32(w, 16)) } };
}
VINLINE struct vreal widen_f16(const uint16_t *s)
{
    return (struct vreal){ { (vpart)_mm512_cvtph_ps(_mm256_loadu_si256((const void *)s)) } };
}
#else
static inline real widen_f16_one(uint16_t h)
{
#if defined(__F16C__)
    return (real)_cvtsh_ss(h);
#else
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = (h >> 10) & 31, m = h & 1023, bits;
    float f;
    if (e == 0) {
        f = (float)m * 0x1p-24f; /* zero and subnormals */
        memcpy(&bits, &f, 4);
        bits |= sign;
    } else {
        bits = sign | (e == 31 ? 0x7f800000u : (e + 112) << 23) | m << 13;
    }
    memcpy(&f, &bits, 4);
    return (real)f;
#endif
}
VINLINE struct vreal widen_bf16(const uint16_t *s)
{
    real v[16];
    for (int i = 0; i < 16; i++) {
        uint32_t bits = (uint32_t)s[i] << 16;
        float f;
        memcpy(&f, &bits, 4);
        v[i] = (real)f;
    }
    return vload(v);
}
VINLINE struct vreal widen_f16(const uint16_t *s)
{
    real v[16];
    for (int i = 0; i < 16; i++)
        v[i] = widen_f16_one(s[i]);
    return vload(v);
}
#endif

static void gemm_widen_bf16(size_t k, const uint16_t *src, real *dst)
{
    for (size_t i = 0; i < 32 * k; i += 16)
        vstore(dst + i, widen_bf16(src + i));
}
static void gemm_widen_f16(size_t k, const uint16_t *src, real *dst)
{
    for (size_t i = 0; i < 32 * k; i += 16)
        vstore(dst + i, widen_f16(src + i));
}
/* Pairs of bf16 (even index in the low half of a word): rows 2p+1, 2p of dst, the order in which
 * bf16 products are summed (kernels_bf16.h). */
static void gemm_widen_pairs(size_t pairs, const uint32_t *src, real *dst)
{
    for (size_t p = 0; p < pairs; p++, src += 32, dst += 64)
        for (int j = 0; j < 32; j++) {
            uint32_t high = src[j] & 0xffff0000u, low = src[j] << 16;
            float odd, even;
            memcpy(&odd, &high, 4);
            memcpy(&even, &low, 4);
            dst[j] = (real)odd;
            dst[32 + j] = (real)even;
        }
}

/* One row of activations against a panel of stored weights, widened in registers (decoding: the
 * weights are streamed from memory once, DOT_AHEAD). The same chains as gemm on the widened panel.
 */
static void gemm_dot_bf16(size_t k, const real *x, const uint16_t *w, real *c)
{
    struct vreal a0 = vzero(), a1 = a0;
    for (size_t p = 0; p < k; p++, w += 32) {
        struct vreal xv = vset(x[p]);
        __builtin_prefetch((const char *)w + DOT_AHEAD);
        a0 = vfma(xv, widen_bf16(w), a0);
        a1 = vfma(xv, widen_bf16(w + 16), a1);
    }
    vstore(c, a0);
    vstore(c + 16, a1);
}
static void gemm_dot_f16(size_t k, const real *x, const uint16_t *w, real *c)
{
    struct vreal a0 = vzero(), a1 = a0;
    for (size_t p = 0; p < k; p++, w += 32) {
        struct vreal xv = vset(x[p]);
        __builtin_prefetch((const char *)w + DOT_AHEAD);
        a0 = vfma(xv, widen_f16(w), a0);
        a1 = vfma(xv, widen_f16(w + 16), a1);
    }
    vstore(c, a0);
    vstore(c + 16, a1);
}
#endif
