/* What assay classify found, as text: the table of the strategies, intervals, matrices, pairs. */
#include "base/memory.h"
#include "cli/cmd_classify.h"
#include "cli/display.h"
#include <math.h>
#include <string.h>

static const char *const short_names[CLASSIFY_MEASURES] = { "TNR", "TPR",     "prec.",  "F1",
                                                            "MCC", "bal.acc", "acc.",   "ROC",
                                                            "AP",  "F1 mac",  "F1 wgt", "kappa" };

/* The measures that are shown: two classes, more classes. */
static const enum classify_measure of_two[] = { CLASSIFY_TNR,       CLASSIFY_TPR,
                                                CLASSIFY_PRECISION, CLASSIFY_F1,
                                                CLASSIFY_MCC,       CLASSIFY_BALANCED_ACCURACY,
                                                CLASSIFY_ROC_AUC,   CLASSIFY_AVERAGE_PRECISION };
static const enum classify_measure of_more[] = { CLASSIFY_ACCURACY, CLASSIFY_BALANCED_ACCURACY,
                                                 CLASSIFY_F1_MACRO, CLASSIFY_F1_WEIGHTED,
                                                 CLASSIFY_MCC,      CLASSIFY_KAPPA };
/* Those with intervals; the pairs' differences use the first three or two. */
static const enum classify_measure with_interval[2][4] = {
    { CLASSIFY_TNR, CLASSIFY_TPR, CLASSIFY_MCC, CLASSIFY_AVERAGE_PRECISION },
    { CLASSIFY_ACCURACY, CLASSIFY_BALANCED_ACCURACY, CLASSIFY_F1_MACRO, CLASSIFY_MCC }
};

static const char *name_of(const struct classify_comparison *c, size_t s)
{
    return classify_strategy_name(c->outcome[s].strategy);
}

