/* Records out of a stream: opening, what the formats share, and lines.
 *
 * The stream is read in blocks into `block`; parsers walk `at` towards `end` and collect one record
 * in `record`. Line numbers count '\n' (and a '\r' that stands alone in CSV) of the decompressed
 * text, from 1. The JSON and the delimited formats are in records_json.c and records_csv.c. */
#include "base/memory.h"
#include "base/text.h"
#include "data/builtin.h"
#include "data/records.h"
#include "data/table.h"
#include <string.h>

static const char *const format_names[] = { "auto", "json", "jsonl", "csv", "tsv", "lines" };

int data_format_parse(const char *name, enum data_format *out)
{
    for (int i = 0; i < 6; i++)
        if (strcmp(name, format_names[i]) == 0) {
            *out = (enum data_format)i;
            return 0;
        }
    if (strcmp(name, "text") == 0) {
        *out = DATA_FORMAT_LINES;
        return 0;
    }
    return base_error_set(BASE_E_ARGUMENT,
                          "data format \"%s\": choose json, jsonl, csv, tsv, lines or auto", name);
}

int data_records_fail(struct data_records *r, int code)
{
    r->failed = code;
    snprintf(r->message, sizeof r->message, "%s", base_error_message());
    return code;
}

int data_records_fill(struct data_records *r)
{
    size_t n = 0;
    r->at = r->end = 0;
    int rc = r->at_eof ? 0 : data_stream_read(r->stream, r->block, DATA_BLOCK, &n);
    r->end = n;
    r->at_eof = n == 0;
    return rc ? rc : n > 0;
}

int data_record_add(struct data_records *r, const char *bytes, size_t n)
{
    if (n > r->max_record - r->record.length)
        return base_error_set(
            BASE_E_LIMIT, "%s:%llu: the record that begins here is larger than %zu bytes",
            data_stream_name(r->stream), (unsigned long long)r->record_line, r->max_record);
    return base_buffer_append(&r->record, bytes, n);
}

/* One line without its end ('\n' or "\r\n") behind what is in r->record: 1, or 0 when there is none
 * any more. */
int data_records_line(struct data_records *r)
{
    size_t start = r->record.length;
    for (;;) {
        if (r->at == r->end) {
            int rc = data_records_fill(r);
            if (rc < 0)
                return rc;
            if (rc == 0) {
                if (!r->inside_line)
                    return 0;
                break; /* the last line may lack its end */
            }
        }
        const char *from = r->block + r->at;
        const char *end = memchr(from, '\n', r->end - r->at);
        size_t n = end ? (size_t)(end - from) : r->end - r->at;
        int rc = data_record_add(r, from, n);
        if (rc)
            return rc;
        r->at += n + (end != NULL);
        r->inside_line = !end;
        if (end)
            break;
    }
    r->line++;
    r->inside_line = false;
    if (r->record.length > start && r->record.data[r->record.length - 1] == '\r')
        r->record.data[--r->record.length] = 0;
    return 1;
}

int data_records_text(struct data_records *r, const char *what, const char *bytes, size_t n,
                      json_t **out)
{
    size_t bad = base_utf8_invalid(bytes ? bytes : "", n);
    if (bad < n)
        return base_error_set(BASE_E_FORMAT,
                              "%s:%llu: %s: byte %zu (0x%02x) is not valid UTF-8: convert the file "
                              "first (iconv -f LATIN1 -t UTF-8)",
                              data_stream_name(r->stream), (unsigned long long)r->record_line, what,
                              bad, (unsigned char)bytes[bad]);
    *out = json_stringn_nocheck(bytes ? bytes : "", n);
    return *out ? 0 : base_error_set(BASE_E_MEMORY, "out of memory for a record");
}

/* n_columns lines are a record. */
static int next_lines(struct data_records *r, json_t **row)
{
    json_t *made = json_object();
    int rc = made ? 0 : base_error_set(BASE_E_MEMORY, "out of memory for a record");
    for (size_t i = 0; i < r->n_columns && !rc; i++) {
        base_buffer_clear(&r->record);
        rc = data_records_line(r);
        if (rc == 0 && i == 0) {
            json_decref(made);
            return 0;
        }
        if (rc == 0)
            rc = base_error_set(BASE_E_FORMAT,
                                "%s:%llu: the file ends after %zu of this record's %zu lines (%s)",
                                data_stream_name(r->stream), (unsigned long long)r->record_line, i,
                                r->n_columns, r->columns[i]);
        json_t *value = NULL;
        if (rc > 0)
            rc = data_records_text(r, r->columns[i], r->record.data, r->record.length, &value);
        if (rc == 0 && json_object_set_new_nocheck(made, r->columns[i], value))
            rc = base_error_set(BASE_E_MEMORY, "out of memory for a record");
    }
    if (rc) {
        json_decref(made);
        return rc;
    }
    *row = made;
    return 1;
}

