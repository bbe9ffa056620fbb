/* Running the strategies; see compare.h. */
#include "classify/compare.h"
#include "base/memory.h"
#include "base/progress.h"
#include <math.h>
#include <string.h>

/* What all tasks read, and where they write. Predictions of all repetitions stand by
 * (repetition, strategy, row of the data). */
struct run {
    const struct classify_data *data;
    const struct classify_compare_options *options;
    struct classify_comparison *out;
    struct classify_features all; /* fitted on all rows, unless terms_from_train */
    struct classify_matrix x, coded;
    uint32_t *fold;      /* [repeats][rows] */
    uint32_t *predicted; /* [repeats][strategies][rows] */
    double *score;       /* [repeats][strategies][rows][outputs] */
    double *probability; /* first repetition: [strategies][2: raw, corrected][rows][classes] */
    bool coded_needed;
    struct base_progress *progress;
    size_t done;
};

static bool needs_coded(const struct classify_compare_options *o)
{
    for (size_t s = 0; s < o->strategies; s++)
        if (o->strategy[s].resampler == CLASSIFY_RESAMPLE_SMOTENC && !o->strategy[s].weights)
            return o->columns.categories > 0;
    return false;
}

static int features_make(const struct run *r, const uint32_t *row, size_t n,
                         struct classify_features *f)
{
    const struct classify_compare_options *o = r->options;
    return classify_features_fit(f, r->data, &o->columns, &o->text, o->stop, o->standardise, row,
                                 n);
}

/* Training and test rows of a fold. */
static void rows_of(const struct run *r, size_t repeat, size_t fold, uint32_t *train, size_t *n,
                    uint32_t *test, size_t *m)
{
    const uint32_t *in = r->fold + repeat * r->data->rows;
    *n = *m = 0;
    for (size_t i = 0; i < r->data->rows; i++)
        if (in[i] == fold)
            test[(*m)++] = (uint32_t)i;
        else
            train[(*n)++] = (uint32_t)i;
}

static int matrices_make(const struct run *r, const struct classify_features *f, bool shared,
                         const uint32_t *row, size_t n, struct classify_matrix *x,
                         struct classify_matrix *coded)
{
    int rc;
    if (shared) {
        if (!(rc = classify_matrix_begin(x, r->x.columns)))
            rc = classify_matrix_take(x, &r->x, row, n);
        if (!rc && coded && !(rc = classify_matrix_begin(coded, r->coded.columns)))
            rc = classify_matrix_take(coded, &r->coded, row, n);
        return rc;
    }
    rc = classify_features_rows(f, r->data, row, n, false, x);
    if (!rc && coded)
        rc = classify_features_rows(f, r->data, row, n, true, coded);
    return rc;
}

