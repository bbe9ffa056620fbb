/* assay stats describe, ci, bootstrap: one sample, its description and its intervals. */
#include "cli/cmd_stats.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

static int run_describe(int argc, char **argv);
static int run_ci(int argc, char **argv);
static int run_bootstrap(int argc, char **argv);

const struct cli_command cli_command_stats_describe = {
    .name = "stats describe",
    .synopsis = "FILE [--column NAME]...",
    .summary = "Count, mean, spread, quantiles and shape of columns of numbers",
    .details = "FILE holds one number a line, or is CSV, TSV, JSON or JSONL with --column (may "
               "repeat); - is standard input. Skewness and kurtosis (excess) are corrected for the "
               "sample size, quantiles are those of R and NumPy, mad is the median absolute "
               "deviation.\n\n"
               "  assay stats describe scores.txt\n"
               "  assay stats describe runs.csv --column acc --column seconds",
    .run = run_describe,
};
const struct cli_command cli_command_stats_ci = {
    .name = "stats ci",
    .synopsis = "(--successes K --n N | --mean M --se S [--df D] | FILE)",
    .summary = "Confidence intervals of a proportion or a mean",
    .details =
        "A proportion gets Wilson's interval (the one to use by default), Clopper-Pearson's "
        "(exact, "
        "never too narrow), Agresti and Coull's, and Jeffreys's; Wald's is there to compare. FILE "
        "holds one number a line (or see --column): 0/1 scores are taken as a proportion, other "
        "scores get Student's t interval of their mean. With --cluster the standard error is that "
        "of "
        "clusters (questions about one text), and the interval has clusters - 1 degrees of "
        "freedom. "
        "\n\n"
        "  assay stats ci --successes 8 --n 10\n"
        "  assay stats ci samples.csv --column acc --cluster passage",
    .run = run_ci,
};
const struct cli_command cli_command_stats_bootstrap = {
    .name = "stats bootstrap",
    .synopsis = "FILE [--stat NAME] [--resamples N]",
    .summary = "Bootstrap intervals (percentile, basic, BCa) of a mean, median or spread",
    .details =
        "Draws as many values as there are, with replacement, and computes the statistic, again "
        "and "
        "again; the same seed gives the same bits on any machine and number of threads. BCa "
        "corrects for bias and skew and is the one to use; percentile is simple and robust, basic "
        "is there to compare. With --cluster whole clusters are drawn. Values that are all equal "
        "give the point.\n\n"
        "  assay stats bootstrap --stat mean --resamples 10000 scores.txt\n"
        "  assay stats bootstrap --stat quantile --q 0.9 latency.csv --column ms",
    .run = run_bootstrap,
};

