/* The parts of preprocessing: stop words (stop.c) and Porter's stemmer (stem.c). */
#ifndef EMBED_TEXT_H
#define EMBED_TEXT_H
#include <assay/embed.h>

bool embed_is_stop_word(const char *word, size_t bytes);

struct embed_stemmer;
int embed_stemmer_new(struct embed_stemmer **out);
void embed_stemmer_free(struct embed_stemmer *s);
/* The stem of a lower-case word of at least three characters, as gensim's PorterStemmer gives it.
 * *stem belongs to s and is valid until the next call. */
int embed_stemmer_stem(struct embed_stemmer *s, const char *word, size_t bytes, const char **stem,
                       size_t *n);
#endif
