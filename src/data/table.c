/* Tables: opening, columns, rows with their number of cells checked. The quick way to read CSV, TSV
 * and lines; table_split.c holds the loop over bytes. JSON and JSON Lines stand on the records of
 * records_json.c, whose rows are turned into cells here.
 *
 * Memory: one block (256 KiB, grown only for a row that is longer), the cells of one row, the
 * columns' names. A table that has failed keeps failing the same way. */
#include "data/table.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/records.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK ((size_t)256 << 10)

static int fail(struct data_table *t, int code)
{
    t->failed = code;
    snprintf(t->message, sizeof t->message, "%s", base_error_message());
    return code;
}

int data_table_fill(struct data_table *t)
{
    if (t->at_eof)
        return 0;
    t->scan.valid = false;
    if (t->at > 0) {
        memmove(t->block, t->block + t->at, t->end - t->at);
        t->end -= t->at;
        t->at = 0;
    }
    if (t->end == t->capacity) {
        if (t->end > t->max_record)
            return base_error_set(
                BASE_E_LIMIT, "%s:%llu: the row that begins here is larger than %zu bytes",
                data_stream_name(t->stream), (unsigned long long)(t->line + 1), t->max_record);
        size_t capacity = t->capacity ? t->capacity * 2 : FIRST_BLOCK;
        char *block = base_realloc(t->block, capacity + DATA_SCAN_PAD, 1);
        if (!block)
            return BASE_E_MEMORY;
        t->block = block;
        t->capacity = capacity;
        memset(block + capacity, 0, DATA_SCAN_PAD);
    }
    size_t from = t->end;
    while (t->end < t->capacity && !t->at_eof) {
        size_t n;
        int rc = data_stream_read(t->stream, t->block + t->end, t->capacity - t->end, &n);
        if (rc)
            return rc;
        t->end += n;
        t->at_eof = n == 0;
    }
    return t->end > from;
}

