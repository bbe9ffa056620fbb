/* What the public conformance suite asks a server to expose (shared/data/agent/mcp/FIXTURES.md has
 * the list): tools, resources and prompts that show one feature of the protocol each. Only where
 * the options ask for them, never beside a default server's own: their tools run in this process
 * and pass no gate, which is safe because they touch nothing but the conversation. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/protocol_private.h"
#include <string.h>
#include <time.h>

/* A PNG of two by two pixels, in base64. */
static const char png[] =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEklEQVR42mM4IQcEJxiAGMgCABx+BBFG"
    "DbMeAAAAAElFTkSuQmCC";
/* A WAV of eight samples of eight bits at 8 kHz: one wave. */
static const char wav[] =
    "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAsNCwgFAwUA==";
#define STATIC_TEXT "This is the content of the static text resource."

/* ---- content ---- */

static json_t *text_content(const char *text)
{
    return json_pack("{s:s, s:s}", "type", "text", "text", text);
}
static json_t *image_content(void)
{
    return json_pack("{s:s, s:s, s:s}", "type", "image", "data", png, "mimeType", "image/png");
}
static json_t *resource_content(const char *uri, const char *type, const char *text)
{
    return json_pack("{s:s, s:{s:s, s:s, s:s}}", "type", "resource", "resource", "uri", uri,
                     "mimeType", type, "text", text);
}
/* A call's result of up to three parts, which are taken over; NULL ends them. */
static int give_parts(struct mcp_request *r, json_t *a, json_t *b, json_t *c)
{
    json_t *parts = json_pack("[o, o*, o*]", a, b, c);
    return mcp_give(r, parts ? json_pack("{s:o}", "content", parts) : NULL);
}
static int give_text(struct mcp_request *r, const char *text)
{
    return give_parts(r, text_content(text), NULL, NULL);
}
/* "prefix" and a value as JSON. */
static int give_value(struct mcp_request *r, const char *prefix, const json_t *value)
{
    char *dumped = base_json_dump(value, false);
    char *text = dumped ? base_format("%s%s", prefix, dumped) : NULL;
    int rc = text ? give_text(r, text) : BASE_E_MEMORY;
    base_free(dumped);
    base_free(text);
    return rc;
}
static void nap(const struct mcp_request *r)
{
    const struct timespec t = { 0, r->s->server->pause_ms * 1000000 };
    nanosleep(&t, NULL);
}

/* ---- questions ---- */

/* params of an elicitation; properties as JSON text, all of them required. */
static json_t *form(const char *message, const char *properties)
{
    json_t *p = NULL, *required = json_array();
    const char *key;
    json_t *value;
    if (!required || base_json_parse(&p, properties, strlen(properties), "form")) {
        json_decref(required);
        return NULL;
    }
    json_object_foreach(p, key, value) json_array_append_new(required, json_string(key));
    return json_pack("{s:s, s:{s:s, s:o, s:o}}", "message", message, "requestedSchema", "type",
                     "object", "properties", p, "required", required);
}
static json_t *sample(const char *prompt, int most)
{
    return json_pack("{s:[{s:s, s:{s:s, s:s}}], s:i}", "messages", "role", "user", "content",
                     "type", "text", "text", prompt, "maxTokens", most);
}
static int elicit(struct mcp_request *r, const char *key, json_t *params, const json_t **answer)
{
    return mcp_input(r, key, "elicitation/create", params, false, answer);
}
/* What a form's answer says of a field: "" when it was not accepted. */
static const char *field(const json_t *answer, const char *name)
{
    const char *text = json_string_value(json_object_get(json_object_get(answer, "content"), name));
    return text ? text : "";
}
static const char *sampled(const json_t *answer)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(answer, "content"), "text"));
    return text ? text : "";
}
/* After the questions: the round's result, or what has already gone wrong. */
static int not_yet(struct mcp_request *r, int rc)
{
    return rc < 0 ? rc : mcp_input_wanted(r) ? mcp_give_input(r) : 0;
}
static int greet(struct mcp_request *r, const char *name)
{
    char *text = base_format("Hello, %s!", name);
    int rc = text ? give_text(r, text) : BASE_E_MEMORY;
    base_free(text);
    return rc;
}

/* ---- tools ---- */

