/* The words a model has, and what training draws from: thinning, noise, Huffman's tree. */
#ifndef EMBED_VOCABULARY_H
#define EMBED_VOCABULARY_H
#include <assay/embed.h>

#define EMBED_NONE UINT32_MAX

struct embed_vocabulary {
    size_t n;
    uint64_t tokens;  /* of these words in the picked documents */
    uint64_t dropped; /* types left out */
    uint32_t *type;   /* [n] number in the corpus */
    uint64_t *count;  /* [n] descending */
    uint32_t *index;  /* [corpus types] the word's place here, or EMBED_NONE */
    uint32_t *keep;   /* [n] a token stays when a 32-bit random number is not above this */
    /* noise, by Walker's alias method: place i = high word of r n for a random 32-bit r, i itself
     * when the low word is below accept[i], else alias[i] */
    uint32_t *accept, *alias; /* [n]; NULL with hierarchical */
    /* Huffman's tree: the path of word i from the root is point/code[path[i] .. path[i + 1]) */
    uint64_t *path;
    uint32_t *point; /* inner nodes 0 .. n - 2 */
    uint8_t *code;   /* label 1 - code */
    size_t depth;    /* the longest path */
};
/* pick NULL: every document once. */
int embed_vocabulary_make(struct embed_vocabulary *v, const struct embed_corpus *c,
                          const uint64_t *pick, uint64_t n_pick,
                          const struct embed_train_options *o);
void embed_vocabulary_free(struct embed_vocabulary *v); /* zeroed is fine */
static inline uint32_t embed_vocabulary_noise(const struct embed_vocabulary *v, uint32_t random)
{
    const uint64_t place = (uint64_t)random * v->n;
    const uint32_t i = (uint32_t)(place >> 32);
    return (uint32_t)place < v->accept[i] ? i : v->alias[i];
}
#endif
