/* What the files of the red-team suite share. */
#ifndef AGENT_REDTEAM_PRIVATE_H
#define AGENT_REDTEAM_PRIVATE_H
#include "agent/redteam.h"

/* The ground of a suite: a directory with a secret beside what may be read. */
struct ground {
    char *top, *open, *secret, *target;
    char *database; /* an index of what may be read; the SQL tools read it, too */
    struct agent_tools *tools;
    struct agent_policy *policy;
    int listener; /* on 127.0.0.1 */
    uint16_t port;
};
struct
try {
    struct agent_gate *gate;
    struct agent_redteam *out;
    int rc;
};
/* Notes one try. */
void redteam_add(struct try *t, const char *group, const char *attack, bool stopped,
                 const char *how);
/* One call; its outcome, and what was said. */
enum agent_outcome redteam_call(struct try *t, const char *tool, const char *arguments,
                                const char *session, char how[300], json_t **value);

/* redteam_workers.c: workers that say what no worker says, and programs. */
int redteam_workers_tools(struct ground *g);
void redteam_workers_try(struct try *t, const struct ground *g);
void redteam_workers_end(const struct ground *g); /* removes what they may have written */
#endif
