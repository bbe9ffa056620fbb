/* run_analysis: correlation, regressions and tables of counts; see lab.h. */
#include "agent/lab.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

#define COEFFICIENTS_MOST 200

static const struct stats_interval none = { NAN, NAN };

static int column(struct lab_analysis *a, const char *key, bool category, size_t *index)
{
    return lab_frame_want(&a->frame, lab_string(a->arguments, key), category, index);
}

int lab_correlation(struct lab_analysis *a)
{
    size_t x, y;
    const char *method = lab_string(a->arguments, "method");
    const char *first = lab_string(a->arguments, "x"), *second = lab_string(a->arguments, "y");
    enum stats_correlation_kind kind = STATS_PEARSON;
    struct stats_correlation r;
    char p[32];
    for (int i = 0; method && i < STATS_CORRELATIONS; i++)
        if (strcmp(method, stats_correlation_names[i]) == 0)
            kind = (enum stats_correlation_kind)i;
    int rc = column(a, "x", false, &x);
    if (!rc)
        rc = column(a, "y", false, &y);
    if (!rc)
        rc = lab_frame_read(&a->frame, true);
    if (!rc)
        rc = stats_correlate(kind, lab_frame_number(&a->frame, x), lab_frame_number(&a->frame, y),
                             a->frame.n, a->level, &r);
    if (rc)
        return rc;
    static const char *const names[] = { "Pearson's r", "Spearman's rho", "Kendall's tau-b" };
    lab_estimate(a->out, "estimates", names[kind], r.r, NAN, r.interval);
    double df = (double)r.n - 2, t = r.r * sqrt(df / ((1 - r.r) * (1 + r.r)));
    lab_test(a->out, kind == STATS_KENDALL ? "tau" : "t", kind == STATS_KENDALL ? r.r : t, &df,
             kind != STATS_KENDALL, r.p, STATS_TWO_SIDED);
    if (kind == STATS_PEARSON)
        lab_estimate(a->out, "effects", "r squared", r.r * r.r, NAN, none);
    lab_say(a->out, "assumptions", "the rows are independent");
    lab_say(a->out, "assumptions",
            kind == STATS_PEARSON ? "a straight line describes how the two go together; the "
                                    "interval is Fisher's z, for near-normal columns"
                                  : "only the order of the values counts; the interval is by "
                                    "Fisher's z with its standard error for ranks");
    lab_say(a->out, "assumptions", "a correlation says nothing about cause");
    if (r.n < 10)
        lab_say(a->out, "warnings", "only %zu pairs: the interval is rough.", r.n);
    lab_summary(a->out, "%s of %.80s and %.80s is %.4g (%g %% interval %.4g to %.4g; n = %zu, %s).",
                names[kind], first, second, r.r, 100 * a->level, r.interval.low, r.interval.high,
                r.n, lab_p(r.p, p));
    return 0;
}

/* ---- regressions ---- */

/* The columns of X: numbers as they are, a category as 0/1 columns for all values but the first. */
struct design {
    double **x; /* [n] */
    char **name;
    size_t n, capacity;
};

static void design_free(struct design *d)
{
    for (size_t i = 0; i < d->n; i++) {
        base_free(d->x[i]);
        base_free(d->name[i]);
    }
    base_free(d->x);
    base_free(d->name);
}

/* One more column, to be filled; takes name. */
static int design_add(struct design *d, char *name, size_t rows, double **x)
{
    if (d->n == COEFFICIENTS_MOST) {
        base_free(name);
        return base_error_set(BASE_E_LIMIT, "the model has more than %d coefficients",
                              COEFFICIENTS_MOST);
    }
    if (d->n == d->capacity) {
        size_t more = d->capacity ? 2 * d->capacity : 16;
        double **grown = base_realloc(d->x, more, sizeof *grown);
        d->x = grown ? grown : d->x;
        char **names = grown ? base_realloc(d->name, more, sizeof *names) : NULL;
        d->name = names ? names : d->name;
        d->capacity = names ? more : d->capacity;
    }
    *x = d->n < d->capacity && name ? base_alloc_zero(rows + 1, sizeof **x) : NULL;
    if (!*x) {
        base_free(name);
        return BASE_E_MEMORY;
    }
    d->x[d->n] = *x;
    d->name[d->n++] = name;
    return 0;
}

