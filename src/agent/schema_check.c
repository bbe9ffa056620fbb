/* Checking an instance against a compiled schema; see include/assay/schema.h.
 *
 * One recursion over (schema, value). What "unevaluated" keywords need, which properties and items
 * have been evaluated, is a bit per property and item of the value, kept by each schema for itself
 * and handed up when it holds; schemas without such keywords anywhere do not pay for it. The
 * dynamic scope of $dynamicRef is the chain of resources that the recursion has entered. */
#include "agent/schema_private.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERRORS_MOST 32

/* A place in the instance; the chain leads to the root. */
struct place {
    const struct place *up;
    const char *key; /* NULL: an array's element */
    size_t index;
    int depth;
};
struct scope {
    const struct scope *up;
    const struct resource *resource;
};
/* Evaluated properties (in the object's order) or items. */
struct seen {
    size_t n;
    uint64_t few[2], *bits;
};

struct run {
    const struct agent_schema *s;
    json_t *errors;
    uint64_t steps;
    unsigned depth;
    int quiet;       /* inside anyOf, oneOf, not, if: failures are no errors yet */
    json_t *nearest; /* the failure deepest in the instance while quiet and `collect` */
    int nearest_depth;
    bool collect;
};

static int check(struct run *r, const struct node *n, const json_t *x, const struct place *at,
                 const struct scope *scope, struct seen *out);

/* ---- evaluated ---- */

static int seen_begin(const struct run *r, struct seen *e, const json_t *x)
{
    *e = (struct seen){ 0 };
    if (!r->s->tracks)
        return 0;
    e->n = json_is_object(x) ? json_object_size(x) : json_is_array(x) ? json_array_size(x) : 0;
    e->bits = e->few;
    if (e->n > 128 && !(e->bits = base_alloc_zero((e->n + 63) / 64, sizeof *e->bits)))
        return BASE_E_MEMORY;
    return 0;
}
static void seen_end(struct seen *e)
{
    if (e->bits != e->few)
        base_free(e->bits);
}
static void seen_mark(struct seen *e, size_t i)
{
    if (i < e->n)
        e->bits[i / 64] |= (uint64_t)1 << i % 64;
}
static bool seen_has(const struct seen *e, size_t i)
{
    return i < e->n && (e->bits[i / 64] >> i % 64 & 1);
}
static void seen_join(struct seen *to, const struct seen *from)
{
    if (to && to->n == from->n)
        for (size_t i = 0; i < (to->n + 63) / 64; i++)
            to->bits[i] |= from->bits[i];
}

/* ---- messages ---- */

static int pointer_write(struct base_buffer *b, const struct place *p)
{
    if (!p)
        return 0;
    int rc = pointer_write(b, p->up);
    if (!p->key)
        return rc ? rc : base_buffer_printf(b, "/%zu", p->index);
    if (!rc)
        rc = base_buffer_puts(b, "/");
    for (const char *c = p->key; *c && !rc; c++)
        rc = *c == '~'   ? base_buffer_puts(b, "~0")
             : *c == '/' ? base_buffer_puts(b, "~1")
                         : base_buffer_append(b, c, 1);
    return rc;
}

/* Notes that keyword k (NULL: the schema false) does not hold; returns 0, "invalid". */
static int invalid(struct run *r, const struct node *n, const struct keyword *k,
                   const struct place *at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static int invalid(struct run *r, const struct node *n, const struct keyword *k,
                   const struct place *at, const char *format, ...)
{
    int depth = at ? at->depth : 0;
    if (!r->errors || (r->quiet && !(r->collect && depth > r->nearest_depth)) ||
        (!r->quiet && json_array_size(r->errors) >= ERRORS_MOST))
        return 0;
    struct base_buffer where = { 0 }, rule = { 0 };
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    json_t *error = NULL;
    if (base_buffer_puts(&where, "") || pointer_write(&where, at) ||
        base_buffer_printf(&rule, "%s#%s%s%s", n->resource->uri, n->pointer, k ? "/" : "",
                           k ? k->name : "") ||
        !(error = json_object()) ||
        json_object_set_new(error, "instance", base_json_text(where.data, where.length)) ||
        json_object_set_new(error, "schema", base_json_text(rule.data, rule.length)) ||
        json_object_set_new(error, "message", base_json_text(message, strlen(message)))) {
        json_decref(error);
        error = NULL;
    }
    base_buffer_free(&where);
    base_buffer_free(&rule);
    if (!error)
        return BASE_E_MEMORY;
    if (r->quiet) {
        json_decref(r->nearest);
        r->nearest = error;
        r->nearest_depth = depth;
        return 0;
    }
    return json_array_append_new(r->errors, error) ? BASE_E_MEMORY : 0;
}

static const char *type_name(const json_t *x)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",   [JSON_NULL] = "null",
    };
    return names[json_typeof(x)];
}

