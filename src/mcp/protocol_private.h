/* What the files of the server's protocol share: see protocol.h for the whole.
 *
 * protocol.c            JSON-RPC: messages, methods, errors
 * protocol_session.c    servers, sessions, running requests, cancellation, questions to the client
 * protocol_lists.c      hello, lists and their pages
 * protocol_calls.c      tools/call: content, progress, log messages, approval
 * protocol_resources.c  resources, prompts, completion, as the providers give them
 * protocol_subscribe.c  who hears of changed lists and resources
 * protocol_input.c      what a request needs from the client: asked at once, or in rounds
 * fixtures.c            what the public conformance suite asks for */
#ifndef MCP_PROTOCOL_PRIVATE_H
#define MCP_PROTOCOL_PRIVATE_H
#include "base/hash.h"
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

/* What can change, and be told of. */
enum mcp_change { MCP_TOOLS_CHANGED, MCP_PROMPTS_CHANGED, MCP_RESOURCES_CHANGED, MCP_CHANGES };

struct mcp_subscription; /* of subscriptions/listen */
struct mcp_server {
    struct mcp_server_options o;
    unsigned char secret[32]; /* signs request states */
    pthread_mutex_t lock;     /* of all that follows */
    pthread_cond_t moved;     /* something for a subscription, or an end */
    struct mcp_session *sessions;
    struct mcp_subscription *subscriptions;
    json_t *stamps;                    /* of the resources that somebody has subscribed to */
    char list_digest[BASE_SHA256_HEX]; /* of the resources, "" = not yet known */
    pthread_t watcher;                 /* looks after both */
    bool watching, stopping;
    bool extra_tool, extra_prompt; /* fixtures that come and go */
    /* Set when the server is made; tests shorten them. */
    int state_seconds;   /* how long a request state holds */
    double list_seconds; /* between two looks at the list of resources, at least */
    int pause_ms;        /* of the fixtures that take their time */
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
    struct mcp_session *next; /* under the server's lock, with the next three */
    json_t *uris;             /* subscribed to: an object with these keys; NULL = none */
    void (*send)(void *context, const json_t *message);
    void *send_context;
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
    enum mcp_level level; /* of log messages; MCP_LEVELS = none */
    double progress;      /* last told */
    json_t *given;        /* answers of the client by key; NULL = none */
    json_t *known;        /* keys that a signed state says were asked for */
    json_t *wanted;       /* questions of this round by key */
    json_t *result;       /* or */
    int code;             /* an error */
    int status;           /* of HTTP; 0 = 200 */
    char message[400];
    json_t *data;
    bool silent;  /* no answer is sent now, or at all */
    bool parting; /* the answer says that the session ends */
};

/* ---- protocol.c ---- */

