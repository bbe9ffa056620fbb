/* The built-in tools' functions; see builtin.c. */
#ifndef AGENT_BUILTIN_H
#define AGENT_BUILTIN_H
#include <assay/tool.h>
int agent_calculate(const char *expression, json_t **out); /* calculator.c */
/* Their context is the path of a directory or table, which lives as long as the tools. */
extern const struct agent_tool agent_tool_calculator, agent_tool_read_file, agent_tool_list_files,
    agent_tool_weather, agent_tool_search, agent_tool_query_sql, agent_tool_describe_database;
#endif
