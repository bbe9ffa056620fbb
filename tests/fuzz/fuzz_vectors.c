/* Fuzz target: files of word vectors. The first byte chooses the format and the options; what was
 * read is asked a question. */
#include "base/memory.h"
#include <assay/embed.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct embed_vectors *v = NULL;
    struct embed_near near[3];
    size_t n = 0, repeated = 0;
    if (bytes == 0)
        return 0;
    const struct embed_read_options how = { .format = (enum embed_format)(data[0] % 3),
                                            .no_header = (data[0] & 8) != 0,
                                            .limit = data[0] & 16 ? 2 : 0 };
    const int rc = embed_vectors_parse(&v, data + 1, bytes - 1, "fuzz", &how, &repeated);
    if (rc) {
        if (v || !*base_error_message() || strchr(base_error_message(), '\n'))
            abort();
        return 0;
    }
    if (v->n == 0 || v->size == 0)
        abort();
    for (size_t i = 0; i < v->n; i++)
        if (embed_vectors_find(v, embed_vectors_word(v, i)) != (int64_t)i)
            abort();
    const uint32_t first = 0;
    if (embed_similar(v, &first, 1, NULL, 0, 0, 3, near, &n) || n > 3)
        abort();
    for (size_t i = 0; i < n; i++)
        if (near[i].word == 0 || near[i].word >= v->n)
            abort();
    embed_vectors_free(v);
    return 0;
}
