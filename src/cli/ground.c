/* Tools out of a command's options; see ground.h. */
#include "cli/ground.h"
#include "base/memory.h"
#include "base/progress.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_address(const char *s)
{
    return strncasecmp(s, "http://", 7) == 0 || strncasecmp(s, "https://", 8) == 0;
}

/* That its tools have changed is for the client to hear; the rest is of no use to tools. */
static void told(void *context, const char *method, const json_t *params)
{
    (void)context, (void)method, (void)params;
}

/* Connects to each server and adds its tools; what has a name that is taken gets the server's own
 * name before it. */
static int add_servers(struct cli_ground *g, struct agent_tools *tools)
{
    const char *token = g->server_token ? getenv(g->server_token) : NULL;
    if (g->server_token && !token)
        return base_error_set(BASE_E_ARGUMENT, "--mcp-token-env %s: there is no such variable",
                              g->server_token);
    if (token && (g->servers.count != 1 || !is_address(g->servers.at[0])))
        return base_error_set(BASE_E_ARGUMENT,
                              "--mcp-token-env: a token is for one address, given with --mcp");
    if (!g->servers.count)
        return g->pins ? base_error_set(BASE_E_ARGUMENT, "--pins: of which --mcp?") : 0;
    if (!(g->clients = base_alloc_zero(g->servers.count, sizeof(struct mcp_client *))))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < g->servers.count; i++) {
        const char *at = g->servers.at[i];
        const struct mcp_client_options o = { .command = is_address(at) ? NULL : at,
                                              .url = is_address(at) ? at : NULL,
                                              .token = token,
                                              .told = told };
        int rc = mcp_client_open(&g->clients[i], &o);
        const json_t *name = rc ? NULL : json_object_get(mcp_client_server(g->clients[i]), "name");
        char prefix[24];
        snprintf(prefix, sizeof prefix, "%.20s",
                 json_string_length(name) ? json_string_value(name) : "mcp");
        if (!rc)
            rc = mcp_client_add_tools(g->clients[i], tools, prefix, g->pins);
        if (rc)
            return rc;
        const json_t *left_out = mcp_client_left_out(g->clients[i]);
        for (size_t k = 0; k < json_array_size(left_out); k++)
            base_log("%.60s: left out: %s", at, json_string_value(json_array_get(left_out, k)));
    }
    return 0;
}

void cli_ground_close(struct cli_ground *g, struct agent_tools *tools)
{
    agent_tools_free(tools);
    for (size_t i = 0; g->clients && i < g->servers.count; i++)
        mcp_client_close(g->clients[i]);
    base_free(g->clients);
    g->clients = NULL;
}

int cli_ground_open(struct cli_ground *g, struct agent_tools **out)
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
    if (!rc && g->programs)
        rc = agent_tools_add_programs(tools, g->programs);
    if (!rc)
        rc = add_servers(g, tools);
    if (rc)
        cli_ground_close(g, tools);
    else
        *out = tools;
    return rc;
}
