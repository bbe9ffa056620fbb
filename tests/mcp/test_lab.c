/* The laboratory's resources: what stands in them, addresses that lead nowhere, what is refused,
 * and stamps that change when the thing does. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lab_support.h"
#include "base/progress.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <time.h>

/* ---- addresses ---- */

static void addresses_match_templates(void **state)
{
    (void)state;
    static const struct {
        const char *template, *uri;
        int found;
        const char *values[2];
    } cases[] = {
        { "assay://data", "assay://data", 1, { NULL } },
        { "assay://data", "assay://data/", 0, { NULL } },
        { "assay://data", "ASSAY://data", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a", 1, { "a" } },
        { "assay://data/{name}", "assay://data/", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a/b", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a%2Fb", 1, { "a/b" } },
        { "assay://data/{name}", "assay://data/a%2fb", 1, { "a/b" } },
        { "assay://data/{name}", "assay://data/%E2%82%AC", 1, { "€" } },
        { "assay://data/{name}", "assay://data/a(b)*'!", 1, { "a(b)*'!" } },
        { "assay://data/{name}", "assay://data/a+b@c:d", 1, { "a+b@c:d" } },
        { "assay://data/{name}", "assay://data/a b", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a?b", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a#b", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a%", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a%2", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a%2G", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a%00b", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a%0Ab", 0, { NULL } },
        { "assay://data/{name}", "assay://data/a%7f", 0, { NULL } },
        { "assay://data/{name}", "assay://data/%C0%AF", 0, { NULL } },
        { "assay://data/{name}", "assay://data/%FF", 0, { NULL } },
        { "assay://data/{name}", "assay://data/\xe2\x82\xac", 0, { NULL } },
        { "x/{from}-{to}", "x/1-20", 1, { "1", "20" } },
        { "x/{from}-{to}", "x/1-20-3", 1, { "1", "20-3" } },
        { "x/{from}-{to}", "x/1-", 0, { NULL } },
        { "x/{from}-{to}", "x/-1", 0, { NULL } },
        { "x/{a}/y/{b}", "x/1/y/2", 1, { "1", "2" } },
        { "x/{a}/y/{b}", "x/1/z/2", 0, { NULL } },
        { "x/{a}/y", "x/1/y/", 0, { NULL } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lab_values v;
        int rc = mcp_lab_match(cases[i].template, cases[i].uri, &v);
        if (rc != cases[i].found)
            fail_msg("%s: %s gives %d", cases[i].template, cases[i].uri, rc);
        for (size_t k = 0; k < 2 && cases[i].values[k]; k++)
            assert_string_equal(v.value[k], cases[i].values[k]);
        mcp_lab_values_free(&v);
    }
    char *uri = mcp_lab_uri("assay://tables/{database}/{table}", "a b.db", "x/\"€%~");
    assert_string_equal(uri, "assay://tables/a%20b.db/x%2F%22%E2%82%AC%25~");
    struct lab_values v;
    assert_int_equal(mcp_lab_match("assay://tables/{database}/{table}", uri, &v), 1);
    assert_string_equal(mcp_lab_value(&v, "table"), "x/\"€%~");
    assert_null(mcp_lab_value(&v, "name"));
    mcp_lab_values_free(&v);
    base_free(uri);
    char *huge = calloc(1, LAB_URI_BYTES + 20);
    memset(strcpy(huge, "assay://data/") + 13, 'a', LAB_URI_BYTES);
    assert_int_equal(mcp_lab_match("assay://data/{name}", huge, &v), 0);
    free(huge);
}

/* ---- data sets ---- */

static void data_sets_are_listed(void **state)
{
    (void)state;
    struct mcp_lab *l = lab_open(NULL);
    const struct mcp_provider *p = mcp_lab_provider(l);
    json_t *list = json_array(), *again = json_array(), *templates = json_array();
    assert_int_equal(p->resources(p->context, list), 0);
    assert_int_equal(p->resources(p->context, again), 0);
    assert_true(json_equal(list, again));
    assert_non_null(lab_find(list, "uri", "assay://data"));
    assert_non_null(lab_find(list, "uri", "assay://data/survey"));
    const json_t *text = lab_find(list, "uri", "assay://data/people.csv/text");
    lab_counts(text, "size", sizeof LAB_PEOPLE - 1);
    lab_says(text, "mimeType", "text/csv");
    assert_int_equal(strlen(json_string_value(lab_at(text, "annotations.lastModified"))), 20);
    assert_non_null(lab_find(list, "uri", "assay://data/deep%2Fer%2Fmy%20file.jsonl"));
    assert_non_null(lab_find(list, "uri", "assay://data/copy.csv.gz"));
    assert_null(lab_find(list, "uri", "assay://data/copy.csv.gz/text"));
    /* no links, nothing hidden, nothing that is no table */
    static const char *const never[] = { "leak.csv", "inside.csv", "up", ".secret.csv",
                                         "notes.txt" };
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_null(lab_find(list, "name", never[i]));
    assert_null(lab_find(list, "name", ".hidden/inner.csv"));
    assert_non_null(lab_find(list, "uri", "assay://tables/shop.sqlite/or%22ders"));
    lab_says(lab_find(list, "uri", "assay://tables/shop.sqlite/cheap"), "title",
             "cheap in shop.sqlite");
    /* every concrete resource can be read, but those made to fail */
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        const char *uri = json_string_value(json_object_get(one, "uri"));
        const char *mime = json_string_value(json_object_get(one, "mimeType"));
        if (strstr(uri, "ragged") || strstr(uri, "latin") || strstr(uri, "broken"))
            continue;
        const char *type;
        assert_true(*lab_text(l, uri, &type));
        assert_string_equal(type, mime);
        assert_int_not_equal(lab_stamp(l, uri), 0);
    }
    assert_int_equal(p->templates(p->context, templates), 0);
    assert_int_equal(json_array_size(templates), 10);
    lab_says(lab_find(templates, "name", "data-set-rows"), "uriTemplate",
             "assay://data/{name}/rows/{from}-{to}");
    json_decref(list);
    json_decref(again);
    json_decref(templates);
    /* what no address can name is not listed */
    char path[512];
    lab_file("line\nbreak.csv", "a\n1\n");
    lab_sql(lab_ground.shop, "CREATE TABLE \"\"(a); CREATE TABLE \"line\nbreak\"(a)");
    list = json_array();
    assert_int_equal(p->resources(p->context, list), 0);
    char *shown = json_dumps(list, 0);
    assert_null(strstr(shown, "%0A"));
    assert_null(strstr(shown, "shop.sqlite/\""));
    base_free(shown);
    json_decref(list);
    lab_sql(lab_ground.shop, "DROP TABLE \"\"; DROP TABLE \"line\nbreak\"");
    snprintf(path, sizeof path, "%s/line\nbreak.csv", lab_ground.data);
    unlink(path);
    mcp_lab_close(l);
}

static void a_data_set_says_what_it_holds(void **state)
{
    (void)state;
    struct mcp_lab *l = lab_open(NULL);
    json_t *o = lab_json(l, "assay://data/people.csv");
    lab_counts(o, "rows", 5);
    lab_counts(o, "bytes", sizeof LAB_PEOPLE - 1);
    lab_says(o, "columns.0.name", "name");
    lab_says(o, "columns.1.name", "age");
    lab_says(o, "columns.1.type", "integer");
    lab_counts(o, "columns.1.missing", 1);
    lab_counts(o, "columns.1.mean", 39);
    lab_counts(o, "columns.2.distinct", 2);
    lab_says(o, "first.1.name", "Bo, Jr");
    lab_says(o, "first.1.age", "");
    json_decref(o);

    o = lab_json(l, "assay://data/survey");
    lab_counts(o, "rows", 2000);
    assert_int_equal(json_array_size(lab_at(o, "first")), LAB_FIRST);
    lab_says(o, "findings.0.column", "age");
    lab_says(o, "about", "a made-up population: 2,000 employees of 96 companies in four regions");
    json_decref(o);

    o = lab_json(l, "assay://data/people.csv/columns/age");
    lab_counts(o, "column.max", 52);
    json_decref(o);
    lab_refuses(l, "assay://data/people.csv/columns/nope", MCP_NOT_MINE, "");

    o = lab_json(l, "assay://data");
    const json_t *entry = lab_find(lab_at(o, "data"), "name", "deep/er/my file.jsonl");
    lab_says(entry, "format", "jsonl");
    assert_false(json_is_true(lab_at(o, "more")));
    json_decref(o);
    mcp_lab_close(l);
}

static void rows_come_in_pages(void **state)
{
    (void)state;
    struct mcp_lab *l = lab_open(NULL);
    json_t *o = lab_json(l, "assay://data/people.csv/rows/2-3");
    lab_counts(o, "from", 2);
    lab_counts(o, "to", 3);
    lab_says(o, "rows.0.name", "Bo, Jr");
    lab_says(o, "rows.1.age", "45");
    lab_says(o, "next", "assay://data/people.csv/rows/4-5");
    json_decref(o);
    o = lab_json(l, "assay://data/people.csv/rows/4-5");
    lab_says(o, "rows.1.name", "Eve");
    assert_true(json_is_null(lab_at(o, "next")));
    json_decref(o);
    o = lab_json(l, "assay://data/people.csv/rows/6-9"); /* behind the end */
    assert_int_equal(json_array_size(lab_at(o, "rows")), 0);
    assert_true(json_is_null(lab_at(o, "next")));
    json_decref(o);
    o = lab_json(l, "assay://data/copy.csv.gz/rows/5-5");
    lab_says(o, "rows.0.name", "Eve");
    json_decref(o);
    o = lab_json(l, "assay://data/tabs.tsv/rows/1-5");
    lab_says(o, "rows.0.b", "\"");
    json_decref(o);
    o = lab_json(l, "assay://data/list.json/rows/2-3"); /* JSON keeps its types */
    lab_counts(o, "rows.0.a", 2.5);
    assert_true(json_is_null(lab_at(o, "rows.1.a")));
    json_decref(o);
    o = lab_json(l, "assay://data/deep%2Fer%2Fmy%20file.jsonl/rows/1-1");
    lab_says(o, "rows.0.tags.0", "x");
    lab_says(o, "next", "assay://data/deep%2Fer%2Fmy%20file.jsonl/rows/2-2");
    json_decref(o);

    /* following `next` reads every row once */
    char uri[200] = "assay://data/survey/rows/1-300";
    size_t rows = 0, pages = 0;
    while (*uri) {
        o = lab_json(l, uri);
        lab_counts(o, "from", (double)rows + 1);
        rows += json_array_size(lab_at(o, "rows"));
        pages++;
        const char *next = json_string_value(lab_at(o, "next"));
        snprintf(uri, sizeof uri, "%s", next ? next : "");
        json_decref(o);
    }
    assert_int_equal(rows, 2000);
    assert_int_equal(pages, 7);

    const char *mime;
    assert_string_equal(lab_text(l, "assay://data/people.csv/text", &mime), LAB_PEOPLE);
    assert_string_equal(mime, "text/csv");
    assert_string_equal(lab_text(l, "assay://data/copy.csv.gz/bytes/6-13", NULL), "age,city");
    assert_string_equal(lab_text(l, "assay://data/people.csv/bytes/4000-4001", NULL), "");

    lab_refuses(l, "assay://data/people.csv/rows/3-2", BASE_E_ARGUMENT, "expected FROM-TO");
    lab_refuses(l, "assay://data/people.csv/rows/1-1001", BASE_E_ARGUMENT, "at most 1000");
    lab_refuses(l, "assay://data/people.csv/rows/0-1", BASE_E_ARGUMENT, "from");
    lab_refuses(l, "assay://data/people.csv/rows/1-x", BASE_E_ARGUMENT, "to");
    lab_refuses(l, "assay://data/people.csv/rows/1-99999999999999999999", BASE_E_ARGUMENT, "to");
    mcp_lab_close(l);
}

static void hostile_addresses_lead_nowhere(void **state)
{
    (void)state;
    struct mcp_lab *l = lab_open(NULL);
    const struct mcp_provider *p = mcp_lab_provider(l);
    static const char *const uris[] = {
        "",
        "assay://",
        "assay:/data",
        "assay://data/",
        "assay://data//people.csv",
        "assay://data/..%2Foutside.csv",
        "assay://data/deep%2F..%2F..%2Foutside.csv",
        "assay://data/up%2Foutside.csv",
        "assay://data/leak.csv",
        "assay://data/%2Fetc%2Fpasswd",
        "assay://data/%2Fetc%2Fhosts.csv",
        "assay://data/.secret.csv",
        "assay://data/.hidden%2Finner.csv",
        "assay://data/deep%2F%2Fer%2Fmy%20file.jsonl",
        "assay://data/notes.txt",
        "assay://data/deep",
        "assay://data/people.csv%00.csv",
        "assay://data/people.csv/../people.csv",
        "assay://data/builtin%3Asurvey",
        "assay://data/builtin:survey.csv",
        "assay://data/builtin%3Asurvey.csv",
        "assay://data/-",
        "assay://data/nothing.csv/rows/1-2",
        "assay://data/nothing.csv/text",
        "assay://data/people.csv?x=1",
        "assay://data/people.csv#x",
        "assay://tables/shop.sqlite/nothing",
        "assay://tables/shop.sqlite/sqlite_master",
        "assay://tables/shop.sqlite/or%22ders%22%3B%20DROP%20TABLE%20empty%3B--",
        "assay://tables/other.sqlite/empty",
        "assay://tables/..%2Fshop.sqlite/empty",
        "assay://tables/shop.sqlite/empty/rows/",
        "assay://endpoints/none",
        "assay://runs/nothing",
        "assay://runs/..%2F..%2Fetc/report",
        "assay://runs/%27%20OR%201%3D1",
        "file:///etc/passwd",
        "http://127.0.0.1/",
    };
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        uint64_t stamp;
        lab_refuses(l, uris[i], MCP_NOT_MINE, "");
        assert_int_equal(p->stamp(p->context, uris[i], &stamp), MCP_NOT_MINE);
    }
    /* a link that stays inside is as good as what it leads to */
    assert_string_equal(lab_text(l, "assay://data/inside.csv/text", NULL), LAB_PEOPLE);
    mcp_lab_close(l);
    /* without ground there are only the built-in data sets */
    const struct mcp_lab_options none = { 0 };
    assert_int_equal(mcp_lab_open(&l, &none), 0);
    lab_refuses(l, "assay://data/people.csv", MCP_NOT_MINE, "");
    lab_refuses(l, "assay://runs", MCP_NOT_MINE, "");
    lab_refuses(l, "assay://tables", MCP_NOT_MINE, "");
    json_t *o = lab_json(l, "assay://data/weather/rows/1-1");
    assert_int_equal(json_array_size(lab_at(o, "rows")), 1);
    json_decref(o);
    mcp_lab_close(l);
}

static void broken_files_are_one_line(void **state)
{
    (void)state;
    struct mcp_lab *l = lab_open(NULL);
    lab_refuses(l, "assay://data/ragged.csv", BASE_E_FORMAT, "ragged.csv:3:");
    lab_refuses(l, "assay://data/ragged.csv/rows/1-5", BASE_E_FORMAT, "ragged.csv:3:");
    lab_refuses(l, "assay://data/latin.csv/rows/1-5", BASE_E_FORMAT, "latin.csv:2:");
    assert_string_equal(lab_text(l, "assay://data/latin.csv/text", NULL), "a\nfa\xef\xbf\xbd"
                                                                          "ade\n");
    lab_refuses(l, "assay://tables/shop.sqlite/broken", BASE_E_ARGUMENT, "nowhere");

    /* too large for one page, but not for parts */
    char *wide = base_alloc((size_t)3 << 20, 1);
    size_t n = (size_t)sprintf(wide, "a\n");
    memset(wide + n, 'x', (2 << 20) - n - 1);
    strcpy(wide + (2 << 20) - 1, "\nend\n");
    lab_file("wide.csv", wide);
    base_free(wide);
    lab_refuses(l, "assay://data/wide.csv/rows/1-2", BASE_E_LIMIT, "one row has");
    lab_refuses(l, "assay://data/wide.csv/text", BASE_E_LIMIT, "bytes/1-");
    json_t *o = lab_json(l, "assay://data/wide.csv/rows/2-2");
    lab_says(o, "rows.0.a", "end");
    json_decref(o);
    assert_int_equal(strlen(lab_text(l, "assay://data/wide.csv/bytes/1-1000000", NULL)), 1000000);
    o = lab_json(l, "assay://data/wide.csv");
    assert_true(json_string_length(lab_at(o, "first.0.a")) < 400);
    assert_string_equal(json_string_value(lab_at(o, "first.1.a")), "end");
    json_decref(o);
    char path[400];
    snprintf(path, sizeof path, "%s/wide.csv", lab_ground.data);
    unlink(path);
    mcp_lab_close(l);
}

static void stamps_follow_changes(void **state)
{
    (void)state;
    struct mcp_lab *l = lab_open(NULL);
    lab_file("changing.csv", "a\n1\n");
    uint64_t one = lab_stamp(l, "assay://data/changing.csv");
    uint64_t index = lab_stamp(l, "assay://data");
    uint64_t rows = lab_stamp(l, "assay://data/changing.csv/rows/1-2");
    assert_int_equal(one, lab_stamp(l, "assay://data/changing.csv"));
    assert_int_equal(one, rows);
    lab_file("changing.csv", "a\n1\n2\n");
    assert_int_not_equal(one, lab_stamp(l, "assay://data/changing.csv"));
    assert_int_not_equal(index, lab_stamp(l, "assay://data"));
    char path[400];
    snprintf(path, sizeof path, "%s/changing.csv", lab_ground.data);
    unlink(path);
    uint64_t stamp;
    const struct mcp_provider *p = mcp_lab_provider(l);
    assert_int_equal(p->stamp(p->context, "assay://data/changing.csv", &stamp), MCP_NOT_MINE);
    assert_int_equal(lab_stamp(l, "assay://data/survey"), lab_stamp(l, "assay://data/survey"));

    uint64_t table = lab_stamp(l, "assay://tables/shop.sqlite/empty");
    uint64_t tables = lab_stamp(l, "assay://tables");
    assert_int_equal(table, lab_stamp(l, "assay://tables/shop.sqlite/empty"));
    lab_sql(lab_ground.shop, "INSERT INTO empty VALUES (7)");
    assert_int_not_equal(table, lab_stamp(l, "assay://tables/shop.sqlite/empty"));
    assert_int_equal(tables, lab_stamp(l, "assay://tables"));
    lab_sql(lab_ground.shop, "CREATE TABLE fresh(b)");
    assert_int_not_equal(tables, lab_stamp(l, "assay://tables"));
    json_t *o = lab_json(l, "assay://tables/shop.sqlite/fresh");
    lab_counts(o, "rows", 0);
    json_decref(o);
    lab_sql(lab_ground.shop, "DROP TABLE fresh; DELETE FROM empty");

    uint64_t runs = lab_stamp(l, "assay://runs");
    char id[16], uri[100];
    snprintf(uri, sizeof uri, "assay://runs/%s", lab_ground.run[0]);
    uint64_t run = lab_stamp(l, uri);
    lab_run(3, 20, id);
    assert_int_not_equal(runs, lab_stamp(l, "assay://runs"));
    assert_int_equal(run, lab_stamp(l, uri));
    mcp_lab_close(l);
}

/* ---- tables ---- */

static void tables_are_read(void **state)
{
    (void)state;
    struct mcp_lab *l = lab_open(NULL);
    json_t *o = lab_json(l, "assay://tables");
    assert_non_null(lab_find(lab_at(o, "tables"), "name", "or\"ders"));
    lab_says(lab_find(lab_at(o, "tables"), "name", "cheap"), "kind", "view");
    assert_int_equal(json_array_size(lab_at(o, "unreadable")), 0);
    json_decref(o);
    o = lab_json(l, "assay://tables/shop.sqlite/or%22ders");
    lab_counts(o, "rows", 3);
    lab_says(o, "columns.2.type", "REAL");
    lab_says(o, "first.0.what", "tea");
    lab_says(o, "first.0.seal.blob", "00ff");
    assert_true(json_is_null(lab_at(o, "first.1.price")));
    json_decref(o);
    o = lab_json(l, "assay://tables/shop.sqlite/or%22ders/rows/2-2");
    lab_counts(o, "rows.0.id", 2);
    lab_says(o, "next", "assay://tables/shop.sqlite/or%22ders/rows/3-3");
    json_decref(o);
    o = lab_json(l, "assay://tables/shop.sqlite/or%22ders/rows/3-9");
    lab_says(o, "rows.0.what", "bread");
    assert_true(json_is_null(lab_at(o, "next")));
    json_decref(o);
    o = lab_json(l, "assay://tables/shop.sqlite/cheap/rows/1-10");
    assert_int_equal(json_array_size(lab_at(o, "rows")), 1);
    lab_says(o, "rows.0.thing", "tea");
    json_decref(o);
    mcp_lab_close(l);
    /* two files of one name; a file that goes, and one that is none */
    char other[400], third[400];
    snprintf(other, sizeof other, "%s/deep/shop.sqlite", lab_ground.data);
    snprintf(third, sizeof third, "%s/people.csv", lab_ground.data);
    lab_sql(other, "CREATE TABLE here(a)");
    const char *const databases[] = { lab_ground.shop, other, third, NULL };
    const struct mcp_lab_options two = { .databases = databases };
    assert_int_equal(mcp_lab_open(&l, &two), 0);
    o = lab_json(l, "assay://tables/shop.sqlite-2/here");
    lab_says(o, "columns.0.name", "a");
    json_decref(o);
    unlink(other);
    o = lab_json(l, "assay://tables");
    lab_says(o, "unreadable.0.database", "shop.sqlite-2");
    lab_says(o, "unreadable.1.database", "people.csv");
    assert_non_null(lab_find(lab_at(o, "tables"), "name", "empty"));
    json_decref(o);
    json_t *list = json_array();
    const struct mcp_provider *p = mcp_lab_provider(l);
    assert_int_equal(p->resources(p->context, list), 0);
    assert_non_null(lab_find(list, "uri", "assay://tables/shop.sqlite/empty"));
    json_decref(list);
    mcp_lab_close(l);
    const char *const missing[] = { "/nowhere.sqlite", NULL };
    const struct mcp_lab_options no = { .databases = missing };
    assert_int_equal(mcp_lab_open(&l, &no), BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "/nowhere.sqlite"));
}

