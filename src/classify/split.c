/* Hold-outs and folds; see split.h. A row's fate is drawn by shuffling the rows of its class (all
 * rows, when not stratified) with the stream (seed, BASE_RNG_FOLD, class). */
#include "classify/split.h"
#include "base/memory.h"
#include "base/rng.h"
#include <math.h>
#include <string.h>

static void shuffle(uint32_t *row, size_t n, uint64_t seed, uint64_t class)
{
    struct base_rng rng = base_rng_make(seed, BASE_RNG_FOLD, class);
    for (size_t i = n; i > 1; i--) {
        size_t j = base_rng_below(&rng, i);
        uint32_t t = row[i - 1];
        row[i - 1] = row[j];
        row[j] = t;
    }
}

/* Whole parts of `draws` in proportion to count [k], summing to draws. */
static void shares(const size_t *count, size_t k, size_t n, size_t draws, size_t *out,
                   double *remainder)
{
    size_t given = 0;
    for (size_t c = 0; c < k; c++) {
        double share = (double)count[c] / (double)n * (double)draws;
        out[c] = (size_t)floor(share);
        remainder[c] = share - floor(share);
        given += out[c];
    }
    for (; given < draws; given++) {
        size_t best = k;
        for (size_t c = 0; c < k; c++)
            if (out[c] < count[c] && (best == k || remainder[c] > remainder[best]))
                best = c;
        if (best == k)
            return; /* cannot be: draws <= n */
        out[best]++;
        remainder[best] -= 1;
    }
}

/* Rows by class: row [n], class c from first[c] to first[c + 1]. One class when not stratified. */
struct grouped {
    uint32_t *row;
    size_t *first, *count, *part;
    double *remainder;
    size_t classes;
};

static void grouped_free(struct grouped *g)
{
    base_free(g->row);
    base_free(g->first);
    base_free(g->count);
    base_free(g->part);
    base_free(g->remainder);
}

static int grouped_make(struct grouped *g, const uint32_t *y, size_t classes, size_t n,
                        bool stratify)
{
    *g = (struct grouped){ .classes = stratify ? classes : 1 };
    g->row = base_alloc(n, sizeof *g->row);
    g->first = base_alloc_zero(g->classes + 1, sizeof *g->first);
    g->count = base_alloc_zero(g->classes, sizeof *g->count);
    g->part = base_alloc_zero(g->classes, sizeof *g->part);
    g->remainder = base_alloc_zero(g->classes, sizeof *g->remainder);
    if (!g->row || !g->first || !g->count || !g->part || !g->remainder)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        g->count[stratify ? y[i] : 0]++;
    for (size_t c = 0; c < g->classes; c++)
        g->first[c + 1] = g->first[c] + g->count[c];
    for (size_t i = 0; i < n; i++) {
        size_t c = stratify ? y[i] : 0;
        g->row[g->first[c] + g->part[c]++] = (uint32_t)i;
    }
    memset(g->part, 0, g->classes * sizeof *g->part);
    return 0;
}

static const char *name_of(const char *const *class_name, size_t c)
{
    return class_name ? class_name[c] : "?";
}

static int split_fraction(struct grouped *g, size_t n, const struct classify_split_options *o,
                          const char *const *class_name, uint32_t *fold)
{
    double wish = ceil(o->fraction * (double)n);
    size_t test = (size_t)wish;
    if (!(o->fraction > 0 && o->fraction < 1) || test == 0 || test >= n)
        return base_error_set(BASE_E_ARGUMENT,
                              "a test fraction of %g of %zu rows leaves no rows to %s", o->fraction,
                              n, o->fraction > 0 && test >= n ? "train on" : "test on");
    shares(g->count, g->classes, n, n - test, g->part, g->remainder);
    for (size_t c = 0; c < g->classes; c++) {
        if (g->classes > 1 && g->count[c] &&
            (g->count[c] < 2 || !g->part[c] || g->part[c] == g->count[c]))
            return base_error_set(BASE_E_ARGUMENT,
                                  "class %s has %zu row%s: too few to be in training and test both",
                                  name_of(class_name, c), g->count[c], g->count[c] == 1 ? "" : "s");
        uint32_t *row = g->row + g->first[c];
        shuffle(row, g->count[c], o->seed, c);
        for (size_t i = 0; i < g->count[c]; i++)
            fold[row[i]] = i < g->part[c] ? UINT32_MAX : 0;
    }
    return 0;
}

static int split_folds(struct grouped *g, size_t n, const struct classify_split_options *o,
                       const char *const *class_name, uint32_t *fold)
{
    if (o->folds < 2 || o->folds > n || o->folds >= UINT32_MAX)
        return base_error_set(BASE_E_ARGUMENT, "%zu folds of %zu rows: expected 2 to the rows",
                              o->folds, n);
    size_t place = 0; /* in the order of classes */
    for (size_t c = 0; c < g->classes; c++) {
        if (g->classes > 1 && g->count[c] && g->count[c] < o->folds)
            return base_error_set(
                BASE_E_ARGUMENT, "class %s has %zu row%s: too few for %zu folds (--folds)",
                name_of(class_name, c), g->count[c], g->count[c] == 1 ? "" : "s", o->folds);
        uint32_t *row = g->row + g->first[c];
        shuffle(row, g->count[c], o->seed, c);
        for (size_t i = 0; i < g->count[c]; i++)
            fold[row[i]] = (uint32_t)(place++ % o->folds);
    }
    return 0;
}

int classify_split(const uint32_t *y, size_t classes, size_t n,
                   const struct classify_split_options *o, const char *const *class_name,
                   uint32_t *fold, size_t *folds)
{
    *folds = o->kind == CLASSIFY_SPLIT_FOLDS ? o->folds : 1;
    if (n < 2)
        return base_error_set(BASE_E_ARGUMENT, "%zu row%s cannot be split into training and test",
                              n, n == 1 ? "" : "s");
    if (o->kind == CLASSIFY_SPLIT_EVERY) {
        if (o->every < 2)
            return base_error_set(BASE_E_ARGUMENT, "every row would be a test row: from 2 on");
        for (size_t i = 0; i < n; i++)
            fold[i] = i % o->every ? UINT32_MAX : 0;
        return 0;
    }
    struct grouped g;
    int rc = grouped_make(&g, y, classes, n, o->stratify);
    if (!rc)
        rc = o->kind == CLASSIFY_SPLIT_FRACTION ? split_fraction(&g, n, o, class_name, fold)
                                                : split_folds(&g, n, o, class_name, fold);
    grouped_free(&g);
    return rc;
}
