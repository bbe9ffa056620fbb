/* Classification metrics from labels, by scikit-learn's conventions.
 *
 * M [k][k] counts items: row = true label, column = predicted. For label j with true positives t =
 * M_jj, r the row's sum (support) and c the column's:
 *     precision t/c     recall t/r     F1 2t/(r+c)
 * each with `zero_division` where its denominator is 0. Averages: micro adds t, c, r over the
 * labels first; macro is the plain mean over labels; weighted that with the supports as weights.
 * Labels whose value is NaN (zero_division NaN) are left out of a mean. MCC = (n sum t - sum r c) /
 * sqrt((n^2 - sum c^2)(n^2 - sum r^2)), 0 where that is 0/0 kappa = (n sum t - sum r c) / (n^2 -
 * sum r c) */
#include "base/memory.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

const char *const stats_metric_names[STATS_METRICS] = { "accuracy",
                                                        "balanced_accuracy",
                                                        "precision_micro",
                                                        "recall_micro",
                                                        "f1_micro",
                                                        "precision_macro",
                                                        "recall_macro",
                                                        "f1_macro",
                                                        "precision_weighted",
                                                        "recall_weighted",
                                                        "f1_weighted",
                                                        "mcc",
                                                        "kappa",
                                                        "precision",
                                                        "recall",
                                                        "f1" };

int stats_confusion(const uint32_t *truth, const uint32_t *predicted, size_t n, size_t labels,
                    double *matrix)
{
    if (n == 0 || labels == 0)
        return base_error_set(BASE_E_ARGUMENT, "there are no items to classify");
    memset(matrix, 0, labels * labels * sizeof *matrix);
    for (size_t i = 0; i < n; i++) {
        if (truth[i] >= labels || predicted[i] >= labels)
            return base_error_set(BASE_E_ARGUMENT, "item %zu: label %u of %zu", i + 1,
                                  truth[i] >= labels ? truth[i] : predicted[i], labels);
        matrix[truth[i] * labels + predicted[i]]++;
    }
    return 0;
}

static double over(double a, double b, double zero_division)
{
    return b > 0 ? a / b : zero_division;
}

void stats_label_metrics(const double *matrix, size_t k, size_t label, double zero_division,
                         struct stats_label_metrics *out)
{
    double hit = matrix[label * k + label], row = 0, column = 0;
    for (size_t j = 0; j < k; j++) {
        row += matrix[label * k + j];
        column += matrix[j * k + label];
    }
    *out = (struct stats_label_metrics){ .precision = over(hit, column, zero_division),
                                         .recall = over(hit, row, zero_division),
                                         .f1 = over(2 * hit, row + column, zero_division),
                                         .support = row,
                                         .predicted = column,
                                         .hits = hit };
}

/* A mean that passes over NaN; NaN when nothing is left. */
struct mean {
    double sum, weight;
};
static void mean_add(struct mean *m, double value, double weight)
{
    if (isnan(value))
        return;
    m->sum += value * weight;
    m->weight += weight;
}

void stats_label_averages(const double *matrix, size_t k, size_t positive, double zero_division,
                          double *out)
{
    struct mean macro[3] = { { 0, 0 } }, weighted[3] = { { 0, 0 } }, balanced = { 0, 0 };
    double n = 0, hits = 0, cross = 0, rows = 0, columns = 0;
    for (size_t j = 0; j < k; j++) {
        struct stats_label_metrics l;
        stats_label_metrics(matrix, k, j, zero_division, &l);
        if (l.support == 0 && l.predicted == 0)
            continue; /* not a label of these items: a resample may miss one */
        const double value[3] = { l.precision, l.recall, l.f1 };
        for (int m = 0; m < 3; m++) {
            mean_add(&macro[m], value[m], 1);
            mean_add(&weighted[m], value[m], l.support);
        }
        if (l.support > 0)
            mean_add(&balanced, l.hits / l.support, 1);
        n += l.support;
        hits += l.hits;
        cross += l.support * l.predicted;
        rows += l.support * l.support;
        columns += l.predicted * l.predicted;
    }
    double below = sqrt((n * n - columns) * (n * n - rows));
    out[STATS_ACCURACY] = hits / n;
    out[STATS_BALANCED_ACCURACY] = balanced.sum / balanced.weight;
    for (int m = 0; m < 3; m++) {
        out[STATS_PRECISION_MICRO + m] = hits / n; /* every item is predicted as one label */
        out[STATS_PRECISION_MACRO + m] = macro[m].sum / macro[m].weight;
        out[STATS_PRECISION_WEIGHTED + m] =
            weighted[m].weight > 0 ? weighted[m].sum / weighted[m].weight : zero_division;
        out[STATS_PRECISION + m] = NAN;
    }
    out[STATS_MCC] = below > 0 ? (n * hits - cross) / below : 0;
    out[STATS_KAPPA] = n * n - cross > 0 ? (n * hits - cross) / (n * n - cross) : NAN;
    if (positive < k) {
        struct stats_label_metrics l;
        stats_label_metrics(matrix, k, positive, zero_division, &l);
        out[STATS_PRECISION] = l.precision;
        out[STATS_RECALL] = l.recall;
        out[STATS_F1] = l.f1;
    }
}

