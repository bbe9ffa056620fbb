/* Times calls of a tool through the whole gate (bench/RESULTS.md):
 *
 *   make build/release/bench/tool_calls
 *   taskset -c 0 build/release/bench/tool_calls CALLS [THREADS] [kept|new] [AUDIT-LOG]
 *
 * Each call has other arguments, is validated, ruled on, run by a worker, its result validated, and
 * written to the log if there is one. "new": each call has a worker of its own, as the calls of
 * tools have that are not pure. Prints the wall time of a call (median, p99, greatest), calls a
 * second, and processor time of a call: the worker's, and everything's. */
#include "base/memory.h"
#include <assay/tool.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static struct agent_gate *gate;
static int calls, threads = 1;
static const char *who = "bench";
static double *wall, *cpu;
static _Atomic int next, failed;

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *work(void *context)
{
    (void)context;
    for (int i; (i = next++) < calls;) {
        char text[64];
        snprintf(text, sizeof text, "(2^64 - 1) / 3 + %d", i);
        json_t *arguments = json_pack("{s:s}", "expression", text);
        const struct agent_call c = {
            .tool = "calculator", .arguments = arguments, .caller = who, .session = who
        };
        struct agent_result r;
        double begin = clock_of(CLOCK_MONOTONIC);
        if (agent_call_run(gate, &c, &r) || r.outcome != AGENT_OK) {
            fprintf(stderr, "%s\n", r.message ? r.message : base_error_message());
            failed++;
        }
        wall[i] = clock_of(CLOCK_MONOTONIC) - begin;
        cpu[i] = r.cpu_seconds;
        agent_result_free(&r);
        json_decref(arguments);
    }
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double used(void)
{
    double sum = 0;
    for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
        struct rusage u;
        getrusage(who, &u);
        sum += (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
    }
    return sum;
}

int main(int argc, char **argv)
{
    calls = argc > 1 ? atoi(argv[1]) : 2000;
    threads = argc > 2 ? atoi(argv[2]) : 1;
    if (argc > 3 && strcmp(argv[3], "new") == 0)
        who = NULL; /* calls of nobody share nothing */
    struct agent_tools *tools = NULL;
    struct agent_audit *audit = NULL;
    const struct agent_builtin_options builtin = { 0 };
    if (calls < 1 || threads < 1 || threads > 256 || agent_tools_make(&tools) ||
        agent_tools_add_builtin(tools, &builtin) ||
        (argc > 4 && agent_audit_open(&audit, argv[4]))) {
        fprintf(stderr, "usage: tool_calls CALLS [THREADS] [kept|new] [AUDIT-LOG] %s\n",
                base_error_message());
        return 2;
    }
    const struct agent_gate_options options = { .audit = audit };
    wall = calloc((size_t)calls, sizeof *wall);
    cpu = calloc((size_t)calls, sizeof *cpu);
    if (!wall || !cpu || agent_gate_make(&gate, tools, &options)) {
        fprintf(stderr, "%s\n", base_error_message());
        return 1;
    }
    pthread_t t[256];
    double begin = clock_of(CLOCK_MONOTONIC);
    for (int i = 0; i < threads; i++)
        pthread_create(&t[i], NULL, work, NULL);
    for (int i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    double seconds = clock_of(CLOCK_MONOTONIC) - begin;
    agent_gate_free(gate); /* the nest's time counts when it has been waited for */
    agent_audit_close(audit);
    agent_tools_free(tools);
    double all = used(), workers = 0;
    for (int i = 0; i < calls; i++)
        workers += cpu[i];
    qsort(wall, (size_t)calls, sizeof *wall, ascending);
    printf("%d calls, %d failed, %d at once: median %.3f ms, p99 %.3f ms, max %.3f ms; %.0f "
           "calls/s; processor %.3f ms a call, of it the worker %.3f ms\n",
           calls, (int)failed, threads, wall[calls / 2] * 1e3, wall[calls * 99 / 100] * 1e3,
           wall[calls - 1] * 1e3, calls / seconds, all / calls * 1e3, workers / calls * 1e3);
    free(wall);
    free(cpu);
    return failed != 0;
}
