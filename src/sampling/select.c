/* The selection: from a frame to which rows are taken and with which probability.
 *
 *   random          pi = n/N                       with replacement: n/N expected draws
 *   systematic      pi = n/N
 *   stratified      pi = n_h/N_h
 *   cluster         pi = (m_h/M_h) (n_i/N_i)       clusters i of stratum h, rows at the second
 * stage pps, balanced   pi = n x_i/X, at most 1        balanced without sizes: n/N weighted pi of
 * successive draws
 */
#include "base/memory.h"
#include "base/rng.h"
#include "sampling/run.h"
#include <math.h>
#include <string.h>

typedef unsigned long long ull;

static struct base_rng stream(const struct sampling_options *o, uint64_t item)
{
    return base_rng_make(o->seed, BASE_RNG_ROWS, item);
}

const char *const sampling_allocation_names[SAMPLING_ALLOCATIONS] = { "proportional", "equal",
                                                                      "neyman" };

/* ---- sizes of strata ---- */
/* N[h] first-stage units of each stratum; n[h] of them to take. */
static int share_out(const struct sampling_frame *f, const struct sampling_options *o, size_t H,
                     const uint64_t *N, const char *units, uint64_t *n)
{
    uint64_t all = 0, total, fixed = 0;
    double *share = base_alloc(H + 1, sizeof *share);
    uint64_t *most = base_alloc(H + 1, sizeof *most);
    int rc = share && most ? 0 : BASE_E_MEMORY;
    for (size_t h = 0; h < H; h++)
        all += N[h];
    if (rc || (rc = sampling_size(o, all, units, &total)))
        goto out;
    for (size_t h = 0; h < H; h++) {
        most[h] = N[h];
        if (H > 1 && N[h] == 1 && !o->singletons && o->method == SAMPLING_STRATIFIED) {
            rc = base_error_set(BASE_E_ARGUMENT,
                                "stratum \"%s\" has a single row, from which no variance can be "
                                "estimated: merge it with another, leave it out (--where), or take "
                                "it for certain (--singletons)",
                                f->stratum[h]);
            goto out;
        }
        if (N[h] == 1 && o->singletons) {
            most[h] = 0; /* taken for certain, outside of the sharing */
            fixed++;
        }
        if (o->allocation == SAMPLING_EQUAL)
            share[h] = 1;
        else if (o->allocation == SAMPLING_NEYMAN)
            share[h] =
                f->group[h].measured > 1
                    ? (double)N[h] * sqrt(f->group[h].square / (double)(f->group[h].measured - 1))
                    : 0;
        else
            share[h] = (double)N[h];
    }
    if (fixed > total) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "there are %llu strata of a single row, more than the %llu rows asked "
                            "for",
                            (ull)fixed, (ull)total);
        goto out;
    }
    if ((rc = sampling_allocate(H, share, most, total - fixed, n)))
        goto out;
    for (size_t h = 0; h < H && !rc; h++) {
        if (most[h] == 0)
            n[h] = 1;
        if (n[h] == 0)
            rc = base_error_set(
                BASE_E_ARGUMENT,
                "stratum \"%s\" (%llu %s) would get none of the %llu%s: its rows "
                "could never be drawn; ask for more, merge strata, or use "
                "--allocation equal",
                f->stratum[h], (ull)N[h], units, (ull)total,
                o->allocation == SAMPLING_NEYMAN ? " (Neyman: its variable hardly varies)" : "");
    }
out:
    base_free(share);
    base_free(most);
    return rc;
}

static int report_strata(const struct sampling_frame *f, const struct sampling_options *o, size_t H,
                         const uint64_t *N, const uint64_t *n, struct sampling_report *report)
{
    size_t alone = 0, first = 0;
    if (!(report->strata = base_alloc_zero(H + 1, sizeof *report->strata)))
        return BASE_E_MEMORY;
    for (size_t h = 0; h < H; h++) {
        struct sampling_stratum *s = &report->strata[report->n_strata];
        *s = (struct sampling_stratum){ NULL, N[h], n[h], NAN, 0 };
        if (o->variable && f->group[h].measured > 1) {
            s->deviation = sqrt(f->group[h].square / (double)(f->group[h].measured - 1));
            s->missing = f->group[h].N - f->group[h].measured;
        }
        if (!(s->name = base_strdup(f->stratum[h])))
            return BASE_E_MEMORY;
        report->n_strata++;
        if (n[h] == 1 && N[h] > 1) {
            first = alone++ ? first : h;
        }
    }
    if (alone)
        return sampling_note(report,
                             "%zu strat%s only one unit in the sample (\"%s\"%s): no variance can "
                             "be estimated there",
                             alone, alone == 1 ? "um has" : "a have", f->stratum[first],
                             alone == 1 ? "" : " ...");
    return 0;
}