typedef int fixture_fn(struct mcp_request *r, const json_t *arguments);

static int simple_text(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return give_text(r, "This is a simple text response for testing.");
}
static int image(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return give_parts(r, image_content(), NULL, NULL);
}
static int audio(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return give_parts(
        r, json_pack("{s:s, s:s, s:s}", "type", "audio", "data", wav, "mimeType", "audio/wav"),
        NULL, NULL);
}
static int embedded(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return give_parts(r,
                      resource_content("test://embedded-resource", "text/plain",
                                       "This is an embedded resource content."),
                      NULL, NULL);
}
static int mixed(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return give_parts(r, text_content("Multiple content types test:"), image_content(),
                      resource_content("test://mixed-content-resource", "application/json",
                                       "{\"test\":\"data\",\"value\":123}"));
}
static int logging(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    static const char *const said[] = { "Tool execution started", "Tool processing data",
                                        "Tool execution completed" };
    for (int i = 0; i < 3; i++) {
        if (i)
            nap(r);
        mcp_log(r, MCP_INFO, "fixtures", json_string(said[i]));
    }
    return give_text(r, "Three log messages were sent to whoever wants them.");
}
static int error(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return mcp_give(r,
                    json_pack("{s:[o], s:b}", "content",
                              text_content("This tool intentionally returns an error for testing"),
                              "isError", 1));
}
static int progress(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    for (int i = 0; i <= 100; i += 50) {
        if (i)
            nap(r);
        mcp_progress(r, i, 100, NULL);
    }
    return give_text(r, "Progress was told to whoever gave a token.");
}
static int sampling(struct mcp_request *r, const json_t *arguments)
{
    const json_t *answer;
    const char *prompt = json_string_value(json_object_get(arguments, "prompt"));
    int rc = mcp_input(r, "sample", "sampling/createMessage", sample(prompt, 100), false, &answer);
    if (rc != 1)
        return not_yet(r, rc);
    char *text = base_format("LLM response: %s", sampled(answer));
    rc = text ? give_text(r, text) : BASE_E_MEMORY;
    base_free(text);
    return rc;
}
/* An elicitation and what it gave. */
static int elicited(struct mcp_request *r, const char *prefix, json_t *params)
{
    const json_t *answer;
    int rc = elicit(r, "form", params, &answer);
    if (rc != 1)
        return not_yet(r, rc);
    const char *action = json_string_value(json_object_get(answer, "action"));
    char *text = base_format("%s: action=%s, content=", prefix, action);
    const json_t *content = json_object_get(answer, "content");
    json_t *none = content ? NULL : json_object();
    rc = text && (content || none) ? give_value(r, text, content ? content : none) : BASE_E_MEMORY;
    json_decref(none);
    base_free(text);
    return rc;
}
static int elicitation(struct mcp_request *r, const json_t *arguments)
{
    return elicited(
        r, "User response",
        form(json_string_value(json_object_get(arguments, "message")),
             "{\"username\": {\"type\": \"string\", \"description\": \"User's response\"}, "
             "\"email\": {\"type\": \"string\", \"description\": \"User's email address\"}}"));
}
/* The same, with nothing required: what has a default may be left out. */
static json_t *optional_form(const char *message, const char *properties)
{
    json_t *params = form(message, properties);
    json_object_del(json_object_get(params, "requestedSchema"), "required");
    return params;
}
static int defaults(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return elicited(
        r, "Elicitation completed",
        optional_form(
            "Every kind of field with a default",
            "{\"name\": {\"type\": \"string\", \"default\": \"John Doe\"}, "
            "\"age\": {\"type\": \"integer\", \"default\": 30}, "
            "\"score\": {\"type\": \"number\", \"default\": 95.5}, "
            "\"status\": {\"type\": \"string\", \"enum\": [\"active\", \"inactive\", \"pending\"], "
            "\"default\": \"active\"}, "
            "\"verified\": {\"type\": \"boolean\", \"default\": true}}"));
}
static int enums(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return elicited(
        r, "Elicitation completed",
        optional_form(
            "Every kind of choice",
            "{\"untitledSingle\": {\"type\": \"string\", \"enum\": [\"option1\", \"option2\", "
            "\"option3\"]}, "
            "\"titledSingle\": {\"type\": \"string\", \"oneOf\": [{\"const\": \"value1\", "
            "\"title\": \"First Option\"}, {\"const\": \"value2\", \"title\": \"Second Option\"}, "
            "{\"const\": \"value3\", \"title\": \"Third Option\"}]}, "
            "\"legacyEnum\": {\"type\": \"string\", \"enum\": [\"opt1\", \"opt2\", \"opt3\"], "
            "\"enumNames\": [\"Option One\", \"Option Two\", \"Option Three\"]}, "
            "\"untitledMulti\": {\"type\": \"array\", \"items\": {\"type\": \"string\", \"enum\": "
            "[\"option1\", \"option2\", \"option3\"]}}, "
            "\"titledMulti\": {\"type\": \"array\", \"items\": {\"anyOf\": [{\"const\": "
            "\"value1\", \"title\": \"First Choice\"}, {\"const\": \"value2\", \"title\": \"Second "
            "Choice\"}, {\"const\": \"value3\", \"title\": \"Third Choice\"}]}}}"));
}
static int reconnection(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    if (r->peer->drop)
        r->peer->drop(r->peer->context);
    nap(r);
    return give_text(r, "The stream was closed while the call ran; this came to who returned.");
}
static int missing_capability(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return mcp_require(r, "sampling") ? give_text(r, "The client can sample.") : 0;
}
static int streaming_elicitation(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    mcp_progress(r, 0, 1, "asking");
    return elicited(r, "Elicitation completed",
                    form("Go on?", "{\"confirmed\": {\"type\": \"boolean\"}}"));
}
static int trigger(struct mcp_request *r, bool *what, enum mcp_change change)
{
    struct mcp_server *s = r->s->server;
    pthread_mutex_lock(&s->lock);
    *what = !*what;
    pthread_mutex_unlock(&s->lock);
    mcp_changed(s, change);
    return give_text(r, "The list has changed.");
}
static int trigger_tool(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return trigger(r, &r->s->server->extra_tool, MCP_TOOLS_CHANGED);
}
static int trigger_prompt(struct mcp_request *r, const json_t *arguments)
{
    (void)arguments;
    return trigger(r, &r->s->server->extra_prompt, MCP_PROMPTS_CHANGED);
}
static int echo(struct mcp_request *r, const json_t *arguments)
{
    return give_value(r, "Arguments: ", arguments);
}

