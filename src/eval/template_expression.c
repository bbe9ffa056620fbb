/* Evaluating expressions: Python's operators, attributes, items, slices and calls.
 *
 * a.b looks for a method or attribute first and for an item then, a['b'] the other way round; what
 * is not there is undefined, not an error, until it is used (jinja2's environment.getattr,
 * getitem). */
#include "base/memory.h"
#include "eval/template_private.h"
#include <math.h>

/* ---- numbers ---- */
#define EXACT ((int64_t)1 << 53)

static int overflow(const struct run *r)
{
    return template_fail(r, BASE_E_LIMIT, "an integer beyond 64 bits: use a float");
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

static int power_integer(struct run *r, int64_t a, int64_t b, struct value *out)
{
    int64_t x = 1;
    if (b < 0) {
        if (a == 0)
            return template_fail(r, BASE_E_ARGUMENT, "0 cannot be raised to a negative power");
        *out = template_real(pow((double)a, (double)b));
        return 0;
    }
    for (; b; b >>= 1) {
        if ((b & 1) && __builtin_mul_overflow(x, a, &x))
            return overflow(r);
        if (b > 1 && __builtin_mul_overflow(a, a, &a))
            return overflow(r);
    }
    *out = template_integer(x);
    return 0;
}

static int integers(struct run *r, enum operator op, int64_t a, int64_t b, struct value *out)
{
    int64_t x = 0;
    bool over = false;
    if (b == 0 && (op == OP_DIVIDE || op == OP_FLOOR || op == OP_MODULO))
        return template_fail(r, BASE_E_ARGUMENT, "division by zero");
    switch (op) {
    case OP_ADD:
        over = __builtin_add_overflow(a, b, &x);
        break;
    case OP_SUBTRACT:
        over = __builtin_sub_overflow(a, b, &x);
        break;
    case OP_MULTIPLY:
        over = __builtin_mul_overflow(a, b, &x);
        break;
    case OP_DIVIDE: /* correctly rounded, as Python's, when both are doubles exactly */
        if (a >= -EXACT && a <= EXACT && b >= -EXACT && b <= EXACT)
            *out = template_real((double)a / (double)b);
        else
            *out = template_real((double)((long double)a / (long double)b));
        return 0;
    case OP_POWER:
        return power_integer(r, a, b, out);
    default:
        if (b == -1) { /* INT64_MIN / -1 traps */
            over = op == OP_FLOOR && __builtin_sub_overflow((int64_t)0, a, &x);
            if (op == OP_MODULO)
                x = 0;
        } else {
            x = op == OP_FLOOR ? floor_div(a, b) : a - floor_div(a, b) * b;
        }
    }
    if (over)
        return overflow(r);
    *out = template_integer(x);
    return 0;
}

static int reals(struct run *r, enum operator op, double a, double b, struct value *out)
{
    double x;
    if (b == 0 && (op == OP_DIVIDE || op == OP_FLOOR || op == OP_MODULO))
        return template_fail(r, BASE_E_ARGUMENT, "float division by zero");
    switch (op) {
    case OP_ADD:
        x = a + b;
        break;
    case OP_SUBTRACT:
        x = a - b;
        break;
    case OP_MULTIPLY:
        x = a * b;
        break;
    case OP_DIVIDE:
        x = a / b;
        break;
    case OP_POWER:
        if ((a == 0 && b < 0) || (a < 0 && isfinite(a) && isfinite(b) && b != floor(b)))
            return template_fail(r, BASE_E_ARGUMENT, "this power is not a real number");
        x = pow(a, b);
        if (isinf(x) && isfinite(a) && isfinite(b))
            return template_fail(r, BASE_E_ARGUMENT, "the power is too large for a float");
        break;
    default: { /* float.__divmod__ */
        double mod = fmod(a, b), div = (a - mod) / b;
        if (mod != 0 && (b < 0) != (mod < 0)) {
            mod += b;
            div -= 1;
        } else if (mod == 0) {
            mod = copysign(0, b);
        }
        double whole = floor(div);
        if (div != 0 && div - whole > 0.5)
            whole += 1;
        else if (div == 0)
            whole = copysign(0, a / b);
        x = op == OP_FLOOR ? whole : mod;
    }
    }
    *out = template_real(x);
    return 0;
}

/* ---- sequences ---- */
static int repeat(struct run *r, struct value v, int64_t times, struct value *out)
{
    int rc = 0;
    size_t n = times > 0 ? (size_t)times : 0;
    if (v.kind == TEXT) {
        size_t bytes;
        struct base_buffer b = { 0 };
        if (base_mul_size(n, v.text->bytes, &bytes) || bytes > r->arena.limit)
            return template_fail(r, BASE_E_LIMIT, "a text grows beyond %zu bytes", r->arena.limit);
        for (size_t i = 0; i < n && v.text->bytes && !rc; i++)
            rc = template_add(r, &b, v.text->data, v.text->bytes);
        return template_take(r, rc, &b, out);
    }
    size_t count;
    if (base_mul_size(n, v.list->n, &count) || count > r->arena.limit / sizeof(struct value))
        return template_fail(r, BASE_E_LIMIT, "a list grows beyond the limit of memory");
    if ((rc = template_list(&r->arena, v.list->flavour, count, out)))
        return rc;
    for (size_t i = 0; i < count; i++)
        out->list->at[out->list->n++] = v.list->at[i % v.list->n];
    return 0;
}

static int join_two(struct run *r, struct value a, struct value b, struct value *out)
{
    int rc;
    if (a.kind == TEXT) {
        const struct text *markup = a.text->markup ? b.text : a.text;
        if (a.text->markup != b.text->markup)
            for (size_t i = 0; i < markup->bytes; i++)
                if (strchr("<>&'\"", markup->data[i]) && markup->data[i])
                    return template_fail(r, BASE_E_UNSUPPORTED,
                                         "adding a text to one made safe (by safe or tojson) "
                                         "escapes it as HTML in jinja2: use ~ instead of +");
        char *both = template_alloc(&r->arena, a.text->bytes + b.text->bytes + 1, 1);
        if (!both)
            return r->arena.failed;
        memcpy(both, a.text->data, a.text->bytes);
        memcpy(both + a.text->bytes, b.text->data, b.text->bytes);
        return template_text_view(&r->arena, both, a.text->bytes + b.text->bytes, out);
    }
    if ((rc = template_list(&r->arena, a.list->flavour, a.list->n + b.list->n, out)))
        return rc;
    for (size_t i = 0; i < a.list->n; i++)
        out->list->at[out->list->n++] = a.list->at[i];
    for (size_t i = 0; i < b.list->n; i++)
        out->list->at[out->list->n++] = b.list->at[i];
    return 0;
}

static bool is_sequence(struct value v)
{
    return v.kind == TEXT || (v.kind == LIST && v.list->flavour <= FLAVOUR_TUPLE);
}

int template_binary(struct run *r, enum operator op, struct value a, struct value b,
                    struct value *out)
{
    static const char *const names[] = { "+", "-", "*", "/", "//", "%", "**" };
    double x, y;
    int64_t i, j;
    if (a.kind == UNDEFINED || b.kind == UNDEFINED)
        return template_fail_undefined(r, a.kind == UNDEFINED ? a : b);
    if (template_index(a, &i) && template_index(b, &j))
        return integers(r, op, i, j, out);
    if (template_number(a, &x) && template_number(b, &y))
        return reals(r, op, x, y, out);
    if (op == OP_ADD && is_sequence(a) && a.kind == b.kind &&
        (a.kind == TEXT || a.list->flavour == b.list->flavour))
        return join_two(r, a, b, out);
    if (op == OP_MULTIPLY && is_sequence(a) && template_index(b, &j))
        return repeat(r, a, j, out);
    if (op == OP_MULTIPLY && is_sequence(b) && template_index(a, &i))
        return repeat(r, b, i, out);
    if (op == OP_MODULO && a.kind == TEXT)
        return template_percent(r, a.text, b, out);
    return template_fail(r, BASE_E_ARGUMENT, "unsupported operand type(s) for %s: '%s' and '%s'%s",
                         names[op], template_type(a), template_type(b),
                         op == OP_ADD && (a.kind == TEXT || b.kind == TEXT)
                             ? " (~ joins values of any type as text)"
                             : "");
}

int template_contains(struct run *r, struct value item, struct value in, bool *out)
{
    *out = false;
    if (in.kind == TEXT) {
        if (item.kind == UNDEFINED)
            return template_fail_undefined(r, item);
        if (item.kind != TEXT)
            return template_fail(r, BASE_E_ARGUMENT,
                                 "'in <string>' requires string as left operand, not %s",
                                 template_type(item));
        *out = template_find(in.text, 0, item.text) != SIZE_MAX;
        return 0;
    }
    if (in.kind == DICT) {
        struct value *found;
        int rc = template_dict_get(r, in.dict, item, &found);
        *out = found != NULL;
        return rc;
    }
    struct value *at;
    size_t n;
    int rc = template_iterate(r, in, &at, &n);
    for (size_t i = 0; i < n && !rc && !*out; i++)
        if (++r->steps > r->t->options.max_steps)
            rc = template_fail(r, BASE_E_LIMIT, "more than %zu steps", r->t->options.max_steps);
        else
            rc = template_equal(r, at[i], item, 0, out);
    return rc;
}

static int compare(struct run *r, enum operator op, struct value a, struct value b, bool *out)
{
    int order, rc;
    switch (op) {
    case OP_EQUAL:
        return template_equal(r, a, b, 0, out);
    case OP_UNEQUAL:
        rc = template_equal(r, a, b, 0, out);
        *out = !*out;
        return rc;
    case OP_IN:
        return template_contains(r, a, b, out);
    case OP_NOT_IN:
        rc = template_contains(r, a, b, out);
        *out = !*out;
        return rc;
    default:
        if ((a.kind == REAL && isnan(a.real)) || (b.kind == REAL && isnan(b.real))) {
            double x;
            if (template_number(a, &x) && template_number(b, &x)) {
                *out = false;
                return 0;
            }
        }
        rc = template_order(r, a, b, 0, &order);
        *out = op == OP_LESS         ? order < 0
               : op == OP_LESS_EQUAL ? order <= 0
               : op == OP_GREATER    ? order > 0
                                     : order >= 0;
        return rc;
    }
}

/* ---- attributes, items, slices ---- */
/* The name of v's type in jinja2's messages. */
static const char *object_type(struct value v, char text[64])
{
    if (v.kind == NONE)
        return "None";
    snprintf(text, 64, "%s object", template_type(v));
    return text;
}

static int missing_attribute(struct run *r, struct value v, const struct text *name,
                             struct value *out)
{
    char type[64];
    return template_undefined(r, out, "'%s' has no attribute '%.*s'", object_type(v, type),
                              (int)name->bytes, name->data);
}

/* depth is that of recursive loops, of which there are none. */
static int loop_attribute(struct run *r, struct loop *l, const struct text *name, struct value *out)
{
    int64_t i = (int64_t)l->index, n = (int64_t)l->n;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = { { "index", i + 1 },    { "index0", i },
                    { "revindex", n - i }, { "revindex0", n - i - 1 },
                    { "length", n },       { "depth", 1 },
                    { "depth0", 0 } };
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (template_is(name, numbers[k].name)) {
            *out = template_integer(numbers[k].value);
            return 0;
        }
    if (template_is(name, "first") || template_is(name, "last")) {
        *out = template_boolean(template_is(name, "first") ? i == 0 : i == n - 1);
        return 0;
    }
    if (template_is(name, "previtem")) {
        *out = i > 0 ? l->at[i - 1] : *out;
        return i > 0 ? 0 : template_undefined(r, out, "there is no previous item");
    }
    if (template_is(name, "nextitem")) {
        *out = i + 1 < n ? l->at[i + 1] : *out;
        return i + 1 < n ? 0 : template_undefined(r, out, "there is no next item");
    }
    return 0;
}

int template_attribute(struct run *r, struct value v, const struct text *name, struct value *out)
{
    int rc;
    struct value *found, key = { .kind = TEXT, .text = name };
    *out = (struct value){ .kind = MISSING };
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    if (name->bytes > 1 && name->data[0] == '_' && name->data[1] == '_')
        return template_fail(r, BASE_E_UNSUPPORTED, "the attribute %.*s is not supported",
                             (int)name->bytes, name->data);
    if (v.kind == NAMESPACE) {
        if ((rc = template_dict_get(r, v.dict, key, &found)))
            return rc;
        if (found)
            *out = *found;
        return found ? 0 : missing_attribute(r, v, name, out);
    }
    if (v.kind == LOOP)
        rc = loop_attribute(r, v.loop, name, out);
    else if (v.kind == LIST && v.list->group &&
             (template_is(name, "grouper") || template_is(name, "list"))) {
        *out = v.list->at[template_is(name, "list")];
        return 0;
    } else
        rc = 0;
    if (!rc && out->kind == MISSING)
        rc = template_method_find(r, v, name, out);
    if (rc || out->kind != MISSING)
        return rc;
    if (v.kind == DICT) {
        if ((rc = template_dict_get(r, v.dict, key, &found)))
            return rc;
        if (found) {
            *out = *found;
            return 0;
        }
    }
    return missing_attribute(r, v, name, out);
}

int template_item(struct run *r, struct value v, struct value key, struct value *out)
{
    char type[64];
    int64_t i;
    int rc;
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    if (v.kind == DICT) {
        struct value *found = NULL;
        bool hashable =
            key.kind != DICT && !(key.kind == LIST && key.list->flavour != FLAVOUR_TUPLE);
        if (hashable && (rc = template_dict_get(r, v.dict, key, &found)))
            return rc;
        if (found) {
            *out = *found;
            return 0;
        }
    } else if (template_index(key, &i) &&
               (v.kind == TEXT || (v.kind == LIST && v.list->flavour <= FLAVOUR_RANGE))) {
        int64_t n = v.kind == TEXT ? (int64_t)v.text->points : (int64_t)v.list->n;
        int64_t at = i < 0 ? i + n : i;
        if (at >= 0 && at < n) {
            if (v.kind == LIST) {
                *out = v.list->at[at];
                return 0;
            }
            size_t from = template_offset(v.text, (size_t)at);
            return template_slice_text(r, v.text, from, template_offset(v.text, (size_t)at + 1),
                                       out);
        }
    }
    if (key.kind == TEXT) {
        if (v.kind == NAMESPACE || v.kind == LOOP || (v.kind == LIST && v.list->group))
            return template_attribute(r, v, key.text, out);
        *out = (struct value){ .kind = MISSING };
        if ((rc = template_method_find(r, v, key.text, out)) || out->kind != MISSING)
            return rc;
        return missing_attribute(r, v, key.text, out);
    }
    struct base_buffer b = { 0 };
    if (!(rc = template_add_repr(r, &b, key, 0)))
        rc = template_undefined(r, out, "%s has no element %.100s", object_type(v, type), b.data);
    base_buffer_free(&b);
    return rc;
}

static int slice(struct run *r, const struct node *n, struct value v, struct value *out)
{
    int64_t part[3] = { 0, 0, 1 }, count;
    bool given[3] = { false };
    int rc;
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    for (int i = 0; i < 3; i++) {
        struct value x = { .kind = NONE };
        if (n->items[i] && (rc = template_eval(r, n->items[i], &x)))
            return rc;
        if (x.kind == UNDEFINED)
            return template_fail_undefined(r, x);
        if (x.kind != NONE && !template_index(x, &part[i]))
            return template_fail(r, BASE_E_ARGUMENT,
                                 "slice indices must be integers or None, not %s",
                                 template_type(x));
        given[i] = x.kind != NONE;
    }
    bool text = v.kind == TEXT;
    if (!text && !(v.kind == LIST && v.list->flavour <= FLAVOUR_RANGE))
        return template_fail(r, BASE_E_ARGUMENT, "'%s' object cannot be sliced", template_type(v));
    count = text ? (int64_t)v.text->points : (int64_t)v.list->n;
    if (!given[2])
        part[2] = 1;
    if (part[2] == 0)
        return template_fail(r, BASE_E_ARGUMENT, "slice step cannot be zero");
    /* PySlice_AdjustIndices: a walk backwards has the bounds -1 and count - 1 */
    bool back = part[2] < 0;
    for (int i = 0; i < 2; i++) {
        int64_t low = back ? -1 : 0, high = back ? count - 1 : count;
        if (!given[i])
            part[i] = (i == 0) == back ? high : low;
        else if (part[i] < 0)
            part[i] = part[i] + count < low ? low : part[i] + count;
        else if (part[i] > high)
            part[i] = high;
    }
    if (text && part[2] == 1) {
        size_t from = template_offset(v.text, (size_t)part[0]);
        return template_slice_text(r, v.text, from, template_offset(v.text, (size_t)part[1]), out);
    }
    if (!text && v.list->flavour == FLAVOUR_RANGE)
        return template_fail(r, BASE_E_UNSUPPORTED, "slicing a range is not supported: use |list");
    struct value *at;
    size_t all;
    struct base_buffer b = { 0 };
    if ((rc = template_iterate(r, v, &at, &all)) ||
        (!text && (rc = template_list(&r->arena, v.list->flavour, 8, out))))
        return rc;
    for (int64_t i = part[0]; !rc && (back ? i > part[1] : i < part[1]);) {
        if (i < 0 || i >= (int64_t)all)
            break;
        rc = text ? template_add(r, &b, at[i].text->data, at[i].text->bytes)
                  : template_list_add(&r->arena, out->list, at[i]);
        if (__builtin_add_overflow(i, part[2], &i))
            break;
    }
    return text ? template_take(r, rc, &b, out) : rc;
}

/* ---- calls ---- */
static int arguments(struct run *r, const struct node *n, struct arguments *a)
{
    int rc;
    *a = (struct arguments){ 0 };
    if (n->n && !(a->at = template_alloc(&r->arena, n->n, sizeof *a->at)))
        return r->arena.failed;
    if (n->n_keywords && !(a->named = template_alloc(&r->arena, n->n_keywords, sizeof *a->named)))
        return r->arena.failed;
    for (; a->n < n->n; a->n++)
        if ((rc = template_eval(r, n->items[a->n], &a->at[a->n])))
            return rc;
    for (; a->n_named < n->n_keywords; a->n_named++) {
        a->named[a->n_named].name = n->keywords[a->n_named].name;
        if ((rc = template_eval(r, n->keywords[a->n_named].value, &a->named[a->n_named].value)))
            return rc;
    }
    return 0;
}

int template_bind(struct run *r, const char *what, const char *spec, int required,
                  const struct arguments *a, struct value *values)
{
    size_t count = 0;
    for (const char *s = spec; *s; count++) {
        size_t n = strcspn(s, " ");
        struct value v = { .kind = MISSING };
        if (count < a->n)
            v = a->at[count];
        for (size_t i = 0; i < a->n_named; i++) {
            const struct text *name = a->named[i].name;
            if (name->bytes != n || memcmp(name->data, s, n) != 0)
                continue;
            if (v.kind != MISSING)
                return template_fail(r, BASE_E_ARGUMENT, "%s got two values for '%.*s'", what,
                                     (int)n, s);
            v = a->named[i].value;
        }
        if (v.kind == MISSING && count < (size_t)required)
            return template_fail(r, BASE_E_ARGUMENT, "%s needs the argument '%.*s'", what, (int)n,
                                 s);
        values[count] = v;
        s += n + (s[n] == ' ');
    }
    if (a->n > count)
        return template_fail(r, BASE_E_ARGUMENT, "%s takes %zu argument%s, got %zu", what, count,
                             count == 1 ? "" : "s", a->n);
    for (size_t i = 0; i < a->n_named; i++) {
        const struct text *name = a->named[i].name;
        bool known = false;
        for (const char *s = spec; *s && !known;) {
            size_t n = strcspn(s, " ");
            known = name->bytes == n && memcmp(name->data, s, n) == 0;
            s += n + (s[n] == ' ');
        }
        if (!known)
            return template_fail(r, BASE_E_ARGUMENT, "%s has no argument '%.*s'", what,
                                 (int)name->bytes, name->data);
    }
    return 0;
}

int template_want_int(struct run *r, const char *what, struct value v, int64_t *out)
{
    int64_t x;
    if (v.kind == MISSING)
        return 0;
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    if (!template_index(v, &x))
        return template_fail(r, BASE_E_ARGUMENT, "%s: expected an integer, got %s", what,
                             template_type(v));
    *out = x;
    return 0;
}

int template_want_bool(struct run *r, struct value v, bool *out)
{
    return v.kind == MISSING ? 0 : template_truth(r, v, out);
}

int template_want_text(struct run *r, const char *what, struct value v, const struct text **out)
{
    if (v.kind == MISSING)
        return 0;
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    if (v.kind != TEXT)
        return template_fail(r, BASE_E_ARGUMENT, "%s: expected a string, got %s", what,
                             template_type(v));
    *out = v.text;
    return 0;
}

static int call_range(struct run *r, const struct arguments *a, struct value *out)
{
    int64_t part[3] = { 0, 0, 1 };
    int rc;
    if (a->n_named || a->n < 1 || a->n > 3)
        return template_fail(r, BASE_E_ARGUMENT, "range() takes 1 to 3 integers");
    for (size_t i = 0; i < a->n; i++)
        if ((rc = template_want_int(r, "range()", a->at[i], &part[a->n == 1 ? 1 : i])))
            return rc;
    if (part[2] == 0)
        return template_fail(r, BASE_E_ARGUMENT, "range() arg 3 must not be zero");
    uint64_t from = (uint64_t)part[0], to = (uint64_t)part[1], n = 0;
    if (part[2] > 0 && part[0] < part[1])
        n = (to - from - 1) / (uint64_t)part[2] + 1;
    else if (part[2] < 0 && part[0] > part[1])
        n = (from - to - 1) / (0 - (uint64_t)part[2]) + 1;
    if (n > 100000) /* MAX_RANGE of jinja2's sandbox */
        return template_fail(r, BASE_E_LIMIT, "a range of more than 100000 numbers");
    if ((rc = template_list(&r->arena, FLAVOUR_RANGE, (size_t)n, out)))
        return rc;
    memcpy(out->list->range, part, sizeof part);
    for (int64_t i = 0; i < (int64_t)n; i++)
        out->list->at[out->list->n++] = template_integer(part[0] + i * part[2]);
    return 0;
}

int template_space_put(struct run *r, struct dict *d, struct value key, struct value v)
{
    if (r->t->options.chat && key.kind == TEXT && key.text->bytes && key.text->data[0] == '_')
        return template_fail(
            r, BASE_E_ARGUMENT,
            "a namespace may not have the attribute %.*s: names with an underscore "
            "in front are not allowed",
            (int)key.text->bytes, key.text->data);
    return template_dict_put(r, d, key, v);
}

/* dict(mapping or pairs, name=value, ...) */
static int call_dict(struct run *r, const struct arguments *a, enum kind kind, struct value *out)
{
    int (*put)(struct run *, struct dict *, struct value, struct value) =
        kind == NAMESPACE ? template_space_put : template_dict_put;
    int rc = template_dict(&r->arena, out);
    if (rc)
        return rc;
    out->kind = kind;
    if (a->n > 1)
        return template_fail(r, BASE_E_ARGUMENT, "dict() takes one positional argument, got %zu",
                             a->n);
    if (a->n && (a->at[0].kind == DICT)) {
        const struct dict *from = a->at[0].dict;
        for (size_t i = 0; i < from->n; i++)
            if ((rc = put(r, out->dict, from->at[i].key, from->at[i].value)))
                return rc;
    } else if (a->n) {
        struct value *at, *pair;
        size_t n, two;
        if ((rc = template_iterate(r, a->at[0], &at, &n)))
            return rc;
        for (size_t i = 0; i < n; i++) {
            if ((rc = template_iterate(r, at[i], &pair, &two)))
                return rc;
            if (two != 2)
                return template_fail(r, BASE_E_ARGUMENT,
                                     "dictionary update sequence element #%zu has length %zu; 2 is "
                                     "required",
                                     i, two);
            if ((rc = put(r, out->dict, pair[0], pair[1])))
                return rc;
        }
    }
    for (size_t i = 0; i < a->n_named; i++)
        if ((rc = put(r, out->dict, (struct value){ .kind = TEXT, .text = a->named[i].name },
                      a->named[i].value)))
            return rc;
    return 0;
}

int template_strftime(struct run *r, const struct text *format, struct value *out);

int template_call(struct run *r, struct value f, const struct arguments *a, struct value *out)
{
    struct value v, given[TEMPLATE_ARGUMENTS_MOST];
    const struct text *text = NULL;
    int rc;
    switch (f.kind) {
    case UNDEFINED:
        return template_fail_undefined(r, f);
    case MACRO:
        return template_call_macro(r, f.macro, a, out);
    case METHOD: {
        const struct method_info *m = f.method->info;
        if (m->spec && (rc = template_bind(r, m->name, m->spec, m->required, a, given)))
            return rc;
        return m->run(r, f.method->self, given, a, out);
    }
    case FUNCTION:
        break;
    case LOOP:
        return template_fail(r, BASE_E_UNSUPPORTED, "recursive loops are not supported");
    default:
        return template_fail(r, BASE_E_ARGUMENT, "'%s' object is not callable", template_type(f));
    }
    switch (f.function) {
    case FUNCTION_RANGE:
        return call_range(r, a, out);
    case FUNCTION_DICT:
        return call_dict(r, a, DICT, out);
    case FUNCTION_NAMESPACE:
        return call_dict(r, a, NAMESPACE, out);
    case FUNCTION_RAISE:
        if ((rc = template_bind(r, "raise_exception()", "message", 1, a, given)) ||
            (rc = template_str(r, given[0], &v)))
            return rc;
        return template_fail(r, BASE_E_ARGUMENT, "the template refuses: %.*s",
                             (int)(v.text->bytes < 400 ? v.text->bytes : 400), v.text->data);
    default:
        if ((rc = template_bind(r, "strftime_now()", "format", 1, a, given)) ||
            (rc = template_want_text(r, "strftime_now()", given[0], &text)))
            return rc;
        return template_strftime(r, text, out);
    }
}

/* ---- the tree ---- */
static int evaluate(struct run *r, const struct node *n, struct value *out)
{
    struct value a, b;
    struct arguments given;
    bool yes;
    int rc = 0;
    switch (n->kind) {
    case NODE_CONSTANT:
        *out = n->constant;
        return 0;
    case NODE_NAME:
        return template_lookup(r, n->name, out);
    case NODE_LIST:
    case NODE_TUPLE:
        if ((rc = template_list(&r->arena, n->kind == NODE_LIST ? FLAVOUR_LIST : FLAVOUR_TUPLE,
                                n->n, &b)))
            return rc;
        for (size_t i = 0; i < n->n && !rc; i++)
            if (!(rc = template_eval(r, n->items[i], &a)))
                rc = template_list_add(&r->arena, b.list, a);
        *out = b;
        return rc;
    case NODE_DICT: {
        struct value made;
        if ((rc = template_dict(&r->arena, &made)))
            return rc;
        for (size_t i = 0; i < n->n && !rc; i += 2)
            if (!(rc = template_eval(r, n->items[i], &a)) &&
                !(rc = template_eval(r, n->items[i + 1], &b)))
                rc = template_dict_put(r, made.dict, a, b);
        *out = made;
        return rc;
    }
    case NODE_ATTRIBUTE:
        return (rc = template_eval(r, n->a, &a)) ? rc : template_attribute(r, a, n->name, out);
    case NODE_ITEM:
        if ((rc = template_eval(r, n->a, &a)) || (rc = template_eval(r, n->b, &b)))
            return rc;
        return template_item(r, a, b, out);
    case NODE_SLICE:
        return (rc = template_eval(r, n->a, &a)) ? rc : slice(r, n, a, out);
    case NODE_CALL:
        if ((rc = template_eval(r, n->a, &a)) || (rc = arguments(r, n, &given)))
            return rc;
        r->line = n->line;
        return template_call(r, a, &given, out);
    case NODE_FILTER:
        if ((rc = template_eval(r, n->a, &a)) || (rc = arguments(r, n, &given)))
            return rc;
        r->line = n->line;
        return template_filter_run(r, n->filter, a, &given, out);
    case NODE_TEST:
        if ((rc = template_eval(r, n->a, &a)) || (rc = arguments(r, n, &given)) ||
            (rc = template_test_run(r, n->test, a, &given, &yes)))
            return rc;
        *out = template_boolean(yes);
        return 0;
    case NODE_NEGATIVE:
    case NODE_POSITIVE:
        if ((rc = template_eval(r, n->a, &a)))
            return rc;
        if (a.kind == REAL) {
            *out = n->kind == NODE_NEGATIVE ? template_real(-a.real) : a;
            return 0;
        }
        if (a.kind == TEXT || a.kind == LIST || a.kind == DICT || a.kind == NONE)
            return template_fail(r, BASE_E_ARGUMENT, "bad operand type for unary %s: '%s'",
                                 n->kind == NODE_NEGATIVE ? "-" : "+", template_type(a));
        return template_binary(r, n->kind == NODE_NEGATIVE ? OP_SUBTRACT : OP_ADD,
                               template_integer(0), a, out);
    case NODE_NOT:
        if ((rc = template_eval(r, n->a, &a)) || (rc = template_truth(r, a, &yes)))
            return rc;
        *out = template_boolean(!yes);
        return 0;
    case NODE_AND:
    case NODE_OR:
        if ((rc = template_eval(r, n->a, &a)) || (rc = template_truth(r, a, &yes)))
            return rc;
        if (yes == (n->kind == NODE_OR)) {
            *out = a;
            return 0;
        }
        return template_eval(r, n->b, out);
    case NODE_BINARY:
        if ((rc = template_eval(r, n->a, &a)) || (rc = template_eval(r, n->b, &b)))
            return rc;
        r->line = n->line;
        return template_binary(r, n->op, a, b, out);
    case NODE_COMPARE:
        if ((rc = template_eval(r, n->items[0], &a)))
            return rc;
        yes = true;
        for (size_t i = 1; i < n->n && yes; i++, a = b)
            if ((rc = template_eval(r, n->items[i], &b)) ||
                (rc = compare(r, (enum operator)n->ops[i - 1], a, b, &yes)))
                return rc;
        *out = template_boolean(yes);
        return 0;
    case NODE_CONCAT: {
        struct base_buffer all = { 0 };
        for (size_t i = 0; i < n->n && !rc; i++)
            if (!(rc = template_eval(r, n->items[i], &a)))
                rc = template_add_str(r, &all, a, 0);
        return template_take(r, rc, &all, out);
    }
    case NODE_IF:
        if ((rc = template_eval(r, n->b, &b)) || (rc = template_truth(r, b, &yes)))
            return rc;
        if (yes)
            return template_eval(r, n->a, out);
        if (n->c)
            return template_eval(r, n->c, out);
        rc = template_undefined(r, out,
                                "the inline if-expression evaluated to false and no else section "
                                "was defined");
        out->lenient = true;
        return rc;
    default:
        return template_fail(r, BASE_E_ARGUMENT, "not an expression");
    }
}

int template_eval(struct run *r, const struct node *n, struct value *out)
{
    int rc;
    r->line = n->line;
    if (++r->steps > r->t->options.max_steps)
        return template_fail(r, BASE_E_LIMIT,
                             "more than %zu steps: does the template loop without need?",
                             r->t->options.max_steps);
    if (++r->depth > TEMPLATE_DEPTH_RUN)
        rc = template_fail(r, BASE_E_LIMIT, "nested more than %d deep: does a macro call itself?",
                           TEMPLATE_DEPTH_RUN);
    else
        rc = evaluate(r, n, out);
    r->depth--;
    return rc;
}
