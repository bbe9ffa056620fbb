/* The ground that tools stand on: which files, tables, databases ... a command lets tools read. One
 * table of options and one way to make the tools of it, for every command that has tools. */
#ifndef CLI_GROUND_H
#define CLI_GROUND_H
#include "cli/cli.h"
#include <assay/mcp.h>
#include <assay/tool.h>

struct cli_ground {
    struct agent_builtin_options builtin; /* its database is the first of: */
    struct cli_strings databases;
    bool several; /* the command has a use for more than one database */
    struct agent_lab_options lab;
    const char *programs;       /* a file that declares programs as tools */
    struct cli_strings servers; /* whose tools are added: commands or addresses */
    const char *pins, *server_token;
    struct mcp_client **clients; /* of them; cli_ground_close */
};
/* For the details of a command. */
#define CLI_GROUND_DETAILS                                                                         \
    "The calculator is always there, and so are the laboratory's own tools (describe_table, "      \
    "summarize_dataset, run_analysis, sample_table, statistics, perplexity, evaluate) on "         \
    "built-in "                                                                                    \
    "data and the built-in model: --data DIR lets them read tables below DIR, --models DIR load "  \
    "models below DIR, --store FILE list the runs of a store. --files DIR adds tools that read "   \
    "below DIR, --weather FILE "                                                                   \
    "a table to look weather up in (columns place and date; builtin:weather is one), --documents " \
    "INDEX the search in an index that `assay tools index` made or in a table of PostgreSQL "      \
    "(postgresql://HOST/DATABASE#TABLE), --database FILE the tools that read an SQLite file or a " \
    "PostgreSQL database (postgresql://HOST/DATABASE). --programs FILE adds programs as tools "    \
    "(docs/tools.md). --mcp SERVER adds the tools of an MCP "                                      \
    "server, a command or an address, and --pins FILE refuses those that are no longer what they " \
    "were when they were first seen."
/* Rows of a command's table of options; g is a struct cli_ground. */
/* clang-format off */
#define CLI_GROUND_OPTIONS(g)                                                                      \
    { "files", 0, CLI_STRING, &(g).builtin.files, "DIR", "Tools that read below this directory." }, \
    { "weather", 0, CLI_STRING, &(g).builtin.weather, "FILE", "A table for the weather tool." },   \
    { "documents", 0, CLI_STRING, &(g).builtin.documents, "INDEX", "An index for the search." },   \
    { "database", 0, CLI_STRINGS, &(g).databases, "FILE", "SQLite file or postgresql://." },       \
    { "data", 0, CLI_STRING, &(g).lab.data, "DIR", "Tables below it may be read and analysed." },\
    { "models", 0, CLI_STRING, &(g).lab.models, "DIR", "Models below it may be loaded by name." },\
    { "store", 0, CLI_STRING, &(g).lab.store, "FILE", "A store whose runs may be listed." },       \
    { "programs", 0, CLI_STRING, &(g).programs, "FILE", "Programs as tools, declared in YAML." }, \
    { "mcp", 0, CLI_STRINGS, &(g).servers, "SERVER", "Add the tools of an MCP server." },          \
    { "mcp-token-env", 0, CLI_STRING, &(g).server_token, "NAME",                                   \
      "Variable with the bearer token for the one --mcp address." },                               \
    { "pins", 0, CLI_STRING, &(g).pins, "FILE", "Hashes of what those tools say of themselves." }
/* clang-format on */

/* The tools that stand on g, whose strings must live as long as they. On failure *out is NULL, with
 * a message. */
int cli_ground_open(struct cli_ground *g, struct agent_tools **out);
/* Frees the tools (NULL is fine) and ends what they were asked from. */
void cli_ground_close(struct cli_ground *g, struct agent_tools *tools);
#endif
