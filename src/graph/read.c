/* Edge lists: CSV, TSV, blanks, JSON Lines, by way of data's tables, whose rules on quotes, line
 * ends, UTF-8 and ragged rows hold here too. This file finds out what kind of list it is: which
 * divider, whether the first row is a header, which columns. */
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "data/table.h"
#include "graph/reader.h"
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define LOOK 65536 /* bytes looked at for the divider */

/* ---- which divider ---- */
static bool is_comment(const char *line, size_t n)
{
    return n > 0 && (line[0] == '%' || (line[0] == '#' && (n == 1 || line[1] == ' ' ||
                                                           line[1] == '\t' || line[1] == '\r')));
}

static int look(const char *path, char **text, size_t *bytes)
{
    struct data_stream *s = NULL;
    size_t n = 0, at = 0;
    int rc = data_stream_open(&s, path);
    if (rc)
        return rc;
    if (!(*text = base_alloc(LOOK, 1)))
        rc = BASE_E_MEMORY;
    while (!rc && at < LOOK && (rc = data_stream_read(s, *text + at, LOOK - at, &n)) == 0 && n > 0)
        at += n;
    *bytes = at;
    data_stream_close(s);
    return rc;
}

/* Fills what options leave open, from the first line that is not a comment. */
static int tell(const char *path, struct data_table_options *t, bool *graphml)
{
    char *text = NULL;
    size_t bytes, from = 0;
    int rc = look(path, &text, &bytes);
    if (rc) {
        base_free(text);
        return rc;
    }
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        from = 3;
    const char *line = text + from;
    size_t n = 0, left = bytes - from;
    for (;; line += n, left -= n) {
        const char *end = memchr(line, '\n', left);
        n = end ? (size_t)(end - line) : left;
        if (n == left)
            break;
        if (is_comment(line, n) && !t->comment)
            t->comment = line[0];
        if (n > 0 && !(t->comment && line[0] == t->comment) && !(n == 1 && line[0] == '\r'))
            break;
        n++;
    }
    bool open = t->format == DATA_FORMAT_AUTO && data_format_of_name(path) != DATA_FORMAT_CSV &&
                data_format_of_name(path) != DATA_FORMAT_TSV;
    if (open && !t->delimiter) {
        t->format = DATA_FORMAT_CSV;
        if (n > 0 && line[0] == '<')
            *graphml = true;
        else if (memchr(line, ',', n))
            ;
        else if (memchr(line, '\t', n))
            t->format = DATA_FORMAT_TSV;
        else
            t->delimiter = memchr(line, ';', n) ? ';' : ' ';
    } else if (open)
        t->format = DATA_FORMAT_CSV;
    base_free(text);
    return 0;
}

/* ---- which columns, and whether the first row is a header ---- */
static bool is_whole(struct data_cell c)
{
    size_t i = c.length > 0 && c.bytes[0] == '-';
    if (i == c.length)
        return false;
    for (; i < c.length; i++)
        if (c.bytes[i] < '0' || c.bytes[i] > '9')
            return false;
    return true;
}

static bool cell_is(struct data_cell c, const char *word)
{
    return strlen(word) == c.length && strncasecmp(c.bytes, word, c.length) == 0;
}