static json_t *name_form(const char *message)
{
    return form(message, "{\"name\": {\"type\": \"string\"}}");
}
static int input_elicitation(struct mcp_request *r, const json_t *arguments)
{
    const json_t *answer;
    (void)arguments;
    int rc = elicit(r, "user_name", name_form("What is your name?"), &answer);
    return rc == 1 ? greet(r, field(answer, "name")) : not_yet(r, rc);
}
static int input_sampling(struct mcp_request *r, const json_t *arguments)
{
    const json_t *answer;
    (void)arguments;
    int rc = mcp_input(r, "capital_question", "sampling/createMessage",
                       sample("What is the capital of France?", 100), false, &answer);
    return rc == 1 ? give_text(r, sampled(answer)) : not_yet(r, rc);
}
static int input_roots(struct mcp_request *r, const json_t *arguments)
{
    const json_t *answer;
    (void)arguments;
    int rc = mcp_input(r, "client_roots", "roots/list", json_object(), false, &answer);
    return rc == 1 ? give_value(r, "Roots: ", json_object_get(answer, "roots")) : not_yet(r, rc);
}
static int input_state(struct mcp_request *r, const json_t *arguments)
{
    const json_t *answer;
    (void)arguments;
    int rc = mcp_input(r, "confirm", "elicitation/create",
                       form("Please confirm", "{\"ok\": {\"type\": \"boolean\"}}"), true, &answer);
    return rc == 1 ? give_text(r, "state-ok") : not_yet(r, rc);
}
static int input_several(struct mcp_request *r, const json_t *arguments)
{
    const json_t *name, *greeting, *roots;
    (void)arguments;
    int a = elicit(r, "user_name", name_form("What is your name?"), &name);
    int b = a < 0 ? a
                  : mcp_input(r, "greeting", "sampling/createMessage",
                              sample("Generate a greeting", 50), false, &greeting);
    int c = b < 0 ? b : mcp_input(r, "client_roots", "roots/list", json_object(), false, &roots);
    if (c != 1 || b != 1 || a != 1)
        return not_yet(r, c < 0 ? c : 0);
    char *text = base_format("%s, %s! You have %zu roots.", sampled(greeting), field(name, "name"),
                             json_array_size(json_object_get(roots, "roots")));
    int rc = text ? give_text(r, text) : BASE_E_MEMORY;
    base_free(text);
    return rc;
}
static int input_rounds(struct mcp_request *r, const json_t *arguments)
{
    const json_t *name, *color;
    (void)arguments;
    int rc = elicit(r, "step1", name_form("Step 1: What is your name?"), &name);
    if (rc == 1)
        rc = elicit(
            r, "step2",
            form("Step 2: What is your favorite color?", "{\"color\": {\"type\": \"string\"}}"),
            &color);
    if (rc != 1)
        return not_yet(r, rc);
    char *text = base_format("Hello, %s! You like %s.", field(name, "name"), field(color, "color"));
    rc = text ? give_text(r, text) : BASE_E_MEMORY;
    base_free(text);
    return rc;
}
/* Asks only for what the client can. */
static int input_capabilities(struct mcp_request *r, const json_t *arguments)
{
    const json_t *answer;
    (void)arguments;
    int rc = 1;
    if (mcp_client_can(r, "elicitation") &&
        (rc = elicit(r, "user_name", name_form("Who are you?"), &answer)) < 0)
        return rc;
    bool all = rc == 1;
    if (mcp_client_can(r, "sampling") &&
        (rc = mcp_input(r, "greeting", "sampling/createMessage", sample("Say hello", 50), false,
                        &answer)) < 0)
        return rc;
    all = all && rc == 1;
    return all ? give_text(r, "All that the client can was asked.") : not_yet(r, 0);
}

