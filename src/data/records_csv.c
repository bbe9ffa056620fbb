/* Delimited text: RFC 4180 as Python's csv module reads it (its default dialect, and "excel-tab").
 *
 *   A field that begins with a quote goes to the closing quote; "" inside is one quote, and line
 * ends inside belong to it. What follows the closing quote up to the delimiter is added (Python's
 *   non-strict reading). A quote elsewhere is a character like any other. Lines end with \n, \r\n
 * or \r; empty lines are passed over.
 *
 * Unlike Python: a file that ends inside quotes, and a row with another number of fields than the
 * header, are errors with their line. */
#include "base/memory.h"
#include "data/records.h"
#include <string.h>

static int end_field(struct data_records *r)
{
    if (r->n_fields == r->fields_capacity) {
        if (r->n_fields >= DATA_COLUMNS_MOST)
            return base_error_set(BASE_E_LIMIT, "%s:%llu: more than %d fields in a row",
                                  data_stream_name(r->stream), (unsigned long long)r->record_line,
                                  DATA_COLUMNS_MOST);
        size_t more = r->fields_capacity ? r->fields_capacity * 2 : 16;
        size_t *grown = base_realloc(r->fields, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        r->fields = grown;
        r->fields_capacity = more;
    }
    r->fields[r->n_fields++] = r->record.length;
    return 0;
}

/* The next row that is not empty into record and fields: 1, 0 at the end, or negative. */
static int read_row(struct data_records *r)
{
    enum { ROW, FIELD, PLAIN, QUOTED, CLOSED } state = ROW;
    uint64_t quote_line = 0;
    const char *name = data_stream_name(r->stream);
    base_buffer_clear(&r->record);
    r->n_fields = 0;
    r->record_line = r->line + 1;
    for (;;) {
        int rc;
        if (r->at == r->end) {
            if ((rc = data_records_fill(r)) < 0)
                return rc;
            if (rc == 0) {
                if (state == QUOTED)
                    return base_error_set(BASE_E_FORMAT,
                                          "%s:%llu: the quote that opens here is never closed",
                                          name, (unsigned long long)quote_line);
                if (state == ROW)
                    return 0;
                return (rc = end_field(r)) ? rc : 1;
            }
        }
        unsigned char c = (unsigned char)r->block[r->at];
        if (r->after_return) {
            r->after_return = false;
            if (c == '\n') {
                r->at++;
                continue;
            }
        }
        if (state == QUOTED) {
            /* a run up to the next quote; line ends in it are counted */
            size_t from = r->at;
            while (r->at < r->end && (unsigned char)r->block[r->at] != r->quote) {
                r->line += r->block[r->at] == '\n';
                r->at++;
            }
            if ((rc = data_record_add(r, r->block + from, r->at - from)))
                return rc;
            if (r->at < r->end) {
                r->at++;
                state = CLOSED;
            }
            continue;
        }
        if (c == '\n' || c == '\r') {
            r->at++;
            r->line++;
            r->after_return = c == '\r';
            if (state == ROW) {
                r->record_line = r->line + 1;
                continue;
            }
            return (rc = end_field(r)) ? rc : 1;
        }
        if (c == r->delimiter) {
            r->at++;
            state = FIELD;
            if ((rc = end_field(r)))
                return rc;
            continue;
        }
        if (c == r->quote && state != PLAIN) {
            r->at++;
            if (state == CLOSED && (rc = data_record_add(r, r->block + r->at - 1, 1)))
                return rc;
            if (state != CLOSED)
                quote_line = r->line + 1;
            state = QUOTED;
            continue;
        }
        size_t from = r->at;
        do {
            r->at++;
            c = r->at < r->end ? (unsigned char)r->block[r->at] : '\n';
        } while (r->at < r->end && c != '\n' && c != '\r' && c != r->delimiter);
        if ((rc = data_record_add(r, r->block + from, r->at - from)))
            return rc;
        state = PLAIN;
    }
}

static int name_columns(struct data_records *r)
{
    for (size_t i = 0, from = 0; i < r->n_fields; from = r->fields[i++]) {
        const char *bytes = r->record.data ? r->record.data + from : "";
        int rc = data_records_column(r, bytes, r->fields[i] - from);
        if (rc)
            return rc;
    }
    return 0;
}

int data_records_begin_csv(struct data_records *r, const struct data_records_options *o)
{
    bool tabs = r->format == DATA_FORMAT_TSV;
    r->delimiter = (unsigned char)(o->delimiter ? o->delimiter : tabs ? '\t' : ',');
    r->quote = o->quote ? o->quote : tabs ? -1 : '"';
    if (r->delimiter == '\n' || r->delimiter == '\r' || r->delimiter == r->quote ||
        r->delimiter > 127 || r->quote > 127 || r->quote == '\n' || r->quote == '\r')
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: delimiter and quote must be two different ASCII characters, and "
                              "not line ends",
                              data_stream_name(r->stream));
    if (o->header == DATA_HEADER_NO || (o->header == DATA_HEADER_AUTO && o->n_columns))
        return 0;
    int rc = read_row(r);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return o->n_columns ? 0
                            : base_error_set(BASE_E_FORMAT, "%s: is empty, expected a header line",
                                             data_stream_name(r->stream));
    if (o->n_columns == 0)
        return name_columns(r);
    if (r->n_fields != r->n_columns)
        return base_error_set(BASE_E_FORMAT,
                              "%s:%llu: the header has %zu columns, but %zu names "
                              "are given",
                              data_stream_name(r->stream), (unsigned long long)r->record_line,
                              r->n_fields, r->n_columns);
    return 0;
}

int data_records_next_csv(struct data_records *r, json_t **row)
{
    int rc = read_row(r);
    if (rc <= 0)
        return rc;
    if (r->n_columns == 0) /* no header and no names: numbers */
        for (size_t i = 0; i < r->n_fields; i++) {
            char number[24];
            int n = snprintf(number, sizeof number, "%zu", i);
            if ((rc = data_records_column(r, number, (size_t)n)) < 0)
                return rc;
        }
    if (r->n_fields != r->n_columns)
        return base_error_set(BASE_E_FORMAT, "%s:%llu: expected %zu fields, got %zu%s",
                              data_stream_name(r->stream), (unsigned long long)r->record_line,
                              r->n_columns, r->n_fields,
                              r->quote < 0 ? ""
                                           : ": is a value with the delimiter or a line end not "
                                             "in quotes?");
    json_t *made = json_object();
    rc = made ? 0 : base_error_set(BASE_E_MEMORY, "out of memory for a record");
    for (size_t i = 0, from = 0; i < r->n_fields && !rc; from = r->fields[i++]) {
        json_t *value = NULL;
        rc = data_records_text(r, r->columns[i], r->record.data ? r->record.data + from : NULL,
                               r->fields[i] - from, &value);
        if (!rc && json_object_set_new_nocheck(made, r->columns[i], value))
            rc = base_error_set(BASE_E_MEMORY, "out of memory for a record");
    }
    if (rc) {
        json_decref(made);
        return rc;
    }
    *row = made;
    return 1;
}
