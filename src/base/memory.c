/* Allocation: malloc with checked arithmetic, a count of live blocks, and a switch that makes the
 * n-th allocation fail.
 *
 * Invariant: live = blocks handed out and not yet freed, over all functions here. Blocks are plain
 * malloc blocks, so that libraries with allocation hooks (jansson) can be routed through here too.
 */
#include "base/memory.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CACHE_LINE = 64, PAGE = 4096, HUGE_PAGE = 2 << 20, SHARED_LEAST = 64 << 10 };

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

/* Fresh zeroed memory, 2 MiB aligned and asked to be huge pages; bytes is a multiple of the page.
 * Advice only: a kernel without huge pages is slower, not wrong. NULL, no message. */
static void *map_huge(size_t bytes)
{
    /* A map one huge page too long holds an aligned block of the wanted length; the ends go back.
     */
    size_t padded = bytes + HUGE_PAGE;
    char *map = mmap(NULL, padded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    size_t head = (HUGE_PAGE - (uintptr_t)map % HUGE_PAGE) % HUGE_PAGE;
    if (head)
        munmap(map, head);
    munmap(map + head + bytes, HUGE_PAGE - head);
    madvise(map + head, bytes, MADV_HUGEPAGE);
    return map + head;
}

/* bytes rounded up to whole pages, with room for an alignment; -1 on overflow */
static int whole_pages(size_t bytes, size_t *out)
{
    size_t padded;
    if (base_add_size(bytes, HUGE_PAGE + PAGE, &padded))
        return -1;
    *out = (bytes + PAGE - 1) / PAGE * PAGE;
    return 0;
}

static void *allocate_large(size_t bytes)
{
    size_t whole;
    void *p = NULL;
    if (bytes < HUGE_PAGE) {
        size_t lines = (bytes + CACHE_LINE - 1) / CACHE_LINE;
        lines += lines == 0;
        p = aligned_alloc(CACHE_LINE, lines * CACHE_LINE);
        if (p)
            memset(p, 0, lines * CACHE_LINE);
    } else if (!whole_pages(bytes, &whole)) {
        p = map_huge(whole);
    }
    if (!p)
        return out_of_memory(bytes, 1);
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return p;
}

void *base_alloc_large(size_t bytes)
{
    return must_fail() ? out_of_memory(bytes, 1) : allocate_large(bytes);
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
        munmap(p, (bytes + PAGE - 1) / PAGE * PAGE);
    }
}

/* ---- blocks side by side in huge pages ----
 * A region is address space, filled from its start; its memory comes when it is first written.
 * Freed blocks give their pages back but not their place; the last one frees the region. */
#define REGION ((size_t)1 << 30)
struct region {
    struct region *next;
    char *begin;
    size_t bytes, used, blocks;
};
static pthread_mutex_t regions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct region *regions; /* the newest first: the one that is being filled */

static void *region_take(size_t whole)
{
    struct region *r = regions;
    if (!r || r->bytes - r->used < whole) {
        if (!(r = malloc(sizeof *r)))
            return NULL;
        *r = (struct region){ .next = regions, .bytes = whole > REGION ? whole : REGION };
        if (!(r->begin = map_huge(r->bytes))) {
            free(r);
            return NULL;
        }
        regions = r;
    }
    void *p = r->begin + r->used;
    r->used += whole;
    r->blocks++;
    return p;
}

void *base_alloc_streamed(size_t bytes)
{
    size_t whole;
    void *p = NULL;
    if (must_fail() || whole_pages(bytes, &whole))
        return out_of_memory(bytes, 1);
    if (bytes >= SHARED_LEAST) {
        pthread_mutex_lock(&regions_lock);
        p = region_take(whole);
        pthread_mutex_unlock(&regions_lock);
    }
    if (!p) /* small, or so much address space is not to be had */
        return allocate_large(bytes);
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return p;
}

/* Whether p was in a region, and is now given back. */
static int region_give(char *p, size_t whole)
{
    struct region **at = &regions;
    while (*at && !(p >= (*at)->begin && p < (*at)->begin + (*at)->used))
        at = &(*at)->next;
    struct region *r = *at;
    if (!r)
        return 0;
    if (--r->blocks) {
        madvise(p, whole, MADV_DONTNEED);
    } else {
        *at = r->next;
        munmap(r->begin, r->bytes);
        free(r);
    }
    return 1;
}

void base_free_streamed(void *p, size_t bytes)
{
    if (!p)
        return;
    pthread_mutex_lock(&regions_lock);
    int found = region_give(p, (bytes + PAGE - 1) / PAGE * PAGE);
    pthread_mutex_unlock(&regions_lock);
    if (found)
        atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    else
        base_free_large(p, bytes);
}

void base_alloc_fail_after(long n)
{
    atomic_store(&fail_countdown, n > 0 ? n : 0);
}

long base_alloc_live(void)
{
    return atomic_load(&live_blocks);
}
