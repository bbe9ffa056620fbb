/* Allocation, errors, buffers, the byte reader, threads: the smallest parts. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/reader.h"
#include "base/text.h"
#include <setjmp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void sizes_are_checked(void **state)
{
    (void)state;
    size_t n = 5;
    assert_int_equal(base_mul_size(3, 4, &n), 0);
    assert_int_equal(n, 12);
    assert_int_equal(base_mul_size(SIZE_MAX / 2 + 1, 2, &n), -1);
    assert_int_equal(base_add_size(SIZE_MAX, 1, &n), -1);
    assert_int_equal(base_add_size(SIZE_MAX - 1, 1, &n), 0);
    long live = base_alloc_live();
    assert_null(base_alloc(SIZE_MAX / 2, 4));
    assert_non_null(strstr(base_error_message(), "out of memory"));
    assert_null(base_alloc_zero(SIZE_MAX, 1));
    assert_null(base_alloc_large(SIZE_MAX - 5));
    assert_int_equal(base_alloc_live(), live);
}

static void live_blocks_are_counted(void **state)
{
    (void)state;
    long live = base_alloc_live();
    char *a = base_alloc(0, 8), *b = base_strdup("abc"), *c = base_format("%d-%s", 7, "x");
    unsigned char *z = base_alloc_zero(100, 3);
    assert_non_null(a);
    assert_string_equal(b, "abc");
    assert_string_equal(c, "7-x");
    for (int i = 0; i < 300; i++) {
        assert_int_equal(z[i], 0);
    }
    assert_int_equal(base_alloc_live(), live + 4);
    b = base_realloc(b, 1000, 1);
    assert_string_equal(b, "abc");
    assert_int_equal(base_alloc_live(), live + 4);
    base_free(a);
    base_free(b);
    base_free(c);
    base_free(z);
    base_free(NULL);
    assert_int_equal(base_alloc_live(), live);
}

static void nth_allocation_fails_once(void **state)
{
    (void)state;
    base_alloc_fail_after(2);
    char *a = base_alloc(1, 1), *b = base_alloc(1, 1), *c = base_alloc(1, 1);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    base_alloc_fail_after(1);
    assert_null(base_realloc(a, 100, 1)); /* the old block stays */
    base_alloc_fail_after(1);
    assert_null(base_alloc_large(10));
    base_alloc_fail_after(0);
    base_free(a);
    base_free(c);
}

static void large_blocks_are_aligned_and_zero(void **state)
{
    (void)state;
    long live = base_alloc_live();
    static const size_t sizes[] = { 0, 1, 65, (2u << 20) - 1, 2u << 20, (2u << 20) + 1, 5000001 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *p = base_alloc_large(sizes[i]);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % (sizes[i] >= 2u << 20 ? 2u << 20 : 64), 0);
        for (size_t k = 0; k < sizes[i]; k += 997) {
            assert_int_equal(p[k], 0);
        }
        if (sizes[i]) {
            assert_int_equal(p[sizes[i] - 1], 0);
            memset(p, 0xAB, sizes[i]);
        }
        base_free_large(p, sizes[i]);
    }
    base_free_large(NULL, 100);
    assert_int_equal(base_alloc_live(), live);
}

/* Blocks of many sizes, freed in another order than they came: zero, apart from each other, and
 * side by side from 64 KiB on; what is freed is no longer resident. */
static void streamed_blocks_share_huge_pages(void **state)
{
    (void)state;
    enum { N = 9 };
    static const size_t sizes[N] = {
        0, 1, 65535, 65536, 700001, 3000000, 2u << 20, 65537, 5000001
    };
    long live = base_alloc_live();
    for (int round = 0; round < 2; round++) {
        unsigned char *p[N];
        for (size_t i = 0; i < N; i++) {
            p[i] = base_alloc_streamed(sizes[i]);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % (sizes[i] >= 65536 ? 4096 : 64), 0);
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(p[i][k], 0);
            memset(p[i], (int)i + 1, sizes[i]);
            if (i > 3)
                assert_ptr_equal(p[i], p[i - 1] + (sizes[i - 1] + 4095) / 4096 * 4096);
        }
        assert_int_equal(base_alloc_live(), live + N);
        for (size_t i = 0; i < N; i++) {
            size_t at = i * 5 % N; /* all of them, since 5 and 9 have no common divisor */
            for (size_t k = 0; k < sizes[at]; k++)
                assert_int_equal(p[at][k], at + 1);
            base_free_streamed(p[at], sizes[at]);
            unsigned char resident = 0;
            if (sizes[at] > 65536 && !mincore(p[at], 4096, &resident))
                assert_false(resident & 1);
        }
        assert_int_equal(base_alloc_live(), live);
    }
    base_free_streamed(NULL, 100);
    base_alloc_fail_after(1);
    assert_null(base_alloc_streamed(100000));
    base_alloc_fail_after(0);
    assert_null(base_alloc_streamed(SIZE_MAX - 5));
    assert_int_equal(base_alloc_live(), live);
}

