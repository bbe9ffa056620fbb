/* Pictures of a comparison: curves, rates with intervals, reliability, confusion matrices. */
#include "base/memory.h"
#include "base/progress.h"
#include "cli/cmd_classify.h"
#include "report/chart.h"
#include <math.h>

static int write_curves(const struct classify_shown *s, enum classify_curve_kind kind,
                        const char *path)
{
    const struct classify_comparison *c = s->comparison;
    struct classify_curve *curve = base_alloc_zero(c->strategies, sizeof *curve);
    struct report_series *series = base_alloc_zero(c->strategies + 1, sizeof *series);
    char **name = base_alloc_zero(c->strategies, sizeof *name);
    bool roc = kind == CLASSIFY_ROC;
    double chance_x[2] = { 0, 1 }, chance_y[2] = { 0, 1 }, positives = 0;
    int rc = curve && series && name ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < c->items; i++)
        positives += c->truth[i];
    if (!roc)
        chance_y[0] = chance_y[1] = positives / (double)c->items;
    for (size_t i = 0; i < c->strategies && !rc; i++) {
        const struct classify_outcome *o = &c->outcome[i];
        rc = classify_curve(&curve[i], kind, o->score, c->truth, c->items, 600);
        double area = o->measure[roc ? CLASSIFY_ROC_AUC : CLASSIFY_AVERAGE_PRECISION].value;
        if (!rc && !(name[i] = base_format("%s (%.3f)", classify_strategy_name(o->strategy), area)))
            rc = BASE_E_MEMORY;
        if (!rc)
            series[i] = (struct report_series){
                .name = name[i], .x = curve[i].x, .y = curve[i].y, .n = curve[i].n
            };
    }
    if (!rc) {
        series[c->strategies] = (struct report_series){ .name = "chance",
                                                        .x = chance_x,
                                                        .y = chance_y,
                                                        .n = 2,
                                                        .style = REPORT_DASHED,
                                                        .color = 8 };
        const struct report_chart chart = {
            .title = roc ? "ROC curves" : "Precision and recall",
            .subtitle = roc ? "area below the curve in brackets" : "average precision in brackets",
            .x = { .label = roc ? "false positive rate" : "recall",
                   .fixed = true,
                   .min = 0,
                   .max = 1 },
            .y = { .label = roc ? "true positive rate" : "precision",
                   .fixed = true,
                   .min = 0,
                   .max = 1 },
            .series = series,
            .n_series = c->strategies + 1,
            .width = 720,
            .height = 560
        };
        rc = report_chart_write(&chart, path);
    }
    for (size_t i = 0; curve && name && i < c->strategies; i++) {
        classify_curve_free(&curve[i]);
        base_free(name[i]);
    }
    base_free(curve);
    base_free(series);
    base_free(name);
    return rc;
}

/* The measures that matter, as bars with their intervals. */
static int write_rates(const struct classify_shown *s, const char *path)
{
    const struct classify_comparison *c = s->comparison;
    static const enum classify_measure shown[2][3] = {
        { CLASSIFY_TNR, CLASSIFY_TPR, CLASSIFY_MCC },
        { CLASSIFY_ACCURACY, CLASSIFY_BALANCED_ACCURACY, CLASSIFY_MCC }
    };
    static const char *const groups[2][3] = { { "true negative rate", "true positive rate", "MCC" },
                                              { "accuracy", "balanced accuracy", "MCC" } };
    double *value = base_alloc(c->strategies, 9 * sizeof *value);
    const char **name = base_alloc(c->strategies, sizeof *name);
    if (!value || !name) {
        base_free(value);
        base_free(name);
        return BASE_E_MEMORY;
    }
    size_t n = 3 * c->strategies;
    for (size_t i = 0; i < c->strategies; i++) {
        name[i] = classify_strategy_name(c->outcome[i].strategy);
        for (size_t k = 0; k < 3; k++) {
            const struct stats_metric *m = &c->outcome[i].measure[shown[c->classes != 2][k]];
            value[3 * i + k] = m->value;
            value[n + 3 * i + k] = m->interval.low;
            value[2 * n + 3 * i + k] = m->interval.high;
        }
    }
    char subtitle[64];
    snprintf(subtitle, sizeof subtitle, "held-out rows, %g %% intervals",
             100 * s->options->bootstrap.level);
    const struct report_bars bars = { .title = "Strategies against imbalance",
                                      .subtitle = subtitle,
                                      .value = { .fixed = true, .min = 0, .max = 1 },
                                      .categories = name,
                                      .n = c->strategies,
                                      .groups = groups[c->classes != 2],
                                      .n_groups = 3,
                                      .values = value,
                                      .low = value + n,
                                      .high = value + 2 * n };
    int rc = report_bars_write(&bars, path);
    base_free(value);
    base_free(name);
    return rc;
}

/* Probabilities of the first strategy that changes the shares (else the first): as trained, and
 * corrected. */
