/* Scores under other mixes: see mix.h. With weights w (sum 1), category means p and item variances
 * s^2:
 *
 *   score = sum w p,   SE = sqrt(sum w^2 s^2 / n),   effective n = 1 / sum (w^2 / n)
 *
 * A simulated benchmark draws how many of its N items each category gets (multinomial, by w) and
 * how many of those are right (binomial, by p; other scores are drawn from the items themselves).
 * The bootstrap of 0/1 scores within a category is a binomial draw as well. Binomials are drawn by
 * inversion from the mode outwards, in about as many steps as their standard deviation. Draw d uses
 * the stream (seed, d) alone, so nothing depends on the number of threads. */
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include <assay/mix.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PURPOSE_SIMULATED = BASE_RNG_USER, PURPOSE_RESAMPLED, PURPOSE_SIMPLEX };

/* A draw from Binomial(n, p): u is used up by the probabilities of m, m+1, m-1, m+2, ... from the
 * mode m on, each from its neighbour's: f(k+1) = f(k) (n-k)/(k+1) p/q. */
static size_t binomial(struct base_rng *rng, size_t n, double p)
{
    if (n == 0 || p <= 0)
        return 0;
    if (p >= 1)
        return n;
    double u = base_rng_uniform(rng), q = 1 - p;
    size_t m = (size_t)floor(((double)n + 1) * p);
    m = m > n ? n : m;
    double f = exp(gsl_sf_lnchoose((unsigned)n, (unsigned)m) + (double)m * log(p) +
                   (double)(n - m) * log1p(-p));
    double up = f, down = f;
    size_t high = m, low = m;
    if ((u -= f) < 0)
        return m;
    while (low > 0 || high < n) {
        if (high < n) {
            up *= (double)(n - high) / (double)(high + 1) * (p / q);
            high++;
            if ((u -= up) < 0)
                return high;
        }
        if (low > 0) {
            down *= (double)low / (double)(n - low + 1) * (q / p);
            low--;
            if ((u -= down) < 0)
                return low;
        }
    }
    return m; /* rounding left a crumb of u */
}

static bool binary(const struct eval_mix_category *c)
{
    for (size_t i = 0; c->scores && i < (size_t)c->n; i++)
        if (c->scores[i] != 0 && c->scores[i] != 1)
            return false;
    return true;
}

