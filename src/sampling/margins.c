/* A sample against its population: shares of every value of a column in both, with intervals, and a
 * test of all together.
 *
 * The population is counted in one pass and may be of any size; the sample is in memory. Values
 * that only the sample has cannot be compared and are counted apart, like missing ones; shares are
 * of the rows with a value that the population has. */
#include "base/hash.h"
#include "base/memory.h"
#include "data/table.h"
#include "sampling/design.h"
#include "stats/distribution.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Levels of a column of the population with their units. */
struct tally {
    double *units; /* [capacity] by code */
    size_t capacity;
    double all;
};

static int tally_add(struct tally *t, uint32_t code, double units)
{
    if (code >= t->capacity) {
        size_t more = t->capacity ? t->capacity * 2 : 64;
        double *grown = base_realloc(t->units, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        memset(grown + t->capacity, 0, (more - t->capacity) * sizeof *grown);
        t->units = grown;
        t->capacity = more;
    }
    t->units[code] += units;
    t->all += units;
    return 0;
}

/* Counts the population; column [n_by] are places in p. */
static int count_population(struct sampling_columns *p, const char *population,
                            const size_t *column, size_t count,
                            const struct sampling_margins_options *o, struct tally *tally,
                            struct sampling_margins *out, double *units)
{
    int rc;
    while ((rc = sampling_columns_step(p)) > 0) {
        double w = count == SAMPLING_NONE ? 1 : p->column[count].number[0];
        if ((++out->population_rows & 0xffff) == 0 && base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        if (!(w >= 0))
            return base_error_set(BASE_E_FORMAT,
                                  "%s: column %s: a count of units must be a number "
                                  "from 0 on",
                                  data_table_place(p->table), p->column[count].name);
        *units += w;
        rc = 0;
        for (size_t i = 0; rc == 0 && i < o->n_by; i++) {
            uint32_t code = p->column[column[i]].code[0];
            if (code != UINT32_MAX)
                rc = tally_add(&tally[i], code, w);
        }
        if (rc)
            return rc;
    }
    if (rc == 0 && !(*units > 0))
        rc = base_error_set(BASE_E_FORMAT, "%s: the population has no rows", population);
    return rc;
}

static int compare_cells(const void *a, const void *b)
{
    const struct sampling_margin_cell *x = a, *y = b;
    if (x->population != y->population)
        return x->population < y->population ? 1 : -1;
    return strcmp(x->value, y->value);
}

struct margin_task {
    const struct sampling_margins_options *options;
    const struct sampling_survey *s;
    const struct sampling_column *sample, *population;
    const struct tally *tally;
    uint8_t *in, *hit; /* [rows] */
    uint32_t *cell;    /* [rows] */
};

/* Cells of the population, the most frequent first. */
static int make_cells(struct sampling_margin *m, const struct margin_task *t)
{
    const struct sampling_column *k = t->population;
    m->cell = base_alloc_zero(k->n_levels, sizeof *m->cell);
    if (!m->cell)
        return BASE_E_MEMORY;
    for (size_t l = 0; l < k->n_levels; l++) {
        if (!(t->tally->units[l] > 0))
            continue;
        struct sampling_margin_cell *c = &m->cell[m->n];
        c->population = t->tally->units[l];
        c->share = c->population / t->tally->all;
        if (!(c->value = base_strdup(k->levels[l])))
            return BASE_E_MEMORY;
        m->n++;
    }
    qsort(m->cell, m->n, sizeof *m->cell, compare_cells);
    return 0;
}

/* Which cell every row of the sample is in. */
static int place_rows(struct sampling_margin *m, const struct margin_task *t)
{
    const struct sampling_column *k = t->sample;
    const size_t n = t->s->columns.rows;
    size_t *of_level = base_alloc(k->n_levels, sizeof *of_level);
    if (!of_level)
        return BASE_E_MEMORY;
    for (size_t l = 0; l < k->n_levels; l++)
        of_level[l] = SAMPLING_NONE;
    for (size_t c = 0; c < m->n; c++) {
        const int64_t *l = base_table_get(k->index, m->cell[c].value, strlen(m->cell[c].value));
        if (l)
            of_level[*l] = c;
    }
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        size_t c = k->code[i] == UINT32_MAX ? SAMPLING_NONE : of_level[k->code[i]];
        t->in[i] = c != SAMPLING_NONE;
        t->cell[i] = t->in[i] ? (uint32_t)c : UINT32_MAX;
        if (t->in[i]) {
            m->cell[c].n++;
        } else if (k->code[i] != UINT32_MAX && m->unknown++ == 0 &&
                   !(m->unknown_value = base_strdup(k->levels[k->code[i]]))) {
            rc = BASE_E_MEMORY;
        }
    }
    base_free(of_level);
    return rc;
}

static int compare_margin(struct sampling_margin *m, const struct margin_task *t)
{
    const struct sampling_margins_options *o = t->options;
    const size_t n = t->s->columns.rows;
    int rc = make_cells(m, t);
    if (rc == 0)
        rc = place_rows(m, t);
    if (rc)
        return rc;
    for (size_t c = 0; rc == 0 && c < m->n; c++) {
        struct sampling_margin_cell *x = &m->cell[c];
        for (size_t i = 0; i < n; i++)
            t->hit[i] = t->cell[i] == c;
        rc = stats_survey_proportion(t->s->survey, t->hit, t->in, o->interval, o->level, &x->e);
        if (rc)
            return base_error_prefix(rc, "%s", m->by);
        x->difference = x->e.estimate - x->share;
        bool open = x->e.se > 1e-12; /* below is rounding: the design fixes this share */
        x->z = open ? x->difference / x->e.se : NAN;
        x->p = open && x->e.df >= 1 ? stats_t_two_sided(x->z, x->e.df) : NAN;
        m->dissimilarity += fabs(x->difference) / 2;
    }
    double *share = base_alloc(m->n, sizeof *share);
    if (!share)
        return BASE_E_MEMORY;
    for (size_t c = 0; c < m->n; c++)
        share[c] = m->cell[c].share;
    if (stats_survey_fit(t->s->survey, t->cell, m->n, share, t->in, &m->fit)) {
        m->fit = (struct stats_survey_fit){ .chi2 = NAN, .g = NAN, .f = NAN, .p = NAN, .g_f = NAN };
        m->fit.chi2_p = m->fit.g_p = m->fit.g_corrected_p = m->fit.deff = NAN;
        if (!(m->no_fit = base_strdup(base_error_message())))
            rc = BASE_E_MEMORY;
    }
    base_free(share);
    return rc;
}

int sampling_margins(struct sampling_margins *out, const char *sample, const char *population,
                     const struct data_table_options *table,
                     const struct sampling_margins_options *o)
{
    struct sampling_survey s = { 0 };
    struct sampling_columns p = { 0 };
    struct margin_task t = { .options = o, .s = &s };
    size_t count = SAMPLING_NONE;
    double units = 0;
    *out = (struct sampling_margins){ 0 };
    if (o->n_by == 0)
        return base_error_set(BASE_E_ARGUMENT, "name at least one column to compare by");
    size_t *in_sample = base_alloc(o->n_by, sizeof *in_sample);
    size_t *in_population = base_alloc(o->n_by, sizeof *in_population);
    struct tally *tally = base_alloc_zero(o->n_by, sizeof *tally);
    int rc = in_sample && in_population && tally ? 0 : BASE_E_MEMORY;
    if (rc || (rc = sampling_survey_open(&s, sample, table, &o->design)) ||
        (rc = sampling_columns_open(&p, population, table)))
        goto out;
    for (size_t i = 0; rc == 0 && i < o->n_by; i++) {
        rc = sampling_columns_want(&s.columns, o->by[i], true, &in_sample[i]);
        if (rc == 0)
            rc = sampling_columns_want(&p, o->by[i], true, &in_population[i]);
    }
    if (rc == 0 && o->count)
        rc = sampling_columns_want(&p, o->count, false, &count);
    if (rc ||
        (rc = count_population(&p, population, in_population, count, o, tally, out, &units)) ||
        (rc = sampling_columns_read(&s.columns)))
        goto out;
    if (o->fpc)
        s.population = units;
    if ((rc = data_error_in(sampling_survey_build(&s, &o->design), sample)))
        goto out;
    const size_t n = s.columns.rows;
    t.in = base_alloc(n, 1);
    t.hit = base_alloc(n, 1);
    t.cell = base_alloc(n, sizeof *t.cell);
    out->at = base_alloc_zero(o->n_by, sizeof *out->at);
    if (!t.in || !t.hit || !t.cell || !out->at) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (size_t i = 0; rc == 0 && i < o->n_by; i++) {
        struct sampling_margin *m = &out->at[out->n++];
        t.sample = &s.columns.column[in_sample[i]];
        t.population = &p.column[in_population[i]];
        t.tally = &tally[i];
        m->sample_missing = t.sample->missing;
        m->population_missing = t.population->missing;
        rc = (m->by = base_strdup(o->by[i])) ? compare_margin(m, &t) : BASE_E_MEMORY;
    }
    out->sample_rows = n;
    out->weighted = stats_survey_weighted(s.survey);
    out->design = s.text;
    s.text = NULL;
out:
    for (size_t i = 0; tally && i < o->n_by; i++)
        base_free(tally[i].units);
    base_free(tally);
    base_free(in_sample);
    base_free(in_population);
    base_free(t.in);
    base_free(t.hit);
    base_free(t.cell);
    sampling_columns_close(&p);
    sampling_survey_close(&s);
    if (rc)
        sampling_margins_free(out);
    return rc;
}

void sampling_margins_free(struct sampling_margins *m)
{
    for (size_t i = 0; i < m->n; i++) {
        for (size_t c = 0; c < m->at[i].n; c++)
            base_free(m->at[i].cell[c].value);
        base_free(m->at[i].cell);
        base_free(m->at[i].by);
        base_free(m->at[i].unknown_value);
        base_free(m->at[i].no_fit);
    }
    base_free(m->at);
    base_free(m->design);
    *m = (struct sampling_margins){ 0 };
}
