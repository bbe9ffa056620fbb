/* Values of templates: memory, making, truth, equality, order, hashing, and to and from JSON.
 *
 * Everything follows Python: True == 1 == 1.0 and they hash alike; a list never equals a tuple;
 * order exists between numbers, between strings (by code point, which is the order of UTF-8 bytes),
 * and between lists or tuples element by element. */
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/template_private.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- memory ---- */
struct arena_block {
    struct arena_block *next;
    size_t bytes;
    _Alignas(16) unsigned char data[];
};

void *template_alloc(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (base_mul_size(n, size, &bytes) || bytes > a->limit - a->total) {
        a->failed = base_error_set(BASE_E_LIMIT, "the template needs more than %zu bytes of memory",
                                   a->limit);
        return NULL;
    }
    bytes = (bytes + 15) & ~(size_t)15;
    if (!a->blocks || a->left < bytes) {
        size_t room = a->blocks ? a->blocks->bytes * 2 : 4096;
        if (room > 1 << 20)
            room = 1 << 20;
        if (room < bytes)
            room = bytes;
        struct arena_block *b = base_alloc(sizeof *b + room, 1);
        if (!b) {
            a->failed = BASE_E_MEMORY;
            return NULL;
        }
        b->bytes = room;
        b->next = a->blocks;
        a->blocks = b;
        a->left = room;
    }
    void *p = a->blocks->data + (a->blocks->bytes - a->left);
    a->left -= bytes;
    a->total += bytes < a->limit - a->total ? bytes : a->limit - a->total;
    memset(p, 0, bytes);
    return p;
}

void template_arena_free(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;
        base_free(a->blocks);
        a->blocks = next;
    }
}

int template_fail(const struct run *r, int code, const char *format, ...)
{
    char text[600];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    size_t n = base_utf8_complete(text, strlen(text));
    return base_error_set(code, "%s:%d: %.*s", r->name, r->line, (int)n, text);
}

int template_fail_undefined(const struct run *r, struct value v)
{
    return template_fail(r, BASE_E_ARGUMENT, "%s", v.why);
}

bool template_strict(const struct run *r, struct value v)
{
    return v.kind == UNDEFINED && r->t->options.strict && !v.lenient;
}

/* ---- making ---- */
struct value template_boolean(bool x)
{
    return (struct value){ .kind = BOOLEAN, .boolean = x };
}
struct value template_integer(int64_t x)
{
    return (struct value){ .kind = INTEGER, .integer = x };
}
struct value template_real(double x)
{
    return (struct value){ .kind = REAL, .real = x };
}

int template_text_view(struct arena *a, const char *data, size_t bytes, struct value *out)
{
    struct text *t = template_alloc(a, 1, sizeof *t);
    *out = (struct value){ .kind = TEXT, .text = t };
    if (!t)
        return a->failed;
    t->data = data;
    t->bytes = bytes;
    for (size_t i = 0; i < bytes; i++)
        t->points += ((unsigned char)data[i] & 0xc0) != 0x80;
    return 0;
}

int template_text(struct arena *a, const char *data, size_t bytes, struct value *out)
{
    char *copy = template_alloc(a, bytes + 1, 1);
    if (!copy)
        return a->failed;
    if (bytes)
        memcpy(copy, data, bytes);
    return template_text_view(a, copy, bytes, out);
}

int template_list(struct arena *a, enum flavour flavour, size_t capacity, struct value *out)
{
    struct list *l = template_alloc(a, 1, sizeof *l);
    *out = (struct value){ .kind = LIST, .list = l };
    if (!l || !(l->at = template_alloc(a, capacity + 1, sizeof *l->at)))
        return a->failed;
    l->flavour = flavour;
    l->capacity = capacity + 1;
    return 0;
}

int template_list_add(struct arena *a, struct list *l, struct value v)
{
    if (l->n == l->capacity) {
        struct value *more = template_alloc(a, l->capacity * 2, sizeof *more);
        if (!more)
            return a->failed;
        memcpy(more, l->at, l->n * sizeof *more);
        l->at = more;
        l->capacity *= 2;
    }
    l->at[l->n++] = v;
    return 0;
}

int template_dict(struct arena *a, struct value *out)
{
    struct dict *d = template_alloc(a, 1, sizeof *d);
    *out = (struct value){ .kind = DICT, .dict = d };
    return d ? 0 : a->failed;
}

