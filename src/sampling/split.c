/* Splitting rows into parts: at random, each value of a column in proportion, whole groups
 * together, or by time; or into folds.
 *
 * Sizes are scikit-learn's: a part with a share gets ceil(share rows), the first part what is left
 * (or floor of its own share). In proportion: the part's size is shared out over the values by
 * largest remainder, out of what the parts before have left of each (scikit-learn's
 * StratifiedShuffleSplit, which breaks ties at random where here the earlier value wins). Groups:
 * the shares count groups. Folds: sizes differ by one at most, the first ones are larger; by value,
 * each value is dealt out in turn, going on where the value before stopped. */
#include "base/hash.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/table.h"
#include "sampling/run.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_PART UINT32_MAX
typedef unsigned long long ull;

struct rows {
    uint64_t n;
    uint32_t *code; /* [n] value or group, or NULL */
    size_t n_codes, names_capacity;
    char **names;    /* [n_codes] */
    char **time;     /* [n] text of the time column, or NULL */
    double *number;  /* [n] the same as numbers, where all are; else NULL */
    uint64_t *order; /* [n] */
};

static int missing(const struct data_table *t, const char *name)
{
    return base_error_set(BASE_E_FORMAT,
                          "%s: column %s has no value, so the row belongs to no part: fill it or "
                          "leave the row out first (assay sample purposive --plain --where '%s is "
                          "not missing')",
                          data_table_place(t), name, name);
}