static bool named(const json_t *list, const char *name)
{
    size_t i;
    const json_t *v;
    json_array_foreach((json_t *)(uintptr_t)list, i,
                       v) if (strcmp(json_string_value(v), name) == 0) return true;
    return false;
}

static int add_numbers(struct design *d, const struct lab_category *c, size_t rows)
{
    double *x;
    int rc = design_add(d, base_strdup(c->column), rows, &x);
    for (size_t i = 0; i < rows && !rc; i++) {
        const char *text = c->name[c->code[i]];
        struct data_cell cell = { text, strlen(text) };
        data_cell_number(cell, &x[i]);
    }
    return rc;
}

static int add_dummies(struct lab_analysis *a, struct design *d, const struct lab_category *c)
{
    size_t rows = a->frame.n;
    if (c->n < 2)
        return base_error_set(BASE_E_ARGUMENT,
                              "predictor %.80s is constant: it cannot be told from the intercept",
                              c->column);
    for (size_t k = 1; k < c->n; k++) {
        double *x;
        int rc = design_add(d, base_format("%.80s=%.80s", c->column, c->name[k]), rows, &x);
        if (rc)
            return rc;
        for (size_t i = 0; i < rows; i++)
            x[i] = c->code[i] == k;
    }
    lab_add(
        a->out, "coding",
        json_pack("{s:o, s:o}", "column", lab_text(c->column), "reference", lab_text(c->name[0])));
    return 0;
}

/* Every predictor is read as a category; where all its values are numbers, and it is not among
 * "categorical", they are numbers. */
static int design_make(struct lab_analysis *a, const size_t *index, size_t n, struct design *d)
{
    const json_t *categorical = json_object_get(a->arguments, "categorical");
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        struct lab_category c;
        const char *name = a->frame.columns.column[index[i]].name;
        bool forced = named(categorical, name);
        if ((rc = lab_category_make(&c, &a->frame, index[i], 0)))
            return rc;
        if (c.numbers && !forced)
            rc = add_numbers(d, &c, a->frame.n);
        else if (c.n <= LAB_CATEGORIES_MOST)
            rc = add_dummies(a, d, &c);
        else
            rc = base_error_set(BASE_E_LIMIT,
                                "predictor %.80s has %zu different values, \"%.40s\" among them, "
                                "which is no number: at most %d make categories",
                                name, c.n, c.odd ? c.odd : c.name[0], LAB_CATEGORIES_MOST);
        lab_category_free(&c);
    }
    return rc;
}

/* Reads response and predictors; *index [n] of the predictors (base_free). */
static int model_read(struct lab_analysis *a, bool category, size_t *response, size_t **index,
                      size_t *n, size_t *cluster)
{
    const json_t *list = json_object_get(a->arguments, "predictors"), *v;
    const json_t *categorical = json_object_get(a->arguments, "categorical");
    const char *y = lab_string(a->arguments, "response");
    size_t i;
    int rc = column(a, "response", category, response);
    *n = json_array_size(list);
    *index = base_alloc(*n + 1, sizeof **index);
    if (!*index)
        return BASE_E_MEMORY;
    json_array_foreach((json_t *)(uintptr_t)list, i, v)
    {
        const char *name = json_string_value(v);
        if (!rc && strcmp(name, y) == 0)
            rc = base_error_set(BASE_E_ARGUMENT, "%.80s is the response and a predictor", name);
        rc = rc ? rc : lab_frame_want(&a->frame, name, true, &(*index)[i]);
        for (size_t k = 0; k < i && !rc; k++)
            if ((*index)[k] == (*index)[i])
                rc = base_error_set(BASE_E_ARGUMENT, "predictor %.80s is there twice", name);
    }
    json_array_foreach((json_t *)(uintptr_t)categorical, i,
                       v) if (!rc && !named(list, json_string_value(v))) rc =
        base_error_set(BASE_E_ARGUMENT, "categorical: %.80s is not one of the predictors",
                       json_string_value(v));
    if (!rc)
        rc = lab_cluster_want(a, cluster);
    return rc ? rc : lab_frame_read(&a->frame, true);
}

