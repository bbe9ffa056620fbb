/* One number per item and metric: gathered from samples in one pass, sorted by (hash, doc_id), so
 * that two runs are matched by walking both once. A document that occurs k times in a task is k
 * items; the order of doc_id pairs the first with the first.
 *
 * 1,000,000 items with one metric: 28 MB, and 20 MB for the order while sorting. */
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/results_run.h"
#include <assay/stats.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MISSING UINT64_C(0x7ff8a55a00000000) /* a quiet NaN that no arithmetic makes */

double results_missing(void)
{
    double x;
    uint64_t bits = MISSING;
    memcpy(&x, &bits, sizeof x);
    return x;
}

bool results_is_missing(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == MISSING;
}

static int hash_of(const json_t *sample, const char *place, uint8_t out[16])
{
    const char *hex = json_string_value(json_object_get(sample, "doc_hash"));
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        char c = hex ? hex[i] : 0;
        c = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
        const char *at = c ? strchr(digits, c) : NULL;
        if (!at)
            return base_error_set(
                BASE_E_FORMAT, "%s: doc_hash: expected 64 hexadecimal digits, got %s%.64s%s", place,
                hex ? "\"" : "", hex ? hex : "nothing and no doc", hex ? "\"" : "");
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | (at - digits) : (at - digits) << 4);
    }
    return 0;
}

