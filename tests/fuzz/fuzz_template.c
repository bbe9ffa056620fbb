/* Templates: the first byte chooses the options, the rest is the source; it is rendered with a few
 * variables. Whatever it holds, parsing and rendering end, within small limits. */
#include "base/json.h"
#include "base/memory.h"
#include <assay/template.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *vars;
    if (!vars)
        vars = json_loads("{\"s\":\"a B\\u00e9\",\"i\":7,\"f\":2.5,\"n\":null,\"t\":true,"
                          "\"l\":[3,1,2],\"d\":{\"a\":[1,{\"x\":null}],\"b\":\"c\"},"
                          "\"m\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                          0, NULL);
    if (size < 1)
        return 0;
    struct template_options o = {
        .trim_blocks = data[0] & 1,
        .lstrip_blocks = data[0] & 2,
        .keep_trailing_newline = data[0] & 4,
        .strict = data[0] & 8,
        .chat = data[0] & 16,
        .now = data[0] & 32 ? "2024-07-26" : NULL,
        .max_output = 1 << 16,
        .max_memory = 1 << 22,
        .max_steps = 20000,
    };
    struct template *t;
    char *text;
    size_t bytes;
    json_t *value;
    long live = base_alloc_live();
    if (template_parse(&t, "fuzz", (const char *)data + 1, size - 1, &o) == 0) {
        if (template_render(t, vars, &text, &bytes) == 0 && bytes > o.max_output)
            abort();
        base_free(text);
        if (template_is_expression(t) && template_evaluate(t, vars, &value) == 0)
            json_decref(value);
        template_free(t);
    }
    if (template_literal(&value, (const char *)data + 1, size - 1, "fuzz") == 0)
        json_decref(value);
    if (base_alloc_live() != live)
        abort();
    return 0;
}
