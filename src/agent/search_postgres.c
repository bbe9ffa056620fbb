/* Full-text search in PostgreSQL: the index that agent_index_make writes there, and the tool
 * `search` on it or on any table.
 *
 *   TABLE(id, path, record, title, line, byte, text, words)     one row a passage
 *
 * words is generated from title (weight A) and text (D) and has a GIN index; the table's comment
 * says that it is an index, and in which configuration. Of another table, words is made of its text
 * columns for every query: all rows are read.
 *
 * A query's words and "phrases" become one tsquery each (phraseto_tsquery; to_tsquery of a quoted
 * word for `word*`), so that none of them is syntax, joined by || or &&. The score is PostgreSQL's
 * cover density with its length normalization, saturated and weighed with the word's rarity as BM25
 * does it (Robertson and Zaragoza 2009; PostgreSQL itself knows no rarity):
 *   sum over terms t in the passage of idf(t) * 2.2 f / (f + 1.2),
 *   f = 4 ts_rank_cd('{.25, .25, .25, 1}', words, t, 1): an occurrence in the title counts four
 *       times; divided by log(1 + length)
 *   idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5)) of N passages, n of them with t */
#include "agent/builtin.h"
#include "agent/postgres_private.h"
#include "agent/search.h"
#include "base/json.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK       "assay index 1 "
#define USUAL      5
#define COPY_BLOCK 65536

/* ---- addresses and names ---- */

int agent_index_address(const char *target, char **address, char **table, char **columns)
{
    const char *hash = strrchr(target, '#');
    const char *name = hash && hash[1] ? hash + 1 : "passages";
    const char *colon = hash ? strchr(name, ':') : NULL;
    *address = base_strndup(target, hash ? (size_t)(hash - target) : strlen(target));
    *table = base_strndup(name, colon ? (size_t)(colon - name) : strlen(name));
    *columns = colon ? base_strdup(colon + 1) : NULL;
    if (!*address || !*table || (colon && !*columns)) {
        base_free(*address);
        base_free(*table);
        base_free(*columns);
        *address = *table = *columns = NULL;
        return BASE_E_MEMORY;
    }
    return 0;
}

char *agent_index_public(const char *target)
{
    char *address, *table, *columns;
    if (!agent_is_postgres(target))
        return base_strdup(target);
    if (agent_index_address(target, &address, &table, &columns))
        return NULL;
    char *name = agent_postgres_public(address);
    char *whole =
        name ? base_format("%s#%s%s%s", name, table, columns ? ":" : "", columns ? columns : "")
             : NULL;
    base_free(name);
    base_free(address);
    base_free(table);
    base_free(columns);
    return whole;
}

static int quote_append(struct base_buffer *b, const char *s, size_t n)
{
    int rc = base_buffer_puts(b, "\"");
    for (size_t i = 0; i < n && !rc; i++)
        rc = s[i] == '"' ? base_buffer_puts(b, "\"\"") : base_buffer_append(b, s + i, 1);
    return rc ? rc : base_buffer_puts(b, "\"");
}

/* TABLE or SCHEMA.TABLE with both parts quoted. */
static int table_append(struct base_buffer *b, const char *table)
{
    const char *dot = strchr(table, '.');
    int rc = dot ? quote_append(b, table, (size_t)(dot - table)) : 0;
    if (!rc && dot)
        rc = base_buffer_puts(b, ".");
    return rc ? rc : quote_append(b, dot ? dot + 1 : table, strlen(dot ? dot + 1 : table));
}

/* ---- writing an index ---- */

struct writing {
    struct agent_postgres *p;
    const char *configuration;
    char *table; /* quoted */
    bool copying;
    struct base_buffer rows; /* in COPY's text format, not sent yet */
};

