/* run_analysis: means, proportions and groups; see lab.h. */
#include "agent/lab.h"
#include "base/json.h"
#include "base/memory.h"
#include "stats/distribution.h"
#include <math.h>
#include <string.h>

static const struct stats_interval none = { NAN, NAN };

static int column(struct lab_analysis *a, const char *key, bool category, size_t *index)
{
    return lab_frame_want(&a->frame, lab_string(a->arguments, key), category, index);
}

/* What the mean of a small or skew sample rests on. */
static void mind_small(struct lab_analysis *a, const char *name, const double *x, size_t n)
{
    struct stats_description s;
    if (n < 30)
        lab_say(a->out, "warnings",
                "%.80s has only %zu values: the t interval needs them to be near normal.", name, n);
    else if (n >= 3 && stats_describe(x, n, &s) == 0 && fabs(s.skewness) > 2 && n < 500)
        lab_say(a->out, "warnings",
                "%.80s is skew (skewness %.2g): with %zu values the t interval covers less than "
                "it says; mann_whitney or a logarithm may serve better.",
                name, s.skewness, n);
}

int lab_cluster_want(struct lab_analysis *a, size_t *index)
{
    *index = SIZE_MAX;
    return json_object_get(a->arguments, "cluster") ? column(a, "cluster", true, index) : 0;
}

int lab_cluster_make(struct lab_analysis *a, size_t index, struct lab_category *c)
{
    *c = (struct lab_category){ 0 };
    int rc = index == SIZE_MAX ? 0 : lab_category_make(c, &a->frame, index, 0);
    if (rc || index == SIZE_MAX) {
        lab_say(a->out, "assumptions", "the rows are independent");
        return rc;
    }
    json_object_set_new(a->out, "clusters", lab_count((double)c->n));
    lab_say(a->out, "assumptions",
            "the clusters (values of %.80s) are independent; rows within one need not be",
            c->column);
    if (c->n < 30)
        lab_say(a->out, "warnings",
                "only %zu clusters: errors from so few are too small on average.", c->n);
    return 0;
}

/* A mean of values that come in clusters, in the form of a t-test against mu. */
static int clustered(struct lab_analysis *a, const struct lab_category *c, const double *x,
                     double mu, enum stats_alternative alternative, struct stats_test *t)
{
    struct stats_clustered m;
    int rc = stats_mean_clustered(x, c->code, a->frame.n, c->n, &m);
    if (rc)
        return rc;
    double sd = sqrt(stats_variance(x, a->frame.n));
    *t = (struct stats_test){ .estimate = m.mean, .se = m.se, .df = m.df };
    t->statistic = m.se > 0 ? (m.mean - mu) / m.se : m.mean == mu ? 0 : INFINITY;
    t->p = alternative == STATS_TWO_SIDED ? stats_t_two_sided(t->statistic, m.df)
           : alternative == STATS_GREATER ? stats_t_tail(t->statistic, m.df)
                                          : stats_t_cdf(t->statistic, m.df);
    t->effect = sd > 0 ? (m.mean - mu) / sd : NAN;
    lab_estimate(a->out, "effects", "design effect (variance over that of independent rows)",
                 m.design_effect, NAN, none);
    return stats_interval_t(m.mean, m.se, m.df, a->level, &t->interval);
}

