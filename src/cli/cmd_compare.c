/* assay compare: runs against each other, item by item. */
#include "base/memory.h"
#include "cli/display.h"
#include "eval/compare_runs.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_compare = {
    .name = "compare",
    .synopsis = "[options] RUN_A RUN_B [RUN...]",
    .summary = "Compare runs on the same items: paired tests, intervals, what would decide",
    .details =
        "RUN is a run's directory (Assay's or lm-eval's), a results_*.json or samples_*.jsonl "
        "file, "
        "or the id of a run in the store (`assay runs` lists them; the first digits are "
        "enough).\n\n"
        "Items are matched by the hash of their document; those that not all runs have are counted "
        "and left out. 0/1 scores: the table of pairs, McNemar's test (mid-p; exact and "
        "chi-squared "
        "beside it with --json), and the difference of the shares. Other scores: paired t and "
        "bootstrap. Perplexities: the difference of their logarithms over documents. p-values are "
        "corrected for the number of tests by Holm's method (p_bh: Benjamini and Hochberg's). "
        "Three "
        "runs and more: Cochran's Q, and all pairs. An unpaired test is never made.\n\n"
        "  assay compare results/small results/large\n"
        "  assay compare 3fa2c1 88d0 --task arc_easy --metric acc_norm\n"
        "  assay compare lm-eval-out/gpt2 results/gpt2 --json",
    .run = run,
};

struct arguments {
    const char *metric, *store;
    struct cli_strings tasks;
    double level, power;
    int64_t resamples;
    bool details;
};

/* ---- text ---- */

static void label(size_t r, char out[24])
{
    if (r < 26)
        snprintf(out, 24, "%c", (int)('A' + r));
    else
        snprintf(out, 24, "%c%zu", (int)('A' + r % 26), r / 26);
}

/* Digits that n items can mean something by: 3 decimals up to 10,000 items, then 4. */
static int decimals(size_t n)
{
    return n < 10000 ? 3 : 4;
}

static void value_text(char *out, size_t n, const struct eval_runs_task *t, double x)
{
    if (isnan(x))
        snprintf(out, n, "-");
    else
        snprintf(out, n, "%.*f", decimals(t->n), x);
}

/* A difference or an end of its interval: perplexities as a factor. */
static void difference_text(char *out, size_t n, const struct eval_runs_task *t, double x)
{
    if (isnan(x))
        snprintf(out, n, "-");
    else if (t->scale == EVAL_RUNS_LOG_RATIO)
        snprintf(out, n, "x%.*f", decimals(t->n), exp(x));
    else
        snprintf(out, n, "%+.*f", decimals(t->n), x);
}

/* "A", "B" or "open". */
static void verdict(char out[24], const struct eval_runs_task *t, const struct eval_runs_pair *p,
                    double alpha)
{
    bool a = t->higher_is_better ? p->difference > 0 : p->difference < 0;
    if (p->holm < alpha && p->difference != 0)
        label(a ? p->a : p->b, out);
    else
        snprintf(out, 24, "open");
}

static bool one_metric(const struct eval_runs_comparison *c, const char **metric)
{
    *metric = NULL;
    for (size_t i = 0; i < c->n_tasks; i++) {
        if (!c->tasks[i].n_pairs)
            continue;
        if (*metric && strcmp(*metric, c->tasks[i].metric) != 0)
            return false;
        *metric = c->tasks[i].metric;
    }
    return true;
}

static void add_difference(struct cli_table *t, const struct eval_runs_task *task,
                           const struct eval_runs_pair *p, double alpha)
{
    char text[3][48], better[24];
    difference_text(text[0], sizeof text[0], task, p->difference);
    cli_table_add(t, "%s", text[0]);
    difference_text(text[1], sizeof text[1], task, p->interval.low);
    difference_text(text[2], sizeof text[2], task, p->interval.high);
    cli_table_add(t, "%s .. %s", text[1], text[2]);
    cli_p_text(text[0], sizeof text[0], p->holm);
    cli_table_add(t, "%s", text[0]);
    verdict(better, task, p, alpha);
    cli_table_add(t, "%s", better);
}

