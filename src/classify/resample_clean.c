/* Rows left out because of their neighbours. Neighbours are those of neighbors.h: the other rows,
 * by distance and then by row number. "The smallest class" is, of equally small ones, that with the
 * lowest number; it is not touched, except by the combined methods.
 *
 * Tomek links (Tomek 1976, "Two modifications of CNN"): rows of different classes that are each
 *   other's nearest. The row of the link that is not of the smallest class goes; in SMOTE+Tomek
 * both. ENN, edited nearest neighbours (Wilson 1972, "Asymptotic properties of nearest neighbor
 * rules using edited data"): a row goes when its k neighbours vote against it. RENN (Tomek 1976,
 * "An experiment with the edited nearest-neighbor rule"): ENN again and again, until nothing goes,
 * a hundred times are over, another class has become smaller than the smallest was, or a class is
 * gone; what the last pass left out stays out. AllKNN (same paper): ENN with 1, then 2, ... k
 * neighbours among what is left, with the same two reasons to stop. NCR, neighbourhood cleaning
 * rule (Laurikkala 2001): what ENN (by the commonest class) leaves out, and those of the k
 * neighbours of a row of the smallest class that are of other classes, where the row is
 * misclassified. As in imbalanced-learn the row itself is the first of the k that classify it (in
 * the paper it is not); of equally common classes the lowest number counts. NearMiss (Mani and
 * Zhang 2003, "kNN approach to unbalanced data distributions"): of each other class that many rows
 * as the ratio says, 1: whose mean distance to their k nearest rows of the smallest class is the
 * least, 2: to their k farthest; 3: of those that are among the k nearest of some row of the
 * smallest class, the ones whose mean distance to their k nearest of it is the greatest. Of equal
 * means the lower row stays. */
#include "base/memory.h"
#include "classify/neighbors.h"
#include "classify/resample_private.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is left, and the neighbours that are known. A row's list holds its nearest among the rows
 * that were left when it was made; leaving rows out of it gives its nearest among those left now,
 * so a list is made again only when fewer than k of it are left. */
struct edit {
    const struct resample_job *job;
    bool *gone;       /* [rows] */
    size_t left;      /* rows that are not gone */
    size_t *count;    /* [classes] of those left */
    size_t length;    /* of a list */
    uint32_t *list;   /* [rows][length], UINT32_MAX where it ends */
    bool *known;      /* [rows] */
    uint32_t *alive;  /* [rows] scratch */
    uint32_t *ask;    /* [rows] scratch */
    uint32_t *answer; /* [rows][length] scratch */
    size_t *votes;    /* [classes] scratch, zero between uses */
};

static void edit_free(struct edit *e)
{
    base_free(e->gone);
    base_free(e->count);
    base_free(e->list);
    base_free(e->known);
    base_free(e->alive);
    base_free(e->ask);
    base_free(e->answer);
    base_free(e->votes);
}

static int edit_begin(struct edit *e, const struct resample_job *job, size_t k, bool again)
{
    size_t rows = job->x->rows;
    *e = (struct edit){ .job = job, .left = rows, .length = again ? 2 * k + 2 : k };
    if (rows < k + 1)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: %zu rows in all; k = %zu (--neighbours) needs %zu",
                              classify_resampler_name(job->options->method), rows, k, k + 1);
    e->gone = base_alloc_zero(rows, sizeof *e->gone);
    e->count = base_alloc(job->classes, sizeof *e->count);
    e->list = base_alloc(rows, e->length * sizeof *e->list);
    e->known = base_alloc_zero(rows, sizeof *e->known);
    e->alive = base_alloc(rows, sizeof *e->alive);
    e->ask = base_alloc(rows, sizeof *e->ask);
    e->answer = base_alloc(rows, e->length * sizeof *e->answer);
    e->votes = base_alloc_zero(job->classes, sizeof *e->votes);
    if (!e->gone || !e->count || !e->list || !e->known || !e->alive || !e->ask || !e->answer ||
        !e->votes)
        return BASE_E_MEMORY;
    memcpy(e->count, job->count, job->classes * sizeof *e->count);
    return 0;
}

/* The first k of row's list that are left, to near; false when there are fewer. */
static bool edit_neighbors(const struct edit *e, uint32_t row, size_t k, uint32_t *near)
{
    size_t n = 0;
    for (size_t i = 0; e->known[row] && n < k && i < e->length; i++) {
        uint32_t other = e->list[(size_t)row * e->length + i];
        if (other == UINT32_MAX)
            break;
        if (!e->gone[other])
            near[n++] = other;
    }
    return n == k;
}

