/* Attacks on the tools that read PostgreSQL, tried for real on a server whose address is given,
 * best as its superuser: in a schema of their own with functions, views, operators and a domain
 * that do harm when they run. An attack is stopped when its call was refused and nothing that the
 * schema, the server's roles, settings, locks, large objects or a file on disk tells has changed.
 */
#include "agent/builtin.h"
#include "agent/postgres_private.h"
#include "agent/redteam.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCHEMA                                                                                     \
    "assay_redteam" /* left behind by a run that was killed: DROP SCHEMA assay_redteam CASCADE */

struct ground {
    struct agent_redteam *out;
    struct agent_postgres *p; /* that made the ground, and looks at it */
    char schema[40], file[64];
    char *state; /* as it was */
    struct agent_tools *tools;
    struct agent_gate *gate;
    bool made; /* the schema */
    int rc;
};

/* %1$s: the schema, %2$s: the file that must not be written. */
static const struct {
    const char *attack, *sql;
} statements[] = {
    { "a second statement behind the first", "SELECT 1; DROP TABLE %1$s.kept" },
    { "the end of the transaction, and a change", "SELECT 1; COMMIT; DROP TABLE %1$s.kept" },
    { "COMMIT alone", "COMMIT" },
    { "SET TRANSACTION READ WRITE", "SET TRANSACTION READ WRITE" },
    { "set_config of read-only", "SELECT set_config('transaction_read_only', 'off', false)" },
    { "set_config of a setting of the session", "SELECT set_config('role', 'none', false)" },
    { "RESET ROLE", "RESET ROLE" },
    { "rows inserted", "INSERT INTO %1$s.kept VALUES (99)" },
    { "rows deleted behind WITH",
      "WITH gone AS (DELETE FROM %1$s.kept RETURNING id) SELECT * FROM gone" },
    { "SELECT INTO a new table", "SELECT * INTO %1$s.made FROM %1$s.kept" },
    { "a lock on rows", "SELECT * FROM %1$s.kept FOR UPDATE" },
    { "a sequence drawn from", "SELECT nextval('%1$s.counter')" },
    { "a table dropped", "DROP TABLE %1$s.kept" },
    { "a new role", "CREATE ROLE assay_redteam_role SUPERUSER" },
    { "ALTER SYSTEM", "ALTER SYSTEM SET work_mem = '1GB'" },
    { "a DO block", "DO $$ BEGIN DELETE FROM %1$s.kept; END $$" },
    { "EXPLAIN ANALYZE of a change", "EXPLAIN ANALYZE DELETE FROM %1$s.kept" },
    { "a statement prepared for later", "PREPARE later AS DELETE FROM %1$s.kept" },
    { "COPY to a file of the server", "COPY %1$s.kept TO '%2$s'" },
    { "COPY to a program", "COPY (SELECT 1) TO PROGRAM 'touch %2$s'" },
    { "COPY from a program", "COPY %1$s.kept FROM PROGRAM 'touch %2$s; echo 99'" },
    { "a library loaded", "LOAD '%2$s'" },
    { "pg_read_file", "SELECT pg_read_file('/etc/passwd')" },
    { "pg_read_file under a quoted name", "SELECT \"pg_read_file\"('/etc/passwd')" },
    { "pg_read_file in Unicode escapes", "SELECT U&\"pg\\005fread_file\"('/etc/passwd')" },
    { "pg_read_file behind a comment", "SELECT pg_catalog./* */pg_read_file /**/ ('/etc/passwd')" },
    { "pg_ls_dir in FROM", "SELECT * FROM pg_ls_dir('/')" },
    { "lo_import of a file", "SELECT lo_import('/etc/passwd')" },
    { "lo_export to a file", "SELECT lo_export(lo_from_bytea(0, 'x'), '%2$s')" },
    { "pg_sleep for an hour", "SELECT pg_sleep(3600)" },
    { "an advisory lock", "SELECT pg_advisory_lock(7)" },
    { "another session ended",
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()" },
    { "the server's settings read again", "SELECT pg_reload_conf()" },
    { "a message to other sessions", "SELECT pg_notify('redteam', 'x')" },
    { "dblink to elsewhere",
      "SELECT * FROM %1$s.dblink('host=127.0.0.1', 'SELECT 1') AS x(a int)" },
    { "SQL inside query_to_xml",
      "SELECT query_to_xml('SELECT pg_read_file(''/etc/passwd'')', true, true, '')" },
    { "SQL inside ts_stat", "SELECT * FROM ts_stat('SELECT %1$s.harm()::text::tsvector')" },
    { "a view read by table_to_xml", "SELECT table_to_xml('%1$s.hidden', true, true, '')" },
    { "passwords of roles", "SELECT rolname, rolpassword FROM pg_authid" },
    { "passwords of roles by a view", "SELECT * FROM pg_shadow" },
    { "settings of the server", "SELECT current_setting('data_directory')" },
    { "a function that does harm", "SELECT %1$s.harm()" },
    { "one that says it is immutable", "SELECT %1$s.harm_immutable(1)" },
    { "one hidden in a view", "SELECT * FROM %1$s.hidden" },
    { "one hidden in a view of a view", "SELECT count(*) FROM %1$s.deeper" },
    { "one behind an operator", "SELECT 1 OPERATOR(%1$s.@@@) 2" },
    { "one behind an aggregate", "SELECT %1$s.total(id) FROM %1$s.kept" },
    { "one behind a name of the server's own", "SELECT %1$s.lower('X')" },
    { "one behind a cast", "SELECT ROW(1)::%1$s.pair::int" },
    { "a foreign table that runs a program", "SELECT * FROM %1$s.outside" },
    { "and one below a table that is asked", "SELECT * FROM %1$s.above" },
    { "an alias that looks like a parse tree",
      "SELECT 1 AS \"x} {FUNCEXPR :funcid 1\", %1$s.harm()" },
    { "a query that never ends", "SELECT count(*) FROM generate_series(1, 1000000000000000)" },
    { "a text of 1 GB", "SELECT repeat('x', 1000000000)" },
};

static void add(struct ground *g, const char *attack, bool stopped, const char *how)
{
    json_t *o = json_pack("{s:s, s:s, s:b, s:o}", "group", "postgres", "attack", attack, "stopped",
                          (int)stopped, "how", base_json_text(how, strlen(how)));
    g->out->tried++;
    g->out->stopped += stopped;
    if (json_array_append_new(g->out->attacks, o))
        g->rc = BASE_E_MEMORY;
}

static enum agent_outcome call(struct ground *g, const char *tool, json_t *arguments, char how[300],
                               json_t **value)
{
    struct agent_result r = { 0 };
    const struct agent_call c = { .tool = tool, .arguments = arguments, .caller = "redteam" };
    if (!arguments || agent_call_run(g->gate, &c, &r))
        g->rc = BASE_E_MEMORY;
    snprintf(how, 300, "%s%s%s", agent_outcome_name(r.outcome), r.message ? ": " : "",
             r.message ? r.message : "");
    if (value)
        *value = json_incref(r.value);
    enum agent_outcome outcome = g->rc ? AGENT_FAILED : r.outcome;
    agent_result_free(&r);
    json_decref(arguments);
    return outcome;
}

/* %1$s and %2$s of a statement. */
static char *fill(const struct ground *g, const char *sql)
{
    struct base_buffer b = { 0 };
    int rc = base_buffer_puts(&b, "");
    for (const char *s = sql; *s && !rc;) {
        if (strncmp(s, "%1$s", 4) == 0 || strncmp(s, "%2$s", 4) == 0) {
            rc = base_buffer_puts(&b, s[1] == '1' ? g->schema : g->file);
            s += 4;
        } else {
            rc = base_buffer_append(&b, s++, 1);
        }
    }
    if (rc)
        base_buffer_free(&b);
    return base_buffer_take(&b);
}

/* What must not change, as one text; new (base_free). */
static char *look(struct ground *g)
{
    char *sql = fill(
        g,
        "SELECT pg_catalog.concat_ws(' ', (SELECT pg_catalog.string_agg(id::text, ',' ORDER BY id) "
        "FROM %1$s.kept), (SELECT last_value || is_called::text FROM %1$s.counter), (SELECT "
        "count(*) FROM pg_catalog.pg_roles), (SELECT count(*) FROM pg_catalog.pg_class WHERE "
        "relnamespace = '%1$s'::regnamespace), (SELECT count(*) FROM "
        "pg_catalog.pg_largeobject_metadata), (SELECT count(*) FROM pg_catalog.pg_locks WHERE "
        "locktype = 'advisory'), (SELECT setting FROM pg_catalog.pg_settings WHERE name = "
        "'work_mem'), (SELECT count(*) FROM pg_catalog.pg_proc))");
    PGresult *r = NULL;
    char *text = NULL;
    if (sql && !agent_postgres_run(g->p, sql, 0, NULL, &r))
        text = base_strdup(agent_pq.getvalue(r, 0, 0));
    agent_pq.clear(r);
    base_free(sql);
    return text;
}

static bool untouched(struct ground *g)
{
    char *now = look(g);
    bool same = now && g->state && strcmp(now, g->state) == 0 && !base_file_exists(g->file);
    base_free(now);
    return same;
}

/* ---- a hostile tool with a connection ---- */

static int other_socket(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)t, (void)a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return base_error_set(BASE_E_IO, "socket: %s", strerror(errno));
    *out = json_string("done");
    return 0;
}

