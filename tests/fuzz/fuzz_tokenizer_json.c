/* Fuzz target: tokenizer.json, then encoding and decoding with what was read. Seeds:
 * tests/fuzz/seeds/fuzz_tokenizer_json. */
#include "tokenizer_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct tokenizer *t;
    if (tokenizer_load_json(&t, (const char *)data, bytes, "fuzz.json")) {
        if (strchr(base_error_message(), '\n') || !*base_error_message())
            abort();
        return 0;
    }
    tokenizer_walk(t, data, bytes);
    tokenizer_free(t);
    return 0;
}
