/* assay tools list, describe, call: the tools by hand, through the same gate as everybody. */
#include "base/json.h"
#include "base/memory.h"
#include "cli/approve.h"
#include "cli/display.h"
#include "cli/ground.h"
#include "agent/policy.h"
#include "mcp/redteam.h"
#include <assay/tool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int run_list(int argc, char **argv);
const struct cli_command cli_command_tools_list = {
    .name = "tools list",
    .synopsis = "[options]",
    .summary = "List the tools that a model may be given",
    .details = CLI_GROUND_DETAILS
    " --form prints their definitions as an API wants them, ready to be sent: "
    "mcp, openai or anthropic.\n\n"
    "  assay tools list\n"
    "  assay tools list --files docs --form openai",
    .run = run_list,
};
static int run_describe(int argc, char **argv);
const struct cli_command cli_command_tools_describe = {
    .name = "tools describe",
    .synopsis = "[options] NAME",
    .summary = "Show a tool's definition and what it may touch",
    .details = CLI_GROUND_DETAILS "\n\n  assay tools describe calculator",
    .run = run_describe,
};
static int run_call(int argc, char **argv);
const struct cli_command cli_command_tools_call = {
    .name = "tools call",
    .synopsis = "[options] NAME --args JSON",
    .summary = "Call a tool: validated, by the policy, in a sandbox, audited",
    .details = CLI_GROUND_DETAILS
    " The arguments are held against the tool's schema, the policy decides, and the tool "
    "runs in a worker that can reach nothing but what the tool declares. Where the "
    "policy asks, the question comes to the terminal; without a terminal the answer is "
    "no. The result is what the tool says, not what is true: treat it as untrusted. "
    "Exit code 0 when the tool answered.\n\n"
    "  assay tools call calculator --args '{\"expression\": \"(2^64 - 1) / 3\"}'\n"
    "  assay tools call read_file --files docs --args '{\"path\": \"README.md\"}' "
    "--audit log.jsonl",
    .run = run_call,
};
static int run_audit(int argc, char **argv);
const struct cli_command cli_command_audit_verify = {
    .name = "audit verify",
    .synopsis = "[options] FILE",
    .summary = "Check that no line of an audit log was changed, moved or taken out",
    .details =
        "Every line holds the hash of itself and of the line before. A log whose end was cut off "
        "is "
        "whole in itself: keep the last hash that this command prints elsewhere, and give it with "
        "--head the next time. Exit code 1 when the log is not whole.\n\n"
        "  assay audit verify log.jsonl",
    .run = run_audit,
};

static int run_redteam(int argc, char **argv);
const struct cli_command cli_command_redteam = {
    .name = "redteam",
    .synopsis = "[options]",
    .summary = "Attack the tools' sandbox and policy, and show what stopped each try",
    .details =
        "Hostile tools, hostile arguments and hostile conversations, tried for real on this "
        "machine in a directory of their own: files outside, links swapped while they are read, "
        "shells, fork and memory bombs, network, tracing, injection by results, calls without "
        "approval, MCP servers that change their tools, hang, flood and leave children. First "
        "comes what the machine's kernel offers. --database adds the attacks on a "
        "PostgreSQL server, in a schema that is made for them and dropped afterwards; give a "
        "superuser's address of a server made for tests: then there is most to do. Exit code 1 "
        "when a try was not stopped.\n\n"
        "  assay redteam\n"
        "  assay redteam --database 'postgresql:///postgres?host=/tmp/test-server&user=postgres'",
    .run = run_redteam,
};

struct arguments {
    struct cli_ground ground;
    const char *form, *args, *policy, *audit, *caller;
    struct cli_approval approval;
};

static const char *touches(const struct agent_capabilities *n)
{
    return n->exec      ? "a program"
           : n->network ? "the network"
           : n->connect ? "a database, reading"
           : n->write   ? "files, writing"
           : n->read    ? "files, reading"
                        : "nothing";
}

