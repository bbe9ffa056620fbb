/* assay mcp list, call, read, prompt: the client of the Model Context Protocol. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/display.h"
#include "cli/mcp_connect.h"
#include <string.h>

static int run_list(int argc, char **argv);
const struct cli_command cli_command_mcp_list = {
    .name = "mcp list",
    .synopsis = "(--command COMMAND | --url URL) [options]",
    .summary = "List what an MCP server offers: tools, resources, prompts",
    .details = CLI_MCP_DETAILS "\n\n"
                               "  assay mcp list --command 'assay mcp serve --stdio'\n"
                               "  assay mcp list --url http://127.0.0.1:8808/mcp",
    .run = run_list,
};
static int run_call(int argc, char **argv);
const struct cli_command cli_command_mcp_call = {
    .name = "mcp call",
    .synopsis = "(--command COMMAND | --url URL) [options] NAME",
    .summary = "Call a tool of an MCP server",
    .details = CLI_MCP_DETAILS CLI_MCP_ANSWER_DETAILS
    " Prints the tool's structured content or its text, with --json the whole result. Exit code 1 "
    "when the tool says that it failed.\n\n"
    "  assay mcp call --command 'assay mcp serve --stdio' calculator --args "
    "'{\"expression\": \"6 * 7\"}'",
    .run = run_call,
};
static int run_read(int argc, char **argv);
const struct cli_command cli_command_mcp_read = {
    .name = "mcp read",
    .synopsis = "(--command COMMAND | --url URL) [options] URI",
    .summary = "Read a resource of an MCP server",
    .details =
        CLI_MCP_DETAILS "Prints the text; with -o FILE text and binary contents alike are written "
                        "there as they are.\n\n"
                        "  assay mcp read --url http://127.0.0.1:8808/mcp test://static-text",
    .run = run_read,
};
static int run_prompt(int argc, char **argv);
const struct cli_command cli_command_mcp_prompt = {
    .name = "mcp prompt",
    .synopsis = "(--command COMMAND | --url URL) [options] NAME",
    .summary = "Have an MCP server fill in one of its prompts",
    .details = CLI_MCP_DETAILS "--args gives the prompt's arguments, an object of strings.\n\n"
                               "  assay mcp prompt --command 'assay mcp serve --stdio' cloze "
                               "--args '{\"task\": \"facts\"}'",
    .run = run_prompt,
};

static const char *text_at(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/* ---- list ---- */

static int append_section(struct base_buffer *b, const char *title, const char *name,
                          const json_t *all)
{
    const struct cli_column columns[] = { { title, false, false }, { "", false, true } };
    struct cli_table t = { .columns = columns, .n_columns = 2 };
    const json_t *one;
    size_t i;
    if (!json_array_size(all))
        return 0;
    json_array_foreach((json_t *)(uintptr_t)all, i, one)
    {
        const char *what = text_at(one, "description"), *called = text_at(one, name);
        what = what ? what : text_at(one, "title");
        what = what ? what : strcmp(name, "name") != 0 ? text_at(one, "name") : "";
        struct base_buffer shown = { 0 };
        cli_append_visible(&shown, called ? called : "?", strlen(called ? called : "?"), 48);
        const json_t *argument; /* of a prompt */
        size_t k;
        json_array_foreach(json_object_get(one, "arguments"), k, argument)
        {
            const char *word = text_at(argument, "name");
            bool required = json_is_true(json_object_get(argument, "required"));
            base_buffer_puts(&shown, required ? " " : " [");
            cli_append_visible(&shown, word ? word : "?", word ? strlen(word) : 1, 20);
            base_buffer_puts(&shown, required ? "" : "]");
        }
        cli_table_add(&t, "%s", shown.data ? shown.data : "");
        base_buffer_clear(&shown);
        cli_append_visible(&shown, what ? what : "", what ? strlen(what) : 0, 0);
        cli_table_add(&t, "%s", shown.data ? shown.data : "");
        base_buffer_free(&shown);
    }
    int rc = base_buffer_puts(b, "\n");
    return rc ? rc : cli_table_append(b, &t);
}

