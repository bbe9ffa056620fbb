/* Tokens to a tree, with jinja2's parser's grammar and precedence:
 *
 *   if-else < or < and < not < comparison, in, not in (chained) < + - < ~ < * / // % < **
 *   < unary + - < . [] () < | and `is`
 *
 * (`-x|abs` is (-x)|abs, and ** binds from the left: jinja2's, not Python's, choices.) Expressions
 * are in template_parse_expression.c; this file has the statements. */
#include "eval/template_parse.h"

int template_parser_fail(const struct parser *p, int code, const char *format, ...)
{
    char text[400];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    struct run where = { .name = p->t->name, .line = p->token->line };
    return template_fail(&where, code, "%s", text);
}

bool template_token_is(const struct parser *p, const char *name)
{
    const struct token *k = p->token;
    return k->kind == TOKEN_NAME && strlen(name) == k->bytes && memcmp(name, k->at, k->bytes) == 0;
}

bool template_operator_is(const struct parser *p, int op)
{
    return p->token->kind == TOKEN_OPERATOR && p->token->op == op;
}

bool template_skip_operator(struct parser *p, int op)
{
    bool yes = template_operator_is(p, op);
    p->token += yes;
    return yes;
}

bool template_skip_name(struct parser *p, const char *name)
{
    bool yes = template_token_is(p, name);
    p->token += yes;
    return yes;
}

const char *template_token_text(const struct parser *p, char shown[64])
{
    const struct token *k = p->token;
    int n = k->bytes < 40 ? (int)k->bytes : 40;
    switch (k->kind) {
    case TOKEN_END:
        return "the end of the template";
    case TOKEN_DATA:
        return "text";
    case TOKEN_VARIABLE_BEGIN:
        return "{{";
    case TOKEN_VARIABLE_END:
        return "}}";
    case TOKEN_BLOCK_BEGIN:
        return "{%";
    case TOKEN_BLOCK_END:
        return "%}";
    case TOKEN_NAME:
        snprintf(shown, 64, "%.*s", n, k->at);
        return shown;
    case TOKEN_STRING:
        return "a string";
    case TOKEN_INTEGER:
    case TOKEN_REAL:
        return "a number";
    default:
        if (k->op > 255)
            snprintf(shown, 64, "%c%c", k->op >> 8, k->op & 255);
        else
            snprintf(shown, 64, "%c", k->op);
        return shown;
    }
}

int template_unexpected(const struct parser *p, const char *expected)
{
    char shown[64];
    return template_parser_fail(p, BASE_E_FORMAT, "expected %s, got %s", expected,
                                template_token_text(p, shown));
}

int template_expect_operator(struct parser *p, int op)
{
    char text[4] = { (char)op, 0 };
    return template_skip_operator(p, op) ? 0 : template_unexpected(p, text);
}

int template_node(struct parser *p, enum node_kind kind, struct node **out)
{
    struct node *n = template_alloc(&p->t->arena, 1, sizeof *n);
    *out = n;
    if (!n)
        return p->t->arena.failed;
    n->kind = kind;
    n->line = p->token->line;
    return 0;
}

/* A name as a text of the template's own. */
int template_name_text(struct parser *p, const char *at, size_t bytes, const struct text **out)
{
    struct value v;
    int rc = template_text_view(&p->t->arena, at, bytes, &v);
    if (!rc)
        *out = v.text;
    return rc;
}

int template_name(struct parser *p, const struct text **out)
{
    if (p->token->kind != TOKEN_NAME)
        return template_unexpected(p, "a name");
    int rc = template_name_text(p, p->token->at, p->token->bytes, out);
    p->token++;
    return rc;
}

int template_item_add(struct parser *p, struct node *to, struct node *item)
{
    if ((to->n & (to->n - 1)) == 0) { /* full at powers of two */
        struct node **more = template_alloc(&p->t->arena, to->n ? to->n * 2 : 1, sizeof *more);
        if (!more)
            return p->t->arena.failed;
        if (to->n)
            memcpy(more, to->items, to->n * sizeof *more);
        to->items = more;
    }
    to->items[to->n++] = item;
    return 0;
}