static int add_code(struct rows *r, struct base_table *codes, struct data_cell cell)
{
    if (r->n_codes == r->names_capacity) {
        size_t more = r->names_capacity ? 2 * r->names_capacity : 64;
        char **grown = base_realloc(r->names, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        r->names = grown;
        r->names_capacity = more;
    }
    int rc = base_table_put(codes, cell.bytes, cell.length, (int64_t)r->n_codes);
    if (rc)
        return rc;
    if (!(r->names[r->n_codes] = base_strndup(cell.bytes, cell.length)))
        return BASE_E_MEMORY;
    r->n_codes++;
    return 0;
}

static int add_row(struct rows *r, const struct data_table *t, const struct data_cell *cells,
                   size_t code, size_t time, const struct sampling_split_options *o,
                   struct base_table *codes, size_t *capacity, bool *numbers)
{
    const char *by = o->stratify ? o->stratify : o->group;
    int rc;
    if (r->n == *capacity) {
        size_t more = *capacity ? *capacity + *capacity / 2 : 4096;
        void *p;
        if (by) {
            if (!(p = base_realloc(r->code, more, sizeof *r->code)))
                return BASE_E_MEMORY;
            r->code = p;
        }
        if (o->time) {
            if (!(p = base_realloc(r->time, more, sizeof *r->time)))
                return BASE_E_MEMORY;
            r->time = p;
            if (!(p = base_realloc(r->number, more, sizeof *r->number)))
                return BASE_E_MEMORY;
            r->number = p;
        }
        *capacity = more;
    }
    if (by) {
        if (data_cell_missing(cells[code]))
            return missing(t, by);
        const int64_t *known = base_table_get(codes, cells[code].bytes, cells[code].length);
        if (!known && r->n_codes >= UINT32_MAX)
            return base_error_set(BASE_E_LIMIT, "column %s: too many different values", by);
        r->code[r->n] = known ? (uint32_t)*known : (uint32_t)r->n_codes;
        if (!known && (rc = add_code(r, codes, cells[code])))
            return rc;
    }
    if (o->time) {
        if (data_cell_missing(cells[time]))
            return missing(t, o->time);
        if (!(r->time[r->n] = base_strndup(cells[time].bytes, cells[time].length)))
            return BASE_E_MEMORY;
        *numbers &= data_cell_number(cells[time], &r->number[r->n]);
    }
    r->n++;
    return 0;
}

static int read_rows(struct rows *r, const char *path, const struct data_table_options *table,
                     const struct sampling_split_options *o)
{
    struct data_table *t = NULL;
    struct base_table *codes = NULL;
    const struct data_cell *cells;
    size_t code = 0, time = 0, capacity = 0;
    bool numbers = true;
    const char *by = o->stratify ? o->stratify : o->group;
    int rc = data_table_open(&t, path, table);
    if (!rc && by)
        rc = data_table_find(t, by, &code);
    if (!rc && o->time)
        rc = data_table_find(t, o->time, &time);
    if (!rc)
        rc = base_table_new(&codes, 64);
    while (!rc && (rc = data_table_next(t, &cells)) == 1) {
        rc = add_row(r, t, cells, code, time, o, codes, &capacity, &numbers);
        if (!rc && r->n % 65536 == 0 && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    if (!rc && r->n == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: there are no rows", path);
    if (!rc && !numbers) {
        base_free(r->number);
        r->number = NULL;
    }
    base_table_free(codes);
    data_table_close(t);
    return rc;
}

static void rows_free(struct rows *r)
{
    for (uint64_t i = 0; r->time && i < r->n; i++)
        base_free(r->time[i]);
    for (size_t c = 0; c < r->n_codes; c++)
        base_free(r->names[c]);
    base_free(r->names);
    base_free(r->time);
    base_free(r->number);
    base_free(r->code);
    base_free(r->order);
}

/* ---- sizes ---- */
/* How many of N units each part gets. */
static int sizes(const struct sampling_split_options *o, uint64_t N, const char *units,
                 uint64_t *size)
{
    uint64_t used = 0;
    for (size_t k = 1; k < o->n_parts; k++) {
        if (!o->count[k] && !(o->share[k] > 0 && o->share[k] < 1))
            return base_error_set(BASE_E_ARGUMENT,
                                  "part %s: a share between 0 and 1 or a number of rows is needed",
                                  o->name[k]);
        /* 0.1 * 30 is 3.0000000000000004 in binary: ceil must not make 4 of it */
        size[k] = o->count[k] ? o->count[k] : (uint64_t)ceil(o->share[k] * (double)N * (1 - 4e-16));
        used += size[k];
    }
    if (used >= N)
        return base_error_set(BASE_E_ARGUMENT,
                              "the other parts take %llu of %llu %s: nothing is left for %s",
                              (ull)used, (ull)N, units, o->name[0]);
    size[0] = N - used;
    uint64_t own = o->count[0] ? o->count[0] : (uint64_t)floor(o->share[0] * (double)N);
    if (own > size[0])
        return base_error_set(BASE_E_ARGUMENT, "%s: %llu %s are asked for, but %llu are left",
                              o->name[0], (ull)own, units, (ull)size[0]);
    if (own)
        size[0] = own;
    return 0;
}

/* ---- ways ---- */
static int by_text(const struct rows *r, uint64_t a, uint64_t b)
{
    int c = r->number ? (r->number[a] > r->number[b]) - (r->number[a] < r->number[b])
                      : strcmp(r->time[a], r->time[b]);
    return c ? c : (a > b) - (a < b);
}

/* Rows by time, those of one time in the file's order: a merge sort. */
static void sort_by_time(const struct rows *r, uint64_t *x, uint64_t *scratch, uint64_t n)
{
    if (n < 2)
        return;
    uint64_t half = n / 2, i = 0, j = half, k = 0;
    sort_by_time(r, x, scratch, half);
    sort_by_time(r, x + half, scratch, n - half);
    memcpy(scratch, x, n * sizeof *x);
    while (k < n)
        x[k++] = j == n || (i < half && by_text(r, scratch[i], scratch[j]) <= 0) ? scratch[i++]
                                                                                 : scratch[j++];
}

static int time_order(struct rows *r)
{
    uint64_t *scratch = base_alloc(r->n, sizeof *scratch);
    if (!scratch)
        return BASE_E_MEMORY;
    for (uint64_t i = 0; i < r->n; i++)
        r->order[i] = i;
    sort_by_time(r, r->order, scratch, r->n);
    base_free(scratch);
    return 0;
}

/* Units in r->order, the first size[0] of them to part 0 and so on. In time the last part is the
 * latest; shuffled, scikit-learn gives the test rows first, which makes no difference. */
static int deal(struct sampling_split *s, const struct rows *r,
                const struct sampling_split_options *o)
{
    uint64_t *size = s->size;
    int rc = sizes(o, r->n, "rows", size);
    uint64_t skip = 0; /* in time, rows of no part are the earliest */
    if (!rc && (o->time || o->in_order)) {
        skip = r->n;
        for (size_t k = 0; k < o->n_parts; k++)
            skip -= size[k];
    }
    for (uint64_t i = skip, k = 0, used = skip; i < r->n && !rc; i++) {
        while (k < o->n_parts && i - used >= size[k]) {
            used += size[k];
            k++;
        }
        s->part[r->order[i]] = k < o->n_parts ? (uint32_t)k : NO_PART;
    }
    return rc;
}

/* Rows of each value, in shuffled order: begin[c] .. begin[c + 1] of `row`. */
static int by_code(const struct rows *r, uint64_t **begin, uint64_t **row)
{
    uint64_t *at = base_alloc_zero(r->n_codes + 2, sizeof *at);
    uint64_t *list = base_alloc(r->n + 1, sizeof *list);
    if (!at || !list) {
        base_free(at);
        base_free(list);
        return BASE_E_MEMORY;
    }
    for (uint64_t i = 0; i < r->n; i++)
        if (r->code[i] + 2 <= r->n_codes)
            at[r->code[i] + 2]++;
    for (size_t c = 2; c <= r->n_codes; c++)
        at[c] += at[c - 1];
    for (uint64_t i = 0; i < r->n; i++)
        list[at[r->code[r->order[i]] + 1]++] = r->order[i];
    *begin = at;
    *row = list;
    return 0;
}

static int deal_by_value(struct sampling_split *s, const struct rows *r,
                         const struct sampling_split_options *o)
{
    size_t C = r->n_codes;
    uint64_t *begin = NULL, *row = NULL, *give = base_alloc(C + 1, sizeof *give);
    uint64_t *left = base_alloc(C + 1, sizeof *left);
    double *share = base_alloc(C + 1, sizeof *share);
    int rc = give && left && share ? sizes(o, r->n, "rows", s->size) : BASE_E_MEMORY;
    if (!rc)
        rc = by_code(r, &begin, &row);
    for (size_t c = 0; c < C && !rc; c++) {
        left[c] = begin[c + 1] - begin[c];
        if (left[c] == 1)
            rc =
                base_error_set(BASE_E_ARGUMENT,
                               "column %s: \"%s\" has a single row, which cannot be in every part: "
                               "merge it with another value, or leave it out",
                               o->stratify, r->names[c]);
    }
    for (size_t k = 0; k < o->n_parts && !rc; k++)
        if (s->size[k] < C)
            rc = base_error_set(BASE_E_ARGUMENT,
                                "part %s would have %llu rows, fewer than the %zu values of %s",
                                o->name[k], (ull)s->size[k], C, o->stratify);
    for (size_t k = 0; k < o->n_parts && !rc; k++) {
        /* the first part by the whole counts, the others by what is left: as scikit-learn */
        for (size_t c = 0; c < C; c++)
            share[c] = (double)left[c];
        rc = sampling_allocate(C, share, left, s->size[k], give);
        for (size_t c = 0; c < C && !rc; c++) {
            for (uint64_t i = 0; i < give[c]; i++)
                s->part[row[begin[c + 1] - left[c] + i]] = (uint32_t)k;
            left[c] -= give[c];
        }
    }
    base_free(begin);
    base_free(row);
    base_free(give);
    base_free(left);
    base_free(share);
    return rc;
}

struct sized {
    uint64_t rows, place, group;
};

/* Ties in shuffled order. */
static int larger_first(const void *a, const void *b)
{
    const struct sized *x = a, *y = b;
    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Whole groups, in random order. */
static int deal_groups(struct sampling_split *s, const struct rows *r,
                       const struct sampling_split_options *o, struct base_rng *rng)
{
    size_t G = r->n_codes;
    uint64_t *order = base_alloc(G + 1, sizeof *order);
    uint32_t *part = base_alloc(G + 1, sizeof *part);
    int rc = order && part ? 0 : BASE_E_MEMORY;
    if (!rc)
        sampling_permute(rng, G, order);
    if (!rc && o->folds) {
        /* the largest group goes to the smallest fold */
        uint64_t *rows = base_alloc_zero(G + 1, sizeof *rows);
        if (!rows)
            rc = BASE_E_MEMORY;
        for (uint64_t i = 0; i < r->n && !rc; i++)
            rows[r->code[i]]++;
        struct sized *by_size = rc ? NULL : base_alloc(G + 1, sizeof *by_size);
        if (!by_size)
            rc = BASE_E_MEMORY;
        for (size_t k = 0; k < G && !rc; k++)
            by_size[k] = (struct sized){ rows[order[k]], k, order[k] };
        if (!rc)
            qsort(by_size, G, sizeof *by_size, larger_first);
        for (size_t k = 0; k < G && !rc; k++) {
            size_t smallest = 0;
            for (size_t f = 1; f < o->folds; f++)
                if (s->size[f] < s->size[smallest])
                    smallest = f;
            part[by_size[k].group] = (uint32_t)smallest;
            s->size[smallest] += by_size[k].rows;
        }
        base_free(by_size);
        memset(s->size, 0, o->folds * sizeof *s->size); /* counted again below */
        base_free(rows);
    } else if (!rc && !(rc = sizes(o, G, "groups", s->size))) {
        for (size_t i = 0, k = 0, used = 0; i < G; i++) {
            while (k < o->n_parts && i - used >= s->size[k]) {
                used += s->size[k];
                k++;
            }
            part[order[i]] = k < o->n_parts ? (uint32_t)k : NO_PART;
        }
    }
    for (uint64_t i = 0; i < r->n && !rc; i++)
        s->part[i] = part[r->code[i]];
    s->groups = G;
    base_free(order);
    base_free(part);
    return rc;
}

static int deal_folds(struct sampling_split *s, const struct rows *r,
                      const struct sampling_split_options *o)
{
    if (!o->stratify) {
        uint64_t at = 0;
        for (uint64_t k = 0; k < o->folds; k++)
            for (uint64_t i = 0, n = r->n / o->folds + (k < r->n % o->folds); i < n; i++)
                s->part[r->order[at++]] = (uint32_t)k;
        return 0;
    }
    uint64_t *begin, *row;
    int rc = by_code(r, &begin, &row);
    if (rc)
        return rc;
    for (size_t c = 0; c < r->n_codes && !rc; c++)
        if (begin[c + 1] - begin[c] < o->folds)
            rc = base_error_set(
                BASE_E_ARGUMENT,
                "column %s: a value has %llu rows, fewer than %llu folds (row %llu)", o->stratify,
                (ull)(begin[c + 1] - begin[c]), (ull)o->folds, (ull)row[begin[c]] + 1);
    for (uint64_t i = 0; i < r->n && !rc; i++)
        s->part[row[i]] = (uint32_t)(i % o->folds);
    base_free(begin);
    base_free(row);
    return rc;
}

static int check(const struct sampling_split_options *o)
{
    int ways = (o->stratify != NULL) + (o->group != NULL) + (o->time != NULL) + o->in_order;
    if (ways > 1)
        return base_error_set(BASE_E_ARGUMENT,
                              "stratified, grouped, by time, in order: choose one of them");
    if (o->folds && (o->folds < 2 || o->folds > 100000))
        return base_error_set(BASE_E_ARGUMENT, "%llu folds: from 2 on", (ull)o->folds);
    if (o->folds && (o->time || o->in_order) && o->n_parts)
        return base_error_set(BASE_E_ARGUMENT, "either folds or parts");
    if (!o->folds && o->n_parts < 2)
        return base_error_set(BASE_E_ARGUMENT, "at least two parts are needed");
    return 0;
}

int sampling_split_make(struct sampling_split *out, const char *path,
                        const struct data_table_options *table,
                        const struct sampling_split_options *o)
{
    struct sampling_split s = { .n = o->folds ? o->folds : o->n_parts };
    struct rows r = { 0 };
    struct base_rng rng = base_rng_make(o->seed, BASE_RNG_FOLD, 0);
    *out = (struct sampling_split){ 0 };
    int rc = check(o);
    if (rc)
        return rc;
    if ((rc = read_rows(&r, path, table, o)))
        goto out;
    s.rows = r.n;
    s.part = base_alloc(r.n, sizeof *s.part);
    s.size = base_alloc_zero(s.n, sizeof *s.size);
    r.order = base_alloc(r.n, sizeof *r.order);
    if (!s.part || !s.size || !r.order) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    if (o->folds > (o->group ? r.n_codes : r.n)) {
        rc = base_error_set(BASE_E_ARGUMENT, "%llu folds are asked for, but there are only %llu %s",
                            (ull)o->folds, (ull)(o->group ? r.n_codes : r.n),
                            o->group ? "groups" : "rows");
        goto out;
    }
    for (uint64_t i = 0; i < r.n; i++) {
        s.part[i] = NO_PART;
        r.order[i] = i;
    }
    if (o->time)
        rc = time_order(&r);
    else if (!o->in_order && !o->group)
        sampling_permute(&rng, r.n, r.order);
    if (!rc)
        rc = o->group      ? deal_groups(&s, &r, o, &rng)
             : o->folds    ? deal_folds(&s, &r, o)
             : o->stratify ? deal_by_value(&s, &r, o)
                           : deal(&s, &r, o);
    memset(s.size, 0, s.n * sizeof *s.size);
    for (uint64_t i = 0; i < r.n && !rc; i++)
        if (s.part[i] != NO_PART)
            s.size[s.part[i]]++;
out:
    rows_free(&r);
    if (rc)
        sampling_split_free(&s);
    else
        *out = s;
    return data_error_in(rc, path);
}

/* ---- rows with their part ---- */
static int write_parts(const struct sampling_split *s, struct data_table *t,
                       const char *const *name, const char *column, enum data_format format,
                       void *const *stream)
{
    size_t n = column ? 1 : s->n;
    struct sampling_writer **w = base_alloc_zero(n, sizeof *w);
    const struct sampling_writer_options plain = { .format = format,
                                                   .plain = true,
                                                   .extra = column };
    const struct sampling_options none = { 0 };
    const struct data_cell *cells;
    struct base_buffer text = { 0 };
    int rc = w ? 0 : BASE_E_MEMORY;
    for (size_t k = 0; k < n && !rc; k++)
        if (!(rc = sampling_writer_new(&w[k], stream[k], &plain))) {
            struct sampling_sink sink = sampling_writer_sink(w[k]);
            rc = sink.begin(sink.context, t, &none);
        }
    for (uint64_t i = 0; !rc && (rc = data_table_next(t, &cells)) == 1; i++) {
        rc = i < s->rows ? 0
                         : base_error_set(BASE_E_IO, "%s: the file changed while it was read",
                                          data_table_place(t));
        if (rc || s->part[i] == NO_PART)
            continue;
        struct sampling_sink sink = sampling_writer_sink(w[column ? 0 : s->part[i]]);
        char number[24];
        snprintf(number, sizeof number, "%u", s->part[i] + 1);
        const char *label = name ? name[s->part[i]] : number;
        struct sampling_row row = { .number = i + 1, .stratum = { label, strlen(label) } };
        base_buffer_clear(&text);
        if (!(rc = sink.keep(sink.context, t, cells, &text)))
            rc = sink.give(sink.context, &text, &row);
    }
    for (size_t k = 0; k < n && w; k++) {
        if (!rc)
            rc = sampling_writer_finish(w[k]);
        sampling_writer_free(w[k]);
    }
    base_free(w);
    base_buffer_free(&text);
    return rc;
}

int sampling_split_run(struct sampling_split *out, const char *path,
                       const struct data_table_options *table,
                       const struct sampling_split_options *options, const char *column,
                       enum data_format format, void *const *stream)
{
    struct sampling_input in;
    struct data_table *t = NULL;
    int rc = sampling_input_open(&in, path, table, false);
    *out = (struct sampling_split){ 0 };
    if (rc)
        return rc;
    if (!(rc = sampling_split_make(out, in.path, &in.table, options)) &&
        !(rc = data_table_open(&t, in.path, &in.table)))
        rc = write_parts(out, t, options->folds ? NULL : options->name, column, format, stream);
    data_table_close(t);
    if (rc)
        sampling_split_free(out);
    return sampling_input_close(&in, rc);
}

void sampling_split_free(struct sampling_split *s)
{
    base_free(s->part);
    base_free(s->size);
    *s = (struct sampling_split){ 0 };
}
