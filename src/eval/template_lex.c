/* Source to tokens, with jinja2's lexer's rules.
 *
 * Outside of tags: text up to the next "{{", "{%" or "{#". A '-' inside a tag's begin or end
 * removes all white space on that side, a '+' keeps what trim_blocks and lstrip_blocks would
 * remove. Those two act on block tags and comments, never on "{{". A tag's end is not seen inside
 * brackets, so
 * "{{ {'a': {}} }}" is one tag.
 *
 * Before all that, line ends become '\n', and one at the end of the source goes unless
 * keep_trailing_newline. */
#include "base/memory.h"
#include "base/text.h"
#include "eval/space.h"
#include "eval/template_private.h"
#include <errno.h>
#include <stdlib.h>
#include <utf8proc.h>

struct lexer {
    struct template *t;
    struct run where; /* for messages */
    const char *s;
    size_t n, at;
    int line;
    bool line_starting; /* the last token ended a line */
    struct token *tokens;
    size_t count, capacity;
    char brackets[TEMPLATE_DEPTH_PARSE]; /* the closing ones that are due */
    size_t depth;
};

static int fail(struct lexer *x, const char *message, const char *detail)
{
    x->where.line = x->line;
    return template_fail(&x->where, BASE_E_FORMAT, "%s%s", message, detail ? detail : "");
}

static int add(struct lexer *x, struct token token)
{
    if (x->count == x->capacity) {
        size_t more = x->capacity ? x->capacity * 2 : 64;
        struct token *grown = template_alloc(&x->t->arena, more, sizeof *grown);
        if (!grown)
            return x->t->arena.failed;
        if (x->count)
            memcpy(grown, x->tokens, x->count * sizeof *grown);
        x->tokens = grown;
        x->capacity = more;
    }
    token.line = x->line;
    x->tokens[x->count++] = token;
    return 0;
}

/* Moves on, counting lines. */
static void pass(struct lexer *x, size_t to)
{
    for (; x->at < to; x->at++)
        x->line += x->s[x->at] == '\n';
    x->line_starting = to > 0 && x->s[to - 1] == '\n';
}

/* The end of the white space from `at` on, by Python's re (\s). */
static size_t skip_space(const struct lexer *x, size_t at)
{
    uint32_t code;
    size_t k;
    while (at < x->n && (k = base_utf8_decode(x->s + at, x->n - at, &code)) && eval_is_space(code))
        at += k;
    return at;
}

static bool follows(const struct lexer *x, size_t at, const char *what)
{
    size_t n = strlen(what);
    return x->n - at >= n && memcmp(x->s + at, what, n) == 0;
}

/* A block's or comment's end at `at` ("%}", "-%}", "+%}"): where what follows begins, or 0. */
static size_t tag_end(const struct lexer *x, size_t at, const char *end)
{
    if (at < x->n && x->s[at] == '-' && follows(x, at + 1, end))
        return skip_space(x, at + 3);
    if (at < x->n && x->s[at] == '+' && follows(x, at + 1, end))
        return at + 3;
    if (!follows(x, at, end))
        return 0;
    at += 2;
    return x->t->options.trim_blocks && at < x->n && x->s[at] == '\n' ? at + 1 : at;
}

/* "{% raw %}" or "{% endraw %}" at `at`: where what follows begins, or 0. */
static size_t raw_tag(const struct lexer *x, size_t at, const char *word)
{
    if (!follows(x, at, "{%"))
        return 0;
    at += 2;
    at += at < x->n && (x->s[at] == '-' || x->s[at] == '+');
    at = skip_space(x, at);
    if (!follows(x, at, word))
        return 0;
    at = skip_space(x, at + strlen(word));
    if (strcmp(word, "endraw") == 0)
        return tag_end(x, at, "%}");
    if (follows(x, at, "-%}"))
        return skip_space(x, at + 3);
    return follows(x, at, "%}") ? at + 2 : 0;
}

