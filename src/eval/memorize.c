/* Exact against paraphrased prompts, true against counterfactual targets, dose and response: see
 * memorize.h. An item is asked under its exact prompt and under each paraphrase; what the
 * paraphrases give is averaged within the item, so every comparison is between two numbers of the
 * same item. */
#include "base/memory.h"
#include <assay/memorize.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

static const double nothing = NAN;

/* ln(p / (1 - p)) from ln p. */
static double log_odds(double logp, bool *clamped)
{
    double rest = -expm1(logp);
    if (rest < 0x1p-52) {
        rest = 0x1p-52;
        *clamped = true;
    }
    return logp - log(rest);
}

static struct eval_memorize_value no_value(void)
{
    return (struct eval_memorize_value){ nothing, nothing, nothing, nothing, nothing, nothing };
}

/* One prompt's answers: the target's, and the counterfactual's or NULL. */
static struct eval_memorize_value value_of(const struct eval_answer *target,
                                           const struct eval_answer *counterfactual,
                                           size_t *clamped)
{
    struct eval_memorize_value v = no_value();
    bool at_bound = false;
    v.logp = target->logprob;
    v.p = exp(v.logp);
    v.odds = log_odds(v.logp, &at_bound);
    v.extracted = target->greedy;
    *clamped += at_bound;
    if (counterfactual) {
        v.preference = v.logp - counterfactual->logprob;
        v.favoured = v.preference > 0;
    }
    return v;
}

static void add_share(struct eval_memorize_value *sum, const struct eval_memorize_value *v,
                      double share)
{
    sum->p += share * v->p;
    sum->logp += share * v->logp;
    sum->odds += share * v->odds;
    sum->extracted += share * v->extracted;
    sum->preference += share * v->preference;
    sum->favoured += share * v->favoured;
}

static double quantity(const struct eval_memorize_value *v, enum eval_memorize_quantity q)
{
    const double all[EVAL_MEMORIZE_QUANTITIES] = { v->p,         v->logp,       v->odds,
                                                   v->extracted, v->preference, v->favoured };
    return all[q];
}

/* ---- dose and response ---- */

struct dosed {
    double dose;
    size_t item;
};

static int by_dose(const void *a, const void *b)
{
    const struct dosed *x = a, *y = b;
    if (x->dose != y->dose)
        return x->dose < y->dose ? -1 : 1;
    return x->item < y->item ? -1 : 1;
}

/* The items d [n] of one dose. values [n] is scratch. */
static int dose_summarise(struct eval_memorize_dose *out, const struct dosed *d, size_t n,
                          const struct eval_memorize_record *records,
                          const struct eval_memorize_options *o, double *values)
{
    *out = (struct eval_memorize_dose){ .dose = d->dose, .n = n, .p_ci = { NAN, NAN } };
    double *ones = values + n;
    size_t others = 0;
    for (size_t i = 0; i < n; i++)
        values[i] = records[d[i].item].of[EVAL_PROMPT_EXACT].logp;
    out->logp = stats_mean(values, n);
    for (size_t i = 0; i < n; i++)
        values[i] = records[d[i].item].of[EVAL_PROMPT_EXACT].odds;
    out->odds = stats_mean(values, n);
    for (size_t i = 0; i < n; i++) {
        double p = records[d[i].item].of[EVAL_PROMPT_PARAPHRASE].p;
        out->extracted += records[d[i].item].of[EVAL_PROMPT_EXACT].extracted > 0.5;
        if (!isnan(p))
            values[others++] = p;
    }
    out->other = stats_mean(values, others);
    for (size_t i = 0; i < n; i++) {
        values[i] = records[d[i].item].of[EVAL_PROMPT_EXACT].p;
        ones[i] = 1;
    }
    out->p = stats_mean(values, n);
    int rc = stats_interval_wilson((double)out->extracted, (double)n, o->level, &out->ex_ci);
    if (rc == 0 && n >= 2)
        rc = stats_bootstrap_ratio(values, ones, n, 2000, o->seed, o->level, &out->p_ci);
    return rc;
}

/* Least squares of the log-odds on log2(1 + dose): b = Sxy / Sxx, SE = sqrt(RSS / (n - 2) / Sxx).
 */
