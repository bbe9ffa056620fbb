/* Results by category: stated on the command line, from record files, item by item or a row per
 * category. */
#include "base/memory.h"
#include "base/text.h"
#include "eval/fields.h"
#include <assay/data.h>
#include <assay/mix.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const category_names[] = { "category", "doc.category", "subject", NULL };
static const char *const score_names[] = { "score", "acc", "exact_match", "correct", NULL };
static const char *const mean_names[] = { "p", "mean", "accuracy", NULL };
static const char *const count_names[] = { "n", "items", NULL };
static const char *const id_names[] = { "doc_hash", "id", "doc_id", NULL };

void eval_mix_model_free(struct eval_mix_model *m)
{
    for (size_t k = 0; k < m->n; k++) {
        struct eval_mix_category *c = &m->categories[k];
        for (size_t i = 0; c->ids && i < (size_t)c->n; i++)
            base_free(c->ids[i]);
        base_free(c->ids);
        base_free(c->scores);
        base_free(c->name);
    }
    base_free(m->categories);
    base_free(m->name);
    *m = (struct eval_mix_model){ 0 };
}

/* The category of that name, made when it is new; NULL when memory is out. */
static struct eval_mix_category *category_of(struct eval_mix_model *m, const char *name,
                                             size_t bytes, bool *made)
{
    *made = false;
    for (size_t k = 0; k < m->n; k++)
        if (strlen(m->categories[k].name) == bytes &&
            memcmp(m->categories[k].name, name, bytes) == 0)
            return &m->categories[k];
    if (m->n == m->room) {
        size_t room = m->room * 2 + 8;
        struct eval_mix_category *more = base_realloc(m->categories, room, sizeof *more);
        if (!more)
            return NULL;
        m->categories = more;
        m->room = room;
    }
    char *copy = base_strndup(name, bytes);
    if (!copy)
        return NULL;
    *made = true;
    m->categories[m->n] = (struct eval_mix_category){ .name = copy };
    return &m->categories[m->n++];
}

static int stated(struct eval_mix_model *m, const char *name, size_t bytes, double mean, double n,
                  const char *where)
{
    bool made;
    if (!(mean >= 0 && mean <= 1))
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: a performance is 0 to 1 (or 0%% to 100%%), not %g", where, mean);
    if (!(n >= 0 && n <= 1e15) || n != floor(n))
        return base_error_set(BASE_E_ARGUMENT, "%s: %g is no number of items", where, n);
    struct eval_mix_category *c = category_of(m, name, bytes, &made);
    if (!c)
        return BASE_E_MEMORY;
    if (!made)
        return base_error_set(BASE_E_ARGUMENT, "%s: category \"%s\" is there twice", where,
                              c->name);
    c->mean = mean;
    c->n = n;
    return 0;
}

int eval_mix_state(struct eval_mix_model *m, const char *text)
{
    const char *equal = strrchr(text, '='), *colon = equal ? strchr(equal, ':') : NULL;
    char number[64];
    double mean = 0, n = 0;
    size_t bytes = equal ? (colon ? (size_t)(colon - equal) - 1 : strlen(equal + 1)) : 0;
    if (!equal || equal == text || bytes == 0 || bytes >= sizeof number)
        return base_error_set(BASE_E_ARGUMENT, "\"%s\": expected NAME=P or NAME=P:ITEMS", text);
    memcpy(number, equal + 1, bytes);
    number[bytes] = 0;
    bool percent = number[bytes - 1] == '%';
    if (percent)
        number[bytes - 1] = 0;
    int rc = base_parse_double(number, text, &mean);
    if (rc == 0 && colon)
        rc = base_parse_double(colon + 1, text, &n);
    return rc ? rc : stated(m, text, (size_t)(equal - text), percent ? mean / 100 : mean, n, text);
}

