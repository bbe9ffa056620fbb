/* Training and applying linear classifiers; see linear.h.
 *
 * The dual of the squared hinge problem (Hsieh, Chang, Lin, Keerthi, Sundararajan 2008),
 *
 *     min_a  sum_ij a_i a_j y_i y_j x_i.x_j / 2 + sum_i D_i a_i^2 / 2 - sum_i a_i,   a_i >= 0,
 *     D_i = 1 / (2 C k_i c(y_i)),   w = sum_i a_i y_i x_i,
 *
 * is solved one coordinate at a time in an order drawn anew for each pass:
 *
 *     G = y_i w.x_i - 1 + D_i a_i,   a_i <- max(0, a_i - G / (x_i.x_i + D_i))
 *
 * Rows with a_i = 0 and G above the largest violation of the last pass are set aside (shrinking);
 * when the others' violations span less than the tolerance, all rows are looked at again, and the
 * end is when all of them satisfy it. k copies of a row have equal a in the optimum, and together
 * they are one row with C k: the same w, and the pass is shorter by k - 1 rows. */
#include "classify/linear.h"
#include "base/library.h"
#include "base/memory.h"
#include "base/rng.h"
#include "classify/newton.h"
#include <limits.h>
#include <linear.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

const char *const classify_learner_names[CLASSIFY_LEARNERS] = { "svm", "logistic" };
const char *const classify_solver_names[CLASSIFY_SOLVERS] = { "primal", "dual", "liblinear",
                                                              "liblinear-dual" };

static double row_dot(const struct classify_matrix *x, size_t i, const double *w)
{
    double sum = 0;
    for (size_t j = x->first[i]; j < x->first[i + 1]; j++)
        sum += w[x->column[j]] * x->value[j];
    return sum;
}

void classify_linear_scores(const struct classify_matrix *x, const double *w, double *score)
{
    for (size_t i = 0; i < x->rows; i++)
        score[i] = row_dot(x, i, w) + w[x->columns];
}

double classify_linear_objective(const struct classify_linear_problem *p,
                                 const struct classify_linear_options *o, const double *w)
{
    double half = 0, loss = 0, b = o->bias > 0 ? w[p->x->columns] / o->bias : 0;
    for (size_t j = 0; j < p->x->columns; j++)
        half += w[j] * w[j] / 2;
    for (size_t i = 0; i < p->x->rows; i++) {
        double f = row_dot(p->x, i, w) + w[p->x->columns], z = p->positive[i] ? f : -f;
        double k = (p->count ? p->count[i] : 1) * p->weight[p->positive[i]];
        double short_of = fmax(0, 1 - z);
        loss += k * (o->learner == CLASSIFY_SVM ? short_of * short_of
                     : z > 0                    ? log1p(exp(-z))
                                                : log1p(exp(z)) - z);
    }
    return half + b * b / 2 + o->c * loss;
}

/* ---- coordinate descent on the dual ---- */

struct dual_row {
    size_t first;
    uint32_t length;
    float sign;
    double diagonal; /* D_i */
    double square;   /* x_i.x_i + bias^2 + D_i */
    double alpha;
};