static int run_list(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_tools_list;
    struct arguments a = { 0 };
    const struct cli_option options[] = {
        { "form", 0, CLI_STRING, &a.form, "FORM", "mcp, openai or anthropic definitions." },
        CLI_GROUND_OPTIONS(a.ground),
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n)
        return cli_usage(self, "unexpected \"%s\"", argv[1]);
    static const char *const forms[] = { "mcp", "openai", "anthropic" };
    int form = -1;
    for (int i = 0; i < 3; i++)
        if (a.form && strcmp(a.form, forms[i]) == 0)
            form = i;
    if (a.form && form < 0)
        return cli_usage(self, "--form %s: expected mcp, openai or anthropic", a.form);
    struct agent_tools *tools = NULL;
    int rc = cli_ground_open(&a.ground, &tools);
    json_t *all = NULL;
    if (!rc && (a.form || cli_common.json))
        rc = agent_tools_export(tools, form < 0 ? AGENT_FORM_MCP : (enum agent_form)form, &all);
    if (rc) {
        code = cli_fail(self);
    } else if (all) {
        code = cli_print_json(self, json_pack("{s:o}", "tools", all));
    } else {
        const struct cli_column columns[] = { { "tool", false, false },
                                              { "touches", false, false },
                                              { "what it does", false, true } };
        struct cli_table t = { .columns = columns, .n_columns = 3 };
        for (size_t i = 0; i < agent_tools_count(tools); i++) {
            const struct agent_tool *tool = agent_tools_at(tools, i);
            cli_table_add(&t, "%s", tool->name);
            cli_table_add(&t, "%s", touches(&tool->needs));
            struct base_buffer shown = { 0 }; /* a server may have written it */
            cli_append_visible(&shown, tool->description, strlen(tool->description), 0);
            cli_table_add(&t, "%s", shown.data ? shown.data : "");
            base_buffer_free(&shown);
        }
        struct base_buffer b = { 0 };
        rc = cli_table_append(&b, &t);
        code = cli_print_text(self, &b, rc);
    }
    cli_ground_close(&a.ground, tools);
    return code;
}

static json_t *paths_json(const char *const *list)
{
    json_t *all = json_array();
    for (size_t i = 0; list && list[i]; i++)
        json_array_append_new(all, base_json_text(list[i], strlen(list[i])));
    return all;
}

static int run_describe(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_tools_describe;
    struct arguments a = { 0 };
    const struct cli_option options[] = { CLI_GROUND_OPTIONS(a.ground), { 0 } };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n != 1)
        return cli_usage(self, "expected the name of one tool");
    struct agent_tools *tools = NULL;
    json_t *definition = NULL;
    int rc = cli_ground_open(&a.ground, &tools);
    const struct agent_tool *tool = rc ? NULL : agent_tools_find(tools, argv[1]);
    if (!rc && !tool)
        rc = base_error_set(BASE_E_ARGUMENT, "there is no tool \"%s\": see assay tools list",
                            argv[1]);
    if (!rc)
        rc = agent_tool_export(tools, tool, AGENT_FORM_MCP, &definition);
    if (rc) {
        code = cli_fail(self);
    } else {
        const struct agent_capabilities *c = &tool->needs;
        json_t *o = json_pack(
            "{s:o, s:{s:o, s:o, s:b, s:s?, s:s?, s:o, s:b, s:b, s:b, s:i, s:i, s:I, s:I}}",
            "definition", definition, "capabilities", "read", paths_json(c->read), "write",
            paths_json(c->write), "network", c->network, "connect", c->connect, "exec", c->exec,
            "exec_arguments", paths_json(c->exec_arguments), "processes", c->processes, "threads",
            c->threads, "remote", tool->remote != NULL, "cpu_ms",
            (int)(c->cpu_ms ? c->cpu_ms : 2000), "wall_ms", (int)(c->wall_ms ? c->wall_ms : 10000),
            "memory_bytes", (json_int_t)(c->memory ? c->memory : 256u << 20), "output_bytes",
            (json_int_t)(c->output ? c->output : 1u << 20));
        if (cli_common.json) {
            code = cli_print_json(self, o);
        } else {
            char *text = o ? base_json_dump(o, true) : NULL;
            struct base_buffer b = { 0 };
            rc = text ? base_buffer_printf(&b, "%s\n", text) : BASE_E_MEMORY;
            base_free(text);
            json_decref(o);
            code = cli_print_text(self, &b, rc);
        }
    }
    cli_ground_close(&a.ground, tools);
    return code;
}

