/* Addresses of the laboratory's resources, and completion: the first line is an address, the rest
 * what a completion is asked with, as JSON. An address that a template takes apart comes together
 * again to one that means the same. What needs a worker is left out: forks are slow. */
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "mcp/lab.h"
#include <stdlib.h>
#include <string.h>

static void round_trip(const char *uri)
{
    for (size_t i = 0; i < mcp_lab_route_count; i++) {
        const char *template = mcp_lab_routes[i].template, *values[LAB_VARIABLES];
        struct lab_values v, again;
        uint64_t from, to;
        int rc = mcp_lab_match(template, uri, &v);
        if (rc < 0)
            abort();
        if (!rc)
            continue;
        struct base_buffer b = { 0 };
        for (size_t k = 0; k < v.n; k++) {
            values[k] = v.value[k];
            if (!*values[k] || strlen(values[k]) != base_utf8_invalid(values[k], strlen(values[k])))
                abort();
        }
        if (mcp_lab_expand(&b, template, values))
            abort();
        /* It may be three times as long, which may be too long; and what ends at a '-' cannot hold
         * one, which %2D is as well. */
        const char *first = mcp_lab_value(&v, "from");
        if (b.length <= LAB_URI_BYTES && !(first && strchr(first, '-'))) {
            if (mcp_lab_match(template, b.data, &again) != 1 || again.n != v.n)
                abort();
            for (size_t k = 0; k < v.n; k++)
                if (strcmp(again.value[k], v.value[k]) != 0)
                    abort();
            mcp_lab_values_free(&again);
        }
        if (mcp_lab_value(&v, "from") && mcp_lab_page(&v, LAB_ROWS_MOST, &from, &to) == 0 &&
            (from < 1 || to < from || to - from >= LAB_ROWS_MOST))
            abort();
        base_buffer_free(&b);
        mcp_lab_values_free(&v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mcp_lab *lab;
    const struct mcp_lab_options none = { .data = "tests/fuzz" };
    if (!lab && mcp_lab_open(&lab, &none))
        abort();
    const struct mcp_provider *p = mcp_lab_provider(lab);
    const char *end = size ? memchr(data, '\n', size) : NULL;
    size_t n = end ? (size_t)(end - (const char *)data) : size;
    char *uri = base_strndup((const char *)data, n);
    uint64_t stamp;
    round_trip(uri);
    p->stamp(p->context, uri, &stamp);
    json_t *o = NULL, *values = NULL;
    if (end && base_json_parse_wire(&o, end + 1, size - n - 1, 100, "input") == 0) {
        const char *argument = json_string_value(json_object_get(o, "argument"));
        const char *value = json_string_value(json_object_get(o, "value"));
        /* what needs no worker */
        if (argument && strcmp(argument, "column") != 0 && strcmp(argument, "task") != 0)
            p->complete(p->context, json_object_get(o, "ref"), argument, value ? value : "",
                        json_object_get(o, "others"), &values);
    }
    json_decref(values);
    json_decref(o);
    base_free(uri);
    return 0;
}
