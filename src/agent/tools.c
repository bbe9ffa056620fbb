/* The set of tools and their definitions as APIs want them; see include/assay/tool.h. */
#include "agent/tools.h"
#include "base/json.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

struct agent_tools {
    struct agent_tool_entry **at; /* by name */
    size_t n;
    struct agent_schema *meta; /* what their schemas are held against; made with the first */
};

int agent_tools_make(struct agent_tools **out)
{
    return (*out = base_alloc_zero(1, sizeof **out)) ? 0 : BASE_E_MEMORY;
}

static void list_free(const char *const *list)
{
    for (size_t i = 0; list && list[i]; i++)
        base_free((char *)(uintptr_t)list[i]);
    base_free((void *)(uintptr_t)list);
}

static void entry_free(struct agent_tool_entry *e)
{
    if (!e)
        return;
    const char *const strings[] = { e->tool.name,          e->tool.title,
                                    e->tool.description,   e->tool.input,
                                    e->tool.output,        e->tool.needs.exec,
                                    e->tool.needs.connect, e->tool.needs.exec_directory };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        base_free((char *)(uintptr_t)strings[i]);
    list_free(e->tool.needs.read);
    list_free(e->tool.needs.write);
    list_free(e->tool.needs.exec_arguments);
    json_decref(e->input);
    json_decref(e->output);
    agent_schema_free(e->arguments);
    agent_schema_free(e->result);
    base_free(e);
}

void agent_tools_free(struct agent_tools *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        entry_free(t->at[i]);
    base_free(t->at);
    agent_schema_free(t->meta);
    base_free(t);
}

static int string_copy(const char **out, const char *s)
{
    *out = s ? base_strdup(s) : NULL;
    return s && !*out ? BASE_E_MEMORY : 0;
}

static int list_copy(const char *const **out, const char *const *list)
{
    size_t n = 0;
    *out = NULL;
    if (!list)
        return 0;
    while (list[n])
        n++;
    const char **copy = base_alloc_zero(n + 1, sizeof *copy);
    *out = copy;
    for (size_t i = 0; copy && i < n; i++)
        if (!(copy[i] = base_strdup(list[i])))
            return BASE_E_MEMORY;
    return copy ? 0 : BASE_E_MEMORY;
}

static bool is_name(const char *s)
{
    size_t n = strlen(s);
    return n && n <= 64 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

/* Position of the first name not before `name`. */
static size_t lower_bound(const struct agent_tools *t, const char *name)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(t->at[middle]->tool.name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int schema_compile(struct agent_tools *t, const char *tool, const char *what,
                          const char *text, json_t **json, struct agent_schema **schema)
{
    struct agent_schema_options options = { 0 };
    char *name = base_format("tool %s: %s", tool, what);
    int rc = name ? base_json_parse_wire(json, text, strlen(text), 0, name) : BASE_E_MEMORY;
    if (!rc && !t->meta)
        rc = agent_schema_compile_meta(&t->meta);
    options.meta = t->meta;
    if (!rc)
        rc = agent_schema_compile(schema, *json, name, &options);
    base_free(name);
    return rc;
}

int agent_tools_add(struct agent_tools *t, const struct agent_tool *tool)
{
    if (!tool->name || !is_name(tool->name))
        return base_error_set(BASE_E_ARGUMENT,
                              "tool name \"%.80s\": expected 1 to 64 of A-Z a-z 0-9 _ -",
                              tool->name ? tool->name : "");
    size_t place = lower_bound(t, tool->name);
    if (place < t->n && strcmp(t->at[place]->tool.name, tool->name) == 0)
        return base_error_set(BASE_E_ARGUMENT, "tool %s: there is one of this name already",
                              tool->name);
    struct agent_tool_entry *e = base_alloc_zero(1, sizeof *e);
    int rc = e ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    struct agent_tool *copy = &e->tool;
    copy->needs = tool->needs;
    copy->read_only = tool->read_only;
    copy->idempotent = tool->idempotent;
    copy->open_world = tool->open_world;
    copy->pure = tool->pure;
    copy->prepare = tool->prepare;
    copy->run = tool->run;
    copy->open = tool->open;
    copy->remote = tool->remote;
    copy->context = tool->context;
    copy->needs.read = copy->needs.write = NULL;
    copy->needs.exec = copy->needs.connect = copy->needs.exec_directory = NULL;
    copy->needs.exec_arguments = NULL;
    if ((rc = string_copy(&copy->name, tool->name)) ||
        (rc = string_copy(&copy->title, tool->title)) ||
        (rc = string_copy(&copy->description, tool->description ? tool->description : "")) ||
        (rc = string_copy(&copy->input, tool->input ? tool->input : "{\"type\": \"object\"}")) ||
        (rc = string_copy(&copy->output, tool->output)) ||
        (rc = string_copy(&copy->needs.exec, tool->needs.exec)) ||
        (rc = string_copy(&copy->needs.connect, tool->needs.connect)) ||
        (rc = string_copy(&copy->needs.exec_directory, tool->needs.exec_directory)) ||
        (rc = list_copy(&copy->needs.exec_arguments, tool->needs.exec_arguments)) ||
        (rc = list_copy(&copy->needs.read, tool->needs.read)) ||
        (rc = list_copy(&copy->needs.write, tool->needs.write)) ||
        (rc = schema_compile(t, copy->name, "arguments", copy->input, &e->input, &e->arguments)) ||
        (copy->output &&
         (rc = schema_compile(t, copy->name, "result", copy->output, &e->output, &e->result))))
        goto out;
    const char *type = json_string_value(json_object_get(e->input, "type"));
    if (!type || strcmp(type, "object") != 0) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "tool %s: the arguments' schema must say \"type\": \"object\"",
                            tool->name);
        goto out;
    }
    struct agent_tool_entry **grown = base_realloc(t->at, t->n + 1, sizeof(e));
    if (!grown) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    t->at = grown;
    memmove(t->at + place + 1, t->at + place, (t->n - place) * sizeof(e));
    t->at[place] = e;
    t->n++;
    e = NULL;
out:
    entry_free(e);
    return rc;
}