static int train_dual(const struct classify_linear_problem *p,
                      const struct classify_linear_options *o, double *w,
                      struct classify_linear_result *result)
{
    const struct classify_matrix *x = p->x;
    size_t n = 0;
    struct dual_row *row = base_alloc(x->rows, sizeof *row);
    uint32_t *order = base_alloc(x->rows, sizeof *order);
    int rc = row && order ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < x->rows && !rc; i++) {
        uint32_t count = p->count ? p->count[i] : 1;
        if (!count)
            continue;
        double d = 0.5 / (o->c * count * p->weight[p->positive[i]]), square = o->bias * o->bias + d;
        for (size_t j = x->first[i]; j < x->first[i + 1]; j++)
            square += x->value[j] * x->value[j];
        row[n] = (struct dual_row){ x->first[i],
                                    (uint32_t)(x->first[i + 1] - x->first[i]),
                                    p->positive[i] ? 1 : -1,
                                    d,
                                    square,
                                    0 };
        order[n] = (uint32_t)n;
        n++;
    }
    memset(w, 0, (x->columns + 1) * sizeof *w);
    double bias = 0, bound = INFINITY; /* weight of the bias feature; largest violation before */
    size_t active = n, pass = 0;
    bool done = false;
    for (; pass < o->max_iterations && !done && !rc; pass++) {
        if (base_interrupted()) {
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted while training");
            break;
        }
        struct base_rng rng = base_rng_make(o->seed, BASE_RNG_FOLD, (uint64_t)1 << 40 | pass);
        double highest = -INFINITY, lowest = INFINITY;
        for (size_t s = 0; s < active; s++) {
            /* Lemire's multiplication without the rejection: the order need not be exactly uniform
             */
            size_t k = s + (size_t)((uint64_t)base_rng_u32(&rng) * (active - s) >> 32);
            uint32_t i = order[k];
            order[k] = order[s];
            order[s] = i;
            struct dual_row *r = &row[i];
            const uint32_t *column = x->column + r->first;
            const double *value = x->value + r->first;
            double dot = bias * o->bias;
            for (uint32_t j = 0; j < r->length; j++)
                dot += w[column[j]] * value[j];
            double g = r->sign * dot - 1 + r->diagonal * r->alpha, projected = g;
            if (r->alpha == 0) {
                if (g > bound) {
                    order[s--] = order[--active];
                    order[active] = i;
                    continue;
                }
                projected = g < 0 ? g : 0;
            }
            highest = projected > highest ? projected : highest;
            lowest = projected < lowest ? projected : lowest;
            if (fabs(projected) <= 1e-15)
                continue;
            double alpha = fmax(0, r->alpha - g / r->square);
            double step = (alpha - r->alpha) * r->sign;
            r->alpha = alpha;
            bias += step * o->bias;
            for (uint32_t j = 0; j < r->length; j++)
                w[column[j]] += step * value[j];
        }
        bound = highest > 0 ? highest : INFINITY;
        if (active == 0 || highest - lowest <= o->tolerance) {
            done = active == n;
            active = n;
            bound = INFINITY;
        }
    }
    w[x->columns] = bias * o->bias;
    *result = (struct classify_linear_result){ pass, done };
    base_free(row);
    base_free(order);
    return rc;
}

/* ---- LIBLINEAR ---- */

#define LIBLINEAR(X)                                                                               \
    X(train) X(check_parameter) X(free_and_destroy_model) X(set_print_string_function)
struct liblinear_functions {
#define X(name) __typeof__(name) *name;
    LIBLINEAR(X)
#undef X
};
static struct liblinear_functions liblinear;

static int liblinear_load(void)
{
    static const char *const names[] = {
#define X(name) #name,
        LIBLINEAR(X)
#undef X
    };
    return base_library_load("liblinear.so.4", "liblinear4", names, &liblinear,
                             sizeof names / sizeof *names);
}

/* LIBLINEAR tells only in words that it gave up; it says so on the thread that called it. */
static _Thread_local bool gave_up;
static void liblinear_listen(const char *text)
{
    if (strstr(text, "reaching max number of iterations"))
        gave_up = true;
}

