/* Which tasks and metrics runs share, which items, and the corrections over all tests; one pair's
 * statistics are in compare_runs_pair.c.
 *
 * Matching walks all runs' columns, which are in the order of hashes, at once: the smallest hash
 * that not all have is some run's unmatched item. Values move to the front of their columns, so a
 * task costs its columns' memory and nothing more. */
#include "base/hash.h"
#include "base/memory.h"
#include "eval/compare_runs.h"
#include "eval/results_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- matching ---- */

static int by_number(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return a < b ? -1 : a > b;
}

static int note_unmatched(struct eval_runs_unmatched *u, size_t room, uint32_t doc)
{
    if (!u->doc && !(u->doc = base_alloc(room, sizeof *u->doc)))
        return BASE_E_MEMORY;
    u->doc[u->count++] = doc;
    return 0;
}

static void keep_listed(struct eval_runs_unmatched *u)
{
    if (!u->count)
        return;
    qsort(u->doc, u->count, sizeof *u->doc, by_number);
    u->listed = u->count < EVAL_RUNS_LISTED ? u->count : EVAL_RUNS_LISTED;
    uint32_t *less = base_realloc(u->doc, u->listed, sizeof *less);
    u->doc = less ? less : u->doc;
}

/* Moves the values of items that all k columns have to their fronts; *n of them. */
static int match(struct eval_column *columns, size_t k, struct eval_runs_unmatched *unmatched,
                 size_t *n)
{
    size_t *at = base_alloc_zero(k, sizeof *at), done = 0;
    int rc = at ? 0 : BASE_E_MEMORY;
    *n = 0;
    while (rc == 0 && done == 0) {
        size_t smallest = k;
        bool same = true;
        for (size_t r = 0; r < k; r++) {
            if (at[r] == columns[r].n) {
                done++;
                continue;
            }
            int order = smallest == k ? -1
                                      : memcmp(columns[r].hash[at[r]],
                                               columns[smallest].hash[at[smallest]], 16);
            same &= smallest == k || order == 0;
            if (order < 0)
                smallest = r;
        }
        if (done)
            break;
        if (same) {
            for (size_t r = 0; r < k; r++) {
                columns[r].value[*n] = columns[r].value[at[r]];
                if (columns[r].cluster)
                    columns[r].cluster[*n] = columns[r].cluster[at[r]];
                if (columns[r].weight)
                    columns[r].weight[*n] = columns[r].weight[at[r]];
                at[r]++;
            }
            ++*n;
        } else {
            rc = note_unmatched(&unmatched[smallest], columns[smallest].n,
                                columns[smallest].doc[at[smallest]]);
            at[smallest]++;
        }
    }
    for (size_t r = 0; r < k && rc == 0; r++) {
        while (at[r] < columns[r].n && rc == 0)
            rc = note_unmatched(&unmatched[r], columns[r].n, columns[r].doc[at[r]++]);
        if (rc == 0)
            keep_listed(&unmatched[r]);
    }
    base_free(at);
    return rc;
}

/* Gives the n clusters numbers from 0 in the order they come; how many there are. */
static int number_clusters(uint32_t *cluster, size_t n, size_t *count)
{
    struct base_table *table = NULL;
    int rc = base_table_new(&table, 64);
    *count = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        const char *key = (const char *)&cluster[i];
        const int64_t *known = base_table_get(table, key, sizeof *cluster);
        if (!known && (rc = base_table_put(table, key, sizeof *cluster, (int64_t)*count)))
            break;
        cluster[i] = known ? (uint32_t)*known : (uint32_t)(*count)++;
    }
    base_table_free(table);
    return rc;
}

/* ---- one task ---- */

struct comparing {
    const struct eval_run *const *runs;
    size_t n_runs;
    const struct eval_runs_options *options;
    struct eval_column *columns; /* [n_runs] */
    bool labels;                 /* they hold codes of classes */
};

static void free_columns(struct comparing *c)
{
    for (size_t r = 0; r < c->n_runs; r++)
        eval_column_free(&c->columns[r]);
}

