/* assay estimate: means, totals, ratios, quantiles and shares with the error of the design. */
#include "base/memory.h"
#include "base/text.h"
#include "cli/cmd_survey.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_estimate = {
    .name = "estimate",
    .synopsis = "mean|total|ratio|quantile|proportion FILE --var COL [options]",
    .summary = "Estimates from a sample, with the standard error of its design",
    .details =
        "FILE is a sample (CSV, TSV, JSON Lines, plain or compressed; - is standard input). The "
        "columns that `assay sample` adds (_pi, _weight, _stratum, _psu, _fpc) say how it was "
        "drawn; for other files name the columns of weights, strata, clusters and population "
        "sizes. Standard errors are by Taylor linearisation, the same as those of R's package "
        "survey; intervals are Student's t with clusters - strata degrees of freedom (for "
        "proportions on the logit scale, for quantiles Woodruff's).\n\n"
        "deff is the variance over that of a simple random sample of as many rows. --by gives "
        "each value of a column as a domain; --where restricts everything to one. --poststratify "
        "and --rake adjust the weights to known population totals, and the errors with them.\n\n"
        "  assay sample stratified --by region -n 200 builtin:survey | assay estimate mean --var "
        "hours -\n"
        "  assay estimate total schools.csv --var enroll --psu district,school --fpc n1,n2\n"
        "  assay estimate proportion sample.csv --var treatment --by region",
    .run = run,
};

struct arguments {
    struct survey_arguments survey;
    struct cli_strings variable, value, by, q;
    const char *over, *where, *interval, *rule;
    double level, size;
    bool skip_missing;
};

static json_t *json_estimate(const struct sampling_estimate *x)
{
    const struct stats_survey_estimate *e = &x->e;
    json_t *o = json_object();
    if (x->variable)
        json_object_set_new(o, "variable", json_string(x->variable));
    if (x->category)
        json_object_set_new(o, "category", json_string(x->category));
    if (!isnan(x->q))
        json_object_set_new(o, "q", base_json_number(x->q));
    if (x->by) {
        json_object_set_new(o, "by", json_string(x->by));
        json_object_set_new(o, "domain", json_string(x->domain));
    }
    json_object_set_new(o, "estimate", base_json_number(e->estimate));
    json_object_set_new(o, "se", base_json_number(e->se));
    json_object_set_new(o, "ci", stats_json_interval(&e->interval));
    json_object_set_new(o, "deff", base_json_number(e->deff));
    json_object_set_new(o, "deff_replace", base_json_number(e->deff_replace));
    json_object_set_new(o, "df", base_json_number(e->df));
    json_object_set_new(o, "n", json_integer((json_int_t)e->n));
    json_object_set_new(o, "weight_sum", base_json_number(e->weight_sum));
    return o;
}

static int print_json(const struct sampling_estimates *r, const struct sampling_estimate_options *o)
{
    json_t *out = json_estimate(&r->at[0]), *list = json_array();
    for (size_t i = 0; i < r->n; i++)
        json_array_append_new(list, json_estimate(&r->at[i]));
    json_object_set_new(out, "what", json_string(sampling_estimand_names[o->what]));
    json_object_set_new(out, "level", base_json_number(o->level));
    json_object_set_new(out, "estimates", list);
    json_object_set_new(out, "rows", json_integer((json_int_t)r->rows));
    json_object_set_new(out, "units", json_integer((json_int_t)r->units));
    json_object_set_new(out, "strata", json_integer((json_int_t)r->strata));
    json_object_set_new(out, "skipped", json_integer((json_int_t)r->skipped));
    json_object_set_new(out, "without_domain", json_integer((json_int_t)r->no_domain));
    json_object_set_new(out, "design", json_string(r->design));
    return cli_print_json(&cli_command_estimate, out);
}

