/* Workers: progress, who approves, threads, remote tools, what a worker may say. */
#include "agent/audit.h"
#include "agent/sandbox.h"
#include "agent/sandbox_frame.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/tool.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "support.h"

struct heard {
    unsigned n;
    double done, total;
    char message[100];
    unsigned asked;
    bool yes, cancel;
};
static void hear(void *context, double done, double total, const char *message)
{
    struct heard *h = context;
    h->n++;
    h->done = done;
    h->total = total;
    snprintf(h->message, sizeof h->message, "%s", message ? message : "(none)");
}
static bool approve(void *context, const struct agent_tool *tool, const json_t *arguments,
                    const char *reason)
{
    struct heard *h = context;
    assert_non_null(tool);
    assert_true(json_is_object(arguments));
    assert_non_null(reason);
    h->asked++;
    return h->yes;
}
static bool cancelled(void *context)
{
    return ((struct heard *)context)->cancel;
}

/* ---- tools ---- */

static void wait_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&t, NULL);
}
static int slow(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)t, (void)a;
    for (int i = 1; i <= 60; i++) {
        char text[40];
        snprintf(text, sizeof text, "step %d", i);
        agent_tool_progress(i, 60, text);
        wait_ms(5);
    }
    *out = json_integer(60);
    return 0;
}
static void *add_one(void *context)
{
    ++*(int *)context;
    return NULL;
}
static int thread(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)t, (void)a;
    pthread_t threads[8];
    int sums[8] = { 0 }, sum = 0;
    for (int i = 0; i < 8; i++)
        if (pthread_create(&threads[i], NULL, add_one, &sums[i]))
            return base_error_set(BASE_E_IO, "no thread");
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        sum += sums[i];
    }
    *out = json_integer(sum);
    return 0;
}
static int fork_once(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)t, (void)a;
    *out = json_integer(fork());
    return 0;
}
static int where(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)a;
    *out = json_integer(getpid());
    ++*(int *)t->context;
    return 0;
}
static int ask(const struct agent_tool *t, const struct agent_call *call, unsigned wall_ms,
               json_t **out)
{
    assert_int_equal(wall_ms, 10000);
    call->progress(call->context, 1, 2, "asking");
    *out = json_integer(getpid());
    ++*(int *)t->context;
    return 0;
}
static int count_bytes(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)t;
    *out = json_integer((json_int_t)json_string_length(json_object_get(a, "text")));
    return 0;
}

static enum agent_outcome call_with(struct agent_gate *g, const char *name, struct heard *h,
                                    bool own_approval, int64_t *value, char said[200])
{
    json_t *arguments = json_object();
    struct agent_result r;
    struct agent_call c = { .tool = name,
                            .arguments = arguments,
                            .caller = "test",
                            .progress = hear,
                            .cancelled = cancelled,
                            .context = h };
    if (own_approval) {
        c.approve = approve;
        c.approve_context = h;
    }
    assert_int_equal(agent_call_run(g, &c, &r), 0);
    enum agent_outcome o = r.outcome;
    if (value)
        *value = json_integer_value(r.value);
    snprintf(said, 200, "%s", r.message ? r.message : "");
    agent_result_free(&r);
    json_decref(arguments);
    return o;
}