/* Text from x->at to `end`, before a tag with this sign ('-', '+', or another byte). */
static int data(struct lexer *x, size_t end, char sign, bool variable)
{
    size_t from = x->at, to = end;
    if (sign == '-')
        to = from + eval_space_trim_end(x->s + from, end - from);
    else if (sign != '+' && x->t->options.lstrip_blocks && !variable) {
        size_t line = end;
        while (line > from && x->s[line - 1] != '\n')
            line--;
        if ((line > from || x->line_starting) && eval_space_only(x->s + line, end - line))
            to = line;
    }
    int rc =
        to > from
            ? add(x, (struct token){ .kind = TOKEN_DATA, .at = x->s + from, .bytes = to - from })
            : 0;
    pass(x, end);
    return rc;
}

/* Python's string escapes, in place of the source's bytes. */
static int string(struct lexer *x, const char *s, size_t n, struct token *token)
{
    char *to = template_alloc(&x->t->arena, n + 1, 1);
    if (!to)
        return x->t->arena.failed;
    token->kind = TOKEN_STRING;
    token->at = to;
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '\\' || i + 1 == n) {
            *to++ = s[i];
            continue;
        }
        static const char from[] = "\\'\"abfnrtv", into[] = "\\'\"\a\b\f\n\r\t\v";
        char c = s[++i];
        const char *known = c ? strchr(from, c) : NULL;
        size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        if (known)
            *to++ = into[known - from];
        else if (c == '\n')
            continue;
        else if (c == 'N')
            return fail(x, "\\N{...} in a string is not supported: write the character", NULL);
        else if (digits || (c >= '0' && c <= '7')) {
            uint32_t code = 0;
            size_t from_digit = digits ? i + 1 : i, most = digits ? digits : 3, k = 0;
            for (; k < most && from_digit + k < n; k++) {
                char d = s[from_digit + k];
                int value = d >= '0' && d <= '9'   ? d - '0'
                            : d >= 'a' && d <= 'f' ? d - 'a' + 10
                            : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                                   : 99;
                if (value >= (digits ? 16 : 8))
                    break;
                code = code * (digits ? 16 : 8) + (uint32_t)value;
            }
            if (digits && k < digits)
                return fail(x, "a truncated \\x, \\u or \\U escape in a string", NULL);
            i = from_digit + k - 1;
            /* a surrogate pair written as two escapes is two characters in Python: no text */
            if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
                return fail(x, "an escape in a string is not a Unicode character", NULL);
            to += base_utf8_encode(code, to);
        } else {
            *to++ = '\\';
            i--;
        }
    }
    token->bytes = (size_t)(to - token->at);
    return 0;
}

