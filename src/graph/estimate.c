/* Means, shares and sizes from samples of nodes with visits and weights; see graph_estimate.h for
 * the formulas. */
#include <assay/graph_estimate.h>
#include "base/memory.h"
#include "graph/reader.h"
#include "stats/distribution.h"
#include <math.h>
#include <string.h>

/* ---- the file of nodes ---- */
void graph_walk_free(struct graph_walk *w)
{
    for (size_t i = 0; w->name && i < w->n; i++)
        base_free(w->name[i]);
    base_free(w->name);
    base_free(w->visits);
    base_free(w->degree);
    base_free(w->weight);
    memset(w, 0, sizeof *w);
}

static double *column_copy(const double *from, size_t n)
{
    double *to = base_alloc(n, sizeof *to);
    if (to && n)
        memcpy(to, from, n * sizeof *to);
    return to;
}

static int walk_check(const struct graph_walk *w, const char *path)
{
    struct graph_names seen = { 0 };
    uint32_t index;
    int rc = 0;
    for (size_t i = 0; i < w->n && !rc; i++) {
        uint32_t before = seen.n;
        if (!(w->visits[i] >= 1) || w->visits[i] != floor(w->visits[i]))
            rc = base_error_set(BASE_E_FORMAT, "%s: row %zu: visits is %g, expected 1, 2, ...",
                                path, i + 1, w->visits[i]);
        else if (!(w->degree[i] >= 0))
            rc = base_error_set(BASE_E_FORMAT, "%s: row %zu: degree is %g, expected 0 or more",
                                path, i + 1, w->degree[i]);
        else if (w->weight && !(w->weight[i] > 0))
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: row %zu: the weight is %s, expected a number above 0", path,
                                i + 1, isnan(w->weight[i]) ? "missing" : "not positive");
        else if (!w->name[i])
            rc = base_error_set(BASE_E_FORMAT, "%s: row %zu: the node is missing", path, i + 1);
        else
            rc = graph_names_add(&seen, w->name[i], strlen(w->name[i]), &index);
        if (!rc && seen.n == before)
            rc = base_error_set(BASE_E_FORMAT, "%s: row %zu: a second row of node \"%.60s\"", path,
                                i + 1, w->name[i]);
    }
    graph_names_free(&seen);
    return rc;
}

int graph_walk_read(struct graph_walk *out, const char *path,
                    const struct data_table_options *options)
{
    const struct data_column_want want[4] = {
        { "node", DATA_TEXT },
        { "visits", DATA_NUMBER },
        { "degree", DATA_NUMBER },
        { "weight", DATA_NUMBER },
    };
    struct data_table *t = NULL;
    struct data_frame f = { 0 };
    size_t weight;
    memset(out, 0, sizeof *out);
    if (strcmp(path, "-") == 0)
        return base_error_set(BASE_E_ARGUMENT, "files of nodes are read twice: give a file");
    int rc = data_table_open(&t, path, options);
    if (rc)
        return rc;
    bool weighted = data_table_find(t, "weight", &weight) == 0;
    data_table_close(t);
    if ((rc = data_frame_read(&f, path, options, want, weighted ? 4 : 3)))
        return rc;
    weighted = weighted && f.column[3].missing < f.rows;
    out->n = f.rows;
    out->name = base_alloc_zero(f.rows, sizeof *out->name);
    out->visits = column_copy(f.column[1].number, f.rows);
    out->degree = column_copy(f.column[2].number, f.rows);
    out->weight = weighted ? column_copy(f.column[3].number, f.rows) : NULL;
    if (!out->name || !out->visits || !out->degree || (weighted && !out->weight))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; i < f.rows && !rc; i++)
        if (f.column[0].text[i] && !(out->name[i] = base_strdup(f.column[0].text[i])))
            rc = BASE_E_MEMORY;
    if (!rc && f.rows == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: there are no nodes", path);
    if (!rc)
        rc = walk_check(out, path);
    data_frame_free(&f);
    if (rc)
        graph_walk_free(out);
    return rc;
}

