/* Rows of a table as rows of a matrix; see features.h. */
#include "classify/features.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

static int names_copy(char ***out, const char *const *name, size_t n)
{
    if (!(*out = base_alloc_zero(n, sizeof **out)))
        return BASE_E_MEMORY;
    for (size_t j = 0; j < n; j++)
        if (!((*out)[j] = base_strdup(name[j])))
            return BASE_E_MEMORY;
    return 0;
}

/* Two passes: a mean, then squares around it. */
static int scale_fit(struct classify_features *f, const struct classify_data *d,
                     const uint32_t *row, size_t n)
{
    for (size_t j = 0; j < f->numbers; j++) {
        double mean = 0, square = 0;
        f->mean[j] = 0;
        f->scale[j] = 1;
        if (!f->standardise)
            continue;
        for (size_t k = 0; k < n; k++)
            mean += d->number[j][row ? row[k] : k] / (double)n;
        for (size_t k = 0; k < n; k++) {
            double e = d->number[j][row ? row[k] : k] - mean;
            square += e * e / (double)n;
        }
        if (!isfinite(mean) || !isfinite(square))
            return base_error_set(
                BASE_E_NUMERIC, "column %s: values are too large to be standardised", f->number[j]);
        f->mean[j] = mean;
        f->scale[j] = square > 0 ? sqrt(square) : 1;
    }
    return 0;
}

/* Levels met in the chosen rows, in the order of their first appearance in the table: the same for
 * every fold that has them all. */
static int levels_fit(struct classify_features *f, const struct classify_data *d,
                      const uint32_t *row, size_t n)
{
    int rc = 0;
    for (size_t j = 0; j < f->categories && !rc; j++) {
        const struct classify_words *all = &d->level[j];
        bool *met = base_alloc_zero(all->n, sizeof *met);
        if (!met)
            return BASE_E_MEMORY;
        for (size_t k = 0; k < n; k++)
            met[d->category[j][row ? row[k] : k]] = true;
        uint32_t number;
        for (size_t l = 0; l < all->n && !rc; l++)
            if (met[l])
                rc = classify_words_add(&f->level[j], all->bytes + all->first[l],
                                        all->first[l + 1] - all->first[l], &number);
        base_free(met);
        f->level_first[j + 1] = f->level_first[j] + f->level[j].n;
    }
    return rc;
}

int classify_features_fit(struct classify_features *f, const struct classify_data *d,
                          const struct classify_columns *c,
                          const struct classify_text_options *text,
                          const struct classify_words *stop, bool standardise, const uint32_t *row,
                          size_t n)
{
    *f = (struct classify_features){ .standardise = standardise };
    n = row ? n : d->rows;
    int rc = 0;
    if (c->text) {
        f->has_text = true;
        if (!(f->text_column = base_strdup(c->text)))
            rc = BASE_E_MEMORY;
        else
            rc = classify_text_fit(&f->text, &d->texts, text, stop, row, n);
    }
    f->numbers = c->numbers;
    f->categories = c->categories;
    if (!rc)
        rc = names_copy(&f->number, c->number, c->numbers);
    if (!rc)
        rc = names_copy(&f->category, c->category, c->categories);
    if (!rc) {
        f->mean = base_alloc(f->numbers, sizeof *f->mean);
        f->scale = base_alloc(f->numbers, sizeof *f->scale);
        f->level = base_alloc_zero(f->categories, sizeof *f->level);
        f->level_first = base_alloc_zero(f->categories + 1, sizeof *f->level_first);
        rc = f->mean && f->scale && f->level && f->level_first ? 0 : BASE_E_MEMORY;
    }
    if (!rc)
        rc = scale_fit(f, d, row, n);
    if (!rc)
        rc = levels_fit(f, d, row, n);
    if (!rc && !classify_features_columns(f))
        rc = base_error_set(BASE_E_ARGUMENT,
                            "no columns to learn from: give --text, --columns or --categories");
    if (rc)
        classify_features_free(f);
    return rc;
}

