/* Templates: what jinja2 itself makes of some five hundred of them (tests/oracle/templates.py), the
 * chat templates of models in use, limits, literals, threads of failure. */
#include "base/json.h"
#include "base/memory.h"
#include <assay/template.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static const struct template_options plain = { 0 }, task = TEMPLATE_OPTIONS_TASK,
                                     chat = TEMPLATE_OPTIONS_CHAT;

static int render(const char *source, size_t bytes, const struct template_options *options,
                  const json_t *vars, char **text, size_t *length)
{
    struct template *t;
    *text = NULL;
    int rc = template_parse(&t, "t", source, bytes, options);
    if (rc)
        return rc;
    rc = template_render(t, vars, text, length);
    template_free(t);
    return rc;
}

struct counts {
    int same, refused, wrong;
};

static void compare(const json_t *k, const char *mode, const json_t *vars, struct counts *n)
{
    struct template_options o = strstr(mode, "plain") ? plain : strstr(mode, "task") ? task : chat;
    o.now = strstr(mode, "chat") ? "2024-07-26T14:05:09" : NULL;
    const json_t *source = json_object_get(k, "template"), *want = json_object_get(k, "output");
    char *text;
    size_t bytes = 0;
    int rc = render(json_string_value(source), json_string_length(source), &o, vars, &text, &bytes);
    bool same = want ? rc == 0 && bytes == json_string_length(want) &&
                           memcmp(text, json_string_value(want), bytes) == 0
                     : rc != 0;
    if (same)
        n->same++;
    else if (rc == BASE_E_UNSUPPORTED || rc == BASE_E_LIMIT)
        n->refused++; /* by name; never another text */
    else
        n->wrong++;
    if (!same)
        printf("%s %s: %s\n  expected %s\n  got      %s\n",
               rc == BASE_E_UNSUPPORTED || rc == BASE_E_LIMIT ? "refused" : "WRONG", mode,
               json_string_value(source),
               want ? json_string_value(want) : json_string_value(json_object_get(k, "error")),
               rc ? base_error_message() : text);
    base_free(text);
}

static struct counts compare_file(const char *path)
{
    struct counts n = { 0 };
    json_t *file;
    const json_t *k;
    size_t i;
    long live = base_alloc_live();
    if (base_json_load(&file, path))
        fail_msg("%s", base_error_message());
    json_array_foreach(json_object_get(file, "cases"), i, k)
    {
        static const char *const modes[] = { "plain", "task", "chat" };
        for (int m = 0; m < 3; m++)
            if (strstr(json_string_value(json_object_get(k, "mode")), modes[m]))
                compare(k, modes[m], json_object_get(file, "vars"), &n);
    }
    json_decref(file);
    assert_int_equal(base_alloc_live(), live);
    return n;
}

static void as_jinja2(void **state)
{
    (void)state;
    struct counts n = compare_file("tests/eval/data/templates.json");
    assert_int_equal(n.wrong, 0);
    assert_true(n.same > 900);
    assert_true(n.refused <= 15);
    const char *more = getenv("ASSAY_TEMPLATE_CASES");
    if (more && *more) {
        n = compare_file(more);
        printf("%s: %d same, %d refused, %d wrong\n", more, n.same, n.refused, n.wrong);
        assert_int_equal(n.wrong, 0);
    }
}

static void models_chat_templates(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("tokenizers/chat_template_cases.json");
    json_t *file, *model, *k;
    const char *name;
    size_t i;
    int count = 0;
    assert_int_equal(base_json_load(&file, test_shared_path("tokenizers/chat_template_cases.json")),
                     0);
    json_object_foreach(file, name, model)
    {
        struct template *t;
        const char *source = json_string_value(json_object_get(model, "template"));
        if (!source)
            continue;
        if (template_parse(&t, name, source, strlen(source), &chat))
            fail_msg("%s", base_error_message());
        json_array_foreach(json_object_get(model, "cases"), i, k)
        {
            json_t *vars = json_copy(k);
            const char *bos = "<s>", *eos = "</s>";
            if (strcmp(name, "llama3") == 0)
                bos = "<|begin_of_text|>";
            else if (strcmp(name, "phi3") == 0)
                eos = "<|endoftext|>";
            else if (strcmp(name, "gemma") == 0)
                bos = "<bos>";
            else if (strcmp(name, "deepseek") == 0) {
                bos = "<｜begin▁of▁sentence｜>";
                eos = "<｜end▁of▁sentence｜>";
            }
            json_object_set_new(vars, "bos_token", json_string(bos));
            json_object_set_new(vars, "eos_token", json_string(eos));
            const char *want = json_string_value(json_object_get(k, "expected"));
            const char *effort = json_string_value(json_object_get(k, "reasoning_effort"));
            if (effort && strcmp(effort, "off") == 0) { /* how callers turn thinking off */
                json_object_set_new(vars, "enable_thinking", json_false());
                json_object_del(vars, "reasoning_effort");
            }
            json_object_del(vars, "expected");
            json_object_del(vars, "error");
            json_object_del(vars, "raises");
            char *text;
            int rc = template_render(t, vars, &text, NULL);
            if (want && rc)
                fail_msg("%s", base_error_message());
            if (want)
                assert_string_equal(text, want);
            else
                assert_true(rc == BASE_E_ARGUMENT);
            base_free(text);
            json_decref(vars);
            count++;
        }
        template_free(t);
    }
    json_decref(file);
    assert_true(count >= 90);
}

