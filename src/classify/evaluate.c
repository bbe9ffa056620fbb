/* Measures of predictions, with intervals and in pairs; see compare.h.
 *
 * One bootstrap over the held-out items serves everything: a resample counts the items by what they
 * are and what each strategy said of them, so the differences between strategies are of the same
 * resample, which is what makes them paired. Items of the same truth and the same predictions are
 * one kind, and a resample is a count per kind: all confusion matrices come of some dozens of
 * numbers. Shares (TNR, TPR, precision, accuracy) have Wilson's interval, which does not collapse
 * at 0 and 1; all others, and all differences, have percentiles.
 *
 * McNemar's test compares which items are right; its p-values (mid-p) are adjusted by Holm. */
#include "base/memory.h"
#include "classify/compare.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const classify_measure_names[CLASSIFY_MEASURES] = {
    "tnr",      "tpr",     "precision",         "f1",       "mcc",         "balanced_accuracy",
    "accuracy", "roc_auc", "average_precision", "f1_macro", "f1_weighted", "kappa"
};

void classify_measures(const double *m, size_t k, double roc_auc, double average_precision,
                       double out[CLASSIFY_MEASURES])
{
    double s[STATS_METRICS];
    stats_label_averages(m, k, k == 2 ? 1 : k, 0, s);
    out[CLASSIFY_TNR] = out[CLASSIFY_TPR] = NAN;
    if (k == 2) {
        out[CLASSIFY_TNR] = m[0] + m[1] > 0 ? m[0] / (m[0] + m[1]) : NAN;
        out[CLASSIFY_TPR] = m[2] + m[3] > 0 ? m[3] / (m[2] + m[3]) : NAN;
    }
    out[CLASSIFY_PRECISION] = s[STATS_PRECISION];
    out[CLASSIFY_F1] = s[STATS_F1];
    out[CLASSIFY_MCC] = s[STATS_MCC];
    out[CLASSIFY_BALANCED_ACCURACY] = s[STATS_BALANCED_ACCURACY];
    out[CLASSIFY_ACCURACY] = s[STATS_ACCURACY];
    out[CLASSIFY_ROC_AUC] = roc_auc;
    out[CLASSIFY_AVERAGE_PRECISION] = average_precision;
    out[CLASSIFY_F1_MACRO] = s[STATS_F1_MACRO];
    out[CLASSIFY_F1_WEIGHTED] = s[STATS_F1_WEIGHTED];
    out[CLASSIFY_KAPPA] = s[STATS_KAPPA];
}

/* ---- scores in order ---- */

/* Items from the highest score down; last[i] says that the next score is another one. For areas
 * the places are cut into steps: a step's negatives, then its positives, all of equal score, or a
 * run of negatives of falling scores between two positives, which the areas need only as a sum. */
struct step {
    uint32_t negatives, positives; /* ends of both in `grouped` */
};
struct ordered {
    uint32_t *item;
    bool *positive, *last; /* by place */
    uint32_t *grouped;     /* [n] items, step by step */
    struct step *step;
    size_t steps;
};

