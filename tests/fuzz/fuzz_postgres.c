/* What a PostgreSQL server sends: parse trees, and values in text form. A tree that is understood
 * must give lists of numbers and nothing else; a value of any type must become JSON that prints. */
#include "agent/postgres_private.h"
#include "base/json.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agent_pg_names names = { 0 };
    if (agent_pg_tree_read((const char *)data, size, &names) == 0) {
        const struct base_buffer *lists[] = { &names.functions, &names.operators,
                                              &names.relations };
        for (size_t i = 0; i < 3; i++)
            if (lists[i]->length && strspn(lists[i]->data, "{0123456789,") != lists[i]->length)
                abort();
    }
    agent_pg_names_free(&names);
    if (!size)
        return 0;
    char *text = base_strndup((const char *)data + 1, size - 1);
    const struct agent_pg_type type = { .kind = data[0] % 8,
                                        .element = data[0] / 8 % 7,
                                        .delimiter = ',' };
    json_t *value = text ? agent_pg_value(&type, text, strlen(text)) : NULL;
    char *shown = value ? base_json_dump(value, false) : NULL;
    if (!shown)
        abort();
    base_free(shown);
    base_free(text);
    json_decref(value);
    return 0;
}