int data_table_more_cells(struct data_table *t)
{
    if (t->cells_capacity > DATA_COLUMNS_MOST)
        return base_error_set(BASE_E_LIMIT, "%s:%llu: more than %d fields in a row",
                              data_stream_name(t->stream), (unsigned long long)(t->line + 1),
                              DATA_COLUMNS_MOST);
    size_t more = t->cells_capacity ? t->cells_capacity * 2 : 32;
    struct data_cell *grown = base_realloc(t->cells, more, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    t->cells = grown;
    t->cells_capacity = more;
    return 0;
}

int data_table_more_quoted(struct data_table *t)
{
    size_t more = t->quoted_capacity ? t->quoted_capacity * 2 : 16;
    size_t *grown = base_realloc(t->quoted, more, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    t->quoted = grown;
    t->quoted_capacity = more;
    return 0;
}

/* ---- columns ---- */
static int add_column(struct data_table *t, const char *name, size_t bytes)
{
    const char *file = data_table_place(t);
    if (memchr(name, 0, bytes) || base_utf8_invalid(name, bytes) < bytes)
        return base_error_set(BASE_E_FORMAT, "%s: the name of column %zu %s", file,
                              t->n_columns + 1,
                              memchr(name, 0, bytes) ? "holds a NUL" : "is not valid UTF-8");
    const int64_t *other = base_table_get(t->index, name, bytes);
    if (other)
        return base_error_set(BASE_E_FORMAT,
                              "%s: columns %lld and %zu are both named \"%s\": rename one", file,
                              (long long)*other + 1, t->n_columns + 1, t->columns[*other]);
    if (t->n_columns >= DATA_COLUMNS_MOST)
        return base_error_set(BASE_E_LIMIT, "%s: more than %d columns", file, DATA_COLUMNS_MOST);
    if (t->n_columns == t->columns_capacity) {
        size_t more = t->columns_capacity ? t->columns_capacity * 2 : 16;
        char **grown = base_realloc(t->columns, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        t->columns = grown;
        t->columns_capacity = more;
    }
    int rc = base_table_put(t->index, name, bytes, (int64_t)t->n_columns);
    if (rc)
        return rc;
    if (!(t->columns[t->n_columns] = base_strndup(name, bytes)))
        return BASE_E_MEMORY;
    t->n_columns++;
    return 0;
}

static int number_columns(struct data_table *t)
{
    for (size_t i = 0; i < t->n_cells; i++) {
        char number[24];
        int n = snprintf(number, sizeof number, "%zu", i);
        int rc = add_column(t, number, (size_t)n);
        if (rc)
            return rc;
    }
    return 0;
}

size_t data_table_columns(const struct data_table *t)
{
    return t->n_columns;
}

const char *data_table_column(const struct data_table *t, size_t i)
{
    return i < t->n_columns ? t->columns[i] : NULL;
}

/* Levenshtein distance over bytes of the first 63 of each, case ignored. */
static size_t distance(const char *a, const char *b)
{
    unsigned char row[64];
    size_t n = strnlen(b, 63);
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned char)j;
    for (size_t i = 0; a[i] && i < 63; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned char)(i + 1);
        for (size_t j = 0; j < n; j++) {
            unsigned up = row[j + 1];
            unsigned cost = diagonal + ((a[i] | 32) != (b[j] | 32));
            cost = cost < up + 1 ? cost : up + 1;
            cost = cost < row[j] + 1u ? cost : row[j] + 1u;
            row[j + 1] = (unsigned char)cost;
            diagonal = up;
        }
    }
    return row[n];
}

int data_table_find(const struct data_table *t, const char *name, size_t *index)
{
    const int64_t *at = base_table_get(t->index, name, strlen(name));
    if (at) {
        *index = (size_t)*at;
        return 0;
    }
    if (name[0] == '#' && name[1] >= '1' && name[1] <= '9') {
        char *end;
        unsigned long k = strtoul(name + 1, &end, 10);
        if (!*end && k <= t->n_columns) {
            *index = (size_t)k - 1;
            return 0;
        }
    }
    /* the three nearest, or all when there are few */
    struct base_buffer list = { 0 };
    size_t shown = 0;
    bool few = t->n_columns <= 8;
    size_t length = strlen(name);
    for (size_t most = 0; most <= 3 && shown < 3 && !few; most++)
        for (size_t i = 0; i < t->n_columns && shown < 3; i++)
            if (distance(t->columns[i], name) == most && (most < length || most == 0))
                base_buffer_printf(&list, "%s%s", shown++ ? ", " : "", t->columns[i]);
    bool near = shown > 0;
    for (size_t i = 0; i < t->n_columns && shown < 8 && !near; i++)
        base_buffer_printf(&list, "%s%s", shown++ ? ", " : "", t->columns[i]);
    if (!near && shown < t->n_columns)
        base_buffer_printf(&list, " and %zu more", t->n_columns - shown);
    int rc =
        base_error_set(BASE_E_ARGUMENT, "%s: no column \"%s\"; %s: %s",
                       t->records ? data_records_place(t->records) : data_stream_name(t->stream),
                       name, near ? "the nearest" : "there are", list.data ? list.data : "none");
    base_buffer_free(&list);
    return rc;
}

/* ---- rows of JSON ---- */
/* One value as the text of a cell. Numbers in the shortest form that reads back the same. */
static int append_value(struct base_buffer *b, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return base_buffer_reserve(b, 0);
    case JSON_STRING:
        return base_buffer_append(b, json_string_value(value), json_string_length(value));
    case JSON_TRUE:
    case JSON_FALSE:
        return base_buffer_puts(b, json_is_true(value) ? "true" : "false");
    case JSON_INTEGER:
        return base_buffer_printf(b, "%lld", (long long)json_integer_value(value));
    case JSON_REAL: {
        char text[40];
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, json_real_value(value));
            if (strtod(text, NULL) == json_real_value(value))
                break;
        }
        return base_buffer_puts(b, text);
    }
    default: {
        char *text = base_json_dump(value, false);
        int rc = text ? base_buffer_puts(b, text) : BASE_E_MEMORY;
        base_free(text);
        return rc;
    }
    }
}

