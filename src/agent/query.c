/* Tools that read an SQLite database: describe_database shows its tables, query_sql answers one
 * SELECT. What a query cannot do is in sqlite.c. */
#include "agent/builtin.h"
#include "agent/sqlite.h"
#include "base/json.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

#define ROWS_USUAL   100
#define BYTES_MOST   ((size_t)1000000) /* of the rows as JSON: below the output's 1 MiB */
#define BLOB_SHOWN   256
#define TABLES_MOST  200
#define COLUMNS_MOST 5000 /* of all tables together */

/* The bytes of a blob as hexadecimal digits, at most BLOB_SHOWN of them. */
static json_t *blob_json(const unsigned char *bytes, size_t n)
{
    char hex[2 * BLOB_SHOWN + 1] = "";
    for (size_t i = 0; i < n && i < BLOB_SHOWN; i++) {
        hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
        hex[2 * i + 2] = 0;
    }
    return json_pack("{s:s, s:I}", "blob", hex, "bytes", (json_int_t)n);
}

static json_t *cell_json(sqlite3_stmt *q, int i)
{
    switch (agent_sqlite.column_type(q, i)) {
    case SQLITE_INTEGER:
        return json_integer(agent_sqlite.column_int64(q, i));
    case SQLITE_FLOAT: {
        double x = agent_sqlite.column_double(q, i);
        return isfinite(x) ? json_real(x) : json_pack("{s:s}", "real", x < 0 ? "-Inf" : "Inf");
    }
    case SQLITE_TEXT: {
        const char *text = (const char *)agent_sqlite.column_text(q, i);
        return text ? base_json_text(text, (size_t)agent_sqlite.column_bytes(q, i)) : NULL;
    }
    case SQLITE_BLOB: {
        const unsigned char *bytes = agent_sqlite.column_blob(q, i);
        return blob_json(bytes, bytes ? (size_t)agent_sqlite.column_bytes(q, i) : 0);
    }
    default:
        return json_null();
    }
}

static json_t *row_json(sqlite3_stmt *q)
{
    json_t *row = json_array();
    for (int i = 0; row && i < agent_sqlite.column_count(q); i++)
        if (json_array_append_new(row, cell_json(q, i))) {
            json_decref(row);
            return NULL;
        }
    return row;
}

static json_t *columns_json(sqlite3_stmt *q)
{
    json_t *columns = json_array();
    for (int i = 0; columns && i < agent_sqlite.column_count(q); i++) {
        const char *name = agent_sqlite.column_name(q, i);
        const char *type = agent_sqlite.column_decltype(q, i);
        json_t *one = json_pack("{s:o, s:o}", "name", base_json_text(name, name ? strlen(name) : 0),
                                "type", type ? base_json_text(type, strlen(type)) : json_null());
        if (json_array_append_new(columns, one)) {
            json_decref(columns);
            return NULL;
        }
    }
    return columns;
}

static int bind(struct agent_database *d, sqlite3_stmt *q, const json_t *values)
{
    int expected = agent_sqlite.bind_parameter_count(q), given = (int)json_array_size(values);
    if (expected != given)
        return base_error_set(BASE_E_ARGUMENT, "the statement has %d parameter%s, %d %s given",
                              expected, expected == 1 ? "" : "s", given,
                              given == 1 ? "was" : "were");
    int code = SQLITE_OK;
    for (int i = 1; i <= given && code == SQLITE_OK; i++) {
        const json_t *v = json_array_get(values, (size_t)i - 1);
        if (json_is_integer(v))
            code = agent_sqlite.bind_int64(q, i, json_integer_value(v));
        else if (json_is_boolean(v))
            code = agent_sqlite.bind_int64(q, i, json_is_true(v));
        else if (json_is_real(v))
            code = agent_sqlite.bind_double(q, i, json_real_value(v));
        else if (json_is_string(v))
            code = agent_sqlite.bind_text(q, i, json_string_value(v), (int)json_string_length(v),
                                          SQLITE_STATIC);
        else
            code = agent_sqlite.bind_null(q, i);
    }
    return code == SQLITE_OK ? 0 : agent_database_fail(d, code);
}

