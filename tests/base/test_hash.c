/* SHA-256 against FIPS 180-4's examples; the table against what was put in. */
#include "base/hash.h"
#include "base/file.h"
#include "base/memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const char empty_digest[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char abc_digest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char long_digest[] =
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
static const char million_digest[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void sha256_known_answers(void **state)
{
    (void)state;
    char hex[BASE_SHA256_HEX];
    base_sha256("", 0, hex);
    assert_string_equal(hex, empty_digest);
    base_sha256("abc", 3, hex);
    assert_string_equal(hex, abc_digest);
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    base_sha256(two_blocks, strlen(two_blocks), hex);
    assert_string_equal(hex, long_digest);
}

static void sha256_streamed(void **state)
{
    (void)state;
    char hex[BASE_SHA256_HEX], piece[1000];
    memset(piece, 'a', sizeof piece);
    struct base_sha256 *h;
    assert_int_equal(base_sha256_begin(&h), 0);
    for (int i = 0; i < 1000; i++) {
        base_sha256_add(h, piece, sizeof piece);
    }
    base_sha256_end(h, hex);
    assert_string_equal(hex, million_digest);
}

static void sha256_of_files(void **state)
{
    (void)state;
    char path[] = "/tmp/assay-hash-XXXXXX", hex[BASE_SHA256_HEX];
    close(mkstemp(path));
    assert_int_equal(base_sha256_file(path, hex), 0);
    assert_string_equal(hex, empty_digest);
    assert_int_equal(base_file_write(path, "abc", 3), 0);
    assert_int_equal(base_sha256_file(path, hex), 0);
    assert_string_equal(hex, abc_digest);
    /* git hash-object on the same bytes */
    assert_int_equal(base_git_id_file(path, hex), 0);
    assert_string_equal(hex, "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
    unlink(path);
    assert_int_equal(base_sha256_file(path, hex), BASE_E_IO);
}

static void hash64_depends_on_everything(void **state)
{
    (void)state;
    const char zeros[32] = { 0 };
    for (size_t n = 1; n < 32; n++) { /* the length counts even when the bytes are zero */
        assert_true(base_hash64(zeros, n, 0) != base_hash64(zeros, n - 1, 0));
    }
    assert_true(base_hash64("abcdefghi", 9, 0) != base_hash64("abcdefghj", 9, 0));
    assert_true(base_hash64("abc", 3, 0) != base_hash64("abc", 3, 1));
    assert_true(base_hash64("abc", 3, 5) == base_hash64("abc", 3, 5));
}

static void table_keeps_what_was_put(void **state)
{
    (void)state;
    long live = base_alloc_live();
    struct base_table *t;
    assert_int_equal(base_table_new(&t, 0), 0);
    char key[32];
    enum { N = 20000 };
    for (int i = 0; i < N; i++) {
        int n = snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(base_table_put(t, key, (size_t)n, i), 0);
    }
    for (int i = 0; i < N; i += 3) {
        int n = snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(base_table_put(t, key, (size_t)n, -i), 0);
    }
    assert_int_equal(base_table_count(t), N);
    for (int i = 0; i < N; i++) {
        int n = snprintf(key, sizeof key, "key %d", i);
        const int64_t *value = base_table_get(t, key, (size_t)n);
        assert_non_null(value);
        assert_int_equal(*value, i % 3 ? i : -i);
    }
    assert_null(base_table_get(t, "key", 3));
    base_table_free(t);
    assert_int_equal(base_alloc_live(), live);
}

static void table_keys_may_be_empty_or_hold_nul(void **state)
{
    (void)state;
    struct base_table *t;
    assert_int_equal(base_table_new(&t, 10), 0);
    assert_null(base_table_get(t, "", 0));
    assert_int_equal(base_table_put(t, "", 0, 1), 0);
    assert_int_equal(base_table_put(t, "\0", 1, 2), 0);
    assert_int_equal(base_table_put(t, "a\0b", 3, 3), 0);
    assert_int_equal(base_table_put(t, "a\0c", 3, 4), 0);
    assert_int_equal(*base_table_get(t, "", 0), 1);
    assert_int_equal(*base_table_get(t, "\0", 1), 2);
    assert_int_equal(*base_table_get(t, "a\0b", 3), 3);
    assert_int_equal(*base_table_get(t, "a\0c", 3), 4);
    base_table_free(t);
}

static void table_survives_failed_allocations(void **state)
{
    (void)state;
    long live = base_alloc_live();
    for (long n = 1; n < 40; n++) {
        base_alloc_fail_after(n);
        struct base_table *t = NULL;
        int rc = base_table_new(&t, 4);
        int put = 0;
        for (int i = 0; !rc && i < 100; i++) {
            rc = base_table_put(t, (const char *)&i, sizeof i, i);
            put += !rc;
        }
        base_alloc_fail_after(0);
        if (t) {
            assert_int_equal(base_table_count(t), put);
            for (int i = 0; i < put; i++) {
                assert_int_equal(*base_table_get(t, (const char *)&i, sizeof i), i);
            }
        }
        base_table_free(t);
        assert_int_equal(base_alloc_live(), live);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_known_answers),
        cmocka_unit_test(sha256_streamed),
        cmocka_unit_test(sha256_of_files),
        cmocka_unit_test(hash64_depends_on_everything),
        cmocka_unit_test(table_keeps_what_was_put),
        cmocka_unit_test(table_keys_may_be_empty_or_hold_nul),
        cmocka_unit_test(table_survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
