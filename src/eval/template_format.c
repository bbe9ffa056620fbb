/* Python's two ways to format: '%5.2f' % x and '{:>8}'.format(x).
 *
 * Both end in the same place: sign, prefix, digits, and the filling between them. C's printf makes
 * the digits (glibc rounds exactly, as Python does). Widths and precisions are limited. */
#include "base/memory.h"
#include "base/text.h"
#include "eval/template_private.h"
#include <math.h>
#include <stdlib.h>

#define WIDTH_MOST 10000

struct spec {
    const char *fill; /* one character */
    size_t fill_bytes;
    char align; /* < > ^ =, or 0 */
    char sign;  /* + - blank, or 0 */
    bool alternate, zero;
    int64_t width, precision; /* -1 = none */
    char group;               /* , _ or 0 */
    char type;                /* 0 = none */
};

/* sign and prefix, then body, filled to the width; '=' fills between them. */
static int put_filled(struct run *r, struct base_buffer *b, const struct spec *s, const char *head,
                      const char *body, size_t bytes, size_t points)
{
    int64_t pad = s->width - (int64_t)(strlen(head) + points);
    int64_t left = s->align == '<' ? 0 : s->align == '^' ? pad / 2 : pad;
    int rc = s->align == '=' ? template_add(r, b, head, strlen(head)) : 0;
    for (int64_t i = 0; i < left && !rc; i++)
        rc = template_add(r, b, s->fill, s->fill_bytes);
    if (!rc && s->align != '=')
        rc = template_add(r, b, head, strlen(head));
    if (!rc)
        rc = template_add(r, b, body, bytes);
    for (int64_t i = left < 0 ? 0 : left; i < pad && !rc; i++)
        rc = template_add(r, b, s->fill, s->fill_bytes);
    return rc;
}

/* Separators between groups of digits before the point. */
static void group_digits(char *digits, size_t room, char separator, int every)
{
    char made[1200];
    size_t whole = strspn(digits, "0123456789abcdefABCDEF"), n = 0;
    if (strlen(digits) + whole / 3 + 1 >= room || strlen(digits) * 2 >= sizeof made)
        return;
    for (size_t i = 0; i < whole; i++) {
        if (i && (whole - i) % (size_t)every == 0)
            made[n++] = separator;
        made[n++] = digits[i];
    }
    snprintf(made + n, sizeof made - n, "%s", digits + whole);
    snprintf(digits, room, "%s", made);
}

static const char *sign_of(const struct spec *s, bool negative)
{
    return negative ? "-" : s->sign == '+' ? "+" : s->sign == ' ' ? " " : "";
}

/* Zero filling goes between sign and digits. */
static struct spec for_number(const struct spec *s)
{
    struct spec own = *s;
    if (s->zero && (!s->align || s->align == '=')) {
        own.fill = "0";
        own.fill_bytes = 1;
        own.align = '=';
    } else if (!s->align) {
        own.align = '>';
    }
    return own;
}

static int put_integer(struct run *r, struct base_buffer *b, const struct spec *s, int64_t x)
{
    char digits[WIDTH_MOST / 8], head[8];
    uint64_t u = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    char t = s->type;
    size_t n = 0;
    if (t == 'b') {
        for (int bit = 63; bit >= 0; bit--)
            if (n || (u >> bit & 1) || bit == 0)
                digits[n++] = (char)('0' + (u >> bit & 1));
        digits[n] = 0;
    } else {
        snprintf(digits, sizeof digits,
                 t == 'o'   ? "%llo"
                 : t == 'x' ? "%llx"
                 : t == 'X' ? "%llX"
                            : "%llu",
                 (unsigned long long)u);
    }
    if (s->precision > 0 && s->precision < 1000 && strlen(digits) < (size_t)s->precision) {
        size_t have = strlen(digits), pad = (size_t)s->precision - have;
        memmove(digits + pad, digits, have + 1);
        memset(digits, '0', pad);
    }
    if (s->group)
        group_digits(digits, sizeof digits, s->group,
                     t == 'b' || t == 'o' || t == 'x' || t == 'X' ? 4 : 3);
    bool prefix = s->alternate && (t == 'b' || t == 'o' || t == 'x' || t == 'X');
    snprintf(head, sizeof head, "%s%s%.1s", sign_of(s, x < 0), prefix ? "0" : "", prefix ? &t : "");
    struct spec own = for_number(s);
    return put_filled(r, b, &own, head, digits, strlen(digits), strlen(digits));
}