static void messages(void **state)
{
    (void)state;
    assert_int_equal(base_error_set(BASE_E_FORMAT, "%s: line %d", "a\nb\033[31m", 3),
                     BASE_E_FORMAT);
    assert_string_equal(base_error_message(), "a b [31m: line 3");
    assert_int_equal(base_error_prefix(BASE_E_IO, "x.json"), BASE_E_IO);
    assert_string_equal(base_error_message(), "x.json: a b [31m: line 3");
    base_error_set(BASE_E_IO, "again: %s", base_error_message());
    assert_string_equal(base_error_message(), "again: x.json: a b [31m: line 3");
    base_error_set(BASE_E_IO, "%s", "a\xFF\xE2\x82z\u00e9");
    assert_string_equal(base_error_message(), "a???z\u00e9");
    char longer[6000];
    for (size_t i = 0; i + 2 < sizeof longer; i += 2) {
        memcpy(longer + i, "\u00e9", 2);
    }
    longer[5998] = 0;
    base_error_set(BASE_E_IO, "x%s", longer);
    size_t n = strlen(base_error_message());
    assert_true(n > 1000 && n < 6000);
    assert_int_equal(base_utf8_invalid(base_error_message(), n), n);
}

static void buffers_grow_and_stay_strings(void **state)
{
    (void)state;
    long live = base_alloc_live();
    struct base_buffer b = { 0 };
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(base_buffer_printf(&b, "%d,", i), 0);
        assert_int_equal(b.data[b.length], 0);
    }
    assert_int_equal(b.length, 10 * 2 + 90 * 3 + 900 * 4);
    assert_memory_equal(b.data + b.length - 8, "998,999,", 8);
    base_buffer_clear(&b);
    assert_string_equal(b.data, "");
    base_buffer_append(&b, "a\0b", 3);
    base_buffer_puts(&b, "c");
    assert_int_equal(b.length, 4);
    assert_memory_equal(b.data, "a\0bc", 5);
    base_alloc_fail_after(1);
    assert_int_equal(base_buffer_reserve(&b, 1 << 20), BASE_E_MEMORY);
    assert_memory_equal(b.data, "a\0bc", 5);
    assert_int_equal(base_buffer_reserve(&b, SIZE_MAX), BASE_E_MEMORY);
    char *s = base_buffer_take(&b);
    assert_memory_equal(s, "a\0bc", 5);
    assert_null(b.data);
    base_free(s);
    s = base_buffer_take(&b);
    assert_string_equal(s, "");
    base_free(s);
    assert_int_equal(base_alloc_live(), live);
}

static void reader_reads_and_stays_in_bounds(void **state)
{
    (void)state;
    static const uint8_t bytes[] = { 1,  2, 3, 4,    5,    6, 7, 8, 9, 10, 11, 12,   13,   14,
                                     15, 0, 0, 0x80, 0x3F, 0, 0, 0, 0, 0,  0,  0xF0, 0xBF, 0xEE };
    struct base_reader r = base_reader_make(bytes, sizeof bytes);
    assert_int_equal(base_reader_u8(&r), 1);
    assert_int_equal(base_reader_u16(&r), 0x0302);
    assert_int_equal(base_reader_u32(&r), 0x07060504);
    assert_true(base_reader_u64(&r) == 0x0f0e0d0c0b0a0908u);
    assert_true(base_reader_f32(&r) == 1.0f);
    assert_true(base_reader_f64(&r) == -1.0);
    assert_int_equal(base_reader_left(&r), 1);
    assert_int_equal(base_reader_u16(&r), 0);
    assert_false(base_reader_ok(&r));
    assert_int_equal(base_reader_left(&r), 0);
    assert_int_equal(base_reader_u8(&r), 0); /* failed stays failed though a byte is left */
    assert_false(base_reader_seek(&r, 0));

    r = base_reader_make(bytes, sizeof bytes);
    assert_true(base_reader_seek(&r, sizeof bytes));
    assert_false(base_reader_seek(&r, sizeof bytes + 1));
    r = base_reader_make(bytes, 4);
    assert_ptr_equal(base_reader_take(&r, 4), bytes);
    assert_null(base_reader_take(&r, SIZE_MAX));
    r = base_reader_make(NULL, 0);
    assert_false(base_reader_skip(&r, 1));
}

static void threads_follow_affinity_and_option(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(base_threads(), CPU_COUNT(&before));
    int first = 0;
    while (!CPU_ISSET(first, &before)) {
        first++;
    }
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(base_threads(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    base_threads_set(5);
    assert_int_equal(base_threads(), 5);
    base_threads_set(0);
    assert_int_equal(base_threads(), CPU_COUNT(&before));
}

static void first_signal_is_a_flag_second_ends(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        base_interrupt_install();
        if (base_interrupted()) {
            _exit(1);
        }
        raise(SIGINT);
        if (!base_interrupted()) {
            _exit(2);
        }
        raise(SIGTERM);
        _exit(3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(live_blocks_are_counted),
        cmocka_unit_test(nth_allocation_fails_once),
        cmocka_unit_test(large_blocks_are_aligned_and_zero),
        cmocka_unit_test(streamed_blocks_share_huge_pages),
        cmocka_unit_test(messages),
        cmocka_unit_test(buffers_grow_and_stay_strings),
        cmocka_unit_test(reader_reads_and_stays_in_bounds),
        cmocka_unit_test(threads_follow_affinity_and_option),
        cmocka_unit_test(first_signal_is_a_flag_second_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
