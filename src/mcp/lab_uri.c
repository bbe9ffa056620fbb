/* Addresses of the laboratory's resources.
 *
 * One table of templates (lab.c) says what there is, is listed to clients, and takes addresses
 * apart. So an address is understood exactly where it is offered. What comes out of an address is a
 * value, not yet a path: lab_data.c opens names below one directory with openat2, lab_database.c
 * and lab_store.c look them up among what is there. */
#include "base/memory.h"
#include "base/text.h"
#include "mcp/lab.h"
#include "model/http.h"
#include <string.h>

/* What may stand for itself in a part of a path (pchar of RFC 3986): more than an expansion leaves
 * as it is, since clients have their own ideas of what must be encoded. */
static bool stands(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~!$&'()*+,;=:@", c));
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool mcp_lab_addressable(const char *name, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return false;
    return bytes && bytes <= LAB_NAME_BYTES && base_utf8_invalid(name, bytes) == bytes;
}

/* n bytes of an address as the text they stand for: 1, 0 when they stand for none that may be, or
 * negative. */
static int decode(const char *s, size_t n, char **out)
{
    char *text = base_alloc(n + 1, 1);
    if (!text)
        return BASE_E_MEMORY;
    size_t length = 0;
    bool good = true;
    for (size_t i = 0; good && i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '%') {
            int high = i + 2 < n ? hex(s[i + 1]) : -1, low = i + 2 < n ? hex(s[i + 2]) : -1;
            good = high >= 0 && low >= 0;
            c = (unsigned char)(good ? 16 * high + low : 0);
            i += 2;
        } else {
            good = stands(c);
        }
        text[length++] = (char)c;
    }
    text[length] = 0;
    if (!good || !mcp_lab_addressable(text, length)) {
        base_free(text);
        return 0;
    }
    *out = text;
    return 1;
}

/* The length of the variable's bytes that begin at s, when `stop` (0 = the end) follows it. */
static size_t variable_bytes(const char *s, char stop)
{
    size_t n = 0;
    while (s[n] && (!stop || s[n] != stop) && (stands((unsigned char)s[n]) || s[n] == '%'))
        n++;
    return n;
}

int mcp_lab_match(const char *template, const char *uri, struct lab_values *out)
{
    *out = (struct lab_values){ 0 };
    int rc = strnlen(uri, LAB_URI_BYTES + 1) <= LAB_URI_BYTES;
    while (rc > 0 && *template) {
        if (*template != '{') {
            rc = *template == *uri;
            template += 1;
            uri += rc;
            continue;
        }
        size_t name = strcspn(template, "}") - 1;
        size_t n = variable_bytes(uri, template[name + 2]);
        if (out->n == LAB_VARIABLES || name >= sizeof out->name[0]) {
            rc = base_error_set(BASE_E_LIMIT, "%s: more variables than fit", template);
            break;
        }
        rc = decode(uri, n, &out->value[out->n]);
        if (rc > 0) {
            memcpy(out->name[out->n], template + 1, name);
            out->name[out->n++][name] = 0;
        }
        template += name + 2;
        uri += n;
    }
    if (rc > 0)
        rc = *uri == 0;
    if (rc <= 0)
        mcp_lab_values_free(out);
    return rc;
}

void mcp_lab_values_free(struct lab_values *v)
{
    for (size_t i = 0; i < v->n; i++)
        base_free(v->value[i]);
    *v = (struct lab_values){ 0 };
}

const char *mcp_lab_value(const struct lab_values *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->name[i], name) == 0)
            return v->value[i];
    return NULL;
}

int mcp_lab_expand(struct base_buffer *out, const char *template, const char *const *values)
{
    int rc = 0;
    while (*template && !rc) {
        if (*template == '{') {
            template += strcspn(template, "}") + 1;
            rc = model_http_escape(out, *values++, false);
        } else {
            rc = base_buffer_append(out, template ++, 1);
        }
    }
    return rc;
}

char *mcp_lab_uri(const char *template, const char *a, const char *b)
{
    const char *const values[] = { a, b };
    struct base_buffer out = { 0 };
    if (mcp_lab_expand(&out, template, values)) {
        base_buffer_free(&out);
        return NULL;
    }
    return base_buffer_take(&out);
}

int mcp_lab_page(const struct lab_values *v, uint64_t most, uint64_t *from, uint64_t *to)
{
    const char *a = mcp_lab_value(v, "from"), *b = mcp_lab_value(v, "to");
    int64_t first = 0, last = 0;
    if (base_parse_int(a ? a : "", "from", 1, INT64_MAX / 2, &first) ||
        base_parse_int(b ? b : "", "to", 1, INT64_MAX / 2, &last))
        return base_error_prefix(BASE_E_ARGUMENT, "%.40s-%.40s", a ? a : "", b ? b : "");
    if (last < first || (uint64_t)(last - first) >= most)
        return base_error_set(BASE_E_ARGUMENT,
                              "%.40s-%.40s: expected FROM-TO, counted from 1, TO included, and at "
                              "most %llu of them",
                              a, b, (unsigned long long)most);
    *from = (uint64_t)first;
    *to = (uint64_t)last;
    return 0;
}