size_t agent_tools_count(const struct agent_tools *t)
{
    return t->n;
}

const struct agent_tool *agent_tools_at(const struct agent_tools *t, size_t i)
{
    return i < t->n ? &t->at[i]->tool : NULL;
}

const struct agent_tool_entry *agent_tools_entry(const struct agent_tools *t, const char *name)
{
    size_t i = lower_bound(t, name);
    return i < t->n && strcmp(t->at[i]->tool.name, name) == 0 ? t->at[i] : NULL;
}

const struct agent_tool *agent_tools_find(const struct agent_tools *t, const char *name)
{
    const struct agent_tool_entry *e = agent_tools_entry(t, name);
    return e ? &e->tool : NULL;
}

int agent_tool_export(const struct agent_tools *t, const struct agent_tool *tool,
                      enum agent_form form, json_t **out)
{
    const struct agent_tool_entry *e = agent_tools_entry(t, tool->name);
    if (!e)
        return base_error_set(BASE_E_ARGUMENT, "no tool %s", tool->name);
    switch (form) {
    case AGENT_FORM_OPENAI:
        *out = json_pack("{s:s, s:{s:s, s:s, s:O}}", "type", "function", "function", "name",
                         tool->name, "description", tool->description, "parameters", e->input);
        break;
    case AGENT_FORM_ANTHROPIC:
        *out = json_pack("{s:s, s:s, s:O}", "name", tool->name, "description", tool->description,
                         "input_schema", e->input);
        break;
    default: {
        const struct agent_capabilities *needs = &tool->needs;
        bool changes = needs->write || needs->exec || !tool->read_only;
        *out = json_pack("{s:s, s:s*, s:s, s:O, s:O*, s:{s:b, s:b, s:b, s:b}}", "name", tool->name,
                         "title", tool->title, "description", tool->description, "inputSchema",
                         e->input, "outputSchema", e->output, "annotations", "readOnlyHint",
                         tool->read_only, "destructiveHint", changes, "idempotentHint",
                         tool->idempotent, "openWorldHint", tool->open_world);
        break;
    }
    }
    return *out ? 0 : base_error_set(BASE_E_MEMORY, "out of memory while describing a tool");
}

int agent_tools_export(const struct agent_tools *t, enum agent_form form, json_t **out)
{
    json_t *all = json_array();
    int rc = all ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < t->n && !rc; i++) {
        json_t *one = NULL;
        rc = agent_tool_export(t, &t->at[i]->tool, form, &one);
        if (!rc && json_array_append_new(all, one))
            rc = BASE_E_MEMORY;
    }
    if (rc)
        json_decref(all);
    else
        *out = all;
    return rc;
}
