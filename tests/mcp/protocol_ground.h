/* What the tests of the server's protocol stand on: a server with tools, a provider of its own and
 * fixtures, a session, and a peer that keeps what it hears and answers what it is asked. Header
 * only; include after cmocka.h and support.h. */
#ifndef TESTS_MCP_PROTOCOL_GROUND_H
#define TESTS_MCP_PROTOCOL_GROUND_H
#include "base/json.h"
#include "base/memory.h"
#include "mcp/protocol_private.h"
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* ---- a provider ---- */

static atomic_uint ground_stamp, ground_resources = 5;

static inline int ground_list(void *context, json_t *list)
{
    (void)context;
    for (unsigned i = 0; i < atomic_load(&ground_resources); i++) {
        char uri[40];
        snprintf(uri, sizeof uri, "mem://%u", i);
        if (json_array_append_new(list, json_pack("{s:s, s:s}", "uri", uri, "name", uri)))
            return BASE_E_MEMORY;
    }
    return 0;
}
static inline int ground_templates(void *context, json_t *list)
{
    (void)context;
    json_t *one = json_pack("{s:s, s:s}", "uriTemplate", "mem://{n}", "name", "numbered");
    return json_array_append_new(list, one) ? BASE_E_MEMORY : 0;
}
static inline int ground_read(void *context, const char *uri, json_t **contents)
{
    (void)context;
    if (strcmp(uri, "mem://broken") == 0)
        return base_error_set(BASE_E_IO, "the disk is gone");
    if (strncmp(uri, "mem://", 6) != 0)
        return MCP_NOT_MINE;
    *contents =
        json_pack("[{s:s, s:s, s:s}]", "uri", uri, "mimeType", "text/plain", "text", uri + 6);
    return *contents ? 0 : BASE_E_MEMORY;
}
static inline int ground_stamp_of(void *context, const char *uri, uint64_t *stamp)
{
    (void)context;
    *stamp = atomic_load(&ground_stamp);
    return strncmp(uri, "mem://", 6) == 0 ? 0 : MCP_NOT_MINE;
}
static inline int ground_prompts(void *context, json_t *list)
{
    (void)context;
    json_t *one = json_pack("{s:s, s:[{s:s, s:b}]}", "name", "cloze", "arguments", "name", "text",
                            "required", 1);
    return json_array_append_new(list, one) ? BASE_E_MEMORY : 0;
}
static inline int ground_prompt(void *context, const char *name, const json_t *arguments,
                                json_t **result)
{
    (void)context;
    if (strcmp(name, "cloze") != 0)
        return MCP_NOT_MINE;
    json_t *text = json_object_get(arguments, "text");
    if (!text)
        return base_error_set(BASE_E_ARGUMENT, "the argument \"text\" is missing");
    *result = json_pack("{s:[{s:s, s:{s:s, s:O}}]}", "messages", "role", "user", "content", "type",
                        "text", "text", text);
    return *result ? 0 : BASE_E_MEMORY;
}
/* As many values as the letters typed, times 60. */
static inline int ground_complete(void *context, const json_t *ref, const char *argument,
                                  const char *value, const json_t *others, json_t **values)
{
    (void)context, (void)argument, (void)others;
    const char *name = json_string_value(json_object_get(ref, "name"));
    if (!name || strcmp(name, "cloze") != 0)
        return MCP_NOT_MINE;
    json_t *all = json_array();
    int rc = all ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < 60 * strlen(value) && !rc; i++) {
        char text[30];
        snprintf(text, sizeof text, "v%zu", i);
        rc = json_array_append_new(all, json_string(text)) ? BASE_E_MEMORY : 0;
    }
    if (rc)
        json_decref(all);
    *values = rc ? NULL : all;
    return rc;
}
static const struct mcp_provider ground_provider = { .resources = ground_list,
                                                     .templates = ground_templates,
                                                     .read = ground_read,
                                                     .stamp = ground_stamp_of,
                                                     .prompts = ground_prompts,
                                                     .prompt = ground_prompt,
                                                     .complete = ground_complete };

/* ---- a server ---- */

static inline int ground_say(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool;
    agent_tool_progress(1, 2, "half");
    agent_tool_progress(2, 2, "whole");
    *out = json_pack("{s:O}", "said", json_object_get(arguments, "x"));
    return *out ? 0 : BASE_E_MEMORY;
}

