/* The set of tools as the rest of the room sees it. */
#ifndef AGENT_TOOLS_H
#define AGENT_TOOLS_H
#include <assay/tool.h>

struct agent_tool_entry {
    struct agent_tool tool; /* every pointer but context is the entry's own */
    json_t *input, *output; /* as declared: exported untouched */
    struct agent_schema *arguments, *result;
};
const struct agent_tool_entry *agent_tools_entry(const struct agent_tools *t, const char *name);
#endif