int graph_walk_weigh(struct graph_walk *w, enum graph_weights how, const char *name)
{
    if (how == GRAPH_WEIGHTS_FILE)
        return w->weight ? 0
                         : base_error_set(BASE_E_ARGUMENT,
                                          "%s: has no weights: the method's chances are not known. "
                                          "Choose --weights degree (RDS-II) or none",
                                          name);
    if (!w->weight && !(w->weight = base_alloc(w->n, sizeof *w->weight)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < w->n; i++) {
        if (how == GRAPH_WEIGHTS_DEGREE && !(w->degree[i] > 0))
            return base_error_set(
                BASE_E_ARGUMENT,
                "%s: node \"%.60s\" has degree 0, which no walk comes to: weights "
                "by degree do not fit this sample",
                name, w->name[i]);
        w->weight[i] = how == GRAPH_WEIGHTS_DEGREE ? 1 / w->degree[i] : 1;
    }
    return 0;
}

/* ---- means ---- */
static void interval_t(struct graph_estimate *e, double df, double level)
{
    double t = stats_t_quantile(.5 + level / 2, df);
    e->low = e->value - t * e->se;
    e->high = e->value + t * e->se;
}

int graph_estimate_mean(const struct graph_walk *walks, size_t k, const double *const *y,
                        double level, struct graph_estimate *out)
{
    double up = 0, down = 0, plain = 0, visits = 0;
    *out = (struct graph_estimate){ NAN, NAN, NAN, NAN, NAN, GRAPH_BASIS_NONE, 0 };
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < walks[j].n; i++) {
            double v = walks[j].visits[i], w = walks[j].weight[i];
            if (isnan(y[j][i]))
                continue;
            up += v * w * y[j][i];
            down += v * w;
            plain += v * y[j][i];
            visits += v;
        }
    if (!(down > 0))
        return base_error_set(BASE_E_ARGUMENT, "none of the nodes has a value");
    out->value = up / down;
    out->plain = plain / visits;
    out->count = visits;
    double square = 0;
    for (size_t j = 0; j < k; j++) {
        double total = 0;
        for (size_t i = 0; i < walks[j].n; i++) {
            double v = walks[j].visits[i], w = walks[j].weight[i];
            if (isnan(y[j][i]))
                continue;
            double z = w * (y[j][i] - out->value);
            total += v * z;
            if (k == 1)
                square += v * z * z;
        }
        if (k > 1)
            square += total * total;
    }
    double draws = k == 1 ? visits : (double)k;
    if (draws < 2)
        return 0;
    out->se = sqrt(square * draws / (draws - 1)) / down;
    out->basis = k == 1 ? GRAPH_BASIS_DRAWS : GRAPH_BASIS_SAMPLES;
    interval_t(out, draws - 1, level);
    return 0;
}

/* ---- size ---- */
/* Sums over ordered pairs of samples (or over one sample): expected collisions times N, and
 * collisions. Leaving out sample j takes away its row. */
struct pairs {
    double up, same;
};

/* Visits of node `id` in every sample stand together: id[j][i] is a number of the name. */
struct index {
    uint32_t **id;
    uint32_t names;
};

static void index_free(struct index *x, size_t k)
{
    for (size_t j = 0; x->id && j < k; j++)
        base_free(x->id[j]);
    base_free(x->id);
}

static int index_make(struct index *x, const struct graph_walk *walks, size_t k)
{
    struct graph_names names = { 0 };
    int rc = (x->id = base_alloc_zero(k, sizeof *x->id)) ? 0 : BASE_E_MEMORY;
    for (size_t j = 0; j < k && !rc; j++) {
        if (!(x->id[j] = base_alloc(walks[j].n, sizeof **x->id)))
            rc = BASE_E_MEMORY;
        for (size_t i = 0; i < walks[j].n && !rc; i++)
            rc = graph_names_add(&names, walks[j].name[i], strlen(walks[j].name[i]), &x->id[j][i]);
    }
    x->names = names.n;
    graph_names_free(&names);
    return rc;
}

/* Over all samples but `without` (k = none): pairs in different samples, from totals less those
 * within: sum_{a<b} = ((sum_a)^2 - sum_a^2) / 2. count is scratch [names]. */
