/* Header values; see http_value.h. Grammars: RFC 9110 (fields), RFC 3986 (authority), RFC 4648
 * (base64), RFC 6454 (origin). */
#include "mcp/http_value.h"
#include "base/memory.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MOST 32 /* of properties inside properties with fields of their own */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

char *http_value_trim(const char *value)
{
    while (is_blank(*value))
        value++;
    size_t n = strlen(value);
    while (n && is_blank(value[n - 1]))
        n--;
    return base_strndup(value, n);
}

/* ---- media types ---- */

/* A run of bytes inside a value. */
struct span {
    const char *at;
    size_t n;
};

static struct span trim(struct span s)
{
    while (s.n && is_blank(*s.at)) {
        s.at++;
        s.n--;
    }
    while (s.n && is_blank(s.at[s.n - 1]))
        s.n--;
    return s;
}

/* Takes what is before the next `separator` outside of quotes off `rest`; false at the end. */
static bool next_part(struct span *rest, char separator, struct span *part)
{
    if (!rest->at)
        return false;
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->n && (quoted || rest->at[i] != separator); i++) {
        if (rest->at[i] == '"')
            quoted = !quoted;
        else if (quoted && rest->at[i] == '\\' && i + 1 < rest->n)
            i++;
    }
    *part = trim((struct span){ rest->at, i });
    if (i < rest->n)
        *rest = (struct span){ rest->at + i + 1, rest->n - i - 1 };
    else
        *rest = (struct span){ NULL, 0 };
    return true;
}

static bool is(struct span s, const char *text)
{
    return s.n == strlen(text) && strncasecmp(s.at, text, s.n) == 0;
}

/* The value of parameter `name` in "; a=b; c=d". */
static bool parameter(struct span rest, const char *name, struct span *value)
{
    struct span part;
    while (next_part(&rest, ';', &part)) {
        const char *equals = part.n ? memchr(part.at, '=', part.n) : NULL;
        size_t n = equals ? (size_t)(equals - part.at) : 0;
        if (!equals || !is(trim((struct span){ part.at, n }), name))
            continue;
        *value = trim((struct span){ equals + 1, part.n - n - 1 });
        if (value->n >= 2 && *value->at == '"' && value->at[value->n - 1] == '"')
            *value = (struct span){ value->at + 1, value->n - 2 };
        return true;
    }
    return false;
}

/* q=0, q=0.0 ...: all zeros. */
static bool is_refused(struct span parameters)
{
    struct span q;
    if (!parameter(parameters, "q", &q) || !q.n || *q.at != '0')
        return false;
    for (size_t i = 1; i < q.n; i++)
        if (q.at[i] != '0' && q.at[i] != '.')
            return false;
    return true;
}

bool http_accepts(const char *accept, const char *type, const char *subtype)
{
    if (!accept)
        return true;
    struct span rest = { accept, strlen(accept) }, range;
    int best = 0; /* 1 any, 2 the type, 3 the very one */
    bool taken = false;
    while (next_part(&rest, ',', &range)) {
        struct span media, left = range;
        if (!next_part(&left, ';', &media))
            continue;
        const char *slash = media.n ? memchr(media.at, '/', media.n) : NULL;
        if (!slash)
            continue;
        size_t n = (size_t)(slash - media.at);
        struct span first = { media.at, n }, second = { slash + 1, media.n - n - 1 };
        int match = is(first, "*") && is(second, "*")        ? 1
                    : is(first, type) && is(second, "*")     ? 2
                    : is(first, type) && is(second, subtype) ? 3
                                                             : 0;
        if (match < best || !match)
            continue;
        bool yes = !is_refused(left);
        taken = match == best ? taken || yes : yes;
        best = match;
    }
    return taken;
}

bool http_is_json(const char *content_type)
{
    if (!content_type)
        return false;
    struct span rest = { content_type, strlen(content_type) }, media, charset;
    return next_part(&rest, ';', &media) && is(media, "application/json") &&
           (!parameter(rest, "charset", &charset) || is(charset, "utf-8"));
}

/* ---- where ---- */

static bool parse_port(const char *text, int *port)
{
    int value = 0;
    size_t n = 0;
    for (; text[n] >= '0' && text[n] <= '9' && n < 5; n++)
        value = value * 10 + (text[n] - '0');
    *port = value;
    return n > 0 && !text[n] && value <= 65535;
}

