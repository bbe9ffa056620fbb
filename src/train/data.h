/* Training data: files -> documents of token ids (kept in a cache file) -> rows of one length in an
 * order that depends on seed and epoch alone. */
#ifndef TRAIN_DATA_H
#define TRAIN_DATA_H
#include "base/file.h"
#include "base/hash.h"
#include "train/config.h"
#include <assay/tokenizer.h>

/* Tokenised documents, memory-mapped from the cache. Every document has at least two tokens. */
struct train_documents {
    struct base_map map;
    const int32_t *ids;   /* all documents end to end */
    const uint64_t *from; /* [count + 1]: where a document starts in ids */
    size_t count;
    size_t tokens;
    size_t dropped;            /* documents of fewer than two tokens, which teach nothing */
    int32_t largest;           /* the largest id */
    bool cached;               /* the cache had it already */
    char key[BASE_SHA256_HEX]; /* hash of the files' bytes, the tokenizer and the settings */
};
/* tokenizer may be NULL with format ids. cache_directory is made when missing. Fails with the file
 * and the line or document. */
int train_documents_open(struct train_documents *d, const struct train_config *c,
                         const struct train_strings *files, const struct tokenizer *tokenizer,
                         const char *cache_directory);
void train_documents_close(struct train_documents *d);

/* The rows of one epoch over the documents. A document of L tokens has L-1 places (token, next
 * token); its last token is only ever a label. Without document masks it has L: the last token
 * predicts the next document's first one. Rows are runs of places: split  cut every sequence_length
 * places, documents go on in the next row (there as a new start) whole  a document that does not
 * fit into the rest of a row starts a new one; longer ones are cut none   each row holds one
 * document, or a piece of one */
struct train_rows {
    const struct train_documents *documents;
    size_t length; /* sequence_length */
    enum train_packing packing;
    bool mask, shuffle;
    uint64_t seed;
    uint64_t epoch; /* the one planned now */
    size_t *order;  /* [documents]: the epoch's order of documents */
    struct train_place {
        size_t document; /* index into order */
        size_t offset;   /* place within it */
        size_t places;   /* in this row */
    } * rows;
    size_t count; /* rows in this epoch */
    size_t capacity;
    size_t *row_order; /* [count] */
};
int train_rows_new(struct train_rows **out, const struct train_documents *documents, size_t length,
                   enum train_packing packing, bool mask, bool shuffle, uint64_t seed);
void train_rows_free(struct train_rows *r);
/* Plans an epoch (nothing to do when it is the planned one). */
int train_rows_plan(struct train_rows *r, uint64_t epoch);
/* Row i of the planned epoch into arrays of `length`; returns the number of places used (>= 1).
 * targets are -1 where there is no label. */
size_t train_rows_fill(const struct train_rows *r, size_t i, int32_t *ids, int32_t *targets,
                       bool *document_start);
#endif
