/* PostgreSQL as tools read it, on a private server: values as JSON, what is refused and what a
 * superuser's connection cannot be made to do, tables in pages, stamps, search, passwords. */
#include "agent/postgres_private.h"
#include "agent/redteam.h"
#include "agent/search.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/tool.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "../eval/postgres_support.h"

static struct postgres_server server;
static bool there;

static int start(void **state)
{
    (void)state;
    there = postgres_start(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (there)
        postgres_stop(&server);
    return 0;
}

static void needs_server(void)
{
    if (!there)
        skip();
}

/* The socket is there a moment before the server takes connections. */
static struct agent_postgres *connect_as(const char *url, bool writes)
{
    struct agent_postgres *p = NULL;
    for (int i = 0; agent_postgres_connect(&p, url, NULL, writes); i++) {
        if (i == 100)
            fail_msg("%s", base_error_message());
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    }
    return p;
}

static void do_sql(const char *sql)
{
    struct agent_postgres *p = connect_as(server.url, true);
    if (agent_postgres_do(p, sql))
        fail_msg("%s: %s", sql, base_error_message());
    agent_postgres_close(p);
}

static char *rows_of(const char *sql, const char *parameters, size_t most)
{
    struct agent_postgres *p = connect_as(server.url, false);
    json_t *v = NULL, *values = NULL;
    if (parameters && base_json_parse(&values, parameters, strlen(parameters), "t"))
        fail_msg("%s", base_error_message());
    if (agent_postgres_query(p, sql, strlen(sql), values, most, &v))
        fail_msg("%s: %s", sql, base_error_message());
    char *text = base_json_dump(json_object_get(v, "rows"), false);
    json_decref(v);
    json_decref(values);
    agent_postgres_close(p);
    return text;
}

static void values_are_exact(void **state)
{
    (void)state;
    needs_server();
    static const char *const cases[][2] = {
        { "SELECT 1::smallint, -2147483648, 9223372036854775807, 4294967295::oid",
          "[[1, -2147483648, 9223372036854775807, 4294967295]]" },
        { "SELECT true, false, NULL::int", "[[true, false, null]]" },
        { "SELECT 0.5::real, 0.25::float8, 'NaN'::float8, '-Infinity'::real, -0.0::float8",
          "[[0.5, 0.25, {\"real\": \"NaN\"}, {\"real\": \"-Inf\"}, -0.0]]" },
        { "SELECT 12.50, 42.000, 3::numeric, 99999999999999999999999, 0.00048828125, "
          "1234567890.123456, 'NaN'::numeric",
          "[[12.5, 42.0, 3, \"99999999999999999999999\", 0.00048828125, \"1234567890.123456\", "
          "{\"real\": \"NaN\"}]]" },
        { "SELECT '2026-01-02'::date, '2026-01-02 03:04:05.25+02'::timestamptz, '1 day "
          "02:00'::interval, '01:02:03'::time",
          "[[\"2026-01-02\", \"2026-01-02 01:04:05.25+00\", \"P1DT2H\", \"01:02:03\"]]" },
        { "SELECT '\\x00ff'::bytea, ''::bytea, repeat('ab', 200)::bytea", NULL },
        { "SELECT ARRAY[[1,2],[3,NULL]], '{}'::text[], ARRAY['a\"b', 'NULL', NULL, '', 'c,{d}'], "
          "'[0:1]={5,6}'::int[], ARRAY[1.5, 2], ARRAY[true], '1 2'::int2vector",
          "[[[[1, 2], [3, null]], [], [\"a\\\"b\", \"NULL\", null, \"\", \"c,{d}\"], [5, 6], "
          "[1.5, 2], [true], \"1 2\"]]" },
        { "SELECT '{\"a\": [1, 2.5, \"x\"]}'::jsonb, '[12345678901234567890]'::json, "
          "'null'::json, '[\"1234567890123456789012\"]'::json",
          "[[{\"a\": [1, 2.5, \"x\"]}, \"[12345678901234567890]\", null, "
          "[\"1234567890123456789012\"]]]" },
        { "SELECT '00000000-0000-0000-0000-000000000001'::uuid, '(1,x)'::text, ROW(1, 'x'), "
          "int4range(1, 5)",
          "[[\"00000000-0000-0000-0000-000000000001\", \"(1,x)\", \"(1,x)\", \"[1,5)\"]]" },
        { "VALUES ('größe 東京', E'a\\nb')", "[[\"größe 東京\", \"a\\nb\"]]" },
        { "SELECT 1 WHERE false", "[]" },
        { "TABLE pg_catalog.pg_language ORDER BY oid LIMIT 0", "[]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *rows = rows_of(cases[i][0], NULL, 100);
        if (cases[i][1])
            assert_string_equal(rows, cases[i][1]);
        else
            assert_non_null(strstr(rows, "{\"blob\": \"00ff\", \"bytes\": 2}, {\"blob\": \"\", "
                                         "\"bytes\": 0}, {\"blob\": \"6162"));
        base_free(rows);
    }
    char *rows = rows_of("SELECT $1, $2::int + 1, $3, $4, $5::text, $6::date - 1, $7 LIMIT $8",
                         "[\"x' OR 1\", 2, 2.5, true, null, \"2026-03-01\", 5000000000, 9]", 9);
    assert_string_equal(rows, "[[\"x' OR 1\", 3, 2.5, true, null, \"2026-02-28\", 5000000000]]");
    base_free(rows);
}

static void refused(struct agent_postgres *p, const char *sql, const char *message)
{
    json_t *v = NULL;
    int rc = agent_postgres_query(p, sql, strlen(sql), NULL, 10, &v);
    if (!rc || !strstr(base_error_message(), message))
        fail_msg("%s: %d %s", sql, rc, rc ? base_error_message() : "was answered");
}

static void statements_are_refused(void **state)
{
    (void)state;
    needs_server();
    do_sql("CREATE TABLE city(id int PRIMARY KEY, name text); INSERT INTO city VALUES (1, 'Ard'); "
           "CREATE SEQUENCE counter; "
           "CREATE FUNCTION trojan() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM "
           "pg_sleep(0); RETURN 1; END $$; "
           "CREATE VIEW harmless AS SELECT name AS n FROM city; "
           "CREATE VIEW hidden AS SELECT name, trojan() AS t FROM city; "
           "CREATE VIEW deeper AS SELECT * FROM hidden; "
           "CREATE OPERATOR +@ (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl); "
           "CREATE FUNCTION reads() RETURNS text LANGUAGE sql AS $$ SELECT "
           "pg_read_file('/etc/passwd') $$; "
           "CREATE FUNCTION before(int, int) RETURNS boolean LANGUAGE sql AS $$ SELECT $1 < $2 $$; "
           "CREATE OPERATOR <<< (LEFTARG = int, RIGHTARG = int, FUNCTION = before); CREATE "
           "OPERATOR CLASS odd FOR TYPE int USING btree AS OPERATOR 1 <<<, OPERATOR 3 = , FUNCTION "
           "1 btint4cmp(int, int); "
           "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int)");
    struct agent_postgres *p = connect_as(server.url, false);
    static const char *const cases[][2] = {
        { "SELECT 1; SELECT 2", "not allowed: more than one statement" },
        { "SELECT 1; COMMIT", "not allowed: more than one statement" },
        { "COMMIT", "not allowed: only SELECT is" },
        { "BEGIN", "not allowed: only SELECT is" },
        { "SET transaction_read_only = off", "not allowed: only SELECT is" },
        { "RESET ROLE", "not allowed: only SELECT is" },
        { "INSERT INTO city VALUES (2, 'x')", "not allowed: only SELECT is" },
        { "DELETE FROM city RETURNING id", "not allowed: only SELECT is" },
        { "WITH x AS (DELETE FROM city RETURNING id) SELECT * FROM x", "not allowed: " },
        { "SELECT * INTO other FROM city", "not allowed: only SELECT is" },
        { "CREATE TEMP TABLE x(a int)", "not allowed: only SELECT is" },
        { "DROP TABLE city", "not allowed: only SELECT is" },
        { "COPY city TO '/tmp/x'", "not allowed: only SELECT is" },
        { "COPY (SELECT 1) TO PROGRAM 'touch /tmp/x'", "not allowed: only SELECT is" },
        { "DO $$ BEGIN END $$", "not allowed: only SELECT is" },
        { "CALL x()", "procedure x() does not exist" },
        { "EXPLAIN ANALYZE SELECT 1", "not allowed: only SELECT is" },
        { "PREPARE x AS SELECT 1", "not allowed: only SELECT is" },
        { "LISTEN x", "not allowed: only SELECT is" },
        { "VACUUM", "not allowed: only SELECT is" },
        { "ALTER SYSTEM SET work_mem = '1GB'", "not allowed: only SELECT is" },
        { "SHOW data_directory", "not allowed: only SELECT is" },
        { "SELECT * FROM city FOR UPDATE", "not allowed: a lock on rows" },
        { "SELECT pg_read_file('/etc/passwd')", "not allowed: the function pg_read_file" },
        { "SELECT * FROM pg_ls_dir('/')", "not allowed: the function pg_ls_dir" },
        { "SELECT lo_import('/etc/passwd')", "not allowed: the function lo_import" },
        { "SELECT lo_export(1, '/tmp/x')", "not allowed: the function lo_export" },
        { "SELECT pg_sleep(100)", "not allowed: the function pg_sleep" },
        { "SELECT pg_advisory_lock(1)", "not allowed: the function pg_advisory_lock" },
        { "SELECT set_config('transaction_read_only', 'off', false)",
          "not allowed: the function set_config" },
        { "SELECT nextval('counter')", "not allowed: the function nextval" },
        { "SELECT pg_terminate_backend(1)", "not allowed: the function pg_terminate_backend" },
        { "SELECT pg_notify('a', 'b')", "not allowed: the function pg_notify" },
        { "SELECT query_to_xml('SELECT 1', true, true, '')",
          "not allowed: the function query_to_xml" },
        { "SELECT table_to_xml('hidden', true, true, '')",
          "not allowed: the function table_to_xml" },
        { "SELECT * FROM ts_stat('SELECT 1')", "not allowed: the function ts_stat" },
        { "SELECT current_setting('data_directory')", "not allowed: the function current_setting" },
        { "SELECT * FROM pg_settings", "not allowed: the function pg_show_all_settings" },
        { "SELECT * FROM pg_stat_activity", "not allowed: the function pg_stat_get_activity" },
        { "SELECT * FROM pg_authid", "not allowed: the system's pg_authid" },
        { "SELECT * FROM pg_shadow", "not allowed: the system's pg_shadow" },
        { "SELECT (SELECT max(rolpassword) FROM pg_authid)",
          "not allowed: the system's pg_authid" },
        { "SELECT * FROM pg_largeobject", "not allowed: the system's pg_largeobject" },
        { "SELECT trojan()", "not allowed: the function trojan()" },
        { "SELECT reads()", "not allowed: the function reads()" },
        { "SELECT total(id) FROM city", "not allowed: the function total(integer)" },
        { "SELECT n FROM harmless ORDER BY trojan()", "not allowed: the function trojan()" },
        { "SELECT name FROM deeper", "not allowed: the function trojan()" },
        { "SELECT 1 FROM city WHERE EXISTS (SELECT 1 FROM hidden)",
          "not allowed: the function trojan()" },
        { "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT trojan() FROM r) SELECT * FROM r",
          "not allowed: the function trojan()" },
        { "SELECT count(*) FILTER (WHERE trojan() > 0) OVER (ORDER BY 1) FROM city",
          "not allowed: the function trojan()" },
        { "SELECT * FROM city, LATERAL (SELECT trojan()) AS x",
          "not allowed: the function trojan" },
        { "VALUES (trojan())", "not allowed: the function trojan()" },
        { "SELECT 1 LIMIT trojan()", "not allowed: the function trojan()" },
        { "SELECT 1 AS \":funcid\"", "the statement cannot be checked" },
        { "", "no statement: expected a SELECT" },
        { "-- nothing", "no statement: expected a SELECT" },
        { "SELEC 1", "syntax error at or near \"SELEC\", at character 1 of the statement" },
        { "SELECT nam FROM city",
          "column \"nam\" does not exist, at character 8 of the statement: Perhaps you meant to "
          "reference the column \"city.name\"." },
        { "SELECT $1::int", "the statement has 1 parameter, 0 were given" },
        { "SELECT 1 / 0", "division by zero" },
        { "SELECT repeat('x', 1000001)", "one row has 1000007 bytes" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(p, cases[i][0], cases[i][1]);
    /* wherever a statement can hold an expression */
    static const char *const places[] = {
        "SELECT sum(id) OVER (ORDER BY id ROWS trojan() PRECEDING) FROM city",
        "SELECT id FROM city GROUP BY id HAVING trojan() > 0",
        "SELECT DISTINCT ON (trojan()) id FROM city",
        "SELECT id FROM city GROUP BY GROUPING SETS ((trojan()), (id))",
        "SELECT id FROM city OFFSET trojan()",
        "SELECT id FROM city FETCH FIRST (trojan()) ROWS ONLY",
        "SELECT * FROM city TABLESAMPLE SYSTEM (trojan())",
        "SELECT * FROM city TABLESAMPLE SYSTEM (1) REPEATABLE (trojan())",
        "SELECT * FROM ROWS FROM (trojan(), generate_series(1, 2)) WITH ORDINALITY",
        "SELECT * FROM city c JOIN city d ON trojan() = d.id",
        "SELECT (ARRAY[1, 2])[trojan()]",
        "SELECT ARRAY[1, trojan()]",
        "SELECT CASE trojan() WHEN 1 THEN 2 END",
        "SELECT CASE WHEN false THEN trojan() END",
        "SELECT coalesce(1, trojan())",
        "SELECT nullif(trojan(), 1)",
        "SELECT greatest(1, trojan())",
        "SELECT 1 IN (2, trojan())",
        "SELECT 1 = ANY (ARRAY[trojan()])",
        "SELECT (1, trojan()) < (2, 3)",
        "SELECT (1, 2) IN (SELECT id, trojan() FROM city)",
        "SELECT ROW(trojan())",
        "SELECT trojan() IS NULL",
        "SELECT trojan() BETWEEN 1 AND 2",
        "SELECT string_agg(name, ',' ORDER BY trojan()) FROM city",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY trojan()) FROM city",
        "SELECT xmlelement(name a, trojan())",
        ("SELECT * FROM xmltable('/a' PASSING xmlparse(content '<a/>') COLUMNS b int DEFAULT "
         "trojan())"),
        "SELECT EXISTS (SELECT trojan())",
        "SELECT ARRAY(SELECT trojan())",
        "SELECT 1 UNION SELECT trojan()",
        "WITH t AS NOT MATERIALIZED (SELECT trojan() AS a) SELECT 1 FROM t",
        "WITH t AS (SELECT trojan() AS a) SELECT 1",
        "SELECT current_date + trojan()",
        "SELECT '2026-01-01'::date + make_interval(days => trojan())",
        "SELECT concat(VARIADIC ARRAY[trojan()])",
        "SELECT jsonb_build_object('a', trojan()) -> 'a'",
        "SELECT extract(year FROM now() + trojan() * interval '1 day')",
        "SELECT name COLLATE \"C\" FROM city ORDER BY trojan() NULLS FIRST",
        "SELECT city.* FROM city, hidden",
        "SELECT (SELECT t FROM hidden LIMIT 1)",
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        refused(p, places[i], "not allowed: the function trojan()");
    refused(p, "SELECT id FROM city ORDER BY id USING OPERATOR(public.<<<)",
            "not allowed: the function before(integer,integer)");
    /* what an analyst asks, is answered */
    static const char *const answered[] = {
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'city'",
        "SELECT n FROM harmless",
        "SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class LIMIT 1",
        "SELECT rolname FROM pg_roles",
        "SELECT * FROM pg_stats LIMIT 1",
        "SELECT 1 +@ 2",
        "SELECT now() - interval '1 day', random(), gen_random_uuid(), version(), current_user",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id), array_agg(name ORDER BY id), "
        "corr(id, id), regr_slope(id, id), string_agg(name, ',') FROM city GROUP BY GROUPING SETS "
        "((), (id))",
        "SELECT rank() OVER (PARTITION BY name ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT "
        "ROW), lag(id) OVER w FROM city WINDOW w AS (ORDER BY id RANGE BETWEEN 1 PRECEDING AND 1 "
        "FOLLOWING)",
        "SELECT * FROM city TABLESAMPLE BERNOULLI (50) REPEATABLE (1)",
        "SELECT x.a FROM json_to_recordset('[{\"a\": 1}]') AS x(a int)",
        "SELECT regexp_matches(name, '(.)r', 'g'), to_tsvector(name) @@ to_tsquery('ard'), "
        "name ~* 'A', name LIKE 'A%', (id, name) < (2, 'x') FROM city",
        "SELECT extract(year FROM date_trunc('month', s)) FROM generate_series('2026-01-01'::date, "
        "'2026-03-01', '1 month') AS s",
        "SELECT id FROM city UNION SELECT 7 EXCEPT SELECT 8 ORDER BY 1",
        "SELECT xpath('/a/text()', '<a>1</a>'::xml)",
        "SELECT 1 AS \"a b(c) {d} \\ \"\" :x\", 2 AS \"{\"",
        "((SELECT 1))",
    };
    for (size_t i = 0; i < sizeof answered / sizeof *answered; i++) {
        json_t *v = NULL;
        if (agent_postgres_query(p, answered[i], strlen(answered[i]), NULL, 10, &v))
            fail_msg("%s: %s", answered[i], base_error_message());
        json_decref(v);
    }
    json_t *v = NULL;
    const char *endless = "SELECT i FROM generate_series(1, 1000000) AS i";
    assert_int_equal(agent_postgres_query(p, endless, strlen(endless), NULL, 1000, &v), 0);
    assert_int_equal(json_array_size(json_object_get(v, "rows")), 1000);
    assert_true(json_is_true(json_object_get(v, "more")));
    json_decref(v);
    agent_postgres_close(p);
    /* a domain whose constraint is more than a comparison */
    do_sql("CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100)");
    p = connect_as(server.url, false);
    const char *cast = "SELECT '42'::percent";
    assert_int_equal(agent_postgres_query(p, cast, strlen(cast), NULL, 10, &v), 0);
    json_decref(v);
    do_sql("CREATE DOMAIN evil AS int CHECK (trojan() = 1)");
    refused(p, "SELECT '42'::evil[]",
            "not allowed: the function trojan(), which checks the values of the domain evil");
    do_sql("DROP DOMAIN evil");
    agent_postgres_close(p);
    struct agent_postgres_options brief = { .statement_ms = 200 };
    assert_int_equal(agent_postgres_open(&p, server.url, &brief), 0);
    refused(p, "SELECT count(*) FROM generate_series(1, 1000000000000)",
            "the query was ended after 0.2 seconds");
    agent_postgres_close(p);
}

static void tables_and_pages(void **state)
{
    (void)state;
    needs_server();
    do_sql("CREATE SCHEMA lab; CREATE TABLE lab.\"Odd name\"(b numeric(10,2) NOT NULL, a text); "
           "INSERT INTO lab.\"Odd name\" SELECT i / 4.0, 'r' || i FROM generate_series(1, 25) i; "
           "CREATE TABLE keyed(k text, v int, PRIMARY KEY (k)); INSERT INTO keyed VALUES ('c', "
           "1), ('a', 2), ('b', 3); CREATE VIEW seen AS SELECT v, k FROM keyed WHERE v > 1; CREATE "
           "TABLE parts(d date) PARTITION BY RANGE (d); CREATE TABLE parts_1 PARTITION OF parts "
           "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); INSERT INTO parts VALUES "
           "('2026-05-05'); ANALYZE lab.\"Odd name\", keyed, parts_1");
    struct agent_postgres *p = connect_as(server.url, false);
    json_t *v = NULL;
    assert_int_equal(agent_postgres_tables(p, "keyed", &v), 0);
    char *text = base_json_dump(v, false);
    assert_string_equal(
        text, "{\"tables\": [{\"name\": \"keyed\", \"kind\": \"table\", \"columns\": [{\"name\": "
              "\"k\", \"type\": \"text\", \"not_null\": true, \"primary_key\": true}, {\"name\": "
              "\"v\", \"type\": \"integer\", \"not_null\": false, \"primary_key\": false}], "
              "\"rows\": 3}], \"more\": false}");
    base_free(text);
    json_decref(v);
    assert_int_equal(agent_postgres_tables(p, "lab.Odd name", &v), 0);
    const json_t *one = json_array_get(json_object_get(v, "tables"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "name")), "lab.\"Odd name\"");
    assert_int_equal(json_integer_value(json_object_get(one, "rows")), 25);
    json_decref(v);
    assert_int_equal(agent_postgres_tables(p, NULL, &v), 0);
    struct base_buffer names = { 0 };
    for (size_t i = 0; i < json_array_size(json_object_get(v, "tables")); i++) {
        one = json_array_get(json_object_get(v, "tables"), i);
        base_buffer_printf(&names, "%s %s;", json_string_value(json_object_get(one, "name")),
                           json_string_value(json_object_get(one, "kind")));
    }
    json_decref(v);
    assert_non_null(
        strstr(names.data, "keyed table;lab.\"Odd name\" table;parts table;seen view;"));
    base_buffer_free(&names);
    assert_int_equal(agent_postgres_tables(p, "x' --", &v), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(), "there is no table \"x' --\"");
    static const struct {
        const char *table;
        unsigned offset, most;
        const char *rows;
        bool more;
    } pages[] = {
        { "keyed", 0, 2, "[[\"a\", 2], [\"b\", 3]]", true },
        { "keyed", 2, 2, "[[\"c\", 1]]", false },
        { "keyed", 9, 2, "[]", false },
        { "seen", 0, 9, "[[2, \"a\"], [3, \"b\"]]", false },
        { "parts", 0, 9, "[[\"2026-05-05\"]]", false },
        { "lab.\"Odd name\"", 20, 3, "[[5.25, \"r21\"], [5.5, \"r22\"], [5.75, \"r23\"]]", true },
    };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (agent_postgres_rows(p, pages[i].table, pages[i].offset, pages[i].most, &v))
            fail_msg("%s: %s", pages[i].table, base_error_message());
        text = base_json_dump(json_object_get(v, "rows"), false);
        assert_string_equal(text, pages[i].rows);
        assert_int_equal(json_is_true(json_object_get(v, "more")), pages[i].more);
        base_free(text);
        json_decref(v);
    }
    assert_int_equal(agent_postgres_rows(p, "keyed; DROP TABLE keyed", 0, 1, &v), BASE_E_ARGUMENT);
    assert_int_equal(agent_postgres_rows(p, "pg_catalog.pg_authid", 0, 1, &v), BASE_E_ARGUMENT);
    agent_postgres_close(p);
}

static uint64_t stamp_of(struct agent_postgres *p, const char *table)
{
    uint64_t stamp = 0;
    if (agent_postgres_stamp(p, table, &stamp))
        fail_msg("%s: %s", table, base_error_message());
    return stamp;
}

static void stamps_follow_changes(void **state)
{
    (void)state;
    needs_server();
    do_sql("CREATE TABLE watched(a int); INSERT INTO watched VALUES (1), (2); CREATE VIEW watching "
           "AS SELECT a + 1 AS b FROM watched; CREATE VIEW twice AS SELECT b FROM watching; CREATE "
           "TABLE large AS SELECT i, repeat('x', 100) AS t FROM generate_series(1, 20000) AS i");
    struct agent_postgres *p = connect_as(server.url, false);
    static const char *const changes[] = {
        "INSERT INTO watched VALUES (3)",
        "UPDATE watched SET a = 5 WHERE a = 3",
        "DELETE FROM watched WHERE a = 5",
        "ALTER TABLE watched ADD c text",
    };
    uint64_t before = stamp_of(p, "watched"), other = stamp_of(p, "twice");
    assert_true(before == stamp_of(p, "watched"));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        do_sql(changes[i]);
        uint64_t after = stamp_of(p, "watched");
        assert_true(after != before);
        before = after;
        after = stamp_of(p, "twice"); /* the session has ended: its counters are told */
        for (int t = 0; after == other && t < 50; t++) {
            nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
            after = stamp_of(p, "twice");
        }
        assert_true(after != other);
        other = after;
    }
    nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
    before = stamp_of(p, "large");
    assert_true(before == stamp_of(p, "large"));
    do_sql("UPDATE large SET t = 'y' WHERE i = 7");
    uint64_t after = stamp_of(p, "large");
    for (int t = 0; after == before && t < 50; t++) {
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
        after = stamp_of(p, "large");
    }
    assert_true(after != before);
    assert_int_equal(agent_postgres_stamp(p, "absent", &after), BASE_E_ARGUMENT);
    agent_postgres_close(p);
}

