/* Programs as tools: a YAML file that says what each is and may touch.
 *
 *   tools:
 *     - name: word_count                # as agent_tools_add
 *       description: Counts the words of a text.
 *       command: [./count.py, --all]    # the program and its arguments; never a shell's line
 *       input: {type: object, ...}      # JSON Schemas
 *       output: {type: object, ...}
 *       read: [data]                    # paths that it may read, and write
 *       write: [out]
 *       network: false                  # and threads, processes, read_only, idempotent, open_world
 *       cpu_ms: 2000                    # and wall_ms, memory_bytes, output_bytes
 *
 * Every key is known or the file is refused. Paths begin at the file's directory, where the program
 * is started, too; they are resolved here, links included, so that what is allowed is what was
 * there when the file was read. */
#include "agent/policy.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOOLS_MOST 1000
#define PATHS_MOST 64

/* What a tool is made of until it has been added. */
struct declaration {
    char *program, *input, *output; /* base_free */
    const char *arguments[PATHS_MOST + 1];
    char *read[PATHS_MOST + 1], *write[PATHS_MOST + 1];
};

static void declaration_free(struct declaration *d)
{
    base_free(d->program);
    base_free(d->input);
    base_free(d->output);
    for (size_t i = 0; i < PATHS_MOST; i++) {
        base_free(d->read[i]);
        base_free(d->write[i]);
    }
}

/* The place that a path of the file means, which must be there. */
static int resolve(const char *directory, const char *path, const char *where, char **out)
{
    char *joined = *path == '/' ? base_strdup(path) : base_path_join(directory, path);
    char *whole = joined ? realpath(joined, NULL) : NULL;
    int rc = 0;
    if (!joined)
        rc = BASE_E_MEMORY;
    else if (!whole)
        rc = base_error_set(BASE_E_IO, "%s: %.300s: %s", where, joined, strerror(errno));
    else if (!(*out = base_strdup(whole)))
        rc = BASE_E_MEMORY;
    base_free(joined);
    free(whole);
    return rc;
}

/* A string of a list that can be handed to a program. */
static int string_at(const json_t *list, size_t i, const char *where, const char **out)
{
    const json_t *v = json_array_get(list, i);
    *out = json_string_value(v);
    if (!*out || strlen(*out) != json_string_length(v))
        return base_error_set(BASE_E_FORMAT, "%s: [%zu]: expected a text without NUL", where, i);
    return 0;
}

static int list_check(const json_t *o, const char *key, const char *where, size_t least)
{
    const json_t *list = json_object_get(o, key);
    if ((list || least) && (!json_is_array(list) || json_array_size(list) < least ||
                            json_array_size(list) > PATHS_MOST))
        return base_error_set(BASE_E_FORMAT, "%s: %s: expected a list of %zu to %d texts", where,
                              key, least, PATHS_MOST);
    return 0;
}

static int paths_read(const json_t *o, const char *key, const char *directory, const char *where,
                      char *out[PATHS_MOST + 1])
{
    const json_t *list = json_object_get(o, key);
    int rc = list_check(o, key, where, 0);
    for (size_t i = 0; i < json_array_size(list) && !rc; i++) {
        const char *path;
        rc = string_at(list, i, where, &path);
        if (!rc)
            rc = resolve(directory, path, where, &out[i]);
    }
    return rc;
}

static int command_read(const json_t *o, const char *directory, const char *where,
                        struct declaration *d)
{
    const json_t *list = json_object_get(o, "command");
    const char *program = NULL;
    int rc = list_check(o, "command", where, 1);
    if (rc || (rc = string_at(list, 0, where, &program)))
        return rc;
    if (!strchr(program, '/'))
        return base_error_set(BASE_E_FORMAT,
                              "%s: command: \"%.100s\" is looked for nowhere: give a path, such as "
                              "/usr/bin/%.100s or ./%.100s",
                              where, program, program, program);
    if ((rc = resolve(directory, program, where, &d->program)))
        return rc;
    struct stat st;
    if (stat(d->program, &st) || !S_ISREG(st.st_mode) || access(d->program, X_OK))
        return base_error_set(BASE_E_IO, "%s: %.300s is not a program that may be started", where,
                              d->program);
    for (size_t i = 1; i < json_array_size(list) && !rc; i++)
        rc = string_at(list, i, where, &d->arguments[i - 1]);
    return rc;
}

static int schema_read(const json_t *o, const char *key, const char *where, char **out)
{
    const json_t *schema = json_object_get(o, key);
    if (!schema)
        return 0;
    if (!json_is_object(schema))
        return base_error_set(BASE_E_FORMAT, "%s: %s: expected a JSON Schema", where, key);
    return (*out = base_json_dump(schema, false)) ? 0 : BASE_E_MEMORY;
}

