/* Files of programs: refused with one line, or tools that can be described. */
#include <assay/tool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agent_tools *t = NULL;
    json_t *all = NULL;
    if (agent_tools_make(&t))
        return 0;
    if (agent_tools_parse_programs(t, (const char *)data, size, "/usr", "fuzz")) {
        if (!*base_error_message() || strchr(base_error_message(), '\n'))
            abort();
    } else {
        for (size_t i = 0; i < agent_tools_count(t); i++)
            if (agent_tools_at(t, i)->needs.exec[0] != '/')
                abort();
        if (agent_tools_export(t, AGENT_FORM_MCP, &all))
            abort();
    }
    json_decref(all);
    agent_tools_free(t);
    return 0;
}