static int split_object(struct data_table *t)
{
    json_t *row;
    const char *key;
    json_t *value;
    int rc = data_records_next(t->records, &row);
    if (rc <= 0)
        return rc;
    rc = 0;
    if (t->n_columns == 0)
        json_object_foreach(row, key, value) if (!rc) rc = add_column(t, key, strlen(key));
    while (!rc && t->cells_capacity < t->n_columns)
        rc = data_table_more_cells(t);
    base_buffer_clear(&t->scratch);
    if (!rc)
        rc = base_buffer_reserve(&t->scratch, 0);
    size_t found = 0;
    for (size_t i = 0; i < t->n_columns && !rc; i++) {
        size_t from = t->scratch.length;
        if ((value = json_object_get(row, t->columns[i]))) {
            found++;
            rc = append_value(&t->scratch, value);
        }
        t->cells[i].length = t->scratch.length - from;
    }
    if (!rc && found < json_object_size(row))
        json_object_foreach(row, key, value) if (!base_table_get(t->index, key, strlen(key)))
        {
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: the key \"%s\" is not one of the first record's %zu: give "
                                "every record the same keys (null where there is no value)",
                                data_table_place(t), key, t->n_columns);
            break;
        }
    for (size_t i = 0, from = 0; i < t->n_columns && !rc; i++) {
        t->cells[i].bytes = t->scratch.data + from;
        from += t->cells[i].length;
    }
    t->n_cells = t->n_columns;
    json_decref(row);
    return rc ? rc : 1;
}

/* ---- rows ---- */
/* The next row as it is, before its cells are counted. */
static int split(struct data_table *t)
{
    int rc = t->records                       ? split_object(t)
             : t->format == DATA_FORMAT_LINES ? data_table_split_line(t)
             : t->delimiter == ' '            ? data_table_split_blanks(t)
                                              : data_table_split_delimited(t);
    if (rc <= 0 || !t->high || t->records)
        return rc;
    const char *raw = t->block + t->row;
    size_t n = t->row_end - t->row, bad = data_utf8_invalid(raw, n);
    if (bad == n)
        return 1;
    return base_error_set(BASE_E_FORMAT,
                          "%s: byte %zu of the row (0x%02x) is not valid UTF-8: convert the file "
                          "first (iconv -f LATIN1 -t UTF-8)",
                          data_table_place(t), bad + 1, (unsigned char)raw[bad]);
}

/* Whether the row has as many cells as there are columns; fills it when it may be filled. */
static int check_width(struct data_table *t)
{
    if (t->n_cells == t->n_columns)
        return 0;
    if (t->pad && t->n_cells < t->n_columns) {
        int rc = 0;
        while (!rc && t->cells_capacity < t->n_columns)
            rc = data_table_more_cells(t);
        if (rc)
            return rc;
        while (t->n_cells < t->n_columns)
            t->cells[t->n_cells++] = (struct data_cell){ "", 0 };
        t->padded++;
        return 0;
    }
    return base_error_set(BASE_E_FORMAT, "%s: expected %zu fields, got %zu%s%s",
                          data_table_place(t), t->n_columns, t->n_cells,
                          t->quote < 0 ? ""
                                       : ": is a value with the delimiter or a line end not in "
                                         "quotes?",
                          t->n_cells < t->n_columns ? " (short rows can be padded)" : "");
}

int data_table_next(struct data_table *t, const struct data_cell **cells)
{
    if (t->failed)
        return base_error_set(t->failed, "%s", t->message);
    int rc = 1;
    if (t->pending)
        t->pending = false;
    else
        rc = split(t);
    if (rc == 1 && t->n_cells != t->n_columns) {
        if ((rc = check_width(t)) == 0)
            rc = 1;
    }
    if (rc < 0)
        return fail(t, rc);
    t->count += (uint64_t)rc;
    *cells = t->cells;
    return rc;
}

