/* The arithmetic of word2vec. The Makefile compiles this file three times, with KERNELS_ISA = v1,
 * v3 and v4, as src/tensor/kernels.c; it uses that room's vectors of sixteen reals.
 *
 * One example: context words c_1 .. c_n (rows of the input matrix), targets t_1 .. t_m (rows of the
 * output matrix) with labels y_j in {0, 1}.
 *     h  = (1/n) sum_i c_i
 *     f_j = h . t_j,   s_j = 1 / (1 + e^-f_j)
 *     L  = - sum_j [ y_j ln s_j + (1 - y_j) ln (1 - s_j) ]
 *     g_j = alpha (y_j - s_j) = -alpha dL/df_j
 *     e  = sum_j g_j t_j        (-alpha dL/dh, with t_j as they were)
 *     t_j += g_j h              (a step of gradient descent)
 *     c_i += e                  (n times that of gradient descent: word2vec's and gensim's choice)
 * All s_j come from the rows as they were. gensim and word2vec.c update t_j before they look at
 * t_(j+1), which is the same unless a word is drawn twice, and leave out (gensim) targets with
 * |f_j| >= 6; the sigmoid there is a table of 1,000 steps. */
#include "embed/kernels.h"
#include "tensor/kernels_vector.h"
#include "tensor/kernels_math.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define TEXT_(a)    #a
#define TEXT(a)     TEXT_(a)
#define BLOCK(x, k) ((x) + (k)*VLANES)

/* ln(1 + e^x) without overflow */
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* g_j from f_j, sixteen at a time */
VINLINE void choices(real *f, const uint8_t *labels, size_t m, real alpha, double *loss)
{
    for (size_t j = 0; j < m; j += VLANES) {
        const size_t some = m - j < VLANES ? m - j : VLANES;
        real y[VLANES] = { 0 };
        for (size_t i = 0; i < some; i++)
            y[i] = labels ? (real)labels[j + i] : (real)(j + i == 0);
        if (loss)
            for (size_t i = 0; i < some; i++)
                *loss += softplus(y[i] != 0 ? -(double)f[j + i] : (double)f[j + i]);
        struct vreal s = vload(f + j), label = vload(y);
        VEACH(k)
        {
            vpart complement;
            s.p[k] = vpart_logistic(s.p[k], &complement);
            s.p[k] = (label.p[k] - s.p[k]) * vpart_set(alpha);
        }
        vstore(f + j, s);
    }
}

/* Products of h with m targets; M > 0: m is known when this is compiled. */
VINLINE void look(const real *h, real *const *target, size_t m, size_t blocks, real *f)
{
    struct vreal sum[8];
    for (size_t j = 0; j < m; j++)
        sum[j] = vzero();
    for (size_t k = 0; k < blocks; k++) {
        const struct vreal x = vload(BLOCK(h, k));
        for (size_t j = 0; j < m; j++)
            sum[j] = vfma(x, vload(BLOCK(target[j], k)), sum[j]);
    }
    for (size_t j = 0; j < m; j++)
        f[j] = vsum(sum[j]);
}
/* e (+)= sum g t; t += g h */
VINLINE void learn(const real *h, real *e, real *const *target, size_t m, size_t blocks,
                   const real *g, int first)
{
    real *row[8], weight[8]; /* what stores cannot reach stays in registers */
    for (size_t j = 0; j < m; j++) {
        row[j] = target[j];
        weight[j] = g[j];
    }
    for (size_t k = 0; k < blocks; k++) {
        const struct vreal x = vload(BLOCK(h, k));
        struct vreal sum = first ? vzero() : vload(BLOCK(e, k));
        for (size_t j = 0; j < m; j++) {
            const struct vreal w = vset(weight[j]), t = vload(BLOCK(row[j], k));
            sum = vfma(w, t, sum);
            vstore(BLOCK(row[j], k), vfma(w, x, t));
        }
        vstore(BLOCK(e, k), sum);
    }
}

