/* The MCP server: lines of anything, in a session of any revision, with the conformance suite's
 * fixtures and a peer that answers what it is asked with whatever the input says. Every answer and
 * everything told is JSON-RPC 2.0; a notification is not answered. No tool runs: the one that there
 * is is denied. The first byte of the input says what the peer answers. */
#include "base/json.h"
#include "mcp/protocol_private.h"
#include <stdlib.h>
#include <string.h>

static void check(const json_t *answer)
{
    const char *version = json_string_value(json_object_get(answer, "jsonrpc"));
    if (!version || strcmp(version, "2.0") != 0 ||
        !json_object_get(answer, "result") == !json_object_get(answer, "error"))
        abort();
}

static int never(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool, (void)arguments, (void)out;
    abort();
}

struct fuzz {
    struct mcp_session *session;
    uint8_t how;
    unsigned sent;
};

/* A question is answered at once, or the session ends: nobody waits. */
static bool on_send(void *context, const json_t *message)
{
    static const char *const answers[] = {
        ("{\"jsonrpc\":\"2.0\",\"result\":{\"action\":\"accept\",\"content\":{\"name\":\"A\","
         "\"ok\":"
         "true,\"username\":\"a\",\"email\":\"b\",\"color\":\"c\",\"approve\":true,"
         "\"confirmed\":true,\"context\":\"d\"}}}"),
        ("{\"jsonrpc\":\"2.0\",\"result\":{\"role\":\"assistant\",\"content\":{\"type\":\"text\","
         "\"text\":\"x\"},\"model\":\"m\"}}"),
        "{\"jsonrpc\":\"2.0\",\"result\":{\"roots\":[{\"uri\":\"file:///\"}]}}",
        "{\"jsonrpc\":\"2.0\",\"result\":{\"action\":\"decline\"}}",
        "{\"jsonrpc\":\"2.0\",\"result\":{\"action\":5,\"roots\":{},\"content\":[]}}",
        "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-1,\"message\":\"no\"}}",
        "{\"jsonrpc\":\"2.0\",\"error\":[]}",
    };
    enum { ANSWERS = sizeof answers / sizeof *answers };
    struct fuzz *f = context;
    const json_t *id = json_object_get(message, "id");
    f->sent++;
    if (!json_object_get(message, "method") && !id)
        abort();
    if (!json_object_get(message, "method") || !id)
        return f->how != 255;
    unsigned which = (f->how + f->sent) % (ANSWERS + 1);
    json_t *answer = NULL;
    if (which == ANSWERS) {
        mcp_session_end(f->session);
        return true;
    }
    if (base_json_parse(&answer, answers[which], strlen(answers[which]), "answer") ||
        json_object_set(answer, "id", (json_t *)(uintptr_t)id) ||
        mcp_session_take(f->session, answer) != 1)
        abort();
    json_decref(answer);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct agent_tools *tools;
    static struct agent_gate *gate;
    static struct agent_policy *policy;
    static struct mcp_server *server;
    if (!tools) {
        const struct agent_tool tool = { .name = "t", .run = never };
        if (agent_tools_make(&tools) || agent_tools_add(tools, &tool) ||
            agent_policy_parse(&policy, "default: deny\n", 14, "p"))
            abort();
        const struct agent_gate_options options = { .policy = policy };
        if (agent_gate_make(&gate, tools, &options))
            abort();
        const struct mcp_server_options o = {
            .gate = gate, .tools = tools, .page = 7, .fixtures = true
        };
        if (mcp_server_make(&server, &o))
            abort();
        server->pause_ms = 0;
        /* the same states in every run, so that an input can hold one */
        memset(server->secret, 1, sizeof server->secret);
    }
    if (!size)
        return 0;
    struct fuzz f = { .how = *data };
    const struct mcp_peer peer = { .send = on_send, .lasting = true, .context = &f };
    if (mcp_session_make(&f.session, server, "fuzz", "fuzz"))
        abort();
    data++;
    size--;
    while (size) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;
        json_t *message = NULL, *answer = NULL;
        int status = 0, taken = 0;
        if (mcp_message_parse(f.session, (const char *)data, n, &message, &answer) < 0 ||
            !message != (answer != NULL))
            abort();
        if (message && (taken = mcp_session_take(f.session, message)) < 0)
            abort();
        if (message && !taken && mcp_answer(f.session, &peer, message, &answer, &status))
            abort();
        if (message && !taken && (status == 202) != !answer)
            abort();
        size_t i;
        const json_t *one;
        if (json_is_array(answer))
            json_array_foreach(answer, i, one) check(one);
        else if (answer)
            check(answer);
        json_decref(answer);
        json_decref(message);
        data += n + (end != NULL);
        size -= n + (end != NULL);
    }
    mcp_session_free(f.session);
    return 0;
}
