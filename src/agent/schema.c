/* Compiling a JSON Schema; see include/assay/schema.h.
 *
 * Three passes over each document. `index_schema` walks the places where schemas can stand and
 * notes resources ("$id") and anchors; whatever looks like a schema elsewhere (in an enum, under an
 * unknown keyword) is left alone. `compile_node` turns each schema's keywords into an array in the
 * order of evaluation; a reference may bring in another document, which is indexed then, or a place
 * that no keyword leads to, which becomes a schema then. Last, the schema is held against its
 * meta-schema, which is compiled in the same way. */
#include "agent/schema_private.h"
#include "agent/uri.h"
#include "base/buffer.h"
#include "base/embed.h"
#include "base/json.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

BASE_EMBED(agent_metaschemas, "src/agent/metaschemas.json");

#define DIALECT_2020 "https://json-schema.org/draft/2020-12/schema"
#define DIALECT_7    "http://json-schema.org/draft-07/schema"
#define VOCABULARY   "https://json-schema.org/draft/2020-12/vocab/"
#define DEPTH_MOST   512 /* of schemas inside one another in a document */

/* Where schemas stand under a keyword. */
enum shape {
    VALUE,  /* no schema */
    SCHEMA, /* one */
    ARRAY,  /* an array of them */
    OBJECT, /* an object of them */
    EITHER, /* draft-07's items: one or an array */
    MIXED,  /* draft-07's dependencies: an object of schemas and arrays of names */
};
static const struct row {
    const char *name;
    enum keyword_kind kind;
    enum shape shape;
    bool validation; /* belongs to the validation vocabulary */
    char draft;      /* '7': only there, '2': only 2020-12, 0: both */
} rows[] = {
    { "$ref", KEYWORD_REF, VALUE, false, 0 },
    { "$dynamicRef", KEYWORD_DYNAMIC_REF, VALUE, false, '2' },
    { "type", KEYWORD_TYPE, VALUE, true, 0 },
    { "enum", KEYWORD_ENUM, VALUE, true, 0 },
    { "const", KEYWORD_CONST, VALUE, true, 0 },
    { "multipleOf", KEYWORD_MULTIPLE_OF, VALUE, true, 0 },
    { "maximum", KEYWORD_MAXIMUM, VALUE, true, 0 },
    { "exclusiveMaximum", KEYWORD_EXCLUSIVE_MAXIMUM, VALUE, true, 0 },
    { "minimum", KEYWORD_MINIMUM, VALUE, true, 0 },
    { "exclusiveMinimum", KEYWORD_EXCLUSIVE_MINIMUM, VALUE, true, 0 },
    { "maxLength", KEYWORD_MAX_LENGTH, VALUE, true, 0 },
    { "minLength", KEYWORD_MIN_LENGTH, VALUE, true, 0 },
    { "pattern", KEYWORD_PATTERN, VALUE, true, 0 },
    { "required", KEYWORD_REQUIRED, VALUE, true, 0 },
    { "maxProperties", KEYWORD_MAX_PROPERTIES, VALUE, true, 0 },
    { "minProperties", KEYWORD_MIN_PROPERTIES, VALUE, true, 0 },
    { "dependentRequired", KEYWORD_DEPENDENT_REQUIRED, VALUE, true, '2' },
    { "propertyNames", KEYWORD_PROPERTY_NAMES, SCHEMA, false, 0 },
    { "properties", KEYWORD_PROPERTIES, OBJECT, false, 0 },
    { "patternProperties", KEYWORD_PATTERN_PROPERTIES, OBJECT, false, 0 },
    { "additionalProperties", KEYWORD_ADDITIONAL_PROPERTIES, SCHEMA, false, 0 },
    { "maxItems", KEYWORD_MAX_ITEMS, VALUE, true, 0 },
    { "minItems", KEYWORD_MIN_ITEMS, VALUE, true, 0 },
    { "uniqueItems", KEYWORD_UNIQUE_ITEMS, VALUE, true, 0 },
    { "prefixItems", KEYWORD_PREFIX_ITEMS, ARRAY, false, '2' },
    { "items", KEYWORD_ITEMS, SCHEMA, false, '2' },
    { "items", KEYWORD_ITEMS, EITHER, false, '7' },
    { "additionalItems", KEYWORD_ITEMS, SCHEMA, false, '7' },
    { "contains", KEYWORD_CONTAINS, SCHEMA, false, 0 },
    { "allOf", KEYWORD_ALL_OF, ARRAY, false, 0 },
    { "anyOf", KEYWORD_ANY_OF, ARRAY, false, 0 },
    { "oneOf", KEYWORD_ONE_OF, ARRAY, false, 0 },
    { "not", KEYWORD_NOT, SCHEMA, false, 0 },
    { "if", KEYWORD_IF, SCHEMA, false, 0 },
    { "dependentSchemas", KEYWORD_DEPENDENT_SCHEMAS, OBJECT, false, '2' },
    { "dependencies", KEYWORD_DEPENDENT_SCHEMAS, MIXED, false, '7' },
    { "unevaluatedItems", KEYWORD_UNEVALUATED_ITEMS, SCHEMA, false, '2' },
    { "unevaluatedProperties", KEYWORD_UNEVALUATED_PROPERTIES, SCHEMA, false, '2' },
};
/* Hold schemas but decide nothing by themselves. */
static const struct row holders[] = {
    { "$defs", 0, OBJECT, false, '2' },
    { "definitions", 0, OBJECT, false, 0 },
    { "then", 0, SCHEMA, false, 0 },
    { "else", 0, SCHEMA, false, 0 },
    { "contentSchema", 0, SCHEMA, false, '2' },
};

