/* Counting terms and TF-IDF; the definitions are in text.h. */
#include "classify/text.h"
#include "base/memory.h"
#include "classify/words.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const classify_norm_names[3] = { "l2", "l1", "none" };

/* ---- n-grams of a text ---- */

typedef int term_fn(void *context, const char *bytes, size_t n);

static int each_term(const struct classify_cut *cut, const struct classify_text_options *o,
                     term_fn *fn, void *context)
{
    size_t low = o->ngram_min ? o->ngram_min : 1, high = o->ngram_max ? o->ngram_max : low;
    for (size_t length = low; length <= high; length++)
        for (size_t i = 0; i + length <= cut->n; i++) {
            int rc = fn(context, cut->text.data + cut->start[i],
                        cut->end[i + length - 1] - cut->start[i]);
            if (rc)
                return rc;
        }
    return 0;
}

static int check_options(const struct classify_text_options *o)
{
    size_t low = o->ngram_min ? o->ngram_min : 1, high = o->ngram_max ? o->ngram_max : low;
    if (low > high || high > 16)
        return base_error_set(BASE_E_ARGUMENT,
                              "n-grams of %zu to %zu words: expected 1 to 16, in "
                              "ascending order",
                              low, high);
    if (!(o->min_df >= 0) || !(o->max_df >= 0))
        return base_error_set(BASE_E_ARGUMENT, "min_df %g and max_df %g must not be negative",
                              o->min_df, o->max_df);
    return 0;
}

/* ---- counting ---- */

static int counts_reserve(struct classify_counts *c, size_t values)
{
    if (c->rows == c->row_capacity || !c->first) {
        size_t capacity = c->row_capacity + c->row_capacity / 2 + 256;
        size_t *first = base_realloc(c->first, capacity + 1, sizeof *first);
        if (!first)
            return BASE_E_MEMORY;
        if (!c->first)
            first[0] = 0;
        c->first = first;
        c->row_capacity = capacity;
    }
    size_t need = c->first[c->rows] + values;
    if (need > c->capacity || !c->term) {
        size_t capacity = need + need / 2 + 1024;
        uint32_t *term = base_realloc(c->term, capacity, sizeof *term);
        if (!term)
            return BASE_E_MEMORY;
        c->term = term;
        uint32_t *count = base_realloc(c->count, capacity, sizeof *count);
        if (!count)
            return BASE_E_MEMORY;
        c->count = count;
        c->capacity = capacity;
    }
    return 0;
}

struct counting {
    struct classify_counts *counts;
    size_t at; /* one past the row's last value */
};

static int count_term(void *context, const char *bytes, size_t n)
{
    struct counting *k = context;
    struct classify_counts *c = k->counts;
    uint32_t term;
    int rc = classify_words_add(&c->terms, bytes, n, &term);
    if (rc)
        return rc;
    if (term >= c->places) {
        size_t places = c->terms.word_capacity;
        uint32_t *place = base_realloc(c->place, places, sizeof *place);
        if (!place)
            return BASE_E_MEMORY;
        memset(place + c->places, 0, (places - c->places) * sizeof *place);
        c->place = place;
        c->places = places;
    }
    size_t row = c->first[c->rows];
    if (c->place[term]) {
        c->count[row + c->place[term] - 1]++;
        return 0;
    }
    c->term[k->at] = term;
    c->count[k->at++] = 1;
    c->place[term] = (uint32_t)(k->at - row);
    return 0;
}

int classify_counts_add(struct classify_counts *c, const struct classify_text_options *o,
                        const struct classify_words *stop, const char *text, size_t n)
{
    struct classify_cut cut = { 0 };
    size_t sizes = (o->ngram_max ? o->ngram_max : o->ngram_min ? o->ngram_min : 1), values;
    int rc = check_options(o);
    if (!rc)
        rc = classify_cut_make(&cut, text, n, o->keep_case, stop);
    if (!rc && (base_mul_size(cut.n, sizes, &values) || values >= UINT32_MAX))
        rc = base_error_set(BASE_E_LIMIT, "a text of %zu words", cut.n);
    if (!rc)
        rc = counts_reserve(c, values);
    if (!rc && c->rows >= UINT32_MAX - 1)
        rc = base_error_set(BASE_E_LIMIT, "more than %u texts", UINT32_MAX - 1);
    if (!rc) {
        struct counting k = { c, c->first[c->rows] };
        size_t from = k.at;
        rc = each_term(&cut, o, count_term, &k);
        for (size_t i = from; i < k.at; i++)
            c->place[c->term[i]] = 0;
        if (!rc)
            c->first[++c->rows] = k.at;
    }
    classify_cut_free(&cut);
    return rc;
}

void classify_counts_free(struct classify_counts *c)
{
    classify_words_free(&c->terms);
    base_free(c->first);
    base_free(c->term);
    base_free(c->count);
    base_free(c->place);
    *c = (struct classify_counts){ 0 };
}

