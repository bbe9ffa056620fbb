/* The calculator: exact where arithmetic is.
 *
 *   expression  term { ("+" | "-") term }
 *   term        factor { ("*" | "/" | "//" | "%") factor }
 *   factor      ("-" | "+") factor | power
 *   power       atom { "!" } [ ("^" | "**") factor ]
 *   atom        number | name | name "(" expression { "," expression } ")" | "(" expression ")"
 *
 * Values are rational numbers of any size (GMP) while everything is exact: + - * / // % and whole
 * powers, comparison and rounding, roots that come out even. What is not rational (pi, sin, other
 * roots) is a double, and so is all that follows from it; the result says which it is. "a // b" is
 * floor(a / b) and "a % b" is a - b * (a // b), as in Python. Nothing is evaluated but this
 * grammar; length, nesting and the size of numbers are bounded, and sizes are foreseen before they
 * are computed (9^9^9). */
#include "agent/builtin.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/library.h"
#include "base/memory.h"
#include <ctype.h>
#include <gmp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_MOST 4096
#define DEPTH_MOST  100
#define BITS_MOST   100000
#define DIGITS_MOST 1000 /* of a decimal fraction that ends */
#define DIGITS_CUT  30   /* of one that does not */
#define ARGS_MOST   64

#define GMP_Q(X)                                                                                   \
    X(init)                                                                                        \
    X(clear)                                                                                       \
    X(set)                                                                                         \
    X(add)                                                                                         \
    X(sub)                                                                                         \
    X(mul)                                                                                         \
    X(div)                                                                                         \
    X(neg)                                                                                         \
    X(abs)                                                                                         \
    X(cmp)                                                                                         \
    X(canonicalize)                                                                                \
    X(get_d)                                                                                       \
    X(set_z)                                                                                       \
    X(set_si)                                                                                      \
    X(inv)
#define GMP_Z(X)                                                                                   \
    X(init)                                                                                        \
    X(clear)                                                                                       \
    X(set_str)                                                                                     \
    X(get_str)                                                                                     \
    X(sizeinbase)                                                                                  \
    X(pow_ui)                                                                                      \
    X(fdiv_q)                                                                                      \
    X(tdiv_q)                                                                                      \
    X(mul)                                                                                         \
    X(set)                                                                                         \
    X(gcd)                                                                                         \
    X(lcm)                                                                                         \
    X(fac_ui)                                                                                      \
    X(sqrtrem)                                                                                     \
    X(perfect_square_p)                                                                            \
    X(get_ui)                                                                                      \
    X(fits_ulong_p)                                                                                \
    X(mul_2exp)                                                                                    \
    X(divisible_ui_p)                                                                              \
    X(divexact_ui)                                                                                 \
    X(ui_pow_ui)                                                                                   \
    X(neg)                                                                                         \
    X(fdiv_r)                                                                                      \
    X(add_ui)                                                                                      \
    X(cmp)
static struct {
#define X(name) __typeof__(mpq_##name) *q_##name;
    GMP_Q(X)
#undef X
#define X(name) __typeof__(mpz_##name) *z_##name;
    GMP_Z(X)
#undef X
} gmp;

static int load(void)
{
    static const char *const names[] = {
#define X(name) "__gmpq_" #name,
        GMP_Q(X)
#undef X
#define X(name) "__gmpz_" #name,
            GMP_Z(X)
#undef X
    };
    return base_library_load("libgmp.so.10", "libgmp10", names, &gmp, sizeof names / sizeof *names);
}

struct value {
    bool exact;
    mpq_t q; /* always initialised */
    double d;
};
struct parser {
    const char *text, *at;
    int depth;
};

