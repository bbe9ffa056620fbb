/* kernels_attention: the element-wise middle of attention on a block of `rows` queries x 32 keys.
 * A fragment of kernels.c. Masked entries are exactly 0 after the exponential, so a block that a
 * row cannot see leaves no trace in the row's bits. */
#ifndef TENSOR_KERNELS_ATTENTION_H
#define TENSOR_KERNELS_ATTENTION_H

#define ATTENTION_MASKED REAL(-3e38)

/* s = softcap(s * scale) + slope * (first key - query + j); keys outside [low, high) are masked.
 * offset[r] = first key's position - row r's position. */
static void attention_scores(size_t rows, real *s, const int *low, const int *high, real scale,
                             real softcap, real slope, const real *offset)
{
    for (size_t r = 0; r < rows; r++, s += 32) {
        struct vreal a = vmul(vload(s), vset(scale)), b = vmul(vload(s + 16), vset(scale));
        if (softcap > 0) {
            a = vmul(vtanh(vdiv(a, vset(softcap))), vset(softcap));
            b = vmul(vtanh(vdiv(b, vset(softcap))), vset(softcap));
        }
        vstore(s, a);
        vstore(s + 16, b);
        if (slope != 0)
            for (int j = 0; j < 32; j++)
                s[j] = s[j] + slope * (offset[r] + (real)j);
        for (int j = 0; j < low[r]; j++)
            s[j] = ATTENTION_MASKED;
        for (int j = high[r]; j < 32; j++)
            s[j] = ATTENTION_MASKED;
    }
}

/* The online softmax (Milakov and Gimelshein 2018; Dao et al. 2022): s becomes exp(s - m) with the
 * new running maximum m[r]; the running lane sums l[r][16] and the output row o[r][width] are
 * rescaled by exp(m_old - m_new) and l grows by s. width is a multiple of 16. */
static void attention_softmax(size_t rows, real *s, const int *low, const int *high, real *m,
                              real *l, real *o, size_t ldo, size_t width)
{
    for (size_t r = 0; r < rows; r++, s += 32, l += 16, o += ldo) {
        struct vreal a = vload(s), b = vload(s + 16);
        real top = vmax_lane(vmax(a, b));
        struct vreal sum = vload(l);
        if (top > m[r]) {
            real shift[16] = { m[r] - top };
            vstore(shift, vexp(vload(shift)));
            struct vreal c = vset(m[r] == ATTENTION_MASKED ? 0 : shift[0]);
            m[r] = top;
            sum = vmul(sum, c);
            for (size_t i = 0; i < width; i += 16)
                vstore(o + i, vmul(vload(o + i), c));
        }
        if (m[r] == ATTENTION_MASKED) {
            vstore(s, vzero());
            vstore(s + 16, vzero());
            continue;
        }
        struct vreal shift = vset(m[r]);
        vstore(s, vexp(vsub(a, shift)));
        vstore(s + 16, vexp(vsub(b, shift)));
        for (int j = 0; j < low[r]; j++)
            s[j] = 0;
        for (int j = high[r]; j < 32; j++)
            s[j] = 0;
        vstore(l, vadd(sum, vadd(vload(s), vload(s + 16))));
    }
}

/* o[r] = o[r] / sum(l[r]); lse[r] = m + log(sum) where lse is not NULL (stride ldlse). */
static void attention_finish(size_t rows, const real *m, const real *l, real *o, size_t ldo,
                             size_t width, real *lse, size_t ldlse)
{
    for (size_t r = 0; r < rows; r++, l += 16, o += ldo) {
        real sum = vsum(vload(l));
        struct vreal c = vset(1 / sum);
        for (size_t i = 0; i < width; i += 16)
            vstore(o + i, vmul(vload(o + i), c));
        if (lse)
            lse[r * ldlse] = m[r] + (real)log((double)sum);
    }
}

/* Backward's middle: from scores s (as attention_scores leaves them, before softcap's and scale's
 * derivative) and dp = dz . v: s becomes p = exp(s - lse), dp becomes ds * scale, where
 * ds = p (dp - d) times softcap's derivative. keep (may be NULL) is dropout's mask times 1/(1-p):
 * dp is multiplied by it first, and s becomes p * keep. raw: scores before the mask and slope are
 * needed for softcap only. */
static void attention_gradient(size_t rows, real *s, real *dp, const int *low, const int *high,
                               const real *lse, size_t ldlse, const real *d, size_t ldd, real scale,
                               real softcap, real slope, const real *offset, const real *keep)
{
    for (size_t r = 0; r < rows; r++, s += 32, dp += 32) {
        for (int h = 0; h < 32; h += 16) {
            struct vreal x = vload(s + h), g = vload(dp + h), kept = vset(1);
            if (keep) {
                kept = vload(keep + r * 32 + h);
                g = vmul(g, kept);
            }
            struct vreal p = vexp(vsub(x, vset(lse[r * ldlse])));
            struct vreal ds = vmul(vmul(p, vsub(g, vset(d[r * ldd]))), vset(scale));
            if (softcap > 0) { /* d softcap(u)/du = 1 - (softcap(u)/cap)^2, u = unmasked score */
                real capped[16];
                vstore(capped, x);
                for (int j = 0; j < 16; j++)
                    capped[j] = (capped[j] - slope * (offset[r] + (real)(h + j))) / softcap;
                struct vreal t = vload(capped);
                ds = vmul(ds, vsub(vset(1), vmul(t, t)));
            }
            vstore(s + h, vmul(p, kept));
            vstore(dp + h, ds);
        }
        for (int j = 0; j < low[r]; j++)
            s[j] = dp[j] = 0;
        for (int j = high[r]; j < 32; j++)
            s[j] = dp[j] = 0;
    }
}
#endif
