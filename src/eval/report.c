/* A report of runs; see report.h. Sections, in the order a reader asks: what came out, which run is
 * better, where it is good and bad, is it as sure as it is right, what exactly was asked, and with
 * what it was measured. */
#include "eval/compare_runs.h"
#include "eval/report_private.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/stats.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ROWS = 512, MOST_GROUPS = 16 };

const char *eval_report_run_name(const struct eval_report *r, size_t i)
{
    static _Thread_local char names[8][256];
    static _Thread_local unsigned next;
    const char *name = eval_run_name(r->runs[i]);
    bool again = false;
    for (size_t j = 0; j < r->n_runs; j++)
        again = again || (j != i && !strcmp(eval_run_name(r->runs[j]), name));
    if (!again)
        return name;
    char *out = names[next++ % 8];
    const char *id = json_string_value(json_object_get(eval_run_record(r->runs[i]), "id"));
    snprintf(out, sizeof names[0], "%.200s (%.12s)", name, id ? id : "?");
    return out;
}

bool eval_report_is_metric(const json_t *entry)
{
    return json_is_object(entry) && json_object_get(entry, "value");
}

double eval_report_number(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

void eval_report_interval(const json_t *metric, double *low, double *high)
{
    const json_t *ci = json_object_get(metric, "ci");
    const json_t *a = json_array_get(ci, 0), *b = json_array_get(ci, 1);
    *low = json_is_number(a) ? json_number_value(a) : NAN;
    *high = json_is_number(b) ? json_number_value(b) : NAN;
}

/* ---- results ---- */

void eval_report_number_cell(struct report_page *p, double v, const char *missing)
{
    if (!isfinite(v))
        report_page_format(p, "<td class=\"n\">%s</td>", missing);
    else if (fabs(v) < 1000)
        report_page_format(p, "<td class=\"n\">%.4f</td>", v);
    else
        report_page_format(p, "<td class=\"n\">%.6g</td>", v);
}

static void result_row(struct eval_report *r, const char *task, const char *metric,
                       const json_t *entry, const char *run)
{
    struct report_page *p = &r->page;
    double low, high;
    eval_report_interval(entry, &low, &high);
    report_page_html(p, "<tr><td class=\"task\">");
    report_page_text(p, task);
    report_page_html(p, "</td><td>");
    report_page_text(p, metric);
    const json_t *better = json_object_get(entry, "higher_is_better");
    if (json_is_boolean(better))
        report_page_html(p, json_is_true(better) ? " <span class=\"muted\">\u2191</span>"
                                                 : " <span class=\"muted\">\u2193</span>");
    report_page_html(p, "</td>");
    if (r->n_runs > 1) {
        report_page_html(p, "<td>");
        report_page_text(p, run);
        report_page_html(p, "</td>");
    }
    eval_report_number_cell(p, eval_report_number(entry, "value"), "\u2013");
    if (isfinite(low) && isfinite(high)) {
        char text[128];
        snprintf(text, sizeof text, fabs(high) < 1000 ? "%.4f \u2013 %.4f" : "%.6g \u2013 %.6g",
                 low, high);
        report_page_html(p, "<td class=\"n\">");
        report_page_text(p, text);
        report_page_html(p, "</td>");
    } else
        report_page_html(p, "<td class=\"n\">\u2013</td>");
    eval_report_number_cell(p, eval_report_number(entry, "stderr"), "\u2013");
    double n = eval_report_number(entry, "n");
    if (isfinite(n))
        report_page_format(p, "<td class=\"n\">%.0f</td><td class=\"muted\">", n);
    else
        report_page_html(p, "<td></td><td class=\"muted\">");
    const char *method = json_string_value(json_object_get(entry, "method"));
    const char *reason = json_string_value(json_object_get(entry, "reason"));
    report_page_text(p, reason ? reason : method);
    report_page_html(p, "</td></tr>\n");
}

/* Names of all tasks of all runs, once each, in order of appearance: borrowed. */
static size_t task_names(const struct eval_report *r, const char *names[MOST_ROWS])
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_runs; i++) {
        const char *task;
        json_t *entry;
        json_object_foreach((json_t *)(uintptr_t)eval_run_results(r->runs[i]), task, entry)
        {
            size_t j = 0;
            while (j < n && strcmp(names[j], task))
                j++;
            if (j == n && n < MOST_ROWS)
                names[n++] = task;
        }
    }
    return n;
}

