/* What looks wrong in a table: the rules of <assay/describe.h>, applied after the last row to what
 * the profiles kept. Every finding says how many cells, shows some, and gives the line of the first
 * where it is known.
 *
 * Numbers are judged by quartiles, which a few wild values cannot move, never by mean and standard
 * deviation, which they can (one 99999999999 among ages makes a standard deviation of 3e9, and no
 * age looks odd any more). */
#include "base/memory.h"
#include "base/text.h"
#include "sampling/profile.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

const char *const sampling_rule_names[SAMPLING_RULES] = {
    "range",       "sentinel", "sign",     "far",    "date",  "order",      "mixed",
    "spreadsheet", "variants", "spelling", "blanks", "zeros", "duplicates", "missing"
};
const char *const sampling_severity_names[3] = { "impossible", "suspect", "note" };

enum {
    EXAMPLES = 8,        /* shown of one finding */
    VARIANT_GROUPS = 12, /* findings of one column */
    FOLD_MOST = 20000,   /* values that are compared with each other by case */
    SPELL_MOST = 400,    /* ... by letters */
};

/* ---- building findings ---- */

int profile_finding_add(struct sampling_description *d, enum sampling_rule rule,
                        enum sampling_severity severity, const char *column, uint64_t count,
                        bool at_least, struct sampling_finding **out, const char *format, ...)
{
    struct sampling_finding *grown = base_realloc(d->finding, d->findings + 1, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    d->finding = grown;
    struct sampling_finding *f = &grown[d->findings++];
    *f = (struct sampling_finding){
        .rule = rule, .severity = severity, .count = count, .at_least = at_least
    };
    struct base_buffer b = { 0 };
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    int rc = base_buffer_puts(&b, text);
    f->message = base_buffer_take(&b);
    if (column)
        f->column = base_strdup(column);
    if (out)
        *out = f;
    return rc || !f->message || (column && !f->column) ? BASE_E_MEMORY : 0;
}

int profile_example_add(struct sampling_finding *f, const char *text, size_t n, uint64_t count,
                        uint64_t line)
{
    struct sampling_example *grown = base_realloc(f->example, f->n + 1, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    f->example = grown;
    char *copy = base_strndup(text, n);
    if (!copy)
        return BASE_E_MEMORY;
    grown[f->n++] = (struct sampling_example){ copy, count, line };
    return 0;
}

/* ---- ranges by name ---- */

bool profile_range_of_name(const char *name, double *low, double *high)
{
    static const struct {
        const char *word;
        double low, high;
    } known[] = {
        { "age", 0, 130 },          { "percent", 0, 100 },   { "percentage", 0, 100 },
        { "pct", 0, 100 },          { "latitude", -90, 90 }, { "lat", -90, 90 },
        { "longitude", -180, 180 }, { "lon", -180, 180 },    { "lng", -180, 180 },
        { "probability", 0, 1 },    { "month", 1, 12 },
    };
    size_t n = strlen(name);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (strlen(known[k].word) == n && strncasecmp(name, known[k].word, n) == 0) {
            *low = known[k].low;
            *high = known[k].high;
            return true;
        }
    return false;
}

/* ---- impossible numbers ---- */

struct fences {
    double q1, q3, iqr;
    double low, high; /* far beyond these */
    bool far, sign;
};

/* 99, -999, 9999.0: nines alone, two at least. */
static bool only_nines(double x)
{
    x = fabs(x);
    if (x < 99 || x > 1e15 || x != floor(x))
        return false;
    while (x >= 1) {
        if (fmod(x, 10) != 9)
            return false;
        x = floor(x / 10);
    }
    return true;
}

static struct fences fences_of(const struct sampling_column_description *c, const struct profile *p)
{
    const struct profile_numbers *s = &p->number;
    struct fences f = { .q1 = c->quantile[2], .q3 = c->quantile[4] };
    bool column = c->kind == SAMPLING_KIND_INTEGER || c->kind == SAMPLING_KIND_NUMBER;
    f.iqr = f.q3 - f.q1;
    f.far = column && s->n >= 20 && f.iqr > 0;
    f.low = f.q1 - 10 * f.iqr;
    f.high = f.q3 + 10 * f.iqr;
    if (f.far && f.q1 > 0) {
        double step = 5 * log(f.q3 / f.q1);
        f.high = fmax(f.high, f.q3 * exp(step));
    }
    f.sign = column && s->n >= 30 && s->negative && (double)s->negative <= 0.01 * (double)s->n;
    return f;
}

static int rule_of(double x, const struct profile *p, const struct fences *f)
{
    if (p->ranged && (x < p->range_low || x > p->range_high))
        return SAMPLING_RULE_RANGE;
    if (f->far && only_nines(x) && (x < f->q1 - 1.5 * f->iqr || x > f->q3 + 1.5 * f->iqr))
        return SAMPLING_RULE_SENTINEL;
    if (f->sign && x < 0)
        return SAMPLING_RULE_SIGN;
    if (f->far && (x < f->low || x > f->high))
        return SAMPLING_RULE_FAR;
    return -1;
}

static int number_text(double x, char *out, size_t bytes)
{
    return snprintf(out, bytes, "%.15g", x);
}

/* Mean and spread of what is left when the values of these rules are not counted; needs all values,
 * for taking 1e11 out of a sum leaves nothing of its digits. */
static void without(struct sampling_column_description *c, const struct profile *p,
                    const struct fences *f, unsigned rules)
{
    double n = 0, mean = 0, square = 0;
    for (size_t i = 0; p->exact && i < p->n_values; i++) {
        const struct profile_value *v = &p->value[i];
        if (v->class > PROFILE_DECIMAL)
            continue;
        int rule = rule_of(v->number, p, f);
        if (rule >= 0 && rules >> rule & 1)
            continue;
        double count = (double)v->count, delta = v->number - mean;
        n += count;
        mean += delta * count / n;
        square += delta * count * (v->number - mean);
    }
    if (n > 1) {
        c->plausible = (uint64_t)n;
        c->plausible_mean = mean;
        c->plausible_sd = sqrt(square / (n - 1));
    }
}

static int impossible_numbers(struct sampling_description *d, struct sampling_column_description *c,
                              const struct profile *p)
{
    unsigned rules = 0;
    const struct profile_numbers *s = &p->number;
    const struct fences f = fences_of(c, p);
    for (int rule = SAMPLING_RULE_RANGE; rule <= SAMPLING_RULE_FAR; rule++) {
        const struct profile_extreme *hit[2 * PROFILE_EXTREMES];
        size_t hits = 0, low_hits = 0, high_hits = 0;
        uint64_t count = 0;
        for (size_t i = 0; i < s->highs; i++)
            if (rule_of(s->high[i].number, p, &f) == rule) {
                hit[hits++] = &s->high[i];
                count += s->high[i].count;
                high_hits++;
            }
        for (size_t i = 0; i < s->lows; i++) {
            bool seen = false;
            for (size_t k = 0; k < high_hits; k++)
                seen |= hit[k]->number == s->low[i].number;
            if (!seen && rule_of(s->low[i].number, p, &f) == rule) {
                hit[hits++] = &s->low[i];
                count += s->low[i].count;
                low_hits++;
            }
        }
        if (hits == 0)
            continue;
        bool at_least = low_hits == PROFILE_EXTREMES || high_hits == PROFILE_EXTREMES;
        if (rule == SAMPLING_RULE_RANGE) {
            count = s->outside;
            at_least = false;
        } else if (rule == SAMPLING_RULE_SIGN && low_hits == PROFILE_EXTREMES) {
            count = s->negative;
            at_least = false;
        } else if ((double)count > 0.05 * (double)s->n) {
            continue; /* a shape of the distribution, not a few errors */
        }
        rules |= 1u << rule;
        struct sampling_finding *found;
        char a[32], b[32];
        number_text(rule == SAMPLING_RULE_RANGE ? p->range_low : f.q1, a, sizeof a);
        number_text(rule == SAMPLING_RULE_RANGE ? p->range_high : f.q3, b, sizeof b);
        const char *s1 = count == 1 && !at_least ? "" : "s";
        int rc =
            rule == SAMPLING_RULE_RANGE
                ? profile_finding_add(d, rule, SAMPLING_IMPOSSIBLE, c->name, count, at_least,
                                      &found, "value%s outside %s .. %s", s1, a, b)
            : rule == SAMPLING_RULE_SENTINEL
                ? profile_finding_add(d, rule, SAMPLING_IMPOSSIBLE, c->name, count, at_least,
                                      &found, "value%s of nines only: a code for \"missing\"?", s1)
            : rule == SAMPLING_RULE_SIGN
                ? profile_finding_add(d, rule, SAMPLING_SUSPECT, c->name, count, at_least, &found,
                                      "negative value%s, where the others are not", s1)
                : profile_finding_add(d, rule, SAMPLING_SUSPECT, c->name, count, at_least, &found,
                                      "value%s far from the rest (quartiles %s .. %s)", s1, a, b);
        for (size_t i = 0; rc == 0 && i < hits && i < EXAMPLES; i++) {
            char text[32];
            const struct profile_extreme *x = hit[i];
            int n = number_text(x->number, text, sizeof text);
            rc = profile_example_add(found, text, (size_t)n, x->count, x->line);
        }
        if (rc)
            return rc;
    }
    if (rules)
        without(c, p, &f, rules);
    return 0;
}

/* ---- types and dates ---- */

static int class_examples(struct sampling_finding *f, const struct profile *p, unsigned classes)
{
    int rc = 0;
    for (int c = 0; c < PROFILE_CLASSES; c++)
        for (size_t i = 0; rc == 0 && classes >> c & 1 && i < p->examples[c] && f->n < EXAMPLES;
             i++) {
            const struct sampling_example *e = &p->example[c][i];
            rc = profile_example_add(f, e->text, strlen(e->text), p->exact ? e->count : 0, e->line);
        }
    return rc;
}

static int mixed_types(struct sampling_description *d, const struct sampling_column_description *c,
                       const struct profile *p)
{
    struct sampling_finding *f;
    int rc = 0;
    uint64_t numbers = c->integers + c->decimals;
    if ((c->kind == SAMPLING_KIND_INTEGER || c->kind == SAMPLING_KIND_NUMBER) &&
        c->dates + c->texts) {
        rc = profile_finding_add(
            d, SAMPLING_RULE_MIXED, SAMPLING_SUSPECT, c->name, c->dates + c->texts, false, &f,
            "cells that are not numbers, among %llu numbers", (unsigned long long)numbers);
        return rc ? rc : class_examples(f, p, 1u << PROFILE_DATE | 1u << PROFILE_TEXT);
    }
    if (c->kind == SAMPLING_KIND_DATE && numbers + c->texts) {
        rc = profile_finding_add(
            d, SAMPLING_RULE_MIXED, SAMPLING_SUSPECT, c->name, numbers + c->texts, false, &f,
            "cells that are not dates, among %llu dates", (unsigned long long)c->dates);
        return rc ? rc
                  : class_examples(
                        f, p, 1u << PROFILE_INTEGER | 1u << PROFILE_DECIMAL | 1u << PROFILE_TEXT);
    }
    if (c->kind == SAMPLING_KIND_MIXED) {
        rc = profile_finding_add(d, SAMPLING_RULE_MIXED, SAMPLING_SUSPECT, c->name,
                                 c->texts + numbers + c->dates, false, &f,
                                 "cells: %llu numbers, %llu dates, %llu texts in one column",
                                 (unsigned long long)numbers, (unsigned long long)c->dates,
                                 (unsigned long long)c->texts);
        return rc ? rc : class_examples(f, p, 1u << PROFILE_TEXT);
    }
    return 0;
}

static int odd_dates(struct sampling_description *d, const struct sampling_column_description *c,
                     const struct profile *p)
{
    struct sampling_finding *f;
    int rc = 0;
    if (c->kind != SAMPLING_KIND_DATE)
        return 0;
    if (p->date.far_dates) {
        rc = profile_finding_add(d, SAMPLING_RULE_DATE, SAMPLING_SUSPECT, c->name,
                                 p->date.far_dates, false, &f, "dates before 1900 or after 2100");
        for (int end = 0; rc == 0 && end < 2; end++) {
            const struct profile_extreme *x = end ? p->date.high : p->date.low;
            size_t n = end ? p->date.highs : p->date.lows;
            for (size_t i = 0; rc == 0 && i < n && f->n < EXAMPLES; i++) {
                char text[24];
                if (x[i].number >= -2208988800.0 && x[i].number < 4133980800.0)
                    break;
                sampling_date_text(x[i].number, text, sizeof text);
                rc = profile_example_add(f, text, strlen(text), x[i].count, x[i].line);
            }
        }
    }
    /* flags in the order of profile.h: padded, zeros, day first, month first, either */
    if (rc == 0 && p->flags[2] && p->flags[3])
        rc = profile_finding_add(d, SAMPLING_RULE_ORDER, SAMPLING_SUSPECT, c->name, p->flags[2],
                                 false, NULL,
                                 "dates with the day first, %llu with the month first, %llu that "
                                 "can be both",
                                 (unsigned long long)p->flags[3], (unsigned long long)p->flags[4]);
    else if (rc == 0 && p->flags[4] && !p->flags[3] && !(p->exact && p->flags[2]))
        rc = profile_finding_add(d, SAMPLING_RULE_ORDER, SAMPLING_NOTE, c->name, p->flags[4], false,
                                 NULL, "dates that can be day/month as well, read as month/day");
    return rc;
}

/* "25-Jun", "Jun-25" among other things. */
static bool spreadsheet_date(struct data_cell cell)
{
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    const char *dash = memchr(cell.bytes, '-', cell.length);
    if (!dash || cell.length < 5 || cell.length > 6)
        return false;
    size_t left = (size_t)(dash - cell.bytes), right = cell.length - left - 1;
    const char *name = left == 3 ? cell.bytes : dash + 1,
               *digit = left == 3 ? dash + 1 : cell.bytes;
    size_t name_bytes = left == 3 ? left : right, digits = left == 3 ? right : left;
    if (name_bytes != 3 || digits < 1 || digits > 2)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (digit[i] < '0' || digit[i] > '9')
            return false;
    for (int m = 0; m < 12; m++)
        if (strncasecmp(name, months + 3 * m, 3) == 0)
            return true;
    return false;
}

static int spreadsheet_dates(struct sampling_description *d,
                             const struct sampling_column_description *c, const struct profile *p)
{
    uint64_t count = 0;
    for (size_t i = 0; i < p->n_values; i++)
        if (p->value[i].class == PROFILE_TEXT && spreadsheet_date(profile_key(p, &p->value[i])))
            count += p->value[i].count;
    if (count == 0 || count * 10 > 9 * (c->integers + c->decimals + c->dates + c->texts))
        return 0;
    struct sampling_finding *f;
    int rc = profile_finding_add(d, SAMPLING_RULE_SPREADSHEET, SAMPLING_SUSPECT, c->name, count,
                                 !p->exact, &f,
                                 "cells that a spreadsheet may have turned into dates (6-25 -> "
                                 "25-Jun)");
    for (size_t i = 0; rc == 0 && i < p->n_values && f->n < EXAMPLES; i++) {
        const struct profile_value *v = &p->value[i];
        struct data_cell key = profile_key(p, v);
        if (v->class == PROFILE_TEXT && spreadsheet_date(key))
            rc = profile_example_add(f, key.bytes, key.length, v->count, v->line);
    }
    return rc;
}

/* ---- spellings ---- */

struct folded {
    char *text; /* without case, blanks single and none at the ends */
    const struct profile_value *value;
    uint64_t count; /* of the group, at its first member */
};

static int compare_folded(const void *a, const void *b)
{
    const struct folded *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    if (order)
        return order;
    if (x->value->count != y->value->count)
        return x->value->count < y->value->count ? 1 : -1;
    return (x->value->key > y->value->key) - (x->value->key < y->value->key);
}

static int compare_groups(const void *a, const void *b)
{
    const struct folded *x = *(struct folded *const *)a, *y = *(struct folded *const *)b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->text, y->text);
}

static char *fold(struct data_cell cell)
{
    utf8proc_uint8_t *map = NULL;
    const char *from = cell.bytes;
    size_t n = cell.length;
    bool ascii = true;
    for (size_t i = 0; i < n; i++)
        ascii = ascii && (unsigned char)from[i] < 128;
    if (!ascii) {
        utf8proc_ssize_t length =
            utf8proc_map((const utf8proc_uint8_t *)from, (utf8proc_ssize_t)n, &map,
                         UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);
        if (length >= 0) {
            from = (const char *)map;
            n = (size_t)length;
        }
    }
    char *out = base_alloc(n + 1, 1);
    size_t to = 0;
    for (size_t i = 0; out && i < n; i++) {
        char c = from[i];
        bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (blank && (to == 0 || out[to - 1] == ' '))
            continue;
        out[to++] = blank ? ' ' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    if (out) {
        to -= to > 0 && out[to - 1] == ' ';
        out[to] = 0;
    }
    free(map);
    return out;
}

/* Insertions, deletions, changes and swaps of neighbours (Damerau 1964, restricted), or `most` + 1
 * when there are more. */
static int letters_apart(const char *a, const char *b, int most)
{
    enum { LONGEST = 40 };
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST || m > LONGEST || abs(n - m) > most)
        return most + 1;
    int row[3][LONGEST + 1];
    for (int j = 0; j <= m; j++)
        row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3], least = i;
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int x = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < x)
                x = last[j] + 1;
            if (now[j - 1] + 1 < x)
                x = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < x)
                x = before[j - 2] + 1;
            now[j] = x;
            if (x < least)
                least = x;
        }
        if (least > most)
            return most + 1;
    }
    return row[n % 3][m];
}