static int run_describe(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_stats_describe;
    struct stats_how how = { 0 };
    struct cli_strings columns = { 0 };
    double level = 0.95;
    int n;
    const struct cli_option options[] = { { "column", 0, CLI_STRINGS, &columns, "NAME",
                                            "A column, by name or number from 1; may repeat." },
                                          { "level", 0, CLI_DOUBLE, &level, "P",
                                            "Confidence of the mean's interval (default 0.95)." },
                                          STATS_FILE_OPTIONS(how),
                                          { 0 } };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 1)
        return cli_usage(self, "give one FILE (- is standard input)");
    if ((rc = stats_check_share(self, "--level", level)))
        return rc;
    size_t count = columns.count ? columns.count : 1;
    if (count > 64)
        return cli_usage(self, "at most 64 columns at once");
    struct stats_field field[64] = { { 0 } };
    for (size_t f = 0; f < count; f++)
        field[f] = (struct stats_field){ .name = columns.count ? columns.at[f] : NULL,
                                         .option = "--column" };
    struct stats_sample s;
    struct base_buffer b = { 0 };
    json_t *out = json_object(), *list = json_object();
    rc = stats_sample_read(&s, argv[1], &how, field, count);
    char title[32];
    snprintf(title, sizeof title, "%g %% interval", 100 * level);
    static const char *const names[] = { "n",      "mean", "sd",  "se",  "min",      "q1",
                                         "median", "q3",   "max", "mad", "skewness", "kurtosis" };
    struct stats_description d[64];
    struct stats_interval ci[64];
    struct cli_column *heads = base_alloc_zero(count + 1, sizeof *heads);
    if (rc == 0 && !heads)
        rc = BASE_E_MEMORY;
    for (size_t f = 0; rc == 0 && f < count; f++) {
        if ((rc = stats_describe(field[f].x, s.n, &d[f])))
            break;
        if (s.n < 2 || stats_interval_t(d[f].mean, d[f].se, (double)s.n - 1, level, &ci[f]))
            ci[f] = (struct stats_interval){ NAN, NAN };
        const double v[] = { (double)d[f].n, d[f].mean, d[f].sd,       d[f].se,
                             d[f].min,       d[f].q1,   d[f].median,   d[f].q3,
                             d[f].max,       d[f].mad,  d[f].skewness, d[f].kurtosis };
        json_t *one = json_object();
        json_object_set_new(one, "n", json_integer((json_int_t)s.n));
        for (int k = 1; k < 12; k++)
            json_object_set_new(one, names[k], base_json_number(v[k]));
        json_object_set_new(one, "ci", stats_json_interval(&ci[f]));
        if (f == 0)
            json_object_update(out, one);
        json_object_set_new(list, field[f].title, one);
        heads[f + 1] = (struct cli_column){ field[f].title, true, false };
    }
    if (rc == 0) {
        json_object_set_new(out, "skipped", json_integer((json_int_t)s.skipped));
        json_object_set(out, "columns", list);
        heads[0] = (struct cli_column){ "", false, false };
        struct cli_table t = { .columns = heads, .n_columns = count + 1 };
        for (int k = 0; k < 13; k++) {
            cli_table_add(&t, "%s", k < 12 ? names[k] : title);
            for (size_t f = 0; f < count; f++) {
                const double v[] = { (double)d[f].n, d[f].mean, d[f].sd,       d[f].se,
                                     d[f].min,       d[f].q1,   d[f].median,   d[f].q3,
                                     d[f].max,       d[f].mad,  d[f].skewness, d[f].kurtosis };
                cli_table_add(&t, "%s", k < 12 ? stats_show(v[k]) : stats_show_interval(&ci[f]));
            }
        }
        rc = cli_table_append(&b, &t);
        if (rc == 0 && s.skipped)
            rc = stats_say(&b, "%zu rows with missing cells were left out.", s.skipped);
    }
    if (rc == 0 && cli_common.json) {
        rc = cli_print_json(self, json_incref(out));
        base_buffer_free(&b);
    } else {
        rc = cli_print_text(self, &b, rc);
    }
    json_decref(out);
    json_decref(list);
    base_free(heads);
    stats_sample_free(&s);
    return rc;
}

/* ---- ci ---- */

static int proportion(const struct cli_command *self, double successes, double n, double level,
                      size_t skipped)
{
    json_t *out = json_object();
    struct base_buffer b = { 0 };
    struct stats_interval first = { 0, 0 };
    static const char *const titles[STATS_PROPORTIONS] = {
        "Wilson", "Clopper-Pearson", "Agresti-Coull", "Jeffreys", "Jeffreys, shortest", "Wald"
    };
    char head[32];
    snprintf(head, sizeof head, "%g %% interval", 100 * level);
    const struct cli_column columns[] = { { "", false, false }, { head, false, false } };
    struct cli_table t = { .columns = columns, .n_columns = 2 };
    int rc = 0;
    json_object_set_new(out, "successes", base_json_number(successes));
    json_object_set_new(out, "n", base_json_number(n));
    json_object_set_new(out, "proportion", base_json_number(successes / n));
    json_object_set_new(out, "stderr", base_json_number(stats_proportion_se(successes, n)));
    json_object_set_new(out, "level", base_json_number(level));
    for (int m = 0; m < STATS_PROPORTIONS && rc == 0; m++) {
        struct stats_interval i;
        if ((rc = stats_interval_proportion(m, successes, n, level, &i)))
            break;
        if (m == STATS_WILSON)
            first = i;
        json_object_set_new(out, stats_proportion_names[m], stats_json_interval(&i));
        cli_table_add(&t, "%s", titles[m]);
        cli_table_add(&t, "%.4f .. %.4f", i.low, i.high);
    }
    int table = cli_table_append(&b, &t);
    rc = rc ? rc : table;
    if (rc == 0)
        rc = stats_say(&b,
                       "%g of %g = %.4f (standard error %s). Shares between %.1f %% and %.1f %% go "
                       "well with these data (Wilson).%s",
                       successes, n, successes / n, stats_show(stats_proportion_se(successes, n)),
                       100 * first.low, 100 * first.high,
                       n < 300 ? " Wald's interval is not to be trusted at this size." : "");
    if (rc == 0 && skipped)
        rc = stats_say(&b, "%zu rows with missing cells were left out.", skipped);
    if (rc == 0 && cli_common.json) {
        base_buffer_free(&b);
        return cli_print_json(self, out);
    }
    json_decref(out);
    return cli_print_text(self, &b, rc);
}