/* 39,774 */
static const char *thousands(double x)
{
    static char buffers[8][32];
    static unsigned next;
    char *out = buffers[next++ % 8], digits[24];
    int n = snprintf(digits, sizeof digits, "%.0f", x), at = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

static int append_head(struct base_buffer *b, const struct classify_shown *s)
{
    const struct classify_comparison *c = s->comparison;
    const struct classify_compare_options *o = s->options;
    struct base_buffer line = { 0 };
    int rc = base_buffer_printf(&line, "%s: %s rows", s->path, thousands((double)s->data->rows));
    if (!rc && s->data->skipped)
        rc = base_buffer_printf(&line, " (%s more with missing cells left out)",
                                thousands((double)s->data->skipped));
    if (!rc && s->has_text)
        rc = base_buffer_printf(&line, ", %s terms", thousands((double)s->terms));
    else if (!rc)
        rc = base_buffer_printf(&line, ", %s column%s", thousands((double)c->columns),
                                c->columns == 1 ? "" : "s");
    if (!rc && c->classes == 2) {
        double yes = 0;
        for (size_t i = 0; i < s->data->rows; i++)
            yes += s->data->y[i];
        rc = base_buffer_printf(&line, "; %s %s (negative), %s %s (positive)",
                                thousands((double)s->data->rows - yes), s->data->label[0],
                                thousands(yes), s->data->label[1]);
    } else if (!rc) {
        rc = base_buffer_printf(&line, "; %zu classes", c->classes);
    }
    if (!rc && o->split.kind == CLASSIFY_SPLIT_FOLDS)
        rc = base_buffer_printf(&line, ". %zu stratified folds, every row tested once.", c->folds);
    else if (!rc)
        rc = base_buffer_printf(&line, ". Trained on %s rows, tested on %s (%s).",
                                thousands((double)c->train), thousands((double)c->items),
                                o->split.kind == CLASSIFY_SPLIT_EVERY ? "every nth"
                                : o->split.stratify                   ? "at random, by class"
                                                                      : "at random");
    if (!rc)
        rc = base_buffer_printf(&line, " %s, C %g, solver %s.",
                                o->fit.linear.learner == CLASSIFY_SVM ? "SVM" : "Logistic",
                                o->fit.linear.c, classify_solver_names[o->fit.linear.solver]);
    if (!rc && s->has_text && o->terms_from_train)
        rc = base_buffer_printf(&line, " Terms and frequencies from the training rows (%s).",
                                thousands((double)c->columns));
    if (!rc)
        rc = cli_append_wrapped(b, 0, line.data);
    base_buffer_free(&line);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int append_measures(struct base_buffer *b, const struct classify_comparison *c)
{
    const enum classify_measure *shown = c->classes == 2 ? of_two : of_more;
    size_t n = c->classes == 2 ? sizeof of_two / sizeof *of_two : sizeof of_more / sizeof *of_more;
    struct cli_column columns[CLASSIFY_MEASURES + 1] = { { "strategy", false, false } };
    for (size_t k = 0; k < n; k++)
        columns[1 + k] = (struct cli_column){ short_names[shown[k]], true, false };
    struct cli_table t = { .columns = columns, .n_columns = n + 1 };
    for (size_t s = 0; s < c->strategies; s++) {
        cli_table_add(&t, "%s", name_of(c, s));
        for (size_t k = 0; k < n; k++) {
            double v = c->outcome[s].measure[shown[k]].value;
            if (isnan(v))
                cli_table_add(&t, "-");
            else
                cli_table_add(&t, "%.4f", v);
        }
    }
    int rc = cli_table_append(b, &t);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int append_intervals(struct base_buffer *b, const struct classify_comparison *c,
                            double level)
{
    const enum classify_measure *shown = with_interval[c->classes != 2];
    char titles[4][32];
    struct cli_column columns[5] = { { "", false, false } };
    char first[24];
    snprintf(first, sizeof first, "%g %%", 100 * level);
    columns[0].title = first;
    for (size_t k = 0; k < 4; k++) {
        snprintf(titles[k], sizeof titles[k], "%s", short_names[shown[k]]);
        columns[1 + k] = (struct cli_column){ titles[k], false, false };
    }
    struct cli_table t = { .columns = columns, .n_columns = 5 };
    for (size_t s = 0; s < c->strategies; s++) {
        cli_table_add(&t, "%s", name_of(c, s));
        for (size_t k = 0; k < 4; k++) {
            const struct stats_interval *i = &c->outcome[s].measure[shown[k]].interval;
            if (isnan(i->low))
                cli_table_add(&t, "-");
            else
                cli_table_add(&t, "%.3f .. %.3f", i->low, i->high);
        }
    }
    int rc = cli_table_append(b, &t);
    return rc ? rc : base_buffer_puts(b, "\n");
}

/* Two classes: one line per strategy, raw counts and shares of the row. */
static int append_matrices_two(struct base_buffer *b, const struct classify_shown *s)
{
    const struct classify_comparison *c = s->comparison;
    static const struct cli_column columns[] = {
        { "confusion", false, false }, { "TN", true, false },   { "FP", true, false },
        { "FN", true, false },         { "TP", true, false },   { "trained on -", true, false },
        { "+", true, false },          { "made", true, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 8 };
    for (size_t i = 0; i < c->strategies; i++) {
        const struct classify_outcome *o = &c->outcome[i];
        cli_table_add(&t, "%s", name_of(c, i));
        for (int k = 0; k < 4; k++)
            cli_table_add(&t, "%.0f", o->confusion[k]);
        cli_table_add(&t, "%.0f", o->rows[0]);
        cli_table_add(&t, "%.0f", o->rows[1]);
        cli_table_add(&t, "%zu", o->made);
        cli_table_add(&t, "  by row");
        for (int k = 0; k < 4; k++) {
            const double sum = o->confusion[k / 2 * 2] + o->confusion[k / 2 * 2 + 1];
            if (sum > 0)
                cli_table_add(&t, "%.1f %%", 100 * o->confusion[k] / sum);
            else
                cli_table_add(&t, "-");
        }
        for (int k = 0; k < 3; k++)
            cli_table_add(&t, " ");
    }
    int rc = cli_table_append(b, &t);
    return rc ? rc : base_buffer_puts(b, "\n");
}

/* More classes: two matrices per strategy, counts and shares of the row. */
static int append_matrices_more(struct base_buffer *b, const struct classify_shown *s)
{
    const struct classify_comparison *c = s->comparison;
    size_t k = c->classes;
    struct cli_column columns[9];
    if (k > 8) {
        int rc = cli_append_wrapped(b, 2,
                                    "The confusion matrices of more than 8 classes are in "
                                    "--json and --plots.");
        return rc ? rc : base_buffer_puts(b, "\n");
    }
    for (size_t i = 0; i < 2 * c->strategies; i++) {
        const double *m = c->outcome[i / 2].confusion;
        bool share = i % 2;
        char title[64];
        snprintf(title, sizeof title, "%s, %s", name_of(c, i / 2),
                 share ? "% of truth" : "truth \\ said");
        columns[0] = (struct cli_column){ title, false, false };
        for (size_t j = 0; j < k; j++)
            columns[1 + j] = (struct cli_column){ s->data->label[j], true, false };
        struct cli_table t = { .columns = columns, .n_columns = k + 1 };
        for (size_t r = 0; r < k; r++) {
            double sum = 0;
            for (size_t j = 0; j < k; j++)
                sum += m[r * k + j];
            cli_table_add(&t, "%s", s->data->label[r]);
            for (size_t j = 0; j < k; j++)
                if (share && !(sum > 0))
                    cli_table_add(&t, "-");
                else if (share)
                    cli_table_add(&t, "%.1f", 100 * m[r * k + j] / sum);
                else
                    cli_table_add(&t, "%.0f", m[r * k + j]);
        }
        int rc = cli_table_append(b, &t);
        if (rc || (rc = base_buffer_puts(b, "\n")))
            return rc;
    }
    return 0;
}

static int append_pairs(struct base_buffer *b, const struct classify_comparison *c)
{
    if (c->strategies < 2)
        return 0;
    const enum classify_measure shown[2] = { c->classes == 2 ? CLASSIFY_BALANCED_ACCURACY
                                                             : CLASSIFY_F1_MACRO,
                                             CLASSIFY_MCC };
    char first[64], titles[2][32];
    snprintf(first, sizeof first, "less %s", name_of(c, 0));
    for (int k = 0; k < 2; k++)
        snprintf(titles[k], sizeof titles[k], "%s", short_names[shown[k]]);
    const struct cli_column columns[] = { { first, false, false },     { titles[0], false, false },
                                          { titles[1], false, false }, { "lost", true, false },
                                          { "won", true, false },      { "p", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    for (size_t i = 0; i + 1 < c->strategies; i++) {
        const struct classify_pair *p = &c->pair[i];
        size_t lost = 0, won = 0;
        for (size_t e = 0; e < c->items; e++) {
            bool base = c->outcome[0].predicted[e] == c->truth[e];
            bool this = c->outcome[p->strategy].predicted[e] == c->truth[e];
            lost += base && !this;
            won += this && !base;
        }
        cli_table_add(&t, "%s", name_of(c, p->strategy));
        for (int k = 0; k < 2; k++)
            if (isnan(p->difference[shown[k]].value))
                cli_table_add(&t, "-");
            else
                cli_table_add(&t, "%+.3f %+.3f..%+.3f", p->difference[shown[k]].value,
                              p->difference[shown[k]].interval.low,
                              p->difference[shown[k]].interval.high);
        char text[32];
        cli_p_text(text, sizeof text, p->p_adjusted);
        cli_table_add(&t, "%zu", lost);
        cli_table_add(&t, "%zu", won);
        cli_table_add(&t, "%s", text);
    }
    int rc = cli_table_append(b, &t);
    if (!rc)
        rc = cli_append_wrapped(b, 2,
                                "Paired differences on the same test rows; lost and won: rows that "
                                "only the first, only this one has right; p: McNemar's test "
                                "(mid-p), adjusted by Holm.");
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int append_spread(struct base_buffer *b, const struct classify_comparison *c)
{
    if (c->repeats < 2)
        return 0;
    const enum classify_measure *shown = with_interval[c->classes != 2];
    char first[48];
    snprintf(first, sizeof first, "%zu seeds", c->repeats);
    struct cli_column columns[5] = { { first, false, false } };
    for (size_t k = 0; k < 4; k++)
        columns[1 + k] = (struct cli_column){ short_names[shown[k]], false, false };
    struct cli_table t = { .columns = columns, .n_columns = 5 };
    double *x = base_alloc(c->repeats, sizeof *x);
    if (!x)
        return BASE_E_MEMORY;
    for (size_t s = 0; s < c->strategies; s++) {
        cli_table_add(&t, "%s", name_of(c, s));
        for (size_t k = 0; k < 4; k++) {
            for (size_t r = 0; r < c->repeats; r++)
                x[r] = c->outcome[s].repeated[r * CLASSIFY_MEASURES + shown[k]];
            const double mean = stats_mean(x, c->repeats);
            if (isnan(mean)) /* some repetition had no such figure */
                cli_table_add(&t, "-");
            else
                cli_table_add(&t, "%.4f ±%.4f", mean, sqrt(stats_variance(x, c->repeats)));
        }
    }
    base_free(x);
    int rc = cli_table_append(b, &t);
    if (!rc)
        rc = cli_append_wrapped(b, 2,
                                "Mean and standard deviation over the seeds: what chance in "
                                "splitting and resampling does. Ranges and values are in --json.");
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int append_probabilities(struct base_buffer *b, const struct classify_comparison *c)
{
    bool two = c->classes == 2;
    const struct cli_column columns[] = {
        { "probabilities", false, false },
        { "mean", true, false },
        { "Brier", true, false },
        { "ECE", true, false },
        { "corrected", true, false },
        { "Brier", true, false },
        { "ECE", true, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 7 };
    for (size_t s = 0; s < c->strategies; s++) {
        const struct classify_outcome *o = &c->outcome[s];
        cli_table_add(&t, "%s", name_of(c, s));
        for (int k = 0; k < 2; k++) {
            const struct classify_calibrated *p = k ? &o->corrected : &o->raw;
            if (two)
                cli_table_add(&t, "%.4f", p->mean);
            else
                cli_table_add(&t, "-");
            cli_table_add(&t, "%.4f", p->measure[STATS_BRIER].value);
            cli_table_add(&t, "%.4f", p->measure[STATS_ECE].value);
        }
    }
    int rc = cli_table_append(b, &t);
    struct base_buffer line = { 0 };
    if (!rc)
        rc = base_buffer_puts(&line, "As trained, and corrected for the shares of the classes that "
                                     "the strategy trained with.");
    if (!rc && two)
        rc = base_buffer_printf(&line, " The true share of the positive class is %.4f.",
                                c->outcome[0].raw.share);
    if (!rc)
        rc = cli_append_wrapped(b, 2, line.data);
    base_buffer_free(&line);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int append_warnings(struct base_buffer *b, const struct classify_comparison *c)
{
    bool changed = false;
    int rc = 0;
    for (size_t s = 0; s < c->strategies && !rc; s++) {
        const struct classify_outcome *o = &c->outcome[s];
        changed = changed || o->strategy.weights || o->strategy.resampler != CLASSIFY_RESAMPLE_NONE;
        if (!o->converged) {
            char text[160];
            snprintf(text, sizeof text,
                     "Warning: %s stopped before it met --tolerance: raise --max-iterations or "
                     "use --solver primal.",
                     name_of(c, s));
            rc = cli_append_wrapped(b, 2, text);
        }
    }
    if (!rc && changed)
        rc = cli_append_wrapped(
            b, 2,
            c->probabilities
                ? "Warning: weights and resampling make the rare class look more frequent than it "
                  "is; the probabilities as trained are too high for it. Use the corrected ones."
                : "Warning: weights and resampling break calibration: these scores say which "
                  "class, "
                  "not how likely. --learner logistic gives probabilities, corrected for it.");
    return rc;
}

int classify_print_text(const struct cli_command *command, const struct classify_shown *s)
{
    const struct classify_comparison *c = s->comparison;
    struct base_buffer b = { 0 };
    int rc = append_head(&b, s);
    if (!rc)
        rc = append_measures(&b, c);
    if (!rc)
        rc = append_intervals(&b, c, s->options->bootstrap.level);
    if (!rc)
        rc = c->classes == 2 ? append_matrices_two(&b, s) : append_matrices_more(&b, s);
    if (!rc)
        rc = append_pairs(&b, c);
    if (!rc)
        rc = append_spread(&b, c);
    if (!rc && c->probabilities)
        rc = append_probabilities(&b, c);
    if (!rc)
        rc = append_warnings(&b, c);
    while (b.length > 1 && b.data[b.length - 2] == '\n') /* the blank line before nothing */
        b.length--;
    return cli_print_text(command, &b, rc);
}
