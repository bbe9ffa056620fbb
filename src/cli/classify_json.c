/* What assay classify found, as one JSON object; and the held-out rows as a CSV. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/cmd_classify.h"
#include <math.h>
#include <string.h>

static json_t *json_interval(const struct stats_interval *i)
{
    return json_pack("[o, o]", base_json_number(i->low), base_json_number(i->high));
}

static json_t *json_metric(const struct stats_metric *m)
{
    return json_pack("{s:o, s:o, s:o}", "value", base_json_number(m->value), "stderr",
                     base_json_number(m->se), "ci", json_interval(&m->interval));
}

static json_t *json_measures(const struct stats_metric *m)
{
    json_t *out = json_object();
    for (int k = 0; k < CLASSIFY_MEASURES; k++)
        if (!isnan(m[k].value))
            json_object_set_new(out, classify_measure_names[k], json_metric(&m[k]));
    return out;
}

static json_t *json_matrix(const double *m, size_t k, bool share)
{
    json_t *out = json_array();
    for (size_t i = 0; i < k; i++) {
        json_t *row = json_array();
        double sum = 0;
        for (size_t j = 0; j < k; j++)
            sum += m[i * k + j];
        for (size_t j = 0; j < k; j++)
            json_array_append_new(row, share ? base_json_number(m[i * k + j] / sum)
                                             : json_integer((json_int_t)m[i * k + j]));
        json_array_append_new(out, row);
    }
    return out;
}

/* Mean, standard deviation, range of every measure over the repetitions. */
static json_t *json_spread(const struct classify_comparison *c, const struct classify_outcome *o)
{
    json_t *out = json_object();
    double *x = base_alloc(c->repeats, sizeof *x);
    for (int k = 0; x && k < CLASSIFY_MEASURES; k++) {
        double low = INFINITY, high = -INFINITY;
        for (size_t r = 0; r < c->repeats; r++) {
            x[r] = o->repeated[r * CLASSIFY_MEASURES + (size_t)k];
            low = fmin(low, x[r]);
            high = fmax(high, x[r]);
        }
        if (isnan(x[0]))
            continue;
        json_t *values = json_array();
        for (size_t r = 0; r < c->repeats; r++)
            json_array_append_new(values, base_json_number(x[r]));
        json_object_set_new(out, classify_measure_names[k],
                            json_pack("{s:o, s:o, s:o, s:o, s:o}", "mean",
                                      base_json_number(stats_mean(x, c->repeats)), "sd",
                                      base_json_number(sqrt(stats_variance(x, c->repeats))), "min",
                                      base_json_number(low), "max", base_json_number(high),
                                      "values", values));
    }
    base_free(x);
    return out;
}

static json_t *json_calibrated(const struct classify_calibrated *c)
{
    json_t *out = json_object(), *bins = json_array();
    if (!isnan(c->mean))
        json_object_set_new(out, "mean", base_json_number(c->mean));
    if (!isnan(c->share))
        json_object_set_new(out, "share", base_json_number(c->share));
    for (int k = 0; k < STATS_CALIBRATIONS; k++)
        json_object_set_new(out, stats_calibration_names[k], json_metric(&c->measure[k]));
    for (size_t b = 0; b < sizeof c->bin / sizeof *c->bin; b++)
        json_array_append_new(bins, json_pack("{s:o, s:o, s:I, s:o, s:o, s:o}", "low",
                                              base_json_number(c->bin[b].low), "high",
                                              base_json_number(c->bin[b].high), "count",
                                              (json_int_t)c->bin[b].count, "confidence",
                                              base_json_number(c->bin[b].confidence), "right",
                                              base_json_number(c->bin[b].right), "ci",
                                              json_interval(&c->bin[b].interval)));
    json_object_set_new(out, "bins", bins);
    return out;
}

static json_t *json_outcome(const struct classify_shown *s, const struct classify_outcome *o)
{
    const struct classify_comparison *c = s->comparison;
    json_t *rows = json_object();
    for (size_t k = 0; k < c->classes; k++)
        json_object_set_new(rows, s->data->label[k], json_integer((json_int_t)o->rows[k]));
    json_t *out = json_pack("{s:o, s:o}", "confusion", json_matrix(o->confusion, c->classes, false),
                            "by_row", json_matrix(o->confusion, c->classes, true));
    for (int k = 0; k < CLASSIFY_MEASURES; k++)
        if (!isnan(o->measure[k].value))
            json_object_set_new(out, classify_measure_names[k],
                                base_json_number(o->measure[k].value));
    json_object_set_new(out, "measures", json_measures(o->measure));
    json_object_set_new(out, "train_rows", rows);
    json_object_set_new(out, "made_rows", json_integer((json_int_t)o->made));
    json_object_set_new(out, "converged", json_boolean(o->converged));
    if (o->iterations)
        json_object_set_new(out, "iterations", json_integer((json_int_t)o->iterations));
    if (c->repeats > 1)
        json_object_set_new(out, "spread", json_spread(c, o));
    if (c->probabilities)
        json_object_set_new(out, "probabilities",
                            json_pack("{s:o, s:o}", "raw", json_calibrated(&o->raw), "corrected",
                                      json_calibrated(&o->corrected)));
    return out;
}