/* ---- groups drawn with equal probabilities ---- */
static int draw_group(struct sampling_group *g, struct base_rng *rng,
                      const struct sampling_options *o, uint64_t n)
{
    if (!(g->pick = base_alloc(n + 1, sizeof *g->pick)))
        return BASE_E_MEMORY;
    g->n = n;
    g->pi = (double)n / (double)g->N;
    g->weight = (double)g->N / (double)n;
    g->fpc = o->replace ? NAN : (double)g->N;
    return o->replace                         ? sampling_draw_replacement(rng, g->N, n, g->pick)
           : o->method == SAMPLING_SYSTEMATIC ? sampling_draw_systematic(rng, g->N, n, g->pick)
                                              : sampling_draw_random(rng, g->N, n, g->pick);
}

static int select_groups(struct sampling_frame *f, const struct sampling_options *o,
                         struct sampling_report *report)
{
    size_t H = f->n_groups;
    uint64_t *N = base_alloc(2 * H, sizeof *N), *n = N ? N + H : NULL;
    int rc = N ? 0 : BASE_E_MEMORY;
    for (size_t h = 0; h < H && !rc; h++)
        N[h] = f->group[h].N;
    if (!rc && o->n_by)
        rc = share_out(f, o, H, N, "rows", n);
    else if (!rc)
        rc = sampling_size(o, f->N, "rows", n);
    for (size_t h = 0; h < H && !rc; h++) {
        struct base_rng rng = stream(o, o->n_by ? SAMPLING_ITEM_STRATUM + h : SAMPLING_ITEM_MAIN);
        rc = draw_group(&f->group[h], &rng, o, n[h]);
    }
    if (!rc && o->n_by)
        rc = report_strata(f, o, H, N, n, report);
    base_free(N);
    return rc;
}

/* ---- clusters ---- */
static int second_stage(struct sampling_group *g, struct base_rng *rng,
                        const struct sampling_options *o)
{
    uint64_t n = g->N;
    if (o->second)
        n = o->second < g->N ? o->second : g->N;
    else if (o->second_frac > 0)
        n = (uint64_t)ceil(o->second_frac * (double)g->N - 1e-9);
    g->all = n == g->N;
    g->pi *= (double)n / (double)g->N;
    g->weight *= (double)g->N / (double)n;
    g->fpc2 = o->second || o->second_frac > 0 ? (double)g->N : NAN;
    g->n = n;
    if (g->all)
        return 0;
    if (!(g->pick = base_alloc(n + 1, sizeof *g->pick)))
        return BASE_E_MEMORY;
    return sampling_draw_random(rng, g->N, n, g->pick);
}

static int select_clusters(struct sampling_frame *f, const struct sampling_options *o,
                           struct sampling_report *report)
{
    size_t H = f->n_strata;
    uint64_t *M = base_alloc_zero(2 * H, sizeof *M), *m = M ? M + H : NULL;
    uint64_t *drawn = base_alloc(f->n_groups + 1, sizeof *drawn);
    size_t *of = base_alloc(f->n_groups + 1, sizeof *of);
    int rc = M && drawn && of ? 0 : BASE_E_MEMORY;
    for (size_t g = 0; g < f->n_groups && !rc; g++)
        M[f->group[g].stratum]++;
    if (!rc)
        rc = o->n_by ? share_out(f, o, H, M, "clusters", m)
                     : sampling_size(o, f->n_groups, "clusters", m);
    report->clusters = f->n_groups;
    for (size_t h = 0; h < H && !rc; h++) {
        struct base_rng rng = stream(o, o->n_by ? SAMPLING_ITEM_STRATUM + h : SAMPLING_ITEM_MAIN);
        if ((rc = sampling_draw_random(&rng, M[h], m[h], drawn)))
            break;
        size_t k = 0;
        for (size_t g = 0; g < f->n_groups; g++)
            if (f->group[g].stratum == h)
                of[k++] = g;
        for (uint64_t i = 0; i < m[h] && !rc; i++) {
            struct sampling_group *g = &f->group[of[drawn[i]]];
            struct base_rng second = stream(o, SAMPLING_ITEM_CLUSTER + of[drawn[i]]);
            g->pi = (double)m[h] / (double)M[h];
            g->weight = (double)M[h] / (double)m[h];
            g->fpc = (double)M[h];
            rc = second_stage(g, &second, o);
            report->clusters_taken++;
        }
    }
    if (!rc && o->n_by)
        rc = report_strata(f, o, H, M, m, report);
    base_free(M);
    base_free(drawn);
    base_free(of);
    return rc;
}

