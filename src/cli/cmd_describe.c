/* assay describe: what a table holds and what looks wrong in it, in one pass. */
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/cmd_survey.h"
#include <assay/describe.h>
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_describe = {
    .name = "describe",
    .synopsis = "FILE [options]",
    .summary = "What a table holds, and impossible values in it, in one pass",
    .details =
        "FILE is CSV, TSV, JSON Lines or JSON, plain or compressed (.gz, .bz2, .zst), of any size; "
        "- is standard input. For every column: type, missing cells, different values, most "
        "frequent values; for numbers and dates range, quantiles, mean and standard deviation. "
        "What looks wrong comes first: values outside the range that a column's name stands for "
        "(age, percent, latitude ...) or that --range gives, codes such as 999 and 99999999999, "
        "values far from all others, cells of another type, spellings of one category, ranges "
        "that a spreadsheet took for dates, rows that come twice.\n\n"
        "Memory is constant. Counts, ranges, means and deviations are exact; different values, "
        "quantiles and frequent values are exact up to 65,536 different values in a column, and "
        "beyond that their largest error is said.\n\n"
        "  assay describe builtin:survey\n"
        "  assay describe --range income=0..500000 survey.csv\n"
        "  zcat huge.csv.gz | assay describe --json -",
    .run = run,
};

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    struct base_progress **p = context;
    if (!*p)
        *p = base_progress_begin("describe", "bytes", total);
    base_progress_update(*p, done, NULL);
}

/* ---- findings ---- */

static int append_example(struct base_buffer *b, const struct sampling_finding *f,
                          const struct sampling_example *e)
{
    bool quoted = f->rule == SAMPLING_RULE_MIXED || f->rule == SAMPLING_RULE_SPREADSHEET ||
                  f->rule == SAMPLING_RULE_VARIANTS || f->rule == SAMPLING_RULE_SPELLING;
    int rc = quoted ? base_buffer_puts(b, "\"") : 0;
    if (rc == 0)
        rc = cli_append_visible(b, e->text, strlen(e->text), 40);
    if (rc == 0 && quoted)
        rc = base_buffer_puts(b, "\"");
    if (rc || f->rule == SAMPLING_RULE_DUPLICATES)
        return rc;
    if (f->rule == SAMPLING_RULE_VARIANTS || f->rule == SAMPLING_RULE_SPELLING)
        return base_buffer_printf(b, " (%llu)", (unsigned long long)e->count);
    if (e->count > 1)
        rc = base_buffer_printf(b, " (%llu times%s", (unsigned long long)e->count,
                                e->line ? "," : ")");
    else if (e->line)
        rc = base_buffer_puts(b, " (");
    if (rc == 0 && e->line)
        rc = base_buffer_printf(b, "%sline %llu)", e->count > 1 ? " first in " : "",
                                (unsigned long long)e->line);
    return rc;
}

static int append_findings(struct base_buffer *b, const struct sampling_description *d)
{
    static const char *const headings[] = { "IMPOSSIBLE", "SUSPECT", "Notes" };
    int rc = 0, last = -1;
    for (size_t i = 0; rc == 0 && i < d->findings; i++) {
        const struct sampling_finding *f = &d->finding[i];
        struct base_buffer line = { 0 };
        if ((int)f->severity != last)
            rc = base_buffer_printf(b, "\n  %s\n", headings[f->severity]);
        last = (int)f->severity;
        if (rc == 0 && f->column)
            rc = cli_append_visible(&line, f->column, strlen(f->column), 0);
        if (rc == 0)
            rc = base_buffer_printf(&line, "%s%s%llu %s", f->column ? ": " : "",
                                    f->at_least ? "at least " : "", (unsigned long long)f->count,
                                    f->message);
        for (size_t k = 0; rc == 0 && k < f->n; k++) {
            rc = base_buffer_puts(&line, k ? ", " : ": ");
            if (rc == 0)
                rc = append_example(&line, f, &f->example[k]);
        }
        uint64_t shown = 0;
        for (size_t k = 0; k < f->n; k++)
            shown += f->example[k].count;
        if (rc == 0 && f->n && shown < f->count && f->rule != SAMPLING_RULE_MIXED)
            rc = base_buffer_puts(&line, ", ...");
        if (rc == 0)
            rc = cli_append_wrapped(b, 4, line.data);
        base_buffer_free(&line);
    }
    return rc;
}

/* ---- columns ---- */

