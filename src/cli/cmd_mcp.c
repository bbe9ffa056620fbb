/* assay mcp serve, list, call: the Model Context Protocol on standard input and output. */
#include "base/json.h"
#include "base/memory.h"
#include "cli/display.h"
#include "cli/ground.h"
#include <assay/mcp.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int run_serve(int argc, char **argv);
const struct cli_command cli_command_mcp_serve = {
    .name = "mcp serve",
    .synopsis = "--stdio [options]",
    .summary = "Serve the tools to an MCP host on standard input and output",
    .details =
        "The host starts this program and speaks JSON-RPC on its standard input and output, one "
        "message a line; the program ends with its input. Revisions 2024-11-05 to 2025-11-25 and "
        "2026-07-28. Every call goes through the policy, the sandbox and the audit log "
        "(docs/safety.md); what needs approval is denied, because nobody is at the terminal.\n\n"
        "  assay mcp serve --stdio --files docs --policy policy.yaml --audit calls.jsonl",
    .run = run_serve,
};
static int run_list(int argc, char **argv);
const struct cli_command cli_command_mcp_list = {
    .name = "mcp list",
    .synopsis = "--command COMMAND [options]",
    .summary = "List the tools of an MCP server",
    .details = "Starts the server, asks, and ends it with its whole process group.\n\n"
               "  assay mcp list --command 'assay mcp serve --stdio'",
    .run = run_list,
};
static int run_call(int argc, char **argv);
const struct cli_command cli_command_mcp_call = {
    .name = "mcp call",
    .synopsis = "--command COMMAND [options] NAME",
    .summary = "Call a tool of an MCP server",
    .details = "Prints the tool's content, or with --json the whole result. Exit code 1 when the "
               "tool says that it failed.\n\n"
               "  assay mcp call --command 'assay mcp serve --stdio' calculator --args "
               "'{\"expression\": \"6 * 7\"}'",
    .run = run_call,
};

static int run_serve(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_mcp_serve;
    struct cli_ground ground = { 0 };
    const char *policy_path = NULL, *audit_path = NULL;
    bool stdio = false;
    const struct cli_option options[] = {
        { "stdio", 0, CLI_FLAG, &stdio, NULL, "Speak on standard input and output." },
        CLI_GROUND_OPTIONS(ground),
        { "policy", 0, CLI_STRING, &policy_path, "FILE", "What may be called (docs/safety.md)." },
        { "audit", 0, CLI_STRING, &audit_path, "FILE", "Append every call to this log." },
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n || !stdio)
        return cli_usage(self, "expected --stdio and nothing else");
    struct agent_tools *tools = NULL;
    struct agent_policy *policy = NULL;
    struct agent_audit *audit = NULL;
    struct agent_gate *gate = NULL;
    /* The protocol's own descriptor: whatever prints to standard output lands on standard error. */
    int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), rc = 0;
    if (out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        rc = base_error_set(BASE_E_IO, "cannot keep standard output for the protocol");
    if (!rc)
        rc = cli_ground_open(&ground, &tools);
    if (!rc && policy_path)
        rc = agent_policy_load(&policy, policy_path);
    if (!rc && audit_path)
        rc = agent_audit_open(&audit, audit_path);
    const struct agent_gate_options gate_options = { .policy = policy, .audit = audit };
    if (!rc)
        rc = agent_gate_make(&gate, tools, &gate_options);
    const struct mcp_server_options server = { .gate = gate, .tools = tools };
    if (!rc)
        rc = mcp_serve_stdio(&server, STDIN_FILENO, out);
    code = rc ? cli_fail(self) : 0;
    if (out >= 0)
        close(out);
    agent_gate_free(gate);
    agent_audit_close(audit);
    agent_policy_free(policy);
    agent_tools_free(tools);
    return code;
}

struct connection {
    struct mcp_client_options o;
    const char *args;
};
#define CONNECTION_OPTIONS(c)                                                                         \
    { "command", 0, CLI_STRING, &(c).o.command, "COMMAND", "The server, run by a shell." },           \
        { "timeout", 0, CLI_DOUBLE, &(c).o.timeout, "SECONDS", "How long an answer may take (30)." }, \
    {                                                                                                 \
        "protocol", 0, CLI_STRING, &(c).o.version, "REVISION",                                        \
            "2024-11-05 ... 2025-11-25 or 2026-07-28 (what the server knows)."                        \
    }

