/* Training by a strategy; see strategy.h. */
#include "classify/strategy.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

const char *classify_strategy_name(struct classify_strategy s)
{
    return s.weights ? "weights" : classify_resampler_name(s.resampler);
}

int classify_strategy_parse(const char *name, struct classify_strategy *out)
{
    *out = (struct classify_strategy){ .resampler = CLASSIFY_RESAMPLE_NONE };
    if (strcmp(name, "weights") == 0) {
        out->weights = true;
        return 0;
    }
    int rc = classify_resampler_parse(name, &out->resampler);
    return rc ? base_error_prefix(rc, "strategies are weights and the resamplings") : 0;
}

/* The rows a strategy trains on: those of x, each `count` times, or made ones in `made`. */
struct prepared {
    const struct classify_matrix *x;
    const uint32_t *y;
    uint32_t *count; /* [x->rows] or NULL: once each */
    struct classify_matrix made;
    uint32_t *made_y;
};

static void prepared_free(struct prepared *p)
{
    base_free(p->count);
    base_free(p->made_y);
    classify_matrix_free(&p->made);
}

/* Where every row is one of the table, counting copies is enough: no row is written twice, and the
 * solvers are quicker with them (linear.h). */
static int prepare(struct prepared *p, struct classify_strategy s,
                   const struct classify_fit_options *o, const struct classify_features *f,
                   const struct classify_matrix *x, const struct classify_matrix *coded,
                   const uint32_t *y, size_t classes, const char *const *class_name, size_t *made)
{
    *p = (struct prepared){ .x = x, .y = y };
    *made = 0;
    if (s.resampler == CLASSIFY_RESAMPLE_NONE)
        return 0;
    bool nc = s.resampler == CLASSIFY_RESAMPLE_SMOTENC;
    size_t columns = coded ? coded->columns : 0;
    struct classify_matrix out = { 0 };
    uint32_t *labels = NULL, *origin = NULL;
    bool *nominal = NULL;
    if (nc && !coded)
        return base_error_set(BASE_E_ARGUMENT, "smotenc is for tables with --categories");
    if (nc && !(nominal = base_alloc_zero(columns, sizeof *nominal)))
        return BASE_E_MEMORY;
    for (size_t j = 0; nc && j < f->categories; j++)
        nominal[columns - f->categories + j] = true;
    const struct classify_resample_options ro = { .method = s.resampler,
                                                  .seed = o->seed,
                                                  .k = o->k,
                                                  .m = o->m,
                                                  .ratio = o->ratio,
                                                  .vote = o->vote,
                                                  .nominal = nominal,
                                                  .class_name = class_name };
    int rc = classify_resample(nc ? coded : x, y, classes, &ro, &out, &labels, &origin);
    if (rc)
        goto out;
    for (size_t i = 0; i < out.rows; i++)
        *made += origin[i] == UINT32_MAX;
    if (*made == 0) {
        if (!(p->count = base_alloc_zero(x->rows, sizeof *p->count))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        for (size_t i = 0; i < out.rows; i++)
            p->count[origin[i]]++;
        goto out;
    }
    p->made_y = labels;
    labels = NULL;
    p->y = p->made_y;
    p->x = &p->made;
    if (nc) {
        rc = classify_features_spread(f, &out, &p->made);
    } else {
        p->made = out;
        out = (struct classify_matrix){ 0 };
    }
out:
    base_free(nominal);
    base_free(labels);
    base_free(origin);
    classify_matrix_free(&out);
    return rc;
}

int classify_fit(struct classify_fitted *f, struct classify_strategy s,
                 const struct classify_fit_options *o, const struct classify_features *features,
                 const struct classify_matrix *x, const struct classify_matrix *coded,
                 const uint32_t *y, size_t classes, const char *const *class_name)
{
    *f = (struct classify_fitted){ .classes = classes,
                                   .outputs = classes == 2 ? 1 : classes,
                                   .columns = x->columns,
                                   .converged = true };
    struct prepared p = { 0 };
    bool *positive = NULL;
    f->w = base_alloc(f->outputs, (x->columns + 1) * sizeof *f->w);
    f->rows = base_alloc_zero(classes, sizeof *f->rows);
    f->share = base_alloc_zero(classes, sizeof *f->share);
    f->trained_share = base_alloc_zero(classes, sizeof *f->trained_share);
    int rc = f->w && f->rows && f->share && f->trained_share ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < x->rows && !rc; i++)
        f->share[y[i]]++;
    for (size_t c = 0; c < classes && !rc; c++)
        if ((f->share[c] /= (double)x->rows) == 0)
            rc = base_error_set(BASE_E_ARGUMENT,
                                "class %s has no training row: leave its rows out, or split with "
                                "--stratify",
                                class_name ? class_name[c] : "?");
    if (!rc)
        rc = prepare(&p, s, o, features, x, coded, y, classes, class_name, &f->made);
    if (!rc && !(positive = base_alloc(p.x->rows, sizeof *positive)))
        rc = BASE_E_MEMORY;
    if (rc)
        goto out;
    double total = 0;
    for (size_t i = 0; i < p.x->rows; i++)
        f->rows[p.y[i]] += p.count ? p.count[i] : 1;
    for (size_t c = 0; c < classes; c++)
        total += f->rows[c];
    for (size_t out = 0; out < f->outputs && !rc; out++) {
        size_t target = f->outputs == 1 ? 1 : out;
        struct classify_linear_problem problem = { p.x, positive, p.count, { 1, 1 } };
        struct classify_linear_options linear = o->linear;
        struct classify_linear_result result = { 0 }; /* refused before it begins: not set */
        linear.seed = o->seed;
        for (size_t i = 0; i < p.x->rows; i++)
            positive[i] = p.y[i] == target;
        if (s.weights) {
            problem.weight[1] = total / ((double)classes * f->rows[target]);
            if (f->outputs == 1)
                problem.weight[0] = total / ((double)classes * f->rows[0]);
        }
        double yes = problem.weight[1] * f->rows[target];
        double no = problem.weight[0] * (total - f->rows[target]);
        f->trained_share[target] = yes / (yes + no);
        rc = classify_linear_train(&problem, &linear, f->w + out * (x->columns + 1), &result);
        f->iterations = result.iterations > f->iterations ? result.iterations : f->iterations;
        f->converged = f->converged && result.converged;
    }
    if (f->outputs == 1)
        f->trained_share[0] = 1 - f->trained_share[1];
out:
    base_free(positive);
    prepared_free(&p);
    return rc;
}

