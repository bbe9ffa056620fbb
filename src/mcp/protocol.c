/* Messages and their answers; see protocol.h.
 *
 * JSON-RPC 2.0: an id is a string or a whole number and comes back as it is. A message without an
 * id is a notification and is never answered, whatever it says. Batches were in the protocol until
 * 2025-03-26 and are refused after. From 2025-11-25 on, an answer to what cannot be read has no id.
 *
 * A request of 2026-07-28 is checked in the order that the revision gives: what it must say of
 * itself in params._meta, its version, its method, then its parameters. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/protocol_private.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BATCH_MOST 100 /* messages: their answers are one, and may be large */

int mcp_refuse(struct mcp_request *r, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->message, sizeof r->message, format, args);
    va_end(args);
    r->code = code;
    return 0;
}

int mcp_give(struct mcp_request *r, json_t *result)
{
    if (!result)
        return BASE_E_MEMORY;
    json_t *meta = json_object_get(result, "_meta");
    bool typed = json_object_get(result, "resultType");
    if (r->modern &&
        ((!typed && json_object_set_new(result, "resultType", json_string("complete"))) ||
         (!meta && json_object_set_new(result, "_meta", meta = json_object())) ||
         json_object_set_new(meta, MCP_META "serverInfo", mcp_server_info(r)))) {
        json_decref(result);
        return BASE_E_MEMORY;
    }
    r->result = result;
    return 0;
}

int mcp_refuse_error(struct mcp_request *r, int rc)
{
    if (rc == BASE_E_MEMORY)
        return rc;
    return mcp_refuse(r, rc == BASE_E_ARGUMENT ? MCP_INVALID_PARAMS : MCP_INTERNAL_ERROR, "%s",
                      base_error_message());
}

bool mcp_legacy_before(const struct mcp_request *r, const char *version)
{
    return !r->modern && r->version && strcmp(r->version, version) < 0;
}

json_t *mcp_notification(const char *method, json_t *params)
{
    return params
               ? json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params)
               : NULL;
}

enum { LEGACY = 1, MODERN = 2, BOTH = 3 };
static const struct {
    const char *name;
    int eras;
    int (*answer)(struct mcp_request *r);
    bool (*offered)(const struct mcp_server_options *o); /* NULL = always */
} methods[] = {
    { "initialize", LEGACY, mcp_initialize, NULL },
    { "ping", LEGACY, mcp_ping, NULL },
    { "server/discover", MODERN, mcp_discover, NULL },
    { "logging/setLevel", LEGACY, mcp_set_level, NULL },
    { "tools/list", BOTH, mcp_tools_list, NULL },
    { "tools/call", BOTH, mcp_tools_call, NULL },
    { "resources/list", BOTH, mcp_resources_list, mcp_has_resources },
    { "resources/templates/list", BOTH, mcp_templates_list, mcp_has_resources },
    { "resources/read", BOTH, mcp_resources_read, mcp_has_resources },
    { "resources/subscribe", LEGACY, mcp_resources_subscribe, mcp_has_stamps },
    { "resources/unsubscribe", LEGACY, mcp_resources_unsubscribe, mcp_has_stamps },
    { "prompts/list", BOTH, mcp_prompts_list, mcp_has_prompts },
    { "prompts/get", BOTH, mcp_prompts_get, mcp_has_prompts },
    { "completion/complete", BOTH, mcp_complete, mcp_has_completion },
    { "subscriptions/listen", MODERN, mcp_listen, mcp_has_resources },
};

/* ---- requests of the modern era ---- */

bool mcp_message_modern(const json_t *message)
{
    const json_t *meta = json_object_get(json_object_get(message, "params"), "_meta");
    return json_object_get(meta, MCP_META "protocolVersion") != NULL;
}

/* What is missing in params._meta; NULL when nothing is. */
static const char *meta_problem(const json_t *meta)
{
    if (!json_is_string(json_object_get(meta, MCP_META "protocolVersion")))
        return "params._meta: \"" MCP_META
               "protocolVersion\" is missing (or begin with initialize)";
    if (!json_is_object(json_object_get(meta, MCP_META "clientCapabilities")))
        return "params._meta: \"" MCP_META "clientCapabilities\" is missing";
    return NULL;
}

int mcp_message_check(const json_t *message, json_t **answer)
{
    const json_t *id = json_object_get(message, "id");
    const char *problem =
        meta_problem(json_object_get(json_object_get(message, "params"), "_meta"));
    *answer = NULL;
    if (problem && json_object_get(message, "method") && id &&
        !(*answer = mcp_error_answer(json_is_string(id) || json_is_integer(id) ? id : NULL,
                                     MCP_INVALID_PARAMS, problem, NULL)))
        return BASE_E_MEMORY;
    return 0;
}