/* True for errors that are about this metric or task, so that the others can go on. */
static bool about_task(int rc)
{
    return rc == BASE_E_ARGUMENT || rc == BASE_E_UNSUPPORTED || rc == BASE_E_NUMERIC;
}

static int load_columns(struct comparing *c, const char *task, const char *metric)
{
    int rc = 0;
    c->labels = false;
    for (size_t r = 0; r < c->n_runs && rc == 0; r++)
        rc = eval_run_column(c->runs[r], task, metric, &c->columns[r]);
    if (rc)
        free_columns(c);
    return rc;
}

/* Of a class metric: the pairs of classes. */
static int load_labels(struct comparing *c, const char *task, const char *metric)
{
    int rc = 0;
    for (size_t r = 0; r < c->n_runs && rc == 0; r++)
        rc = eval_run_label_column(c->runs[r], task, metric, &c->columns[r]);
    c->labels = rc == 0;
    if (rc)
        free_columns(c);
    return rc;
}

/* Loads the columns of the metric to compare by: that of the options, or the first of the first
 * run's results that all runs have numbers of. *metric: new string. */
static int choose_metric(struct comparing *c, const char *task, char **metric)
{
    const char *key;
    json_t *m, *metrics = json_object_get(eval_run_results(c->runs[0]), task);
    int rc = 0;
    char *first = NULL; /* the first reason why not */
    *metric = NULL;
    if (c->options->metric) {
        rc = load_columns(c, task, c->options->metric);
        if (about_task(rc) && eval_runs_is_label_metric(c->options->metric))
            rc = load_labels(c, task, c->options->metric);
        if (rc == 0 && !(*metric = base_strdup(c->options->metric)))
            rc = BASE_E_MEMORY;
        return rc;
    }
    json_object_foreach(metrics, key, m)
    {
        if (!json_object_get(m, "value"))
            continue;
        rc = load_columns(c, task, key);
        if (rc == 0) {
            if (!(*metric = base_strdup(key)))
                rc = BASE_E_MEMORY;
            break;
        }
        if (!about_task(rc))
            break;
        if (!first)
            first = base_strdup(base_error_message());
    }
    if (rc == 0 && !*metric)
        rc = base_error_set(BASE_E_ARGUMENT, "%s has no metrics", task);
    else if (about_task(rc) && first)
        rc = base_error_set(rc, "%s", first);
    base_free(first);
    return rc;
}

static int choose_scale(const struct comparing *c, struct eval_runs_task *t)
{
    const char *filter;
    size_t weighted = 0, binary = 0, n = eval_results_split_key(t->metric, &filter);
    for (size_t r = 0; r < c->n_runs; r++) {
        weighted += c->columns[r].weight != NULL;
        binary += c->columns[r].binary;
    }
    if (weighted && weighted < c->n_runs)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s is a ratio of sums in one run and a plain number in another",
                              t->metric);
    n = filter ? n : strlen(t->metric);
    bool bits = n == strlen("bits_per_byte") && strncmp(t->metric, "bits_per_byte", n) == 0;
    t->scale = c->labels             ? EVAL_RUNS_LABELS
               : weighted && bits    ? EVAL_RUNS_RATIO
               : weighted            ? EVAL_RUNS_LOG_RATIO
               : binary == c->n_runs ? EVAL_RUNS_BINARY
                                     : EVAL_RUNS_NUMBER;
    return 0;
}

static bool better_when_higher(const struct eval_run *r, const char *task, const char *metric)
{
    const json_t *m = json_object_get(json_object_get(eval_run_results(r), task), metric);
    const json_t *said = json_object_get(m, "higher_is_better");
    if (json_is_boolean(said))
        return json_is_true(said);
    const char *filter;
    size_t n = eval_results_split_key(metric, &filter);
    char *name = filter ? base_strndup(metric, n) : base_strdup(metric);
    bool higher =
        !name || eval_results_higher_is_better(
                     json_object_get(json_object_get(eval_run_config(r), "tasks"), task), name);
    base_free(name);
    return higher;
}