static void slope_fit(struct eval_memorize_report *r, const struct dosed *d, size_t n,
                      const struct eval_memorize_record *records, double level)
{
    double mx = 0, my = 0, sxx = 0, sxy = 0, rss = 0;
    for (size_t i = 0; i < n; i++) {
        mx += log2(1 + d[i].dose) / (double)n;
        my += records[d[i].item].of[EVAL_PROMPT_EXACT].odds / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double x = log2(1 + d[i].dose) - mx;
        sxx += x * x;
        sxy += x * (records[d[i].item].of[EVAL_PROMPT_EXACT].odds - my);
    }
    if (n < 3 || !(sxx > 0))
        return;
    r->slope = sxy / sxx;
    for (size_t i = 0; i < n; i++) {
        double e = records[d[i].item].of[EVAL_PROMPT_EXACT].odds - my -
                   r->slope * (log2(1 + d[i].dose) - mx);
        rss += e * e;
    }
    r->slope_se = sqrt(rss / (double)(n - 2) / sxx);
    if (stats_interval_t(r->slope, r->slope_se, (double)(n - 2), level, &r->slope_ci))
        r->slope_ci = (struct stats_interval){ NAN, NAN };
    if (r->slope_se > 0)
        r->slope_p = 2 * gsl_cdf_tdist_Q(fabs(r->slope) / r->slope_se, (double)(n - 2));
}

static int doses_judge(const struct eval_memorize_item *items,
                       const struct eval_memorize_record *records, size_t n,
                       const struct eval_memorize_options *o, struct eval_memorize_report *r)
{
    int rc = 0;
    struct dosed *d = base_alloc(n, sizeof *d);
    double *values = base_alloc(2 * n, sizeof *values);
    r->doses = base_alloc(n, sizeof *r->doses);
    if (!d || !values || !r->doses) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    size_t known = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(items[i].dose))
            d[known++] = (struct dosed){ items[i].dose, i };
    qsort(d, known, sizeof *d, by_dose);
    for (size_t i = 0, end; rc == 0 && i < known; i = end) {
        for (end = i; end < known && d[end].dose == d[i].dose; end++)
            ;
        rc = dose_summarise(&r->doses[r->n_doses++], d + i, end - i, records, o, values);
    }
    if (rc == 0)
        slope_fit(r, d, known, records, o->level);
out:
    base_free(d);
    base_free(values);
    if (rc || r->n_doses == 0) {
        base_free(r->doses);
        r->doses = NULL;
        r->n_doses = 0;
    }
    return rc;
}

/* ---- judging ---- */

/* Wilson's interval of a share whose standard error comes from clusters: of the number of
 * independent items that would have the same error, p(1-p)/SE^2, never more than there are. A share
 * of 0 or 1 has no error to go by: then each cluster counts once. */
static int share_interval(const struct eval_paired *share, double level, struct stats_interval *out)
{
    double p = fmin(1, fmax(0, share->mean_a)), n = (double)share->clusters;
    if (share->se > 0 && p > 0 && p < 1)
        n = fmin((double)share->n, p * (1 - p) / (share->se * share->se));
    return stats_interval_wilson(p * n, n, level, out);
}

