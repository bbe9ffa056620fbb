/* What the resamplers share, and the two that only draw rows.
 *
 * Sizes. Let n_min and n_max be the rows of the smallest and the largest class and r the ratio
 * asked for. Methods that add rows take every other class to floor(r n_max) rows; those that aim at
 * a size by leaving rows out take every class but the smallest to floor(n_min / r) rows.
 *
 * Random numbers. Class c draws from the stream (seed, BASE_RNG_RESAMPLE, c): what one class gets
 * depends on no other class and on no thread. Random undersampling is a partial Fisher-Yates
 * shuffle of the class's rows (simple random sampling without replacement), random oversampling
 * draws with replacement. */
#include "classify/resample.h"
#include "base/memory.h"
#include "base/rng.h"
#include "classify/resample_private.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[CLASSIFY_RESAMPLERS] = {
    [CLASSIFY_RESAMPLE_NONE] = "none",
    [CLASSIFY_RESAMPLE_UNDER] = "under",
    [CLASSIFY_RESAMPLE_OVER] = "over",
    [CLASSIFY_RESAMPLE_SMOTE] = "smote",
    [CLASSIFY_RESAMPLE_BORDERLINE1] = "borderline-1",
    [CLASSIFY_RESAMPLE_BORDERLINE2] = "borderline-2",
    [CLASSIFY_RESAMPLE_ADASYN] = "adasyn",
    [CLASSIFY_RESAMPLE_SMOTENC] = "smotenc",
    [CLASSIFY_RESAMPLE_NEARMISS1] = "nearmiss-1",
    [CLASSIFY_RESAMPLE_NEARMISS2] = "nearmiss-2",
    [CLASSIFY_RESAMPLE_NEARMISS3] = "nearmiss-3",
    [CLASSIFY_RESAMPLE_TOMEK] = "tomek",
    [CLASSIFY_RESAMPLE_ENN] = "enn",
    [CLASSIFY_RESAMPLE_RENN] = "renn",
    [CLASSIFY_RESAMPLE_ALLKNN] = "allknn",
    [CLASSIFY_RESAMPLE_NCR] = "ncr",
    [CLASSIFY_RESAMPLE_SMOTE_TOMEK] = "smote-tomek",
    [CLASSIFY_RESAMPLE_SMOTE_ENN] = "smote-enn",
};
static const struct {
    const char *name;
    enum classify_resampler method;
} other_names[] = {
    { "random-under", CLASSIFY_RESAMPLE_UNDER },     { "random-over", CLASSIFY_RESAMPLE_OVER },
    { "borderline", CLASSIFY_RESAMPLE_BORDERLINE1 }, { "nearmiss", CLASSIFY_RESAMPLE_NEARMISS1 },
    { "smote-nc", CLASSIFY_RESAMPLE_SMOTENC },       { "tomek-links", CLASSIFY_RESAMPLE_TOMEK },
};

const char *classify_resampler_name(enum classify_resampler r)
{
    return (unsigned)r < CLASSIFY_RESAMPLERS ? names[r] : "?";
}

int classify_resampler_parse(const char *name, enum classify_resampler *out)
{
    for (int i = 0; i < CLASSIFY_RESAMPLERS; i++)
        if (!strcmp(name, names[i])) {
            *out = (enum classify_resampler)i;
            return 0;
        }
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (!strcmp(name, other_names[i].name)) {
            *out = other_names[i].method;
            return 0;
        }
    return base_error_set(BASE_E_ARGUMENT,
                          "no resampling is called '%s'; there are none, under, over, smote, "
                          "borderline-1, borderline-2, adasyn, smotenc, nearmiss-1, nearmiss-2, "
                          "nearmiss-3, tomek, enn, renn, allknn, ncr, smote-tomek and smote-enn",
                          name);
}

const char *resample_class_name(const struct resample_job *job, uint32_t c, char buffer[32])
{
    if (job->options->class_name)
        return job->options->class_name[c];
    snprintf(buffer, 32, "%u", c);
    return buffer;
}

int resample_need(const struct resample_job *job, uint32_t c, size_t need, const char *why)
{
    char buffer[32];
    if (job->count[c] >= need)
        return 0;
    return base_error_set(BASE_E_ARGUMENT, "%s: class %s has %zu row%s; %s needs %zu",
                          classify_resampler_name(job->options->method),
                          resample_class_name(job, c, buffer), job->count[c],
                          job->count[c] == 1 ? "" : "s", why, need);
}

