/* Writing NumPy's .npy files (format 1.0): a two-dimensional float32 array, row by row, atomically.
 */
#ifndef EVAL_NPY_H
#define EVAL_NPY_H
#include "base/file.h"
#include <assay/real.h>

struct eval_npy {
    struct base_writer writer;
    size_t rows, columns, written; /* rows */
};
int eval_npy_open(struct eval_npy *f, const char *path, size_t rows, size_t columns);
/* n rows, [n, columns]. */
int eval_npy_write(struct eval_npy *f, const real *data, size_t n);
/* Makes the file appear; all rows must be there. */
int eval_npy_commit(struct eval_npy *f);
void eval_npy_abort(struct eval_npy *f); /* harmless after commit */
#endif
