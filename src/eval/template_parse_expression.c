/* Expressions: jinja2's grammar (see template_parse.c). Filters and tests are looked up here, so
 * that an unknown one is an error before anything is rendered. */
#include "eval/template_parse.h"

static int parse_or(struct parser *p, struct node **out);
static int parse_unary(struct parser *p, bool with_filter, struct node **out);

static int binary(struct parser *p, enum node_kind kind, enum operator op, struct node **left,
                  struct node *right)
{
    struct node *n;
    int rc = template_node(p, kind, &n);
    if (rc)
        return rc;
    n->op = op;
    n->a = *left;
    n->b = right;
    *left = n;
    return 0;
}

static int constant(struct parser *p, struct value v, struct node **out)
{
    int rc = template_node(p, NODE_CONSTANT, out);
    if (!rc)
        (*out)->constant = v;
    return rc;
}

int template_parse_expression(struct parser *p, struct node **out)
{
    int rc;
    if ((rc = template_enter(p)) || (rc = parse_or(p, out)))
        return rc;
    while (template_skip_name(p, "if")) {
        struct node *n;
        if ((rc = template_node(p, NODE_IF, &n)) || (rc = parse_or(p, &n->b)))
            return rc;
        n->a = *out;
        *out = n;
        if (template_skip_name(p, "else") && (rc = template_parse_expression(p, &n->c)))
            return rc;
    }
    p->depth--;
    return 0;
}

/* Where a tuple's items stop. */
static bool tuple_end(const struct parser *p)
{
    return p->token->kind == TOKEN_VARIABLE_END || p->token->kind == TOKEN_BLOCK_END ||
           p->token->kind == TOKEN_END || template_operator_is(p, ')') ||
           template_token_is(p, "recursive");
}

static int tuple(struct parser *p, bool conditional, bool parentheses, struct node **out)
{
    struct node *all = NULL, *one;
    int rc;
    if (parentheses && template_operator_is(p, ')'))
        return template_node(p, NODE_TUPLE, out);
    if ((rc = conditional ? template_parse_expression(p, &one) : parse_or(p, &one)))
        return rc;
    if (!template_operator_is(p, ',')) {
        *out = one;
        return 0;
    }
    if ((rc = template_node(p, NODE_TUPLE, &all)) || (rc = template_item_add(p, all, one)))
        return rc;
    while (template_skip_operator(p, ',') && !tuple_end(p))
        if ((rc = conditional ? template_parse_expression(p, &one) : parse_or(p, &one)) ||
            (rc = template_item_add(p, all, one)))
            return rc;
    *out = all;
    return 0;
}

int template_parse_tuple(struct parser *p, bool conditional, struct node **out)
{
    return tuple(p, conditional, false, out);
}

static int parse_not(struct parser *p, struct node **out);

static int parse_and(struct parser *p, struct node **out)
{
    struct node *right;
    int rc = parse_not(p, out);
    while (!rc && template_skip_name(p, "and"))
        if (!(rc = parse_not(p, &right)))
            rc = binary(p, NODE_AND, 0, out, right);
    return rc;
}

static int parse_or(struct parser *p, struct node **out)
{
    struct node *right;
    int rc = parse_and(p, out);
    while (!rc && template_skip_name(p, "or"))
        if (!(rc = parse_and(p, &right)))
            rc = binary(p, NODE_OR, 0, out, right);
    return rc;
}

/* One step of a chain of operators: the operator at hand if it is in `from` (pairs of token and
 * operator, ended by 0), passed. */
static bool one_of(struct parser *p, const int from[][2], enum operator* op)
{
    for (int i = 0; from[i][0]; i++)
        if (template_skip_operator(p, from[i][0])) {
            *op = (enum operator)from[i][1];
            return true;
        }
    return false;
}

