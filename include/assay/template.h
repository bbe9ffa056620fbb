/* template: a Jinja2 subset for task files (lm-eval's YAML) and chat templates (Hugging Face,
 * GGUF).
 *
 * What is rendered is, byte for byte, what jinja2 3.1 renders; what this does not know (a filter, a
 * test, a tag, a method, an argument) is refused by name when the template is parsed, or where only
 * the value's type tells, when it is rendered. Nothing is passed over silently.
 *
 *   {{ expression }}   {# comment #}   {% raw %}
 *   {% if/elif/else %}  {% for x, y in xs if c %}/{% else %}, loop.*, {% break %} {% continue %}
 * (chat)
 *   {% set a, b = .. %} {% set a %}..{% endset %} {% set ns.a = .. %}  {% with %}  {% filter f %}
 *   {% macro %} {% call %} {% generation %} (chat)
 *   expressions with Python's operators, precedence, slices, str/list/dict methods; macros; range,
 *   dict, namespace, and for chat raise_exception, strftime_now
 * Not there: extends, block, include, import, autoescape, do, i18n, recursive loops, *args, random.
 *
 * Values are JSON plus "undefined"; text is what Python's str() gives (True, None, 1e-05, ['a']).
 * Integers are 64-bit: beyond that is an error, not a wrong number. */
#ifndef ASSAY_TEMPLATE_H
#define ASSAY_TEMPLATE_H
#include <assay/base.h>
#include <jansson.h>
#include <stdbool.h>

struct template;
struct template_options {
    bool trim_blocks;   /* the first newline after a block tag is removed */
    bool lstrip_blocks; /* white space before a block tag on its line is removed */
    bool keep_trailing_newline;
    bool strict;     /* StrictUndefined: an undefined value may only be tested or given a default */
    bool chat;       /* Hugging Face's additions: raise_exception, strftime_now, break and continue,
                        generation, its plain tojson (else Jinja's, sorted and HTML-safe) */
    const char *now; /* for strftime_now: "2024-07-26" or "2024-07-26T14:05:00"; NULL refuses it, so
                        that no result depends on a clock. Copied. */
    /* A hostile template ends with BASE_E_LIMIT. 0 = default. */
    size_t max_output; /* bytes; 16 MiB */
    size_t max_memory; /* bytes of all values made in one rendering; 256 MiB */
    size_t max_steps;  /* expressions and statements evaluated; 10 million */
};
/* As lm-eval's utils.apply_template, and as transformers' apply_chat_template. */
#define TEMPLATE_OPTIONS_TASK                                                                      \
    {                                                                                              \
        .keep_trailing_newline = true, .strict = true                                              \
    }
#define TEMPLATE_OPTIONS_CHAT                                                                      \
    {                                                                                              \
        .trim_blocks = true, .lstrip_blocks = true, .chat = true                                   \
    }

/* name goes into messages ("NAME:LINE: ..."). source is UTF-8. options NULL = all zero, which is
 * jinja2.Environment(). BASE_E_FORMAT: not a template; BASE_E_UNSUPPORTED: outside the subset. */
int template_parse(struct template **out, const char *name, const char *source, size_t bytes,
                   const struct template_options *options);
void template_free(struct template *t); /* NULL is fine */

/* vars: an object, or NULL for none; not changed. *text is a new NUL-terminated string (base_free),
 * *bytes (may be NULL) its length: it may hold NULs. A parsed template may be rendered by several
 * threads at once. BASE_E_ARGUMENT: what jinja2 would raise when rendering (undefined, wrong type,
 * raise_exception), with NAME:LINE. */
int template_render(const struct template *t, const json_t *vars, char **text, size_t *bytes);

/* The value of a template that is one {{ expression }} and nothing else (white space around it is
 * allowed), instead of its text: new reference; NULL when undefined (not an error, unless strict).
 * Tuples and iterators become arrays. BASE_E_ARGUMENT when there is more than one expression, or
 * for a value that is not JSON (a macro, NaN). */
int template_evaluate(const struct template *t, const json_t *vars, json_t **value);
/* True when template_evaluate can be used. */
bool template_is_expression(const struct template *t);

/* A Python literal as ast.literal_eval reads it ("['a', \"b\"]", "(1, None)", "-2.5"): what lm-eval
 * does with the text of doc_to_choice. New reference; tuples become arrays, keys strings. */
int template_literal(json_t **value, const char *text, size_t bytes, const char *name);
#endif
