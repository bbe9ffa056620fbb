/* Row kernels: norms, residual and bias sums, rotary positions, softmax and dropout on one row (or
 * a block of rows) of activations. A fragment of kernels.c; the formulas stand in ops.h, the
 * activation functions in kernels_activation.h.
 *
 * Every element is computed by the same operations wherever it stands in the row: the tail goes
 * through the same vector code, padded. Sums over a row use sixteen lane sums and vsum's tree. */
#ifndef TENSOR_KERNELS_ROW_H
#define TENSOR_KERNELS_ROW_H
#include "tensor/kernels_math.h"

/* y = a + b */
static void row_add(real *y, const real *a, const real *b, size_t n)
{
    for (size_t i = 0; i < n; i += VLANES)
        vstore_n(y + i, vadd(vload_n(a + i, n - i, 0), vload_n(b + i, n - i, 0)), n - i);
}
/* y = s x */
static void row_scale(real *y, const real *x, real s, size_t n)
{
    const struct vreal factor = vset(s);
    for (size_t i = 0; i < n; i += VLANES)
        vstore_n(y + i, vmul(vload_n(x + i, n - i, 0), factor), n - i);
}

/* y = s x, or y += s x (rounded once) */
static void row_embed(real *y, const real *x, real s, int add, size_t n)
{
    const struct vreal factor = vset(s);
    for (size_t i = 0; i < n; i += VLANES) {
        const struct vreal v = vload_n(x + i, n - i, 0);
        vstore_n(y + i, add ? vfma(v, factor, vload_n(y + i, n - i, 0)) : vmul(v, factor), n - i);
    }
}

/* ---- norms ----------------------------------------------------------------------------------- */

/* Row sums of x - shift (power 1) or its square (power 2); the padding adds exactly 0. */
VINLINE real row_moment(const real *x, real shift, int power, size_t n)
{
    const struct vreal m = vset(shift);
    struct vreal sum = vzero();
    for (size_t i = 0; i < n; i += VLANES) {
        const struct vreal v = vsub(vload_n(x + i, n - i, shift), m);
        sum = power == 2 ? vfma(v, v, sum) : vadd(sum, v);
    }
    return vsum(sum);
}
/* Weight lanes: 1 without weights, w + offset with (offset 1 for Gemma, else 0, which is exact). */
VINLINE struct vreal row_weight(const real *w, real offset, size_t i, size_t n)
{
    return w ? vadd(vload_n(w + i, n - i, 0), vset(offset)) : vset(1);
}
/* y = (x - mean) rstd w + b */
VINLINE void row_normalize(real *y, const real *x, const real *w, const real *b, real offset,
                           real mean, real rstd, size_t n)
{
    const struct vreal m = vset(mean), r = vset(rstd);
    for (size_t i = 0; i < n; i += VLANES) {
        struct vreal v = vmul(vsub(vload_n(x + i, n - i, 0), m), r);
        if (w)
            v = b ? vfma(v, row_weight(w, offset, i, n), vload_n(b + i, n - i, 0))
                  : vmul(v, row_weight(w, offset, i, n));
        vstore_n(y + i, v, n - i);
    }
}
static void row_layer_norm(real *y, const real *x, const real *w, const real *b, size_t n,
                           double eps, real *mean, real *rstd)
{
    const real m = row_moment(x, 0, 1, n) / (real)n;
    const real variance = row_moment(x, m, 2, n) / (real)n;
    *mean = m;
    *rstd = (real)(1.0 / sqrt((double)variance + eps));
    row_normalize(y, x, w, b, 0, m, *rstd, n);
}
static void row_rms_norm(real *y, const real *x, const real *w, real offset, size_t n, double eps,
                         real *rstd)
{
    const real square = row_moment(x, 0, 2, n) / (real)n;
    *rstd = (real)(1.0 / sqrt((double)square + eps));
    row_normalize(y, x, w, NULL, offset, 0, *rstd, n);
}
/* With h = (x - mean) rstd and g = dy w:  dx = rstd (g - mean(g) - h mean(g h)); the RMS norm has
 * no mean(g) term (centered = 0, mean = 0). add: dx += instead of dx =. */