static void passwords_stay_inside(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "postgresql://me:s3cr3t@/x?host=/nonexistent",
        "postgresql://me@/x?host=/nonexistent&password=s3cr3t",
        "postgresql://me:s3cr3t@host:notaport/x",
        "postgresql://me:s3cr3t@ho[st/x",
        "postgresql://me:s3cr3t@127.0.0.1:1/x",
        "postgresql://me:s3cr3t@/x?nokey=s3cr3t",
        "postgresql://me:s3cr3t%zz@/x",
    };
    struct agent_postgres *p;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        assert_true(agent_postgres_open(&p, addresses[i], NULL) < 0);
        assert_null(strstr(base_error_message(), "s3cr3t"));
        assert_null(strchr(base_error_message(), '\n'));
        char *name = agent_postgres_public(addresses[i]);
        assert_null(strstr(name, "s3cr3t"));
        base_free(name);
    }
    char *name =
        agent_postgres_public("postgresql://me:s3cr3t@db.example:5433/lab?sslmode=require");
    assert_string_equal(name, "postgresql://me@db.example:5433/lab");
    base_free(name);
}

/* ---- as tools ---- */

/* Calls through a gate without a policy, as a model would. */
static struct agent_result ask(const struct agent_builtin_options *options, const char *tool,
                               const char *arguments)
{
    struct agent_tools *tools = NULL;
    struct agent_gate *gate = NULL;
    struct agent_result r = { 0 };
    json_t *json = NULL;
    if (base_json_parse_wire(&json, arguments, strlen(arguments), 0, "t") ||
        agent_tools_make(&tools) || agent_tools_add_builtin(tools, options) ||
        agent_gate_make(&gate, tools, NULL))
        fail_msg("%s", base_error_message());
    const struct agent_call c = { .tool = tool, .arguments = json, .caller = "test" };
    assert_int_equal(agent_call_run(gate, &c, &r), 0);
    agent_gate_free(gate);
    agent_tools_free(tools);
    json_decref(json);
    return r;
}

