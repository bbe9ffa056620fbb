/* Tools out of a command's options; see ground.h. */
#include "cli/ground.h"

int cli_ground_open(const struct cli_ground *g, struct agent_tools **out)
{
    struct agent_tools *tools = NULL;
    int rc = agent_tools_make(&tools);
    *out = NULL;
    if (!rc)
        rc = agent_tools_add_builtin(tools, &g->builtin);
    if (!rc)
        rc = agent_tools_add_lab(tools, &g->lab);
    if (rc)
        agent_tools_free(tools);
    else
        *out = tools;
    return rc;
}
