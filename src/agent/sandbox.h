/* A tool's function, or a program, run where it can do no harm: a process of its own, forked for
 * one call.
 *
 *   namespaces  user, IPC, host name; network unless the call may connect; processes, for programs
 *   Landlock    files: only what is declared, and the system's libraries to load (read, execute)
 *   seccomp     system calls: a list of those that computing, reading and answering need; starting
 *               programs and processes, sockets, tracing, mounting ... kill the worker
 *   rlimits     processor time, address space, no core file, few open files
 *   the gate    watches the clock and what the worker says (sandbox_frame.h)
 *   the nest    watches the processor, and kills the process group
 *
 * Workers are forked by a nest: a process with one thread, forked from the gate's when the gate is
 * made. What that is good for, and why it is safe:
 *
 *   - A fork copies the memory of one thread in whatever state the others left it: a mutex that
 *     another thread held (SQLite's, OpenMP's) is never given back in the child. The nest has no
 *     other thread, so that a worker finds everything at rest.
 *   - The gate's process may be large, hold a model, and what other sessions said; a worker forked
 *     from the nest has the memory as it was when the gate was made, and none of that.
 *   - The nest makes the namespaces once and its workers share them, which saves two thirds of a
 *     call's time. Nothing passes between workers by that: the network namespace has no device that
 *     is up, and a worker that is not allowed the network dies at its first socket; the calls of
 *     System V IPC and message queues are in no list of seccomp's; nobody may set a host name. The
 *     namespaces stay what they were, a second wall behind seccomp. A program gets a
 *     process namespace of its own.
 *   - Everything else is made anew for every call: process, memory, descriptors, Landlock domain,
 *     filter, limits. So nothing of one call is left for the next. The one exception is below.
 *   - A worker has no descriptor of the nest's but the pipe for its own answer; it cannot trace or
 *     signal it. That a worker has ended, how, and what it used the gate hears from the nest alone,
 *     on a socket of that call.
 *   - The worker dies with the nest (PR_SET_PDEATHSIG), and the nest with the gate's process, on
 *     which it holds a pidfd: also when that is killed, and also when somebody else has the gate's
 *     end of the socket.
 *
 * A worker of a pure tool is kept for further calls. What that could break, and what holds:
 *
 *   - Only tools that say so themselves (agent_tool.pure) and that declare no capability: there is
 *     nothing that the worker may touch but arguments and answers.
 *   - Only calls of the same conversation, or of the same caller where it names none: whoever broke
 *     a worker through his arguments would hear and answer nobody but himself.
 *   - It goes after anything but an answer or a failure, after KEPT_CALLS calls, KEPT_SECONDS, or
 *     the processor time of NEST_KEPT_TIMES calls; the nest ends it a little later in any case,
 *     also when it hangs or computes between calls. Processor time, clock and size of the answer
 * are held for each call as ever, memory for the worker.
 *   - It is asked only when it has said nothing since its last answer: one that answers twice, or
 *     before it is asked, is ended unheard.
 *
 * The tools that a nest knows are those of its making, with what their contexts held then: for
 * tools added later the gate makes a new nest. If the process has more threads by then, its workers
 * have the hazard above, and threads of their own are not given to them.
 *
 * What the machine does not offer is told by agent_sandbox_describe; without seccomp, or without
 * Landlock for a call that names files, the call is refused: the sandbox fails closed. */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H
#include "base/buffer.h"
#include <assay/tool.h>

struct agent_nest;
enum agent_nest_kind {
    AGENT_NEST_ALONE,      /* the network does not exist */
    AGENT_NEST_NETWORK,    /* for tools with needs.network */
    AGENT_NEST_CONNECTING, /* for tools that connect before their walls stand (needs.connect): as
                              the user that the program runs for; each worker makes its own
                              namespaces afterwards, without the network */
    AGENT_NEST_KINDS
};
enum agent_nest_kind agent_nest_kind_of(const struct agent_capabilities *needs);
/* For calls of `tools` (NULL = none), whose set and contexts are as they are now. BASE_E_IO when no
 * process can be had. */
int agent_nest_make(struct agent_nest **out, const struct agent_tools *tools,
                    enum agent_nest_kind kind);
/* Ends the nest and whatever still runs in it; no call may be on its way. NULL is fine. */
void agent_nest_free(struct agent_nest *n);
/* Whether it can take calls. */
bool agent_nest_alive(const struct agent_nest *n);

struct agent_job {
    const struct agent_tool *tool;          /* of the nest's tools; NULL: run, below */
    const struct agent_capabilities *needs; /* the tool's, or narrower times, memory and output */
    const char *input;                      /* the arguments as JSON */
    size_t input_bytes;
    bool (*cancelled)(void *context); /* asked every 20 ms; NULL = never */
    /* What the function said by agent_tool_progress; NULL = nobody listens. */
    void (*progress)(void *context, double done, double total, const char *message);
    void *context; /* of these two */
    /* Calls with the same text may have the same worker, if the tool is pure; NULL = a new one. */
    const char *keep;
    /* A function that is no tool's: what it appends to out is the answer. It runs in a worker from
     * a nest made for this one call, with the memory as it is now, whatever other threads hold; the
     * nest given is not used. */
    int (*run)(void *run_context, struct base_buffer *out);
    void *run_context;
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
/* Numbers of needs that are 0 are the usual ones. A tool's function gets the arguments and answers
 * with its result. A program (needs->exec) gets them on standard input, and what it prints is the
 * answer; an exit code other than 0 is a failure, told with what it wrote to standard error.
 * Negative only when the worker could not be made; then nothing ran. Thread-safe: calls of several
 * threads run side by side. */
int agent_sandbox_run(struct agent_nest *n, const struct agent_job *job, struct agent_ended *out);
/* Lets go of the workers kept for such jobs: an answer turned out not to be in order. */
void agent_sandbox_forget(struct agent_nest *n, const struct agent_job *job);
#endif
