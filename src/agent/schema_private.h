/* What compiling (schema.c) and checking (schema_check.c) share. */
#ifndef AGENT_SCHEMA_PRIVATE_H
#define AGENT_SCHEMA_PRIVATE_H
#include "agent/pattern.h"
#include <assay/schema.h>

/* The keywords that decide, in the order in which they are applied: those that look at what others
 * have evaluated come last. */
enum keyword_kind {
    KEYWORD_REF,
    KEYWORD_DYNAMIC_REF,
    KEYWORD_TYPE,
    KEYWORD_ENUM,
    KEYWORD_CONST,
    KEYWORD_MULTIPLE_OF,
    KEYWORD_MAXIMUM,
    KEYWORD_EXCLUSIVE_MAXIMUM,
    KEYWORD_MINIMUM,
    KEYWORD_EXCLUSIVE_MINIMUM,
    KEYWORD_MAX_LENGTH,
    KEYWORD_MIN_LENGTH,
    KEYWORD_PATTERN,
    KEYWORD_REQUIRED,
    KEYWORD_MAX_PROPERTIES,
    KEYWORD_MIN_PROPERTIES,
    KEYWORD_DEPENDENT_REQUIRED,
    KEYWORD_PROPERTY_NAMES,
    KEYWORD_PROPERTIES,         /* keys and children side by side */
    KEYWORD_PATTERN_PROPERTIES, /* patterns and children side by side */
    KEYWORD_ADDITIONAL_PROPERTIES,
    KEYWORD_MAX_ITEMS,
    KEYWORD_MIN_ITEMS,
    KEYWORD_UNIQUE_ITEMS,
    KEYWORD_PREFIX_ITEMS, /* draft-07: "items" that is an array */
    KEYWORD_ITEMS,        /* draft-07: "items" that is a schema, or "additionalItems" */
    KEYWORD_CONTAINS,
    KEYWORD_ALL_OF,
    KEYWORD_ANY_OF,
    KEYWORD_ONE_OF,
    KEYWORD_NOT,
    KEYWORD_IF, /* children: if, then or NULL, else or NULL */
    KEYWORD_DEPENDENT_SCHEMAS,
    KEYWORD_UNEVALUATED_ITEMS,
    KEYWORD_UNEVALUATED_PROPERTIES,
};

struct keyword {
    enum keyword_kind kind;
    const char *name;    /* as it stands in the schema */
    const json_t *value; /* borrowed from the document */
    struct node **child;
    struct agent_pattern **pattern;
    const char **key;   /* [n] borrowed: properties' and dependencies' names */
    size_t n;           /* children, patterns, keys */
    double number;      /* multipleOf */
    const char *anchor; /* $dynamicRef that leads to a dynamic anchor: its name */
};

/* One schema of a document. */
struct node {
    const json_t *schema; /* an object, or true or false */
    struct resource *resource;
    char *pointer; /* from the resource's root, "" = the root */
    struct keyword *keyword;
    size_t n_keywords;
    bool compiled;
};

struct anchor {
    const char *name;
    struct node *node;
    bool dynamic;
};
/* A schema with a URI of its own ("$id"), or the root of a document. */
struct resource {
    char *uri; /* absolute, or "" */
    struct node *root;
    struct anchor *anchors;
    size_t n_anchors;
    bool draft7;
    bool validates; /* the validation vocabulary is in use */
};

struct agent_schema {
    char *name;
    struct node *root;
    struct node **nodes; /* all of them */
    size_t n_nodes, node_capacity;
    struct node **table; /* by address of their JSON object; table_size a power of two */
    size_t table_size, table_used;
    struct resource **resources;
    size_t n_resources;
    json_t **documents; /* references that keep the JSON alive */
    size_t n_documents;
    struct agent_schema_document *given; /* during compilation */
    size_t n_given;
    bool tracks; /* some schema asks what others have evaluated */
    unsigned depth;
    uint64_t steps;
};

struct node *agent_schema_dynamic(const struct resource *r, const char *name);
/* schema_value.c: whether x is a whole multiple of m, exactly on their shortest decimal forms. */
bool agent_json_multiple(double x, double m);
/* Whether no two of an array's elements are equal; negative when memory is out. */
int agent_json_unique(const json_t *array);
/* A number with no fractional part counts as an integer. */
bool agent_json_integer(const json_t *x);
#endif