/* A column and what ends it; NULL is \N. PostgreSQL's texts cannot hold a NUL: a blank instead. */
static int copy_append(struct base_buffer *b, const char *s, size_t n, char end)
{
    int rc = s ? 0 : base_buffer_puts(b, "\\N");
    for (size_t i = 0, from = 0; s && i <= n && !rc; i++) {
        const char *escape = i == n         ? ""
                             : s[i] == '\n' ? "\\n"
                             : s[i] == '\r' ? "\\r"
                             : s[i] == '\t' ? "\\t"
                             : s[i] == '\\' ? "\\\\"
                             : s[i] == 0    ? " "
                                            : NULL;
        if (!escape)
            continue;
        rc = base_buffer_append(b, s + from, i - from);
        if (!rc)
            rc = base_buffer_puts(b, escape);
        from = i + 1;
    }
    return rc ? rc : base_buffer_append(b, &end, 1);
}

static int copy_send(struct writing *w)
{
    int rc =
        w->rows.length && agent_pq.putCopyData(w->p->conn, w->rows.data, (int)w->rows.length) != 1
            ? agent_postgres_fail(w->p, NULL)
            : 0;
    base_buffer_clear(&w->rows);
    return rc;
}

static int write_passage(void *context, const struct agent_passage *p)
{
    struct writing *w = context;
    struct base_buffer *b = &w->rows;
    int rc = copy_append(b, p->path, strlen(p->path), '\t');
    if (!rc)
        rc = copy_append(b, p->record, p->record ? strlen(p->record) : 0, '\t');
    if (!rc)
        rc = copy_append(b, p->title, strlen(p->title), '\t');
    if (!rc)
        rc = base_buffer_printf(b, "%llu\t%llu\t", (unsigned long long)p->line,
                                (unsigned long long)p->byte);
    if (!rc)
        rc = copy_append(b, p->text, p->bytes, '\n');
    return rc || b->length < COPY_BLOCK ? rc : copy_send(w);
}

static int write_document(void *context, const char *path, const char *record, const char *title,
                          size_t bytes)
{
    (void)context, (void)path, (void)record, (void)title, (void)bytes;
    return 0; /* a document is what its passages say of it */
}

/* Ends COPY; then the index and the comment that makes the table one of ours. */
static int write_finish(struct writing *w)
{
    int rc = copy_send(w);
    if (!rc && agent_pq.putCopyEnd(w->p->conn, NULL) != 1)
        rc = agent_postgres_fail(w->p, NULL);
    for (PGresult *r; !rc && (r = agent_pq.getResult(w->p->conn)); agent_pq.clear(r))
        if (agent_pq.resultStatus(r) != PGRES_COMMAND_OK)
            rc = agent_postgres_fail(w->p, r);
    char *sql = base_format("CREATE INDEX ON %s USING gin(words); COMMENT ON TABLE %s IS '" MARK
                            "%s'; ANALYZE %s; COMMIT",
                            w->table, w->table, w->configuration, w->table);
    if (!rc)
        rc = sql ? agent_postgres_do(w->p, sql) : BASE_E_MEMORY;
    base_free(sql);
    return rc;
}

/* Without a COMMIT the connection's end takes everything back. */
static int write_end(void *context, int rc)
{
    struct writing *w = context;
    if (!rc)
        rc = write_finish(w);
    agent_postgres_close(w->p);
    base_buffer_free(&w->rows);
    base_free(w->table);
    base_free(w);
    return rc;
}

