/* assay margins: a sample against its population, value by value. */
#include "base/memory.h"
#include "cli/cmd_survey.h"
#include "report/chart.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_margins = {
    .name = "margins",
    .synopsis = "SAMPLE POPULATION --by COL[,COL] [options]",
    .summary = "A sample against its population: shares, differences, tests, a plot",
    .details =
        "For every value of a column of both files: its share in POPULATION (of any size, read "
        "once; or a table of counts with --count), its share in SAMPLE with an interval, and the "
        "difference. Weights, strata and clusters of the sample are taken from the columns that "
        "`assay sample` adds, or named, as for `assay estimate`.\n\n"
        "The test of a column is Pearson's X^2 of the shares (and G), corrected for the design "
        "after Rao and Scott: clusters make the plain test reject far too often. "
        "--plot FILE.png (or .svg, .pdf) draws the shares side by side.\n\n"
        "  assay sample stratified --by region -n 200 -o s.csv builtin:survey\n"
        "  assay margins s.csv builtin:survey --by region,role --plot margins.png",
    .run = run,
};

static json_t *json_margin(const struct sampling_margin *m)
{
    json_t *o = json_object(), *cells = json_array(), *fit = json_object();
    json_object_set_new(o, "by", json_string(m->by));
    for (size_t c = 0; c < m->n; c++) {
        const struct sampling_margin_cell *x = &m->cell[c];
        json_t *k = json_object();
        json_object_set_new(k, "value", json_string(x->value));
        json_object_set_new(k, "population", base_json_number(x->population));
        json_object_set_new(k, "population_share", base_json_number(x->share));
        json_object_set_new(k, "n", json_integer((json_int_t)x->n));
        json_object_set_new(k, "share", base_json_number(x->e.estimate));
        json_object_set_new(k, "se", base_json_number(x->e.se));
        json_object_set_new(k, "ci", stats_json_interval(&x->e.interval));
        json_object_set_new(k, "difference", base_json_number(x->difference));
        json_object_set_new(k, "z", base_json_number(x->z));
        json_object_set_new(k, "p", base_json_number(x->p));
        json_array_append_new(cells, k);
    }
    json_object_set_new(o, "cells", cells);
    json_object_set_new(o, "dissimilarity", base_json_number(m->dissimilarity));
    json_object_set_new(o, "sample_missing", json_integer((json_int_t)m->sample_missing));
    json_object_set_new(o, "population_missing", json_integer((json_int_t)m->population_missing));
    json_object_set_new(o, "not_in_population", json_integer((json_int_t)m->unknown));
    const struct stats_survey_fit *f = &m->fit;
    json_object_set_new(fit, "x2", base_json_number(f->chi2));
    json_object_set_new(fit, "x2_p_uncorrected", base_json_number(f->chi2_p));
    json_object_set_new(fit, "g", base_json_number(f->g));
    json_object_set_new(fit, "g_p_uncorrected", base_json_number(f->g_p));
    json_object_set_new(fit, "f", base_json_number(f->f));
    json_object_set_new(fit, "df1", base_json_number(f->df1));
    json_object_set_new(fit, "df2", base_json_number(f->df2));
    json_object_set_new(fit, "p", base_json_number(f->p));
    json_object_set_new(fit, "g_p", base_json_number(f->g_corrected_p));
    json_object_set_new(fit, "deff", base_json_number(f->deff));
    json_object_set_new(fit, "reason", m->no_fit ? json_string(m->no_fit) : json_null());
    json_object_set_new(o, "test", fit);
    return o;
}

static int print_json(const struct sampling_margins *r, double level)
{
    json_t *out = json_object(), *list = json_array();
    for (size_t i = 0; i < r->n; i++)
        json_array_append_new(list, json_margin(&r->at[i]));
    json_object_set_new(out, "margins", list);
    json_object_set_new(out, "level", base_json_number(level));
    json_object_set_new(out, "sample_rows", json_integer((json_int_t)r->sample_rows));
    json_object_set_new(out, "population_rows", json_integer((json_int_t)r->population_rows));
    json_object_set_new(out, "design", json_string(r->design));
    return cli_print_json(&cli_command_margins, out);
}