/* A plot as PNG and SVG in the directory asked for: NAME made of letters, digits and '-'. */
static char *plot_path(struct eval_report *r, const char *name, const char *extension)
{
    char clean[160];
    size_t n = 0;
    for (const char *c = name; *c && n < sizeof clean - 8; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '_';
        if (plain || (n && clean[n - 1] != '-'))
            clean[n++] = plain ? *c : '-';
    }
    clean[n] = 0;
    return base_format("%s/%s%s", r->options->plots, clean, extension);
}

#define PLOT(r, name, write)                                                                       \
    for (int plot_ = 0; (r)->options->plots && plot_ < 2 && !(r)->page.rc; plot_++) {              \
        char *path = plot_path(r, name, plot_ ? ".svg" : ".png");                                  \
        (r)->page.rc = path ? (write) : BASE_E_MEMORY;                                             \
        (r)->plots += !(r)->page.rc;                                                               \
        base_free(path);                                                                           \
    }

/* Bars from `value(row, group)`: an array of three numbers (value, low, high) per place. */
struct bar_data {
    const char *categories[MOST_ROWS];
    const char *groups[MOST_GROUPS];
    size_t n, n_groups;
    double *value, *low, *high; /* [n, n_groups] */
};

static int bar_data_make(struct bar_data *d, size_t n, size_t n_groups)
{
    memset(d, 0, sizeof *d);
    d->n = n;
    d->n_groups = n_groups;
    d->value = base_alloc(3 * n * n_groups + 1, sizeof *d->value);
    if (!d->value)
        return BASE_E_MEMORY;
    d->low = d->value + n * n_groups;
    d->high = d->low + n * n_groups;
    for (size_t i = 0; i < 3 * n * n_groups; i++)
        d->value[i] = NAN;
    return 0;
}

void eval_report_bars(struct eval_report *r, const struct report_bars *bars, const char *name)
{
    report_page_bars(&r->page, bars);
    PLOT(r, name, report_bars_write(bars, path));
}

static void bars_show(struct eval_report *r, const struct bar_data *d, const char *name,
                      const char *title, const char *subtitle, const char *unit, bool share)
{
    struct report_bars bars = {
        .title = title,
        .subtitle = subtitle,
        .value = { .label = unit, .fixed = share, .min = 0, .max = 1 },
        .categories = d->categories,
        .n = d->n,
        .groups = d->groups[0] ? d->groups : NULL,
        .n_groups = d->n_groups,
        .values = d->value,
        .low = d->low,
        .high = d->high,
    };
    eval_report_bars(r, &bars, name);
}

/* Whether a metric is a share, so that its bar has a scale from 0 to 1. */
static bool is_share(const json_t *entry)
{
    double v = eval_report_number(entry, "value"), low, high;
    eval_report_interval(entry, &low, &high);
    return v >= 0 && v <= 1 && !(low < 0) && !(high > 1);
}

/* One row per task: its first metric that is a share, for every run. */
static void overview_bars(struct eval_report *r, const char *const *tasks, size_t n)
{
    char labels[MOST_ROWS][160];
    struct bar_data d;
    size_t groups = r->n_runs < MOST_GROUPS ? r->n_runs : MOST_GROUPS, rows = 0;
    if (r->page.rc || (r->page.rc = bar_data_make(&d, n, groups)))
        return;
    for (size_t g = 0; g < groups; g++)
        d.groups[g] = eval_report_run_name(r, g);
    for (size_t t = 0; t < n; t++) {
        const char *chosen = NULL;
        for (size_t g = 0; g < groups; g++) {
            const char *metric;
            json_t *entry, *task = json_object_get(eval_run_results(r->runs[g]), tasks[t]);
            json_object_foreach(task, metric, entry)
            {
                if (!eval_report_is_metric(entry) || !is_share(entry) ||
                    (chosen && strcmp(chosen, metric)))
                    continue;
                chosen = metric;
                d.value[rows * groups + g] = eval_report_number(entry, "value");
                eval_report_interval(entry, &d.low[rows * groups + g], &d.high[rows * groups + g]);
                break;
            }
        }
        if (!chosen)
            continue;
        snprintf(labels[rows], sizeof labels[rows], "%s, %s", tasks[t], chosen);
        d.categories[rows] = labels[rows];
        rows++;
    }
    d.n = rows;
    if (rows)
        bars_show(r, &d, "results", "Results", "Whiskers: 95 % intervals.", NULL, true);
    base_free(d.value);
}

