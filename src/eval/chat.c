/* Chat templates: finding a model's, and rendering a conversation as transformers'
 * apply_chat_template does.
 *
 * A template sees messages, tools, documents, add_generation_prompt, the special tokens as strings
 * (bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token, as far as the
 * model has them), and what the caller adds. Which template: see chat.h; where a model has several,
 * a file chat_template.jinja is the default one, and the list in tokenizer_config.json counts only
 * without such a file. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/space.h"
#include "model/archive.h"
#include <assay/chat.h>
#include <dirent.h>
#include <string.h>

#define CHAT_FILE_MOST ((size_t)16 << 20)

struct eval_chat {
    char *model;        /* for messages */
    json_t *sources;    /* name -> template's text */
    json_t *tokens;     /* name -> string */
    const char *source; /* of `usual` */
    struct template *usual;
    struct template *with_tools; /* NULL: the same */
};

static int no_memory(void)
{
    return base_error_set(BASE_E_MEMORY, "out of memory for a chat template");
}

/* ---- finding ---- */
static int add_source(struct eval_chat *c, const char *name, const json_t *text)
{
    if (!json_is_string(text))
        return base_error_set(BASE_E_FORMAT, "%s: the chat template \"%s\" is not a string",
                              c->model, name);
    return json_object_set(c->sources, name, (json_t *)(uintptr_t)text) ? no_memory() : 0;
}

/* A string, a list of {"name", "template"}, or an object of name -> text. */
static int add_sources(struct eval_chat *c, const json_t *value)
{
    const json_t *item;
    const char *key;
    size_t i;
    int rc = 0;
    if (!value || json_is_null(value))
        return 0;
    if (json_is_string(value))
        return add_source(c, "default", value);
    if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            const char *name = json_string_value(json_object_get(item, "name"));
            if (!name)
                return base_error_set(BASE_E_FORMAT,
                                      "%s: chat_template: entry %zu of the list has no name",
                                      c->model, i + 1);
            if ((rc = add_source(c, name, json_object_get(item, "template"))))
                return rc;
        }
        return 0;
    }
    if (!json_is_object(value))
        return base_error_set(BASE_E_FORMAT, "%s: chat_template: expected a string or a list",
                              c->model);
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        if ((rc = add_source(c, key, item)))
            return rc;
    }
    return 0;
}

static int add_file(struct eval_chat *c, const char *name, const char *path)
{
    char *text;
    size_t bytes;
    int rc = base_file_read(path, CHAT_FILE_MOST, &text, &bytes);
    if (rc)
        return rc;
    json_t *value =
        base_utf8_invalid(text, bytes) == bytes ? json_stringn_nocheck(text, bytes) : NULL;
    if (!value)
        rc = base_error_set(BASE_E_FORMAT, "%s: is not valid UTF-8", path);
    else
        rc = add_source(c, name, value);
    json_decref(value);
    base_free(text);
    return rc;
}

static const char *const token_names[] = { "bos_token", "eos_token", "unk_token", "sep_token",
                                           "pad_token", "cls_token", "mask_token" };

/* "<s>", or {"content": "<s>", ...} */
static int add_tokens(struct eval_chat *c, const json_t *from)
{
    for (size_t i = 0; i < sizeof token_names / sizeof *token_names; i++) {
        json_t *value = json_object_get(from, token_names[i]);
        if (json_is_object(value))
            value = json_object_get(value, "content");
        if (json_is_string(value) && json_object_set(c->tokens, token_names[i], value))
            return no_memory();
    }
    return 0;
}

static int directory_json(struct eval_chat *c, const char *file, json_t **out)
{
    *out = NULL;
    char *path = base_path_join(c->model, file);
    if (!path)
        return BASE_E_MEMORY;
    int rc = base_file_exists(path) ? base_json_load(out, path) : 0;
    base_free(path);
    return rc;
}

