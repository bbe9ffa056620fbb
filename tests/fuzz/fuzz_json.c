/* JSON: what parses must print, and what was printed must parse to an equal value. */
#include "base/json.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value, *again;
    if (base_json_parse(&value, (const char *)data, size, "fuzz") == 0) {
        char *text = base_json_dump(value, size % 2);
        if (!text || base_json_parse(&again, text, strlen(text), "again") ||
            !json_equal(value, again)) {
            abort();
        }
        base_free(text);
        json_decref(again);
        json_decref(value);
    }
    return 0;
}
