/* The store in an SQLite file; libsqlite3 is loaded with the first one.
 *
 * WAL lets readers go on while one process writes; a second writer waits. `synchronous = NORMAL` is
 * safe with WAL: a power cut may lose the last transaction, never the file. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/library.h"
#include "base/memory.h"
#include "eval/store_database.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define WAIT_MS 60000 /* an import of millions of samples holds the lock for seconds */

#define SQLITE(X)                                                                                  \
    X(open_v2)                                                                                     \
    X(close_v2)                                                                                    \
    X(prepare_v2)                                                                                  \
    X(step)                                                                                        \
    X(finalize)                                                                                    \
    X(errmsg)                                                                                      \
    X(extended_errcode)                                                                            \
    X(busy_timeout)                                                                                \
    X(bind_parameter_index)                                                                        \
    X(bind_null)                                                                                   \
    X(bind_int64)                                                                                  \
    X(bind_double)                                                                                 \
    X(bind_text)                                                                                   \
    X(bind_blob64)                                                                                 \
    X(column_count)                                                                                \
    X(column_type)                                                                                 \
    X(column_int64) X(column_double) X(column_text) X(column_blob) X(column_bytes)
static struct {
#define X(name) __typeof__(sqlite3_##name) *name;
    SQLITE(X)
#undef X
} sqlite;

static int load(void)
{
    static const char *const names[] = {
#define X(name) "sqlite3_" #name,
        SQLITE(X)
#undef X
    };
    return base_library_load("libsqlite3.so.0", "libsqlite3-0", names, &sqlite,
                             sizeof names / sizeof *names);
}

/* SQLite's code as one of ours, with what to do about it. */
static int fail(struct eval_store *s, int code)
{
    const char *why = s->handle ? sqlite.errmsg(s->handle) : "out of memory";
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return base_error_set(BASE_E_IO,
                              "%s: the store is locked by another process: wait for it, or give "
                              "another one with --store",
                              s->name);
    case SQLITE_FULL:
        return base_error_set(BASE_E_IO,
                              "%s: the disk is full, nothing was stored: free some space, or give "
                              "a store elsewhere with --store",
                              s->name);
    case SQLITE_CORRUPT:
        return base_error_set(BASE_E_FORMAT,
                              "%s: the store is damaged (%s): move it away, and bring runs back "
                              "with `assay runs import DIR`",
                              s->name, why);
    case SQLITE_NOTADB:
        return base_error_set(BASE_E_FORMAT, "%s: is no SQLite file, so no store of Assay",
                              s->name);
    case SQLITE_READONLY:
        return base_error_set(BASE_E_IO, "%s: the store cannot be written to (read-only)", s->name);
    case SQLITE_NOMEM:
        return base_error_set(BASE_E_MEMORY, "%s: out of memory", s->name);
    case SQLITE_TOOBIG:
        return base_error_set(BASE_E_LIMIT, "%s: a record beyond SQLite's limit of 1 GB", s->name);
    default:
        return base_error_set(BASE_E_IO, "%s: %s", s->name, why);
    }
}

static int bind(struct eval_store *s, sqlite3_stmt *q, const struct store_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char name[24];
        snprintf(name, sizeof name, "$%zu", i + 1);
        int at = sqlite.bind_parameter_index(q, name), code = SQLITE_OK;
        const struct store_value *v = &values[i];
        if (at == 0)
            continue; /* a statement need not use all */
        if (v->kind == STORE_INTEGER)
            code = sqlite.bind_int64(q, at, v->integer);
        else if (v->kind == STORE_REAL)
            code = sqlite.bind_double(q, at, v->real);
        else if (v->kind == STORE_TEXT)
            code = sqlite.bind_text(q, at, v->data, -1, SQLITE_STATIC);
        else if (v->kind == STORE_BLOB)
            code = sqlite.bind_blob64(q, at, v->data, v->bytes, SQLITE_STATIC);
        else
            code = sqlite.bind_null(q, at);
        if (code != SQLITE_OK)
            return fail(s, code);
    }
    return 0;
}

static struct store_value column(sqlite3_stmt *q, int i)
{
    struct store_value v = { 0 };
    switch (sqlite.column_type(q, i)) {
    case SQLITE_INTEGER:
        v.kind = STORE_INTEGER;
        v.integer = sqlite.column_int64(q, i);
        break;
    case SQLITE_FLOAT:
        v.kind = STORE_REAL;
        v.real = sqlite.column_double(q, i);
        break;
    case SQLITE_TEXT:
        v.kind = STORE_TEXT;
        v.data = sqlite.column_text(q, i);
        v.bytes = (size_t)sqlite.column_bytes(q, i);
        break;
    case SQLITE_BLOB:
        v.kind = STORE_BLOB;
        v.data = sqlite.column_blob(q, i);
        v.bytes = (size_t)sqlite.column_bytes(q, i);
        break;
    default:
        break;
    }
    return v;
}

static int query(struct eval_store *s, const char *sql, const struct store_value *values, size_t n,
                 store_row_fn *on_row, void *context)
{
    sqlite3_stmt *q = NULL;
    struct store_value columns[16];
    int code = sqlite.prepare_v2(s->handle, sql, -1, &q, NULL);
    if (code != SQLITE_OK)
        return fail(s, code);
    int rc = bind(s, q, values, n), count = sqlite.column_count(q);
    if (rc == 0 && count > (int)(sizeof columns / sizeof *columns))
        rc = base_error_set(BASE_E_LIMIT, "%s: a query of %d columns", s->name, count);
    while (rc == 0 && (code = sqlite.step(q)) == SQLITE_ROW) {
        for (int i = 0; i < count; i++)
            columns[i] = column(q, i);
        if (on_row)
            rc = on_row(context, columns, (size_t)count);
    }
    if (rc == 0 && code != SQLITE_DONE)
        rc = fail(s, code);
    sqlite.finalize(q);
    return rc;
}

