/* A table in one pass: rows into profiles, profiles into a description. */
#include "base/memory.h"
#include "base/text.h"
#include "sampling/profile.h"
#include <assay/sampling.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const sampling_kind_names[SAMPLING_KINDS] = { "empty",  "integer",  "number", "date",
                                                          "yes/no", "category", "text",   "mixed" };
const double sampling_describe_q[SAMPLING_DESCRIBE_QUANTILES] = { 0.01, 0.05, 0.25, 0.5,
                                                                  0.75, 0.95, 0.99 };

/* ---- kinds ---- */

static bool yes_no(const struct profile *p)
{
    static const char *const words[] = { "yes", "no", "y", "n", "true", "false", "t", "f" };
    if (!p->exact || p->n_values == 0)
        return false;
    for (size_t i = 0; i < p->n_values; i++) {
        struct data_cell key = profile_key(p, &p->value[i]);
        bool known = false;
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            known |=
                strlen(words[w]) == key.length && strncasecmp(words[w], key.bytes, key.length) == 0;
        if (!known)
            return false;
    }
    return true;
}

static enum sampling_kind kind_of(const struct profile *p, uint64_t rows)
{
    uint64_t numbers = p->cells[PROFILE_INTEGER] + p->cells[PROFILE_DECIMAL];
    uint64_t dates = p->cells[PROFILE_DATE], all = numbers + dates + p->cells[PROFILE_TEXT];
    if (all == 0)
        return SAMPLING_KIND_EMPTY;
    if (numbers * 10 >= all * 9)
        return p->number.fractions ? SAMPLING_KIND_NUMBER : SAMPLING_KIND_INTEGER;
    if (dates * 10 >= all * 9)
        return SAMPLING_KIND_DATE;
    if ((numbers + dates) * 10 > all)
        return SAMPLING_KIND_MIXED;
    if (yes_no(p))
        return SAMPLING_KIND_YES_NO;
    if (p->exact && p->n_values * 2 <= all && (p->n_values <= 50 || p->n_values * 20 <= rows))
        return SAMPLING_KIND_CATEGORY;
    return SAMPLING_KIND_TEXT;
}

/* ---- quantiles of an exact column ---- */

struct counted {
    double x;
    uint64_t count;
};

static int compare_counted(const void *a, const void *b)
{
    const struct counted *p = a, *q = b;
    return (p->x > q->x) - (p->x < q->x);
}

/* Linear interpolation at (n - 1) q, Hyndman and Fan's type 7. */
static int exact_quantiles(const struct profile *p, bool dates, double *out)
{
    struct counted *item = base_alloc(p->n_values, sizeof *item);
    size_t m = 0;
    uint64_t n = 0;
    if (!item)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < p->n_values; i++) {
        const struct profile_value *v = &p->value[i];
        bool wanted = dates ? v->class == PROFILE_DATE
                            : v->class == PROFILE_INTEGER || v->class == PROFILE_DECIMAL;
        if (wanted) {
            item[m++] = (struct counted){ v->number, v->count };
            n += v->count;
        }
    }
    qsort(item, m, sizeof *item, compare_counted);
    size_t at = 0;
    uint64_t below = 0; /* values before item[at] */
    for (int k = 0; k < SAMPLING_DESCRIBE_QUANTILES && m; k++) {
        double place = (double)(n - 1) * sampling_describe_q[k], whole = floor(place);
        while (at + 1 < m && below + item[at].count <= (uint64_t)whole)
            below += item[at++].count;
        double low = item[at].x, high = low;
        if (at + 1 < m && below + item[at].count <= (uint64_t)whole + 1)
            high = item[at + 1].x;
        out[k] = low + (place - whole) * (high - low);
    }
    base_free(item);
    return 0;
}

static int describe_numbers(struct sampling_column_description *c, struct profile *p)
{
    bool dates = c->kind == SAMPLING_KIND_DATE;
    struct profile_numbers *s = dates ? &p->date : &p->number;
    if (s->n == 0 || c->kind == SAMPLING_KIND_TEXT || c->kind == SAMPLING_KIND_CATEGORY ||
        c->kind == SAMPLING_KIND_YES_NO)
        return 0;
    c->min = s->low[0].number;
    c->max = s->high[0].number;
    c->mean = s->mean;
    c->sd = s->n > 1 ? sqrt(s->square / (double)(s->n - 1)) : NAN;
    if (p->exact)
        return exact_quantiles(p, dates, c->quantile);
    c->quantile_error = sampling_quantiles_error(&s->quantiles);
    return sampling_quantiles_read(&s->quantiles, sampling_describe_q, SAMPLING_DESCRIBE_QUANTILES,
                                   c->quantile);
}

