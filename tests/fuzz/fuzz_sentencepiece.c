/* Fuzz target: a SentencePiece model (protobuf), then encoding and decoding with what was read. */
#include "tokenizer_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct tokenizer *t;
    if (tokenizer_load_sentencepiece(&t, data, bytes, "fuzz.model")) {
        if (strchr(base_error_message(), '\n') || !*base_error_message())
            abort();
        return 0;
    }
    tokenizer_walk(t, data, bytes);
    tokenizer_free(t);
    return 0;
}