static int put_real(struct run *r, struct base_buffer *b, const struct spec *s, double x)
{
    char digits[1600], format[16];
    char t = s->type ? s->type : 'r';
    int precision = s->precision < 0 ? 6 : (int)s->precision;
    bool percent = t == '%';
    if (precision > 1000)
        return template_fail(r, BASE_E_LIMIT, "a precision of %d", precision);
    double value = percent ? fabs(x) * 100 : fabs(x);
    if (!isfinite(x)) {
        snprintf(digits, sizeof digits, "%s%s",
                 isnan(x) ? (t == 'F' || t == 'E' || t == 'G' ? "NAN" : "nan")
                          : (t == 'F' || t == 'E' || t == 'G' ? "INF" : "inf"),
                 percent ? "%" : "");
    } else if (t == 'r' && s->precision < 0) {
        template_real_repr(value, digits);
    } else if (t == 'r') { /* like g, but with a digit behind the point, and 1e16 as repr has it */
        snprintf(digits, sizeof digits, "%.*g", precision ? precision : 1, value);
        double rounded = strtod(digits, NULL);
        int exponent = rounded > 0 ? (int)floor(log10(rounded)) : 0;
        if (!strchr(digits, 'e') && exponent >= (precision ? precision : 1) - 1) {
            snprintf(digits, sizeof digits, "%.*e", precision ? precision - 1 : 0, value);
            char *e = strchr(digits, 'e'), *last = e; /* g has no zeros at the end */
            while (strchr(digits, '.') && last > digits && last[-1] == '0')
                last--;
            last -= last > digits && last[-1] == '.';
            memmove(last, e, strlen(e) + 1);
        } else if (!strpbrk(digits, ".e")) {
            strcat(digits, ".0");
        }
    } else {
        snprintf(format, sizeof format, "%%%s.*%c%s", s->alternate ? "#" : "", percent ? 'f' : t,
                 percent ? "%%" : "");
        snprintf(digits, sizeof digits, format, precision, value);
    }
    if (s->group && isfinite(x))
        group_digits(digits, sizeof digits, s->group, 3);
    struct spec own = for_number(s);
    return put_filled(r, b, &own, sign_of(s, signbit(x) && !isnan(x)), digits, strlen(digits),
                      strlen(digits));
}

static int put_text(struct run *r, struct base_buffer *b, const struct spec *s,
                    const struct text *t)
{
    size_t points = t->points, bytes = t->bytes;
    if (s->precision >= 0 && (size_t)s->precision < points) {
        points = (size_t)s->precision;
        bytes = template_offset(t, points);
    }
    struct spec own = *s;
    own.align = s->align ? s->align : '<';
    return put_filled(r, b, &own, "", t->data, bytes, points);
}

/* Digits at *s as a number up to WIDTH_MOST. */
static int read_number(struct run *r, const char **s, const char *end, int64_t *out)
{
    int64_t x = 0;
    for (; *s < end && **s >= '0' && **s <= '9'; (*s)++)
        if ((x = x * 10 + (**s - '0')) > WIDTH_MOST)
            return template_fail(r, BASE_E_LIMIT, "a width or precision beyond %d", WIDTH_MOST);
    *out = x;
    return 0;
}

/* ---- % ---- */
struct percent {
    struct value arguments;
    bool tuple;
    size_t next;
};

static int next_argument(struct run *r, struct percent *p, struct value *out)
{
    size_t n = p->tuple ? p->arguments.list->n : 1;
    if (p->next >= n)
        return template_fail(r, BASE_E_ARGUMENT, "not enough arguments for format string");
    *out = p->tuple ? p->arguments.list->at[p->next] : p->arguments;
    p->next++;
    return 0;
}

