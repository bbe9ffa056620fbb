/* Allocation. Every allocation of the library goes through here, so that tests can make the n-th
 * one fail (base_alloc_fail_after) and see that nothing leaks or crashes. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H
#include <assay/base.h>

/* n*size bytes, checked for overflow; NULL after base_error_set(BASE_E_MEMORY). n*size == 0 gives a
 * valid pointer. _zero: zero-filled. Free with base_free (NULL is fine). */
void *base_alloc(size_t n, size_t size);
void *base_alloc_zero(size_t n, size_t size);
/* bytes for a library that does not survive a failed allocation: counted as live, but passed by
 * when a test makes allocations fail. */
void *base_alloc_steady(size_t bytes);
/* Grows or shrinks; on failure returns NULL and the old block stays valid. */
void *base_realloc(void *p, size_t n, size_t size);
char *base_strdup(const char *s);
char *base_strndup(const char *s, size_t n);
char *base_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void base_free(void *p);

/* Large numeric blocks: 64-byte aligned, zero-filled; from 2 MiB on they are 2 MiB aligned and
 * asked to be huge pages (streaming weights through 4 KiB pages costs 1.6-1.8x). Free with
 * base_free_large, which needs the same byte count. */
void *base_alloc_large(size_t bytes);
void base_free_large(void *p, size_t bytes);
/* The same for blocks that are read from end to end again and again (weights): from 64 KiB on they
 * lie one after the other in shared regions of huge pages, so that small matrices get them too.
 * Page-aligned, zero-filled; a freed block's memory goes back at once. */
void *base_alloc_streamed(size_t bytes);
void base_free_streamed(void *p, size_t bytes);

/* Checked size arithmetic: 0 and *out set, or -1 on overflow (no message set). */
int base_mul_size(size_t a, size_t b, size_t *out);
int base_add_size(size_t a, size_t b, size_t *out);

/* For tests: the n-th allocation from now (1 = next) fails once; 0 turns it off. */
void base_alloc_fail_after(long n);
/* For tests: number of live blocks (base_alloc* not yet freed). */
long base_alloc_live(void);
#endif
