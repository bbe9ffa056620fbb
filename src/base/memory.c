/* Allocation: malloc with checked arithmetic, a count of live blocks, and a switch that makes the
 * n-th allocation fail.
 *
 * Invariant: live = blocks handed out and not yet freed, over all functions here. Blocks are plain
 * malloc blocks, so that libraries with allocation hooks (jansson) can be routed through here too.
 */
#include "base/memory.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

static atomic_long live_blocks;
static atomic_long
    fail_countdown; /* 0 = off, else the number of allocations until the one that fails */

int base_mul_size(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out) ? -1 : 0;
}

int base_add_size(size_t a, size_t b, size_t *out)
{
    return __builtin_add_overflow(a, b, out) ? -1 : 0;
}

/* True when this allocation is the one that a test wants to fail. */
static int must_fail(void)
{
    return atomic_load_explicit(&fail_countdown, memory_order_relaxed) > 0 &&
           atomic_fetch_sub(&fail_countdown, 1) == 1;
}

static void *out_of_memory(size_t n, size_t size)
{
    base_error_set(BASE_E_MEMORY, "out of memory: could not get %zu x %zu bytes", n, size);
    return NULL;
}

static void *allocate(size_t n, size_t size, int zero, int steady)
{
    size_t bytes;
    if (base_mul_size(n, size, &bytes) || bytes > PTRDIFF_MAX || (!steady && must_fail())) {
        return out_of_memory(n, size);
    }
    bytes += bytes == 0;
    void *p = zero ? calloc(1, bytes) : malloc(bytes);
    if (!p) {
        return out_of_memory(n, size);
    }
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return p;
}

void *base_alloc(size_t n, size_t size)
{
    return allocate(n, size, 0, 0);
}

void *base_alloc_steady(size_t bytes)
{
    return allocate(bytes, 1, 0, 1);
}

void *base_alloc_zero(size_t n, size_t size)
{
    return allocate(n, size, 1, 0);
}

void *base_realloc(void *p, size_t n, size_t size)
{
    if (!p) {
        return base_alloc(n, size);
    }
    size_t bytes;
    if (base_mul_size(n, size, &bytes) || bytes > PTRDIFF_MAX || must_fail()) {
        return out_of_memory(n, size);
    }
    void *q = realloc(p, bytes + (bytes == 0));
    return q ? q : out_of_memory(n, size);
}

void base_free(void *p)
{
    if (p) {
        atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
        free(p);
    }
}

char *base_strdup(const char *s)
{
    return base_strndup(s, strlen(s));
}

char *base_strndup(const char *s, size_t n)
{
    size_t bytes;
    if (base_add_size(n, 1, &bytes)) {
        return out_of_memory(n, 1);
    }
    char *copy = base_alloc(bytes, 1);
    if (copy) {
        memcpy(copy, s, n);
        copy[n] = 0;
    }
    return copy;
}

char *base_format(const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    char *s = n < 0 ? NULL : base_alloc((size_t)n + 1, 1);
    if (s) {
        vsnprintf(s, (size_t)n + 1, format, again);
    }
    va_end(again);
    va_end(arguments);
    return s;
}

void *base_alloc_large(size_t bytes)
{
    size_t padded;
    if (base_add_size(bytes, HUGE_PAGE, &padded) || must_fail()) {
        return out_of_memory(bytes, 1);
    }
    void *p;
    if (bytes < HUGE_PAGE) {
        size_t lines = (bytes + CACHE_LINE - 1) / CACHE_LINE;
        lines += lines == 0;
        p = aligned_alloc(CACHE_LINE, lines * CACHE_LINE);
        if (!p) {
            return out_of_memory(bytes, 1);
        }
        memset(p, 0, lines * CACHE_LINE);
    } else {
        /* A map one huge page too long holds an aligned block of the wanted length; the ends go
         * back. */
        char *map = mmap(NULL, padded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED) {
            return out_of_memory(bytes, 1);
        }
        size_t head = (HUGE_PAGE - (uintptr_t)map % HUGE_PAGE) % HUGE_PAGE;
        size_t page = 4096, kept = (bytes + page - 1) / page * page;
        if (head) {
            munmap(map, head);
        }
        if (padded > head + kept) {
            munmap(map + head + kept, padded - head - kept);
        }
        p = map + head;
        madvise(p, kept,
                MADV_HUGEPAGE); /* advice only: a kernel without huge pages is slower, not wrong */
    }
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return p;
}

void base_free_large(void *p, size_t bytes)
{
    if (!p) {
        return;
    }
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    if (bytes < HUGE_PAGE) {
        free(p);
    } else {
        munmap(p, (bytes + 4095) / 4096 * 4096);
    }
}

void base_alloc_fail_after(long n)
{
    atomic_store(&fail_countdown, n > 0 ? n : 0);
}

long base_alloc_live(void)
{
    return atomic_load(&live_blocks);
}
