/* The MCP server: lines of anything, in a session of any revision. Every answer is JSON-RPC 2.0
 * with a result or an error, and a notification has none. Nothing is called: the one tool is
 * denied. */
#include "base/json.h"
#include "mcp/protocol.h"
#include <stdlib.h>
#include <string.h>

static void check(const json_t *answer)
{
    const char *version = json_string_value(json_object_get(answer, "jsonrpc"));
    if (!version || strcmp(version, "2.0") != 0 ||
        !json_object_get(answer, "result") == !json_object_get(answer, "error"))
        abort();
}

static int never(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool, (void)arguments, (void)out;
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct agent_tools *tools;
    static struct agent_gate *gate;
    static struct agent_policy *policy;
    if (!tools) {
        const struct agent_tool tool = { .name = "t", .run = never };
        if (agent_tools_make(&tools) || agent_tools_add(tools, &tool) ||
            agent_policy_parse(&policy, "default: deny\n", 14, "p"))
            abort();
        const struct agent_gate_options options = { .policy = policy };
        if (agent_gate_make(&gate, tools, &options))
            abort();
    }
    const struct mcp_server_options o = { .gate = gate, .tools = tools };
    struct mcp_server *server = NULL;
    struct mcp_session *s = NULL;
    if (mcp_server_make(&server, &o) || mcp_session_make(&s, server, "fuzz", "fuzz"))
        abort();
    while (size) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;
        json_t *message = NULL, *answer = NULL;
        int status = 0, taken = 0;
        if (mcp_message_parse(s, (const char *)data, n, &message, &answer) < 0 ||
            !message != (answer != NULL))
            abort();
        if (message && (taken = mcp_session_take(s, message)) < 0)
            abort();
        if (message && !taken && mcp_answer(s, NULL, message, &answer, &status))
            abort();
        if (message && !taken && (status == 202) != !answer)
            abort();
        size_t i;
        const json_t *one;
        if (json_is_array(answer))
            json_array_foreach(answer, i, one) check(one);
        else if (answer)
            check(answer);
        json_decref(answer);
        json_decref(message);
        data += n + (end != NULL);
        size -= n + (end != NULL);
    }
    mcp_session_free(s);
    mcp_server_free(server);
    return 0;
}
