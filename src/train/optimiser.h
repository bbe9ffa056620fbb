/* AdamW and the global gradient norm over a list of parameters. */
#ifndef TRAIN_OPTIMISER_H
#define TRAIN_OPTIMISER_H
#include "model/gradient.h"
#include <assay/train.h>

struct train_optimiser {
    struct model_parameter **parameters; /* borrowed model_parameter's, in the model's order */
    size_t count;
    real *m, *v;     /* first and second moments of all parameters end to end */
    size_t *offset;  /* [count]: where a parameter's moments start in m and v */
    size_t elements; /* length of m and v (each parameter padded to 16) */
    double beta1, beta2, eps, weight_decay;
    struct train_block *blocks; /* the fixed partition of all work */
    size_t n_blocks;
    double *partial; /* [n_blocks]: sums of squares */
};
/* Moments start at zero. Frozen parameters get no moments' updates. Free with train_optimiser_free.
 */
int train_optimiser_new(struct train_optimiser **out, struct model_parameter *const *parameters,
                        size_t count, double beta1, double beta2, double eps, double weight_decay);
void train_optimiser_free(struct train_optimiser *o);
/* sqrt of the sum of squares of all gradients, in double, the same for any number of threads. */
double train_optimiser_gradient_norm(struct train_optimiser *o);
/* min(1, maximum/(norm + 1e-6)); 1 when maximum is 0 (off). PyTorch's clip_grad_norm_. */
double train_clip_factor(double norm, double maximum);
/* One step, the step-th (1-based), on clip * gradient. */
void train_optimiser_step(struct train_optimiser *o, uint64_t step, double lr, double clip);
/* Bytes of m and v. */
size_t train_optimiser_bytes(const struct train_optimiser *o);
#endif
