/* Referral chains and the network scale-up method; see graph_estimate.h for the formulas. */
#include <assay/graph_estimate.h>
#include "base/memory.h"
#include "base/rng.h"
#include "graph/reader.h"
#include "stats/distribution.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- referral chains ---- */
void graph_referrals_free(struct graph_referrals *r)
{
    for (size_t i = 0; r->name && i < r->n; i++)
        base_free(r->name[i]);
    base_free(r->name);
    base_free(r->recruiter);
    base_free(r->wave);
    base_free(r->degree);
    memset(r, 0, sizeof *r);
}

/* Waves from the seeds on; whoever is not reached stands in a cycle. */
static int find_waves(struct graph_referrals *r, const char *path)
{
    memset(r->wave, 0xff, r->n * sizeof *r->wave);
    for (size_t i = 0; i < r->n; i++) {
        size_t steps = 0, at = i;
        while (r->wave[at] == UINT32_MAX && r->recruiter[at] != UINT32_MAX && steps <= r->n) {
            at = r->recruiter[at];
            steps++;
        }
        if (steps > r->n)
            return base_error_set(
                BASE_E_FORMAT, "%s: \"%.60s\" descends from itself: the referrals go in a circle",
                path, r->name[i]);
        uint32_t wave = (r->wave[at] == UINT32_MAX ? 0 : r->wave[at]) + (uint32_t)steps;
        for (at = i; r->wave[at] == UINT32_MAX; at = r->recruiter[at]) {
            r->wave[at] = wave--;
            if (r->recruiter[at] == UINT32_MAX)
                break;
        }
    }
    for (size_t i = 0; i < r->n; i++)
        r->longest = r->wave[i] > r->longest ? r->wave[i] : r->longest;
    return 0;
}

static bool names_nobody(const char *text)
{
    return !text || strcmp(text, "0") == 0 || strcmp(text, "-1") == 0 || strcmp(text, "seed") == 0;
}

static int link_persons(struct graph_referrals *r, const struct data_frame *f, const char *path)
{
    struct graph_names ids = { 0 };
    uint32_t index;
    int rc = 0;
    for (size_t i = 0; i < r->n && !rc; i++) {
        const char *id = f->column[0].text[i];
        if (!id) {
            rc = base_error_set(BASE_E_FORMAT, "%s: row %zu has no id", path, i + 1);
            break;
        }
        if ((rc = graph_names_add(&ids, id, strlen(id), &index)) == 0 && index != i)
            rc = base_error_set(BASE_E_FORMAT, "%s: row %zu: a second person \"%.60s\"", path,
                                i + 1, id);
        if (!rc && !(r->name[i] = base_strdup(id)))
            rc = BASE_E_MEMORY;
        r->degree[i] = f->column[2].number[i];
        if (!rc && !(r->degree[i] > 0))
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: row %zu: the degree is %s: expected how many persons they "
                                "know, above 0",
                                path, i + 1, isnan(r->degree[i]) ? "missing" : "not positive");
    }
    for (size_t i = 0; i < r->n && !rc; i++) {
        const char *by = f->column[1].text[i];
        r->recruiter[i] = by ? graph_names_find(&ids, by, strlen(by)) : UINT32_MAX;
        if (r->recruiter[i] != UINT32_MAX)
            continue;
        if (!names_nobody(by))
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: row %zu: the recruiter \"%.60s\" is not in the table", path,
                                i + 1, by);
        r->seeds++;
    }
    graph_names_free(&ids);
    return rc;
}

