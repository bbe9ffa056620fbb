/* Fuzz target: a GGUF file. The magic is put in front, so that no input is wasted on guessing it.
 */
#include "archive_walk.h"
#include <assay/base.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct model_archive *a = NULL;
    uint8_t *file = malloc(bytes + 4);
    if (!file)
        return 0;
    memcpy(file, "GGUF", 4);
    if (bytes)
        memcpy(file + 4, data, bytes);
    if (!model_archive_open_memory(&a, file, bytes + 4, "fuzz.gguf"))
        archive_walk(a);
    else if (strchr(base_error_message(), '\n') || !*base_error_message())
        abort();
    model_archive_close(a);
    free(file);
    return 0;
}
