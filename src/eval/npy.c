/* NumPy's format 1.0: magic "\x93NUMPY", version 1 0, u16 LE header length, a Python dictionary
 * padded with blanks so that the data begins at a multiple of 64, little-endian data in row-major
 * order. */
#include "eval/npy.h"
#include <stdio.h>
#include <string.h>

int eval_npy_open(struct eval_npy *f, const char *path, size_t rows, size_t columns)
{
    *f = (struct eval_npy){ .rows = rows, .columns = columns };
    int rc = base_writer_open(&f->writer, path);
    if (rc)
        return rc;
    char header[256] = "\x93NUMPY\x01";
    int text =
        snprintf(header + 10, sizeof header - 10,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, columns);
    size_t total = (10 + (size_t)text + 1 + 63) / 64 * 64;
    memset(header + 10 + text, ' ', total - 10 - (size_t)text);
    header[total - 1] = '\n';
    header[8] = (char)((total - 10) & 0xff);
    header[9] = (char)((total - 10) >> 8);
    rc = base_writer_write(&f->writer, header, total);
    if (rc)
        base_writer_abort(&f->writer);
    return rc;
}

int eval_npy_write(struct eval_npy *f, const real *data, size_t n)
{
    float block[1024];
    size_t count = n * f->columns;
    f->written += n;
    for (size_t i = 0; i < count;) {
        size_t k = 0;
        for (; k < 1024 && i < count; k++)
            block[k] = (float)data[i++];
        int rc = base_writer_write(&f->writer, block, k * sizeof *block);
        if (rc)
            return rc;
    }
    return 0;
}

int eval_npy_commit(struct eval_npy *f)
{
    if (f->written != f->rows) {
        base_writer_abort(&f->writer);
        return base_error_set(BASE_E_FORMAT, "%s: %zu rows were written, %zu announced",
                              f->writer.path ? f->writer.path : "npy", f->written, f->rows);
    }
    return base_writer_commit(&f->writer);
}

void eval_npy_abort(struct eval_npy *f)
{
    base_writer_abort(&f->writer);
}