static void workers(void **state)
{
    (void)state;
    struct agent_tools *t = NULL;
    struct agent_gate *g = NULL;
    int here = 0;
    assert_int_equal(agent_tools_make(&t), 0);
    const struct agent_tool tools[] = {
        { .name = "slow", .run = slow },
        { .name = "threads", .run = thread, .needs.threads = true },
        { .name = "no_threads", .run = thread },
        { .name = "fork_threads", .run = fork_once, .needs.threads = true },
        { .name = "remote", .remote = ask, .context = &here },
        { .name = "local", .run = where, .context = &here },
    };
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        assert_int_equal(agent_tools_add(t, &tools[i]), 0);
    assert_int_equal(agent_gate_make(&g, t, NULL), 0);
    char said[200];
    int64_t value = 0;
    /* about ten a second of 60 in 0.3 seconds, and the last one */
    struct heard h = { 0 };
    assert_int_equal(call_with(g, "slow", &h, false, &value, said), AGENT_OK);
    assert_int_equal(value, 60);
    assert_true(h.n >= 2 && h.n <= 20);
    assert_true(h.done == 60 && h.total == 60);
    assert_string_equal(h.message, "step 60");
    /* threads only where they are declared, and no process even then */
    assert_int_equal(call_with(g, "threads", &h, false, &value, said), AGENT_OK);
    assert_int_equal(value, 8);
    assert_int_equal(call_with(g, "no_threads", &h, false, &value, said), AGENT_CRASHED);
    assert_int_equal(call_with(g, "fork_threads", &h, false, &value, said), AGENT_CRASHED);
    assert_string_equal(said, "stopped: a system call that it may not make");
    /* a remote tool counts as one that connects: it is asked for, by the call's own approver */
    assert_int_equal(call_with(g, "remote", &h, false, &value, said), AGENT_DENIED);
    assert_int_equal(here, 0);
    assert_int_equal(call_with(g, "remote", &h, true, &value, said), AGENT_DENIED);
    assert_int_equal(h.asked, 1);
    h.yes = true;
    assert_int_equal(call_with(g, "remote", &h, true, &value, said), AGENT_OK);
    assert_int_equal(h.asked, 2);
    assert_int_equal(value, getpid());
    assert_int_equal(here, 1);
    assert_int_equal(call_with(g, "local", &h, false, &value, said), AGENT_OK);
    assert_int_not_equal(value, getpid());
    assert_int_equal(here, 1);
    agent_gate_free(g);
    agent_tools_free(t);
}

/* ---- nests ---- */

/* The children of a process whose name begins so, and theirs. */
static int kin(pid_t parent, pid_t out[64])
{
    int n = 0;
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *f = fopen(path, "r");
    size_t got = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[got] = 0;
    char *save = NULL;
    for (char *p = strtok_r(text, " ", &save); p && n < 32; p = strtok_r(NULL, " ", &save)) {
        pid_t below[64];
        out[n++] = (pid_t)atoi(p);
        int m = kin(out[n - 1], below);
        for (int i = 0; i < m && n < 64; i++)
            out[n++] = below[i];
    }
    return n;
}

/* Whether it runs: one that has ended and that init has not waited for does not. */
static bool runs(pid_t pid)
{
    char path[64], text[400] = "", *end;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    return (end = strrchr(text, ')')) && end[1] == ' ' && end[2] != 'Z' && end[2] != 'X';
}

static int nap(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)t;
    wait_ms(json_integer_value(json_object_get(a, "ms")));
    *out = json_true();
    return 0;
}

static int pid_of(const struct agent_tool *t, const json_t *a, json_t **out)
{
    (void)t;
    if (json_object_get(a, "fail"))
        return base_error_set(BASE_E_ARGUMENT, "%d", (int)getpid());
    if (json_object_get(a, "loop"))
        for (volatile unsigned i = 0;; i++) {
        }
    if (json_object_get(a, "large")) {
        char *text = calloc(1, 2000001);
        memset(text, 'x', 2000000);
        *out = json_string(text);
        free(text);
        return 0;
    }
    *out = json_integer(getpid());
    return 0;
}

/* The number of the worker that made the call; said: the message. */
static int worker_of(struct agent_gate *g, const char *tool, const char *session,
                     const char *caller, const char *arguments, enum agent_outcome outcome)
{
    json_t *a = NULL;
    struct agent_result r;
    assert_int_equal(base_json_parse_wire(&a, arguments, strlen(arguments), 0, "t"), 0);
    const struct agent_call c = {
        .tool = tool, .arguments = a, .session = session, .caller = caller
    };
    assert_int_equal(agent_call_run(g, &c, &r), 0);
    assert_int_equal(r.outcome, outcome);
    assert_true(r.cpu_seconds >= 0 && r.cpu_seconds < 2);
    int pid = r.value ? (int)json_integer_value(r.value) : r.message ? atoi(r.message) : 0;
    agent_result_free(&r);
    json_decref(a);
    return pid;
}