static void coefficients(struct lab_analysis *a, const struct design *d,
                         const struct stats_coefficient *c, const char *statistic, bool odds)
{
    for (size_t j = 0; j <= d->n; j++) {
        json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "term",
                              lab_text(j ? d->name[j - 1] : "(intercept)"), "value",
                              base_json_number(c[j].value), "se", base_json_number(c[j].se),
                              statistic, base_json_number(c[j].t), "p", base_json_number(c[j].p),
                              "interval", lab_interval(c[j].interval));
        if (odds && j && o) {
            json_object_set_new(o, "odds_ratio", base_json_number(exp(c[j].value)));
            json_object_set_new(o, "odds_ratio_interval",
                                lab_interval((struct stats_interval){ exp(c[j].interval.low),
                                                                      exp(c[j].interval.high) }));
        }
        lab_add(a->out, "coefficients", o);
    }
}

static void mind_rows(struct lab_analysis *a, double cases, size_t predictors, const char *what)
{
    if (cases < 10 * (double)predictors)
        lab_say(a->out, "warnings",
                "%.0f %s for %zu coefficients: fewer than ten for each, so the fit is fitted to "
                "chance, too.",
                cases, what, predictors);
}

int lab_linear(struct lab_analysis *a)
{
    struct design d = { 0 };
    struct stats_regression r = { 0 };
    struct lab_category c = { 0 };
    size_t response, *index = NULL, n, cluster;
    char p[32];
    int rc = model_read(a, false, &response, &index, &n, &cluster);
    if (!rc)
        rc = lab_cluster_make(a, cluster, &c);
    if (!rc)
        rc = design_make(a, index, n, &d);
    if (!rc)
        rc = stats_regress_clustered(lab_frame_number(&a->frame, response),
                                     (const double *const *)d.x, (const char *const *)d.name,
                                     a->frame.n, d.n, c.n ? c.code : NULL, c.n, a->level, &r);
    if (!rc) {
        const double df[] = { (double)r.predictors, r.f_df2 };
        coefficients(a, &d, r.coefficient, "t", false);
        lab_test(a->out, "F", r.f, df, 2, r.f_p, STATS_GREATER);
        json_object_set_new(a->out, "fit",
                            json_pack("{s:o, s:o, s:o, s:o}", "r2", base_json_number(r.r2),
                                      "r2_adjusted", base_json_number(r.r2_adjusted), "sigma",
                                      base_json_number(r.sigma), "df", base_json_number(r.df)));
        lab_say(a->out, "assumptions",
                "the response is a sum of the predictors' parts; what is left has the same "
                "variance everywhere and is near normal, or the rows are many");
        lab_say(a->out, "assumptions",
                "a coefficient is the difference that goes with one more of its predictor, the "
                "others held: not what changing it would do");
        mind_rows(a, (double)r.n, r.predictors, "rows");
        lab_summary(a->out,
                    "%.80s on %zu coefficients over %zu rows: R squared %.4g (adjusted %.4g), "
                    "F(%.0f, %.0f) = %.4g, %s.",
                    lab_string(a->arguments, "response"), r.predictors, r.n, r.r2, r.r2_adjusted,
                    df[0], df[1], r.f, lab_p(r.f_p, p));
    }
    stats_regression_free(&r);
    lab_category_free(&c);
    design_free(&d);
    base_free(index);
    return rc;
}

/* 1 where the response is the value asked for (the second of two without). */
static int outcome_make(struct lab_analysis *a, size_t response, double **y)
{
    struct lab_category c;
    const char *value = lab_string(a->arguments, "category");
    size_t one = 1;
    int rc = lab_category_make(&c, &a->frame, response, 0);
    if (!rc && value)
        rc = lab_category_find(&c, value, &one);
    else if (!rc && c.n != 2)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "column %.80s has %zu different values: say in category which one is "
                            "the outcome",
                            c.column, c.n);
    if (!rc && !(*y = base_alloc(a->frame.n + 1, sizeof **y)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; i < a->frame.n && !rc; i++)
        (*y)[i] = c.code[i] == one;
    if (!rc)
        json_object_set_new(a->out, "outcome",
                            json_pack("{s:o, s:o}", "column", lab_text(c.column), "category",
                                      lab_text(c.name[one])));
    lab_category_free(&c);
    return rc;
}

