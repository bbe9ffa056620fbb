/* The population of a sample, read once: rows that the condition holds for, their strata and
 * clusters with sizes, and per row only what the design needs (8 bytes for a size, 4 for a
 * stratum). */
#include "base/memory.h"
#include "sampling/columns.h"
#include "sampling/run.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>

int sampling_note(struct sampling_report *report, const char *format, ...)
{
    struct base_buffer b = { 0 };
    va_list arguments;
    char text[512];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    int rc = report->note ? base_buffer_printf(&b, "%s; ", report->note) : 0;
    if (!rc && !(rc = base_buffer_puts(&b, text))) {
        base_free(report->note);
        report->note = base_buffer_take(&b);
    }
    base_buffer_free(&b);
    return rc;
}

/* ---- source ---- */
static int find_all(struct sampling_source *s, const char *const *names, size_t n, size_t *out)
{
    if (n > SAMPLING_COLUMNS_MOST)
        return base_error_set(BASE_E_LIMIT, "%zu columns are named; at most %d", n,
                              SAMPLING_COLUMNS_MOST);
    for (size_t i = 0; i < n; i++) {
        int rc = data_table_find(s->table, names[i], &out[i]);
        if (rc)
            return rc;
    }
    return 0;
}

int sampling_source_open(struct sampling_source *s, const struct sampling_options *o,
                         const char *path, const struct data_table_options *table)
{
    *s = (struct sampling_source){ .o = o };
    int rc = data_table_open(&s->table, path, table);
    if (!rc && o->where)
        rc = sampling_condition_parse(&s->condition, o->where, s->table);
    const struct {
        const char *name;
        size_t *at;
    } single[] = { { o->weights, &s->weights },
                   { o->cluster, &s->cluster },
                   { o->variable, &s->variable },
                   { o->id, &s->id },
                   { o->referrer, &s->referrer } };
    for (size_t i = 0; i < sizeof single / sizeof *single && !rc; i++)
        if (single[i].name)
            rc = data_table_find(s->table, single[i].name, single[i].at);
    if (!rc)
        rc = find_all(s, o->by, o->n_by, s->by);
    if (!rc)
        rc = find_all(s, o->on, o->n_on, s->on);
    if (rc)
        sampling_source_close(s);
    return rc;
}

/* From time to time: was Ctrl-C pressed, and how far is it? */
static int look_up(struct sampling_source *s)
{
    if (base_interrupted())
        return base_error_set(BASE_E_INTERRUPTED, "interrupted after %llu rows",
                              (unsigned long long)s->rows);
    if (s->o->on_progress) {
        uint64_t done, total;
        data_table_progress(s->table, &done, &total);
        s->o->on_progress(s->o->context, done, total);
    }
    return 0;
}

int sampling_source_pass(struct sampling_source *s, uint64_t rows, uint64_t *passed)
{
    int rc;
    *passed = 0;
    if (s->condition) { /* every row must be looked at */
        rc = rows ? sampling_source_next(s) : 1;
        *passed = rows && rc == 1;
        return rc;
    }
    rc = data_table_pass(s->table, rows < 65536 ? rows : 65536, passed);
    s->rows += *passed;
    s->population += *passed;
    int stop = rc < 0 ? 0 : look_up(s);
    return stop ? stop : rc;
}

int sampling_source_next(struct sampling_source *s)
{
    for (;;) {
        int rc = data_table_next(s->table, &s->cells);
        if (rc <= 0)
            return rc;
        s->rows++;
        if (s->rows % 65536 == 0 && (rc = look_up(s)))
            return rc;
        if (s->condition) {
            rc = sampling_condition_test(s->condition, s->table, s->cells);
            if (rc < 0)
                return rc;
            if (rc != 1)
                continue;
        }
        s->population++;
        return 1;
    }
}

void sampling_source_close(struct sampling_source *s)
{
    sampling_condition_free(s->condition);
    data_table_close(s->table);
    base_buffer_free(&s->key);
    base_buffer_free(&s->name);
    *s = (struct sampling_source){ 0 };
}