static int put_percent(struct run *r, struct base_buffer *b, const struct spec *s, struct value v)
{
    struct base_buffer text = { 0 };
    struct value made;
    int64_t i;
    double x;
    int rc;
    struct spec own = *s;
    switch (s->type) {
    case 's':
    case 'r':
    case 'a':
        if (s->type == 'a')
            return template_fail(r, BASE_E_UNSUPPORTED, "%%a is not supported");
        rc = s->type == 's' ? template_add_str(r, &text, v, 0) : template_add_repr(r, &text, v, 0);
        if ((rc = template_take(r, rc, &text, &made)))
            return rc;
        own.align = s->align ? s->align : '>';
        return put_text(r, b, &own, made.text);
    case 'c':
        if (v.kind == TEXT && v.text->points == 1) {
            own.align = s->align ? s->align : '>';
            own.precision = -1;
            return put_text(r, b, &own, v.text);
        }
        return template_fail(r, BASE_E_ARGUMENT, "%%c requires a single character here");
    case 'd':
    case 'i':
    case 'u':
        if (v.kind == REAL && isfinite(v.real) && fabs(v.real) < 0x1p63)
            i = (int64_t)v.real;
        else if (!template_index(v, &i))
            return template_fail(r, BASE_E_ARGUMENT,
                                 "%%%c format: a real number is required, not %s", s->type,
                                 template_type(v));
        own.type = 'd';
        return put_integer(r, b, &own, i);
    case 'x':
    case 'X':
    case 'o':
        if (!template_index(v, &i))
            return template_fail(r, BASE_E_ARGUMENT, "%%%c format: an integer is required, not %s",
                                 s->type, template_type(v));
        return put_integer(r, b, &own, i);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        if (v.kind == UNDEFINED)
            return template_fail_undefined(r, v);
        if (!template_number(v, &x))
            return template_fail(r, BASE_E_ARGUMENT, "must be real number, not %s",
                                 template_type(v));
        return put_real(r, b, &own, x);
    default:
        return template_fail(r, BASE_E_ARGUMENT, "unsupported format character '%c'",
                             s->type > 32 ? s->type : '?');
    }
}

int template_percent(struct run *r, const struct text *format, struct value arguments,
                     struct value *out)
{
    struct percent p = { .arguments = arguments };
    p.tuple = arguments.kind == LIST && arguments.list->flavour == FLAVOUR_TUPLE;
    struct base_buffer b = { 0 };
    const char *s = format->data, *end = s + format->bytes;
    bool keyed = false;
    int rc = 0;
    while (s < end && !rc) {
        const char *next = memchr(s, '%', (size_t)(end - s));
        rc = template_add(r, &b, s, (size_t)((next ? next : end) - s));
        if (!next || rc)
            break;
        s = next + 1;
        struct spec spec = { .fill = " ", .fill_bytes = 1, .precision = -1 };
        struct value v = { .kind = MISSING };
        if (s < end && *s == '(') {
            const char *close = memchr(s, ')', (size_t)(end - s));
            struct value key, *found = NULL;
            if (!close || arguments.kind != DICT) {
                rc = template_fail(r, BASE_E_ARGUMENT,
                                   close ? "format requires a mapping" : "incomplete format key");
                break;
            }
            if ((rc = template_text_view(&r->arena, s + 1, (size_t)(close - s - 1), &key)) ||
                (rc = template_dict_get(r, arguments.dict, key, &found)))
                break;
            if (!found) {
                rc = template_fail(r, BASE_E_ARGUMENT, "the format's key '%.*s' is not there",
                                   (int)(close - s - 1), s + 1);
                break;
            }
            v = *found;
            keyed = true;
            s = close + 1;
        }
        for (; s < end && strchr("-+ #0", *s) && *s; s++) {
            spec.align = *s == '-' ? '<' : spec.align;
            spec.sign = *s == '+' || (*s == ' ' && spec.sign != '+') ? *s : spec.sign;
            spec.alternate |= *s == '#';
            spec.zero |= *s == '0';
        }
        for (int i = 0; i < 2 && !rc; i++) {
            int64_t *into = i ? &spec.precision : &spec.width;
            if (i && (s >= end || *s != '.'))
                break;
            s += i;
            if (s < end && *s == '*') {
                struct value star;
                if (!(rc = next_argument(r, &p, &star)))
                    rc = template_want_int(r, "*", star, into);
                if (!rc && (*into > WIDTH_MOST || *into < 0))
                    rc = template_fail(r, BASE_E_LIMIT, "a width or precision beyond %d",
                                       WIDTH_MOST);
                s++;
            } else {
                rc = read_number(r, &s, end, into);
            }
        }
        if (rc)
            break;
        if (s >= end) {
            rc = template_fail(r, BASE_E_ARGUMENT, "incomplete format");
            break;
        }
        spec.type = *s++;
        if (spec.type == '%') {
            rc = template_add(r, &b, "%", 1);
            continue;
        }
        if (v.kind == MISSING && (rc = next_argument(r, &p, &v)))
            break;
        rc = put_percent(r, &b, &spec, v);
    }
    size_t given = p.tuple ? arguments.list->n : 1;
    /* for lists, too, CPython does not look: they have keys in a sense */
    bool mapping = arguments.kind == DICT ||
                   (arguments.kind == LIST && (arguments.list->flavour == FLAVOUR_LIST ||
                                               arguments.list->flavour == FLAVOUR_RANGE));
    if (!rc && p.next < given && !keyed && !mapping)
        rc = template_fail(r, BASE_E_ARGUMENT,
                           "not all arguments converted during string formatting");
    return template_take(r, rc, &b, out);
}

