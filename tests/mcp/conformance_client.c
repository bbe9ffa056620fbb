/* What the public conformance suite starts as the client under test: it gives the server's address
 * as the last argument, the scenario and the revision in the environment
 *   conformance client --command build/release/tests/mcp/conformance_client --requirements
 * 2026-07-28 Does with the client library what each scenario asks for; `make
 * build/release/tests/mcp/conformance_client` builds it. */
#include <assay/mcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int asked(void *context, const char *method, const json_t *params, json_t **result)
{
    (void)context, (void)params;
    if (strcmp(method, "elicitation/create") != 0)
        return base_error_set(BASE_E_UNSUPPORTED, "%s is not answered", method);
    const json_t *properties =
        json_object_get(json_object_get(params, "requestedSchema"), "properties");
    json_t *content = json_object();
    if (json_object_get(properties, "confirmed"))
        json_object_set_new(content, "confirmed", json_true());
    *result = json_pack("{s:s, s:o}", "action", "accept", "content", content);
    return 0;
}

static void told(void *context, const char *method, const json_t *params)
{
    (void)context, (void)params;
    printf("told %s\n", method);
}

static int ask(struct mcp_client *c, const char *method, json_t *params)
{
    json_t *result = NULL;
    int rc = mcp_client_request(c, method, params, &result);
    char *text = result ? json_dumps(result, 0) : NULL;
    printf("%s: %s\n", method, text ? text : base_error_message());
    free(text);
    json_decref(result);
    return rc;
}

static int call(struct mcp_client *c, const char *name, json_t *arguments)
{
    return ask(c, "tools/call", json_pack("{s:s, s:o}", "name", name, "arguments", arguments));
}

/* Arguments that fit a schema of plain properties. */
static json_t *some_arguments(const json_t *tool)
{
    json_t *out = json_object(), *property;
    const char *name;
    json_object_foreach(json_object_get(json_object_get(tool, "inputSchema"), "properties"), name,
                        property)
    {
        const char *type = json_string_value(json_object_get(property, "type"));
        bool number = type && (strcmp(type, "number") == 0 || strcmp(type, "integer") == 0);
        json_object_set_new(out, name, number ? json_integer(2) : json_string("us-west1"));
    }
    return out;
}

static int run(struct mcp_client *c, const char *scenario)
{
    static const char *const rounds[] = { "test_mrtr_echo_state", "test_mrtr_no_state",
                                          "test_mrtr_unrelated", "test_mrtr_no_result_type" };
    json_t *tools = NULL, *tool, *list = NULL, *one;
    size_t i;
    int rc = mcp_client_list(c, "tools", &tools);
    if (rc)
        return rc;
    printf("%zu tools\n", json_array_size(tools));
    if (strcmp(scenario, "initialize") == 0 || strcmp(scenario, "request-metadata") == 0) {
        /* hello and a list are what is looked at */
    } else if (strcmp(scenario, "sep-2322-client-request-state") == 0) {
        for (i = 0; i < 4 && !rc; i++)
            rc = call(c, rounds[i], json_object());
    } else if (strcmp(scenario, "http-custom-headers") == 0) {
        const char *context = getenv("MCP_CONFORMANCE_CONTEXT");
        json_t *given = json_loads(context ? context : "{}", 0, NULL);
        json_array_foreach(json_object_get(given, "toolCalls"), i, one) if (!rc) rc =
            call(c, json_string_value(json_object_get(one, "name")),
                 json_incref(json_object_get(one, "arguments")));
        json_decref(given);
    } else if (strcmp(scenario, "json-schema-2020-12-preservation") == 0) {
        json_t *schema = NULL;
        json_array_foreach(tools, i, tool) if (!schema) schema =
            json_incref(json_object_get(tool, "inputSchema"));
        rc = call(c, "json_schema_echo", json_pack("{s:o}", "schema", schema));
    } else if (strcmp(scenario, "json-schema-ref-no-deref") == 0) {
        struct agent_tools *ours = NULL; /* where schemas are compiled */
        rc = agent_tools_make(&ours);
        if (!rc)
            rc = mcp_client_add_tools(c, ours, "remote", NULL);
        agent_tools_free(ours);
    } else {
        json_array_foreach(tools, i, tool) if (!rc) rc =
            call(c, json_string_value(json_object_get(tool, "name")), some_arguments(tool));
    }
    if (!rc && json_object_get(mcp_client_offers(c), "resources") &&
        !(rc = mcp_client_list(c, "resources", &list))) {
        json_array_foreach(list, i, one) if (!rc) rc =
            ask(c, "resources/read", json_pack("{s:O}", "uri", json_object_get(one, "uri")));
        json_decref(list);
    }
    if (!rc && json_object_get(mcp_client_offers(c), "prompts") &&
        !(rc = mcp_client_list(c, "prompts", &list))) {
        json_array_foreach(list, i, one) if (!rc) rc =
            ask(c, "prompts/get", json_pack("{s:O}", "name", json_object_get(one, "name")));
        json_decref(list);
    }
    json_decref(tools);
    return rc;
}

int main(int argc, char **argv)
{
    const char *scenario = getenv("MCP_CONFORMANCE_SCENARIO"),
               *version = getenv("MCP_CONFORMANCE_PROTOCOL_VERSION");
    if (argc < 2)
        return 2;
    json_t *can = json_pack("{s:{s:{}}}", "elicitation", "form");
    const struct mcp_client_options o = { .url = argv[argc - 1],
                                          .version = version && *version ? version : NULL,
                                          .timeout = 10,
                                          .asked = asked,
                                          .told = told,
                                          .capabilities = can };
    struct mcp_client *c = NULL;
    int rc = mcp_client_open(&c, &o);
    json_decref(can);
    if (!rc)
        rc = run(c, scenario ? scenario : "");
    if (rc)
        fprintf(stderr, "%s\n", base_error_message());
    mcp_client_close(c);
    return rc ? 1 : 0;
}
