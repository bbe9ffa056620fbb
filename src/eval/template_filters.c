/* Filters on sequences and dictionaries, tests, and looking both up; as in jinja2.filters and
 * jinja2.tests. map, select and their kin give iterators, which can be gone over once. */
#include "base/memory.h"
#include "base/text.h"
#include "eval/template_private.h"
#include <stdlib.h>

#define FILTER(name)                                                                               \
    static int name(struct run *r, struct value v, struct value *given, struct value *out)

static int count_step(struct run *r)
{
    if (++r->steps > r->t->options.max_steps)
        return template_fail(r, BASE_E_LIMIT, "more than %zu steps", r->t->options.max_steps);
    return 0;
}

/* An attribute as filters name it: "a.b.0", or an integer; `fallback` for what is undefined. */
static int attribute_of(struct run *r, struct value v, struct value name, struct value fallback,
                        struct value *out)
{
    int64_t i;
    int rc = count_step(r);
    if (rc)
        return rc;
    if (name.kind == UNDEFINED)
        return template_fail_undefined(r, name);
    if (template_index(name, &i)) {
        rc = template_item(r, v, name, out);
    } else if (name.kind != TEXT) {
        return template_fail(r, BASE_E_ARGUMENT, "attribute: expected a string, got %s",
                             template_type(name));
    } else {
        const char *s = name.text->data, *end = s + name.text->bytes;
        for (*out = v; s <= end && !rc;) {
            const char *dot = memchr(s, '.', (size_t)(end - s));
            size_t n = (size_t)((dot ? dot : end) - s);
            struct value key;
            bool digits = n > 0 && n < 18;
            for (size_t k = 0; k < n; k++)
                digits &= s[k] >= '0' && s[k] <= '9';
            if (digits)
                key = template_integer(strtoll(s, NULL, 10));
            else
                rc = template_text_view(&r->arena, s, n, &key);
            if (!rc)
                rc = template_item(r, *out, key, out);
            if (!rc && out->kind == UNDEFINED && fallback.kind != MISSING && fallback.kind != NONE)
                *out = fallback;
            s += n + 1;
        }
        return rc;
    }
    if (!rc && out->kind == UNDEFINED && fallback.kind != MISSING && fallback.kind != NONE)
        *out = fallback;
    return rc;
}

static const struct value missing = { .kind = MISSING };

/* Keys for sorting and comparing: the attribute if asked for, in lower case unless case counts. */
static int key_of(struct run *r, struct value v, struct value attribute, bool case_sensitive,
                  struct value *out)
{
    int rc = 0;
    *out = v;
    if (attribute.kind != MISSING && attribute.kind != NONE)
        rc = attribute_of(r, v, attribute, missing, out);
    if (!rc && !case_sensitive && out->kind == TEXT)
        rc = template_case(r, out->text, CASE_LOWER, out);
    return rc;
}

/* "a,b" sorts by a, then by b. */
static int sort_key(struct run *r, struct value v, struct value attribute, bool case_sensitive,
                    struct value *out)
{
    if (attribute.kind != TEXT || !memchr(attribute.text->data, ',', attribute.text->bytes))
        return key_of(r, v, attribute, case_sensitive, out);
    const char *s = attribute.text->data, *end = s + attribute.text->bytes;
    int rc = template_list(&r->arena, FLAVOUR_LIST, 4, out);
    while (s <= end && !rc) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        size_t n = (size_t)((comma ? comma : end) - s);
        struct value name, key;
        if (!(rc = template_text_view(&r->arena, s, n, &name)) &&
            !(rc = key_of(r, v, name, case_sensitive, &key)))
            rc = template_list_add(&r->arena, out->list, key);
        s += n + 1;
    }
    return rc;
}

struct keyed {
    struct value key, value;
};

/* Stable merge sort, from `at` by way of `other`; reverse keeps equal ones in order, too. */
static int merge_sort(struct run *r, struct keyed *at, struct keyed *other, size_t n, bool reverse)
{
    int rc, order;
    if (n < 2)
        return 0;
    size_t half = n / 2, i = 0, j = half, k = 0;
    if ((rc = merge_sort(r, at, other, half, reverse)) ||
        (rc = merge_sort(r, at + half, other + half, n - half, reverse)))
        return rc;
    while (i < half && j < n) {
        if ((rc = count_step(r)) || (rc = template_order(r, at[j].key, at[i].key, 0, &order)))
            return rc;
        other[k++] = (reverse ? order > 0 : order < 0) ? at[j++] : at[i++];
    }
    while (i < half)
        other[k++] = at[i++];
    while (j < n)
        other[k++] = at[j++];
    memcpy(at, other, n * sizeof *at);
    return 0;
}