/* Sees to it that the lists of all rows of the classes in `of` have k rows that are left. */
static int edit_refresh(struct edit *e, const bool *of, size_t k, uint32_t *near)
{
    size_t n = 0, alive = 0;
    for (size_t i = 0; i < e->job->x->rows; i++) {
        if (e->gone[i])
            continue;
        e->alive[alive++] = (uint32_t)i;
        if (of[e->job->y[i]] && !edit_neighbors(e, (uint32_t)i, k, near))
            e->ask[n++] = (uint32_t)i;
    }
    if (n == 0)
        return 0;
    int rc = classify_neighbors_nearest(e->job->x, e->alive, alive, e->ask, n, e->length, e->answer,
                                        NULL);
    for (size_t i = 0; !rc && i < n; i++) {
        memcpy(e->list + (size_t)e->ask[i] * e->length, e->answer + i * e->length,
               e->length * sizeof *e->list);
        e->known[e->ask[i]] = true;
    }
    return rc;
}

/* The commonest class of n rows, the lowest of equals. */
static uint32_t commonest_class(struct edit *e, const uint32_t *row, size_t n)
{
    const uint32_t *y = e->job->y;
    uint32_t best = y[row[0]];
    for (size_t i = 0; i < n; i++)
        e->votes[y[row[i]]]++;
    for (size_t i = 0; i < n; i++)
        if (e->votes[y[row[i]]] > e->votes[best] ||
            (e->votes[y[row[i]]] == e->votes[best] && y[row[i]] < best))
            best = y[row[i]];
    for (size_t i = 0; i < n; i++)
        e->votes[y[row[i]]] = 0;
    return best;
}

/* All classes but the smallest of those left; or all. */
static void edit_targets(const struct edit *e, bool all, bool *of)
{
    size_t smallest = SIZE_MAX;
    for (size_t c = 0; c < e->job->classes; c++) {
        of[c] = true;
        if (e->count[c] && (smallest == SIZE_MAX || e->count[c] < e->count[smallest]))
            smallest = c;
    }
    if (!all && smallest != SIZE_MAX)
        of[smallest] = false;
}

/* One pass of ENN; *out says how many rows it left out. All rows vote before any goes. */
static int edit_pass(struct edit *e, size_t k, enum classify_resample_vote vote, bool all,
                     size_t *out)
{
    const struct resample_job *job = e->job;
    size_t gone = 0;
    bool *of = base_alloc(job->classes, sizeof *of);
    uint32_t *near = base_alloc(k, sizeof *near);
    int rc = of && near ? 0 : BASE_E_MEMORY;
    if (!rc) {
        edit_targets(e, all, of);
        rc = edit_refresh(e, of, k, near);
    }
    for (size_t i = 0; !rc && i < job->x->rows; i++) {
        if (e->gone[i] || !of[job->y[i]])
            continue;
        edit_neighbors(e, (uint32_t)i, k, near);
        bool stays = true;
        if (vote == CLASSIFY_VOTE_MODE)
            stays = commonest_class(e, near, k) == job->y[i];
        else
            for (size_t j = 0; j < k; j++)
                stays &= job->y[near[j]] == job->y[i];
        if (!stays)
            e->ask[gone++] = (uint32_t)i;
    }
    for (size_t i = 0; !rc && i < gone; i++) {
        e->gone[e->ask[i]] = true;
        e->count[job->y[e->ask[i]]]--;
    }
    e->left -= rc ? 0 : gone;
    *out = gone;
    base_free(of);
    base_free(near);
    return rc;
}

/* Whether RENN and AllKNN stop: a class fell below the smallest's first size, or is gone. */
static bool edit_overdone(const struct edit *e)
{
    const struct resample_job *job = e->job;
    for (size_t c = 0; c < job->classes; c++)
        if (job->count[c] &&
            (e->count[c] == 0 || (c != job->smallest && e->count[c] < job->count[job->smallest])))
            return true;
    return false;
}