static int mean_interval(const struct cli_command *self, double mean, double se, double df,
                         double level, size_t n, const struct stats_clustered *by, size_t skipped)
{
    struct stats_interval t, z;
    int rc;
    if ((rc = df > 0 ? stats_interval_t(mean, se, df, level, &t)
                     : stats_interval_normal(mean, se, level, &t)) ||
        (rc = stats_interval_normal(mean, se, level, &z)))
        return cli_fail(self);
    if (cli_common.json) {
        json_t *out =
            json_pack("{s:o, s:o, s:o, s:o, s:o}", "mean", base_json_number(mean), "stderr",
                      base_json_number(se), "level", base_json_number(level), "normal",
                      stats_json_interval(&z), "df", df > 0 ? base_json_number(df) : json_null());
        if (df > 0)
            json_object_set_new(out, "t", stats_json_interval(&t));
        if (n)
            json_object_set_new(out, "n", json_integer((json_int_t)n));
        if (by) {
            json_object_set_new(out, "clusters", json_integer((json_int_t)by->clusters));
            json_object_set_new(out, "design_effect", base_json_number(by->design_effect));
        }
        json_object_set_new(out, "skipped", json_integer((json_int_t)skipped));
        return cli_print_json(self, out);
    }
    struct base_buffer b = { 0 };
    char head[32];
    snprintf(head, sizeof head, "%g %% interval", 100 * level);
    const struct cli_column columns[] = { { "", false, false },
                                          { "value", true, false },
                                          { head, false, false } };
    struct cli_table table = { .columns = columns, .n_columns = 3 };
    cli_table_add(&table, "%s", "mean");
    cli_table_add(&table, "%s", stats_show(mean));
    cli_table_add(&table, "%s", stats_show_interval(&t));
    rc = cli_table_append(&b, &table);
    if (rc == 0 && n)
        rc = stats_say(&b, "%zu values, standard error %s, %s.", n, stats_show(se),
                       by ? "by cluster" : "values independent of each other");
    if (rc == 0 && df > 0)
        rc = stats_say(&b,
                       "Student's t with %g degrees of freedom; the normal interval would be "
                       "%s.",
                       df, stats_show_interval(&z));
    if (rc == 0 && by)
        rc = stats_say(&b,
                       "%zu clusters: the variance is %s times that of as many independent values.",
                       by->clusters, stats_show(by->design_effect));
    if (rc == 0 && skipped)
        rc = stats_say(&b, "%zu rows with missing cells were left out.", skipped);
    return cli_print_text(self, &b, rc);
}

static int ci_of_file(const char *path, const struct stats_how *how, const char *column,
                      const char *cluster, double level)
{
    const struct cli_command *self = &cli_command_stats_ci;
    struct stats_field field[2] = { { .name = column, .option = "--column" },
                                    { .name = cluster, .option = "--cluster", .label = true } };
    struct stats_sample s;
    int rc = stats_sample_read(&s, path, how, field, cluster ? 2 : 1);
    if (rc) {
        rc = cli_fail(self);
    } else if (cluster) {
        struct stats_clustered c;
        rc = stats_mean_clustered(field[0].x, field[1].id, s.n, field[1].n_labels, &c)
                 ? cli_fail(self)
                 : mean_interval(self, c.mean, c.se, c.df, level, s.n, &c, s.skipped);
    } else if (stats_is_binary(field[0].x, s.n)) {
        rc = proportion(self, stats_sum(field[0].x, s.n), (double)s.n, level, s.skipped);
    } else {
        struct stats_description d;
        if (stats_describe(field[0].x, s.n, &d))
            rc = cli_fail(self);
        else if (s.n < 2) {
            base_error_set(BASE_E_ARGUMENT, "an interval of a mean needs at least 2 values");
            rc = cli_fail(self);
        } else {
            rc = mean_interval(self, d.mean, d.se, (double)s.n - 1, level, s.n, NULL, s.skipped);
        }
    }
    stats_sample_free(&s);
    return rc;
}

