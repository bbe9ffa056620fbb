/* Connections to PostgreSQL that only look; see postgres.h.
 *
 * What holds a statement back, in the order in which it meets it:
 *   one statement   the extended protocol takes one; a second behind it is an error
 *   parse tree      only SELECT, only functions that compute: postgres_check.c
 *   transaction     READ ONLY: no change, no sequence, no lock on rows
 *   limits          statement_timeout, lock_timeout; a client that is gone ends its query
 *   rows and bytes  what is not taken is not asked for any more
 *
 * A password must be in no text that leaves this file: public names are put together from parts,
 * an address that cannot be read is not repeated, and messages of libpq and the server have it
 * struck out. */
#include "agent/postgres_private.h"
#include "base/json.h"
#include "base/library.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

#define STATEMENT_MS 5000
#define BYTES_MOST   ((size_t)1000000) /* of the rows as JSON: below an answer's 1 MiB */
#define TREE_MOST    ((size_t)64 << 20)

struct agent_pq_functions agent_pq;

int agent_pq_load(void)
{
    static const char *const names[] = {
#define X(name) "PQ" #name,
        AGENT_PQ(X)
#undef X
    };
    return base_library_load("libpq.so.5", "libpq5", names, &agent_pq,
                             sizeof names / sizeof *names);
}

bool agent_is_postgres(const char *where)
{
    return base_starts_with(where, "postgresql://") || base_starts_with(where, "postgres://");
}

/* ---- names and messages without passwords ---- */

static const char *option(const PQconninfoOption *all, const char *keyword)
{
    for (; all && all->keyword; all++)
        if (strcmp(all->keyword, keyword) == 0)
            return all->val && *all->val ? all->val : NULL;
    return NULL;
}

static char *name_make(const char *user, const char *host, const char *port, const char *db)
{
    bool local = !host || host[0] == '/' || host[0] == '@';
    char *name = base_format("postgresql://%s%s%s%s%s/%s", user ? user : "", user ? "@" : "",
                             local ? "" : host, port && !local ? ":" : "",
                             port && !local ? port : "", db ? db : "");
    for (char *s = name; s && *s; s++) /* it goes into messages of one line */
        if ((unsigned char)*s < ' ')
            *s = ' ';
    return name;
}

char *agent_postgres_public(const char *address)
{
    char *why = NULL;
    if (agent_pq_load())
        return base_strdup("postgresql://");
    PQconninfoOption *all = agent_pq.conninfoParse(address, &why);
    char *name = all ? name_make(option(all, "user"), option(all, "host"), option(all, "port"),
                                 option(all, "dbname"))
                     : base_strdup("postgresql://");
    agent_pq.conninfoFree(all);
    agent_pq.freemem(why);
    return name;
}