/* Who has the same worker, and after what it is let go. */
static void workers_are_kept(void **state)
{
    (void)state;
    struct agent_tools *t = NULL;
    struct agent_gate *g = NULL;
    static const char *const usr[] = { "/usr", NULL };
    const struct agent_tool tools[] = {
        { .name = "pure", .run = pid_of, .pure = true, .needs.cpu_ms = 200 },
        { .name = "other", .run = pid_of, .pure = true, .needs.cpu_ms = 200 },
        { .name = "plain", .run = pid_of },
        { .name = "reads", .run = pid_of, .pure = true, .needs.read = usr },
    };
    long live = base_alloc_live();
    assert_int_equal(agent_tools_make(&t), 0);
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        assert_int_equal(agent_tools_add(t, &tools[i]), 0);
    static const char policy[] = "{default: allow, loops: {block: 1000}}";
    struct agent_policy *p = NULL;
    assert_int_equal(agent_policy_parse(&p, policy, sizeof policy - 1, "p"), 0);
    const struct agent_gate_options options = { .policy = p };
    assert_int_equal(agent_gate_make(&g, t, &options), 0);
    int a = worker_of(g, "pure", "a", "x", "{}", AGENT_OK);
    assert_int_equal(worker_of(g, "pure", "a", "y", "{\"n\": 2}", AGENT_OK), a);
    assert_int_not_equal(worker_of(g, "pure", "b", "x", "{}", AGENT_OK), a);
    assert_int_not_equal(worker_of(g, "other", "a", "x", "{}", AGENT_OK), a);
    int own = worker_of(g, "pure", NULL, "x", "{}", AGENT_OK);
    assert_int_not_equal(own, a);
    assert_int_equal(worker_of(g, "pure", NULL, "x", "{}", AGENT_OK), own);
    assert_int_not_equal(worker_of(g, "pure", NULL, "y", "{}", AGENT_OK), own);
    int none = worker_of(g, "pure", NULL, NULL, "{}", AGENT_OK);
    assert_int_not_equal(worker_of(g, "pure", NULL, NULL, "{}", AGENT_OK), none);
    for (int i = 2; i < 4; i++) { /* not pure, and not without capabilities */
        int first = worker_of(g, tools[i].name, "a", "x", "{}", AGENT_OK);
        assert_int_not_equal(worker_of(g, tools[i].name, "a", "x", "{}", AGENT_OK), first);
    }
    /* a failure is an answer; a time that is over or an answer too large is not */
    assert_int_equal(worker_of(g, "pure", "a", "x", "{\"fail\": 1}", AGENT_FAILED), a);
    worker_of(g, "pure", "a", "x", "{\"large\": 1}", AGENT_BAD_RESULT);
    int b = worker_of(g, "pure", "a", "x", "{}", AGENT_OK);
    assert_int_not_equal(b, a);
    worker_of(g, "pure", "a", "x", "{\"loop\": 1}", AGENT_TIMED_OUT);
    int c = worker_of(g, "pure", "a", "x", "{}", AGENT_OK);
    assert_int_not_equal(c, b);
    /* after a hundred calls there is another */
    int n = 1;
    time_t begin = time(NULL);
    while (n < 200 && worker_of(g, "pure", "a", "x", "{}", AGENT_OK) == c)
        n++;
    assert_true(n <= 100);
    if (time(NULL) - begin < 3) /* else its five seconds may have been over before */
        assert_int_equal(n, 100);
    /* one that was killed while it waited is not asked */
    c = worker_of(g, "pure", "a", "x", "{}", AGENT_OK);
    kill(c, SIGKILL);
    for (int i = 0; i < 200 && runs(c); i++)
        wait_ms(10);
    wait_ms(50);
    assert_int_not_equal(worker_of(g, "pure", "a", "x", "{}", AGENT_OK), c);
    /* and none outlives the gate */
    pid_t found[64];
    int left = kin(getpid(), found);
    assert_true(left > 1);
    agent_gate_free(g);
    for (int i = 0; i < left; i++) {
        for (int k = 0; k < 200 && runs(found[i]); k++)
            wait_ms(10);
        assert_false(runs(found[i]));
    }
    agent_policy_free(p);
    agent_tools_free(t);
    assert_int_equal(base_alloc_live(), live);
}

