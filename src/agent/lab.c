/* The laboratory's own commands as tools; see include/assay/tool.h. What they are called, take and
 * give stands in lab_tools.json: the common definitions ($defs) are put into each result's schema,
 * as far as it uses them, and the arguments that every table has ("table") into those with a file.
 */
#include "agent/lab.h"
#include "agent/postgres_private.h"
#include "base/embed.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/store.h"
#include <string.h>

BASE_EMBED(agent_lab_tools, "src/agent/lab_tools.json");

/* On which ground a tool stands. */
enum ground { DATA, NUMBERS, MODEL, STORE };
static const struct {
    const char *name;
    agent_tool_fn *run;
    enum ground ground;
    unsigned cpu_s, wall_s;
    size_t memory; /* MiB */
} lab_tools[] = {
    { "describe_table", lab_describe_table, DATA, 60, 60, 512 },
    { "summarize_dataset", lab_summarize_dataset, DATA, 60, 60, 1024 },
    { "run_analysis", lab_run_analysis, DATA, 60, 60, 1024 },
    { "sample_table", lab_sample_table, DATA, 60, 60, 512 },
    { "statistics", lab_statistics, NUMBERS, 20, 20, 256 },
    { "perplexity", lab_perplexity, MODEL, 600, 300, 4096 },
    { "evaluate", lab_evaluate, MODEL, 3600, 1800, 8192 },
    { "list_runs", lab_list_runs, STORE, 10, 10, 256 },
};

/* The definitions of `from` that are referred to in `schema`, and those that they refer to, into
 * its own $defs. */
static int add_definitions(json_t *schema, const json_t *from)
{
    json_t *own = json_object_get(schema, "$defs");
    const char *name;
    json_t *definition;
    bool more = true;
    if (!own && (json_object_set_new(schema, "$defs", json_object()) ||
                 !(own = json_object_get(schema, "$defs"))))
        return BASE_E_MEMORY;
    while (more) {
        char *text = base_json_dump(schema, false);
        if (!text)
            return BASE_E_MEMORY;
        more = false;
        json_object_foreach((json_t *)(uintptr_t)from, name, definition)
        {
            char reference[80];
            snprintf(reference, sizeof reference, "\"#/$defs/%s\"", name);
            if (strstr(text, reference) && !json_object_get(own, name)) {
                json_object_set(own, name, definition);
                more = true;
            }
        }
        base_free(text);
    }
    return 0;
}

/* The arguments with the model's name, whose pattern is what load_model relies on. */
static int add_model(json_t *properties)
{
    return json_object_set_new(
               properties, "model",
               json_pack("{s:s, s:s, s:i, s:s}", "type", "string", "pattern",
                         "^(builtin:tiny|[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*){"
                         "0,7})$",
                         "maxLength", 400, "description",
                         "A model by its name below the directory of models, or builtin:tiny (the "
                         "default)"))
               ? BASE_E_MEMORY
               : 0;
}

/* libpq is there before the first call. */
static void prepare_server(void)
{
    agent_pq_load();
}

static int add_tool(struct agent_tools *t, const json_t *all, size_t i,
                    const struct agent_lab_options *o)
{
    const json_t *described = json_object_get(all, lab_tools[i].name);
    json_t *input = json_deep_copy(json_object_get(described, "input"));
    json_t *output = json_deep_copy(json_object_get(described, "output"));
    json_t *properties = json_object_get(input, "properties");
    const char *read[3] = { NULL, NULL, NULL };
    size_t n = 0;
    int rc = input && output ? 0 : BASE_E_MEMORY;
    if (lab_tools[i].ground == DATA && !rc &&
        json_object_update(properties, json_object_get(all, "table")))
        rc = BASE_E_MEMORY;
    if (lab_tools[i].ground == MODEL && !rc)
        rc = add_model(properties);
    if (!rc)
        rc = add_definitions(output, json_object_get(all, "$defs"));
    char *in = rc ? NULL : base_json_dump(input, false);
    char *out = rc ? NULL : base_json_dump(output, false);
    struct agent_tool tool = { .name = lab_tools[i].name,
                               .title = lab_string(described, "title"),
                               .description = lab_string(described, "description"),
                               .input = in,
                               .output = out,
                               .read_only = true,
                               .idempotent = true,
                               .pure = lab_tools[i].ground == NUMBERS,
                               .run = lab_tools[i].run };
    const char *ground = lab_tools[i].ground == DATA    ? o->data
                         : lab_tools[i].ground == MODEL ? o->models
                         : lab_tools[i].ground == STORE ? o->store
                                                        : NULL;
    tool.context = (void *)(uintptr_t)ground;
    bool server = lab_tools[i].ground == STORE && ground && eval_store_is_server(ground);
    if (ground && !server)
        read[n++] = ground;
    if (lab_tools[i].ground == MODEL && o->data) /* evaluate: a task's files; after the models */
        read[n++] = o->data;
    char *address = server && !rc ? agent_postgres_public(ground) : NULL;
    if (server && !rc && !address)
        rc = BASE_E_MEMORY;
    if (server) {
        tool.prepare = prepare_server;
        tool.open = lab_open_store;
    }
    tool.needs = (struct agent_capabilities){ .read = n ? read : NULL,
                                              .connect = address,
                                              .threads = lab_tools[i].ground == MODEL,
                                              .cpu_ms = lab_tools[i].cpu_s * 1000,
                                              .wall_ms = lab_tools[i].wall_s * 1000,
                                              .memory = lab_tools[i].memory << 20,
                                              .output = (size_t)4 << 20 };
    if (!rc)
        rc = in && out ? agent_tools_add(t, &tool) : BASE_E_MEMORY;
    base_free(address);
    base_free(in);
    base_free(out);
    json_decref(input);
    json_decref(output);
    return rc;
}

int agent_tools_add_lab(struct agent_tools *t, const struct agent_lab_options *options)
{
    static const struct agent_lab_options nothing = { 0 };
    const struct agent_lab_options *o = options ? options : &nothing;
    json_t *all = NULL;
    int rc = base_json_parse(&all, agent_lab_tools, (size_t)(agent_lab_tools_end - agent_lab_tools),
                             "lab_tools.json");
    for (size_t i = 0; i < sizeof lab_tools / sizeof *lab_tools && !rc; i++)
        if (lab_tools[i].ground != STORE || o->store)
            rc = add_tool(t, all, i, o);
    json_decref(all);
    return rc;
}