static int tool_read(struct agent_tools *t, const json_t *o, const char *directory,
                     const char *where)
{
    static const char *const keys[] = { "name",         "title",       "description", "command",
                                        "input",        "output",      "read",        "write",
                                        "network",      "threads",     "processes",   "read_only",
                                        "idempotent",   "open_world",  "cpu_ms",      "wall_ms",
                                        "memory_bytes", "output_bytes" };
    struct declaration d = { 0 };
    struct agent_tool tool = { .needs.exec_directory = directory };
    struct agent_capabilities *needs = &tool.needs;
    int64_t cpu = 0, wall = 0, memory = 0, output = 0;
    if (!json_is_object(o))
        return base_error_set(BASE_E_FORMAT, "%s: expected a mapping", where);
    int rc = agent_keys_check(o, where, "program", keys, sizeof keys / sizeof *keys);
    if (rc || (rc = base_json_get_string(o, "name", where, true, &tool.name)) ||
        (rc = base_json_get_string(o, "title", where, false, &tool.title)) ||
        (rc = base_json_get_string(o, "description", where, true, &tool.description)) ||
        (rc = base_json_get_bool(o, "network", where, false, &needs->network)) ||
        (rc = base_json_get_bool(o, "threads", where, false, &needs->threads)) ||
        (rc = base_json_get_bool(o, "processes", where, false, &needs->processes)) ||
        (rc = base_json_get_bool(o, "read_only", where, false, &tool.read_only)) ||
        (rc = base_json_get_bool(o, "idempotent", where, false, &tool.idempotent)) ||
        (rc = base_json_get_bool(o, "open_world", where, false, &tool.open_world)) ||
        (rc = agent_number_get(o, "cpu_ms", where, 1, &cpu)) ||
        (rc = agent_number_get(o, "wall_ms", where, 1, &wall)) ||
        (rc = agent_number_get(o, "memory_bytes", where, 1, &memory)) ||
        (rc = agent_number_get(o, "output_bytes", where, 1, &output)) ||
        (rc = schema_read(o, "input", where, &d.input)) ||
        (rc = schema_read(o, "output", where, &d.output)) ||
        (rc = command_read(o, directory, where, &d)) ||
        (rc = paths_read(o, "read", directory, where, d.read)) ||
        (rc = paths_read(o, "write", directory, where, d.write)))
        goto out;
    const int64_t day = 24 * 3600 * 1000;
    needs->cpu_ms = (unsigned)(cpu < day ? cpu : day);
    needs->wall_ms = (unsigned)(wall < day ? wall : day);
    needs->memory = (size_t)memory;
    needs->output = (size_t)output;
    needs->exec = d.program;
    needs->exec_arguments = d.arguments;
    needs->read = d.read[0] ? (const char *const *)d.read : NULL;
    needs->write = d.write[0] ? (const char *const *)d.write : NULL;
    tool.input = d.input;
    tool.output = d.output;
    if ((rc = agent_tools_add(t, &tool)))
        base_error_prefix(rc, "%s", where);
out:
    declaration_free(&d);
    return rc;
}

int agent_tools_parse_programs(struct agent_tools *t, const char *text, size_t bytes,
                               const char *directory, const char *name)
{
    static const char *const keys[] = { "tools" };
    json_t *document = NULL;
    char *whole = NULL;
    int rc = base_yaml_parse(&document, text, bytes, name);
    if (rc)
        return rc;
    const json_t *tools = json_object_get(document, "tools");
    if (!json_is_object(document) || !json_is_array(tools) || json_array_size(tools) > TOOLS_MOST)
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: expected a mapping whose \"tools\" are a list of at most %d", name,
                            TOOLS_MOST);
    if (!rc)
        rc = agent_keys_check(document, name, "file of programs", keys, 1);
    if (!rc)
        rc = resolve("", directory, name, &whole);
    for (size_t i = 0; i < json_array_size(tools) && !rc; i++) {
        char *where = base_format("%s: tools[%zu]", name, i);
        rc = where ? tool_read(t, json_array_get(tools, i), whole, where) : BASE_E_MEMORY;
        base_free(where);
    }
    base_free(whole);
    json_decref(document);
    return rc;
}

int agent_tools_add_programs(struct agent_tools *t, const char *path)
{
    char *text, *directory;
    size_t bytes;
    int rc = base_file_read(path, (size_t)1 << 20, &text, &bytes);
    if (rc)
        return rc;
    const char *slash = strrchr(path, '/');
    directory = slash ? base_format("%.*s/", (int)(slash - path), path) : base_strdup("./");
    rc = directory ? agent_tools_parse_programs(t, text, bytes, directory, path) : BASE_E_MEMORY;
    base_free(directory);
    base_free(text);
    return rc;
}