#define NONE "{\"type\": \"object\", \"properties\": {}}"
#define ONE(x)                                                                                     \
    "{\"type\": \"object\", \"properties\": {\"" x "\": {\"type\": \"string\"}}, "                 \
    "\"required\": [\"" x "\"]}"

static const struct {
    const char *name, *description, *input;
    fixture_fn *run;
} tools[] = {
    { "json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features",
      "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"type\": \"object\", "
      "\"$defs\": {\"address\": {\"$anchor\": \"addressDef\", \"type\": \"object\", "
      "\"properties\": {\"street\": {\"type\": \"string\"}, \"city\": {\"type\": \"string\"}}}}, "
      "\"properties\": {\"name\": {\"type\": \"string\"}, \"address\": {\"$ref\": "
      "\"#/$defs/address\"}, \"contactMethod\": {\"type\": \"string\", \"enum\": [\"phone\", "
      "\"email\"]}, \"phone\": {\"type\": \"string\"}, \"email\": {\"type\": \"string\"}}, "
      "\"allOf\": [{\"anyOf\": [{\"required\": [\"phone\"]}, {\"required\": [\"email\"]}]}], "
      "\"if\": {\"properties\": {\"contactMethod\": {\"const\": \"phone\"}}, \"required\": "
      "[\"contactMethod\"]}, \"then\": {\"required\": [\"phone\"]}, \"else\": {\"required\": "
      "[\"email\"]}, \"additionalProperties\": false}",
      echo },
    { "test_audio_content", "Returns audio", NONE, audio },
    { "test_elicitation", "Asks the user for two strings", ONE("message"), elicitation },
    { "test_elicitation_sep1034_defaults", "Asks with defaults of every kind", NONE, defaults },
    { "test_elicitation_sep1330_enums", "Asks with choices of every kind", NONE, enums },
    { "test_embedded_resource", "Returns an embedded resource", NONE, embedded },
    { "test_error_handling", "Returns an error", NONE, error },
    { "test_header_parameter", "Has a parameter that is also a header",
      "{\"type\": \"object\", \"properties\": {\"region\": {\"type\": \"string\", "
      "\"x-mcp-header\": \"Region\"}}, \"required\": [\"region\"]}",
      echo },
    { "test_image_content", "Returns an image", NONE, image },
    { "test_input_required_result_capabilities", "Asks for what the client can", NONE,
      input_capabilities },
    { "test_input_required_result_elicitation", "Asks for a name", NONE, input_elicitation },
    { "test_input_required_result_list_roots", "Asks for the roots", NONE, input_roots },
    { "test_input_required_result_multi_round", "Asks twice", NONE, input_rounds },
    { "test_input_required_result_multiple_inputs", "Asks three things at once", NONE,
      input_several },
    { "test_input_required_result_request_state", "Asks and keeps a state", NONE, input_state },
    { "test_input_required_result_sampling", "Asks for a sample", NONE, input_sampling },
    { "test_input_required_result_tampered_state", "Asks and guards its state", NONE, input_state },
    { "test_logging_tool", "Sends log messages", NONE, logging },
    { "test_missing_capability", "Needs a client that can sample", NONE, missing_capability },
    { "test_multiple_content_types", "Returns text, an image and a resource", NONE, mixed },
    { "test_reconnection", "Ends the stream before the result", NONE, reconnection },
    { "test_sampling", "Asks for a sample", ONE("prompt"), sampling },
    { "test_simple_text", "Returns a text", NONE, simple_text },
    { "test_streaming_elicitation", "Tells progress, then asks", NONE, streaming_elicitation },
    { "test_tool_with_logging", "Sends log messages", NONE, logging },
    { "test_tool_with_progress", "Tells its progress", NONE, progress },
    { "test_trigger_prompt_change", "Changes the list of prompts", NONE, trigger_prompt },
    { "test_trigger_tool_change", "Changes the list of tools", NONE, trigger_tool },
};

