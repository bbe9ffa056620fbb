/* Weights adjusted to known totals, and what that takes off the variance.
 *
 * Post-stratification multiplies the weights of cell c by N_c / sum_c w. What then varies is z less
 * its mean in the cell: with d the weights before and w those after,
 *     z_i <- z_i - w_i sum_c (z d / w) / sum_c d
 * (Saerndal et al. 1992, 7.6: the residual of the regression on the cells' indicators, carried with
 * the new weights). Raking repeats this over several margins until all hold; its residuals come
 * from removing each margin's (unweighted) means of z / w in turn, ten rounds, as R's survey does:
 * to convergence that is the regression on all margins' indicators (Deville, Saerndal and Sautory
 * 1993). */
#include "base/memory.h"
#include "stats/survey.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS_OF_RESIDUALS = 10, ROUNDS_OF_RAKING = 2000 };
#define RAKING_TOLERANCE 1e-10

static const char *cell_name(const char *const *names, size_t c, char *buffer, size_t bytes)
{
    if (names)
        return names[c];
    snprintf(buffer, bytes, "%zu", c + 1);
    return buffer;
}

/* Weighted size of the sample in every cell. */
static int check_cells(const struct stats_survey *s, const struct stats_survey_margin *m,
                       double *sum)
{
    char buffer[32];
    memset(sum, 0, m->cells * sizeof *sum);
    for (size_t i = 0; i < s->n; i++) {
        if (m->cell[i] >= m->cells)
            return base_error_set(BASE_E_ARGUMENT, "row %zu is in none of the %zu cells", i + 1,
                                  m->cells);
        sum[m->cell[i]] += s->weight[i];
    }
    for (size_t c = 0; c < m->cells; c++) {
        const char *name = cell_name(m->names, c, buffer, sizeof buffer);
        if (!isfinite(m->total[c]) || m->total[c] < 0)
            return base_error_set(BASE_E_ARGUMENT, "cell %s: population total %g", name,
                                  m->total[c]);
        if (m->total[c] > 0 && !(sum[c] > 0))
            return base_error_set(BASE_E_ARGUMENT,
                                  "cell %s has %.15g in the population and no row in the sample: "
                                  "join it with another",
                                  name, m->total[c]);
        if (m->total[c] == 0 && sum[c] > 0)
            return base_error_set(
                BASE_E_ARGUMENT, "cell %s has rows in the sample and none in the population", name);
    }
    return 0;
}

static int copy_cells(struct survey_cells *c, const struct stats_survey *s,
                      const struct stats_survey_margin *m, bool before)
{
    c->cells = m->cells;
    c->cell = base_alloc(s->n, sizeof *c->cell);
    c->after = base_alloc(s->n, sizeof *c->after);
    if (before)
        c->before = base_alloc(s->n, sizeof *c->before);
    if (!c->cell || !c->after || (before && !c->before))
        return BASE_E_MEMORY;
    memcpy(c->cell, m->cell, s->n * sizeof *c->cell);
    if (before)
        memcpy(c->before, s->weight, s->n * sizeof *c->before);
    return 0;
}

static void drop_cells(struct survey_cells *c)
{
    base_free(c->cell);
    base_free(c->before);
    base_free(c->after);
}

int stats_survey_poststratify(struct stats_survey *s, const uint32_t *cell, size_t cells,
                              const double *total, const char *const *names)
{
    const struct stats_survey_margin m = { cell, cells, total, names };
    if (s->rake)
        return base_error_set(BASE_E_ARGUMENT, "post-stratify before raking, not after");
    struct survey_cells c = { 0 };
    double *sum = base_alloc(cells, sizeof *sum);
    int rc = sum ? check_cells(s, &m, sum) : BASE_E_MEMORY;
    struct survey_cells *grown = NULL;
    if (rc == 0 && !(grown = base_realloc(s->post, s->posts + 1, sizeof *grown)))
        rc = BASE_E_MEMORY;
    if (grown)
        s->post = grown;
    if (rc == 0)
        rc = copy_cells(&c, s, &m, true);
    if (rc) {
        drop_cells(&c);
    } else {
        for (size_t i = 0; i < s->n; i++)
            if (s->weight[i] > 0)
                s->weight[i] *= total[cell[i]] / sum[cell[i]];
        memcpy(c.after, s->weight, s->n * sizeof *c.after);
        s->post[s->posts++] = c;
        s->weighted = true;
    }
    base_free(sum);
    return rc;
}

