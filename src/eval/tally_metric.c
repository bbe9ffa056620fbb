/* From items' values to a figure with its standard error and interval.
 *
 * The unit that was sampled is the item, or the cluster the task names (a passage, a pair).
 * "stderr" is always lm-eval's (items taken as independent), so that figures can be compared; the
 * interval, and "stderr_clustered", respect clusters.
 *
 *   0/1 values       Wilson; clustered: t with C - 1 degrees of freedom on
 *                    SE = sqrt(C/(C-1) sum_c (sum_{i in c} (s_i - mean))^2) / n (arXiv:2411.00640)
 *   other means      t; exp(-mean): the interval of the mean, mapped
 *   ratios of sums   delta method with t below 20 units, else percentile bootstrap over units
 *   f1, mcc, ece, areas, median, bleu, chrf, ter: percentile bootstrap over units, 1,000 resamples
 *
 * Class metrics follow scikit-learn: averages over the classes that occur as true or predicted, 0
 * where a ratio has no denominator; MCC is Gorodkin's; roc_auc and pr_auc (average precision) take
 * the probability of class 1, or the mean over classes against the rest. */
#include "base/json.h"
#include "base/memory.h"
#include "eval/tally.h"
#include "eval/judge_corpus.h"
#include <assay/stats.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES = 1000, BINS = 10, MANY = 20 };

enum bounds { UNBOUNDED, POSITIVE, UNIT };
struct figure {
    double value, stderr_iid, stderr_clustered;
    struct stats_interval ci;
    bool has_ci;
    const char *method, *reason;
    size_t n, units;
};

static json_t *figure_json(const struct figure *f, const struct task_metric *m,
                           const struct tally_rules *rules)
{
    json_t *o = json_pack(
        "{s:o, s:o, s:o, s:s?, s:I, s:b}", "value", base_json_number(f->value), "stderr",
        base_json_number(f->stderr_iid), "ci",
        f->has_ci ? json_pack("[o, o]", base_json_number(f->ci.low), base_json_number(f->ci.high))
                  : json_null(),
        "method", f->has_ci ? f->method : NULL, "n", (json_int_t)f->n, "higher_is_better",
        m->higher_is_better);
    if (o && rules->clustered) {
        json_object_set_new(o, "clusters", json_integer((json_int_t)f->units));
        json_object_set_new(o, "stderr_clustered", base_json_number(f->stderr_clustered));
    }
    if (o && f->reason)
        json_object_set_new(o, "reason", json_string(f->reason));
    return o;
}

static int finish(const struct figure *f, const struct task_metric *m,
                  const struct tally_rules *rules, json_t **out)
{
    *out = figure_json(f, m, rules);
    return *out ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
}

/* The chosen items with their units renumbered 0 .. units-1 in order of first appearance. */
struct choice {
    size_t *at, *unit; /* [n] */
    size_t n, units;
};

static int by_unit(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return x[0] < y[0] ? -1 : x[0] > y[0] ? 1 : x[1] < y[1] ? -1 : x[1] > y[1];
}

static int choose(const size_t *unit, const size_t *category, size_t n, size_t wanted,
                  struct choice *c)
{
    *c = (struct choice){ .at = base_alloc(n, sizeof *c->at),
                          .unit = base_alloc(n, sizeof *c->unit) };
    size_t(*pairs)[2] = base_alloc(n, sizeof *pairs);
    if (!c->at || !c->unit || !pairs) {
        base_free(pairs);
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < n; i++)
        if (wanted == SIZE_MAX || category[i] == wanted) {
            pairs[c->n][0] = unit[i];
            pairs[c->n][1] = c->n;
            c->at[c->n++] = i;
        }
    qsort(pairs, c->n, sizeof *pairs, by_unit);
    for (size_t i = 0; i < c->n; i++) {
        c->units += i == 0 || pairs[i][0] != pairs[i - 1][0];
        c->unit[pairs[i][1]] = c->units - 1;
    }
    base_free(pairs);
    return 0;
}

static void choice_free(struct choice *c)
{
    base_free(c->at);
    base_free(c->unit);
}

/* ---- numbers ---- */

