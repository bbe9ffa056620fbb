/* Resources, prompts and completion, as the providers give them: the fixtures first, where they
 * are on, then the server's own. */
#include "base/json.h"
#include "mcp/protocol_private.h"
#include <string.h>

#define VALUES_MOST 100 /* of a completion, by the protocol */

const struct mcp_provider *mcp_provider_at(const struct mcp_server *s, size_t i)
{
    const struct mcp_provider *all[2];
    size_t n = 0;
    if (s->o.fixtures)
        all[n++] = &mcp_fixture_provider;
    if (s->o.provider)
        all[n++] = s->o.provider;
    return i < n ? all[i] : NULL;
}

static void *context_of(const struct mcp_server *s, const struct mcp_provider *p)
{
    return p == &mcp_fixture_provider ? (void *)(uintptr_t)s : p->context;
}

#define EACH(p, s)                                                                                 \
    const struct mcp_provider *p;                                                                  \
    for (size_t i_ = 0; (p = mcp_provider_at((s), i_)); i_++)

int mcp_stamp(const struct mcp_server *s, const char *uri, uint64_t *stamp)
{
    EACH(p, s)
    {
        int rc = p->stamp ? p->stamp(context_of(s, p), uri, stamp) : MCP_NOT_MINE;
        if (rc != MCP_NOT_MINE)
            return rc;
    }
    return MCP_NOT_MINE;
}

/* ---- lists ---- */

typedef int list_fn(void *context, json_t *list);

static int give_list(struct mcp_request *r, const char *key, size_t offset)
{
    const struct mcp_server *s = r->s->server;
    json_t *all = json_array();
    int rc = all ? 0 : BASE_E_MEMORY;
    EACH(p, s)
    {
        list_fn *list;
        memcpy(&list, (const char *)p + offset, sizeof(list_fn *));
        if (!rc && list)
            rc = list(context_of(s, p), all);
    }
    if (rc) {
        json_decref(all);
        return mcp_refuse_error(r, rc);
    }
    return mcp_give_page(r, key, all);
}

int mcp_resources_list(struct mcp_request *r)
{
    return give_list(r, "resources", offsetof(struct mcp_provider, resources));
}
int mcp_templates_list(struct mcp_request *r)
{
    return give_list(r, "resourceTemplates", offsetof(struct mcp_provider, templates));
}
int mcp_prompts_list(struct mcp_request *r)
{
    return give_list(r, "prompts", offsetof(struct mcp_provider, prompts));
}

/* ---- resources ---- */

/* A missing resource: a code of its own until 2026-07-28, wrong parameters since. */
static int not_found(struct mcp_request *r, const char *uri)
{
    r->data = json_pack("{s:s}", "uri", uri);
    return r->data ? mcp_refuse(r, r->modern ? MCP_INVALID_PARAMS : MCP_RESOURCE_NOT_FOUND,
                                "Resource not found: %.200s", uri)
                   : BASE_E_MEMORY;
}

int mcp_resources_read(struct mcp_request *r)
{
    const char *uri = json_string_value(json_object_get(r->params, "uri"));
    if (!uri)
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.uri: expected a string");
    int rc = mcp_input_begin(r);
    if (rc != 1)
        return rc;
    const struct mcp_server *s = r->s->server;
    EACH(p, s)
    {
        json_t *contents = NULL;
        rc = p->read ? p->read(context_of(s, p), uri, &contents) : MCP_NOT_MINE;
        if (rc == 0)
            return mcp_give_cached(r, json_pack("{s:o}", "contents", contents));
        if (rc != MCP_NOT_MINE)
            return mcp_refuse_error(r, rc);
    }
    return not_found(r, uri);
}

int mcp_resources_subscribe(struct mcp_request *r)
{
    const char *uri = json_string_value(json_object_get(r->params, "uri"));
    uint64_t stamp = 0;
    if (!uri)
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.uri: expected a string");
    int rc = mcp_stamp(r->s->server, uri, &stamp);
    if (rc == MCP_NOT_MINE)
        return not_found(r, uri);
    if (rc)
        return mcp_refuse_error(r, rc);
    rc = mcp_session_subscribe(r->s, uri, stamp);
    return rc ? mcp_refuse_error(r, rc) : mcp_give(r, json_object());
}