static void value_begin(struct value *v)
{
    *v = (struct value){ .exact = true };
    gmp.q_init(v->q);
}
static void value_end(struct value *v)
{
    gmp.q_clear(v->q);
}
static double as_double(const struct value *v)
{
    return v->exact ? gmp.q_get_d(v->q) : v->d;
}
static bool is_one(mpz_srcptr z)
{
    return gmp.z_fits_ulong_p(z) && gmp.z_get_ui(z) == 1;
}
static bool is_whole(const struct value *v)
{
    return v->exact && is_one(mpq_denref(v->q));
}
static size_t bits(const struct value *v)
{
    return gmp.z_sizeinbase(mpq_numref(v->q), 2) + gmp.z_sizeinbase(mpq_denref(v->q), 2);
}

static int bad(const struct parser *p, const char *what)
{
    return base_error_set(BASE_E_ARGUMENT, "at character %zu of the expression: %s",
                          (size_t)(p->at - p->text) + 1, what);
}
static int too_large(const struct parser *p)
{
    return bad(p, "the number would be too large (more than 100,000 bits)");
}

/* A double as the value; NaN and infinity are errors. */
static int make_inexact(const struct parser *p, struct value *v, double d)
{
    if (!isfinite(d))
        return bad(p, "the result is not a finite number");
    v->exact = false;
    v->d = d;
    return 0;
}

static void blanks(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
        p->at++;
}

static bool accept(struct parser *p, const char *token)
{
    blanks(p);
    size_t n = strlen(token);
    if (strncmp(p->at, token, n) != 0)
        return false;
    p->at += n;
    return true;
}

/* ---- arithmetic; results in a ---- */

static int add(const struct parser *p, struct value *a, const struct value *b, int sign)
{
    if (!a->exact || !b->exact)
        return make_inexact(p, a, as_double(a) + sign * as_double(b));
    if (bits(a) + bits(b) > BITS_MOST)
        return too_large(p);
    (sign > 0 ? gmp.q_add : gmp.q_sub)(a->q, a->q, b->q);
    return 0;
}

static int multiply(const struct parser *p, struct value *a, const struct value *b)
{
    if (!a->exact || !b->exact)
        return make_inexact(p, a, as_double(a) * as_double(b));
    if (bits(a) + bits(b) > BITS_MOST)
        return too_large(p);
    gmp.q_mul(a->q, a->q, b->q);
    return 0;
}

static int divide(const struct parser *p, struct value *a, const struct value *b)
{
    if (b->exact ? mpq_sgn(b->q) == 0 : b->d == 0)
        return bad(p, "division by zero");
    if (!a->exact || !b->exact)
        return make_inexact(p, a, as_double(a) / as_double(b));
    if (bits(a) + bits(b) > BITS_MOST)
        return too_large(p);
    gmp.q_div(a->q, a->q, b->q);
    return 0;
}

/* way: -1 floor, 1 ceiling, 0 towards zero, 2 to the nearest (halves to even) */
static void round_whole(struct value *v, int way)
{
    if (!v->exact) {
        double d = v->d;
        v->d = way == -1 ? floor(d) : way == 1 ? ceil(d) : way == 0 ? trunc(d) : nearbyint(d);
        return;
    }
    mpz_t r, twice;
    gmp.z_init(r);
    gmp.z_init(twice);
    if (way == 0) {
        gmp.z_tdiv_q(r, mpq_numref(v->q), mpq_denref(v->q));
    } else if (way == 1) {
        gmp.z_neg(twice, mpq_numref(v->q));
        gmp.z_fdiv_q(r, twice, mpq_denref(v->q));
        gmp.z_neg(r, r);
    } else {
        gmp.z_fdiv_q(r, mpq_numref(v->q), mpq_denref(v->q));
        if (way == 2) { /* the remainder against half of the denominator */
            gmp.z_fdiv_r(twice, mpq_numref(v->q), mpq_denref(v->q));
            gmp.z_mul_2exp(twice, twice, 1);
            int half = gmp.z_cmp(twice, mpq_denref(v->q));
            if (half > 0 || (half == 0 && !gmp.z_divisible_ui_p(r, 2)))
                gmp.z_add_ui(r, r, 1);
        }
    }
    gmp.q_set_z(v->q, r);
    gmp.z_clear(r);
    gmp.z_clear(twice);
}

