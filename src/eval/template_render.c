/* Rendering: statements, scopes, macros, and the public functions.
 *
 * Scopes are a chain. Loops (each round), macros, call, with, filter and set blocks open one; `if`
 * does not. A name is looked for outwards, then among the caller's variables, then the global
 * functions. `set` always writes to the innermost scope, which is why a counter in a loop needs a
 * namespace: as in jinja2.
 *
 * Steps, nesting, memory and output are counted, so that a hostile template ends in an error. */
#include "base/memory.h"
#include "eval/template_private.h"

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

static int execute(struct run *r, const struct node *n, enum flow *flow);

static int step(struct run *r, const struct node *n)
{
    r->line = n->line;
    if (++r->steps > r->t->options.max_steps)
        return template_fail(r, BASE_E_LIMIT,
                             "more than %zu steps: does the template loop without need?",
                             r->t->options.max_steps);
    return 0;
}

/* ---- scopes ---- */
static int scope_open(struct run *r, struct scope *parent)
{
    struct scope *s = template_alloc(&r->arena, 1, sizeof *s);
    if (!s)
        return r->arena.failed;
    s->parent = parent;
    r->scope = s;
    return 0;
}

static int scope_set(struct run *r, struct scope *s, const struct text *name, struct value v)
{
    for (size_t i = 0; i < s->n; i++)
        if (template_same(s->at[i].name, name)) {
            s->at[i].value = v;
            return 0;
        }
    if (s->n == s->capacity) {
        size_t more = s->capacity ? s->capacity * 2 : 4;
        struct variable *at = template_alloc(&r->arena, more, sizeof *at);
        if (!at)
            return r->arena.failed;
        if (s->n)
            memcpy(at, s->at, s->n * sizeof *at);
        s->at = at;
        s->capacity = more;
    }
    s->at[s->n++] = (struct variable){ name, v };
    return 0;
}

int template_assign(struct run *r, const struct text *name, struct value v)
{
    return scope_set(r, r->scope, name, v);
}

/* The functions that are there without being given. */
static int global(struct run *r, const struct text *name, struct value *out)
{
    static const struct {
        const char *name;
        enum function function;
        bool chat;
    } functions[] = {
        { "range", FUNCTION_RANGE, false },         { "dict", FUNCTION_DICT, false },
        { "namespace", FUNCTION_NAMESPACE, false }, { "raise_exception", FUNCTION_RAISE, true },
        { "strftime_now", FUNCTION_NOW, true },
    };
    static const char *const refused[] = { "lipsum", "cycler", "joiner" };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (template_is(name, functions[i].name) && (!functions[i].chat || r->t->options.chat)) {
            *out = (struct value){ .kind = FUNCTION, .function = functions[i].function };
            return 0;
        }
    for (int i = 0; i < 3; i++)
        if (template_is(name, refused[i]))
            return template_fail(r, BASE_E_UNSUPPORTED, "the function %s() is not supported",
                                 refused[i]);
    return template_undefined(r, out, "'%.*s' is undefined", (int)name->bytes, name->data);
}

int template_lookup(struct run *r, const struct text *name, struct value *out)
{
    for (const struct scope *s = r->scope; s; s = s->parent)
        for (size_t i = 0; i < s->n; i++)
            if (template_same(s->at[i].name, name)) {
                *out = s->at[i].value;
                return 0;
            }
    const json_t *given = r->vars ? json_object_getn(r->vars, name->data, name->bytes) : NULL;
    if (!given)
        return global(r, name, out);
    int rc = template_from_json(r, given, 0, out);
    return rc ? rc : scope_set(r, r->root, name, *out);
}

/* ---- output ---- */
/* What `n` and those behind it print, as a text, in the scope at hand. */
static int capture(struct run *r, const struct node *n, struct value *out, enum flow *flow)
{
    struct base_buffer here = { 0 }, *outer = r->out;
    size_t below = r->captured;
    r->captured += outer->length;
    r->out = &here;
    int rc = execute(r, n, flow);
    r->out = outer;
    r->captured = below;
    return template_take(r, rc, &here, out);
}