int mcp_resources_unsubscribe(struct mcp_request *r)
{
    const char *uri = json_string_value(json_object_get(r->params, "uri"));
    if (!uri)
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.uri: expected a string");
    mcp_session_unsubscribe(r->s, uri);
    return mcp_give(r, json_object());
}

/* ---- prompts ---- */

/* Whether it is an object of strings, or not there. */
static bool are_strings(const json_t *arguments)
{
    const char *key;
    json_t *value;
    if (arguments && !json_is_object(arguments))
        return false;
    json_object_foreach((json_t *)(uintptr_t)arguments, key, value)
    {
        if (!json_is_string(value))
            return false;
    }
    return true;
}

int mcp_prompts_get(struct mcp_request *r)
{
    const char *name = json_string_value(json_object_get(r->params, "name"));
    json_t *arguments = json_object_get(r->params, "arguments"), *none = NULL, *result = NULL;
    if (!name)
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.name: expected the name of a prompt");
    if (!are_strings(arguments))
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.arguments: expected an object of strings");
    int rc = mcp_input_begin(r);
    if (rc != 1)
        return rc;
    if (r->o->fixtures && (rc = mcp_fixture_prompt(r, name)) != MCP_NOT_MINE)
        return rc;
    if (!arguments && !(arguments = none = json_object()))
        return BASE_E_MEMORY;
    const struct mcp_server *s = r->s->server;
    rc = MCP_NOT_MINE;
    EACH(p, s)
    {
        if (rc == MCP_NOT_MINE && p->prompt)
            rc = p->prompt(context_of(s, p), name, arguments, &result);
    }
    json_decref(none);
    if (rc == MCP_NOT_MINE)
        return mcp_refuse(r, MCP_INVALID_PARAMS, "Unknown prompt: %.64s", name);
    return rc ? mcp_refuse_error(r, rc) : mcp_give(r, result);
}

/* ---- completion ---- */

int mcp_complete(struct mcp_request *r)
{
    const json_t *ref = json_object_get(r->params, "ref");
    const json_t *argument = json_object_get(r->params, "argument");
    const json_t *others = json_object_get(json_object_get(r->params, "context"), "arguments");
    const char *type = json_string_value(json_object_get(ref, "type"));
    const char *name = json_string_value(json_object_get(argument, "name"));
    const char *value = json_string_value(json_object_get(argument, "value"));
    bool prompt = type && strcmp(type, "ref/prompt") == 0;
    if (!type || (!prompt && strcmp(type, "ref/resource") != 0) ||
        !json_is_string(json_object_get(ref, prompt ? "name" : "uri")))
        return mcp_refuse(r, MCP_INVALID_PARAMS,
                          "params.ref: expected {\"type\": \"ref/prompt\", \"name\"} or {\"type\": "
                          "\"ref/resource\", \"uri\"}");
    if (!name || !value)
        return mcp_refuse(r, MCP_INVALID_PARAMS,
                          "params.argument: expected a name and a value, both strings");
    if (!are_strings(others))
        return mcp_refuse(r, MCP_INVALID_PARAMS,
                          "params.context.arguments: expected an object of strings");
    const struct mcp_server *s = r->s->server;
    json_t *values = NULL;
    int rc = MCP_NOT_MINE;
    EACH(p, s)
    {
        if (rc == MCP_NOT_MINE && p->complete)
            rc = p->complete(context_of(s, p), ref, name, value, others, &values);
    }
    if (rc == MCP_NOT_MINE)
        return mcp_refuse(r, MCP_INVALID_PARAMS, "nothing is known of %.64s \"%.64s\"", type,
                          json_string_value(json_object_get(ref, prompt ? "name" : "uri")));
    if (rc)
        return mcp_refuse_error(r, rc);
    size_t n = json_array_size(values);
    while (json_array_size(values) > VALUES_MOST)
        json_array_remove(values, json_array_size(values) - 1);
    return mcp_give(r, json_pack("{s:{s:o, s:I, s:b}}", "completion", "values", values, "total",
                                 (json_int_t)n, "hasMore", n > VALUES_MOST));
}