int lab_logistic(struct lab_analysis *a)
{
    struct design d = { 0 };
    struct stats_logistic r = { 0 };
    size_t response, *index = NULL, n, cluster;
    double *y = NULL;
    char p[32];
    int rc = model_read(a, true, &response, &index, &n, &cluster);
    if (!rc)
        rc = outcome_make(a, response, &y);
    if (!rc)
        rc = design_make(a, index, n, &d);
    if (!rc)
        rc = stats_logistic(y, (const double *const *)d.x, (const char *const *)d.name, a->frame.n,
                            d.n, a->level, &r);
    if (!rc) {
        double fewer = (double)(r.ones < r.n - r.ones ? r.ones : r.n - r.ones);
        coefficients(a, &d, r.coefficient, "z", true);
        lab_test(a->out, "likelihood ratio chi-squared", r.chi2, &r.df, 1, r.p, STATS_GREATER);
        json_object_set_new(a->out, "fit",
                            json_pack("{s:o, s:o, s:o, s:o, s:o}", "log_likelihood",
                                      base_json_number(r.log_likelihood), "null_log_likelihood",
                                      base_json_number(r.null_log_likelihood), "mcfadden_r2",
                                      base_json_number(r.mcfadden), "auc", base_json_number(r.auc),
                                      "df", base_json_number((double)(r.n - r.predictors - 1))));
        lab_say(a->out, "assumptions", "the rows are independent");
        lab_say(a->out, "assumptions",
                "the log odds are a sum of the predictors' parts; intervals are Wald's");
        mind_rows(a, fewer, r.predictors, "rows of the rarer outcome");
        lab_summary(a->out,
                    "%zu of %zu rows have the outcome; %zu coefficients: likelihood ratio "
                    "chi-squared %.4g, df = %.0f, %s; AUC %.3g.",
                    r.ones, r.n, r.predictors, r.chi2, r.df, lab_p(r.p, p), r.auc);
    }
    stats_logistic_free(&r);
    design_free(&d);
    base_free(index);
    base_free(y);
    return rc;
}

/* ---- tables of counts ---- */

struct cross {
    struct lab_category row, column;
    double *count; /* [row.n][column.n] */
};

static int cross_read(struct lab_analysis *a, struct cross *t)
{
    size_t x, y;
    *t = (struct cross){ 0 };
    int rc = column(a, "x", true, &x);
    if (!rc)
        rc = column(a, "y", true, &y);
    if (!rc && x == y)
        rc = base_error_set(BASE_E_ARGUMENT, "x and y are the same column");
    if (!rc)
        rc = lab_frame_read(&a->frame, true);
    if (!rc)
        rc = lab_category_make(&t->row, &a->frame, x, LAB_CATEGORIES_MOST);
    if (!rc)
        rc = lab_category_make(&t->column, &a->frame, y, LAB_CATEGORIES_MOST);
    if (!rc && !(t->count = base_alloc_zero(t->row.n * t->column.n + 1, sizeof *t->count)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; i < a->frame.n && !rc; i++)
        t->count[t->row.code[i] * t->column.n + t->column.code[i]]++;
    return rc;
}

static void cross_free(struct cross *t)
{
    lab_category_free(&t->row);
    lab_category_free(&t->column);
    base_free(t->count);
}

static json_t *names_json(const struct lab_category *c)
{
    json_t *list = json_array();
    for (size_t k = 0; k < c->n; k++)
        json_array_append_new(list, lab_text(c->name[k]));
    return list;
}

static json_t *matrix_json(const double *x, size_t rows, size_t columns, bool whole)
{
    json_t *list = json_array();
    for (size_t i = 0; i < rows; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < columns; j++)
            json_array_append_new(row, whole ? lab_count(x[i * columns + j])
                                             : base_json_number(x[i * columns + j]));
        json_array_append_new(list, row);
    }
    return list;
}

static void table_json(struct lab_analysis *a, const struct cross *t, const double *expected)
{
    json_t *o =
        json_pack("{s:o, s:o, s:o}", "rows", names_json(&t->row), "columns", names_json(&t->column),
                  "observed", matrix_json(t->count, t->row.n, t->column.n, true));
    if (expected && o)
        json_object_set_new(o, "expected", matrix_json(expected, t->row.n, t->column.n, false));
    json_object_set_new(a->out, "table", o);
}