/* An older index of that name goes; any other table of that name stays, and is an error. */
static int write_begin(struct writing *w, const char *table)
{
    static const char exists[] =
        "SELECT coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') LIKE $2 AND c.relkind "
        "= 'r' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname || '.' || c.relname = $1 OR (c.relname = $1 AND n.nspname = "
        "current_schema())";
    const char *const values[] = { table, MARK "%" };
    PGresult *r = NULL;
    int rc = agent_postgres_do(w->p, "BEGIN");
    if (!rc)
        rc = agent_postgres_run(w->p, exists, 2, values, &r);
    bool there = !rc && agent_pq.ntuples(r) > 0;
    if (there && *agent_pq.getvalue(r, 0, 0) != 't')
        rc =
            base_error_set(BASE_E_ARGUMENT,
                           "%s: there is a table \"%.100s\" that `assay tools index` did not make: "
                           "name another one (%s#TABLE)",
                           w->p->name, table, w->p->name);
    agent_pq.clear(r);
    char *sql = base_format(
        "%s%s%s CREATE TABLE %s(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, path text NOT "
        "NULL, record text, title text NOT NULL, line bigint NOT NULL, byte bigint NOT NULL, text "
        "text NOT NULL, words tsvector NOT NULL GENERATED ALWAYS AS "
        "(setweight(to_tsvector('pg_catalog.%s'::regconfig, title), 'A') || "
        "setweight(to_tsvector('pg_catalog.%s'::regconfig, text), 'D')) STORED)",
        there ? "DROP TABLE " : "", there ? w->table : "", there ? ";" : "", w->table,
        w->configuration, w->configuration);
    char *copy = base_format("COPY %s(path, record, title, line, byte, text) FROM STDIN", w->table);
    if (!rc)
        rc = sql && copy ? agent_postgres_do(w->p, sql) : BASE_E_MEMORY;
    if (!rc)
        rc = agent_postgres_do(w->p, copy);
    base_free(sql);
    base_free(copy);
    return rc;
}

int agent_index_postgres(const char *target, const char *tokenizer, struct agent_index_sink *out)
{
    char *address, *table, *columns;
    bool words = !tokenizer || strcmp(tokenizer, "words") == 0;
    if (!words && strcmp(tokenizer, "english") != 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "tokenizer \"%s\": expected words or english (trigram: only in an "
                              "SQLite file)",
                              tokenizer);
    int rc = agent_index_address(target, &address, &table, &columns);
    if (rc)
        return rc;
    struct writing *w = base_alloc_zero(1, sizeof *w);
    struct base_buffer quoted = { 0 };
    rc = w ? table_append(&quoted, table) : BASE_E_MEMORY;
    if (!rc && columns)
        rc = base_error_set(BASE_E_ARGUMENT, "#%s:%s: an index has columns of its own", table,
                            columns);
    if (!rc)
        rc = agent_postgres_connect(&w->p, address, NULL, true);
    if (!rc) {
        w->configuration = words ? "simple" : "english";
        w->table = base_buffer_take(&quoted);
        rc = write_begin(w, table);
        if (rc)
            write_end(w, rc);
    } else {
        base_free(w);
    }
    base_buffer_free(&quoted);
    base_free(address);
    base_free(table);
    base_free(columns);
    if (!rc)
        *out = (struct agent_index_sink){ write_passage, write_document, write_end, w };
    return rc;
}

/* ---- searching ---- */

/* What a search's statement is put together from. */
struct searching {
    struct agent_postgres *p;
    struct base_buffer source; /* SELECT path, record, title, line, byte, text, words */
    struct base_buffer terms;  /* phraseto_tsquery($1, $2), ... */
    json_t *parameters;        /* the configuration, then the terms */
    char *documents;           /* how many, as SQL */
};

static int term_add(void *context, const char *s, size_t n, bool prefix)
{
    struct searching *q = context;
    struct base_buffer word = { 0 };
    int rc = base_buffer_puts(&word, prefix ? "'" : "");
    for (size_t i = 0; i < n && !rc; i++) {
        unsigned char c = (unsigned char)s[i];
        if (prefix && (c == '\'' || c == '\\'))
            rc = base_buffer_append(&word, s + i, 1);
        if (!rc)
            rc = base_buffer_append(&word, c < ' ' ? " " : s + i, 1);
    }
    if (!rc)
        rc = base_buffer_puts(&word, prefix ? "':*" : "");
    if (!rc && json_array_append_new(q->parameters, base_json_text(word.data, word.length)))
        rc = BASE_E_MEMORY;
    base_buffer_free(&word);
    return rc ? rc
              : base_buffer_printf(&q->terms, "%s%s($1::pg_catalog.regconfig, $%zu)",
                                   q->terms.length ? ", " : "",
                                   prefix ? "pg_catalog.to_tsquery" : "pg_catalog.phraseto_tsquery",
                                   json_array_size(q->parameters));
}

