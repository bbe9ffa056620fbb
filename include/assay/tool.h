/* tool: what a model may call, and the one way in which it is called.
 *
 * A tool is a name, a description, JSON Schemas of its arguments and its result, the capabilities
 * it declares, and a function. A call is a value (name, arguments, caller) that anything can make:
 * a model, an MCP client, a person at the terminal. agent_call_run takes every call through the
 * same steps, and none can be left out:
 *
 *   validate arguments -> policy -> rate limit, loops, taint -> approval -> sandboxed worker
 *   -> validate result -> mark as untrusted -> append to the audit log
 */
#ifndef ASSAY_TOOL_H
#define ASSAY_TOOL_H
#include <assay/base.h>
#include <assay/schema.h>
#include <jansson.h>
#include <stdbool.h>

/* ---- tools ---- */

/* What a tool may touch; all empty = nothing but its arguments. Annotations (hints to a host) never
 * grant anything. */
struct agent_capabilities {
    const char *const
        *read; /* files and directories that may be read; ends with NULL; NULL = none */
    const char *const *write; /* and written */
    bool network;             /* may connect to other machines */
    const char *connect;      /* the one server that the tool's `open` has connected to, as people
                                 may read it: no other socket can be made; NULL = none */
    bool threads;             /* may start threads (OpenMP), base_threads() at most 64 */
    /* The program that the tool is, in place of a function: an absolute path; NULL = none. It gets
     * the arguments as JSON on standard input and prints the result. */
    const char *exec;
    const char *const *exec_arguments; /* after its name; ends with NULL; NULL = none */
    const char *exec_directory;        /* where it is started; NULL = / */
    bool processes;                    /* it may start others, in the same sandbox */
    unsigned cpu_ms;                   /* processor time of one call; 0 = 2,000 */
    unsigned wall_ms;                  /* 0 = 10,000 */
    size_t memory;                     /* bytes beyond what the program has; 0 = 256 MiB */
    size_t output;                     /* bytes of the result as JSON; 0 = 1 MiB */
};
struct agent_tool;
/* Runs inside the worker: a process of its own with no capability but those declared. arguments are
 * valid. *out: a new JSON value, valid by the output schema where there is one. A failure is a
 * negative code with base_error_message(), which the caller gets as the call's message. */
typedef int agent_tool_fn(const struct agent_tool *tool, const json_t *arguments, json_t **out);
/* For a tool's function, in the worker: how far it is (done of total, 0 = unknown) and what it does
 * now (may be NULL), for whoever waits. At most ten a second are passed on, the last one always. */
void agent_tool_progress(double done, double total, const char *message);
/* In place of the above for a tool that lives elsewhere and is only asked, over a connection of
 * this process: runs here, on the caller's thread, for at most wall_ms, and asks call->cancelled
 * itself. BASE_E_INTERRUPTED: it was cancelled; BASE_E_LIMIT: the time is over. */
struct agent_call;
typedef int agent_remote_fn(const struct agent_tool *tool, const struct agent_call *call,
                            unsigned wall_ms, json_t **out);
/* Of a tool with needs.connect: in the worker, before its walls stand, with what the user gave and
 * nothing of the call. *opened is run's tool->opened; *socket stays open, and from then on bytes
 * can be sent and received through it, and nowhere else. */
typedef int agent_open_fn(const struct agent_tool *tool, void **opened, int *socket);
struct agent_tool {
    const char *name;                       /* [A-Za-z0-9_-], at most 64 */
    const char *title;                      /* for people; NULL = the name */
    const char *description;                /* for the model */
    const char *input;                      /* JSON Schema as text, of an object */
    const char *output;                     /* of the result; NULL = any */
    bool read_only, idempotent, open_world; /* annotations */
    struct agent_capabilities needs;
    /* Called, before the first call, in the process from which workers are forked: loads libraries,
     * so that no call has to. Any number of times; starts no threads and leaves nothing open. NULL
     * = nothing to prepare. */
    void (*prepare)(void);
    /* What it answers depends on its arguments alone, and it keeps nothing: where it declares no
     * capability its worker may take further calls of the same conversation (sandbox.h). */
    bool pure;
    agent_open_fn *open;
    void *opened; /* in run only */
    agent_tool_fn *run;
    agent_remote_fn *remote; /* instead of run; NULL = it runs in a worker */
    void *context;           /* the tool's own */
};

