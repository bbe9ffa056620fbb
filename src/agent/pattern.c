/* ECMA-262 patterns, translated for PCRE2; see pattern.h. What differs:
 *   \d \w \b      ASCII in both (PCRE2 without PCRE2_UCP)
 *   \s \S         Unicode's white space, line ends and U+FEFF: spelled out
 *   $             the very end only: PCRE2_DOLLAR_ENDONLY
 *   .             not \n \r U+2028 U+2029: spelled out
 *   \uXXXX, \u{}  surrogate pairs are one character
 *   \cX, \/, \-   control letters; identity escapes of syntax characters
 *   \p{Letter}    long names of general categories
 *   [] [^]        nothing, anything: PCRE2_ALLOW_EMPTY_CLASS
 * Matching is bounded: a pattern that would take too long is no answer (BASE_E_LIMIT). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "agent/pattern.h"
#include "base/buffer.h"
#include "base/memory.h"
#include <pcre2.h>
#include <stdbool.h>
#include <string.h>

#define SPACE                                                                                      \
    "\\x09-\\x0d\\x20\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"        \
    "\\x{3000}\\x{feff}"
#define MATCH_LIMIT 1000000
#define DEPTH_LIMIT 10000
#define HEAP_LIMIT  20000 /* KiB */

struct agent_pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
};

static void *allocate(size_t n, void *context)
{
    (void)context;
    return base_alloc(1, n);
}
static void release(void *p, void *context)
{
    (void)context;
    base_free(p);
}

static const struct {
    const char *name, *code;
} categories[] = {
    { "Letter", "L" },
    { "Cased_Letter", "L&" },
    { "Uppercase_Letter", "Lu" },
    { "Lowercase_Letter", "Ll" },
    { "Titlecase_Letter", "Lt" },
    { "Modifier_Letter", "Lm" },
    { "Other_Letter", "Lo" },
    { "Mark", "M" },
    { "Nonspacing_Mark", "Mn" },
    { "Spacing_Mark", "Mc" },
    { "Enclosing_Mark", "Me" },
    { "Number", "N" },
    { "Decimal_Number", "Nd" },
    { "digit", "Nd" },
    { "Letter_Number", "Nl" },
    { "Other_Number", "No" },
    { "Punctuation", "P" },
    { "punct", "P" },
    { "Connector_Punctuation", "Pc" },
    { "Dash_Punctuation", "Pd" },
    { "Open_Punctuation", "Ps" },
    { "Close_Punctuation", "Pe" },
    { "Initial_Punctuation", "Pi" },
    { "Final_Punctuation", "Pf" },
    { "Other_Punctuation", "Po" },
    { "Symbol", "S" },
    { "Math_Symbol", "Sm" },
    { "Currency_Symbol", "Sc" },
    { "Modifier_Symbol", "Sk" },
    { "Other_Symbol", "So" },
    { "Separator", "Z" },
    { "Space_Separator", "Zs" },
    { "Line_Separator", "Zl" },
    { "Paragraph_Separator", "Zp" },
    { "Other", "C" },
    { "Control", "Cc" },
    { "Format", "Cf" },
    { "Surrogate", "Cs" },
    { "Private_Use", "Co" },
    { "Unassigned", "Cn" },
};

/* Four hexadecimal digits at s, or -1. */
static long hex4(const char *s)
{
    long value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef", *at = s[i] ? strchr(digits, s[i] | 0x20) : NULL;
        if (!at)
            return -1;
        value = value * 16 + (at - digits);
    }
    return value;
}

static int bad(const char *text, const char *at, const char *what)
{
    return base_error_set(BASE_E_FORMAT, "the pattern \"%.80s\" breaks off at byte %zu: %s", text,
                          (size_t)(at - text), what);
}

/* \p{...}: general categories by their long or short names, scripts by name. */
static int property(const char *text, const char **at, struct base_buffer *b)
{
    const char *p = *at, *end = p[2] == '{' ? strchr(p, '}') : NULL;
    if (!end)
        return bad(text, p, "\\p needs a property in braces");
    const char *name = p + 3, *equal = memchr(name, '=', (size_t)(end - name));
    if (equal)
        name = equal + 1;
    size_t n = (size_t)(end - name);
    const char *code = NULL;
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (strlen(categories[i].name) == n && memcmp(categories[i].name, name, n) == 0)
            code = categories[i].code;
    *at = end + 1;
    return code ? base_buffer_printf(b, "\\%c{%s}", p[1], code)
                : base_buffer_printf(b, "\\%c{%.*s}", p[1], (int)n, name);
}

