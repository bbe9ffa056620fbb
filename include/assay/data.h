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
/* path "-" is standard input. gzip (several members one after another, as pigz and bgzip write),
 * bzip2 (several streams) and Zstandard (several frames); anything else is passed as it is. A file
 * whose name says .gz, .bz2 or .zst but whose bytes do not is BASE_E_FORMAT. */
int data_stream_open(struct data_stream **out, const char *path);
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
};
struct data_records;
/* options NULL = all zero. path "-" is standard input (AUTO then looks at the first byte that is
 * not white space: '[' or '{' is JSON, else BASE_E_ARGUMENT asks for the format). */
int data_records_open(struct data_records **out, const char *path,
                      const struct data_records_options *options);
/* 1 and a new reference, 0 at the end, negative on failure (every later call fails the same way).
 */
int data_records_next(struct data_records *r, json_t **row);
/* "FILE:LINE" where the last record began; valid until the next call. */
const char *data_records_place(const struct data_records *r);
uint64_t data_records_count(const struct data_records *r); /* given so far */
void data_records_progress(const struct data_records *r, uint64_t *done, uint64_t *total);
void data_records_close(struct data_records *r); /* NULL is fine */

/* All records (at most `limit`; 0 = all) as a new array. */
int data_rows_read(json_t **rows, const char *path, const struct data_records_options *options,
                   uint64_t limit);
/* "json", "jsonl", "csv", "tsv", "lines" (or "text"), "auto"; BASE_E_ARGUMENT lists them. */
int data_format_parse(const char *name, enum data_format *out);
#endif
