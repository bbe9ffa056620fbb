/* data: records out of files, one at a time, in constant memory. JSON, JSON Lines, CSV, TSV and
 * plain lines; plain or compressed (.gz, .bz2, .zst), which is told by the first bytes and not by
 * the name.
 *
 * Rows are JSON objects, column -> value. Nothing is guessed silently: ragged rows, duplicate
 * columns or keys, bytes that are not UTF-8, truncated compressed files are errors that name
 * FILE:LINE. */
#ifndef ASSAY_DATA_H
#define ASSAY_DATA_H
#include <assay/base.h>
#include <jansson.h>
#include <stdbool.h>

/* ---- a stream of bytes, decompressed ---- */
struct data_stream;
/* path "-" is standard input; "builtin:NAME" an example file inside the program (examples/). gzip
 * (several members one after another, as pigz and bgzip write), bzip2 (several streams) and
 * Zstandard (several frames); anything else is passed as it is. A file whose name says .gz, .bz2 or
 * .zst but whose bytes do not is BASE_E_FORMAT. */
int data_stream_open(struct data_stream **out, const char *path);
/* The same of a regular file below the directory `beneath` (NULL: data_stream_open), for paths that
 * somebody else has written: absolute ones, "..", and links that lead outside are refused by the
 * kernel in one step with the opening (base_open_beneath); "-" is a file of that name.
 * "builtin:NAME" is a built-in file all the same. */
int data_stream_open_beneath(struct data_stream **out, const char *beneath, const char *path);
/* Up to `bytes` bytes into buffer; *n is their number, 0 only at the end. A compressed file that
 * stops in the middle or fails its checksum is BASE_E_FORMAT; one that expands more than
 * ten thousandfold beyond its first gigabyte is BASE_E_LIMIT (a decompression bomb). */
int data_stream_read(struct data_stream *s, void *buffer, size_t bytes, size_t *n);
/* For progress: bytes of the file read so far and in all (0 = not known, a pipe). */
void data_stream_progress(const struct data_stream *s, uint64_t *done, uint64_t *total);
const char *data_stream_name(const struct data_stream *s); /* path, or "standard input" */
void data_stream_close(struct data_stream *s);             /* NULL is fine */

/* ---- records ---- */
enum data_format {
    DATA_FORMAT_AUTO,  /* by the name without .gz/.bz2/.zst: .json .jsonl .ndjson .csv .tsv .txt;
                          else  BASE_E_ARGUMENT */
    DATA_FORMAT_JSON,  /* an array of objects (streamed element by element), or objects one after
                          another, however they are laid out */
    DATA_FORMAT_JSONL, /* an object per line; blank lines are passed over */
    DATA_FORMAT_CSV,   /* RFC 4180, read as Python's csv module reads it; values are strings */
    DATA_FORMAT_TSV,   /* the same with tabs, and without quotes (IANA text/tab-separated-values) */
    DATA_FORMAT_LINES, /* every line is a value; `columns` says how many lines make one record */
};
enum data_header {
    DATA_HEADER_AUTO, /* CSV, TSV: yes, unless columns are given */
    DATA_HEADER_YES,  /* the first row names the columns (with columns given: it is passed over) */
    DATA_HEADER_NO,
};
struct data_records_options {
    enum data_format format;
    enum data_header header;
    /* Names, in order: of CSV and TSV columns when there is no header ("0", "1", ... when not
     * given), of the lines of a record (LINES; default one, "text"). Copied. */
    const char *const *columns;
    size_t n_columns;
    char delimiter; /* CSV, TSV; 0 = the format's own */
    int quote;      /* CSV, TSV: 0 = the format's own ('"' for CSV, none for TSV), -1 = none, or the
                       character */
    const char *field; /* JSON: the file is one object and the records are the array in this key */
    size_t max_record; /* bytes of one record; 0 = 64 MiB */
    const char *beneath; /* the path is below this directory: data_stream_open_beneath; borrowed */
};
struct data_records;
/* options NULL = all zero. path "-" is standard input (AUTO then looks at the first byte that is
 * not white space: '[' or '{' is JSON, else BASE_E_ARGUMENT asks for the format). */
int data_records_open(struct data_records **out, const char *path,
                      const struct data_records_options *options);
/* 1 and a new reference, 0 at the end, negative on failure (every later call fails the same way).
 */
int data_records_next(struct data_records *r, json_t **row);
/* One text of the next record: for JSON Lines some ten times as fast as data_records_next, with the
 * same checks. 1 with the string at `key` in *text, *bytes (it may hold NULs; valid until the next
 * call), or, where the record has another form (the key is absent, or no string; any other format),
 * with *text NULL and the record in *row, a new reference. 0 and negative as data_records_next. */
int data_records_text_of(struct data_records *r, const char *key, const char **text, size_t *bytes,
                         json_t **row);
/* "FILE:LINE" where the last record began; valid until the next call. */
const char *data_records_place(const struct data_records *r);
uint64_t data_records_line_of(const struct data_records *r); /* that line alone */
uint64_t data_records_count(const struct data_records *r);   /* given so far */
void data_records_progress(const struct data_records *r, uint64_t *done, uint64_t *total);
void data_records_close(struct data_records *r); /* NULL is fine */

