/* A survey design made ready, and the variance of a total under it.
 *
 * Variance of sum z, stage by stage. In a stratum with n sampled units of N, unit totals t_i and
 * f_i = 1 - n/N (or 1 - pi_i where probabilities are given)
 *     V = sum_strata n/(n-1) sum_i f_i (t_i - mean t)^2  +  sum_i (n/N or pi_i) V_i
 * with V_i the same expression within unit i, over its strata and units of the next stage (Cochran
 * 1977, 11.21; Saerndal et al. 1992, 4.3). The second term is zero for units drawn with
 * replacement (N infinite), where the first already holds everything.
 *
 * Rows are sorted once by stratum and unit of all stages, so strata and units are runs of rows, and
 * one walk with a stack as deep as there are stages gives the variance in O(n p^2). The sorted
 * order depends on the design alone: results do not depend on the order of rows of equal units. */
#include "base/memory.h"
#include "stats/survey.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const stats_lonely_names[STATS_LONELIES] = { "fail", "remove", "adjust", "average" };
const char *const stats_joint_names[STATS_JOINTS] = { "none", "matrix", "hartley-rao", "overton" };

/* ---- preparation ---- */

static uint32_t key_of(const struct stats_survey_design *d, size_t level, size_t row)
{
    const struct stats_survey_stage *g = &d->stage[level / 2];
    if (level % 2)
        return g->psu ? g->psu[row] : 0;
    return g->stratum ? g->stratum[row] : 0;
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct stats_survey_design *d = context;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    for (size_t level = 0; level < 2 * d->stages; level++) {
        uint32_t x = key_of(d, level, i), y = key_of(d, level, j);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (i > j) - (i < j);
}

static int check_weights(const struct stats_survey_design *d)
{
    double sum = 0;
    for (size_t i = 0; i < d->n; i++) {
        if (!isfinite(d->weight[i]) || d->weight[i] < 0)
            return base_error_set(BASE_E_ARGUMENT,
                                  "row %zu: weight %g: weights are finite and not negative", i + 1,
                                  d->weight[i]);
        sum += d->weight[i];
    }
    if (!(sum > 0) || !isfinite(sum))
        return base_error_set(BASE_E_ARGUMENT, "the weights sum to %g: no estimate is possible",
                              sum);
    return 0;
}

/* Whether fpc holds counts or probabilities; a mixture is an error. */
static int check_fpc(const struct stats_survey_design *d, size_t t, bool *by_count)
{
    const double *f = d->stage[t].fpc;
    size_t below = d->n, above = d->n;
    for (size_t i = 0; i < d->n; i++) {
        if (isnan(f[i]) || f[i] <= 0)
            return base_error_set(BASE_E_ARGUMENT,
                                  "row %zu, stage %zu: fpc %g: give the units in the population "
                                  "(>= 1) or the probability (0 < pi <= 1)",
                                  i + 1, t + 1, f[i]);
        if (f[i] < 1 && below == d->n)
            below = i;
        if (f[i] > 1 && above == d->n)
            above = i;
    }
    if (below < d->n && above < d->n)
        return base_error_set(BASE_E_ARGUMENT,
                              "stage %zu: fpc is a probability in row %zu (%g) and a population "
                              "size in row %zu (%g): it must be the one or the other throughout",
                              t + 1, below + 1, f[below], above + 1, f[above]);
    *by_count = above < d->n;
    return 0;
}

/* Ends of the run that begins at sorted row k: the next row where something at `level` or outside
 * of it begins. */
static size_t run_end(const struct stats_survey *s, size_t k, size_t level, size_t end)
{
    for (k++; k < end && s->begins[k] > level; k++)
        ;
    return k;
}

/* fpc is constant in a unit; counts are constant in a stratum and not below the number sampled. */
static int check_stage(const struct stats_survey *s, size_t t)
{
    const double *f = s->stage[t].fpc;
    size_t end;
    for (size_t k = 0; k < s->n; k = end) {
        end = run_end(s, k, 2 * t, s->n);
        size_t units = 0, unit_end;
        for (size_t u = k; u < end; u = unit_end, units++) {
            unit_end = run_end(s, u, 2 * t + 1, end);
            for (size_t i = u; i < unit_end; i++)
                if (f[i] != f[u])
                    return base_error_set(BASE_E_ARGUMENT,
                                          "stage %zu: fpc is %.15g in row %zu and %.15g in row "
                                          "%zu, which are of the same unit",
                                          t + 1, f[u], s->order[u] + 1, f[i], s->order[i] + 1);
        }
        if (!s->stage[t].by_count)
            continue;
        for (size_t i = k; i < end; i++)
            if (f[i] != f[k])
                return base_error_set(BASE_E_ARGUMENT,
                                      "stage %zu: the population size is %.15g in row %zu and "
                                      "%.15g in row %zu, which are of the same stratum",
                                      t + 1, f[k], s->order[k] + 1, f[i], s->order[i] + 1);
        if (f[k] < (double)units)
            return base_error_set(BASE_E_ARGUMENT,
                                  "stage %zu: %zu units were sampled in the stratum of row %zu, "
                                  "but its population is %.15g",
                                  t + 1, units, s->order[k] + 1, f[k]);
    }
    return 0;
}

/* Weights from the sampling fractions of all stages. */
static void weights_from_fpc(struct stats_survey *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->weight[i] = 1;
    for (size_t t = 0; t < s->stages; t++) {
        const double *f = s->stage[t].fpc;
        size_t end;
        for (size_t k = 0; k < s->n; k = end) {
            end = run_end(s, k, 2 * t, s->n);
            double units = 0;
            for (size_t i = k; i < end; i++)
                units += i == k || s->begins[i] <= 2 * t + 1;
            for (size_t i = k; i < end; i++)
                s->weight[s->order[i]] *= s->stage[t].by_count ? f[i] / units : 1 / f[i];
        }
    }
}

static int check_design(const struct stats_survey_design *d)
{
    if (d->n < 2)
        return base_error_set(BASE_E_ARGUMENT, "a sample needs at least 2 rows, this has %zu",
                              d->n);
    if (d->stages < 1 || d->stages > STATS_SURVEY_STAGES)
        return base_error_set(BASE_E_ARGUMENT, "%zu stages: a design has 1 to %d", d->stages,
                              STATS_SURVEY_STAGES);
    for (size_t t = 0; t + 1 < d->stages; t++)
        if (!d->stage[t].psu)
            return base_error_set(BASE_E_ARGUMENT,
                                  "stage %zu has no units, but is not the last stage", t + 1);
    if (d->joint != STATS_JOINT_NONE && d->stages != 1)
        return base_error_set(BASE_E_ARGUMENT,
                              "joint probabilities (%s) are for designs of one "
                              "stage, this has %zu",
                              stats_joint_names[d->joint], d->stages);
    if (d->joint == STATS_JOINT_MATRIX && (!d->joint_matrix || d->stage[0].psu))
        return base_error_set(BASE_E_ARGUMENT,
                              "a matrix of joint probabilities is for rows that are the units");
    if (d->joint > STATS_JOINT_MATRIX && !d->stage[0].fpc)
        return base_error_set(BASE_E_ARGUMENT, "%s's variance needs the inclusion probabilities",
                              stats_joint_names[d->joint]);
    return 0;
}

static int check_matrix(const struct stats_survey *s)
{
    const double *m = s->joint_matrix;
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->n; j++) {
            double p = m[i * s->n + j], least = fmin(m[i * s->n + i], m[j * s->n + j]);
            if (!(p > 0 && p <= least * (1 + 1e-9)) || least > 1 ||
                fabs(p - m[j * s->n + i]) > 1e-9 * p)
                return base_error_set(BASE_E_ARGUMENT,
                                      "joint probability of units %zu and %zu is %g: it must be "
                                      "above 0, not above either's own, and symmetric",
                                      i + 1, j + 1, p);
        }
    return 0;
}