int mcp_fixture_tools(const struct mcp_server *s, json_t *list)
{
    struct mcp_server *server = (struct mcp_server *)(uintptr_t)s;
    pthread_mutex_lock(&server->lock);
    bool extra = s->extra_tool;
    pthread_mutex_unlock(&server->lock);
    for (size_t i = 0; i < sizeof tools / sizeof *tools + extra; i++) {
        bool own = i < sizeof tools / sizeof *tools;
        const char *text = own ? tools[i].input : NONE;
        json_t *schema = NULL;
        int rc = base_json_parse(&schema, text, strlen(text), "schema");
        if (rc)
            return rc;
        if (json_array_append_new(
                list, json_pack("{s:s, s:s, s:o}", "name", own ? tools[i].name : "test_extra_tool",
                                "description", own ? tools[i].description : "Comes and goes",
                                "inputSchema", schema)))
            return BASE_E_MEMORY;
    }
    return 0;
}

/* Arguments that break the schema are the model's to see, as for every tool. */
static int check(struct mcp_request *r, const char *input, const json_t *arguments)
{
    static const struct agent_schema_options own = { .unchecked = true };
    json_t *schema = NULL, *errors = NULL;
    struct agent_schema *compiled = NULL;
    int rc = base_json_parse(&schema, input, strlen(input), "schema");
    if (!rc)
        rc = agent_schema_compile(&compiled, schema, "fixture", &own);
    if (!rc)
        rc = agent_schema_check(compiled, arguments, &errors);
    const char *said = json_string_value(json_object_get(json_array_get(errors, 0), "message"));
    char *text = rc == 0 ? base_format("invalid arguments: %s", said ? said : "?") : NULL;
    if (rc == 0 && !text)
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = mcp_give(r, json_pack("{s:[o], s:b}", "content", text_content(text), "isError", 1));
    else if (rc < 0)
        rc = mcp_refuse_error(r, rc);
    base_free(text);
    json_decref(errors);
    json_decref(schema);
    agent_schema_free(compiled);
    return rc;
}

int mcp_fixture_call(struct mcp_request *r, const char *name, const json_t *arguments)
{
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        if (strcmp(tools[i].name, name) == 0) {
            int rc = check(r, tools[i].input, arguments);
            return rc == 1 ? tools[i].run(r, arguments) : rc;
        }
    struct mcp_server *s = r->s->server;
    pthread_mutex_lock(&s->lock);
    bool extra = s->extra_tool;
    pthread_mutex_unlock(&s->lock);
    return extra && strcmp(name, "test_extra_tool") == 0 ? give_text(r, "Here for now.")
                                                         : MCP_NOT_MINE;
}

/* ---- resources ---- */

