/* Sparse rows in one block; see matrix.h. `first` always holds row_capacity + 1 places, of which
 * rows + 1 are meaningful; both arrays grow by half, so that appending costs O(1) per value. */
#include "classify/matrix.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

int classify_matrix_begin(struct classify_matrix *m, size_t columns)
{
    *m = (struct classify_matrix){ .columns = columns };
    if (columns >= UINT32_MAX)
        return base_error_set(BASE_E_LIMIT, "a matrix of %zu columns: at most %u are possible",
                              columns, UINT32_MAX - 1);
    if (!(m->first = base_alloc_zero(1, sizeof *m->first)))
        return BASE_E_MEMORY;
    return 0;
}

/* Room for `rows` further rows with `values` further values in all. */
static int matrix_reserve(struct classify_matrix *m, size_t rows, size_t values)
{
    size_t need, bytes;
    if (base_add_size(m->rows, rows, &need) || base_add_size(need, 1, &bytes) ||
        base_mul_size(bytes, sizeof *m->first, &bytes) || need >= UINT32_MAX)
        return base_error_set(BASE_E_LIMIT, "a matrix of more than %u rows", UINT32_MAX - 1);
    if (need > m->row_capacity) {
        size_t capacity = m->row_capacity + m->row_capacity / 2;
        capacity = capacity < need ? need : capacity;
        size_t *first = base_realloc(m->first, capacity + 1, sizeof *first);
        if (!first)
            return BASE_E_MEMORY;
        m->first = first;
        m->row_capacity = capacity;
    }
    size_t used = m->first[m->rows];
    if (base_add_size(used, values, &need) || base_mul_size(need, sizeof *m->value, &bytes))
        return base_error_set(BASE_E_LIMIT, "a matrix too large for the address space");
    if (need > m->capacity) {
        size_t capacity = m->capacity + m->capacity / 2;
        capacity = capacity < need ? need : capacity;
        uint32_t *column = base_realloc(m->column, capacity, sizeof *column);
        if (!column)
            return BASE_E_MEMORY;
        m->column = column;
        double *value = base_realloc(m->value, capacity, sizeof *value);
        if (!value)
            return BASE_E_MEMORY;
        m->value = value;
        m->capacity = capacity;
    }
    return 0;
}

int classify_matrix_add(struct classify_matrix *m, const uint32_t *column, const double *value,
                        size_t n)
{
    int rc = matrix_reserve(m, 1, n);
    if (rc)
        return rc;
    size_t at = m->first[m->rows];
    for (size_t i = 0; i < n; i++) {
        if (column[i] >= m->columns || (i && column[i] <= column[i - 1]))
            return base_error_set(BASE_E_ARGUMENT,
                                  "row %zu: column %u at place %zu (columns must ascend and be "
                                  "below %zu)",
                                  m->rows, column[i], i, m->columns);
        if (!isfinite(value[i]))
            return base_error_set(BASE_E_NUMERIC, "row %zu: column %u is %g", m->rows, column[i],
                                  value[i]);
        if (value[i] == 0)
            continue;
        m->column[at] = column[i];
        m->value[at++] = value[i];
    }
    m->first[++m->rows] = at;
    return 0;
}

int classify_matrix_take(struct classify_matrix *out, const struct classify_matrix *m,
                         const uint32_t *row, size_t n)
{
    if (out->columns != m->columns)
        return base_error_set(BASE_E_ARGUMENT, "rows of %zu columns for a matrix of %zu",
                              m->columns, out->columns);
    size_t values = 0;
    for (size_t i = 0; i < n; i++) {
        if (row[i] >= m->rows)
            return base_error_set(BASE_E_ARGUMENT, "row %u of a matrix of %zu rows", row[i],
                                  m->rows);
        values += m->first[row[i] + 1] - m->first[row[i]];
    }
    int rc = matrix_reserve(out, n, values);
    if (rc)
        return rc;
    size_t at = out->first[out->rows];
    for (size_t i = 0; i < n; i++) {
        size_t from = m->first[row[i]], length = m->first[row[i] + 1] - from;
        if (length) {
            memcpy(out->column + at, m->column + from, length * sizeof *m->column);
            memcpy(out->value + at, m->value + from, length * sizeof *m->value);
        }
        at += length;
        out->first[++out->rows] = at;
    }
    return 0;
}

int classify_matrix_dense(struct classify_matrix *out, const double *x, size_t rows, size_t columns)
{
    int rc = classify_matrix_begin(out, columns);
    size_t values = 0;
    for (size_t i = 0; !rc && i < rows * columns; i++)
        values += x[i] != 0;
    if (!rc)
        rc = matrix_reserve(out, rows, values);
    for (size_t i = 0, at = 0; !rc && i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            double v = x[i * columns + j];
            if (!isfinite(v)) {
                rc = base_error_set(BASE_E_NUMERIC, "row %zu: column %zu is %g", i, j, v);
                break;
            }
            if (v == 0)
                continue;
            out->column[at] = (uint32_t)j;
            out->value[at++] = v;
        }
        out->first[++out->rows] = at;
    }
    if (rc)
        classify_matrix_free(out);
    return rc;
}

void classify_matrix_free(struct classify_matrix *m)
{
    base_free(m->first);
    base_free(m->column);
    base_free(m->value);
    *m = (struct classify_matrix){ 0 };
}
