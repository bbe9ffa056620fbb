/* Search and SQL: how a query becomes an expression, how documents are cut, scores by BM25's
 * formula, what query_sql answers and refuses, WAL files, the index written whole or not at all. */
#include "agent/search.h"
#include "agent/sqlite.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/tool.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

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

static void refused(const struct agent_builtin_options *options, const char *tool,
                    const char *arguments, const char *message)
{
    struct agent_result r = ask(options, tool, arguments);
    if (r.outcome != AGENT_FAILED || !r.message || !strstr(r.message, message))
        fail_msg("%s: %s: %s", arguments, agent_outcome_name(r.outcome),
                 r.message ? r.message : "");
    agent_result_free(&r);
}

/* The sandbox refuses tools that read files where there is no Landlock. */
static void needs_landlock(const char *test)
{
    json_t *machine = agent_sandbox_describe();
    bool landlock = json_integer_value(json_object_get(machine, "landlock")) > 0;
    json_decref(machine);
    if (!landlock) {
        printf("skip: %s needs a kernel with Landlock\n", test);
        skip();
    }
}

static const char *text_at(const json_t *rows, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(rows, i), key));
}
static long long integer_at(const json_t *rows, size_t i, const char *key)
{
    return json_integer_value(json_object_get(json_array_get(rows, i), key));
}

/* ---- queries ---- */

static void queries_are_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int terms;
        const char *any, *all;
    } cases[] = {
        { "audit log", 2, "\"audit\" OR \"log\"", "\"audit\" AND \"log\"" },
        { "What is BM25?", 3, "\"What\" OR \"is\" OR \"BM25\"", NULL },
        { "\"hash chain\" log*", 2, "\"hash chain\" OR \"log\"*", NULL },
        { "don't e-mail", 2, "\"don't\" OR \"e-mail\"", NULL },
        { "NOT near OR", 3, "\"NOT\" OR \"near\" OR \"OR\"", NULL },
        { "title:x", 1, "\"title:x\"", NULL },
        { "a\"b\"c", 3, "\"a\" OR \"b\" OR \"c\"", NULL },
        { "\"open", 1, "\"open\"", NULL },
        { "\"", 0, "", NULL },
        { "\"\"", 0, "", NULL },
        { " * - + ^ ( ) { } : ", 0, "", NULL },
        { "größe 東京", 2, "\"größe\" OR \"東京\"", NULL },
        { "tab\tnew\nline", 3, "\"tab\" OR \"new\" OR \"line\"", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int any = 0; any < 2; any++) {
            const char *expected = any ? cases[i].any : cases[i].all;
            struct base_buffer b = { 0 };
            assert_int_equal(agent_search_quote(cases[i].query, strlen(cases[i].query), any, &b),
                             cases[i].terms);
            if (expected)
                assert_string_equal(b.data ? b.data : "", expected);
            base_buffer_free(&b);
        }
    struct base_buffer b = { 0 }; /* a NUL must not end a string in the middle */
    assert_int_equal(agent_search_quote("a\0b \"c\0d\"", 9, true, &b), 3);
    assert_string_equal(b.data, "\"a\" OR \"b\" OR \"c d\"");
    base_buffer_free(&b);
    char many[400] = "";
    for (int i = 0; i < 65; i++)
        strcat(many, "w ");
    assert_int_equal(agent_search_quote(many, strlen(many), true, &b), BASE_E_LIMIT);
    base_buffer_free(&b);
}

/* ---- the index ---- */

static void put(const char *directory, const char *name, const char *text, size_t bytes)
{
    char *path = base_path_join(directory, name);
    test_write_file(path, text, bytes);
    base_free(path);
}

static void remove_all(const char *directory, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *path = base_path_join(directory, names[i]);
        if (unlink(path) && errno == EISDIR)
            rmdir(path);
        base_free(path);
    }
    rmdir(directory);
}