/* ---- frequent values ---- */

static int frequent(struct sampling_column_description *c, const struct profile *p, size_t most)
{
    c->top_error = p->offset;
    c->top = base_alloc_zero(most, sizeof *c->top);
    const struct profile_value **best = base_alloc(most + 1, sizeof *best);
    size_t n = 0;
    int rc = c->top && best ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < p->n_values; i++) {
        const struct profile_value *v = &p->value[i];
        if (v->count <= p->offset)
            continue;
        size_t at = n;
        while (at > 0 && best[at - 1]->count < v->count) {
            best[at] = best[at - 1];
            at--;
        }
        best[at] = v; /* the earlier of equally frequent ones stays in front */
        n += n < most;
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct data_cell key = profile_key(p, best[i]);
        c->top[i] = (struct sampling_example){ base_strndup(key.bytes, key.length), best[i]->count,
                                               best[i]->line };
        c->n_top++;
        if (!c->top[i].text)
            rc = BASE_E_MEMORY;
    }
    base_free(best);
    return rc;
}

static int describe_column(struct sampling_description *d, struct profile *p, size_t top)
{
    struct sampling_column_description *c = &d->column[d->columns++];
    *c = (struct sampling_column_description){ .missing = p->missing,
                                               .empty = p->empty,
                                               .exact = p->exact,
                                               .min = NAN,
                                               .max = NAN,
                                               .mean = NAN,
                                               .sd = NAN };
    for (int k = 0; k < SAMPLING_DESCRIBE_QUANTILES; k++)
        c->quantile[k] = NAN;
    int rc = profile_end(p);
    if (rc)
        return rc;
    c->name = base_strdup(p->name);
    c->integers = p->cells[PROFILE_INTEGER];
    c->decimals = p->cells[PROFILE_DECIMAL];
    c->dates = p->cells[PROFILE_DATE];
    c->texts = p->cells[PROFILE_TEXT];
    c->kind = kind_of(p, d->rows);
    c->distinct = p->exact ? (double)p->n_values : sampling_distinct_count(p->distinct);
    uint64_t n = c->integers + c->decimals + c->dates + c->texts;
    c->shortest = n ? p->shortest : 0;
    c->longest = p->longest;
    c->mean_length = n ? (double)p->bytes / (double)n : 0;
    if (!c->name)
        return BASE_E_MEMORY;
    if ((rc = describe_numbers(c, p)) || (rc = frequent(c, p, top ? top : 5)))
        return rc;
    return profile_findings(d, c, p);
}

/* ---- the table ---- */

/* Rows are copied into a batch, and the columns of a batch are worked through one after the other,
 * or side by side by several threads: a column's table of values stays near, and what a thread does
 * depends on its column alone. */
enum { BATCH_ROWS = 4096, BATCH_CELLS = 1 << 18, BATCH_BYTES = 1 << 20, AHEAD = 32 };
struct scan {
    struct data_table *table;
    struct sampling_condition *condition; /* NULL: all rows */
    struct profile *profile;
    size_t n;
    struct sampling_repeats repeats;
    size_t rows, most; /* of the batch */
    struct base_buffer bytes;
    uint32_t *offset, *length; /* [n][most] cells in bytes */
    uint64_t *line, *hash;     /* [most] of the rows */
};