static void results_section(struct eval_report *r)
{
    const char *tasks[MOST_ROWS];
    size_t n = task_names(r, tasks);
    struct report_page *p = &r->page;
    report_page_section(p, "results", "Results");
    overview_bars(r, tasks, n);
    report_page_html(p, "<div class=\"wide\"><table><thead><tr><th>task</th><th>metric</th>");
    if (r->n_runs > 1)
        report_page_html(p, "<th>model</th>");
    report_page_html(p, "<th class=\"n\">value</th><th class=\"n\">95 % interval</th>"
                        "<th class=\"n\">stderr</th><th class=\"n\">n</th><th>interval by</th>"
                        "</tr></thead><tbody>\n");
    for (size_t t = 0; t < n; t++) {
        /* the metrics in the order of the first run that has the task; then the others' */
        for (size_t i = 0; i < r->n_runs; i++) {
            const char *metric;
            json_t *entry, *task = json_object_get(eval_run_results(r->runs[i]), tasks[t]);
            json_object_foreach(task, metric, entry)
            {
                bool shown = false;
                for (size_t j = 0; j < i && !shown; j++)
                    shown = eval_report_is_metric(json_object_get(
                        json_object_get(eval_run_results(r->runs[j]), tasks[t]), metric));
                for (size_t j = i; j < r->n_runs && !shown; j++) {
                    const json_t *e = json_object_get(
                        json_object_get(eval_run_results(r->runs[j]), tasks[t]), metric);
                    if (eval_report_is_metric(e))
                        result_row(r, tasks[t], metric, e, eval_report_run_name(r, j));
                }
            }
        }
    }
    report_page_html(p, "</tbody></table></div>\n");
    report_page_paragraph(
        p, "An arrow up: more is better. The interval says how far the value may lie from what "
           "endlessly many items of this kind would give; it says nothing about other kinds.");
}

/* ---- comparison ---- */

/* One pair of runs on one task: what eval_runs_comparison_json says of it. */
static void comparison_row(struct eval_report *r, const char *task, const json_t *metric,
                           const json_t *e, bool many)
{
    struct report_page *p = &r->page;
    double low, high, p_value = eval_report_number(e, "p"),
                      adjusted = eval_report_number(e, "p_adjusted");
    eval_report_interval(e, &low, &high);
    const json_t *m = json_object_get(e, "mcnemar");
    const char *a = "A", *b = "B";
    if (many) {
        a = json_string_value(json_object_get(e, "run_a"));
        b = json_string_value(json_object_get(e, "run_b"));
    }
    report_page_html(p, "<tr><td class=\"task\">");
    report_page_text(p, task);
    report_page_html(p, "</td><td>");
    report_page_text(p, json_string_value(metric));
    report_page_format(p, "</td><td class=\"n\">%.0f</td><td class=\"tight\">%s \u2212 %s</td>",
                       eval_report_number(e, "n"), a, b);
    eval_report_number_cell(p, eval_report_number(e, "a"), "\u2013");
    eval_report_number_cell(p, eval_report_number(e, "b"), "\u2013");
    report_page_format(p, "<td class=\"n\">%+.4f</td><td class=\"n\">%+.4f to %+.4f</td>",
                       eval_report_number(e, "difference"), low, high);
    if (json_is_object(m))
        report_page_format(p, "<td class=\"n\">%.0f : %.0f</td>", eval_report_number(m, "b"),
                           eval_report_number(m, "c"));
    else
        report_page_html(p, "<td class=\"n\">\u2013</td>");
    report_page_format(p, "<td class=\"n\">%.3g</td><td class=\"n\">%.3g</td>", p_value, adjusted);
    const char *better = json_string_value(json_object_get(e, "better"));
    bool decided = json_is_true(json_object_get(json_object_get(e, "decide"), "decided"));
    if (decided && better)
        report_page_format(p, "<td class=\"tight better\">%s is better</td></tr>\n",
                           *better == 'a' ? a : b);
    else
        report_page_html(p, "<td class=\"muted\">undecided</td></tr>\n");
}