static void directory_is_cut(void **state)
{
    (void)state;
    needs_landlock(__func__);
    const char *top = test_temporary_path(""), *index = test_temporary_path(".sqlite");
    char *sub = base_format("%s/sub", top);
    assert_int_equal(base_file_make_directories(sub), 0);
    static const char guide[] =
        "Preface with kiwis.\n\n# Fruit\n\nApples are red.\n\n## Citrus ##\n\n"
        "Lemons are sour.\n\n```\n# no heading: grapes\n```\n";
    put(top, "guide.md", guide, sizeof guide - 1);
    char lines[3001]; /* one passage is 1,200 bytes: cut at a line, where there is no blank one */
    for (int i = 0; i < 100; i++)
        snprintf(lines + (size_t)30 * (size_t)i, 31, "line %02u of the text on %s.\n",
                 (unsigned)i % 100, i == 77 ? "pears" : "bread");
    put(top, "sub/plain.txt", lines, 3000);
    put(top, "binary.txt", "a\0b", 3);
    put(top, "latin.txt", "caf\xe9", 4);
    put(top, ".hidden.txt", "kiwis", 5);
    struct agent_index_report r;
    if (agent_index_make(top, index, NULL, &r))
        fail_msg("%s", base_error_message());
    assert_int_equal(r.documents, 2);
    assert_int_equal(r.passages, 3 + 3);
    assert_int_equal(r.bytes, sizeof guide - 1 + 3000);
    assert_int_equal(r.skipped, 2);
    assert_string_equal(json_string_value(json_array_get(r.names, 0)), "binary.txt");
    assert_string_equal(json_string_value(json_array_get(r.names, 1)), "latin.txt");
    json_decref(r.names);
    const struct agent_builtin_options o = { .documents = index };
    static const struct {
        const char *query, *path, *title;
        long long line, offset;
    } found[] = {
        { "kiwis", "guide.md", "guide.md", 1, 0 },
        { "apples", "guide.md", "guide.md › Fruit", 3, 21 },
        { "LEMONS", "guide.md", "guide.md › Citrus", 7, 47 },
        { "grapes", "guide.md", "guide.md › Citrus", 7, 47 },
        { "pears", "sub/plain.txt", "plain.txt", 41, 1200 },
    };
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        char *arguments = base_format("{\"query\": \"%s\"}", found[i].query);
        json_t *v = answer(&o, "search", arguments), *results = json_object_get(v, "results");
        assert_int_equal(json_array_size(results), 1);
        assert_string_equal(text_at(results, 0, "path"), found[i].path);
        assert_string_equal(text_at(results, 0, "title"), found[i].title);
        assert_int_equal(integer_at(results, 0, "line"), found[i].line);
        assert_int_equal(integer_at(results, 0, "offset"), found[i].offset);
        assert_true(json_is_null(json_object_get(json_array_get(results, 0), "record")));
        json_decref(v);
        base_free(arguments);
    }
    json_t *v = answer(&o, "search", "{\"query\": \"apples lemons\", \"match\": \"all\"}");
    assert_int_equal(json_array_size(json_object_get(v, "results")), 0);
    json_decref(v);
    v = answer(&o, "search", "{\"query\": \"'sour' red\", \"limit\": 1, \"text\": true}");
    assert_int_equal(json_array_size(json_object_get(v, "results")), 1);
    assert_true(json_is_true(json_object_get(v, "more")));
    assert_string_equal(text_at(json_object_get(v, "results"), 0, "snippet"),
                        "# Fruit\n\nApples are **red**.");
    assert_string_equal(text_at(json_object_get(v, "results"), 0, "text"),
                        "# Fruit\n\nApples are red.");
    json_decref(v);
    refused(&o, "search", "{\"query\": \" ?! \"}", "the query holds no word to look for");
    /* A failure leaves the index that was there. */
    assert_int_equal(agent_index_make("/nonexistent", index, NULL, &r), BASE_E_IO);
    assert_int_equal(
        agent_index_make(top, index, &(struct agent_index_options){ .tokenizer = "x" }, &r),
        BASE_E_ARGUMENT);
    v = answer(&o, "search", "{\"query\": \"pears\"}");
    json_decref(v);
    unlink(index);
    static const char *const names[] = { "guide.md", "sub/plain.txt", "binary.txt", "latin.txt",
                                         ".hidden.txt" };
    char *paths = base_format("%s/sub/plain.txt", top);
    unlink(paths);
    rmdir(sub);
    remove_all(top, names, sizeof names / sizeof *names);
    base_free(paths);
    base_free(sub);
}

