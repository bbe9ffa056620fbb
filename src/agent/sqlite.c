/* SQLite files read by tools.
 *
 * Whoever asks may be hostile, and so may be the file. What holds them back, besides the sandbox
 * that all of this runs in:
 *   opening      mode=ro: nothing can be written, whatever a statement says
 *   authorizer   a statement may select, read columns and call functions; ATTACH, PRAGMA, every
 *                change, and functions that leave the database are refused before they run
 *   db_config    defensive, no trusted schema: functions and triggers hidden in the file's own
 *                views do not run with the query's rights
 *   limits       length of text and rows, depth of expressions, parts of a compound, operations
 *   progress     asked every 100 operations: a query ends after 1.5 s of processor time
 *   heap         64 MiB for all of SQLite; the worker has more, so that it can say so
 *
 * A database in WAL mode keeps its last changes in FILE-wal and needs FILE-shm to read them. Where
 * both are there they are read, too (while another program writes, as well). Where neither is, the
 * file is whole and is opened as immutable: SQLite would otherwise want to make them. A FILE-wal
 * without a FILE-shm is refused: without it the file may be old. */
#include "agent/sqlite.h"
#include "base/file.h"
#include "base/library.h"
#include "base/memory.h"
#include "base/buffer.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#define CPU_SECONDS 1.5
#define HEAP_BYTES  ((sqlite3_int64)64 << 20)
#define EVERY       100 /* operations between two looks at the clock */

struct agent_sqlite_functions agent_sqlite;

int agent_sqlite_load(void)
{
    static const char *const names[] = {
#define X(name) "sqlite3_" #name,
        AGENT_SQLITE(X)
#undef X
    };
    return base_library_load("libsqlite3.so.0", "libsqlite3-0", names, &agent_sqlite,
                             sizeof names / sizeof *names);
}

int agent_database_files_make(struct agent_database_files *f, const char *path)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-journal" };
    *f = (struct agent_database_files){ 0 };
    for (int i = 0; i < 4; i++)
        if (!(f->at[i] = base_format("%s%s", path, endings[i]))) {
            agent_database_files_free(f);
            return BASE_E_MEMORY;
        }
    return 0;
}

void agent_database_files_free(struct agent_database_files *f)
{
    for (int i = 0; i < 4; i++)
        base_free((char *)(uintptr_t)f->at[i]);
    *f = (struct agent_database_files){ 0 };
}

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int on_progress(void *context)
{
    struct agent_database *d = context;
    return d->late = cpu_now() > d->until;
}

/* What a statement is about to do; `a` and `b` as sqlite3_set_authorizer's table says. */
static int authorize(void *context, int action, const char *a, const char *b, const char *schema,
                     const char *view)
{
    /* these leave the database; the others of SQLite only compute */
    static const char *const outside[] = { "load_extension", "fts3_tokenizer",
                                           "sqlite_log",     "readfile",
                                           "writefile",      "edit",
                                           "lsmode",         "eval" };
    static const char *const own[] = { "table_list", "table_xinfo" };
    static const char *const names[] = {
        [SQLITE_PRAGMA] = "PRAGMA",
        [SQLITE_ATTACH] = "ATTACH and VACUUM INTO",
        [SQLITE_DETACH] = "DETACH",
        [SQLITE_INSERT] = "a change of rows",
        [SQLITE_UPDATE] = "a change of rows",
        [SQLITE_DELETE] = "a change of rows",
        [SQLITE_TRANSACTION] = "a transaction",
        [SQLITE_SAVEPOINT] = "a transaction",
    };
    struct agent_database *d = context;
    (void)schema, (void)view;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
            if (b && strcasecmp(b, outside[i]) == 0) {
                snprintf(d->denied, sizeof d->denied, "the function %s", outside[i]);
                return SQLITE_DENY;
            }
        return SQLITE_OK;
    case SQLITE_UPDATE:
        /* how SQLite parses a virtual table's own declaration; a statement that says it comes no
         * further than agent_database_prepare, and the file cannot be written */
        if (a && strcmp(a, "sqlite_master") == 0)
            return SQLITE_OK;
        break;
    case SQLITE_PRAGMA:
        if (a && !b && strcmp(a, "data_version") == 0) /* full-text tables ask it of themselves */
            return SQLITE_OK;
        for (size_t i = 0; d->own && i < sizeof own / sizeof *own; i++)
            if (a && strcmp(a, own[i]) == 0)
                return SQLITE_OK;
        break;
    default:
        break;
    }
    const char *name = action >= 0 && (size_t)action < sizeof names / sizeof *names && names[action]
                           ? names[action]
                           : "a change of the schema";
    snprintf(d->denied, sizeof d->denied, "%s", name);
    return SQLITE_DENY;
}

