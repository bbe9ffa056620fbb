/* Two runs on the same n items: difference, its interval, test, effect, and what would decide it.
 *
 * 0/1 scores. b = only A right, c = only B right: difference (b - c)/n, variance of one item's
 * (b+c)/n - ((b-c)/n)^2; McNemar's mid-p decides. The interval is Newcombe's where the normal
 * approximation is poor (n < 300, or fewer than 20 items in b + c), else t.
 *
 * Ratios R = sum y / sum w. The difference D of R_A and R_B, or of their logarithms when y/w is one
 * already (y is minus the log-likelihood, so ln PPL = R): the influence of item i is
 * z_i = n ((y_i - R w_i)/W)_A - n (...)_B, mean 0, and se(D) = sd(z)/sqrt(n) (delta method). Adding
 * D to z makes all of it a paired t test. */
#include "base/memory.h"
#include "eval/compare_runs.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define NEWCOMBE_ITEMS      300
#define NEWCOMBE_DISCORDANT 20

static bool overlap(const struct stats_interval *a, const struct stats_interval *b)
{
    return a->low <= b->high && b->low <= a->high;
}

/* Items for the wished power and the detectable difference, from the variance of one item's
 * difference: (z_{a/2} + z_b)^2 w^2 / d^2. */
static int plan(struct eval_runs_pair *p, double variance, const struct eval_runs_options *o)
{
    struct stats_items items = { .w2 = variance, .k_a = 1, .k_b = 1 };
    int rc = 0;
    p->items = INFINITY;
    p->detectable = NAN;
    if (!(variance > 0))
        return 0;
    if (p->difference != 0)
        rc = stats_sample_items(&items, fabs(p->difference), 1 - o->level, o->power, &p->items);
    if (rc == 0)
        rc = stats_detectable_items(&items, (double)p->n, 1 - o->level, o->power, &p->detectable);
    return rc;
}

static int compare_binary(const struct eval_runs_scores *s, const struct eval_runs_options *o,
                          struct eval_runs_pair *p)
{
    double n = (double)s->n;
    for (size_t i = 0; i < s->n; i++) {
        p->both += s->a[i] == 1 && s->b[i] == 1;
        p->only_a += s->a[i] == 1 && s->b[i] == 0;
        p->only_b += s->a[i] == 0 && s->b[i] == 1;
    }
    p->neither = n - p->both - p->only_a - p->only_b;
    double right_a = p->both + p->only_a, right_b = p->both + p->only_b;
    p->value_a = right_a / n;
    p->value_b = right_b / n;
    p->difference = (p->only_a - p->only_b) / n;
    double variance = (p->only_a + p->only_b) / n - p->difference * p->difference;
    p->se = sqrt(fmax(0, variance) / n);
    p->unpaired_se = sqrt(p->value_a * (1 - p->value_a) / n + p->value_b * (1 - p->value_b) / n);
    double product = right_a * (n - right_a) * right_b * (n - right_b);
    p->correlation =
        product > 0 ? (p->both * p->neither - p->only_a * p->only_b) / sqrt(product) : NAN;
    int rc = stats_mcnemar(p->only_a, p->only_b, o->level, &p->mcnemar);
    if (rc == 0)
        rc = stats_interval_wilson(right_a, n, o->level, &p->interval_a);
    if (rc == 0)
        rc = stats_interval_wilson(right_b, n, o->level, &p->interval_b);
    if (rc == 0)
        rc = stats_effect_proportions(p->value_a, p->value_b, &p->h);
    bool newcombe = s->n < NEWCOMBE_ITEMS || p->only_a + p->only_b < NEWCOMBE_DISCORDANT;
    p->method = newcombe ? "newcombe" : "t";
    if (rc == 0)
        rc = newcombe ? stats_interval_newcombe(p->both, p->only_a, p->only_b, p->neither, o->level,
                                                &p->interval)
                      : stats_interval_t(p->difference, p->se, n - 1, o->level, &p->interval);
    p->p = p->mcnemar.midp;
    p->df = n - 1;
    p->t = p->difference != 0 ? p->difference / p->se : 0;
    p->dz = variance > 0 ? p->difference / sqrt(variance) : NAN;
    if (rc || (rc = plan(p, variance, o)))
        return rc;
    /* McNemar's own sample size: its null variance is that of b = c */
    if (p->difference != 0)
        rc = stats_sample_mcnemar(p->only_a / n, p->only_b / n, 1 - o->level, o->power, &p->items);
    return rc;
}