static int floor_divide(const struct parser *p, struct value *a, const struct value *b)
{
    int rc = divide(p, a, b);
    if (!rc)
        round_whole(a, -1);
    return rc;
}

static int modulo(const struct parser *p, struct value *a, const struct value *b)
{
    struct value quotient;
    value_begin(&quotient);
    quotient.exact = a->exact;
    quotient.d = a->d;
    gmp.q_set(quotient.q, a->q);
    int rc = floor_divide(p, &quotient, b);
    if (!rc)
        rc = multiply(p, &quotient, b);
    if (!rc)
        rc = add(p, a, &quotient, -1);
    value_end(&quotient);
    return rc;
}

static int power(const struct parser *p, struct value *a, const struct value *b)
{
    if (a->exact && is_whole(b)) {
        int sign = mpq_sgn(b->q);
        mpz_t n;
        gmp.z_init(n);
        gmp.z_set(n, mpq_numref(b->q));
        if (sign < 0)
            gmp.z_neg(n, n);
        bool one = bits(a) <= 2; /* 0, 1 and -1 stay small */
        unsigned long e = gmp.z_fits_ulong_p(n) ? gmp.z_get_ui(n) : 0;
        bool fits =
            gmp.z_fits_ulong_p(n) && (one || e == 0 || (double)e * (double)bits(a) <= BITS_MOST);
        if (one && !gmp.z_fits_ulong_p(n)) {
            e = gmp.z_divisible_ui_p(n, 2) ? 2 : 1;
            fits = true;
        }
        gmp.z_clear(n);
        if (!fits)
            return too_large(p);
        if (sign < 0 && mpq_sgn(a->q) == 0)
            return bad(p, "division by zero");
        gmp.z_pow_ui(mpq_numref(a->q), mpq_numref(a->q), e);
        gmp.z_pow_ui(mpq_denref(a->q), mpq_denref(a->q), e);
        if (sign < 0)
            gmp.q_inv(a->q, a->q);
        return 0;
    }
    return make_inexact(p, a, pow(as_double(a), as_double(b)));
}

static int factorial(const struct parser *p, struct value *a)
{
    if (!is_whole(a) || !gmp.z_fits_ulong_p(mpq_numref(a->q)) ||
        gmp.z_get_ui(mpq_numref(a->q)) > 8000)
        return bad(p, "a factorial needs a whole number from 0 to 8,000");
    gmp.z_fac_ui(mpq_numref(a->q), gmp.z_get_ui(mpq_numref(a->q)));
    return 0;
}

static int square_root(const struct parser *p, struct value *a)
{
    if (a->exact && mpq_sgn(a->q) >= 0 && gmp.z_perfect_square_p(mpq_numref(a->q)) &&
        gmp.z_perfect_square_p(mpq_denref(a->q))) {
        mpz_t rest;
        gmp.z_init(rest);
        gmp.z_sqrtrem(mpq_numref(a->q), rest, mpq_numref(a->q));
        gmp.z_sqrtrem(mpq_denref(a->q), rest, mpq_denref(a->q));
        gmp.z_clear(rest);
        return 0;
    }
    return make_inexact(p, a, sqrt(as_double(a)));
}

/* ---- functions ---- */

static int compare(const struct value *a, const struct value *b)
{
    if (a->exact && b->exact)
        return gmp.q_cmp(a->q, b->q);
    double x = as_double(a), y = as_double(b);
    return (x > y) - (x < y);
}

static void value_copy(struct value *to, const struct value *from)
{
    to->exact = from->exact;
    to->d = from->d;
    gmp.q_set(to->q, from->q);
}

/* round(x, n): to n decimal places. */
static int round_places(const struct parser *p, struct value *x, const struct value *places)
{
    if (!is_whole(places) || fabs(as_double(places)) > 300)
        return bad(p, "round needs a whole number of places from -300 to 300");
    struct value ten;
    value_begin(&ten);
    gmp.q_set_si(ten.q, 10, 1);
    int rc = power(p, &ten, places);
    if (!rc)
        rc = multiply(p, x, &ten);
    if (!rc) {
        round_whole(x, 2);
        rc = divide(p, x, &ten);
    }
    value_end(&ten);
    return rc;
}