static void row_norm_backward(real *dx, const real *dy, const real *x, const real *w, real offset,
                              real mean, real rstd, int centered, int add, size_t n)
{
    const struct vreal m = vset(mean), r = vset(rstd);
    struct vreal sum_g = vzero(), sum_gh = vzero();
    for (size_t i = 0; i < n; i += VLANES) {
        const struct vreal h = vmul(vsub(vload_n(x + i, n - i, mean), m), r);
        const struct vreal g = vmul(vload_n(dy + i, n - i, 0), row_weight(w, offset, i, n));
        sum_g = vadd(sum_g, g);
        sum_gh = vfma(g, h, sum_gh);
    }
    const struct vreal mean_g = vset(centered ? vsum(sum_g) / (real)n : 0);
    const struct vreal mean_gh = vset(-(vsum(sum_gh) / (real)n));
    for (size_t i = 0; i < n; i += VLANES) {
        const struct vreal h = vmul(vsub(vload_n(x + i, n - i, mean), m), r);
        const struct vreal g = vmul(vload_n(dy + i, n - i, 0), row_weight(w, offset, i, n));
        struct vreal d = vmul(vfma(h, mean_gh, vsub(g, mean_g)), r);
        if (add)
            d = vadd(vload_n(dx + i, n - i, 0), d);
        vstore_n(dx + i, d, n - i);
    }
}

/* ---- sums over rows, in row order --------------------------------------------------------------
 */

/* Rows are taken in groups of COLUMN_ROWS so that a group's lines come from memory once, whole rows
 * at a time; within the group each column block keeps its running sum in registers. */
#define COLUMN_ROWS 16

/* For the n columns from the pointers on:  db += sum_r dy[r],  dw += sum_r dy[r] (x[r] - mean[r])
 * rstd[r]. x NULL: only db. db or dw may be NULL; mean NULL = 0. ld: reals between rows. */
static void row_column_sums(real *dw, real *db, const real *dy, const real *x, const real *mean,
                            const real *rstd, size_t rows, size_t n, size_t ld)
{
    for (size_t r0 = 0; r0 < rows; r0 += COLUMN_ROWS) {
        const size_t r1 = r0 + COLUMN_ROWS < rows ? r0 + COLUMN_ROWS : rows;
        for (size_t i = 0; i < n; i += VLANES) {
            const size_t left = n - i;
            struct vreal b = db ? vload_n(db + i, left, 0) : vzero();
            struct vreal w = dw ? vload_n(dw + i, left, 0) : vzero();
            for (size_t r = r0; r < r1; r++) {
                const struct vreal g = vload_n(dy + r * ld + i, left, 0);
                b = vadd(b, g);
                if (dw) {
                    const struct vreal v = vload_n(x + r * ld + i, left, 0);
                    const struct vreal h = vmul(vsub(v, vset(mean ? mean[r] : 0)), vset(rstd[r]));
                    w = vfma(g, h, w);
                }
            }
            if (db)
                vstore_n(db + i, b, left);
            if (dw)
                vstore_n(dw + i, w, left);
        }
    }
}

/* ---- rotary positions --------------------------------------------------------------------------
 */

/* Rotates pairs (a_i, b_i) by the angles whose cosines and sines are given; direction -1 turns
 * back. a' = a cos - b sin,  b' = b cos + a sin */