static double mean_statistic(const void *context, const uint32_t *pick, size_t n)
{
    const double *d = context;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pick[i] * d[i];
    return sum / (double)n;
}

static int bootstrap(stats_statistic_fn *statistic, const void *context, size_t n,
                     const struct eval_runs_options *o, struct eval_runs_pair *p)
{
    if (n < 2 || o->resamples == 0 || n > EVAL_RUNS_BOOTSTRAP_MOST / o->resamples)
        return 0;
    double *values = base_alloc(o->resamples, sizeof *values);
    if (!values)
        return BASE_E_MEMORY;
    int rc = stats_bootstrap(statistic, context, n, o->resamples, o->seed, values);
    if (rc == 0)
        rc = stats_bootstrap_percentile(values, o->resamples, o->level, &p->bootstrap);
    p->has_bootstrap = rc == 0;
    base_free(values);
    return rc;
}

/* A single item has a difference, and no spread to judge it by. */
static void single(struct eval_runs_pair *p)
{
    p->interval = p->interval_a = p->interval_b = (struct stats_interval){ NAN, NAN };
    p->se = p->t = p->dz = p->correlation = p->unpaired_se = p->detectable = NAN;
    p->items = INFINITY;
    p->p = 1;
    p->method = "none";
}

static int compare_numbers(const struct eval_runs_scores *s, const struct eval_runs_options *o,
                           struct eval_runs_pair *p)
{
    struct stats_paired paired;
    p->value_a = stats_mean(s->a, s->n);
    p->value_b = stats_mean(s->b, s->n);
    p->difference = p->value_a - p->value_b;
    if (s->n < 2) {
        single(p);
        return 0;
    }
    double *d = base_alloc(s->n, sizeof *d);
    if (!d)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < s->n; i++)
        d[i] = s->a[i] - s->b[i];
    int rc = stats_paired(s->a, s->b, s->n, NULL, 0, o->level, &paired);
    if (rc == 0)
        rc = stats_interval_mean(s->a, s->n, o->level, &p->interval_a);
    if (rc == 0)
        rc = stats_interval_mean(s->b, s->n, o->level, &p->interval_b);
    if (rc)
        goto out;
    p->difference = paired.difference;
    p->se = paired.se;
    p->interval = paired.interval;
    p->method = "t";
    p->p = paired.p;
    p->t = paired.t;
    p->df = paired.df;
    p->dz = paired.effect;
    p->correlation = paired.correlation;
    p->unpaired_se = paired.se_unpaired;
    if ((rc = plan(p, paired.se * paired.se * (double)s->n, o)) == 0)
        rc = bootstrap(mean_statistic, d, s->n, o, p);
out:
    base_free(d);
    return rc;
}

static double ratio_difference(const void *context, const uint32_t *pick, size_t n)
{
    const struct eval_runs_scores *s = context;
    double ya = 0, wa = 0, yb = 0, wb = 0;
    for (size_t i = 0; i < n; i++) {
        ya += pick[i] * s->a[i];
        wa += pick[i] * s->weight_a[i];
        yb += pick[i] * s->b[i];
        wb += pick[i] * s->weight_b[i];
    }
    return ya / wa - yb / wb;
}

/* exp(R), or R in bits. */
static double shown(const struct eval_runs_scores *s, double ratio)
{
    return s->scale == EVAL_RUNS_LOG_RATIO ? exp(ratio) : ratio / log(2);
}