int data_table_pass(struct data_table *t, uint64_t rows, uint64_t *passed)
{
    const struct data_cell *cells;
    *passed = 0;
    while (*passed < rows) {
        if (!t->failed && !t->pending && !t->records && t->format != DATA_FORMAT_LINES &&
            t->delimiter != ' ') {
            uint64_t n = data_table_pass_delimited(t, rows - *passed);
            *passed += n;
            t->count += n;
            if (*passed == rows)
                break;
        }
        int rc = data_table_next(t, &cells);
        if (rc <= 0)
            return rc;
        ++*passed;
    }
    return 1;
}

struct data_cell data_table_raw(const struct data_table *t)
{
    if (t->records)
        return (struct data_cell){ t->records->record.data, t->records->record.length };
    return (struct data_cell){ t->block + t->row, t->row_end - t->row };
}

const char *data_table_place(const struct data_table *t)
{
    if (t->records)
        return data_records_place(t->records);
    /* const to the caller: the place is made when asked for */
    struct data_table *w = (struct data_table *)(uintptr_t)t;
    base_buffer_clear(&w->place);
    if (base_buffer_printf(&w->place, "%s:%llu", data_stream_name(t->stream),
                           (unsigned long long)t->row_line))
        return data_stream_name(t->stream);
    return w->place.data;
}

uint64_t data_table_line(const struct data_table *t)
{
    if (!t->records)
        return t->row_line;
    const char *colon = strrchr(data_records_place(t->records), ':');
    return colon ? strtoull(colon + 1, NULL, 10) : 0;
}

uint64_t data_table_count(const struct data_table *t)
{
    return t->count;
}

uint64_t data_table_padded(const struct data_table *t)
{
    return t->padded;
}

void data_table_progress(const struct data_table *t, uint64_t *done, uint64_t *total)
{
    if (t->records)
        data_records_progress(t->records, done, total);
    else
        data_stream_progress(t->stream, done, total);
}

/* ---- opening ---- */
/* A byte order mark is not text. */
static int pass_mark(struct data_table *t)
{
    int rc = data_table_fill(t);
    if (rc < 0)
        return rc;
    const unsigned char *p = (const unsigned char *)t->block;
    if (t->end >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        return base_error_set(BASE_E_FORMAT,
                              "%s: is UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)",
                              data_stream_name(t->stream));
    if (t->end >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        t->at = 3;
    return 0;
}

static int check_dialect(struct data_table *t, const char *path, const struct data_table_options *o)
{
    bool tabs = t->format == DATA_FORMAT_TSV, lines = t->format == DATA_FORMAT_LINES;
    t->delimiter = (unsigned char)(o->delimiter ? o->delimiter : tabs ? '\t' : ',');
    t->quote = o->quote ? o->quote : tabs || t->delimiter == ' ' ? -1 : '"';
    t->comment = o->comment ? (unsigned char)o->comment : -1;
    t->pad = o->pad;
    if (lines && (o->delimiter || o->quote || o->header == DATA_HEADER_YES || o->n_columns > 1))
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: lines are one column without a header; delimiter, quote, header "
                              "and several columns are for csv and tsv",
                              path);
    if (t->delimiter == ' ' && t->quote >= 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: columns divided by blanks have no quotes: choose another "
                              "delimiter",
                              path);
    if (t->delimiter == '\n' || t->delimiter == '\r' || t->delimiter > 127 || t->quote > 127 ||
        t->quote == t->delimiter || t->quote == '\n' || t->quote == '\r' || t->quote == 0 ||
        t->comment == '\n' || t->comment == '\r')
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: delimiter and quote must be two different ASCII characters, and "
                              "not line ends",
                              path);
    return 0;
}

