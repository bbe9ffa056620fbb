/* A column of a table, looked up for nodes by their names. */
#include "base/memory.h"
#include "graph/reader.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void graph_attribute_free(struct graph_attribute *a)
{
    for (uint32_t i = 0; a->level && i < a->levels; i++)
        base_free(a->level[i]);
    base_free(a->code);
    base_free(a->level);
    base_free(a->count);
    base_free(a->number);
    memset(a, 0, sizeof *a);
}

/* code[i] = the table's level for names[i]. */
static int look_up(struct graph_attribute *a, const struct data_frame *f, const char *path,
                   const char *const *names, size_t n)
{
    struct graph_names ids = { 0 };
    const struct data_column *id = &f->column[0], *value = &f->column[1];
    uint32_t index, *row = base_alloc(f->rows, sizeof *row);
    int rc = row ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < f->rows && !rc; i++) {
        if (!id->text[i])
            continue;
        uint32_t before = ids.n;
        rc = graph_names_add(&ids, id->text[i], strlen(id->text[i]), &index);
        if (!rc && ids.n == before)
            rc = base_error_set(BASE_E_FORMAT, "%s: \"%.60s\" stands there twice", path,
                                id->text[i]);
        if (!rc)
            row[index] = (uint32_t)i;
    }
    for (size_t i = 0; i < n && !rc; i++) {
        index = graph_names_find(&ids, names[i], strlen(names[i]));
        a->code[i] = index == UINT32_MAX ? UINT32_MAX : value->code[row[index]];
        a->missing += a->code[i] == UINT32_MAX;
    }
    graph_names_free(&ids);
    base_free(row);
    return rc;
}

struct level {
    uint64_t count;
    uint32_t old;
};
static int frequent_first(const void *a, const void *b)
{
    const struct level *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->old > y->old) - (x->old < y->old);
}

/* Levels that occur among the names, by frequency. */
static int order_levels(struct graph_attribute *a, const struct data_column *value, size_t n)
{
    const size_t all = value->n_levels;
    struct level *order = base_alloc_zero(all, sizeof *order);
    uint32_t *fresh = base_alloc(all, sizeof *fresh), used = 0;
    a->level = base_alloc_zero(all, sizeof *a->level);
    a->count = base_alloc_zero(all, sizeof *a->count);
    int rc = order && fresh && a->level && a->count ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    for (size_t i = 0; i < all; i++)
        order[i].old = (uint32_t)i;
    for (size_t i = 0; i < n; i++)
        if (a->code[i] != UINT32_MAX)
            order[a->code[i]].count++;
    qsort(order, all, sizeof *order, frequent_first);
    while (used < all && order[used].count)
        used++;
    a->levels = used;
    for (uint32_t i = 0; i < used; i++) {
        fresh[order[i].old] = i;
        a->count[i] = order[i].count;
        if (!(a->level[i] = base_strdup(value->levels[order[i].old]))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (a->code[i] != UINT32_MAX)
            a->code[i] = fresh[a->code[i]];
out:
    base_free(order);
    base_free(fresh);
    return rc;
}

static int numbers(struct graph_attribute *a, size_t n)
{
    double *of = base_alloc(a->levels, sizeof *of);
    bool all = a->levels > 0;
    if (!of)
        return BASE_E_MEMORY;
    for (uint32_t i = 0; i < a->levels && all; i++)
        all = data_cell_number((struct data_cell){ a->level[i], strlen(a->level[i]) }, &of[i]);
    if (all && !(a->number = base_alloc(n, sizeof *a->number))) {
        base_free(of);
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; all && i < n; i++)
        a->number[i] = a->code[i] == UINT32_MAX ? NAN : of[a->code[i]];
    base_free(of);
    return 0;
}

int graph_attribute_read(struct graph_attribute *out, const char *path,
                         const struct data_table_options *options, const char *id,
                         const char *column, const char *const *names, size_t n)
{
    const struct data_column_want want[2] = { { id ? id : "#1", DATA_TEXT },
                                              { column, DATA_CATEGORY } };
    struct data_frame f = { 0 };
    memset(out, 0, sizeof *out);
    int rc = data_frame_read(&f, path, options, want, 2);
    if (rc)
        return rc;
    if (!(out->code = base_alloc(n, sizeof *out->code)))
        rc = BASE_E_MEMORY;
    if (!rc && (rc = look_up(out, &f, path, names, n)) == 0 &&
        (rc = order_levels(out, &f.column[1], n)) == 0)
        rc = numbers(out, n);
    data_frame_free(&f);
    if (rc)
        graph_attribute_free(out);
    return rc;
}
