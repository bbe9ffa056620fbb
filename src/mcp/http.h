/* What the files of the HTTP server share.
 *
 * http.c           the server: listening, worker threads, the watch over connections, the end
 * http_request.c   what libmicrohttpd calls: fields, body, refusals; and what it sends
 * http_answer.c    a request as the protocol sees it, on a worker thread
 * http_session.c   sessions with initialize, their streams and the events kept for later
 * http_value.c     header values
 *
 * libmicrohttpd gives every connection a thread, which reads a request, hands it to a worker thread
 * and waits. There are few workers while they get on, so that a crowd of short calls does not start
 * a crowd of processes; when they do not, because calls last, there are more. The worker fills the
 * exchange's answer, or its stream, and wakes it. The main thread watches: deadlines, clients that
 * have gone, sessions nobody uses. (With one thread for all connections, libmicrohttpd 0.9.75 reads
 * again from a connection that it resumes, and closes it without an answer when the client has
 * ended its half.)
 *
 * One lock guards everything. It is never held while the protocol's functions are called, which
 * call back with locks of their own. */
#ifndef MCP_HTTP_H
#define MCP_HTTP_H
#include "base/buffer.h"
#include "base/hash.h"
#include "mcp/http_value.h"
#include "mcp/protocol.h"
#include <microhttpd.h>
#include <pthread.h>

#define HTTP_BODY_MOST   ((size_t)16 << 20)
#define HTTP_BODIES_MOST ((size_t)256 << 20) /* of all requests together */
#define HTTP_UNREAD_MOST ((size_t)8 << 20)   /* of a stream, until its reader counts as gone */
#define HTTP_KEPT_MOST   ((size_t)4 << 20)   /* events of a session, for those who come back */
#define HTTP_ALL_KEPT    ((size_t)64 << 20)  /* and of all sessions */
#define HTTP_STALL_MS    10                  /* without a worker that takes work: one more */
#define HTTP_RETRY_MS    500                 /* after which a client should come back */
#define HTTP_BEAT        15.0                /* seconds between comments on a silent stream */

/* libmicrohttpd's functions, loaded when a server starts. */
/* clang-format off */
#define HTTP_FUNCTIONS(X)                                                                          \
    X(start_daemon) X(stop_daemon) X(quiesce_daemon)                                               \
    X(get_connection_values) X(get_connection_info)                                                \
    X(create_response_from_buffer_with_free_callback) X(create_response_from_callback)             \
    X(add_response_header) X(queue_response) X(destroy_response)
/* clang-format on */
struct http_functions {
#define X(name) __typeof__(MHD_##name) *name;
    HTTP_FUNCTIONS(X)
#undef X
};
extern struct http_functions http_mhd;

struct http;
struct http_exchange;

/* A connection, from accept to close. */
struct http_link {
    struct http_link *next, **at;
    int fd;
    double since; /* when the wait for a request, or for its body, began, or bytes last left */
    bool busy;    /* a request is answered */
    bool ended;   /* by us */
    int unsent;   /* bytes that its client has not taken */
};

/* ---- sessions ---- */

/* Something said on a stream, kept for a client that comes back. */
struct http_event {
    struct http_event *next;
    struct http_record *record;
    uint64_t number;
    size_t bytes;
    char text[]; /* as it is sent */
};
/* A stream of a session: it outlives the connection that reads it. */
struct http_record {
    struct http_record *next;
    uint64_t id, said;            /* number of its last event; the first is 1 */
    uint64_t dropped;             /* of the last event that is kept no more */
    size_t kept;                  /* events */
    bool ended;                   /* by its last event */
    bool standalone;              /* of a GET: for what belongs to no request */
    struct http_exchange *reader; /* NULL: nobody reads now */
};
struct http_session {
    struct http *h;
    struct http_session *next; /* in its bucket */
    char id[33];
    struct mcp_session *mcp;
    unsigned users; /* exchanges, and the table while it is alive */
    bool dead;
    double used; /* when the last exchange left it */
    uint64_t streams;
    struct http_record *records;
    struct http_event *first, **last;
    size_t kept_bytes;
};
#define HTTP_BUCKETS 256

/* ---- exchanges ---- */

enum http_state {
    HTTP_READING,   /* the body comes */
    HTTP_RUNNING,   /* a worker has it */
    HTTP_ANSWERED,  /* status and text are there */
    HTTP_STREAMING, /* what is in `text` is sent as it comes, until `ended` */
    HTTP_DROPPED,   /* the connection is to be closed without an answer */
};
enum http_method { HTTP_POST, HTTP_GET, HTTP_DELETE };

