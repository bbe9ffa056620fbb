/* The weather of a table: a tool to study how models call tools, without a network and with answers
 * that never change. The table is the user's: columns place and date, and whatever else it has. */
#include "agent/builtin.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/data.h>
#include <string.h>
#include <strings.h>

#define ROWS_MOST 100

static bool same(struct data_cell cell, const char *text)
{
    return strlen(text) == cell.length && strncasecmp(cell.bytes, text, cell.length) == 0;
}

/* A row as an object: numbers as numbers. */
static json_t *row_object(const struct data_table *t, const struct data_cell *cells)
{
    json_t *o = json_object();
    for (size_t i = 0; o && i < data_table_columns(t); i++) {
        double number;
        json_t *value = data_cell_missing(cells[i]) ? json_null()
                        : data_cell_number(cells[i], &number)
                            ? base_json_number(number)
                            : base_json_text(cells[i].bytes, cells[i].length);
        if (json_object_set_new(o, data_table_column(t, i), value)) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

static int run(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    const char *place = json_string_value(json_object_get(arguments, "place"));
    const char *date = json_string_value(json_object_get(arguments, "date"));
    struct data_table *t = NULL;
    const struct data_cell *cells;
    size_t place_at, date_at = 0;
    int rc = data_table_open(&t, tool->context, NULL), more = 0;
    json_t *rows = json_array();
    if (!rc && !rows)
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = data_table_find(t, "place", &place_at);
    if (!rc && date)
        rc = data_table_find(t, "date", &date_at);
    while (!rc && (more = data_table_next(t, &cells)) == 1) {
        if (!same(cells[place_at], place) || (date && !same(cells[date_at], date)))
            continue;
        if (json_array_size(rows) < ROWS_MOST && json_array_append_new(rows, row_object(t, cells)))
            rc = BASE_E_MEMORY;
    }
    if (!rc && more < 0)
        rc = more;
    if (!rc && json_array_size(rows) == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "the table has no weather of %.100s%s%.20s", place,
                            date ? " on " : "", date ? date : "");
    data_table_close(t);
    if (!rc) {
        *out = json_pack("{s:O, s:s}", "records", rows, "source", "a table that the user gave");
        rc = *out ? 0 : BASE_E_MEMORY;
    }
    json_decref(rows);
    return rc;
}

const struct agent_tool agent_tool_weather = {
    .name = "weather",
    .title = "Weather from a table",
    .description = "Looks up the weather of a place, and of a date (YYYY-MM-DD), in a table that "
                   "the user gave. Not a forecast and not live: the table is all there is.",
    .input = "{\"type\": \"object\", \"properties\": {\"place\": {\"type\": \"string\", "
             "\"minLength\": 1, \"maxLength\": 200}, \"date\": {\"type\": \"string\", "
             "\"pattern\": \"^[0-9]{4}-[0-9]{2}-[0-9]{2}$\"}}, \"required\": [\"place\"], "
             "\"additionalProperties\": false}",
    .output = "{\"type\": \"object\", \"properties\": {\"records\": {\"type\": \"array\", "
              "\"items\": {\"type\": \"object\"}}, \"source\": {\"type\": \"string\"}}, "
              "\"required\": [\"records\", \"source\"], \"additionalProperties\": false}",
    .read_only = true,
    .idempotent = true,
    .run = run,
};