struct caller {
    struct agent_gate *gate;
    const char *tool;
    int ms;
    enum agent_outcome outcome;
};
static void *call_nap(void *context)
{
    struct caller *c = context;
    json_t *arguments = json_pack("{s:i}", "ms", c->ms);
    struct agent_result r = { .outcome = AGENT_OUTCOMES };
    const struct agent_call call = { .tool = c->tool, .arguments = arguments, .caller = "test" };
    if (agent_call_run(c->gate, &call, &r) == 0)
        c->outcome = r.outcome;
    agent_result_free(&r);
    json_decref(arguments);
    return NULL;
}

static void nests(void **state)
{
    (void)state;
    struct agent_tools *t = NULL;
    struct agent_gate *g = NULL;
    struct agent_tool tool = { .name = "nap", .run = nap };
    assert_int_equal(agent_tools_make(&t), 0);
    assert_int_equal(agent_tools_add(t, &tool), 0);
    assert_int_equal(agent_gate_make(&g, t, NULL), 0);
    /* side by side: sixteen naps of 0.4 seconds in far less than 6.4 */
    struct caller callers[16];
    pthread_t threads[16];
    time_t begin = time(NULL);
    for (int i = 0; i < 16; i++) {
        callers[i] = (struct caller){ g, "nap", 400, AGENT_OUTCOMES };
        assert_int_equal(pthread_create(&threads[i], NULL, call_nap, &callers[i]), 0);
    }
    for (int i = 0; i < 16; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].outcome, AGENT_OK);
    }
    assert_true(time(NULL) - begin <= 4);
    /* a nest that dies takes its call along, and the next call has another */
    pid_t found[64], below[64];
    assert_int_equal(kin(getpid(), found), 1);
    callers[0] = (struct caller){ g, "nap", 5000, AGENT_OUTCOMES };
    assert_int_equal(pthread_create(&threads[0], NULL, call_nap, &callers[0]), 0);
    for (int i = 0; i < 200 && kin(found[0], below) == 0; i++)
        wait_ms(10);
    pid_t worker = below[0];
    kill(found[0], SIGKILL);
    pthread_join(threads[0], NULL);
    assert_int_equal(callers[0].outcome, AGENT_FAILED);
    for (int i = 0; i < 200 && runs(worker); i++)
        wait_ms(10);
    assert_false(runs(worker));
    callers[0] = (struct caller){ g, "nap", 1, AGENT_OUTCOMES };
    call_nap(&callers[0]);
    assert_int_equal(callers[0].outcome, AGENT_OK);
    /* a tool that comes later is known, too, and arguments may be large */
    tool.name = "later";
    tool.run = count_bytes;
    assert_int_equal(agent_tools_add(t, &tool), 0);
    char *text = malloc(400001);
    memset(text, 'x', 400000);
    text[400000] = 0;
    json_t *arguments = json_pack("{s:s}", "text", text);
    struct agent_result r;
    const struct agent_call call = { .tool = "later", .arguments = arguments, .caller = "test" };
    assert_int_equal(agent_call_run(g, &call, &r), 0);
    assert_int_equal(r.outcome, AGENT_OK);
    assert_int_equal(json_integer_value(r.value), 400000);
    agent_result_free(&r);
    json_decref(arguments);
    free(text);
    agent_gate_free(g);
    assert_int_equal(kin(getpid(), found), 0);
    agent_tools_free(t);
}

/* Forty processes killed at any moment of their calls: nothing of them is left, neither the nest
 * nor a worker nor a program's children, and their log is whole. */