static int begin(struct scan *s, const struct sampling_describe_options *o)
{
    size_t columns = data_table_columns(s->table), n = o->n_columns ? o->n_columns : columns;
    int rc = 0;
    s->profile = base_alloc_zero(n, sizeof *s->profile);
    s->most = BATCH_CELLS / (n ? n : 1);
    s->most = s->most > BATCH_ROWS ? BATCH_ROWS : s->most < 16 ? 16 : s->most;
    s->hash = base_alloc(s->most, sizeof *s->hash);
    s->line = base_alloc(s->most, sizeof *s->line);
    s->offset = base_alloc(n, s->most * sizeof *s->offset);
    s->length = base_alloc(n, s->most * sizeof *s->length);
    if (!s->profile || !s->hash || !s->line || !s->offset || !s->length)
        return BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        size_t column = i;
        if (o->n_columns)
            rc = data_table_find(s->table, o->columns[i], &column);
        if (rc == 0) {
            s->n++;
            rc = profile_begin(&s->profile[i], data_table_column(s->table, column), column);
        }
    }
    for (size_t r = 0; rc == 0 && r < o->ranges; r++) {
        size_t column, i = 0;
        rc = data_table_find(s->table, o->range[r].column, &column);
        while (rc == 0 && i < s->n && s->profile[i].column != column)
            i++;
        if (rc == 0 && i < s->n) {
            s->profile[i].ranged = true;
            s->profile[i].range_low = o->range[r].low;
            s->profile[i].range_high = o->range[r].high;
        }
    }
    return rc;
}

/* One more row for the batch. */
static int batch_add(struct scan *s, const struct data_cell *cells, struct data_cell raw)
{
    const size_t start = s->bytes.length;
    int rc = base_buffer_append(&s->bytes, raw.bytes, raw.length);
    s->line[s->rows] = data_table_line(s->table);
    s->hash[s->rows] = sampling_hash(raw.bytes, raw.length);
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        struct data_cell cell = cells[s->profile[i].column];
        size_t at = (size_t)((uintptr_t)cell.bytes - (uintptr_t)raw.bytes);
        bool inside = at <= raw.length && cell.length <= raw.length - at;
        size_t place = i * s->most + s->rows;
        s->offset[place] = (uint32_t)(inside ? start + at : s->bytes.length);
        s->length[place] = (uint32_t)cell.length;
        if (!inside) /* its quotes were undone elsewhere */
            rc = base_buffer_append(&s->bytes, cell.bytes, cell.length);
    }
    s->rows++;
    return rc;
}