int lab_mean(struct lab_analysis *a)
{
    size_t at, cluster;
    struct lab_category c = { 0 };
    const char *name = lab_string(a->arguments, "x");
    double mu = lab_number(a->arguments, "mu", 0);
    bool tested = json_object_get(a->arguments, "mu") != NULL;
    if (!tested && json_object_get(a->arguments, "alternative"))
        return base_error_set(BASE_E_ARGUMENT, "mean uses alternative only with mu");
    int rc = column(a, "x", false, &at);
    if (!rc)
        rc = lab_cluster_want(a, &cluster);
    if (!rc)
        rc = lab_frame_read(&a->frame, true);
    if (!rc)
        rc = lab_cluster_make(a, cluster, &c);
    const double *x = rc ? NULL : lab_frame_number(&a->frame, at);
    struct stats_test t;
    char p[32];
    enum stats_alternative alternative = lab_alternative(a->arguments);
    if (!rc)
        rc = c.n ? clustered(a, &c, x, mu, alternative, &t)
                 : stats_t_one(x, a->frame.n, mu, alternative, a->level, &t);
    if (!rc)
        rc = lab_group(a->out, name, x, a->frame.n, a->level);
    bool clusters = c.n > 0;
    lab_category_free(&c);
    if (rc)
        return base_error_prefix(rc, "%.80s", name);
    lab_estimate(a->out, "estimates", "mean", t.estimate, t.se, t.interval);
    if (tested) {
        struct stats_interval d = none;
        lab_test(a->out, "t", t.statistic, &t.df, 1, t.p, alternative);
        if (!clusters &&
            (rc = stats_interval_effect(t.effect, sqrt((double)a->frame.n), t.df, a->level, &d)))
            return rc;
        lab_estimate(a->out, "effects", "Cohen's d", t.effect, NAN, d);
    }
    lab_say(a->out, "assumptions", "the mean is near normal over samples of this size");
    mind_small(a, name, x, a->frame.n);
    lab_summary(a->out, "The mean of %.80s is %.6g (%g %% interval %.6g to %.6g, n = %zu)%s%s.",
                name, t.estimate, 100 * a->level, t.interval.low, t.interval.high, a->frame.n,
                tested ? "; against mu: " : "", tested ? lab_p(t.p, p) : "");
    return 0;
}

/* The share of clustered rows: the mean of 0 and 1. */
static int clustered_share(struct lab_analysis *a, const struct lab_category *values, size_t k,
                           const struct lab_category *c, struct stats_test *t)
{
    double *x = base_alloc(a->frame.n + 1, sizeof *x);
    int rc = x ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < a->frame.n && !rc; i++)
        x[i] = values->code[i] == k;
    if (!rc)
        rc = clustered(a, c, x, 0, STATS_TWO_SIDED, t);
    base_free(x);
    return rc;
}

int lab_proportion(struct lab_analysis *a)
{
    size_t at, k, cluster;
    struct lab_category c = { 0 }, clusters = { 0 };
    const char *name = lab_string(a->arguments, "x");
    const char *value = lab_string(a->arguments, "category");
    struct stats_interval wilson, exact, shown;
    struct stats_test t;
    int rc = column(a, "x", true, &at);
    if (!rc)
        rc = lab_cluster_want(a, &cluster);
    if (!rc)
        rc = lab_frame_read(&a->frame, true);
    if (!rc)
        rc = lab_category_make(&c, &a->frame, at, 0);
    if (!rc)
        rc = lab_category_find(&c, value, &k);
    if (!rc)
        rc = lab_cluster_make(a, cluster, &clusters);
    double n = (double)a->frame.n, x = rc ? 0 : c.count[k], se = sqrt(x / n * (1 - x / n) / n);
    if (!rc && clusters.n) {
        if (!(rc = clustered_share(a, &c, k, &clusters, &t)))
            lab_estimate(a->out, "estimates", "proportion (t interval over clusters)", t.estimate,
                         t.se, shown = t.interval);
    } else if (!rc && !(rc = stats_interval_proportion(STATS_WILSON, x, n, a->level, &wilson)) &&
               !(rc = stats_interval_proportion(STATS_CLOPPER_PEARSON, x, n, a->level, &exact))) {
        lab_estimate(a->out, "estimates", "proportion (Wilson's interval)", x / n, se,
                     shown = wilson);
        lab_estimate(a->out, "estimates", "proportion (Clopper and Pearson's exact interval)",
                     x / n, se, exact);
    }
    lab_category_free(&c);
    lab_category_free(&clusters);
    if (rc)
        return rc;
    json_object_set_new(a->out, "count", lab_count(x));
    lab_summary(a->out, "%.80s is %.80s in %.0f of %.0f rows: %.4g (%g %% interval %.4g to %.4g).",
                name, value, x, n, x / n, 100 * a->level, shown.low, shown.high);
    return 0;
}

