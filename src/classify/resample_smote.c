/* Rows made between rows: SMOTE and what came of it.
 *
 * A new row is  a + lambda (b - a)  for a row a of the class, one of its neighbours b and lambda
 * uniform in [0, 1); zeros are left out again. The methods differ in which a and b:
 *
 * SMOTE (Chawla, Bowyer, Hall and Kegelmeyer 2002, "SMOTE: synthetic minority over-sampling
 *   technique"). a is any row of the class, b one of its k nearest rows of the class; the pair (a,
 * b) is uniform among all of them. Borderline-SMOTE (Han, Wang and Mao 2005). a is in danger: of
 * its m nearest rows of any class at least half, but not all, are of other classes. Borderline-1
 * goes towards the k nearest of the class; borderline-2 towards the k nearest of any class, at most
 * half way (lambda in [0, 0.5)) where b is of another class. (imbalanced-learn multiplies two
 * uniform numbers there, so that its lambda has density 2 ln(1 / 2 lambda) and mean 1/8; the
 * paper's, used here, is uniform with mean 1/4.) ADASYN (He, Bai, Garcia and Li 2008). The i-th row
 * of the class has the share r_i of its k nearest rows of any class in other classes; it serves as
 * a  round(r_i G / sum r)  times, halves to even, for the G rows wanted, so the total may miss G by
 * the rounding. b is one of the k nearest of the class. SMOTE-NC (same paper as SMOTE,
 * section 6.1): nominal columns; resample_nominal.c has its distance. A nominal column of the new
 * row gets the commonest category among a's k neighbours, one of the commonest at random when there
 * are several; the other columns are SMOTE's.
 *
 * Each smaller class is taken towards the largest on its own, against all others together. */
#include "base/memory.h"
#include "base/rng.h"
#include "classify/neighbors.h"
#include "classify/resample_private.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t resample_k(const struct resample_job *job, size_t own)
{
    return job->options->k ? job->options->k : own;
}

double resample_sum(const double *v, size_t n)
{
    if (n < 8) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += v[i];
        return sum;
    }
    if (n <= 128) {
        double r[8];
        size_t i;
        memcpy(r, v, sizeof r);
        for (i = 8; i < n - n % 8; i += 8)
            for (size_t j = 0; j < 8; j++)
                r[j] += v[i + j];
        double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
        for (; i < n; i++)
            sum += v[i];
        return sum;
    }
    size_t half = n / 2;
    half -= half % 8;
    return resample_sum(v, half) + resample_sum(v + half, n - half);
}

void resample_pairs_free(struct resample_pairs *pairs)
{
    base_free(pairs->base);
    base_free(pairs->neighbor);
    base_free(pairs->times);
    *pairs = (struct resample_pairs){ 0 };
}

/* Rows of any class that are needed for `need` - 1 neighbours. */
static int need_rows(const struct resample_job *job, size_t need, const char *what)
{
    if (job->x->rows >= need)
        return 0;
    return base_error_set(BASE_E_ARGUMENT, "%s: %zu rows in all; %s needs %zu",
                          classify_resampler_name(job->options->method), job->x->rows, what, need);
}

/* How many of the m nearest rows of any class are not of class c: others [bases]. */
static int count_others(const struct resample_job *job, uint32_t c, const uint32_t *base, size_t n,
                        size_t m, size_t *others)
{
    uint32_t *all = base_alloc(job->x->rows, sizeof *all);
    uint32_t *near = base_alloc(n, m * sizeof *near);
    int rc = all && near ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < job->x->rows; i++)
        all[i] = (uint32_t)i;
    if (!rc)
        rc = classify_neighbors_nearest(job->x, all, job->x->rows, base, n, m, near, NULL);
    for (size_t i = 0; !rc && i < n; i++) {
        others[i] = 0;
        for (size_t j = 0; j < m; j++)
            others[i] += job->y[near[i * m + j]] != c;
    }
    base_free(all);
    base_free(near);
    return rc;
}

/* Leaves of the class's rows in pairs->base those in danger. */
static int keep_danger(const struct resample_job *job, struct resample_pairs *pairs)
{
    size_t m = job->options->m ? job->options->m : 10, n = 0;
    char what[40], buffer[32];
    snprintf(what, sizeof what, "m = %zu (--danger)", m);
    int rc = need_rows(job, m + 1, what);
    size_t *others = base_alloc(pairs->bases, sizeof *others);
    if (!rc && !others)
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = count_others(job, pairs->class, pairs->base, pairs->bases, m, others);
    for (size_t i = 0; !rc && i < pairs->bases; i++)
        if (2 * others[i] >= m && others[i] < m)
            pairs->base[n++] = pairs->base[i];
    pairs->bases = n;
    if (!rc && n == 0)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: no row of class %s is in danger (half to all but one of its %zu "
                            "nearest rows in other classes); use smote",
                            classify_resampler_name(job->options->method),
                            resample_class_name(job, pairs->class, buffer), m);
    base_free(others);
    return rc;
}