int stats_survey_new(struct stats_survey **out, const struct stats_survey_design *d)
{
    *out = NULL;
    int rc = check_design(d);
    if (rc == 0 && d->weight)
        rc = check_weights(d);
    if (rc)
        return rc;
    struct stats_survey *s = base_alloc_zero(1, sizeof *s);
    if (!s)
        return BASE_E_MEMORY;
    const size_t n = d->n;
    s->n = n;
    s->stages = d->stages;
    s->lonely = d->lonely;
    s->joint = d->joint;
    s->yates_grundy = d->yates_grundy;
    s->weighted = d->weight != NULL;
    s->weight = base_alloc(n, sizeof *s->weight);
    s->order = base_alloc(n, sizeof *s->order);
    s->begins = base_alloc(n, 1);
    rc = s->weight && s->order && s->begins ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    for (size_t i = 0; i < n; i++)
        s->order[i] = i;
    qsort_r(s->order, n, sizeof *s->order, compare_rows, (void *)(uintptr_t)d);
    s->begins[0] = 0;
    const size_t levels = 2 * d->stages;
    for (size_t k = 1; k < n; k++) {
        size_t level = 0;
        while (level < levels && key_of(d, level, s->order[k]) == key_of(d, level, s->order[k - 1]))
            level++;
        if (level == levels && !d->stage[d->stages - 1].psu)
            level = levels - 1; /* rows are the units */
        s->begins[k] = (uint8_t)level;
    }
    bool all = true;
    for (size_t t = 0; rc == 0 && t < d->stages; t++) {
        s->stage[t].present = d->stage[t].fpc != NULL;
        all &= s->stage[t].present;
        if (!s->stage[t].present)
            continue;
        if ((rc = check_fpc(d, t, &s->stage[t].by_count)))
            break;
        if (d->joint != STATS_JOINT_NONE && s->stage[t].by_count) {
            rc = base_error_set(BASE_E_ARGUMENT, "fpc must be the inclusion probability (<= 1) "
                                                 "with joint probabilities");
            break;
        }
        s->stage[t].fpc = base_alloc(n, sizeof(double));
        if (!s->stage[t].fpc) {
            rc = BASE_E_MEMORY;
            break;
        }
        for (size_t k = 0; k < n; k++)
            s->stage[t].fpc[k] = d->stage[t].fpc[s->order[k]];
        rc = check_stage(s, t);
    }
    if (rc)
        goto out;
    if (d->joint == STATS_JOINT_MATRIX) {
        s->joint_matrix = base_alloc(n * n, sizeof(double));
        rc = s->joint_matrix ? 0 : BASE_E_MEMORY;
        if (rc)
            goto out;
        memcpy(s->joint_matrix, d->joint_matrix, n * n * sizeof(double));
        rc = check_matrix(s);
    }
    if (d->weight) {
        memcpy(s->weight, d->weight, n * sizeof(double));
    } else if (all) {
        weights_from_fpc(s);
        s->weighted = true;
        for (size_t i = 0; i < n; i++)
            if (!isfinite(s->weight[i]))
                rc = base_error_set(BASE_E_ARGUMENT,
                                    "row %zu: an infinite population gives no "
                                    "weight: give the weights",
                                    i + 1);
    } else if (d->joint == STATS_JOINT_MATRIX) {
        for (size_t i = 0; i < n; i++)
            s->weight[i] = 1 / s->joint_matrix[i * n + i];
        s->weighted = true;
    } else {
        for (size_t i = 0; i < n; i++)
            s->weight[i] = 1;
    }
out:
    if (rc)
        stats_survey_free(s);
    else
        *out = s;
    return rc;
}