static int column_work(struct scan *s, size_t i)
{
    struct profile *p = &s->profile[i];
    uint64_t hash[AHEAD];
    for (size_t from = 0; from < s->rows; from += AHEAD) {
        const uint32_t *offset = s->offset + i * s->most + from;
        const uint32_t *length = s->length + i * s->most + from;
        size_t n = s->rows - from < AHEAD ? s->rows - from : AHEAD;
        for (size_t k = 0; k < n; k++)
            hash[k] = profile_hash(p, (struct data_cell){ s->bytes.data + offset[k], length[k] });
        for (size_t k = 0; k < n; k++) {
            struct data_cell cell = { s->bytes.data + offset[k], length[k] };
            int rc = profile_add(p, s->line[from + k], cell, hash[k]);
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int repeats_work(struct scan *s)
{
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < s->rows; k++)
        rc = sampling_repeats_add(&s->repeats, s->hash[k]);
    return rc;
}

/* The batch into the profiles. */
static int batch_work(struct scan *s)
{
    int rc = 0, threads = s->rows < 512 ? 1 : base_threads();
    const size_t jobs = s->n + 1;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (size_t j = 0; j < jobs; j++) {
        int failed = j == 0 ? repeats_work(s) : column_work(s, j - 1);
        if (failed) {
#pragma omp atomic write
            rc = failed;
        }
    }
    s->rows = 0;
    base_buffer_clear(&s->bytes);
    if (rc) /* the message may be another thread's */
        base_error_set(rc, rc == BASE_E_MEMORY ? "out of memory" : "too many values in a column");
    return rc;
}

static int read_rows(struct scan *s, struct sampling_description *d,
                     const struct sampling_describe_options *o)
{
    const struct data_cell *cells;
    uint64_t done, total;
    int rc;
    while ((rc = data_table_next(s->table, &cells)) > 0) {
        struct data_cell raw = data_table_raw(s->table);
        if (s->condition) {
            int holds = sampling_condition_test(s->condition, s->table, cells);
            if (holds < 0)
                return holds;
            if (holds != 1) {
                if (++d->outside % 65536 == 0 && base_interrupted())
                    return base_error_set(BASE_E_INTERRUPTED, "interrupted");
                continue;
            }
        }
        d->bytes += raw.length + 1;
        d->rows++;
        rc = batch_add(s, cells, raw);
        if (rc == 0 && (s->rows == s->most || s->bytes.length >= BATCH_BYTES)) {
            rc = batch_work(s);
            if (rc == 0 && base_interrupted())
                rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
            if (rc == 0 && o->on_progress) {
                data_table_progress(s->table, &done, &total);
                o->on_progress(o->context, done, total);
            }
        }
        if (rc)
            return rc;
    }
    return rc ? rc : batch_work(s);
}

static int duplicates(struct sampling_description *d, const struct scan *s)
{
    d->duplicates = sampling_repeats_count(&s->repeats, &d->duplicates_error);
    if (data_table_columns(s->table) < 2 || d->duplicates < 0.5)
        return 0;
    struct sampling_finding *f;
    int rc = profile_finding_add(d, SAMPLING_RULE_DUPLICATES, SAMPLING_SUSPECT, NULL,
                                 (uint64_t)llround(d->duplicates), false, &f,
                                 "row%s equal to an earlier one%s", d->duplicates < 1.5 ? "" : "s",
                                 d->duplicates_error > 0 ? " (estimated)" : "");
    for (size_t i = 0; rc == 0 && i < s->repeats.examples; i++) {
        char text[64];
        int n = snprintf(text, sizeof text, "row %u = row %u", s->repeats.example[i].again,
                         s->repeats.example[i].first);
        rc = profile_example_add(f, text, (size_t)n, 1, 0);
    }
    return rc;
}

static int compare_findings(const void *a, const void *b)
{
    const struct sampling_finding *x = a, *y = b;
    return (x->severity > y->severity) - (x->severity < y->severity);
}

/* Stable: findings of one severity stay in the order of columns. */
static void sort_findings(struct sampling_description *d)
{
    for (size_t i = 1; i < d->findings; i++) {
        struct sampling_finding f = d->finding[i];
        size_t at = i;
        for (; at > 0 && compare_findings(&d->finding[at - 1], &f) > 0; at--)
            d->finding[at] = d->finding[at - 1];
        d->finding[at] = f;
    }
}

int sampling_describe(struct sampling_description *out, const char *path,
                      const struct data_table_options *table,
                      const struct sampling_describe_options *options)
{
    const struct sampling_describe_options none = { 0 };
    const struct sampling_describe_options *o = options ? options : &none;
    struct scan s = { 0 };
    *out = (struct sampling_description){ 0 };
    int rc = data_table_open(&s.table, path, table);
    if (rc == 0 && o->where)
        rc = sampling_condition_parse(&s.condition, o->where, s.table);
    if (rc == 0)
        rc = begin(&s, o);
    if (rc == 0 && !(out->name = base_strdup(strcmp(path, "-") ? path : "standard input")))
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = read_rows(&s, out, o);
    if (rc == 0)
        out->padded = data_table_padded(s.table);
    if (rc == 0 && !(out->column = base_alloc_zero(s.n, sizeof *out->column)))
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = sampling_repeats_end(&s.repeats);
    if (rc == 0)
        rc = duplicates(out, &s);
    for (size_t i = 0; rc == 0 && i < s.n; i++)
        rc = describe_column(out, &s.profile[i], o->top);
    if (rc == 0)
        sort_findings(out);
    for (size_t i = 0; i < s.n; i++)
        profile_free(&s.profile[i]);
    base_free(s.profile);
    base_free(s.hash);
    base_free(s.line);
    base_free(s.offset);
    base_free(s.length);
    base_buffer_free(&s.bytes);
    sampling_repeats_free(&s.repeats);
    sampling_condition_free(s.condition);
    data_table_close(s.table);
    if (rc)
        sampling_description_free(out);
    return rc;
}

static void free_examples(struct sampling_example *e, size_t n)
{
    for (size_t i = 0; i < n; i++)
        base_free(e[i].text);
    base_free(e);
}

void sampling_description_free(struct sampling_description *d)
{
    for (size_t i = 0; i < d->columns; i++) {
        base_free(d->column[i].name);
        free_examples(d->column[i].top, d->column[i].n_top);
    }
    for (size_t i = 0; i < d->findings; i++) {
        base_free(d->finding[i].column);
        base_free(d->finding[i].message);
        free_examples(d->finding[i].example, d->finding[i].n);
    }
    base_free(d->column);
    base_free(d->finding);
    base_free(d->name);
    *d = (struct sampling_description){ 0 };
}