static void nothing_outlives_its_gate(void **state)
{
    (void)state;
    static const char programs[] = "tools: [{name: p, description: x, processes: true, command: "
                                   "[/bin/sh, -c, 'sleep 63 & sleep 63']}]";
    const char *log = test_temporary_path(".jsonl");
    for (int round = 0; round < 40; round++) {
        pid_t found[64];
        pid_t pid = fork();
        if (pid == 0) {
            struct agent_tools *t = NULL;
            struct agent_gate *g = NULL;
            struct agent_policy *p = NULL;
            struct agent_audit *a = NULL;
            const struct agent_tool tool = { .name = "nap", .run = nap };
            struct agent_gate_options o = { 0 };
            if (agent_tools_make(&t) || agent_tools_add(t, &tool) ||
                agent_tools_parse_programs(t, programs, sizeof programs - 1, "/", "p") ||
                agent_policy_parse(&p, "default: allow", 14, "p") || agent_audit_open(&a, log))
                _exit(1);
            o.policy = p;
            o.audit = a;
            if (agent_gate_make(&g, t, &o))
                _exit(1);
            struct caller callers[4];
            pthread_t threads[4];
            for (int i = 0; i < 4; i++) {
                callers[i] = (struct caller){ g, i == 3 ? "p" : "nap", i * 3, 0 };
                pthread_create(&threads[i], NULL, call_nap, &callers[i]);
            }
            for (;;)
                call_nap(&callers[0]);
        }
        wait_ms(2 + round % 20 * 4);
        int n = kin(pid, found);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < 300 && runs(found[i]); k++)
                wait_ms(10);
            if (runs(found[i]))
                fail_msg("round %d: process %d of %d is left", round, i, n);
        }
    }
    struct agent_audit_report r;
    assert_int_equal(agent_audit_verify(log, NULL, &r), 0);
    /* at most the last line is half there, which the next writer takes out */
    struct agent_audit *a = NULL;
    assert_int_equal(agent_audit_open(&a, log), 0);
    json_t *entry = json_pack("{s:s}", "event", "end");
    assert_int_equal(agent_audit_append(a, entry), 0);
    json_decref(entry);
    agent_audit_close(a);
    base_free(r.problem);
    assert_int_equal(agent_audit_verify(log, NULL, &r), 0);
    if (r.problem)
        fail_msg("line %llu: %s", (unsigned long long)r.first_bad, r.problem);
    assert_int_not_equal(system("pgrep -f '^sleep 63$' > /dev/null"), 0);
    unlink(log);
}

/* An approval is for the same arguments, and for as long as the policy says. */
static void approvals_run_out(void **state)
{
    (void)state;
    struct agent_tools *t = NULL;
    struct agent_policy *p = NULL;
    struct agent_gate *g = NULL;
    struct heard h = { .yes = true };
    char said[200];
    int64_t value;
    static const char policy[] = "{default: ask, approval_seconds: 1}";
    const struct agent_tool tool = { .name = "one", .run = slow };
    assert_int_equal(agent_tools_make(&t), 0);
    assert_int_equal(agent_tools_add(t, &tool), 0);
    assert_int_equal(agent_policy_parse(&p, policy, sizeof policy - 1, "p"), 0);
    const struct agent_gate_options options = { .policy = p };
    assert_int_equal(agent_gate_make(&g, t, &options), 0);
    assert_int_equal(call_with(g, "one", &h, true, &value, said), AGENT_OK);
    assert_int_equal(call_with(g, "one", &h, false, &value, said), AGENT_OK); /* it still holds */
    assert_int_equal(h.asked, 1);
    wait_ms(1000);
    assert_int_equal(call_with(g, "one", &h, false, &value, said), AGENT_DENIED);
    assert_int_equal(call_with(g, "one", &h, true, &value, said), AGENT_OK);
    assert_int_equal(h.asked, 2);
    agent_gate_free(g);
    agent_policy_free(p);
    agent_tools_free(t);
}

static int count_up(void *context, struct base_buffer *out)
{
    return base_buffer_printf(out, "%d", ++*(int *)context);
}
static int refuse(void *context, struct base_buffer *out)
{
    (void)out;
    return base_error_set(BASE_E_ARGUMENT, "%s", (const char *)context);
}

