/* The tables, and what is common to both databases. Version 1:
 *
 *   assay_store    key, value                             "schema": the version
 *   assay_run      id, time, source, model, ...           one row a run; record, config, results:
 * JSON assay_task     run, position, name, items, samples assay_metric   run, task, position,
 * metric, filter, value, stderr, low, high, method, n, ... assay_column   run, task, position,
 * filter, metric, part, n, encoding, data assay_sample   run, task, part, n, bytes, data lines of
 * JSON, zstd
 *
 * A column is one metric of a task's items by (document hash, doc_id), 65,536 items a row, so that
 * a comparison of a million items reads some 25 MB in 50 rows. "#hash", "#doc" and "#cluster" of a
 * filter say which items; "#weight:NAME" goes with NAME. Rows of part 0 in the order of position
 * tell which metrics there are.
 *
 * A change of the tables gets a new version and a step from the one before in `steps`. */
#include "base/library.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/store_database.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* @BLOB stands for the database's type of bytes. */
static const char *const version_1[] = {
    "CREATE TABLE assay_store (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE assay_run (id TEXT PRIMARY KEY, time TEXT, source TEXT NOT NULL, model TEXT NOT "
    "NULL, model_hash TEXT, tokenizer_hash TEXT, parent TEXT, directory TEXT, added TEXT NOT NULL, "
    "record TEXT NOT NULL, config TEXT NOT NULL, results TEXT NOT NULL)",
    "CREATE TABLE assay_task (run TEXT NOT NULL REFERENCES assay_run (id) ON DELETE CASCADE, "
    "position BIGINT NOT NULL, name TEXT NOT NULL, items BIGINT NOT NULL, samples BIGINT NOT NULL, "
    "PRIMARY KEY (run, name))",
    "CREATE TABLE assay_metric (run TEXT NOT NULL REFERENCES assay_run (id) ON DELETE CASCADE, "
    "task TEXT NOT NULL, position BIGINT NOT NULL, metric TEXT NOT NULL, filter TEXT NOT NULL, "
    "value DOUBLE PRECISION, stderr DOUBLE PRECISION, low DOUBLE PRECISION, high DOUBLE PRECISION, "
    "method TEXT, n BIGINT, higher_is_better BIGINT NOT NULL, PRIMARY KEY (run, task, position))",
    "CREATE TABLE assay_column (run TEXT NOT NULL REFERENCES assay_run (id) ON DELETE CASCADE, "
    "task TEXT NOT NULL, position BIGINT NOT NULL, part BIGINT NOT NULL, filter TEXT NOT NULL, "
    "metric TEXT NOT NULL, n BIGINT NOT NULL, encoding BIGINT NOT NULL, data @BLOB NOT NULL, "
    "PRIMARY KEY (run, task, position, part))",
    "CREATE TABLE assay_sample (run TEXT NOT NULL REFERENCES assay_run (id) ON DELETE CASCADE, "
    "task TEXT NOT NULL, part BIGINT NOT NULL, n BIGINT NOT NULL, bytes BIGINT NOT NULL, "
    "data @BLOB NOT NULL, PRIMARY KEY (run, task, part))",
    "INSERT INTO assay_store (key, value) VALUES ('schema', '1')",
    NULL
};
/* steps[v]: from version v to v + 1. */
static const char *const *const steps[STORE_SCHEMA] = { version_1 };

struct store_value store_text(const char *s)
{
    return (struct store_value){ .kind = s ? STORE_TEXT : STORE_NULL,
                                 .data = s,
                                 .bytes = s ? strlen(s) : 0 };
}

struct store_value store_number(double x)
{
    return (struct store_value){ .kind = isfinite(x) ? STORE_REAL : STORE_NULL, .real = x };
}

const char *store_string(const struct store_value *v)
{
    return v->kind == STORE_TEXT && v->data ? v->data : "";
}