/* The columns of a table that is no index: those that are named, or all that hold text. */
static int source_of_table(struct searching *q, const char *oid, const char *shown,
                           const char *columns)
{
    static const char find[] =
        "SELECT a.attname, pg_catalog.quote_ident(a.attname), t.typcategory = 'S', "
        "coalesce(a.attnum = ANY(i.indkey), false) FROM pg_catalog.pg_attribute a JOIN "
        "pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_index i ON i.indrelid "
        "= a.attrelid AND i.indisprimary WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT "
        "a.attisdropped AND ($2::text IS NULL OR a.attname = "
        "ANY(pg_catalog.string_to_array($2, ','))) ORDER BY a.attnum";
    const char *values[] = { oid, NULL };
    struct base_buffer key = { 0 }, text = { 0 };
    PGresult *r = NULL, *named = NULL;
    bool title = false;
    size_t wanted = 1;
    int rc = agent_postgres_run(q->p, find, 2, values, &r);
    values[1] = columns;
    if (!rc)
        rc = agent_postgres_run(q->p, find, 2, values, &named);
    for (int i = 0; !rc && i < agent_pq.ntuples(r); i++)
        if (*agent_pq.getvalue(r, i, 3) == 't')
            rc = base_buffer_printf(&key, "%st.%s::text", key.length ? ", " : "",
                                    agent_pq.getvalue(r, i, 1));
    for (const char *s = columns; s && *s; s++)
        wanted += *s == ',';
    if (!rc && columns && (size_t)agent_pq.ntuples(named) != wanted)
        rc = base_error_set(BASE_E_ARGUMENT, "%s has not all of the columns \"%.200s\"", shown,
                            columns);
    for (int i = 0; !rc && i < agent_pq.ntuples(named); i++) {
        if (!columns && *agent_pq.getvalue(named, i, 2) != 't')
            continue;
        if (strcmp(agent_pq.getvalue(named, i, 0), "title") == 0)
            title = true;
        else
            rc = base_buffer_printf(&text, ", t.%s::text", agent_pq.getvalue(named, i, 1));
    }
    if (!rc && !text.length && !title)
        rc = base_error_set(BASE_E_ARGUMENT, "%s has no column of text: name some (#TABLE:COLUMN)",
                            shown);
    const char *head = title ? "coalesce(t.title::text, '')" : "''::text";
    const char *body = text.length ? text.data : ", ''::text";
    if (!rc)
        rc = base_buffer_printf(
            &q->source,
            "SELECT $2::text AS path, pg_catalog.concat_ws(','%s%s)%s AS record, %s AS title, "
            "1::bigint AS line, 0::bigint AS byte, pg_catalog.concat_ws(E'\\n'%s) AS text, "
            "pg_catalog.setweight(pg_catalog.to_tsvector($1::pg_catalog.regconfig, %s), 'A') || "
            "pg_catalog.setweight(pg_catalog.to_tsvector($1::pg_catalog.regconfig, "
            "pg_catalog.concat_ws(E'\\n'%s)), 'D') AS words FROM %s AS t",
            key.length ? ", " : ", NULL::text", key.length ? key.data : "",
            key.length ? "" : " || NULL", head, body, head, body, shown);
    agent_pq.clear(r);
    agent_pq.clear(named);
    base_buffer_free(&key);
    base_buffer_free(&text);
    return rc;
}