static void functions(void **state)
{
    (void)state;
    const struct agent_capabilities needs = { 0 };
    int n = 41;
    char why[] = "not today";
    struct agent_job job = { .needs = &needs, .run = count_up, .run_context = &n };
    struct agent_ended ended;
    assert_int_equal(agent_sandbox_run(NULL, &job, &ended), 0);
    assert_int_equal(ended.end, AGENT_END_OK);
    assert_string_equal(ended.answer.data, "42");
    assert_int_equal(n, 41);
    base_buffer_free(&ended.answer);
    job.run = refuse;
    job.run_context = why;
    assert_int_equal(agent_sandbox_run(NULL, &job, &ended), 0);
    assert_int_equal(ended.end, AGENT_END_FAILED);
    assert_string_equal(ended.message, "not today");
    base_buffer_free(&ended.answer);
}

/* ---- frames ---- */

/* Reads `bytes` in pieces of every size; all must come to the same. */
static enum agent_frame_state frames(const char *bytes, size_t n, struct agent_frames *out)
{
    enum agent_frame_state state = AGENT_FRAME_FINE;
    for (size_t piece = 1; piece <= n; piece++) {
        struct agent_frames f = { .most = 20 };
        enum agent_frame_state s = AGENT_FRAME_FINE;
        for (size_t at = 0; at < n && s == AGENT_FRAME_FINE; at += piece)
            s = agent_frames_take(&f, bytes + at, n - at < piece ? n - at : piece);
        if (piece > 1)
            assert_int_equal(s, state);
        state = s;
        agent_frames_free(out);
        *out = f;
    }
    return state;
}
#define FRAMES(text) frames(text, sizeof(text) - 1, &f)

static void frames_are_not_trusted(void **state)
{
    (void)state;
    long live = base_alloc_live();
    struct agent_frames f = { 0 };
    assert_int_equal(FRAMES("r\3\0\0\0[1]"), AGENT_FRAME_FINE);
    assert_int_equal(f.kind, 'r');
    assert_string_equal(f.bytes.data, "[1]");
    assert_int_equal(FRAMES("r\3\0\0\0[1"), AGENT_FRAME_FINE); /* not all there */
    assert_int_equal(f.kind, 0);
    assert_int_equal(FRAMES("e\2\0\0\0no"), AGENT_FRAME_FINE);
    assert_int_equal(f.kind, 'e');
    assert_int_equal(FRAMES("r\1\0\0\0"
                            "1r\1\0\0\0"
                            "2"),
                     AGENT_FRAME_BROKEN); /* twice */
    assert_int_equal(FRAMES("r\1\0\0\0"
                            "1\n"),
                     AGENT_FRAME_BROKEN);
    assert_int_equal(FRAMES("x\1\0\0\0"
                            "1"),
                     AGENT_FRAME_BROKEN);
    assert_int_equal(FRAMES("r\25\0\0\0"), AGENT_FRAME_LARGE); /* 21 */
    assert_int_equal(FRAMES("r\377\377\377\377"), AGENT_FRAME_LARGE);
    assert_int_equal(FRAMES("e\377\377\377\377"), AGENT_FRAME_BROKEN);
    assert_int_equal(FRAMES("p\17\0\0\0"), AGENT_FRAME_FINE);
    assert_int_equal(FRAMES("p\3\0\0\0abc"), AGENT_FRAME_BROKEN);
    char told[5 + 16 + 4] = { 'p', 20 };
    memcpy(told + 5 + 16,
           "a\0\xff"
           "b",
           4);
    for (int i = 0; i < 4; i++) {
        const double numbers[4][2] = { { 1, 2 }, { NAN, 1 }, { 1, INFINITY }, { -1, 2 } };
        memcpy(told + 5, numbers[i], 16);
        assert_int_equal(frames(told, sizeof told, &f), i ? AGENT_FRAME_BROKEN : AGENT_FRAME_FINE);
        if (i == 0)
            assert_string_equal(f.message, "a \xef\xbf\xbd"
                                           "b");
    }
    agent_frames_free(&f);
    assert_int_equal(base_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers),
        cmocka_unit_test(nests),
        cmocka_unit_test(workers_are_kept),
        cmocka_unit_test(nothing_outlives_its_gate),
        cmocka_unit_test(approvals_run_out),
        cmocka_unit_test(functions),
        cmocka_unit_test(frames_are_not_trusted),
    };
    return cmocka_run_group_tests_name("agent/sandbox", tests, NULL, NULL);
}
