/* The one way in which tools are called; see include/assay/tool.h.
 *
 * What the gate remembers between calls is small and bounded: per session whether foreign text has
 * come in and the last calls with their results, per caller and rule the calls of the last minute,
 * and approvals until they run out. The oldest is forgotten when a table is full, never the newest.
 */
#include "agent/audit.h"
#include "agent/policy.h"
#include "agent/sandbox.h"
#include "agent/tools.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SESSIONS_MOST  1024
#define CALLS_MOST     256 /* remembered of a session */
#define BUCKETS_MOST   4096
#define APPROVALS_MOST 1024
#define NAME_MOST      200

struct repeated {
    uint64_t call, result; /* hashes of tool and arguments, and of the result */
    unsigned count;        /* results in a row that were the same */
};
struct session {
    char *name;
    uint64_t used; /* when last, by the gate's count */
    bool tainted;
    struct repeated calls[CALLS_MOST];
    size_t n, next;
};
/* Calls of one caller under one rule: a bucket that fills at per_minute / 60 a second. */
struct bucket {
    uint64_t key;
    double level, at;
};
struct approval {
    uint64_t key;
    double until;
};

/* A nest in use; the gate's own use counts, too. */
struct nest {
    struct agent_nest *at;
    size_t uses, tools; /* tools: how many there were when it was made */
};

struct agent_gate {
    const struct agent_tools *tools;
    const struct agent_policy *policy;
    struct agent_policy_limits limits;
    struct agent_audit *audit;
    agent_approve_fn *approve;
    void *approve_context;
    pthread_mutex_t nests_lock;
    struct nest *nests[AGENT_NEST_KINDS]; /* NULL = not made yet */
    pthread_mutex_t lock;
    uint64_t count;
    struct session *sessions;
    size_t n_sessions;
    struct bucket *buckets;
    size_t n_buckets;
    struct approval *approvals;
    size_t n_approvals;
};

/* ---- nests ---- */

/* Under the lock. */
static void nest_drop(struct nest *n)
{
    if (n && --n->uses == 0) {
        agent_nest_free(n->at);
        base_free(n);
    }
}

/* The nest for a call, made when there is none yet, when it has died, or when there are tools that
 * it does not know; nest_give afterwards. */
static int nest_take(struct agent_gate *g, enum agent_nest_kind kind, struct nest **out)
{
    int rc = 0;
    pthread_mutex_lock(&g->nests_lock);
    struct nest **place = &g->nests[kind], *n = *place;
    size_t tools = agent_tools_count(g->tools);
    if (!n || n->tools != tools || !agent_nest_alive(n->at)) {
        n = base_alloc_zero(1, sizeof *n);
        rc = n ? agent_nest_make(&n->at, g->tools, kind) : BASE_E_MEMORY;
        if (rc) {
            base_free(n);
        } else {
            *n = (struct nest){ n->at, 1, tools };
            nest_drop(*place); /* calls that run there end there */
            *place = n;
        }
    }
    if (!rc) {
        n->uses++;
        *out = n;
    }
    pthread_mutex_unlock(&g->nests_lock);
    return rc;
}

static void nest_give(struct agent_gate *g, struct nest *n)
{
    pthread_mutex_lock(&g->nests_lock);
    nest_drop(n);
    pthread_mutex_unlock(&g->nests_lock);
}

/* The nests that the tools need, now, while there may be no other threads. */
static int nests_make(struct agent_gate *g)
{
    bool wanted[AGENT_NEST_KINDS] = { false };
    for (size_t i = 0; i < agent_tools_count(g->tools); i++) {
        const struct agent_tool *t = agent_tools_at(g->tools, i);
        if (!t->remote)
            wanted[agent_nest_kind_of(&t->needs)] = true;
    }
    int rc = 0;
    for (int i = 0; i < AGENT_NEST_KINDS && !rc; i++) {
        struct nest *n = NULL;
        if (wanted[i] && !(rc = nest_take(g, i, &n)))
            nest_give(g, n);
    }
    return rc;
}