int sampling_source_number(struct sampling_source *s, size_t column, double *out)
{
    struct data_cell cell = s->cells[column];
    if (data_cell_number(cell, out))
        return 0;
    const char *name = data_table_column(s->table, column);
    if (data_cell_missing(cell))
        return base_error_set(BASE_E_FORMAT,
                              "%s: column %s has no value: leave such rows out (--where '%s is not "
                              "missing')",
                              data_table_place(s->table), name, name);
    return base_error_set(BASE_E_FORMAT, "%s: column %s: expected a number, got \"%.*s\"",
                          data_table_place(s->table), name,
                          (int)(cell.length < 60 ? cell.length : 60), cell.bytes);
}

struct sampling_row sampling_row_of(const struct sampling_source *s)
{
    return (struct sampling_row){ .number = s->rows,
                                  .pi = NAN,
                                  .weight = NAN,
                                  .stratum = { "", 0 },
                                  .fpc = NAN,
                                  .fpc2 = NAN,
                                  .wave = NAN };
}

/* ---- groups ---- */
/* The present row's values of some columns: the key (divided by a byte that text does not hold) and
 * the name for people. */
static int make_key(struct sampling_source *s, const size_t *columns, size_t n)
{
    base_buffer_clear(&s->key);
    int rc = base_buffer_reserve(&s->key, 0);
    for (size_t i = 0; i < n && !rc; i++) {
        struct data_cell cell = s->cells[columns[i]];
        const char *name = data_table_column(s->table, columns[i]);
        if (data_cell_missing(cell))
            return base_error_set(BASE_E_FORMAT,
                                  "%s: column %s has no value: leave such rows out (--where '%s is "
                                  "not missing')",
                                  data_table_place(s->table), name, name);
        if (i)
            rc = base_buffer_append(&s->key, "\x1f", 1);
        if (!rc)
            rc = base_buffer_append(&s->key, cell.bytes, cell.length);
    }
    return rc;
}

/* Names end at a NUL, and the bytes that divide keys must be those put there: else two strata would
 * have one name, or one key. */
static int check_key(const struct sampling_source *s, size_t columns)
{
    size_t divisions = 0, ends = 0;
    for (size_t i = 0; i < s->key.length; i++) {
        divisions += s->key.data[i] == '\x1f';
        ends += s->key.data[i] == '\x1e';
    }
    if (!memchr(s->key.data, 0, s->key.length) && divisions + 1 == (columns ? columns : 1) &&
        ends == (s->o->cluster != NULL))
        return 0;
    return base_error_set(BASE_E_FORMAT,
                          "%s: a stratum's or cluster's name holds a control character (0x00, 0x1e "
                          "or 0x1f): take it out first",
                          data_table_place(s->table));
}

static char *name_of(const char *key, size_t n)
{
    struct base_buffer b = { 0 };
    int rc = base_buffer_reserve(&b, n);
    for (size_t i = 0; i < n && !rc; i++)
        rc = key[i] == '\x1f' ? base_buffer_puts(&b, " / ") : base_buffer_append(&b, key + i, 1);
    char *name = rc ? NULL : base_buffer_take(&b);
    base_buffer_free(&b);
    return name;
}