static const struct {
    const char *key, *capability, *title, *name;
} kinds[] = {
    { "tools", "tools", "tool", "name" },
    { "resources", "resources", "resource", "uri" },
    { "resourceTemplates", "resources", "template", "uriTemplate" },
    { "prompts", "prompts", "prompt", "name" },
};
#define KINDS (sizeof kinds / sizeof *kinds)

static int run_list(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_mcp_list;
    struct cli_mcp m = { 0 };
    const struct cli_option options[] = { CLI_MCP_OPTIONS(m), { 0 } };
    int n, code = cli_parse(self, options, false, argc, argv, &n), rc = 0;
    if (code)
        return code < 0 ? 0 : code;
    if (n)
        return cli_usage(self, "unexpected \"%s\"", argv[1]);
    if ((code = cli_mcp_open(self, &m, false)))
        return code;
    json_t *all = json_pack("{s:O, s:s}", "server", mcp_client_server(m.client), "protocol",
                            mcp_client_version(m.client));
    for (size_t i = 0; i < KINDS && !rc; i++) {
        json_t *list = NULL;
        if (!json_object_get(mcp_client_offers(m.client), kinds[i].capability))
            list = json_array();
        else if ((rc = mcp_client_list(m.client, kinds[i].key, &list)) == BASE_E_FORMAT && i == 2) {
            rc = 0; /* resources, and no templates */
            list = json_array();
        }
        if (!rc && json_object_set_new(all, kinds[i].key, list))
            rc = BASE_E_MEMORY;
    }
    const json_t *left_out = mcp_client_left_out(m.client);
    for (size_t i = 0; i < json_array_size(left_out) && !rc; i++)
        base_log("left out: %s", json_string_value(json_array_get(left_out, i)));
    struct base_buffer b = { 0 };
    if (rc) {
        code = cli_fail(self);
    } else if (cli_common.json) {
        code = cli_print_json(self, json_incref(all));
    } else {
        const json_t *info = mcp_client_server(m.client);
        const char *name = text_at(info, "name"), *version = text_at(info, "version");
        rc = base_buffer_printf(&b, "  server ");
        rc = rc ? rc : cli_append_visible(&b, name ? name : "?", strlen(name ? name : "?"), 40);
        rc = rc || !version || !*version ? rc : base_buffer_puts(&b, " ");
        rc = rc ? rc
                : cli_append_visible(&b, version ? version : "", version ? strlen(version) : 0, 20);
        rc = rc ? rc : base_buffer_printf(&b, ", protocol %s\n", mcp_client_version(m.client));
        for (size_t i = 0; i < KINDS && !rc; i++)
            rc = append_section(&b, kinds[i].title, kinds[i].name,
                                json_object_get(all, kinds[i].key));
        code = cli_print_text(self, &b, rc);
    }
    json_decref(all);
    cli_mcp_close(&m);
    return code;
}

/* ---- what is in a result ---- */

static size_t decoded_bytes(const json_t *data)
{
    size_t n = json_string_length(data);
    const char *s = json_string_value(data);
    return n / 4 * 3 - (n && s[n - 1] == '=') - (n > 1 && s[n - 2] == '=');
}

