/* Row kernels: what happens to one row of activations, apart from products. A fragment of
 * kernels.c. Every element is computed by the same operations wherever it stands in the row: the
 * tail goes through the same vector code, padded. */
#ifndef TENSOR_KERNELS_ROW_H
#define TENSOR_KERNELS_ROW_H

static void row_add(real *y, const real *a, const real *b, size_t n)
{
    size_t i = 0;
    for (; i + VLANES <= n; i += VLANES)
        vstore(y + i, vadd(vload(a + i), vload(b + i)));
    for (; i < n; i++)
        y[i] = a[i] + b[i];
}
#endif
