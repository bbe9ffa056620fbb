/* A request as the protocol sees it, on a worker thread of its own.
 *
 * An answer is JSON when it is the first thing to be said, and an event stream when something comes
 * before it. In a session (2024-11-05 to 2025-11-25) the stream outlives its connection: a client
 * that is gone has not cancelled, and may come back for the rest. A request of 2026-07-28 stands
 * alone, and ends when its client goes.
 *
 * The order of a modern request's checks: one JSON object; params._meta (-32602); the fields
 * MCP-Protocol-Version, Mcp-Method, Mcp-Name and Mcp-Param-* against the body (-32020); and then
 * what the protocol itself checks: version, method, capability. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/http.h"
#include <stdio.h>
#include <string.h>

static const char *const legacy[] = { "2024-11-05", "2025-03-26", "2025-06-18",
                                      MCP_VERSION_LEGACY };

static bool is_legacy(const char *version)
{
    for (size_t i = 0; i < sizeof legacy / sizeof *legacy; i++)
        if (strcmp(version, legacy[i]) == 0)
            return true;
    return false;
}

/* ---- what is said ---- */

static char *dump(const json_t *message)
{
    return base_json_compact(message);
}

/* An event of a stream without a session. Locked. */
static int say_event(struct http_exchange *x, const char *json)
{
    if (x->state == HTTP_RUNNING)
        x->state = HTTP_STREAMING;
    int rc = http_say(x, "event: message\ndata: ", 21);
    if (!rc)
        rc = http_say(x, json, strlen(json));
    return rc ? rc : http_say(x, "\n\n", 2);
}

/* Locked. */
static bool send_alone(struct http_exchange *x, const char *json)
{
    x->gone = x->gone || x->text.length - x->sent > HTTP_UNREAD_MOST;
    return !x->gone && x->connection && !say_event(x, json);
}

/* In a session what nobody reads now is kept, once there is a stream. Locked. */
static bool send_in_session(struct http_exchange *x, const char *json)
{
    if (!x->stream) {
        if (x->gone || !x->connection || http_record_open(x->session, x, false))
            return false;
        x->stream = x->record;
    }
    return !http_record_say(x->session, x->stream, json, false);
}

static bool on_send(void *context, const json_t *message)
{
    struct http_exchange *x = context;
    char *json = dump(message);
    if (!json)
        return false;
    pthread_mutex_lock(&x->h->lock);
    bool sent = x->session ? send_in_session(x, json) : send_alone(x, json);
    pthread_mutex_unlock(&x->h->lock);
    base_free(json);
    return sent;
}

static bool on_gone(void *context)
{
    struct http_exchange *x = context;
    pthread_mutex_lock(&x->h->lock);
    bool gone = x->h->stopping || (x->session ? x->session->dead : x->gone || !x->connection);
    pthread_mutex_unlock(&x->h->lock);
    return gone;
}

/* Lets the reader go; it comes back for the rest. */
static void on_drop(void *context)
{
    struct http_exchange *x = context;
    pthread_mutex_lock(&x->h->lock);
    if (!x->stream && x->connection && !http_record_open(x->session, x, false))
        x->stream = x->record;
    if (x->stream)
        http_record_release(x->stream);
    pthread_mutex_unlock(&x->h->lock);
}

/* Ends the exchange with an answer (or none). */
static void finish(struct http_exchange *x, int status, const json_t *answer)
{
    char *json = answer ? dump(answer) : NULL;
    int rc = answer && !json ? BASE_E_MEMORY : 0;
    pthread_mutex_lock(&x->h->lock);
    if (x->stream) {
        if (!json)
            http_record_end(x->session, x->stream);
        else if (http_record_say(x->session, x->stream, json, true))
            http_record_end(x->session, x->stream);
        x->stream = NULL;
    } else if (x->state == HTTP_STREAMING) {
        x->gone = rc || (json && say_event(x, json));
        x->ended = true;
    } else if (x->state == HTTP_RUNNING) {
        x->status = (unsigned)status;
        if (!rc && json)
            rc = base_buffer_puts(&x->text, json);
        bool cut = !json && status == 202 && (x->h->stopping || base_interrupted());
        x->state = rc || cut ? HTTP_DROPPED : HTTP_ANSWERED;
    }
    http_wake(x);
    pthread_mutex_unlock(&x->h->lock);
    base_free(json);
}

static void finish_error(struct http_exchange *x, int status, const json_t *id, int code,
                         const char *message)
{
    json_t *answer = mcp_error_answer(id, code, message, NULL);
    finish(x, answer ? status : 500, answer);
    json_decref(answer);
}

/* ---- the fields of a modern request ---- */