static int compare_ratios(const struct eval_runs_scores *s, const struct eval_runs_options *o,
                          struct eval_runs_pair *p)
{
    double n = (double)s->n, unit = s->scale == EVAL_RUNS_LOG_RATIO ? 1 : 1 / log(2);
    double wa = stats_sum(s->weight_a, s->n), wb = stats_sum(s->weight_b, s->n);
    if (!(wa > 0 && wb > 0))
        return base_error_set(BASE_E_NUMERIC, "%s: the items have no words or bytes", s->metric);
    double ra = stats_sum(s->a, s->n) / wa, rb = stats_sum(s->b, s->n) / wb;
    p->value_a = shown(s, ra);
    p->value_b = shown(s, rb);
    p->difference = (ra - rb) * unit;
    if (s->n < 2) {
        single(p);
        return 0;
    }
    struct stats_ratio one;
    struct stats_test test;
    double *z = base_alloc(s->n, sizeof *z);
    int rc = z ? 0 : BASE_E_MEMORY;
    const double *values[2] = { s->a, s->b }, *weights[2] = { s->weight_a, s->weight_b };
    struct stats_interval *own[2] = { &p->interval_a, &p->interval_b };
    for (int k = 0; k < 2 && rc == 0; k++) {
        if ((rc = stats_ratio(values[k], weights[k], s->n, &one)) ||
            (rc = stats_interval_t(one.ratio, one.se, one.df, o->level, own[k])))
            break;
        own[k]->low = shown(s, own[k]->low);
        own[k]->high = shown(s, own[k]->high);
    }
    for (size_t i = 0; i < s->n && rc == 0; i++)
        z[i] = p->difference +
               unit * n *
                   ((s->a[i] - ra * s->weight_a[i]) / wa - (s->b[i] - rb * s->weight_b[i]) / wb);
    if (rc || (rc = stats_t_one(z, s->n, 0, STATS_TWO_SIDED, o->level, &test)))
        goto out;
    p->se = test.se;
    p->interval = test.interval;
    p->method = "delta";
    p->p = test.p;
    p->t = test.statistic;
    p->df = test.df;
    p->dz = test.effect;
    p->unpaired_se = p->correlation = NAN;
    if ((rc = plan(p, test.se * test.se * n, o)) ||
        (rc = bootstrap(ratio_difference, s, s->n, o, p)))
        goto out;
    p->bootstrap.low *= unit;
    p->bootstrap.high *= unit;
out:
    base_free(z);
    return rc;
}

/* ---- class metrics ---- */

static int label_metric(const char *metric)
{
    static const struct {
        const char *name;
        int which;
    } known[] = { { "f1", STATS_F1 },
                  { "precision", STATS_PRECISION },
                  { "recall", STATS_RECALL },
                  { "f1_macro", STATS_F1_MACRO },
                  { "f1_micro", STATS_F1_MICRO },
                  { "f1_weighted", STATS_F1_WEIGHTED },
                  { "precision_macro", STATS_PRECISION_MACRO },
                  { "recall_macro", STATS_RECALL_MACRO },
                  { "mcc", STATS_MCC } };
    size_t n = strcspn(metric, ",");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == n && strncmp(known[i].name, metric, n) == 0)
            return known[i].which;
    return -1;
}

bool eval_runs_is_label_metric(const char *metric)
{
    return label_metric(metric) >= 0;
}

struct label_pair {
    const struct eval_runs_scores *s;
    size_t labels;
    int which; /* of stats_label_averages */
};

/* The metric of one run on a resample. matrix [labels][labels] is scratch. */
static double label_value(const struct label_pair *l, const double *code, const uint32_t *pick,
                          double *matrix)
{
    double all[STATS_METRICS];
    memset(matrix, 0, l->labels * l->labels * sizeof *matrix);
    for (size_t i = 0; i < l->s->n; i++) {
        uint32_t c = (uint32_t)code[i];
        matrix[(c >> 16) * l->labels + (c & 65535)] += pick[i];
    }
    stats_label_averages(matrix, l->labels, 1, 0, all);
    return all[l->which];
}

enum { LABELS_MOST = 64 }; /* a table on the stack of each thread */

/* The metrics of both runs and their difference. */
static void label_statistics(const void *context, const uint32_t *pick, size_t n, double *out)
{
    const struct label_pair *l = context;
    double matrix[LABELS_MOST * LABELS_MOST];
    (void)n;
    out[0] = label_value(l, l->s->a, pick, matrix);
    out[1] = label_value(l, l->s->b, pick, matrix);
    out[2] = out[0] - out[1];
}

/* Items are drawn, so that both runs see the same ones. p: twice the share of resamples on the
 * other side of no difference, the sample itself counted (Davison and Hinkley 1997, 4.2). */
