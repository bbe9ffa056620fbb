/* Tables: the first two bytes choose format and options, the rest is the file. Whatever it holds,
 * reading ends; where records read the same file, both give the same fields. */
#include "base/memory.h"
#include <assay/data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

/* CSV and TSV: cell for cell. */
static void compare(const char *path, const struct data_table_options *o)
{
    struct data_records_options how = {
        .format = o->format, .header = o->header, .columns = o->columns, .n_columns = o->n_columns
    };
    struct data_table *t;
    struct data_records *r;
    const struct data_cell *cells;
    json_t *row;
    int a = data_table_open(&t, path, o), b = data_records_open(&r, path, &how);
    /* the table looks at bytes before quotes are removed: "\xef\xbb"\xbf is not UTF-8 there */
    check(a != 0 || b == 0);
    while (!a && !b && (a = data_table_next(t, &cells)) == 1) {
        a = 0;
        b = data_records_next(r, &row);
        if (b != 1)
            break; /* records look at names and at other things first */
        b = 0;
        for (size_t i = 0; i < data_table_columns(t); i++) {
            json_t *v = json_object_get(row, data_table_column(t, i));
            check(json_string_length(v) == cells[i].length &&
                  memcmp(json_string_value(v), cells[i].bytes, cells[i].length) == 0);
        }
        check(strcmp(data_table_place(t), data_records_place(r)) == 0);
        json_decref(row);
    }
    data_table_close(t);
    data_records_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const columns[] = { "a", "b" };
    static const enum data_format formats[] = { DATA_FORMAT_CSV,   DATA_FORMAT_TSV,
                                                DATA_FORMAT_LINES, DATA_FORMAT_JSONL,
                                                DATA_FORMAT_JSON,  DATA_FORMAT_CSV };
    static int file = -1;
    char path[64];
    if (size < 2)
        return 0;
    if (file < 0)
        file = memfd_create("fuzz", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (ftruncate(file, 0) || pwrite(file, data + 2, size - 2, 0) != (ssize_t)(size - 2))
        return 0;
    struct data_table_options o = {
        .format = formats[data[0] % 6],
        .header = data[0] & 8 ? DATA_HEADER_NO : DATA_HEADER_AUTO,
        .columns = columns,
        .n_columns = data[0] & 16 ? 2 : 0,
        .delimiter = data[0] & 32 ? " ;|"[data[1] % 3] : 0,
        .comment = data[0] & 64 ? '#' : 0,
        .pad = data[0] & 128,
        .max_record = data[1] & 4 ? 16 : 1 << 20,
    };
    struct data_table *t;
    const struct data_cell *cells;
    size_t total = 0;
    uint64_t passed;
    if (data_table_open(&t, path, &o) == 0) {
        while (data_table_count(t) < 10000 && data_table_next(t, &cells) == 1) {
            for (size_t i = 0; i < data_table_columns(t); i++) {
                double x;
                for (size_t k = 0; k < cells[i].length; k++) /* every byte can be read */
                    total += (unsigned char)cells[i].bytes[k];
                total += data_cell_number(cells[i], &x) + data_cell_missing(cells[i]);
            }
            struct data_cell raw = data_table_raw(t);
            for (size_t k = 0; k < raw.length; k++)
                total += (unsigned char)raw.bytes[k];
            check(data_table_place(t)[0] != 0);
            if (data[1] & 8 && data_table_pass(t, data[1] >> 5, &passed) != 1)
                break;
        }
        data_table_close(t);
    }
    if ((data[0] & (32 | 64 | 128)) == 0 && !(data[1] & 4) &&
        (o.format == DATA_FORMAT_CSV || o.format == DATA_FORMAT_TSV))
        compare(path, &o);
    /* passing counts the rows that reading finds */
    uint64_t rows = 0, n;
    int a = data_table_open(&t, path, &o), b;
    if (a == 0) {
        while ((a = data_table_next(t, &cells)) == 1)
            rows++;
        data_table_close(t);
        check(data_table_open(&t, path, &o) == 0);
        b = data_table_pass(t, UINT64_MAX, &n);
        check(n == rows && a == b);
        data_table_close(t);
    }
    return total == SIZE_MAX;
}