static json_t *answer(const struct agent_builtin_options *options, const char *tool,
                      const char *arguments)
{
    struct agent_result r = ask(options, tool, arguments);
    if (r.outcome != AGENT_OK)
        fail_msg("%s %s: %s: %s", tool, arguments, agent_outcome_name(r.outcome),
                 r.message ? r.message : "");
    json_t *value = json_incref(r.value);
    agent_result_free(&r);
    return value;
}

static void failed(const struct agent_builtin_options *options, const char *tool,
                   const char *arguments, const char *message)
{
    struct agent_result r = ask(options, tool, arguments);
    if (r.outcome != AGENT_FAILED || !r.message || !strstr(r.message, message))
        fail_msg("%s: %s: %s", arguments, agent_outcome_name(r.outcome),
                 r.message ? r.message : "");
    agent_result_free(&r);
}

static void tools_answer(void **state)
{
    (void)state;
    needs_server();
    do_sql("CREATE TABLE price(id int PRIMARY KEY, eur numeric(8,2), what text); INSERT INTO price "
           "VALUES (1, 2.50, 'tea'), (2, 3.25, 'coffee')");
    const struct agent_builtin_options o = { .database = server.url };
    json_t *v = answer(&o, "query_sql",
                       "{\"sql\": \"SELECT eur, what FROM price WHERE eur > $1 ORDER BY id\", "
                       "\"parameters\": [1.5], \"limit\": 1}");
    char *text = base_json_dump(v, false);
    assert_string_equal(text, "{\"columns\": [{\"name\": \"eur\", \"type\": \"numeric(8,2)\"}, "
                              "{\"name\": \"what\", \"type\": \"text\"}], \"rows\": [[2.5, "
                              "\"tea\"]], \"more\": true}");
    base_free(text);
    json_decref(v);
    v = answer(&o, "describe_database", "{\"table\": \"price\"}");
    text = base_json_dump(json_array_get(json_object_get(v, "tables"), 0), false);
    assert_non_null(strstr(text, "{\"name\": \"eur\", \"type\": \"numeric(8,2)\", \"not_null\": "
                                 "false, \"primary_key\": false}"));
    base_free(text);
    json_decref(v);
    failed(&o, "query_sql", "{\"sql\": \"SELECT pg_read_file('/etc/passwd')\"}",
           "not allowed: the function pg_read_file(text)");
    failed(&o, "describe_database", "{\"table\": \"prices\"}", "there is no table \"prices\"");
    const struct agent_builtin_options nobody = {
        .database = "postgresql://me:s3cr3t@127.0.0.1:1/x?connect_timeout=2"
    };
    struct agent_result r = ask(&nobody, "query_sql", "{\"sql\": \"SELECT 1\"}");
    assert_int_equal(r.outcome, AGENT_FAILED);
    assert_non_null(strstr(r.message, "postgresql://me@127.0.0.1:1/x: cannot connect: "));
    assert_null(strstr(r.message, "s3cr3t"));
    agent_result_free(&r);
    /* nothing that is shown of a tool holds the password */
    struct agent_tools *tools = NULL;
    json_t *all = NULL;
    assert_int_equal(agent_tools_make(&tools), 0);
    assert_int_equal(agent_tools_add_builtin(tools, &nobody), 0);
    assert_int_equal(agent_tools_export(tools, AGENT_FORM_MCP, &all), 0);
    text = base_json_dump(all, false);
    assert_null(strstr(text, "s3cr3t"));
    assert_string_equal(agent_tools_find(tools, "query_sql")->needs.connect,
                        "postgresql://me@127.0.0.1:1/x");
    base_free(text);
    json_decref(all);
    agent_tools_free(tools);
}

