/* What a classifier sees of a row: TF-IDF of its text, or numbers and categories.
 *
 *     columns = terms, then the numbers, then one column per level of every category
 *     number    as it is, or (x - mean) / sd with mean and sd (n in the denominator, as
 *               scikit-learn's StandardScaler) of the rows it was fitted on; sd 0 counts as 1
 *     category  1 in the column of its level; a level not seen in fitting: nowhere
 *
 * SMOTENC needs categories as codes: the coded form has one column per category that holds the
 * level's place + 1 (0: unseen), and is spread into the final columns after resampling. */
#ifndef CLASSIFY_FEATURES_H
#define CLASSIFY_FEATURES_H
#include "classify/data.h"

struct classify_features {
    bool has_text, standardise;
    char *text_column; /* NULL without text */
    struct classify_text text;
    size_t numbers, categories;
    char **number;        /* [numbers] column names */
    double *mean, *scale; /* [numbers]; 0 and 1 when not standardised */
    char **category;      /* [categories] column names */
    struct classify_words *level;
    size_t *level_first; /* [categories + 1] columns before each category's */
};
/* Fits on `row` [n] of d (NULL: all). Names are copied. */
int classify_features_fit(struct classify_features *f, const struct classify_data *d,
                          const struct classify_columns *columns,
                          const struct classify_text_options *text,
                          const struct classify_words *stop, bool standardise, const uint32_t *row,
                          size_t n);
/* Number of final columns; of the coded form. */
size_t classify_features_columns(const struct classify_features *f);
size_t classify_features_coded(const struct classify_features *f);
/* Name of a final column, new string (base_free): a term, a column, or "column=level". */
char *classify_features_name(const struct classify_features *f, size_t column);
/* Rows of the data it was fitted on to out, which this begins; coded says in which form. */
int classify_features_rows(const struct classify_features *f, const struct classify_data *d,
                           const uint32_t *row, size_t n, bool coded, struct classify_matrix *out);
/* The coded form into the final one; out is begun here. */
int classify_features_spread(const struct classify_features *f, const struct classify_matrix *coded,
                             struct classify_matrix *out);
/* One new row, appended to out (final form): its text, numbers and categories in the order of
 * fitting. */
int classify_features_apply(const struct classify_features *f, struct data_cell text,
                            const double *number, const struct data_cell *category,
                            struct classify_matrix *out);
void classify_features_free(struct classify_features *f); /* zeroed is fine */
#endif