/* ---- str.format ---- */
static int read_spec(struct run *r, const char *s, const char *end, struct spec *spec)
{
    uint32_t code;
    int rc;
    size_t k = base_utf8_decode(s, (size_t)(end - s), &code);
    if (k && s + k < end && strchr("<>^=", s[k]) && s[k]) {
        spec->fill = s;
        spec->fill_bytes = k;
        spec->align = s[k];
        s += k + 1;
    } else if (s < end && *s && strchr("<>^=", *s)) {
        spec->align = *s++;
    }
    if (s < end && *s && strchr("+- ", *s))
        spec->sign = *s++;
    if (s < end && *s == '#') {
        spec->alternate = true;
        s++;
    }
    if (s < end && *s == '0') {
        spec->zero = true;
        s++;
    }
    if ((rc = read_number(r, &s, end, &spec->width)))
        return rc;
    if (s < end && (*s == ',' || *s == '_'))
        spec->group = *s++;
    if (s < end && *s == '.') {
        s++;
        if (s >= end || *s < '0' || *s > '9')
            return template_fail(r, BASE_E_ARGUMENT, "Format specifier missing precision");
        if ((rc = read_number(r, &s, end, &spec->precision)))
            return rc;
    }
    if (s < end)
        spec->type = *s++;
    if (s < end)
        return template_fail(r, BASE_E_ARGUMENT, "Invalid format specifier");
    return 0;
}

