/* Completion: what an argument of a prompt, or a variable of a resource's template, could be. Names
 * come from what is there now, and of a column or a task among those of the data set or run that is
 * known already. First those that begin with what is typed, then those that hold it, without regard
 * to case. */
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "mcp/lab.h"
#include <string.h>
#include <strings.h>

static int add_all(json_t *names, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(names, json_string(words[i])))
            return BASE_E_MEMORY;
    return 0;
}
#define ADD_ALL(names, words) add_all(names, words, sizeof(words) / sizeof *(words))

/* Addresses of tables and endpoints, which stand where a data set's name may. */
static int add_addresses(struct mcp_lab *l, json_t *names)
{
    int rc = 0;
    for (size_t i = 0; i < l->databases && !rc; i++) {
        json_t *tables = json_array(), *one;
        size_t k;
        rc = tables ? mcp_lab_table_names(l, l->database[i].name, tables) : BASE_E_MEMORY;
        json_array_foreach(tables, k, one)
        {
            char *uri = mcp_lab_uri("assay://tables/{database}/{table}", l->database[i].name,
                                    json_string_value(one));
            if (!uri || json_array_append_new(names, json_string(uri)))
                rc = BASE_E_MEMORY;
            base_free(uri);
        }
        json_decref(tables);
    }
    for (size_t i = 0; i < l->endpoints && !rc; i++) {
        char *uri = mcp_lab_uri("assay://endpoints/{endpoint}", l->endpoint[i].name, NULL);
        if (!uri || json_array_append_new(names, json_string(uri)))
            rc = BASE_E_MEMORY;
        base_free(uri);
    }
    return rc;
}

/* Columns of what a data set's name or address names; none when it is not there. */
static int add_columns(struct mcp_lab *l, const char *set, json_t *names)
{
    if (!set)
        return 0;
    if (!base_starts_with(set, "assay://")) {
        int rc = mcp_lab_data_columns(l, set, names);
        return rc == MCP_NOT_MINE ? 0 : rc;
    }
    json_t *contents, *value = NULL, *column;
    size_t i;
    int rc = mcp_lab_read(l, set, &contents);
    if (rc)
        return rc == MCP_NOT_MINE ? 0 : rc;
    const json_t *text = json_object_get(json_array_get(contents, 0), "text");
    if (base_json_parse_wire(&value, json_string_value(text), json_string_length(text), 0, set))
        value = NULL; /* a text: it has no columns */
    json_array_foreach(json_object_get(value, "columns"), i, column)
    {
        if (json_array_append(names, json_object_get(column, "name")))
            rc = BASE_E_MEMORY;
    }
    json_decref(contents);
    json_decref(value);
    return rc;
}

static int add_tasks(struct mcp_lab *l, json_t *names)
{
    const json_t *tasks, *one;
    size_t i;
    int rc = mcp_lab_tasks(l, &tasks);
    if (!rc)
        json_array_foreach(tasks, i,
                           one) if (json_array_append(names, json_object_get(one, "name"))) rc =
            BASE_E_MEMORY;
    return rc;
}

/* Everything that an argument could be. */
static int all_of(struct mcp_lab *l, bool prompt, const char *argument, const json_t *others,
                  json_t *names)
{
    static const char *const numbers[] = { "0", "1", "2", "3", "4", "5", "8", "10", "16", "32" };
    static const char *const seeds[] = { "1234", "0", "1", "42" };
    static const char *const firsts[] = { "1", "101", "201", "501", "1001" };
    static const char *const lasts[] = { "100", "10", "1000" };
    const char *known = json_string_value(json_object_get(others, prompt ? "dataset" : "name"));
    int rc;
    if (!strcmp(argument, "dataset")) {
        rc = mcp_lab_data_names(l, names);
        return rc ? rc : add_addresses(l, names);
    }
    if (!strcmp(argument, "name"))
        return mcp_lab_data_names(l, names);
    if (!strcmp(argument, "column"))
        return add_columns(l, known, names);
    if (!strcmp(argument, "database")) {
        for (size_t i = 0; i < l->databases; i++)
            if (json_array_append_new(names, json_string(l->database[i].name)))
                return BASE_E_MEMORY;
        return 0;
    }
    if (!strcmp(argument, "table"))
        return mcp_lab_table_names(l, json_string_value(json_object_get(others, "database")),
                                   names);
    if (!strcmp(argument, "endpoint")) {
        for (size_t i = 0; i < l->endpoints; i++)
            if (json_array_append_new(names, json_string(l->endpoint[i].name)))
                return BASE_E_MEMORY;
        return 0;
    }
    if (!strcmp(argument, "run") || !strcmp(argument, "id"))
        return mcp_lab_run_ids(l, names);
    if (!strcmp(argument, "task") && !prompt) {
        const char *id = json_string_value(json_object_get(others, "id"));
        return id ? mcp_lab_run_tasks(l, id, names) : 0;
    }
    if (!strcmp(argument, "task"))
        return add_tasks(l, names);
    if (!strcmp(argument, "k"))
        return ADD_ALL(names, numbers);
    if (!strcmp(argument, "seed"))
        return ADD_ALL(names, seeds);
    if (!strcmp(argument, "item"))
        return add_all(names, numbers + 1, 9);
    if (!strcmp(argument, "from"))
        return ADD_ALL(names, firsts);
    if (!strcmp(argument, "to"))
        return ADD_ALL(names, lasts);
    return 0; /* a question is anybody's own */
}

static int choose(const json_t *names, const char *typed, json_t *out)
{
    size_t n = strlen(typed), i;
    const json_t *name;
    for (int pass = 0; pass < 2; pass++)
        json_array_foreach(names, i, name)
        {
            const char *text = json_string_value(name);
            bool begins = text && strncasecmp(text, typed, n) == 0;
            if (text && (pass ? !begins && strcasestr(text, typed) : begins) &&
                json_array_append(out, (json_t *)(uintptr_t)name))
                return BASE_E_MEMORY;
        }
    return 0;
}

/* Whether a template of that name has the variable. */
static bool has_variable(const struct mcp_lab *l, const char *uri, const char *argument)
{
    char *variable = base_format("{%s}", argument);
    bool found = false;
    for (size_t i = 0; variable && i < mcp_lab_route_count && !found; i++) {
        const struct lab_route *r = &mcp_lab_routes[i];
        found = r->offered(l) && strcmp(r->template, uri) == 0 && strstr(r->template, variable);
    }
    base_free(variable);
    return found;
}

int mcp_lab_complete(void *context, const json_t *ref, const char *argument, const char *value,
                     const json_t *others, json_t **values)
{
    struct mcp_lab *l = context;
    const char *type = json_string_value(json_object_get(ref, "type"));
    const char *name = json_string_value(json_object_get(ref, "name"));
    const char *uri = json_string_value(json_object_get(ref, "uri"));
    bool prompt = type && strcmp(type, "ref/prompt") == 0;
    *values = NULL;
    if (prompt ? !name || !mcp_lab_prompt_takes(l, name, argument)
               : !uri || !has_variable(l, uri, argument))
        return MCP_NOT_MINE;
    json_t *names = json_array(), *out = json_array();
    int rc = names && out ? all_of(l, prompt, argument, others, names) : BASE_E_MEMORY;
    if (!rc)
        rc = choose(names, value, out);
    json_decref(names);
    if (rc)
        json_decref(out);
    else
        *values = out;
    return rc;
}
