/* A comparison of runs as JSON. The keys of `assay compare --json` that scripts rely on: tasks,
 * task, n, a, b, difference, ci, mcnemar (b, c, exact, midp), p_adjusted; all else is beside them.
 */
#include "base/json.h"
#include "eval/compare_runs.h"
#include <math.h>

static json_t *interval(const struct stats_interval *i)
{
    return json_pack("[o, o]", base_json_number(i->low), base_json_number(i->high));
}

static json_t *mcnemar(double b, double c, const struct stats_mcnemar *m)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "b", (json_int_t)b, "c",
                     (json_int_t)c, "exact", base_json_number(m->exact), "midp",
                     base_json_number(m->midp), "chi2", base_json_number(m->chi2), "chi2_corrected",
                     base_json_number(m->chi2_corrected), "odds_ratio",
                     base_json_number(m->odds_ratio), "odds_ratio_ci",
                     interval(&m->odds_ratio_interval));
}

static const char *const scales[] = { "binary", "number", "ratio", "log_ratio", "labels" };

static json_t *plan(const struct eval_runs_pair *p, const struct eval_runs_options *o, bool decided)
{
    double more = p->items - (double)p->n;
    return json_pack("{s:b, s:f, s:o, s:o, s:o}", "decided", decided, "power", o->power, "items",
                     base_json_number(ceil(p->items)), "more",
                     base_json_number(more > 0 ? ceil(more) : 0), "detectable",
                     base_json_number(p->detectable));
}

static json_t *pair_json(const struct eval_runs_task *t, const struct eval_runs_pair *p,
                         const struct eval_runs_options *o)
{
    bool binary = t->scale == EVAL_RUNS_BINARY, decided = p->holm < 1 - o->level;
    double sign = t->higher_is_better ? p->difference : -p->difference;
    json_t *j = json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s?, s:{s:o, s:o, s:b}, s:{s:o, s:o}, "
        "s:o, s:o, s:o}",
        "n", (json_int_t)p->n, "a", base_json_number(p->value_a), "b", base_json_number(p->value_b),
        "difference", base_json_number(p->difference), "ci", interval(&p->interval), "ci_method",
        p->method, "se", base_json_number(p->se), "p", base_json_number(p->p), "p_adjusted",
        base_json_number(p->holm), "p_bh", base_json_number(p->bh), "better",
        sign > 0   ? "a"
        : sign < 0 ? "b"
                   : NULL,
        "intervals", "a", interval(&p->interval_a), "b", interval(&p->interval_b), "overlap",
        p->overlap, "effect", "h", binary ? base_json_number(p->h) : json_null(), "dz",
        base_json_number(p->dz), "correlation", base_json_number(p->correlation), "se_unpaired",
        base_json_number(p->unpaired_se), "decide", plan(p, o, decided));
    if (!j)
        return NULL;
    int failed = json_object_set_new(
        j, "clustered",
        p->clusters ? json_pack("{s:I, s:o, s:o, s:o}", "clusters", (json_int_t)p->clusters, "se",
                                base_json_number(p->clustered_se), "ci", interval(&p->clustered),
                                "p", base_json_number(p->clustered_p))
                    : json_null());
    if (binary) {
        json_t *m = mcnemar(p->only_a, p->only_b, &p->mcnemar);
        failed |= json_object_set_new(m, "both", json_integer((json_int_t)p->both)) |
                  json_object_set_new(m, "neither", json_integer((json_int_t)p->neither)) |
                  json_object_set_new(j, "mcnemar", m);
    } else {
        failed |= json_object_set_new(j, "mcnemar", json_null()) |
                  json_object_set_new(j, "t", base_json_number(p->t)) |
                  json_object_set_new(j, "df", base_json_number(p->df)) |
                  json_object_set_new(j, "bootstrap_ci",
                                      p->has_bootstrap ? interval(&p->bootstrap) : json_null());
    }
    if (t->scale == EVAL_RUNS_LOG_RATIO) {
        struct stats_interval times = { exp(p->interval.low), exp(p->interval.high) };
        failed |= json_object_set_new(j, "ratio", base_json_number(exp(p->difference))) |
                  json_object_set_new(j, "ratio_ci", interval(&times));
    }
    if (failed) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static json_t *unmatched_json(const struct eval_runs_unmatched *u)
{
    json_t *docs = json_array();
    for (size_t i = 0; i < u->listed; i++)
        if (json_array_append_new(docs, json_integer(u->doc[i]))) {
            json_decref(docs);
            return NULL;
        }
    return json_pack("{s:I, s:o}", "count", (json_int_t)u->count, "doc_ids", docs);
}

