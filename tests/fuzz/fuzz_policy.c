/* Policy files: refused with one line, or rules that can be asked. */
#include "agent/policy.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agent_policy *p = NULL;
    const struct agent_tool tool = { .name = "read_file" };
    if (agent_policy_parse(&p, (const char *)data, size, "fuzz")) {
        if (!*base_error_message() || strchr(base_error_message(), '\n'))
            abort();
        return 0;
    }
    struct agent_ruling r = agent_policy_rule(p, &tool, "mcp:client");
    if (!r.reason || r.action > AGENT_DENY || agent_policy_limits(p).arguments < 2)
        abort();
    agent_policy_free(p);
    return 0;
}
