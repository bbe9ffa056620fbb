/* What comes from the server while a request waits: its answer, notifications, and questions of its
 * own, which are answered at once. A message that is none of these is passed over: what a server
 * sends beside the protocol must not end a session. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include "mcp/protocol.h"
#include <assay/schema.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ASKED_MOST 1000 /* questions of the server's during one request */

double mcp_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int mcp_exchange_over(struct mcp_client *c, struct mcp_exchange *x)
{
    x->looked = mcp_now();
    if (base_interrupted())
        return base_error_set(BASE_E_INTERRUPTED, "interrupted");
    if (x->watch && x->watch->cancelled && x->watch->cancelled(x->watch->context))
        return base_error_set(BASE_E_INTERRUPTED, "%s: cancelled", x->method);
    if (x->looked >= x->until) {
        c->timed_out = true;
        return base_error_set(BASE_E_IO, "the server did not answer in time");
    }
    return 0;
}

int mcp_exchange_wait(const struct mcp_exchange *x)
{
    double left = x->until - mcp_now(), most = x->watch && x->watch->cancelled ? 0.02 : 0.2;
    return left <= 0 ? 0 : left > most ? (int)(most * 1000) : (int)(left * 1000) + 1;
}

json_t *mcp_client_note(const char *method, json_t *params)
{
    json_t *o = json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", method);
    if (o && params && json_object_set_new(o, "params", params)) {
        json_decref(o);
        return NULL;
    }
    if (!o)
        json_decref(params);
    return o;
}

/* ---- forms ---- */

/* A form's schema is an object of plain properties; what an accepted answer leaves out gets the
 * schema's default (SEP-1034), and the whole must be valid.
 * https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation */
int mcp_form_complete(const json_t *params, json_t *result)
{
    const char *action = json_string_value(json_object_get(result, "action"));
    const char *mode = json_string_value(json_object_get(params, "mode"));
    if (!action || (strcmp(action, "accept") != 0 && strcmp(action, "decline") != 0 &&
                    strcmp(action, "cancel") != 0))
        return base_error_set(BASE_E_FORMAT,
                              "the answer's action: expected accept, decline or cancel");
    if (strcmp(action, "accept") != 0 || (mode && strcmp(mode, "form") != 0))
        return 0;
    json_t *schema = json_object_get(params, "requestedSchema");
    if (!json_is_object(json_object_get(schema, "properties")))
        return base_error_set(BASE_E_FORMAT, "requestedSchema: expected an object with properties");
    json_t *content = json_object_get(result, "content");
    if (!content && !json_object_set_new(result, "content", json_object()))
        content = json_object_get(result, "content");
    if (!content)
        return BASE_E_MEMORY;
    if (!json_is_object(content))
        return base_error_set(BASE_E_FORMAT, "the answer's content: expected an object");
    const char *name;
    json_t *property;
    json_object_foreach(json_object_get(schema, "properties"), name, property)
    {
        json_t *usual = json_object_get(property, "default");
        if (usual && !json_object_get(content, name) &&
            json_object_set_new(content, name, json_deep_copy(usual)))
            return BASE_E_MEMORY;
    }
    struct agent_schema *compiled = NULL;
    json_t *errors = NULL;
    int rc = agent_schema_compile(&compiled, schema, "requestedSchema", NULL);
    if (rc)
        return rc;
    rc = agent_schema_check(compiled, content, &errors);
    if (rc == 0) {
        const json_t *e = json_array_get(errors, 0);
        rc = base_error_set(BASE_E_FORMAT, "the answer does not fit the form: %.100s: %.200s",
                            json_string_value(json_object_get(e, "instance")),
                            json_string_value(json_object_get(e, "message")));
        json_decref(errors);
    } else if (rc > 0) {
        rc = 0;
    }
    agent_schema_free(compiled);
    return rc;
}

/* ---- questions ---- */

