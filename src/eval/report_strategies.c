/* The report's section on prompting strategies: the paired tests that `assay eval --strategies`
 * stored with the run (runner_pairs.h), as a table, and their differences as points with whiskers
 * around zero. Nothing is computed here; what a run does not have is not shown. */
#include "base/memory.h"
#include "eval/report_private.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PAIRS = 512 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "?";
}

/* The level of the pairs' intervals, in per cent; 95 where no pair could be tested. */
static double level_of(const json_t *strategies)
{
    const char *task;
    json_t *pairs, *pair;
    size_t k;
    json_object_foreach((json_t *)(uintptr_t)strategies, task, pairs)
    {
        json_array_foreach(pairs, k, pair)
        {
            double level = eval_report_number(pair, "level");
            if (level > 0 && level < 1)
                return 100 * level;
        }
    }
    return 95;
}

/* "icl − cloze": what the difference is of. */
static void pair_name(const json_t *pair, char *out, size_t room)
{
    snprintf(out, room, "%.60s \u2212 %.60s", text_of(pair, "b"), text_of(pair, "a"));
}

static void pair_row(struct report_page *p, const char *task, const json_t *pair)
{
    char name[160];
    double low, high;
    const json_t *m = json_object_get(pair, "mcnemar");
    const char *reason = json_string_value(json_object_get(pair, "reason"));
    pair_name(pair, name, sizeof name);
    report_page_html(p, "<tr><td class=\"task\">");
    report_page_text(p, task);
    report_page_html(p, "</td><td>");
    report_page_text(p, text_of(pair, "metric"));
    report_page_html(p, "</td><td class=\"tight\">");
    report_page_text(p, name);
    report_page_format(p, "</td><td class=\"n\">%.0f</td>", fmax(0, eval_report_number(pair, "n")));
    if (reason) {
        report_page_html(p, "<td colspan=\"7\" class=\"muted\">");
        report_page_text(p, reason);
        report_page_html(p, "</td></tr>\n");
        return;
    }
    eval_report_interval(pair, &low, &high);
    eval_report_number_cell(p, eval_report_number(pair, "mean_b"), "\u2013");
    eval_report_number_cell(p, eval_report_number(pair, "mean_a"), "\u2013");
    report_page_format(p, "<td class=\"n\">%+.4f</td><td class=\"n\">%+.4f to %+.4f</td>",
                       eval_report_number(pair, "difference"), low, high);
    if (json_is_object(m))
        report_page_format(p, "<td class=\"n\">%.0f : %.0f</td>", eval_report_number(m, "c"),
                           eval_report_number(m, "b"));
    else
        report_page_html(p, "<td class=\"n\">\u2013</td>");
    double adjusted = eval_report_number(pair, "p_adjusted");
    bool decided = adjusted < 0.05;
    report_page_format(p, "<td class=\"n\">%.3g</td><td class=\"n%s\">%.3g</td></tr>\n",
                       eval_report_number(pair, "p"), decided ? " better" : "", adjusted);
}

/* A row per pair, with a difference and its interval: report_bars' arrays. */
struct differences {
    char name[MOST_PAIRS][224];
    const char *category[MOST_PAIRS];
    double value[MOST_PAIRS], low[MOST_PAIRS], high[MOST_PAIRS];
    size_t n;
};

static void difference_add(struct differences *d, const char *task, bool several,
                           const json_t *pair)
{
    char name[160];
    double value = eval_report_number(pair, "difference");
    if (d->n == MOST_PAIRS || !isfinite(value))
        return;
    pair_name(pair, name, sizeof name);
    snprintf(d->name[d->n], sizeof d->name[0], "%.60s%s%s", several ? task : "",
             several ? ": " : "", name);
    d->category[d->n] = d->name[d->n];
    d->value[d->n] = value;
    eval_report_interval(pair, &d->low[d->n], &d->high[d->n]);
    d->n++;
}

static void run_show(struct eval_report *r, size_t i, const json_t *strategies)
{
    struct report_page *p = &r->page;
    struct differences *d = base_alloc_zero(1, sizeof *d);
    if (!d) {
        p->rc = BASE_E_MEMORY;
        return;
    }
    const char *task, *run = eval_report_run_name(r, i);
    json_t *pairs, *pair;
    size_t k;
    bool several = json_object_size(strategies) > 1;
    double level = level_of(strategies);
    json_object_foreach((json_t *)(uintptr_t)strategies, task, pairs)
    {
        json_array_foreach(pairs, k, pair) difference_add(d, task, several, pair);
    }
    const double zero = 0;
    char title[400], sub[200], name[64];
    snprintf(title, sizeof title, "Differences between strategies, item by item%s%.200s",
             r->n_runs > 1 ? ": " : "", r->n_runs > 1 ? run : "");
    snprintf(sub, sizeof sub, "Points: difference of the means. Whiskers: %g %% intervals.", level);
    snprintf(name, sizeof name, r->n_runs > 1 ? "strategies-%zu" : "strategies", i + 1);
    struct report_bars bars = { .title = title,
                                .subtitle = sub,
                                .categories = d->category,
                                .n = d->n,
                                .n_groups = 1,
                                .values = d->value,
                                .low = d->low,
                                .high = d->high,
                                .points = true,
                                .reference = &zero,
                                .reference_name = "no difference" };
    if (d->n)
        eval_report_bars(r, &bars, name);
    base_free(d);
    if (r->n_runs > 1) {
        report_page_html(p, "<h3>");
        report_page_text(p, run);
        report_page_html(p, "</h3>\n");
    }
    report_page_format(p,
                       "<div class=\"wide\"><table><thead><tr><th>task</th><th>metric</th>"
                       "<th>strategies</th><th class=\"n\">n</th><th class=\"n\">first</th>"
                       "<th class=\"n\">second</th><th class=\"n\">difference</th>"
                       "<th class=\"n\">%g&nbsp;%% interval</th><th class=\"n\">only right</th>"
                       "<th class=\"n\">p</th><th class=\"n\">p adjusted</th></tr></thead>"
                       "<tbody>\n",
                       level);
    json_object_foreach((json_t *)(uintptr_t)strategies, task, pairs)
    {
        json_array_foreach(pairs, k, pair) pair_row(p, task, pair);
    }
    report_page_html(p, "</tbody></table></div>\n");
}

void eval_report_strategies(struct eval_report *r)
{
    bool any = false;
    for (size_t i = 0; i < r->n_runs && !r->page.rc; i++) {
        const json_t *strategies = json_object_get(eval_run_record(r->runs[i]), "strategies");
        if (json_object_size(strategies) == 0)
            continue;
        if (!any) {
            report_page_section(&r->page, "strategies", "Strategies");
            report_page_paragraph(
                &r->page,
                "The same items, asked in several ways. p is McNemar's mid-p where scores are 0 or "
                "1, else that of the paired t test; it is adjusted by Holm's method over the pairs "
                "of a task. Only right: items that only the first, or only the second has right.");
        }
        any = true;
        run_show(r, i, strategies);
    }
}