VINLINE void row_rotate_lanes(struct vreal *a, struct vreal *b, struct vreal c, struct vreal s)
{
    const struct vreal a0 = *a;
    *a = vfma(a0, c, vsub(vzero(), vmul(*b, s)));
    *b = vfma(*b, c, vmul(a0, s));
}
/* One head: halves (x_i, x_{i+half}) when not interleaved, neighbours (x_2i, x_2i+1) when it is. */
static void row_rotate(real *x, const real *cosine, const real *sine, real direction, size_t half,
                       int interleaved)
{
    const struct vreal sign = vset(direction);
    for (size_t i = 0; i < half; i += VLANES) {
        const size_t left = half - i;
        const struct vreal c = vload_n(cosine + i, left, 0);
        const struct vreal s = vmul(vload_n(sine + i, left, 0), sign);
        struct vreal a, b;
        if (!interleaved) {
            a = vload_n(x + i, left, 0);
            b = vload_n(x + half + i, left, 0);
            row_rotate_lanes(&a, &b, c, s);
            vstore_n(x + i, a, left);
            vstore_n(x + half + i, b, left);
        } else {
            real even[VLANES] = { 0 }, odd[VLANES] = { 0 };
            const size_t m = left < VLANES ? left : VLANES;
            for (size_t k = 0; k < m; k++) {
                even[k] = x[2 * (i + k)];
                odd[k] = x[2 * (i + k) + 1];
            }
            a = vload(even);
            b = vload(odd);
            row_rotate_lanes(&a, &b, c, s);
            vstore(even, a);
            vstore(odd, b);
            for (size_t k = 0; k < m; k++) {
                x[2 * (i + k)] = even[k];
                x[2 * (i + k) + 1] = odd[k];
            }
        }
    }
}

/* ---- softmax over a row of logits ---------------------------------------------------------------
 */

static real row_max(const real *x, size_t n)
{
    struct vreal m = vset(-(real)INFINITY);
    for (size_t i = 0; i < n; i += VLANES)
        m = vmax(m, vload_n(x + i, n - i, -(real)INFINITY));
    return vmax_lane(m);
}
/* Sixteen lane sums in double, whatever real is. */
#ifdef ASSAY_FLOAT64
typedef vpart vdouble_part;
#else
typedef double vdouble_part __attribute__((vector_size(VPART_BYTES)));
#endif
#define VDOUBLE_PARTS (VLANES * 8 / VPART_BYTES)
struct vdouble {
    vdouble_part p[VDOUBLE_PARTS];
};
VINLINE struct vdouble vdouble_add(struct vdouble sum, struct vreal v)
{
    VEACH(k)
    {
#if defined(ASSAY_FLOAT64)
        sum.p[k] += v.p[k];
#elif VPART_BYTES == 64
        const __m512 x = (__m512)v.p[k];
        sum.p[2 * k] += (vdouble_part)_mm512_cvtps_pd(_mm512_castps512_ps256(x));
        sum.p[2 * k + 1] += (vdouble_part)_mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
#elif VPART_BYTES == 32
        const __m256 x = (__m256)v.p[k];
        sum.p[2 * k] += (vdouble_part)_mm256_cvtps_pd(_mm256_castps256_ps128(x));
        sum.p[2 * k + 1] += (vdouble_part)_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
#else
        const __m128 x = (__m128)v.p[k];
        sum.p[2 * k] += (vdouble_part)_mm_cvtps_pd(x);
        sum.p[2 * k + 1] += (vdouble_part)_mm_cvtps_pd(_mm_movehl_ps(x, x));
#endif
    }
    return sum;
}
/* sum of e^(x - shift), the exponentials in real, their sum in double: beside the maximum's 1,
 * terms that a float sum would lose decide the loss of a confident model. */