bool http_authority_parse(const char *text, struct http_authority *out)
{
    const char *from = text, *end;
    *out = (struct http_authority){ .port = -1 };
    if (*text == '[') {
        from++;
        end = strchr(from, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
    } else {
        end = text + strcspn(text, ":");
    }
    size_t n = (size_t)(end - from);
    if (!n || n >= sizeof out->host)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = from[i];
        bool name = isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_';
        if (*text == '[' ? !isxdigit((unsigned char)c) && c != ':' && c != '.' : !name)
            return false;
        out->host[i] = (char)tolower((unsigned char)c);
    }
    out->host[n] = 0;
    unsigned char address[16];
    if (*text == '[') {
        if (inet_pton(AF_INET6, out->host, address) != 1)
            return false;
        end++;
    } else if (n > 1 && out->host[n - 1] == '.') {
        out->host[n - 1] = 0;
    }
    return !*end || parse_port(end + 1, &out->port);
}

bool http_host_is_loopback(const char *host)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const unsigned char one[16] = { [15] = 1 };
    unsigned char a[16];
    if (strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, a) == 1)
        return a[0] == 127;
    if (inet_pton(AF_INET6, host, a) != 1)
        return false;
    return memcmp(a, one, 16) == 0 || (memcmp(a, mapped, 12) == 0 && a[12] == 127);
}

bool http_origin_parse(const char *text, struct http_origin *out)
{
    *out = (struct http_origin){ .tls = strncasecmp(text, "https://", 8) == 0 };
    if (!out->tls && strncasecmp(text, "http://", 7) != 0)
        return false;
    if (!http_authority_parse(text + (out->tls ? 8 : 7), &out->at))
        return false;
    if (out->at.port < 0)
        out->at.port = out->tls ? 443 : 80;
    return true;
}

bool http_origin_equal(const struct http_origin *a, const struct http_origin *b)
{
    return a->tls == b->tls && a->at.port == b->at.port && strcmp(a->at.host, b->at.host) == 0;
}

/* ---- tokens ---- */

const char *http_bearer(const char *authorization)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    const char *token = authorization + 7;
    while (*token == ' ')
        token++;
    return *token ? token : NULL;
}

bool http_equal_constant_time(const void *a, const void *b, size_t n)
{
    const volatile unsigned char *x = a, *y = b;
    unsigned char differs = 0;
    for (size_t i = 0; i < n; i++)
        differs |= x[i] ^ y[i];
    return !differs;
}

/* ---- values that mirror the body ---- */

static int digit_of(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* n bytes of base64 with its padding, canonical: the bits that belong to no byte are zero. false:
 * it is none. out has room for n / 4 * 3. */
static bool base64_decode(const char *text, size_t n, char *out, size_t *bytes)
{
    *bytes = 0;
    if (n % 4)
        return false;
    for (size_t i = 0; i < n; i += 4) {
        unsigned pad = 0;
        uint32_t word = 0;
        for (size_t k = 0; k < 4; k++) {
            char c = text[i + k];
            int digit = digit_of(c);
            if (c == '=' && i + 4 == n && k >= 2)
                pad++;
            else if (digit < 0 || pad)
                return false;
            word = word << 6 | (uint32_t)(digit < 0 ? 0 : digit);
        }
        if ((pad == 1 && word & 0xff) || (pad == 2 && word & 0xffff))
            return false;
        for (unsigned k = 0; k < 3 - pad; k++)
            out[(*bytes)++] = (char)(word >> (16 - 8 * k));
    }
    return true;
}

int http_value_decode(const char *value, char **out, size_t *bytes)
{
    static const char open[] = "=?base64?", close[] = "?=";
    size_t n = strlen(value), head = sizeof open - 1, tail = sizeof close - 1;
    bool wrapped = n >= head + tail && memcmp(value, open, head) == 0 &&
                   memcmp(value + n - tail, close, tail) == 0;
    *out = NULL;
    *bytes = n;
    if (!wrapped) {
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)value[i] < ' ' || (unsigned char)value[i] > '~')
                return 1;
        *out = base_strndup(value, n);
        return *out ? 0 : BASE_E_MEMORY;
    }
    *out = base_alloc(n, 1);
    if (!*out)
        return BASE_E_MEMORY;
    if (!base64_decode(value + head, n - head - tail, *out, bytes) ||
        base_utf8_invalid(*out, *bytes) != *bytes) {
        base_free(*out);
        *out = NULL;
        return 1;
    }
    (*out)[*bytes] = 0;
    return 0;
}