/* The response's values in the two groups that are compared. */
struct two {
    struct lab_category by;
    size_t group[2], n[2];
    double *x[2];
};

static int two_read(struct lab_analysis *a, struct two *t)
{
    size_t response, group;
    const json_t *named = json_object_get(a->arguments, "groups");
    *t = (struct two){ .group = { 0, 1 } };
    int rc = column(a, "response", false, &response);
    if (!rc)
        rc = column(a, "group", true, &group);
    if (!rc)
        rc = lab_frame_read(&a->frame, true);
    if (!rc)
        rc = lab_category_make(&t->by, &a->frame, group, LAB_CATEGORIES_MOST);
    for (size_t i = 0; i < 2 && !rc && named; i++)
        rc = lab_category_find(&t->by, json_string_value(json_array_get(named, i)), &t->group[i]);
    if (!rc && !named && t->by.n != 2)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "column %.80s has %zu values in these rows: name two of them in groups",
                            t->by.column, t->by.n);
    if (!rc && t->group[0] == t->group[1])
        rc = base_error_set(BASE_E_ARGUMENT, "groups: two different values are needed");
    for (size_t i = 0; i < 2 && !rc; i++) {
        rc = lab_category_part(&t->by, a->frame.n, t->group[i],
                               lab_frame_number(&a->frame, response), &t->x[i], &t->n[i]);
        if (!rc)
            rc = lab_group(a->out, t->by.name[t->group[i]], t->x[i], t->n[i], a->level);
    }
    if (!rc && t->n[0] + t->n[1] < a->frame.n)
        lab_say(a->out, "notes", "%zu rows of other groups are not compared.",
                a->frame.n - t->n[0] - t->n[1]);
    if (!rc)
        a->frame.n = t->n[0] + t->n[1];
    return rc;
}

static void two_free(struct two *t)
{
    lab_category_free(&t->by);
    base_free(t->x[0]);
    base_free(t->x[1]);
}

static const char *name_of(const struct two *t, int i)
{
    return t->by.name[t->group[i]];
}

int lab_welch(struct lab_analysis *a)
{
    struct two t;
    struct stats_test r;
    enum stats_alternative alternative = lab_alternative(a->arguments);
    char what[300], p[32];
    int rc = two_read(a, &t);
    if (!rc && (t.n[0] < 2 || t.n[1] < 2))
        rc = base_error_set(BASE_E_ARGUMENT,
                            "group %.80s has %zu value(s): a t-test needs at least 2 in each",
                            name_of(&t, t.n[0] >= 2), t.n[t.n[0] >= 2]);
    if (!rc)
        rc = stats_t_welch(t.x[0], t.n[0], t.x[1], t.n[1], alternative, a->level, &r);
    if (!rc) {
        snprintf(what, sizeof what, "difference of means, %.80s - %.80s", name_of(&t, 0),
                 name_of(&t, 1));
        lab_estimate(a->out, "estimates", what, r.estimate, r.se, r.interval);
        lab_test(a->out, "t", r.statistic, &r.df, 1, r.p, alternative);
        double n = (double)t.n[0], m = (double)t.n[1];
        struct stats_interval d;
        if (!(rc = stats_interval_effect(r.effect, sqrt(n * m / (n + m)), n + m - 2, a->level, &d)))
            lab_estimate(a->out, "effects", "Cohen's d (pooled)", r.effect, NAN, d);
        lab_estimate(a->out, "effects", "Hedges' g", r.hedges, NAN, none);
        lab_say(a->out, "assumptions", "the rows are independent, within and between the groups");
        lab_say(a->out, "assumptions", "each group's mean is near normal; variances may differ");
        if (isinf(r.statistic))
            lab_say(a->out, "warnings", "no group has any spread: t is infinite");
        for (int i = 0; i < 2; i++)
            mind_small(a, name_of(&t, i), t.x[i], t.n[i]);
        lab_summary(a->out,
                    "%.80s: %.80s is on average %.5g %s than %.80s (%g %% interval of the "
                    "difference %.5g to %.5g; t = %.4g, df = %.5g, %s; d = %.3g).",
                    lab_string(a->arguments, "response"), name_of(&t, 0), fabs(r.estimate),
                    r.estimate < 0 ? "lower" : "higher", name_of(&t, 1), 100 * a->level,
                    r.interval.low, r.interval.high, r.statistic, r.df, lab_p(r.p, p), r.effect);
    }
    two_free(&t);
    return rc;
}

