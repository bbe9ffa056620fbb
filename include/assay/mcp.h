/* mcp: the Model Context Protocol, server and client, over standard input and output or HTTP.
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

/* ---- what a server offers besides tools ---- */

/* Resources and prompts, as functions. Any may be NULL: then there are none of that kind. All are
 * called from several threads at once and may be slow. JSON values are as in the protocol's schema
 * of 2025-11-25; what is appended or returned is new. A URI, prompt or argument that is not the
 * provider's own is MCP_NOT_MINE, without an error message. */
enum { MCP_NOT_MINE = 1 };
struct mcp_provider {
    int (*resources)(void *context, json_t *list); /* appends Resource objects, in a stable order */
    int (*templates)(void *context, json_t *list); /* appends ResourceTemplate objects */
    int (*read)(void *context, const char *uri, json_t **contents); /* an array of contents */
    /* A number that changes when the resource does: asked every second for each URI that somebody
     * has subscribed to. */
    int (*stamp)(void *context, const char *uri, uint64_t *stamp);
    int (*prompts)(void *context, json_t *list); /* appends Prompt objects */
    /* {"description", "messages"}; arguments: an object of strings. BASE_E_ARGUMENT: one is missing
     * or wrong, and the message says which. */
    int (*prompt)(void *context, const char *name, const json_t *arguments, json_t **result);
    /* What an argument could be: ref is {"type": "ref/prompt", "name"} or {"type": "ref/resource",
     * "uri"}, value what is typed so far, others the arguments that are known (may be NULL). An
     * array of strings, best first; the server cuts it to 100. */
    int (*complete)(void *context, const json_t *ref, const char *argument, const char *value,
                    const json_t *others, json_t **values);
    void *context;
};

/* The laboratory as a provider: data sets and their tables, runs and reports, prompt templates. */
struct mcp_lab_options {
    const char *data;             /* directory of tables; NULL = the built-in ones only */
    const char *const *databases; /* SQLite files or postgresql:// addresses; ends with NULL */
    const char *const
        *endpoints;    /* NAME=URL of a REST endpoint that gives JSON or CSV; NULL-ended */
    const char *store; /* of runs; NULL = none */
};
struct mcp_lab;
/* Best while the program has one thread: the process from which its workers are forked is made
 * here. BASE_E_IO: what is not there; BASE_E_ARGUMENT: an endpoint that is none. */
int mcp_lab_open(struct mcp_lab **out, const struct mcp_lab_options *options);
void mcp_lab_close(struct mcp_lab *l); /* NULL is fine */
/* Borrowed; valid as long as l. */
const struct mcp_provider *mcp_lab_provider(struct mcp_lab *l);

/* ---- server ---- */

struct mcp_server_options {
    struct agent_gate *gate;             /* every call goes through it */
    const struct agent_tools *tools;     /* what is listed */
    const struct mcp_provider *provider; /* resources and prompts; NULL = none */
    size_t page;                         /* entries of a list's page; 0 = 50 */
    bool fixtures;                       /* add what the public conformance suite asks for */
};
/* Answers the lines that come from `in` on `out` until in ends (0) or base_interrupted(). Nothing
 * else may write to out. A client's broken message is answered, never an error here; negative when
 * out cannot be written or memory is out. */
int mcp_serve_stdio(const struct mcp_server_options *options, int in, int out);

struct mcp_http_options {
    const char *address; /* "127.0.0.1:8808", "[::1]:0" (0: any free port) */
    /* Asked of every request as `Authorization: Bearer TOKEN`. NULL = none, which is refused for an
     * address that is not of this machine alone. */
    const char *token;
    const char *const
        *origins; /* allowed besides this machine's own; ends with NULL; may be NULL */
    /* Told once, when the server listens: its address with the port. May be NULL. */
    void (*listening)(void *context, const char *url);
    void *context;
    double deadline; /* seconds for the head of a request, and for its body; 0 = 30 */
    double idle;     /* seconds until a session that nobody uses ends; 0 = 1,800 */
    size_t sessions; /* at most at a time; 0 = 1,024 */
};
/* Serves http://ADDRESS/mcp until base_interrupted(); then running calls are cancelled, open
 * streams closed, and it returns 0. At most 1,000 connections, or a quarter of the descriptors that
 * the process may have; bodies of at most 16 MiB. BASE_E_ARGUMENT: the address, an origin, a token
 * that is missing or empty; BASE_E_IO: it cannot listen there; BASE_E_UNSUPPORTED: without
 * libmicrohttpd. */