static double row_sum_exp(const real *x, real shift, size_t n)
{
    const struct vreal m = vset(shift);
    struct vdouble sum = { { { 0 } } };
    for (size_t i = 0; i < n; i += VLANES)
        sum = vdouble_add(sum, vexp(vsub(vload_n(x + i, n - i, -(real)INFINITY), m)));
    double lanes[VLANES];
    memcpy(lanes, &sum, sizeof lanes);
    for (int half = VLANES / 2; half >= 1; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}
/* In place, x -> scale e^(x - shift), and with a soft cap (inverse_cap = 1/cap, else 0) times the
 * cap's derivative 1 - (x/cap)^2 at the capped logit x. */
static void row_softmax_gradient(real *x, real shift, real scale, real inverse_cap, size_t n)
{
    const struct vreal m = vset(shift), s = vset(scale), ic = vset(inverse_cap), one = vset(1);
    for (size_t i = 0; i < n; i += VLANES) {
        const struct vreal v = vload_n(x + i, n - i, 0);
        struct vreal g = vmul(vexp(vsub(v, m)), s);
        if (inverse_cap != 0) {
            const struct vreal u = vmul(v, ic);
            g = vmul(g, vsub(one, vmul(u, u)));
        }
        vstore_n(x + i, g, n - i);
    }
}
/* y = cap tanh(x / cap) */
static void row_softcap(real *y, const real *x, real cap, size_t n)
{
    const struct vreal c = vset(cap), ic = vset(1 / cap);
    for (size_t i = 0; i < n; i += VLANES)
        vstore_n(y + i, vmul(c, vtanh(vmul(vload_n(x + i, n - i, 0), ic))), n - i);
}
/* dx = dy (1 - (y/cap)^2) at the capped y */
static void row_softcap_backward(real *dx, const real *dy, const real *y, real cap, size_t n)
{
    const struct vreal ic = vset(1 / cap), one = vset(1);
    for (size_t i = 0; i < n; i += VLANES) {
        const struct vreal u = vmul(vload_n(y + i, n - i, 0), ic);
        vstore_n(dx + i, vmul(vload_n(dy + i, n - i, 0), vsub(one, vmul(u, u))), n - i);
    }
}

/* ---- dropout
 * -------------------------------------------------------------------------------------- */

/* Blocks first .. first+15 of a Philox4x32-10 stream at once, one lane each (see base/rng.c; the
 * numbers are the same): out[4b + w] is word w of block first + b. */
static void row_philox16(const uint32_t key[2], const uint32_t item[2], uint64_t first,
                         uint32_t out[64])
{
    uint64_t c0[16], c1[16], c2[16],
        c3[16]; /* 32-bit words in 64-bit lanes: products need both halves */
    uint64_t k0 = key[0], k1 = key[1];
    const uint64_t low = 0xFFFFFFFFu;
    for (int b = 0; b < 16; b++) {
        c0[b] = (first + (uint64_t)b) & low;
        c1[b] = (first + (uint64_t)b) >> 32;
        c2[b] = item[0];
        c3[b] = item[1];
    }
    for (int round = 0; round < 10; round++) {
        for (int b = 0; b < 16; b++) {
            const uint64_t p0 = 0xD2511F53u * (c0[b] & low), p1 = 0xCD9E8D57u * (c2[b] & low);
            c0[b] = (p1 >> 32) ^ c1[b] ^ k0;
            c2[b] = (p0 >> 32) ^ c3[b] ^ k1;
            c1[b] = p1 & low;
            c3[b] = p0 & low;
        }
        k0 = (k0 + 0x9E3779B9u) & low;
        k1 = (k1 + 0xBB67AE85u) & low;
    }
    for (int b = 0; b < 16; b++) {
        out[4 * b] = (uint32_t)c0[b];
        out[4 * b + 1] = (uint32_t)c1[b];
        out[4 * b + 2] = (uint32_t)c2[b];
        out[4 * b + 3] = (uint32_t)c3[b];
    }
}
/* y_i = x_i scale where number first+i of the stream is >= threshold, else 0. */
static void row_dropout(real *y, const real *x, size_t n, const uint32_t key[2],
                        const uint32_t item[2], uint64_t first, uint32_t threshold, real scale)
{
    uint32_t numbers[64];
    size_t i = 0;
    while (i < n) {
        const uint64_t index = first + i;
        const size_t skip =
            (size_t)(index % 4); /* words of the first block that belong to others */
        const size_t m = n - i < 64 - skip ? n - i : 64 - skip;
        row_philox16(key, item, index / 4, numbers);
        for (size_t k = 0; k < m; k++)
            y[i + k] = numbers[skip + k] >= threshold ? x[i + k] * scale : 0;
        i += m;
    }
}
#endif
