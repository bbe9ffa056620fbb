/* Texts to rows: words, word n-grams and TF-IDF, as scikit-learn's TfidfVectorizer defines them.
 *
 *     words    lower case (Python's str.lower), then the matches of \b\w\w+\b: runs of two or more
 *              letters, digits and underscores (Unicode); stop words are taken out; n-grams are
 *              neighbours in what is left, joined by a blank
 *     df(t)    rows that hold term t; kept when min_df <= df <= max_df
 *     tf       how often t is in the row; sublinear: 1 + ln tf; binary: 1
 *     idf(t)   ln((1 + n) / (1 + df)) + 1; not smooth: ln(n / df) + 1
 *     row      tf * idf, divided by its length (L2), its sum (L1), or not at all
 *
 * Terms are in the order of their UTF-8 bytes, which is that of their code points. Counting and
 * fitting are apart: texts are cut once, and every training fold takes its own terms and
 * frequencies from the same counts. */
#ifndef CLASSIFY_TEXT_H
#define CLASSIFY_TEXT_H
#include "classify/matrix.h"
#include <stdbool.h>

enum classify_norm { CLASSIFY_NORM_L2, CLASSIFY_NORM_L1, CLASSIFY_NORM_NONE };
extern const char *const classify_norm_names[3]; /* "l2", "l1", "none" */

/* Zero is the default: words alone, all of them, L2. */
struct classify_text_options {
    size_t ngram_min, ngram_max; /* 0 = 1; at most 16 */
    double min_df, max_df; /* rows; below 1, or max_df_share: share of the rows; 0 = no limit */
    bool max_df_share;     /* max_df 1.0 is a share and not one row */
    size_t max_terms;      /* the most frequent (in occurrences; ties in order); 0 = all */
    bool keep_case, sublinear, binary, no_idf, no_smooth;
    enum classify_norm norm;
};

/* A set of byte strings with numbers 0 .. n - 1 in order of addition. Zeroed is empty. */
struct classify_words {
    char *bytes; /* the strings, one after the other */
    size_t used, capacity;
    size_t *first; /* [n + 1] */
    size_t n, word_capacity;
    uint32_t *slot; /* [slots] number + 1, 0 = free; slots is a power of two */
    uint32_t *hash; /* [word_capacity] */
    size_t slots;
};
/* Number of the string, added if it is new. BASE_E_LIMIT beyond 2^32 - 2 strings. */
int classify_words_add(struct classify_words *w, const char *bytes, size_t n, uint32_t *number);
/* Number, or UINT32_MAX when it is not in the set. */
uint32_t classify_words_find(const struct classify_words *w, const char *bytes, size_t n);
void classify_words_free(struct classify_words *w);
/* Adds the stop words of `source`: "english" (the project's own list of function words), or a file
 * with a word a line. They are compared with words after lower-casing. */
int classify_words_stop(struct classify_words *w, const char *source);

/* How often each term is in each text. */
struct classify_counts {
    struct classify_words terms; /* every term met */
    size_t rows;
    size_t *first;  /* [rows + 1] */
    uint32_t *term; /* in order of first appearance within the row */
    uint32_t *count;
    size_t capacity, row_capacity;
    uint32_t *place; /* [terms' capacity] where the term stands in the row being counted, + 1 */
    size_t places;
};
/* Counts one more text of n bytes (UTF-8; other bytes end a word). stop may be NULL. */
int classify_counts_add(struct classify_counts *c, const struct classify_text_options *o,
                        const struct classify_words *stop, const char *text, size_t n);
void classify_counts_free(struct classify_counts *c); /* zeroed is fine */

/* What makes rows of texts: terms and weights. */
struct classify_text {
    struct classify_text_options options;
    struct classify_words stop;  /* own copy */
    struct classify_words terms; /* number = column */
    double *idf;                 /* [terms.n]; all 1 with no_idf */
    uint32_t *column;            /* [terms counted] column or UINT32_MAX; NULL when loaded */
};
/* Chooses terms and computes idf on `row` [n] of counts (NULL: all rows). Options and stop words
 * (may be NULL) are copied. BASE_E_ARGUMENT when no term is left, or the limits contradict. */
int classify_text_fit(struct classify_text *out, const struct classify_counts *counts,
                      const struct classify_text_options *options,
                      const struct classify_words *stop, const uint32_t *row, size_t n);
/* Rows of counts that this was fitted on (any rows: NULL = all) appended to out, which has
 * terms.n columns. */
int classify_text_rows(const struct classify_text *t, const struct classify_counts *counts,
                       const uint32_t *row, size_t n, struct classify_matrix *out);
/* One new text as a row appended to out. Words it does not know are passed over. */
int classify_text_apply(const struct classify_text *t, const char *text, size_t n,
                        struct classify_matrix *out);
void classify_text_free(struct classify_text *t); /* zeroed is fine */
#endif
