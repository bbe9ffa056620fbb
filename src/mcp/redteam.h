/* Attacks by MCP servers on whoever uses their tools. */
#ifndef MCP_REDTEAM_H
#define MCP_REDTEAM_H
#include "agent/redteam.h"

/* The tries of hostile servers, which are shell scripts, added to *out of agent_redteam_run. An
 * error is only what kept them from being tried. */
int mcp_redteam_run(struct agent_audit *audit, struct agent_redteam *out);
#endif