/* ---- endpoints ---- */

static struct {
    struct MHD_Daemon *daemon;
    char url[64];
    unsigned asked;
    char key[80];
    const char *array; /* what /array gives */
} rest;

static enum MHD_Result serve(void *context, struct MHD_Connection *c, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *bytes, void **own)
{
    (void)context, (void)method, (void)version, (void)data, (void)bytes, (void)own;
    static const struct {
        const char *path, *type, *body;
        unsigned status;
    } answers[] = {
        { "/object", "application/json", "{\"page\": 1, \"items\": [{\"a\": 1}, {\"a\": 2}]}",
          200 },
        { "/single", "application/json; charset=utf-8", "{\"a\": {\"b\": 2}}", 200 },
        { "/two", "application/json", "{\"x\": [{}], \"y\": [{}]}", 200 },
        { "/mixed", "application/json", "[{\"a\": 1}, 2]", 200 },
        { "/scalar", "application/json", "17", 200 },
        { "/broken", "application/json", "[{\"a\": 1}, ", 200 },
        { "/csv", "text/csv", "a,b\n1,x\n2,\"y, z\"\n", 200 },
        { "/ragged", "text/csv", "a,b\n1\n", 200 },
        { "/page", "text/html", "<p>hello</p>", 200 },
        { "/gone", "application/json", "[]", 404 },
        { "/moved", "application/json", "[]", 302 },
        { "/empty", "application/json", "[]", 200 },
    };
    const char *body = NULL, *type = NULL;
    unsigned status = 404;
    rest.asked++;
    const char *key = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
    snprintf(rest.key, sizeof rest.key, "%s", key ? key : "");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (strcmp(url, answers[i].path) == 0) {
            body = answers[i].body;
            type = answers[i].type;
            status = answers[i].status;
        }
    char *large = NULL;
    if (strcmp(url, "/array") == 0) {
        body = rest.array;
        type = "application/json";
        status = 200;
    } else if (strcmp(url, "/large") == 0) {
        body = large = calloc(1, (9 << 20) + 1);
        memset(large, ' ', 9 << 20);
        type = "application/json";
        status = 200;
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(
        body ? strlen(body) : 0, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    free(large);
    if (type)
        MHD_add_response_header(r, "Content-Type", type);
    if (status == 302)
        MHD_add_response_header(r, "Location", "/array");
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

static void endpoints_are_read(void **state)
{
    (void)state;
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    rest.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, serve, NULL,
                                   MHD_OPTION_SOCK_ADDR, &here, MHD_OPTION_END);
    assert_non_null(rest.daemon);
    snprintf(rest.url, sizeof rest.url, "http://127.0.0.1:%u",
             (unsigned)MHD_get_daemon_info(rest.daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    static const char *const names[] = { "array",  "object", "single", "two",    "mixed",
                                         "scalar", "broken", "csv",    "ragged", "page",
                                         "gone",   "moved",  "empty",  "large" };
    enum { N = sizeof names / sizeof *names };
    char given[N][200];
    const char *endpoints[N + 1] = { NULL };
    for (size_t i = 0; i < N; i++) {
        snprintf(given[i], sizeof given[i], "%s=%s/%s?secret=hunter2", names[i], rest.url,
                 names[i]);
        endpoints[i] = given[i];
    }
    rest.array = "[{\"id\": 1, \"name\": \"x\"}, {\"id\": 2, \"name\": null}, {\"id\": 3}]";
    setenv("ASSAY_ENDPOINT_ARRAY_TOKEN", "k-123", 1);
    struct mcp_lab *l = lab_open(endpoints);
    unsetenv("ASSAY_ENDPOINT_ARRAY_TOKEN");
    const struct mcp_provider *p = mcp_lab_provider(l);
    json_t *list = json_array();
    assert_int_equal(p->resources(p->context, list), 0);
    assert_int_equal(rest.asked, 0); /* a list costs nobody anything */
    const json_t *listed = lab_find(list, "uri", "assay://endpoints/array");
    assert_non_null(strstr(json_string_value(lab_at(listed, "description")), "/array"));
    assert_null(strstr(json_string_value(lab_at(listed, "description")), "hunter2"));
    json_decref(list);

    json_t *o = lab_json(l, "assay://endpoints/array");
    assert_string_equal(rest.key, "Bearer k-123");
    lab_counts(o, "rows", 3);
    lab_says(o, "columns.1.name", "name");
    lab_says(o, "first.0.name", "x");
    assert_null(strstr(json_string_value(lab_at(o, "url")), "hunter2"));
    json_decref(o);
    o = lab_json(l, "assay://endpoints/array/rows/2-2");
    lab_counts(o, "rows.0.id", 2);
    lab_says(o, "next", "assay://endpoints/array/rows/3-3");
    json_decref(o);
    assert_int_equal(rest.asked, 1); /* pages of one reading agree */
    const char *mime;
    assert_string_equal(lab_text(l, "assay://endpoints/array/body", &mime), rest.array);
    assert_string_equal(mime, "application/json");
    o = lab_json(l, "assay://endpoints/object/rows/1-10");
    assert_string_equal(rest.key, "");
    lab_counts(o, "rows.1.a", 2);
    lab_counts(o, "of", 2);
    json_decref(o);
    o = lab_json(l, "assay://endpoints/single/rows/1-10");
    lab_counts(o, "rows.0.a.b", 2);
    json_decref(o);
    o = lab_json(l, "assay://endpoints/csv/rows/1-10");
    lab_says(o, "rows.1.b", "y, z");
    json_decref(o);
    lab_text(l, "assay://endpoints/csv/body", &mime);
    assert_string_equal(mime, "text/csv");
    o = lab_json(l, "assay://endpoints/empty");
    lab_counts(o, "rows", 0);
    json_decref(o);
    static const struct {
        const char *name, *says;
        int code;
    } bad[] = {
        { "two", "expected an array of objects", BASE_E_UNSUPPORTED },
        { "mixed", "row 2", BASE_E_FORMAT },
        { "scalar", "expected an array of objects", BASE_E_UNSUPPORTED },
        { "broken", "broken:", BASE_E_FORMAT },
        { "ragged", "ragged:2", BASE_E_FORMAT },
        { "page", "text/html", BASE_E_UNSUPPORTED },
        { "gone", "404", BASE_E_IO },
        { "moved", "redirect", BASE_E_IO },
        { "large", "longer than", BASE_E_LIMIT },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char uri[100];
        snprintf(uri, sizeof uri, "assay://endpoints/%s", bad[i].name);
        lab_refuses(l, uri, bad[i].code, bad[i].says);
        assert_null(strstr(base_error_message(), "hunter2"));
    }
    lab_refuses(l, "assay://endpoints/array/rows/0-1", BASE_E_ARGUMENT, "from");
    mcp_lab_close(l);

    l = lab_open(endpoints);
    uint64_t stamp = lab_stamp(l, "assay://endpoints/array");
    assert_int_equal(stamp, lab_stamp(l, "assay://endpoints/array"));
    mcp_lab_close(l);
    rest.array = "[]";
    l = lab_open(endpoints);
    assert_int_not_equal(stamp, lab_stamp(l, "assay://endpoints/array"));
    MHD_stop_daemon(rest.daemon);
    lab_refuses(l, "assay://endpoints/csv", BASE_E_IO, "csv:");
    mcp_lab_close(l);

    static const char *const wrong[] = {
        "x",         "=http://a",          "x=",           "x=ftp://a/b",  "x=file:///etc/passwd",
        "x=http://", "x=http://u:p@host/", "x y=http://a", "x=http://a b", "../x=http://a"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *const one[] = { wrong[i], NULL };
        const struct mcp_lab_options o2 = { .endpoints = one };
        assert_int_equal(mcp_lab_open(&l, &o2), BASE_E_ARGUMENT);
        assert_null(l);
    }
    const char *const twice[] = { "x=http://a", "x=http://b", NULL };
    const struct mcp_lab_options o3 = { .endpoints = twice };
    assert_int_equal(mcp_lab_open(&l, &o3), BASE_E_ARGUMENT);
}

/* ---- runs ---- */

static void runs_and_reports_are_read(void **state)
{
    (void)state;
    struct mcp_lab *l = lab_open(NULL);
    const struct mcp_provider *p = mcp_lab_provider(l);
    json_t *o = lab_json(l, "assay://runs"), *list = json_array();
    const json_t *run = lab_find(lab_at(o, "runs"), "id", lab_ground.run[0]);
    lab_says(run, "model", "model-1");
    lab_counts(run, "tasks.sums.n", 40);
    json_decref(o);
    char uri[120];
    snprintf(uri, sizeof uri, "assay://runs/%s", lab_ground.run[0]);
    assert_int_equal(p->resources(p->context, list), 0);
    const json_t *listed = lab_find(list, "uri", uri);
    assert_non_null(strstr(json_string_value(lab_at(listed, "description")), "model-1, sums"));
    assert_int_equal(strlen(json_string_value(lab_at(listed, "annotations.lastModified"))), 20);
    json_decref(list);
    o = lab_json(l, uri);
    lab_says(o, "model", "model-1");
    lab_says(o, "results.sums.acc.method", "wilson");
    lab_counts(o, "results.sums.acc.n", 40);
    json_decref(o);

    const char *mime;
    snprintf(uri, sizeof uri, "assay://runs/%s/report", lab_ground.run[0]);
    const char *page = lab_text(l, uri, &mime);
    assert_string_equal(mime, "text/html");
    assert_int_equal(strncmp(page, "<!doctype html>", 15), 0);
    assert_non_null(strstr(page, "model-1"));
    assert_non_null(strstr(page, "</html>"));

    snprintf(uri, sizeof uri, "assay://runs/%s/samples/sums/39-41", lab_ground.run[0]);
    o = lab_json(l, uri);
    assert_int_equal(json_array_size(lab_at(o, "samples")), 2);
    lab_counts(o, "samples.0.doc_id", 38);
    lab_says(o, "samples.1.doc.question", "39 + 1 =");
    assert_true(json_is_null(lab_at(o, "next")));
    json_decref(o);
    snprintf(uri, sizeof uri, "assay://runs/%s/samples/words/1-10", lab_ground.run[1]);
    o = lab_json(l, uri);
    assert_int_equal(json_array_size(lab_at(o, "samples")), 10);
    assert_non_null(strstr(json_string_value(lab_at(o, "next")), "/samples/words/11-20"));
    json_decref(o);
    snprintf(uri, sizeof uri, "assay://runs/%s/samples/nothing/1-2", lab_ground.run[0]);
    lab_refuses(l, uri, MCP_NOT_MINE, "");
    snprintf(uri, sizeof uri, "assay://runs/%.6s", lab_ground.run[0]); /* ids are told in full */
    lab_refuses(l, uri, MCP_NOT_MINE, "");
    mcp_lab_close(l);
    const struct mcp_lab_options none = { .store = "/nowhere/store.sqlite" };
    assert_int_equal(mcp_lab_open(&l, &none), BASE_E_IO);
}

/* ---- many at once ---- */

struct thread {
    struct mcp_lab *l;
    unsigned number, failed;
};
static void *read_all(void *context)
{
    struct thread *t = context;
    const struct mcp_provider *p = mcp_lab_provider(t->l);
    char run[100], report[100];
    snprintf(run, sizeof run, "assay://runs/%s", lab_ground.run[0]);
    snprintf(report, sizeof report, "assay://runs/%s/report", lab_ground.run[1]);
    const char *const uris[] = { "assay://data/people.csv/rows/1-5",
                                 "assay://data/survey",
                                 "assay://tables/shop.sqlite/or%22ders",
                                 "assay://tables",
                                 "assay://runs",
                                 run,
                                 report,
                                 "assay://data/copy.csv.gz/text" };
    for (unsigned i = 0; i < 16; i++) {
        json_t *contents = NULL, *list = json_array();
        uint64_t stamp;
        const char *uri = uris[(i + t->number) % 8];
        t->failed += p->read(p->context, uri, &contents) != 0;
        t->failed += p->stamp(p->context, uri, &stamp) != 0;
        t->failed += i % 4 == 0 && p->resources(p->context, list) != 0;
        json_decref(contents);
        json_decref(list);
    }
    return NULL;
}

static void threads_read_at_once(void **state)
{
    (void)state;
    struct mcp_lab *l = lab_open(NULL);
    enum { N = 8 };
    pthread_t thread[N];
    struct thread t[N];
    for (unsigned i = 0; i < N; i++) {
        t[i] = (struct thread){ l, i, 0 };
        assert_int_equal(pthread_create(&thread[i], NULL, read_all, &t[i]), 0);
    }
    for (unsigned i = 0; i < N; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(t[i].failed, 0);
    }
    mcp_lab_close(l);
}

static void memory_runs_out(void **state)
{
    (void)state;
    static const char *const endpoints[] = { "x=http://127.0.0.1:1/", NULL };
    const char *const databases[] = { lab_ground.shop, NULL };
    const struct mcp_lab_options o = { .data = lab_ground.data,
                                       .databases = databases,
                                       .endpoints = endpoints,
                                       .store = lab_ground.store };
    struct mcp_lab *l;
    bool done = false;
    for (long n = 1; !done; n++) {
        long live = base_alloc_live();
        base_alloc_fail_after(n);
        int rc = mcp_lab_open(&l, &o);
        base_alloc_fail_after(0);
        done = rc == 0;
        if (rc == 0)
            mcp_lab_close(l);
        assert_int_equal(base_alloc_live(), live);
        assert_true(n < 3000);
    }
    char run[100];
    snprintf(run, sizeof run, "assay://runs/%s/samples/sums/1-2", lab_ground.run[0]);
    const char *const uris[] = { "assay://data", "assay://data/people.csv/rows/1-2",
                                 "assay://tables/shop.sqlite/or%22ders", run };
    for (size_t i = 0; i < 4; i++) {
        done = false;
        for (long n = 1; !done; n += n < 60 ? 1 : 7) {
            l = lab_open(NULL);
            const struct mcp_provider *p = mcp_lab_provider(l);
            long live = base_alloc_live();
            json_t *contents = NULL;
            base_alloc_fail_after(n);
            int rc = p->read(p->context, uris[i], &contents);
            base_alloc_fail_after(0);
            done = rc == 0;
            assert_true(rc <= 0);
            if (rc)
                assert_null(contents);
            json_decref(contents);
            mcp_lab_close(l); /* and its caches */
            assert_true(base_alloc_live() <= live);
            assert_true(n < 3000);
        }
    }
}

int main(void)
{
    base_progress_quiet(true);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_match_templates),
        cmocka_unit_test(data_sets_are_listed),
        cmocka_unit_test(a_data_set_says_what_it_holds),
        cmocka_unit_test(rows_come_in_pages),
        cmocka_unit_test(hostile_addresses_lead_nowhere),
        cmocka_unit_test(broken_files_are_one_line),
        cmocka_unit_test(stamps_follow_changes),
        cmocka_unit_test(tables_are_read),
        cmocka_unit_test(endpoints_are_read),
        cmocka_unit_test(runs_and_reports_are_read),
        cmocka_unit_test(threads_read_at_once),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, lab_begin, lab_end);
}
