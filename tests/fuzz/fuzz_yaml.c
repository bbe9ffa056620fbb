/* YAML: whatever the bytes, an error or a value that JSON can hold. */
#include "base/json.h"
#include "base/memory.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value;
    if (base_yaml_parse(&value, (const char *)data, size, "fuzz") == 0) {
        char *text = base_json_dump(value, false);
        if (!text) {
            abort();
        }
        base_free(text);
        json_decref(value);
    }
    return 0;
}