static const struct {
    const char *name;
    double (*of)(double);
} approximate[] = {
    { "exp", exp },       { "ln", log },    { "log2", log2 }, { "log10", log10 },
    { "sin", sin },       { "cos", cos },   { "tan", tan },   { "asin", asin },
    { "acos", acos },     { "atan", atan }, { "sinh", sinh }, { "cosh", cosh },
    { "tanh", tanh },     { "cbrt", cbrt }, { "erf", erf },   { "gamma", tgamma },
    { "lgamma", lgamma },
};

/* The function's value in args[0]. */
static int apply(const struct parser *p, const char *name, struct value *args, size_t n)
{
    static const struct {
        const char *name;
        int way;
    } roundings[] = { { "floor", -1 }, { "ceil", 1 }, { "trunc", 0 }, { "round", 2 } };
    for (size_t i = 0; i < sizeof roundings / sizeof *roundings; i++)
        if (strcmp(name, roundings[i].name) == 0 && n == 1) {
            round_whole(&args[0], roundings[i].way);
            return 0;
        }
    for (size_t i = 0; i < sizeof approximate / sizeof *approximate; i++)
        if (strcmp(name, approximate[i].name) == 0 && n == 1)
            return make_inexact(p, &args[0], approximate[i].of(as_double(&args[0])));
    if (strcmp(name, "round") == 0 && n == 2)
        return round_places(p, &args[0], &args[1]);
    if (strcmp(name, "sqrt") == 0 && n == 1)
        return square_root(p, &args[0]);
    if (strcmp(name, "factorial") == 0 && n == 1)
        return factorial(p, &args[0]);
    if (strcmp(name, "abs") == 0 && n == 1) {
        args[0].d = fabs(args[0].d);
        gmp.q_abs(args[0].q, args[0].q);
        return 0;
    }
    if (strcmp(name, "log") == 0 && n == 2)
        return make_inexact(p, &args[0], log(as_double(&args[0])) / log(as_double(&args[1])));
    if ((strcmp(name, "gcd") == 0 || strcmp(name, "lcm") == 0) && n >= 2) {
        for (size_t i = 0; i < n; i++)
            if (!is_whole(&args[i]))
                return bad(p, "gcd and lcm need whole numbers");
        size_t all = 0;
        for (size_t i = 0; i < n; i++)
            if ((all += bits(&args[i])) > BITS_MOST)
                return too_large(p);
        for (size_t i = 1; i < n; i++)
            (*name == 'g' ? gmp.z_gcd : gmp.z_lcm)(mpq_numref(args[0].q), mpq_numref(args[0].q),
                                                   mpq_numref(args[i].q));
        return 0;
    }
    bool least = strcmp(name, "min") == 0;
    if ((least || strcmp(name, "max") == 0) && n >= 1) {
        for (size_t i = 1; i < n; i++)
            if (least ? compare(&args[i], &args[0]) < 0 : compare(&args[i], &args[0]) > 0)
                value_copy(&args[0], &args[i]);
        return 0;
    }
    bool mean = strcmp(name, "mean") == 0;
    if ((mean || strcmp(name, "sum") == 0) && n >= 1) {
        int rc = 0;
        for (size_t i = 1; i < n && !rc; i++)
            rc = add(p, &args[0], &args[i], 1);
        struct value count;
        value_begin(&count);
        gmp.q_set_si(count.q, (long)n, 1);
        if (!rc && mean)
            rc = divide(p, &args[0], &count);
        value_end(&count);
        return rc;
    }
    return base_error_set(BASE_E_ARGUMENT,
                          "at character %zu of the expression: there is no function %.40s of %zu "
                          "argument%s",
                          (size_t)(p->at - p->text), name, n, n == 1 ? "" : "s");
}

/* ---- the grammar ---- */

static int expression(struct parser *p, struct value *v);

