/* Tables of databases as resources.
 *
 *   assay://tables                               what there is
 *   assay://tables/DATABASE/TABLE                columns, how many rows, the first ones
 *   assay://tables/DATABASE/TABLE/rows/FROM-TO   rows as objects, column -> value
 *
 * An SQLite file is read in a worker that may open nothing else, with all of agent/sqlite.c's
 * guards, by the functions of the tools describe_database and query_sql. PostgreSQL is asked
 * over a connection that lives for the one reading and cannot change anything (agent/postgres.h);
 * what comes back is a megabyte at most. A table is looked up among those that there are before its
 * name comes into a statement. */
#include "agent/builtin.h"
#include "agent/postgres.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "mcp/lab.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TABLES_SECONDS 10 /* how long PostgreSQL's list of tables is kept */

static int postgres_name(const char *where, char **out)
{
    char *shown = agent_postgres_public(where), *name;
    if (!shown)
        return BASE_E_MEMORY;
    name = strrchr(shown, '/');
    *out = base_strdup(name && name[1] ? name + 1 : "postgres");
    base_free(shown);
    return *out ? 0 : BASE_E_MEMORY;
}

int mcp_lab_database_open(struct lab_database *d, const char *where)
{
    int rc = 0;
    pthread_mutex_init(&d->lock, NULL);
    d->postgres = agent_is_postgres(where);
    if (d->postgres) {
        rc = (d->where = base_strdup(where)) ? postgres_name(where, &d->name) : BASE_E_MEMORY;
    } else if (access(where, R_OK) || base_file_is_directory(where)) {
        rc = base_error_set(BASE_E_IO, "%s: there is no such SQLite file that can be read", where);
    } else {
        /* once now, before workers are forked */
        rc = agent_sqlite_load();
        d->where = base_strdup(where);
        d->name = base_strdup(base_path_name(where));
        if (!rc)
            rc = d->where && d->name ? agent_database_files_make(&d->files, d->where)
                                     : BASE_E_MEMORY;
    }
    return rc;
}

void mcp_lab_database_close(struct lab_database *d)
{
    pthread_mutex_destroy(&d->lock);
    if (!d->postgres)
        agent_database_files_free(&d->files);
    base_free(d->name);
    base_free(d->where);
    json_decref(d->tables);
}

/* ---- one reading: of SQLite, in a worker ---- */

struct reading {
    const struct lab_database *d;
    const char *table; /* NULL: the list of tables */
    uint64_t from, to;
    bool stamp; /* of PostgreSQL: only that */
};

/* One of the tools' own functions on the file. */
static int ask(const struct reading *r, const struct agent_tool *of, json_t *arguments,
               json_t **out)
{
    const struct agent_tool tool = { .context = (void *)(uintptr_t)r->d->where };
    *out = NULL;
    int rc = arguments ? of->run(&tool, arguments, out) : BASE_E_MEMORY;
    json_decref(arguments);
    return rc;
}