/* A value in a message: short JSON. */
static const char *show(const json_t *x, char text[64])
{
    char *dumped = base_json_dump(x, false);
    snprintf(text, 64, "%s", dumped ? dumped : "?");
    if (dumped && strlen(dumped) > 60) {
        size_t n = base_utf8_complete(dumped, 57);
        snprintf(text + n, 64 - n, "...");
    }
    base_free(dumped);
    return text;
}

/* ---- single values ---- */

static bool has_type(const json_t *x, const char *type)
{
    return type &&
           (strcmp(type, type_name(x)) == 0 || (strcmp(type, "number") == 0 && json_is_number(x)) ||
            (strcmp(type, "integer") == 0 && agent_json_integer(x)));
}

/* -1, 0, 1: x against the keyword's number. 64-bit integers are compared exactly. */
static int compare(const json_t *x, const json_t *limit)
{
    if (json_is_integer(x) && json_is_integer(limit)) {
        json_int_t a = json_integer_value(x), b = json_integer_value(limit);
        return (a > b) - (a < b);
    }
    double a = json_number_value(x), b = json_number_value(limit);
    return (a > b) - (a < b);
}

static size_t characters(const json_t *x)
{
    const char *s = json_string_value(x);
    size_t n = json_string_length(x), count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xc0) != 0x80;
    return count;
}

/* Keywords about one value: 1, 0, or negative. */
static int check_value(struct run *r, const struct node *n, const struct keyword *k,
                       const json_t *x, const struct place *at)
{
    char a[64], b[64];
    switch (k->kind) {
    case KEYWORD_TYPE: {
        if (json_is_string(k->value))
            return has_type(x, json_string_value(k->value)) ||
                   invalid(r, n, k, at, "expected %s, got %s %s", json_string_value(k->value),
                           type_name(x), show(x, b));
        size_t i;
        const json_t *type;
        json_array_foreach(k->value, i, type)
        {
            if (has_type(x, json_string_value(type)))
                return 1;
        }
        return invalid(r, n, k, at, "expected one of the types %s, got %s", show(k->value, a),
                       type_name(x));
    }
    case KEYWORD_ENUM: {
        size_t i;
        const json_t *choice;
        json_array_foreach(k->value, i, choice)
        {
            if (agent_json_equal(choice, x))
                return 1;
        }
        return invalid(r, n, k, at, "expected one of %s, got %s", show(k->value, a), show(x, b));
    }
    case KEYWORD_CONST:
        return agent_json_equal(k->value, x) ||
               invalid(r, n, k, at, "expected %s, got %s", show(k->value, a), show(x, b));
    case KEYWORD_MULTIPLE_OF:
        return !json_is_number(x) ||
               (json_is_integer(x) && json_is_integer(k->value) && json_integer_value(k->value)
                    ? json_integer_value(x) % json_integer_value(k->value) == 0
                    : agent_json_multiple(json_number_value(x), k->number)) ||
               invalid(r, n, k, at, "expected a multiple of %s, got %s", show(k->value, a),
                       show(x, b));
    case KEYWORD_MAXIMUM:
        return !json_is_number(x) || compare(x, k->value) <= 0 ||
               invalid(r, n, k, at, "expected at most %s, got %s", show(k->value, a), show(x, b));
    case KEYWORD_EXCLUSIVE_MAXIMUM:
        return !json_is_number(x) || compare(x, k->value) < 0 ||
               invalid(r, n, k, at, "expected less than %s, got %s", show(k->value, a), show(x, b));
    case KEYWORD_MINIMUM:
        return !json_is_number(x) || compare(x, k->value) >= 0 ||
               invalid(r, n, k, at, "expected at least %s, got %s", show(k->value, a), show(x, b));
    case KEYWORD_EXCLUSIVE_MINIMUM:
        return !json_is_number(x) || compare(x, k->value) > 0 ||
               invalid(r, n, k, at, "expected more than %s, got %s", show(k->value, a), show(x, b));
    case KEYWORD_MAX_LENGTH:
        return !json_is_string(x) || (double)characters(x) <= k->number ||
               invalid(r, n, k, at, "expected at most %.0f characters, got %zu", k->number,
                       characters(x));
    case KEYWORD_MIN_LENGTH:
        return !json_is_string(x) || (double)characters(x) >= k->number ||
               invalid(r, n, k, at, "expected at least %.0f characters, got %zu", k->number,
                       characters(x));
    case KEYWORD_PATTERN: {
        if (!json_is_string(x))
            return 1;
        int rc = agent_pattern_find(k->pattern[0], json_string_value(x), json_string_length(x));
        return rc ? rc
                  : invalid(r, n, k, at, "%s does not match the pattern %s", show(x, b),
                            show(k->value, a));
    }
    case KEYWORD_MAX_ITEMS:
        return !json_is_array(x) || (double)json_array_size(x) <= k->number ||
               invalid(r, n, k, at, "expected at most %.0f items, got %zu", k->number,
                       json_array_size(x));
    case KEYWORD_MIN_ITEMS:
        return !json_is_array(x) || (double)json_array_size(x) >= k->number ||
               invalid(r, n, k, at, "expected at least %.0f items, got %zu", k->number,
                       json_array_size(x));
    case KEYWORD_UNIQUE_ITEMS: {
        int rc = json_is_array(x) && json_is_true(k->value) ? agent_json_unique(x) : 1;
        return rc ? rc : invalid(r, n, k, at, "two items are equal");
    }
    case KEYWORD_MAX_PROPERTIES:
        return !json_is_object(x) || (double)json_object_size(x) <= k->number ||
               invalid(r, n, k, at, "expected at most %.0f properties, got %zu", k->number,
                       json_object_size(x));
    case KEYWORD_MIN_PROPERTIES:
        return !json_is_object(x) || (double)json_object_size(x) >= k->number ||
               invalid(r, n, k, at, "expected at least %.0f properties, got %zu", k->number,
                       json_object_size(x));
    default:
        return 1;
    }
}

