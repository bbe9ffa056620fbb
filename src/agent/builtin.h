/* The built-in tools' functions; see builtin.c. */
#ifndef AGENT_BUILTIN_H
#define AGENT_BUILTIN_H
#include <assay/tool.h>
int agent_calculate(const char *expression, json_t **out); /* calculator.c */
/* Their context is the path of a directory or table, which lives as long as the tools. */
extern const struct agent_tool agent_tool_calculator, agent_tool_read_file, agent_tool_list_files,
    agent_tool_weather, agent_tool_search, agent_tool_query_sql, agent_tool_describe_database;

/* The same tools on PostgreSQL (postgres_tool.c, search_postgres.c): the address and the target
 * (agent_index_address) live as long as t. */
int agent_postgres_add_database(struct agent_tools *t, const char *address);
int agent_postgres_add_search(struct agent_tools *t, const char *target);
/* A tool that is like another but for these; address: what it connects to. */
int agent_postgres_tool_add(struct agent_tools *t, const struct agent_tool *like,
                            const char *description, agent_open_fn *open, agent_tool_fn *run,
                            const char *context, const char *address);
agent_open_fn agent_postgres_tool_open; /* its context is the address */
#endif