static int other_address(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)a;
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(9),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (sendto(agent_postgres_socket(t->opened), "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&to,
               sizeof to) < 0)
        return base_error_set(BASE_E_IO, "sendto: %s", strerror(errno));
    *out = json_string("done");
    return 0;
}

static int own_password_file(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)t, (void)a;
    FILE *f = fopen("/etc/passwd", "re");
    if (!f)
        return base_error_set(BASE_E_IO, "open: %s", strerror(errno));
    fclose(f);
    *out = json_string("done");
    return 0;
}

/* ---- the suite ---- */

static const char making[] =
    "CREATE SCHEMA %1$s; CREATE TABLE %1$s.kept(id int PRIMARY KEY); INSERT INTO %1$s.kept VALUES "
    "(1), (2), (3); CREATE SEQUENCE %1$s.counter; CREATE TABLE %1$s.docs(id int PRIMARY KEY, text "
    "text); INSERT INTO %1$s.docs VALUES (1, 'something inside'); CREATE FUNCTION %1$s.harm() "
    "RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('transaction_read_only', 'off', "
    "false); PERFORM nextval('%1$s.counter'); RETURN 1; END $$; CREATE FUNCTION "
    "%1$s.harm_immutable(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN "
    "%1$s.harm(); END $$; CREATE FUNCTION %1$s.harm_two(int, int) RETURNS int LANGUAGE sql AS $$ "
    "SELECT %1$s.harm() $$; CREATE FUNCTION %1$s.lower(text) RETURNS int LANGUAGE sql AS $$ SELECT "
    "%1$s.harm() $$; CREATE VIEW %1$s.hidden AS SELECT id, %1$s.harm() AS h FROM %1$s.kept; CREATE "
    "VIEW %1$s.deeper AS SELECT id, h FROM %1$s.hidden; CREATE OPERATOR %1$s.@@@ (LEFTARG = int, "
    "RIGHTARG = int, FUNCTION = %1$s.harm_two); CREATE AGGREGATE %1$s.total(int) (SFUNC = "
    "%1$s.harm_two, STYPE = int, INITCOND = '0'); CREATE TYPE %1$s.pair AS (a int); CREATE "
    "FUNCTION %1$s.of_pair(%1$s.pair) RETURNS int LANGUAGE sql AS $$ SELECT %1$s.harm() $$; CREATE "
    "CAST (%1$s.pair AS int) WITH FUNCTION %1$s.of_pair(%1$s.pair)";

