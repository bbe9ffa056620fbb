/* Attacks on the gate and the sandbox, and what stopped each. */
#ifndef AGENT_REDTEAM_H
#define AGENT_REDTEAM_H
#include <assay/tool.h>

struct agent_redteam {
    unsigned tried, stopped;
    json_t *attacks; /* {"group", "attack", "stopped", "how"}; json_decref */
};
/* Runs all of them, in a directory of their own under $TMPDIR; calls are written to audit (may be
 * NULL). An error is only what kept the suite itself from running. */
int agent_redteam_run(struct agent_audit *audit, struct agent_redteam *out);
/* The tries on PostgreSQL, added to *out of the above: in a schema of their own on the server at
 * address, whose role must be able to make one (a superuser, best: then there is most to do). */
int agent_redteam_postgres(struct agent_audit *audit, const char *address,
                           struct agent_redteam *out);
/* The part of it that attacks the laboratory's tools, in a directory below top (redteam_lab.c). */
int agent_redteam_lab(struct agent_audit *audit, const char *top, struct agent_redteam *out);
#endif
