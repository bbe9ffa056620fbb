/* Reading columns for `assay stats`, and what its commands print alike.
 *
 * A file whose name tells its format (.csv, .tsv, .json, .jsonl, compressed or not) is read as
 * that. Of any other the first bytes are looked at: "[" or "{" is JSON, a comma or tab in the first
 * line makes it CSV or TSV if that line has letters, and what is left is numbers: one a line, or
 * several with blanks or commas between them, which are columns 1, 2, ... Standard input is kept in
 * memory first, so that it can be looked at twice. */
#include "cli/cmd_stats.h"
#include "base/json.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include <assay/data.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

/* Names that data_records knows the format of. */
static bool known_name(const char *path)
{
    static const char *const packed[] = { ".gz", ".bz2", ".zst" };
    static const char *const names[] = { ".csv", ".tsv", ".json", ".jsonl", ".ndjson" };
    size_t n = strlen(path);
    for (size_t i = 0; i < 3; i++)
        if (base_ends_with(path, packed[i]))
            n = strlen(path) - strlen(packed[i]);
    for (size_t i = 0; i < 5; i++) {
        size_t m = strlen(names[i]);
        if (n > m && strncmp(path + n - m, names[i], m) == 0)
            return true;
    }
    return false;
}

/* What the first line of a nameless file says. */
static int sniff(const char *path, enum data_format *out)
{
    struct data_stream *s;
    char head[4096];
    size_t n = 0, line = 0;
    int rc = data_stream_open(&s, path);
    if (rc)
        return rc;
    rc = data_stream_read(s, head, sizeof head, &n);
    data_stream_close(s);
    if (rc)
        return rc;
    size_t i = 0;
    while (i < n && isspace((unsigned char)head[i]))
        i++;
    *out = DATA_FORMAT_LINES;
    if (i < n && (head[i] == '[' || head[i] == '{')) {
        *out = DATA_FORMAT_JSON;
        return 0;
    }
    bool letters = false;
    for (line = i; line < n && head[line] != '\n'; line++)
        letters = letters || (isalpha((unsigned char)head[line]) && !strchr("eE", head[line]));
    if (letters && memchr(head + i, '\t', line - i))
        *out = DATA_FORMAT_TSV;
    else if (letters && memchr(head + i, ',', line - i))
        *out = DATA_FORMAT_CSV;
    return 0;
}

static int find_format(const char *path, const struct stats_how *how, enum data_format *out)
{
    if (how->format)
        return data_format_parse(how->format, out);
    *out = DATA_FORMAT_AUTO;
    if (known_name(path))
        return 0;
    return sniff(path, out);
}

/* Standard input into a file in memory; its descriptor and path. */
static int spool(int *fd, char path[32])
{
    struct data_stream *in = NULL;
    char block[65536];
    size_t n;
    int rc;
    if ((*fd = memfd_create("stdin", MFD_CLOEXEC)) < 0)
        return base_error_set(BASE_E_IO, "standard input: %s", strerror(errno));
    snprintf(path, 32, "/proc/self/fd/%d", *fd);
    if ((rc = data_stream_open(&in, "-")))
        return rc;
    while ((rc = data_stream_read(in, block, sizeof block, &n)) == 0 && n)
        for (size_t done = 0; done < n;) {
            ssize_t more = write(*fd, block + done, n - done);
            if (more < 0) {
                rc = base_error_set(BASE_E_IO, "standard input: %s", strerror(errno));
                goto out;
            }
            done += (size_t)more;
        }
out:
    data_stream_close(in);
    return rc;
}

/* "standard input" for the path it was kept under, in the current message. */
static int rename_stdin(int rc, const char *path)
{
    char message[1024];
    snprintf(message, sizeof message, "%s", base_error_message());
    size_t n = strlen(path);
    return strncmp(message, path, n) == 0 ? base_error_set(rc, "standard input%s", message + n)
                                          : rc;
}

static const char *const blanks = " \t\r,;";

