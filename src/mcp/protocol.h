/* The server's half of the protocol, without a transport: one message in, its answer out, and what
 * a request says and asks meanwhile through its peer.
 *
 * A transport makes one server, a session for each connection, and for each message that comes:
 * mcp_message_parse, mcp_session_take at once, and where that says 0 mcp_answer on another thread
 * than the one that goes on reading. */
#ifndef MCP_PROTOCOL_H
#define MCP_PROTOCOL_H
#include <assay/mcp.h>

enum {
    MCP_PARSE_ERROR = -32700,
    MCP_INVALID_REQUEST = -32600,
    MCP_METHOD_NOT_FOUND = -32601,
    MCP_INVALID_PARAMS = -32602,
    MCP_INTERNAL_ERROR = -32603,
    MCP_RESOURCE_NOT_FOUND = -32002, /* through 2025-11-25 */
    MCP_HEADER_MISMATCH = -32020,    /* from here on: 2026-07-28 */
    MCP_MISSING_CAPABILITY = -32021,
    MCP_UNSUPPORTED_VERSION = -32022,
};

/* What all sessions of one server share: the options, who has subscribed to what, the secret that
 * signs request states, the fixtures' state. The options' strings and what they point to are
 * borrowed. */
struct mcp_server;
int mcp_server_make(struct mcp_server **out, const struct mcp_server_options *options);
/* After all of its sessions. NULL is fine. */
void mcp_server_free(struct mcp_server *s);

/* What one connection (standard input and output, or an HTTP session) has agreed on, its requests
 * that run and what it was asked. A request of 2026-07-28 needs no session: over HTTP it gets one
 * of its own that lasts as long as the request. Thread-safe. */
struct mcp_session;
/* name: for the gate (taint and loops) and, over HTTP, the session's id; NULL: its calls have
 * nothing to do with each other. principal: who pays for
 * it, bound into request states ("stdio", "loopback", or a hash of the bearer token). Both are
 * copied. */
int mcp_session_make(struct mcp_session **out, struct mcp_server *server, const char *name,
                     const char *principal);
/* Cancels what runs and waits until it has ended. NULL is fine. */
void mcp_session_free(struct mcp_session *s);
/* No more messages will come: what waits for the other side's answer is refused now. */
void mcp_session_end(struct mcp_session *s);
const char *mcp_session_version(const struct mcp_session *s); /* NULL before initialize */
/* Where what belongs to no request is sent: changed lists and resources. Called from any thread
 * with the server's lock held: it must neither block for long nor call back; the message is
 * borrowed. Without one such messages are dropped. */
void mcp_session_listen(struct mcp_session *s, void (*send)(void *context, const json_t *message),
                        void *context);

/* The other side, as the answerer of one request sees it. Over HTTP it is that request's stream. */
struct mcp_peer {
    /* A notification or request that belongs to this request; borrowed. false: the other side is
     * gone. NULL = nobody hears it, and nobody can be asked. Called by the thread that answers. */
    bool (*send)(void *context, const json_t *message);
    bool (*gone)(void *context); /* asked every 20 ms while a call runs; NULL = never */
    /* send works as long as the session, from any thread (standard output): then
     * subscriptions/listen goes on after mcp_answer has returned without an answer. Else mcp_answer
     * stays in it until the stream is gone, the request cancelled or the session freed. */
    bool lasting;
    /* Ends the stream now; what is sent after, the answer too, is kept for a reader who comes back
     * (Last-Event-ID). NULL = cannot. For the conformance suite's test_reconnection. */
    void (*drop)(void *context);
    void *context;
};

/* Takes one message that has come: an answer to what the session has asked, or a cancellation, is
 * acted on at once and 1 returned; every other is 0 and is noted, so that a cancellation finds it,
 * and is to be given to mcp_answer. Negative when memory is out. */
int mcp_session_take(struct mcp_session *s, const json_t *message);

/* Answers one message (or batch): *answer is new, NULL when there is none to send (notifications,
 * and requests that were cancelled). Blocks while a tool runs or the other side is asked. peer may
 * be NULL. *status (may be NULL) is the HTTP status that goes with the answer: 200, 202 without
 * one, 400, 404. Negative only when memory is out. */
int mcp_answer(struct mcp_session *s, const struct mcp_peer *peer, const json_t *message,
               json_t **answer, int *status);
/* The text of a message, or *answer, the error to send. Batches pass. Negative only when memory is
 * out. */
int mcp_message_parse(const struct mcp_session *s, const char *text, size_t bytes, json_t **message,
                      json_t **answer);
/* Whether a message is a request that speaks of itself as 2026-07-28 asks (params._meta has a
 * protocolVersion). */
bool mcp_message_modern(const json_t *message);
/* The first check of a request of 2026-07-28, before its headers are looked at: *answer is the
 * error to send with status 400, or NULL when params._meta has what it must have. */
int mcp_message_check(const json_t *message, json_t **answer);
/* The input schema of a tool, fixtures included, as it is listed: a new reference, NULL when there
 * is no such tool (or no memory). For the headers that "x-mcp-header" asks for. */
json_t *mcp_server_tool_schema(const struct mcp_server *s, const char *name);
/* An error as an answer; id and data may be NULL, and are not taken over. NULL: no memory. */
json_t *mcp_error_answer(const json_t *id, int code, const char *message, json_t *data);
#endif