static int write_calibration(const struct classify_shown *s, const char *path)
{
    const struct classify_comparison *c = s->comparison;
    enum { BINS = sizeof c->outcome->raw.bin / sizeof *c->outcome->raw.bin };
    struct report_series *series = base_alloc_zero(2 * c->strategies + 1, sizeof *series);
    double *x = base_alloc(2 * c->strategies, 4 * BINS * sizeof *x);
    char **name = base_alloc_zero(2 * c->strategies, sizeof *name);
    const double line[2] = { 0, 1 };
    int rc = series && x && name ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < 2 * c->strategies && !rc; i++) {
        const struct classify_outcome *o = &c->outcome[i / 2];
        const struct classify_calibrated *p = i % 2 ? &o->corrected : &o->raw;
        double *to = x + 4 * BINS * i;
        size_t n = 0;
        for (size_t b = 0; b < BINS; b++) {
            if (p->bin[b].count < 1)
                continue;
            to[n] = p->bin[b].confidence;
            to[BINS + n] = p->bin[b].right;
            to[2 * BINS + n] = p->bin[b].interval.low;
            to[3 * BINS + n++] = p->bin[b].interval.high;
        }
        if (!(name[i] = base_format("%s%s", classify_strategy_name(o->strategy),
                                    i % 2 ? ", corrected" : "")))
            rc = BASE_E_MEMORY;
        else
            series[i] = (struct report_series){ .name = name[i],
                                                .x = to,
                                                .y = to + BINS,
                                                .n = n,
                                                .style = i % 2 ? REPORT_LINE : REPORT_DASHED,
                                                .color = (int)(i / 2 % 7) + 1 };
    }
    if (!rc) {
        series[2 * c->strategies] = (struct report_series){
            .name = "calibrated", .x = line, .y = line, .n = 2, .style = REPORT_FAINT, .color = 8
        };
        const struct report_chart chart = {
            .title = "Probabilities against what happened",
            .subtitle = "dashed: as trained; whole: corrected for the classes' shares",
            .x = { .label = "probability given", .fixed = true, .min = 0, .max = 1 },
            .y = { .label = c->classes == 2 ? "share of positives" : "share right",
                   .fixed = true,
                   .min = 0,
                   .max = 1 },
            .series = series,
            .n_series = 2 * c->strategies + 1,
            .width = 720,
            .height = 560
        };
        rc = report_chart_write(&chart, path);
    }
    for (size_t i = 0; name && i < 2 * c->strategies; i++)
        base_free(name[i]);
    base_free(series);
    base_free(x);
    base_free(name);
    return rc;
}

static int write_confusion(const struct classify_shown *s, size_t i, const char *path)
{
    const struct classify_comparison *c = s->comparison;
    const struct classify_outcome *o = &c->outcome[i];
    char subtitle[96];
    snprintf(subtitle, sizeof subtitle, "MCC %.3f, balanced accuracy %.3f",
             o->measure[CLASSIFY_MCC].value, o->measure[CLASSIFY_BALANCED_ACCURACY].value);
    const struct report_heat heat = { .title = classify_strategy_name(o->strategy),
                                      .subtitle = subtitle,
                                      .row_label = "true",
                                      .column_label = "predicted",
                                      .labels = classify_data_names(s->data),
                                      .n = c->classes,
                                      .counts = o->confusion };
    return report_heat_write(&heat, path);
}

int classify_write_plots(const struct classify_shown *s, const char *prefix, const char *extension)
{
    const struct classify_comparison *c = s->comparison;
    enum { ROC, PR, RATES, CALIBRATION, CONFUSION };
    static const char *const names[] = { "roc", "pr", "rates", "calibration", "confusion-" };
    bool curves = false; /* they need test rows of both classes */
    for (size_t i = 1; i < c->items && c->classes == 2 && !curves; i++)
        curves = c->truth[i] != c->truth[0];
    if (c->classes == 2 && !curves)
        base_log("all test rows are of one class: no %s-roc.%s and %s-pr.%s", prefix, extension,
                 prefix, extension);
    for (size_t k = 0; k < CONFUSION + c->strategies; k++) {
        if ((!curves && k <= PR) || (!c->probabilities && k == CALIBRATION) ||
            (c->classes > 64 && k >= CONFUSION))
            continue;
        char *path = base_format(
            "%s-%s%s.%s", prefix, names[k < CONFUSION ? k : CONFUSION],
            k < CONFUSION ? "" : classify_strategy_name(c->outcome[k - CONFUSION].strategy),
            extension);
        int rc = !path              ? BASE_E_MEMORY
                 : k == ROC         ? write_curves(s, CLASSIFY_ROC, path)
                 : k == PR          ? write_curves(s, CLASSIFY_PR, path)
                 : k == RATES       ? write_rates(s, path)
                 : k == CALIBRATION ? write_calibration(s, path)
                                    : write_confusion(s, k - CONFUSION, path);
        if (!rc)
            base_log("wrote %s", path);
        base_free(path);
        if (rc)
            return rc;
    }
    return 0;
}