int graph_referrals_read(struct graph_referrals *out, const char *path,
                         const struct data_table_options *options, const char *id,
                         const char *recruiter, const char *degree)
{
    const struct data_column_want want[3] = { { id ? id : "#1", DATA_TEXT },
                                              { recruiter, DATA_TEXT },
                                              { degree, DATA_NUMBER } };
    struct data_frame f = { 0 };
    memset(out, 0, sizeof *out);
    int rc = data_frame_read(&f, path, options, want, 3);
    if (rc)
        return rc;
    out->n = f.rows;
    out->name = base_alloc_zero(f.rows, sizeof *out->name);
    out->recruiter = base_alloc(f.rows, sizeof *out->recruiter);
    out->wave = base_alloc(f.rows, sizeof *out->wave);
    out->degree = base_alloc(f.rows, sizeof *out->degree);
    if (!out->name || !out->recruiter || !out->wave || !out->degree)
        rc = BASE_E_MEMORY;
    if (!rc && f.rows == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: there are no persons", path);
    if (!rc && (rc = link_persons(out, &f, path)) == 0)
        rc = find_waves(out, path);
    data_frame_free(&f);
    if (rc)
        graph_referrals_free(out);
    return rc;
}

/* Recruits of each person in compressed rows; seeds apart. */
struct trees {
    uint32_t *first, *recruit, *seed, *stack;
    size_t seeds;
};

static void trees_free(struct trees *t)
{
    base_free(t->first);
    base_free(t->recruit);
    base_free(t->seed);
    base_free(t->stack);
}

static int trees_make(struct trees *t, const struct graph_referrals *r)
{
    t->first = base_alloc_zero(r->n + 2, sizeof *t->first);
    t->recruit = base_alloc(r->n, sizeof *t->recruit);
    t->seed = base_alloc(r->n, sizeof *t->seed);
    t->stack = base_alloc(r->n + 1, sizeof *t->stack);
    if (!t->first || !t->recruit || !t->seed || !t->stack)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < r->n; i++)
        if (r->recruiter[i] != UINT32_MAX)
            t->first[r->recruiter[i] + 2]++;
    for (size_t i = 1; i <= r->n; i++)
        t->first[i + 1] += t->first[i];
    for (size_t i = 0; i < r->n; i++) {
        if (r->recruiter[i] == UINT32_MAX)
            t->seed[t->seeds++] = (uint32_t)i;
        else
            t->recruit[t->first[r->recruiter[i] + 1]++] = (uint32_t)i;
    }
    return 0;
}

/* One bootstrap of the trees: seeds with replacement; of each person that comes, as many recruits
 * as they had, with replacement. A person comes at most once per draw of their recruiter, so the
 * size of a resample varies; its mean is that of the sample. The stack holds ranges of draws still
 * due as (person, how many), which never are more than the longest chain. */
