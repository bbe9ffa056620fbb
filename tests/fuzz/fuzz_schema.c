/* JSON Schema: the input is a schema and an instance, divided by a NUL byte. Compiling and checking
 * end, and a checked verdict does not depend on whether errors are collected. */
#include "base/json.h"
#include <assay/schema.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t n = zero ? (size_t)(zero - data) : size;
    json_t *schema = NULL, *instance = NULL, *errors = NULL;
    struct agent_schema *s = NULL;
    struct agent_schema_options options = { .unchecked = size % 4 == 0, .steps = 20000 };
    if (base_json_parse_wire(&schema, (const char *)data, n, 0, "schema"))
        return 0;
    if (agent_schema_compile(&s, schema, "fuzz", &options) == 0) {
        if (!zero || base_json_parse_wire(&instance, (const char *)zero + 1, size - n - 1, 0, "x"))
            instance = json_incref(schema);
        int with = agent_schema_check(s, instance, &errors);
        int without = agent_schema_check(s, instance, NULL);
        /* collecting goes on behind the first error and may so meet a limit */
        if (with >= 0 && without >= 0 && with != without)
            abort();
        if (with == 0 && json_array_size(errors) == 0)
            abort();
    }
    agent_schema_free(s);
    json_decref(errors);
    json_decref(instance);
    json_decref(schema);
    return 0;
}