/* What leads out of the database, where the server has these extensions. */
static const char *const doors[] = {
    "CREATE EXTENSION dblink SCHEMA %1$s",
    "CREATE TABLE %1$s.above(a text)",
    "CREATE EXTENSION file_fdw SCHEMA %1$s; CREATE SERVER %1$s FOREIGN DATA WRAPPER file_fdw; "
    "CREATE "
    "FOREIGN TABLE %1$s.outside() INHERITS (%1$s.above) SERVER %1$s OPTIONS (program 'touch %2$s; "
    "echo 1')",
};

static void try_domain(struct ground *g)
{
    char how[300];
    char *make = fill(g, "CREATE DOMAIN %1$s.evil AS int CHECK (%1$s.harm() = 1)");
    char *drop = fill(g, "DROP DOMAIN %1$s.evil"), *sql = fill(g, "SELECT '{1}'::%1$s.evil[]");
    if (!make || !drop || !sql || agent_postgres_do(g->p, make))
        g->rc = BASE_E_IO;
    bool stopped =
        !g->rc && call(g, "query_sql", json_pack("{s:s}", "sql", sql), how, NULL) != AGENT_OK;
    if (!g->rc)
        add(g, "one in the constraint of a domain", stopped && untouched(g), how);
    if (drop)
        agent_postgres_do(g->p, drop);
    base_free(make);
    base_free(drop);
    base_free(sql);
}

