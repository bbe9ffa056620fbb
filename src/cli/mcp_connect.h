/* A connection to an MCP server, as the options of a command name it: a program or an address. What
 * the server says meanwhile goes to standard error; what it asks is asked at the terminal. */
#ifndef CLI_MCP_CONNECT_H
#define CLI_MCP_CONNECT_H
#include "base/buffer.h"
#include "base/progress.h"
#include "cli/cli.h"
#include <assay/mcp.h>

struct cli_mcp {
    const char *command, *url, *token_env, *version, *answer, *log;
    double timeout;
    struct cli_strings roots;
    /* inside */
    struct mcp_client *client;
    struct base_progress *bar;
    bool announced; /* that nobody is at the terminal */
};
/* clang-format off */
#define CLI_MCP_OPTIONS(m)                                                                         \
    { "command", 0, CLI_STRING, &(m).command, "COMMAND", "The server, run by a shell." },          \
    { "url", 0, CLI_STRING, &(m).url, "URL", "The server's address: http(s)://HOST:PORT/mcp." },   \
    { "token-env", 0, CLI_STRING, &(m).token_env, "NAME",                                          \
      "The variable of the environment that holds the bearer token." },                            \
    { "timeout", 0, CLI_DOUBLE, &(m).timeout, "SECONDS", "How long an answer may take (30)." },    \
    { "protocol", 0, CLI_STRING, &(m).version, "REVISION",                                         \
      "2024-11-05 ... 2025-11-25 or 2026-07-28 (what the server knows)." }
/* For commands during which a server may ask and tell. */
#define CLI_MCP_ANSWER_OPTIONS(m)                                                                  \
    { "answer", 0, CLI_STRING, &(m).answer, "ANSWER",                                              \
      "Answer to the server's forms, instead of the terminal: a JSON object, decline or cancel." }, \
    { "root", 0, CLI_STRINGS, &(m).roots, "DIR", "A directory that the server may know of." },     \
    { "log", 0, CLI_STRING, &(m).log, "LEVEL", "Least level of the server's log: debug ... emergency." }
/* clang-format on */
#define CLI_MCP_DETAILS                                                                            \
    "--command COMMAND starts the server and ends it with all that it leaves behind, --url "       \
    "connects to one over HTTP. "
#define CLI_MCP_ANSWER_DETAILS                                                                     \
    "The server's progress and log go to standard error. When it asks for something, its form "    \
    "comes to the terminal; without a terminal the answer is no, unless --answer gives one (what " \
    "that leaves out is filled in with the form's defaults)."

/* Opens m->client; hears: the server may ask and tell. 0, 2 after a usage error, 1 after another
 * message. */
int cli_mcp_open(const struct cli_command *self, struct cli_mcp *m, bool hears);
void cli_mcp_close(struct cli_mcp *m);

/* A server's form, filled in at the terminal or by `answer` (NULL: nothing given). *result: as
 * elicitation/create wants it. */
int cli_form_answer(const json_t *params, const char *server, const char *answer, json_t **result);

/* Any JSON value for people: objects as lines of key and value, lists of objects as tables, text in
 * lines of the terminal's width, every line indented. */
int cli_append_value(struct base_buffer *b, const json_t *value, int indent);
/* Text of several lines, control characters visible, filled to the terminal's width. */
int cli_append_text(struct base_buffer *b, int indent, const char *text, size_t bytes);
#endif