static size_t terms_of(const struct classify_features *f)
{
    return f->has_text ? f->text.terms.n : 0;
}

size_t classify_features_coded(const struct classify_features *f)
{
    return terms_of(f) + f->numbers + f->categories;
}

size_t classify_features_columns(const struct classify_features *f)
{
    return terms_of(f) + f->numbers + (f->categories ? f->level_first[f->categories] : 0);
}

char *classify_features_name(const struct classify_features *f, size_t column)
{
    const struct classify_words *w = &f->text.terms;
    if (column < terms_of(f))
        return base_strndup(w->bytes + w->first[column], w->first[column + 1] - w->first[column]);
    column -= terms_of(f);
    if (column < f->numbers)
        return base_strdup(f->number[column]);
    column -= f->numbers;
    size_t j = 0;
    while (j + 1 < f->categories && f->level_first[j + 1] <= column)
        j++;
    w = &f->level[j];
    column -= f->level_first[j];
    return base_format("%s=%.*s", f->category[j], (int)(w->first[column + 1] - w->first[column]),
                       w->bytes + w->first[column]);
}

/* Puts one row together: the text's part stands in `part` at row i (part NULL: none). */
struct assembling {
    uint32_t *column;
    double *value;
    size_t n, capacity;
};

static int assembling_text(struct assembling *a, const struct classify_matrix *part, size_t i,
                           size_t more)
{
    size_t from = part ? part->first[i] : 0, n = part ? part->first[i + 1] - from : 0;
    if (n + more > a->capacity || !a->column) {
        size_t capacity = 2 * (n + more) + 16;
        uint32_t *column = base_realloc(a->column, capacity, sizeof *column);
        if (!column)
            return BASE_E_MEMORY;
        a->column = column;
        double *value = base_realloc(a->value, capacity, sizeof *value);
        if (!value)
            return BASE_E_MEMORY;
        a->value = value;
        a->capacity = capacity;
    }
    if (n) {
        memcpy(a->column, part->column + from, n * sizeof *a->column);
        memcpy(a->value, part->value + from, n * sizeof *a->value);
    }
    a->n = n;
    return 0;
}

static void assembling_put(struct assembling *a, size_t column, double value)
{
    a->column[a->n] = (uint32_t)column;
    a->value[a->n++] = value;
}

static void assembling_free(struct assembling *a)
{
    base_free(a->column);
    base_free(a->value);
}

static double number_of(const struct classify_features *f, size_t j, double x)
{
    return (x - f->mean[j]) / f->scale[j];
}

int classify_features_rows(const struct classify_features *f, const struct classify_data *d,
                           const uint32_t *row, size_t n, bool coded, struct classify_matrix *out)
{
    size_t terms = terms_of(f), rows = row ? n : d->rows;
    int rc = classify_matrix_begin(out, coded ? classify_features_coded(f)
                                              : classify_features_columns(f));
    if (!rc && !f->numbers && !f->categories) {
        rc = classify_text_rows(&f->text, &d->texts, row, n, out);
        if (rc)
            classify_matrix_free(out);
        return rc;
    }
    struct classify_matrix part = { 0 };
    struct assembling a = { 0 };
    uint32_t **place = base_alloc_zero(f->categories, sizeof *place); /* level of d -> of f, + 1 */
    rc = rc ? rc : place ? 0 : BASE_E_MEMORY;
    for (size_t j = 0; j < f->categories && !rc; j++) {
        const struct classify_words *all = &d->level[j];
        if (!(place[j] = base_alloc(all->n, sizeof **place))) {
            rc = BASE_E_MEMORY;
            break;
        }
        for (size_t l = 0; l < all->n; l++)
            place[j][l] = classify_words_find(&f->level[j], all->bytes + all->first[l],
                                              all->first[l + 1] - all->first[l]) +
                          1;
    }
    if (!rc && f->has_text && !(rc = classify_matrix_begin(&part, terms)))
        rc = classify_text_rows(&f->text, &d->texts, row, n, &part);
    for (size_t k = 0; k < rows && !rc; k++) {
        size_t i = row ? row[k] : k;
        if ((rc = assembling_text(&a, f->has_text ? &part : NULL, k, f->numbers + f->categories)))
            break;
        for (size_t j = 0; j < f->numbers; j++)
            assembling_put(&a, terms + j, number_of(f, j, d->number[j][i]));
        for (size_t j = 0; j < f->categories; j++) {
            uint32_t code = place[j][d->category[j][i]];
            if (coded)
                assembling_put(&a, terms + f->numbers + j, code);
            else if (code)
                assembling_put(&a, terms + f->numbers + f->level_first[j] + code - 1, 1);
        }
        rc = classify_matrix_add(out, a.column, a.value, a.n);
    }
    for (size_t j = 0; place && j < f->categories; j++)
        base_free(place[j]);
    base_free(place);
    assembling_free(&a);
    classify_matrix_free(&part);
    if (rc)
        classify_matrix_free(out);
    return rc;
}