/* The slot of a key: its entry's, or the free one where it would go. */
static int dict_slot(struct run *r, const struct dict *d, struct value key, uint64_t hash,
                     size_t *slot)
{
    for (*slot = hash & (d->slots - 1);; *slot = (*slot + 1) & (d->slots - 1)) {
        uint32_t number = d->index[*slot];
        if (!number)
            return 0;
        const struct entry *e = &d->at[number - 1];
        bool same = false;
        int rc = e->hash == hash ? template_equal(r, e->key, key, 0, &same) : 0;
        if (rc || same)
            return rc;
    }
}

int template_dict_get(struct run *r, const struct dict *d, struct value key, struct value **found)
{
    uint64_t hash;
    size_t slot;
    *found = NULL;
    int rc = template_hash(r, key, 0, &hash);
    if (rc || d->slots == 0 || (rc = dict_slot(r, d, key, hash, &slot)))
        return rc;
    if (d->index[slot])
        *found = &d->at[d->index[slot] - 1].value;
    return 0;
}

struct value *template_dict_find(const struct dict *d, const char *key)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->at[i].key.kind == TEXT && template_is(d->at[i].key.text, key))
            return &d->at[i].value;
    return NULL;
}

int template_dict_put(struct run *r, struct dict *d, struct value key, struct value v)
{
    uint64_t hash;
    size_t slot;
    int rc = template_hash(r, key, 0, &hash);
    if (rc)
        return rc;
    if ((d->n + 1) * 2 > d->slots) {
        size_t slots = d->slots ? d->slots * 2 : 8;
        uint32_t *index = template_alloc(&r->arena, slots, sizeof *index);
        struct entry *at = template_alloc(&r->arena, slots / 2, sizeof *at);
        if (!index || !at)
            return r->arena.failed;
        for (size_t i = 0; i < d->n; i++) {
            at[i] = d->at[i];
            for (slot = at[i].hash & (slots - 1); index[slot]; slot = (slot + 1) & (slots - 1))
                ;
            index[slot] = (uint32_t)i + 1;
        }
        d->index = index;
        d->at = at;
        d->slots = slots;
    }
    if ((rc = dict_slot(r, d, key, hash, &slot)))
        return rc;
    if (d->index[slot]) {
        d->at[d->index[slot] - 1].value = v;
        return 0;
    }
    d->at[d->n] = (struct entry){ key, v, hash };
    d->index[slot] = (uint32_t)++d->n;
    return 0;
}

int template_undefined(struct run *r, struct value *out, const char *format, ...)
{
    char text[300];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    size_t n = base_utf8_complete(text, strlen(text));
    char *why = template_alloc(&r->arena, n + 1, 1);
    if (!why)
        return r->arena.failed;
    memcpy(why, text, n);
    *out = (struct value){ .kind = UNDEFINED, .why = why };
    return 0;
}

/* ---- looking ---- */
const char *template_type(struct value v)
{
    static const char *const lists[] = { "list",      "tuple",       "range",     "generator",
                                         "dict_keys", "dict_values", "dict_items" };
    static const char *const kinds[] = { "nothing", "Undefined",  "NoneType", "bool",
                                         "int",     "float",      "str",      "list",
                                         "dict",    "Namespace",  "Macro",    "function",
                                         "method",  "LoopContext" };
    return v.kind == LIST ? lists[v.list->flavour] : kinds[v.kind];
}

bool template_is(const struct text *t, const char *s)
{
    return strlen(s) == t->bytes && memcmp(t->data, s, t->bytes) == 0;
}

bool template_same(const struct text *a, const struct text *b)
{
    return a == b || (a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0);
}

bool template_number(struct value v, double *x)
{
    *x = v.kind == BOOLEAN ? v.boolean : v.kind == INTEGER ? (double)v.integer : v.real;
    return v.kind == BOOLEAN || v.kind == INTEGER || v.kind == REAL;
}

bool template_index(struct value v, int64_t *x)
{
    *x = v.kind == BOOLEAN ? v.boolean : v.integer;
    return v.kind == BOOLEAN || v.kind == INTEGER;
}