/* additional_chat_templates/NAME.jinja */
static int additional(struct eval_chat *c)
{
    char *folder = base_path_join(c->model, "additional_chat_templates");
    DIR *d = folder ? opendir(folder) : NULL;
    int rc = folder ? 0 : BASE_E_MEMORY;
    for (struct dirent *e; d && !rc && (e = readdir(d));) {
        if (!base_ends_with(e->d_name, ".jinja") || strlen(e->d_name) < 7)
            continue;
        char *path = base_path_join(folder, e->d_name);
        char *name = base_strndup(e->d_name, strlen(e->d_name) - 6);
        if (!path || !name)
            rc = BASE_E_MEMORY;
        else if (base_utf8_invalid(name, strlen(name)) < strlen(name))
            rc = base_error_set(BASE_E_FORMAT, "%s: a template's name is not valid UTF-8", folder);
        else
            rc = add_file(c, name, path);
        base_free(path);
        base_free(name);
    }
    if (d)
        closedir(d);
    base_free(folder);
    return rc;
}

static int from_directory(struct eval_chat *c)
{
    json_t *config = NULL, *map = NULL, *own = NULL;
    char *path = base_path_join(c->model, "chat_template.jinja");
    int rc = path ? 0 : BASE_E_MEMORY;
    if (rc || (rc = directory_json(c, "special_tokens_map.json", &map)) ||
        (rc = directory_json(c, "tokenizer_config.json", &config)) || (rc = add_tokens(c, map)) ||
        (rc = add_tokens(c, config)))
        goto out;
    if (base_file_exists(path)) {
        rc = add_file(c, "default", path);
    } else {
        if ((rc = directory_json(c, "chat_template.json", &own)))
            goto out;
        json_t *value = json_object_get(own, "chat_template");
        rc = add_sources(c, value ? value : json_object_get(config, "chat_template"));
    }
    if (!rc)
        rc = additional(c);
out:
    base_free(path);
    json_decref(config);
    json_decref(map);
    json_decref(own);
    return rc;
}

static int from_gguf(struct eval_chat *c)
{
    static const char *const ids[] = { "bos",     "eos", "unknown", "seperator",
                                       "padding", "cls", "mask" };
    struct model_archive *a;
    const char *key, *prefix = "tokenizer.chat_template";
    const json_t *value;
    int rc = model_archive_open(&a, c->model);
    if (rc)
        return rc;
    const json_t *meta = model_archive_metadata(a);
    json_object_foreach((json_t *)(uintptr_t)meta, key, value)
    {
        if (rc || !base_starts_with(key, prefix) || !json_is_string(value))
            continue;
        const char *rest = key + strlen(prefix);
        if (!*rest)
            rc = add_source(c, "default", value);
        else if (*rest == '.')
            rc = add_source(c, rest + 1, value);
    }
    const struct model_array *tokens = model_archive_array(a, "tokenizer.ggml.tokens");
    for (size_t i = 0; i < sizeof ids / sizeof *ids && !rc && tokens; i++) {
        char name[64];
        size_t bytes;
        snprintf(name, sizeof name, "tokenizer.ggml.%s_token_id", ids[i]);
        const json_t *id = json_object_get(meta, name);
        const char *piece = json_is_integer(id) && json_integer_value(id) >= 0
                                ? model_array_string(tokens, (size_t)json_integer_value(id), &bytes)
                                : NULL;
        if (piece && json_object_set_new(c->tokens, token_names[i], base_json_text(piece, bytes)))
            rc = no_memory();
    }
    model_archive_close(a);
    return rc;
}

/* Whatever else the tokenizer knows to load: a tokenizer.json, the built-in model. */
static int from_tokenizer(struct eval_chat *c)
{
    struct tokenizer *t;
    int rc = tokenizer_load(&t, c->model);
    if (rc)
        return rc;
    const int32_t ids[] = { tokenizer_bos(t), tokenizer_eos(t), tokenizer_unk(t), -1,
                            tokenizer_pad(t) };
    for (size_t i = 0; i < sizeof ids / sizeof *ids && !rc; i++) {
        const char *piece = ids[i] >= 0 ? tokenizer_piece(t, ids[i]) : NULL;
        if (piece &&
            json_object_set_new(c->tokens, token_names[i], base_json_text(piece, strlen(piece))))
            rc = no_memory();
    }
    const char *source = tokenizer_chat_template(t);
    if (source && !rc) {
        json_t *text = base_json_text(source, strlen(source));
        rc = text ? add_source(c, "default", text) : no_memory();
        json_decref(text);
    }
    tokenizer_free(t);
    return rc;
}