int agent_gate_make(struct agent_gate **out, const struct agent_tools *tools,
                    const struct agent_gate_options *options)
{
    struct agent_gate *g = base_alloc_zero(1, sizeof *g);
    if (!g)
        return BASE_E_MEMORY;
    g->tools = tools;
    if (options) {
        g->policy = options->policy;
        g->audit = options->audit;
        g->approve = options->approve;
        g->approve_context = options->approve_context;
    }
    g->limits = agent_policy_limits(g->policy);
    pthread_mutex_init(&g->lock, NULL);
    pthread_mutex_init(&g->nests_lock, NULL);
    int rc = nests_make(g);
    if (rc)
        agent_gate_free(g);
    else
        *out = g;
    return rc;
}

void agent_gate_free(struct agent_gate *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_sessions; i++)
        base_free(g->sessions[i].name);
    base_free(g->sessions);
    base_free(g->buckets);
    base_free(g->approvals);
    for (int i = 0; i < AGENT_NEST_KINDS; i++)
        nest_drop(g->nests[i]);
    pthread_mutex_destroy(&g->nests_lock);
    pthread_mutex_destroy(&g->lock);
    base_free(g);
}

void agent_result_free(struct agent_result *r)
{
    json_decref(r->value);
    base_free(r->message);
    *r = (struct agent_result){ 0 };
}

