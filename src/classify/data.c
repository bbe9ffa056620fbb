/* Reading a labelled table; see data.h. */
#include "classify/data.h"
#include "base/memory.h"
#include "base/progress.h"
#include "data/table.h"
#include <stdlib.h>
#include <string.h>

/* Places of the wanted columns in the table. */
struct places {
    size_t label, text, *number, *category;
};

static int places_find(struct places *p, const struct data_table *t,
                       const struct classify_columns *c)
{
    int rc = 0;
    p->number = base_alloc(c->numbers, sizeof *p->number);
    p->category = base_alloc(c->categories, sizeof *p->category);
    if (!p->number || !p->category)
        return BASE_E_MEMORY;
    if (c->label)
        rc = data_table_find(t, c->label, &p->label);
    if (!rc && c->text)
        rc = data_table_find(t, c->text, &p->text);
    for (size_t j = 0; j < c->numbers && !rc; j++)
        rc = data_table_find(t, c->number[j], &p->number[j]);
    for (size_t j = 0; j < c->categories && !rc; j++)
        rc = data_table_find(t, c->category[j], &p->category[j]);
    return rc;
}

static int data_reserve(struct classify_data *d)
{
    if (d->rows < d->row_capacity)
        return 0;
    size_t capacity = d->row_capacity + d->row_capacity / 2 + 1024;
    if (capacity >= UINT32_MAX)
        return base_error_set(BASE_E_LIMIT, "more than %u rows", UINT32_MAX - 1);
    uint32_t *y = base_realloc(d->y, capacity, sizeof *y);
    if (!y)
        return BASE_E_MEMORY;
    d->y = y;
    for (size_t j = 0; j < d->numbers; j++) {
        double *number = base_realloc(d->number[j], capacity, sizeof *number);
        if (!number)
            return BASE_E_MEMORY;
        d->number[j] = number;
    }
    for (size_t j = 0; j < d->categories; j++) {
        uint32_t *category = base_realloc(d->category[j], capacity, sizeof *category);
        if (!category)
            return BASE_E_MEMORY;
        d->category[j] = category;
    }
    d->row_capacity = capacity;
    return 0;
}

/* One row of the table; labels as they come. */
static int row_add(struct classify_data *d, struct data_table *t, const struct data_cell *cell,
                   const struct places *p, const struct classify_columns *c,
                   const struct classify_text_options *text, const struct classify_words *stop,
                   struct classify_words *labels)
{
    bool missing = c->label && data_cell_missing(cell[p->label]);
    for (size_t j = 0; j < c->numbers; j++)
        missing = missing || data_cell_missing(cell[p->number[j]]);
    for (size_t j = 0; j < c->categories; j++)
        missing = missing || data_cell_missing(cell[p->category[j]]);
    if (missing) {
        d->skipped++;
        return 0;
    }
    int rc = data_reserve(d);
    if (rc)
        return rc;
    d->y[d->rows] = 0;
    if (c->label)
        rc =
            classify_words_add(labels, cell[p->label].bytes, cell[p->label].length, &d->y[d->rows]);
    if (!rc && labels->n > 4096 && !c->positive)
        rc = base_error_set(
            BASE_E_LIMIT, "column %s has more than 4096 labels: is it a column of text?", c->label);
    for (size_t j = 0; j < c->numbers && !rc; j++) {
        struct data_cell v = cell[p->number[j]];
        if (!data_cell_number(v, &d->number[j][d->rows]))
            rc = base_error_set(
                BASE_E_FORMAT, "%s: column %s: '%.*s' is not a number (use --categories for names)",
                data_table_place(t), c->number[j], (int)(v.length < 40 ? v.length : 40), v.bytes);
    }
    for (size_t j = 0; j < c->categories && !rc; j++)
        rc = classify_words_add(&d->level[j], cell[p->category[j]].bytes,
                                cell[p->category[j]].length, &d->category[j][d->rows]);
    if (!rc && c->text)
        rc = classify_counts_add(&d->texts, text, stop, cell[p->text].bytes, cell[p->text].length);
    d->rows += !rc;
    return rc;
}

struct sortable {
    const char *bytes;
    size_t n;
    uint32_t number;
};