void classify_fitted_free(struct classify_fitted *f)
{
    base_free(f->w);
    base_free(f->rows);
    base_free(f->share);
    base_free(f->trained_share);
    *f = (struct classify_fitted){ 0 };
}

int classify_scores(const struct classify_fitted *f, const struct classify_matrix *x, double *score)
{
    if (x->columns != f->columns)
        return base_error_set(BASE_E_ARGUMENT, "rows of %zu columns for a classifier of %zu",
                              x->columns, f->columns);
    if (f->outputs == 1) {
        classify_linear_scores(x, f->w, score);
        return 0;
    }
    double *one = base_alloc(x->rows, sizeof *one);
    if (!one)
        return BASE_E_MEMORY;
    for (size_t out = 0; out < f->outputs; out++) {
        classify_linear_scores(x, f->w + out * (f->columns + 1), one);
        for (size_t i = 0; i < x->rows; i++)
            score[i * f->outputs + out] = one[i];
    }
    base_free(one);
    return 0;
}

uint32_t classify_decide(const double *score, size_t classes)
{
    if (classes == 2)
        return score[0] > 0;
    uint32_t best = 0;
    for (size_t c = 1; c < classes; c++)
        best = score[c] > score[best] ? (uint32_t)c : best;
    return best;
}

static double logit(double p)
{
    return log(p) - log1p(-p);
}

static double sigmoid(double z)
{
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

void classify_probabilities(const struct classify_fitted *f, const double *score,
                            const double *prior, double *probability)
{
    if (f->outputs == 1) {
        double z = score[0];
        if (prior)
            z += logit(prior[1]) - logit(f->trained_share[1]);
        probability[1] = sigmoid(z);
        probability[0] = sigmoid(-z);
        return;
    }
    double sum = 0;
    for (size_t c = 0; c < f->classes; c++) {
        double z = score[c];
        if (prior)
            z += logit(prior[c]) - logit(f->trained_share[c]);
        sum += probability[c] = sigmoid(z);
    }
    for (size_t c = 0; c < f->classes; c++)
        probability[c] = sum > 0 ? probability[c] / sum : 1 / (double)f->classes;
}

int classify_estimate_prior(const struct classify_fitted *f, const double *score, size_t n,
                            double *prior, size_t *iterations)
{
    double *sum = base_alloc(f->classes, sizeof *sum), *p = base_alloc(f->classes, sizeof *p);
    int rc = sum && p ? 0 : BASE_E_MEMORY;
    double change = INFINITY;
    for (*iterations = 0; !rc && change > 1e-10; ++*iterations) {
        if (*iterations == 10000) {
            rc = base_error_set(BASE_E_NUMERIC,
                                "the shares of the classes do not settle (last change %.1g): give "
                                "--prior",
                                change);
            break;
        }
        memset(sum, 0, f->classes * sizeof *sum);
        for (size_t i = 0; i < n; i++) {
            classify_probabilities(f, score + i * f->outputs, prior, p);
            for (size_t c = 0; c < f->classes; c++)
                sum[c] += p[c];
        }
        change = 0;
        for (size_t c = 0; c < f->classes; c++) {
            /* a class that vanishes keeps the smallest share that has odds */
            double share = fmin(fmax(sum[c] / (double)n, 1e-12), 1 - 1e-12);
            change = fmax(change, fabs(share - prior[c]));
            prior[c] = share;
        }
    }
    base_free(sum);
    base_free(p);
    return rc;
}