static int run_list(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_mcp_list;
    struct connection c = { 0 };
    const struct cli_option options[] = { CONNECTION_OPTIONS(c), { 0 } };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n || !c.o.command)
        return cli_usage(self, "expected --command and nothing else");
    struct mcp_client *client = NULL;
    json_t *all = NULL;
    int rc = mcp_client_open(&client, &c.o);
    if (!rc)
        rc = mcp_client_list(client, "tools", &all);
    if (rc) {
        code = cli_fail(self);
    } else if (cli_common.json) {
        code =
            cli_print_json(self, json_pack("{s:O, s:s, s:O}", "server", mcp_client_server(client),
                                           "protocol", mcp_client_version(client), "tools", all));
    } else {
        const json_t *info = mcp_client_server(client);
        const char *name = json_string_value(json_object_get(info, "name"));
        const char *version = json_string_value(json_object_get(info, "version"));
        struct base_buffer b = { 0 };
        rc = base_buffer_printf(&b, "  server ");
        if (!rc)
            rc = cli_append_visible(&b, name ? name : "?", strlen(name ? name : "?"), 40);
        if (!rc)
            rc = base_buffer_printf(&b, " %.20s, protocol %s\n\n", version ? version : "",
                                    mcp_client_version(client));
        const struct cli_column columns[] = { { "tool", false, false }, { "", false, true } };
        struct cli_table t = { .columns = columns, .n_columns = 2 };
        size_t i;
        const json_t *tool;
        json_array_foreach(all, i, tool)
        {
            const char *title = json_string_value(json_object_get(tool, "name"));
            const char *what = json_string_value(json_object_get(tool, "description"));
            struct base_buffer shown = { 0 };
            cli_append_visible(&shown, title ? title : "?", strlen(title ? title : "?"), 64);
            cli_table_add(&t, "%s", shown.data ? shown.data : "");
            base_buffer_clear(&shown);
            cli_append_visible(&shown, what ? what : "", what ? strlen(what) : 0, 0);
            cli_table_add(&t, "%s", shown.data ? shown.data : "");
            base_buffer_free(&shown);
        }
        if (!rc)
            rc = cli_table_append(&b, &t);
        code = cli_print_text(self, &b, rc);
    }
    json_decref(all);
    mcp_client_close(client);
    return code;
}

static int run_call(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_mcp_call;
    struct connection c = { 0 };
    const struct cli_option options[] = {
        { "args", 0, CLI_STRING, &c.args, "JSON", "The arguments, an object ({})." },
        CONNECTION_OPTIONS(c),
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n != 1 || !c.o.command)
        return cli_usage(self, "expected --command and the name of one tool");
    struct mcp_client *client = NULL;
    json_t *arguments = NULL, *result = NULL;
    const char *text = c.args ? c.args : "{}";
    int rc = base_json_parse_wire(&arguments, text, strlen(text), 0, "--args");
    if (!rc)
        rc = mcp_client_open(&client, &c.o);
    if (!rc)
        rc = mcp_client_request(client, "tools/call",
                                json_pack("{s:s, s:O}", "name", argv[1], "arguments", arguments),
                                &result);
    bool failed = json_is_true(json_object_get(result, "isError"));
    if (rc) {
        code = cli_fail(self);
    } else if (cli_common.json) {
        code = cli_print_json(self, json_incref(result));
    } else {
        struct base_buffer b = { 0 };
        size_t i;
        const json_t *part;
        json_array_foreach(json_object_get(result, "content"), i, part)
        {
            const char *said = json_string_value(json_object_get(part, "text"));
            const char *type = json_string_value(json_object_get(part, "type"));
            if (!rc && said)
                rc = cli_append_visible(&b, said, strlen(said), 0);
            else if (!rc)
                rc = base_buffer_printf(&b, "(%.40s)", type ? type : "?");
            if (!rc)
                rc = base_buffer_puts(&b, "\n");
        }
        code = cli_print_text(self, &b, rc);
    }
    json_decref(arguments);
    json_decref(result);
    mcp_client_close(client);
    return code ? code : failed;
}