/* All records (at most `limit`; 0 = all) as a new array. */
int data_rows_read(json_t **rows, const char *path, const struct data_records_options *options,
                   uint64_t limit);
/* "json", "jsonl", "csv", "tsv", "lines" (or "text"), "auto"; BASE_E_ARGUMENT lists them. */
int data_format_parse(const char *name, enum data_format *out);

/* ---- rows of a table as bytes: the quick way, for files larger than memory ----
 * The same rules as above (format, compression, quotes, errors with FILE:LINE), but a row is an
 * array of cells that point into the reader's block, and nothing is allocated per row. A UTF-8
 * byte order mark at the start is passed over; \n, \r\n and a missing last newline are read; line
 * ends inside quotes belong to their field. JSON Lines are tables too: the keys of the first record
 * are the columns, a record without one of them has a missing cell, a new key is an error; nested
 * values are cells of compact JSON. Bytes that are not UTF-8 are an error. */
struct data_cell {
    const char
        *bytes; /* not NUL-terminated; quotes removed and "" undone; valid until the next row */
    size_t length;
};
struct data_table_options {
    enum data_format format; /* CSV, TSV, LINES (one column, "text"), JSON, JSONL or AUTO (by name;
                                standard input: CSV) */
    enum data_header header;
    const char *const *columns; /* names when there is no header ("0", "1", ... else); copied */
    size_t n_columns;
    char delimiter;    /* 0 = the format's own; ' ' = any run of blanks and tabs, without quotes */
    int quote;         /* as in data_records_options */
    char comment;      /* lines that begin with it are passed over; 0 = none */
    bool pad;          /* a short row is filled with empty cells (counted); a long one is refused */
    size_t max_record; /* bytes of one row; 0 = 64 MiB */
    const char *beneath; /* the path is below this directory: data_stream_open_beneath; borrowed */
};
struct data_table;
/* options NULL = all zero. path "-" is standard input. */
int data_table_open(struct data_table **out, const char *path,
                    const struct data_table_options *options);
/* 1 and the row's cells (data_table_columns of them), 0 at the end, negative on failure. */
int data_table_next(struct data_table *t, const struct data_cell **cells);
/* Passes over up to `rows` rows, with the same checks, several times as fast as reading them;
 * *passed is how many there were. 1 when all were there, 0 at the end, negative on failure. There
 * is no row in hand after it. */
int data_table_pass(struct data_table *t, uint64_t rows, uint64_t *passed);
/* The bytes of the last row as they stand in the file, without its line end; valid until the next
 * row. */
struct data_cell data_table_raw(const struct data_table *t);
size_t data_table_columns(const struct data_table *t);
const char *data_table_column(const struct data_table *t, size_t i);
/* Index of a column by name, or by "#3" (1 = first) when no column has that name; BASE_E_ARGUMENT
 * lists the nearest names. */
int data_table_find(const struct data_table *t, const char *name, size_t *index);
/* "FILE:LINE" where the last row began. */
const char *data_table_place(const struct data_table *t);
/* The line alone. */
uint64_t data_table_line(const struct data_table *t);
uint64_t data_table_count(const struct data_table *t); /* rows given so far */
uint64_t data_table_padded(const struct data_table *t);
void data_table_progress(const struct data_table *t, uint64_t *done, uint64_t *total);
void data_table_close(struct data_table *t); /* NULL is fine */

/* A cell as a number: the whole cell (blanks around it allowed) in C's decimal notation, finite.
 * false when it is not one. */
bool data_cell_number(struct data_cell cell, double *out);
/* Whether a cell says that there is no value: empty, or one of NA N/A NaN null None (any case). */
bool data_cell_missing(struct data_cell cell);

/* Chosen columns of a whole table in memory. */
struct data_column {
    const char *name;
    double *number; /* [rows] NaN where missing; NULL unless asked as a number */
    uint32_t *code; /* [rows] index into levels, UINT32_MAX where missing; NULL unless asked
                       as a category */
    char **levels;  /* in the order of first appearance */
    size_t n_levels;
    char **text; /* [rows] NULL where missing; NULL unless asked as text */
    uint64_t missing;
};
enum data_kind { DATA_NUMBER, DATA_CATEGORY, DATA_TEXT };
struct data_column_want {
    const char *name;
    enum data_kind kind;
};
struct data_frame {
    size_t rows, n;
    struct data_column *column; /* [n] in the order asked */
    void *memory;               /* what the columns stand in */
};
/* A cell that is not a number in a DATA_NUMBER column is BASE_E_FORMAT naming FILE:LINE, column and
 * cell. */
int data_frame_read(struct data_frame *out, const char *path,
                    const struct data_table_options *options, const struct data_column_want *want,
                    size_t n);
void data_frame_free(struct data_frame *f); /* zeroed is fine */

/* One cell of CSV (delimiter ',' or '\t' ...) as RFC 4180 writes it: quoted when it holds the
 * delimiter, a quote or a line end. TSV without quotes refuses a tab or line end. Appended to out,
 * a struct base_buffer. */
struct base_buffer;
int data_cell_write(struct base_buffer *out, struct data_cell cell, char delimiter, int quote);
#endif
