/* The store in a PostgreSQL database; libpq is loaded with the first one. Results come in binary:
 * integers and doubles big-endian, text and bytes as they are. */
#include "base/library.h"
#include "base/memory.h"
#include "eval/store_database.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#define PQ(X)                                                                                      \
    X(connectdbParams)                                                                             \
    X(status)                                                                                      \
    X(errorMessage)                                                                                \
    X(finish)                                                                                      \
    X(socket)                                                                                      \
    X(setNoticeProcessor)                                                                          \
    X(execParams)                                                                                  \
    X(resultStatus)                                                                                \
    X(resultErrorField)                                                                            \
    X(clear) X(ntuples) X(nfields) X(ftype) X(getisnull) X(getvalue) X(getlength)
static struct {
#define X(name) __typeof__(PQ##name) *name;
    PQ(X)
#undef X
} pq;

/* Type numbers of PostgreSQL's catalogue (pg_type.dat), fixed for ever. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_FLOAT8 = 701
};

static int load(void)
{
    static const char *const names[] = {
#define X(name) "PQ" #name,
        PQ(X)
#undef X
    };
    return base_library_load("libpq.so.5", "libpq5", names, &pq, sizeof names / sizeof *names);
}

static int fail(struct eval_store *s, const PGresult *result)
{
    const char *state = result ? pq.resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *why = result ? pq.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!why)
        why = pq.errorMessage(s->handle);
    size_t n = strcspn(why, "\n");
    if (state && strncmp(state, "53100", 5) == 0)
        return base_error_set(BASE_E_IO, "%s: the server's disk is full, nothing was stored",
                              s->name);
    if (state && (strcmp(state, "55P03") == 0 || strcmp(state, "57014") == 0))
        return base_error_set(BASE_E_IO,
                              "%s: the store is locked by another process: wait for it, or give "
                              "another one with --store",
                              s->name);
    if (state && strncmp(state, "XX", 2) == 0)
        return base_error_set(BASE_E_FORMAT, "%s: the store is damaged: %.*s", s->name, (int)n,
                              why);
    return base_error_set(BASE_E_IO, "%s: %.*s", s->name, (int)n, why);
}

/* Parameters: numbers as text, bytes as they are. */
#define MOST 16
struct parameters {
    Oid types[MOST];
    const char *values[MOST];
    int lengths[MOST], formats[MOST];
    char text[MOST][32];
};

static int fill(struct eval_store *s, struct parameters *p, const struct store_value *values,
                size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct store_value *v = &values[i];
        if (v->bytes > INT32_MAX)
            return base_error_set(BASE_E_LIMIT, "%s: a value of %zu bytes is too long", s->name,
                                  v->bytes);
        p->values[i] = p->text[i];
        p->lengths[i] = (int)v->bytes;
        p->formats[i] = v->kind == STORE_BLOB;
        switch (v->kind) {
        case STORE_INTEGER:
            p->types[i] = OID_INT8;
            snprintf(p->text[i], sizeof p->text[i], "%lld", (long long)v->integer);
            break;
        case STORE_REAL:
            p->types[i] = OID_FLOAT8;
            snprintf(p->text[i], sizeof p->text[i], "%.17g", v->real);
            break;
        case STORE_TEXT:
            p->types[i] = OID_TEXT;
            p->values[i] = v->data;
            break;
        case STORE_BLOB:
            p->types[i] = OID_BYTEA;
            p->values[i] = v->data;
            break;
        default:
            p->types[i] = 0;
            p->values[i] = NULL;
        }
    }
    return 0;
}

static uint64_t big_endian(const char *data, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | (uint8_t)data[i];
    return v;
}

static struct store_value cell(const PGresult *r, int row, int i)
{
    struct store_value v = { 0 };
    if (pq.getisnull(r, row, i))
        return v;
    const char *data = pq.getvalue(r, row, i);
    int n = pq.getlength(r, row, i);
    uint64_t bits;
    switch (pq.ftype(r, i)) {
    case OID_BOOL:
    case OID_INT4:
    case OID_INT8:
        v.kind = STORE_INTEGER;
        bits = big_endian(data, n);
        v.integer = n == 4 ? (int32_t)bits : (int64_t)bits;
        break;
    case OID_FLOAT8:
        v.kind = STORE_REAL;
        bits = big_endian(data, n);
        memcpy(&v.real, &bits, sizeof v.real);
        break;
    case OID_BYTEA:
        v.kind = STORE_BLOB;
        v.data = data;
        v.bytes = (size_t)n;
        break;
    default: /* text; libpq puts a NUL behind every value */
        v.kind = STORE_TEXT;
        v.data = data;
        v.bytes = (size_t)n;
    }
    return v;
}

