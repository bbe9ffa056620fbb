/* Metrics of scores against 0/1 truth: how well they rank (ROC, precision-recall) and how well they
 * are calibrated (Brier, ECE). All take counts per item, so that a bootstrap costs one pass over
 * items sorted once.
 *
 *     AUC  = P(score of a positive > of a negative) + P(equal)/2   (Mann and Whitney)
 *     AP   = sum_t (R_t - R_{t-1}) P_t over the distinct thresholds, from the highest
 *     PR-AUC by trapezoids over the same points, from (R 0, P 1)
 *     TPR at FPR f: the most of the positives found at a threshold that takes at most the share f
 * of the negatives (no interpolation) Brier = mean (p - y)^2 for two classes; sum over classes for
 * more ECE  = sum_b n_b/n |mean confidence_b - share right_b| over equal bins (lo, hi] */
#include "base/memory.h"
#include "stats/draw.h"
#include "stats/distribution.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

const char *const stats_rank_names[STATS_RANKS] = { "roc_auc", "average_precision", "pr_auc",
                                                    "tpr_at_fpr" };

struct ranked {
    const double *score; /* descending */
    const double *truth; /* in that order */
    const size_t *order; /* place i holds item order[i] */
    size_t n;
    double fpr;
};

static void rank_metrics(const void *context, const uint32_t *pick, size_t items, double *out)
{
    (void)items;
    const struct ranked *d = context;
    double positives = 0, all = 0;
    for (size_t i = 0; i < d->n; i++) {
        double w = pick[d->order[i]];
        positives += w * d->truth[i];
        all += w;
    }
    double negatives = all - positives;
    for (int m = 0; m < STATS_RANKS; m++)
        out[m] = NAN;
    if (positives == 0)
        return;
    double tp = 0, fp = 0, area = 0, ap = 0, pr = 0, last_precision = 1, tpr = 0;
    for (size_t i = 0; i < d->n;) {
        double more_tp = 0, more_fp = 0;
        size_t end = i;
        for (; end < d->n && d->score[end] == d->score[i]; end++) {
            double w = pick[d->order[end]];
            more_tp += w * d->truth[end];
            more_fp += w * (1 - d->truth[end]);
        }
        i = end;
        if (more_tp + more_fp == 0)
            continue; /* no such score in this resample */
        area += more_fp * (tp + more_tp / 2);
        tp += more_tp;
        fp += more_fp;
        double precision = tp / (tp + fp);
        ap += more_tp / positives * precision;
        pr += more_tp / positives * (precision + last_precision) / 2;
        last_precision = precision;
        if (negatives > 0 && fp <= d->fpr * negatives)
            tpr = tp / positives;
    }
    out[STATS_AVERAGE_PRECISION] = ap;
    out[STATS_PR_AUC] = pr;
    if (negatives > 0) {
        out[STATS_ROC_AUC] = area / (positives * negatives);
        out[STATS_TPR_AT_FPR] = tpr;
    }
}

/* DeLong's variance of the AUC (1988) from mid-ranks (Sun and Xu 2014): with V_i the share of
 * negatives below positive i and W_j that of positives above negative j, Var = Var(V)/m + Var(W)/n.
 */
static int delong(const double *score, const double *truth, size_t n, double *se)
{
    double *all = base_alloc(n, sizeof *all), *part = base_alloc(n, sizeof *part);
    double *own = base_alloc(n, sizeof *own);
    int rc = !all || !part || !own ? BASE_E_MEMORY : stats_ranks(score, n, all);
    double variance = 0;
    for (int side = 0; side < 2 && rc == 0; side++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++)
            if ((truth[i] == 1) == (side == 1))
                part[m++] = score[i];
        if (m < 2) {
            variance = NAN;
            break;
        }
        if ((rc = stats_ranks(part, m, own)))
            break;
        m = 0;
        for (size_t i = 0; i < n; i++)
            if ((truth[i] == 1) == (side == 1)) {
                part[m] = all[i] - own[m]; /* how many of the other side are below */
                m++;
            }
        double others = (double)(n - m);
        variance += stats_variance(part, m) / (double)m / (others * others);
    }
    *se = sqrt(variance);
    base_free(all);
    base_free(part);
    base_free(own);
    return rc;
}

static int check_truth(const double *truth, size_t n)
{
    double positives = 0;
    for (size_t i = 0; i < n; i++) {
        if (truth[i] != 0 && truth[i] != 1)
            return base_error_set(BASE_E_ARGUMENT, "truth %zu is %g; it must be 0 or 1", i + 1,
                                  truth[i]);
        positives += truth[i];
    }
    if (positives == 0 || positives == (double)n)
        return base_error_set(BASE_E_ARGUMENT,
                              "all %zu items are of one class: there is nothing to rank", n);
    return 0;
}

int stats_auc(const double *score, const double *truth, size_t n, double *auc, double *se)
{
    int rc;
    if ((rc = stats_check_finite(score, n, "scores")) || (rc = check_truth(truth, n)))
        return rc;
    double *rank = base_alloc(n, sizeof *rank), sum = 0, ones = 0;
    rc = rank ? stats_ranks(score, n, rank) : BASE_E_MEMORY;
    for (size_t i = 0; i < n && rc == 0; i++) {
        sum += truth[i] == 1 ? rank[i] : 0;
        ones += truth[i];
    }
    base_free(rank);
    *auc = (sum - ones * (ones + 1) / 2) / (ones * ((double)n - ones));
    return rc ? rc : delong(score, truth, n, se);
}

