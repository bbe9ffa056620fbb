/* What the files of a table share; see table.c. */
#ifndef DATA_TABLE_H
#define DATA_TABLE_H
#include "base/buffer.h"
#include "base/hash.h"
#include <assay/data.h>

/* The special bytes of the 64 bytes from `base` on, a bit each. Bits below the place reached are
 * cleared. Valid until the block moves. */
struct data_scan {
    size_t base;
    uint64_t special; /* delimiter, quote, \n, \r */
    uint64_t cells;   /* delimiters alone; bits below the place reached stay */
    uint64_t high;    /* bytes of 0x80 and more */
    bool valid;
};

struct data_table {
    struct data_stream *stream;
    struct data_records *records; /* JSON and JSON Lines stand on these; else NULL */
    enum data_format format;
    size_t max_record;
    char *block;              /* [capacity + DATA_SCAN_PAD] */
    size_t at, end, capacity; /* block[at..end) is not yet used; a row begins at `at` */
    bool at_eof;              /* the stream has ended */
    bool after_return;        /* a '\n' that comes now belongs to the '\r' before it */
    struct data_scan scan;
    uint64_t line;     /* lines that are over */
    uint64_t row_line; /* where the present row began */
    uint64_t count, padded;
    unsigned char delimiter;
    int quote;           /* -1 = none */
    int comment;         /* -1 = none */
    bool pad;            /* fill short rows */
    bool numbered;       /* columns are named by their number */
    bool pending;        /* a row was read at opening and is the next one */
    bool high;           /* the present row may hold bytes that are not ASCII */
    size_t row, row_end; /* the present row in the block, without its line end */
    struct data_cell *cells;
    size_t n_cells, cells_capacity;
    size_t *quoted; /* cells of the present row in which quotes must be undone */
    size_t n_quoted, quoted_capacity;
    struct base_buffer scratch; /* their bytes; all cells of a JSON row */
    struct base_buffer place;
    char **columns;
    size_t n_columns, columns_capacity;
    struct base_table *index; /* name -> column */
    int failed;
    char message[512];
};

#define DATA_SCAN_PAD 64
/* More bytes behind block[end), the row that begins at `at` moved to the front: 1, 0 at the end, or
 * negative. Every pointer into the block is void after it. */
int data_table_fill(struct data_table *t);
/* Room for one more cell, or BASE_E_LIMIT. */
int data_table_more_cells(struct data_table *t);
int data_table_more_quoted(struct data_table *t);
/* The next row that is not empty into cells: 1, 0 at the end, negative. */
int data_table_split_delimited(struct data_table *t);
/* Passes over up to `rows` rows that need no second look: no quotes, no \r, not empty, as many
 * cells as there are columns. Returns how many; what stops it is for data_table_split_delimited. */
uint64_t data_table_pass_delimited(struct data_table *t, uint64_t rows);
int data_table_split_blanks(struct data_table *t);
int data_table_split_line(struct data_table *t);

/* The format that a file's name stands for (without .gz, .bz2, .zst), or DATA_FORMAT_AUTO. */
enum data_format data_format_of_name(const char *path);
/* rc, with the file named at the front of a message about its rows that names it nowhere (as
 * "stratum x has a single row"). Other failures (input and output, memory, an interruption) are
 * left as they are; so is 0. */
int data_error_in(int rc, const char *path);
/* Offset of the first byte that is not UTF-8, or n; quick over ASCII. */
size_t data_utf8_invalid(const char *bytes, size_t n);
#endif