static bool applies(const struct row *row, const struct resource *r)
{
    return row->draft == 0 || (row->draft == '7') == r->draft7;
}

static bool is_schema(const json_t *x)
{
    return json_is_object(x) || json_is_boolean(x);
}

/* ---- nodes ---- */

static size_t slot_of(const struct agent_schema *s, const json_t *x)
{
    size_t i = ((uintptr_t)x >> 4) * 0x9e3779b97f4a7c15u >> 20 & (s->table_size - 1);
    while (s->table[i] && s->table[i]->schema != x)
        i = (i + 1) & (s->table_size - 1);
    return i;
}

static struct node *node_find(const struct agent_schema *s, const json_t *x)
{
    return s->table_size && json_is_object(x) ? s->table[slot_of(s, x)] : NULL;
}

/* A new node. true and false are shared values: each place gets a node of its own. */
static int node_add(struct agent_schema *s, const json_t *x, struct resource *r, char *pointer,
                    struct node **out)
{
    if (!pointer)
        return BASE_E_MEMORY;
    if (s->n_nodes == s->node_capacity) {
        size_t more = s->node_capacity ? 2 * s->node_capacity : 32;
        struct node **grown = base_realloc(s->nodes, more, sizeof *grown);
        if (!grown) {
            base_free(pointer);
            return BASE_E_MEMORY;
        }
        s->nodes = grown;
        s->node_capacity = more;
    }
    if (json_is_object(x) && 2 * s->table_used >= s->table_size) {
        struct node **old = s->table;
        size_t size = s->table_size ? 2 * s->table_size : 64;
        struct node **table = base_alloc_zero(size, sizeof *table);
        if (!table) {
            base_free(pointer);
            return BASE_E_MEMORY;
        }
        size_t n = s->table_size;
        s->table = table;
        s->table_size = size;
        for (size_t i = 0; i < n; i++)
            if (old[i])
                s->table[slot_of(s, old[i]->schema)] = old[i];
        base_free(old);
    }
    struct node *node = base_alloc_zero(1, sizeof *node);
    if (!node) {
        base_free(pointer);
        return BASE_E_MEMORY;
    }
    *node = (struct node){ .schema = x, .resource = r, .pointer = pointer };
    s->nodes[s->n_nodes++] = node;
    if (json_is_object(x)) {
        s->table[slot_of(s, x)] = node;
        s->table_used++;
    }
    *out = node;
    return 0;
}

