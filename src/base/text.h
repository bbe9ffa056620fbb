/* UTF-8 and small string helpers. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one code point from s[0..n): returns its length 1-4, or 0 when the bytes are not valid
 * UTF-8 (overlong, surrogate, > U+10FFFF, truncated) or n == 0. */
size_t base_utf8_decode(const char *s, size_t n, uint32_t *code);
/* Encodes; returns the length 1-4 (code must be a scalar value), no NUL. */
size_t base_utf8_encode(uint32_t code, char out[4]);
/* Offset of the first invalid byte, or n when all is valid. */
size_t base_utf8_invalid(const char *s, size_t n);
/* Length of the longest prefix that does not end in the middle of a possibly valid character:
 * what a stream may emit now. */
size_t base_utf8_complete(const char *s, size_t n);
/* Copy with every invalid byte sequence replaced by U+FFFD; new string (base_free). */
char *base_utf8_repair(const char *s, size_t n, size_t *length);
/* Makes s one line that a terminal can be given: control characters (also U+0080 to U+009F, of
 * which one begins a terminal's commands) become blanks, bytes that are no UTF-8 question marks. */
void base_text_clean(char *s);
/* Columns a terminal uses for s (wide East Asian characters count 2, combining 0). */
int base_utf8_columns(const char *s, size_t n);
bool base_starts_with(const char *s, const char *prefix);
bool base_ends_with(const char *s, const char *suffix);
/* Parses a whole string as a number; 0, or BASE_E_ARGUMENT with a message that names `what`. */
int base_parse_int(const char *s, const char *what, int64_t min, int64_t max, int64_t *out);
int base_parse_double(const char *s, const char *what, double *out);
#endif
