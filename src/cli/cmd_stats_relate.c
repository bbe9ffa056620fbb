/* assay stats adjust, correlation, regression. */
#include "cli/cmd_stats.h"
#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int run_adjust(int argc, char **argv);
static int run_correlation(int argc, char **argv);
static int run_regression(int argc, char **argv);

const struct cli_command cli_command_stats_adjust = {
    .name = "stats adjust",
    .synopsis = "[--method NAME] (P... | FILE)",
    .summary = "Adjust p-values for many comparisons",
    .details =
        "A comparison holds where its adjusted p is at most --alpha. bonferroni, sidak, holm, "
        "holm-sidak and hochberg hold the chance of a single false alarm at alpha; bh and by hold "
        "the expected share of false alarms among the alarms (by under any dependence). holm, the "
        "default, needs no assumption and is never worse than bonferroni.\n\n"
        "  assay stats adjust --method holm 0.01 0.04 0.03\n"
        "  assay stats adjust --method bh pvalues.txt",
    .run = run_adjust,
};
const struct cli_command cli_command_stats_correlation = {
    .name = "stats correlation",
    .synopsis = "FILE [--first NAME --second NAME] [--method NAME]",
    .summary = "Pearson, Spearman and Kendall correlation with intervals",
    .details =
        "Two columns of a FILE, or two FILEs of one number a line in the same order. Pearson "
        "measures how well a line fits, Spearman and Kendall (tau-b) how well the order "
        "agrees. Intervals are by Fisher's z.\n\n"
        "  assay stats correlation runs.csv --first size --second acc",
    .run = run_correlation,
};
const struct cli_command cli_command_stats_regression = {
    .name = "stats regression",
    .synopsis = "FILE --y NAME --x NAME [--x NAME]...",
    .summary = "Linear regression: coefficients with errors, t, p and intervals",
    .details = "Least squares with an intercept, by QR decomposition. A predictor that is constant "
               "or that the others determine is refused by name.\n\n"
               "  assay stats regression runs.csv --y loss --x log_tokens --x log_size",
    .run = run_regression,
};

static int print_adjusted(const double *p, const double *adjusted, size_t n, const char *method,
                          double alpha)
{
    const struct cli_command *self = &cli_command_stats_adjust;
    size_t hold = 0, raw = 0;
    for (size_t i = 0; i < n; i++) {
        hold += adjusted[i] <= alpha;
        raw += p[i] <= alpha;
    }
    if (cli_common.json) {
        json_t *a = json_array(), *b = json_array(), *c = json_array();
        for (size_t i = 0; i < n; i++) {
            json_array_append_new(a, base_json_number(adjusted[i]));
            json_array_append_new(b, base_json_number(p[i]));
            json_array_append_new(c, json_boolean(adjusted[i] <= alpha));
        }
        return cli_print_json(self, json_pack("{s:o, s:o, s:o, s:s, s:o}", "adjusted", a, "p", b,
                                              "rejected", c, "method", method, "alpha",
                                              base_json_number(alpha)));
    }
    struct base_buffer b = { 0 };
    const struct cli_column columns[] = {
        { "", true, false }, { "p", true, false }, { "adjusted", true, false }, { "", false, false }
    };
    struct cli_table t = { .columns = columns, .n_columns = 4 };
    for (size_t i = 0; i < n; i++) {
        cli_table_add(&t, "%zu", i + 1);
        cli_table_add(&t, "%s", stats_show_p(p[i]));
        cli_table_add(&t, "%s", stats_show_p(adjusted[i]));
        cli_table_add(&t, "%s", adjusted[i] <= alpha ? "holds" : "");
    }
    int rc = cli_table_append(&b, &t);
    if (rc == 0)
        rc =
            stats_say(&b,
                      "%zu of %zu hold at %g after %s; without adjustment %zu would have, of which "
                      "%.2g would be expected by chance alone if nothing were there.",
                      hold, n, alpha, method, raw, alpha * (double)n);
    return cli_print_text(self, &b, rc);
}