/* Mean with its errors and interval; x [n], unit [n]. Sets value, errors, ci of f. */
static int mean_figure(const double *x, const struct choice *c, bool proportion, enum bounds bounds,
                       const struct tally_rules *rules, struct figure *f)
{
    size_t n = c->n;
    f->value = stats_mean(x, n);
    f->stderr_iid = f->stderr_clustered = NAN;
    if (n > 1)
        f->stderr_iid = sqrt(stats_variance(x, n) / (double)n);
    if (rules->clustered) {
        double *sums = base_alloc_zero(c->units, sizeof *sums), square = 0;
        if (!sums)
            return BASE_E_MEMORY;
        for (size_t i = 0; i < n; i++)
            sums[c->unit[i]] += x[i] - f->value;
        for (size_t u = 0; u < c->units; u++)
            square += sums[u] * sums[u];
        base_free(sums);
        double units = (double)c->units;
        if (c->units > 1)
            f->stderr_clustered = sqrt(units / (units - 1) * square) / (double)n;
    }
    bool flat = rules->clustered && f->stderr_clustered == 0;
    if (proportion && (!rules->clustered || flat)) {
        /* Clusters without any spread: one observation each. */
        double trials = rules->clustered ? (double)c->units : (double)n;
        f->has_ci = stats_interval_wilson(f->value * trials, trials, rules->level, &f->ci) == 0;
        f->method = rules->clustered ? "wilson over clusters" : "wilson";
        return 0;
    }
    double se = rules->clustered ? f->stderr_clustered : f->stderr_iid;
    size_t units = rules->clustered ? c->units : n;
    f->method = rules->clustered ? "clustered t" : "t";
    f->has_ci = units > 1 && isfinite(se) &&
                stats_interval_t(f->value, se, (double)units - 1, rules->level, &f->ci) == 0;
    if (!f->has_ci)
        f->reason = "an interval needs at least two independent items";
    /* No further than values can go: 0 to 1, or from 0 on (a Brier score reaches 2). */
    if (f->has_ci && bounds != UNBOUNDED) {
        f->ci.low = f->ci.low < 0 ? 0 : f->ci.low;
        f->ci.high = bounds == UNIT && f->ci.high > 1 ? 1 : f->ci.high;
    }
    return 0;
}

static int ratio_figure(const struct tally_numbers *s, const struct choice *c, bool bits,
                        const struct tally_rules *rules, struct figure *f)
{
    double *y = base_alloc_zero(c->units, sizeof *y), *x = base_alloc_zero(c->units, sizeof *x);
    struct stats_ratio ratio;
    struct stats_interval ci;
    int rc = x && y ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < c->n; i++) {
        y[c->unit[i]] -= s->a[c->at[i]];
        x[c->unit[i]] += s->b[c->at[i]];
    }
    f->value = f->stderr_iid = f->stderr_clustered = NAN;
    if (rc == 0 && stats_ratio(y, x, c->units, &ratio) == 0) {
        f->value = bits ? ratio.ratio / M_LN2 : exp(ratio.ratio);
        f->stderr_iid = bits ? ratio.se / M_LN2 : f->value * ratio.se;
        f->stderr_clustered = f->stderr_iid;
        if (c->units >= MANY) {
            rc = stats_bootstrap_ratio(y, x, c->units, RESAMPLES, rules->seed, rules->level, &ci);
            f->method = "bootstrap";
            f->has_ci = rc == 0;
        } else if (c->units > 1 && isfinite(ratio.se)) {
            f->method = "delta method, t";
            f->has_ci = stats_interval_t(ratio.ratio, ratio.se, ratio.df, rules->level, &ci) == 0;
        }
        if (f->has_ci)
            f->ci = bits ? (struct stats_interval){ ci.low / M_LN2, ci.high / M_LN2 }
                         : (struct stats_interval){ exp(ci.low), exp(ci.high) };
        else
            f->reason = "an interval needs at least two documents";
    } else if (rc == 0) {
        f->reason = "nothing to divide by";
    }
    base_free(x);
    base_free(y);
    return rc;
}

struct median_context {
    const double *x;    /* ascending [n] */
    const size_t *unit; /* [n], in x's order */
    size_t n;
};

/* lm-eval's: the element at n/2 of the ascending values. */
static double median_statistic(const void *context, const uint32_t *pick, size_t units)
{
    const struct median_context *m = context;
    size_t total = 0, seen = 0;
    (void)units;
    for (size_t i = 0; i < m->n; i++)
        total += pick[m->unit[i]];
    for (size_t i = 0; i < m->n; i++) {
        seen += pick[m->unit[i]];
        if (seen > total / 2)
            return m->x[i];
    }
    return m->n ? m->x[m->n - 1] : NAN;
}

