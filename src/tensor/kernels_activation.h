/* Activation functions on rows, each with its derivative, plain and gated. A fragment of kernels.c.
 *
 * A function is described once, by f(x, &slope) for one register: its value and its derivative (the
 * compiler drops whichever is not asked for). The macro makes the four row kernels from it. */
#ifndef TENSOR_KERNELS_ACTIVATION_H
#define TENSOR_KERNELS_ACTIVATION_H
#include "tensor/kernels_math.h"

/* x Phi(x);  Phi + x phi */
VINLINE vpart act_gelu(vpart x, vpart *slope)
{
    vpart density;
    const vpart cdf = vpart_normal(x, &density);
    *slope = vpart_fma(x, density, cdf);
    return x * cdf;
}
/* x/2 (1 + tanh u) = x s(2u), u = sqrt(2/pi) (x + 0.044715 x^3), s the logistic function */
VINLINE vpart act_gelu_tanh(vpart x, vpart *slope)
{
    const vpart a = vpart_set(REAL(1.59576912160573071176)); /* 2 sqrt(2/pi) */
    const vpart b = vpart_set(REAL(0.07135481627260025));    /* 0.044715 a */
    const vpart b3 = vpart_set(REAL(0.21406444881780073));   /* 3 b */
    const vpart z = x * x;
    vpart c; /* 1 - s */
    const vpart s = vpart_logistic(x * vpart_fma(z, b, a), &c);
    *slope = vpart_fma(x * s, c * vpart_fma(z, b3, a), s);
    return x * s;
}
/* x s(1.702 x) */
VINLINE vpart act_gelu_quick(vpart x, vpart *slope)
{
    const vpart a = vpart_set(REAL(1.702));
    vpart c; /* 1 - s */
    const vpart s = vpart_logistic(x * a, &c);
    *slope = vpart_fma(x * s, c * a, s);
    return x * s;
}
/* x s(x) */
VINLINE vpart act_silu(vpart x, vpart *slope)
{
    vpart c; /* 1 - s */
    const vpart s = vpart_logistic(x, &c);
    *slope = vpart_fma(x * s, c, s);
    return x * s;
}
VINLINE vpart act_relu(vpart x, vpart *slope)
{
    const vpart zero = vpart_set(0);
    *slope = vpart_select((vpart_int)(x > zero), vpart_set(1), zero);
    return vpart_max(zero, x);
}
VINLINE vpart act_relu_squared(vpart x, vpart *slope)
{
    const vpart r = vpart_max(vpart_set(0), x);
    *slope = r + r;
    return r * r;
}
VINLINE vpart act_sigmoid(vpart x, vpart *slope)
{
    vpart c; /* 1 - s */
    const vpart s = vpart_logistic(x, &c);
    *slope = s * c;
    return s;
}
VINLINE vpart act_tanh(vpart x, vpart *slope)
{
    const vpart t = vpart_tanh(x);
    *slope = vpart_set(1) - t * t;
    return t;
}
VINLINE vpart act_identity(vpart x, vpart *slope)
{
    *slope = vpart_set(1);
    return x;
}

/* NAME_row: y = f(x).  NAME_back: dx = dy f'(x).  NAME_gate: y = f(g) u.
 * NAME_gate_back: dg = dy u f'(g), du = dy f(g). All in place if the caller likes. */
#define ACTIVATION(NAME)                                                                           \
    static void NAME##_row(real *y, const real *x, size_t n)                                       \
    {                                                                                              \
        for (size_t i = 0; i < n; i += VLANES) {                                                   \
            struct vreal v = vload_n(x + i, n - i, 0);                                             \
            vpart slope;                                                                           \
            VEACH(k) v.p[k] = NAME(v.p[k], &slope);                                                \
            vstore_n(y + i, v, n - i);                                                             \
        }                                                                                          \
    }                                                                                              \
    static void NAME##_back(real *dx, const real *dy, const real *x, size_t n)                     \
    {                                                                                              \
        for (size_t i = 0; i < n; i += VLANES) {                                                   \
            struct vreal v = vload_n(x + i, n - i, 0), d = vload_n(dy + i, n - i, 0);              \
            VEACH(k)                                                                               \
            {                                                                                      \
                vpart slope;                                                                       \
                (void)NAME(v.p[k], &slope);                                                        \
                d.p[k] *= slope;                                                                   \
            }                                                                                      \
            vstore_n(dx + i, d, n - i);                                                            \
        }                                                                                          \
    }                                                                                              \
    static void NAME##_gate(real *y, const real *g, const real *u, size_t n)                       \
    {                                                                                              \
        for (size_t i = 0; i < n; i += VLANES) {                                                   \
            struct vreal v = vload_n(g + i, n - i, 0), w = vload_n(u + i, n - i, 0);               \
            vpart slope;                                                                           \
            VEACH(k) v.p[k] = NAME(v.p[k], &slope) * w.p[k];                                       \
            vstore_n(y + i, v, n - i);                                                             \
        }                                                                                          \
    }                                                                                              \
    static void NAME##_gate_back(real *dg, real *du, const real *dy, const real *g, const real *u, \
                                 size_t n)                                                         \
    {                                                                                              \
        for (size_t i = 0; i < n; i += VLANES) {                                                   \
            struct vreal v = vload_n(g + i, n - i, 0), w = vload_n(u + i, n - i, 0);               \
            const struct vreal d = vload_n(dy + i, n - i, 0);                                      \
            VEACH(k)                                                                               \
            {                                                                                      \
                vpart slope;                                                                       \
                const vpart value = NAME(v.p[k], &slope);                                          \
                v.p[k] = d.p[k] * w.p[k] * slope;                                                  \
                w.p[k] = d.p[k] * value;                                                           \
            }                                                                                      \
            vstore_n(dg + i, v, n - i);                                                            \
            vstore_n(du + i, w, n - i);                                                            \
        }                                                                                          \
    }
ACTIVATION(act_gelu)
ACTIVATION(act_gelu_tanh)
ACTIVATION(act_gelu_quick)
ACTIVATION(act_silu)
ACTIVATION(act_relu)
ACTIVATION(act_relu_squared)
ACTIVATION(act_sigmoid)
ACTIVATION(act_tanh)
ACTIVATION(act_identity)
#undef ACTIVATION
#endif
