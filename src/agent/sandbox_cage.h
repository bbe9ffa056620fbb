/* The walls that the kernel builds around a worker.
 *
 *   Landlock   files: what is declared, and the system's libraries to load (read, execute)
 *   seccomp    system calls: a list of those that computing, reading and answering need; starting
 *              programs and processes, sockets, tracing, mounting ... kill the worker. Threads only
 *              where they are declared: clone with every flag that makes a thread, so that nothing
 *              that shares less (a process) passes; clone3, whose flags a filter cannot see, is
 *              told as missing
 *              Sockets: none; where a server was connected to before (needs.connect), bytes can be
 *              sent to a socket's own end and received, no socket made and no address named
 *   rlimits    processor time, address space, no core file, few open files
 *
 * Filters are made once for each class of needs and kept; rulesets are descriptors. */
#ifndef AGENT_SANDBOX_CAGE_H
#define AGENT_SANDBOX_CAGE_H
#include <assay/tool.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/types.h>

struct agent_filter {
    struct sock_filter *code;
    unsigned short n;
};
/* The filter of these needs, kept until the program ends. Thread-safe. */
int agent_cage_filter(const struct agent_capabilities *needs, const struct agent_filter **out);
/* Landlock's ABI on this machine; 0 = none. */
int agent_cage_landlock(void);
/* A ruleset of these needs as a descriptor (close-on-exec, the caller closes it), or -1 with errno.
 * Paths are looked up now; what is not there needs no rule. */
int agent_cage_ruleset(const struct agent_capabilities *needs, int abi);
/* In the worker: one limit, never above the one that holds already. */
void agent_cage_limit(int resource, rlim_t value);
/* Seconds of processor time that a process has used; 0 when there is none. */
double agent_cage_used(pid_t pid);
/* In the worker: no new privileges, and the ruleset (-1 = none; stays open). NULL, or which wall
 * could not be built, with errno. */
const char *agent_cage_files(int ruleset);
/* In the worker, after that: the filter. From here on only what is declared works. As above. */
const char *agent_cage_calls(const struct agent_filter *filter);
#endif
