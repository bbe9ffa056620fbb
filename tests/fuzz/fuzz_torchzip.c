/* Fuzz target: a PyTorch zip. An input that begins with 'P' is the zip itself; any other is the
 * pickle of a zip with one storage of 64 bytes, so that the unpickler is reached at once. */
#include "archive_walk.h"
#include "base/buffer.h"
#include <assay/base.h>

static void put(struct base_buffer *b, uint64_t v, size_t bytes)
{
    base_buffer_append(b, &v, bytes);
}

static void add_member(struct base_buffer *b, struct base_buffer *directory, const char *name,
                       const void *data, size_t bytes)
{
    size_t at = b->length;
    for (int central = 0; central < 2; central++) {
        struct base_buffer *to = central ? directory : b;
        put(to, central ? 0x02014b50 : 0x04034b50, 4);
        put(to, 0, central ? 6 : 4); /* versions, flags */
        put(to, 0, 2);               /* stored */
        put(to, 0, 8);               /* time, date, crc */
        put(to, bytes, 4);
        put(to, bytes, 4);
        put(to, strlen(name), 2);
        put(to, 0, 2);
        if (central) {
            put(to, 0, 8); /* comment, disk, attributes */
            put(to, 0, 2);
            put(to, at, 4);
        }
        base_buffer_puts(to, name);
    }
    base_buffer_append(b, data, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct model_archive *a = NULL;
    struct base_buffer b = { 0 }, directory = { 0 };
    static const char storage[64] = { 1, 2, 3 };
    if (bytes && data[0] == 'P') {
        base_buffer_append(&b, data, bytes);
    } else {
        add_member(&b, &directory, "m/data.pkl", bytes ? (const void *)data : "", bytes);
        add_member(&b, &directory, "m/data/0", storage, sizeof storage);
        size_t at = b.length;
        base_buffer_append(&b, directory.data, directory.length);
        put(&b, 0x06054b50, 4);
        put(&b, 0, 4);
        put(&b, 2, 2);
        put(&b, 2, 2);
        put(&b, directory.length, 4);
        put(&b, at, 4);
        put(&b, 0, 2);
    }
    if (!model_archive_open_memory(&a, b.data, b.length, "fuzz.bin"))
        archive_walk(a);
    else if (strchr(base_error_message(), '\n') || !*base_error_message())
        abort();
    model_archive_close(a);
    base_buffer_free(&b);
    base_buffer_free(&directory);
    return 0;
}
