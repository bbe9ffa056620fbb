/* A growable run of bytes; always NUL-terminated one past length, so data works as a C string.
 * Start with `struct base_buffer b = {0};`, end with base_buffer_free. A failed append returns
 * BASE_E_MEMORY and leaves the buffer as it was. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H
#include <stdarg.h>
#include <stddef.h>

struct base_buffer {
    char *data;      /* NULL until the first append */
    size_t length;   /* bytes used, without the NUL */
    size_t capacity; /* bytes allocated */
};
int base_buffer_append(struct base_buffer *b, const void *data, size_t n);
int base_buffer_puts(struct base_buffer *b, const char *s);
int base_buffer_printf(struct base_buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int base_buffer_reserve(struct base_buffer *b, size_t more);
void base_buffer_clear(struct base_buffer *b); /* length 0, memory kept */
void base_buffer_free(struct base_buffer *b);
/* Hands the string to the caller (free with base_free) and empties b; never NULL unless memory is
 * out. */
char *base_buffer_take(struct base_buffer *b);
#endif
