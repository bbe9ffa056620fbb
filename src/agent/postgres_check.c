/* What a statement may do, asked of the server that is to run it.
 *
 * SQL's text says little about what runs: a view hides functions, an operator is a function, names
 * are found by a search path. So nothing is read from the text. The statement is prepared, which
 * parses it, resolves every name and expands every view, but neither plans nor runs anything; and
 * under debug_print_parse and debug_print_rewritten (which every role may set) the server tells the
 * trees that it made. In them every function, operator and relation stands with the number that
 * will be used. The prepared statement is what runs afterwards, not its text a second time.
 *
 * Allowed is a SELECT whose functions, operators' functions and samplers
 *   - were made with the database (numbers below 16384), and are not volatile, or are one of a few
 *     that only compute; or belong to an extension, are written in C and immutable, or are those of
 *     a few extensions of text (pg_trgm, unaccent, citext, hstore, ltree, fuzzystrmatch)
 *   - may be run by everybody: PostgreSQL revokes that from the ones that it holds dangerous
 *   - are none of those that run SQL they are given, tell settings or what others do
 * and whose relations are no foreign tables (they lead out of the database), nor of the system's
 * catalogues one that not everybody may read (passwords, statistics, large objects).
 * Constraints of domains run while literals are read, before there is a tree: where a domain of the
 * database has one that calls something else, every statement is refused.
 *
 * What is not understood, or was not told, is refused. The trees go to the server's log, too,
 * where the role is no superuser and was not granted SET on log_min_messages. */
#include "agent/postgres_private.h"
#include "base/memory.h"
#include <string.h>

/* ---- the tree's text: {NODE :field value ...}, (lists), words with \ escapes ----
 *
 * Cut as PostgreSQL's own reader (pg_strtok) cuts it: nothing that a statement says, an alias for
 * one, holds an unescaped blank, brace or parenthesis, so none of it can look like two words. */