static int compare_labels(const struct eval_runs_scores *s, const struct eval_runs_options *o,
                          struct eval_runs_pair *p)
{
    struct label_pair l = { .s = s, .which = label_metric(s->metric) };
    size_t resamples = o->resamples ? o->resamples : 2000, defined[3];
    for (size_t i = 0; i < s->n; i++) {
        uint32_t codes[2] = { (uint32_t)s->a[i], (uint32_t)s->b[i] };
        for (int k = 0; k < 2; k++) {
            l.labels = (codes[k] >> 16) >= l.labels ? (codes[k] >> 16) + 1 : l.labels;
            l.labels = (codes[k] & 65535) >= l.labels ? (codes[k] & 65535) + 1 : l.labels;
        }
    }
    if (l.labels > LABELS_MOST)
        return base_error_set(BASE_E_UNSUPPORTED, "%s: %zu classes; runs are compared by up to %d",
                              s->metric, l.labels, LABELS_MOST);
    uint32_t *once = base_alloc(s->n, sizeof *once);
    double *drawn = base_alloc(resamples, 3 * sizeof *drawn), value[3];
    int rc = once && drawn ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    for (size_t i = 0; i < s->n; i++)
        once[i] = 1;
    label_statistics(&l, once, s->n, value);
    p->value_a = value[0];
    p->value_b = value[1];
    p->difference = value[2];
    if (!isfinite(p->difference)) {
        rc = base_error_set(BASE_E_NUMERIC, "%s is not defined: a class does not occur", s->metric);
        goto out;
    }
    if (s->n < 2) {
        single(p);
        goto out;
    }
    rc = stats_bootstrap_many(label_statistics, &l, s->n, 3, resamples, o->seed, drawn, defined);
    if (rc)
        goto out;
    struct stats_interval *own[3] = { &p->interval_a, &p->interval_b, &p->interval };
    for (int k = 0; k < 3 && rc == 0; k++)
        rc = defined[k] > 1
                 ? stats_bootstrap_percentile(drawn + (size_t)k * resamples, defined[k], o->level,
                                              own[k])
                 : base_error_set(BASE_E_NUMERIC, "%s is not defined on resamples", s->metric);
    if (rc)
        goto out;
    const double *d = drawn + 2 * resamples;
    size_t below = 0, above = 0;
    for (size_t i = 0; i < defined[2]; i++) {
        below += d[i] <= 0;
        above += d[i] >= 0;
    }
    p->p = fmin(1, 2 * (double)(1 + (below < above ? below : above)) / (double)(defined[2] + 1));
    p->se = sqrt(stats_variance(d, defined[2]));
    p->method = "bootstrap";
    p->bootstrap = p->interval;
    p->has_bootstrap = true;
    p->t = p->df = p->dz = p->correlation = p->unpaired_se = NAN;
    rc = plan(p, p->se * p->se * (double)s->n, o);
out:
    base_free(once);
    base_free(drawn);
    return rc;
}

static int compare_clusters(const struct eval_runs_scores *s, const struct eval_runs_options *o,
                            struct eval_runs_pair *p)
{
    struct stats_paired paired;
    if (!s->cluster || s->clusters < 2 || s->clusters == s->n ||
        (s->scale != EVAL_RUNS_BINARY && s->scale != EVAL_RUNS_NUMBER))
        return 0;
    int rc = stats_paired(s->a, s->b, s->n, s->cluster, s->clusters, o->level, &paired);
    if (rc)
        return rc;
    p->clusters = s->clusters;
    p->clustered_se = paired.se;
    p->clustered_p = paired.p;
    p->clustered = paired.interval;
    return 0;
}

int eval_runs_pair_compare(const struct eval_runs_scores *s,
                           const struct eval_runs_options *options, struct eval_runs_pair *out)
{
    size_t a = out->a, b = out->b;
    *out = (struct eval_runs_pair){ .a = a, .b = b, .n = s->n, .holm = NAN, .bh = NAN };
    int rc = s->scale == EVAL_RUNS_BINARY   ? compare_binary(s, options, out)
             : s->scale == EVAL_RUNS_NUMBER ? compare_numbers(s, options, out)
             : s->scale == EVAL_RUNS_LABELS ? compare_labels(s, options, out)
                                            : compare_ratios(s, options, out);
    if (rc == 0)
        rc = compare_clusters(s, options, out);
    out->overlap = overlap(&out->interval_a, &out->interval_b);
    return rc;
}
