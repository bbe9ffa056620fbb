/* Tallies: sample records in, metrics out. Records may come as they are judged or from a file of an
 * earlier run (lm-eval's files too: without our part there are no clusters and categories). */
#include "eval/tally.h"
#include "eval/judge_corpus.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

struct eval_tally {
    const struct eval_task *task; /* borrowed */
    struct tally_rules rules;
    struct tally_numbers *numbers; /* [n_filters][n_metrics] */
    struct tally_labels *labels;   /* [n_filters] */
    struct base_table *clusters, *categories;
    json_t *category_names;  /* list */
    size_t *items, *skipped; /* [n_filters] */
};

int eval_tally_new(struct eval_tally **out, const struct eval_task *t, double level, uint64_t seed)
{
    struct eval_tally *y = base_alloc_zero(1, sizeof *y);
    if (!y)
        return BASE_E_MEMORY;
    if (!(level > 0 && level < 1)) {
        base_free(y);
        return base_error_set(BASE_E_ARGUMENT, "confidence level %g is not between 0 and 1", level);
    }
    y->task = t;
    y->rules = (struct tally_rules){ level, seed, task_field_set(&t->cluster) };
    size_t n = t->n_filters * t->n_metrics;
    y->numbers = base_alloc_zero(n ? n : 1, sizeof *y->numbers);
    y->labels = base_alloc_zero(t->n_filters, sizeof *y->labels);
    y->items = base_alloc_zero(t->n_filters, sizeof *y->items);
    y->skipped = base_alloc_zero(t->n_filters, sizeof *y->skipped);
    y->category_names = json_array();
    int rc = base_table_new(&y->clusters, 64);
    rc = rc ? rc : base_table_new(&y->categories, 16);
    if (rc || !y->numbers || !y->labels || !y->items || !y->skipped || !y->category_names) {
        eval_tally_free(y);
        return BASE_E_MEMORY;
    }
    *out = y;
    return 0;
}

void eval_tally_free(struct eval_tally *y)
{
    if (!y)
        return;
    for (size_t i = 0; y->numbers && i < y->task->n_filters * y->task->n_metrics; i++) {
        base_free(y->numbers[i].a);
        base_free(y->numbers[i].b);
        base_free(y->numbers[i].unit);
        base_free(y->numbers[i].category);
        base_free(y->numbers[i].counts);
    }
    for (size_t i = 0; y->labels && i < y->task->n_filters; i++) {
        struct tally_labels *l = &y->labels[i];
        base_free(l->gold);
        base_free(l->predicted);
        base_free(l->first);
        base_free(l->classes);
        base_free(l->unit);
        base_free(l->category);
        base_free(l->probabilities);
    }
    base_free(y->numbers);
    base_free(y->labels);
    base_free(y->items);
    base_free(y->skipped);
    base_table_free(y->clusters);
    base_table_free(y->categories);
    json_decref(y->category_names);
    base_free(y);
}

/* Grows each of the n arrays (of 8-byte elements) to hold one more than `used`. */
static int grow(size_t used, size_t *room, void **arrays[], size_t n)
{
    if (used < *room)
        return 0;
    size_t wanted = *room ? 2 * *room : 64;
    for (size_t i = 0; i < n; i++) {
        void *more = base_realloc(*arrays[i], wanted, sizeof(uint64_t));
        if (!more)
            return BASE_E_MEMORY;
        *arrays[i] = more;
    }
    *room = wanted;
    return 0;
}

static int add_number(struct tally_numbers *s, double a, double b, size_t unit, size_t category)
{
    void **arrays[] = { (void **)&s->a, (void **)&s->b, (void **)&s->unit, (void **)&s->category };
    int rc = grow(s->n, &s->room, arrays, 4);
    if (rc)
        return rc;
    s->a[s->n] = a;
    s->b[s->n] = b;
    s->unit[s->n] = unit;
    s->category[s->n++] = category;
    return 0;
}

