/* YAML through libyaml's event stream, built straight into json_t values.
 *
 * Scalars follow the YAML 1.2 core schema (so 3e-4 is a number, yes and no are strings). Aliases
 * are copied, not shared, and every value counts towards MAX_VALUES: a document that multiplies
 * itself by aliases is refused instead of filling the memory. An anchor is known from its node's
 * end on, so a value cannot contain itself. Merge keys (<<) take what the mapping itself does not
 * give. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 128, MAX_VALUES = 1000000 };

struct yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current event; owned while have_event */
    bool have_event;
    const char *name;
    json_t *anchors; /* name -> value */
    size_t values;   /* made so far */
};

static int fail_at(struct yaml_reader *r, const yaml_mark_t *mark, int code, const char *text)
{
    return base_error_set(code, "%s:%zu:%zu: %s", r->name, mark->line + 1, mark->column + 1, text);
}

static int fail_memory(struct yaml_reader *r)
{
    return base_error_set(BASE_E_MEMORY, "%s: out of memory while reading YAML", r->name);
}

/* Moves to the next event. */
static int next_event(struct yaml_reader *r)
{
    if (r->have_event) {
        yaml_event_delete(&r->event);
        r->have_event = false;
    }
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        if (r->parser.error == YAML_MEMORY_ERROR) {
            return fail_memory(r);
        }
        yaml_mark_t *mark = &r->parser.problem_mark;
        return base_error_set(
            BASE_E_FORMAT, "%s:%zu:%zu: not valid YAML: %s%s%s", r->name, mark->line + 1,
            mark->column + 1, r->parser.problem ? r->parser.problem : "bad text",
            r->parser.context ? " " : "", r->parser.context ? r->parser.context : "");
    }
    r->have_event = true;
    return 0;
}

static int count_values(struct yaml_reader *r, size_t n, const yaml_mark_t *mark)
{
    if (n > MAX_VALUES - r->values) {
        return fail_at(r, mark, BASE_E_LIMIT, "more than 1000000 values (do aliases multiply?)");
    }
    r->values += n;
    return 0;
}

static size_t size_of(const json_t *value)
{
    size_t n = 1, i;
    const char *key;
    json_t *child;
    if (json_is_array(value)) {
        json_array_foreach((json_t *)(uintptr_t)value, i, child)
        {
            n += size_of(child);
        }
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, child)
        {
            n += size_of(child);
        }
    }
    return n;
}

static bool one_of(const char *s, const char *a, const char *b, const char *c)
{
    return strcmp(s, a) == 0 || strcmp(s, b) == 0 || strcmp(s, c) == 0;
}

enum scalar_kind {
    SCALAR_NULL,
    SCALAR_BOOL,
    SCALAR_INT,
    SCALAR_FLOAT,
    SCALAR_INFINITE,
    SCALAR_STRING
};

static const char *skip_digits(const char *s)
{
    while (isdigit((unsigned char)*s)) {
        s++;
    }
    return s;
}

/* The core schema's kind of a plain scalar (YAML 1.2.2, section 10.3.2). */
static enum scalar_kind scalar_kind_of(const char *s, size_t n)
{
    if (strlen(s) != n) {
        return SCALAR_STRING; /* holds a NUL */
    }
    if (n == 0 || strcmp(s, "~") == 0 || one_of(s, "null", "Null", "NULL")) {
        return SCALAR_NULL;
    }
    if (one_of(s, "true", "True", "TRUE") || one_of(s, "false", "False", "FALSE")) {
        return SCALAR_BOOL;
    }
    if (s[0] == '0' && s[1] == 'o' && s[2]) {
        return s[2 + strspn(s + 2, "01234567")] ? SCALAR_STRING : SCALAR_INT;
    }
    if (s[0] == '0' && s[1] == 'x' && s[2]) {
        return s[2 + strspn(s + 2, "0123456789abcdefABCDEF")] ? SCALAR_STRING : SCALAR_INT;
    }
    if (one_of(s, ".nan", ".NaN", ".NAN")) {
        return SCALAR_INFINITE;
    }
    const char *p = s + (s[0] == '-' || s[0] == '+');
    if (one_of(p, ".inf", ".Inf", ".INF")) {
        return SCALAR_INFINITE;
    }
    const char *whole = p;
    p = skip_digits(p);
    bool digits = p > whole;
    if (digits && !*p) {
        return SCALAR_INT;
    }
    if (*p == '.') {
        const char *fraction = ++p;
        p = skip_digits(p);
        digits = digits || p > fraction;
    }
    if (!digits) {
        return SCALAR_STRING;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        const char *exponent = p;
        p = skip_digits(p);
        if (p == exponent) {
            return SCALAR_STRING;
        }
    }
    return *p ? SCALAR_STRING : SCALAR_FLOAT;
}

