/* assay mcp list, call: the client of the Model Context Protocol. */
#include "base/json.h"
#include "base/memory.h"
#include "cli/display.h"
#include <assay/mcp.h>
#include <string.h>

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
