/* assay mcp serve: the Model Context Protocol's server on standard input and output. */
#include "cli/display.h"
#include "cli/ground.h"
#include <assay/mcp.h>
#include <fcntl.h>
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
