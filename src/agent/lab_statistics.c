/* statistics: what `assay stats` gives, on numbers in the arguments. */
#include "agent/lab.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

enum {
    VALUES = 1 << 0,
    OTHER = 1 << 1,
    SUCCESSES = 1 << 2,
    COUNT = 1 << 3,
    MU = 1 << 4,
    STATISTIC = 1 << 5,
    Q = 1 << 6,
    RESAMPLES = 1 << 7,
    SEED = 1 << 8,
    METHOD = 1 << 9,
    ALTERNATIVE = 1 << 10,
    B = 1 << 11,
    C = 1 << 12,
    EFFECT = 1 << 13,
    N2 = 1 << 14,
    ALPHA = 1 << 15,
    PAIRED = 1 << 16,
    PREDICTORS = 1 << 17,
    TRUTH = 1 << 18,
    PREDICTED = 1 << 19,
    POSITIVE = 1 << 20,
    ARGUMENTS = 21
};
static const char *const argument_names[ARGUMENTS] = {
    "values",    "other", "successes", "n",           "mu",    "statistic", "q",
    "resamples", "seed",  "method",    "alternative", "b",     "c",         "effect",
    "n2",        "alpha", "paired",    "predictors",  "truth", "predicted", "positive"
};
struct work {
    const json_t *arguments;
    double *x, *y, level;
    size_t n, m;
    json_t *out;
};
static const struct stats_interval none = { NAN, NAN };

/* The name that "method" gives among names [n]; the first without. */
static int choose(const struct work *w, const char *const *names, int n, int *out)
{
    const char *method = lab_string(w->arguments, "method");
    struct base_buffer b = { 0 };
    *out = 0;
    for (int i = 0; i < n && method; i++)
        if (strcmp(names[i], method) == 0) {
            *out = i;
            return 0;
        }
    if (!method)
        return 0;
    for (int i = 0; i < n; i++)
        base_buffer_printf(&b, "%s%s", i ? ", " : "", names[i]);
    int rc = base_error_set(BASE_E_ARGUMENT, "method \"%.40s\": choose %s", method,
                            b.data ? b.data : "another");
    base_buffer_free(&b);
    return rc;
}

static int describe(struct work *w)
{
    struct stats_description s;
    struct stats_interval i = none;
    int rc = stats_check_finite(w->x, w->n, "values");
    if (!rc)
        rc = stats_describe(w->x, w->n, &s);
    if (!rc && w->n >= 2)
        rc = stats_interval_mean(w->x, w->n, w->level, &i);
    if (rc)
        return rc;
    lab_estimate(w->out, "estimates", "mean", s.mean, s.se, i);
    json_object_set_new(w->out, "description",
                        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "n",
                                  lab_count((double)s.n), "mean", base_json_number(s.mean), "sd",
                                  base_json_number(s.sd), "min", base_json_number(s.min), "q1",
                                  base_json_number(s.q1), "median", base_json_number(s.median),
                                  "q3", base_json_number(s.q3), "max", base_json_number(s.max),
                                  "mad", base_json_number(s.mad), "skewness",
                                  base_json_number(s.skewness), "kurtosis",
                                  base_json_number(s.kurtosis)));
    return 0;
}

static int proportion(struct work *w)
{
    struct stats_interval i;
    int method;
    double x = lab_number(w->arguments, "successes", 0), n = lab_number(w->arguments, "n", 0);
    int rc = choose(w, stats_proportion_names, STATS_PROPORTIONS, &method);
    if (!rc)
        rc = stats_interval_proportion((enum stats_proportion)method, x, n, w->level, &i);
    if (rc)
        return rc;
    lab_estimate(w->out, "estimates", "proportion", x / n, sqrt(x / n * (1 - x / n) / n), i);
    json_object_set_new(w->out, "method", json_string(stats_proportion_names[method]));
    return 0;
}