/* A set of tools. Their schemas are compiled when they are added. */
struct agent_tools;
int agent_tools_make(struct agent_tools **out);
void agent_tools_free(struct agent_tools *t); /* NULL is fine */
/* Copies everything but context and functions. BASE_E_ARGUMENT: a name that is none or is taken,
 * a schema that is not an object's. */
int agent_tools_add(struct agent_tools *t, const struct agent_tool *tool);
size_t agent_tools_count(const struct agent_tools *t);
/* In the order of their names, which does not depend on the order of adding. */
const struct agent_tool *agent_tools_at(const struct agent_tools *t, size_t i);
const struct agent_tool *agent_tools_find(const struct agent_tools *t, const char *name);
enum agent_form { AGENT_FORM_MCP, AGENT_FORM_OPENAI, AGENT_FORM_ANTHROPIC };
/* The definition as an API wants it, and all of them in the order of names. New values. */
int agent_tool_export(const struct agent_tools *t, const struct agent_tool *tool,
                      enum agent_form form, json_t **out);
int agent_tools_export(const struct agent_tools *t, enum agent_form form, json_t **out);

/* ---- calls ---- */

enum agent_outcome {
    AGENT_OK,
    AGENT_UNKNOWN, /* no such tool */
    AGENT_INVALID, /* the arguments break the schema */
    AGENT_DENIED,  /* by the policy, or approval was not given */
    AGENT_LIMITED, /* too many calls in a minute, or the same call again and again */
    AGENT_FAILED,  /* the tool says that it could not */
    AGENT_CRASHED, /* the worker died: memory, processor time, a forbidden system call, a fault */
    AGENT_TIMED_OUT,
    AGENT_BAD_RESULT, /* the result breaks the tool's output schema, or is too large */
    AGENT_CANCELLED,
    AGENT_OUTCOMES
};
const char *agent_outcome_name(enum agent_outcome o); /* "ok", "unknown-tool" ... */

struct agent_call {
    const char *tool;
    json_t *arguments;   /* borrowed */
    const char *caller;  /* who asks: "terminal", "mcp:CLIENT", "model:NAME" */
    const char *session; /* calls of one conversation, for taint and loops; NULL = on its own */
    /* What went before is not known (a protocol without sessions) and may have been foreign text:
     * the call is taken for one of a tainted conversation. */
    bool unknown_past;
    /* Asked about every 20 ms while the worker runs; true ends the call. NULL = never. */
    bool (*cancelled)(void *context);
    /* What the tool said by agent_tool_progress; NULL = nobody listens. */
    void (*progress)(void *context, double done, double total, const char *message);
    void *context;
    /* Who approves this call, in place of the gate's; NULL = the gate's. */
    bool (*approve)(void *context, const struct agent_tool *tool, const json_t *arguments,
                    const char *reason);
    void *approve_context;
};
struct agent_result {
    enum agent_outcome outcome;
    json_t *value; /* what the tool returned: untrusted, whatever it says. NULL unless ok */
    char *message; /* why not, or a warning; NULL = nothing to say */
    double seconds, cpu_seconds;
};
void agent_result_free(struct agent_result *r);

/* ---- policy ---- */

enum agent_action { AGENT_ALLOW, AGENT_ASK, AGENT_DENY };
struct agent_policy;
/* A YAML (or JSON) file; docs/safety.md has its keys. Unknown keys are BASE_E_FORMAT: a policy that
 * is not understood must not be followed in part. */
int agent_policy_load(struct agent_policy **out, const char *path);
int agent_policy_parse(struct agent_policy **out, const char *text, size_t bytes, const char *name);
void agent_policy_free(struct agent_policy *p); /* NULL is fine */

/* ---- audit ---- */