/* At most one line of text, with the password struck out. */
static void clean(const struct agent_postgres *p, const char *text, char *out, size_t size)
{
    size_t n = 0, secret = p->password ? strlen(p->password) : 0;
    while (*text && n + 4 < size) {
        /* shorter ones are in any text by chance; and nobody learns one from its absence */
        if (secret >= 3 && strncmp(text, p->password, secret) == 0) {
            memcpy(out + n, "***", 3);
            n += 3;
            text += secret;
            continue;
        }
        char c = *text++;
        if (c == '\n' || c == '\t' || c == '\r')
            c = ' ';
        if (c == ' ' && n && out[n - 1] == ' ')
            continue;
        out[n++] = c;
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[base_utf8_complete(out, n)] = 0;
}

int agent_postgres_fail(struct agent_postgres *p, const PGresult *result)
{
    const char *state = result ? agent_pq.resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *why = result ? agent_pq.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *at = result ? agent_pq.resultErrorField(result, PG_DIAG_STATEMENT_POSITION) : NULL;
    const char *hint = result ? agent_pq.resultErrorField(result, PG_DIAG_MESSAGE_HINT) : NULL;
    char message[400], advice[300] = "";
    clean(p, why ? why : agent_pq.errorMessage(p->conn), message, sizeof message);
    if (hint)
        clean(p, hint, advice, sizeof advice);
    if (!state)
        return base_error_set(BASE_E_IO, "%s: %s", p->name,
                              strstr(message, "out of memory")
                                  ? "a row is too large for the worker's memory"
                                  : message);
    if (strcmp(state, "57014") == 0)
        return base_error_set(BASE_E_LIMIT,
                              "the query was ended after %.3g seconds: ask for less, or for what "
                              "an index answers",
                              p->statement_ms * 1e-3);
    if (strcmp(state, "25006") == 0)
        return base_error_set(BASE_E_ARGUMENT, "not allowed: %s; only SELECT is", message);
    if (strcmp(state, "42601") == 0 && strstr(message, "multiple commands"))
        return base_error_set(BASE_E_ARGUMENT, "not allowed: more than one statement");
    if (strcmp(state, "55P03") == 0)
        return base_error_set(BASE_E_IO, "%s: a table is locked by another program: try again",
                              p->name);
    if (strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0 ||
        strncmp(state, "28", 2) == 0)
        return base_error_set(BASE_E_IO, "%s: %s", p->name, message);
    if (strncmp(state, "53", 2) == 0 || strncmp(state, "54", 2) == 0)
        return base_error_set(BASE_E_LIMIT, "%s", message);
    if (at)
        return base_error_set(BASE_E_ARGUMENT, "%s, at character %s of the statement%s%s", message,
                              at, *advice ? ": " : "", advice);
    return base_error_set(BASE_E_ARGUMENT, "%s%s%s", message, *advice ? ": " : "", advice);
}

/* ---- connections ---- */

/* What the server says besides: only the parse trees that are waited for are kept, each behind a
 * letter and before a NUL. */
static void on_notice(void *context, const PGresult *result)
{
    struct agent_postgres *p = context;
    const char *title = agent_pq.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *tree = agent_pq.resultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    if (!p->trees || !title || !tree || p->trees_rc)
        return;
    const char *kind = strcmp(title, "parse tree:") == 0             ? "p"
                       : strcmp(title, "rewritten parse tree:") == 0 ? "r"
                                                                     : NULL;
    if (!kind)
        return;
    size_t n = strlen(tree);
    if (p->trees->length + n > TREE_MOST)
        p->trees_rc = base_error_set(BASE_E_LIMIT, "the statement is too large to be checked");
    if (!p->trees_rc)
        p->trees_rc = base_buffer_append(p->trees, kind, 1);
    if (!p->trees_rc)
        p->trees_rc = base_buffer_append(p->trees, tree, n + 1);
}

int agent_postgres_do(struct agent_postgres *p, const char *sql)
{
    PGresult *r = agent_pq.exec(p->conn, sql);
    ExecStatusType status = r ? agent_pq.resultStatus(r) : PGRES_FATAL_ERROR;
    int rc = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN
                 ? 0
                 : agent_postgres_fail(p, r);
    agent_pq.clear(r);
    return rc;
}

int agent_postgres_run(struct agent_postgres *p, const char *sql, int n, const char *const *values,
                       PGresult **out)
{
    PGresult *r = agent_pq.execParams(p->conn, sql, n, NULL, values, NULL, NULL, 0);
    ExecStatusType status = r ? agent_pq.resultStatus(r) : PGRES_FATAL_ERROR;
    *out = r;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return 0;
    int rc = agent_postgres_fail(p, r);
    agent_pq.clear(r);
    *out = NULL;
    return rc;
}

static int settings(struct agent_postgres *p, bool writes)
{
    char *sql = base_format(
        "SET client_encoding = 'UTF8'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601'; "
        "SET timezone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 1; "
        "SET standard_conforming_strings = on; SET client_min_messages = warning; "
        "SET lc_monetary = 'C'; SET lock_timeout = 2000; SET idle_in_transaction_session_timeout = "
        "60000; SET jit = off; "
        "SET max_parallel_workers_per_gather = 0; SET statement_timeout = %u; "
        "SET default_transaction_read_only = %s%s%s",
        writes ? 0 : p->statement_ms, writes ? "off" : "on",
        p->version >= 140000 ? "; SET client_connection_check_interval = 100" : "",
        p->superuser && !writes ? "; SET temp_file_limit = '1GB'" : "");
    int rc = sql ? agent_postgres_do(p, sql) : BASE_E_MEMORY;
    base_free(sql);
    return rc;
}

int agent_postgres_connect(struct agent_postgres **out, const char *address,
                           const struct agent_postgres_options *options, bool writes)
{
    /* what the address says comes last and wins */
    static const char *const keys[] = { "connect_timeout", "application_name", "dbname", NULL };
    const char *const values[] = { "5", "assay", address, NULL };
    int rc = agent_pq_load();
    if (rc)
        return rc;
    char *why = NULL;
    PQconninfoOption *all = agent_pq.conninfoParse(address, &why);
    agent_pq.freemem(why); /* it may repeat the address, password and all */
    if (!all)
        return base_error_set(BASE_E_ARGUMENT,
                              "the database's address cannot be read: expected postgresql://"
                              "[USER[:PASSWORD]@][HOST][:PORT]/DATABASE, with %%XX for what is not "
                              "a letter or digit of user and password");
    agent_pq.conninfoFree(all);
    struct agent_postgres *p = base_alloc_zero(1, sizeof *p);
    if (!p)
        return BASE_E_MEMORY;
    p->statement_ms = options && options->statement_ms ? options->statement_ms : STATEMENT_MS;
    rc = BASE_E_MEMORY;
    if (!(p->name = agent_postgres_public(address)) ||
        !(p->conn = agent_pq.connectdbParams(keys, values, 1)))
        goto out;
    agent_pq.setNoticeReceiver(p->conn, on_notice, p);
    const char *password = agent_pq.pass(p->conn);
    if (password && *password && !(p->password = base_strdup(password)))
        goto out;
    if (agent_pq.status(p->conn) != CONNECTION_OK) {
        char message[400];
        clean(p, agent_pq.errorMessage(p->conn), message, sizeof message);
        rc = base_error_set(BASE_E_IO, "%s: cannot connect: %s", p->name, message);
        goto out;
    }
    char *name = name_make(agent_pq.user(p->conn), agent_pq.host(p->conn), agent_pq.port(p->conn),
                           agent_pq.db(p->conn));
    if (!name)
        goto out;
    base_free(p->name);
    p->name = name;
    p->version = agent_pq.serverVersion(p->conn);
    const char *super = agent_pq.parameterStatus(p->conn, "is_superuser");
    p->superuser = super && strcmp(super, "on") == 0;
    rc = p->version < 120000
             ? base_error_set(BASE_E_UNSUPPORTED,
                              "%s: a server of version %d: expected PostgreSQL 12 or later",
                              p->name, p->version / 10000)
             : settings(p, writes);
out:
    if (rc) {
        agent_postgres_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

int agent_postgres_open(struct agent_postgres **out, const char *address,
                        const struct agent_postgres_options *options)
{
    return agent_postgres_connect(out, address, options, false);
}

void agent_postgres_close(struct agent_postgres *p)
{
    if (!p)
        return;
    if (p->conn)
        agent_pq.finish(p->conn);
    base_free(p->name);
    if (p->password)
        explicit_bzero(p->password, strlen(p->password));
    base_free(p->password);
    base_free(p);
}

const char *agent_postgres_name(const struct agent_postgres *p)
{
    return p->name;
}

int agent_postgres_socket(const struct agent_postgres *p)
{
    return agent_pq.socket(p->conn);
}

int agent_postgres_begin(struct agent_postgres *p)
{
    agent_postgres_end(p);
    return agent_postgres_do(p, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
}

void agent_postgres_end(struct agent_postgres *p)
{
    PGresult *r;
    while ((r = agent_pq.getResult(p->conn))) /* rows that nobody took */
        agent_pq.clear(r);
    if (agent_pq.transactionStatus(p->conn) != PQTRANS_IDLE)
        agent_pq.clear(agent_pq.exec(p->conn, "ROLLBACK"));
}

/* ---- one SELECT ---- */

/* JSON values as parameters in text form. Whole numbers are integer or bigint, so that a function
 * that takes them is found; strings are whatever their place in the statement asks for. */
struct parameters {
    int n;
    Oid types[100];
    const char *values[100];
    char text[100][32];
};

static int parameters_fill(struct parameters *q, const json_t *values)
{
    enum { BOOL = 16, INT8 = 20, INT4 = 23, FLOAT8 = 701 };
    size_t n = json_array_size(values);
    if (n > 100)
        return base_error_set(BASE_E_ARGUMENT, "more than 100 parameters");
    q->n = (int)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(values, i);
        json_int_t x = json_integer_value(v);
        q->types[i] = 0;
        q->values[i] = q->text[i];
        if (json_is_integer(v)) {
            q->types[i] = x >= INT32_MIN && x <= INT32_MAX ? INT4 : INT8;
            snprintf(q->text[i], sizeof q->text[i], "%lld", (long long)x);
        } else if (json_is_real(v)) {
            q->types[i] = FLOAT8;
            snprintf(q->text[i], sizeof q->text[i], "%.17g", json_real_value(v));
        } else if (json_is_boolean(v)) {
            q->types[i] = BOOL;
            strcpy(q->text[i], json_is_true(v) ? "true" : "false");
        } else if (json_is_string(v)) {
            q->values[i] = json_string_value(v);
            if (strlen(q->values[i]) != json_string_length(v))
                return base_error_set(BASE_E_ARGUMENT,
                                      "parameter %zu: a NUL, which PostgreSQL's texts cannot hold",
                                      i + 1);
        } else {
            q->values[i] = NULL;
        }
    }
    return 0;
}

/* Names and types of the result's columns, of a described statement; *types new (base_free). */
static int columns_take(struct agent_postgres *p, const PGresult *described, json_t *columns,
                        struct agent_pg_type **types)
{
    int n = agent_pq.nfields(described), rc = 0;
    struct base_buffer oids = { 0 }, mods = { 0 };
    PGresult *r = NULL;
    for (int i = 0; i < n && !rc; i++) {
        rc = base_buffer_printf(&oids, "%s%u", i ? "," : "{", agent_pq.ftype(described, i));
        if (!rc)
            rc = base_buffer_printf(&mods, "%s%d", i ? "," : "{", agent_pq.fmod(described, i));
    }
    if (!rc)
        rc = base_buffer_puts(&oids, "}");
    if (!rc)
        rc = base_buffer_puts(&mods, "}");
    if (!rc) {
        const char *const values[] = { oids.data, mods.data };
        rc = agent_postgres_run(
            p,
            "SELECT pg_catalog.format_type(c.o, c.m), t.typinput = 'pg_catalog.array_in'::regproc, "
            "CASE WHEN e.typbasetype <> 0 THEN e.typbasetype ELSE e.oid END, e.typdelim "
            "FROM unnest($1::oid[], $2::int[]) WITH ORDINALITY AS c(o, m, i) "
            "JOIN pg_catalog.pg_type t ON t.oid = c.o "
            "LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem ORDER BY c.i",
            2, values, &r);
    }
    if (!rc && agent_pq.ntuples(r) != n)
        rc = base_error_set(BASE_E_FORMAT, "%s: a type of the result is not in the catalogue",
                            p->name);
    if (!rc && !(*types = base_alloc_zero((size_t)n, sizeof **types)))
        rc = BASE_E_MEMORY;
    for (int i = 0; i < n && !rc; i++) {
        const char *name = agent_pq.fname(described, i), *type = agent_pq.getvalue(r, i, 0);
        struct agent_pg_type *t = &(*types)[i];
        if (*agent_pq.getvalue(r, i, 1) == 't') {
            unsigned element = 0;
            sscanf(agent_pq.getvalue(r, i, 2), "%u", &element);
            *t = (struct agent_pg_type){ AGENT_PG_ARRAY, agent_pg_kind_of(element),
                                         *agent_pq.getvalue(r, i, 3) };
        } else {
            t->kind = agent_pg_kind_of(agent_pq.ftype(described, i));
        }
        json_t *one = json_pack("{s:o, s:o}", "name", base_json_text(name, strlen(name)), "type",
                                base_json_text(type, strlen(type)));
        if (json_array_append_new(columns, one))
            rc = BASE_E_MEMORY;
    }
    agent_pq.clear(r);
    base_buffer_free(&oids);
    base_buffer_free(&mods);
    return rc;
}

static json_t *row_json(const PGresult *r, const struct agent_pg_type *types)
{
    json_t *row = json_array();
    for (int i = 0; row && i < agent_pq.nfields(r); i++) {
        json_t *cell = agent_pq.getisnull(r, 0, i)
                           ? json_null()
                           : agent_pg_value(&types[i], agent_pq.getvalue(r, 0, i),
                                            (size_t)agent_pq.getlength(r, 0, i));
        if (json_array_append_new(row, cell)) {
            json_decref(row);
            return NULL;
        }
    }
    return row;
}

/* One row that has come. 1: no more are wanted. */
static int row_take(const PGresult *r, const struct agent_pg_type *types, size_t most, json_t *rows,
                    size_t *bytes, bool *more)
{
    if ((*more = json_array_size(rows) == most))
        return 1;
    json_t *row = row_json(r, types);
    char *text = row ? base_json_dump(row, false) : NULL;
    size_t length = text ? strlen(text) + 2 : 0;
    base_free(text);
    if (!length) {
        json_decref(row);
        return base_error_set(BASE_E_MEMORY, "a row is too large for the worker's memory");
    }
    if (*bytes + length > BYTES_MOST) {
        json_decref(row);
        *more = true;
        return json_array_size(rows) ? 1
                                     : base_error_set(BASE_E_LIMIT,
                                                      "one row has %zu bytes, an answer at most "
                                                      "%zu: select fewer columns, or left() of "
                                                      "them",
                                                      length, BYTES_MOST);
    }
    *bytes += length;
    return json_array_append_new(rows, row) ? BASE_E_MEMORY : 0;
}

static int rows_take(struct agent_postgres *p, const struct parameters *q,
                     const struct agent_pg_type *types, size_t most, json_t *rows, bool *more)
{
    if (!agent_pq.sendQueryPrepared(p->conn, "assay", q->n, q->values, NULL, NULL, 0) ||
        !agent_pq.setSingleRowMode(p->conn))
        return agent_postgres_fail(p, NULL);
    size_t bytes = 0;
    int rc = 0;
    for (PGresult *r; !rc && (r = agent_pq.getResult(p->conn));) {
        ExecStatusType status = agent_pq.resultStatus(r);
        if (status == PGRES_SINGLE_TUPLE)
            rc = row_take(r, types, most, rows, &bytes, more);
        else if (status != PGRES_TUPLES_OK)
            rc = agent_postgres_fail(p, r);
        agent_pq.clear(r);
    }
    /* Rows that are not wanted stay in the connection: its end, or the next transaction's
     * beginning, throws them away, and its end stops the server. */
    return rc < 0 ? rc : 0;
}

int agent_postgres_select(struct agent_postgres *p, const char *sql, const json_t *parameters,
                          size_t most, json_t **out)
{
    struct parameters *q = base_alloc_zero(1, sizeof *q);
    struct agent_pg_type *types = NULL;
    PGresult *described = NULL;
    json_t *columns = json_array(), *rows = json_array();
    bool more = false;
    int rc = q && columns && rows ? parameters_fill(q, parameters) : BASE_E_MEMORY;
    if (!rc)
        rc = agent_postgres_prepare(p, sql, q->n, q->types);
    if (!rc) {
        described = agent_pq.describePrepared(p->conn, "assay");
        if (!described || agent_pq.resultStatus(described) != PGRES_COMMAND_OK)
            rc = agent_postgres_fail(p, described);
    }
    if (!rc && agent_pq.nparams(described) != q->n) {
        int expected = agent_pq.nparams(described);
        rc = base_error_set(BASE_E_ARGUMENT, "the statement has %d parameter%s, %d %s given",
                            expected, expected == 1 ? "" : "s", q->n, q->n == 1 ? "was" : "were");
    }
    if (!rc)
        rc = columns_take(p, described, columns, &types);
    if (!rc)
        rc = rows_take(p, q, types, most, rows, &more);
    if (!rc) {
        *out = json_pack("{s:O, s:O, s:b}", "columns", columns, "rows", rows, "more", (int)more);
        rc = *out ? 0 : BASE_E_MEMORY;
    }
    agent_pq.clear(described);
    base_free(types);
    base_free(q);
    json_decref(columns);
    json_decref(rows);
    return rc;
}

int agent_postgres_query(struct agent_postgres *p, const char *sql, size_t bytes,
                         const json_t *parameters, size_t most, json_t **out)
{
    if (strlen(sql) != bytes)
        return base_error_set(BASE_E_ARGUMENT, "a NUL inside the SQL");
    int rc = agent_postgres_begin(p);
    if (!rc)
        rc = agent_postgres_select(p, sql, parameters, most, out);
    if (!rc && !json_is_true(json_object_get(*out, "more")))
        agent_postgres_end(p);
    return rc;
}