static void step(real *const *context, size_t n, real *const *target, const uint8_t *labels,
                 size_t m, size_t blocks, real alpha, real *scratch, double *loss)
{
    real *h = scratch, *e = BLOCK(scratch, blocks);
    real f[EMBED_MOST_TARGETS + VLANES] __attribute__((aligned(64))) = { 0 };
    const struct vreal share = vset((real)1 / (real)n);
    if (loss)
        *loss = 0;
    if (m == 0)
        return;
    if (n == 1) {
        h = context[0]; /* not written before the end */
    } else {
        for (size_t k = 0; k < blocks; k++) {
            struct vreal a = vload(BLOCK(context[0], k)), b = vload(BLOCK(context[1], k));
            size_t i = 2;
            for (; i + 1 < n; i += 2) {
                a = vadd(a, vload(BLOCK(context[i], k)));
                b = vadd(b, vload(BLOCK(context[i + 1], k)));
            }
            if (i < n)
                a = vadd(a, vload(BLOCK(context[i], k)));
            vstore(BLOCK(h, k), vmul(vadd(a, b), share));
        }
    }
    if (m == 6) { /* five noise words: known sizes keep the sums in registers */
        look(h, target, 6, blocks, f);
        choices(f, labels, 6, alpha, loss);
        learn(h, e, target, 6, blocks, f, 1);
    } else {
        size_t j = 0;
        for (; j + 4 <= m; j += 4)
            look(h, target + j, 4, blocks, f + j);
        for (; j < m; j++)
            look(h, target + j, 1, blocks, f + j);
        choices(f, labels, m, alpha, loss);
        for (j = 0; j + 4 <= m; j += 4)
            learn(h, e, target + j, 4, blocks, f + j, j == 0);
        for (; j < m; j++)
            learn(h, e, target + j, 1, blocks, f + j, j == 0);
    }
    for (size_t k = 0; k < blocks; k++) {
        const struct vreal x = vload(BLOCK(e, k));
        for (size_t i = 0; i < n; i++)
            vstore(BLOCK(context[i], k), vadd(vload(BLOCK(context[i], k)), x));
    }
}

static void products(const real *row, size_t rows, size_t blocks, const real *query, size_t queries,
                     real *out)
{
    const size_t stride = blocks * VLANES;
    for (size_t r = 0; r < rows; r++) {
        const real *x = row + r * stride;
        real f[8];
        size_t q = 0;
        const real *at[8];
        for (q = 0; q < queries; q++)
            at[q] = query + q * stride;
        real *const *list = (real *const *)(void *)at; /* look() reads only */
        if (queries == 8)
            look(x, list, 8, blocks, f);
        else
            for (q = 0; q < queries; q++)
                look(x, list + q, 1, blocks, f + q);
        for (q = 0; q < queries; q++)
            out[q * rows + r] = f[q];
    }
}

static void add(real *y, const real *x, size_t blocks)
{
    for (size_t k = 0; k < blocks; k++)
        vstore(BLOCK(y, k), vadd(vload(BLOCK(y, k)), vload(BLOCK(x, k))));
}

/* Registers of 64-bit integers, and the product of their lower halves. */
#define LONGS (VPART_BYTES / 8)
typedef uint64_t vlong __attribute__((vector_size(VPART_BYTES)));
VINLINE vlong vlong_multiply(vlong a, vlong b)
{
#if VPART_BYTES == 64
    return (vlong)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif VPART_BYTES == 32
    return (vlong)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
    return (vlong)_mm_mul_epu32((__m128i)a, (__m128i)b);
#endif
}

/* Philox4x32-10 (base/rng.c), a block in each lane. Only the lower halves of the lanes count: what
 * stands above them is neither multiplied nor stored. */
static void random_words(uint32_t *out, size_t groups, uint64_t first, const uint32_t key[2],
                         const uint32_t item[2])
{
    const vlong zero = { 0 }, m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u;
    for (size_t g = 0; g < groups; g++, out += 64)
        for (size_t half = 0; half < 16; half += LONGS) {
            vlong a, b, c = zero + item[0], d = zero + item[1];
            for (size_t i = 0; i < LONGS; i++)
                a[i] = (first + g) * 16 + half + i;
            b = a >> 32;
            uint32_t k0 = key[0], k1 = key[1];
            for (int round = 0; round < 10; round++) {
                const vlong p = vlong_multiply(m0, a), q = vlong_multiply(m1, c);
                a = (q >> 32) ^ b ^ (zero + k0);
                b = q;
                c = (p >> 32) ^ d ^ (zero + k1);
                d = p;
                k0 += 0x9E3779B9u;
                k1 += 0xBB67AE85u;
            }
            for (size_t i = 0; i < LONGS; i++) {
                out[half + i] = (uint32_t)a[i];
                out[16 + half + i] = (uint32_t)b[i];
                out[32 + half + i] = (uint32_t)c[i];
                out[48 + half + i] = (uint32_t)d[i];
            }
        }
}

const struct embed_kernels JOIN(embed_kernels_, KERNELS_ISA) = {
    .isa = TEXT(KERNELS_ISA),
    .step = step,
    .products = products,
    .add = add,
    .random = random_words,
};
