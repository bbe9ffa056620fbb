/* Sparse rows of float64: what texts and columns become, and what every learner and resampler of
 * this room takes. Compressed rows; columns ascend within a row; no explicit zeros. */
#ifndef CLASSIFY_MATRIX_H
#define CLASSIFY_MATRIX_H
#include <assay/base.h>
#include <stdbool.h>

struct classify_matrix {
    size_t rows, columns;
    size_t *first;    /* [rows + 1] */
    uint32_t *column; /* [first[rows]] */
    double *value;    /* [first[rows]] */
    size_t capacity;  /* of column and value */
    size_t row_capacity;
};
int classify_matrix_begin(struct classify_matrix *m, size_t columns);
/* Appends a row; its columns ascend and are below m->columns; zeros are left out. */
int classify_matrix_add(struct classify_matrix *m, const uint32_t *column, const double *value,
                        size_t n);
/* Rows `row` [n] of m, in that order, repeats allowed, appended to out (same columns). */
int classify_matrix_take(struct classify_matrix *out, const struct classify_matrix *m,
                         const uint32_t *row, size_t n);
int classify_matrix_dense(struct classify_matrix *out, const double *x, size_t rows,
                          size_t columns);            /* row-major */
void classify_matrix_free(struct classify_matrix *m); /* zeroed is fine */
#endif
