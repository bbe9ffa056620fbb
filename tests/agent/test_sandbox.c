/* Workers: progress, who approves, threads, remote tools, what a worker may say. */
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
        cmocka_unit_test(approvals_run_out),
        cmocka_unit_test(functions),
        cmocka_unit_test(frames_are_not_trusted),
    };
    return cmocka_run_group_tests_name("agent/sandbox", tests, NULL, NULL);
}