static int put(struct run *r, const char *data, size_t n)
{
    size_t used = r->captured + r->out->length, most = r->t->options.max_output;
    if (used > most || n > most - used)
        return template_fail(r, BASE_E_LIMIT, "the output is larger than %zu bytes", most);
    return base_buffer_append(r->out, data, n);
}

static int output(struct run *r, const struct node *n)
{
    struct value v, text;
    int rc = template_eval(r, n->a, &v);
    if (rc)
        return rc;
    r->line = n->line;
    if (v.kind == UNDEFINED && !template_strict(r, v))
        return 0;
    if ((rc = template_str(r, v, &text)))
        return rc;
    return put(r, text.text->data, text.text->bytes);
}

/* ---- assignment ---- */
static int assign(struct run *r, const struct node *target, struct value v)
{
    int rc;
    if (target->kind == NODE_NAME)
        return template_assign(r, target->name, v);
    if (target->kind == NODE_ATTRIBUTE) {
        struct value space, key = { .kind = TEXT, .text = target->name };
        if ((rc = template_lookup(r, target->a->name, &space)))
            return rc;
        if (space.kind != NAMESPACE)
            return template_fail(
                r, BASE_E_ARGUMENT, "cannot assign attribute on non-namespace object: %.*s is a %s",
                (int)target->a->name->bytes, target->a->name->data, template_type(space));
        return template_space_put(r, space.dict, key, v);
    }
    struct value *at;
    size_t n;
    if ((rc = template_iterate(r, v, &at, &n)))
        return rc;
    if (n != target->n)
        return template_fail(r, BASE_E_ARGUMENT, "%s values to unpack (expected %zu, got %zu)",
                             n < target->n ? "not enough" : "too many", target->n, n);
    for (size_t i = 0; i < n; i++)
        if ((rc = assign(r, target->items[i], at[i])))
            return rc;
    return 0;
}

/* Puts v through a chain of filters whose innermost has no operand. */
static int filter_through(struct run *r, const struct node *chain, struct value v,
                          struct value *out)
{
    struct value inner = v;
    int rc;
    if (chain->a && (rc = filter_through(r, chain->a, v, &inner)))
        return rc;
    struct node own = *chain, operand = { .kind = NODE_CONSTANT, .line = chain->line };
    operand.constant = inner;
    own.a = &operand;
    return template_eval(r, &own, out);
}

/* ---- loops ---- */
static int loop_items(struct run *r, const struct node *n, struct value **at, size_t *count)
{
    struct value over, kept;
    int rc;
    if ((rc = template_eval(r, n->b, &over)) || (rc = template_iterate(r, over, at, count)) ||
        !n->c)
        return rc;
    struct scope *outer = r->scope;
    if ((rc = template_list(&r->arena, FLAVOUR_LIST, 8, &kept)))
        return rc;
    for (size_t i = 0; i < *count && !rc; i++) {
        struct value condition;
        bool yes;
        if ((rc = scope_open(r, outer)) || (rc = assign(r, n->a, (*at)[i])) ||
            (rc = template_eval(r, n->c, &condition)) || (rc = template_truth(r, condition, &yes)))
            break;
        if (yes)
            rc = template_list_add(&r->arena, kept.list, (*at)[i]);
    }
    r->scope = outer;
    *at = kept.list->at;
    *count = kept.list->n;
    return rc;
}

static const struct text loop_name = { "loop", 4, 4, false };

static int execute_for(struct run *r, const struct node *n, enum flow *flow)
{
    struct value *at;
    size_t count;
    struct scope *outer = r->scope;
    int rc = loop_items(r, n, &at, &count);
    if (rc)
        return rc;
    struct loop *loop = template_alloc(&r->arena, 1, sizeof *loop);
    if (!loop)
        return r->arena.failed;
    *loop = (struct loop){ .at = at, .n = count };
    enum flow inner = FLOW_ON;
    for (size_t i = 0; i < count && !rc && inner != FLOW_BREAK; i++) {
        loop->index = i;
        inner = FLOW_ON;
        if ((rc = step(r, n)) || (rc = scope_open(r, outer)) ||
            (rc = scope_set(r, r->scope, &loop_name,
                            (struct value){ .kind = LOOP, .loop = loop })) ||
            (rc = assign(r, n->a, at[i])))
            break;
        rc = execute(r, n->body, &inner);
    }
    if (!rc && count == 0 && n->other && !(rc = scope_open(r, outer)))
        rc = execute(r, n->other, flow);
    r->scope = outer;
    return rc;
}

