/* Estimates from a file: every variable, category or quantile, for all rows and for each domain.
 *
 * A domain is a mask over the rows of the sample and never a smaller sample, so that the number of
 * rows that fall into it counts as the chance event it is; so is a condition, and so is having a
 * value (skip_missing). */
#include "base/memory.h"
#include "data/table.h"
#include "sampling/design.h"
#include <assay/sampling.h>
#include <math.h>
#include <string.h>

const char *const sampling_estimand_names[SAMPLING_ESTIMANDS] = { "mean", "total", "ratio",
                                                                  "quantile", "proportion" };

struct task {
    const struct sampling_estimate_options *options;
    struct sampling_survey *s;
    struct sampling_estimates *out;
    const uint8_t *base; /* rows of the condition, or NULL */
    uint8_t *in, *hit;   /* [n] scratch */
    const char *by, *domain;
};

static int add(struct task *t, const char *variable, const char *category, double q,
               const struct stats_survey_estimate *e)
{
    struct sampling_estimates *o = t->out;
    if ((o->n & (o->n - 1)) == 0) {
        struct sampling_estimate *grown = base_realloc(o->at, o->n ? o->n * 2 : 1, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        o->at = grown;
    }
    struct sampling_estimate *x = &o->at[o->n++];
    *x = (struct sampling_estimate){ .q = q, .e = *e };
    if ((variable && !(x->variable = base_strdup(variable))) ||
        (category && !(x->category = base_strdup(category))) ||
        (t->by && !(x->by = base_strdup(t->by))) ||
        (t->domain && !(x->domain = base_strdup(t->domain))))
        return BASE_E_MEMORY;
    return 0;
}

/* Which part of the answer a message is about. */
static int explain(const struct task *t, int rc, const char *variable)
{
    if (t->domain)
        return base_error_prefix(rc, "%s%s%s = %s", variable ? variable : "", variable ? ", " : "",
                                 t->by, t->domain);
    return variable ? base_error_prefix(rc, "%s", variable) : rc;
}

/* rows of t->in without a value of the column leave it; how many is counted for all rows. */
static void leave_out_missing(struct task *t, const struct sampling_column *c)
{
    for (size_t i = 0; i < t->s->columns.rows; i++)
        if (t->in[i] && (c->category ? c->code[i] == UINT32_MAX : isnan(c->number[i]))) {
            t->in[i] = 0;
            t->out->skipped += t->by == NULL;
        }
}

static int estimate_category(struct task *t, const struct sampling_column *c, uint32_t level)
{
    const struct sampling_estimate_options *o = t->options;
    struct stats_survey_estimate e;
    enum stats_survey_interval kind =
        o->interval < 0 ? STATS_SURVEY_LOGIT : (enum stats_survey_interval)o->interval;
    for (size_t i = 0; i < t->s->columns.rows; i++)
        t->hit[i] = c->code[i] == level;
    int rc = stats_survey_proportion(t->s->survey, t->hit, t->in, kind, o->level, &e);
    return rc ? rc : add(t, c->name, c->levels[level], NAN, &e);
}

static int estimate_proportions(struct task *t, const struct sampling_column *c)
{
    const struct sampling_estimate_options *o = t->options;
    int rc = 0;
    if (o->n_values == 0) {
        size_t *order;
        rc = sampling_levels_order(c, &order);
        for (size_t l = 0; rc == 0 && l < c->n_levels; l++)
            rc = estimate_category(t, c, (uint32_t)order[l]);
        base_free(order);
        return rc;
    }
    for (size_t v = 0; rc == 0 && v < o->n_values; v++) {
        size_t l = 0;
        while (l < c->n_levels && strcmp(c->levels[l], o->value[v]))
            l++;
        rc = l < c->n_levels
                 ? estimate_category(t, c, (uint32_t)l)
                 : base_error_set(BASE_E_ARGUMENT, "no row has the value %s", o->value[v]);
    }
    return rc;
}

static int estimate_variable(struct task *t, const struct sampling_column *c,
                             const struct sampling_column *over)
{
    const struct sampling_estimate_options *o = t->options;
    const struct stats_survey *s = t->s->survey;
    struct stats_survey_estimate e;
    int rc = 0;
    switch (o->what) {
    case SAMPLING_MEAN:
        if (o->size > 0 && !t->by) {
            rc = stats_survey_total(s, c->number, t->in, o->level, &e);
            e.estimate /= o->size;
            e.se /= o->size;
            e.interval.low /= o->size;
            e.interval.high /= o->size;
        } else {
            rc = stats_survey_mean(s, c->number, t->in, o->level, &e);
        }
        break;
    case SAMPLING_TOTAL:
        rc = stats_survey_total(s, c->number, t->in, o->level, &e);
        break;
    case SAMPLING_RATIO:
        rc = stats_survey_ratio(s, c->number, over->number, t->in, o->level, &e);
        break;
    case SAMPLING_QUANTILE:
        for (size_t i = 0; rc == 0 && i < o->n_q; i++) {
            enum stats_survey_interval kind =
                o->interval < 0 ? STATS_SURVEY_WALD : (enum stats_survey_interval)o->interval;
            rc = stats_survey_quantile(s, c->number, t->in, o->q[i], o->rule, kind, o->level, &e);
            if (rc == 0)
                rc = add(t, c->name, NULL, o->q[i], &e);
        }
        return rc;
    default:
        return estimate_proportions(t, c);
    }
    return rc ? rc : add(t, c->name, NULL, NAN, &e);
}

/* All variables over the rows of `mask` (NULL = all of the condition). */
static int estimate_domain(struct task *t, const size_t *variable, size_t over)
{
    const struct sampling_estimate_options *o = t->options;
    const struct sampling_column *c = t->s->columns.column;
    const size_t n = t->s->columns.rows;
    int rc = 0;
    uint8_t *domain = base_alloc(n, 1);
    if (!domain)
        return BASE_E_MEMORY;
    memcpy(domain, t->in, n);
    if (o->n_variables == 0) {
        double *one = base_alloc(n, sizeof *one);
        struct stats_survey_estimate e;
        rc = one ? 0 : BASE_E_MEMORY;
        for (size_t i = 0; rc == 0 && i < n; i++)
            one[i] = 1;
        if (rc == 0)
            rc = stats_survey_total(t->s->survey, one, t->in, o->level, &e);
        if (rc == 0)
            rc = add(t, NULL, NULL, NAN, &e);
        base_free(one);
        rc = rc ? explain(t, rc, NULL) : 0;
    }
    for (size_t v = 0; rc == 0 && v < o->n_variables; v++) {
        if (base_interrupted()) {
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
            break;
        }
        memcpy(t->in, domain, n);
        leave_out_missing(t, &c[variable[v]]);
        if (o->what == SAMPLING_RATIO)
            leave_out_missing(t, &c[over]);
        rc = estimate_variable(t, &c[variable[v]], &c[over]);
        if (rc)
            rc = explain(t, rc, c[variable[v]].name);
    }
    base_free(domain);
    return rc;
}

static int estimate_by(struct task *t, size_t by, const size_t *variable, size_t over)
{
    const struct sampling_column *c = &t->s->columns.column[by];
    const size_t n = t->s->columns.rows;
    size_t *order;
    t->by = c->name;
    t->out->no_domain += c->missing;
    int rc = sampling_levels_order(c, &order);
    for (size_t l = 0; rc == 0 && l < c->n_levels; l++) {
        bool any = false;
        for (size_t i = 0; i < n; i++) {
            t->in[i] = c->code[i] == order[l] && (!t->base || t->base[i]);
            any |= t->in[i];
        }
        t->domain = c->levels[order[l]];
        if (any)
            rc = estimate_domain(t, variable, over);
    }
    base_free(order);
    t->by = t->domain = NULL;
    return rc;
}

static int check_options(const struct sampling_estimate_options *o)
{
    if (!(o->level > 0 && o->level < 1))
        return base_error_set(BASE_E_ARGUMENT, "confidence %g: must be between 0 and 1", o->level);
    if (o->n_variables == 0 && o->what != SAMPLING_TOTAL)
        return base_error_set(BASE_E_ARGUMENT, "%s of what? Name a column",
                              sampling_estimand_names[o->what]);
    if (o->what == SAMPLING_RATIO && !o->over)
        return base_error_set(BASE_E_ARGUMENT, "a ratio needs the column below the line as well");
    if (o->what == SAMPLING_QUANTILE && o->n_q == 0)
        return base_error_set(BASE_E_ARGUMENT, "which quantile? Give at least one");
    return 0;
}

static int judge(void *context, const struct data_table *table, const struct data_cell *cells)
{
    int rc = sampling_condition_test(context, table, cells);
    return rc == 2 ? 0 : rc;
}

int sampling_estimate(struct sampling_estimates *out, const char *path,
                      const struct data_table_options *table,
                      const struct sampling_estimate_options *o)
{
    struct sampling_survey s = { 0 };
    struct sampling_condition *condition = NULL;
    struct task t = { .options = o, .s = &s, .out = out };
    size_t over = 0, *variable = NULL, *by = NULL;
    *out = (struct sampling_estimates){ 0 };
    int rc = check_options(o);
    if (rc)
        return rc;
    if ((rc = sampling_survey_open(&s, path, table, &o->design)))
        goto out;
    variable = base_alloc(o->n_variables, sizeof *variable);
    by = base_alloc(o->n_by, sizeof *by);
    rc = variable && by ? 0 : BASE_E_MEMORY;
    for (size_t v = 0; rc == 0 && v < o->n_variables; v++)
        rc = sampling_columns_want(&s.columns, o->variable[v], o->what == SAMPLING_PROPORTION,
                                   &variable[v]);
    if (rc == 0 && o->what == SAMPLING_RATIO)
        rc = sampling_columns_want(&s.columns, o->over, false, &over);
    for (size_t i = 0; rc == 0 && i < o->n_by; i++)
        rc = sampling_columns_want(&s.columns, o->by[i], true, &by[i]);
    if (rc == 0 && o->where) {
        rc = sampling_condition_parse(&condition, o->where, s.columns.table);
        s.columns.judge = judge;
        s.columns.context = condition;
    }
    if (rc == 0)
        rc = sampling_columns_read(&s.columns);
    for (size_t v = 0; rc == 0 && !o->skip_missing && v < o->n_variables; v++)
        rc = sampling_columns_complete(&s.columns, variable[v],
                                       "the variable (--skip-missing leaves such rows out)");
    if (rc == 0 && !o->skip_missing && o->what == SAMPLING_RATIO)
        rc = sampling_columns_complete(&s.columns, over, "the denominator");
    if (rc || (rc = sampling_survey_build(&s, &o->design)))
        goto out;
    const size_t n = s.columns.rows;
    t.base = s.columns.keep;
    t.in = base_alloc(n, 1);
    t.hit = base_alloc(n, 1);
    if (!t.in || !t.hit) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        t.in[i] = !t.base || t.base[i];
    rc = estimate_domain(&t, variable, over);
    for (size_t i = 0; rc == 0 && i < o->n_by; i++)
        rc = estimate_by(&t, by[i], variable, over);
    out->rows = n;
    out->units = s.units;
    out->strata = s.strata;
    out->weighted = stats_survey_weighted(s.survey);
    out->weight_sum = stats_sum(stats_survey_weights(s.survey), n);
    out->design = s.text;
    s.text = NULL;
out:
    base_free(t.in);
    base_free(t.hit);
    base_free(variable);
    base_free(by);
    sampling_condition_free(condition);
    sampling_survey_close(&s);
    if (rc)
        sampling_estimates_free(out);
    return data_error_in(rc, path);
}

void sampling_estimates_free(struct sampling_estimates *e)
{
    for (size_t i = 0; i < e->n; i++) {
        base_free(e->at[i].variable);
        base_free(e->at[i].category);
        base_free(e->at[i].by);
        base_free(e->at[i].domain);
    }
    base_free(e->at);
    base_free(e->design);
    *e = (struct sampling_estimates){ 0 };
}
