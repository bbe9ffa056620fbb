/* schema: JSON Schema, draft 2020-12 and draft-07 (what tools of today declare).
 *
 * A schema is compiled once: references are resolved, patterns translated and compiled, so that a
 * schema which cannot be used is refused before the first instance. Nothing is ever fetched: a
 * reference leads into the schema itself, into a document that the caller gives, or into the
 * meta-schemas, which are built in. `format` and the content keywords are annotations, as 2020-12
 * has it. Source: https://json-schema.org/draft/2020-12 (Core, Validation), draft-07 the same. */
#ifndef ASSAY_SCHEMA_H
#define ASSAY_SCHEMA_H
#include <assay/base.h>
#include <jansson.h>
#include <stdbool.h>

struct agent_schema;
struct agent_schema_document {
    const char *uri; /* absolute, without a fragment */
    json_t *json;    /* borrowed for the call that takes it */
};
struct agent_schema_options {
    const struct agent_schema_document *documents; /* what references may lead to */
    size_t n_documents;
    const char *base; /* URI of the schema itself where it has no "$id"; NULL = none */
    bool unchecked;   /* do not hold the schema itself against its meta-schema */
    /* For many schemas: what agent_schema_compile_meta made, which a schema without "$schema" is
     * then held against instead of a meta-schema compiled for it alone. NULL = none. */
    const struct agent_schema *meta;
    unsigned depth; /* most schemas inside one another while an instance is checked; 0 = 512 */
    uint64_t steps; /* most schemas applied to one instance, 0 = 10 million */
};
/* Compiles; takes its own references of the schema and the documents, which must not change while
 * *out lives. name is for messages ("tool weather"). options NULL = all zero.
 * BASE_E_FORMAT: the schema breaks its meta-schema or holds a pattern that is none;
 * BASE_E_UNSUPPORTED: another dialect, a required vocabulary that is not known, a reference to a
 * document that was not given. The message names the place as a JSON pointer. */
int agent_schema_compile(struct agent_schema **out, json_t *schema, const char *name,
                         const struct agent_schema_options *options);
/* The meta-schema of draft 2020-12. */
int agent_schema_compile_meta(struct agent_schema **out);
void agent_schema_free(struct agent_schema *s); /* NULL is fine */

/* 1: valid. 0: not; *errors (may be NULL) becomes a new array of at most 32 objects
 *   {"instance": JSON pointer, "schema": URI reference of the keyword, "message": text}.
 * BASE_E_LIMIT: too deep, too many steps, or a pattern that takes too long: not an answer, and to
 * be treated as invalid. Safe to call from several threads at once. */
int agent_schema_check(const struct agent_schema *s, const json_t *instance, json_t **errors);

/* ---- the JSON Schema Test Suite's files ---- */

struct agent_schema_suite {
    uint64_t files, groups, passed, failed;
    json_t *failures; /* {"file", "group", "test", "expected", "message"} of at most 100 */
};
/* Runs all groups of DIR's *.json (not of its subdirectories), in order of their names. remotes:
 * the directory whose files references to http://localhost:1234/ mean; NULL = the one named
 * "remotes" beside DIR or one of its parents, if there is one. The caller drops failures
 * (json_decref). A file that is no suite is an error. */
int agent_schema_suite_run(const char *dir, const char *remotes, struct agent_schema_suite *out);

/* Equality of JSON Schema: numbers by value (1 and 1.0), objects without order. */
bool agent_json_equal(const json_t *a, const json_t *b);
#endif