/* SELECT what FROM the table, its name in quotes. */
static json_t *statement(const struct reading *r, const char *what, const char *rest)
{
    struct base_buffer sql = { 0 };
    int rc = base_buffer_printf(&sql, "SELECT %s FROM \"", what);
    for (const char *s = r->table; *s && !rc; s++)
        rc = base_buffer_append(&sql, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    rc = rc ? rc : base_buffer_printf(&sql, "\"%s", rest);
    json_t *text = rc ? NULL : json_string(sql.data);
    base_buffer_free(&sql);
    return text;
}

static json_t *page_arguments(const struct reading *r)
{
    json_int_t most = (json_int_t)(r->to - r->from + 1);
    json_t *sql = statement(r, "*", " LIMIT ?1 OFFSET ?2");
    return sql ? json_pack("{s:o, s:[I, I], s:I}", "sql", sql, "parameters", most + 1,
                           (json_int_t)r->from - 1, "limit", most)
               : NULL;
}

static int run_tables(void *context, struct base_buffer *out)
{
    json_t *tables;
    int rc = ask(context, &agent_tool_describe_database, json_object(), &tables);
    return rc ? rc : mcp_lab_put(out, tables);
}

static int run_rows(void *context, struct base_buffer *out)
{
    json_t *rows;
    int rc = ask(context, &agent_tool_query_sql, page_arguments(context), &rows);
    return rc ? rc : mcp_lab_put(out, rows);
}

static int run_table(void *context, struct base_buffer *out)
{
    const struct reading *r = context;
    json_t *rows = NULL, *count = NULL;
    int rc = ask(r, &agent_tool_query_sql, page_arguments(r), &rows);
    json_t *sql = statement(r, "count(*)", "");
    /* too many to be counted in time is no failure */
    if (!rc && ask(r, &agent_tool_query_sql, sql ? json_pack("{s:o}", "sql", sql) : NULL, &count))
        count = NULL;
    if (!rc)
        rc =
            json_object_set(rows, "count",
                            json_array_get(json_array_get(json_object_get(count, "rows"), 0), 0)) &&
                    json_object_set_new(rows, "count", json_null())
                ? BASE_E_MEMORY
                : mcp_lab_put(out, json_incref(rows));
    json_decref(rows);
    json_decref(count);
    return rc;
}

static int run_postgres(void *context, struct base_buffer *out)
{
    const struct reading *r = context;
    struct agent_postgres *p;
    json_t *answer = NULL;
    uint64_t stamp = 0;
    int rc = agent_postgres_open(&p, r->d->where, NULL);
    if (rc)
        return rc;
    if (r->stamp)
        rc = agent_postgres_stamp(p, r->table, &stamp);
    else if (r->table)
        rc = agent_postgres_rows(p, r->table, r->from - 1, (size_t)(r->to - r->from + 1), &answer);
    else
        rc = agent_postgres_tables(p, NULL, &answer);
    agent_postgres_close(p);
    if (!rc && r->stamp)
        answer = json_pack("[I]", (json_int_t)stamp);
    return rc ? rc : mcp_lab_put(out, answer);
}

static const struct lab_op ops[] = { { "tables", run_tables },
                                     { "rows", run_rows },
                                     { "table", run_table } };
#define OPS (sizeof ops / sizeof *ops)

int mcp_lab_database_tool(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    struct reading r = {
        .d = tool->context,
        .table = json_string_value(json_object_get(arguments, "table")),
        .from = (uint64_t)json_integer_value(json_object_get(arguments, "from")),
        .to = (uint64_t)json_integer_value(json_object_get(arguments, "to")),
    };
    return mcp_lab_answer(ops, OPS, arguments, &r, out);
}

static int work(struct mcp_lab *l, struct reading *r,
                int (*run)(void *context, struct base_buffer *out), json_t **out)
{
    struct base_buffer text = { 0 };
    char tool[40];
    snprintf(tool, sizeof tool, "database-%zu", (size_t)(r->d - l->database));
    int rc = r->d->postgres
                 ? run(r, &text)
                 : mcp_lab_work(l, tool, r->d->name,
                                json_pack("{s:s, s:s?, s:I, s:I}", "op",
                                          mcp_lab_op_name(ops, OPS, run), "table", r->table, "from",
                                          (json_int_t)r->from, "to", (json_int_t)r->to),
                                &text);
    if (!rc)
        rc = base_json_parse_wire(out, text.data ? text.data : "", text.length, 0, r->d->name);
    base_buffer_free(&text);
    return rc;
}

/* ---- both ---- */

static uint64_t file_stamp(const struct lab_database *d)
{
    uint64_t stamp = 0;
    for (int i = 0; i < 2; i++) { /* the file and what was written ahead of it */
        struct stat st;
        if (stat(d->files.at[i], &st) == 0)
            stamp = mcp_lab_stamp(&st, stamp);
    }
    return stamp;
}

/* The tables, as describe_database tells them; a new reference. now: not those that were kept. */
static int tables_of(struct mcp_lab *l, struct lab_database *d, bool now, json_t **out)
{
    int rc = 0;
    pthread_mutex_lock(&d->lock);
    uint64_t stamp = d->postgres ? 0 : file_stamp(d);
    double kept = now ? 1 : TABLES_SECONDS; /* seconds */
    bool fresh = d->tables && (d->postgres ? base_clock() - d->at < kept : stamp == d->stamp);
    if (!fresh) {
        struct reading r = { .d = d };
        json_t *tables = NULL;
        rc = mcp_lab_failure_again(&d->failure);
        if (!rc) {
            rc = work(l, &r, d->postgres ? run_postgres : run_tables, &tables);
            mcp_lab_failure_keep(&d->failure, d->postgres ? rc : 0);
        }
        if (!rc) {
            json_decref(d->tables);
            d->tables = tables;
            d->stamp = stamp;
            d->at = base_clock();
        }
    }
    *out = rc ? NULL : json_incref(d->tables);
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* The table that an address names: 0 and its description (a new reference), or MCP_NOT_MINE. */
static int find(struct mcp_lab *l, const struct lab_values *v, struct lab_database **d,
                json_t **table)
{
    const char *database = mcp_lab_value(v, "database"), *name = mcp_lab_value(v, "table");
    *d = NULL;
    *table = NULL;
    for (size_t i = 0; i < l->databases; i++)
        if (strcmp(l->database[i].name, database) == 0)
            *d = &l->database[i];
    if (!*d)
        return MCP_NOT_MINE;
    int rc = 0;
    for (int attempt = 0; attempt < 2 && !rc && !*table; attempt++) { /* it may be new */
        json_t *tables, *one;
        size_t i;
        rc = tables_of(l, *d, attempt == 1, &tables);
        json_array_foreach(json_object_get(tables, "tables"), i, one)
        {
            if (!*table && strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
                *table = json_incref(one);
        }
        json_decref(tables);
    }
    return rc ? rc : *table ? 0 : MCP_NOT_MINE;
}

static int rows_of(struct mcp_lab *l, struct reading *r, bool count, json_t **answer)
{
    return work(l, r, r->d->postgres ? run_postgres : count ? run_table : run_rows, answer);
}

int mcp_lab_table_read(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct lab_database *d;
    json_t *table, *answer = NULL, *rows = json_array();
    bool more = false;
    int rc = find(l, v, &d, &table);
    struct reading r = { .d = d, .table = mcp_lab_value(v, "table"), .from = 1, .to = LAB_FIRST };
    if (!rc)
        rc = rows ? rows_of(l, &r, true, &answer) : BASE_E_MEMORY;
    if (!rc)
        rc = mcp_lab_rows_objects(answer, true, rows, &more);
    if (!rc) {
        json_t *count =
            json_object_get(d->postgres ? table : answer, d->postgres ? "rows" : "count");
        rc = mcp_lab_put(&out->text,
                         json_pack("{s:s, s:s, s:O, s:s, s:O?, s:O, s:O, s:s}", "name", r.table,
                                   "database", d->name, "kind", json_object_get(table, "kind"),
                                   "system", d->postgres ? "PostgreSQL" : "SQLite",
                                   d->postgres ? "rows_about" : "rows", count, "columns",
                                   json_object_get(table, "columns"), "first", rows, "note",
                                   "rows are read as assay://tables/DATABASE/TABLE/rows/FROM-TO"));
    }
    json_decref(table);
    json_decref(answer);
    json_decref(rows);
    return rc;
}

int mcp_lab_table_rows(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct lab_database *d;
    json_t *table, *answer = NULL, *rows = json_array();
    struct reading r = { .table = mcp_lab_value(v, "table") };
    bool more = false;
    int rc = find(l, v, &d, &table);
    r.d = d;
    if (!rc)
        rc = mcp_lab_page(v, LAB_ROWS_MOST, &r.from, &r.to);
    if (!rc)
        rc = rows ? rows_of(l, &r, false, &answer) : BASE_E_MEMORY;
    if (!rc)
        rc = mcp_lab_rows_objects(answer, false, rows, &more);
    if (!rc) {
        char *next = mcp_lab_next("assay://tables/{database}/{table}/rows/", d->name, r.table, more,
                                  r.from, r.to, json_array_size(rows));
        rc = more && !next
                 ? BASE_E_MEMORY
                 : mcp_lab_put_page(&out->text,
                                    json_pack("{s:s, s:s}", "name", r.table, "database", d->name),
                                    "rows", r.from, rows, next);
        base_free(next);
    }
    json_decref(table);
    json_decref(answer);
    json_decref(rows);
    return rc;
}

/* Calls add for every table. A database that cannot be read now keeps nobody from the others: it is
 * told in failed (may be NULL). */
static int each(struct mcp_lab *l,
                int (*add)(json_t *list, const struct lab_database *d, const json_t *table),
                json_t *list, json_t *failed)
{
    int rc = 0;
    for (size_t i = 0; i < l->databases && !rc; i++) {
        json_t *tables = NULL, *one;
        size_t k;
        rc = tables_of(l, &l->database[i], false, &tables);
        if (rc && rc != BASE_E_MEMORY && rc != BASE_E_INTERRUPTED) {
            rc = 0;
            if (failed && json_array_append_new(failed, json_pack("{s:s, s:s}", "database",
                                                                  l->database[i].name, "why",
                                                                  base_error_message())))
                rc = BASE_E_MEMORY;
        }
        json_array_foreach(json_object_get(tables, "tables"), k, one)
        {
            const json_t *name = json_object_get(one, "name");
            if (!rc && mcp_lab_addressable(json_string_value(name), json_string_length(name)))
                rc = add(list, &l->database[i], one);
        }
        json_decref(tables);
    }
    return rc;
}

static int add_resource(json_t *list, const struct lab_database *d, const json_t *table)
{
    const char *name = json_string_value(json_object_get(table, "name"));
    struct stat st;
    bool file = !d->postgres && stat(d->where, &st) == 0;
    char *title = base_format("%s in %s", name, d->name);
    char *what = base_format("A %s of the %s database %s: columns, how many rows, the first ones.",
                             json_string_value(json_object_get(table, "kind")),
                             d->postgres ? "PostgreSQL" : "SQLite", d->name);
    int rc = title && what
                 ? mcp_lab_list_add(
                       list, mcp_lab_uri("assay://tables/{database}/{table}", d->name, name), name,
                       title, what, "application/json", file ? (double)st.st_mtim.tv_sec : -1, -1)
                 : BASE_E_MEMORY;
    base_free(title);
    base_free(what);
    return rc;
}

int mcp_lab_tables_list(struct mcp_lab *l, json_t *list)
{
    return each(l, add_resource, list, NULL);
}

static int add_entry(json_t *list, const struct lab_database *d, const json_t *table)
{
    const char *name = json_string_value(json_object_get(table, "name"));
    char *uri = mcp_lab_uri("assay://tables/{database}/{table}", d->name, name);
    json_t *columns = json_array(), *one;
    size_t i;
    int rc = uri && columns ? 0 : BASE_E_MEMORY;
    json_array_foreach(json_object_get(table, "columns"), i, one)
    {
        if (json_array_append(columns, json_object_get(one, "name")))
            rc = BASE_E_MEMORY;
    }
    if (!rc &&
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:O, s:O}", "uri", uri, "database",
                                              d->name, "name", name, "kind",
                                              json_object_get(table, "kind"), "columns", columns)))
        rc = BASE_E_MEMORY;
    json_decref(columns);
    base_free(uri);
    return rc;
}