/* ---- macros ---- */
static int call_with(struct run *r, const struct macro *m, const struct arguments *a,
                     struct value *out)
{
    const struct node *d = m->node;
    bool used[TEMPLATE_ARGUMENTS_MOST * 16] = { false };
    const size_t most = sizeof used;
    struct value extra;
    int rc;
    if (a->n_named > most)
        return template_fail(r, BASE_E_LIMIT, "more than %zu named arguments", most);
    for (size_t i = 0; i < d->n; i++) {
        struct value v = { .kind = MISSING };
        if (i < a->n)
            v = a->at[i];
        for (size_t k = 0; k < a->n_named; k++) {
            const struct text *name = a->named[k].name;
            if (!template_same(name, d->items[i]->name))
                continue;
            if (v.kind != MISSING)
                return template_fail(
                    r, BASE_E_ARGUMENT, "macro '%.*s' got two values for argument '%.*s'",
                    (int)d->name->bytes, d->name->data, (int)name->bytes, name->data);
            used[k] = true;
            v = a->named[k].value;
        }
        if (v.kind == MISSING && d->items[i]->a)
            rc = template_eval(r, d->items[i]->a, &v);
        else if (v.kind == MISSING)
            rc = template_undefined(r, &v, "parameter '%.*s' was not provided",
                                    (int)d->items[i]->name->bytes, d->items[i]->name->data);
        else
            rc = 0;
        if (rc || (rc = template_assign(r, d->items[i]->name, v)))
            return rc;
    }
    static const struct text varargs = { "varargs", 7, 7, false },
                             kwargs = { "kwargs", 6, 6, false };
    if (d->uses_varargs) {
        if ((rc = template_list(&r->arena, FLAVOUR_TUPLE, a->n, &extra)))
            return rc;
        for (size_t i = d->n; i < a->n; i++)
            if ((rc = template_list_add(&r->arena, extra.list, a->at[i])))
                return rc;
        if ((rc = template_assign(r, &varargs, extra)))
            return rc;
    } else if (a->n > d->n) {
        return template_fail(r, BASE_E_ARGUMENT,
                             "macro '%.*s' takes not more than %zu argument(s), got %zu",
                             (int)d->name->bytes, d->name->data, d->n, a->n);
    }
    if ((rc = template_dict(&r->arena, &extra)))
        return rc;
    for (size_t k = 0; k < a->n_named; k++) {
        const struct text *name = a->named[k].name;
        if (used[k])
            continue;
        if (template_is(name, "caller") && d->uses_caller)
            rc = template_assign(r, name, a->named[k].value);
        else if (d->uses_kwargs)
            rc = template_dict_put(r, extra.dict, (struct value){ .kind = TEXT, .text = name },
                                   a->named[k].value);
        else
            rc = template_fail(r, BASE_E_ARGUMENT, "macro '%.*s' takes no keyword argument '%.*s'",
                               (int)d->name->bytes, d->name->data, (int)name->bytes, name->data);
        if (rc)
            return rc;
    }
    if (d->uses_kwargs && (rc = template_assign(r, &kwargs, extra)))
        return rc;
    enum flow flow = FLOW_ON;
    return capture(r, d->body, out, &flow);
}

int template_call_macro(struct run *r, const struct macro *m, const struct arguments *a,
                        struct value *out)
{
    struct scope *outer = r->scope;
    int line = r->line;
    int rc = scope_open(r, m->scope);
    if (!rc)
        rc = call_with(r, m, a, out);
    r->scope = outer;
    if (!rc)
        r->line = line;
    return rc;
}

static int make_macro(struct run *r, const struct node *n, struct value *out)
{
    struct macro *m = template_alloc(&r->arena, 1, sizeof *m);
    if (!m)
        return r->arena.failed;
    *m = (struct macro){ n, r->scope };
    *out = (struct value){ .kind = MACRO, .macro = m };
    return 0;
}