static int parse_power(struct parser *p, struct node **out)
{
    static const int operators[][2] = { { '*' << 8 | '*', OP_POWER }, { 0, 0 } };
    enum operator op;
    struct node *right;
    int rc = parse_unary(p, true, out);
    while (!rc && one_of(p, operators, &op))
        if (!(rc = parse_unary(p, true, &right)))
            rc = binary(p, NODE_BINARY, op, out, right);
    return rc;
}

static int parse_product(struct parser *p, struct node **out)
{
    static const int operators[][2] = { { '*', OP_MULTIPLY },
                                        { '/', OP_DIVIDE },
                                        { '/' << 8 | '/', OP_FLOOR },
                                        { '%', OP_MODULO },
                                        { 0, 0 } };
    enum operator op;
    struct node *right;
    int rc = parse_power(p, out);
    while (!rc && one_of(p, operators, &op))
        if (!(rc = parse_power(p, &right)))
            rc = binary(p, NODE_BINARY, op, out, right);
    return rc;
}

static int parse_concat(struct parser *p, struct node **out)
{
    struct node *all, *right;
    int rc = parse_product(p, out);
    if (rc || !template_operator_is(p, '~'))
        return rc;
    if ((rc = template_node(p, NODE_CONCAT, &all)) || (rc = template_item_add(p, all, *out)))
        return rc;
    while (template_skip_operator(p, '~'))
        if ((rc = parse_product(p, &right)) || (rc = template_item_add(p, all, right)))
            return rc;
    *out = all;
    return 0;
}

static int parse_sum(struct parser *p, struct node **out)
{
    static const int operators[][2] = { { '+', OP_ADD }, { '-', OP_SUBTRACT }, { 0, 0 } };
    enum operator op;
    struct node *right;
    int rc = parse_concat(p, out);
    while (!rc && one_of(p, operators, &op))
        if (!(rc = parse_concat(p, &right)))
            rc = binary(p, NODE_BINARY, op, out, right);
    return rc;
}

static bool comparison(struct parser *p, enum operator* op)
{
    static const int operators[][2] = { { '=' << 8 | '=', OP_EQUAL },
                                        { '!' << 8 | '=', OP_UNEQUAL },
                                        { '<' << 8 | '=', OP_LESS_EQUAL },
                                        { '>' << 8 | '=', OP_GREATER_EQUAL },
                                        { '<', OP_LESS },
                                        { '>', OP_GREATER },
                                        { 0, 0 } };
    if (one_of(p, operators, op))
        return true;
    *op = OP_IN;
    if (template_skip_name(p, "in"))
        return true;
    const struct token *here = p->token;
    *op = OP_NOT_IN;
    if (template_skip_name(p, "not") && template_skip_name(p, "in"))
        return true;
    p->token = here;
    return false;
}

static int parse_comparison(struct parser *p, struct node **out)
{
    struct node *all = NULL, *right;
    enum operator op;
    int rc = parse_sum(p, out);
    while (!rc && comparison(p, &op)) {
        if (!all &&
            ((rc = template_node(p, NODE_COMPARE, &all)) || (rc = template_item_add(p, all, *out))))
            return rc;
        unsigned char *ops = template_alloc(&p->t->arena, all->n, 1);
        if (!ops)
            return p->t->arena.failed;
        if (all->n > 1)
            memcpy(ops, all->ops, all->n - 1);
        ops[all->n - 1] = (unsigned char)op;
        all->ops = ops;
        if ((rc = parse_sum(p, &right)) || (rc = template_item_add(p, all, right)))
            return rc;
        *out = all;
    }
    return rc;
}

static int parse_not(struct parser *p, struct node **out)
{
    int rc;
    if (!template_token_is(p, "not"))
        return parse_comparison(p, out);
    struct node *n;
    if ((rc = template_node(p, NODE_NOT, &n)) || (rc = template_enter(p)))
        return rc;
    p->token++;
    rc = parse_not(p, &n->a);
    p->depth--;
    *out = n;
    return rc;
}

