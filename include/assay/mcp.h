/* mcp: the Model Context Protocol over standard input and output, server and client.
 *
 * Both eras: 2024-11-05, 2025-03-26, 2025-06-18 and 2025-11-25, in which a session begins with
 * `initialize`; and 2026-07-28, in which every request stands alone and says its version in
 * params._meta. https://modelcontextprotocol.io/specification */
#ifndef ASSAY_MCP_H
#define ASSAY_MCP_H
#include <assay/base.h>
#include <assay/tool.h>
#include <jansson.h>
#include <stdbool.h>

#define MCP_VERSION_LEGACY "2025-11-25" /* the newest with initialize */
#define MCP_VERSION_MODERN "2026-07-28"

/* ---- server ---- */

struct mcp_server_options {
    struct agent_gate *gate;         /* every call goes through it */
    const struct agent_tools *tools; /* what is listed */
    size_t page;                     /* entries of a list's page; 0 = 50 */
};
/* Answers the lines that come from `in` on `out` until in ends (0) or base_interrupted(). Nothing
 * else may write to out. A client's broken message is answered, never an error here; negative when
 * out cannot be written or memory is out. */
int mcp_serve_stdio(const struct mcp_server_options *options, int in, int out);

/* ---- client ---- */

struct mcp_client;
struct mcp_client_options {
    const char *command; /* the server, run by /bin/sh -c in a process group of its own */
    double timeout;      /* seconds to wait for an answer; 0 = 30 */
    const char *version; /* revision to speak; NULL = MCP_VERSION_LEGACY, and MCP_VERSION_MODERN
                            where the server knows no initialize */
};
/* Starts the server and says hello. */
int mcp_client_open(struct mcp_client **out, const struct mcp_client_options *options);
/* Closes the server's input, gives it two seconds, then ends its process group: no orphans. NULL is
 * fine. */
void mcp_client_close(struct mcp_client *c);
/* {"name", "version", ...} of the server and the protocol revision agreed on. Borrowed. */
const json_t *mcp_client_server(const struct mcp_client *c);
const char *mcp_client_version(const struct mcp_client *c);
/* One request; *result is new. params (may be NULL) is taken over. BASE_E_FORMAT: the server's
 * error, "CODE: message"; BASE_E_IO: it died or did not answer in time; BASE_E_LIMIT: a line beyond
 * 64 MiB. After BASE_E_IO every later request fails. */
int mcp_client_request(struct mcp_client *c, const char *method, json_t *params, json_t **result);
/* All pages of KEY/list ("tools", "prompts", "resources") as one new array. */
int mcp_client_list(struct mcp_client *c, const char *key, json_t **out);
#endif