int store_query(struct eval_store *s, const char *sql, const struct store_value *values, size_t n,
                store_row_fn *on_row, void *context)
{
    return s->kind->query(s, sql, values, n, on_row, context);
}

int store_run(struct eval_store *s, const char *sql, const struct store_value *values, size_t n)
{
    return s->kind->query(s, sql, values, n, NULL, NULL);
}

int store_wait(struct eval_store *s, int milliseconds)
{
    return s->kind->wait(s, milliseconds);
}

/* ---- versions ---- */

static int count_row(void *context, const struct store_value *columns, size_t n)
{
    (void)columns;
    *(int *)context += n > 0;
    return 0;
}

static int keep_version(void *context, const struct store_value *columns, size_t n)
{
    *(int64_t *)context = n ? strtoll(store_string(&columns[0]), NULL, 10) : 0;
    return 0;
}

/* *version: 0 when there are no tables. */
static int version_of(struct eval_store *s, int64_t *version)
{
    int there = 0;
    *version = 0;
    int rc = store_query(s, s->kind->exists, NULL, 0, count_row, &there);
    if (rc || !there)
        return rc;
    *version = -1;
    rc = store_query(s, "SELECT value FROM assay_store WHERE key = 'schema'", NULL, 0, keep_version,
                     version);
    if (rc)
        return rc;
    if (*version > STORE_SCHEMA)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: the store's tables are of version %lld, of a newer Assay (this "
                              "one knows %d): use that one, or another store with --store",
                              s->name, (long long)*version, STORE_SCHEMA);
    if (*version < 1)
        return base_error_set(BASE_E_FORMAT,
                              "%s: the store is damaged (no version of its tables): move it away, "
                              "and bring runs back with `assay runs import DIR`",
                              s->name);
    return 0;
}

static int apply(struct eval_store *s, const char *const *statements)
{
    int rc = 0;
    for (size_t i = 0; statements[i] && rc == 0; i++) {
        const char *mark = strstr(statements[i], "@BLOB");
        char *sql = mark ? base_format("%.*s%s%s", (int)(mark - statements[i]), statements[i],
                                       s->kind->blob, mark + strlen("@BLOB"))
                         : base_strdup(statements[i]);
        rc = sql ? store_run(s, sql, NULL, 0) : BASE_E_MEMORY;
        base_free(sql);
    }
    return rc;
}

int store_schema_ready(struct eval_store *s, enum eval_store_mode mode)
{
    int64_t version;
    int foreign = 0, rc = version_of(s, &version);
    if (rc || version == STORE_SCHEMA)
        return rc;
    if (version == 0 && s->kind->others &&
        (rc = store_query(s, s->kind->others, NULL, 0, count_row, &foreign)))
        return rc;
    if (foreign)
        return base_error_set(BASE_E_FORMAT,
                              "%s: holds another program's tables, and none of Assay's: give a "
                              "file of its own to --store",
                              s->name);
    if (version == 0 && mode == EVAL_STORE_READ)
        return base_error_set(BASE_E_FORMAT,
                              "%s: holds no runs yet (`assay eval` and `assay runs import` put "
                              "them there)",
                              s->name);
    /* under the lock: somebody else may have made the tables meanwhile */
    if ((rc = store_run(s, s->kind->begin, NULL, 0)))
        return rc;
    if (s->kind->lock)
        rc = store_run(s, s->kind->lock, NULL, 0);
    if (rc == 0)
        rc = version_of(s, &version);
    for (; rc == 0 && version < STORE_SCHEMA; version++)
        rc = apply(s, steps[version]);
    if (rc == 0)
        return store_run(s, "COMMIT", NULL, 0);
    char *message = base_strdup(base_error_message());
    store_run(s, "ROLLBACK", NULL, 0);
    if (message)
        base_error_set(rc, "%s", message);
    base_free(message);
    return rc;
}

/* ---- opening ---- */