static bool digit_of(char c, int base)
{
    return (c >= '0' && c <= '9' && c - '0' < base) ||
           (base == 16 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

/* digits, single underscores between them; returns the end, copies the digits to b. */
static size_t digits(const struct lexer *x, size_t at, int base, char *b, size_t *k, size_t room)
{
    while (at < x->n && *k + 1 < room) {
        if (digit_of(x->s[at], base))
            b[(*k)++] = x->s[at++];
        else if (x->s[at] == '_' && at + 1 < x->n && digit_of(x->s[at + 1], base))
            at++;
        else
            break;
    }
    b[*k] = 0;
    return at;
}

static int number(struct lexer *x, struct token *token, size_t *end)
{
    char b[400];
    size_t k = 0, at = x->at;
    int base = 10;
    if (x->s[at] == '0' && at + 2 < x->n) {
        char c = x->s[at + 1] | 32;
        int other = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
        size_t from = at + 2 + (x->s[at + 2] == '_');
        if (other != 10 && from < x->n && digit_of(x->s[from], other)) {
            base = other;
            at = from;
        }
    }
    at = digits(x, at, base, b, &k, sizeof b);
    bool real = false;
    bool after_dot = x->at > 0 && x->s[x->at - 1] == '.';
    if (base == 10 && !after_dot) {
        if (at + 1 < x->n && x->s[at] == '.' && digit_of(x->s[at + 1], 10)) {
            real = true;
            b[k++] = '.';
            at = digits(x, at + 1, 10, b, &k, sizeof b);
        }
        size_t e = at;
        if (e < x->n && (x->s[e] | 32) == 'e') {
            size_t sign = e + 1 < x->n && (x->s[e + 1] == '+' || x->s[e + 1] == '-');
            if (e + 1 + sign < x->n && digit_of(x->s[e + 1 + sign], 10)) {
                real = true;
                if (k + 3 < sizeof b) {
                    b[k++] = 'e';
                    if (sign)
                        b[k++] = x->s[e + 1];
                }
                at = digits(x, e + 1 + sign, 10, b, &k, sizeof b);
            }
        }
    }
    if (k + 1 >= sizeof b)
        return fail(x, "a number with too many digits", NULL);
    *end = at;
    if (real) {
        *token = (struct token){ .kind = TOKEN_REAL, .real = strtod(b, NULL) };
        return 0;
    }
    if (base == 10 && k > 1 && b[0] == '0' && strspn(b, "0") < k)
        return fail(x, "an integer with leading zeros: ", b);
    errno = 0;
    *token = (struct token){ .kind = TOKEN_INTEGER, .integer = strtoll(b, NULL, base) };
    return errno ? fail(x, "an integer beyond 64 bits: ", b) : 0;
}

/* The end of a name at x->at, or x->at when there is none. */
static size_t name_end(const struct lexer *x)
{
    size_t at = x->at, k;
    uint32_t code;
    while (at < x->n && (k = base_utf8_decode(x->s + at, x->n - at, &code)) &&
           (template_is_word(code) ||
            utf8proc_category((utf8proc_int32_t)code) == UTF8PROC_CATEGORY_MN))
        at += k;
    return at;
}

static int operator_token(struct lexer *x, struct token *token, size_t *end)
{
    static const char *const twos[] = { "//", "**", "==", "!=", ">=", "<=" };
    char c = x->s[x->at];
    *token = (struct token){ .kind = TOKEN_OPERATOR, .op = c };
    *end = x->at + 1;
    for (int i = 0; i < 6; i++)
        if (follows(x, x->at, twos[i])) {
            token->op = twos[i][0] << 8 | twos[i][1];
            *end = x->at + 2;
            return 0;
        }
    if (!c || !strchr("+-/*%~[](){}><=.:|,;", c)) {
        char shown[8] = { 0 };
        uint32_t code;
        size_t k = base_utf8_decode(x->s + x->at, x->n - x->at, &code);
        memcpy(shown, x->s + x->at, k && code >= 32 ? k : 0);
        return fail(x, "unexpected character in a tag: ", shown);
    }
    if (strchr("([{", c)) {
        if (x->depth == TEMPLATE_DEPTH_PARSE) {
            x->where.line = x->line;
            return template_fail(&x->where, BASE_E_LIMIT, "brackets are nested more than %d deep",
                                 TEMPLATE_DEPTH_PARSE);
        }
        x->brackets[x->depth++] = c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (strchr(")]}", c)) {
        char text[2] = { c, 0 };
        if (x->depth == 0)
            return fail(x, "unexpected ", text);
        if (x->brackets[--x->depth] != c)
            return fail(x, "brackets do not match: unexpected ", text);
    }
    return 0;
}

/* The inside of a tag up to and with its end. bare: up to the end of the source. */
static int inside(struct lexer *x, bool variable, bool bare)
{
    int first = x->line;
    x->depth = 0;
    for (;;) {
        size_t end = skip_space(x, x->at);
        int rc = 0;
        struct token token;
        size_t k = 0;
        if (x->depth == 0 && !bare) {
            if (variable)
                k = follows(x, x->at, "-}}")  ? skip_space(x, x->at + 3)
                    : follows(x, x->at, "}}") ? x->at + 2
                                              : 0;
            else
                k = tag_end(x, x->at, "%}");
            if (k) {
                token = (struct token){ .kind = variable ? TOKEN_VARIABLE_END : TOKEN_BLOCK_END };
                rc = add(x, token);
                pass(x, k);
                return rc;
            }
        }
        if (end > x->at) {
            pass(x, end);
            continue;
        }
        if (x->at == x->n) {
            if (bare && x->depth == 0)
                return 0;
            char text[24];
            snprintf(text, sizeof text, "%d", first);
            return fail(x, "the source ends inside the tag that begins in line ", text);
        }
        char c = x->s[x->at];
        end = name_end(x);
        if (c >= '0' && c <= '9') {
            rc = number(x, &token, &end);
        } else if (end > x->at) {
            token = (struct token){ .kind = TOKEN_NAME, .at = x->s + x->at, .bytes = end - x->at };
        } else if (c == '"' || c == '\'') {
            end = x->at + 1;
            while (end < x->n && x->s[end] != c)
                end += x->s[end] == '\\' && end + 1 < x->n ? 2 : 1;
            if (end >= x->n)
                return fail(x, "a string is not closed", NULL);
            rc = string(x, x->s + x->at + 1, end - x->at - 1, &token);
            end++;
        } else {
            rc = operator_token(x, &token, &end);
        }
        if (rc || (rc = add(x, token)))
            return rc;
        pass(x, end);
    }
}

static int comment(struct lexer *x)
{
    for (size_t at = x->at; at + 1 < x->n; at++) {
        size_t end = tag_end(x, at, "#}");
        if (end) {
            pass(x, end);
            return 0;
        }
    }
    return fail(x, "a comment {# is not closed", NULL);
}

static int raw(struct lexer *x)
{
    for (size_t at = x->at; at + 1 < x->n; at++) {
        size_t end = raw_tag(x, at, "endraw");
        if (end) {
            int rc = data(x, at, x->s[at + 2], false);
            pass(x, end);
            return rc;
        }
    }
    return fail(x, "{% raw %} is not closed", NULL);
}

static int source_tokens(struct lexer *x)
{
    while (x->at < x->n) {
        size_t at = x->at;
        while (at + 1 < x->n && !(x->s[at] == '{' && (x->s[at + 1] == '{' || x->s[at + 1] == '%' ||
                                                      x->s[at + 1] == '#')))
            at++;
        int rc;
        if (at + 1 >= x->n) { /* no further tag */
            rc = add(
                x, (struct token){ .kind = TOKEN_DATA, .at = x->s + x->at, .bytes = x->n - x->at });
            x->at = x->n;
            return rc;
        }
        char kind = x->s[at + 1], sign = at + 2 < x->n ? x->s[at + 2] : 0;
        size_t raw_body = raw_tag(x, at, "raw");
        if ((rc = data(x, at, sign, kind == '{')))
            return rc;
        if (raw_body) {
            pass(x, raw_body);
            rc = raw(x);
        } else {
            pass(x, at + 2 + (sign == '-' || sign == '+'));
            if (kind != '#')
                rc = add(x, (struct token){ .kind = kind == '{' ? TOKEN_VARIABLE_BEGIN
                                                                : TOKEN_BLOCK_BEGIN });
            if (!rc)
                rc = kind == '#' ? comment(x) : inside(x, kind == '{', false);
        }
        if (rc)
            return rc;
    }
    return 0;
}

int template_lex(struct template *t, const char *source, size_t bytes, bool expression,
                 struct token **out, size_t *n)
{
    struct lexer x = { .t = t, .line = 1, .line_starting = true };
    x.where.name = t->name;
    x.where.line = 1;
    size_t bad = base_utf8_invalid(source, bytes);
    char *copy = template_alloc(&t->arena, bytes + 1, 1);
    if (!copy)
        return t->arena.failed;
    for (size_t i = 0; i < bytes && i < bad; i++) {
        if (source[i] == '\r') {
            copy[x.n++] = '\n';
            i += i + 1 < bytes && source[i + 1] == '\n';
        } else {
            copy[x.n++] = source[i];
        }
    }
    x.s = copy;
    if (bad < bytes) {
        pass(&x, x.n);
        return fail(&x, "the template is not valid UTF-8", NULL);
    }
    if (!t->options.keep_trailing_newline && x.n && copy[x.n - 1] == '\n')
        x.n--;
    int rc = expression ? inside(&x, true, true) : source_tokens(&x);
    if (!rc)
        rc = add(&x, (struct token){ .kind = TOKEN_END });
    *out = x.tokens;
    *n = x.count;
    return rc;
}