int template_truth(struct run *r, struct value v, bool *out)
{
    *out = true;
    switch (v.kind) {
    case UNDEFINED:
        *out = false;
        return template_strict(r, v) ? template_fail_undefined(r, v) : 0;
    case NONE:
        *out = false;
        return 0;
    case BOOLEAN:
        *out = v.boolean;
        return 0;
    case INTEGER:
        *out = v.integer != 0;
        return 0;
    case REAL:
        *out = v.real != 0;
        return 0;
    case TEXT:
        *out = v.text->bytes != 0;
        return 0;
    case LIST:
        *out = v.list->n != 0 || v.list->flavour == FLAVOUR_ITERATOR;
        return 0;
    case DICT:
        *out = v.dict->n != 0;
        return 0;
    default:
        return 0;
    }
}

static int too_deep(const struct run *r)
{
    return template_fail(r, BASE_E_LIMIT, "values are nested more than %d deep",
                         TEMPLATE_DEPTH_VALUES);
}

/* Both numbers, exactly: a long double holds every int64 and every double. */
static long double exact(struct value v)
{
    return v.kind == REAL      ? (long double)v.real
           : v.kind == INTEGER ? (long double)v.integer
                               : (long double)v.boolean;
}

static bool is_number(struct value v)
{
    return v.kind == BOOLEAN || v.kind == INTEGER || v.kind == REAL;
}

int template_equal(struct run *r, struct value a, struct value b, int depth, bool *out)
{
    int rc;
    *out = false;
    if (depth > TEMPLATE_DEPTH_VALUES)
        return too_deep(r);
    if (template_strict(r, a) || template_strict(r, b))
        return template_fail_undefined(r, a.kind == UNDEFINED ? a : b);
    if (is_number(a) && is_number(b)) {
        *out = exact(a) == exact(b);
        return 0;
    }
    if (a.kind != b.kind)
        return 0;
    switch (a.kind) {
    case UNDEFINED:
    case NONE:
        *out = true;
        return 0;
    case TEXT:
        *out = a.text->bytes == b.text->bytes &&
               memcmp(a.text->data, b.text->data, a.text->bytes) == 0;
        return 0;
    case LIST:
        if (a.list == b.list) {
            *out = true;
            return 0;
        }
        if (a.list->flavour != b.list->flavour || a.list->n != b.list->n ||
            a.list->flavour == FLAVOUR_ITERATOR || a.list->flavour == FLAVOUR_VALUES)
            return 0;
        if (a.list->flavour == FLAVOUR_KEYS || a.list->flavour == FLAVOUR_ITEMS)
            return template_fail(r, BASE_E_UNSUPPORTED,
                                 "comparing %s is not supported: make lists of them",
                                 template_type(a));
        for (size_t i = 0; i < a.list->n; i++)
            if ((rc = template_equal(r, a.list->at[i], b.list->at[i], depth + 1, out)) || !*out)
                return rc;
        *out = true;
        return 0;
    case DICT:
        if (a.dict->n != b.dict->n)
            return 0;
        for (size_t i = 0; i < a.dict->n; i++) {
            struct value *other;
            if ((rc = template_dict_get(r, b.dict, a.dict->at[i].key, &other)))
                return rc;
            *out = false;
            if (!other)
                return 0;
            if ((rc = template_equal(r, a.dict->at[i].value, *other, depth + 1, out)) || !*out)
                return rc;
        }
        *out = true;
        return 0;
    case NAMESPACE:
        *out = a.dict == b.dict;
        return 0;
    case FUNCTION:
        *out = a.function == b.function;
        return 0;
    case MACRO:
        *out = a.macro == b.macro;
        return 0;
    case LOOP:
        *out = a.loop == b.loop;
        return 0;
    default:
        return template_fail(r, BASE_E_UNSUPPORTED, "comparing a %s is not supported",
                             template_type(a));
    }
}