/* ADASYN: how often each row of the class serves. */
static int adasyn_times(const struct resample_job *job, struct resample_pairs *pairs)
{
    size_t n = pairs->bases, k = pairs->k;
    char what[40], buffer[32];
    snprintf(what, sizeof what, "k = %zu (--neighbours)", k);
    int rc = need_rows(job, k + 1, what);
    double *share = base_alloc(n, sizeof *share);
    size_t *others = base_alloc(n, sizeof *others);
    pairs->times = base_alloc(n, sizeof *pairs->times);
    if (!rc && !(share && others && pairs->times))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = count_others(job, pairs->class, pairs->base, n, k, others);
    for (size_t i = 0; !rc && i < n; i++)
        share[i] = (double)others[i] / (double)k;
    double sum = rc ? 0 : resample_sum(share, n);
    size_t add = 0;
    for (size_t i = 0; sum > 0 && i < n; i++) {
        pairs->times[i] = (size_t)nearbyint(share[i] / sum * (double)pairs->add);
        add += pairs->times[i];
    }
    if (!rc && add == 0)
        rc = base_error_set(
            BASE_E_ARGUMENT,
            sum > 0 ? "adasyn: %zu rows for class %s are too few to go round"
                    : "adasyn: none of the %zu nearest rows of any row of class %s is "
                      "of another class, so no row is harder than others; use smote",
            sum > 0 ? pairs->add : k, resample_class_name(job, pairs->class, buffer));
    pairs->add = add;
    base_free(share);
    base_free(others);
    return rc;
}