/* An item of a corpus metric: its counts. value: [reference or references, response]. */
static int add_counts(struct tally_numbers *s, const struct task_metric *m, const json_t *value,
                      size_t unit, size_t category)
{
    const char *response = json_string_value(json_array_get(value, 1));
    size_t cells;
    if (!value)
        return 0;
    if (json_array_size(value) != 2 || !response)
        return base_error_set(BASE_E_FORMAT, "%s: expected [references, response]", m->name);
    s->width = eval_corpus_width(m->base);
    int rc = base_mul_size(s->n + 64, s->width, &cells);
    if (rc == 0 && s->n == s->room) { /* the other arrays grow now, and this one as far */
        size_t room = s->room ? 2 * s->room : 64;
        double *more = base_realloc(s->counts, room * s->width, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        s->counts = more;
    }
    rc = rc ? rc
            : eval_corpus_counts(m->base, response, json_array_get(value, 0),
                                 s->counts + s->n * s->width);
    return rc ? rc : add_number(s, 0, 0, unit, category);
}

static int add_label(struct tally_labels *s, size_t gold, size_t predicted, const double *p,
                     size_t classes, size_t unit, size_t category)
{
    void **arrays[] = { (void **)&s->gold,    (void **)&s->predicted, (void **)&s->first,
                        (void **)&s->classes, (void **)&s->unit,      (void **)&s->category };
    int rc = grow(s->n, &s->room, arrays, 6);
    while (rc == 0 && s->n_probabilities + classes > s->room_probabilities) {
        size_t room = s->room_probabilities ? 2 * s->room_probabilities : 256;
        double *more = base_realloc(s->probabilities, room, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        s->probabilities = more;
        s->room_probabilities = room;
    }
    if (rc)
        return rc;
    s->gold[s->n] = gold;
    s->predicted[s->n] = predicted;
    s->first[s->n] = s->n_probabilities;
    s->classes[s->n] = classes;
    s->unit[s->n] = unit;
    s->category[s->n++] = category;
    if (classes)
        memcpy(s->probabilities + s->n_probabilities, p, classes * sizeof *p);
    s->n_probabilities += classes;
    return 0;
}

/* The number of a name in a table, a new one if it is not there. */
static int number_of(struct base_table *t, const char *name, size_t *out, bool *is_new)
{
    const int64_t *known = base_table_get(t, name, strlen(name));
    *is_new = known == NULL;
    *out = known ? (size_t)*known : base_table_count(t);
    return known ? 0 : base_table_put(t, name, strlen(name), (int64_t)*out);
}

/* Right and predicted class and the probabilities, from our part of the record or from lm-eval's
 * passed-through metrics: brier_score is (right, probabilities), f1 and mcc (right, predicted). */
static int collect_labels(struct tally_labels *s, const json_t *sample, size_t unit,
                          size_t category)
{
    static const char *const pairs[] = { "brier_score", "ece", "f1", "mcc" };
    const json_t *own = json_object_get(sample, "assay"), *gold = json_object_get(own, "gold");
    const json_t *list = json_object_get(own, "logprobs"), *predicted = NULL;
    size_t n = (size_t)json_integer_value(json_object_get(own, "choices"));
    bool logs = n > 0 && json_array_size(list) >= n;
    predicted = json_object_get(own, "prediction");
    for (size_t i = 0; !own && i < 4; i++) {
        const json_t *pair = json_object_get(sample, pairs[i]);
        const json_t *second = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !json_is_integer(json_array_get(pair, 0)))
            continue;
        gold = json_array_get(pair, 0);
        if (json_is_array(second)) {
            list = second;
            n = json_array_size(second);
        } else {
            predicted = second;
        }
    }
    if (own && !logs)
        n = 0;
    if (!json_is_integer(gold) || json_integer_value(gold) < 0 || json_integer_value(gold) > 65535)
        return 0;
    double *p = base_alloc(n, sizeof *p), top = -INFINITY, sum = 0;
    size_t best = 0;
    if (!p)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        p[i] = json_number_value(json_array_get(list, i));
        best = p[i] > p[best] ? i : best;
        top = p[i] > top ? p[i] : top;
    }
    for (size_t i = 0; logs && i < n; i++)
        sum += p[i] = exp(p[i] - top);
    for (size_t i = 0; logs && i < n; i++)
        p[i] /= sum;
    if (json_is_integer(predicted) && json_integer_value(predicted) >= 0 &&
        json_integer_value(predicted) <= 65535)
        best = (size_t)json_integer_value(predicted);
    int rc = n == 0 && !json_is_integer(predicted)
                 ? 0
                 : add_label(s, (size_t)json_integer_value(gold), best, p, n, unit, category);
    base_free(p);
    return rc;
}

