/* The tools that come with the program; see include/assay/tool.h. */
#include "agent/builtin.h"
#include <stddef.h>

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
    return rc;
}