static void comparison_table(struct eval_report *r, const json_t *comparison)
{
    struct report_page *p = &r->page;
    report_page_section(p, "comparison", "Comparison");
    report_page_html(p, "<dl class=\"pairs\">");
    size_t i;
    json_t *run;
    json_array_foreach(json_object_get(comparison, "runs"), i, run)
    {
        report_page_html(p, "<dt>");
        report_page_text(p, json_string_value(json_object_get(run, "run")));
        report_page_html(p, "</dt><dd>");
        report_page_text(p, eval_report_run_name(r, i));
        report_page_html(p, "</dd>");
    }
    report_page_html(p, "</dl>\n");
    report_page_paragraph(
        p, "The same items, matched by the hash of the document. p is McNemar's mid-p where scores "
           "are 0 or 1, else that of a paired test; it is adjusted by Holm's method for all tests "
           "of this page. Only right: items that only the first, or only the second has right.");
    report_page_html(p,
                     "<div class=\"wide\"><table><thead><tr><th>task</th><th>metric</th>"
                     "<th class=\"n\">n</th><th>runs</th><th class=\"n\">first</th>"
                     "<th class=\"n\">second</th><th class=\"n\">difference</th>"
                     "<th class=\"n\">95 % interval</th><th class=\"n\">only right</th>"
                     "<th class=\"n\">p</th><th class=\"n\">p adjusted</th><th></th></tr></thead>"
                     "<tbody>\n");
    const char *task;
    json_t *e, *pair;
    json_object_foreach(json_object_get(comparison, "tasks"), task, e)
    {
        const json_t *metric = json_object_get(e, "metric"), *pairs = json_object_get(e, "pairs");
        if (!pairs)
            comparison_row(r, task, metric, e, false);
        json_array_foreach(pairs, i, pair) comparison_row(r, task, metric, pair, true);
    }
    report_page_html(p, "</tbody></table></div>\n");
}

/* Runs that share no items have no such section. */
static void comparison_section(struct eval_report *r)
{
    if (r->n_runs < 2 || r->page.rc)
        return;
    struct eval_runs_options options = EVAL_RUNS_OPTIONS_DEFAULT;
    struct eval_runs_comparison c;
    int rc = eval_runs_compare(r->runs, r->n_runs, &options, &c);
    if (rc) {
        r->page.rc = rc == BASE_E_ARGUMENT ? 0 : rc;
        return;
    }
    json_t *comparison = eval_runs_comparison_json(&c);
    if (comparison)
        comparison_table(r, comparison);
    else
        r->page.rc = BASE_E_MEMORY;
    json_decref(comparison);
    eval_runs_comparison_free(&c);
}

/* ---- per task: categories, confusion, calibration ---- */

/* The first metric of a category's results, or the one already chosen: NULL when there is none. */
static json_t *metric_of(const json_t *metrics, const char **chosen)
{
    const char *metric;
    json_t *entry;
    if (*chosen)
        return json_object_get(metrics, *chosen);
    json_object_foreach((json_t *)(uintptr_t)metrics, metric, entry)
    {
        if (eval_report_is_metric(entry)) {
            *chosen = metric;
            return entry;
        }
    }
    return NULL;
}

static const json_t *task_part(const struct eval_report *r, size_t run, const char *task,
                               const char *part)
{
    return json_object_get(json_object_get(eval_run_results(r->runs[run]), task), part);
}

/* Bars of all runs, for the categories of the first run that has them. */
static void categories_show(struct eval_report *r, const char *task)
{
    const json_t *by = NULL;
    for (size_t i = 0; i < r->n_runs && json_object_size(by) < 2; i++)
        by = task_part(r, i, task, "by_category");
    if (json_object_size(by) < 2 || r->page.rc)
        return;
    struct bar_data d;
    size_t n = json_object_size(by) < MOST_ROWS ? json_object_size(by) : MOST_ROWS;
    size_t groups = r->n_runs < MOST_GROUPS ? r->n_runs : MOST_GROUPS;
    if ((r->page.rc = bar_data_make(&d, n, groups)))
        return;
    const char *category, *chosen = NULL;
    json_t *unused;
    size_t row = 0;
    bool share = true;
    json_object_foreach((json_t *)(uintptr_t)by, category, unused)
    {
        if (row == n)
            break;
        for (size_t g = 0; g < groups; g++) {
            const json_t *entry =
                metric_of(json_object_get(task_part(r, g, task, "by_category"), category), &chosen);
            if (!entry)
                continue;
            size_t at = row * groups + g;
            share = share && is_share(entry);
            d.value[at] = eval_report_number(entry, "value");
            eval_report_interval(entry, &d.low[at], &d.high[at]);
        }
        d.categories[row++] = category;
    }
    for (size_t g = 0; g < groups && r->n_runs > 1; g++)
        d.groups[g] = eval_report_run_name(r, g);
    char title[400], name[400];
    snprintf(title, sizeof title, "%s by category: %s", task, chosen ? chosen : "no metric");
    snprintf(name, sizeof name, "categories-%s", task);
    if (chosen)
        bars_show(r, &d, name, title, NULL, NULL, share);
    base_free(d.value);
}