/* Percentile interval of a statistic over units; NaN resamples count as the estimate. */
struct safe {
    stats_statistic_fn *statistic;
    const void *context;
    double estimate;
};
static double safe_statistic(const void *context, const uint32_t *pick, size_t n)
{
    const struct safe *s = context;
    double x = s->statistic(s->context, pick, n);
    return isnan(x) ? s->estimate : x;
}

static int bootstrap_figure(stats_statistic_fn *statistic, const void *context, size_t units,
                            const struct tally_rules *rules, struct figure *f)
{
    uint32_t *once = base_alloc(units, sizeof *once);
    double *drawn = base_alloc(RESAMPLES, sizeof *drawn);
    int rc = once && drawn ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < units; i++)
        once[i] = 1;
    f->stderr_iid = f->stderr_clustered = NAN;
    if (rc == 0)
        f->value = statistic(context, once, units);
    if (rc == 0 && isnan(f->value)) {
        f->reason = "not defined: a class does not occur";
    } else if (rc == 0 && units < 2) {
        f->reason = "an interval needs at least two independent items";
    } else if (rc == 0) {
        struct safe safe = { statistic, context, f->value };
        rc = stats_bootstrap(safe_statistic, &safe, units, RESAMPLES, rules->seed, drawn);
        rc = rc ? rc : stats_bootstrap_percentile(drawn, RESAMPLES, rules->level, &f->ci);
        f->has_ci = rc == 0;
        f->method = "bootstrap";
        if (rc == 0)
            f->stderr_iid = f->stderr_clustered = sqrt(stats_variance(drawn, RESAMPLES));
    }
    base_free(once);
    base_free(drawn);
    return rc;
}

struct pair {
    double x;
    size_t unit;
};
static int by_value(const void *a, const void *b)
{
    const struct pair *p = a, *q = b;
    return p->x < q->x ? -1 : p->x > q->x;
}

static int median_figure(const double *x, const struct choice *c, const struct tally_rules *rules,
                         struct figure *f)
{
    struct pair *pairs = base_alloc(c->n, sizeof *pairs);
    double *sorted = base_alloc(c->n, sizeof *sorted);
    size_t *unit = base_alloc(c->n, sizeof *unit);
    int rc = pairs && sorted && unit ? 0 : BASE_E_MEMORY;
    if (rc == 0) {
        for (size_t i = 0; i < c->n; i++)
            pairs[i] = (struct pair){ x[i], c->unit[i] };
        qsort(pairs, c->n, sizeof *pairs, by_value);
        for (size_t i = 0; i < c->n; i++) {
            sorted[i] = pairs[i].x;
            unit[i] = pairs[i].unit;
        }
        struct median_context context = { sorted, unit, c->n };
        rc = bootstrap_figure(median_statistic, &context, c->units, rules, f);
    }
    base_free(pairs);
    base_free(sorted);
    base_free(unit);
    return rc;
}

/* Corpus metrics: the score of summed counts. */
struct corpus_context {
    const char *name;
    const double *counts; /* [units][width] */
    size_t width;
};

static double corpus_statistic(const void *context, const uint32_t *pick, size_t units)
{
    const struct corpus_context *c = context;
    double sums[EVAL_CORPUS_WIDEST] = { 0 };
    for (size_t u = 0; u < units; u++)
        for (size_t k = 0; pick[u] && k < c->width; k++)
            sums[k] += pick[u] * c->counts[u * c->width + k];
    return eval_corpus_score(c->name, sums);
}

static int corpus_figure(const char *name, const struct tally_numbers *s, const struct choice *c,
                         const struct tally_rules *rules, struct figure *f)
{
    double *counts = base_alloc_zero(c->units * s->width, sizeof *counts);
    if (!counts)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < s->width; k++)
            counts[c->unit[i] * s->width + k] += s->counts[c->at[i] * s->width + k];
    struct corpus_context context = { name, counts, s->width };
    int rc = bootstrap_figure(corpus_statistic, &context, c->units, rules, f);
    base_free(counts);
    return rc;
}

