/* The policy as the gate asks it; docs/safety.md has the file's keys. */
#ifndef AGENT_POLICY_H
#define AGENT_POLICY_H
#include <assay/tool.h>

struct agent_ruling {
    enum agent_action action;
    const char *reason;  /* the rule's own words, or ours; borrowed */
    size_t rule;         /* 1 = first, 0 = the default */
    unsigned per_minute; /* 0 = no limit */
    /* narrower than the tool's own where not 0 */
    unsigned cpu_ms, wall_ms;
    size_t memory, output;
};
struct agent_policy_limits {
    unsigned warn_at, block_at; /* the same call with the same result: 2, 3 */
    unsigned approval_seconds;  /* an approval is good for the same call so long: 60 */
    enum agent_action tainted;  /* what writes, runs or connects after foreign text came in: ask */
    size_t arguments;           /* bytes of arguments: 1 MiB */
};
/* policy may be NULL: the default one. */
struct agent_ruling agent_policy_rule(const struct agent_policy *policy,
                                      const struct agent_tool *tool, const char *caller);
/* For files of this room: every key is one of n known ones ("... is not a key of a WHAT"), and a
 * whole number of at least `least` where the key is there (untouched otherwise). */
int agent_keys_check(const json_t *o, const char *where, const char *what, const char *const *known,
                     size_t n);
int agent_number_get(const json_t *o, const char *key, const char *where, int64_t least,
                     int64_t *out);
struct agent_policy_limits agent_policy_limits(const struct agent_policy *policy);
#endif