/* The member of params that Mcp-Name repeats; NULL: the method has none. */
static const char *name_key(const char *method)
{
    return strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0 ? "name"
           : strcmp(method, "resources/read") == 0                                 ? "uri"
                                                                                   : NULL;
}

/* 1 and a problem when a field is missing or says something else. */
static int check_field(const char *field, const char *value, const json_t *body, char problem[200])
{
    char *decoded = NULL;
    size_t bytes = 0;
    if (!value && !body)
        return 0;
    int rc = value ? http_value_decode(value, &decoded, &bytes) : 1;
    if (!rc && !(body && http_value_equals(decoded, bytes, body)))
        rc = 1;
    base_free(decoded);
    if (rc == 1)
        snprintf(problem, 200, "%s: it %s", field, value ? "differs from the body" : "is missing");
    return rc;
}

static int check_params(struct http_exchange *x, const json_t *params, char problem[200])
{
    const char *name = json_string_value(json_object_get(params, "name"));
    const struct agent_tool *tool = name ? agent_tools_find(x->h->server->tools, name) : NULL;
    if (!name || (tool && !strstr(tool->input, "x-mcp-header")))
        return 0;
    json_t *schema = mcp_server_tool_schema(x->h->mcp, name);
    int rc = http_params_check(schema, json_object_get(params, "arguments"), x->params, x->n_params,
                               problem);
    json_decref(schema);
    return rc;
}

static int check_fields(struct http_exchange *x, const json_t *message, char problem[200])
{
    const json_t *params = json_object_get(message, "params");
    const json_t *version = json_object_get(json_object_get(params, "_meta"),
                                            "io.modelcontextprotocol/protocolVersion");
    const json_t *method = json_object_get(message, "method");
    const char *key = name_key(json_string_value(method));
    const json_t *name = key ? json_object_get(params, key) : NULL;
    int rc = check_field("MCP-Protocol-Version", x->version, version, problem);
    if (!rc)
        rc = check_field("Mcp-Method", x->mcp_method, method, problem);
    if (!rc && key)
        rc = check_field("Mcp-Name", x->mcp_name, json_is_string(name) ? name : NULL, problem);
    if (!rc && strcmp(json_string_value(method), "tools/call") == 0)
        rc = check_params(x, params, problem);
    return rc;
}

/* ---- POST ---- */

static const char *method_of(const json_t *message)
{
    return json_string_value(json_object_get(message, "method"));
}

static void answer_by(struct http_exchange *x, struct mcp_session *session, const json_t *message)
{
    const struct mcp_peer peer = {
        .send = on_send, .gone = on_gone, .drop = x->session ? on_drop : NULL, .context = x
    };
    json_t *answer = NULL;
    int status = 202, rc = mcp_session_take(session, message);
    if (!rc)
        rc = mcp_answer(session, &peer, message, &answer, &status);
    if (rc < 0)
        finish_error(x, 500, NULL, MCP_INTERNAL_ERROR, "out of memory");
    else
        finish(x, status, answer);
    json_decref(answer);
}

static void answer_modern(struct http_exchange *x, struct mcp_session *own, const json_t *message)
{
    const json_t *id = json_object_get(message, "id");
    char problem[200] = "";
    json_t *answer = NULL;
    pthread_mutex_lock(&x->h->lock);
    x->modern = true;
    pthread_mutex_unlock(&x->h->lock);
    int rc = mcp_message_check(message, &answer);
    if (!rc && !answer && id && method_of(message) && (json_is_string(id) || json_is_integer(id)))
        rc = check_fields(x, message, problem);
    if (rc < 0)
        finish_error(x, 500, NULL, MCP_INTERNAL_ERROR, "out of memory");
    else if (rc)
        finish_error(x, 400, id, MCP_HEADER_MISMATCH, problem);
    else if (answer)
        finish(x, 400, answer);
    else
        answer_by(x, own, message);
    json_decref(answer);
}

/* initialize: a session of its own, kept when the answer is a result. */
static void answer_hello(struct http_exchange *x, const json_t *message)
{
    struct http_session *s = NULL;
    json_t *answer = NULL;
    int status = 400, rc = http_session_make(x->h, &s);
    if (rc == BASE_E_LIMIT) {
        finish_error(x, 503, json_object_get(message, "id"), MCP_INTERNAL_ERROR,
                     base_error_message());
        return;
    }
    if (!rc)
        rc = mcp_session_take(s->mcp, message);
    if (!rc)
        rc = mcp_answer(s->mcp, NULL, message, &answer, &status);
    bool kept = !rc && json_object_get(answer, "result");
    if (s) {
        pthread_mutex_lock(&x->h->lock);
        x->session = s;
        if (kept)
            memcpy(x->new_session, s->id, sizeof x->new_session);
        else
            http_session_end(s);
        pthread_mutex_unlock(&x->h->lock);
    }
    if (rc < 0)
        finish_error(x, 500, NULL, MCP_INTERNAL_ERROR, "out of memory");
    else
        finish(x, status, answer);
    json_decref(answer);
}

