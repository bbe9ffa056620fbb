/* exp, tanh and the Gaussian distribution function on vectors. A fragment of kernels.c.
 *
 * In float they are own minimax polynomials (Remez exchange, relative error in the comment of
 * each); in the float64 build they are the C library's, lane by lane, because that build is there
 * to be right. Neither has tables or branches, so a lane's value depends on that lane alone. */
#ifndef TENSOR_KERNELS_MATH_H
#define TENSOR_KERNELS_MATH_H
#include "tensor/kernels_vector.h"
#include <math.h>

#ifdef ASSAY_FLOAT64
#define VPART_BY_LANE(NAME, EXPRESSION)                                                            \
    static vpart NAME(vpart v)                                                                     \
    {                                                                                              \
        for (int i = 0; i < VPART_LANES; i++) {                                                    \
            const double x = v[i];                                                                 \
            v[i] = EXPRESSION;                                                                     \
        }                                                                                          \
        return v;                                                                                  \
    }
VPART_BY_LANE(vpart_exp, exp(x))
VPART_BY_LANE(vpart_tanh, tanh(x))
VPART_BY_LANE(vpart_normal_cdf, 0.5 * erfc(x * -0.70710678118654752440))
VPART_BY_LANE(vpart_normal_pdf, 0.39894228040143267794 * exp(-0.5 * x * x))
/* Phi(x) and phi(x), the standard normal's distribution function and density. */
VINLINE vpart vpart_normal(vpart x, vpart *density)
{
    *density = vpart_normal_pdf(x);
    return vpart_normal_cdf(x);
}
#else
/* e^x, error < 1 ulp with fused multiply-add. Results below the smallest normal float are 0; above
 * the largest float infinity; NaN stays NaN. n = round(x / ln 2),  r = x - n ln 2 in [-0.347,
 * 0.347],  e^x = 2^n (1 + r + r^2 q(r)), q of degree 4, error of e^r 3.1e-9 relative. n appears in
 * the low bits of x/ln2 + 1.5*2^23; shifted by 23 it adds to the exponent of e^r. */
VINLINE vpart vpart_exp(vpart x)
{
    const float low = -87.3365447505531f, high = 88.7228391116730f; /* ln 2^-126, ln FLT_MAX */
    const vpart magic = vpart_set(12582912.0f);
    const vpart c = vpart_min(vpart_set(high), vpart_max(vpart_set(low), x));
    const vpart t = vpart_fma(c, vpart_set(1.44269504088896341f), magic);
    const vpart n = t - magic;
    /* ln 2 in two floats; the first has trailing zeros, so n times it is exact */
    vpart r = vpart_fma(n, vpart_set(-0.693359375f), c);
    r = vpart_fma(n, vpart_set(2.12194440e-4f), r);
    vpart q = vpart_set(0.0013814540579915047f);
    q = vpart_fma(q, r, vpart_set(0.00836874544620514f));
    q = vpart_fma(q, r, vpart_set(0.04166838899254799f));
    q = vpart_fma(q, r, vpart_set(0.1666652113199234f));
    q = vpart_fma(q, r, vpart_set(0.4999999403953552f));
    q = vpart_fma(q, r * r, r) + vpart_set(1.0f);
    const vpart_int scaled = (vpart_int)((vpart_uint)q + ((vpart_uint)t << 23));
    const vpart y =
        vpart_select((vpart_int)(x > vpart_set(high)), vpart_set(INFINITY), (vpart)scaled);
    return (vpart)((vpart_int)y & ~(vpart_int)(x < vpart_set(low)));
}
/* tanh x: for |x| < 0.625 x + x^3 p(x^2) (relative error 4.4e-9), else 1 - 2/(e^2|x| + 1) with the
 * sign of x. */