static void confusion_show(struct eval_report *r, const char *task, const char *run, size_t k,
                           const json_t *confusion)
{
    const json_t *labels = json_object_get(confusion, "labels"),
                 *matrix = json_object_get(confusion, "matrix");
    size_t n = json_array_size(labels);
    if (n == 0 || n > 64 || json_array_size(matrix) != n || r->page.rc)
        return;
    const char *names[64];
    double *counts = base_alloc(n * n, sizeof *counts);
    if (!counts) {
        r->page.rc = BASE_E_MEMORY;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *label = json_string_value(json_array_get(labels, i));
        names[i] = label ? label : "?";
        for (size_t j = 0; j < n; j++) {
            const json_t *v = json_array_get(json_array_get(matrix, i), j);
            counts[i * n + j] = json_is_number(v) ? json_number_value(v) : 0;
        }
    }
    char title[400], name[400];
    snprintf(title, sizeof title, "%s: what was said for what is true%s%s", task,
             r->n_runs > 1 ? ", " : "", r->n_runs > 1 ? run : "");
    snprintf(name, sizeof name, "confusion-%s-%zu", task, k + 1);
    struct report_heat heat = { .title = title,
                                .row_label = "true",
                                .column_label = "said",
                                .labels = names,
                                .n = n,
                                .counts = counts };
    report_page_heat(&r->page, &heat);
    PLOT(r, name, report_heat_write(&heat, path));
    base_free(counts);
}

/* Wilson's interval of a share, at 95 %: from the counts that the bins hold. */
static void calibration_show(struct eval_report *r, const char *task, const char *run, size_t k,
                             const json_t *bins, const json_t *ece)
{
    enum { MOST = 100 };
    size_t n = json_array_size(bins);
    if (n == 0 || n > MOST || r->page.rc)
        return;
    double confidence[MOST], accuracy[MOST], low[MOST], high[MOST], weight[MOST];
    for (size_t i = 0; i < n; i++) {
        const json_t *b = json_array_get(bins, i);
        weight[i] = eval_report_number(b, "n");
        confidence[i] = eval_report_number(b, "confidence");
        accuracy[i] = eval_report_number(b, "accuracy");
        low[i] = high[i] = accuracy[i];
        struct stats_interval ci;
        if (weight[i] > 0 && accuracy[i] >= 0 &&
            !stats_interval_wilson(round(accuracy[i] * weight[i]), weight[i], 0.95, &ci)) {
            low[i] = ci.low;
            high[i] = ci.high;
        }
    }
    char title[400], name[400], sub[400] = "";
    double error = eval_report_number(ece, "value");
    snprintf(title, sizeof title, "%s: is it as sure as it is right?%s%s", task,
             r->n_runs > 1 ? " " : "", r->n_runs > 1 ? run : "");
    if (isfinite(error))
        snprintf(sub, sizeof sub,
                 "Expected calibration error %.3f. Below the diagonal: surer than right.", error);
    snprintf(name, sizeof name, "calibration-%s-%zu", task, k + 1);
    struct report_calibration c = { .title = title,
                                    .subtitle = sub,
                                    .confidence = confidence,
                                    .accuracy = accuracy,
                                    .low = low,
                                    .high = high,
                                    .weight = weight,
                                    .n = n };
    report_page_calibration(&r->page, &c);
    PLOT(r, name, report_calibration_write(&c, path));
}

static void details_section(struct eval_report *r)
{
    const char *tasks[MOST_ROWS];
    size_t n = task_names(r, tasks);
    bool any = false;
    for (size_t t = 0; t < n && !r->page.rc; t++) {
        bool has = false;
        for (size_t i = 0; i < r->n_runs; i++)
            has = has || json_object_size(task_part(r, i, tasks[t], "by_category")) > 1 ||
                  task_part(r, i, tasks[t], "confusion") ||
                  json_array_size(task_part(r, i, tasks[t], "calibration"));
        if (!has)
            continue;
        if (!any)
            report_page_section(&r->page, "details", "Where it is right and wrong");
        any = true;
        categories_show(r, tasks[t]);
        report_page_html(&r->page, "<div class=\"side\">");
        for (size_t i = 0; i < r->n_runs; i++)
            confusion_show(r, tasks[t], eval_report_run_name(r, i), i,
                           task_part(r, i, tasks[t], "confusion"));
        report_page_html(&r->page, "</div><div class=\"side\">");
        for (size_t i = 0; i < r->n_runs; i++)
            calibration_show(r, tasks[t], eval_report_run_name(r, i), i,
                             task_part(r, i, tasks[t], "calibration"),
                             task_part(r, i, tasks[t], "ece"));
        report_page_html(&r->page, "</div>\n");
    }
}