/* A log of JSON lines, each with the SHA-256 of itself and of the line before, appended under a
 * file lock with one write, and on the disk (fdatasync) before the answer is given; several
 * processes may share a file, and calls that wait at once share an fdatasync. */
struct agent_audit;
int agent_audit_open(struct agent_audit **out, const char *path);
void agent_audit_close(struct agent_audit *a); /* NULL is fine */
struct agent_audit_report {
    uint64_t lines;
    char head[65];      /* hash of the last line: keep it elsewhere and a cut end is found, too */
    uint64_t first_bad; /* line number, 0 = none */
    char *problem;      /* base_free; NULL = whole */
};
/* 0 when the file could be read, whole or not. head (may be NULL): a hash that must be among the
 * lines'. */
int agent_audit_verify(const char *path, const char *head, struct agent_audit_report *out);

/* ---- the gate ---- */

/* Whether this call may be made: reason says why it is asked. */
typedef bool agent_approve_fn(void *context, const struct agent_tool *tool, const json_t *arguments,
                              const char *reason);
struct agent_gate_options {
    const struct agent_policy *policy; /* NULL: tools that write, run programs or use the network
                                          are asked for, the others allowed */
    struct agent_audit *audit;         /* NULL = none */
    agent_approve_fn *approve;         /* NULL = what needs approval is denied */
    void *approve_context;
};
/* Tools, policy and log, and what sessions have done so far. */
struct agent_gate;
int agent_gate_make(struct agent_gate **out, const struct agent_tools *tools,
                    const struct agent_gate_options *options);
void agent_gate_free(struct agent_gate *g); /* NULL is fine */
/* Makes the call and fills *result (agent_result_free). Negative only when memory is out or the
 * audit log cannot be written: then *result is empty. Thread-safe. */
int agent_call_run(struct agent_gate *g, const struct agent_call *call,
                   struct agent_result *result);

/* ---- the sandbox ---- */

/* What this machine gives: {"landlock": ABI, "seccomp", "user_namespaces", "network_namespaces",
 * "missing": [..]}. */
json_t *agent_sandbox_describe(void);

/* ---- the built-in tools ---- */

struct agent_builtin_options {
    const char *weather; /* table with the columns place and date; NULL = no weather tool */
    const char *files;   /* directory that may be read; NULL = no file tools */
    /* Index made by agent_index_make (search.h), a file or postgresql://...#TABLE; or any table of
     * PostgreSQL, with #TABLE:COLUMN,COLUMN only these. NULL = no search */
    const char *documents;
    const char *database; /* SQLite file or postgresql://...; NULL = no query_sql and
                             describe_database */
};
/* The calculator always; the others as options give them ground. The paths are borrowed for as long
 * as t lives. */
int agent_tools_add_builtin(struct agent_tools *t, const struct agent_builtin_options *options);

/* ---- the laboratory's own commands as tools ---- */

struct agent_lab_options {
    /* Directory whose tables (CSV, TSV, JSON, JSONL, plain or packed) may be read; NULL = only the
     * built-in ones. */
    const char *data;
    /* Directory of models that may be loaded by name; NULL = only builtin:tiny. */
    const char *models;
    const char *store; /* of runs, to be read; NULL = none */
};
/* describe_table, summarize_dataset, run_analysis, sample_table, statistics, perplexity, evaluate.
 * The paths are borrowed for as long as t lives. */
int agent_tools_add_lab(struct agent_tools *t, const struct agent_lab_options *options);

/* ---- programs as tools ---- */

/* Tools that are programs which read their arguments as JSON on standard input and print their
 * result as JSON, as a YAML file declares them (docs/tools.md has its keys). Paths are those of the
 * file's directory, and are looked up now: BASE_E_IO when one is not there, BASE_E_FORMAT when the
 * file breaks its form (an unknown key, too), BASE_E_ARGUMENT as agent_tools_add. Tools before the
 * one that fails stay added. */
int agent_tools_add_programs(struct agent_tools *t, const char *path);
/* The same from a text; directory is where its paths begin, name is for messages. */
int agent_tools_parse_programs(struct agent_tools *t, const char *text, size_t bytes,
                               const char *directory, const char *name);
#endif