/* Finds the table, and whether it is an index. */
static int source_find(struct searching *q, const char *table, const char *columns)
{
    static const char find[] =
        "SELECT c.oid, c.oid::regclass, pg_catalog.obj_description(c.oid, 'pg_class'), CASE WHEN "
        "c.relkind IN ('r', 'm') AND c.reltuples > 0 THEN c.reltuples::bigint END, "
        "pg_catalog.get_current_ts_config()::text FROM pg_catalog.pg_class c JOIN "
        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', "
        "'m') AND (c.oid::regclass::text = $1 OR n.nspname || '.' || c.relname = $1 OR (c.relname "
        "= $1 AND pg_catalog.pg_table_is_visible(c.oid))) ORDER BY c.oid::regclass::text = $1 "
        "DESC, pg_catalog.pg_table_is_visible(c.oid) DESC LIMIT 1";
    const char *const values[] = { table };
    PGresult *r = NULL;
    int rc = agent_postgres_run(q->p, find, 1, values, &r);
    if (!rc && !agent_pq.ntuples(r))
        rc = base_error_set(BASE_E_ARGUMENT, "%s: there is no table \"%.100s\" to search in",
                            q->p->name, table);
    if (rc) {
        agent_pq.clear(r);
        return rc;
    }
    const char *oid = agent_pq.getvalue(r, 0, 0), *shown = agent_pq.getvalue(r, 0, 1);
    const char *mark = agent_pq.getvalue(r, 0, 2);
    bool index = !columns && strncmp(mark, MARK, strlen(MARK)) == 0;
    const char *configuration = index ? mark + strlen(MARK) : agent_pq.getvalue(r, 0, 4);
    q->documents = agent_pq.getisnull(r, 0, 3)
                       ? base_strdup("(SELECT pg_catalog.count(*) FROM source)")
                       : base_format("%s::bigint", agent_pq.getvalue(r, 0, 3));
    q->parameters =
        json_pack("[s, s]", configuration, table); /* 2: the path of a table's own rows */
    rc = q->documents && q->parameters ? 0 : BASE_E_MEMORY;
    if (!rc && index)
        rc = base_buffer_printf(
            &q->source,
            "SELECT t.path, t.record, t.title, t.line, t.byte, t.text, t.words FROM %s AS t WHERE "
            "$2::text IS NOT NULL",
            shown);
    else if (!rc)
        rc = source_of_table(q, oid, shown, columns);
    agent_pq.clear(r);
    return rc;
}

/* The whole statement; all terms are parameters. */
static char *statement(const struct searching *q, bool any, bool whole, size_t most,
                       uint64_t offset)
{
    return base_format(
        "WITH term AS MATERIALIZED (SELECT t.q, t.i FROM pg_catalog.unnest(ARRAY[%s]) WITH "
        "ORDINALITY AS t(q, i) WHERE pg_catalog.numnode(t.q) > 0), asked AS MATERIALIZED (SELECT "
        "(SELECT pg_catalog.string_agg('(' || q::text || ')', '%s' ORDER BY i)::tsquery FROM term) "
        "AS q), source AS (%s), hit AS MATERIALIZED (SELECT source.* FROM source WHERE "
        "source.words @@ (SELECT q FROM asked)), weight AS MATERIALIZED (SELECT q, pg_catalog.ln(1 "
        "+ (greatest(d.n, c.n) - c.n + 0.5::float8) / (c.n + 0.5)) AS idf FROM term CROSS JOIN "
        "LATERAL (SELECT pg_catalog.count(*) AS n FROM hit WHERE hit.words @@ term.q) AS c CROSS "
        "JOIN (SELECT %s AS n) AS d), best AS (SELECT hit.path, hit.record, hit.title, hit.line, "
        "hit.byte, hit.text, (SELECT pg_catalog.sum(idf * 2.2 * f / (f + 1.2)) FROM (SELECT idf, 4 "
        "* pg_catalog.ts_rank_cd('{0.25, 0.25, 0.25, 1}'::real[], hit.words, weight.q, "
        "1)::float8 AS f FROM weight WHERE hit.words @@ weight.q) AS r) AS score FROM hit ORDER BY "
        "score DESC, path, record, line, byte, text LIMIT %zu OFFSET %llu) SELECT path, record, "
        "title, line, byte, score, pg_catalog.ts_headline($1::pg_catalog.regconfig, text, (SELECT "
        "q FROM asked), 'StartSel=**, StopSel=**, MaxWords=40, MinWords=15')%s FROM best ORDER BY "
        "score DESC, path, record, line, byte, text",
        q->terms.data, any ? "|" : "&", q->source.data, q->documents, most + 1,
        (unsigned long long)offset, whole ? ", text" : "");
}