static int append(json_t *list, json_t *value)
{
    return json_array_append_new(list, value) ? BASE_E_MEMORY : 0;
}
static json_t *resource(const char *uri, const char *name, const char *description,
                        const char *type)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "uri", uri, "name", name, "description", description,
                     "mimeType", type);
}
static int resources(void *context, json_t *list)
{
    (void)context;
    int rc = append(list, resource("test://static-text", "static-text", "A text that never changes",
                                   "text/plain"));
    if (!rc)
        rc = append(list, resource("test://static-binary", "static-binary",
                                   "An image that never changes", "image/png"));
    if (!rc)
        rc = append(list, resource("test://watched-resource", "watched-resource",
                                   "A text that can be subscribed to", "text/plain"));
    return rc;
}
static int templates(void *context, json_t *list)
{
    (void)context;
    return append(list, json_pack("{s:s, s:s, s:s, s:s}", "uriTemplate",
                                  "test://template/{id}/data", "name", "template", "description",
                                  "Data of one id", "mimeType", "application/json"));
}
static int give_contents(json_t **contents, const char *uri, const char *type, const char *key,
                         const char *value)
{
    *contents = json_pack("[{s:s, s:s, s:s}]", "uri", uri, "mimeType", type, key, value);
    return *contents ? 0 : BASE_E_MEMORY;
}
static int read_one(void *context, const char *uri, json_t **contents)
{
    (void)context;
    if (strcmp(uri, "test://static-text") == 0)
        return give_contents(contents, uri, "text/plain", "text", STATIC_TEXT);
    if (strcmp(uri, "test://static-binary") == 0)
        return give_contents(contents, uri, "image/png", "blob", png);
    if (strcmp(uri, "test://watched-resource") == 0)
        return give_contents(contents, uri, "text/plain", "text", "Nothing has happened yet.");
    static const char before[] = "test://template/", after[] = "/data";
    size_t n = strlen(uri), fixed = sizeof before - 1 + sizeof after - 1;
    if (n <= fixed || strncmp(uri, before, sizeof before - 1) != 0 ||
        strcmp(uri + n - (sizeof after - 1), after) != 0 ||
        memchr(uri + sizeof before - 1, '/', n - fixed))
        return MCP_NOT_MINE;
    json_t *id = json_stringn(uri + sizeof before - 1, n - fixed);
    char *data = id ? base_format("Data for ID: %s", json_string_value(id)) : NULL;
    json_t *value =
        data ? json_pack("{s:O, s:b, s:s}", "id", id, "templateTest", 1, "data", data) : NULL;
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    int rc = text ? give_contents(contents, uri, "application/json", "text", text) : BASE_E_MEMORY;
    base_free(text);
    base_free(data);
    json_decref(value);
    json_decref(id);
    return rc;
}
static int stamp(void *context, const char *uri, uint64_t *out)
{
    (void)context;
    *out = 0;
    return strcmp(uri, "test://watched-resource") == 0 || strcmp(uri, "test://static-text") == 0
               ? 0
               : MCP_NOT_MINE;
}

/* ---- prompts ---- */