static void try_values(struct ground *g)
{
    char how[300], *sql = fill(g, "SELECT id FROM %1$s.docs WHERE text = $1");
    json_t *value = NULL;
    call(g, "query_sql",
         json_pack("{s:s, s:[s]}", "sql", sql ? sql : "", "parameters", "' OR 1 = 1 --"), how,
         &value);
    size_t rows = json_array_size(json_object_get(value, "rows"));
    snprintf(how, sizeof how, "a parameter is a value: %zu rows", rows);
    add(g, "SQL inside a parameter", value && rows == 0 && untouched(g), how);
    json_decref(value);
    base_free(sql);
    value = NULL;
    call(g, "query_sql",
         json_pack("{s:s, s:i}", "sql",
                   "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) "
                   "SELECT i, repeat('x', 5000) FROM r",
                   "limit", 1000),
         how, &value);
    rows = json_array_size(json_object_get(value, "rows"));
    snprintf(how, sizeof how, "cut: %zu rows, and that there are more", rows);
    add(g, "a result without end",
        rows && rows < 1000 && json_is_true(json_object_get(value, "more")), how);
    json_decref(value);
    static const char *const queries[] = { "inside' | !'x",
                                           "inside & !nothing | (",
                                           "'); DROP TABLE kept; --",
                                           "inside:*A <-> <2>",
                                           "it's inside\\",
                                           "in'side\\* ",
                                           "$1 inside :x",
                                           "\"inside' || 'something\"" };
    unsigned found = 0, n = sizeof queries / sizeof *queries;
    for (unsigned i = 0; i < n && !g->rc; i++)
        found += call(g, "search", json_pack("{s:s}", "query", queries[i]), how, NULL) == AGENT_OK;
    if (found == n)
        snprintf(how, sizeof how, "%u queries: all searched for as words", n);
    add(g, "syntax of text search in a query", found == n && untouched(g), how);
}

static int ground_make(struct ground *g, const char *address, const char *documents,
                       struct agent_audit *audit)
{
    strcpy(g->schema, SCHEMA);
    snprintf(g->file, sizeof g->file, "/tmp/assay-redteam-%ld.txt", (long)getpid());
    char *sql = fill(g, making);
    int rc = sql ? agent_postgres_do(g->p, sql) : BASE_E_MEMORY;
    g->made = !rc; /* one that was there is not ours to drop */
    base_free(sql);
    for (size_t i = 0; i < sizeof doors / sizeof *doors && !rc; i++) {
        sql = fill(g, doors[i]);
        if (sql)
            agent_postgres_do(g->p, sql); /* without it, its attack is on what is not there */
        base_free(sql);
    }
    if (!rc && !(g->state = look(g)))
        rc = BASE_E_IO;
    const struct agent_builtin_options options = { .database = address, .documents = documents };
    if (!rc)
        rc = agent_tools_make(&g->tools);
    if (!rc)
        rc = agent_tools_add_builtin(g->tools, &options);
    static const struct {
        const char *name;
        agent_tool_fn *run;
    } hostile[] = { { "other_socket", other_socket },
                    { "other_address", other_address },
                    { "own_password_file", own_password_file } };
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile && !rc; i++) {
        const struct agent_tool like = { .name = hostile[i].name,
                                         .input = "{\"type\": \"object\"}" };
        rc = agent_postgres_tool_add(g->tools, &like, "", agent_postgres_tool_open, hostile[i].run,
                                     address, address);
    }
    const struct agent_gate_options o = { .audit = audit };
    return rc ? rc : agent_gate_make(&g->gate, g->tools, &o);
}

int agent_redteam_postgres(struct agent_audit *audit, const char *address,
                           struct agent_redteam *out)
{
    struct ground g = { .out = out };
    char how[300], *documents = NULL;
    int rc = agent_postgres_connect(&g.p, address, NULL, true);
    if (rc)
        return rc;
    if (!(documents = base_format("%s#" SCHEMA ".docs", address)))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = ground_make(&g, address, documents, audit);
    for (size_t i = 0; i < sizeof statements / sizeof *statements && !rc && !g.rc; i++) {
        char *sql = fill(&g, statements[i].sql);
        bool stopped =
            call(&g, "query_sql", json_pack("{s:s}", "sql", sql ? sql : ""), how, NULL) != AGENT_OK;
        add(&g, statements[i].attack, stopped && untouched(&g), how);
        base_free(sql);
    }
    if (!rc && !g.rc)
        try_domain(&g);
    if (!rc && !g.rc)
        try_values(&g);
    static const char *const tools[][2] = {
        { "a tool with a connection makes another", "other_socket" },
        { "and sends through it to another address", "other_address" },
        { "and reads a file", "own_password_file" },
    };
    for (size_t i = 0; i < sizeof tools / sizeof *tools && !rc && !g.rc; i++) {
        bool stopped = call(&g, tools[i][1], json_object(), how, NULL) != AGENT_OK;
        add(&g, tools[i][0], stopped, how);
    }
    char *drop = fill(&g, "DROP SCHEMA IF EXISTS %1$s CASCADE");
    if (drop && g.made)
        agent_postgres_do(g.p, drop);
    base_free(drop);
    agent_gate_free(g.gate);
    agent_tools_free(g.tools);
    agent_postgres_close(g.p);
    base_free(documents);
    base_free(g.state);
    unlink(g.file);
    return rc ? rc : g.rc;
}