/* Clusters made by k-means become groups of their own. */
static int make_clusters(struct sampling_frame *f, const struct sampling_options *o)
{
    struct base_rng rng = stream(o, SAMPLING_ITEM_CLUSTER - 1);
    if (!(f->label = base_alloc(f->N, sizeof *f->label)))
        return BASE_E_MEMORY;
    int rc = sampling_kmeans(&rng, f->x, f->N, o->n_on, o->kmeans, f->label);
    struct sampling_group *groups = rc ? NULL : base_alloc_zero(o->kmeans, sizeof *groups);
    if (!groups)
        return rc ? rc : BASE_E_MEMORY;
    for (size_t i = 0; i < f->n_groups; i++) {
        base_free(f->group[i].name);
        base_free(f->group[i].cluster);
    }
    base_free(f->group);
    f->group = groups;
    f->n_groups = o->kmeans;
    f->rows = false;
    for (size_t i = 0; i < f->n_groups; i++) {
        groups[i].fpc = groups[i].fpc2 = NAN;
        if (!(groups[i].cluster = base_format("k%zu", i + 1)))
            return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < f->N; i++)
        groups[f->label[i]].N++;
    return 0;
}

/* ---- by number in the whole population ---- */
/* The joint probabilities of a stratum's rows that were taken; place[row] is a row's number among
 * all of the sample. Draws in different strata are independent. */
static int add_joint(struct sampling_frame *f, const struct sampling_options *o,
                     const uint64_t *row, const double *pi, const unsigned char *taken, size_t N,
                     const uint64_t *place, size_t n)
{
    size_t m = 0;
    uint64_t *unit = base_alloc(N + 1, sizeof *unit);
    for (size_t i = 0; unit && i < N; i++)
        if (taken[i])
            unit[m++] = i;
    double *joint = unit ? base_alloc(m * m + 1, sizeof *joint) : NULL;
    int rc = joint ? sampling_joint(o->pps, pi, N, unit, m, joint) : BASE_E_MEMORY;
    for (size_t i = 0; i < m && !rc; i++)
        for (size_t j = 0; j < m; j++)
            f->joint[place[row[unit[i]]] * n + place[row[unit[j]]]] = joint[i * m + j];
    base_free(unit);
    base_free(joint);
    return rc;
}

static int make_joint(struct sampling_frame *f, const struct sampling_options *o, size_t H)
{
    size_t n = 0, cells;
    uint64_t *place = base_alloc(f->N, sizeof *place), *row = base_alloc(f->N, sizeof *row);
    double *pi = base_alloc(f->N, sizeof *pi);
    unsigned char *taken = base_alloc(f->N, 1);
    int rc = place && row && pi && taken ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < f->N && !rc; i++) {
        place[i] = n;
        n += f->taken[i];
    }
    if (!rc && (base_mul_size(n, n, &cells) || cells > (size_t)1 << 28))
        rc = base_error_set(BASE_E_LIMIT, "joint probabilities of %zu rows: at most 16384 rows", n);
    if (!rc && !(f->joint = base_alloc(cells + 1, sizeof *f->joint)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0, k = 0; i < f->N && !rc; i++)
        if (f->taken[i]) {
            for (size_t j = 0, l = 0; j < f->N; j++)
                if (f->taken[j])
                    f->joint[k * n + l++] = f->pi[i] * f->pi[j];
            k++;
        }
    for (size_t h = 0; h < H && !rc; h++) {
        size_t k = 0;
        for (size_t i = 0; i < f->N; i++)
            if (!o->n_by || f->of[i] == h) {
                row[k] = i;
                pi[k] = f->pi[i];
                taken[k++] = f->taken[i];
            }
        rc = add_joint(f, o, row, pi, taken, k, place, n);
    }
    base_free(place);
    base_free(row);
    base_free(pi);
    base_free(taken);
    return rc;
}

static int unequal(struct sampling_frame *f, const struct sampling_options *o, const uint64_t *row,
                   size_t N, uint64_t n, uint64_t item)
{
    /* one stratum: rows row[0..N) */
    struct base_rng rng = stream(o, item);
    double *size = base_alloc(N + 1, sizeof *size), *pi = base_alloc(N + 1, sizeof *pi);
    unsigned char *taken = base_alloc_zero(N + 1, 1);
    int rc = size && pi && taken ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < N && !rc; i++)
        size[i] = f->size[row[i]];
    if (!rc && !(rc = sampling_inclusion(size, N, n, pi)))
        rc = sampling_draw_pps(&rng, o->pps, pi, N, taken);
    for (size_t i = 0; i < N && !rc; i++) {
        f->pi[row[i]] = pi[i];
        f->taken[row[i]] = taken[i];
    }
    base_free(size);
    base_free(pi);
    base_free(taken);
    return rc;
}