static int bootstrap(struct work *w)
{
    const char *name = lab_string(w->arguments, "statistic");
    struct stats_bootstrap_options o = STATS_BOOTSTRAP_OPTIONS_DEFAULT;
    struct stats_bootstrap_result r;
    int what = 0;
    o.resamples = (size_t)lab_integer(w->arguments, "resamples", 10000);
    o.seed = (uint64_t)lab_integer(w->arguments, "seed", 0);
    o.level = w->level;
    while (name && strcmp(stats_summary_names[what], name) != 0)
        what++; /* the schema has no other */
    bool needs_q = what == STATS_QUANTILE || what == STATS_TRIMMED;
    if (needs_q != (json_object_get(w->arguments, "q") != NULL))
        return base_error_set(BASE_E_ARGUMENT, "statistic %s %s q", stats_summary_names[what],
                              needs_q ? "needs" : "does not use");
    int rc = stats_bootstrap_summary((enum stats_summary)what, lab_number(w->arguments, "q", 0),
                                     w->x, w->n, NULL, 0, &o, &r);
    if (rc)
        return rc;
    char text[80];
    const struct {
        const char *name;
        struct stats_interval interval;
    } all[] = { { "BCa", r.bca }, { "percentile", r.percentile }, { "basic", r.basic } };
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "%s (%s interval)", stats_summary_names[what], all[i].name);
        lab_estimate(w->out, "estimates", text, r.estimate, r.se, all[i].interval);
    }
    json_object_set_new(w->out, "bias", base_json_number(r.bias));
    json_object_set_new(w->out, "resamples", lab_count((double)o.resamples));
    return 0;
}

static int t_one(struct work *w)
{
    struct stats_test t;
    enum stats_alternative a = lab_alternative(w->arguments);
    int rc = stats_t_one(w->x, w->n, lab_number(w->arguments, "mu", 0), a, w->level, &t);
    if (rc)
        return rc;
    lab_estimate(w->out, "estimates", "mean", t.estimate, t.se, t.interval);
    struct stats_interval d;
    double n = (double)w->n;
    if ((rc = stats_interval_effect(t.effect, sqrt(n), n - 1, w->level, &d)))
        return rc;
    lab_estimate(w->out, "effects", "Cohen's d", t.effect, NAN, d);
    lab_test(w->out, "t", t.statistic, &t.df, 1, t.p, a);
    return 0;
}

static int welch(struct work *w)
{
    struct stats_test t;
    enum stats_alternative a = lab_alternative(w->arguments);
    int rc = stats_t_welch(w->x, w->n, w->y, w->m, a, w->level, &t);
    if (rc)
        return rc;
    lab_estimate(w->out, "estimates", "difference of means, values - other", t.estimate, t.se,
                 t.interval);
    struct stats_interval d;
    double n = (double)w->n, m = (double)w->m;
    if ((rc = stats_interval_effect(t.effect, sqrt(n * m / (n + m)), n + m - 2, w->level, &d)))
        return rc;
    lab_estimate(w->out, "effects", "Cohen's d (pooled)", t.effect, NAN, d);
    lab_test(w->out, "t", t.statistic, &t.df, 1, t.p, a);
    return 0;
}

static int equal_lengths(const struct work *w)
{
    return w->n == w->m ? 0
                        : base_error_set(BASE_E_ARGUMENT,
                                         "values and other are pairs, but %zu and %zu are given",
                                         w->n, w->m);
}

static int paired(struct work *w)
{
    struct stats_paired r;
    int rc = equal_lengths(w);
    if (!rc)
        rc = stats_paired(w->x, w->y, w->n, NULL, 0, w->level, &r);
    if (rc)
        return rc;
    lab_estimate(w->out, "estimates", "mean of the differences, values - other", r.difference, r.se,
                 r.interval);
    struct stats_interval d;
    double n = (double)w->n;
    if ((rc = stats_interval_effect(r.effect, sqrt(n), n - 1, w->level, &d)))
        return rc;
    lab_estimate(w->out, "effects", "Cohen's d_z", r.effect, NAN, d);
    lab_test(w->out, "t", r.t, &r.df, 1, r.p, STATS_TWO_SIDED);
    return 0;
}

