/* Tools out of a command's options; see ground.h. */
#include "cli/ground.h"

int cli_ground_open(const struct cli_ground *g, struct agent_tools **out)
{
    struct agent_tools *tools = NULL;
    struct agent_builtin_options builtin = g->builtin;
    *out = NULL;
    if (g->databases.count > 1 && !g->several)
        return base_error_set(BASE_E_ARGUMENT, "--database %s: tools query one database",
                              g->databases.at[1]);
    if (g->databases.count)
        builtin.database = g->databases.at[0];
    int rc = agent_tools_make(&tools);
    if (!rc)
        rc = agent_tools_add_builtin(tools, &builtin);
    if (!rc)
        rc = agent_tools_add_lab(tools, &g->lab);
    if (rc)
        agent_tools_free(tools);
    else
        *out = tools;
    return rc;
}
