/* assay mcp serve: the Model Context Protocol's server on standard input and output, or on HTTP. */
#include "base/memory.h"
#include "cli/display.h"
#include "cli/ground.h"
#include <assay/mcp.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS 8192 /* connections, and what calls need: three pipes each */

static int run_serve(int argc, char **argv);
const struct cli_command cli_command_mcp_serve = {
    .name = "mcp serve",
    .synopsis = "(--stdio | --http ADDRESS) [options]",
    .summary = "Serve the tools to MCP hosts, on standard input and output or on HTTP",
    .details =
        "With --stdio the host starts this program and speaks JSON-RPC on its standard input and "
        "output, one message a line; the program ends with its input. With --http it serves "
        "http://ADDRESS/mcp (port 0 takes any free one; the address is told on standard error) "
        "until Ctrl-C. An address that other machines can reach needs a bearer token, which is "
        "read from the environment variable that --token-env names; pages in a browser may use "
        "the server only where --origin names them. Revisions 2024-11-05 "
        "to 2025-11-25 and 2026-07-28. Every call goes through the policy, the sandbox and the "
        "audit log (docs/safety.md); what needs approval is asked of the person at the client "
        "where "
        "it can ask (elicitation), and denied where it cannot.\n\n"
        "Besides the tools it offers resources and prompts: the tables below --data and those "
        "inside the program, the tables of every --database (an SQLite file or a postgresql:// "
        "address; tools query the first), what an --endpoint gives, and the runs of a --store with "
        "their reports. An endpoint's key is read from ASSAY_ENDPOINT_NAME_TOKEN.\n\n"
        "  assay mcp serve --stdio --files docs --policy policy.yaml --audit calls.jsonl\n"
        "  assay mcp serve --http 127.0.0.1:8808 --files docs\n"
        "  assay mcp serve --stdio --data tables --database shop.sqlite --store runs.sqlite",
    .run = run_serve,
};

static void on_listening(void *context, const char *url)
{
    (void)context;
    if (!cli_common.quiet)
        fprintf(stderr, "assay mcp serve: listening at %s; Ctrl-C ends it\n", url);
}

static int serve_stdio(const struct mcp_server_options *server)
{
    /* The protocol's own descriptor: whatever prints to standard output lands on standard error. */
    int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int rc = out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0
                 ? base_error_set(BASE_E_IO, "cannot keep standard output for the protocol")
                 : mcp_serve_stdio(server, STDIN_FILENO, out);
    if (out >= 0)
        close(out);
    return rc;
}

/* Options that may repeat as a list that ends with NULL; base_free. */
static const char **list_of(const struct cli_strings *strings)
{
    const char **list = base_alloc_zero(strings->count + 1, sizeof *list);
    if (list && strings->count)
        memcpy(list, strings->at, strings->count * sizeof *list);
    return list;
}

static int serve_http(const struct mcp_server_options *server, struct mcp_http_options *http,
                      const struct cli_strings *origins, const char *token_name)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < DESCRIPTORS) {
        files.rlim_cur = files.rlim_max < DESCRIPTORS ? files.rlim_max : DESCRIPTORS;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (token_name) {
        http->token = getenv(token_name);
        if (!http->token || !*http->token)
            return base_error_set(BASE_E_ARGUMENT,
                                  "--token-env: the environment has no %s, or it is empty",
                                  token_name);
    }
    const char **list = list_of(origins);
    if (!list)
        return BASE_E_MEMORY;
    http->origins = list;
    base_interrupt_install();
    int rc = mcp_serve_http(server, http);
    base_free(list);
    return rc;
}

static int run_serve(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_mcp_serve;
    struct cli_ground ground = { .several = true };
    struct cli_strings origins = { 0 }, endpoints = { 0 };
    struct mcp_lab_options offer = { 0 };
    struct mcp_http_options http = { .listening = on_listening };
    const char *policy_path = NULL, *audit_path = NULL, *token_name = NULL;
    bool stdio = false, fixtures = false;
    const struct cli_option options[] = {
        { "stdio", 0, CLI_FLAG, &stdio, NULL, "Speak on standard input and output." },
        { "http", 0, CLI_STRING, &http.address, "ADDRESS", "Serve http://ADDRESS/mcp." },
        { "token-env", 0, CLI_STRING, &token_name, "NAME", "Variable with HTTP's bearer token." },
        { "origin", 0, CLI_STRINGS, &origins, "URL", "Pages there may use the server, too." },
        CLI_GROUND_OPTIONS(ground),
        { "endpoint", 0, CLI_STRINGS, &endpoints, "NAME=URL", "Offer the table that a URL gives." },
        { "policy", 0, CLI_STRING, &policy_path, "FILE", "What may be called (docs/safety.md)." },
        { "audit", 0, CLI_STRING, &audit_path, "FILE", "Append every call to this log." },
        { "conformance-fixtures", 0, CLI_FLAG, &fixtures, NULL,
          "Add what the public conformance suite asks for." },
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n || stdio == (http.address != NULL))
        return cli_usage(self, "expected --stdio or --http ADDRESS, and nothing else");
    if (stdio && (token_name || origins.count))
        return cli_usage(self, "%s is for --http", token_name ? "--token-env" : "--origin");
    struct agent_tools *tools = NULL;
    struct agent_policy *policy = NULL;
    struct agent_audit *audit = NULL;
    struct agent_gate *gate = NULL;
    struct mcp_lab *lab = NULL;
    const char **databases = list_of(&ground.databases), **urls = list_of(&endpoints);
    offer.data = ground.lab.data;
    offer.store = ground.lab.store;
    offer.databases = databases;
    offer.endpoints = urls;
    int rc = databases && urls ? cli_ground_open(&ground, &tools) : BASE_E_MEMORY;
    if (!rc && policy_path)
        rc = agent_policy_load(&policy, policy_path);
    if (!rc && audit_path)
        rc = agent_audit_open(&audit, audit_path);
    const struct agent_gate_options gate_options = { .policy = policy, .audit = audit };
    if (!rc)
        rc = agent_gate_make(&gate, tools, &gate_options);
    if (!rc)
        rc = mcp_lab_open(&lab, &offer);
    const struct mcp_server_options server = { .gate = gate,
                                               .tools = tools,
                                               .provider = lab ? mcp_lab_provider(lab) : NULL,
                                               .fixtures = fixtures };
    if (!rc)
        rc = stdio ? serve_stdio(&server) : serve_http(&server, &http, &origins, token_name);
    code = rc ? cli_fail(self) : 0;
    mcp_lab_close(lab);
    base_free(databases);
    base_free(urls);
    agent_gate_free(gate);
    agent_audit_close(audit);
    agent_policy_free(policy);
    cli_ground_close(&ground, tools);
    return code;
}