static double resample(const struct trees *t, const struct graph_referrals *r, const double *y,
                       struct base_rng *rng, uint32_t *due)
{
    double up = 0, down = 0;
    size_t height = 0;
    for (size_t s = 0; s < t->seeds; s++) {
        uint32_t v = t->seed[base_rng_below(rng, t->seeds)];
        for (;;) {
            if (!isnan(y[v])) {
                up += y[v] / r->degree[v];
                down += 1 / r->degree[v];
            }
            uint32_t n = t->first[v + 1] - t->first[v];
            if (n) {
                t->stack[height] = v;
                due[height++] = n;
            }
            while (height && due[height - 1] == 0)
                height--;
            if (!height)
                break;
            uint32_t u = t->stack[height - 1];
            due[height - 1]--;
            v = t->recruit[t->first[u] + base_rng_below(rng, t->first[u + 1] - t->first[u])];
        }
    }
    return down > 0 ? up / down : NAN;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* R's type 7. */
static double quantile(const double *sorted, size_t n, double p)
{
    double at = p * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

int graph_estimate_rds(const struct graph_referrals *r, const double *y, size_t resamples,
                       uint64_t seed, double level, struct graph_estimate *out)
{
    struct trees t = { 0 };
    double up = 0, down = 0, plain = 0, count = 0, mean = 0, square = 0;
    *out = (struct graph_estimate){ NAN, NAN, NAN, NAN, NAN, GRAPH_BASIS_NONE, 0 };
    for (size_t i = 0; i < r->n; i++) {
        if (isnan(y[i]))
            continue;
        up += y[i] / r->degree[i];
        down += 1 / r->degree[i];
        plain += y[i];
        count++;
    }
    if (count == 0)
        return base_error_set(BASE_E_ARGUMENT, "none of the persons has a value");
    out->value = up / down;
    out->plain = plain / count;
    out->count = count;
    double *at = base_alloc(resamples, sizeof *at);
    uint32_t *due = base_alloc(r->n + 1, sizeof *due);
    int rc = at && due ? trees_make(&t, r) : BASE_E_MEMORY;
    size_t n = 0;
    for (size_t b = 0; b < resamples && !rc; b++) {
        struct base_rng rng = base_rng_make(seed, BASE_RNG_BOOTSTRAP, b);
        double m = resample(&t, r, y, &rng, due);
        if (!isnan(m))
            at[n++] = m;
        if (b % 64 == 63 && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    if (!rc && n >= 2) {
        for (size_t i = 0; i < n; i++) {
            double away = at[i] - mean;
            mean += away / (double)(i + 1);
            square += away * (at[i] - mean);
        }
        qsort(at, n, sizeof *at, ascending);
        out->se = sqrt(square / (double)(n - 1));
        out->low = quantile(at, n, (1 - level) / 2);
        out->high = quantile(at, n, (1 + level) / 2);
        out->basis = GRAPH_BASIS_TREE;
    }
    trees_free(&t);
    base_free(at);
    base_free(due);
    return rc;
}

/* ---- scale-up ---- */
void graph_scale_up_free(struct graph_scale_up *s)
{
    base_free(s->back);
    base_free(s->back_low);
    base_free(s->back_high);
    memset(s, 0, sizeof *s);
}

/* R = sum u / sum k over respondents whose u and k are there, times `by`. */
static void ratio(const double *u, const double *k, size_t n, double by, double level,
                  struct graph_estimate *out)
{
    double up = 0, down = 0, square = 0, count = 0;
    *out = (struct graph_estimate){ NAN, NAN, NAN, NAN, NAN, GRAPH_BASIS_NONE, 0 };
    for (size_t i = 0; i < n; i++)
        if (!isnan(u[i]) && !isnan(k[i])) {
            up += u[i];
            down += k[i];
            count++;
        }
    out->count = count;
    if (!(down > 0))
        return;
    const double r = up / down;
    for (size_t i = 0; i < n; i++)
        if (!isnan(u[i]) && !isnan(k[i]))
            square += (u[i] - r * k[i]) * (u[i] - r * k[i]);
    out->value = by * r;
    if (count < 2)
        return;
    out->se = by * sqrt(square * count / (count - 1)) / down;
    double t = stats_t_quantile(.5 + level / 2, count - 1);
    out->low = fmax(out->value - t * out->se, 0);
    out->high = out->value + t * out->se;
    out->basis = GRAPH_BASIS_PERSONS;
}

int graph_estimate_scale_up(const double *const *m, const double *size, size_t k,
                            const double *hidden, size_t n, double population, double level,
                            struct graph_scale_up *out)
{
    double known = 0, *sum = NULL, *rest = NULL, degrees = 0;
    memset(out, 0, sizeof *out);
    if (k == 0 || n == 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "network scale-up needs at least one known group and one respondent");
    for (size_t j = 0; j < k; j++) {
        if (!(size[j] > 0) || !(size[j] < population))
            return base_error_set(BASE_E_ARGUMENT,
                                  "known group %zu has size %g: expected above 0 and below the "
                                  "population %g",
                                  j + 1, size[j], population);
        known += size[j];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= k; j++) {
            double x = j < k ? m[j][i] : hidden[i];
            if (x < 0 || isinf(x))
                return base_error_set(BASE_E_FORMAT,
                                      "respondent %zu says %g: expected a number of persons known",
                                      i + 1, x);
        }
    sum = base_alloc(n, sizeof *sum);
    rest = base_alloc(n, sizeof *rest);
    out->back = base_alloc(k, sizeof *out->back);
    out->back_low = base_alloc(k, sizeof *out->back_low);
    out->back_high = base_alloc(k, sizeof *out->back_high);
    int rc = sum && rest && out->back && out->back_low && out->back_high ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    for (size_t i = 0; i < n; i++) {
        sum[i] = 0;
        for (size_t j = 0; j < k; j++)
            sum[i] += m[j][i];
        if (!isnan(sum[i]) && !isnan(hidden[i]))
            degrees += sum[i] * population / known;
    }
    ratio(hidden, sum, n, known, level, &out->size);
    if (isnan(out->size.value)) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "no respondent knows anybody of the known groups: their personal "
                            "networks cannot be measured");
        goto out;
    }
    out->degree = degrees / out->size.count;
    out->se_model = sqrt(population * out->size.value / degrees);
    for (size_t j = 0; j < k; j++) {
        struct graph_estimate e;
        for (size_t i = 0; i < n; i++)
            rest[i] = sum[i] - m[j][i];
        ratio(m[j], rest, n, known - size[j], level, &e);
        out->back[j] = e.value;
        out->back_low[j] = e.low;
        out->back_high[j] = e.high;
    }
out:
    base_free(sum);
    base_free(rest);
    if (rc)
        graph_scale_up_free(out);
    return rc;
}