struct scored {
    double score;
    uint32_t item;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static void ordered_free(struct ordered *o)
{
    base_free(o->item);
    base_free(o->positive);
    base_free(o->last);
    base_free(o->grouped);
    base_free(o->step);
}

static void steps_make(struct ordered *o, size_t n)
{
    uint32_t at = 0;
    bool open = false; /* the last step has negatives alone */
    for (size_t i = 0, end; i < n; i = end) {
        bool any = false;
        for (end = i; end == i || !o->last[end - 1]; end++)
            any = any || o->positive[end];
        struct step *s = open ? &o->step[o->steps - 1] : &o->step[o->steps++];
        if (open && any) /* the step before ends here */
            s = &o->step[o->steps++];
        for (size_t k = i; k < end; k++)
            if (!o->positive[k])
                o->grouped[at++] = o->item[k];
        s->negatives = at;
        for (size_t k = i; k < end; k++)
            if (o->positive[k])
                o->grouped[at++] = o->item[k];
        s->positives = at;
        open = !any;
    }
}

static int ordered_make(struct ordered *o, const double *score, const uint32_t *truth, size_t n)
{
    struct scored *s = base_alloc(n, sizeof *s);
    *o = (struct ordered){ .item = base_alloc(n, sizeof *o->item),
                           .positive = base_alloc(n, sizeof *o->positive),
                           .last = base_alloc(n, sizeof *o->last),
                           .grouped = base_alloc(n, sizeof *o->grouped),
                           .step = base_alloc(n, sizeof *o->step) };
    int rc = s && o->item && o->positive && o->last && o->grouped && o->step ? 0 : BASE_E_MEMORY;
    if (!rc) {
        for (size_t i = 0; i < n; i++)
            s[i] = (struct scored){ score[i], (uint32_t)i };
        qsort(s, n, sizeof *s, by_score);
        for (size_t i = 0; i < n; i++) {
            o->item[i] = s[i].item;
            o->positive[i] = truth[s[i].item] == 1;
            o->last[i] = i + 1 == n || s[i + 1].score != s[i].score;
        }
        steps_make(o, n);
    }
    base_free(s);
    return rc;
}

/* Areas with pick[item] copies of every item. */
static void areas_of(const struct ordered *o, const uint32_t *pick, double *roc, double *ap)
{
    double tp = 0, fp = 0, area = 0, precision = 0;
    uint32_t at = 0;
    for (size_t s = 0; s < o->steps; s++) {
        uint64_t negatives = 0, positives = 0;
        for (; at < o->step[s].negatives; at++)
            negatives += pick[o->grouped[at]];
        for (; at < o->step[s].positives; at++)
            positives += pick[o->grouped[at]];
        area += (double)negatives * (tp + (double)positives / 2);
        tp += (double)positives;
        fp += (double)negatives;
        if (positives)
            precision += (double)positives * tp / (tp + fp);
    }
    *roc = tp > 0 && fp > 0 ? area / (tp * fp) : NAN;
    *ap = tp > 0 ? precision / tp : NAN;
}

int classify_areas(const double *score, const uint32_t *truth, size_t n, double *roc, double *ap)
{
    struct ordered o;
    uint32_t *once = base_alloc(n, sizeof *once);
    int rc = ordered_make(&o, score, truth, n);
    rc = once ? rc : BASE_E_MEMORY;
    if (!rc) {
        for (size_t i = 0; i < n; i++)
            once[i] = 1;
        areas_of(&o, once, roc, ap);
    }
    base_free(once);
    ordered_free(&o);
    return rc;
}

int classify_curve(struct classify_curve *out, enum classify_curve_kind kind, const double *score,
                   const uint32_t *truth, size_t n, size_t most)
{
    struct ordered o;
    *out = (struct classify_curve){ base_alloc(n + 1, sizeof *out->x),
                                    base_alloc(n + 1, sizeof *out->y), 0 };
    int rc = ordered_make(&o, score, truth, n);
    rc = out->x && out->y ? rc : BASE_E_MEMORY;
    if (rc)
        goto out;
    double positives = 0, tp = 0, fp = 0;
    for (size_t i = 0; i < n; i++)
        positives += o.positive[i];
    double negatives = (double)n - positives;
    if (!(positives > 0) || !(negatives > 0)) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "all %zu items are of one class: there is no curve to draw", n);
        goto out;
    }
    if (kind == CLASSIFY_ROC) {
        out->x[0] = out->y[0] = 0;
        out->n = 1;
    }
    double step = most > 1 ? 1 / (double)(most - 1) : 0;
    for (size_t i = 0; i < n; i++) {
        tp += o.positive[i];
        fp += !o.positive[i];
        if (!o.last[i] || (kind == CLASSIFY_PR && tp == 0))
            continue;
        double x = kind == CLASSIFY_ROC ? fp / negatives : tp / positives;
        double y = kind == CLASSIFY_ROC ? tp / positives : tp / (tp + fp);
        /* thinned: a point near the last kept one replaces nothing, but the end always stands */
        if (i + 1 < n && step > 0 && out->n > 1 && x - out->x[out->n - 1] < step &&
            fabs(y - out->y[out->n - 1]) < step)
            continue;
        out->x[out->n] = x;
        out->y[out->n++] = y;
    }
out:
    ordered_free(&o);
    if (rc)
        classify_curve_free(out);
    return rc;
}