static void free_cells(struct survey_cells *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        base_free(c[i].cell);
        base_free(c[i].before);
        base_free(c[i].after);
    }
    base_free(c);
}

void stats_survey_free(struct stats_survey *s)
{
    if (!s)
        return;
    for (size_t t = 0; t < s->stages; t++)
        base_free(s->stage[t].fpc);
    free_cells(s->post, s->posts);
    free_cells(s->rake, s->margins);
    base_free(s->weight);
    base_free(s->order);
    base_free(s->begins);
    base_free(s->joint_matrix);
    base_free(s);
}

size_t stats_survey_rows(const struct stats_survey *s)
{
    return s->n;
}

const double *stats_survey_weights(const struct stats_survey *s)
{
    return s->weight;
}

bool stats_survey_weighted(const struct stats_survey *s)
{
    return s->weighted;
}

void stats_survey_units(const struct stats_survey *s, const uint8_t *in, size_t *units,
                        size_t *strata)
{
    bool unit_counted = false, stratum_counted = false;
    *units = *strata = 0;
    for (size_t k = 0; k < s->n; k++) {
        if (k == 0 || s->begins[k] == 0)
            stratum_counted = false;
        if (k == 0 || s->begins[k] <= 1)
            unit_counted = false;
        size_t i = s->order[k];
        if (!(s->weight[i] > 0) || (in && !in[i]))
            continue;
        *units += !unit_counted;
        *strata += !stratum_counted;
        unit_counted = stratum_counted = true;
    }
}

/* ---- variance ---- */

struct walk {
    const struct stats_survey *s;
    const double *z; /* [n][p] in the caller's order */
    size_t p;
    double *total; /* [n][p] per stage: totals of the units of the stratum at hand */
    double *mean;  /* [p] */
};

/* v += scale (t - m)(t - m)' */
static void add_square(double *v, size_t p, double scale, const double *t, const double *m)
{
    for (size_t a = 0; a < p; a++) {
        double x = scale * (t[a] - (m ? m[a] : 0));
        for (size_t b = 0; b <= a; b++)
            v[a * p + b] += x * (t[b] - (m ? m[b] : 0));
    }
}

/* Sorted rows [from, to) are of one stratum of stage t: adds factor times its own variance to v.
 * *lonely is set when it has one unit and the policy is to take the others' average. */