/* ---- fitting ---- */

struct candidate {
    const char *bytes;
    size_t n;
    uint32_t term;
    uint64_t total; /* occurrences */
};

static int by_bytes(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static int by_total(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return x->total != y->total ? (x->total < y->total ? 1 : -1) : by_bytes(a, b);
}

static int words_copy(struct classify_words *out, const struct classify_words *w)
{
    uint32_t number;
    for (size_t i = 0; i < w->n; i++) {
        int rc =
            classify_words_add(out, w->bytes + w->first[i], w->first[i + 1] - w->first[i], &number);
        if (rc)
            return rc;
    }
    return 0;
}

/* Document frequencies and totals over the chosen rows. */
static void frequencies(const struct classify_counts *c, const uint32_t *row, size_t n,
                        uint32_t *df, uint64_t *total)
{
    for (size_t k = 0; k < n; k++) {
        size_t i = row ? row[k] : k;
        for (size_t j = c->first[i]; j < c->first[i + 1]; j++) {
            df[c->term[j]]++;
            total[c->term[j]] += c->count[j];
        }
    }
}

int classify_text_fit(struct classify_text *out, const struct classify_counts *c,
                      const struct classify_text_options *o, const struct classify_words *stop,
                      const uint32_t *row, size_t n)
{
    *out = (struct classify_text){ .options = *o };
    n = row ? n : c->rows;
    int rc = check_options(o);
    if (rc)
        return rc;
    if (!n)
        return base_error_set(BASE_E_ARGUMENT, "there are no texts to take terms from");
    double low = o->min_df > 0 && o->min_df < 1 ? o->min_df * (double)n : o->min_df;
    double high = o->max_df == 0                     ? (double)n
                  : o->max_df_share || o->max_df < 1 ? o->max_df * (double)n
                                                     : o->max_df;
    if (high < low)
        return base_error_set(BASE_E_ARGUMENT,
                              "max_df stands for %g rows and min_df for %g: no term can be kept",
                              high, low);
    size_t kept = 0;
    uint32_t *df = base_alloc_zero(c->terms.n, sizeof *df);
    uint64_t *total = base_alloc_zero(c->terms.n, sizeof *total);
    struct candidate *chosen = base_alloc(c->terms.n, sizeof *chosen);
    rc = BASE_E_MEMORY;
    if (!df || !total || !chosen || !(out->column = base_alloc(c->terms.n, sizeof *out->column)))
        goto out;
    frequencies(c, row, n, df, total);
    for (size_t t = 0; t < c->terms.n; t++)
        if (df[t] && df[t] >= low && df[t] <= high)
            chosen[kept++] = (struct candidate){ c->terms.bytes + c->terms.first[t],
                                                 c->terms.first[t + 1] - c->terms.first[t],
                                                 (uint32_t)t, total[t] };
    if (!kept) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "no term is left of %zu in %zu texts: lower min_df, raise max_df, or "
                            "look whether this is the column of texts",
                            c->terms.n, n);
        goto out;
    }
    if (o->max_terms && kept > o->max_terms) {
        qsort(chosen, kept, sizeof *chosen, by_total);
        kept = o->max_terms;
    }
    qsort(chosen, kept, sizeof *chosen, by_bytes);
    if (!(out->idf = base_alloc(kept, sizeof *out->idf)))
        goto out;
    for (size_t t = 0; t < c->terms.n; t++)
        out->column[t] = UINT32_MAX;
    for (size_t k = 0; k < kept; k++) {
        uint32_t number;
        if ((rc = classify_words_add(&out->terms, chosen[k].bytes, chosen[k].n, &number)))
            goto out;
        out->column[chosen[k].term] = (uint32_t)k;
        double d = df[chosen[k].term], rows = (double)n;
        out->idf[k] = o->no_idf      ? 1
                      : o->no_smooth ? log(rows / d) + 1
                                     : log((1 + rows) / (1 + d)) + 1;
    }
    rc = stop ? words_copy(&out->stop, stop) : 0;
out:
    base_free(df);
    base_free(total);
    base_free(chosen);
    if (rc)
        classify_text_free(out);
    return rc;
}

/* ---- rows ---- */

/* A row as it is made: columns and counts, then weights. */
struct row_cells {
    uint32_t *column;
    double *value;
    size_t n, capacity;
};

static int cells_reserve(struct row_cells *r, size_t n)
{
    if (n <= r->capacity && r->column)
        return 0;
    size_t capacity = n + n / 2 + 64;
    uint32_t *column = base_realloc(r->column, capacity, sizeof *column);
    if (!column)
        return BASE_E_MEMORY;
    r->column = column;
    double *value = base_realloc(r->value, capacity, sizeof *value);
    if (!value)
        return BASE_E_MEMORY;
    r->value = value;
    r->capacity = capacity;
    return 0;
}

static void cells_free(struct row_cells *r)
{
    base_free(r->column);
    base_free(r->value);
}