/* All names of an array are keys of x. */
static int has_all(struct run *r, const struct node *n, const struct keyword *k,
                   const json_t *names, const json_t *x, const struct place *at,
                   const char *because)
{
    size_t i;
    const json_t *name;
    int valid = 1;
    json_array_foreach(names, i, name)
    {
        if (json_object_getn(x, json_string_value(name), json_string_length(name)))
            continue;
        valid = because ? invalid(r, n, k, at, "\"%.100s\" needs the property \"%.100s\"", because,
                                  json_string_value(name))
                        : invalid(r, n, k, at, "the property \"%.100s\" is missing",
                                  json_string_value(name));
        if (valid < 0 || r->quiet)
            return valid;
    }
    return valid;
}

/* ---- schemas on the same value ---- */

/* With failures kept to themselves. */
static int check_quietly(struct run *r, const struct node *n, const json_t *x,
                         const struct place *at, const struct scope *scope, struct seen *out)
{
    r->quiet++;
    int rc = check(r, n, x, at, scope, out);
    r->quiet--;
    return rc;
}

static int check_alternatives(struct run *r, const struct node *n, const struct keyword *k,
                              const json_t *x, const struct place *at, const struct scope *scope,
                              struct seen *seen)
{
    size_t matches = 0, first = 0;
    /* what came nearest is told at the outermost level only */
    bool outer = !r->quiet && r->errors;
    if (outer) {
        r->collect = true;
        r->nearest_depth = at ? at->depth - 1 : -1;
    }
    int rc = 0;
    for (size_t i = 0; i < k->n && rc >= 0; i++) {
        rc = check_quietly(r, k->child[i], x, at, scope, seen);
        if (rc == 1 && ++matches == 1)
            first = i;
        /* the first that holds settles it, unless the others' annotations count */
        if (matches && k->kind == KEYWORD_ANY_OF && !r->s->tracks)
            break;
        if (matches > 1 && k->kind == KEYWORD_ONE_OF) {
            rc = invalid(r, n, k, at, "matches more than one of the schemas: %zu and %zu",
                         first + 1, i + 1);
            matches = 0;
            goto out;
        }
    }
    if (rc < 0 || matches)
        goto out;
    const json_t *near = outer ? r->nearest : NULL;
    const char *where = json_string_value(json_object_get(near, "instance"));
    const char *what = json_string_value(json_object_get(near, "message"));
    rc = near ? invalid(r, n, k, at, "matches none of the %zu schemas; nearest, at %.100s: %.200s",
                        k->n, where, what)
              : invalid(r, n, k, at, "matches none of the %zu schemas", k->n);
out:
    if (outer) {
        r->collect = false;
        json_decref(r->nearest);
        r->nearest = NULL;
    }
    return rc < 0 ? rc : matches > 0;
}