static int ranksum(struct work *w)
{
    struct stats_ranksum r;
    enum stats_alternative a = lab_alternative(w->arguments);
    int rc = stats_ranksum(w->x, w->n, w->y, w->m, a, w->level, &r);
    if (rc)
        return rc;
    lab_estimate(w->out, "estimates", "probability that a value is larger than an other",
                 r.superiority, NAN, r.interval);
    lab_test(w->out, "U", r.u, NULL, 0, r.p, a);
    return 0;
}

static int correlation(struct work *w)
{
    struct stats_correlation r;
    int kind, rc = choose(w, stats_correlation_names, STATS_CORRELATIONS, &kind);
    if (!rc)
        rc = equal_lengths(w);
    if (!rc)
        rc = stats_correlate((enum stats_correlation_kind)kind, w->x, w->y, w->n, w->level, &r);
    if (rc)
        return rc;
    lab_estimate(w->out, "estimates", stats_correlation_names[kind], r.r, NAN, r.interval);
    lab_test(w->out, "r", r.r, NULL, 0, r.p, STATS_TWO_SIDED);
    return 0;
}

static int permutation(struct work *w)
{
    struct stats_permutation r;
    enum stats_alternative a = lab_alternative(w->arguments);
    size_t resamples = (size_t)lab_integer(w->arguments, "resamples", 10000);
    uint64_t seed = (uint64_t)lab_integer(w->arguments, "seed", 0);
    bool pairs = lab_flag(w->arguments, "paired", false);
    int rc = pairs ? equal_lengths(w) : 0;
    for (size_t i = 0; i < w->n && pairs && !rc; i++)
        w->x[i] -= w->y[i];
    if (!rc)
        rc = pairs ? stats_permutation_paired(w->x, w->n, a, resamples, seed, &r)
                   : stats_permutation_two(w->x, w->n, w->y, w->m, a, resamples, seed, &r);
    if (rc)
        return rc;
    lab_estimate(w->out, "estimates",
                 pairs ? "mean of the differences, values - other"
                       : "difference of means, values - other",
                 r.statistic, NAN, none);
    lab_test(w->out, r.exact ? "all sign patterns" : "random patterns", NAN, NULL, 0, r.p, a);
    json_object_set_new(w->out, "resamples", lab_count((double)r.patterns));
    return 0;
}

/* values on the lists of "predictors". */
static int regression(struct work *w)
{
    const json_t *lists = json_object_get(w->arguments, "predictors");
    size_t p = json_array_size(lists);
    double **x = base_alloc_zero(p + 1, sizeof *x);
    char(*names)[16] = base_alloc_zero(p + 1, sizeof *names);
    const char **name = base_alloc_zero(p + 1, sizeof *name);
    struct stats_regression r = { 0 };
    int rc = x && names && name ? 0 : BASE_E_MEMORY;
    for (size_t j = 0; j < p && !rc; j++) {
        const json_t *list = json_array_get(lists, j);
        snprintf(names[j], sizeof names[j], "x%u", (unsigned)j + 1);
        name[j] = names[j];
        if (json_array_size(list) != w->n)
            rc = base_error_set(BASE_E_ARGUMENT, "predictor %zu has %zu numbers, values has %zu",
                                j + 1, json_array_size(list), w->n);
        else if (!(x[j] = base_alloc(w->n, sizeof *x[j])))
            rc = BASE_E_MEMORY;
        for (size_t i = 0; i < w->n && !rc; i++)
            x[j][i] = json_number_value(json_array_get(list, i));
    }
    if (!rc)
        rc = stats_regress(w->x, (const double *const *)x, name, w->n, p, w->level, &r);
    for (size_t j = 0; j <= p && !rc; j++) {
        const struct stats_coefficient *c = &r.coefficient[j];
        lab_estimate(w->out, "estimates", j ? name[j - 1] : "intercept", c->value, c->se,
                     c->interval);
        lab_test(w->out, "t", c->t, &r.df, 1, c->p, STATS_TWO_SIDED);
    }
    if (!rc) {
        const double df[] = { (double)p, r.df };
        lab_test(w->out, "F", r.f, df, 2, r.f_p, STATS_GREATER);
        json_object_set_new(w->out, "description",
                            json_pack("{s:o, s:o, s:o}", "r2", base_json_number(r.r2),
                                      "r2_adjusted", base_json_number(r.r2_adjusted), "sigma",
                                      base_json_number(r.sigma)));
    }
    stats_regression_free(&r);
    for (size_t j = 0; x && j < p; j++)
        base_free(x[j]);
    base_free(x);
    base_free(names);
    base_free(name);
    return rc;
}