/* Decimal number: digits, with a point, an exponent of ten, and _ between digits. */
static int number(struct parser *p, struct value *v)
{
    char digits[LENGTH_MOST + 1];
    size_t n = 0;
    long scale = 0;
    bool point = false;
    for (;; p->at++) {
        if (isdigit((unsigned char)*p->at)) {
            digits[n++] = *p->at;
            scale += point;
        } else if (*p->at == '.' && !point) {
            point = true;
        } else if (*p->at == '_' && n && isdigit((unsigned char)p->at[1])) {
        } else {
            break;
        }
    }
    if (!n)
        return bad(p, "a number without digits");
    digits[n] = 0;
    long exponent = 0;
    if ((*p->at == 'e' || *p->at == 'E') &&
        (isdigit((unsigned char)p->at[1]) ||
         ((p->at[1] == '-' || p->at[1] == '+') && isdigit((unsigned char)p->at[2])))) {
        char *end;
        exponent = strtol(p->at + 1, &end, 10);
        p->at = end;
    }
    if (isalnum((unsigned char)*p->at) || *p->at == '_' || *p->at == '.')
        return bad(p, "this does not belong to a number");
    exponent -= scale;
    if (exponent > 20000 || exponent < -20000)
        return too_large(p);
    gmp.z_set_str(mpq_numref(v->q), digits, 10);
    mpz_t ten;
    gmp.z_init(ten);
    gmp.z_ui_pow_ui(ten, 10, (unsigned long)labs(exponent));
    if (exponent >= 0)
        gmp.z_mul(mpq_numref(v->q), mpq_numref(v->q), ten);
    else
        gmp.z_set(mpq_denref(v->q), ten);
    gmp.z_clear(ten);
    gmp.q_canonicalize(v->q);
    return bits(v) > BITS_MOST ? too_large(p) : 0;
}

static int call(struct parser *p, const char *name, struct value *v)
{
    struct value *args = base_alloc(ARGS_MOST, sizeof *args);
    size_t n = 0;
    int rc = args ? 0 : BASE_E_MEMORY;
    if (!rc && !accept(p, ")")) {
        do {
            if (n == ARGS_MOST) {
                rc = bad(p, "more than 64 arguments");
                break;
            }
            value_begin(&args[n]);
            rc = expression(p, &args[n++]);
        } while (!rc && accept(p, ","));
        if (!rc && !accept(p, ")"))
            rc = bad(p, "expected ',' or ')'");
    }
    if (!rc && !n)
        rc = bad(p, "a function needs an argument");
    if (!rc)
        rc = apply(p, name, args, n);
    if (!rc)
        value_copy(v, &args[0]);
    for (size_t i = 0; i < n; i++)
        value_end(&args[i]);
    base_free(args);
    return rc;
}

static int atom(struct parser *p, struct value *v)
{
    blanks(p);
    if (isdigit((unsigned char)*p->at) || *p->at == '.')
        return number(p, v);
    if (accept(p, "(")) {
        int rc = expression(p, v);
        return rc ? rc : accept(p, ")") ? 0 : bad(p, "expected ')'");
    }
    if (!isalpha((unsigned char)*p->at))
        return bad(p,
                   *p->at ? "expected a number, a name or '('" : "the expression ends too early");
    char name[32];
    size_t n = 0;
    for (; isalnum((unsigned char)*p->at) || *p->at == '_'; p->at++)
        if (n < sizeof name - 1)
            name[n++] = *p->at;
    name[n] = 0;
    if (accept(p, "("))
        return call(p, name, v);
    if (strcmp(name, "pi") == 0)
        return make_inexact(p, v, 3.14159265358979323846);
    if (strcmp(name, "e") == 0)
        return make_inexact(p, v, 2.71828182845904523536);
    return base_error_set(BASE_E_ARGUMENT,
                          "at character %zu of the expression: there is no name %.31s",
                          (size_t)(p->at - p->text), name);
}

