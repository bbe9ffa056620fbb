/* JSON through jansson. What this adds: strictness, messages with file, line and place, allocation
 * through base/memory.h, typed look-ups.
 *
 * Limits: nesting 2048 (jansson's), integers of 64 bits (longer ones become reals), doubles in
 * range, no NUL in object keys (in string values they are fine). */
#include "base/json.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <string.h>

/* jansson reports a failed allocation as whatever it was reading at the time, and version 2.14
 * leaves an object's table corrupt when growing it fails: so tests do not make it fail. */
static _Thread_local bool memory_ran_out;

static void *json_allocate(size_t bytes)
{
    void *p = base_alloc_steady(bytes);
    memory_ran_out |= !p;
    return p;
}

/* Before main, so that no value is made by one allocator and freed by another. */
__attribute__((constructor)) static void json_hooks_install(void)
{
    json_set_alloc_funcs(json_allocate, base_free);
}

/* Copies text with ".0" behind every integer beyond 64 bits. JSON has no limit there, and files in
 * use hold such numbers (Hugging Face's tokenizer_config.json writes int(1e30) for "no limit"); as
 * reals they keep 53 bits, which is what most readers make of them. */
static int widen_integers(const char *text, size_t bytes, struct base_buffer *b)
{
    bool in_string = false;
    for (size_t i = 0; i < bytes;) {
        size_t from = i;
        bool digits = !in_string && text[i] >= '0' && text[i] <= '9';
        if (digits) {
            while (i < bytes && text[i] >= '0' && text[i] <= '9') {
                i++;
            }
        } else if (in_string && text[i] == '\\' && i + 1 < bytes) {
            i += 2;
        } else {
            in_string ^= text[i] == '"';
            i++;
        }
        bool integer = digits && (from == 0 || !strchr(".eE+", text[from - 1])) &&
                       (i == bytes || !strchr(".eE", text[i]));
        int rc = base_buffer_append(b, text + from, i - from);
        if (rc == 0 && integer && i - from >= 19) {
            rc = base_buffer_puts(b, ".0");
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}

int base_json_parse(json_t **out, const char *text, size_t bytes, const char *name)
{
    json_error_t error;
    /* JSON has no place for a raw NUL, and jansson overlooks one after a number. */
    const char *nul = bytes ? memchr(text, 0, bytes) : NULL;
    if (nul) {
        int line = 1, column = 0;
        for (const char *p = text; p < nul; p++) {
            line += *p == '\n';
            column = *p == '\n' ? 0 : column + 1;
        }
        return base_error_set(BASE_E_FORMAT, "%s:%d:%d: not valid JSON: NUL byte", name, line,
                              column + 1);
    }
    memory_ran_out = false;
    /* jansson takes NULL for a programming error; an empty map has a NULL pointer. */
    json_t *value = json_loadb(text ? text : "", bytes,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value && json_error_code(&error) == json_error_numeric_overflow) {
        struct base_buffer wide = { 0 };
        json_error_t first = error;
        if (widen_integers(text, bytes, &wide) == 0) {
            value = json_loadb(wide.data, wide.length,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        }
        base_buffer_free(&wide);
        if (!value && json_error_code(&error) == json_error_numeric_overflow) {
            error = first; /* its place is in the text as given */
        }
    }
    if (memory_ran_out) { /* even when there is a value: jansson can lose a key then */
        json_decref(value);
        return base_error_set(BASE_E_MEMORY, "%s: out of memory while reading JSON", name);
    }
    if (!value) {
        return base_error_set(BASE_E_FORMAT, "%s:%d:%d: not valid JSON: %s", name,
                              error.line > 0 ? error.line : 1, error.column, error.text);
    }
    *out = value;
    return 0;
}

int base_json_load(json_t **out, const char *path)
{
    char *text;
    size_t bytes;
    int rc = base_file_read(path, 0, &text, &bytes);
    if (rc) {
        return rc;
    }
    rc = base_json_parse(out, text, bytes, path);
    base_free(text);
    return rc;
}

json_t *base_json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *base_json_text(const char *bytes, size_t n)
{
    if (base_utf8_invalid(bytes, n) == n) {
        return json_stringn_nocheck(bytes, n);
    }
    size_t length;
    char *repaired = base_utf8_repair(bytes, n, &length);
    json_t *value = repaired ? json_stringn_nocheck(repaired, length) : NULL;
    base_free(repaired);
    return value;
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = { "an object", "an array", "a string", "an integer",
                                         "a real",    "true",     "false",    "null" };
    return names[json_typeof(value)];
}

/* The value of key: *found NULL when missing (or null) and not required. */
static int look_up(const json_t *object, const char *key, const char *where, bool required,
                   json_t **found)
{
    *found = NULL;
    if (!json_is_object(object)) {
        return base_error_set(BASE_E_FORMAT, "%s: expected an object with \"%s\", got %s", where,
                              key, object ? type_name(object) : "nothing");
    }
    json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value)) {
        return required ? base_error_set(BASE_E_FORMAT, "%s: %s: missing", where, key) : 0;
    }
    *found = value;
    return 0;
}

static int wrong_type(const char *where, const char *key, const char *expected, const json_t *value)
{
    return base_error_set(BASE_E_FORMAT, "%s: %s: expected %s, got %s", where, key, expected,
                          type_name(value));
}

int base_json_get_int(const json_t *object, const char *key, const char *where, bool required,
                      int64_t *out)
{
    json_t *value;
    int rc = look_up(object, key, where, required, &value);
    if (rc || !value) {
        return rc;
    }
    if (!json_is_integer(value)) {
        return wrong_type(where, key, "an integer", value);
    }
    *out = json_integer_value(value);
    return 0;
}

int base_json_get_double(const json_t *object, const char *key, const char *where, bool required,
                         double *out)
{
    json_t *value;
    int rc = look_up(object, key, where, required, &value);
    if (rc || !value) {
        return rc;
    }
    if (!json_is_number(value)) {
        return wrong_type(where, key, "a number", value);
    }
    *out = json_number_value(value);
    return 0;
}

int base_json_get_bool(const json_t *object, const char *key, const char *where, bool required,
                       bool *out)
{
    json_t *value;
    int rc = look_up(object, key, where, required, &value);
    if (rc || !value) {
        return rc;
    }
    if (!json_is_boolean(value)) {
        return wrong_type(where, key, "true or false", value);
    }
    *out = json_is_true(value);
    return 0;
}

int base_json_get_string(const json_t *object, const char *key, const char *where, bool required,
                         const char **out)
{
    json_t *value;
    int rc = look_up(object, key, where, required, &value);
    if (rc || !value) {
        return rc;
    }
    if (!json_is_string(value)) {
        return wrong_type(where, key, "a string", value);
    }
    *out = json_string_value(value);
    return 0;
}
