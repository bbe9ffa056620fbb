/* JSON from the wire: what the strict parser accepts is accepted and is the same value; what is
 * accepted prints as JSON that reads back equal. */
#include "base/json.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *wire = NULL, *strict = NULL, *again = NULL;
    int rc = base_json_parse_wire(&wire, (const char *)data, size, 2048, "wire");
    if (base_json_parse(&strict, (const char *)data, size, "strict") == 0 &&
        (rc || !json_equal(wire, strict)))
        abort();
    if (rc == 0) {
        char *text = base_json_dump(wire, size % 2);
        if (!text || base_json_parse_wire(&again, text, strlen(text), 2048, "again") ||
            !json_equal(wire, again))
            abort();
        base_free(text);
    }
    json_decref(wire);
    json_decref(strict);
    json_decref(again);
    return 0;
}
