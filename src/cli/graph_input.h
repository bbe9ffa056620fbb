/* What every command that reads a graph has in common: the columns, directions and dialect of an
 * edge list. */
#ifndef CLI_GRAPH_INPUT_H
#define CLI_GRAPH_INPUT_H
#include "cli/cli.h"
#include <assay/graph.h>

struct cli_graph_input {
    const char *source, *target, *weight; /* columns */
    const char *header;                   /* auto, yes, no */
    const char *delimiter;
    bool directed;
};
#define CLI_GRAPH_OPTIONS(input)                                                                   \
    { "source",   0,                                                                               \
      CLI_STRING, &(input).source,                                                                 \
      "COLUMN",   "Column of an edge list that an edge starts from (default: the first)." },       \
        { "target",        0,        CLI_STRING,                                                   \
          &(input).target, "COLUMN", "Column that it leads to (default: the second)." },           \
        { "weight",        0,        CLI_STRING,                                                   \
          &(input).weight, "COLUMN", "Column of edge weights (default: none)." },                  \
        { "directed", 0, CLI_FLAG, &(input).directed, NULL, "Edges have a direction." },           \
        { "header",   0,                                                                           \
          CLI_STRING, &(input).header,                                                             \
          "WHEN",     "Whether the first row names the columns: auto (default), yes, no." },       \
    {                                                                                              \
        "delimiter", 0, CLI_STRING, &(input).delimiter, "C",                                       \
            "What stands between columns: a character, tab, or space for any blanks (default: by " \
            "the file's name, or its first line; standard input: a comma)."                        \
    }

/* Reads the graph at path ("-" is standard input). 0, or the exit code after a message. */
int cli_graph_read(const struct cli_command *command, const struct cli_graph_input *input,
                   const char *path, struct graph **out);
#endif
