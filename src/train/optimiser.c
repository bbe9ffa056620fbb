/* AdamW with decoupled weight decay (Loshchilov & Hutter 2019), as the reference page and PyTorch's
 * torch.optim.AdamW compute it, t = 1, 2, ...:
 *
 *   g  = clip * gradient
 *   p  = p (1 - lr wd)                  only where the parameter decays: matrices, embeddings
 *   m  = m + (1-b1)(g - m)              v = b2 v + (1-b2) g g
 *   p -= lr/(1-b1^t) * m / (sqrt(v)/sqrt(1-b2^t) + eps)
 *
 * Everything element by element, so threads cannot change a result. The norm of all gradients is a
 * sum: it is taken over fixed blocks (never more than one parameter each), inside a block by 16
 * running sums in double, the blocks' sums added in order; which thread computes a block does not
 * matter.
 *
 * The Makefile compiles this file with -O3 -fno-math-errno: without it sqrt cannot be vectorised.
 */
#include "train/optimiser.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

struct train_block {
    size_t parameter, from, n; /* elements from .. from+n-1 of a parameter */
};
enum { BLOCK = 1 << 15, LANES = 16 };

static size_t padded(size_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}
int train_optimiser_new(struct train_optimiser **out, struct model_parameter *const *parameters,
                        size_t count, double beta1, double beta2, double eps, double weight_decay)
{
    *out = NULL;
    struct train_optimiser *o = base_alloc_zero(1, sizeof *o);
    if (!o)
        return BASE_E_MEMORY;
    *o = (struct train_optimiser){
        .count = count, .beta1 = beta1, .beta2 = beta2, .eps = eps, .weight_decay = weight_decay
    };
    o->parameters = base_alloc(count, sizeof *o->parameters);
    o->offset = base_alloc(count, sizeof *o->offset);
    if (!o->parameters || !o->offset)
        goto fail;
    if (count)
        memcpy(o->parameters, parameters, count * sizeof *parameters);
    for (size_t i = 0; i < count; i++) {
        size_t n = parameters[i]->rows * parameters[i]->columns;
        o->offset[i] = o->elements;
        o->elements += padded(n);
        if (!parameters[i]->frozen)
            o->n_blocks += (n + BLOCK - 1) / BLOCK;
    }
    o->blocks = base_alloc(o->n_blocks, sizeof *o->blocks);
    o->partial = base_alloc(o->n_blocks, sizeof *o->partial);
    o->m = base_alloc_large(o->elements * sizeof(real));
    o->v = base_alloc_large(o->elements * sizeof(real));
    if (!o->blocks || !o->partial || !o->m || !o->v)
        goto fail;
    size_t k = 0;
    for (size_t i = 0; i < count; i++) {
        size_t n = parameters[i]->rows * parameters[i]->columns;
        for (size_t from = 0; from < n && !parameters[i]->frozen; from += BLOCK)
            o->blocks[k++] = (struct train_block){ i, from, n - from < BLOCK ? n - from : BLOCK };
    }
    *out = o;
    return 0;
fail:
    train_optimiser_free(o);
    return BASE_E_MEMORY;
}
void train_optimiser_free(struct train_optimiser *o)
{
    if (!o)
        return;
    base_free_large(o->m, o->elements * sizeof(real));
    base_free_large(o->v, o->elements * sizeof(real));
    base_free(o->blocks);
    base_free(o->partial);
    base_free(o->parameters);
    base_free(o->offset);
    base_free(o);
}
size_t train_optimiser_bytes(const struct train_optimiser *o)
{
    return 2 * o->elements * sizeof(real);
}

static double square_sum(const real *restrict g, size_t n)
{
    double lane[LANES] = { 0 }, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += (double)g[i + j] * (double)g[i + j];
    for (; i < n; i++)
        lane[i % LANES] += (double)g[i] * (double)g[i];
    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}
double train_optimiser_gradient_norm(struct train_optimiser *o)
{
#pragma omp parallel for schedule(static) num_threads(base_threads())
    for (size_t k = 0; k < o->n_blocks; k++) {
        const struct train_block *b = &o->blocks[k];
        o->partial[k] = square_sum(o->parameters[b->parameter]->gradient + b->from, b->n);
    }
    double sum = 0;
    for (size_t k = 0; k < o->n_blocks; k++)
        sum += o->partial[k];
    return sqrt(sum);
}
double train_clip_factor(double norm, double maximum)
{
    if (maximum <= 0)
        return 1;
    double factor = maximum / (norm + 1e-6);
    return factor < 1 ? factor : 1;
}

struct constants {
    real clip, keep /* 1 - lr wd */, one_b1, b2, one_b2, step_size, root_correction, eps;
};
static void adamw(real *restrict p, const real *restrict gradient, real *restrict m,
                  real *restrict v, size_t n, const struct constants *c)
{
    const struct constants k = *c;
    for (size_t i = 0; i < n; i++) {
        real g = gradient[i] * k.clip;
        real mi = m[i] + k.one_b1 * (g - m[i]);
        real vi = k.b2 * v[i] + k.one_b2 * g * g;
#ifdef ASSAY_FLOAT64
        real denominator = sqrt(vi) / k.root_correction + k.eps;
#else
        real denominator = sqrtf(vi) / k.root_correction + k.eps;
#endif
        m[i] = mi;
        v[i] = vi;
        p[i] = p[i] * k.keep - k.step_size * (mi / denominator);
    }
}
void train_optimiser_step(struct train_optimiser *o, uint64_t step, double lr, double clip)
{
    double correction1 = 1 - pow(o->beta1, (double)step),
           correction2 = 1 - pow(o->beta2, (double)step);
    struct constants decayed = { .clip = (real)clip,
                                 .keep = (real)(1 - lr * o->weight_decay),
                                 .one_b1 = (real)(1 - o->beta1),
                                 .b2 = (real)o->beta2,
                                 .one_b2 = (real)(1 - o->beta2),
                                 .step_size = (real)(lr / correction1),
                                 .root_correction = (real)sqrt(correction2),
                                 .eps = (real)o->eps },
                     kept = decayed;
    kept.keep = 1;
#pragma omp parallel for schedule(static) num_threads(base_threads())
    for (size_t k = 0; k < o->n_blocks; k++) {
        const struct train_block *b = &o->blocks[k];
        struct model_parameter *p = o->parameters[b->parameter];
        size_t at = o->offset[b->parameter] + b->from;
        adamw(p->value + b->from, p->gradient + b->from, o->m + at, o->v + at, b->n,
              p->decay ? &decayed : &kept);
    }
}