struct ground {
    struct agent_tools *tools;
    struct agent_policy *policy;
    struct agent_gate *gate;
    struct mcp_server *server;
    struct mcp_session *session;
    struct mcp_peer peer;
    pthread_mutex_t lock;
    json_t *heard;   /* what was sent, in order */
    json_t *answers; /* results by method, or {"error": ..}; a method without one is not answered */
    atomic_bool gone;
};

static inline bool ground_send(void *context, const json_t *message)
{
    struct ground *g = context;
    const char *method = json_string_value(json_object_get(message, "method"));
    pthread_mutex_lock(&g->lock);
    json_array_append_new(g->heard, json_deep_copy(message));
    json_t *said = method ? json_object_get(g->answers, method) : NULL;
    pthread_mutex_unlock(&g->lock);
    const json_t *error = json_object_get(said, "error");
    if (method && said && json_object_get(message, "id")) {
        json_t *a =
            json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", json_object_get(message, "id"),
                      error ? "error" : "result", error ? error : said);
        assert_int_equal(mcp_session_take(g->session, a), 1);
        json_decref(a);
    }
    return true;
}
static inline void ground_hear(void *context, const json_t *message)
{
    ground_send(context, message);
}
static inline bool ground_gone(void *context)
{
    struct ground *g = context;
    return atomic_load(&g->gone);
}

/* policy may be NULL; fixtures as said; the lists' pages are of three. */
static inline void ground_begin(struct ground *g, const char *policy, bool fixtures)
{
    *g = (struct ground){ 0 };
    pthread_mutex_init(&g->lock, NULL);
    g->heard = json_array();
    g->answers = json_object();
    assert_int_equal(agent_tools_make(&g->tools), 0);
    const struct agent_tool say = { .name = "say",
                                    .description = "d",
                                    .input = "{\"type\": \"object\", \"required\": [\"x\"]}",
                                    .output = "{\"type\": \"object\", \"required\": [\"said\"]}",
                                    .run = ground_say };
    assert_int_equal(agent_tools_add(g->tools, &say), 0);
    if (policy && agent_policy_parse(&g->policy, policy, strlen(policy), "policy"))
        fail_msg("%s", base_error_message());
    const struct agent_gate_options gate = { .policy = g->policy };
    assert_int_equal(agent_gate_make(&g->gate, g->tools, &gate), 0);
    const struct mcp_server_options o = { .gate = g->gate,
                                          .tools = g->tools,
                                          .provider = &ground_provider,
                                          .page = fixtures ? 50 : 3,
                                          .fixtures = fixtures };
    assert_int_equal(mcp_server_make(&g->server, &o), 0);
    g->server->pause_ms = 1;
    g->server->list_seconds = 0.1;
    assert_int_equal(mcp_session_make(&g->session, g->server, "test", "me"), 0);
    g->peer = (struct mcp_peer){
        .send = ground_send, .gone = ground_gone, .lasting = true, .context = g
    };
}
static inline void ground_end(struct ground *g)
{
    mcp_session_free(g->session);
    mcp_server_free(g->server);
    agent_gate_free(g->gate);
    agent_policy_free(g->policy);
    agent_tools_free(g->tools);
    json_decref(g->heard);
    json_decref(g->answers);
    pthread_mutex_destroy(&g->lock);
}

/* As a transport does: the answer to a message, new, or NULL. */
static inline json_t *ground_post(struct ground *g, const char *text, int *status)
{
    json_t *message = NULL, *answer = NULL;
    assert_int_equal(mcp_message_parse(g->session, text, strlen(text), &message, &answer), 0);
    if (message && mcp_session_take(g->session, message) == 0)
        assert_int_equal(mcp_answer(g->session, &g->peer, message, &answer, status), 0);
    json_decref(message);
    return answer;
}

#define GROUND_META                                                                                \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{},\"sampling\":{},"          \
    "\"roots\":{}}}"

/* A request of the session's own era: params is the inside of an object, "" for none; modern: with
 * what such a request must say of itself. */
