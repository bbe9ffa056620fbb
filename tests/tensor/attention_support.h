/* Attention by its definition, in double, and gradients by the chain rule's definition: what the
 * blocked code is checked against. */
#ifndef TESTS_ATTENTION_SUPPORT_H
#define TESTS_ATTENTION_SUPPORT_H
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/attention.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct case_ {
    size_t n, heads, kv, d, window;
    double softcap;
    int alibi;
};
static const struct case_ cases[] = {
    { 1, 1, 1, 4, 0, 0, 0 },   { 5, 2, 1, 6, 0, 0, 0 },     { 33, 4, 2, 16, 0, 0, 0 },
    { 70, 3, 3, 20, 4, 0, 0 }, { 100, 4, 1, 64, 40, 0, 0 }, { 65, 2, 2, 33, 0, 5, 0 },
    { 90, 4, 4, 8, 0, 0, 1 },  { 130, 6, 2, 32, 33, 3, 1 },
};
#define CASES (sizeof cases / sizeof *cases)

static real *random_reals(size_t n, uint64_t item)
{
    struct base_rng r = base_rng_make(7, BASE_RNG_USER, item);
    real *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (real)base_rng_normal(&r);
    return x;
}

static struct tensor_attention attention_for(const struct case_ *c, real slopes[8])
{
    for (size_t h = 0; h < 8; h++)
        slopes[h] = (real)ldexp(1, -(int)h - 1);
    return (struct tensor_attention){ .heads = c->heads,
                                      .kv_heads = c->kv,
                                      .head_dim = c->d,
                                      .scale = (real)(1 / sqrt((double)c->d)),
                                      .softcap = (real)c->softcap,
                                      .window = c->window,
                                      .slopes = c->alibi ? slopes : NULL };
}

/* z [n, heads*d] of rows [q, k, v] with leading dimension ld. */
static void reference(const struct tensor_attention *a, const real *qkv, size_t ld, size_t n,
                      double *z)
{
    size_t nq = a->heads * a->head_dim, nk = a->kv_heads * a->head_dim;
    double *p = malloc(n * sizeof *p);
    for (size_t h = 0; h < a->heads; h++)
        for (size_t i = 0; i < n; i++) {
            size_t kv = h / (a->heads / a->kv_heads),
                   first = a->window && i + 1 > a->window ? i + 1 - a->window : 0;
            double top = -1e300, sum = 0;
            for (size_t j = first; j <= i; j++) {
                double s = 0;
                for (size_t e = 0; e < a->head_dim; e++)
                    s += (double)qkv[i * ld + h * a->head_dim + e] *
                         (double)qkv[j * ld + nq + kv * a->head_dim + e];
                s *= (double)a->scale;
                if (a->softcap > 0)
                    s = (double)a->softcap * tanh(s / (double)a->softcap);
                if (a->slopes)
                    s += (double)a->slopes[h] * ((double)j - (double)i);
                p[j] = s;
                top = s > top ? s : top;
            }
            for (size_t j = first; j <= i; j++)
                sum += p[j] = exp(p[j] - top);
            for (size_t e = 0; e < a->head_dim; e++) {
                double o = 0;
                for (size_t j = first; j <= i; j++)
                    o += p[j] / sum * (double)qkv[j * ld + nq + nk + kv * a->head_dim + e];
                z[i * nq + h * a->head_dim + e] = o;
            }
        }
    free(p);
}

/* Pages for n positions of one layer, filled from qkv rows. */
static real **make_pages(const struct tensor_attention *a, const real *qkv, size_t ld, size_t n)
{
    size_t count = (n + 31) / 32, nq = a->heads * a->head_dim, nk = a->kv_heads * a->head_dim;
    real **pages = malloc(count * sizeof *pages);
    for (size_t p = 0; p < count; p++)
        pages[p] = calloc(tensor_attention_page(a), sizeof **pages);
    for (size_t i = 0; i < n; i++)
        tensor_attention_write(a, pages[i / 32], i % 32, qkv + i * ld + nq, qkv + i * ld + nq + nk);
    return pages;
}

static void free_pages(real **pages, size_t n)
{
    for (size_t p = 0; p < (n + 31) / 32; p++)
        free(pages[p]);
    free(pages);
}
#endif
