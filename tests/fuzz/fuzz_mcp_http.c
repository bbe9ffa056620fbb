/* Header values of the MCP server from arbitrary bytes: the first says which parser, what follows
 * is the value, and for the last one a schema and arguments behind it. */
#include "base/memory.h"
#include "mcp/http_value.h"
#include <stdlib.h>
#include <string.h>

/* What is decoded must compare equal to itself as a JSON string. */
static void decode(const char *text)
{
    char *out = NULL;
    size_t n = 0;
    if (http_value_decode(text, &out, &n) == 0) {
        json_t *same = json_stringn(out, n), *other = json_integer(7);
        if (n > strlen(text) || (same && !http_value_equals(out, n, same)))
            abort();
        (void)http_value_equals(out, n, other);
        json_decref(same);
        json_decref(other);
    }
    base_free(out);
}

static void mirror(char *text)
{
    char *rest = strchr(text, '\n'), problem[200] = "";
    if (!rest)
        return;
    *rest++ = 0;
    char *arguments_text = strchr(rest, '\n');
    if (arguments_text)
        *arguments_text++ = 0;
    json_t *schema = json_loads(rest, 0, NULL);
    json_t *arguments = arguments_text ? json_loads(arguments_text, 0, NULL) : NULL;
    const struct http_param params[] = { { "Region", text }, { "N", text } };
    if (schema)
        (void)http_params_check(schema, arguments, params, 2, problem);
    if (strnlen(problem, sizeof problem) == sizeof problem)
        abort();
    json_decref(schema);
    json_decref(arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_authority at;
    struct http_origin origin;
    uint64_t stream, event;
    if (!size)
        return 0;
    char *text = base_strndup((const char *)data + 1, size - 1);
    char *value = text ? http_value_trim(text) : NULL;
    if (value)
        switch (data[0] % 6) {
        case 0:
            (void)http_accepts(value, "application", "json");
            (void)http_accepts(value, "text", "event-stream");
            (void)http_is_json(value);
            break;
        case 1:
            if (http_authority_parse(value, &at))
                (void)http_host_is_loopback(at.host);
            break;
        case 2:
            if (http_origin_parse(value, &origin) && !http_origin_equal(&origin, &origin))
                abort();
            break;
        case 3:
            if (http_event_id_parse(value, &stream, &event) && strlen(value) > 37)
                abort();
            (void)http_bearer(value);
            break;
        case 4:
            decode(value);
            break;
        default:
            mirror(text);
        }
    base_free(value);
    base_free(text);
    return 0;
}