int stats_rank(const double *score, const double *truth, size_t n, double fpr,
               const struct stats_bootstrap_options *o, struct stats_metric out[STATS_RANKS])
{
    int rc;
    if ((rc = stats_check_finite(score, n, "scores")) || (rc = check_truth(truth, n)))
        return rc;
    if (!(fpr >= 0 && fpr <= 1))
        return base_error_set(BASE_E_ARGUMENT, "a false positive rate is between 0 and 1, not %g",
                              fpr);
    double *sorted = base_alloc(n, sizeof *sorted), *labels = base_alloc(n, sizeof *labels);
    size_t *order = base_alloc(n, sizeof *order);
    double se;
    rc = !sorted || !labels || !order ? BASE_E_MEMORY : 0;
    if (rc)
        goto out;
    for (size_t i = 0; i < n; i++)
        sorted[i] = -score[i];
    if ((rc = stats_order(sorted, n, order)))
        goto out;
    for (size_t i = 0; i < n; i++) {
        sorted[i] = score[order[i]];
        labels[i] = truth[order[i]];
    }
    struct ranked d = { sorted, labels, order, n, fpr };
    if ((rc = stats_metrics_bootstrap(rank_metrics, &d, n, STATS_RANKS, o, out)) ||
        (rc = delong(score, truth, n, &se)))
        goto out;
    /* DeLong on the logit scale, which stays inside (0, 1) */
    double auc = out[STATS_ROC_AUC].value;
    if (se > 0 && auc > 0 && auc < 1) {
        double z = stats_normal_quantile((1 + o->level) / 2) * se / (auc * (1 - auc));
        double logit = log(auc / (1 - auc));
        out[STATS_ROC_AUC].se = se;
        out[STATS_ROC_AUC].interval.low = 1 / (1 + exp(-(logit - z)));
        out[STATS_ROC_AUC].interval.high = 1 / (1 + exp(-(logit + z)));
    }
out:
    base_free(sorted);
    base_free(labels);
    base_free(order);
    return rc;
}

/* ---- calibration ---- */

const char *const stats_calibration_names[STATS_CALIBRATIONS] = { "ece", "mce", "brier" };

struct calibrated {
    const double *confidence, *right, *square; /* square NULL: no Brier */
    const uint8_t *bin;
    size_t bins;
};
enum { MOST_BINS = 255 };

static void calibration_of(const void *context, const uint32_t *pick, size_t n, double *out)
{
    const struct calibrated *d = context;
    double count[MOST_BINS] = { 0 }, confidence[MOST_BINS] = { 0 }, right[MOST_BINS] = { 0 };
    double all = 0, squares = 0, ece = 0, worst = 0;
    for (size_t i = 0; i < n; i++) {
        double w = pick[i];
        count[d->bin[i]] += w;
        confidence[d->bin[i]] += w * d->confidence[i];
        right[d->bin[i]] += w * d->right[i];
        all += w;
        squares += d->square ? w * d->square[i] : 0;
    }
    for (size_t b = 0; b < d->bins; b++)
        if (count[b] > 0) {
            double gap = fabs(confidence[b] - right[b]);
            ece += gap / all;
            worst = fmax(worst, gap / count[b]);
        }
    out[STATS_ECE] = ece;
    out[STATS_MCE] = worst;
    out[STATS_BRIER] = d->square ? squares / all : NAN;
}

int stats_calibrate(const double *confidence, const double *right, const double *square, size_t n,
                    size_t bins, const struct stats_bootstrap_options *o,
                    struct stats_metric out[STATS_CALIBRATIONS], struct stats_bin *table)
{
    if (n == 0)
        return base_error_set(BASE_E_ARGUMENT, "there are no items to calibrate");
    if (bins < 1 || bins > MOST_BINS)
        return base_error_set(BASE_E_ARGUMENT, "1 to 255 bins can be made, not %zu", bins);
    uint8_t *bin = base_alloc(n, sizeof *bin);
    int rc = bin ? 0 : BASE_E_MEMORY;
    for (size_t b = 0; b < bins; b++)
        table[b] = (struct stats_bin){ .low = (double)b / (double)bins,
                                       .high = (double)(b + 1) / (double)bins,
                                       .confidence = NAN,
                                       .right = NAN,
                                       .interval = { NAN, NAN } };
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (!(confidence[i] >= 0 && confidence[i] <= 1) || !(right[i] == 0 || right[i] == 1)) {
            rc = base_error_set(
                BASE_E_ARGUMENT,
                "item %zu: confidence %g must be in [0, 1] and its outcome %g 0 or 1", i + 1,
                confidence[i], right[i]);
            break;
        }
        /* (low, high]: the first bin whose upper end is not below; 0 belongs to the first */
        size_t b = (size_t)fmax(0, ceil(confidence[i] * (double)bins) - 1);
        b = b < bins ? b : bins - 1;
        while (b > 0 && confidence[i] <= table[b].low)
            b--;
        while (b + 1 < bins && confidence[i] > table[b].high)
            b++;
        bin[i] = (uint8_t)b;
        table[b].count++;
        table[b].confidence =
            (isnan(table[b].confidence) ? 0 : table[b].confidence) + confidence[i];
        table[b].right = (isnan(table[b].right) ? 0 : table[b].right) + right[i];
    }
    for (size_t b = 0; b < bins && rc == 0; b++)
        if (table[b].count > 0) {
            rc =
                stats_interval_wilson(table[b].right, table[b].count, o->level, &table[b].interval);
            table[b].confidence /= table[b].count;
            table[b].right /= table[b].count;
        }
    if (rc == 0) {
        struct calibrated d = { confidence, right, square, bin, bins };
        rc = stats_metrics_bootstrap(calibration_of, &d, n, STATS_CALIBRATIONS, o, out);
    }
    base_free(bin);
    return rc;
}