int eval_memorize_judge(const struct eval_memorize_item *items,
                        const struct eval_memorize_record *records, size_t n,
                        const struct eval_memorize_options *o, struct eval_memorize_report *r)
{
    r->items = n;
    r->paired = 0;
    r->doses = NULL;
    r->n_doses = 0;
    r->slope = r->slope_se = r->slope_p = r->slope_ci.low = r->slope_ci.high = NAN;
    if (n == 0)
        return base_error_set(BASE_E_ARGUMENT, "no items to judge");
    double *values = base_alloc(2 * n, sizeof *values), *zero = base_alloc_zero(n, sizeof *zero);
    size_t *cluster = base_alloc(n, sizeof *cluster);
    int rc = values && zero && cluster ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        cluster[i] = items[i].cluster;
        r->paired += items[i].n_paraphrases > 0;
    }
    for (int q = 0; rc == 0 && q < EVAL_MEMORIZE_QUANTITIES; q++) {
        for (size_t i = 0; i < n; i++)
            for (int k = 0; k < EVAL_PROMPTS; k++)
                values[(size_t)k * n + i] = quantity(&records[i].of[k], q);
        for (int k = 0; rc == 0 && k < EVAL_PROMPTS; k++) {
            /* against nothing: the mean and its clustered interval */
            struct eval_paired alone;
            rc = eval_paired_compare(values + (size_t)k * n, zero, cluster, n, o->level, o->seed,
                                     &alone);
            r->mean[k][q] = alone.mean_a;
            r->mean_ci[k][q] = alone.ci;
            if (rc == 0 && alone.n && (q == EVAL_MEMORIZE_EXTRACTED || q == EVAL_MEMORIZE_FAVOURED))
                rc = share_interval(&alone, o->level, &r->mean_ci[k][q]);
            r->count[k][q] = alone.n;
        }
        if (rc == 0)
            rc = eval_paired_compare(values, values + n, cluster, n, o->level, o->seed,
                                     &r->paired_of[q]);
    }
    if (rc == 0) {
        const struct eval_paired *d = &r->paired_of[EVAL_MEMORIZE_LOGP];
        r->ratio = exp(d->difference);
        r->ratio_ci = (struct stats_interval){ exp(d->ci.low), exp(d->ci.high) };
        rc = doses_judge(items, records, n, o, r);
    }
    base_free(values);
    base_free(zero);
    base_free(cluster);
    return rc;
}

void eval_memorize_report_free(struct eval_memorize_report *r)
{
    base_free(r->doses);
    r->doses = NULL;
    r->n_doses = 0;
}

/* ---- asking ---- */

/* Per item: under each prompt the target, then the counterfactual if there is one. */
static size_t questions_of(const struct eval_memorize_item *item)
{
    return (1 + item->n_paraphrases) * (item->counterfactual ? 2 : 1);
}

static void records_fill(const struct eval_memorize_item *items, size_t n,
                         const struct eval_answer *a, struct eval_memorize_record *records,
                         struct eval_memorize_report *r)
{
    for (size_t i = 0; i < n; i++) {
        size_t step = items[i].counterfactual ? 2 : 1, others = items[i].n_paraphrases;
        struct eval_memorize_value *para = &records[i].of[EVAL_PROMPT_PARAPHRASE];
        records[i].tokens = a->tokens;
        records[i].of[EVAL_PROMPT_EXACT] = value_of(a, step == 2 ? a + 1 : NULL, &r->clamped);
        *para = others ? (struct eval_memorize_value){ 0 } : no_value();
        for (size_t k = 0; k < others; k++) {
            const struct eval_answer *at = a + (k + 1) * step;
            struct eval_memorize_value v = value_of(at, step == 2 ? at + 1 : NULL, &r->clamped);
            add_share(para, &v, 1 / (double)others);
        }
        for (size_t k = 0; k < questions_of(&items[i]); k++) {
            r->tokens += a[k].tokens;
            r->retokenized += a[k].boundary_retokenized;
            r->cut += a[k].cut > 0;
        }
        a += questions_of(&items[i]);
    }
}

int eval_memorize_run(struct model *m, const struct eval_memorize_item *items, size_t n,
                      const struct eval_memorize_options *options,
                      struct eval_memorize_record *records, struct eval_memorize_report *report)
{
    *report = (struct eval_memorize_report){ 0 };
    struct eval_memorize_record *own = NULL;
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        total += questions_of(&items[i]);
    struct eval_question *questions = base_alloc(total, sizeof *questions);
    struct eval_answer *answers = base_alloc(total, sizeof *answers);
    if (!records)
        records = own = base_alloc(n, sizeof *own);
    int rc = questions && answers && records ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < n; i++)
        for (size_t k = 0; k <= items[i].n_paraphrases; k++) {
            const char *prompt = k ? items[i].paraphrases[k - 1] : items[i].exact;
            questions[at++] = (struct eval_question){ prompt, items[i].target };
            if (items[i].counterfactual)
                questions[at++] = (struct eval_question){ prompt, items[i].counterfactual };
        }
    if (rc == 0)
        rc = eval_questions_score(m, questions, total, options, answers);
    if (rc == 0) {
        report->questions = total;
        records_fill(items, n, answers, records, report);
        rc = eval_memorize_judge(items, records, n, options, report);
    }
    if (rc)
        eval_memorize_report_free(report);
    base_free(questions);
    base_free(answers);
    base_free(own);
    return rc;
}
