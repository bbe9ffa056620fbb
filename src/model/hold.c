/* Rounding a loaded model's matrices to another number format; see hold.h. Each matrix is widened
 * row by row, rounded, and packed again, so that at most one matrix is held twice. */
#include "model/hold.h"
#include "base/memory.h"
#include "model/internal.h"

static int matrix_hold(const struct model *m, struct tensor_matrix *w, enum tensor_dtype dtype)
{
    size_t row_bytes;
    if (tensor_dtype_bytes(dtype, w->inputs, &row_bytes))
        return base_error_set(
            BASE_E_ARGUMENT, "%s: rows of %zu weights are no whole number of %s blocks",
            m->path ? m->path : "model", w->inputs, tensor_dtype_describe(dtype)->name);
    int rc = BASE_E_MEMORY;
    struct tensor_matrix packed = { 0 };
    char *rounded = base_alloc(w->outputs, row_bytes);
    const void **row = base_alloc(w->outputs, sizeof *row);
    real *wide = base_alloc(w->inputs, sizeof *wide);
    float *line = base_alloc(w->inputs, sizeof *line);
    if (!rounded || !row || !wide || !line)
        goto out;
    for (size_t r = 0; r < w->outputs; r++) {
        tensor_matrix_row(w, r, wide);
        for (size_t i = 0; i < w->inputs; i++)
            line[i] = (float)wide[i];
        tensor_from_f32(dtype, line, w->inputs, rounded + r * row_bytes);
        row[r] = rounded + r * row_bytes;
    }
    rc = tensor_matrix_pack(&packed, w->outputs, w->inputs,
                            (struct tensor_rows){ .row = row, .step = 1, .dtype = dtype },
                            w->compute);
    if (!rc) {
        tensor_matrix_free(w);
        *w = packed;
    }
out:
    base_free(rounded);
    base_free(row);
    base_free(wide);
    base_free(line);
    return rc;
}

int model_weights_hold(struct model *m, enum tensor_dtype dtype)
{
    if (dtype != TENSOR_F32 && dtype != TENSOR_F16 && dtype != TENSOR_BF16 && dtype != TENSOR_Q8_0)
        return base_error_set(BASE_E_ARGUMENT,
                              "weights cannot be held as %s: expected f32, f16, bf16 or q8_0",
                              tensor_dtype_describe(dtype)->name);
    if (m->options.trainable)
        return base_error_set(BASE_E_ARGUMENT,
                              "a trainable model holds its weights as plain numbers");
    int rc = 0;
    for (size_t i = 0; !rc && i < (m->config.layers + 1) * MODEL_ROLES * 2; i++) {
        struct tensor_matrix *w = &m->slots[i].packed;
        if (w->outputs && w->dtype != dtype)
            rc = matrix_hold(m, w, dtype);
    }
    return rc;
}