void classify_curve_free(struct classify_curve *c)
{
    base_free(c->x);
    base_free(c->y);
    *c = (struct classify_curve){ 0 };
}

/* ---- one bootstrap for all ---- */

struct joint {
    const struct classify_comparison *c;
    size_t kinds;
    uint32_t *kind;        /* [items] */
    uint32_t *says;        /* [kinds][1 + strategies]: truth, then predictions */
    struct ordered *order; /* [strategies] two classes; else NULL */
};
enum { STACK_LABELS = 16, STACK_KINDS = 512 };

/* out [strategies][measures], then [strategies - 1][measures] of differences from the first. */
static void joint_measures(const void *context, const uint32_t *pick, size_t n, double *out)
{
    const struct joint *j = context;
    size_t k = j->c->classes, s_n = j->c->strategies, m = CLASSIFY_MEASURES;
    double stack_count[STACK_KINDS], stack_matrix[STACK_LABELS * STACK_LABELS];
    double *count = j->kinds <= STACK_KINDS ? stack_count : base_alloc(j->kinds, sizeof *count);
    double *matrix = k <= STACK_LABELS ? stack_matrix : base_alloc(k, k * sizeof *matrix);
    for (size_t i = 0; i < (2 * s_n - 1) * m; i++)
        out[i] = NAN; /* where memory runs out, the resample is left out */
    if (count && matrix) {
        memset(count, 0, j->kinds * sizeof *count);
        for (size_t i = 0; i < n; i++)
            count[j->kind[i]] += pick[i];
        for (size_t s = 0; s < s_n; s++) {
            double roc = NAN, ap = NAN;
            memset(matrix, 0, k * k * sizeof *matrix);
            for (size_t q = 0; q < j->kinds; q++) {
                const uint32_t *says = j->says + q * (1 + s_n);
                matrix[says[0] * k + says[1 + s]] += count[q];
            }
            if (j->order)
                areas_of(&j->order[s], pick, &roc, &ap);
            classify_measures(matrix, k, roc, ap, out + s * m);
        }
        for (size_t s = 1; s < s_n; s++)
            for (size_t i = 0; i < m; i++)
                out[(s_n + s - 1) * m + i] = out[s * m + i] - out[i];
    }
    if (count != stack_count)
        base_free(count);
    if (matrix != stack_matrix)
        base_free(matrix);
}

static void joint_free(struct joint *j)
{
    base_free(j->kind);
    base_free(j->says);
    for (size_t s = 0; j->order && s < j->c->strategies; s++)
        ordered_free(&j->order[s]);
    base_free(j->order);
}

static int joint_make(struct joint *j, const struct classify_comparison *c)
{
    *j = (struct joint){ .c = c };
    struct classify_words seen = { 0 };
    size_t width = 1 + c->strategies;
    uint32_t *says = base_alloc(width, sizeof *says);
    j->kind = base_alloc(c->items, sizeof *j->kind);
    int rc = says && j->kind ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < c->items && !rc; i++) {
        says[0] = c->truth[i];
        for (size_t s = 0; s < c->strategies; s++)
            says[1 + s] = c->outcome[s].predicted[i];
        rc = classify_words_add(&seen, (const char *)says, width * sizeof *says, &j->kind[i]);
    }
    j->kinds = seen.n;
    if (!rc && !(j->says = base_alloc(seen.n, width * sizeof *j->says)))
        rc = BASE_E_MEMORY;
    if (!rc)
        memcpy(j->says, seen.bytes, seen.n * width * sizeof *j->says);
    if (!rc && c->outputs == 1 && !(j->order = base_alloc_zero(c->strategies, sizeof *j->order)))
        rc = BASE_E_MEMORY;
    for (size_t s = 0; j->order && s < c->strategies && !rc; s++)
        rc = ordered_make(&j->order[s], c->outcome[s].score, c->truth, c->items);
    classify_words_free(&seen);
    base_free(says);
    return rc;
}