/* The request's answer is an error. 0. */
int mcp_refuse(struct mcp_request *r, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The request's answer is result (taken over; NULL is no memory). In 2026-07-28 it gets its type,
 * unless it has one, and says who made it. */
int mcp_give(struct mcp_request *r, json_t *result);
/* The same for an error that a call of the library has left. */
int mcp_refuse_error(struct mcp_request *r, int rc);
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
/* Whether the client has said that it can do this: "sampling", "roots", "elicitation" (of forms).
 */
bool mcp_client_can(const struct mcp_request *r, const char *capability);
/* Asks the client (of a session with initialize) and waits, five minutes at most: *result is new.
 * params is taken over. BASE_E_ARGUMENT: it cannot be asked; BASE_E_FORMAT: it answered with an
 * error; BASE_E_LIMIT: not in time; BASE_E_INTERRUPTED: the request was cancelled. */
int mcp_ask(struct mcp_request *r, const char *method, json_t *params, json_t **result);
void mcp_condition_make(pthread_cond_t *c); /* on the monotonic clock */

/* ---- protocol_lists.c ---- */

/* Name and version; NULL: no memory. */
json_t *mcp_server_info(const struct mcp_request *r);
/* A page of `all` (taken over) under `key`; the cursor is the number of entries before it. */
int mcp_give_page(struct mcp_request *r, const char *key, json_t *all);
/* mcp_give, with how long a client of 2026-07-28 may keep the result. */
int mcp_give_cached(struct mcp_request *r, json_t *result);
/* Whether there are resources and prompts: without them their methods are not there. */
bool mcp_has_resources(const struct mcp_server_options *o);
bool mcp_has_prompts(const struct mcp_server_options *o);
bool mcp_has_completion(const struct mcp_server_options *o);
bool mcp_has_stamps(const struct mcp_server_options *o); /* subscriptions to resources */

/* ---- protocol_calls.c ---- */

void mcp_progress(struct mcp_request *r, double done, double total, const char *message);
/* A log message, if the client wants to hear one of this level; data is taken over. */
void mcp_log(struct mcp_request *r, enum mcp_level level, const char *logger, json_t *data);
/* MCP_LEVELS when it is none. */
enum mcp_level mcp_level_of(const char *name);

/* ---- protocol_resources.c ---- */

/* The i-th provider, the fixtures first; NULL after the last. */
const struct mcp_provider *mcp_provider_at(const struct mcp_server *s, size_t i);
/* The stamp of a resource; MCP_NOT_MINE when nobody has one. */
int mcp_stamp(const struct mcp_server *s, const char *uri, uint64_t *stamp);

/* ---- protocol_subscribe.c ---- */

/* A session (with initialize) hears when the resource changes, or no longer. BASE_E_LIMIT: too
 * many.
 */
int mcp_session_subscribe(struct mcp_session *s, const char *uri, uint64_t stamp);
void mcp_session_unsubscribe(struct mcp_session *s, const char *uri);
/* Tells all who want to hear it. */
void mcp_changed(struct mcp_server *s, enum mcp_change what);
/* Forgets what a session has subscribed to, or the subscription that request `id` began (NULL =
 * all of the session): those that outlive their request are told that they have ended, unless
 * cancelled. */
void mcp_unsubscribe_all(struct mcp_session *s, const json_t *id, bool cancelled);
/* Where somebody may want to hear of changes: a session with initialize, a subscription. */
void mcp_watcher_start(struct mcp_server *s);
void mcp_watcher_stop(struct mcp_server *s);

/* ---- protocol_input.c ---- */

int mcp_secret_make(unsigned char secret[32]);
/* Reads what the request brings of earlier rounds. 1: go on; 0: refused; negative: no memory. */
int mcp_input_begin(struct mcp_request *r);
/* What the client says to a question ("elicitation/create", "sampling/createMessage" or
 * "roots/list"; params is taken over): 1 and *answer, borrowed from the request; 0 when it will be
 * asked in this round's result (mcp_input_wanted) or, the request being refused, not at all.
 * asked_for: an answer counts only if a signed state of this very request says that it was asked
 * for. A session with initialize is asked at once; where that fails the request is refused. */
int mcp_input(struct mcp_request *r, const char *key, const char *method, json_t *params,
              bool asked_for, const json_t **answer);
bool mcp_input_wanted(const struct mcp_request *r);
/* The result that asks for what is wanted. */
int mcp_give_input(struct mcp_request *r);
/* Refuses the request when the client cannot do this; true when it can. */
bool mcp_require(struct mcp_request *r, const char *capability);

/* ---- fixtures.c ---- */

int mcp_fixture_tools(const struct mcp_server *s, json_t *list); /* appends */
/* Answers tools/call, or MCP_NOT_MINE. */
int mcp_fixture_call(struct mcp_request *r, const char *name, const json_t *arguments);
/* Answers prompts/get for those that need more than a provider has, or MCP_NOT_MINE. */
int mcp_fixture_prompt(struct mcp_request *r, const char *name);
/* Resources and prompts; the context is the server. */
extern const struct mcp_provider mcp_fixture_provider;

/* ---- methods ---- */

int mcp_initialize(struct mcp_request *r);
int mcp_discover(struct mcp_request *r);
int mcp_ping(struct mcp_request *r);
int mcp_set_level(struct mcp_request *r);
int mcp_tools_list(struct mcp_request *r);
int mcp_tools_call(struct mcp_request *r);
int mcp_resources_list(struct mcp_request *r);
int mcp_templates_list(struct mcp_request *r);
int mcp_resources_read(struct mcp_request *r);
int mcp_resources_subscribe(struct mcp_request *r);
int mcp_resources_unsubscribe(struct mcp_request *r);
int mcp_prompts_list(struct mcp_request *r);
int mcp_prompts_get(struct mcp_request *r);
int mcp_complete(struct mcp_request *r);
int mcp_listen(struct mcp_request *r);
#endif