/* Ascending columns: by insertion where few, else by a heap (rows of long documents). */
static void cells_sort(struct row_cells *r)
{
    size_t n = r->n;
    if (n < 96) {
        for (size_t i = 1; i < n; i++) {
            uint32_t column = r->column[i];
            double value = r->value[i];
            size_t j = i;
            for (; j > 0 && r->column[j - 1] > column; j--) {
                r->column[j] = r->column[j - 1];
                r->value[j] = r->value[j - 1];
            }
            r->column[j] = column;
            r->value[j] = value;
        }
        return;
    }
    for (size_t phase = n / 2 + n; phase-- > 1;) {
        /* the first n/2 steps build the heap, the others take its root to the end */
        size_t at = phase >= n ? phase - n : 0, end = phase >= n ? n : phase;
        if (phase < n) {
            uint32_t column = r->column[0];
            double value = r->value[0];
            r->column[0] = r->column[end];
            r->value[0] = r->value[end];
            r->column[end] = column;
            r->value[end] = value;
        }
        uint32_t column = r->column[at];
        double value = r->value[at];
        for (size_t child; (child = 2 * at + 1) < end; at = child) {
            child += child + 1 < end && r->column[child + 1] > r->column[child];
            if (r->column[child] <= column)
                break;
            r->column[at] = r->column[child];
            r->value[at] = r->value[child];
        }
        r->column[at] = column;
        r->value[at] = value;
    }
}

/* Counts to weights, in ascending columns, and into out. */
static int cells_finish(const struct classify_text *t, struct row_cells *r,
                        struct classify_matrix *out)
{
    cells_sort(r);
    double sum = 0;
    for (size_t i = 0; i < r->n; i++) {
        double tf = t->options.binary      ? 1
                    : t->options.sublinear ? 1 + log(r->value[i])
                                           : r->value[i];
        double v = r->value[i] = tf * t->idf[r->column[i]];
        sum += t->options.norm == CLASSIFY_NORM_L2 ? v * v : fabs(v);
    }
    double length = t->options.norm == CLASSIFY_NORM_L2 ? sqrt(sum) : sum;
    if (t->options.norm != CLASSIFY_NORM_NONE && length > 0)
        for (size_t i = 0; i < r->n; i++)
            r->value[i] /= length;
    return classify_matrix_add(out, r->column, r->value, r->n);
}

int classify_text_rows(const struct classify_text *t, const struct classify_counts *c,
                       const uint32_t *row, size_t n, struct classify_matrix *out)
{
    struct row_cells r = { 0 };
    int rc = 0;
    n = row ? n : c->rows;
    for (size_t k = 0; k < n && !rc; k++) {
        size_t i = row ? row[k] : k;
        if ((rc = cells_reserve(&r, c->first[i + 1] - c->first[i])))
            break;
        r.n = 0;
        for (size_t j = c->first[i]; j < c->first[i + 1]; j++) {
            uint32_t column = t->column[c->term[j]];
            if (column == UINT32_MAX)
                continue;
            r.column[r.n] = column;
            r.value[r.n++] = c->count[j];
        }
        rc = cells_finish(t, &r, out);
    }
    cells_free(&r);
    return rc;
}

struct applying {
    const struct classify_text *text;
    struct row_cells cells;
};

static int apply_term(void *context, const char *bytes, size_t n)
{
    struct applying *a = context;
    uint32_t column = classify_words_find(&a->text->terms, bytes, n);
    if (column == UINT32_MAX)
        return 0;
    int rc = cells_reserve(&a->cells, a->cells.n + 1);
    if (rc)
        return rc;
    a->cells.column[a->cells.n] = column;
    a->cells.value[a->cells.n++] = 1;
    return 0;
}

int classify_text_apply(const struct classify_text *t, const char *text, size_t n,
                        struct classify_matrix *out)
{
    struct classify_cut cut = { 0 };
    struct applying a = { .text = t };
    int rc = classify_cut_make(&cut, text, n, t->options.keep_case, t->stop.n ? &t->stop : NULL);
    if (!rc)
        rc = each_term(&cut, &t->options, apply_term, &a);
    if (!rc) {
        /* equal columns into one count */
        cells_sort(&a.cells);
        size_t kept = 0;
        for (size_t i = 0; i < a.cells.n; i++) {
            if (kept && a.cells.column[kept - 1] == a.cells.column[i]) {
                a.cells.value[kept - 1]++;
                continue;
            }
            a.cells.column[kept] = a.cells.column[i];
            a.cells.value[kept++] = 1;
        }
        a.cells.n = kept;
        rc = cells_finish(t, &a.cells, out);
    }
    cells_free(&a.cells);
    classify_cut_free(&cut);
    return rc;
}

void classify_text_free(struct classify_text *t)
{
    classify_words_free(&t->stop);
    classify_words_free(&t->terms);
    base_free(t->idf);
    base_free(t->column);
    *t = (struct classify_text){ 0 };
}