struct words {
    const char *s, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

/* The next word; false at the end. Braces and parentheses are words of their own. */
static bool word_next(struct words *w, const char **word, size_t *n)
{
    while (w->s < w->end && is_blank(*w->s))
        w->s++;
    if (w->s == w->end)
        return false;
    *word = w->s;
    if (strchr("(){}", *w->s)) {
        *n = 1;
        w->s++;
        return true;
    }
    while (w->s < w->end && !is_blank(*w->s) && !strchr("(){}", *w->s))
        w->s += *w->s == '\\' && w->s + 1 < w->end ? 2 : 1;
    *n = (size_t)(w->s - *word);
    return true;
}

static bool is_word(const char *word, size_t n, const char *expected)
{
    return strlen(expected) == n && memcmp(word, expected, n) == 0;
}

static bool is_one_of(const char *word, size_t n, const char *const *names)
{
    for (; *names; names++)
        if (is_word(word, n, *names))
            return true;
    return false;
}

static int number_add(struct base_buffer *list, const char *word, size_t n)
{
    size_t digits = 0;
    while (digits < n && word[digits] >= '0' && word[digits] <= '9')
        digits++;
    if (!n || digits < n || n > 10)
        return base_error_set(BASE_E_FORMAT,
                              "the statement cannot be checked: \"%.*s\" in its parse tree",
                              (int)(n < 40 ? n : 40), word);
    if (n == 1 && *word == '0') /* not set, or no function is needed */
        return 0;
    int rc = base_buffer_puts(list, list->length ? "," : "{");
    return rc ? rc : base_buffer_append(list, word, n);
}

void agent_pg_names_free(struct agent_pg_names *names)
{
    base_buffer_free(&names->functions);
    base_buffer_free(&names->operators);
    base_buffer_free(&names->relations);
}

/* (o 1 2 3), (i ...) or <> */
static int list_add(struct words *w, struct base_buffer *list, const char *word, size_t n)
{
    int rc = 0;
    if (is_word(word, n, "<>"))
        return 0;
    bool open = is_word(word, n, "(") && word_next(w, &word, &n) && n == 1 && strchr("oix", *word);
    while (!rc && open && word_next(w, &word, &n) && !is_word(word, n, ")"))
        rc = number_add(list, word, n);
    return rc || open ? rc
                      : base_error_set(BASE_E_FORMAT, "the statement cannot be checked: a list in "
                                                      "its parse tree");
}

int agent_pg_tree_read(const char *tree, size_t bytes, struct agent_pg_names *names)
{
    static const char *const functions[] = { ":funcid",     ":opfuncid",         ":hashfuncid",
                                             ":negfuncid",  ":aggfnoid",         ":winfnoid",
                                             ":tsmhandler", ":startInRangeFunc", ":endInRangeFunc",
                                             NULL };
    static const char *const operators[] = { ":opno", ":eqop", ":sortop", ":cycle_mark_neop",
                                             NULL };
    static const char *const operator_lists[] = { ":opnos", ":uniqueEqOperators", NULL };
    struct words w = { tree, tree + bytes };
    const char *word, *value;
    size_t n, length;
    unsigned queries = 0;
    int depth = 0, rc = 0;
    while (!rc && word_next(&w, &word, &n)) {
        if (n == 1 && (*word == '{' || *word == '('))
            depth++;
        if (n == 1 && (*word == '}' || *word == ')'))
            depth--;
        if (*word != ':' || n == 1)
            continue;
        struct words after = w;
        bool there = word_next(&w, &value, &length);
        struct base_buffer *list = is_one_of(word, n, functions)   ? &names->functions
                                   : is_one_of(word, n, operators) ? &names->operators
                                   : is_word(word, n, ":relid")    ? &names->relations
                                                                   : NULL;
        struct words behind = w;
        w = after; /* the value is read again as what it is */
        if (list && there) {
            rc = number_add(list, value, length);
        } else if (list) {
            rc = number_add(list, "", 0);
        } else if (is_one_of(word, n, operator_lists) && there) {
            w = behind;
            rc = list_add(&w, &names->operators, value, length);
        } else if (is_word(word, n, ":commandType")) {
            queries++;
            names->no_select |= !there || !is_word(value, length, "1");
        } else if (is_word(word, n, ":utilityStmt")) {
            names->no_select |= !there || !is_word(value, length, "<>");
        } else if (is_word(word, n, ":hasForUpdate")) {
            names->locks |= !there || !is_word(value, length, "false");
        } else if (is_word(word, n, ":hasModifyingCTE")) {
            names->changes |= !there || !is_word(value, length, "false");
        }
    }
    if (!rc && (depth != 0 || !queries))
        rc = base_error_set(BASE_E_FORMAT, "the statement cannot be checked: its parse tree is "
                                           "incomplete");
    return rc;
}

/* ---- the catalogue's answers ---- */

/* $1: functions, $2: operators. The first that is not allowed, or nothing. */
#define FUNCTIONS                                                                                  \
    "SELECT CASE WHEN p.oid IS NULL THEN 'something that is not in the catalogue' ELSE "           \
    "'the function ' || p.oid::regprocedure END FROM (SELECT unnest($1::oid[]) AS f UNION "        \
    "SELECT o.oprcode FROM unnest($2::oid[]) AS u(f) LEFT JOIN pg_catalog.pg_operator o ON "       \
    "o.oid = u.f) AS named LEFT JOIN pg_catalog.pg_proc p ON p.oid = named.f LEFT JOIN "           \
    "pg_catalog.pg_language l ON l.oid = p.prolang LEFT JOIN pg_catalog.pg_depend d ON "           \
    "d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' "          \
    "LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid WHERE (p.oid IS NOT NULL "          \
    "AND pg_catalog.has_function_privilege('public', p.oid, 'execute') AND (p.prorettype = "       \
    "'tsm_handler'::regtype OR NOT ('internal'::regtype = ANY(p.proargtypes) OR "                  \
    "'cstring'::regtype = ANY(p.proargtypes))) AND CASE WHEN p.oid < 16384 THEN "                  \
    "(p.provolatile <> 'v' OR p.proname IN ('random', 'random_normal', 'clock_timestamp', "        \
    "'timeofday', 'gen_random_uuid', 'uuidv4', 'uuidv7', 'pg_relation_size', "                     \
    "'pg_table_size', 'pg_indexes_size', 'pg_total_relation_size', 'pg_database_size', "           \
    "'pg_partition_tree', 'pg_partition_ancestors', 'pg_is_in_recovery', 'bernoulli', "            \
    "'system')) AND p.proname NOT IN ('current_setting', 'pg_show_all_settings', "                 \
    "'pg_settings_get_flags', 'txid_current', 'pg_current_xact_id', "                              \
    "'pg_stat_get_activity', 'pg_stat_get_backend_activity', 'pg_stat_get_wal_receiver', "         \
    "'pg_stat_get_wal_senders', 'pg_get_replication_slots', 'pg_options_to_table', "               \
    "'pg_cursor', 'pg_prepared_statement', 'pg_listening_channels', 'inet_client_addr', "          \
    "'pg_get_backend_memory_contexts') AND p.proname !~ "                                          \
    "'^(table|schema|database|query|cursor)_to_xml' ELSE d.objid IS NOT NULL AND l.lanname "       \
    "IN ('c', 'internal') AND p.provolatile <> 'v' AND (p.provolatile = 'i' AND e.extname "        \
    "NOT IN ('dblink', 'file_fdw', 'postgres_fdw', 'tablefunc', 'xml2', 'adminpack') OR "          \
    "e.extname IN ('pg_trgm', 'unaccent', 'citext', 'hstore', 'ltree', 'fuzzystrmatch')) "         \
    "END) IS NOT TRUE LIMIT 1"

/* $1: relations that the statement names, $2: those that it reads in the end. */
#define RELATIONS                                                                                  \
    "WITH RECURSIVE below(r) AS (SELECT unnest($2::oid[]) UNION SELECT i.inhrelid FROM below "     \
    "JOIN "                                                                                        \
    "pg_catalog.pg_inherits i ON i.inhparent = r) SELECT 'the foreign table ' || c.oid::regclass " \
    "|| ', which leads out of this database' FROM below JOIN pg_catalog.pg_class c ON c.oid = r "  \
    "WHERE c.relkind = 'f' UNION ALL SELECT 'the system''s ' || c.oid::regclass FROM "             \
    "unnest($1::oid[]) AS named(r) JOIN pg_catalog.pg_class c ON c.oid = r WHERE c.oid < 16384 "   \
    "AND NOT pg_catalog.has_table_privilege('public', c.oid, 'select') LIMIT 1"

/* Domains' constraints that were not made with the database. */
#define DOMAINS                                                                                    \
    "SELECT conbin, contypid::regtype FROM pg_catalog.pg_constraint WHERE contypid <> 0 AND oid "  \
    ">= 16384 AND conbin IS NOT NULL LIMIT 1001"

static int lists_end(struct agent_pg_names *names)
{
    struct base_buffer *lists[] = { &names->functions, &names->operators, &names->relations };
    int rc = 0;
    for (size_t i = 0; i < 3 && !rc; i++)
        rc = base_buffer_puts(lists[i], lists[i]->length ? "}" : "{}");
    return rc;
}

/* Runs one of the above; its answer is a refusal. */
static int ask(struct agent_postgres *p, const char *sql, const char *first, const char *second,
               const char *where)
{
    const char *const values[] = { first, second };
    PGresult *r = NULL;
    int rc = agent_postgres_run(p, sql, 2, values, &r);
    if (!rc && agent_pq.ntuples(r))
        rc = base_error_set(BASE_E_ARGUMENT, "not allowed: %.300s%s", agent_pq.getvalue(r, 0, 0),
                            where);
    agent_pq.clear(r);
    return rc;
}

static int domains_check(struct agent_postgres *p)
{
    PGresult *r = NULL;
    int rc = agent_postgres_run(p, DOMAINS, 0, NULL, &r);
    int n = rc ? 0 : agent_pq.ntuples(r);
    if (n > 1000)
        rc = base_error_set(BASE_E_LIMIT, "%s: more than 1,000 domains with constraints", p->name);
    for (int i = 0; i < n && !rc; i++) {
        struct agent_pg_names names = { 0 };
        const char *tree = agent_pq.getvalue(r, i, 0);
        char where[200];
        struct base_buffer whole = { 0 };
        /* an expression, not a statement: what makes it one is put around it */
        rc = base_buffer_printf(&whole, "{QUERY :commandType 1 :utilityStmt <> :check %s}", tree);
        if (!rc)
            rc = agent_pg_tree_read(whole.data, whole.length, &names);
        if (!rc)
            rc = lists_end(&names);
        snprintf(where, sizeof where, ", which checks the values of the domain %.120s",
                 agent_pq.getvalue(r, i, 1));
        if (!rc)
            rc = ask(p, FUNCTIONS, names.functions.data, names.operators.data, where);
        agent_pg_names_free(&names);
        base_buffer_free(&whole);
    }
    agent_pq.clear(r);
    return rc;
}

/* Whether what was prepared is nothing. */
static bool is_empty(struct agent_postgres *p)
{
    PGresult *r = agent_pq.describePrepared(p->conn, "assay");
    bool empty = r && agent_pq.resultStatus(r) == PGRES_COMMAND_OK && agent_pq.nfields(r) == 0;
    agent_pq.clear(r);
    return empty;
}

/* Both trees, as on_notice kept them: one of either kind, each behind its letter. */
static int trees_check(struct agent_postgres *p, const struct base_buffer *trees)
{
    struct agent_pg_names parsed = { 0 }, rewritten = { 0 };
    unsigned n_parsed = 0, n_rewritten = 0;
    int rc = 0;
    for (size_t at = 0; at < trees->length && !rc;) {
        const char *tree = trees->data + at;
        size_t n = strlen(tree);
        bool first = *tree == 'p';
        n_parsed += first;
        n_rewritten += !first;
        rc = agent_pg_tree_read(tree + 1, n - 1, first ? &parsed : &rewritten);
        at += n + 1;
    }
    if (!rc && !n_parsed && !n_rewritten && is_empty(p))
        rc = base_error_set(BASE_E_ARGUMENT, "no statement: expected a SELECT");
    else if (!rc && (n_parsed != 1 || n_rewritten != 1))
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "%s: the server does not tell what it made of the statement "
                            "(debug_print_rewritten), so it is not run",
                            p->name);
    if (!rc && (parsed.no_select || rewritten.no_select))
        rc = base_error_set(BASE_E_ARGUMENT, "not allowed: only SELECT is");
    if (!rc && (parsed.changes || rewritten.changes))
        rc = base_error_set(BASE_E_ARGUMENT, "not allowed: a change of rows; only SELECT is");
    if (!rc && (parsed.locks || rewritten.locks))
        rc = base_error_set(BASE_E_ARGUMENT, "not allowed: a lock on rows; only SELECT is");
    if (!rc)
        rc = lists_end(&parsed);
    if (!rc)
        rc = lists_end(&rewritten);
    if (!rc)
        rc = ask(p, FUNCTIONS, rewritten.functions.data, rewritten.operators.data, "");
    if (!rc)
        rc = ask(p, FUNCTIONS, parsed.functions.data, parsed.operators.data, "");
    if (!rc)
        rc = ask(p, RELATIONS, parsed.relations.data, rewritten.relations.data, "");
    agent_pg_names_free(&parsed);
    agent_pg_names_free(&rewritten);
    return rc;
}