static bool spelt(const char *s, size_t least)
{
    size_t letters = 0;
    for (; *s; s++) {
        if (*s >= '0' && *s <= '9')
            return false;
        letters += (*s >= 'a' && *s <= 'z') || (unsigned char)*s >= 128;
    }
    return letters >= least;
}

/* Groups [n], the most frequent first: rare ones near a frequent one are listed under it. */
static int misspellings(struct sampling_description *d, const struct sampling_column_description *c,
                        const struct profile *p, struct folded **group, size_t n)
{
    uint8_t used[SPELL_MOST] = { 0 };
    int rc = 0;
    for (size_t t = 0; rc == 0 && t < n; t++) {
        struct sampling_finding *f = NULL;
        size_t target = strlen(group[t]->text);
        if (used[t] || !spelt(group[t]->text, 4))
            continue;
        for (size_t g = t + 1; rc == 0 && g < n; g++) {
            int most = target >= 8 && strlen(group[g]->text) >= 8 ? 2 : 1;
            if (used[g] || group[g]->count * 10 > group[t]->count || !spelt(group[g]->text, 3) ||
                letters_apart(group[t]->text, group[g]->text, most) > most)
                continue;
            if (!f)
                rc = profile_finding_add(d, SAMPLING_RULE_SPELLING, SAMPLING_NOTE, c->name, 0,
                                         !p->exact, &f, "rare values spelt much like \"%s\" (%llu)",
                                         group[t]->text, (unsigned long long)group[t]->count);
            if (rc)
                break;
            struct data_cell key = profile_key(p, group[g]->value);
            used[g] = 1;
            f->count += group[g]->count;
            if (f->n < EXAMPLES)
                rc = profile_example_add(f, key.bytes, key.length, group[g]->count,
                                         group[g]->value->line);
        }
    }
    return rc;
}