/* A record's cells: keys and values of a row, or the pieces of a line. */
struct cells {
    json_t *row;  /* owned; its values live as long */
    char *line;   /* owned copy of a line, cut at blanks */
    char **piece; /* [n] */
    size_t n, capacity;
};

static void cells_free(struct cells *c)
{
    json_decref(c->row);
    base_free(c->line);
    c->row = NULL;
    c->line = NULL;
    c->n = 0;
}

/* Takes the row. */
static int cells_set(struct cells *c, json_t *row, bool lines)
{
    cells_free(c);
    c->row = row;
    if (!lines) {
        c->n = json_object_size(row);
        return 0;
    }
    const char *text = json_string_value(json_object_get(row, "text"));
    if (!(c->line = base_strdup(text ? text : "")))
        return BASE_E_MEMORY;
    char *save = NULL;
    for (char *p = strtok_r(c->line, blanks, &save); p; p = strtok_r(NULL, blanks, &save)) {
        if (c->n == c->capacity) {
            char **more = base_realloc(c->piece, 2 * c->capacity + 4, sizeof *more);
            if (!more)
                return BASE_E_MEMORY;
            c->piece = more;
            c->capacity = 2 * c->capacity + 4;
        }
        c->piece[c->n++] = p;
    }
    return 0;
}

/* The k-th (from 0) column's name into text, and the column a name or number stands for (-1). */
static const char *column_name(const struct cells *c, size_t k, char text[32])
{
    if (c->line) {
        snprintf(text, 32, "%zu", k + 1);
        return text;
    }
    void *at = json_object_iter(c->row);
    while (at && k--)
        at = json_object_iter_next(c->row, at);
    return at ? json_object_iter_key(at) : "";
}

static long column_place(const struct cells *c, const char *name)
{
    char text[32], *end;
    for (size_t k = 0; k < c->n; k++)
        if (strcmp(column_name(c, k, text), name) == 0)
            return (long)k;
    long number = strtol(name, &end, 10);
    return end != name && !*end && number >= 1 && (size_t)number <= c->n ? number - 1 : -1;
}

/* "a, b and c" of the file's columns. */
static void list_columns(const struct cells *c, char *out, size_t room)
{
    size_t used = 0;
    char text[32];
    out[0] = 0;
    for (size_t k = 0; k < c->n && used + 40 < room; k++) {
        int n = snprintf(out + used, room - used, "%s%s", k ? ", " : "", column_name(c, k, text));
        used += (size_t)n < room - used ? (size_t)n : room - used - 1;
    }
}

/* Finds every field's column in the first record and stores its title. */
static int resolve(struct stats_sample *s, const struct cells *c, const char *path)
{
    size_t unnamed = 0, next = 0;
    char text[32], columns[512];
    list_columns(c, columns, sizeof columns);
    for (size_t f = 0; f < s->n_fields; f++)
        unnamed += s->field[f].name == NULL;
    for (size_t f = 0; f < s->n_fields; f++) {
        struct stats_field *field = &s->field[f];
        long place = (long)next;
        if (field->name) {
            if ((place = column_place(c, field->name)) < 0)
                return base_error_set(BASE_E_ARGUMENT, "%s has no column \"%s\"; it has %s", path,
                                      field->name, columns);
        } else if (unnamed != c->n || unnamed != s->n_fields) {
            return base_error_set(BASE_E_ARGUMENT, "%s has the columns %s: say which with %s", path,
                                  columns, field->option);
        } else {
            next++;
        }
        if (!(field->title = base_strdup(column_name(c, (size_t)place, text))))
            return BASE_E_MEMORY;
    }
    return 0;
}