/* What a request of the modern era must say of itself. 1 when it does. */
static int check_meta(struct mcp_request *r)
{
    const char *problem = meta_problem(r->meta);
    r->status = 400;
    if (problem)
        return mcp_refuse(r, MCP_INVALID_PARAMS, "%s", problem);
    const char *version = json_string_value(json_object_get(r->meta, MCP_META "protocolVersion"));
    if (strcmp(version, MCP_VERSION_MODERN) != 0) {
        r->data = json_pack("{s:[s], s:s}", "supported", MCP_VERSION_MODERN, "requested", version);
        return r->data ? mcp_refuse(r, MCP_UNSUPPORTED_VERSION, "Unsupported protocol version")
                       : BASE_E_MEMORY;
    }
    r->status = 0;
    r->version = MCP_VERSION_MODERN;
    /* log messages only for who asks for them, request by request */
    const json_t *level = json_object_get(r->meta, MCP_META "logLevel");
    r->level = mcp_level_of(json_string_value(level));
    if (level && r->level == MCP_LEVELS)
        return mcp_refuse(r, MCP_INVALID_PARAMS,
                          "params._meta: \"" MCP_META "logLevel\" is not a level");
    r->capabilities = json_incref(json_object_get(r->meta, MCP_META "clientCapabilities"));
    mcp_caller_set(r->caller, json_object_get(r->meta, MCP_META "clientInfo"));
    return 1;
}

static int dispatch(struct mcp_request *r)
{
    bool hello = strcmp(r->method, "initialize") == 0;
    pthread_mutex_lock(&r->s->lock);
    r->version = r->s->version;
    memcpy(r->caller, r->s->caller, sizeof r->caller);
    r->modern = json_object_get(r->meta, MCP_META "protocolVersion") ||
                strcmp(r->method, "server/discover") == 0 ||
                (!r->version && !hello && strcmp(r->method, "ping") != 0);
    r->capabilities = r->modern ? NULL : json_incref(r->s->capabilities);
    r->level = r->s->level;
    pthread_mutex_unlock(&r->s->lock);
    if (r->modern) {
        int rc = check_meta(r);
        if (rc != 1)
            return rc;
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(r->method, methods[i].name) == 0 &&
            methods[i].eras & (r->modern ? MODERN : LEGACY) &&
            (!methods[i].offered || methods[i].offered(r->o)))
            return methods[i].answer(r);
    r->status = r->modern ? 404 : 0;
    return mcp_refuse(r, MCP_METHOD_NOT_FOUND, "Method not found: %.100s", r->method);
}

/* ---- JSON-RPC ---- */

json_t *mcp_error_answer(const json_t *id, int code, const char *message, json_t *data)
{
    json_t *error =
        json_pack("{s:i, s:o}", "code", code, "message", base_json_text(message, strlen(message)));
    if (error && data && json_object_set(error, "data", data)) {
        json_decref(error);
        error = NULL;
    }
    json_t *o = json_pack("{s:s}", "jsonrpc", "2.0");
    if (o && id && json_object_set(o, "id", (json_t *)(uintptr_t)id)) {
        json_decref(o);
        o = NULL;
    }
    if (!o || !error) {
        json_decref(o);
        json_decref(error);
        return NULL;
    }
    if (json_object_set_new(o, "error", error)) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static bool id_is_good(const json_t *id)
{
    return json_is_string(id) || json_is_integer(id);
}

static bool is_answer(const json_t *message)
{
    return json_is_object(message) && !json_object_get(message, "method") &&
           (json_object_get(message, "result") || json_object_get(message, "error"));
}

static int answer_one(struct mcp_session *s, const struct mcp_peer *peer, const json_t *message,
                      json_t **answer, int *status)
{
    const json_t *id = json_object_get(message, "id"), *params = json_object_get(message, "params");
    const char *version = json_string_value(json_object_get(message, "jsonrpc"));
    const char *method = json_string_value(json_object_get(message, "method"));
    *answer = NULL;
    *status = 202;
    if (is_answer(message))
        return 0;
    if (!json_is_object(message) || !version || strcmp(version, "2.0") != 0 || !method ||
        (id && !id_is_good(id)) || (params && !json_is_object(params))) {
        *status = 400;
        *answer = mcp_error_answer(id_is_good(id) ? id : NULL, MCP_INVALID_REQUEST,
                                   "not a JSON-RPC 2.0 request", NULL);
        return *answer ? 0 : BASE_E_MEMORY;
    }
    if (!id)
        return 0;
    struct mcp_request r = { .s = s,
                             .o = &s->server->o,
                             .peer = peer,
                             .running = mcp_run_begin(s, id),
                             .id = id,
                             .params = params,
                             .meta = json_object_get(params, "_meta"),
                             .method = method,
                             .progress = -1 };
    int rc = r.running ? dispatch(&r) : BASE_E_MEMORY;
    if (r.running && !r.parting && mcp_is_cancelled(&r))
        r.silent = true; /* nobody waits for it any more */
    if (!rc && !r.silent) {
        *status = r.status ? r.status : 200;
        *answer = r.result ? json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id",
                                       (json_t *)(uintptr_t)id, "result", r.result)
                           : mcp_error_answer(id, r.code, r.message, r.data);
        rc = *answer ? 0 : BASE_E_MEMORY;
    }
    if (r.running)
        mcp_run_end(s, r.running);
    json_decref(r.result);
    json_decref(r.data);
    json_decref(r.capabilities);
    json_decref(r.given);
    json_decref(r.known);
    json_decref(r.wanted);
    return rc;
}