int lab_ranksum(struct lab_analysis *a)
{
    struct two t;
    struct stats_ranksum r;
    enum stats_alternative alternative = lab_alternative(a->arguments);
    char what[300], p[32];
    int rc = two_read(a, &t);
    if (!rc)
        rc = stats_ranksum(t.x[0], t.n[0], t.x[1], t.n[1], alternative, a->level, &r);
    if (!rc) {
        snprintf(what, sizeof what, "probability that %.80s is larger than %.80s (ties half)",
                 name_of(&t, 0), name_of(&t, 1));
        lab_estimate(a->out, "estimates", what, r.superiority, NAN, r.interval);
        lab_test(a->out, "U", r.u, NULL, 0, r.p, alternative);
        lab_estimate(a->out, "effects", "rank-biserial correlation", r.rank_biserial, NAN,
                     (struct stats_interval){ 2 * r.interval.low - 1, 2 * r.interval.high - 1 });
        json_object_set_new(a->out, "exact", json_boolean(r.exact));
        lab_say(a->out, "assumptions", "the rows are independent, within and between the groups");
        lab_say(a->out, "assumptions",
                r.exact ? "p is exact: all orders of the values are equally likely without a "
                          "difference"
                        : "p is by the normal approximation with the variance of ties and a "
                          "continuity correction");
        if (isnan(r.interval.low))
            lab_say(a->out, "warnings",
                    "the probability has no interval: one group lies wholly above the other, has "
                    "one value, or nothing varies");
        lab_summary(a->out,
                    "%.80s: a value of %.80s is larger than one of %.80s with probability %.4g (%g "
                    "%% interval %.4g to %.4g; U = %.6g, %s).",
                    lab_string(a->arguments, "response"), name_of(&t, 0), name_of(&t, 1),
                    r.superiority, 100 * a->level, r.interval.low, r.interval.high, r.u,
                    lab_p(r.p, p));
    }
    two_free(&t);
    return rc;
}

int lab_paired(struct lab_analysis *a)
{
    size_t x, y;
    const char *first = lab_string(a->arguments, "x"), *second = lab_string(a->arguments, "y");
    struct stats_paired r;
    char what[300], p[32];
    int rc = column(a, "x", false, &x);
    if (!rc)
        rc = column(a, "y", false, &y);
    if (!rc)
        rc = lab_frame_read(&a->frame, true);
    if (!rc)
        rc = stats_paired(lab_frame_number(&a->frame, x), lab_frame_number(&a->frame, y),
                          a->frame.n, NULL, 0, a->level, &r);
    if (!rc)
        rc = lab_group(a->out, first, lab_frame_number(&a->frame, x), a->frame.n, a->level);
    if (!rc)
        rc = lab_group(a->out, second, lab_frame_number(&a->frame, y), a->frame.n, a->level);
    if (rc)
        return rc;
    snprintf(what, sizeof what, "mean of the differences, %.80s - %.80s", first, second);
    lab_estimate(a->out, "estimates", what, r.difference, r.se, r.interval);
    lab_test(a->out, "t", r.t, &r.df, 1, r.p, STATS_TWO_SIDED);
    struct stats_interval d;
    double pairs = (double)a->frame.n;
    if ((rc = stats_interval_effect(r.effect, sqrt(pairs), pairs - 1, a->level, &d)))
        return rc;
    lab_estimate(a->out, "effects", "Cohen's d_z", r.effect, NAN, d);
    lab_estimate(a->out, "effects", "correlation of the pairs", r.correlation, NAN, none);
    lab_say(a->out, "assumptions", "the rows are independent pairs");
    lab_say(a->out, "assumptions", "the mean difference is near normal over samples of this size");
    if (a->frame.n < 30)
        lab_say(a->out, "warnings",
                "only %zu pairs: the t interval needs their differences to be near normal.",
                a->frame.n);
    lab_summary(a->out,
                "%.80s - %.80s is on average %.5g (%g %% interval %.5g to %.5g; t = %.4g, df = "
                "%.0f, %s).",
                first, second, r.difference, 100 * a->level, r.interval.low, r.interval.high, r.t,
                r.df, lab_p(r.p, p));
    return 0;
}

