/* The tools that come with the program; see include/assay/tool.h. */
#include "agent/builtin.h"
#include "agent/postgres.h"
#include "agent/sqlite.h"
#include <stddef.h>

/* Tools on one SQLite file. The library is loaded here, once, and not by every worker. */
static int add_on_database(struct agent_tools *t, const char *path,
                           const struct agent_tool *const *tools, size_t n)
{
    struct agent_database_files files;
    int rc = agent_sqlite_load();
    if (!rc)
        rc = agent_database_files_make(&files, path);
    if (rc)
        return rc;
    for (size_t i = 0; i < n && !rc; i++) {
        struct agent_tool tool = *tools[i];
        tool.needs.read = files.at;
        tool.context = (void *)(uintptr_t)path;
        rc = agent_tools_add(t, &tool);
    }
    agent_database_files_free(&files);
    return rc;
}

int agent_tools_add_builtin(struct agent_tools *t, const struct agent_builtin_options *options)
{
    int rc = agent_tools_add(t, &agent_tool_calculator);
    if (!rc && options && options->files) {
        const char *const below[] = { options->files, NULL };
        struct agent_tool read = agent_tool_read_file, list = agent_tool_list_files;
        read.needs.read = list.needs.read = below;
        read.context = list.context = (void *)(uintptr_t)options->files;
        rc = agent_tools_add(t, &read);
        if (!rc)
            rc = agent_tools_add(t, &list);
    }
    if (!rc && options && options->weather) {
        const char *const table[] = { options->weather, NULL };
        struct agent_tool weather = agent_tool_weather;
        weather.needs.read = table;
        weather.context = (void *)(uintptr_t)options->weather;
        rc = agent_tools_add(t, &weather);
    }
    static const struct agent_tool *const documents[] = { &agent_tool_search };
    static const struct agent_tool *const database[] = { &agent_tool_query_sql,
                                                         &agent_tool_describe_database };
    if (!rc && options && options->documents)
        rc = agent_is_postgres(options->documents)
                 ? agent_postgres_add_search(t, options->documents)
                 : add_on_database(t, options->documents, documents, 1);
    if (!rc && options && options->database)
        rc = agent_is_postgres(options->database)
                 ? agent_postgres_add_database(t, options->database)
                 : add_on_database(t, options->database, database, 2);
    return rc;
}
