/* The server's half of the protocol, without a transport: one message in, one answer out. */
#ifndef MCP_PROTOCOL_H
#define MCP_PROTOCOL_H
#include <assay/mcp.h>

enum {
    MCP_PARSE_ERROR = -32700,
    MCP_INVALID_REQUEST = -32600,
    MCP_METHOD_NOT_FOUND = -32601,
    MCP_INVALID_PARAMS = -32602,
    MCP_INTERNAL_ERROR = -32603,
    MCP_UNSUPPORTED_VERSION = -32022,
};

/* What a connection has agreed on. */
struct mcp_session {
    const char *version; /* after initialize; NULL before */
    char caller[128];    /* "mcp:NAME" */
    const char *name;    /* for the gate: taint and loops */
    /* Asked while a call runs, with the id of its request. */
    bool (*cancelled)(void *context, const json_t *id);
    void *context;
};

/* Answers one message (or batch): *answer is new, NULL when there is none to send. text need not be
 * JSON. Negative only when memory is out. */
int mcp_answer(const struct mcp_server_options *o, struct mcp_session *s, const char *text,
               size_t bytes, json_t **answer);
/* An error as an answer; id and data may be NULL, and are not taken over. NULL: no memory. */
json_t *mcp_error_answer(const json_t *id, int code, const char *message, json_t *data);
/* The id of a cancelled request in a notification, borrowed; NULL when it is another message. */
const json_t *mcp_cancelled_id(const json_t *message);
#endif
