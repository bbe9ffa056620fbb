/* Data sets as resources: tables in files below one directory, and those inside the program.
 *
 *   assay://data                           what there is
 *   assay://data/NAME                      columns with what they hold, what looks wrong, first
 * rows assay://data/NAME/rows/FROM-TO         rows as objects, column -> value
 *   assay://data/NAME/columns/COLUMN       one column
 *   assay://data/NAME/text                 the file's text, where it is short
 *   assay://data/NAME/bytes/FROM-TO        a part of it
 *
 * NAME is a path below the directory, in which no part begins with a dot; files inside the program
 * have names without an ending, so that the two cannot be mistaken for each other. A name is
 * opened beneath the directory (base_open_beneath), once to see what it is and once more in the
 * worker that reads it, whose Landlock rules allow nothing but the directory. Packed files are read
 * unpacked.
 */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/builtin.h"
#include "data/table.h"
#include "mcp/lab.h"
#include <assay/describe.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MOST   8
#define PATH_BYTES   (LAB_URI_BYTES + 16)
#define VISITED_MOST 100000 /* directory entries looked at */

struct set {
    const char *name;
    const char *root;                   /* the directory; NULL: */
    const struct data_builtin *builtin; /* inside the program */
    struct stat st;
    enum data_format format;
    bool packed;
};

static const char *mime_of(enum data_format f)
{
    return f == DATA_FORMAT_CSV     ? "text/csv"
           : f == DATA_FORMAT_TSV   ? "text/tab-separated-values"
           : f == DATA_FORMAT_JSON  ? "application/json"
           : f == DATA_FORMAT_JSONL ? "application/jsonl"
                                    : "text/plain";
}

static const char *word_of(enum data_format f)
{
    return f == DATA_FORMAT_CSV     ? "csv"
           : f == DATA_FORMAT_TSV   ? "tsv"
           : f == DATA_FORMAT_JSON  ? "json"
           : f == DATA_FORMAT_JSONL ? "jsonl"
                                    : "lines";
}

static bool is_packed(const char *name)
{
    return base_ends_with(name, ".gz") || base_ends_with(name, ".bz2") ||
           base_ends_with(name, ".zst");
}

/* The format of a file that is a data set, AUTO of any other. */
static enum data_format format_of(const char *name)
{
    enum data_format f = data_format_of_name(name);
    return f == DATA_FORMAT_LINES ? DATA_FORMAT_AUTO : f;
}

/* Whether every part of a path is a plain name. */
static bool is_plain(const char *name)
{
    for (const char *part = name;; part++) {
        if (*part == '.' || *part == '/' || !*part || base_starts_with(name, "builtin:"))
            return false;
        part += strcspn(part, "/");
        if (!*part)
            return true;
    }
}