static int add_stratum(struct sampling_frame *f, const char *key, size_t n, size_t *stratum)
{
    const int64_t *known = base_table_get(f->stratum_index, key, n);
    if (known) {
        *stratum = (size_t)*known;
        return 0;
    }
    if (f->n_strata == f->strata_capacity) {
        size_t more = f->strata_capacity ? 2 * f->strata_capacity : 16;
        char **grown = base_realloc(f->stratum, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        f->stratum = grown;
        f->strata_capacity = more;
    }
    if (f->n_strata >= UINT32_MAX)
        return base_error_set(BASE_E_LIMIT, "more than %u strata", UINT32_MAX);
    int rc = base_table_put(f->stratum_index, key, n, (int64_t)f->n_strata);
    if (rc)
        return rc;
    char *name = f->stratum[f->n_strata] = name_of(key, n);
    if (!name)
        return BASE_E_MEMORY;
    size_t parts = 1, length = strlen(name);
    for (size_t i = 0; i < n; i++)
        parts += key[i] == '\x1f';
    if (parts > 1 && sampling_name_ambiguous(name, length, parts)) {
        /* keys hold the dividing byte and names do not: one index serves both */
        bool taken = base_table_get(f->stratum_index, name, length) != NULL;
        rc = taken ? base_error_set(BASE_E_FORMAT,
                                    "two strata have the name \"%.60s\", and the sample could not "
                                    "tell them apart: write \" / \" in the values otherwise",
                                    name)
                   : base_table_put(f->stratum_index, name, length, (int64_t)f->n_strata);
    }
    if (rc) {
        base_free(name);
        return rc;
    }
    *stratum = f->n_strata++;
    return 0;
}

static int add_group(struct sampling_frame *f, struct sampling_source *s, size_t stratum,
                     size_t *group)
{
    if (f->n_groups == f->groups_capacity) {
        size_t more = f->groups_capacity ? 2 * f->groups_capacity : 16;
        struct sampling_group *grown = base_realloc(f->group, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        f->group = grown;
        f->groups_capacity = more;
    }
    int rc = base_table_put(f->index, s->key.data, s->key.length, (int64_t)f->n_groups);
    if (rc)
        return rc;
    struct sampling_group *g = &f->group[f->n_groups];
    *g = (struct sampling_group){ .stratum = stratum, .fpc = NAN, .fpc2 = NAN };
    if (s->o->cluster) {
        struct data_cell cell = s->cells[s->cluster];
        if (!(g->cluster = base_strndup(cell.bytes, cell.length)))
            return BASE_E_MEMORY;
    }
    *group = f->n_groups++;
    return 0;
}

int sampling_frame_group(struct sampling_frame *f, struct sampling_source *s, bool make,
                         size_t *group)
{
    const struct sampling_options *o = s->o;
    if (o->n_by == 1 && !o->cluster) { /* the cell is the key, and a known one is not missing */
        const int64_t *known =
            base_table_get(f->index, s->cells[s->by[0]].bytes, s->cells[s->by[0]].length);
        if (known) {
            *group = (size_t)*known;
            return 0;
        }
    }
    int rc = make_key(s, s->by, o->n_by);
    size_t by = s->key.length;
    if (!rc && o->cluster) {
        struct data_cell cell = s->cells[s->cluster];
        if (data_cell_missing(cell))
            return base_error_set(BASE_E_FORMAT,
                                  "%s: column %s has no value: leave such rows out (--where '%s is "
                                  "not missing')",
                                  data_table_place(s->table), o->cluster, o->cluster);
        if (!(rc = base_buffer_append(&s->key, "\x1e", 1)))
            rc = base_buffer_append(&s->key, cell.bytes, cell.length);
    }
    if (rc)
        return rc;
    const int64_t *known = base_table_get(f->index, s->key.data, s->key.length);
    if (known) {
        *group = (size_t)*known;
        return 0;
    }
    if (!make)
        return base_error_set(BASE_E_IO, "%s: the file changed while it was read",
                              data_table_place(s->table));
    size_t stratum = 0;
    if ((rc = check_key(s, o->n_by)))
        return rc;
    if ((rc = add_stratum(f, s->key.data, by, &stratum)))
        return base_error_prefix(rc, "%s", data_table_place(s->table));
    return add_group(f, s, stratum, group);
}

/* ---- the frame ---- */
static int grow_rows(struct sampling_frame *f, const struct sampling_options *o)
{
    size_t more = f->capacity ? f->capacity + f->capacity / 2 : 4096;
    if (o->weights) {
        double *grown = base_realloc(f->size, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        f->size = grown;
    }
    if (o->n_on) {
        size_t cells;
        double *grown =
            base_mul_size(more, o->n_on, &cells) ? NULL : base_realloc(f->x, cells, sizeof *grown);
        if (!grown)
            return base_error_set(BASE_E_MEMORY, "out of memory for %zu rows", more);
        f->x = grown; /* row by row; turned at the end */
    }
    if (o->n_by) {
        uint32_t *grown = base_realloc(f->of, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        f->of = grown;
    }
    f->capacity = more;
    return 0;
}

/* x[N][p] -> x[p][N]. */
static int turn(struct sampling_frame *f, size_t p)
{
    double *x = base_alloc(f->N * p + 1, sizeof *x);
    if (!x)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < f->N; i++)
        for (size_t v = 0; v < p; v++)
            x[v * f->N + i] = f->x[i * p + v];
    base_free(f->x);
    f->x = x;
    return 0;
}

static int add_row(struct sampling_frame *f, struct sampling_source *s)
{
    const struct sampling_options *o = s->o;
    size_t group = 0;
    int rc = sampling_frame_group(f, s, true, &group);
    if (rc)
        return rc;
    struct sampling_group *g = &f->group[group];
    g->N++;
    double v;
    if (o->variable && !data_cell_missing(s->cells[s->variable])) {
        if ((rc = sampling_source_number(s, s->variable, &v)))
            return rc;
        g->measured++;
        double d = v - g->mean; /* Welford 1962 */
        g->mean += d / (double)g->measured;
        g->square += d * (v - g->mean);
    }
    if (f->rows) {
        if (f->N == f->capacity && (rc = grow_rows(f, o)))
            return rc;
        if (o->weights) {
            if ((rc = sampling_source_number(s, s->weights, &v)))
                return rc;
            if (v < 0)
                return base_error_set(BASE_E_FORMAT, "%s: column %s is negative (%g)",
                                      data_table_place(s->table), o->weights, v);
            f->size[f->N] = v;
        }
        for (size_t i = 0; i < o->n_on; i++)
            if ((rc = sampling_source_number(s, s->on[i], &f->x[f->N * o->n_on + i])))
                return rc;
        if (o->n_by)
            f->of[f->N] = (uint32_t)group;
    }
    f->N++;
    return 0;
}

int sampling_frame_read(struct sampling_frame *f, const struct sampling_options *o,
                        const char *path, const struct data_table_options *table,
                        struct sampling_report *report)
{
    struct sampling_source s;
    *f = (struct sampling_frame){ .fpc = NAN };
    f->rows = o->method == SAMPLING_WEIGHTED || o->method == SAMPLING_PPS ||
              o->method == SAMPLING_BALANCED || (o->method == SAMPLING_CLUSTER && !o->cluster);
    int rc = sampling_source_open(&s, o, path, table);
    if (rc)
        return rc;
    if (!(rc = base_table_new(&f->index, 64)))
        rc = base_table_new(&f->stratum_index, 64);
    bool only_count = !f->rows && !o->n_by && !o->cluster && !o->variable;
    if (!rc && only_count && (rc = sampling_source_next(&s)) == 1) {
        uint64_t passed;
        if (!(rc = add_row(f, &s)))
            while ((rc = sampling_source_pass(&s, UINT64_MAX, &passed)) == 1)
                ;
        f->N = s.population;
        if (f->n_groups)
            f->group[0].N = f->N;
    }
    while (!rc && !only_count && (rc = sampling_source_next(&s)) == 1)
        rc = add_row(f, &s);
    if (!rc && f->rows && o->n_on)
        rc = turn(f, o->n_on);
    report->rows = s.rows;
    report->population = s.population;
    if (!rc && f->N == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: %s", path,
                            s.rows ? "the condition holds for no row" : "there are no rows");
    sampling_source_close(&s);
    return rc;
}

void sampling_frame_free(struct sampling_frame *f)
{
    for (size_t i = 0; i < f->n_groups; i++) {
        base_free(f->group[i].name);
        base_free(f->group[i].cluster);
        base_free(f->group[i].pick);
    }
    for (size_t i = 0; i < f->n_strata; i++)
        base_free(f->stratum[i]);
    base_free(f->group);
    base_free(f->stratum);
    base_table_free(f->index);
    base_table_free(f->stratum_index);
    base_free(f->size);
    base_free(f->x);
    base_free(f->of);
    base_free(f->label);
    base_free(f->taken);
    base_free(f->pi);
    base_free(f->joint);
    *f = (struct sampling_frame){ 0 };
}

int sampling_size(const struct sampling_options *o, uint64_t N, const char *units, uint64_t *n)
{
    if (o->n) {
        *n = o->n;
    } else {
        if (!(o->frac > 0) || (o->frac > 1 && !o->replace))
            return base_error_set(BASE_E_ARGUMENT,
                                  "say how many to take: -n, or --frac between 0 and 1");
        double wish = floor(o->frac * (double)N + 0.5);
        if (wish >= 0x1p63)
            return base_error_set(BASE_E_ARGUMENT, "--frac %g of %llu %s: more draws than 2^63",
                                  o->frac, (unsigned long long)N, units);
        *n = (uint64_t)wish;
    }
    if (*n == 0)
        return base_error_set(BASE_E_ARGUMENT, "%g of %llu %s is none: a larger --frac, or -n",
                              o->frac, (unsigned long long)N, units);
    if (*n > N && !o->replace)
        return base_error_set(BASE_E_ARGUMENT, "%llu %s are asked for, but there are only %llu%s",
                              (unsigned long long)*n, units, (unsigned long long)N,
                              o->where ? " for which the condition holds" : "");
    return 0;
}
