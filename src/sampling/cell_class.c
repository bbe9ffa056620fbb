/* What a cell is: a whole number, a number, a date, or text.
 *
 * Dates: 2014-08-27, 2014/08/27 and 2014.08.27, or 8/27/2014 and 27.8.2014 (day or month first:
 * slashes are read as month/day unless the first number is above 12, points as day.month); each
 * with a time of day behind a blank or T, a fraction of a second, Z or an offset. Seconds count
 * from 1970-01-01 in the proleptic Gregorian calendar. */
#include "sampling/profile.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

struct text {
    const char *p, *end;
};

/* One to `most` digits; their number, or -1. */
static int digits(struct text *t, int most, int *count)
{
    int value = 0, n = 0;
    while (t->p < t->end && n < most && *t->p >= '0' && *t->p <= '9') {
        value = value * 10 + (*t->p++ - '0');
        n++;
    }
    *count = n;
    return n ? value : -1;
}

static bool take(struct text *t, char c)
{
    if (t->p == t->end || *t->p != c)
        return false;
    t->p++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 (Hinnant's days_from_civil). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* " 11:29[:31[.25]][ AM|PM][Z|+02:00]"; adds to *seconds. */
static bool time_of_day(struct text *t, double *seconds)
{
    int n, hour = digits(t, 2, &n), minute, second = 0;
    if (hour < 0 || hour > 24 || !take(t, ':') || (minute = digits(t, 2, &n)) < 0 || n != 2 ||
        minute > 59)
        return false;
    double fraction = 0;
    if (take(t, ':')) {
        if ((second = digits(t, 2, &n)) < 0 || n != 2 || second > 60)
            return false;
        if (take(t, '.') || take(t, ',')) {
            double unit = 0.1;
            for (n = 0; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++, n++, unit /= 10)
                fraction += unit * (*t->p - '0');
            if (n == 0)
                return false;
        }
    }
    struct text rest = *t;
    if (take(&rest, ' ') && rest.end - rest.p == 2 && (rest.p[1] | 32) == 'm' &&
        ((rest.p[0] | 32) == 'a' || (rest.p[0] | 32) == 'p') && hour >= 1 && hour <= 12) {
        hour = hour % 12 + ((rest.p[0] | 32) == 'p' ? 12 : 0);
        t->p = t->end;
    }
    *seconds += hour * 3600.0 + minute * 60.0 + second + fraction;
    if (t->p < t->end && (take(t, 'Z') || take(t, 'z')))
        return t->p == t->end;
    if (t->p < t->end && (*t->p == '+' || *t->p == '-')) {
        double sign = *t->p++ == '+' ? -1 : 1;
        int h = digits(t, 2, &n), m = 0;
        if (h < 0 || n != 2 || h > 14)
            return false;
        take(t, ':');
        if (t->p < t->end && ((m = digits(t, 2, &n)) < 0 || n != 2 || m > 59))
            return false;
        *seconds += sign * (h * 3600.0 + m * 60.0);
    }
    return t->p == t->end;
}

static bool date_of(struct data_cell cell, double *seconds, uint8_t *flags)
{
    struct text t = { cell.bytes, cell.bytes + cell.length };
    int a_digits, b_digits, c_digits;
    int a = digits(&t, 4, &a_digits);
    if (a < 0 || t.p == t.end)
        return false;
    char mark = *t.p++;
    if (mark != '-' && mark != '/' && mark != '.')
        return false;
    int b = digits(&t, 2, &b_digits);
    if (b < 0 || !take(&t, mark))
        return false;
    int year, month, day, c = digits(&t, 4, &c_digits);
    if (c < 0)
        return false;
    uint8_t how = 0;
    if (a_digits == 4 && c_digits <= 2) {
        year = a, month = b, day = c;
    } else if (a_digits <= 2 && c_digits == 4 && mark != '-') {
        year = c;
        bool day_first = a > 12 || (mark == '.' && b <= 12);
        day = day_first ? a : b;
        month = day_first ? b : a;
        if (mark == '/')
            how = a > 12 ? PROFILE_DAY_FIRST : b > 12 ? PROFILE_MONTH_FIRST : PROFILE_EITHER;
    } else {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *seconds = (double)days_of(year, month, day) * 86400;
    if (t.p < t.end && !((take(&t, ' ') || take(&t, 'T')) && time_of_day(&t, seconds)))
        return false;
    *flags |= how;
    return true;
}

struct civil {
    int year, month, day, second; /* of the day */
    double fraction;
};

/* Inverse of days_of (Hinnant's civil_from_days). */
static struct civil civil_of(double seconds)
{
    double day_number = floor(seconds / 86400), of_day = seconds - day_number * 86400;
    int64_t z = (int64_t)day_number + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t part = (5 * of_year + 2) / 153;
    struct civil c = { .day = (int)(of_year - (153 * part + 2) / 5 + 1),
                       .month = (int)(part < 10 ? part + 3 : part - 9),
                       .second = (int)of_day,
                       .fraction = of_day - floor(of_day) };
    c.year = (int)(year_of_era + era * 400 + (c.month <= 2));
    return c;
}

void sampling_date_text(double seconds, char *out, size_t bytes)
{
    if (!(fabs(seconds) < 4e11)) {
        snprintf(out, bytes, "-");
        return;
    }
    struct civil c = civil_of(seconds);
    if (c.second == 0)
        snprintf(out, bytes, "%04d-%02d-%02d", c.year, c.month, c.day);
    else
        snprintf(out, bytes, "%04d-%02d-%02d %02d:%02d:%02d", c.year, c.month, c.day,
                 c.second / 3600, c.second / 60 % 60, c.second % 60);
}

double profile_date_swap(double seconds)
{
    struct civil c = civil_of(seconds);
    return c.day > 12 ? seconds
                      : (double)days_of(c.year, c.day, c.month) * 86400 + c.second + c.fraction;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum profile_class profile_classify(struct data_cell cell, double *number, uint8_t *flags)
{
    *flags = 0;
    *number = NAN;
    struct data_cell c = cell;
    while (c.length && blank(c.bytes[0])) {
        c.bytes++;
        c.length--;
    }
    while (c.length && blank(c.bytes[c.length - 1]))
        c.length--;
    if (c.length != cell.length)
        *flags |= PROFILE_PADDED;
    if (c.length == 0)
        return PROFILE_TEXT;
    char first = c.bytes[0];
    bool digit = first >= '0' && first <= '9';
    if (!digit && first != '-' && first != '+' && first != '.')
        return PROFILE_TEXT;
    if (data_cell_number(c, number)) {
        size_t sign = first == '-' || first == '+';
        bool whole = true;
        for (size_t i = sign; i < c.length; i++)
            whole = whole && c.bytes[i] >= '0' && c.bytes[i] <= '9';
        if (whole && c.length - sign > 1 && c.bytes[sign] == '0')
            *flags |= PROFILE_ZEROS;
        return whole ? PROFILE_INTEGER : PROFILE_DECIMAL;
    }
    if (digit && c.length >= 8 && date_of(c, number, flags))
        return PROFILE_DATE;
    *number = NAN;
    return PROFILE_TEXT;
}