char *eval_store_default(void)
{
    const char *named = getenv("ASSAY_STORE"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    if (named && *named)
        return base_strdup(named);
    if (data && *data == '/')
        return base_format("%s/assay/store.sqlite", data);
    if (home && *home)
        return base_format("%s/.local/share/assay/store.sqlite", home);
    base_error_set(BASE_E_ARGUMENT,
                   "no place for the store: neither ASSAY_STORE, XDG_DATA_HOME nor "
                   "HOME is set; give --store FILE");
    return NULL;
}

bool eval_store_is_server(const char *where)
{
    return base_starts_with(where, "postgresql://") || base_starts_with(where, "postgres://") ||
           (strchr(where, '=') &&
            (base_starts_with(where, "host=") || base_starts_with(where, "dbname=") ||
             base_starts_with(where, "service=")));
}

int eval_store_open(struct eval_store **out, const char *where, enum eval_store_mode mode)
{
    *out = NULL;
    char *path = where ? base_strdup(where) : eval_store_default();
    struct eval_store *s = path ? base_alloc_zero(1, sizeof *s) : NULL;
    int rc = s ? 0 : BASE_E_MEMORY;
    if (rc == 0)
        rc = eval_store_is_server(path) ? store_postgres_open(s, path)
                                        : store_sqlite_open(s, path, mode);
    if (rc == 0)
        rc = store_schema_ready(s, mode);
    base_free(path);
    if (rc) {
        eval_store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void eval_store_close(struct eval_store *s)
{
    if (!s)
        return;
    if (s->kind)
        s->kind->close(s);
    base_free(s->name);
    base_free(s);
}

int eval_store_socket(const struct eval_store *s)
{
    return s->kind->socket ? s->kind->socket(s) : -1;
}

const char *eval_store_name(const struct eval_store *s)
{
    return s->name;
}

/* ---- compression ---- */

#define ZSTD(X) X(compress) X(decompress) X(compressBound) X(isError) X(getErrorName)
static struct {
#define X(name) __typeof__(ZSTD_##name) *name;
    ZSTD(X)
#undef X
} zstd;

static int zstd_load(void)
{
    static const char *const names[] = {
#define X(name) "ZSTD_" #name,
        ZSTD(X)
#undef X
    };
    return base_library_load("libzstd.so.1", "libzstd1", names, &zstd,
                             sizeof names / sizeof *names);
}

int store_compress(const char *text, size_t n, char **out, size_t *bytes)
{
    int rc = zstd_load();
    *out = NULL;
    if (rc)
        return rc;
    size_t bound = zstd.compressBound(n);
    if (!(*out = base_alloc(bound, 1)))
        return BASE_E_MEMORY;
    size_t made = zstd.compress(*out, bound, text, n, 3);
    if (zstd.isError(made)) {
        base_free(*out);
        *out = NULL;
        return base_error_set(BASE_E_MEMORY, "zstd: %s", zstd.getErrorName(made));
    }
    *bytes = made;
    return 0;
}

#define MOST_PART ((size_t)1 << 30)
int store_decompress(const void *data, size_t n, size_t bytes, const char *where, char **out)
{
    int rc = zstd_load();
    *out = NULL;
    if (rc)
        return rc;
    if (bytes > MOST_PART)
        return base_error_set(BASE_E_FORMAT, "%s: the store is damaged: a part of %zu bytes", where,
                              bytes);
    if (!(*out = base_alloc(bytes + 1, 1)))
        return BASE_E_MEMORY;
    size_t made = zstd.decompress(*out, bytes, data, n);
    if (zstd.isError(made) || made != bytes) {
        base_free(*out);
        *out = NULL;
        return base_error_set(BASE_E_FORMAT, "%s: the store is damaged: samples do not unpack (%s)",
                              where, zstd.isError(made) ? zstd.getErrorName(made) : "wrong length");
    }
    (*out)[bytes] = 0;
    return 0;
}
