/* Fuzz target: text to tokens in all three ways. Tokens must be UTF-8 without white space, as many
 * as said, and come out the same when they are divided again. */
#include "base/buffer.h"
#include "base/text.h"
#include <assay/embed.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    for (int kind = 0; kind < EMBED_TOKENS_KINDS; kind++) {
        struct embed_text *t = NULL;
        struct base_buffer b = { 0 }, again = { 0 };
        size_t n = 0, m = 0, blanks = 0;
        if (embed_text_new(&t, (enum embed_tokens)kind))
            abort();
        const int rc = embed_text_split(t, (const char *)data, bytes, &b, &n);
        if ((rc != 0) != (base_utf8_invalid((const char *)data, bytes) < bytes))
            abort();
        if (rc == 0) {
            for (size_t i = 0; i < b.length; i++)
                blanks += b.data[i] == ' ';
            if (base_utf8_invalid(b.data, b.length) < b.length || (n == 0) != (b.length == 0) ||
                (n > 0 && blanks != n - 1))
                abort();
            embed_text_free(t);
            if (embed_text_new(&t, EMBED_TOKENS_PLAIN) ||
                embed_text_split(t, b.data ? b.data : "", b.length, &again, &m) || m != n ||
                again.length != b.length || (n && memcmp(b.data, again.data, b.length) != 0))
                abort();
        }
        embed_text_free(t);
        base_buffer_free(&b);
        base_buffer_free(&again);
    }
    return 0;
}
