/* What gate and nest say to each other.
 *
 *   gate -> nest   one packet for each call on the nest's socket: struct nest_request, the
 *                  arguments (or a file in memory with them), and descriptors: the call's own
 *                  socket, the answer's pipe, for a program that of its errors, the file, for a
 *                  worker that is kept the socket on which further calls come to it
 *   gate -> nest   on the call's socket, any packet or its closing: end the worker
 *   nest -> gate   on the call's socket: struct nest_ended, once, after the worker is gone; of a
 *                  worker that is kept one before, with its number
 *   gate -> worker that is kept: the length of the arguments (4 bytes, least first), the arguments
 */
#ifndef AGENT_SANDBOX_NEST_H
#define AGENT_SANDBOX_NEST_H
#include "agent/sandbox.h"
#include <sys/resource.h>

#define NEST_INLINE      ((size_t)32 << 10) /* bytes of arguments within a packet */
#define NEST_DESCRIPTORS 5
#define NEST_TICK_MS     20
#define NEST_KEPT_TIMES  4 /* a worker that is kept has the processor time of so many calls */

struct nest_request {
    char tool[65];            /* "" = the nest's job */
    bool program, file, keep; /* which of the last three descriptors are there */
    double life;              /* seconds until a worker that is kept is ended, whatever it does */
    unsigned cpu_ms;
    size_t memory, input_bytes;
};
struct nest_ended {
    pid_t started; /* not 0: it has not ended, but begun */
    int status;    /* as wait tells it; -1 = the worker could not be started, error says why */
    bool cpu;      /* it was ended for its processor time */
    bool many;     /* or for the number of its processes */
    double cpu_seconds;
    char error[200];
};
struct nest_options {
    const struct agent_tools *tools;
    const struct agent_job *job; /* the one function of a nest without tools */
    enum agent_nest_kind kind;
    bool threads;
};
/* The nest's life; never returns. gate: the process to die with. */
void agent_nest_live(int socket, pid_t gate, const struct nest_options *options)
    __attribute__((noreturn));
#endif
