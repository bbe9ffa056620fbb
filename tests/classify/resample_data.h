/* The data sets of tests/oracle/resample.py, from the same generator, operation for operation. */
#ifndef TESTS_RESAMPLE_DATA_H
#define TESTS_RESAMPLE_DATA_H
#include "base/memory.h"
#include "classify/resample.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sample {
    struct classify_matrix x;
    uint32_t y[300];
    size_t classes;
};

static inline double lcg_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static inline void sample_make(struct sample *s, char name)
{
    uint64_t state = (unsigned char)name;
    size_t rows = name == 'A' ? 240 : name == 'B' ? 260 : name == 'E' ? 150 : 300;
    size_t columns = name == 'A' ? 4 : name == 'B' ? 20 : name == 'C' ? 60 : name == 'D' ? 3 : 5;
    double *x = calloc(rows * columns, sizeof *x);
    assert_non_null(x);
    memset(s, 0, sizeof *s);
    s->classes = name == 'B' || name == 'D' ? 3 : 2;
    for (size_t i = 0; i < rows; i++) {
        uint32_t y = name == 'A'   ? i % 6 == 0
                     : name == 'B' ? (i % 10 < 6   ? 0
                                      : i % 10 < 9 ? 1
                                                   : 2)
                     : name == 'C' ? i % 7 == 0
                     : name == 'D' ? (i % 9 == 0 ? 2 : i % 3 == 1)
                                   : i % 5 == 0;
        double *row = x + i * columns, sum = 0;
        s->y[i] = y;
        for (size_t j = 0; j < columns; j++) {
            if (name == 'A') {
                row[j] = lcg_next(&state) + 0.25 * y;
            } else if (name == 'B') {
                row[j] = lcg_next(&state) + (j < 5 ? 0.25 * y : 0);
            } else if (name == 'C') {
                if (lcg_next(&state) < (y && j < 10 ? 0.3 : 0.08))
                    row[j] = lcg_next(&state) + 0.01;
            } else if (name == 'D') {
                row[j] = floor(4 * lcg_next(&state) + 0.5 * y);
            } else {
                double u = lcg_next(&state);
                row[j] = j == 1 || j == 3 ? floor(4 * u) : u * (double)(j + 1);
            }
        }
        if (name != 'C')
            continue;
        bool any = false;
        for (size_t j = 0; j < columns; j++)
            any |= row[j] != 0;
        if (!any)
            row[0] = 1;
        for (size_t j = 0; j < columns; j++)
            sum += row[j] * row[j];
        for (size_t j = 0; j < columns; j++)
            row[j] /= sqrt(sum);
    }
    assert_int_equal(classify_matrix_dense(&s->x, x, rows, columns), 0);
    free(x);
}
#endif