static int check_reference(struct run *r, const struct keyword *k, const json_t *x,
                           const struct place *at, const struct scope *scope, struct seen *seen)
{
    const struct node *to = k->child[0];
    if (k->anchor) { /* the outermost resource of the dynamic scope that has the anchor */
        for (const struct scope *s = scope; s; s = s->up) {
            const struct node *other = agent_schema_dynamic(s->resource, k->anchor);
            if (other)
                to = other;
        }
    }
    return check(r, to, x, at, scope, seen);
}

/* ---- children ---- */

static struct place below(const struct place *at, const char *key, size_t index)
{
    return (struct place){ at, key, index, at ? at->depth + 1 : 1 };
}

static int check_object(struct run *r, const struct node *n, const struct keyword *k,
                        const json_t *x, const struct place *at, const struct scope *scope,
                        struct seen *seen)
{
    int all = 1;
    size_t i = 0;
    for (void *it = json_object_iter((json_t *)x); it;
         it = json_object_iter_next((json_t *)x, it), i++) {
        const char *key = json_object_iter_key(it);
        const json_t *value = json_object_iter_value(it);
        const struct place here = below(at, key, 0);
        int rc = 1;
        if (k->kind == KEYWORD_PROPERTY_NAMES) {
            json_t *name = json_stringn_nocheck(key, json_object_iter_key_len(it));
            rc = name ? check(r, k->child[0], name, &here, scope, NULL) : BASE_E_MEMORY;
            json_decref(name);
        } else if (k->kind == KEYWORD_PATTERN_PROPERTIES) {
            for (size_t j = 0; j < k->n && rc == 1; j++) {
                rc = agent_pattern_find(k->pattern[j], key, json_object_iter_key_len(it));
                if (rc == 1) {
                    seen_mark(seen, i);
                    rc = check(r, k->child[j], value, &here, scope, NULL);
                } else if (rc == 0) {
                    rc = 1;
                }
            }
        } else if (k->kind == KEYWORD_UNEVALUATED_PROPERTIES) {
            if (seen_has(seen, i))
                continue;
            seen_mark(seen, i);
            rc = check(r, k->child[0], value, &here, scope, NULL);
        }
        if (rc < 0)
            return rc;
        all &= rc;
        if (!all && (r->quiet || !r->errors))
            return 0;
    }
    (void)n;
    return all;
}

/* properties: by the schema's keys when those are fewer. The index in the object is needed only
 * where evaluated properties are tracked. */
static int check_properties(struct run *r, const struct keyword *k, const json_t *x,
                            const struct place *at, const struct scope *scope, struct seen *seen)
{
    int all = 1;
    for (size_t j = 0; j < k->n; j++) {
        const json_t *value = json_object_get(x, k->key[j]);
        if (!value)
            continue;
        const struct place here = below(at, k->key[j], 0);
        int rc = check(r, k->child[j], value, &here, scope, NULL);
        if (rc < 0)
            return rc;
        all &= rc;
        if (!all && (r->quiet || !r->errors))
            return 0;
    }
    if (seen->n) {
        size_t i = 0;
        for (void *it = json_object_iter((json_t *)x); it;
             it = json_object_iter_next((json_t *)x, it), i++)
            if (json_object_get(k->value, json_object_iter_key(it)))
                seen_mark(seen, i);
    }
    return all;
}

static const struct keyword *sibling(const struct node *n, enum keyword_kind kind)
{
    for (size_t i = 0; i < n->n_keywords; i++)
        if (n->keyword[i].kind == kind)
            return &n->keyword[i];
    return NULL;
}

