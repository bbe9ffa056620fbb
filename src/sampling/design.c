/* A survey design out of a file's columns.
 *
 * With no design named, the columns that `assay sample` adds say it: _weight, _stratum, _psu, _fpc
 * and, for two stages, _fpc2; a column without any value counts as absent. With _pi that varies and
 * no _fpc the rows came with unequal probabilities, and Brewer's approximation is used. Naming one
 * part of the design turns all of these off: a design is said in one place. */
#include "sampling/design.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const sampling_unequal_names[SAMPLING_UNEQUALS] = { "auto",        "replace", "brewer",
                                                                "hartley-rao", "overton", "joint" };

/* ---- tables of totals ---- */

/* All columns but the last are keys; a level is what sampling_columns calls it. */
static int totals_read(struct sampling_totals *t, const char *path)
{
    struct sampling_columns c;
    struct base_buffer name = { 0 };
    size_t key, total;
    int rc = sampling_columns_open(&c, path, NULL);
    if (rc)
        goto out;
    size_t n = data_table_columns(c.table);
    if (n < 2) {
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: a table of totals has columns of the sample and a "
                            "last one with the totals; this has one column",
                            path);
        goto out;
    }
    for (size_t i = 0; rc == 0 && i + 1 < n; i++)
        rc = base_buffer_printf(&name, "%s%s", i ? "*" : "", data_table_column(c.table, i));
    if (rc == 0)
        rc = sampling_columns_want(&c, name.data, true, &key);
    if (rc == 0)
        rc = sampling_columns_want(&c, data_table_column(c.table, n - 1), false, &total);
    if (rc == 0)
        rc = sampling_columns_read(&c);
    if (rc == 0)
        rc = sampling_columns_complete(&c, key, "a cell of the population");
    if (rc == 0)
        rc = sampling_columns_complete(&c, total, "the population's total");
    if (rc)
        goto out;
    if (c.column[key].n_levels != c.rows) {
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: %zu rows, but %zu different values of %s: each "
                            "may stand in one row only",
                            path, c.rows, c.column[key].n_levels, name.data);
        goto out;
    }
    t->path = base_strdup(path);
    t->name = base_strdup(name.data);
    t->n = c.rows;
    t->levels = c.column[key].levels;
    t->total = c.column[total].number;
    c.column[key].levels = NULL;
    c.column[key].n_levels = 0;
    c.column[total].number = NULL;
    if (!t->path || !t->name)
        rc = BASE_E_MEMORY;
out:
    base_buffer_free(&name);
    sampling_columns_close(&c);
    return rc;
}

static int totals_want(struct sampling_survey *s, const char *path)
{
    struct sampling_totals *grown = base_realloc(s->totals, s->n_totals + 1, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    s->totals = grown;
    struct sampling_totals *t = &s->totals[s->n_totals++];
    *t = (struct sampling_totals){ 0 };
    int rc = totals_read(t, path);
    if (rc == 0) {
        rc = sampling_columns_want(&s->columns, t->name, true, &t->column);
        if (rc)
            rc = base_error_prefix(rc, "%s: all columns but the last are columns of the sample",
                                   path);
    }
    return rc;
}

/* The file's totals for the sample's levels, and behind them the levels that only the file has. */
static int totals_match(const struct sampling_survey *s, const struct sampling_totals *t,
                        double **total, const char ***names, size_t *cells)
{
    const struct sampling_column *k = &s->columns.column[t->column];
    int rc = sampling_columns_complete(&s->columns, t->column, "which the totals are for");
    *total = NULL;
    *names = NULL;
    if (rc)
        return rc;
    double sum = 0, scale = 1;
    for (size_t i = 0; i < t->n; i++)
        sum += t->total[i];
    if (fabs(sum - 1) < 1e-6 && t->n > 1) {
        const double *w = stats_survey_weights(s->survey);
        scale = stats_sum(w, s->columns.rows) / sum;
    }
    *total = base_alloc_zero(k->n_levels + t->n, sizeof **total);
    *names = base_alloc(k->n_levels + t->n, sizeof **names);
    if (!*total || !*names)
        return BASE_E_MEMORY;
    for (size_t l = 0; l < k->n_levels; l++)
        (*names)[l] = k->levels[l];
    *cells = k->n_levels;
    for (size_t i = 0; i < t->n; i++) {
        const int64_t *at = base_table_get(k->index, t->levels[i], strlen(t->levels[i]));
        size_t cell = at ? (size_t)*at : *cells;
        if (!at && t->total[i] == 0)
            continue;
        (*total)[cell] = t->total[i] * scale;
        (*names)[cell] = t->levels[i];
        *cells += !at;
    }
    return 0;
}

static int calibrate(struct sampling_survey *s, bool post)
{
    size_t first = post ? 1 : 0, margins = s->n_totals - first;
    struct stats_survey_margin *m = base_alloc_zero(s->n_totals + 1, sizeof *m);
    int rc = m ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < s->n_totals; i++) {
        double *total;
        const char **names;
        size_t cells;
        rc = totals_match(s, &s->totals[i], &total, &names, &cells);
        const uint32_t *code = s->columns.column[s->totals[i].column].code;
        m[i] = (struct stats_survey_margin){ code, rc ? 0 : cells, total, names };
        if (rc == 0 && i < first)
            rc = stats_survey_poststratify(s->survey, code, cells, total, names);
        if (rc)
            rc = base_error_prefix(rc, "%s", s->totals[i].path);
    }
    if (rc == 0 && margins)
        rc = stats_survey_rake(s->survey, m + first, margins);
    for (size_t i = 0; m && i < s->n_totals; i++) {
        base_free((void *)(uintptr_t)m[i].total);
        base_free((void *)(uintptr_t)m[i].names);
    }
    base_free(m);
    return rc;
}