const char *agent_outcome_name(enum agent_outcome o)
{
    static const char *const names[AGENT_OUTCOMES] = {
        [AGENT_OK] = "ok",
        [AGENT_UNKNOWN] = "unknown-tool",
        [AGENT_INVALID] = "invalid-arguments",
        [AGENT_DENIED] = "denied",
        [AGENT_LIMITED] = "limited",
        [AGENT_FAILED] = "failed",
        [AGENT_CRASHED] = "crashed",
        [AGENT_TIMED_OUT] = "timed-out",
        [AGENT_BAD_RESULT] = "bad-result",
        [AGENT_CANCELLED] = "cancelled",
    };
    return o < AGENT_OUTCOMES ? names[o] : "?";
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The first 64 bits of the SHA-256 of both: arguments that were approved or repeated cannot be
 * counterfeited by others of the same key. 0 when memory is out. */
static uint64_t key_of(const char *a, const char *b)
{
    char hex[BASE_SHA256_HEX], *text = base_format("%s\n%s", a, b);
    uint64_t key = 0;
    if (text && base_sha256(text, strlen(text), hex) == 0)
        for (int i = 0; i < 16; i++)
            key = key << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    base_free(text);
    return key;
}

/* ---- what is remembered; all under the lock ---- */

/* The session of that name, made if need be; NULL name or no memory: NULL. */
static struct session *session_of(struct agent_gate *g, const char *name)
{
    struct session *oldest = NULL;
    if (!name)
        return NULL;
    for (size_t i = 0; i < g->n_sessions; i++) {
        struct session *s = &g->sessions[i];
        if (strcmp(s->name, name) == 0) {
            s->used = ++g->count;
            return s;
        }
        if (!oldest || s->used < oldest->used)
            oldest = s;
    }
    char *copy = base_strdup(name);
    if (!copy)
        return NULL;
    if (g->n_sessions < SESSIONS_MOST) {
        struct session *grown = base_realloc(g->sessions, g->n_sessions + 1, sizeof *grown);
        if (!grown) {
            base_free(copy);
            return NULL;
        }
        g->sessions = grown;
        oldest = &grown[g->n_sessions++];
    } else {
        base_free(oldest->name);
    }
    *oldest = (struct session){ .name = copy, .used = ++g->count };
    return oldest;
}

static struct repeated *repeated_find(struct session *s, uint64_t call)
{
    for (size_t i = 0; s && i < s->n; i++)
        if (s->calls[i].call == call)
            return &s->calls[i];
    return NULL;
}

/* Notes a result; how many times in a row this call has given it. */
static unsigned repeated_note(struct session *s, uint64_t call, uint64_t result)
{
    struct repeated *r = repeated_find(s, call);
    if (!r) {
        r = &s->calls[s->next];
        s->next = (s->next + 1) % CALLS_MOST;
        s->n += s->n < CALLS_MOST;
        *r = (struct repeated){ .call = call, .result = result };
    }
    r->count = r->result == result ? r->count + 1 : 1;
    r->result = result;
    return r->count;
}

/* Takes one call out of the bucket; false when it is empty. */
static bool bucket_take(struct agent_gate *g, uint64_t key, unsigned per_minute)
{
    double t = now();
    struct bucket *b = NULL, *oldest = NULL;
    for (size_t i = 0; i < g->n_buckets; i++) {
        if (g->buckets[i].key == key)
            b = &g->buckets[i];
        if (!oldest || g->buckets[i].at < oldest->at)
            oldest = &g->buckets[i];
    }
    if (!b) {
        if (g->n_buckets < BUCKETS_MOST) {
            struct bucket *grown = base_realloc(g->buckets, g->n_buckets + 1, sizeof *grown);
            if (!grown)
                return false;
            g->buckets = grown;
            b = &grown[g->n_buckets++];
        } else {
            b = oldest;
        }
        *b = (struct bucket){ key, per_minute, t };
    }
    b->level += (t - b->at) * per_minute / 60;
    if (b->level > per_minute)
        b->level = per_minute;
    b->at = t;
    if (b->level < 1)
        return false;
    b->level -= 1;
    return true;
}

static bool approval_holds(const struct agent_gate *g, uint64_t key)
{
    for (size_t i = 0; i < g->n_approvals; i++)
        if (g->approvals[i].key == key && now() < g->approvals[i].until)
            return true;
    return false;
}

static void approval_note(struct agent_gate *g, uint64_t key)
{
    struct approval *place = NULL;
    double t = now();
    for (size_t i = 0; i < g->n_approvals; i++)
        if (g->approvals[i].key == key || g->approvals[i].until < t)
            place = &g->approvals[i];
    if (!place && g->n_approvals < APPROVALS_MOST) {
        struct approval *grown = base_realloc(g->approvals, g->n_approvals + 1, sizeof *grown);
        if (!grown)
            return; /* it is asked again next time */
        g->approvals = grown;
        place = &grown[g->n_approvals++];
    }
    if (place)
        *place = (struct approval){ key, t + g->limits.approval_seconds };
}

/* ---- one call ---- */

struct step {
    struct agent_gate *g;
    const struct agent_call *call;
    const struct agent_tool_entry *entry;
    struct agent_ruling ruling;
    char *arguments; /* canonical JSON, keys sorted */
    char digest[BASE_SHA256_HEX];
    uint64_t key, approval; /* of tool and arguments; and the caller */
    bool tainted, asked, approved;
    struct agent_result *result;
    char result_digest[BASE_SHA256_HEX];
};

static int stop(struct step *s, enum agent_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends the call; 1, or no memory. What the caller named is cut at a byte: the message is made whole
 * again, or neither the log nor an answer could hold it. */
static int stop(struct step *s, enum agent_outcome outcome, const char *format, ...)
{
    char text[800];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s->result->outcome = outcome;
    return (s->result->message = base_utf8_repair(text, strlen(text), NULL)) ? 1 : BASE_E_MEMORY;
}

static int validate(struct step *s)
{
    const json_t *arguments = s->call->arguments;
    s->entry = agent_tools_entry(s->g->tools, s->call->tool);
    if (!s->entry)
        return stop(s, AGENT_UNKNOWN, "there is no tool \"%.64s\"", s->call->tool);
    if (strlen(s->arguments) > s->g->limits.arguments)
        return stop(s, AGENT_INVALID, "arguments of more than %zu bytes", s->g->limits.arguments);
    json_t *errors = NULL;
    int rc = agent_schema_check(s->entry->arguments, arguments, &errors);
    if (rc == 0) {
        const json_t *e = json_array_get(errors, 0);
        const char *at = json_string_value(json_object_get(e, "instance"));
        rc = stop(s, AGENT_INVALID, "arguments%.200s: %s", at,
                  json_string_value(json_object_get(e, "message")));
        json_decref(errors);
        return rc;
    }
    if (rc == BASE_E_LIMIT)
        return stop(s, AGENT_INVALID, "arguments: %s", base_error_message());
    return rc < 0 ? rc : 0;
}

static bool acts(const struct agent_tool *t)
{
    return t->needs.write || t->needs.network || t->needs.exec || t->remote;
}

/* Policy, rate, loops, taint: what needs no person. */
static int rule(struct step *s)
{
    struct agent_gate *g = s->g;
    const struct agent_tool *tool = &s->entry->tool;
    s->ruling = agent_policy_rule(g->policy, tool, s->call->caller);
    if (s->ruling.action == AGENT_DENY)
        return stop(s, AGENT_DENIED, "the policy denies %s: %.300s", tool->name, s->ruling.reason);
    const char *caller = s->call->caller ? s->call->caller : "";
    char digest[BASE_SHA256_HEX + 16];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)s->key);
    if (!s->key || !(s->approval = key_of(caller, digest)))
        return BASE_E_MEMORY;
    pthread_mutex_lock(&g->lock);
    struct session *session = session_of(g, s->call->session);
    const struct repeated *before = repeated_find(session, s->key);
    unsigned times = before ? before->count : 0;
    s->tainted = s->call->unknown_past || (session && session->tainted);
    bool rate =
        !s->ruling.per_minute ||
        bucket_take(g, base_hash64(caller, strlen(caller), s->ruling.rule), s->ruling.per_minute);
    bool held = approval_holds(g, s->approval);
    pthread_mutex_unlock(&g->lock);
    if (times >= g->limits.block_at - 1 && g->limits.block_at > 1)
        return stop(s, AGENT_LIMITED,
                    "this call has given the same result %u times: it is not made again", times);
    if (!rate)
        return stop(s, AGENT_LIMITED, "more than %u calls a minute", s->ruling.per_minute);
    if (s->tainted && acts(tool) && s->ruling.action == AGENT_ALLOW) {
        if (g->limits.tainted == AGENT_DENY)
            return stop(s, AGENT_DENIED,
                        "%s acts on the outside, and this conversation holds foreign text",
                        tool->name);
        if (g->limits.tainted == AGENT_ASK) {
            s->ruling.action = AGENT_ASK;
            s->ruling.reason = "it acts on the outside, and this conversation holds foreign text";
        }
    }
    s->asked = s->ruling.action == AGENT_ASK;
    s->approved = s->asked && held;
    return 0;
}