/* One block of content: text, an image, sound, a resource or a link. */
static int append_content(struct base_buffer *b, int indent, const json_t *part)
{
    const json_t *inner = json_object_get(part, "resource"),
                 *text = json_object_get(inner ? inner : part, "text");
    const char *type = text_at(part, "type"), *mime = text_at(inner ? inner : part, "mimeType");
    const char *uri = text_at(inner ? inner : part, "uri");
    const json_t *data = json_object_get(inner ? inner : part, inner ? "blob" : "data");
    struct base_buffer line = { 0 };
    int rc = 0;
    if (uri) {
        rc = base_buffer_printf(b, "%*s", indent, "");
        rc = rc ? rc : cli_append_visible(b, uri, strlen(uri), cli_columns() - indent);
        rc = rc ? rc : base_buffer_puts(b, "\n");
    }
    if (!rc && json_is_string(text))
        rc = cli_append_text(b, indent, json_string_value(text), json_string_length(text));
    else if (!rc && !uri) {
        rc = base_buffer_puts(&line, "(");
        const char *what = mime ? mime : type ? type : "?";
        rc = rc ? rc : cli_append_visible(&line, what, strlen(what), 40);
        if (!rc && json_is_string(data))
            rc = base_buffer_printf(&line, ", %zu bytes", decoded_bytes(data));
        rc = rc ? rc : base_buffer_printf(b, "%*s%s)\n", indent, "", line.data);
    }
    base_buffer_free(&line);
    return rc;
}

/* --args as an object, "{}" without. */
static int args_parse(const char *text, json_t **out)
{
    text = text ? text : "{}";
    int rc = base_json_parse_wire(out, text, strlen(text), 0, "--args");
    if (!rc && !json_is_object(*out))
        rc = base_error_set(BASE_E_ARGUMENT, "--args: expected a JSON object");
    return rc;
}

/* Opens the server and asks it for a tool's or prompt's answer: an exit code, or 0 and *rc, what
 * the request came to. m is to be closed when that is 0. */
static int ask(const struct cli_command *self, struct cli_mcp *m, const char *method,
               const char *name, const char *args, json_t **result, int *rc)
{
    json_t *arguments = NULL;
    int code = args_parse(args, &arguments) ? cli_fail(self) : cli_mcp_open(self, m, true);
    if (!code) {
        *rc = mcp_client_request(m->client, method,
                                 json_pack("{s:s, s:O}", "name", name, "arguments", arguments),
                                 result);
        base_progress_end(m->bar);
        m->bar = NULL;
    }
    json_decref(arguments);
    return code;
}

static int run_call(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_mcp_call;
    struct cli_mcp m = { 0 };
    const char *args = NULL;
    const struct cli_option options[] = {
        { "args", 0, CLI_STRING, &args, "JSON", "The arguments, an object ({})." },
        CLI_MCP_OPTIONS(m),
        CLI_MCP_ANSWER_OPTIONS(m),
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n != 1)
        return cli_usage(self, "expected the name of one tool");
    json_t *result = NULL;
    int rc;
    if ((code = ask(self, &m, "tools/call", argv[1], args, &result, &rc)))
        return code;
    bool failed = json_is_true(json_object_get(result, "isError"));
    if (rc) {
        code = cli_fail(self);
    } else if (cli_common.json) {
        code = cli_print_json(self, json_incref(result));
    } else {
        struct base_buffer b = { 0 };
        const json_t *structured = json_object_get(result, "structuredContent"), *part;
        size_t i;
        if (structured && !failed)
            rc = cli_append_value(&b, structured, 2);
        else
            json_array_foreach(json_object_get(result, "content"), i, part) rc =
                rc ? rc : append_content(&b, 2, part);
        code = cli_print_text(self, &b, rc);
    }
    if (failed && !code) {
        fflush(stdout); /* what it says stands before */
        base_error_set(BASE_E_ARGUMENT, "%.100s: the tool says that it failed", argv[1]);
        code = cli_fail(self);
    }
    json_decref(result);
    cli_mcp_close(&m);
    return code;
}

/* ---- read ---- */