int template_keyword_add(struct parser *p, struct node *to, const struct text *name,
                         struct node *value)
{
    struct keyword *more = template_alloc(&p->t->arena, to->n_keywords + 1, sizeof *more);
    if (!more)
        return p->t->arena.failed;
    for (size_t i = 0; i < to->n_keywords; i++) {
        if (template_same(to->keywords[i].name, name))
            return template_parser_fail(p, BASE_E_FORMAT, "the name %.*s is given twice",
                                        (int)name->bytes, name->data);
        more[i] = to->keywords[i];
    }
    more[to->n_keywords] = (struct keyword){ name, value };
    to->keywords = more;
    to->n_keywords++;
    return 0;
}

int template_enter(struct parser *p)
{
    if (++p->depth <= TEMPLATE_DEPTH_PARSE)
        return 0;
    return template_parser_fail(p, BASE_E_LIMIT, "nested more than %d deep", TEMPLATE_DEPTH_PARSE);
}

/* ---- statements ---- */
static int statements(struct parser *p, const char *const *ends, struct node **out);

/* A block's body up to one of the NULL-terminated `ends`; the token is then that name. */
static int body(struct parser *p, const char *const *ends, struct node **out)
{
    if (p->token->kind != TOKEN_BLOCK_END)
        return template_unexpected(p, "%}");
    p->token++;
    int rc = template_enter(p);
    if (!rc)
        rc = statements(p, ends, out);
    p->depth--;
    return rc;
}

/* A body whose end tag is passed. */
static int body_to(struct parser *p, const char *end, struct node **out)
{
    const char *const ends[] = { end, NULL };
    int rc = body(p, ends, out);
    if (!rc)
        p->token++;
    return rc;
}

/* What is assigned to: a name, namespace.name, or names in a tuple. */
static int target(struct parser *p, bool with_attribute, struct node **out)
{
    struct node *one, *tuple = NULL;
    int rc = 0;
    for (;;) {
        if (template_operator_is(p, '(')) {
            p->token++;
            if ((rc = template_enter(p)) || (rc = target(p, false, &one)) ||
                (rc = template_expect_operator(p, ')')))
                return rc;
            p->depth--;
        } else {
            static const char *const constants[] = { "true", "false", "none",
                                                     "True", "False", "None" };
            for (int i = 0; i < 6; i++)
                if (template_token_is(p, constants[i]))
                    return template_parser_fail(p, BASE_E_FORMAT, "cannot assign to %s",
                                                constants[i]);
            if ((rc = template_node(p, NODE_NAME, &one)) || (rc = template_name(p, &one->name)))
                return rc;
            if (with_attribute && !tuple && template_skip_operator(p, '.')) {
                struct node *attribute;
                if ((rc = template_node(p, NODE_ATTRIBUTE, &attribute)) ||
                    (rc = template_name(p, &attribute->name)))
                    return rc;
                attribute->a = one;
                *out = attribute;
                return 0;
            }
        }
        if (!tuple && !template_operator_is(p, ',')) {
            *out = one;
            return 0;
        }
        if (!tuple && (rc = template_node(p, NODE_TUPLE, &tuple)))
            return rc;
        if ((rc = template_item_add(p, tuple, one)))
            return rc;
        *out = tuple;
        if (!template_skip_operator(p, ',') ||
            (p->token->kind != TOKEN_NAME && !template_operator_is(p, '(')) ||
            template_token_is(p, "in"))
            return 0;
    }
}

static int parse_if(struct parser *p, struct node *n)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    for (;;) {
        int rc;
        n->kind = NODE_BRANCH;
        if ((rc = template_parse_tuple(p, false, &n->a)) || (rc = body(p, ends, &n->body)))
            return rc;
        if (template_skip_name(p, "elif")) {
            if ((rc = template_node(p, NODE_BRANCH, &n->other)))
                return rc;
            n = n->other;
        } else if (template_skip_name(p, "else")) {
            return body_to(p, "endif", &n->other);
        } else {
            p->token++;
            return 0;
        }
    }
}

static int parse_for(struct parser *p, struct node *n)
{
    static const char *const ends[] = { "else", "endfor", NULL };
    int rc;
    n->kind = NODE_FOR;
    if ((rc = target(p, false, &n->a)))
        return rc;
    if (!template_skip_name(p, "in"))
        return template_unexpected(p, "in");
    if ((rc = template_parse_tuple(p, false, &n->b)))
        return rc;
    if (template_skip_name(p, "if") && (rc = template_parse_expression(p, &n->c)))
        return rc;
    if (template_token_is(p, "recursive"))
        return template_parser_fail(p, BASE_E_UNSUPPORTED, "recursive loops are not supported");
    p->loops++;
    rc = body(p, ends, &n->body);
    p->loops--;
    if (rc)
        return rc;
    if (template_skip_name(p, "else"))
        return body_to(p, "endfor", &n->other);
    p->token++;
    return 0;
}