static int answer_batch(struct mcp_session *s, const struct mcp_peer *peer, const json_t *batch,
                        json_t **answer, int *status)
{
    json_t *all = json_array();
    int rc = all ? 0 : BASE_E_MEMORY, ignored;
    for (size_t i = 0; i < json_array_size(batch) && !rc; i++) {
        json_t *one = NULL;
        rc = answer_one(s, peer, json_array_get(batch, i), &one, &ignored);
        if (!rc && one && json_array_append_new(all, one))
            rc = BASE_E_MEMORY;
    }
    *status = json_array_size(all) ? 200 : 202;
    if (!rc && json_array_size(all)) {
        *answer = all;
        return 0;
    }
    json_decref(all);
    return rc;
}

static bool batches(const struct mcp_session *s)
{
    const char *version = mcp_session_version(s);
    return version && strcmp(version, "2025-03-26") <= 0;
}

int mcp_answer(struct mcp_session *s, const struct mcp_peer *peer, const json_t *message,
               json_t **answer, int *status)
{
    static const struct mcp_peer nobody;
    int ignored;
    *answer = NULL;
    status = status ? status : &ignored;
    peer = peer ? peer : &nobody;
    if (!json_is_array(message))
        return answer_one(s, peer, message, answer, status);
    bool known = batches(s), fits = json_array_size(message) <= BATCH_MOST;
    if (known && fits && json_array_size(message))
        return answer_batch(s, peer, message, answer, status);
    *status = 400;
    *answer = mcp_error_answer(NULL, MCP_INVALID_REQUEST,
                               !known ? "batches are not in this revision of the protocol"
                               : fits ? "a batch without messages"
                                      : "a batch of more than 100 messages",
                               NULL);
    return *answer ? 0 : BASE_E_MEMORY;
}

int mcp_message_parse(const struct mcp_session *s, const char *text, size_t bytes, json_t **message,
                      json_t **answer)
{
    *message = *answer = NULL;
    int rc = base_json_parse_wire(message, text, bytes, 200, "message");
    if (!rc || rc == BASE_E_MEMORY)
        return rc;
    *answer = mcp_error_answer(NULL, MCP_PARSE_ERROR, base_error_message(), NULL);
    /* until 2025-06-18 an answer has an id, null where there is none to tell */
    const char *version = mcp_session_version(s);
    if (*answer && version && strcmp(version, MCP_VERSION_LEGACY) < 0)
        json_object_set_new(*answer, "id", json_null());
    return *answer ? 0 : BASE_E_MEMORY;
}

/* ---- what needs no answer ---- */

static int take_one(struct mcp_session *s, const json_t *message)
{
    const json_t *id = json_object_get(message, "id");
    const char *method = json_string_value(json_object_get(message, "method"));
    if (is_answer(message)) {
        mcp_asked_answer(s, id, message);
        return 1;
    }
    if (!method)
        return 0;
    if (!id && strcmp(method, "notifications/cancelled") == 0) {
        const json_t *which = json_object_get(json_object_get(message, "params"), "requestId");
        if (id_is_good(which))
            mcp_run_cancel(s, which);
        return 1;
    }
    return id_is_good(id) ? mcp_run_note(s, id) : 0;
}

int mcp_session_take(struct mcp_session *s, const json_t *message)
{
    if (!json_is_array(message))
        return take_one(s, message);
    if (!batches(s) || json_array_size(message) > BATCH_MOST)
        return 0;
    bool all = json_array_size(message) > 0;
    size_t i;
    const json_t *one;
    json_array_foreach(message, i, one)
    {
        int rc = take_one(s, one);
        if (rc < 0)
            return rc;
        all = all && rc;
    }
    return all;
}
