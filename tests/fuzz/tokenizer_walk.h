/* What the tokenizer fuzz targets do with a tokenizer that loaded: encode the input, decode what
 * came out, decode made-up ids, stream them, and check what must hold for every tokenizer. */
#ifndef FUZZ_TOKENIZER_WALK_H
#define FUZZ_TOKENIZER_WALK_H
#include "base/memory.h"
#include "base/text.h"
#include <assay/tokenizer.h>
#include <stdlib.h>
#include <string.h>

static inline void tokenizer_walk_decode(const struct tokenizer *t, const int32_t *ids, size_t n)
{
    char *text, *joined;
    size_t bytes, length = 0;
    struct tokenizer_stream *s;
    if (tokenizer_decode(t, ids, n, false, &text, &bytes))
        return;
    if (text[bytes] || base_utf8_invalid(text, bytes) != bytes)
        abort();
    joined = malloc(bytes + 1);
    if (joined && !tokenizer_stream_new(&s, t, false)) {
        for (size_t i = 0; i <= n; i++) {
            const char *piece;
            size_t k;
            int rc = i < n ? tokenizer_stream_put(s, ids[i], &piece, &k)
                           : tokenizer_stream_flush(s, &piece, &k);
            if (rc || k > bytes - length || base_utf8_invalid(piece, k) != k)
                abort();
            memcpy(joined + length, piece, k);
            length += k;
        }
        if (length != bytes || memcmp(joined, text, bytes) != 0)
            abort();
        tokenizer_stream_free(s);
    }
    free(joined);
    base_free(text);
}

static inline void tokenizer_walk(const struct tokenizer *t, const uint8_t *data, size_t bytes)
{
    struct tokenizer_encoding e;
    size_t size = tokenizer_vocabulary(t);
    if (bytes > 4096)
        bytes = 4096;
    for (int plain = 0; plain < 2; plain++) {
        struct tokenizer_options o = { .add_special = !plain, .parse_special = !plain };
        if (tokenizer_encode(t, (const char *)data, bytes, &o, &e))
            continue;
        for (size_t i = 0; i < e.count; i++)
            if (e.ids[i] < 0 || (size_t)e.ids[i] >= size || e.begin[i] > e.end[i] ||
                e.end[i] > bytes || !tokenizer_piece(t, e.ids[i]))
                abort();
        tokenizer_walk_decode(t, e.ids, e.count);
        tokenizer_encoding_free(&e);
    }
    int32_t ids[256];
    size_t n = bytes < 256 ? bytes : 256;
    for (size_t i = 0; i < n && size; i++)
        ids[i] = (int32_t)((data[i] * 2654435761u + i) % size);
    if (size)
        tokenizer_walk_decode(t, ids, n);
}
#endif