static int stratum_variance(struct walk *w, size_t from, size_t to, size_t t, double factor,
                            double *v, bool *lonely)
{
    const struct stats_survey *s = w->s;
    const struct survey_stage *g = &s->stage[t];
    const size_t p = w->p;
    size_t units = 0, end;
    for (size_t u = from; u < to; u = end, units++) {
        end = run_end(s, u, 2 * t + 1, to);
        double *total = w->total + units * p;
        for (size_t a = 0; a < p; a++)
            total[a] = 0;
        for (size_t k = u; k < end; k++)
            for (size_t a = 0; a < p; a++)
                total[a] += w->z[s->order[k] * p + a];
    }
    const double n = (double)units;
    bool census = true;
    size_t k = from;
    for (size_t u = 0; u < units; u++, k = run_end(s, k, 2 * t + 1, to))
        census &= g->present && (g->by_count ? 1 - n / g->fpc[k] : 1 - g->fpc[k]) < 1e-7;
    if (census)
        return 0;
    if (units == 1) {
        double f = !g->present ? 1 : g->by_count ? 1 - 1 / g->fpc[from] : 1 - g->fpc[from];
        if (s->lonely == STATS_LONELY_FAIL)
            return base_error_set(BASE_E_ARGUMENT,
                                  "the stratum of row %zu has one unit at stage %zu, which says "
                                  "nothing of its spread: join strata, or choose what it shall "
                                  "add (remove, adjust or average)",
                                  s->order[from] + 1, t + 1);
        *lonely = s->lonely == STATS_LONELY_AVERAGE;
        if (s->lonely == STATS_LONELY_ADJUST)
            add_square(v, p, factor * f, w->total, NULL);
        return 0;
    }
    for (size_t a = 0; a < p; a++) {
        w->mean[a] = 0;
        for (size_t u = 0; u < units; u++)
            w->mean[a] += w->total[u * p + a];
        w->mean[a] /= n;
    }
    k = from;
    for (size_t u = 0; u < units; u++, k = run_end(s, k, 2 * t + 1, to)) {
        double f = !g->present ? 1 : g->by_count ? 1 - n / g->fpc[k] : 1 - g->fpc[k];
        add_square(v, p, factor * f * n / (n - 1), w->total + u * p, w->mean);
    }
    return 0;
}

/* Sorted rows [from, to) are of one unit of the stage before t (or all, t = 0). */
static int stage_variance(struct walk *w, size_t from, size_t to, size_t t, double factor,
                          double *v)
{
    const struct stats_survey *s = w->s;
    const struct survey_stage *g = &s->stage[t];
    const size_t p = w->p;
    double strata = 0, lonely_strata = 0;
    double *own = v;
    int rc = 0;
    if (s->lonely == STATS_LONELY_AVERAGE && !(own = base_alloc_zero(p * p, sizeof *own)))
        return BASE_E_MEMORY;
    size_t end;
    for (size_t k = from; rc == 0 && k < to; k = end) {
        end = run_end(s, k, 2 * t, to);
        bool lonely = false;
        rc = stratum_variance(w, k, end, t, factor, own, &lonely);
        strata++;
        lonely_strata += lonely;
    }
    if (s->lonely == STATS_LONELY_AVERAGE) {
        if (rc == 0 && lonely_strata == strata)
            rc = base_error_set(BASE_E_ARGUMENT,
                                "every stratum at stage %zu has a single unit: there is no "
                                "average to take",
                                t + 1);
        for (size_t i = 0; rc == 0 && i < p * p; i++)
            v[i] += own[i] * strata / (strata - lonely_strata);
        base_free(own);
    }
    if (rc || t + 1 == s->stages || !g->present)
        return rc;
    for (size_t k = from; rc == 0 && k < to; k = end) {
        end = run_end(s, k, 2 * t, to);
        double units = 0;
        for (size_t i = k; i < end; i++)
            units += i == k || s->begins[i] <= 2 * t + 1;
        size_t unit_end;
        for (size_t u = k; rc == 0 && u < end; u = unit_end) {
            unit_end = run_end(s, u, 2 * t + 1, end);
            double share = g->by_count ? units / g->fpc[u] : g->fpc[u];
            if (share > 0)
                rc = stage_variance(w, u, unit_end, t + 1, factor * share, v);
        }
    }
    return rc;
}

int stats_survey_covariance(const struct stats_survey *s, double *z, size_t p, double *v)
{
    for (size_t i = 0; i < p * p; i++)
        v[i] = 0;
    int rc = stats_survey_residuals(s, z, p);
    if (rc)
        return rc;
    if (s->joint != STATS_JOINT_NONE) {
        rc = stats_survey_joint_covariance(s, z, p, v);
    } else {
        struct walk w = { .s = s, .z = z, .p = p };
        w.total = base_alloc(s->n * p, sizeof *w.total);
        w.mean = base_alloc(p, sizeof *w.mean);
        rc = w.total && w.mean ? stage_variance(&w, 0, s->n, 0, 1, v) : BASE_E_MEMORY;
        base_free(w.total);
        base_free(w.mean);
    }
    for (size_t a = 0; a < p; a++)
        for (size_t b = 0; b < a; b++)
            v[b * p + a] = v[a * p + b];
    return rc;
}