static int lay_out(struct base_buffer *b, const struct sampling_estimates *r,
                   const struct sampling_estimate_options *o)
{
    bool domains = o->n_by > 0, quantiles = o->what == SAMPLING_QUANTILE;
    bool deff = false, no_deff = false;
    for (size_t i = 0; i < r->n; i++) {
        deff = deff || !isnan(r->at[i].e.deff);
        no_deff = no_deff || !isnan(r->at[i].e.deff_replace);
    }
    no_deff = no_deff && !deff;
    char level[32];
    snprintf(level, sizeof level, "%g %% interval", 100 * o->level);
    struct cli_column columns[9];
    size_t n = 0;
    columns[n++] = (struct cli_column){ sampling_estimand_names[o->what], false, true };
    if (domains)
        columns[n++] = (struct cli_column){ "domain", false, false };
    if (quantiles)
        columns[n++] = (struct cli_column){ "q", true, false };
    columns[n++] = (struct cli_column){ "estimate", true, false };
    columns[n++] = (struct cli_column){ "se", true, false };
    columns[n++] = (struct cli_column){ level, true, false };
    columns[n++] = (struct cli_column){ no_deff ? "deff*" : "deff", true, false };
    columns[n++] = (struct cli_column){ "n", true, false };
    struct cli_table t = { .columns = columns, .n_columns = n };
    for (size_t i = 0; i < r->n; i++) {
        const struct sampling_estimate *x = &r->at[i];
        if (!x->variable)
            cli_table_add(&t, "rows");
        else if (o->what == SAMPLING_RATIO)
            cli_table_add(&t, "%s/%s", x->variable, o->over);
        else
            cli_table_add(&t, "%s%s%s", x->variable, x->category ? " = " : "",
                          x->category ? x->category : "");
        if (domains && x->by)
            cli_table_add(&t, "%s", x->domain);
        else if (domains)
            cli_table_add(&t, "all");
        if (quantiles)
            cli_table_add(&t, "%g", x->q);
        cli_table_add(&t, "%s", survey_show(x->e.estimate));
        cli_table_add(&t, "%s", survey_show(x->e.se));
        cli_table_add(&t, "%s", survey_show_interval(&x->e.interval));
        double ratio = no_deff ? x->e.deff_replace : x->e.deff;
        cli_table_add(&t, isnan(ratio) ? "-" : "%.3g", ratio);
        cli_table_add(&t, "%zu", x->e.n);
    }
    int rc = cli_table_append(b, &t);
    if (rc == 0)
        rc = base_buffer_puts(b, "\n");
    if (rc == 0)
        rc = stats_say(b, "%s; %g degrees of freedom.", r->design, r->at[0].e.df);
    if (rc == 0 && no_deff)
        rc = stats_say(b, "* against drawing with replacement: the size of the population is not "
                          "known.");
    if (rc == 0 && !r->weighted && o->what == SAMPLING_TOTAL)
        rc = stats_say(b, "No weights: this is the total of the sample, not of a population.");
    if (rc == 0 && r->skipped)
        rc = stats_say(b, "%llu value%s missing, left out.", (unsigned long long)r->skipped,
                       r->skipped == 1 ? "" : "s");
    if (rc == 0 && r->no_domain)
        rc = stats_say(b, "%llu row%s in no domain: the column has no value there.",
                       (unsigned long long)r->no_domain, r->no_domain == 1 ? " is" : "s are");
    return rc;
}