/* Arguments behind '(', which is at hand, into n->items and n->keywords. */
static int arguments(struct parser *p, struct node *n)
{
    int rc;
    p->token++;
    for (bool first = true; !template_operator_is(p, ')'); first = false) {
        struct node *value;
        if (!first) {
            if ((rc = template_expect_operator(p, ',')))
                return rc;
            if (template_operator_is(p, ')'))
                break;
        }
        if (template_operator_is(p, '*') || template_operator_is(p, '*' << 8 | '*'))
            return template_parser_fail(p, BASE_E_UNSUPPORTED,
                                        "arguments with * or ** are not supported");
        if (p->token->kind == TOKEN_NAME && p->token[1].kind == TOKEN_OPERATOR &&
            p->token[1].op == '=') {
            const struct text *name;
            if ((rc = template_name(p, &name)))
                return rc;
            p->token++;
            if ((rc = template_parse_expression(p, &value)) ||
                (rc = template_keyword_add(p, n, name, value)))
                return rc;
            continue;
        }
        if (n->n_keywords)
            return template_parser_fail(p, BASE_E_FORMAT,
                                        "a positional argument follows a named one");
        if ((rc = template_parse_expression(p, &value)) || (rc = template_item_add(p, n, value)))
            return rc;
    }
    p->token++;
    return 0;
}

/* What stands in [ ]: an expression or a slice. */
static int subscript(struct parser *p, struct node *of, struct node **out)
{
    struct node *n, *part = NULL;
    int rc = template_node(p, NODE_ITEM, &n);
    if (rc)
        return rc;
    n->a = of;
    *out = n;
    if (!template_operator_is(p, ':')) {
        if ((rc = template_parse_expression(p, &n->b)))
            return rc;
        if (template_operator_is(p, ',')) {
            struct node *all;
            if ((rc = template_node(p, NODE_TUPLE, &all)) || (rc = template_item_add(p, all, n->b)))
                return rc;
            while (template_skip_operator(p, ','))
                if ((rc = template_parse_expression(p, &part)) ||
                    (rc = template_item_add(p, all, part)))
                    return rc;
            n->b = all;
        }
        if (!template_operator_is(p, ':'))
            return template_expect_operator(p, ']');
    }
    n->kind = NODE_SLICE;
    if ((rc = template_item_add(p, n, n->b)))
        return rc;
    for (int i = 1; i < 3; i++) {
        part = NULL;
        if (template_skip_operator(p, ':') && !template_operator_is(p, ':') &&
            !template_operator_is(p, ']') && (rc = template_parse_expression(p, &part)))
            return rc;
        if ((rc = template_item_add(p, n, part)))
            return rc;
    }
    return template_expect_operator(p, ']');
}

/* . [] and calls behind *out. */
static int postfix(struct parser *p, bool calls_only, struct node **out)
{
    struct node *n;
    int rc;
    for (;;) {
        if (template_operator_is(p, '(')) {
            if ((rc = template_node(p, NODE_CALL, &n)) || (rc = arguments(p, n)))
                return rc;
            n->a = *out;
            *out = n;
        } else if (!calls_only && template_skip_operator(p, '.')) {
            if (p->token->kind == TOKEN_INTEGER) {
                if ((rc = template_node(p, NODE_ITEM, &n)) ||
                    (rc = constant(p, template_integer(p->token->integer), &n->b)))
                    return rc;
                p->token++;
            } else if ((rc = template_node(p, NODE_ATTRIBUTE, &n)) ||
                       (rc = template_name(p, &n->name))) {
                return rc;
            }
            n->a = *out;
            *out = n;
        } else if (!calls_only && template_skip_operator(p, '[')) {
            if ((rc = subscript(p, *out, &n)))
                return rc;
            *out = n;
        } else {
            return 0;
        }
    }
}

