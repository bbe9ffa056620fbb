/* Change how a loaded model holds its matrices in memory. */
#ifndef MODEL_HOLD_H
#define MODEL_HOLD_H
#include "tensor/dtype.h"
#include <assay/model.h>

/* Rounds every packed matrix of m to dtype (f32, f16, bf16, q8_0) and holds it so; vectors and
 * look-up tables stay. For measuring formats without a file of each: `assay convert` makes real
 * ones. BASE_E_ARGUMENT for another dtype, a trainable model, or rows that are no whole number of
 * blocks; the model is then unchanged up to the matrix that failed. No sequence may be running. */
int model_weights_hold(struct model *m, enum tensor_dtype dtype);
#endif
