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
    if (answer && !failed && (r->modern || json_is_object(result->value)) &&
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

/* ---- log messages ---- */

static const char *const levels[MCP_LEVELS] = { "debug", "info",     "notice", "warning",
                                                "error", "critical", "alert",  "emergency" };

enum mcp_level mcp_level_of(const char *name)
{
    int i = 0;
    while (i < MCP_LEVELS && (!name || strcmp(name, levels[i]) != 0))
        i++;
    return (enum mcp_level)i;
}

int mcp_set_level(struct mcp_request *r)
{
    enum mcp_level level = mcp_level_of(json_string_value(json_object_get(r->params, "level")));
    if (level == MCP_LEVELS)
        return mcp_refuse(r, MCP_INVALID_PARAMS,
                          "params.level: expected \"debug\", \"info\", \"notice\", \"warning\", "
                          "\"error\", \"critical\", \"alert\" or \"emergency\"");
    pthread_mutex_lock(&r->s->lock);
    r->s->level = level;
    pthread_mutex_unlock(&r->s->lock);
    return mcp_give(r, json_object());
}

void mcp_log(struct mcp_request *r, enum mcp_level level, const char *logger, json_t *data)
{
    if (data && level >= r->level)
        mcp_tell(
            r, "notifications/message",
            json_pack("{s:s, s:s, s:O}", "level", levels[level], "logger", logger, "data", data));
    json_decref(data);
}

/* How a call has gone: every one at "info", one that was kept from its result as a warning. Of one
 * that was cancelled nobody wants to hear any more. */
static void log_call(struct mcp_request *r, const char *name, const struct agent_result *result)
{
    enum mcp_level level = result->outcome == AGENT_OK ? MCP_INFO : MCP_WARNING;
    if (level >= r->level && result->outcome != AGENT_CANCELLED)
        mcp_log(r, level, "tools",
                json_pack("{s:s, s:s, s:o, s:s*}", "tool", name, "outcome",
                          agent_outcome_name(result->outcome), "seconds",
                          base_json_number(result->seconds), "message", result->message));
}

/* ---- approval ---- */

#define SHOWN_MOST 2000 /* bytes of arguments that a person is shown */

/* Asks the person at the client. The question is bound to the call: a session with initialize is
 * asked while the call waits, a round of 2026-07-28 is signed with the digest of name and arguments
 * and an answer without such a signature does not count. Whatever is not a clear yes is no. */
static bool approve(void *context, const struct agent_tool *tool, const json_t *arguments,
                    const char *reason)
{
    struct mcp_request *r = context;
    char digest[BASE_SHA256_HEX];
    char *text = json_dumps(arguments, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    if (!text || base_sha256(text, strlen(text), digest)) {
        base_free(text);
        return false;
    }
    size_t n = strlen(text);
    char *question = base_format("Allow the tool %s to run? %s. Arguments: %.*s%s (%zu bytes, "
                                 "SHA-256 %s)",
                                 tool->name, reason ? reason : "It needs approval", SHOWN_MOST,
                                 text, n > SHOWN_MOST ? " ..." : "", n, digest);
    base_free(text);
    json_t *params = question
                         ? json_pack("{s:o, s:{s:s, s:{s:{s:s, s:s, s:b}}, s:[s]}}", "message",
                                     base_json_text(question, strlen(question)), "requestedSchema",
                                     "type", "object", "properties", "approve", "type", "boolean",
                                     "title", "Run it", "default", 0, "required", "approve")
                         : NULL;
    base_free(question);
    const json_t *answer = NULL;
    int code = r->code, status = r->status;
    bool yes = params && mcp_input(r, "approval", "elicitation/create", params, true, &answer) == 1;
    r->code = code; /* an answer that failed to come is a no, not an error */
    r->status = status;
    const char *action = json_string_value(json_object_get(answer, "action"));
    return yes && action && strcmp(action, "accept") == 0 &&
           json_is_true(json_object_get(json_object_get(answer, "content"), "approve"));
}

/* ---- calls ---- */

int mcp_tools_call(struct mcp_request *r)
{
    const char *name = json_string_value(json_object_get(r->params, "name"));
    json_t *arguments = json_object_get(r->params, "arguments");
    if (!name)
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.name: expected the name of a tool");
    if (arguments && !json_is_object(arguments))
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.arguments: expected an object");
    int rc = mcp_input_begin(r);
    if (rc != 1)
        return rc;
    arguments = arguments ? json_incref(arguments) : json_object();
    if (!arguments)
        return BASE_E_MEMORY;
    bool own = agent_tools_find(r->o->tools, name);
    rc = own || !r->o->fixtures ? MCP_NOT_MINE : mcp_fixture_call(r, name, arguments);
    if (rc != MCP_NOT_MINE || !own) {
        json_decref(arguments);
        return rc != MCP_NOT_MINE ? rc
                                  : mcp_refuse(r, MCP_INVALID_PARAMS, "Unknown tool: %.64s", name);
    }
    bool asks = mcp_client_can(r, "elicitation") && (r->modern || r->peer->send);
    struct agent_result result;
    const struct agent_call call = { .tool = name,
                                     .arguments = arguments,
                                     .caller = r->caller,
                                     .session = r->s->name,
                                     .unknown_past = !r->s->name,
                                     .cancelled = mcp_is_cancelled,
                                     .progress = on_progress,
                                     .context = r,
                                     .approve = asks ? approve : NULL,
                                     .approve_context = r };
    rc = agent_call_run(r->o->gate, &call, &result);
    json_decref(arguments);
    if (rc)
        return mcp_refuse_error(r, rc);
    if (mcp_input_wanted(r)) {
        agent_result_free(&result);
        return mcp_give_input(r);
    }
    log_call(r, name, &result);
    rc = result.outcome == AGENT_INVALID && mcp_legacy_before(r, MCP_VERSION_LEGACY)
             ? mcp_refuse(r, MCP_INVALID_PARAMS, "%s", result.message)
             : give_content(r, &result);
    agent_result_free(&result);
    return rc;
}
