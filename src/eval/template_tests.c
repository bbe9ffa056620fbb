/* Tests (`x is defined`), as in jinja2.tests. */
#include "eval/template_private.h"

#define TEST(name) static int name(struct run *r, struct value v, struct value argument, bool *out)
#define UNUSED     (void)r, (void)v, (void)argument

#define KIND_TEST(name, condition)                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        UNUSED;                                                                                    \
        *out = condition;                                                                          \
        return 0;                                                                                  \
    }
KIND_TEST(test_defined, v.kind != UNDEFINED)
KIND_TEST(test_undefined, v.kind == UNDEFINED)
KIND_TEST(test_none, v.kind == NONE)
KIND_TEST(test_boolean, v.kind == BOOLEAN)
KIND_TEST(test_true, v.kind == BOOLEAN && v.boolean)
KIND_TEST(test_false, v.kind == BOOLEAN && !v.boolean)
KIND_TEST(test_integer, v.kind == INTEGER)
KIND_TEST(test_float, v.kind == REAL)
KIND_TEST(test_number, v.kind == BOOLEAN || v.kind == INTEGER || v.kind == REAL)
KIND_TEST(test_string, v.kind == TEXT)
KIND_TEST(test_mapping, v.kind == DICT)
KIND_TEST(test_escaped, v.kind == TEXT && v.text->markup)
/* Undefined has __call__, __len__ and __getitem__, too; StrictUndefined's __len__ fails. */
KIND_TEST(test_callable, v.kind == MACRO || v.kind == FUNCTION || v.kind == METHOD ||
                             v.kind == UNDEFINED || v.kind == LOOP)
KIND_TEST(test_sequence, v.kind == TEXT || v.kind == DICT ||
                             (v.kind == LIST && v.list->flavour <= FLAVOUR_RANGE) ||
                             (v.kind == UNDEFINED && !template_strict(r, v)))

TEST(test_iterable)
{
    (void)argument;
    if (template_strict(r, v))
        return template_fail_undefined(r, v);
    *out =
        v.kind == TEXT || v.kind == DICT || v.kind == LIST || v.kind == UNDEFINED || v.kind == LOOP;
    return 0;
}

static int modulo(struct run *r, struct value v, struct value by, int64_t rest, bool *out)
{
    struct value x;
    int rc = template_binary(r, OP_MODULO, v, by, &x);
    return rc ? rc : template_equal(r, x, template_integer(rest), 0, out);
}
TEST(test_odd)
{
    (void)argument;
    return modulo(r, v, template_integer(2), 1, out);
}
TEST(test_even)
{
    (void)argument;
    return modulo(r, v, template_integer(2), 0, out);
}
TEST(test_divisibleby)
{
    return modulo(r, v, argument, 0, out);
}

static int of_case(struct run *r, struct value v, bool upper, bool *out)
{
    static const struct text names[] = { { "islower", 7, 7, false }, { "isupper", 7, 7, false } };
    struct value text, method, result;
    const struct arguments none = { 0 };
    int rc;
    if ((rc = template_str(r, v, &text)) ||
        (rc = template_method_find(r, text, &names[upper], &method)) ||
        (rc = template_call(r, method, &none, &result)))
        return rc;
    *out = result.boolean;
    return 0;
}
TEST(test_lower)
{
    (void)argument;
    return of_case(r, v, false, out);
}
TEST(test_upper)
{
    (void)argument;
    return of_case(r, v, true, out);
}

TEST(test_equal)
{
    return template_equal(r, v, argument, 0, out);
}
TEST(test_unequal)
{
    int rc = template_equal(r, v, argument, 0, out);
    *out = !*out;
    return rc;
}
#define ORDER_TEST(name, condition)                                                                \
    TEST(name)                                                                                     \
    {                                                                                              \
        int order, rc = template_order(r, v, argument, 0, &order);                                 \
        *out = condition;                                                                          \
        return rc;                                                                                 \
    }
