/* Making an index of documents: texts cut into passages, in an SQLite file with an FTS5 table, or
 * (search_postgres.c) in PostgreSQL.
 *
 *   documents(id, path, record, title, bytes)           one row a document
 *   passages(title, text, path, record, line, byte)     FTS5; title and text are indexed
 *
 * A passage ends where the text does: before a heading of Markdown, else after the last blank line,
 * line or word that the limit allows. line (from 1) and byte (from 0) say where it begins in its
 * document, so that the tool `read_file` can go on from there. */
#include "agent/postgres.h"
#include "agent/search.h"
#include "agent/sqlite.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <assay/data.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PASSAGE_USUAL 1200
#define FILE_MOST     ((size_t)64 << 20)
#define DEPTH_MOST    64
#define NAMES_MOST    20
#define TITLE_MOST    200 /* bytes */

struct maker {
    struct agent_index_sink sink;
    struct agent_index_options options;
    struct agent_index_report *report;
};

/* ---- one document ---- */

struct document {
    const char *path, *record; /* record NULL: the file is the document */
    const char *text;
    size_t bytes;
    bool markdown;
    char title[TITLE_MOST + 1], section[TITLE_MOST + 1];
    size_t counted; /* lines are counted up to here */
    uint64_t line;
};

/* At most TITLE_MOST bytes, whole characters. */
static void title_set(char *title, const char *s, size_t n)
{
    n = n > TITLE_MOST ? base_utf8_complete(s, TITLE_MOST) : n;
    memcpy(title, s, n);
    title[n] = 0;
}

static bool blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] > ' ')
            return false;
    return true;
}

static int passage_add(struct maker *m, struct document *d, size_t from, size_t end)
{
    while (from < end && (unsigned char)d->text[from] <= ' ')
        from++;
    while (end > from && (unsigned char)d->text[end - 1] <= ' ')
        end--;
    if (from == end)
        return 0;
    for (; d->counted < from; d->counted++)
        d->line += d->text[d->counted] == '\n';
    char *title = d->section[0] && strcmp(d->section, d->title) != 0
                      ? base_format("%s › %s", d->title, d->section)
                      : base_strdup(d->title);
    if (!title)
        return BASE_E_MEMORY;
    const struct agent_passage p = { .title = title,
                                     .text = d->text + from,
                                     .path = d->path,
                                     .record = d->record,
                                     .bytes = end - from,
                                     .line = d->line,
                                     .byte = from };
    int rc = m->sink.passage(m->sink.context, &p);
    m->report->passages += !rc;
    base_free(title);
    return rc;
}

/* Level 1 to 6 and the text of an ATX heading; 0 = the line is none. */
static int heading(const char *s, size_t n, const char **text, size_t *bytes)
{
    size_t level = 0;
    while (level < n && s[level] == '#')
        level++;
    if (level < 1 || level > 6 || level == n || (s[level] != ' ' && s[level] != '\t'))
        return 0;
    size_t from = level, end = n;
    while (end > from && ((unsigned char)s[end - 1] <= ' ' || s[end - 1] == '#'))
        end--;
    while (from < end && (unsigned char)s[from] <= ' ')
        from++;
    *text = s + from;
    *bytes = end - from;
    return (int)level;
}

/* Where a passage from `from` on that must end before `to` does: a good place in its last two
 * thirds, else between two characters. */
static size_t cut(const struct document *d, size_t from, size_t to, size_t blank_at, size_t line_at)
{
    size_t least = from + (to - from) / 3;
    if (blank_at > least && blank_at <= to)
        return blank_at;
    if (line_at > least && line_at <= to)
        return line_at;
    for (size_t i = to; i > least; i--)
        if ((unsigned char)d->text[i - 1] <= ' ')
            return i;
    size_t whole = base_utf8_complete(d->text + from, to - from);
    return whole ? from + whole : to;
}