/* ---- columns ---- */

static int want_stages(struct sampling_survey *s, const char *const *names, size_t n, bool category,
                       size_t *index, const char *option)
{
    if (n > STATS_SURVEY_STAGES)
        return base_error_set(BASE_E_LIMIT, "%s: at most %d stages", option, STATS_SURVEY_STAGES);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = sampling_columns_want(&s->columns, names[i], category, &index[i]);
    return rc;
}

static int want_if_there(struct sampling_survey *s, const char *name, bool category, size_t *index)
{
    return sampling_columns_has(&s->columns, name)
               ? sampling_columns_want(&s->columns, name, category, index)
               : 0;
}

int sampling_survey_open(struct sampling_survey *s, const char *path,
                         const struct data_table_options *table, const struct sampling_design *d)
{
    *s = (struct sampling_survey){ .weight = SAMPLING_NONE, .pi = SAMPLING_NONE };
    for (int t = 0; t < STATS_SURVEY_STAGES; t++)
        s->stratum[t] = s->psu[t] = s->fpc[t] = SAMPLING_NONE;
    int rc = sampling_columns_open(&s->columns, path, table);
    if (rc)
        return rc;
    s->automatic = !d->none && !d->weights && !d->pi && !d->n_strata && !d->n_psu && !d->n_fpc;
    if (s->automatic) {
        if ((rc = want_if_there(s, "_weight", false, &s->weight)) ||
            (rc = want_if_there(s, "_pi", false, &s->pi)) ||
            (rc = want_if_there(s, "_stratum", true, &s->stratum[0])) ||
            (rc = want_if_there(s, "_psu", true, &s->psu[0])) ||
            (rc = want_if_there(s, "_fpc", false, &s->fpc[0])) ||
            (rc = want_if_there(s, "_fpc2", false, &s->fpc[1])))
            return rc;
        s->n_psu = s->psu[0] != SAMPLING_NONE;
    } else if (!d->none) {
        if (d->weights && (rc = sampling_columns_want(&s->columns, d->weights, false, &s->weight)))
            return rc;
        if (d->pi && (rc = sampling_columns_want(&s->columns, d->pi, false, &s->pi)))
            return rc;
        if ((rc = want_stages(s, d->strata, d->n_strata, true, s->stratum, "strata")) ||
            (rc = want_stages(s, d->psu, d->n_psu, true, s->psu, "psu")) ||
            (rc = want_stages(s, d->fpc, d->n_fpc, false, s->fpc, "fpc")))
            return rc;
        s->n_psu = d->n_psu;
        s->n_fpc = d->n_fpc;
        if (d->n_fpc > d->n_psu + 1 || d->n_strata > d->n_psu + 1)
            return base_error_set(BASE_E_ARGUMENT,
                                  "%zu columns of fpc and %zu of strata for %zu of psu: there may "
                                  "be one more at the most, for rows as the last stage's units",
                                  d->n_fpc, d->n_strata, d->n_psu);
    }
    if (d->poststratify)
        rc = totals_want(s, d->poststratify);
    for (size_t i = 0; rc == 0 && i < d->n_rake; i++)
        rc = totals_want(s, d->rake[i]);
    return rc;
}

