/* Groups: one figure over several tasks, as a group's aggregate_metric_list asks.
 *
 *   micro (weight_by_size): sum n_k m_k / sum n_k, as if all items were one set; the standard error
 *     is lm-eval's pooled one, sqrt(sum (n_k - 1) se_k^2 n_k / (N - K) / N)
 *   macro: the tasks' mean, sqrt(sum se_k^2) / K */
#include "base/json.h"
#include "base/memory.h"
#include "eval/task_private.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

struct members {
    double value, weight; /* sums */
    double pooled, plain, size;
    size_t count, with_error;
    bool wilson; /* every member's interval is Wilson's */
    json_t *tasks;
};

static json_t *aggregate(const struct members *m, bool by_size, double level, const char *filter)
{
    struct stats_interval ci = { NAN, NAN };
    double value = m->value / m->weight, se = NAN, k = (double)m->count;
    const char *method = "normal, pooled";
    if (m->with_error == m->count && m->count > 0)
        se = by_size ? sqrt(m->pooled / (m->size - k) / m->size) : sqrt(m->plain) / k;
    bool has = false;
    if (by_size && m->wilson) {
        has = stats_interval_wilson(value * m->size, m->size, level, &ci) == 0;
        method = "wilson";
    } else if (isfinite(se)) {
        has = stats_interval_normal(value, se, level, &ci) == 0;
        method = by_size ? method : "normal, mean of tasks";
    }
    return json_pack("{s:o, s:o, s:o, s:s?, s:I, s:O, s:b, s:s}", "value", base_json_number(value),
                     "stderr", base_json_number(se), "ci",
                     has ? json_pack("[o, o]", base_json_number(ci.low), base_json_number(ci.high))
                         : json_null(),
                     "method", has ? method : NULL, "n", (json_int_t)m->size, "tasks", m->tasks,
                     "weight_by_size", by_size, "filter", filter);
}

/* Is `filter` one that the entry wants? No list: all. */
static bool wanted(const json_t *list, const char *filter)
{
    const json_t *one;
    size_t i;
    if (!list || json_is_null(list))
        return true;
    if (json_is_string(list))
        return !strcmp(json_string_value(list), filter);
    json_array_foreach((json_t *)(uintptr_t)list, i,
                       one) if (json_is_string(one) &&
                                !strcmp(json_string_value(one), filter)) return true;
    return false;
}

/* Metric `metric` under `filter` of one task's results, or NULL. */
static const json_t *find(const json_t *task, const char *metric, const char *filter)
{
    const char *key;
    json_t *value;
    size_t n = strlen(metric);
    json_object_foreach((json_t *)(uintptr_t)task, key, value)
    {
        const char *own = json_string_value(json_object_get(value, "filter"));
        if (own && !strcmp(own, filter) && !strncmp(key, metric, n) &&
            (key[n] == 0 || key[n] == ','))
            return value;
    }
    return NULL;
}

static int add_entry(const json_t *entry, char **tasks, size_t n, const json_t *results,
                     double level, json_t *out, const struct task_source *source)
{
    const char *metric = json_string_value(json_object_get(entry, "metric")), *key;
    const json_t *by_size = json_object_get(entry, "weight_by_size");
    const char *how = json_string_value(json_object_get(entry, "aggregation"));
    json_t *filters = json_object(), *value;
    if (!metric || (how && strcmp(how, "mean") != 0)) {
        json_decref(filters);
        return task_refuse(source, BASE_E_UNSUPPORTED, "aggregate_metric_list",
                           "every entry needs metric: NAME, and mean is the only aggregation");
    }
    for (size_t i = 0; i < n; i++)
        json_object_foreach(json_object_get(results, tasks[i]), key, value)
        {
            const char *own = json_string_value(json_object_get(value, "filter"));
            if (own && wanted(json_object_get(entry, "filter_list"), own) &&
                find(json_object_get(results, tasks[i]), metric, own))
                json_object_set_new(filters, own, json_true());
        }
    const char *filter;
    size_t named = 0;
    int rc = 0;
    json_object_foreach(filters, filter, value)
    {
        struct members m = { .wilson = true, .tasks = json_array() };
        bool micro = !by_size || json_is_true(by_size);
        for (size_t i = 0; i < n; i++) {
            const json_t *one = find(json_object_get(results, tasks[i]), metric, filter);
            const json_t *v = json_object_get(one, "value"), *se = json_object_get(one, "stderr");
            const char *method = json_string_value(json_object_get(one, "method"));
            double size = json_number_value(json_object_get(one, "n"));
            double e = json_number_value(se);
            if (!json_is_number(v) || size < 1)
                continue;
            m.value += json_number_value(v) * (micro ? size : 1);
            m.weight += micro ? size : 1;
            m.size += size;
            m.count++;
            m.with_error += json_is_number(se);
            m.pooled += (size - 1) * e * e * size;
            m.plain += e * e;
            m.wilson = m.wilson && method && !strcmp(method, "wilson");
            json_array_append_new(m.tasks, json_string(tasks[i]));
        }
        char *name = named++ ? base_format("%s,%s", metric, filter) : base_strdup(metric);
        if (!name ||
            (m.count > 0 && json_object_set_new(out, name, aggregate(&m, micro, level, filter))))
            rc = BASE_E_MEMORY;
        base_free(name);
        json_decref(m.tasks);
    }
    json_decref(filters);
    return rc;
}