static int parse(struct arguments *a, const char *what, struct sampling_estimate_options *o,
                 struct data_table_options *table)
{
    const struct cli_command *self = &cli_command_estimate;
    int k = stats_choose(self, "the estimate", what, sampling_estimand_names, SAMPLING_ESTIMANDS);
    if (k < 0)
        return -k;
    o->what = (enum sampling_estimand)k;
    int rc = survey_design_parse(self, &a->survey, &o->design, table);
    if (rc || (rc = survey_names(self, &a->variable, &o->variable, &o->n_variables)) ||
        (rc = survey_names(self, &a->by, &o->by, &o->n_by)) ||
        (rc = stats_check_share(self, "--level", a->level)))
        return rc;
    o->value = a->value.at;
    o->n_values = a->value.count;
    o->over = a->over;
    o->where = a->where;
    o->level = a->level;
    o->size = a->size;
    o->skip_missing = a->skip_missing;
    if (o->n_variables == 0 && o->what != SAMPLING_TOTAL)
        return cli_usage(self, "%s of what? Give --var COL", what);
    if ((o->what == SAMPLING_RATIO) != (a->over != NULL))
        return cli_usage(self, "%s",
                         a->over ? "--over goes with ratio"
                                 : "a ratio needs --over COL, below the line");
    if (a->value.count && o->what != SAMPLING_PROPORTION)
        return cli_usage(self, "--value goes with proportion");
    if (a->size != 0 && (o->what != SAMPLING_MEAN || !(a->size > 0)))
        return cli_usage(self, "--size N, the population's size, goes with mean");
    if (a->interval) {
        if (o->what != SAMPLING_PROPORTION && o->what != SAMPLING_QUANTILE)
            return cli_usage(self, "--interval goes with proportion and quantile");
        if ((k = stats_choose(self, "--interval", a->interval, stats_survey_interval_names,
                              STATS_SURVEY_INTERVALS)) < 0)
            return -k;
        o->interval = k;
    }
    if ((a->rule || a->q.count) && o->what != SAMPLING_QUANTILE)
        return cli_usage(self, "--q and --rule go with quantile");
    if (a->rule) {
        if ((k = stats_choose(self, "--rule", a->rule, stats_quantile_rule_names,
                              STATS_QUANTILE_RULES)) < 0)
            return -k;
        o->rule = (enum stats_quantile_rule)k;
    }
    const char *const *names;
    if ((rc = survey_names(self, &a->q, &names, &o->n_q)))
        return rc;
    static const double median[] = { 0.5 };
    o->q = median;
    double *q = survey_keep(o->n_q, sizeof *q);
    if (!q)
        return cli_fail(self);
    for (size_t i = 0; i < o->n_q; i++)
        if (base_parse_double(names[i], "--q", &q[i]) || !(q[i] > 0 && q[i] < 1))
            return cli_usage(self, "--q %s: a number between 0 and 1", names[i]);
    if (o->n_q)
        o->q = q;
    else
        o->n_q = 1;
    return 0;
}

static int run(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_estimate;
    struct arguments a = { .level = 0.95 };
    struct sampling_estimate_options o = SAMPLING_ESTIMATE_DEFAULT;
    struct data_table_options table;
    struct sampling_estimates r;
    int n;
    const struct cli_option options[] = {
        { "var", 0, CLI_STRINGS, &a.variable, "COL",
          "The variable; may repeat. total without it gives the size of the population." },
        { "over", 0, CLI_STRING, &a.over, "COL", "ratio: the column below the line." },
        { "q", 'q', CLI_STRINGS, &a.q, "Q[,Q]", "quantile: which (default 0.5)." },
        { "value", 0, CLI_STRINGS, &a.value, "V", "proportion: this category only; may repeat." },
        { "by", 0, CLI_STRINGS, &a.by, "COL", "Domains: each value of it; A*B crosses two." },
        { "where", 0, CLI_STRING, &a.where, "EXPR",
          "Only rows for which this holds (see `assay help sample`), as a domain." },
        SURVEY_OPTIONS(a.survey),
        { "size", 0, CLI_DOUBLE, &a.size, "N",
          "mean: the known size of the population, to divide the total by (Horvitz-Thompson); else "
          "by the sum of weights (Hajek)." },
        { "interval", 0, CLI_STRING, &a.interval, "HOW",
          "proportion, quantile: wald, logit, asin or beta." },
        { "rule", 0, CLI_STRING, &a.rule, "HOW", "quantile: inverse (default), middle or linear." },
        { "skip-missing", 0, CLI_FLAG, &a.skip_missing, NULL,
          "Leave out rows without a value (default: an error that names the line)." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the intervals (default 0.95)." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 2)
        return cli_usage(self, "give what to estimate and one FILE (- is standard input)");
    if ((rc = parse(&a, argv[1], &o, &table)))
        return rc;
    base_interrupt_install();
    if (sampling_estimate(&r, argv[2], &table, &o))
        return cli_fail(self);
    if (cli_common.json) {
        rc = print_json(&r, &o);
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &r, &o);
        rc = cli_print_text(self, &b, rc);
    }
    sampling_estimates_free(&r);
    return rc;
}