static int query(struct eval_store *s, const char *sql, const struct store_value *values, size_t n,
                 store_row_fn *on_row, void *context)
{
    struct parameters p;
    struct store_value columns[MOST];
    if (n > MOST)
        return base_error_set(BASE_E_LIMIT, "%s: a query of %zu parameters", s->name, n);
    int rc = fill(s, &p, values, n);
    if (rc)
        return rc;
    PGresult *r = pq.execParams(s->handle, sql, (int)n, p.types, p.values, p.lengths, p.formats, 1);
    ExecStatusType status = r ? pq.resultStatus(r) : PGRES_FATAL_ERROR;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        rc = fail(s, r);
    int count = rc ? 0 : pq.nfields(r), rows = rc ? 0 : pq.ntuples(r);
    if (count > MOST)
        rc = base_error_set(BASE_E_LIMIT, "%s: a query of %d columns", s->name, count);
    for (int row = 0; row < rows && rc == 0 && on_row; row++) {
        for (int i = 0; i < count; i++)
            columns[i] = cell(r, row, i);
        rc = on_row(context, columns, (size_t)count);
    }
    pq.clear(r);
    return rc;
}

static int wait_for(struct eval_store *s, int milliseconds)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SET lock_timeout = %d", milliseconds);
    return query(s, sql, NULL, 0, NULL, NULL);
}

static void close_store(struct eval_store *s)
{
    if (s->handle)
        pq.finish(s->handle);
    s->handle = NULL;
}

static int socket_of(const struct eval_store *s)
{
    return pq.socket(s->handle);
}

static const struct store_kind_of postgres_kind = {
    .blob = "BYTEA",
    .begin = "BEGIN",
    .lock = "SELECT pg_advisory_xact_lock(4285203)",
    .exists = "SELECT 1 WHERE to_regclass('assay_store') IS NOT NULL",
    .query = query,
    .wait = wait_for,
    .close = close_store,
    .socket = socket_of,
};

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message; /* "relation exists, skipping" */
}

/* where without its password, for messages: "//user:secret@" and "password=secret" lose theirs. */
static char *public_name(const char *where)
{
    char *name = base_strdup(where);
    if (!name)
        return NULL;
    char *at = strstr(name, "://"), *host = at ? strchr(at + 3, '@') : NULL;
    char *colon = host ? memchr(at + 3, ':', (size_t)(host - at - 3)) : NULL;
    if (colon)
        memmove(colon, host, strlen(host) + 1);
    for (char *p = name; (p = strstr(p, "password="));) {
        char *value = p + strlen("password=");
        size_t n = *value == '\'' ? strcspn(value + 1, "'") + 2 : strcspn(value, " &");
        n = n > strlen(value) ? strlen(value) : n;
        memmove(value, value + n, strlen(value + n) + 1);
        p = value;
    }
    return name;
}

int store_postgres_open(struct eval_store *s, const char *where)
{
    /* what `where` says comes last and wins */
    static const char *const keys[] = { "connect_timeout", "application_name", "dbname", NULL };
    const char *const values[] = { "10", "assay", where, NULL };
    int rc = load();
    if (rc)
        return rc;
    if (!(s->name = public_name(where)))
        return BASE_E_MEMORY;
    s->kind = &postgres_kind;
    if (!(s->handle = pq.connectdbParams(keys, values, 1)))
        return base_error_set(BASE_E_MEMORY, "%s: out of memory", s->name);
    if (pq.status(s->handle) != CONNECTION_OK) {
        const char *why = pq.errorMessage(s->handle);
        return base_error_set(BASE_E_IO, "%s: cannot connect: %.*s", s->name,
                              (int)strcspn(why, "\n"), why);
    }
    pq.setNoticeProcessor(s->handle, ignore_notice, NULL);
    return wait_for(s, 60000);
}