/* A request and its answer. Held by libmicrohttpd until it is completed, and by the worker. */
struct http_exchange {
    struct http *h;
    struct http_exchange *next, **at; /* of all that are open */
    struct http_exchange *queue;      /* the next that waits for a worker */
    unsigned users;
    struct MHD_Connection *connection; /* NULL: completed */
    struct http_link *link;
    enum http_method method;
    enum http_state state;
    bool begun;   /* a worker has it */
    bool waiting; /* its connection's thread, for something new */
    pthread_cond_t news;
    bool gone;     /* nobody will read what is said */
    bool modern;   /* a request of 2026-07-28 */
    bool ended;    /* nothing follows `text` */
    double spoken; /* when something was last put on the stream */
    /* the fields that are needed later, trimmed; NULL: not given */
    char *version, *session_id, *mcp_method, *mcp_name, *last_event;
    struct http_param *params;
    size_t n_params;
    char *origin;  /* to be allowed by name in the answer */
    bool repeated; /* a field that decides was given twice */
    struct base_buffer body;
    size_t counted; /* of it, in h->body_bytes */
    size_t excess;  /* bytes that came although the request was refused */
    /* the answer */
    unsigned status;
    struct base_buffer text; /* or the stream's bytes that are not yet sent, from `sent` on */
    size_t sent;
    char new_session[33];
    struct http_session *session; /* held */
    struct http_record *record;   /* that is read here */
    struct http_record *stream;   /* that this request has opened; it lasts until its answer */
};

struct http {
    const struct mcp_server_options *server;
    const struct mcp_http_options *o;
    struct mcp_server *mcp;
    struct MHD_Daemon *daemon;
    bool loopback;               /* bound to this machine alone: Host must name it */
    char token[BASE_SHA256_HEX]; /* digest; "" = none */
    char principal[32];
    struct http_origin *origins;
    size_t n_origins, n_sessions_most;
    unsigned n_links_most;
    double deadline, idle;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work, quiet;
    struct http_exchange *waiting, **last_waiting;
    unsigned threads, resting;
    double taken; /* when a worker last took something, or was added */
    bool stopping;
    struct http_exchange *open;
    struct http_link *links;
    size_t n_links, body_bytes, kept_bytes;
    struct http_session *sessions[HTTP_BUCKETS];
    size_t n_sessions;
};

/* ---- http.c ---- */

/* Gives an exchange to a worker; false: there is none and none can be made. Locked. */
bool http_work_add(struct http *h, struct http_exchange *x);
/* Adds a worker where none has taken anything for some milliseconds although x waits. Locked. */
void http_work_hurry(struct http *h, const struct http_exchange *x);
/* Gives up one user of the exchange; its memory may be gone then. Locked on entry and return, but
 * not in between where the last user of a session ends it. */
void http_exchange_leave(struct http_exchange *x);

/* ---- http_request.c ---- */

void http_on_connection(void *h, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code);
enum MHD_Result http_on_request(void *h, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_bytes, void **context);
void http_on_completed(void *h, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code);
/* Something is new for the connection's thread. Locked. */
void http_wake(struct http_exchange *x);
/* Puts bytes on the exchange's stream. Locked. */
int http_say(struct http_exchange *x, const char *text, size_t bytes);

/* ---- http_answer.c ---- */

/* Answers a request that has come as a whole. */
void http_answer(struct http_exchange *x);

/* ---- http_session.c; all locked unless said otherwise ---- */

/* A new session, held by its maker and the table. BASE_E_LIMIT: there are too many. Not locked. */
int http_session_make(struct http *h, struct http_session **out);
/* The session of that id, held; NULL: there is none. */
struct http_session *http_session_find(struct http *h, const char *id);
void http_session_leave(struct http_session *s);
/* No longer to be found; its streams end. */
void http_session_end(struct http_session *s);
/* Ends those that nobody has used for h->idle seconds. */
void http_sessions_expire(struct http *h, double now);
/* Makes x the reader of a new stream. */
int http_record_open(struct http_session *s, struct http_exchange *x, bool standalone);
/* Makes x the reader of a stream from after an event on. BASE_E_ARGUMENT: there is no such stream
 * or event any more. */
int http_record_resume(struct http_session *s, uint64_t stream, uint64_t event,
                       struct http_exchange *x);
/* Says a message on a stream: to its reader, and for later. */
int http_record_say(struct http_session *s, struct http_record *record, const char *json,
                    bool last);
/* Lets a stream's reader go. */
void http_record_release(struct http_record *record);
/* Ends a stream on which nothing more will be said. */
void http_record_end(struct http_session *s, struct http_record *record);
/* mcp_session_listen's: to the newest stream of a GET. Not locked. */
void http_session_hear(void *session, const json_t *message);
#endif
