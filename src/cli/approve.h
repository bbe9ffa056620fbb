/* The question to the person at the terminal whether a call may be made. */
#ifndef CLI_APPROVE_H
#define CLI_APPROVE_H
#include <assay/tool.h>

struct cli_approval {
    bool yes;         /* --yes: no question */
    unsigned seconds; /* after which no answer is a no; 0 = 60 */
};
/* An agent_approve_fn; context is a struct cli_approval. Shows the tool, why it is asked, what it
 * may touch and its arguments (control characters as escapes, the first 4,000 bytes, with the
 * SHA-256 of all of them, which the audit log has, too), and waits for a line: "y" or "yes" is yes,
 * anything else, no line in time, the terminal's end and no terminal at all are no. What was typed
 * before the question stood there does not answer it. */
bool cli_approve(void *context, const struct agent_tool *tool, const json_t *arguments,
                 const char *reason);
#endif