/* Rows as the tool's results: objects of the columns' names. */
static int results_make(const json_t *answer, bool whole, size_t most, json_t **out)
{
    static const char *const keys[] = { "path",   "record", "title",   "line",
                                        "offset", "score",  "snippet", "text" };
    const json_t *rows = json_object_get(answer, "rows");
    json_t *results = json_array();
    bool more = json_is_true(json_object_get(answer, "more")) || json_array_size(rows) > most;
    for (size_t i = 0; results && i < json_array_size(rows) && i < most; i++) {
        json_t *one = json_object();
        for (size_t k = 0; one && k < (whole ? 8 : 7); k++)
            if (json_object_set(one, keys[k], json_array_get(json_array_get(rows, i), k))) {
                json_decref(one);
                one = NULL;
            }
        if (json_array_append_new(results, one)) {
            json_decref(results);
            results = NULL;
        }
    }
    *out = results ? json_pack("{s:o, s:b}", "results", results, "more", (int)more) : NULL;
    return *out ? 0 : BASE_E_MEMORY;
}

static int search(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    const json_t *query = json_object_get(arguments, "query");
    const json_t *limit = json_object_get(arguments, "limit");
    const char *match = json_string_value(json_object_get(arguments, "match"));
    const bool any = !match || strcmp(match, "any") == 0;
    const bool whole = json_is_true(json_object_get(arguments, "text"));
    const size_t most = limit ? (size_t)json_number_value(limit) : USUAL;
    const double offset = json_number_value(json_object_get(arguments, "offset"));
    struct searching q = { .p = tool->opened };
    char *address = NULL, *table = NULL, *columns = NULL, *sql = NULL;
    json_t *answer = NULL;
    int terms, rc = agent_index_address(tool->context, &address, &table, &columns);
    if (!rc)
        rc = agent_postgres_begin(q.p);
    if (!rc)
        rc = source_find(&q, table, columns);
    if (!rc) {
        terms =
            agent_search_terms(json_string_value(query), json_string_length(query), term_add, &q);
        rc = terms < 0 ? terms
             : terms   ? 0
                       : base_error_set(BASE_E_ARGUMENT, "the query holds no word to look for");
    }
    if (!rc && !(sql = statement(&q, any, whole, most, (uint64_t)offset)))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = agent_postgres_select(q.p, sql, q.parameters, most + 1, &answer);
    if (!rc)
        rc = results_make(answer, whole, most, out);
    json_decref(answer);
    json_decref(q.parameters);
    base_buffer_free(&q.source);
    base_buffer_free(&q.terms);
    base_free(q.documents);
    base_free(sql);
    base_free(address);
    base_free(table);
    base_free(columns);
    return rc;
}

static int search_open(const struct agent_tool *tool, void **opened, int *socket)
{
    char *address, *table, *columns;
    int rc = agent_index_address(tool->context, &address, &table, &columns);
    if (rc)
        return rc;
    struct agent_tool inner = *tool;
    inner.context = address;
    rc = agent_postgres_tool_open(&inner, opened, socket);
    base_free(address);
    base_free(table);
    base_free(columns);
    return rc;
}

int agent_postgres_add_search(struct agent_tools *t, const char *target)
{
    char *address, *table, *columns;
    int rc = agent_index_address(target, &address, &table, &columns);
    if (rc)
        return rc;
    struct agent_tool like = agent_tool_search;
    rc = agent_postgres_tool_add(t, &like, like.description, search_open, search, target, address);
    base_free(address);
    base_free(table);
    base_free(columns);
    return rc;
}
