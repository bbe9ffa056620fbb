/* A function run where it can do no harm: a process of its own, forked for one call.
 *
 *   namespaces  user, IPC, host name; network unless the call may connect
 *   Landlock    files: only what is declared, and the system's libraries to load (read, execute)
 *   seccomp     system calls: a list of those that computing, reading and answering need; starting
 *               programs and processes, sockets, tracing, mounting ... kill the worker
 *   rlimits     processor time, address space, no core file, few open files
 *   the parent  watches the clock and the size of the answer, and kills the process group
 *
 * The worker dies with its parent (PR_SET_PDEATHSIG) and never outlives the call. What the machine
 * does not offer is told by agent_sandbox_describe; without seccomp, or without Landlock for a call
 * that names files, the call is refused: the sandbox fails closed. */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H
#include "base/buffer.h"
#include <assay/tool.h>

struct agent_job {
    const struct agent_capabilities *needs;
    /* Runs in the worker; what it appends to out is the answer. A negative code sends
     * base_error_message() instead. */
    int (*run)(void *run_context, struct base_buffer *out);
    /* Or a program (needs->exec): its standard input, and what it prints is the answer; exit code
     * not 0 is a failure. */
    const char *input;
    size_t input_bytes;
    void *run_context;
    bool (*cancelled)(void *context); /* asked every 20 ms; NULL = never */
    /* What the function said by agent_tool_progress; NULL = nobody listens. */
    void (*progress)(void *context, double done, double total, const char *message);
    void *context; /* of these two */
};
enum agent_end {
    AGENT_END_OK,
    AGENT_END_FAILED,    /* the function or program said so; message */
    AGENT_END_KILLED,    /* by a signal: message says which, and what it means */
    AGENT_END_TIMEOUT,   /* of the clock or the processor */
    AGENT_END_TOO_LARGE, /* the answer */
    AGENT_END_CANCELLED,
};
struct agent_ended {
    enum agent_end end;
    struct base_buffer answer; /* base_buffer_free */
    char message[512];
    double seconds, cpu_seconds;
};
/* Negative only when the worker could not be set up or made; then nothing ran. */
int agent_sandbox_run(const struct agent_job *job, struct agent_ended *out);
#endif