/* ---- opening ---- */
static int no_such(const struct eval_chat *c, const char *name)
{
    struct base_buffer names = { 0 };
    const char *key;
    const json_t *value;
    int rc = 0;
    json_object_foreach(c->sources, key, value)
    {
        if (!rc)
            rc = base_buffer_printf(&names, "%s%s", names.length ? ", " : "", key);
    }
    if (!rc && names.length)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: has no chat template \"%s\", choose one of these: %s", c->model,
                            name, names.data);
    else if (!rc)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: has no chat template: it may not be an instruct model; give a "
                            "template, or use the model without one",
                            c->model);
    base_buffer_free(&names);
    return rc;
}

static int parse(struct eval_chat *c, const char *name, const char *now, struct template **out)
{
    struct template_options options = TEMPLATE_OPTIONS_CHAT;
    options.now = now;
    const json_t *source = json_object_get(c->sources, name);
    if (!source)
        return no_such(c, name);
    char *where = strcmp(name, "default") == 0
                      ? base_format("%s: chat template", c->model)
                      : base_format("%s: chat template %s", c->model, name);
    if (!where)
        return BASE_E_MEMORY;
    int rc =
        template_parse(out, where, json_string_value(source), json_string_length(source), &options);
    base_free(where);
    return rc;
}

int eval_chat_open(struct eval_chat **out, const char *model,
                   const struct eval_chat_options *options)
{
    static const struct eval_chat_options none = { 0 };
    const struct eval_chat_options *o = options ? options : &none;
    *out = NULL;
    struct eval_chat *c = base_alloc_zero(1, sizeof *c);
    if (!c)
        return BASE_E_MEMORY;
    int rc = 0;
    c->model = base_strdup(model);
    c->sources = json_object();
    c->tokens = json_object();
    if (!c->model || !c->sources || !c->tokens) {
        rc = no_memory();
        goto out;
    }
    if (base_file_is_directory(model))
        rc = from_directory(c);
    else if (base_ends_with(model, ".gguf"))
        rc = from_gguf(c);
    else
        rc = from_tokenizer(c);
    if (rc)
        goto out;
    if (o->source) {
        json_object_clear(c->sources);
        json_t *text = base_utf8_invalid(o->source, strlen(o->source)) == strlen(o->source)
                           ? json_string_nocheck(o->source)
                           : NULL;
        rc = text ? add_source(c, "default", text)
                  : base_error_set(BASE_E_FORMAT, "the chat template is not valid UTF-8");
        json_decref(text);
        if (rc)
            goto out;
    }
    const char *name = o->name ? o->name : "default";
    if ((rc = parse(c, name, o->now, &c->usual)))
        goto out;
    c->source = json_string_value(json_object_get(c->sources, name));
    if (!o->name && json_object_get(c->sources, "tool_use"))
        rc = parse(c, "tool_use", o->now, &c->with_tools);
out:
    if (rc)
        eval_chat_close(c);
    else
        *out = c;
    return rc;
}

const char *eval_chat_source(const struct eval_chat *c)
{
    return c->source;
}

void eval_chat_close(struct eval_chat *c)
{
    if (!c)
        return;
    template_free(c->usual);
    template_free(c->with_tools);
    json_decref(c->sources);
    json_decref(c->tokens);
    base_free(c->model);
    base_free(c);
}

/* ---- rendering ---- */
/* Messages as templates know them: a reasoning under one of its three names is there as
 * reasoning_content and thinking, too. New reference. */
static int prepare(const json_t *messages, json_t **out)
{
    static const char *const names[] = { "reasoning_content", "thinking", "reasoning" };
    const json_t *message;
    size_t i;
    if (!json_is_array(messages))
        return base_error_set(BASE_E_ARGUMENT, "the messages of a chat must be an array");
    json_t *made = json_array();
    if (!made)
        return no_memory();
    json_array_foreach(messages, i, message)
    {
        if (!json_is_object(message)) {
            json_decref(made);
            return base_error_set(BASE_E_ARGUMENT,
                                  "message %zu of the chat is not an object with role and content",
                                  i + 1);
        }
        json_t *reasoning = NULL, *copy = json_object();
        for (int k = 0; k < 3 && (!reasoning || json_is_null(reasoning)); k++)
            reasoning = json_object_get(message, names[k]);
        bool has = reasoning && !json_is_null(reasoning);
        int failed = !copy || (has && json_object_set(copy, "thinking", reasoning)) ||
                     json_object_update(copy, (json_t *)(uintptr_t)message) ||
                     (has && json_object_set(copy, "reasoning_content", reasoning));
        if (json_array_append_new(made, copy) || failed) {
            json_decref(made);
            return no_memory();
        }
    }
    *out = made;
    return 0;
}