int mcp_client_ask(struct mcp_client *c, const char *method, const json_t *params, json_t **result)
{
    static const char *const known[][2] = {
        { "elicitation/create", "elicitation" },
        { "sampling/createMessage", "sampling" },
        { "roots/list", "roots" },
    };
    *result = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(method, known[i][0]) != 0)
            continue;
        if (!c->o.asked || !json_object_get(c->can, known[i][1]))
            break;
        int rc = c->o.asked(c->o.context, method, params, result);
        if (!rc && !json_is_object(*result))
            rc = base_error_set(BASE_E_ARGUMENT, "%s: the answer is not an object", method);
        if (!rc && i == 0)
            rc = mcp_form_complete(params, *result);
        if (rc) {
            json_decref(*result);
            *result = NULL;
        }
        return rc;
    }
    return base_error_set(BASE_E_UNSUPPORTED,
                          "the server asks for %.60s, which is not answered here", method);
}

static int answer_question(struct mcp_client *c, struct mcp_exchange *x, const json_t *message,
                           const char *method)
{
    json_t *id = json_object_get(message, "id"), *result = NULL, *answer = NULL;
    double begun = mcp_now();
    if (x && ++x->asked > ASKED_MOST)
        return base_error_set(BASE_E_LIMIT, "the server asked more than %d questions at once",
                              ASKED_MOST);
    int rc = 0;
    if (strcmp(method, "ping") == 0)
        result = json_object();
    else
        rc = mcp_client_ask(c, method, json_object_get(message, "params"), &result);
    if (rc == BASE_E_MEMORY)
        return rc;
    if (rc)
        answer = mcp_error_answer(id,
                                  rc == BASE_E_UNSUPPORTED ? MCP_METHOD_NOT_FOUND
                                  : rc == BASE_E_FORMAT    ? MCP_INVALID_PARAMS
                                                           : -1, /* a person said no */
                                  base_error_message(), NULL);
    else if (result)
        answer = json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result", result);
    if (x) /* a person takes the time that it takes */
        x->until += mcp_now() - begun;
    double until = x ? x->until : mcp_now() + 5;
    rc = answer ? c->transport->send(c, answer, until) : BASE_E_MEMORY;
    json_decref(answer);
    return rc;
}

static void hear(struct mcp_client *c, const struct mcp_exchange *x, const char *method,
                 const json_t *params)
{
    if (strcmp(method, "notifications/tools/list_changed") == 0)
        c->tools_changed = true;
    if (strcmp(method, "notifications/progress") == 0 && x && x->watch && x->watch->progress) {
        const json_t *token = json_object_get(params, "progressToken");
        if (json_is_integer(token) && json_integer_value(token) == x->id)
            x->watch->progress(x->watch->context,
                               json_number_value(json_object_get(params, "progress")),
                               json_number_value(json_object_get(params, "total")),
                               json_string_value(json_object_get(params, "message")));
    }
    if (c->o.told)
        c->o.told(c->o.context, method, params);
}

int mcp_client_take(struct mcp_client *c, struct mcp_exchange *x, const json_t *message)
{
    if (json_is_array(message)) { /* a batch, as revision 2025-03-26 has them */
        int rc = 0;
        for (size_t i = 0; i < json_array_size(message) && !rc; i++)
            if (json_is_object(json_array_get(message, i)))
                rc = mcp_client_take(c, x, json_array_get(message, i));
        return rc;
    }
    const char *method = json_string_value(json_object_get(message, "method"));
    const json_t *id = json_object_get(message, "id");
    if (method && (json_is_string(id) || json_is_integer(id)))
        return answer_question(c, x, message, method);
    if (method) {
        hear(c, x, method, json_object_get(message, "params"));
        return 0;
    }
    const json_t *error = json_object_get(message, "error");
    if (!x || x->answer || (!error && !json_object_get(message, "result")))
        return 0;
    /* an error without an id is about what could not be read: it was ours, there is no other */
    if ((json_is_integer(id) && json_integer_value(id) == x->id) ||
        (error && (!id || json_is_null(id))))
        x->answer = json_incref((json_t *)(uintptr_t)message);
    return 0;
}