/* Rows are kept in blocks of doubling size: the room for n items is the next power of two. */
int eval_mix_add(struct eval_mix_model *m, const char *category, double score, const char *id)
{
    bool made;
    if (!isfinite(score))
        return base_error_set(BASE_E_NUMERIC, "category \"%s\": a score is not a number", category);
    struct eval_mix_category *c = category_of(m, category, strlen(category), &made);
    if (!c)
        return BASE_E_MEMORY;
    size_t n = (size_t)c->n;
    if (!made && !c->scores)
        return base_error_set(BASE_E_ARGUMENT, "category \"%s\" is both stated and measured",
                              category);
    if (n == 0 || (n >= 8 && (n & (n - 1)) == 0)) {
        size_t room = n ? 2 * n : 8;
        double *scores = base_realloc(c->scores, room, sizeof *scores);
        if (!scores)
            return BASE_E_MEMORY;
        c->scores = scores;
        char **ids = base_realloc(c->ids, room, sizeof *ids);
        if (!ids)
            return BASE_E_MEMORY;
        c->ids = ids;
    }
    c->ids[n] = id ? base_strdup(id) : NULL;
    if (id && !c->ids[n])
        return BASE_E_MEMORY;
    c->scores[n] = score;
    c->n += 1;
    return 0;
}

int eval_mix_finish(struct eval_mix_model *m)
{
    m->items = m->n > 0;
    for (size_t k = 0; k < m->n; k++) {
        struct eval_mix_category *c = &m->categories[k];
        size_t n = (size_t)c->n;
        bool all_ids = c->ids != NULL;
        if (!c->scores) {
            m->items = false;
            c->variance = n > 1 ? c->mean * (1 - c->mean) * c->n / (c->n - 1) : NAN;
            continue;
        }
        c->mean = stats_mean(c->scores, n);
        c->variance = stats_variance(c->scores, n);
        for (size_t i = 0; i < n; i++)
            all_ids = all_ids && c->ids[i];
        if (!all_ids) {
            for (size_t i = 0; i < n; i++)
                base_free(c->ids[i]);
            base_free(c->ids);
            c->ids = NULL;
        }
    }
    return m->n ? 0 : base_error_set(BASE_E_ARGUMENT, "there are no categories");
}

/* ---- files ---- */

static int row_read(struct eval_mix_model *m, const json_t *row, const char *where,
                    const struct eval_mix_keys *k, const char *mean, const char *count)
{
    char *category = NULL, *id = NULL;
    double value = 0, n = 0;
    int rc = eval_field_fill(row, k->category, where, &category);
    if (rc == 0)
        rc = eval_field_number(row, k->score ? k->score : mean, where, &value);
    if (rc == 0 && k->score && k->id)
        rc = eval_field_text(row, k->id, where, &id);
    if (rc == 0 && !k->score && count)
        rc = eval_field_number(row, count, where, &n);
    if (rc == 0)
        rc = k->score ? eval_mix_add(m, category, value, id)
                      : stated(m, category, strlen(category), value, n, where);
    base_free(category);
    base_free(id);
    return rc;
}

int eval_mix_read_row(struct eval_mix_model *m, const json_t *row, const char *where,
                      struct eval_mix_keys *k)
{
    if (!k->category)
        k->category = eval_field_first(row, category_names);
    if (!k->score)
        k->score = eval_field_first(row, score_names);
    if (!k->id)
        k->id = eval_field_first(row, id_names);
    const char *mean = k->score ? NULL : eval_field_first(row, mean_names);
    const char *count = k->score ? NULL : eval_field_first(row, count_names);
    if (!k->category)
        return base_error_set(BASE_E_FORMAT,
                              "%s: no category: say which key holds it with --category (usual "
                              "names: category, subject)",
                              where);
    if (!k->score && !mean)
        return base_error_set(BASE_E_FORMAT,
                              "%s: no score: say which key holds it with --score (usual names: "
                              "score, acc, exact_match, correct; p and n for a row per category)",
                              where);
    return row_read(m, row, where, k, mean, count);
}

int eval_mix_read(struct eval_mix_model *m, const char *path, const struct eval_mix_keys *keys)
{
    struct data_records *records = NULL;
    struct eval_mix_keys k = *keys;
    char filter[128] = "";
    json_t *row = NULL;
    const struct data_records_options options = { .field = k.records };
    int rc = data_records_open(&records, path, &options);
    while (rc == 0 && (rc = data_records_next(records, &row)) > 0) {
        /* a samples file has a record per filter: the first filter's are taken */
        const char *name = json_string_value(json_object_get(row, "filter"));
        if (name && !*filter)
            snprintf(filter, sizeof filter, "%s", name);
        rc = name && strcmp(name, filter) != 0
                 ? 0
                 : eval_mix_read_row(m, row, data_records_place(records), &k);
        json_decref(row);
    }
    data_records_close(records);
    if (rc == 0 && m->n == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: there are no records", path);
    return rc;
}