int tally_numbers_metric(const struct task_metric *m, const struct tally_numbers *s,
                         size_t category, const struct tally_rules *rules, json_t **out)
{
    struct choice c;
    struct figure f = { .value = NAN, .stderr_iid = NAN, .stderr_clustered = NAN };
    double *x = base_alloc(s->n, sizeof *x);
    int rc = choose(s->unit, s->category, s->n, category, &c);
    rc = rc || x ? rc : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < c.n; i++)
        x[i] = s->a[c.at[i]];
    f.n = c.n;
    f.units = c.units;
    if (rc == 0 && c.n == 0) {
        f.reason = "no item has a value";
    } else if (rc == 0 && (m->kind == TASK_METRIC_RATIO || m->kind == TASK_METRIC_BITS)) {
        rc = ratio_figure(s, &c, m->kind == TASK_METRIC_BITS, rules, &f);
    } else if (rc == 0 && m->kind == TASK_METRIC_CORPUS) {
        rc = corpus_figure(m->base, s, &c, rules, &f);
    } else if (rc == 0 && m->kind == TASK_METRIC_MEDIAN) {
        rc = median_figure(x, &c, rules, &f);
    } else if (rc == 0) {
        bool proportion = m->proportion;
        for (size_t i = 0; i < c.n; i++)
            proportion = proportion && (x[i] == 0 || x[i] == 1);
        bool odds = m->kind == TASK_METRIC_EXP_MEAN || !strncmp(m->base, "log_odds", 8);
        rc = mean_figure(x, &c, proportion, odds ? UNBOUNDED : UNIT, rules, &f);
        if (m->kind == TASK_METRIC_EXP_MEAN) {
            f.value = exp(-f.value);
            f.stderr_iid *= f.value;
            f.stderr_clustered *= f.value;
            f.ci = (struct stats_interval){ exp(-f.ci.high), exp(-f.ci.low) };
        }
    }
    rc = rc ? rc : finish(&f, m, rules, out);
    if (rc == 0 && m->kind == TASK_METRIC_CORPUS)
        json_object_set_new(*out, "signature", json_string(eval_corpus_signature(m->base)));
    choice_free(&c);
    base_free(x);
    return rc;
}

/* ---- classes ---- */

struct label_context {
    const char *name;
    const struct tally_labels *s;
    const struct choice *c;
    size_t classes;
    size_t **order; /* [classes][n] items by ascending probability of the class; areas only */
};

/* counts [classes][classes], rows true. */
static double of_confusion(const char *name, const double *counts, size_t k)
{
    double total = 0, right = 0, sum_pt = 0, sum_pp = 0, sum_tt = 0;
    double precision = 0, recall = 0, f1 = 0, weighted = 0, present = 0;
    double binary[3] = { 0, 0, 0 };
    for (size_t c = 0; c < k; c++) {
        double t = 0, p = 0, hit = counts[c * k + c];
        for (size_t j = 0; j < k; j++) {
            t += counts[c * k + j];
            p += counts[j * k + c];
        }
        total += t;
        right += hit;
        sum_pt += p * t;
        sum_pp += p * p;
        sum_tt += t * t;
        if (t + p == 0)
            continue;
        double class_precision = p > 0 ? hit / p : 0, class_recall = t > 0 ? hit / t : 0;
        double class_f1 = 2 * hit / (t + p);
        present++;
        precision += class_precision;
        recall += class_recall;
        f1 += class_f1;
        weighted += t * class_f1;
        if (c == 1) {
            binary[0] = class_precision;
            binary[1] = class_recall;
            binary[2] = class_f1;
        }
    }
    if (total == 0)
        return NAN;
    if (!strcmp(name, "f1"))
        return binary[2];
    if (!strcmp(name, "precision"))
        return binary[0];
    if (!strcmp(name, "recall"))
        return binary[1];
    if (!strcmp(name, "f1_macro"))
        return f1 / present;
    if (!strcmp(name, "precision_macro"))
        return precision / present;
    if (!strcmp(name, "recall_macro"))
        return recall / present;
    if (!strcmp(name, "f1_weighted"))
        return weighted / total;
    if (!strcmp(name, "f1_micro"))
        return right / total;
    double below = (total * total - sum_pp) * (total * total - sum_tt); /* mcc */
    return below > 0 ? (right * total - sum_pt) / sqrt(below) : 0;
}

static double label_statistic(const void *context, const uint32_t *pick, size_t units)
{
    const struct label_context *l = context;
    double small[64], *counts = small;
    size_t k = l->classes;
    (void)units;
    if (k * k > 64 && !(counts = base_alloc(k * k, sizeof *counts)))
        return NAN;
    memset(counts, 0, k * k * sizeof *counts);
    for (size_t i = 0; i < l->c->n; i++)
        counts[l->s->gold[l->c->at[i]] * k + l->s->predicted[l->c->at[i]]] += pick[l->c->unit[i]];
    double value = of_confusion(l->name, counts, k);
    if (counts != small)
        base_free(counts);
    return value;
}