/* A column of `assay sample` without any value is absent. */
static void drop_empty(const struct sampling_survey *s, size_t *index)
{
    if (*index != SAMPLING_NONE && s->columns.column[*index].missing == s->columns.rows)
        *index = SAMPLING_NONE;
}

static bool varies(const double *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (fabs(x[i] - x[0]) > 1e-9 * fabs(x[0]))
            return true;
    return false;
}

static int read_joint(const char *path, size_t n, double **matrix)
{
    char *text, *end;
    size_t bytes, count = 0, cells;
    *matrix = NULL;
    if (base_mul_size(n, n, &cells))
        return base_error_set(BASE_E_LIMIT, "%s: a matrix for %zu rows is too large", path, n);
    int rc = base_file_read(path, 0, &text, &bytes);
    if (rc)
        return rc;
    if (!(*matrix = base_alloc(cells, sizeof **matrix)))
        rc = BASE_E_MEMORY;
    for (const char *p = text; rc == 0;) {
        p += strspn(p, " \t\r\n,;");
        if (!*p)
            break;
        double x = strtod(p, &end);
        if (end == p || !isfinite(x))
            rc = base_error_set(BASE_E_FORMAT, "%s: number %zu is not a probability: \"%.20s\"",
                                path, count + 1, p);
        else if (count == cells)
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: more than %zu numbers, the joint "
                                "probabilities of %zu rows",
                                path, cells, n);
        else
            (*matrix)[count++] = x;
        p = end;
    }
    if (rc == 0 && count != cells)
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: %zu numbers; joint probabilities of %zu rows are %zu, row by row",
                            path, count, n, cells);
    base_free(text);
    return rc;
}

/* What was done, for people. */
static int say_design(struct sampling_survey *s, const struct stats_survey_design *d,
                      const struct sampling_design *how, enum sampling_unequal unequal,
                      bool finite_by_caller)
{
    struct base_buffer b = { 0 };
    const struct sampling_column *c = s->columns.column;
    int rc = 0;
#define SAY(...)                                                                                   \
    do {                                                                                           \
        if (rc == 0)                                                                               \
            rc = base_buffer_printf(&b, __VA_ARGS__);                                              \
    } while (0)
    SAY("%zu rows", d->n);
    if (d->stage[0].stratum)
        SAY(" in %zu strata (%s)", s->strata, c[s->stratum[0]].name);
    if (d->stage[0].psu && s->units < d->n)
        SAY(", %zu clusters (%s)", s->units, c[s->psu[0]].name);
    for (size_t t = 1; t < d->stages; t++)
        SAY("%s %s", t == 1 ? ", then" : " and",
            d->stage[t].psu ? c[s->psu[t]].name : "rows within them");
    if (s->weight != SAMPLING_NONE)
        SAY("; weights %s", c[s->weight].name);
    else if (s->pi != SAMPLING_NONE)
        SAY("; weights 1/%s", c[s->pi].name);
    else if (stats_survey_weighted(s->survey))
        SAY("; weights from the fpc");
    else
        SAY("; no weights");
    if (d->joint == STATS_JOINT_MATRIX)
        SAY("; joint probabilities of %s", how->joint);
    else if (d->joint != STATS_JOINT_NONE)
        SAY("; joint probabilities after %s from %s",
            d->joint == STATS_JOINT_OVERTON ? "Overton" : "Hartley and Rao", c[s->pi].name);
    else if (unequal == SAMPLING_UNEQUAL_BREWER)
        SAY("; unequal probabilities %s without replacement (Brewer's variance)", c[s->pi].name);
    else if (d->stage[0].fpc && finite_by_caller)
        SAY("; drawn from %.15g without replacement", s->population);
    else if (d->stage[0].fpc)
        SAY("; finite population (%s%s%s)", c[s->fpc[0]].name,
            d->stages > 1 && d->stage[1].fpc ? ", " : "",
            d->stages > 1 && d->stage[1].fpc ? c[s->fpc[1]].name : "");
    else
        SAY("; variance as with replacement");
    if (d->joint != STATS_JOINT_NONE)
        SAY(", %s form", d->yates_grundy ? "Yates and Grundy's" : "Horvitz and Thompson's");
    const size_t first = how->poststratify != NULL;
    for (size_t i = 0; i < s->n_totals; i++)
        SAY("%s%s",
            i < first    ? "; post-stratified by "
            : i == first ? "; raked to "
                         : " and ",
            s->totals[i].name);
    if (d->lonely != STATS_LONELY_FAIL)
        SAY("; single units: %s", stats_lonely_names[d->lonely]);
    if (s->unknown)
        SAY("; NO PROBABILITY SAMPLE (_pi is empty): errors and intervals take its rows for drawn "
            "at "
            "random, which they were not");
#undef SAY
    s->text = base_buffer_take(&b);
    return s->text ? rc : BASE_E_MEMORY;
}