/* A role that may read one table, whose row policy calls a function; and the trees of its
 * statements in the server's log, until it may keep them out. */
static void a_role_is_held_back(void **state)
{
    (void)state;
    needs_server();
    do_sql("CREATE FUNCTION mine(text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT $1 = "
           "current_user $$; CREATE TABLE notes(owner text, note text); INSERT INTO notes VALUES "
           "('reader', 'hello'), ('other', 'no'); CREATE TABLE open_notes(note text); INSERT INTO "
           "open_notes VALUES ('hi'); CREATE ROLE reader LOGIN; GRANT SELECT ON notes, open_notes "
           "TO reader; ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON notes "
           "USING (mine(owner))");
    char url[200], log[120], *text;
    size_t n;
    snprintf(url, sizeof url, "postgresql:///postgres?host=%s&user=reader", server.directory);
    const struct agent_builtin_options o = { .database = url };
    json_t *v = answer(&o, "query_sql", "{\"sql\": \"SELECT note AS marked_1 FROM open_notes\"}");
    assert_string_equal(
        json_string_value(json_array_get(json_array_get(json_object_get(v, "rows"), 0), 0)), "hi");
    json_decref(v);
    failed(&o, "query_sql", "{\"sql\": \"SELECT note FROM notes\"}",
           "not allowed: the function mine(text)");
    failed(&o, "query_sql", "{\"sql\": \"SELECT * FROM watched\"}",
           "permission denied for table watched");
    v = answer(&o, "describe_database", "{}");
    assert_int_equal(json_array_size(json_object_get(v, "tables")), 2);
    json_decref(v);
    do_sql("GRANT SET ON PARAMETER log_min_messages TO reader");
    v = answer(&o, "query_sql", "{\"sql\": \"SELECT note AS marked_2 FROM open_notes\"}");
    json_decref(v);
    snprintf(log, sizeof log, "%s/log", server.directory);
    assert_int_equal(base_file_read(log, 0, &text, &n), 0);
    assert_non_null(strstr(text, ":resname marked_1"));
    assert_null(strstr(text, ":resname marked_2"));
    base_free(text);
}