static int by_bytes(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* Labels into their order, and y with them. */
static int labels_finish(struct classify_data *d, const struct classify_words *labels,
                         const struct classify_columns *c)
{
    size_t n = labels->n;
    if (n < 2)
        return base_error_set(BASE_E_ARGUMENT,
                              "column %s has %s label%s in %zu rows: two classes are needed",
                              c->label, n ? "one" : "no", n ? "" : "s", d->rows);
    struct sortable *sorted = base_alloc(n, sizeof *sorted);
    uint32_t *place = base_alloc(n, sizeof *place);
    int rc = sorted && place ? 0 : BASE_E_MEMORY;
    if (!rc) {
        for (size_t k = 0; k < n; k++)
            sorted[k] = (struct sortable){ labels->bytes + labels->first[k],
                                           labels->first[k + 1] - labels->first[k], (uint32_t)k };
        qsort(sorted, n, sizeof *sorted, by_bytes);
        for (size_t k = 0; k < n; k++)
            place[sorted[k].number] = (uint32_t)k;
    }
    size_t classes = n;
    if (!rc && c->positive) {
        uint32_t yes = classify_words_find(labels, c->positive, strlen(c->positive));
        classes = 2;
        if (yes == UINT32_MAX)
            rc =
                base_error_set(BASE_E_ARGUMENT, "--positive %s: no row has this label in column %s",
                               c->positive, c->label);
        for (size_t k = 0; k < n && !rc; k++)
            place[k] = k == yes;
    }
    if (!rc && !(d->label = base_alloc_zero(classes, sizeof *d->label)))
        rc = BASE_E_MEMORY;
    d->classes = rc ? 0 : classes;
    for (size_t k = 0; k < classes && !rc; k++) {
        if (!c->positive)
            d->label[k] = base_strndup(sorted[k].bytes, sorted[k].n);
        else if (k == 1)
            d->label[k] = base_strdup(c->positive);
        else if (n == 2) /* the other one has a name */
            for (size_t s = 0; s < 2; s++) {
                if (place[sorted[s].number] == 0)
                    d->label[k] = base_strndup(sorted[s].bytes, sorted[s].n);
            }
        else
            d->label[k] = base_strdup("other");
        rc = d->label[k] ? 0 : BASE_E_MEMORY;
    }
    for (size_t i = 0; i < d->rows && !rc; i++)
        d->y[i] = place[d->y[i]];
    base_free(sorted);
    base_free(place);
    return rc;
}

int classify_data_read(struct classify_data *d, const char *path,
                       const struct data_table_options *table, const struct classify_columns *c,
                       const struct classify_text_options *text, const struct classify_words *stop)
{
    *d = (struct classify_data){ .numbers = c->numbers, .categories = c->categories };
    struct data_table *t = NULL;
    struct places p = { 0 };
    struct classify_words labels = { 0 };
    struct base_progress *progress = NULL;
    const struct data_cell *cell;
    uint64_t done = 0, total = 0;
    int rc = data_table_open(&t, path, table);
    if (!rc)
        rc = places_find(&p, t, c);
    if (rc)
        goto out;
    d->number = base_alloc_zero(c->numbers, sizeof *d->number);
    d->category = base_alloc_zero(c->categories, sizeof *d->category);
    d->level = base_alloc_zero(c->categories, sizeof *d->level);
    if (!d->number || !d->category || !d->level) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    data_table_progress(t, &done, &total);
    progress = base_progress_begin("read", "bytes", total);
    int more = 0;
    while (!rc && (more = data_table_next(t, &cell)) == 1) {
        rc = row_add(d, t, cell, &p, c, text, stop, &labels);
        if (d->rows % 4096 == 0) {
            data_table_progress(t, &done, &total);
            base_progress_update(progress, done, NULL);
            if (!rc && base_interrupted())
                rc = base_error_set(BASE_E_INTERRUPTED, "interrupted while reading %s", path);
        }
    }
    rc = rc ? rc : more < 0 ? more : 0;
    if (!rc && !d->rows)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: no row is left (%llu with missing cells)", path,
                            (unsigned long long)d->skipped);
    if (!rc && c->label)
        rc = labels_finish(d, &labels, c);
out:
    base_progress_end(progress);
    data_table_close(t);
    classify_words_free(&labels);
    base_free(p.number);
    base_free(p.category);
    if (rc)
        classify_data_free(d);
    return data_error_in(rc, path);
}

const char *const *classify_data_names(const struct classify_data *d)
{
    return (const char *const *)d->label;
}

void classify_data_free(struct classify_data *d)
{
    for (size_t k = 0; d->label && k < d->classes; k++)
        base_free(d->label[k]);
    for (size_t j = 0; j < d->numbers; j++)
        base_free(d->number ? d->number[j] : NULL);
    for (size_t j = 0; j < d->categories; j++) {
        base_free(d->category ? d->category[j] : NULL);
        if (d->level)
            classify_words_free(&d->level[j]);
    }
    base_free(d->label);
    base_free(d->y);
    base_free(d->number);
    base_free(d->category);
    base_free(d->level);
    classify_counts_free(&d->texts);
    *d = (struct classify_data){ 0 };
}