/* "/a~1b": a step of a JSON pointer, RFC 6901. */
static char *pointer_join(const char *pointer, const char *keyword, const char *key)
{
    struct base_buffer b = { 0 };
    int rc = base_buffer_puts(&b, pointer);
    const char *const steps[2] = { keyword, key };
    for (int i = 0; i < 2 && !rc; i++) {
        if (!steps[i])
            continue;
        rc = base_buffer_puts(&b, "/");
        for (const char *p = steps[i]; *p && !rc; p++)
            rc = *p == '~'   ? base_buffer_puts(&b, "~0")
                 : *p == '/' ? base_buffer_puts(&b, "~1")
                             : base_buffer_append(&b, p, 1);
    }
    if (rc) {
        base_buffer_free(&b);
        return NULL;
    }
    return base_buffer_take(&b);
}

static int fail(const struct agent_schema *s, int code, const struct node *n, const char *keyword,
                const char *what)
{
    return base_error_set(code, "%s: schema%s%s#%s%s%s: %s", s->name, *n->resource->uri ? " " : "",
                          n->resource->uri, n->pointer, keyword ? "/" : "", keyword ? keyword : "",
                          what);
}

/* ---- resources ---- */

static struct resource *resource_find(const struct agent_schema *s, const char *uri)
{
    for (size_t i = 0; i < s->n_resources; i++)
        if (strcmp(s->resources[i]->uri, uri) == 0)
            return s->resources[i];
    return NULL;
}

/* The value of the document with this URI: one that was given, or a meta-schema. A new reference,
 * NULL when there is none. */
static json_t *document_find(const struct agent_schema *s, const char *uri)
{
    for (size_t i = 0; i < s->n_given; i++)
        if (strcmp(s->given[i].uri, uri) == 0)
            return json_incref(s->given[i].json);
    if (strncmp(uri, "http://json-schema.org/", 23) && strncmp(uri, "https://json-schema.org/", 24))
        return NULL;
    json_t *all = NULL, *found = NULL;
    if (base_json_parse(&all, agent_metaschemas,
                        (size_t)(agent_metaschemas_end - agent_metaschemas), "meta-schemas"))
        return NULL;
    size_t i;
    json_t *one;
    json_array_foreach(all, i, one)
    {
        const char *id = json_string_value(json_object_get(one, "$id"));
        size_t n = id ? strcspn(id, "#") : 0;
        if (n && strlen(uri) == n && strncmp(id, uri, n) == 0)
            found = json_incref(one);
    }
    json_decref(all);
    return found;
}

/* Which dialect a resource is written in, by its "$schema". */
static int dialect(struct agent_schema *s, const json_t *schema, struct resource *r,
                   const struct resource *parent, const struct node *where)
{
    const char *name = json_string_value(json_object_get(schema, "$schema"));
    r->draft7 = parent && parent->draft7;
    r->validates = !parent || parent->validates;
    if (!name)
        return 0;
    size_t n = strcspn(name, "#");
    if (n == strlen(DIALECT_2020) && strncmp(name, DIALECT_2020, n) == 0) {
        r->draft7 = false;
        r->validates = true;
        return 0;
    }
    if (n == strlen(DIALECT_7) && strncmp(name, DIALECT_7, n) == 0) {
        r->draft7 = r->validates = true;
        return 0;
    }
    char *uri = agent_uri_resolve(NULL, name);
    json_t *meta = uri ? document_find(s, uri) : NULL;
    base_free(uri);
    if (!meta)
        return fail(s, BASE_E_UNSUPPORTED, where, "$schema",
                    "a dialect that is not known: draft 2020-12 and draft-07 are");
    const json_t *vocabulary = json_object_get(meta, "$vocabulary");
    int rc = 0;
    r->draft7 = false;
    r->validates = !vocabulary || json_object_get(vocabulary, VOCABULARY "validation");
    if (json_is_object(vocabulary))
        for (void *it = json_object_iter((json_t *)vocabulary); it && !rc;
             it = json_object_iter_next((json_t *)vocabulary, it)) {
            static const char *const known[] = { "core",       "applicator",        "unevaluated",
                                                 "validation", "format-annotation", "content",
                                                 "meta-data" };
            const char *key = json_object_iter_key(it);
            bool is_known = false;
            for (size_t i = 0; i < sizeof known / sizeof *known; i++)
                is_known |= strncmp(key, VOCABULARY, strlen(VOCABULARY)) == 0 &&
                            strcmp(key + strlen(VOCABULARY), known[i]) == 0;
            if (!is_known && json_is_true(json_object_iter_value(it)))
                rc = fail(s, BASE_E_UNSUPPORTED, where, "$schema",
                          "its meta-schema requires a vocabulary that is not known");
        }
    json_decref(meta);
    return rc;
}