static int job_keep(struct resample_job *job, const bool *gone)
{
    if (!(job->keep = base_alloc(job->x->rows, sizeof *job->keep)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < job->x->rows; i++)
        if (!gone[i])
            job->keep[job->kept++] = (uint32_t)i;
    return 0;
}

static int clean_tomek(struct resample_job *job, bool all)
{
    /* One row of a link at least is not of the largest class: only such rows, and the rows of the
     * largest class that are nearest to one, are asked for their nearest. */
    const struct classify_matrix *x = job->x;
    size_t rows = x->rows, n = 0;
    uint32_t *every = base_alloc(rows, sizeof *every), *ask = base_alloc(rows, sizeof *ask);
    uint32_t *answer = base_alloc(rows, sizeof *answer),
             *nearest = base_alloc(rows, sizeof *nearest);
    bool *gone = base_alloc_zero(rows, sizeof *gone);
    int rc = every && ask && answer && nearest && gone ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < rows; i++) {
        every[i] = (uint32_t)i;
        nearest[i] = UINT32_MAX;
        if (job->y[i] != job->largest)
            ask[n++] = (uint32_t)i;
    }
    for (int round = 0; !rc && round < 2; round++) {
        rc = classify_neighbors_nearest(x, every, rows, ask, n, 1, answer, NULL);
        size_t more = 0;
        for (size_t i = 0; !rc && i < n; i++)
            nearest[ask[i]] = answer[i];
        for (size_t i = 0; !rc && i < n; i++) {
            uint32_t other = answer[i];
            /* UINT32_MAX - 1: asked for already */
            if (nearest[other] == UINT32_MAX) {
                nearest[other] = UINT32_MAX - 1;
                answer[more++] = other;
            }
        }
        if (!rc)
            memcpy(ask, answer, more * sizeof *ask);
        n = more;
    }
    for (size_t i = 0; !rc && i < rows; i++) {
        uint32_t other = nearest[i];
        if (other < rows && nearest[other] == i && job->y[other] != job->y[i] &&
            (all || job->y[i] != job->smallest))
            gone[i] = true;
    }
    if (!rc)
        rc = job_keep(job, gone);
    base_free(every);
    base_free(ask);
    base_free(answer);
    base_free(nearest);
    base_free(gone);
    return rc;
}

static int clean_edit(struct resample_job *job, enum classify_resampler method, bool all)
{
    enum classify_resample_vote vote = job->options->vote;
    /* SMOTE+ENN: k is SMOTE's, ENN has its own */
    size_t k = job->options->method == method ? resample_k(job, 3) : 3, out;
    struct edit e;
    int rc = edit_begin(&e, job, k, method != CLASSIFY_RESAMPLE_ENN);
    if (!rc && method == CLASSIFY_RESAMPLE_ENN)
        rc = edit_pass(&e, k, vote, all, &out);
    for (size_t pass = 0; !rc && method == CLASSIFY_RESAMPLE_RENN && pass < 100; pass++) {
        rc = edit_pass(&e, k, vote, all, &out);
        if (out == 0 || edit_overdone(&e) || e.left < k + 1)
            break;
    }
    for (size_t j = 1; !rc && method == CLASSIFY_RESAMPLE_ALLKNN && j <= k; j++) {
        rc = edit_pass(&e, j, vote, all, &out);
        if (edit_overdone(&e) || e.left < j + 2)
            break;
    }
    if (!rc)
        rc = job_keep(job, e.gone);
    edit_free(&e);
    return rc;
}

static int clean_ncr(struct resample_job *job)
{
    size_t k = resample_k(job, 3), out, rows = job->x->rows;
    struct edit e;
    bool *gone = base_alloc_zero(rows, sizeof *gone);
    bool *of = base_alloc_zero(job->classes, sizeof *of);
    uint32_t *near = base_alloc(k + 1, sizeof *near);
    int rc = edit_begin(&e, job, k, false);
    if (!rc && !(gone && of && near))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = edit_pass(&e, k, CLASSIFY_VOTE_MODE, false, &out);
    if (!rc) {
        /* both rules look at all rows: what the first left out is remembered, and put back */
        memcpy(gone, e.gone, rows * sizeof *gone);
        memset(e.gone, 0, rows * sizeof *e.gone);
        of[job->smallest] = true;
        rc = edit_refresh(&e, of, k, near + 1);
    }
    for (size_t i = 0; !rc && i < rows; i++) {
        if (job->y[i] != job->smallest)
            continue;
        near[0] = (uint32_t)i;
        edit_neighbors(&e, (uint32_t)i, k, near + 1);
        if (commonest_class(&e, near, k) == job->smallest)
            continue;
        for (size_t j = 1; j <= k; j++)
            gone[near[j]] |= job->y[near[j]] != job->smallest;
    }
    if (!rc)
        rc = job_keep(job, gone);
    edit_free(&e);
    base_free(gone);
    base_free(of);
    base_free(near);
    return rc;
}

int resample_clean_all(struct resample_job *job, enum classify_resampler method)
{
    return method == CLASSIFY_RESAMPLE_TOMEK ? clean_tomek(job, true)
                                             : clean_edit(job, method, true);
}