#define TAG "CONTINUE_FINAL_MESSAGE_TAG " /* transformers' own */

/* Marks the end of the last message's text. */
static int tag_final(json_t *messages)
{
    json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    json_t *content = json_object_get(last, "content"), *holder = last;
    const char *key = "content";
    if (json_is_array(content)) { /* the last block of text; what is the caller's is not changed */
        json_t *copy = json_deep_copy(content);
        if (!copy || json_object_set_new(last, "content", copy))
            return no_memory();
        content = NULL;
        for (size_t i = json_array_size(copy); i > 0 && !content; i--) {
            holder = json_array_get(copy, i - 1);
            content = json_object_get(holder, key = "text");
        }
    }
    if (!json_is_string(content))
        return base_error_set(BASE_E_ARGUMENT,
                              "there is no text in the chat's last message to go on with");
    struct base_buffer b = { 0 };
    int rc = base_buffer_append(&b, json_string_value(content), json_string_length(content));
    if (!rc)
        rc = base_buffer_puts(&b, TAG);
    if (!rc && json_object_set_new(holder, key, json_stringn_nocheck(b.data, b.length)))
        rc = no_memory();
    base_buffer_free(&b);
    return rc;
}

/* Cuts the text where the tag stands. */
static int cut_at_tag(const struct eval_chat *c, char *text, size_t *bytes)
{
    const size_t bare = sizeof TAG - 2;
    for (size_t i = *bytes < bare ? 0 : *bytes - bare + 1; i > 0; i--) {
        if (memcmp(text + i - 1, TAG, bare) != 0)
            continue;
        size_t at = i - 1;
        /* without the blank behind it, the template has trimmed the message */
        if (at + bare >= *bytes || text[at + bare] != ' ')
            at = eval_space_trim_end(text, at);
        text[at] = 0;
        *bytes = at;
        return 0;
    }
    return base_error_set(BASE_E_ARGUMENT,
                          "%s: the chat template leaves out or changes the last message: it cannot "
                          "be continued",
                          c->model);
}

int eval_chat_render(const struct eval_chat *c, const struct eval_chat_request *q, char **text,
                     size_t *bytes)
{
    size_t length = 0;
    json_t *messages = NULL, *vars = json_copy(c->tokens);
    *text = NULL;
    int rc = vars ? prepare(q->messages, &messages) : no_memory();
    if (rc)
        goto out;
    if (q->continue_final && q->add_generation_prompt) {
        rc =
            base_error_set(BASE_E_ARGUMENT, "a chat can end where the answer begins, or inside the "
                                            "last message, not both");
        goto out;
    }
    if (q->continue_final && (rc = tag_final(messages)))
        goto out;
    if (json_object_set(vars, "messages", messages) ||
        json_object_set_new(vars, "tools",
                            q->tools ? json_incref((json_t *)(uintptr_t)q->tools) : json_null()) ||
        json_object_set_new(vars, "documents",
                            q->documents ? json_incref((json_t *)(uintptr_t)q->documents)
                                         : json_null()) ||
        json_object_set_new(vars, "add_generation_prompt",
                            json_boolean(q->add_generation_prompt)) ||
        (q->extra && json_object_update(vars, (json_t *)(uintptr_t)q->extra))) {
        rc = no_memory();
        goto out;
    }
    /* APIs turn thinking off by an effort, templates by enable_thinking */
    const char *effort = json_string_value(json_object_get(vars, "reasoning_effort"));
    if (effort && (strcmp(effort, "off") == 0 || strcmp(effort, "none") == 0)) {
        json_object_del(vars, "reasoning_effort");
        if (json_object_set_new(vars, "enable_thinking", json_false())) {
            rc = no_memory();
            goto out;
        }
    }
    bool tools = q->tools && json_array_size(q->tools) > 0 && c->with_tools;
    rc = template_render(tools ? c->with_tools : c->usual, vars, text, &length);
    if (!rc && q->continue_final && (rc = cut_at_tag(c, *text, &length))) {
        base_free(*text);
        *text = NULL;
    }
    if (!rc && bytes)
        *bytes = length;
out:
    json_decref(messages);
    json_decref(vars);
    return rc;
}
