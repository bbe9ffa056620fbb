/* Fuzz target: vocab.json + merges.txt (the input up to its first NUL byte, and the rest), then any
 * text through a fixed byte-level tokenizer. */
#include "model/tokenizer_private.h"
#include "tokenizer_walk.h"

static struct tokenizer *fixed(void)
{
    static const char json[] =
        "{\"added_tokens\":[{\"id\":8,\"content\":\"<e>\",\"special\":true,\"normalized\":false,"
        "\"rstrip\":true},{\"id\":9,\"content\":\"ab c\",\"single_word\":true,\"lstrip\":true}],"
        "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"decoder\":{"
        "\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"unk_token\":\"u\",\"vocab\":{\"a\":"
        "0,"
        "\"b\":1,\"ab\":2,\"\\u0120\":3,\"\\u0120a\":4,\"u\":5,\"\\u00c3\":6,\"abab\":7},"
        "\"merges\":["
        "\"a b\",\"\\u0120 a\",\"ab ab\"]}}";
    struct tokenizer *t = NULL;
    if (tokenizer_load_json(&t, json, sizeof json - 1, "fixed"))
        abort();
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct tokenizer *text;
    struct tokenizer *t;
    if (!text)
        text = fixed();
    tokenizer_walk(text, data, bytes);
    const uint8_t *nul = bytes ? memchr(data, 0, bytes) : NULL;
    size_t split = nul ? (size_t)(nul - data) : bytes;
    const char *merges = (const char *)data + split + (nul != NULL);
    if (tokenizer_new(&t))
        return 0;
    struct tokenizer_stage *stage;
    int rc = tokenizer_read_files(t, (const char *)data, split, merges,
                                  bytes - split - (nul != NULL), "fuzz");
    if (!rc)
        rc = tokenizer_use_byte_level(t, NULL, false);
    if (!rc)
        rc = tokenizer_stage_add(t, &stage);
    if (!rc) {
        stage->kind = STAGE_BYTE_LEVEL;
        rc = tokenizer_finish(t);
    }
    if (!rc)
        tokenizer_walk(t, data, bytes);
    else if (strchr(base_error_message(), '\n') || !*base_error_message())
        abort();
    tokenizer_free(t);
    return 0;
}