static int append_margin(struct base_buffer *b, const struct sampling_margin *m, double level,
                         int64_t most)
{
    char head[32];
    snprintf(head, sizeof head, "%g %% interval", 100 * level);
    const struct cli_column columns[] = { { m->by, false, true }, { "population", true, false },
                                          { "n", true, false },   { "sample", true, false },
                                          { head, true, false },  { "difference", true, false },
                                          { "p", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 7 };
    size_t shown = most > 0 && (size_t)most < m->n ? (size_t)most : m->n, rough = 0;
    for (size_t c = 0; c < m->n; c++)
        rough += m->cell[c].share * (double)m->fit.n < 5;
    for (size_t c = 0; c < shown; c++) {
        const struct sampling_margin_cell *x = &m->cell[c];
        char p[32];
        cli_p_text(p, sizeof p, x->p);
        cli_table_add(&t, "%s", x->value);
        cli_table_add(&t, "%.2f %%", 100 * x->share);
        cli_table_add(&t, "%llu", (unsigned long long)x->n);
        cli_table_add(&t, "%.2f %%", 100 * x->e.estimate);
        if (isnan(x->e.interval.low))
            cli_table_add(&t, "-");
        else
            cli_table_add(&t, "%.2f .. %.2f", 100 * x->e.interval.low, 100 * x->e.interval.high);
        cli_table_add(&t, "%+.2f", 100 * x->difference);
        cli_table_add(&t, "%s", p);
    }
    int rc = cli_table_append(b, &t);
    if (rc == 0 && shown < m->n)
        rc = stats_say(b, "... and %zu rarer values (--most).", m->n - shown);
    if (rc)
        return rc;
    if (m->no_fit)
        return stats_say(b, "No test: %s.", m->no_fit);
    if (isnan(m->fit.f))
        return stats_say(b, "No test: the design fixes these shares.");
    rc =
        stats_say(b,
                  "X^2 = %.4g, G = %.4g on %zu degrees of freedom, p = %s as for independent rows; "
                  "corrected for the design F = %.4g on %.4g and %.4g, p = %s: %s of a "
                  "difference. In all, %.2f %% of the sample would have to change value.",
                  m->fit.chi2, m->fit.g, m->fit.categories - 1, stats_show_p(m->fit.chi2_p),
                  m->fit.f, m->fit.df1, m->fit.df2, stats_show_p(m->fit.p), stats_words_p(m->fit.p),
                  100 * m->dissimilarity);
    if (rc == 0 && rough)
        rc = stats_say(b, "%zu values expect fewer than 5 rows: the test is rough.", rough);
    if (rc == 0 && m->unknown)
        rc = stats_say(b, "%llu rows of the sample have a value that the population lacks (%s).",
                       (unsigned long long)m->unknown, m->unknown_value);
    if (rc == 0 && (m->sample_missing || m->population_missing))
        rc = stats_say(b, "Without a value: %llu rows of the sample, %llu of the population.",
                       (unsigned long long)m->sample_missing,
                       (unsigned long long)m->population_missing);
    return rc;
}

static int lay_out(struct base_buffer *b, const struct sampling_margins *r, double level,
                   int64_t most)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        rc = append_margin(b, &r->at[i], level, most);
        if (rc == 0)
            rc = base_buffer_puts(b, "\n");
    }
    if (rc == 0)
        rc = stats_say(b, "Sample: %s. Population: %llu rows.", r->design,
                       (unsigned long long)r->population_rows);
    return rc;
}