static int call_block(struct run *r, const struct node *n)
{
    struct value caller, result, text;
    int rc = make_macro(r, n->b, &caller);
    if (rc)
        return rc;
    /* the call with one more named argument */
    struct node call = *n->a, value = { .kind = NODE_CONSTANT, .line = n->line };
    value.constant = caller;
    struct keyword *names = template_alloc(&r->arena, call.n_keywords + 1, sizeof *names);
    if (!names)
        return r->arena.failed;
    if (call.n_keywords)
        memcpy(names, call.keywords, call.n_keywords * sizeof *names);
    names[call.n_keywords++] = (struct keyword){ n->b->name, &value };
    call.keywords = names;
    if ((rc = template_eval(r, &call, &result)) || (rc = template_str(r, result, &text)))
        return rc;
    return put(r, text.text->data, text.text->bytes);
}

/* ---- statements ---- */
static int branch(struct run *r, const struct node *n, enum flow *flow)
{
    while (n && n->kind == NODE_BRANCH) {
        struct value v;
        bool yes;
        int rc;
        if ((rc = step(r, n)) || (rc = template_eval(r, n->a, &v)) ||
            (rc = template_truth(r, v, &yes)))
            return rc;
        if (yes)
            return execute(r, n->body, flow);
        /* an elif is a lone BRANCH; an else may begin with one, which then has company or is alone:
         * both mean the same */
        if (n->other && n->other->next)
            return execute(r, n->other, flow);
        n = n->other;
    }
    return n ? execute(r, n, flow) : 0;
}

static int statement(struct run *r, const struct node *n, enum flow *flow)
{
    struct value v, text;
    struct scope *outer = r->scope;
    int rc = 0;
    switch (n->kind) {
    case NODE_DATA:
        return put(r, n->constant.text->data, n->constant.text->bytes);
    case NODE_OUTPUT:
        return output(r, n);
    case NODE_BRANCH:
        return branch(r, n, flow);
    case NODE_FOR:
        return execute_for(r, n, flow);
    case NODE_SET:
        return (rc = template_eval(r, n->b, &v)) ? rc : assign(r, n->a, v);
    case NODE_SET_BLOCK:
        if (!(rc = scope_open(r, outer)))
            rc = capture(r, n->body, &text, flow);
        r->scope = outer;
        if (!rc && n->b)
            rc = filter_through(r, n->b, text, &text);
        return rc ? rc : assign(r, n->a, text);
    case NODE_MACRO:
        return (rc = make_macro(r, n, &v)) ? rc : template_assign(r, n->name, v);
    case NODE_CALL_BLOCK:
        return call_block(r, n);
    case NODE_FILTER_BLOCK:
        if (!(rc = scope_open(r, outer)))
            rc = capture(r, n->body, &text, flow);
        r->scope = outer;
        if (rc || (rc = filter_through(r, n->a, text, &v)) || (rc = template_str(r, v, &text)))
            return rc;
        return put(r, text.text->data, text.text->bytes);
    case NODE_WITH: {
        /* the values are those of the names outside */
        struct scope *inner;
        if ((rc = scope_open(r, outer)))
            return rc;
        inner = r->scope;
        for (size_t i = 0; i < n->n && !rc; i += 2) {
            r->scope = outer;
            if (!(rc = template_eval(r, n->items[i + 1], &v))) {
                r->scope = inner;
                rc = assign(r, n->items[i], v);
            }
        }
        r->scope = inner;
        if (!rc)
            rc = execute(r, n->body, flow);
        r->scope = outer;
        return rc;
    }
    case NODE_SCOPE:
        if (!(rc = scope_open(r, outer)))
            rc = execute(r, n->body, flow);
        r->scope = outer;
        return rc;
    case NODE_BREAK:
        *flow = FLOW_BREAK;
        return 0;
    case NODE_CONTINUE:
        *flow = FLOW_CONTINUE;
        return 0;
    default:
        return template_fail(r, BASE_E_ARGUMENT, "not a statement");
    }
}

static int execute(struct run *r, const struct node *n, enum flow *flow)
{
    int rc = 0;
    if (++r->depth > TEMPLATE_DEPTH_RUN)
        rc = template_fail(r, BASE_E_LIMIT, "nested more than %d deep: does a macro call itself?",
                           TEMPLATE_DEPTH_RUN);
    for (; n && !rc && *flow == FLOW_ON; n = n->next)
        if (!(rc = step(r, n)))
            rc = statement(r, n, flow);
    r->depth--;
    return rc;
}