static int approve(struct step *s)
{
    struct agent_gate *g = s->g;
    if (!s->asked || s->approved)
        return 0;
    agent_approve_fn *ask = s->call->approve ? s->call->approve : g->approve;
    void *context = s->call->approve ? s->call->approve_context : g->approve_context;
    if (!ask)
        return stop(s, AGENT_DENIED, "%s needs approval (%.200s), and nobody is here to give it",
                    s->entry->tool.name, s->ruling.reason);
    if (!ask(context, &s->entry->tool, s->call->arguments, s->ruling.reason))
        return stop(s, AGENT_DENIED, "approval of %s was not given", s->entry->tool.name);
    s->approved = true;
    pthread_mutex_lock(&g->lock);
    approval_note(g, s->approval);
    pthread_mutex_unlock(&g->lock);
    return 0;
}

static unsigned narrower(unsigned own, unsigned rule, unsigned usual)
{
    own = own ? own : usual;
    return rule && rule < own ? rule : own;
}

/* A result against the tool's own schema. */
static int check_result(struct step *s)
{
    json_t *errors = NULL;
    int rc = s->entry->result ? agent_schema_check(s->entry->result, s->result->value, &errors) : 1;
    if (rc == 0) {
        const json_t *e = json_array_get(errors, 0);
        rc = stop(s, AGENT_BAD_RESULT, "the result breaks the tool's own schema: %.100s: %s",
                  json_string_value(json_object_get(e, "instance")),
                  json_string_value(json_object_get(e, "message")));
        json_decref(errors);
    } else if (rc == BASE_E_LIMIT) {
        rc = stop(s, AGENT_BAD_RESULT, "the result cannot be checked: %s", base_error_message());
    } else {
        rc = rc < 0 ? rc : 0;
    }
    if (rc) {
        json_decref(s->result->value);
        s->result->value = NULL;
    }
    return rc;
}