static int check_additional(struct run *r, const struct node *n, const struct keyword *k,
                            const json_t *x, const struct place *at, const struct scope *scope,
                            struct seen *seen)
{
    const struct keyword *named = sibling(n, KEYWORD_PROPERTIES);
    const struct keyword *patterns = sibling(n, KEYWORD_PATTERN_PROPERTIES);
    int all = 1;
    size_t i = 0;
    for (void *it = json_object_iter((json_t *)x); it;
         it = json_object_iter_next((json_t *)x, it), i++) {
        const char *key = json_object_iter_key(it);
        size_t length = json_object_iter_key_len(it);
        if (named && json_object_getn(named->value, key, length))
            continue;
        int rc = 0;
        for (size_t j = 0; patterns && j < patterns->n && rc == 0; j++)
            rc = agent_pattern_find(patterns->pattern[j], key, length);
        if (rc < 0)
            return rc;
        if (rc)
            continue;
        seen_mark(seen, i);
        const struct place here = below(at, key, 0);
        rc = json_is_false(k->child[0]->schema)
                 ? invalid(r, n, k, &here, "the property \"%.100s\" is not allowed", key)
                 : check(r, k->child[0], json_object_iter_value(it), &here, scope, NULL);
        if (rc < 0)
            return rc;
        all &= rc;
        if (!all && (r->quiet || !r->errors))
            return 0;
    }
    return all;
}

static int check_array(struct run *r, const struct node *n, const struct keyword *k,
                       const json_t *x, const struct place *at, const struct scope *scope,
                       struct seen *seen)
{
    const struct keyword *prefix =
        k->kind == KEYWORD_ITEMS ? sibling(n, KEYWORD_PREFIX_ITEMS) : NULL;
    size_t size = json_array_size(x), from = prefix ? prefix->n : 0, matches = 0;
    size_t to = k->kind == KEYWORD_PREFIX_ITEMS && k->n < size ? k->n : size;
    int all = 1;
    for (size_t i = from; i < to; i++) {
        const json_t *item = json_array_get(x, i);
        const struct place here = below(at, NULL, i);
        int rc;
        if (k->kind == KEYWORD_CONTAINS) {
            rc = check_quietly(r, k->child[0], item, &here, scope, NULL);
            if (rc < 0)
                return rc;
            if (rc) {
                matches++;
                seen_mark(seen, i);
            }
            continue;
        }
        if (k->kind == KEYWORD_UNEVALUATED_ITEMS && seen_has(seen, i))
            continue;
        seen_mark(seen, i);
        rc = check(r, k->child[k->kind == KEYWORD_PREFIX_ITEMS ? i : 0], item, &here, scope, NULL);
        if (rc < 0)
            return rc;
        all &= rc;
        if (!all && (r->quiet || !r->errors))
            return 0;
    }
    if (k->kind != KEYWORD_CONTAINS)
        return all;
    const struct resource *resource = n->resource;
    const json_t *least =
        resource->draft7 || !resource->validates ? NULL : json_object_get(n->schema, "minContains");
    const json_t *most =
        resource->draft7 || !resource->validates ? NULL : json_object_get(n->schema, "maxContains");
    double minimum = least ? json_number_value(least) : 1;
    if ((double)matches < minimum)
        return invalid(r, n, k, at, "expected at least %.0f matching items, got %zu", minimum,
                       matches);
    if (most && (double)matches > json_number_value(most))
        return invalid(r, n, k, at, "expected at most %.0f matching items, got %zu",
                       json_number_value(most), matches);
    return 1;
}

static int check_dependent(struct run *r, const struct node *n, const struct keyword *k,
                           const json_t *x, const struct place *at, const struct scope *scope,
                           struct seen *seen)
{
    int all = 1;
    if (k->kind == KEYWORD_DEPENDENT_REQUIRED) {
        for (void *it = json_object_iter((json_t *)k->value); it;
             it = json_object_iter_next((json_t *)k->value, it)) {
            const char *key = json_object_iter_key(it);
            if (!json_object_get(x, key))
                continue;
            int rc = has_all(r, n, k, json_object_iter_value(it), x, at, key);
            if (rc < 0)
                return rc;
            all &= rc;
        }
        return all;
    }
    for (size_t j = 0; j < k->n; j++) {
        if (!json_object_get(x, k->key[j]))
            continue;
        int rc = k->child[j]
                     ? check(r, k->child[j], x, at, scope, seen)
                     : has_all(r, n, k, json_object_get(k->value, k->key[j]), x, at, k->key[j]);
        if (rc < 0)
            return rc;
        all &= rc;
    }
    return all;
}

/* ---- one schema ---- */