/* A filter's or test's name; dots belong to it. */
static int dotted(struct parser *p, char name[80])
{
    size_t n = 0;
    for (;;) {
        if (p->token->kind != TOKEN_NAME)
            return template_unexpected(p, "a name");
        if (n + p->token->bytes + 2 > 80)
            return template_parser_fail(p, BASE_E_FORMAT, "a name that is too long");
        memcpy(name + n, p->token->at, p->token->bytes);
        n += p->token->bytes;
        name[n] = 0;
        p->token++;
        if (!template_skip_operator(p, '.'))
            return 0;
        name[n++] = '.';
    }
}

int template_parse_filter(struct parser *p, struct node **out)
{
    struct node *n;
    char name[80];
    int rc = template_node(p, NODE_FILTER, &n);
    const struct token *here = p->token;
    if (rc || (rc = dotted(p, name)))
        return rc;
    n->filter = template_filter_find(name, strlen(name));
    if (!n->filter || (strcmp(name, "regex_replace") == 0 && p->t->options.chat)) {
        p->token = here;
        return template_parser_fail(p, BASE_E_UNSUPPORTED, "the filter \"%s\" is not supported",
                                    name);
    }
    n->a = *out;
    *out = n;
    return template_operator_is(p, '(') ? arguments(p, n) : 0;
}

static int parse_primary(struct parser *p, struct node **out);

static int parse_test(struct parser *p, struct node **out)
{
    struct node *n, *argument;
    char name[80];
    bool negated = template_skip_name(p, "not");
    const struct token *here = p->token;
    int rc = template_node(p, NODE_TEST, &n);
    if (rc || (rc = dotted(p, name)))
        return rc;
    n->test = template_test_find(name, strlen(name));
    if (!n->test) {
        p->token = here;
        return template_parser_fail(p, BASE_E_UNSUPPORTED, "the test \"%s\" is not supported",
                                    name);
    }
    n->a = *out;
    *out = n;
    enum token_kind k = p->token->kind;
    if (template_operator_is(p, '(')) {
        if ((rc = arguments(p, n)))
            return rc;
    } else if ((k == TOKEN_NAME && !template_token_is(p, "else") && !template_token_is(p, "or") &&
                !template_token_is(p, "and")) ||
               k == TOKEN_STRING || k == TOKEN_INTEGER || k == TOKEN_REAL ||
               template_operator_is(p, '[') || template_operator_is(p, '{')) {
        if (template_token_is(p, "is"))
            return template_parser_fail(p, BASE_E_FORMAT, "tests cannot be chained with is");
        /* jinja2 takes any name here as the argument: `x is defined if y` is its syntax error, too,
         * unless the test takes none and the name is a keyword that ends the expression */
        if (n->test->arguments == 0 &&
            (template_token_is(p, "if") || template_token_is(p, "in") ||
             template_token_is(p, "not") || template_token_is(p, "recursive")))
            goto out;
        if ((rc = template_enter(p)) || (rc = parse_primary(p, &argument)) ||
            (rc = postfix(p, false, &argument)) || (rc = template_item_add(p, n, argument)))
            return rc;
        p->depth--;
    }
out:
    if (n->n_keywords || n->n != (size_t)n->test->arguments)
        return template_parser_fail(p, BASE_E_FORMAT, "the test \"%s\" takes %d argument%s", name,
                                    n->test->arguments, n->test->arguments == 1 ? "" : "s");
    if (negated) {
        struct node * not ;
        if ((rc = template_node(p, NODE_NOT, &not )))
            return rc;
        not ->a = *out;
        *out = not ;
    }
    return 0;
}

static int filters(struct parser *p, struct node **out)
{
    int rc = 0;
    while (!rc) {
        if (template_skip_operator(p, '|'))
            rc = template_parse_filter(p, out);
        else if (template_skip_name(p, "is"))
            rc = parse_test(p, out);
        else if (template_operator_is(p, '('))
            rc = postfix(p, true, out);
        else
            break;
    }
    return rc;
}

