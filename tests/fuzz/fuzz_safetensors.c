/* Fuzz target: a safetensors file. build/fuzz/tests/fuzz/fuzz_safetensors CORPUS_DIRECTORY
 * -max_total_time=60 */
#include "archive_walk.h"
#include <assay/base.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct model_archive *a = NULL;
    if (!model_archive_open_memory(&a, data, bytes, "fuzz.safetensors"))
        archive_walk(a);
    else if (strchr(base_error_message(), '\n') || !*base_error_message())
        abort();
    model_archive_close(a);
    return 0;
}