static int document_cut(struct maker *m, struct document *d)
{
    size_t from = 0, blank_at = 0, most = m->options.passage;
    bool fence = false; /* inside ``` or ~~~: '#' is no heading there */
    int rc = 0;
    for (size_t s = 0; s < d->bytes && !rc;) {
        const char *newline = memchr(d->text + s, '\n', d->bytes - s), *text;
        size_t e = newline ? (size_t)(newline - d->text) + 1 : d->bytes, n = e - s, bytes;
        const char *line = d->text + s;
        if (d->markdown && n >= 3 && (memcmp(line, "```", 3) == 0 || memcmp(line, "~~~", 3) == 0))
            fence = !fence;
        int level = d->markdown && !fence ? heading(line, n, &text, &bytes) : 0;
        if (level) {
            rc = passage_add(m, d, from, s);
            from = s;
            title_set(d->section, text, bytes);
            if (level == 1 && d->counted == 0 && blank(d->text, s))
                title_set(d->title, text, bytes);
        }
        while (!rc && e - from > most) {
            size_t end = cut(d, from, from + most, blank_at, s);
            rc = passage_add(m, d, from, end);
            from = end;
        }
        if (blank(line, n))
            blank_at = e;
        s = e;
    }
    return rc ? rc : passage_add(m, d, from, d->bytes);
}

static int document_add(struct maker *m, struct document *d)
{
    d->line = 1;
    int rc = document_cut(m, d);
    if (rc)
        return rc;
    m->report->documents++;
    m->report->bytes += d->bytes;
    return m->sink.document(m->sink.context, d->path, d->record, d->title, d->bytes);
}

/* ---- where they come from ---- */

static bool is_markdown(const char *path)
{
    return base_ends_with(path, ".md") || base_ends_with(path, ".markdown");
}

/* A text file as a document; BASE_E_FORMAT or _LIMIT when it is none. name: its path in the index.
 */
static int file_add(struct maker *m, const char *path, const char *name)
{
    char *text = NULL;
    size_t bytes = 0;
    int rc = base_file_read(path, FILE_MOST, &text, &bytes);
    if (rc)
        return rc;
    size_t bad = base_utf8_invalid(text, bytes);
    if (bad < bytes || memchr(text, 0, bytes))
        rc = base_error_set(BASE_E_FORMAT, "%s: is no UTF-8 text", path);
    struct document d = {
        .path = name, .text = text, .bytes = bytes, .markdown = is_markdown(path)
    };
    const char *base = base_path_name(name);
    title_set(d.title, base, strlen(base));
    if (!rc)
        rc = document_add(m, &d);
    base_free(text);
    return rc;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int skip(struct maker *m, const char *name)
{
    m->report->skipped++;
    return json_array_size(m->report->names) < NAMES_MOST &&
                   json_array_append_new(m->report->names, base_json_text(name, strlen(name)))
               ? BASE_E_MEMORY
               : 0;
}

/* below: the path from the source on, "" at the top. */
static int directory_add(struct maker *m, const char *path, const char *below, unsigned depth)
{
    struct dirent **names = NULL;
    int n = depth < DEPTH_MOST ? scandir(path, &names, NULL, by_name) : 0, rc = 0;
    if (depth == DEPTH_MOST)
        return base_error_set(BASE_E_LIMIT, "%s: directories more than %d deep", path, DEPTH_MOST);
    if (n < 0)
        return base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        char *full = base_path_join(path, name);
        char *inner = *below ? base_format("%s/%s", below, name) : base_strdup(name);
        struct stat st;
        if (!rc && (!full || !inner))
            rc = BASE_E_MEMORY;
        if (!rc && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted: nothing was written");
        if (!rc && name[0] != '.' && lstat(full, &st) == 0) {
            if (S_ISDIR(st.st_mode)) {
                rc = directory_add(m, full, inner, depth + 1);
            } else if (S_ISREG(st.st_mode)) {
                rc = file_add(m, full, inner);
                if (rc == BASE_E_FORMAT || rc == BASE_E_LIMIT)
                    rc = skip(m, inner);
            }
        }
        base_free(full);
        base_free(inner);
        free(names[i]);
    }
    free(names);
    return rc;
}

/* A field as text: strings as they are, other values as JSON; NULL with *out NULL where it is
 * missing or null. */
static int field_text(const json_t *row, const char *field, char **out, size_t *bytes)
{
    const json_t *v = field ? json_object_get(row, field) : NULL;
    *out = NULL;
    *bytes = 0;
    if (!v || json_is_null(v))
        return 0;
    *bytes = json_is_string(v) ? json_string_length(v) : 0;
    *out =
        json_is_string(v) ? base_strndup(json_string_value(v), *bytes) : base_json_dump(v, false);
    if (*out && !json_is_string(v))
        *bytes = strlen(*out);
    return *out ? 0 : BASE_E_MEMORY;
}

static int record_add(struct maker *m, struct data_records *r, const json_t *row, const char *name)
{
    const struct agent_index_options *o = &m->options;
    char *text = NULL, *title = NULL, *id = NULL;
    size_t bytes, title_bytes, id_bytes;
    int rc = field_text(row, o->field, &text, &bytes);
    if (!rc)
        rc = field_text(row, o->title, &title, &title_bytes);
    if (!rc)
        rc = field_text(row, o->id, &id, &id_bytes);
    if (!rc && !text)
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: the record has no \"%s\": name its text with --field",
                            data_records_place(r), o->field);
    if (!rc && !id && !(id = base_format("%llu", (unsigned long long)data_records_count(r))))
        rc = BASE_E_MEMORY;
    if (!rc) {
        struct document d = { .path = name, .record = id, .text = text, .bytes = bytes };
        title_set(d.title, title ? title : "", title ? title_bytes : 0);
        rc = document_add(m, &d);
    }
    base_free(text);
    base_free(title);
    base_free(id);
    return rc;
}