static int run_call(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_tools_call;
    struct arguments a = { .caller = "terminal" };
    const struct cli_option options[] = {
        { "args", 0, CLI_STRING, &a.args, "JSON", "The arguments, an object ({})." },
        { "policy", 0, CLI_STRING, &a.policy, "FILE", "What may be called (docs/safety.md)." },
        { "audit", 0, CLI_STRING, &a.audit, "FILE", "Append the call to this log." },
        { "yes", 'y', CLI_FLAG, &a.approval.yes, NULL, "Approve what the policy asks for." },
        CLI_GROUND_OPTIONS(a.ground),
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n != 1)
        return cli_usage(self, "expected the name of one tool");
    struct agent_tools *tools = NULL;
    struct agent_policy *policy = NULL;
    struct agent_audit *audit = NULL;
    struct agent_gate *gate = NULL;
    struct agent_result result = { 0 };
    json_t *arguments = NULL;
    const char *text = a.args ? a.args : "{}";
    int rc = base_json_parse_wire(&arguments, text, strlen(text), 0, "--args");
    if (!rc)
        rc = cli_ground_open(&a.ground, &tools);
    if (!rc && a.policy)
        rc = agent_policy_load(&policy, a.policy);
    if (!rc && a.audit)
        rc = agent_audit_open(&audit, a.audit);
    a.approval.seconds = agent_policy_limits(policy).approval_seconds;
    const struct agent_gate_options o = {
        .policy = policy, .audit = audit, .approve = cli_approve, .approve_context = &a.approval
    };
    if (!rc)
        rc = agent_gate_make(&gate, tools, &o);
    const struct agent_call call = { .tool = argv[1], .arguments = arguments, .caller = a.caller };
    if (!rc)
        rc = agent_call_run(gate, &call, &result);
    if (rc) {
        code = cli_fail(self);
    } else if (cli_common.json) {
        code = cli_print_json(
            self, json_pack("{s:s, s:s, s:O?, s:s?, s:b, s:f, s:f}", "tool", argv[1], "outcome",
                            agent_outcome_name(result.outcome), "result", result.value, "message",
                            result.message, "untrusted", true, "seconds", result.seconds,
                            "cpu_seconds", result.cpu_seconds));
        code = code ? code : result.outcome != AGENT_OK;
    } else if (result.outcome != AGENT_OK) {
        base_error_set(BASE_E_ARGUMENT, "%s: %s", agent_outcome_name(result.outcome),
                       result.message ? result.message : "");
        code = cli_fail(self);
    } else {
        char *shown = base_json_dump(result.value, true);
        struct base_buffer b = { 0 };
        rc = shown ? base_buffer_printf(&b, "%s\n", shown) : BASE_E_MEMORY;
        base_free(shown);
        code = cli_print_text(self, &b, rc);
    }
    agent_result_free(&result);
    agent_gate_free(gate);
    agent_audit_close(audit);
    agent_policy_free(policy);
    cli_ground_close(&a.ground, tools);
    json_decref(arguments);
    return code;
}

static int run_audit(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_audit_verify;
    const char *head = NULL;
    const struct cli_option options[] = {
        { "head", 0, CLI_STRING, &head, "HASH", "A line with this hash must be there." },
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n != 1)
        return cli_usage(self, "expected one log");
    struct agent_audit_report r;
    if (agent_audit_verify(argv[1], head, &r))
        return cli_fail(self);
    if (cli_common.json) {
        code = cli_print_json(self,
                              json_pack("{s:b, s:I, s:s, s:I, s:s?}", "whole", !r.problem, "lines",
                                        (json_int_t)r.lines, "head", r.head, "first_bad",
                                        (json_int_t)r.first_bad, "problem", r.problem));
    } else if (r.problem) {
        base_error_set(BASE_E_FORMAT, "%s:%llu: %s", argv[1], (unsigned long long)r.first_bad,
                       r.problem);
        code = cli_fail(self);
    } else {
        struct base_buffer b = { 0 };
        int rc = base_buffer_printf(&b, "%s: whole, %llu line%s, head %s\n", argv[1],
                                    (unsigned long long)r.lines, r.lines == 1 ? "" : "s", r.head);
        code = cli_print_text(self, &b, rc);
    }
    code = code ? code : r.problem != NULL;
    base_free(r.problem);
    return code;
}