int resample_clean(struct resample_job *job)
{
    switch (job->options->method) {
    case CLASSIFY_RESAMPLE_TOMEK:
        return clean_tomek(job, false);
    case CLASSIFY_RESAMPLE_NCR:
        return clean_ncr(job);
    default:
        return clean_edit(job, job->options->method, false);
    }
}

struct ranked {
    double mean;
    uint32_t row;
};
static int nearer(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;
    return p->mean != q->mean ? (p->mean > q->mean) - (p->mean < q->mean)
                              : (p->row > q->row) - (p->row < q->row);
}
static int farther(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;
    return p->mean != q->mean ? (p->mean < q->mean) - (p->mean > q->mean)
                              : (p->row > q->row) - (p->row < q->row);
}

/* Of the rows `row` [n] of a class the `want` best, marked in stays. */
static int nearmiss_class(const struct resample_job *job, const uint32_t *small, uint32_t *row,
                          size_t n, size_t want, size_t k, bool *stays)
{
    enum classify_resampler method = job->options->method;
    size_t smalls = job->count[job->smallest];
    uint32_t *near = NULL;
    double *d2 = NULL, *distance = base_alloc(k, sizeof *distance);
    struct ranked *rank = base_alloc(n, sizeof *rank);
    int rc = distance && rank ? 0 : BASE_E_MEMORY;
    if (!rc && method == CLASSIFY_RESAMPLE_NEARMISS3) {
        bool *chosen = base_alloc_zero(job->x->rows, sizeof *chosen);
        near = base_alloc(smalls, k * sizeof *near);
        rc = chosen && near
                 ? classify_neighbors_nearest(job->x, row, n, small, smalls, k, near, NULL)
                 : BASE_E_MEMORY;
        for (size_t i = 0; !rc && i < smalls * k; i++)
            chosen[near[i]] = true;
        size_t left = 0;
        for (size_t i = 0; !rc && i < n; i++)
            if (chosen[row[i]])
                row[left++] = row[i];
        n = left;
        base_free(chosen);
        base_free(near);
        near = NULL;
    }
    if (!rc) {
        near = base_alloc(n, k * sizeof *near);
        d2 = base_alloc(n, k * sizeof *d2);
        rc = !near || !d2 ? BASE_E_MEMORY
             : method == CLASSIFY_RESAMPLE_NEARMISS2
                 ? classify_neighbors_farthest(job->x, small, smalls, row, n, k, near, d2)
                 : classify_neighbors_nearest(job->x, small, smalls, row, n, k, near, d2);
    }
    for (size_t i = 0; !rc && i < n; i++) {
        /* ascending, as imbalanced-learn adds them */
        for (size_t j = 0; j < k; j++)
            distance[j] = sqrt(d2[i * k + (method == CLASSIFY_RESAMPLE_NEARMISS2 ? k - 1 - j : j)]);
        rank[i] = (struct ranked){ resample_sum(distance, k), row[i] };
    }
    if (!rc)
        qsort(rank, n, sizeof *rank, method == CLASSIFY_RESAMPLE_NEARMISS3 ? farther : nearer);
    for (size_t i = 0; !rc && i < want && i < n; i++)
        stays[rank[i].row] = true;
    base_free(near);
    base_free(d2);
    base_free(distance);
    base_free(rank);
    return rc;
}

int resample_nearmiss(struct resample_job *job)
{
    size_t k = resample_k(job, 3), rows = job->x->rows;
    char what[40];
    snprintf(what, sizeof what, "k = %zu (--neighbours)", k);
    int rc = resample_need(job, job->smallest, k, what);
    if (rc)
        return rc;
    uint32_t *small = resample_class_rows(job, job->smallest);
    bool *stays = base_alloc_zero(rows, sizeof *stays);
    rc = small && stays ? 0 : BASE_E_MEMORY;
    for (uint32_t c = 0; !rc && c < job->classes; c++) {
        uint32_t *row = job->count[c] ? resample_class_rows(job, c) : NULL;
        if (job->count[c] == 0)
            continue;
        if (!row) {
            rc = BASE_E_MEMORY;
        } else if (c == job->smallest) {
            for (size_t i = 0; i < job->count[c]; i++)
                stays[row[i]] = true;
        } else {
            rc =
                nearmiss_class(job, small, row, job->count[c], resample_to_leave(job, c), k, stays);
        }
        base_free(row);
    }
    for (size_t i = 0; !rc && i < rows; i++)
        stays[i] = !stays[i];
    if (!rc)
        rc = job_keep(job, stays);
    base_free(small);
    base_free(stays);
    return rc;
}