/* From here on the conversation holds foreign text. */
static void taint(struct step *s)
{
    pthread_mutex_lock(&s->g->lock);
    struct session *session = session_of(s->g, s->call->session);
    if (session)
        session->tainted = true;
    pthread_mutex_unlock(&s->g->lock);
}

/* A tool that lives elsewhere is asked from here: there is nothing of it that a worker could hold.
 * Its answer is foreign text of a bounded size, like any other. */
static int ask_remote(struct step *s, const struct agent_capabilities *needs)
{
    const struct agent_tool *tool = &s->entry->tool;
    json_t *value = NULL;
    double begun = now();
    int rc = tool->remote(tool, s->call, needs->wall_ms, &value);
    s->result->seconds = now() - begun;
    if (rc == BASE_E_MEMORY)
        return rc;
    taint(s); /* what it says of a failure is its own words, too */
    if (rc)
        return stop(s,
                    rc == BASE_E_INTERRUPTED ? AGENT_CANCELLED
                    : rc == BASE_E_LIMIT     ? AGENT_TIMED_OUT
                                             : AGENT_FAILED,
                    "%s", base_error_message());
    size_t bytes = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    if (bytes > needs->output) {
        json_decref(value);
        return stop(s, AGENT_BAD_RESULT, "the result is larger than %zu bytes", needs->output);
    }
    s->result->value = value;
    return check_result(s);
}

static int run(struct step *s)
{
    const struct agent_tool *tool = &s->entry->tool;
    struct agent_capabilities needs = tool->needs;
    needs.cpu_ms = narrower(needs.cpu_ms, s->ruling.cpu_ms, 2000);
    needs.wall_ms = narrower(needs.wall_ms, s->ruling.wall_ms, 10000);
    if (!needs.memory)
        needs.memory = 256u << 20;
    if (s->ruling.memory && s->ruling.memory < needs.memory)
        needs.memory = s->ruling.memory;
    if (!needs.output)
        needs.output = 1u << 20;
    if (s->ruling.output && s->ruling.output < needs.output)
        needs.output = s->ruling.output;
    if (tool->remote)
        return ask_remote(s, &needs);
    char *input = json_dumps(s->call->arguments, JSON_COMPACT | JSON_ENCODE_ANY);
    const char *session = s->call->session, *caller = s->call->caller;
    char *keep = !tool->pure ? NULL
                 : session   ? base_format("session %s", session)
                 : caller    ? base_format("caller %s", caller)
                             : NULL;
    struct agent_job job = { .tool = tool,
                             .needs = &needs,
                             .input = input,
                             .input_bytes = input ? strlen(input) : 0,
                             .keep = keep,
                             .cancelled = s->call->cancelled,
                             .progress = s->call->progress,
                             .context = s->call->context };
    struct agent_ended ended;
    struct nest *nest = NULL;
    int rc = input ? nest_take(s->g, agent_nest_kind_of(&needs), &nest) : BASE_E_MEMORY;
    if (!rc)
        rc = agent_sandbox_run(nest->at, &job, &ended);
    base_free(input);
    if (rc) {
        rc = rc == BASE_E_MEMORY ? rc : stop(s, AGENT_FAILED, "%s", base_error_message());
        goto given;
    }
    s->result->seconds = ended.seconds;
    s->result->cpu_seconds = ended.cpu_seconds;
    static const enum agent_outcome outcomes[] = {
        [AGENT_END_OK] = AGENT_OK,
        [AGENT_END_FAILED] = AGENT_FAILED,
        [AGENT_END_KILLED] = AGENT_CRASHED,
        [AGENT_END_TIMEOUT] = AGENT_TIMED_OUT,
        [AGENT_END_TOO_LARGE] = AGENT_BAD_RESULT,
        [AGENT_END_CANCELLED] = AGENT_CANCELLED,
    };
    if (ended.end != AGENT_END_OK) {
        rc = stop(s, outcomes[ended.end], "%s", ended.message);
        goto out;
    }
    if (base_json_parse_wire(&s->result->value, ended.answer.data ? ended.answer.data : "",
                             ended.answer.length, 0, "result")) {
        rc = stop(s, AGENT_BAD_RESULT, "%s", base_error_message());
        agent_sandbox_forget(nest->at, &job);
        goto out;
    }
    rc = check_result(s);
    if (rc) /* who lies once is not asked again */
        agent_sandbox_forget(nest->at, &job);
out:
    base_buffer_free(&ended.answer);
given:
    nest_give(s->g, nest);
    base_free(keep);
    return rc;
}

