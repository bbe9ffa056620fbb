/* assay info and assay convert as programs: exit codes, the JSON contract, lines that fit. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "support.h"

static void judges_bare_files(void **state)
{
    (void)state;
    struct test_run r = test_assay(NULL, "info", "tests/model/data/peer.safetensors", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "safetensors"));
    test_run_free(&r);
    char *path = (char *)test_temporary_path(".safetensors");
    test_write_file(path, "\2\0\0\0\0\0\0\0{}x", 11);
    r = test_assay(NULL, "info", path, NULL);
    assert_int_equal(r.rc, 1);
    assert_string_equal(r.out, "");
    assert_non_null(strstr(r.err, "cover 0 bytes"));
    assert_ptr_equal(strchr(r.err, '\n'), r.err + r.err_bytes - 1); /* one line */
    test_run_free(&r);
    unlink(path);
}

static void json_contract(void **state)
{
    (void)state;
    struct test_run r = test_assay(NULL, "info", "--json", "--tensors", "--hash",
                                   "tests/model/data/peer.safetensors", NULL);
    assert_int_equal(r.rc, 0);
    json_t *d = test_run_json(&r);
    assert_non_null(d);
    assert_string_equal(json_string_value(json_object_get(d, "format")), "safetensors");
    assert_int_equal(json_integer_value(json_object_get(d, "tensors")), 6);
    assert_int_equal(json_integer_value(json_object_get(d, "stored_bytes")),
                     48 + 10 + 8 + 4 + 0 + 24);
    json_t *half = json_object_get(json_object_get(d, "dtypes"), "f16");
    assert_int_equal(json_integer_value(json_object_get(half, "elements")), 5);
    assert_int_equal(json_array_size(json_object_get(d, "table")), 6);
    assert_int_equal(json_string_length(json_object_get(d, "model_hash")), 64);
    json_t *file = json_array_get(json_object_get(d, "files"), 0);
    assert_int_equal(json_integer_value(json_object_get(file, "bytes")), 494);
    assert_int_equal(json_string_length(json_object_get(file, "sha256")), 64);
    assert_true(json_is_null(json_object_get(d, "tokenizer")));
    json_decref(d);
    test_run_free(&r);
}

static void lines_fit(void **state)
{
    (void)state;
    struct test_run r = test_assay(NULL, "info", "--tensors", "tests/model/data/peer.gguf", NULL);
    size_t column = 0;
    assert_int_equal(r.rc, 1); /* a llama by its keys, but not by its tensors */
    assert_non_null(strstr(r.out, "tokenizer.ggml.tokens = [3 string]"));
    for (const char *p = r.out; *p; p++) {
        column = *p == '\n' ? 0 : column + ((*p & 0xc0) != 0x80);
        assert_true(column <= 80);
    }
    test_run_free(&r);
}

static void usage(void **state)
{
    (void)state;
    struct test_run r = test_assay(NULL, "info", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    r = test_assay(NULL, "info", "a", "b", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    r = test_assay(NULL, "convert", "only-one", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    r = test_assay(NULL, "info", "tests/model", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "no weights in this directory"));
    test_run_free(&r);
}

static void real_model(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("models/tinystories-656k/model.safetensors");
    char *model = (char *)test_shared_path("models/tinystories-656k");
    struct test_run r = test_assay(NULL, "info", "--json", model, NULL);
    assert_int_equal(r.rc, 0);
    json_t *d = test_run_json(&r);
    assert_non_null(d);
    assert_string_equal(json_string_value(json_object_get(d, "architecture")), "llama");
    assert_int_equal(json_integer_value(json_object_get(d, "parameters")), 656000);
    json_t *memory = json_object_get(d, "memory");
    /* 2 (keys, values) x 2 layers x 4 heads x 16 dims x 4 bytes x 1000 */
    assert_int_equal(json_integer_value(json_object_get(memory, "kv_bytes_per_1k_tokens")),
                     1024000);
    json_t *tokenizer = json_object_get(d, "tokenizer");
    assert_int_equal(json_integer_value(json_object_get(tokenizer, "vocabulary")), 2048);
    assert_int_equal(json_integer_value(json_object_get(tokenizer, "bos")), 1);
    json_decref(d);
    test_run_free(&r);
    char *gguf = (char *)test_temporary_path(".gguf");
    r = test_assay(NULL, "convert", "--json", "--dtype", "q8_0", model, gguf, NULL);
    assert_int_equal(r.rc, 0);
    d = test_run_json(&r);
    assert_non_null(d);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(d, "dtypes"), "q8_0")), 15);
    json_decref(d);
    test_run_free(&r);
    r = test_assay(NULL, "info", gguf, NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "q8_0: 15 with 655,360 weights"));
    test_run_free(&r);
    unlink(gguf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_bare_files), cmocka_unit_test(json_contract),
        cmocka_unit_test(lines_fit),         cmocka_unit_test(usage),
        cmocka_unit_test(real_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