ORDER_TEST(test_less, order < 0)
ORDER_TEST(test_less_equal, order <= 0)
ORDER_TEST(test_greater, order > 0)
ORDER_TEST(test_greater_equal, order >= 0)

TEST(test_in)
{
    return template_contains(r, v, argument, out);
}

/* Identity: sure for None, True and False, and for the same object; what else CPython shares is
 * nothing to rely on. */
TEST(test_sameas)
{
    (void)r;
    *out = v.kind == argument.kind;
    if (!*out)
        return 0;
    switch (v.kind) {
    case NONE:
        return 0;
    case BOOLEAN:
        *out = v.boolean == argument.boolean;
        return 0;
    case LIST:
        *out = v.list == argument.list;
        return 0;
    case DICT:
    case NAMESPACE:
        *out = v.dict == argument.dict;
        return 0;
    default:
        return template_fail(r, BASE_E_UNSUPPORTED,
                             "the test sameas is not supported for %s: use ==", template_type(v));
    }
}

static int named(struct run *r, struct value v, bool filter, bool *out)
{
    if (template_strict(r, v))
        return template_fail_undefined(r, v);
    *out = v.kind == TEXT && (filter ? template_filter_find(v.text->data, v.text->bytes) != NULL
                                     : template_test_find(v.text->data, v.text->bytes) != NULL);
    return 0;
}
TEST(test_filter)
{
    (void)argument;
    return named(r, v, true, out);
}
TEST(test_test)
{
    (void)argument;
    return named(r, v, false, out);
}

static const struct test tests[] = {
    { "!=", 1, test_unequal },
    { "<", 1, test_less },
    { "<=", 1, test_less_equal },
    { "==", 1, test_equal },
    { ">", 1, test_greater },
    { ">=", 1, test_greater_equal },
    { "boolean", 0, test_boolean },
    { "callable", 0, test_callable },
    { "defined", 0, test_defined },
    { "divisibleby", 1, test_divisibleby },
    { "eq", 1, test_equal },
    { "equalto", 1, test_equal },
    { "escaped", 0, test_escaped },
    { "even", 0, test_even },
    { "false", 0, test_false },
    { "filter", 0, test_filter },
    { "float", 0, test_float },
    { "ge", 1, test_greater_equal },
    { "greaterthan", 1, test_greater },
    { "gt", 1, test_greater },
    { "in", 1, test_in },
    { "integer", 0, test_integer },
    { "iterable", 0, test_iterable },
    { "le", 1, test_less_equal },
    { "lessthan", 1, test_less },
    { "lower", 0, test_lower },
    { "lt", 1, test_less },
    { "mapping", 0, test_mapping },
    { "ne", 1, test_unequal },
    { "none", 0, test_none },
    { "number", 0, test_number },
    { "odd", 0, test_odd },
    { "sameas", 1, test_sameas },
    { "sequence", 0, test_sequence },
    { "string", 0, test_string },
    { "test", 0, test_test },
    { "true", 0, test_true },
    { "undefined", 0, test_undefined },
    { "upper", 0, test_upper },
    { 0 },
};

const struct test *template_test_find(const char *name, size_t n)
{
    for (const struct test *t = tests; t->name; t++)
        if (strlen(t->name) == n && memcmp(t->name, name, n) == 0)
            return t;
    return NULL;
}

int template_test_run(struct run *r, const struct test *t, struct value v,
                      const struct arguments *a, bool *out)
{
    struct value none = { .kind = NONE };
    *out = false;
    if (a->n_named || a->n != (size_t)t->arguments)
        return template_fail(r, BASE_E_ARGUMENT, "the test \"%s\" takes %d argument%s, got %zu",
                             t->name, t->arguments, t->arguments == 1 ? "" : "s",
                             a->n + a->n_named);
    return t->run(r, v, t->arguments ? a->at[0] : none, out);
}