VINLINE vpart vpart_tanh(vpart x)
{
    const vpart_int sign = (vpart_int)vpart_set(-0.0f);
    const vpart a = (vpart)((vpart_int)x & ~sign);
    const vpart z = x * x;
    vpart p = vpart_set(-0.005704985931515694f);
    p = vpart_fma(p, z, vpart_set(0.02063908614218235f));
    p = vpart_fma(p, z, vpart_set(-0.05373971536755562f));
    p = vpart_fma(p, z, vpart_set(0.13331441581249237f));
    p = vpart_fma(p, z, vpart_set(-0.3333328068256378f));
    const vpart small = vpart_fma(p * z, x, x);
    const vpart one = vpart_set(1.0f), two = vpart_set(2.0f);
    const vpart large = one - two / (vpart_exp(two * a) + one);
    const vpart signed_large = (vpart)((vpart_int)large | ((vpart_int)x & sign));
    return vpart_select((vpart_int)(a < vpart_set(0.625f)), small, signed_large);
}
/* Phi(x) and phi(x), the standard normal's distribution function and density.
 *   1 - Phi(a) = e^(-a^2/2) R(a) for a = |x|,  R(a) = e^(a^2/2) erfc(a/sqrt 2)/2
 * R falls slowly and is a polynomial of degree 9 in t = 1/(1 + 0.35 a) (relative
 * error 2.7e-8, 2.4e-7 with float rounding, up to a = 14.3, where e^(-a^2/2) is 0). a^2 is split in
 * its rounded value and its rounding error, so that the tail keeps its relative accuracy. */
VINLINE vpart vpart_normal(vpart x, vpart *density)
{
    const vpart_int sign = (vpart_int)vpart_set(-0.0f);
    const vpart a = vpart_min(vpart_set(14.3f), (vpart)((vpart_int)x & ~sign));
    const vpart square = a * a, one = vpart_set(1.0f), half = vpart_set(0.5f);
    const vpart rest = vpart_fma(a, a, -square);
    vpart e = vpart_exp(square * -half);
    e = vpart_fma(e * rest, -half, e);
    *density = e * vpart_set(0.398942280401432678f);
    const vpart t = one / vpart_fma(a, vpart_set(0.35f), one);
    vpart q = vpart_set(-0.028181053698062897f);
    q = vpart_fma(q, t, vpart_set(0.13896745443344116f));
    q = vpart_fma(q, t, vpart_set(-0.24454647302627563f));
    q = vpart_fma(q, t, vpart_set(0.14514204859733582f));
    q = vpart_fma(q, t, vpart_set(-0.012205848470330238f));
    q = vpart_fma(q, t, vpart_set(0.10009199380874634f));
    q = vpart_fma(q, t, vpart_set(0.1215466558933258f));
    q = vpart_fma(q, t, vpart_set(0.1395297348499298f));
    q = vpart_fma(q, t, vpart_set(0.13965708017349243f));
    q = vpart_fma(q, t, vpart_set(-1.6169152559086797e-06f));
    const vpart tail = q * e;
    return vpart_select((vpart_int)(x < vpart_set(0.0f)), tail, one - tail);
}
#endif

/* s(x) = 1/(1 + e^-x) and its complement 1 - s(x) = s(-x), both to a few ulp: with e = e^-|x| they
 * are 1/(1 + e) and e/(1 + e), so nothing cancels or overflows. */
VINLINE vpart vpart_logistic(vpart x, vpart *complement)
{
    const vpart_int sign = (vpart_int)vpart_set(REAL(-0.0));
    const vpart one = vpart_set(1);
    const vpart e = vpart_exp((vpart)((vpart_int)x | sign));
    const vpart large = one / (one + e), small = e * large;
    const vpart_int negative = (vpart_int)(x < vpart_set(0));
    *complement = vpart_select(negative, large, small);
    return vpart_select(negative, small, large);
}

VINLINE struct vreal vexp(struct vreal x)
{
    VEACH(k) x.p[k] = vpart_exp(x.p[k]);
    return x;
}
VINLINE struct vreal vtanh(struct vreal x)
{
    VEACH(k) x.p[k] = vpart_tanh(x.p[k]);
    return x;
}
#endif