/* The names: given, of the header, or numbers (then the first row waits for data_table_next). */
static int begin(struct data_table *t, const struct data_table_options *o)
{
    static const char *const text[] = { "text" };
    bool lines = t->format == DATA_FORMAT_LINES;
    const char *const *names = o->n_columns ? o->columns : text;
    size_t n = o->n_columns ? o->n_columns : lines;
    for (size_t i = 0; i < n; i++) {
        int rc = add_column(t, names[i], strlen(names[i]));
        if (rc)
            return rc;
    }
    if (lines || (o->header == DATA_HEADER_AUTO && n))
        return 0;
    int rc = split(t);
    if (rc < 0)
        return rc;
    if (o->header == DATA_HEADER_NO) {
        t->pending = rc == 1;
        return rc == 1 && n == 0 ? number_columns(t) : 0;
    }
    if (rc == 0)
        return n ? 0
                 : base_error_set(BASE_E_FORMAT, "%s: is empty, expected a header line",
                                  data_stream_name(t->stream));
    if (n && n != t->n_cells)
        return base_error_set(BASE_E_FORMAT,
                              "%s: the header has %zu columns, but %zu names are given",
                              data_table_place(t), t->n_cells, n);
    for (size_t i = 0; i < t->n_cells && n == 0; i++)
        if ((rc = add_column(t, t->cells[i].bytes, t->cells[i].length)) < 0)
            return rc;
    return 0;
}

static int begin_json(struct data_table *t, const char *path, const struct data_table_options *o)
{
    struct data_records_options how = { .format = t->format,
                                        .max_record = o->max_record,
                                        .beneath = o->beneath };
    if (o->delimiter || o->quote || o->comment || o->n_columns || o->header != DATA_HEADER_AUTO)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: header, columns, delimiter, quote and comments are for csv and "
                              "tsv, but the format is JSON",
                              path);
    int rc = data_records_open(&t->records, path, &how);
    if (rc || (rc = split_object(t)) < 0)
        return rc;
    t->pending = rc == 1;
    if (rc == 1 && t->n_columns == 0)
        return base_error_set(BASE_E_FORMAT,
                              "%s: the first record has no keys: there are no columns",
                              data_table_place(t));
    return rc == 1 ? 0 : base_error_set(BASE_E_FORMAT, "%s: is empty, expected records", path);
}

int data_table_open(struct data_table **out, const char *path,
                    const struct data_table_options *options)
{
    static const struct data_table_options none = { 0 };
    const struct data_table_options *o = options ? options : &none;
    *out = NULL;
    bool standard = !o->beneath && strcmp(path, "-") == 0;
    struct data_table *t = base_alloc_zero(1, sizeof *t);
    if (!t)
        return BASE_E_MEMORY;
    t->row_line = 1;
    t->max_record = o->max_record ? o->max_record : DATA_RECORD_BYTES;
    t->format = o->format;
    if (t->format == DATA_FORMAT_AUTO)
        t->format = standard ? DATA_FORMAT_CSV : data_format_of_name(path);
    int rc = base_table_new(&t->index, 16);
    if (rc)
        goto out;
    if (t->format == DATA_FORMAT_JSON || t->format == DATA_FORMAT_JSONL) {
        rc = begin_json(t, path, o);
        goto out;
    }
    if ((rc = data_stream_open_beneath(&t->stream, o->beneath, path)))
        goto out;
    if (t->format == DATA_FORMAT_AUTO) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: cannot tell its format from its name: say which (csv, tsv, jsonl, "
                            "json, lines)",
                            path);
        goto out;
    }
    if ((rc = check_dialect(t, path, o)) || (rc = pass_mark(t)))
        goto out;
    if (standard && o->format == DATA_FORMAT_AUTO && t->end > t->at && t->block[t->at] == '{') {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "standard input: begins with '{' and looks like JSON Lines, not CSV: "
                            "say which format it is");
        goto out;
    }
    rc = begin(t, o);
out:
    if (rc)
        data_table_close(t);
    else
        *out = t;
    return rc;
}

void data_table_close(struct data_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_columns; i++)
        base_free(t->columns[i]);
    base_free(t->columns);
    base_table_free(t->index);
    base_free(t->cells);
    base_free(t->quoted);
    base_buffer_free(&t->scratch);
    base_buffer_free(&t->place);
    base_free(t->block);
    data_stream_close(t->stream);
    data_records_close(t->records);
    base_free(t);
}

int data_error_in(int rc, const char *path)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    const bool of_rows =
        rc == BASE_E_ARGUMENT || rc == BASE_E_FORMAT || rc == BASE_E_NUMERIC || rc == BASE_E_LIMIT;
    return of_rows && !strstr(base_error_message(), name) ? base_error_prefix(rc, "%s", name) : rc;
}