/* What the group's file says of it beside figures: the names in its list (of a task written out
 * there, its tasks' names), what it is called in tables, its version. */
static int describe_group(const char *name, const json_t *config, char **tasks, size_t n,
                          json_t *figures)
{
    const json_t *list = json_object_get(config, "task");
    json_t *members = json_array(), *alias = json_object_get(config, "group_alias"), *one;
    json_t *version = json_object_get(json_object_get(config, "metadata"), "version");
    size_t i, plain = 0;
    json_array_foreach((json_t *)(uintptr_t)list, i, one) plain += json_is_string(one);
    if (plain == json_array_size(list) && plain > 0)
        json_array_extend(members, (json_t *)(uintptr_t)list);
    else
        for (i = 0; i < n; i++)
            json_array_append_new(members, json_string(tasks[i]));
    return json_object_set_new(figures, "members", members) ||
                   json_object_set_new(figures, "alias",
                                       json_is_string(alias) ? json_incref(alias)
                                                             : json_string(name)) ||
                   json_object_set_new(figures, "version",
                                       version ? json_incref(version) : json_null())
               ? BASE_E_MEMORY
               : 0;
}

static int add_group(const char *name, const struct eval_task_options *o, const json_t *results,
                     double level, int depth, json_t *groups)
{
    json_t *config = NULL, *one;
    struct task_source source = { 0 };
    char **tasks = NULL;
    size_t n = 0, i;
    if (depth > 16 || json_object_get(groups, name) || strstr(name, "::"))
        return 0;
    if (task_find(name, o, &config, &source)) /* a tag: no figure of its own */
        return 0;
    int rc = 0;
    if (json_object_get(config, "group")) {
        json_t *list = json_object_get(config, "aggregate_metric_list"), *figures = json_object();
        json_t *members = json_object_get(config, "task");
        rc = eval_tasks_expand(name, o, &tasks, &n);
        for (i = 0; rc == 0 && i < (json_is_array(list) ? json_array_size(list) : list != NULL);
             i++)
            rc = add_entry(json_is_array(list) ? json_array_get(list, i) : list, tasks, n, results,
                           level, figures, &source);
        if (rc == 0 && json_object_size(figures) &&
            ((rc = describe_group(name, config, tasks, n, figures)) ||
             json_object_set(groups, name, figures)))
            rc = base_error_set(BASE_E_MEMORY, "out of memory: group %s", name);
        json_decref(figures);
        json_array_foreach(members, i, one)
        {
            const char *inner =
                json_string_value(json_is_string(one) ? one : json_object_get(one, "group"));
            if (rc == 0 && inner)
                rc = add_group(inner, o, results, level, depth + 1, groups);
        }
    }
    eval_names_free(tasks, n);
    json_decref(config);
    task_source_clear(&source);
    return rc;
}

int eval_groups_aggregate(const char *names, const struct eval_task_options *options,
                          const json_t *results, double level, json_t **groups)
{
    int rc = 0;
    *groups = json_object();
    char *copy = base_strdup(names), *save = NULL;
    if (!*groups || !copy)
        rc = BASE_E_MEMORY;
    for (char *name = rc ? NULL : strtok_r(copy, ", ", &save); rc == 0 && name;
         name = strtok_r(NULL, ", ", &save))
        rc = add_group(name, options, results, level, 0, *groups);
    base_free(copy);
    if (rc) {
        json_decref(*groups);
        *groups = NULL;
    }
    return rc;
}