int resample_pairs_find(const struct resample_job *job, uint32_t c, struct resample_pairs *pairs)
{
    enum classify_resampler method = job->options->method;
    size_t n = job->count[c], k = resample_k(job, 5);
    char what[40];
    *pairs = (struct resample_pairs){ .class = c, .k = k, .add = resample_to_add(job, c) };
    if (pairs->add == 0)
        return 0;
    snprintf(what, sizeof what, "k = %zu (--neighbours)", k);
    bool any = method == CLASSIFY_RESAMPLE_BORDERLINE2; /* towards rows of any class */
    int rc = any ? need_rows(job, k + 1, what) : resample_need(job, c, k + 1, what);
    if (rc)
        return rc;
    uint32_t *own = resample_class_rows(job, c), *all = NULL;
    if (!own || !(pairs->base = base_alloc(n, sizeof *pairs->base))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    memcpy(pairs->base, own, n * sizeof *own);
    pairs->bases = n;
    if (any || method == CLASSIFY_RESAMPLE_BORDERLINE1)
        rc = keep_danger(job, pairs);
    else if (method == CLASSIFY_RESAMPLE_ADASYN)
        rc = adasyn_times(job, pairs);
    if (!rc && !(pairs->neighbor = base_alloc(pairs->bases, k * sizeof *pairs->neighbor)))
        rc = BASE_E_MEMORY;
    if (rc)
        goto out;
    if (method == CLASSIFY_RESAMPLE_SMOTENC) {
        rc = resample_nominal_neighbors(job, own, n, k, pairs->neighbor);
    } else if (any) {
        if (!(all = base_alloc(job->x->rows, sizeof *all))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        for (size_t i = 0; i < job->x->rows; i++)
            all[i] = (uint32_t)i;
        rc = classify_neighbors_nearest(job->x, all, job->x->rows, pairs->base, pairs->bases, k,
                                        pairs->neighbor, NULL);
    } else {
        rc = classify_neighbors_nearest(job->x, own, n, pairs->base, pairs->bases, k,
                                        pairs->neighbor, NULL);
    }
out:
    base_free(own);
    base_free(all);
    if (rc)
        resample_pairs_free(pairs);
    return rc;
}

void resample_pairs_draw(const struct resample_job *job, const struct resample_pairs *pairs,
                         struct resample_draw *draw)
{
    struct base_rng rng = base_rng_make(job->options->seed, BASE_RNG_RESAMPLE, pairs->class);
    for (size_t i = 0, base = 0, left = pairs->times ? pairs->times[0] : 0; i < pairs->add; i++) {
        if (pairs->times) {
            while (left == 0)
                left = pairs->times[++base];
            left--;
            draw[i] = (struct resample_draw){ base, base_rng_below(&rng, pairs->k), 0 };
        } else {
            uint64_t pair = base_rng_below(&rng, (uint64_t)pairs->bases * pairs->k);
            draw[i] = (struct resample_draw){ pair / pairs->k, pair % pairs->k, 0 };
        }
        uint32_t towards = pairs->neighbor[draw[i].base * pairs->k + draw[i].neighbor];
        double most = job->y[towards] == pairs->class ? 1 : 0.5;
        draw[i].lambda = most * base_rng_uniform(&rng);
    }
}

double resample_value(const struct classify_matrix *x, uint32_t r, uint32_t c)
{
    size_t low = x->first[r], high = x->first[r + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x->column[middle] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->first[r + 1] && x->column[low] == c ? x->value[low] : 0;
}

/* The commonest value of column c among the k rows; a random one of the commonest. */
static double commonest(const struct classify_matrix *x, const uint32_t *row, size_t k, uint32_t c,
                        double *value, struct base_rng *rng)
{
    size_t most = 0, tied = 0;
    double best = 0;
    for (size_t i = 0; i < k; i++)
        value[i] = resample_value(x, row[i], c);
    for (size_t i = 0; i < k; i++) {
        size_t n = 0;
        bool seen = false;
        for (size_t j = 0; j < k; j++) {
            n += value[j] == value[i];
            seen |= j < i && value[j] == value[i];
        }
        if (seen || n < most)
            continue;
        /* the t-th of the tied ones replaces with probability 1 / t: all are equally likely */
        tied = n > most ? 1 : tied + 1;
        if (tied == 1 || base_rng_below(rng, tied) == 0)
            best = value[i];
        most = n;
    }
    return best;
}

int resample_pairs_make(struct resample_job *job, const struct resample_pairs *pairs,
                        const struct resample_draw *draw)
{
    const struct classify_matrix *x = job->x;
    const bool *nominal =
        job->options->method == CLASSIFY_RESAMPLE_SMOTENC ? job->options->nominal : NULL;
    size_t columns = x->columns, from = job->made.rows, most = 0;
    if (pairs->add == 0)
        return 0;
    if (pairs->add >= UINT32_MAX - x->rows - from)
        return base_error_set(BASE_E_LIMIT, "more than %u rows after resampling", UINT32_MAX - 1);
    for (size_t i = 0; i < x->rows; i++)
        most = x->first[i + 1] - x->first[i] > most ? x->first[i + 1] - x->first[i] : most;
    most = nominal ? columns : 2 * most; /* a nominal column may fill where both rows have 0 */
    uint32_t *column = base_alloc(most, sizeof *column);
    double *value = base_alloc(most, sizeof *value), *vote = base_alloc(pairs->k, sizeof *vote);
    uint32_t *label = base_realloc(job->made_label, from + pairs->add, sizeof *label);
    int rc = column && value && vote && label ? 0 : BASE_E_MEMORY;
    if (label)
        job->made_label = label;
    if (!rc && !job->made.first)
        rc = classify_matrix_begin(&job->made, columns);
    struct base_rng rng =
        base_rng_make(job->options->seed, BASE_RNG_RESAMPLE, (uint64_t)1 << 32 | pairs->class);
    for (size_t d = 0; !rc && d < pairs->add; d++) {
        uint32_t a = pairs->base[draw[d].base];
        const uint32_t *near = pairs->neighbor + draw[d].base * pairs->k;
        uint32_t b = near[draw[d].neighbor];
        size_t i = x->first[a], j = x->first[b], n = 0;
        /* with nominal columns, each of them in turn has a place of its own */
        for (uint32_t c = 0;; c++) {
            uint32_t ci = i < x->first[a + 1] ? x->column[i] : UINT32_MAX;
            uint32_t cj = j < x->first[b + 1] ? x->column[j] : UINT32_MAX;
            if (!nominal)
                c = ci < cj ? ci : cj;
            if (c >= columns)
                break;
            double va = ci == c ? x->value[i++] : 0, vb = cj == c ? x->value[j++] : 0;
            double v = nominal && nominal[c] ? commonest(x, near, pairs->k, c, vote, &rng)
                                             : va + draw[d].lambda * (vb - va);
            if (v != 0) {
                column[n] = c;
                value[n++] = v;
            }
        }
        label[from + d] = pairs->class;
        rc = classify_matrix_add(&job->made, column, value, n);
    }
    base_free(column);
    base_free(value);
    base_free(vote);
    return rc;
}

int resample_smote(struct resample_job *job)
{
    int rc = resample_keep_all(job);
    for (uint32_t c = 0; !rc && c < job->classes; c++) {
        struct resample_pairs pairs;
        rc = resample_pairs_find(job, c, &pairs);
        struct resample_draw *draw = rc ? NULL : base_alloc(pairs.add, sizeof *draw);
        if (!rc && !draw)
            rc = BASE_E_MEMORY;
        if (!rc && pairs.add) {
            resample_pairs_draw(job, &pairs, draw);
            rc = resample_pairs_make(job, &pairs, draw);
        }
        base_free(draw);
        resample_pairs_free(&pairs);
    }
    return rc;
}