static const char records[] =
    "{\"id\": \"a1\", \"head\": \"Tea\", \"body\": \"green tea and black tea\"}\n"
    "{\"id\": \"b2\", \"head\": \"Coffee\", \"body\": \"coffee is no tea at all really\"}\n"
    "{\"id\": 3, \"head\": null, \"body\": \"water\"}\n"
    "{\"id\": \"d4\", \"head\": \"Milk\", \"body\": \"milk from oats\"}\n"
    "{\"id\": \"e5\", \"head\": \"Juice\", \"body\": \"juice from apples\"}\n";

/* BM25 as FTS5's documentation has it: f counts a title four times; lengths are those of all
 * indexed columns. */
static double bm25(double f, double length, double average, double n, double with)
{
    double idf = log((n - with + 0.5) / (with + 0.5));
    return idf * f * 2.2 / (f + 1.2 * (0.25 + 0.75 * length / average));
}

static void records_are_ranked(void **state)
{
    (void)state;
    needs_landlock(__func__);
    const char *file = test_temporary_path(".jsonl"), *index = test_temporary_path(".sqlite");
    test_write_file(file, records, sizeof records - 1);
    struct agent_index_report r;
    const struct agent_index_options options = { .field = "body", .title = "head", .id = "id" };
    if (agent_index_make(file, index, &options, &r))
        fail_msg("%s", base_error_message());
    assert_int_equal(r.documents, 5);
    json_decref(r.names);
    const struct agent_builtin_options o = { .documents = index, .database = index };
    json_t *v = answer(&o, "search", "{\"query\": \"tea\"}"), *rows = json_object_get(v, "results");
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(text_at(rows, 0, "record"), "a1");
    assert_string_equal(text_at(rows, 1, "record"), "b2");
    double average = (6 + 8 + 1 + 4 + 4) / 5.0;
    assert_true(fabs(json_real_value(json_object_get(json_array_get(rows, 0), "score")) -
                     bm25(4 + 2, 6, average, 5, 2)) < 1e-9);
    assert_true(fabs(json_real_value(json_object_get(json_array_get(rows, 1), "score")) -
                     bm25(1, 8, average, 5, 2)) < 1e-9);
    json_decref(v);
    v = answer(&o, "search", "{\"query\": \"wat*\"}");
    assert_string_equal(text_at(json_object_get(v, "results"), 0, "record"), "3");
    assert_string_equal(text_at(json_object_get(v, "results"), 0, "title"), "");
    json_decref(v);
    /* The index is a database like any other. */
    v = answer(&o, "query_sql",
               "{\"sql\": \"SELECT record FROM documents WHERE title > ? ORDER BY id\", "
               "\"parameters\": [\"M\"]}");
    char *text = base_json_dump(json_object_get(v, "rows"), false);
    assert_string_equal(text, "[[\"a1\"], [\"d4\"]]");
    base_free(text);
    json_decref(v);
    v = answer(&o, "query_sql",
               "{\"sql\": \"SELECT record FROM passages WHERE passages MATCH 'oats'\"}");
    assert_int_equal(json_array_size(json_object_get(v, "rows")), 1);
    json_decref(v);
    assert_int_equal(agent_index_make(file, index, NULL, &r), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), ":1: the record has no \"text\""));
    /* Every allocation that fails is an error, and nothing stays behind. */
    long live = base_alloc_live();
    int rc = -1;
    for (long n = 1; rc && n < 2000; n++) {
        base_alloc_fail_after(n);
        rc = agent_index_make(file, index, &options, &r);
        base_alloc_fail_after(0);
        if (!rc)
            json_decref(r.names);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(rc, 0);
    unlink(file);
    unlink(index);
}