static json_t *argument(const char *name, const char *description)
{
    return json_pack("{s:s, s:s, s:b}", "name", name, "description", description, "required", 1);
}
static json_t *prompt_entry(const char *name, const char *description, json_t *arguments)
{
    return json_pack("{s:s, s:s, s:o*}", "name", name, "description", description, "arguments",
                     arguments);
}
static int prompts(void *context, json_t *list)
{
    struct mcp_server *s = context;
    pthread_mutex_lock(&s->lock);
    bool extra = s->extra_prompt;
    pthread_mutex_unlock(&s->lock);
    int rc = append(list, prompt_entry("test_simple_prompt", "A prompt without arguments", NULL));
    if (!rc)
        rc = append(list, prompt_entry("test_prompt_with_arguments", "A prompt with two arguments",
                                       json_pack("[o, o]", argument("arg1", "The first"),
                                                 argument("arg2", "The second"))));
    if (!rc)
        rc = append(list, prompt_entry("test_prompt_with_embedded_resource",
                                       "A prompt that holds a resource",
                                       json_pack("[o]", argument("resourceUri", "Its address"))));
    if (!rc)
        rc = append(list, prompt_entry("test_prompt_with_image", "A prompt with an image", NULL));
    if (!rc)
        rc = append(list, prompt_entry("test_input_required_result_prompt",
                                       "A prompt that asks the user first", NULL));
    if (!rc && extra)
        rc = append(list, prompt_entry("test_extra_prompt", "Comes and goes", NULL));
    return rc;
}
static json_t *message(json_t *content)
{
    return json_pack("{s:s, s:o}", "role", "user", "content", content);
}
/* Messages of one or two parts, taken over. */
static int give_messages(json_t **result, json_t *a, json_t *b)
{
    *result = json_pack("{s:[o, o*]}", "messages", message(a), b ? message(b) : NULL);
    return *result ? 0 : BASE_E_MEMORY;
}
static int prompt(void *context, const char *name, const json_t *arguments, json_t **result)
{
    struct mcp_server *s = context;
    if (strcmp(name, "test_simple_prompt") == 0)
        return give_messages(result, text_content("This is a simple prompt for testing."), NULL);
    if (strcmp(name, "test_prompt_with_image") == 0)
        return give_messages(result, image_content(),
                             text_content("Please analyze the image above."));
    if (strcmp(name, "test_prompt_with_embedded_resource") == 0) {
        const char *uri = json_string_value(json_object_get(arguments, "resourceUri"));
        if (!uri)
            return base_error_set(BASE_E_ARGUMENT, "the argument \"resourceUri\" is missing");
        return give_messages(
            result, resource_content(uri, "text/plain", "Embedded resource content for testing."),
            text_content("Please process the embedded resource above."));
    }
    if (strcmp(name, "test_prompt_with_arguments") == 0) {
        const char *a = json_string_value(json_object_get(arguments, "arg1"));
        const char *b = json_string_value(json_object_get(arguments, "arg2"));
        if (!a || !b)
            return base_error_set(BASE_E_ARGUMENT, "the argument \"%s\" is missing",
                                  a ? "arg2" : "arg1");
        char *text = base_format("Prompt with arguments: arg1='%s', arg2='%s'", a, b);
        int rc = text ? give_messages(result, text_content(text), NULL) : BASE_E_MEMORY;
        base_free(text);
        return rc;
    }
    pthread_mutex_lock(&s->lock);
    bool extra = s->extra_prompt;
    pthread_mutex_unlock(&s->lock);
    return extra && strcmp(name, "test_extra_prompt") == 0
               ? give_messages(result, text_content("Here for now."), NULL)
               : MCP_NOT_MINE;
}

int mcp_fixture_prompt(struct mcp_request *r, const char *name)
{
    const json_t *answer;
    json_t *result = NULL;
    if (strcmp(name, "test_input_required_result_prompt") != 0)
        return MCP_NOT_MINE;
    int rc =
        elicit(r, "user_context",
               form("What context should the prompt use?", "{\"context\": {\"type\": \"string\"}}"),
               &answer);
    if (rc != 1)
        return not_yet(r, rc);
    char *text = base_format("The context is: %s", field(answer, "context"));
    rc = text ? give_messages(&result, text_content(text), NULL) : BASE_E_MEMORY;
    base_free(text);
    return rc ? rc : mcp_give(r, result);
}

static int complete(void *context, const json_t *ref, const char *argument_name, const char *value,
                    const json_t *others, json_t **values)
{
    (void)context, (void)others;
    static const char *const known[] = { "paris", "park", "party", "test", "testing" };
    const char *name = json_string_value(json_object_get(ref, "name"));
    if (!name || strcmp(name, "test_prompt_with_arguments") != 0)
        return MCP_NOT_MINE;
    json_t *all = json_array();
    int rc = all ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < sizeof known / sizeof *known && !rc; i++)
        if (strcmp(argument_name, "arg1") == 0 && strncmp(known[i], value, strlen(value)) == 0)
            rc = append(all, json_string(known[i]));
    if (rc)
        json_decref(all);
    else
        *values = all;
    return rc;
}

const struct mcp_provider mcp_fixture_provider = { .resources = resources,
                                                   .templates = templates,
                                                   .read = read_one,
                                                   .stamp = stamp,
                                                   .prompts = prompts,
                                                   .prompt = prompt,
                                                   .complete = complete };
