/* JSON and YAML through jansson and libyaml; both become json_t values. Strict: duplicate keys, bad
 * UTF-8 and depth beyond the limit are errors with file and line. */
#ifndef BASE_JSON_H
#define BASE_JSON_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* name is used in messages only. The caller owns *out (json_decref). */
int base_json_parse(json_t **out, const char *text, size_t bytes, const char *name);
int base_json_load(json_t **out, const char *path); /* "-" is standard input */
/* What RFC 8259's grammar accepts, and nothing else: for protocols and other texts that programs
 * wrote. Unlike base_json_parse it reads duplicate keys (the last counts) and NUL in keys and
 * strings. Integers beyond 64 bits become reals; a number beyond a double is BASE_E_FORMAT, nesting
 * beyond `depth` (0 = 512) BASE_E_LIMIT. A byte order mark is refused. */
int base_json_parse_wire(json_t **out, const char *text, size_t bytes, unsigned depth,
                         const char *name);
/* Text in one line or indented, keys in insertion order, doubles with as few digits as read back to
 * them; new string (base_free), NULL without memory. Non-finite numbers cannot be in a json_t: see
 * base_json_number. */
char *base_json_dump(const json_t *value, bool indented);
/* The same without a blank: for wires and logs. */
char *base_json_compact(const json_t *value);
/* A finite double with as few digits as read back to it: "42", "0.1", "1e+22". Returns out. */
#define BASE_DOUBLE_TEXT 32
char *base_double_text(double x, char out[BASE_DOUBLE_TEXT]);
/* A JSON real, or null when x is NaN or infinite. New reference. */
json_t *base_json_number(double x);
/* A string from bytes that may not be valid UTF-8: bad bytes become U+FFFD. New reference. */
json_t *base_json_text(const char *bytes, size_t n);

/* Typed look-ups in an object. `where` names the file for messages. A missing key leaves *out
 * untouched and returns 0 (set the default before); with required = true it is BASE_E_FORMAT.
 * A key of the wrong type is always BASE_E_FORMAT: "config.json: n_layer: expected an integer, got
 * string". JSON null counts as missing. */
int base_json_get_int(const json_t *object, const char *key, const char *where, bool required,
                      int64_t *out);
int base_json_get_double(const json_t *object, const char *key, const char *where, bool required,
                         double *out);
int base_json_get_bool(const json_t *object, const char *key, const char *where, bool required,
                       bool *out);
int base_json_get_string(const json_t *object, const char *key, const char *where, bool required,
                         const char **out);

/* A YAML document (one, plain YAML 1.2 core scalars: null, true/false, ints, floats, strings;
 * anchors and merge keys resolved with a size limit; tags other than the core ones are an error
 * naming the line). */
int base_yaml_parse(json_t **out, const char *text, size_t bytes, const char *name);
int base_yaml_load(json_t **out, const char *path);
#endif