static json_t *unmatched_list(const struct eval_runs_comparison *c, const struct eval_runs_task *t)
{
    json_t *list = json_array();
    for (size_t r = 0; r < c->n_runs; r++)
        if (json_array_append_new(list, unmatched_json(&t->unmatched[r]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* Run r by a letter, and by letters and numbers beyond 26. */
static json_t *run_label(size_t r)
{
    char label[24];
    if (r < 26)
        snprintf(label, sizeof label, "%c", (int)('A' + r));
    else
        snprintf(label, sizeof label, "%c%zu", (int)('A' + r % 26), r / 26);
    return json_string(label);
}

static json_t *task_json(const struct eval_runs_comparison *c, const struct eval_runs_task *t)
{
    json_t *j = NULL, *pairs = NULL;
    if (c->n_runs == 2) {
        j = pair_json(t, &t->pairs[0], &c->options);
    } else {
        pairs = json_array();
        for (size_t i = 0; i < t->n_pairs; i++) {
            json_t *p = pair_json(t, &t->pairs[i], &c->options);
            json_object_set_new(p, "run_a", run_label(t->pairs[i].a));
            json_object_set_new(p, "run_b", run_label(t->pairs[i].b));
            json_array_append_new(pairs, p);
        }
        j = json_pack("{s:I, s:o, s:o}", "n", (json_int_t)t->n, "cochran",
                      t->has_cochran
                          ? json_pack("{s:o, s:o, s:o, s:o}", "q", base_json_number(t->cochran.q),
                                      "df", base_json_number(t->cochran.df), "p",
                                      base_json_number(t->cochran.p), "p_adjusted",
                                      base_json_number(t->cochran_holm))
                          : json_null(),
                      "pairs", pairs);
        if (json_array_size(pairs) != t->n_pairs) {
            json_decref(j);
            return NULL;
        }
    }
    if (!j || json_object_set_new(j, "metric", json_string(t->metric)) ||
        json_object_set_new(j, "scale", json_string(scales[t->scale])) ||
        json_object_set_new(j, "higher_is_better", json_boolean(t->higher_is_better)) ||
        json_object_set_new(j, "unmatched", unmatched_list(c, t))) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static json_t *overall_json(const struct eval_runs_overall *o)
{
    if (!o->tasks)
        return json_null();
    json_t *micro =
        json_pack("{s:o, s:o, s:o}", "n", json_integer((json_int_t)o->micro_n), "difference",
                  base_json_number(o->micro_difference), "ci", interval(&o->micro));
    if (o->binary)
        json_object_set_new(micro, "mcnemar", mcnemar(o->micro_b, o->micro_c, &o->micro_mcnemar));
    return json_pack("{s:I, s:{s:o, s:o, s:o, s:o}, s:o}", "tasks", (json_int_t)o->tasks, "macro",
                     "difference", base_json_number(o->macro_difference), "ci", interval(&o->macro),
                     "se", base_json_number(o->macro_se), "p", base_json_number(o->macro_p),
                     "micro", micro);
}

json_t *eval_runs_comparison_json(const struct eval_runs_comparison *c)
{
    json_t *runs = json_array(), *tasks = json_object(), *left = json_object();
    int failed = 0;
    for (size_t r = 0; r < c->n_runs; r++)
        failed |= json_array_append_new(runs, json_pack("{s:o, s:s, s:s}", "run", run_label(r),
                                                        "id", c->ids[r], "model", c->names[r]));
    for (size_t i = 0; i < c->n_tasks; i++) {
        const struct eval_runs_task *t = &c->tasks[i];
        failed |= t->n_pairs
                      ? json_object_set_new(tasks, t->name, task_json(c, t))
                      : json_object_set_new(left, t->name, json_string(t->reason ? t->reason : ""));
    }
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:{s:s, s:s, s:I}, s:f}", "runs", runs, "tasks",
                          tasks, "left_out", left, "overall",
                          c->n_runs == 2 ? overall_json(&c->overall) : json_null(), "correction",
                          "p_adjusted", "holm", "p_bh", "benjamini-hochberg", "tests",
                          (json_int_t)c->tests, "level", c->options.level);
    if (failed || !o) {
        json_decref(o);
        base_error_set(BASE_E_MEMORY, "out of memory for the comparison");
        return NULL;
    }
    return o;
}
