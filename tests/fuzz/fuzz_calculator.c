/* The calculator's grammar: it ends, within its limits, and what it prints as exact is a number
 * that it reads back as the same value. */
#include "agent/builtin.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    json_t *once = NULL, *again = NULL;
    memcpy(text, data, size);
    text[size] = 0;
    if (agent_calculate(text, &once) == 0 && json_is_true(json_object_get(once, "exact")) &&
        !json_object_get(once, "fraction")) {
        const char *result = json_string_value(json_object_get(once, "result"));
        if (strlen(result) <= 4096 && (agent_calculate(result, &again) || !json_equal(once, again)))
            abort();
    }
    json_decref(once);
    json_decref(again);
    free(text);
    return 0;
}
