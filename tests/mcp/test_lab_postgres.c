/* PostgreSQL as the laboratory offers it, on a private server: tables in and out of the search
 * path, rows in pages, stamps that follow changes, a store of runs, and a server that goes away. */
#include "agent/postgres_private.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "../eval/postgres_support.h"
#include "base/progress.h"
#include "lab_support.h"

static struct postgres_server server;
static bool there;
static char url[200];

static int start(void **state)
{
    (void)state;
    base_progress_quiet(true);
    there = postgres_start(&server);
    /* a password that must not be seen */
    snprintf(url, sizeof url, "postgresql://assay:hunter2@/postgres?host=%s", server.directory);
    return 0;
}
static int stop(void **state)
{
    (void)state;
    if (there)
        postgres_stop(&server);
    return 0;
}

static void do_sql(const char *sql)
{
    struct agent_postgres *p = NULL;
    for (int i = 0; agent_postgres_connect(&p, server.url, NULL, true); i++) {
        if (i == 100)
            fail_msg("%s", base_error_message());
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    }
    if (agent_postgres_do(p, sql))
        fail_msg("%s: %s", sql, base_error_message());
    agent_postgres_close(p);
}

static struct mcp_lab *open_lab(const char *store)
{
    const char *const databases[] = { url, NULL };
    const struct mcp_lab_options o = { .databases = databases, .store = store };
    struct mcp_lab *l;
    if (mcp_lab_open(&l, &o))
        fail_msg("%s", base_error_message());
    return l;
}

static void tables_are_offered(void **state)
{
    (void)state;
    if (!there)
        skip();
    do_sql("CREATE TABLE people(id serial PRIMARY KEY, name text, born date, tags text[])");
    do_sql("INSERT INTO people(name, born, tags) SELECT 'p' || i, DATE '2000-01-01' + i, "
           "ARRAY['a', 'b'] FROM generate_series(1, 250) i");
    do_sql("CREATE SCHEMA \"Odd one\"");
    do_sql("CREATE TABLE \"Odd one\".\"t\"\"x\"(a int)");
    struct mcp_lab *l = open_lab(NULL);
    const struct mcp_provider *p = mcp_lab_provider(l);
    json_t *list = json_array(), *o;
    assert_int_equal(p->resources(p->context, list), 0);
    const json_t *one = lab_find(list, "uri", "assay://tables/postgres/people");
    assert_non_null(one);
    char *text = json_dumps(list, 0);
    assert_null(strstr(text, "hunter2"));
    base_free(text);
    json_decref(list);

    o = lab_json(l, "assay://tables/postgres/people");
    lab_says(o, "system", "PostgreSQL");
    lab_says(o, "columns.2.type", "date");
    assert_true(json_is_true(lab_at(o, "columns.0.primary_key")));
    lab_says(o, "first.0.born", "2000-01-02");
    lab_says(o, "first.0.tags.1", "b");
    json_decref(o);
    char uri[120] = "assay://tables/postgres/people/rows/1-100";
    size_t rows = 0;
    while (*uri) {
        o = lab_json(l, uri);
        lab_counts(o, "rows.0.id", (double)rows + 1);
        rows += json_array_size(lab_at(o, "rows"));
        const char *next = json_string_value(lab_at(o, "next"));
        snprintf(uri, sizeof uri, "%s", next ? next : "");
        json_decref(o);
    }
    assert_int_equal(rows, 250);

    /* a name that SQL must quote, as the list tells it */
    o = lab_json(l, "assay://tables");
    one = lab_find(lab_at(o, "tables"), "name", "\"Odd one\".\"t\"\"x\"");
    assert_non_null(one);
    json_t *odd = lab_json(l, json_string_value(lab_at(one, "uri")));
    assert_int_equal(json_array_size(lab_at(odd, "first")), 0);
    json_decref(odd);
    json_decref(o);
    lab_refuses(l, "assay://tables/postgres/pg_catalog.pg_authid", MCP_NOT_MINE, "");
    lab_refuses(l, "assay://tables/postgres/people%3B%20DROP%20TABLE%20people", MCP_NOT_MINE, "");

    do_sql("CREATE TABLE fresh(a int)"); /* is found although the list was kept */
    nanosleep(&(struct timespec){ .tv_sec = 1, .tv_nsec = 50000000 }, NULL);
    o = lab_json(l, "assay://tables/postgres/fresh");
    assert_int_equal(json_array_size(lab_at(o, "first")), 0);
    json_decref(o);

    uint64_t stamp = lab_stamp(l, "assay://tables/postgres/people");
    assert_int_equal(stamp, lab_stamp(l, "assay://tables/postgres/people"));
    do_sql("UPDATE people SET name = 'changed' WHERE id = 7");
    assert_int_not_equal(stamp, lab_stamp(l, "assay://tables/postgres/people"));
    mcp_lab_close(l);
}

static void a_store_is_offered(void **state)
{
    (void)state;
    if (!there)
        skip();
    char folder[300], id[16], uri[100], *stored = NULL;
    snprintf(folder, sizeof folder, "%s", test_temporary_path(""));
    do_sql("CREATE DATABASE runs");
    char where[200];
    snprintf(where, sizeof where, "postgresql:///runs?host=%s&user=assay", server.directory);
    run_make(folder, 5, 30, id);
    if (eval_store_import(where, folder, &stored))
        fail_msg("%s", base_error_message());
    base_free(stored);
    run_remove(folder);
    struct mcp_lab *l = open_lab(where);
    json_t *o = lab_json(l, "assay://runs");
    lab_says(o, "runs.0.id", id);
    json_decref(o);
    snprintf(uri, sizeof uri, "assay://runs/%s/samples/sums/30-40", id);
    o = lab_json(l, uri);
    lab_says(o, "samples.0.doc.question", "29 + 1 =");
    json_decref(o);
    const char *mime;
    snprintf(uri, sizeof uri, "assay://runs/%s/report", id);
    assert_non_null(strstr(lab_text(l, uri, &mime), "model-5"));
    assert_string_equal(mime, "text/html");
    mcp_lab_close(l);
}

static void a_server_that_is_gone_is_told(void **state)
{
    (void)state;
    if (!there)
        skip();
    struct mcp_lab *l = open_lab(NULL);
    const struct mcp_provider *p = mcp_lab_provider(l);
    lab_stamp(l, "assay://tables");
    mcp_lab_close(l);
    postgres_stop(&server);
    there = false;
    l = open_lab(NULL);
    p = mcp_lab_provider(l);
    json_t *list = json_array(), *o;
    assert_int_equal(p->resources(p->context, list), 0);
    assert_non_null(lab_find(list, "uri", "assay://data/survey"));
    json_decref(list);
    o = lab_json(l, "assay://tables");
    lab_says(o, "unreadable.0.database", "postgres");
    assert_null(strstr(json_string_value(lab_at(o, "unreadable.0.why")), "hunter2"));
    json_decref(o);
    lab_refuses(l, "assay://tables/postgres/people", BASE_E_IO, "postgres");
    assert_null(strstr(base_error_message(), "hunter2"));
    mcp_lab_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_offered),
        cmocka_unit_test(a_store_is_offered),
        cmocka_unit_test(a_server_that_is_gone_is_told),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