static inline json_t *ground_request(struct ground *g, bool modern, const char *method,
                                     const char *params, int *status)
{
    char text[8192];
    bool meta = modern && !strstr(params, "_meta");
    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":{%s%s%s}}", method, params,
             meta && *params ? "," : "", meta ? GROUND_META : "");
    return ground_post(g, text, status);
}
static inline json_t *ground_result(struct ground *g, bool modern, const char *method,
                                    const char *params)
{
    json_t *answer = ground_request(g, modern, method, params, NULL);
    json_t *result = json_incref(json_object_get(answer, "result"));
    if (!result) {
        char *text = answer ? json_dumps(answer, 0) : NULL;
        fail_msg("%s {%s}: %s", method, params, text ? text : "no answer");
    }
    json_decref(answer);
    return result;
}
/* The code of the error that it must be. */
static inline int ground_error(struct ground *g, bool modern, const char *method,
                               const char *params, int *status)
{
    json_t *answer = ground_request(g, modern, method, params, status);
    json_t *error = json_object_get(answer, "error");
    int code = (int)json_integer_value(json_object_get(error, "code"));
    if (!error || json_integer_value(json_object_get(answer, "id")) != 7)
        fail_msg("%s {%s}: no error", method, params);
    json_decref(answer);
    return code;
}
static inline void ground_hello(struct ground *g, const char *version, const char *capabilities)
{
    char params[400];
    snprintf(params, sizeof params,
             "\"protocolVersion\":\"%s\",\"capabilities\":%s,\"clientInfo\":{\"name\":\"t\","
             "\"version\":\"1\"}",
             version, capabilities);
    json_decref(ground_result(g, false, "initialize", params));
    assert_string_equal(mcp_session_version(g->session), version);
}
/* What was heard of a method, the i-th; borrowed. */
static inline const json_t *ground_heard(struct ground *g, const char *method, size_t i)
{
    const json_t *found = NULL;
    pthread_mutex_lock(&g->lock);
    size_t k;
    const json_t *message;
    json_array_foreach(g->heard, k, message)
    {
        const char *of = json_string_value(json_object_get(message, "method"));
        if (!found && of && strcmp(of, method) == 0 && i-- == 0)
            found = message;
    }
    pthread_mutex_unlock(&g->lock);
    return found;
}
/* The same, waiting for it. */
static inline const json_t *ground_wait(struct ground *g, const char *method, size_t i)
{
    const struct timespec t = { 0, 10000000 };
    for (int k = 0; k < 3000 && !ground_heard(g, method, i); k++)
        nanosleep(&t, NULL);
    return ground_heard(g, method, i);
}
static inline void ground_answer(struct ground *g, const char *method, const char *json)
{
    json_t *value = NULL;
    assert_int_equal(base_json_parse(&value, json, strlen(json), "answer"), 0);
    json_object_set_new(g->answers, method, value);
}
/* "a.b.0.c" in a value; borrowed. */
static inline const json_t *ground_at(const json_t *value, const char *path)
{
    char part[80];
    while (*path && value) {
        size_t n = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(part))
                                     : json_object_get(value, part);
        path += n + (path[n] == '.');
    }
    return value;
}
static inline const char *ground_text(const json_t *value, const char *path)
{
    const char *text = json_string_value(ground_at(value, path));
    return text ? text : "(none)";
}

/* Whether a value is a `type` of the revision's own schema; the message names what breaks it. */
static inline void ground_fits(const char *version, const char *type, const json_t *value)
{
    char name[100], reference[100];
    json_t *schema = NULL, *errors = NULL;
    struct agent_schema *compiled = NULL;
    snprintf(name, sizeof name, "agent/mcp/%s/schema.json", version);
    assert_int_equal(base_json_load(&schema, test_shared_path(name)), 0);
    snprintf(reference, sizeof reference, "#/%s/%s",
             json_object_get(schema, "$defs") ? "$defs" : "definitions", type);
    json_object_del(schema, "anyOf");
    json_object_set_new(schema, "$ref", json_string(reference));
    if (agent_schema_compile(&compiled, schema, name, NULL))
        fail_msg("%s", base_error_message());
    if (agent_schema_check(compiled, value, &errors) != 1) {
        char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
        fail_msg("%s %s: %s: %s in %s", version, type, ground_text(errors, "0.instance"),
                 ground_text(errors, "0.message"), text ? text : "nothing");
    }
    agent_schema_free(compiled);
    json_decref(schema);
}
#endif