/* The session that the request names: 0 and held in x->session, or the request is finished. */
static int find_session(struct http_exchange *x)
{
    if (!x->session_id) {
        finish_error(x, 400, NULL, MCP_INVALID_REQUEST,
                     "Mcp-Session-Id: it is missing; begin with initialize");
        return 1;
    }
    if (x->version && !is_legacy(x->version)) {
        finish_error(x, 400, NULL, MCP_INVALID_REQUEST,
                     "MCP-Protocol-Version: a session speaks 2024-11-05 to 2025-11-25");
        return 1;
    }
    pthread_mutex_lock(&x->h->lock);
    x->session = http_session_find(x->h, x->session_id);
    pthread_mutex_unlock(&x->h->lock);
    if (x->session)
        return 0;
    finish_error(x, 404, NULL, MCP_INVALID_REQUEST,
                 "Mcp-Session-Id: there is no such session (any more); begin with initialize");
    return 1;
}

static void answer_post(struct http_exchange *x, struct mcp_session *own, const json_t *message)
{
    const char *method = method_of(message);
    bool modern = mcp_message_modern(message) ||
                  (x->version && strcmp(x->version, MCP_VERSION_MODERN) == 0) ||
                  (method && strcmp(method, "server/discover") == 0) ||
                  (!x->session_id && x->version && !is_legacy(x->version));
    if (modern || (!x->session_id && !method && !json_object_get(message, "result") &&
                   !json_object_get(message, "error")))
        answer_modern(x, own, message);
    else if (!x->session_id && method && strcmp(method, "initialize") == 0)
        answer_hello(x, message);
    else if (find_session(x) == 0)
        answer_by(x, x->session->mcp, message);
}

/* Gives back the room that the body took. */
static void drop_body(struct http_exchange *x)
{
    base_buffer_free(&x->body);
    pthread_mutex_lock(&x->h->lock);
    x->h->body_bytes -= x->counted;
    x->counted = 0;
    pthread_mutex_unlock(&x->h->lock);
}

static void post(struct http_exchange *x)
{
    struct mcp_session *own = NULL;
    json_t *message = NULL, *answer = NULL;
    int rc = mcp_session_make(&own, x->h->mcp, NULL, x->h->principal);
    if (!rc)
        rc = mcp_message_parse(own, x->body.data ? x->body.data : "", x->body.length, &message,
                               &answer);
    drop_body(x);
    if (rc)
        finish_error(x, 500, NULL, MCP_INTERNAL_ERROR, "out of memory");
    else if (answer)
        finish(x, 400, answer);
    else
        answer_post(x, own, message);
    json_decref(answer);
    json_decref(message);
    mcp_session_free(own);
}

/* ---- GET and DELETE ---- */

static void get(struct http_exchange *x)
{
    uint64_t stream = 0, event = 0;
    bool resume = x->last_event && *x->last_event;
    if (find_session(x))
        return;
    if (resume && !http_event_id_parse(x->last_event, &stream, &event)) {
        finish_error(x, 400, NULL, MCP_INVALID_REQUEST,
                     "Last-Event-ID: it is no id that this server gives");
        return;
    }
    pthread_mutex_lock(&x->h->lock);
    int rc = x->session->dead || !x->connection ? 0
             : resume                           ? http_record_resume(x->session, stream, event, x)
                                                : http_record_open(x->session, x, true);
    bool ended = !rc && x->state == HTTP_RUNNING; /* the session, while this came */
    pthread_mutex_unlock(&x->h->lock);
    if (rc == BASE_E_ARGUMENT)
        finish_error(x, 400, NULL, MCP_INVALID_REQUEST, base_error_message());
    else if (rc)
        finish_error(x, 500, NULL, MCP_INTERNAL_ERROR, "out of memory");
    else if (ended)
        finish(x, 404, NULL);
}

static void delete (struct http_exchange *x)
{
    if (find_session(x))
        return;
    pthread_mutex_lock(&x->h->lock);
    http_session_end(x->session);
    pthread_mutex_unlock(&x->h->lock);
    mcp_session_end(x->session->mcp);
    finish(x, 204, NULL);
}

void http_answer(struct http_exchange *x)
{
    if (x->method == HTTP_POST)
        post(x);
    else if (x->method == HTTP_GET)
        get(x);
    else
        delete (x);
}