static struct pairs between(const struct graph_walk *walks, size_t k, size_t without,
                            const struct index *x, double *count)
{
    struct pairs p = { 0, 0 };
    double w = 0, v = 0;
    memset(count, 0, x->names * sizeof *count);
    for (size_t j = 0; j < k; j++) {
        double a = 0, b = 0;
        if (j == without)
            continue;
        for (size_t i = 0; i < walks[j].n; i++) {
            double n = walks[j].visits[i];
            a += n * walks[j].weight[i];
            b += n / walks[j].weight[i];
            p.same += n * count[x->id[j][i]]; /* with those of the samples before */
        }
        for (size_t i = 0; i < walks[j].n; i++)
            count[x->id[j][i]] += walks[j].visits[i];
        p.up += (a * v + b * w) / 2;
        w += a;
        v += b;
    }
    return p;
}

static struct pairs within(const struct graph_walk *walk)
{
    struct pairs p = { 0, 0 };
    double w = 0, v = 0, n = 0;
    for (size_t i = 0; i < walk->n; i++) {
        w += walk->visits[i] * walk->weight[i];
        v += walk->visits[i] / walk->weight[i];
        n += walk->visits[i];
        p.same += walk->visits[i] * (walk->visits[i] - 1) / 2;
    }
    p.up = (w * v - n) / 2;
    return p;
}

/* The mean of a Poisson count c lies between chi2(a/2; 2c)/2 and chi2(1 - a/2; 2c + 2)/2 (Garwood
 * 1936); by bisection of the tail. */
static double poisson_mean(double c, double tail)
{
    double low = 0, high = 2 * c + 50;
    if (c <= 0)
        return 0;
    for (int i = 0; i < 200; i++) {
        double middle = (low + high) / 2;
        if (stats_chi2_tail(2 * middle, 2 * c) > tail)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static int leave_one_out(const struct graph_walk *walks, size_t k, const struct index *x,
                         double *count, double level, struct graph_estimate *out)
{
    double mean = 0, square = 0, *at = base_alloc(k, sizeof *at);
    if (!at)
        return BASE_E_MEMORY;
    for (size_t j = 0; j < k; j++) {
        struct pairs p = between(walks, k, j, x, count);
        at[j] = log(p.up / p.same);
        mean += at[j] / (double)k;
    }
    for (size_t j = 0; j < k; j++)
        square += (at[j] - mean) * (at[j] - mean);
    base_free(at);
    double se = sqrt(square * (double)(k - 1) / (double)k);
    if (!isfinite(se))
        return 0;
    double t = stats_t_quantile(.5 + level / 2, (double)(k - 1));
    out->se = out->value * se;
    out->low = out->value * exp(-t * se);
    out->high = out->value * exp(t * se);
    out->basis = GRAPH_BASIS_SAMPLES;
    return 0;
}

int graph_estimate_size(const struct graph_walk *walks, size_t k, double level,
                        struct graph_estimate *out)
{
    struct index x = { 0 };
    double *count = NULL;
    struct pairs p;
    int rc = 0;
    *out = (struct graph_estimate){ NAN, NAN, NAN, NAN, NAN, GRAPH_BASIS_NONE, 0 };
    if (k == 1) {
        p = within(walks);
    } else {
        if ((rc = index_make(&x, walks, k)))
            goto out;
        if (!(count = base_alloc(x.names, sizeof *count))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        p = between(walks, k, k, &x, count);
    }
    out->count = p.same;
    out->value = p.same > 0 ? p.up / p.same : INFINITY;
    if (p.same > 0 && k >= 5)
        rc = leave_one_out(walks, k, &x, count, level, out);
    if (!rc && out->basis == GRAPH_BASIS_NONE) {
        double tail = (1 - level) / 2;
        double most = poisson_mean(p.same + 1, tail), least = poisson_mean(p.same, 1 - tail);
        out->low = p.up / most;
        out->high = least > 0 ? p.up / least : INFINITY;
        out->se = p.same > 0 ? out->value / sqrt(p.same) : INFINITY;
        out->basis = GRAPH_BASIS_COUNT;
    }
out:
    index_free(&x, k);
    base_free(count);
    return rc;
}