enum { LABELS_MOST = 200 };

/* The number of a label among those seen, which a new one joins. */
static uint32_t label_of(const char **label, size_t *n, const char *name)
{
    for (size_t k = 0; k < *n; k++)
        if (strcmp(label[k], name) == 0)
            return (uint32_t)k;
    label[*n] = name;
    return (uint32_t)(*n)++;
}

static int classification(struct work *w)
{
    const char **truth = NULL, **predicted = NULL, *label[LABELS_MOST + 2];
    const char *positive = lab_string(w->arguments, "positive");
    struct stats_bootstrap_options o = STATS_BOOTSTRAP_OPTIONS_DEFAULT;
    struct stats_metric m[STATS_METRICS];
    size_t n, n2, labels = 0, chosen = SIZE_MAX;
    o.resamples = (size_t)lab_integer(w->arguments, "resamples", 2000);
    o.seed = (uint64_t)lab_integer(w->arguments, "seed", 0);
    o.level = w->level;
    int rc = lab_strings(w->arguments, "truth", &truth, &n);
    if (!rc)
        rc = lab_strings(w->arguments, "predicted", &predicted, &n2);
    uint32_t *id = rc ? NULL : base_alloc(2 * n + 1, sizeof *id);
    if (!rc && !id)
        rc = BASE_E_MEMORY;
    if (!rc && n != n2)
        rc = base_error_set(BASE_E_ARGUMENT, "truth has %zu labels, predicted %zu", n, n2);
    for (size_t i = 0; i < n && !rc; i++) {
        id[i] = label_of(label, &labels, truth[i]);
        id[n + i] = label_of(label, &labels, predicted[i]);
        if (labels > LABELS_MOST)
            rc = base_error_set(BASE_E_LIMIT, "more than %d different labels", LABELS_MOST);
    }
    for (size_t k = 0; k < labels && positive && !rc; k++)
        if (strcmp(label[k], positive) == 0)
            chosen = k;
    if (!rc && positive && chosen == SIZE_MAX)
        rc = base_error_set(BASE_E_ARGUMENT, "positive: no item is \"%.60s\"", positive);
    if (!rc)
        rc = stats_classify(id, id + n, n, labels, chosen, 0, &o, m);
    for (int k = 0; k < STATS_METRICS && !rc; k++)
        if (!isnan(m[k].value))
            lab_estimate(w->out, "estimates", stats_metric_names[k], m[k].value, m[k].se,
                         m[k].interval);
    if (!rc)
        json_object_set_new(w->out, "n", lab_count((double)n));
    base_free(truth);
    base_free(predicted);
    base_free(id);
    return rc;
}

static int mcnemar(struct work *w)
{
    struct stats_mcnemar r;
    int rc = stats_mcnemar(lab_number(w->arguments, "b", 0), lab_number(w->arguments, "c", 0),
                           w->level, &r);
    if (rc)
        return rc;
    lab_estimate(w->out, "estimates", "odds ratio b / c", r.odds_ratio, NAN, r.odds_ratio_interval);
    lab_test(w->out, "exact", NAN, NULL, 0, r.exact, STATS_TWO_SIDED);
    lab_test(w->out, "mid-p", NAN, NULL, 0, r.midp, STATS_TWO_SIDED);
    return 0;
}