static int factor(struct parser *p, struct value *v)
{
    if (++p->depth > DEPTH_MOST)
        return bad(p, "nested too deep");
    int rc;
    if (accept(p, "-")) {
        if (!(rc = factor(p, v))) {
            gmp.q_neg(v->q, v->q);
            v->d = -v->d;
        }
    } else if (accept(p, "+")) {
        rc = factor(p, v);
    } else {
        rc = atom(p, v);
        while (!rc && accept(p, "!"))
            rc = factorial(p, v);
        if (!rc && (accept(p, "^") || accept(p, "**"))) {
            struct value exponent;
            value_begin(&exponent);
            rc = factor(p, &exponent);
            if (!rc)
                rc = power(p, v, &exponent);
            value_end(&exponent);
        }
    }
    p->depth--;
    return rc;
}

static int term(struct parser *p, struct value *v)
{
    int rc = factor(p, v);
    while (!rc) {
        int (*operation)(const struct parser *, struct value *, const struct value *);
        if (accept(p, "//"))
            operation = floor_divide;
        else if (accept(p, "*"))
            operation = multiply;
        else if (accept(p, "/"))
            operation = divide;
        else if (accept(p, "%"))
            operation = modulo;
        else
            break;
        struct value right;
        value_begin(&right);
        rc = factor(p, &right);
        if (!rc)
            rc = operation(p, v, &right);
        value_end(&right);
    }
    return rc;
}

static int expression(struct parser *p, struct value *v)
{
    int rc = term(p, v);
    while (!rc) {
        int sign = accept(p, "+") ? 1 : accept(p, "-") ? -1 : 0;
        if (!sign)
            break;
        struct value right;
        value_begin(&right);
        rc = term(p, &right);
        if (!rc)
            rc = add(p, v, &right, sign);
        value_end(&right);
    }
    return rc;
}

/* ---- the result as text ---- */

static int append_whole(struct base_buffer *b, mpz_srcptr z)
{
    char *text = base_alloc(gmp.z_sizeinbase(z, 10) + 2, 1);
    if (!text)
        return BASE_E_MEMORY;
    gmp.z_get_str(text, 10, z);
    int rc = base_buffer_puts(b, text);
    base_free(text);
    return rc;
}

/* How often p divides d, dividing it out. */
static unsigned long factors(mpz_t d, unsigned long p)
{
    unsigned long n = 0;
    for (; gmp.z_divisible_ui_p(d, p); n++)
        gmp.z_divexact_ui(d, d, p);
    return n;
}

/* q as a decimal number: all digits where it ends, else 30 of them, rounded to even. */
static int append_decimal(struct base_buffer *b, const struct value *v)
{
    if (is_whole(v))
        return append_whole(b, mpq_numref(v->q));
    mpz_t rest;
    gmp.z_init(rest);
    gmp.z_set(rest, mpq_denref(v->q));
    unsigned long two = factors(rest, 2), five = factors(rest, 5);
    bool ends = is_one(rest);
    long places = (long)(two > five ? two : five);
    if (!ends || places > DIGITS_MOST) {
        /* digits before the point, roughly: enough places for 30 significant ones */
        long whole = (long)gmp.z_sizeinbase(mpq_numref(v->q), 10) -
                     (long)gmp.z_sizeinbase(mpq_denref(v->q), 10);
        places = DIGITS_CUT - whole;
        if (places < 0)
            places = 0;
    }
    struct value scaled;
    value_begin(&scaled);
    gmp.z_ui_pow_ui(mpq_numref(scaled.q), 10, (unsigned long)places);
    gmp.q_mul(scaled.q, scaled.q, v->q);
    round_whole(&scaled, 2);
    struct base_buffer digits = { 0 };
    bool negative = mpq_sgn(scaled.q) < 0;
    gmp.q_abs(scaled.q, scaled.q);
    int rc = append_whole(&digits, mpq_numref(scaled.q));
    if (!rc && negative)
        rc = base_buffer_puts(b, "-");
    long before = (long)digits.length - places;
    if (!rc && before <= 0) {
        rc = base_buffer_puts(b, "0.");
        for (long i = before; i < 0 && !rc; i++)
            rc = base_buffer_puts(b, "0");
        if (!rc)
            rc = base_buffer_append(b, digits.data, digits.length);
    } else if (!rc) {
        rc = base_buffer_append(b, digits.data, (size_t)before);
        if (!rc && places)
            rc = base_buffer_printf(b, ".%s", digits.data + before);
    }
    base_buffer_free(&digits);
    value_end(&scaled);
    gmp.z_clear(rest);
    return rc;
}