static int spellings(struct sampling_description *d, const struct sampling_column_description *c,
                     const struct profile *p)
{
    if (c->kind < SAMPLING_KIND_YES_NO || p->n_values < 2 || p->n_values > FOLD_MOST)
        return 0;
    struct folded *item = base_alloc_zero(p->n_values, sizeof *item);
    struct folded **group = base_alloc(p->n_values, sizeof *group);
    size_t n = 0, groups = 0, shown = 0;
    int rc = item && group ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < p->n_values; i++) {
        const struct profile_value *v = &p->value[i];
        if (v->class != PROFILE_TEXT || v->length > PROFILE_KEY)
            continue;
        item[n].value = v;
        if (!(item[n++].text = fold(profile_key(p, v))))
            rc = BASE_E_MEMORY;
    }
    if (rc)
        goto out;
    qsort(item, n, sizeof *item, compare_folded);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && strcmp(item[end].text, item[i].text) == 0; end++)
            item[i].count += item[end].value->count;
        group[groups++] = &item[i];
    }
    qsort(group, groups, sizeof *group, compare_groups);
    for (size_t g = 0; rc == 0 && g < groups && shown < VARIANT_GROUPS; g++) {
        const struct folded *first = group[g], *end = first;
        while (end < item + n && strcmp(end->text, first->text) == 0)
            end++;
        if (end - first < 2)
            continue;
        struct sampling_finding *f;
        shown++;
        rc = profile_finding_add(d, SAMPLING_RULE_VARIANTS, SAMPLING_SUSPECT, c->name, first->count,
                                 !p->exact, &f, "cells with %d spellings of \"%s\"",
                                 (int)(end - first), first->text);
        for (const struct folded *v = first; rc == 0 && v < end && f->n < EXAMPLES; v++) {
            struct data_cell key = profile_key(p, v->value);
            rc = profile_example_add(f, key.bytes, key.length, v->value->count, v->value->line);
        }
    }
    if (rc == 0 && groups <= SPELL_MOST)
        rc = misspellings(d, c, p, group, groups);