static void errors_name_the_place(void **state)
{
    (void)state;
    const struct {
        const char *source;
        const struct template_options *options;
        int rc;
        const char *message;
    } cases[] = {
        { "a\n{{ x.y }}", &task, BASE_E_ARGUMENT, "t:2: 'x' is undefined" },
        { "a\n\n{{ x }}", &task, BASE_E_ARGUMENT, "t:3: 'x' is undefined" },
        { "{{ 'a'.zz }}", &task, BASE_E_ARGUMENT, "t:1: 'str object' has no attribute 'zz'" },
        { "{{ [1][5] }}", &task, BASE_E_ARGUMENT, "t:1: list object has no element 5" },
        { "a\n{{ x | nope }}", &plain, BASE_E_UNSUPPORTED,
          "t:2: the filter \"nope\" is not supported" },
        { "{{ l | random }}", &plain, BASE_E_UNSUPPORTED,
          "t:1: the filter \"random\" is not supported" },
        { "{% include 'x' %}", &plain, BASE_E_UNSUPPORTED,
          "t:1: the tag {% include %} is not supported" },
        { "{{ lipsum() }}", &plain, BASE_E_UNSUPPORTED,
          "t:1: the function lipsum() is not supported" },
        { "{{ ''.__class__ }}", &plain, BASE_E_UNSUPPORTED,
          "t:1: the attribute __class__ is not supported" },
        { "{{ [].append(1) }}", &plain, BASE_E_UNSUPPORTED, "t:1: list.append is not supported" },
        { "{{ f(*x) }}", &plain, BASE_E_UNSUPPORTED,
          "t:1: arguments with * or ** are not supported" },
        { "\n{% if x %}", &plain, BASE_E_FORMAT,
          "t:2: the block that begins here is not closed: {% endif %} is missing" },
        { "{{ 9223372036854775807 + 1 }}", &plain, BASE_E_LIMIT,
          "t:1: an integer beyond 64 bits: use a float" },
        { "{{ strftime_now('%Y') }}", &chat, BASE_E_ARGUMENT,
          "t:1: the template asks for the date (strftime_now): give one, so that the result does "
          "not depend on the clock" },
        { "{{ raise_exception('no ' ~ 1) }}", &chat, BASE_E_ARGUMENT,
          "t:1: the template refuses: no 1" },
        { "{{ 'a' | safe + '<' }}", &plain, BASE_E_UNSUPPORTED,
          "t:1: adding a text to one made safe (by safe or tojson) escapes it as HTML in jinja2: "
          "use ~ instead of +" },
        { "\xff", &plain, BASE_E_FORMAT, "t:1: the template is not valid UTF-8" },
        { "{% break %}", &task, BASE_E_FORMAT,
          "t:1: unknown or misplaced tag: {% break %} (it is known in chat templates only)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text;
        int rc =
            render(cases[i].source, strlen(cases[i].source), cases[i].options, NULL, &text, NULL);
        assert_null(text);
        assert_string_equal(base_error_message(), cases[i].message);
        assert_int_equal(rc, cases[i].rc);
    }
}

static void hostile_templates_end(void **state)
{
    (void)state;
    static char deep[3][60000];
    memset(deep[0], '(', 20000);
    memcpy(deep[0], "{{", 2);
    memset(deep[1], '-', 20000);
    memcpy(deep[1], "{{", 2);
    strcpy(deep[1] + 20000, "1 }}");
    char *p = deep[2];
    for (int i = 0; i < 3000; i++)
        p += sprintf(p, "{%% if 1 %%}");
    const char *const cases[] = {
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='xxxxxxxxxx') %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x "
        "%}{% endfor %}",
        "{{ 'x' * 999999999 }}",
        "{{ [1] * 999999999 }}",
        "{{ 'x' * 999999999999999999 }}",
        "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace(x=[]) %}{% for a in range(9999) %}{% set ns.x = [ns.x] %}{% endfor "
        "%}{{ ns.x }}",
        "{% set ns = namespace(x=[]) %}{% for a in range(9999) %}{% set ns.x = [ns.x] %}{% endfor "
        "%}{{ ns.x == [ns.x] }}",
        "{{ '%99999999d' % 1 }}",
        "{{ '{:99999999}'.format(1) }}",
        "{{ 'x'.center(999999999999) }}",
        "{{ 2 ** 99999999999 }}",
        "{{ ('a' * 40 ~ 'b') | regex_replace('^(a|a)*$', 'x') }}",
        deep[0],
        deep[1],
        deep[2],
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text;
        int rc = render(cases[i], strlen(cases[i]), &task, NULL, &text, NULL);
        if (rc != BASE_E_LIMIT)
            fail_msg("%.60s: %d %s", cases[i], rc, base_error_message());
    }
}

