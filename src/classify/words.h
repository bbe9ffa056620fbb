/* Cutting a text into words and n-grams; shared by counting and applying (text.c). */
#ifndef CLASSIFY_WORDS_H
#define CLASSIFY_WORDS_H
#include "base/buffer.h"
#include "classify/text.h"

/* Words of one text: `text` holds them joined by blanks, word i from start[i] to end[i], so that an
 * n-gram is one run of bytes. Reused from text to text. */
struct classify_cut {
    struct base_buffer text;
    size_t *start, *end; /* [n] */
    size_t n, capacity;
};
int classify_cut_make(struct classify_cut *c, const char *text, size_t n, bool keep_case,
                      const struct classify_words *stop);
void classify_cut_free(struct classify_cut *c);
#endif
