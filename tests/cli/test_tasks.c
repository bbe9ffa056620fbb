/* assay tasks: its JSON and exit codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"

static void lists(void **state)
{
    (void)state;
    struct test_run r = test_assay(NULL, "tasks", "--json", NULL);
    assert_int_equal(r.rc, 0);
    json_t *o = test_run_json(&r), *entry;
    size_t i, found = 0;
    assert_non_null(o);
    json_array_foreach(json_object_get(o, "tasks"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (!strcmp(name, "counting")) {
            assert_int_equal(json_integer_value(json_object_get(entry, "items")), 400);
            assert_true(json_is_null(json_object_get(entry, "missing")));
            found++;
        } else if (!strcmp(name, "hellaswag")) {
            assert_non_null(strstr(json_string_value(json_object_get(entry, "missing")), "--data"));
            found++;
        } else if (!strcmp(name, "arc")) {
            assert_int_equal(json_array_size(json_object_get(entry, "members")), 2);
            found++;
        }
    }
    assert_int_equal(found, 3);
    json_decref(o);
    test_run_free(&r);
}

static void shows(void **state)
{
    (void)state;
    struct test_run r = test_assay(NULL, "tasks", "show", "counting", "--items", "1", "--json",
                                   "--strategy", "instruction", NULL);
    assert_int_equal(r.rc, 0);
    json_t *o = test_run_json(&r);
    assert_non_null(o);
    const json_t *item = json_array_get(json_object_get(o, "items"), 0);
    const json_t *requests = json_object_get(item, "requests");
    assert_int_equal(json_array_size(requests), 9);
    assert_int_equal(json_integer_value(json_object_get(item, "gold")), 1);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(requests, 1), "continuation")), " 1");
    assert_string_equal(json_string_value(json_object_get(json_array_get(requests, 1), "context")),
                        "Count the words of the list that are flowers.\nList: daisy\nAnswer:");
    json_decref(o);
    test_run_free(&r);
    r = test_assay(NULL, "tasks", "show", "sentiment", "--items", "1", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "Sentiment:\u25ba\u2423negative"));
    test_run_free(&r);
    r = test_assay(NULL, "tasks", "show", "sentimant", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "did you mean sentiment?"));
    test_run_free(&r);
}

static void validates(void **state)
{
    (void)state;
    const char *bad = test_temporary_path(".yaml");
    const char text[] = "task: x\noutput_type: multiple_choice\nprocess_docs: !function u.f\n";
    test_write_file(bad, text, sizeof text - 1);
    struct test_run r =
        test_assay(NULL, "tasks", "validate", "tasks/sums.yaml", bad, "--json", NULL);
    assert_int_equal(r.rc, 1);
    json_t *o = test_run_json(&r);
    assert_non_null(o);
    const json_t *files = json_object_get(o, "files");
    assert_int_equal(json_array_size(files), 2);
    assert_true(json_is_true(json_object_get(json_array_get(files, 0), "valid")));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(files, 0), "items")), 36);
    const json_t *refused = json_array_get(files, 1);
    assert_true(json_is_false(json_object_get(refused, "valid")));
    assert_non_null(strstr(json_string_value(json_object_get(refused, "note")), ".yaml:3:"));
    json_decref(o);
    test_run_free(&r);
    unlink(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(shows),
        cmocka_unit_test(validates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