int resample_job_begin(struct resample_job *job, const struct classify_matrix *x, const uint32_t *y,
                       size_t classes, const struct classify_resample_options *options)
{
    *job = (struct resample_job){ .x = x, .y = y, .classes = classes, .options = options };
    if (x->rows >= UINT32_MAX)
        return base_error_set(BASE_E_LIMIT, "resampling of %zu rows; at most %u go", x->rows,
                              UINT32_MAX - 1);
    if (!(job->count = base_alloc_zero(classes, sizeof *job->count)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < x->rows; i++) {
        if (y[i] >= classes)
            return base_error_set(BASE_E_ARGUMENT, "row %zu: label %u of %zu classes", i, y[i],
                                  classes);
        job->count[y[i]]++;
    }
    for (size_t i = 0; i < (x->first ? x->first[x->rows] : 0); i++)
        if (!isfinite(x->value[i])) {
            size_t row = 0;
            while (x->first[row + 1] <= i)
                row++;
            return base_error_set(BASE_E_NUMERIC,
                                  "row %zu, column %u is %g: resampling needs numbers", row,
                                  x->column[i], x->value[i]);
        }
    size_t present = 0;
    for (size_t c = 0; c < classes; c++) {
        if (!job->count[c])
            continue;
        if (!present || job->count[c] < job->count[job->smallest])
            job->smallest = (uint32_t)c;
        if (!present || job->count[c] > job->count[job->largest])
            job->largest = (uint32_t)c;
        present++;
    }
    if (options->method != CLASSIFY_RESAMPLE_NONE && present < 2)
        return base_error_set(BASE_E_ARGUMENT, "%s: %zu row%s of %s; resampling needs two classes",
                              classify_resampler_name(options->method), x->rows,
                              x->rows == 1 ? "" : "s", present ? "one class" : "no class");
    return 0;
}

void resample_job_free(struct resample_job *job)
{
    base_free(job->count);
    base_free(job->keep);
    base_free(job->made_label);
    classify_matrix_free(&job->made);
    *job = (struct resample_job){ 0 };
}

uint32_t *resample_class_rows(const struct resample_job *job, uint32_t c)
{
    uint32_t *rows = base_alloc(job->count[c], sizeof *rows);
    size_t n = 0;
    for (size_t i = 0; rows && i < job->x->rows; i++)
        if (job->y[i] == c)
            rows[n++] = (uint32_t)i;
    return rows;
}

static double ratio_of(const struct resample_job *job)
{
    return job->options->ratio > 0 ? job->options->ratio : 1;
}

size_t resample_to_add(const struct resample_job *job, uint32_t c)
{
    size_t want = (size_t)floor((double)job->count[job->largest] * ratio_of(job));
    return c == job->largest || !job->count[c] || job->count[c] >= want ? 0 : want - job->count[c];
}

size_t resample_to_leave(const struct resample_job *job, uint32_t c)
{
    double want = floor((double)job->count[job->smallest] / ratio_of(job));
    return c == job->smallest || (double)job->count[c] <= want ? job->count[c] : (size_t)want;
}

/* A ratio is refused where it is no ratio, where the method has no use for it, and where every
 * class is there already: then what the user asked for would silently do nothing. */
static int check_ratio(const struct resample_job *job)
{
    const struct classify_resample_options *o = job->options;
    const char *name = classify_resampler_name(o->method);
    if (o->ratio == 0)
        return 0;
    if (!(o->ratio > 0 && o->ratio <= 1))
        return base_error_set(BASE_E_ARGUMENT, "%s: ratio %g is not within (0, 1]", name, o->ratio);
    bool under =
        o->method == CLASSIFY_RESAMPLE_UNDER ||
        (o->method >= CLASSIFY_RESAMPLE_NEARMISS1 && o->method <= CLASSIFY_RESAMPLE_NEARMISS3);
    if (o->method == CLASSIFY_RESAMPLE_NONE ||
        (o->method >= CLASSIFY_RESAMPLE_TOMEK && o->method <= CLASSIFY_RESAMPLE_NCR))
        return base_error_set(BASE_E_ARGUMENT, "%s aims at no size of classes: it takes no ratio",
                              name);
    size_t change = 0;
    for (size_t c = 0; c < job->classes; c++)
        change += under ? job->count[c] - resample_to_leave(job, (uint32_t)c)
                        : resample_to_add(job, (uint32_t)c);
    if (change || job->count[job->smallest] == job->count[job->largest])
        return 0;
    return base_error_set(
        BASE_E_ARGUMENT,
        "%s: ratio %g changes nothing: the smallest class has %zu rows, the largest "
        "%zu (ratio %.4g); ask for more",
        name, o->ratio, job->count[job->smallest], job->count[job->largest],
        (double)job->count[job->smallest] / (double)job->count[job->largest]);
}

int resample_keep_all(struct resample_job *job)
{
    if (!(job->keep = base_alloc(job->x->rows, sizeof *job->keep)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < job->x->rows; i++)
        job->keep[i] = (uint32_t)i;
    job->kept = job->x->rows;
    return 0;
}

/* Simple random sampling without replacement within each class. */
static int resample_under(struct resample_job *job)
{
    int rc = 0;
    size_t n = 0;
    bool *stays = base_alloc_zero(job->x->rows, sizeof *stays);
    if (!stays)
        return BASE_E_MEMORY;
    for (uint32_t c = 0; !rc && c < job->classes; c++) {
        uint32_t *rows = resample_class_rows(job, c);
        if (!rows) {
            rc = BASE_E_MEMORY;
            break;
        }
        size_t want = resample_to_leave(job, c);
        struct base_rng rng = base_rng_make(job->options->seed, BASE_RNG_RESAMPLE, c);
        for (size_t i = 0; i < want; i++) {
            size_t j = want == job->count[c] ? i : i + base_rng_below(&rng, job->count[c] - i);
            uint32_t row = rows[j];
            rows[j] = rows[i];
            stays[row] = true;
        }
        n += want;
        base_free(rows);
    }
    if (!rc && !(job->keep = base_alloc(n, sizeof *job->keep)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < job->x->rows; i++)
        if (stays[i])
            job->keep[job->kept++] = (uint32_t)i;
    base_free(stays);
    return rc;
}

/* Copies drawn with replacement within each class. */
static int resample_over(struct resample_job *job)
{
    size_t total = job->x->rows;
    for (uint32_t c = 0; c < job->classes; c++)
        total += resample_to_add(job, c);
    if (total >= UINT32_MAX)
        return base_error_set(BASE_E_LIMIT, "oversampling to %zu rows; at most %u go", total,
                              UINT32_MAX - 1);
    int rc = resample_keep_all(job);
    if (rc)
        return rc;
    uint32_t *keep = base_realloc(job->keep, total, sizeof *keep);
    if (!keep)
        return BASE_E_MEMORY;
    job->keep = keep;
    for (uint32_t c = 0; c < job->classes; c++) {
        size_t add = resample_to_add(job, c);
        uint32_t *rows = add ? resample_class_rows(job, c) : NULL;
        if (add && !rows)
            return BASE_E_MEMORY;
        struct base_rng rng = base_rng_make(job->options->seed, BASE_RNG_RESAMPLE, c);
        for (size_t i = 0; i < add; i++)
            keep[job->kept++] = rows[base_rng_below(&rng, job->count[c])];
        base_free(rows);
    }
    return 0;
}

/* keep and made as one matrix. */
static int job_assemble(const struct resample_job *job, struct classify_matrix *out,
                        uint32_t **labels, uint32_t **origin)
{
    size_t rows = job->kept + job->made.rows;
    uint32_t *label = base_alloc(rows, sizeof *label);
    uint32_t *from = origin ? base_alloc(rows, sizeof *from) : NULL;
    int rc =
        label && (from || !origin) ? classify_matrix_begin(out, job->x->columns) : BASE_E_MEMORY;
    if (!rc)
        rc = classify_matrix_take(out, job->x, job->keep, job->kept);
    for (size_t i = 0; !rc && i < job->kept; i++)
        label[i] = job->y[job->keep[i]];
    if (!rc && from && job->kept)
        memcpy(from, job->keep, job->kept * sizeof *from);
    uint32_t *made = rc ? NULL : base_alloc(job->made.rows, sizeof *made);
    if (!rc && !made)
        rc = BASE_E_MEMORY;
    for (size_t i = 0; !rc && i < job->made.rows; i++) {
        made[i] = (uint32_t)i;
        label[job->kept + i] = job->made_label[i];
        if (from)
            from[job->kept + i] = UINT32_MAX;
    }
    if (!rc && job->made.rows)
        rc = classify_matrix_take(out, &job->made, made, job->made.rows);
    base_free(made);
    if (rc) {
        base_free(label);
        base_free(from);
        classify_matrix_free(out);
        return rc;
    }
    *labels = label;
    if (origin)
        *origin = from;
    return 0;
}

/* Oversample, then clean what came out, all classes alike (Batista, Prati and Monard 2004): the
 * second step's rows are rows of the first one's result. */
static int combine(struct resample_job *job, enum classify_resampler cleaner,
                   struct classify_matrix *out, uint32_t **labels, uint32_t **origin)
{
    struct classify_matrix mixed = { 0 };
    uint32_t *mixed_label = NULL, *mixed_origin = NULL;
    struct resample_job second = { 0 };
    int rc = resample_smote(job);
    if (!rc)
        rc = job_assemble(job, &mixed, &mixed_label, &mixed_origin);
    if (!rc)
        rc = resample_job_begin(&second, &mixed, mixed_label, job->classes, job->options);
    if (!rc)
        rc = resample_clean_all(&second, cleaner);
    if (!rc)
        rc = job_assemble(&second, out, labels, origin);
    for (size_t i = 0; !rc && origin && i < second.kept; i++)
        (*origin)[i] = mixed_origin[second.keep[i]];
    resample_job_free(&second);
    classify_matrix_free(&mixed);
    base_free(mixed_label);
    base_free(mixed_origin);
    return rc;
}

int classify_resample(const struct classify_matrix *x, const uint32_t *y, size_t classes,
                      const struct classify_resample_options *options, struct classify_matrix *out,
                      uint32_t **labels, uint32_t **origin)
{
    struct resample_job job;
    *out = (struct classify_matrix){ 0 };
    *labels = NULL;
    if (origin)
        *origin = NULL;
    int rc = resample_job_begin(&job, x, y, classes, options);
    if (!rc)
        rc = check_ratio(&job);
    if (rc)
        goto out;
    switch (options->method) {
    case CLASSIFY_RESAMPLE_NONE:
        rc = resample_keep_all(&job);
        break;
    case CLASSIFY_RESAMPLE_UNDER:
        rc = resample_under(&job);
        break;
    case CLASSIFY_RESAMPLE_OVER:
        rc = resample_over(&job);
        break;
    case CLASSIFY_RESAMPLE_SMOTE:
    case CLASSIFY_RESAMPLE_BORDERLINE1:
    case CLASSIFY_RESAMPLE_BORDERLINE2:
    case CLASSIFY_RESAMPLE_ADASYN:
    case CLASSIFY_RESAMPLE_SMOTENC:
        rc = resample_smote(&job);
        break;
    case CLASSIFY_RESAMPLE_NEARMISS1:
    case CLASSIFY_RESAMPLE_NEARMISS2:
    case CLASSIFY_RESAMPLE_NEARMISS3:
        rc = resample_nearmiss(&job);
        break;
    case CLASSIFY_RESAMPLE_TOMEK:
    case CLASSIFY_RESAMPLE_ENN:
    case CLASSIFY_RESAMPLE_RENN:
    case CLASSIFY_RESAMPLE_ALLKNN:
    case CLASSIFY_RESAMPLE_NCR:
        rc = resample_clean(&job);
        break;
    case CLASSIFY_RESAMPLE_SMOTE_TOMEK:
        rc = combine(&job, CLASSIFY_RESAMPLE_TOMEK, out, labels, origin);
        goto out;
    case CLASSIFY_RESAMPLE_SMOTE_ENN:
        rc = combine(&job, CLASSIFY_RESAMPLE_ENN, out, labels, origin);
        goto out;
    case CLASSIFY_RESAMPLERS:
    default:
        rc = base_error_set(BASE_E_ARGUMENT, "no resampling has number %d", (int)options->method);
    }
    if (!rc)
        rc = job_assemble(&job, out, labels, origin);
out:
    resample_job_free(&job);
    return rc;
}
