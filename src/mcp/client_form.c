/* Elicitation: the form that a server asks a person to fill in. Its schema is an object of plain
 * properties (https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation); what an
 * accepted answer leaves out gets the schema's default (SEP-1034), and the whole must be valid. */
#include "base/memory.h"
#include "mcp/client.h"
#include <assay/schema.h>
#include <string.h>

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