/* A JSON number and nothing else. */
static json_t *number_of(const char *text, size_t bytes)
{
    if (!bytes || bytes > 64 || !(isdigit((unsigned char)*text) || *text == '-') ||
        !isdigit((unsigned char)text[bytes - 1]))
        return NULL;
    return json_loadb(text, bytes, JSON_DECODE_ANY, NULL);
}

bool http_value_equals(const char *decoded, size_t bytes, const json_t *value)
{
    if (json_is_string(value))
        return bytes == json_string_length(value) &&
               memcmp(decoded, json_string_value(value), bytes) == 0;
    if (json_is_boolean(value)) {
        const char *name = json_is_true(value) ? "true" : "false";
        return bytes == strlen(name) && memcmp(decoded, name, bytes) == 0;
    }
    if (!json_is_number(value))
        return false;
    json_t *number = number_of(decoded, bytes);
    bool equal = json_is_integer(number) && json_is_integer(value)
                     ? json_integer_value(number) == json_integer_value(value)
                     : json_is_number(number) &&
                           !(json_number_value(number) < json_number_value(value)) &&
                           !(json_number_value(number) > json_number_value(value));
    json_decref(number);
    return equal;
}

bool http_event_id_parse(const char *text, uint64_t *stream, uint64_t *event)
{
    uint64_t *to[2] = { stream, event };
    for (int part = 0; part < 2; part++) {
        size_t n = strspn(text, "0123456789");
        if (!n || n > 18 || (n > 1 && *text == '0'))
            return false;
        *to[part] = strtoull(text, NULL, 10);
        text += n;
        if (part == 0 && *text++ != '-')
            return false;
    }
    return !*text;
}

/* Whether x-mcp-header may stand on this property, and its name. */
static const char *header_of(const json_t *property)
{
    const char *name = json_string_value(json_object_get(property, "x-mcp-header"));
    const char *type = json_string_value(json_object_get(property, "type"));
    if (!name || !*name || !type)
        return NULL;
    bool fits =
        strcmp(type, "string") == 0 || strcmp(type, "integer") == 0 || strcmp(type, "boolean") == 0;
    for (const char *c = name; *c && fits; c++)
        fits = isalnum((unsigned char)*c) || strchr("!#$%&'*+-.^_`|~", *c);
    return fits ? name : NULL;
}

static int check_one(const char *header, const json_t *value, const struct http_param *params,
                     size_t n, char problem[200])
{
    const char *field = NULL;
    unsigned times = 0;
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(params[i].name, header) == 0) {
            field = params[i].value;
            times++;
        }
    bool expected = value && !json_is_null(value);
    if (!expected && !times)
        return 0;
    if (times != 1 || !expected) {
        snprintf(problem, 200, "Mcp-Param-%.60s: %s", header,
                 times > 1 ? "it is given more than once"
                 : times   ? "the body has no such argument"
                           : "it is missing, and the body has the argument");
        return 1;
    }
    char *decoded = NULL;
    size_t bytes = 0;
    int rc = http_value_decode(field, &decoded, &bytes);
    if (rc == 1 || (!rc && !http_value_equals(decoded, bytes, value))) {
        snprintf(problem, 200, "Mcp-Param-%.60s: %s", header,
                 rc ? "it is no such value" : "it differs from the body");
        rc = 1;
    }
    base_free(decoded);
    return rc;
}

static int check_properties(const json_t *schema, const json_t *arguments,
                            const struct http_param *params, size_t n, unsigned depth,
                            char problem[200])
{
    const char *key;
    json_t *property;
    const json_t *properties = json_object_get(schema, "properties");
    if (!json_is_object(properties) || depth > DEPTH_MOST)
        return 0;
    json_object_foreach((json_t *)(uintptr_t)properties, key, property)
    {
        const json_t *value = json_object_get(arguments, key);
        const char *header = header_of(property);
        int rc = header ? check_one(header, value, params, n, problem) : 0;
        if (!rc)
            rc = check_properties(property, value, params, n, depth + 1, problem);
        if (rc)
            return rc;
    }
    return 0;
}

int http_params_check(const json_t *schema, const json_t *arguments,
                      const struct http_param *params, size_t n, char problem[200])
{
    return check_properties(schema, arguments, params, n, 0, problem);
}
