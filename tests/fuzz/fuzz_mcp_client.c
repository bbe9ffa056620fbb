/* The client's handling of what a server sends: lines of anything, as answers (with the id that is
 * waited for), questions and notifications, in both eras. What is sent back is JSON-RPC, and a
 * header holds nothing but printable ASCII. The first byte chooses the era, and
 * whether the tools are added to a set of ours. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *at, *end;
};

static int header_check(void *context, const char *line)
{
    (void)context;
    for (; *line; line++)
        if (*line < 0x20 || *line > 0x7e)
            abort();
    return 0;
}

static void check(const json_t *message)
{
    const char *version = json_string_value(json_object_get(message, "jsonrpc"));
    bool method = json_is_string(json_object_get(message, "method"));
    bool result = json_object_get(message, "result"), error = json_object_get(message, "error");
    if (!version || strcmp(version, "2.0") != 0 || method + result + error != 1)
        abort();
}

static int out(struct mcp_client *c, const json_t *message, double until)
{
    (void)c, (void)until;
    check(message);
    return 0;
}

static int exchange(struct mcp_client *c, struct mcp_exchange *x)
{
    struct input *in = c->line;
    int rc = 0;
    check(x->message);
    const char *name = json_string_value(json_object_get(x->params, "name"));
    json_t *map = name ? json_object_get(c->headers, name) : NULL;
    if (map)
        mcp_header_params(map, json_object_get(x->params, "arguments"), header_check, NULL);
    while (!rc && !x->answer) {
        if (in->at >= in->end)
            return base_error_set(BASE_E_IO, "no more");
        const uint8_t *end = memchr(in->at, '\n', (size_t)(in->end - in->at));
        end = end ? end : in->end;
        json_t *message = NULL;
        if (base_json_parse_wire(&message, (const char *)in->at, (size_t)(end - in->at), 0, "m") ==
            0) {
            if (json_is_object(message) && !json_object_get(message, "method"))
                json_object_set_new(message, "id", json_integer(x->id));
            rc = mcp_client_take(c, x, message);
            json_decref(message);
        }
        in->at = end + 1;
    }
    return rc;
}

static void no_close(struct mcp_client *c)
{
    c->line = NULL;
}

static int accept_all(void *context, const char *method, const json_t *params, json_t **result)
{
    (void)context, (void)params;
    *result = strcmp(method, "roots/list") == 0 ? json_pack("{s:[]}", "roots")
                                                : json_pack("{s:s}", "action", "accept");
    return 0;
}
static void told(void *context, const char *method, const json_t *params)
{
    (void)context, (void)method, (void)params;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mcp_transport transport = { .exchange = exchange,
                                                    .send = out,
                                                    .close = no_close };
    if (size < 1)
        return 0;
    struct input in = { data + 1, data + size };
    struct mcp_client *c = base_alloc_zero(1, sizeof *c);
    if (!c)
        return 0;
    pthread_mutex_init(&c->lock, NULL);
    c->transport = &transport;
    c->line = &in;
    c->name = base_strdup("fuzz");
    c->can = json_pack("{s:{}, s:{}, s:{}}", "elicitation", "sampling", "roots");
    c->offers = json_pack("{s:{}}", "tools");
    c->o.timeout = 5;
    c->o.asked = accept_all;
    c->o.told = told;
    c->http = c->modern = data[0] & 1;
    struct agent_tools *tools = NULL;
    json_t *result = NULL;
    if (!(data[0] & 2)) { /* most often: compiling schemas takes the most time */
        if (mcp_client_list(c, "tools", &result) == 0)
            json_decref(result);
    } else if (agent_tools_make(&tools) == 0) {
        mcp_client_add_tools(c, tools, "p", NULL);
    }
    json_t *params = json_pack("{s:s, s:{s:s, s:i, s:b}}", "name", "t", "arguments", "a", "x\r\ny",
                               "n", 5, "b", 1);
    if (mcp_client_request(c, "tools/call", params, &result) == 0 && !json_is_object(result))
        abort();
    json_decref(result);
    if (mcp_client_list(c, "resourceTemplates", &result) == 0 && !json_is_array(result))
        abort();
    json_decref(result);
    agent_tools_free(tools);
    mcp_client_close(c);
    return 0;
}