/* Bars of both shares, with the sample's interval; the most frequent values of each column. */
static int draw(const struct sampling_margins *r, const char *path, double level, int64_t most)
{
    enum { BARS = 60 };
    static const char *const groups[] = { "population", "sample" };
    char *names[BARS];
    double value[BARS][2], low[BARS][2], high[BARS][2];
    char subtitle[96];
    size_t n = 0, each = BARS / r->n ? BARS / r->n : 1;
    if (most > 0 && (size_t)most < each)
        each = (size_t)most;
    for (size_t i = 0; i < r->n; i++)
        for (size_t c = 0; c < r->at[i].n && c < each && n < BARS; c++, n++) {
            const struct sampling_margin_cell *x = &r->at[i].cell[c];
            names[n] =
                r->n > 1 ? base_format("%s: %s", r->at[i].by, x->value) : base_strdup(x->value);
            value[n][0] = 100 * x->share;
            value[n][1] = 100 * x->e.estimate;
            low[n][0] = high[n][0] = NAN;
            low[n][1] = 100 * x->e.interval.low;
            high[n][1] = 100 * x->e.interval.high;
            if (!names[n]) {
                while (n-- > 0)
                    base_free(names[n]);
                return BASE_E_MEMORY;
            }
        }
    snprintf(subtitle, sizeof subtitle, "%llu of %llu rows; bars with %g %% intervals",
             (unsigned long long)r->sample_rows, (unsigned long long)r->population_rows,
             100 * level);
    const struct report_bars bars = { .title = "Sample against population",
                                      .subtitle = subtitle,
                                      .value = { .label = "share", .unit = "%" },
                                      .categories = (const char *const *)names,
                                      .n = n,
                                      .groups = groups,
                                      .n_groups = 2,
                                      .values = value[0],
                                      .low = low[0],
                                      .high = high[0] };
    int rc = report_bars_write(&bars, path);
    for (size_t i = 0; i < n; i++)
        base_free(names[i]);
    return rc;
}

static int run(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_margins;
    struct survey_arguments a = { 0 };
    struct cli_strings by = { 0 };
    struct sampling_margins_options o = SAMPLING_MARGINS_DEFAULT;
    struct data_table_options table;
    const char *plot = NULL, *interval = NULL;
    bool finite = false;
    int64_t most = 20;
    int n;
    const struct cli_option options[] = {
        { "by", 0, CLI_STRINGS, &by, "COL[,COL]", "Columns to compare; A*B crosses two." },
        { "count", 0, CLI_STRING, &o.count, "COL",
          "POPULATION is a table of counts: how many units each row stands for." },
        { "finite", 0, CLI_FLAG, &finite, NULL,
          "The sample was drawn from POPULATION without replacement, in equal chances." },
        { "plot", 0, CLI_STRING, &plot, "FILE", "Draw the shares (.png, .svg or .pdf)." },
        { "most", 0, CLI_INT, &most, "N", "Values of each column to show (default 20; 0: all)." },
        SURVEY_OPTIONS(a),
        { "interval", 0, CLI_STRING, &interval, "HOW", "wald, logit (default), asin or beta." },
        { "level", 0, CLI_DOUBLE, &o.level, "P", "Confidence of the intervals (default 0.95)." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 2)
        return cli_usage(self, "give two files: SAMPLE and POPULATION");
    if (strcmp(argv[1], "-") == 0 && strcmp(argv[2], "-") == 0)
        return cli_usage(self, "only one of the files can be standard input");
    if ((rc = survey_design_parse(self, &a, &o.design, &table)) ||
        (rc = survey_names(self, &by, &o.by, &o.n_by)) ||
        (rc = stats_check_share(self, "--level", o.level)))
        return rc;
    if (o.n_by == 0)
        return cli_usage(self, "compare by what? Give --by COL");
    if (interval) {
        int k = stats_choose(self, "--interval", interval, stats_survey_interval_names,
                             STATS_SURVEY_INTERVALS);
        if (k < 0)
            return -k;
        o.interval = (enum stats_survey_interval)k;
    }
    o.fpc = finite;
    base_interrupt_install();
    struct sampling_margins r;
    if (sampling_margins(&r, argv[1], argv[2], &table, &o))
        return cli_fail(self);
    if (plot && draw(&r, plot, o.level, most)) {
        rc = cli_fail(self);
    } else if (cli_common.json) {
        rc = print_json(&r, o.level);
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &r, o.level, most);
        rc = cli_print_text(self, &b, rc);
    }
    sampling_margins_free(&r);
    return rc;
}