static int filter_chain(struct parser *p, struct node **out)
{
    int rc;
    *out = NULL;
    if ((rc = template_parse_filter(p, out)))
        return rc;
    while (template_skip_operator(p, '|'))
        if ((rc = template_parse_filter(p, out)))
            return rc;
    return 0;
}

static int parse_set(struct parser *p, struct node *n)
{
    int rc;
    n->kind = NODE_SET;
    if ((rc = target(p, true, &n->a)))
        return rc;
    if (template_skip_operator(p, '='))
        return template_parse_tuple(p, true, &n->b);
    n->kind = NODE_SET_BLOCK;
    if (template_skip_operator(p, '|') && (rc = filter_chain(p, &n->b)))
        return rc;
    return body_to(p, "endset", &n->body);
}

static int signature(struct parser *p, struct node *n)
{
    int rc;
    if ((rc = template_expect_operator(p, '(')))
        return rc;
    while (!template_operator_is(p, ')')) {
        struct node *parameter;
        if (n->n && (rc = template_expect_operator(p, ',')))
            return rc;
        if ((rc = template_node(p, NODE_NAME, &parameter)) ||
            (rc = template_name(p, &parameter->name)))
            return rc;
        for (size_t i = 0; i < n->n; i++)
            if (template_same(n->items[i]->name, parameter->name))
                return template_parser_fail(p, BASE_E_FORMAT, "the parameter %.*s is there twice",
                                            (int)parameter->name->bytes, parameter->name->data);
        if (template_skip_operator(p, '=')) {
            if ((rc = template_parse_expression(p, &parameter->a)))
                return rc;
            n->n_keywords++;
        } else if (n->n_keywords) {
            return template_parser_fail(p, BASE_E_FORMAT,
                                        "a parameter without a default follows one with");
        }
        if ((rc = template_item_add(p, n, parameter)))
            return rc;
    }
    n->n_keywords = 0; /* the defaults are in the parameters' nodes */
    p->token++;
    return 0;
}

/* Parameters and body of a macro or of a call block's caller. */
static int macro(struct parser *p, struct node *n, bool parameters, const char *end)
{
    struct node *outer = p->macro;
    size_t loops = p->loops;
    int rc = parameters ? signature(p, n) : 0;
    p->macro = n;
    p->loops = 0;
    if (!rc)
        rc = body_to(p, end, &n->body);
    p->macro = outer;
    p->loops = loops;
    if (outer) { /* jinja2 looks through what is inside, too */
        outer->uses_caller |= n->uses_caller;
        outer->uses_varargs |= n->uses_varargs;
        outer->uses_kwargs |= n->uses_kwargs;
    }
    return rc;
}

static int parse_call_block(struct parser *p, struct node *n)
{
    struct node *caller;
    int rc;
    n->kind = NODE_CALL_BLOCK;
    if ((rc = template_node(p, NODE_MACRO, &caller)) ||
        (rc = template_name_text(p, "caller", 6, &caller->name)))
        return rc;
    n->b = caller;
    bool parameters = template_operator_is(p, '(');
    if (parameters && (rc = signature(p, caller)))
        return rc;
    if ((rc = template_parse_expression(p, &n->a)))
        return rc;
    if (n->a->kind != NODE_CALL)
        return template_parser_fail(p, BASE_E_FORMAT, "expected a call behind {%% call %%}");
    return macro(p, caller, false, "endcall");
}

static int parse_with(struct parser *p, struct node *n)
{
    int rc;
    n->kind = NODE_WITH;
    while (p->token->kind != TOKEN_BLOCK_END) {
        struct node *name, *value;
        if (n->n && (rc = template_expect_operator(p, ',')))
            return rc;
        if ((rc = target(p, false, &name)) || (rc = template_expect_operator(p, '=')) ||
            (rc = template_parse_expression(p, &value)) || (rc = template_item_add(p, n, name)) ||
            (rc = template_item_add(p, n, value)))
            return rc;
    }
    return body_to(p, "endwith", &n->body);
}

