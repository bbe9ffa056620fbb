/* The tables of a PostgreSQL database: which there are, their rows in pages, and whether they have
 * changed; see postgres.h. */
#include "agent/postgres_private.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES_MOST  500
#define COLUMNS_MOST 5000

/* What the role may look at, without the system's own, partitions (their table shows their rows)
 * and foreign tables (they are not in this database). */
#define SEEN                                                                                       \
    "c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition AND n.nspname NOT IN "             \
    "('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' AND "                \
    "pg_catalog.has_schema_privilege(n.oid, 'usage') AND "                                         \
    "pg_catalog.has_any_column_privilege(c.oid, 'select')"

/* $1: one table's name, as regclass prints it, or as it is with or without its schema. */
#define NAMED                                                                                      \
    "(c.oid::regclass::text = $1 OR (c.relname = $1 AND pg_catalog.pg_table_is_visible(c.oid)) "   \
    "OR n.nspname || '.' || c.relname = $1)"

int agent_postgres_tables(struct agent_postgres *p, const char *only, json_t **out)
{
    static const char sql[] =
        "SELECT c.oid::regclass, CASE WHEN c.relkind = 'v' THEN 'view' WHEN c.relkind = 'm' THEN "
        "'view' ELSE 'table' END, (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', "
        "a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'not_null', "
        "a.attnotnull, 'primary_key', coalesce(a.attnum = ANY(i.indkey), false)) ORDER BY "
        "a.attnum) FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_index i ON i.indrelid = "
        "c.oid AND i.indisprimary WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT "
        "a.attisdropped), CASE WHEN c.relkind = 'v' THEN NULL WHEN c.relkind = 'p' THEN (SELECT "
        "sum(greatest(l.reltuples, pg_catalog.pg_stat_get_live_tuples(l.oid)))::bigint FROM "
        "pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE "
        "t.isleaf) WHEN c.reltuples >= 0 AND c.relpages > 0 THEN c.reltuples::bigint ELSE "
        "pg_catalog.pg_stat_get_live_tuples(c.oid) END FROM pg_catalog.pg_class c JOIN "
        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE " SEEN " AND ($1::text IS NULL "
        "OR " NAMED ") ORDER BY c.oid::regclass::text COLLATE \"C\" LIMIT 501";
    const char *const values[] = { only };
    PGresult *r = NULL;
    json_t *tables = json_array();
    size_t left = COLUMNS_MOST;
    bool more = false;
    int rc = tables ? agent_postgres_begin(p) : BASE_E_MEMORY;
    if (!rc)
        rc = agent_postgres_run(p, sql, 1, values, &r);
    int n = rc ? 0 : agent_pq.ntuples(r);
    for (int i = 0; i < n && !rc; i++) {
        const char *name = agent_pq.getvalue(r, i, 0), *text = agent_pq.getvalue(r, i, 2);
        json_t *columns = NULL;
        if (agent_pq.getisnull(r, i, 2)) /* a table may have no column */
            rc = (columns = json_array()) ? 0 : BASE_E_MEMORY;
        else
            rc = base_json_parse_wire(&columns, text, strlen(text), 0, "columns");
        if (rc)
            break;
        if ((more = i == TABLES_MOST || json_array_size(columns) > left)) {
            json_decref(columns);
            break;
        }
        left -= json_array_size(columns);
        json_t *one = json_pack("{s:o, s:s, s:o, s:o}", "name", base_json_text(name, strlen(name)),
                                "kind", agent_pq.getvalue(r, i, 1), "columns", columns, "rows",
                                agent_pq.getisnull(r, i, 3)
                                    ? json_null()
                                    : json_integer(strtoll(agent_pq.getvalue(r, i, 3), NULL, 10)));
        rc = json_array_append_new(tables, one) ? BASE_E_MEMORY : 0;
    }
    if (!rc && only && !json_array_size(tables))
        rc = base_error_set(BASE_E_ARGUMENT, "there is no table \"%.100s\"", only);
    if (!rc) {
        *out = json_pack("{s:O, s:b}", "tables", tables, "more", (int)more);
        rc = *out ? 0 : BASE_E_MEMORY;
    }
    agent_pq.clear(r);
    agent_postgres_end(p);
    json_decref(tables);
    return rc;
}

int agent_postgres_rows(struct agent_postgres *p, const char *table, uint64_t offset, size_t most,
                        json_t **out)
{
    static const char find[] =
        "SELECT c.oid::regclass, coalesce((SELECT pg_catalog.string_agg('t.' || "
        "pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.place) FROM pg_catalog.pg_index i "
        "CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place) JOIN "
        "pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number WHERE i.indrelid "
        "= c.oid AND i.indisprimary), CASE c.relkind WHEN 'v' THEN 't::text' ELSE 't.tableoid, "
        "t.ctid' END) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE " SEEN " AND " NAMED " ORDER BY c.oid::regclass::text = $1 DESC, "
        "pg_catalog.pg_table_is_visible(c.oid) DESC LIMIT 1";
    const char *const values[] = { table };
    PGresult *r = NULL;
    char *sql = NULL;
    int rc = offset > INT64_MAX || most > 1000000
                 ? base_error_set(BASE_E_ARGUMENT, "rows %" PRIu64 " and %zu more: too many",
                                  offset, most)
                 : agent_postgres_begin(p);
    if (!rc)
        rc = agent_postgres_run(p, find, 1, values, &r);
    if (!rc && !agent_pq.ntuples(r))
        rc = base_error_set(BASE_E_ARGUMENT, "there is no table \"%.100s\"", table);
    if (!rc && !(sql = base_format("SELECT * FROM %s AS t ORDER BY %s LIMIT %zu OFFSET %" PRIu64,
                                   agent_pq.getvalue(r, 0, 0), agent_pq.getvalue(r, 0, 1), most + 1,
                                   offset)))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = agent_postgres_select(p, sql, NULL, most, out);
    agent_pq.clear(r);
    agent_postgres_end(p);
    base_free(sql);
    return rc;
}

/* Everything that $1 (a table's number) reads from: itself, its partitions and children, and for
 * views what their rules name. */
#define SOURCES                                                                                    \
    "WITH RECURSIVE source(r) AS (SELECT $1::oid UNION SELECT s.r FROM source CROSS JOIN LATERAL " \
    "(SELECT i.inhrelid AS r FROM pg_catalog.pg_inherits i WHERE i.inhparent = source.r UNION "    \
    "ALL SELECT d.refobjid FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d ON d.classid " \
    "= 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = "                  \
    "'pg_catalog.pg_class'::regclass WHERE w.ev_class = source.r) AS s) "

int agent_postgres_stamp(struct agent_postgres *p, const char *table, uint64_t *stamp)
{
    static const char find[] =
        "SELECT c.oid, c.relkind IN ('r', 'm') AND pg_catalog.pg_relation_size(c.oid) <= 1048576 "
        "AND pg_catalog.has_table_privilege(c.oid, 'select') AND NOT "
        "pg_catalog.row_security_active(c.oid) AND NOT EXISTS(SELECT 1 FROM pg_catalog.pg_inherits "
        "i WHERE i.inhparent = c.oid), c.oid::regclass FROM pg_catalog.pg_class c JOIN "
        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE " SEEN " AND " NAMED
        " ORDER BY c.oid::regclass::text = $1 DESC, pg_catalog.pg_table_is_visible(c.oid) DESC "
        "LIMIT 1";
    /* columns and definition by the versions of their rows in the catalogue; rows by counters */
    static const char counters[] = SOURCES
        "SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', c.oid, c.relfilenode, c.relnatts, "
        "pg_catalog.pg_stat_get_tuples_inserted(c.oid), "
        "pg_catalog.pg_stat_get_tuples_updated(c.oid), "
        "pg_catalog.pg_stat_get_tuples_deleted(c.oid), CASE WHEN c.relkind IN ('r', 'm') THEN "
        "pg_catalog.pg_relation_size(c.oid) END, (SELECT "
        "pg_catalog.string_agg(pg_catalog.concat(a.attname, ' ', a.atttypid, ' ', a.atttypmod), ' '"
        " ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum "
        "> 0), (SELECT pg_catalog.string_agg(w.xmin::text, ' ' ORDER BY w.oid) FROM "
        "pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid)), ',' ORDER BY c.oid) FROM source JOIN "
        "pg_catalog.pg_class c ON c.oid = source.r";
    const char *values[] = { table };
    PGresult *found = NULL, *r = NULL;
    char *sql = NULL, number[32] = "";
    uint64_t h = 0;
    int rc = agent_postgres_begin(p);
    if (!rc)
        rc = agent_postgres_run(p, find, 1, values, &found);
    if (!rc && !agent_pq.ntuples(found))
        rc = base_error_set(BASE_E_ARGUMENT, "there is no table \"%.100s\"", table);
    bool small = !rc && *agent_pq.getvalue(found, 0, 1) == 't';
    if (!rc)
        snprintf(number, sizeof number, "%s", agent_pq.getvalue(found, 0, 0));
    values[0] = number;
    if (!rc)
        rc = agent_postgres_run(p, counters, 1, values, &r);
    if (!rc) {
        const char *text = agent_pq.getvalue(r, 0, 0);
        /* a small table's counters only repeat, late, what its rows say themselves */
        h = small ? base_hash64(number, strlen(number), 0) : base_hash64(text, strlen(text), 0);
    }
    agent_pq.clear(r);
    r = NULL;
    if (!rc && small &&
        !(sql = base_format(
              "SELECT pg_catalog.count(*), "
              "pg_catalog.sum(pg_catalog.hashtextextended(t.ctid::text || ' ' || t.xmin::text, "
              "0)), (SELECT pg_catalog.string_agg(pg_catalog.concat(a.attname, ' ', a.atttypid, ' "
              "', a.atttypmod), ' ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE "
              "a.attrelid = $1::oid AND a.attnum > 0) FROM ONLY %s AS t",
              agent_pq.getvalue(found, 0, 2))))
        rc = BASE_E_MEMORY;
    if (!rc && small)
        rc = agent_postgres_run(p, sql, 1, values, &r);
    for (int i = 0; !rc && small && i < 3; i++) {
        const char *text = agent_pq.getvalue(r, 0, i);
        h = base_hash64(text, strlen(text), h);
    }
    if (!rc)
        *stamp = h;
    agent_pq.clear(found);
    agent_pq.clear(r);
    agent_postgres_end(p);
    base_free(sql);
    return rc;
}
