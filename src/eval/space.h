/* White space as Python's str methods and re's \s have it: what lm-eval's counts rest on. */
#ifndef EVAL_SPACE_H
#define EVAL_SPACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool eval_is_space(uint32_t code);
/* Length of text without the white space at its end (str.rstrip). Valid UTF-8. */
size_t eval_space_trim_end(const char *text, size_t bytes);
/* True when there is nothing but white space. */
bool eval_space_only(const char *text, size_t bytes);
#endif