static int two_runs_table(struct base_buffer *b, const struct eval_runs_comparison *c)
{
    const char *metric;
    bool same = one_metric(c, &metric);
    char interval[32], text[48];
    snprintf(interval, sizeof interval, "%g %% interval", 100 * c->options.level);
    const struct cli_column columns[] = {
        { "task", false, true },
        { "n", true, false },
        { "A", true, false },
        { "B", true, false },
        { "A - B", true, false },
        { interval, true, false },
        { c->tests > 1 ? "p (Holm)" : "p", true, false },
        { "better", false, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 8 };
    for (size_t i = 0; i < c->n_tasks; i++) {
        const struct eval_runs_task *task = &c->tasks[i];
        if (!task->n_pairs)
            continue;
        if (same)
            cli_table_add(&t, "%s", task->name);
        else
            cli_table_add(&t, "%s %s", task->name, task->metric);
        cli_table_add(&t, "%zu", task->n);
        value_text(text, sizeof text, task, task->pairs[0].value_a);
        cli_table_add(&t, "%s", text);
        value_text(text, sizeof text, task, task->pairs[0].value_b);
        cli_table_add(&t, "%s", text);
        add_difference(&t, task, &task->pairs[0], 1 - c->options.level);
    }
    return cli_table_append(b, &t);
}

/* A column per run, then Cochran's Q. */
static int many_runs_table(struct base_buffer *b, const struct eval_runs_comparison *c)
{
    struct cli_column *columns = base_alloc_zero(c->n_runs + 4, sizeof *columns);
    char(*titles)[24] = base_alloc(c->n_runs, sizeof *titles), text[48];
    int rc = columns && titles ? 0 : BASE_E_MEMORY;
    if (rc)
        goto out;
    columns[0] = (struct cli_column){ "task", false, true };
    columns[1] = (struct cli_column){ "n", true, false };
    for (size_t r = 0; r < c->n_runs; r++) {
        label(r, titles[r]);
        columns[2 + r] = (struct cli_column){ titles[r], true, false };
    }
    columns[2 + c->n_runs] = (struct cli_column){ "Cochran's Q", true, false };
    columns[3 + c->n_runs] = (struct cli_column){ "p (Holm)", true, false };
    struct cli_table t = { .columns = columns, .n_columns = c->n_runs + 4 };
    for (size_t i = 0; i < c->n_tasks; i++) {
        const struct eval_runs_task *task = &c->tasks[i];
        if (!task->n_pairs)
            continue;
        cli_table_add(&t, "%s %s", task->name, task->metric);
        cli_table_add(&t, "%zu", task->n);
        for (size_t r = 0; r < c->n_runs; r++) {
            /* pairs (0, 1), (0, 2), ... come first: run r is b of the (r-1)-th */
            value_text(text, sizeof text, task,
                       r ? task->pairs[r - 1].value_b : task->pairs[0].value_a);
            cli_table_add(&t, "%s", text);
        }
        if (task->has_cochran) {
            cli_table_add(&t, "%.3f", task->cochran.q);
            cli_p_text(text, sizeof text, task->cochran_holm);
            cli_table_add(&t, "%s", text);
        } else {
            cli_table_add(&t, "-");
            cli_table_add(&t, "-");
        }
    }
    rc = cli_table_append(b, &t);
out:
    base_free(columns);
    base_free(titles);
    return rc;
}

static int pairs_table(struct base_buffer *b, const struct eval_runs_comparison *c)
{
    char interval[32], text[2][24];
    snprintf(interval, sizeof interval, "%g %% interval", 100 * c->options.level);
    const struct cli_column columns[] = {
        { "task", false, true },   { "pair", false, false },    { "difference", true, false },
        { interval, true, false }, { "p (Holm)", true, false }, { "better", false, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    for (size_t i = 0; i < c->n_tasks; i++)
        for (size_t k = 0; k < c->tasks[i].n_pairs; k++) {
            const struct eval_runs_pair *p = &c->tasks[i].pairs[k];
            label(p->a, text[0]);
            label(p->b, text[1]);
            cli_table_add(&t, "%s", c->tasks[i].name);
            cli_table_add(&t, "%s - %s", text[0], text[1]);
            add_difference(&t, &c->tasks[i], p, 1 - c->options.level);
        }
    return cli_table_append(b, &t);
}

/* ---- words ---- */

struct words {
    const struct eval_runs_comparison *c;
    const struct eval_runs_task *t;
    const struct eval_runs_pair *p;
    char a[24], b[24];
};

/* "3.25 points", or a plain number. */
static void amount(char *out, size_t n, enum eval_runs_scale scale, double x)
{
    if (scale == EVAL_RUNS_BINARY)
        snprintf(out, n, "%.2f point%s", 100 * fabs(x), fabs(100 * x) == 1 ? "" : "s");
    else if (scale == EVAL_RUNS_LOG_RATIO)
        snprintf(out, n, "a factor of %.4f", exp(fabs(x)));
    else
        snprintf(out, n, "%.4g", fabs(x));
}

static int say_difference(struct base_buffer *b, const struct words *w)
{
    const struct eval_runs_pair *p = w->p;
    char by[48], value[48], low[48], high[48];
    bool decided = p->holm < 1 - w->c->options.level;
    int rc;
    if (w->t->scale == EVAL_RUNS_BINARY)
        rc = base_buffer_printf(b, "%s is right on %.2f %% of %zu items, %s on %.2f %%", w->a,
                                100 * p->value_a, p->n, w->b, 100 * p->value_b);
    else
        rc = base_buffer_printf(b, "%s has %s %.4f over %zu items, %s %.4f", w->a, w->t->metric,
                                p->value_a, p->n, w->b, p->value_b);
    if (rc)
        return rc;
    if (p->difference == 0) {
        rc = base_buffer_puts(b, ": no difference");
    } else {
        amount(by, sizeof by, w->t->scale, p->difference);
        rc = base_buffer_printf(b, ": %s is ahead by %s",
                                (p->difference > 0) == w->t->higher_is_better ? w->a : w->b, by);
    }
    difference_text(low, sizeof low, w->t, p->interval.low);
    difference_text(high, sizeof high, w->t, p->interval.high);
    if (rc == 0 && p->n > 1)
        rc = base_buffer_printf(b, " (%s %s %s: %g %% interval %s .. %s)", w->a,
                                w->t->scale == EVAL_RUNS_LOG_RATIO ? "/" : "-", w->b,
                                100 * w->c->options.level, low, high);
    cli_p_text(value, sizeof value, p->p);
    if (rc == 0)
        rc = base_buffer_printf(b, ". %s: %s p = %s", decided ? "That is decided" : "That is open",
                                w->t->scale == EVAL_RUNS_BINARY   ? "McNemar's mid-p test,"
                                : w->t->scale == EVAL_RUNS_LABELS ? "the bootstrap over items,"
                                                                  : "the paired t test,",
                                value);
    if (rc == 0 && w->c->tests > 1) {
        cli_p_text(value, sizeof value, p->holm);
        rc =
            base_buffer_printf(b, ", %s after Holm's correction for %zu tests", value, w->c->tests);
    }
    return rc ? rc : base_buffer_puts(b, ".");
}

static const char *size_of_h(double h)
{
    h = fabs(h);
    return h < 0.2 ? "less than small" : h < 0.5 ? "small" : h < 0.8 ? "medium" : "large";
}

static int say_effect(struct base_buffer *b, const struct words *w)
{
    const struct eval_runs_pair *p = w->p;
    if (w->t->scale != EVAL_RUNS_BINARY) {
        if (isnan(p->dz))
            return 0;
        int rc = base_buffer_printf(b, " Effect: d_z %+.3f standard deviations of the difference",
                                    p->dz);
        if (rc == 0 && p->has_bootstrap) {
            char low[48], high[48];
            difference_text(low, sizeof low, w->t, p->bootstrap.low);
            difference_text(high, sizeof high, w->t, p->bootstrap.high);
            rc = base_buffer_printf(b, "; bootstrap interval %s .. %s", low, high);
        }
        return rc ? rc : base_buffer_puts(b, ".");
    }
    double apart = p->only_a + p->only_b;
    int rc = 0;
    if (apart > 0)
        rc = base_buffer_printf(b,
                                " %.0f items tell them apart: only %s is right on %.0f of them, "
                                "only %s on %.0f",
                                apart, w->a, p->only_a, w->b, p->only_b);
    if (rc == 0 && apart > 0 && isfinite(p->mcnemar.odds_ratio) && p->mcnemar.odds_ratio > 0)
        rc = base_buffer_printf(b, " (odds %.2f to 1, interval %.2f .. %.2f)",
                                p->mcnemar.odds_ratio, p->mcnemar.odds_ratio_interval.low,
                                p->mcnemar.odds_ratio_interval.high);
    if (rc == 0)
        rc = base_buffer_printf(b, "%s Cohen's h %+.3f, %s.", apart > 0 ? "." : "", p->h,
                                size_of_h(p->h));
    return rc;
}

static int say_overlap(struct base_buffer *b, const struct words *w)
{
    const struct eval_runs_pair *p = w->p;
    if (p->n < 2)
        return base_buffer_puts(b, "One item shows no spread, so nothing can be said.");
    bool decided = p->holm < 1 - w->c->options.level;
    int rc = base_buffer_printf(b, "Their own intervals (%s %.4f .. %.4f, %s %.4f .. %.4f) ", w->a,
                                p->interval_a.low, p->interval_a.high, w->b, p->interval_b.low,
                                p->interval_b.high);
    if (rc)
        return rc;
    if (p->overlap && decided)
        rc = base_buffer_puts(b, "overlap, and yet the difference is decided: both answered the "
                                 "same items, and what makes an item hard for both cancels out.");
    else if (p->overlap)
        rc = base_buffer_puts(b, "overlap; that alone would not show them equal, but the paired "
                                 "test, which does count, sees no clear difference either.");
    else if (decided)
        rc = base_buffer_puts(b, "do not even overlap.");
    else
        rc = base_buffer_puts(b, "do not overlap, but the test of the same items, corrected for "
                                 "the number of tests, does not tell them apart.");
    if (rc == 0 && p->se > 0 && p->se < 0.95 * p->unpaired_se)
        rc =
            base_buffer_printf(b,
                               " Thanks to the same items the standard error is %.2f times that of "
                               "two samples of different items.",
                               p->se / p->unpaired_se);
    return rc;
}

static int say_clusters(struct base_buffer *b, const struct words *w)
{
    const struct eval_runs_pair *p = w->p;
    char value[48], low[48], high[48];
    if (!p->clusters)
        return 0;
    cli_p_text(value, sizeof value, p->clustered_p);
    difference_text(low, sizeof low, w->t, p->clustered.low);
    difference_text(high, sizeof high, w->t, p->clustered.high);
    double alpha = 1 - w->c->options.level;
    return base_buffer_printf(b,
                              " The items come in %zu clusters, and those of a cluster may go "
                              "wrong together: with clustered errors the interval is %s .. %s, p = "
                              "%s%s",
                              p->clusters, low, high, value,
                              (p->p < alpha) == (p->clustered_p < alpha)
                                  ? "."
                                  : ", which says otherwise: trust it more.");
}

static int say_plan(struct base_buffer *b, const struct words *w)
{
    const struct eval_runs_pair *p = w->p;
    char seen[48];
    double more = ceil(p->items - (double)p->n), power = 100 * w->c->options.power;
    if (p->holm < 1 - w->c->options.level || isnan(p->detectable))
        return 0;
    amount(seen, sizeof seen, w->t->scale, p->detectable);
    int rc = 0;
    if (!isfinite(p->items))
        rc = base_buffer_puts(b, "No difference was seen, so no number of items follows from it.");
    else if (more > 0)
        rc = base_buffer_printf(b,
                                "If the difference is what it seems, %.0f items in all (%.0f more) "
                                "would show it with %g %% power.",
                                ceil(p->items), more, power);
    else
        rc = base_buffer_printf(b, "For a single test %.0f items would do with %g %% power.",
                                ceil(p->items), power);
    if (rc == 0)
        rc = base_buffer_printf(b, " %zu items show a difference of %s that often.", p->n, seen);
    return rc;
}

/* Paragraphs on one pair. */
static int say_pair(struct base_buffer *out, const struct words *w)
{
    static int (*const parts[])(struct base_buffer *, const struct words *) = { say_difference,
                                                                                say_effect };
    struct base_buffer text = { 0 };
    int rc = base_buffer_printf(&text, "%s: ", w->t->name);
    for (size_t i = 0; i < 2 && rc == 0; i++)
        rc = parts[i](&text, w);
    if (rc == 0)
        rc = cli_append_wrapped(out, 2, text.data);
    base_buffer_clear(&text);
    if (rc == 0 && (rc = say_overlap(&text, w)) == 0 && (rc = say_clusters(&text, w)) == 0 &&
        (rc = base_buffer_puts(&text, " ")) == 0 && (rc = say_plan(&text, w)) == 0)
        rc = cli_append_wrapped(out, 4, text.data);
    base_buffer_free(&text);
    return rc;
}

static int square(struct base_buffer *b, const struct eval_runs_pair *p)
{
    const struct cli_column columns[] = { { "", false, false },
                                          { "B right", true, false },
                                          { "B wrong", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 3 };
    cli_table_add(&t, "A right");
    cli_table_add(&t, "%.0f", p->both);
    cli_table_add(&t, "%.0f", p->only_a);
    cli_table_add(&t, "A wrong");
    cli_table_add(&t, "%.0f", p->only_b);
    cli_table_add(&t, "%.0f", p->neither);
    return cli_table_append(b, &t);
}

static int say_unmatched(struct base_buffer *b, const struct eval_runs_comparison *c)
{
    struct base_buffer text = { 0 };
    int rc = 0;
    for (size_t i = 0; i < c->n_tasks && rc == 0; i++)
        for (size_t r = 0; r < c->n_runs && rc == 0 && c->tasks[i].n_pairs; r++) {
            const struct eval_runs_unmatched *u = &c->tasks[i].unmatched[r];
            char name[24];
            if (u->count == 0)
                continue;
            label(r, name);
            base_buffer_clear(&text);
            rc = base_buffer_printf(&text,
                                    "%s: left out %zu item%s of %s that not all runs have: doc_id",
                                    c->tasks[i].name, u->count, u->count == 1 ? "" : "s", name);
            for (size_t k = 0; k < u->listed && k < 10 && rc == 0; k++)
                rc = base_buffer_printf(&text, "%s %u", k ? "," : "", u->doc[k]);
            if (rc == 0 && u->count > 10)
                rc = base_buffer_puts(&text, ", ... (--json lists more)");
            if (rc == 0)
                rc = cli_append_wrapped(b, 2, text.data);
        }
    for (size_t i = 0; i < c->n_tasks && rc == 0; i++) {
        if (c->tasks[i].n_pairs)
            continue;
        base_buffer_clear(&text);
        if ((rc = base_buffer_printf(&text, "%s: not compared: %s", c->tasks[i].name,
                                     c->tasks[i].reason)) == 0)
            rc = cli_append_wrapped(b, 2, text.data);
    }
    base_buffer_free(&text);
    return rc;
}

static int say_overall(struct base_buffer *b, const struct eval_runs_comparison *c)
{
    const struct eval_runs_overall *o = &c->overall;
    char p[48];
    if (!o->tasks)
        return 0;
    struct base_buffer text = { 0 };
    cli_p_text(p, sizeof p, o->macro_p);
    int rc = base_buffer_printf(&text,
                                "All %zu tasks: mean of the differences %+.4f (%+.4f .. %+.4f, p = "
                                "%s); all %.0f items as one task %+.4f (%+.4f .. %+.4f",
                                o->tasks, o->macro_difference, o->macro.low, o->macro.high, p,
                                o->micro_n, o->micro_difference, o->micro.low, o->micro.high);
    if (rc == 0 && o->binary) {
        cli_p_text(p, sizeof p, o->micro_mcnemar.midp);
        rc = base_buffer_printf(&text, ", McNemar's mid-p %s", p);
    }
    if (rc == 0)
        rc = base_buffer_puts(&text, ").");
    if (rc == 0)
        rc = cli_append_wrapped(b, 2, text.data);
    base_buffer_free(&text);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int lay_out(struct base_buffer *b, const struct eval_runs_comparison *c,
                   const struct arguments *a)
{
    const char *metric;
    int rc = 0;
    for (size_t r = 0; r < c->n_runs && rc == 0; r++) {
        char name[24];
        label(r, name);
        if ((rc = base_buffer_printf(b, "  %s  run %s  ", name, c->ids[r])) == 0 &&
            (rc = cli_append_visible(b, c->names[r], strlen(c->names[r]), cli_columns() - 24)) == 0)
            rc = base_buffer_puts(b, "\n");
    }
    if (rc == 0 && one_metric(c, &metric) && c->n_runs == 2)
        rc = base_buffer_printf(b, "  by %s\n", metric);
    if (rc == 0)
        rc = base_buffer_puts(b, "\n");
    if (rc == 0)
        rc = c->n_runs == 2 ? two_runs_table(b, c) : many_runs_table(b, c);
    if (rc == 0 && c->n_runs > 2 && (rc = base_buffer_puts(b, "\n")) == 0)
        rc = pairs_table(b, c);
    if (rc == 0)
        rc = base_buffer_puts(b, "\n");
    if (rc == 0)
        rc = say_overall(b, c);
    /* words for a few pairs; more are asked for */
    for (size_t i = 0; i < c->n_tasks && rc == 0 && (a->details || c->tests <= 3); i++)
        for (size_t k = 0; k < c->tasks[i].n_pairs && rc == 0; k++) {
            struct words w = { .c = c, .t = &c->tasks[i], .p = &c->tasks[i].pairs[k] };
            label(w.p->a, w.a);
            label(w.p->b, w.b);
            if (w.t->scale == EVAL_RUNS_BINARY && c->n_runs == 2 &&
                ((rc = square(b, w.p)) || (rc = base_buffer_puts(b, "\n"))))
                break;
            if ((rc = say_pair(b, &w)) == 0)
                rc = base_buffer_puts(b, "\n");
        }
    if (rc == 0 && !a->details && c->tests > 3)
        rc = cli_append_wrapped(b, 2,
                                "\"open\": the runs are not told apart. --details has the "
                                "tables of pairs, effect sizes, and what would decide.");
    return rc ? rc : say_unmatched(b, c);
}

/* ---- the command ---- */

static int check(const struct arguments *a, int n)
{
    if (n < 2)
        return cli_usage(&cli_command_compare, "give at least two runs");
    if (!(a->level > 0 && a->level < 1) || !(a->power > 0 && a->power < 1))
        return cli_usage(&cli_command_compare, "--level and --power must be between 0 and 1");
    if (a->resamples < 0 || a->resamples > 10000000)
        return cli_usage(&cli_command_compare, "--resamples must be 0 to 10000000");
    return 0;
}

static int run(int argc, char **argv)
{
    struct arguments a = { .level = 0.95, .power = 0.8, .resamples = 2000 };
    int n;
    const struct cli_option options[] = {
        { "metric", 0, CLI_STRING, &a.metric, "NAME",
          "Metric to compare by: acc, or acc,FILTER (default: the first that the runs share)." },
        { "task", 't', CLI_STRINGS, &a.tasks, "NAME", "Only this task; may repeat." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the intervals (default 0.95)." },
        { "power", 0, CLI_DOUBLE, &a.power, "P",
          "Power that the number of further items is for (default 0.8)." },
        { "resamples", 0, CLI_INT, &a.resamples, "N",
          "Bootstrap resamples for scores that are not 0/1 (default 2000; 0: none)." },
        { "details", 0, CLI_FLAG, &a.details, NULL, "Every pair in words, however many." },
        { "store", 0, CLI_STRING, &a.store, "FILE|URL",
          "Store for ids: an SQLite file or postgresql://... (default: see assay runs)." },
        { 0 }
    };
    int rc = cli_parse(&cli_command_compare, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = check(&a, n)))
        return rc;
    struct eval_runs_options how = {
        .metric = a.metric,
        .tasks = a.tasks.at,
        .n_tasks = a.tasks.count,
        .level = a.level,
        .power = a.power,
        .resamples = (size_t)a.resamples,
        .seed = (uint64_t)cli_common.seed,
    };
    struct eval_runs_comparison c = { 0 };
    struct eval_run **runs = base_alloc_zero((size_t)n, sizeof(struct eval_run *));
    int failed = runs ? 0 : BASE_E_MEMORY;
    for (int i = 0; i < n && failed == 0; i++)
        failed = eval_run_open(&runs[i], argv[i + 1], a.store);
    if (failed == 0)
        failed = eval_runs_compare((const struct eval_run *const *)runs, (size_t)n, &how, &c);
    if (failed) {
        rc = cli_fail(&cli_command_compare);
    } else if (cli_common.json) {
        rc = cli_print_json(&cli_command_compare, eval_runs_comparison_json(&c));
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &c, &a);
        rc = cli_print_text(&cli_command_compare, &b, rc);
    }
    eval_runs_comparison_free(&c);
    for (int i = 0; i < n && runs; i++)
        eval_run_close(runs[i]);
    base_free(runs);
    return rc;
}
