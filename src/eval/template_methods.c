/* Methods of strings, lists and dictionaries, and of loops, as Python has them. Offsets that a
 * template sees count code points; inside they are bytes. A method of Python's that is not here is
 * refused by name; a name that Python does not have either is undefined. */
#include "base/memory.h"
#include "base/text.h"
#include "eval/space.h"
#include "eval/template_private.h"
#include <utf8proc.h>

#define NOTHING (void)given, (void)a, (void)r
#define METHOD(name)                                                                               \
    static int name(struct run *r, struct value self, struct value *given,                         \
                    const struct arguments *a, struct value *out)

size_t template_find(const struct text *t, size_t from, const struct text *what)
{
    if (from > t->bytes)
        return SIZE_MAX;
    if (what->bytes == 0)
        return from;
    const char *p = memmem(t->data + from, t->bytes - from, what->data, what->bytes);
    return p ? (size_t)(p - t->data) : SIZE_MAX;
}

static size_t find_last(const struct text *t, size_t end, const struct text *what)
{
    for (size_t i = end; i + 1 > 0; i--)
        if (i + what->bytes <= end && memcmp(t->data + i, what->data, what->bytes) == 0)
            return i;
    return SIZE_MAX;
}

static bool in_set(const struct text *chars, const char *s, size_t k)
{
    for (size_t i = 0; i < chars->bytes;) {
        uint32_t code;
        size_t n = base_utf8_decode(chars->data + i, chars->bytes - i, &code);
        n = n ? n : 1;
        if (n == k && memcmp(chars->data + i, s, k) == 0)
            return true;
        i += n;
    }
    return false;
}

int template_strip(struct run *r, const struct text *t, const struct text *chars, int sides,
                   struct value *out)
{
    size_t from = 0, to = t->bytes, k;
    uint32_t code;
    while ((sides & 1) && from < to) {
        k = base_utf8_decode(t->data + from, to - from, &code);
        if (!k || !(chars ? in_set(chars, t->data + from, k) : eval_is_space(code)))
            break;
        from += k;
    }
    while ((sides & 2) && to > from) {
        size_t at = to - 1;
        while (at > from && ((unsigned char)t->data[at] & 0xc0) == 0x80)
            at--;
        k = base_utf8_decode(t->data + at, to - at, &code);
        if (k != to - at || !(chars ? in_set(chars, t->data + at, k) : eval_is_space(code)))
            break;
        to = at;
    }
    return template_slice_text(r, t, from, to, out);
}

int template_replace(struct run *r, const struct text *t, const struct text *from,
                     const struct text *to, int64_t most, struct value *out)
{
    struct base_buffer b = { 0 };
    int rc = 0;
    size_t at = 0;
    for (int64_t n = 0; !rc && (most < 0 || n < most); n++) {
        size_t next = template_find(t, at, from);
        if (next == SIZE_MAX)
            break;
        if (from->bytes == 0 && n > 0) { /* between all characters */
            if (at == t->bytes)
                break;
            size_t k = 1;
            while (at + k < t->bytes && ((unsigned char)t->data[at + k] & 0xc0) == 0x80)
                k++;
            next = at + k;
        }
        rc = template_add(r, &b, t->data + at, next - at);
        if (!rc)
            rc = template_add(r, &b, to->data, to->bytes);
        at = next + from->bytes;
    }
    if (!rc)
        rc = template_add(r, &b, t->data + at, t->bytes - at);
    return template_take(r, rc, &b, out);
}

int template_pad(struct run *r, const struct text *t, int64_t width, char how,
                 const struct text *fill, struct value *out)
{
    struct base_buffer b = { 0 };
    int64_t pad = width - (int64_t)t->points, left;
    int rc = 0;
    if (pad < 0 || width < 0)
        pad = 0;
    if ((uint64_t)pad > r->arena.limit)
        return template_fail(r, BASE_E_LIMIT, "a width of %lld", (long long)width);
    /* str.center puts the odd one to the left when the width is odd */
    left = how == '<' ? 0 : how == '>' ? pad : pad / 2 + (pad & width & 1);
    for (int64_t i = 0; i < pad && !rc; i++) {
        if (i == left)
            rc = template_add(r, &b, t->data, t->bytes);
        if (!rc)
            rc = template_add(r, &b, fill->data, fill->bytes);
    }
    if (!rc && left >= pad)
        rc = template_add(r, &b, t->data, t->bytes);
    return template_take(r, rc, &b, out);
}