/* ---- environment ---- */

/* Every scalar of an object as name and value, names joined by a point. */
static void pairs(struct report_page *p, const char *prefix, const json_t *value)
{
    const char *key;
    json_t *v;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, v)
        {
            char name[256];
            snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
            pairs(p, name, v);
        }
        return;
    }
    if (!value || json_is_null(value))
        return;
    report_page_html(p, "<dt>");
    report_page_text(p, prefix);
    report_page_html(p, "</dt><dd>");
    if (json_is_string(value))
        report_page_text(p, json_string_value(value));
    else {
        char *text = base_json_dump(value, false);
        report_page_text(p, text);
        base_free(text);
    }
    report_page_html(p, "</dd>\n");
}

static void environment_section(struct eval_report *r)
{
    struct report_page *p = &r->page;
    report_page_section(p, "environment", "How this was measured");
    for (size_t i = 0; i < r->n_runs; i++) {
        const json_t *config = eval_run_config(r->runs[i]);
        report_page_html(p, "<h3>");
        report_page_text(p, eval_report_run_name(r, i));
        report_page_html(p, "</h3>\n<dl class=\"pairs\">");
        static const char *const parts[] = { "command", "model", "options", "environment" };
        pairs(p, "run", json_object_get(eval_run_record(r->runs[i]), "id"));
        pairs(p, "time", json_object_get(eval_run_record(r->runs[i]), "time"));
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            pairs(p, parts[k], json_object_get(config, parts[k]));
        report_page_html(p, "</dl>\n<details><summary>Task definitions</summary><pre>");
        const json_t *tasks = json_object_get(config, "tasks");
        char *text = tasks ? base_json_dump(tasks, true) : NULL;
        report_page_text(p, text ? text : "none recorded");
        base_free(text);
        report_page_html(p, "</pre></details>\n");
    }
}

static char *title_make(const struct eval_report *r, const char *const *tasks, size_t n)
{
    char names[512] = "";
    for (size_t i = 0; i < r->n_runs && i < 4; i++) {
        size_t at = strlen(names);
        snprintf(names + at, sizeof names - at, "%s%s",
                 i == 0               ? ""
                 : i + 1 == r->n_runs ? " and "
                                      : ", ",
                 eval_report_run_name(r, i));
    }
    return n == 1 ? base_format("%s on %s", names, tasks[0])
                  : base_format("%s on %zu tasks", names, n);
}

int eval_report_write(const struct eval_run *const *runs, size_t n_runs, const char *path,
                      const struct eval_report_options *options, size_t *n_plots)
{
    static const struct eval_report_options defaults = EVAL_REPORT_OPTIONS_DEFAULT;
    struct eval_report r = { .runs = runs,
                             .n_runs = n_runs,
                             .options = options ? options : &defaults };
    if (n_runs == 0)
        return base_error_set(BASE_E_ARGUMENT, "report: no run given");
    const char *tasks[MOST_ROWS];
    size_t n = task_names(&r, tasks);
    char *title = NULL, *subtitle = NULL;
    title = r.options->title ? base_strdup(r.options->title) : title_make(&r, tasks, n);
    const char *time = json_string_value(json_object_get(eval_run_record(runs[0]), "time"));
    subtitle = base_format("%zu run%s, %zu task%s, measured with Assay %s%s%s", n_runs,
                           n_runs == 1 ? "" : "s", n, n == 1 ? "" : "s", ASSAY_VERSION,
                           time ? ", " : "", time ? time : "");
    int rc = title && subtitle ? 0 : BASE_E_MEMORY;
    if (!rc && r.options->plots)
        rc = base_file_make_directories(r.options->plots);
    if (!rc) {
        report_page_begin(&r.page, title, subtitle);
        results_section(&r);
        eval_report_strategies(&r);
        comparison_section(&r);
        details_section(&r);
        if (r.options->samples && !r.page.rc) {
            int failed = eval_report_samples(&r);
            if (!r.page.rc)
                r.page.rc = failed;
        }
        environment_section(&r);
        rc = report_page_write(&r.page, path);
    }
    if (n_plots)
        *n_plots = r.plots;
    report_page_free(&r.page);
    base_free(title);
    base_free(subtitle);
    return rc;
}