int eval_tally_add(struct eval_tally *y, const json_t *sample)
{
    const struct eval_task *t = y->task;
    const char *filter = json_string_value(json_object_get(sample, "filter"));
    size_t f = 0, unit, category = SIZE_MAX - 1;
    bool is_new;
    while (f < t->n_filters && filter && strcmp(t->filters[f].name, filter) != 0)
        f++;
    if (f == t->n_filters)
        return base_error_set(BASE_E_FORMAT,
                              "%s: a sample was filtered by \"%s\", which the task "
                              "does not have",
                              t->name, filter);
    const json_t *own = json_object_get(sample, "assay");
    y->items[f]++;
    if (json_is_true(json_object_get(own, "skipped"))) {
        y->skipped[f]++;
        return 0;
    }
    const char *cluster = json_string_value(json_object_get(own, "cluster"));
    const char *name = json_string_value(json_object_get(own, "category"));
    int rc = 0;
    unit = y->items[f] - 1;
    if (y->rules.clustered && !cluster)
        y->rules.clustered = false; /* an item without one: no clusters at all */
    if (cluster)
        rc = number_of(y->clusters, cluster, &unit, &is_new);
    if (rc == 0 && name) {
        rc = number_of(y->categories, name, &category, &is_new);
        if (rc == 0 && is_new)
            json_array_append_new(y->category_names, json_string(name));
    }
    for (size_t i = 0; rc == 0 && i < t->n_metrics; i++) {
        const struct task_metric *m = &t->metrics[i];
        const json_t *value = json_object_get(sample, m->name);
        if (m->kind == TASK_METRIC_LABELS || m->kind == TASK_METRIC_PROBABILITIES)
            continue;
        if (m->kind == TASK_METRIC_CORPUS) {
            rc = add_counts(&y->numbers[f * t->n_metrics + i], m, value, unit, category);
            continue;
        }
        const json_t *a = json_is_array(value) ? json_array_get(value, 0) : value;
        const json_t *b = json_is_array(value) ? json_array_get(value, 1) : NULL;
        if (json_is_boolean(a))
            rc = add_number(&y->numbers[f * t->n_metrics + i], json_is_true(a), 1, unit, category);
        else if (json_is_number(a))
            rc = add_number(&y->numbers[f * t->n_metrics + i], json_number_value(a),
                            json_is_number(b) ? json_number_value(b) : 1, unit, category);
    }
    return rc ? rc : collect_labels(&y->labels[f], sample, unit, category);
}

static int add_metrics(const struct eval_tally *y, size_t f, size_t category, json_t *out)
{
    const struct eval_task *t = y->task;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->n_metrics; i++) {
        const struct task_metric *m = &t->metrics[i];
        bool classes = m->kind == TASK_METRIC_LABELS || m->kind == TASK_METRIC_PROBABILITIES;
        json_t *one = NULL;
        rc = classes ? tally_labels_metric(m, &y->labels[f], category, &y->rules, &one)
                     : tally_numbers_metric(m, &y->numbers[f * t->n_metrics + i], category,
                                            &y->rules, &one);
        if (rc)
            break;
        json_object_set_new(one, "filter", json_string(t->filters[f].name));
        char *name = f ? base_format("%s,%s", m->name, t->filters[f].name) : base_strdup(m->name);
        rc = name && json_object_set(out, name, one) == 0 ? 0 : BASE_E_MEMORY;
        json_decref(one);
        base_free(name);
    }
    return rc;
}

int eval_tally_finish(struct eval_tally *y, json_t **results)
{
    const struct eval_task *t = y->task;
    json_t *out = json_object(), *by = json_object();
    int rc = out && by ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    for (size_t f = 0; rc == 0 && f < t->n_filters; f++)
        rc = add_metrics(y, f, SIZE_MAX, out);
    size_t n = json_array_size(y->category_names);
    for (size_t c = 0; rc == 0 && c < n; c++) {
        json_t *group = json_object();
        for (size_t f = 0; rc == 0 && f < t->n_filters; f++)
            rc = add_metrics(y, f, c, group);
        json_object_set_new(by, json_string_value(json_array_get(y->category_names, c)), group);
    }
    if (rc == 0) {
        json_object_set_new(out, "n", json_integer((json_int_t)y->items[0]));
        json_object_set_new(out, "skipped", json_integer((json_int_t)y->skipped[0]));
        if (n)
            json_object_set(out, "by_category", by);
        bool calibrated = t->output == EVAL_OUTPUT_CLASSIFICATION;
        for (size_t i = 0; i < t->n_metrics; i++)
            calibrated = calibrated || t->metrics[i].kind == TASK_METRIC_PROBABILITIES;
        if (t->output == EVAL_OUTPUT_CLASSIFICATION && y->labels[0].n)
            json_object_set_new(out, "confusion", tally_confusion(&y->labels[0], t->labels));
        if (calibrated && y->labels[0].n)
            json_object_set_new(out, "calibration", tally_calibration(&y->labels[0]));
    }
    json_decref(by);
    if (rc) {
        json_decref(out);
        return rc;
    }
    *results = out;
    return 0;
}