static int select_pps(struct sampling_frame *f, const struct sampling_options *o,
                      struct sampling_report *report)
{
    size_t H = o->n_by ? f->n_groups : 1;
    uint64_t *N = base_alloc(2 * H, sizeof *N), *n = N ? N + H : NULL;
    uint64_t *row = base_alloc(f->N, sizeof *row);
    int rc = N && row ? 0 : BASE_E_MEMORY;
    for (size_t h = 0; h < H && !rc; h++)
        N[h] = o->n_by ? f->group[h].N : f->N;
    if (!rc)
        rc = o->n_by ? share_out(f, o, H, N, "rows", n) : sampling_size(o, f->N, "rows", n);
    for (size_t h = 0; h < H && !rc; h++) {
        size_t k = 0;
        for (size_t i = 0; i < f->N; i++)
            if (!o->n_by || f->of[i] == h)
                row[k++] = i;
        if ((rc = unequal(f, o, row, k, n[h],
                          o->n_by ? SAMPLING_ITEM_STRATUM + h : SAMPLING_ITEM_MAIN)) &&
            o->n_by)
            rc = base_error_prefix(rc, "stratum \"%s\"", f->stratum[h]);
    }
    if (!rc && o->joint)
        rc = make_joint(f, o, H);
    if (!rc && o->n_by)
        rc = report_strata(f, o, H, N, n, report);
    base_free(N);
    base_free(row);
    return rc;
}

static int select_weighted(struct sampling_frame *f, const struct sampling_options *o,
                           struct sampling_report *report)
{
    uint64_t n = 0, *drawn = NULL;
    struct base_rng rng = stream(o, SAMPLING_ITEM_MAIN);
    int rc = sampling_size(o, f->N, "rows", &n);
    if (!rc && !(drawn = base_alloc(n + 1, sizeof *drawn)))
        rc = BASE_E_MEMORY;
    if (!rc && !(rc = sampling_draw_successive(&rng, f->size, f->N, n, drawn)))
        rc = sampling_inclusion_successive(f->size, f->N, n, f->pi, &report->exact);
    for (uint64_t i = 0; i < n && !rc; i++)
        f->taken[drawn[i]] = 1;
    if (!rc && !report->exact)
        rc = sampling_note(report, "the inclusion probabilities of successive draws are Rosén's "
                                   "approximation (exact ones for up to 1,000 rows)");
    base_free(drawn);
    return rc;
}

static int select_balanced(struct sampling_frame *f, const struct sampling_options *o)
{
    uint64_t n;
    struct base_rng rng = stream(o, SAMPLING_ITEM_MAIN);
    int rc = sampling_size(o, f->N, "rows", &n);
    if (!rc && o->weights)
        rc = sampling_inclusion(f->size, f->N, n, f->pi);
    for (size_t i = 0; i < f->N && !rc && !o->weights; i++)
        f->pi[i] = (double)n / (double)f->N;
    if (!o->weights)
        f->fpc = (double)f->N;
    return rc ? rc : sampling_draw_cube(&rng, f->pi, f->x, f->N, o->n_on, f->taken);
}

int sampling_select(struct sampling_frame *f, const struct sampling_options *o,
                    struct sampling_report *report)
{
    int rc;
    switch (o->method) {
    case SAMPLING_CLUSTER:
        rc = o->cluster ? 0 : make_clusters(f, o);
        return rc ? rc : select_clusters(f, o, report);
    case SAMPLING_PPS:
    case SAMPLING_WEIGHTED:
    case SAMPLING_BALANCED:
        if (!(f->taken = base_alloc_zero(f->N, 1)) ||
            !(f->pi = base_alloc_zero(f->N, sizeof *f->pi)))
            return BASE_E_MEMORY;
        rc = o->method == SAMPLING_PPS        ? select_pps(f, o, report)
             : o->method == SAMPLING_WEIGHTED ? select_weighted(f, o, report)
                                              : select_balanced(f, o);
        for (size_t i = 0; i < f->N && !rc; i++) {
            report->certain += f->taken[i] && f->pi[i] >= 1;
            report->never += f->pi[i] <= 0;
        }
        if (!rc && report->never)
            rc = sampling_note(report,
                               "%llu rows of %s 0 can never be drawn: the sample says "
                               "nothing about them",
                               (ull)report->never,
                               o->method == SAMPLING_WEIGHTED ? "weight" : "size");
        return rc;
    default:
        return select_groups(f, o, report);
    }
}
