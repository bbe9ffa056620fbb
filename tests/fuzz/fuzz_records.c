/* Records: the first byte chooses format and options, the rest is the file (compressed, if it looks
 * so). Whatever it holds, reading ends, and every row is an object. */
#include "base/memory.h"
#include <assay/data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const columns[] = { "a", "b" };
    static int file = -1;
    char path[64];
    if (size < 1)
        return 0;
    if (file < 0)
        file = memfd_create("fuzz", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (ftruncate(file, 0) || pwrite(file, data + 1, size - 1, 0) != (ssize_t)(size - 1))
        return 0;
    struct data_records_options o = {
        .format = (enum data_format)(1 + data[0] % 5),
        .header = data[0] & 8 ? DATA_HEADER_NO : DATA_HEADER_AUTO,
        .columns = columns,
        .n_columns = data[0] & 16 ? 2 : 0,
        .field = data[0] & 32 ? "a" : NULL,
        .max_record = data[0] & 64 ? 16 : 1 << 20,
    };
    json_t *row;
    struct data_records *r, *quick;
    /* the quick way to one text says what the whole record does */
    if (o.format == DATA_FORMAT_JSONL && data_records_open(&r, path, &o) == 0) {
        const char *text = NULL;
        size_t bytes = 0;
        json_t *other;
        int rc = data_records_open(&quick, path, &o) == 0;
        while (rc == 1 && data_records_count(r) < 10000) {
            rc = data_records_next(r, &row);
            if (data_records_text_of(quick, "a", &text, &bytes, &other) != rc)
                abort();
            const json_t *v = json_object_get(row, "a");
            if (rc == 1 && (text ? json_string_length(v) != bytes ||
                                       memcmp(json_string_value(v), text, bytes) != 0
                                 : !json_equal(row, other)))
                abort();
            json_decref(row);
            json_decref(other);
        }
        data_records_close(quick);
        data_records_close(r);
    }
    if (data_records_open(&r, path, &o) == 0) {
        while (data_records_count(r) < 10000 && data_records_next(r, &row) == 1) {
            if (!json_is_object(row) || !data_records_place(r)[0])
                abort();
            json_decref(row);
        }
        data_records_close(r);
    }
    return 0;
}