static int parse_unary(struct parser *p, bool with_filter, struct node **out)
{
    int rc;
    if (template_operator_is(p, '-') || template_operator_is(p, '+')) {
        struct node *n;
        if ((rc = template_node(p, template_operator_is(p, '-') ? NODE_NEGATIVE : NODE_POSITIVE,
                                &n)) ||
            (rc = template_enter(p)))
            return rc;
        p->token++;
        if ((rc = parse_unary(p, false, &n->a)))
            return rc;
        p->depth--;
        *out = n;
    } else if ((rc = parse_primary(p, out))) {
        return rc;
    }
    if ((rc = postfix(p, false, out)))
        return rc;
    return with_filter ? filters(p, out) : 0;
}

static int parse_strings(struct parser *p, struct node **out)
{
    /* strings that stand beside each other are one */
    size_t bytes = 0, n = 0;
    for (; p->token[n].kind == TOKEN_STRING; n++)
        bytes += p->token[n].bytes;
    char *all = template_alloc(&p->t->arena, bytes + 1, 1);
    struct value v;
    if (!all)
        return p->t->arena.failed;
    bytes = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(all + bytes, p->token[i].at, p->token[i].bytes);
        bytes += p->token[i].bytes;
    }
    int rc = template_text_view(&p->t->arena, all, bytes, &v);
    if (!rc)
        rc = constant(p, v, out);
    p->token += n;
    return rc;
}

/* [a, b], with the bracket passed; or {a: b} */
static int display(struct parser *p, char close, struct node *n)
{
    int rc;
    for (bool first = true; !template_operator_is(p, close); first = false) {
        struct node *one;
        if (!first) {
            if ((rc = template_expect_operator(p, ',')))
                return rc;
            if (template_operator_is(p, close))
                break;
        }
        if ((rc = template_parse_expression(p, &one)) || (rc = template_item_add(p, n, one)))
            return rc;
        if (close == '}' &&
            ((rc = template_expect_operator(p, ':')) || (rc = template_parse_expression(p, &one)) ||
             (rc = template_item_add(p, n, one))))
            return rc;
    }
    p->token++;
    return 0;
}

static int parse_primary(struct parser *p, struct node **out)
{
    static const struct {
        const char *name;
        struct value value;
    } constants[] = {
        { "true", { .kind = BOOLEAN, .boolean = true } },
        { "True", { .kind = BOOLEAN, .boolean = true } },
        { "false", { .kind = BOOLEAN } },
        { "False", { .kind = BOOLEAN } },
        { "none", { .kind = NONE } },
        { "None", { .kind = NONE } },
    };
    const struct token *k = p->token;
    int rc;
    switch (k->kind) {
    case TOKEN_NAME:
        for (int i = 0; i < 6; i++)
            if (template_token_is(p, constants[i].name)) {
                rc = constant(p, constants[i].value, out);
                p->token++;
                return rc;
            }
        if ((rc = template_node(p, NODE_NAME, out)) || (rc = template_name(p, &(*out)->name)))
            return rc;
        if (p->macro) {
            p->macro->uses_caller |= template_is((*out)->name, "caller");
            p->macro->uses_varargs |= template_is((*out)->name, "varargs");
            p->macro->uses_kwargs |= template_is((*out)->name, "kwargs");
        }
        return 0;
    case TOKEN_STRING:
        return parse_strings(p, out);
    case TOKEN_INTEGER:
    case TOKEN_REAL:
        rc = constant(
            p, k->kind == TOKEN_REAL ? template_real(k->real) : template_integer(k->integer), out);
        p->token++;
        return rc;
    default:
        break;
    }
    if (template_skip_operator(p, '(')) {
        if ((rc = template_enter(p)) || (rc = tuple(p, true, true, out)))
            return rc;
        p->depth--;
        return template_expect_operator(p, ')');
    }
    if (template_operator_is(p, '[') || template_operator_is(p, '{')) {
        bool list = template_operator_is(p, '[');
        if ((rc = template_node(p, list ? NODE_LIST : NODE_DICT, out)))
            return rc;
        p->token++;
        return display(p, list ? ']' : '}', *out);
    }
    return template_unexpected(p, "an expression");
}
