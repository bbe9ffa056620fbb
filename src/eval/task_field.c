/* doc_to_text, doc_to_target, doc_to_choice and the like: a column's name, a template, or a
 * constant. The rules are those of lm-eval's ConfigurableTask, in its order:
 *
 *   text    column -> its value; template -> text, digits alone become an integer when there are
 *           choices (the index of the right context)
 *   target  the same, and "[...]" is read as a Python literal when it is one
 *   choice  column -> its value; template -> text, read as a Python literal; list; mapping: values
 *
 * so a template's list goes through its Python text and back, exactly as there. */
#include "base/memory.h"
#include "eval/python_text.h"
#include "eval/task_private.h"
#include <stdlib.h>

int task_field_init(struct task_field *f, const json_t *given, const char *key,
                    const struct task_source *source)
{
    static const struct template_options options = TEMPLATE_OPTIONS_TASK;
    f->given = given;
    if (!json_is_string(given)) {
        if (given && (json_is_real(given) || json_is_boolean(given)))
            return task_refuse(source, BASE_E_FORMAT, key,
                               "expected a column, a template, an "
                               "integer or a list");
        return 0;
    }
    char *name = base_format("%s: %s", source->path, key);
    if (!name)
        return BASE_E_MEMORY;
    int rc = template_parse(&f->template, name, json_string_value(given), json_string_length(given),
                            &options);
    base_free(name);
    size_t line = rc ? task_source_line(source, key) : 0;
    return line ? base_error_prefix(rc, "line %zu", line) : rc;
}

void task_field_clear(struct task_field *f)
{
    template_free(f->template);
    *f = (struct task_field){ 0 };
}

static int render(const struct task_field *f, const json_t *doc, json_t **out)
{
    char *text = NULL;
    size_t bytes;
    int rc = template_render(f->template, doc, &text, &bytes);
    if (rc)
        return rc;
    *out = json_stringn(text, bytes);
    base_free(text);
    return *out ? 0 : base_error_set(BASE_E_FORMAT, "a template gave text that is not UTF-8");
}

static json_t *values_of(const json_t *object)
{
    json_t *list = json_array(), *value;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) json_array_append(list, value);
    return list;
}

int task_field_value(const struct task_field *f, const json_t *doc, json_t **out)
{
    if (f->column) {
        json_t *value = json_object_get(doc, json_string_value(f->given));
        *out = value ? json_incref(value) : json_null();
        return 0;
    }
    if (f->template)
        return render(f, doc, out);
    *out =
        json_is_object(f->given) ? values_of(f->given) : json_incref((json_t *)(uintptr_t)f->given);
    return *out ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
}

int task_field_text(const struct task_field *f, const json_t *doc, char **out)
{
    *out = NULL;
    if (!task_field_set(f))
        return 0;
    json_t *value = NULL;
    struct base_buffer b = { 0 };
    int rc = task_field_value(f, doc, &value);
    rc = rc ? rc : python_str(&b, value);
    if (rc == 0 && !(*out = base_buffer_take(&b)))
        rc = BASE_E_MEMORY;
    base_buffer_free(&b);
    json_decref(value);
    return rc;
}

/* Digits alone mean an index where there are choices. */
static bool becomes_index(const struct task_form *f, const struct task_field *field,
                          const json_t *value)
{
    return !field->column && field->template && task_field_set(&f->choice) &&
           python_isdigit(json_string_value(value)) && json_string_length(value) < 19;
}

static int to_index(json_t **value)
{
    json_t *index = json_integer((json_int_t)strtoll(json_string_value(*value), NULL, 10));
    json_decref(*value);
    *value = index;
    return index ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
}

int task_doc_text(const struct eval_task *t, const struct task_form *f, const json_t *doc,
                  json_t **out)
{
    int rc = task_field_value(&f->text, doc, out);
    if (rc)
        return base_error_prefix(rc, "%s: doc_to_text", t->name);
    if (becomes_index(f, &f->text, *out))
        return to_index(out);
    if (json_is_string(*out) || json_is_integer(*out))
        return 0;
    json_decref(*out);
    *out = NULL;
    return base_error_set(BASE_E_FORMAT, "%s: doc_to_text: column \"%s\" holds no string", t->name,
                          json_string_value(f->text.given));
}

int task_doc_target(const struct eval_task *t, const struct task_form *f, const json_t *doc,
                    json_t **out)
{
    int rc = task_field_value(&f->target, doc, out);
    if (rc)
        return base_error_prefix(rc, "%s: doc_to_target", t->name);
    if (f->target.column || !f->target.template)
        return 0;
    if (becomes_index(f, &f->target, *out))
        return to_index(out);
    const char *text = json_string_value(*out);
    size_t n = json_string_length(*out);
    json_t *list = NULL;
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']' &&
        template_literal(&list, text, n, t->name) == 0) {
        json_decref(*out);
        *out = list;
    }
    return 0;
}

int task_doc_choices(const struct eval_task *t, const struct task_form *f, const json_t *doc,
                     json_t **out)
{
    *out = NULL;
    if (!task_field_set(&f->choice))
        return 0;
    json_t *value = NULL, *list = NULL, *choice;
    size_t i;
    int rc = task_field_value(&f->choice, doc, &value);
    if (rc)
        return base_error_prefix(rc, "%s: doc_to_choice", t->name);
    if (json_is_string(value) && !f->choice.column) {
        char *name = base_format("%s: doc_to_choice", t->name);
        rc = name ? template_literal(&list, json_string_value(value), json_string_length(value),
                                     name)
                  : BASE_E_MEMORY;
        base_free(name);
        json_decref(value);
        value = list;
    }
    if (rc == 0 && (!json_is_array(value) || json_array_size(value) == 0))
        rc = base_error_set(BASE_E_FORMAT, "%s: doc_to_choice did not give a list of choices",
                            t->name);
    if (rc == 0)
        json_array_foreach(value, i, choice) if (!json_is_string(choice))
        {
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: doc_to_choice: choice %zu is not a string (put it in "
                                "quotes)",
                                t->name, i);
            break;
        }
    if (rc)
        json_decref(value);
    else
        *out = value;
    return rc;
}

json_int_t task_gold_index(const json_t *gold, const json_t *choices)
{
    json_int_t n = (json_int_t)json_array_size(choices);
    if (json_is_boolean(gold))
        return json_is_true(gold);
    if (json_is_integer(gold))
        return json_integer_value(gold) < n ? json_integer_value(gold) : -100;
    for (json_int_t i = 0; json_is_string(gold) && i < n; i++)
        if (json_equal(json_array_get(choices, (size_t)i), (json_t *)(uintptr_t)gold))
            return i;
    return -100;
}
