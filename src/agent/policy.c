/* What may be called by whom: a YAML or JSON file of rules, the first that fits decides.
 *
 *   default: ask              # allow, ask or deny where no rule fits; without it the built-in one
 *   tainted: ask              # tools that write, run programs or connect, once a result came back
 *   loops: {warn: 2, block: 3}
 *   approval_seconds: 60
 *   arguments_bytes: 1048576
 *   rules:
 *     - tool: "read_*"        # * and ? as in file names
 *       caller: "mcp:*"       # optional
 *       action: allow
 *       reason: files of the project only
 *       per_minute: 60
 *       cpu_ms: 500           # and wall_ms, memory_bytes, output_bytes: never more than the tool's
 *
 * Every key is known or the file is refused. */
#include "agent/policy.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <fnmatch.h>
#include <string.h>

struct rule {
    const char *tool, *caller, *reason; /* borrowed from the document */
    enum agent_action action;
    int64_t per_minute, cpu_ms, wall_ms, memory, output;
};
struct agent_policy {
    json_t *document;
    struct rule *rules;
    size_t n;
    bool has_default;
    enum agent_action fallback;
    struct agent_policy_limits limits;
};

static const struct agent_policy_limits limits_default = {
    .warn_at = 2, .block_at = 3, .approval_seconds = 60, .tainted = AGENT_ASK, .arguments = 1 << 20
};

static int action_parse(const char *text, const char *where, enum agent_action *out)
{
    static const char *const names[] = { "allow", "ask", "deny" };
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum agent_action)i;
            return 0;
        }
    return base_error_set(BASE_E_FORMAT, "%s: expected allow, ask or deny, got \"%.40s\"", where,
                          text);
}

