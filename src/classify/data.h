/* A labelled table in memory: what `assay classify` reads, once, and every fold takes its rows
 * from. Texts are held as counts of their terms; numbers and categories as columns. */
#ifndef CLASSIFY_DATA_H
#define CLASSIFY_DATA_H
#include "classify/text.h"
#include <assay/data.h>

/* Which columns are read: a text, or numbers and categories. */
struct classify_columns {
    const char *label;    /* NULL: rows without labels */
    const char *positive; /* this label against all others; NULL: every label is a class */
    const char *text;     /* NULL: none */
    const char *const *number;
    size_t numbers;
    const char *const *category;
    size_t categories;
};
struct classify_data {
    size_t rows;
    uint64_t skipped; /* rows left out: a label, number or category was missing */
    /* labels, sorted by bytes; with `positive` the others first ("other", or their name where there
     * is one), then it */
    char **label;
    size_t classes;
    uint32_t *y;                  /* [rows] */
    struct classify_counts texts; /* with a text column */
    double **number;              /* [numbers][rows] */
    uint32_t **category;          /* [categories][rows] place in its levels */
    struct classify_words *level; /* [categories] */
    size_t numbers, categories;
    size_t row_capacity;
};
/* Reads the table (options NULL = by its name). BASE_E_ARGUMENT for a column that is not there or a
 * positive label that no row has; BASE_E_FORMAT for a cell that is no number, with FILE:LINE. */
int classify_data_read(struct classify_data *out, const char *path,
                       const struct data_table_options *table,
                       const struct classify_columns *columns,
                       const struct classify_text_options *text, const struct classify_words *stop);
void classify_data_free(struct classify_data *d); /* zeroed is fine */
/* "other" and the like for messages: d->label, or NULL. */
const char *const *classify_data_names(const struct classify_data *d);
#endif