/* Passwords from PGPASSWORD, a file and the address; a wrong one is not told. */
static void a_password_is_asked(void **state)
{
    (void)state;
    needs_server();
    char path[120], url[200], open[240];
    snprintf(path, sizeof path, "%s/data/pg_hba.conf", server.directory);
    static const char rules[] = "local all locked scram-sha-256\nlocal all all trust\n";
    test_write_file(path, rules, sizeof rules - 1);
    do_sql("CREATE ROLE locked LOGIN PASSWORD 'open sesame'");
    do_sql("SELECT pg_reload_conf()");
    snprintf(url, sizeof url, "postgresql:///postgres?host=%s&user=locked", server.directory);
    const struct agent_builtin_options o = { .database = url }, known = { .database = open };
    const char *ask_it = "{\"sql\": \"SELECT current_user\"}";
    struct agent_result r;
    for (int i = 0;; i++) { /* until the rules are read */
        r = ask(&o, "query_sql", ask_it);
        if (r.outcome == AGENT_FAILED || i == 100)
            break;
        agent_result_free(&r);
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    }
    assert_non_null(strstr(r.message, "no password supplied"));
    agent_result_free(&r);
    setenv("PGPASSWORD", "open wide", 1);
    r = ask(&o, "query_sql", ask_it);
    assert_int_equal(r.outcome, AGENT_FAILED);
    assert_non_null(strstr(r.message, "password authentication failed for user \"locked\""));
    assert_null(strstr(r.message, "open wide"));
    agent_result_free(&r);
    setenv("PGPASSWORD", "open sesame", 1);
    json_decref(answer(&o, "query_sql", ask_it));
    unsetenv("PGPASSWORD");
    const char *file = test_temporary_path(".pgpass");
    static const char line[] = "*:*:*:locked:open sesame\n";
    test_write_file(file, line, sizeof line - 1);
    assert_int_equal(chmod(file, 0600), 0);
    setenv("PGPASSFILE", file, 1);
    json_decref(answer(&o, "query_sql", ask_it));
    unsetenv("PGPASSFILE");
    unlink(file);
    snprintf(open, sizeof open, "%s&password=open%%20sesame", url);
    json_t *v = answer(&known, "query_sql", "{\"sql\": \"SELECT 'open sesame' AS own\"}");
    json_decref(v);
    /* what the server repeats of it has it struck out */
    r = ask(&known, "query_sql", "{\"sql\": \"SELECT 'open sesame'::int\"}");
    assert_non_null(strstr(r.message, "invalid input syntax for type integer: \"***\""));
    agent_result_free(&r);
}

