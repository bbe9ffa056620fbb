/* Values of HTTP header fields: what they mean, and whether they are what they must be. Everything
 * here reads bytes from outside and keeps no state. A value is NUL-terminated, without the
 * white space around it (http_value_trim). */
#ifndef MCP_HTTP_VALUE_H
#define MCP_HTTP_VALUE_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies without spaces and tabs at both ends; new string (base_free), NULL: no memory. */
char *http_value_trim(const char *value);

/* Whether an Accept field (RFC 9110, 12.5.1) takes TYPE/SUBTYPE: of the ranges that match, the most
 * specific one decides, and q=0 says no. NULL (no such field) takes all. */
bool http_accepts(const char *accept, const char *type, const char *subtype);
/* Whether a Content-Type is application/json, in UTF-8 if it names a charset. */
bool http_is_json(const char *content_type);

#define HTTP_HOST_MOST 256
struct http_authority {
    char host[HTTP_HOST_MOST]; /* lower case, without brackets and without a dot at the end */
    int port;                  /* -1: none is given */
};
/* "name", "127.0.0.1:80", "[::1]:80". false: it is none. */
bool http_authority_parse(const char *text, struct http_authority *out);
/* localhost, 127.0.0.0/8, ::1 and 127.0.0.0/8 as IPv6. */
bool http_host_is_loopback(const char *host);
struct http_origin {
    bool tls;
    struct http_authority at; /* the port is always given: 80 and 443 where it was not */
};
/* "http://host[:port]" or https, and nothing behind. "null" is none. */
bool http_origin_parse(const char *text, struct http_origin *out);
bool http_origin_equal(const struct http_origin *a, const struct http_origin *b);

/* The token of "Bearer TOKEN", inside value; NULL: it is none. */
const char *http_bearer(const char *authorization);
/* Compares n bytes in a time that does not depend on them. */
bool http_equal_constant_time(const void *a, const void *b, size_t n);

/* What a Mcp-Name or Mcp-Param field stands for: the bytes of =?base64?...?= (canonical base64 of
 * UTF-8), any other value itself, which must be printable ASCII. *out is new (base_free); 1: it is
 * neither, negative: no memory. */
int http_value_decode(const char *value, char **out, size_t *bytes);
/* Whether a field stands for this JSON value: a string by its bytes, an integer or real by its
 * number, true and false by name. */
bool http_value_equals(const char *decoded, size_t bytes, const json_t *value);

/* "STREAM-EVENT", as the ids of events are written. */
bool http_event_id_parse(const char *text, uint64_t *stream, uint64_t *event);

/* Fields of a request that mirror arguments: "Mcp-Param-" left off, values trimmed. */
struct http_param {
    const char *name, *value;
};
/* Whether the fields agree with a tool's arguments as its input schema wants (x-mcp-header on
 * strings, integers and booleans that are reached by `properties` alone; elsewhere it says
 * nothing): 0 yes; 1 no, with why in `problem`; negative: no memory. arguments may be NULL. */
int http_params_check(const json_t *schema, const json_t *arguments,
                      const struct http_param *params, size_t n, char problem[200]);
#endif