/* Rows until there are `most`, or as many bytes as an answer may have; *more: there were others. */
static int rows_take(struct agent_database *d, sqlite3_stmt *q, size_t most, json_t *rows,
                     bool *more)
{
    size_t bytes = 0;
    int code;
    *more = false;
    while ((code = agent_sqlite.step(q)) == SQLITE_ROW) {
        if (json_array_size(rows) == most) {
            *more = true;
            return 0;
        }
        json_t *row = row_json(q);
        char *text = row ? base_json_dump(row, false) : NULL;
        size_t length = text ? strlen(text) + 2 : 0;
        base_free(text);
        if (!length) {
            json_decref(row);
            return base_error_set(BASE_E_MEMORY, "a row is too large for the worker's memory");
        }
        if (bytes + length > BYTES_MOST) {
            json_decref(row);
            *more = true;
            return json_array_size(rows)
                       ? 0
                       : base_error_set(BASE_E_LIMIT,
                                        "one row has %zu bytes, an answer at most %zu: select "
                                        "fewer columns, or substr() of them",
                                        length, BYTES_MOST);
        }
        bytes += length;
        if (json_array_append_new(rows, row))
            return BASE_E_MEMORY;
    }
    return code == SQLITE_DONE ? 0 : agent_database_fail(d, code);
}

static int query_sql(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    const json_t *sql = json_object_get(arguments, "sql");
    const json_t *limit = json_object_get(arguments, "limit");
    struct agent_database d = { 0 };
    sqlite3_stmt *q = NULL;
    json_t *rows = json_array();
    bool more = false;
    int rc = rows ? agent_database_open(&d, tool->context) : BASE_E_MEMORY;
    if (!rc)
        rc = agent_database_prepare(&d, json_string_value(sql), json_string_length(sql), &q);
    if (!rc)
        rc = bind(&d, q, json_object_get(arguments, "parameters"));
    if (!rc)
        rc = rows_take(&d, q, limit ? (size_t)json_number_value(limit) : ROWS_USUAL, rows, &more);
    if (!rc) {
        *out = json_pack("{s:o, s:O, s:b}", "columns", columns_json(q), "rows", rows, "more", more);
        rc = *out ? 0 : BASE_E_MEMORY;
    }
    if (q)
        agent_sqlite.finalize(q);
    agent_database_close(&d);
    json_decref(rows);
    return rc;
}

/* ---- what there is ---- */

static json_t *text_of(sqlite3_stmt *q, int i)
{
    const char *text = (const char *)agent_sqlite.column_text(q, i);
    return text ? base_json_text(text, (size_t)agent_sqlite.column_bytes(q, i)) : json_string("");
}

/* One table's columns; *left is how many may still be told. A view that cannot be read (its table
 * is gone) is told without columns. */
static int table_columns(struct agent_database *d, const char *table, size_t bytes, json_t *columns,
                         size_t *left)
{
    sqlite3_stmt *q = NULL;
    int code = agent_sqlite.prepare_v2(
        d->handle, "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1)", -1, &q, NULL);
    if (code == SQLITE_OK)
        code = agent_sqlite.bind_text(q, 1, table, (int)bytes, SQLITE_STATIC);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = agent_sqlite.step(q);
        if (code != SQLITE_ROW || !*left)
            break;
        --*left;
        json_t *one = json_pack("{s:o, s:o, s:b, s:b}", "name", text_of(q, 0), "type",
                                text_of(q, 1), "not_null", (int)agent_sqlite.column_int64(q, 2),
                                "primary_key", agent_sqlite.column_int64(q, 3) != 0);
        if (json_array_append_new(columns, one)) {
            agent_sqlite.finalize(q);
            return BASE_E_MEMORY;
        }
    }
    int rc = code == SQLITE_DONE || code == SQLITE_ROW || code == SQLITE_ERROR
                 ? 0
                 : agent_database_fail(d, code);
    agent_sqlite.finalize(q);
    return rc;
}

