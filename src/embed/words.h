/* Words and their numbers: 0, 1, 2, ... in order of first appearance. */
#ifndef EMBED_WORDS_H
#define EMBED_WORDS_H
#include <assay/base.h>
#include <stdbool.h>

struct embed_words {
    size_t n;
    char *text; /* all words one after another, each with its NUL */
    size_t used, room;
    size_t *at;     /* [n] where each begins in text */
    uint32_t *slot; /* [slots] number + 1, 0 = empty; slots is a power of two, at most 3/4 full */
    uint32_t *mark; /* [slots] the upper half of the word's hash */
    size_t slots, capacity;
};
int embed_words_new(struct embed_words **out);
void embed_words_free(struct embed_words *w); /* NULL is fine */
/* The number of a word, new or old; *is_new may be NULL. At most 2^32 - 2 words. */
int embed_words_add(struct embed_words *w, const char *word, size_t bytes, uint32_t *number,
                    bool *is_new);
/* Its number, or -1. */
int64_t embed_words_find(const struct embed_words *w, const char *word, size_t bytes);
static inline const char *embed_words_text(const struct embed_words *w, size_t i)
{
    return w->text + w->at[i];
}
#endif