static int check_columns(const struct sampling_survey *s)
{
    int rc = 0;
    if (s->weight != SAMPLING_NONE)
        rc = sampling_columns_complete(&s->columns, s->weight, "the weight");
    if (rc == 0 && s->pi != SAMPLING_NONE)
        rc = sampling_columns_complete(&s->columns, s->pi, "the inclusion probability");
    for (int t = 0; rc == 0 && t < STATS_SURVEY_STAGES; t++) {
        if (s->stratum[t] != SAMPLING_NONE)
            rc = sampling_columns_complete(&s->columns, s->stratum[t], "the stratum");
        if (rc == 0 && s->psu[t] != SAMPLING_NONE)
            rc = sampling_columns_complete(&s->columns, s->psu[t], "the sampling unit");
        if (rc == 0 && s->fpc[t] != SAMPLING_NONE)
            rc = sampling_columns_complete(&s->columns, s->fpc[t], "the population size");
    }
    return rc;
}

int sampling_survey_build(struct sampling_survey *s, const struct sampling_design *how)
{
    const size_t n = s->columns.rows;
    const struct sampling_column *c = s->columns.column;
    double *weight = NULL, *matrix = NULL, *finite = NULL;
    if (n == 0)
        return base_error_set(BASE_E_FORMAT, "the sample has no rows");
    if (s->automatic) {
        s->unknown = s->pi != SAMPLING_NONE && c[s->pi].missing == n;
        drop_empty(s, &s->weight);
        drop_empty(s, &s->pi);
        drop_empty(s, &s->stratum[0]);
        drop_empty(s, &s->psu[0]);
        drop_empty(s, &s->fpc[0]);
        drop_empty(s, &s->fpc[1]);
        s->n_psu = s->psu[0] != SAMPLING_NONE;
        s->n_fpc = s->fpc[0] == SAMPLING_NONE ? 0 : s->fpc[1] == SAMPLING_NONE ? 1 : 2;
    }
    int rc = check_columns(s);
    if (rc)
        return rc;
    enum sampling_unequal unequal = how->unequal;
    if (unequal == SAMPLING_UNEQUAL_AUTO)
        unequal =
            s->pi != SAMPLING_NONE && s->n_fpc == 0 && s->n_psu <= 1 && varies(c[s->pi].number, n)
                ? SAMPLING_UNEQUAL_BREWER
                : SAMPLING_UNEQUAL_REPLACE;
    if (unequal >= SAMPLING_UNEQUAL_BREWER && unequal <= SAMPLING_UNEQUAL_OVERTON &&
        s->pi == SAMPLING_NONE)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s's variance needs a column of inclusion "
                              "probabilities",
                              sampling_unequal_names[unequal]);
    struct stats_survey_design d = { .n = n,
                                     .stages = s->n_psu ? s->n_psu : 1,
                                     .lonely = how->lonely,
                                     .yates_grundy = how->yates_grundy };
    /* rows as a last stage of their own */
    if (s->n_psu && s->n_psu < STATS_SURVEY_STAGES &&
        (s->n_fpc > s->n_psu || s->stratum[s->n_psu] != SAMPLING_NONE))
        d.stages++;
    for (size_t t = 0; t < d.stages; t++) {
        if (s->stratum[t] != SAMPLING_NONE)
            d.stage[t].stratum = c[s->stratum[t]].code;
        if (s->psu[t] != SAMPLING_NONE)
            d.stage[t].psu = c[s->psu[t]].code;
        if (s->fpc[t] != SAMPLING_NONE)
            d.stage[t].fpc = c[s->fpc[t]].number;
    }
    if (unequal >= SAMPLING_UNEQUAL_BREWER && unequal <= SAMPLING_UNEQUAL_OVERTON)
        d.stage[0].fpc = c[s->pi].number;
    if (unequal == SAMPLING_UNEQUAL_HARTLEY_RAO)
        d.joint = STATS_JOINT_HARTLEY_RAO;
    if (unequal == SAMPLING_UNEQUAL_OVERTON)
        d.joint = STATS_JOINT_OVERTON;
    if (unequal == SAMPLING_UNEQUAL_JOINT) {
        if (!how->joint)
            return base_error_set(BASE_E_ARGUMENT, "give the file of joint probabilities");
        if ((rc = read_joint(how->joint, n, &matrix)))
            goto out;
        d.joint = STATS_JOINT_MATRIX;
        d.joint_matrix = matrix;
        d.stage[0] = (struct stats_survey_stage){ 0 };
    }
    bool finite_by_caller = s->population > 0;
    if (finite_by_caller && (d.stage[0].fpc || d.joint != STATS_JOINT_NONE || d.stage[0].stratum ||
                             s->n_psu || d.stages > 1)) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "the sample has strata, clusters or population sizes of its own: a "
                            "finite population is given for a simple random sample without them");
        goto out;
    }
    if (finite_by_caller) {
        if (!(finite = base_alloc(n, sizeof *finite))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        for (size_t i = 0; i < n; i++)
            finite[i] = s->population;
        d.stage[0].fpc = finite;
    }
    if (s->weight != SAMPLING_NONE) {
        d.weight = c[s->weight].number;
    } else if (s->pi != SAMPLING_NONE) {
        if (!(weight = base_alloc(n, sizeof *weight))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        for (size_t i = 0; i < n; i++) {
            weight[i] = 1 / c[s->pi].number[i];
            if (!(c[s->pi].number[i] > 0) || !isfinite(weight[i])) {
                rc = base_error_set(BASE_E_ARGUMENT,
                                    "row %zu: inclusion probability %g: must be "
                                    "above 0",
                                    i + 1, c[s->pi].number[i]);
                goto out;
            }
        }
        d.weight = weight;
    }
    rc = stats_survey_new(&s->survey, &d);
    if (rc == 0)
        stats_survey_units(s->survey, NULL, &s->units, &s->strata);
    if (rc == 0 && s->n_totals)
        rc = calibrate(s, how->poststratify != NULL);
    if (rc == 0)
        rc = say_design(s, &d, how, unequal, finite_by_caller);
out:
    base_free(weight);
    base_free(matrix);
    base_free(finite);
    return rc;
}

void sampling_survey_close(struct sampling_survey *s)
{
    stats_survey_free(s->survey);
    sampling_columns_close(&s->columns);
    for (size_t i = 0; i < s->n_totals; i++) {
        struct sampling_totals *t = &s->totals[i];
        for (size_t l = 0; t->levels && l < t->n; l++)
            base_free(t->levels[l]);
        base_free(t->levels);
        base_free(t->total);
        base_free(t->path);
        base_free(t->name);
    }
    base_free(s->totals);
    base_free(s->text);
    *s = (struct sampling_survey){ 0 };
}

/* ---- order of levels ---- */

struct by_number {
    double number;
    const char *level;
    size_t index;
};

static int compare_numbers(const void *a, const void *b)
{
    const struct by_number *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static int compare_levels(const void *a, const void *b)
{
    const struct by_number *x = a, *y = b;
    return strcmp(x->level, y->level);
}

int sampling_levels_order(const struct sampling_column *k, size_t **order)
{
    struct by_number *item = base_alloc(k->n_levels, sizeof *item);
    bool numbers = true;
    *order = base_alloc(k->n_levels, sizeof **order);
    if (!item || !*order) {
        base_free(item);
        base_free(*order);
        *order = NULL;
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < k->n_levels; i++) {
        item[i] = (struct by_number){ 0, k->levels[i], i };
        struct data_cell cell = { k->levels[i], strlen(k->levels[i]) };
        numbers = numbers && data_cell_number(cell, &item[i].number);
    }
    qsort(item, k->n_levels, sizeof *item, numbers ? compare_numbers : compare_levels);
    for (size_t i = 0; i < k->n_levels; i++)
        (*order)[i] = item[i].index;
    base_free(item);
    return 0;
}