static int adjust(struct work *w)
{
    static const char *const names[] = { "holm",     "bonferroni", "sidak", "holm-sidak",
                                         "hochberg", "bh",         "by",    "none" };
    int chosen, method = 0, rc = choose(w, names, 8, &chosen);
    double alpha = lab_number(w->arguments, "alpha", 0.05);
    while (!rc && strcmp(stats_adjust_names[method], names[chosen]) != 0)
        method++;
    if (!rc)
        rc = stats_adjust((enum stats_adjust_method)method, w->x, w->n, w->x);
    if (rc)
        return rc;
    json_object_set_new(w->out, "adjusted", json_array());
    json_object_set_new(w->out, "holds", json_array());
    json_object_set_new(w->out, "method", json_string(names[chosen]));
    for (size_t i = 0; i < w->n; i++) {
        lab_add(w->out, "adjusted", base_json_number(w->x[i]));
        lab_add(w->out, "holds", json_boolean(w->x[i] <= alpha));
    }
    return 0;
}

static int power(struct work *w)
{
    double value, d = lab_number(w->arguments, "effect", 0), n = lab_number(w->arguments, "n", 0);
    double m = lab_number(w->arguments, "n2", 0), alpha = lab_number(w->arguments, "alpha", 0.05);
    enum stats_alternative a = lab_alternative(w->arguments);
    int rc = m > 0 ? stats_power_t_two(d, n, m, alpha, a, &value)
                   : stats_power_t_one(d, n, alpha, a, &value);
    if (!rc)
        lab_estimate(w->out, "estimates",
                     m > 0 ? "power of a t-test of two groups" : "power of a t-test of pairs",
                     value, NAN, none);
    return rc;
}

static const struct kind {
    const char *name;
    unsigned required, allowed;
    int (*run)(struct work *w);
} kinds[] = {
    { "describe", VALUES, 0, describe },
    { "proportion", SUCCESSES | COUNT, METHOD, proportion },
    { "bootstrap", VALUES, STATISTIC | Q | RESAMPLES | SEED, bootstrap },
    { "t_test", VALUES, MU | ALTERNATIVE, t_one },
    { "welch_t_test", VALUES | OTHER, ALTERNATIVE, welch },
    { "paired_t_test", VALUES | OTHER, 0, paired },
    { "mann_whitney", VALUES | OTHER, ALTERNATIVE, ranksum },
    { "correlation", VALUES | OTHER, METHOD, correlation },
    { "permutation_test", VALUES | OTHER, PAIRED | RESAMPLES | SEED | ALTERNATIVE, permutation },
    { "regression", VALUES | PREDICTORS, 0, regression },
    { "classification", TRUTH | PREDICTED, POSITIVE | RESAMPLES | SEED, classification },
    { "mcnemar", B | C, 0, mcnemar },
    { "adjust", VALUES, METHOD | ALPHA, adjust },
    { "power", EFFECT | COUNT, N2 | ALPHA | ALTERNATIVE, power },
};

int lab_statistics(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    (void)tool;
    const char *name = lab_string(arguments, "operation");
    const struct kind *k = kinds;
    struct work w = { .arguments = arguments, .level = lab_number(arguments, "level", 0.95) };
    while (strcmp(k->name, name) != 0)
        k++; /* the schema has no other */
    int rc = lab_check(arguments);
    if (!rc)
        rc = lab_uses(name, arguments, argument_names, ARGUMENTS, k->required, k->allowed);
    if (!rc)
        rc = lab_numbers(arguments, "values", &w.x, &w.n);
    if (!rc)
        rc = lab_numbers(arguments, "other", &w.y, &w.m);
    if (!rc && !(w.out = json_pack("{s:s, s:f, s:[], s:[]}", "operation", name, "level", w.level,
                                   "estimates", "tests")))
        rc = BASE_E_MEMORY;
    if (!rc && w.n)
        json_object_set_new(w.out, "n", lab_count((double)w.n));
    if (!rc)
        rc = k->run(&w);
    base_free(w.x);
    base_free(w.y);
    if (rc)
        json_decref(w.out);
    return rc ? rc : lab_give(w.out, out);
}