static int compare_pairs(struct comparing *c, struct eval_runs_task *t)
{
    size_t k = 0, clusters = 0;
    uint32_t *cluster = NULL; /* those of the first run that has some */
    for (size_t r = 0; r < c->n_runs && !cluster; r++)
        cluster = c->columns[r].cluster;
    if (cluster) {
        int rc = number_clusters(cluster, t->n, &clusters);
        if (rc)
            return rc;
    }
    if (!(t->pairs = base_alloc_zero(c->n_runs * (c->n_runs - 1) / 2, sizeof *t->pairs)))
        return BASE_E_MEMORY;
    for (size_t a = 0; a < c->n_runs; a++)
        for (size_t b = a + 1; b < c->n_runs; b++, k++) {
            struct eval_runs_scores s = {
                .a = c->columns[a].value,
                .b = c->columns[b].value,
                .weight_a = c->columns[a].weight,
                .weight_b = c->columns[b].weight,
                .cluster = cluster,
                .clusters = clusters,
                .n = t->n,
                .scale = t->scale,
                .metric = t->metric,
            };
            t->pairs[k].a = a;
            t->pairs[k].b = b;
            int rc = eval_runs_pair_compare(&s, c->options, &t->pairs[k]);
            if (rc)
                return rc;
        }
    t->n_pairs = k;
    return 0;
}

static int cochran(struct comparing *c, struct eval_runs_task *t)
{
    if (c->n_runs < 3 || t->scale != EVAL_RUNS_BINARY)
        return 0;
    size_t cells;
    double *x = base_mul_size(t->n, c->n_runs, &cells) ? NULL : base_alloc(cells, sizeof *x);
    if (!x)
        return base_error_set(BASE_E_MEMORY, "out of memory for Cochran's Q");
    for (size_t i = 0; i < t->n; i++)
        for (size_t r = 0; r < c->n_runs; r++)
            x[i * c->n_runs + r] = c->columns[r].value[i];
    int rc = stats_cochran_q(x, t->n, c->n_runs, &t->cochran);
    t->has_cochran = rc == 0;
    base_free(x);
    return rc;
}

static int compare_task(struct comparing *c, struct eval_runs_task *t)
{
    int rc;
    for (size_t r = 0; r < c->n_runs; r++)
        if (!json_object_get(eval_run_results(c->runs[r]), t->name))
            return base_error_set(BASE_E_ARGUMENT, "run %c (%s) has no task of that name",
                                  (int)('A' + r % 26), eval_run_name(c->runs[r]));
    if (!(t->unmatched = base_alloc_zero(c->n_runs, sizeof *t->unmatched)))
        return BASE_E_MEMORY;
    if ((rc = choose_metric(c, t->name, &t->metric)) || (rc = choose_scale(c, t)) ||
        (rc = match(c->columns, c->n_runs, t->unmatched, &t->n)))
        return rc;
    t->higher_is_better = better_when_higher(c->runs[0], t->name, t->metric);
    if (t->n == 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "the runs have no document in common (%zu in the first, %zu in the "
                              "second): they were made on different data",
                              t->unmatched[0].count, t->unmatched[1].count);
    if ((rc = compare_pairs(c, t)))
        return rc;
    return cochran(c, t);
}

/* ---- all tasks ---- */

static bool wanted(const struct eval_runs_options *o, const char *task)
{
    for (size_t i = 0; i < o->n_tasks; i++)
        if (strcmp(o->tasks[i], task) == 0)
            return true;
    return o->n_tasks == 0;
}