static int sorted(struct run *r, struct keyed *at, size_t n, bool reverse, struct value *out)
{
    struct keyed *other = template_alloc(&r->arena, n, sizeof *other);
    if (!other)
        return r->arena.failed;
    int rc;
    if ((rc = merge_sort(r, at, other, n, reverse)) ||
        (rc = template_list(&r->arena, FLAVOUR_LIST, n, out)))
        return rc;
    for (size_t i = 0; i < n; i++)
        out->list->at[out->list->n++] = at[i].value;
    return 0;
}

FILTER(filter_sort)
{
    bool reverse = false, cased = false;
    struct value *at;
    size_t n;
    int rc;
    if ((rc = template_want_bool(r, given[0], &reverse)) ||
        (rc = template_want_bool(r, given[1], &cased)) || (rc = template_iterate(r, v, &at, &n)))
        return rc;
    struct keyed *keys = template_alloc(&r->arena, n, sizeof *keys);
    if (!keys)
        return r->arena.failed;
    for (size_t i = 0; i < n; i++) {
        keys[i].value = at[i];
        if ((rc = sort_key(r, at[i], given[2], cased, &keys[i].key)))
            return rc;
    }
    return sorted(r, keys, n, reverse, out);
}

FILTER(filter_dictsort)
{
    bool cased = false, reverse = false, by_value = false;
    const struct text *by = NULL;
    int rc;
    if (v.kind == UNDEFINED)
        return template_fail_undefined(r, v);
    if (v.kind != DICT)
        return template_fail(r, BASE_E_ARGUMENT, "dictsort: expected a dict, got %s",
                             template_type(v));
    if ((rc = template_want_bool(r, given[0], &cased)) ||
        (rc = template_want_text(r, "dictsort", given[1], &by)) ||
        (rc = template_want_bool(r, given[2], &reverse)))
        return rc;
    if (by && !template_is(by, "key") && !(by_value = template_is(by, "value")))
        return template_fail(r, BASE_E_ARGUMENT,
                             "You can only sort by either \"key\" or \"value\"");
    struct keyed *keys = template_alloc(&r->arena, v.dict->n, sizeof *keys);
    if (!keys)
        return r->arena.failed;
    for (size_t i = 0; i < v.dict->n; i++) {
        const struct entry *e = &v.dict->at[i];
        struct value *pair = &keys[i].value;
        if ((rc = template_list(&r->arena, FLAVOUR_TUPLE, 2, pair)) ||
            (rc = template_list_add(&r->arena, pair->list, e->key)) ||
            (rc = template_list_add(&r->arena, pair->list, e->value)) ||
            (rc = key_of(r, by_value ? e->value : e->key, missing, cased, &keys[i].key)))
            return rc;
    }
    return sorted(r, keys, v.dict->n, reverse, out);
}

/* Is the key among the first n of list? Marks it seen otherwise. */
static int seen_before(struct run *r, struct dict *seen, struct value key, bool *out)
{
    struct value *found;
    int rc = template_dict_get(r, seen, key, &found);
    *out = found != NULL;
    return rc || found ? rc : template_dict_put(r, seen, key, key);
}