int data_records_next(struct data_records *r, json_t **row)
{
    *row = NULL;
    if (r->failed)
        return base_error_set(r->failed, "%s", r->message);
    base_buffer_clear(&r->record);
    r->record_line = r->line + 1;
    int rc;
    switch (r->format) {
    case DATA_FORMAT_JSON:
        rc = data_records_next_json(r, row);
        break;
    case DATA_FORMAT_JSONL:
        rc = data_records_next_jsonl(r, row);
        break;
    case DATA_FORMAT_LINES:
        rc = next_lines(r, row);
        break;
    default:
        rc = data_records_next_csv(r, row);
    }
    if (rc < 0)
        return data_records_fail(r, rc);
    r->count += rc == 1;
    return rc;
}

enum data_format data_format_of_name(const char *path)
{
    static const struct {
        const char *suffix;
        enum data_format format;
    } known[] = {
        { ".json", DATA_FORMAT_JSON },    { ".jsonl", DATA_FORMAT_JSONL },
        { ".ndjson", DATA_FORMAT_JSONL }, { ".csv", DATA_FORMAT_CSV },
        { ".tsv", DATA_FORMAT_TSV },      { ".txt", DATA_FORMAT_LINES },
    };
    static const char *const packed[] = { ".gz", ".bz2", ".zst" };
    const struct data_builtin *builtin = data_builtin_find(path);
    if (builtin)
        path = builtin->file;
    size_t n = strlen(path);
    for (size_t i = 0; i < 3; i++)
        if (base_ends_with(path, packed[i]))
            n -= strlen(packed[i]);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t k = strlen(known[i].suffix);
        if (n > k && memcmp(path + n - k, known[i].suffix, k) == 0)
            return known[i].format;
    }
    return DATA_FORMAT_AUTO;
}

/* The format by the file's name; of standard input, by its first byte. */
static int tell_format(struct data_records *r, const char *path)
{
    if (strcmp(path, "-") == 0) {
        for (;; r->at++) {
            if (r->at == r->end) {
                int rc = data_records_fill(r);
                if (rc < 0)
                    return rc;
                if (rc == 0)
                    break;
            }
            char c = r->block[r->at];
            r->line += c == '\n';
            if (c == '[' || c == '{') {
                r->format = DATA_FORMAT_JSON;
                return 0;
            }
            if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
                break;
        }
    } else {
        r->format = data_format_of_name(path);
        if (r->format != DATA_FORMAT_AUTO)
            return 0;
    }
    return base_error_set(
        BASE_E_ARGUMENT, "%s: cannot tell its format%s: say which (json, jsonl, csv, tsv, lines)",
        data_stream_name(r->stream), strcmp(path, "-") == 0 ? "" : " from its name");
}