static int run_ci(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_stats_ci;
    struct stats_how how = { 0 };
    const char *column = NULL, *cluster = NULL;
    double successes = NAN, trials = NAN, mean = NAN, se = NAN, df = 0, level = 0.95;
    int n;
    const struct cli_option options[] = {
        { "successes", 0, CLI_DOUBLE, &successes, "K", "Successes of --n trials." },
        { "n", 'n', CLI_DOUBLE, &trials, "N", "Trials." },
        { "mean", 0, CLI_DOUBLE, &mean, "M", "A mean whose standard error is known." },
        { "se", 0, CLI_DOUBLE, &se, "S", "Its standard error." },
        { "df", 0, CLI_DOUBLE, &df, "D", "Its degrees of freedom (default: normal interval)." },
        { "column", 0, CLI_STRING, &column, "NAME", "The column of FILE with the scores." },
        { "cluster", 0, CLI_STRING, &cluster, "NAME",
          "The column of FILE that names each score's cluster." },
        { "level", 0, CLI_DOUBLE, &level, "P", "Confidence (default 0.95)." },
        STATS_FILE_OPTIONS(how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = stats_check_share(self, "--level", level)))
        return rc;
    bool counts = !isnan(successes) || !isnan(trials), given = !isnan(mean) || !isnan(se);
    if (counts + given + (n > 0) != 1 || n > 1)
        return cli_usage(self, "give --successes and --n, or --mean and --se, or one FILE");
    if (n)
        return ci_of_file(argv[1], &how, column, cluster, level);
    if (column || cluster)
        return cli_usage(self, "--column and --cluster need a FILE");
    if (counts) {
        if (isnan(successes) || isnan(trials))
            return cli_usage(self, "--successes and --n go together");
        if (successes != floor(successes) || trials != floor(trials))
            return cli_usage(self, "--successes and --n are whole numbers, not %g and %g",
                             successes, trials);
        return proportion(self, successes, trials, level, 0);
    }
    if (isnan(mean) || isnan(se) || df < 0)
        return cli_usage(self, "--mean and --se go together, and --df is positive");
    return mean_interval(self, mean, se, df, level, 0, NULL, 0);
}

/* ---- bootstrap ---- */

static int print_bootstrap(const struct stats_bootstrap_result *r,
                           const struct stats_bootstrap_options *o, const char *stat,
                           const struct stats_sample *s, size_t clusters)
{
    const struct cli_command *self = &cli_command_stats_bootstrap;
    if (cli_common.json) {
        json_t *out =
            json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "stat",
                      stat, "estimate", base_json_number(r->estimate), "percentile",
                      stats_json_interval(&r->percentile), "basic", stats_json_interval(&r->basic),
                      "bca", stats_json_interval(&r->bca), "stderr", base_json_number(r->se),
                      "bias", base_json_number(r->bias), "z0", base_json_number(r->z0),
                      "acceleration", base_json_number(r->acceleration), "n", (json_int_t)s->n,
                      "resamples", (json_int_t)o->resamples, "seed", (json_int_t)o->seed, "level",
                      base_json_number(o->level));
        json_object_set_new(out, "skipped", json_integer((json_int_t)s->skipped));
        if (clusters)
            json_object_set_new(out, "clusters", json_integer((json_int_t)clusters));
        return cli_print_json(self, out);
    }
    struct base_buffer b = { 0 };
    char head[32];
    snprintf(head, sizeof head, "%g %% interval", 100 * o->level);
    const struct cli_column columns[] = { { stat, false, false },
                                          { stats_show(r->estimate), true, false },
                                          { head, false, false } };
    struct cli_table t = { .columns = columns, .n_columns = 3 };
    const struct {
        const char *name;
        const struct stats_interval *i;
    } rows[] = { { "BCa", &r->bca }, { "percentile", &r->percentile }, { "basic", &r->basic } };
    for (int k = 0; k < 3; k++) {
        cli_table_add(&t, "%s", rows[k].name);
        cli_table_add(&t, "%s", "");
        cli_table_add(&t, "%s", stats_show_interval(rows[k].i));
    }
    int rc = cli_table_append(&b, &t);
    if (rc == 0)
        rc = stats_say(&b,
                       "%zu values%s, %zu resamples, seed %llu. Standard error %s, bias %s; BCa "
                       "moves the ends by z0 = %s and a = %s.",
                       s->n, clusters ? " in clusters, which are drawn whole" : "", o->resamples,
                       (unsigned long long)o->seed, stats_show(r->se), stats_show(r->bias),
                       stats_show(r->z0), stats_show(r->acceleration));
    size_t units = clusters ? clusters : s->n;
    if (rc == 0 && r->se == 0)
        rc = stats_say(&b, "The values do not vary: every resample gives the same.");
    else if (rc == 0 && units < 20)
        rc = stats_say(&b,
                       "With %zu %s a bootstrap interval is too narrow; the t interval of "
                       "`assay stats ci` is safer for a mean.",
                       units, clusters ? "clusters" : "values");
    if (rc == 0 && s->skipped)
        rc = stats_say(&b, "%zu rows with missing cells were left out.", s->skipped);
    return cli_print_text(self, &b, rc);
}