/* "file:" and the path as a URI wants it. */
static char *uri_make(const char *path, const char *query)
{
    struct base_buffer b = { 0 };
    int rc = base_buffer_puts(&b, path[0] == '/' ? "file://" : "file:");
    for (const char *s = path; *s && !rc; s++)
        rc = strchr("%?#", *s) || (unsigned char)*s <= ' '
                 ? base_buffer_printf(&b, "%%%02X", (unsigned char)*s)
                 : base_buffer_append(&b, s, 1);
    if (!rc)
        rc = base_buffer_puts(&b, query);
    if (rc) {
        base_buffer_free(&b);
        return NULL;
    }
    return base_buffer_take(&b);
}

static bool is_there(const char *path, const char *ending, bool filled)
{
    char *name = base_format("%s%s", path, ending);
    struct stat st;
    bool there = name && stat(name, &st) == 0 && (!filled || st.st_size > 0);
    base_free(name);
    return there;
}

static uint32_t big_endian(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Looks at the header: an SQLite file, whether it is in WAL mode (bytes 18 and 19 are 2), and whose
 * it says it is; section 1.3 of SQLite's file format. */
static int header_check(struct agent_database *d, const char *path, bool *wal)
{
    unsigned char head[100] = { 0 };
    FILE *f = fopen(path, "rb");
    if (!f)
        return base_error_set(BASE_E_IO, "%s: cannot be read", path);
    size_t n = fread(head, 1, sizeof head, f);
    fclose(f);
    if (n < sizeof head || memcmp(head, "SQLite format 3", 16) != 0)
        return base_error_set(BASE_E_FORMAT, "%s: is no SQLite file", path);
    *wal = head[18] == 2 || head[19] == 2;
    d->version = big_endian(head + 60);
    d->application = big_endian(head + 68);
    return 0;
}

static int guard(struct agent_database *d)
{
    static const int limits[][2] = {
        { SQLITE_LIMIT_LENGTH, 16 << 20 },     { SQLITE_LIMIT_SQL_LENGTH, 1 << 20 },
        { SQLITE_LIMIT_EXPR_DEPTH, 250 },      { SQLITE_LIMIT_COMPOUND_SELECT, 50 },
        { SQLITE_LIMIT_VDBE_OP, 250000 },      { SQLITE_LIMIT_ATTACHED, 0 },
        { SQLITE_LIMIT_TRIGGER_DEPTH, 1 },     { SQLITE_LIMIT_WORKER_THREADS, 0 },
        { SQLITE_LIMIT_VARIABLE_NUMBER, 100 }, { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000 },
    };
    static const int settings[][2] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },   { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
        { SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0 },  { SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
        { SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        agent_sqlite.limit(d->handle, limits[i][0], limits[i][1]);
    int code = SQLITE_OK;
    for (size_t i = 0; i < sizeof settings / sizeof *settings && code == SQLITE_OK; i++)
        code = agent_sqlite.db_config(d->handle, settings[i][0], settings[i][1], (int *)NULL);
    agent_sqlite.hard_heap_limit64(HEAP_BYTES);
    d->until = cpu_now() + CPU_SECONDS;
    agent_sqlite.progress_handler(d->handle, EVERY, on_progress, d);
    if (code == SQLITE_OK)
        code = agent_sqlite.exec(d->handle,
                                 "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; "
                                 "PRAGMA temp_store = MEMORY; PRAGMA query_only = ON",
                                 NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = agent_sqlite.set_authorizer(d->handle, authorize, d);
    return code == SQLITE_OK ? 0 : agent_database_fail(d, code);
}

int agent_database_open(struct agent_database *d, const char *path)
{
    bool wal = false, own = d->own;
    *d = (struct agent_database){ .path = path, .own = own };
    int rc = agent_sqlite_load();
    if (!rc)
        rc = header_check(d, path, &wal);
    if (rc)
        return rc;
    bool shared = is_there(path, "-shm", false);
    if (wal && !shared && is_there(path, "-wal", true))
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: has changes in %s-wal and no %s-shm to read them with: open it "
                              "once with a program that may write",
                              path, base_path_name(path), base_path_name(path));
    char *uri = uri_make(path, wal && !shared ? "?mode=ro&immutable=1" : "?mode=ro");
    if (!uri)
        return BASE_E_MEMORY;
    int code = agent_sqlite.open_v2(
        uri, &d->handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    base_free(uri);
    rc = code == SQLITE_OK ? guard(d) : agent_database_fail(d, code);
    if (rc)
        agent_database_close(d);
    return rc;
}

void agent_database_close(struct agent_database *d)
{
    if (d->handle)
        agent_sqlite.close_v2(d->handle);
    d->handle = NULL;
}

int agent_database_fail(struct agent_database *d, int code)
{
    const char *why = d->handle ? agent_sqlite.errmsg(d->handle) : "out of memory";
    int primary = code & 0xff;
    /* a refusal deep inside is told as an error, or as a schema that changed */
    if (primary == SQLITE_AUTH ||
        (d->denied[0] && (primary == SQLITE_ERROR || primary == SQLITE_SCHEMA)))
        return base_error_set(BASE_E_ARGUMENT, "not allowed: %s; only SELECT is",
                              d->denied[0] ? d->denied : why);
    switch (primary) {
    case SQLITE_INTERRUPT:
        return base_error_set(BASE_E_LIMIT,
                              "the query was ended after %.2g seconds of processor time: ask for "
                              "less, or for what an index answers",
                              CPU_SECONDS);
    case SQLITE_NOMEM:
        return base_error_set(BASE_E_LIMIT, "the query needs more than %d MiB of memory",
                              (int)(HEAP_BYTES >> 20));
    case SQLITE_TOOBIG:
        return base_error_set(BASE_E_LIMIT, "a value or the statement is too long: %s", why);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return base_error_set(BASE_E_FORMAT, "%s: the file is damaged or no SQLite file (%s)",
                              d->path, why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return base_error_set(BASE_E_IO, "%s: another program is writing to it: try again",
                              d->path);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
        return base_error_set(BASE_E_IO,
                              "%s: cannot be read without writing (%s): it is in use, or was left "
                              "in the middle of a change; open it once with a program that may "
                              "write",
                              d->path, why);
    default:
        return base_error_set(BASE_E_ARGUMENT, "%s", why);
    }
}

int agent_database_prepare(struct agent_database *d, const char *sql, size_t bytes,
                           sqlite3_stmt **out)
{
    const char *rest = sql;
    *out = NULL;
    if (strlen(sql) != bytes)
        return base_error_set(BASE_E_ARGUMENT, "a NUL inside the SQL");
    while (*rest) {
        sqlite3_stmt *q = NULL;
        const char *next = NULL;
        d->denied[0] = 0;
        int code = agent_sqlite.prepare_v2(d->handle, rest, -1, &q, &next);
        if (code == SQLITE_OK && q && *out) {
            agent_sqlite.finalize(q);
            agent_sqlite.finalize(*out);
            *out = NULL;
            return base_error_set(BASE_E_ARGUMENT, "not allowed: more than one statement");
        }
        if (code != SQLITE_OK) {
            int rc = agent_database_fail(d, code);
            agent_sqlite.finalize(*out);
            *out = NULL;
            return rc;
        }
        if (q)
            *out = q;
        rest = next;
    }
    if (!*out)
        return base_error_set(BASE_E_ARGUMENT, "no statement: expected a SELECT");
    if (!agent_sqlite.stmt_readonly(*out) || agent_sqlite.column_count(*out) == 0) {
        agent_sqlite.finalize(*out);
        *out = NULL;
        return base_error_set(BASE_E_ARGUMENT, "not allowed: the statement gives no rows; only "
                                               "SELECT is");
    }
    return 0;
}
