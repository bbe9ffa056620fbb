/* One cell: as a number, as nothing, and written as CSV. */
#include "base/buffer.h"
#include <assay/data.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 1000 /* longer cells are not numbers */

/* Powers of ten that a double holds exactly. A decimal number whose digits are below 2^53 times or
 * over one of these is rounded once, and therefore correctly (Clinger 1990). */
static const double exact_tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool data_cell_number(struct data_cell cell, double *out)
{
    const char *p = cell.bytes, *end = p + cell.length;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    const char *from = p;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    uint64_t digits = 0;
    int exponent = 0, seen = 0, kept = 0;
    for (; p < end && is_digit(*p); p++, seen++)
        if (kept < 19) {
            digits = digits * 10 + (uint64_t)(*p - '0');
            kept += digits > 0;
        } else
            exponent++;
    if (p < end && *p == '.')
        for (p++; p < end && is_digit(*p); p++, seen++)
            if (kept < 19) {
                digits = digits * 10 + (uint64_t)(*p - '0');
                kept += digits > 0;
                exponent--;
            }
    if (seen == 0)
        return false;
    bool simple = kept < 19;
    if (p < end && (*p == 'e' || *p == 'E')) {
        simple = false;
        p++;
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        if (p == end || !is_digit(*p))
            return false;
        while (p < end && is_digit(*p))
            p++;
    }
    if (p != end)
        return false;
    if (simple && digits < (uint64_t)1 << 53 && exponent <= 0 && exponent >= -22) {
        double value = (double)digits / exact_tens[-exponent];
        *out = negative ? -value : value;
        return true;
    }
    char text[NUMBER_BYTES + 1];
    size_t n = (size_t)(end - from);
    if (n > NUMBER_BYTES)
        return false;
    memcpy(text, from, n);
    text[n] = 0;
    double value = strtod(text, NULL);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

bool data_cell_missing(struct data_cell cell)
{
    static const char *const words[] = { "na", "n/a", "nan", "null", "none" };
    if (cell.length == 0)
        return true;
    if (cell.length > 4 || cell.length < 2)
        return false;
    char lower[5] = { 0 };
    for (size_t i = 0; i < cell.length; i++)
        lower[i] = cell.bytes[i] >= 'A' && cell.bytes[i] <= 'Z' ? (char)(cell.bytes[i] + 32)
                                                                : cell.bytes[i];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == cell.length && memcmp(lower, words[i], cell.length) == 0)
            return true;
    return false;
}

int data_cell_write(struct base_buffer *out, struct data_cell cell, char delimiter, int quote)
{
    bool needs = false;
    for (size_t i = 0; i < cell.length && !needs; i++) {
        char c = cell.bytes[i];
        needs = c == delimiter || c == '\n' || c == '\r' || (quote > 0 && c == (char)quote);
    }
    if (!needs)
        return base_buffer_append(out, cell.bytes, cell.length);
    if (quote <= 0)
        return base_error_set(BASE_E_FORMAT,
                              "a value holds the delimiter or a line end, which this format cannot "
                              "hold without quotes: write CSV instead");
    char mark = (char)quote;
    int rc = base_buffer_append(out, &mark, 1);
    const char *p = cell.bytes, *end = p + cell.length, *q;
    while (!rc && (q = memchr(p, mark, (size_t)(end - p)))) { /* the quote twice */
        if (!(rc = base_buffer_append(out, p, (size_t)(q + 1 - p))))
            rc = base_buffer_append(out, &mark, 1);
        p = q + 1;
    }
    if (!rc)
        rc = base_buffer_append(out, p, (size_t)(end - p));
    return rc ? rc : base_buffer_append(out, &mark, 1);
}