FILTER(filter_unique)
{
    bool cased = false, again;
    struct value *at, seen, key;
    size_t n;
    int rc;
    if ((rc = template_want_bool(r, given[0], &cased)) || (rc = template_iterate(r, v, &at, &n)) ||
        (rc = template_dict(&r->arena, &seen)) ||
        (rc = template_list(&r->arena, FLAVOUR_ITERATOR, n, out)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        if ((rc = key_of(r, at[i], given[1], cased, &key)) ||
            (rc = seen_before(r, seen.dict, key, &again)))
            return rc;
        if (!again)
            out->list->at[out->list->n++] = at[i];
    }
    return 0;
}

static int extreme(struct run *r, struct value v, struct value *given, bool largest,
                   struct value *out)
{
    bool cased = false;
    struct value *at, key, best;
    size_t n;
    int rc, order;
    if ((rc = template_want_bool(r, given[0], &cased)) || (rc = template_iterate(r, v, &at, &n)))
        return rc;
    if (n == 0)
        return template_undefined(r, out, "No aggregated item, sequence was empty.");
    for (size_t i = 0; i < n; i++) {
        if ((rc = key_of(r, at[i], given[1], cased, &key)))
            return rc;
        if (i) {
            if ((rc = template_order(r, key, best, 0, &order)))
                return rc;
            if (largest ? order <= 0 : order >= 0)
                continue;
        }
        best = key;
        *out = at[i];
    }
    return 0;
}
FILTER(filter_min)
{
    return extreme(r, v, given, false, out);
}
FILTER(filter_max)
{
    return extreme(r, v, given, true, out);
}

FILTER(filter_sum)
{
    struct value *at, item, total = given[1].kind == MISSING ? template_integer(0) : given[1];
    size_t n;
    int rc = template_iterate(r, v, &at, &n);
    if (!rc && total.kind == TEXT)
        return template_fail(r, BASE_E_ARGUMENT, "sum: cannot add strings (use join)");
    for (size_t i = 0; i < n && !rc; i++) {
        item = at[i];
        if (given[0].kind != MISSING && given[0].kind != NONE)
            rc = attribute_of(r, at[i], given[0], missing, &item);
        if (!rc)
            rc = template_binary(r, OP_ADD, total, item, &total);
    }
    *out = total;
    return rc;
}

FILTER(filter_join)
{
    struct value *at, item, between = { .kind = MISSING };
    struct base_buffer b = { 0 };
    size_t n;
    int rc = template_iterate(r, v, &at, &n);
    if (!rc && given[0].kind != MISSING)
        rc = template_str(r, given[0], &between);
    for (size_t i = 0; i < n && !rc; i++) {
        item = at[i];
        if (given[1].kind != MISSING && given[1].kind != NONE)
            rc = attribute_of(r, at[i], given[1], missing, &item);
        if (!rc && i && between.kind != MISSING)
            rc = template_add(r, &b, between.text->data, between.text->bytes);
        if (!rc && !(rc = count_step(r)))
            rc = template_add_str(r, &b, item, 0);
    }
    return template_take(r, rc, &b, out);
}

FILTER(filter_length)
{
    (void)given;
    int64_t n;
    int rc = template_length(r, v, &n);
    *out = template_integer(n);
    return rc;
}

FILTER(filter_first)
{
    (void)given;
    struct value *at;
    size_t n;
    bool goes_once = v.kind == LIST && v.list->flavour == FLAVOUR_ITERATOR;
    size_t here = goes_once ? v.list->position : 0;
    int rc = template_iterate(r, v, &at, &n);
    if (rc)
        return rc;
    if (n == 0)
        return template_undefined(r, out, "No first item, sequence was empty.");
    if (goes_once)
        v.list->position = here + 1;
    *out = at[0];
    return 0;
}

FILTER(filter_last)
{
    (void)given;
    struct value *at;
    size_t n;
    if (v.kind == LIST && v.list->flavour == FLAVOUR_ITERATOR)
        return template_fail(r, BASE_E_ARGUMENT, "'generator' object is not reversible");
    int rc = template_iterate(r, v, &at, &n);
    if (rc)
        return rc;
    if (n == 0)
        return template_undefined(r, out, "No last item, sequence was empty.");
    *out = at[n - 1];
    return 0;
}

static int copy_list(struct run *r, struct value v, enum flavour flavour, bool backwards,
                     struct value *out)
{
    struct value *at;
    size_t n;
    int rc;
    if ((rc = template_iterate(r, v, &at, &n)) || (rc = template_list(&r->arena, flavour, n, out)))
        return rc;
    for (size_t i = 0; i < n; i++)
        out->list->at[out->list->n++] = at[backwards ? n - 1 - i : i];
    return 0;
}
FILTER(filter_list)
{
    (void)given;
    return copy_list(r, v, FLAVOUR_LIST, false, out);
}
FILTER(filter_reverse)
{
    (void)given;
    struct base_buffer b = { 0 };
    int rc = copy_list(r, v, FLAVOUR_ITERATOR, true, out);
    if (rc || v.kind != TEXT)
        return rc;
    struct list *l = out->list;
    for (size_t i = 0; i < l->n && !rc; i++)
        rc = template_add(r, &b, l->at[i].text->data, l->at[i].text->bytes);
    return template_take(r, rc, &b, out);
}

FILTER(filter_items)
{
    (void)given;
    static const struct text items = { "items", 5, 5, false };
    struct value method;
    const struct arguments none = { 0 };
    int rc;
    if (v.kind == UNDEFINED)
        return template_list(&r->arena, FLAVOUR_ITERATOR, 0, out);
    if (v.kind != DICT)
        return template_fail(r, BASE_E_ARGUMENT, "Can only get item pairs from a mapping.");
    if ((rc = template_method_find(r, v, &items, &method)) ||
        (rc = template_call(r, method, &none, out)))
        return rc;
    out->list->flavour = FLAVOUR_ITERATOR;
    return 0;
}

FILTER(filter_default)
{
    bool falsy = false, yes = true;
    int rc = template_want_bool(r, given[1], &falsy);
    if (!rc && falsy && v.kind != UNDEFINED)
        rc = template_truth(r, v, &yes);
    *out = v;
    if (v.kind == UNDEFINED || !yes)
        *out = given[0];
    if (out->kind == MISSING)
        rc = template_text_view(&r->arena, "", 0, out);
    return rc;
}

FILTER(filter_batch)
{
    struct value *at, *group = NULL;
    size_t n;
    int64_t size = 0;
    int rc;
    if ((rc = template_want_int(r, "batch", given[0], &size)) ||
        (rc = template_iterate(r, v, &at, &n)) ||
        (rc = template_list(&r->arena, FLAVOUR_ITERATOR, 8, out)))
        return rc;
    if (size < 1)
        return template_fail(r, BASE_E_ARGUMENT, "batch: the size must be at least 1");
    for (size_t i = 0; i < n && !rc; i++) {
        if (i % (size_t)size == 0) {
            struct value fresh;
            if ((rc = template_list(&r->arena, FLAVOUR_LIST, 4, &fresh)) ||
                (rc = template_list_add(&r->arena, out->list, fresh)))
                return rc;
            group = &out->list->at[out->list->n - 1];
        }
        rc = template_list_add(&r->arena, group->list, at[i]);
    }
    while (!rc && group && given[1].kind != MISSING && given[1].kind != NONE &&
           group->list->n < (size_t)size)
        rc = template_list_add(&r->arena, group->list, given[1]);
    return rc;
}

FILTER(filter_slice)
{
    struct value *at;
    size_t n, from = 0;
    int64_t slices = 0;
    int rc;
    if ((rc = template_want_int(r, "slice", given[0], &slices)) ||
        (rc = template_iterate(r, v, &at, &n)) ||
        (rc = template_list(&r->arena, FLAVOUR_ITERATOR, 8, out)))
        return rc;
    if (slices < 1)
        return template_fail(r, BASE_E_ARGUMENT, "slice: at least 1 slice");
    size_t each = n / (size_t)slices, more = n % (size_t)slices;
    for (size_t i = 0; i < (size_t)slices && !rc; i++) {
        struct value part;
        size_t take = each + (i < more);
        if ((rc = count_step(r)) || (rc = template_list(&r->arena, FLAVOUR_LIST, take, &part)))
            return rc;
        for (size_t k = 0; k < take; k++)
            part.list->at[part.list->n++] = at[from++];
        if (given[1].kind != MISSING && given[1].kind != NONE && i >= more)
            rc = template_list_add(&r->arena, part.list, given[1]);
        if (!rc)
            rc = template_list_add(&r->arena, out->list, part);
    }
    return rc;
}

FILTER(filter_groupby)
{
    bool cased = false, same;
    struct value *at, key, pair, list;
    size_t n;
    int rc;
    if ((rc = template_want_bool(r, given[2], &cased)) || (rc = template_iterate(r, v, &at, &n)))
        return rc;
    struct keyed *keys = template_alloc(&r->arena, n, sizeof *keys);
    if (!keys)
        return r->arena.failed;
    for (size_t i = 0; i < n; i++) {
        keys[i].value = at[i];
        if ((rc = attribute_of(r, at[i], given[0], given[1], &keys[i].key)) ||
            (!cased && keys[i].key.kind == TEXT &&
             (rc = template_case(r, keys[i].key.text, CASE_LOWER, &keys[i].key))))
            return rc;
    }
    struct value order;
    if ((rc = sorted(r, keys, n, false, &order)) ||
        (rc = template_list(&r->arena, FLAVOUR_LIST, 8, out)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        same = false;
        if (i && (rc = template_equal(r, keys[i - 1].key, keys[i].key, 0, &same)))
            return rc;
        if (!same) {
            /* the name of a group is its first member's, with its case */
            if ((rc = attribute_of(r, keys[i].value, given[0], given[1], &key)) ||
                (rc = template_list(&r->arena, FLAVOUR_TUPLE, 2, &pair)) ||
                (rc = template_list(&r->arena, FLAVOUR_LIST, 4, &list)) ||
                (rc = template_list_add(&r->arena, pair.list, key)) ||
                (rc = template_list_add(&r->arena, pair.list, list)) ||
                (rc = template_list_add(&r->arena, out->list, pair)))
                return rc;
            pair.list->group = true;
        }
        if ((rc = template_list_add(&r->arena, list.list, keys[i].value)))
            return rc;
    }
    return 0;
}

/* ---- map, select and kin ---- */
/* These give nothing for a false value, whatever its type. */
static int iterate_true(struct run *r, struct value v, struct value **at, size_t *n)
{
    bool yes;
    int rc = template_truth(r, v, &yes);
    *at = NULL;
    *n = 0;
    return rc || !yes ? rc : template_iterate(r, v, at, n);
}

static int no_such(struct run *r, const char *what, struct value name)
{
    return template_fail(r, BASE_E_UNSUPPORTED, "the %s \"%.*s\" is not supported", what,
                         (int)(name.text->bytes < 80 ? name.text->bytes : 80), name.text->data);
}

static int filter_map(struct run *r, struct value v, const struct arguments *a, struct value *out)
{
    struct value *at, attribute = missing, fallback = missing, item;
    size_t n;
    int rc;
    const struct filter *f = NULL;
    struct arguments rest = { 0 };
    if (a->n == 0) {
        for (size_t i = 0; i < a->n_named; i++)
            if (template_is(a->named[i].name, "attribute"))
                attribute = a->named[i].value;
            else if (template_is(a->named[i].name, "default"))
                fallback = a->named[i].value;
            else
                return template_fail(r, BASE_E_ARGUMENT, "map: unexpected argument '%.*s'",
                                     (int)a->named[i].name->bytes, a->named[i].name->data);
        if (attribute.kind == MISSING)
            return template_fail(r, BASE_E_ARGUMENT, "map requires a filter argument");
    } else {
        if (a->at[0].kind != TEXT)
            return template_fail(r, BASE_E_ARGUMENT, "map: a filter's name is a string, got %s",
                                 template_type(a->at[0]));
        f = template_filter_find(a->at[0].text->data, a->at[0].text->bytes);
        if (!f || (r->t->options.chat && strcmp(f->name, "regex_replace") == 0))
            return no_such(r, "filter", a->at[0]);
        rest = (struct arguments){ a->at + 1, a->n - 1, a->named, a->n_named };
    }
    if ((rc = iterate_true(r, v, &at, &n)) ||
        (rc = template_list(&r->arena, FLAVOUR_ITERATOR, n, out)))
        return rc;
    struct list *made = out->list;
    for (size_t i = 0; i < n; i++) {
        if ((rc = count_step(r)) || (rc = f ? template_filter_run(r, f, at[i], &rest, &item)
                                            : attribute_of(r, at[i], attribute, fallback, &item)))
            return rc;
        made->at[made->n++] = item;
    }
    *out = (struct value){ .kind = LIST, .list = made };
    return 0;
}

static int choose(struct run *r, struct value v, const struct arguments *a, bool by_attribute,
                  bool keep, struct value *out)
{
    struct value *at, item;
    size_t n, used = by_attribute;
    const struct test *t = NULL;
    bool yes;
    int rc;
    if (by_attribute && a->n == 0)
        return template_fail(r, BASE_E_ARGUMENT,
                             "selectattr: missing parameter for attribute name");
    if (a->n > used) {
        if (a->at[used].kind != TEXT)
            return template_fail(r, BASE_E_ARGUMENT, "select: a test's name is a string, got %s",
                                 template_type(a->at[used]));
        if (!(t = template_test_find(a->at[used].text->data, a->at[used].text->bytes)))
            return no_such(r, "test", a->at[used]);
        used++;
    }
    const struct arguments rest = { a->at + used, a->n - used, a->named, a->n_named };
    if ((rc = iterate_true(r, v, &at, &n)) ||
        (rc = template_list(&r->arena, FLAVOUR_ITERATOR, n, out)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        item = at[i];
        if ((rc = count_step(r)) ||
            (by_attribute && (rc = attribute_of(r, at[i], a->at[0], missing, &item))) ||
            (rc = t ? template_test_run(r, t, item, &rest, &yes) : template_truth(r, item, &yes)))
            return rc;
        if (yes == keep)
            out->list->at[out->list->n++] = at[i];
    }
    return 0;
}
#define CHOOSE(name, by_attribute, keep)                                                           \
    static int name(struct run *r, struct value v, const struct arguments *a, struct value *out)   \
    {                                                                                              \
        return choose(r, v, a, by_attribute, keep, out);                                           \
    }
CHOOSE(filter_select, false, true)
CHOOSE(filter_reject, false, false)
CHOOSE(filter_selectattr, true, true)
CHOOSE(filter_rejectattr, true, false)

const struct filter template_filters_sequence[] = {
    { "batch", "linecount fill_with", 1, filter_batch, NULL },
    { "count", "", 0, filter_length, NULL },
    { "d", "default_value boolean", 0, filter_default, NULL },
    { "default", "default_value boolean", 0, filter_default, NULL },
    { "dictsort", "case_sensitive by reverse", 0, filter_dictsort, NULL },
    { "first", "", 0, filter_first, NULL },
    { "groupby", "attribute default case_sensitive", 1, filter_groupby, NULL },
    { "items", "", 0, filter_items, NULL },
    { "join", "d attribute", 0, filter_join, NULL },
    { "last", "", 0, filter_last, NULL },
    { "length", "", 0, filter_length, NULL },
    { "list", "", 0, filter_list, NULL },
    { "map", NULL, 0, NULL, filter_map },
    { "max", "case_sensitive attribute", 0, filter_max, NULL },
    { "min", "case_sensitive attribute", 0, filter_min, NULL },
    { "reject", NULL, 0, NULL, filter_reject },
    { "rejectattr", NULL, 0, NULL, filter_rejectattr },
    { "reverse", "", 0, filter_reverse, NULL },
    { "select", NULL, 0, NULL, filter_select },
    { "selectattr", NULL, 0, NULL, filter_selectattr },
    { "slice", "slices fill_with", 1, filter_slice, NULL },
    { "sort", "reverse case_sensitive attribute", 0, filter_sort, NULL },
    { "sum", "attribute start", 0, filter_sum, NULL },
    { "unique", "case_sensitive attribute", 0, filter_unique, NULL },
    { 0 },
};

const struct filter *template_filter_find(const char *name, size_t n)
{
    const struct filter *const tables[] = { template_filters_text, template_filters_sequence };
    for (int i = 0; i < 2; i++)
        for (const struct filter *f = tables[i]; f->name; f++)
            if (strlen(f->name) == n && memcmp(f->name, name, n) == 0)
                return f;
    return NULL;
}

int template_filter_run(struct run *r, const struct filter *f, struct value v,
                        const struct arguments *a, struct value *out)
{
    struct value given[TEMPLATE_ARGUMENTS_MOST];
    if (f->raw)
        return f->raw(r, v, a, out);
    /* Jinja's own tojson knows indent only */
    bool plain_json = strcmp(f->name, "tojson") == 0 && !r->t->options.chat;
    int rc = template_bind(r, f->name, plain_json ? "indent" : f->spec, f->required, a, given);
    for (int i = 1; plain_json && i < 4; i++)
        given[i].kind = MISSING;
    return rc ? rc : f->run(r, v, given, out);
}