int mcp_serve_http(const struct mcp_server_options *options, const struct mcp_http_options *http);

/* ---- client ---- */

struct mcp_client;
/* What the server may ask of its client, "elicitation/create", "sampling/createMessage" or
 * "roots/list": *result is new. A negative code refuses, with base_error_message(). */
typedef int mcp_asked_fn(void *context, const char *method, const json_t *params, json_t **result);
struct mcp_client_options {
    const char *command;  /* the server, run by /bin/sh -c in a process group of its own; or */
    const char *url;      /* its address: http(s)://HOST:PORT/mcp */
    const char *token;    /* sent as a bearer token; NULL = none */
    double timeout;       /* seconds to wait for an answer; 0 = 30 */
    const char *version;  /* revision to speak; NULL = MCP_VERSION_LEGACY, and MCP_VERSION_MODERN
                             where the server knows no initialize */
    const char *log;      /* least level of the log messages to be told; NULL = the server's */
    mcp_asked_fn *asked;  /* NULL: the client claims none of these capabilities */
    json_t *capabilities; /* what `asked` can do, as in the protocol; borrowed */
    /* Notifications: progress, log messages, changed lists and resources. May be NULL. */
    void (*told)(void *context, const char *method, const json_t *params);
    void *context;
};
/* Starts the server or connects, and says hello. */
int mcp_client_open(struct mcp_client **out, const struct mcp_client_options *options);
/* Closes the server's input, gives it two seconds, then ends its process group: no orphans; over
 * HTTP ends the session. NULL is fine. */
void mcp_client_close(struct mcp_client *c);
/* {"name", "version", ...} of the server and the protocol revision agreed on. Borrowed. */
const json_t *mcp_client_server(const struct mcp_client *c);
const char *mcp_client_version(const struct mcp_client *c);
/* Its capabilities: {"tools", "resources", "prompts" ...}. Borrowed. */
const json_t *mcp_client_offers(const struct mcp_client *c);
/* One request; *result is new. params (may be NULL) is taken over. BASE_E_FORMAT: the server's
 * error, "CODE: message"; BASE_E_IO: it died or did not answer in time; BASE_E_LIMIT: a message
 * beyond 64 MiB; BASE_E_INTERRUPTED: Ctrl-C. A server that is told that its answer is waited for no
 * longer may be asked again; after a program has ended, or does not read what it is sent, every
 * later request is BASE_E_IO. A result that asks for input (2026-07-28) is answered by `asked` and
 * the request made again, ten times at most. May be called from several threads: requests are made
 * one after the other. Not from `asked` or `told`. */
int mcp_client_request(struct mcp_client *c, const char *method, json_t *params, json_t **result);
/* All pages of KEY/list ("tools", "prompts", "resources", "resourceTemplates") as one new array.
 * Over HTTP of 2026-07-28 tools with header annotations that break the rules are left out. */
int mcp_client_list(struct mcp_client *c, const char *key, json_t **out);

/* Tools that are left out because they cannot be used, as texts "NAME: why"; NULL = none. Borrowed,
 * until the next call. */
const json_t *mcp_client_left_out(const struct mcp_client *c);

/* ---- a server's tools among our own ---- */

/* Adds every tool of the server, as NAME or, where that is taken, PREFIX_NAME; a call goes through
 * the gate like any other, is asked for unless the policy allows it (it reaches the network), and
 * is then made by the server. A tool whose schemas cannot be used is left out. `pins` (may be NULL)
 * is a file that keeps the SHA-256 of each tool's description, schemas and annotations by server:
 * what is new is written there; when one is no longer what it was, BASE_E_ARGUMENT names it and
 * both hashes, and no tool of the server is added, until its line is taken out. When the server
 * says later that its tools have changed, they are looked at again before the next call. c must
 * live as long as t. */
int mcp_client_add_tools(struct mcp_client *c, struct agent_tools *t, const char *prefix,
                         const char *pins);
#endif