static int train_liblinear(const struct classify_linear_problem *p,
                           const struct classify_linear_options *o, int solver, double *w,
                           struct classify_linear_result *result)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const struct classify_matrix *x = p->x;
    bool random = solver == L2R_L2LOSS_SVC_DUAL || solver == L2R_LR_DUAL;
    size_t rows = 0, nodes;
    for (size_t i = 0; i < x->rows; i++)
        rows += p->count ? p->count[i] : 1;
    /* every row: its values, the bias feature, the end mark */
    if (rows >= INT_MAX || x->columns + 1 >= INT_MAX || base_mul_size(x->rows, 2, &nodes) ||
        base_add_size(nodes, x->first[x->rows], &nodes))
        return base_error_set(BASE_E_LIMIT,
                              "%zu rows and %zu columns are too many for LIBLINEAR: use --solver "
                              "primal",
                              rows, x->columns);
    int rc = liblinear_load();
    if (rc)
        return rc;
    struct feature_node *node = base_alloc(nodes, sizeof *node), *at = node;
    struct feature_node **pointer = base_alloc(rows, sizeof *pointer);
    double *y = base_alloc(rows, sizeof *y);
    struct model *m = NULL;
    rc = node && pointer && y ? 0 : BASE_E_MEMORY;
    rows = 0;
    for (size_t i = 0; i < x->rows && !rc; i++) {
        for (uint32_t k = p->count ? p->count[i] : 1; k > 0; k--) {
            pointer[rows] = at;
            y[rows++] = p->positive[i] ? 1 : -1;
        }
        for (size_t j = x->first[i]; j < x->first[i + 1]; j++)
            *at++ = (struct feature_node){ (int)x->column[j] + 1, x->value[j] };
        if (o->bias > 0)
            *at++ = (struct feature_node){ (int)x->columns + 1, o->bias };
        *at++ = (struct feature_node){ -1, 0 };
    }
    if (!rc) {
        int label[2] = { -1, 1 };
        double weight[2] = { p->weight[0], p->weight[1] };
        const struct problem problem = { .l = (int)rows,
                                         .n = (int)x->columns + (o->bias > 0),
                                         .y = y,
                                         .x = pointer,
                                         .bias = o->bias > 0 ? o->bias : -1 };
        const struct parameter parameter = { .solver_type = solver,
                                             .eps = o->tolerance,
                                             .C = o->c,
                                             .nr_weight = 2,
                                             .weight_label = label,
                                             .weight = weight,
                                             .p = 0.1 };
        const char *wrong = liblinear.check_parameter(&problem, &parameter);
        if (wrong) {
            rc = base_error_set(BASE_E_ARGUMENT, "LIBLINEAR: %s", wrong);
        } else {
            /* rand() is the process's: one at a time, each from its own start */
            if (random) {
                pthread_mutex_lock(&lock);
                srand((unsigned)(o->seed ^ o->seed >> 32) + 1);
            }
            gave_up = false;
            liblinear.set_print_string_function(liblinear_listen);
            m = liblinear.train(&problem, &parameter);
            if (random)
                pthread_mutex_unlock(&lock);
        }
    }
    if (m) {
        memcpy(w, m->w, x->columns * sizeof *w);
        w[x->columns] = o->bias > 0 ? m->w[x->columns] * o->bias : 0;
        *result = (struct classify_linear_result){ 0, !gave_up };
        liblinear.free_and_destroy_model(&m);
    }
    base_free(node);
    base_free(pointer);
    base_free(y);
    return rc;
}

int classify_linear_train(const struct classify_linear_problem *p,
                          const struct classify_linear_options *o, double *w,
                          struct classify_linear_result *result)
{
    size_t side[2] = { 0, 0 };
    for (size_t i = 0; i < p->x->rows; i++)
        side[p->positive[i]] += p->count ? p->count[i] : 1;
    if (!side[0] || !side[1])
        return base_error_set(
            BASE_E_ARGUMENT, "all %zu rows to train on are of one class: there is nothing to learn",
            side[0] + side[1]);
    for (int k = 0; k < 2; k++)
        if (!(p->weight[k] > 0) || !isfinite(p->weight[k]))
            return base_error_set(BASE_E_ARGUMENT, "a class weight of %g", p->weight[k]);
    if (!(o->c > 0) || !isfinite(o->c) || !(o->tolerance > 0) || !(o->bias >= 0) ||
        !isfinite(o->bias))
        return base_error_set(BASE_E_ARGUMENT,
                              "C %g and tolerance %g must be positive, the bias feature %g 0 or "
                              "more",
                              o->c, o->tolerance, o->bias);
    bool svm = o->learner == CLASSIFY_SVM;
    int rc;
    if (o->solver == CLASSIFY_SOLVER_PRIMAL)
        rc = classify_newton_train(p, o, w, result);
    else if (o->solver == CLASSIFY_SOLVER_DUAL)
        rc = svm ? train_dual(p, o, w, result)
                 : base_error_set(BASE_E_ARGUMENT,
                                  "logistic regression has the solvers primal, liblinear and "
                                  "liblinear-dual");
    else if (o->solver == CLASSIFY_SOLVER_LIBLINEAR)
        rc = train_liblinear(p, o, svm ? L2R_L2LOSS_SVC : L2R_LR, w, result);
    else
        rc = train_liblinear(p, o, svm ? L2R_L2LOSS_SVC_DUAL : L2R_LR_DUAL, w, result);
    for (size_t j = 0; j <= p->x->columns && !rc; j++)
        if (!isfinite(w[j]))
            rc = base_error_set(BASE_E_NUMERIC,
                                "training ended with a weight of %g: the columns' scales differ "
                                "too much (--standardise)",
                                w[j]);
    return rc;
}
