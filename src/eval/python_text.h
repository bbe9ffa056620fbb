/* Text as Python gives it: lm-eval's prompts and hashes depend on str(), repr(), json.dumps(),
 * str.strip() and str.isspace(), so these are the same here, character by character. */
#ifndef EVAL_PYTHON_TEXT_H
#define EVAL_PYTHON_TEXT_H
#include "base/buffer.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* repr(float): the shortest digits that read back as the same double; out holds 32 bytes. */
void python_float(double x, char out[32]);
/* Appends str(value): a string as it is, else what repr() gives. 0 or BASE_E_MEMORY. */
int python_str(struct base_buffer *b, const json_t *value);
int python_repr(struct base_buffer *b, const json_t *value);
/* Appends json.dumps(value, indent=2, ensure_ascii=False). */
int python_json(struct base_buffer *b, const json_t *value);

bool python_isspace(uint32_t code);
/* len(s): code points. */
size_t python_length(const char *s);
bool python_begins_with_space(const char *s);
bool python_ends_with_space(const char *s);
/* s.strip(): the part of s without white space at its ends; *n is its length in bytes. */
const char *python_strip(const char *s, size_t *n);
/* s.lower() and s.upper() by simple case mappings and the sharp s; new string. */
char *python_lower(const char *s);
char *python_upper(const char *s);
/* One or more ASCII digits and nothing else. */
bool python_isdigit(const char *s);
#endif
