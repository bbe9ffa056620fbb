/* Values out of rows (JSON objects from any record file) by a name a user gave: a key, a path of
 * keys with dots ("doc.prompt"; a key that holds the dots itself goes first), or a pattern of text
 * with such names in braces ("{prompt} {answer}."; "{{" is a brace). */
#ifndef EVAL_FIELDS_H
#define EVAL_FIELDS_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Borrowed; NULL when absent or null. */
const json_t *eval_field_find(const json_t *row, const char *name);
/* As text: strings as they are, numbers and booleans as JSON writes them. New string (base_free).
 * Absent, or a list or object: BASE_E_FORMAT naming `where`, the name and the keys there are. */
int eval_field_text(const json_t *row, const char *name, const char *where, char **text);
/* The same of a pattern; a pattern without braces is a name. */
int eval_field_fill(const json_t *row, const char *pattern, const char *where, char **text);
/* A number, or a string that is one; booleans are 0 and 1. */
int eval_field_number(const json_t *row, const char *name, const char *where, double *out);
/* The first of the names (NULL at the end) that row has, else NULL. */
const char *eval_field_first(const json_t *row, const char *const *names);
#endif