/* The text of a cell; scratch [64] holds numbers. NULL: missing. */
static const char *cell_text(const struct cells *c, const char *title, char scratch[64])
{
    if (c->line) {
        size_t k = strtoul(title, NULL, 10) - 1;
        return k < c->n ? c->piece[k] : NULL;
    }
    const json_t *v = json_object_get(c->row, title);
    if (json_is_string(v))
        return *json_string_value(v) ? json_string_value(v) : NULL;
    if (json_is_boolean(v))
        return json_is_true(v) ? "1" : "0";
    if (json_is_integer(v))
        snprintf(scratch, 64, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        base_double_text(json_real_value(v), scratch);
    else
        return v && !json_is_null(v) ? "a list or object" : NULL;
    return scratch;
}

/* A number; "true" and "false" are 1 and 0. 0 fine, 1 missing (NaN, NA), -1 no number. */
static int parse_cell(const char *text, double *out)
{
    char *end;
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0) {
        *out = text[0] == 't' || text[0] == 'T';
        return 0;
    }
    *out = strtod(text, &end);
    while (isspace((unsigned char)*end))
        end++;
    if (end == text || *end)
        return strcasecmp(text, "na") == 0 || strcasecmp(text, "null") == 0 ? 1 : -1;
    return isnan(*out) ? 1 : isinf(*out) ? -1 : 0;
}

static int grow(struct stats_sample *s)
{
    if (s->n < s->capacity)
        return 0;
    size_t capacity = s->capacity ? 2 * s->capacity : 1024;
    for (size_t f = 0; f < s->n_fields; f++) {
        struct stats_field *field = &s->field[f];
        void *more = field->label ? (void *)base_realloc(field->id, capacity, sizeof *field->id)
                                  : (void *)base_realloc(field->x, capacity, sizeof *field->x);
        if (!more)
            return BASE_E_MEMORY;
        if (field->label)
            field->id = more;
        else
            field->x = more;
    }
    s->capacity = capacity;
    return 0;
}