static int run_bootstrap(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_stats_bootstrap;
    struct stats_how how = { 0 };
    struct stats_bootstrap_options o = STATS_BOOTSTRAP_OPTIONS_DEFAULT;
    const char *stat = "mean", *column = NULL, *cluster = NULL, *ties = "half";
    int64_t resamples = 10000;
    double q = NAN;
    int n;
    const struct cli_option options[] = {
        { "stat", 0, CLI_STRING, &stat, "NAME",
          "mean (default), median, sd, variance, quantile or trimmed (a mean)." },
        { "q", 0, CLI_DOUBLE, &q, "Q",
          "Which quantile, 0 to 1; or the share trimmed at each end (default 0.1)." },
        { "resamples", 0, CLI_INT, &resamples, "N", "Resamples (default 10000)." },
        { "column", 0, CLI_STRING, &column, "NAME", "The column of FILE with the values." },
        { "cluster", 0, CLI_STRING, &cluster, "NAME",
          "The column that names each value's cluster; clusters are drawn whole." },
        { "level", 0, CLI_DOUBLE, &o.level, "P", "Confidence (default 0.95)." },
        { "ties", 0, CLI_STRING, &ties, "HOW",
          "How resamples equal to the estimate count in BCa's z0: half (default) or none." },
        STATS_FILE_OPTIONS(how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    static const char *const tie_names[] = { "half", "none" };
    int summary = stats_choose(self, "--stat", stat, stats_summary_names, STATS_SUMMARIES);
    int tie = summary < 0 ? 0 : stats_choose(self, "--ties", ties, tie_names, 2);
    if (summary < 0 || tie < 0)
        return 2;
    if (n != 1)
        return cli_usage(self, "give one FILE (- is standard input)");
    if (resamples < 1 || resamples > 100000000)
        return cli_usage(self, "--resamples is 1 to 100000000");
    if ((rc = stats_check_share(self, "--level", o.level)))
        return rc;
    if (isnan(q)) {
        if (summary == STATS_QUANTILE)
            return cli_usage(self, "--stat quantile needs --q, such as --q 0.9");
        q = 0.1;
    } else if (summary != STATS_QUANTILE && summary != STATS_TRIMMED) {
        return cli_usage(self, "--q is for --stat quantile and trimmed, not %s", stat);
    }
    o.resamples = (size_t)resamples;
    o.seed = (uint64_t)cli_common.seed;
    o.strict_ties = tie == 1;
    struct stats_field field[2] = { { .name = column, .option = "--column" },
                                    { .name = cluster, .option = "--cluster", .label = true } };
    struct stats_sample s;
    struct stats_bootstrap_result r;
    rc = stats_sample_read(&s, argv[1], &how, field, cluster ? 2 : 1);
    if (rc == 0)
        rc = stats_bootstrap_summary(summary, q, field[0].x, s.n, cluster ? field[1].id : NULL,
                                     field[1].n_labels, &o, &r);
    rc = rc ? cli_fail(self) : print_bootstrap(&r, &o, stat, &s, cluster ? field[1].n_labels : 0);
    stats_sample_free(&s);
    return rc;
}