out:
    for (size_t i = 0; item && i < n; i++)
        base_free(item[i].text);
    base_free(item);
    base_free(group);
    return rc;
}

int profile_findings(struct sampling_description *d, struct sampling_column_description *c,
                     const struct profile *p)
{
    int rc = 0;
    if ((rc = impossible_numbers(d, c, p)) || (rc = mixed_types(d, c, p)) ||
        (rc = odd_dates(d, c, p)) || (rc = spreadsheet_dates(d, c, p)) || (rc = spellings(d, c, p)))
        return rc;
    if (p->flags[0])
        rc = profile_finding_add(d, SAMPLING_RULE_BLANKS, SAMPLING_NOTE, c->name, p->flags[0],
                                 false, NULL, "cells with blanks around the value");
    if (rc == 0 && p->flags[1] && c->kind == SAMPLING_KIND_INTEGER)
        rc = profile_finding_add(d, SAMPLING_RULE_ZEROS, SAMPLING_NOTE, c->name, p->flags[1], false,
                                 NULL, "numbers with leading zeros: codes rather than amounts?");
    if (rc == 0 && c->missing * 2 > d->rows)
        rc = profile_finding_add(d, SAMPLING_RULE_MISSING, SAMPLING_NOTE, c->name, c->missing,
                                 false, NULL, "cells missing, %.1f %% of the column",
                                 100 * (double)c->missing / (double)d->rows);
    return rc;
}