int lab_anova(struct lab_analysis *a)
{
    size_t response, group;
    struct lab_category by = { 0 };
    struct stats_anova r;
    char p[32], welch[32];
    int rc = column(a, "response", false, &response);
    if (!rc)
        rc = column(a, "group", true, &group);
    if (!rc)
        rc = lab_frame_read(&a->frame, true);
    if (!rc)
        rc = lab_category_make(&by, &a->frame, group, LAB_CATEGORIES_MOST);
    const double *x = rc ? NULL : lab_frame_number(&a->frame, response);
    for (size_t g = 0; g < by.n && !rc; g++) {
        double *part = NULL;
        size_t n;
        rc = lab_category_part(&by, a->frame.n, g, x, &part, &n);
        if (!rc && n < 2)
            rc = base_error_set(BASE_E_ARGUMENT,
                                "group %.80s of %.80s has one value: each needs at least 2 (leave "
                                "it out by where)",
                                by.name[g], by.column);
        rc = rc ? rc : lab_group(a->out, by.name[g], part, n, a->level);
        base_free(part);
    }
    if (!rc)
        rc = stats_anova(x, by.code, a->frame.n, by.n, a->level, &r);
    if (!rc) {
        const double df[] = { r.df1, r.df2 }, welch_df[] = { r.df1, r.welch_df2 };
        lab_estimate(a->out, "estimates", "eta squared (share of variance between groups)", r.eta2,
                     NAN, r.eta2_interval);
        lab_estimate(a->out, "effects", "omega squared", r.omega2, NAN, none);
        lab_test(a->out, "F", r.f, df, 2, r.p, STATS_GREATER);
        lab_test(a->out, "Welch's F", r.welch_f, welch_df, 2, r.welch_p, STATS_GREATER);
        lab_test(a->out, "Brown and Forsythe's F (equal variances)", r.levene_f, df, 2, r.levene_p,
                 STATS_GREATER);
        lab_say(a->out, "assumptions", "the rows are independent");
        lab_say(a->out, "assumptions",
                "each group is near normal, or large; F also needs equal variances, Welch's F does "
                "not");
        if (r.levene_p < 0.05)
            lab_say(a->out, "warnings",
                    "the groups' variances differ (Brown and Forsythe %s): read Welch's F.",
                    lab_p(r.levene_p, p));
        if (isnan(r.welch_p))
            lab_say(a->out, "warnings", "a group has no spread: Welch's F does not exist.");
        lab_summary(a->out,
                    "%.80s over the %zu groups of %.80s: F(%.0f, %.0f) = %.4g, %s; Welch's F = "
                    "%.4g, %s; eta squared %.4g.",
                    lab_string(a->arguments, "response"), by.n, by.column, r.df1, r.df2, r.f,
                    lab_p(r.p, p), r.welch_f, lab_p(r.welch_p, welch), r.eta2);
    }
    lab_category_free(&by);
    return rc;
}
