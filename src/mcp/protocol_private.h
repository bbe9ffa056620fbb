/* What the files of the server's protocol share: see protocol.h for the whole.
 *
 * protocol.c            JSON-RPC: messages, methods, errors
 * protocol_session.c    servers, sessions, running requests, cancellation, questions to the client
 * protocol_lists.c      hello, lists and their pages
 * protocol_calls.c      tools/call: content, progress, log messages, approval */
#ifndef MCP_PROTOCOL_PRIVATE_H
#define MCP_PROTOCOL_PRIVATE_H
#include "mcp/protocol.h"
#include <pthread.h>

#define MCP_META   "io.modelcontextprotocol/"
#define MCP_TTL_MS 60000

/* RFC 5424's, as the protocol names them, from the least to the most severe. */
enum mcp_level {
    MCP_DEBUG,
    MCP_INFO,
    MCP_NOTICE,
    MCP_WARNING,
    MCP_ERROR,
    MCP_CRITICAL,
    MCP_ALERT,
    MCP_EMERGENCY,
    MCP_LEVELS
};

struct mcp_server {
    struct mcp_server_options o;
    pthread_mutex_t lock;
};

/* A request that has come, from mcp_session_take (or mcp_answer) until its answer is made. */
struct mcp_running {
    struct mcp_running *next;
    json_t *id;
    bool begun, cancelled;
};
/* A question to the other side; lives on the asker's stack. */
struct mcp_asked {
    struct mcp_asked *next;
    json_int_t id;
    json_t *answer; /* the whole message */
};

struct mcp_session {
    struct mcp_server *server;
    char *name, *principal;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t moved; /* something was answered, cancelled or ended */
    const char *version;
    char caller[128];     /* "mcp:NAME" */
    json_t *capabilities; /* of the client; NULL = none */
    enum mcp_level level; /* of log messages */
    struct mcp_running *running;
    struct mcp_asked *asked;
    json_int_t last_asked;
    size_t n_begun;
    bool ended; /* no more messages will come */
    bool closing;
    void (*send)(void *context, const json_t *message);
    void *send_context;
};

/* One request while it is answered. */
struct mcp_request {
    struct mcp_session *s;
    const struct mcp_server_options *o;
    const struct mcp_peer *peer;
    struct mcp_running *running;
    const json_t *id, *params, *meta;
    const char *method;
    bool modern;
    const char *version; /* that it is in; NULL: legacy before initialize */
    char caller[128];
    json_t *capabilities; /* of the client; NULL = none */
    double progress;      /* last told */
    json_t *result;       /* or */
    int code;             /* an error */
    int status;           /* of HTTP; 0 = 200 */
    char message[400];
    json_t *data;
    bool silent; /* no answer is sent now, or at all */
};

/* ---- protocol.c ---- */

/* The request's answer is an error. 0. */
int mcp_refuse(struct mcp_request *r, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The request's answer is result (taken over; NULL is no memory). */
int mcp_give(struct mcp_request *r, json_t *result);
bool mcp_legacy_before(const struct mcp_request *r, const char *version);
/* {"jsonrpc", "method", "params"}; params is taken over. NULL: no memory. */
json_t *mcp_notification(const char *method, json_t *params);

/* ---- protocol_session.c ---- */

void mcp_caller_set(char caller[128], const json_t *info);
/* Begins and ends a request's run; NULL: no memory. */
struct mcp_running *mcp_run_begin(struct mcp_session *s, const json_t *id);
void mcp_run_end(struct mcp_session *s, struct mcp_running *run);
/* A request that has come and is not yet begun; 0, or no memory. */
int mcp_run_note(struct mcp_session *s, const json_t *id);
void mcp_run_cancel(struct mcp_session *s, const json_t *id);
/* An answer that has come to what was asked; one that nobody waits for is dropped. */
void mcp_asked_answer(struct mcp_session *s, const json_t *id, const json_t *message);
/* Whether the request is to end: cancelled, its reader gone, its session closed. */
bool mcp_is_cancelled(void *request);
/* Sends a notification that belongs to the request; params is taken over. What nobody hears is
 * dropped. */
void mcp_tell(struct mcp_request *r, const char *method, json_t *params);
/* Whether the client has said that it can do this: "sampling", "roots", "elicitation". */
bool mcp_client_can(const struct mcp_request *r, const char *capability);
/* Asks the client (of a session with initialize) and waits, five minutes at most: *result is new.
 * params is taken over. BASE_E_ARGUMENT: it cannot be asked; BASE_E_FORMAT: it answered with an
 * error; BASE_E_LIMIT: not in time; BASE_E_INTERRUPTED: the request was cancelled. */
int mcp_ask(struct mcp_request *r, const char *method, json_t *params, json_t **result);

/* ---- protocol_lists.c ---- */

/* A page of `all` (taken over) under `key`; the cursor is the number of entries before it. */
int mcp_give_page(struct mcp_request *r, const char *key, json_t *all);
/* mcp_give, with how long a client of 2026-07-28 may keep the result. */
int mcp_give_cached(struct mcp_request *r, json_t *result);

/* ---- protocol_calls.c ---- */

void mcp_progress(struct mcp_request *r, double done, double total, const char *message);

/* ---- methods ---- */

int mcp_initialize(struct mcp_request *r);
int mcp_discover(struct mcp_request *r);
int mcp_ping(struct mcp_request *r);
int mcp_tools_list(struct mcp_request *r);
int mcp_tools_call(struct mcp_request *r);
#endif