/* A byte order mark is not text. */
static int pass_mark(struct data_records *r)
{
    int rc = data_records_fill(r);
    if (rc <= 0)
        return rc;
    const unsigned char *p = (const unsigned char *)r->block;
    if (r->end >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        return base_error_set(BASE_E_FORMAT,
                              "%s: is UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)",
                              data_stream_name(r->stream));
    if (r->end >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        r->at = 3;
    return 0;
}

static int copy_columns(struct data_records *r, const struct data_records_options *o)
{
    static const char *const text[] = { "text" };
    const char *const *names = o->columns;
    size_t n = o->n_columns;
    if (n == 0 && r->format == DATA_FORMAT_LINES) {
        names = text;
        n = 1;
    }
    if (n && (r->format == DATA_FORMAT_JSON || r->format == DATA_FORMAT_JSONL))
        return base_error_set(BASE_E_ARGUMENT, "%s: column names are given, but JSON has its own",
                              data_stream_name(r->stream));
    for (size_t i = 0; i < n; i++) {
        int rc = data_records_column(r, names[i], strlen(names[i]));
        if (rc)
            return rc;
    }
    return 0;
}

int data_records_column(struct data_records *r, const char *name, size_t bytes)
{
    if (memchr(name, 0, bytes) || base_utf8_invalid(name, bytes) < bytes)
        return base_error_set(BASE_E_FORMAT, "%s:%llu: the name of column %zu %s",
                              data_stream_name(r->stream), (unsigned long long)r->record_line,
                              r->n_columns + 1,
                              memchr(name, 0, bytes) ? "holds a NUL" : "is not valid UTF-8");
    for (size_t i = 0; i < r->n_columns; i++)
        if (strlen(r->columns[i]) == bytes && memcmp(r->columns[i], name, bytes) == 0)
            return base_error_set(BASE_E_FORMAT,
                                  "%s:%llu: columns %zu and %zu are both named \"%s\": rename one",
                                  data_stream_name(r->stream), (unsigned long long)r->record_line,
                                  i + 1, r->n_columns + 1, r->columns[i]);
    if (r->n_columns >= DATA_COLUMNS_MOST)
        return base_error_set(BASE_E_LIMIT, "%s: more than %d columns", data_stream_name(r->stream),
                              DATA_COLUMNS_MOST);
    char **more = base_realloc(r->columns, r->n_columns + 1, sizeof *more);
    if (!more)
        return BASE_E_MEMORY;
    r->columns = more;
    if (!(r->columns[r->n_columns] = base_strndup(name, bytes)))
        return BASE_E_MEMORY;
    r->n_columns++;
    return 0;
}

int data_records_open(struct data_records **out, const char *path,
                      const struct data_records_options *options)
{
    static const struct data_records_options none = { 0 };
    const struct data_records_options *o = options ? options : &none;
    *out = NULL;
    struct data_records *r = base_alloc_zero(1, sizeof *r);
    if (!r)
        return BASE_E_MEMORY;
    int rc = data_stream_open_beneath(&r->stream, o->beneath, path);
    if (rc)
        goto out;
    r->format = o->format;
    r->max_record = o->max_record ? o->max_record : DATA_RECORD_BYTES;
    r->record_line = 1;
    if (!(r->block = base_alloc(DATA_BLOCK, 1))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    if ((rc = pass_mark(r)) || (r->format == DATA_FORMAT_AUTO && (rc = tell_format(r, path))))
        goto out;
    if (o->field && r->format != DATA_FORMAT_JSON) {
        rc =
            base_error_set(BASE_E_ARGUMENT,
                           "%s: records are asked for in the key \"%s\", but the format is %s, not "
                           "json",
                           data_stream_name(r->stream), o->field, format_names[r->format]);
        goto out;
    }
    bool table = r->format == DATA_FORMAT_CSV || r->format == DATA_FORMAT_TSV;
    if (!table && (o->delimiter || o->quote || o->header == DATA_HEADER_YES)) {
        rc =
            base_error_set(BASE_E_ARGUMENT,
                           "%s: header, delimiter and quote are for csv and tsv, but the format is "
                           "%s",
                           data_stream_name(r->stream), format_names[r->format]);
        goto out;
    }
    if ((rc = copy_columns(r, o)))
        goto out;
    if (table)
        rc = data_records_begin_csv(r, o);
    else if (o->field)
        rc = data_records_begin_field(r, o->field);
out:
    if (rc)
        data_records_close(r);
    else
        *out = r;
    return rc;
}

const char *data_records_place(const struct data_records *r)
{
    /* const to the caller: the place is made when asked for */
    struct data_records *w = (struct data_records *)(uintptr_t)r;
    base_buffer_clear(&w->place);
    if (base_buffer_printf(&w->place, "%s:%llu", data_stream_name(r->stream),
                           (unsigned long long)r->record_line))
        return data_stream_name(r->stream);
    return w->place.data;
}

uint64_t data_records_line_of(const struct data_records *r)
{
    return r->record_line;
}

uint64_t data_records_count(const struct data_records *r)
{
    return r->count;
}

void data_records_progress(const struct data_records *r, uint64_t *done, uint64_t *total)
{
    data_stream_progress(r->stream, done, total);
}

void data_records_close(struct data_records *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_columns; i++)
        base_free(r->columns[i]);
    base_free(r->columns);
    base_free(r->fields);
    base_free(r->field);
    base_buffer_free(&r->record);
    base_buffer_free(&r->place);
    base_free(r->block);
    data_stream_close(r->stream);
    base_free(r);
}

int data_rows_read(json_t **rows, const char *path, const struct data_records_options *options,
                   uint64_t limit)
{
    *rows = NULL;
    struct data_records *r = NULL;
    int rc = data_records_open(&r, path, options);
    if (rc)
        return rc;
    json_t *made = json_array(), *row;
    if (!made)
        rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", path);
    while (!rc && (limit == 0 || data_records_count(r) < limit) &&
           (rc = data_records_next(r, &row)) == 1)
        rc = json_array_append_new(made, row)
                 ? base_error_set(BASE_E_MEMORY, "%s: out of memory for its rows", path)
                 : 0;
    data_records_close(r);
    if (rc)
        json_decref(made);
    else
        *rows = made;
    return rc;
}