/* Loops and taint after a result. */
static int remember(struct step *s)
{
    struct agent_gate *g = s->g;
    char *text = json_dumps(s->result->value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    int rc = text ? base_sha256(text, strlen(text), s->result_digest) : BASE_E_MEMORY;
    unsigned times = 1;
    if (!rc) {
        pthread_mutex_lock(&g->lock);
        struct session *session = session_of(g, s->call->session);
        if (session) {
            session->tainted = true;
            times = repeated_note(session, s->key, base_hash64(text, strlen(text), 0));
        }
        pthread_mutex_unlock(&g->lock);
    }
    base_free(text);
    if (!rc && times >= g->limits.warn_at && g->limits.warn_at > 1) {
        s->result->message =
            base_format("warning: this call has now given the same result %u times", times);
        rc = s->result->message ? 0 : BASE_E_MEMORY;
    }
    return rc;
}

/* A string from the caller, as the log keeps it; NULL is "". */
static json_t *short_text(const char *s)
{
    size_t n = s ? strlen(s) : 0;
    return base_json_text(s ? s : "", n < NAME_MOST ? n : NAME_MOST);
}

static int record(struct step *s)
{
    const struct agent_result *r = s->result;
    static const char *const actions[] = { "allow", "ask", "deny" };
    if (!s->g->audit)
        return 0;
    json_t *arguments =
        strlen(s->arguments) <= 4096 ? json_incref(s->call->arguments) : json_null();
    json_t *caller = short_text(s->call->caller);
    json_t *session = s->call->session ? short_text(s->call->session) : json_null();
    json_t *tool = short_text(s->call->tool);
    json_t *entry =
        json_pack("{s:o, s:o, s:o, s:s, s:o, s:s, s:b, s:b, s:b, s:s, s:s*, s:s*, s:f, s:f}",
                  "caller", caller, "session", session, "tool", tool, "arguments_sha256", s->digest,
                  "arguments", arguments, "ruling", s->entry ? actions[s->ruling.action] : "none",
                  "approval_asked", s->asked, "approved", s->approved, "tainted", s->tainted,
                  "outcome", agent_outcome_name(r->outcome), "message", r->message, "result_sha256",
                  *s->result_digest ? s->result_digest : NULL, "seconds", r->seconds, "cpu_seconds",
                  r->cpu_seconds);
    int rc = entry ? agent_audit_append(s->g->audit, entry) : BASE_E_MEMORY;
    json_decref(entry);
    return rc;
}

int agent_call_run(struct agent_gate *g, const struct agent_call *call, struct agent_result *result)
{
    *result = (struct agent_result){ 0 };
    struct step s = { .g = g, .call = call, .result = result };
    s.arguments = json_dumps(call->arguments, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    int rc = s.arguments ? base_sha256(s.arguments, strlen(s.arguments), s.digest) : BASE_E_MEMORY;
    if (!rc) {
        s.key = key_of(call->tool, s.digest);
        if (!(rc = validate(&s)) && !(rc = rule(&s)) && !(rc = approve(&s)) && !(rc = run(&s)))
            rc = remember(&s);
        if (rc >= 0)
            rc = record(&s);
    }
    base_free(s.arguments);
    if (rc)
        agent_result_free(result);
    return rc;
}