int mcp_lab_tables_index(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    (void)v;
    json_t *all = json_array(), *failed = json_array();
    int rc = all && failed ? each(l, add_entry, all, failed) : BASE_E_MEMORY;
    if (!rc)
        rc = mcp_lab_put(&out->text, json_pack("{s:O, s:O}", "tables", all, "unreadable", failed));
    json_decref(all);
    json_decref(failed);
    return rc;
}

int mcp_lab_table_names(struct mcp_lab *l, const char *database, json_t *names)
{
    int rc = 0;
    for (size_t i = 0; i < l->databases && !rc; i++) {
        json_t *tables, *one;
        size_t k;
        if (database && strcmp(database, l->database[i].name) != 0)
            continue;
        if ((rc = tables_of(l, &l->database[i], false, &tables)) != 0)
            break;
        json_array_foreach(json_object_get(tables, "tables"), k, one)
        {
            if (json_array_append(names, json_object_get(one, "name")))
                rc = BASE_E_MEMORY;
        }
        json_decref(tables);
    }
    return rc;
}

int mcp_lab_table_stamp(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp)
{
    *stamp = 1;
    if (!mcp_lab_value(v, "database")) { /* the list */
        json_t *all = json_array();
        int rc = all ? each(l, add_entry, all, NULL) : BASE_E_MEMORY;
        char *text = rc ? NULL : base_json_dump(all, false);
        if (text)
            *stamp = base_hash64(text, strlen(text), 1);
        base_free(text);
        json_decref(all);
        return rc;
    }
    struct lab_database *d;
    json_t *table;
    int rc = find(l, v, &d, &table);
    json_decref(table);
    if (rc || !d->postgres) {
        *stamp = rc ? 0 : file_stamp(d);
        return rc;
    }
    struct reading r = { .d = d, .table = mcp_lab_value(v, "table"), .stamp = true };
    json_t *answer = NULL;
    rc = work(l, &r, run_postgres, &answer);
    *stamp = (uint64_t)json_integer_value(json_array_get(answer, 0));
    json_decref(answer);
    return rc;
}