static int anchor_add(const struct agent_schema *s, struct node *n, const char *keyword,
                      const char *name, bool dynamic)
{
    struct resource *r = n->resource;
    for (size_t i = 0; i < r->n_anchors; i++)
        if (strcmp(r->anchors[i].name, name) == 0 && r->anchors[i].node != n)
            return fail(s, BASE_E_FORMAT, n, keyword, "this anchor stands in two places");
    struct anchor *grown = base_realloc(r->anchors, r->n_anchors + 1, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    r->anchors = grown;
    r->anchors[r->n_anchors++] = (struct anchor){ name, n, dynamic };
    return 0;
}

static int index_schema(struct agent_schema *s, const json_t *x, struct resource *parent,
                        char *pointer, const char *uri, int depth, struct node **out);

/* Indexes what stands under one keyword. */
static int index_children(struct agent_schema *s, struct node *n, const struct row *row, int depth)
{
    json_t *value = json_object_get(n->schema, row->name);
    enum shape shape = row->shape;
    int rc = 0;
    if (!value || shape == VALUE)
        return 0;
    if (shape == EITHER)
        shape = json_is_array(value) ? ARRAY : SCHEMA;
    if (shape == SCHEMA) {
        if (!is_schema(value))
            return fail(s, BASE_E_FORMAT, n, row->name, "expected a schema (object or boolean)");
        return index_schema(s, value, n->resource, pointer_join(n->pointer, row->name, NULL), NULL,
                            depth + 1, NULL);
    }
    if (shape == ARRAY) {
        if (!json_is_array(value))
            return fail(s, BASE_E_FORMAT, n, row->name, "expected an array of schemas");
        for (size_t i = 0; i < json_array_size(value) && !rc; i++) {
            char number[24];
            snprintf(number, sizeof number, "%zu", i);
            if (!is_schema(json_array_get(value, i)))
                return fail(s, BASE_E_FORMAT, n, row->name, "expected an array of schemas");
            rc = index_schema(s, json_array_get(value, i), n->resource,
                              pointer_join(n->pointer, row->name, number), NULL, depth + 1, NULL);
        }
        return rc;
    }
    if (!json_is_object(value))
        return fail(s, BASE_E_FORMAT, n, row->name, "expected an object of schemas");
    for (void *it = json_object_iter(value); it && !rc; it = json_object_iter_next(value, it)) {
        const json_t *child = json_object_iter_value(it);
        if (shape == MIXED && json_is_array(child))
            continue;
        if (!is_schema(child))
            return fail(s, BASE_E_FORMAT, n, row->name, "expected an object of schemas");
        rc = index_schema(s, child, n->resource,
                          pointer_join(n->pointer, row->name, json_object_iter_key(it)), NULL,
                          depth + 1, NULL);
    }
    return rc;
}

/* Makes the nodes of x and all schemas in it. pointer is taken over. uri, for the root of a
 * document: where it was found; parent, otherwise: the resource around x. */
static int index_schema(struct agent_schema *s, const json_t *x, struct resource *parent,
                        char *pointer, const char *uri, int depth, struct node **out)
{
    struct node *n = node_find(s, x);
    if (n || (parent && json_is_boolean(x))) { /* true and false become nodes where they are used */
        base_free(pointer);
        if (out)
            *out = n;
        return 0;
    }
    int rc = node_add(s, x, parent, pointer, &n);
    if (rc)
        return rc;
    if (out)
        *out = n;
    if (depth > DEPTH_MOST)
        return base_error_set(BASE_E_LIMIT, "%s: schemas are nested more than %d deep", s->name,
                              DEPTH_MOST);
    const char *id = json_string_value(json_object_get(x, "$id"));
    /* draft-07: whatever stands beside $ref is not read, and "#name" is an anchor */
    if (id && parent && parent->draft7 && (json_object_get(x, "$ref") || id[0] == '#'))
        id = NULL;
    if (!parent || id) {
        struct resource *r = base_alloc_zero(1, sizeof *r);
        struct resource **grown = base_realloc(s->resources, s->n_resources + 1, sizeof *grown);
        if (grown)
            s->resources = grown;
        if (!r || !grown) {
            base_free(r);
            return BASE_E_MEMORY;
        }
        s->resources[s->n_resources++] = r;
        const char *base = parent ? parent->uri : uri;
        if (!(r->uri = id ? agent_uri_resolve(base, id) : base_strdup(base ? base : "")))
            return BASE_E_MEMORY;
        r->root = n;
        n->resource = r;
        char *root = base_strdup("");
        if (!root)
            return BASE_E_MEMORY;
        base_free(n->pointer);
        n->pointer = root;
        if ((rc = dialect(s, x, r, parent, n)))
            return rc;
    }
    if (!json_is_object(x))
        return 0;
    struct resource *r = n->resource;
    const char *name;
    if (r->draft7) {
        if ((name = json_string_value(json_object_get(x, "$id"))) && name[0] == '#' && name[1] &&
            !json_object_get(x, "$ref") && (rc = anchor_add(s, n, "$id", name + 1, false)))
            return rc;
    } else {
        if ((name = json_string_value(json_object_get(x, "$anchor"))) &&
            (rc = anchor_add(s, n, "$anchor", name, false)))
            return rc;
        if ((name = json_string_value(json_object_get(x, "$dynamicAnchor"))) &&
            (rc = anchor_add(s, n, "$dynamicAnchor", name, true)))
            return rc;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !rc; i++)
        if (applies(&rows[i], r))
            rc = index_children(s, n, &rows[i], depth);
    for (size_t i = 0; i < sizeof holders / sizeof *holders && !rc; i++)
        if (applies(&holders[i], r))
            rc = index_children(s, n, &holders[i], depth);
    return rc;
}

/* ---- references ---- */

struct node *agent_schema_dynamic(const struct resource *r, const char *name)
{
    for (size_t i = 0; i < r->n_anchors; i++)
        if (r->anchors[i].dynamic && strcmp(r->anchors[i].name, name) == 0)
            return r->anchors[i].node;
    return NULL;
}

static int resource_load(struct agent_schema *s, const char *uri, struct resource **out)
{
    json_t *json = document_find(s, uri);
    *out = NULL;
    if (!json)
        return 0;
    json_t **grown = base_realloc(s->documents, s->n_documents + 1, sizeof(json_t *));
    if (!grown) {
        json_decref(json);
        return BASE_E_MEMORY;
    }
    s->documents = grown;
    s->documents[s->n_documents++] = json;
    struct node *root;
    int rc = index_schema(s, json, NULL, base_strdup(""), uri, 0, &root);
    if (!rc)
        *out = root->resource;
    return rc;
}

/* The schema at a JSON pointer below a resource's root. It may be a place that no keyword leads to:
 * it becomes a schema of the innermost resource on the way. */
static int pointer_follow(struct agent_schema *s, struct resource *r, const char *pointer,
                          struct node **out)
{
    const json_t *x = r->root->schema;
    const char *whole = pointer;
    *out = NULL;
    while (*pointer == '/') {
        size_t n = 1 + strcspn(pointer + 1, "/"), m = 0;
        char *step = base_alloc(n, 1);
        if (!step)
            return BASE_E_MEMORY;
        for (size_t i = 1; i < n; i++) {
            char c = pointer[i];
            if (c == '~' && i + 1 < n && (pointer[i + 1] == '0' || pointer[i + 1] == '1'))
                c = pointer[++i] == '0' ? '~' : '/';
            step[m++] = c;
        }
        step[m] = 0;
        if (json_is_array(x)) {
            char *end;
            unsigned long i = strtoul(step, &end, 10);
            x = m && !*end && step[0] >= '0' && step[0] <= '9' ? json_array_get(x, i) : NULL;
        } else {
            x = json_object_getn(x, step, m);
        }
        base_free(step);
        if (!x)
            return 0;
        struct node *inside = node_find(s, x);
        if (inside)
            r = inside->resource;
        pointer += n;
    }
    if (!is_schema(x))
        return 0;
    return json_is_boolean(x) ? node_add(s, x, r, base_strdup(whole), out)
                              : index_schema(s, x, r, base_strdup(whole), NULL, 1, out);
}

/* Where a reference of n leads. */
static int reference(struct agent_schema *s, const struct node *n, const char *keyword,
                     const char *text, struct node **out, bool *dynamic)
{
    char *uri = agent_uri_resolve(n->resource->uri, text), *fragment = agent_uri_fragment(text);
    int rc = uri && fragment ? 0 : BASE_E_MEMORY;
    *out = NULL;
    if (!rc) {
        struct resource *r = text[0] == '#' ? n->resource : resource_find(s, uri);
        if (!r)
            rc = resource_load(s, uri, &r);
        if (!rc && !r) {
            rc = base_error_set(BASE_E_UNSUPPORTED,
                                "%s: schema%s%s#%s/%s: no document %s is here, and nothing is "
                                "fetched: give it with the schema",
                                s->name, *n->resource->uri ? " " : "", n->resource->uri, n->pointer,
                                keyword, uri);
        } else if (!rc && (fragment[0] == 0 || fragment[0] == '/')) {
            rc = pointer_follow(s, r, fragment, out);
        } else if (!rc) {
            for (size_t i = 0; i < r->n_anchors; i++)
                if (strcmp(r->anchors[i].name, fragment) == 0) {
                    *out = r->anchors[i].node;
                    *dynamic |= r->anchors[i].dynamic;
                }
        }
        if (!rc && !*out)
            rc = base_error_set(BASE_E_FORMAT, "%s: schema%s%s#%s/%s: \"%s\" leads nowhere",
                                s->name, *n->resource->uri ? " " : "", n->resource->uri, n->pointer,
                                keyword, text);
    }
    base_free(uri);
    base_free(fragment);
    return rc;
}

/* ---- keywords ---- */

static int keyword_add(struct node *n, const struct row *row, const json_t *value,
                       struct keyword **out)
{
    struct keyword *grown = base_realloc(n->keyword, n->n_keywords + 1, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    n->keyword = grown;
    *out = &n->keyword[n->n_keywords++];
    **out = (struct keyword){ .kind = row->kind, .name = row->name, .value = value };
    return 0;
}

/* Room for n children (and keys, patterns). */
static int keyword_room(struct keyword *k, size_t n, bool keys, bool patterns)
{
    if (!(k->child = base_alloc_zero(n, sizeof *k->child)) ||
        (keys && !(k->key = base_alloc_zero(n, sizeof *k->key))) ||
        (patterns && !(k->pattern = base_alloc_zero(n, sizeof(struct agent_pattern *)))))
        return BASE_E_MEMORY;
    return 0;
}

/* The node of a child value; true and false get one here. */
static int child_of(struct agent_schema *s, struct node *n, const json_t *value,
                    const char *keyword, const char *key, struct node **out)
{
    if ((*out = node_find(s, value)))
        return 0;
    return node_add(s, value, n->resource, pointer_join(n->pointer, keyword, key), out);
}

static int compile_children(struct agent_schema *s, struct node *n, struct keyword *k,
                            enum shape shape)
{
    json_t *value = (json_t *)k->value;
    int rc = 0;
    if (shape == SCHEMA) {
        if ((rc = keyword_room(k, 3, false, false)))
            return rc;
        k->n = 1;
        return child_of(s, n, value, k->name, NULL, &k->child[0]);
    }
    if (shape == ARRAY) {
        if ((rc = keyword_room(k, json_array_size(value), false, false)))
            return rc;
        for (size_t i = 0; i < json_array_size(value) && !rc; i++) {
            char number[24];
            snprintf(number, sizeof number, "%zu", i);
            rc = child_of(s, n, json_array_get(value, i), k->name, number, &k->child[k->n++]);
        }
        return rc;
    }
    bool patterns = k->kind == KEYWORD_PATTERN_PROPERTIES;
    if ((rc = keyword_room(k, json_object_size(value), true, patterns)))
        return rc;
    for (void *it = json_object_iter(value); it && !rc; it = json_object_iter_next(value, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *child = json_object_iter_value(it);
        size_t i = k->n++;
        k->key[i] = key;
        if (patterns && (rc = agent_pattern_compile(&k->pattern[i], key)))
            return base_error_prefix(rc, "%s: schema%s#%s/%s", s->name, n->resource->uri,
                                     n->pointer, k->name);
        if (is_schema(child)) /* else draft-07's list of names */
            rc = child_of(s, n, child, k->name, key, &k->child[i]);
    }
    return rc;
}

static int by_kind(const void *a, const void *b)
{
    const struct keyword *x = a, *y = b;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

static int compile_keyword(struct agent_schema *s, struct node *n, const struct row *row,
                           const json_t *value)
{
    struct keyword *k;
    int rc = keyword_add(n, row, value, &k);
    if (rc)
        return rc;
    if (row->kind == KEYWORD_REF || row->kind == KEYWORD_DYNAMIC_REF) {
        const char *text = json_string_value(value);
        bool dynamic = false;
        struct node *to;
        if (!text)
            return fail(s, BASE_E_FORMAT, n, row->name, "expected a string");
        if ((rc = keyword_room(k, 1, false, false)))
            return rc;
        if ((rc = reference(s, n, row->name, text, &to, &dynamic)))
            return rc;
        k->child[0] = to;
        k->n = 1;
        if (row->kind == KEYWORD_DYNAMIC_REF && dynamic)
            k->anchor = strchr(text, '#') + 1;
        return 0;
    }
    if (row->kind == KEYWORD_PATTERN) {
        if (!json_is_string(value))
            return fail(s, BASE_E_FORMAT, n, row->name, "expected a string");
        if ((rc = keyword_room(k, 1, false, true)))
            return rc;
        k->n = 1;
        if ((rc = agent_pattern_compile(&k->pattern[0], json_string_value(value))))
            return base_error_prefix(rc, "%s: schema%s#%s/%s", s->name, n->resource->uri,
                                     n->pointer, k->name);
        return 0;
    }
    k->number = json_is_number(value) ? json_number_value(value) : 0;
    s->tracks |=
        row->kind == KEYWORD_UNEVALUATED_ITEMS || row->kind == KEYWORD_UNEVALUATED_PROPERTIES;
    if (row->shape == VALUE)
        return 0;
    enum shape shape = row->shape;
    if (shape == EITHER) {
        shape = json_is_array(value) ? ARRAY : SCHEMA;
        if (shape == ARRAY)
            k->kind = KEYWORD_PREFIX_ITEMS;
    } else if (shape == MIXED) {
        shape = OBJECT;
    }
    if ((rc = compile_children(s, n, k, shape)))
        return rc;
    if (row->kind == KEYWORD_IF) {
        const json_t *then = json_object_get(n->schema, "then");
        const json_t *otherwise = json_object_get(n->schema, "else");
        if (then && (rc = child_of(s, n, then, "then", NULL, &k->child[1])))
            return rc;
        if (otherwise && (rc = child_of(s, n, otherwise, "else", NULL, &k->child[2])))
            return rc;
    }
    return 0;
}

static int compile_node(struct agent_schema *s, struct node *n)
{
    const struct resource *r = n->resource;
    n->compiled = true;
    if (!json_is_object(n->schema))
        return 0;
    bool alone = r->draft7 && json_object_get(n->schema, "$ref");
    bool pair = json_is_array(json_object_get(n->schema, "items"));
    int rc = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !rc; i++) {
        const json_t *value = json_object_get(n->schema, rows[i].name);
        if (!value || !applies(&rows[i], r) || (rows[i].validation && !r->validates) ||
            (alone && rows[i].kind != KEYWORD_REF))
            continue;
        /* additionalItems means something behind an array of items only */
        if (strcmp(rows[i].name, "additionalItems") == 0 && !pair)
            continue;
        rc = compile_keyword(s, n, &rows[i], value);
    }
    if (!rc && n->n_keywords > 1)
        qsort(n->keyword, n->n_keywords, sizeof *n->keyword, by_kind);
    return rc;
}

/* ---- the whole ---- */

/* The message for what the meta-schema says against a schema. */
static int held_against(const struct agent_schema *s, const struct agent_schema *meta,
                        const json_t *schema)
{
    json_t *errors = NULL;
    int rc = agent_schema_check(meta, schema, &errors);
    if (rc == 1) {
        rc = 0;
    } else if (rc == 0) {
        const json_t *first = json_array_get(errors, 0);
        const char *at = json_string_value(json_object_get(first, "instance"));
        const char *message = json_string_value(json_object_get(first, "message"));
        rc = base_error_set(BASE_E_FORMAT, "%s: schema#%s: not a valid schema: %s", s->name,
                            at ? at : "", message ? message : "");
    }
    json_decref(errors);
    return rc;
}

/* The schema against the meta-schema that its "$schema" names. */
static int check_itself(const struct agent_schema *s, const json_t *schema,
                        const struct agent_schema_options *o)
{
    const char *name = json_string_value(json_object_get(schema, "$schema"));
    if (!name && o && o->meta)
        return held_against(s, o->meta, schema);
    char *uri = agent_uri_resolve(NULL, name ? name : DIALECT_2020);
    json_t *meta = uri ? document_find(s, uri) : NULL;
    struct agent_schema *compiled = NULL;
    struct agent_schema_options options = { .documents = o ? o->documents : NULL,
                                            .n_documents = o ? o->n_documents : 0,
                                            .unchecked = true };
    int rc = meta ? agent_schema_compile(&compiled, meta, s->name, &options) : BASE_E_MEMORY;
    if (!rc)
        rc = held_against(s, compiled, schema);
    base_free(uri);
    json_decref(meta);
    agent_schema_free(compiled);
    return rc;
}

int agent_schema_compile_meta(struct agent_schema **out)
{
    static const struct agent_schema_options unchecked = { .unchecked = true };
    const struct agent_schema nothing = { 0 };
    json_t *meta = document_find(&nothing, DIALECT_2020);
    int rc = meta ? agent_schema_compile(out, meta, "meta-schema", &unchecked) : BASE_E_MEMORY;
    json_decref(meta);
    return rc;
}

int agent_schema_compile(struct agent_schema **out, json_t *schema, const char *name,
                         const struct agent_schema_options *options)
{
    if (!is_schema(schema))
        return base_error_set(BASE_E_FORMAT, "%s: a schema is an object or a boolean, not %s", name,
                              json_is_array(schema)    ? "an array"
                              : json_is_string(schema) ? "a string"
                              : json_is_number(schema) ? "a number"
                                                       : "null");
    struct agent_schema *s = base_alloc_zero(1, sizeof *s);
    int rc =
        s && (s->name = base_strdup(name)) && (s->documents = base_alloc_zero(1, sizeof(json_t *)))
            ? 0
            : BASE_E_MEMORY;
    if (rc)
        goto out;
    s->documents[s->n_documents++] = json_incref(schema);
    s->depth = options && options->depth ? options->depth : 512;
    s->steps = options && options->steps ? options->steps : 10000000;
    if (options) {
        s->given = (struct agent_schema_document *)options->documents;
        s->n_given = options->n_documents;
    }
    char *base = agent_uri_resolve(NULL, options && options->base ? options->base : "");
    rc = base ? index_schema(s, schema, NULL, base_strdup(""), base, 0, &s->root) : BASE_E_MEMORY;
    base_free(base);
    if (!rc && !(options && options->unchecked))
        rc = check_itself(s, schema, options);
    /* compiling a node may add nodes */
    for (size_t i = 0; i < s->n_nodes && !rc; i++)
        if (!s->nodes[i]->compiled)
            rc = compile_node(s, s->nodes[i]);
    s->given = NULL;
    s->n_given = 0;
out:
    if (rc)
        agent_schema_free(s);
    else
        *out = s;
    return rc;
}

void agent_schema_free(struct agent_schema *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_nodes; i++) {
        struct node *n = s->nodes[i];
        for (size_t k = 0; k < n->n_keywords; k++) {
            for (size_t j = 0; n->keyword[k].pattern && j < n->keyword[k].n; j++)
                agent_pattern_free(n->keyword[k].pattern[j]);
            base_free(n->keyword[k].pattern);
            base_free(n->keyword[k].child);
            base_free(n->keyword[k].key);
        }
        base_free(n->keyword);
        base_free(n->pointer);
        base_free(n);
    }
    base_free(s->nodes);
    base_free(s->table);
    for (size_t i = 0; i < s->n_resources; i++) {
        base_free(s->resources[i]->uri);
        base_free(s->resources[i]->anchors);
        base_free(s->resources[i]);
    }
    base_free(s->resources);
    for (size_t i = 0; i < s->n_documents; i++)
        json_decref(s->documents[i]);
    base_free(s->documents);
    base_free(s->name);
    base_free(s);
}
