/* assay tokenize --chat: messages, template and tokenizer together. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "support.h"

static void messages_become_tokens(void **state)
{
    (void)state;
    const char *messages = "[{\"role\": \"user\", \"content\": \"The capital\"}]";
    const char *template = "{% for m in messages %}\n{{ m.content }}\n{% endfor %}\n"
                           "{% if add_generation_prompt %}{{ strftime_now('%Y') }}{% endif %}";
    const char *file = test_temporary_path(".jinja");
    test_write_file(file, template, strlen(template));
    struct test_run r = test_assay(messages, "tokenize", "-m", "builtin:tiny", "--json", "--chat",
                                   "-", "--chat-template", file, "--date", "2024-07-26", NULL);
    json_t *out = test_run_json(&r);
    assert_non_null(out);
    assert_string_equal(json_string_value(json_object_get(out, "text")), "The capital\n2024");
    assert_true(json_array_size(json_object_get(out, "ids")) > 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(out, "pieces"), 0)),
                        "The");
    json_decref(out);
    test_run_free(&r);
    r = test_assay(messages, "tokenize", "-m", "builtin:tiny", "--json", "--chat", "-",
                   "--chat-template", file, "--no-prompt", NULL);
    out = test_run_json(&r);
    assert_string_equal(json_string_value(json_object_get(out, "text")), "The capital\n");
    json_decref(out);
    test_run_free(&r);
    r = test_assay(messages, "tokenize", "-m", "builtin:tiny", "--chat", "-", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "has no chat template"));
    test_run_free(&r);
    r = test_assay(messages, "tokenize", "-m", "builtin:tiny", "--date", "2024-07-26", "x", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    r = test_assay(messages, "tokenize", "-m", "builtin:tiny", "--chat", "-", "x", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(messages_become_tokens) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