static bool line_break(uint32_t c)
{
    return (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

int template_split_lines(struct run *r, const struct text *t, bool keep, struct value *out)
{
    struct value line;
    int rc = template_list(&r->arena, FLAVOUR_LIST, 8, out);
    for (size_t i = 0, from = 0; i < t->bytes && !rc; from = i) {
        size_t end = t->bytes, k = 0;
        for (; i < t->bytes; i += k) {
            uint32_t code = 0;
            k = base_utf8_decode(t->data + i, t->bytes - i, &code);
            k = k ? k : 1;
            if (line_break(code)) {
                end = i;
                i += k;
                i += code == '\r' && i < t->bytes && t->data[i] == '\n';
                break;
            }
        }
        rc = template_slice_text(r, t, from, keep ? i : end, &line);
        if (!rc)
            rc = template_list_add(&r->arena, out->list, line);
    }
    return rc;
}

/* ---- strings ---- */
/* A text argument that may be None or missing. */
static int optional(struct run *r, const char *what, struct value v, const struct text **out)
{
    return v.kind == NONE ? 0 : template_want_text(r, what, v, out);
}

static int strip_sides(struct run *r, struct value self, struct value chars, int sides,
                       struct value *out)
{
    const struct text *set = NULL;
    int rc = optional(r, "strip()", chars, &set);
    return rc ? rc : template_strip(r, self.text, set, sides, out);
}
METHOD(str_strip)
{
    (void)a;
    return strip_sides(r, self, given[0], 3, out);
}
METHOD(str_lstrip)
{
    (void)a;
    return strip_sides(r, self, given[0], 1, out);
}
METHOD(str_rstrip)
{
    (void)a;
    return strip_sides(r, self, given[0], 2, out);
}

static int split_space(struct run *r, const struct text *t, int64_t most, bool right,
                       struct value *out)
{
    struct value part, words;
    int rc = template_list(&r->arena, FLAVOUR_LIST, 8, out);
    size_t at = 0, k;
    uint32_t code;
    if (right && most >= 0) { /* the first words that are not split off stay one */
        if ((rc = split_space(r, t, -1, false, &words)))
            return rc;
        size_t n = words.list->n, keep = n > (size_t)most ? n - (size_t)most : 0;
        if (keep) {
            const struct text *last = words.list->at[keep - 1].text;
            if ((rc = template_slice_text(r, t, 0, (size_t)(last->data + last->bytes - t->data),
                                          &part)) ||
                (rc = template_list_add(&r->arena, out->list, part)))
                return rc;
        }
        for (size_t i = keep; i < n && !rc; i++)
            rc = template_list_add(&r->arena, out->list, words.list->at[i]);
        return rc;
    }
    while (!rc) {
        while (at < t->bytes && (k = base_utf8_decode(t->data + at, t->bytes - at, &code)) &&
               eval_is_space(code))
            at += k;
        if (at == t->bytes)
            break;
        size_t from = at;
        if (most >= 0 && out->list->n == (size_t)most) {
            rc = template_slice_text(r, t, from, t->bytes, &part);
            at = t->bytes;
        } else {
            while (at < t->bytes) {
                k = base_utf8_decode(t->data + at, t->bytes - at, &code);
                if (k && eval_is_space(code))
                    break;
                at += k ? k : 1;
            }
            rc = template_slice_text(r, t, from, at, &part);
        }
        if (!rc)
            rc = template_list_add(&r->arena, out->list, part);
    }
    return rc;
}

static int split(struct run *r, struct value self, struct value *given, bool right,
                 struct value *out)
{
    const struct text *t = self.text, *sep = NULL;
    struct value part;
    int64_t most = -1;
    int rc;
    if ((rc = optional(r, "split()", given[0], &sep)) ||
        (rc = template_want_int(r, "split()", given[1], &most)))
        return rc;
    if (!sep)
        return split_space(r, t, most, right, out);
    if (sep->bytes == 0)
        return template_fail(r, BASE_E_ARGUMENT, "empty separator");
    if ((rc = template_list(&r->arena, FLAVOUR_LIST, 8, out)))
        return rc;
    size_t from = 0, end = t->bytes, at;
    while (!rc && (most < 0 || out->list->n < (size_t)most)) {
        at = right ? find_last(t, end, sep) : template_find(t, from, sep);
        if (at == SIZE_MAX)
            break;
        rc = right ? template_slice_text(r, t, at + sep->bytes, end, &part)
                   : template_slice_text(r, t, from, at, &part);
        if (!rc)
            rc = template_list_add(&r->arena, out->list, part);
        from = right ? 0 : at + sep->bytes;
        end = right ? at : end;
    }
    if (!rc && !(rc = template_slice_text(r, t, from, end, &part)))
        rc = template_list_add(&r->arena, out->list, part);
    for (size_t i = 0, j = out->list->n; right && i + 1 < j; i++) { /* it was made backwards */
        struct value swap = out->list->at[i];
        out->list->at[i] = out->list->at[--j];
        out->list->at[j] = swap;
    }
    return rc;
}
METHOD(str_split)
{
    (void)a;
    return split(r, self, given, false, out);
}
METHOD(str_rsplit)
{
    (void)a;
    return split(r, self, given, true, out);
}
METHOD(str_splitlines)
{
    (void)a;
    bool keep = false;
    int rc = template_want_bool(r, given[0], &keep);
    return rc ? rc : template_split_lines(r, self.text, keep, out);
}
METHOD(str_replace)
{
    (void)a;
    const struct text *from = NULL, *to = NULL;
    int64_t most = -1;
    int rc;
    if ((rc = template_want_text(r, "replace()", given[0], &from)) ||
        (rc = template_want_text(r, "replace()", given[1], &to)) ||
        (rc = template_want_int(r, "replace()", given[2], &most)))
        return rc;
    return template_replace(r, self.text, from, to, most, out);
}

/* The part of t that start and end (code points, may be MISSING or None) leave; false when start is
 * beyond the end. */
static int part_of(struct run *r, const struct text *t, struct value start, struct value end,
                   struct text *out, size_t *first, bool *valid)
{
    int64_t n = (int64_t)t->points, from = 0, to = n;
    int rc;
    if ((start.kind != NONE && (rc = template_want_int(r, "start", start, &from))) ||
        (end.kind != NONE && (rc = template_want_int(r, "end", end, &to))))
        return rc;
    from = from < 0 ? (from + n < 0 ? 0 : from + n) : from;
    to = to < 0 ? (to + n < 0 ? 0 : to + n) : to > n ? n : to;
    *valid = from <= to;
    *first = *valid ? (size_t)from : 0;
    size_t a = template_offset(t, *first), b = *valid ? template_offset(t, (size_t)to) : a;
    *out = (struct text){ t->data + a, b - a, *valid ? (size_t)(to - from) : 0, false };
    return 0;
}

static int affix(struct run *r, struct value self, struct value *given, bool end, struct value *out)
{
    struct text part;
    size_t first;
    bool valid, found = false;
    int rc = part_of(r, self.text, given[1], given[2], &part, &first, &valid);
    if (rc)
        return rc;
    struct value *at = &given[0];
    size_t n = 1;
    if (given[0].kind == LIST && given[0].list->flavour == FLAVOUR_TUPLE) {
        at = given[0].list->at;
        n = given[0].list->n;
    }
    for (size_t i = 0; i < n; i++) {
        const struct text *x = NULL;
        if ((rc = template_want_text(r, end ? "endswith()" : "startswith()", at[i], &x)))
            return rc;
        found |=
            valid && x->bytes <= part.bytes &&
            memcmp(end ? part.data + part.bytes - x->bytes : part.data, x->data, x->bytes) == 0;
    }
    *out = template_boolean(found);
    return 0;
}
METHOD(str_startswith)
{
    (void)a;
    return affix(r, self, given, false, out);
}
METHOD(str_endswith)
{
    (void)a;
    return affix(r, self, given, true, out);
}

static int find(struct run *r, struct value self, struct value *given, bool last, bool must,
                struct value *out)
{
    struct text part;
    size_t first, at = SIZE_MAX;
    const struct text *what = NULL;
    bool valid;
    int rc;
    if ((rc = template_want_text(r, "find()", given[0], &what)) ||
        (rc = part_of(r, self.text, given[1], given[2], &part, &first, &valid)))
        return rc;
    if (valid)
        at = last ? find_last(&part, part.bytes, what) : template_find(&part, 0, what);
    if (at == SIZE_MAX) {
        *out = template_integer(-1);
        return must ? template_fail(r, BASE_E_ARGUMENT, "substring not found") : 0;
    }
    size_t points = 0;
    for (size_t i = 0; i < at; i++)
        points += ((unsigned char)part.data[i] & 0xc0) != 0x80;
    *out = template_integer((int64_t)(first + points));
    return 0;
}
METHOD(str_find)
{
    (void)a;
    return find(r, self, given, false, false, out);
}
METHOD(str_rfind)
{
    (void)a;
    return find(r, self, given, true, false, out);
}
METHOD(str_index)
{
    (void)a;
    return find(r, self, given, false, true, out);
}
METHOD(str_rindex)
{
    (void)a;
    return find(r, self, given, true, true, out);
}
METHOD(str_count)
{
    (void)a;
    struct text part;
    size_t first;
    const struct text *what = NULL;
    bool valid;
    int64_t n = 0;
    int rc;
    if ((rc = template_want_text(r, "count()", given[0], &what)) ||
        (rc = part_of(r, self.text, given[1], given[2], &part, &first, &valid)))
        return rc;
    if (valid && what->bytes == 0)
        n = (int64_t)part.points + 1;
    for (size_t at = 0; valid && what->bytes && (at = template_find(&part, at, what)) != SIZE_MAX;
         at += what->bytes)
        n++;
    *out = template_integer(n);
    return 0;
}

#define CASE_METHOD(name, how)                                                                     \
    METHOD(name)                                                                                   \
    {                                                                                              \
        NOTHING;                                                                                   \
        return template_case(r, self.text, how, out);                                              \
    }
CASE_METHOD(str_lower, CASE_LOWER)
CASE_METHOD(str_upper, CASE_UPPER)
CASE_METHOD(str_title, CASE_TITLE)
CASE_METHOD(str_capitalize, CASE_CAPITAL)
CASE_METHOD(str_swapcase, CASE_SWAP)

METHOD(str_join)
{
    (void)a;
    struct value *at;
    size_t n;
    struct base_buffer b = { 0 };
    int rc = template_iterate(r, given[0], &at, &n);
    for (size_t i = 0; i < n && !rc; i++) {
        if (at[i].kind != TEXT)
            rc = template_fail(r, BASE_E_ARGUMENT,
                               "sequence item %zu: expected str instance, %s found", i,
                               template_type(at[i]));
        if (!rc && i)
            rc = template_add(r, &b, self.text->data, self.text->bytes);
        if (!rc)
            rc = template_add(r, &b, at[i].text->data, at[i].text->bytes);
    }
    return template_take(r, rc, &b, out);
}

/* str.is...: all characters of a class, and at least one. */
static int is_class(const struct text *t, bool (*in)(uint32_t code), struct value *out)
{
    bool all = t->bytes > 0;
    for (size_t i = 0, k; i < t->bytes && all; i += k) {
        uint32_t code = 0;
        k = base_utf8_decode(t->data + i, t->bytes - i, &code);
        k = k ? k : 1;
        all = in(code);
    }
    *out = template_boolean(all);
    return 0;
}
static bool is_letter(uint32_t c)
{
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
static bool is_decimal(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ND;
}
/* Superscripts and circled digits are digits, too, but not decimals. */
static bool is_digit(uint32_t c)
{
    return is_decimal(c) || c == 0xb2 || c == 0xb3 || c == 0xb9 || c == 0x2070 ||
           (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) ||
           (c >= 0x2460 && c <= 0x2468) || (c >= 0x2474 && c <= 0x247c) ||
           (c >= 0x2488 && c <= 0x2490) || c == 0x24ea || (c >= 0x24f5 && c <= 0x24fd) ||
           c == 0x24ff || (c >= 0x2776 && c <= 0x277e) || (c >= 0x2780 && c <= 0x2788) ||
           (c >= 0x278a && c <= 0x2792);
}
static bool is_alnum(uint32_t c)
{
    return c != '_' && template_is_word(c);
}
#define CLASS_METHOD(name, in)                                                                     \
    METHOD(name)                                                                                   \
    {                                                                                              \
        NOTHING;                                                                                   \
        return is_class(self.text, in, out);                                                       \
    }
CLASS_METHOD(str_isspace, eval_is_space)
CLASS_METHOD(str_isalpha, is_letter)
CLASS_METHOD(str_isdecimal, is_decimal)
CLASS_METHOD(str_isdigit, is_digit)
CLASS_METHOD(str_isalnum, is_alnum)

/* All cased characters are of one case, and there is one. */
static int is_case(const struct text *t, bool upper, struct value *out)
{
    bool any = false, all = true;
    for (size_t i = 0, k; i < t->bytes; i += k) {
        uint32_t code = 0;
        k = base_utf8_decode(t->data + i, t->bytes - i, &code);
        k = k ? k : 1;
        utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
        bool is_upper = c == UTF8PROC_CATEGORY_LU, is_lower = c == UTF8PROC_CATEGORY_LL;
        any |= upper ? is_upper : is_lower;
        all &= !(upper ? is_lower : is_upper) && c != UTF8PROC_CATEGORY_LT;
    }
    *out = template_boolean(any && all);
    return 0;
}
METHOD(str_isupper)
{
    NOTHING;
    return is_case(self.text, true, out);
}
METHOD(str_islower)
{
    NOTHING;
    return is_case(self.text, false, out);
}

static int padded(struct run *r, struct value self, struct value *given, char how,
                  struct value *out)
{
    const struct text space = { " ", 1, 1, false }, *fill = &space;
    int64_t width = 0;
    int rc;
    if ((rc = template_want_int(r, "width", given[0], &width)) ||
        (rc = template_want_text(r, "fillchar", given[1], &fill)))
        return rc;
    if (fill->points != 1)
        return template_fail(r, BASE_E_ARGUMENT,
                             "the fill character must be exactly one character long");
    return template_pad(r, self.text, width, how, fill, out);
}
METHOD(str_ljust)
{
    (void)a;
    return padded(r, self, given, '<', out);
}
METHOD(str_rjust)
{
    (void)a;
    return padded(r, self, given, '>', out);
}
METHOD(str_center)
{
    (void)a;
    return padded(r, self, given, '^', out);
}
METHOD(str_zfill)
{
    (void)a;
    const struct text zero = { "0", 1, 1, false };
    int64_t width = 0;
    struct value body;
    bool sign = self.text->bytes && (self.text->data[0] == '+' || self.text->data[0] == '-');
    int rc = template_want_int(r, "zfill()", given[0], &width);
    if (rc || !sign)
        return rc ? rc : template_pad(r, self.text, width, '>', &zero, out);
    struct base_buffer b = { 0 };
    const struct text rest = { self.text->data + 1, self.text->bytes - 1, self.text->points - 1,
                               0 };
    if ((rc = template_pad(r, &rest, width - 1, '>', &zero, &body)))
        return rc;
    if (!(rc = template_add(r, &b, self.text->data, 1)))
        rc = template_add(r, &b, body.text->data, body.text->bytes);
    return template_take(r, rc, &b, out);
}

static int remove_affix(struct run *r, struct value self, struct value x, bool end,
                        struct value *out)
{
    const struct text *t = self.text, *what = NULL;
    int rc = template_want_text(r, "removeprefix()", x, &what);
    if (rc)
        return rc;
    size_t n = what->bytes;
    bool there =
        n <= t->bytes && memcmp(end ? t->data + t->bytes - n : t->data, what->data, n) == 0;
    if (!there)
        n = 0;
    return template_slice_text(r, t, end ? 0 : n, end ? t->bytes - n : t->bytes, out);
}
METHOD(str_removeprefix)
{
    (void)a;
    return remove_affix(r, self, given[0], false, out);
}
METHOD(str_removesuffix)
{
    (void)a;
    return remove_affix(r, self, given[0], true, out);
}

static int partition(struct run *r, struct value self, struct value x, bool right,
                     struct value *out)
{
    const struct text *t = self.text, *sep = NULL;
    int rc = template_want_text(r, "partition()", x, &sep);
    if (rc)
        return rc;
    if (sep->bytes == 0)
        return template_fail(r, BASE_E_ARGUMENT, "empty separator");
    size_t at = right ? find_last(t, t->bytes, sep) : template_find(t, 0, sep);
    size_t cut[4] = { 0, at, at + sep->bytes, t->bytes };
    if (at == SIZE_MAX) { /* all of it first, or last */
        cut[1] = cut[2] = right ? 0 : t->bytes;
    }
    if ((rc = template_list(&r->arena, FLAVOUR_TUPLE, 3, out)))
        return rc;
    for (int i = 0; i < 3 && !rc; i++)
        rc = template_slice_text(r, t, cut[i], cut[i + 1], &out->list->at[out->list->n++]);
    return rc;
}
METHOD(str_partition)
{
    (void)a;
    return partition(r, self, given[0], false, out);
}
METHOD(str_rpartition)
{
    (void)a;
    return partition(r, self, given[0], true, out);
}
METHOD(str_format)
{
    (void)given;
    return template_format(r, self.text, a, out);
}

/* ---- dictionaries ---- */
static int listed(struct run *r, const struct dict *d, enum flavour flavour, struct value *out)
{
    int rc = template_list(&r->arena, flavour, d->n, out);
    for (size_t i = 0; i < d->n && !rc; i++) {
        struct value item = flavour == FLAVOUR_KEYS ? d->at[i].key : d->at[i].value;
        if (flavour == FLAVOUR_ITEMS) {
            if ((rc = template_list(&r->arena, FLAVOUR_TUPLE, 2, &item)))
                break;
            item.list->at[0] = d->at[i].key;
            item.list->at[1] = d->at[i].value;
            item.list->n = 2;
        }
        rc = template_list_add(&r->arena, out->list, item);
    }
    return rc;
}
METHOD(dict_items)
{
    NOTHING;
    return listed(r, self.dict, FLAVOUR_ITEMS, out);
}
METHOD(dict_keys)
{
    NOTHING;
    return listed(r, self.dict, FLAVOUR_KEYS, out);
}
METHOD(dict_values)
{
    NOTHING;
    return listed(r, self.dict, FLAVOUR_VALUES, out);
}
METHOD(dict_get)
{
    (void)a;
    struct value *found;
    int rc = template_dict_get(r, self.dict, given[0], &found);
    if (rc)
        return rc;
    *out = found ? *found : given[1].kind == MISSING ? (struct value){ .kind = NONE } : given[1];
    return 0;
}
METHOD(dict_copy)
{
    NOTHING;
    *out = self;
    return 0;
}

/* ---- lists, tuples ---- */
METHOD(list_index)
{
    (void)a;
    bool same = false;
    int64_t from = 0, n = (int64_t)self.list->n, to = n;
    int rc;
    if ((rc = template_want_int(r, "index()", given[1], &from)) ||
        (rc = template_want_int(r, "index()", given[2], &to)))
        return rc;
    from = from < 0 ? (from + n < 0 ? 0 : from + n) : from;
    to = to < 0 ? to + n : to > n ? n : to;
    for (int64_t i = from; i < to; i++) {
        if ((rc = template_equal(r, self.list->at[i], given[0], 0, &same)))
            return rc;
        if (same) {
            *out = template_integer(i);
            return 0;
        }
    }
    return template_fail(r, BASE_E_ARGUMENT, "the value is not in the list");
}
METHOD(list_count)
{
    (void)a;
    bool same;
    int64_t n = 0;
    for (size_t i = 0; i < self.list->n; i++) {
        int rc = template_equal(r, self.list->at[i], given[0], 0, &same);
        if (rc)
            return rc;
        n += same;
    }
    *out = template_integer(n);
    return 0;
}

/* ---- loops ---- */
METHOD(loop_cycle)
{
    (void)given;
    if (a->n == 0)
        return template_fail(r, BASE_E_ARGUMENT, "no items for cycling given");
    *out = a->at[self.loop->index % a->n];
    return 0;
}
METHOD(loop_changed)
{
    (void)given;
    bool same = self.loop->changed && self.loop->n_changed == a->n;
    for (size_t i = 0; i < a->n && same; i++) {
        int rc = template_equal(r, self.loop->changed[i], a->at[i], 0, &same);
        if (rc)
            return rc;
    }
    static struct value none;
    self.loop->changed = a->at ? a->at : &none;
    self.loop->n_changed = a->n;
    *out = template_boolean(!same);
    return 0;
}

static const struct method_info str_methods[] = {
    { "capitalize", "", 0, str_capitalize },
    { "center", "width fillchar", 1, str_center },
    { "count", "sub start end", 1, str_count },
    { "endswith", "suffix start end", 1, str_endswith },
    { "find", "sub start end", 1, str_find },
    { "format", NULL, 0, str_format },
    { "index", "sub start end", 1, str_index },
    { "isalnum", "", 0, str_isalnum },
    { "isalpha", "", 0, str_isalpha },
    { "isdecimal", "", 0, str_isdecimal },
    { "isdigit", "", 0, str_isdigit },
    { "islower", "", 0, str_islower },
    { "isspace", "", 0, str_isspace },
    { "isupper", "", 0, str_isupper },
    { "join", "iterable", 1, str_join },
    { "ljust", "width fillchar", 1, str_ljust },
    { "lower", "", 0, str_lower },
    { "lstrip", "chars", 0, str_lstrip },
    { "partition", "sep", 1, str_partition },
    { "removeprefix", "prefix", 1, str_removeprefix },
    { "removesuffix", "suffix", 1, str_removesuffix },
    { "replace", "old new count", 2, str_replace },
    { "rfind", "sub start end", 1, str_rfind },
    { "rindex", "sub start end", 1, str_rindex },
    { "rjust", "width fillchar", 1, str_rjust },
    { "rpartition", "sep", 1, str_rpartition },
    { "rsplit", "sep maxsplit", 0, str_rsplit },
    { "rstrip", "chars", 0, str_rstrip },
    { "split", "sep maxsplit", 0, str_split },
    { "splitlines", "keepends", 0, str_splitlines },
    { "startswith", "prefix start end", 1, str_startswith },
    { "strip", "chars", 0, str_strip },
    { "swapcase", "", 0, str_swapcase },
    { "title", "", 0, str_title },
    { "upper", "", 0, str_upper },
    { "zfill", "width", 1, str_zfill },
    { 0 },
};
static const struct method_info dict_methods[] = {
    { "copy", "", 0, dict_copy },     { "get", "key default", 1, dict_get },
    { "items", "", 0, dict_items },   { "keys", "", 0, dict_keys },
    { "values", "", 0, dict_values }, { 0 },
};
static const struct method_info list_methods[] = {
    { "index", "value start stop", 1, list_index },
    { "count", "value", 1, list_count },
    { 0 },
};
static const struct method_info loop_methods[] = {
    { "cycle", NULL, 0, loop_cycle },
    { "changed", NULL, 0, loop_changed },
    { 0 },
};
/* Python has these as well. */
static const char *const str_refused[] = {
    "casefold",     "encode",    "expandtabs", "format_map",  "isascii",   "istitle",
    "isidentifier", "isnumeric", "maketrans",  "isprintable", "translate", NULL,
};
static const char *const dict_refused[] = { "clear",      "fromkeys", "pop", "popitem",
                                            "setdefault", "update",   NULL };
static const char *const list_refused[] = { "append", "clear",  "copy",    "extend", "insert",
                                            "pop",    "remove", "reverse", "sort",   NULL };
static const char *const number_refused[] = {
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator",
    "from_bytes",       "fromhex",   "hex",        "imag",      "is_integer",
    "numerator",        "real",      "to_bytes",   NULL,
};
static const char *const macro_refused[] = {
    "name",   "arguments", "catch_kwargs",    "catch_varargs",
    "caller", "defaults",  "explicit_caller", NULL
};

int template_method_find(struct run *r, struct value v, const struct text *name, struct value *out)
{
    static const char *const none[] = { NULL };
    static const struct method_info nothing[] = { { 0 } };
    const struct method_info *methods = nothing;
    const char *const *refused = none;
    switch (v.kind) {
    case TEXT:
        methods = str_methods;
        refused = str_refused;
        break;
    case DICT:
        methods = dict_methods;
        refused = dict_refused;
        break;
    case LIST:
        methods = v.list->flavour <= FLAVOUR_RANGE ? list_methods : nothing;
        refused = v.list->flavour == FLAVOUR_LIST ? list_refused : none;
        break;
    case LOOP:
        methods = loop_methods;
        break;
    case BOOLEAN:
    case INTEGER:
    case REAL:
        refused = number_refused;
        break;
    case MACRO:
        refused = macro_refused;
        break;
    default:
        break;
    }
    for (; methods->name; methods++)
        if (template_is(name, methods->name)) {
            struct method *m = template_alloc(&r->arena, 1, sizeof *m);
            if (!m)
                return r->arena.failed;
            *m = (struct method){ v, methods };
            *out = (struct value){ .kind = METHOD, .method = m };
            return 0;
        }
    for (; *refused; refused++)
        if (template_is(name, *refused))
            return template_fail(r, BASE_E_UNSUPPORTED, "%s.%s is not supported", template_type(v),
                                 *refused);
    return 0;
}