static int describe_database(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    const json_t *only = json_object_get(arguments, "table");
    struct agent_database d = { .own = true };
    sqlite3_stmt *q = NULL;
    json_t *tables = json_array();
    size_t left = COLUMNS_MOST;
    bool more = false;
    int code, rc = tables ? agent_database_open(&d, tool->context) : BASE_E_MEMORY;
    if (rc)
        goto out;
    code = agent_sqlite.prepare_v2(
        d.handle,
        "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type <> 'shadow' AND "
        "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND (?1 IS NULL OR name = ?1 COLLATE NOCASE) "
        "ORDER BY name",
        -1, &q, NULL);
    if (code == SQLITE_OK && only)
        code = agent_sqlite.bind_text(q, 1, json_string_value(only), (int)json_string_length(only),
                                      SQLITE_STATIC);
    while ((code == SQLITE_OK || code == SQLITE_ROW) && !rc) {
        if ((code = agent_sqlite.step(q)) != SQLITE_ROW)
            break;
        if (json_array_size(tables) == TABLES_MOST || !left) {
            more = true;
            break;
        }
        json_t *name = text_of(q, 0), *columns = json_array();
        json_t *one =
            json_pack("{s:O, s:o, s:o}", "name", name, "kind", text_of(q, 1), "columns", columns);
        rc = one ? table_columns(&d, json_string_value(name), json_string_length(name), columns,
                                 &left)
                 : BASE_E_MEMORY;
        json_decref(name);
        if (json_array_append_new(tables, one) && !rc)
            rc = BASE_E_MEMORY;
    }
    if (!rc && code != SQLITE_DONE && code != SQLITE_ROW)
        rc = agent_database_fail(&d, code);
    if (!rc && only && !json_array_size(tables))
        rc = base_error_set(BASE_E_ARGUMENT, "there is no table \"%.100s\"",
                            json_string_value(only));
    if (!rc) {
        *out = json_pack("{s:O, s:b}", "tables", tables, "more", more);
        rc = *out ? 0 : BASE_E_MEMORY;
    }
out:
    if (q)
        agent_sqlite.finalize(q);
    agent_database_close(&d);
    json_decref(tables);
    return rc;
}

const struct agent_tool agent_tool_query_sql = {
    .name = "query_sql",
    .title = "Query a database",
    .description = "Answers one SELECT (SQLite's SQL) on the user's database: at most 1,000 rows. "
                   "Values belong into \"parameters\", for the ? of the statement in order. "
                   "describe_database tells the tables. Nothing can be changed.",
    .input = "{\"type\": \"object\", \"properties\": {\"sql\": {\"type\": \"string\", "
             "\"minLength\": 1, \"maxLength\": 20000}, \"parameters\": {\"type\": \"array\", "
             "\"maxItems\": 100, \"items\": {\"type\": [\"string\", \"number\", \"boolean\", "
             "\"null\"]}}, \"limit\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 1000, "
             "\"description\": \"rows; 100 when not given\"}}, \"required\": [\"sql\"], "
             "\"additionalProperties\": false}",
    .output = "{\"type\": \"object\", \"properties\": {\"columns\": {\"type\": \"array\", "
              "\"items\": {\"type\": \"object\", \"properties\": {\"name\": {\"type\": "
              "\"string\"}, \"type\": {\"type\": [\"string\", \"null\"]}}, \"required\": "
              "[\"name\", \"type\"]}}, \"rows\": {\"type\": \"array\", \"maxItems\": 1000, "
              "\"items\": {\"type\": \"array\"}}, \"more\": {\"type\": \"boolean\"}}, "
              "\"required\": [\"columns\", \"rows\", \"more\"], \"additionalProperties\": false}",
    .read_only = true,
    .idempotent = true,
    .run = query_sql,
};

const struct agent_tool agent_tool_describe_database = {
    .name = "describe_database",
    .title = "Describe a database",
    .description = "Lists the tables and views of the user's database with their columns, or those "
                   "of one table.",
    .input = "{\"type\": \"object\", \"properties\": {\"table\": {\"type\": \"string\", "
             "\"minLength\": 1, \"maxLength\": 1000}}, \"additionalProperties\": false}",
    .output = "{\"type\": \"object\", \"properties\": {\"tables\": {\"type\": \"array\", "
              "\"items\": {\"type\": \"object\", \"properties\": {\"name\": {\"type\": "
              "\"string\"}, \"kind\": {\"enum\": [\"table\", \"view\", \"virtual\"]}, "
              "\"columns\": {\"type\": \"array\"}}, \"required\": [\"name\", \"kind\", "
              "\"columns\"]}}, \"more\": {\"type\": \"boolean\"}}, \"required\": [\"tables\", "
              "\"more\"], \"additionalProperties\": false}",
    .read_only = true,
    .idempotent = true,
    .run = describe_database,
};
