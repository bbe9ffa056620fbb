/* A description of whatever table: the first byte chooses the format, the rest is the file. Reading
 * ends, counts add up, ranges hold what they must. */
#include <assay/describe.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    char path[64];
    if (size < 1)
        return 0;
    if (file < 0)
        file = memfd_create("fuzz", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (ftruncate(file, 0) || pwrite(file, data + 1, size - 1, 0) != (ssize_t)(size - 1))
        return 0;
    const struct data_table_options o = {
        .format = data[0] & 1   ? DATA_FORMAT_JSONL
                  : data[0] & 2 ? DATA_FORMAT_TSV
                                : DATA_FORMAT_CSV,
        .header = data[0] & 4 ? DATA_HEADER_NO : DATA_HEADER_AUTO,
        .pad = data[0] & 8,
        .max_record = 1 << 16,
    };
    struct sampling_description d;
    if (sampling_describe(&d, path, &o, NULL))
        return 0;
    for (size_t i = 0; i < d.columns; i++) {
        const struct sampling_column_description *c = &d.column[i];
        if (c->missing + c->integers + c->decimals + c->dates + c->texts != d.rows)
            abort();
        if (!isnan(c->min) && (c->min > c->max || c->quantile[0] > c->quantile[6] ||
                               c->quantile[0] < c->min || c->quantile[6] > c->max))
            abort();
    }
    json_decref(sampling_description_json(&d));
    sampling_description_free(&d);
    return 0;
}