static int add_task(struct eval_runs_comparison *out, const char *name)
{
    for (size_t i = 0; i < out->n_tasks; i++)
        if (strcmp(out->tasks[i].name, name) == 0)
            return 0;
    struct eval_runs_task *grown = base_realloc(out->tasks, out->n_tasks + 1, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    out->tasks = grown;
    grown[out->n_tasks] = (struct eval_runs_task){ .name = base_strdup(name) };
    if (!grown[out->n_tasks].name)
        return BASE_E_MEMORY;
    out->n_tasks++;
    return 0;
}

/* The tasks of any run, and those asked for, in that order. */
static int list_tasks(struct comparing *c, struct eval_runs_comparison *out)
{
    int rc = 0;
    for (size_t r = 0; r < c->n_runs; r++) {
        const char *const *names;
        size_t n = eval_run_tasks(c->runs[r], &names);
        for (size_t i = 0; i < n && rc == 0; i++)
            if (wanted(c->options, names[i]))
                rc = add_task(out, names[i]);
    }
    for (size_t i = 0; i < c->options->n_tasks && rc == 0; i++)
        rc = add_task(out, c->options->tasks[i]); /* unknown ones are left out with their reason */
    return rc;
}

static int correct(struct eval_runs_comparison *out)
{
    size_t n = 0, q = 0;
    for (size_t i = 0; i < out->n_tasks; i++)
        n += out->tasks[i].n_pairs;
    double *p = base_alloc(2 * n + 1, sizeof *p);
    if (!p)
        return BASE_E_MEMORY;
    double *adjusted = p + n;
    out->tests = n;
    int rc = 0;
    for (int method = 0; method < 2 && rc == 0 && n; method++) {
        size_t k = 0;
        for (size_t i = 0; i < out->n_tasks; i++)
            for (size_t j = 0; j < out->tasks[i].n_pairs; j++)
                p[k++] = out->tasks[i].pairs[j].p;
        rc = stats_adjust(method ? STATS_BH : STATS_HOLM, p, n, adjusted);
        k = 0;
        for (size_t i = 0; i < out->n_tasks && rc == 0; i++)
            for (size_t j = 0; j < out->tasks[i].n_pairs; j++, k++)
                *(method ? &out->tasks[i].pairs[j].bh : &out->tasks[i].pairs[j].holm) = adjusted[k];
    }
    for (size_t i = 0; i < out->n_tasks; i++)
        if (out->tasks[i].has_cochran)
            p[q++] = out->tasks[i].cochran.p;
    if (rc == 0 && q)
        rc = stats_adjust(STATS_HOLM, p, q, p);
    q = 0;
    for (size_t i = 0; i < out->n_tasks && rc == 0; i++)
        if (out->tasks[i].has_cochran)
            out->tasks[i].cochran_holm = p[q++];
    base_free(p);
    return rc;
}

/* ---- overall ---- */

/* Whether tasks may be put together: all 0/1, or all the same metric. */
static bool comparable(const struct eval_runs_comparison *out, bool *binary)
{
    const char *metric = NULL;
    bool same = true;
    *binary = true;
    for (size_t i = 0; i < out->n_tasks; i++) {
        const struct eval_runs_task *t = &out->tasks[i];
        if (!t->n_pairs)
            continue;
        if (t->scale != EVAL_RUNS_BINARY && t->scale != EVAL_RUNS_NUMBER)
            return false;
        *binary &= t->scale == EVAL_RUNS_BINARY && t->higher_is_better;
        same &= !metric || strcmp(metric, t->metric) == 0;
        metric = t->metric;
    }
    return *binary || same;
}

static int overall(struct eval_runs_comparison *out)
{
    struct eval_runs_overall *o = &out->overall;
    struct stats_group_item *items = base_alloc(out->n_tasks, sizeof *items);
    double both = 0, neither = 0, se = 0, level = out->options.level;
    int rc = items ? 0 : BASE_E_MEMORY;
    if (rc || out->compared < 2 || !comparable(out, &o->binary))
        goto out;
    for (size_t i = 0; i < out->n_tasks; i++) {
        const struct eval_runs_pair *p = out->tasks[i].pairs;
        if (!out->tasks[i].n_pairs || p->n < 2)
            continue;
        items[o->tasks++] =
            (struct stats_group_item){ .mean = p->difference, .se = p->se, .n = (double)p->n };
        o->micro_n += (double)p->n;
        o->micro_b += p->only_a;
        o->micro_c += p->only_b;
        both += p->both;
        neither += p->neither;
    }
    if (o->tasks < 2) {
        o->tasks = 0;
        goto out;
    }
    if ((rc = stats_group_macro(items, o->tasks, &o->macro_difference, &o->macro_se)) ||
        (rc = stats_interval_normal(o->macro_difference, o->macro_se, level, &o->macro)) ||
        (rc = stats_group_micro(items, o->tasks, &o->micro_difference, &se)))
        goto out;
    o->macro_p = o->macro_se > 0 ? erfc(fabs(o->macro_difference) / o->macro_se / sqrt(2))
                                 : (o->macro_difference == 0);
    rc = o->binary
             ? stats_interval_newcombe(both, o->micro_b, o->micro_c, neither, level, &o->micro)
             : stats_interval_t(o->micro_difference, se, o->micro_n - 1, level, &o->micro);
    if (rc == 0 && o->binary)
        rc = stats_mcnemar(o->micro_b, o->micro_c, level, &o->micro_mcnemar);
out:
    base_free(items);
    return rc;
}

int eval_runs_compare(const struct eval_run *const *runs, size_t n,
                      const struct eval_runs_options *options, struct eval_runs_comparison *out)
{
    *out = (struct eval_runs_comparison){ .options = *options, .n_runs = n };
    struct comparing c = { .runs = runs, .n_runs = n, .options = options };
    char *first = NULL;
    int rc = BASE_E_MEMORY;
    if (n < 2)
        return base_error_set(BASE_E_ARGUMENT, "a comparison needs at least two runs");
    if (!(c.columns = base_alloc_zero(n, sizeof *c.columns)) ||
        !(out->names = base_alloc_zero(n, sizeof *out->names)) ||
        !(out->ids = base_alloc_zero(n, sizeof *out->ids)))
        goto out;
    for (size_t r = 0; r < n; r++) {
        const char *id = json_string_value(json_object_get(eval_run_record(runs[r]), "id"));
        if (!(out->names[r] = base_strdup(eval_run_name(runs[r]))) ||
            !(out->ids[r] = base_strdup(id ? id : "")))
            goto out;
    }
    rc = list_tasks(&c, out);
    for (size_t i = 0; i < out->n_tasks && rc == 0; i++) {
        struct eval_runs_task *t = &out->tasks[i];
        rc = compare_task(&c, t);
        free_columns(&c);
        if (rc == 0) {
            out->compared++;
        } else if (about_task(rc)) {
            t->n_pairs = 0;
            t->has_cochran = false;
            rc = (t->reason = base_strdup(base_error_message())) ? 0 : BASE_E_MEMORY;
            if (rc == 0 && !first && !(first = base_format("%s: %s", t->name, t->reason)))
                rc = BASE_E_MEMORY;
        }
    }
    if (rc == 0 && out->compared == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "there is nothing to compare: %s",
                            first ? first : "the runs have no tasks");
    if (rc == 0)
        rc = correct(out);
    if (rc == 0 && n == 2)
        rc = overall(out);
out:
    base_free(first);
    base_free(c.columns);
    if (rc)
        eval_runs_comparison_free(out);
    return rc;
}

void eval_runs_comparison_free(struct eval_runs_comparison *c)
{
    for (size_t i = 0; i < c->n_tasks; i++) {
        struct eval_runs_task *t = &c->tasks[i];
        for (size_t r = 0; r < c->n_runs && t->unmatched; r++)
            base_free(t->unmatched[r].doc);
        base_free(t->unmatched);
        base_free(t->pairs);
        base_free(t->name);
        base_free(t->metric);
        base_free(t->reason);
    }
    for (size_t r = 0; r < c->n_runs; r++) {
        base_free(c->names ? c->names[r] : NULL);
        base_free(c->ids ? c->ids[r] : NULL);
    }
    base_free(c->names);
    base_free(c->ids);
    base_free(c->tasks);
    *c = (struct eval_runs_comparison){ 0 };
}