static double top_probability(const struct tally_labels *s, size_t i)
{
    return s->probabilities[s->first[i] + s->predicted[i]];
}
static size_t bin_of(double p)
{
    size_t bin = (size_t)(p * BINS);
    return bin < BINS ? bin : BINS - 1;
}

/* Expected calibration error: sum over bins of (share of items) |accuracy - confidence|. */
static double ece_statistic(const void *context, const uint32_t *pick, size_t units)
{
    const struct label_context *l = context;
    double n[BINS] = { 0 }, confidence[BINS] = { 0 }, right[BINS] = { 0 }, total = 0, error = 0;
    (void)units;
    for (size_t i = 0; i < l->c->n; i++) {
        size_t at = l->c->at[i];
        double w = pick[l->c->unit[i]], p = top_probability(l->s, at);
        size_t bin = bin_of(p);
        n[bin] += w;
        total += w;
        confidence[bin] += w * p;
        right[bin] += l->s->gold[at] == l->s->predicted[at] ? w : 0;
    }
    for (size_t b = 0; b < BINS; b++)
        error += fabs(right[b] - confidence[b]);
    return total > 0 ? error / total : NAN;
}

/* Area of one class against the rest, items in order of ascending score; ties count half (ROC), or
 * as one threshold (average precision). */
static double area(const struct label_context *l, size_t class, const uint32_t *pick, bool roc)
{
    const struct tally_labels *s = l->s;
    const size_t *order = l->order[class];
    double positives = 0, negatives = 0, sum = 0, above_positive = 0, above_negative = 0;
    for (size_t i = 0; i < l->c->n; i++) {
        double w = pick[l->c->unit[i]];
        if (s->gold[l->c->at[i]] == class)
            positives += w;
        else
            negatives += w;
    }
    if (positives == 0 || negatives == 0)
        return NAN;
    for (size_t i = l->c->n; i > 0;) { /* groups of equal score, from the highest */
        double p = 0, q = 0, score = 0;
        for (bool begun = false; i > 0; i--) {
            size_t o = order[i - 1], at = l->c->at[o];
            double here = s->probabilities[s->first[at] + class];
            if (begun && here != score)
                break;
            begun = true;
            score = here;
            if (s->gold[at] == class)
                p += pick[l->c->unit[o]];
            else
                q += pick[l->c->unit[o]];
        }
        above_positive += p;
        above_negative += q;
        if (roc)
            sum += q * (above_positive - p / 2);
        else if (p > 0)
            sum += p * above_positive / (above_positive + above_negative);
    }
    return roc ? sum / (positives * negatives) : sum / positives;
}

static double area_statistic(const void *context, const uint32_t *pick, size_t units)
{
    const struct label_context *l = context;
    bool roc = !strcmp(l->name, "roc_auc");
    (void)units;
    if (l->classes == 2)
        return area(l, 1, pick, roc);
    double sum = 0;
    for (size_t k = 0; k < l->classes; k++)
        sum += area(l, k, pick, roc);
    return sum / (double)l->classes;
}

static int order_items(struct label_context *l)
{
    struct pair *pairs = base_alloc(l->c->n, sizeof *pairs);
    l->order = base_alloc_zero(l->classes, sizeof *l->order);
    if (!pairs || !l->order) {
        base_free(pairs);
        return BASE_E_MEMORY;
    }
    for (size_t k = 0; k < l->classes; k++) {
        l->order[k] = base_alloc(l->c->n, sizeof **l->order);
        if (!l->order[k])
            break;
        for (size_t i = 0; i < l->c->n; i++)
            pairs[i] = (struct pair){ l->s->probabilities[l->s->first[l->c->at[i]] + k], i };
        qsort(pairs, l->c->n, sizeof *pairs, by_value);
        for (size_t i = 0; i < l->c->n; i++)
            l->order[k][i] = pairs[i].unit;
    }
    base_free(pairs);
    return l->order[l->classes - 1] ? 0 : BASE_E_MEMORY;
}

static int brier_figure(const struct label_context *l, const struct tally_rules *rules,
                        struct figure *f)
{
    double *x = base_alloc(l->c->n, sizeof *x);
    if (!x)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < l->c->n; i++) {
        size_t at = l->c->at[i];
        x[i] = 0;
        for (size_t k = 0; k < l->s->classes[at]; k++) {
            double d = l->s->probabilities[l->s->first[at] + k] - (k == l->s->gold[at]);
            x[i] += d * d;
        }
    }
    int rc = mean_figure(x, l->c, false, POSITIVE, rules, f);
    base_free(x);
    return rc;
}