/* ---- the public functions ---- */
int template_parse(struct template **out, const char *name, const char *source, size_t bytes,
                   const struct template_options *options)
{
    struct token *tokens;
    size_t n;
    *out = NULL;
    struct template *t = base_alloc_zero(1, sizeof *t);
    if (!t)
        return BASE_E_MEMORY;
    if (options)
        t->options = *options;
    struct template_options *o = &t->options;
    o->max_output = o->max_output ? o->max_output : (size_t)16 << 20;
    o->max_memory = o->max_memory ? o->max_memory : (size_t)256 << 20;
    o->max_steps = o->max_steps ? o->max_steps : 10000000;
    t->arena.limit = o->max_memory;
    int rc = 0;
    t->name = base_strdup(name);
    if (o->now)
        t->now = base_strdup(o->now);
    if (!t->name || (o->now && !t->now))
        rc = BASE_E_MEMORY;
    o->now = t->now;
    if (!rc && !(rc = template_lex(t, source, bytes, false, &tokens, &n)))
        rc = template_parse_tokens(t, tokens, false);
    if (rc) {
        if (t->arena.failed && t->name)
            base_error_prefix(rc, "%s", t->name);
        template_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    template_arena_free(&t->arena);
    base_free(t->name);
    base_free(t->now);
    base_free(t);
}

static int run_begin(struct run *r, const struct template *t, const json_t *vars)
{
    *r = (struct run){ .t = t, .vars = vars, .name = t->name, .line = 1 };
    r->arena.limit = t->options.max_memory;
    if (vars && !json_is_object(vars))
        return base_error_set(BASE_E_ARGUMENT, "%s: a template's variables must be an object",
                              t->name);
    int rc = scope_open(r, NULL);
    r->root = r->scope;
    return rc ? rc : scope_open(r, r->root);
}

static int run_end(struct run *r, int rc)
{
    if (rc && r->arena.failed)
        base_error_prefix(rc, "%s:%d", r->name, r->line);
    template_arena_free(&r->arena);
    return rc;
}

int template_render(const struct template *t, const json_t *vars, char **text, size_t *bytes)
{
    struct run r;
    struct base_buffer out = { 0 };
    enum flow flow = FLOW_ON;
    *text = NULL;
    int rc = run_begin(&r, t, vars);
    r.out = &out;
    if (!rc)
        rc = execute(&r, t->body, &flow);
    rc = run_end(&r, rc);
    if (rc) {
        base_buffer_free(&out);
        return rc;
    }
    if (bytes)
        *bytes = out.length;
    *text = base_buffer_take(&out);
    return *text ? 0 : BASE_E_MEMORY;
}

/* The one output of a template that has nothing else but white space, or NULL. */
static const struct node *only_output(const struct template *t)
{
    const struct node *found = NULL;
    for (const struct node *n = t->body; n; n = n->next) {
        if (n->kind == NODE_OUTPUT && !found) {
            found = n;
            continue;
        }
        if (n->kind != NODE_DATA)
            return NULL;
        for (size_t i = 0; i < n->constant.text->bytes; i++)
            if (!strchr(" \t\r\n", n->constant.text->data[i]) || !n->constant.text->data[i])
                return NULL;
    }
    return found;
}

bool template_is_expression(const struct template *t)
{
    return only_output(t) != NULL;
}

int template_evaluate(const struct template *t, const json_t *vars, json_t **value)
{
    struct run r;
    struct base_buffer out = { 0 };
    struct value v;
    *value = NULL;
    const struct node *n = only_output(t);
    if (!n)
        return base_error_set(BASE_E_ARGUMENT, "%s: expected one {{ expression }} and nothing else",
                              t->name);
    int rc = run_begin(&r, t, vars);
    r.out = &out;
    if (!rc && !(rc = template_eval(&r, n->a, &v)) &&
        (v.kind != UNDEFINED || template_strict(&r, v)))
        rc = template_to_json(&r, v, 0, value);
    base_buffer_free(&out);
    return run_end(&r, rc);
}