static int make_int(struct yaml_reader *r, const char *s, const yaml_mark_t *mark, json_t **out)
{
    errno = 0;
    bool octal = s[0] == '0' && s[1] == 'o', hex = s[0] == '0' && s[1] == 'x';
    long long value = strtoll(octal || hex ? s + 2 : s, NULL, octal ? 8 : hex ? 16 : 10);
    if (errno == ERANGE) {
        return fail_at(r, mark, BASE_E_FORMAT, "integer beyond 64 bits");
    }
    *out = json_integer(value);
    return *out ? 0 : fail_memory(r);
}

static int make_float(struct yaml_reader *r, const char *s, const yaml_mark_t *mark, json_t **out)
{
    double value = strtod(s, NULL);
    if (!isfinite(value)) {
        return fail_at(r, mark, BASE_E_FORMAT, "number beyond double range");
    }
    *out = json_real(value);
    return *out ? 0 : fail_memory(r);
}

static int read_scalar(struct yaml_reader *r, json_t **out)
{
    const yaml_mark_t mark = r->event.start_mark;
    const char *s = (const char *)r->event.data.scalar.value;
    size_t n = r->event.data.scalar.length;
    const char *tag = (const char *)r->event.data.scalar.tag;
    enum scalar_kind kind = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE
                                ? scalar_kind_of(s, n)
                                : SCALAR_STRING;
    if (tag && strcmp(tag, "!") == 0) {
        kind = SCALAR_STRING;
    } else if (tag) {
        enum scalar_kind natural = scalar_kind_of(s, n);
        bool fits;
        if (strcmp(tag, YAML_STR_TAG) == 0) {
            kind = SCALAR_STRING;
            fits = true;
        } else if (strcmp(tag, YAML_NULL_TAG) == 0) {
            kind = SCALAR_NULL;
            fits = natural == kind;
        } else if (strcmp(tag, YAML_BOOL_TAG) == 0) {
            kind = SCALAR_BOOL;
            fits = natural == kind;
        } else if (strcmp(tag, YAML_INT_TAG) == 0) {
            kind = SCALAR_INT;
            fits = natural == kind;
        } else if (strcmp(tag, YAML_FLOAT_TAG) == 0) {
            kind = natural == SCALAR_INFINITE ? SCALAR_INFINITE : SCALAR_FLOAT;
            fits = natural == kind || natural == SCALAR_INT;
        } else {
            return base_error_set(BASE_E_UNSUPPORTED,
                                  "%s:%zu:%zu: tag %s is not one of YAML's core schema", r->name,
                                  mark.line + 1, mark.column + 1, tag);
        }
        if (!fits) {
            return base_error_set(BASE_E_FORMAT, "%s:%zu:%zu: \"%s\" does not fit its tag %s",
                                  r->name, mark.line + 1, mark.column + 1, s, tag);
        }
    }
    switch (kind) {
    case SCALAR_NULL:
        *out = json_null();
        return 0;
    case SCALAR_BOOL:
        *out = json_boolean(tolower((unsigned char)s[0]) == 't');
        return 0;
    case SCALAR_INT:
        return make_int(r, s, &mark, out);
    case SCALAR_FLOAT:
        return make_float(r, s, &mark, out);
    case SCALAR_INFINITE:
        return fail_at(r, &mark, BASE_E_FORMAT, "infinity and NaN cannot be used");
    case SCALAR_STRING:
        break;
    }
    *out = json_stringn(s, n);
    return *out ? 0 : fail_at(r, &mark, BASE_E_FORMAT, "string is not valid UTF-8");
}