static int put_formatted(struct run *r, struct base_buffer *b, struct value v, const char *s,
                         const char *end)
{
    struct spec spec = { .fill = " ", .fill_bytes = 1, .precision = -1 };
    struct value text;
    int64_t i;
    double x;
    int rc;
    if (s == end || v.kind == UNDEFINED)
        return s == end ? template_add_str(r, b, v, 0) : template_fail_undefined(r, v);
    if ((rc = read_spec(r, s, end, &spec)))
        return rc;
    bool number = template_number(v, &x), integer = template_index(v, &i);
    if (spec.zero && spec.group)
        return template_fail(r, BASE_E_UNSUPPORTED, "zero filling with groups is not supported");
    if (number && !(v.kind == BOOLEAN && !spec.type)) {
        if (integer && (!spec.type || strchr("dboxX", spec.type)))
            return spec.precision >= 0
                       ? template_fail(r, BASE_E_ARGUMENT,
                                       "Precision not allowed in integer format specifier")
                       : put_integer(r, b, &spec, i);
        if (!spec.type || strchr("eEfFgG%", spec.type))
            return put_real(r, b, &spec, x);
    } else if (v.kind == TEXT && (!spec.type || spec.type == 's')) {
        if (spec.align == '=' || spec.sign || spec.alternate || spec.group)
            return template_fail(r, BASE_E_ARGUMENT, "this format is not allowed for a string");
        if (spec.zero && !spec.align) {
            spec.fill = "0";
            spec.align = '<';
        }
        return put_text(r, b, &spec, v.text);
    } else if (v.kind == BOOLEAN) {
        if ((rc = template_str(r, v, &text)))
            return rc;
        return template_fail(r, BASE_E_UNSUPPORTED, "a format for %s is not supported",
                             text.text->data);
    } else if (v.kind != TEXT) {
        return template_fail(r, BASE_E_ARGUMENT,
                             "unsupported format string passed to %s.__format__", template_type(v));
    }
    return template_fail(r, BASE_E_ARGUMENT, "Unknown format code '%c' for object of type '%s'",
                         spec.type > 32 ? spec.type : '?', template_type(v));
}

int template_format(struct run *r, const struct text *format, const struct arguments *a,
                    struct value *out)
{
    struct base_buffer b = { 0 };
    const char *s = format->data, *end = s + format->bytes;
    size_t automatic = 0;
    int rc = 0;
    while (s < end && !rc) {
        const char *from = s;
        while (s < end && *s != '{' && *s != '}')
            s++;
        rc = template_add(r, &b, from, (size_t)(s - from));
        if (s == end || rc)
            break;
        char c = *s++;
        if (s < end && *s == c) {
            rc = template_add(r, &b, s++, 1);
            continue;
        }
        const char *close = c == '{' ? memchr(s, '}', (size_t)(end - s)) : NULL;
        if (!close) {
            rc = template_fail(r, BASE_E_ARGUMENT, "Single '%c' encountered in format string", c);
            break;
        }
        if (memchr(s, '{', (size_t)(close - s))) {
            rc = template_fail(r, BASE_E_UNSUPPORTED, "nested {} in format() is not supported");
            break;
        }
        const char *name = s, *colon = memchr(s, ':', (size_t)(close - s));
        const char *field_end = colon ? colon : close;
        char conversion = 0;
        if (field_end - name >= 2 && field_end[-2] == '!') {
            conversion = field_end[-1];
            field_end -= 2;
        }
        size_t n = (size_t)(field_end - name);
        struct value v = { .kind = MISSING };
        if (memchr(name, '.', n) || memchr(name, '[', n)) {
            rc = template_fail(r, BASE_E_UNSUPPORTED,
                               "attributes and items in format() are not supported");
            break;
        }
        if (n == 0 || (*name >= '0' && *name <= '9')) {
            int64_t at = (int64_t)automatic;
            const char *p = name;
            if (n == 0)
                automatic++;
            else
                rc = read_number(r, &p, field_end, &at);
            if (!rc && (size_t)at < a->n)
                v = a->at[at];
        } else {
            for (size_t i = 0; i < a->n_named; i++)
                if (a->named[i].name->bytes == n && memcmp(a->named[i].name->data, name, n) == 0)
                    v = a->named[i].value;
        }
        if (!rc && v.kind == MISSING)
            rc = template_fail(r, BASE_E_ARGUMENT, "format() has no argument for {%.*s}",
                               (int)(n < 60 ? n : 60), name);
        if (!rc && conversion == 's')
            rc = template_str(r, v, &v);
        else if (!rc && conversion == 'r') {
            struct base_buffer text = { 0 };
            rc = template_add_repr(r, &text, v, 0);
            rc = template_take(r, rc, &text, &v);
        } else if (!rc && conversion)
            rc = template_fail(r, BASE_E_UNSUPPORTED, "the conversion !%c is not supported",
                               conversion > 32 ? conversion : '?');
        if (!rc)
            rc = put_formatted(r, &b, v, colon ? colon + 1 : close, close);
        s = close + 1;
    }
    return template_take(r, rc, &b, out);
}