static int append_values(struct base_buffer *b, const struct sampling_column_description *c)
{
    char low[24], high[24];
    switch (c->kind) {
    case SAMPLING_KIND_EMPTY:
        return 0;
    case SAMPLING_KIND_INTEGER:
    case SAMPLING_KIND_NUMBER:
        return base_buffer_printf(b, "%s .. %s", survey_show(c->min), survey_show(c->max));
    case SAMPLING_KIND_DATE:
        sampling_date_text(c->min, low, sizeof low);
        sampling_date_text(c->max, high, sizeof high);
        return base_buffer_printf(b, "%.10s .. %.10s", low, high);
    default:
        break;
    }
    if (c->exact && c->n_top && c->top[0].count == 1)
        return base_buffer_puts(b, "all different");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->n_top; i++) {
        rc = base_buffer_puts(b, i ? ", " : "");
        if (rc == 0)
            rc = cli_append_visible(b, c->top[i].text, strlen(c->top[i].text), 30);
        if (rc == 0)
            rc = base_buffer_printf(b, " %llu", (unsigned long long)c->top[i].count);
    }
    return rc;
}

static int append_columns(struct base_buffer *b, const struct sampling_description *d)
{
    const struct cli_column columns[] = { { "column", false, false },
                                          { "type", false, false },
                                          { "missing", true, false },
                                          { "different", true, false },
                                          { "values", false, true } };
    struct cli_table t = { .columns = columns, .n_columns = 5 };
    int rc = base_buffer_puts(b, "\n");
    for (size_t i = 0; rc == 0 && i < d->columns; i++) {
        const struct sampling_column_description *c = &d->column[i];
        struct base_buffer text = { 0 };
        rc = cli_append_visible(&text, c->name, strlen(c->name), cli_columns() < 100 ? 20 : 32);
        cli_table_add(&t, "%s", text.data ? text.data : "");
        cli_table_add(&t, "%s", sampling_kind_names[c->kind]);
        if (c->missing)
            cli_table_add(&t, "%llu (%.0f %%)", (unsigned long long)c->missing,
                          100 * (double)c->missing / (double)d->rows);
        else
            cli_table_add(&t, "-");
        cli_table_add(&t, "%s%.0f", c->exact ? "" : "~", c->distinct);
        base_buffer_clear(&text);
        rc = rc ? rc : append_values(&text, c);
        cli_table_add(&t, "%s", text.data ? text.data : "");
        base_buffer_free(&text);
    }
    int table = cli_table_append(b, &t);
    return rc ? rc : table;
}

static const char *show(const struct sampling_column_description *c, double x)
{
    static char buffers[8][24];
    static unsigned next;
    if (c->kind != SAMPLING_KIND_DATE)
        return survey_show(x);
    char *text = buffers[next++ % 8];
    sampling_date_text(x, text, 24);
    text[10] = 0;
    return text;
}