int tally_labels_metric(const struct task_metric *m, const struct tally_labels *s, size_t category,
                        const struct tally_rules *rules, json_t **out)
{
    struct choice c;
    struct figure f = { .value = NAN, .stderr_iid = NAN, .stderr_clustered = NAN };
    struct label_context l = { .name = m->base, .s = s, .c = &c };
    int rc = choose(s->unit, s->category, s->n, category, &c);
    bool probabilities = true, same = true;
    for (size_t i = 0; rc == 0 && i < c.n; i++) {
        size_t at = c.at[i], top = s->gold[at] > s->predicted[at] ? s->gold[at] : s->predicted[at];
        size_t k = s->classes[at] > top ? s->classes[at] : top + 1;
        probabilities = probabilities && s->classes[at] > top;
        same = same && (i == 0 || s->classes[at] == s->classes[c.at[0]]);
        l.classes = k > l.classes ? k : l.classes;
    }
    f.n = c.n;
    f.units = c.units;
    bool binary =
        !strcmp(m->base, "f1") || !strcmp(m->base, "precision") || !strcmp(m->base, "recall");
    bool areas = !strcmp(m->base, "roc_auc") || !strcmp(m->base, "pr_auc");
    if (rc)
        ;
    else if (c.n == 0)
        f.reason = "no item has a right answer";
    else if (m->kind == TASK_METRIC_PROBABILITIES && !probabilities)
        f.reason = "the samples hold no probabilities";
    else if (areas && !same)
        f.reason = "needs the same classes for all items";
    else if (binary && l.classes > 2)
        f.reason = "is for two classes; take the _macro, _micro or _weighted form";
    else if (!strcmp(m->base, "brier_score"))
        rc = brier_figure(&l, rules, &f);
    else if (!strcmp(m->base, "ece"))
        rc = bootstrap_figure(ece_statistic, &l, c.units, rules, &f);
    else if (areas) {
        rc = order_items(&l);
        rc = rc ? rc : bootstrap_figure(area_statistic, &l, c.units, rules, &f);
    } else
        rc = bootstrap_figure(label_statistic, &l, c.units, rules, &f);
    rc = rc ? rc : finish(&f, m, rules, out);
    for (size_t k = 0; l.order && k < l.classes; k++)
        base_free(l.order[k]);
    base_free(l.order);
    choice_free(&c);
    return rc;
}

json_t *tally_confusion(const struct tally_labels *s, const json_t *labels)
{
    size_t k = json_array_size(labels);
    for (size_t i = 0; i < s->n; i++) {
        k = s->gold[i] >= k ? s->gold[i] + 1 : k;
        k = s->predicted[i] >= k ? s->predicted[i] + 1 : k;
    }
    int64_t *counts = base_alloc_zero(k * k, sizeof *counts);
    if (!counts)
        return NULL;
    for (size_t i = 0; i < s->n; i++)
        counts[s->gold[i] * k + s->predicted[i]]++;
    json_t *names = json_array(), *matrix = json_array();
    for (size_t i = 0; i < k; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        const char *label = json_string_value(json_array_get(labels, i));
        json_array_append_new(names, json_string(label ? label : number));
        json_t *row = json_array();
        for (size_t j = 0; j < k; j++)
            json_array_append_new(row, json_integer(counts[i * k + j]));
        json_array_append_new(matrix, row);
    }
    base_free(counts);
    return json_pack("{s:o, s:o}", "labels", names, "matrix", matrix);
}

json_t *tally_calibration(const struct tally_labels *s)
{
    double n[BINS] = { 0 }, confidence[BINS] = { 0 }, right[BINS] = { 0 };
    json_t *list = json_array();
    for (size_t i = 0; i < s->n; i++) {
        if (s->classes[i] <= s->predicted[i])
            continue;
        double p = top_probability(s, i);
        size_t bin = bin_of(p);
        n[bin]++;
        confidence[bin] += p;
        right[bin] += s->gold[i] == s->predicted[i];
    }
    for (size_t b = 0; b < BINS; b++)
        json_array_append_new(list, json_pack("{s:f, s:f, s:I, s:o, s:o}", "low", (double)b / BINS,
                                              "high", (double)(b + 1) / BINS, "n", (json_int_t)n[b],
                                              "confidence", base_json_number(confidence[b] / n[b]),
                                              "accuracy", base_json_number(right[b] / n[b])));
    return list;
}