static int run_adjust(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_stats_adjust;
    struct stats_how how = { 0 };
    const char *method = "holm", *column = NULL;
    double alpha = 0.05;
    int n;
    const struct cli_option options[] = {
        { "method", 0, CLI_STRING, &method, "NAME",
          "holm (default), bonferroni, sidak, holm-sidak, hochberg, bh, by or none." },
        { "alpha", 0, CLI_DOUBLE, &alpha, "A", "Level (default 0.05)." },
        { "column", 0, CLI_STRING, &column, "NAME", "The column of FILE with the p-values." },
        STATS_FILE_OPTIONS(how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    int m = stats_choose(self, "--method", method, stats_adjust_names, STATS_ADJUST_METHODS);
    if (m < 0)
        return 2;
    if ((rc = stats_check_share(self, "--alpha", alpha)))
        return rc;
    if (n < 1)
        return cli_usage(self, "give p-values or one FILE");
    char *end;
    strtod(argv[1], &end);
    bool file = n == 1 && (end == argv[1] || *end);
    struct stats_sample s = { 0 };
    struct stats_field field = { .name = column, .option = "--column" };
    double *list = NULL, *adjusted = NULL;
    size_t count = (size_t)n;
    if (file) {
        rc = stats_sample_read(&s, argv[1], &how, &field, 1);
        count = s.n;
    } else if (!(list = base_alloc(count, sizeof *list))) {
        rc = BASE_E_MEMORY;
    }
    for (size_t i = 0; rc == 0 && !file && i < count; i++) {
        char what[32];
        snprintf(what, sizeof what, "p-value %zu", i + 1);
        rc = base_parse_double(argv[i + 1], what, &list[i]);
    }
    const double *p = file ? field.x : list;
    if (rc == 0 && !(adjusted = base_alloc(count, sizeof *adjusted)))
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = stats_adjust(m, p, count, adjusted);
    rc = rc ? cli_fail(self) : print_adjusted(p, adjusted, count, stats_adjust_names[m], alpha);
    base_free(list);
    base_free(adjusted);
    stats_sample_free(&s);
    return rc;
}

static const char *strength(double r)
{
    r = fabs(r);
    return r < 0.1   ? "next to none"
           : r < 0.3 ? "weak"
           : r < 0.5 ? "moderate"
           : r < 0.8 ? "strong"
                     : "very strong";
}

static int run_correlation(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_stats_correlation;
    struct stats_how how = { 0 };
    const char *first = NULL, *second = NULL, *method = "all";
    double level = 0.95;
    int n;
    const struct cli_option options[] = {
        { "first", 0, CLI_STRING, &first, "NAME", "First column." },
        { "second", 0, CLI_STRING, &second, "NAME", "Second column." },
        { "method", 0, CLI_STRING, &method, "NAME",
          "pearson, spearman, kendall or all (default)." },
        { "level", 0, CLI_DOUBLE, &level, "P", "Confidence (default 0.95)." },
        STATS_FILE_OPTIONS(how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    static const char *const names[] = { "pearson", "spearman", "kendall", "all" };
    int kind = stats_choose(self, "--method", method, names, 4);
    if (kind < 0)
        return 2;
    if ((rc = stats_check_share(self, "--level", level)))
        return rc;
    struct stats_two two;
    struct stats_correlation c = { 0 };
    struct base_buffer b = { 0 };
    json_t *out = json_object();
    if ((rc = stats_two_read(self, &two, argv, n, &how, first, second, NULL, true)))
        goto out;
    char head[32];
    snprintf(head, sizeof head, "%g %% interval", 100 * level);
    const struct cli_column columns[] = { { "", false, false },
                                          { "correlation", true, false },
                                          { head, false, false },
                                          { "p", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 4 };
    for (int k = 0; k < STATS_CORRELATIONS && rc == 0; k++) {
        if (kind != 3 && kind != k)
            continue;
        if ((rc = stats_correlate(k, two.x[0], two.x[1], two.n[0], level, &c)))
            break;
        json_object_set_new(out, names[k],
                            json_pack("{s:o, s:o, s:o}", "r", base_json_number(c.r), "p",
                                      base_json_number(c.p), "ci",
                                      stats_json_interval(&c.interval)));
        cli_table_add(&t, "%s", names[k]);
        cli_table_add(&t, "%.4f", c.r);
        cli_table_add(&t, "%.4f .. %.4f", c.interval.low, c.interval.high);
        cli_table_add(&t, "%s", stats_show_p(c.p));
    }
    int table = cli_table_append(&b, &t);
    rc = rc ? rc : table;
    json_object_set_new(out, "n", json_integer((json_int_t)two.n[0]));
    json_object_set_new(out, "level", base_json_number(level));
    if (rc == 0 && (kind == 3 || kind == STATS_PEARSON))
        rc = stats_correlate(STATS_PEARSON, two.x[0], two.x[1], two.n[0], level, &c);
    if (rc == 0)
        rc = stats_say(&b, "%zu pairs of %s and %s: %s%s correlation; %s that it is not 0.",
                       two.n[0], two.title[0], two.title[1], strength(c.r),
                       fabs(c.r) < 0.1 ? ""
                       : c.r > 0       ? " positive"
                                       : " negative",
                       stats_words_p(c.p));
    if (rc == 0 && cli_common.json) {
        rc = cli_print_json(self, json_incref(out));
        base_buffer_free(&b);
    } else {
        rc = cli_print_text(self, &b, rc);
    }
out:
    json_decref(out);
    stats_two_free(&two);
    return rc;
}

static int print_regression(const struct stats_regression *r, const char *const *names,
                            const char *response, double level, size_t skipped)
{
    const struct cli_command *self = &cli_command_stats_regression;
    if (cli_common.json) {
        json_t *list = json_array();
        for (size_t j = 0; j <= r->predictors; j++) {
            const struct stats_coefficient *c = &r->coefficient[j];
            json_array_append_new(
                list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name",
                                j ? names[j - 1] : "intercept", "value", base_json_number(c->value),
                                "stderr", base_json_number(c->se), "t", base_json_number(c->t), "p",
                                base_json_number(c->p), "ci", stats_json_interval(&c->interval)));
        }
        return cli_print_json(
            self, json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "coefficients",
                            list, "n", (json_int_t)r->n, "df", base_json_number(r->df), "r2",
                            base_json_number(r->r2), "r2_adjusted",
                            base_json_number(r->r2_adjusted), "sigma", base_json_number(r->sigma),
                            "f", base_json_number(r->f), "f_p", base_json_number(r->f_p), "level",
                            base_json_number(level), "skipped", (json_int_t)skipped));
    }
    struct base_buffer b = { 0 };
    char head[32];
    snprintf(head, sizeof head, "%g %% interval", 100 * level);
    const struct cli_column columns[] = { { response, false, false }, { "value", true, false },
                                          { head, false, false },     { "std. error", true, false },
                                          { "t", true, false },       { "p", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    for (size_t j = 0; j <= r->predictors; j++) {
        const struct stats_coefficient *c = &r->coefficient[j];
        cli_table_add(&t, "%s", j ? names[j - 1] : "intercept");
        cli_table_add(&t, "%s", stats_show(c->value));
        cli_table_add(&t, "%s", stats_show_interval(&c->interval));
        cli_table_add(&t, "%s", stats_show(c->se));
        cli_table_add(&t, "%.4g", c->t);
        cli_table_add(&t, "%s", stats_show_p(c->p));
    }
    int rc = cli_table_append(&b, &t);
    if (rc == 0)
        rc = stats_say(&b,
                       "The predictors account for %.1f %% of the variance (adjusted %.1f %%); F = "
                       "%.4g, p = %s: %s that any of them matters. %zu rows, residual standard "
                       "deviation %s.",
                       100 * r->r2, 100 * r->r2_adjusted, r->f, stats_show_p(r->f_p),
                       stats_words_p(r->f_p), r->n, stats_show(r->sigma));
    if (rc == 0 && skipped)
        rc = stats_say(&b, "%zu rows with missing cells were left out.", skipped);
    return cli_print_text(self, &b, rc);
}

static int run_regression(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_stats_regression;
    struct stats_how how = { 0 };
    struct cli_strings predictors = { 0 };
    const char *response = NULL;
    double level = 0.95;
    int n;
    const struct cli_option options[] = {
        { "y", 0, CLI_STRING, &response, "NAME", "Column to explain." },
        { "x", 0, CLI_STRINGS, &predictors, "NAME", "Column that explains; may repeat." },
        { "level", 0, CLI_DOUBLE, &level, "P", "Confidence (default 0.95)." },
        STATS_FILE_OPTIONS(how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = stats_check_share(self, "--level", level)))
        return rc;
    if (n != 1 || !response || predictors.count == 0)
        return cli_usage(self, "give one FILE, --y and at least one --x");
    if (predictors.count > 63)
        return cli_usage(self, "at most 63 predictors");
    size_t p = predictors.count;
    struct stats_field field[64] = { { .name = response, .option = "--y" } };
    const double *x[64];
    const char *names[64];
    for (size_t j = 0; j < p; j++)
        field[j + 1] = (struct stats_field){ .name = predictors.at[j], .option = "--x" };
    struct stats_sample s;
    struct stats_regression r = { 0 };
    rc = stats_sample_read(&s, argv[1], &how, field, p + 1);
    for (size_t j = 0; j < p; j++) {
        x[j] = field[j + 1].x;
        names[j] = field[j + 1].title;
    }
    if (rc == 0)
        rc = stats_regress(field[0].x, x, names, s.n, p, level, &r);
    rc = rc ? cli_fail(self) : print_regression(&r, names, field[0].title, level, s.skipped);
    stats_regression_free(&r);
    stats_sample_free(&s);
    return rc;
}