static const char records[] =
    "{\"id\": \"a1\", \"head\": \"Tea\", \"body\": \"green tea and black tea\"}\n"
    "{\"id\": \"b2\", \"head\": \"Coffee\", \"body\": \"coffee is no tea at all really\"}\n"
    "{\"id\": 3, \"head\": null, \"body\": \"water\\tor\\n\\\\ it's\"}\n"
    "{\"id\": \"d4\", \"head\": \"Milk\", \"body\": \"milk from oats\"}\n"
    "{\"id\": \"e5\", \"head\": \"Juice\", \"body\": \"juices from apples\"}\n";

static const json_t *at(const json_t *v, size_t i, const char *key)
{
    return json_object_get(json_array_get(json_object_get(v, "results"), i), key);
}

/* The score of one word: `weight` is 1 for an occurrence in the title, 1/4 in the text; n of N
 * passages hold it. */
static double score_of(double weight, double words, double n, double N)
{
    double f = 4 * weight / log(words + 1);
    return log(1 + (N - n + 0.5) / (n + 0.5)) * 2.2 * f / (f + 1.2);
}

static void documents_are_found(void **state)
{
    (void)state;
    needs_server();
    const char *file = test_temporary_path(".jsonl");
    char target[220];
    snprintf(target, sizeof target, "%s#library", server.url);
    test_write_file(file, records, sizeof records - 1);
    struct agent_index_report r;
    const struct agent_index_options english = {
        .field = "body", .title = "head", .id = "id", .tokenizer = "english"
    };
    struct agent_index_options words = english;
    words.tokenizer = NULL;
    if (agent_index_make(file, target, &words, &r))
        fail_msg("%s", base_error_message());
    assert_int_equal(r.documents, 5);
    assert_int_equal(r.passages, 5);
    json_decref(r.names);
    const struct agent_builtin_options o = { .documents = target };
    json_t *v = answer(&o, "search", "{\"query\": \"TEA\"}");
    assert_int_equal(json_array_size(json_object_get(v, "results")), 2);
    assert_string_equal(json_string_value(at(v, 0, "record")), "a1");
    assert_string_equal(json_string_value(at(v, 0, "title")), "Tea");
    assert_string_equal(json_string_value(at(v, 0, "snippet")), "green **tea** and black **tea**");
    assert_int_equal(json_integer_value(at(v, 0, "line")), 1);
    assert_int_equal(json_integer_value(at(v, 0, "offset")), 0);
    assert_true(fabs(json_real_value(at(v, 0, "score")) - score_of(1.5, 6, 2, 5)) < 1e-6);
    assert_string_equal(json_string_value(at(v, 1, "record")), "b2");
    assert_true(fabs(json_real_value(at(v, 1, "score")) - score_of(0.25, 8, 2, 5)) < 1e-6);
    json_decref(v);
    static const struct {
        const char *arguments, *records; /* in order */
        bool more;
    } cases[] = {
        { "{\"query\": \"coffee tea\"}", "b2 a1 ", false }, /* the rarer word counts more */
        { "{\"query\": \"coffee tea\", \"match\": \"all\"}", "b2 ", false },
        { "{\"query\": \"coffee tea\", \"limit\": 1}", "b2 ", true },
        { "{\"query\": \"coffee tea\", \"limit\": 1, \"offset\": 1}", "a1 ", false },
        { "{\"query\": \"\\\"tea and black\\\"\"}", "a1 ", false },
        { "{\"query\": \"\\\"black and tea\\\"\"}", "", false },
        { "{\"query\": \"wat*\"}", "3 ", false },
        { "{\"query\": \"juice\"}", "e5 ", false },
        { "{\"query\": \"apple\"}", "", false },
        { "{\"query\": \"milk & !oats | ( <-> ' \\\\\"}", "d4 ", false },
        { "{\"query\": \"it's* milk'x\\\\*\", \"match\": \"any\"}", "3 ", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        v = answer(&o, "search", cases[i].arguments);
        struct base_buffer found = { 0 };
        base_buffer_puts(&found, "");
        for (size_t k = 0; k < json_array_size(json_object_get(v, "results")); k++)
            base_buffer_printf(&found, "%s ", json_string_value(at(v, k, "record")));
        if (strcmp(found.data, cases[i].records) != 0)
            fail_msg("%s: %s", cases[i].arguments, found.data);
        assert_int_equal(json_is_true(json_object_get(v, "more")), cases[i].more);
        base_buffer_free(&found);
        json_decref(v);
    }
    v = answer(&o, "search", "{\"query\": \"water\", \"text\": true}");
    assert_string_equal(json_string_value(at(v, 0, "text")), "water\tor\n\\ it's");
    json_decref(v);
    failed(&o, "search", "{\"query\": \" ?! \"}", "the query holds no word to look for");
    /* again, with stems: the index is replaced */
    assert_int_equal(agent_index_make(file, target, &english, &r), 0);
    json_decref(r.names);
    v = answer(&o, "search", "{\"query\": \"apple juicing\"}");
    assert_int_equal(json_array_size(json_object_get(v, "results")), 1);
    json_decref(v);
    v = answer(&o, "search", "{\"query\": \"the and of\"}"); /* no word that counts */
    assert_int_equal(json_array_size(json_object_get(v, "results")), 0);
    json_decref(v);
    /* a failure leaves what was there, and another table is not touched */
    assert_int_equal(agent_index_make(file, target, NULL, &r), BASE_E_FORMAT);
    v = answer(&o, "search", "{\"query\": \"oats\"}");
    assert_int_equal(json_array_size(json_object_get(v, "results")), 1);
    json_decref(v);
    do_sql(
        "CREATE TABLE articles(id int PRIMARY KEY, title text, body text, price numeric); INSERT "
        "INTO articles VALUES (1, 'Snow', 'It snows in March.', 1), (2, NULL, 'Rain and snow, "
        "snow and rain', 2), (3, 'Sun', NULL, 3)");
    snprintf(target, sizeof target, "%s#articles", server.url);
    assert_int_equal(agent_index_make(file, target, &english, &r), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "did not make"));
    v = answer(&o, "search", "{\"query\": \"snow\"}"); /* all its columns of text */
    assert_int_equal(json_array_size(json_object_get(v, "results")), 2);
    assert_string_equal(json_string_value(at(v, 0, "path")), "articles");
    assert_string_equal(json_string_value(at(v, 0, "record")), "1");
    assert_string_equal(json_string_value(at(v, 0, "title")), "Snow");
    assert_string_equal(json_string_value(at(v, 1, "snippet")),
                        "Rain and **snow**, **snow** and rain");
    json_decref(v);
    snprintf(target, sizeof target, "%s#public.articles:body", server.url);
    v = answer(&o, "search", "{\"query\": \"sun snow\"}");
    assert_int_equal(json_array_size(json_object_get(v, "results")), 2);
    assert_string_equal(json_string_value(at(v, 0, "record")), "2");
    json_decref(v);
    snprintf(target, sizeof target, "%s#articles:body,head", server.url);
    failed(&o, "search", "{\"query\": \"x\"}", "articles has not all of the columns");
    snprintf(target, sizeof target, "%s#absent", server.url);
    failed(&o, "search", "{\"query\": \"x\"}", "there is no table \"absent\" to search in");
    snprintf(target, sizeof target, "%s#hidden", server.url);
    failed(&o, "search", "{\"query\": \"x\"}", "not allowed: the function trojan()");
    words.tokenizer = "trigram";
    assert_int_equal(agent_index_make(file, target, &words, &r), BASE_E_ARGUMENT);
    char *name = agent_index_public("postgresql://me:s3cr3t@db/lab#docs:a,b");
    assert_string_equal(name, "postgresql://me@db/lab#docs:a,b");
    base_free(name);
    unlink(file);
}

