/* Paired tests between strategies; see runner_pairs.h. The items are the same, so it is the
 * differences item by item that are tested: McNemar's mid-p where an item is right or wrong, the
 * paired t test otherwise, Holm's adjustment over all pairs. */
#include "eval/runner_pairs.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

void eval_scores_free(struct eval_scores *s)
{
    base_free(s->doc);
    base_free(s->value);
    *s = (struct eval_scores){ 0 };
}

static bool number(const json_t *v, double *out)
{
    *out = json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
    return (json_is_boolean(v) || json_is_number(v)) && isfinite(*out);
}

/* The value of the metric that is compared; chooses it with the first sample that has one. */
static bool find_score(struct eval_scores *s, const json_t *sample, double *value)
{
    const json_t *metrics = json_object_get(sample, "metrics"), *name;
    size_t i;
    if (*s->metric)
        return number(json_object_get(sample, s->metric), value);
    json_array_foreach(metrics, i, name)
    {
        const char *text = json_string_value(name);
        if (text && strlen(text) < sizeof s->metric &&
            number(json_object_get(sample, text), value)) {
            strcpy(s->metric, text);
            return true;
        }
    }
    return false;
}

int eval_scores_add(struct eval_scores *s, const json_t *sample)
{
    double value;
    uint64_t doc = (uint64_t)json_integer_value(json_object_get(sample, "doc_id"));
    if ((s->n > 0 && s->doc[s->n - 1] == doc) || !find_score(s, sample, &value))
        return 0;
    if (s->n == s->capacity) {
        size_t capacity = s->capacity * 2 + 256;
        uint64_t *docs = base_realloc(s->doc, capacity, sizeof *docs);
        if (!docs)
            return BASE_E_MEMORY;
        s->doc = docs;
        double *values = base_realloc(s->value, capacity, sizeof *values);
        if (!values)
            return BASE_E_MEMORY;
        s->value = values;
        s->capacity = capacity;
    }
    s->doc[s->n] = doc;
    s->value[s->n++] = value;
    return 0;
}

/* The scores of the items that both have: x, y [min(a->n, b->n)]. */
static size_t match(const struct eval_scores *a, const struct eval_scores *b, double *x, double *y)
{
    size_t n = 0;
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        if (a->doc[i] < b->doc[j]) {
            i++;
        } else if (a->doc[i] > b->doc[j]) {
            j++;
        } else {
            x[n] = a->value[i++];
            y[n++] = b->value[j++];
        }
    }
    return n;
}

/* {"reason"} of the last error. */
static int give_reason(json_t *pair)
{
    json_object_set_new(pair, "reason", json_string(base_error_message()));
    return 0;
}

static int test_pair(const struct eval_scores *a, const struct eval_scores *b, double level,
                     double *x, double *y, json_t *pair, double *p)
{
    struct stats_paired paired;
    size_t n = match(a, b, x, y);
    *p = NAN;
    json_object_set_new(pair, "n", json_integer((json_int_t)n));
    json_object_set_new(pair, "metric", json_string(a->metric));
    if (strcmp(a->metric, b->metric) != 0) {
        base_error_set(BASE_E_ARGUMENT, "one is scored by \"%s\", the other by \"%s\"", a->metric,
                       b->metric);
        return give_reason(pair);
    }
    /* difference = b - a: positive where the second strategy is better */
    if (stats_paired(y, x, n, NULL, 0, level, &paired))
        return give_reason(pair);
    struct stats_interval ci = paired.binary ? paired.newcombe : paired.interval;
    json_object_set_new(pair, "mean_a", base_json_number(paired.mean_b));
    json_object_set_new(pair, "mean_b", base_json_number(paired.mean_a));
    json_object_set_new(pair, "difference", base_json_number(paired.difference));
    json_object_set_new(pair, "level", json_real(level));
    json_object_set_new(pair, "stderr", base_json_number(paired.se));
    json_object_set_new(pair, "ci",
                        json_pack("[o, o]", base_json_number(ci.low), base_json_number(ci.high)));
    *p = paired.p;
    if (paired.binary) {
        struct stats_mcnemar m;
        int rc = stats_mcnemar(paired.c, paired.b, level, &m);
        if (rc)
            return rc;
        *p = m.midp;
        json_object_set_new(pair, "mcnemar",
                            json_pack("{s:I, s:I, s:o, s:o}", "b", (json_int_t)paired.c, "c",
                                      (json_int_t)paired.b, "exact", base_json_number(m.exact),
                                      "midp", base_json_number(m.midp)));
    }
    json_object_set_new(pair, "test", json_string(paired.binary ? "mcnemar mid-p" : "paired t"));
    json_object_set_new(pair, "p", base_json_number(*p));
    return 0;
}

/* Holm over the pairs that have a p-value. */
static int adjust(json_t *pairs, const double *p, size_t n)
{
    double *held = base_alloc(n, sizeof *held);
    size_t count = 0, i;
    if (!held)
        return BASE_E_MEMORY;
    for (i = 0; i < n; i++)
        if (isfinite(p[i]))
            held[count++] = p[i];
    int rc = count ? stats_adjust(STATS_HOLM, held, count, held) : 0;
    for (i = count = 0; rc == 0 && i < n; i++)
        if (isfinite(p[i]))
            json_object_set_new(json_array_get(pairs, i), "p_adjusted",
                                base_json_number(held[count++]));
    base_free(held);
    return rc;
}

int eval_scores_compare(const struct eval_scores *scores, const char *const *names, size_t k,
                        double level, json_t **out)
{
    size_t most = 1, n = 0;
    for (size_t i = 0; i < k; i++)
        most = scores[i].n > most ? scores[i].n : most;
    json_t *pairs = json_array();
    double *x = base_alloc(most, sizeof *x), *y = base_alloc(most, sizeof *y),
           *p = base_alloc(k * k + 1, sizeof *p);
    int rc = pairs && x && y && p ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < k; i++)
        for (size_t j = i + 1; rc == 0 && j < k; j++) {
            json_t *pair = json_pack("{s:s, s:s}", "a", names[i], "b", names[j]);
            rc = pair ? test_pair(&scores[i], &scores[j], level, x, y, pair, &p[n++])
                      : BASE_E_MEMORY;
            json_array_append_new(pairs, pair);
        }
    if (rc == 0)
        rc = adjust(pairs, p, n);
    base_free(x);
    base_free(y);
    base_free(p);
    if (rc)
        json_decref(pairs);
    *out = rc ? NULL : pairs;
    return rc;
}