/* Sum of n draws from the category. */
static double draw_sum(struct base_rng *rng, const struct eval_mix_category *c, bool is_binary,
                       size_t n)
{
    if (is_binary)
        return (double)binomial(rng, n, c->mean);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += c->scores[base_rng_below(rng, (uint64_t)c->n)];
    return sum;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct drawing {
    const struct eval_mix_model *m;
    const double *w;
    const bool *is_binary;
    size_t items; /* of a simulated benchmark; 0 = the bootstrap */
    uint64_t seed;
};

static double draw_score(const struct drawing *x, size_t d)
{
    struct base_rng rng =
        base_rng_make(x->seed, x->items ? PURPOSE_SIMULATED : PURPOSE_RESAMPLED, d);
    double sum = 0, weight = 1;
    size_t left = x->items;
    for (size_t k = 0; k < x->m->n; k++) {
        const struct eval_mix_category *c = &x->m->categories[k];
        if (x->w[k] <= 0)
            continue;
        if (x->items) {
            size_t n = binomial(&rng, left, x->w[k] >= weight ? 1 : x->w[k] / weight);
            sum += draw_sum(&rng, c, x->is_binary[k], n);
            left -= n;
            weight -= x->w[k];
        } else {
            sum += x->w[k] * draw_sum(&rng, c, x->is_binary[k], (size_t)c->n) / c->n;
        }
    }
    return x->items ? sum / (double)x->items : sum;
}

/* draws [n], ascending, with their spread. */
static int draw_all(const struct drawing *x, const struct eval_mix_options *o, double *draws,
                    double *sd, struct stats_interval *ci)
{
#pragma omp parallel for num_threads(base_threads()) schedule(static)
    for (size_t d = 0; d < o->draws; d++)
        draws[d] = draw_score(x, d);
    *sd = sqrt(stats_variance(draws, o->draws));
    qsort(draws, o->draws, sizeof *draws, ascending);
    return stats_bootstrap_percentile(draws, o->draws, o->level, ci);
}

static int check(const struct eval_mix_options *o)
{
    if (o->draws < 100 || o->draws > 100000000)
        return base_error_set(BASE_E_ARGUMENT, "100 to 100,000,000 draws, not %zu", o->draws);
    if (!(o->level > 0 && o->level < 1))
        return base_error_set(BASE_E_ARGUMENT, "a confidence level is between 0 and 1, not %g",
                              o->level);
    if (o->items > 1000000000)
        return base_error_set(BASE_E_LIMIT, "a benchmark of %zu items is too large", o->items);
    return 0;
}

int eval_mix_judge(const struct eval_mix_model *m, const double *w,
                   const struct eval_mix_options *o, bool keep, struct eval_mix_score *out)
{
    *out = (struct eval_mix_score){ .se = NAN,
                                    .ci = { NAN, NAN },
                                    .resampled_sd = NAN,
                                    .resampled = { NAN, NAN },
                                    .effective = NAN };
    double variance = 0, crowd = 0, total = 0;
    int rc = check(o);
    if (rc)
        return rc;
    bool *is_binary = base_alloc(m->n, sizeof *is_binary);
    double *draws = base_alloc(o->draws, sizeof *draws);
    if (!is_binary || !draws) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (size_t k = 0; k < m->n; k++) {
        const struct eval_mix_category *c = &m->categories[k];
        is_binary[k] = binary(c);
        total += c->n;
        out->mean += w[k] * c->mean;
        if (w[k] > 0) {
            variance += c->n > 0 ? w[k] * w[k] * c->variance / c->n : NAN;
            crowd += c->n > 0 ? w[k] * w[k] / c->n : NAN;
        }
    }
    out->items = o->items ? o->items : total > 0 ? (size_t)total : 1000;
    if (isfinite(variance)) {
        out->se = sqrt(variance);
        rc = stats_interval_normal(out->mean, out->se, o->level, &out->ci);
    }
    out->effective = 1 / crowd;
    struct drawing x = { m, w, is_binary, 0, o->seed };
    if (rc == 0 && m->items)
        rc = draw_all(&x, o, draws, &out->resampled_sd, &out->resampled);
    x.items = out->items;
    if (rc == 0)
        rc = draw_all(&x, o, draws, &out->simulated_sd, &out->simulated);
out:
    base_free(is_binary);
    if (rc == 0 && keep)
        out->draws = draws;
    else
        base_free(draws);
    return rc;
}

/* ---- weights ---- */

static int weight_set(const struct eval_mix_model *m, const char *name, size_t bytes, double weight,
                      double *w)
{
    for (size_t k = 0; k < m->n; k++)
        if (strlen(m->categories[k].name) == bytes &&
            memcmp(m->categories[k].name, name, bytes) == 0) {
            if (w[k] != 0)
                return base_error_set(BASE_E_ARGUMENT, "category \"%.*s\" is there twice",
                                      (int)bytes, name);
            w[k] = weight;
            return 0;
        }
    return base_error_set(BASE_E_ARGUMENT, "there is no category \"%.*s\"; there is %s%s%s",
                          (int)bytes, name, m->categories[0].name, m->n > 1 ? ", " : "",
                          m->n > 1 ? m->categories[1].name : "");
}

int eval_mix_parse(const struct eval_mix_model *m, const char *text, double *w)
{
    bool uniform = strcmp(text, "uniform") == 0, proportional = strcmp(text, "proportional") == 0;
    double sum = 0;
    int rc = 0;
    if (m->n == 0)
        return base_error_set(BASE_E_ARGUMENT, "there are no categories");
    for (size_t k = 0; k < m->n; k++)
        w[k] = uniform ? 1 : proportional ? m->categories[k].n : 0;
    for (const char *p = text; rc == 0 && !uniform && !proportional && *p;) {
        size_t n = strcspn(p, ",");
        const char *equal = NULL;
        for (size_t i = 0; i < n; i++) /* the last one: names may hold others */
            equal = p[i] == '=' ? p + i : equal;
        char number[64] = "";
        double value = 0;
        if (!equal || (size_t)(p + n - equal) > sizeof number)
            return base_error_set(BASE_E_ARGUMENT,
                                  "mix \"%s\": expected NAME=WEIGHT,..., uniform or proportional",
                                  text);
        memcpy(number, equal + 1, (size_t)(p + n - equal - 1));
        rc = base_parse_double(number, "a weight of the mix", &value);
        if (rc == 0 && !(value >= 0 && isfinite(value)))
            rc = base_error_set(BASE_E_ARGUMENT, "mix \"%s\": a weight is 0 or more, not %s", text,
                                number);
        if (rc == 0)
            rc = weight_set(m, p, (size_t)(equal - p), value, w);
        p += n + (p[n] == ',');
    }
    for (size_t k = 0; rc == 0 && k < m->n; k++)
        sum += w[k];
    if (rc == 0 && !(sum > 0))
        return base_error_set(BASE_E_ARGUMENT, "mix \"%s\": the weights sum to 0%s", text,
                              proportional ? ": the numbers of items are not known" : "");
    for (size_t k = 0; rc == 0 && k < m->n; k++)
        w[k] /= sum;
    return rc;
}

/* ---- two models ---- */

struct keyed {
    const char *id;
    size_t at;
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct keyed *)a)->id, ((const struct keyed *)b)->id);
}

static struct keyed *sorted_ids(const struct eval_mix_category *c)
{
    size_t n = (size_t)c->n;
    struct keyed *k = base_alloc(n, sizeof *k);
    for (size_t i = 0; k && i < n; i++)
        k[i] = (struct keyed){ c->ids[i], i };
    if (k && n)
        qsort(k, n, sizeof *k, by_id);
    return k;
}