/* One round over all margins; *worst is the largest miss found on the way, as a share of all. */
static void rake_round(struct stats_survey *s, const struct stats_survey_margin *margin,
                       size_t margins, double *sum, double all, double *worst)
{
    *worst = 0;
    for (size_t m = 0; m < margins; m++) {
        const struct stats_survey_margin *g = &margin[m];
        memset(sum, 0, g->cells * sizeof *sum);
        for (size_t i = 0; i < s->n; i++)
            sum[g->cell[i]] += s->weight[i];
        for (size_t c = 0; c < g->cells; c++)
            *worst = fmax(*worst, fabs(sum[c] - g->total[c]) / all);
        for (size_t i = 0; i < s->n; i++)
            if (s->weight[i] > 0)
                s->weight[i] *= g->total[g->cell[i]] / sum[g->cell[i]];
        memcpy(s->rake[m].after, s->weight, s->n * sizeof *s->weight);
    }
}

int stats_survey_rake(struct stats_survey *s, const struct stats_survey_margin *margin,
                      size_t margins)
{
    if (s->rake)
        return base_error_set(BASE_E_ARGUMENT, "the weights are raked already");
    if (margins < 1)
        return base_error_set(BASE_E_ARGUMENT, "raking needs a margin");
    size_t most = 1;
    for (size_t m = 0; m < margins; m++)
        most = margin[m].cells > most ? margin[m].cells : most;
    double *sum = base_alloc(most, sizeof *sum), all = 0;
    double *old = base_alloc(s->n, sizeof *old);
    int rc = sum && old ? 0 : BASE_E_MEMORY;
    for (size_t m = 0; rc == 0 && m < margins; m++) {
        rc = check_cells(s, &margin[m], sum);
        double total = 0;
        for (size_t c = 0; c < margin[m].cells; c++)
            total += margin[m].total[c];
        if (rc == 0 && m == 0)
            all = total;
        else if (rc == 0 && fabs(total - all) > 1e-6 * all)
            rc = base_error_set(BASE_E_ARGUMENT,
                                "margin %zu is of a population of %.15g, the first of %.15g", m + 1,
                                total, all);
    }
    if (rc == 0 && !(s->rake = base_alloc_zero(margins, sizeof *s->rake)))
        rc = BASE_E_MEMORY;
    if (rc)
        goto out;
    s->margins = margins;
    for (size_t m = 0; rc == 0 && m < margins; m++)
        rc = copy_cells(&s->rake[m], s, &margin[m], false);
    if (rc == 0)
        memcpy(old, s->weight, s->n * sizeof *old);
    double worst = INFINITY;
    for (int round = 0; rc == 0 && worst > RAKING_TOLERANCE; round++) {
        if (round == ROUNDS_OF_RAKING) {
            rc = base_error_set(BASE_E_NUMERIC,
                                "raking did not settle in %d rounds (a cell is still off by %.2g "
                                "of the population): the margins contradict each other in this "
                                "sample",
                                ROUNDS_OF_RAKING, worst);
            memcpy(s->weight, old, s->n * sizeof *old);
            break;
        }
        rake_round(s, margin, margins, sum, all, &worst);
    }
    if (rc == 0) {
        s->weighted = true;
    } else {
        for (size_t m = 0; m < margins; m++)
            drop_cells(&s->rake[m]);
        base_free(s->rake);
        s->rake = NULL;
        s->margins = 0;
    }
out:
    base_free(sum);
    base_free(old);
    return rc;
}

/* z -= w mean_c, with mean_c = sum_c a z / w / sum_c a; a = before, or 1. */
static void remove_means(const struct survey_cells *c, size_t n, double *z, size_t p, double *mean,
                         double *size)
{
    memset(mean, 0, c->cells * p * sizeof *mean);
    memset(size, 0, c->cells * sizeof *size);
    for (size_t i = 0; i < n; i++) {
        double a = c->before ? c->before[i] : 1;
        size[c->cell[i]] += a;
        if (c->after[i] > 0)
            for (size_t k = 0; k < p; k++)
                mean[c->cell[i] * p + k] += a * z[i * p + k] / c->after[i];
    }
    for (size_t i = 0; i < n; i++)
        if (c->after[i] > 0)
            for (size_t k = 0; k < p; k++)
                z[i * p + k] -= c->after[i] * mean[c->cell[i] * p + k] / size[c->cell[i]];
}

int stats_survey_residuals(const struct stats_survey *s, double *z, size_t p)
{
    size_t most = 1;
    for (size_t i = 0; i < s->posts; i++)
        most = s->post[i].cells > most ? s->post[i].cells : most;
    for (size_t i = 0; i < s->margins; i++)
        most = s->rake[i].cells > most ? s->rake[i].cells : most;
    if (!s->posts && !s->margins)
        return 0;
    double *mean = base_alloc(most * p, sizeof *mean), *size = base_alloc(most, sizeof *size);
    int rc = mean && size ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < s->posts; i++)
        remove_means(&s->post[i], s->n, z, p, mean, size);
    for (int round = 0; rc == 0 && s->margins && round < ROUNDS_OF_RESIDUALS; round++)
        for (size_t i = 0; i < s->margins; i++)
            remove_means(&s->rake[i], s->n, z, p, mean, size);
    base_free(mean);
    base_free(size);
    return rc;
}