static const char *attack_text(const json_t *attacks, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(attacks, i), key));
}

static int run_redteam(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_redteam;
    const char *log = NULL, *database = NULL;
    const struct cli_option options[] = {
        { "audit", 0, CLI_STRING, &log, "FILE", "Append the calls to this log." },
        { "database", 0, CLI_STRING, &database, "ADDRESS", "A PostgreSQL server to attack, too." },
        { 0 },
    };
    int n, code = cli_parse(self, options, false, argc, argv, &n);
    if (code)
        return code < 0 ? 0 : code;
    if (n)
        return cli_usage(self, "unexpected \"%s\"", argv[1]);
    static const char *const untried = "not tried: --database names no PostgreSQL server to attack";
    struct agent_audit *audit = NULL;
    struct agent_redteam r = { 0 };
    int rc = log ? agent_audit_open(&audit, log) : 0;
    if (!rc)
        rc = agent_redteam_run(audit, &r);
    if (!rc && (rc = mcp_redteam_run(audit, &r)))
        json_decref(r.attacks);
    if (!rc && database && (rc = agent_redteam_postgres(audit, database, &r)))
        json_decref(r.attacks);
    agent_audit_close(audit);
    if (rc)
        return cli_fail(self);
    json_t *machine = agent_sandbox_describe();
    if (cli_common.json) {
        code =
            cli_print_json(self, json_pack("{s:i, s:i, s:o, s:o, s:s*}", "tried", (int)r.tried,
                                           "stopped", (int)r.stopped, "machine", machine, "attacks",
                                           r.attacks, "postgres", database ? NULL : untried));
        return code ? code : r.stopped < r.tried;
    }
    struct base_buffer b = { 0 };
    rc = base_buffer_printf(
        &b, "  Landlock ABI %lld, seccomp %s, user namespaces %s, network namespaces %s\n\n",
        (long long)json_integer_value(json_object_get(machine, "landlock")),
        json_is_true(json_object_get(machine, "seccomp")) ? "yes" : "no",
        json_is_true(json_object_get(machine, "user_namespaces")) ? "yes" : "no",
        json_is_true(json_object_get(machine, "network_namespaces")) ? "yes" : "no");
    for (size_t g = 0; g < json_array_size(r.attacks) && !rc; g++) {
        bool first = true; /* of its group: then all of the group are shown */
        for (size_t i = 0; i < g && first; i++)
            first =
                strcmp(attack_text(r.attacks, i, "group"), attack_text(r.attacks, g, "group")) != 0;
        if (first)
            rc = base_buffer_printf(&b, "%s  %s\n", g ? "\n" : "",
                                    attack_text(r.attacks, g, "group"));
        for (size_t i = g; first && i < json_array_size(r.attacks) && !rc; i++) {
            if (strcmp(attack_text(r.attacks, i, "group"), attack_text(r.attacks, g, "group")) != 0)
                continue;
            bool stopped = json_is_true(json_object_get(json_array_get(r.attacks, i), "stopped"));
            rc = base_buffer_printf(&b, "  %-5s %s\n", stopped ? "ok" : "HARM",
                                    attack_text(r.attacks, i, "attack"));
            if (!rc)
                rc = cli_append_wrapped(&b, 8, attack_text(r.attacks, i, "how"));
        }
    }
    if (!rc && !database)
        rc = base_buffer_printf(&b, "\n  postgres\n  %s\n", untried);
    if (!rc)
        rc = base_buffer_printf(&b, "\n  %u tried, %u stopped.\n", r.tried, r.stopped);
    json_decref(machine);
    json_decref(r.attacks);
    code = cli_print_text(self, &b, rc);
    return code ? code : r.stopped < r.tried;
}