static int too_few(const struct lab_category *c)
{
    return base_error_set(BASE_E_ARGUMENT, "column %.80s has %zu value%s in these rows", c->column,
                          c->n, c->n == 1 ? " only" : "s");
}

int lab_independence(struct lab_analysis *a)
{
    struct cross t;
    struct stats_contingency r;
    double *expected = NULL;
    char p[32];
    int rc = cross_read(a, &t);
    if (!rc && (t.row.n < 2 || t.column.n < 2))
        rc = too_few(t.row.n < 2 ? &t.row : &t.column);
    if (!rc && !(expected = base_alloc(t.row.n * t.column.n, sizeof *expected)))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = stats_contingency(t.count, t.row.n, t.column.n, a->level, expected, &r);
    if (!rc) {
        double one = 1;
        lab_estimate(a->out, "estimates", "Cramer's V", r.v, NAN, r.v_interval);
        lab_test(a->out, "chi-squared", r.chi2, &r.df, 1, r.p, STATS_GREATER);
        lab_test(a->out, "G (likelihood ratio)", r.g, &r.df, 1, r.g_p, STATS_GREATER);
        if (!isnan(r.p_corrected))
            lab_test(a->out, "chi-squared with Yates's correction", r.chi2_corrected, &one, 1,
                     r.p_corrected, STATS_GREATER);
        table_json(a, &t, expected);
        lab_say(a->out, "assumptions", "the rows are independent, each is counted once");
        lab_say(a->out, "assumptions",
                "expected counts of 5 or more in four cells of five, and of 1 in all (Cochran)");
        size_t cells = t.row.n * t.column.n;
        if (r.expected_below_5 > 0)
            lab_say(a->out, "warnings", "%zu of %zu cells expect fewer than 5 (least %.3g)%s: %s.",
                    r.expected_below_5, cells, r.expected_least,
                    r.expected_below_1 ? ", some fewer than 1" : "",
                    5 * r.expected_below_5 > cells || r.expected_below_1
                        ? cells == 4 ? "read fisher_exact instead"
                                     : "the p-value is rough; join rare values"
                        : "not so many that the p-value is off by much");
        lab_summary(a->out,
                    "%.80s and %.80s: chi-squared %.5g, df = %.0f, %s; Cramer's V %.3g (%g %% "
                    "interval %.3g to %.3g), n = %.0f.",
                    t.row.column, t.column.column, r.chi2, r.df, lab_p(r.p, p), r.v, 100 * a->level,
                    r.v_interval.low, r.v_interval.high, r.n);
    }
    base_free(expected);
    cross_free(&t);
    return rc;
}

int lab_fisher(struct lab_analysis *a)
{
    struct cross t;
    struct stats_fisher r;
    enum stats_alternative alternative = lab_alternative(a->arguments);
    char p[32], what[400];
    int rc = cross_read(a, &t);
    if (!rc && (t.row.n != 2 || t.column.n != 2))
        rc = base_error_set(BASE_E_ARGUMENT,
                            "Fisher's exact test is for 2 x 2 tables: %.80s has %zu values, %.80s "
                            "%zu (choose rows by where, or use chi_square)",
                            t.row.column, t.row.n, t.column.column, t.column.n);
    if (!rc)
        rc =
            stats_fisher(t.count[0], t.count[1], t.count[2], t.count[3], alternative, a->level, &r);
    if (!rc) {
        snprintf(what, sizeof what, "odds of %.40s=%.40s where %.40s=%.40s, over where %.40s=%.40s",
                 t.column.column, t.column.name[0], t.row.column, t.row.name[0], t.row.column,
                 t.row.name[1]);
        lab_estimate(a->out, "estimates", what, r.odds_ratio, NAN, r.interval);
        lab_estimate(a->out, "effects", "sample odds ratio", r.sample_odds_ratio, NAN, none);
        lab_test(a->out, "exact", NAN, NULL, 0, r.p, alternative);
        table_json(a, &t, NULL);
        lab_say(a->out, "assumptions", "the rows are independent, each is counted once");
        lab_say(a->out, "assumptions",
                "p is exact given the totals of rows and columns; the odds ratio is the "
                "conditional maximum likelihood estimate");
        if (isinf(r.interval.high))
            lab_say(a->out, "warnings", "a cell is empty: the odds ratio has no upper bound.");
        lab_summary(a->out,
                    "%.80s and %.80s: odds ratio %.4g (%g %% interval %.4g to %.4g), %s, n = %zu.",
                    t.row.column, t.column.column, r.odds_ratio, 100 * a->level, r.interval.low,
                    r.interval.high, lab_p(r.p, p), a->frame.n);
    }
    cross_free(&t);
    return rc;
}