/* The number of a label, new ones at the end. */
static int label_id(struct stats_field *field, struct base_table *table, const char *text,
                    uint32_t *out)
{
    size_t length = strlen(text);
    const int64_t *known = base_table_get(table, text, length);
    if (known) {
        *out = (uint32_t)*known;
        return 0;
    }
    size_t n = field->n_labels;
    if ((n & (n - 1)) == 0) {
        char **more = base_realloc(field->labels, n ? 2 * n : 1, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        field->labels = more;
    }
    if (!(field->labels[n] = base_strdup(text)))
        return BASE_E_MEMORY;
    field->n_labels = n + 1;
    *out = (uint32_t)n;
    return base_table_put(table, text, length, (int64_t)n);
}

/* One record's cells to row s->n. */
static int add_record(struct stats_sample *s, struct base_table **tables, const struct cells *c,
                      const char *place, const struct stats_how *how)
{
    int rc = grow(s);
    bool missing = false;
    for (size_t f = 0; f < s->n_fields && rc == 0; f++) {
        struct stats_field *field = &s->field[f];
        char scratch[64];
        const char *text = cell_text(c, field->title, scratch);
        int state = text && !field->label ? parse_cell(text, &field->x[s->n]) : text ? 0 : 1;
        if (state < 0)
            return base_error_set(BASE_E_FORMAT, "%s: column %s: \"%.40s\" is no finite number",
                                  place, field->title, text);
        if (state && !how->skip_missing)
            return base_error_set(BASE_E_FORMAT,
                                  "%s: column %s is %s; --skip-missing leaves such rows out", place,
                                  field->title, text ? text : "empty");
        missing = missing || state;
    }
    /* a label counts only in a row that is kept */
    for (size_t f = 0; f < s->n_fields && rc == 0 && !missing; f++) {
        struct stats_field *field = &s->field[f];
        char scratch[64];
        if (field->label)
            rc = label_id(field, tables[f], cell_text(c, field->title, scratch), &field->id[s->n]);
    }
    if (rc == 0) {
        s->skipped += missing;
        s->n += !missing;
    }
    return rc;
}

/* A JSON array of plain numbers, which is no list of records. */
static int add_plain(struct stats_sample *s, const json_t *array, const char *path,
                     const struct stats_how *how)
{
    size_t i;
    const json_t *v;
    if (s->n_fields != 1 || s->field[0].label)
        return base_error_set(BASE_E_ARGUMENT, "%s is a list of plain numbers: one column only",
                              path);
    if (!(s->field[0].title = base_strdup("value")))
        return BASE_E_MEMORY;
    json_array_foreach(array, i, v)
    {
        int rc = grow(s);
        if (rc)
            return rc;
        if (json_is_null(v) && how->skip_missing) {
            s->skipped++;
            continue;
        }
        if (!json_is_number(v) && !json_is_boolean(v))
            return base_error_set(BASE_E_FORMAT, "%s: element %zu is no number", path, i + 1);
        s->field[0].x[s->n++] = json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
    }
    return 0;
}

/* 1 when the file was a JSON array of plain values and has been taken, 0 when it is something else.
 */
static int try_plain_json(struct stats_sample *s, const char *path, const struct stats_how *how)
{
    struct data_stream *stream;
    char head[256];
    size_t n = 0, i = 0;
    if (data_stream_open(&stream, path))
        return 0;
    int rc = data_stream_read(stream, head, sizeof head, &n);
    data_stream_close(stream);
    while (i < n && isspace((unsigned char)head[i]))
        i++;
    if (rc || i == n || head[i] != '[')
        return 0;
    for (i++; i < n && isspace((unsigned char)head[i]); i++)
        ;
    if (i == n || head[i] == '{' || head[i] == '[')
        return 0;
    json_t *array = NULL;
    if ((rc = base_json_load(&array, path)) == 0)
        rc = add_plain(s, array, path, how);
    json_decref(array);
    return rc ? rc : 1;
}

/* 1 for a list of plain numbers, 0 for records. */
static int read_values(struct stats_sample *s, const char *path, const struct stats_how *how)
{
    struct data_records_options options = { 0 };
    struct data_records *records = NULL;
    struct base_table *tables[64] = { NULL };
    struct cells cells = { 0 };
    json_t *row = NULL;
    int rc = s->n_fields > 64 ? base_error_set(BASE_E_LIMIT, "at most 64 columns can be read") : 0;
    if (rc || (rc = find_format(path, how, &options.format)))
        return rc;
    bool lines = options.format == DATA_FORMAT_LINES;
    if (!lines && options.format != DATA_FORMAT_CSV && options.format != DATA_FORMAT_TSV &&
        (rc = try_plain_json(s, path, how)))
        return rc;
    for (size_t f = 0; f < s->n_fields && rc == 0; f++)
        if (s->field[f].label)
            rc = base_table_new(&tables[f], 64);
    if (rc || (rc = data_records_open(&records, path, &options)))
        goto out;
    while ((rc = data_records_next(records, &row)) > 0) {
        if ((rc = cells_set(&cells, row, lines)))
            goto out;
        if (cells.n == 0)
            continue; /* a blank line */
        if (!s->field[0].title && (rc = resolve(s, &cells, path)))
            goto out;
        if ((rc = add_record(s, tables, &cells, data_records_place(records), how)))
            goto out;
    }
out:
    cells_free(&cells);
    base_free(cells.piece);
    for (size_t f = 0; f < s->n_fields && f < 64; f++)
        base_table_free(tables[f]);
    data_records_close(records);
    return rc;
}

static int read_path(struct stats_sample *s, const char *path, const struct stats_how *how)
{
    int rc = read_values(s, path, how);
    if (rc >= 0 && s->n == 0)
        return base_error_set(BASE_E_ARGUMENT, "%s has no values%s", path,
                              s->skipped ? " but missing ones" : "");
    return rc < 0 ? rc : 0;
}

int stats_sample_read(struct stats_sample *s, const char *path, const struct stats_how *how,
                      struct stats_field *field, size_t n_fields)
{
    *s = (struct stats_sample){ .field = field, .n_fields = n_fields };
    if (strcmp(path, "-") != 0)
        return read_path(s, path, how);
    char kept[32];
    int fd, rc = spool(&fd, kept);
    if (rc == 0 && (rc = read_path(s, kept, how)))
        rc = rename_stdin(rc, kept);
    if (fd >= 0)
        close(fd);
    return rc;
}

void stats_sample_free(struct stats_sample *s)
{
    for (size_t f = 0; f < s->n_fields; f++) {
        struct stats_field *field = &s->field[f];
        for (size_t i = 0; i < field->n_labels; i++)
            base_free(field->labels[i]);
        base_free(field->labels);
        base_free(field->title);
        base_free(field->x);
        base_free(field->id);
    }
    s->n_fields = 0;
}

int stats_two_read(const struct cli_command *command, struct stats_two *two, char **argv, int n,
                   const struct stats_how *how, const char *first, const char *second,
                   const char *cluster, bool paired)
{
    *two = (struct stats_two){ .two_files = n == 2 };
    if (n < 1 || n > 2)
        return cli_usage(command, "give one FILE with two columns or two FILEs");
    if (n == 2 && cluster)
        return cli_usage(command, "--cluster needs both columns in one FILE");
    size_t each = n == 1 ? (cluster ? 3 : 2) : 1;
    const char *names[3] = { first, second, cluster };
    static const char *const option[3] = { "--first and --second", "--first and --second",
                                           "--cluster" };
    for (size_t f = 0; f < 3; f++)
        two->field[f] =
            (struct stats_field){ .name = names[f], .option = option[f], .label = f == 2 };
    for (int k = 0; k < n; k++)
        if (stats_sample_read(&two->sample[k], argv[1 + k], how, &two->field[k], each))
            return cli_fail(command);
    for (int k = 0; k < 2; k++) {
        two->x[k] = two->field[k].x;
        two->n[k] = two->sample[n == 2 ? k : 0].n;
        two->title[k] = n == 2 ? argv[1 + k] : two->field[k].title;
    }
    two->cluster = cluster ? two->field[2].id : NULL;
    two->clusters = two->field[2].n_labels;
    if (paired && two->n[0] != two->n[1]) {
        base_error_set(BASE_E_ARGUMENT, "pairs need equally many values: %s has %zu, %s has %zu",
                       two->title[0], two->n[0], two->title[1], two->n[1]);
        return cli_fail(command);
    }
    return 0;
}

void stats_two_free(struct stats_two *two)
{
    stats_sample_free(&two->sample[0]);
    stats_sample_free(&two->sample[1]);
}

json_t *stats_json_interval(const struct stats_interval *i)
{
    return json_pack("[o, o]", base_json_number(i->low), base_json_number(i->high));
}

static char *buffer(void)
{
    static char buffers[8][64];
    static unsigned next;
    return buffers[next++ % 8];
}

const char *stats_show_p(double p)
{
    char *text = buffer();
    if (p < 1e-300)
        snprintf(text, 64, "< 1e-300");
    else
        snprintf(text, 64, "%.4g", p);
    return text;
}

const char *stats_show(double x)
{
    char *text = buffer();
    snprintf(text, 64, isnan(x) ? "-" : "%.6g", x);
    return text;
}

const char *stats_show_interval(const struct stats_interval *i)
{
    char *text = buffer();
    snprintf(text, 64, "%.6g .. %.6g", i->low, i->high);
    return text;
}

const char *stats_words_p(double p)
{
    return p > 0.1     ? "no evidence"
           : p > 0.05  ? "weak evidence"
           : p > 0.001 ? "evidence"
                       : "strong evidence";
}

int stats_say(struct base_buffer *b, const char *format, ...)
{
    va_list arguments;
    char text[2048];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return cli_append_wrapped(b, 2, text);
}

int stats_check_share(const struct cli_command *command, const char *option, double value)
{
    return value > 0 && value < 1
               ? 0
               : cli_usage(command, "%s is between 0 and 1, not %g", option, value);
}

int stats_choose(const struct cli_command *command, const char *option, const char *name,
                 const char *const *names, int n)
{
    char list[256] = "";
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    return -cli_usage(command, "%s %s: choose %s", option, name, list);
}