static int task(struct run *r, size_t repeat, size_t fold, size_t s)
{
    const struct classify_compare_options *o = r->options;
    const struct classify_data *d = r->data;
    struct classify_comparison *c = r->out;
    struct classify_outcome *outcome = &c->outcome[s];
    struct classify_features own = { 0 };
    struct classify_matrix x = { 0 }, coded = { 0 }, held = { 0 };
    struct classify_fitted fitted = { 0 };
    bool shared = !o->terms_from_train;
    bool with_coded = r->coded_needed && o->strategy[s].resampler == CLASSIFY_RESAMPLE_SMOTENC;
    size_t n, m, k = d->classes;
    const char *name = classify_strategy_name(o->strategy[s]);
    uint32_t *train = base_alloc(d->rows, sizeof *train), *test = base_alloc(d->rows, sizeof *test);
    uint32_t *y = base_alloc(d->rows, sizeof *y);
    double *score = NULL;
    int rc = train && test && y ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    rows_of(r, repeat, fold, train, &n, test, &m);
    for (size_t i = 0; i < n; i++)
        y[i] = d->y[train[i]];
    if (!shared && (rc = features_make(r, train, n, &own)))
        goto out;
    const struct classify_features *f = shared ? &r->all : &own;
    if ((rc = matrices_make(r, f, shared, train, n, &x, with_coded ? &coded : NULL)) ||
        (rc = matrices_make(r, f, shared, test, m, &held, NULL)))
        goto out;
    struct classify_fit_options fit = o->fit;
    fit.seed += repeat;
    if ((rc = classify_fit(&fitted, o->strategy[s], &fit, f, &x, with_coded ? &coded : NULL, y, k,
                           classify_data_names(d))))
        goto out;
    if (!(score = base_alloc(m, c->outputs * sizeof *score))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    if ((rc = classify_scores(&fitted, &held, score)))
        goto out;
    uint32_t *predicted = r->predicted + (repeat * c->strategies + s) * d->rows;
    double *scores = r->score + (repeat * c->strategies + s) * d->rows * c->outputs;
    for (size_t i = 0; i < m; i++) {
        const double *of = score + i * c->outputs;
        memcpy(scores + test[i] * c->outputs, of, c->outputs * sizeof *of);
        predicted[test[i]] = classify_decide(of, k);
        if (!c->probabilities || repeat)
            continue;
        double *p = r->probability + (2 * s * d->rows + test[i]) * k;
        classify_probabilities(&fitted, of, NULL, p);
        classify_probabilities(&fitted, of, fitted.share, p + d->rows * k);
    }
#pragma omp critical(classify_outcome)
    {
        if (!repeat && !fold) {
            memcpy(outcome->rows, fitted.rows, k * sizeof *outcome->rows);
            outcome->made = fitted.made;
            c->columns = fitted.columns;
            c->train = n;
        }
        if (fitted.iterations > outcome->iterations)
            outcome->iterations = fitted.iterations;
        outcome->converged = outcome->converged && fitted.converged;
        base_progress_update(r->progress, ++r->done, classify_strategy_name(o->strategy[s]));
    }
out:
    if (rc && strncmp(base_error_message(), name, strlen(name)) != 0)
        rc = base_error_prefix(rc, "%s", name);
    base_free(train);
    base_free(test);
    base_free(y);
    base_free(score);
    classify_fitted_free(&fitted);
    classify_features_free(&own);
    classify_matrix_free(&x);
    classify_matrix_free(&coded);
    classify_matrix_free(&held);
    return rc;
}

/* All tasks, on the threads there are. The error told is that of the first task that failed. */
static int tasks_run(struct run *r)
{
    struct classify_comparison *c = r->out;
    size_t per = c->folds * c->strategies, n = c->repeats * per, failed = SIZE_MAX;
    char *message = NULL;
    int code = 0;
    r->progress = base_progress_begin("classify", "runs", n);
#pragma omp parallel for schedule(dynamic, 1) num_threads(base_threads())
    for (size_t t = 0; t < n; t++) {
        size_t before;
#pragma omp atomic read
        before = failed;
        if (before < t)
            continue;
        int rc = base_interrupted() ? base_error_set(BASE_E_INTERRUPTED, "interrupted")
                                    : task(r, t / per, t % per / c->strategies, t % c->strategies);
        if (rc) {
#pragma omp critical(classify_failed)
            if (t < failed) {
                base_free(message);
                message = base_strdup(base_error_message());
                code = rc;
#pragma omp atomic write
                failed = t;
            }
        }
    }
    base_progress_end(r->progress);
    if (code)
        code = base_error_set(code, "%s", message ? message : "out of memory");
    base_free(message);
    return code;
}

static int splits_make(struct run *r)
{
    const struct classify_data *d = r->data;
    for (size_t repeat = 0; repeat < r->out->repeats; repeat++) {
        struct classify_split_options split = r->options->split;
        split.seed += repeat;
        int rc = classify_split(d->y, d->classes, d->rows, &split, classify_data_names(d),
                                r->fold + repeat * d->rows, &r->out->folds);
        if (rc)
            return rc;
    }
    return 0;
}

static int room_make(struct run *r)
{
    struct classify_comparison *c = r->out;
    const struct classify_data *d = r->data;
    size_t cells, more;
    if (base_mul_size(c->repeats, c->strategies, &cells) || base_mul_size(cells, d->rows, &cells) ||
        base_mul_size(cells, 8 * c->outputs, &more))
        return base_error_set(BASE_E_LIMIT, "%zu repetitions of %zu strategies on %zu rows",
                              c->repeats, c->strategies, d->rows);
    r->fold = base_alloc(c->repeats, d->rows * sizeof *r->fold);
    r->predicted = base_alloc(cells, sizeof *r->predicted);
    r->score = base_alloc(cells, c->outputs * sizeof *r->score);
    c->outcome = base_alloc_zero(c->strategies, sizeof *c->outcome);
    c->pair = base_alloc_zero(c->strategies, sizeof *c->pair);
    if (c->probabilities)
        r->probability =
            base_alloc(2 * c->strategies * d->rows, c->classes * sizeof *r->probability);
    if (!r->fold || !r->predicted || !r->score || !c->outcome || !c->pair ||
        (c->probabilities && !r->probability))
        return BASE_E_MEMORY;
    for (size_t s = 0; s < c->strategies; s++) {
        c->outcome[s].strategy = r->options->strategy[s];
        c->outcome[s].converged = true;
        if (!(c->outcome[s].rows = base_alloc_zero(c->classes, sizeof(double))))
            return BASE_E_MEMORY;
    }
    return 0;
}

/* The held-out rows of a repetition, in the order of the data. */
static size_t items_of(const struct run *r, size_t repeat, uint32_t *row)
{
    size_t n = 0;
    for (size_t i = 0; i < r->data->rows; i++)
        if (r->fold[repeat * r->data->rows + i] != UINT32_MAX)
            row[n++] = (uint32_t)i;
    return n;
}

/* Measures of every repetition, without intervals. */
static int repeats_measure(struct run *r)
{
    struct classify_comparison *c = r->out;
    const struct classify_data *d = r->data;
    size_t k = c->classes;
    uint32_t *row = base_alloc(d->rows, sizeof *row), *truth = base_alloc(d->rows, sizeof *truth);
    uint32_t *predicted = base_alloc(d->rows, sizeof *predicted);
    double *score = base_alloc(d->rows, sizeof *score), *matrix = base_alloc(k, k * sizeof *matrix);
    int rc = row && truth && predicted && score && matrix ? 0 : BASE_E_MEMORY;
    for (size_t s = 0; s < c->strategies && !rc; s++)
        if (!(c->outcome[s].repeated = base_alloc(c->repeats, CLASSIFY_MEASURES * sizeof(double))))
            rc = BASE_E_MEMORY;
    for (size_t t = 0; t < c->repeats * c->strategies && !rc; t++) {
        size_t repeat = t / c->strategies, s = t % c->strategies;
        size_t n = items_of(r, repeat, row);
        double roc = NAN, ap = NAN;
        for (size_t i = 0; i < n; i++) {
            truth[i] = d->y[row[i]];
            predicted[i] = r->predicted[t * d->rows + row[i]];
            score[i] = r->score[(t * d->rows + row[i]) * c->outputs];
        }
        rc = stats_confusion(truth, predicted, n, k, matrix);
        if (!rc && c->outputs == 1)
            rc = classify_areas(score, truth, n, &roc, &ap);
        if (!rc)
            classify_measures(matrix, k, roc, ap,
                              c->outcome[s].repeated + repeat * CLASSIFY_MEASURES);
    }
    base_free(row);
    base_free(truth);
    base_free(predicted);
    base_free(score);
    base_free(matrix);
    return rc;
}

/* The first repetition's items into the result. */
static int first_take(struct run *r)
{
    struct classify_comparison *c = r->out;
    const struct classify_data *d = r->data;
    size_t k = c->classes;
    c->row = base_alloc(d->rows, sizeof *c->row);
    c->truth = base_alloc(d->rows, sizeof *c->truth);
    double *p = c->probabilities ? base_alloc(d->rows, k * sizeof *p) : NULL;
    int rc = c->row && c->truth && (p || !c->probabilities) ? 0 : BASE_E_MEMORY;
    if (!rc) {
        c->items = items_of(r, 0, c->row);
        for (size_t i = 0; i < c->items; i++)
            c->truth[i] = d->y[c->row[i]];
    }
    for (size_t s = 0; s < c->strategies && !rc; s++) {
        struct classify_outcome *o = &c->outcome[s];
        o->predicted = base_alloc(c->items, sizeof *o->predicted);
        o->score = base_alloc(c->items, c->outputs * sizeof *o->score);
        o->confusion = base_alloc(k, k * sizeof *o->confusion);
        if (!o->predicted || !o->score || !o->confusion) {
            rc = BASE_E_MEMORY;
            break;
        }
        for (size_t i = 0; i < c->items; i++) {
            o->predicted[i] = r->predicted[s * d->rows + c->row[i]];
            memcpy(o->score + i * c->outputs, r->score + (s * d->rows + c->row[i]) * c->outputs,
                   c->outputs * sizeof *o->score);
        }
        rc = stats_confusion(c->truth, o->predicted, c->items, k, o->confusion);
        for (int corrected = 0; corrected < 2 && c->probabilities && !rc; corrected++) {
            for (size_t i = 0; i < c->items; i++)
                memcpy(p + i * k,
                       r->probability + ((2 * s + (size_t)corrected) * d->rows + c->row[i]) * k,
                       k * sizeof *p);
            rc = classify_calibrate(c, p, &r->options->bootstrap,
                                    corrected ? &o->corrected : &o->raw);
        }
    }
    base_free(p);
    return rc;
}

int classify_compare(struct classify_comparison *c, const struct classify_data *d,
                     const struct classify_compare_options *o)
{
    *c =
        (struct classify_comparison){ .classes = d->classes,
                                      .outputs = d->classes == 2 ? 1 : d->classes,
                                      .strategies = o->strategies,
                                      .repeats = o->repeats,
                                      .probabilities = o->fit.linear.learner == CLASSIFY_LOGISTIC };
    struct run r = { .data = d, .options = o, .out = c, .coded_needed = needs_coded(o) };
    if (!o->strategies || !o->repeats)
        return base_error_set(BASE_E_ARGUMENT, "%zu strategies, %zu repetitions: at least one each",
                              o->strategies, o->repeats);
    int rc = room_make(&r);
    if (!rc)
        rc = splits_make(&r);
    if (!rc && !o->terms_from_train) {
        rc = features_make(&r, NULL, 0, &r.all);
        if (!rc)
            rc = classify_features_rows(&r.all, d, NULL, 0, false, &r.x);
        if (!rc && r.coded_needed)
            rc = classify_features_rows(&r.all, d, NULL, 0, true, &r.coded);
    }
    if (!rc)
        rc = tasks_run(&r);
    if (!rc)
        rc = repeats_measure(&r);
    if (!rc)
        rc = first_take(&r);
    if (!rc)
        rc = classify_evaluate(c, &o->bootstrap);
    classify_features_free(&r.all);
    classify_matrix_free(&r.x);
    classify_matrix_free(&r.coded);
    base_free(r.fold);
    base_free(r.predicted);
    base_free(r.score);
    base_free(r.probability);
    return rc;
}

void classify_comparison_free(struct classify_comparison *c)
{
    for (size_t s = 0; c->outcome && s < c->strategies; s++) {
        struct classify_outcome *o = &c->outcome[s];
        base_free(o->rows);
        base_free(o->predicted);
        base_free(o->score);
        base_free(o->confusion);
        base_free(o->repeated);
    }
    base_free(c->outcome);
    base_free(c->pair);
    base_free(c->row);
    base_free(c->truth);
    *c = (struct classify_comparison){ 0 };
}