static void evaluation_gives_values(void **state)
{
    (void)state;
    const struct {
        const char *source, *want;
    } cases[] = {
        { "{{ x }}", "{\"a\":[1,2.5,null,true,\"s\"]}" },
        { " {{ x.a[1:] }}\n", "[2.5,null,true,\"s\"]" },
        { "{{ (1, 'b') }}", "[1,\"b\"]" },
        { "{{ [3, 1] | map('string') }}", "[\"3\",\"1\"]" },
        { "{{ {1: 2} }}", "{\"1\":2}" },
        { "{{ x.a | length }}", "5" },
    };
    json_t *vars = json_loads("{\"x\": {\"a\": [1, 2.5, null, true, \"s\"]}}", 0, NULL), *value;
    struct template *t;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(template_parse(&t, "t", cases[i].source, strlen(cases[i].source), &task),
                         0);
        assert_true(template_is_expression(t));
        if (template_evaluate(t, vars, &value))
            fail_msg("%s", base_error_message());
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        assert_string_equal(text, cases[i].want);
        base_free(text);
        json_decref(value);
        template_free(t);
    }
    assert_int_equal(template_parse(&t, "t", "{{ y }}", 7, &plain), 0);
    assert_int_equal(template_evaluate(t, vars, &value), 0);
    assert_null(value);
    template_free(t);
    assert_int_equal(template_parse(&t, "t", "{{ y }} {{ x }}", 15, &plain), 0);
    assert_false(template_is_expression(t));
    assert_int_equal(template_evaluate(t, vars, &value), BASE_E_ARGUMENT);
    template_free(t);
    json_t *list = json_array();
    assert_int_equal(template_parse(&t, "t", "x", 1, NULL), 0);
    char *text;
    assert_int_equal(template_render(t, list, &text, NULL), BASE_E_ARGUMENT);
    template_free(t);
    json_decref(list);
    json_decref(vars);
}

static void literals(void **state)
{
    (void)state;
    const struct {
        const char *text, *want;
    } cases[] = {
        { "['a', \"b's\", 1, -2.5, None, True, (1,), {'k': []}]",
          "[\"a\",\"b's\",1,-2.5,null,true,[1],{\"k\":[]}]" },
        { " [\n'a',\n] ", "[\"a\"]" },
        { "'\\u00e9\\n'", "\"\xc3\xa9\\n\"" },
        { "3", "3" },
        { "1, 2", "[1,2]" },
    };
    json_t *value;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (template_literal(&value, cases[i].text, strlen(cases[i].text), "doc_to_choice"))
            fail_msg("%s", base_error_message());
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        assert_string_equal(text, cases[i].want);
        base_free(text);
        json_decref(value);
    }
    const char *const bad[] = { "",    "[",  "abc", "['a' + 'b']", "[x]",
                                "1 2", "'a", "f()", "-'a'",        "[1]]" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        long live = base_alloc_live();
        if (template_literal(&value, bad[i], strlen(bad[i]), "c") != BASE_E_FORMAT)
            fail_msg("%s: %s", bad[i], base_error_message());
        assert_int_equal(base_alloc_live(), live);
    }
}

static void failed_allocations(void **state)
{
    (void)state;
    const char *source =
        "{% macro m(a, b=1) %}{{ a|upper }}{% endmacro %}{% for x in l if x %}{% set y %}{{ x }}"
        "{% endset %}{{ m(y) ~ l|sort|join(',') }}{% endfor %}{{ d|tojson }}{{ '%s' % l }}"
        "{{ 'a b'.split()|map('title')|list }}{{ 'x'|regex_replace('x', 'y') }}";
    json_t *vars = json_loads("{\"l\": [3, 1], \"d\": {\"a\": \"b\"}}", 0, NULL);
    long live = base_alloc_live();
    int rc = BASE_E_MEMORY;
    for (long n = 1; rc && n < 2000; n++) {
        char *text;
        base_alloc_fail_after(n);
        rc = render(source, strlen(source), &task, vars, &text, NULL);
        base_alloc_fail_after(0);
        if (rc && rc != BASE_E_MEMORY)
            fail_msg("%d %s", rc, base_error_message());
        if (rc == 0)
            assert_string_equal(text, "31,311,3{\"a\": \"b\"}[3, 1]['A', 'B']y");
        base_free(text);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(rc, 0);
    json_decref(vars);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_jinja2),
        cmocka_unit_test(models_chat_templates),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(hostile_templates_end),
        cmocka_unit_test(evaluation_gives_values),
        cmocka_unit_test(literals),
        cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