int template_order(struct run *r, struct value a, struct value b, int depth, int *out)
{
    *out = 0;
    if (depth > TEMPLATE_DEPTH_VALUES)
        return too_deep(r);
    if (a.kind == UNDEFINED || b.kind == UNDEFINED)
        return template_fail_undefined(r, a.kind == UNDEFINED ? a : b);
    if (is_number(a) && is_number(b)) {
        long double x = exact(a), y = exact(b);
        if (x != x || y != y)
            return template_fail(r, BASE_E_ARGUMENT, "NaN has no order");
        *out = (x > y) - (x < y);
        return 0;
    }
    if (a.kind == TEXT && b.kind == TEXT) {
        size_t n = a.text->bytes < b.text->bytes ? a.text->bytes : b.text->bytes;
        int c = n ? memcmp(a.text->data, b.text->data, n) : 0;
        *out = c ? c : (a.text->bytes > b.text->bytes) - (a.text->bytes < b.text->bytes);
        return 0;
    }
    if (a.kind == LIST && b.kind == LIST && a.list->flavour == b.list->flavour &&
        a.list->flavour <= FLAVOUR_TUPLE) {
        for (size_t i = 0; i < a.list->n && i < b.list->n; i++) {
            bool same;
            int rc = template_equal(r, a.list->at[i], b.list->at[i], depth + 1, &same);
            if (rc)
                return rc;
            if (!same)
                return template_order(r, a.list->at[i], b.list->at[i], depth + 1, out);
        }
        *out = (a.list->n > b.list->n) - (a.list->n < b.list->n);
        return 0;
    }
    return template_fail(r, BASE_E_ARGUMENT, "values of the types %s and %s have no order",
                         template_type(a), template_type(b));
}

int template_hash(struct run *r, struct value v, int depth, uint64_t *out)
{
    *out = (uint64_t)v.kind;
    if (depth > TEMPLATE_DEPTH_VALUES)
        return too_deep(r);
    if (is_number(v)) {
        double x;
        template_number(v, &x);
        x = x == 0 ? 0 : x; /* -0.0 */
        *out = base_hash64(&x, sizeof x, 1);
        return 0;
    }
    switch (v.kind) {
    case NONE:
        return 0;
    case TEXT:
        *out = base_hash64(v.text->data, v.text->bytes, 2);
        return 0;
    case LIST:
        if (v.list->flavour != FLAVOUR_TUPLE)
            break;
        for (size_t i = 0; i < v.list->n; i++) {
            uint64_t h[2] = { *out, 0 };
            int rc = template_hash(r, v.list->at[i], depth + 1, &h[1]);
            if (rc)
                return rc;
            *out = base_hash64(h, sizeof h, 3);
        }
        return 0;
    case UNDEFINED:
        return template_strict(r, v) ? template_fail_undefined(r, v) : 0;
    default:
        break;
    }
    return template_fail(r, BASE_E_ARGUMENT, "unhashable type: '%s'", template_type(v));
}

/* ---- JSON ---- */
int template_from_json(struct run *r, const json_t *j, int depth, struct value *out)
{
    int rc = 0;
    struct value v;
    size_t i;
    const char *key;
    const json_t *item;
    if (depth > TEMPLATE_DEPTH_VALUES)
        return too_deep(r);
    switch (json_typeof(j)) {
    case JSON_NULL:
        *out = (struct value){ .kind = NONE };
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = template_boolean(json_is_true(j));
        return 0;
    case JSON_INTEGER:
        *out = template_integer(json_integer_value(j));
        return 0;
    case JSON_REAL:
        *out = template_real(json_real_value(j));
        return 0;
    case JSON_STRING: /* the caller's object outlives the run: no copy */
        return template_text_view(&r->arena, json_string_value(j), json_string_length(j), out);
    case JSON_ARRAY:
        if ((rc = template_list(&r->arena, FLAVOUR_LIST, json_array_size(j), out)))
            return rc;
        json_array_foreach((json_t *)(uintptr_t)j, i,
                           item) if ((rc = template_from_json(r, item, depth + 1, &v)) ||
                                     (rc = template_list_add(&r->arena, out->list, v))) return rc;
        return 0;
    default:
        if ((rc = template_dict(&r->arena, out)))
            return rc;
        json_object_foreach((json_t *)(uintptr_t)j, key, item)
        {
            struct value name;
            if ((rc = template_text_view(&r->arena, key, strlen(key), &name)) ||
                (rc = template_from_json(r, item, depth + 1, &v)) ||
                (rc = template_dict_put(r, out->dict, name, v)))
                return rc;
        }
        return 0;
    }
}