static void commands_work(void **state)
{
    (void)state;
    needs_server();
    char target[220];
    snprintf(target, sizeof target, "%s#weather", server.url);
    struct test_run r = test_assay(NULL, "tools", "index", "examples/weather.csv", "--field", "sky",
                                   "--title", "place", "-o", target, "--json", NULL);
    assert_int_equal(r.rc, 0);
    json_t *v = test_run_json(&r);
    assert_string_equal(json_string_value(json_object_get(v, "index")),
                        "postgresql://assay@/postgres#weather");
    assert_int_equal(json_integer_value(json_object_get(v, "passages")), 9);
    json_decref(v);
    test_run_free(&r);
    r = test_assay(NULL, "tools", "call", "search", "--documents", target, "--args",
                   "{\"query\": \"snow\", \"limit\": 1}", "--json", NULL);
    assert_int_equal(r.rc, 0);
    v = test_run_json(&r);
    assert_string_equal(json_string_value(at(json_object_get(v, "result"), 0, "path")),
                        "weather.csv");
    json_decref(v);
    test_run_free(&r);
    r = test_assay(NULL, "tools", "describe", "query_sql", "--database",
                   "postgresql://me:s3cr3t@db.example/lab", "--json", NULL);
    assert_int_equal(r.rc, 0);
    assert_null(strstr(r.out, "s3cr3t"));
    assert_non_null(strstr(r.out, "\"connect\": \"postgresql://me@db.example/lab\""));
    test_run_free(&r);
}