static int check_collection_tag(struct yaml_reader *r, const char *tag, const char *expected)
{
    if (tag && strcmp(tag, "!") != 0 && strcmp(tag, expected) != 0) {
        const yaml_mark_t *mark = &r->event.start_mark;
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s:%zu:%zu: tag %s is not one of YAML's core schema", r->name,
                              mark->line + 1, mark->column + 1, tag);
    }
    return 0;
}

static int read_value(struct yaml_reader *r, int depth, json_t **out);

static int read_sequence(struct yaml_reader *r, int depth, json_t **out)
{
    json_t *array = json_array();
    int rc = array ? next_event(r) : fail_memory(r);
    while (!rc && r->event.type != YAML_SEQUENCE_END_EVENT) {
        json_t *item = NULL;
        rc = read_value(r, depth + 1, &item);
        if (!rc && json_array_append_new(array, item)) {
            rc = fail_memory(r);
        }
        if (!rc) {
            rc = next_event(r);
        }
    }
    if (rc) {
        json_decref(array);
        return rc;
    }
    *out = array;
    return 0;
}

/* Adds to object the members of merged (a mapping, or a sequence of mappings: earlier ones win)
 * that it lacks. */
static int merge(struct yaml_reader *r, json_t *object, const json_t *merged,
                 const yaml_mark_t *mark)
{
    if (json_is_array(merged)) {
        size_t i;
        json_t *one;
        int rc = 0;
        json_array_foreach((json_t *)(uintptr_t)merged, i, one)
        {
            rc = rc                    ? rc
                 : json_is_object(one) ? merge(r, object, one, mark)
                                       : fail_at(r, mark, BASE_E_FORMAT, "<< takes mappings only");
        }
        return rc;
    }
    if (!json_is_object(merged)) {
        return fail_at(r, mark, BASE_E_FORMAT, "<< takes a mapping or a list of mappings");
    }
    return json_object_update_missing(object, (json_t *)(uintptr_t)merged) ? fail_memory(r) : 0;
}

static int read_mapping(struct yaml_reader *r, int depth, json_t **out)
{
    json_t *object = json_object(), *merges = NULL, *value = NULL;
    char *key = NULL;
    yaml_mark_t merge_mark = r->event.start_mark;
    int rc = object ? next_event(r) : fail_memory(r);
    while (!rc && r->event.type != YAML_MAPPING_END_EVENT) {
        const yaml_mark_t mark = r->event.start_mark;
        if (r->event.type != YAML_SCALAR_EVENT || r->event.data.scalar.anchor) {
            rc = fail_at(r, &mark, BASE_E_UNSUPPORTED, "a mapping's key must be a plain scalar");
            break;
        }
        size_t n = r->event.data.scalar.length;
        bool is_merge = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && n == 2 &&
                        memcmp(r->event.data.scalar.value, "<<", 2) == 0;
        key = base_strndup((const char *)r->event.data.scalar.value, n);
        if (!key) {
            rc = BASE_E_MEMORY;
            break;
        }
        if (strlen(key) != n) {
            rc = fail_at(r, &mark, BASE_E_FORMAT, "a key holds a NUL character");
            break;
        }
        if (is_merge ? merges != NULL : json_object_get(object, key) != NULL) {
            rc = base_error_set(BASE_E_FORMAT, "%s:%zu:%zu: key \"%s\" is given twice", r->name,
                                mark.line + 1, mark.column + 1, key);
            break;
        }
        rc = next_event(r);
        rc = rc ? rc : read_value(r, depth + 1, &value);
        if (rc) {
            break;
        }
        if (is_merge) {
            merges = value;
            merge_mark = mark;
        } else if (json_object_set_new(object, key, value)) {
            value = NULL;
            rc = fail_memory(r);
            break;
        }
        value = NULL;
        base_free(key);
        key = NULL;
        rc = next_event(r);
    }
    if (!rc && merges) {
        rc = merge(r, object, merges, &merge_mark);
    }
    base_free(key);
    json_decref(value);
    json_decref(merges);
    if (rc) {
        json_decref(object);
        return rc;
    }
    *out = object;
    return 0;
}