int agent_keys_check(const json_t *o, const char *where, const char *what, const char *const *known,
                     size_t n)
{
    for (void *it = json_object_iter((json_t *)o); it;
         it = json_object_iter_next((json_t *)o, it)) {
        bool found = false;
        for (size_t i = 0; i < n; i++)
            found |= strcmp(known[i], json_object_iter_key(it)) == 0;
        if (!found)
            return base_error_set(BASE_E_FORMAT, "%s: \"%.60s\" is not a key of a %s", where,
                                  json_object_iter_key(it), what);
    }
    return 0;
}
#define KEYS_CHECK(o, where, ...)                                                                  \
    agent_keys_check(o, where, "policy", (const char *const[]){ __VA_ARGS__ },                     \
                     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

int agent_number_get(const json_t *o, const char *key, const char *where, int64_t least,
                     int64_t *out)
{
    int rc = base_json_get_int(o, key, where, false, out);
    if (!rc && json_object_get(o, key) && (*out < least || *out > (int64_t)1 << 40))
        rc = base_error_set(BASE_E_FORMAT, "%s: %s: expected a number from %lld on", where, key,
                            (long long)least);
    return rc;
}
static int rule_read(struct rule *r, const json_t *o, const char *where)
{
    const char *action = NULL;
    int rc;
    if (!json_is_object(o))
        return base_error_set(BASE_E_FORMAT, "%s: expected a mapping", where);
    if ((rc = KEYS_CHECK(o, where, "tool", "caller", "action", "reason", "per_minute", "cpu_ms",
                         "wall_ms", "memory_bytes", "output_bytes")) ||
        (rc = base_json_get_string(o, "tool", where, true, &r->tool)) ||
        (rc = base_json_get_string(o, "caller", where, false, &r->caller)) ||
        (rc = base_json_get_string(o, "reason", where, false, &r->reason)) ||
        (rc = base_json_get_string(o, "action", where, true, &action)) ||
        (rc = action_parse(action, where, &r->action)) ||
        (rc = agent_number_get(o, "per_minute", where, 1, &r->per_minute)) ||
        (rc = agent_number_get(o, "cpu_ms", where, 1, &r->cpu_ms)) ||
        (rc = agent_number_get(o, "wall_ms", where, 1, &r->wall_ms)) ||
        (rc = agent_number_get(o, "memory_bytes", where, 1, &r->memory)))
        return rc;
    return agent_number_get(o, "output_bytes", where, 1, &r->output);
}

static int limits_read(struct agent_policy *p, const json_t *o, const char *name)
{
    const json_t *loops = json_object_get(o, "loops");
    const char *tainted = NULL, *fallback = NULL;
    int64_t warn = p->limits.warn_at, block = p->limits.block_at,
            approval = p->limits.approval_seconds, arguments = (int64_t)p->limits.arguments;
    int rc;
    if ((rc = base_json_get_string(o, "default", name, false, &fallback)) ||
        (fallback && (rc = action_parse(fallback, name, &p->fallback))) ||
        (rc = base_json_get_string(o, "tainted", name, false, &tainted)) ||
        (tainted && (rc = action_parse(tainted, name, &p->limits.tainted))) ||
        (rc = agent_number_get(o, "approval_seconds", name, 0, &approval)) ||
        (rc = agent_number_get(o, "arguments_bytes", name, 2, &arguments)))
        return rc;
    if (loops) {
        if (!json_is_object(loops))
            return base_error_set(BASE_E_FORMAT, "%s: loops: expected {warn, block}", name);
        if ((rc = KEYS_CHECK(loops, name, "warn", "block")) ||
            (rc = agent_number_get(loops, "warn", name, 1, &warn)) ||
            (rc = agent_number_get(loops, "block", name, 1, &block)))
            return rc;
    }
    p->has_default = fallback != NULL;
    p->limits.warn_at = (unsigned)warn;
    p->limits.block_at = (unsigned)block;
    p->limits.approval_seconds = (unsigned)approval;
    p->limits.arguments = (size_t)arguments;
    return 0;
}

int agent_policy_parse(struct agent_policy **out, const char *text, size_t bytes, const char *name)
{
    struct agent_policy *p = base_alloc_zero(1, sizeof *p);
    if (!p)
        return BASE_E_MEMORY;
    p->limits = limits_default;
    int rc = base_yaml_parse(&p->document, text, bytes, name); /* JSON is YAML */
    if (rc)
        goto out;
    const json_t *rules = json_object_get(p->document, "rules");
    if (!json_is_object(p->document) || (rules && !json_is_array(rules))) {
        rc = base_error_set(BASE_E_FORMAT, "%s: expected a mapping whose \"rules\" are a list",
                            name);
        goto out;
    }
    if ((rc = KEYS_CHECK(p->document, name, "default", "tainted", "loops", "approval_seconds",
                         "arguments_bytes", "rules")) ||
        (rc = limits_read(p, p->document, name)))
        goto out;
    p->n = json_array_size(rules);
    if (!(p->rules = base_alloc_zero(p->n, sizeof *p->rules))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (size_t i = 0; i < p->n && !rc; i++) {
        char *where = base_format("%s: rules[%zu]", name, i);
        rc = where ? rule_read(&p->rules[i], json_array_get(rules, i), where) : BASE_E_MEMORY;
        base_free(where);
    }
out:
    if (rc)
        agent_policy_free(p);
    else
        *out = p;
    return rc;
}

int agent_policy_load(struct agent_policy **out, const char *path)
{
    char *text;
    size_t bytes;
    int rc = base_file_read(path, (size_t)1 << 20, &text, &bytes);
    if (rc)
        return rc;
    rc = agent_policy_parse(out, text, bytes, path);
    base_free(text);
    return rc;
}

void agent_policy_free(struct agent_policy *p)
{
    if (!p)
        return;
    json_decref(p->document);
    base_free(p->rules);
    base_free(p);
}

struct agent_ruling agent_policy_rule(const struct agent_policy *policy,
                                      const struct agent_tool *tool, const char *caller)
{
    for (size_t i = 0; policy && i < policy->n; i++) {
        const struct rule *r = &policy->rules[i];
        if (fnmatch(r->tool, tool->name, 0) != 0 ||
            (r->caller && fnmatch(r->caller, caller ? caller : "", 0) != 0))
            continue;
        return (struct agent_ruling){ .action = r->action,
                                      .reason = r->reason ? r->reason : "a rule of the policy",
                                      .rule = i + 1,
                                      .per_minute = (unsigned)r->per_minute,
                                      .cpu_ms = (unsigned)r->cpu_ms,
                                      .wall_ms = (unsigned)r->wall_ms,
                                      .memory = (size_t)r->memory,
                                      .output = (size_t)r->output };
    }
    if (policy && policy->has_default)
        return (struct agent_ruling){ .action = policy->fallback,
                                      .reason = "no rule fits, and this is the policy's default" };
    const struct agent_capabilities *n = &tool->needs;
    bool acts = n->write || n->network || n->exec || tool->remote;
    return (struct agent_ruling){ .action = acts ? AGENT_ASK : AGENT_ALLOW,
                                  .reason = acts ? "it writes, runs a program or uses the network"
                                                 : "it only reads" };
}

struct agent_policy_limits agent_policy_limits(const struct agent_policy *policy)
{
    return policy ? policy->limits : limits_default;
}