/* One escape at *at (a backslash). */
static int escape(const char *text, const char **at, bool in_class, struct base_buffer *b)
{
    const char *p = *at;
    char c = p[1];
    if (!c)
        return bad(text, p, "a backslash at the end");
    *at = p + 2;
    switch (c) {
    case 's':
        return base_buffer_puts(b, in_class ? SPACE : "[" SPACE "]");
    case 'S':
        /* inside a class: everything else, as ranges between the spaces */
        return base_buffer_puts(
            b, in_class ? "\\x00-\\x08\\x0e-\\x1f\\x21-\\x9f\\xa1-\\x{167f}\\x{1681}-\\x{1fff}"
                          "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}"
                          "\\x{2060}-\\x{2fff}\\x{3001}-\\x{d7ff}\\x{e000}-\\x{fefe}"
                          "\\x{ff00}-\\x{10ffff}"
                        : "[^" SPACE "]");
    case 'p':
    case 'P':
        *at = p;
        return property(text, at, b);
    case 'c':
        if (!((p[2] | 0x20) >= 'a' && (p[2] | 0x20) <= 'z'))
            return bad(text, p, "\\c needs a letter");
        *at = p + 3;
        return base_buffer_printf(b, "\\x%02x", p[2] & 31);
    case 'u': {
        long code;
        if (p[2] == '{') {
            const char *end = strchr(p, '}');
            if (!end || end - p > 9 || end - p < 4)
                return bad(text, p, "\\u{...} needs one to six hexadecimal digits");
            *at = end + 1;
            return base_buffer_printf(b, "\\x{%.*s}", (int)(end - p - 3), p + 3);
        }
        if ((code = hex4(p + 2)) < 0)
            return bad(text, p, "\\u needs four hexadecimal digits");
        *at = p + 6;
        if (code >= 0xd800 && code < 0xdc00 && p[6] == '\\' && p[7] == 'u') {
            long low = hex4(p + 8);
            if (low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                *at = p + 12;
            }
        }
        if (code >= 0xd800 && code < 0xe000)
            return bad(text, p, "half a surrogate pair");
        return base_buffer_printf(b, "\\x{%lx}", (unsigned long)code);
    }
    case '0':
        return base_buffer_puts(b, "\\x00");
    case 'b':
        return base_buffer_puts(b, in_class ? "\\x08" : "\\b");
    case 'v':
        return base_buffer_puts(b, "\\x0b");
    case 'k': /* \k<name> */
    case 'd':
    case 'D':
    case 'w':
    case 'W':
    case 'B':
    case 't':
    case 'n':
    case 'r':
    case 'f':
    case 'x':
        return base_buffer_append(b, p, 2);
    default:
        if (c >= '1' && c <= '9')
            return base_buffer_append(b, p, 2);
        if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            return bad(text, p, "an escaped letter that means nothing in ECMA-262");
        return base_buffer_append(b, p, 2); /* \. \/ \- and the like */
    }
}

static int translate(const char *text, struct base_buffer *b)
{
    bool in_class = false;
    int rc = 0;
    for (const char *p = text; *p && !rc;) {
        if (*p == '\\') {
            rc = escape(text, &p, in_class, b);
        } else if (in_class) {
            in_class = *p != ']';
            /* "[[" opens POSIX classes in PCRE2, and only there */
            rc = *p == '[' ? base_buffer_puts(b, "\\[") : base_buffer_append(b, p, 1);
            p++;
        } else if (*p == '[') {
            in_class = true;
            rc = base_buffer_append(b, p, p[1] == '^' ? 2 : 1);
            p += p[1] == '^' ? 2 : 1;
        } else if (*p == '.') {
            rc = base_buffer_puts(b, "[^\\n\\r\\x{2028}\\x{2029}]");
            p++;
        } else if (*p == '(' && p[1] == '?' && !strchr(":=!<", p[2] ? p[2] : ' ')) {
            rc = bad(text, p, "a group that ECMA-262 has not");
        } else if (*p == '(' && p[1] == '*') {
            rc = bad(text, p, "nothing to repeat"); /* PCRE2 would read a verb: (*LIMIT_MATCH=) */
        } else {
            /* possessive and doubled quantifiers are PCRE2's alone */
            if (p > text && (*p == '+') && (p[-1] == '+' || p[-1] == '*' || p[-1] == '?') &&
                (p - 1 == text || p[-2] != '\\'))
                rc = bad(text, p, "nothing to repeat");
            else
                rc = base_buffer_append(b, p, 1);
            p++;
        }
    }
    return rc;
}

int agent_pattern_compile(struct agent_pattern **out, const char *text)
{
    struct base_buffer b = { 0 };
    struct agent_pattern *p = base_alloc_zero(1, sizeof *p);
    pcre2_general_context *general = NULL;
    pcre2_compile_context *context = NULL;
    int rc = p ? base_buffer_puts(&b, "") : BASE_E_MEMORY;
    if (!rc)
        rc = translate(text, &b);
    if (rc)
        goto out;
    rc = BASE_E_MEMORY;
    if (!(general = pcre2_general_context_create(allocate, release, NULL)) ||
        !(context = pcre2_compile_context_create(general)) ||
        !(p->limits = pcre2_match_context_create(general)))
        goto out;
    pcre2_set_parens_nest_limit(context, 100);
    pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(p->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(p->limits, HEAP_LIMIT);
    int error;
    PCRE2_SIZE offset;
    p->code = pcre2_compile((PCRE2_SPTR)b.data, b.length,
                            PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
                                PCRE2_MATCH_UNSET_BACKREF,
                            &error, &offset, context);
    if (!p->code) {
        char message[256];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        rc = base_error_set(BASE_E_FORMAT, "the pattern \"%.80s\" is not a regular expression: %s",
                            text, message);
        goto out;
    }
    /* without a compiler for this machine, or where it may not write code, it is interpreted */
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    *out = p;
    p = NULL;
    rc = 0;
out:
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    base_buffer_free(&b);
    agent_pattern_free(p);
    return rc;
}

int agent_pattern_find(const struct agent_pattern *p, const char *s, size_t n)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!data)
        return base_error_set(BASE_E_MEMORY, "out of memory while matching a pattern");
    int rc = pcre2_match(p->code, (PCRE2_SPTR)s, n, 0, PCRE2_NO_UTF_CHECK, data, p->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(p->code, (PCRE2_SPTR)s, n, 0, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data,
                         p->limits);
    pcre2_match_data_free(data);
    if (rc >= 0)
        return 1;
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    char message[256];
    pcre2_get_error_message(rc, (PCRE2_UCHAR *)message, sizeof message);
    return base_error_set(BASE_E_LIMIT, "a pattern takes too long on a string of %zu bytes: %s", n,
                          message);
}

void agent_pattern_free(struct agent_pattern *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    pcre2_match_context_free(p->limits);
    base_free(p);
}