static int filter_of(struct results_columns *c, const char *name, struct results_filter **out)
{
    for (size_t i = 0; i < c->n_filters; i++)
        if (strcmp(c->filters[i].name, name) == 0) {
            *out = &c->filters[i];
            return 0;
        }
    struct results_filter *grown = base_realloc(c->filters, c->n_filters + 1, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    c->filters = grown;
    grown[c->n_filters] = (struct results_filter){ .name = base_strdup(name) };
    if (!grown[c->n_filters].name)
        return BASE_E_MEMORY;
    *out = &grown[c->n_filters++];
    return 0;
}

static int grow(void *array, size_t capacity, size_t size)
{
    void *p, *grown;
    memcpy(&p, array, sizeof p); /* array: the address of a pointer of any type */
    if (!(grown = base_realloc(p, capacity, size)))
        return BASE_E_MEMORY;
    memcpy(array, &grown, sizeof grown);
    return 0;
}

static int reserve(struct results_filter *f)
{
    if (f->n < f->capacity)
        return 0;
    size_t capacity = f->capacity ? f->capacity + f->capacity / 2 : 256;
    int rc = grow(&f->hash, capacity, sizeof *f->hash);
    if (rc == 0)
        rc = grow(&f->doc, capacity, sizeof *f->doc);
    if (rc == 0)
        rc = grow(&f->cluster, capacity, sizeof *f->cluster);
    for (size_t i = 0; i < f->n_metrics && rc == 0; i++) {
        rc = grow(&f->metrics[i].value, capacity, sizeof(double));
        if (rc == 0 && f->metrics[i].weight)
            rc = grow(&f->metrics[i].weight, capacity, sizeof(double));
    }
    if (rc == 0)
        f->capacity = capacity;
    return rc;
}

/* The metric, which items before f->n do not have when it is new. */
static int metric_of(struct results_filter *f, const char *name, struct results_metric **out)
{
    for (size_t i = 0; i < f->n_metrics; i++)
        if (strcmp(f->metrics[i].name, name) == 0) {
            *out = &f->metrics[i];
            return 0;
        }
    int rc = grow(&f->metrics, f->n_metrics + 1, sizeof *f->metrics);
    if (rc)
        return rc;
    struct results_metric *m = &f->metrics[f->n_metrics];
    *m = (struct results_metric){ .name = base_strdup(name),
                                  .value = base_alloc(f->capacity, sizeof(double)) };
    if (!m->name || !m->value) {
        base_free(m->name);
        base_free(m->value);
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i <= f->n; i++)
        m->value[i] = results_missing();
    f->n_metrics++;
    *out = m;
    return 0;
}

/* Puts the sample's value of a metric at index f->n. */
static int add_value(struct results_filter *f, const json_t *sample, const char *name)
{
    struct results_metric *m;
    double value = 0, weight = 1;
    enum eval_value_kind kind = eval_results_value(sample, name, &value, &weight);
    if (kind == EVAL_VALUE_MISSING)
        return 0;
    int rc = metric_of(f, name, &m);
    if (rc)
        return rc;
    if (kind == EVAL_VALUE_OTHER) {
        m->other = true;
        return 0;
    }
    if (kind == EVAL_VALUE_RATIO && !m->weight) {
        if (!(m->weight = base_alloc(f->capacity, sizeof(double))))
            return BASE_E_MEMORY;
        for (size_t i = 0; i < f->n; i++)
            m->weight[i] = 1;
    }
    m->value[f->n] = value;
    if (m->weight)
        m->weight[f->n] = weight;
    m->count++;
    return 0;
}

/* The item's cluster as `assay` records it, as a number; an item without one is its own. */
static uint32_t cluster_of(const json_t *sample, uint32_t doc, bool *clustered)
{
    const char *name =
        json_string_value(json_object_get(json_object_get(sample, "assay"), "cluster"));
    *clustered |= name != NULL;
    return (uint32_t)(name ? base_hash64(name, strlen(name), 1) : base_hash64(&doc, sizeof doc, 2));
}

int results_columns_add(struct results_columns *c, const json_t *sample, const char *place)
{
    const char *filter = json_string_value(json_object_get(sample, "filter")), *key;
    const json_t *list = json_object_get(sample, "metrics");
    struct results_filter *f;
    json_t *entry;
    size_t i;
    int rc;
    filter = filter ? filter : "none";
    if (c->filter && strcmp(c->filter, filter) != 0)
        return 0;
    if ((rc = filter_of(c, filter, &f)) || (rc = reserve(f)) ||
        (rc = hash_of(sample, place, f->hash[f->n])))
        return rc;
    f->doc[f->n] = (uint32_t)json_integer_value(json_object_get(sample, "doc_id"));
    f->cluster[f->n] = cluster_of(sample, f->doc[f->n], &f->clustered);
    for (i = 0; i < f->n_metrics; i++) {
        f->metrics[i].value[f->n] = results_missing();
        if (f->metrics[i].weight)
            f->metrics[i].weight[f->n] = 1;
    }
    if (c->metric) {
        rc = add_value(f, sample, c->metric);
    } else if (json_is_array(list)) {
        json_array_foreach(list, i, entry) if (rc == 0 && json_is_string(entry)) rc =
            add_value(f, sample, json_string_value(entry));
    } else { /* before lm-eval 0.4.5: everything that is not part of the record */
        json_object_foreach((json_t *)(uintptr_t)sample, key,
                            entry) if (rc == 0 && !eval_results_is_member(key) &&
                                       !json_is_string(entry) && !json_is_object(entry)) rc =
            add_value(f, sample, key);
    }
    f->n += rc == 0;
    return rc;
}

/* ---- order ---- */

struct place_of {
    uint64_t high, low; /* the hash, big-endian */
    uint32_t doc, index;
};

static int by_hash(const void *x, const void *y)
{
    const struct place_of *a = x, *b = y;
    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    return a->doc < b->doc ? -1 : a->doc > b->doc;
}

static uint64_t big_endian(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static void reorder(double *values, double *scratch, const struct place_of *order, size_t n)
{
    for (size_t i = 0; values && i < n; i++)
        scratch[i] = values[order[i].index];
    if (values)
        memcpy(values, scratch, n * sizeof *values);
}

int results_columns_sort(struct results_columns *c)
{
    for (size_t k = 0; k < c->n_filters; k++) {
        struct results_filter *f = &c->filters[k];
        if (f->n > UINT32_MAX)
            return base_error_set(BASE_E_LIMIT, "more than 4294967295 items in a task");
        struct place_of *order = base_alloc(f->n, sizeof *order);
        double *scratch = order ? base_alloc(f->n, sizeof *scratch) : NULL;
        if (!scratch) {
            base_free(order);
            return BASE_E_MEMORY;
        }
        for (size_t i = 0; i < f->n; i++)
            order[i] = (struct place_of){ big_endian(f->hash[i]), big_endian(f->hash[i] + 8),
                                          f->doc[i], (uint32_t)i };
        qsort(order, f->n, sizeof *order, by_hash);
        for (size_t i = 0; i < f->n_metrics; i++) {
            reorder(f->metrics[i].value, scratch, order, f->n);
            reorder(f->metrics[i].weight, scratch, order, f->n);
        }
        for (size_t i = 0; i < f->n; i++) {
            for (int b = 0; b < 8; b++) {
                f->hash[i][b] = (uint8_t)(order[i].high >> (56 - 8 * b));
                f->hash[i][8 + b] = (uint8_t)(order[i].low >> (56 - 8 * b));
            }
            f->doc[i] = order[i].doc;
        }
        uint32_t *clusters = (uint32_t *)scratch; /* 8 bytes an item are enough for 4 */
        for (size_t i = 0; i < f->n; i++)
            clusters[i] = f->cluster[order[i].index];
        memcpy(f->cluster, clusters, f->n * sizeof *clusters);
        base_free(order);
        base_free(scratch);
    }
    return 0;
}

void results_columns_free(struct results_columns *c)
{
    for (size_t k = 0; k < c->n_filters; k++) {
        struct results_filter *f = &c->filters[k];
        for (size_t i = 0; i < f->n_metrics; i++) {
            base_free(f->metrics[i].name);
            base_free(f->metrics[i].value);
            base_free(f->metrics[i].weight);
        }
        base_free(f->metrics);
        base_free(f->name);
        base_free(f->hash);
        base_free(f->doc);
        base_free(f->cluster);
    }
    base_free(c->filters);
    *c = (struct results_columns){ 0 };
}

int results_column_take(const struct results_filter *f, const struct results_metric *m,
                        const char *place, struct eval_column *out)
{
    *out = (struct eval_column){ .binary = !m->weight };
    if (m->other)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: %s is not a number per item, so items cannot be compared by it",
                              place, m->name);
    out->hash = base_alloc(m->count, sizeof *out->hash);
    out->doc = base_alloc(m->count, sizeof *out->doc);
    out->value = base_alloc(m->count, sizeof *out->value);
    out->weight = m->weight ? base_alloc(m->count, sizeof *out->weight) : NULL;
    out->cluster = f->clustered ? base_alloc(m->count, sizeof *out->cluster) : NULL;
    int rc = out->hash && out->doc && out->value && (out->weight || !m->weight) &&
                     (out->cluster || !f->clustered)
                 ? 0
                 : BASE_E_MEMORY;
    for (size_t i = 0; i < f->n && rc == 0; i++) {
        double v = m->value[i];
        if (results_is_missing(v))
            continue;
        if (!isfinite(v) || (m->weight && !(m->weight[i] >= 0 && isfinite(m->weight[i])))) {
            rc = base_error_set(BASE_E_NUMERIC, "%s: doc_id %u: %s is %g, not a finite number",
                                place, f->doc[i], m->name, v);
            break;
        }
        memcpy(out->hash[out->n], f->hash[i], sizeof *out->hash);
        out->doc[out->n] = f->doc[i];
        if (f->clustered)
            out->cluster[out->n] = f->cluster[i];
        out->value[out->n] = v;
        if (m->weight)
            out->weight[out->n] = m->weight[i];
        out->binary &= v == 0 || v == 1;
        out->n++;
    }
    if (rc)
        eval_column_free(out);
    return rc;
}

void eval_column_free(struct eval_column *c)
{
    base_free(c->hash);
    base_free(c->doc);
    base_free(c->value);
    base_free(c->weight);
    base_free(c->cluster);
    *c = (struct eval_column){ 0 };
}

/* ---- a column of a run ---- */

/* "acc, acc_norm" for messages; new string. */
static char *names_of(const struct results_columns *c)
{
    char *list = base_strdup("");
    for (size_t k = 0; k < c->n_filters && list; k++)
        for (size_t i = 0; i < c->filters[k].n_metrics && list; i++) {
            char *longer = base_format("%s%s%s,%s", list, *list ? " " : "",
                                       c->filters[k].metrics[i].name, c->filters[k].name);
            base_free(list);
            list = longer;
        }
    return list;
}

/* A sample whose pair of classes is one number; as it is where there is no such metric. */
static int code_labels(json_t **sample, const char *metric, const char *place)
{
    const json_t *pair = json_object_get(*sample, metric);
    if (!pair || json_is_null(pair))
        return 0;
    const json_t *truth = json_array_get(pair, 0), *said = json_array_get(pair, 1);
    json_int_t t = json_integer_value(truth), s = json_integer_value(said);
    if (json_array_size(pair) != 2 || !json_is_integer(truth) || !json_is_integer(said) || t < 0 ||
        s < 0 || t > 65535 || s > 65535)
        return base_error_set(BASE_E_UNSUPPORTED, "%s: %s is no pair of classes", place, metric);
    json_t *copy = json_copy(*sample);
    if (!copy || json_object_set_new(copy, metric, json_integer(t * 65536 + s))) {
        json_decref(copy);
        return base_error_set(BASE_E_MEMORY, "%s: out of memory", place);
    }
    json_decref(*sample);
    *sample = copy;
    return 0;
}

static int column_from_samples(const struct eval_run *r, const char *task, const char *metric,
                               const char *filter, bool labels, struct eval_column *out)
{
    struct results_columns c = { .metric = metric, .filter = filter };
    struct eval_samples *s;
    json_t *sample;
    int rc = eval_samples_open(&s, r, task);
    if (rc)
        return rc;
    while ((rc = eval_samples_next(s, &sample)) > 0) {
        rc = labels ? code_labels(&sample, metric, eval_samples_place(s)) : 0;
        rc = rc ? rc : results_columns_add(&c, sample, eval_samples_place(s));
        json_decref(sample);
        if (rc)
            break;
    }
    const struct results_filter *f = NULL;
    for (size_t k = 0; k < c.n_filters && !f; k++)
        f = c.filters[k].n_metrics ? &c.filters[k] : NULL;
    if (rc == 0 && !f) {
        /* for the message: what there is instead, from the first record of each filter */
        struct results_columns all = { 0 };
        eval_samples_close(s);
        if ((rc = eval_samples_open(&s, r, task)) == 0)
            while (all.n_filters < 8 && (rc = eval_samples_next(s, &sample)) > 0) {
                rc = results_columns_add(&all, sample, "");
                json_decref(sample);
                if (rc)
                    break;
            }
        char *names = rc < 0 ? NULL : names_of(&all);
        rc = !names ? BASE_E_MEMORY
                    : base_error_set(BASE_E_ARGUMENT, "%s: %s has no metric %s%s%s, it has: %s",
                                     r->where, task, metric, filter ? "," : "",
                                     filter ? filter : "", *names ? names : "none");
        base_free(names);
        results_columns_free(&all);
    }
    char *place = base_format("%s: %s", r->where, task);
    if (rc == 0 && (!place || (rc = results_columns_sort(&c))))
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = results_column_take(f, &f->metrics[0], place, out);
    base_free(place);
    eval_samples_close(s);
    results_columns_free(&c);
    return rc;
}

int eval_run_column(const struct eval_run *r, const char *task, const char *metric,
                    struct eval_column *out)
{
    *out = (struct eval_column){ 0 };
    const struct run_task *t = eval_run_find_task(r, task);
    const char *filter;
    size_t n = eval_results_split_key(metric, &filter);
    if (t && t->stored)
        return eval_store_column(r->store, eval_run_id_of(r), task, metric, out);
    char *name = filter ? base_strndup(metric, n) : base_strdup(metric);
    int rc = name ? column_from_samples(r, task, name, filter, false, out) : BASE_E_MEMORY;
    base_free(name);
    return rc;
}

int eval_run_label_column(const struct eval_run *r, const char *task, const char *metric,
                          struct eval_column *out)
{
    *out = (struct eval_column){ 0 };
    const char *filter;
    size_t n = eval_results_split_key(metric, &filter);
    char *name = filter ? base_strndup(metric, n) : base_strdup(metric);
    int rc = name ? column_from_samples(r, task, name, filter, true, out) : BASE_E_MEMORY;
    out->binary = false;
    base_free(name);
    return rc;
}

/* ---- summaries ---- */

int results_interval_add(json_t *o, double value, double se, int64_t n)
{
    struct stats_interval ci;
    const char *method = NULL;
    if (n > 1 && value >= 0 && value <= 1 &&
        fabs(se * se - value * (1 - value) / (double)(n - 1)) < 1e-12) {
        if (stats_interval_wilson(rint(value * (double)n), (double)n, 0.95, &ci) == 0)
            method = "wilson";
    } else if (n > 1 && isfinite(se) && se > 0) {
        if (stats_interval_t(value, se, (double)(n - 1), 0.95, &ci) == 0)
            method = "t";
    }
    if (!method)
        return 0;
    return json_object_set_new(
               o, "ci", json_pack("[o, o]", base_json_number(ci.low), base_json_number(ci.high))) ||
                   json_object_set_new(o, "method", json_string(method))
               ? base_error_set(BASE_E_MEMORY, "out of memory for an interval")
               : 0;
}

json_t *results_column_summary(const struct eval_column *c, const char *metric, const char *filter)
{
    struct stats_ratio ratio;
    struct stats_interval ci;
    double value, se = NAN;
    if (c->weight) {
        if (c->n == 0 || stats_ratio(c->value, c->weight, c->n, &ratio))
            return json_pack("{s:n, s:i, s:s}", "value", "n", 0, "filter", filter);
        bool bits = strcmp(metric, "bits_per_byte") == 0;
        value = bits ? ratio.ratio / log(2) : exp(ratio.ratio);
        json_t *o = json_pack("{s:o, s:n, s:I, s:s}", "value", base_json_number(value), "stderr",
                              "n", (json_int_t)c->n, "filter", filter);
        if (o && c->n > 1 && stats_interval_t(ratio.ratio, ratio.se, ratio.df, 0.95, &ci) == 0) {
            double low = bits ? ci.low / log(2) : exp(ci.low);
            double high = bits ? ci.high / log(2) : exp(ci.high);
            json_object_set_new(o, "ci",
                                json_pack("[o, o]", base_json_number(low), base_json_number(high)));
            json_object_set_new(o, "method", json_string("delta"));
        }
        return o;
    }
    value = stats_mean(c->value, c->n);
    if (c->n > 1)
        se = sqrt(stats_variance(c->value, c->n) / (double)c->n);
    json_t *o = json_pack("{s:o, s:o, s:I, s:s}", "value", base_json_number(value), "stderr",
                          base_json_number(se), "n", (json_int_t)c->n, "filter", filter);
    if (o && c->n > 1 && results_interval_add(o, value, se, (int64_t)c->n)) {
        json_decref(o);
        return NULL;
    }
    return o;
}