static void tokenizers_differ(void **state)
{
    (void)state;
    needs_landlock(__func__);
    const char *file = test_temporary_path(".txt"), *index = test_temporary_path(".sqlite");
    static const char text[] = "The runners were running through 東京都 and the Café.";
    test_write_file(file, text, sizeof text - 1);
    static const struct {
        const char *tokenizer, *query;
        bool found;
    } cases[] = { { "words", "run", false },    { "english", "run", true },
                  { "words", "cafe", true },    { "words", "東京都", true },
                  { "words", "京都", false },   { "trigram", "東京都", true },
                  { "trigram", "unnin", true }, { "words", "unnin", false },
                  { "english", "CAFÉ", true },  { "trigram", "中国人", false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent_index_report r;
        const struct agent_index_options options = { .tokenizer = cases[i].tokenizer };
        assert_int_equal(agent_index_make(file, index, &options, &r), 0);
        json_decref(r.names);
        const struct agent_builtin_options o = { .documents = index };
        char *arguments = base_format("{\"query\": \"%s\"}", cases[i].query);
        json_t *v = answer(&o, "search", arguments);
        if ((json_array_size(json_object_get(v, "results")) > 0) != cases[i].found)
            fail_msg("%s: %s", cases[i].tokenizer, cases[i].query);
        json_decref(v);
        base_free(arguments);
    }
    unlink(file);
    unlink(index);
}

/* ---- SQL ---- */

static sqlite3 *make(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    if (agent_sqlite_load() ||
        agent_sqlite.open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ||
        agent_sqlite.exec(db, sql, NULL, NULL, NULL))
        fail_msg("%s: %s", path, db ? agent_sqlite.errmsg(db) : base_error_message());
    return db;
}

static const char schema[] =
    "CREATE TABLE city(id INTEGER PRIMARY KEY, name TEXT NOT NULL, people REAL, seal BLOB);"
    "INSERT INTO city VALUES (1, 'Ard', 1.5, x'00ff'), (2, 'Bel', NULL, NULL), "
    "(9223372036854775807, 'C' || char(10) || '\"', 9e999, NULL);"
    "CREATE VIEW big AS SELECT name AS n FROM city WHERE people > 1;";

static void sql_answers(void **state)
{
    (void)state;
    needs_landlock(__func__);
    const char *path = test_temporary_path(" a?b#c%.db"); /* what a URI would take for its own */
    agent_sqlite.close_v2(make(path, schema));
    const struct agent_builtin_options o = { .database = path };
    static const struct {
        const char *arguments, *columns, *rows;
        bool more;
    } cases[] = {
        { "{\"sql\": \"SELECT * FROM city\"}",
          "[{\"name\": \"id\", \"type\": \"INTEGER\"}, {\"name\": \"name\", \"type\": \"TEXT\"}, "
          "{\"name\": \"people\", \"type\": \"REAL\"}, {\"name\": \"seal\", \"type\": \"BLOB\"}]",
          "[[1, \"Ard\", 1.5, {\"blob\": \"00ff\", \"bytes\": 2}], [2, \"Bel\", null, null], "
          "[9223372036854775807, \"C\\n\\\"\", {\"real\": \"Inf\"}, null]]",
          false },
        { "{\"sql\": \"SELECT id FROM city ORDER BY id DESC; -- the end\", \"limit\": 1}",
          "[{\"name\": \"id\", \"type\": \"INTEGER\"}]", "[[9223372036854775807]]", true },
        { "{\"sql\": \"VALUES (?, ?, ?, ?, ?)\", \"parameters\": [\"x' OR 1\", 2, 2.5, true, "
          "null]}",
          NULL, "[[\"x' OR 1\", 2, 2.5, 1, null]]", false },
        { "{\"sql\": \"WITH t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < 4) SELECT "
          "sum(i) AS s FROM t\"}",
          "[{\"name\": \"s\", \"type\": null}]", "[[10]]", false },
        { "{\"sql\": \"SELECT n FROM big ORDER BY 1\"}", NULL, "[[\"Ard\"], [\"C\\n\\\"\"]]",
          false },
        { "{\"sql\": \"SELECT name FROM city WHERE id = -1\"}", NULL, "[]", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *v = answer(&o, "query_sql", cases[i].arguments);
        char *columns = base_json_dump(json_object_get(v, "columns"), false);
        char *rows = base_json_dump(json_object_get(v, "rows"), false);
        if (cases[i].columns)
            assert_string_equal(columns, cases[i].columns);
        assert_string_equal(rows, cases[i].rows);
        assert_int_equal(json_is_true(json_object_get(v, "more")), cases[i].more);
        base_free(columns);
        base_free(rows);
        json_decref(v);
    }
    json_t *v = answer(&o, "query_sql",
                       "{\"sql\": \"WITH t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT i "
                       "FROM t\", \"limit\": 1000}");
    assert_int_equal(json_array_size(json_object_get(v, "rows")), 1000);
    assert_true(json_is_true(json_object_get(v, "more")));
    json_decref(v);
    v = answer(&o, "describe_database", "{}");
    char *text = base_json_dump(v, false);
    assert_string_equal(
        text,
        "{\"tables\": [{\"name\": \"big\", \"kind\": \"view\", \"columns\": [{\"name\": \"n\", "
        "\"type\": \"TEXT\", \"not_null\": false, \"primary_key\": false}]}, {\"name\": \"city\", "
        "\"kind\": \"table\", \"columns\": [{\"name\": \"id\", \"type\": \"INTEGER\", "
        "\"not_null\": false, \"primary_key\": true}, {\"name\": \"name\", \"type\": \"TEXT\", "
        "\"not_null\": true, \"primary_key\": false}, {\"name\": \"people\", \"type\": \"REAL\", "
        "\"not_null\": false, \"primary_key\": false}, {\"name\": \"seal\", \"type\": \"BLOB\", "
        "\"not_null\": false, \"primary_key\": false}]}], \"more\": false}");
    base_free(text);
    json_decref(v);
    refused(&o, "describe_database", "{\"table\": \"x' --\"}", "there is no table \"x' --\"");
    unlink(path);
}

static void sql_refuses(void **state)
{
    (void)state;
    needs_landlock(__func__);
    const char *path = test_temporary_path(".db"), *text = test_temporary_path(".txt");
    agent_sqlite.close_v2(make(path, schema));
    const struct agent_builtin_options o = { .database = path, .documents = path };
    static const char *const cases[][2] = {
        { "{\"sql\": \"SELECT 1; SELECT 2\"}", "not allowed: more than one statement" },
        { "{\"sql\": \"SELECT 1; DROP TABLE city\"}", "not allowed: " },
        { "{\"sql\": \"INSERT INTO city(name) VALUES ('x')\"}", "not allowed: a change of rows" },
        { "{\"sql\": \"DELETE FROM city RETURNING id\"}", "not allowed: a change of rows" },
        { "{\"sql\": \"UPDATE sqlite_master SET sql = ''\"}", "may not be modified" },
        { "{\"sql\": \"PRAGMA table_list\"}", "not allowed: PRAGMA" },
        { "{\"sql\": \"SELECT * FROM pragma_database_list\"}", "not allowed: PRAGMA" },
        { "{\"sql\": \"ATTACH ':memory:' AS m\"}", "not allowed: ATTACH" },
        { "{\"sql\": \"SELECT LOAD_EXTENSION('x')\"}", "not allowed: the function load_extension" },
        { "{\"sql\": \"BEGIN\"}", "not allowed: a transaction" },
        { "{\"sql\": \"CREATE TEMP TABLE x(a)\"}", "not allowed: " },
        { "{\"sql\": \"DROP TABLE city\"}", "not allowed: " },
        { "{\"sql\": \"VACUUM INTO '/tmp/x'\"}", "not allowed: " },
        { "{\"sql\": \"-- nothing\"}", "no statement" },
        { "{\"sql\": \"SELECT 1\\u0000; DROP TABLE city\"}", "a NUL inside the SQL" },
        { "{\"sql\": \"SELEC 1\"}", "near \"SELEC\": syntax error" },
        { "{\"sql\": \"SELECT ?\"}", "the statement has 1 parameter, 0 were given" },
        { "{\"sql\": \"SELECT 1\", \"parameters\": [1]}",
          "the statement has 0 parameters, 1 was given" },
        { "{\"sql\": \"SELECT hex(zeroblob(600000))\"}", "one row has 1200006 bytes" },
        { "{\"sql\": \"SELECT zeroblob(17000000)\"}", "too long" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&o, "query_sql", cases[i][0], cases[i][1]);
    refused(&o, "search", "{\"query\": \"x\"}", "no index of documents");
    test_write_file(text, "no database at all", 18);
    const struct agent_builtin_options none = { .database = text };
    refused(&none, "query_sql", "{\"sql\": \"SELECT 1\"}", "is no SQLite file");
    const struct agent_builtin_options absent = { .database = "/nonexistent.db" };
    refused(&absent, "describe_database", "{}", "cannot be read");
    unlink(path);
    unlink(text);
}

static void wal_is_read(void **state)
{
    (void)state;
    needs_landlock(__func__);
    const char *path = test_temporary_path(".db"), *copy = test_temporary_path(".db");
    sqlite3 *db = make(path, "PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t "
                             "VALUES(42);");
    char *wal = base_format("%s-wal", path), *copied = base_format("%s-wal", copy), *bytes;
    const char *ask_it = "{\"sql\": \"SELECT a FROM t\"}";
    struct agent_builtin_options o = { .database = path };
    json_t *v = answer(&o, "query_sql", ask_it); /* while the writer has it open */
    assert_int_equal(
        json_integer_value(json_array_get(json_array_get(json_object_get(v, "rows"), 0), 0)), 42);
    json_decref(v);
    size_t n;
    assert_int_equal(base_file_read(path, 0, &bytes, &n), 0);
    test_write_file(copy, bytes, n);
    base_free(bytes);
    assert_int_equal(base_file_read(wal, 0, &bytes, &n), 0);
    test_write_file(copied, bytes, n);
    base_free(bytes);
    o.database = copy; /* without it the answer would be an old one */
    refused(&o, "query_sql", ask_it, "-shm to read them with");
    agent_sqlite.close_v2(db);
    assert_false(base_file_exists(wal));
    o.database = path;
    v = answer(&o, "query_sql", ask_it);
    assert_int_equal(json_array_size(json_object_get(v, "rows")), 1);
    json_decref(v);
    assert_false(base_file_exists(wal)); /* nothing was made */
    unlink(path);
    unlink(copy);
    unlink(copied);
    base_free(wal);
    base_free(copied);
}

/* ---- the commands ---- */

static void commands_work(void **state)
{
    (void)state;
    needs_landlock(__func__);
    const char *index = test_temporary_path(".sqlite");
    struct test_run r = test_assay(NULL, "tools", "index", "examples/weather.csv", "--field", "sky",
                                   "--title", "place", "-o", index, "--json", NULL);
    assert_int_equal(r.rc, 0);
    json_t *v = test_run_json(&r);
    assert_string_equal(json_string_value(json_object_get(v, "index")), index);
    assert_int_equal(json_integer_value(json_object_get(v, "skipped")), 0);
    assert_int_equal(json_integer_value(json_object_get(v, "documents")), 9);
    json_decref(v);
    test_run_free(&r);
    r = test_assay(NULL, "tools", "call", "search", "--documents", index, "--args",
                   "{\"query\": \"snow\", \"limit\": 1}", "--json", NULL);
    assert_int_equal(r.rc, 0);
    v = test_run_json(&r);
    assert_string_equal(
        text_at(json_object_get(json_object_get(v, "result"), "results"), 0, "path"),
        "weather.csv");
    json_decref(v);
    test_run_free(&r);
    r = test_assay(NULL, "tools", "index", "examples", NULL);
    assert_int_equal(r.rc, 2);
    assert_non_null(strstr(r.err, "-o INDEX"));
    test_run_free(&r);
    r = test_assay(NULL, "tools", "call", "query_sql", "--database", index, "--args",
                   "{\"sql\": \"DROP TABLE documents\"}", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "failed: not allowed: "));
    test_run_free(&r);
    unlink(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_quoted), cmocka_unit_test(directory_is_cut),
        cmocka_unit_test(records_are_ranked), cmocka_unit_test(tokenizers_differ),
        cmocka_unit_test(sql_answers),        cmocka_unit_test(sql_refuses),
        cmocka_unit_test(wal_is_read),        cmocka_unit_test(commands_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
