/* The growable buffer. Invariant: data == NULL, or capacity > length and data[length] == 0. Growth
 * is by half, so n appends cost O(n) in all. */
#include "base/buffer.h"
#include "base/memory.h"
#include <stdio.h>
#include <string.h>

int base_buffer_reserve(struct base_buffer *b, size_t more)
{
    size_t need;
    if (base_add_size(b->length, more, &need) || base_add_size(need, 1, &need)) {
        return base_error_set(BASE_E_MEMORY, "out of memory: a buffer of %zu + %zu bytes",
                              b->length, more);
    }
    if (need <= b->capacity) {
        return 0;
    }
    size_t grown = b->capacity + b->capacity / 2;
    size_t capacity = need > grown ? need : grown;
    if (capacity < 64) {
        capacity = 64;
    }
    char *data = base_realloc(b->data, capacity, 1);
    if (!data) {
        return BASE_E_MEMORY;
    }
    b->data = data;
    b->capacity = capacity;
    b->data[b->length] = 0;
    return 0;
}

int base_buffer_append(struct base_buffer *b, const void *data, size_t n)
{
    int rc = base_buffer_reserve(b, n);
    if (rc) {
        return rc;
    }
    if (n) {
        memcpy(b->data + b->length, data, n);
    }
    b->length += n;
    b->data[b->length] = 0;
    return 0;
}

int base_buffer_puts(struct base_buffer *b, const char *s)
{
    return base_buffer_append(b, s, strlen(s));
}

int base_buffer_printf(struct base_buffer *b, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    int rc = n < 0 ? base_error_set(BASE_E_ARGUMENT, "text cannot be formatted")
                   : base_buffer_reserve(b, (size_t)n);
    if (!rc) {
        vsnprintf(b->data + b->length, (size_t)n + 1, format, again);
        b->length += (size_t)n;
    }
    va_end(again);
    va_end(arguments);
    return rc;
}

void base_buffer_clear(struct base_buffer *b)
{
    b->length = 0;
    if (b->data) {
        b->data[0] = 0;
    }
}

void base_buffer_free(struct base_buffer *b)
{
    base_free(b->data);
    *b = (struct base_buffer){ 0 };
}

char *base_buffer_take(struct base_buffer *b)
{
    if (base_buffer_reserve(b, 0)) { /* the string of an empty buffer is "" */
        return NULL;
    }
    char *s = b->data;
    *b = (struct base_buffer){ 0 };
    return s;
}