static int check_keyword(struct run *r, const struct node *n, const struct keyword *k,
                         const json_t *x, const struct place *at, const struct scope *scope,
                         struct seen *seen)
{
    int rc = 1;
    switch (k->kind) {
    case KEYWORD_REF:
    case KEYWORD_DYNAMIC_REF:
        return check_reference(r, k, x, at, scope, seen);
    case KEYWORD_REQUIRED:
        return !json_is_object(x) || has_all(r, n, k, k->value, x, at, NULL);
    case KEYWORD_DEPENDENT_REQUIRED:
    case KEYWORD_DEPENDENT_SCHEMAS:
        return json_is_object(x) ? check_dependent(r, n, k, x, at, scope, seen) : 1;
    case KEYWORD_PROPERTIES:
        return json_is_object(x) ? check_properties(r, k, x, at, scope, seen) : 1;
    case KEYWORD_ADDITIONAL_PROPERTIES:
        return json_is_object(x) ? check_additional(r, n, k, x, at, scope, seen) : 1;
    case KEYWORD_PROPERTY_NAMES:
    case KEYWORD_PATTERN_PROPERTIES:
    case KEYWORD_UNEVALUATED_PROPERTIES:
        return json_is_object(x) ? check_object(r, n, k, x, at, scope, seen) : 1;
    case KEYWORD_PREFIX_ITEMS:
    case KEYWORD_ITEMS:
    case KEYWORD_CONTAINS:
    case KEYWORD_UNEVALUATED_ITEMS:
        return json_is_array(x) ? check_array(r, n, k, x, at, scope, seen) : 1;
    case KEYWORD_ALL_OF: {
        int all = 1;
        for (size_t i = 0; i < k->n; i++) {
            if ((rc = check(r, k->child[i], x, at, scope, seen)) < 0)
                return rc;
            all &= rc;
        }
        return all;
    }
    case KEYWORD_ANY_OF:
    case KEYWORD_ONE_OF:
        return check_alternatives(r, n, k, x, at, scope, seen);
    case KEYWORD_NOT:
        rc = check_quietly(r, k->child[0], x, at, scope, NULL);
        return rc < 0 ? rc : rc == 0 || invalid(r, n, k, at, "matches what it must not match");
    case KEYWORD_IF:
        if ((rc = check_quietly(r, k->child[0], x, at, scope, seen)) < 0)
            return rc;
        const struct node *branch = k->child[rc ? 1 : 2];
        return branch ? check(r, branch, x, at, scope, seen) : 1;
    default:
        return check_value(r, n, k, x, at);
    }
}

static int check(struct run *r, const struct node *n, const json_t *x, const struct place *at,
                 const struct scope *scope, struct seen *out)
{
    if (json_is_true(n->schema))
        return 1;
    if (json_is_false(n->schema))
        return invalid(r, n, NULL, at, "no value is allowed here");
    if (++r->steps > r->s->steps)
        return base_error_set(BASE_E_LIMIT, "%s: the instance needs more than %llu steps to check",
                              r->s->name, (unsigned long long)r->s->steps);
    if (++r->depth > r->s->depth)
        return base_error_set(BASE_E_LIMIT,
                              "%s: schema#%s: more than %u schemas inside one another", r->s->name,
                              n->pointer, r->s->depth);
    struct seen seen;
    int rc = seen_begin(r, &seen, x), all = 1;
    if (rc)
        return rc;
    const struct scope here = { scope, n->resource };
    const struct scope *inside = scope && scope->resource == n->resource ? scope : &here;
    for (size_t i = 0; i < n->n_keywords && rc >= 0; i++) {
        rc = check_keyword(r, n, &n->keyword[i], x, at, inside, &seen);
        if (rc == 0) {
            all = 0;
            if (r->quiet || !r->errors)
                break;
        }
    }
    if (rc >= 0 && all)
        seen_join(out, &seen);
    seen_end(&seen);
    r->depth--;
    return rc < 0 ? rc : all;
}

int agent_schema_check(const struct agent_schema *s, const json_t *instance, json_t **errors)
{
    struct run r = { .s = s };
    if (errors && !(r.errors = json_array()))
        return BASE_E_MEMORY;
    int rc = check(&r, s->root, instance, NULL, NULL, NULL);
    json_decref(r.nearest);
    if (errors && rc == 0)
        *errors = r.errors;
    else
        json_decref(r.errors);
    return rc;
}
