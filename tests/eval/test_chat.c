/* Chat templates of models: where they are found, which one is taken, what they get. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/archive.h"
#include <assay/chat.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "support.h"

#define SIMPLE                                                                                     \
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}"           \
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"

static char *folder_made;

/* A directory with one file after another: name, text, ..., NULL. */
static const char *folder_of(const char *first, ...)
{
    static char path[600];
    va_list list;
    snprintf(path, sizeof path, "%s", test_temporary_path(""));
    base_file_make_directories(path);
    va_start(list, first);
    for (const char *name = first; name; name = va_arg(list, const char *)) {
        const char *text = va_arg(list, const char *);
        char *file = base_path_join(path, name), *slash = strrchr(file, '/');
        *slash = 0;
        base_file_make_directories(file);
        *slash = '/';
        test_write_file(file, text, strlen(text));
        base_free(file);
    }
    va_end(list);
    folder_made = path;
    return path;
}

static void folder_remove(void)
{
    char *const argv[] = { "/bin/rm", "-rf", folder_made, NULL };
    struct test_run r = test_spawn(argv, NULL);
    test_run_free(&r);
}

static char *render(const char *model, const struct eval_chat_options *options, const char *request)
{
    struct eval_chat *c;
    json_t *q = json_loads(request, 0, NULL);
    char *text = NULL;
    assert_non_null(q);
    int rc = eval_chat_open(&c, model, options);
    if (!rc) {
        const struct eval_chat_request r = {
            .messages = json_object_get(q, "messages"),
            .tools = json_object_get(q, "tools"),
            .extra = json_object_get(q, "extra"),
            .add_generation_prompt = json_is_true(json_object_get(q, "prompt")),
            .continue_final = json_is_true(json_object_get(q, "continue")),
        };
        size_t bytes;
        rc = eval_chat_render(c, &r, &text, &bytes);
        if (!rc)
            assert_int_equal(strlen(text), bytes);
        eval_chat_close(c);
    }
    json_decref(q);
    return rc ? base_strdup(base_error_message()) : text;
}

static void check(const char *model, const struct eval_chat_options *options, const char *request,
                  const char *want)
{
    long live = base_alloc_live();
    char *got = render(model, options, request);
    assert_string_equal(got, want);
    base_free(got);
    assert_int_equal(base_alloc_live(), live);
}

#define HI "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"prompt\": true}"

static void found_in_directories(void **state)
{
    (void)state;
    const char *config = "{\"chat_template\": \"{{ 'config' }}\", \"bos_token\": \"<s>\", "
                         "\"eos_token\": {\"content\": \"</s>\", \"special\": true}}";
    const char *path = folder_of("tokenizer_config.json", config, NULL);
    check(path, NULL, HI, "config");
    folder_remove();
    path = folder_of("tokenizer_config.json", config, "chat_template.jinja", SIMPLE, NULL);
    check(path, NULL, HI, "<s><user>Hi</s><assistant>");
    const struct eval_chat_options own = { .source = "{{ messages | length }}{{ eos_token }}" };
    check(path, &own, HI, "1</s>");
    folder_remove();
    path = folder_of("chat_template.json", "{\"chat_template\": \"{{ 'json' }}\"}",
                     "tokenizer_config.json", config, "special_tokens_map.json",
                     "{\"pad_token\": \"<pad>\"}", "additional_chat_templates/rag.jinja",
                     "rag{{ pad_token }}{{ unk_token }}", NULL);
    check(path, NULL, HI, "json");
    const struct eval_chat_options rag = { .name = "rag" }, nope = { .name = "nope" };
    check(path, &rag, HI, "rag<pad>");
    char want[800];
    snprintf(want, sizeof want,
             "%s: has no chat template \"nope\", choose one of these: default, rag", path);
    check(path, &nope, HI, want);
    folder_remove();
    path = folder_of("tokenizer_config.json",
                     "{\"chat_template\": [{\"name\": \"default\", \"template\": \"d\"}, "
                     "{\"name\": \"tool_use\", \"template\": \"{{ tools | length }} tools\"}]}",
                     NULL);
    check(path, NULL, HI, "d");
    check(path, NULL, "{\"messages\": [], \"tools\": [{}, {}]}", "2 tools");
    folder_remove();
    path = folder_of("tokenizer_config.json", "{}", NULL);
    snprintf(want, sizeof want,
             "%s: has no chat template: it may not be an instruct model; give a template, or use "
             "the model without one",
             path);
    check(path, NULL, HI, want);
    folder_remove();
}

