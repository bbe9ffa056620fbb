/* Chosen columns of a whole file in memory, where the choice depends on the header: what an
 * estimate needs. Numbers as doubles (NaN where missing), categories as codes into their levels
 * (UINT32_MAX where missing), "A*B" as the pairs of A and B that occur. */
#ifndef SAMPLING_COLUMNS_H
#define SAMPLING_COLUMNS_H
#include <assay/data.h>

struct base_table;
enum { SAMPLING_COLUMN_PARTS = 8 };
struct sampling_column {
    char *name;    /* as asked */
    bool category; /* else numbers */
    size_t part[SAMPLING_COLUMN_PARTS], parts;
    double *number; /* [rows] */
    uint32_t *code; /* [rows] */
    char **levels;  /* in order of first appearance; parts joined by " / " */
    size_t n_levels, levels_capacity;
    struct base_table *index; /* level -> code */
    uint64_t missing;
    char *missing_place; /* FILE:LINE of the first */
};
struct sampling_columns {
    struct data_table *table;
    size_t rows, capacity;
    struct sampling_column *column;
    size_t n;
    /* For each row, to keep a verdict of its own (a condition); NULL: none. Returns 0 or 1 for
     * keep[row], or negative. */
    int (*judge)(void *context, const struct data_table *table, const struct data_cell *cells);
    void *context;
    uint8_t *keep;
};
/* Opens the file and reads its header. Release with sampling_columns_close, also after failure. */
int sampling_columns_open(struct sampling_columns *c, const char *path,
                          const struct data_table_options *options);
/* Whether the header has a column of that name. */
bool sampling_columns_has(const struct sampling_columns *c, const char *name);
/* Asks for a column, before the rows are read; *index is its place in c->column. The same asked
 * twice is read once. A name that is not there is BASE_E_ARGUMENT. */
int sampling_columns_want(struct sampling_columns *c, const char *name, bool category,
                          size_t *index);
/* Reads all rows. A cell that is not a number in a column of numbers is BASE_E_FORMAT with
 * FILE:LINE. */
int sampling_columns_read(struct sampling_columns *c);
/* One row into place 0 of every column, instead of reading all: 1, 0 at the end, or negative. For
 * files larger than memory. */
int sampling_columns_step(struct sampling_columns *c);
/* BASE_E_FORMAT with the first place when the column misses values. `what` says what it is. */
int sampling_columns_complete(const struct sampling_columns *c, size_t index, const char *what);
void sampling_columns_close(struct sampling_columns *c);
/* Whether a name of `parts` values with " / " between them can be read in another way, because a
 * value holds " / " too: "a / b" and "c" have the name of "a" and "b / c". */
bool sampling_name_ambiguous(const char *name, size_t n, size_t parts);
#endif