static void attacks_are_stopped(void **state)
{
    (void)state;
    needs_server();
    struct agent_redteam r = { .attacks = json_array() };
    if (agent_redteam_postgres(NULL, server.url, &r))
        fail_msg("%s", base_error_message());
    size_t i;
    json_t *one;
    json_array_foreach(r.attacks, i, one) if (!json_is_true(json_object_get(one, "stopped")))
        print_error("HARM %s: %s\n", json_string_value(json_object_get(one, "attack")),
                    json_string_value(json_object_get(one, "how")));
    assert_true(r.tried >= 60);
    assert_int_equal(r.stopped, r.tried);
    json_decref(r.attacks);
}

/* Trees that no server sends. */
static void broken_trees(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "({QUERY :commandType 1 :utilityStmt <>",
        "({FUNCEXPR :funcid 1})",
        "({QUERY :commandType 1 :utilityStmt <> :x {FUNCEXPR :funcid x}})",
        "({QUERY :commandType 1 :utilityStmt <> :x {FUNCEXPR :funcid})",
        "({QUERY :commandType 1 :utilityStmt <> :x {ROWCOMPAREEXPR :opnos 7}})",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct agent_pg_names names = { 0 };
        if (agent_pg_tree_read(bad[i], strlen(bad[i]), &names) == 0)
            fail_msg("%s", bad[i]);
        agent_pg_names_free(&names);
    }
    struct agent_pg_names names = { 0 };
    const char *good = "({QUERY :commandType 1 :utilityStmt <> :a {FUNCEXPR :funcid 12} :b "
                       "{ROWCOMPAREEXPR :opnos (o 97 98)} :relid 7 :resname \\{\\:funcid\\ 9 "
                       ":hasForUpdate true :c {OPEXPR :opno 5 :opfuncid 0}})";
    assert_int_equal(agent_pg_tree_read(good, strlen(good), &names), 0);
    assert_string_equal(names.functions.data, "{12");
    assert_string_equal(names.operators.data, "{97,98,5");
    assert_string_equal(names.relations.data, "{7");
    assert_true(names.locks);
    assert_false(names.no_select);
    agent_pg_names_free(&names);
    /* every allocation that fails is an error, and nothing stays behind */
    const struct agent_pg_type type = { .kind = AGENT_PG_ARRAY,
                                        .element = AGENT_PG_TEXT,
                                        .delimiter = ',' };
    const char *text = "{{a,\"b c\"},{NULL,\"\\\"\"}}";
    long live = base_alloc_live();
    int rc = -1;
    for (long n = 1; rc && n < 100; n++) {
        base_alloc_fail_after(n);
        rc = agent_pg_tree_read(good, strlen(good), &names);
        base_alloc_fail_after(0);
        agent_pg_names_free(&names);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(rc, 0);
    json_t *v = NULL;
    for (long n = 1; !v && n < 100; n++) {
        base_alloc_fail_after(n);
        v = agent_pg_value(&type, text, strlen(text));
        base_alloc_fail_after(0);
        if (!v)
            assert_int_equal(base_alloc_live(), live);
    }
    char *shown = base_json_dump(v, false);
    assert_string_equal(shown, "[[\"a\", \"b c\"], [null, \"\\\"\"]]");
    base_free(shown);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_stay_inside),  cmocka_unit_test(values_are_exact),
        cmocka_unit_test(statements_are_refused), cmocka_unit_test(tables_and_pages),
        cmocka_unit_test(stamps_follow_changes),  cmocka_unit_test(broken_trees),
        cmocka_unit_test(tools_answer),           cmocka_unit_test(a_role_is_held_back),
        cmocka_unit_test(a_password_is_asked),    cmocka_unit_test(documents_are_found),
        cmocka_unit_test(commands_work),          cmocka_unit_test(attacks_are_stopped),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