static int statement(struct parser *p, struct node *n)
{
    static const char *const refused[] = { "extends", "block",      "include", "import", "from",
                                           "do",      "autoescape", "trans",   "debug" };
    int rc;
    if (p->token->kind != TOKEN_NAME)
        return template_unexpected(p, "a tag's name");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (template_token_is(p, refused[i]))
            return template_parser_fail(p, BASE_E_UNSUPPORTED,
                                        "the tag {%% %s %%} is not supported", refused[i]);
    if (template_skip_name(p, "if"))
        return parse_if(p, n);
    if (template_skip_name(p, "for"))
        return parse_for(p, n);
    if (template_skip_name(p, "set"))
        return parse_set(p, n);
    if (template_skip_name(p, "print")) {
        struct node *one;
        n->kind = NODE_OUTPUT;
        if ((rc = template_node(p, NODE_CONCAT, &n->a)))
            return rc;
        do {
            if ((rc = template_parse_expression(p, &one)) || (rc = template_item_add(p, n->a, one)))
                return rc;
        } while (template_skip_operator(p, ','));
        return 0;
    }
    if (template_skip_name(p, "macro")) {
        n->kind = NODE_MACRO;
        return (rc = template_name(p, &n->name)) ? rc : macro(p, n, true, "endmacro");
    }
    if (template_skip_name(p, "call"))
        return parse_call_block(p, n);
    if (template_skip_name(p, "filter")) {
        n->kind = NODE_FILTER_BLOCK;
        return (rc = filter_chain(p, &n->a)) ? rc : body_to(p, "endfilter", &n->body);
    }
    if (template_skip_name(p, "with"))
        return parse_with(p, n);
    bool stop = template_token_is(p, "break");
    if (p->t->options.chat && template_skip_name(p, "generation")) {
        n->kind = NODE_SCOPE;
        return body_to(p, "endgeneration", &n->body);
    }
    if (p->t->options.chat && (stop || template_token_is(p, "continue"))) {
        if (!p->loops)
            return template_parser_fail(p, BASE_E_FORMAT, "break or continue outside of a loop");
        p->token++;
        n->kind = stop ? NODE_BREAK : NODE_CONTINUE;
        return 0;
    }
    char shown[64];
    return template_parser_fail(
        p, BASE_E_FORMAT, "unknown or misplaced tag: {%% %s %%}%s", template_token_text(p, shown),
        stop || template_token_is(p, "continue") || template_token_is(p, "generation")
            ? " (it is known in chat templates only)"
            : "");
}

/* Statements up to one of `ends` (NULL: the end of the source). */
static int statements(struct parser *p, const char *const *ends, struct node **out)
{
    struct node **link = out;
    const struct token *open = p->token;
    *out = NULL;
    for (;;) {
        struct node *n;
        int rc = template_node(p, NODE_DATA, &n);
        if (rc)
            return rc;
        switch (p->token->kind) {
        case TOKEN_END:
            if (ends) {
                p->token = open > p->first ? open - 1 : open;
                return template_parser_fail(p, BASE_E_FORMAT,
                                            "the block that begins here is not closed: {%% %s %%} "
                                            "is missing",
                                            ends[1] ? ends[2] ? ends[2] : ends[1] : ends[0]);
            }
            return 0;
        case TOKEN_DATA:
            rc = template_text_view(&p->t->arena, p->token->at, p->token->bytes, &n->constant);
            p->token++;
            break;
        case TOKEN_VARIABLE_BEGIN:
            p->token++;
            n->kind = NODE_OUTPUT;
            if ((rc = template_parse_tuple(p, true, &n->a)))
                return rc;
            if (p->token->kind != TOKEN_VARIABLE_END)
                return template_unexpected(p, "}}");
            p->token++;
            break;
        default:
            p->token++;
            for (int i = 0; ends && ends[i]; i++)
                if (template_token_is(p, ends[i]))
                    return 0;
            if ((rc = statement(p, n)))
                return rc;
            if (p->token->kind != TOKEN_BLOCK_END)
                return template_unexpected(p, "%}");
            p->token++;
        }
        if (rc)
            return rc;
        *link = n;
        link = &n->next;
    }
}

int template_parse_tokens(struct template *t, const struct token *tokens, bool expression)
{
    struct parser p = { .t = t, .token = tokens, .first = tokens };
    if (!expression)
        return statements(&p, NULL, &t->body);
    struct node *n;
    int rc = template_node(&p, NODE_OUTPUT, &n);
    if (rc || (rc = template_parse_tuple(&p, false, &n->a)))
        return rc;
    t->body = n;
    return p.token->kind == TOKEN_END ? 0 : template_unexpected(&p, "the end");
}
