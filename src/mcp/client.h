/* The client's own parts: one session over one of two transports.
 *
 *   client.c          hello in both eras, requests and their rounds, lists
 *   client_answer.c   what the server says and asks while a request waits; forms
 *   client_headers.c  what a request's headers say of its body (2026-07-28)
 *   client_stdio.c    a program and its process group
 *   client_http.c     streamable HTTP on libcurl
 *   client_events.c   the text/event-stream parser
 *   client_tools.c    a server's tools among our own
 *
 * A client makes one request at a time; others wait for it under the lock. All reading is done by
 * the request that waits: between requests nothing is read and nothing is told. */
#ifndef MCP_CLIENT_H
#define MCP_CLIENT_H
#include "base/buffer.h"
#include <assay/mcp.h>
#include <pthread.h>
#include <stdatomic.h>

#define MCP_META         "io.modelcontextprotocol/"
#define MCP_MESSAGE_MOST ((size_t)64 << 20)

/* Who waits for one request. */
struct mcp_watch {
    bool (*cancelled)(void *context); /* asked every 20 ms; NULL = never */
    void (*progress)(void *context, double done, double total, const char *message);
    void *context;
    double timeout; /* seconds; 0 = the client's */
};
/* mcp_client_request with somebody who may cancel it (BASE_E_INTERRUPTED) and hears how far it is.
 * *timed_out (may be NULL) tells a deadline from other failures. */
int mcp_client_request_watched(struct mcp_client *c, const char *method, json_t *params,
                               const struct mcp_watch *watch, bool *timed_out, json_t **result);

/* Before a call: starts a program anew that has ended or was given up (what its tools say of
 * themselves is in doubt then), and hears what the server has said since the last request. */
int mcp_client_wake(struct mcp_client *c);

/* One message that goes out and is answered. */
struct mcp_exchange {
    const json_t *message; /* with jsonrpc, id and method */
    const char *method;
    const json_t *params;
    json_int_t id;
    double until; /* moved on by the time that `asked` takes */
    const struct mcp_watch *watch;
    double looked;  /* when the waiter was last asked whether it still waits */
    unsigned asked; /* how often the server has asked */
    json_t *answer; /* the whole answering message, when it has come */
};
struct mcp_transport {
    /* Sends x->message and gives every message that comes to mcp_client_take, until x->answer. */
    int (*exchange)(struct mcp_client *c, struct mcp_exchange *x);
    /* Sends what nobody answers: a notification, or an answer of ours. x: the exchange during which
     * it is sent, or NULL. */
    int (*send)(struct mcp_client *c, const json_t *message, double until);
    /* After hello: over HTTP of the era of sessions, listens for what belongs to no request. */
    int (*listen)(struct mcp_client *c);
    /* Takes what has come while nobody waited, without waiting itself. */
    int (*hear)(struct mcp_client *c);
    void (*close)(struct mcp_client *c);
};
struct mcp_client {
    const struct mcp_transport *transport;
    void *line;                  /* the transport's own */
    char *name;                  /* command or address, for messages and pins */
    struct mcp_client_options o; /* strings are NULL or live as long as the open call */
    pthread_mutex_t lock;
    json_int_t next_id;
    json_t *server, *offers; /* what the server said of itself, and its capabilities */
    json_t *can;             /* our capabilities */
    json_t *headers;         /* name of a tool -> its header map, or why it has none */
    const char *version;     /* NULL before hello */
    bool http;               /* no program, an address */
    bool modern;             /* the era that requests are made in */
    bool broken;             /* a program that is gone: nothing works any more */
    bool session_lost;       /* HTTP: the server knows our session no more */
    bool refused;            /* the last failure was the server's no, not a lost line */
    bool timed_out;
    double tools_stale;        /* 2026-07-28: when the list of tools is no longer to be relied on */
    atomic_bool tools_changed; /* it has said so since the list was last asked for */
    atomic_bool tools_doubted; /* and one was found that is not what it was */
    json_t *left_out;          /* tools that cannot be used, and why */
    struct mcp_remote *remotes; /* of our own sets of tools */
};

double mcp_now(void); /* monotonic seconds */
/* Whether the wait is over: 0, or an error with its message (timed out, cancelled, Ctrl-C). */
int mcp_exchange_over(struct mcp_client *c, struct mcp_exchange *x);
/* Milliseconds until one must look again, at most 200; 20 when somebody may cancel. */
int mcp_exchange_wait(const struct mcp_exchange *x);
/* Acts on one message of the server's; x may be NULL. Negative when it cannot be gone on. */
int mcp_client_take(struct mcp_client *c, struct mcp_exchange *x, const json_t *message);
/* {"jsonrpc", "method", "params"}; params may be NULL and is taken over. NULL: no memory. */
json_t *mcp_client_note(const char *method, json_t *params);

/* What the server asks of us, by way of `asked`: *result is new. */
int mcp_client_ask(struct mcp_client *c, const char *method, const json_t *params, json_t **result);
/* Gives an accepted answer to a form the defaults of what it leaves out, and checks it.
 * BASE_E_FORMAT: it does not fit the form; or the form is none. */
int mcp_form_complete(const json_t *params, json_t *result);

/* Notes a tool that is left out, with base_error_message(). */
int mcp_client_leave_out(struct mcp_client *c, const char *tool);
struct mcp_remote;
void mcp_remotes_free(struct mcp_remote *r);
int mcp_client_stdio_open(struct mcp_client *c, const char *command);
int mcp_client_http_open(struct mcp_client *c, const char *url, const char *token);

/* ---- headers of 2026-07-28 ---- */

/* Appends value as a header may carry it: itself where that is printable ASCII without blanks at
 * its ends, else =?base64?...?=. */
int mcp_header_append(struct base_buffer *b, const char *value, size_t n);
/* The x-mcp-header annotations of a tool's input schema: *map becomes {"HEADER": ["path", "to"]}.
 * BASE_E_FORMAT when one breaks the rules: on anything but a string, integer or boolean below
 * "properties" alone; a name that is empty, no token (RFC 9110) or there twice. */
int mcp_header_map(const json_t *schema, json_t **map);
/* Calls add("Mcp-Param-NAME: value") for each header of map that arguments have a value for. */
int mcp_header_params(const json_t *map, const json_t *arguments,
                      int (*add)(void *context, const char *line), void *context);

/* ---- text/event-stream ---- */

/* https://html.spec.whatwg.org/multipage/server-sent-events.html: lines end with LF, CR or both;
 * an empty line ends an event. */
struct mcp_events {
    /* data is whole; an event without data is not told. Negative ends the reading. */
    int (*event)(void *context, const char *type, const char *data, size_t bytes);
    void *context;
    size_t most;           /* bytes of one event: beyond it BASE_E_LIMIT */
    struct base_buffer id; /* the last one that came whole; kept over connections */
    double retry;          /* seconds before connecting again, < 0 = not said */
    /* inside */
    struct base_buffer line, data, type, next_id;
    bool any_data, id_given, after_return, begun;
};
int mcp_events_feed(struct mcp_events *e, const char *bytes, size_t n);
/* A new connection: what was half there is dropped, id and retry stay. */
void mcp_events_restart(struct mcp_events *e);
void mcp_events_free(struct mcp_events *e);
#endif
