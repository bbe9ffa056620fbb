/* The distance of SMOTE-NC (Chawla et al. 2002, section 6.1), between rows of one class.
 *
 * Let M be the median, over the continuous columns, of their standard deviations within the class
 * (dividing by n). Then
 *
 *     d2(a, b) = sum over continuous c of (a_c - b_c)^2 + M^2 (number of nominal c with a_c !=
 * b_c).
 *
 * It is computed as a Euclidean one: a nominal column becomes one column per category, which is
 * M / sqrt(2) in the rows of that category and 0 elsewhere, so that two different categories are
 * M^2 / 2 + M^2 / 2 apart. The continuous columns come first. That is also how imbalanced-learn
 * does it, so equal distances round equally. 0 is a category like any other. */
#include "base/memory.h"
#include "classify/neighbors.h"
#include "classify/resample_private.h"
#include <math.h>
#include <stdlib.h>

static int double_compare(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

/* The values of all nominal columns in the class's rows, without repeats. */
struct categories {
    size_t *first;    /* [columns + 1] */
    double *category; /* ascending within a column */
    double *deviation;
    double median;
};

static void categories_free(struct categories *t)
{
    base_free(t->first);
    base_free(t->category);
    base_free(t->deviation);
}

static int categories_make(struct categories *t, const struct classify_matrix *x,
                           const bool *nominal, const uint32_t *row, size_t n)
{
    size_t capacity = 0, at = 0, continuous = 0;
    *t = (struct categories){ 0 };
    double *value = base_alloc(n, sizeof *value);
    double *mean = base_alloc_zero(x->columns, sizeof *mean);
    size_t *filled = base_alloc_zero(x->columns, sizeof *filled);
    t->first = base_alloc(x->columns + 1, sizeof *t->first);
    t->deviation = base_alloc_zero(x->columns, sizeof *t->deviation);
    int rc = value && mean && filled && t->first && t->deviation ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    for (size_t i = 0; i < n; i++)
        for (size_t j = x->first[row[i]]; j < x->first[row[i] + 1]; j++) {
            mean[x->column[j]] += x->value[j] / (double)n;
            filled[x->column[j]]++;
        }
    for (size_t i = 0; i < n; i++)
        for (size_t j = x->first[row[i]]; j < x->first[row[i] + 1]; j++) {
            double d = x->value[j] - mean[x->column[j]];
            t->deviation[x->column[j]] += d * d;
        }
    for (size_t c = 0; c < x->columns; c++) {
        t->first[c] = at;
        if (!nominal[c]) {
            double sum = t->deviation[c] + (double)(n - filled[c]) * mean[c] * mean[c];
            t->deviation[continuous++] = sqrt(sum / (double)n);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            value[i] = resample_value(x, row[i], (uint32_t)c);
        qsort(value, n, sizeof *value, double_compare);
        for (size_t i = 0; i < n; i++) {
            if (i > 0 && value[i] == value[i - 1])
                continue;
            if (at == capacity) {
                double *more =
                    base_realloc(t->category, capacity = 2 * capacity + 16, sizeof *more);
                if (!more) {
                    rc = BASE_E_MEMORY;
                    goto out;
                }
                t->category = more;
            }
            t->category[at++] = value[i];
        }
    }
    t->first[x->columns] = at;
    qsort(t->deviation, continuous, sizeof *t->deviation, double_compare);
    t->median = (t->deviation[(continuous - 1) / 2] + t->deviation[continuous / 2]) / 2;
out:
    base_free(value);
    base_free(mean);
    base_free(filled);
    return rc;
}

int resample_nominal_neighbors(const struct resample_job *job, const uint32_t *row, size_t n,
                               size_t k, uint32_t *neighbor)
{
    const struct classify_matrix *x = job->x;
    const bool *nominal = job->options->nominal;
    size_t nominals = 0, continuous = 0;
    for (size_t c = 0; nominal && c < x->columns; c++)
        nominals += nominal[c];
    if (nominals == 0 || nominals == x->columns)
        return base_error_set(
            BASE_E_ARGUMENT,
            "smotenc: %zu of %zu columns are categories; it needs both kinds (use "
            "smote without categories, over without numbers)",
            nominals, x->columns);
    struct categories t;
    struct classify_matrix wide = { 0 };
    uint32_t *place = base_alloc(x->columns, sizeof *place);
    uint32_t *all = base_alloc(n, sizeof *all), *column = base_alloc(x->columns, sizeof *column);
    double *value = base_alloc(x->columns, sizeof *value);
    int rc = categories_make(&t, x, nominal, row, n);
    if (!rc && !(place && all && column && value))
        rc = BASE_E_MEMORY;
    if (rc)
        goto out;
    for (size_t c = 0; c < x->columns; c++)
        if (!nominal[c])
            place[c] = (uint32_t)continuous++;
    rc = classify_matrix_begin(&wide, continuous + t.first[x->columns]);
    double hot = t.median / sqrt(2);
    for (size_t i = 0; !rc && i < n; i++) {
        size_t filled = 0;
        for (size_t j = x->first[row[i]]; j < x->first[row[i] + 1]; j++)
            if (!nominal[x->column[j]]) {
                column[filled] = place[x->column[j]];
                value[filled++] = x->value[j];
            }
        for (size_t c = 0; c < x->columns; c++) {
            if (!nominal[c])
                continue;
            double v = resample_value(x, row[i], (uint32_t)c);
            size_t low = t.first[c], high = t.first[c + 1] - 1;
            while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (t.category[middle] < v)
                    low = middle + 1;
                else
                    high = middle;
            }
            column[filled] = (uint32_t)(continuous + low);
            value[filled++] = hot;
        }
        all[i] = (uint32_t)i;
        rc = classify_matrix_add(&wide, column, value, filled);
    }
    if (!rc)
        rc = classify_neighbors_nearest(&wide, all, n, all, n, k, neighbor, NULL);
    for (size_t i = 0; !rc && i < n * k; i++)
        neighbor[i] = row[neighbor[i]];
out:
    categories_free(&t);
    classify_matrix_free(&wide);
    base_free(place);
    base_free(all);
    base_free(column);
    base_free(value);
    return rc;
}
