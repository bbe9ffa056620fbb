/* tools/call: the gate's answer as content, and what is told while it runs. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/protocol_private.h"
#include <string.h>

/* A tool's result, or what kept it from one, as content. */
static int give_content(struct mcp_request *r, const struct agent_result *result)
{
    bool failed = result->outcome != AGENT_OK;
    json_t *content = json_array(), *answer = NULL;
    char *text = failed ? base_format("%s: %s", agent_outcome_name(result->outcome),
                                      result->message ? result->message : "")
                        : base_json_dump(result->value, false);
    int rc = content && text ? 0 : BASE_E_MEMORY;
    if (!rc && json_array_append_new(content, json_pack("{s:s, s:o}", "type", "text", "text",
                                                        base_json_text(text, strlen(text)))))
        rc = BASE_E_MEMORY;
    if (!rc && !failed && result->message &&
        json_array_append_new(content,
                              json_pack("{s:s, s:s}", "type", "text", "text", result->message)))
        rc = BASE_E_MEMORY;
    if (!rc)
        answer = json_pack("{s:O, s:b}", "content", content, "isError", failed);
    if (answer && !failed && json_is_object(result->value) &&
        json_object_set(answer, "structuredContent", result->value)) {
        json_decref(answer);
        answer = NULL;
    }
    json_decref(content);
    base_free(text);
    return mcp_give(r, answer);
}

/* Progress must grow: what does not is not told. */
void mcp_progress(struct mcp_request *r, double done, double total, const char *message)
{
    json_t *token = json_object_get(r->meta, "progressToken");
    if (!(json_is_string(token) || json_is_integer(token)) || !(done > r->progress))
        return;
    r->progress = done;
    json_t *params =
        json_pack("{s:O, s:o}", "progressToken", token, "progress", base_json_number(done));
    if (params && total > 0)
        json_object_set_new(params, "total", base_json_number(total));
    if (params && message && !mcp_legacy_before(r, "2025-03-26"))
        json_object_set_new(params, "message", base_json_text(message, strlen(message)));
    mcp_tell(r, "notifications/progress", params);
}

static void on_progress(void *context, double done, double total, const char *message)
{
    mcp_progress(context, done, total, message);
}

int mcp_tools_call(struct mcp_request *r)
{
    const char *name = json_string_value(json_object_get(r->params, "name"));
    json_t *arguments = json_object_get(r->params, "arguments");
    if (!name)
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.name: expected the name of a tool");
    if (arguments && !json_is_object(arguments))
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.arguments: expected an object");
    if (!agent_tools_find(r->o->tools, name))
        return mcp_refuse(r, MCP_INVALID_PARAMS, "Unknown tool: %.64s", name);
    arguments = arguments ? json_incref(arguments) : json_object();
    struct agent_result result;
    const struct agent_call call = { .tool = name,
                                     .arguments = arguments,
                                     .caller = r->caller,
                                     .session = r->s->name,
                                     .cancelled = mcp_is_cancelled,
                                     .progress = on_progress,
                                     .context = r };
    int rc = arguments ? agent_call_run(r->o->gate, &call, &result) : BASE_E_MEMORY;
    json_decref(arguments);
    if (rc == BASE_E_MEMORY)
        return rc;
    if (rc)
        return mcp_refuse(r, MCP_INTERNAL_ERROR, "%s", base_error_message());
    rc = result.outcome == AGENT_INVALID && mcp_legacy_before(r, MCP_VERSION_LEGACY)
             ? mcp_refuse(r, MCP_INVALID_PARAMS, "%s", result.message)
             : give_content(r, &result);
    agent_result_free(&result);
    return rc;
}