static int records_add(struct maker *m, const char *path)
{
    struct data_records *r = NULL;
    int more = 0, rc = data_records_open(&r, path, NULL);
    json_t *row = NULL;
    while (!rc && (more = data_records_next(r, &row)) == 1) {
        rc = record_add(m, r, row, base_path_name(path));
        json_decref(row);
        if (!rc && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted: nothing was written");
    }
    data_records_close(r);
    return rc ? rc : more;
}

static bool is_records(const char *path)
{
    static const char *const endings[] = { ".jsonl", ".ndjson", ".json", ".csv", ".tsv" };
    static const char *const packed[] = { "", ".gz", ".bz2", ".zst" };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        for (size_t k = 0; k < sizeof packed / sizeof *packed; k++) {
            char ending[16];
            strcpy(ending, endings[i]);
            if (base_ends_with(path, strcat(ending, packed[k])))
                return true;
        }
    return base_starts_with(path, "builtin:");
}

/* ---- an SQLite file ---- */

struct file {
    sqlite3 *handle;
    sqlite3_stmt *document, *passage;
    struct base_writer writer;
};

static int fail(const struct file *f, int code)
{
    const char *why = f->handle ? agent_sqlite.errmsg(f->handle) : "out of memory";
    return base_error_set((code & 0xff) == SQLITE_NOMEM ? BASE_E_MEMORY : BASE_E_IO,
                          "the index cannot be written: %s", why);
}

static int bind_text(sqlite3_stmt *q, int at, const char *s, size_t n)
{
    return s ? agent_sqlite.bind_text(q, at, s, (int)n, SQLITE_STATIC)
             : agent_sqlite.bind_null(q, at);
}

static int insert(const struct file *f, sqlite3_stmt *q, int code)
{
    if (code == SQLITE_OK) {
        code = agent_sqlite.step(q);
        agent_sqlite.reset(q);
    }
    return code == SQLITE_DONE ? 0 : fail(f, code);
}

static int file_passage(void *context, const struct agent_passage *p)
{
    const struct file *f = context;
    sqlite3_stmt *q = f->passage;
    int code = bind_text(q, 1, p->title, strlen(p->title));
    if (code == SQLITE_OK)
        code = bind_text(q, 2, p->text, p->bytes);
    if (code == SQLITE_OK)
        code = bind_text(q, 3, p->path, strlen(p->path));
    if (code == SQLITE_OK)
        code = bind_text(q, 4, p->record, p->record ? strlen(p->record) : 0);
    if (code == SQLITE_OK)
        code = agent_sqlite.bind_int64(q, 5, (sqlite3_int64)p->line);
    if (code == SQLITE_OK)
        code = agent_sqlite.bind_int64(q, 6, (sqlite3_int64)p->byte);
    return insert(f, q, code);
}

static int file_document(void *context, const char *path, const char *record, const char *title,
                         size_t bytes)
{
    const struct file *f = context;
    sqlite3_stmt *q = f->document;
    int code = bind_text(q, 1, path, strlen(path));
    if (code == SQLITE_OK)
        code = bind_text(q, 2, record, record ? strlen(record) : 0);
    if (code == SQLITE_OK)
        code = bind_text(q, 3, title, strlen(title));
    if (code == SQLITE_OK)
        code = agent_sqlite.bind_int64(q, 4, (sqlite3_int64)bytes);
    return insert(f, q, code);
}

static int file_end(void *context, int rc)
{
    struct file *f = context;
    agent_sqlite.finalize(f->document);
    agent_sqlite.finalize(f->passage);
    if (!rc) {
        int code = agent_sqlite.exec(f->handle,
                                     "INSERT INTO passages(passages) VALUES('optimize'); COMMIT",
                                     NULL, NULL, NULL);
        rc = code == SQLITE_OK ? 0 : fail(f, code);
    }
    if (f->handle)
        agent_sqlite.close_v2(f->handle);
    if (rc)
        base_writer_abort(&f->writer);
    else
        rc = base_writer_commit(&f->writer);
    base_free(f);
    return rc;
}

static int tokenizer_find(const char *name, const char **out)
{
    static const char *const known[][2] = {
        { "words", "unicode61 remove_diacritics 2" },
        { "english", "porter unicode61 remove_diacritics 2" },
        { "trigram", "trigram" },
    };
    for (size_t i = 0; i < 3; i++)
        if (!name || strcmp(name, known[i][0]) == 0) {
            *out = known[i][1];
            return 0;
        }
    return base_error_set(BASE_E_ARGUMENT, "tokenizer \"%s\": expected words, english or trigram",
                          name);
}

static int file_begin(struct file *f, const char *tokenizer)
{
    int code = agent_sqlite.open_v2(
        f->writer.temporary, &f->handle,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    char *sql = base_format(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA application_id = %d; "
        "PRAGMA user_version = %d; BEGIN; CREATE TABLE documents(id INTEGER PRIMARY KEY, path TEXT "
        "NOT NULL, record TEXT, title TEXT NOT NULL, bytes INTEGER NOT NULL); CREATE VIRTUAL TABLE "
        "passages USING fts5(title, text, path UNINDEXED, record UNINDEXED, line UNINDEXED, byte "
        "UNINDEXED, tokenize = '%s');",
        AGENT_INDEX_APPLICATION, AGENT_INDEX_VERSION, tokenizer);
    if (!sql)
        return BASE_E_MEMORY;
    if (code == SQLITE_OK)
        code = agent_sqlite.exec(f->handle, sql, NULL, NULL, NULL);
    base_free(sql);
    if (code == SQLITE_OK)
        code = agent_sqlite.prepare_v2(
            f->handle, "INSERT INTO documents(path, record, title, bytes) VALUES(?1, ?2, ?3, ?4)",
            -1, &f->document, NULL);
    if (code == SQLITE_OK)
        code = agent_sqlite.prepare_v2(f->handle,
                                       "INSERT INTO passages(title, text, path, record, line, "
                                       "byte) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                                       -1, &f->passage, NULL);
    return code == SQLITE_OK ? 0 : fail(f, code);
}

static int index_sqlite(const char *target, const char *tokenizer, struct agent_index_sink *out)
{
    const char *own = NULL;
    int rc = tokenizer_find(tokenizer, &own);
    if (!rc)
        rc = agent_sqlite_load();
    struct file *f = rc ? NULL : base_alloc_zero(1, sizeof *f);
    if (!rc && !f)
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = base_writer_open(&f->writer, target);
    if (rc) {
        base_free(f);
        return rc;
    }
    if ((rc = file_begin(f, own)))
        return file_end(f, rc);
    *out = (struct agent_index_sink){ file_passage, file_document, file_end, f };
    return 0;
}

/* ---- the whole ---- */

int agent_index_make(const char *source, const char *target,
                     const struct agent_index_options *options, struct agent_index_report *report)
{
    struct maker m = { .report = report };
    if (options)
        m.options = *options;
    m.options.field = m.options.field ? m.options.field : "text";
    m.options.passage = m.options.passage ? m.options.passage : PASSAGE_USUAL;
    *report = (struct agent_index_report){ .names = json_array() };
    int rc = report->names ? 0 : BASE_E_MEMORY;
    if (!rc && (m.options.passage < 200 || m.options.passage > 100000))
        rc = base_error_set(BASE_E_ARGUMENT, "a passage of %zu bytes: expected 200 to 100,000",
                            m.options.passage);
    if (!rc)
        rc = agent_is_postgres(target) ? agent_index_postgres(target, m.options.tokenizer, &m.sink)
                                       : index_sqlite(target, m.options.tokenizer, &m.sink);
    if (rc)
        goto out;
    if (base_file_is_directory(source))
        rc = directory_add(&m, source, "", 0);
    else if (is_records(source))
        rc = records_add(&m, source);
    else
        rc = file_add(&m, source, base_path_name(source));
    if (!rc && report->passages == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: no text to index", source);
    rc = m.sink.end(m.sink.context, rc);
out:
    if (rc) {
        json_decref(report->names);
        report->names = NULL;
    }
    return rc;
}
