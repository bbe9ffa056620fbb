/* The tools query_sql and describe_database on PostgreSQL. Their worker connects before its walls
 * stand, with the address that the user gave; the call's own arguments meet a process that can send
 * to that one server and do nothing else. */
#include "agent/builtin.h"
#include "agent/postgres_private.h"
#include "base/json.h"
#include "base/memory.h"
#include <string.h>

#define ROWS_USUAL 100

int agent_postgres_tool_open(const struct agent_tool *tool, void **opened, int *socket)
{
    struct agent_postgres *p = NULL;
    int rc = agent_postgres_open(&p, tool->context, NULL);
    if (!rc) {
        *opened = p;
        *socket = agent_postgres_socket(p);
    }
    return rc;
}

/* libpq is there before the first call. */
static void prepare(void)
{
    agent_pq_load();
}

static int query_sql(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    const json_t *sql = json_object_get(arguments, "sql");
    const json_t *limit = json_object_get(arguments, "limit");
    return agent_postgres_query(tool->opened, json_string_value(sql), json_string_length(sql),
                                json_object_get(arguments, "parameters"),
                                limit ? (size_t)json_number_value(limit) : ROWS_USUAL, out);
}

static int describe_database(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    return agent_postgres_tables(tool->opened,
                                 json_string_value(json_object_get(arguments, "table")), out);
}

int agent_postgres_tool_add(struct agent_tools *t, const struct agent_tool *like,
                            const char *description, agent_open_fn *open, agent_tool_fn *run,
                            const char *context, const char *address)
{
    int rc = agent_pq_load(); /* here, once, and not by every worker */
    char *name = rc ? NULL : agent_postgres_public(address);
    if (!rc && !name)
        rc = BASE_E_MEMORY;
    struct agent_tool tool = *like;
    tool.description = description;
    tool.run = run;
    tool.prepare = prepare;
    tool.open = open;
    tool.context = (void *)(uintptr_t)context;
    tool.needs.connect = name;
    if (!rc)
        rc = agent_tools_add(t, &tool);
    base_free(name);
    return rc;
}

int agent_postgres_add_database(struct agent_tools *t, const char *address)
{
    int rc = agent_postgres_tool_add(
        t, &agent_tool_query_sql,
        "Answers one SELECT (PostgreSQL's SQL) on the user's database: at most 1,000 rows. Values "
        "belong into \"parameters\", for $1, $2 ... of the statement. describe_database tells the "
        "tables. A numeric too long for a double is told as a string: cast it to float8 for a "
        "number. Nothing can be changed, and only functions that compute can be called.",
        agent_postgres_tool_open, query_sql, address, address);
    return rc ? rc
              : agent_postgres_tool_add(
                    t, &agent_tool_describe_database,
                    "Lists the tables and views of the user's database with their columns and "
                    "about how many rows they have, or those of one table. Names are as SQL takes "
                    "them.",
                    agent_postgres_tool_open, describe_database, address, address);
}