/* Whether trees can be kept out of the server's log. */
static int quiet(struct agent_postgres *p)
{
    bool may = p->superuser;
    PGresult *r = NULL;
    int rc = may || p->version < 150000
                 ? 0
                 : agent_postgres_run(
                       p, "SELECT pg_catalog.has_parameter_privilege('log_min_messages', 'set')", 0,
                       NULL, &r);
    if (!rc && r)
        may = *agent_pq.getvalue(r, 0, 0) == 't';
    agent_pq.clear(r);
    return rc || !may ? rc : agent_postgres_do(p, "SET LOCAL log_min_messages = fatal");
}

int agent_postgres_prepare(struct agent_postgres *p, const char *sql, int n, const Oid *types)
{
    struct base_buffer trees = { 0 };
    int rc = domains_check(p);
    if (!rc)
        rc = quiet(p);
    if (!rc && p->prepared++)
        rc = agent_postgres_do(p, "DEALLOCATE ALL");
    if (!rc)
        rc = agent_postgres_do(p, "SET LOCAL debug_pretty_print = off; SET LOCAL "
                                  "client_min_messages = log; SET LOCAL debug_print_parse = on; "
                                  "SET LOCAL debug_print_rewritten = on");
    if (!rc) {
        p->trees = &trees;
        p->trees_rc = 0;
        PGresult *r = agent_pq.prepare(p->conn, "assay", sql, n, types);
        if (!r || agent_pq.resultStatus(r) != PGRES_COMMAND_OK)
            rc = agent_postgres_fail(p, r);
        agent_pq.clear(r);
        p->trees = NULL;
        rc = rc ? rc : p->trees_rc;
    }
    if (!rc)
        rc = agent_postgres_do(p, "SET LOCAL debug_print_rewritten = off; SET LOCAL "
                                  "debug_print_parse = off; SET LOCAL client_min_messages = "
                                  "warning");
    if (!rc)
        rc = trees_check(p, &trees);
    base_buffer_free(&trees);
    return rc;
}