static int append_numbers(struct base_buffer *b, const struct sampling_description *d)
{
    const struct cli_column columns[] = { { "", false, true },     { "min", true, false },
                                          { "25 %", true, false }, { "median", true, false },
                                          { "75 %", true, false }, { "max", true, false },
                                          { "mean", true, false }, { "sd", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 8 };
    bool any = false;
    double error = 0;
    for (size_t i = 0; i < d->columns; i++) {
        const struct sampling_column_description *c = &d->column[i];
        if (isnan(c->min) || c->kind == SAMPLING_KIND_DATE)
            continue;
        any = true;
        error = fmax(error, c->quantile_error);
        cli_table_add(&t, "%s%s", c->name, c->kind == SAMPLING_KIND_MIXED ? " (numbers)" : "");
        const double shown[] = { c->min,         c->quantile[2], c->quantile[3],
                                 c->quantile[4], c->max,         c->mean };
        for (int k = 0; k < 6; k++)
            cli_table_add(&t, "%s", show(c, shown[k]));
        cli_table_add(&t, "%s", survey_show(c->sd));
        if (!c->plausible)
            continue;
        cli_table_add(&t, "  plausible");
        for (int k = 0; k < 5; k++)
            cli_table_add(&t, "%s", "");
        cli_table_add(&t, "%s", survey_show(c->plausible_mean));
        cli_table_add(&t, "%s", survey_show(c->plausible_sd));
    }
    if (!any)
        return 0;
    int rc = base_buffer_puts(b, "\n");
    if (rc == 0)
        rc = cli_table_append(b, &t);
    if (rc == 0 && error > 0)
        rc = stats_say(b, "Quantiles are off by at most %.2g %% in rank.", 100 * error);
    return rc;
}

static int lay_out(struct base_buffer *b, const struct sampling_description *d)
{
    bool approximate = false;
    for (size_t i = 0; i < d->columns; i++)
        approximate = approximate || !d->column[i].exact;
    int rc = base_buffer_printf(b, "  %s: %llu row%s, %zu column%s\n", d->name,
                                (unsigned long long)d->rows, d->rows == 1 ? "" : "s", d->columns,
                                d->columns == 1 ? "" : "s");
    if (rc == 0)
        rc = append_findings(b, d);
    if (rc == 0)
        rc = append_columns(b, d);
    if (rc == 0)
        rc = append_numbers(b, d);
    if (rc == 0 && approximate)
        rc = stats_say(b, "~ counted with a standard error of 0.81 %%.");
    return rc;
}

/* "COL=LO..HI", either end may be missing. */
static int parse_ranges(const struct cli_strings *given, struct sampling_range **out)
{
    const struct cli_command *self = &cli_command_describe;
    struct sampling_range *r = survey_keep(given->count, sizeof *r);
    if (!r)
        return cli_fail(self);
    for (size_t i = 0; i < given->count; i++) {
        size_t bytes = strlen(given->at[i]) + 1;
        char *text = survey_keep(bytes, 1);
        if (!text)
            return cli_fail(self);
        memcpy(text, given->at[i], bytes);
        char *equals = strrchr(text, '='), *dots = equals ? strstr(equals, "..") : NULL;
        if (!dots)
            return cli_usage(self, "--range %s: write COL=LO..HI", given->at[i]);
        *equals = *dots = 0;
        r[i] = (struct sampling_range){ text, -INFINITY, INFINITY };
        if ((equals[1] && base_parse_double(equals + 1, "--range", &r[i].low)) ||
            (dots[2] && base_parse_double(dots + 2, "--range", &r[i].high)) ||
            !(r[i].low <= r[i].high))
            return cli_usage(self, "--range %s: write COL=LO..HI", given->at[i]);
    }
    *out = r;
    return 0;
}

static int run(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_describe;
    struct cli_strings ranges = { 0 }, columns = { 0 };
    const char *format = NULL, *delimiter = NULL;
    bool header = true, pad = false;
    int64_t top = 5;
    int n;
    const struct cli_option options[] = {
        { "columns", 0, CLI_STRINGS, &columns, "COL[,COL]", "Only these columns." },
        { "range", 0, CLI_STRINGS, &ranges, "COL=LO..HI",
          "Values outside are impossible; an end may be left out; may repeat." },
        { "top", 0, CLI_INT, &top, "N", "Most frequent values of each column (default 5)." },
        { "format", 0, CLI_STRING, &format, "FORMAT",
          "csv, tsv, json or jsonl (default: by the file's name; standard input: csv)." },
        { "delimiter", 0, CLI_STRING, &delimiter, "C",
          "Character between cells (default: the format's)." },
        { "header", 0, CLI_FLAG, &header, NULL,
          "The first row names the columns (default); --no-header: they are numbered." },
        { "pad", 0, CLI_FLAG, &pad, NULL,
          "Fill short rows with empty cells (default: an error that names the line)." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 1)
        return cli_usage(self, "give one FILE (- is standard input)");
    if (top < 1 || top > 1000)
        return cli_usage(self, "--top %lld: from 1 to 1000", (long long)top);
    struct survey_arguments file = { .format = format, .delimiter = delimiter };
    struct sampling_design unused;
    struct data_table_options table;
    struct base_progress *progress = NULL;
    struct sampling_describe_options o = {
        .top = (size_t)top, .ranges = ranges.count, .on_progress = on_progress, .context = &progress
    };
    struct sampling_range *range = NULL;
    if ((rc = survey_design_parse(self, &file, &unused, &table)) ||
        (rc = parse_ranges(&ranges, &range)) ||
        (rc = survey_names(self, &columns, &o.columns, &o.n_columns)))
        return rc;
    o.range = range;
    table.pad = pad;
    table.header = header ? DATA_HEADER_AUTO : DATA_HEADER_NO;
    base_interrupt_install();
    struct sampling_description d;
    rc = sampling_describe(&d, argv[1], &table, &o);
    base_progress_end(progress);
    if (rc)
        return cli_fail(self);
    if (cli_common.json) {
        rc = cli_print_json(self, sampling_description_json(&d));
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &d);
        rc = cli_print_text(self, &b, rc);
    }
    sampling_description_free(&d);
    return rc;
}