int classify_features_spread(const struct classify_features *f, const struct classify_matrix *coded,
                             struct classify_matrix *out)
{
    size_t plain = terms_of(f) + f->numbers;
    struct assembling a = { 0 };
    int rc = classify_matrix_begin(out, classify_features_columns(f));
    for (size_t i = 0; i < coded->rows && !rc; i++) {
        if ((rc = assembling_text(&a, coded, i, 0)))
            break;
        size_t kept = 0;
        for (size_t e = 0; e < a.n; e++) {
            size_t column = a.column[e];
            if (column >= plain) {
                size_t j = column - plain, code = (size_t)llround(a.value[e]);
                if (code < 1 || code > f->level[j].n)
                    continue;
                column = plain + f->level_first[j] + code - 1;
                a.value[e] = 1;
            }
            a.column[kept] = (uint32_t)column;
            a.value[kept++] = a.value[e];
        }
        rc = classify_matrix_add(out, a.column, a.value, kept);
    }
    assembling_free(&a);
    if (rc)
        classify_matrix_free(out);
    return rc;
}

int classify_features_apply(const struct classify_features *f, struct data_cell text,
                            const double *number, const struct data_cell *category,
                            struct classify_matrix *out)
{
    size_t terms = terms_of(f);
    if (!f->numbers && !f->categories)
        return classify_text_apply(&f->text, text.bytes, text.length, out);
    struct classify_matrix part = { 0 };
    struct assembling a = { 0 };
    int rc = f->has_text ? classify_matrix_begin(&part, terms) : 0;
    if (!rc && f->has_text)
        rc = classify_text_apply(&f->text, text.bytes, text.length, &part);
    if (!rc)
        rc = assembling_text(&a, f->has_text ? &part : NULL, 0, f->numbers + f->categories);
    for (size_t j = 0; j < f->numbers && !rc; j++)
        assembling_put(&a, terms + j, number_of(f, j, number[j]));
    for (size_t j = 0; j < f->categories && !rc; j++) {
        uint32_t code = classify_words_find(&f->level[j], category[j].bytes, category[j].length);
        if (code != UINT32_MAX)
            assembling_put(&a, terms + f->numbers + f->level_first[j] + code, 1);
    }
    if (!rc)
        rc = classify_matrix_add(out, a.column, a.value, a.n);
    assembling_free(&a);
    classify_matrix_free(&part);
    return rc;
}

void classify_features_free(struct classify_features *f)
{
    for (size_t j = 0; f->number && j < f->numbers; j++)
        base_free(f->number[j]);
    for (size_t j = 0; f->category && j < f->categories; j++)
        base_free(f->category[j]);
    for (size_t j = 0; f->level && j < f->categories; j++)
        classify_words_free(&f->level[j]);
    classify_text_free(&f->text);
    base_free(f->text_column);
    base_free(f->number);
    base_free(f->category);
    base_free(f->mean);
    base_free(f->scale);
    base_free(f->level);
    base_free(f->level_first);
    *f = (struct classify_features){ 0 };
}
