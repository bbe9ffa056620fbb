/* A laboratory to be offered over MCP, made in a directory of its own: files (plain, packed,
 * hostile and hidden ones), an SQLite database, a store with two runs. Header-only; after cmocka.h.
 */
#ifndef TESTS_LAB_SUPPORT_H
#define TESTS_LAB_SUPPORT_H
#include "../eval/run_support.h"
#include "agent/sqlite.h"
#include "eval/store.h"
#include "mcp/lab.h"

static struct {
    char top[256], data[300], shop[300], store[300], run[2][16];
} lab_ground;

#define LAB_PEOPLE                                                                                 \
    "name,age,city\nAnn,31,Oslo\n\"Bo, Jr\",,Rome\nCy,45,Oslo\nDee,28,Rome\nEve,52,Oslo\n"

static inline void lab_file(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", lab_ground.data, name);
    test_write_file(path, text, strlen(text));
}

static inline void lab_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    if (agent_sqlite_load() ||
        agent_sqlite.open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ||
        agent_sqlite.exec(db, sql, NULL, NULL, NULL))
        fail_msg("%s: %s", path, db ? agent_sqlite.errmsg(db) : base_error_message());
    agent_sqlite.close_v2(db);
}

static inline void lab_run(unsigned who, size_t n, char id[16])
{
    char folder[400], *stored = NULL;
    snprintf(folder, sizeof folder, "%s/run-%u", lab_ground.top, who);
    run_make(folder, who, n, id);
    if (eval_store_import(lab_ground.store, folder, &stored))
        fail_msg("%s", base_error_message());
    assert_string_equal(stored, id);
    base_free(stored);
}

static inline int lab_begin(void **state)
{
    (void)state;
    snprintf(lab_ground.top, sizeof lab_ground.top, "%s", test_temporary_path(""));
    snprintf(lab_ground.data, sizeof lab_ground.data, "%s/data", lab_ground.top);
    snprintf(lab_ground.shop, sizeof lab_ground.shop, "%s/shop.sqlite", lab_ground.top);
    snprintf(lab_ground.store, sizeof lab_ground.store, "%s/runs.sqlite", lab_ground.top);
    char path[512], packed[700];
    snprintf(path, sizeof path, "%s/deep/er", lab_ground.data);
    assert_int_equal(base_file_make_directories(path), 0);
    snprintf(path, sizeof path, "%s/.hidden", lab_ground.data);
    assert_int_equal(base_file_make_directories(path), 0);
    lab_file("people.csv", LAB_PEOPLE);
    lab_file("deep/er/my file.jsonl",
             "{\"q\": \"a\", \"n\": 1, \"tags\": [\"x\"]}\n{\"q\": \"b\", \"n\": 2}\n");
    lab_file("list.json", "[{\"a\": 1}, {\"a\": 2.5}, {\"a\": null}]");
    lab_file("tabs.tsv", "a\tb\n1\t\"\n");
    lab_file("ragged.csv", "a,b\n1,2\n1,2,3\n");
    lab_file("latin.csv", "a\nfa\xe7"
                          "ade\n");
    lab_file(".secret.csv", "key\n42\n");
    lab_file(".hidden/inner.csv", "key\n42\n");
    lab_file("notes.txt", "not a table\n");
    snprintf(path, sizeof path, "%s/outside.csv", lab_ground.top);
    test_write_file(path, "key\n42\n", 7);
    snprintf(packed, sizeof packed, "%s/leak.csv", lab_ground.data);
    assert_int_equal(symlink(path, packed), 0);
    snprintf(packed, sizeof packed, "%s/inside.csv", lab_ground.data);
    assert_int_equal(symlink("people.csv", packed), 0);
    snprintf(packed, sizeof packed, "%s/up", lab_ground.data);
    assert_int_equal(symlink("..", packed), 0);
    lab_file("copy.csv", LAB_PEOPLE);
    snprintf(packed, sizeof packed, "%s/copy.csv", lab_ground.data);
    char *pack[] = { (char *)"/bin/gzip", packed, NULL };
    struct test_run r = test_spawn(pack, NULL);
    assert_int_equal(r.rc, 0);
    test_run_free(&r);
    lab_sql(
        lab_ground.shop,
        "CREATE TABLE \"or\"\"ders\"(id INTEGER PRIMARY KEY, what TEXT, price REAL, seal BLOB);"
        "INSERT INTO \"or\"\"ders\" VALUES (1, 'tea', 2.5, x'00ff'), (2, 'milk', NULL, NULL),"
        "(3, 'bread', 3, NULL); CREATE TABLE empty(a); CREATE VIEW cheap AS SELECT what AS thing "
        "FROM \"or\"\"ders\" WHERE price < 3; CREATE VIEW broken AS SELECT * FROM nowhere");
    lab_run(1, 40, lab_ground.run[0]);
    lab_run(2, 40, lab_ground.run[1]);
    return 0;
}