static bool usual_heading(struct data_cell a, struct data_cell b)
{
    static const char *const pairs[][2] = {
        { "source", "target" },     { "from", "to" },       { "src", "dst" },
        { "node_1", "node_2" },     { "node1", "node2" },   { "id_1", "id_2" },
        { "id1", "id2" },           { "start", "end" },     { "fromnodeid", "tonodeid" },
        { "from_id", "to_id" },     { "person", "friend" }, { "parent", "child" },
        { "follower", "followed" }, { "head", "tail" },     { "source_id", "target_id" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (cell_is(a, pairs[i][0]) && cell_is(b, pairs[i][1]))
            return true;
    return false;
}

/* A row that must outlive the next one. */
struct row {
    char *bytes;
    struct data_cell *cells;
};
static int row_copy(struct row *to, const struct data_cell *cells, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += cells[i].length;
    to->bytes = base_alloc(bytes + 1, 1);
    to->cells = base_alloc(n, sizeof *to->cells);
    if (!to->bytes || !to->cells)
        return BASE_E_MEMORY;
    char *at = to->bytes;
    for (size_t i = 0; i < n; i++) {
        memcpy(at, cells[i].bytes, cells[i].length);
        to->cells[i] = (struct data_cell){ at, cells[i].length };
        at += cells[i].length;
    }
    return 0;
}
static void row_free(struct row *r)
{
    base_free(r->bytes);
    base_free(r->cells);
    *r = (struct row){ 0 };
}

struct list {
    const char *path;
    struct data_table *table;
    const struct graph_read_options *options;
    struct graph_reader reader;
    size_t column[3]; /* source, target, weight */
    bool header;
};

/* "#3" is column 2 of n; else SIZE_MAX. */
static size_t column_number(const char *name, size_t n)
{
    int64_t i;
    return name[0] == '#' && base_parse_int(name + 1, "column", 1, (int64_t)n, &i) == 0
               ? (size_t)i - 1
               : SIZE_MAX;
}

/* Whether an option names a column by a heading and not by its number. */
static bool asks_by_name(const char *name)
{
    int64_t i;
    return name && !(name[0] == '#' && base_parse_int(name + 1, "column", 1, INT32_MAX, &i) == 0);
}

static int find_column(struct list *l, const char *name, const struct row *first, size_t n,
                       size_t *out)
{
    for (size_t i = 0; l->header && first->cells && i < n; i++)
        if (first->cells[i].length == strlen(name) &&
            memcmp(first->cells[i].bytes, name, first->cells[i].length) == 0) {
            *out = i;
            return 0;
        }
    if (l->header && !first->cells) /* JSON: the keys are the table's columns */
        return data_table_find(l->table, name, out);
    if ((*out = column_number(name, n)) != SIZE_MAX)
        return 0;
    char names[256] = "";
    size_t at = 0;
    for (size_t i = 0; l->header && i < n && at + 2 < sizeof names; i++) {
        int k = snprintf(names + at, sizeof names - at, "%s%.*s", i ? ", " : "",
                         (int)(first->cells[i].length < 60 ? first->cells[i].length : 60),
                         first->cells[i].bytes);
        at += k > 0 ? (size_t)k : 0;
    }
    return base_error_set(BASE_E_ARGUMENT, "%s: no column \"%s\"; %s%s", l->path, name,
                          l->header ? "there are: " : "there is no header: give columns as #1, #2",
                          names);
}

static int choose_columns(struct list *l, const struct row *first, size_t n)
{
    const char *const asked[3] = { l->options->source, l->options->target, l->options->weight };
    static const char *const what[3] = { "source", "target", "weight" };
    for (size_t i = 0; i < 3; i++) {
        l->column[i] = i < 2 ? i : SIZE_MAX;
        int rc = asked[i] ? find_column(l, asked[i], first, n, &l->column[i]) : 0;
        if (rc)
            return base_error_prefix(rc, "%s", what[i]);
    }
    if (l->column[0] == l->column[1])
        return base_error_set(BASE_E_ARGUMENT, "%s: source and target are the same column",
                              l->path);
    if (n < 2)
        return base_error_set(
            BASE_E_FORMAT, "%s: has one column, an edge list needs two: choose another delimiter%s",
            l->path,
            !l->options->table.delimiter && strcmp(l->path, "standard input") == 0
                ? " (--delimiter space, tab, ...): standard input is taken for CSV"
                : "");
    return 0;
}

static int add_row(struct list *l, const struct data_cell *cells)
{
    struct data_cell s = cells[l->column[0]], t = cells[l->column[1]];
    double w = 1;
    for (int end = 0; end < 2; end++) {
        struct data_cell c = end ? t : s;
        if (c.length == 0)
            return base_error_set(BASE_E_FORMAT, "%s: the %s of the edge is empty",
                                  data_table_place(l->table), end ? "target" : "source");
        if (memchr(c.bytes, 0, c.length))
            return base_error_set(BASE_E_FORMAT, "%s: the %s's name holds a NUL",
                                  data_table_place(l->table), end ? "target" : "source");
    }
    if (l->reader.weighted) {
        struct data_cell c = cells[l->column[2]];
        if (!data_cell_number(c, &w) || w < 0)
            return base_error_set(
                BASE_E_FORMAT, "%s: weight \"%.*s\": expected a number of 0 or more",
                data_table_place(l->table), (int)(c.length < 40 ? c.length : 40), c.bytes);
    }
    return graph_reader_add(&l->reader, s, t, w);
}

/* The first two rows decide on the header; they are then edges, or not. */
static int begin(struct list *l, enum data_header header)
{
    struct row first = { 0 };
    const struct data_cell *cells;
    size_t n = data_table_columns(l->table);
    int rc = data_table_next(l->table, &cells);
    if (rc <= 0) {
        rc = rc ? rc : base_error_set(BASE_E_FORMAT, "%s: is empty: there are no edges", l->path);
        goto out;
    }
    if (l->header) { /* JSON */
        rc = choose_columns(l, &first, n);
        rc = rc ? rc : add_row(l, cells);
        goto out;
    }
    if ((rc = row_copy(&first, cells, n)))
        goto out;
    if (n < 2) {
        rc = choose_columns(l, &first, n);
        goto out;
    }
    int second = data_table_next(l->table, &cells);
    if (second < 0) {
        rc = second;
        goto out;
    }
    const struct graph_read_options *o = l->options;
    size_t a = o->source && !asks_by_name(o->source) ? column_number(o->source, n) : 0;
    size_t b = o->target && !asks_by_name(o->target) ? column_number(o->target, n) : 1;
    bool known = a < n && b < n;
    l->header = header == DATA_HEADER_YES ||
                (header == DATA_HEADER_AUTO &&
                 (asks_by_name(o->source) || asks_by_name(o->target) || asks_by_name(o->weight) ||
                  (known && usual_heading(first.cells[a], first.cells[b])) ||
                  (known && second && !is_whole(first.cells[a]) && !is_whole(first.cells[b]) &&
                   is_whole(cells[a]) && is_whole(cells[b]))));
    if ((rc = choose_columns(l, &first, n)))
        goto out;
    if (!l->header && (rc = add_row(l, first.cells)))
        goto out;
    if (second)
        rc = add_row(l, cells);
out:
    row_free(&first);
    return rc;
}

static int read_rows(struct list *l)
{
    const struct data_cell *cells;
    uint64_t done, total, rows = 0;
    int rc;
    data_table_progress(l->table, &done, &total);
    struct base_progress *p = base_progress_begin("read", "bytes", total);
    while ((rc = data_table_next(l->table, &cells)) > 0) {
        if ((rc = add_row(l, cells)))
            break;
        if (++rows % 65536)
            continue;
        data_table_progress(l->table, &done, &total);
        base_progress_update(p, done, NULL);
        if (base_interrupted()) {
            rc = base_error_set(BASE_E_INTERRUPTED, "%s: interrupted", l->path);
            break;
        }
    }
    base_progress_end(p);
    return rc;
}

static int read_list(struct graph **out, const char *path, const struct graph_read_options *o,
                     struct data_table_options *t)
{
    struct list l = { .path = path, .options = o };
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    enum data_format format = t->format;
    enum data_header header = t->header;
    l.reader.directed = o->directed;
    l.reader.weighted = o->weight != NULL;
    l.path = name;
    if (format == DATA_FORMAT_AUTO)
        format = strcmp(path, "-") == 0 ? DATA_FORMAT_CSV : data_format_of_name(path);
    if (t->format == DATA_FORMAT_AUTO &&
        (format == DATA_FORMAT_AUTO || format == DATA_FORMAT_LINES))
        format = t->format = DATA_FORMAT_CSV; /* a pipe by another name */
    if (format == DATA_FORMAT_LINES)
        return base_error_set(BASE_E_ARGUMENT, "%s: lines have one column, an edge list needs two",
                              name);
    l.header = format == DATA_FORMAT_JSON || format == DATA_FORMAT_JSONL;
    if (!l.header && t->n_columns == 0)
        t->header = DATA_HEADER_NO;
    int rc = data_table_open(&l.table, path, t);
    if (rc == 0)
        rc = begin(&l, header);
    if (rc == 0)
        rc = read_rows(&l);
    if (rc == 0 && l.reader.edges == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: there are no edges below the header", name);
    if (rc == 0)
        rc = graph_reader_finish(&l.reader, out);
    if (rc == 0)
        (*out)->header = l.header && format != DATA_FORMAT_JSON && format != DATA_FORMAT_JSONL;
    data_table_close(l.table);
    graph_reader_free(&l.reader);
    return rc;
}

/* Whether the file can be opened a second time: what comes through a pipe cannot. */
static bool can_look(const char *path)
{
    struct stat st;
    return base_starts_with(path, "builtin:") ||
           (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode));
}

static bool named_graphml(const char *path)
{
    static const char *const endings[] = { ".graphml", ".graphml.gz", ".graphml.zst",
                                           ".graphml.bz2" };
    for (size_t i = 0; i < 4; i++)
        if (base_ends_with(path, endings[i]))
            return true;
    return false;
}

int graph_read(struct graph **out, const char *path, const struct graph_read_options *options)
{
    static const struct graph_read_options none = { 0 };
    const struct graph_read_options *o = options ? options : &none;
    struct data_table_options t = o->table;
    enum data_format format = t.format ? t.format : data_format_of_name(path);
    bool graphml = o->format == GRAPH_FORMAT_GRAPHML ||
                   (o->format == GRAPH_FORMAT_AUTO && named_graphml(path));
    *out = NULL;
    if (t.n_columns)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: an edge list's columns are chosen by heading or number", path);
    if (!graphml && can_look(path) && format != DATA_FORMAT_JSON && format != DATA_FORMAT_JSONL) {
        bool found = false;
        int rc = tell(path, &t, &found);
        if (rc)
            return rc;
        graphml = found && o->format == GRAPH_FORMAT_AUTO;
    }
    if (graphml && (o->source || o->target || o->table.header || o->table.delimiter))
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: is GraphML: columns, header and delimiter are of edge lists",
                              path);
    return graphml ? graph_read_graphml(out, path, o) : read_list(out, path, o, &t);
}
