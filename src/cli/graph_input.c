/* Reading a graph as the options of a command say (graph_input.h). */
#include "cli/graph_input.h"
#include <string.h>

int cli_graph_read(const struct cli_command *command, const struct cli_graph_input *input,
                   const char *path, struct graph **out)
{
    struct graph_read_options o = { .source = input->source,
                                    .target = input->target,
                                    .weight = input->weight,
                                    .directed = input->directed };
    const char *header = input->header, *between = input->delimiter;
    *out = NULL;
    if (header && strcmp(header, "yes") == 0)
        o.table.header = DATA_HEADER_YES;
    else if (header && strcmp(header, "no") == 0)
        o.table.header = DATA_HEADER_NO;
    else if (header && strcmp(header, "auto") != 0)
        return cli_usage(command, "--header %s: choose auto, yes or no", header);
    if (between && (strcmp(between, "tab") == 0 || strcmp(between, "\\t") == 0))
        o.table.delimiter = '\t';
    else if (between && strcmp(between, "space") == 0)
        o.table.delimiter = ' ';
    else if (between && strlen(between) == 1)
        o.table.delimiter = between[0];
    else if (between)
        return cli_usage(command, "--delimiter \"%s\": one character, tab or space", between);
    return graph_read(out, path, &o) ? cli_fail(command) : 0;
}
