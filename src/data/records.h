/* What the parsers of records share; see records.c. */
#ifndef DATA_RECORDS_H
#define DATA_RECORDS_H
#include "base/buffer.h"
#include <assay/data.h>

#define DATA_BLOCK        65536
#define DATA_RECORD_BYTES ((size_t)64 << 20)
#define DATA_COLUMNS_MOST 65536

struct data_records {
    struct data_stream *stream;
    enum data_format format;
    size_t max_record;
    char *block;
    size_t at, end;       /* block[at..end) is not yet used */
    bool at_eof;          /* the stream has ended */
    uint64_t line;        /* lines that are over */
    uint64_t record_line; /* where the present record began */
    uint64_t count;
    bool inside_line;          /* a line has begun and its end was not seen */
    struct base_buffer record; /* the bytes of the present record */
    struct base_buffer place;
    char **columns; /* names */
    size_t n_columns;
    /* delimited text */
    unsigned char delimiter;
    int quote;      /* -1 = none */
    size_t *fields; /* where each field of the present record ends in `record` */
    size_t n_fields, fields_capacity;
    bool after_return; /* a '\n' that comes now belongs to the '\r' before it */
    /* JSON */
    enum data_json_state {
        DATA_JSON_START,    /* nothing read */
        DATA_JSON_FIRST,    /* behind '[' */
        DATA_JSON_ELEMENTS, /* behind an element of an array */
        DATA_JSON_SEQUENCE, /* objects one after another */
        DATA_JSON_END,
    } json_state;
    char *field; /* the key whose array is read; NULL = none */
    int failed;
    char message[512];
};

int data_records_fail(struct data_records *r, int code);
int data_records_fill(struct data_records *r); /* 1, 0 at the end, or negative */
int data_records_line(struct data_records *r);
/* Adds to r->record, up to max_record. */
int data_record_add(struct data_records *r, const char *bytes, size_t n);
/* A JSON string from checked bytes. `what` names them. */
int data_records_text(struct data_records *r, const char *what, const char *bytes, size_t n,
                      json_t **out);
/* One more column name, checked. */
int data_records_column(struct data_records *r, const char *name, size_t bytes);

int data_records_begin_csv(struct data_records *r, const struct data_records_options *o);
int data_records_next_csv(struct data_records *r, json_t **row);
/* Walks to the array in the key `field` of the object that the file is. */
int data_records_begin_field(struct data_records *r, const char *field);
int data_records_next_json(struct data_records *r, json_t **row);
int data_records_next_jsonl(struct data_records *r, json_t **row);
/* The collected bytes as a record: 1, or negative with the place. */
int data_records_parse(struct data_records *r, json_t **row);
#endif