static int base64_decode(const char *text, size_t n, struct base_buffer *out)
{
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        int v = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : c >= '0' && c <= '9' ? c - '0' + 52
                : c == '+' || c == '-' ? 62
                : c == '/' || c == '_' ? 63
                                       : -1;
        if (c == '=' || c == '\n' || c == '\r')
            continue;
        if (v < 0)
            return base_error_set(BASE_E_FORMAT, "the server's blob is not base64");
        bits = bits << 6 | (unsigned)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            char byte = (char)(bits >> have & 255);
            int rc = base_buffer_append(out, &byte, 1);
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int run_read(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_mcp_read;
    struct cli_mcp m = { 0 };
    const struct cli_option options[] = { CLI_MCP_OPTIONS(m), CLI_MCP_ANSWER_OPTIONS(m), { 0 } };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n != 1)
        return cli_usage(self, "expected one URI");
    if ((code = cli_mcp_open(self, &m, true)))
        return code;
    json_t *result = NULL;
    struct base_buffer b = { 0 };
    json_t *uri = base_json_text(argv[1], strlen(argv[1]));
    int rc = uri ? mcp_client_request(m.client, "resources/read", json_pack("{s:o}", "uri", uri),
                                      &result)
                 : BASE_E_MEMORY;
    const json_t *contents = json_object_get(result, "contents"), *part;
    if (!rc && cli_common.json) {
        code = cli_print_json(self, json_incref(result));
    } else if (!rc) {
        size_t i;
        bool raw = cli_common.output && strcmp(cli_common.output, "-") != 0;
        json_array_foreach((json_t *)(uintptr_t)contents, i, part)
        {
            const json_t *text = json_object_get(part, "text"),
                         *blob = json_object_get(part, "blob");
            const char *mime = text_at(part, "mimeType");
            if (rc)
                break;
            if (raw && json_is_string(blob)) {
                rc = base64_decode(json_string_value(blob), json_string_length(blob), &b);
            } else if (raw && json_is_string(text)) {
                rc = base_buffer_append(&b, json_string_value(text), json_string_length(text));
            } else if (json_is_string(text)) {
                rc = cli_append_text(&b, 0, json_string_value(text), json_string_length(text));
            } else {
                rc = base_buffer_puts(&b, "(");
                rc = rc ? rc
                        : cli_append_visible(&b, mime ? mime : "binary",
                                             strlen(mime ? mime : "binary"), 40);
                rc = rc ? rc
                        : base_buffer_printf(&b, ", %zu bytes: -o FILE writes them)\n",
                                             decoded_bytes(blob));
            }
        }
        code = cli_print_text(self, &b, rc);
        rc = 0;
    } else {
        code = cli_fail(self);
    }
    json_decref(result);
    cli_mcp_close(&m);
    return code;
}

/* ---- prompt ---- */

static int run_prompt(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_mcp_prompt;
    struct cli_mcp m = { 0 };
    const char *args = NULL;
    const struct cli_option options[] = {
        { "args", 0, CLI_STRING, &args, "JSON", "The arguments, an object of strings ({})." },
        CLI_MCP_OPTIONS(m),
        CLI_MCP_ANSWER_OPTIONS(m),
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n != 1)
        return cli_usage(self, "expected the name of one prompt");
    json_t *result = NULL;
    int rc;
    if ((code = ask(self, &m, "prompts/get", argv[1], args, &result, &rc)))
        return code;
    if (rc) {
        code = cli_fail(self);
    } else if (cli_common.json) {
        code = cli_print_json(self, json_incref(result));
    } else {
        struct base_buffer b = { 0 };
        const char *what = text_at(result, "description");
        const json_t *message;
        size_t i;
        if (what)
            rc = cli_append_text(&b, 2, what, strlen(what));
        json_array_foreach(json_object_get(result, "messages"), i, message)
        {
            const char *role = text_at(message, "role");
            rc = rc ? rc : base_buffer_printf(&b, "%s  ", i || what ? "\n" : "");
            rc = rc ? rc : cli_append_visible(&b, role ? role : "?", role ? strlen(role) : 1, 20);
            rc = rc ? rc : base_buffer_puts(&b, "\n");
            rc = rc ? rc : append_content(&b, 4, json_object_get(message, "content"));
        }
        code = cli_print_text(self, &b, rc);
    }
    json_decref(result);
    cli_mcp_close(&m);
    return code;
}