static int wait_for(struct eval_store *s, int milliseconds)
{
    return sqlite.busy_timeout(s->handle, milliseconds) == SQLITE_OK ? 0 : fail(s, SQLITE_ERROR);
}

static void close_store(struct eval_store *s)
{
    if (s->handle)
        sqlite.close_v2(s->handle);
    s->handle = NULL;
}

static const struct store_kind_of sqlite_kind = {
    .blob = "BLOB",
    .begin = "BEGIN IMMEDIATE",
    .exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'assay_store'",
    .others =
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'assay_%' LIMIT 1",
    .query = query,
    .wait = wait_for,
    .close = close_store,
};

static int first_text(void *context, const struct store_value *columns, size_t n)
{
    if (n)
        snprintf(context, 16, "%s", store_string(&columns[0]));
    return 0;
}

/* Changing the journal needs the file for oneself and does not wait by itself. */
static int use_wal(struct eval_store *s)
{
    int rc = 0;
    for (int attempt = 0; attempt < 200; attempt++) {
        char mode[16] = "";
        rc = query(s, "PRAGMA journal_mode", NULL, 0, first_text, mode);
        if (rc == 0 && strcmp(mode, "wal") == 0)
            return 0;
        if (rc == 0)
            rc = query(s, "PRAGMA journal_mode = WAL", NULL, 0, first_text, mode);
        if (rc == 0)
            return 0; /* a file system without shared memory keeps its journal: slower, as safe */
        if (rc != BASE_E_IO)
            return rc;
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
    return rc;
}

static int make_parent(const char *path)
{
    const char *name = base_path_name(path);
    if (name == path)
        return 0;
    char *parent = base_strndup(path, (size_t)(name - path));
    int rc = parent ? base_file_make_directories(parent) : BASE_E_MEMORY;
    base_free(parent);
    return rc;
}

/* A store in WAL mode wants to make FILE-shm before it can be read. Where it may not (a read-only
 * disk, a sandbox) and no FILE-wal holds changes, the file is whole, and may be read as immutable.
 */
static int reopen_immutable(struct eval_store *s, const char *path)
{
    struct base_buffer uri = { 0 };
    char *wal = base_format("%s-wal", path);
    struct stat info;
    bool changes = wal && stat(wal, &info) == 0 && info.st_size > 0;
    int rc = wal ? base_buffer_puts(&uri, "file:") : BASE_E_MEMORY;
    for (const unsigned char *p = (const unsigned char *)path; *p && !rc; p++)
        rc = base_buffer_printf(&uri, strchr("%?#", *p) ? "%%%02x" : "%c", *p);
    if (!rc)
        rc = base_buffer_puts(&uri, "?mode=ro&immutable=1");
    if (!rc && changes)
        rc = base_error_set(BASE_E_IO,
                            "%s: cannot be read now: another program writes to it, and this one "
                            "may not join in",
                            s->name);
    if (!rc) {
        sqlite3 *handle = NULL;
        sqlite.close_v2(s->handle);
        s->handle = NULL;
        int code = sqlite.open_v2(
            uri.data, &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
        s->handle = handle;
        rc = code == SQLITE_OK ? 0 : fail(s, code);
    }
    base_free(wal);
    base_buffer_free(&uri);
    return rc;
}

int store_sqlite_open(struct eval_store *s, const char *path, enum eval_store_mode mode)
{
    sqlite3 *handle = NULL;
    if (!s->name && !(s->name = base_strdup(path)))
        return BASE_E_MEMORY;
    if (mode == EVAL_STORE_READ && !base_file_exists(path))
        return base_error_set(
            BASE_E_IO,
            "%s: there is no store yet (`assay eval` and `assay runs import` make "
            "one)",
            path);
    if (base_file_is_directory(path))
        return base_error_set(BASE_E_IO, "%s: is a directory, expected a store's file", path);
    int rc = load();
    if (rc || (mode == EVAL_STORE_WRITE && (rc = make_parent(path))))
        return rc;
    int code = sqlite.open_v2(path, &handle,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                  (mode == EVAL_STORE_WRITE ? SQLITE_OPEN_CREATE : 0),
                              NULL);
    s->handle = handle;
    s->kind = &sqlite_kind;
    if (code != SQLITE_OK)
        return fail(s, code);
    sqlite.busy_timeout(handle, WAIT_MS);
    static const char *const settings[] = { "PRAGMA foreign_keys = ON",
                                            "PRAGMA synchronous = NORMAL",
                                            "PRAGMA mmap_size = 1073741824",
                                            "PRAGMA cache_size = -16384" };
    if (mode == EVAL_STORE_READ) {
        rc = query(s, "SELECT 1 FROM sqlite_master LIMIT 1", NULL, 0, NULL, NULL);
        int code = rc ? sqlite.extended_errcode(handle) & 0xff : SQLITE_OK;
        if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
            rc = reopen_immutable(s, path);
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings && rc == 0; i++)
        rc = query(s, settings[i], NULL, 0, NULL, NULL);
    if (rc == 0 && mode == EVAL_STORE_WRITE)
        rc = use_wal(s);
    return rc;
}