/* Difference in one category: over pairs when all items of both match, else as independent. */
static int category_compare(const struct eval_mix_category *a, const struct eval_mix_category *b,
                            struct eval_mix_turn *out, size_t *paired)
{
    out->difference = a->mean - b->mean;
    out->se = a->n > 0 && b->n > 0 ? sqrt(a->variance / a->n + b->variance / b->n) : NAN;
    if (!a->ids || !b->ids || a->n != b->n)
        return 0;
    size_t n = (size_t)a->n;
    struct keyed *x = sorted_ids(a), *y = sorted_ids(b);
    double *d = base_alloc(n, sizeof *d);
    int rc = x && y && d ? 0 : BASE_E_MEMORY;
    bool same = rc == 0;
    for (size_t i = 0; same && i < n; i++) {
        same = strcmp(x[i].id, y[i].id) == 0 && (i == 0 || strcmp(x[i].id, x[i - 1].id) != 0);
        d[i] = a->scores[x[i].at] - b->scores[y[i].at];
    }
    if (same) {
        out->se = n > 1 ? sqrt(stats_variance(d, n) / (double)n) : NAN;
        *paired += n;
    }
    base_free(x);
    base_free(y);
    base_free(d);
    return rc;
}

/* Where t d + (1 - t) rest > 0 for t in [0, 1]. */
static void turn_find(double rest, struct eval_mix_turn *t)
{
    double d = t->difference;
    t->low = 0;
    t->high = 1;
    if (rest > 0 && d < 0)
        t->high = rest / (rest - d);
    else if (rest < 0 && d > 0)
        t->low = rest / (rest - d);
    else if (rest <= 0 && d <= 0) {
        t->low = 1;
        t->high = 0;
    }
}

/* Share of mixes drawn uniformly from the simplex (exponentials over their sum) with A ahead. */
static double simplex_share(const struct eval_mix_turn *turns, size_t n,
                            const struct eval_mix_options *o)
{
    long ahead = 0;
#pragma omp parallel for num_threads(base_threads()) schedule(static) reduction(+ : ahead)
    for (size_t d = 0; d < o->draws; d++) {
        struct base_rng rng = base_rng_make(o->seed, PURPOSE_SIMPLEX, d);
        double sum = 0;
        for (size_t k = 0; k < n; k++)
            sum -= log1p(-base_rng_uniform(&rng)) * turns[k].difference;
        ahead += sum > 0;
    }
    return (double)ahead / (double)o->draws;
}

int eval_mix_compare(const struct eval_mix_model *a, const struct eval_mix_model *b,
                     const double *w, const struct eval_mix_options *o,
                     struct eval_mix_comparison *out)
{
    *out = (struct eval_mix_comparison){ .n = a->n, .ci = { NAN, NAN }, .p = NAN };
    int rc = check(o);
    if (rc)
        return rc;
    if (a->n != b->n)
        return base_error_set(BASE_E_ARGUMENT, "%s has %zu categories, %s has %zu", a->name, a->n,
                              b->name, b->n);
    out->turns = base_alloc_zero(a->n, sizeof *out->turns);
    if (!out->turns)
        return BASE_E_MEMORY;
    double variance = 0;
    for (size_t k = 0; rc == 0 && k < a->n; k++) {
        const struct eval_mix_category *other = NULL;
        for (size_t j = 0; j < b->n && !other; j++)
            if (strcmp(a->categories[k].name, b->categories[j].name) == 0)
                other = &b->categories[j];
        if (!other)
            rc = base_error_set(BASE_E_ARGUMENT, "%s has no category \"%s\"", b->name,
                                a->categories[k].name);
        else
            rc = category_compare(&a->categories[k], other, &out->turns[k], &out->paired);
        out->difference += w[k] * out->turns[k].difference;
        if (w[k] > 0)
            variance += w[k] * w[k] * out->turns[k].se * out->turns[k].se;
    }
    if (rc) {
        eval_mix_comparison_free(out);
        return rc;
    }
    for (size_t k = 0; k < a->n; k++) {
        double rest = 0, weight = 1 - w[k];
        for (size_t j = 0; j < a->n; j++)
            if (j != k)
                rest += (weight > 1e-12 ? w[j] / weight : 1 / (double)(a->n - 1)) *
                        out->turns[j].difference;
        turn_find(a->n > 1 ? rest : out->turns[k].difference, &out->turns[k]);
    }
    out->se = sqrt(variance);
    if (isfinite(out->se)) {
        rc = stats_interval_normal(out->difference, out->se, o->level, &out->ci);
        if (out->se > 0)
            out->p = 2 * gsl_cdf_ugaussian_Q(fabs(out->difference) / out->se);
    }
    out->share = simplex_share(out->turns, a->n, o);
    return rc;
}

void eval_mix_comparison_free(struct eval_mix_comparison *c)
{
    base_free(c->turns);
    c->turns = NULL;
    c->n = 0;
}