/* Wilson's intervals for the shares. */
static int shares(struct classify_outcome *o, size_t k, double level)
{
    double right = 0, all = 0;
    for (size_t i = 0; i < k * k; i++) {
        all += o->confusion[i];
        right += i % (k + 1) == 0 ? o->confusion[i] : 0;
    }
    int rc = stats_interval_wilson(right, all, level, &o->measure[CLASSIFY_ACCURACY].interval);
    if (k != 2)
        return rc;
    const double *m = o->confusion;
    const struct {
        enum classify_measure measure;
        double hits, of;
    } share[3] = { { CLASSIFY_TNR, m[0], m[0] + m[1] },
                   { CLASSIFY_TPR, m[3], m[2] + m[3] },
                   { CLASSIFY_PRECISION, m[3], m[1] + m[3] } };
    for (int i = 0; i < 3 && !rc; i++)
        if (share[i].of > 0)
            rc = stats_interval_wilson(share[i].hits, share[i].of, level,
                                       &o->measure[share[i].measure].interval);
    return rc;
}

static int pairs(struct classify_comparison *c, double level)
{
    size_t n = c->strategies - 1;
    double *p = base_alloc(n, sizeof *p);
    int rc = p ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < n && !rc; i++) {
        double only[2] = { 0, 0 };
        for (size_t t = 0; t < c->items; t++) {
            bool first = c->outcome[0].predicted[t] == c->truth[t];
            bool this = c->outcome[i + 1].predicted[t] == c->truth[t];
            only[0] += first && !this;
            only[1] += this && !first;
        }
        c->pair[i].strategy = i + 1;
        rc = stats_mcnemar(only[0], only[1], level, &c->pair[i].mcnemar);
        p[i] = rc ? 1 : c->pair[i].mcnemar.midp;
    }
    if (!rc && n)
        rc = stats_adjust(STATS_HOLM, p, n, p);
    for (size_t i = 0; i < n && !rc; i++)
        c->pair[i].p_adjusted = p[i];
    base_free(p);
    return rc;
}

int classify_evaluate(struct classify_comparison *c, const struct stats_bootstrap_options *b)
{
    struct joint j;
    size_t m = CLASSIFY_MEASURES, outputs = (2 * c->strategies - 1) * m;
    struct stats_metric *all = base_alloc(outputs, sizeof *all);
    int rc = joint_make(&j, c);
    rc = all ? rc : BASE_E_MEMORY;
    if (!rc)
        rc = stats_metrics_bootstrap(joint_measures, &j, c->items, outputs, b, all);
    for (size_t s = 0; s < c->strategies && !rc; s++) {
        memcpy(c->outcome[s].measure, all + s * m, m * sizeof *all);
        rc = shares(&c->outcome[s], c->classes, b->level);
        if (s)
            memcpy(c->pair[s - 1].difference, all + (c->strategies + s - 1) * m, m * sizeof *all);
    }
    if (!rc)
        rc = pairs(c, b->level);
    joint_free(&j);
    base_free(all);
    return rc;
}

int classify_calibrate(const struct classify_comparison *c, const double *probability,
                       const struct stats_bootstrap_options *b, struct classify_calibrated *out)
{
    size_t k = c->classes, n = c->items;
    double *confidence = base_alloc(n, sizeof *confidence), *right = base_alloc(n, sizeof *right);
    double *square = base_alloc(n, sizeof *square);
    int rc = confidence && right && square ? 0 : BASE_E_MEMORY;
    out->mean = out->share = k == 2 ? 0 : NAN;
    for (size_t i = 0; i < n && !rc; i++) {
        const double *p = probability + i * k;
        size_t best = 0;
        square[i] = 0;
        for (size_t q = 0; q < k; q++) {
            double e = p[q] - (c->truth[i] == q);
            square[i] += e * e;
            best = p[q] > p[best] ? q : best;
        }
        if (k == 2) {
            best = 1;
            square[i] /= 2; /* both classes' squares are the same one */
            out->mean += p[1] / (double)n;
            out->share += (c->truth[i] == 1) / (double)n;
        }
        confidence[i] = fmin(fmax(p[best], 0), 1);
        right[i] = c->truth[i] == best;
    }
    if (!rc)
        rc = stats_calibrate(confidence, right, square, n, sizeof out->bin / sizeof *out->bin, b,
                             out->measure, out->bin);
    base_free(confidence);
    base_free(right);
    base_free(square);
    return rc;
}