static int set_find(const struct mcp_lab *l, const char *name, struct set *out)
{
    *out = (struct set){ .name = name };
    for (size_t i = 0; i < data_builtin_count; i++)
        if (strcmp(data_builtins[i].name, name) == 0) {
            out->builtin = &data_builtins[i];
            out->format = data_format_of_name(out->builtin->file);
            out->st.st_size = out->builtin->end - out->builtin->bytes;
            return 0;
        }
    out->format = format_of(name);
    if (!l->data || out->format == DATA_FORMAT_AUTO || !is_plain(name))
        return MCP_NOT_MINE;
    out->root = l->data;
    out->packed = is_packed(name);
    int fd = base_open_beneath(l->data, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return MCP_NOT_MINE; /* not there, or outside */
    bool file = fstat(fd, &out->st) == 0 && S_ISREG(out->st.st_mode);
    close(fd);
    return file ? 0 : MCP_NOT_MINE;
}

/* ---- the list ---- */

struct file {
    char *name;
    struct stat st;
};
struct files {
    struct file *at;
    size_t n, capacity, visited;
    bool more; /* than LAB_FILES */
};

static void files_free(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        base_free(f->at[i].name);
    base_free(f->at);
    *f = (struct files){ 0 };
}

static int files_add(struct files *f, const char *folder, const char *name, const struct stat *st)
{
    if (f->n == LAB_FILES) {
        f->more = true;
        return 0;
    }
    if (f->n == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 32;
        struct file *at = base_realloc(f->at, capacity, sizeof *at);
        if (!at)
            return BASE_E_MEMORY;
        f->at = at;
        f->capacity = capacity;
    }
    char *whole = *folder ? base_path_join(folder, name) : base_strdup(name);
    if (!whole)
        return BASE_E_MEMORY;
    f->at[f->n++] = (struct file){ whole, *st };
    return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}
static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* The files of one directory and of those in it, in the order of names; links are not followed. */
static int walk(struct files *f, int parent, const char *entry, const char *folder, unsigned depth)
{
    int fd = openat(parent, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
    if (fd < 0)
        return depth ? 0
                     : base_error_set(BASE_E_IO, "%s: cannot be read: %s", entry, strerror(errno));
    struct dirent **names = NULL;
    int n = scandirat(fd, ".", &names, not_hidden, by_name), rc = 0;
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        struct stat st;
        if (!rc && !f->more && f->visited++ < VISITED_MOST &&
            mcp_lab_addressable(name, strlen(name)) &&
            fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            char *inner = NULL;
            if (S_ISREG(st.st_mode) && format_of(name) != DATA_FORMAT_AUTO)
                rc = files_add(f, folder, name, &st);
            else if (S_ISDIR(st.st_mode) && depth < DEPTH_MOST)
                rc = (inner = *folder ? base_path_join(folder, name) : base_strdup(name))
                         ? walk(f, fd, name, inner, depth + 1)
                         : BASE_E_MEMORY;
            base_free(inner);
        }
        free(names[i]);
    }
    free(names);
    close(fd);
    return rc;
}

static int files_find(const struct mcp_lab *l, struct files *f)
{
    *f = (struct files){ 0 };
    int rc = l->data ? walk(f, AT_FDCWD, l->data, "", 0) : 0;
    if (rc)
        files_free(f);
    return rc;
}

static double modified_of(const struct stat *st)
{
    return (double)st->st_mtim.tv_sec;
}

/* A data set's two resources: what it holds, and its text where that is short. */
static int list_set(json_t *list, const char *name, const char *what, enum data_format format,
                    double modified, int64_t bytes, bool packed)
{
    static const char holds[] = "columns with types, missing values and spread, what looks wrong, "
                                "the first rows";
    char *described =
        what ? base_format("%s: %s", what, holds)
             : base_format("%s file of %lld bytes: %s", word_of(format), (long long)bytes, holds);
    char *text = base_format("%s: its text", name);
    int rc = described && text
                 ? mcp_lab_list_add(list, mcp_lab_uri("assay://data/{name}", name, NULL), name,
                                    NULL, described, "application/json", modified, -1)
                 : BASE_E_MEMORY;
    if (!rc && !packed && bytes <= (int64_t)LAB_TEXT_MOST)
        rc = mcp_lab_list_add(list, mcp_lab_uri("assay://data/{name}/text", name, NULL), text, NULL,
                              "the file itself", mime_of(format), modified, bytes);
    base_free(described);
    base_free(text);
    return rc;
}

int mcp_lab_data_list(struct mcp_lab *l, json_t *list)
{
    struct files f;
    int rc = files_find(l, &f);
    for (size_t i = 0; i < data_builtin_count && !rc; i++) {
        const struct data_builtin *b = &data_builtins[i];
        rc = list_set(list, b->name, b->what, data_format_of_name(b->file), -1,
                      (int64_t)(b->end - b->bytes), false);
    }
    for (size_t i = 0; i < f.n && !rc; i++) {
        const struct file *one = &f.at[i];
        rc = list_set(list, one->name, NULL, format_of(one->name), modified_of(&one->st),
                      (int64_t)one->st.st_size, is_packed(one->name));
    }
    files_free(&f);
    return rc;
}

int mcp_lab_data_names(struct mcp_lab *l, json_t *names)
{
    struct files f;
    int rc = files_find(l, &f);
    for (size_t i = 0; i < data_builtin_count && !rc; i++)
        rc = json_array_append_new(names, json_string(data_builtins[i].name)) ? BASE_E_MEMORY : 0;
    for (size_t i = 0; i < f.n && !rc; i++)
        rc = json_array_append_new(names, json_string(f.at[i].name)) ? BASE_E_MEMORY : 0;
    files_free(&f);
    return rc;
}

static json_t *entry_json(const char *name, const char *what, enum data_format format,
                          const struct stat *st)
{
    char *uri = mcp_lab_uri("assay://data/{name}", name, NULL);
    json_t *o =
        uri ? json_pack("{s:s, s:s, s:s, s:I, s:o, s:s?}", "uri", uri, "name", name, "format",
                        word_of(format), "bytes", (json_int_t)st->st_size, "modified",
                        st->st_mtim.tv_sec ? mcp_lab_time(modified_of(st)) : json_null(), "about",
                        what)
            : NULL;
    base_free(uri);
    return o;
}

int mcp_lab_data_index(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    (void)v;
    struct files f;
    json_t *all = json_array();
    int rc = files_find(l, &f);
    for (size_t i = 0; i < data_builtin_count && !rc; i++) {
        const struct data_builtin *b = &data_builtins[i];
        const struct stat st = { .st_size = b->end - b->bytes };
        if (json_array_append_new(all,
                                  entry_json(b->name, b->what, data_format_of_name(b->file), &st)))
            rc = BASE_E_MEMORY;
    }
    for (size_t i = 0; i < f.n && !rc; i++)
        if (json_array_append_new(
                all, entry_json(f.at[i].name, NULL, format_of(f.at[i].name), &f.at[i].st)))
            rc = BASE_E_MEMORY;
    if (!rc)
        rc = mcp_lab_put(&out->text, json_pack("{s:O, s:b}", "data", all, "more", f.more));
    files_free(&f);
    json_decref(all);
    return rc;
}

int mcp_lab_data_stamp(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp)
{
    const char *name = mcp_lab_value(v, "name");
    struct set set;
    struct files f;
    *stamp = 1;
    if (name) {
        int rc = set_find(l, name, &set);
        if (!rc && !set.builtin)
            *stamp = mcp_lab_stamp(&set.st, 0);
        return rc;
    }
    int rc = files_find(l, &f);
    for (size_t i = 0; i < f.n && !rc; i++)
        *stamp =
            base_hash64(f.at[i].name, strlen(f.at[i].name), mcp_lab_stamp(&f.at[i].st, *stamp));
    files_free(&f);
    return rc;
}

/* ---- in the worker ---- */

struct reading {
    const struct set *set;
    uint64_t from, to;
    const char *column;
    bool brief;
};

/* The path under which the other rooms open the set, beneath its root. */
static void set_path(const struct set *s, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s%s", s->builtin ? "builtin:" : "", s->name);
}

static int rows_of_records(const struct reading *r, const char *path, json_t *rows, bool *more)
{
    const struct data_records_options options = { .format = r->set->format,
                                                  .beneath = r->set->root };
    struct data_records *records;
    json_t *row = NULL;
    size_t bytes = 0;
    int rc = data_records_open(&records, path, &options);
    if (rc)
        return rc;
    for (uint64_t i = 1; (rc = data_records_next(records, &row)) == 1; i++) {
        if (i > r->to) {
            *more = true;
            json_decref(row);
            break;
        }
        if (i < r->from) {
            json_decref(row);
        } else if ((rc = mcp_lab_row_add(rows, row, r->brief, &bytes)) != 1) {
            *more = rc == 0;
            break;
        }
    }
    data_records_close(records);
    return rc < 0 ? rc : 0;
}

static json_t *row_of_cells(const struct data_table *t, const struct data_cell *cells)
{
    json_t *row = json_object();
    for (size_t i = 0; row && i < data_table_columns(t); i++)
        if (json_object_set_new(row, data_table_column(t, i),
                                base_json_text(cells[i].bytes, cells[i].length))) {
            json_decref(row);
            return NULL;
        }
    return row;
}

static int rows_of_table(const struct reading *r, const char *path, json_t *rows, bool *more)
{
    const struct data_table_options options = { .format = r->set->format, .beneath = r->set->root };
    struct data_table *t;
    const struct data_cell *cells;
    uint64_t passed;
    size_t bytes = 0;
    int rc = data_table_open(&t, path, &options);
    if (rc)
        return rc;
    rc = r->from > 1 ? data_table_pass(t, r->from - 1, &passed) : 1;
    for (uint64_t i = r->from; rc == 1 && (rc = data_table_next(t, &cells)) == 1; i++) {
        if (i > r->to) {
            *more = true;
            break;
        }
        if ((rc = mcp_lab_row_add(rows, row_of_cells(t, cells), r->brief, &bytes)) != 1)
            *more = rc == 0;
    }
    data_table_close(t);
    return rc < 0 ? rc : 0;
}

static int rows_read(const struct reading *r, const char *path, json_t *rows, bool *more)
{
    *more = false;
    return r->set->format == DATA_FORMAT_JSON || r->set->format == DATA_FORMAT_JSONL
               ? rows_of_records(r, path, rows, more)
               : rows_of_table(r, path, rows, more);
}

static int read_rows(void *context, struct base_buffer *out)
{
    const struct reading *r = context;
    char path[PATH_BYTES];
    bool more;
    json_t *rows = json_array();
    int rc = rows ? 0 : BASE_E_MEMORY;
    set_path(r->set, path);
    if (!rc)
        rc = rows_read(r, path, rows, &more);
    if (!rc) {
        char *next = mcp_lab_next("assay://data/{name}/rows/", r->set->name, NULL, more, r->from,
                                  r->to, json_array_size(rows));
        rc = more && !next ? BASE_E_MEMORY
                           : mcp_lab_put_page(out, json_pack("{s:s}", "name", r->set->name), "rows",
                                              r->from, rows, next);
        base_free(next);
    }
    json_decref(rows);
    return rc;
}

/* The columns' names by the first row alone, each as {"name"}. */
static int columns_read(const struct set *s, const char *path, json_t *columns, bool plain)
{
    const struct data_table_options options = { .format = s->format, .beneath = s->root };
    struct data_table *t;
    int rc = data_table_open(&t, path, &options);
    if (rc)
        return rc;
    for (size_t i = 0; i < data_table_columns(t) && !rc; i++) {
        const char *name = data_table_column(t, i);
        json_t *one = base_json_text(name, strlen(name));
        if (json_array_append_new(columns, plain ? one : json_pack("{s:o}", "name", one)))
            rc = BASE_E_MEMORY;
    }
    data_table_close(t);
    return rc;
}

static int describe(const struct reading *r, const char *path, json_t **out)
{
    const struct data_table_options table = { .format = r->set->format, .beneath = r->set->root };
    const struct sampling_describe_options options = { .columns = &r->column,
                                                       .n_columns = r->column != NULL,
                                                       .top = r->column ? 20 : 0 };
    struct sampling_description d = { 0 };
    int rc = sampling_describe(&d, path, &table, &options);
    *out = rc ? NULL : sampling_description_json(&d);
    sampling_description_free(&d);
    return rc ? rc : *out ? 0 : BASE_E_MEMORY;
}

/* Six significant digits are enough to know a column by; all of them are at its own address. */
static json_t *rounded(const json_t *x)
{
    char text[40];
    if (!json_is_real(x))
        return json_incref((json_t *)(uintptr_t)x);
    snprintf(text, sizeof text, "%.6g", json_real_value(x));
    double y = strtod(text, NULL);
    return fabs(y) < 1e15 && y == floor(y) ? json_integer((json_int_t)y) : json_real(y);
}

/* What a reader needs of a column to choose it: not the spelling of its lengths. */
static json_t *column_short(const json_t *column)
{
    static const char *const keys[] = { "name", "type", "missing", "distinct",
                                        "min",  "max",  "mean",    "sd" };
    static const char *const quantiles[] = { "0.25", "0.5", "0.75" };
    const char *type = json_string_value(json_object_get(column, "type"));
    const json_t *found = json_object_get(column, "quantiles"), *value;
    json_t *o = json_object(), *list;
    int failed = !o;
    size_t i;
    for (size_t k = 0; k < sizeof keys / sizeof *keys && !failed; k++)
        if ((value = json_object_get(column, keys[k])))
            failed = json_object_set_new(o, keys[k], rounded(value));
    if (!failed && found) {
        list = json_array();
        for (size_t k = 0; k < 3 && !failed; k++)
            failed = json_array_append_new(list, rounded(json_object_get(found, quantiles[k])));
        failed = json_object_set_new(o, "quartiles", list) || failed;
    }
    if (!failed && type && (!strcmp(type, "category") || !strcmp(type, "yes/no"))) {
        list = json_array();
        json_array_foreach(json_object_get(column, "top"), i, value)
        {
            failed = failed || json_array_append_new(
                                   list, json_pack("[O, O]", json_object_get(value, "value"),
                                                   json_object_get(value, "count")));
        }
        failed = json_object_set_new(o, "top", list) || failed;
    }
    if (failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static int columns_short(const json_t *all, json_t *out)
{
    size_t i;
    const json_t *one;
    json_array_foreach(all, i,
                       one) if (json_array_append_new(out, column_short(one))) return BASE_E_MEMORY;
    return 0;
}

static int read_set(void *context, struct base_buffer *out)
{
    const struct reading *r = context;
    const struct set *s = r->set;
    struct reading first = { .set = s, .from = 1, .to = LAB_FIRST, .brief = true };
    char path[PATH_BYTES];
    bool more = false;
    json_t *rows = json_array(), *columns = json_array(), *d = NULL, *o = NULL;
    int rc = rows && columns ? 0 : BASE_E_MEMORY;
    set_path(s, path);
    if (!rc && !r->brief)
        rc = describe(r, path, &d);
    if (!rc)
        rc = r->brief ? columns_read(s, path, columns, false)
                      : columns_short(json_object_get(d, "columns"), columns);
    if (!rc)
        rc = rows_read(&first, path, rows, &more);
    if (!rc) {
        o = json_pack("{s:s, s:s?, s:s, s:I, s:o, s:O?, s:O, s:O?, s:O, s:s}", "name", s->name,
                      "about", s->builtin ? s->builtin->what : NULL, "format", word_of(s->format),
                      "bytes", (json_int_t)s->st.st_size, "modified",
                      s->builtin ? json_null() : mcp_lab_time(modified_of(&s->st)), "rows",
                      json_object_get(d, "rows"), "columns", columns, "findings",
                      json_object_get(d, "findings"), "first", rows, "note",
                      r->brief
                          ? "too large to be looked through: only its first rows were read"
                          : "rows are at /rows/FROM-TO behind this address, all of a column at "
                            "/columns/COLUMN");
        rc = mcp_lab_put_short(out, o);
    }
    json_decref(rows);
    json_decref(columns);
    json_decref(d);
    return rc;
}

/* One column; nothing when there is none of the name. */
static int read_column(void *context, struct base_buffer *out)
{
    const struct reading *r = context;
    char path[PATH_BYTES];
    json_t *names = json_array(), *d = NULL, *name;
    size_t i;
    bool found = false;
    int rc = names ? 0 : BASE_E_MEMORY;
    set_path(r->set, path);
    if (!rc)
        rc = columns_read(r->set, path, names, true);
    json_array_foreach(names, i, name)
    {
        found = found || strcmp(json_string_value(name), r->column) == 0;
    }
    if (!rc && found)
        rc = describe(r, path, &d);
    if (!rc && found)
        rc = mcp_lab_put(out, json_pack("{s:s, s:O, s:O, s:O}", "name", r->set->name, "rows",
                                        json_object_get(d, "rows"), "column",
                                        json_array_get(json_object_get(d, "columns"), 0),
                                        "findings", json_object_get(d, "findings")));
    json_decref(names);
    json_decref(d);
    return rc;
}

static int read_columns(void *context, struct base_buffer *out)
{
    const struct reading *r = context;
    char path[PATH_BYTES];
    json_t *names = json_array();
    int rc = names ? 0 : BASE_E_MEMORY;
    set_path(r->set, path);
    if (!rc)
        rc = columns_read(r->set, path, names, true);
    if (!rc)
        rc = mcp_lab_put(out, json_incref(names));
    json_decref(names);
    return rc;
}

static int read_text(void *context, struct base_buffer *out)
{
    const struct reading *r = context;
    struct data_stream *s = NULL;
    char path[PATH_BYTES], block[65536];
    size_t n = 1;
    set_path(r->set, path);
    int rc = data_stream_open_beneath(&s, r->set->root, path);
    for (uint64_t at = 0; !rc && n && at < r->to; at += n) {
        rc = data_stream_read(s, block, sizeof block, &n);
        uint64_t skip = at + 1 < r->from ? r->from - 1 - at : 0, end = r->to - at;
        end = end < n ? end : n;
        if (!rc && skip < end)
            rc = base_buffer_append(out, block + skip, (size_t)(end - skip));
    }
    data_stream_close(s);
    return rc;
}

static const struct lab_op ops[] = {
    { "set", read_set },         { "rows", read_rows }, { "column", read_column },
    { "columns", read_columns }, { "text", read_text },
};
#define OPS (sizeof ops / sizeof *ops)

int mcp_lab_data_tool(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    struct set set;
    struct reading r = {
        .set = &set,
        .from = (uint64_t)json_integer_value(json_object_get(arguments, "from")),
        .to = (uint64_t)json_integer_value(json_object_get(arguments, "to")),
        .column = json_string_value(json_object_get(arguments, "column")),
        .brief = json_is_true(json_object_get(arguments, "brief")),
    };
    const char *name = json_string_value(json_object_get(arguments, "name"));
    int rc = name ? set_find(tool->context, name, &set) : MCP_NOT_MINE;
    if (rc) /* it has gone meanwhile */
        return base_error_set(BASE_E_IO, "%s: cannot be read", name ? name : "?");
    return mcp_lab_answer(ops, OPS, arguments, &r, out);
}

/* ---- in the server ---- */

static int work(struct mcp_lab *l, const struct reading *r,
                int (*run)(void *context, struct base_buffer *out), struct base_buffer *out)
{
    return mcp_lab_work(l, "data", r->set->name,
                        json_pack("{s:s, s:s, s:I, s:I, s:s?, s:b}", "op",
                                  mcp_lab_op_name(ops, OPS, run), "name", r->set->name, "from",
                                  (json_int_t)r->from, "to", (json_int_t)r->to, "column", r->column,
                                  "brief", (int)r->brief),
                        out);
}

int mcp_lab_data_read(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct set set;
    struct reading r = { .set = &set };
    int rc = set_find(l, mcp_lab_value(v, "name"), &set);
    if (rc)
        return rc;
    rc = work(l, &r, read_set, &out->text);
    if (rc == BASE_E_LIMIT) { /* too large to be looked through */
        r.brief = true;
        base_buffer_clear(&out->text);
        rc = work(l, &r, read_set, &out->text);
    }
    return rc;
}

int mcp_lab_data_rows(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct set set;
    struct reading r = { .set = &set };
    int rc = set_find(l, mcp_lab_value(v, "name"), &set);
    if (!rc)
        rc = mcp_lab_page(v, LAB_ROWS_MOST, &r.from, &r.to);
    return rc ? rc : work(l, &r, read_rows, &out->text);
}

int mcp_lab_data_column(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct set set;
    struct reading r = { .set = &set, .column = mcp_lab_value(v, "column") };
    int rc = set_find(l, mcp_lab_value(v, "name"), &set);
    if (!rc)
        rc = work(l, &r, read_column, &out->text);
    return rc ? rc : out->text.length ? 0 : MCP_NOT_MINE;
}

int mcp_lab_data_text(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct set set;
    struct reading r = { .set = &set, .from = 1, .to = LAB_TEXT_MOST + 1 };
    int rc = set_find(l, mcp_lab_value(v, "name"), &set);
    if (!rc)
        rc = work(l, &r, read_text, &out->text);
    if (!rc && out->text.length > LAB_TEXT_MOST)
        rc = base_error_set(BASE_E_LIMIT,
                            "%s: its text has more than %zu bytes: read "
                            "assay://data/NAME/bytes/1-%zu and on",
                            set.name, LAB_TEXT_MOST, LAB_TEXT_MOST);
    out->mime = mime_of(set.format);
    return rc;
}

int mcp_lab_data_part(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct set set;
    struct reading r = { .set = &set };
    int rc = set_find(l, mcp_lab_value(v, "name"), &set);
    if (!rc)
        rc = mcp_lab_page(v, LAB_TEXT_MOST, &r.from, &r.to);
    if (!rc)
        rc = work(l, &r, read_text, &out->text);
    out->mime = mime_of(set.format);
    return rc;
}

int mcp_lab_data_columns(struct mcp_lab *l, const char *name, json_t *names)
{
    struct set set;
    struct reading r = { .set = &set };
    struct base_buffer text = { 0 };
    json_t *found = NULL;
    int rc = set_find(l, name, &set);
    if (!rc)
        rc = work(l, &r, read_columns, &text);
    if (!rc)
        rc = base_json_parse_wire(&found, text.data, text.length, 0, name);
    if (!rc && json_array_extend(names, found))
        rc = BASE_E_MEMORY;
    base_buffer_free(&text);
    json_decref(found);
    return rc;
}