/* The shares of "expected" in the order of the values, which gain those that do not occur. */
static int shares_of(const json_t *expected, struct lab_category *c, double **share, double **count,
                     json_t **names)
{
    const char *name;
    json_t *v;
    size_t n = json_object_size(expected), at = 0;
    *share = base_alloc(n + 1, sizeof **share);
    *count = base_alloc_zero(n + 1, sizeof **count);
    *names = json_array();
    if (!*share || !*count || !*names)
        return BASE_E_MEMORY;
    for (size_t k = 0; k < c->n; k++)
        if (!json_object_get(expected, c->name[k]))
            return base_error_set(BASE_E_ARGUMENT,
                                  "expected has no share for the value \"%.80s\" of %.80s",
                                  c->name[k], c->column);
    json_object_foreach((json_t *)(uintptr_t)expected, name, v)
    {
        for (size_t k = 0; k < c->n; k++)
            if (strcmp(c->name[k], name) == 0)
                (*count)[at] = c->count[k];
        (*share)[at++] = json_number_value(v);
        json_array_append_new(*names, lab_text(name));
    }
    return 0;
}

int lab_goodness(struct lab_analysis *a)
{
    struct lab_category c = { 0 };
    struct stats_goodness r;
    const json_t *wanted = json_object_get(a->arguments, "expected");
    double *share = NULL, *counted = NULL, *expected = NULL;
    json_t *names = NULL;
    size_t at, n = 0;
    char p[32];
    int rc = column(a, "x", true, &at);
    if (!rc)
        rc = lab_frame_read(&a->frame, true);
    if (!rc)
        rc = lab_category_make(&c, &a->frame, at, LAB_CATEGORIES_MOST);
    if (!rc && wanted)
        rc = shares_of(wanted, &c, &share, &counted, &names);
    if (!rc) {
        n = wanted ? json_object_size(wanted) : c.n;
        names = names ? names : names_json(&c);
        if (!(expected = base_alloc(n + 1, sizeof *expected)))
            rc = BASE_E_MEMORY;
    }
    const double *count = counted ? counted : c.count;
    if (!rc)
        rc = stats_goodness(count, share, n, a->level, expected, &r);
    if (!rc) {
        lab_estimate(a->out, "estimates", "Cohen's w", r.w, NAN, r.w_interval);
        lab_test(a->out, "chi-squared", r.chi2, &r.df, 1, r.p, STATS_GREATER);
        json_object_set_new(a->out, "table",
                            json_pack("{s:[o], s:O, s:o, s:o}", "rows", lab_text(c.column),
                                      "columns", names, "observed", matrix_json(count, 1, n, true),
                                      "expected", matrix_json(expected, 1, n, false)));
        lab_say(a->out, "assumptions", "the rows are independent, each is counted once");
        lab_say(a->out, "assumptions",
                wanted ? "the shares were set before the data were seen"
                       : "all values are expected equally often");
        if (r.expected_below_5)
            lab_say(a->out, "warnings",
                    "%zu of %zu values expect fewer than 5 rows (least %.3g): the p-value is "
                    "rough.",
                    r.expected_below_5, n, r.expected_least);
        lab_summary(a->out,
                    "%.80s: chi-squared %.5g, df = %.0f, %s; Cohen's w %.3g (%g %% interval %.3g "
                    "to %.3g), n = %.0f.",
                    c.column, r.chi2, r.df, lab_p(r.p, p), r.w, 100 * a->level, r.w_interval.low,
                    r.w_interval.high, r.n);
    }
    base_free(share);
    base_free(counted);
    base_free(expected);
    json_decref(names);
    lab_category_free(&c);
    return rc;
}