struct labelled {
    const uint32_t *truth, *predicted;
    size_t k, positive;
    double zero_division;
};
enum { STACK_LABELS = 32 };

static void metrics_of(const void *context, const uint32_t *pick, size_t n, double *out)
{
    const struct labelled *d = context;
    double stack[STACK_LABELS * STACK_LABELS], *matrix = stack;
    if (d->k > STACK_LABELS && !(matrix = base_alloc(d->k, d->k * sizeof *matrix))) {
        for (int m = 0; m < STATS_METRICS; m++)
            out[m] = NAN; /* memory ran out: the resample is left out */
        return;
    }
    memset(matrix, 0, d->k * d->k * sizeof *matrix);
    for (size_t i = 0; i < n; i++)
        matrix[d->truth[i] * d->k + d->predicted[i]] += pick[i];
    stats_label_averages(matrix, d->k, d->positive, d->zero_division, out);
    if (matrix != stack)
        base_free(matrix);
}

/* Estimates, then every metric's percentile interval of the same resamples. */
int stats_metrics_bootstrap(stats_statistics_fn *fn, const void *context, size_t n, size_t metrics,
                            const struct stats_bootstrap_options *o, struct stats_metric *out)
{
    size_t cells;
    if (n < 1)
        return base_error_set(BASE_E_ARGUMENT, "there are no items to score");
    if (!(o->level > 0 && o->level < 1))
        return base_error_set(BASE_E_ARGUMENT, "a confidence level is between 0 and 1, not %g",
                              o->level);
    if (o->resamples < 1 || base_mul_size(metrics, o->resamples, &cells))
        return base_error_set(BASE_E_LIMIT, "%zu resamples is out of range", o->resamples);
    double *distribution = base_alloc(cells, sizeof *distribution);
    double *value = base_alloc(metrics, sizeof *value);
    size_t *defined = base_alloc(metrics, sizeof *defined);
    uint32_t *once = base_alloc(n, sizeof *once);
    int rc = BASE_E_MEMORY;
    if (!distribution || !value || !defined || !once)
        goto out;
    for (size_t i = 0; i < n; i++)
        once[i] = 1;
    fn(context, once, n, value);
    rc =
        stats_bootstrap_many(fn, context, n, metrics, o->resamples, o->seed, distribution, defined);
    for (size_t m = 0; m < metrics && rc == 0; m++) {
        const double *row = distribution + m * o->resamples;
        out[m] = (struct stats_metric){
            .value = value[m], .se = NAN, .interval = { NAN, NAN }, .defined = defined[m]
        };
        if (isnan(value[m]) || defined[m] < 2)
            continue;
        out[m].se = row[0] == row[defined[m] - 1] ? 0 : sqrt(stats_variance(row, defined[m]));
        rc = stats_bootstrap_percentile(row, defined[m], o->level, &out[m].interval);
    }
out:
    base_free(distribution);
    base_free(value);
    base_free(defined);
    base_free(once);
    return rc;
}

int stats_classify(const uint32_t *truth, const uint32_t *predicted, size_t n, size_t labels,
                   size_t positive, double zero_division, const struct stats_bootstrap_options *o,
                   struct stats_metric out[STATS_METRICS])
{
    if (labels == 0 || labels > 4096)
        return base_error_set(BASE_E_LIMIT, "1 to 4096 labels can be compared, not %zu", labels);
    for (size_t i = 0; i < n; i++)
        if (truth[i] >= labels || predicted[i] >= labels)
            return base_error_set(BASE_E_ARGUMENT, "item %zu has a label beyond the %zu", i + 1,
                                  labels);
    struct labelled d = { truth, predicted, labels, positive, zero_division };
    int rc = stats_metrics_bootstrap(metrics_of, &d, n, STATS_METRICS, o, out);
    if (rc)
        return rc;
    /* shares of independent items have Wilson's interval, which does not collapse at 0 and 1 */
    double hits = 0, of_positive = 0, as_positive = 0, both = 0;
    for (size_t i = 0; i < n; i++) {
        hits += truth[i] == predicted[i];
        of_positive += truth[i] == positive;
        as_positive += predicted[i] == positive;
        both += truth[i] == positive && predicted[i] == positive;
    }
    for (int m = 0; m < 3 && rc == 0; m++)
        rc = stats_interval_wilson(hits, (double)n, o->level,
                                   &out[STATS_PRECISION_MICRO + m].interval);
    out[STATS_ACCURACY].interval = out[STATS_PRECISION_MICRO].interval;
    if (rc == 0 && as_positive > 0)
        rc = stats_interval_wilson(both, as_positive, o->level, &out[STATS_PRECISION].interval);
    if (rc == 0 && of_positive > 0)
        rc = stats_interval_wilson(both, of_positive, o->level, &out[STATS_RECALL].interval);
    return rc;
}