/* The value that begins at the current event; leaves its last event current. */
static int read_value(struct yaml_reader *r, int depth, json_t **out)
{
    const yaml_mark_t mark = r->event.start_mark;
    if (depth > MAX_DEPTH) {
        return fail_at(r, &mark, BASE_E_LIMIT, "nested deeper than 128 levels");
    }
    int rc = count_values(r, 1, &mark);
    if (rc) {
        return rc;
    }
    if (r->event.type == YAML_ALIAS_EVENT) {
        json_t *known = json_object_get(r->anchors, (const char *)r->event.data.alias.anchor);
        if (!known) {
            return base_error_set(BASE_E_FORMAT, "%s:%zu:%zu: alias *%s has no anchor before it",
                                  r->name, mark.line + 1, mark.column + 1,
                                  (const char *)r->event.data.alias.anchor);
        }
        rc = count_values(r, size_of(known), &mark);
        if (rc) {
            return rc;
        }
        *out = json_deep_copy(known);
        return *out ? 0 : fail_memory(r);
    }
    char *anchor = NULL;
    const yaml_char_t *named = NULL;
    json_t *value = NULL;
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        named = r->event.data.scalar.anchor;
        break;
    case YAML_SEQUENCE_START_EVENT:
        named = r->event.data.sequence_start.anchor;
        rc = check_collection_tag(r, (const char *)r->event.data.sequence_start.tag, YAML_SEQ_TAG);
        break;
    case YAML_MAPPING_START_EVENT:
        named = r->event.data.mapping_start.anchor;
        rc = check_collection_tag(r, (const char *)r->event.data.mapping_start.tag, YAML_MAP_TAG);
        break;
    default:
        rc = fail_at(r, &mark, BASE_E_FORMAT, "expected a value");
        break;
    }
    if (rc) {
        return rc;
    }
    if (named) {
        anchor = base_strdup((const char *)named);
        if (!anchor) {
            return BASE_E_MEMORY;
        }
    }
    rc = r->event.type == YAML_SCALAR_EVENT           ? read_scalar(r, &value)
         : r->event.type == YAML_SEQUENCE_START_EVENT ? read_sequence(r, depth, &value)
                                                      : read_mapping(r, depth, &value);
    if (!rc && anchor) {
        /* A copy, so that a later merge into the value cannot change what the anchor means. */
        json_t *copy = json_deep_copy(value);
        if (!copy || json_object_set_new(r->anchors, anchor, copy)) {
            rc = fail_memory(r);
        } else {
            rc = count_values(r, size_of(value), &mark);
        }
    }
    base_free(anchor);
    if (rc) {
        json_decref(value);
        return rc;
    }
    *out = value;
    return 0;
}

int base_yaml_parse(json_t **out, const char *text, size_t bytes, const char *name)
{
    struct yaml_reader r = { .name = name };
    json_t *value = NULL;
    int rc = 0;
    if (!yaml_parser_initialize(&r.parser)) {
        return base_error_set(BASE_E_MEMORY, "%s: out of memory while reading YAML", name);
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text ? text : ""), bytes);
    r.anchors = json_object();
    if (!r.anchors) {
        rc = fail_memory(&r);
        goto out;
    }
    rc = next_event(&r); /* stream start */
    rc = rc ? rc : next_event(&r);
    if (!rc && r.event.type == YAML_STREAM_END_EVENT) {
        value = json_null(); /* an empty file */
        goto out;
    }
    rc = rc ? rc : next_event(&r); /* past document start */
    rc = rc ? rc : read_value(&r, 0, &value);
    rc = rc ? rc : next_event(&r); /* document end */
    rc = rc ? rc : next_event(&r);
    if (!rc && r.event.type != YAML_STREAM_END_EVENT) {
        rc =
            fail_at(&r, &r.event.start_mark, BASE_E_FORMAT, "expected one document, found another");
    }
out:
    if (r.have_event) {
        yaml_event_delete(&r.event);
    }
    yaml_parser_delete(&r.parser);
    json_decref(r.anchors);
    if (rc) {
        json_decref(value);
        return rc;
    }
    *out = value;
    return 0;
}

int base_yaml_load(json_t **out, const char *path)
{
    char *text;
    size_t bytes;
    int rc = base_file_read(path, 0, &text, &bytes);
    if (rc) {
        return rc;
    }
    rc = base_yaml_parse(out, text, bytes, path);
    base_free(text);
    return rc;
}