/* The shortest decimal form that reads back as d. */
static int append_double(struct base_buffer *b, double d)
{
    char text[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, d);
        if (strtod(text, NULL) == d)
            break;
    }
    return base_buffer_puts(b, text);
}

int agent_calculate(const char *text, json_t **out)
{
    struct parser p = { .text = text, .at = text };
    struct base_buffer decimal = { 0 }, fraction = { 0 };
    int rc = load();
    if (rc)
        return rc;
    if (strlen(text) > LENGTH_MOST)
        return base_error_set(BASE_E_LIMIT, "an expression of more than %d characters",
                              LENGTH_MOST);
    struct value v;
    value_begin(&v);
    rc = expression(&p, &v);
    blanks(&p);
    if (!rc && *p.at)
        rc = bad(&p, "expected an operator or the end");
    if (!rc)
        rc = v.exact ? append_decimal(&decimal, &v) : append_double(&decimal, v.d);
    if (!rc && v.exact && !is_whole(&v)) {
        rc = append_whole(&fraction, mpq_numref(v.q));
        if (!rc)
            rc = base_buffer_puts(&fraction, "/");
        if (!rc)
            rc = append_whole(&fraction, mpq_denref(v.q));
    }
    if (!rc) {
        double d = v.exact ? strtod(decimal.data, NULL) : v.d; /* rounded, where GMP cuts off */
        *out = json_pack("{s:s, s:b, s:s*, s:o}", "result", decimal.data, "exact", v.exact,
                         "fraction", fraction.data, "number", base_json_number(d));
        rc = *out ? 0 : BASE_E_MEMORY;
    }
    value_end(&v);
    base_buffer_free(&decimal);
    base_buffer_free(&fraction);
    return rc;
}

static int run(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool;
    return agent_calculate(json_string_value(json_object_get(arguments, "expression")), out);
}

/* Once through what every call goes through: libraries loaded, functions bound, pages at hand. */
static void prepare(void)
{
    json_t *out = NULL;
    if (!gmp.q_init && agent_calculate("(2^64 - 1) / 3 + 0.5", &out) == 0)
        json_decref(out);
}

const struct agent_tool agent_tool_calculator = {
    .name = "calculator",
    .title = "Calculator",
    .description =
        "Evaluates an arithmetic expression exactly: whole numbers, fractions and decimals of any "
        "size with + - * / // (floor) % (modulo) ^ and !, and the functions abs, floor, ceil, "
        "trunc, round(x, places), sqrt, min, max, sum, mean, gcd, lcm, factorial. Functions that "
        "are not rational (exp, ln, log(x, base), log2, log10, sin, cos, tan, ..., pi, e) give a "
        "64-bit approximation, and \"exact\" says so.",
    .input = "{\"type\": \"object\", \"properties\": {\"expression\": {\"type\": \"string\", "
             "\"minLength\": 1, \"maxLength\": 4096, \"description\": \"such as (2^64 - 1) / 3 or "
             "round(2/3, 4)\"}}, \"required\": [\"expression\"], \"additionalProperties\": false}",
    .output = "{\"type\": \"object\", \"properties\": {\"result\": {\"type\": \"string\"}, "
              "\"exact\": {\"type\": \"boolean\"}, \"fraction\": {\"type\": \"string\"}, "
              "\"number\": {\"type\": [\"number\", \"null\"]}}, \"required\": [\"result\", "
              "\"exact\", \"number\"], \"additionalProperties\": false}",
    .read_only = true,
    .idempotent = true,
    .prepare = prepare,
    .pure = true,
    .run = run,
};