static void found_in_gguf(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".gguf");
    /* magic, version 3, no tensors, 5 keys */
    struct {
        unsigned char at[2048];
        size_t n;
    } b = { .n = 0 };
#define PUT(p, k) (memcpy(b.at + b.n, p, k), b.n += (k))
#define U32(x)    PUT(((uint32_t[]){ x }), 4)
#define U64(x)    PUT(((uint64_t[]){ x }), 8)
#define STRING(s) (U64(strlen(s)), PUT(s, strlen(s)))
    PUT("GGUF", 4);
    U32(3);
    U64(0);
    U64(5);
    STRING("general.architecture"), U32(8), STRING("llama");
    STRING("tokenizer.chat_template"), U32(8), STRING(SIMPLE);
    STRING("tokenizer.chat_template.rag"), U32(8), STRING("rag");
    STRING("tokenizer.ggml.tokens"), U32(9), U32(8), U64(2), STRING("<bos>"), STRING("x");
    STRING("tokenizer.ggml.bos_token_id"), U32(4), U32(0);
    test_write_file(path, b.at, b.n);
    check(path, NULL, HI, "<bos><user>Hi<assistant>");
    const struct eval_chat_options rag = { .name = "rag" };
    check(path, &rag, HI, "rag");
    unlink(path);
}

static void requests(void **state)
{
    (void)state;
    const char *path = folder_of("tokenizer_config.json", "{\"eos_token\": \"</s>\"}",
                                 "chat_template.jinja", SIMPLE "{{ extra }}", NULL);
    check(path, NULL, "{\"messages\": [], \"extra\": {\"extra\": \"more\"}}", "more");
    check(path, NULL, "{\"messages\": {}}", "the messages of a chat must be an array");
    check(path, NULL, "{\"messages\": [1]}",
          "message 1 of the chat is not an object with role and content");
    check(path, NULL,
          "{\"messages\": [{\"role\": \"assistant\", \"content\": \" Once upon \"}], \"continue\": "
          "true}",
          "<assistant> Once upon ");
    check(path, NULL, "{\"messages\": [{\"role\": \"assistant\"}], \"continue\": true}",
          "there is no text in the chat's last message to go on with");
    check(path, NULL, "{\"messages\": [], \"continue\": true, \"prompt\": true}",
          "a chat can end where the answer begins, or inside the last message, not both");
    const struct eval_chat_options trims = {
        .source = "{% for m in messages %}<{{ m.content | trim }}>{% endfor %}"
    };
    check(
        path, &trims,
        "{\"messages\": [{\"role\": \"assistant\", \"content\": \"Once  \"}], \"continue\": true}",
        "<Once");
    const struct eval_chat_options silent = { .source = "x" };
    char want[800];
    snprintf(want, sizeof want,
             "%s: the chat template leaves out or changes the last message: it cannot be continued",
             path);
    check(path, &silent,
          "{\"messages\": [{\"role\": \"assistant\", \"content\": \"O\"}], \"continue\": true}",
          want);
    const struct eval_chat_options thinks = {
        .source = "{{ messages[0].reasoning_content }}{{ messages[0].thinking }}{{ tools is none }}"
                  "{{ enable_thinking is false }}{{ reasoning_effort is defined }}"
    };
    check(path, &thinks,
          "{\"messages\": [{\"role\": \"assistant\", \"reasoning\": \"hm\"}], \"extra\": "
          "{\"reasoning_effort\": \"off\"}}",
          "hmhmTrueTrueFalse");
    const struct eval_chat_options dated = { .source = "{{ strftime_now('%d %b %Y') }}",
                                             .now = "2024-07-26" };
    check(path, &dated, "{\"messages\": []}", "26 Jul 2024");
    const struct eval_chat_options bad = { .source = "{% if %}" };
    snprintf(want, sizeof want, "%s: chat template:1: expected an expression, got %%}", path);
    check(path, &bad, "{\"messages\": []}", want);
    /* every failing allocation */
    long live = base_alloc_live();
    bool done = false;
    for (long n = 1; !done && n < 500; n++) {
        base_alloc_fail_after(n);
        struct eval_chat *c;
        int rc = eval_chat_open(&c, path, NULL);
        base_alloc_fail_after(0);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        done = rc == 0;
        if (done)
            eval_chat_close(c);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_true(done);
    folder_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_in_directories),
        cmocka_unit_test(found_in_gguf),
        cmocka_unit_test(requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