static inline int lab_end(void **state)
{
    (void)state;
    run_remove(lab_ground.top);
    return 0;
}

static inline struct mcp_lab *lab_open(const char *const *endpoints)
{
    const char *const databases[] = { lab_ground.shop, NULL };
    const struct mcp_lab_options o = { .data = lab_ground.data,
                                       .databases = databases,
                                       .endpoints = endpoints,
                                       .store = lab_ground.store };
    struct mcp_lab *l;
    if (mcp_lab_open(&l, &o))
        fail_msg("%s", base_error_message());
    return l;
}

/* The text of a resource (in one static buffer), its type in *mime; fails the test when it cannot
 * be read. */
static inline const char *lab_text(struct mcp_lab *l, const char *uri, const char **mime)
{
    static char text[1 << 22], type[80];
    const struct mcp_provider *p = mcp_lab_provider(l);
    json_t *contents = NULL;
    int rc = p->read(p->context, uri, &contents);
    if (rc)
        fail_msg("%s: %d %s", uri, rc, rc < 0 ? base_error_message() : "");
    assert_int_equal(json_array_size(contents), 1);
    const json_t *one = json_array_get(contents, 0);
    assert_string_equal(json_string_value(json_object_get(one, "uri")), uri);
    snprintf(type, sizeof type, "%s", json_string_value(json_object_get(one, "mimeType")));
    snprintf(text, sizeof text, "%s", json_string_value(json_object_get(one, "text")));
    json_decref(contents);
    if (mime)
        *mime = type;
    return text;
}

/* A resource that is JSON (json_decref). */
static inline json_t *lab_json(struct mcp_lab *l, const char *uri)
{
    const char *mime;
    json_t *value = run_json(lab_text(l, uri, &mime));
    assert_string_equal(mime, "application/json");
    return value;
}

/* Reading fails with this code, and (where negative) a message that holds `says`. */
static inline void lab_refuses(struct mcp_lab *l, const char *uri, int code, const char *says)
{
    const struct mcp_provider *p = mcp_lab_provider(l);
    json_t *contents = NULL;
    int rc = p->read(p->context, uri, &contents);
    assert_null(contents);
    if (rc != code || (rc < 0 && !strstr(base_error_message(), says)))
        fail_msg("%s: %d %s", uri, rc, rc < 0 ? base_error_message() : "");
    if (rc < 0)
        assert_null(strchr(base_error_message(), '\n'));
}

static inline uint64_t lab_stamp(struct mcp_lab *l, const char *uri)
{
    const struct mcp_provider *p = mcp_lab_provider(l);
    uint64_t stamp = 0;
    if (p->stamp(p->context, uri, &stamp))
        fail_msg("%s: no stamp: %s", uri, base_error_message());
    return stamp;
}

/* The value at a path of keys and numbers, "rows.0.name"; borrowed. */
static inline const json_t *lab_at(const json_t *value, const char *path)
{
    char key[100];
    while (*path) {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(key))
                                     : json_object_get(value, key);
        path += n + (path[n] == '.');
    }
    return value;
}
static inline void lab_says(const json_t *value, const char *path, const char *text)
{
    const char *found = json_string_value(lab_at(value, path));
    if (!found || strcmp(found, text) != 0)
        fail_msg("%s: \"%s\", expected \"%s\"", path, found ? found : "(none)", text);
}
static inline void lab_counts(const json_t *value, const char *path, double number)
{
    const json_t *found = lab_at(value, path);
    if (!json_is_number(found) || fabs(json_number_value(found) - number) > 1e-9)
        fail_msg("%s: %g, expected %g", path, json_number_value(found), number);
}

/* The element of an array of objects whose `key` is the text; borrowed, NULL when there is none. */
static inline const json_t *lab_find(const json_t *list, const char *key, const char *text)
{
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        const char *found = json_string_value(json_object_get(one, key));
        if (found && strcmp(found, text) == 0)
            return one;
    }
    return NULL;
}
#endif