static json_t *json_pairs(const struct classify_comparison *c)
{
    json_t *out = json_array();
    for (size_t i = 0; i + 1 < c->strategies; i++) {
        const struct classify_pair *p = &c->pair[i];
        size_t only_first = 0, only_this = 0;
        for (size_t t = 0; t < c->items; t++) {
            bool first = c->outcome[0].predicted[t] == c->truth[t];
            bool this = c->outcome[p->strategy].predicted[t] == c->truth[t];
            only_first += first && !this;
            only_this += this && !first;
        }
        json_array_append_new(
            out,
            json_pack("{s:s, s:s, s:{s:I, s:I, s:o, s:o, s:o}, s:o}", "strategy",
                      classify_strategy_name(c->outcome[p->strategy].strategy), "baseline",
                      classify_strategy_name(c->outcome[0].strategy), "mcnemar",
                      "only_baseline_right", (json_int_t)only_first, "only_this_right",
                      (json_int_t)only_this, "p_exact", base_json_number(p->mcnemar.exact),
                      "p_midp", base_json_number(p->mcnemar.midp), "p_holm",
                      base_json_number(p->p_adjusted), "difference", json_measures(p->difference)));
    }
    return out;
}

int classify_print_json(const struct cli_command *command, const struct classify_shown *s)
{
    const struct classify_comparison *c = s->comparison;
    const struct classify_compare_options *o = s->options;
    json_t *labels = json_array(), *strategies = json_object();
    for (size_t k = 0; k < c->classes; k++)
        json_array_append_new(labels, json_string(s->data->label[k]));
    for (size_t i = 0; i < c->strategies; i++)
        json_object_set_new(strategies, classify_strategy_name(c->outcome[i].strategy),
                            json_outcome(s, &c->outcome[i]));
    json_t *out = json_pack(
        "{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:s, s:s, s:o, s:s, s:I, s:o, s:o, s:o}",
        "terms", s->has_text ? json_integer((json_int_t)s->terms) : json_null(), "columns",
        (json_int_t)c->columns, "rows", (json_int_t)s->data->rows, "skipped",
        (json_int_t)s->data->skipped, "train", (json_int_t)c->train, "test", (json_int_t)c->items,
        "folds", (json_int_t)(o->split.kind == CLASSIFY_SPLIT_FOLDS ? c->folds : 0), "labels",
        labels, "positive", c->classes == 2 ? json_string(s->data->label[1]) : json_null(),
        "learner", classify_learner_names[o->fit.linear.learner], "solver",
        classify_solver_names[o->fit.linear.solver], "C", base_json_number(o->fit.linear.c),
        "fit_on", o->terms_from_train ? "train" : "all", "seed", (json_int_t)cli_common.seed,
        "level", base_json_number(o->bootstrap.level), "strategies", strategies, "paired",
        json_pairs(c));
    return cli_print_json(command, out);
}

int classify_write_predictions(const struct classify_shown *s, const char *path)
{
    const struct classify_comparison *c = s->comparison;
    struct base_buffer b = { 0 };
    int rc = base_buffer_puts(&b, "row,truth");
    for (size_t k = 0; k < c->strategies && !rc; k++) {
        const char *name = classify_strategy_name(c->outcome[k].strategy);
        rc = base_buffer_printf(&b, ",%s", name);
        if (!rc && c->outputs == 1)
            rc = base_buffer_printf(&b, ",%s_score", name);
    }
    for (size_t i = 0; i < c->items && !rc; i++) {
        const char *truth = s->data->label[c->truth[i]];
        rc = base_buffer_printf(&b, "\n%u,", c->row[i] + 1);
        if (!rc)
            rc = data_cell_write(&b, (struct data_cell){ truth, strlen(truth) }, ',', 0);
        for (size_t k = 0; k < c->strategies && !rc; k++) {
            const struct classify_outcome *o = &c->outcome[k];
            const char *said = s->data->label[o->predicted[i]];
            rc = base_buffer_puts(&b, ",");
            if (!rc)
                rc = data_cell_write(&b, (struct data_cell){ said, strlen(said) }, ',', 0);
            if (!rc && c->outputs == 1)
                rc = base_buffer_printf(&b, ",%.9g", o->score[i]);
        }
    }
    if (!rc)
        rc = base_buffer_puts(&b, "\n");
    if (!rc)
        rc = base_file_write(path, b.data, b.length);
    base_buffer_free(&b);
    return rc;
}