int template_to_json(struct run *r, struct value v, int depth, json_t **out)
{
    int rc = 0;
    json_t *item;
    *out = NULL;
    if (depth > TEMPLATE_DEPTH_VALUES)
        return too_deep(r);
    switch (v.kind) {
    case NONE:
        *out = json_null();
        return 0;
    case BOOLEAN:
        *out = json_boolean(v.boolean);
        return 0;
    case INTEGER:
        *out = json_integer(v.integer);
        break;
    case REAL:
        if (!isfinite(v.real))
            return template_fail(r, BASE_E_ARGUMENT, "the value is not a number that JSON has");
        *out = json_real(v.real);
        break;
    case TEXT:
        *out = json_stringn_nocheck(v.text->data, v.text->bytes);
        break;
    case LIST:
        *out = json_array();
        for (size_t i = v.list->position; i < v.list->n && *out && !rc; i++)
            if (!(rc = template_to_json(r, v.list->at[i], depth + 1, &item)) &&
                json_array_append_new(*out, item))
                rc = base_error_set(BASE_E_MEMORY, "out of memory for a template's value");
        break;
    case DICT:
        *out = json_object();
        for (size_t i = 0; i < v.dict->n && *out && !rc; i++) {
            struct value key;
            if ((rc = template_str(r, v.dict->at[i].key, &key)))
                break;
            if (memchr(key.text->data, 0, key.text->bytes)) {
                rc = template_fail(r, BASE_E_ARGUMENT, "a key holds a NUL, which JSON here cannot");
                break;
            }
            if (!(rc = template_to_json(r, v.dict->at[i].value, depth + 1, &item)) &&
                json_object_setn_new_nocheck(*out, key.text->data, key.text->bytes, item))
                rc = base_error_set(BASE_E_MEMORY, "out of memory for a template's value");
        }
        break;
    case UNDEFINED:
        return template_fail_undefined(r, v);
    default:
        return template_fail(r, BASE_E_ARGUMENT, "the value is a %s, which is not JSON",
                             template_type(v));
    }
    if (!rc && !*out)
        rc = base_error_set(BASE_E_MEMORY, "out of memory for a template's value");
    if (rc) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

/* ---- going over ---- */
int template_iterate(struct run *r, struct value v, struct value **at, size_t *n)
{
    struct value made;
    int rc;
    *at = NULL;
    *n = 0;
    switch (v.kind) {
    case UNDEFINED:
        return template_strict(r, v) ? template_fail_undefined(r, v) : 0;
    case LIST:
        *at = v.list->at + v.list->position;
        *n = v.list->n - v.list->position;
        if (v.list->flavour == FLAVOUR_ITERATOR)
            v.list->position = v.list->n;
        return 0;
    case DICT:
        if ((rc = template_list(&r->arena, FLAVOUR_KEYS, v.dict->n, &made)))
            return rc;
        for (size_t i = 0; i < v.dict->n; i++)
            made.list->at[made.list->n++] = v.dict->at[i].key;
        break;
    case TEXT:
        if ((rc = template_list(&r->arena, FLAVOUR_LIST, v.text->points, &made)))
            return rc;
        for (size_t i = 0; i < v.text->bytes;) {
            uint32_t code;
            size_t k = base_utf8_decode(v.text->data + i, v.text->bytes - i, &code);
            k = k ? k : 1;
            struct value letter;
            if ((rc = template_text_view(&r->arena, v.text->data + i, k, &letter)) ||
                (rc = template_list_add(&r->arena, made.list, letter)))
                return rc;
            i += k;
        }
        break;
    default:
        return template_fail(r, BASE_E_ARGUMENT, "'%s' object is not iterable", template_type(v));
    }
    *at = made.list->at;
    *n = made.list->n;
    return 0;
}

int template_length(struct run *r, struct value v, int64_t *out)
{
    *out = 0;
    if (v.kind == UNDEFINED)
        return template_strict(r, v) ? template_fail_undefined(r, v) : 0;
    if (v.kind == TEXT)
        *out = (int64_t)v.text->points;
    else if (v.kind == DICT)
        *out = (int64_t)v.dict->n;
    else if (v.kind == LIST && v.list->flavour != FLAVOUR_ITERATOR)
        *out = (int64_t)v.list->n;
    else if (v.kind == LOOP)
        *out = (int64_t)v.loop->n;
    else
        return template_fail(r, BASE_E_ARGUMENT, "object of type '%s' has no len()",
                             template_type(v));
    return 0;
}
